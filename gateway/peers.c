/* peers - see peers.h. */
#include "gateway/peers.h"

#include "lib/base/crypto.h"
#include "lib/base/log.h"
#include "lib/base/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AREA "gateway"
#define FRESH_S 180 /* WireGuard's own: a session is used no longer than that */

struct entry {
	uint8_t key[WG_KEY_LEN];
	struct peers_entry of;
};

struct refusal {
	uint8_t id[8];
	uint64_t v;
	char text[160];
};

struct peers {
	struct peers_parts parts;
	struct role_peer *desired; /* of the last sync, deep */
	size_t n_desired;
	uint32_t *networks;
	size_t n_networks;
	uint64_t stamp;
	bool asked; /* there was a sync */
	bool clean; /* and everything of it is done */
	bool behind; /* the last replay was left half-done */
	/* What the device has. Not known before the first look, and after a set that failed half-way. */
	bool known;
	struct wg_peer_status *have;
	struct wg_prefix *have_prefixes;
	size_t n_have;
	struct map entries; /* key -> struct entry */
	struct refusal *refusals;
	size_t n_refusals;
	uint64_t changes;
	struct histogram installs;
};

/* ---- what is kept ---- */

static void free_desired(struct peers *p)
{
	if (p->desired)
		crypto_wipe(p->desired, p->n_desired * sizeof *p->desired);
	free(p->desired);
	free(p->networks);
	p->desired = NULL;
	p->networks = NULL;
	p->n_desired = p->n_networks = 0;
}

static void free_have(struct peers *p)
{
	if (p->have)
		crypto_wipe(p->have, p->n_have * sizeof *p->have);
	free(p->have);
	free(p->have_prefixes);
	p->have = NULL;
	p->have_prefixes = NULL;
	p->n_have = 0;
}

static int keep_desired(struct peers *p, const struct role_desired *desired)
{
	struct role_peer *peers = calloc(desired->n_peers + 1, sizeof *peers);
	uint32_t *networks = calloc(desired->n_networks + 1, sizeof *networks);

	if (!peers || !networks) {
		free(peers);
		free(networks);
		return -ENOMEM;
	}
	if (desired->n_peers)
		memcpy(peers, desired->peers, desired->n_peers * sizeof *peers);
	if (desired->n_networks)
		memcpy(networks, desired->networks, desired->n_networks * sizeof *networks);
	free_desired(p);
	p->desired = peers;
	p->n_desired = desired->n_peers;
	p->networks = networks;
	p->n_networks = desired->n_networks;
	return 0;
}

static struct entry *take_entry(struct peers *p, const uint8_t key[WG_KEY_LEN], bool was_there)
{
	struct entry *e = map_remove(&p->entries, key, WG_KEY_LEN);

	if (e)
		return e;
	e = calloc(1, sizeof *e);
	if (!e)
		return NULL;
	memcpy(e->key, key, WG_KEY_LEN);
	e->of.wanted_ms = was_there ? 0 : clock_mono_ms(&p->parts.env->clock);
	return e;
}

static void free_entries(struct map *entries)
{
	struct entry *e;

	for (size_t i = 0; (e = map_next(entries, &i));)
		free(e);
	map_deinit(entries);
}

/* One entry per peer of the plan: those that were there keep what is known of them. */
static int keep_entries(struct peers *p, const struct plan *plan, bool was_there)
{
	struct map entries = { 0 };
	int e = 0;

	for (size_t i = 0; e == 0 && i < plan->n_wanted; i++) {
		struct entry *entry = take_entry(p, plan->wanted[i].public_key, was_there);

		if (!entry) {
			e = -ENOMEM;
			break;
		}
		memcpy(entry->of.id, plan->owners[i]->record.id, sizeof entry->of.id);
		entry->of.v = plan->owners[i]->v;
		e = map_set(&entries, entry->key, WG_KEY_LEN, entry, NULL);
		if (e < 0)
			free(entry);
	}
	free_entries(&p->entries); /* of those who are gone; without memory some lose what was seen of them */
	p->entries = entries;
	return e;
}

static int keep_have(struct peers *p, const struct plan *plan)
{
	struct wg_peer_status *have = calloc(plan->n_wanted + 1, sizeof *have);
	struct wg_prefix *prefixes = calloc(plan->n_wanted + 1, sizeof *prefixes);

	if (!have || !prefixes) {
		free(have);
		free(prefixes);
		return -ENOMEM;
	}
	for (size_t i = 0; i < plan->n_wanted; i++) {
		prefixes[i] = plan->prefixes[i];
		have[i].peer = plan->wanted[i];
		have[i].peer.allowed = &prefixes[i];
	}
	free_have(p);
	p->have = have;
	p->have_prefixes = prefixes;
	p->n_have = plan->n_wanted;
	return 0;
}

/* The device has what the plan wanted. */
static void settle(struct peers *p, const struct plan *plan, bool was_there)
{
	p->known = keep_have(p, plan) == 0;
	if (keep_entries(p, plan, was_there) < 0)
		log_err(AREA, "no memory: some peers are missing in what is told of them");
}

/* ---- errors ---- */

static void keep_refusals(struct peers *p, const struct plan *plan)
{
	free(p->refusals);
	p->n_refusals = 0;
	p->refusals = calloc(plan->n_refusals + 1, sizeof *p->refusals);
	for (size_t i = 0; p->refusals && i < plan->n_refusals; i++) {
		struct refusal *out = &p->refusals[p->n_refusals++];

		memcpy(out->id, plan->refusals[i].peer->record.id, sizeof out->id);
		out->v = plan->refusals[i].peer->v;
		snprintf(out->text, sizeof out->text, "%s", plan->refusals[i].text);
	}
}

static void tell_refusals(const struct peers *p)
{
	const struct role_env *env = p->parts.env;

	for (size_t i = 0; i < p->n_refusals; i++)
		env->ops->peer_error(env->node, RECORD_PEER, p->refusals[i].id, p->refusals[i].v, p->refusals[i].text);
}

static void tell_self(const struct peers *p, const char *what, int error)
{
	const struct role_env *env = p->parts.env;
	char text[192];

	snprintf(text, sizeof text, "gateway: %s: %s", what, strerror(-error));
	env->ops->self_error(env->node, text);
}

/* ---- bringing the machine there ---- */

static struct plan_input input_of(const struct peers *p)
{
	return (struct plan_input){ .self = p->parts.env->host,
				    .own_key = p->parts.own_key,
				    .peers = p->desired,
				    .n_peers = p->n_desired,
				    .networks = p->networks,
				    .n_networks = p->n_networks,
				    .there = p->have,
				    .n_there = p->n_have };
}

static int change_ways(struct peers *p, const struct plan_way *ways, size_t n, int (*how)(void *ctx, const struct plan_way *way),
		       enum repair told)
{
	const struct role_env *env = p->parts.env;
	char text[WAY_TEXT_LEN], object[WAY_TEXT_LEN + 32];
	int first = 0;

	for (size_t i = 0; i < n; i++) {
		int e = how(p->parts.ways_ctx, &ways[i]);

		if (e < 0)
			log_err(AREA, "%s cannot be %s: %s", way_text(&ways[i], text), how == p->parts.ways->add ? "added" : "removed", strerror(-e));
		if (told != REPAIR_KINDS) {
			snprintf(object, sizeof object, "%s, which %s", way_text(&ways[i], text),
				 how == p->parts.ways->add ? "was gone" : "is nobody's");
			env->ops->repaired(env->node, ways[i].kind == PLAN_ROUTE ? REPAIR_PEERS_ROUTE : REPAIR_PEERS_RESOLVER, object, e);
		}
		first = first ? first : e;
	}
	return first;
}

static int change_peers(struct peers *p, const struct plan *plan)
{
	const struct clock *clock = &p->parts.env->clock;
	uint64_t before = clock_mono_us(clock);
	int e;

	if (!plan->wg.n)
		return 0;
	p->changes++;
	p->known = false; /* until all of it is done */
	e = wg_apply(p->parts.wg, plan->wg.steps, plan->wg.n);
	histogram_add(&p->installs, clock_mono_us(clock) - before);
	if (e == 0)
		log_info(AREA, "%zu peers, %zu changes", plan->n_wanted, plan->wg.n);
	return e;
}

/* The whole plan, in its order. What fails is told, what does not depend on it goes on. */
static int carry_out(struct peers *p, const struct plan *plan, bool was_there)
{
	int ways = change_ways(p, plan->add, plan->n_add, p->parts.ways->add, REPAIR_KINDS), wg = change_peers(p, plan), gone;

	if (wg == 0)
		settle(p, plan, was_there);
	gone = change_ways(p, plan->remove, plan->n_remove, p->parts.ways->remove, REPAIR_KINDS);
	return wg ? wg : ways ? ways : gone;
}

/* A device that some earlier daemon filled, or that did half of what it was told, is looked at first. */
static int look(struct peers *p, struct wg_observed *ret_observed)
{
	if (!p->parts.answers(p->parts.ctx))
		return -EAGAIN;
	return p->known ? 0 : wg_observe(p->parts.wg, ret_observed);
}

static int bring(struct peers *p)
{
	struct plan_input in = input_of(p);
	struct wg_observed observed = { 0 };
	struct plan_way *ways = NULL;
	bool first = !p->known && !p->changes;
	struct plan plan = { 0 };
	int e = look(p, &observed);

	if (e == 0 && !p->known) {
		in.there = observed.peers;
		in.n_there = observed.n;
	}
	if (e == 0)
		e = p->parts.ways->list(p->parts.ways_ctx, &ways, &in.n_ways);
	in.ways = ways;
	if (e == 0)
		e = plan_make(&in, &plan);
	if (e == 0) {
		keep_refusals(p, &plan);
		e = carry_out(p, &plan, first);
	}
	p->behind = p->behind && e < 0;
	plan_deinit(&plan);
	wg_observed_deinit(&observed);
	free(ways);
	return e;
}

void peers_sync(struct peers *p, const struct role_desired *desired)
{
	int e = 0;

	if (!p->clean || p->behind || desired->peers_stamp != p->stamp) {
		e = keep_desired(p, desired);
		p->asked = p->asked || e == 0;
		p->stamp = desired->peers_stamp;
		if (e == 0)
			e = bring(p);
		p->clean = e == 0;
	}
	if (e < 0)
		tell_self(p, "peers", e);
	tell_refusals(p);
}

/* ---- back again ---- */

static bool is_live(const struct peers_entry *e, uint64_t now_s)
{
	return e && e->is_seen && e->seen.peer.endpoint.ss_family && e->seen.last_handshake_s + FRESH_S > now_s;
}

static size_t return_endpoints(struct peers *p, struct plan *plan, struct wg_peer *ret_live)
{
	uint64_t now_s = clock_real_ms(&p->parts.env->clock) / 1000;
	size_t n = 0;

	for (size_t i = 0; i < plan->wg.n; i++) {
		struct wg_peer *peer = &plan->wg.peers[i]; /* of step i */
		const struct peers_entry *e = peers_find(p, peer->public_key);

		if (plan->wg.steps[i].kind != WG_STEP_ADD || !is_live(e, now_s))
			continue;
		peer->endpoint = e->seen.peer.endpoint;
		plan->wg.steps[i].set_endpoint = true;
		ret_live[n++] = *peer;
	}
	return n;
}

/* The peers of the plan; those who lost their entry while they were connected are found and greeted. */
static int bring_back(struct peers *p, struct plan *plan)
{
	CLEAN_FREE struct wg_peer *live = calloc(plan->wg.n + 1, sizeof *live);
	size_t n;
	int e;

	if (!live)
		return -ENOMEM;
	n = return_endpoints(p, plan, live);
	e = change_peers(p, plan);
	if (e == 0) {
		settle(p, plan, true);
		e = wg_greet(p->parts.wg, live, n);
	}
	crypto_wipe(live, n * sizeof *live);
	return e;
}

void peers_greet(struct peers *p)
{
	uint64_t now_s = clock_real_ms(&p->parts.env->clock) / 1000;
	CLEAN_FREE struct wg_peer *live = calloc(p->n_have + 1, sizeof *live);
	size_t n = 0;
	int e;

	for (size_t i = 0; live && i < p->n_have; i++) {
		const struct peers_entry *entry = peers_find(p, p->have[i].peer.public_key);

		if (!is_live(entry, now_s))
			continue;
		memcpy(live[n].public_key, p->have[i].peer.public_key, WG_KEY_LEN);
		live[n++].endpoint = entry->seen.peer.endpoint;
	}
	e = live ? wg_greet(p->parts.wg, live, n) : -ENOMEM;
	if (e < 0)
		log_warn(AREA, "who was connected has to find out by himself that his session is gone: %s", strerror(-e));
}

int peers_replay(struct peers *p, struct why *why)
{
	struct plan_input in = input_of(p);
	struct plan plan = { 0 };
	/* what the try before left may be somebody who is gone meanwhile, and was not greeted */
	int e = p->behind ? wg_reconcile(p->parts.wg, NULL, 0, NULL, why) : 0;

	free_have(p);
	p->known = e == 0; /* that it knows nobody */
	if (e || !p->asked)
		return e;
	in.there = NULL;
	in.n_there = 0;
	e = plan_make(&in, &plan);
	if (e == 0)
		e = change_ways(p, plan.add, plan.n_add, p->parts.ways->add, REPAIR_KINDS);
	if (e == 0)
		e = bring_back(p, &plan);
	plan_deinit(&plan);
	p->behind = e < 0;
	return e;
}

/* ---- drift ---- */

static void tell_steps(const struct peers *p, const struct plan *plan, int error)
{
	static const char *const words[] = { [WG_STEP_REMOVE] = "is nobody's", [WG_STEP_UPDATE] = "was changed", [WG_STEP_ADD] = "was missing" };
	const struct role_env *env = p->parts.env;

	for (size_t i = 0; i < plan->wg.n; i++) {
		const struct peers_entry *e = peers_find(p, plan->wg.steps[i].peer->public_key);
		char object[128], key[CRYPTO_BASE64_KEY_LEN + 1], id[17] = "";

		if (wg_plan_is_nobody(plan->wg.steps[i].peer)) { /* told once: by what it takes */
			if (plan->wg.steps[i].kind == WG_STEP_ADD)
				env->ops->repaired(env->node, REPAIR_PEER, wg_plan_nobody_text(plan->wg.steps[i].peer, object, sizeof object), error);
			continue;
		}
		crypto_base64(plan->wg.steps[i].peer->public_key, WG_KEY_LEN, key);
		if (e)
			crypto_hex(e->id, sizeof e->id, id);
		snprintf(object, sizeof object, "peer %s%s%s %s", id, e ? ", " : "", key, words[plan->wg.steps[i].kind]);
		env->ops->repaired(env->node, REPAIR_PEER, object, error);
	}
}

void peers_compare(struct peers *p, const struct wg_observed *observed)
{
	struct plan_input in = input_of(p);
	bool tell = p->known && p->clean && !p->behind; /* else it is our own work that was left half-done */
	struct plan plan = { 0 };
	int e;

	if (!p->asked)
		return;
	in.there = observed->peers;
	in.n_there = observed->n;
	e = plan_make(&in, &plan);
	if (e == 0 && plan.wg.n) {
		e = bring_back(p, &plan);
		if (tell)
			tell_steps(p, &plan, e);
	} else if (e == 0 && !p->known) {
		settle(p, &plan, true);
	}
	plan_deinit(&plan);
	if (e < 0)
		log_limited(LOG_L_ERR, AREA, "peers cannot be compared: %s", strerror(-e));
}

static int put_ways_right(struct peers *p, enum repair told)
{
	struct plan_input in = input_of(p);
	struct plan_way *ways = NULL;
	struct plan plan = { 0 };
	int e = p->parts.ways->list(p->parts.ways_ctx, &ways, &in.n_ways), gone;

	in.ways = ways;
	if (e == 0)
		e = plan_make_ways(&in, &plan);
	if (e == 0) {
		e = change_ways(p, plan.add, plan.n_add, p->parts.ways->add, told);
		gone = change_ways(p, plan.remove, plan.n_remove, p->parts.ways->remove, told);
		e = e ? e : gone;
	}
	plan_deinit(&plan);
	free(ways);
	return e;
}

void peers_compare_ways(struct peers *p)
{
	int e = p->asked && p->clean ? put_ways_right(p, REPAIR_PEERS_ROUTE) : 0;

	if (e < 0)
		log_limited(LOG_L_ERR, AREA, "ways cannot all be put right: %s", strerror(-e));
}

int peers_lay_ways(struct peers *p)
{
	return p->asked ? put_ways_right(p, REPAIR_KINDS) : 0;
}

/* ---- life ---- */

int peers_new(const struct peers_parts *parts, struct peers **ret_peers)
{
	struct peers *p = calloc(1, sizeof *p);

	if (!p)
		return -ENOMEM;
	p->parts = *parts;
	*ret_peers = p;
	return 0;
}

struct peers *peers_free(struct peers *p)
{
	if (!p)
		return NULL;
	free_desired(p);
	free_have(p);
	free_entries(&p->entries);
	free(p->refusals);
	free(p);
	return NULL;
}

void peers_wipe(struct peers *p)
{
	struct plan_way *ways = NULL;
	size_t n = 0;
	int e = p->parts.ways->list(p->parts.ways_ctx, &ways, &n);

	if (e == 0)
		e = change_ways(p, ways, n, p->parts.ways->remove, REPAIR_KINDS);
	if (e < 0)
		log_err(AREA, "not all ways are gone: %s", strerror(-e));
	free(ways);
}

uint64_t peers_changes(const struct peers *p)
{
	return p->changes;
}

const struct histogram *peers_installs(const struct peers *p)
{
	return &p->installs;
}

struct peers_entry *peers_find(const struct peers *p, const uint8_t public_key[WG_KEY_LEN])
{
	struct entry *e = map_get(&p->entries, public_key, WG_KEY_LEN);

	return e ? &e->of : NULL;
}

struct peers_entry *peers_next(const struct peers *p, size_t *at)
{
	struct entry *e = map_next(&p->entries, at);

	return e ? &e->of : NULL;
}

size_t peers_count(const struct peers *p)
{
	return p->entries.n;
}
