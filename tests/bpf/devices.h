/* devices - for the tests of programs on devices: a network and a bpffs of our own, a veth pair with an instance's end, packets over
 * it, and a flood that loses nothing by itself. Each test runs once per kind of attachment. Root only. */
#pragma once
#include "tests/bpf/harness.h"

#include "lib/base/buf.h"
#include "lib/base/file.h"
#include "lib/bpf/attach.h"
#include "lib/bpf/pins.h"
#include "lib/bpf/events.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define SELF 0xa0010001u
#define NETWORK 0x12345678u
#define MINE "fdaa:1234:5678:a001:1:abcd:ef01:2"
#define REMOTE "fdaa:1234:5678:a002:2:1111:2222:2"
#define FOREIGN "fdaa:2222:2222:a002:2:1111:2222:2"
#define REPLACEMENTS 200
#define PATIENCE_MS 2000
#define ETHERTYPE_IPV6 0x86dd

/* Each test runs once per kind. */
static const enum bpf_attach_kind kinds[] = { BPF_KIND_TCX, BPF_KIND_CLSACT };

static char bpffs[] = "/tmp/bpffs-XXXXXX";
static char pins[64];
static bool have_tcx;

static inline void run(const char *command)
{
	if (system(command))
		fail_msg("failed: %s", command);
}

static inline struct bpf_datapath *open_kind(enum bpf_attach_kind kind)
{
	/* Every drop is an event here, so that a test can wait for its own. */
	struct bpf_config config = { .self_host = SELF, .attach = kind, .samples_per_second = 1000000 };
	struct bpf_datapath *dp = NULL;

	assert_int_equal(bpf_datapath_open(pins, &config, &dp), 0);
	return dp;
}

static inline struct sixpn_device mine(void)
{
	struct sixpn_device d = { .network = NETWORK, .host = SELF, .instance = 0xabcdef01 };

	assert_int_equal(inet_pton(AF_INET6, MINE, d.address), 1);
	assert_int_equal(inet_pton(AF_INET6, "fe80::1", d.gateway), 1);
	return d;
}

/* The host's end sx0 and the instance's end guest0 of one veth, silent but for us. Returns the index of sx0. */
static inline uint32_t make_pair(void)
{
	run("ip link add sx0 type veth peer name guest0 && ip link set sx0 up && ip link set guest0 up");
	return if_nametoindex("sx0");
}

static inline void delete_pair(void)
{
	run("ip link del sx0");
}

static inline uint32_t attach_instance(struct bpf_datapath *dp)
{
	uint32_t ifindex = make_pair();
	struct sixpn_device d = mine();

	assert_int_equal(bpf_device_set(dp, ifindex, &d), 0);
	assert_int_equal(bpf_attach(dp, ifindex, "sx0", BPF_DEVICE_INSTANCE), 0);
	return ifindex;
}

static inline struct bpf_attachment query(struct bpf_datapath *dp, uint32_t ifindex)
{
	struct bpf_attachment a = { 0 };

	assert_int_equal(bpf_attach_query(dp, ifindex, &a), 0);
	return a;
}

static inline bool is_pinned(uint32_t ifindex, const char *direction)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/link_%u_%s", pins, ifindex, direction);
	return access(path, F_OK) == 0;
}

/* ---- packets over the pair ---- */

/* A raw socket on a device. With the ethertype of IPv6 it hears what the ingress programs let through. */
static inline int raw_socket(const char *ifname)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(ETHERTYPE_IPV6) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETHERTYPE_IPV6));

	address.sll_ifindex = (int)if_nametoindex(ifname);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static inline size_t echo_from(const char *source, const char *destination, uint8_t packet[HARNESS_PACKET_MAX])
{
	static const uint8_t echo[8] = { 128 };

	return harness_packet(HARNESS_ETHERNET_LEN, source, destination, 58, echo, sizeof(echo), packet);
}

static inline bool arrives(int from, int to, const char *source, const char *destination, int patience_ms)
{
	uint8_t packet[HARNESS_PACKET_MAX], got[HARNESS_PACKET_MAX];
	size_t len = echo_from(source, destination, packet);
	struct pollfd wait = { .fd = to, .events = POLLIN };

	if (send(from, packet, len, 0) != (ssize_t)len)
		return false;
	if (poll(&wait, 1, patience_ms) != 1)
		return false;
	return recv(to, got, sizeof(got), 0) == (ssize_t)len && !memcmp(got, packet, len);
}

struct flood {
	int from, to;
	atomic_bool stop;
	uint64_t sent, lost;
};

/* One packet at a time, so that a lost one is known at once and no queue can be blamed. */
static inline void *flood(void *arg)
{
	struct flood *f = arg;

	while (!atomic_load(&f->stop)) {
		f->sent++;
		f->lost += !arrives(f->from, f->to, MINE, REMOTE, PATIENCE_MS);
	}
	return NULL;
}

/* ---- running them ---- */

struct per_kind {
	void (*test)(enum bpf_attach_kind kind);
	enum bpf_attach_kind kind;
};

static inline void run_kind(void **state)
{
	const struct per_kind *test = *state;

	if (test->kind == BPF_KIND_TCX && !have_tcx) {
		printf("             SKIP: this kernel has no TCX (Linux 6.6)\n");
		skip();
	}
	test->test(test->kind);
}

/* A network of our own without neighbour discovery or multicast reports, and a bpffs that ends with us. */
static inline int set_up(void **state)
{
	struct bpf_datapath *dp;
	int err;

	(void)state;
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || !mkdtemp(bpffs) ||
	    mount("bpf", bpffs, "bpf", 0, NULL) < 0) {
		perror("cannot make a network of our own");
		return -1;
	}
	snprintf(pins, sizeof(pins), "%s/sixpn", bpffs);
	if (file_put("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1"))
		return -1;
	dp = open_kind(BPF_KIND_TCX);
	err = bpf_attach(dp, make_pair(), NULL, BPF_DEVICE_INSTANCE);
	have_tcx = !err;
	delete_pair();
	bpf_datapath_close(dp);
	return err == -EOPNOTSUPP ? 0 : err;
}

static inline int tear_down(void **state)
{
	(void)state;
	umount2(bpffs, MNT_DETACH);
	rmdir(bpffs);
	return 0;
}
