/* The server on real sockets, in a network namespace of its own. */
#include "tests/unit/lib/dns/live.h"

#include "lib/dns/server.h"
#include "lib/dns/tcp_listener.h"

#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>

#ifndef SO_RCVMARK
#define SO_RCVMARK 75
#endif

#define NOBODYS "fdaa:1234:5678:a111:1:9:9999:2" /* on no device: replies to it have no route */
#define TURNS_PORT 5399
#define SHOP "NOERROR AAAA fdaa:1234:5678:a111:1:1:1:2"

static struct dns_views *views;
static struct dns_server *server;

static struct dns_zone *standing_zone(uint64_t v, unsigned shop)
{
	struct dns_instance all[201] = { [0] = instance(shop, "shop", "ord", HERE, true, false) };

	for (unsigned i = 1; i < 201; i++)
		all[i] = instance(1000 + i, "crowd", "nrt", 0xA2220001 + i, true, false);
	return zone_of(all, 201, NULL, v);
}

static int start_with(unsigned idle_ms)
{
	struct dns_server_options o = { .address = addr_resolver(), .n_workers = 2, .tcp_idle_ms = idle_ms };
	struct why why = { 0 };

	assert_int_equal(dns_views_new(&views), 0);
	assert_int_equal(dns_views_replace(views, standing_zone(1, 1)), 0);
	dns_views_set_synced(views, true);
	o.views = views;
	if (dns_server_start(&o, &server, &why) < 0)
		fail_msg("%s", why.text);
	return 0;
}

static int start(void **state)
{
	(void)state;
	return start_with(2000);
}

/* For tests that take their time. */
static int start_patient(void **state)
{
	(void)state;
	return start_with(120000);
}

static int stop(void **state)
{
	(void)state;
	server = dns_server_stop(server);
	views = dns_views_free(views);
	return 0;
}

static void send_query(int fd, uint16_t id, const char *name, uint16_t type)
{
	uint8_t bytes[512];
	size_t n = make_query(bytes, id, name, type, 0);

	assert_int_equal(send(fd, bytes, n, 0), n);
}

/* Receives one datagram and its mark; text of the answer. */
static const char *receive(int fd, uint16_t id, uint32_t *ret_mark, char *text, size_t size)
{
	uint8_t bytes[2048];
	_Alignas(8) uint8_t control[64];
	struct iovec io = { bytes, sizeof bytes };
	struct msghdr h = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
	ssize_t n = recvmsg(fd, &h, 0);

	assert_true(n > 0);
	*ret_mark = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&h); c; c = CMSG_NXTHDR(&h, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_MARK)
			memcpy(ret_mark, CMSG_DATA(c), sizeof *ret_mark);
	ldns_pkt *p = decode(bytes, (size_t)n);

	assert_int_equal(ldns_pkt_id(p), id);
	packet_text(p, text, size);
	ldns_pkt_free(p);
	return text;
}

static struct dns_stats stats(void)
{
	struct dns_stats s;

	dns_server_stats(server, &s);
	return s;
}

static void udp_answers_and_is_counted(void **state)
{
	int fd = client(SOCK_DGRAM, OURS, 0);
	char text[1024];
	uint32_t mark;

	(void)state;
	for (uint16_t i = 0; i < 200; i++) {
		send_query(fd, i, i % 2 ? "shop.internal" : "nobody.internal", DNS_TYPE_AAAA);
		assert_string_equal(receive(fd, i, &mark, text, sizeof text), i % 2 ? SHOP : "NXDOMAIN / internal.");
	}
	assert_int_equal(stats().answers[DNS_TREE_INTERNAL][DNS_NOERROR][DNS_UDP], 100);
	assert_int_equal(stats().answers[DNS_TREE_INTERNAL][DNS_NXDOMAIN][DNS_UDP], 100);
	assert_int_equal(stats().counters[DNS_COUNT_RECEIVED], 200);
	close(fd);
}

static void queries_from_any_port_are_answered(void **state)
{
	char text[1024];
	uint32_t mark;

	(void)state;
	for (uint16_t i = 0; i < 64; i++) { /* the kernel chooses the worker by the ports */
		int fd = client(SOCK_DGRAM, i % 2 ? OURS : NEIGHBOUR, 0);

		send_query(fd, i, "shop.internal", DNS_TYPE_AAAA);
		assert_string_equal(receive(fd, i, &mark, text, sizeof text), SHOP);
		close(fd);
	}
}

static void the_mark_of_the_query_comes_back(void **state)
{
	static const uint32_t marks[] = { ADDR_MARK, 0, 0xdead006b, 0, ADDR_MARK };
	char text[1024];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
		int fd = client(SOCK_DGRAM, OURS, marks[i]), on = 1;
		uint32_t mark;

		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVMARK, &on, sizeof on), 0);
		send_query(fd, 1, "shop.internal", DNS_TYPE_AAAA);
		assert_string_equal(receive(fd, 1, &mark, text, sizeof text), SHOP);
		assert_int_equal(mark, marks[i]);
		send_query(fd, 2, "example.com", DNS_TYPE_AAAA); /* by the other thread */
		assert_string_equal(receive(fd, 2, &mark, text, sizeof text), "SERVFAIL");
		assert_int_equal(mark, marks[i]);
		close(fd);
	}
}

static void what_is_not_ours_goes_through_the_slow_thread(void **state)
{
	int fd = client(SOCK_DGRAM, OURS, 0);
	char text[1024];
	uint32_t mark;

	(void)state;
	for (uint16_t i = 0; i < 50; i++) {
		send_query(fd, i, "example.com", DNS_TYPE_A);
		assert_string_equal(receive(fd, i, &mark, text, sizeof text), "SERVFAIL");
	}
	assert_int_equal(stats().counters[DNS_COUNT_HANDED_OVER], 50);
	assert_int_equal(stats().counters[DNS_COUNT_FORWARD_UNAVAILABLE], 50);
	assert_int_equal(stats().answers[DNS_TREE_OTHER][DNS_SERVFAIL][DNS_UDP], 50);
	close(fd);
}

static void a_flood_of_what_is_not_ours_leaves_nothing_unanswered(void **state)
{
	enum { N = 600 }; /* more than the ring holds: the rest is answered at once */
	int fd = client(SOCK_DGRAM, OURS, 0), room = 1 << 20;
	uint8_t bytes[2048];

	(void)state;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
	for (unsigned i = 0; i < N; i++)
		send_query(fd, (uint16_t)i, "example.com", DNS_TYPE_A);
	for (unsigned i = 0; i < N; i++)
		assert_true(recv(fd, bytes, sizeof bytes, 0) > 0);
	assert_int_equal(stats().counters[DNS_COUNT_HANDED_OVER] + stats().counters[DNS_COUNT_RING_FULL], N);
	close(fd);
}

static void a_reply_without_a_route_is_counted_and_nothing_else(void **state)
{
	int lost = client(SOCK_DGRAM, NOBODYS, 0), fd = client(SOCK_DGRAM, OURS, 0);
	char text[1024];
	uint32_t mark;

	(void)state;
	for (uint16_t i = 0; i < 40; i++) {
		send_query(lost, i, "shop.internal", DNS_TYPE_AAAA);
		send_query(lost, i, "example.com", DNS_TYPE_AAAA);
		send_query(fd, i, "shop.internal", DNS_TYPE_AAAA);
		assert_string_equal(receive(fd, i, &mark, text, sizeof text), SHOP);
	}
	while (stats().counters[DNS_COUNT_UNREACHABLE] < 80)
		sched_yield(); /* the other worker's, or the slow thread's, last ones */
	assert_int_equal(stats().counters[DNS_COUNT_SEND_FAILED], 0);
	close(lost);
	close(fd);
}

static void garbage_is_dropped_or_refused_and_the_next_is_answered(void **state)
{
	int fd = client(SOCK_DGRAM, OURS, 0);
	char text[1024];
	uint8_t bytes[3000];
	uint32_t mark, seed = 1;

	(void)state;
	for (size_t n = 0; n < sizeof bytes; n += 37) {
		for (size_t i = 0; i < n; i++)
			bytes[i] = (uint8_t)((seed = seed * 1103515245 + 12345) >> 16);
		if (n > 2)
			bytes[2] |= 0x80; /* so that none is answered */
		assert_true(send(fd, bytes, n, 0) == (ssize_t)n);
	}
	send_query(fd, 9, "shop.internal", DNS_TYPE_AAAA);
	assert_string_equal(receive(fd, 9, &mark, text, sizeof text), SHOP);
	close(fd);
}

/* -- TCP -- */

/* NULL: the connection ended. */
static const char *receive_tcp(int fd, uint16_t id, char *text, size_t size)
{
	static uint8_t bytes[DNS_MESSAGE_MAX];
	uint8_t head[2];

	if (!read_exactly(fd, head, 2) || !read_exactly(fd, bytes, get_u16(head)))
		return NULL;
	ldns_pkt *p = decode(bytes, get_u16(head));

	assert_int_equal(ldns_pkt_id(p), id);
	packet_text(p, text, size);
	ldns_pkt_free(p);
	return text;
}

static void tcp_takes_queries_byte_by_byte(void **state)
{
	int fd = client(SOCK_STREAM, OURS, 0), on = 1;
	uint8_t bytes[512];
	char text[1024];
	size_t n = frame(bytes, 77, "shop.internal", DNS_TYPE_AAAA);

	(void)state;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(send(fd, bytes + i, 1, 0), 1);
	assert_string_equal(receive_tcp(fd, 77, text, sizeof text), SHOP);
	close(fd);
}

static void tcp_answers_many_queries_of_one_write_in_order(void **state)
{
	int fd = client(SOCK_STREAM, OURS, 0);
	uint8_t bytes[8192];
	char text[1024];
	size_t n = 0;

	(void)state;
	for (uint16_t i = 0; i < 100; i++)
		n += frame(bytes + n, i, i % 3 ? "shop.internal" : "example.com", i % 3 == 2 ? DNS_TYPE_A : DNS_TYPE_AAAA);
	assert_int_equal(send(fd, bytes, n, 0), n);
	for (uint16_t i = 0; i < 100; i++)
		assert_string_equal(receive_tcp(fd, i, text, sizeof text), i % 3 == 0 ? "SERVFAIL" : i % 3 == 2 ? "NOERROR / internal." : SHOP);
	close(fd);
}

static void what_was_asked_before_the_end_is_answered(void **state)
{
	int fd = client(SOCK_STREAM, OURS, 0);
	uint8_t bytes[1024];
	char text[1024];
	size_t n = frame(bytes, 1, "shop.internal", DNS_TYPE_AAAA);

	(void)state;
	n += frame(bytes + n, 2, "shop.internal", DNS_TYPE_A);
	assert_int_equal(send(fd, bytes, n, 0), n);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	assert_string_equal(receive_tcp(fd, 1, text, sizeof text), SHOP);
	assert_string_equal(receive_tcp(fd, 2, text, sizeof text), "NOERROR / internal.");
	assert_null(receive_tcp(fd, 3, text, sizeof text));
	close(fd);
}

static int client_of(const struct dns_tcp *t)
{
	struct sockaddr_in6 from = at(OURS, 0), to = at("fdaa::3", TURNS_PORT);
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof from), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	for (size_t n = t->n; t->n == n;)
		assert_int_equal(loop_round(t->loop, 1000), 0);
	return fd;
}

static void all_that_wait_to_be_accepted_are_in_one_round(void **state)
{
	static struct dns_tally tally;
	struct dns_tcp t = { .views = views, .tally = &tally, .idle_ms = 60000 };
	struct dns_tcp_listener l;
	struct in6_addr address = addr_resolver();
	struct sockaddr_in6 to = at("fdaa::3", TURNS_PORT);
	int fds[8];

	(void)state;
	dns_views_reader_start();
	assert_int_equal(loop_new(&t.loop), 0);
	assert_int_equal(dns_tcp_open(&address, TURNS_PORT, DNS_LISTENER_RESOLVER, &l, NULL), 0);
	assert_int_equal(dns_tcp_listen(&l, &t), 0);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(fds[i], (struct sockaddr *)&to, sizeof to), 0); /* the kernel shakes hands */
	}
	assert_int_equal(loop_round(t.loop, 1000), 0);
	assert_int_equal(t.n, ARRAY_LEN(fds));
	dns_tcp_unlisten(&l);
	t.loop = loop_free(t.loop);
	dns_views_reader_stop();
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
}

/* How many whole messages have arrived since the last look. */
static unsigned arrived(int fd)
{
	uint8_t bytes[DNS_MESSAGE_MAX], length[2];
	unsigned n = 0;

	for (; recv(fd, length, 2, MSG_DONTWAIT) == 2; n++)
		assert_true(read_exactly(fd, bytes, get_u16(length)));
	return n;
}

/* In the test's own loop, so that what is done in one round can be seen. */
static void many_queries_of_one_connection_do_not_hold_up_another(void **state)
{
	static struct dns_tally tally;
	struct dns_tcp t = { .views = views, .tally = &tally, .idle_ms = 60000 };
	struct dns_tcp_listener l;
	struct in6_addr address = addr_resolver();
	uint8_t bytes[8192];
	unsigned n_greedy = 0, n_other = 0;
	size_t n = 0;
	int greedy, other;

	(void)state;
	dns_views_reader_start();
	assert_int_equal(loop_new(&t.loop), 0);
	assert_int_equal(dns_tcp_open(&address, TURNS_PORT, DNS_LISTENER_RESOLVER, &l, NULL), 0);
	assert_int_equal(dns_tcp_listen(&l, &t), 0);
	greedy = client_of(&t);
	other = client_of(&t);
	for (uint16_t i = 0; i < 100; i++)
		n += frame(bytes + n, i, "shop.internal", DNS_TYPE_AAAA);
	assert_int_equal(send(greedy, bytes, n, 0), n);
	assert_int_equal(shutdown(greedy, SHUT_WR), 0);
	n = frame(bytes, 1, "shop.internal", DNS_TYPE_AAAA);
	assert_int_equal(send(other, bytes, n, 0), n);
	while (!n_other) {
		assert_int_equal(loop_round(t.loop, 1000), 0);
		n_greedy += arrived(greedy);
		n_other = arrived(other);
	}
	assert_in_range(n_greedy, 0, 40);
	for (unsigned i = 0; n_greedy < 100 && i < 20; i++) {
		assert_int_equal(loop_round(t.loop, 1000), 0);
		n_greedy += arrived(greedy);
	}
	assert_int_equal(n_greedy, 100); /* all of them, though it has said that it will send no more */
	dns_tcp_unlisten(&l);
	t.loop = loop_free(t.loop);
	dns_views_reader_stop();
	close(greedy);
	close(other);
}

static void a_list_comes_whole_by_tcp(void **state)
{
	int fd = client(SOCK_STREAM, OURS, 0);
	uint8_t bytes[512];
	static char text[65536];
	size_t n = frame(bytes, 5, "_instances.internal", DNS_TYPE_TXT), words = 0;

	(void)state;
	assert_int_equal(send(fd, bytes, n, 0), n);
	assert_non_null(receive_tcp(fd, 5, text, sizeof text));
	for (const char *at_word = text; (at_word = strstr(at_word, "ip=")); at_word++)
		words++;
	assert_int_equal(words, 201);
	close(fd);
}

static void lengths_that_cannot_be_close_the_connection(void **state)
{
	static const uint8_t bad[][2] = { { 0, 0 }, { 0, 5 }, { 0xff, 0xff } };
	char text[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		int fd = client(SOCK_STREAM, OURS, 0);

		assert_int_equal(send(fd, bad[i], 2, 0), 2);
		assert_null(receive_tcp(fd, 0, text, sizeof text));
		close(fd);
	}
	assert_int_equal(stats().counters[DNS_COUNT_TCP_BAD], ARRAY_LEN(bad));
}

static void an_idle_connection_is_closed(void **state)
{
	int fd = client(SOCK_STREAM, OURS, 0);
	char text[64];

	(void)state;
	assert_int_equal(send(fd, "\0", 1, 0), 1); /* half a length does not count as being busy */
	assert_null(receive_tcp(fd, 0, text, sizeof text));
	assert_int_equal(stats().counters[DNS_COUNT_TCP_IDLE], 1);
	close(fd);
}

static void one_source_cannot_take_all_places(void **state)
{
	int fds[16];
	uint8_t bytes[512];
	char text[1024];
	size_t n = frame(bytes, 1, "shop.internal", DNS_TYPE_AAAA);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = client(SOCK_STREAM, OURS, 0);
		assert_int_equal(send(fds[i], bytes, n, 0), n);
		assert_string_equal(receive_tcp(fds[i], 1, text, sizeof text), SHOP);
	}
	int one_more = client(SOCK_STREAM, OURS, 0), other = client(SOCK_STREAM, NEIGHBOUR, 0);

	assert_null(receive_tcp(one_more, 1, text, sizeof text));
	assert_int_equal(send(other, bytes, n, 0), n);
	assert_string_equal(receive_tcp(other, 1, text, sizeof text), SHOP);
	assert_int_equal(stats().tcp_open, 17);
	assert_int_equal(stats().counters[DNS_COUNT_TCP_REFUSED], 1);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	close(one_more);
	close(other);
}

/* However many addresses it has: the ninth of its senders finds its network's share taken. */
static void one_network_cannot_take_all_places(void **state)
{
	enum { SOURCES = 8, EACH = 16 };
	static int fds[SOURCES * EACH];
	static char sources[SOURCES + 1][64];
	uint8_t bytes[512];
	char text[1024];
	size_t n = frame(bytes, 1, "shop.internal", DNS_TYPE_AAAA);
	int lo = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), one_more, other;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(sources); i++) {
		snprintf(sources[i], sizeof sources[i], "fdaa:4444:9:a111:1:7:%x:2", i + 1);
		add_address(lo, sources[i]);
	}
	for (unsigned i = 0; i < ARRAY_LEN(sources); i++)
		wait_for_address(sources[i]);
	for (unsigned i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = client(SOCK_STREAM, sources[i / EACH], 0);
		assert_int_equal(send(fds[i], bytes, n, 0), n);
		assert_string_equal(receive_tcp(fds[i], 1, text, sizeof text), "SERVFAIL");
	}
	one_more = client(SOCK_STREAM, sources[SOURCES], 0);
	other = client(SOCK_STREAM, OURS, 0);
	assert_null(receive_tcp(one_more, 1, text, sizeof text));
	assert_int_equal(send(other, bytes, n, 0), n);
	assert_string_equal(receive_tcp(other, 1, text, sizeof text), SHOP);
	assert_int_equal(stats().tcp_open, ARRAY_LEN(fds) + 1);
	assert_int_equal(stats().counters[DNS_COUNT_TCP_REFUSED], 1);
	close(one_more);
	close(other);
	for (unsigned i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	close(lo);
}

/* One customer's networks take all places there are; somebody else's question is answered all the same. */
static void no_number_of_networks_can_keep_others_out(void **state)
{
	enum { NETWORKS = 4, SOURCES = 8, EACH = 16, ALL = NETWORKS * SOURCES * EACH };
	static int fds[ALL];
	static char sources[NETWORKS * SOURCES][64];
	struct rlimit files = { 4096, 4096 };
	uint8_t bytes[512];
	char text[1024];
	size_t n = frame(bytes, 1, "shop.internal", DNS_TYPE_AAAA);
	int lo = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), late;

	(void)state;
	if (setrlimit(RLIMIT_NOFILE, &files) < 0) {
		print_message("SKIP: not enough descriptors here: %s\n", strerror(errno));
		skip();
	}
	for (unsigned i = 0; i < NETWORKS * SOURCES; i++) {
		snprintf(sources[i], sizeof sources[i], "fdaa:4444:%x:a111:1:7:%x:2", i % NETWORKS + 1, i + 1);
		add_address(lo, sources[i]);
	}
	for (unsigned i = 0; i < NETWORKS * SOURCES; i++)
		wait_for_address(sources[i]);
	for (unsigned i = 0; i < ALL; i++)
		fds[i] = client(SOCK_STREAM, sources[i / EACH], 0);
	for (unsigned i = 0; i < ALL; i++) { /* all are really there: a network without a zone is told so */
		assert_int_equal(send(fds[i], bytes, n, 0), n);
		assert_string_equal(receive_tcp(fds[i], 1, text, sizeof text), "SERVFAIL");
	}
	assert_int_equal(stats().tcp_open, ALL);
	late = client(SOCK_STREAM, OURS, 0);
	assert_int_equal(send(late, bytes, n, 0), n);
	assert_string_equal(receive_tcp(late, 1, text, sizeof text), SHOP);
	assert_int_equal(stats().counters[DNS_COUNT_TCP_GAVE_WAY], 1);
	assert_int_equal(stats().counters[DNS_COUNT_TCP_REFUSED], 0);
	assert_int_equal(stats().tcp_open, ALL);
	close(late);
	for (unsigned i = 0; i < ALL; i++)
		close(fds[i]);
	close(lo);
}

static void who_does_not_read_gets_all_answers_when_he_does(void **state)
{
	enum { N = 400 }; /* 18 KiB each: far more than all buffers hold */
	int fd = client(SOCK_STREAM, OURS, 0);
	static char text[65536];
	unsigned asked = 0, answered = 0;

	(void)state;
	while (answered < N) {
		uint8_t bytes[512];
		size_t n = frame(bytes, (uint16_t)asked, "_instances.internal", DNS_TYPE_TXT);

		/* As much as the server takes, then one answer, and so on. */
		if (asked < N && send(fd, bytes, n, MSG_DONTWAIT) == (ssize_t)n) {
			asked++;
			continue;
		}
		assert_non_null(receive_tcp(fd, (uint16_t)answered, text, sizeof text));
		answered++;
	}
	close(fd);
}

static void the_node_itself_is_refused(void **state)
{
	int fd = client(SOCK_STREAM, "fdaa::3", 0);
	uint8_t bytes[512];
	char text[64];
	size_t n = frame(bytes, 1, "shop.internal", DNS_TYPE_AAAA);

	(void)state;
	assert_int_equal(send(fd, bytes, n, 0), n);
	assert_string_equal(receive_tcp(fd, 1, text, sizeof text), "REFUSED");
	close(fd);
}

/* -- change under load -- */

struct asker_thread {
	pthread_t thread;
	atomic_bool stop;
	atomic_ulong n_right, n_wrong, n_lost;
};

/* The address is one of two, depending on the zone of the moment: nothing else, and never nothing. */
static void *ask_all_the_time(void *of)
{
	struct asker_thread *t = of;
	int fd = client(SOCK_DGRAM, OURS, 0);

	for (uint16_t id = 0; !atomic_load(&t->stop); id++) {
		uint8_t query[512], reply[2048];
		size_t n = make_query(query, id, "shop.internal", DNS_TYPE_AAAA, 0);
		struct in6_addr first = addr_instance(NET, HERE, 0x10001), second = addr_instance(NET, HERE, 0x10002);

		if (send(fd, query, n, 0) < 0 || recv(fd, reply, sizeof reply, 0) != (ssize_t)(n + 28)) {
			atomic_fetch_add(&t->n_lost, 1);
			continue;
		}
		bool right = get_u16(reply) == id && (!memcmp(reply + n + 12, &first, 16) || !memcmp(reply + n + 12, &second, 16));

		atomic_fetch_add(right ? &t->n_right : &t->n_wrong, 1);
	}
	close(fd);
	return NULL;
}

static void a_thousand_zones_change_under_load_without_a_wrong_answer(void **state)
{
	static struct asker_thread askers[2];

	(void)state;
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&askers[i].thread, NULL, ask_all_the_time, &askers[i]), 0);
	for (unsigned v = 2; v < 1002; v++) {
		unsigned long before = atomic_load(&askers[0].n_right);

		assert_int_equal(dns_views_replace(views, standing_zone(v, 1 + v % 2)), 0);
		if (v % 10 == 0) /* let each of these zones be seen */
			while (atomic_load(&askers[0].n_right) < before + 2 && !atomic_load(&askers[0].n_lost))
				sched_yield();
	}
	for (size_t i = 0; i < 2; i++) {
		atomic_store(&askers[i].stop, true);
		pthread_join(askers[i].thread, NULL);
		assert_int_equal(askers[i].n_wrong, 0);
		assert_int_equal(askers[i].n_lost, 0);
		assert_true(askers[i].n_right > 0);
	}
}

static void a_change_is_seen_by_the_next_query(void **state)
{
	int fd = client(SOCK_DGRAM, OURS, 0);
	char text[1024], expected[64];
	uint32_t mark;

	(void)state;
	for (unsigned v = 2; v < 200; v++) {
		assert_int_equal(dns_views_replace(views, standing_zone(v, v % 9 + 1)), 0);
		snprintf(expected, sizeof expected, "NOERROR AAAA fdaa:1234:5678:a111:1:1:%x:2", v % 9 + 1);
		send_query(fd, (uint16_t)v, "shop.internal", DNS_TYPE_AAAA);
		assert_string_equal(receive(fd, (uint16_t)v, &mark, text, sizeof text), expected);
	}
	close(fd);
}

/* -- start -- */

static void a_start_that_cannot_be_says_why_and_leaves_nothing(void **state)
{
	struct dns_server_options o = { .address = at("fdaa::4", 0).sin6_addr, .views = views };
	struct dns_server *second = NULL;
	struct why why;

	(void)state;
	assert_int_equal(dns_server_start(&o, &second, &why), -EADDRNOTAVAIL);
	assert_non_null(strstr(why.text, "port 53"));
	o.address = addr_resolver();
	assert_int_equal(dns_server_start(&o, &second, &why), -EADDRINUSE);
	assert_null(second);
	udp_answers_and_is_counted(state); /* the first one does not mind */
}

static void it_starts_again_at_once(void **state)
{
	int fd = client(SOCK_STREAM, OURS, 0);

	server = dns_server_stop(server);
	views = dns_views_free(views);
	assert_int_equal(start(state), 0);
	close(fd);
	udp_answers_and_is_counted(state);
}

#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(udp_answers_and_is_counted),
		T(queries_from_any_port_are_answered),
		T(the_mark_of_the_query_comes_back),
		T(what_is_not_ours_goes_through_the_slow_thread),
		T(a_flood_of_what_is_not_ours_leaves_nothing_unanswered),
		T(a_reply_without_a_route_is_counted_and_nothing_else),
		T(garbage_is_dropped_or_refused_and_the_next_is_answered),
		T(tcp_takes_queries_byte_by_byte),
		T(tcp_answers_many_queries_of_one_write_in_order),
		T(what_was_asked_before_the_end_is_answered),
		T(all_that_wait_to_be_accepted_are_in_one_round),
		T(many_queries_of_one_connection_do_not_hold_up_another),
		T(a_list_comes_whole_by_tcp),
		T(lengths_that_cannot_be_close_the_connection),
		T(an_idle_connection_is_closed),
		T(one_source_cannot_take_all_places),
		cmocka_unit_test_setup_teardown(one_network_cannot_take_all_places, start_patient, stop),
		cmocka_unit_test_setup_teardown(no_number_of_networks_can_keep_others_out, start_patient, stop),
		T(who_does_not_read_gets_all_answers_when_he_does),
		T(the_node_itself_is_refused),
		T(a_thousand_zones_change_under_load_without_a_wrong_answer),
		T(a_change_is_seen_by_the_next_query),
		T(a_start_that_cannot_be_says_why_and_leaves_nothing),
		T(it_starts_again_at_once),
	};

	if (own_network() != 0) {
		printf("skipped: no network namespace of our own here (%s)\n", strerror(errno));
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
