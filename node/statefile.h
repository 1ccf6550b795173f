/* statefile - the replica on disk: a snapshot file and an append-only journal of the replies that came since.
 *
 *   snapshot  magic, format, log_id, epoch, V, scope version, count; each record with its length; BLAKE2b over all of it.
 *             Written whole: temporary file, fsync, rename, fsync of the folder. Mode 0600.
 *   journal   per entry: length (4), from V (8), to V (8), BLAKE2b over (hash before, those 20 bytes, body); the body is the
 *             PollReply as received. The chain starts from the snapshot's hash, so a journal of another snapshot is no journal.
 *             Appended and fdatasync'd; a torn last entry is cut off; anything else broken means: ask for a fresh snapshot.
 *
 * Functions here only encode, decode and touch files; the thread that calls them is node/journal.
 */
#pragma once
#include "node/replica.h"

#define STATEFILE_FORMAT 1
#define STATEFILE_REPLY_MAX (2u << 20)

enum {
	STATEFILE_NEWER_FORMAT = 2, /* left alone, never deleted; why says so */
	STATEFILE_BROKEN = 3,       /* renamed to *.broken; the replica is empty */
};

/* The bytes of a snapshot file of r; hash_out (32 bytes) is what the journal's chain starts from. */
int statefile_encode(const struct replica *r, struct buf *ret_bytes, uint8_t ret_hash[32]) MUST_CHECK;
/* The bytes of one journal entry; chain (32 bytes) is moved on. */
int statefile_entry(const void *reply, size_t n, uint64_t from_v, uint64_t to_v, uint8_t chain[32], struct buf *ret_bytes) MUST_CHECK;

struct statefile_found {
	bool had_snapshot;
	uint64_t journal_len;  /* of the valid part: the file is cut there */
	size_t entries, torn;  /* replayed; 1 if a torn last entry was cut off */
	uint8_t chain[32];     /* where the next entry continues */
};
/* Reads both files of `folder` into the empty replica r. No files = 0 and an empty replica. */
int statefile_load(const char *folder, struct replica *r, struct statefile_found *ret_found, struct why *why) MUST_CHECK;
/* Decoding alone, for tests and fuzzing: E_REFUSED with why. */
int statefile_decode(const void *bytes, size_t n, struct replica *r, uint8_t ret_hash[32], struct why *why) MUST_CHECK;
