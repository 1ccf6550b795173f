/* store_driver - the calls behind which the database sits: SQLite now, PostgreSQL for those who outgrow one machine. SQL is the
 * house dialect (INTEGER, TEXT, BLOB, CHECK, UNIQUE indexes on expressions, UPSERT, RETURNING; numbered parameters ?1, ?2 ...); a
 * driver translates what its database spells otherwise.
 *
 * A statement is prepared once per SQL text (cached by the address of the literal) and is in use from driver_prepare to
 * driver_finish. One thread at a time. */
#pragma once
#include "lib/base/err.h"

struct driver;
struct statement;

/* Conditions of driver_step and driver_exec, besides 0 and -errno (-ENOSPC: the disk is full; -EBADMSG: the file is damaged). */
enum { DRIVER_E_UNIQUE = 2, DRIVER_E_CONSTRAINT = 3 };

/* E_REFUSED: store_corrupt, store_foreign, store_in_use, store_unwritable. The file is made with mode 0600. */
int driver_open(const char *path, struct driver **ret_driver, struct why *why) MUST_CHECK;
/* For reading alone, without the lock of the one writer. still: nobody writes it, and nothing is made beside it. E_REFUSED:
 * store_foreign. */
int driver_open_reader(const char *path, bool still, struct driver **ret_driver, struct why *why) MUST_CHECK;
/* The lock of the one writer alone, for work on the file itself; until the descriptor is closed. E_REFUSED: store_in_use. */
int driver_lock(const char *path, int *ret_fd, struct why *why) MUST_CHECK;
/* Are the file that we have open, and its WAL, still those at their paths? If not, what is written is lost. After the first COMMIT. */
bool driver_in_place(struct driver *driver) MUST_CHECK;
/* Did any call find damage in the file? For ever. */
bool driver_is_damaged(const struct driver *driver);
struct driver *driver_close(struct driver *driver);
/* The version of the schema in the file; kept in the same transaction as the migration itself. */
int driver_get_version(struct driver *driver, int *ret_version) MUST_CHECK;
int driver_set_version(struct driver *driver, int version) MUST_CHECK;
/* Several statements of the schema dialect, translated. */
int driver_migrate(struct driver *driver, const char *sql, struct why *why) MUST_CHECK;
/* E_REFUSED "store_corrupt" says what is wrong. The second looks at every index and every foreign key too. */
int driver_check(struct driver *driver, struct why *why) MUST_CHECK;
int driver_check_all(struct driver *driver, struct why *why) MUST_CHECK;

/* A copy of the whole database in a new file, made in steps between which others may write: it holds what was committed before the
 * last step. Every call on the thread of the driver. */
struct driver_copy;
int driver_copy_begin(struct driver *driver, const char *path, struct driver_copy **ret_copy) MUST_CHECK;
int driver_copy_step(struct driver_copy *copy, unsigned pages, bool *ret_done) MUST_CHECK;
struct driver_copy *driver_copy_end(struct driver_copy *copy); /* NULL is fine; returns NULL; the file is not synced */

/* One statement without result: BEGIN, COMMIT, SAVEPOINT ... */
int driver_exec(struct driver *driver, const char *sql) MUST_CHECK;
bool driver_in_transaction(struct driver *driver);

/* sql must be a string literal (or live as long as the driver). */
int driver_prepare(struct driver *driver, const char *sql, struct statement **ret_statement) MUST_CHECK;
void driver_bind_int(struct statement *st, int at, int64_t value);
void driver_bind_text(struct statement *st, int at, const char *text); /* NULL binds NULL; borrowed until finish */
void driver_bind_blob(struct statement *st, int at, const void *bytes, size_t n); /* NULL binds NULL; borrowed until finish */
void driver_bind_null(struct statement *st, int at);
/* 0 with *ret_row = a row is there (or false: done). DRIVER_E_UNIQUE, DRIVER_E_CONSTRAINT, -errno (also of any bind). */
int driver_step(struct statement *st, bool *ret_row) MUST_CHECK;
/* Columns of the current row, from 0. Texts and blobs live until the next step or finish. */
int64_t driver_int(struct statement *st, int column);
const char *driver_text(struct statement *st, int column); /* "" for NULL */
const void *driver_blob(struct statement *st, int column, size_t *ret_len); /* NULL for NULL */
bool driver_is_null(struct statement *st, int column);
void driver_finish(struct statement *st); /* NULL is fine */
/* Rows changed by the last step. */
int64_t driver_changed(struct driver *driver);
/* Rows changed since it was opened, those of savepoints that were rolled back too. */
int64_t driver_changed_ever(struct driver *driver);

void driver_finish_p(struct statement **st);
#define CLEAN_STATEMENT __attribute__((cleanup(driver_finish_p)))
