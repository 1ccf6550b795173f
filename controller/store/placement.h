/* placement - where a new instance or peer goes. Pure: decided once, by the store, from the tables and the live set of the op, then
 * stored. Same input, same answer, whatever the order of the candidates. */
#pragma once
#include "lib/sixpn/record.h"

struct placement_node {
	uint32_t host;
	char name[NAME_SIZE];
	char region[NAME_REGION_SIZE];
	double latitude, longitude; /* of its region, degrees */
	uint32_t roles;
	uint64_t load;              /* instances that run there */
	bool live;                  /* polled within 3 park times */
	bool draining;
	bool full;                  /* of instances; gateways take peers all the same */
};

struct placement_weight { /* so many of something are there */
	double latitude, longitude;
	uint64_t n;
};

/* Least load first; equal load: highest rendezvous weight of (id, host), so that ties spread. Only live hosts of the region that
 * do not drain and have room. E_REFUSED "no_host_in_region" names the regions that have one ("no_host" if none does). */
int placement_instance(const struct placement_node *nodes, size_t n, const char *region, const void *id, size_t id_len,
		       uint32_t *ret_host, struct why *why) MUST_CHECK;

/* Live gateway of the region with the highest rendezvous weight of (id, host). A region without one: the nearest region (great
 * circle from latitude, longitude) that has one; with strict E_REFUSED "no_gateway_in_region" naming the regions that do. */
int placement_peer(const struct placement_node *nodes, size_t n, const char *region, double latitude, double longitude, bool strict,
		   const void *id, size_t id_len, uint32_t *ret_gateway, struct why *why) MUST_CHECK;

/* The region with a usable node of that role from which the way to all of `where` is shortest in sum; the first by name if nothing is
 * anywhere. NULL = there is no such node. Points into nodes. */
const char *placement_nearest_to(const struct placement_node *nodes, size_t n, uint32_t role, const struct placement_weight *where,
				 size_t n_where);
