/* limiter - token buckets for many, in a table of one size: who comes for the first time has a full bucket, and of those that share a set the one
 * whose bucket is fullest is forgotten, which costs it nothing. Nobody can choose with whom to share: places come from a keyed hash. */
#pragma once
#include "lib/base/clock.h"

#define LIMITER_KEY_LEN 16

struct limiter;

/* rate per second and how many at once; rate 0: no limit. */
int limiter_new(const struct clock *clock, uint32_t rate, uint32_t burst, struct limiter **ret) MUST_CHECK;
struct limiter *limiter_free(struct limiter *l);
/* Takes one. 0: granted; else the seconds (1 or more) after which there will be one. */
unsigned limiter_take(struct limiter *l, const uint8_t key[LIMITER_KEY_LEN]);
/* The same, at this key's own rate, which is also how many at once. Rate 0: no limit. */
unsigned limiter_take_at(struct limiter *l, const uint8_t key[LIMITER_KEY_LEN], uint32_t rate);
/* Whether limiter_take would grant one; takes none. */
bool limiter_has(struct limiter *l, const uint8_t key[LIMITER_KEY_LEN]);
uint64_t limiter_refusals(const struct limiter *l);
