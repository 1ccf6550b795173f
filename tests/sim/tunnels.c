/* tunnels - see tunnels.h. */
#include "tests/sim/tunnels.h"

#include "tests/sim/peers.h"

#include <stdlib.h>
#include <string.h>

struct gateway {
	struct role_env env;
	struct host *h;
};

static const struct archive *log_of(const struct host *h)
{
	const struct replica *r = &h->node.replica;

	return r->has_log_id ? archive_of(h->machine.world->archives, r->epoch, r->log_id) : NULL;
}

static bool is_judged(const struct host *h)
{
	return !h->machine.world->forked && !h->corrupted && !disk_is_dead(h->machine.disk);
}

static const struct role_peer *find(const struct role_desired *desired, const uint8_t peer[8])
{
	for (size_t i = 0; i < desired->n_peers; i++)
		if (!memcmp(desired->peers[i].record.id, peer, 8))
			return desired->peers[i].has_key && !desired->peers[i].suspended ? &desired->peers[i] : NULL;
	return NULL;
}

/* I8: it may go, or get another key, only if the log wants that. */
static void judge_end(struct host *h, const struct tunnel *t)
{
	const struct archive *a = log_of(h);

	if (is_judged(h) && (!a || peers_is_wanted(a, h->host, h->node.replica.v, t)))
		world_fail(h->machine.world, "I8", "%s took a peer's tunnel away at V %llu though the log has it", h->machine.name,
			   (unsigned long long)h->node.replica.v);
}

/* I9: the log has given that key to this gateway. */
static void judge_begin(struct host *h, const struct role_peer *p)
{
	const struct archive *a = log_of(h);

	if (is_judged(h) && a && !peers_was_given(a, h->host, p->record.id, p->key.public_key))
		world_fail(h->machine.world, "I9", "%s holds a peer's key that it was never given", h->machine.name);
}

static void drop_ended(struct host *h, const struct role_desired *desired)
{
	struct tunnels *t = &h->kernel.tunnels;
	size_t kept = 0;

	for (size_t i = 0; i < t->n; i++) {
		const struct role_peer *p = find(desired, t->list[i].peer);

		if (p && !memcmp(p->key.public_key, t->list[i].public_key, 32))
			t->list[kept++] = t->list[i];
		else
			judge_end(h, &t->list[i]);
	}
	t->n = kept;
}

static bool has(const struct tunnels *t, const uint8_t peer[8])
{
	for (size_t i = 0; i < t->n; i++)
		if (!memcmp(t->list[i].peer, peer, 8))
			return true;
	return false;
}

static void add_new(struct host *h, const struct role_desired *desired)
{
	struct tunnels *t = &h->kernel.tunnels;

	for (size_t i = 0; i < desired->n_peers; i++) {
		const struct role_peer *p = &desired->peers[i];
		struct tunnel *new = &t->list[t->n];

		if (!p->has_key || p->suspended || has(t, p->record.id) || t->n == TUNNELS_MAX)
			continue;
		judge_begin(h, p);
		*new = (struct tunnel){ .address = peer_address(&p->record), .network = p->record.network };
		memcpy(new->peer, p->record.id, sizeof new->peer);
		memcpy(new->public_key, p->key.public_key, sizeof new->public_key);
		t->n++;
	}
}

/* Somebody connects: what moves has arrived. */
static void tell_handshakes(const struct gateway *g)
{
	struct world *w = g->h->machine.world;

	for (size_t i = 0; i < g->h->kernel.tunnels.n; i++) {
		struct role_peer_stats stats = { .last_handshake_ms = clock_real_ms(&g->env.clock), .rx_bytes = 100, .tx_bytes = 100 };

		if (!world_chance(w, 300))
			continue;
		memcpy(stats.peer, g->h->kernel.tunnels.list[i].peer, sizeof stats.peer);
		g->env.ops->peer_stats(g->env.node, &stats, 1);
	}
}

static void gateway_sync(void *role, const struct role_desired *desired)
{
	struct gateway *g = role;

	if (disk_is_dead(g->h->machine.disk))
		return;
	drop_ended(g->h, desired);
	add_new(g->h, desired);
	tell_handshakes(g);
}

static int gateway_start(const struct role_env *env, void **ret_role, struct why *why)
{
	struct gateway *g = calloc(1, sizeof *g);

	(void)why;
	if (!g)
		return -ENOMEM;
	*g = (struct gateway){ .env = *env, .h = container_of((struct node *)env->node, struct host, node) };
	*ret_role = g;
	return 0;
}

static void gateway_stop(void *role)
{
	free(role);
}

static void gateway_wipe(void *role)
{
	(void)role;
}

const struct role_ops sim_gateway_role = { .name = "gateway", .bit = ROLE_GATEWAY, .start = gateway_start, .sync = gateway_sync,
					   .stop = gateway_stop, .wipe = gateway_wipe };
