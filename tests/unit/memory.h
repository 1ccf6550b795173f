/* memory - lets a test run out of memory: malloc, calloc and realloc of the whole program, in one place. Include it in one file. */
#pragma once
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdlib.h>

static atomic_long memory_left = -1; /* allocations that still succeed; -1 = all */

static inline void memory_fails_after(long n)
{
	atomic_store(&memory_left, n);
}
static inline void memory_is_there(void)
{
	atomic_store(&memory_left, -1);
}

static bool memory_refuses(void)
{
	long left = atomic_load(&memory_left);

	if (left > 0)
		atomic_store(&memory_left, left - 1);
	return left == 0;
}

/* The allocator behind ours: that of the C library, or the sanitizer's. */
#define MEMORY_BEHIND(name, ...)                                            \
	({                                                                  \
		static __typeof__(&name) behind;                            \
		if (!behind)                                                \
			behind = (__typeof__(&name))dlsym(RTLD_NEXT, #name); \
		behind(__VA_ARGS__);                                        \
	})

void *malloc(size_t n)
{
	return memory_refuses() ? NULL : MEMORY_BEHIND(malloc, n);
}

void *calloc(size_t n, size_t size)
{
	return memory_refuses() ? NULL : MEMORY_BEHIND(calloc, n, size);
}

void *realloc(void *p, size_t n)
{
	return memory_refuses() ? NULL : MEMORY_BEHIND(realloc, p, n);
}
