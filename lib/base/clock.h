/* clock - time and randomness as a table of functions, so that whole clusters run on a virtual clock in one unit test. */
#pragma once
#include "lib/base/err.h"

struct clock_ops {
	uint64_t (*mono_ms)(void *ctx);                       /* never goes back; for time limits */
	uint64_t (*real_ms)(void *ctx);                       /* Unix time in ms; for people and for TAI64N */
	void (*random)(void *ctx, void *ret_bytes, size_t n); /* cryptographic in the real one */
	uint64_t (*mono_us)(void *ctx);                       /* for measuring; NULL = no finer than mono_ms */
};

struct clock {
	const struct clock_ops *ops;
	void *ctx;
};

extern const struct clock_ops clock_real_ops;
static inline struct clock clock_real(void)
{
	return (struct clock){ .ops = &clock_real_ops };
}
static inline uint64_t clock_mono_ms(const struct clock *c)
{
	return c->ops->mono_ms(c->ctx);
}
static inline uint64_t clock_real_ms(const struct clock *c)
{
	return c->ops->real_ms(c->ctx);
}
static inline uint64_t clock_mono_us(const struct clock *c)
{
	return c->ops->mono_us ? c->ops->mono_us(c->ctx) : 1000 * c->ops->mono_ms(c->ctx);
}
static inline void clock_random(const struct clock *c, void *ret_bytes, size_t n)
{
	c->ops->random(c->ctx, ret_bytes, n);
}
/* Uniform in [0, bound); bound > 0. */
uint64_t clock_random_below(const struct clock *c, uint64_t bound);

/* A clock that only moves when told and whose randomness is a seeded stream: for tests and the simulator. */
struct clock_virtual {
	uint64_t now_ms;  /* mono */
	uint64_t real_offset_ms;
	uint64_t seed;    /* state of the generator (splitmix64) */
};
struct clock clock_virtual(struct clock_virtual *v);
