/* recent - see recent.h. Six slots of ten minutes; a slot is emptied when its time comes round again. */
#include "lib/base/recent.h"

#include <string.h>

static unsigned bucket_of(uint32_t ms)
{
	unsigned log;

	if (ms < 4)
		return ms;
	log = 31u - (unsigned)__builtin_clz(ms);
	log = log > 16 ? 16 : log;
	return ms >> log > 1 ? RECENT_BUCKETS - 1 : 4 * (log - 1) + (ms >> (log - 2) & 3);
}

/* The largest value that falls into the bucket. */
static uint32_t bucket_top(unsigned bucket)
{
	unsigned log = bucket / 4 + 1;

	return bucket < 4 ? bucket : ((4 + bucket % 4 + 1) << (log - 2)) - 1;
}

static void turn_to(struct recent *r, uint64_t slot)
{
	if (slot <= r->slot)
		return;
	if (slot - r->slot >= RECENT_SLOTS)
		memset(r->slots, 0, sizeof r->slots);
	else
		for (uint64_t s = r->slot + 1; s <= slot; s++)
			memset(&r->slots[s % RECENT_SLOTS], 0, sizeof r->slots[0]);
	r->slot = slot;
}

void recent_add(struct recent *r, uint64_t now_ms, uint64_t value_ms)
{
	uint32_t ms = value_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)value_ms;
	struct recent_slot *s;

	turn_to(r, now_ms / RECENT_SLOT_MS);
	s = &r->slots[r->slot % RECENT_SLOTS];
	s->counts[bucket_of(ms)]++;
	if (ms > s->max_ms)
		s->max_ms = ms;
}

static bool is_fresh(const struct recent *r, uint64_t slot, unsigned i)
{
	uint64_t back = (r->slot % RECENT_SLOTS + RECENT_SLOTS - i) % RECENT_SLOTS; /* slots before the newest */

	return back <= r->slot && r->slot - back + RECENT_SLOTS > slot;
}

static uint32_t percentile(const uint64_t counts[RECENT_BUCKETS], uint64_t n, unsigned percent, uint32_t max_ms)
{
	uint64_t wanted = (n * percent + 99) / 100, seen = 0;

	for (unsigned b = 0; b < RECENT_BUCKETS; b++) {
		seen += counts[b];
		if (seen >= wanted)
			return b < RECENT_BUCKETS - 1 && bucket_top(b) < max_ms ? bucket_top(b) : max_ms;
	}
	return max_ms;
}

struct recent_summary recent_summarize(const struct recent *const *list, size_t n, uint64_t now_ms)
{
	struct recent_summary sum = { 0 };
	uint64_t counts[RECENT_BUCKETS] = { 0 };

	for (size_t k = 0; k < n; k++)
		for (unsigned i = 0; list[k] && i < RECENT_SLOTS; i++) {
			const struct recent_slot *s = &list[k]->slots[i];

			if (!is_fresh(list[k], now_ms / RECENT_SLOT_MS, i))
				continue;
			for (unsigned b = 0; b < RECENT_BUCKETS; b++) {
				counts[b] += s->counts[b];
				sum.n += s->counts[b];
			}
			sum.max_ms = s->max_ms > sum.max_ms ? s->max_ms : sum.max_ms;
		}
	if (sum.n) {
		sum.p50_ms = percentile(counts, sum.n, 50, sum.max_ms);
		sum.p99_ms = percentile(counts, sum.n, 99, sum.max_ms);
	}
	return sum;
}
