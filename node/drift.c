/* drift - see drift.h. */
#include "node/drift.h"

#include "lib/base/log.h"
#include "node/node.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BUSY_FACTOR 20 /* idle at least so many times as long as the last look took */

struct drift {
	struct node *node;
	struct loop_timer timer;
	uint32_t interval_ms;
	uint64_t own_us;         /* of the last round: what is not the roles' */
	uint64_t roles_again_us; /* monotonic; no look of theirs before */
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

/* What the records ask for of an instance is known after the first apply; before that there is nothing to compare with. Roles have
 * threads of their own for the namespaces of instances, so all their time counts. Whoever is root in an instance can make their looks
 * long: that puts off their own next one, never that of the gates. */
static uint64_t look_of_roles(struct drift *d)
{
	struct node *node = d->node;
	uint64_t begun = clock_mono_us(&node->clock), took;

	if (!node->applies || begun < d->roles_again_us)
		return 0;
	for (size_t i = 0; i < node->n_roles; i++)
		if (node->roles[i]->repair)
			node->roles[i]->repair(node->role_state[i]);
	took = clock_mono_us(&node->clock) - begun;
	d->roles_again_us = begun + took + took * BUSY_FACTOR;
	return took;
}

static void round_of(struct drift *d)
{
	uint64_t cpu = cpu_us();

	d->node->kernel->repair(d->node);
	d->own_us = cpu_us() - cpu;
	d->stats.last_us = d->own_us + look_of_roles(d);
	d->stats.rounds++;
	d->stats.total_us += d->stats.last_us;
}

static void arm(struct drift *d)
{
	uint64_t busy_ms = d->own_us * BUSY_FACTOR / 1000, base = d->interval_ms > busy_ms ? d->interval_ms : busy_ms;
	uint64_t jitter = clock_random_below(&d->node->clock, base / 2 + 1);

	if (loop_set_timer_in(d->node->loop, &d->timer, base - base / 4 + jitter) < 0)
		log_err("drift", "no memory for a timer; the kernel is not looked at any more");
}

static void expired(struct loop_timer *timer)
{
	struct drift *d = container_of(timer, struct drift, timer);

	round_of(d);
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
