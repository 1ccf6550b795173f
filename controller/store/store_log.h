/* store_log - the log of changes: what memory and nodes are fed from. */
#pragma once
#include "controller/store/store.h"

struct store_log_row {
	struct record record; /* body borrowed for the call */
	uint8_t org[ID_LEN];
	bool has_org;
	const char *principal, *request_id; /* borrowed for the call */
	uint64_t committed_ms;
};

/* Rows with V > after_v in order, at most limit (STORE_PAGE_MAX); *ret_last_v = the last one given, after_v if none. Of the
 * controller itself: who must be operator or local. */
int store_log_read_since(struct store *store, const struct principal *who, uint64_t after_v, unsigned limit,
			 void (*each)(void *arg, const struct store_log_row *row), void *arg, uint64_t *ret_last_v) MUST_CHECK;
/* Every current record that nodes may see (RECORD_SENDABLE), in order of V, as of store_head: fills memory at start. */
int store_log_read_current(struct store *store, const struct principal *who, void (*each)(void *arg, const struct record *record),
			   void *arg) MUST_CHECK;
/* The rows with V > after_v that are of this org (NULL: of all), in order, at most limit; org_name is as it is called now, "" if it is gone.
 * *ret_last_v: up to where there is nothing more of them to be had now. Of the controller itself. */
int store_log_read_of(struct store *store, const struct principal *who, const uint8_t *org, uint64_t after_v, unsigned limit,
		      void (*each)(void *arg, const struct store_log_row *row, const char *org_name), void *arg, uint64_t *ret_last_v) MUST_CHECK;
/* Tombstones of records that nodes may see, with V > after_v and a reason (intent), that are shared or were the host's own; the newest,
 * at most limit, in any order. Of the controller itself. */
int store_log_read_deletes(struct store *store, const struct principal *who, uint64_t after_v, uint32_t host, unsigned limit,
			   void (*each)(void *arg, const struct record *tombstone), void *arg) MUST_CHECK;
/* Is every change from first_v to v one of an org that the principal sees? Operators: yes. A longer span than STORE_LOG_OWN_MAX is not. */
#define STORE_LOG_OWN_MAX 20000
int store_log_is_own(struct store *store, const struct principal *who, uint64_t first_v, uint64_t v, bool *ret_own) MUST_CHECK;
