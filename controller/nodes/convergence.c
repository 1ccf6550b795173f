/* convergence - see convergence.h. */
#include "controller/nodes/controller_internal.h"

#include <stdlib.h>

#define NOTED_MAX 4096 /* changes of one acknowledgement that are looked at, the newest */

void convergence_note(const struct controller *c, struct node_entry *node, uint64_t from_v, uint64_t to_v)
{
	const struct scope *scope = scopes_of(&c->scopes, node->host);
	uint64_t now_real = clock_real_ms(&c->clock), now_mono = clock_mono_ms(&c->clock);

	if (to_v > from_v + NOTED_MAX)
		from_v = to_v - NOTED_MAX;
	for (uint64_t v = from_v + 1; v <= to_v; v++) {
		const struct ring_entry *e = ring_at(&c->ring, v);
		uint64_t ms;

		if (!e || !e->record || e->committed_ms < node->back_ms || !scope_touched_by(scope, node->host, &e->record->record))
			continue;
		ms = now_real > e->committed_ms ? now_real - e->committed_ms : 0;
		histogram_add(&node->convergence.total, 1000 * ms);
		recent_add(&node->convergence.recent, now_mono, ms);
	}
}

struct recent_summary convergence_recent(const struct controller *c, const struct node_entry *node)
{
	const struct recent *own = node ? &node->convergence.recent : NULL, **list;
	uint64_t now = clock_mono_ms(&c->clock);
	struct recent_summary sum = { 0 };
	const struct node_entry *one;
	size_t n = 0;

	if (node)
		return recent_summarize(&own, 1, now);
	list = calloc(c->nodes.by_host.n + 1, sizeof *list);
	if (!list)
		return sum;
	for (size_t i = 0; (one = node_table_next(&c->nodes, &i));)
		if (!one->revoked)
			list[n++] = &one->convergence.recent;
	sum = recent_summarize(list, n, now);
	free(list);
	return sum;
}
