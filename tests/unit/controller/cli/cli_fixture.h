/* A faked controller for the tests of the command: it answers what a test has put there, in order, and keeps what was sent. */
#pragma once
#include "controller/cli/cli.h"
#include "lib/base/file.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define EXCHANGES_MAX 12
#define INTERRUPTS 599 /* the status of an answer with which ^C comes */
#define HANGS_UP 598   /* of a request that is read and gets no answer */
#define THE_KEY "%KEY%" /* in an answer: the public key that the request brought */

/* Answers requests in order with what the test has put there, and keeps what was sent. */
struct fixture {
	int listener;
	uint16_t port;
	pthread_t thread;
	struct exchange {
		int status;
		const char *body;
		char *request;
	} exchanges[EXCHANGES_MAX];
	size_t n_answers, n_requests;
	char dir[64], url[64], home[80], socket[96];
	char *env[8];
	char *out, *err;
	size_t out_len, err_len;
};

static char *read_request(int fd)
{
	struct buf in = BUF_INIT(1u << 20);
	char chunk[4096];
	ssize_t n;

	while ((n = recv(fd, chunk, sizeof chunk, 0)) > 0) {
		const char *end, *length;

		buf_add(&in, chunk, (size_t)n);
		end = strstr(buf_str(&in), "\r\n\r\n");
		length = strcasestr(buf_str(&in), "content-length:");
		if (end && in.len >= (size_t)(end + 4 - buf_str(&in)) + (length ? strtoul(length + 15, NULL, 10) : 0))
			break;
	}
	char *text = strdup(buf_str(&in));
	buf_deinit(&in);
	return text;
}

/* The answer with the key that a request brought, in *ret_text. */
static const char *with_key(const struct fixture *f, const char *body, char ret_text[4096])
{
	const char *at = strstr(body, THE_KEY), *key = NULL;

	if (!at)
		return body;
	for (size_t i = 0; i < EXCHANGES_MAX && !key && f->exchanges[i].request; i++)
		key = strstr(f->exchanges[i].request, "\"public_key\":\"");
	snprintf(ret_text, 4096, "%.*s%.44s%s", (int)(at - body), body, key ? key + 14 : "", at + strlen(THE_KEY));
	return ret_text;
}

static void *serve(void *arg)
{
	struct fixture *f = arg;

	for (;;) {
		int fd = accept(f->listener, NULL, NULL);
		struct exchange *x = &f->exchanges[f->n_requests];
		char head[200], text[4096];
		const char *body;

		if (fd < 0)
			return NULL;
		x->request = read_request(fd);
		if (f->n_requests >= f->n_answers) {
			x->status = 500;
			x->body = "{}";
		}
		f->n_requests++; /* before the signal: it ends the command at once, and the test looks */
		if (x->status == INTERRUPTS)
			kill(getpid(), SIGINT);
		if (x->status == HANGS_UP) {
			close(fd);
			continue;
		}
		body = with_key(f, x->body, text);
		snprintf(head, sizeof head, "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
			 x->status, strlen(body));
		if (send(fd, head, strlen(head), MSG_NOSIGNAL) > 0)
			(void)!send(fd, body, strlen(body), MSG_NOSIGNAL);
		close(fd);
	}
}

static inline int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof a;

	strcpy(f->dir, "/tmp/sixpn-cli-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(f->listener, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(f->listener, 8), 0);
	getsockname(f->listener, (struct sockaddr *)&a, &len);
	snprintf(f->url, sizeof f->url, "SIXPN_URL=http://127.0.0.1:%u", ntohs(a.sin_port));
	snprintf(f->home, sizeof f->home, "HOME=%s", f->dir);
	f->env[0] = f->url;
	f->env[1] = f->home;
	f->env[2] = (char *)(uintptr_t) "SIXPN_TOKEN=sx1_test";
	snprintf(f->socket, sizeof f->socket, "SIXPN_SOCKET=%s/none", f->dir);
	f->env[3] = f->socket;
	assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
	*state = f;
	return 0;
}

static inline int tear_down(void **state)
{
	struct fixture *f = *state;
	char command[160];

	shutdown(f->listener, SHUT_RDWR);
	pthread_join(f->thread, NULL);
	close(f->listener);
	for (size_t i = 0; i < f->n_requests; i++)
		free(f->exchanges[i].request);
	free(f->out);
	free(f->err);
	snprintf(command, sizeof command, "rm -rf %s", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static inline void answer(struct fixture *f, int status, const char *body)
{
	f->exchanges[f->n_answers].status = status;
	f->exchanges[f->n_answers++].body = body;
}

/* Runs `sixpn <words>` (split at spaces); terminal: what its output is. */
static inline int run_on(struct fixture *f, bool terminal, const char *input, const char *words)
{
	char text[512], *argv[40] = { (char *)(uintptr_t) "sixpn" }, *rest = text;
	struct cli cli = { .env = f->env, .out_is_terminal = terminal, .in_is_terminal = input != NULL };
	int argc = 1, r;

	free(f->out);
	free(f->err);
	cli.out = open_memstream(&f->out, &f->out_len);
	cli.err = open_memstream(&f->err, &f->err_len);
	cli.in = fmemopen((char *)(uintptr_t)(input && *input ? input : "\n"), input && *input ? strlen(input) : 1, "r");
	snprintf(text, sizeof text, "%s", words);
	while (rest)
		argv[argc++] = strsep(&rest, " ");
	r = cli_main(&cli, argc, argv);
	fclose(cli.out);
	fclose(cli.err);
	fclose(cli.in);
	return r;
}

static inline int run(struct fixture *f, const char *words)
{
	return run_on(f, false, NULL, words);
}

static inline void has(const char *text, const char *part)
{
	if (!strstr(text ? text : "", part))
		fail_msg("\"%s\" is not in:\n%s", part, text);
}

static inline const char *request(struct fixture *f, size_t n)
{
	assert_true(n < f->n_requests);
	return f->exchanges[n].request;
}
