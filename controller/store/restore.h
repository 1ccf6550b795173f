/* restore - puts the store of a backup in the place of the one that is there. For a controller that is stopped: it takes the lock of
 * the one writer. The restored store gets a new log id and a greater epoch, so that nodes never compare what they have with it but
 * take a snapshot; the old store is moved aside, never deleted. Whenever it is interrupted, either nothing has happened, or no
 * controller starts until it was run again ("restore_unfinished"). */
#pragma once
#include "controller/store/backup_file.h"

#include <limits.h>

struct restore_report {
	struct store_summary summary; /* of the backup */
	uint64_t made_ms, epoch;      /* when the backup was made; the epoch of the new log */
	uint64_t lost;                /* changes that the replaced store had above the backup's V; 0 also if it could not be read */
	char replaced[PATH_MAX];      /* the folder where the old store is now; "" = there was none */
	bool key_replaced;            /* the machine had another link key, which is in that folder too */
};

/* above_epoch: the new epoch is greater than that too; 0 = the machine's clock and the old store are enough. */
int restore_run(const char *backup, const char *store_path, uint64_t above_epoch, const struct clock *clock,
		struct restore_report *ret_report, struct why *why) MUST_CHECK;
