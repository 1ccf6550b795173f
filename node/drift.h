/* drift - the kernel as it is, beside the kernel as it must be, on a timer. What the daemon made on the machine outlives it, and can be
 * taken away, added to or changed by anybody who is root there: a person, another daemon that flushes tables, a network manager. Every
 * few seconds all of it is looked at (kernel_ops.repair, and each role's repair) and what differs is put right, counted by kind of
 * object and told in the log. Nothing is ever let through on the way: what refuses is put back first, programs before what they judge,
 * routes and openings last.
 *
 * The interval is jittered, and longer when a round takes long: at most a twentieth of one core for what is the node's, and as much again
 * for the roles, whose long looks put off only their own. */
#pragma once
#include "node/role.h"

struct node;
struct drift;

struct drift_stats {
	uint64_t repairs[REPAIR_KINDS];  /* put right, by enum repair: repair_name() is the label of metrics */
	uint64_t failures[REPAIR_KINDS]; /* could not be; tried again in the next round */
	uint64_t rounds, total_us, last_us;
};

/* Nothing is looked at if the node's kernel_ops have no repair (the simulator). */
int drift_start(struct node *node, uint32_t interval_ms, struct drift **ret_drift);
struct drift *drift_stop(struct drift *drift); /* NULL is fine; returns NULL */
/* Counts and tells one object. */
void drift_note(struct drift *drift, enum repair kind, const char *object, int error);
const struct drift_stats *drift_stats(const struct drift *drift); /* never NULL, also for NULL */
uint64_t drift_repairs(const struct drift *drift);                /* of all kinds */
