/* Records: every kind survives the wire, every rule of the envelope refuses, and digests add up whatever the order. */
#include "lib/sixpn/record.h"

#include "lib/base/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define NET 0x00180042u
#define HOST 0xa9a80001u

static struct instance_record an_instance(void)
{
	struct instance_record i = { .id = "4d891ef2a03b58",
				     .network = NET,
				     .app = { 1, 2, 3, 4, 5, 6, 7, 8 },
				     .home_host = HOST,
				     .host = HOST + 1,
				     .instance = 0x7d31f066,
				     .desired = DESIRED_STARTED,
				     .generation = 3,
				     .observed = { .state = STATE_STARTED, .generation = 3, .exit_code = -9, .since_ms = 12345, .restarts = 2, .message = "fine" },
				     .group = "web",
				     .name = "blue",
				     .n_metadata = 2,
				     .metadata = { { "a", "1" }, { "b", "" } },
				     .cordoned = true };

	return i;
}

/* encodes a body, puts it into its envelope, and the envelope through the wire */
static struct record *through_the_wire(struct record r, struct buf *body)
{
	CLEAN_BUF struct buf bytes = BUF_INIT(0);
	struct record back;
	struct why why = { 0 };

	r.v = 7;
	r.body = body->data;
	r.body_len = body->len;
	assert_int_equal(record_encode(&r, &bytes), 0);
	assert_int_equal(record_decode(bytes.data, bytes.len, &back, &why), 0);
	return record_copy(&back);
}

static void an_instance_survives_the_wire(void **state)
{
	struct instance_record in = an_instance(), out;
	CLEAN_BUF struct buf body = BUF_INIT(0);
	struct why why = { 0 };
	struct record *r;

	(void)state;
	assert_int_equal(instance_encode(&in, &body), 0);
	r = through_the_wire(instance_envelope(&in), &body);
	assert_int_equal(instance_decode(r, &out, &why), 0);
	assert_memory_equal(&in, &out, sizeof in);
	free(r);
}

static void the_other_kinds_survive_the_wire(void **state)
{
	struct region_record region = { "ord", "Chicago", 41880000, -87630000, 0xa9a8 }, region2;
	struct node_record node = { .host = HOST, .name = "ord-1", .region = "ord", .roles = ROLE_HOST, .mesh_key = { 9 }, .n_endpoints = 2,
				    .gateway_host = "gw.example", .gateway_port = 51820, .has_gateway_key = true, .gateway_key = { 4 },
				    .endpoints = { { { 192, 0, 2, 1 }, 4, 51821, false }, { { 0x20, 1 }, 16, 51821, true } } }, node2;
	struct network_record network = { NET, "acme", "default", true }, network2;
	struct app_record app = { { 1 }, NET, "my-database" }, app2;
	struct peer_record peer = { { 2 }, NET, "Laptop of Ann", "laptop-of-ann", HOST, HOST, 0x0a, 3, "nrt", true, false, 99 }, peer2;
	struct peer_key_record key = { { 2 }, { 7 }, { 8 }, true }, key2;
	struct { struct record env; struct buf body; } rows[6] = { 0 };
	struct record *r;

	(void)state;
#define ROUND(i, what, in, out, envelope)                                        \
	assert_int_equal(what##_encode(&in, &rows[i].body), 0);                 \
	r = through_the_wire(envelope, &rows[i].body);                           \
	memset(&out, 0, sizeof out);                                             \
	assert_int_equal(what##_decode(r, &out, NULL), 0);                      \
	assert_memory_equal(&in, &out, sizeof in);                               \
	free(r);                                                                 \
	buf_deinit(&rows[i].body)
	ROUND(0, region, region, region2, region_envelope(&region));
	ROUND(1, node, node, node2, node_envelope(&node));
	ROUND(2, network, network, network2, network_envelope(&network));
	ROUND(3, app, app, app2, app_envelope(&app));
	ROUND(4, peer, peer, peer2, peer_envelope(&peer));
	ROUND(5, peer_key, key, key2, peer_key_envelope(&key, NET, HOST));
}

#define FAR 0x22222222u

/* The record's decode refuses the body, and names the field. */
static void refused(struct record r, const struct buf *body, int (*decode)(const struct record *, void *, struct why *), const char *field)
{
	uint64_t room[256];
	struct why why = { 0 };

	r.v = 7;
	r.body = body->data;
	r.body_len = body->len;
	assert_int_equal(decode(&r, room, &why), E_REFUSED);
	assert_string_equal(why.field, field);
}

static int decode_rule(const struct record *r, void *room, struct why *why)
{
	return rule_decode(r, room, why);
}

static int decode_far_instance(const struct record *r, void *room, struct why *why)
{
	return far_instance_decode(r, room, why);
}

static void a_peering_rule_survives_the_wire(void **state)
{
	struct rule_record out_in = { .id = { 9 }, .network = NET, .far_network = FAR, .outgoing = true, .every_app = true, .far_app = { 4 }, .alias = "db" };
	struct rule_record in_in = { .id = { 9 }, .network = NET, .far_network = FAR, .app = { 4 }, .far_app = { 5 } }, out;
	struct far_instance_record far = { { 9 }, "4d891ef2a03b58", NET, FAR, { 4 }, HOST, HOST + 1, 0x7d31f066, true }, far_out;
	const struct rule_record *ins[] = { &out_in, &in_in };
	struct record *r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ins); i++) {
		CLEAN_BUF struct buf body = BUF_INIT(0);

		memset(&out, 0xff, sizeof out);
		assert_int_equal(rule_encode(ins[i], &body), 0);
		r = through_the_wire(rule_envelope(ins[i]->id, NET), &body);
		assert_int_equal(rule_decode(r, &out, NULL), 0);
		assert_memory_equal(&out, ins[i], sizeof out);
		free(r);
	}
	{
		CLEAN_BUF struct buf body = BUF_INIT(0);

		memset(&far_out, 0xff, sizeof far_out);
		assert_int_equal(far_instance_encode(&far, &body), 0);
		r = through_the_wire(far_instance_envelope(far.rule, far.instance, NET), &body);
		assert_int_equal(far_instance_decode(r, &far_out, NULL), 0);
		assert_memory_equal(&far_out, &far, sizeof far);
		free(r);
	}
}

static void a_peering_rule_that_cannot_be_is_refused(void **state)
{
	static const struct {
		struct rule_record rule;
		const char *field;
	} rows[] = {
		{ { .id = { 9 }, .network = NET, .far_network = NET, .outgoing = true, .far_app = { 4 } }, "far_network" },
		{ { .id = { 9 }, .network = NET, .far_network = HOST, .outgoing = true, .far_app = { 4 } }, "far_network" },
		{ { .id = { 9 }, .network = FAR, .far_network = NET, .outgoing = true, .far_app = { 4 } }, "network" },
		{ { .id = { 8 }, .network = NET, .far_network = FAR, .outgoing = true, .far_app = { 4 } }, "key" },
		{ { .id = { 9 }, .network = NET, .far_network = FAR, .outgoing = true, .every_far_app = true }, "app" },
		{ { .id = { 9 }, .network = NET, .far_network = FAR, .every_app = true }, "app" },
		{ { .id = { 9 }, .network = NET, .far_network = FAR, .app = { 4 }, .alias = "db" }, "alias" },
		{ { .id = { 9 }, .network = NET, .far_network = FAR, .outgoing = true, .far_app = { 4 }, .alias = "Db" }, "name" },
	};
	struct far_instance_record far = { { 9 }, "4d891ef2a03b58", NET, NET, { 4 }, HOST, HOST, 0x7d31f066, true };
	const uint8_t id[8] = { 9 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEAN_BUF struct buf body = BUF_INIT(0);

		assert_int_equal(rule_encode(&rows[i].rule, &body), 0);
		refused(rule_envelope(id, NET), &body, decode_rule, rows[i].field);
	}
	for (int i = 0; i < 3; i++) {
		CLEAN_BUF struct buf body = BUF_INIT(0);

		far.far_network = i ? FAR : NET;
		far.host = i == 1 ? NET : HOST;
		far.field = i == 2 ? 10 : 0x7d31f066;
		assert_int_equal(far_instance_encode(&far, &body), 0);
		refused(far_instance_envelope(id, far.instance, NET), &body, decode_far_instance, i == 0 ? "far_network" : i == 1 ? "host" : "field");
	}
}

static int decode_flycast(const struct record *r, void *room, struct why *why)
{
	return flycast_decode(r, room, why);
}

static void a_reserved_address_survives_the_wire_and_one_that_cannot_be_is_refused(void **state)
{
	static const struct {
		struct flycast_record in;
		const char *field;
	} rows[] = {
		{ { { 9 }, FAR, 2, "web" }, "network" },
		{ { { 8 }, NET, 2, "web" }, "key" },
		{ { { 9 }, NET, 1, "web" }, "number" },
		{ { { 9 }, NET, 0x10000, "web" }, "number" },
		{ { { 9 }, NET, 2, "" }, "name" },
		{ { { 9 }, NET, 2, "we b" }, "name" },
	};
	struct flycast_record in = { { 9 }, NET, 0xffff, "web" }, out;
	CLEAN_BUF struct buf body = BUF_INIT(0);
	struct record *r;

	(void)state;
	memset(&out, 0xff, sizeof out);
	assert_int_equal(flycast_encode(&in, &body), 0);
	r = through_the_wire(flycast_envelope(&in), &body);
	assert_int_equal(flycast_decode(r, &out, NULL), 0);
	assert_memory_equal(&out, &in, sizeof out);
	free(r);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEAN_BUF struct buf bad = BUF_INIT(0);

		assert_int_equal(flycast_encode(&rows[i].in, &bad), 0);
		refused(flycast_envelope(&in), &bad, decode_flycast, rows[i].field);
	}
}

static void a_peers_key_is_another_record_at_each_gateway(void **state)
{
	struct peer_key_record in = { { 2 }, { 7 }, { 0 }, false }, out;
	CLEAN_BUF struct buf body = BUF_INIT(0);
	struct record here = peer_key_envelope(&in, NET, HOST), there = peer_key_envelope(&in, NET, HOST + 1);

	(void)state;
	assert_int_equal(here.key_len, there.key_len);
	assert_memory_not_equal(here.key, there.key, here.key_len);
	assert_int_equal(peer_key_encode(&in, &body), 0);
	here.body = body.data;
	here.body_len = body.len;
	assert_int_equal(peer_key_decode(&here, &out, NULL), 0);
	here.node = HOST + 1; /* the key names another gateway than the one that it is for */
	assert_int_equal(peer_key_decode(&here, &out, NULL), E_REFUSED);
}

static void a_workload_keeps_its_text_to_the_byte(void **state)
{
	struct workload_record in = { "4d891ef2a03b58", "{\"schema\":1}", 12 }, out;
	CLEAN_BUF struct buf body = BUF_INIT(0);
	struct record *r;

	(void)state;
	assert_int_equal(workload_encode(&in, &body), 0);
	r = through_the_wire(workload_envelope(in.instance, NET, HOST), &body);
	assert_int_equal(workload_decode(r, &out, NULL), 0);
	assert_int_equal(out.spec_len, 12);
	assert_memory_equal(out.spec, in.spec, 12);
	assert_true((const uint8_t *)out.spec >= r->body && (const uint8_t *)out.spec < r->body + r->body_len);
	free(r);
}

static void the_envelope_refuses_what_cannot_be(void **state)
{
	static const struct {
		const char *what;
		struct record r;
	} rows[] = {
		{ "no kind", { .kind = 0, .key = "ord", .key_len = 3, .v = 1 } },
		{ "kind out of range", { .kind = 99, .key = "ord", .key_len = 3, .v = 1 } },
		{ "no key", { .kind = RECORD_REGION, .v = 1 } },
		{ "key too long", { .kind = RECORD_REGION, .key = "ordx", .key_len = 4, .v = 1 } },
		{ "no version", { .kind = RECORD_REGION, .key = "ord", .key_len = 3 } },
		{ "region in a network", { .kind = RECORD_REGION, .key = "ord", .key_len = 3, .v = 1, .network = NET } },
		{ "app without network", { .kind = RECORD_APP, .key = "12345678", .key_len = 8, .v = 1 } },
		{ "network id of a host", { .kind = RECORD_APP, .key = "12345678", .key_len = 8, .v = 1, .network = 0xa0000001 } },
		{ "network id below 65536", { .kind = RECORD_APP, .key = "12345678", .key_len = 8, .v = 1, .network = 3 } },
		{ "workload for everybody", { .kind = RECORD_WORKLOAD, .key = "4d891ef2a03b58", .key_len = 14, .v = 1, .network = NET } },
		{ "instance for one node", { .kind = RECORD_INSTANCE, .key = "4d891ef2a03b58", .key_len = 14, .v = 1, .network = NET, .node = HOST } },
		{ "tombstone with a body", { .kind = RECORD_REGION, .key = "ord", .key_len = 3, .v = 1, .deleted = true, .body = (const uint8_t *)"x", .body_len = 1 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct why why = { 0 };

		if (record_check(&rows[i].r, &why) != E_REFUSED)
			fail_msg("accepted: %s", rows[i].what);
		assert_true(why.text[0] && why.field[0]);
	}
}

static void a_body_that_contradicts_its_envelope_is_refused(void **state)
{
	struct instance_record in = an_instance(), out;
	CLEAN_BUF struct buf body = BUF_INIT(0);
	struct record r = instance_envelope(&in);

	(void)state;
	assert_int_equal(instance_encode(&in, &body), 0);
	r.v = 1;
	r.body = body.data;
	r.body_len = body.len;
	assert_int_equal(instance_decode(&r, &out, NULL), 0);
	r.network = NET + 1;
	assert_int_equal(instance_decode(&r, &out, NULL), E_REFUSED);
	r.network = NET;
	r.key[0] = 'f';
	assert_int_equal(instance_decode(&r, &out, NULL), E_REFUSED);
}

static void bodies_with_bad_fields_are_refused(void **state)
{
	struct instance_record bad[5];
	struct instance_record out;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		bad[i] = an_instance();
	bad[0].host = 1;
	bad[1].instance = 0xffff;
	bad[2].desired = 9;
	strcpy(bad[3].group, "No Good");
	bad[4].observed.state = 99;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CLEAN_BUF struct buf body = BUF_INIT(0);
		struct record r = instance_envelope(&bad[i]);
		struct why why = { 0 };

		assert_int_equal(instance_encode(&bad[i], &body), 0);
		r.v = 1;
		r.body = body.data;
		r.body_len = body.len;
		assert_int_equal(instance_decode(&r, &out, &why), E_REFUSED);
		assert_true(why.text[0]);
	}
}

static void every_truncation_of_a_record_is_refused_or_another_record(void **state)
{
	struct instance_record in = an_instance(), out;
	CLEAN_BUF struct buf body = BUF_INIT(0), bytes = BUF_INIT(0);
	struct record r = instance_envelope(&in), back;

	(void)state;
	assert_int_equal(instance_encode(&in, &body), 0);
	r.v = 1;
	r.body = body.data;
	r.body_len = body.len;
	assert_int_equal(record_encode(&r, &bytes), 0);
	for (size_t n = 0; n < bytes.len; n++)
		if (record_decode(bytes.data, n, &back, NULL) == 0 && instance_decode(&back, &out, NULL) == 0)
			fail_msg("%zu of %zu bytes were a whole instance", n, bytes.len);
}

static void a_digest_does_not_depend_on_order_and_forgets_what_is_removed(void **state)
{
	struct record a = { .kind = RECORD_REGION, .key = "ord", .key_len = 3, .v = 1, .body = (const uint8_t *)"A", .body_len = 1 };
	struct record b = { .kind = RECORD_REGION, .key = "nrt", .key_len = 3, .v = 2, .body = (const uint8_t *)"B", .body_len = 1 };
	struct digest ab = { 0 }, ba = { 0 }, none = { 0 }, only_a = { 0 };

	(void)state;
	digest_add(&ab, &a);
	digest_add(&ab, &b);
	digest_add(&ba, &b);
	digest_add(&ba, &a);
	assert_true(digest_equal(&ab, &ba));
	digest_add(&only_a, &a);
	digest_remove(&ba, &b);
	assert_true(digest_equal(&only_a, &ba));
	digest_remove(&ba, &a);
	assert_true(digest_equal(&none, &ba));
	digest_join(&none, &ab);
	assert_true(digest_equal(&none, &ab));
}

static void a_digest_sees_every_part_of_a_record(void **state)
{
	struct record a = { .kind = RECORD_REGION, .key = "ord", .key_len = 3, .v = 1, .body = (const uint8_t *)"A", .body_len = 1 };
	struct record changed[4];
	struct digest one = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(changed); i++)
		changed[i] = a;
	changed[0].kind = RECORD_NODE;
	changed[1].key[0] = 'x';
	changed[2].v = 2;
	changed[3].body = (const uint8_t *)"B";
	digest_add(&one, &a);
	for (size_t i = 0; i < ARRAY_LEN(changed); i++) {
		struct digest other = { 0 };

		digest_add(&other, &changed[i]);
		assert_false(digest_equal(&one, &other));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_instance_survives_the_wire),
		cmocka_unit_test(the_other_kinds_survive_the_wire),
		cmocka_unit_test(a_peers_key_is_another_record_at_each_gateway),
		cmocka_unit_test(a_peering_rule_survives_the_wire),
		cmocka_unit_test(a_peering_rule_that_cannot_be_is_refused),
		cmocka_unit_test(a_reserved_address_survives_the_wire_and_one_that_cannot_be_is_refused),
		cmocka_unit_test(a_workload_keeps_its_text_to_the_byte),
		cmocka_unit_test(the_envelope_refuses_what_cannot_be),
		cmocka_unit_test(a_body_that_contradicts_its_envelope_is_refused),
		cmocka_unit_test(bodies_with_bad_fields_are_refused),
		cmocka_unit_test(every_truncation_of_a_record_is_refused_or_another_record),
		cmocka_unit_test(a_digest_does_not_depend_on_order_and_forgets_what_is_removed),
		cmocka_unit_test(a_digest_sees_every_part_of_a_record),
	};

	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
