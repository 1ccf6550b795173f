/* memory - a network in memory for tests and simulators: one server, any number of clients, on a virtual clock. Nothing moves until
 * link_memory_step is called; the order depends only on the clock and on what was sent, so a run can be repeated exactly. */
#pragma once
#include "lib/base/clock.h"
#include "lib/link/transport.h"

struct link_memory;

enum link_memory_cut {
	LINK_CUT_NONE = 0,
	LINK_CUT_TO_SERVER = 1, /* frames that way vanish; the connection looks alive (half-open) */
	LINK_CUT_TO_CLIENT = 2,
	LINK_CUT_DIAL = 4,      /* new connections do not come up and no one is told */
};

/* A frame on its way; the hook may change what becomes of it, and its bytes. */
struct link_memory_frame {
	unsigned client;
	bool to_server;
	uint32_t request_id;
	struct link_route route;
	uint8_t *bytes;
	size_t len;
	unsigned copies;   /* 1; 0 drops, 2 duplicates */
	uint64_t delay_ms; /* the network's; more makes it late, also behind others */
};
typedef void link_memory_hook(void *ctx, struct link_memory_frame *frame);

int link_memory_new(const struct clock *clock, struct link_memory **ret_net);
struct link_memory *link_memory_free(struct link_memory *net);
struct link_server_transport *link_memory_server(struct link_memory *net);
/* A new client end, owned by the net; *ret_client is its number (0, 1, ...). Its source address is fd00::<number + 1>. */
int link_memory_add_client(struct link_memory *net, struct link_client_transport **ret_transport, unsigned *ret_client);
void link_memory_set_source(struct link_memory *net, unsigned client, const struct link_source *source);

void link_memory_set_hook(struct link_memory *net, link_memory_hook *hook, void *ctx);
void link_memory_set_delay(struct link_memory *net, uint64_t delay_ms); /* 0 at first */
void link_memory_set_cut(struct link_memory *net, unsigned client, unsigned cut);
void link_memory_disconnect(struct link_memory *net, unsigned client); /* the client is told, in a step */
/* The server's machine goes down (all connections break, dialling fails) or comes up again. */
void link_memory_set_server_up(struct link_memory *net, bool up);

/* Frames out of nowhere: to the server over any route, to a client as answer to any request. */
void link_memory_inject_to_server(struct link_memory *net, const struct link_route *route, const struct link_source *source,
				  const void *frame, size_t len);
void link_memory_inject_to_client(struct link_memory *net, unsigned client, uint32_t request_id, const void *frame, size_t len);

/* Delivers the first thing that is due. False: nothing is due now. */
bool link_memory_step(struct link_memory *net);
void link_memory_settle(struct link_memory *net);          /* steps until nothing is due now */
uint64_t link_memory_next_ms(const struct link_memory *net); /* when the next thing is due; UINT64_MAX: nothing waits */
