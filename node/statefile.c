/* statefile - see statefile.h. */
#include "node/statefile.h"

#include "lib/base/crypto.h"
#include "lib/base/file.h"
#include "lib/sixpn/pb.h"
#include "proto/sixpn.pb-c.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char magic[8] = "sixpnst", journal_magic[8] = "sixpnjl";

#define JOURNAL_MAX (2 * STATEFILE_MAX) /* folded when it passes the snapshot's size */
#define HASH_LEN 32
#define ENTRY_HEAD (4 + 8 + 8)

static void hash(const void *a, size_t an, const void *b, size_t bn, const void *c, size_t cn, uint8_t out[HASH_LEN])
{
	crypto_blake2b((const uint8_t *)"sixpn state", 11, (struct crypto_part[]){ { a, an }, { b, bn }, { c, cn } }, 3, out);
}

static int put_plain(struct buf *out, const struct record *record)
{
	size_t at = out->len;
	int e;

	buf_add_u32(out, 0);
	e = record_encode(record, out);
	if (e == 0 && !buf_failed(out))
		put_u32(out->data + at, (uint32_t)(out->len - at - 4));
	return e;
}

static int put_records(const struct replica *r, bool with_held, struct buf *out)
{
	const struct replica_record *rec;
	int e = 0;

	for (size_t i = 0; e == 0 && (rec = map_next(&r->records, &i));) {
		if (with_held)
			buf_add_u64(out, rec->held_v);
		e = put_plain(out, rec->record);
	}
	return e;
}

int statefile_encode(const struct replica *r, struct buf *ret_bytes, uint8_t ret_hash[32])
{
	bool with_held = r->n_held || r->head_proof_len;
	int e;

	buf_add(ret_bytes, magic, sizeof magic);
	buf_add_u32(ret_bytes, r->head_proof_len ? 3 : with_held ? 2 : 1);
	buf_add_u8(ret_bytes, r->has_log_id);
	buf_add(ret_bytes, r->log_id, sizeof r->log_id);
	buf_add_u64(ret_bytes, r->epoch);
	buf_add_u64(ret_bytes, r->v);
	buf_add_u64(ret_bytes, r->scope_version);
	buf_add_u64(ret_bytes, r->last_commit_ms);
	if (r->head_proof_len) {
		buf_add_u8(ret_bytes, (uint8_t)r->head_proof_len);
		buf_add(ret_bytes, r->head_proof, r->head_proof_len);
	}
	buf_add_u64(ret_bytes, r->records.n);
	e = put_records(r, with_held, ret_bytes);
	if (e < 0 || buf_failed(ret_bytes))
		return e < 0 ? e : -ENOMEM;
	hash(ret_bytes->data, ret_bytes->len, NULL, 0, NULL, 0, ret_hash);
	buf_add(ret_bytes, ret_hash, HASH_LEN);
	return buf_failed(ret_bytes) ? -ENOMEM : 0;
}

static int broken(struct why *why, const char *what)
{
	return why_set(why, "state_broken", "", "the state file is broken: %s", what);
}

static void take_proof(struct cursor *c, struct replica *r)
{
	size_t n = cursor_u8(c);
	const uint8_t *at = cursor_take(c, n);

	if (!at || n > sizeof r->head_proof) {
		c->bad = true;
		return;
	}
	memcpy(r->head_proof, at, n);
	r->head_proof_len = n;
}

int statefile_decode(const void *bytes, size_t n, struct replica *r, uint8_t ret_hash[32], struct why *why)
{
	struct cursor c = cursor_over(bytes, n);
	const uint8_t *m = cursor_take(&c, sizeof magic), *id;
	uint32_t format = cursor_u32(&c);
	uint64_t count;

	if (c.bad || memcmp(m, magic, sizeof magic))
		return broken(why, "no magic");
	if (n < HASH_LEN)
		return broken(why, "too short");
	hash(bytes, n - HASH_LEN, NULL, 0, NULL, 0, ret_hash);
	if (memcmp(ret_hash, (const uint8_t *)bytes + n - HASH_LEN, HASH_LEN))
		return broken(why, "its checksum is wrong");
	if (format > STATEFILE_FORMAT) { /* only now: a damaged number must not keep the machine's names down until somebody comes */
		why_set(why, "state_newer", "", "the state file has format %u, this version knows %d: it is left as it is", format, STATEFILE_FORMAT);
		return STATEFILE_NEWER_FORMAT;
	}
	c.end -= HASH_LEN;
	r->has_log_id = cursor_u8(&c) != 0;
	id = cursor_take(&c, sizeof r->log_id);
	if (id)
		memcpy(r->log_id, id, sizeof r->log_id);
	r->epoch = cursor_u64(&c);
	r->v = cursor_u64(&c);
	r->scope_version = cursor_u64(&c);
	r->last_commit_ms = cursor_u64(&c);
	if (format > 2)
		take_proof(&c, r);
	count = cursor_u64(&c);
	for (uint64_t i = 0; i < count && !c.bad; i++) {
		uint64_t held_v = format > 1 ? cursor_u64(&c) : 0;
		uint32_t len = cursor_u32(&c);
		const uint8_t *at = cursor_take(&c, len);
		struct record rec;
		int e;

		if (!at)
			break;
		e = record_decode(at, len, &rec, why);
		if (e == 0)
			e = rec.deleted ? broken(why, "a tombstone is in it") : replica_insert(r, &rec, held_v);
		if (e)
			return e;
	}
	return c.bad || cursor_left(&c) || r->records.n != count ? broken(why, "its length is wrong") : 0;
}

void statefile_journal_head(const uint8_t snapshot_hash[32], struct buf *ret_bytes)
{
	buf_add(ret_bytes, journal_magic, sizeof journal_magic);
	buf_add(ret_bytes, snapshot_hash, HASH_LEN);
}

int statefile_entry(const void *reply, size_t n, uint64_t from_v, uint64_t to_v, uint8_t chain[32], struct buf *ret_bytes)
{
	uint8_t head[ENTRY_HEAD];

	put_u32(head, (uint32_t)n);
	put_u64(head + 4, from_v);
	put_u64(head + 12, to_v);
	hash(chain, HASH_LEN, head, sizeof head, reply, n, chain);
	buf_add(ret_bytes, head, sizeof head);
	buf_add(ret_bytes, chain, HASH_LEN);
	buf_add(ret_bytes, reply, n);
	return buf_failed(ret_bytes) ? -ENOMEM : 0;
}

static int replay_reply(struct replica *r, const uint8_t *bytes, size_t n, struct why *why)
{
	struct pb_arena arena;
	Sixpn__PollReply *reply;
	int e;

	pb_arena_init(&arena, STATEFILE_ARENA_MAX);
	reply = (Sixpn__PollReply *)pb_unpack(&arena, &sixpn__poll_reply__descriptor, bytes, n);
	e = reply ? replica_take(r, reply, NULL, why) : broken(why, "a journal entry is no reply");
	pb_arena_deinit(&arena);
	return e;
}

/* A file that grew without its bytes having been written reads as zeros there; no entry of ours is all zeros. */
static bool only_zeros(const uint8_t *p, const uint8_t *end)
{
	while (p < end && !*p)
		p++;
	return p == end;
}

/* Nothing in the journal continues this snapshot. */
static bool is_void(struct cursor *c, const uint8_t snapshot_hash[HASH_LEN])
{
	const uint8_t *m = cursor_take(c, sizeof journal_magic), *of = cursor_take(c, HASH_LEN);

	return !m || !of || memcmp(m, journal_magic, sizeof journal_magic) || memcmp(of, snapshot_hash, HASH_LEN);
}

/* Replays as far as the chain holds. An entry that breaks it is the torn end if nothing follows: the file ends there. */
static int replay_journal(struct replica *r, const struct buf *journal, struct statefile_found *found, struct why *why)
{
	struct cursor c = cursor_over(journal->data, journal->len);

	if (!journal->len)
		return 0;
	found->stale_journal = is_void(&c, found->chain);
	if (found->stale_journal)
		return 0;
	found->journal_len = STATEFILE_JOURNAL_HEAD;
	while (cursor_left(&c)) {
		const uint8_t *at = c.p, *head = cursor_take(&c, ENTRY_HEAD), *sum = cursor_take(&c, HASH_LEN), *body;
		uint32_t n = head ? get_u32(head) : 0;
		uint8_t want[HASH_LEN];
		int e;

		body = sum ? cursor_take(&c, n) : NULL;
		found->torn = !body || only_zeros(at, c.end);
		if (found->torn)
			return 0;
		hash(found->chain, HASH_LEN, head, ENTRY_HEAD, body, n, want);
		found->torn = memcmp(want, sum, HASH_LEN) != 0;
		if (found->torn)
			return cursor_left(&c) ? broken(why, "the journal's chain breaks before its end") : 0;
		e = replay_reply(r, body, n, why);
		if (e)
			return e < 0 ? e : broken(why, "a journal entry does not apply");
		memcpy(found->chain, want, HASH_LEN);
		found->entries++;
		found->journal_len = (uint64_t)(c.p - journal->data);
	}
	return 0;
}

static void set_aside(const char *path)
{
	char aside[PATH_MAX + 8];

	snprintf(aside, sizeof aside, "%s.broken", path);
	if (rename(path, aside) < 0)
		unlink(path);
}

/* Reads one of the files: -ENOENT is for the caller, a file beyond its limit is none of ours. */
static int read_file(const char *path, size_t limit, struct buf *ret_bytes, struct why *why)
{
	int e = file_read(path, limit, ret_bytes);

	return e == -EFBIG ? broken(why, "it is too large") : e;
}

static int load_both(const char *snapshot_path, const char *journal_path, struct replica *r, struct statefile_found *found,
		     size_t *ret_journal_bytes, struct why *why)
{
	CLEAN_BUF struct buf snapshot = BUF_INIT(STATEFILE_MAX + 1), journal = BUF_INIT(JOURNAL_MAX + 1);
	int e = read_file(snapshot_path, STATEFILE_MAX, &snapshot, why);

	found->had_snapshot = e == 0;
	if (e == 0)
		e = statefile_decode(snapshot.data, snapshot.len, r, found->chain, why);
	if (e && e != -ENOENT)
		return e;
	e = read_file(journal_path, JOURNAL_MAX, &journal, why);
	if (e)
		return e == -ENOENT ? 0 : e;
	*ret_journal_bytes = journal.len;
	return replay_journal(r, &journal, found, why);
}

/* Nothing is heard by cutting: the time of the file stays. */
static int cut(const char *path, off_t len)
{
	struct stat s;

	if (stat(path, &s) < 0 || truncate(path, len) < 0)
		return -errno;
	(void)utimensat(AT_FDCWD, path, (struct timespec[]){ s.st_atim, s.st_mtim }, 0);
	return 0;
}

int statefile_load(const char *folder, struct replica *r, struct statefile_found *ret_found, struct why *why)
{
	char snapshot_path[PATH_MAX], journal_path[PATH_MAX];
	struct statefile_found found = { 0 };
	size_t journal_bytes = 0;
	int e;

	snprintf(snapshot_path, sizeof snapshot_path, "%s/replica.snapshot", folder);
	snprintf(journal_path, sizeof journal_path, "%s/replica.journal", folder);
	e = load_both(snapshot_path, journal_path, r, &found, &journal_bytes, why);
	if (e)
		replica_deinit(r);
	if (e < 0 || e == STATEFILE_NEWER_FORMAT)
		return e;
	if (e) { /* never served half: an empty replica asks for a snapshot */
		set_aside(snapshot_path);
		set_aside(journal_path);
		return STATEFILE_BROKEN;
	}
	if (found.journal_len < journal_bytes && (e = cut(journal_path, (off_t)found.journal_len)) < 0)
		return e;
	replica_drop_staging(r);
	*ret_found = found;
	return 0;
}

static uint64_t written_ms(const char *folder, const char *name, off_t more_than)
{
	char path[PATH_MAX];
	struct stat s;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	if (stat(path, &s) < 0 || s.st_size <= more_than)
		return 0;
	return (uint64_t)s.st_mtim.tv_sec * 1000 + (uint64_t)s.st_mtim.tv_nsec / 1000000;
}

uint64_t statefile_written_ms(const char *folder)
{
	uint64_t snapshot = written_ms(folder, "replica.snapshot", 0);
	uint64_t journal = written_ms(folder, "replica.journal", STATEFILE_JOURNAL_HEAD); /* its head alone is written at a start too */

	return snapshot > journal ? snapshot : journal;
}
