/* ring - see ring.h. */
#include "controller/nodes/ring.h"

#include <stdlib.h>

#define ENTRY_COST sizeof(struct ring_entry)

void ring_init(struct ring *r, uint64_t head, size_t max_bytes, size_t max_entries)
{
	*r = (struct ring){ .head = head, .max_bytes = max_bytes, .max_entries = max_entries };
}

static size_t cost(const struct ring_entry *e)
{
	return ENTRY_COST + (e->record ? e->record->packed_len : 0);
}

static void drop_first(struct ring *r)
{
	struct ring_entry *e = &r->entries[r->first];

	r->bytes -= cost(e);
	memory_record_unref(e->record);
	r->first = (r->first + 1) & (r->cap - 1);
	r->n--;
}

void ring_deinit(struct ring *r)
{
	while (r->n)
		drop_first(r);
	free(r->entries);
	r->entries = NULL;
	r->cap = r->first = 0;
}

static int grow(struct ring *r)
{
	size_t cap = r->cap ? 2 * r->cap : 256;
	struct ring_entry *entries = calloc(cap, sizeof *entries);

	if (!entries)
		return -ENOMEM;
	for (size_t i = 0; i < r->n; i++)
		entries[i] = r->entries[(r->first + i) & (r->cap - 1)];
	free(r->entries);
	r->entries = entries;
	r->cap = cap;
	r->first = 0;
	return 0;
}

static void trim(struct ring *r, uint64_t keep_after)
{
	while (r->n && (r->bytes > r->max_bytes || r->n > r->max_entries)) {
		bool far_above = r->bytes > 2 * r->max_bytes || r->n > 2 * r->max_entries;

		if (ring_floor(r) >= keep_after && !far_above)
			break;
		drop_first(r);
	}
}

int ring_push(struct ring *r, struct memory_record *record, uint64_t committed_ms, uint64_t keep_after)
{
	struct ring_entry *e;

	if (r->n == r->cap && grow(r) < 0) {
		while (r->n)
			drop_first(r);
		r->head++;
		return -ENOMEM;
	}
	e = &r->entries[(r->first + r->n) & (r->cap - 1)];
	*e = (struct ring_entry){ .record = record ? memory_record_ref(record) : NULL, .committed_ms = committed_ms };
	r->n++;
	r->head++;
	r->bytes += cost(e);
	trim(r, keep_after);
	return 0;
}

bool ring_is_nearly_full(const struct ring *r)
{
	return r->n >= r->max_entries - r->max_entries / 4 || r->bytes >= r->max_bytes - r->max_bytes / 4;
}

const struct ring_entry *ring_at(const struct ring *r, uint64_t v)
{
	if (v > r->head || v <= ring_floor(r))
		return NULL;
	return &r->entries[(r->first + (v - ring_floor(r) - 1)) & (r->cap - 1)];
}
