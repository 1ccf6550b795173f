/* ring - queries on their way from one worker to the slow thread: one writer, one reader, bounded, no lock. */
#pragma once
#include "lib/dns/wire.h"

#include <netinet/in.h>
#include <stdatomic.h>

#define DNS_RING_ITEMS 256
#define DNS_RING_QUERY_MAX DNS_UDP_MAX

struct dns_ring_item {
	struct sockaddr_in6 from;
	uint32_t mark;
	uint16_t len;
	uint8_t query[DNS_RING_QUERY_MAX];
};

struct dns_ring {
	_Alignas(64) atomic_uint written;
	_Alignas(64) atomic_uint read;
	struct dns_ring_item items[DNS_RING_ITEMS];
};

/* False: full, or the query is too long for an item. Writer only. */
bool dns_ring_put(struct dns_ring *r, const struct sockaddr_in6 *from, uint32_t mark, const uint8_t *query, size_t len);
/* The oldest item, NULL if none; it stays in the ring until dns_ring_drop. Reader only. */
const struct dns_ring_item *dns_ring_first(struct dns_ring *r);
void dns_ring_drop(struct dns_ring *r);
