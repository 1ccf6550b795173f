/* wg_process, wg_uapi and wg_plan together, with the real wireguard-go: two namespaces, an underlay, packets through the tunnel. */
#include "tests/unit/lib/netlink/sandbox.h"

#include "lib/base/clock.h"
#include "lib/base/crypto.h"
#include "lib/base/file.h"
#include "lib/netlink/netns.h"
#include "lib/netlink/rtnl.h"
#include "lib/netlink/wg_process.h"
#include "lib/netlink/wg_uapi.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/un.h>

#define RUN_DIR "/run/sixpn-test"
#define PORT 51821

/* One end: its namespace, its device, its key. Both share the mount namespace, so the devices have different names. */
struct end {
	const char *name, *underlay, *address;
	int netns_fd;
	struct rtnl *rtnl;
	struct wg_process_config config;
	struct wg_process process;
	struct wg_uapi uapi;
	uint8_t private_key[32], public_key[32];
	uint32_t ifindex;
	int result;
};

static struct end ends[2] = {
	{ .name = "wg-test-a", .underlay = "fd00::1", .address = "fdaa:a001:1::1" },
	{ .name = "wg-test-b", .underlay = "fd00::2", .address = "fdaa:a002:1::1" },
};

static struct in6_addr in6(const char *text)
{
	struct in6_addr addr;

	assert_int_equal(inet_pton(AF_INET6, text, &addr), 1);
	return addr;
}

static int start_here(void *ctx)
{
	struct end *end = ctx;

	return wg_process_start(&end->config, &end->process);
}

static void start(struct end *end)
{
	assert_int_equal(netns_call(end->netns_fd, start_here, end), 0);
	assert_true(wg_process_alive(&end->process));
}

static void stop(struct end *end)
{
	assert_int_equal(wg_process_stop(&end->config, &end->process), 0);
}

/* The whole configuration, as a daemon gives it at start and after a death. */
static size_t configure(struct end *end, bool greet)
{
	const struct end *other = end == &ends[0] ? &ends[1] : &ends[0];
	struct wg wg = wg_uapi_backend(&end->uapi);
	struct in6_addr addr = in6(other->address);
	struct wg_prefix allowed = wg_prefix_in6(&addr, 48);
	struct wg_peer peer = { .allowed = &allowed, .n_allowed = 1 };
	struct sockaddr_in6 *endpoint = (void *)&peer.endpoint;
	size_t steps;

	*endpoint = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(PORT), .sin6_addr = in6(other->underlay) };
	memcpy(peer.public_key, other->public_key, 32);
	assert_int_equal(wg_set_device(&wg, end->private_key, PORT), 0);
	assert_int_equal(wg_reconcile(&wg, &peer, 1, &steps, NULL), 0);
	if (greet)
		assert_int_equal(wg_greet(&wg, &peer, 1), 0);
	return steps;
}

static void give_address(struct end *end)
{
	struct in6_addr addr = in6(end->address);
	struct rtnl_route route = { .dst = in6("fdaa::"), .dst_len = 16, .type = 1, .oif = end->ifindex, .table = 254 };

	assert_int_equal(rtnl_link_set_addrgenmode_none(end->rtnl, end->ifindex), 0);
	assert_int_equal(rtnl_addr_add(end->rtnl, end->ifindex, &addr, 128), 0);
	assert_int_equal(rtnl_link_set_up(end->rtnl, end->ifindex, true), 0);
	assert_int_equal(rtnl_route_add(end->rtnl, &route), 0);
}

static void wire(struct rtnl *rtnl, const char *name, const char *address)
{
	struct in6_addr addr = in6(address);
	struct rtnl_link link;

	assert_int_equal(rtnl_link_by_name(rtnl, name, &link), 0);
	assert_int_equal(rtnl_addr_add(rtnl, link.ifindex, &addr, 64), 0);
	assert_int_equal(rtnl_link_set_up(rtnl, link.ifindex, true), 0);
	assert_int_equal(rtnl_link_by_name(rtnl, "lo", &link), 0);
	assert_int_equal(rtnl_link_set_up(rtnl, link.ifindex, true), 0);
}

static int make_device_here(void *ctx)
{
	struct end *end = ctx;

	return wg_process_device(end->name, &end->ifindex);
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
		end->config = (struct wg_process_config){ .name = end->name, .run_dir = RUN_DIR, .log_file = RUN_DIR "/log" };
		crypto_x25519_keypair(end->private_key, end->public_key);
		assert_int_equal(rtnl_open_in(end->netns_fd, &end->rtnl), 0);
		assert_int_equal(wg_uapi_init(&end->uapi, end->name, NULL), 0);
		assert_int_equal(netns_call(end->netns_fd, make_device_here, end), 0);
		give_address(end);
	}
	veth.peer_netns_fd = ends[1].netns_fd;
	assert_int_equal(rtnl_veth_add(ends[0].rtnl, &veth), 0);
	wire(ends[0].rtnl, "under", ends[0].underlay);
	wire(ends[1].rtnl, "under", ends[1].underlay);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		wg_process_stop(&ends[i].config, &ends[i].process);
		ends[i].rtnl = rtnl_free(ends[i].rtnl);
		close(ends[i].netns_fd);
	}
	return 0;
}


static int open_udp(struct end *end)
{
	struct sockaddr_in6 addr = { .sin6_family = AF_INET6, .sin6_port = htons(7777), .sin6_addr = in6(end->address) };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (void *)&addr, sizeof(addr)) < 0)
		return -errno;
	end->result = fd;
	return 0;
}

static int open_udp_here(void *ctx)
{
	return open_udp(ctx);
}

/* A datagram from a to b over the tunnel within 10 s; sent again every 200 ms, for wireguard-go may hold the first back. */
static void expect_delivery(struct end *from, struct end *to)
{
	struct sockaddr_in6 addr = { .sin6_family = AF_INET6, .sin6_port = htons(7777), .sin6_addr = in6(to->address) };
	struct pollfd pollfd = { .events = POLLIN };
	int sender, delivered = 0;

	assert_int_equal(netns_call(from->netns_fd, open_udp_here, from), 0);
	sender = from->result;
	assert_int_equal(netns_call(to->netns_fd, open_udp_here, to), 0);
	pollfd.fd = to->result;
	for (int i = 0; i < 50 && !delivered; i++) {
		sendto(sender, "hello", 5, 0, (void *)&addr, sizeof(addr));
		delivered = poll(&pollfd, 1, 200) == 1;
	}
	close(sender);
	close(to->result);
	assert_true(delivered);
}

static void packets_pass_between_two_processes(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		start(&ends[i]);
		assert_int_equal(configure(&ends[i], false), 1);
		assert_int_equal(configure(&ends[i], false), 0); /* nothing is left to do */
	}
	expect_delivery(&ends[0], &ends[1]);
	expect_delivery(&ends[1], &ends[0]);
}

static void a_killed_process_leaves_its_device_and_a_new_one_takes_it_over(void **state)
{
	struct end *a = &ends[0], *b = &ends[1];
	struct rtnl_link link;
	struct pollfd died;
	uint64_t before;
	struct clock clock = clock_real();

	(void)state;
	for (int i = 0; i < 2; i++) {
		start(&ends[i]);
		configure(&ends[i], false);
	}
	expect_delivery(a, b);
	/* WireGuard takes no two handshakes of a peer within 20 ms; no process that ever served is that young */
	poll(NULL, 0, 50);
	assert_int_equal(kill(a->process.pid, SIGKILL), 0);
	died = (struct pollfd){ .fd = a->process.pidfd, .events = POLLIN };
	assert_int_equal(poll(&died, 1, 10000), 1); /* the loop would see it; on a busy machine the kernel takes its time */
	assert_false(wg_process_alive(&a->process));
	assert_int_equal(wg_process_adopt(&a->config, &a->process), WG_PROCESS_E_ABSENT);
	assert_int_equal(rtnl_link_by_name(a->rtnl, a->name, &link), 0);
	assert_int_equal(link.ifindex, a->ifindex);
	assert_true(link.flags & IFF_UP);
	wg_process_release(&a->process);

	before = clock_mono_ms(&clock);
	start(a);
	assert_int_equal(configure(a, true), 1);
	assert_int_equal(configure(a, false), 0); /* greeting left nothing behind */
	expect_delivery(b, a); /* the end that lived on still sends with the old session, until it is greeted */
	assert_true(clock_mono_ms(&clock) - before < 2000);
	assert_int_equal(rtnl_link_by_name(a->rtnl, a->name, &link), 0);
	assert_int_equal(link.ifindex, a->ifindex);
}

static void a_later_daemon_adopts_the_running_process(void **state)
{
	struct end *a = &ends[0];
	struct wg_process again = WG_PROCESS_NONE;
	bool started = true;
	pid_t pid;

	(void)state;
	start(a);
	pid = a->process.pid;
	wg_process_release(&a->process);
	assert_int_equal(wg_process_ensure(&a->config, &again, &started), 0);
	assert_false(started);
	assert_int_equal(again.pid, pid);
	assert_true(wg_process_alive(&again));
	a->process = again;
	stop(a);
	assert_int_equal(a->process.pidfd, -1);
	assert_int_equal(wg_process_adopt(&a->config, &again), WG_PROCESS_E_ABSENT);
}

static int ensure_here(void *ctx)
{
	struct end *end = ctx;
	bool started;
	int r = wg_process_ensure(&end->config, &end->process, &started);

	return r < 0 ? r : started;
}

/* As after a daemon that was killed before it could write the file. */
static void a_process_that_no_file_names_is_adopted_by_its_socket(void **state)
{
	struct end *a = &ends[0];
	pid_t pid;

	(void)state;
	start(a);
	pid = a->process.pid;
	wg_process_release(&a->process);
	assert_int_equal(unlink(RUN_DIR "/wg-wg-test-a.pid"), 0);
	assert_int_equal(netns_call(a->netns_fd, ensure_here, a), 0);
	assert_int_equal(a->process.pid, pid);
	assert_int_equal(access(RUN_DIR "/wg-wg-test-a.pid", F_OK), 0);
	stop(a);
}

/* A socket of that name that a stranger serves is not ours to take. */
static void a_stranger_at_the_socket_is_not_adopted(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct end *a = &ends[0];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	strcpy(addr.sun_path, a->uapi.socket_path);
	unlink(addr.sun_path);
	assert_int_equal(bind(fd, (void *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(netns_call(a->netns_fd, ensure_here, a), -EADDRINUSE);
	assert_int_equal(a->process.pidfd, -1);
	close(fd);
	unlink(addr.sun_path);
}

static void *go_away(void *fd)
{
	poll(NULL, 0, 200);
	close(*(int *)fd);
	return NULL;
}

/* Killed, but not yet taken apart: as a stranger who goes. */
static void a_process_that_is_dying_is_waited_for(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct end *a = &ends[0];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pthread_t thread;

	(void)state;
	strcpy(addr.sun_path, a->uapi.socket_path);
	unlink(addr.sun_path);
	assert_int_equal(bind(fd, (void *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(pthread_create(&thread, NULL, go_away, &fd), 0);
	assert_int_equal(netns_call(a->netns_fd, ensure_here, a), 1); /* started */
	pthread_join(thread, NULL);
	stop(a);
}

static void a_pid_file_of_another_process_is_not_believed(void **state)
{
	static const char *const contents[] = { "1 1\n", "0 0\n", "-1 5\n", "garbage", "", "999999999 1\n", "99999999999999999999 1\n" };
	struct end *a = &ends[0];
	struct wg_process process = WG_PROCESS_NONE;
	char own[64];

	(void)state;
	snprintf(own, sizeof(own), "%d 1\n", (int)getpid()); /* alive, but not since then */
	for (size_t i = 0; i <= ARRAY_LEN(contents); i++) {
		const char *text = i < ARRAY_LEN(contents) ? contents[i] : own;

		assert_int_equal(file_replace(RUN_DIR "/wg-wg-test-a.pid", text, strlen(text), 0644), 0);
		assert_int_equal(wg_process_adopt(&a->config, &process), WG_PROCESS_E_ABSENT);
	}
	assert_int_equal(process.pidfd, -1);
}

static void a_second_process_on_the_same_device_is_refused(void **state)
{
	struct end *a = &ends[0];
	struct end twin = *a;

	(void)state;
	start(a);
	assert_int_equal(netns_call(twin.netns_fd, start_here, &twin), -EADDRINUSE);
}

static void a_program_that_is_not_there_is_enoent_and_one_that_ends_is_echild(void **state)
{
	struct end *a = &ends[0];

	(void)state;
	a->config.program = "no-such-program-here";
	assert_int_equal(netns_call(a->netns_fd, start_here, a), -ENOENT);
	a->config.program = "/nonexistent/program";
	assert_int_equal(netns_call(a->netns_fd, start_here, a), -ENOENT);
	a->config.program = "/bin/true";
	assert_int_equal(netns_call(a->netns_fd, start_here, a), -ECHILD);
	assert_int_equal(a->process.pidfd, -1);
}

static void a_device_is_made_once_and_other_names_are_refused(void **state)
{
	struct end *a = &ends[0];
	uint32_t first = a->ifindex, nobody;

	(void)state;
	assert_int_equal(netns_call(a->netns_fd, make_device_here, a), 0);
	assert_int_equal(a->ifindex, first);
	assert_int_equal(wg_process_device("a-name-that-is-too-long", &nobody), -EINVAL);
	assert_int_equal(wg_process_device("lo", &nobody), -EEXIST);
}

static int remove_device_here(void *ctx)
{
	return wg_process_device_remove(((struct end *)ctx)->name);
}

static void a_removed_device_is_gone(void **state)
{
	struct end *a = &ends[0];
	struct rtnl_link link;

	(void)state;
	assert_int_equal(netns_call(a->netns_fd, remove_device_here, a), 0);
	assert_int_equal(rtnl_link_by_name(a->rtnl, a->name, &link), -ENODEV);
	assert_int_equal(netns_call(a->netns_fd, remove_device_here, a), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(packets_pass_between_two_processes),
		T(a_killed_process_leaves_its_device_and_a_new_one_takes_it_over),
		T(a_later_daemon_adopts_the_running_process),
		T(a_process_that_no_file_names_is_adopted_by_its_socket),
		T(a_stranger_at_the_socket_is_not_adopted),
		T(a_process_that_is_dying_is_waited_for),
		T(a_pid_file_of_another_process_is_not_believed),
		T(a_second_process_on_the_same_device_is_refused),
		T(a_program_that_is_not_there_is_enoent_and_one_that_ends_is_echild),
		T(a_device_is_made_once_and_other_names_are_refused),
		T(a_removed_device_is_gone),
	};

	sandbox_or_skip();
	if (access("/dev/net/tun", R_OK | W_OK) < 0 || system("command -v wireguard-go >/dev/null") != 0) {
		printf("SKIP: needs /dev/net/tun and wireguard-go\n");
		return 0;
	}
	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
