/* map - see map.h. Open addressing, linear probing, tombstones, power-of-two size. The hash is keyed per process: names come
 * from customers, who must not be able to choose collisions. */
#include "lib/base/map.h"

#include "lib/base/crypto.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const char tombstone;
#define TOMBSTONE ((const void *)&tombstone)

static uint64_t hash_key[2];
static pthread_once_t hash_once = PTHREAD_ONCE_INIT;

static void make_hash_key(void)
{
	crypto_random(hash_key, sizeof hash_key);
}

static uint64_t mix(uint64_t x)
{
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93u;
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93u;
	return x ^ x >> 32;
}

static uint64_t hash_of(const void *key, size_t len)
{
	const uint8_t *p = key;
	uint64_t h;

	pthread_once(&hash_once, make_hash_key);
	h = hash_key[0] ^ len;
	for (; len >= 8; len -= 8, p += 8) {
		uint64_t w;

		memcpy(&w, p, 8);
		h = mix(h ^ w) + hash_key[1];
	}
	if (len) {
		uint64_t w = 0;

		memcpy(&w, p, len);
		h = mix(h ^ w) + hash_key[1];
	}
	return mix(h);
}

void map_deinit(struct map *m)
{
	free(m->slots);
	*m = (struct map){ 0 };
}

static struct map_slot *find(const struct map *m, const void *key, size_t len, uint64_t hash)
{
	if (!m->cap)
		return NULL;
	for (size_t i = hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
		struct map_slot *s = &m->slots[i];

		if (!s->key)
			return NULL;
		if (s->key != TOMBSTONE && s->hash == hash && s->key_len == len && !memcmp(s->key, key, len))
			return s;
	}
}

void *map_get(const struct map *m, const void *key, size_t key_len)
{
	struct map_slot *s = m->n ? find(m, key, key_len, hash_of(key, key_len)) : NULL;

	return s ? s->value : NULL;
}

static void insert_new(struct map *m, const struct map_slot *new_slot)
{
	size_t i = new_slot->hash & (m->cap - 1);

	while (m->slots[i].key && m->slots[i].key != TOMBSTONE)
		i = (i + 1) & (m->cap - 1);
	if (!m->slots[i].key)
		m->used++;
	m->slots[i] = *new_slot;
	m->n++;
}

static int grow(struct map *m)
{
	struct map bigger = { .cap = m->n * 2 + 8 };
	size_t cap = 16;

	while (cap < bigger.cap * 2)
		cap *= 2;
	bigger.cap = cap;
	bigger.slots = calloc(cap, sizeof *bigger.slots);
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < m->cap; i++)
		if (m->slots[i].key && m->slots[i].key != TOMBSTONE)
			insert_new(&bigger, &m->slots[i]);
	free(m->slots);
	*m = bigger;
	return 0;
}

int map_set(struct map *m, const void *key, size_t key_len, void *value, void **ret_old)
{
	uint64_t hash = hash_of(key, key_len);
	struct map_slot *s = find(m, key, key_len, hash);

	if (s) {
		if (ret_old)
			*ret_old = s->value;
		s->key = key; /* the old key may go with the old value */
		s->value = value;
		return 0;
	}
	if ((m->used + 1) * 4 > m->cap * 3) {
		int r = grow(m);
		if (r < 0)
			return r;
	}
	insert_new(m, &(struct map_slot){ .key = key, .key_len = key_len, .value = value, .hash = hash });
	if (ret_old)
		*ret_old = NULL;
	return 0;
}

void *map_remove(struct map *m, const void *key, size_t key_len)
{
	struct map_slot *s = find(m, key, key_len, hash_of(key, key_len));

	if (!s)
		return NULL;
	s->key = TOMBSTONE;
	m->n--;
	return s->value;
}

void *map_next(const struct map *m, size_t *at)
{
	while (*at < m->cap) {
		struct map_slot *s = &m->slots[(*at)++];

		if (s->key && s->key != TOMBSTONE)
			return s->value;
	}
	return NULL;
}
