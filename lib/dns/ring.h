/* ring - queries on their way from one worker to the slow thread: one writer, one reader, bounded, no lock. No network has more
 * than a quarter of the places, nor more than are free for all others: however many flood it, there is room for one who does not. */
#pragma once
#include "lib/dns/wire.h"

#include <netinet/in.h>
#include <stdatomic.h>

#define DNS_RING_ITEMS 256
#define DNS_RING_NETWORK_MAX (DNS_RING_ITEMS / 4)
#define DNS_RING_BUCKETS 4096 /* networks are counted by hash; two that share a bucket share its places */
#define DNS_RING_QUERY_MAX DNS_UDP_MAX

struct dns_ring_item {
	struct sockaddr_in6 from;
	uint32_t mark;
	uint16_t len;
	uint8_t query[DNS_RING_QUERY_MAX];
};

struct dns_ring {
	uint32_t multiplier;
	_Alignas(64) atomic_uint written;
	uint32_t put[DNS_RING_BUCKETS];
	_Alignas(64) atomic_uint read;
	atomic_uint dropped[DNS_RING_BUCKETS];
	struct dns_ring_item items[DNS_RING_ITEMS];
};

/* random: another for each ring, so that nobody can look for a network that shares a bucket with his victim's, and who shares one in a
 * ring does not in the others. */
void dns_ring_init(struct dns_ring *r, uint32_t random);
/* False: full, full of this network's, or the query is too long for an item. Writer only. */
bool dns_ring_put(struct dns_ring *r, const struct sockaddr_in6 *from, uint32_t mark, const uint8_t *query, size_t len);
/* The oldest item, NULL if none; it stays in the ring until dns_ring_drop. Reader only. */
const struct dns_ring_item *dns_ring_first(struct dns_ring *r);
void dns_ring_drop(struct dns_ring *r);
