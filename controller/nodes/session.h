/* session - what the store is told about nodes that poll (their starts, endpoints, and that they live), and the new identity after
 * the store turned out to be rolled back. */
#pragma once
#include "controller/nodes/controller_internal.h"

#define SESSION_SEEN_MS 60000
#define SESSION_OURS_MS 2000

struct poll_request;

/* A good poll came: a new session and changed endpoints are written. */
void session_note_poll(struct controller *c, struct node_entry *node, const struct link_request *request,
		       const struct poll_request *poll);
/* Every SESSION_SEEN_MS: who polled since. */
void session_store_seen(struct controller *c);
/* Every SESSION_OURS_MS: is the store still ours? A controller that is not asked to write anything must notice too that it is not the
 * latest one any more. */
void session_check_ours(struct controller *c);
/* A node proved that our log once reached a V above its head: the store is an old copy. New log id, new epoch, and snapshots for
 * all. Answers the node's poll. */
void session_roll_back(struct controller *c, struct node_entry *node, uint64_t proven_v);
