/* peers - brings WireGuard and the ways to what the records ask for, and keeps them there. All of it within the call, so that what is
 * acknowledged is true: one new peer takes a millisecond, 10,000 as long as a bare wireguard-go needs for them (0.12 ms each and more on
 * a busy machine). Nothing that is equal is touched, and the set of a live device is never replaced. */
#pragma once
#include "gateway/plan.h"
#include "gateway/ways.h"

struct peers;

struct peers_parts {
	const struct role_env *env;
	const struct wg *wg;
	const uint8_t *own_key;      /* public key of the device */
	const struct ways_ops *ways;
	void *ways_ctx;
	/* Nothing is asked of a WireGuard that did not answer the last time: it is being replaced. */
	bool (*answers)(void *ctx);
	void *ctx;
};

int peers_new(const struct peers_parts *parts, struct peers **ret_peers);
struct peers *peers_free(struct peers *p); /* NULL is fine; returns NULL. Changes nothing of the machine. */

/* The desired state, kept until the next call. Errors are told per peer, or of the node. */
void peers_sync(struct peers *p, const struct role_desired *desired);
/* The device came back and knows nobody. Those who were connected a moment ago (by the last dump) get their endpoint back and are greeted:
 * they need not find out that we forgot them. */
int peers_replay(struct peers *p, struct why *why);
/* All sessions are gone, the entries are not: opens one with everybody who was connected. */
void peers_greet(struct peers *p);
/* A number that changes whenever WireGuard is changed here: a dump from before says nothing about what is right now. */
uint64_t peers_changes(const struct peers *p);
const struct histogram *peers_installs(const struct peers *p); /* how long each of them took */
/* What a dump of the device says, taken over for good: strays are removed, what is missing or was changed is put right, each told as a
 * repair. Nothing is looked for before the first sync. */
void peers_compare(struct peers *p, const struct wg_observed *observed);
/* The same for the ways, which are looked at here. */
void peers_compare_ways(struct peers *p);
/* Without telling: the device went down, and its routes with it. */
int peers_lay_ways(struct peers *p);
/* The ways go; what is in WireGuard goes with the device. */
void peers_wipe(struct peers *p);

/* The peer behind a key of the device, and the last look at it. NULL: it is nobody's. Valid until the next call that changes something. */
struct peers_entry {
	uint8_t id[8];
	uint64_t v;                /* of the record */
	uint64_t wanted_ms;        /* monotonic: when it was first asked for here; 0 = it was in the device before us */
	struct wg_peer_status seen; /* allowed is not kept */
	bool is_seen;
	uint64_t said_ms;          /* for stats.c: when the controller was last told, and what */
	uint64_t said_handshake_s, said_rx, said_tx;
	struct sockaddr_storage said_endpoint;
};
struct peers_entry *peers_find(const struct peers *p, const uint8_t public_key[WG_KEY_LEN]);
size_t peers_count(const struct peers *p);
