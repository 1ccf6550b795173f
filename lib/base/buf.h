/* buf - a growable byte buffer with a limit. All appends after a failure do nothing; check buf_failed() once at the end. */
#pragma once
#include "lib/base/err.h"

struct buf {
	uint8_t *data;
	size_t len, cap, limit; /* limit 0 = 64 MiB */
	bool failed;
};
#define BUF_INIT(max) ((struct buf){ .limit = (max) })

void buf_deinit(struct buf *b); /* frees; the buffer is empty and usable again */
void buf_clear(struct buf *b);  /* keeps the memory */
void buf_add(struct buf *b, const void *bytes, size_t n);
void buf_add_str(struct buf *b, const char *s);
void buf_add_u8(struct buf *b, uint8_t v);
void buf_add_u16(struct buf *b, uint16_t v); /* big-endian, as are the next two */
void buf_add_u32(struct buf *b, uint32_t v);
void buf_add_u64(struct buf *b, uint64_t v);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void *buf_reserve(struct buf *b, size_t n); /* n writable bytes at the end, counted in len; NULL on failure */
void buf_take_front(struct buf *b, size_t n);
static inline bool buf_failed(const struct buf *b)
{
	return b->failed;
}
/* The content as a C string (a NUL is kept behind it), "" when empty. */
const char *buf_str(struct buf *b);
void buf_deinit_p(struct buf *b);
#define CLEAN_BUF __attribute__((cleanup(buf_deinit_p)))

/* A cursor over bytes from outside. Reading past the end sets `bad`, yields zeros and moves no further. */
struct cursor {
	const uint8_t *p, *end;
	bool bad;
};
static inline struct cursor cursor_over(const void *p, size_t n)
{
	return (struct cursor){ .p = p, .end = (const uint8_t *)p + n };
}
const uint8_t *cursor_take(struct cursor *c, size_t n); /* NULL and bad if fewer are left */
uint8_t cursor_u8(struct cursor *c);
uint16_t cursor_u16(struct cursor *c); /* big-endian */
uint32_t cursor_u32(struct cursor *c);
uint64_t cursor_u64(struct cursor *c);
static inline size_t cursor_left(const struct cursor *c)
{
	return (size_t)(c->end - c->p);
}

static inline void put_u16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}
static inline void put_u32(uint8_t *p, uint32_t v)
{
	put_u16(p, (uint16_t)(v >> 16));
	put_u16(p + 2, (uint16_t)v);
}
static inline void put_u64(uint8_t *p, uint64_t v)
{
	put_u32(p, (uint32_t)(v >> 32));
	put_u32(p + 4, (uint32_t)v);
}
static inline uint16_t get_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}
static inline uint32_t get_u32(const uint8_t *p)
{
	return (uint32_t)get_u16(p) << 16 | get_u16(p + 2);
}
static inline uint64_t get_u64(const uint8_t *p)
{
	return (uint64_t)get_u32(p) << 32 | get_u32(p + 4);
}
