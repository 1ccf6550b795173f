/* Peers in the store: what is made, given, kept apart and taken away. */
#include "tests/unit/controller/store/store_fixture.h"

struct peers {
	struct fixture *f;
	struct store_org acme, globex;
	struct store_node ord, dev;
	uint32_t live[2];
};

static int setup(void **state)
{
	struct peers *p = calloc(1, sizeof *p);
	void *base;

	fixture_setup(&base);
	p->f = base;
	make_region(p->f, "ord");
	make_region(p->f, "nrt");
	make_region(p->f, "fra");
	p->acme = make_org(p->f, "acme");
	p->globex = make_org(p->f, "globex");
	p->ord = make_gateway(p->f, "ord", 1);
	p->dev = make_gateway(p->f, "fra", 2);
	p->live[0] = p->ord.host;
	p->live[1] = p->dev.host;
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct peers *p = *state;
	void *base = p->f;

	fixture_teardown(&base);
	free(p);
	return 0;
}

static int create(struct peers *p, const struct principal *who, const struct store_peer_new *in, struct store_peer *ret)
{
	char warning[STORE_PEER_WARNING_SIZE];

	return DO(p->f, who, store_peer_create(store, op, in, ret, warning));
}

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_peer_and_its_key_are_made_in_one_change_and_only_its_gateway_is_told_the_key, setup, teardown),
		cmocka_unit_test_setup_teardown(a_name_is_one_whatever_its_case_and_free_in_another_org, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
