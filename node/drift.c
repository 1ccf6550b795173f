/* drift - see drift.h. */
#include "node/drift.h"

#include "lib/base/log.h"
#include "node/node.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BUSY_FACTOR 20 /* idle at least so many times as long as the last round took */

struct drift {
	struct node *node;
	struct loop_timer timer;
	uint32_t interval_ms;
	struct drift_stats stats;
};

const char *repair_name(enum repair kind)
{
	static const char *const names[] = {
#define REPAIR_NAME(NAME, name) [REPAIR_##NAME] = name,
		REPAIRS(REPAIR_NAME)
#undef REPAIR_NAME
	};

	return (unsigned)kind < REPAIR_KINDS ? names[kind] : NULL;
}

void drift_note(struct drift *d, enum repair kind, const char *object, int error)
{
	if (!d)
		return;
	if (error) {
		d->stats.failures[kind]++;
		log_limited(LOG_L_ERR, "drift", "%s: %s: cannot be put right: %s; trying again", repair_name(kind), object,
			    error < 0 ? strerror(-error) : "refused");
		return;
	}
	d->stats.repairs[kind]++;
	log_warn("drift", "%s: %s: put right", repair_name(kind), object);
}

/* This thread's processor time: waiting for WireGuard is no work. */
static uint64_t cpu_us(void)
{
	struct timespec t;

	return clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) < 0 ? 0 : (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

void drift_round(struct drift *d)
{
	struct node *node = d->node;
	uint64_t cpu = cpu_us(), wall;

	node->kernel->repair(node);
	cpu = cpu_us() - cpu;
	wall = clock_mono_us(&node->clock);
	/* what the records ask for of an instance is known after the first apply; before that there is nothing to compare with */
	for (size_t i = 0; node->applies && i < node->n_roles; i++)
		if (node->roles[i]->repair)
			node->roles[i]->repair(node->role_state[i]);
	d->stats.rounds++;
	d->stats.last_us = cpu + clock_mono_us(&node->clock) - wall; /* roles have threads of their own for the namespaces of instances */
	d->stats.total_us += d->stats.last_us;
}

static void arm(struct drift *d)
{
	uint64_t busy_ms = d->stats.last_us * BUSY_FACTOR / 1000, base = d->interval_ms > busy_ms ? d->interval_ms : busy_ms;
	uint64_t jitter = clock_random_below(&d->node->clock, base / 2 + 1);

	if (loop_set_timer_in(d->node->loop, &d->timer, base - base / 4 + jitter) < 0)
		log_err("drift", "no memory for a timer; the kernel is not looked at any more");
}

static void expired(struct loop_timer *timer)
{
	struct drift *d = container_of(timer, struct drift, timer);

	drift_round(d);
	arm(d);
}

int drift_start(struct node *node, uint32_t interval_ms, struct drift **ret_drift)
{
	struct drift *d;

	if (!node->kernel->repair)
		return 0;
	d = calloc(1, sizeof *d);
	if (!d)
		return -ENOMEM;
	*d = (struct drift){ .node = node, .interval_ms = interval_ms, .timer.expired = expired };
	*ret_drift = d;
	arm(d);
	return 0;
}

struct drift *drift_stop(struct drift *d)
{
	if (!d)
		return NULL;
	loop_cancel_timer(&d->timer);
	free(d);
	return NULL;
}

const struct drift_stats *drift_stats(const struct drift *d)
{
	static const struct drift_stats none;

	return d ? &d->stats : &none;
}

uint64_t drift_repairs(const struct drift *d)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < REPAIR_KINDS; i++)
		sum += drift_stats(d)->repairs[i];
	return sum;
}
