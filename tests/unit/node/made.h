/* made - PollReplies made in a test: records by kind, each encoded by the lib's own encoder, and the envelopes around them. Included
 * by the tests of this room. */
#pragma once
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "lib/base/clock.h"
#include "lib/base/crypto.h"
#include "lib/base/log.h"
#include "lib/sixpn/pb.h"
#include "lib/sixpn/record.h"
#include "node/replica.h"
#include "proto/sixpn.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MADE_MAX 256
#define MADE_NET 0x00020001u
#define MADE_NET2 0x00020002u
#define MADE_HOST 0xa1230007u  /* ourselves */
#define MADE_HOST2 0xa1230008u /* same region */
#define MADE_HOST3 0xa4560009u /* another region */
#define MADE_EPOCH 1000

static const uint8_t made_log_id[16] = "log-log-log-log1", made_other_log_id[16] = "log-log-log-log2";

struct made {
	Sixpn__PollReply reply;
	Sixpn__Record records[MADE_MAX], *list[MADE_MAX];
	struct record envelopes[MADE_MAX];
	struct buf bodies[MADE_MAX];
	Sixpn__ScopeChange scope[8], *scope_list[8];
	Sixpn__Commit commits[8], *commit_list[8];
	Sixpn__DigestPart heal[8], *heal_list[8];
	Sixpn__Await settled[8], *settled_list[8];
	uint8_t digest[DIGEST_LEN];
	struct buf bytes;
};

static inline struct made *made_new(int kind, uint64_t from_v, uint64_t to_v)
{
	struct made *m = calloc(1, sizeof *m);

	sixpn__poll_reply__init(&m->reply);
	m->reply.kind = (uint32_t)kind;
	m->reply.epoch = MADE_EPOCH;
	m->reply.log_id = pb_bytes(made_log_id, sizeof made_log_id);
	m->reply.from_v = from_v;
	m->reply.to_v = to_v;
	m->reply.records = m->list;
	m->reply.scope = m->scope_list;
	m->reply.commits = m->commit_list;
	m->reply.heal = m->heal_list;
	m->reply.settled = m->settled_list;
	m->bytes = BUF_INIT(0);
	return m;
}

static inline struct made *made_delta(uint64_t from_v, uint64_t to_v)
{
	return made_new(SIXPN__POLL_KIND__POLL_DELTA, from_v, to_v);
}

static inline void made_free(struct made *m)
{
	for (size_t i = 0; i < MADE_MAX; i++)
		buf_deinit(&m->bodies[i]);
	buf_deinit(&m->bytes);
	free(m);
}

static inline struct record *made_add(struct made *m, struct record r, uint64_t v, struct buf body)
{
	size_t i = m->reply.n_records++;

	assert_true(i < MADE_MAX);
	m->bodies[i] = body;
	r.v = v;
	r.body = body.data;
	r.body_len = body.len;
	m->envelopes[i] = r;
	record_to_pb(&m->envelopes[i], &m->records[i]);
	m->list[i] = &m->records[i];
	return &m->envelopes[i];
}

static inline void made_tombstone_of(struct made *m, struct record r, uint64_t v, uint32_t intent)
{
	r.deleted = true;
	r.intent = intent;
	made_add(m, r, v, BUF_INIT(0));
}

static inline void made_tombstone(struct made *m, struct record r, uint64_t v)
{
	made_tombstone_of(m, r, v, INTENT_DELETE);
}

static inline void made_region(struct made *m, uint64_t v, const char *name, double lat, double lon, uint16_t locator)
{
	struct region_record in = { .latitude_udeg = (int32_t)(lat * 1e6), .longitude_udeg = (int32_t)(lon * 1e6), .locator = locator };
	struct buf body = BUF_INIT(0);

	snprintf(in.name, sizeof in.name, "%s", name);
	snprintf(in.city, sizeof in.city, "City");
	assert_int_equal(region_encode(&in, &body), 0);
	made_add(m, region_envelope(&in), v, body);
}

static inline struct node_record made_node_record(uint32_t host, const char *name, const char *region)
{
	struct node_record in = { .host = host, .roles = ROLE_HOST, .n_endpoints = 1 };

	snprintf(in.name, sizeof in.name, "%s", name);
	snprintf(in.region, sizeof in.region, "%s", region);
	put_u32(in.mesh_key, host);
	in.mesh_key[31] = 1;
	in.endpoints[0] = (struct addr_endpoint){ .address = { 192, 0, 2, (uint8_t)host }, .address_len = 4, .port = 51821 };
	return in;
}

static inline void made_node(struct made *m, uint64_t v, const struct node_record *in)
{
	struct buf body = BUF_INIT(0);

	assert_int_equal(node_encode(in, &body), 0);
	made_add(m, node_envelope(in), v, body);
}

static inline void made_network(struct made *m, uint64_t v, uint32_t id, const char *org, bool suspended)
{
	struct network_record in = { .id = id, .name = "default", .suspended = suspended };
	struct buf body = BUF_INIT(0);

	snprintf(in.org, sizeof in.org, "%s", org);
	assert_int_equal(network_encode(&in, &body), 0);
	made_add(m, network_envelope(&in), v, body);
}

static inline struct app_record made_app_record(uint32_t network, const char *name)
{
	struct app_record in = { .network = network };

	put_u32(in.id, network);
	memcpy(in.id + 4, name, 4);
	snprintf(in.name, sizeof in.name, "%s", name);
	return in;
}

static inline void made_app(struct made *m, uint64_t v, uint32_t network, const char *name)
{
	struct app_record in = made_app_record(network, name);
	struct buf body = BUF_INIT(0);

	assert_int_equal(app_encode(&in, &body), 0);
	made_add(m, app_envelope(&in), v, body);
}

/* A started instance of app "web"; its id is made of network, host and number. */
static inline struct instance_record made_instance_record(uint32_t network, uint32_t host, unsigned number)
{
	struct app_record app = made_app_record(network, "webs");
	struct instance_record in = { .network = network,
				      .home_host = host,
				      .host = host,
				      .instance = 0x00010000u + number,
				      .desired = DESIRED_STARTED,
				      .generation = 1,
				      .group = "app",
				      .observed = { .state = STATE_STARTED, .generation = 1, .since_ms = 5 } };

	snprintf(in.id, sizeof in.id, "%02x%08x%04x", network & 0xff, host, number);
	snprintf(in.name, sizeof in.name, "i%u", number);
	memcpy(in.app, app.id, sizeof in.app);
	return in;
}

static inline void made_instance(struct made *m, uint64_t v, const struct instance_record *in)
{
	struct buf body = BUF_INIT(0);

	assert_int_equal(instance_encode(in, &body), 0);
	made_add(m, instance_envelope(in), v, body);
}

static inline void made_workload(struct made *m, uint64_t v, const struct instance_record *of, const char *spec)
{
	struct workload_record in = { .spec = spec, .spec_len = strlen(spec) };
	struct buf body = BUF_INIT(0);

	memcpy(in.instance, of->id, sizeof in.instance);
	assert_int_equal(workload_encode(&in, &body), 0);
	made_add(m, workload_envelope(of->id, of->network, of->host), v, body);
}

static inline struct peer_record made_peer_record(uint32_t network, uint32_t gateway, unsigned number)
{
	struct peer_record in = { .network = network, .gateway = gateway, .home_gateway = gateway, .instance = 0x0a + number, .slot = 1,
				  .requested_region = "ord" };

	put_u32(in.id, network);
	put_u32(in.id + 4, number);
	snprintf(in.name, sizeof in.name, "laptop-%u", number);
	snprintf(in.label, sizeof in.label, "laptop-%u", number);
	return in;
}

static inline void made_peer(struct made *m, uint64_t v, const struct peer_record *in)
{
	struct buf body = BUF_INIT(0);

	assert_int_equal(peer_encode(in, &body), 0);
	made_add(m, peer_envelope(in), v, body);
}

static inline void made_flycast(struct made *m, uint64_t v, const struct flycast_record *in)
{
	struct buf body = BUF_INIT(0);

	assert_int_equal(flycast_encode(in, &body), 0);
	made_add(m, flycast_envelope(in), v, body);
}

static inline void made_peer_key(struct made *m, uint64_t v, const struct peer_record *of, uint8_t first_byte)
{
	struct peer_key_record in = { .public_key = { first_byte } };
	struct buf body = BUF_INIT(0);

	memcpy(in.peer, of->id, sizeof in.peer);
	assert_int_equal(peer_key_encode(&in, &body), 0);
	made_add(m, peer_key_envelope(&in, of->network, of->gateway), v, body);
}

/* A rule that lets app "webs" of network reach app "dbdb" of far_network, as network sees it, with the name db. */
static inline struct rule_record made_rule_record(uint32_t network, uint32_t far_network)
{
	struct rule_record in = { .id = { 1, [7] = 0xa }, .network = network, .far_network = far_network, .outgoing = true, .alias = "db" };
	struct app_record app = made_app_record(network, "webs"), far = made_app_record(far_network, "dbdb");

	memcpy(in.app, app.id, sizeof in.app);
	memcpy(in.far_app, far.id, sizeof in.far_app);
	return in;
}

static inline void made_rule(struct made *m, uint64_t v, const struct rule_record *in)
{
	struct buf body = BUF_INIT(0);

	assert_int_equal(rule_encode(in, &body), 0);
	made_add(m, rule_envelope(in->id, in->network), v, body);
}

static inline void made_far_instance(struct made *m, uint64_t v, const struct rule_record *rule, uint32_t host, unsigned number, bool answers)
{
	struct far_instance_record in = { .network = rule->network, .far_network = rule->far_network, .home_host = host, .host = host,
					  .field = 0x10000 + number, .answers = answers };
	struct buf body = BUF_INIT(0);

	memcpy(in.rule, rule->id, sizeof in.rule);
	memcpy(in.far_app, rule->far_app, sizeof in.far_app);
	snprintf(in.instance, sizeof in.instance, "%014x", number);
	assert_int_equal(far_instance_encode(&in, &body), 0);
	made_add(m, far_instance_envelope(in.rule, in.instance, in.network), v, body);
}

static inline void made_scope(struct made *m, uint32_t network, bool entered, uint64_t v)
{
	size_t i = m->reply.n_scope++;

	sixpn__scope_change__init(&m->scope[i]);
	m->scope[i].network = network;
	m->scope[i].entered = entered;
	m->scope[i].v = v;
	m->scope_list[i] = &m->scope[i];
}

static inline void made_commit(struct made *m, uint64_t v, uint64_t unix_ms)
{
	size_t i = m->reply.n_commits++;

	sixpn__commit__init(&m->commits[i]);
	m->commits[i].v = v;
	m->commits[i].unix_ms = unix_ms;
	m->commit_list[i] = &m->commits[i];
}

static inline void made_heal(struct made *m, uint32_t network, bool is_private)
{
	size_t i = m->reply.n_heal++;

	sixpn__digest_part__init(&m->heal[i]);
	m->heal[i].network = network;
	m->heal[i].private_ = is_private;
	m->heal_list[i] = &m->heal[i];
}

static inline void made_settled(struct made *m, uint32_t network, uint64_t v)
{
	size_t i = m->reply.n_settled++;

	sixpn__await__init(&m->settled[i]);
	m->settled[i].network = network;
	m->settled[i].v = v;
	m->settled_list[i] = &m->settled[i];
}

/* The END of a snapshot: count and digest of what `parts` (all of it, this one too) hold. */
static inline void made_end(struct made *m, struct made *const *parts, size_t n_parts)
{
	struct digest sum = { 0 };

	for (size_t p = 0; p < n_parts; p++)
		for (size_t i = 0; i < parts[p]->reply.n_records; i++)
			if (!parts[p]->envelopes[i].deleted)
				digest_add(&sum, &parts[p]->envelopes[i]);
	memcpy(m->digest, sum.sum, sizeof m->digest);
	m->reply.count = sum.count;
	m->reply.digest = pb_bytes(m->digest, sizeof m->digest);
	m->reply.end = true;
}

/* A snapshot part; the records are added before made_end. */
static inline struct made *made_part(uint64_t v, uint32_t part, uint32_t parts)
{
	struct made *m = made_new(SIXPN__POLL_KIND__POLL_SNAPSHOT, 0, v);

	m->reply.part = part;
	m->reply.parts = parts;
	return m;
}

static inline struct made *made_ended(struct made *m)
{
	made_end(m, &m, 1);
	return m;
}

/* Everything a small node has: two regions, three nodes, two networks with an app, instances on all hosts, one workload. V = 20. */
static inline struct made *made_world(void)
{
	struct made *m = made_part(20, 1, 1);
	struct node_record nodes[] = { made_node_record(MADE_HOST, "ord-1", "ord"), made_node_record(MADE_HOST2, "ord-2", "ord"),
				       made_node_record(MADE_HOST3, "nrt-1", "nrt") };
	struct instance_record i;

	made_region(m, 1, "ord", 41.9, -87.6, 0xa123);
	made_region(m, 2, "nrt", 35.7, 139.7, 0xa456);
	for (size_t n = 0; n < ARRAY_LEN(nodes); n++)
		made_node(m, 3 + n, &nodes[n]);
	made_network(m, 6, MADE_NET, "acme", false);
	made_network(m, 7, MADE_NET2, "globex", false);
	made_app(m, 8, MADE_NET, "webs");
	made_app(m, 9, MADE_NET2, "webs");
	i = made_instance_record(MADE_NET, MADE_HOST, 1);
	made_instance(m, 10, &i);
	made_workload(m, 11, &i, "{\"schema\":1}");
	i = made_instance_record(MADE_NET, MADE_HOST2, 2);
	made_instance(m, 12, &i);
	i = made_instance_record(MADE_NET2, MADE_HOST3, 3);
	made_instance(m, 13, &i);
	i = made_instance_record(MADE_NET2, MADE_HOST, 4);
	made_instance(m, 14, &i);
	made_workload(m, 15, &i, "{\"schema\":1}");
	return made_ended(m);
}

static inline void made_take(struct replica *r, struct made *m, int expected)
{
	struct why why = { 0 };
	int e = replica_take(r, &m->reply, NULL, &why);

	if (e != expected)
		print_error("replica_take: %d %s\n", e, why.text);
	assert_int_equal(e, expected);
	made_free(m);
}

static inline struct buf *made_bytes(struct made *m)
{
	buf_clear(&m->bytes);
	assert_int_equal(pb_pack(&m->reply, &m->bytes), 0);
	return &m->bytes;
}

/* One that holds made_world(). */
static inline struct replica *made_replica(void)
{
	struct replica *r = calloc(1, sizeof *r);

	replica_init(r);
	made_take(r, made_world(), 0);
	return r;
}

static inline void made_replica_free(struct replica *r)
{
	replica_deinit(r);
	free(r);
}

static inline bool made_has(const struct replica *r, struct record envelope)
{
	return replica_find(r, envelope.kind, envelope.key, envelope.key_len) != NULL;
}

static inline bool made_same(const struct replica *a, const struct replica *b)
{
	struct digest x = replica_digest(a), y = replica_digest(b);

	return digest_equal(&x, &y) && a->v == b->v && a->n_held == b->n_held && a->epoch == b->epoch && a->scope_version == b->scope_version &&
	       a->has_log_id == b->has_log_id && !memcmp(a->log_id, b->log_id, sizeof a->log_id) && a->records.n == b->records.n &&
	       a->bytes == b->bytes && !memcmp(a->n_by_kind, b->n_by_kind, sizeof a->n_by_kind);
}
