/* store_driver_open - opening and closing the lock of a SQLite store: whose file it is, whether it can be written, whether its pages
 * have digests and its WAL is whole.
 *
 * WAL with synchronous=FULL: a COMMIT that returned is on the disk. Two processes never write one file: a lock file beside it is held
 * for the driver's life (a lock on the database itself would not do, since closing any descriptor of a file drops all POSIX locks of
 * the process on it). */
#include "controller/store/store_driver_sqlite.h"

#include "controller/store/store_page_sums.h"
#include "controller/store/store_wal.h"
#include "lib/base/buf.h"
#include "lib/base/log.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define READER_BUSY_MS 5000
#define APPLICATION_ID 0x73783643 /* "sx6C" in the file's header: this file is ours, and its pages have digests */
#define APPLICATION_ID_PLAIN 0x73783670 /* "sx6p": ours, from before there were digests */

static int take_lock(const char *path, int *ret_fd, struct why *why)
{
	char lock_path[PATH_MAX];
	CLEAN_CLOSE int fd = -1;

	if ((size_t)snprintf(lock_path, sizeof lock_path, "%s-lock", path) >= sizeof lock_path)
		return -ENAMETOOLONG;
	fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? why_set(why, "store_in_use", "", "store %s is in use by another controller", path) : -errno;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

static int say_unwritable(const char *path, int r, struct why *why)
{
	if (r != -EROFS && r != -EACCES && r != -EPERM)
		return r;
	return why_set(why, "store_unwritable", "", "store %s cannot be written: %s; a controller stores its epoch before it answers anybody, so it does not start",
		       path, strerror(-r));
}

/* Makes the file before SQLite does, since SQLite would use the umask; -wal and -shm take its mode. */
static int make_file(const char *path)
{
	CLEAN_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	return fchmod(fd, 0600) < 0 ? -errno : 0;
}

static int set_id(struct driver *driver)
{
	char set[64];

	snprintf(set, sizeof set, "PRAGMA application_id = %d", APPLICATION_ID);
	return driver_exec(driver, set);
}

/* Bytes that SQLite leaves free in each page; `want` >= 0 asks for as many from the next VACUUM (or the first page) on. */
static int reserve(struct driver *driver, int want)
{
	int n = want;

	return sqlite3_file_control(driver->db, "main", SQLITE_FCNTL_RESERVE_BYTES, &n) == SQLITE_OK ? n : -1;
}

static int switch_sums(struct driver *driver, enum page_sums_mode mode)
{
	driver->sums = mode >= PAGE_SUMS_BOTH;
	return page_sums_switch(driver->db, mode) == SQLITE_OK ? 0 : -EIO;
}

/* A store from before there were digests. VACUUM writes every page anew, in one transaction. */
static int add_sums(struct driver *driver, const char *path)
{
	int r = driver_exec(driver, "PRAGMA temp_store = MEMORY; PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL");

	if (r == 0 && (reserve(driver, PAGE_SUM_LEN) < 0 || page_sums_switch(driver->db, PAGE_SUMS_WRITE) != SQLITE_OK))
		r = -EIO;
	if (r == 0)
		r = driver_exec(driver, "VACUUM");
	if (r == 0)
		log_info("store", "%s: its pages have digests now", path);
	return r;
}

struct first_page {
	int64_t id, pages;
};

static int read_first(struct driver *driver, struct first_page *ret)
{
	int r = driver_pragma_int(driver, "PRAGMA page_count", &ret->pages);

	return r ? r : driver_pragma_int(driver, "PRAGMA application_id", &ret->id);
}

/* The first page is compared like all others, wherever SQLite takes it from: a checkpoint that was cut off leaves it torn in the
 * database and whole in the WAL. Only if it is wrong it is read once more without: it may be from before there were digests. */
static int judge_first(struct driver *driver, const char *path, struct first_page *ret, struct why *why)
{
	int r = switch_sums(driver, PAGE_SUMS_BOTH);

	if (r == 0)
		r = read_first(driver, ret);
	if (r != -EBADMSG)
		return r;
	r = switch_sums(driver, PAGE_SUMS_OFF);
	if (r == 0)
		r = read_first(driver, ret);
	if ((r == -EBADMSG && (sqlite3_errcode(driver->db) & 0xff) == SQLITE_NOTADB) || (r == 0 && ret->id != APPLICATION_ID && ret->id != APPLICATION_ID_PLAIN))
		return why_set(why, "store_foreign", "",
			       "%s is not a database of this program, or its first page is damaged; if it was a store: sixpn backup restore FILE", path);
	driver->damaged = driver->damaged && ret->id == APPLICATION_ID;
	return r == 0 && ret->id == APPLICATION_ID ? -EBADMSG : r;
}

/* Is it ours, and with digests in its pages? A file that is only read may be from before there were any. */
static int check_ours(struct driver *driver, const char *path, bool reads_only, struct why *why)
{
	struct first_page first = { 0 };
	int r = judge_first(driver, path, &first, why);

	if (r != 0)
		return r;
	if (first.pages == 0 && reads_only)
		return why_set(why, "store_foreign", "", "%s is empty", path);
	if (first.pages == 0)
		return reserve(driver, PAGE_SUM_LEN) < 0 ? -EIO : set_id(driver);
	if (first.id == APPLICATION_ID)
		return reserve(driver, -1) == PAGE_SUM_LEN ? 0 : -EBADMSG;
	if (first.id != APPLICATION_ID_PLAIN)
		return why_set(why, "store_foreign", "", "%s is a database, but not one of this program (or its first page is damaged)", path);
	if (reads_only)
		return 0;
	if (!driver->sums) /* else it was interrupted before the last step */
		r = add_sums(driver, path);
	if (r == 0)
		r = switch_sums(driver, PAGE_SUMS_BOTH);
	return r ? r : set_id(driver);
}

static int set_up(struct driver *driver, const char *path, struct why *why)
{
	static const char *const settings[] = {
		"PRAGMA synchronous = FULL", "PRAGMA foreign_keys = ON", "PRAGMA trusted_schema = OFF", "PRAGMA cell_size_check = ON",
		"PRAGMA cache_size = -65536", "PRAGMA journal_size_limit = 67108864",
	};
	sqlite3_stmt *st = NULL;
	bool wal;
	int r = check_ours(driver, path, false, why);

	if (r != 0)
		return r;
	if (sqlite3_prepare_v2(driver->db, "PRAGMA journal_mode = WAL", -1, &st, NULL) != SQLITE_OK)
		return driver_errno(driver, sqlite3_extended_errcode(driver->db));
	wal = sqlite3_step(st) == SQLITE_ROW && !strcmp((const char *)sqlite3_column_text(st, 0), "wal");
	sqlite3_finalize(st);
	if (!wal)
		return -ENOTSUP; /* a file system without shared memory */
	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		if ((r = driver_exec(driver, settings[i])) != 0)
			return r;
	return 0;
}

/* Which file it is that was opened: writing one that was moved away would be writing to nowhere. */
static int note_file(struct driver *driver, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	driver->file = (struct driver_file){ st.st_dev, st.st_ino };
	driver->path = strdup(path);
	return driver->path ? 0 : -ENOMEM;
}

static bool is_file(const char *path, const struct driver_file *file)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_dev == file->device && st.st_ino == file->inode;
}

bool driver_in_place(struct driver *driver)
{
	char wal[PATH_MAX];
	struct stat st;

	snprintf(wal, sizeof wal, "%s-wal", driver->path);
	if (!driver->wal.inode && stat(wal, &st) == 0) /* SQLite makes it at the first transaction and keeps it */
		driver->wal = (struct driver_file){ st.st_dev, st.st_ino };
	return is_file(driver->path, &driver->file) && is_file(wal, &driver->wal);
}

bool driver_is_damaged(const struct driver *driver)
{
	return driver->damaged;
}

static struct driver *driver_new(void)
{
	struct driver *driver = calloc(1, sizeof *driver);

	if (driver)
		driver->lock_fd = -1;
	return driver;
}

static int finish_open(struct driver *driver, int r, struct driver **ret_driver)
{
	if (r != 0) {
		driver_close(driver);
		return r > E_REFUSED ? -EIO : r;
	}
	*ret_driver = driver;
	return 0;
}

int driver_open(const char *path, struct driver **ret_driver, struct why *why)
{
	struct driver *driver = driver_new();
	int r;

	if (!driver)
		return -ENOMEM;
	r = take_lock(path, &driver->lock_fd, why);
	if (r == 0)
		r = make_file(path);
	r = say_unwritable(path, r, why);
	if (r == 0)
		r = note_file(driver, path);
	if (r == 0)
		r = wal_check(path, why);
	if (r == 0 && sqlite3_open_v2(path, &driver->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, page_sums_vfs()) != SQLITE_OK)
		r = driver->db ? driver_errno(driver, sqlite3_extended_errcode(driver->db)) : -ENOMEM;
	if (r == 0) {
		sqlite3_extended_result_codes(driver->db, 1);
		r = say_unwritable(path, set_up(driver, path, why), why);
	}
	return finish_open(driver, r, ret_driver);
}

int driver_lock(const char *path, int *ret_fd, struct why *why)
{
	return say_unwritable(path, take_lock(path, ret_fd, why), why);
}

static void add_uri_path(struct buf *uri, const char *path)
{
	buf_add_str(uri, "file:");
	for (; *path; path++)
		if (strchr("%?#", *path))
			buf_printf(uri, "%%%02X", (unsigned char)*path);
		else
			buf_add_u8(uri, (uint8_t)*path);
}

int driver_open_reader(const char *path, bool still, struct driver **ret_driver, struct why *why)
{
	CLEAN_BUF struct buf uri = BUF_INIT(3 * PATH_MAX);
	struct driver *driver = driver_new();
	int r;

	if (!driver)
		return -ENOMEM;
	add_uri_path(&uri, path);
	if (still)
		buf_add_str(&uri, "?immutable=1"); /* no lock, no index of a WAL: nothing is made beside it */
	r = note_file(driver, path);
	if (r == 0 && sqlite3_open_v2(buf_str(&uri), &driver->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI,
				      page_sums_vfs()) != SQLITE_OK)
		r = driver->db ? driver_errno(driver, sqlite3_extended_errcode(driver->db)) : -ENOMEM;
	if (r == 0) {
		sqlite3_extended_result_codes(driver->db, 1);
		sqlite3_db_config(driver->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
		sqlite3_busy_timeout(driver->db, READER_BUSY_MS);
		r = check_ours(driver, path, true, why);
	}
	if (r == 0)
		r = driver_exec(driver, "PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY");
	return finish_open(driver, r, ret_driver);
}
