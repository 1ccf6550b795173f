/* peer_arrivals - a peer that moves has shown up at the gateway that it was on its way to: the second step of store_peer_move.h. */
#pragma once
#include "controller/nodes/peers.h"

/* That node, which is not the peer's gateway, has seen its handshake. True: it was given the key, so the peer was on its way there, and the
 * store is asked to let it end there from now on. False: none of its business. */
bool peer_arrivals_note(struct controller *c, const struct node_entry *node, const struct peer_seen *seen);
