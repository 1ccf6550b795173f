/* nft against the kernel: what the gate drops, how tampering shows, and other people's forward chains. */
#include "tests/unit/lib/netlink/sandbox.h"

#include "lib/netlink/netns.h"
#include "lib/netlink/nft.h"
#include "lib/netlink/rtnl.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <nftables/libnftables.h>
#include <poll.h>

struct world {
	struct nft *nft;
	int inside_fd;
	struct rtnl *rtnl, *inside;
};

static struct in6_addr in6(const char *text)
{
	struct in6_addr addr;

	assert_int_equal(inet_pton(AF_INET6, text, &addr), 1);
	return addr;
}

static void set_up_link(struct rtnl *rtnl, const char *name, const char *address)
{
	struct in6_addr addr = in6(address);
	struct rtnl_link link;

	assert_int_equal(rtnl_link_by_name(rtnl, name, &link), 0);
	assert_int_equal(rtnl_link_set_addrgenmode_none(rtnl, link.ifindex), 0);
	assert_int_equal(rtnl_addr_add(rtnl, link.ifindex, &addr, 64), 0);
	assert_int_equal(rtnl_link_set_up(rtnl, link.ifindex, true), 0);
}

/* A namespace like a node's, and an instance behind sx0 in another. */
static int make_world(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	struct rtnl_veth veth = { .name = "sx0", .peer_name = "eth6" };
	int ns = sandbox_netns();

	assert_int_equal(setns(ns, CLONE_NEWNET), 0);
	close(ns);
	world->inside_fd = veth.peer_netns_fd = sandbox_netns();
	assert_int_equal(rtnl_open(&world->rtnl), 0);
	assert_int_equal(rtnl_open_in(world->inside_fd, &world->inside), 0);
	assert_int_equal(rtnl_veth_add(world->rtnl, &veth), 0);
	set_up_link(world->inside, "eth6", "fd00::2");
	set_up_link(world->rtnl, "sx0", "fd00::1");
	assert_int_equal(nft_open(&world->nft), 0);
	*state = world;
	return 0;
}

static int end_world(void **state)
{
	struct world *world = *state;

	nft_free(world->nft);
	rtnl_free(world->rtnl);
	rtnl_free(world->inside);
	close(world->inside_fd);
	free(world);
	return 0;
}

/* What an administrator with the nft command would do. */
static void administrator(const char *commands)
{
	struct nft_ctx *context = nft_ctx_new(NFT_CTX_DEFAULT);

	assert_non_null(context);
	assert_int_equal(nft_ctx_buffer_error(context), 0);
	if (nft_run_cmd_from_buffer(context, commands))
		fail_msg("%s: %s", commands, nft_ctx_get_error_buffer(context));
	nft_ctx_free(context);
}

static int send_from_inside(void *ctx)
{
	struct sockaddr_in6 addr = { .sin6_family = AF_INET6, .sin6_port = htons(7777), .sin6_addr = in6("fd00::1") };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)ctx;
	sendto(fd, "hello", 5, 0, (void *)&addr, sizeof(addr));
	close(fd);
	return 0;
}

/* Whether datagrams of the instance reach a socket of the node within the time. */
static bool arrives(struct world *world, int limit_ms)
{
	struct sockaddr_in6 addr = { .sin6_family = AF_INET6, .sin6_port = htons(7777), .sin6_addr = in6("fd00::1") };
	struct pollfd pollfd = { .fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), .events = POLLIN };
	bool arrived = false;

	assert_int_equal(bind(pollfd.fd, (void *)&addr, sizeof(addr)), 0);
	/* again and again: a link that has just come up may lose the first */
	for (int waited = 0; waited < limit_ms && !arrived; waited += 50) {
		assert_int_equal(netns_call(world->inside_fd, send_from_inside, NULL), 0);
		arrived = poll(&pollfd, 1, 50) == 1;
	}
	close(pollfd.fd);
	return arrived;
}

static enum nft_gate_state check(struct world *world)
{
	enum nft_gate_state state = 42;

	assert_int_equal(nft_gate_check(world->nft, &nft_gate_default, &state), 0);
	return state;
}

static void load(struct world *world)
{
	if (nft_gate_load(world->nft, &nft_gate_default) < 0)
		fail_msg("%s", nft_why(world->nft)->text);
}

static void a_loaded_gate_is_found_unchanged(void **state)
{
	struct world *world = *state;

	assert_int_equal(check(world), NFT_GATE_MISSING);
	load(world);
	assert_true(nft_gate_has_arp(world->nft));
	assert_int_equal(check(world), NFT_GATE_OK);
	load(world); /* replaced by itself */
	assert_int_equal(check(world), NFT_GATE_OK);
}

static void a_fresh_handle_recognises_the_gate_of_an_earlier_daemon(void **state)
{
	struct world *world = *state;

	load(world);
	assert_true(!arrives(world, 100)); /* a count in the listing is no difference */
	nft_free(world->nft);
	assert_int_equal(nft_open(&world->nft), 0);
	assert_int_equal(check(world), NFT_GATE_OK);
}

static void packets_without_the_mark_are_dropped_and_counted(void **state)
{
	struct world *world = *state;
	struct nft_counter drops;

	assert_true(arrives(world, 30000));
	load(world);
	assert_int_equal(nft_gate_drops(world->nft, &nft_gate_default, &drops), 0);
	assert_false(arrives(world, 200));
	assert_int_equal(nft_gate_drops(world->nft, &nft_gate_default, &drops), 0);
	assert_true(drops.packets > 0);
	assert_true(drops.bytes > 0);
}

struct frame {
	uint16_t ethertype;
	uint8_t body[46];
};

static int send_frame(void *ctx)
{
	const struct frame *frame = ctx;
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(frame->ethertype), .sll_halen = 6,
				  .sll_ifindex = (int)if_nametoindex("eth6"), .sll_addr = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0), r = 0;

	if (sendto(fd, frame->body, sizeof(frame->body), 0, (void *)&to, sizeof(to)) < 0)
		r = -errno;
	close(fd);
	return r;
}

static void arp_and_ipv4_are_dropped_and_counted_too(void **state)
{
	static const struct frame frames[] = {
		{ 0x0806, { 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 2, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1 } },
		/* IPv4, 20 bytes, UDP, with a right checksum: 10.0.0.2 to 255.255.255.255 */
		{ 0x0800, { 0x45, 0, 0, 20, 0, 0, 0, 0, 64, 17, 0x70, 0xd8, 10, 0, 0, 2, 255, 255, 255, 255 } },
	};
	struct world *world = *state;

	load(world);
	for (size_t i = 0; i < ARRAY_LEN(frames); i++) {
		struct nft_counter before, after;

		assert_int_equal(nft_gate_drops(world->nft, &nft_gate_default, &before), 0);
		after = before;
		/* again and again: a link that has just come up may lose the first; and more than the kernel says of itself there */
		for (int waited = 0; waited < 30000 && after.packets < before.packets + 20; waited += 10) {
			assert_int_equal(netns_call(world->inside_fd, send_frame, (void *)&frames[i]), 0);
			poll(NULL, 0, 10);
			assert_int_equal(nft_gate_drops(world->nft, &nft_gate_default, &after), 0);
		}
		if (after.packets < before.packets + 20)
			fail_msg("frames of type %04x were sent for 30 s and more, and %llu were counted", frames[i].ethertype,
				 (unsigned long long)(after.packets - before.packets));
	}
}

static void packets_with_the_mark_pass(void **state)
{
	struct world *world = *state;

	load(world);
	/* stands in for the BPF program, which marks before any netfilter hook */
	administrator("add table netdev marker\n"
		      "add chain netdev marker in { type filter hook ingress device sx0 priority 0; }\n"
		      "add rule netdev marker in meta mark set meta mark or 0xab00006b\n");
	assert_true(arrives(world, 30000));
	administrator("delete table netdev marker");
	assert_false(arrives(world, 200));
}

static void other_devices_are_not_touched(void **state)
{
	struct world *world = *state;
	struct rtnl_link link;

	load(world);
	assert_int_equal(rtnl_link_by_name(world->rtnl, "sx0", &link), 0);
	assert_int_equal(rtnl_link_set_up(world->rtnl, link.ifindex, false), 0);
	assert_int_equal(rtnl_link_rename(world->rtnl, link.ifindex, "eth0"), 0);
	set_up_link(world->rtnl, "eth0", "fd00::1");
	assert_true(arrives(world, 30000));
}

static void a_removed_gate_is_missing_and_removing_it_again_is_no_error(void **state)
{
	struct world *world = *state;
	struct nft_counter drops;

	load(world);
	assert_int_equal(nft_gate_remove(world->nft, &nft_gate_default), 0);
	assert_int_equal(check(world), NFT_GATE_MISSING);
	assert_int_equal(nft_gate_drops(world->nft, &nft_gate_default, &drops), -ENOENT);
	assert_int_equal(nft_gate_remove(world->nft, &nft_gate_default), 0);
}

static const struct {
	const char *commands;
	enum nft_gate_state state;
} tampers[] = {
	{ "flush chain inet sixpn arrival", NFT_GATE_DIFFERS },
	{ "flush table inet sixpn", NFT_GATE_DIFFERS },
	{ "delete table inet sixpn", NFT_GATE_MISSING },
	{ "delete table arp sixpn", NFT_GATE_DIFFERS },
	{ "flush chain arp sixpn arrival", NFT_GATE_DIFFERS },
	{ "insert rule inet sixpn arrival accept", NFT_GATE_DIFFERS },
	{ "insert rule inet sixpn arrival meta mark set 0x6b", NFT_GATE_DIFFERS },
	{ "add chain inet sixpn more", NFT_GATE_DIFFERS },
	{ "add table inet sixpn { flags dormant; }", NFT_GATE_DIFFERS },
	{ "add table inet other", NFT_GATE_OK },
	{ "add table ip sixpn", NFT_GATE_OK },
	{ "reset counter inet sixpn drops", NFT_GATE_OK },
};

static void tampering_shows_and_a_load_mends_it(void **state)
{
	struct world *world = *state;

	for (size_t i = 0; i < ARRAY_LEN(tampers); i++) {
		load(world);
		administrator(tampers[i].commands);
		if (check(world) != tampers[i].state)
			fail_msg("after \"%s\"", tampers[i].commands);
		load(world);
		assert_int_equal(check(world), NFT_GATE_OK);
		assert_false(arrives(world, 50));
	}
}

static void another_configuration_differs(void **state)
{
	static const char *const devices[] = { "sx*" };
	struct nft_gate gates[] = { nft_gate_default, nft_gate_default, nft_gate_default, nft_gate_default, nft_gate_default };
	struct world *world = *state;

	gates[0].mark = 0x6a;
	gates[4].no_transit = true;
	gates[1].mask = 0xfff;
	gates[2].mask = UINT32_MAX;
	gates[3].devices = devices;
	gates[3].n_devices = 1;
	for (size_t i = 0; i < ARRAY_LEN(gates); i++) {
		enum nft_gate_state result;

		load(world);
		assert_int_equal(nft_gate_check(world->nft, &gates[i], &result), 0);
		assert_int_equal(result, NFT_GATE_DIFFERS);
		assert_int_equal(nft_gate_load(world->nft, &gates[i]), 0);
		assert_int_equal(nft_gate_check(world->nft, &gates[i], &result), 0);
		assert_int_equal(result, NFT_GATE_OK);
	}
}

static void the_chain_against_transit_is_compared_rule_by_rule(void **state)
{
	static const char *const changes[] = {
		"flush chain inet sixpn transit", "add rule inet sixpn transit accept", "insert rule inet sixpn transit accept",
		"flush chain inet sixpn transit; delete chain inet sixpn transit",
		"flush chain inet sixpn transit; add rule inet sixpn transit meta mark & 0xff != 0x6b counter name transit drop",
	};
	struct nft_gate gate = nft_gate_default;
	struct world *world = *state;
	struct nft_counter drops = { .packets = 1 };
	enum nft_gate_state result;

	gate.no_transit = true;
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		assert_int_equal(nft_gate_load(world->nft, &gate), 0);
		assert_int_equal(nft_gate_check(world->nft, &gate, &result), 0);
		assert_int_equal(result, NFT_GATE_OK);
		assert_int_equal(nft_gate_transit_drops(world->nft, &gate, &drops), 0);
		assert_int_equal(drops.packets, 0);
		administrator(changes[i]);
		assert_int_equal(nft_gate_check(world->nft, &gate, &result), 0);
		assert_int_equal(result, NFT_GATE_DIFFERS);
	}
	load(world); /* and goes again, with its counter */
	assert_int_equal(check(world), NFT_GATE_OK);
	assert_int_equal(nft_gate_transit_drops(world->nft, &gate, &drops), -EIO);
	assert_int_equal(nft_gate_transit_drops(world->nft, &nft_gate_default, &drops), 0);
}

static void a_gate_is_of_one_namespace(void **state)
{
	struct world *world = *state;
	enum nft_gate_state result;
	struct nft *inside;

	assert_int_equal(nft_open_in(world->inside_fd, &inside), 0);
	load(world);
	assert_int_equal(nft_gate_check(inside, &nft_gate_default, &result), 0);
	assert_int_equal(result, NFT_GATE_MISSING);
	assert_int_equal(nft_gate_load(inside, &nft_gate_default), 0);
	assert_int_equal(nft_gate_remove(world->nft, &nft_gate_default), 0);
	assert_int_equal(nft_gate_check(inside, &nft_gate_default, &result), 0);
	assert_int_equal(result, NFT_GATE_OK);
	nft_free(inside);
}

static void a_gate_that_could_not_be_is_refused(void **state)
{
	static const char *const injected[] = { "sx* accept" };
	struct nft_gate gates[] = { nft_gate_default, nft_gate_default, nft_gate_default, nft_gate_default, nft_gate_default };
	struct world *world = *state;

	gates[0].table = "a; flush ruleset";
	gates[1].mask = 0;
	gates[2].mark = 0x16b;
	gates[3].devices = injected;
	gates[3].n_devices = 1;
	gates[4].n_devices = 0;
	for (size_t i = 0; i < ARRAY_LEN(gates); i++)
		assert_int_equal(nft_gate_load(world->nft, &gates[i]), -EINVAL);
}

#define DOCKER "add table ip6 filter\nadd chain ip6 filter FORWARD { type filter hook forward priority 0; policy drop; }\n"

static const struct {
	const char *commands;
	unsigned chains;
} forwards[] = {
	{ "add table ip6 none", 0 },
	{ DOCKER, 1 },
	{ "add table inet f\nadd chain inet f c { type filter hook forward priority 10; policy accept; }\n"
	  "add rule inet f c ct state established accept\nadd rule inet f c log prefix \"no\"\nadd rule inet f c counter reject\n", 1 },
	{ "add table inet f\nadd chain inet f c { type filter hook forward priority 10; policy accept; }\n"
	  "add rule inet f c iifname \"eth9\" drop\n", 0 },
	{ "add table inet f\nadd chain inet f c { type filter hook input priority 10; policy drop; }\n", 0 },
	{ "add table ip filter\nadd chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }\n", 0 },
	{ DOCKER "add table inet f\nadd chain inet f c { type filter hook forward priority 10; policy drop; }\n", 2 },
};

static void one_rule_goes_into_each_foreign_chain_that_would_drop_us(void **state)
{
	struct world *world = *state;

	for (size_t i = 0; i < ARRAY_LEN(forwards); i++) {
		struct nft_forward found;
		unsigned n;

		administrator("flush ruleset");
		administrator(forwards[i].commands);
		assert_int_equal(nft_forward_check(world->nft, &nft_gate_default, &found), 0);
		assert_int_equal(found.chains, forwards[i].chains);
		assert_int_equal(found.accepted, 0);
		if (nft_forward_accept(world->nft, &nft_gate_default, &found, &n) < 0)
			fail_msg("row %zu: %s", i, nft_why(world->nft)->text);
		assert_int_equal(n, forwards[i].chains);
		assert_int_equal(found.accepted, forwards[i].chains);
		assert_int_equal(nft_forward_accept(world->nft, &nft_gate_default, &found, &n), 0);
		assert_int_equal(n, 0); /* the one that is there stays */
		assert_int_equal(nft_forward_remove(world->nft, &nft_gate_default, &n), 0);
		assert_int_equal(n, forwards[i].chains);
		assert_int_equal(nft_forward_remove(world->nft, &nft_gate_default, &n), 0);
		assert_int_equal(n, 0);
	}
}

static void a_rebuilt_chain_gets_the_rule_again_and_a_stale_mark_is_replaced(void **state)
{
	struct nft_gate other = nft_gate_default;
	struct world *world = *state;
	struct nft_forward found;
	unsigned n;

	administrator(DOCKER);
	assert_int_equal(nft_forward_accept(world->nft, &nft_gate_default, &found, &n), 0);
	assert_string_equal(found.names, "ip6 filter FORWARD");
	administrator("flush chain ip6 filter FORWARD");
	assert_int_equal(nft_forward_accept(world->nft, &nft_gate_default, &found, &n), 0);
	assert_int_equal(n, 1);
	other.mark = 0x6c;
	assert_int_equal(nft_forward_accept(world->nft, &other, &found, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(nft_forward_remove(world->nft, &nft_gate_default, &n), 0);
	assert_int_equal(n, 1); /* not one of each */
}

static void a_rule_of_the_administrator_that_does_the_same_stays(void **state)
{
	struct world *world = *state;
	struct nft_forward found;
	char rule[160];
	unsigned n;

	administrator(DOCKER);
	snprintf(rule, sizeof rule, "insert rule ip6 filter FORWARD meta mark & 0x%x == 0x%x counter accept", nft_gate_default.mask,
		 nft_gate_default.mark);
	administrator(rule);
	assert_int_equal(nft_forward_accept(world->nft, &nft_gate_default, &found, &n), 0);
	assert_int_equal(n, 1); /* one of our own: the other may go any time */
	assert_int_equal(nft_forward_remove(world->nft, &nft_gate_default, &n), 0);
	assert_int_equal(n, 1);
}

static void the_generation_tells_whether_anything_changed(void **state)
{
	struct world *world = *state;
	enum nft_gate_state gate;
	uint32_t first, second, third;

	assert_int_equal(nft_gate_load(world->nft, &nft_gate_default), 0);
	assert_int_equal(nft_generation(world->nft, &first), 0);
	assert_int_equal(nft_gate_check(world->nft, &nft_gate_default, &gate), 0);
	assert_int_equal(nft_generation(world->nft, &second), 0);
	assert_int_equal(first, second); /* looking changes nothing */
	administrator(DOCKER);
	assert_int_equal(nft_generation(world->nft, &third), 0);
	assert_int_not_equal(second, third);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, make_world, end_world)
		T(a_loaded_gate_is_found_unchanged),
		T(a_fresh_handle_recognises_the_gate_of_an_earlier_daemon),
		T(packets_without_the_mark_are_dropped_and_counted),
		T(arp_and_ipv4_are_dropped_and_counted_too),
		T(packets_with_the_mark_pass),
		T(other_devices_are_not_touched),
		T(a_removed_gate_is_missing_and_removing_it_again_is_no_error),
		T(tampering_shows_and_a_load_mends_it),
		T(another_configuration_differs),
		T(the_chain_against_transit_is_compared_rule_by_rule),
		T(a_gate_is_of_one_namespace),
		T(a_gate_that_could_not_be_is_refused),
		T(the_generation_tells_whether_anything_changed),
		T(one_rule_goes_into_each_foreign_chain_that_would_drop_us),
		T(a_rule_of_the_administrator_that_does_the_same_stays),
		T(a_rebuilt_chain_gets_the_rule_again_and_a_stale_mark_is_replaced),
	};

	sandbox_or_skip();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
