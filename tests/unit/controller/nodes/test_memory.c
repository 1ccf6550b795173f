/* memory, ring and scope by themselves. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "controller/nodes/ring.h"
#include "controller/nodes/scope.h"

#include <stdlib.h>
#include <string.h>

#define NET 0x00012345u
#define HOST_A 0xa1230001u
#define HOST_B 0xa1230002u

static struct memory_record *make(uint32_t kind, const char *key, uint32_t network, uint32_t node, uint64_t v, bool deleted)
{
	struct record r = { .kind = kind, .key_len = (uint8_t)strlen(key), .network = network, .node = node, .v = v, .deleted = deleted };
	struct memory_record *entry;

	memcpy(r.key, key, r.key_len);
	r.body = (const uint8_t *)"body";
	r.body_len = deleted ? 0 : 4;
	assert_int_equal(memory_record_new(&r, &entry), 0);
	return entry;
}

static void put(struct memory *m, struct memory_record *entry)
{
	struct memory_record *old;

	assert_int_equal(memory_take(m, entry, &old), 0);
	memory_record_unref(old);
	memory_record_unref(entry);
}

static void a_part_has_the_digest_of_its_records(void **state)
{
	struct memory m = { 0 };
	struct digest want = { 0 };
	const struct memory_part *part;

	(void)state;
	put(&m, make(RECORD_APP, "app-0001", NET, 0, 1, false));
	put(&m, make(RECORD_APP, "app-0002", NET, 0, 2, false));
	put(&m, make(RECORD_APP, "app-0001", NET, 0, 3, false)); /* replaces */
	put(&m, make(RECORD_WORKLOAD, "0123456789abcd", NET, HOST_A, 4, false));
	digest_add(&want, &memory_find(&m, RECORD_APP, "app-0001", 8)->record);
	digest_add(&want, &memory_find(&m, RECORD_APP, "app-0002", 8)->record);
	part = memory_part(&m, NET, 0);
	assert_true(digest_equal(&part->digest, &want));
	assert_int_equal(part->last->record.v, 3);
	assert_int_equal(memory_part(&m, 0, HOST_A)->digest.count, 1);
	memory_deinit(&m);
}

static void a_tombstone_takes_the_record_and_an_empty_part(void **state)
{
	struct memory m = { 0 };

	(void)state;
	put(&m, make(RECORD_APP, "app-0001", NET, 0, 1, false));
	put(&m, make(RECORD_APP, "app-0001", NET, 0, 2, true));
	assert_null(memory_find(&m, RECORD_APP, "app-0001", 8));
	assert_null(memory_part(&m, NET, 0));
	assert_int_equal(m.bytes, 0);
	memory_deinit(&m);
}

static void a_record_that_no_node_may_see_is_refused(void **state)
{
	struct record r = { .kind = RECORD_TOKEN, .key = "12345678", .key_len = 8, .v = 1, .body = (const uint8_t *)"{}", .body_len = 2 };
	struct memory_record *entry;

	(void)state;
	assert_int_equal(memory_record_new(&r, &entry), -EBADMSG);
}

static void the_ring_keeps_the_newest_and_says_where_it_begins(void **state)
{
	struct memory_record *entry = make(RECORD_REGION, "ord", 0, 0, 1, false);
	struct ring r;

	(void)state;
	ring_init(&r, 100, 1 << 20, 10);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(ring_push(&r, i % 2 ? entry : NULL, (uint64_t)i, UINT64_MAX), 0);
	assert_int_equal(r.head, 1100);
	assert_int_equal(ring_floor(&r), 1090);
	assert_null(ring_at(&r, 1090));
	assert_null(ring_at(&r, 1101));
	assert_int_equal(ring_at(&r, 1091)->committed_ms, 990);
	assert_int_equal(ring_at(&r, 1100)->committed_ms, 999);
	ring_deinit(&r);
	assert_int_equal(entry->refs, 1);
	memory_record_unref(entry);
}

static void the_ring_is_bounded_by_bytes_too(void **state)
{
	struct memory_record *entry = make(RECORD_REGION, "ord", 0, 0, 1, false);
	struct ring r;

	(void)state;
	ring_init(&r, 0, 10 * (sizeof(struct ring_entry) + entry->packed_len), 1000);
	for (int i = 0; i < 100; i++)
		assert_int_equal(ring_push(&r, entry, 0, UINT64_MAX), 0);
	assert_int_equal(r.n, 10);
	ring_deinit(&r);
	memory_record_unref(entry);
}

static void the_ring_waits_for_a_snapshot_but_not_without_limit(void **state)
{
	struct ring r;

	(void)state;
	ring_init(&r, 0, 1 << 20, 10);
	for (int i = 0; i < 15; i++)
		assert_int_equal(ring_push(&r, NULL, 0, 3), 0);
	assert_int_equal(ring_floor(&r), 3);
	for (int i = 0; i < 100; i++)
		assert_int_equal(ring_push(&r, NULL, 0, 3), 0);
	assert_int_equal(r.n, 20);
	ring_deinit(&r);
}

/* ---- scope ---- */

struct instance_bytes {
	struct buf body;
	struct record record;
};

static struct instance_bytes instance(const char *id, uint32_t home, uint32_t host, uint64_t v)
{
	struct instance_record in = { .network = NET, .home_host = home, .host = host, .instance = 0x10001, .desired = DESIRED_STARTED,
				      .generation = 1 };
	struct instance_bytes out = { .body = BUF_INIT(4096) };

	memcpy(in.id, id, sizeof in.id);
	assert_int_equal(instance_encode(&in, &out.body), 0);
	out.record = instance_envelope(&in);
	out.record.v = v;
	out.record.body = out.body.data;
	out.record.body_len = out.body.len;
	return out;
}

static void a_network_is_present_where_its_instances_run_and_are_at_home(void **state)
{
	struct instance_bytes i = instance("0123456789abcd", HOST_A, HOST_B, 5);
	struct scopes s = { 0 };
	struct scope_change change;

	(void)state;
	assert_int_equal(scopes_note(&s, NULL, &i.record, 5, 0, false, &change), 0);
	assert_int_equal(change.n, 2);
	assert_true(scope_has(scopes_of(&s, HOST_A), NET));
	assert_true(scope_has(scopes_of(&s, HOST_B), NET));
	assert_int_equal(scopes_audience(&s, NET)->n, 2);
	assert_int_equal(scope_find(scopes_of(&s, HOST_A), NET)->entered_v, 5);
	scopes_deinit(&s);
	buf_deinit(&i.body);
}

static void a_network_is_present_where_a_key_of_a_peer_is_on_its_way_to(void **state)
{
	struct peer_key_record in = { .peer = { 2 } };
	struct record to_b = peer_key_envelope(&in, NET, HOST_B);
	struct scopes s = { 0 };
	struct scope_change change;

	(void)state;
	assert_int_equal(scopes_note(&s, NULL, &to_b, 5, 0, false, &change), 0);
	assert_int_equal(change.n, 1);
	assert_true(scope_has(scopes_of(&s, HOST_B), NET));
	assert_false(scope_has(scopes_of(&s, HOST_A), NET));
	assert_int_equal(scopes_note(&s, &to_b, NULL, 6, 0, false, &change), 0);
	assert_false(scope_has(scopes_of(&s, HOST_B), NET));
	scopes_deinit(&s);
}

static void an_update_in_place_is_no_change_of_scope(void **state)
{
	struct instance_bytes i = instance("0123456789abcd", HOST_A, HOST_A, 5);
	struct scopes s = { 0 };
	struct scope_change change;

	(void)state;
	assert_int_equal(scopes_note(&s, NULL, &i.record, 5, 0, false, &change), 0);
	assert_int_equal(scopes_note(&s, &i.record, &i.record, 6, 0, false, &change), 0);
	assert_int_equal(change.n, 0);
	assert_int_equal(scope_find(scopes_of(&s, HOST_A), NET)->entered_v, 5);
	assert_int_equal(scopes_of(&s, HOST_A)->version, 5);
	scopes_deinit(&s);
	buf_deinit(&i.body);
}

static void the_last_one_to_go_ends_the_presence_at_its_v(void **state)
{
	struct instance_bytes i = instance("0123456789abcd", HOST_A, HOST_A, 5), j = instance("0123456789abce", HOST_A, HOST_A, 6);
	struct scopes s = { 0 };
	struct scope_change change;
	struct record later = { .kind = RECORD_APP, .network = NET, .v = 9 };

	(void)state;
	assert_int_equal(scopes_note(&s, NULL, &i.record, 5, 0, false, &change), 0);
	assert_int_equal(scopes_note(&s, NULL, &j.record, 6, 0, false, &change), 0);
	assert_int_equal(scopes_note(&s, &i.record, NULL, 7, 0, false, &change), 0);
	assert_int_equal(change.n, 0);
	assert_int_equal(scopes_note(&s, &j.record, NULL, 8, 0, false, &change), 0);
	assert_int_equal(change.n, 1);
	assert_false(scope_has(scopes_of(&s, HOST_A), NET));
	assert_int_equal(scope_find(scopes_of(&s, HOST_A), NET)->left_v, 8);
	assert_null(scopes_audience(&s, NET));
	assert_int_equal(scopes_of(&s, HOST_A)->version, 8);
	assert_true(scope_touched_by(scopes_of(&s, HOST_A), HOST_A, &j.record));
	assert_false(scope_touched_by(scopes_of(&s, HOST_A), HOST_A, &later));
	scopes_deinit(&s);
	buf_deinit(&i.body);
	buf_deinit(&j.body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_part_has_the_digest_of_its_records),
		cmocka_unit_test(a_tombstone_takes_the_record_and_an_empty_part),
		cmocka_unit_test(a_record_that_no_node_may_see_is_refused),
		cmocka_unit_test(the_ring_keeps_the_newest_and_says_where_it_begins),
		cmocka_unit_test(the_ring_is_bounded_by_bytes_too),
		cmocka_unit_test(the_ring_waits_for_a_snapshot_but_not_without_limit),
		cmocka_unit_test(a_network_is_present_where_its_instances_run_and_are_at_home),
		cmocka_unit_test(a_network_is_present_where_a_key_of_a_peer_is_on_its_way_to),
		cmocka_unit_test(an_update_in_place_is_no_change_of_scope),
		cmocka_unit_test(the_last_one_to_go_ends_the_presence_at_its_v),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
