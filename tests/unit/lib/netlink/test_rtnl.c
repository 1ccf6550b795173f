/* rtnl against the kernel, in network namespaces of the test's own. */
#include "tests/unit/lib/netlink/sandbox.h"

#include "lib/netlink/netns.h"
#include "lib/netlink/rtnl.h"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

static struct in6_addr in6(const char *text)
{
	struct in6_addr addr;

	assert_int_equal(inet_pton(AF_INET6, text, &addr), 1);
	return addr;
}

static int open_rtnl(void **state)
{
	struct rtnl *rtnl;
	int ns = sandbox_netns();

	assert_int_equal(setns(ns, CLONE_NEWNET), 0); /* every test starts in an empty one */
	close(ns);
	assert_int_equal(rtnl_open(&rtnl), 0);
	*state = rtnl;
	return 0;
}

static int close_rtnl(void **state)
{
	*state = rtnl_free(*state);
	return 0;
}

/* A device that is down, and its other end that is up. */
static uint32_t device_down(struct rtnl *rtnl, const char *name)
{
	char peer_name[IFNAMSIZ];
	struct rtnl_veth veth = { .name = name, .peer_name = peer_name, .peer_netns_fd = -1 };
	struct rtnl_link link;

	snprintf(peer_name, sizeof(peer_name), "%s-end", name);
	assert_int_equal(rtnl_veth_add(rtnl, &veth), 0);
	assert_int_equal(rtnl_link_by_name(rtnl, peer_name, &link), 0);
	assert_int_equal(rtnl_link_set_up(rtnl, link.ifindex, true), 0);
	assert_int_equal(rtnl_link_by_name(rtnl, name, &link), 0);
	return link.ifindex;
}

static uint32_t device(struct rtnl *rtnl, const char *name)
{
	uint32_t ifindex = device_down(rtnl, name);

	assert_int_equal(rtnl_link_set_up(rtnl, ifindex, true), 0);
	return ifindex;
}

static void a_veth_pair_has_its_ends_in_two_namespaces(void **state)
{
	struct rtnl *rtnl = *state, *inside;
	int ns = sandbox_netns();
	struct rtnl_veth veth = { .name = "sx01234567", .peer_name = "eth6", .peer_netns_fd = ns, .mtu = 1420 };
	struct rtnl_link here, there;

	assert_int_equal(rtnl_veth_add(rtnl, &veth), 0);
	assert_int_equal(rtnl_open_in(ns, &inside), 0);
	assert_int_equal(rtnl_link_by_name(rtnl, "sx01234567", &here), 0);
	assert_int_equal(rtnl_link_by_name(inside, "eth6", &there), 0);
	assert_string_equal(here.kind, "veth");
	assert_int_equal(here.mtu, 1420);
	assert_int_equal(there.mtu, 1420);
	assert_int_equal(here.peer_ifindex, there.ifindex);
	assert_true(here.link_netnsid >= 0);
	assert_true(here.has_mac);
	assert_int_equal(rtnl_veth_add(rtnl, &veth), 0); /* once more is no error */
	rtnl_free(inside);
	close(ns);
}

static void a_name_taken_by_another_kind_is_eexist(void **state)
{
	struct rtnl_veth veth = { .name = "lo", .peer_name = "sx2", .peer_netns_fd = -1 };

	assert_int_equal(rtnl_veth_add(*state, &veth), -EEXIST);
}

static void link_properties_can_be_set_and_read_back(void **state)
{
	static const uint8_t mac[6] = { 0x02, 0, 0, 0, 0, 0x2a };
	struct rtnl *rtnl = *state;
	uint32_t ifindex = device(rtnl, "sxa");
	struct rtnl_link link;

	assert_int_equal(rtnl_link_set_up(rtnl, ifindex, false), 0);
	assert_int_equal(rtnl_link_set_mtu(rtnl, ifindex, 1380), 0);
	assert_int_equal(rtnl_link_set_mac(rtnl, ifindex, mac), 0);
	assert_int_equal(rtnl_link_rename(rtnl, ifindex, "sxb"), 0);
	assert_int_equal(rtnl_link_by_index(rtnl, ifindex, &link), 0);
	assert_string_equal(link.name, "sxb");
	assert_int_equal(link.mtu, 1380);
	assert_memory_equal(link.mac, mac, 6);
	assert_false(link.flags & IFF_UP);
	assert_int_equal(rtnl_link_by_name(rtnl, "sxa", &link), -ENODEV);
}

static void deleting_a_link_twice_is_no_error(void **state)
{
	uint32_t ifindex = device(*state, "sxa");

	assert_int_equal(rtnl_link_del(*state, ifindex), 0);
	assert_int_equal(rtnl_link_del(*state, ifindex), 0);
}

static void a_moved_link_is_found_under_its_new_name_there(void **state)
{
	struct rtnl *rtnl = *state, *inside;
	uint32_t ifindex = device(rtnl, "sxa");
	int ns = sandbox_netns();
	struct rtnl_link link;

	assert_int_equal(rtnl_link_move(rtnl, ifindex, ns, "eth6"), 0);
	assert_int_equal(rtnl_link_by_name(rtnl, "sxa", &link), -ENODEV);
	assert_int_equal(rtnl_open_in(ns, &inside), 0);
	assert_int_equal(rtnl_link_by_name(inside, "eth6", &link), 0);
	rtnl_free(inside);
	close(ns);
}

struct count {
	unsigned n, of_interest;
	const void *wanted;
};

static int count_link_local(void *ctx, const struct rtnl_addr *addr)
{
	struct count *count = ctx;

	count->n++;
	count->of_interest += IN6_IS_ADDR_LINKLOCAL(&addr->addr) && addr->flags & IFA_F_NODAD;
	return 0;
}

static void without_address_generation_a_link_that_comes_up_has_no_address(void **state)
{
	struct rtnl *rtnl = *state;
	struct count count = { 0 };
	struct rtnl_link link;

	device_down(rtnl, "sxa");
	assert_int_equal(rtnl_link_by_name(rtnl, "sxa", &link), 0);
	assert_int_equal(rtnl_link_set_addrgenmode_none(rtnl, link.ifindex), 0);
	assert_int_equal(rtnl_link_set_up(rtnl, link.ifindex, true), 0);
	assert_int_equal(rtnl_addr_list(rtnl, link.ifindex, count_link_local, &count), 0);
	assert_int_equal(count.n, 0);
}

static void addresses_are_added_without_dad_listed_and_deleted(void **state)
{
	struct in6_addr linklocal = in6("fe80::1");
	struct count count = { 0 };
	struct rtnl *rtnl = *state;
	struct rtnl_addr there;
	struct rtnl_link link;

	device_down(rtnl, "sxa");
	assert_int_equal(rtnl_link_by_name(rtnl, "sxa", &link), 0);
	assert_int_equal(rtnl_link_set_addrgenmode_none(rtnl, link.ifindex), 0);
	assert_int_equal(rtnl_addr_add(rtnl, link.ifindex, &linklocal, 64), 0);
	assert_int_equal(rtnl_addr_add(rtnl, link.ifindex, &linklocal, 64), 0);
	assert_int_equal(rtnl_addr_add(rtnl, link.ifindex, &linklocal, 128), -EEXIST);
	assert_int_equal(rtnl_addr_list(rtnl, link.ifindex, count_link_local, &count), 0);
	assert_int_equal(count.of_interest, 1);
	assert_int_equal(rtnl_addr_replace(rtnl, link.ifindex, &linklocal, 128), 0);
	assert_int_equal(rtnl_addr_get(rtnl, link.ifindex, &linklocal, &there), 0);
	assert_int_equal(there.prefix_len, 128);
	assert_int_equal(rtnl_addr_replace(rtnl, link.ifindex, &linklocal, 64), 0);
	assert_int_equal(rtnl_addr_replace(rtnl, link.ifindex, &linklocal, 64), 0);
	assert_int_equal(rtnl_addr_del(rtnl, link.ifindex, &linklocal, 64), 0);
	assert_int_equal(rtnl_addr_del(rtnl, link.ifindex, &linklocal, 64), 0);
	assert_int_equal(rtnl_addr_del(rtnl, 4242, &linklocal, 64), 0);
}

static int count_route(void *ctx, const struct rtnl_route *route)
{
	const struct rtnl_route *wanted = ((struct count *)ctx)->wanted;
	struct count *count = ctx;

	count->n++;
	count->of_interest += route->type == wanted->type && route->dst_len == wanted->dst_len &&
			      !memcmp(&route->dst, &wanted->dst, 16) && route->has_via == wanted->has_via &&
			      !memcmp(&route->via, &wanted->via, 16) && route->table == wanted->table &&
			      (!wanted->oif || route->oif == wanted->oif) && route->protocol == RTNL_PROTO_SIXPN;
	return 0;
}

static struct count routes_like(struct rtnl *rtnl, const struct rtnl_route *wanted)
{
	struct count count = { .wanted = wanted };

	assert_int_equal(rtnl_route_list(rtnl, wanted->table, count_route, &count), 0);
	return count;
}

static void routes_of_every_type_live_in_a_table_of_their_own(void **state)
{
	struct rtnl *rtnl = *state;
	uint32_t ifindex = device(rtnl, "sxa");
	const struct rtnl_route routes[] = {
		{ .dst = in6("fdaa:1:2:3::"), .dst_len = 112, .type = RTN_UNICAST, .has_via = true, .via = in6("fe80::2"),
		  .oif = ifindex, .table = 6000 },
		{ .dst = in6("fdaa::"), .dst_len = 16, .type = RTN_UNICAST, .oif = ifindex, .table = 6000 },
		{ .dst = in6("fdaa:9::"), .dst_len = 48, .type = RTN_UNREACHABLE, .table = 6000 },
		{ .dst = in6("fdaa:8::"), .dst_len = 48, .type = RTN_BLACKHOLE, .table = 6000 },
		{ .dst = in6("fdaa::3"), .dst_len = 128, .type = RTN_LOCAL, .oif = ifindex, .table = 6000 },
		{ .dst = in6("fdaa::"), .dst_len = 16, .type = RTN_UNREACHABLE, .table = RT_TABLE_MAIN },
	};

	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(rtnl_route_add(rtnl, &routes[i]), 0);
		assert_int_equal(routes_like(rtnl, &routes[i]).of_interest, 1);
		assert_int_equal(rtnl_route_add(rtnl, &routes[i]), 0);
	}
	assert_int_equal(routes_like(rtnl, &routes[0]).n, 5);
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(rtnl_route_del(rtnl, &routes[i]), 0);
		assert_int_equal(routes_like(rtnl, &routes[i]).of_interest, 0);
		assert_int_equal(rtnl_route_del(rtnl, &routes[i]), 0);
	}
}

static void another_route_in_the_same_place_is_eexist_and_replace_takes_it(void **state)
{
	struct rtnl *rtnl = *state;
	uint32_t one = device(rtnl, "sxa"), two = device(rtnl, "sxb");
	struct rtnl_route route = { .dst = in6("fdaa:1::"), .dst_len = 48, .type = RTN_UNICAST, .oif = one, .table = 6000 };

	assert_int_equal(rtnl_route_add(rtnl, &route), 0);
	route.oif = two;
	assert_int_equal(rtnl_route_add(rtnl, &route), -EEXIST);
	assert_int_equal(rtnl_route_replace(rtnl, &route), 0);
	assert_int_equal(routes_like(rtnl, &route).n, 1);
	assert_int_equal(routes_like(rtnl, &route).of_interest, 1);
}

static void a_table_that_never_was_is_an_empty_list(void **state)
{
	struct rtnl_route wanted = { .table = 6777 };

	assert_int_equal(routes_like(*state, &wanted).n, 0);
}

static void the_kernels_sentence_about_a_refusal_is_kept(void **state)
{
	uint32_t ifindex = device_down(*state, "sxa");

	assert_int_equal(rtnl_link_set_mtu(*state, ifindex, 70000), -EINVAL);
	assert_string_equal(rtnl_why(*state)->code, "netlink");
	assert_string_equal(rtnl_why(*state)->text, "mtu greater than device maximum");
	assert_int_equal(rtnl_link_set_mtu(*state, ifindex, 1420), 0);
	assert_string_equal(rtnl_why(*state)->text, "");
}

static void default_routes_from_router_advertisements_are_found(void **state)
{
	struct rtnl *rtnl = *state;
	uint32_t one = device(rtnl, "eth0"), two = device(rtnl, "eth1"), found[4];
	struct rtnl_route route = { .type = RTN_UNICAST, .protocol = RTPROT_RA, .has_via = true, .via = in6("fe80::1"),
				    .oif = one, .table = RT_TABLE_MAIN };
	size_t n;

	assert_int_equal(rtnl_ra_default_links(rtnl, found, 4, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(rtnl_route_add(rtnl, &route), 0);
	route.oif = two;
	route.metric = 2048;
	assert_int_equal(rtnl_route_add(rtnl, &route), 0);
	assert_int_equal(rtnl_ra_default_links(rtnl, found, 4, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(found[0] + found[1], one + two);
	assert_int_equal(rtnl_ra_default_links(rtnl, found, 1, &n), -ENOSPC);
}

static int find_rule(void *ctx, const struct rtnl_rule *rule)
{
	struct count *count = ctx;
	const struct rtnl_rule *wanted = count->wanted;

	count->of_interest += rule->priority == wanted->priority && rule->mark == wanted->mark && rule->mask == wanted->mask &&
			      rule->table == wanted->table && !rule->other_selectors;
	count->n++;
	return 0;
}

static unsigned rules_like(struct rtnl *rtnl, const struct rtnl_rule *wanted)
{
	struct count count = { .wanted = wanted };

	assert_int_equal(rtnl_rule_list(rtnl, find_rule, &count), 0);
	return count.of_interest;
}

static void rules_select_by_mark_and_mask(void **state)
{
	const struct rtnl_rule ours = { .mark = 0x6b, .mask = 0xff, .table = 6000, .priority = 100 };
	const struct rtnl_rule everything = { .table = 6000, .priority = 100 };

	assert_int_equal(rtnl_rule_add(*state, &ours), 0);
	assert_int_equal(rtnl_rule_add(*state, &ours), 0);
	assert_int_equal(rules_like(*state, &ours), 1);
	assert_int_equal(rtnl_rule_add(*state, &everything), 0); /* another rule, seen as such */
	assert_int_equal(rules_like(*state, &everything), 1);
	assert_int_equal(rtnl_rule_del(*state, &ours), 0);
	assert_int_equal(rtnl_rule_del(*state, &ours), 0);
	assert_int_equal(rules_like(*state, &ours), 0);
	assert_int_equal(rules_like(*state, &everything), 1);
}

static int find_neigh(void *ctx, const struct rtnl_neigh *neigh)
{
	struct count *count = ctx;

	count->n++;
	count->of_interest += neigh->state == NUD_PERMANENT && neigh->has_mac && !memcmp(neigh->mac, count->wanted, 6);
	return 0;
}

static void neighbours_are_permanent_and_replaced_in_place(void **state)
{
	static const uint8_t first[6] = { 2, 0, 0, 0, 0, 1 }, second[6] = { 2, 0, 0, 0, 0, 2 };
	struct in6_addr addr = in6("fe80::2");
	struct count count = { .wanted = second };
	struct rtnl *rtnl = *state;
	struct rtnl_link lo;
	struct rtnl_veth veth = { .name = "sxa", .peer_name = "sxb", .peer_netns_fd = -1 };

	assert_int_equal(rtnl_veth_add(rtnl, &veth), 0);
	assert_int_equal(rtnl_link_by_name(rtnl, "sxa", &lo), 0);
	assert_int_equal(rtnl_link_set_up(rtnl, lo.ifindex, true), 0);
	assert_int_equal(rtnl_neigh_add(rtnl, lo.ifindex, &addr, first), 0);
	assert_int_equal(rtnl_neigh_add(rtnl, lo.ifindex, &addr, second), 0);
	assert_int_equal(rtnl_neigh_list(rtnl, lo.ifindex, find_neigh, &count), 0);
	assert_int_equal(count.of_interest, 1);
	assert_int_equal(rtnl_neigh_del(rtnl, lo.ifindex, &addr), 0);
	assert_int_equal(rtnl_neigh_del(rtnl, lo.ifindex, &addr), 0);
	count = (struct count){ .wanted = second };
	assert_int_equal(rtnl_neigh_list(rtnl, lo.ifindex, find_neigh, &count), 0);
	assert_int_equal(count.of_interest, 0);
}

static int stop_at_first(void *ctx, const struct rtnl_link *link)
{
	(void)link;
	++*(unsigned *)ctx;
	return 7;
}

static void a_list_ends_where_its_callback_says(void **state)
{
	unsigned n = 0;

	device(*state, "sxa");
	assert_int_equal(rtnl_link_list(*state, stop_at_first, &n), 7);
	assert_int_equal(n, 1);
}

static void a_route_is_there_only_as_it_was_asked_for(void **state)
{
	struct rtnl_route refuse = { .dst = in6("fdaa::"), .dst_len = 16, .type = RTN_UNREACHABLE, .table = RT_TABLE_MAIN, .metric = 77 };
	bool there = true;

	assert_int_equal(rtnl_route_there(*state, &refuse, &there), 0);
	assert_false(there);
	assert_int_equal(rtnl_route_add(*state, &refuse), 0);
	assert_int_equal(rtnl_route_there(*state, &refuse, &there), 0);
	assert_true(there);
	refuse.metric = 78;
	assert_int_equal(rtnl_route_there(*state, &refuse, &there), 0);
	assert_false(there);
	refuse.metric = 77;
	refuse.type = RTN_BLACKHOLE;
	assert_int_equal(rtnl_route_there(*state, &refuse, &there), 0);
	assert_false(there);
	refuse.table = 6000; /* a table that never was */
	assert_int_equal(rtnl_route_there(*state, &refuse, &there), 0);
	assert_false(there);
}

static void one_address_and_one_neighbour_are_asked_for_by_name(void **state)
{
	struct in6_addr here = in6("fdaa::7"), gone = in6("fdaa::8");
	const uint8_t mac[6] = { 2, 0, 0, 0, 0, 9 };
	uint32_t a = device(*state, "sxa"), b = device(*state, "sxb");
	struct rtnl_neigh neigh;
	struct rtnl_addr addr;

	assert_int_equal(rtnl_addr_add(*state, a, &here, 112), 0);
	assert_int_equal(rtnl_addr_get(*state, a, &here, &addr), 0);
	assert_int_equal(addr.prefix_len, 112);
	assert_int_equal(addr.ifindex, a);
	assert_int_equal(rtnl_addr_get(*state, a, &gone, &addr), -EADDRNOTAVAIL);
	assert_int_equal(rtnl_addr_get(*state, b, &here, &addr), -EADDRNOTAVAIL);
	assert_int_equal(rtnl_neigh_get(*state, a, &gone, &neigh), -ENOENT);
	assert_int_equal(rtnl_neigh_add(*state, a, &gone, mac), 0);
	assert_int_equal(rtnl_neigh_get(*state, a, &gone, &neigh), 0);
	assert_true(neigh.state & 0x80); /* NUD_PERMANENT */
	assert_memory_equal(neigh.mac, mac, sizeof mac);
	assert_int_equal(rtnl_neigh_get(*state, b, &gone, &neigh), -ENOENT);
}

static void the_route_to_an_address_is_asked_for_by_name(void **state)
{
	struct in6_addr here = in6("fdaa::7"), beyond = in6("fdab::7");
	uint32_t a = device(*state, "sxa");
	struct rtnl_route route;

	assert_int_equal(rtnl_route_get(*state, &beyond, &route), -ENETUNREACH);
	assert_int_equal(rtnl_addr_add(*state, a, &here, 112), 0);
	for (int tries = 0; tries < 1000 && (rtnl_route_get(*state, &here, &route) < 0 || route.type != RTN_LOCAL); tries++)
		usleep(1000); /* the kernel's work queue */
	assert_int_equal(rtnl_route_get(*state, &here, &route), 0);
	assert_int_equal(route.type, RTN_LOCAL);
	assert_int_equal(route.dst_len, 128);
	here = in6("fdaa::8");
	assert_int_equal(rtnl_route_get(*state, &here, &route), 0);
	assert_int_equal(route.type, RTN_UNICAST);
	assert_int_equal(route.dst_len, 112);
	assert_int_equal(route.oif, a);
}

static int list_again(void *ctx, const struct rtnl_link *link)
{
	struct rtnl_link again;

	return rtnl_link_by_index(ctx, link->ifindex, &again) == 0 ? 0 : -1;
}

static void a_callback_may_make_requests(void **state)
{
	device(*state, "sxa");
	device(*state, "sxb");
	assert_int_equal(rtnl_link_list(*state, list_again, *state), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, open_rtnl, close_rtnl)
		T(a_veth_pair_has_its_ends_in_two_namespaces),
		T(a_name_taken_by_another_kind_is_eexist),
		T(link_properties_can_be_set_and_read_back),
		T(deleting_a_link_twice_is_no_error),
		T(a_moved_link_is_found_under_its_new_name_there),
		T(without_address_generation_a_link_that_comes_up_has_no_address),
		T(addresses_are_added_without_dad_listed_and_deleted),
		T(routes_of_every_type_live_in_a_table_of_their_own),
		T(another_route_in_the_same_place_is_eexist_and_replace_takes_it),
		T(a_table_that_never_was_is_an_empty_list),
		T(the_kernels_sentence_about_a_refusal_is_kept),
		T(default_routes_from_router_advertisements_are_found),
		T(rules_select_by_mark_and_mask),
		T(neighbours_are_permanent_and_replaced_in_place),
		T(a_route_is_there_only_as_it_was_asked_for),
		T(one_address_and_one_neighbour_are_asked_for_by_name),
		T(the_route_to_an_address_is_asked_for_by_name),
		T(a_list_ends_where_its_callback_says),
		T(a_callback_may_make_requests),
	};

	sandbox_or_skip();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
