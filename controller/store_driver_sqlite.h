/* store_driver_sqlite - what the files of the SQLite driver share; only they include sqlite3.h. */
#pragma once
#include "controller/store_driver.h"
#include "lib/base/map.h"

#include <sqlite3.h>
#include <sys/types.h>

struct driver {
	sqlite3 *db;
	int lock_fd; /* -1 = a reader */
	char *path;
	dev_t device; /* of the file as it was opened */
	ino_t inode;
	struct map statements;
};

/* SQLite's code as driver_step gives it. */
int driver_errno(const struct driver *driver, int code);
