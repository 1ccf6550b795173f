/* limiter - see limiter.h. */
#include "controller/http/limiter.h"

#include "lib/base/crypto.h"

#include <stdlib.h>
#include <string.h>

#define SETS 2048
#define WAYS 4

struct bucket {
	uint8_t key[LIMITER_KEY_LEN];
	uint64_t at_ms, level; /* thousandths */
	bool used;
};

struct limiter {
	struct clock clock;
	uint64_t rate, full; /* thousandths per ms; thousandths */
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
	l->full = (uint64_t)(burst ? burst : 1) * 1000;
	clock_random(clock, l->hash_key, sizeof l->hash_key);
	*ret = l;
	return 0;
}

struct limiter *limiter_free(struct limiter *l)
{
	free(l);
	return NULL;
}

static uint64_t level_at(const struct limiter *l, const struct bucket *b, uint64_t now)
{
	uint64_t passed = now > b->at_ms ? now - b->at_ms : 0;

	if (!b->used || passed > l->full / l->rate)
		return l->full;
	return b->level + passed * l->rate < l->full ? b->level + passed * l->rate : l->full;
}

/* Its bucket, with the level of now. */
static struct bucket *bucket_of(struct limiter *l, const uint8_t key[LIMITER_KEY_LEN], uint64_t now)
{
	struct crypto_part part = { key, LIMITER_KEY_LEN };
	uint8_t hash[CRYPTO_HASH_LEN];
	struct bucket *set, *fullest;

	crypto_blake2b(l->hash_key, sizeof l->hash_key, &part, 1, hash);
	set = fullest = l->buckets[(hash[0] | hash[1] << 8) % SETS];
	for (struct bucket *b = set; b < set + WAYS; b++) {
		b->level = level_at(l, b, now);
		b->at_ms = now;
		if (b->used && !memcmp(b->key, key, sizeof b->key))
			return b;
		if (b->level > fullest->level || (b->level == fullest->level && fullest->used && !b->used))
			fullest = b;
	}
	*fullest = (struct bucket){ .at_ms = now, .level = l->full, .used = true };
	memcpy(fullest->key, key, sizeof fullest->key);
	return fullest;
}

unsigned limiter_take(struct limiter *l, const uint8_t key[LIMITER_KEY_LEN])
{
	uint64_t now = clock_mono_ms(&l->clock);
	struct bucket *b;

	if (!l->rate)
		return 0;
	b = bucket_of(l, key, now);
	if (b->level >= 1000) {
		b->level -= 1000;
		return 0;
	}
	l->refusals++;
	return (unsigned)(1 + (1000 - b->level) / (l->rate * 1000));
}

uint64_t limiter_refusals(const struct limiter *l)
{
	return l->refusals;
}
