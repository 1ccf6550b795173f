/* store_driver_sqlite - store_driver.h on SQLite: schema, checks, statements. Opening is in store_driver_open.c, copying in
 * store_driver_copy.c. The schema dialect needs one translation: STRICT behind each table. */
#include "controller/store/store_driver_sqlite.h"

#include "controller/store/store_page_sums.h"
#include "lib/base/buf.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct statement {
	const char *sql; /* its address is the key of the cache */
	sqlite3_stmt *handle;
	struct driver *driver;
	int bind_error;
	bool in_use, cached;
};

int driver_errno(struct driver *driver, int code)
{
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

int64_t driver_changed_ever(struct driver *driver)
{
	return sqlite3_total_changes64(driver->db);
}

int driver_pragma_int(struct driver *driver, const char *sql, int64_t *ret_value)
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
	int r = driver_pragma_int(driver, "PRAGMA user_version", &version);

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
