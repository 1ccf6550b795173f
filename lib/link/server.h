/* server - the controller's end of the link: handshakes, sessions, one outstanding call per method and session, and the decision
 * who holds an identity that two claim. Payloads of calls are opaque here. It owns no timer and does no I/O of its own: frames come
 * from the transport, time from the clock.
 *
 * Life of a call: request() with a handle, then exactly one of link_server_reply() or abandoned(). A reply may be given from inside
 * request(). Callbacks may call any function of this header except link_server_free. */
#pragma once
#include "lib/base/clock.h"
#include "lib/base/crypto.h"
#include "lib/link/admission.h"
#include "lib/link/drop.h"
#include "lib/link/frame.h"
#include "lib/link/transport.h"

struct link_server;

#define LINK_REPLY_MAX (LINK_TO_CLIENT_MAX - LINK_CALL_OVERHEAD) /* payload bytes of a reply */

struct link_request {
	uint64_t handle; /* never 0, never used twice */
	enum link_method method;
	uint8_t peer_key[CRYPTO_KEY_LEN];
	uint32_t host; /* 0 in a session of kind enroll */
	uint32_t session;
	uint8_t boot_id[LINK_BOOT_ID_LEN];
	uint64_t boot_count;
	uint64_t features;
	struct link_source source;
	bool clone; /* another with the same key holds the identity: answer FENCED, change nothing */
	const uint8_t *payload; /* valid until the callback returns */
	size_t len;
};

/* Two claim one identity. The holder keeps it while it polls; called once per session of the other. */
struct link_clone {
	uint8_t peer_key[CRYPTO_KEY_LEN];
	uint32_t host;
	uint8_t holder_boot_id[LINK_BOOT_ID_LEN], clone_boot_id[LINK_BOOT_ID_LEN];
	uint64_t holder_boot_count, clone_boot_count;
	struct link_source holder_source, clone_source;
};

enum { LINK_WHO_UNKNOWN = 1, LINK_WHO_REVOKED = 2 };

struct link_server_events {
	/* Whose link key is this? 0 and the host word of a node; LINK_WHO_UNKNOWN: it may only enroll; LINK_WHO_REVOKED: refused. */
	int (*who)(void *ctx, const uint8_t key[CRYPTO_KEY_LEN], uint32_t *ret_host);
	void (*request)(void *ctx, const struct link_request *request);
	/* The handle is dead: a newer call of the same session replaced it, or the session ended. Nothing is to be sent. */
	void (*abandoned)(void *ctx, uint64_t handle);
	void (*clone)(void *ctx, const struct link_clone *clone);
};

struct link_server_config {
	uint8_t private_key[CRYPTO_KEY_LEN];
	uint64_t features;            /* told to nodes in Welcome */
	uint32_t park_ms;             /* 0 = 25 s; a holder counts as present for two of them */
	uint64_t session_life_ms;     /* 0 = 70 min: the client rekeys after 60 */
	struct link_admission_limits admission; /* all zero = defaults */
};

/* The transport must outlive the server; the server sets its owner and callback. */
int link_server_new(const struct clock *clock, struct link_server_transport *transport, const struct link_server_config *config,
		    const struct link_server_events *events, void *ctx, struct link_server **ret_server);
struct link_server *link_server_free(struct link_server *server); /* outstanding calls are abandoned first */

/* -ENOENT: abandoned already or no such handle; -EMSGSIZE: above LINK_REPLY_MAX (the call stays open); else what the transport
 * said, and the call is over: the client repeats by its own clock. */
int link_server_reply(struct link_server *server, uint64_t handle, const void *payload, size_t len);

/* Ends every session of that key at once (revoked or deleted node); its calls are abandoned. */
void link_server_end_peer(struct link_server *server, const uint8_t key[CRYPTO_KEY_LEN]);
void link_server_set_park_ms(struct link_server *server, uint32_t park_ms);
const uint8_t *link_server_public_key(const struct link_server *server);

struct link_server_stats {
	uint64_t dropped[LINK_DROPS];
	uint64_t handshakes, confirmed, requests, replies, replies_lost, abandoned, clones, hints, cookies;
	size_t sessions, provisional, calls; /* now */
};
const struct link_server_stats *link_server_stats(const struct link_server *server);
