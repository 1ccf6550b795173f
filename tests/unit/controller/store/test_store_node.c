/* Regions, join tokens, enrolment, nodes. */
#include "tests/unit/controller/store/store_fixture.h"

static int enroll(struct fixture *f, struct store_enroll *in, struct store_node *node, bool *created)
{
	return DO(f, &f->root, store_node_enroll(store, op, in, node, created));
}

static int64_t number(struct fixture *f, const char *sql)
{
	int64_t value = -1;

	assert_int_equal(sql_get_int(f->store, &value, sql, ""), 0);
	return value;
}

/* ---- regions ---- */

static void a_region_takes_its_place_from_the_built_in_list(void **state)
{
	struct fixture *f = *state;
	struct store_region region;
	struct region_record rec;

	make_region(f, "ord");
	assert_int_equal(f->op.v, 1);
	assert_int_equal(region_decode(f->op.records[0], &rec, NULL), 0);
	assert_int_equal(store_region_find(f->store, &f->root, "ord", &region, NULL), 0);
	assert_string_equal(region.city, "Chicago");
	assert_int_equal(region.locator, rec.locator);
	assert_int_equal(region.locator >> 12, 0xA);
}

static void a_region_that_is_not_in_the_list_needs_its_place(void **state)
{
	struct fixture *f = *state;
	struct store_region_new in = { .name = "zzz" };
	struct store_region region;

	assert_refused(f, DO(f, &f->root, store_region_create(store, op, &in, &region)), "place_unknown");
	in.city = "Nowhere";
	in.has_place = true;
	in.latitude = 91;
	assert_refused(f, DO(f, &f->root, store_region_create(store, op, &in, &region)), "value_invalid");
	in.latitude = 10;
	assert_good(f, DO(f, &f->root, store_region_create(store, op, &in, &region)));
	assert_int_equal(region.latitude_udeg, 10000000);
}

static void a_locator_is_never_given_twice_even_after_a_delete(void **state)
{
	struct fixture *f = *state;
	struct store_region_new in = { .name = "ord" };
	struct store_region first, second;

	assert_good(f, DO(f, &f->root, store_region_create(store, op, &in, &first)));
	assert_good(f, DO(f, &f->root, store_region_delete(store, op, "ord")));
	assert_true(f->op.records[0]->deleted);
	assert_good(f, DO(f, &f->root, store_region_create(store, op, &in, &second)));
	assert_int_equal(second.locator, first.locator ^ 1); /* the nearest free one */
	in.name = "nrt";
	in.locator = first.locator;
	assert_refused(f, DO(f, &f->root, store_region_create(store, op, &in, &second)), "locator_taken");
}

static void names_that_are_taken_or_reserved_or_wrong_are_refused(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *name, *code;
	} rows[] = { { "ord", "name_taken" }, { "vms", "name_reserved" }, { "ORD", "name_invalid" }, { "", "name_invalid" } };

	make_region(f, "ord");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct store_region_new in = { .name = rows[i].name, .city = "X", .has_place = true };
		struct store_region region;

		assert_refused(f, DO(f, &f->root, store_region_create(store, op, &in, &region)), rows[i].code);
	}
	assert_int_equal(store_head(f->store), 1);
}

static void a_region_with_a_node_stays(void **state)
{
	struct fixture *f = *state;
	struct store_node node;

	make_region(f, "ord");
	node = make_node(f, "ord", 1);
	assert_refused(f, DO(f, &f->root, store_region_delete(store, op, "ord")), "region_in_use");
	assert_good(f, DO(f, &f->root, store_node_delete(store, op, node.name, false, &node)));
	assert_good(f, DO(f, &f->root, store_region_delete(store, op, "ord")));
}

static void a_region_that_is_missing_is_refused_naming_those_that_are_there(void **state)
{
	struct fixture *f = *state;
	struct store_region region;
	struct why why;

	make_region(f, "ord");
	make_region(f, "dev");
	assert_int_equal(store_region_find(f->store, &f->root, "fra", &region, &why), E_REFUSED);
	assert_string_equal(why.code, "region_not_found");
	assert_non_null(strstr(why.text, "dev, ord"));
}

/* ---- enrolment ---- */

static void a_node_gets_a_host_word_in_its_region_and_a_record(void **state)
{
	struct fixture *f = *state;
	struct store_region region;
	struct store_node node, again;
	struct node_record rec;

	make_region(f, "ord");
	node = make_node(f, "ord", 1);
	assert_int_equal(store_region_find(f->store, &f->root, "ord", &region, NULL), 0);
	assert_int_equal(node.host >> 16, region.locator);
	assert_true(addr_host_valid(node.host));
	assert_string_equal(node.name, "ord-1");
	assert_int_equal(f->op.n_records, 2); /* the token's use, the node */
	assert_int_equal(node_decode(f->op.records[1], &rec, NULL), 0);
	assert_int_equal(rec.host, node.host);
	assert_int_equal(store_node_find_by_key(f->store, &f->root, node.link_key, &again, NULL), 0);
	assert_int_equal(again.host, node.host);
	assert_int_equal(again.n_endpoints, 1);
	assert_int_equal(again.endpoints[0].port, 51821);
}

static void the_same_token_and_key_give_the_same_node_again(void **state)
{
	struct fixture *f = *state;
	char secret[STORE_NODE_SECRET_SIZE];
	struct store_node_token token;
	struct store_node first, again;
	struct store_enroll in;
	bool created;
	uint64_t head;

	make_region(f, "ord");
	token = make_node_token(f, "ord", 1, secret);
	in = enroll_with(&token, secret, 1);
	assert_good(f, enroll(f, &in, &first, &created));
	assert_true(created);
	head = store_head(f->store);
	f->time.now_ms += 365ull * 86400 * 1000;
	assert_good(f, enroll(f, &in, &again, &created));
	assert_false(created);
	assert_int_equal(again.host, first.host);
	assert_int_equal(store_head(f->store), head);
	in.endpoints[0].port = 4000; /* it moved meanwhile */
	assert_good(f, enroll(f, &in, &again, &created));
	assert_int_equal(again.host, first.host);
	assert_int_equal(store_head(f->store), head + 1);
}

static void another_key_with_a_used_token_is_refused_counted_and_kept_in_the_log(void **state)
{
	struct fixture *f = *state;
	char secret[STORE_NODE_SECRET_SIZE], id[ID_TEXT_SIZE];
	struct store_node_token token;
	struct store_enroll in;
	struct store_node node;
	bool created;
	uint64_t head;

	make_region(f, "ord");
	token = make_node_token(f, "ord", 1, secret);
	in = enroll_with(&token, secret, 1);
	assert_good(f, enroll(f, &in, &node, &created));
	head = store_head(f->store);
	in = enroll_with(&token, secret, 2);
	assert_refused(f, enroll(f, &in, &node, &created), "join_token_used_up");
	assert_int_equal(store_head(f->store), head + 1);
	assert_int_equal(store_node_token_find(f->store, &f->root, id_text(token.id, id), &token, NULL), 0);
	assert_int_equal(token.refused, 1);
	assert_int_equal(token.used, 1);
	assert_int_equal(number(f, "SELECT count(*) FROM node"), 1);
	for (int i = 0; i < 150; i++) /* a thief cannot fill the log */
		assert_refused(f, enroll(f, &in, &node, &created), "join_token_used_up");
	assert_int_equal(store_head(f->store), head + 100);
	assert_int_equal(store_node_token_find(f->store, &f->root, id, &token, NULL), 0);
	assert_int_equal(token.refused, 151);
}

static void a_wrong_secret_is_refused_and_changes_nothing(void **state)
{
	struct fixture *f = *state;
	char secret[STORE_NODE_SECRET_SIZE];
	struct store_node_token token;
	struct store_enroll in;
	struct store_node node;
	bool created;
	uint64_t head;

	make_region(f, "ord");
	token = make_node_token(f, "ord", 1, secret);
	head = store_head(f->store);
	in = enroll_with(&token, "00000000000000000000000000000000", 1);
	assert_refused(f, enroll(f, &in, &node, &created), "join_token_invalid");
	in = enroll_with(&token, secret, 1);
	in.token_id[0] ^= 1;
	assert_refused(f, enroll(f, &in, &node, &created), "join_token_invalid");
	assert_int_equal(store_head(f->store), head);
}

static void a_token_that_is_over_or_for_something_else_is_refused(void **state)
{
	struct fixture *f = *state;
	static const uint8_t net[16] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 0 };
	uint8_t key[32];
	struct store_node_token_new in = { .region = "ord", .roles = ROLE_GATEWAY, .uses = 2, .expires_ms = T0 + 1000 };
	char secret[STORE_NODE_SECRET_SIZE], id[ID_TEXT_SIZE];
	struct store_node_token token;
	struct store_enroll request;
	struct store_node node;
	bool created;

	memset(key, 5, sizeof key);
	in.key = key;
	in.source = net;
	in.source_bits = 120;
	make_region(f, "ord");
	assert_good(f, DO(f, &f->root, store_node_token_create(store, op, &in, &token, secret)));
	request = enroll_with(&token, secret, 6);
	request.roles = ROLE_GATEWAY;
	memcpy(request.source, net, 16);
	request.source[15] = 77;
	assert_refused(f, enroll(f, &request, &node, &created), "join_token_wrong_key");
	memcpy(request.link_key, key, 32);
	request.source[14] = 3;
	assert_refused(f, enroll(f, &request, &node, &created), "join_token_wrong_source");
	request.source[14] = 2;
	request.roles = ROLE_HOST;
	assert_refused(f, enroll(f, &request, &node, &created), "join_token_wrong_role");
	request.roles = ROLE_GATEWAY;
	f->time.now_ms = 1000;
	assert_refused(f, enroll(f, &request, &node, &created), "join_token_expired");
	f->time.now_ms = 999;
	assert_good(f, enroll(f, &request, &node, &created));
	memset(request.link_key, 8, 32);
	assert_good(f, DO(f, &f->root, store_node_token_revoke(store, op, id_text(token.id, id), &token)));
	assert_refused(f, enroll(f, &request, &node, &created), "join_token_revoked");
}

static void keys_of_another_node_are_refused(void **state)
{
	struct fixture *f = *state;
	char secret[STORE_NODE_SECRET_SIZE];
	struct store_node_token token;
	struct store_node node;
	struct store_enroll in;
	bool created;

	make_region(f, "ord");
	node = make_node(f, "ord", 1);
	token = make_node_token(f, "ord", 5, secret);
	in = enroll_with(&token, secret, 1);
	assert_refused(f, enroll(f, &in, &node, &created), "link_key_in_use");
	memset(in.link_key, 2, 32);
	assert_refused(f, enroll(f, &in, &node, &created), "mesh_key_in_use");
	assert_good(f, DO(f, &f->root, store_node_delete(store, op, "ord-1", false, &node)));
	in = enroll_with(&token, secret, 1);
	assert_refused(f, enroll(f, &in, &node, &created), "node_revoked");
}

static void names_of_nodes_are_made_unique(void **state)
{
	struct fixture *f = *state;
	char secret[STORE_NODE_SECRET_SIZE];
	struct store_node_token token;
	bool created;

	make_region(f, "ord");
	token = make_node_token(f, "ord", 9, secret);
	for (uint8_t i = 1; i <= 3; i++) {
		struct store_enroll in = enroll_with(&token, secret, i);
		static const char *const expected[] = { "rack", "rack-2", "rack-3" };
		struct store_node node;

		in.name = "rack";
		assert_good(f, enroll(f, &in, &node, &created));
		assert_string_equal(node.name, expected[i - 1]);
	}
}

static void host_words_are_never_given_twice(void **state)
{
	struct fixture *f = *state;
	struct store_node first, second;

	make_region(f, "ord");
	first = make_node(f, "ord", 1);
	assert_good(f, DO(f, &f->root, store_node_delete(store, op, first.name, false, &second)));
	f->time.seed = 1; /* randomness repeats itself from here on */
	for (uint8_t i = 2; i < 30; i++) {
		second = make_node(f, "ord", i);
		assert_int_not_equal(second.host, first.host);
	}
	assert_int_equal(number(f, "SELECT count(*) FROM host_given"), 29);
}

/* ---- nodes ---- */

static void a_deleted_node_is_gone_but_its_row_stays_revoked(void **state)
{
	struct fixture *f = *state;
	struct store_node node, gone;
	struct why why;

	make_region(f, "ord");
	node = make_node(f, "ord", 1);
	assert_good(f, DO(f, &f->root, store_node_delete(store, op, node.name, false, &gone)));
	assert_true(f->op.records[0]->deleted);
	assert_int_equal(f->op.records[0]->intent, INTENT_NODE);
	assert_int_equal(store_node_find_by_key(f->store, &f->root, node.link_key, &gone, &why), E_REFUSED);
	assert_int_equal(store_node_find(f->store, &f->root, node.name, &gone, &why), E_REFUSED);
	assert_refused(f, DO(f, &f->root, store_node_delete(store, op, "ord-1", false, &gone)), "node_not_found");
	assert_int_equal(number(f, "SELECT count(*) FROM node WHERE revoked_at > 0"), 1);
}

static void draining_is_a_record_once(void **state)
{
	struct fixture *f = *state;
	struct store_node node;
	struct node_record rec;

	make_region(f, "ord");
	make_node(f, "ord", 1);
	assert_good(f, DO(f, &f->root, store_node_drain(store, op, "ord-1", true, &node)));
	assert_int_equal(node_decode(f->op.records[0], &rec, NULL), 0);
	assert_true(rec.draining);
	assert_good(f, DO(f, &f->root, store_node_drain(store, op, "ord-1", true, &node)));
	assert_int_equal(f->op.v, 0);
}

static void a_lower_boot_count_is_a_conflict(void **state)
{
	struct fixture *f = *state;
	static const uint8_t boot[16] = { 1 };
	struct store_node node;
	struct principal self;
	uint64_t head;

	make_region(f, "ord");
	node = make_node(f, "ord", 1);
	self = principal_node(node.host, node.name);
	head = store_head(f->store);
	assert_good(f, DO(f, &self, store_node_session(store, op, node.host, boot, 5, "0.1")));
	assert_refused(f, DO(f, &self, store_node_session(store, op, node.host, boot, 4, "0.1")), "node_boot_conflict");
	assert_refused(f, DO(f, &self, store_node_session(store, op, node.host + 1, boot, 6, "0.1")), "node_not_found");
	assert_int_equal(store_head(f->store), head);
}

static void endpoints_become_a_record_when_they_differ(void **state)
{
	struct fixture *f = *state;
	struct addr_endpoint ends[2] = { { .address = { 10, 0, 0, 1 }, .address_len = 4, .port = 1, .lan = true },
					 { .address = { 0x20, 1 }, .address_len = 16, .port = 2 } };
	struct store_node node;

	make_region(f, "ord");
	node = make_node(f, "ord", 1);
	assert_good(f, DO(f, &f->root, store_node_set_endpoints(store, op, node.host, ends, 2)));
	assert_int_not_equal(f->op.v, 0);
	assert_good(f, DO(f, &f->root, store_node_set_endpoints(store, op, node.host, ends, 2)));
	assert_int_equal(f->op.v, 0);
	assert_int_equal(store_node_find(f->store, &f->root, "ord-1", &node, NULL), 0);
	assert_int_equal(node.n_endpoints, 2);
	assert_true(node.endpoints[0].lan);
	assert_int_equal(node.endpoints[1].address_len, 16);
}

static void collect_host(void *arg, const struct store_node *node)
{
	uint32_t **at = arg;

	*(*at)++ = node->host;
}

static void lists_come_in_pages_that_join_up(void **state)
{
	struct fixture *f = *state;
	uint32_t hosts[8], *at = hosts;
	struct store_page page = { .limit = 3 };
	struct store_next next;

	make_region(f, "ord");
	for (uint8_t i = 1; i <= 8; i++)
		make_node(f, "ord", i);
	do {
		assert_int_equal(store_node_list(f->store, &f->root, NULL, &page, collect_host, &at, &next, NULL), 0);
		page.after = next.cursor;
	} while (next.cursor[0]);
	assert_ptr_equal(at, hosts + 8);
	for (int i = 1; i < 8; i++)
		assert_true(hosts[i] > hosts[i - 1]);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_region_takes_its_place_from_the_built_in_list),
		T(a_region_that_is_not_in_the_list_needs_its_place),
		T(a_locator_is_never_given_twice_even_after_a_delete),
		T(names_that_are_taken_or_reserved_or_wrong_are_refused),
		T(a_region_with_a_node_stays),
		T(a_region_that_is_missing_is_refused_naming_those_that_are_there),
		T(a_node_gets_a_host_word_in_its_region_and_a_record),
		T(the_same_token_and_key_give_the_same_node_again),
		T(another_key_with_a_used_token_is_refused_counted_and_kept_in_the_log),
		T(a_wrong_secret_is_refused_and_changes_nothing),
		T(a_token_that_is_over_or_for_something_else_is_refused),
		T(keys_of_another_node_are_refused),
		T(names_of_nodes_are_made_unique),
		T(host_words_are_never_given_twice),
		T(a_deleted_node_is_gone_but_its_row_stays_revoked),
		T(draining_is_a_record_once),
		T(a_lower_boot_count_is_a_conflict),
		T(endpoints_become_a_record_when_they_differ),
		T(lists_come_in_pages_that_join_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
