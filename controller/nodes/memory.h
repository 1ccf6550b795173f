/* memory - the current records that nodes may see, each encoded once. The loop answers nodes from here, never from the store.
 *
 * Records live in parts, the units of scope and digest: the fabric, each network's shared records, each node's private ones. A
 * part knows its digest and its records in order of V. A memory_record is immutable and counted, so that the ring and snapshots
 * keep versions that are no longer current. */
#pragma once
#include "lib/base/map.h"
#include "lib/sixpn/record.h"

struct memory_record {
	struct record record; /* body borrowed from packed */
	unsigned refs;
	struct memory_part *part; /* while it is current */
	struct memory_record *previous, *next;
	uint8_t map_key[4 + RECORD_KEY_MAX];
	size_t map_key_len;
	size_t packed_len;
	uint8_t packed[]; /* proto Record */
};

struct memory_part {
	struct { uint32_t network, node; } key; /* 0, 0 = the fabric; 0, n = the private records of n */
	struct digest digest;
	struct memory_record *first, *last;
	size_t packed_len; /* of all its records */
};

struct memory {
	struct map records, parts;
	size_t bytes; /* packed, of all current records */
};

void memory_deinit(struct memory *m);
/* A new version with one reference. -EBADMSG: no record that may be sent. -ENOMEM. */
int memory_record_new(const struct record *record, struct memory_record **ret_entry) MUST_CHECK;
struct memory_record *memory_record_ref(struct memory_record *entry);
struct memory_record *memory_record_unref(struct memory_record *entry); /* NULL is fine; returns NULL */

/* Makes the version current (a tombstone: nothing is current). *ret_old gets a reference to what was, NULL if nothing. -ENOMEM
 * leaves all as it was. */
int memory_take(struct memory *m, struct memory_record *entry, struct memory_record **ret_old) MUST_CHECK;
struct memory_record *memory_find(const struct memory *m, uint32_t kind, const void *key, size_t key_len);
/* The networks whose org is suspended. */
void memory_each_suspended(const struct memory *m, void (*visit)(void *ctx, const struct network_record *network), void *ctx);
/* NULL = it has no records. */
const struct memory_part *memory_part(const struct memory *m, uint32_t network, uint32_t node);
