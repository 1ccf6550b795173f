/* world - a whole controller (real store, no thread, no loop) and a few nodes on the in-memory link and a virtual clock. The nodes
 * here are small: they unpack replies, keep what they are told in a map, check the contract of every reply, and poll again. */
#pragma once
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "controller/nodes/controller_internal.h"
#include "controller/store/store_app.h"
#include "controller/store/store_instance.h"
#include "controller/store/store_internal.h"
#include "controller/store/store_log.h"
#include "controller/store/store_node.h"
#include "controller/store/store_node_token.h"
#include "controller/store/store_org.h"
#include "controller/store/store_region.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/link/client.h"
#include "lib/link/memory.h"
#include "lib/sixpn/pb.h"
#include "proto/sixpn.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORLD_NODES 24
#define PARK_MS 20000u

struct world;

struct kept {
	uint8_t key[4 + RECORD_KEY_MAX];
	size_t key_len;
	struct record *record;
};

struct test_node {
	struct world *w;
	struct link_client_transport *transport;
	struct link_client_config config;
	struct link_client *client, *joining;
	uint8_t public_key[32];
	uint32_t host;
	char name[NAME_SIZE];
	uint64_t wake_ms, join_wake_ms;
	char join_error[48], join_text[300];
	bool at_once; /* the next poll wants an answer, news or not */
	bool loses; /* the next reply does not arrive */
	bool hold; /* take replies, but do not poll again by yourself */
	/* what it holds */
	struct map records, staging;
	bool has_log;
	uint8_t log_id[16], proof[32], token[16];
	bool has_proof, has_token;
	uint64_t epoch, v;
	bool want_digests;
	struct node_await await;
	bool awaiting;
	struct node_error error;
	Sixpn__Health *health; /* that its polls carry; NULL = none */
	Sixpn__Gateway *gateway; /* likewise */
	struct node_held held;   /* said while held_total is not 0 */
	uint32_t held_total;
	uint64_t features;
	uint16_t endpoint_port; /* of the endpoint that its polls name; 0 = none */
	unsigned releases;
	bool keeps_held; /* whatever it is told */
	/* what it was told */
	unsigned kinds[8], parts_seen, settled, heals, explained;
	Sixpn__PollKind last_kind;
	uint64_t last_from, last_to;
	size_t last_records, last_len;
	unsigned last_entered, last_left, last_heal, last_commits;
	uint32_t last_retry_ms;
	bool last_want_digests;
	uint32_t allowed[16]; /* networks that it may be told of */
	size_t n_allowed;
	/* the last report */
	bool reported;
	uint64_t report_v;
	size_t report_refused;
	uint32_t report_later_ms; /* that the first refusal said */
};

struct world {
	char dir[64], path[128];
	struct clock_virtual v;
	struct clock clock;
	struct link_memory *net;
	struct store *store;
	struct controller *c;
	struct controller_config config;
	uint64_t wake_ms;
	char stopped[200];
	struct test_node nodes[WORLD_NODES];
	unsigned n_nodes;
	uint64_t op_v; /* of the last DO */
	bool op_done;
};

/* ---- controller ---- */

static inline void world_wake(void *ctx, uint64_t at)
{
	((struct world *)ctx)->wake_ms = at;
}

static inline void world_stopped(void *ctx, const char *reason)
{
	snprintf(((struct world *)ctx)->stopped, 200, "%s", reason);
}

static inline void world_start(struct world *w)
{
	static const struct controller_events events = { .wake_at = world_wake, .must_stop = world_stopped };
	struct store_options options = { .path = w->path, .clock = w->clock };
	struct why why = { 0 };
	int r = store_open(&options, &w->store, &why);

	if (r)
		fail_msg("store_open %d: %s", r, why.text);
	w->config.store = w->store;
	w->wake_ms = UINT64_MAX;
	assert_int_equal(controller_new(&w->config, &events, w, &w->c), 0);
}

static inline void world_end(struct world *w)
{
	w->c = controller_free(w->c);
	w->store = store_close(w->store);
}

static inline struct world *world_new(const struct controller_config *config)
{
	struct world *w = calloc(1, sizeof *w);

	crypto_init();
	log_set_level(getenv("WORLD_LOG") ? LOG_L_DEBUG : LOG_L_ERR);
	strcpy(w->dir, "/tmp/sixpn-world-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->path, sizeof w->path, "%s/store.db", w->dir);
	w->v = (struct clock_virtual){ .now_ms = 1000000, .real_offset_ms = 1700000000000, .seed = 7 };
	w->clock = clock_virtual(&w->v);
	assert_int_equal(link_memory_new(&w->clock, &w->net), 0);
	if (config)
		w->config = *config;
	w->config.clock = w->clock;
	w->config.transport = link_memory_server(w->net);
	w->config.advertise = "controller:4281";
	clock_random(&w->clock, w->config.link_key, 32);
	world_start(w);
	return w;
}

/* ---- time ---- */

static inline uint64_t world_next(struct world *w)
{
	uint64_t next = link_memory_next_ms(w->net);

	next = w->c && w->wake_ms < next ? w->wake_ms : next;
	for (unsigned i = 0; i < w->n_nodes; i++) {
		next = w->nodes[i].client && w->nodes[i].wake_ms < next ? w->nodes[i].wake_ms : next;
		next = w->nodes[i].joining && w->nodes[i].join_wake_ms < next ? w->nodes[i].join_wake_ms : next;
	}
	return next;
}

static inline void world_do_due(struct world *w)
{
	for (unsigned i = 0; i < w->n_nodes; i++) {
		struct test_node *n = &w->nodes[i];

		if (n->client && n->wake_ms <= w->v.now_ms) {
			n->wake_ms = UINT64_MAX;
			link_client_tick(n->client);
		}
		if (n->joining && n->join_wake_ms <= w->v.now_ms) {
			n->join_wake_ms = UINT64_MAX;
			link_client_tick(n->joining);
		}
	}
	if (w->c && w->wake_ms <= w->v.now_ms) {
		w->wake_ms = UINT64_MAX;
		controller_tick(w->c);
	}
	link_memory_settle(w->net);
	while (w->c && controller_pump(w->c))
		link_memory_settle(w->net);
}

static inline void world_run(struct world *w, uint64_t ms)
{
	uint64_t end = w->v.now_ms + ms;

	for (;;) {
		uint64_t next;

		world_do_due(w);
		next = world_next(w);
		if (next > end)
			break;
		if (next > w->v.now_ms)
			w->v.now_ms = next;
	}
	w->v.now_ms = end;
}

/* ---- writes ---- */

struct world_op {
	struct op op;
	struct world *w;
	struct op made; /* what the call did, in a transaction of its own */
};

static inline int world_op_run(struct store *store, struct op *op)
{
	struct world_op *o = container_of(op, struct world_op, op);

	(void)store;
	op_deinit(op);
	op->records = TAKE(o->made.records);
	op->n_records = o->made.n_records;
	op->cap_records = o->made.cap_records;
	op->v = o->made.v;
	op->committed_ms = o->made.committed_ms;
	o->made.n_records = 0;
	return 0;
}

static inline void world_op_done(struct op *op)
{
	container_of(op, struct world_op, op)->w->op_done = true;
}

static inline struct op *world_begin(struct world *w, struct world_op *o)
{
	struct principal who = principal_local("test");

	controller_pump(w->c);
	o->w = w;
	op_init(&o->made, NULL, NULL, &who, "test");
	op_init(&o->op, world_op_run, world_op_done, &who, "test");
	assert_int_equal(driver_exec(w->store->driver, "BEGIN IMMEDIATE"), 0);
	return &o->made;
}

/* Commits, and hands the records to the controller as the store thread does. */
static inline void world_end_op(struct world *w, struct world_op *o, int result)
{
	if (result)
		fail_msg("%d %s: %s", result, o->made.why.code, o->made.why.text);
	assert_int_equal(driver_exec(w->store->driver, "COMMIT"), 0);
	w->op_v = o->made.v;
	w->op_done = false;
	store_thread_put(controller_env(w->c)->store, &o->op);
	while (!w->op_done)
		controller_pump(w->c);
	op_deinit(&o->op);
	op_deinit(&o->made);
}

/* One write, with `store` and `op` in reach of the call. */
#define DO(w, ...)                                             \
	({                                                     \
		struct world_op world_op_ = { .w = (w) };      \
		struct op *op = world_begin(w, &world_op_);    \
		struct store *store = (w)->store;              \
		(void)store;                                   \
		(void)op;                                      \
		world_end_op(w, &world_op_, __VA_ARGS__);      \
	})

static inline void make_region(struct world *w, const char *name)
{
	struct store_region_new in = { .name = name };
	struct store_region out;

	DO(w, store_region_create(store, op, &in, &out));
}

/* An org and one app in its default network, whose id is returned. */
static inline uint32_t make_org(struct world *w, const char *name, const char *app)
{
	struct store_org org;
	struct store_app out;

	DO(w, store_org_create(store, op, name, &org));
	DO(w, store_app_create(store, op, name, NULL, app, &out));
	return out.network;
}

/* A world with two regions and two orgs; each org has one app, web, in its network. */
static inline struct world *two_orgs(const struct controller_config *config, uint32_t *ret_acme, uint32_t *ret_globex)
{
	struct world *w = world_new(config);

	make_region(w, "ord");
	make_region(w, "nrt");
	*ret_acme = make_org(w, "acme", "web");
	*ret_globex = make_org(w, "globex", "web");
	return w;
}

static inline struct store_instance make_instance_of(struct world *w, const char *org, const char *app, const char *host, size_t spec_len)
{
	char *spec = malloc(spec_len + 64);
	struct store_instance_new in = { .org = org, .app = app, .host = host, .desired = DESIRED_STARTED, .spec = spec };
	struct store_instance out;
	uint32_t live[WORLD_NODES];

	in.spec_len = (size_t)sprintf(spec, "{\"schema\":1,\"x\":\"%0*d\"}", (int)spec_len, 1);
	in.n_live = controller_env(w->c)->ops->live_nodes(w->c, live, WORLD_NODES);
	in.live = live;
	DO(w, store_instance_create(store, op, &in, &out));
	free(spec);
	return out;
}

static inline struct store_instance make_instance(struct world *w, const char *org, const char *app, const struct test_node *on)
{
	return make_instance_of(w, org, app, on->name, 8);
}

static inline void destroy_instance(struct world *w, const char *id)
{
	struct store_instance out;
	bool gone;

	DO(w, store_instance_change(store, op, id, INSTANCE_DESTROY, true, &out, &gone));
}

/* ---- the records of a node ---- */

static inline void forget(struct map *m, struct kept *k)
{
	map_remove(m, k->key, k->key_len);
	free(k->record);
	free(k);
}

static inline void forget_all(struct map *m)
{
	struct kept *k;

	for (size_t i = 0; (k = map_next(m, &i));)
		forget(m, k);
	map_deinit(m);
	*m = (struct map){ 0 };
}

static inline struct kept *find_kept(const struct map *m, const struct record *r)
{
	uint8_t key[4 + RECORD_KEY_MAX];

	put_u32(key, r->kind);
	memcpy(key + 4, r->key, r->key_len);
	return map_get(m, key, 4u + r->key_len);
}

static inline void keep(struct map *m, const struct record *r)
{
	struct kept *old = find_kept(m, r), *k;

	if (old && old->record->v >= r->v)
		return;
	if (old)
		forget(m, old);
	if (r->deleted)
		return;
	k = calloc(1, sizeof *k);
	k->record = record_copy(r);
	put_u32(k->key, r->kind);
	memcpy(k->key + 4, r->key, r->key_len);
	k->key_len = 4u + r->key_len;
	assert_int_equal(map_set(m, k->key, k->key_len, k, NULL), 0);
}

static inline struct digest digest_of_map(const struct map *m)
{
	struct digest d = { 0 };
	struct kept *k;

	for (size_t i = 0; (k = map_next(m, &i));)
		digest_add(&d, k->record);
	return d;
}

static inline size_t count_kept(const struct test_node *n, uint32_t kind, uint32_t network)
{
	struct kept *k;
	size_t count = 0;

	for (size_t i = 0; (k = map_next(&n->records, &i));)
		count += (!kind || k->record->kind == kind) && (!network || k->record->network == network);
	return count;
}

static inline const struct record *find_instance(const struct test_node *n, const char *id)
{
	struct record r = { .kind = RECORD_INSTANCE, .key_len = NAME_INSTANCE_ID_LEN };
	struct kept *k;

	memcpy(r.key, id, NAME_INSTANCE_ID_LEN);
	k = find_kept(&n->records, &r);
	return k ? k->record : NULL;
}

static inline void allow(struct test_node *n, uint32_t network)
{
	n->allowed[n->n_allowed++] = network;
}

/* G3, of every record that ever comes. */
static inline void check_allowed(const struct test_node *n, const struct record *r)
{
	bool good = r->network == 0;

	assert_true(RECORD_SENDABLE(r->kind));
	assert_true(r->node == 0 || r->node == n->host);
	for (size_t i = 0; i < n->n_allowed; i++)
		good = good || n->allowed[i] == r->network;
	if (!good)
		fail_msg("%s was sent a %s of network %08x", n->name, record_kind_name(r->kind), r->network);
}

static inline bool is_healed(const Sixpn__PollReply *m, const struct record *r)
{
	for (size_t i = 0; i < m->n_heal; i++)
		if (m->heal[i]->private_ ? r->node != 0 : !r->node && m->heal[i]->network == r->network)
			return true;
	return false;
}

static inline void take_snapshot(struct test_node *n, const Sixpn__PollReply *m)
{
	struct kept *k;
	struct digest d;

	if (m->part == 1)
		forget_all(&n->staging);
	n->parts_seen++;
	for (size_t i = 0; i < m->n_scope; i++) {
		assert_false(m->scope[i]->entered);
		n->last_left++;
	}
	assert_true(m->part >= 1 && m->part <= m->parts);
	assert_int_equal(m->end, m->part == m->parts);
	for (size_t i = 0; i < m->n_records; i++) {
		struct record r;

		assert_int_equal(record_from_pb(m->records[i], &r, NULL), 0);
		check_allowed(n, &r);
		if (r.deleted) { /* why something is not there */
			assert_true(r.intent != INTENT_NONE && (n->features & SIXPN__FEATURE__FEATURE_HELD_DELETES));
			n->explained++;
			continue;
		}
		assert_true(!m->n_heal || is_healed(m, &r));
		keep(&n->staging, &r);
	}
	n->has_token = m->snapshot_token.len == 16;
	if (n->has_token)
		memcpy(n->token, m->snapshot_token.data, 16);
	if (!m->end)
		return;
	d = digest_of_map(&n->staging);
	assert_int_equal(d.count, m->count);
	assert_memory_equal(d.sum, m->digest.data, 32);
	n->heals += m->n_heal > 0;
	if (m->n_heal) {
		for (size_t i = 0; (k = map_next(&n->records, &i));)
			if (is_healed(m, k->record))
				forget(&n->records, k);
		for (size_t i = 0; (k = map_next(&n->staging, &i));)
			keep(&n->records, k->record);
	} else {
		forget_all(&n->records);
		n->records = n->staging;
		n->staging = (struct map){ 0 };
	}
	forget_all(&n->staging);
	n->v = m->to_v;
}

static inline void take_delta(struct test_node *n, const Sixpn__PollReply *m)
{
	struct kept *k;
	uint64_t last = 0;

	assert_true(m->from_v == n->v); /* G6 */
	assert_true(m->to_v >= m->from_v);
	n->last_entered = n->last_left = 0;
	for (size_t i = 0; i < m->n_scope; i++) {
		n->last_entered += m->scope[i]->entered;
		n->last_left += !m->scope[i]->entered;
		assert_true(m->scope[i]->v > m->from_v);
		for (size_t j = 0; !m->scope[i]->entered && (k = map_next(&n->records, &j));)
			if (k->record->network == m->scope[i]->network)
				forget(&n->records, k);
	}
	for (size_t i = 0; i < m->n_records; i++) {
		struct record r;

		assert_int_equal(record_from_pb(m->records[i], &r, NULL), 0);
		check_allowed(n, &r);
		assert_true(n->last_entered || (r.v > last && r.v > m->from_v && r.v <= m->to_v));
		last = r.v;
		keep(&n->records, &r);
	}
	for (size_t i = 0; n->last_entered && i < m->n_records; i++) /* a network that came in is told once, not also change by change */
		for (size_t j = 0; j < i; j++)
			assert_false(m->records[i]->kind == m->records[j]->kind && m->records[i]->v == m->records[j]->v);
	for (size_t i = 0; i < m->n_commits; i++)
		assert_true(m->commits[i]->unix_ms > 1700000000000 && m->commits[i]->v > m->from_v && m->commits[i]->v <= m->to_v);
	n->v = m->to_v;
}

static inline void send_poll(struct test_node *n);

static inline void take_reply(struct test_node *n, const Sixpn__PollReply *m)
{
	n->kinds[m->kind]++;
	n->last_kind = m->kind;
	n->last_from = m->from_v;
	n->last_to = m->to_v;
	n->last_records = m->n_records;
	n->last_heal = (unsigned)m->n_heal;
	n->last_commits = (unsigned)m->n_commits;
	n->last_retry_ms = m->retry_after_ms;
	n->last_want_digests = n->want_digests = m->want_digests;
	n->settled += (unsigned)m->n_settled;
	if (m->release_held) {
		n->releases++;
		assert_true(n->features & SIXPN__FEATURE__FEATURE_HELD_DELETES); /* G19 */
		n->held_total = n->keeps_held ? n->held_total : 0;
	}
	if (m->n_settled)
		n->awaiting = false;
	assert_int_equal(m->log_id.len, 16);
	assert_int_equal(m->head_proof.len, 32);
	assert_true(m->park_ms > 0);
	n->has_proof = true;
	memcpy(n->proof, m->head_proof.data, 32);
	if (m->kind == SIXPN__POLL_KIND__POLL_SNAPSHOT)
		take_snapshot(n, m);
	else
		n->has_token = false;
	if (m->kind == SIXPN__POLL_KIND__POLL_DELTA || m->kind == SIXPN__POLL_KIND__POLL_NOTHING)
		take_delta(n, m);
	if (m->kind == SIXPN__POLL_KIND__POLL_DELTA || m->kind == SIXPN__POLL_KIND__POLL_NOTHING || m->end) {
		n->has_log = true;
		n->epoch = m->epoch;
		memcpy(n->log_id, m->log_id.data, 16);
	}
}

static inline void poll_done(void *ctx, enum link_result result, const uint8_t *payload, size_t len)
{
	struct test_node *n = ctx;
	struct pb_arena arena;
	Sixpn__PollReply *m;

	if (result != LINK_OK) {
		if (result != LINK_STOPPED && result != LINK_REPLACED && !n->hold)
			send_poll(n);
		return;
	}
	if (n->loses) {
		n->loses = false;
		return;
	}
	pb_arena_init(&arena, 8u << 20);
	m = (Sixpn__PollReply *)pb_unpack(&arena, &sixpn__poll_reply__descriptor, payload, len);
	assert_non_null(m);
	n->last_len = len;
	take_reply(n, m);
	pb_arena_deinit(&arena);
	if (!n->hold && n->last_kind != SIXPN__POLL_KIND__POLL_RETRY_AFTER && n->last_kind != SIXPN__POLL_KIND__POLL_FENCED)
		send_poll(n);
}

struct part_list {
	Sixpn__DigestPart parts[20], *list[20];
	struct digest digests[20];
	size_t n;
};

static inline void add_part(struct part_list *l, const struct test_node *n, uint32_t network, bool is_private)
{
	Sixpn__DigestPart *p = &l->parts[l->n];
	struct digest *d = &l->digests[l->n];
	struct kept *k;

	*d = (struct digest){ 0 };
	for (size_t i = 0; (k = map_next(&n->records, &i));)
		if (is_private ? k->record->node != 0 : !k->record->node && k->record->network == network)
			digest_add(d, k->record);
	if (network && !d->count)
		return; /* as a real one: it lists what it holds */
	sixpn__digest_part__init(p);
	p->network = network;
	p->private_ = is_private;
	p->digest = pb_bytes(d->sum, 32);
	p->count = (uint32_t)d->count;
	l->list[l->n++] = p;
}

static inline void send_poll(struct test_node *n)
{
	CLEAN_BUF struct buf bytes = BUF_INIT(LINK_REQUEST_MAX);
	Sixpn__PollRequest m = SIXPN__POLL_REQUEST__INIT;
	Sixpn__Await await = SIXPN__AWAIT__INIT, *awaits[] = { &await };
	Sixpn__RecordError error = SIXPN__RECORD_ERROR__INIT, *errors[] = { &error };
	Sixpn__HeldDelete one_held = SIXPN__HELD_DELETE__INIT, *held[] = { &one_held };
	Sixpn__Endpoint endpoint = SIXPN__ENDPOINT__INIT, *endpoints[] = { &endpoint };
	struct part_list parts = { .n = 0 };
	struct digest d = digest_of_map(&n->records);

	if (n->has_log) {
		m.epoch = n->epoch;
		m.log_id = pb_bytes(n->log_id, 16);
		m.applied_v = n->v;
		m.digest = pb_bytes(d.sum, 32);
	}
	if (n->has_proof)
		m.head_proof = pb_bytes(n->proof, 32);
	if (n->has_token)
		m.snapshot_token = pb_bytes(n->token, 16);
	if (n->awaiting) {
		await.network = n->await.network;
		await.v = n->await.v;
		m.await = awaits;
		m.n_await = 1;
	}
	if (n->error.v) {
		error.kind = n->error.kind;
		error.v = n->error.v;
		error.key = pb_bytes(n->error.key, n->error.key_len);
		error.text = pb_bytes(n->error.text, strlen(n->error.text));
		m.errors = errors;
		m.n_errors = 1;
	}
	if (n->want_digests) {
		add_part(&parts, n, 0, false);
		add_part(&parts, n, 0, true);
		for (size_t i = 0; i < n->n_allowed; i++)
			add_part(&parts, n, n->allowed[i], false);
		m.digest_parts = parts.list;
		m.n_digest_parts = parts.n;
	}
	if (n->held_total) {
		one_held.kind = n->held.kind;
		one_held.v = n->held.v;
		one_held.key = pb_bytes(n->held.key, n->held.key_len);
		m.held = held;
		m.n_held = 1;
		m.held_total = n->held_total;
	}
	if (n->endpoint_port) {
		endpoint.address = pb_bytes("\xc0\0\x02\x09", 4);
		endpoint.port = n->endpoint_port;
		m.endpoints = endpoints;
		m.n_endpoints = 1;
	}
	m.features = n->features;
	m.at_once = n->at_once;
	n->at_once = false;
	m.version = pb_bytes("0.1", 3);
	m.health = n->health;
	m.gateway = n->gateway;
	assert_int_equal(pb_pack(&m, &bytes), 0);
	assert_int_equal(link_client_call(n->client, LINK_POLL, bytes.data, bytes.len, poll_done, n), 0);
}

/* ---- nodes ---- */

static inline void node_wake(void *ctx, uint64_t at)
{
	((struct test_node *)ctx)->wake_ms = at;
}

static inline void join_wake(void *ctx, uint64_t at)
{
	((struct test_node *)ctx)->join_wake_ms = at;
}

static inline void join_done(void *ctx, enum link_result result, const uint8_t *payload, size_t len)
{
	struct test_node *n = ctx;
	Sixpn__EnrollReply *m;

	if (result != LINK_OK)
		return;
	m = sixpn__enroll_reply__unpack(NULL, len, payload);
	assert_non_null(m);
	n->join_error[0] = 0;
	if (m->ok) {
		n->host = m->host;
		assert_int_equal(pb_text(&m->name, "name", n->name, sizeof n->name, NULL), 0);
		assert_int_equal(m->log_id.len, 16);
		assert_true(m->epoch > 0);
	} else {
		assert_int_equal(pb_text(&m->error_code, "code", n->join_error, sizeof n->join_error, NULL), 0);
		assert_int_equal(pb_text(&m->error, "error", n->join_text, sizeof n->join_text, NULL), 0);
		assert_true(m->error.len > 10);
	}
	sixpn__enroll_reply__free_unpacked(m, NULL);
}

/* One enrolment with the token; what came of it is in n->host or n->join_error. */
static inline void enroll(struct test_node *n, const struct store_node_token *token, const char *secret)
{
	static const struct link_client_events events = { .wake_at = join_wake };
	CLEAN_BUF struct buf bytes = BUF_INIT(LINK_REQUEST_MAX);
	Sixpn__EnrollRequest m = SIXPN__ENROLL_REQUEST__INIT;
	struct link_client_config config = n->config;
	struct link_client_transport *transport;
	uint8_t mesh_key[32];
	unsigned number;

	config.kind = LINK_KIND_ENROLL;
	assert_int_equal(link_memory_add_client(n->w->net, &transport, &number), 0);
	n->join_wake_ms = UINT64_MAX;
	assert_int_equal(link_client_new(&n->w->clock, transport, &config, &events, n, &n->joining), 0);
	m.token_id = pb_bytes(token->id, 8);
	m.token_secret = pb_bytes(secret, strlen(secret));
	m.roles = ROLE_HOST;
	memcpy(mesh_key, n->public_key, 32);
	mesh_key[0] ^= 1;
	m.mesh_key = pb_bytes(mesh_key, 32);
	m.version = pb_bytes("0.1", 3);
	assert_int_equal(pb_pack(&m, &bytes), 0);
	link_client_start(n->joining);
	assert_int_equal(link_client_call(n->joining, LINK_ENROLL, bytes.data, bytes.len, join_done, n), 0);
	world_run(n->w, 100);
	n->joining = link_client_free(n->joining);
}

static inline struct store_node_token make_join_token(struct world *w, const char *region, unsigned uses, char *ret_secret)
{
	struct store_node_token_new in = { .region = region, .roles = ROLE_HOST, .uses = uses };
	struct store_node_token token;

	DO(w, store_node_token_create(store, op, &in, &token, ret_secret));
	return token;
}

static inline void make_client(struct test_node *n)
{
	static const struct link_client_events events = { .wake_at = node_wake };

	n->wake_ms = UINT64_MAX;
	assert_int_equal(link_client_new(&n->w->clock, n->transport, &n->config, &events, n, &n->client), 0);
}

/* A machine with keys; like: with the keys of another. */
static inline struct test_node *add_machine(struct world *w, const struct test_node *like)
{
	struct test_node *n = &w->nodes[w->n_nodes++];
	unsigned number;

	n->w = w;
	n->features = 7;
	n->config = (struct link_client_config){ .kind = LINK_KIND_NODE, .addresses = { "controller:4281" }, .n_addresses = 1, .boot_count = 1,
						 .park_ms = PARK_MS };
	if (like)
		memcpy(n->config.private_key, like->config.private_key, 32);
	else
		clock_random(&w->clock, n->config.private_key, 32);
	crypto_x25519_public(n->config.private_key, n->public_key);
	memcpy(n->config.controller_key, controller_env(w->c)->link_public_key, 32);
	clock_random(&w->clock, n->config.boot_id, 16);
	assert_int_equal(link_memory_add_client(w->net, &n->transport, &number), 0);
	make_client(n);
	return n;
}

static inline struct test_node *add_node(struct world *w, const char *region)
{
	char secret[STORE_NODE_SECRET_SIZE];
	struct store_node_token token = make_join_token(w, region, 1, secret);
	struct test_node *n = add_machine(w, NULL);

	enroll(n, &token, secret);
	if (n->join_error[0])
		fail_msg("enrolment: %s", n->join_text);
	return n;
}

/* A node that polls and has all it should have. */
static inline struct test_node *add_running(struct world *w, const char *region)
{
	struct test_node *n = add_node(w, region);

	link_client_start(n->client);
	send_poll(n);
	world_run(w, 100);
	return n;
}

static inline void stop_node(struct test_node *n)
{
	n->hold = true;
	link_client_stop(n->client);
	n->hold = false;
}

static inline void start_node(struct test_node *n)
{
	link_client_start(n->client);
	send_poll(n);
	world_run(n->w, 100);
}

static inline void report_done(void *ctx, enum link_result result, const uint8_t *payload, size_t len)
{
	struct test_node *n = ctx;
	Sixpn__ReportReply *m = result == LINK_OK ? sixpn__report_reply__unpack(NULL, len, payload) : NULL;

	if (!m)
		return;
	n->reported = true;
	n->report_v = m->v;
	n->report_refused = m->n_refused;
	n->report_later_ms = m->n_refused ? m->refused[0]->retry_after_ms : 0;
	sixpn__report_reply__free_unpacked(m, NULL);
}

static inline void report(struct test_node *n, const char *id, uint32_t state, uint64_t generation)
{
	CLEAN_BUF struct buf bytes = BUF_INIT(LINK_REQUEST_MAX);
	Sixpn__ReportRequest m = SIXPN__REPORT_REQUEST__INIT;
	Sixpn__InstanceReport one = SIXPN__INSTANCE_REPORT__INIT, *list[] = { &one };
	Sixpn__Observed observed = SIXPN__OBSERVED__INIT;

	observed.state = state;
	observed.generation = generation;
	observed.since_ms = 1700000000000;
	one.instance = pb_bytes(id, strlen(id));
	one.observed = &observed;
	m.instances = list;
	m.n_instances = 1;
	n->reported = false;
	assert_int_equal(pb_pack(&m, &bytes), 0);
	assert_int_equal(link_client_call(n->client, LINK_REPORT, bytes.data, bytes.len, report_done, n), 0);
	world_run(n->w, 100);
}

static inline void assert_in_step(struct test_node *n)
{
	const struct scope *scope = scopes_of(&n->w->c->scopes, n->host);
	const struct scope_entry *e;
	struct digest want = { 0 }, have = digest_of_map(&n->records);
	const struct memory_part *part;

	if ((part = memory_part(&n->w->c->memory, 0, 0)))
		digest_join(&want, &part->digest);
	if ((part = memory_part(&n->w->c->memory, 0, n->host)))
		digest_join(&want, &part->digest);
	for (size_t i = 0; scope && (e = map_next(&scope->entries, &i));)
		if (e->count && (part = memory_part(&n->w->c->memory, e->network, 0)))
			digest_join(&want, &part->digest);
	assert_int_equal(have.count, want.count);
	assert_true(digest_equal(&have, &want));
}

static inline void world_free(struct world *w)
{
	static const char *const suffixes[] = { "", "-wal", "-shm", "-lock", "-ballast" };
	char path[160];

	for (unsigned i = 0; i < w->n_nodes; i++) {
		struct test_node *n = &w->nodes[i];

		n->hold = true;
		n->client = link_client_free(n->client);
		forget_all(&n->records);
		forget_all(&n->staging);
	}
	world_end(w);
	link_memory_free(w->net);
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		snprintf(path, sizeof path, "%s%s", w->path, suffixes[i]);
		unlink(path);
	}
	rmdir(w->dir);
	free(w);
}
