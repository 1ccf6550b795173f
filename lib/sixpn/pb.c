/* pb - see pb.h. The arena is a list of chunks; protobuf-c's allocator takes from it and its free does nothing. */
#include "lib/sixpn/pb.h"

#include "lib/sixpn/name.h"

#include <stdlib.h>
#include <string.h>

struct pb_chunk {
	struct pb_chunk *next;
	size_t used, size;
	_Alignas(16) uint8_t bytes[];
};

void *pb_alloc(struct pb_arena *a, size_t n)
{
	struct pb_chunk *c = a->chunks;
	size_t rounded = (n + 15) & ~(size_t)15;

	if (rounded < n || rounded > a->limit - a->used)
		return NULL;
	if (!c || c->size - c->used < rounded) {
		size_t size = rounded > 4096 ? rounded : 4096;

		c = calloc(1, sizeof *c + size);
		if (!c)
			return NULL;
		c->size = size;
		c->next = a->chunks;
		a->chunks = c;
	}
	a->used += rounded;
	c->used += rounded;
	return c->bytes + c->used - rounded;
}

static void *arena_alloc(void *data, size_t size)
{
	return pb_alloc(data, size);
}

static void arena_free(void *data, void *pointer)
{
	(void)data;
	(void)pointer;
}

void pb_arena_init(struct pb_arena *a, size_t limit)
{
	*a = (struct pb_arena){ .limit = limit };
	a->allocator = (ProtobufCAllocator){ .alloc = arena_alloc, .free = arena_free, .allocator_data = a };
}

void pb_arena_deinit(struct pb_arena *a)
{
	while (a->chunks) {
		struct pb_chunk *c = a->chunks;

		a->chunks = c->next;
		free(c);
	}
	a->used = 0;
}

ProtobufCMessage *pb_unpack(struct pb_arena *a, const ProtobufCMessageDescriptor *type, const void *bytes, size_t n)
{
	return protobuf_c_message_unpack(type, &a->allocator, n, bytes);
}

int pb_pack(const void *message, struct buf *ret_bytes)
{
	const ProtobufCMessage *m = message;
	void *at = buf_reserve(ret_bytes, protobuf_c_message_get_packed_size(m));

	if (!at)
		return -ENOMEM;
	protobuf_c_message_pack(m, at);
	return 0;
}

int pb_text(const ProtobufCBinaryData *field, const char *name, char *ret, size_t size, struct why *why)
{
	if (field->len >= size)
		return why_set(why, "too_long", name, "%s has %zu bytes, at most %zu are allowed", name, field->len, size - 1);
	if (field->len && (memchr(field->data, 0, field->len) || !name_is_utf8(field->data, field->len)))
		return why_set(why, "text_invalid", name, "%s is not UTF-8 text without NUL", name);
	if (field->len)
		memcpy(ret, field->data, field->len);
	ret[field->len] = 0;
	return 0;
}
