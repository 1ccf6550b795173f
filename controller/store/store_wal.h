/* store_wal - what SQLite does not say when it opens a database after a crash: it reads the write-ahead log up to the first frame
 * whose digest is wrong and takes that for the end, which is right for a write that was torn and wrong for a disk that lost
 * something in the middle. Here the two are told apart, before SQLite opens the file.
 *
 * A frame is damage, not a torn end, if a later transaction follows it: that one was begun only after this one was synced. A header
 * that is damaged hides all frames; that matters if the database does not hold them yet. What cannot be told apart is damage in the
 * last transaction: the nodes' head proofs tell of that one. */
#pragma once
#include "lib/base/err.h"

/* wal and db are descriptors that can be read and moved in. 0: nothing is lost. E_REFUSED "store_corrupt". -errno. */
int wal_judge(int wal, int db, struct why *why) MUST_CHECK;
/* The same for the WAL beside a database; 0 if there is none. */
int wal_check(const char *db_path, struct why *why) MUST_CHECK;
