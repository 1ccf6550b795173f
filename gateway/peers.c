/* peers - see peers.h. */
#include "gateway/peers_internal.h"

#include "lib/base/crypto.h"
#include "lib/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


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

void peers_forget_have(struct peers *p)
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
	peers_forget_have(p);
	p->have = have;
	p->have_prefixes = prefixes;
	p->n_have = plan->n_wanted;
	return 0;
}

/* The device has what the plan wanted. */
void peers_settle(struct peers *p, const struct plan *plan, bool was_there)
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

struct plan_input peers_input_of(const struct peers *p)
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

int peers_change_ways(struct peers *p, const struct plan_way *ways, size_t n, int (*how)(void *ctx, const struct plan_way *way),
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

int peers_change_peers(struct peers *p, const struct plan *plan)
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
	int ways = peers_change_ways(p, plan->add, plan->n_add, p->parts.ways->add, REPAIR_KINDS), wg = peers_change_peers(p, plan), gone;

	if (wg == 0)
		peers_settle(p, plan, was_there);
	gone = peers_change_ways(p, plan->remove, plan->n_remove, p->parts.ways->remove, REPAIR_KINDS);
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
	struct plan_input in = peers_input_of(p);
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
	peers_forget_have(p);
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
		e = peers_change_ways(p, ways, n, p->parts.ways->remove, REPAIR_KINDS);
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

size_t peers_count(const struct peers *p)
{
	return p->entries.n;
}
