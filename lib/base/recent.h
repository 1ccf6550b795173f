/* recent - how long things took in the last hour: percentiles and the slowest, in a few hundred bytes. Values are kept by their
 * binary order of magnitude and its quarter, so a percentile is at most a quarter too high, never too low; above two minutes it is
 * the slowest. */
#pragma once
#include "lib/base/err.h"

#define RECENT_BUCKETS 64
#define RECENT_SLOTS 6
#define RECENT_SLOT_MS 600000u

struct recent {
	struct recent_slot {
		uint32_t counts[RECENT_BUCKETS];
		uint32_t max_ms;
	} slots[RECENT_SLOTS];
	uint64_t slot; /* number of the newest: time / RECENT_SLOT_MS */
};

struct recent_summary {
	uint64_t n;
	uint32_t p50_ms, p99_ms, max_ms; /* all 0 if n is */
};

/* now_ms: any clock that never goes back. */
void recent_add(struct recent *r, uint64_t now_ms, uint64_t value_ms);
/* Of several together; for one, n = 1. Entries may be NULL. */
struct recent_summary recent_summarize(const struct recent *const *list, size_t n, uint64_t now_ms);
