/* store_driver_sqlite - store_driver.h on SQLite.
 *
 * WAL with synchronous=FULL: a COMMIT that returned is on the disk. The schema dialect needs one translation: STRICT behind each
 * table. Two processes never write one file: a lock file beside it is held for the driver's life (a lock on the database itself
 * would not do, since closing any descriptor of a file drops all POSIX locks of the process on it). */
#include "controller/store_driver_sqlite.h"

#include "controller/store_page_sums.h"
#include "controller/store_wal.h"
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

struct statement {
	const char *sql; /* its address is the key of the cache */
	sqlite3_stmt *handle;
	struct driver *driver;
	int bind_error;
	bool in_use, cached;
};

/* No room, in one of the forms in which SQLite does not call it FULL: a quota, a limit, the index of the WAL. Not after a failed
 * fsync: what is on the disk then is anybody's guess. */
static bool is_room_error(const struct driver *driver, int code)
{
	int e = (code & 0xff) == SQLITE_IOERR ? sqlite3_system_errno(driver->db) : 0;

	return code != SQLITE_IOERR_FSYNC && code != SQLITE_IOERR_DIR_FSYNC && (e == ENOSPC || e == EDQUOT || e == EFBIG);
}

int driver_errno(struct driver *driver, int code)
{
	if (is_room_error(driver, code))
		return -ENOSPC;
	driver->damaged = driver->damaged || (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB ||
			  code == SQLITE_IOERR_DATA;
	if (code == SQLITE_IOERR_DATA)
		return -EBADMSG;
	switch (code & 0xff) {
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EBADMSG;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_TOOBIG:
		return -EMSGSIZE;
	case SQLITE_CONSTRAINT:
		return code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY ? DRIVER_E_UNIQUE : DRIVER_E_CONSTRAINT;
	case SQLITE_ERROR:
	case SQLITE_MISUSE:
		return -EINVAL; /* our own SQL is wrong */
	default:
		return -EIO;
	}
}

int driver_exec(struct driver *driver, const char *sql)
{
	int code = sqlite3_exec(driver->db, sql, NULL, NULL, NULL);

	return code == SQLITE_OK ? 0 : driver_errno(driver, sqlite3_extended_errcode(driver->db));
}

bool driver_in_transaction(struct driver *driver)
{
	return !sqlite3_get_autocommit(driver->db);
}

int64_t driver_changed(struct driver *driver)
{
	return sqlite3_changes64(driver->db);
}

/* ---- opening ---- */

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

static int pragma_int(struct driver *driver, const char *sql, int64_t *ret_value)
{
	sqlite3_stmt *st = NULL;
	int code = sqlite3_prepare_v2(driver->db, sql, -1, &st, NULL), r = 0;

	if (code == SQLITE_OK)
		code = sqlite3_step(st);
	if (code == SQLITE_ROW)
		*ret_value = sqlite3_column_int64(st, 0);
	else
		r = code == SQLITE_DONE ? -EINVAL : driver_errno(driver, sqlite3_extended_errcode(driver->db));
	sqlite3_finalize(st);
	return r;
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

static int switch_on(struct driver *driver, int64_t page_size)
{
	int code = page_sums_switch(driver->db, PAGE_SUMS_BOTH);

	driver->sums = code == SQLITE_OK;
	if (code == SQLITE_OK && page_size)
		code = page_sums_check_first(driver->db, (int)page_size); /* SQLite has read it before we could compare */
	/* A loss of power during a checkpoint may have torn it while the WAL has it whole: finish the checkpoint, and look again. */
	if ((code & 0xff) == SQLITE_IOERR && driver_exec(driver, "PRAGMA wal_checkpoint(TRUNCATE)") == 0)
		code = page_sums_check_first(driver->db, (int)page_size);
	return code == SQLITE_OK ? 0 : driver_errno(driver, code);
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

/* Is it ours, and with digests in its pages? Then they are compared from here on. A file that is only read may be from before. */
static int check_ours(struct driver *driver, const char *path, bool reads_only, struct why *why)
{
	int64_t id = 0, pages = 0, page_size = 0;
	int reserved, r = pragma_int(driver, "PRAGMA page_count", &pages);

	if (r == 0)
		r = pragma_int(driver, "PRAGMA application_id", &id);
	if (r == 0)
		r = pragma_int(driver, "PRAGMA page_size", &page_size);
	if (r == -EBADMSG && (sqlite3_errcode(driver->db) & 0xff) == SQLITE_NOTADB)
		return why_set(why, "store_foreign", "",
			       "%s is not a database, or its first page is damaged; if it was a store: sixpn backup restore FILE", path);
	if (r != 0)
		return r;
	if (pages == 0 && reads_only)
		return why_set(why, "store_foreign", "", "%s is empty", path);
	reserved = reserve(driver, pages ? -1 : PAGE_SUM_LEN);
	if (pages == 0) {
		r = switch_on(driver, 0);
		return r ? r : set_id(driver);
	}
	if (id == APPLICATION_ID)
		return reserved == PAGE_SUM_LEN ? switch_on(driver, page_size) : -EBADMSG;
	if (id != APPLICATION_ID_PLAIN)
		return why_set(why, "store_foreign", "", "%s is a database, but not one of this program (or its first page is damaged)", path);
	if (reads_only)
		return 0;
	if (reserved != PAGE_SUM_LEN) /* else it was interrupted before the last step */
		r = add_sums(driver, path);
	if (r == 0)
		r = switch_on(driver, page_size);
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

struct driver *driver_close(struct driver *driver)
{
	struct statement *st;

	if (!driver)
		return NULL;
	for (size_t i = 0; (st = map_next(&driver->statements, &i));) {
		sqlite3_finalize(st->handle);
		free(st);
	}
	map_deinit(&driver->statements);
	sqlite3_close(driver->db);
	if (driver->lock_fd >= 0)
		close(driver->lock_fd);
	free(driver->path);
	free(driver);
	return NULL;
}

/* ---- schema ---- */

int driver_get_version(struct driver *driver, int *ret_version)
{
	int64_t version = 0;
	int r = pragma_int(driver, "PRAGMA user_version", &version);

	if (r == 0)
		*ret_version = (int)version;
	return r;
}

int driver_set_version(struct driver *driver, int version)
{
	char sql[64];

	snprintf(sql, sizeof sql, "PRAGMA user_version = %d", version);
	return driver_exec(driver, sql);
}

/* In the dialect a CREATE TABLE ends with a line that is just ");". */
static void translate(const char *sql, struct buf *ret)
{
	static const char end[] = "\n);";
	const char *at;

	while ((at = strstr(sql, end))) {
		buf_add(ret, sql, (size_t)(at - sql));
		buf_add_str(ret, "\n) STRICT;");
		sql = at + sizeof end - 1;
	}
	buf_add_str(ret, sql);
}

int driver_migrate(struct driver *driver, const char *sql, struct why *why)
{
	CLEAN_BUF struct buf text = BUF_INIT(4u << 20);
	int r;

	translate(sql, &text);
	if (buf_failed(&text))
		return -ENOMEM;
	r = driver_exec(driver, buf_str(&text));
	if (r != 0)
		why_set(why, "internal", "", "the schema does not apply: %s", sqlite3_errmsg(driver->db));
	return r > 0 ? -EINVAL : r;
}

/* A check gives one row "ok", or rows with what it found. */
static int run_check(struct driver *driver, const char *sql, struct why *why)
{
	sqlite3_stmt *st = NULL;
	const char *finding = "it cannot be read";
	int r = 0, code = sqlite3_prepare_v2(driver->db, sql, -1, &st, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_step(st);
	if (code == SQLITE_ROW)
		finding = (const char *)sqlite3_column_text(st, 0);
	else if (driver_errno(driver, code) != -EBADMSG)
		r = driver_errno(driver, code);
	if (r == 0 && (!finding || strcmp(finding, "ok")))
		r = why_set(why, "store_corrupt", "", "%s is damaged: %.200s; restore a backup: sixpn backup restore FILE", driver->path,
			    finding ? finding : "no memory");
	sqlite3_finalize(st);
	return r;
}

/* Nothing that SQLite has in its memory already counts as looked at. */
static int run_strict_check(struct driver *driver, const char *sql, struct why *why)
{
	int r;

	if (!driver->sums)
		return run_check(driver, sql, why);
	sqlite3_db_release_memory(driver->db);
	if (page_sums_switch(driver->db, PAGE_SUMS_STRICT) != SQLITE_OK)
		return -EIO;
	r = run_check(driver, sql, why);
	return page_sums_switch(driver->db, PAGE_SUMS_BOTH) == SQLITE_OK ? r : -EIO;
}

int driver_check(struct driver *driver, struct why *why)
{
	return run_strict_check(driver, "PRAGMA quick_check(1)", why);
}

int driver_check_all(struct driver *driver, struct why *why)
{
	int r = run_strict_check(driver, "PRAGMA integrity_check(1)", why);

	return r ? r : run_check(driver, "SELECT coalesce(min('a row of ' || \"table\" || ' refers to nothing in ' || parent), 'ok') "
					 "FROM pragma_foreign_key_check", why);
}

/* ---- statements ---- */

static int make_statement(struct driver *driver, const char *sql, struct statement **ret)
{
	struct statement *st = calloc(1, sizeof *st);

	if (!st)
		return -ENOMEM;
	st->sql = sql;
	st->driver = driver;
	if (sqlite3_prepare_v3(driver->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &st->handle, NULL) != SQLITE_OK) {
		int r = driver_errno(driver, sqlite3_extended_errcode(driver->db));

		free(st);
		return r > 0 ? -EINVAL : r;
	}
	*ret = st;
	return 0;
}

int driver_prepare(struct driver *driver, const char *sql, struct statement **ret_statement)
{
	struct statement *st = map_get(&driver->statements, &sql, sizeof sql);
	int r;

	if (!st || st->in_use) { /* in use: the same text one level further up the stack; this one is thrown away afterwards */
		bool keep = !st;

		r = make_statement(driver, sql, &st);
		if (r != 0)
			return r;
		st->cached = keep && map_set(&driver->statements, &st->sql, sizeof st->sql, st, NULL) == 0;
	}
	st->in_use = true;
	st->bind_error = SQLITE_OK;
	*ret_statement = st;
	return 0;
}

static void note(struct statement *st, int code)
{
	if (code != SQLITE_OK && st->bind_error == SQLITE_OK)
		st->bind_error = code;
}

void driver_bind_int(struct statement *st, int at, int64_t value)
{
	note(st, sqlite3_bind_int64(st->handle, at, value));
}

void driver_bind_text(struct statement *st, int at, const char *text)
{
	note(st, text ? sqlite3_bind_text(st->handle, at, text, -1, SQLITE_STATIC) : sqlite3_bind_null(st->handle, at));
}

void driver_bind_blob(struct statement *st, int at, const void *bytes, size_t n)
{
	if (!bytes)
		note(st, sqlite3_bind_null(st->handle, at));
	else if (n == 0)
		note(st, sqlite3_bind_zeroblob(st->handle, at, 0));
	else
		note(st, sqlite3_bind_blob64(st->handle, at, bytes, n, SQLITE_STATIC));
}

void driver_bind_null(struct statement *st, int at)
{
	note(st, sqlite3_bind_null(st->handle, at));
}

int driver_step(struct statement *st, bool *ret_row)
{
	int code = st->bind_error;

	if (code == SQLITE_OK)
		code = sqlite3_step(st->handle);
	if (code == SQLITE_ROW || code == SQLITE_DONE) {
		*ret_row = code == SQLITE_ROW;
		return 0;
	}
	return driver_errno(st->driver, st->bind_error != SQLITE_OK ? st->bind_error : sqlite3_extended_errcode(st->driver->db));
}

int64_t driver_int(struct statement *st, int column)
{
	return sqlite3_column_int64(st->handle, column);
}

const char *driver_text(struct statement *st, int column)
{
	const char *text = (const char *)sqlite3_column_text(st->handle, column);

	return text ? text : "";
}

const void *driver_blob(struct statement *st, int column, size_t *ret_len)
{
	const void *bytes = sqlite3_column_blob(st->handle, column);

	*ret_len = (size_t)sqlite3_column_bytes(st->handle, column);
	if (!bytes && sqlite3_column_type(st->handle, column) == SQLITE_BLOB)
		return ""; /* SQLite gives NULL for an empty blob */
	return bytes;
}

bool driver_is_null(struct statement *st, int column)
{
	return sqlite3_column_type(st->handle, column) == SQLITE_NULL;
}

void driver_finish(struct statement *st)
{
	if (!st)
		return;
	sqlite3_reset(st->handle);
	sqlite3_clear_bindings(st->handle);
	st->in_use = false;
	if (!st->cached) {
		sqlite3_finalize(st->handle);
		free(st);
	}
}

void driver_finish_p(struct statement **st)
{
	driver_finish(*st);
}
