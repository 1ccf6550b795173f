/* transport - what carries the link's frames: one seam for both ends, with a real version (nng_server.h, nng_client.h) and one in
 * memory (memory.h) for tests and simulators.
 *
 * A frame is opaque bytes. The client end sends requests, each with a request id of ours (top bit set), and may have several
 * outstanding; an id may be answered any number of times, also late and by strangers, so whoever takes a reply believes nothing.
 * Delivery is never certain and no loss is reported. Bytes given to a callback live until it returns; sending copies. */
#pragma once
#include "lib/base/err.h"

#define LINK_TO_SERVER_MAX (128 * 1024 - 64) /* a frame towards the controller (its nng RECVMAXSZ is 128 KiB) */
#define LINK_TO_CLIENT_MAX (1024 * 1024 - 64) /* a frame towards a node (1 MiB) */
#define LINK_REQUEST_ID_BIT 0x80000000u

/* Where a reply goes: the raw REP header, pipe id then request id. Opaque to all but its transport. */
#define LINK_ROUTE_LEN 8
struct link_route {
	uint8_t bytes[LINK_ROUTE_LEN];
};

/* The sender's address as 16 bytes (IPv4 mapped), without port. len 0 = the transport does not know. */
struct link_source {
	uint8_t len;
	uint8_t address[16];
};

struct link_server_transport;
struct link_server_transport_ops {
	/* -EMSGSIZE if above LINK_TO_CLIENT_MAX; -ENOBUFS if the transport's own queue is full; 0 does not mean it arrives. */
	int (*reply)(struct link_server_transport *t, const struct link_route *route, const void *frame, size_t len);
};
struct link_server_transport {
	const struct link_server_transport_ops *ops;
	/* set by the user of the transport before frames can come */
	void (*received)(void *owner, const struct link_route *route, const struct link_source *source, const uint8_t *frame,
			 size_t len);
	void *owner;
};

struct link_client_transport;
struct link_client_transport_ops {
	/* One attempt; an earlier connection or attempt is given up without an event. It ends in connected(), in disconnected() if
	 * the transport learns of the failure, or in neither: the user keeps the time limit. address is "host:port". */
	int (*dial)(struct link_client_transport *t, const char *address);
	void (*hang_up)(struct link_client_transport *t); /* no event follows */
	/* -ENOTCONN, -EMSGSIZE (above LINK_TO_SERVER_MAX), -ENOBUFS. */
	int (*send)(struct link_client_transport *t, uint32_t request_id, const void *frame, size_t len);
	/* Our end of the connection; len 0 = there is none, or no telling. May be NULL. */
	void (*own_address)(struct link_client_transport *t, struct link_source *ret);
};
struct link_client_transport {
	const struct link_client_transport_ops *ops;
	/* set by the user of the transport before it dials */
	void (*connected)(void *owner);
	void (*disconnected)(void *owner);
	void (*reply)(void *owner, uint32_t request_id, const uint8_t *frame, size_t len);
	void *owner;
};
