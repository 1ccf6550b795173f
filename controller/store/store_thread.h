/* store_thread - the one thread that touches the store. Ops go in from the loop, come back to the loop: first their records, in V
 * order, to `committed`, then done(op). Batches are what waits, at most 256.
 *
 * With loop = NULL there is no thread: ops wait until store_thread_pump() runs them (the simulator, tests). */
#pragma once
#include "controller/store/store.h"
#include "lib/base/loop.h"

#define STORE_THREAD_BATCH_MAX 256

struct store_thread;

struct store_thread_events {
	/* One committed record, on the loop's thread, in V order, before done of the op that made it. The callee owns it (free()). */
	void (*committed)(void *arg, struct record *record, uint64_t committed_ms);
	/* The store can no longer be written (-ESTALE: another controller took it; -EIDRM: its file was moved
	 * away; -EBADMSG: it is damaged; else the error of the disk). Once. */
	void (*broken)(void *arg, int error);
	void *arg;
};

int store_thread_start(struct store *store, struct loop *loop, const struct store_thread_events *events,
		       struct store_thread **ret_thread) MUST_CHECK;
void store_thread_put(struct store_thread *thread, struct op *op); /* the op is the thread's until done */
size_t store_thread_waiting(struct store_thread *thread);
/* Without a loop: runs and delivers all that waits; returns how many ops that were. */
size_t store_thread_pump(struct store_thread *thread);
/* Runs what waits, delivers it, ends the thread. The store stays open. NULL is fine; returns NULL. */
struct store_thread *store_thread_stop(struct store_thread *thread);
