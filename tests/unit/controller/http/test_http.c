/* The HTTP server over real sockets on loopback: what reaches the handler, and what never does. */
#include "tests/unit/controller/client.h"

#include "controller/http/http.h"
#include "lib/base/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <poll.h>
#include <sys/stat.h>

struct fixture {
	struct loop *loop;
	struct http_server *server;
	struct http_request *parked;
	bool park;
	int handled;
	uint16_t port;
	char dir[64], socket[96];
};

static void handle(void *ctx, struct http_request *request)
{
	struct fixture *f = ctx;

	f->handled++;
	if (f->park) {
		f->parked = request;
		return;
	}
	http_reply_json(request, 200, 7,
			json_pack("{s:s,s:i,s:I,s:b,s:s}", "method", request->method, "segments", (int)request->target.n_segments, "body",
				  (json_int_t)request->body.len, "local_operator", request->local_operator, "first",
				  request->target.n_segments ? request->target.segments[0] : ""));
}

static int set_up(void **state)
{
	static const char *const listen[] = { "127.0.0.1:0" };
	static const char *const names[] = { "api.example.org" };
	struct fixture *f = calloc(1, sizeof *f);
	struct http_config config = { .listen = listen, .n_listen = 1, .host_names = names, .n_host_names = 1, .header_ms = 300,
				      .body_ms = 400, .idle_ms = 500, .connections = 20, .connections_per_address = 16 };
	struct clock clock = clock_real();
	struct why why;

	snprintf(f->dir, sizeof f->dir, "/tmp/sixpn-http-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->socket, sizeof f->socket, "%s/sock", f->dir);
	config.socket_path = f->socket;
	assert_int_equal(loop_new(&f->loop), 0);
	assert_int_equal(http_server_new(f->loop, &clock, &config, handle, f, &f->server, &why), 0);
	f->port = http_server_port(f->server, 0);
	assert_true(f->port != 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	http_server_free(f->server);
	if (f->parked)
		http_reply(f->parked, &(struct http_reply){ .status = 200 });
	loop_free(f->loop);
	rmdir(f->dir);
	free(f);
	return 0;
}

static int ask_status(struct fixture *f, const char *text)
{
	struct client_reply r = client_raw(f->loop, f->port, text, strlen(text));
	int status = r.status;

	client_reply_deinit(&r);
	return status;
}

static void a_request_reaches_the_handler_and_its_reply_the_client(void **state)
{
	struct fixture *f = *state;
	struct client_reply r = client_ask(f->loop, f->port, NULL, "POST", "/v1/x%2Fy?a=b", NULL, "{\"k\":1}");

	assert_int_equal(r.status, 200);
	assert_string_equal(json_string_value(json_object_get(r.json, "method")), "POST");
	assert_int_equal(json_integer_value(json_object_get(r.json, "segments")), 2);
	assert_int_equal(json_integer_value(json_object_get(r.json, "body")), 7);
	assert_non_null(strstr(r.head, "Sixpn-Request: "));
	assert_non_null(strstr(r.head, "Sixpn-Version: 7"));
	assert_non_null(strstr(r.head, "Cache-Control: no-store"));
	client_reply_deinit(&r);
}

static void what_is_not_http_never_reaches_the_handler(void **state)
{
	static const struct {
		const char *name, *text;
		int status; /* 0 = closed, or any of 4xx and 5xx when -1 */
	} rows[] = {
		{ "no request line", "\x16\x03\x01\x02\r\n\r\n", -1 },
		{ "unknown version", "GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", -1 },
		{ "no host", "GET /v1/x HTTP/1.1\r\n\r\n", 400 },
		{ "foreign host", "GET /v1/x HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421 },
		{ "two hosts", "GET /v1/x HTTP/1.1\r\nHost: localhost\r\nHost: 127.0.0.1\r\n\r\n", 400 },
		{ "two tokens", "GET /v1/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n", 400 },
		{ "two lengths", "POST /v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400 },
		{ "length and encoding", "POST /v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400 },
		{ "a space before the colon of the length", "POST /v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length : 37\r\n\r\nGET /v1/x HTTP/1.1\r\nHost: localhost\r\n\r\n", 400 },
		{ "a space before the colon of the encoding", "POST /v1/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400 },
		{ "a length in the next line", "POST /v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length:\r\n 37\r\n\r\nGET /v1/x HTTP/1.1\r\nHost: localhost\r\n\r\n", 400 },
		{ "half an encoding in the next line", "POST /v1/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chun\r\n ked\r\n\r\n0\r\n\r\n", 400 },
		{ "a condition in the next line", "PUT /v1/x HTTP/1.1\r\nHost: localhost\r\nIf-Match:\r\n *\r\n\r\n", 400 },
		{ "a header that begins with a space", "GET /v1/x HTTP/1.1\r\n Content-Length: 5\r\nHost: localhost\r\n\r\n", 400 },
		{ "a carriage return in a value", "GET /v1/x HTTP/1.1\r\nHost: localhost\r\nX-A: b\rContent-Length: 5\r\n\r\n", 400 },
		{ "an encoding that is none of ours", "POST /v1/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400 },
		{ "an encoding in HTTP/1.0", "POST /v1/x HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400 },
		{ "negative length", "POST /v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", -1 },
		{ "length too large", "POST /v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048577\r\n\r\n", 413 },
		{ "length beyond numbers", "POST /v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999999\r\n\r\n", -1 },
		{ "encoded NUL", "GET /v1/%00 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400 },
		{ "broken percent", "GET /v1/%zz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400 },
		{ "not UTF-8", "GET /v1/%ff HTTP/1.1\r\nHost: localhost\r\n\r\n", 400 },
		{ "empty part", "GET /v1//x HTTP/1.1\r\nHost: localhost\r\n\r\n", 400 },
		{ "no origin form", "GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 400 },
		{ "a name twice in the query", "GET /v1/x?a=1&a=2 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400 },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int status = ask_status(f, rows[i].text);

		if (rows[i].status >= 0 ? status != rows[i].status : status != 0 && (status < 400 || status > 599))
			fail_msg("%s: status %d", rows[i].name, status);
		assert_int_equal(f->handled, 0);
	}
}

static void the_names_it_was_given_and_addresses_are_good_hosts(void **state)
{
	static const struct {
		const char *host;
		bool good;
	} rows[] = { { "localhost:4280", true }, { "127.0.0.1", true }, { "[::1]:4280", true }, { "API.example.org:443", true },
		     { "api.example.org.evil", false }, { "", false }, { "[::1", false }, { "[::1]x", false }, { ":80", false },
		     { "localhost:80@evil.example", false }, { "[::1]:80@evil.example", false }, { "[::1]:x", false }, { "127.0.0.1:", true } };
	static const char *const names[] = { "api.example.org" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (http_host_accepted(rows[i].host, names, 1) != rows[i].good)
			fail_msg("host \"%s\"", rows[i].host);
}

static void a_target_longer_than_the_pool_is_refused(void **state)
{
	struct fixture *f = *state;
	CLEAN_BUF struct buf b = BUF_INIT(1u << 20);
	struct client_reply r;

	buf_add_str(&b, "GET /");
	for (int i = 0; i < 40000; i++)
		buf_add_str(&b, "a");
	buf_add_str(&b, " HTTP/1.1\r\nHost: localhost\r\n\r\n");
	r = client_raw(f->loop, f->port, b.data, b.len);
	assert_true(r.status == 0 || r.status == 414 || r.status == 431 || r.status == 413);
	assert_int_equal(f->handled, 0);
	client_reply_deinit(&r);
}

static int begin_body(uint16_t port, size_t len, const void *bytes, size_t n)
{
	int fd = client_connect(port);
	char head[120];

	snprintf(head, sizeof head, "POST /v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n", len);
	client_send(fd, head, strlen(head));
	client_send(fd, bytes, n);
	return fd;
}

static void beginnings_of_large_bodies_keep_no_small_one_out(void **state)
{
	static const char *const listen[] = { "127.0.0.1:0" };
	static char bytes[50000];
	struct fixture *f = *state;
	struct http_config config = { .listen = listen, .n_listen = 1, .bodies_max = 100000 };
	struct clock clock = clock_real();
	struct http_server *server;
	struct client_reply r;
	struct why why;
	int fds[3], refused = 0;
	uint16_t port;

	assert_int_equal(http_server_new(f->loop, &clock, &config, handle, f, &server, &why), 0);
	port = http_server_port(server, 0);
	fds[0] = begin_body(port, 50000, bytes, 40000);
	fds[1] = begin_body(port, 50000, bytes, 40000);
	fds[2] = begin_body(port, 50000, bytes, 20000);
	for (int i = 0; i < 100; i++)
		loop_round(f->loop, 5);
	r = client_ask(f->loop, port, NULL, "POST", "/v1/x", NULL, "{\"k\":1}");
	assert_int_equal(r.status, 200);
	client_reply_deinit(&r);
	for (int i = 0; i < 2; i++) { /* one of the largest had to go, and hears of it */
		client_send(fds[i], bytes, 10000);
		r = client_receive(f->loop, fds[i]);
		assert_true(r.status == 200 || (r.status == 503 && !strcmp(client_error_code(&r), "busy")));
		refused += r.status == 503;
		client_reply_deinit(&r);
		close(fds[i]);
	}
	assert_int_equal(refused, 1);
	close(fds[2]);
	http_server_free(server);
}

static void a_chunked_body_above_the_limit_is_refused(void **state)
{
	struct fixture *f = *state;
	CLEAN_BUF struct buf b = BUF_INIT(4u << 20);
	int fd = client_connect(f->port);
	struct client_reply r;
	size_t at = 0;

	buf_add_str(&b, "POST /v1/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 20; i++) {
		buf_add_str(&b, "10000\r\n");
		memset(buf_reserve(&b, 0x10000), 'x', 0x10000);
		buf_add_str(&b, "\r\n");
	}
	buf_add_str(&b, "0\r\n\r\n");
	while (at < b.len) { /* the server reads only while its loop runs */
		ssize_t n = send(fd, b.data + at, b.len - at, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0)
			at += (size_t)n;
		else
			assert_int_equal(errno, EAGAIN);
		loop_round(f->loop, 1);
	}
	r = client_receive(f->loop, fd);
	assert_int_equal(r.status, 413);
	assert_string_equal(client_error_code(&r), "body_too_large");
	assert_int_equal(f->handled, 0);
	client_reply_deinit(&r);
	close(fd);
}

static void a_client_that_sends_a_byte_now_and_then_is_cut_off(void **state)
{
	static const char *const heads[] = { "GET /v1/x HTTP/1.1\r\nHost: localhost\r\nX: ",
					     "POST /v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n" };
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		int fd = client_connect(f->port);
		uint64_t end = loop_now_ms(f->loop) + 8000;
		bool closed = false;
		char c;

		client_send(fd, heads[i], strlen(heads[i]));
		while (!closed && loop_now_ms(f->loop) < end) {
			client_send(fd, "a", 1);
			loop_round(f->loop, 20);
			closed = recv(fd, &c, 1, MSG_DONTWAIT) == 0 || (errno != EAGAIN);
		}
		assert_true(closed);
		close(fd);
	}
	assert_int_equal(f->handled, 0);
}

static void one_address_cannot_take_all_connections(void **state)
{
	struct fixture *f = *state;
	int fds[18], closed = 0;
	char c;

	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = client_connect(f->port);
	for (int i = 0; i < 30; i++)
		loop_round(f->loop, 1);
	assert_true(http_server_connections(f->server) <= 16);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		closed += recv(fds[i], &c, 1, MSG_DONTWAIT) == 0;
		close(fds[i]);
	}
	assert_int_equal(closed, 2);
}

/* From another loopback address: another source. */
static int connect_from(uint16_t port, const char *address)
{
	struct sockaddr_in from = { .sin_family = AF_INET }, to = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, address, &from.sin_addr);
	assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof from), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	return fd;
}

static void pump_until_n(struct fixture *f, size_t n)
{
	uint64_t end = loop_now_ms(f->loop) + 30000;

	while (http_server_connections(f->server) != n && loop_now_ms(f->loop) < end)
		loop_round(f->loop, 5);
	assert_int_equal(http_server_connections(f->server), n);
}

/* Else as many beginnings as there are places would shut everybody out until their time is up, and then again. */
static void who_does_not_end_his_body_makes_room_too(void **state)
{
	static const char *const listen[] = { "127.0.0.1:0" };
	static const char begin[] = "POST /v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{";
	struct fixture *f = *state;
	struct http_config config = { .listen = listen, .n_listen = 1, .connections = 20 };
	struct clock clock = clock_real();
	struct http_server *server;
	struct client_reply r;
	struct why why;
	int fds[60];

	assert_int_equal(http_server_new(f->loop, &clock, &config, handle, f, &server, &why), 0);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = client_connect(http_server_port(server, 0));
		client_send(fds[i], begin, strlen(begin));
		loop_round(f->loop, 1);
	}
	/* all have come, and those that had to go are gone: the library would turn away who comes before that */
	for (uint64_t end = loop_now_ms(f->loop) + 20000;
	     (http_server_counts(server).evicted < 40 || http_server_connections(server) > 20) && loop_now_ms(f->loop) < end;)
		loop_round(f->loop, 5);
	assert_true(http_server_counts(server).evicted >= 40);
	r = client_ask(f->loop, http_server_port(server, 0), NULL, "POST", "/v1/x", NULL, "{}");
	assert_int_equal(r.status, 200);
	client_reply_deinit(&r);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	http_server_free(server);
}

static void when_all_places_are_taken_the_one_that_has_waited_longest_goes(void **state)
{
	struct fixture *f = *state;
	int first = connect_from(f->port, "127.0.0.2"), busy, fds[18];
	struct client_reply r;
	char c;

	pump_until_n(f, 1);
	busy = connect_from(f->port, "127.0.0.3");
	f->park = true;
	client_send(busy, "GET /v1/x HTTP/1.1\r\nHost: localhost\r\n\r\n", 40);
	for (uint64_t end = loop_now_ms(f->loop) + 30000; !f->parked && loop_now_ms(f->loop) < end;)
		loop_round(f->loop, 5);
	f->park = false;
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = connect_from(f->port, i % 2 ? "127.0.0.4" : "127.0.0.5");
	pump_until_n(f, 20);
	assert_int_equal(recv(first, &c, 1, MSG_DONTWAIT), -1);
	r = client_ask(f->loop, f->port, NULL, "GET", "/v1/x", NULL, NULL); /* the 21st */
	assert_int_equal(r.status, 200);
	client_reply_deinit(&r);
	assert_int_equal(recv(first, &c, 1, MSG_DONTWAIT), 0);
	assert_int_equal(http_server_counts(f->server).evicted, 1);
	http_reply(TAKE(f->parked), &(struct http_reply){ .status = 200, .body = "{}", .body_len = 2 }); /* who is being served stays */
	r = client_receive(f->loop, busy);
	assert_int_equal(r.status, 200);
	client_reply_deinit(&r);
	close(first);
	close(busy);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
}

static void an_address_that_asks_too_often_is_told_when_to_come_back(void **state)
{
	static const char *const listen[] = { "127.0.0.1:0" };
	struct http_config config = { .listen = listen, .n_listen = 1, .requests_per_address = 1, .limit_loopback = true };
	struct fixture *f = *state;
	struct clock clock = clock_real();
	struct http_server *server;
	struct client_reply r;
	struct why why;
	int limited = 0;

	assert_int_equal(http_server_new(f->loop, &clock, &config, handle, f, &server, &why), 0);
	for (int i = 0; i < 60 && !limited; i++) { /* five at once, then one a second: a slow machine asks longer */
		r = client_ask(f->loop, http_server_port(server, 0), NULL, "POST", "/v1/x", NULL, "{}");
		limited += r.status == 429;
		if (r.status == 429) {
			assert_non_null(strstr(r.head, "Retry-After: "));
			assert_string_equal(json_string_value(json_object_get(json_object_get(r.json, "error"), "code")), "rate_limited");
		} else {
			assert_int_equal(r.status, 200);
		}
		client_reply_deinit(&r);
	}
	assert_int_equal(limited, 1);
	assert_int_equal(http_server_counts(server).limited, 1);
	http_server_free(server);
	for (int i = 0; i < 60; i++) { /* without the limit, and on loopback */
		r = client_ask(f->loop, f->port, NULL, "GET", "/v1/x", NULL, NULL);
		assert_int_equal(r.status, 200);
		client_reply_deinit(&r);
	}
}

static void what_is_too_long_is_refused_in_json(void **state)
{
	static const struct {
		const char *what, *head;
		size_t fill;
		int status;
	} rows[] = {
		{ "target", "GET /v1/%s HTTP/1.1\r\nHost: localhost\r\n\r\n", 3000, 414 },
		{ "header", "GET /v1/x HTTP/1.1\r\nHost: localhost\r\nX-Long: %s\r\n\r\n", 13000, 431 },
		{ "body", "POST /v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000000\r\nX: %s\r\n\r\n", 1, 413 },
	};
	struct fixture *f = *state;
	char fill[16384], text[20000];
	struct client_reply r;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		memset(fill, 'a', rows[i].fill);
		fill[rows[i].fill] = 0;
		snprintf(text, sizeof text, rows[i].head, fill);
		r = client_raw(f->loop, f->port, text, strlen(text));
		if (r.status != rows[i].status || !json_object_get(json_object_get(r.json, "error"), "code"))
			fail_msg("%s: %d %s", rows[i].what, r.status, r.body ? r.body : "");
		client_reply_deinit(&r);
	}
	assert_int_equal(f->handled, 0);
}

struct answer_timer {
	struct loop_timer timer;
	struct fixture *f;
};

static void answer(struct loop_timer *timer)
{
	struct fixture *f = container_of(timer, struct answer_timer, timer)->f;

	http_reply(TAKE(f->parked), &(struct http_reply){ .status = 200, .body = "{}", .body_len = 2 });
}

/* A resumed connection makes no descriptor readable: who forgets to run the library answers a second later, who waits for a timer a
 * millisecond later. It is one round of the loop, whether the handler was ready in a timer or before. */
static void a_parked_request_is_answered_in_the_round_in_which_the_handler_is_ready(void **state)
{
	struct fixture *f = *state;
	static const char text[] = "GET /v1/x HTTP/1.1\r\nHost: localhost\r\n\r\n";
	struct answer_timer timer = { .timer.expired = answer, .f = f };
	int fd = client_connect(f->port);
	struct client_reply r;

	for (int in_timer = 0; in_timer < 2; in_timer++) {
		struct pollfd readable = { .fd = fd, .events = POLLIN };

		f->park = true;
		client_send(fd, text, sizeof text - 1);
		while (!f->parked)
			loop_round(f->loop, 10);
		if (in_timer)
			loop_set_timer(f->loop, &timer.timer, loop_now_ms(f->loop));
		else
			answer(&timer.timer);
		loop_round(f->loop, 0);
		assert_int_equal(poll(&readable, 1, 0), 1);
		r = client_receive(f->loop, fd);
		assert_int_equal(r.status, 200);
		client_reply_deinit(&r);
	}
	f->park = false;
	client_send(fd, text, sizeof text - 1); /* and the connection goes on */
	r = client_receive(f->loop, fd);
	assert_int_equal(r.status, 200);
	client_reply_deinit(&r);
	close(fd);
}

static void an_answer_for_a_client_that_has_gone_harms_nobody(void **state)
{
	struct fixture *f = *state;
	static const char text[] = "GET /v1/x HTTP/1.1\r\nHost: localhost\r\n\r\n";
	int fd = client_connect(f->port);

	f->park = true;
	client_send(fd, text, sizeof text - 1);
	while (!f->parked)
		loop_round(f->loop, 10);
	close(fd);
	for (int i = 0; i < 10; i++)
		loop_round(f->loop, 1);
	http_reply(TAKE(f->parked), &(struct http_reply){ .status = 200, .body = "{}", .body_len = 2 });
	for (int i = 0; i < 10; i++)
		loop_round(f->loop, 1);
	f->park = false;
	assert_int_equal(ask_status(f, text), 200);
}

static void stopping_answers_what_is_parked_and_lets_the_handler_finish_later(void **state)
{
	struct fixture *f = *state;
	static const char text[] = "GET /v1/x HTTP/1.1\r\nHost: localhost\r\n\r\n";
	int fd = client_connect(f->port);
	struct client_reply r;

	f->park = true;
	client_send(fd, text, sizeof text - 1);
	while (!f->parked)
		loop_round(f->loop, 10);
	f->server = http_server_free(f->server);
	r = client_receive(f->loop, fd);
	assert_int_equal(r.status, 503);
	assert_string_equal(client_error_code(&r), "stopping");
	client_reply_deinit(&r);
	close(fd);
	http_reply(TAKE(f->parked), &(struct http_reply){ .status = 200 });
}

/* By then the store is gone that the handler would put its question to. */
static void a_request_that_comes_while_the_server_stops_does_not_reach_the_handler(void **state)
{
	struct fixture *f = *state;
	static const char begin[] = "GET /v1/x HTTP/1.1\r\n", rest[] = "Host: localhost\r\n\r\n";
	int fd = client_connect(f->port);

	client_send(fd, begin, sizeof begin - 1);
	while (http_server_connections(f->server) == 0)
		loop_round(f->loop, 10);
	client_send(fd, rest, sizeof rest - 1);
	f->server = http_server_free(f->server);
	assert_int_equal(f->handled, 0);
	close(fd);
}

static void the_local_socket_knows_who_is_there(void **state)
{
	struct fixture *f = *state;
	struct client_reply r = client_ask(f->loop, 0, f->socket, "GET", "/v1/x", NULL, NULL);
	struct stat st;

	assert_int_equal(r.status, 200);
	assert_true(json_is_true(json_object_get(r.json, "local_operator")));
	client_reply_deinit(&r);
	assert_int_equal(stat(f->socket, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600); /* without a group: for root and us */
	r = client_ask(f->loop, f->port, NULL, "GET", "/v1/x", NULL, NULL);
	assert_false(json_is_true(json_object_get(r.json, "local_operator")));
	client_reply_deinit(&r);
}

static void an_address_that_is_taken_or_no_address_is_named(void **state)
{
	struct fixture *f = *state;
	char taken[32];
	const char *listen[1] = { taken };
	struct http_config config = { .listen = listen, .n_listen = 1 };
	struct clock clock = clock_real();
	struct http_server *server;
	struct why why;

	snprintf(taken, sizeof taken, "127.0.0.1:%u", f->port);
	assert_int_equal(http_server_new(f->loop, &clock, &config, handle, f, &server, &why), E_REFUSED);
	assert_non_null(strstr(why.text, taken));
	snprintf(taken, sizeof taken, "localhost:http");
	assert_int_equal(http_server_new(f->loop, &clock, &config, handle, f, &server, &why), E_REFUSED);
	assert_string_equal(why.code, "listen_failed");
	config = (struct http_config){ .socket_path = f->socket };
	assert_int_equal(http_server_new(f->loop, &clock, &config, handle, f, &server, &why), E_REFUSED);
	assert_non_null(strstr(why.text, "another controller"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(a_request_reaches_the_handler_and_its_reply_the_client),
		T(what_is_not_http_never_reaches_the_handler),
		T(the_names_it_was_given_and_addresses_are_good_hosts),
		T(a_target_longer_than_the_pool_is_refused),
		T(beginnings_of_large_bodies_keep_no_small_one_out),
		T(a_chunked_body_above_the_limit_is_refused),
		T(a_client_that_sends_a_byte_now_and_then_is_cut_off),
		T(one_address_cannot_take_all_connections),
		T(who_does_not_end_his_body_makes_room_too),
		T(when_all_places_are_taken_the_one_that_has_waited_longest_goes),
		T(an_address_that_asks_too_often_is_told_when_to_come_back),
		T(what_is_too_long_is_refused_in_json),
		T(a_parked_request_is_answered_in_the_round_in_which_the_handler_is_ready),
		T(an_answer_for_a_client_that_has_gone_harms_nobody),
		T(stopping_answers_what_is_parked_and_lets_the_handler_finish_later),
		T(a_request_that_comes_while_the_server_stops_does_not_reach_the_handler),
		T(the_local_socket_knows_who_is_there),
		T(an_address_that_is_taken_or_no_address_is_named),
	};

	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
