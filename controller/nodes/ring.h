/* ring - the newest stretch of the log in memory: what nodes that are a little behind are fed from. It holds every V of
 * (floor, head] without a gap; a node whose cursor is below the floor gets a snapshot. Bounded by bytes and by count. */
#pragma once
#include "controller/nodes/memory.h"

struct ring_entry {
	struct memory_record *record; /* NULL: of a kind that no node sees */
	uint64_t committed_ms;        /* Unix time */
};

struct ring {
	struct ring_entry *entries;
	size_t cap, first, n; /* cap is a power of two */
	size_t bytes, max_bytes, max_entries;
	uint64_t head;
};

/* Empty, at head. */
void ring_init(struct ring *r, uint64_t head, size_t max_bytes, size_t max_entries);
void ring_deinit(struct ring *r);
static inline uint64_t ring_floor(const struct ring *r)
{
	return r->head - r->n;
}
/* The entry of head + 1; record may be NULL and is referenced. Old ones go, but none above keep_after unless twice the limits are
 * reached. -ENOMEM: the ring is empty at the new head (nodes that are behind get snapshots). */
int ring_push(struct ring *r, struct memory_record *record, uint64_t committed_ms, uint64_t keep_after);
/* The next changes push old ones out, or soon will. */
bool ring_is_nearly_full(const struct ring *r);
/* NULL = outside the window. */
const struct ring_entry *ring_at(const struct ring *r, uint64_t v);
