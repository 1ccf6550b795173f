/* pb - unpacking protobuf-c messages from outside with a cap on what they may allocate. Everything unpacked lives in the arena
 * and goes with it; nothing is freed one by one. */
#pragma once
#include "lib/base/buf.h"

#include <protobuf-c/protobuf-c.h>

struct pb_arena {
	struct pb_chunk *chunks;
	size_t used, limit;
	ProtobufCAllocator allocator;
};
void pb_arena_init(struct pb_arena *a, size_t limit);
void pb_arena_deinit(struct pb_arena *a);
/* NULL if the bytes are not a message of that type, or want more than the arena's limit. */
ProtobufCMessage *pb_unpack(struct pb_arena *a, const ProtobufCMessageDescriptor *type, const void *bytes, size_t n);
void *pb_alloc(struct pb_arena *a, size_t n); /* zeroed, from the arena; NULL above the limit */
/* Appends the packed message; -ENOMEM. */
int pb_pack(const void *message, struct buf *ret_bytes) MUST_CHECK;
/* Copies a bytes field into a C string: E_REFUSED if it holds NUL, is not UTF-8 or does not fit. */
int pb_text(const ProtobufCBinaryData *field, const char *name, char *ret, size_t size, struct why *why) MUST_CHECK;
static inline ProtobufCBinaryData pb_bytes(const void *p, size_t n)
{
	return (ProtobufCBinaryData){ .data = (uint8_t *)(uintptr_t)p, .len = n };
}
