/* presence - see presence.h. */
#include "node/presence.h"

#include "lib/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
	const struct presence_pair *x = a, *y = b;

	if (x->network != y->network)
		return x->network < y->network ? -1 : 1;
	return x->host < y->host ? -1 : x->host > y->host;
}

struct gather {
	const struct replica *replica;
	struct presence_pair *pairs;
	size_t n, cap;
};

static int add_pair(struct gather *g, uint32_t network, uint32_t host)
{
	if (g->n == g->cap) {
		size_t cap = g->cap ? 2 * g->cap : 64;
		struct presence_pair *bigger = realloc(g->pairs, cap * sizeof *bigger);

		if (!bigger)
			return -ENOMEM;
		g->pairs = bigger;
		g->cap = cap;
	}
	g->pairs[g->n++] = (struct presence_pair){ network, host };
	return 0;
}

bool presence_suspended(const struct replica *replica, uint32_t network)
{
	struct network_record n;
	uint8_t key[4];
	const struct record *record;

	put_u32(key, network);
	record = replica_find(replica, RECORD_NETWORK, key, sizeof key);
	return !record || network_decode(record, &n, NULL) != 0 || n.suspended;
}

static int add_record(void *ctx, const struct record *record)
{
	struct gather *g = ctx;
	struct instance_record i;
	struct peer_record p;
	int e = 0;

	if (record->kind == RECORD_INSTANCE && instance_decode(record, &i, NULL) == 0) {
		e = add_pair(g, i.network, i.host); /* not its home, if it has moved: that may say nothing (moved.h lets the address in) */
	} else if (record->kind == RECORD_PEER && peer_decode(record, &p, NULL) == 0 && !p.suspended) {
		e = add_pair(g, p.network, p.gateway);
	}
	return e;
}

int presence_wanted(const struct replica *replica, struct presence *ret_presence)
{
	struct gather g = { .replica = replica };
	size_t kept = 0;
	int e = replica_each(replica, RECORD_INSTANCE, add_record, &g);

	if (e == 0)
		e = replica_each(replica, RECORD_PEER, add_record, &g);
	if (e < 0) {
		free(g.pairs);
		return e;
	}
	if (g.n)
		qsort(g.pairs, g.n, sizeof *g.pairs, compare);
	for (size_t i = 0; i < g.n; i++) {
		if (kept && !compare(&g.pairs[kept - 1], &g.pairs[i]))
			continue;
		if (presence_suspended(replica, g.pairs[i].network))
			continue;
		g.pairs[kept++] = g.pairs[i];
	}
	*ret_presence = (struct presence){ .pairs = g.pairs, .n = kept };
	return 0;
}

void presence_deinit(struct presence *p)
{
	free(p->pairs);
	*p = (struct presence){ 0 };
}

bool presence_has(const struct presence *p, uint32_t network, uint32_t host)
{
	struct presence_pair key = { network, host };

	return p->n && bsearch(&key, p->pairs, p->n, sizeof key, compare);
}

bool presence_equal(const struct presence *a, const struct presence *b)
{
	return a->n == b->n && (!a->n || !memcmp(a->pairs, b->pairs, a->n * sizeof *a->pairs));
}

int presence_add(struct bpf_datapath *datapath, const struct presence *wanted, struct presence *ret_refused, size_t *ret_added)
{
	struct gather refused = { .n = 0 };
	int first = 0;

	for (size_t i = 0; i < wanted->n; i++) {
		int e = bpf_presence_set(datapath, wanted->pairs[i].network, wanted->pairs[i].host);

		*ret_added += e == 0;
		if (e < 0 && add_pair(&refused, wanted->pairs[i].network, wanted->pairs[i].host) < 0)
			log_limited(LOG_L_ERR, "presence", "no memory to name what the map does not take");
		first = first ? first : e;
	}
	presence_deinit(ret_refused);
	*ret_refused = (struct presence){ .pairs = refused.pairs, .n = refused.n };
	return first;
}

struct removal {
	struct bpf_datapath *datapath;
	const struct presence *wanted;
	size_t removed;
};

static int remove_unwanted(void *ctx, uint32_t network, uint32_t host, const struct sixpn_presence *value)
{
	struct removal *r = ctx;

	(void)value;
	if (presence_has(r->wanted, network, host))
		return 0;
	r->removed++;
	return bpf_presence_remove(r->datapath, network, host);
}

int presence_remove(struct bpf_datapath *datapath, const struct presence *wanted, size_t *ret_removed)
{
	struct removal r = { .datapath = datapath, .wanted = wanted };
	int e = bpf_presence_list(datapath, remove_unwanted, &r);

	*ret_removed = r.removed;
	return e;
}

/* ---- repair ---- */

struct compare_map {
	struct bpf_datapath *datapath;
	const struct presence *wanted;
	const struct repair_sink *sink;
	bool *seen; /* of the wanted ones */
};

static const struct presence_pair *find_pair(const struct presence *p, uint32_t network, uint32_t host)
{
	struct presence_pair key = { network, host };

	return p->n ? bsearch(&key, p->pairs, p->n, sizeof key, compare) : NULL;
}

static void tell(const struct compare_map *c, const char *what, uint32_t network, uint32_t host, int error)
{
	char object[96];

	snprintf(object, sizeof object, "network %08x at host %08x %s", network, host, what);
	c->sink->repaired(c->sink->ctx, REPAIR_PRESENCE, object, error);
}

static int compare_entry(void *ctx, uint32_t network, uint32_t host, const struct sixpn_presence *value)
{
	static const struct sixpn_presence sound = { 0 };
	struct compare_map *c = ctx;
	const struct presence_pair *pair = find_pair(c->wanted, network, host);

	if (!pair) {
		tell(c, "may not speak and was let", network, host, bpf_presence_remove(c->datapath, network, host));
		return 0;
	}
	c->seen[pair - c->wanted->pairs] = true;
	if (memcmp(value, &sound, sizeof sound))
		tell(c, "had another value", network, host, bpf_presence_set(c->datapath, network, host));
	return 0;
}

int presence_repair(struct bpf_datapath *datapath, const struct presence *wanted, const struct presence *unheard,
		    const struct repair_sink *sink)
{
	struct compare_map c = { .datapath = datapath, .wanted = wanted, .sink = sink, .seen = calloc(wanted->n + 1, 1) };
	int e = c.seen ? bpf_presence_list(datapath, compare_entry, &c) : -ENOMEM;

	for (size_t i = 0; e == 0 && i < wanted->n; i++)
		if (!c.seen[i] && !presence_has(unheard, wanted->pairs[i].network, wanted->pairs[i].host))
			tell(&c, "may speak and was not let", wanted->pairs[i].network, wanted->pairs[i].host,
			     bpf_presence_set(datapath, wanted->pairs[i].network, wanted->pairs[i].host));
	free(c.seen);
	return e;
}
