/* Both backends of wg.h, held to the same expectations: what the planner and the daemons rely upon, with real packets between two
 * namespaces. Where this kernel has no WireGuard, half of it is skipped; `make test-vm` runs all of it. */
#include "tests/unit/lib/netlink/sandbox.h"

#include "lib/base/clock.h"
#include "lib/base/crypto.h"
#include "lib/base/file.h"
#include "lib/netlink/netns.h"
#include "lib/netlink/rtnl.h"
#include "lib/netlink/wg_backend.h"
#include "lib/netlink/wg_genl.h"
#include "lib/netlink/wg_process.h"
#include "lib/netlink/wg_uapi.h"

#include <arpa/inet.h>
#include <poll.h>

#define RUN_DIR "/run/sixpn-test"
#define PORT 51821

struct end {
	const char *name, *underlay, *second, *address;
	int netns_fd;
	struct rtnl *rtnl;
	struct wg_process_config config;
	struct wg_process process;
	struct wg_uapi uapi;
	struct wg_genl *genl;
	struct wg wg;
	uint8_t private_key[32], public_key[32];
	uint32_t ifindex;
	int socket;
};

static struct end ends[2] = {
	{ .name = "wg-both-a", .underlay = "fd00::1", .second = "fd00::11", .address = "fdaa:a001:1::1" },
	{ .name = "wg-both-b", .underlay = "fd00::2", .second = "fd00::12", .address = "fdaa:a002:1::1" },
};
static struct end *const a = &ends[0], *const b = &ends[1];
static enum wg_backend backend;

static struct in6_addr in6(const char *text)
{
	struct in6_addr addr;

	assert_int_equal(inet_pton(AF_INET6, text, &addr), 1);
	return addr;
}

static struct sockaddr_storage endpoint_of(const char *text)
{
	struct sockaddr_storage at = { 0 };
	struct sockaddr_in6 *to = (void *)&at;

	*to = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(PORT), .sin6_addr = in6(text) };
	return at;
}

/* ---- two ends ---- */

static int make_end(void *ctx)
{
	struct end *end = ctx;
	struct rtnl_link link;
	int e;

	if (backend == WG_BACKEND_USERSPACE) {
		e = wg_process_device(end->name, &end->ifindex);
		if (e == 0)
			e = wg_uapi_init(&end->uapi, end->name, NULL);
		end->uapi.silence_ms = end->uapi.timeout_ms = 20000; /* how quick it is, is not looked at here */
		end->wg = wg_uapi_backend(&end->uapi);
		return e == 0 ? wg_process_start(&end->config, &end->process) : e;
	}
	e = rtnl_link_add(end->rtnl, end->name, "wireguard", 0);
	if (e == 0)
		e = rtnl_link_by_name(end->rtnl, end->name, &link);
	if (e == 0)
		e = wg_genl_open(end->name, &end->genl);
	end->ifindex = link.ifindex;
	end->wg = wg_genl_backend(end->genl);
	return e;
}

static int open_udp(void *ctx)
{
	struct end *end = ctx;
	struct sockaddr_in6 addr = { .sin6_family = AF_INET6, .sin6_port = htons(7777), .sin6_addr = in6(end->address) };

	end->socket = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return end->socket < 0 || bind(end->socket, (void *)&addr, sizeof(addr)) < 0 ? -errno : 0;
}

static void wire(struct end *end)
{
	struct in6_addr first = in6(end->underlay), second = in6(end->second);
	struct rtnl_link link;

	assert_int_equal(rtnl_link_by_name(end->rtnl, "under", &link), 0);
	assert_int_equal(rtnl_addr_add(end->rtnl, link.ifindex, &first, 64), 0);
	assert_int_equal(rtnl_addr_add(end->rtnl, link.ifindex, &second, 64), 0);
	assert_int_equal(rtnl_link_set_up(end->rtnl, link.ifindex, true), 0);
	assert_int_equal(rtnl_link_by_name(end->rtnl, "lo", &link), 0);
	assert_int_equal(rtnl_link_set_up(end->rtnl, link.ifindex, true), 0);
}

static void address(struct end *end)
{
	struct rtnl_route route = { .dst = in6("fdaa::"), .dst_len = 16, .type = 1, .oif = end->ifindex, .table = 254 };
	struct in6_addr addr = in6(end->address);

	if (rtnl_link_set_addrgenmode_none(end->rtnl, end->ifindex) < 0)
		printf("%s keeps its address generation mode\n", end->name);
	assert_int_equal(rtnl_addr_add(end->rtnl, end->ifindex, &addr, 128), 0);
	assert_int_equal(rtnl_link_set_up(end->rtnl, end->ifindex, true), 0);
	assert_int_equal(rtnl_route_add(end->rtnl, &route), 0);
	assert_int_equal(netns_call(end->netns_fd, open_udp, end), 0);
	assert_int_equal(wg_set_device(&end->wg, end->private_key, PORT), 0);
}

static int set_up(void **state)
{
	struct rtnl_veth veth = { .name = "under", .peer_name = "under" };

	(void)state;
	assert_int_equal(file_make_dirs(RUN_DIR, 0755), 0);
	for (int i = 0; i < 2; i++) {
		struct end *end = &ends[i];

		end->netns_fd = sandbox_netns();
		end->process = WG_PROCESS_NONE;
		end->genl = NULL;
		end->config = (struct wg_process_config){ .name = end->name, .run_dir = RUN_DIR };
		crypto_x25519_keypair(end->private_key, end->public_key);
		assert_int_equal(rtnl_open_in(end->netns_fd, &end->rtnl), 0);
	}
	veth.peer_netns_fd = b->netns_fd;
	assert_int_equal(rtnl_veth_add(a->rtnl, &veth), 0);
	for (int i = 0; i < 2; i++) {
		wire(&ends[i]);
		assert_int_equal(netns_call(ends[i].netns_fd, make_end, &ends[i]), 0);
		address(&ends[i]);
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		wg_process_stop(&ends[i].config, &ends[i].process);
		ends[i].genl = wg_genl_free(ends[i].genl);
		ends[i].rtnl = rtnl_free(ends[i].rtnl);
		close(ends[i].socket);
		close(ends[i].netns_fd);
	}
	return 0;
}

/* ---- what is said and seen ---- */

static struct wg_prefix own_prefix[2];

/* The peer that `end` is to the other. */
static struct wg_peer peer_of(const struct end *end)
{
	struct wg_prefix *prefix = &own_prefix[end == b];
	struct in6_addr addr = in6(end->address);
	struct wg_peer peer = { .endpoint = endpoint_of(end->underlay), .allowed = prefix, .n_allowed = 1 };

	*prefix = wg_prefix_in6(&addr, 48);
	memcpy(peer.public_key, end->public_key, 32);
	return peer;
}

static struct wg_step adding(const struct wg_peer *peer)
{
	return (struct wg_step){ .kind = WG_STEP_ADD, .peer = peer, .set_endpoint = peer->endpoint.ss_family != 0, .set_keepalive = true,
				 .replace_allowed = true, .set_preshared = peer->has_preshared };
}

static void apply(struct end *end, struct wg_step step)
{
	assert_int_equal(wg_apply(&end->wg, &step, 1), 0);
}

static void meet(void)
{
	struct wg_peer to_a = peer_of(a), to_b = peer_of(b);

	apply(a, adding(&to_b));
	apply(b, adding(&to_a));
}

struct finding {
	const uint8_t *key;
	bool found;
	struct wg_peer_status status;
	unsigned n;
};

static void find(void *ctx, const struct wg_peer_status *status)
{
	struct finding *finding = ctx;

	finding->n++;
	if (memcmp(status->peer.public_key, finding->key, 32))
		return;
	finding->found = true;
	finding->status = *status;
}

/* How it sees the peer of that key: n_allowed is what it says, the prefixes are gone. */
static struct finding seen_by(struct end *end, const uint8_t key[32])
{
	struct finding finding = { .key = key };

	assert_int_equal(wg_dump(&end->wg, find, &finding, NULL), 0);
	return finding;
}

/* A datagram over the tunnel; sent again and again until it is there, for a handshake may have to come first. */
static bool delivered_within(struct end *from, struct end *to, int ms)
{
	struct sockaddr_in6 addr = { .sin6_family = AF_INET6, .sin6_port = htons(7777), .sin6_addr = in6(to->address) };
	struct pollfd pollfd = { .fd = to->socket, .events = POLLIN };
	char bytes[64];

	while (recv(to->socket, bytes, sizeof(bytes), 0) > 0)
		;
	for (; ms > 0; ms -= 100) {
		sendto(from->socket, "hello", 5, 0, (void *)&addr, sizeof(addr));
		if (poll(&pollfd, 1, 100) == 1)
			return true;
	}
	return false;
}

static void expect_delivery(struct end *from, struct end *to)
{
	assert_true(delivered_within(from, to, 20000));
}

static bool wait_for_handshake(struct end *end, const struct end *other, int ms)
{
	for (; ms > 0; ms -= 100) {
		if (seen_by(end, other->public_key).status.last_handshake_s)
			return true;
		poll(NULL, 0, 100);
	}
	return false;
}

/* ---- expectations ---- */

static void a_reconciled_set_has_nothing_left_to_do(void **state)
{
	struct wg_peer peer = peer_of(b);
	struct wg_device device;
	size_t steps;

	(void)state;
	peer.keepalive_s = 25;
	peer.has_preshared = true;
	memset(peer.preshared_key, 0x42, 32);
	assert_int_equal(wg_reconcile(&a->wg, &peer, 1, &steps, NULL), 0);
	assert_int_equal(steps, 1);
	assert_int_equal(wg_reconcile(&a->wg, &peer, 1, &steps, NULL), 0);
	assert_int_equal(steps, 0);
	peer.has_preshared = false;
	peer.keepalive_s = 0;
	peer.endpoint = endpoint_of(b->second);
	assert_int_equal(wg_reconcile(&a->wg, &peer, 1, &steps, NULL), 0);
	assert_int_equal(steps, 1);
	assert_int_equal(wg_reconcile(&a->wg, &peer, 1, &steps, NULL), 0);
	assert_int_equal(steps, 0);
	assert_int_equal(wg_dump(&a->wg, NULL, NULL, &device), 0);
	assert_true(device.has_key);
	assert_memory_equal(device.public_key, a->public_key, 32);
	assert_int_equal(device.listen_port, PORT);
}

static void packets_pass_and_are_counted(void **state)
{
	struct finding at_b;

	(void)state;
	meet();
	expect_delivery(a, b);
	expect_delivery(b, a);
	at_b = seen_by(b, a->public_key);
	assert_true(at_b.found && at_b.status.last_handshake_s > 0);
	assert_true(at_b.status.rx_bytes > 0 && at_b.status.tx_bytes > 0);
}

/* The same key and port again end no session: a shared key at one end alone lets no new one begin, and what there is goes on. */
static void setting_what_is_there_ends_no_session(void **state)
{
	struct wg_peer peer = peer_of(b);

	(void)state;
	meet();
	expect_delivery(a, b);
	peer.n_allowed = 0;
	peer.has_preshared = true;
	memset(peer.preshared_key, 0x42, 32);
	apply(a, (struct wg_step){ .kind = WG_STEP_UPDATE, .peer = &peer, .set_preshared = true });
	assert_int_equal(wg_set_device(&a->wg, a->private_key, PORT), 0);
	assert_int_equal(wg_set_device(&b->wg, b->private_key, PORT), 0);
	expect_delivery(a, b);
	expect_delivery(b, a);
}

static void a_peer_that_moves_is_followed_and_a_set_endpoint_holds_until_it_speaks(void **state)
{
	struct sockaddr_storage home = endpoint_of(b->underlay), elsewhere = endpoint_of("fd00::99");
	struct wg_peer peer = peer_of(b);
	struct wg_step step = { .kind = WG_STEP_UPDATE, .peer = &peer, .set_endpoint = true };
	struct finding found;

	(void)state;
	meet();
	expect_delivery(a, b);
	peer.n_allowed = 0;
	peer.endpoint = elsewhere;
	apply(a, step);
	found = seen_by(a, b->public_key);
	assert_true(wg_endpoint_equal(&found.status.peer.endpoint, &elsewhere));
	assert_int_equal(found.status.peer.n_allowed, 1); /* an update without prefixes leaves them alone */
	expect_delivery(b, a);
	found = seen_by(a, b->public_key);
	assert_true(wg_endpoint_equal(&found.status.peer.endpoint, &home));
}

/* As WireGuard itself takes it: what is kept is not touched, and the peer that takes away is not there afterwards. */
static void prefixes_that_a_peer_loses_cost_it_none_that_it_keeps(void **state)
{
	struct wg_peer peer = peer_of(b);
	struct wg_prefix three[3] = { *peer.allowed, *peer.allowed, *peer.allowed };
	struct finding found;
	size_t steps;

	(void)state;
	three[1].addr[0] ^= 0x10;
	three[2].addr[0] ^= 0x20;
	peer.allowed = three;
	peer.n_allowed = 3;
	assert_int_equal(wg_reconcile(&a->wg, &peer, 1, &steps, NULL), 0);
	assert_int_equal(seen_by(a, b->public_key).status.peer.n_allowed, 3);
	peer.n_allowed = 1;
	assert_int_equal(wg_reconcile(&a->wg, &peer, 1, &steps, NULL), 0);
	assert_int_equal(steps, 2);
	found = seen_by(a, b->public_key);
	assert_int_equal(found.status.peer.n_allowed, 1);
	assert_int_equal(found.n, 1);
	assert_int_equal(wg_reconcile(&a->wg, &peer, 1, &steps, NULL), 0);
	assert_int_equal(steps, 0);
}

static void a_keepalive_that_is_switched_on_begins_a_handshake(void **state)
{
	struct wg_peer peer = peer_of(b);

	(void)state;
	meet();
	assert_false(wait_for_handshake(a, b, 300));
	assert_int_equal(wg_greet(&a->wg, &peer, 1), 0);
	assert_true(wait_for_handshake(a, b, 20000));
	assert_int_equal(seen_by(a, b->public_key).status.peer.keepalive_s, 0);
}

static void a_peer_that_is_added_again_is_a_new_one(void **state)
{
	struct wg_peer peer = peer_of(b);
	struct finding found;

	(void)state;
	meet();
	expect_delivery(a, b);
	apply(a, (struct wg_step){ .kind = WG_STEP_REMOVE, .peer = &peer });
	assert_int_equal(seen_by(a, b->public_key).n, 0);
	apply(a, adding(&peer));
	found = seen_by(a, b->public_key);
	assert_true(found.found && !found.status.last_handshake_s && !found.status.rx_bytes);
	poll(NULL, 0, 50); /* no two handshakes of a peer are taken within 20 ms */
	expect_delivery(a, b);
}

static void unknown_peers_are_neither_updated_nor_missed(void **state)
{
	struct wg_peer peer = peer_of(b);

	(void)state;
	apply(a, (struct wg_step){ .kind = WG_STEP_UPDATE, .peer = &peer, .set_endpoint = true, .set_keepalive = true });
	assert_int_equal(seen_by(a, b->public_key).n, 0);
	apply(a, (struct wg_step){ .kind = WG_STEP_REMOVE, .peer = &peer });
	assert_int_equal(seen_by(a, b->public_key).n, 0);
}

/* Why the planner refuses a prefix at two peers, and takes it from the old owner first. */
static void a_prefix_leaves_its_owner_without_a_word(void **state)
{
	struct wg_peer peer = peer_of(b), thief = peer;

	(void)state;
	memset(thief.public_key, 0x33, 32);
	thief.endpoint.ss_family = 0;
	meet();
	expect_delivery(a, b);
	apply(a, adding(&thief));
	assert_int_equal(seen_by(a, b->public_key).status.peer.n_allowed, 0);
	assert_int_equal(seen_by(a, thief.public_key).status.peer.n_allowed, 1);
	assert_false(delivered_within(a, b, 500));
	assert_false(delivered_within(b, a, 500)); /* and what comes from the old owner is not believed */
	apply(a, (struct wg_step){ .kind = WG_STEP_UPDATE, .peer = &peer });
	assert_int_equal(seen_by(a, thief.public_key).status.peer.n_allowed, 0);
	expect_delivery(a, b);
}

static void prefixes_are_added_or_replaced(void **state)
{
	struct wg_prefix prefixes[3];
	struct wg_peer peer = peer_of(b);
	struct in6_addr addr = in6("fdaa:a003::");

	(void)state;
	for (uint8_t i = 0; i < 3; i++) {
		addr.s6_addr[5] = i;
		prefixes[i] = wg_prefix_in6(&addr, 48);
	}
	meet();
	peer.allowed = prefixes;
	peer.n_allowed = 2;
	apply(a, (struct wg_step){ .kind = WG_STEP_UPDATE, .peer = &peer });
	assert_int_equal(seen_by(a, b->public_key).status.peer.n_allowed, 3);
	peer.allowed = &prefixes[1];
	apply(a, (struct wg_step){ .kind = WG_STEP_UPDATE, .peer = &peer, .replace_allowed = true });
	assert_int_equal(seen_by(a, b->public_key).status.peer.n_allowed, 2);
}

/* More than one message takes: nothing is lost on the way in or out. */
static void a_peer_may_have_thousands_of_prefixes(void **state)
{
	enum { N = 2000 };
	static struct wg_prefix many[N];
	struct wg_peer peer = peer_of(b);
	size_t steps;

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		struct in6_addr addr = in6("fdaa:a002:2::");

		addr.s6_addr[8] = (uint8_t)(i >> 8);
		addr.s6_addr[9] = (uint8_t)i;
		many[i] = wg_prefix_in6(&addr, 112);
	}
	peer.allowed = many;
	peer.n_allowed = N;
	assert_int_equal(wg_reconcile(&a->wg, &peer, 1, &steps, NULL), 0);
	assert_int_equal(seen_by(a, b->public_key).status.peer.n_allowed, N);
	assert_int_equal(wg_reconcile(&a->wg, &peer, 1, &steps, NULL), 0);
	assert_int_equal(steps, 0);
	peer.n_allowed = 7;
	assert_int_equal(wg_reconcile(&a->wg, &peer, 1, &steps, NULL), 0);
	assert_int_equal(seen_by(a, b->public_key).status.peer.n_allowed, 7);
}

static void a_shared_key_must_be_the_same_at_both_ends(void **state)
{
	struct wg_peer peer = peer_of(b);
	struct wg_step step = { .kind = WG_STEP_UPDATE, .peer = &peer, .set_preshared = true };

	(void)state;
	peer.n_allowed = 0;
	peer.has_preshared = true;
	memset(peer.preshared_key, 0x42, 32);
	meet();
	apply(a, step);
	assert_true(seen_by(a, b->public_key).status.peer.has_preshared);
	assert_false(delivered_within(a, b, 1000));
	peer.has_preshared = false;
	apply(a, step);
	assert_false(seen_by(a, b->public_key).status.peer.has_preshared);
	expect_delivery(a, b);
}

static void the_devices_own_key_is_nobody(void **state)
{
	struct wg_peer peer = peer_of(a);
	uint8_t key[32];

	(void)state;
	memcpy(key, a->public_key, 32);
	apply(a, adding(&peer));
	assert_int_equal(seen_by(a, key).n, 0);
}

static void an_endpoint_in_mapped_form_is_an_ipv4_one(void **state)
{
	struct wg_peer peer = peer_of(b);
	size_t steps;

	(void)state;
	peer.endpoint = endpoint_of("::ffff:192.0.2.7");
	assert_int_equal(wg_reconcile(&a->wg, &peer, 1, &steps, NULL), 0);
	assert_int_equal(seen_by(a, b->public_key).status.peer.endpoint.ss_family, AF_INET);
	assert_int_equal(wg_reconcile(&a->wg, &peer, 1, &steps, NULL), 0);
	assert_int_equal(steps, 0);
}

static int take_port(void *ctx)
{
	struct sockaddr_in6 addr = { .sin6_family = AF_INET6, .sin6_port = htons(PORT + 1) };
	int *fd = ctx;

	*fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return bind(*fd, (void *)&addr, sizeof(addr)) < 0 ? -errno : 0;
}

static void a_port_that_somebody_has_is_an_error(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(netns_call(a->netns_fd, take_port, &fd), 0);
	assert_int_equal(wg_set_device(&a->wg, a->private_key, PORT + 1), -EADDRINUSE);
	close(fd);
}

/* ---- which of the two ---- */

struct settling {
	struct end *end;
	enum wg_backend wanted, got;
	struct why why;
};

static int settle_here(void *ctx)
{
	struct settling *s = ctx;

	return wg_backend_settle(s->end->rtnl, s->wanted, "test", &s->end->config, &s->got, &s->why);
}

static int settle(struct settling *s, struct end *end, enum wg_backend wanted)
{
	*s = (struct settling){ .end = end, .wanted = wanted };
	return netns_call(end->netns_fd, settle_here, s);
}

static bool is_there(const struct end *end)
{
	struct rtnl_link link;

	return rtnl_link_by_name(end->rtnl, end->name, &link) == 0 && link.ifindex == end->ifindex;
}

static void a_device_at_work_keeps_its_backend_and_its_sessions(void **state)
{
	struct settling s;

	(void)state;
	meet();
	expect_delivery(a, b);
	assert_int_equal(settle(&s, a, WG_BACKEND_AUTO), 0);
	assert_int_equal(s.got, backend);
	assert_int_equal(settle(&s, a, backend), 0);
	assert_int_equal(s.got, backend);
	assert_true(is_there(a));
	expect_delivery(a, b);
}

static void the_other_backend_takes_its_place_only_when_told_and_if_it_can(void **state)
{
	enum wg_backend other = backend == WG_BACKEND_KERNEL ? WG_BACKEND_USERSPACE : WG_BACKEND_KERNEL;
	struct settling s;
	bool has = true;

	(void)state;
	meet();
	if (backend == WG_BACKEND_USERSPACE)
		assert_int_equal(wg_backend_probe(a->rtnl, &has), 0);
	if (!has) { /* nothing is taken away for what cannot come */
		assert_int_equal(settle(&s, a, other), E_REFUSED);
		assert_string_equal(s.why.field, "backend");
		assert_true(is_there(a) && wg_process_alive(&a->process));
		return;
	}
	assert_int_equal(settle(&s, a, other), 0);
	assert_int_equal(s.got, other);
	assert_false(is_there(a));
	assert_false(wg_process_alive(&a->process));
	assert_int_equal(settle(&s, a, other), 0); /* nothing is there: as after a boot */
}

static void a_device_of_another_kind_is_nobodys_to_remove(void **state)
{
	static const enum wg_backend all[] = { WG_BACKEND_AUTO, WG_BACKEND_KERNEL, WG_BACKEND_USERSPACE };
	struct end stranger = *a;
	struct rtnl_link link;

	(void)state;
	stranger.config.name = "under";
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct settling s;

		assert_int_equal(settle(&s, &stranger, all[i]), E_REFUSED);
		assert_non_null(strstr(s.why.text, "under"));
	}
	assert_int_equal(rtnl_link_by_name(a->rtnl, "under", &link), 0);
}

static bool can_run(void)
{
	struct rtnl *rtnl;
	bool has = false;

	if (backend == WG_BACKEND_USERSPACE) {
		if (access("/dev/net/tun", R_OK | W_OK) == 0 && system("command -v wireguard-go >/dev/null") == 0)
			return true;
		printf("SKIP: userspace: needs /dev/net/tun and wireguard-go\n");
		return false;
	}
	if (rtnl_open(&rtnl) < 0)
		return false;
	if (wg_backend_probe(rtnl, &has) < 0 || !has)
		printf("SKIP: kernel: this kernel has no WireGuard (make test-vm boots one that has)\n");
	rtnl_free(rtnl);
	return has;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(a_reconciled_set_has_nothing_left_to_do),
		T(packets_pass_and_are_counted),
		T(setting_what_is_there_ends_no_session),
		T(a_peer_that_moves_is_followed_and_a_set_endpoint_holds_until_it_speaks),
		T(prefixes_that_a_peer_loses_cost_it_none_that_it_keeps),
		T(a_keepalive_that_is_switched_on_begins_a_handshake),
		T(a_peer_that_is_added_again_is_a_new_one),
		T(unknown_peers_are_neither_updated_nor_missed),
		T(a_prefix_leaves_its_owner_without_a_word),
		T(prefixes_are_added_or_replaced),
		T(a_peer_may_have_thousands_of_prefixes),
		T(a_shared_key_must_be_the_same_at_both_ends),
		T(the_devices_own_key_is_nobody),
		T(an_endpoint_in_mapped_form_is_an_ipv4_one),
		T(a_port_that_somebody_has_is_an_error),
		T(a_device_at_work_keeps_its_backend_and_its_sessions),
		T(the_other_backend_takes_its_place_only_when_told_and_if_it_can),
		T(a_device_of_another_kind_is_nobodys_to_remove),
	};
	int failed = 0;

	sandbox_or_skip();
	crypto_init();
	backend = WG_BACKEND_USERSPACE;
	if (can_run())
		failed += cmocka_run_group_tests_name("userspace", tests, NULL, NULL);
	backend = WG_BACKEND_KERNEL;
	if (can_run())
		failed += cmocka_run_group_tests_name("kernel", tests, NULL, NULL);
	return failed;
}
