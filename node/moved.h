/* moved - addresses whose host word is not the node that carries them: an instance or a peer that moved and kept its address. Derived
 * from the records in scope. Every node asks WireGuard for one more AllowedIPs at the carrier (mesh_plan), whose longest prefix does the
 * rest both ways; the carrier and the home keep the address in a map of the programs, and the home a way out of its peers' device.
 *
 * What is too much (a full map, more prefixes at one carrier than WireGuard takes) or contradicts itself (one address, two records) is
 * refused and becomes a record error; it then goes to its home, which drops it: closed. */
#pragma once
#include "lib/bpf/maps.h"
#include "lib/netlink/rtnl.h"
#include "node/replica.h"
#include "node/role.h"

struct moved_address {
	struct in6_addr prefix; /* natural form, bits behind len zero */
	uint8_t len;            /* 112 of an instance, 120 of a peer */
	uint32_t home, carrier;
	uint32_t kind;          /* of the record that says so, for errors */
	uint8_t key[RECORD_KEY_MAX], key_len;
	uint64_t v;
	const char *refused; /* why it is not carried out; NULL = it is. Static text */
};

struct moved {
	struct moved_address *items; /* sorted by prefix, each once */
	size_t n;
	struct moved_address **by_carrier; /* the same, sorted by carrier */
};

/* The moved addresses of the replica (pure). What is suspended, or of a suspended network, has not moved. -ENOMEM. */
int moved_wanted(const struct replica *replica, struct moved *ret_moved) MUST_CHECK;
void moved_deinit(struct moved *m);
int moved_copy(const struct moved *from, struct moved *ret_moved) MUST_CHECK;
/* Same addresses at the same carriers? */
bool moved_equal(const struct moved *a, const struct moved *b);
/* NULL = it has not moved. */
const struct moved_address *moved_find(const struct moved *m, const uint8_t prefix[16]);
/* The first of those at that carrier and how many follow. */
struct moved_address *const *moved_at(const struct moved *m, uint32_t carrier, size_t *ret_n);

/* ---- the machine ---- */

/* Adds what is missing in the maps of a node with that host word. What a map does not take is marked refused. The first error. */
int moved_add(struct bpf_datapath *datapath, uint32_t self, struct moved *m);
/* Removes from the maps what is not wanted. */
int moved_remove(struct bpf_datapath *datapath, uint32_t self, const struct moved *m);
/* Outside an apply: the maps as they must be, each difference told. */
int moved_repair(struct bpf_datapath *datapath, uint32_t self, const struct moved *m, const struct repair_sink *sink);

/* On its home: the way to where it is now, past the route to our own peers (of a gateway; elsewhere it does no harm). */
bool moved_needs_route(const struct moved_address *a, uint32_t self);
struct rtnl_route moved_route(const struct moved_address *a, uint32_t mesh_ifindex);
int moved_add_routes(struct rtnl *rtnl, uint32_t self, const struct moved *m, uint32_t mesh_ifindex);
/* Removes those that are not wanted, whoever made them. */
int moved_remove_routes(struct rtnl *rtnl, uint32_t self, const struct moved *m, uint32_t mesh_ifindex);
