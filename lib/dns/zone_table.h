/* zone_table - the inside of a zone, shared by the builder and the look-up. Everything is an index or an offset, so the builder
 * may grow its arrays. */
#pragma once
#include "lib/dns/zone.h"

#include <stdatomic.h>

#define ZONE_AAAA_LEN 28 /* pointer to the question's name, type, class, TTL, length, address */

/* One address, as a ready record. Neighbours in a node's range are sorted: nearest region first, in the nearest the asker's own
 * host first. Runs of equal rank are turned from answer to answer. */
struct zone_address {
	uint8_t record[ZONE_AAAA_LEN];
	uint32_t run_len; /* in the first of a run: how many have the same region and are, or are not, on the own host */
};

struct zone_node {
	uint32_t name_at;
	uint8_t name_len;
	bool app;  /* regions may stand before it */
	bool instances; /* stands for instances, though there may be none now */
	bool more; /* text has further pages */
	uint32_t address_at, n_addresses;
	uint32_t n_near, n_own; /* of these: in the nearest region; on the own host */
	uint32_t text_at, text_len; /* rdata; len 0 = none */
};

struct zone_reverse {
	struct in6_addr address;
	uint32_t name_at; /* wire form */
	uint8_t name_len;
};

struct dns_zone {
	uint32_t network;
	uint64_t v;
	struct buf bytes; /* names and rdata */
	struct zone_node *nodes;
	atomic_uint *turns; /* one per node; the only thing that changes */
	size_t n_nodes, cap_nodes;
	uint32_t *slots; /* open addressing: node index + 1, 0 = free */
	size_t n_slots;  /* a power of two */
	struct zone_address *addresses;
	size_t n_addresses;
	struct zone_reverse *reverses; /* sorted by address */
	size_t n_reverses;
	char (*regions)[NAME_REGION_SIZE]; /* known ones, sorted */
	size_t n_regions;
};

/* Slot of the key, or of the free place where it would go. n_slots > 0. */
size_t zone_slot(const struct dns_zone *z, const uint8_t *key, size_t key_len);
bool zone_region_known(const struct dns_zone *z, const uint8_t *name3);
