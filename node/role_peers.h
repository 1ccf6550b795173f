/* role_peers - the peers whose tunnel ends on this machine, or may: one that moves is known to two gateways, and whoever was given its key
 * lets it in. As the gateway role gets them: the records of kind peer and peer_key joined with their network. Kept from one apply to the next, because a gateway has thousands and most changes are about something else. */
#pragma once
#include "node/errors.h"
#include "node/replica.h"
#include "node/role.h"

struct role_peers {
	struct role_peer *items; /* sorted by id */
	size_t n;
	uint32_t *networks; /* sorted: those in which a peer of this gateway may speak */
	size_t n_networks;
	struct node_errors errors; /* records that cannot be read, and peers whose time is up */
	uint64_t due_ms; /* Unix time of the next that expires; UINT64_MAX = none does */
	size_t n_over;   /* those that have */
	uint64_t stamp; /* another one = something may have changed */
	bool stale;     /* the records have changed since, or memory ran out in the middle */
};

/* Has this change to do with peers? Then the next role_peers_get reads the records again. */
void role_peers_changed(struct role_peers *peers, const struct replica_change *change);
/* Fills in peers, networks and stamp of *desired: borrowed until the next call. One whose time is up is suspended: now_ms
 * is Unix time, or 0 while the controller is there to say who has expired. -ENOMEM: as they were. */
int role_peers_get(struct role_peers *peers, const struct replica *replica, uint32_t self, uint64_t now_ms, struct role_desired *desired);
void role_peers_deinit(struct role_peers *peers);
