/* A real veth pair with real programs on a real shim: what is made, that it carries DNS-shaped traffic and nothing else, that a
 * second daemon changes nothing, that failures leave nothing, that all goes away again. Root only, in namespaces of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/agent/held.h"

#include "agent/attach.h"
#include "lib/bpf/attach.h"
#include "lib/bpf/maps.h"
#include "lib/netlink/netns.h"
#include "lib/netlink/rtnl.h"
#include "lib/netlink/sysctl.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#define OPS attach_netns_ops
#define HOST 0xa9a80001u
#define NETWORK 0x002a0001u
#define INSTANCE 0x51c290abu

struct place {
	struct held held;
	struct attach_netns env;
	struct attach_spec spec;
	char name[ATTACH_NAME_SIZE];
};

/* The parts of a node that an instance needs to reach fdaa::3: the address, the rule, forwarding, mark reflection. */
static void make_node(struct rtnl *rtnl)
{
	const struct in6_addr resolver = addr_resolver();
	struct rtnl_rule rule = { .mark = ADDR_MARK, .mask = ADDR_MARK_MASK, .table = ADDR_TABLE, .priority = ADDR_RULE_PRIORITY };
	struct rtnl_link lo;

	assert_int_equal(rtnl_link_by_name(rtnl, "lo", &lo), 0);
	assert_int_equal(rtnl_link_set_up(rtnl, lo.ifindex, true), 0);
	assert_int_equal(rtnl_addr_add(rtnl, lo.ifindex, &resolver, 128), 0);
	assert_int_equal(rtnl_rule_add(rtnl, &rule), 0);
	assert_int_equal(sysctl_write("net/ipv6/conf/all/forwarding", "1"), 0);
	assert_int_equal(sysctl_write("net/ipv6/fwmark_reflect", "1"), 0);
}

static int setup(void **state)
{
	const struct bpf_config config = { .self_host = HOST };
	struct place *p = calloc(1, sizeof *p);

	*state = p;
	/* each test in a network namespace of its own: nothing of the test before is there */
	if (unshare(CLONE_NEWNET) < 0 || held_setup(&p->held) < 0 || rtnl_open(&p->env.rtnl) < 0 ||
	    bpf_datapath_open(NULL, &config, &p->env.datapath) < 0)
		return -1;
	make_node(p->env.rtnl);
	p->spec = (struct attach_spec){ .id = HELD_ID, .folder = p->held.folder, .network = NETWORK, .home_host = HOST, .instance = INSTANCE };
	attach_name(HELD_ID, 0, p->name);
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;

	held_teardown(&p->held);
	rtnl_free(p->env.rtnl);
	bpf_datapath_close(p->env.datapath);
	free(p);
	return 0;
}

static void hold(struct place *p)
{
	held_start(&p->held, "{\"schema\":1,\"command\":[\"/bin/true\"]}");
	held_until(&p->held, &p->held.ready);
	assert_int_equal(runtime_process_ops.netns(p->held.runtime, HELD_ID, &p->spec.netns_fd), 0);
}

static void let_go(struct place *p)
{
	close(p->spec.netns_fd);
	assert_int_equal(runtime_process_ops.kill(p->held.runtime, HELD_ID, false), 0);
	held_until(&p->held, &p->held.ended);
}

static void nothing(struct loop_timer *timer)
{
	(void)timer;
}

/* As the agent does it: again after a few milliseconds while the kernel is not through. */
static void attach_now(struct place *p)
{
	struct loop_timer timer = { .expired = nothing };
	struct why why = { .text = "" };
	int r;

	while ((r = OPS.attach(&p->env, &p->spec, &why)) == ATTACH_E_PENDING) {
		assert_int_equal(loop_set_timer_in(p->held.loop, &timer, 5), 0);
		loop_round(p->held.loop, -1);
	}
	loop_cancel_timer(&timer);
	if (r != 0)
		fail_msg("%s", why.text);
}

/* An ICMPv6 echo to fdaa::3 and back, in the instance's namespace: 0, or -errno. */
static int ping_resolver(void *ctx)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_addr = addr_resolver() };
	const uint8_t request[16] = { 128, 0, 0, 0, 0, 42, 0, 1 };
	struct timeval limit = { .tv_usec = 500000 };
	uint8_t reply[64];
	CLEAN_CLOSE int fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6);

	(void)ctx;
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0)
		return -errno;
	if (sendto(fd, request, sizeof request, 0, (struct sockaddr *)&to, sizeof to) < 0)
		return -errno;
	while (recv(fd, reply, sizeof reply, 0) >= 0)
		if (reply[0] == 129)
			return 0;
	return -errno;
}

static int expect_link_in_state(struct place *p, bool up)
{
	struct rtnl_link link;

	assert_int_equal(rtnl_link_by_name(p->env.rtnl, p->name, &link), 0);
	assert_int_equal(!!(link.flags & IFF_UP), up);
	assert_int_equal(link.mtu, ADDR_MTU);
	return (int)link.ifindex;
}

static int count_addr(void *ctx, const struct rtnl_addr *addr)
{
	(void)addr;
	++*(int *)ctx;
	return 0;
}

static int find_route(void *ctx, const struct rtnl_route *route)
{
	struct rtnl_route *found = ctx;

	if (route->dst_len == found->dst_len && !memcmp(&route->dst, &found->dst, 16))
		*found = *route;
	return 0;
}

static void names_are_the_hash_of_the_id_and_differ_by_turn(void **state)
{
	char a[ATTACH_NAME_SIZE], b[ATTACH_NAME_SIZE], again[ATTACH_NAME_SIZE];

	(void)state;
	attach_name(HELD_ID, 0, a);
	attach_name(HELD_ID, 1, b);
	attach_name(HELD_ID, 0, again);
	assert_int_equal(strlen(a), 10);
	assert_memory_equal(a, "sx", 2);
	assert_string_not_equal(a, b);
	assert_string_equal(a, again);
}

static void another_kind_is_refused_with_a_sentence(void **state)
{
	struct place *p = *state;
	struct why why = { .text = "" };

	p->spec.kind = ATTACH_TAP;
	assert_int_equal(OPS.attach(&p->env, &p->spec, &why), E_REFUSED);
	assert_string_equal(why.text, "an interface of kind \"tap\" is not to be had on this host");
}

static void the_instance_reaches_the_resolver_through_the_programs(void **state)
{
	struct place *p = *state;
	struct rtnl_route route = { .dst = addr_instance(NETWORK, HOST, INSTANCE), .dst_len = 112 };
	struct sixpn_device entry;
	struct bpf_attachment on;
	uint32_t ifindex;

	hold(p);
	attach_now(p);
	ifindex = (uint32_t)expect_link_in_state(p, true);
	assert_int_equal(bpf_attach_query(p->env.datapath, ifindex, &on), 0);
	assert_true(on.ingress_current && on.egress_current);
	assert_int_equal(bpf_device_get(p->env.datapath, ifindex, &entry), 0);
	assert_int_equal(entry.network, NETWORK);
	route.dst.s6_addr[15] = 0;
	assert_int_equal(rtnl_route_list(p->env.rtnl, ADDR_TABLE, find_route, &route), 0);
	assert_int_equal(route.oif, ifindex);
	assert_true(route.has_via);
	assert_int_equal(netns_call(p->spec.netns_fd, ping_resolver, NULL), 0);
	let_go(p);
}

static void both_ends_have_just_the_addresses_that_were_given(void **state)
{
	struct place *p = *state;
	struct rtnl *inner;
	struct rtnl_link link;
	int outer_count = 0, inner_count = 0;

	hold(p);
	attach_now(p);
	assert_int_equal(rtnl_addr_list(p->env.rtnl, (uint32_t)expect_link_in_state(p, true), count_addr, &outer_count), 0);
	assert_int_equal(outer_count, 1);
	assert_int_equal(rtnl_open_in(p->spec.netns_fd, &inner), 0);
	assert_int_equal(rtnl_link_by_name(inner, "6pn0", &link), 0);
	assert_int_equal(rtnl_addr_list(inner, link.ifindex, count_addr, &inner_count), 0);
	assert_int_equal(inner_count, 2);
	rtnl_free(inner);
	let_go(p);
}

static void a_suspended_one_is_silent_until_it_is_not(void **state)
{
	struct place *p = *state;

	hold(p);
	p->spec.suspended = true;
	attach_now(p);
	assert_true(netns_call(p->spec.netns_fd, ping_resolver, NULL) < 0);
	p->spec.suspended = false;
	attach_now(p);
	assert_int_equal(netns_call(p->spec.netns_fd, ping_resolver, NULL), 0);
	let_go(p);
}

static void a_silenced_one_passes_nothing_until_it_is_attached_again(void **state)
{
	struct place *p = *state;
	struct attach_spec other;

	hold(p);
	assert_int_equal(attach_netns_ops.silence(&p->env, &p->spec), 0); /* there is nothing yet */
	attach_now(p);
	other = p->spec;
	other.instance ^= 1; /* a file of before: the number means somebody else's device */
	assert_int_equal(attach_netns_ops.silence(&p->env, &other), 0);
	assert_int_equal(netns_call(p->spec.netns_fd, ping_resolver, NULL), 0);
	assert_int_equal(attach_netns_ops.silence(&p->env, &p->spec), 0);
	assert_true(netns_call(p->spec.netns_fd, ping_resolver, NULL) < 0);
	attach_now(p);
	assert_int_equal(netns_call(p->spec.netns_fd, ping_resolver, NULL), 0);
	let_go(p);
}

static void attaching_again_keeps_the_device(void **state)
{
	struct place *p = *state;
	int before;

	hold(p);
	attach_now(p);
	before = expect_link_in_state(p, true);
	attach_now(p);
	assert_int_equal(expect_link_in_state(p, true), before);
	assert_int_equal(netns_call(p->spec.netns_fd, ping_resolver, NULL), 0);
	let_go(p);
}

static void what_was_half_broken_is_mended(void **state)
{
	struct place *p = *state;
	struct rtnl_route route = { .dst = addr_all_prefix(), .dst_len = 16, .table = RT_TABLE_MAIN };
	struct rtnl *inner;

	hold(p);
	attach_now(p);
	assert_int_equal(rtnl_open_in(p->spec.netns_fd, &inner), 0);
	assert_int_equal(rtnl_route_del(inner, &route), 0);
	assert_true(netns_call(p->spec.netns_fd, ping_resolver, NULL) < 0);
	attach_now(p);
	assert_int_equal(netns_call(p->spec.netns_fd, ping_resolver, NULL), 0);
	rtnl_free(inner);
	let_go(p);
}

static int count_entry(void *ctx, uint32_t ifindex, const struct sixpn_device *device)
{
	(void)ifindex;
	(void)device;
	++*(int *)ctx;
	return 0;
}

/* The instance's root can take its end away at any time, or give it another name. */
static void what_the_instance_broke_is_made_anew_and_leaves_no_entry(void **state)
{
	struct place *p = *state;
	struct rtnl_link inner_end;
	struct rtnl *inner;

	hold(p);
	for (int broken = 0; broken < 2; broken++) {
		int entries = 0;

		attach_now(p);
		assert_int_equal(rtnl_open_in(p->spec.netns_fd, &inner), 0);
		assert_int_equal(rtnl_link_by_name(inner, "6pn0", &inner_end), 0);
		if (broken == 0)
			assert_int_equal(rtnl_link_del(inner, inner_end.ifindex), 0);
		else
			assert_int_equal(rtnl_link_move(inner, inner_end.ifindex, p->spec.netns_fd, "mine"), 0);
		rtnl_free(inner);
		attach_now(p);
		assert_int_equal(netns_call(p->spec.netns_fd, ping_resolver, NULL), 0);
		assert_int_equal(bpf_device_list(p->env.datapath, count_entry, &entries), 0);
		assert_int_equal(entries, 1);
	}
	let_go(p);
}

static void a_taken_name_leads_to_the_next(void **state)
{
	struct place *p = *state;
	const struct rtnl_veth taken = { .name = p->name, .peer_name = "other", .peer_netns_fd = -1 };
	struct rtnl_link link;

	hold(p);
	assert_int_equal(rtnl_veth_add(p->env.rtnl, &taken), 0);
	attach_now(p);
	attach_name(HELD_ID, 1, p->name);
	assert_int_equal(rtnl_link_by_name(p->env.rtnl, p->name, &link), 0);
	assert_int_equal(netns_call(p->spec.netns_fd, ping_resolver, NULL), 0);
	let_go(p);
}

static void a_failure_leaves_nothing(void **state)
{
	struct place *p = *state;
	struct why why = { .text = "" };
	struct rtnl_link link;

	hold(p);
	p->spec.network = 0; /* which the device map does not take */
	assert_int_equal(OPS.attach(&p->env, &p->spec, &why), E_REFUSED);
	assert_non_null(strstr(why.text, "attaching the programs"));
	assert_int_equal(rtnl_link_by_name(p->env.rtnl, p->name, &link), -ENODEV);
	assert_int_equal(OPS.detach(&p->env, p->held.folder), 0);
	let_go(p);
}

static void detaching_takes_all_away_and_may_be_repeated(void **state)
{
	struct place *p = *state;
	struct sixpn_device entry;
	struct rtnl_link link;
	int ifindex;

	hold(p);
	attach_now(p);
	ifindex = expect_link_in_state(p, true);
	assert_int_equal(OPS.detach(&p->env, p->held.folder), 0);
	assert_int_equal(rtnl_link_by_name(p->env.rtnl, p->name, &link), -ENODEV);
	assert_int_equal(bpf_device_get(p->env.datapath, (uint32_t)ifindex, &entry), -ENOENT);
	assert_int_equal(OPS.detach(&p->env, p->held.folder), 0);
	let_go(p);
}

static void the_entry_of_a_device_that_died_with_its_namespace_goes_too(void **state)
{
	struct place *p = *state;
	struct sixpn_device entry;
	int ifindex;

	hold(p);
	attach_now(p);
	ifindex = expect_link_in_state(p, true);
	let_go(p);
	assert_int_equal(OPS.detach(&p->env, p->held.folder), 0);
	assert_int_equal(bpf_device_get(p->env.datapath, (uint32_t)ifindex, &entry), -ENOENT);
}

static void leftovers_are_swept_and_the_rest_is_kept(void **state)
{
	struct place *p = *state;
	const char *const keep[] = { p->held.folder };
	const struct rtnl_veth stray = { .name = "sxdeadbeef", .peer_name = "stray", .peer_netns_fd = -1 };
	struct rtnl_link link;

	hold(p);
	attach_now(p);
	assert_int_equal(rtnl_veth_add(p->env.rtnl, &stray), 0);
	assert_int_equal(OPS.sweep(&p->env, keep, 1), 0);
	assert_int_equal(rtnl_link_by_name(p->env.rtnl, "sxdeadbeef", &link), -ENODEV);
	assert_int_equal(netns_call(p->spec.netns_fd, ping_resolver, NULL), 0);
	assert_int_equal(OPS.sweep(&p->env, NULL, 0), 0);
	assert_int_equal(rtnl_link_by_name(p->env.rtnl, p->name, &link), -ENODEV);
	let_go(p);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_the_hash_of_the_id_and_differ_by_turn),
		TEST(another_kind_is_refused_with_a_sentence),
		TEST(the_instance_reaches_the_resolver_through_the_programs),
		TEST(both_ends_have_just_the_addresses_that_were_given),
		TEST(a_suspended_one_is_silent_until_it_is_not),
		TEST(a_silenced_one_passes_nothing_until_it_is_attached_again),
		TEST(attaching_again_keeps_the_device),
		TEST(what_was_half_broken_is_mended),
		TEST(what_the_instance_broke_is_made_anew_and_leaves_no_entry),
		TEST(a_taken_name_leads_to_the_next),
		TEST(a_failure_leaves_nothing),
		TEST(detaching_takes_all_away_and_may_be_repeated),
		TEST(the_entry_of_a_device_that_died_with_its_namespace_goes_too),
		TEST(leftovers_are_swept_and_the_rest_is_kept),
	};

	if (!held_private()) {
		printf("SKIP: needs root and its own network and mount namespaces\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
