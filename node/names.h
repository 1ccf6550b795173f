/* names - from records to name server: builds the zone of each network in scope and hands it to lib/dns. Instances of our own host
 * are shown as their role sees them, not as the controller last heard. */
#pragma once
#include "lib/dns/views.h"
#include "node/replica.h"
#include "node/reports.h"

struct names;

int names_new(uint32_t host, const char *region, const struct replica *replica, const struct reports *reports, struct dns_views *views,
	      struct names **ret_names);
struct names *names_free(struct names *names);
/* Rebuilds one network's zone, or removes it when the network is not in scope any more. -errno: the old zone stays. */
int names_sync_network(struct names *names, uint32_t network);
/* All networks, and distances: after a snapshot or a change of regions or nodes. The first error, after all were tried. */
int names_sync_all(struct names *names);
