/* controller_internal - what the files of the core share with each other and with nobody else. */
#pragma once
#include "controller/nodes/controller.h"
#include "controller/nodes/events.h"
#include "controller/nodes/memory.h"
#include "controller/nodes/node_table.h"
#include "controller/nodes/peers.h"
#include "controller/nodes/ring.h"
#include "controller/nodes/scope.h"

#define CONTROLLER_OPS_MAX 4096 /* of the link, waiting for the store */

struct wait;

struct controller {
	struct controller_config config;
	struct controller_events events;
	void *ctx;
	struct clock clock;
	struct store_thread *thread;
	struct backups *backups;
	struct link_server *link;
	struct api_env env;
	struct store_identity identity;
	struct memory memory;
	struct scopes scopes;
	struct ring ring; /* its head is the V of memory */
	uint64_t start_v; /* of the log when this controller began */
	struct node_table nodes;
	struct map parked;        /* handle -> node */
	struct node_entry *dirty; /* touched since the last flush */
	struct snapshot *snapshots;
	size_t reasons_now; /* being read for snapshots */
	struct wait *waits;
	bool waits_due;   /* something that waits look at has changed */
	bool settle_due;  /* something that awaits look at has changed */
	bool reseeding, stopping, checking_ours;
	uint32_t park_ms;      /* now, for polls that come */
	uint64_t moved_on_v;   /* head when quiet nodes were last moved on */
	bool told_to_stop;
	size_t n_ops;
	uint64_t started_mono_ms, wake_ms, seen_due_ms, ours_due_ms;
	struct controller_stats stats;
	struct event_log event_log;
	struct peers peers;
};

/* Makes sure of a tick at that time. */
void controller_wake(struct controller *c, uint64_t mono_ms);
static inline void controller_wake_now(struct controller *c)
{
	controller_wake(c, clock_mono_ms(&c->clock));
}
static inline uint64_t controller_head(const struct controller *c)
{
	return c->ring.head;
}
void controller_must_stop(struct controller *c, const char *reason);
/* Puts an op that came by the link; false: too many wait already. done must call controller_op_done first. */
bool controller_put(struct controller *c, struct op *op);
void controller_op_done(struct controller *c);

/* Nodes came or went: the park time is made for their number. */
void controller_fit_park(struct controller *c);
/* How long it may be silent: 3 park times (node NULL: those of polls that come now). */
uint64_t controller_patience_ms(const struct controller *c, const struct node_entry *node);
/* Polled within 3 park times. */
bool controller_is_ready(const struct controller *c, const struct node_entry *node);
/* Not ready, and not one of those that still have time to come back after our start. */
bool controller_is_unknown(const struct controller *c, const struct node_entry *node);
/* From when on it is that if it says nothing more. */
uint64_t controller_unknown_from(const struct controller *c, const struct node_entry *node);
/* Has it applied everything of its scope up to and including V? */
static inline bool node_has_applied(const struct node_entry *node, uint64_t v)
{
	return node->acked && node->first_pending_v > v;
}
/* A change touched the node. */
void controller_touch(struct controller *c, struct node_entry *node, uint64_t v);
/* Its parked poll may have something to be told now. */
void controller_mark(struct controller *c, struct node_entry *node);
/* The handle of its parked poll; 0 = none. */
void controller_set_handle(struct controller *c, struct node_entry *node, uint64_t handle);

/* api_env.wait, and the api_env as a whole (env.c). */
extern const struct api_env_ops controller_env_ops;
