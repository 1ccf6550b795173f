/* Addresses that moved: which, from the records alone, and where a node keeps them. */
#include "tests/unit/node/made.h"
#include "tests/unit/lib/netlink/sandbox.h"

#include "lib/netlink/wg.h"
#include "node/moved.h"

#include <linux/rtnetlink.h>

/* "address/len>carrier" of each, the carrier's last digit only. */
static const char *wanted(const struct replica *r)
{
	static char text[400];
	char address[ADDR_TEXT_LEN];
	struct moved m = { 0 };

	text[0] = 0;
	assert_int_equal(moved_wanted(r, &m), 0);
	for (size_t i = 0; i < m.n; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s/%u>%x", i ? " " : "", addr_text(&m.items[i].prefix, address),
			 m.items[i].len, m.items[i].carrier & 0xf);
	moved_deinit(&m);
	return text;
}

/* A peer of MADE_NET at home at `home`, carried by `carrier`. */
static void take_peer(struct replica *r, uint64_t v, uint32_t home, uint32_t carrier, unsigned number, bool suspended)
{
	struct made *m = made_delta(v - 1, v);
	struct peer_record p = made_peer_record(MADE_NET, carrier, number);

	p.home_gateway = home;
	p.suspended = suspended;
	made_peer(m, v, &p);
	made_take(r, m, 0);
}

static const char *text_of(uint32_t network, uint32_t host, const char *rest)
{
	static char text[80];

	snprintf(text, sizeof text, "fdaa:%x:%x:%x:%x:%s", network >> 16, network & 0xffff, host >> 16, host & 0xffff, rest);
	return text;
}

static void what_is_at_home_has_not_moved(void **state)
{
	struct replica *r = made_replica();

	(void)state;
	assert_string_equal(wanted(r), "");
	take_peer(r, 21, MADE_HOST, MADE_HOST, 1, false);
	assert_string_equal(wanted(r), "");
	made_replica_free(r);
}

static void a_peer_moves_with_its_120_and_an_instance_with_its_112(void **state)
{
	struct replica *r = made_replica();
	struct made *m = made_delta(21, 22);
	struct instance_record i = made_instance_record(MADE_NET, MADE_HOST, 77);

	(void)state;
	take_peer(r, 21, MADE_HOST, MADE_HOST2, 1, false);
	assert_string_equal(wanted(r), text_of(MADE_NET, MADE_HOST, "0:b:100/120>8"));
	i.host = MADE_HOST2;
	made_instance(m, 22, &i);
	made_take(r, m, 0);
	assert_non_null(strstr(wanted(r), text_of(MADE_NET, MADE_HOST, "1:4d:0/112>8")));
	take_peer(r, 23, MADE_HOST, MADE_HOST, 1, false); /* home again */
	assert_null(strstr(wanted(r), "/120"));
	made_replica_free(r);
}

static void what_is_suspended_has_not_moved(void **state)
{
	struct replica *r = made_replica();
	struct made *m = made_delta(22, 23);

	(void)state;
	take_peer(r, 21, MADE_HOST, MADE_HOST2, 1, true);
	assert_string_equal(wanted(r), "");
	take_peer(r, 22, MADE_HOST, MADE_HOST2, 1, false);
	assert_string_not_equal(wanted(r), "");
	made_network(m, 23, MADE_NET, "acme", true);
	made_take(r, m, 0);
	assert_string_equal(wanted(r), "");
	made_replica_free(r);
}

static void one_address_of_two_records_is_the_older_ones(void **state)
{
	struct replica *r = made_replica();
	struct made *m = made_delta(21, 22);
	struct peer_record twin = made_peer_record(MADE_NET, MADE_HOST3, 1);

	(void)state;
	take_peer(r, 21, MADE_HOST, MADE_HOST2, 1, false);
	twin.home_gateway = MADE_HOST;
	twin.id[0] ^= 0xff;
	made_peer(m, 22, &twin);
	made_take(r, m, 0);
	assert_string_equal(wanted(r), text_of(MADE_NET, MADE_HOST, "0:b:100/120>8"));
	made_replica_free(r);
}

static void a_carrier_is_asked_for_no_more_prefixes_than_wireguard_takes(void **state)
{
	struct replica *r = made_replica();
	struct moved m = { 0 }, copy;
	size_t refused = 0, n;

	(void)state;
	take_peer(r, 21, MADE_HOST, MADE_HOST2, 1, false);
	assert_int_equal(moved_wanted(r, &m), 0);
	m.items = realloc(m.items, (WG_ALLOWED_MAX + 9) * sizeof *m.items);
	for (m.n = 1; m.n < WG_ALLOWED_MAX + 9; m.n++) {
		m.items[m.n] = m.items[0];
		put_u32(m.items[m.n].prefix.s6_addr + 10, 0x100 + (uint32_t)m.n);
	}
	assert_int_equal(moved_copy(&m, &copy), 0);
	for (size_t i = 0; i < copy.n; i++)
		refused += copy.items[i].refused != NULL;
	assert_int_equal(refused, 10); /* the carrier's own /48 is one of what it takes */
	moved_at(&copy, MADE_HOST2, &n);
	assert_int_equal(n, copy.n);
	moved_at(&copy, MADE_HOST3, &n);
	assert_int_equal(n, 0);
	moved_deinit(&copy);
	moved_deinit(&m);
	made_replica_free(r);
}

/* ---- the machine ---- */

static int count_entry(void *ctx, const uint8_t prefix[16], uint32_t carrier)
{
	(void)prefix;
	(void)carrier;
	++*(size_t *)ctx;
	return 0;
}

static size_t entries(struct bpf_datapath *dp, enum bpf_moved which)
{
	size_t n = 0;

	assert_int_equal(bpf_moved_list(dp, which, count_entry, &n), 0);
	return n;
}

struct repairs {
	unsigned n;
	char last[160];
};

static void note_repair(void *ctx, enum repair kind, const char *object, int error)
{
	struct repairs *repairs = ctx;

	assert_int_equal(kind, REPAIR_MOVED_ENTRY);
	assert_int_equal(error, 0);
	repairs->n++;
	snprintf(repairs->last, sizeof repairs->last, "%s", object);
}

/* Three nodes look at the same records: the carrier, the home, one that is neither and lets it in for itself. */
static void each_node_keeps_what_is_its_business(void **state)
{
	static const struct { uint32_t self; size_t here, away; } rows[] = { { MADE_HOST2, 1, 0 }, { MADE_HOST, 0, 1 }, { MADE_HOST3, 0, 1 } };
	struct replica *r = made_replica();
	struct moved m = { 0 }, none = { 0 };

	(void)state;
	take_peer(r, 21, MADE_HOST, MADE_HOST2, 1, false);
	assert_int_equal(moved_wanted(r, &m), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bpf_config config = { .self_host = rows[i].self };
		struct bpf_datapath *dp;

		assert_int_equal(bpf_datapath_open(NULL, &config, &dp), 0);
		assert_int_equal(moved_add(dp, rows[i].self, &m), 0);
		assert_int_equal(entries(dp, BPF_MOVED_HERE), rows[i].here);
		assert_int_equal(entries(dp, BPF_MOVED_AWAY), rows[i].away);
		assert_int_equal(moved_remove(dp, rows[i].self, &m), 0);
		assert_int_equal(entries(dp, BPF_MOVED_HERE) + entries(dp, BPF_MOVED_AWAY), rows[i].here + rows[i].away);
		assert_int_equal(moved_remove(dp, rows[i].self, &none), 0);
		assert_int_equal(entries(dp, BPF_MOVED_HERE) + entries(dp, BPF_MOVED_AWAY), 0);
		bpf_datapath_close(dp);
	}
	moved_deinit(&m);
	made_replica_free(r);
}

static void what_others_change_in_the_maps_is_put_right_and_told(void **state)
{
	struct bpf_config config = { .self_host = MADE_HOST2 };
	uint8_t foreign[16] = { 0xfd, 0xaa, 0x12, 0x34, 0, 1, 0xa0, 1, 0, 1, 0, 0, 0, 0x0b, 1, 2 };
	struct repairs repairs = { 0 };
	const struct repair_sink sink = { note_repair, &repairs };
	struct replica *r = made_replica();
	struct bpf_datapath *dp;
	struct moved m = { 0 };

	(void)state;
	take_peer(r, 21, MADE_HOST, MADE_HOST2, 1, false);
	assert_int_equal(moved_wanted(r, &m), 0);
	assert_int_equal(bpf_datapath_open(NULL, &config, &dp), 0);
	assert_int_equal(moved_add(dp, MADE_HOST2, &m), 0);
	assert_int_equal(moved_repair(dp, MADE_HOST2, &m, &sink), 0);
	assert_int_equal(repairs.n, 0);

	assert_int_equal(bpf_moved_set(dp, BPF_MOVED_HERE, foreign, MADE_HOST2), 0);
	assert_int_equal(bpf_moved_set(dp, BPF_MOVED_AWAY, foreign, MADE_HOST3), 0);
	assert_int_equal(moved_repair(dp, MADE_HOST2, &m, &sink), 0);
	assert_int_equal(repairs.n, 2);
	assert_int_equal(entries(dp, BPF_MOVED_HERE), 1);
	assert_int_equal(entries(dp, BPF_MOVED_AWAY), 0);

	assert_int_equal(bpf_moved_remove(dp, BPF_MOVED_HERE, m.items[0].prefix.s6_addr), 0);
	assert_int_equal(moved_repair(dp, MADE_HOST2, &m, &sink), 0);
	assert_int_equal(repairs.n, 3);
	assert_non_null(strstr(repairs.last, "was missing"));
	assert_int_equal(entries(dp, BPF_MOVED_HERE), 1);
	bpf_datapath_close(dp);
	moved_deinit(&m);
	made_replica_free(r);
}

static void what_a_full_map_does_not_take_is_refused_and_nothing_else(void **state)
{
	struct bpf_config config = { .self_host = MADE_HOST2 };
	uint8_t filler[16] = { 0xfd, 0xaa, 0x12, 0x34, 0, 1, 0xa0, 1, 0, 1 };
	struct replica *r = made_replica();
	struct bpf_datapath *dp;
	struct moved m = { 0 };

	(void)state;
	take_peer(r, 21, MADE_HOST, MADE_HOST2, 1, false);
	take_peer(r, 22, MADE_HOST, MADE_HOST2, 2, false);
	assert_int_equal(moved_wanted(r, &m), 0);
	assert_int_equal(bpf_datapath_open(NULL, &config, &dp), 0);
	for (uint32_t i = 0; i < 65535; i++) { /* all but one */
		put_u32(filler + 10, 0x00010000 + i);
		assert_int_equal(bpf_moved_set(dp, BPF_MOVED_HERE, filler, MADE_HOST2), 0);
	}
	assert_int_equal(moved_add(dp, MADE_HOST2, &m), -E2BIG);
	assert_null(m.items[0].refused);
	assert_non_null(strstr(m.items[1].refused, "full"));
	bpf_datapath_close(dp);
	moved_deinit(&m);
	made_replica_free(r);
}

static int count_route(void *ctx, const struct rtnl_route *route)
{
	*(size_t *)ctx += route->dst_len == 120;
	return 0;
}

static size_t routes(struct rtnl *rtnl)
{
	size_t n = 0;

	assert_int_equal(rtnl_route_list(rtnl, ADDR_TABLE, count_route, &n), 0);
	return n;
}

static void the_home_alone_has_a_way_past_its_own_peers(void **state)
{
	struct rtnl_veth pair = { .name = "mesh", .peer_name = "mesh-end", .peer_netns_fd = -1 };
	struct moved m = { 0 }, none = { 0 };
	struct replica *r = made_replica();
	struct rtnl_link link;
	struct rtnl *rtnl;

	(void)state;
	take_peer(r, 21, MADE_HOST, MADE_HOST2, 1, false);
	assert_int_equal(moved_wanted(r, &m), 0);
	assert_int_equal(rtnl_open(&rtnl), 0);
	assert_int_equal(rtnl_veth_add(rtnl, &pair), 0);
	assert_int_equal(rtnl_link_by_name(rtnl, "mesh-end", &link), 0);
	assert_int_equal(rtnl_link_set_up(rtnl, link.ifindex, true), 0);
	assert_int_equal(rtnl_link_by_name(rtnl, "mesh", &link), 0);
	assert_int_equal(rtnl_link_set_up(rtnl, link.ifindex, true), 0);

	assert_int_equal(moved_add_routes(rtnl, MADE_HOST2, &m, link.ifindex), 0);
	assert_int_equal(moved_add_routes(rtnl, MADE_HOST3, &m, link.ifindex), 0);
	assert_int_equal(routes(rtnl), 0);
	assert_int_equal(moved_add_routes(rtnl, MADE_HOST, &m, link.ifindex), 0);
	assert_int_equal(moved_add_routes(rtnl, MADE_HOST, &m, link.ifindex), 0);
	assert_int_equal(moved_remove_routes(rtnl, MADE_HOST, &m, link.ifindex), 0);
	assert_int_equal(routes(rtnl), 1);
	assert_int_equal(moved_remove_routes(rtnl, MADE_HOST, &none, link.ifindex), 0);
	assert_int_equal(routes(rtnl), 0);
	rtnl_free(rtnl);
	moved_deinit(&m);
	made_replica_free(r);
}

int main(void)
{
	const struct CMUnitTest pure[] = {
		cmocka_unit_test(what_is_at_home_has_not_moved),
		cmocka_unit_test(a_peer_moves_with_its_120_and_an_instance_with_its_112),
		cmocka_unit_test(what_is_suspended_has_not_moved),
		cmocka_unit_test(one_address_of_two_records_is_the_older_ones),
		cmocka_unit_test(a_carrier_is_asked_for_no_more_prefixes_than_wireguard_takes),
	};
	const struct CMUnitTest machine[] = {
		cmocka_unit_test(each_node_keeps_what_is_its_business),
		cmocka_unit_test(what_others_change_in_the_maps_is_put_right_and_told),
		cmocka_unit_test(what_a_full_map_does_not_take_is_refused_and_nothing_else),
		cmocka_unit_test(the_home_alone_has_a_way_past_its_own_peers),
	};
	int failed = cmocka_run_group_tests(pure, NULL, NULL);

	sandbox_or_skip();
	return failed + cmocka_run_group_tests(machine, NULL, NULL);
}
