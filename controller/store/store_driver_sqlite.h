/* store_driver_sqlite - what the files of the SQLite driver share; only they include sqlite3.h. */
#pragma once
#include "controller/store/store_driver.h"
#include "lib/base/map.h"

#include <sqlite3.h>
#include <sys/types.h>

struct driver {
	sqlite3 *db;
	int lock_fd; /* -1 = a reader */
	char *path;
	struct driver_file {
		dev_t device;
		ino_t inode;
	} file, wal; /* as they were opened; wal zeros until it was seen */
	bool sums;    /* its pages have digests */
	bool damaged; /* SQLite found something that it could not have written */
	struct map statements;
};

/* SQLite's code as driver_step gives it; notes damage. */
int driver_errno(struct driver *driver, int code);
/* The one number that a PRAGMA gives. */
int driver_pragma_int(struct driver *driver, const char *sql, int64_t *ret_value);
