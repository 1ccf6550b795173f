/* buf - see buf.h. */
#include "lib/base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_DEFAULT_LIMIT (64u << 20)

void buf_deinit(struct buf *b)
{
	free(b->data);
	*b = (struct buf){ .limit = b->limit };
}

void buf_deinit_p(struct buf *b)
{
	buf_deinit(b);
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	b->failed = false;
}

void *buf_reserve(struct buf *b, size_t n)
{
	size_t limit = b->limit ? b->limit : BUF_DEFAULT_LIMIT;
	void *at;

	if (b->failed || n > limit || b->len > limit - n) {
		b->failed = true;
		return NULL;
	}
	if (b->len + n + 1 > b->cap) { /* one more, so that buf_str can end it with NUL */
		size_t cap = b->cap ? b->cap : 64;
		uint8_t *bigger;

		while (cap < b->len + n + 1)
			cap *= 2;
		bigger = realloc(b->data, cap);
		if (!bigger) {
			b->failed = true;
			return NULL;
		}
		b->data = bigger;
		b->cap = cap;
	}
	at = b->data + b->len;
	b->len += n;
	return at;
}

void buf_add(struct buf *b, const void *bytes, size_t n)
{
	void *at;

	if (!n)
		return;
	at = buf_reserve(b, n);
	if (at)
		memcpy(at, bytes, n);
}

void buf_add_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_add_u8(struct buf *b, uint8_t v)
{
	buf_add(b, &v, 1);
}

void buf_add_u16(struct buf *b, uint16_t v)
{
	uint8_t x[2];

	put_u16(x, v);
	buf_add(b, x, sizeof x);
}

void buf_add_u32(struct buf *b, uint32_t v)
{
	uint8_t x[4];

	put_u32(x, v);
	buf_add(b, x, sizeof x);
}

void buf_add_u64(struct buf *b, uint64_t v)
{
	uint8_t x[8];

	put_u64(x, v);
	buf_add(b, x, sizeof x);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap, again;
	char *at;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	at = n < 0 ? NULL : buf_reserve(b, (size_t)n);
	if (at)
		vsnprintf(at, (size_t)n + 1, fmt, again); /* the NUL falls into the spare byte */
	else
		b->failed = true;
	va_end(again);
}

void buf_take_front(struct buf *b, size_t n)
{
	if (n >= b->len) {
		b->len = 0;
		return;
	}
	memmove(b->data, b->data + n, b->len - n);
	b->len -= n;
}

const char *buf_str(struct buf *b)
{
	if (!b->data)
		return "";
	b->data[b->len] = 0;
	return (const char *)b->data;
}

const uint8_t *cursor_take(struct cursor *c, size_t n)
{
	const uint8_t *at = c->p;

	if (c->bad || cursor_left(c) < n) {
		c->bad = true;
		return NULL;
	}
	c->p += n;
	return at;
}

uint8_t cursor_u8(struct cursor *c)
{
	const uint8_t *p = cursor_take(c, 1);

	return p ? *p : 0;
}

uint16_t cursor_u16(struct cursor *c)
{
	const uint8_t *p = cursor_take(c, 2);

	return p ? get_u16(p) : 0;
}

uint32_t cursor_u32(struct cursor *c)
{
	const uint8_t *p = cursor_take(c, 4);

	return p ? get_u32(p) : 0;
}

uint64_t cursor_u64(struct cursor *c)
{
	const uint8_t *p = cursor_take(c, 8);

	return p ? get_u64(p) : 0;
}
