/* ring - see ring.h. Both counters only grow; their difference is what waits. */
#include "lib/dns/ring.h"

#include <string.h>

bool dns_ring_put(struct dns_ring *r, const struct sockaddr_in6 *from, uint32_t mark, const uint8_t *query, size_t len)
{
	unsigned written = atomic_load_explicit(&r->written, memory_order_relaxed);
	struct dns_ring_item *item = &r->items[written % DNS_RING_ITEMS];

	if (len > sizeof item->query || written - atomic_load_explicit(&r->read, memory_order_acquire) >= DNS_RING_ITEMS)
		return false;
	item->from = *from;
	item->mark = mark;
	item->len = (uint16_t)len;
	memcpy(item->query, query, len);
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
	atomic_fetch_add_explicit(&r->read, 1, memory_order_release);
}
