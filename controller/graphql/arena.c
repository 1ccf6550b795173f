/* arena - see arena.h. */
#include "controller/graphql/arena.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK (8u << 10)

struct arena_block {
	struct arena_block *next;
	size_t len, cap;
	max_align_t data[];
};

void *arena_take(struct arena *arena, size_t size)
{
	struct arena_block *b = arena->blocks;
	size_t need = (size + 15) & ~(size_t)15;
	void *p;

	if (need < size || need > arena->limit - arena->used)
		return NULL;
	if (!b || b->cap - b->len < need) {
		size_t cap = need > BLOCK ? need : BLOCK;

		b = calloc(1, sizeof *b + cap);
		if (!b)
			return NULL;
		b->cap = cap;
		b->next = arena->blocks;
		arena->blocks = b;
	}
	p = (char *)b->data + b->len;
	b->len += need;
	arena->used += need;
	return p;
}

char *arena_text(struct arena *arena, const char *text, size_t len)
{
	char *copy = arena_take(arena, len + 1);

	if (copy)
		memcpy(copy, text, len);
	return copy;
}

void arena_deinit(struct arena *arena)
{
	struct arena_block *next;

	for (struct arena_block *b = arena->blocks; b; b = next) {
		next = b->next;
		free(b);
	}
	arena->blocks = NULL;
	arena->used = 0;
}
