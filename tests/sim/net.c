/* net - see net.h. */
#include "tests/sim/net.h"

#include <stdio.h>
#include <stdlib.h>

static struct host *host_of_client(struct world *w, unsigned client)
{
	return &w->hosts[client / 2]; /* each has two ends: one to work with, one to join */
}

/* Frames of the dead go nowhere; those for a stopped process wait; some are lost, doubled or late. */
static void frame_hook(void *ctx, struct link_memory_frame *f)
{
	struct world *w = ctx;
	struct host *h = host_of_client(w, f->client);
	const struct world_rules *rules = &w->rules;

	f->delay_ms = world_below(w, 5);
	if (f->to_server ? disk_is_dead(h->machine.disk) : !w->attached || disk_is_dead(w->attached->machine.disk))
		f->copies = 0;
	if (!w->quiet && f->copies) {
		if (world_chance(w, rules->loss))
			f->copies = 0;
		else if (world_chance(w, rules->duplicates))
			f->copies = 2;
		if (world_chance(w, rules->late))
			f->delay_ms += world_below(w, 3000);
	}
	if (!f->to_server && h->thaw_ms > w->now_ms)
		f->delay_ms += h->thaw_ms - w->now_ms;
	w->hash = (w->hash ^ f->len ^ (f->delay_ms << 20)) * 0x100000001b3u;
	if (w->trace)
		fprintf(stderr, "%9llu %s %s %zu bytes x%u in %llu ms\n", (unsigned long long)(w->now_ms - WORLD_START_MS), h->machine.name,
			f->to_server ? "->" : "<-", f->len, f->copies, (unsigned long long)f->delay_ms);
}

static void from_network(void *owner, const struct link_route *route, const struct link_source *source, const uint8_t *frame, size_t len)
{
	struct world *w = owner;
	struct ctl *ctl = w->attached;

	if (!ctl || !ctl_is_alive(ctl))
		return;
	w->actor = ctl;
	ctl->transport.received(ctl->transport.owner, route, source, frame, len);
	w->actor = NULL;
}

static int to_network(struct link_server_transport *t, const struct link_route *route, const void *frame, size_t len)
{
	struct ctl *ctl = container_of(t, struct ctl, transport);
	struct world *w = ctl->machine.world;

	return w->attached == ctl ? w->real_server->ops->reply(w->real_server, route, frame, len) : 0;
}

static int plug_dial(struct link_client_transport *t, const char *address)
{
	struct plug *p = container_of(t, struct plug, transport);

	return p->real->ops->dial(p->real, address);
}

static void plug_hang_up(struct link_client_transport *t)
{
	struct plug *p = container_of(t, struct plug, transport);

	p->real->ops->hang_up(p->real);
}

static int plug_send(struct link_client_transport *t, uint32_t request_id, const void *frame, size_t len)
{
	struct plug *p = container_of(t, struct plug, transport);

	return p->real->ops->send(p->real, request_id, frame, len);
}

static void plug_connected(void *owner)
{
	struct plug *p = owner;

	p->host->machine.world->actor = p->host;
	p->transport.connected(p->transport.owner);
	p->host->machine.world->actor = NULL;
}

static void plug_disconnected(void *owner)
{
	struct plug *p = owner;

	p->host->machine.world->actor = p->host;
	p->transport.disconnected(p->transport.owner);
	p->host->machine.world->actor = NULL;
}

static void plug_reply(void *owner, uint32_t request_id, const uint8_t *frame, size_t len)
{
	struct plug *p = owner;

	p->host->machine.world->actor = p->host;
	p->transport.reply(p->transport.owner, request_id, frame, len);
	p->host->machine.world->actor = NULL;
}

void net_plug_in(struct host *h, struct plug *p)
{
	static const struct link_client_transport_ops ops = { .dial = plug_dial, .hang_up = plug_hang_up, .send = plug_send };

	p->host = h;
	p->transport.ops = &ops;
	if (link_memory_add_client(h->machine.world->net, &p->real, &p->client) < 0)
		abort();
	p->real->connected = plug_connected;
	p->real->disconnected = plug_disconnected;
	p->real->reply = plug_reply;
	p->real->owner = p;
}

void net_make(struct world *w)
{
	static const struct link_server_transport_ops ops = { .reply = to_network };

	if (link_memory_new(&w->clock, &w->net) < 0)
		abort();
	w->real_server = link_memory_server(w->net);
	w->real_server->received = from_network;
	w->real_server->owner = w;
	link_memory_set_hook(w->net, frame_hook, w);
	for (size_t i = 0; i < CTLS_MAX; i++)
		w->ctls[i].transport.ops = &ops;
}
