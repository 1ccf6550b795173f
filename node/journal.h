/* journal - the file thread: appends each reply to the journal and folds it into a new snapshot file when it has grown. Jobs are
 * done in the order given; each is answered in the loop, when its bytes are durable. The thread owns the files, nothing else.
 *
 * With loop = NULL there is no thread: jobs wait until journal_pump() does them (the simulator). */
#pragma once
#include "lib/base/handover.h"
#include "lib/base/histogram.h"
#include "lib/base/loop.h"
#include "node/replica.h"

#include <pthread.h>

struct journal;

/* Opens (creates) the journal in `folder`, behind `journal_len` valid bytes, and starts the thread. */
int journal_new(struct loop *loop, const char *folder, const uint8_t chain[32], uint64_t journal_len, struct journal **ret_journal);
struct journal *journal_free(struct journal *j); /* finishes what is queued; done callbacks are not called any more */

/* Appends one reply and fdatasyncs; done(arg, 0 or -errno) in the loop. -ENOMEM. */
int journal_append(struct journal *j, const void *reply, size_t n, uint64_t from_v, uint64_t to_v, void (*done)(void *arg, int result),
		   void *arg);
/* Without a loop: does and answers what waits, one job after the other; returns how many that were. */
size_t journal_pump(struct journal *j);
/* Replaces snapshot and journal by the replica as it is now. */
int journal_fold(struct journal *j, const struct replica *r, void (*done)(void *arg, int result), void *arg);
/* How long appends took, the write and its sync. */
struct histogram journal_times(const struct journal *j);
/* True when the journal is above max(1 MiB, the snapshot's size): time to fold. */
bool journal_wants_fold(const struct journal *j);
