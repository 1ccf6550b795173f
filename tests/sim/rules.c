/* rules - see rules.h. The oracle reads bodies with the generated protobuf code alone. */
#include "tests/sim/rules.h"

#include "controller/store/store_rule.h"
#include "proto/sixpn.pb-c.h"
#include "tests/sim/work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the machine ---- */

static void add_pair(struct host *h, const struct bpf_rule_pair *pair)
{
	struct open_rules *o = &h->kernel.rules;

	for (size_t i = 0; i < o->n_pairs; i++)
		if (!memcmp(&o->pairs[i], pair, sizeof *pair))
			return;
	if (o->n_pairs == RULE_PAIRS_MAX)
		abort();
	o->pairs[o->n_pairs++] = *pair;
}

static void add_member(struct host *h, const struct in6_addr *prefix)
{
	struct open_rules *o = &h->kernel.rules;

	for (size_t i = 0; i < o->n_members; i++)
		if (!memcmp(&o->members[i], prefix, sizeof *prefix))
			return;
	if (o->n_members == RULE_MEMBERS_MAX)
		abort();
	o->members[o->n_members++] = *prefix;
}

int sim_open_rules(struct node *node)
{
	struct host *h = container_of(node, struct host, node);

	if (disk_is_dead(h->machine.disk))
		return 0;
	for (size_t i = 0; i < node->rules.n_pairs; i++)
		add_pair(h, &node->rules.pairs[i]);
	for (size_t i = 0; i < node->rules.n_members; i++)
		add_member(h, &node->rules.members[i].prefix);
	return 0;
}

int sim_close_rules(struct node *node)
{
	struct host *h = container_of(node, struct host, node);

	if (disk_is_dead(h->machine.disk))
		return 0;
	h->kernel.rules.n_pairs = h->kernel.rules.n_members = 0;
	return sim_open_rules(node);
}

/* ---- I11 ---- */

static bool pair_of(const struct row *row, struct bpf_rule_pair *ret)
{
	Sixpn__Rule *m;
	ProtobufCBinaryData from, to;

	if (row->record->kind != RECORD_RULE || row->record->deleted)
		return false;
	m = sixpn__rule__unpack(NULL, row->record->body_len, row->record->body);
	if (!m)
		abort();
	*ret = (struct bpf_rule_pair){ .from_network = m->outgoing ? m->network : m->far_network,
				       .to_network = m->outgoing ? m->far_network : m->network };
	from = m->outgoing ? m->app : m->far_app;
	to = m->outgoing ? m->far_app : m->app;
	if (from.len)
		memcpy(ret->from_app, from.data, from.len);
	if (to.len)
		memcpy(ret->to_app, to.data, to.len);
	sixpn__rule__free_unpacked(m, NULL);
	return true;
}

static bool is_open(const struct open_rules *o, const struct bpf_rule_pair *pair)
{
	for (size_t i = 0; i < o->n_pairs; i++)
		if (!memcmp(&o->pairs[i], pair, sizeof *pair))
			return true;
	return false;
}

/* At V, or newer: a batch that was cut may bring what is newer. */
static bool may_be_there(const struct row *row, uint64_t v)
{
	return row->record->v > v || row_is_current(row, v);
}

static bool is_allowed(const struct archive *a, uint64_t v, const struct bpf_rule_pair *pair)
{
	struct bpf_rule_pair of;

	for (uint64_t i = 1; i <= a->n; i++)
		if (may_be_there(archive_row(a, i), v) && pair_of(archive_row(a, i), &of) && !memcmp(&of, pair, sizeof of))
			return true;
	return false;
}

static bool is_instance(const struct archive *a, uint64_t v, const struct in6_addr *prefix)
{
	for (uint64_t i = 1; i <= a->n; i++) {
		const struct row *row = archive_row(a, i);
		struct in6_addr address = addr_instance(row->record->network, row->word, row->instance);

		if (row->record->kind == RECORD_INSTANCE && !row->record->deleted && may_be_there(row, v) && !memcmp(&address, prefix, 14))
			return true;
	}
	return false;
}

/* A rule of a network that is here without a break, and that nothing has changed since V. */
static bool must_be_open(const struct host *h, const struct archive *a, const struct stays *stays, const struct row *row)
{
	const struct stay *s = stays_find(stays, row->record->network);
	const struct row *network;
	uint8_t key[4];

	put_u32(key, row->record->network);
	network = archive_find(a, h->node.replica.v, RECORD_NETWORK, key, 4);
	return row_is_current(row, h->node.replica.v) && !row->after && s && s->always && network && !network->after && !network->suspended;
}

void rules_check(struct host *h)
{
	const struct replica *r = &h->node.replica;
	const struct archive *a = r->has_log_id ? archive_of(h->machine.world->archives, r->epoch, r->log_id) : NULL;
	const struct open_rules *o = &h->kernel.rules;
	struct bpf_rule_pair pair;
	struct stays stays;

	if (!a || h->machine.world->forked || h->corrupted || disk_is_dead(h->machine.disk) || !h->node.applies || r->n_held)
		return;
	archive_stays(a, h->host, r->v, a->n, &stays);
	for (size_t i = 0; i < o->n_pairs; i++)
		if (!is_allowed(a, r->v, &o->pairs[i]))
			world_fail(h->machine.world, "I11", "%s has applied V %llu, and lets %08x reach %08x, of which the log has no rule", h->machine.name,
				   (unsigned long long)r->v, o->pairs[i].from_network, o->pairs[i].to_network);
	for (size_t i = 0; i < o->n_members; i++)
		if (!is_instance(a, r->v, &o->members[i]))
			world_fail(h->machine.world, "I11", "%s has applied V %llu, and an address that is no instance has a part in a rule",
				   h->machine.name, (unsigned long long)r->v);
	for (uint64_t v = 1; v <= r->v && v <= a->n; v++)
		if (pair_of(archive_row(a, v), &pair) && must_be_open(h, a, &stays, archive_row(a, v)) && !is_open(o, &pair))
			world_fail(h->machine.world, "I11", "%s has applied V %llu, and does not let %08x reach %08x by the rule of V %llu",
				   h->machine.name, (unsigned long long)r->v, pair.from_network, pair.to_network, (unsigned long long)v);
}

/* ---- the workload ---- */

static void ask_rule(struct world *w)
{
	struct model *m = w->model;
	unsigned from = model_any(w, m->apps, m->n_apps, world_chance(w, 50)), to = model_any(w, m->apps, m->n_apps, false);
	struct work *k;

	if (from == UINT32_MAX || to == UINT32_MAX || from == to)
		return;
	k = work_new(w, WORK_RULE);
	snprintf(k->org, sizeof k->org, "o%u", m->apps[from].of);
	snprintf(k->app, sizeof k->app, "a%u", from);
	snprintf(k->to_org, sizeof k->to_org, "o%u", m->apps[to].of);
	snprintf(k->to_app, sizeof k->to_app, "a%u", to);
	snprintf(k->alias, sizeof k->alias, "r%u", to);
	k->flag = world_chance(w, 300);
	work_ask(k);
}

static void ask_end(struct world *w)
{
	struct model *m = w->model;
	struct work *k;

	if (!m->n_rules)
		return;
	k = work_new(w, WORK_DELETE_RULE);
	memcpy(k->rule, m->rules[world_below(w, m->n_rules)], sizeof k->rule);
	work_ask(k);
}

void model_act_on_rules(struct world *w)
{
	if (world_chance(w, 600))
		ask_rule(w);
	else
		ask_end(w);
}

int work_run_rule(struct store *store, struct work *k)
{
	/* with flag: every app of a network, which the store refuses where there is none of that name */
	struct store_rule_new in = { .from_org = k->org, .from_app = k->flag ? NULL : k->app, .from_network = k->flag ? "default" : NULL,
				     .to_org = k->to_org, .to_app = k->to_app, .alias = k->alias };
	struct store_rule rule;
	int r = k->kind == WORK_RULE ? store_rule_create(store, &k->op, &in, &rule) : store_rule_delete(store, &k->op, k->rule, &rule);

	if (r == 0)
		id_text(rule.id, k->rule);
	return r;
}

void model_acknowledged_rule(struct model *m, const struct work *k)
{
	if (k->kind == WORK_RULE)
		memcpy(m->rules[m->n_rules < RULES_KEPT ? m->n_rules++ : k->op.v % RULES_KEPT], k->rule, sizeof k->rule);
}
