/* nng_server - see nng_server.h.
 *
 * Raw REP gives each message with a header of pipe id and request id, and routes a reply by the same header. What nng would do
 * silently is prevented here: a send buffer of 0 (most of a fan-out would fail), a message above the receiver's limit (it "succeeds"
 * and closes the connection), and requests that came through a device in between (a longer header). What does not fit into nng's
 * buffer waits in our queue until the send descriptor is readable. */
#include "lib/link/nng_server.h"

#include "lib/base/log.h"
#include "lib/link/nng_address.h"
#include "lib/link/nng_close.h"
#include "lib/link/nng_error.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define RECEIVE_MAX (128 * 1024)
#define BUFFERS 8192 /* the most that nng allows */
#define RECEIVES_PER_ROUND 256
#define QUEUE_BYTES_MAX (64 * 1024 * 1024)

struct waiting {
	struct waiting *next;
	nng_msg *message;
	size_t bytes;
};

struct link_nng_server {
	struct link_server_transport transport;
	struct loop *loop;
	nng_socket socket;
	struct loop_io receive_io, send_io;
	struct waiting *first, **last;
	struct link_nng_server_stats stats;
};

static bool route_of(nng_msg *message, struct link_route *ret)
{
	const uint8_t *header = nng_msg_header(message);
	uint32_t pipe = (uint32_t)nng_pipe_id(nng_msg_get_pipe(message));

	if (nng_msg_header_len(message) != LINK_ROUTE_LEN)
		return false;
	memcpy(ret->bytes, header, LINK_ROUTE_LEN);
	return ((uint32_t)header[0] << 24 | (uint32_t)header[1] << 16 | (uint32_t)header[2] << 8 | header[3]) == pipe &&
	       (header[4] & 0x80);
}

static void receive_ready(struct loop_io *io, uint32_t revents)
{
	struct link_nng_server *s = container_of(io, struct link_nng_server, receive_io);
	struct link_source source;
	struct link_route route;
	nng_msg *message;

	(void)revents;
	/* level-triggered: what is left comes with the next round, after everybody else had a turn */
	for (int i = 0; i < RECEIVES_PER_ROUND; i++) {
		if (nng_recvmsg(s->socket, &message, NNG_FLAG_NONBLOCK) != 0)
			return;
		s->stats.received++;
		if (!route_of(message, &route)) {
			s->stats.bad_header++;
		} else if (s->transport.received) {
			link_nng_address(nng_msg_get_pipe(message), NNG_OPT_REMADDR, &source);
			s->transport.received(s->transport.owner, &route, &source, nng_msg_body(message), nng_msg_len(message));
		}
		nng_msg_free(message);
	}
}

static int enqueue(struct link_nng_server *s, nng_msg *message)
{
	size_t bytes = sizeof(struct waiting) + nng_msg_len(message) + nng_msg_header_len(message);
	struct waiting *w;
	int r = 0;

	if (s->stats.queued_bytes + bytes > QUEUE_BYTES_MAX) {
		s->stats.queue_full++;
		return -ENOBUFS;
	}
	w = malloc(sizeof *w);
	if (!w)
		return -ENOMEM;
	if (!s->first)
		r = loop_add_io(s->loop, &s->send_io);
	if (r < 0) {
		free(w);
		return r;
	}
	*w = (struct waiting){ .message = message, .bytes = bytes };
	s->stats.queued_bytes += bytes;
	*s->last = w;
	s->last = &w->next;
	return 0;
}

static void dequeue(struct link_nng_server *s)
{
	struct waiting *w = s->first;

	s->first = w->next;
	if (!s->first)
		s->last = &s->first;
	s->stats.queued_bytes -= w->bytes;
	free(w);
}

static void send_ready(struct loop_io *io, uint32_t revents)
{
	struct link_nng_server *s = container_of(io, struct link_nng_server, send_io);

	(void)revents;
	while (s->first) {
		int r = nng_sendmsg(s->socket, s->first->message, NNG_FLAG_NONBLOCK);

		if (r == NNG_EAGAIN)
			return;
		if (r != 0)
			nng_msg_free(s->first->message);
		s->stats.sent += r == 0;
		dequeue(s);
	}
	loop_remove_io(&s->send_io);
}

static int server_reply(struct link_server_transport *t, const struct link_route *route, const void *frame, size_t len)
{
	struct link_nng_server *s = container_of(t, struct link_nng_server, transport);
	nng_msg *message;
	int r;

	if (len > LINK_TO_CLIENT_MAX)
		return -EMSGSIZE;
	if (nng_msg_alloc(&message, 0) != 0)
		return -ENOMEM;
	r = nng_msg_append(message, frame, len);
	if (r == 0)
		r = nng_msg_header_append(message, route->bytes, LINK_ROUTE_LEN);
	if (r == 0 && !s->first) {
		r = nng_sendmsg(s->socket, message, NNG_FLAG_NONBLOCK);
		if (r == 0) {
			s->stats.sent++;
			return 0;
		}
	}
	r = r == NNG_EAGAIN || (r == 0 && s->first) ? enqueue(s, message) : link_nng_error(r);
	if (r < 0)
		nng_msg_free(message);
	return r;
}

static const struct link_server_transport_ops ops = { .reply = server_reply };

static int watch(struct link_nng_server *s)
{
	int r = nng_socket_get_int(s->socket, NNG_OPT_RECVFD, &s->receive_io.fd);

	if (r == 0)
		r = nng_socket_get_int(s->socket, NNG_OPT_SENDFD, &s->send_io.fd);
	if (r != 0)
		return link_nng_error(r);
	s->receive_io.events = s->send_io.events = EPOLLIN; /* both become readable */
	s->receive_io.ready = receive_ready;
	s->send_io.ready = send_ready;
	return loop_add_io(s->loop, &s->receive_io);
}

int link_nng_server_new(struct loop *loop, struct link_nng_server **ret_server)
{
	struct link_nng_server *s = calloc(1, sizeof *s);
	int r;

	if (!s)
		return -ENOMEM;
	s->transport.ops = &ops;
	s->loop = loop;
	s->last = &s->first;
	r = nng_rep0_open_raw(&s->socket);
	if (r != 0) {
		free(s);
		return link_nng_error(r);
	}
	r = nng_socket_set_int(s->socket, NNG_OPT_SENDBUF, BUFFERS);
	if (r == 0)
		r = nng_socket_set_int(s->socket, NNG_OPT_RECVBUF, BUFFERS);
	if (r == 0)
		r = nng_socket_set_size(s->socket, NNG_OPT_RECVMAXSZ, RECEIVE_MAX);
	if (r == 0)
		r = nng_socket_set_int(s->socket, NNG_OPT_MAXTTL, 1);
	r = r ? link_nng_error(r) : watch(s);
	if (r < 0) {
		link_nng_server_free(s);
		return r;
	}
	*ret_server = s;
	return 0;
}

struct link_nng_server *link_nng_server_free(struct link_nng_server *s)
{
	if (!s)
		return NULL;
	loop_remove_io(&s->receive_io);
	loop_remove_io(&s->send_io);
	while (s->first) {
		nng_msg_free(s->first->message);
		dequeue(s);
	}
	if (!link_nng_close(s->socket)) /* it has no callbacks into s */
		log_warn("link", "nng does not close its socket, leaving it to the end of the process");
	free(s);
	return NULL;
}

struct link_server_transport *link_nng_server_transport(struct link_nng_server *s)
{
	return &s->transport;
}

int link_nng_server_listen(struct link_nng_server *s, const char *address, uint16_t *ret_port)
{
	nng_listener listener;
	char url[300];
	int r, port = 0;

	if (snprintf(url, sizeof url, "tcp://%s", address) >= (int)sizeof url)
		return -EINVAL;
	r = nng_listener_create(&listener, s->socket, url);
	if (r != 0)
		return link_nng_error(r);
	r = nng_listener_set_bool(listener, NNG_OPT_TCP_NODELAY, true);
	if (r == 0)
		r = nng_listener_set_bool(listener, NNG_OPT_TCP_KEEPALIVE, true);
	if (r == 0)
		r = nng_listener_start(listener, 0);
	if (r == 0)
		r = nng_listener_get_int(listener, NNG_OPT_TCP_BOUND_PORT, &port);
	if (r != 0) {
		nng_listener_close(listener);
		return link_nng_error(r);
	}
	if (ret_port)
		*ret_port = (uint16_t)port;
	return 0;
}

const struct link_nng_server_stats *link_nng_server_stats(const struct link_nng_server *s)
{
	return &s->stats;
}
