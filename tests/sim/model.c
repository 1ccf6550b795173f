/* model - see model.h. */
#include "tests/sim/work.h"

#include "tests/sim/invariants.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS 10000

struct model *model_new(void)
{
	struct model *m = calloc(1, sizeof *m);

	if (!m)
		abort();
	return m;
}

struct model *model_free(struct model *m)
{
	free(m);
	return NULL;
}

uint64_t model_acknowledged_v(const struct model *m)
{
	return m->acknowledged_v;
}

bool model_waits(const struct model *m)
{
	return m->at_work || m->waiting;
}

void model_forget(struct model *m)
{
	m->acknowledged_v = 0;
	for (unsigned i = 0; i < m->n_orgs; i++)
		m->orgs[i].is = m->orgs[i].is == NOT_THERE ? NOT_THERE : UNSURE;
	for (unsigned i = 0; i < m->n_networks; i++)
		m->networks[i].is = m->networks[i].is == NOT_THERE ? NOT_THERE : UNSURE;
	for (unsigned i = 0; i < m->n_apps; i++)
		m->apps[i].is = m->apps[i].is == NOT_THERE ? NOT_THERE : UNSURE;
	for (unsigned i = 0; i < m->n_instances; i++)
		m->instances[i].is = m->instances[i].is == NOT_THERE ? NOT_THERE : UNSURE;
	for (unsigned i = 0; i < m->n_peers; i++) {
		m->peers[i].is = UNSURE;
		m->peers[i].key_known = false;
	}
}

/* ---- what an answer means ---- */

static struct thing *thing_of(struct model *m, const struct work *k)
{
	switch (k->kind) {
	case WORK_ORG:
	case WORK_DELETE_ORG: return &m->orgs[k->which];
	case WORK_NETWORK:
	case WORK_DELETE_NETWORK: return &m->networks[k->which];
	case WORK_APP:
	case WORK_DELETE_APP: return &m->apps[k->which];
	default: return NULL;
	}
}

static struct instance_memory *instance_of(struct model *m, const char *id)
{
	for (unsigned i = 0; i < m->n_instances; i++)
		if (!strcmp(m->instances[i].id, id))
			return &m->instances[i];
	return NULL;
}

static void remember_created(struct model *m, const struct work *k)
{
	struct instance_memory *i;

	if (m->n_instances == INSTANCES_MAX)
		return;
	i = &m->instances[m->n_instances++];
	*i = (struct instance_memory){ .desired = k->desired, .generation = k->instance.record.generation, .is = THERE, .app = k->which };
	snprintf(i->id, sizeof i->id, "%s", k->instance.record.id);
}

void model_acknowledged(struct model *m, const struct work *k)
{
	struct thing *t = thing_of(m, k);
	struct instance_memory *i;

	if (k->op.v > m->acknowledged_v)
		m->acknowledged_v = k->op.v;
	if (t)
		t->is = t->going ? UNSURE : THERE;
	if (work_is_of_peer(k->kind))
		model_acknowledged_peer(m, k);
	if (k->kind == WORK_CREATE)
		remember_created(m, k);
	model_acknowledged_rule(m, k);
	if (k->kind != WORK_CHANGE || !(i = instance_of(m, k->id)))
		return;
	i->desired = k->instance.record.desired;
	i->generation = k->instance.record.generation;
	i->is = k->gone ? NOT_THERE : i->is == UNSURE ? UNSURE : THERE;
}

void model_not_known(struct model *m, const struct work *k)
{
	struct thing *t = thing_of(m, k);
	struct instance_memory *i = instance_of(m, k->id);

	if (t)
		t->is = UNSURE;
	if (work_is_of_peer(k->kind))
		m->peers[k->which].is = UNSURE;
	if (work_is_of_peer(k->kind))
		m->peers[k->which].key_known = false;
	if (i && k->kind == WORK_CHANGE)
		i->is = UNSURE;
}

void model_refused(struct world *w, const struct work *k)
{
	struct model *m = w->model;
	struct instance_memory *i = instance_of(m, k->id);

	w->counts.refused++;
	if (work_is_of_peer(k->kind))
		model_refused_peer(w, k);
	if (strcmp(k->op.why.code, "instance_not_found") || !i)
		return;
	if (i->is == THERE && i->desired != DESIRED_DESTROYED && !m->apps[i->app].going && !w->forked && !w->nodes_deleted)
		world_fail(w, "ack", "instance %s was acknowledged, and is not there: %s", k->id, k->op.why.text);
	i->is = NOT_THERE;
}

struct waiting {
	struct world *w;
	struct ctl *ctl;
	uint64_t v, began_ms;
};

static void waited(void *ctx, const struct api_wait_result *result)
{
	struct waiting *wait = ctx;
	struct world *w = wait->w;

	((struct model *)w->model)->waiting--;
	if (ctl_is_alive(wait->ctl) && result->applied) {
		w->counts.applied++;
		world_note(w, "wait for V %llu: applied after %llu ms", (unsigned long long)wait->v,
			   (unsigned long long)(w->now_ms - wait->began_ms));
		check_wait(w, wait->v, result);
	} else {
		w->counts.late_waits++;
	}
	free(wait);
}

void model_wait(struct work *k)
{
	struct world *w = k->w;
	struct api_wait want = { .v = k->op.v, .timeout_ms = WAIT_MS };
	struct waiting *wait = calloc(1, sizeof *wait);

	if (!wait)
		abort();
	*wait = (struct waiting){ .w = w, .ctl = k->ctl, .v = k->op.v, .began_ms = w->now_ms };
	if ((k->kind == WORK_CREATE || k->kind == WORK_CHANGE) && !k->gone && world_chance(w, 500)) {
		snprintf(want.instance, sizeof want.instance, "%s", k->instance.record.id);
		want.desired = k->instance.record.desired;
		want.generation = k->instance.record.generation;
	}
	w->counts.waits++;
	w->model->waiting++;
	if (k->ctl->c->env.ops->wait(k->ctl->c->env.ctx, &want, waited, wait) < 0) {
		w->model->waiting--;
		free(wait);
	}
}

void model_check(struct world *w, const struct archive *a)
{
	const struct model *m = w->model;

	for (unsigned n = 0; n < m->n_instances; n++) {
		const struct instance_memory *i = &m->instances[n];
		const struct row *row = archive_find(a, a->n, RECORD_INSTANCE, i->id, strlen(i->id));
		bool may_go = i->desired == DESIRED_DESTROYED || m->apps[i->app].going;

		if (i->is != THERE)
			continue;
		if (!row && !may_go && !w->nodes_deleted)
			world_fail(w, "ack", "instance %s was acknowledged as %s, and the log has no such instance", i->id, desired_name(i->desired));
		if (row && row->generation < i->generation)
			world_fail(w, "ack", "instance %s was acknowledged at generation %llu, the log says %llu", i->id,
				   (unsigned long long)i->generation, (unsigned long long)row->generation);
		if (row && !m->apps[i->app].going && row->desired != i->desired)
			world_fail(w, "ack", "instance %s was acknowledged as %s, the log says %s", i->id, desired_name(i->desired),
				   desired_name(row->desired));
	}
	model_check_peers(w, a);
}
