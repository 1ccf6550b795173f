/* rules - see rules.h. */
#include "node/rules.h"

#include "node/presence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare_pairs(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct bpf_rule_pair)); /* has no padding: two words and two ids */
}

static int compare_members(const void *a, const void *b)
{
	return memcmp(&((const struct rule_member *)a)->prefix, &((const struct rule_member *)b)->prefix, sizeof(struct in6_addr));
}

struct gather {
	const struct replica *replica;
	struct rule_record *rules; /* of networks that are not suspended, by network */
	size_t n_rules;
	struct rules out; /* room for all that can be */
};

static int by_network(const void *a, const void *b)
{
	uint32_t x = ((const struct rule_record *)a)->network, y = ((const struct rule_record *)b)->network;

	return (x > y) - (x < y);
}

static int add_rule(void *ctx, const struct record *record)
{
	struct gather *g = ctx;
	struct rule_record *r = &g->rules[g->n_rules];
	struct bpf_rule_pair *pair = &g->out.pairs[g->out.n_pairs];

	if (rule_decode(record, r, NULL) != 0 || presence_suspended(g->replica, r->network))
		return 0;
	g->n_rules++;
	g->out.n_pairs++;
	*pair = (struct bpf_rule_pair){ .from_network = r->outgoing ? r->network : r->far_network,
					.to_network = r->outgoing ? r->far_network : r->network };
	memcpy(pair->from_app, r->outgoing ? r->app : r->far_app, sizeof pair->from_app);
	memcpy(pair->to_app, r->outgoing ? r->far_app : r->app, sizeof pair->to_app);
	return 0;
}

static void add_member(struct gather *g, struct in6_addr address, const uint8_t app[RECORD_APP_ID_LEN])
{
	struct rule_member *m = &g->out.members[g->out.n_members++];

	m->prefix = addr_sender(&address);
	memcpy(m->app, app, sizeof m->app);
}

/* The first rule of the network; n_rules = it has none. */
static size_t first_of(const struct gather *g, uint32_t network)
{
	size_t low = 0, high = g->n_rules;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (g->rules[middle].network < network)
			low = middle + 1;
		else
			high = middle;
	}
	return low < g->n_rules && g->rules[low].network == network ? low : g->n_rules;
}

static int add_own(void *ctx, const struct record *record)
{
	struct gather *g = ctx;
	struct instance_record i;
	size_t at = first_of(g, record->network);

	if (at == g->n_rules || instance_decode(record, &i, NULL) != 0)
		return 0;
	for (; at < g->n_rules && g->rules[at].network == i.network; at++)
		if (g->rules[at].every_app || !memcmp(g->rules[at].app, i.app, sizeof i.app)) {
			add_member(g, instance_address(&i), i.app);
			break;
		}
	return 0;
}

/* Only with its rule, which says where it belongs. */
static int add_far(void *ctx, const struct record *record)
{
	struct gather *g = ctx;
	struct far_instance_record i;

	if (far_instance_decode(record, &i, NULL) != 0)
		return 0;
	for (size_t at = first_of(g, i.network); at < g->n_rules && g->rules[at].network == i.network; at++) {
		const struct rule_record *r = &g->rules[at];

		if (!memcmp(r->id, i.rule, sizeof r->id) && r->far_network == i.far_network &&
		    (r->every_far_app || !memcmp(r->far_app, i.far_app, sizeof i.far_app))) {
			add_member(g, far_instance_address(&i), i.far_app);
			break;
		}
	}
	return 0;
}

static size_t keep_each_once(void *items, size_t n, size_t size, int (*compare)(const void *a, const void *b))
{
	uint8_t *at = items;
	size_t kept = 0;

	if (n)
		qsort(items, n, size, compare);
	for (size_t i = 0; i < n; i++)
		if (!kept || compare(at + (kept - 1) * size, at + i * size))
			memmove(at + kept++ * size, at + i * size, size);
	return kept;
}

int rules_wanted(const struct replica *replica, struct rules *ret_rules)
{
	size_t n_rules = replica->n_by_kind[RECORD_RULE];
	size_t n_members = replica->n_by_kind[RECORD_INSTANCE] + replica->n_by_kind[RECORD_FAR_INSTANCE];
	struct gather g = { .replica = replica };

	*ret_rules = (struct rules){ 0 };
	if (!n_rules)
		return 0;
	g.rules = calloc(n_rules, sizeof *g.rules);
	g.out.pairs = calloc(n_rules, sizeof *g.out.pairs);
	g.out.members = calloc(n_members + 1, sizeof *g.out.members);
	if (!g.rules || !g.out.pairs || !g.out.members) {
		free(g.rules);
		rules_deinit(&g.out);
		return -ENOMEM;
	}
	replica_each(replica, RECORD_RULE, add_rule, &g);
	if (g.n_rules)
		qsort(g.rules, g.n_rules, sizeof *g.rules, by_network);
	replica_each(replica, RECORD_INSTANCE, add_own, &g);
	replica_each(replica, RECORD_FAR_INSTANCE, add_far, &g);
	free(g.rules);
	g.out.n_pairs = keep_each_once(g.out.pairs, g.out.n_pairs, sizeof *g.out.pairs, compare_pairs);
	g.out.n_members = keep_each_once(g.out.members, g.out.n_members, sizeof *g.out.members, compare_members);
	*ret_rules = g.out;
	return 0;
}

void rules_deinit(struct rules *r)
{
	free(r->pairs);
	free(r->members);
	*r = (struct rules){ 0 };
}

bool rules_equal(const struct rules *a, const struct rules *b)
{
	if (a->n_pairs != b->n_pairs || a->n_members != b->n_members)
		return false;
	return (!a->n_pairs || !memcmp(a->pairs, b->pairs, a->n_pairs * sizeof *a->pairs)) &&
	       (!a->n_members || !memcmp(a->members, b->members, a->n_members * sizeof *a->members));
}

/* ---- maps ---- */

int rules_add(struct bpf_datapath *datapath, const struct rules *wanted)
{
	int first = 0;

	for (size_t i = 0; i < wanted->n_members; i++) {
		int e = bpf_rule_member_set(datapath, wanted->members[i].prefix.s6_addr, wanted->members[i].app);

		first = first ? first : e;
	}
	for (size_t i = 0; i < wanted->n_pairs; i++) {
		int e = bpf_rule_pair_set(datapath, &wanted->pairs[i]);

		first = first ? first : e;
	}
	return first;
}

/* A walk of the maps: without a sink it removes, with one it also tells and notes what it has seen. */
struct walk {
	struct bpf_datapath *datapath;
	const struct rules *wanted;
	const struct repair_sink *sink;
	bool *seen_pairs, *seen_members;
};

static void tell_pair(const struct walk *w, const struct bpf_rule_pair *pair, const char *what, int error)
{
	char object[96];

	snprintf(object, sizeof object, "network %08x to network %08x %s", pair->from_network, pair->to_network, what);
	w->sink->repaired(w->sink->ctx, REPAIR_PEERING_RULE, object, error);
}

static void tell_member(const struct walk *w, const uint8_t prefix[16], const char *what, int error)
{
	char object[128], text[ADDR_TEXT_LEN];
	struct in6_addr a;

	memcpy(&a, prefix, sizeof a);
	snprintf(object, sizeof object, "%s %s", addr_text(&a, text), what);
	w->sink->repaired(w->sink->ctx, REPAIR_PEERING_RULE, object, error);
}

static int see_pair(void *ctx, const struct bpf_rule_pair *pair)
{
	struct walk *w = ctx;
	const struct bpf_rule_pair *found =
		w->wanted->n_pairs ? bsearch(pair, w->wanted->pairs, w->wanted->n_pairs, sizeof *pair, compare_pairs) : NULL;
	int e;

	if (found) {
		if (w->seen_pairs)
			w->seen_pairs[found - w->wanted->pairs] = true;
		return 0;
	}
	e = bpf_rule_pair_remove(w->datapath, pair);
	if (!w->sink)
		return e;
	tell_pair(w, pair, "was let and no rule says so", e);
	return 0;
}

static int see_member(void *ctx, const uint8_t address[16], const uint8_t app[8])
{
	struct walk *w = ctx;
	struct rule_member key = { 0 };
	const struct rule_member *found;
	int e;

	memcpy(&key.prefix, address, sizeof key.prefix);
	found = w->wanted->n_members ? bsearch(&key, w->wanted->members, w->wanted->n_members, sizeof key, compare_members) : NULL;
	if (!found) {
		e = bpf_rule_member_remove(w->datapath, address);
		if (!w->sink)
			return e;
		tell_member(w, address, "has no part in a rule and had an entry", e);
		return 0;
	}
	if (w->seen_members)
		w->seen_members[found - w->wanted->members] = true;
	if (w->sink && memcmp(found->app, app, sizeof found->app))
		tell_member(w, address, "had another app", bpf_rule_member_set(w->datapath, address, found->app));
	return 0;
}

int rules_remove(struct bpf_datapath *datapath, const struct rules *wanted)
{
	struct walk w = { .datapath = datapath, .wanted = wanted };
	int e = bpf_rule_pair_list(datapath, see_pair, &w), member = bpf_rule_member_list(datapath, see_member, &w);

	return e ? e : member;
}

int rules_repair(struct bpf_datapath *datapath, const struct rules *wanted, const struct repair_sink *sink)
{
	struct walk w = { .datapath = datapath, .wanted = wanted, .sink = sink, .seen_pairs = calloc(wanted->n_pairs + 1, 1),
			  .seen_members = calloc(wanted->n_members + 1, 1) };
	int e = w.seen_pairs && w.seen_members ? bpf_rule_pair_list(datapath, see_pair, &w) : -ENOMEM;

	if (e == 0)
		e = bpf_rule_member_list(datapath, see_member, &w);
	for (size_t i = 0; e == 0 && i < wanted->n_members; i++)
		if (!w.seen_members[i])
			tell_member(&w, wanted->members[i].prefix.s6_addr, "was missing",
				    bpf_rule_member_set(datapath, wanted->members[i].prefix.s6_addr, wanted->members[i].app));
	for (size_t i = 0; e == 0 && i < wanted->n_pairs; i++)
		if (!w.seen_pairs[i])
			tell_pair(&w, &wanted->pairs[i], "was missing", bpf_rule_pair_set(datapath, &wanted->pairs[i]));
	free(w.seen_pairs);
	free(w.seen_members);
	return e;
}
