/* store_check - is a store whole? Everything that can be judged of a file without having seen it before: every page and index, every
 * foreign key, a log without a gap from 1 to V, and that the current records are what the log says of them. Reads only, and needs no
 * store to be open: for backups, and for `sixpn store check`. */
#pragma once
#include "controller/store/store.h"

struct store_summary {
	uint8_t log_id[STORE_LOG_ID_LEN];
	uint64_t v, epoch;
	int schema;
	uint64_t created_ms, newest_ms; /* of the store; of its last change (0 = none yet) */
	uint64_t records, orgs, nodes, instances;
};

/* still: nobody writes it. E_REFUSED: store_foreign, store_newer, store_corrupt with what is wrong in words. */
int store_check(const char *path, bool still, struct store_summary *ret_summary, struct why *why) MUST_CHECK;
/* Without the checks: only what the file says of itself. */
int store_summarize(const char *path, bool still, struct store_summary *ret_summary, struct why *why) MUST_CHECK;
