/* awaits - see awaits.h. */
#include "node/awaits.h"

#include "lib/base/log.h"

#include <stdlib.h>

#define AWAIT_LIMIT_MS 1000

static bool is_settled(const struct node *node, uint32_t network)
{
	for (size_t i = 0; i < node->n_settled; i++)
		if (node->settled[i] == network)
			return true;
	return false;
}

static void remember_settled(struct node *node, uint32_t network)
{
	uint32_t *bigger;

	if (is_settled(node, network))
		return;
	bigger = realloc(node->settled, (node->n_settled + 1) * sizeof *bigger);
	if (!bigger)
		return; /* the next start waits once more, that is all */
	node->settled = bigger;
	node->settled[node->n_settled++] = network;
}

/* Takes the first await of the network (0 = any, with `arg`) off the list; NULL if none is left. */
static struct node_await *take_await(struct node *node, uint32_t network, uint64_t v)
{
	for (struct node_await **p = &node->awaits; *p; p = &(*p)->next)
		if ((*p)->network == network && (*p)->v <= v) {
			struct node_await *a = *p;

			*p = a->next;
			loop_cancel_timer(&a->limit);
			return a;
		}
	return NULL;
}

void awaits_settled(void *ctx, uint32_t network, uint64_t v)
{
	struct node *node = ctx;
	struct node_await *a;

	remember_settled(node, network);
	while ((a = take_await(node, network, v))) {
		a->done(a->arg, false);
		free(a);
	}
}

static void await_expired(struct loop_timer *timer)
{
	struct node_await *a = container_of(timer, struct node_await, limit);
	struct node *node = a->node;

	for (struct node_await **p = &node->awaits; *p; p = &(*p)->next)
		if (*p == a) {
			*p = a->next;
			break;
		}
	node->presence_timeouts++;
	log_warn("apply", "not every node of network %08x has said in %d ms that it knows this host; starting all the same", a->network,
		 AWAIT_LIMIT_MS);
	a->done(a->arg, true);
	free(a);
}

void awaits_add(void *ctx, uint32_t network, const char *instance_id, void (*done)(void *arg, bool timed_out), void *arg)
{
	struct node *node = ctx;
	const struct record *record = replica_find(&node->replica, RECORD_INSTANCE, instance_id, NAME_INSTANCE_ID_LEN);
	struct node_await *a;

	if (!record || is_settled(node, network)) {
		done(arg, false);
		return;
	}
	a = calloc(1, sizeof *a);
	if (!a) {
		done(arg, true);
		return;
	}
	*a = (struct node_await){ .next = node->awaits, .node = node, .network = network, .v = record->v, .done = done, .arg = arg };
	a->limit.expired = await_expired;
	node->awaits = a;
	if (loop_set_timer_in(node->loop, &a->limit, AWAIT_LIMIT_MS) < 0)
		await_expired(&a->limit);
	else if (!node->applying && node->sync)
		sync_nudge(node->sync);
}

void awaits_forget(void *ctx, void *arg)
{
	struct node *node = ctx;

	for (struct node_await **p = &node->awaits; *p;) {
		struct node_await *a = *p;

		if (a->arg != arg) {
			p = &a->next;
			continue;
		}
		*p = a->next;
		loop_cancel_timer(&a->limit);
		free(a);
	}
}

void node_forget_awaits(struct node *node)
{
	while (node->awaits)
		awaits_forget(node, node->awaits->arg);
}

void awaits_forget_settled(struct node *node, const struct presence *wanted)
{
	size_t kept = 0;

	for (size_t i = 0; i < node->n_settled; i++)
		if (presence_has(wanted, node->settled[i], node->identity.host))
			node->settled[kept++] = node->settled[i];
	node->n_settled = kept;
}
