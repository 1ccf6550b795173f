/* apply - from records to machine. The order is make before break:
 *   1. presence, moved addresses, peering rules and mesh peers that are new (others may speak to us, we reach them)
 *   2. names                                    (new ones are answered, withdrawn ones are gone)
 *   3. roles                                    (interfaces, programs, processes; they report their own truth)
 *   4. presence, moved addresses and peering rules that are gone
 * Every step is level-triggered and goes on after an error of one object: that object becomes a record error, the rest applies. */
#include "node/apply_internal.h"
#include "node/awaits.h"

#include "lib/base/log.h"
#include "node/resolvers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_AGAIN_MS 1000
#define APPLY_AGAIN_MS 5000
#define PEERS_SILENT_MS 300000 /* a controller that was not heard for so long cannot say who has expired: more than two parks */
#define PEERS_BEGIN_MS 30000   /* after our start it has so long to be heard */
#define PEERS_LOOK_MS 60000

/* ---- what roles get: the instances of this host ---- */

struct instance_list {
	struct node *node;
	struct role_instance *items;
	size_t n;
};

const struct record *apply_find_u32(const struct replica *r, uint32_t kind, uint32_t key)
{
	uint8_t k[4];

	put_u32(k, key);
	return replica_find(r, kind, k, sizeof k);
}

static int add_instance(void *ctx, const struct record *record)
{
	struct instance_list *list = ctx;
	const struct replica *replica = &list->node->replica;
	struct role_instance *out = &list->items[list->n];
	const struct record *workload, *app, *network;
	struct workload_record w;
	struct app_record a;
	struct network_record n;
	struct why why;

	memset(out, 0, sizeof *out);
	if (instance_decode(record, &out->record, &why) != 0) {
		node_errors_add(&list->node->errors, record->kind, record->key, record->key_len, record->v, why.text);
		return 0;
	}
	if (out->record.host != list->node->identity.host)
		return 0;
	out->v = record->v;
	workload = replica_find(replica, RECORD_WORKLOAD, out->record.id, NAME_INSTANCE_ID_LEN);
	if (workload && workload_decode(workload, &w, NULL) == 0) {
		out->workload_v = workload->v;
		out->spec = w.spec;
		out->spec_len = w.spec_len;
	}
	app = replica_find(replica, RECORD_APP, out->record.app, RECORD_APP_ID_LEN);
	if (app && app_decode(app, &a, NULL) == 0)
		memcpy(out->app, a.name, sizeof out->app);
	network = apply_find_u32(replica, RECORD_NETWORK, out->record.network);
	out->suspended = true; /* of an unknown network nothing passes */
	if (network && network_decode(network, &n, NULL) == 0) {
		memcpy(out->org, n.org, sizeof out->org);
		memcpy(out->network, n.name, sizeof out->network);
		out->suspended = n.suspended;
	}
	memcpy(out->region, list->node->identity.region, sizeof out->region);
	list->n++;
	return 0;
}

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct role_instance *)a)->record.id, ((const struct role_instance *)b)->record.id);
}

/* ---- the order ---- */

void apply_complain(struct node *node, const char *what, int e, const struct why *why)
{
	node->apply_errors++;
	log_err("apply", "V %llu: %s: %s", (unsigned long long)node->replica.v, what, e > 0 && why ? why->text : strerror(e < 0 ? -e : EINVAL));
}

/* What only this machine's own record stands for. */
static void complain_of_self(struct node *node, const char *what, int e, const struct why *why)
{
	char text[256];
	uint8_t key[4];

	apply_complain(node, what, e, why);
	put_u32(key, node->identity.host);
	snprintf(text, sizeof text, "%s: %.200s", what, e > 0 ? why->text : strerror(-e));
	node_errors_add(&node->errors, RECORD_NODE, key, sizeof key, node->replica.v, text);
}

struct unheard {
	struct node *node;
	int error;
};

/* From where its packets come, and in which network; false: it cannot be read. */
static bool speaks_from(const struct record *record, uint32_t *ret_network, uint32_t *ret_host)
{
	struct instance_record i;
	struct peer_record p;

	if (record->kind == RECORD_INSTANCE && instance_decode(record, &i, NULL) == 0) {
		*ret_network = i.network;
		*ret_host = i.host;
		return true;
	}
	if (record->kind != RECORD_PEER || peer_decode(record, &p, NULL) != 0)
		return false;
	*ret_network = p.network;
	*ret_host = p.gateway;
	return true;
}

/* An instance or a peer whose host may not be heard in its network. */
static int note_unheard(void *ctx, const struct record *record)
{
	struct unheard *u = ctx;
	const struct presence *pairs = &u->node->unheard;
	uint32_t network, host;
	char text[160];

	if (!speaks_from(record, &network, &host) || !presence_has(pairs, network, host))
		return 0;
	snprintf(text, sizeof text, "its packets are dropped here: the map of who may speak does not take its host (%s)",
		 u->error == -E2BIG ? "it is full" : strerror(-u->error));
	node_errors_add(&u->node->errors, record->kind, record->key, record->key_len, record->v, text);
	return 0;
}

static void complain_of_unheard(struct node *node, int e)
{
	struct unheard u = { node, e };

	apply_complain(node, "presence", e, NULL);
	replica_each(&node->replica, RECORD_INSTANCE, note_unheard, &u);
	replica_each(&node->replica, RECORD_PEER, note_unheard, &u);
}

static void apply_again_expired(struct loop_timer *timer)
{
	static const struct replica_change fabric = { .fabric = true };
	struct node *node = container_of(timer, struct node, apply_again);

	node_apply(node, &fabric);
	if (node->sync)
		sync_nudge(node->sync); /* an error less, or the same again */
}

void apply_later(struct node *node)
{
	node->apply_again.expired = apply_again_expired;
	if (loop_set_timer_in(node->loop, &node->apply_again, APPLY_AGAIN_MS) < 0)
		log_err("apply", "no memory for a timer: what failed waits for the next change");
}

/* What was to change may be as it was: who is gone may still be heard. So V is not applied without a word. */
static void step_failed(struct node *node, const char *what, int e)
{
	complain_of_self(node, what, e, NULL);
	apply_later(node);
}

/* Who has expired is the controller's word, by its clock, for as long as it can be heard; and a while longer, so that its restart changes
 * nothing. After that ours decides, or whoever was let in until Friday would be in for as long as the controller is away. */
static bool hears_lately(const struct node *node)
{
	int64_t now = (int64_t)clock_mono_ms(&node->clock);

	return now - node->begun_ms < PEERS_BEGIN_MS || (node->heard_ms != DNS_NEVER_HEARD && now - node->heard_ms < PEERS_SILENT_MS);
}

static void look_for_expired(struct node *node)
{
	uint64_t now_ms = clock_real_ms(&node->clock), due = node->role_peers.due_ms, in = PEERS_LOOK_MS;

	loop_cancel_timer(&node->peers_due);
	if (due == UINT64_MAX && !node->role_peers.n_over)
		return;
	if (due > now_ms && due - now_ms < in) /* the wall clock may jump: so no later */
		in = due - now_ms;
	if (loop_set_timer_in(node->loop, &node->peers_due, in) < 0)
		log_err("apply", "no memory for a timer: peers that expire are noticed with the next change");
}

static void peers_due_expired(struct loop_timer *timer)
{
	static const struct replica_change peers = { .peers = true };
	struct node *node = container_of(timer, struct node, peers_due);
	const struct role_peers *p = &node->role_peers;

	if (!p->n_over && (hears_lately(node) || clock_real_ms(&node->clock) < p->due_ms)) {
		look_for_expired(node);
		return;
	}
	node_apply(node, &peers);
	if (node->sync)
		sync_nudge(node->sync); /* an error more or less */
}

/* A gateway's own. Without memory it goes on with what it had. */
static void find_peers(struct node *node, struct role_desired *desired)
{
	const struct node_errors *errors = &node->role_peers.errors;
	uint64_t now_ms = hears_lately(node) ? 0 : clock_real_ms(&node->clock);
	int e = role_peers_get(&node->role_peers, &node->replica, node->identity.host, now_ms, desired);

	if (e < 0) {
		step_failed(node, "peers", e);
	} else if (!node->peers_due.slot) { /* else applies that come often would put it off for ever */
		node->peers_due.expired = peers_due_expired;
		look_for_expired(node);
	}
	for (size_t i = 0; i < errors->n; i++)
		node_errors_add(&node->errors, errors->items[i].kind, errors->items[i].key, errors->items[i].key_len, errors->items[i].v,
				errors->items[i].text);
}

/* A peer that the records give to this machine, which has been configured to be no gateway since it joined. */
static int note_unserved(void *ctx, const struct record *record)
{
	struct node *node = ctx;
	struct peer_record peer;

	if (peer_decode(record, &peer, NULL) == 0 && peer.gateway == node->identity.host)
		node_errors_add(&node->errors, record->kind, record->key, record->key_len, record->v,
				"its gateway is configured to be none (roles): nobody can connect");
	return 0;
}

static int sync_roles(struct node *node)
{
	struct instance_list list = { .node = node };
	struct role_desired desired;

	list.items = calloc(node->replica.n_by_kind[RECORD_INSTANCE] + 1, sizeof *list.items);
	if (!list.items)
		return -ENOMEM;
	replica_each(&node->replica, RECORD_INSTANCE, add_instance, &list);
	qsort(list.items, list.n, sizeof *list.items, by_id);
	desired = (struct role_desired){ .instances = list.items, .n_instances = list.n, .v = node->replica.v, .synced = node->sync && sync_is_synced(node->sync) };
	if (node->role_bits & ROLE_GATEWAY)
		find_peers(node, &desired);
	else
		replica_each(&node->replica, RECORD_PEER, note_unserved, node);
	if (node->role_bits & ROLE_GATEWAY && resolvers_sync(node, desired.networks, desired.n_networks))
		apply_later(node);
	for (size_t i = 0; i < node->n_roles; i++)
		node->roles[i]->sync(node->role_state[i], &desired);
	free(list.items);
	return 0;
}

static int let_speak(struct node *node, const struct presence *wanted)
{
	int e = node->kernel->let_speak(node, wanted);

	if (e != 0) {
		complain_of_unheard(node, e);
		apply_later(node);
	}
	return e;
}

/* The map is large, and a look through it costs more than the rest of an apply: when nothing is new in it, it is left alone. */
static bool presence_is_there(const struct node *node, const struct presence *wanted)
{
	return node->presence_stands && !node->moved_due && !node->mesh_guard_due && presence_equal(&node->presence, wanted);
}

/* What is at home counts as moved no longer, even if nothing else can be done about it. True: it is not as it was. */
static bool note_moved(struct node *node)
{
	struct moved now;
	int e = moved_wanted(&node->replica, &now);
	bool differs;

	if (e < 0) { /* what is there stays */
		step_failed(node, "moved addresses", e);
		return false;
	}
	differs = !moved_equal(&node->moved, &now);
	for (size_t i = 0; i < node->moved.n; i++)
		differs |= node->moved.items[i].refused != NULL; /* it may be taken now */
	node->moved_due |= differs || node->applies == 1;
	moved_deinit(&node->moved);
	node->moved = now;
	return differs;
}

static void complain_of_moved(struct node *node)
{
	for (size_t i = 0; i < node->moved.n; i++) {
		const struct moved_address *a = &node->moved.items[i];

		if (!a->refused)
			continue;
		node->apply_errors++;
		log_limited(LOG_L_ERR, "apply", "V %llu: a moved address: %s", (unsigned long long)a->v, a->refused);
		node_errors_add(&node->errors, a->kind, a->key, a->key_len, a->v, a->refused);
		apply_later(node);
	}
}

/* A rule, or an instance at its other end, that lets nothing pass because it cannot be read. */
static int note_unreadable(void *ctx, const struct record *record)
{
	struct node *node = ctx;
	struct far_instance_record far;
	struct rule_record rule;
	struct why why;

	if (record->kind == RECORD_RULE ? rule_decode(record, &rule, &why) : far_instance_decode(record, &far, &why))
		node_errors_add(&node->errors, record->kind, record->key, record->key_len, record->v, why.text);
	return 0;
}

/* True: something may have to change in the maps. Without memory what is there stays. */
static bool note_rules(struct node *node)
{
	struct rules now;
	int e = node->kernel->open_rules ? rules_wanted(&node->replica, &now) : -ENOSYS;

	if (e < 0) {
		if (e != -ENOSYS)
			step_failed(node, "peering rules", e);
		return false;
	}
	if (node->replica.n_by_kind[RECORD_RULE]) {
		replica_each(&node->replica, RECORD_RULE, note_unreadable, node);
		replica_each(&node->replica, RECORD_FAR_INSTANCE, note_unreadable, node);
	}
	node->rules_due |= node->applies == 1 || !rules_equal(&node->rules, &now);
	rules_deinit(&node->rules);
	node->rules = now;
	return node->rules_due;
}

static void reach(struct node *node)
{
	struct why why = { 0 };
	int e = node->kernel->reach(node, &why);

	node->unreached = e != 0;
	if (e == 0)
		return;
	complain_of_self(node, "mesh", e, &why);
	apply_later(node);
}

static void names_again_expired(struct loop_timer *timer);

/* What could not be built for lack of memory is tried again, or a quiet network would stay old for ever. */
void apply_names_later(struct node *node)
{
	if (!names_are_behind(node->names))
		return;
	node->names_again.expired = names_again_expired;
	if (loop_set_timer_in(node->loop, &node->names_again, NAMES_AGAIN_MS) < 0)
		log_err("apply", "no memory for a timer: names wait for the next change");
}

static void sync_names(struct node *node, const struct replica_change *change)
{
	int e = 0;

	for (size_t i = 0; i < change->n_networks && change->fabric; i++)
		names_changed(node->names, change->networks[i]);
	if (change->all)
		e = names_sync_everything(node->names);
	else if (change->fabric)
		e = names_sync_all(node->names);
	if (e < 0)
		apply_complain(node, "names", e, NULL);
	for (size_t i = 0; i < change->n_networks && !change->all && !change->fabric; i++) {
		e = names_sync_network(node->names, change->networks[i]);
		if (e < 0)
			apply_complain(node, "names", e, NULL);
	}
	apply_names_later(node);
}

static void names_again_expired(struct loop_timer *timer)
{
	struct node *node = container_of(timer, struct node, names_again);
	int e = names_sync_all(node->names);

	if (e < 0)
		apply_complain(node, "names", e, NULL);
	apply_names_later(node);
	if (!names_are_behind(node->names) && node->sync)
		sync_nudge(node->sync); /* an error less */
}

void node_apply(struct node *node, const struct replica_change *change)
{
	struct presence wanted = { 0 };
	bool moved, rules;
	bool presence_known; /* else what is there stays: an empty set would silence every network */
	bool stands;
	int e, unheard = 0, loud = 0, opened = 0;

	if (node->replica.torn) /* what is missing is not gone; the snapshot that mends it is applied whole */
		return;
	e = presence_wanted(&node->replica, &wanted);
	presence_known = e == 0;
	node->applying = true;
	node->applies++;
	node_errors_clear(&node->errors);
	role_peers_changed(&node->role_peers, change);
	loop_cancel_timer(&node->apply_again);
	if (e < 0)
		step_failed(node, "presence", e);
	moved = note_moved(node);
	stands = presence_known && presence_is_there(node, &wanted);
	if (presence_known && !stands)
		unheard = let_speak(node, &wanted);
	complain_of_moved(node);
	rules = note_rules(node);
	if (rules)
		opened = node->kernel->open_rules(node);
	if (change->all || change->fabric || moved || node->unreached)
		reach(node);
	sync_names(node, change);
	e = sync_roles(node);
	if (e < 0)
		step_failed(node, "roles", e);
	loud = presence_known && !stands ? node->kernel->silence(node, &wanted) : 0;
	if (loud < 0)
		step_failed(node, "presence", loud);
	e = rules ? node->kernel->close_rules(node) : 0;
	if (e < 0 || opened < 0)
		step_failed(node, "peering rules", e < 0 ? e : opened);
	else if (rules)
		node->rules_due = false;
	if (presence_known) {
		node->presence_stands = loud == 0 && unheard == 0;
		awaits_forget_settled(node, &wanted);
		presence_deinit(&node->presence);
		node->presence = wanted;
	}
	node->applying = false;
	if (node->reports)
		reports_send(node->reports);
}
