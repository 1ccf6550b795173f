/* A peer moves to another gateway: who is told what, in which order, and that its address stays. */
#include "tests/unit/controller/store/store_fixture.h"

#include "controller/store/store_peer_move.h"

struct move {
	struct fixture *f;
	struct store_node ord, fra, nrt;
	uint32_t live[3];
	struct store_peer peer; /* made at ord */
	char warning[STORE_PEER_WARNING_SIZE];
};

static int setup(void **state)
{
	struct move *m = calloc(1, sizeof *m);
	struct store_peer_new in;
	void *base;

	fixture_setup(&base);
	m->f = base;
	make_region(m->f, "ord");
	make_region(m->f, "nrt");
	make_region(m->f, "fra");
	make_org(m->f, "acme");
	make_org(m->f, "globex");
	m->ord = make_gateway(m->f, "ord", 1);
	m->fra = make_gateway(m->f, "fra", 2);
	m->nrt = make_gateway(m->f, "nrt", 3);
	m->live[0] = m->ord.host;
	m->live[1] = m->fra.host;
	m->live[2] = m->nrt.host;
	in = peer_in("acme", "laptop", "ord", 1, m->live, 3);
	memset(in.preshared_key, 7, 32);
	in.has_preshared_key = true;
	assert_good(m->f, DO(m->f, &m->f->root, store_peer_create(store, op, &in, &m->peer, m->warning)));
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	struct move *m = *state;
	void *base = m->f;

	fixture_teardown(&base);
	free(m);
	return 0;
}

static int move_as(struct move *m, const struct principal *who, struct store_peer_move in, struct store_peer *ret)
{
	if (!in.live) {
		in.live = m->live;
		in.n_live = 3;
	}
	return DO(m->f, who, store_peer_move(store, op, NULL, "acme/laptop", &in, ret, m->warning));
}

static struct store_peer moved(struct move *m, struct store_peer_move in)
{
	struct store_peer peer;

	assert_good(m->f, move_as(m, &m->f->root, in, &peer));
	assert_memory_equal(peer.record.id, m->peer.record.id, ID_LEN);
	return peer;
}

static void arrive(struct move *m, const struct store_node *at)
{
	struct principal who = principal_node(at->host, at->name);

	assert_good(m->f, DO(m->f, &who, store_peer_arrived(store, op, m->peer.record.id)));
}

static struct store_peer now(struct move *m)
{
	struct store_peer peer;

	assert_int_equal(store_peer_find(m->f->store, &m->f->root, NULL, "acme/laptop", &peer, NULL), 0);
	return peer;
}

/* "key>ord peer>fra -key>ord": the records of the last op. */
static const char *told(struct move *m)
{
	static char text[200];

	text[0] = 0;
	for (size_t i = 0; i < m->f->op.n_records; i++) {
		const struct record *r = m->f->op.records[i];
		struct peer_record rec;
		uint32_t at = r->node;

		if (r->kind == RECORD_PEER && !r->deleted) {
			assert_int_equal(peer_decode(r, &rec, NULL), 0);
			at = rec.gateway;
		}
		if (r->deleted)
			assert_int_not_equal(r->intent, INTENT_NONE);
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s%s>%s", i ? " " : "", r->deleted ? "-" : "",
			 r->kind == RECORD_PEER ? "peer" : "key", at == m->ord.host ? "ord" : at == m->fra.host ? "fra" : "nrt");
	}
	return text;
}

static void g15_the_new_gateway_has_the_key_before_anybody_is_told_of_the_move(void **state)
{
	struct move *m = *state;
	struct peer_key_record key;
	struct store_peer peer = moved(m, (struct store_peer_move){ .gateway = m->fra.name });

	assert_string_equal(told(m), "key>fra peer>ord"); /* the region that is asked for stands in the record; where it is does not */
	assert_int_equal(peer_key_decode(m->f->op.records[0], &key, NULL), 0);
	assert_memory_equal(key.public_key, m->peer.public_key, 32);
	assert_true(key.has_preshared_key);
	assert_int_equal(key.preshared_key[31], 7);
	assert_int_equal(peer.record.gateway, m->ord.host);
	assert_int_equal(peer.next_gateway, m->fra.host);
	assert_string_equal(peer.next_name, m->fra.name);
	assert_memory_equal(peer.gateway_key, m->fra.gateway_key, 32); /* what its file should say */
}

static void g15_when_it_has_shown_up_there_all_are_told_and_then_the_old_one_loses_the_key(void **state)
{
	struct move *m = *state;
	struct store_peer peer;

	moved(m, (struct store_peer_move){ .gateway = m->fra.name });
	arrive(m, &m->fra);
	assert_string_equal(told(m), "peer>fra -key>ord");
	peer = now(m);
	assert_int_equal(peer.record.gateway, m->fra.host);
	assert_int_equal(peer.next_gateway, 0);
	assert_int_equal(peer.record.home_gateway, m->peer.record.home_gateway);
	assert_int_equal(peer.record.instance, m->peer.record.instance);
	assert_int_equal(peer.record.slot, m->peer.record.slot);
	assert_string_equal(peer.record.label, m->peer.record.label);
	assert_string_equal(peer.record.requested_region, "fra");
	arrive(m, &m->fra); /* said again */
	assert_int_equal(m->f->op.v, 0);
}

static void nobody_but_the_gateway_that_it_is_on_its_way_to_can_say_that_it_arrived(void **state)
{
	struct move *m = *state;

	arrive(m, &m->fra); /* it is not on its way */
	assert_int_equal(m->f->op.v, 0);
	moved(m, (struct store_peer_move){ .gateway = m->fra.name });
	arrive(m, &m->nrt);
	assert_int_equal(m->f->op.v, 0);
	arrive(m, &m->ord);
	assert_int_equal(m->f->op.v, 0);
	assert_good(m->f, DO(m->f, &m->f->root, store_peer_arrived(store, op, m->peer.record.id)));
	assert_int_equal(m->f->op.v, 0);
	assert_int_equal(now(m).record.gateway, m->ord.host);
}

static void a_gateway_that_is_gone_or_is_not_to_be_waited_for_loses_it_at_once(void **state)
{
	struct move *m = *state;
	uint32_t others[] = { m->fra.host, m->nrt.host };
	struct store_peer peer = moved(m, (struct store_peer_move){ .gateway = m->fra.name, .live = others, .n_live = 2 });

	assert_string_equal(told(m), "key>fra peer>fra -key>ord");
	assert_int_equal(peer.record.gateway, m->fra.host);
	moved(m, (struct store_peer_move){ .gateway = m->nrt.name, .now = true });
	assert_string_equal(told(m), "key>nrt peer>nrt -key>fra");
}

static void a_move_is_called_off_by_a_move_to_where_it_is(void **state)
{
	struct move *m = *state;
	struct store_peer peer;

	moved(m, (struct store_peer_move){ .gateway = m->fra.name });
	peer = moved(m, (struct store_peer_move){ .region = "ord" });
	assert_string_equal(told(m), "-key>fra peer>ord");
	assert_int_equal(peer.next_gateway, 0);
	assert_memory_equal(peer.gateway_key, m->ord.gateway_key, 32);
	moved(m, (struct store_peer_move){ .region = "ord" });
	assert_int_equal(m->f->op.v, 0);
	arrive(m, &m->fra); /* too late */
	assert_int_equal(m->f->op.v, 0);
}

static void one_that_is_on_its_way_can_be_sent_elsewhere_and_home_again(void **state)
{
	struct move *m = *state;

	moved(m, (struct store_peer_move){ .gateway = m->fra.name });
	moved(m, (struct store_peer_move){ .gateway = m->nrt.name });
	assert_string_equal(told(m), "key>nrt -key>fra peer>ord");
	arrive(m, &m->nrt);
	assert_string_equal(told(m), "peer>nrt -key>ord");
	moved(m, (struct store_peer_move){ .gateway = m->ord.name });
	arrive(m, &m->ord);
	assert_int_equal(now(m).record.gateway, now(m).record.home_gateway);
}

static void a_region_without_a_gateway_falls_back_with_a_warning_unless_strict(void **state)
{
	struct move *m = *state;
	struct store_org_change strict = { .set_strict_region = true, .strict_region = true };
	uint32_t two[] = { m->ord.host, m->nrt.host };
	struct store_peer peer;
	struct store_org org;

	assert_refused(m->f, move_as(m, &m->f->root, (struct store_peer_move){ .region = "fra", .strict = true, .live = two, .n_live = 2 }, &peer),
		       "no_gateway_in_region");
	assert_good(m->f, DO(m->f, &m->f->root, store_org_update(store, op, "acme", &strict, &org)));
	assert_refused(m->f, move_as(m, &m->f->root, (struct store_peer_move){ .region = "fra", .live = two, .n_live = 2 }, &peer),
		       "no_gateway_in_region");
	assert_int_equal(now(m).next_gateway, 0);
	strict.strict_region = false;
	assert_good(m->f, DO(m->f, &m->f->root, store_org_update(store, op, "acme", &strict, &org)));
	moved(m, (struct store_peer_move){ .region = "fra", .live = two, .n_live = 2 });
	assert_non_null(strstr(m->warning, "\"fra\" has no live gateway"));
}

static void a_target_that_cannot_take_it_changes_nothing(void **state)
{
	struct move *m = *state;
	uint32_t two[] = { m->ord.host, m->nrt.host };
	struct store_peer peer;

	assert_refused(m->f, move_as(m, &m->f->root, (struct store_peer_move){ .gateway = "nowhere" }, &peer), "gateway_not_found");
	assert_refused(m->f, move_as(m, &m->f->root, (struct store_peer_move){ .gateway = m->fra.name, .live = two, .n_live = 2 }, &peer),
		       "gateway_not_live");
	assert_refused(m->f, move_as(m, &m->f->root, (struct store_peer_move){ .gateway = m->fra.name, .region = "nrt" }, &peer),
		       "gateway_wrong_region");
	assert_refused(m->f, move_as(m, &m->f->root, (struct store_peer_move){ .region = "xyz" }, &peer), "region_not_found");
	assert_refused(m->f, move_as(m, &m->f->root, (struct store_peer_move){ .now = true }, &peer), "value_missing");
	assert_int_equal(now(m).next_gateway, 0);
	assert_int_equal(now(m).record.gateway, m->ord.host);
}

static void what_happens_to_it_on_its_way_reaches_both_gateways(void **state)
{
	struct move *m = *state;
	uint8_t key[32];
	struct store_peer peer;

	moved(m, (struct store_peer_move){ .gateway = m->fra.name });
	make_public_key(9, key);
	assert_good(m->f, DO(m->f, &m->f->root, store_peer_rekey(store, op, NULL, "acme/laptop", key, NULL, &peer)));
	assert_int_equal(m->f->op.n_records, 2);
	assert_good(m->f, DO(m->f, &m->f->root, store_peer_delete(store, op, NULL, "acme/laptop", &peer)));
	assert_non_null(strstr(told(m), "-key>ord"));
	assert_non_null(strstr(told(m), "-key>fra"));
}

static void a_gateway_that_is_deleted_takes_no_peer_along_that_left_or_was_coming(void **state)
{
	struct move *m = *state;
	struct store_peer coming = make_peer(m->f, "acme", "phone", 5, &m->live[2], 1);
	struct store_peer_move in = { .gateway = m->ord.name, .live = m->live, .n_live = 3 };
	struct store_peer peer;
	struct store_node node;

	assert_good(m->f, DO(m->f, &m->f->root, store_peer_move(store, op, NULL, "acme/phone", &in, &coming, m->warning)));
	moved(m, (struct store_peer_move){ .gateway = m->fra.name });
	assert_refused(m->f, DO(m->f, &m->f->root, store_node_delete(store, op, m->ord.name, false, &node)), "node_not_empty");
	assert_good(m->f, DO(m->f, &m->f->root, store_node_delete(store, op, m->ord.name, true, &node)));
	peer = now(m);
	assert_int_equal(peer.record.gateway, m->fra.host);
	assert_int_equal(peer.record.home_gateway, m->ord.host); /* the address lives on, and no node gets that word again */
	assert_int_equal(store_peer_find(m->f->store, &m->f->root, NULL, "acme/phone", &peer, NULL), 0);
	assert_int_equal(peer.record.gateway, m->nrt.host);
	assert_int_equal(peer.next_gateway, 0);
}

static void an_operator_moves_all_of_a_node_in_parts_and_sees_what_is_left(void **state)
{
	struct move *m = *state;
	struct principal customer = principal_node(m->ord.host, m->ord.name);
	struct store_peer_move in = { .region = "fra", .live = m->live, .n_live = 3 };
	struct store_peer_moves moves;
	char name[32];

	for (unsigned i = 0; i < STORE_PEER_MOVES_MAX + 20; i++) {
		snprintf(name, sizeof name, "p%u", i);
		make_peer(m->f, "acme", name, 100 + i, m->live, 1);
	}
	assert_refused(m->f, DO(m->f, &customer, store_peer_move_from(store, op, m->ord.name, &in, &moves)), "forbidden");
	assert_good(m->f, DO(m->f, &m->f->root, store_peer_move_from(store, op, m->ord.name, &in, &moves)));
	assert_int_equal(moves.moved, STORE_PEER_MOVES_MAX);
	assert_int_equal(moves.left, 21);
	assert_int_equal(moves.on_their_way, STORE_PEER_MOVES_MAX);
	assert_good(m->f, DO(m->f, &m->f->root, store_peer_move_from(store, op, m->ord.name, &in, &moves)));
	assert_int_equal(moves.moved, 21);
	assert_int_equal(moves.left, 0);
	in.region = "ord";
	assert_good(m->f, DO(m->f, &m->f->root, store_peer_move_from(store, op, m->ord.name, &in, &moves)));
	assert_int_equal(moves.moved, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(g15_the_new_gateway_has_the_key_before_anybody_is_told_of_the_move),
		TEST(g15_when_it_has_shown_up_there_all_are_told_and_then_the_old_one_loses_the_key),
		TEST(nobody_but_the_gateway_that_it_is_on_its_way_to_can_say_that_it_arrived),
		TEST(a_gateway_that_is_gone_or_is_not_to_be_waited_for_loses_it_at_once),
		TEST(a_move_is_called_off_by_a_move_to_where_it_is),
		TEST(one_that_is_on_its_way_can_be_sent_elsewhere_and_home_again),
		TEST(a_region_without_a_gateway_falls_back_with_a_warning_unless_strict),
		TEST(a_target_that_cannot_take_it_changes_nothing),
		TEST(what_happens_to_it_on_its_way_reaches_both_gateways),
		TEST(a_gateway_that_is_deleted_takes_no_peer_along_that_left_or_was_coming),
		TEST(an_operator_moves_all_of_a_node_in_parts_and_sees_what_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
