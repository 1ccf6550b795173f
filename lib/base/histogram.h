/* histogram - how long things took, counted in fixed buckets since the start of the process. One thread adds, any thread may read. */
#pragma once
#include "lib/base/err.h"

#define HISTOGRAM_BOUNDS 16
extern const uint32_t histogram_bounds_us[HISTOGRAM_BOUNDS]; /* upper ends, 100 us to 10 s; above is one more bucket */

struct histogram {
	uint64_t counts[HISTOGRAM_BOUNDS + 1]; /* not cumulative */
	uint64_t sum_us;
};

void histogram_add(struct histogram *h, uint64_t us);
/* A copy that may be looked at at leisure. */
struct histogram histogram_read(const struct histogram *h);
uint64_t histogram_count(const struct histogram *h); /* of a copy, or in the thread that adds */
