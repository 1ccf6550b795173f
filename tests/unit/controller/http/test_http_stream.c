/* Replies that go on: what the source has comes as it has it, a client that takes nothing is cut off, and all ends cleanly. */
#include "tests/unit/controller/client.h"

#include "controller/http/http.h"
#include "lib/base/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct source {
	struct http_request *request;
	size_t given, left; /* bytes; left SIZE_MAX = no end */
	bool ends;
	int closed, slow;
};

struct fixture {
	struct loop *loop;
	struct http_server *server;
	uint16_t port;
	struct source sources[4];
	size_t n_sources;
};

static long give(void *ctx, char *buf, size_t max)
{
	struct source *s = ctx;
	size_t n = s->left < max ? s->left : max;

	assert_int_equal(s->closed, 0);
	if (!n)
		return s->ends ? -1 : 0;
	memset(buf, 'x', n);
	s->given += n;
	if (s->left != SIZE_MAX)
		s->left -= n;
	return (long)n;
}

static void closed(void *ctx, bool slow)
{
	struct source *s = ctx;

	s->closed++;
	s->slow += slow;
}

static void handle(void *ctx, struct http_request *request)
{
	struct fixture *f = ctx;
	struct source *s = &f->sources[f->n_sources++];

	s->request = request;
	http_reply_stream(request, &(struct http_reply){ .status = 200, .content_type = "text/event-stream" },
			  &(struct http_stream){ give, closed, s });
}

static int set_up(void **state)
{
	static const char *const listen[] = { "127.0.0.1:0" };
	struct fixture *f = calloc(1, sizeof *f);
	struct http_config config = { .listen = listen, .n_listen = 1, .stream_ms = 300 };
	struct clock clock = clock_real();
	struct why why;

	assert_int_equal(loop_new(&f->loop), 0);
	assert_int_equal(http_server_new(f->loop, &clock, &config, handle, f, &f->server, &why), 0);
	f->port = http_server_port(f->server, 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	http_server_free(f->server);
	for (size_t i = 0; i < f->n_sources; i++)
		assert_int_equal(f->sources[i].closed, 1); /* exactly once, whatever happened */
	loop_free(f->loop);
	free(f);
	return 0;
}

static int ask(struct fixture *f)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
	int fd = client_connect(f->port);

	client_send(fd, text, sizeof text - 1);
	return fd;
}

/* Runs the loop until the condition holds, at most a long time. */
#define UNTIL(f, condition)                                                        \
	do {                                                                       \
		uint64_t end_ = loop_now_ms((f)->loop) + 30000;                    \
		while (!(condition) && loop_now_ms((f)->loop) < end_)              \
			loop_round((f)->loop, 5);                                  \
		assert_true(condition);                                            \
	} while (0)

/* Adds what has come; true = the other end is closed. */
static bool take(int fd, struct buf *in)
{
	char chunk[65536];
	ssize_t n;

	while ((n = recv(fd, chunk, sizeof chunk, MSG_DONTWAIT)) > 0)
		buf_add(in, chunk, (size_t)n);
	return n == 0 || (n < 0 && errno != EAGAIN);
}

static bool has(int fd, struct buf *in, const char *what)
{
	take(fd, in);
	return in->len && strstr(buf_str(in), what);
}

static void what_the_source_has_comes_as_it_has_it_and_ends_when_it_ends(void **state)
{
	struct fixture *f = *state;
	CLEAN_BUF struct buf in = BUF_INIT(1u << 20);
	struct source *s = &f->sources[0];
	int fd = ask(f);

	UNTIL(f, has(fd, &in, "\r\n\r\n"));
	assert_non_null(strcasestr(buf_str(&in), "Transfer-Encoding: chunked"));
	assert_null(strchr(strstr(buf_str(&in), "\r\n\r\n"), 'x'));
	for (int i = 0; i < 3; i++) {
		size_t before = in.len;

		s->left = 100;
		http_stream_wake(s->request);
		UNTIL(f, (take(fd, &in), in.len >= before + 100));
		assert_int_equal(s->given, 100 * (i + 1));
	}
	s->ends = true;
	http_stream_wake(s->request);
	UNTIL(f, has(fd, &in, "\r\n0\r\n"));
	UNTIL(f, s->closed);
	assert_int_equal(s->slow, 0);
	close(fd);
}

/* A stream that has nothing to say may be silent for longer than a client may take. */
static void silence_of_the_source_is_no_slowness_of_the_client(void **state)
{
	struct fixture *f = *state;
	CLEAN_BUF struct buf in = BUF_INIT(1u << 20);
	struct source *s = &f->sources[0];
	int fd = ask(f);
	uint64_t end;

	UNTIL(f, has(fd, &in, "\r\n\r\n"));
	end = loop_now_ms(f->loop) + 1500;
	while (loop_now_ms(f->loop) < end)
		loop_round(f->loop, 20);
	assert_int_equal(s->closed, 0);
	s->left = 10;
	http_stream_wake(s->request);
	UNTIL(f, has(fd, &in, "xxxxxxxxxx"));
	close(fd);
}

static void a_client_that_takes_nothing_is_cut_off_and_nobody_else(void **state)
{
	struct fixture *f = *state;
	CLEAN_BUF struct buf in = BUF_INIT(64u << 20);
	struct source *slow = &f->sources[0], *good = &f->sources[1];
	int fd = ask(f), other;

	UNTIL(f, f->n_sources == 1);
	slow->left = SIZE_MAX;
	http_stream_wake(slow->request);
	other = ask(f);
	UNTIL(f, f->n_sources == 2);
	for (uint64_t end = loop_now_ms(f->loop) + 30000; !slow->closed && loop_now_ms(f->loop) < end;) {
		good->left = 1000; /* all the time something, and it is taken */
		http_stream_wake(good->request);
		loop_round(f->loop, 5);
		take(other, &in);
	}
	assert_int_equal(slow->closed, 1);
	assert_int_equal(slow->slow, 1);
	/* what sockets hold, and no more: nothing is queued for it here */
	assert_true(slow->given < 32u << 20);
	assert_int_equal(good->closed, 0);
	close(fd);
	close(other);
}

static void a_client_that_goes_away_is_noticed_when_there_is_something_for_it(void **state)
{
	struct fixture *f = *state;
	CLEAN_BUF struct buf in = BUF_INIT(1u << 20);
	struct source *s = &f->sources[0];
	int fd = ask(f);

	UNTIL(f, has(fd, &in, "\r\n\r\n"));
	close(fd);
	s->left = SIZE_MAX;
	http_stream_wake(s->request);
	UNTIL(f, s->closed);
	assert_int_equal(s->slow, 0);
}

static void streams_that_are_open_when_the_server_ends_end_with_the_last_chunk(void **state)
{
	struct fixture *f = *state;
	CLEAN_BUF struct buf in = BUF_INIT(1u << 20);
	int fd = ask(f);

	UNTIL(f, has(fd, &in, "\r\n\r\n"));
	f->server = http_server_free(f->server);
	while (!take(fd, &in))
		;
	assert_non_null(strstr(buf_str(&in), "\r\n0\r\n"));
	assert_int_equal(f->sources[0].closed, 1);
	close(fd);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_the_source_has_comes_as_it_has_it_and_ends_when_it_ends),
		T(silence_of_the_source_is_no_slowness_of_the_client),
		T(a_client_that_takes_nothing_is_cut_off_and_nobody_else),
		T(a_client_that_goes_away_is_noticed_when_there_is_something_for_it),
		T(streams_that_are_open_when_the_server_ends_end_with_the_last_chunk),
	};

	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
