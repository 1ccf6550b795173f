/* map - a hash map from bytes to a pointer. Keys are borrowed: they must live in (or as long as) the value. */
#pragma once
#include "lib/base/err.h"

struct map_slot {
	const void *key;
	size_t key_len;
	void *value;
	uint64_t hash;
};

struct map {
	struct map_slot *slots;
	size_t cap, n, used; /* used counts tombstones too */
};

void map_deinit(struct map *m); /* frees the table, not the values */
void *map_get(const struct map *m, const void *key, size_t key_len);
/* Inserts or replaces; *ret_old (may be NULL) gets what was there. -ENOMEM. */
int map_set(struct map *m, const void *key, size_t key_len, void *value, void **ret_old);
void *map_remove(struct map *m, const void *key, size_t key_len); /* the value, NULL if none */
static inline void *map_get_str(const struct map *m, const char *key)
{
	return map_get(m, key, __builtin_strlen(key));
}
static inline int map_set_str(struct map *m, const char *key, void *value)
{
	return map_set(m, key, __builtin_strlen(key), value, NULL);
}
/* Walks all values: `for (size_t i = 0; (v = map_next(m, &i)); )`. Removing the value just given is allowed, inserting is not. */
void *map_next(const struct map *m, size_t *at);
