/* client - a node's end of the link: dials, proves who it is, and makes calls. States:
 *
 *   idle -> dialing -> handshaking -> ready          any -> idle by stop
 *
 * A lost connection goes back to dialing after a back-off with full jitter; the session outlives it and is used again without a
 * handshake. A hint, an old session or a session that answers nothing goes to handshaking, with the old one kept until the new one
 * stands. A call is sent once, with a counter of its own; it is never repeated. If it cannot be answered its done() says so and the
 * caller makes a new call. Calls made before the link is ready wait for it until their own deadline.
 *
 * Time is driven by the owner: wake_at() tells when link_client_tick() is due. */
#pragma once
#include "lib/base/clock.h"
#include "lib/base/crypto.h"
#include "lib/link/drop.h"
#include "lib/link/frame.h"
#include "lib/link/transport.h"

struct link_client;

#define LINK_REQUEST_MAX (LINK_TO_SERVER_MAX - LINK_CALL_OVERHEAD) /* payload bytes of a call */
#define LINK_CLIENT_ADDRESSES_MAX 8

enum link_client_state { LINK_CLIENT_IDLE, LINK_CLIENT_DIALING, LINK_CLIENT_HANDSHAKING, LINK_CLIENT_READY };

enum link_result {
	LINK_OK,       /* payload is the reply */
	LINK_TIMEOUT,  /* no reply by the deadline */
	LINK_LOST,     /* connection or session went away under it: it may or may not have been obeyed */
	LINK_REPLACED, /* by a newer Poll */
	LINK_STOPPED,  /* by link_client_stop or link_client_free */
};

/* Called exactly once per accepted call. It may make new calls and may stop the client, not free it. Only LINK_REPLACED comes from
 * inside link_client_call: of the Poll that was replaced, before the new one is sent. */
typedef void link_done_fn(void *ctx, enum link_result result, const uint8_t *payload, size_t len);

struct link_client_events {
	void (*wake_at)(void *ctx, uint64_t mono_ms);                   /* call link_client_tick then; a later call replaces */
	void (*state)(void *ctx, enum link_client_state state);         /* may be NULL; may make calls, not start or stop */
};

struct link_client_config {
	enum link_kind kind;
	uint8_t private_key[CRYPTO_KEY_LEN];    /* own link key */
	uint8_t controller_key[CRYPTO_KEY_LEN];
	const char *addresses[LINK_CLIENT_ADDRESSES_MAX]; /* "host:port", copied; tried in turn */
	size_t n_addresses;
	uint8_t boot_id[LINK_BOOT_ID_LEN];
	uint64_t boot_count;
	uint64_t features;
	uint32_t park_ms;        /* 0 = 25 s: a Poll is given up after twice that */
	uint32_t call_ms;        /* 0 = 30 s: the limit of the other methods */
	uint64_t rekey_ms;       /* 0 = 1 h */
	uint64_t rekey_messages; /* 0 = 2^32 */
};

int link_client_new(const struct clock *clock, struct link_client_transport *transport, const struct link_client_config *config,
		    const struct link_client_events *events, void *ctx, struct link_client **ret_client);
struct link_client *link_client_free(struct link_client *client);

void link_client_start(struct link_client *client);
void link_client_stop(struct link_client *client); /* all calls end with LINK_STOPPED, the session is wiped */
void link_client_tick(struct link_client *client);

/* -EBUSY: a call of this method is outstanding (a Poll replaces the outstanding Poll instead); -EMSGSIZE: above LINK_REQUEST_MAX;
 * -EINVAL: the kind of this client may not call that; -ENOMEM. */
int link_client_call(struct link_client *client, enum link_method method, const void *payload, size_t len, link_done_fn *done,
		     void *done_ctx) MUST_CHECK;
bool link_client_busy(const struct link_client *client, enum link_method method);

enum link_client_state link_client_state(const struct link_client *client);
const char *link_client_address(const struct link_client *client); /* dialled or connected now */
/* This machine's address as it is towards the controller, by the connection that stands: no question of a name, no packet. */
void link_client_own_address(const struct link_client *client, struct link_source *ret);
uint64_t link_client_features(const struct link_client *client);   /* the controller's, 0 before the first session */
void link_client_set_park_ms(struct link_client *client, uint32_t park_ms); /* as a PollReply said; for later calls */

struct link_client_stats {
	uint64_t dropped[LINK_DROPS];
	uint64_t dials, connects, handshakes, sessions, cookies, hints, calls, replies, timeouts, lost;
};
const struct link_client_stats *link_client_stats(const struct link_client *client);
