/* Peers and the controller's core: where gateways say they are, whether the gateway has what a new peer waits for, what gateways see of
 * their peers, and peers whose time is up. */
#include "tests/unit/controller/nodes/world.h"

#include "controller/nodes/peers.h"
#include "controller/nodes/wait.h"
#include "controller/store/store_peer_move.h"

#define IDLE_MS 1800000ull /* a day, for us */

struct gateway {
	struct test_node *node;
	Sixpn__Gateway said;
	uint8_t key[32];
};

/* A running node that is a gateway, and says in its poll where customers find it. */
static void add_gateway(struct world *w, const char *region, struct gateway *g)
{
	g->node = add_running(w, region);
	DO(w, sql_run(store, "UPDATE node SET roles = 3 WHERE host = ?1", "u", g->node->host));
	memset(g->key, (int)w->n_nodes + 100, sizeof g->key);
	sixpn__gateway__init(&g->said);
	g->said.host = pb_bytes("gw.example.net", 14);
	g->said.port = 51820;
	g->said.key = pb_bytes(g->key, sizeof g->key);
	g->node->gateway = &g->said;
	send_poll(g->node);
	world_run(w, 100);
}

static struct store_peer_new peer_in(struct world *w, const char *name, unsigned seed, uint32_t live[WORLD_NODES])
{
	struct store_peer_new in = { .org = "acme", .name = name, .live = live };
	uint8_t private_key[32] = { 0 };

	memcpy(private_key + 4, &seed, sizeof seed);
	crypto_x25519_public(private_key, in.public_key);
	in.n_live = controller_env(w->c)->ops->live_nodes(w->c, live, WORLD_NODES);
	return in;
}

static struct store_peer make_peer(struct world *w, const char *name, unsigned seed, bool ephemeral, uint64_t expires_ms)
{
	uint32_t live[WORLD_NODES];
	struct store_peer_new in = peer_in(w, name, seed, live);
	char warning[STORE_PEER_WARNING_SIZE];
	struct store_peer out;

	in.ephemeral = ephemeral;
	in.expires_ms = expires_ms;
	DO(w, store_peer_create(store, op, &in, &out, warning));
	return out;
}

static bool peer_is_there(struct world *w, const struct store_peer *peer)
{
	return memory_find(&w->c->memory, RECORD_PEER, peer->record.id, ID_LEN) != NULL;
}

static struct world *gateways(struct gateway *a, struct gateway *b)
{
	uint32_t acme, globex;
	struct controller_config config = { .peer_idle_ms = IDLE_MS };
	struct world *w = two_orgs(&config, &acme, &globex);

	add_gateway(w, "ord", a);
	allow(a->node, acme);
	if (b) {
		add_gateway(w, "nrt", b);
		allow(b->node, acme);
	}
	return w;
}

/* ---- where gateways are ---- */

static void what_a_gateway_says_in_its_poll_is_what_customers_are_given(void **state)
{
	struct gateway a;
	struct world *w = gateways(&a, NULL);
	struct store_peer peer = make_peer(w, "laptop", 1, false, 0);
	uint64_t v = controller_head(w->c);
	struct node_record rec;
	uint8_t key[4];

	(void)state;
	assert_string_equal(peer.gateway_host, "gw.example.net");
	assert_memory_equal(peer.gateway_key, a.key, 32);
	put_u32(key, a.node->host);
	assert_int_equal(node_decode(&memory_find(&w->c->memory, RECORD_NODE, key, 4)->record, &rec, NULL), 0);
	assert_true(rec.has_gateway_key);
	/* the same again changes nothing; another name is told to all */
	send_poll(a.node);
	world_run(w, 100);
	assert_int_equal(controller_head(w->c), v);
	a.said.host = pb_bytes("new.example.net", 15);
	send_poll(a.node);
	world_run(w, 100);
	assert_int_equal(controller_head(w->c), v + 1);
	/* a key that is a peer's is refused, and the old one stays */
	a.said.key = pb_bytes(peer.public_key, 32);
	send_poll(a.node);
	world_run(w, 100);
	assert_int_equal(controller_head(w->c), v + 1);
	world_free(w);
}

static void a_gateway_that_changes_its_name_too_often_is_heard_later(void **state)
{
	struct gateway a;
	struct world *w = gateways(&a, NULL);
	uint64_t v = controller_head(w->c);
	struct principal who = principal_local("test");
	struct store_node node;
	char host[32];

	(void)state;
	for (unsigned i = 0; i < 60; i++) {
		snprintf(host, sizeof host, "gw-%u.example.net", i);
		a.said.host = pb_bytes(host, strlen(host));
		send_poll(a.node);
		world_run(w, 100);
	}
	assert_true(controller_head(w->c) - v <= ALLOWANCE_ENDPOINTS.at_once + 1);
	a.node->gateway = NULL; /* it was said, and is kept */
	for (unsigned i = 0; i < 10; i++) {
		world_run(w, 30000);
		send_poll(a.node);
	}
	world_run(w, 100);
	assert_int_equal(store_node_find(w->store, &who, a.node->name, &node, NULL), 0);
	assert_string_equal(node.gateway_host, "gw-59.example.net");
	world_free(w);
}

/* ---- waiting for the gateway ---- */

struct waited {
	unsigned times;
	struct api_wait_result result;
};

static void waited(void *ctx, const struct api_wait_result *result)
{
	struct waited *out = ctx;

	out->times++;
	out->result = *result;
}

static void start_wait(struct world *w, const struct store_peer *peer, uint32_t timeout_ms, struct waited *ret)
{
	struct api_wait want = { .v = w->op_v, .timeout_ms = timeout_ms, .give_up = true };

	snprintf(want.gateway, sizeof want.gateway, "%s", peer->gateway_name);
	*ret = (struct waited){ 0 };
	assert_int_equal(wait_start(w->c, &want, waited, ret), 0);
}

static void g16_a_peer_is_there_when_its_gateway_has_it_and_a_late_one_is_named(void **state)
{
	static struct waited got;
	struct gateway a;
	struct world *w = gateways(&a, NULL);
	struct store_peer peer;

	(void)state;
	a.node->hold = true;
	peer = make_peer(w, "laptop", 1, false, 0);
	start_wait(w, &peer, 500, &got);
	world_run(w, 600);
	assert_int_equal(got.times, 1);
	assert_false(got.result.applied);
	assert_false(got.result.lost); /* it may still come: it was heard of a moment ago */
	assert_int_equal(got.result.n_laggards, 1);
	assert_string_equal(got.result.laggards[0], a.node->name);
	start_wait(w, &peer, 500, &got);
	a.node->hold = false;
	send_poll(a.node);
	world_run(w, 100);
	assert_int_equal(got.times, 1);
	assert_true(got.result.applied);
	world_free(w);
}

static void g16_a_gateway_that_falls_silent_ends_the_wait_as_soon_as_that_is_known(void **state)
{
	static struct waited got;
	struct gateway a, b;
	struct world *w = gateways(&a, &b);
	struct store_peer peer;
	struct gateway *at;
	uint64_t began;

	(void)state;
	peer = make_peer(w, "laptop", 1, false, 0);
	at = peer.record.gateway == a.node->host ? &a : &b;
	start_wait(w, &peer, 100, &got);
	world_run(w, 100);
	assert_true(got.result.applied);
	stop_node(at->node);
	began = w->v.now_ms;
	peer = make_peer(w, "phone", 2, false, 0);
	while (peer.record.gateway != at->node->host) /* the dice say where */
		peer = make_peer(w, peer.record.name[0] == 'x' ? "y" : "x", (unsigned)w->op_v, false, 0);
	start_wait(w, &peer, 10 * PARK_MS, &got);
	world_run(w, PARK_MS);
	assert_int_equal(got.times, 0);
	world_run(w, 3 * PARK_MS);
	assert_int_equal(got.times, 1);
	assert_true(got.result.lost);
	assert_false(got.result.applied);
	assert_true(w->v.now_ms - began < 10 * PARK_MS);
	/* and where it is unknown already, the answer is there at once */
	start_wait(w, &peer, 10 * PARK_MS, &got);
	assert_int_equal(got.times, 1);
	assert_true(got.result.lost);
	world_free(w);
}

static void g16_whoever_goes_on_waiting_waits_for_a_silent_gateway_too(void **state)
{
	static struct waited got;
	struct gateway a;
	struct world *w = gateways(&a, NULL);
	struct store_peer peer = make_peer(w, "laptop", 1, false, 0);
	struct api_wait want = { .timeout_ms = 10 * PARK_MS };
	uint8_t key[32] = { 42 };

	(void)state;
	world_run(w, 100);
	stop_node(a.node);
	world_run(w, 4 * PARK_MS);
	DO(w, store_peer_rekey(store, op, "acme", "laptop", key, NULL, &peer));
	want.v = w->op_v;
	snprintf(want.gateway, sizeof want.gateway, "%s", peer.gateway_name);
	assert_int_equal(wait_start(w->c, &want, waited, &got), 0);
	world_run(w, PARK_MS);
	assert_int_equal(got.times, 0); /* any other node would be unknown, and not waited for */
	start_node(a.node);
	world_run(w, 1000);
	assert_int_equal(got.times, 1);
	assert_true(got.result.applied);
	world_free(w);
}

/* ---- what gateways see ---- */

static void see(struct test_node *n, const struct store_peer *peer, uint64_t handshake_ms, uint64_t rx, const char *endpoint)
{
	CLEAN_BUF struct buf bytes = BUF_INIT(LINK_REQUEST_MAX);
	Sixpn__ReportRequest m = SIXPN__REPORT_REQUEST__INIT;
	Sixpn__PeerStats one = SIXPN__PEER_STATS__INIT, *list[] = { &one };

	one.peer = pb_bytes(peer->record.id, ID_LEN);
	one.last_handshake_ms = handshake_ms;
	one.rx_bytes = rx;
	one.tx_bytes = 2 * rx;
	one.endpoint = pb_bytes(endpoint, strlen(endpoint));
	m.peer_stats = list;
	m.n_peer_stats = 1;
	n->reported = false;
	assert_int_equal(pb_pack(&m, &bytes), 0);
	assert_int_equal(link_client_call(n->client, LINK_REPORT, bytes.data, bytes.len, report_done, n), 0);
	world_run(n->w, 100);
	assert_true(n->reported);
}

static struct api_peer_state state_of(struct world *w, const struct store_peer *peer)
{
	struct api_peer_state s;

	assert_true(controller_env(w->c)->ops->peer_state(w->c, peer->record.id, &s));
	return s;
}

static uint64_t real_now(const struct world *w)
{
	return clock_real_ms(&w->clock);
}

static void what_a_gateway_sees_is_told_and_makes_no_record(void **state)
{
	struct gateway a;
	struct world *w = gateways(&a, NULL);
	struct store_peer peer = make_peer(w, "laptop", 1, false, 0);
	uint64_t v = controller_head(w->c);
	struct api_peer_state s = state_of(w, &peer);

	(void)state;
	assert_false(s.known);
	assert_true(s.gateway_live);
	see(a.node, &peer, 0, 0, "");
	s = state_of(w, &peer);
	assert_true(s.known);
	assert_false(s.online);
	see(a.node, &peer, real_now(w) - 1000, 4711, "198.51.100.7:41641");
	s = state_of(w, &peer);
	assert_true(s.online);
	assert_int_equal(s.rx_bytes, 4711);
	assert_int_equal(s.tx_bytes, 9422);
	assert_string_equal(s.endpoint, "198.51.100.7:41641");
	assert_true(s.reported_ms > 0);
	world_run(w, 200000);
	assert_false(state_of(w, &peer).online);
	assert_int_equal(controller_head(w->c), v);
	see(a.node, &peer, 0, 0, ""); /* its device was made anew */
	assert_true(state_of(w, &peer).last_handshake_ms > 0);
	world_free(w);
}

static void only_the_gateway_of_a_peer_is_believed(void **state)
{
	struct gateway a, b;
	struct world *w = gateways(&a, &b);
	struct store_peer peer = make_peer(w, "laptop", 1, false, 0);
	struct test_node *other = peer.record.gateway == a.node->host ? b.node : a.node;

	(void)state;
	see(other, &peer, real_now(w), 1, "");
	assert_false(state_of(w, &peer).known);
	assert_int_equal(w->c->stats.foreign_peers, 1);
	world_free(w);
}

static struct store_peer peer_now(struct world *w, const char *name)
{
	struct principal who = principal_local("test");
	struct store_peer peer;

	assert_int_equal(store_peer_find(w->store, &who, "acme", name, &peer, NULL), 0);
	return peer;
}

static void g15_a_peer_that_moves_is_everybodys_news_once_the_new_gateway_has_seen_it(void **state)
{
	struct gateway a, b;
	struct world *w = gateways(&a, &b);
	struct store_peer peer = make_peer(w, "laptop", 1, false, 0);
	bool at_a = peer.record.gateway == a.node->host;
	struct test_node *from = at_a ? a.node : b.node, *to = at_a ? b.node : a.node;
	struct store_peer_move in = { .gateway = to->name };
	char warning[STORE_PEER_WARNING_SIZE];
	uint32_t live[WORLD_NODES];

	(void)state;
	in.n_live = controller_env(w->c)->ops->live_nodes(w->c, live, WORLD_NODES);
	in.live = live;
	DO(w, store_peer_move(store, op, "acme", "laptop", &in, &peer, warning));
	world_run(w, 200);
	assert_int_equal(count_kept(from, RECORD_PEER_KEY, 0), 1);
	assert_int_equal(count_kept(to, RECORD_PEER_KEY, 0), 1); /* and the network, which it had nothing of before */
	assert_int_equal(count_kept(to, RECORD_PEER, 0), 1);

	see(to, &peer, 0, 0, ""); /* it looks, and nobody is there */
	see(from, &peer, real_now(w), 1, "");
	assert_int_equal(peer_now(w, "laptop").record.gateway, from->host);
	DO(w, sql_run(store, "UPDATE peer SET used_ms = 0", ""));
	see(to, &peer, real_now(w), 77, "203.0.113.9:1");
	assert_int_equal(peer_now(w, "laptop").record.gateway, to->host);
	assert_true(peer_now(w, "laptop").used_ms > 0); /* it may be the only handshake that anybody ever sees of it */
	world_run(w, 200);
	assert_int_equal(count_kept(from, RECORD_PEER_KEY, 0), 0);
	assert_int_equal(count_kept(from, RECORD_NETWORK, 0), 0); /* nothing is left there of it */
	assert_int_equal(count_kept(to, RECORD_PEER_KEY, 0), 1);
	assert_int_equal(state_of(w, &peer).rx_bytes, 77);
	assert_int_equal(w->c->stats.foreign_peers, 0);
	see(from, &peer, real_now(w), 2, ""); /* late, and no longer its business */
	assert_int_equal(w->c->stats.foreign_peers, 1);
	world_free(w);
}

static struct store_peer_move now_to(struct world *w, const struct gateway *to, uint32_t live[WORLD_NODES])
{
	struct store_peer_move in = { .gateway = to->node->name, .live = live, .now = true };

	in.n_live = controller_env(w->c)->ops->live_nodes(w->c, live, WORLD_NODES);
	return in;
}

/* Else prune would take a tunnel that somebody uses for one that nobody ever did. */
static void a_first_use_that_the_store_did_not_believe_is_stored_once_the_right_gateway_says_it(void **state)
{
	struct gateway g[2];
	struct world *w = gateways(&g[0], &g[1]);
	struct store_peer peer = make_peer(w, "laptop", 1, false, 0);
	struct gateway *from = peer.record.gateway == g[0].node->host ? &g[0] : &g[1], *to = from == &g[0] ? &g[1] : &g[0];
	char warning[STORE_PEER_WARNING_SIZE];
	uint32_t live[WORLD_NODES];
	struct store_peer_move in = now_to(w, to, live);

	(void)state;
	/* the store is ahead of what the controller knows: the move is on its way when the old gateway's report comes */
	DO(w, sql_run(store, "UPDATE peer SET gateway = ?1", "u", to->node->host));
	see(from->node, &peer, real_now(w), 1, "");
	DO(w, sql_run(store, "UPDATE peer SET gateway = ?1", "u", from->node->host));
	assert_int_equal(peer_now(w, "laptop").used_ms, 0);
	DO(w, store_peer_move(store, op, "acme", "laptop", &in, &peer, warning));
	world_run(w, 200);
	peers_used_stored(w->c, from->node->host, &peer.record.id, 1); /* of a report that the store judged after the move */
	see(to->node, &peer, real_now(w), 1, "");
	assert_true(peer_now(w, "laptop").used_ms > 0);
	world_free(w);
}

static void after_a_start_nothing_is_known_until_the_gateway_says_it_again_but_a_first_use_is(void **state)
{
	struct principal who = principal_local("test");
	struct gateway a;
	struct world *w = gateways(&a, NULL);
	struct store_peer peer = make_peer(w, "laptop", 1, false, 0), now;

	(void)state;
	see(a.node, &peer, real_now(w), 1, "");
	stop_node(a.node);
	world_end(w);
	world_start(w);
	assert_false(state_of(w, &peer).known);
	assert_int_equal(store_peer_find(w->store, &who, "acme", "laptop", &now, NULL), 0);
	assert_true(now.used_ms > 0);
	world_free(w);
}

static void coming_and_going_are_events_but_not_ten_thousand_of_them(void **state)
{
	struct gateway a;
	struct world *w = gateways(&a, NULL);
	struct store_peer peers[40];
	uint64_t before;
	size_t n = 0;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(peers); i++) {
		char name[16];

		snprintf(name, sizeof name, "p-%u", i);
		peers[i] = make_peer(w, name, i + 1, false, 0);
	}
	world_run(w, 60000);
	before = w->c->event_log.newest;
	for (unsigned i = 0; i < ARRAY_LEN(peers); i++)
		see(a.node, &peers[i], real_now(w), 1, "192.0.2.1:1");
	world_run(w, 60000);
	for (size_t i = 0; i < EVENTS_KEPT; i++)
		n += w->c->event_log.kept[i].number > before && !strcmp(w->c->event_log.kept[i].what, "online");
	assert_int_equal(n, 17); /* 16, and one that counts the others */
	world_free(w);
}

/* ---- those whose time is up ---- */

static void a_peer_ends_when_it_expires_and_its_gateway_loses_the_key(void **state)
{
	struct gateway a;
	struct world *w = gateways(&a, NULL);
	struct store_peer soon = make_peer(w, "soon", 1, false, real_now(w) + 5000), later = make_peer(w, "later", 2, false, real_now(w) + 90000);

	(void)state;
	world_run(w, 4000);
	assert_true(peer_is_there(w, &soon));
	assert_int_equal(count_kept(a.node, RECORD_PEER_KEY, 0), 2);
	world_run(w, 1500);
	assert_false(peer_is_there(w, &soon));
	assert_true(peer_is_there(w, &later));
	assert_int_equal(count_kept(a.node, RECORD_PEER_KEY, 0), 1);
	world_run(w, 90000);
	assert_false(peer_is_there(w, &later));
	world_free(w);
}

static void an_expiry_is_known_again_after_a_start(void **state)
{
	struct gateway a;
	struct world *w = gateways(&a, NULL);
	struct store_peer peer = make_peer(w, "soon", 1, false, real_now(w) + 5000);

	(void)state;
	stop_node(a.node);
	world_end(w);
	w->v.now_ms += 10000;
	world_start(w);
	world_run(w, 1000);
	assert_false(peer_is_there(w, &peer));
	world_free(w);
}

static void only_ephemeral_peers_that_were_not_used_for_long_go(void **state)
{
	struct gateway a;
	struct world *w = gateways(&a, NULL);
	struct store_peer unused = make_peer(w, "unused", 1, true, 0), used = make_peer(w, "used", 2, true, 0),
			  lasting = make_peer(w, "lasting", 3, false, 0);

	(void)state;
	world_run(w, IDLE_MS / 2);
	see(a.node, &used, real_now(w), 1, "");
	world_run(w, IDLE_MS / 2 + 60000);
	assert_false(peer_is_there(w, &unused));
	assert_true(peer_is_there(w, &used));
	assert_true(peer_is_there(w, &lasting));
	world_run(w, IDLE_MS / 2);
	assert_false(peer_is_there(w, &used));
	assert_true(peer_is_there(w, &lasting));
	world_free(w);
}

static void an_ephemeral_peer_whose_gateway_is_silent_stays(void **state)
{
	struct gateway a;
	struct world *w = gateways(&a, NULL);
	struct store_peer peer = make_peer(w, "phone", 1, true, 0);

	(void)state;
	stop_node(a.node);
	world_run(w, 2 * IDLE_MS);
	assert_true(peer_is_there(w, &peer));
	start_node(a.node); /* back, and will say in a moment that it was used all the time */
	world_run(w, 60000);
	assert_true(peer_is_there(w, &peer));
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_gateway_says_in_its_poll_is_what_customers_are_given),
		cmocka_unit_test(a_gateway_that_changes_its_name_too_often_is_heard_later),
		cmocka_unit_test(g16_a_peer_is_there_when_its_gateway_has_it_and_a_late_one_is_named),
		cmocka_unit_test(g16_a_gateway_that_falls_silent_ends_the_wait_as_soon_as_that_is_known),
		cmocka_unit_test(g16_whoever_goes_on_waiting_waits_for_a_silent_gateway_too),
		cmocka_unit_test(what_a_gateway_sees_is_told_and_makes_no_record),
		cmocka_unit_test(only_the_gateway_of_a_peer_is_believed),
		cmocka_unit_test(g15_a_peer_that_moves_is_everybodys_news_once_the_new_gateway_has_seen_it),
		cmocka_unit_test(a_first_use_that_the_store_did_not_believe_is_stored_once_the_right_gateway_says_it),
		cmocka_unit_test(after_a_start_nothing_is_known_until_the_gateway_says_it_again_but_a_first_use_is),
		cmocka_unit_test(coming_and_going_are_events_but_not_ten_thousand_of_them),
		cmocka_unit_test(a_peer_ends_when_it_expires_and_its_gateway_loses_the_key),
		cmocka_unit_test(an_expiry_is_known_again_after_a_start),
		cmocka_unit_test(only_ephemeral_peers_that_were_not_used_for_long_go),
		cmocka_unit_test(an_ephemeral_peer_whose_gateway_is_silent_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
