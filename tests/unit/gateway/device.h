/* device - a WireGuard device and the ways of a machine, in memory: the fakes behind wg_ops and ways_ops. It behaves as the real one does,
 * also where that is a trap (a prefix given to one peer leaves another silently), and watches that no trap is ever stepped into. */
#pragma once
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "gateway/peers.h"
#include "lib/base/crypto.h"
#include "lib/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SELF 0xa1230007u
#define OTHER_GATEWAY 0xa4560009u
#define NET_A 0x00020001u
#define NET_B 0x00020002u
#define DEVICE_MAX 64
#define WAYS_MAX 64

struct device {
	struct wg_peer_status peers[DEVICE_MAX];
	struct wg_prefix prefixes[DEVICE_MAX][DEVICE_MAX];
	size_t n;
	struct plan_way ways[WAYS_MAX];
	size_t n_ways;
	struct role_env env;
	struct role_node_ops ops;
	struct clock_virtual v;
	char steps[2048]; /* what was done, one character and a name each */
	int fail_after;   /* so many steps succeed, then -EIO; -1 = all */
	int dump_error;
	bool mute;        /* it does not answer */
	unsigned dumps, applies, errors, repairs, self_errors, stats;
	uint8_t error_of[8];
	char error[256], repaired[256];
	struct role_peer_stats told;
};

static uint8_t device_own_key[WG_KEY_LEN] = { 0xee };

static void device_note(struct device *d, const char *what)
{
	size_t at = strlen(d->steps);

	snprintf(d->steps + at, sizeof d->steps - at, "%s%s", at ? " " : "", what);
}

static struct wg_peer_status *device_find(struct device *d, const uint8_t key[WG_KEY_LEN])
{
	for (size_t i = 0; i < d->n; i++)
		if (!memcmp(d->peers[i].peer.public_key, key, WG_KEY_LEN))
			return &d->peers[i];
	return NULL;
}

static void device_drop(struct device *d, struct wg_peer_status *peer)
{
	size_t at = (size_t)(peer - d->peers);

	memmove(&d->peers[at], &d->peers[at + 1], (d->n - at - 1) * sizeof d->peers[0]);
	memmove(&d->prefixes[at], &d->prefixes[at + 1], (d->n - at - 1) * sizeof d->prefixes[0]);
	d->n--;
	for (size_t i = 0; i < d->n; i++)
		d->peers[i].peer.allowed = d->prefixes[i];
}

static struct wg_peer_status *device_add(struct device *d, const uint8_t key[WG_KEY_LEN])
{
	struct wg_peer_status *peer = &d->peers[d->n];

	assert_true(d->n < DEVICE_MAX);
	*peer = (struct wg_peer_status){ .peer.allowed = d->prefixes[d->n] };
	memcpy(peer->peer.public_key, key, WG_KEY_LEN);
	d->n++;
	return peer;
}

static void device_give(struct device *d, struct wg_peer_status *to, const struct wg_prefix *prefix)
{
	for (size_t i = 0; i < d->n; i++)
		for (size_t k = 0; k < d->peers[i].peer.n_allowed; k++)
			if (wg_prefix_equal(&d->prefixes[i][k], prefix)) { /* nobody has it when it is given, but to be taken away */
				assert_true(wg_plan_is_nobody(&to->peer));
				d->prefixes[i][k--] = d->prefixes[i][--d->peers[i].peer.n_allowed];
			}
	assert_true(to->peer.n_allowed < DEVICE_MAX);
	d->prefixes[to - d->peers][to->peer.n_allowed++] = *prefix;
}

static void device_step(struct device *d, const struct wg_step *step)
{
	struct wg_peer_status *peer = device_find(d, step->peer->public_key);
	char name[16];

	snprintf(name, sizeof name, "%c%02x", "-~+"[step->kind], step->peer->public_key[0]);
	device_note(d, name);
	if (step->kind == WG_STEP_REMOVE) {
		assert_non_null(peer);
		device_drop(d, peer);
		return;
	}
	assert_true((step->kind == WG_STEP_ADD) == !peer);
	if (!peer)
		peer = device_add(d, step->peer->public_key);
	if (step->set_endpoint)
		peer->peer.endpoint = step->peer->endpoint;
	if (step->set_keepalive)
		peer->peer.keepalive_s = step->peer->keepalive_s;
	if (step->set_preshared) {
		peer->peer.has_preshared = step->peer->has_preshared;
		memcpy(peer->peer.preshared_key, step->peer->preshared_key, WG_KEY_LEN);
	}
	if (step->replace_allowed)
		peer->peer.n_allowed = 0;
	for (size_t i = 0; i < step->peer->n_allowed; i++)
		device_give(d, peer, &step->peer->allowed[i]);
}

static void (*device_after_step)(struct device *d); /* a test looks at every moment */

static int device_apply(void *ctx, const struct wg_step *steps, size_t n)
{
	struct device *d = ctx;

	d->applies++;
	for (size_t i = 0; i < n; i++) {
		if (!d->fail_after)
			return -EIO;
		d->fail_after -= d->fail_after > 0;
		device_step(d, &steps[i]);
		if (device_after_step)
			device_after_step(d);
	}
	return 0;
}

static int device_dump(void *ctx, void (*each)(void *each_ctx, const struct wg_peer_status *status), void *each_ctx,
		       struct wg_device *ret_device)
{
	struct device *d = ctx;

	d->dumps++;
	if (d->dump_error)
		return d->dump_error;
	for (size_t i = 0; each && i < d->n; i++)
		each(each_ctx, &d->peers[i]);
	if (ret_device)
		*ret_device = (struct wg_device){ .has_key = true };
	return 0;
}

static const struct wg_ops device_wg_ops = { .name = "fake", .apply = device_apply, .dump = device_dump };

/* ---- ways ---- */

static void device_note_way(struct device *d, char what, const struct plan_way *way)
{
	char name[8];

	snprintf(name, sizeof name, "%c%c%x", what, way->kind == PLAN_ROUTE ? 'r' : 'l', way->dst.s6_addr[5]);
	device_note(d, name);
}

static int device_way_at(struct device *d, const struct plan_way *way)
{
	for (size_t i = 0; i < d->n_ways; i++)
		if (d->ways[i].kind == way->kind && d->ways[i].dst_len == way->dst_len && !memcmp(&d->ways[i].dst, &way->dst, 16))
			return (int)i;
	return -1;
}

static int device_add_way(void *ctx, const struct plan_way *way)
{
	struct device *d = ctx;

	device_note_way(d, '>', way);
	if (device_way_at(d, way) < 0)
		d->ways[d->n_ways++] = *way;
	return 0;
}

static int device_remove_way(void *ctx, const struct plan_way *way)
{
	struct device *d = ctx;
	int at = device_way_at(d, way);

	device_note_way(d, '<', way);
	assert_true(at >= 0);
	d->ways[at] = d->ways[--d->n_ways];
	return 0;
}

static int device_list_ways(void *ctx, struct plan_way **ret_ways, size_t *ret_n)
{
	struct device *d = ctx;

	*ret_ways = calloc(d->n_ways + 1, sizeof **ret_ways);
	memcpy(*ret_ways, d->ways, d->n_ways * sizeof **ret_ways);
	*ret_n = d->n_ways;
	return 0;
}

static const struct ways_ops device_ways_ops = { .add = device_add_way, .remove = device_remove_way, .list = device_list_ways };

/* ---- the node ---- */

static void device_peer_error(void *node, uint32_t kind, const uint8_t peer[8], uint64_t v, const char *text)
{
	struct device *d = node;

	(void)kind;
	(void)v;
	d->errors++;
	memcpy(d->error_of, peer, 8);
	snprintf(d->error, sizeof d->error, "%s", text);
}

static void device_self_error(void *node, const char *text)
{
	struct device *d = node;

	d->self_errors++;
	snprintf(d->error, sizeof d->error, "%s", text);
}

static const char *device_repair_name(enum repair kind)
{
	static const char *const names[] = {
#define DEVICE_REPAIR(NAME, name) [REPAIR_##NAME] = name,
		REPAIRS(DEVICE_REPAIR)
#undef DEVICE_REPAIR
	};

	return names[kind];
}

static void device_repaired(void *node, enum repair kind, const char *object, int error)
{
	struct device *d = node;

	(void)error;
	d->repairs++;
	snprintf(d->repaired, sizeof d->repaired, "%s: %s", device_repair_name(kind), object);
}

static inline void device_stats(void *ctx, const struct role_peer_stats *told, size_t n)
{
	struct device *d = ctx;

	d->stats += (unsigned)n;
	d->told = told[n - 1];
}

static bool device_answers(void *ctx)
{
	return !((struct device *)ctx)->mute;
}

static struct device *device_new(void)
{
	struct device *d = calloc(1, sizeof *d);

	d->fail_after = -1;
	d->v = (struct clock_virtual){ .now_ms = 1000, .real_offset_ms = 1700000000000, .seed = 1 };
	d->ops = (struct role_node_ops){ .peer_error = device_peer_error, .self_error = device_self_error, .repaired = device_repaired };
	d->env = (struct role_env){ .host = SELF, .clock = clock_virtual(&d->v), .ops = &d->ops, .node = d };
	device_after_step = NULL;
	return d;
}

static inline struct peers *device_peers(struct device *d)
{
	static struct wg wg;
	struct peers_parts parts = { .env = &d->env, .wg = &wg, .own_key = device_own_key, .ways = &device_ways_ops, .ways_ctx = d,
				     .answers = device_answers, .ctx = d };
	struct peers *peers;

	wg = (struct wg){ .ops = &device_wg_ops, .ctx = d };
	assert_int_equal(peers_new(&parts, &peers), 0);
	return peers;
}

/* ---- records ---- */

static struct role_peer peer_of(uint32_t network, unsigned number, uint8_t key)
{
	struct role_peer p = { .record = { .network = network, .gateway = SELF, .home_gateway = SELF, .instance = 0x0a, .slot = number },
			       .v = number, .key_v = number, .has_key = true, .key = { .public_key = { key } } };

	p.record.id[7] = (uint8_t)number;
	p.record.id[3] = (uint8_t)network;
	memcpy(p.key.peer, p.record.id, 8);
	return p;
}
