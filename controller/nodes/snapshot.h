/* snapshot - a whole scope (or, to heal a copy that drifted, some parts of one) on its way to a node: pinned at one V when it is
 * begun, pulled part by part with a token, complete only with the last part, which carries count and digest of all. Few at a time;
 * others are told to come back. */
#pragma once
#include "controller/nodes/controller_internal.h"

#define SNAPSHOT_TOKEN_LEN 16

struct snapshot_part { /* a digest part to heal */
	uint32_t network; /* 0 = the fabric */
	bool is_private;
};

/* Answers the node's parked poll with the first part, or with RETRY_AFTER. n_heal 0 = the whole scope; heal is copied. */
void snapshot_start(struct controller *c, struct node_entry *node, const struct snapshot_part *heal, size_t n_heal);
/* Does the token ask for the next part of this node's snapshot, or for the last one sent once more, because its reply was lost? */
bool snapshot_is_asked(const struct node_entry *node, const uint8_t token[SNAPSHOT_TOKEN_LEN]);
void snapshot_next(struct controller *c, struct node_entry *node, const uint8_t token[SNAPSHOT_TOKEN_LEN]);
/* The node is done with it, or began anew. */
void snapshot_drop(struct controller *c, struct node_entry *node);
/* Has its last part been sent, and does the node hold that V (or, of a heal, any)? */
bool snapshot_is_taken(const struct node_entry *node, uint64_t applied_v);
bool snapshot_is_heal(const struct node_entry *node);
/* It is taken: its records go, and the ring keeps what came after it until the node has caught up (G12). */
void snapshot_pin(struct controller *c, struct node_entry *node);
/* The node has acknowledged more: the pin moves with it, and ends when nothing is left. */
void snapshot_follow(struct controller *c, struct node_entry *node);
/* Drops those that nobody pulls any more; the next time to look, UINT64_MAX = none runs. */
uint64_t snapshot_expire(struct controller *c);
/* The ring keeps what came after the oldest of them, so that it need not be followed by another. UINT64_MAX = none runs. */
uint64_t snapshot_oldest_v(const struct controller *c);
