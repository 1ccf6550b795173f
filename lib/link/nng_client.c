/* nng_client - see nng_client.h.
 *
 * nng tells of connections only by callbacks on its own threads; each writes one item into a handover queue and the loop does the
 * rest. An event counts only if it is of the dialer in use: closing a dialer closes its connection, and what it still says later is
 * old news. nng does not tell that a dial failed, so the user's time limit is what ends it. */
#include "lib/link/nng_client.h"

#include "lib/base/buf.h"
#include "lib/base/handover.h"
#include "lib/base/log.h"
#include "lib/link/nng_address.h"
#include "lib/link/nng_close.h"
#include "lib/link/nng_error.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

#define RECEIVE_MAX (1024 * 1024)
#define BUFFERS 64 /* three requests are outstanding at most */
#define RECEIVES_PER_ROUND 256
#define NEVER_MS (60 * 60 * 1000)

struct pipe_event {
	struct handover_item item;
	int dialer, pipe;
	bool up;
};

struct link_nng_client {
	struct link_client_transport transport;
	nng_socket socket;
	nng_dialer dialer;
	bool dialing;   /* dialer is open */
	int pipe;       /* the connection, 0 = none */
	struct handover events;
	struct loop_io receive_io, event_io;
};

/* On a thread of nng's. If there is no memory the event is lost, and the user's time limits take its place. */
static void pipe_changed(nng_pipe pipe, nng_pipe_ev what, void *arg)
{
	struct link_nng_client *c = arg;
	struct pipe_event *e = calloc(1, sizeof *e);

	if (!e)
		return;
	e->dialer = nng_dialer_id(nng_pipe_dialer(pipe));
	e->pipe = nng_pipe_id(pipe);
	e->up = what == NNG_PIPE_EV_ADD_POST;
	handover_put(&c->events, &e->item);
}

static void take_event(struct link_nng_client *c, const struct pipe_event *e)
{
	if (!c->dialing || e->dialer != nng_dialer_id(c->dialer))
		return;
	if (e->up && !c->pipe) {
		c->pipe = e->pipe;
		c->transport.connected(c->transport.owner);
	} else if (!e->up && e->pipe == c->pipe) {
		c->pipe = 0;
		c->transport.disconnected(c->transport.owner);
	}
}

static void events_ready(struct loop_io *io, uint32_t revents)
{
	struct link_nng_client *c = container_of(io, struct link_nng_client, event_io);
	struct handover_item *item = handover_take_all(&c->events), *next;

	(void)revents;
	for (; item; item = next) {
		struct pipe_event *e = container_of(item, struct pipe_event, item);

		next = item->next;
		take_event(c, e);
		free(e);
	}
}

static void receive_ready(struct loop_io *io, uint32_t revents)
{
	struct link_nng_client *c = container_of(io, struct link_nng_client, receive_io);
	nng_msg *message;

	(void)revents;
	for (int i = 0; i < RECEIVES_PER_ROUND; i++) {
		if (nng_recvmsg(c->socket, &message, NNG_FLAG_NONBLOCK) != 0)
			return;
		if (c->pipe && nng_pipe_id(nng_msg_get_pipe(message)) == c->pipe && nng_msg_header_len(message) == 4)
			c->transport.reply(c->transport.owner, get_u32(nng_msg_header(message)), nng_msg_body(message),
					   nng_msg_len(message));
		nng_msg_free(message);
	}
}

static void client_hang_up(struct link_client_transport *t)
{
	struct link_nng_client *c = container_of(t, struct link_nng_client, transport);

	if (c->dialing)
		nng_dialer_close(c->dialer);
	c->dialing = false;
	c->pipe = 0;
}

static int client_dial(struct link_client_transport *t, const char *address)
{
	struct link_nng_client *c = container_of(t, struct link_nng_client, transport);
	char url[300];
	int r;

	client_hang_up(t);
	if (snprintf(url, sizeof url, "tcp://%s", address) >= (int)sizeof url)
		return -EINVAL;
	r = nng_dialer_create(&c->dialer, c->socket, url);
	if (r != 0)
		return link_nng_error(r);
	c->dialing = true;
	r = nng_dialer_set_ms(c->dialer, NNG_OPT_RECONNMINT, NEVER_MS);
	if (r == 0)
		r = nng_dialer_set_ms(c->dialer, NNG_OPT_RECONNMAXT, NEVER_MS);
	if (r == 0)
		r = nng_dialer_set_bool(c->dialer, NNG_OPT_TCP_NODELAY, true);
	if (r == 0)
		r = nng_dialer_set_bool(c->dialer, NNG_OPT_TCP_KEEPALIVE, true);
	if (r == 0)
		r = nng_dialer_start(c->dialer, NNG_FLAG_NONBLOCK);
	if (r != 0)
		client_hang_up(t);
	return link_nng_error(r);
}

static int client_send(struct link_client_transport *t, uint32_t request_id, const void *frame, size_t len)
{
	struct link_nng_client *c = container_of(t, struct link_nng_client, transport);
	nng_msg *message;
	int r;

	if (!c->pipe)
		return -ENOTCONN;
	if (len > LINK_TO_SERVER_MAX)
		return -EMSGSIZE;
	if (nng_msg_alloc(&message, 0) != 0)
		return -ENOMEM;
	r = nng_msg_append(message, frame, len);
	if (r == 0)
		r = nng_msg_header_append_u32(message, request_id | LINK_REQUEST_ID_BIT);
	if (r == 0)
		r = nng_sendmsg(c->socket, message, NNG_FLAG_NONBLOCK);
	if (r == 0)
		return 0;
	nng_msg_free(message);
	return r == NNG_EAGAIN ? -ENOBUFS : link_nng_error(r);
}

static void client_own_address(struct link_client_transport *t, struct link_source *ret)
{
	const struct link_nng_client *c = container_of(t, struct link_nng_client, transport);

	*ret = (struct link_source){ 0 };
	if (c->pipe)
		link_nng_address((nng_pipe){ .id = (uint32_t)c->pipe }, NNG_OPT_LOCADDR, ret);
}

static const struct link_client_transport_ops ops = { .dial = client_dial, .hang_up = client_hang_up, .send = client_send,
						       .own_address = client_own_address };

static int set_up(struct link_nng_client *c)
{
	int r = nng_socket_set_int(c->socket, NNG_OPT_SENDBUF, BUFFERS);

	if (r == 0)
		r = nng_socket_set_int(c->socket, NNG_OPT_RECVBUF, BUFFERS);
	if (r == 0)
		r = nng_socket_set_size(c->socket, NNG_OPT_RECVMAXSZ, RECEIVE_MAX);
	if (r == 0)
		r = nng_pipe_notify(c->socket, NNG_PIPE_EV_ADD_POST, pipe_changed, c);
	if (r == 0)
		r = nng_pipe_notify(c->socket, NNG_PIPE_EV_REM_POST, pipe_changed, c);
	if (r == 0)
		r = nng_socket_get_int(c->socket, NNG_OPT_RECVFD, &c->receive_io.fd);
	return link_nng_error(r);
}

static int watch(struct link_nng_client *c, struct loop *loop)
{
	int r;

	c->event_io = (struct loop_io){ .fd = c->events.event_fd, .events = EPOLLIN, .ready = events_ready };
	c->receive_io.events = EPOLLIN;
	c->receive_io.ready = receive_ready;
	r = loop_add_io(loop, &c->event_io);
	if (r < 0)
		return r;
	return loop_add_io(loop, &c->receive_io);
}

int link_nng_client_new(struct loop *loop, struct link_nng_client **ret_client)
{
	struct link_nng_client *c = calloc(1, sizeof *c);
	int r;

	if (!c)
		return -ENOMEM;
	c->transport.ops = &ops;
	r = handover_init(&c->events);
	if (r < 0) {
		free(c);
		return r;
	}
	r = link_nng_error(nng_req0_open_raw(&c->socket));
	if (r < 0) {
		handover_deinit(&c->events);
		free(c);
		return r;
	}
	r = set_up(c);
	if (r == 0)
		r = watch(c, loop);
	if (r < 0) {
		link_nng_client_free(c);
		return r;
	}
	*ret_client = c;
	return 0;
}

struct link_nng_client *link_nng_client_free(struct link_nng_client *c)
{
	if (!c)
		return NULL;
	loop_remove_io(&c->receive_io);
	loop_remove_io(&c->event_io);
	if (!link_nng_close(c->socket)) { /* a callback of nng's may still come */
		log_warn("link", "nng does not close its socket, leaving it to the end of the process");
		return NULL;
	}
	for (struct handover_item *item = handover_take_all(&c->events), *next; item; item = next) {
		next = item->next;
		free(container_of(item, struct pipe_event, item));
	}
	handover_deinit(&c->events);
	free(c);
	return NULL;
}

struct link_client_transport *link_nng_client_transport(struct link_nng_client *c)
{
	return &c->transport;
}
