/* peers - what gateways see of their peers: kept in memory alone, for as long as the peer is there and this controller runs. After a
 * start nothing is known until the gateways say it again, and "not known" is told apart from "never". Only the gateway that a peer has
 * now is heard. Also when peers are due to be deleted: their time is up, or they are ephemeral and unused. */
#pragma once
#include "controller/api/api_env.h"
#include "controller/store/store_peer.h"
#include "lib/base/map.h"

#define PEERS_REPORT_MAX 1024              /* in one report */
#define PEERS_ONLINE_MS 180000u            /* WireGuard makes a new handshake every two minutes while there is traffic */
#define PEERS_IDLE_MS (24ull * 3600 * 1000) /* an ephemeral peer without a handshake for so long is deleted */
#define PEERS_LOOK_MS 30000u               /* how often who went offline and who is idle is looked for */
#define PEERS_SETTLED_MS 600000u           /* a gateway that is back has said by then what it knows */

struct controller;
struct node_entry;

/* One entry of a report, checked. */
struct peer_seen {
	uint8_t id[ID_LEN];
	uint64_t last_handshake_ms; /* Unix time; 0 = never */
	uint64_t rx_bytes, tx_bytes;
	char endpoint[ADDR_ENDPOINT_TEXT_LEN]; /* "" = not yet */
};

struct peers {
	struct map known; /* id -> what is known of it: seen, or ephemeral */
	uint64_t expiry_ms; /* Unix time of the next that expires; UINT64_MAX = none */
	uint64_t look_ms, sweep_ms; /* monotonic */
	bool sweeping;
	unsigned told;      /* events since the last look */
	size_t untold;      /* and those that were too many */
};

void peers_init(struct controller *c);
void peers_deinit(struct peers *p);
/* A record of kind PEER became current, or was deleted. */
void peers_note_record(struct controller *c, const struct record *record);
/* A report of that node. Entries of peers that do not end there are left out and counted; one that was on its way there has arrived
 * (peer_arrivals.h). *ret_used (room for n): those whose first handshake this is, as far as this controller knows. */
void peers_take(struct controller *c, const struct node_entry *node, const struct peer_seen *seen, size_t n, uint8_t (*ret_used)[ID_LEN],
		size_t *ret_n_used);
/* That was stored, as the word of the node `host`. */
void peers_used_stored(struct controller *c, uint32_t host, const uint8_t (*ids)[ID_LEN], size_t n);
/* As api_env_ops.peer_state. False: no such peer. */
bool peers_state(const struct controller *c, const uint8_t id[ID_LEN], struct api_peer_state *ret);
/* In every tick; the next time to look. */
uint64_t peers_run(struct controller *c);
