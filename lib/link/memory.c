/* memory - see memory.h. Everything that will happen is one list ordered by time and, within a time, by when it was asked for. */
#include "lib/link/memory.h"

#include "lib/base/buf.h"

#include <stdlib.h>
#include <string.h>

enum event_type { EVENT_FRAME, EVENT_CONNECTED, EVENT_DISCONNECTED };

struct event {
	struct event *next;
	enum event_type type;
	uint64_t due_ms;
	uint32_t pipe; /* the connection it belongs to; 0 = none: injected */
	struct link_memory_frame frame;
	struct link_source source;
};

struct client {
	struct link_client_transport transport;
	struct link_memory *net;
	unsigned number;
	unsigned cut;
	uint32_t pipe;    /* the connection in use or being made, 0 = none */
	bool established;
	struct link_source source;
};

struct link_memory {
	struct clock clock;
	struct link_server_transport server;
	struct client **clients;
	unsigned n_clients;
	struct event *events;
	uint32_t last_pipe;
	uint64_t delay_ms;
	bool server_down;
	link_memory_hook *hook;
	void *hook_ctx;
};

static void event_free(struct event *e)
{
	free(e->frame.bytes);
	free(e);
}

static void schedule(struct link_memory *net, struct event *e, uint64_t delay_ms)
{
	struct event **at = &net->events;

	e->due_ms = clock_mono_ms(&net->clock) + delay_ms;
	while (*at && (*at)->due_ms <= e->due_ms)
		at = &(*at)->next;
	e->next = *at;
	*at = e;
}

static struct event *event_new(enum event_type type, uint32_t pipe, unsigned client)
{
	struct event *e = calloc(1, sizeof *e);

	if (!e)
		abort(); /* a test without memory has nothing to test */
	e->type = type;
	e->pipe = pipe;
	e->frame.client = client;
	return e;
}

static struct event *frame_event(uint32_t pipe, const struct link_memory_frame *frame, const void *bytes, size_t len,
				 const struct link_source *source)
{
	struct event *e = event_new(EVENT_FRAME, pipe, frame->client);

	e->frame = *frame;
	e->frame.bytes = malloc(len ? len : 1);
	if (!e->frame.bytes)
		abort();
	memcpy(e->frame.bytes, bytes, len);
	e->frame.len = len;
	if (source)
		e->source = *source;
	return e;
}

static void send_frame(struct link_memory *net, struct client *c, const struct link_memory_frame *frame, const void *bytes, size_t len)
{
	struct event *e = frame_event(c->pipe, frame, bytes, len, &c->source);
	struct link_memory_frame *f = &e->frame;

	f->copies = 1;
	f->delay_ms = net->delay_ms;
	if (net->hook)
		net->hook(net->hook_ctx, f);
	if (c->cut & (f->to_server ? LINK_CUT_TO_SERVER : LINK_CUT_TO_CLIENT))
		f->copies = 0;
	for (unsigned i = 1; i < f->copies; i++)
		schedule(net, frame_event(c->pipe, f, f->bytes, f->len, &c->source), f->delay_ms);
	if (f->copies)
		schedule(net, e, f->delay_ms);
	else
		event_free(e);
}

/* ------------------------------------------------------------------------------------------------------------ transports */

static int client_send(struct link_client_transport *t, uint32_t request_id, const void *bytes, size_t len)
{
	struct client *c = container_of(t, struct client, transport);
	struct link_memory_frame frame = { .client = c->number, .to_server = true, .request_id = request_id };

	if (!c->established)
		return -ENOTCONN;
	if (len > LINK_TO_SERVER_MAX)
		return -EMSGSIZE;
	put_u32(frame.route.bytes, c->pipe);
	put_u32(frame.route.bytes + 4, request_id | LINK_REQUEST_ID_BIT);
	send_frame(c->net, c, &frame, bytes, len);
	return 0;
}

static void client_hang_up(struct link_client_transport *t)
{
	struct client *c = container_of(t, struct client, transport);

	c->pipe = 0;
	c->established = false;
}

static int client_dial(struct link_client_transport *t, const char *address)
{
	struct client *c = container_of(t, struct client, transport);

	(void)address;
	client_hang_up(t);
	c->pipe = ++c->net->last_pipe;
	if (c->cut & LINK_CUT_DIAL)
		return 0;
	schedule(c->net, event_new(c->net->server_down ? EVENT_DISCONNECTED : EVENT_CONNECTED, c->pipe, c->number), c->net->delay_ms);
	return 0;
}

static const struct link_client_transport_ops client_ops = { .dial = client_dial, .hang_up = client_hang_up, .send = client_send };

static int server_reply(struct link_server_transport *t, const struct link_route *route, const void *bytes, size_t len)
{
	struct link_memory *net = container_of(t, struct link_memory, server);
	uint32_t pipe = get_u32(route->bytes);

	if (len > LINK_TO_CLIENT_MAX)
		return -EMSGSIZE;
	for (unsigned i = 0; i < net->n_clients; i++) {
		struct client *c = net->clients[i];
		struct link_memory_frame frame = { .client = i, .request_id = get_u32(route->bytes + 4), .route = *route };

		if (pipe && c->pipe == pipe)
			send_frame(net, c, &frame, bytes, len);
	}
	return 0; /* a reply to a connection that is gone counts as sent, as with nng */
}

static const struct link_server_transport_ops server_ops = { .reply = server_reply };

/* ---------------------------------------------------------------------------------------------------------------- public */

int link_memory_new(const struct clock *clock, struct link_memory **ret_net)
{
	struct link_memory *net = calloc(1, sizeof *net);

	if (!net)
		return -ENOMEM;
	net->clock = *clock;
	net->server.ops = &server_ops;
	*ret_net = net;
	return 0;
}

struct link_memory *link_memory_free(struct link_memory *net)
{
	if (!net)
		return NULL;
	for (struct event *e = net->events, *next; e; e = next) {
		next = e->next;
		event_free(e);
	}
	for (unsigned i = 0; i < net->n_clients; i++)
		free(net->clients[i]);
	free(net->clients);
	free(net);
	return NULL;
}

struct link_server_transport *link_memory_server(struct link_memory *net)
{
	return &net->server;
}

int link_memory_add_client(struct link_memory *net, struct link_client_transport **ret_transport, unsigned *ret_client)
{
	struct client **more = realloc(net->clients, (net->n_clients + 1) * sizeof *more), *c;

	if (!more)
		return -ENOMEM;
	net->clients = more;
	c = calloc(1, sizeof *c);
	if (!c)
		return -ENOMEM;
	c->transport.ops = &client_ops;
	c->net = net;
	c->number = net->n_clients;
	c->source = (struct link_source){ .len = 16, .address = { 0xfd } };
	put_u32(c->source.address + 12, c->number + 1);
	net->clients[net->n_clients++] = c;
	*ret_transport = &c->transport;
	*ret_client = c->number;
	return 0;
}

void link_memory_set_source(struct link_memory *net, unsigned client, const struct link_source *source)
{
	net->clients[client]->source = *source;
}

void link_memory_set_hook(struct link_memory *net, link_memory_hook *hook, void *ctx)
{
	net->hook = hook;
	net->hook_ctx = ctx;
}

void link_memory_set_delay(struct link_memory *net, uint64_t delay_ms)
{
	net->delay_ms = delay_ms;
}

void link_memory_set_cut(struct link_memory *net, unsigned client, unsigned cut)
{
	net->clients[client]->cut = cut;
}

void link_memory_disconnect(struct link_memory *net, unsigned client)
{
	struct client *c = net->clients[client];

	if (c->established)
		schedule(net, event_new(EVENT_DISCONNECTED, c->pipe, client), 0);
}

void link_memory_set_server_up(struct link_memory *net, bool up)
{
	net->server_down = !up;
	for (unsigned i = 0; !up && i < net->n_clients; i++)
		link_memory_disconnect(net, i);
}

void link_memory_inject_to_server(struct link_memory *net, const struct link_route *route, const struct link_source *source,
				  const void *bytes, size_t len)
{
	struct link_memory_frame frame = { .to_server = true, .route = *route, .request_id = get_u32(route->bytes + 4) };

	schedule(net, frame_event(0, &frame, bytes, len, source), 0);
}

void link_memory_inject_to_client(struct link_memory *net, unsigned client, uint32_t request_id, const void *bytes, size_t len)
{
	struct link_memory_frame frame = { .client = client, .request_id = request_id };

	schedule(net, frame_event(0, &frame, bytes, len, NULL), 0);
}

static void deliver_frame(struct link_memory *net, const struct event *e)
{
	const struct link_memory_frame *f = &e->frame;
	struct client *c;

	if (f->to_server) {
		/* what was on the wire still arrives after a hang-up, as with TCP; not at a server that is down */
		if (!net->server_down && net->server.received)
			net->server.received(net->server.owner, &f->route, &e->source, f->bytes, f->len);
		return;
	}
	c = net->clients[f->client];
	if (c->established && (e->pipe == 0 || e->pipe == c->pipe))
		c->transport.reply(c->transport.owner, f->request_id, f->bytes, f->len);
}

static void deliver(struct link_memory *net, const struct event *e)
{
	struct client *c;

	if (e->type == EVENT_FRAME) {
		deliver_frame(net, e);
		return;
	}
	c = net->clients[e->frame.client];
	if (c->pipe != e->pipe)
		return; /* hung up or dialled anew since */
	c->established = e->type == EVENT_CONNECTED && !net->server_down;
	if (c->established) {
		c->transport.connected(c->transport.owner);
		return;
	}
	c->pipe = 0;
	c->transport.disconnected(c->transport.owner);
}

bool link_memory_step(struct link_memory *net)
{
	struct event *e = net->events;

	if (!e || e->due_ms > clock_mono_ms(&net->clock))
		return false;
	net->events = e->next;
	deliver(net, e);
	event_free(e);
	return true;
}

void link_memory_settle(struct link_memory *net)
{
	while (link_memory_step(net))
		;
}

uint64_t link_memory_next_ms(const struct link_memory *net)
{
	return net->events ? net->events->due_ms : UINT64_MAX;
}
