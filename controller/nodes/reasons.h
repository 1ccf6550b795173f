/* reasons - why a node that was away for longer than the window will miss records in its snapshot. The tombstones of the window are
 * with the ring; older ones are in the log alone, so the store thread reads them, and a snapshot carries what concerns the node:
 * tombstones with their intent, and networks that left it. Without them a node would hold back what was deleted on purpose (G21). */
#pragma once
#include "controller/nodes/controller_internal.h"

struct reasons_left { /* a network of which the node had something that was deleted there */
	uint32_t network;
	uint64_t v;
};

struct reasons {
	struct memory_record **tombstones; /* referenced */
	size_t n, cap;
	struct reasons_left *left;
	size_t n_left, cap_left;
	uint64_t read_v; /* of the log when they were read: what came since is with the ring */
};

/* Are the reasons for a node that holds our log at since_v read? False: they are being read, and snapshot_start comes again; its poll
 * stays parked, or the store is too busy, and it is told to come again. True: *ret_reasons (NULL = there are none to be had) is the caller's. */
bool reasons_take(struct controller *c, struct node_entry *node, uint64_t since_v, struct reasons **ret_reasons);
struct reasons *reasons_free(struct reasons *reasons); /* NULL is fine; returns NULL */
