/* sync - the node's side of the control protocol: asks (Poll), takes what comes, says when it is applied.
 *
 * One reply at a time: reply -> replica -> journal and kernel -> the next Poll, which is at once the ack of the last. A Poll is
 * also sent early (it replaces the parked one) when there is something new to say: an await, an error, digest parts. What the
 * replica refuses is answered by asking again (a gap, or a controller that we do not obey) or by asking from scratch (what makes no
 * sense); nothing is ever applied in part. Nothing in a reply of a controller that we do not obey is believed.
 */
#pragma once
#include "lib/base/histogram.h"
#include "lib/link/client.h"
#include "node/journal.h"
#include "node/replica.h"

struct Sixpn__PollRequest;
struct sync;

#define SYNC_FEATURES 7u /* await, held deletes, digest parts (proto Feature): said when a session opens and in every poll */

struct sync_events {
	/* A reply changed the replica: bring kernel, BPF and DNS to it. Returns when they are (level-triggered, never fails: what
	 * cannot be applied is a record error). Also after the first reply of this start, when nothing changed. */
	void (*apply)(void *ctx, const struct replica_change *change);
	/* Every non-unknown node has applied the presence we asked about. */
	void (*settled)(void *ctx, uint32_t network, uint64_t v);
	/* Adds what the next Poll shall say beside the cursor: errors, awaits, health. The arrays live until the next call. */
	void (*fill_poll)(void *ctx, struct Sixpn__PollRequest *poll);
	/* A reply was applied: a moment ago our records were what the controller has for us, or the beginning of it. */
	void (*heard)(void *ctx);
	/* First reply of the controller since this start was applied. */
	void (*synced)(void *ctx);
};

struct sync_stats {
	uint64_t polls, deltas, snapshots, heals, bookmarks, retries, fenced, refused, digests_asked;
	uint64_t deletes_held; /* set aside by the breaker since the start */
	uint64_t last_reply_ms;    /* monotonic; 0 = never */
	uint32_t park_ms;          /* how long the controller says that it parks a poll; 0 = it never said */
	uint64_t last_applied_lag_ms; /* commit to applied of the newest change, Unix clocks of two machines */
	struct histogram applied;  /* the same of every change */
};

int sync_new(struct loop *loop, const struct clock *clock, struct link_client *link, struct replica *replica, struct journal *journal,
	     const struct sync_events *events, void *ctx, struct sync **ret_sync);
struct sync *sync_free(struct sync *sync);
void sync_start(struct sync *sync);
/* There is something new to say: poll now if a poll is parked. */
void sync_nudge(struct sync *sync);
const struct sync_stats *sync_stats(const struct sync *sync);
bool sync_is_synced(const struct sync *sync);
