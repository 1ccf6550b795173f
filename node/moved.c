/* moved - see moved.h. */
#include "node/moved.h"

#include "lib/base/log.h"
#include "lib/netlink/wg.h"
#include "node/presence.h"

#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX_LEN_INSTANCE 112
#define PREFIX_LEN_PEER 120
#define PER_CARRIER_MAX (WG_ALLOWED_MAX - 1) /* one is the carrier's own /48 */

static int compare_prefix(const void *a, const void *b)
{
	const struct moved_address *x = a, *y = b;

	return memcmp(&x->prefix, &y->prefix, sizeof x->prefix);
}

/* One address of two records: the older says so first, whatever order they came in. */
static int compare(const void *a, const void *b)
{
	const struct moved_address *x = a, *y = b;
	int order = compare_prefix(a, b);

	return order ? order : x->v < y->v ? -1 : x->v > y->v;
}

static int compare_carrier(const void *a, const void *b)
{
	const struct moved_address *x = *(struct moved_address *const *)a, *y = *(struct moved_address *const *)b;

	if (x->carrier != y->carrier)
		return x->carrier < y->carrier ? -1 : 1;
	return compare_prefix(x, y);
}

struct gather {
	const struct replica *replica;
	struct moved_address *items;
	size_t n, cap;
};

static int add(struct gather *g, const struct record *record, struct in6_addr address, uint8_t len, uint32_t home, uint32_t carrier)
{
	struct moved_address *out;

	if (g->n == g->cap) {
		size_t cap = g->cap ? 2 * g->cap : 16;
		struct moved_address *bigger = realloc(g->items, cap * sizeof *bigger);

		if (!bigger)
			return -ENOMEM;
		g->items = bigger;
		g->cap = cap;
	}
	out = &g->items[g->n++];
	*out = (struct moved_address){ .prefix = addr_sender(&address), .len = len, .home = home, .carrier = carrier, .kind = record->kind,
				       .key_len = record->key_len, .v = record->v };
	memcpy(out->key, record->key, record->key_len);
	return 0;
}

/* Its rule is in force: else nobody is to reach it, nor is it to be heard without a right to speak for its home. */
static bool is_at_a_rule(const struct replica *replica, const struct far_instance_record *far)
{
	struct record rule = rule_envelope(far->rule, far->network);

	return replica_find(replica, rule.kind, rule.key, rule.key_len) && !presence_suspended(replica, far->network);
}

static int add_record(void *ctx, const struct record *record)
{
	struct gather *g = ctx;
	struct instance_record i;
	struct peer_record p;

	if (record->kind == RECORD_FAR_INSTANCE) { /* of a network that may not be here, at the other end of a rule of one that is */
		struct far_instance_record f;

		if (far_instance_decode(record, &f, NULL) != 0 || f.home_host == f.host || !is_at_a_rule(g->replica, &f))
			return 0;
		return add(g, record, far_instance_address(&f), PREFIX_LEN_INSTANCE, f.home_host, f.host);
	}
	if (record->kind == RECORD_INSTANCE) {
		if (instance_decode(record, &i, NULL) != 0 || i.home_host == i.host || presence_suspended(g->replica, i.network))
			return 0;
		return add(g, record, instance_address(&i), PREFIX_LEN_INSTANCE, i.home_host, i.host);
	}
	if (peer_decode(record, &p, NULL) != 0 || p.home_gateway == p.gateway || p.suspended || presence_suspended(g->replica, p.network))
		return 0;
	return add(g, record, peer_address(&p), PREFIX_LEN_PEER, p.home_gateway, p.gateway);
}

static int index_carriers(struct moved *m)
{
	size_t at_one = 0;

	m->by_carrier = calloc(m->n + 1, sizeof(struct moved_address *));
	if (!m->by_carrier)
		return -ENOMEM;
	for (size_t i = 0; i < m->n; i++)
		m->by_carrier[i] = &m->items[i];
	if (m->n)
		qsort(m->by_carrier, m->n, sizeof *m->by_carrier, compare_carrier);
	for (size_t i = 0; i < m->n; i++) {
		at_one = i && m->by_carrier[i]->carrier == m->by_carrier[i - 1]->carrier ? at_one + 1 : 1;
		if (at_one > PER_CARRIER_MAX)
			m->by_carrier[i]->refused = "more moved addresses at one node than WireGuard has prefixes for a peer";
	}
	return 0;
}

int moved_wanted(const struct replica *replica, struct moved *ret_moved)
{
	struct gather g = { .replica = replica };
	struct moved out;
	size_t kept = 0;
	int e = replica_each(replica, RECORD_INSTANCE, add_record, &g);

	if (e == 0)
		e = replica_each(replica, RECORD_PEER, add_record, &g);
	if (e == 0)
		e = replica_each(replica, RECORD_FAR_INSTANCE, add_record, &g);
	if (g.n)
		qsort(g.items, g.n, sizeof *g.items, compare);
	for (size_t i = 0; i < g.n; i++)
		if (!kept || compare_prefix(&g.items[kept - 1], &g.items[i]))
			g.items[kept++] = g.items[i];
		else if (g.items[kept - 1].carrier != g.items[i].carrier)
			log_limited(LOG_L_ERR, "moved", "two records say that one address moved; the older one counts");
	out = (struct moved){ .items = g.items, .n = kept };
	if (e == 0)
		e = index_carriers(&out);
	if (e < 0) {
		moved_deinit(&out);
		return e;
	}
	*ret_moved = out;
	return 0;
}

void moved_deinit(struct moved *m)
{
	free(m->items);
	free(m->by_carrier);
	*m = (struct moved){ 0 };
}

int moved_copy(const struct moved *from, struct moved *ret_moved)
{
	struct moved out = { .n = from->n, .items = calloc(from->n + 1, sizeof *out.items) };
	int e = out.items ? 0 : -ENOMEM;

	if (e == 0 && out.n)
		memcpy(out.items, from->items, out.n * sizeof *out.items);
	if (e == 0)
		e = index_carriers(&out);
	if (e < 0)
		moved_deinit(&out);
	else
		*ret_moved = out;
	return e;
}

bool moved_equal(const struct moved *a, const struct moved *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (compare_prefix(&a->items[i], &b->items[i]) || a->items[i].carrier != b->items[i].carrier)
			return false;
	return true;
}

const struct moved_address *moved_find(const struct moved *m, const uint8_t prefix[16])
{
	struct moved_address key = { .len = 0 };

	memcpy(&key.prefix, prefix, sizeof key.prefix);
	return m->n ? bsearch(&key, m->items, m->n, sizeof key, compare_prefix) : NULL;
}

struct moved_address *const *moved_at(const struct moved *m, uint32_t carrier, size_t *ret_n)
{
	size_t low = 0, high = m->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (m->by_carrier[middle]->carrier < carrier)
			low = middle + 1;
		else
			high = middle;
	}
	for (high = low; high < m->n && m->by_carrier[high]->carrier == carrier;)
		high++;
	*ret_n = high - low;
	return m->by_carrier + low;
}

/* ---- maps ---- */

/* The map of this node in which the address belongs; false if it belongs in none. Away is also what moved between two others: that is how
 * its packets are let in, without a right to speak for its home. */
static bool map_of(const struct moved_address *a, uint32_t self, enum bpf_moved *ret_which)
{
	*ret_which = a->carrier == self ? BPF_MOVED_HERE : BPF_MOVED_AWAY;
	return !a->refused;
}

int moved_add(struct bpf_datapath *datapath, uint32_t self, struct moved *m)
{
	enum bpf_moved which;
	int first = 0;

	for (size_t i = 0; i < m->n; i++) {
		int e = map_of(&m->items[i], self, &which) ? bpf_moved_set(datapath, which, m->items[i].prefix.s6_addr, m->items[i].carrier) : 0;

		if (e < 0)
			m->items[i].refused = e == -E2BIG ? "the map of moved addresses is full" : "the map of moved addresses does not take it";
		first = first ? first : e;
	}
	return first;
}

struct walk {
	struct bpf_datapath *datapath;
	uint32_t self;
	const struct moved *m;
	enum bpf_moved which;
	const struct repair_sink *sink; /* NULL: removal alone */
	bool *seen;                     /* of the items; with sink */
};

static void tell(const struct walk *w, const uint8_t prefix[16], const char *what, int error)
{
	char object[128], text[ADDR_TEXT_LEN];
	struct in6_addr a;

	if (!w->sink)
		return;
	memcpy(&a, prefix, sizeof a);
	snprintf(object, sizeof object, "%s in %s %s", addr_text(&a, text), w->which == BPF_MOVED_HERE ? "moved_here" : "moved_away", what);
	w->sink->repaired(w->sink->ctx, REPAIR_MOVED_ENTRY, object, error);
}

static int see_entry(void *ctx, const uint8_t prefix[16], uint32_t carrier)
{
	struct walk *w = ctx;
	const struct moved_address *a = moved_find(w->m, prefix);
	enum bpf_moved which;
	int e;

	if (!a || !map_of(a, w->self, &which) || which != w->which) {
		e = bpf_moved_remove(w->datapath, w->which, prefix);
		tell(w, prefix, "is nobody's of our records", e);
		return w->sink ? 0 : e;
	}
	if (!w->sink)
		return 0;
	w->seen[a - w->m->items] = true;
	if (carrier != a->carrier)
		tell(w, prefix, "had another carrier", bpf_moved_set(w->datapath, w->which, prefix, a->carrier));
	return 0;
}

int moved_remove(struct bpf_datapath *datapath, uint32_t self, const struct moved *m)
{
	struct walk w = { .datapath = datapath, .self = self, .m = m, .which = BPF_MOVED_HERE };
	int e = bpf_moved_list(datapath, w.which, see_entry, &w);

	w.which = BPF_MOVED_AWAY;
	return e < 0 ? e : bpf_moved_list(datapath, w.which, see_entry, &w);
}

int moved_repair(struct bpf_datapath *datapath, uint32_t self, const struct moved *m, const struct repair_sink *sink)
{
	struct walk w = { .datapath = datapath, .self = self, .m = m, .which = BPF_MOVED_HERE, .sink = sink, .seen = calloc(m->n + 1, 1) };
	int e = w.seen ? bpf_moved_list(datapath, BPF_MOVED_HERE, see_entry, &w) : -ENOMEM;

	w.which = BPF_MOVED_AWAY;
	if (e == 0)
		e = bpf_moved_list(datapath, BPF_MOVED_AWAY, see_entry, &w);
	for (size_t i = 0; e == 0 && i < m->n; i++)
		if (!w.seen[i] && map_of(&m->items[i], self, &w.which))
			tell(&w, m->items[i].prefix.s6_addr, "was missing",
			     bpf_moved_set(datapath, w.which, m->items[i].prefix.s6_addr, m->items[i].carrier));
	free(w.seen);
	return e;
}

/* ---- routes ---- */

bool moved_needs_route(const struct moved_address *a, uint32_t self)
{
	return a->home == self && !a->refused;
}

struct rtnl_route moved_route(const struct moved_address *a, uint32_t mesh_ifindex)
{
	return (struct rtnl_route){
		.dst = a->prefix, .dst_len = a->len, .type = RTN_UNICAST, .table = ADDR_TABLE, .oif = mesh_ifindex, .metric = 1024
	};
}

int moved_add_routes(struct rtnl *rtnl, uint32_t self, const struct moved *m, uint32_t mesh_ifindex)
{
	int first = 0;

	for (size_t i = 0; i < m->n; i++) {
		struct rtnl_route route = moved_route(&m->items[i], mesh_ifindex);
		int e = moved_needs_route(&m->items[i], self) ? rtnl_route_replace(rtnl, &route) : 0;

		first = first ? first : e;
	}
	return first;
}

struct route_walk {
	struct rtnl *rtnl;
	uint32_t self, mesh_ifindex;
	const struct moved *m;
};

static int see_route(void *ctx, const struct rtnl_route *route)
{
	const struct route_walk *w = ctx;
	const struct moved_address *a = moved_find(w->m, route->dst.s6_addr);
	int e;

	if (route->oif != w->mesh_ifindex || route->dst_len < PREFIX_LEN_INSTANCE || (a && moved_needs_route(a, w->self)))
		return 0;
	e = rtnl_route_del(w->rtnl, route);
	return e == -ESRCH ? 0 : e;
}

int moved_remove_routes(struct rtnl *rtnl, uint32_t self, const struct moved *m, uint32_t mesh_ifindex)
{
	struct route_walk w = { .rtnl = rtnl, .self = self, .mesh_ifindex = mesh_ifindex, .m = m };

	return rtnl_route_list(rtnl, ADDR_TABLE, see_route, &w);
}
