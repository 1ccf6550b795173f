/* statefile - the replica on disk: a snapshot file and an append-only journal of the replies that came since.
 *
 *   snapshot  magic, format, log_id, epoch, V, scope version, count; each record with its length; BLAKE2b over all of it.
 *             Written whole: temporary file, fsync, rename, fsync of the folder. Mode 0600. Format 2 has, before each record,
 *             the V of its delete that is held back; it is written only while one is, so that an older version can read the rest. Format 3
 *             is 2 with the head proof of V before the count, so that a node can prove what it obeys also after a restart; it is
 *             written while we have one.
 *             Magic, format and the hash at the end are for ever: with them a newer format is told from a damaged file.
 *   journal   magic, then the hash of the snapshot that it continues; per entry: length (4), from V (8), to V (8), BLAKE2b over
 *             (hash before, those 20 bytes, body); the body is the PollReply as received. The chain starts from the snapshot's hash.
 *             Appended and fdatasync'd.
 *
 * After a crash: a journal that does not name this snapshot is void (a fold was cut short between the two files) and the snapshot is
 * served; a torn last entry (cut short, or zeros to the end of the file) is cut off; anything else broken means: both files are set
 * aside and a fresh snapshot is asked for. What is served is always exactly what was at one V.
 *
 * Functions here only encode, decode and touch files; the thread that calls them is node/journal.
 */
#pragma once
#include "node/replica.h"

#define STATEFILE_FORMAT 3
#define STATEFILE_REPLY_MAX (2u << 20)
#define STATEFILE_ARENA_MAX (4 * STATEFILE_REPLY_MAX) /* an unpacked reply: what was taken from the link must be readable again */
#define STATEFILE_MAX (256u << 20)
#define STATEFILE_JOURNAL_HEAD 40

enum {
	STATEFILE_NEWER_FORMAT = 2, /* left alone, never deleted; why says so */
	STATEFILE_BROKEN = 3,       /* renamed to *.broken; the replica is empty */
};

/* The bytes of a snapshot file of r; hash_out (32 bytes) is what the journal's chain starts from. */
int statefile_encode(const struct replica *r, struct buf *ret_bytes, uint8_t ret_hash[32]) MUST_CHECK;
/* The head of a journal that continues the snapshot with this hash: STATEFILE_JOURNAL_HEAD bytes. */
void statefile_journal_head(const uint8_t snapshot_hash[32], struct buf *ret_bytes);
/* The bytes of one journal entry; chain (32 bytes) is moved on. */
int statefile_entry(const void *reply, size_t n, uint64_t from_v, uint64_t to_v, uint8_t chain[32], struct buf *ret_bytes) MUST_CHECK;

struct statefile_found {
	bool had_snapshot;
	uint64_t journal_len;  /* of the valid part: the file is cut there; 0 = begin with a head */
	size_t entries, torn;  /* replayed; 1 if a torn last entry was cut off */
	bool stale_journal;    /* it was of another snapshot, and is void */
	uint8_t chain[32];     /* where the next entry continues */
};
/* Reads both files of `folder` into the empty replica r. No files = 0 and an empty replica. */
int statefile_load(const char *folder, struct replica *r, struct statefile_found *ret_found, struct why *why) MUST_CHECK;
/* When the files of `folder` last got something that was heard (Unix ms); 0 = there are none, or they cannot say. Ask before they are
 * loaded: that may mend them. */
uint64_t statefile_written_ms(const char *folder);
/* Decoding alone, into an empty replica, for tests and fuzzing: E_REFUSED with why; r then holds anything and is to be let go. */
int statefile_decode(const void *bytes, size_t n, struct replica *r, uint8_t ret_hash[32], struct why *why) MUST_CHECK;
