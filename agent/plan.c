/* plan - see plan.h. */
#include "agent/plan.h"

#include <stdio.h>
#include <string.h>

static void add(struct plan *p, enum plan_kind kind)
{
	if (p->n < PLAN_STEPS_MAX)
		p->steps[p->n++] = (struct plan_step){ .kind = kind };
}

static void wake_at(struct plan *p, uint64_t at_ms)
{
	if (!p->wake_ms || at_ms < p->wake_ms)
		p->wake_ms = at_ms;
}

static bool process_alive(const struct plan_local *l)
{
	return l->phase != PLAN_ABSENT && l->phase != PLAN_ENDED;
}

static void truth(struct plan *p, uint32_t state, uint64_t generation, const char *message)
{
	p->truth.state = state;
	p->truth.generation = generation;
	snprintf(p->truth.message, sizeof p->truth.message, "%s", message);
	name_tame(p->truth.message); /* it may quote the customer, whose text must not make a report that nobody takes */
}

static void kill_now(struct plan *p, uint64_t now, bool force)
{
	add(p, PLAN_KILL);
	p->steps[p->n - 1].force = force;
	p->deadline_ms = now + PLAN_KILL_AGAIN_MS;
}

static void term(struct plan *p, const struct plan_desired *d, uint64_t now)
{
	add(p, PLAN_TERM);
	p->deadline_ms = now + (d ? d->stop_timeout_ms : 0);
}

/* What has been asked to end: nothing but its deadline matters. */
static void wait_for_end(struct plan *p, const struct plan_local *l, uint64_t now)
{
	if (now >= l->deadline_ms)
		kill_now(p, now, l->phase == PLAN_KILLING);
	else
		wake_at(p, l->deadline_ms);
}

/* False: it has to go, but not yet again. */
static bool detach_due(struct plan *p, const struct plan_local *l, uint64_t now)
{
	if (!l->attached)
		return true;
	if (now < l->detach_again_ms) {
		wake_at(p, l->detach_again_ms);
		return false;
	}
	add(p, PLAN_DETACH);
	return true;
}

/* The interface goes before anything else is said or done about an instance that has ended. */
static bool detach_ended(struct plan *p, const struct plan_local *l, uint64_t now)
{
	if (l->awaiting)
		add(p, PLAN_FORGET_AWAIT);
	return detach_due(p, l, now);
}

static bool restarts(const struct plan_desired *d, const struct plan_local *l)
{
	if (l->failure[0])
		return true; /* it never ran: our failure to start it is not its own end */
	if (l->ended_wanted)
		return true;
	return d->restart == SPEC_RESTART_ALWAYS || (d->restart == SPEC_RESTART_ON_FAILURE && l->exit_code != 0);
}

static void tell_end(struct plan *p, const struct plan_desired *d, const struct plan_local *l)
{
	char text[160];
	bool again = restarts(d, l);

	if (l->failure[0]) { /* no exit code: nothing of its own has run */
		truth(p, STATE_FAILED, l->run_generation, l->failure);
		return;
	}
	p->truth.exit_code = l->exit_code;
	snprintf(text, sizeof text, "ended by itself with exit code %d; %s", l->exit_code,
		 again ? "will be started again" : "its restart policy leaves it so");
	truth(p, l->exit_code == 0 && !again ? STATE_STOPPED : STATE_FAILED, l->run_generation, text);
}

static void spawn(struct plan *p, const struct plan_desired *d, const struct plan_local *l, uint64_t now)
{
	add(p, PLAN_FILES);
	add(p, PLAN_SPAWN);
	p->deadline_ms = now + PLAN_READY_LIMIT_MS;
	/* a restart in place is told only when it is over */
	if (l->in_place)
		p->truth = l->reported;
	else
		truth(p, STATE_STARTING, d->generation, "");
}

static void run_absent(struct plan *p, const struct plan_desired *d, const struct plan_local *l, uint64_t now)
{
	bool fresh = l->phase == PLAN_ABSENT || l->run_generation < d->generation; /* a new desire does not wait for the back-off */

	detach_ended(p, l, now); /* one that does not go is made right by the next ATTACH */
	if (!d->has_workload) {
		truth(p, STATE_CREATED, d->generation, "its workload has not reached this host yet");
	} else if (d->refusal) {
		truth(p, STATE_FAILED, d->generation, d->refusal);
	} else if (fresh || (restarts(d, l) && now >= l->next_start_ms)) {
		spawn(p, d, l, now);
	} else {
		if (restarts(d, l))
			wake_at(p, l->next_start_ms);
		tell_end(p, d, l);
	}
}

/* Adds ATTACH if it has to be. False: it has to be, but not yet. */
static bool attach_due(struct plan *p, const struct plan_desired *d, const struct plan_local *l, uint64_t now)
{
	if (l->attached && !l->unchecked && l->attached_suspended == d->suspended)
		return true;
	if (now < l->attach_again_ms) {
		wake_at(p, l->attach_again_ms);
		return false;
	}
	add(p, PLAN_ATTACH);
	return true;
}

static void run_held(struct plan *p, const struct plan_desired *d, const struct plan_local *l, uint64_t now)
{
	if (l->in_place)
		p->truth = l->reported;
	else
		truth(p, STATE_STARTING, l->run_generation, "");
	if (l->run_generation < d->generation) {
		kill_now(p, now, false); /* its files are of an older workload, and its command has not run */
		return;
	}
	if (!attach_due(p, d, l, now)) {
		if (!l->settled && !l->awaiting)
			add(p, PLAN_AWAIT); /* both waits at once */
	} else if (l->settled) {
		add(p, PLAN_OPEN);
	} else if (!l->awaiting) {
		add(p, PLAN_AWAIT);
	}
}

static void run_opened(struct plan *p, const struct plan_desired *d, const struct plan_local *l, uint64_t now)
{
	if (l->in_place)
		p->truth = l->reported;
	else
		truth(p, STATE_STARTING, l->run_generation, "");
	if (l->run_generation < d->generation && d->has_workload && !d->refusal)
		term(p, d, now);
}

static void run_running(struct plan *p, const struct plan_desired *d, const struct plan_local *l, uint64_t now)
{
	truth(p, STATE_STARTED, l->run_generation, "");
	if (l->run_generation < d->generation) {
		if (d->has_workload && !d->refusal) {
			term(p, d, now);
			return;
		}
		truth(p, STATE_STARTED, l->run_generation, d->refusal ? d->refusal : "its new workload has not reached this host yet");
	}
}

static void plan_run(struct plan *p, const struct plan_desired *d, const struct plan_local *l, uint64_t now)
{
	switch (l->phase) {
	case PLAN_ABSENT:
	case PLAN_ENDED:
		run_absent(p, d, l, now);
		break;
	case PLAN_SPAWNING:
		truth(p, STATE_STARTING, l->run_generation, "");
		if (l->in_place)
			p->truth = l->reported;
		wait_for_end(p, l, now);
		break;
	case PLAN_HELD:
		run_held(p, d, l, now);
		break;
	case PLAN_OPENED:
		run_opened(p, d, l, now);
		break;
	case PLAN_RUNNING:
		run_running(p, d, l, now);
		break;
	case PLAN_DRAINING: /* stopped and started again meanwhile: what is left of the drain time serves nobody */
		p->truth = l->reported;
		term(p, d, now);
		break;
	case PLAN_STOPPING:
	case PLAN_KILLING:
		p->truth = l->reported;
		wait_for_end(p, l, now);
		break;
	}
}

static void stop_gone(struct plan *p, uint32_t desired, const struct plan_local *l, uint64_t now)
{
	if (!detach_ended(p, l, now)) { /* whoever reads stopped may give its address away */
		truth(p, STATE_DRAINING, p->generation, "its interface could not be removed yet");
		return;
	}
	p->truth.exit_code = l->exit_code;
	if (desired == DESIRED_DESTROYED) {
		if (l->phase == PLAN_ENDED) /* ABSENT: there is nothing (any more) */
			add(p, PLAN_CLEAN);
		truth(p, STATE_DESTROYED, p->generation, "");
	} else {
		truth(p, STATE_STOPPED, p->generation, "");
	}
}

static void plan_stop(struct plan *p, const struct plan_desired *d, uint32_t desired, const struct plan_local *l, uint64_t now)
{
	if (process_alive(l))
		truth(p, STATE_DRAINING, p->generation, "");
	switch (l->phase) {
	case PLAN_ABSENT:
	case PLAN_ENDED:
		stop_gone(p, desired, l, now);
		break;
	case PLAN_SPAWNING:
	case PLAN_HELD: /* its command has not run: nothing to be gentle with */
		if (l->awaiting)
			add(p, PLAN_FORGET_AWAIT);
		kill_now(p, now, false);
		break;
	case PLAN_OPENED: /* nobody was told of it, so nobody has to be given time */
		term(p, d, now);
		break;
	case PLAN_RUNNING:
		add(p, PLAN_REPORT); /* first of all out of DNS */
		add(p, PLAN_DRAIN);
		p->deadline_ms = now + d->drain_ms;
		break;
	case PLAN_DRAINING:
		if (now >= l->deadline_ms)
			term(p, d, now);
		else
			wake_at(p, l->deadline_ms);
		break;
	case PLAN_STOPPING:
	case PLAN_KILLING:
		wait_for_end(p, l, now);
		break;
	}
}

/* A command that runs has its interface, in whatever way it is about to end. */
static void keep_attached(struct plan *p, const struct plan_desired *d, const struct plan_local *l, uint64_t now)
{
	if (l->phase >= PLAN_OPENED && l->phase <= PLAN_STOPPING)
		attach_due(p, d, l, now);
}

/* Nobody may own what no record names: silent at once, then dead, then gone. */
static void plan_vanished(struct plan *p, const struct plan_local *l, uint64_t now)
{
	bool gone;

	if (l->awaiting)
		add(p, PLAN_FORGET_AWAIT);
	gone = detach_due(p, l, now);
	if (!process_alive(l) && gone) {
		add(p, PLAN_CLEAN);
		add(p, PLAN_FORGET);
	} else if (!process_alive(l)) {
		return;
	} else if (l->phase == PLAN_KILLING) {
		wait_for_end(p, l, now);
	} else {
		kill_now(p, now, false);
	}
}

/* REPORT goes last, unless the planner put it in place itself, and only if there is something new to say. */
static void plan_report(struct plan *p, const struct plan_local *l)
{
	bool news = !plan_same_report(&p->truth, &l->reported);
	size_t at = 0;

	while (at < p->n && p->steps[at].kind != PLAN_REPORT)
		at++;
	if (at == p->n && news)
		add(p, PLAN_REPORT);
	else if (at < p->n && !news)
		memmove(&p->steps[at], &p->steps[at + 1], (--p->n - at) * sizeof p->steps[0]);
}

void plan_instance(const struct plan_desired *desired, const struct plan_local *local, uint64_t now_ms, struct plan *ret_plan)
{
	struct plan p = { .generation = local->generation, .desired = local->desired };

	if (!desired) {
		plan_vanished(&p, local, now_ms);
		*ret_plan = p;
		return;
	}
	if (desired->generation >= local->generation) {
		p.generation = desired->generation;
		p.desired = desired->desired;
	}
	p.truth.restarts = local->restarts;
	keep_attached(&p, desired, local, now_ms);
	if (p.desired == DESIRED_STARTED) {
		struct plan_desired run = *desired;

		run.generation = p.generation;
		plan_run(&p, &run, local, now_ms);
	} else {
		plan_stop(&p, desired, p.desired, local, now_ms);
	}
	plan_report(&p, local);
	*ret_plan = p;
}

static void back_off(struct plan_local *l, uint64_t now_ms)
{
	bool long_life = l->started_ms && now_ms - l->started_ms >= PLAN_GOOD_LIFE_MS;

	if (long_life || !l->backoff_ms)
		l->backoff_ms = PLAN_BACKOFF_FIRST_MS;
	else if (l->backoff_ms < PLAN_BACKOFF_MAX_MS / 2)
		l->backoff_ms *= 2;
	else
		l->backoff_ms = PLAN_BACKOFF_MAX_MS;
	l->next_start_ms = now_ms + l->backoff_ms;
}

void plan_ended(struct plan_local *local, int32_t exit_code, const char *text, uint64_t now_ms)
{
	bool wanted = local->phase == PLAN_STOPPING || local->phase == PLAN_KILLING;

	if (text && text[0])
		snprintf(local->failure, sizeof local->failure, "%s", text);
	local->exit_code = exit_code;
	local->ended_wanted = wanted && !local->failure[0];
	local->phase = PLAN_ENDED;
	if (local->ended_wanted) {
		local->next_start_ms = 0;
		local->backoff_ms = 0;
	} else {
		local->in_place = false;
		back_off(local, now_ms);
	}
	local->started_ms = 0;
	local->settled = false;
}

bool plan_same_report(const struct observed *a, const struct observed *b)
{
	return a->state == b->state && a->generation == b->generation && a->exit_code == b->exit_code && a->restarts == b->restarts &&
	       !strcmp(a->message, b->message);
}

const char *plan_kind_name(enum plan_kind kind)
{
	static const char *const names[] = { "files", "spawn", "attach", "await",  "forget-await", "open",  "drain",
					     "term",  "kill",  "detach", "report", "clean",	   "forget" };

	return kind < ARRAY_LEN(names) ? names[kind] : "?";
}
