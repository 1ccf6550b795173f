/* store_page_sums - a digest in every page of the database, beneath SQLite, which has none: a disk that gives back something else
 * than was written is noticed at the read, before anybody is told a wrong answer.
 *
 * A SQLite VFS around the machine's own. The last 8 bytes of each page (which SQLite leaves free when it is asked to, byte 20 of the
 * file) hold BLAKE2b over the page and its number, put there on the way to the file and compared on the way back.
 * It also calls by one name all the ways in which there can be no room (SQLITE_FULL).
 * The WAL has digests of its own; see store_wal.h for what those do not tell. */
#pragma once
#include "controller/store/store_driver_sqlite.h"

#define PAGE_SUM_LEN 8
#define STORE_PAGE_SIZE 4096 /* SQLite's own default, which nobody changes here */

/* The VFS's name for sqlite3_open_v2; NULL: no memory. Registered at the first call, never as the default: SQLite knows VFSs by name
 * only, for the whole process. */
const char *page_sums_vfs(void);
/* From now on pages of the main file are completed when written, and compared when read. STRICT: pages of zeros are wrong too. SQLite
 * reads no page that was never written but when it copies the file, or, rarely, in the middle of a transaction; so a check is strict,
 * which looks at every page that is in use, and work is not. */
enum page_sums_mode { PAGE_SUMS_OFF, PAGE_SUMS_WRITE, PAGE_SUMS_BOTH, PAGE_SUMS_STRICT };
int page_sums_switch(sqlite3 *db, enum page_sums_mode mode) MUST_CHECK;
