/* repair - the agent's part of what a timer looks after: the interfaces of the instances, compared all at once with what they must be
 * (attach_ops.check). What differs is attached again, by the same steps as ever: entry and programs before the device is up. */
#include "agent/instance.h"

#include "lib/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AREA "agent"
#define FINDINGS_MAX 4096 /* told in one round; the instances are put right all the same */

struct finding {
	size_t at;
	enum repair kind;
	char object[160];
};

struct round {
	struct agent *agent;
	struct instance **instances;
	struct attach_spec *specs;
	bool *differs;
	size_t n;
	struct finding *findings;
	size_t n_findings, cap_findings;
};

/* One that waits for its interface, or for the next try, is not looked at: its own plan looks after that. Nor one that no record names
 * (yet): what it must be is not known. */
static bool is_steady(const struct instance *in)
{
	const struct plan_local *l = &in->local;

	return l->phase >= PLAN_HELD && l->phase <= PLAN_STOPPING && l->attached && !l->unchecked && !in->attach_error[0] && !in->executing &&
	       in->wanted && l->attached_suspended == in->desired.suspended;
}

static void gather(struct round *round)
{
	const struct agent_parts *parts = &round->agent->parts;
	struct instance *in;

	for (size_t i = 0; (in = map_next(&round->agent->instances, &i));) {
		int fd = -1;

		if (is_steady(in) && parts->runtime->netns(parts->runtime_ctx, in->id, &fd) < 0)
			fd = -1; /* it has just ended */
		round->instances[round->n] = in;
		round->specs[round->n++] = instance_attach_spec(in, fd);
	}
}

static void note_finding(void *ctx, size_t at, enum repair kind, const char *object)
{
	struct round *round = ctx;
	struct finding *more;

	round->differs[at] = true;
	if (round->n_findings == round->cap_findings) {
		size_t cap = round->cap_findings ? 2 * round->cap_findings : 16;

		more = cap <= FINDINGS_MAX ? reallocarray(round->findings, cap, sizeof *more) : NULL;
		if (!more)
			return;
		round->findings = more;
		round->cap_findings = cap;
	}
	more = &round->findings[round->n_findings++];
	*more = (struct finding){ .at = at, .kind = kind };
	snprintf(more->object, sizeof more->object, "%s", object);
}

/* Returns whether it is right again, or will be as soon as the kernel is through. */
static bool attach_again(struct instance *in)
{
	in->local.unchecked = true;
	in->local.attach_again_ms = 0;
	in->local.attach_waits = 0;
	instance_run(in);
	return !in->attach_error[0];
}

static void put_right(struct round *round)
{
	const struct role_env *env = &round->agent->env;
	bool right = false;
	size_t k = 0;

	for (size_t at = 0; at < round->n; at++) {
		if (!round->differs[at])
			continue;
		right = attach_again(round->instances[at]); /* does not free it: it runs, and its desire is as it was */
		for (; k < round->n_findings && round->findings[k].at <= at; k++)
			env->ops->repaired(env->node, round->findings[k].kind, round->findings[k].object, right ? 0 : -EIO);
	}
	agent_arm(round->agent);
}

static int by_instance(const void *a, const void *b)
{
	size_t x = ((const struct finding *)a)->at, y = ((const struct finding *)b)->at;

	return x < y ? -1 : x > y;
}

void agent_repair(struct agent *a)
{
	struct round round = { .agent = a };
	struct attach_sink sink = { .differs = note_finding, .removed = { a->env.ops->repaired, a->env.node }, .ctx = &round };
	size_t n = a->instances.n;
	int r = -ENOMEM;

	round.instances = calloc(n + 1, sizeof(struct instance *));
	round.specs = calloc(n + 1, sizeof *round.specs);
	round.differs = calloc(n + 1, sizeof *round.differs);
	if (round.instances && round.specs && round.differs) {
		gather(&round);
		r = a->parts.attach->check(a->parts.attach_ctx, round.specs, round.n, &sink);
	}
	if (r < 0)
		log_limited(LOG_L_ERR, AREA, "interfaces cannot be looked at: %s", strerror(-r));
	if (r == 0 && round.n_findings) {
		qsort(round.findings, round.n_findings, sizeof *round.findings, by_instance);
		put_right(&round);
	}
	for (size_t i = 0; i < round.n; i++)
		if (round.specs[i].netns_fd >= 0)
			close(round.specs[i].netns_fd);
	free(round.instances);
	free(round.specs);
	free(round.differs);
	free(round.findings);
}
