/* The peers of the mesh from node records (pure). */
#include "tests/unit/node/made.h"

#include "node/mesh.h"

#include <arpa/inet.h>

#define MAX 8

struct plan {
	struct wg_peer peers[MAX];
	struct wg_prefix prefixes[MAX];
	size_t n;
};

static struct plan *plan_of(const struct node_record *nodes, size_t n)
{
	static struct plan p;

	memset(&p, 0xee, sizeof p);
	p.n = mesh_plan(MADE_HOST, "ord", nodes, n, NULL, p.peers, p.prefixes);
	return &p;
}

/* Three nodes: ourselves, one of our region, one of another. */
static void three(struct node_record nodes[3])
{
	nodes[0] = made_node_record(MADE_HOST, "ord-1", "ord");
	nodes[1] = made_node_record(MADE_HOST2, "ord-2", "ord");
	nodes[2] = made_node_record(MADE_HOST3, "nrt-1", "nrt");
}

static const char *endpoint_of(const struct wg_peer *p)
{
	static char text[80];
	char address[INET6_ADDRSTRLEN];
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&p->endpoint;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&p->endpoint;

	if (p->endpoint.ss_family == AF_INET)
		snprintf(text, sizeof text, "%s:%u", inet_ntop(AF_INET, &v4->sin_addr, address, sizeof address), ntohs(v4->sin_port));
	else if (p->endpoint.ss_family == AF_INET6)
		snprintf(text, sizeof text, "[%s]:%u", inet_ntop(AF_INET6, &v6->sin6_addr, address, sizeof address), ntohs(v6->sin6_port));
	else
		snprintf(text, sizeof text, "none");
	return text;
}

static void we_are_not_our_own_peer(void **state)
{
	struct node_record nodes[3];

	(void)state;
	three(nodes);
	assert_int_equal(plan_of(nodes, 3)->n, 2);
	assert_int_equal(plan_of(nodes, 1)->n, 0);
	assert_int_equal(plan_of(nodes, 0)->n, 0);
}

static void each_node_has_its_mesh_48_and_nothing_else(void **state)
{
	struct node_record nodes[3];
	struct plan *p;

	(void)state;
	three(nodes);
	p = plan_of(nodes, 3);
	for (size_t i = 0; i < p->n; i++) {
		struct in6_addr prefix = addr_mesh_host_prefix(nodes[i + 1].host);

		assert_int_equal(p->peers[i].n_allowed, 1);
		assert_int_equal(p->peers[i].allowed->family, AF_INET6);
		assert_int_equal(p->peers[i].allowed->len, 48);
		assert_memory_equal(p->peers[i].allowed->addr, &prefix, 16);
		assert_memory_equal(p->peers[i].public_key, nodes[i + 1].mesh_key, WG_KEY_LEN);
		assert_int_equal(p->peers[i].keepalive_s, 0);
	}
}

static struct moved_address moved_to(uint32_t carrier, uint32_t home, unsigned number)
{
	struct peer_record p = made_peer_record(MADE_NET, home, number);
	struct in6_addr a = peer_address(&p);

	return (struct moved_address){ .prefix = addr_sender(&a), .len = 120, .home = home, .carrier = carrier, .kind = RECORD_PEER };
}

static int by_word(const void *a, const void *b)
{
	uint32_t x = (*(struct moved_address *const *)a)->carrier, y = (*(struct moved_address *const *)b)->carrier;

	return x < y ? -1 : x > y;
}

static const char *prefix_text(const struct wg_prefix *p)
{
	static char text[INET6_ADDRSTRLEN + 8];
	char address[INET6_ADDRSTRLEN];

	snprintf(text, sizeof text, "%s/%u", inet_ntop(AF_INET6, p->addr, address, sizeof address), p->len);
	return text;
}

static void what_moved_is_one_more_prefix_at_its_carrier_in_mesh_form(void **state)
{
	struct moved_address items[] = { moved_to(MADE_HOST3, MADE_HOST2, 1), moved_to(MADE_HOST3, MADE_HOST, 2),
					 moved_to(MADE_HOST, MADE_HOST2, 3), moved_to(MADE_HOST2 + 100, MADE_HOST2, 4),
					 moved_to(MADE_HOST3, MADE_HOST2, 5) };
	struct moved_address *by_carrier[] = { &items[2], &items[0], &items[1], &items[4], &items[3] };
	struct moved moved = { items, ARRAY_LEN(items), by_carrier };
	struct node_record nodes[3];
	struct plan p;
	char wanted[64];

	(void)state;
	three(nodes);
	items[4].refused = "for this test";
	qsort(by_carrier, ARRAY_LEN(by_carrier), sizeof *by_carrier, by_word);
	p.n = mesh_plan(MADE_HOST, "ord", nodes, 3, &moved, p.peers, p.prefixes);
	assert_int_equal(p.n, 2);
	assert_int_equal(p.peers[0].n_allowed, 1); /* the home keeps its /48: a longer one of another is stronger */
	assert_int_equal(p.peers[1].n_allowed, 3); /* neither what moved to us, nor to nobody, nor what was refused */
	assert_int_equal(p.peers[1].allowed[0].len, 48);
	snprintf(wanted, sizeof wanted, "fdaa:%x:%x:%x:%x:0:b:100/120", MADE_HOST2 >> 16, MADE_HOST2 & 0xffff, MADE_NET >> 16, MADE_NET & 0xffff);
	assert_string_equal(prefix_text(&p.peers[1].allowed[1]), wanted);
}

static void endpoints_are_those_of_the_record(void **state)
{
	struct node_record nodes[3];
	struct plan *p;

	(void)state;
	three(nodes);
	nodes[2].endpoints[0] = (struct addr_endpoint){ .address = { 0x20, 0x01, 0x0d, 0xb8, [15] = 9 }, .address_len = 16, .port = 4000 };
	p = plan_of(nodes, 3);
	assert_string_equal(endpoint_of(&p->peers[0]), "192.0.2.8:51821");
	assert_string_equal(endpoint_of(&p->peers[1]), "[2001:db8::9]:4000");
}

static const struct addr_endpoint lan = { .address = { 10, 0, 0, 5 }, .address_len = 4, .port = 51821, .lan = true };

static void a_lan_endpoint_is_preferred_in_our_own_region_whatever_its_place(void **state)
{
	struct node_record nodes[3];

	(void)state;
	three(nodes);
	nodes[1].endpoints[nodes[1].n_endpoints++] = lan;
	assert_string_equal(endpoint_of(&plan_of(nodes, 3)->peers[0]), "10.0.0.5:51821");
}

static void a_lan_endpoint_of_another_region_is_not_ours_to_dial(void **state)
{
	struct node_record nodes[3];

	(void)state;
	three(nodes);
	nodes[2].endpoints[1] = nodes[2].endpoints[0];
	nodes[2].endpoints[0] = lan;
	nodes[2].n_endpoints = 2;
	assert_string_equal(endpoint_of(&plan_of(nodes, 3)->peers[1]), "192.0.2.9:51821");
	nodes[2].n_endpoints = 1;
	assert_string_equal(endpoint_of(&plan_of(nodes, 3)->peers[1]), "none");
}

static void a_node_without_an_endpoint_is_a_peer_that_speaks_first(void **state)
{
	struct node_record nodes[3];
	struct plan *p;

	(void)state;
	three(nodes);
	nodes[1].n_endpoints = 0;
	p = plan_of(nodes, 3);
	assert_int_equal(p->n, 2);
	assert_string_equal(endpoint_of(&p->peers[0]), "none");
	assert_int_equal(p->peers[0].n_allowed, 1);
}

static void a_new_key_takes_the_place_of_the_old_one(void **state)
{
	struct node_record nodes[3];
	uint8_t old[32];
	struct plan *p;

	(void)state;
	three(nodes);
	memcpy(old, nodes[1].mesh_key, 32);
	nodes[1].mesh_key[5] ^= 0xff;
	p = plan_of(nodes, 3);
	assert_int_equal(p->n, 2);
	assert_memory_equal(p->peers[0].public_key, nodes[1].mesh_key, 32);
	assert_memory_not_equal(p->peers[0].public_key, old, 32);
}

static void the_number_of_networks_changes_nothing(void **state)
{
	struct node_record nodes[3];
	struct plan a, b;

	(void)state;
	three(nodes);
	a = *plan_of(nodes, 3);
	nodes[1].draining = true; /* nor does what else a record says of a node */
	nodes[1].roles = ROLE_HOST | ROLE_GATEWAY;
	b = *plan_of(nodes, 3);
	assert_int_equal(a.n, b.n);
	assert_memory_equal(a.prefixes, b.prefixes, a.n * sizeof a.prefixes[0]);
}

/* ---- roaming ---- */

#define RECORD "192.0.2.1"
#define ELSEWHERE "198.51.100.7"
#define ELSEWHERE2 "198.51.100.8"
#define NOW_S 1000000u

static void set_endpoint(struct wg_peer *peer, const char *address)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&peer->endpoint;

	memset(&peer->endpoint, 0, sizeof peer->endpoint);
	v4->sin_family = AF_INET;
	v4->sin_port = htons(51821);
	assert_int_equal(inet_pton(AF_INET, address, &v4->sin_addr), 1);
}

static const struct {
	const char *before; /* endpoint at the last look; NULL = there was none */
	uint64_t rx_before;
	const char *now;
	uint64_t rx, handshake_age_s;
	const char *wanted;
} roams[] = {
	{ RECORD, 100, RECORD, 200, 10, RECORD },
	{ RECORD, 100, ELSEWHERE, 200, 10, ELSEWHERE },     /* it spoke from there */
	{ ELSEWHERE, 200, ELSEWHERE, 200, 100, ELSEWHERE }, /* and is silent since */
	{ ELSEWHERE, 200, ELSEWHERE2, 300, 100, ELSEWHERE2 },
	{ RECORD, 100, ELSEWHERE, 100, 10, RECORD },        /* nobody spoke: somebody set it */
	{ ELSEWHERE, 200, ELSEWHERE, 200, 181, RECORD },    /* nobody answers there any more */
	{ NULL, 0, ELSEWHERE, 100, 10, ELSEWHERE },         /* our first look */
	{ NULL, 0, ELSEWHERE, 0, NOW_S, RECORD },           /* never a handshake */
};

static void an_endpoint_is_drift_unless_its_peer_spoke_from_there(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(roams); i++) {
		struct wg_peer desired = { .public_key = { 7 } };
		struct wg_peer_status was = { .peer.public_key = { 7 }, .rx_bytes = roams[i].rx_before };
		struct wg_peer_status is = { .peer.public_key = { 7 }, .rx_bytes = roams[i].rx, .last_handshake_s = NOW_S - roams[i].handshake_age_s };
		struct wg_observed before = { .peers = &was, .n = 1 }, now = { .peers = &is, .n = 1 };
		char want[64];

		set_endpoint(&desired, RECORD);
		set_endpoint(&is.peer, roams[i].now);
		if (roams[i].before)
			set_endpoint(&was.peer, roams[i].before);
		assert_int_equal(mesh_keep_roamed(&desired, 1, roams[i].before ? &before : NULL, &now, NOW_S, NULL, NULL), 0);
		snprintf(want, sizeof want, "%s:51821", roams[i].wanted);
		if (strcmp(endpoint_of(&desired), want))
			fail_msg("row %zu: %s, not %s", i, endpoint_of(&desired), want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(we_are_not_our_own_peer),
		cmocka_unit_test(each_node_has_its_mesh_48_and_nothing_else),
		cmocka_unit_test(what_moved_is_one_more_prefix_at_its_carrier_in_mesh_form),
		cmocka_unit_test(endpoints_are_those_of_the_record),
		cmocka_unit_test(a_lan_endpoint_is_preferred_in_our_own_region_whatever_its_place),
		cmocka_unit_test(a_lan_endpoint_of_another_region_is_not_ours_to_dial),
		cmocka_unit_test(a_node_without_an_endpoint_is_a_peer_that_speaks_first),
		cmocka_unit_test(a_new_key_takes_the_place_of_the_old_one),
		cmocka_unit_test(the_number_of_networks_changes_nothing),
		cmocka_unit_test(an_endpoint_is_drift_unless_its_peer_spoke_from_there),
	};

	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
