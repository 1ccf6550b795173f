/* wg_message - netlink messages built and read by the tests' own hand, so that a mistake of the code is not made twice. Little endian
 * machines only, as are all that run this. */
#pragma once
#include <stdint.h>
#include <string.h>

struct message {
	_Alignas(8) uint8_t bytes[70000];
	size_t len;
};

static inline void message_pad(struct message *m)
{
	while (m->len % 4)
		m->bytes[m->len++] = 0;
}

/* header: length, type, flags, sequence, port */
static inline void message_begin(struct message *m, uint16_t type, uint16_t flags, uint32_t seq, uint32_t port)
{
	memset(m->bytes, 0, 16);
	memcpy(&m->bytes[4], &type, 2);
	memcpy(&m->bytes[6], &flags, 2);
	memcpy(&m->bytes[8], &seq, 4);
	memcpy(&m->bytes[12], &port, 4);
	m->len = 16;
}

static inline void message_put(struct message *m, const void *bytes, size_t n)
{
	memcpy(&m->bytes[m->len], bytes, n);
	m->len += n;
}

static inline void message_end(struct message *m)
{
	uint32_t len = (uint32_t)m->len;

	memcpy(m->bytes, &len, 4);
}

static inline void message_attr(struct message *m, uint16_t type, const void *bytes, size_t n)
{
	uint16_t head[2] = { (uint16_t)(4 + n), type };

	message_put(m, head, 4);
	message_put(m, bytes, n);
	message_pad(m);
}

static inline size_t message_nest(struct message *m, uint16_t type)
{
	uint16_t head[2] = { 0, (uint16_t)(type | 0x8000) };
	size_t at = m->len;

	message_put(m, head, 4);
	return at;
}

static inline void message_nest_end(struct message *m, size_t at)
{
	uint16_t len = (uint16_t)(m->len - at);

	memcpy(&m->bytes[at], &len, 2);
}

/* The attribute of that type in a stretch of attributes, or NULL; *ret_len without its header. Nested or not is all the same. */
static inline const uint8_t *attr_find(const uint8_t *at, size_t left, uint16_t type, size_t *ret_len)
{
	while (left >= 4) {
		uint16_t len, is;
		size_t step;

		memcpy(&len, at, 2);
		memcpy(&is, at + 2, 2);
		if (len < 4 || len > left)
			return NULL;
		if ((is & 0x3fff) == type) {
			*ret_len = len - 4u;
			return at + 4;
		}
		step = (len + 3u) & ~3u;
		if (step > left)
			return NULL;
		at += step;
		left -= step;
	}
	return NULL;
}
