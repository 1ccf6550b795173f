/* plan - see plan.h. */
#include "gateway/plan.h"

#include "lib/base/crypto.h"
#include "lib/base/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct wg_prefix plan_peer_prefix(const struct peer_record *peer)
{
	struct in6_addr first = addr_natural((struct addr_parts){
		.network = peer->network, .host = peer->home_gateway, .instance = peer->instance, .low = (uint16_t)(peer->slot << 8) });

	return wg_prefix_in6(&first, 120);
}

/* ---- ways ---- */

static bool may_speak(const struct role_peer *peer)
{
	return peer->has_key && !peer->suspended;
}

/* No padding that differs: it is a key of maps. */
static struct plan_way *put_way(struct plan_way *at, enum plan_way_kind kind, struct in6_addr dst, uint8_t dst_len)
{
	memset(at, 0, sizeof *at);
	at->kind = kind;
	at->dst = dst;
	at->dst_len = dst_len;
	return at + 1;
}

static int wanted_ways(const struct plan_input *in, struct plan_way **ret_ways, size_t *ret_n)
{
	struct plan_way *ways = calloc(2 * in->n_networks + in->n_peers + 1, sizeof *ways), *at = ways;

	if (!ways)
		return -ENOMEM;
	for (size_t i = 0; i < in->n_networks; i++) {
		at = put_way(at, PLAN_RESOLVER, addr_network_resolver(in->networks[i]), 128);
		at = put_way(at, PLAN_ROUTE, addr_network_host_prefix(in->networks[i], in->self), 80);
	}
	for (size_t i = 0; i < in->n_peers; i++) {
		const struct peer_record *peer = &in->peers[i].record;
		struct wg_prefix prefix = plan_peer_prefix(peer);
		struct in6_addr dst;

		if (!may_speak(&in->peers[i]) || peer->home_gateway == in->self || peer->gateway != in->self)
			continue;
		memcpy(&dst, prefix.addr, sizeof dst);
		at = put_way(at, PLAN_ROUTE, dst, prefix.len);
	}
	*ret_ways = ways;
	*ret_n = (size_t)(at - ways);
	return 0;
}

static int index_ways(const struct plan_way *ways, size_t n, struct map *ret_map)
{
	int e = 0;

	for (size_t i = 0; e == 0 && i < n; i++)
		e = map_set(ret_map, &ways[i], sizeof ways[i], (void *)(uintptr_t)&ways[i], NULL);
	return e;
}

/* Those that are not in the map, in a new array. */
static int pick_missing(const struct plan_way *ways, size_t n, const struct map *in, struct plan_way **ret_ways, size_t *ret_n)
{
	*ret_ways = calloc(n + 1, sizeof **ret_ways);
	if (!*ret_ways)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (!map_get(in, &ways[i], sizeof ways[i]))
			(*ret_ways)[(*ret_n)++] = ways[i];
	return 0;
}

static int diff_ways(const struct plan_input *in, struct plan *plan)
{
	struct plan_way *wanted = NULL, *there = calloc(in->n_ways + 1, sizeof *there);
	struct map by_wanted = { 0 }, by_there = { 0 };
	size_t n_wanted = 0;
	int e = there ? wanted_ways(in, &wanted, &n_wanted) : -ENOMEM;

	for (size_t i = 0; e == 0 && i < in->n_ways; i++)
		put_way(&there[i], in->ways[i].kind, in->ways[i].dst, in->ways[i].dst_len);
	if (e == 0)
		e = index_ways(wanted, n_wanted, &by_wanted);
	if (e == 0)
		e = index_ways(there, in->n_ways, &by_there);
	if (e == 0)
		e = pick_missing(wanted, n_wanted, &by_there, &plan->add, &plan->n_add);
	if (e == 0)
		e = pick_missing(there, in->n_ways, &by_wanted, &plan->remove, &plan->n_remove);
	map_deinit(&by_wanted);
	map_deinit(&by_there);
	free(wanted);
	free(there);
	return e;
}

/* ---- who owns what ---- */

struct claim {
	const struct role_peer *peer;
	struct wg_prefix prefix;
	bool incumbent; /* the device has this key with this prefix */
};

static int by_right(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;

	if (x->incumbent != y->incumbent)
		return x->incumbent ? -1 : 1;
	if (x->peer->v != y->peer->v)
		return x->peer->v < y->peer->v ? -1 : 1;
	return memcmp(x->peer->record.id, y->peer->record.id, sizeof x->peer->record.id);
}

static bool has_prefix(const struct wg_peer_status *status, const struct wg_prefix *prefix)
{
	for (size_t i = 0; status && i < status->peer.n_allowed; i++)
		if (wg_prefix_equal(&status->peer.allowed[i], prefix))
			return true;
	return false;
}

static int find_claims(const struct plan_input *in, struct claim **ret_claims, size_t *ret_n)
{
	struct claim *claims = calloc(in->n_peers + 1, sizeof *claims);
	struct map there = { 0 };
	int e = claims ? 0 : -ENOMEM;
	size_t n = 0;

	for (size_t i = 0; e == 0 && i < in->n_there; i++)
		e = map_set(&there, in->there[i].peer.public_key, WG_KEY_LEN, (void *)(uintptr_t)&in->there[i], NULL);
	for (size_t i = 0; e == 0 && i < in->n_peers; i++) {
		const struct role_peer *peer = &in->peers[i];

		if (!may_speak(peer))
			continue;
		claims[n] = (struct claim){ .peer = peer, .prefix = plan_peer_prefix(&peer->record) };
		claims[n].incumbent = has_prefix(map_get(&there, peer->key.public_key, WG_KEY_LEN), &claims[n].prefix);
		n++;
	}
	map_deinit(&there);
	if (e < 0) {
		free(claims);
		return e;
	}
	if (n)
		qsort(claims, n, sizeof *claims, by_right);
	*ret_claims = claims;
	*ret_n = n;
	return 0;
}

static void refuse(struct plan *plan, const struct claim *claim, const char *text, const struct role_peer *other)
{
	struct plan_refusal *refusal = &plan->refusals[plan->n_refusals++];
	char id[2 * sizeof other->record.id + 1] = "";

	refusal->peer = claim->peer;
	if (other)
		crypto_hex(other->record.id, sizeof other->record.id, id);
	snprintf(refusal->text, sizeof refusal->text, "%s%s", text, id);
}

static void grant(struct plan *plan, const struct claim *claim)
{
	struct wg_peer *out = &plan->wanted[plan->n_wanted];

	plan->prefixes[plan->n_wanted] = claim->prefix;
	*out = (struct wg_peer){ .allowed = &plan->prefixes[plan->n_wanted], .n_allowed = 1, .has_preshared = claim->peer->key.has_preshared_key };
	memcpy(out->public_key, claim->peer->key.public_key, WG_KEY_LEN);
	if (out->has_preshared)
		memcpy(out->preshared_key, claim->peer->key.preshared_key, WG_KEY_LEN);
	plan->owners[plan->n_wanted++] = claim->peer;
}

/* Zeros, and the key of the peer that wg_plan takes prefixes away with. The controller lets in none of low order. */
static bool can_be_nobodys(const uint8_t key[WG_KEY_LEN])
{
	static const uint8_t none[WG_KEY_LEN];
	struct wg_peer peer = { .n_allowed = 0 };

	memcpy(peer.public_key, key, WG_KEY_LEN);
	return !memcmp(key, none, WG_KEY_LEN) || wg_plan_is_nobody(&peer);
}

static int judge(const struct plan_input *in, const struct claim *claim, struct map *by_key, struct map *by_prefix, struct plan *plan)
{
	const uint8_t *key = claim->peer->key.public_key;
	const struct role_peer *other;
	int e;

	if (!memcmp(key, in->own_key, WG_KEY_LEN) || can_be_nobodys(key)) {
		refuse(plan, claim, "its public key is the gateway's own, or one that nobody can hold", NULL);
		return 0;
	}
	other = map_get(by_key, key, WG_KEY_LEN);
	if (other) {
		refuse(plan, claim, "its public key is that of another live peer: ", other);
		return 0;
	}
	other = map_get(by_prefix, &claim->prefix, sizeof claim->prefix);
	if (other) {
		refuse(plan, claim, "its addresses are those of another live peer: ", other);
		return 0;
	}
	e = map_set(by_key, key, WG_KEY_LEN, (void *)(uintptr_t)claim->peer, NULL);
	if (e == 0)
		e = map_set(by_prefix, &claim->prefix, sizeof claim->prefix, (void *)(uintptr_t)claim->peer, NULL);
	if (e == 0)
		grant(plan, claim);
	return e;
}

static int choose_owners(const struct plan_input *in, struct plan *plan)
{
	struct map by_key = { 0 }, by_prefix = { 0 };
	struct claim *claims = NULL;
	size_t n = 0;
	int e = find_claims(in, &claims, &n);

	if (e < 0)
		return e;
	plan->wanted = calloc(n + 1, sizeof *plan->wanted);
	plan->prefixes = calloc(n + 1, sizeof *plan->prefixes);
	plan->owners = calloc(n + 1, sizeof *plan->owners);
	plan->refusals = calloc(n + 1, sizeof *plan->refusals);
	if (!plan->wanted || !plan->prefixes || !plan->owners || !plan->refusals)
		e = -ENOMEM;
	for (size_t i = 0; e == 0 && i < n; i++)
		e = judge(in, &claims[i], &by_key, &by_prefix, plan);
	map_deinit(&by_key);
	map_deinit(&by_prefix);
	free(claims);
	return e;
}

int plan_make(const struct plan_input *in, struct plan *ret_plan)
{
	struct plan plan = { 0 };
	struct why why;
	int e = diff_ways(in, &plan);

	if (e == 0)
		e = choose_owners(in, &plan);
	if (e == 0)
		e = wg_plan_make(plan.wanted, plan.n_wanted, in->there, in->n_there, &plan.wg, &why);
	if (e) {
		plan_deinit(&plan);
		return e > 0 ? -EINVAL : e; /* the wanted set does not contradict itself: that was just seen to */
	}
	*ret_plan = plan;
	return 0;
}

int plan_make_ways(const struct plan_input *in, struct plan *ret_plan)
{
	struct plan plan = { 0 };
	int e = diff_ways(in, &plan);

	if (e < 0)
		plan_deinit(&plan);
	else
		*ret_plan = plan;
	return e;
}

void plan_deinit(struct plan *plan)
{
	wg_plan_deinit(&plan->wg);
	for (size_t i = 0; i < plan->n_wanted; i++)
		crypto_wipe(plan->wanted[i].preshared_key, WG_KEY_LEN);
	free(plan->add);
	free(plan->remove);
	free(plan->wanted);
	free(plan->owners);
	free(plan->prefixes);
	free(plan->refusals);
	*plan = (struct plan){ 0 };
}
