/* The sockets of fdaa:<network>::3, in a network namespace of its own. */
#include "tests/unit/lib/dns/live.h"

#include "lib/dns/networks.h"
#include "lib/dns/server.h"

#include <dirent.h>
#include <sys/resource.h>

#ifndef SO_RCVMARK
#define SO_RCVMARK 75
#endif

#define RESOLVER "fdaa:1234:5678::3"
#define THEIR_RESOLVER "fdaa:ab:cdef::3"
#define PEER "fdaa:1234:5678:a111:1:0:a:2"
#define THEIR_PEER "fdaa:ab:cdef:a111:1:0:a:2"
#define MANY 2000

static struct dns_views *views;
static struct dns_server *server;
static int upstream = -1; /* answers when a test says so */
static const uint32_t both[] = { OTHER_NET, NET };

static struct dns_zone *zone_with_peer(uint32_t network, const char *app)
{
	struct dns_instance i = instance(1, app, "ord", HERE, true, false);
	struct dns_peer p = { "laptop", addr_natural((struct addr_parts){ network, HERE, 0xa, 2 }), true };
	struct dns_zone_input in = { .network = network, .v = 9, .instances = &i, .n_instances = 1, .peers = &p, .n_peers = 1 };
	struct dns_zone *z = NULL;

	i.address = addr_instance(network, HERE, 0x10001);
	assert_int_equal(dns_zone_build(&in, &fixture_here, &z), 0);
	return z;
}

static void set(const uint32_t *ids, size_t n)
{
	int *errors = calloc(n + 1, sizeof *errors);

	dns_server_set_networks(server, ids, n, errors);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(errors[i], 0);
	free(errors);
}

static void start_at(struct in6_addr address)
{
	struct dns_server_options o = { .address = address, .n_workers = 1, .tcp_idle_ms = 120000, .views = views };
	struct sockaddr_in to;
	socklen_t len = sizeof to;
	struct why why = { 0 };
	char list[32];

	assert_int_equal(getsockname(upstream, (struct sockaddr *)&to, &len), 0);
	snprintf(list, sizeof list, "127.0.0.1:%u", ntohs(to.sin_port));
	o.forward = (struct dns_forward_options){ .upstreams = list, .clock = clock_real(), .total_ms = 2000 };
	if (dns_server_start(&o, &server, &why))
		fail_msg("%s", why.text);
}

static int start(void **state)
{
	struct sockaddr_in local = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	(void)state;
	assert_int_equal(dns_views_new(&views), 0);
	assert_int_equal(dns_views_replace(views, zone_with_peer(NET, "shop")), 0);
	assert_int_equal(dns_views_replace(views, zone_with_peer(OTHER_NET, "secret")), 0);
	dns_views_set_synced(views, true);
	upstream = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(upstream, (struct sockaddr *)&local, sizeof local), 0);
	start_at(addr_resolver());
	set(both, 2);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	server = dns_server_stop(server);
	views = dns_views_free(views);
	close(upstream);
	return 0;
}

static struct dns_stats stats(void)
{
	struct dns_stats s;

	dns_server_stats(server, &s);
	return s;
}

/* Until a counter of another thread is there. */
static void until(uint64_t (*counter)(void), uint64_t value)
{
	for (time_t begun = time(NULL); counter() != value; sched_yield())
		if (time(NULL) - begun > 20)
			fail_msg("the counter is %llu, not %llu", (unsigned long long)counter(), (unsigned long long)value);
}

static uint64_t foreign(void)
{
	return stats().notes[DNS_NOTE_WRONG_RESOLVER];
}

static uint64_t waiting(void)
{
	return stats().forward.gauges[DNS_FORWARD_NOW_WAITING];
}

/* The answer's bytes; 0 = the connection ended. */
static size_t exchange(int fd, bool tcp, const uint8_t *query, size_t n, uint8_t *out, size_t size)
{
	uint8_t framed[2048];
	ssize_t got;

	put_u16(framed, (uint16_t)n);
	memcpy(framed + 2, query, n);
	got = send(fd, framed + (tcp ? 0 : 2), n + (tcp ? 2 : 0), MSG_NOSIGNAL);
	if (got < 0 && tcp && (errno == ECONNRESET || errno == EPIPE))
		return 0;
	assert_int_equal(got, n + (tcp ? 2 : 0));
	if (!tcp) {
		got = recv(fd, out, size, 0);
		assert_true(got > 0);
		return (size_t)got;
	}
	if (!read_exactly(fd, framed, 2))
		return 0;
	assert_true(get_u16(framed) <= size);
	assert_true(read_exactly(fd, out, get_u16(framed)));
	return get_u16(framed);
}

static const char *ask(int fd, bool tcp, const char *name, uint16_t type)
{
	static char text[2048];
	uint8_t query[512], reply[4096];
	size_t n = exchange(fd, tcp, query, make_query(query, 5, name, type, 0), reply, sizeof reply);

	if (!n)
		return "ended";
	ldns_pkt *p = decode(reply, n);

	packet_text(p, text, sizeof text);
	ldns_pkt_free(p);
	return text;
}

#define SHOP "NOERROR AAAA fdaa:1234:5678:a111:1:1:1:2"

static void a_peer_hears_there_what_it_would_hear_at_fdaa3(void **state)
{
	static const struct {
		const char *name;
		uint16_t type, edns;
	} questions[] = {
		{ "shop.internal", DNS_TYPE_AAAA, 0 },	       { "SHOP.internal", DNS_TYPE_AAAA, 1232 },
		{ "shop.internal", DNS_TYPE_A, 512 },	       { "laptop._peer.internal", DNS_TYPE_AAAA, 4096 },
		{ "_peer.internal", DNS_TYPE_TXT, 0 },	       { "_version.internal", DNS_TYPE_TXT, 1232 },
		{ "secret.internal", DNS_TYPE_AAAA, 1232 },    { "nobody.internal", DNS_TYPE_AAAA, 0 },
		{ "internal", DNS_TYPE_SOA, 0 },	       { "internal", DNS_TYPE_AAAA, 0 },
		{ "_instances.internal", DNS_TYPE_TXT, 1232 }, { "localhost", DNS_TYPE_AAAA, 0 },
		{ "shop.internal", DNS_TYPE_ANY, 0 },	       { "shop.internal", 251, 1232 },
		{ "_sync.internal", DNS_TYPE_TXT, 0 } /* nobody was heard yet: always the same */
	};

	(void)state;
	for (int tcp = 0; tcp < 2; tcp++) {
		int type = tcp ? SOCK_STREAM : SOCK_DGRAM;
		int there = client_of_resolver(type, PEER, RESOLVER, 0), here = client(type, PEER, 0);

		for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
			uint8_t query[512], a[4096], b[4096];
			size_t n = make_query(query, (uint16_t)i, questions[i].name, questions[i].type, questions[i].edns);
			size_t n_a = exchange(there, tcp, query, n, a, sizeof a), n_b = exchange(here, tcp, query, n, b, sizeof b);

			assert_true(n_a > n - DNS_OPT_LEN);
			assert_int_equal(n_a, n_b);
			assert_memory_equal(a, b, n_a);
		}
		close(there);
		close(here);
		assert_int_equal(stats().asked[DNS_LISTENER_NETWORK][tcp], ARRAY_LEN(questions));
		assert_int_equal(stats().asked[DNS_LISTENER_RESOLVER][tcp], ARRAY_LEN(questions));
	}
}

static void an_instance_is_answered_there_too(void **state)
{
	int fd = client_of_resolver(SOCK_DGRAM, OURS, RESOLVER, 0);

	(void)state;
	assert_string_equal(ask(fd, false, "shop.internal", DNS_TYPE_AAAA), SHOP);
	close(fd);
}

static void another_networks_peer_hears_nothing(void **state)
{
	static const char *const sources[] = { THEIR_PEER, "fdaa:ab:cdef:a111:1:7:7777:2", "fdaa::3", "::1", THEIR_RESOLVER };
	uint8_t bytes[512], byte;
	size_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		int udp = client_of_resolver(SOCK_DGRAM, sources[i], RESOLVER, 0);
		int tcp = client_of_resolver(SOCK_STREAM, sources[i], RESOLVER, 0);

		n = make_query(bytes, 1, "shop.internal", DNS_TYPE_AAAA, 0);
		assert_int_equal(send(udp, bytes, n, 0), n);
		assert_int_equal(send(udp, "\0\0\1\0\0\2\0\0\0\0\0\0", 12, 0), 12); /* no FORMERR either */
		n = frame(bytes, 1, "shop.internal", DNS_TYPE_AAAA);
		(void)send(tcp, bytes, n, MSG_NOSIGNAL); /* it may have been cut off already */
		assert_true(recv(tcp, &byte, 1, 0) <= 0);
		until(foreign, 3 * (i + 1));
		assert_int_equal(recv(udp, bytes, sizeof bytes, MSG_DONTWAIT), -1);
		assert_int_equal(errno, EAGAIN);
		close(udp);
		close(tcp);
	}
	assert_int_equal(stats().answers[DNS_TREE_INTERNAL][DNS_NOERROR][DNS_UDP], 0);
	assert_int_equal(stats().counters[DNS_COUNT_DROPPED], 3 * ARRAY_LEN(sources));
	assert_int_equal(stats().counters[DNS_COUNT_TCP_ACCEPTED], 0);
	assert_int_equal(stats().forward.counters[DNS_FORWARD_ASKED], 0);
}

static void each_network_has_its_own_view_there(void **state)
{
	int ours = client_of_resolver(SOCK_DGRAM, PEER, RESOLVER, 0), theirs = client_of_resolver(SOCK_DGRAM, THEIR_PEER, THEIR_RESOLVER, 0);

	(void)state;
	assert_string_equal(ask(ours, false, "secret.internal", DNS_TYPE_AAAA), "NXDOMAIN / internal.");
	assert_string_equal(ask(theirs, false, "shop.internal", DNS_TYPE_AAAA), "NXDOMAIN / internal.");
	assert_string_equal(ask(theirs, false, "secret.internal", DNS_TYPE_AAAA), "NOERROR AAAA fdaa:ab:cdef:a111:1:1:1:2");
	close(ours);
	close(theirs);
}

/* Reads what the forwarder asks and answers it with one address. */
static void upstream_answers(void)
{
	static const uint8_t record[] = "\300\14\0\1\0\1\0\0\0\36\0\4\1\2\3\4";
	uint8_t bytes[600];
	struct sockaddr_in from;
	socklen_t len = sizeof from;
	ssize_t got = recvfrom(upstream, bytes, 512, 0, (struct sockaddr *)&from, &len);
	size_t n = DNS_HEADER_LEN;

	assert_true(got > DNS_HEADER_LEN);
	while (bytes[n])
		n += 1u + bytes[n];
	n += 5;
	put_u16(bytes + 2, 0x8180);
	bytes[7] = 1;
	bytes[11] = 0;
	memcpy(bytes + n, record, sizeof record - 1);
	n += sizeof record - 1;
	assert_int_equal(sendto(upstream, bytes, n, 0, (struct sockaddr *)&from, len), n);
}

static uint32_t receive_mark(int fd, const char *expected)
{
	uint8_t bytes[2048];
	_Alignas(8) uint8_t control[64];
	struct iovec io = { bytes, sizeof bytes };
	struct msghdr h = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
	ssize_t n = recvmsg(fd, &h, 0);
	uint32_t mark = 0;
	ldns_pkt *p;

	assert_true(n > 0);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&h); c; c = CMSG_NXTHDR(&h, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_MARK)
			memcpy(&mark, CMSG_DATA(c), sizeof mark);
	p = decode(bytes, (size_t)n);
	assert_int_equal(ldns_pkt_ancount(p), 1);
	char *rdata = ldns_rdf2str(ldns_rr_rdf(ldns_rr_list_rr(ldns_pkt_answer(p), 0), 0));

	assert_string_equal(rdata, expected);
	free(rdata);
	ldns_pkt_free(p);
	return mark;
}

static void the_mark_comes_back_and_names_outside_are_forwarded(void **state)
{
	int fd = client_of_resolver(SOCK_DGRAM, PEER, RESOLVER, ADDR_MARK), tcp = client_of_resolver(SOCK_STREAM, PEER, RESOLVER, ADDR_MARK);
	int on = 1;
	uint8_t query[512], reply[2048];
	size_t n = make_query(query, 1, "shop.internal", DNS_TYPE_AAAA, 0);

	(void)state;
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVMARK, &on, sizeof on), 0);
	assert_int_equal(send(fd, query, n, 0), n);
	assert_int_equal(receive_mark(fd, "fdaa:1234:5678:a111:1:1:1:2"), ADDR_MARK);
	n = make_query(query, 2, "example.com", DNS_TYPE_A, 0);
	assert_int_equal(send(fd, query, n, 0), n);
	upstream_answers();
	assert_int_equal(receive_mark(fd, "1.2.3.4"), ADDR_MARK);
	assert_true(exchange(tcp, true, query, n, reply, sizeof reply) > n); /* from the cache by now */
	assert_int_equal(stats().forward.counters[DNS_FORWARD_HIT], 1);
	close(fd);
	close(tcp);
}

static void a_network_that_leaves_is_not_answered_and_its_connections_end(void **state)
{
	int udp = client_of_resolver(SOCK_DGRAM, PEER, RESOLVER, 0), tcp = client_of_resolver(SOCK_STREAM, PEER, RESOLVER, 0);
	int other = client_of_resolver(SOCK_STREAM, THEIR_PEER, THEIR_RESOLVER, 0), again;
	struct sockaddr_in6 from = at(PEER, 0), to = at(RESOLVER, 53);
	char byte;

	(void)state;
	assert_string_equal(ask(udp, false, "shop.internal", DNS_TYPE_AAAA), SHOP);
	assert_string_equal(ask(tcp, true, "shop.internal", DNS_TYPE_AAAA), SHOP);
	assert_string_equal(ask(other, true, "shop.internal", DNS_TYPE_AAAA), "NXDOMAIN / internal.");
	set(both, 1);
	assert_int_equal(recv(tcp, &byte, 1, 0), 0);
	for (time_t begun = time(NULL);; sched_yield()) { /* the kernel refuses for nobody is there */
		again = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(bind(again, (struct sockaddr *)&from, sizeof from), 0);
		if (connect(again, (struct sockaddr *)&to, sizeof to) < 0)
			break;
		close(again);
		assert_true(time(NULL) - begun < 20);
	}
	assert_int_equal(errno, ECONNREFUSED);
	close(again);
	assert_string_equal(ask(other, true, "shop.internal", DNS_TYPE_AAAA), "NXDOMAIN / internal."); /* it stays */
	set(both, 2);
	close(udp);
	udp = client_of_resolver(SOCK_DGRAM, PEER, RESOLVER, 0);
	assert_string_equal(ask(udp, false, "shop.internal", DNS_TYPE_AAAA), SHOP);
	close(udp);
	close(tcp);
	close(other);
}

/* In one breath: the old sockets may still be there when the new ones are made. */
static void a_network_that_leaves_and_comes_at_once_is_answered(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		set(both, 1);
		set(both, 2);
	}
	for (time_t begun = time(NULL);; sched_yield()) { /* a question may have gone to one that was just being closed */
		int fd = client_of_resolver(SOCK_STREAM, PEER, RESOLVER, 0);
		bool answered = !strcmp(ask(fd, true, "shop.internal", DNS_TYPE_AAAA), SHOP);

		close(fd);
		if (answered)
			break;
		assert_true(time(NULL) - begun < 20);
	}
	assert_int_equal(stats().networks, 2);
}

static void a_network_that_leaves_while_its_question_is_outside_costs_nothing(void **state)
{
	int udp = client_of_resolver(SOCK_DGRAM, PEER, RESOLVER, 0), tcp = client_of_resolver(SOCK_STREAM, PEER, RESOLVER, 0);
	uint8_t bytes[512];
	size_t n = make_query(bytes, 1, "slow.example", DNS_TYPE_A, 0);

	(void)state;
	assert_int_equal(send(udp, bytes, n, 0), n);
	n = frame(bytes, 2, "slower.example", DNS_TYPE_A);
	assert_int_equal(send(tcp, bytes, n, 0), n);
	until(waiting, 2);
	set(both, 1);
	until(waiting, 0); /* nobody answers outside: until the time is up */
	set(both, 2);
	assert_string_equal(ask(udp, false, "shop.internal", DNS_TYPE_AAAA), SHOP);
	close(udp);
	close(tcp);
}

static void an_address_may_come_after_its_sockets(void **state)
{
	const uint32_t later[] = { 0x11112222, NET };
	int lo = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), fd;

	(void)state;
	set(later, 2);
	add_address(lo, "fdaa:1111:2222::3");
	add_address(lo, "fdaa:1111:2222:a111:1:0:a:2");
	wait_for_address("fdaa:1111:2222::3");
	wait_for_address("fdaa:1111:2222:a111:1:0:a:2");
	fd = client_of_resolver(SOCK_DGRAM, "fdaa:1111:2222:a111:1:0:a:2", "fdaa:1111:2222::3", 0);
	assert_string_equal(ask(fd, false, "shop.internal", DNS_TYPE_AAAA), "SERVFAIL"); /* no zone of it is here */
	close(fd);
	close(lo);
}

static void a_restart_answers_again(void **state)
{
	int fd;

	(void)state;
	server = dns_server_stop(server);
	start_at(addr_resolver());
	set(both, 2);
	fd = client_of_resolver(SOCK_STREAM, PEER, RESOLVER, 0);
	assert_string_equal(ask(fd, true, "shop.internal", DNS_TYPE_AAAA), SHOP);
	close(fd);
}

/* dns.listen may be the ::3 of one network. */
static void the_workers_own_address_is_left_to_them(void **state)
{
	int fd;

	(void)state;
	server = dns_server_stop(server);
	start_at(addr_network_resolver(NET));
	set(both, 2);
	assert_int_equal(stats().networks, 1);
	fd = client_of_resolver(SOCK_DGRAM, PEER, RESOLVER, 0);
	assert_string_equal(ask(fd, false, "shop.internal", DNS_TYPE_AAAA), SHOP);
	assert_int_equal(stats().asked[DNS_LISTENER_RESOLVER][DNS_UDP], 1);
	close(fd);
}

/* -- many -- */

static size_t count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void make_ids(uint32_t *ids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ids[i] = 0x20000000u + (uint32_t)i * 7;
}

static void two_thousand_networks_come_and_go_and_leave_nothing_behind(void **state)
{
	static uint32_t ids[MANY];
	size_t before = count_descriptors();
	int lo = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)state;
	make_ids(ids, MANY);
	add_address(lo, "fdaa:2000:36a9::3"); /* 0x20000000 + 1999 * 7 */
	add_address(lo, "fdaa:2000:36a9:a111:1:0:a:2");
	wait_for_address("fdaa:2000:36a9::3");
	wait_for_address("fdaa:2000:36a9:a111:1:0:a:2");
	for (unsigned round = 0; round < 3; round++) {
		int fd;

		set(ids, MANY);
		assert_int_equal(stats().networks, MANY);
		fd = client_of_resolver(SOCK_STREAM, "fdaa:2000:36a9:a111:1:0:a:2", "fdaa:2000:36a9::3", 0);
		assert_string_equal(ask(fd, true, "shop.internal", DNS_TYPE_AAAA), "SERVFAIL");
		close(fd);
		set(ids + MANY / 2, MANY / 2); /* half of them go, the others stay as they are */
		set(both, 2);
		assert_int_equal(stats().networks, 2);
	}
	close(lo);
	for (time_t begun = time(NULL); count_descriptors() > before; sched_yield())
		if (time(NULL) - begun > 20)
			fail_msg("%zu descriptors are left of %zu", count_descriptors(), before);
	lo = client_of_resolver(SOCK_DGRAM, PEER, RESOLVER, 0);
	assert_string_equal(ask(lo, false, "shop.internal", DNS_TYPE_AAAA), SHOP);
	close(lo);
}

static void above_the_limit_networks_are_told_so_until_others_leave(void **state)
{
	struct rlimit files, few;
	static uint32_t ids[200];
	static int errors[200];
	size_t limit;

	(void)state;
	assert_int_equal(dns_networks_limit(1024), 256);
	assert_int_equal(dns_networks_limit(20000), DNS_NETWORKS_MAX);
	assert_int_equal(dns_networks_limit(SIZE_MAX), DNS_NETWORKS_MAX);
	assert_int_equal(dns_networks_limit(0), 0);
	make_ids(ids, 200);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	few = (struct rlimit){ 600, files.rlim_max };
	limit = dns_networks_limit(600);
	assert_true(limit < 200);
	server = dns_server_stop(server);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	start_at(addr_resolver());
	for (unsigned round = 0; round < 2; round++) {
		dns_server_set_networks(server, ids, 200, errors);
		for (size_t i = 0; i < 200; i++)
			assert_int_equal(errors[i], i < limit ? 0 : -EMFILE);
	}
	assert_int_equal(stats().networks, limit);
	dns_server_set_networks(server, ids + 100, 100, errors); /* room for all */
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(errors[i], 0);
	server = dns_server_stop(server);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
	start_at(addr_resolver());
}

/* -- in the test's own loop, so that what is done in one round can be seen -- */

static bool never_forward(void *network, const struct sockaddr_in6 *from, uint32_t mark, const uint8_t *query, size_t len)
{
	(void)network, (void)from, (void)mark, (void)query, (void)len;
	return false;
}

static void a_flood_at_one_address_does_not_hold_up_another(void **state)
{
	static struct dns_tally tally;
	struct dns_tcp tcp = { .views = views, .tally = &tally, .idle_ms = 60000 };
	struct dns_networks_use use = { .tcp = &tcp, .views = views, .tally = &tally, .forward = never_forward };
	struct dns_networks n;
	int flood, other, errors[2];
	uint8_t bytes[512];
	size_t len = make_query(bytes, 1, "shop.internal", DNS_TYPE_AAAA, 0), n_flood = 0;

	(void)state;
	server = dns_server_stop(server);
	dns_views_reader_start();
	assert_int_equal(loop_new(&tcp.loop), 0);
	use.loop = tcp.loop;
	assert_int_equal(dns_networks_init(&n, &use), 0);
	n.port = 53;
	assert_true(dns_networks_set(&n, both, 2, errors));
	assert_true(dns_networks_set(&n, both + 1, 1, errors)); /* one goes and comes before anybody looked */
	assert_true(dns_networks_set(&n, both, 2, errors));
	assert_false(dns_networks_set(&n, both, 2, errors));
	assert_false(dns_networks_take(&n));
	flood = client_of_resolver(SOCK_DGRAM, PEER, RESOLVER, 0);
	other = client_of_resolver(SOCK_DGRAM, THEIR_PEER, THEIR_RESOLVER, 0);
	for (unsigned i = 0; i < 1000; i++) /* more than its queue holds: the rest is its own loss */
		assert_int_equal(send(flood, bytes, len, 0), len);
	assert_int_equal(send(other, bytes, len, 0), len);
	assert_int_equal(loop_round(tcp.loop, 1000), 0);
	assert_true(recv(other, bytes, sizeof bytes, MSG_DONTWAIT) > 0);
	while (recv(flood, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
		n_flood++;
	assert_int_equal(n_flood, DNS_UDP_BATCH);
	dns_networks_deinit(&n);
	tcp.loop = loop_free(tcp.loop);
	dns_views_reader_stop();
	close(flood);
	close(other);
	start_at(addr_resolver());
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
		T(a_peer_hears_there_what_it_would_hear_at_fdaa3),
		T(an_instance_is_answered_there_too),
		T(another_networks_peer_hears_nothing),
		T(each_network_has_its_own_view_there),
		T(the_mark_comes_back_and_names_outside_are_forwarded),
		T(a_network_that_leaves_is_not_answered_and_its_connections_end),
		T(a_network_that_leaves_and_comes_at_once_is_answered),
		T(a_network_that_leaves_while_its_question_is_outside_costs_nothing),
		T(an_address_may_come_after_its_sockets),
		T(a_restart_answers_again),
		T(the_workers_own_address_is_left_to_them),
		T(two_thousand_networks_come_and_go_and_leave_nothing_behind),
		T(above_the_limit_networks_are_told_so_until_others_leave),
		T(a_flood_at_one_address_does_not_hold_up_another),
	};
	static const char *const addresses[] = { RESOLVER, THEIR_RESOLVER, PEER, THEIR_PEER, "fdaa:ab:cdef:a111:1:7:7777:2" };
	struct rlimit files = { 16384, 16384 };
	int lo;

	if (own_network() != 0) {
		printf("skipped: no network namespace of our own here (%s)\n", strerror(errno));
		return 0;
	}
	if (setrlimit(RLIMIT_NOFILE, &files) < 0) {
		printf("skipped: not enough descriptors here (%s)\n", strerror(errno));
		return 0;
	}
	lo = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++)
		add_address(lo, addresses[i]);
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++)
		wait_for_address(addresses[i]);
	close(lo);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
