/* limiter - see limiter.h. */
#include "controller/http/limiter.h"

#include "lib/base/crypto.h"

#include <stdlib.h>
#include <string.h>

#define SETS 2048
#define WAYS 4

struct bucket {
	uint8_t key[LIMITER_KEY_LEN];
	uint64_t at_ms, missing; /* thousandths, to be full */
	uint32_t rate;           /* thousandths per ms */
	bool used;
};

struct limiter {
	struct clock clock;
	uint32_t rate, burst;
	uint64_t refusals;
	uint8_t hash_key[CRYPTO_KEY_LEN];
	struct bucket buckets[SETS][WAYS];
};

int limiter_new(const struct clock *clock, uint32_t rate, uint32_t burst, struct limiter **ret)
{
	struct limiter *l = calloc(1, sizeof *l);

	if (!l)
		return -ENOMEM;
	l->clock = *clock;
	l->rate = rate;
	l->burst = burst ? burst : 1;
	clock_random(clock, l->hash_key, sizeof l->hash_key);
	*ret = l;
	return 0;
}

struct limiter *limiter_free(struct limiter *l)
{
	free(l);
	return NULL;
}

static uint64_t missing_at(const struct bucket *b, uint64_t now)
{
	uint64_t passed = now > b->at_ms ? now - b->at_ms : 0;

	return !b->used || passed > b->missing / b->rate ? 0 : b->missing - passed * b->rate;
}

static struct bucket *set_of(struct limiter *l, const uint8_t key[LIMITER_KEY_LEN])
{
	struct crypto_part part = { key, LIMITER_KEY_LEN };
	uint8_t hash[CRYPTO_HASH_LEN];

	crypto_blake2b(l->hash_key, sizeof l->hash_key, &part, 1, hash);
	return l->buckets[(hash[0] | hash[1] << 8) % SETS];
}

static bool is_of(const struct bucket *b, const uint8_t key[LIMITER_KEY_LEN])
{
	return b->used && !memcmp(b->key, key, sizeof b->key);
}

/* Its bucket, with what is missing now. */
static struct bucket *bucket_of(struct limiter *l, const uint8_t key[LIMITER_KEY_LEN], uint32_t rate, uint64_t now)
{
	struct bucket *set = set_of(l, key), *fullest = set;

	for (struct bucket *b = set; b < set + WAYS; b++) {
		b->missing = missing_at(b, now);
		b->at_ms = now;
		if (is_of(b, key)) {
			b->rate = rate;
			return b;
		}
		if (b->missing < fullest->missing || (b->missing == fullest->missing && fullest->used && !b->used))
			fullest = b;
	}
	*fullest = (struct bucket){ .at_ms = now, .rate = rate, .used = true };
	memcpy(fullest->key, key, sizeof fullest->key);
	return fullest;
}

static unsigned take(struct limiter *l, const uint8_t key[LIMITER_KEY_LEN], uint32_t rate, uint32_t burst)
{
	uint64_t full = (uint64_t)burst * 1000;
	struct bucket *b;

	if (!rate)
		return 0;
	b = bucket_of(l, key, rate, clock_mono_ms(&l->clock));
	if (b->missing > full) /* it was faster before */
		b->missing = full;
	if (b->missing + 1000 <= full) {
		b->missing += 1000;
		return 0;
	}
	l->refusals++;
	return (unsigned)(1 + (b->missing + 1000 - full) / ((uint64_t)rate * 1000));
}

unsigned limiter_take(struct limiter *l, const uint8_t key[LIMITER_KEY_LEN])
{
	return take(l, key, l->rate, l->burst);
}

unsigned limiter_take_at(struct limiter *l, const uint8_t key[LIMITER_KEY_LEN], uint32_t rate)
{
	return take(l, key, rate, rate);
}

bool limiter_has(struct limiter *l, const uint8_t key[LIMITER_KEY_LEN])
{
	const struct bucket *set = set_of(l, key);

	for (const struct bucket *b = set; b < set + WAYS; b++)
		if (is_of(b, key))
			return missing_at(b, clock_mono_ms(&l->clock)) + 1000 <= (uint64_t)l->burst * 1000;
	return true;
}

uint64_t limiter_refusals(const struct limiter *l)
{
	return l->refusals;
}
