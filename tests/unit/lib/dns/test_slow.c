/* The slow thread on real sockets: askers of a 6PN, the server, an upstream in a thread of its own. */
#ifndef SO_RCVMARK
#define SO_RCVMARK 75
#endif
#include "tests/unit/lib/dns/live.h"
#include "tests/unit/lib/dns/upstream.h"

#include "lib/dns/server.h"

#include <pthread.h>
#include <stdatomic.h>

static struct dns_views *views;
static struct dns_server *server;
static struct fake up;
static struct loop *up_loop;
static struct loop_io up_stop;
static pthread_t up_thread;
static atomic_uint up_seen, up_marked, up_last_len;
static atomic_bool hold; /* names that begin with "slow" get no answer while it is set */

static void script(struct fake_query *q)
{
	struct wire_out o;
	uint32_t mark = q->fake->last_mark;
	socklen_t len = sizeof mark;

	if (q->tcp)
		assert_int_equal(getsockopt(q->fd, SOL_SOCKET, SO_MARK, &mark, &len), 0);
	atomic_store(&up_last_len, (unsigned)q->n);
	atomic_fetch_add(&up_seen, 1);
	if (mark)
		atomic_fetch_add(&up_marked, 1);
	if (!strncasecmp(q->name, "slow", 4) && atomic_load(&hold))
		return;
	fake_begin(q, &o, !strncasecmp(q->name, "big", 3) && !q->tcp ? 0x0200 : 0);
	if (q->type == DNS_TYPE_NS)
		out_record(&o, 0, NULL, DNS_TYPE_NS, 60, "\1a", 3);
	else if (q->type == DNS_TYPE_A && !(o.bytes[2] & 2))
		out_a(&o, NULL, 60, "192.0.2.1");
	fake_send(q, o.bytes, o.n);
}

static void stop_ready(struct loop_io *io, uint32_t revents)
{
	(void)revents;
	loop_stop(io->loop, 0);
}

static void *run_up(void *arg)
{
	loop_run(up_loop);
	return arg;
}

static int pipe_fds[2];

static unsigned idle_ms = 2000;

static int start(void **state)
{
	struct dns_instance shop = instance(1, "shop", "ord", HERE, true, false);
	struct dns_server_options o = { .address = addr_resolver(), .n_workers = 2, .tcp_idle_ms = idle_ms };
	struct why why = { 0 };
	char list[64];

	(void)state;
	atomic_store(&up_seen, 0);
	atomic_store(&up_marked, 0);
	atomic_store(&hold, true);
	assert_int_equal(loop_new(&up_loop), 0);
	assert_int_equal(pipe(pipe_fds), 0);
	up_stop = (struct loop_io){ .fd = pipe_fds[0], .events = EPOLLIN, .ready = stop_ready };
	assert_int_equal(loop_add_io(up_loop, &up_stop), 0);
	fake_start(&up, up_loop);
	up.script = script;
	assert_int_equal(pthread_create(&up_thread, NULL, run_up, NULL), 0);
	assert_int_equal(dns_views_new(&views), 0);
	assert_int_equal(dns_views_replace(views, zone_of(&shop, 1, NULL, 1)), 0);
	dns_views_set_synced(views, true);
	o.views = views;
	snprintf(list, sizeof list, "127.0.0.1:%u", up.port);
	o.forward = (struct dns_forward_options){ .upstreams = list, .clock = clock_real(), .total_ms = 2000 };
	if (dns_server_start(&o, &server, &why))
		fail_msg("%s", why.text);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	server = dns_server_stop(server);
	views = dns_views_free(views);
	assert_int_equal(write(pipe_fds[1], "x", 1), 1);
	pthread_join(up_thread, NULL);
	loop_remove_io(&up_stop);
	fake_stop(&up);
	up_loop = loop_free(up_loop);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return 0;
}

static uint64_t forward_counter(enum dns_forward_counter c)
{
	struct dns_stats s;

	dns_server_stats(server, &s);
	return s.forward.counters[c];
}

static void until(bool (*condition)(void))
{
	for (time_t begun = time(NULL); !condition();) {
		sched_yield();
		assert_true(time(NULL) - begun < 10);
	}
}

static uint16_t rcode_of(const uint8_t *message)
{
	return message[3] & 15;
}

static void udp_ask(int fd, uint16_t id, const char *name, uint16_t type)
{
	uint8_t bytes[512];
	size_t n = make_query(bytes, id, name, type, 0);

	assert_int_equal(send(fd, bytes, n, 0), n);
}

/* The length of the message with this id; its mark. */
static size_t udp_get(int fd, uint16_t id, uint8_t bytes[2048], uint32_t *ret_mark)
{
	_Alignas(8) uint8_t control[64];
	struct iovec io = { bytes, 2048 };
	struct msghdr h = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
	ssize_t n = recvmsg(fd, &h, 0);

	assert_true(n > 12);
	assert_int_equal(get_u16(bytes), id);
	*ret_mark = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&h); c; c = CMSG_NXTHDR(&h, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_MARK)
			memcpy(ret_mark, CMSG_DATA(c), sizeof *ret_mark);
	return (size_t)n;
}

static void tcp_ask(int fd, uint16_t id, const char *name, uint16_t type)
{
	uint8_t bytes[512];
	size_t n = frame(bytes, id, name, type);

	assert_int_equal(send(fd, bytes, n, 0), n);
}

/* The id of the next message; -1 = the connection ended. */
static int tcp_get(int fd, uint8_t bytes[2048])
{
	uint8_t length[2];

	if (!read_exactly(fd, length, 2))
		return -1;
	assert_true(get_u16(length) > 12 && get_u16(length) < 2048);
	assert_true(read_exactly(fd, bytes, get_u16(length)));
	return get_u16(bytes);
}

static void an_answer_comes_over_udp_and_tcp(void **state)
{
	int udp = client(SOCK_DGRAM, OURS, 0), tcp = client(SOCK_STREAM, OURS, 0);
	uint8_t bytes[2048];
	uint32_t mark;
	size_t n;

	(void)state;
	udp_ask(udp, 1, "www.example", DNS_TYPE_A);
	n = udp_get(udp, 1, bytes, &mark);
	assert_memory_equal(bytes + n - 4, "\300\0\2\1", 4);
	tcp_ask(tcp, 2, "www.example", DNS_TYPE_A);
	assert_int_equal(tcp_get(tcp, bytes), 2);
	assert_int_equal(rcode_of(bytes), 0);
	assert_int_equal(bytes[7], 1);
	udp_ask(udp, 3, "big.example", DNS_TYPE_A);
	udp_get(udp, 3, bytes, &mark);
	assert_int_equal(rcode_of(bytes), 0);
	assert_int_equal(forward_counter(DNS_FORWARD_SENT_TCP), 1);
	assert_int_equal(forward_counter(DNS_FORWARD_HIT), 1); /* the second came from the first */
	close(udp);
	close(tcp);
}

static void the_mark_goes_back_to_the_asker_and_never_to_the_upstream(void **state)
{
	int udp = client(SOCK_DGRAM, OURS, ADDR_MARK), tcp = client(SOCK_STREAM, OURS, ADDR_MARK), on = 1;
	uint8_t bytes[2048];
	uint32_t mark;

	(void)state;
	assert_int_equal(setsockopt(udp, SOL_SOCKET, SO_RCVMARK, &on, sizeof on), 0);
	udp_ask(udp, 1, "a.example", DNS_TYPE_A);
	udp_get(udp, 1, bytes, &mark);
	assert_int_equal(mark, ADDR_MARK);
	udp_ask(udp, 2, "a.example", DNS_TYPE_A); /* from the cache */
	udp_get(udp, 2, bytes, &mark);
	assert_int_equal(mark, ADDR_MARK);
	udp_ask(udp, 3, "big.example", DNS_TYPE_A);
	udp_get(udp, 3, bytes, &mark);
	assert_int_equal(mark, ADDR_MARK);
	tcp_ask(tcp, 4, "b.example", DNS_TYPE_A);
	assert_int_equal(tcp_get(tcp, bytes), 4);
	assert_int_equal(atomic_load(&up_seen), 4); /* a; big by UDP and TCP; b */
	assert_int_equal(atomic_load(&up_marked), 0);
	close(udp);
	close(tcp);
}

static void private_names_never_reach_the_upstream(void **state)
{
	static const struct {
		const char *name;
		uint16_t rcode;
	} rows[] = {
		{ "shop.internal", 0 }, { "never-was.internal", 3 }, { "internal", 0 }, { "x.flycast", 3 }, { "flycast", 0 },
		{ "2.0.0.0.1.0.0.0.a.a.d.f.ip6.arpa", 3 }, { "a.a.d.f.ip6.arpa", 0 }, { "b.a.d.f.ip6.arpa", 3 }, { "d.f.ip6.arpa", 0 },
		{ "1.0.0.10.in-addr.arpa", 3 }, { "1.0.16.172.in-addr.arpa", 3 }, { "1.0.31.172.in-addr.arpa", 3 },
		{ "1.0.168.192.in-addr.arpa", 3 }, { "1.0.64.100.in-addr.arpa", 3 }, { "1.0.254.169.in-addr.arpa", 3 },
		{ "1.0.0.127.in-addr.arpa", 3 }, { "1.2.0.192.in-addr.arpa", 3 }, { "1.100.51.198.in-addr.arpa", 3 },
		{ "1.113.0.203.in-addr.arpa", 3 }, { "255.255.255.255.in-addr.arpa", 0 }, { "0.in-addr.arpa", 0 },
		{ "1.8.e.f.ip6.arpa", 3 }, { "1.9.e.f.ip6.arpa", 3 }, { "1.a.e.f.ip6.arpa", 3 },
		{ "1.b.e.f.ip6.arpa", 3 }, { "1.8.b.d.0.1.0.0.2.ip6.arpa", 3 },
		{ "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa", 0 },
		{ "localhost", 0 }, { "db.localhost", 0 }, { "x.invalid", 3 }, { "x.test", 3 }, { "x.onion", 3 }, { "printer.local", 3 },
		{ "x.alt", 3 }, { "_dns.resolver.arpa", 0 }, { "home.arpa", 0 }, { "nas.home.arpa", 3 }, { "use-application-dns.net", 3 },
		{ "SHOP.InterNal", 0 }, { "X.LOCAL", 3 },
	};
	int udp = client(SOCK_DGRAM, OURS, 0), tcp = client(SOCK_STREAM, OURS, 0);
	uint8_t bytes[2048];
	uint32_t mark;

	(void)state;
	for (uint16_t i = 0; i < ARRAY_LEN(rows); i++) {
		udp_ask(udp, i, rows[i].name, i % 2 ? DNS_TYPE_PTR : DNS_TYPE_AAAA);
		udp_get(udp, i, bytes, &mark);
		if (rcode_of(bytes) != rows[i].rcode)
			fail_msg("%s: rcode %u", rows[i].name, rcode_of(bytes));
		tcp_ask(tcp, i, rows[i].name, i % 2 ? DNS_TYPE_PTR : DNS_TYPE_AAAA);
		assert_int_equal(tcp_get(tcp, bytes), i);
		if (rcode_of(bytes) != rows[i].rcode)
			fail_msg("%s by TCP: rcode %u", rows[i].name, rcode_of(bytes));
	}
	udp_ask(udp, 999, "www.example", DNS_TYPE_A); /* the upstream does hear what it may */
	udp_get(udp, 999, bytes, &mark);
	assert_int_equal(atomic_load(&up_seen), 1);
	assert_int_equal(forward_counter(DNS_FORWARD_ASKED), 1);
	close(udp);
	close(tcp);
}

static void options_of_askers_stay_here(void **state)
{
	/* a client subnet and a cookie */
	static const uint8_t options[] = { 0, 8, 0, 7, 0, 1, 24, 0, 192, 0, 2, 0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8 };
	int udp = client(SOCK_DGRAM, OURS, 0);
	uint8_t bytes[2048], query[512];
	uint32_t mark;
	size_t n = make_query(query, 1, "www.example", DNS_TYPE_A, 1232);

	(void)state;
	put_u16(query + n - 2, sizeof options);
	memcpy(query + n, options, sizeof options);
	n += sizeof options;
	assert_int_equal(send(udp, query, n, 0), n);
	udp_get(udp, 1, bytes, &mark);
	assert_int_equal(rcode_of(bytes), 0);
	assert_int_equal(atomic_load(&up_last_len), n - sizeof options);
	close(udp);
}

static void without_recursion_nothing_is_asked_or_told(void **state)
{
	int udp = client(SOCK_DGRAM, OURS, 0);
	uint8_t bytes[2048], query[512];
	uint32_t mark;
	size_t n = make_query(query, 2, "www.example", DNS_TYPE_A, 0);

	(void)state;
	udp_ask(udp, 1, "www.example", DNS_TYPE_A);
	udp_get(udp, 1, bytes, &mark);
	query[2] = 0;
	assert_int_equal(send(udp, query, n, 0), n);
	udp_get(udp, 2, bytes, &mark);
	assert_int_equal(rcode_of(bytes), DNS_REFUSED); /* though it is in the cache */
	assert_int_equal(bytes[7], 0);
	close(udp);
}

static bool one_is_held(void)
{
	return atomic_load(&up_seen) >= 1;
}

static void a_slow_name_holds_up_nobody_on_its_connection(void **state)
{
	int tcp = client(SOCK_STREAM, OURS, 0);
	uint8_t bytes[2048];

	(void)state;
	tcp_ask(tcp, 1, "slow.example", DNS_TYPE_A);
	tcp_ask(tcp, 2, "shop.internal", DNS_TYPE_AAAA);
	tcp_ask(tcp, 3, "fast.example", DNS_TYPE_A);
	assert_int_equal(tcp_get(tcp, bytes), 2);
	assert_int_equal(tcp_get(tcp, bytes), 3);
	atomic_store(&hold, false); /* the next try is answered */
	assert_int_equal(tcp_get(tcp, bytes), 1);
	assert_int_equal(rcode_of(bytes), 0);
	close(tcp);
}

static void who_waits_for_us_is_not_idle(void **state)
{
	uint8_t bytes[2048];
	int tcp;

	stop(state);
	idle_ms = 200; /* a tenth of what a slow name takes */
	start(state);
	idle_ms = 2000;
	tcp = client(SOCK_STREAM, OURS, 0);
	tcp_ask(tcp, 7, "slow.example", DNS_TYPE_A);
	assert_int_equal(tcp_get(tcp, bytes), 7);
	assert_int_equal(rcode_of(bytes), DNS_SERVFAIL);
	assert_int_equal(tcp_get(tcp, bytes), -1); /* and then it is */
	close(tcp);
}

static void many_slow_names_hold_up_no_local_answer(void **state)
{
	int slow = client(SOCK_DGRAM, NEIGHBOUR, 0), udp = client(SOCK_DGRAM, OURS, 0);
	uint8_t bytes[2048];
	uint32_t mark;
	char name[32];

	(void)state;
	for (uint16_t i = 0; i < 32; i++) {
		snprintf(name, sizeof name, "slow%u.example", i);
		udp_ask(slow, i, name, DNS_TYPE_A);
	}
	until(one_is_held);
	for (uint16_t i = 0; i < 500; i++) {
		udp_ask(udp, i, "shop.internal", DNS_TYPE_AAAA);
		udp_get(udp, i, bytes, &mark);
		assert_int_equal(rcode_of(bytes), 0);
	}
	assert_int_equal(forward_counter(DNS_FORWARD_ANSWERED) + forward_counter(DNS_FORWARD_FAILED), 0); /* they still wait */
	udp_ask(udp, 1000, "fast.example", DNS_TYPE_A);
	udp_get(udp, 1000, bytes, &mark);
	assert_int_equal(rcode_of(bytes), 0);
	close(slow);
	close(udp);
}

static void more_than_may_wait_are_taken_one_after_the_other(void **state)
{
	enum { N = 150 };
	int tcp = client(SOCK_STREAM, OURS, 0);
	bool got[N] = { false };
	uint8_t bytes[2048];
	char name[32];

	(void)state;
	for (uint16_t i = 0; i < N; i++) {
		snprintf(name, sizeof name, "n%u.example", i);
		tcp_ask(tcp, i, name, DNS_TYPE_A);
	}
	assert_int_equal(shutdown(tcp, SHUT_WR), 0); /* what was asked before is still answered */
	for (uint16_t i = 0; i < N; i++) {
		int id = tcp_get(tcp, bytes);

		assert_in_range(id, 0, N - 1);
		assert_false(got[id]);
		assert_int_equal(rcode_of(bytes), 0);
		got[id] = true;
	}
	assert_int_equal(tcp_get(tcp, bytes), -1);
	assert_int_equal(forward_counter(DNS_FORWARD_OVER_SOURCE), 0);
	close(tcp);
}

static bool cancelled(void)
{
	return forward_counter(DNS_FORWARD_CANCELLED) == 2;
}

static void a_connection_that_goes_takes_its_questions_along(void **state)
{
	struct linger reset = { 1, 0 };
	int tcp = client(SOCK_STREAM, OURS, 0), udp = client(SOCK_DGRAM, OURS, 0);
	uint8_t bytes[2048];
	uint32_t mark;

	(void)state;
	tcp_ask(tcp, 1, "slow1.example", DNS_TYPE_A);
	tcp_ask(tcp, 2, "slow2.example", DNS_TYPE_A);
	until(one_is_held);
	setsockopt(tcp, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	close(tcp);
	until(cancelled);
	udp_ask(udp, 3, "shop.internal", DNS_TYPE_AAAA);
	udp_get(udp, 3, bytes, &mark);
	close(udp);
}

static bool two_wait(void)
{
	struct dns_stats s;

	dns_server_stats(server, &s);
	return s.forward.gauges[DNS_FORWARD_NOW_WAITING] == 2;
}

static void an_end_in_the_middle_of_everything_answers_who_waits(void **state)
{
	int udp = client(SOCK_DGRAM, OURS, 0), tcp = client(SOCK_STREAM, OURS, 0);
	uint8_t bytes[2048];
	uint32_t mark;

	udp_ask(udp, 1, "slow.example", DNS_TYPE_A);
	tcp_ask(tcp, 2, "slow.example", DNS_TYPE_A);
	until(two_wait); /* both: the later one might still be on its way */
	server = dns_server_stop(server);
	udp_get(udp, 1, bytes, &mark);
	assert_int_equal(rcode_of(bytes), DNS_SERVFAIL);
	assert_int_equal(tcp_get(tcp, bytes), -1);
	close(udp);
	close(tcp);
	stop(state);
	start(state);
}

static void an_upstream_that_is_ourselves_refuses_the_start(void **state)
{
	struct dns_server_options o = { .address = addr_resolver(), .views = views };
	struct dns_server *second = NULL;
	struct why why = { 0 };

	(void)state;
	o.forward = (struct dns_forward_options){ .upstreams = "192.0.2.1, fdaa::3", .clock = clock_real() };
	assert_int_equal(dns_server_start(&o, &second, &why), E_REFUSED);
	assert_null(second);
	assert_string_equal(why.field, "forward");
	assert_non_null(strstr(why.text, "fdaa::3"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_answer_comes_over_udp_and_tcp),
		T(the_mark_goes_back_to_the_asker_and_never_to_the_upstream),
		T(private_names_never_reach_the_upstream),
		T(options_of_askers_stay_here),
		T(without_recursion_nothing_is_asked_or_told),
		T(a_slow_name_holds_up_nobody_on_its_connection),
		T(who_waits_for_us_is_not_idle),
		T(many_slow_names_hold_up_no_local_answer),
		T(more_than_may_wait_are_taken_one_after_the_other),
		T(a_connection_that_goes_takes_its_questions_along),
		T(an_end_in_the_middle_of_everything_answers_who_waits),
		T(an_upstream_that_is_ourselves_refuses_the_start),
	};

	if (own_network() != 0) {
		printf("skipped: no network namespace of our own here (%s)\n", strerror(errno));
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
