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
/* Rebuilds one network's zone after a change of it, or removes it when the network is not in scope any more. The zone's version is
 * then the V of the replica: every change of this network up to there is in it. -errno: the old zone stays. */
int names_sync_network(struct names *names, uint32_t network);
/* Raises the version of the network without rebuilding: names_sync_all follows. */
void names_changed(struct names *names, uint32_t network);
/* All networks, and distances: after a change of regions or nodes. Versions stay, or one customer could watch another's activity in
 * them. The first error, after all were tried. */
int names_sync_all(struct names *names);
/* The same after a snapshot: all networks are of the replica's V now. */
int names_sync_everything(struct names *names);
/* A zone could not be rebuilt, for lack of memory: what is shown is older than the replica until names_sync_all succeeds. */
bool names_are_behind(const struct names *names);
