/* store_peer_move - a peer moves to another gateway and keeps name and address. Make before break, in two steps:
 *   1. store_peer_move: the new gateway is given the key. Nothing else changes: the old tunnel works on, and the peer can connect to
 *      either. next_gateway says where it is on its way to.
 *   2. store_peer_arrived: the new gateway has seen its handshake. Now the record says the new gateway, by which every node reaches the
 *      address there, and the old one loses the key.
 * Where there is nothing left to keep up (the old gateway is gone, or `now` was asked for) both steps are one change. */
#pragma once
#include "controller/store/store_peer.h"

struct store_peer_move {
	const char *region;  /* one of the two, or both */
	const char *gateway; /* a node's name */
	bool strict, now;
	const uint32_t *live;
	size_t n_live;
};

/* To where it is already: what was on its way is called off; if nothing was, nothing changes (op->v stays 0). Refusals as of
 * store_peer_create. */
int store_peer_move(struct store *store, struct op *op, const char *org_ref, const char *ref, const struct store_peer_move *in,
		    struct store_peer *ret_peer, char ret_warning[STORE_PEER_WARNING_SIZE]) MUST_CHECK;
/* The node that op's principal is has seen the peer's handshake, so it was used, too. 0 and nothing is changed unless the peer is on
 * its way there. */
int store_peer_arrived(struct store *store, struct op *op, const uint8_t peer[ID_LEN]) MUST_CHECK;

#define STORE_PEER_MOVES_MAX 100 /* peers that one store_peer_move_from begins to move */
struct store_peer_moves {
	unsigned moved;          /* by this call */
	unsigned left;           /* end at the node and are not on their way */
	unsigned on_their_way;   /* that end there still */
};
/* Operators: the next peers that end at the node of that name, in the order of their ids. The node should be draining, or new ones
 * come. */
int store_peer_move_from(struct store *store, struct op *op, const char *node_ref, const struct store_peer_move *in,
			 struct store_peer_moves *ret_moves) MUST_CHECK;
