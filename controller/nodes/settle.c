/* settle - see settle.h. */
#include "controller/nodes/settle.h"

static bool is_settled(const struct controller *c, const struct node_entry *asker, const struct node_await *await)
{
	const struct scope_audience *audience = scopes_audience(&c->scopes, await->network);

	/* only of networks of its own: who else has one is nobody's business */
	if (await->v > controller_head(c) || !scope_has(scopes_of(&c->scopes, asker->host), await->network))
		return false;
	for (size_t i = 0; i < audience->n; i++) {
		const struct node_entry *node = node_table_find(&c->nodes, audience->hosts[i]);

		if (node && node != asker && !node->revoked && !controller_is_unknown(c, node) && !node_has_applied(node, await->v))
			return false;
	}
	return true;
}

void settle_collect(const struct controller *c, const struct node_entry *node, struct settle_result *ret_result)
{
	ret_result->n = 0;
	for (size_t i = 0; i < node->n_awaits; i++)
		if (is_settled(c, node, &node->awaits[i]))
			ret_result->list[ret_result->n++] = node->awaits[i];
}
