/* clock - see clock.h. */
#include "lib/base/clock.h"

#include "lib/base/crypto.h"

#include <string.h>
#include <time.h>

static uint64_t read_ms(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t real_mono_ms(void *ctx)
{
	(void)ctx;
	return read_ms(CLOCK_BOOTTIME); /* counts sleep too: a laptop that slept an hour has no fresh session */
}

static uint64_t real_real_ms(void *ctx)
{
	(void)ctx;
	return read_ms(CLOCK_REALTIME);
}

static uint64_t real_mono_us(void *ctx)
{
	struct timespec t;

	(void)ctx;
	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void real_random(void *ctx, void *ret_bytes, size_t n)
{
	(void)ctx;
	crypto_random(ret_bytes, n);
}

const struct clock_ops clock_real_ops = { .mono_ms = real_mono_ms, .real_ms = real_real_ms, .random = real_random,
					  .mono_us = real_mono_us };

uint64_t clock_random_below(const struct clock *c, uint64_t bound)
{
	uint64_t limit = UINT64_MAX - UINT64_MAX % bound, x;

	do
		clock_random(c, &x, sizeof x);
	while (x >= limit);
	return x % bound;
}

static uint64_t virtual_mono_ms(void *ctx)
{
	return ((struct clock_virtual *)ctx)->now_ms;
}

static uint64_t virtual_real_ms(void *ctx)
{
	struct clock_virtual *v = ctx;

	return v->now_ms + v->real_offset_ms;
}

static uint64_t splitmix64(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static void virtual_random(void *ctx, void *ret_bytes, size_t n)
{
	struct clock_virtual *v = ctx;
	uint8_t *out = ret_bytes;

	while (n) {
		uint64_t x = splitmix64(&v->seed);
		size_t step = n < sizeof x ? n : sizeof x;

		memcpy(out, &x, step);
		out += step;
		n -= step;
	}
}

static const struct clock_ops virtual_ops = { .mono_ms = virtual_mono_ms, .real_ms = virtual_real_ms, .random = virtual_random };

struct clock clock_virtual(struct clock_virtual *v)
{
	return (struct clock){ .ops = &virtual_ops, .ctx = v };
}
