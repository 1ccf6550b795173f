/* workload - what is asked of a simulated cluster. Operations go the way of the API: an op for the store thread that calls the store,
 * and perhaps a wait. Their answers are believed only if the controller lived when it gave them. See model.h. */
#include "tests/sim/work.h"

#include "controller/store/store_app.h"
#include "controller/store/store_network.h"
#include "controller/store/store_node.h"
#include "controller/store/store_node_token.h"
#include "controller/store/store_org.h"
#include "controller/store/store_region.h"
#include "tests/sim/faults.h"
#include "tests/sim/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const work_names[] = { "region", "token", "org", "network", "app", "create", "change", "dns_skip", "suspend",
					  "delete app", "delete network", "delete org", "drain", "delete node", "peer", "rekey", "suspend peer", "move", "delete peer", "rule", "delete rule" };

/* ---- on the store thread ---- */

static int create_instance(struct store *store, struct work *k)
{
	char spec[200];
	struct store_instance_new in = { .org = k->org, .app = k->app, .region = k->node[0] ? NULL : k->region,
					 .host = k->node[0] ? k->node : NULL, .desired = k->desired, .spec = spec, .dns_skip = k->flag,
					 .live = k->live, .n_live = k->n_live };

	in.spec_len = (size_t)snprintf(spec, sizeof spec,
				       "{\"schema\":1,\"command\":[\"/x\"],\"restart\":\"always\",\"drain_ms\":100,\"stop_timeout_ms\":300}");
	return store_instance_create(store, &k->op, &in, &k->instance);
}

static int make_token(struct store *store, struct work *k)
{
	struct store_node_token_new in = { .region = k->region, .roles = ROLE_HOST | ROLE_GATEWAY, .uses = 50 };
	struct store_node_token token;
	int r = store_node_token_create(store, &k->op, &in, &token, k->w->token_secret);

	memcpy(k->w->token_id, token.id, sizeof k->w->token_id);
	return r;
}

static int run(struct store *store, struct op *op)
{
	struct work *k = container_of(op, struct work, op);
	struct store_org_change suspend = { .set_suspended = true, .suspended = k->flag };
	struct store_instance_update update = { .set_dns_skip = true, .dns_skip = k->flag };
	struct store_region_new region = { .name = k->region };
	struct store_network network;
	struct store_app app;
	struct store_org org;
	struct store_node node;
	struct store_region made;
	struct store_deletion left;

	switch (k->kind) {
	case WORK_REGION: return store_region_create(store, op, &region, &made);
	case WORK_TOKEN: return make_token(store, k);
	case WORK_ORG: return store_org_create(store, op, k->org, &org);
	case WORK_NETWORK: return store_network_create(store, op, k->org, k->network, &network);
	case WORK_APP: return store_app_create(store, op, k->org, k->network, k->app, &app);
	case WORK_CREATE: return create_instance(store, k);
	case WORK_CHANGE: return store_instance_change(store, op, k->id, k->verb, k->flag, &k->instance, &k->gone);
	case WORK_SKIP: return store_instance_update(store, op, k->id, &update, &k->instance);
	case WORK_SUSPEND: return store_org_update(store, op, k->org, &suspend, &org);
	case WORK_DELETE_APP: return store_app_delete(store, op, k->org, k->app, &left);
	case WORK_DELETE_NETWORK: return store_network_delete(store, op, k->org, k->network, &left);
	case WORK_DELETE_ORG: return store_org_delete(store, op, k->org, &left);
	case WORK_DRAIN: return store_node_drain(store, op, k->node, k->flag, &node);
	case WORK_DELETE_NODE: return store_node_delete(store, op, k->node, true, &node);
	case WORK_RULE:
	case WORK_DELETE_RULE: return work_run_rule(store, k);
	default: return work_run_peer(store, k);
	}
}

static void deleted_node(struct world *w, const char *name)
{
	for (unsigned i = 0; i < w->n_hosts; i++)
		if (!strcmp(w->hosts[i].name, name))
			w->hosts[i].deleted = w->nodes_deleted = true;
}

static void done(struct op *op)
{
	struct work *k = container_of(op, struct work, op);
	struct world *w = k->w;

	w->model->at_work--;
	if (k->kind == WORK_DELETE_NODE && op->result <= 0) /* also if it is not known: it is not expected to come back */
		deleted_node(w, k->node);
	if (!ctl_is_alive(k->ctl) || op->result < 0) {
		w->counts.unknown++;
		model_not_known(w->model, k);
	} else if (op->result > 0) {
		model_refused(w, k);
	} else {
		w->counts.acked++;
		ctl_read_log(k->ctl);
		model_acknowledged(w->model, k);
		if (op->v && k->wait)
			model_wait(k);
	}
	world_note(w, "%s %s%s%s%s%s%s: %d %s V %llu", work_names[k->kind], k->org, k->app[0] || k->peer[0] ? "/" : "", k->app, k->peer, k->id, k->node, op->result,
		   op->result > 0 ? op->why.code : "", (unsigned long long)op->v);
	op_deinit(op);
	free(k);
}

/* ---- asking ---- */

struct work *work_new(struct world *w, enum work_kind kind)
{
	struct work *k = calloc(1, sizeof *k);

	if (!k)
		abort();
	k->w = w;
	k->kind = kind;
	k->ctl = w->attached;
	k->wait = world_chance(w, 400);
	snprintf(k->region, sizeof k->region, "ord");
	return k;
}

void work_ask(struct work *k)
{
	struct principal who = principal_local("sim");
	struct world *w = k->w;

	if (!k->ctl || !ctl_is_alive(k->ctl)) {
		free(k);
		return;
	}
	op_init(&k->op, run, done, &who, "sim");
	k->n_live = k->ctl->c->env.ops->live_nodes(k->ctl->c->env.ctx, k->live, ARRAY_LEN(k->live));
	w->counts.ops++;
	w->model->at_work++;
	w->actor = k->ctl;
	store_thread_put(k->ctl->c->thread, &k->op);
	w->actor = NULL;
}

unsigned model_any(struct world *w, const struct thing *list, unsigned n, bool also_going)
{
	for (unsigned tries = 0; n && tries < 4; tries++) {
		unsigned i = (unsigned)world_below(w, n);

		if (list[i].is != NOT_THERE && (also_going || !list[i].going))
			return i;
	}
	return UINT32_MAX;
}

static void ask_org(struct world *w)
{
	struct model *m = w->model;
	struct work *k;

	if (m->n_orgs >= 4)
		return;
	k = work_new(w, WORK_ORG);
	k->which = m->n_orgs++;
	snprintf(k->org, sizeof k->org, "o%u", k->which);
	snprintf(m->orgs[k->which].name, sizeof k->org, "%s", k->org);
	work_ask(k);
}

static void ask_network(struct world *w)
{
	struct model *m = w->model;
	unsigned org = model_any(w, m->orgs, m->n_orgs, false);
	struct work *k;

	if (org == UINT32_MAX || m->n_networks >= 10)
		return;
	k = work_new(w, WORK_NETWORK);
	k->which = m->n_networks++;
	m->networks[k->which].of = org;
	snprintf(k->org, sizeof k->org, "o%u", org);
	snprintf(k->network, sizeof k->network, "n%u", k->which);
	snprintf(m->networks[k->which].name, sizeof k->network, "%s", k->network);
	work_ask(k);
}

static void ask_app(struct world *w)
{
	struct model *m = w->model;
	unsigned org = model_any(w, m->orgs, m->n_orgs, false), network = model_any(w, m->networks, m->n_networks, false);
	struct work *k;

	if (org == UINT32_MAX || m->n_apps >= THINGS_MAX)
		return;
	k = work_new(w, WORK_APP);
	k->which = m->n_apps++;
	if (network != UINT32_MAX && world_chance(w, 600)) {
		org = m->networks[network].of;
		snprintf(k->network, sizeof k->network, "n%u", network);
	}
	m->apps[k->which].of = org;
	snprintf(k->org, sizeof k->org, "o%u", org);
	snprintf(k->app, sizeof k->app, "a%u", k->which);
	snprintf(m->apps[k->which].name, sizeof k->app, "%s", k->app);
	work_ask(k);
}

static void ask_instance(struct world *w)
{
	struct model *m = w->model;
	unsigned app = model_any(w, m->apps, m->n_apps, world_chance(w, 50));
	const struct host *h = &w->hosts[world_below(w, w->n_hosts)];
	struct work *k;

	if (app == UINT32_MAX || m->n_instances >= INSTANCES_MAX)
		return;
	k = work_new(w, WORK_CREATE);
	k->which = app;
	k->desired = world_chance(w, 850) ? DESIRED_STARTED : DESIRED_STOPPED;
	k->flag = world_chance(w, 100);
	snprintf(k->org, sizeof k->org, "o%u", m->apps[app].of);
	snprintf(k->app, sizeof k->app, "a%u", app);
	if (h->joined && world_chance(w, 600))
		snprintf(k->node, sizeof k->node, "%s", h->name);
	work_ask(k);
}

static const struct instance_memory *any_instance(struct world *w)
{
	const struct model *m = w->model;

	for (unsigned tries = 0; m->n_instances && tries < 4; tries++) {
		const struct instance_memory *i = &m->instances[world_below(w, m->n_instances)];

		if (i->is != NOT_THERE && i->desired != DESIRED_DESTROYED)
			return i;
	}
	return NULL;
}

static void ask_change(struct world *w, enum store_instance_verb verb)
{
	const struct instance_memory *i = any_instance(w);
	struct work *k;

	if (!i)
		return;
	k = work_new(w, WORK_CHANGE);
	k->verb = verb;
	k->flag = verb == INSTANCE_DESTROY && world_chance(w, 150);
	memcpy(k->id, i->id, sizeof k->id);
	work_ask(k);
}

static void ask_skip(struct world *w)
{
	const struct instance_memory *i = any_instance(w);
	struct work *k;

	if (!i)
		return;
	k = work_new(w, WORK_SKIP);
	k->flag = world_chance(w, 500);
	memcpy(k->id, i->id, sizeof k->id);
	work_ask(k);
}

static void ask_suspend(struct world *w)
{
	struct model *m = w->model;
	unsigned org = model_any(w, m->orgs, m->n_orgs, false);
	struct work *k;

	if (org == UINT32_MAX)
		return;
	k = work_new(w, WORK_SUSPEND);
	k->flag = world_chance(w, 400);
	snprintf(k->org, sizeof k->org, "o%u", org);
	work_ask(k);
}

static void ask_delete(struct world *w, enum work_kind kind)
{
	struct model *m = w->model;
	struct thing *list = kind == WORK_DELETE_APP ? m->apps : kind == WORK_DELETE_NETWORK ? m->networks : m->orgs;
	unsigned n = kind == WORK_DELETE_APP ? m->n_apps : kind == WORK_DELETE_NETWORK ? m->n_networks : m->n_orgs;
	unsigned which = model_any(w, list, n, false);
	struct work *k;

	if (which == UINT32_MAX)
		return;
	k = work_new(w, kind);
	k->which = which;
	list[which].going = true;
	snprintf(k->org, sizeof k->org, "o%u", kind == WORK_DELETE_ORG ? which : list[which].of);
	if (kind == WORK_DELETE_APP)
		snprintf(k->app, sizeof k->app, "a%u", which);
	if (kind == WORK_DELETE_NETWORK)
		snprintf(k->network, sizeof k->network, "n%u", which);
	for (unsigned i = 0; kind != WORK_DELETE_APP && i < m->n_apps; i++) /* those below go with it; which network, the store knows */
		if (m->apps[i].of == (kind == WORK_DELETE_ORG ? which : list[which].of))
			m->apps[i].going = true;
	for (unsigned i = 0; kind != WORK_DELETE_APP && i < m->n_peers; i++)
		if (m->peers[i].of == (kind == WORK_DELETE_ORG ? which : list[which].of))
			m->peers[i].going = true;
	for (unsigned i = 0; kind == WORK_DELETE_ORG && i < m->n_networks; i++)
		if (m->networks[i].of == which)
			m->networks[i].going = true;
	work_ask(k);
}

static void ask_node(struct world *w, enum work_kind kind)
{
	struct host *h = &w->hosts[world_below(w, w->n_hosts)];
	struct work *k;

	if (!h->joined || h->deleted || h->copy_of || (kind == WORK_DELETE_NODE && h->number < 2))
		return;
	k = work_new(w, kind);
	k->flag = world_chance(w, 300);
	snprintf(k->node, sizeof k->node, "%s", h->name);
	work_ask(k);
}

void model_act(struct world *w)
{
	unsigned n = (unsigned)world_below(w, 100);

	/* not of an old one whose store lives on elsewhere: who lets people write there has two histories */
	if (!w->attached || !ctl_is_alive(w->attached) || w->attached != faults_writer(w))
		return;
	if (world_chance(w, 250))
		model_act_on_peers(w);
	else if (world_chance(w, 80))
		model_act_on_rules(w);
	else if (n < 4)
		ask_org(w);
	else if (n < 9)
		ask_network(w);
	else if (n < 18)
		ask_app(w);
	else if (n < 48)
		ask_instance(w);
	else if (n < 56)
		ask_change(w, INSTANCE_STOP);
	else if (n < 64)
		ask_change(w, INSTANCE_START);
	else if (n < 69)
		ask_change(w, INSTANCE_RESTART);
	else if (n < 84)
		ask_change(w, INSTANCE_DESTROY);
	else if (n < 89)
		ask_skip(w);
	else if (n < 91)
		ask_suspend(w);
	else if (n < 94)
		ask_delete(w, WORK_DELETE_APP);
	else if (n < 96)
		ask_delete(w, WORK_DELETE_NETWORK);
	else if (n < 97)
		ask_delete(w, WORK_DELETE_ORG);
	else if (n < 99)
		ask_node(w, WORK_DRAIN);
	else if (world_chance(w, 500))
		ask_node(w, WORK_DELETE_NODE);
}

void model_begin(struct world *w)
{
	work_ask(work_new(w, WORK_REGION));
	work_ask(work_new(w, WORK_TOKEN));
	for (unsigned i = 0; i < 2; i++)
		ask_org(w);
	world_steps_until(w, w->now_ms + 100);
	for (unsigned i = 0; i < 4; i++)
		ask_app(w);
	world_steps_until(w, w->now_ms + 100);
}
