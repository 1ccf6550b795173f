/* store_driver_copy - driver_copy_* by SQLite's online backup. The source is the driver's own connection: what it writes between two
 * steps goes into the pages that were copied already, so a copy never starts anew. */
#include "controller/store/store_driver_sqlite.h"
#include "controller/store/store_page_sums.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct driver_copy {
	struct driver *from;
	sqlite3 *to;
	sqlite3_backup *backup;
};

/* O_EXCL and 0600 before SQLite sees it: it holds every secret of the store. */
static int make_new_file(const char *path)
{
	CLEAN_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	return fd < 0 ? -errno : 0;
}

static int error_of(sqlite3 *db)
{
	struct driver of = { .db = db };

	return driver_errno(&of, sqlite3_extended_errcode(db));
}

int driver_copy_begin(struct driver *driver, const char *path, struct driver_copy **ret_copy)
{
	struct driver_copy *copy = calloc(1, sizeof *copy);
	int r = copy ? make_new_file(path) : -ENOMEM;

	if (r != 0) {
		free(copy);
		return r;
	}
	copy->from = driver;
	if (sqlite3_open_v2(path, &copy->to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, page_sums_vfs()) != SQLITE_OK ||
	    page_sums_switch(copy->to, PAGE_SUMS_WRITE) != SQLITE_OK ||
	    /* whoever needs the copy after a crash begins anew: no journal, no fsync while the writers of the store wait */
	    sqlite3_exec(copy->to, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", NULL, NULL, NULL) != SQLITE_OK ||
	    !(copy->backup = sqlite3_backup_init(copy->to, "main", driver->db, "main"))) {
		r = copy->to ? error_of(copy->to) : -ENOMEM;
		driver_copy_end(copy);
		return r > 0 ? -EIO : r;
	}
	*ret_copy = copy;
	return 0;
}

int driver_copy_step(struct driver_copy *copy, unsigned pages, bool *ret_done)
{
	int code = sqlite3_backup_step(copy->backup, (int)pages);

	if (code == SQLITE_OK || code == SQLITE_DONE) {
		*ret_done = code == SQLITE_DONE;
		return 0;
	}
	/* no room is a matter of the copy's disk; damage, one of the store */
	if ((code & 0xff) == SQLITE_FULL)
		return -ENOSPC;
	if ((code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB || code == SQLITE_IOERR_DATA) {
		copy->from->damaged = true;
		return -EBADMSG;
	}
	return -EIO;
}

struct driver_copy *driver_copy_end(struct driver_copy *copy)
{
	if (!copy)
		return NULL;
	sqlite3_backup_finish(copy->backup);
	sqlite3_close(copy->to);
	free(copy);
	return NULL;
}
