/* convergence - how long a change takes from its commit to a node's acknowledgement, on the controller's clock alone. As a wait does,
 * it leaves out nodes that are away: a machine that was off for a day is no slow change. */
#pragma once
#include "lib/base/histogram.h"
#include "lib/base/recent.h"

struct controller;
struct node_entry;

struct convergence {
	struct histogram total;
	struct recent recent;
};

/* The node has applied (from_v, to_v]. */
void convergence_note(const struct controller *c, struct node_entry *node, uint64_t from_v, uint64_t to_v);
/* The last hour of one node, or (NULL) of all that are not revoked. */
struct recent_summary convergence_recent(const struct controller *c, const struct node_entry *node);
