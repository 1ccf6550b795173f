/* live - a network namespace of the test's own, whose loopback has fdaa::3 and the addresses of a few instances; clients in it. */
#pragma once
#include "tests/unit/lib/dns/fixture.h"

#include "lib/base/file.h"

#include <linux/ipv6.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define OURS "fdaa:1234:5678:a111:1:7:7777:2"
#define NEIGHBOUR "fdaa:1234:5678:a111:1:7:8888:2"

static inline void add_address(int fd, const char *text)
{
	struct in6_ifreq r = { .ifr6_prefixlen = 128, .ifr6_ifindex = (int)if_nametoindex("lo") };

	assert_int_equal(inet_pton(AF_INET6, text, &r.ifr6_addr), 1);
	if (ioctl(fd, SIOCSIFADDR, &r) < 0)
		fail_msg("adding %s to lo: %s", text, strerror(errno));
}

/* Even on loopback an address is tentative for a moment, until the kernel's worker has passed over it. */
static inline void wait_for_address(const char *text)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6 };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	time_t start = time(NULL);

	assert_int_equal(inet_pton(AF_INET6, text, &a.sin6_addr), 1);
	while (bind(fd, (struct sockaddr *)&a, sizeof a) < 0) {
		if (errno != EADDRNOTAVAIL || time(NULL) - start > 10)
			fail_msg("%s on lo: %s", text, strerror(errno));
		sched_yield();
	}
	close(fd);
}

/* 1 = this machine does not let us have a namespace. */
static inline int own_network(void)
{
	struct ifreq up = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	char map[64];
	uid_t uid = getuid();
	int fd;

	if (unshare(CLONE_NEWNET | (uid ? CLONE_NEWUSER : 0)) < 0)
		return 1;
	if (uid) {
		snprintf(map, sizeof map, "0 %u 1", uid);
		if (file_put("/proc/self/uid_map", map) < 0)
			return 1;
	}
	fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &up), 0);
	add_address(fd, "fdaa::3");
	add_address(fd, OURS);
	add_address(fd, NEIGHBOUR);
	close(fd);
	wait_for_address("fdaa::3");
	wait_for_address(OURS);
	wait_for_address(NEIGHBOUR);
	assert_int_equal(file_put("/proc/sys/net/ipv4/tcp_fwmark_accept", "1"), 0);
	return 0;
}

static inline struct sockaddr_in6 at(const char *text, uint16_t port)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	assert_int_equal(inet_pton(AF_INET6, text, &a.sin6_addr), 1);
	return a;
}

static inline int client_of_resolver(int type, const char *source, const char *resolver, uint32_t mark)
{
	struct sockaddr_in6 from = at(source, 0), to = at(resolver, 53);
	struct timeval wait = { .tv_sec = 5 };
	int fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0), on = 1;

	assert_true(fd >= 0);
	setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof on);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
	if (mark)
		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof from), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	return fd;
}

static inline int client(int type, const char *source, uint32_t mark)
{
	return client_of_resolver(type, source, "fdaa::3", mark);
}

static inline size_t frame(uint8_t *out, uint16_t id, const char *name, uint16_t type)
{
	size_t n = make_query(out + 2, id, name, type, 0);

	put_u16(out, (uint16_t)n);
	return 2 + n;
}

static inline bool read_exactly(int fd, uint8_t *out, size_t n)
{
	for (size_t got = 0; got < n;) {
		ssize_t r = recv(fd, out + got, n - got, 0);

		if (r <= 0)
			return false;
		got += (size_t)r;
	}
	return true;
}
