/* tunnels - see tunnels.h. */
#include "tests/sim/tunnels.h"

#include "lib/base/crypto.h"
#include "tests/sim/peers.h"

#include <stdlib.h>
#include <string.h>

struct gateway {
	struct role_env env;
	struct host *h;
	struct wg wg;
	uint8_t own_key[WG_KEY_LEN];
	struct peers *peers;
};

static const struct archive *log_of(const struct host *h)
{
	const struct replica *r = &h->node.replica;

	return r->has_log_id ? archive_of(h->machine.world->archives, r->epoch, r->log_id) : NULL;
}

static bool is_judged(const struct host *h)
{
	return !h->machine.world->forked && !h->corrupted;
}

/* ---- WireGuard ---- */

static struct tunnel *find(struct tunnels *t, const uint8_t public_key[WG_KEY_LEN])
{
	for (size_t i = 0; i < t->n; i++)
		if (!memcmp(t->list[i].public_key, public_key, WG_KEY_LEN))
			return &t->list[i];
	return NULL;
}

/* I8: it may go, or get another key, only if the log wants that. */
static void remove_one(struct host *h, struct tunnel *t)
{
	struct tunnels *all = &h->kernel.tunnels;
	const struct archive *a = log_of(h);

	if (is_judged(h) && (!a || peers_is_wanted(a, h->host, h->node.replica.v, t)))
		world_fail(h->machine.world, "I8", "%s took a peer's tunnel away at V %llu though the log has it", h->machine.name,
			   (unsigned long long)h->node.replica.v);
	*t = all->list[--all->n];
}

/* As WireGuard does: a prefix has one owner, the last. */
static void give_prefix(struct tunnels *all, struct tunnel *t, const struct wg_prefix *prefix)
{
	for (size_t i = 0; i < all->n; i++)
		if (&all->list[i] != t && all->list[i].has_prefix && wg_prefix_equal(&all->list[i].prefix, prefix))
			all->list[i].has_prefix = false;
	t->prefix = *prefix;
	t->has_prefix = true;
}

/* I9: the log has given that key to this gateway. */
static struct tunnel *add_one(struct host *h, const struct wg_peer *peer)
{
	struct tunnels *all = &h->kernel.tunnels;
	const struct archive *a = log_of(h);

	if (is_judged(h) && a && !wg_plan_is_nobody(peer) && !peers_was_given(a, h->host, peer->public_key))
		world_fail(h->machine.world, "I9", "%s holds a peer's key that it was never given", h->machine.name);
	if (all->n == TUNNELS_MAX)
		abort();
	all->list[all->n] = (struct tunnel){ .has_prefix = false };
	memcpy(all->list[all->n].public_key, peer->public_key, WG_KEY_LEN);
	return &all->list[all->n++];
}

static void take_step(struct host *h, const struct wg_step *step)
{
	struct tunnel *t = find(&h->kernel.tunnels, step->peer->public_key);

	if (step->kind == WG_STEP_REMOVE) {
		if (t)
			remove_one(h, t);
		return;
	}
	if (!t)
		t = add_one(h, step->peer);
	if (step->kind == WG_STEP_ADD || step->set_preshared)
		memcpy(t->preshared_key, step->peer->has_preshared ? step->peer->preshared_key : (const uint8_t[WG_KEY_LEN]){ 0 }, WG_KEY_LEN);
	if (step->replace_allowed)
		t->has_prefix = false;
	for (size_t i = 0; i < step->peer->n_allowed; i++)
		give_prefix(&h->kernel.tunnels, t, &step->peer->allowed[i]);
}

/* A machine that is dying does half of it. */
static int sim_apply(void *ctx, const struct wg_step *steps, size_t n)
{
	struct host *h = ctx;

	for (size_t i = 0; i < n; i++) {
		if (disk_is_dead(h->machine.disk))
			return -EIO;
		take_step(h, &steps[i]);
	}
	return 0;
}

static int sim_dump(void *ctx, void (*each)(void *each_ctx, const struct wg_peer_status *status), void *each_ctx, struct wg_device *ret_device)
{
	const struct host *h = ctx;
	const struct tunnels *all = &h->kernel.tunnels;

	for (size_t i = 0; each && i < all->n; i++) {
		const struct tunnel *t = &all->list[i];
		struct wg_peer_status status = { .last_handshake_s = t->last_handshake_s,
						 .peer = { .allowed = &t->prefix, .n_allowed = t->has_prefix } };

		memcpy(status.peer.public_key, t->public_key, WG_KEY_LEN);
		memcpy(status.peer.preshared_key, t->preshared_key, WG_KEY_LEN);
		status.peer.has_preshared = memcmp(t->preshared_key, (const uint8_t[WG_KEY_LEN]){ 0 }, WG_KEY_LEN) != 0;
		each(each_ctx, &status);
	}
	if (ret_device)
		*ret_device = (struct wg_device){ 0 };
	return 0;
}

static int sim_set_device(void *ctx, const uint8_t private_key[WG_KEY_LEN], uint16_t listen_port)
{
	(void)ctx;
	(void)private_key;
	(void)listen_port;
	return 0;
}

static const struct wg_ops sim_wg = { .name = "simulated", .set_device = sim_set_device, .apply = sim_apply, .dump = sim_dump };

static bool answers(void *ctx)
{
	(void)ctx;
	return true;
}

/* ---- ways ---- */

static bool same_way(const struct plan_way *a, const struct plan_way *b)
{
	return a->kind == b->kind && a->dst_len == b->dst_len && !memcmp(&a->dst, &b->dst, sizeof a->dst);
}

static int remove_way(void *ctx, const struct plan_way *way)
{
	struct host *h = ctx;
	struct tunnels *t = &h->kernel.tunnels;
	size_t kept = 0;

	if (disk_is_dead(h->machine.disk))
		return -EIO;
	for (size_t i = 0; i < t->n_ways; i++)
		if (!same_way(&t->ways[i], way))
			t->ways[kept++] = t->ways[i];
	t->n_ways = kept;
	return 0;
}

static int add_way(void *ctx, const struct plan_way *way)
{
	struct host *h = ctx;
	struct tunnels *t = &h->kernel.tunnels;
	int e = remove_way(ctx, way);

	if (e == 0 && t->n_ways == WAYS_MAX)
		abort();
	if (e == 0)
		t->ways[t->n_ways++] = *way;
	return e;
}

static int list_ways(void *ctx, struct plan_way **ret_ways, size_t *ret_n)
{
	const struct tunnels *t = &((struct host *)ctx)->kernel.tunnels;

	*ret_ways = calloc(t->n_ways + 1, sizeof **ret_ways);
	if (!*ret_ways)
		return -ENOMEM;
	memcpy(*ret_ways, t->ways, t->n_ways * sizeof **ret_ways);
	*ret_n = t->n_ways;
	return 0;
}

static const struct ways_ops sim_ways = { .add = add_way, .remove = remove_way, .list = list_ways };

/* ---- the role ---- */

/* Somebody connects: what moves has arrived. */
static void tell_handshakes(const struct gateway *g)
{
	struct world *w = g->h->machine.world;
	struct tunnels *all = &g->h->kernel.tunnels;

	for (size_t i = 0; i < all->n; i++) {
		const struct peers_entry *e = peers_find(g->peers, all->list[i].public_key);
		struct role_peer_stats stats = { .last_handshake_ms = clock_real_ms(&g->env.clock), .rx_bytes = 100, .tx_bytes = 100 };

		if (!e || !world_chance(w, 300))
			continue;
		all->list[i].last_handshake_s = stats.last_handshake_ms / 1000;
		memcpy(stats.peer, e->id, sizeof stats.peer);
		g->env.ops->peer_stats(g->env.node, &stats, 1);
	}
}

static void gateway_sync(void *role, const struct role_desired *desired)
{
	struct gateway *g = role;

	peers_sync(g->peers, desired);
	if (!disk_is_dead(g->h->machine.disk))
		tell_handshakes(g);
}

static int gateway_start(const struct role_env *env, void **ret_role, struct why *why)
{
	struct gateway *g = calloc(1, sizeof *g);
	struct peers_parts parts = { .ways = &sim_ways, .answers = answers };
	int e;

	(void)why;
	if (!g)
		return -ENOMEM;
	*g = (struct gateway){ .env = *env, .h = container_of((struct node *)env->node, struct host, node) };
	g->wg = (struct wg){ &sim_wg, g->h };
	crypto_x25519_public(env->gateway_key, g->own_key);
	parts.env = &g->env;
	parts.wg = &g->wg;
	parts.own_key = g->own_key;
	parts.ways_ctx = parts.ctx = g->h;
	e = peers_new(&parts, &g->peers);
	if (e < 0) {
		free(g);
		return e;
	}
	*ret_role = g;
	return 0;
}

static void gateway_stop(void *role)
{
	struct gateway *g = role;

	g->peers = peers_free(g->peers);
	free(g);
}

static void gateway_wipe(void *role)
{
	(void)role;
}

const struct role_ops sim_gateway_role = { .name = "gateway", .bit = ROLE_GATEWAY, .start = gateway_start, .sync = gateway_sync,
					   .stop = gateway_stop, .wipe = gateway_wipe };

void tunnels_die(struct host *h)
{
	struct why why = { .text = "" };

	h->kernel.tunnels.n = 0;
	for (size_t i = 0; h->up && i < h->node.n_roles; i++)
		if (h->node.roles[i] == &sim_gateway_role && peers_replay(((struct gateway *)h->node.role_state[i])->peers, &why) != 0)
			world_note(h->machine.world, "%s cannot bring its peers back: %s", h->machine.name, why.text);
}
