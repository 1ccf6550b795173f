/* histogram - see histogram.h. One writer, so no locked instruction is needed; relaxed, because each number stands for itself. */
#include "lib/base/histogram.h"

const uint32_t histogram_bounds_us[HISTOGRAM_BOUNDS] = { 100,	 250,	 500,	 1000,	 2500,	  5000,	   10000,   25000,
							 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000 };

static void raise_by(uint64_t *number, uint64_t by)
{
	__atomic_store_n(number, __atomic_load_n(number, __ATOMIC_RELAXED) + by, __ATOMIC_RELAXED);
}

void histogram_add(struct histogram *h, uint64_t us)
{
	unsigned i = 0;

	while (i < HISTOGRAM_BOUNDS && us > histogram_bounds_us[i])
		i++;
	raise_by(&h->counts[i], 1);
	raise_by(&h->sum_us, us);
}

struct histogram histogram_read(const struct histogram *h)
{
	struct histogram copy;

	for (unsigned i = 0; i <= HISTOGRAM_BOUNDS; i++)
		copy.counts[i] = __atomic_load_n(&h->counts[i], __ATOMIC_RELAXED);
	copy.sum_us = __atomic_load_n(&h->sum_us, __ATOMIC_RELAXED);
	return copy;
}

uint64_t histogram_count(const struct histogram *h)
{
	uint64_t n = 0;

	for (unsigned i = 0; i <= HISTOGRAM_BOUNDS; i++)
		n += h->counts[i];
	return n;
}
