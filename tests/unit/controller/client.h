/* client - a bare HTTP client over a socket, pumped together with the server's loop in one thread; for the tests of this room. */
#pragma once
#include "lib/base/buf.h"
#include "lib/base/json.h"
#include "lib/base/loop.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct client_reply {
	int status; /* 0 = closed without a reply */
	char *head, *body; /* NUL-ended; the body as one text */
	json_t *json;      /* NULL if the body is not JSON */
	bool closed;
};

static inline void client_reply_deinit(struct client_reply *r)
{
	free(r->head);
	free(r->body);
	json_decref(r->json);
	*r = (struct client_reply){ 0 };
}

static inline int client_connect(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (struct sockaddr *)&a, sizeof a) < 0)
		abort();
	return fd;
}

static inline int client_connect_unix(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
	if (connect(fd, (struct sockaddr *)&a, sizeof a) < 0)
		abort();
	return fd;
}

static inline void client_send(int fd, const void *bytes, size_t n)
{
	const char *p = bytes;

	while (n) {
		ssize_t w = send(fd, p, n, MSG_NOSIGNAL);

		if (w <= 0)
			return; /* the server may rightly have closed already */
		p += w;
		n -= (size_t)w;
	}
}

static inline bool client_whole(struct buf *b, size_t *ret_head, size_t *ret_len)
{
	const char *text = buf_str(b), *end = strstr(text, "\r\n\r\n"), *length;

	if (!end)
		return false;
	*ret_head = (size_t)(end + 4 - text);
	length = strcasestr(text, "\r\ncontent-length:");
	*ret_len = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
	return b->len >= *ret_head + *ret_len;
}

/* Runs the loop until one whole reply is there, the server closed, or 10 s went by (status -1). */
static inline struct client_reply client_receive(struct loop *loop, int fd)
{
	CLEAN_BUF struct buf in = BUF_INIT(8u << 20);
	struct client_reply r = { .status = -1 };
	size_t head = 0, len = 0;
	uint64_t end = loop_now_ms(loop) + 10000;
	char chunk[4096];

	while (loop_now_ms(loop) < end && !client_whole(&in, &head, &len)) {
		ssize_t n;

		loop_round(loop, 5);
		n = recv(fd, chunk, sizeof chunk, MSG_DONTWAIT);
		if (n > 0)
			buf_add(&in, chunk, (size_t)n);
		else if (n == 0 || errno != EAGAIN) {
			r.closed = true;
			break;
		}
	}
	if (!client_whole(&in, &head, &len)) {
		r.status = r.closed ? 0 : -1;
		return r;
	}
	r.status = atoi(buf_str(&in) + 9);
	r.head = strndup(buf_str(&in), head);
	r.body = strndup(buf_str(&in) + head, len);
	r.json = json_loads(r.body, 0, NULL);
	return r;
}

static inline struct client_reply client_raw(struct loop *loop, uint16_t port, const void *bytes, size_t n)
{
	int fd = client_connect(port);
	struct client_reply r;

	client_send(fd, bytes, n);
	r = client_receive(loop, fd);
	close(fd);
	return r;
}

/* token and body may be NULL; socket_path NULL = TCP; headers: further lines, each with its line end. */
static inline struct client_reply client_ask_with(struct loop *loop, uint16_t port, const char *socket_path, const char *method,
						  const char *target, const char *token, const char *headers, const char *body)
{
	CLEAN_BUF struct buf b = BUF_INIT(4u << 20);
	int fd = socket_path ? client_connect_unix(socket_path) : client_connect(port);
	struct client_reply r;

	buf_printf(&b, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n", method, target);
	if (token)
		buf_printf(&b, "Authorization: Bearer %s\r\n", token);
	if (body)
		buf_printf(&b, "Content-Length: %zu\r\n", strlen(body));
	buf_add_str(&b, headers);
	buf_add_str(&b, "\r\n");
	if (body)
		buf_add_str(&b, body);
	client_send(fd, b.data, b.len);
	r = client_receive(loop, fd);
	close(fd);
	return r;
}

static inline struct client_reply client_ask(struct loop *loop, uint16_t port, const char *socket_path, const char *method,
					     const char *target, const char *token, const char *body)
{
	return client_ask_with(loop, port, socket_path, method, target, token, "", body);
}

/* Families of routes with a manner of their own say it beside a sentence. */
static inline const char *client_error_code(const struct client_reply *r)
{
	const json_t *error = json_object_get(r->json, "error");
	/* the Machines view has a sentence there, and the code beside it */
	const char *code = json_string_value(json_object_get(json_is_string(error) ? r->json : error, "code"));

	return code ? code : "";
}
