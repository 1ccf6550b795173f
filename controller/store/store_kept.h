/* store_kept - replies of writes that are kept for a day, for whoever sends the same request again because he never saw the reply. Written in
 * the op of the write itself, so a reply is kept exactly if the write stands. No record and no V: nobody else is told.
 *
 * Bounded: an owner (an org; an operator or a person by his own id) has at most STORE_KEPT_MAX, the oldest of which goes first. */
#pragma once
#include "controller/store/store.h"

#define STORE_KEPT_MAX 10000
#define STORE_KEPT_MS 86400000ull
#define STORE_KEPT_TEXT_MAX 16384

struct store_kept {
	uint8_t request[32]; /* hash of what was asked */
	unsigned status;
	char *reply;         /* JSON; "": it held a secret, or was too large */
	char *wait;          /* JSON */
	char about[64];
	uint64_t first_v, v; /* of the write; 0 = it changed nothing */
};

/* Expired ones are not there. What is found is the caller's: store_kept_deinit. */
int store_kept_find(struct store *store, const uint8_t id[32], struct store_kept *ret_kept, bool *ret_found) MUST_CHECK;
/* Replaces one of that id. No row of the audit: it tells of the write, or there was none. */
int store_kept_put(struct store *store, struct op *op, const uint8_t id[32], const uint8_t owner[ID_LEN], const struct store_kept *kept) MUST_CHECK;
/* V of the newest change as this write sees it, those of others in the same group included. */
int store_kept_newest(struct store *store, uint64_t *ret_v) MUST_CHECK;
/* The write it was about was taken back. */
int store_kept_remove(struct store *store, const uint8_t id[32]) MUST_CHECK;
void store_kept_deinit(struct store_kept *kept);
