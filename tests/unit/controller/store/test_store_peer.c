/* A new peer in the store: its name and label, its key, and where its tunnel ends. */
#include "tests/unit/controller/store/peer_fixture.h"

#include "controller/store/peer_key.h"
#include "lib/sixpn/peer_name.h"

static void a_peer_and_its_key_are_made_in_one_change_and_only_its_gateway_is_told_the_key(void **state)
{
	struct peers *p = *state;
	struct fixture *f = p->f;
	struct store_peer peer = make_peer(f, "acme", "Laptop", 1, p->live, 2);
	struct peer_key_record key;
	struct peer_record rec;

	assert_int_equal(f->op.n_records, 2);
	assert_int_equal(f->op.first_v + 1, f->op.v);
	assert_int_equal(f->op.records[0]->kind, RECORD_PEER_KEY);
	assert_int_equal(f->op.records[0]->node, peer.record.gateway);
	assert_int_equal(peer_key_decode(f->op.records[0], &key, NULL), 0);
	assert_memory_equal(key.public_key, peer.public_key, 32);
	assert_int_equal(f->op.records[1]->kind, RECORD_PEER);
	assert_int_equal(f->op.records[1]->node, 0);
	assert_int_equal(peer_decode(f->op.records[1], &rec, NULL), 0);
	assert_string_equal(rec.name, "Laptop");
	assert_string_equal(rec.label, "laptop");
	assert_int_equal(rec.home_gateway, rec.gateway);
	assert_int_equal(rec.instance, ADDR_PEER_INSTANCE_MIN); /* as people know them: ..:0:a:xx02 */
	assert_string_equal(peer.gateway_host, "gw.example.net");
	assert_int_equal(peer.v, f->op.v);
}

static void a_name_is_one_whatever_its_case_and_free_in_another_org(void **state)
{
	struct peers *p = *state;
	struct store_peer_new in = peer_in("acme", "LAPTOP", NULL, 2, p->live, 2);
	struct store_peer peer;

	make_peer(p->f, "acme", "laptop", 1, p->live, 2);
	assert_refused(p->f, create(p, &p->f->root, &in, &peer), "name_taken");
	make_peer(p->f, "globex", "laptop", 3, p->live, 2);
}

/* ---- names and labels ---- */

static void a_name_that_is_no_label_gets_one_that_can_be_read_and_stays(void **state)
{
	static const char long_name[] = "static-my-office-laptop-in-berlin-someone-example-com-01KCD3F4G5H6J7K8M9N0PQRSTV";
	static const struct {
		const char *name, *label;
	} rows[] = { { "Laptop", "laptop" }, { "a", "a" }, { "interactive-agent-1", "interactive-agent-1" } };
	char label[NAME_SIZE], other[NAME_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		peer_name_label(rows[i].name, 0, label);
		assert_string_equal(label, rows[i].label);
	}
	peer_name_label(long_name, 0, label);
	assert_int_equal(strlen(label), NAME_LABEL_MAX);
	assert_memory_equal(label, "static-my-office-laptop-in-berlin-", 34);
	peer_name_label(long_name, 0, other);
	assert_string_equal(label, other);
	peer_name_label("4g-router", 0, label);
	assert_memory_equal(label, "p-4g-router-", 12);
}

static void what_is_no_name_of_a_peer_is_refused(void **state)
{
	static const char *const wrong[] = { "", "-a", "a-", "a\\b", "a b", "a.b", "a_b", "a/b", "\x01", "\xc3\xbc", "a\n" };
	struct why why;
	char name[300];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		assert_int_equal(peer_name_check(wrong[i], &why), E_REFUSED);
		assert_string_equal(why.code, "name_invalid");
	}
	assert_int_equal(peer_name_check("my.laptop", &why), E_REFUSED);
	assert_non_null(strstr(why.text, "peer name \"my.laptop\": character \".\" at position 3 ")); /* all of it, not what is before the fault */
	memset(name, 'a', sizeof name);
	memcpy(name + 39, "\xc3\xbc", 2);
	name[60] = 0;
	assert_int_equal(peer_name_check(name, &why), E_REFUSED);
	assert_non_null(strstr(why.text, "aaa...\": ")); /* cut, but not inside a character */
	memset(name, 'a', sizeof name);
	name[256] = 0;
	assert_int_equal(peer_name_check(name, &why), E_REFUSED);
	name[255] = 0;
	assert_int_equal(peer_name_check(name, &why), 0);
}

static void two_names_whose_labels_would_be_one_get_two(void **state)
{
	struct peers *p = *state;
	char name[300], label[NAME_SIZE];
	struct store_peer a, b;

	memset(name, 'a', 200);
	name[200] = 0;
	peer_name_label(name, 0, label);
	a = make_peer(p->f, "acme", label, 1, p->live, 2); /* who was first has it */
	assert_string_equal(a.record.label, label);
	b = make_peer(p->f, "acme", name, 2, p->live, 2);
	assert_string_not_equal(a.record.label, b.record.label);
	assert_memory_equal(b.record.label, "aaaa", 4);
}

/* ---- keys ---- */

static int parse_bytes(const uint8_t bytes[32], struct why *why)
{
	char text[CRYPTO_BASE64_KEY_LEN + 1];
	uint8_t key[32];

	crypto_base64(bytes, 32, text);
	return peer_key_parse("public_key", text, key, why);
}

/* RFC 7748 and the list of every implementation that checks: the points whose order divides eight, and their other spellings. */
static const char *const low_order[] = {
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
	"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"cdeb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b880",
	"4c9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f11d7",
	"d9ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"daffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"dbffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
};

static void keys_with_which_no_secret_can_be_agreed_are_refused(void **state)
{
	uint8_t key[32];
	struct why why;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(low_order); i++) {
		assert_int_equal(crypto_unhex(low_order[i], 64, key, sizeof key), 0);
		if (parse_bytes(key, &why) != E_REFUSED)
			fail_msg("%s was taken", low_order[i]);
		assert_string_equal(why.code, "key_invalid");
	}
	for (unsigned seed = 1; seed < 50; seed++) { /* and what programs make is taken, but not with its top bit set */
		make_public_key(seed, key);
		assert_int_equal(parse_bytes(key, &why), 0);
		key[31] |= 0x80;
		assert_int_equal(parse_bytes(key, &why), E_REFUSED);
	}
}

static void what_is_not_base64_of_32_bytes_is_refused(void **state)
{
	static const char *const wrong[] = { "", "x", "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo", "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo==",
					     "hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo=", "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmp=",
					     " SDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=" };
	uint8_t key[32];
	struct why why;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		if (peer_key_parse("public_key", wrong[i], key, &why) != E_REFUSED)
			fail_msg("\"%s\" was taken", wrong[i]);
		assert_string_equal(why.code, "key_invalid");
		assert_string_equal(why.field, "public_key");
	}
}

static void a_key_that_anybody_has_is_refused_and_nobody_is_named(void **state)
{
	struct peers *p = *state;
	struct fixture *f = p->f;
	struct store_peer mine = make_peer(f, "acme", "secretive", 1, p->live, 2), peer;
	struct store_peer_new in = peer_in("globex", "x", NULL, 1, p->live, 2);
	const uint8_t *const taken[] = { mine.public_key, p->ord.mesh_key, p->ord.link_key, p->ord.gateway_key };

	for (size_t i = 0; i < ARRAY_LEN(taken); i++) {
		memcpy(in.public_key, taken[i], 32);
		assert_refused(f, create(p, &f->root, &in, &peer), "key_taken");
		assert_null(strstr(f->op.why.text, "acme"));
		assert_null(strstr(f->op.why.text, "secretive"));
	}
	/* rekey likewise, also with its own: that would be no new key */
	assert_refused(f, DO(f, &f->root, store_peer_rekey(store, op, "acme", "secretive", p->dev.gateway_key, NULL, &peer)), "key_taken");
	assert_refused(f, DO(f, &f->root, store_peer_rekey(store, op, "acme", "secretive", mine.public_key, NULL, &peer)), "key_taken");
}

static void a_gateway_cannot_take_a_key_that_somebody_has(void **state)
{
	struct peers *p = *state;
	struct fixture *f = p->f;
	struct store_peer peer = make_peer(f, "acme", "laptop", 1, p->live, 2);
	struct principal ord = principal_node(p->ord.host, p->ord.name);
	uint8_t fresh[32] = { 9 };

	assert_refused(f, DO(f, &ord, store_node_set_gateway(store, op, p->ord.host, "gw", 1, peer.public_key)), "gateway_key_in_use");
	assert_refused(f, DO(f, &ord, store_node_set_gateway(store, op, p->ord.host, "gw", 1, p->dev.gateway_key)), "gateway_key_in_use");
	assert_refused(f, DO(f, &ord, store_node_set_gateway(store, op, p->ord.host, "gw", 1, p->ord.mesh_key)), "value_invalid");
	assert_refused(f, DO(f, &ord, store_node_set_gateway(store, op, p->ord.host, "not a host", 1, fresh)), "host_invalid");
	assert_refused(f, DO(f, &ord, store_node_set_gateway(store, op, p->dev.host, "gw", 1, fresh)), "node_not_found");
	assert_good(f, DO(f, &ord, store_node_set_gateway(store, op, p->ord.host, "gw", 1, fresh)));
	assert_int_equal(f->op.n_records, 1);
	assert_good(f, DO(f, &ord, store_node_set_gateway(store, op, p->ord.host, "gw", 1, fresh)));
	assert_int_equal(f->op.n_records, 0);
}

static void a_new_key_leaves_name_and_address_and_is_one_change(void **state)
{
	struct peers *p = *state;
	struct fixture *f = p->f;
	struct store_peer before = make_peer(f, "acme", "laptop", 1, p->live, 2), after;
	struct peer_key_record key;
	uint8_t fresh[32], preshared[32];

	make_public_key(77, fresh);
	memset(preshared, 5, sizeof preshared);
	assert_good(f, DO(f, &f->root, store_peer_rekey(store, op, "acme", "laptop", fresh, preshared, &after)));
	assert_int_equal(f->op.n_records, 1);
	assert_int_equal(f->op.records[0]->kind, RECORD_PEER_KEY);
	assert_int_equal(f->op.records[0]->node, before.record.gateway);
	assert_int_equal(peer_key_decode(f->op.records[0], &key, NULL), 0);
	assert_memory_equal(key.public_key, fresh, 32);
	assert_true(key.has_preshared_key);
	assert_memory_equal(&after.record, &before.record, sizeof after.record);
	/* the old one is free again, and without a preshared key there is none */
	assert_good(f, DO(f, &f->root, store_peer_rekey(store, op, "acme", "laptop", before.public_key, NULL, &after)));
	assert_int_equal(peer_key_decode(f->op.records[0], &key, NULL), 0);
	assert_false(key.has_preshared_key);
}

/* ---- places ---- */

static int create_in(struct peers *p, const char *name, const char *region, bool strict, const uint32_t *live, size_t n, struct store_peer *ret,
		     char warning[STORE_PEER_WARNING_SIZE])
{
	struct store_peer_new in = peer_in("acme", name, region, (unsigned)p->f->store->head + 1000, live, n);

	in.strict = strict;
	return DO(p->f, &p->f->root, store_peer_create(store, op, &in, ret, warning));
}

static void a_region_without_a_gateway_gives_the_nearest_that_has_one_and_says_so(void **state)
{
	struct peers *p = *state;
	char warning[STORE_PEER_WARNING_SIZE];
	struct store_org_change strict = { .set_strict_region = true, .strict_region = true };
	struct store_peer peer;
	struct store_org org;

	assert_good(p->f, create_in(p, "a", "ord", false, p->live, 2, &peer, warning));
	assert_string_equal(peer.region, "ord");
	assert_string_equal(warning, "");
	assert_good(p->f, create_in(p, "b", "nrt", false, p->live, 2, &peer, warning));
	assert_string_equal(peer.record.requested_region, "nrt");
	assert_int_equal(peer.record.gateway, !strcmp(peer.region, "ord") ? p->ord.host : p->dev.host);
	assert_non_null(strstr(warning, "\"nrt\""));
	assert_non_null(strstr(warning, peer.region));
	/* strict by request, then by the org; the refusal names the regions that have one */
	assert_refused(p->f, create_in(p, "c", "nrt", true, p->live, 2, &peer, warning), "no_gateway_in_region");
	assert_non_null(strstr(p->f->op.why.text, "fra, ord"));
	assert_good(p->f, DO(p->f, &p->f->root, store_org_update(store, op, "acme", &strict, &org)));
	assert_refused(p->f, create_in(p, "c", "nrt", false, p->live, 2, &peer, warning), "no_gateway_in_region");
	assert_refused(p->f, create_in(p, "c", "xyz", false, p->live, 2, &peer, warning), "region_not_found");
}

static void only_gateways_that_can_be_reached_are_given_peers(void **state)
{
	struct peers *p = *state;
	char warning[STORE_PEER_WARNING_SIZE];
	struct store_peer peer;
	struct store_node node;

	assert_good(p->f, create_in(p, "a", "ord", false, &p->live[1], 1, &peer, warning)); /* ord is silent */
	assert_string_equal(peer.region, "fra");
	assert_refused(p->f, create_in(p, "b", "ord", false, NULL, 0, &peer, warning), "no_gateway");
	assert_good(p->f, DO(p->f, &p->f->root, store_node_drain(store, op, "ord-1", true, &node)));
	assert_good(p->f, create_in(p, "b", "ord", false, p->live, 2, &peer, warning));
	assert_string_equal(peer.region, "fra");
	assert_good(p->f, DO(p->f, &p->f->root, store_node_drain(store, op, "ord-1", false, &node)));
	/* a gateway that has not said yet where it is found: its files would name nothing */
	assert_int_equal(driver_exec(p->f->store->driver, "UPDATE node SET gateway_key = NULL WHERE name = 'ord-1'"), 0);
	assert_good(p->f, create_in(p, "c", "ord", false, p->live, 2, &peer, warning));
	assert_string_equal(peer.region, "fra");
}

static void a_gateway_can_be_named_and_a_host_is_none(void **state)
{
	struct peers *p = *state;
	struct store_node host = make_node(p->f, "ord", 9);
	struct store_peer_new in = peer_in("acme", "a", NULL, 1, p->live, 2);
	struct store_node node;
	struct store_peer peer;

	in.gateway = p->dev.name;
	assert_good(p->f, create(p, &p->f->root, &in, &peer));
	assert_int_equal(peer.record.gateway, p->dev.host);
	assert_string_equal(peer.record.requested_region, "fra");
	in = peer_in("acme", "b", "ord", 2, p->live, 2);
	in.gateway = p->dev.name;
	assert_refused(p->f, create(p, &p->f->root, &in, &peer), "gateway_wrong_region");
	in.region = NULL;
	in.gateway = host.name;
	assert_refused(p->f, create(p, &p->f->root, &in, &peer), "gateway_not_found");
	in.gateway = "nobody";
	assert_refused(p->f, create(p, &p->f->root, &in, &peer), "gateway_not_found");
	in.gateway = p->ord.name;
	in.n_live = 0;
	assert_refused(p->f, create(p, &p->f->root, &in, &peer), "gateway_not_live");
	in.n_live = 2;
	assert_good(p->f, DO(p->f, &p->f->root, store_node_drain(store, op, p->ord.name, true, &node)));
	assert_refused(p->f, create(p, &p->f->root, &in, &peer), "gateway_not_live");
}

static void without_a_region_a_peer_ends_nearest_to_where_its_network_runs(void **state)
{
	struct peers *p = *state;
	struct store_node nrt = make_node(p->f, "nrt", 20);
	uint32_t live[] = { p->ord.host, p->dev.host, nrt.host };
	struct store_peer peer;

	peer = make_peer(p->f, "acme", "first", 1, live, 3); /* nothing runs anywhere: the first by name */
	assert_string_equal(peer.region, "fra");
	make_app(p->f, "acme", "web");
	make_instance(p->f, "acme/web", "ord", live, 3);
	assert_string_equal(make_peer(p->f, "acme", "second", 2, live, 3).region, "ord");
	assert_string_equal(make_peer(p->f, "globex", "other", 3, live, 3).region, "fra"); /* another org's instances count for nothing */
	make_instance(p->f, "acme/web", "fra", live, 3);
	make_instance(p->f, "acme/web", "fra", live, 3);
	make_instance(p->f, "acme/web", "fra", live, 3);
	assert_string_equal(make_peer(p->f, "acme", "third", 4, live, 3).region, "fra");
}

static void unknown_orgs_and_networks_are_named(void **state)
{
	struct peers *p = *state;
	struct store_peer_new in = peer_in("nosuch", "a", NULL, 1, p->live, 2);
	struct store_network network;
	struct store_peer peer;

	assert_refused(p->f, create(p, &p->f->root, &in, &peer), "org_not_found");
	in.org = "acme";
	in.network = "staging";
	assert_refused(p->f, create(p, &p->f->root, &in, &peer), "network_not_found");
	assert_good(p->f, DO(p->f, &p->f->root, store_network_create(store, op, "acme", "staging", &network)));
	assert_good(p->f, create(p, &p->f->root, &in, &peer));
	assert_int_equal(peer.record.network, network.id);
	in = peer_in(NULL, "b", NULL, 2, p->live, 2);
	assert_refused(p->f, create(p, &p->f->root, &in, &peer), "org_missing");
	in.network = "acme/staging";
	assert_good(p->f, create(p, &p->f->root, &in, &peer));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_peer_and_its_key_are_made_in_one_change_and_only_its_gateway_is_told_the_key),
		T(a_name_is_one_whatever_its_case_and_free_in_another_org),
		T(a_name_that_is_no_label_gets_one_that_can_be_read_and_stays),
		T(what_is_no_name_of_a_peer_is_refused),
		T(two_names_whose_labels_would_be_one_get_two),
		T(keys_with_which_no_secret_can_be_agreed_are_refused),
		T(what_is_not_base64_of_32_bytes_is_refused),
		T(a_key_that_anybody_has_is_refused_and_nobody_is_named),
		T(a_gateway_cannot_take_a_key_that_somebody_has),
		T(a_new_key_leaves_name_and_address_and_is_one_change),
		T(a_region_without_a_gateway_gives_the_nearest_that_has_one_and_says_so),
		T(only_gateways_that_can_be_reached_are_given_peers),
		T(a_gateway_can_be_named_and_a_host_is_none),
		T(without_a_region_a_peer_ends_nearest_to_where_its_network_runs),
		T(unknown_orgs_and_networks_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
