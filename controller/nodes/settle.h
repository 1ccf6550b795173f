/* settle - the answer to "has everybody whom it concerns applied my presence?" A node asks in its polls (network, V) and is told as
 * soon as every other node that holds the network, and is not unknown, has applied V. */
#pragma once
#include "controller/nodes/controller_internal.h"

struct settle_result {
	struct node_await list[NODE_AWAITS_MAX];
	size_t n;
};

/* Which of what the node awaits is settled now. */
void settle_collect(const struct controller *c, const struct node_entry *node, struct settle_result *ret_result);
