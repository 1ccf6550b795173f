/* arena - memory of one request: many small pieces, freed together, with a limit. */
#pragma once
#include "lib/base/err.h"

struct arena_block;
struct arena {
	struct arena_block *blocks;
	size_t used, limit;
};

void *arena_take(struct arena *arena, size_t size); /* zeroed; NULL over the limit or without memory */
char *arena_text(struct arena *arena, const char *text, size_t len);
void arena_deinit(struct arena *arena);
