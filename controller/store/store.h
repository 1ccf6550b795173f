/* store - the controller's one source of truth: tables, and the gap-free log of every change to them.
 *
 * One thread at a time may use a store (the store thread, or a test). Look-ups take the principal and give nothing it may not see:
 * "not found" and "not yours" are one answer. Mutations take the op (controller/store/op.h): each changes tables, takes V+1 from the one
 * counter row and appends the whole record (or a tombstone) to the log, with principal and request id.
 *
 * Lists give whole pages: rows are handed to `each` (valid for the call), *ret_next gets the cursor of the next page, "" at the end.
 */
#pragma once
#include "controller/store/op.h"
#include "lib/base/clock.h"

#define STORE_LOG_ID_LEN 16
#define STORE_SECRET_LEN 32
#define STORE_PAGE_MAX 200
#define STORE_CURSOR_SIZE 128
#define STORE_BALLAST_BYTES (16u << 20)
#define STORE_RESTORED_SUFFIX ".restored" /* beside a store: a restore that is not finished */

struct store_options {
	const char *path;       /* the database file; made with mode 0600 if it is not there */
	struct clock clock;
	uint64_t ballast_bytes; /* 0 = no ballast file */
	uint32_t audit_max;     /* rows of the audit that are kept; 0 = STORE_AUDIT_MAX */
};

/* Who wrote this log: constant while the store is open (but for store_reseed), so the loop keeps a copy. */
struct store_identity {
	uint8_t log_id[STORE_LOG_ID_LEN];
	uint64_t epoch;
	uint8_t secret[STORE_SECRET_LEN]; /* of head_proof; never leaves the controller */
};

struct store_page {
	const char *after;  /* cursor from the page before; NULL or "" = from the start */
	const char *prefix; /* only names or ids that begin so; NULL = all */
	unsigned limit;     /* at most STORE_PAGE_MAX; 0 = that */
};
struct store_next {
	char cursor[STORE_CURSOR_SIZE];
};

/* What a two-step delete has left to wait for. */
struct store_deletion {
	bool finished;
	unsigned instances_left;
};

/* Opens for writing: one process at a time (E_REFUSED "store_in_use"), checks integrity ("store_corrupt"), refuses a newer schema
 * ("store_newer"), anything that is not a store of ours ("store_foreign"), what cannot be written ("store_unwritable"), the rest of a
 * restore that was interrupted ("restore_unfinished") and to begin anew where a store has been ("store_missing"), brings an older schema up, takes a new epoch =
 * max(stored + 1, Unix ms) and makes it durable before it returns. */
int store_open(const struct store_options *options, struct store **ret_store, struct why *why) MUST_CHECK;
struct store *store_close(struct store *store); /* NULL is fine; returns NULL */
void store_get_identity(const struct store *store, struct store_identity *ret_identity);
uint64_t store_head(const struct store *store); /* V of the last committed change */
bool store_is_full(const struct store *store);  /* the ballast is gone and there is still no room */
const struct clock *store_clock(const struct store *store);

/* Nobody else took the store over, and its file is where it was: 0, -ESTALE, -EIDRM, -EBADMSG; after that nothing can be written. */
int store_check_ours(struct store *store) MUST_CHECK;

/* head_proof: keyed BLAKE2b over (log_id, epoch, V). Pure, so the loop may call it on its copy. Of the epoch too: a node that could
 * give a proof of today for one of yesterday could have any log thrown away. */
void store_head_proof(const struct store_identity *identity, uint64_t v, uint8_t ret_proof[32]);
bool store_head_proof_valid(const struct store_identity *identity, const uint8_t log_id[STORE_LOG_ID_LEN], uint64_t epoch, uint64_t v,
			    const void *proof, size_t proof_len);
/* A new log_id, and an epoch above the old one and not below `at_least`. Writes at once. */
int store_new_log(struct store *store, uint64_t at_least, struct store_identity *ret_identity) MUST_CHECK;
/* The same after a roll-back was seen; says so. */
int store_reseed(struct store *store, uint64_t at_least, struct store_identity *ret_identity) MUST_CHECK;

/* A copy of the whole store, in steps (driver_copy_step, driver_copy_end of store_driver.h): is there room for it and a backup made
 * of it in that folder (E_REFUSED "backup_no_room")? */
struct driver_copy;
int store_copy_room(const struct store *store, const char *dir, struct why *why) MUST_CHECK;
int store_copy_begin(struct store *store, const char *path, struct driver_copy **ret_copy) MUST_CHECK;

/* Runs a batch as the store thread does: writes in one transaction, then reads; results are in the ops. */
void store_run_batch(struct store *store, struct op **ops, size_t n_ops);
/* One op, synchronously, for tests and the simulator: returns op->result; done is not called, records stay in the op. */
int store_run_now(struct store *store, struct op *op);
