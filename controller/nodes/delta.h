/* delta - what a node has to be told to get from its V to a later one: the changes of its scope in order, networks that came in
 * whole, networks that went as one drop. Nothing of a network that is not in its scope now is ever put in. */
#pragma once
#include "controller/nodes/reply.h"

enum { DELTA_TOO_LARGE = 1 }; /* a network that came in does not fit: give it a snapshot */

/* From node->applied_v, at most about batch_bytes, cut between two V. */
int delta_build(struct controller *c, const struct node_entry *node, struct reply *ret_reply) MUST_CHECK;
