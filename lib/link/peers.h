/* peers - who the server talks to: peers by (kind, static key), their sessions by number, and the decision which session speaks
 * for an identity. No I/O and no callbacks: whoever ends a session here gets the handles of its open calls back.
 *
 * Memory: a node peer exists only for a key that the controller knows; enroll peers are at most LINK_ENROLL_PEERS, oldest out
 * first; unconfirmed sessions at most LINK_PROVISIONAL_MAX, of which strangers get LINK_PROVISIONAL_ENROLL. A peer has one session
 * of each role at most. */
#pragma once
#include "lib/base/map.h"
#include "lib/link/handshake.h"

#define LINK_PROVISIONAL_MAX 64
#define LINK_PROVISIONAL_ENROLL 16
#define LINK_PROVISIONAL_MS 10000 /* a node confirms within one round trip */
#define LINK_PROVISIONAL_YIELD_MS 2000 /* when all places are taken, one this old is given away */
#define LINK_ENROLL_PEERS 256

enum link_role {
	LINK_ROLE_PROVISIONAL, /* no valid message yet: may be a replayed handshake */
	LINK_ROLE_HOLDER,      /* speaks for the identity */
	LINK_ROLE_CLONE,       /* a second one with the same key, while the holder is there */
	LINK_ROLES
};

struct link_call_slot {
	uint64_t handle; /* 0 = none open */
	uint64_t counter;
	struct link_route route;
};

struct link_peer;

struct link_peer_session {
	struct link_session crypto;
	struct link_peer *peer;
	enum link_role role;
	struct link_hello hello;
	struct link_source source; /* of the last authentic message */
	struct link_call_slot calls[LINK_METHODS];
	uint64_t last_counter[LINK_METHODS]; /* of the newest request of each method */
	bool alarmed;
};

struct link_peer {
	uint8_t id[1 + CRYPTO_KEY_LEN]; /* kind, static key: the map's key */
	uint32_t host;
	struct link_peer_session *sessions[LINK_ROLES];
	/* replays: the newest stamp of the highest boot count, and the newest of all */
	bool stamped;
	uint64_t boot_count;
	uint8_t boot_stamp[TAI64N_LEN], top_stamp[TAI64N_LEN];
	/* who holds the identity, also after its session ended */
	bool held;
	struct link_hello holder;
	struct link_source holder_source;
	uint64_t holder_seen_ms; /* last poll or confirmation */
	struct link_peer *older, *newer; /* enroll peers by age */
};

struct link_peers {
	struct clock clock;
	struct map peers;    /* by id */
	struct map sessions; /* by session number */
	struct link_peer_session *provisional[LINK_PROVISIONAL_MAX];
	size_t n_provisional;
	struct link_peer *oldest_enroll, *newest_enroll;
	size_t n_enroll;
};

/* Handles of calls that died with sessions; the caller tells their owner when the tables are consistent again. */
struct link_dead {
	uint64_t handles[LINK_ROLES * LINK_METHODS];
	size_t n;
};

void link_peers_init(struct link_peers *p, const struct clock *clock);
void link_peers_deinit(struct link_peers *p);

static inline uint8_t link_peer_kind(const struct link_peer *peer)
{
	return peer->id[0];
}
static inline const uint8_t *link_peer_key(const struct link_peer *peer)
{
	return peer->id + 1;
}
struct link_peer *link_peers_find(struct link_peers *p, uint8_t kind, const uint8_t key[CRYPTO_KEY_LEN]);
/* Finds or makes it. -ENOMEM. */
int link_peers_get(struct link_peers *p, uint8_t kind, const uint8_t key[CRYPTO_KEY_LEN], struct link_peer **ret_peer) MUST_CHECK;
void link_peers_remove(struct link_peers *p, struct link_peer *peer, struct link_dead *dead);

/* Does this Hello rise over all we had from the peer? If so it is remembered. A higher boot count rises too: a machine whose clock
 * went back across a restart must not be locked out; what was recorded in an earlier boot still has to beat every stamp. */
bool link_peer_rises(struct link_peer *peer, const struct link_hello *hello);

struct link_peer_session *link_peers_session(struct link_peers *p, uint32_t id);
/* A number that no session has. */
uint32_t link_peers_free_id(struct link_peers *p);
/* A provisional session, in the place of an earlier one of the peer. E_REFUSED: all places are taken. -ENOMEM. */
int link_peers_add_provisional(struct link_peers *p, struct link_peer *peer, const struct link_session *crypto,
			       const struct link_hello *hello) MUST_CHECK;
/* The first valid message came: the session becomes holder or clone, and what it displaces ends. Also lets a clone become the
 * holder once the holder was silent for absent_ms. */
void link_peers_decide(struct link_peers *p, struct link_peer_session *s, uint64_t absent_ms, struct link_dead *dead);
void link_peers_end(struct link_peers *p, struct link_peer_session *s, struct link_dead *dead);
/* Ends provisional sessions past their time. They have no calls. */
void link_peers_sweep(struct link_peers *p);
