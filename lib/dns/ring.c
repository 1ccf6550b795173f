/* ring - see ring.h. Both counters only grow; their difference is what waits. */
#include "lib/dns/ring.h"

#include <string.h>

void dns_ring_init(struct dns_ring *r, uint32_t random)
{
	memset(r, 0, sizeof *r);
	r->multiplier = random | 1;
}

/* Of the asker's network: the 32 bits after fdaa. The upper bits of a product with an odd random number (Dietzfelbinger 1997). */
static size_t bucket_of(const struct dns_ring *r, const struct sockaddr_in6 *from)
{
	uint32_t network = get_u32(from->sin6_addr.s6_addr + 2);

	return (network * r->multiplier) >> 20;
}

bool dns_ring_put(struct dns_ring *r, const struct sockaddr_in6 *from, uint32_t mark, const uint8_t *query, size_t len)
{
	unsigned written = atomic_load_explicit(&r->written, memory_order_relaxed);
	unsigned free_places = DNS_RING_ITEMS - (written - atomic_load_explicit(&r->read, memory_order_acquire));
	struct dns_ring_item *item = &r->items[written % DNS_RING_ITEMS];
	size_t bucket = bucket_of(r, from);
	unsigned own = r->put[bucket] - atomic_load_explicit(&r->dropped[bucket], memory_order_acquire);

	_Static_assert(DNS_RING_BUCKETS == 1 << 12, "bucket_of gives 12 bits");
	if (len > sizeof item->query || own >= free_places || own >= DNS_RING_NETWORK_MAX)
		return false;
	item->from = *from;
	item->mark = mark;
	item->len = (uint16_t)len;
	memcpy(item->query, query, len);
	r->put[bucket]++;
	atomic_store_explicit(&r->written, written + 1, memory_order_release);
	return true;
}

const struct dns_ring_item *dns_ring_first(struct dns_ring *r)
{
	unsigned at = atomic_load_explicit(&r->read, memory_order_relaxed);

	return at == atomic_load_explicit(&r->written, memory_order_acquire) ? NULL : &r->items[at % DNS_RING_ITEMS];
}

void dns_ring_drop(struct dns_ring *r)
{
	const struct dns_ring_item *item = &r->items[atomic_load_explicit(&r->read, memory_order_relaxed) % DNS_RING_ITEMS];

	atomic_fetch_add_explicit(&r->dropped[bucket_of(r, &item->from)], 1, memory_order_release);
	atomic_fetch_add_explicit(&r->read, 1, memory_order_release);
}
