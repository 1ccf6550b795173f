/* GET /metrics of a node: what counts as that, and that no client can hold the loop or the daemon's memory. */
#include "lib/base/loop.h"
#include "node/scrape.h"
#include "node/scrape_request.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void only_a_get_of_metrics_is_served(void **state)
{
	static const struct {
		const char *text;
		enum scrape_verdict verdict;
	} rows[] = {
		{ "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", SCRAPE_GOOD },
		{ "GET /metrics HTTP/1.0\r\n\r\n", SCRAPE_GOOD },
		{ "GET /metrics?collect=a HTTP/1.1\r\n\r\n", SCRAPE_GOOD },
		{ "GET /metrics HTTP/1.1\r\nAccept: text/plain\r\n", SCRAPE_MORE },
		{ "GET /metrics HTTP/1.1\r\n\r", SCRAPE_MORE },
		{ "", SCRAPE_MORE },
		{ "GET / HTTP/1.1\r\n\r\n", SCRAPE_ELSEWHERE },
		{ "GET /metrics/ HTTP/1.1\r\n\r\n", SCRAPE_ELSEWHERE },
		{ "GET /metric HTTP/1.1\r\n\r\n", SCRAPE_ELSEWHERE },
		{ "GET http://x/metrics HTTP/1.1\r\n\r\n", SCRAPE_ELSEWHERE },
		{ "POST /metrics HTTP/1.1\r\nContent-Length: 9\r\n\r\n", SCRAPE_METHOD },
		{ "HEAD /metrics HTTP/1.1\r\n\r\n", SCRAPE_METHOD },
		{ "get /metrics HTTP/1.1\r\n\r\n", SCRAPE_METHOD },
		{ "GET /metrics\r\n\r\n", SCRAPE_BAD },
		{ "GET  /metrics HTTP/1.1\r\n\r\n", SCRAPE_BAD },
		{ "GET /metrics HTTP/2.0\r\n\r\n", SCRAPE_BAD },
		{ "GET /metrics HTTP/1.11\r\n\r\n", SCRAPE_BAD },
		{ " /metrics HTTP/1.1\r\n\r\n", SCRAPE_BAD },
		{ "GET /met\trics HTTP/1.1\r\n\r\n", SCRAPE_BAD },
		{ "\r\n\r\n", SCRAPE_BAD },
		{ "\x16\x03\x01 hello\r\n\r\n", SCRAPE_BAD },
	};
	char large[SCRAPE_REQUEST_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (scrape_judge(rows[i].text, strlen(rows[i].text)) != rows[i].verdict)
			fail_msg("\"%s\": %d", rows[i].text, scrape_judge(rows[i].text, strlen(rows[i].text)));
	memset(large, 'a', sizeof large);
	assert_int_equal(scrape_judge(large, sizeof large - 1), SCRAPE_MORE);
	assert_int_equal(scrape_judge(large, sizeof large), SCRAPE_TOO_LARGE);
}

struct rig {
	struct loop *loop;
	struct scrape *scrape;
	size_t size; /* of the page */
	uint16_t port;
	int written;
};

static void write_page(void *ctx, struct buf *text)
{
	struct rig *rig = ctx;
	uint8_t *page = buf_reserve(text, rig->size);

	rig->written++;
	memset(page, 'm', rig->size);
}

static void start(struct rig *rig, size_t size)
{
	struct sockaddr_in at;
	socklen_t len = sizeof at;
	char text[40];
	struct why why;
	int probe = socket(AF_INET, SOCK_STREAM, 0);

	*rig = (struct rig){ .size = size };
	at = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	assert_int_equal(bind(probe, (struct sockaddr *)&at, sizeof at), 0); /* a port that is free now */
	getsockname(probe, (struct sockaddr *)&at, &len);
	close(probe);
	rig->port = ntohs(at.sin_port);
	snprintf(text, sizeof text, "127.0.0.1:%u", rig->port);
	assert_int_equal(loop_new(&rig->loop), 0);
	assert_int_equal(scrape_new(rig->loop, text, write_page, rig, &rig->scrape, &why), 0);
	assert_true(scrape_listener_fd(rig->scrape, 0) >= 0);
}

static void finish(struct rig *rig)
{
	rig->scrape = scrape_free(rig->scrape);
	rig->loop = loop_free(rig->loop);
}

static int dial(const struct rig *rig)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(rig->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static void rounds(struct rig *rig, int n)
{
	while (n--)
		assert_int_equal(loop_round(rig->loop, 1), 0);
}

/* Runs the loop and reads until the server closes. */
static size_t read_all(struct rig *rig, int fd, char *ret, size_t size)
{
	size_t n = 0;
	char rest[65536];

	for (int i = 0; i < 20000; i++) {
		ssize_t r = recv(fd, n < size ? ret + n : rest, n < size ? size - n : sizeof rest, 0);

		if (r == 0 || (r < 0 && errno != EAGAIN))
			return n;
		n += r > 0 ? (size_t)r : 0;
		if (r < 0)
			rounds(rig, 1);
	}
	fail_msg("the server does not close");
	return 0;
}

static void a_scrape_gets_the_page_and_the_connection_is_closed(void **state)
{
	char reply[2000] = "";
	struct rig rig;
	int fd;
	size_t n;

	(void)state;
	start(&rig, 100);
	fd = dial(&rig);
	send(fd, "GET /metr", 9, 0); /* in two pieces */
	rounds(&rig, 5);
	assert_int_equal(rig.written, 0);
	send(fd, "ics HTTP/1.1\r\n\r\n", 16, 0);
	n = read_all(&rig, fd, reply, sizeof reply - 1);
	assert_int_equal(strncmp(reply, "HTTP/1.0 200 OK\r\n", 17), 0);
	assert_non_null(strstr(reply, "Content-Length: 100\r\n"));
	assert_int_equal(n, (size_t)(strstr(reply, "\r\n\r\n") + 4 - reply) + 100);
	assert_int_equal(scrape_stats(rig.scrape)->connections, 0);
	close(fd);
	finish(&rig);
}

static void a_page_that_is_larger_than_the_socket_takes_comes_whole(void **state)
{
	static char reply[8 << 20];
	struct rig rig;
	int fd;

	(void)state;
	start(&rig, 6 << 20);
	fd = dial(&rig);
	send(fd, "GET /metrics HTTP/1.1\r\n\r\n", 25, 0);
	assert_true(read_all(&rig, fd, reply, sizeof reply) > 6 << 20);
	close(fd);
	finish(&rig);
}

static void what_is_no_scrape_never_makes_a_page(void **state)
{
	static const char *const requests[] = { "POST /metrics HTTP/1.1\r\n\r\n", "GET /x HTTP/1.1\r\n\r\n", "nonsense\r\n\r\n" };
	static const char *const replies[] = { "HTTP/1.0 405 ", "HTTP/1.0 404 ", "HTTP/1.0 400 " };
	struct rig rig;

	(void)state;
	start(&rig, 100);
	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		char reply[1000] = "";
		int fd = dial(&rig);

		send(fd, requests[i], strlen(requests[i]), 0);
		read_all(&rig, fd, reply, sizeof reply - 1);
		assert_int_equal(strncmp(reply, replies[i], strlen(replies[i])), 0);
		close(fd);
	}
	assert_int_equal(rig.written, 0);
	assert_int_equal(scrape_stats(rig.scrape)->refused, ARRAY_LEN(requests));
	finish(&rig);
}

static void those_who_only_sit_there_are_few_and_not_for_long(void **state)
{
	int idle[SCRAPE_CONNECTIONS_MAX], fd;
	char reply[1000] = "";
	struct rig rig;

	(void)state;
	start(&rig, 100);
	for (size_t i = 0; i < ARRAY_LEN(idle); i++) {
		idle[i] = dial(&rig);
		send(idle[i], "GET ", 4, 0);
	}
	rounds(&rig, 20);
	assert_int_equal(scrape_stats(rig.scrape)->connections, SCRAPE_CONNECTIONS_MAX);
	fd = dial(&rig);
	assert_int_equal(read_all(&rig, fd, reply, sizeof reply), 0); /* one too many: closed at once */
	assert_int_equal(scrape_stats(rig.scrape)->too_many, 1);
	close(fd);
	for (int i = 0; i < 300 && scrape_stats(rig.scrape)->connections; i++)
		assert_int_equal(loop_round(rig.loop, 100), 0);
	assert_int_equal(scrape_stats(rig.scrape)->connections, 0);
	assert_int_equal(scrape_stats(rig.scrape)->late, SCRAPE_CONNECTIONS_MAX);
	for (size_t i = 0; i < ARRAY_LEN(idle); i++)
		close(idle[i]);
	finish(&rig);
}

static void a_client_that_goes_away_leaves_nothing(void **state)
{
	struct rig rig;
	int fd;

	(void)state;
	start(&rig, 6 << 20);
	fd = dial(&rig);
	send(fd, "GET /metrics HTTP/1.1\r\n\r\n", 25, 0);
	rounds(&rig, 5);
	close(fd);
	rounds(&rig, 20);
	assert_int_equal(scrape_stats(rig.scrape)->connections, 0);
	dial(&rig); /* still open at the end: freed with the rest */
	rounds(&rig, 5);
	finish(&rig);
}

static void an_address_that_is_none_refuses_the_start_one_that_is_taken_does_not(void **state)
{
	struct scrape *scrape = NULL;
	struct loop *loop;
	struct why why;

	(void)state;
	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(scrape_new(loop, "localhost", NULL, NULL, &scrape, &why), E_REFUSED);
	assert_string_equal(why.field, "metrics_listen");
	assert_int_equal(scrape_new(loop, "127.0.0.1:1,127.0.0.1:2,127.0.0.1:3,127.0.0.1:4,127.0.0.1:5", NULL, NULL, &scrape, &why), E_REFUSED);
	assert_int_equal(scrape_new(loop, "192.0.2.77:4282", NULL, NULL, &scrape, &why), 0); /* not ours */
	assert_int_equal(scrape_listener_fd(scrape, 0), -1);
	scrape_free(scrape);
	assert_int_equal(scrape_new(loop, "", NULL, NULL, &scrape, &why), 0);
	assert_null(scrape);
	loop_free(loop);
}

static void what_others_can_scrape_is_the_first_address_that_is_not_loopback(void **state)
{
	static const struct {
		const char *listen, *open; /* NULL: none */
	} rows[] = { { "", NULL },
		     { "[::1]:4282", NULL },
		     { "127.0.0.1:4282, 127.3.0.1:4283,[::ffff:127.0.0.1]:4284", NULL },
		     { "[::1]:4282,192.0.2.7:9100", "192.0.2.7:9100" },
		     { "[2001:db8::7]:4282", "[2001:db8::7]:4282" },
		     { "0.0.0.0:4282", "0.0.0.0:4282" },
		     { "nonsense", NULL } };
	char text[ADDR_ENDPOINT_TEXT_LEN];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct addr_endpoint at;
		bool found = scrape_find_open(rows[i].listen, &at);

		assert_int_equal(found, rows[i].open != NULL);
		if (found)
			assert_string_equal(addr_endpoint_text(&at, text), rows[i].open);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_a_get_of_metrics_is_served),
		cmocka_unit_test(a_scrape_gets_the_page_and_the_connection_is_closed),
		cmocka_unit_test(a_page_that_is_larger_than_the_socket_takes_comes_whole),
		cmocka_unit_test(what_is_no_scrape_never_makes_a_page),
		cmocka_unit_test(those_who_only_sit_there_are_few_and_not_for_long),
		cmocka_unit_test(a_client_that_goes_away_leaves_nothing),
		cmocka_unit_test(an_address_that_is_none_refuses_the_start_one_that_is_taken_does_not),
		cmocka_unit_test(what_others_can_scrape_is_the_first_address_that_is_not_loopback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
