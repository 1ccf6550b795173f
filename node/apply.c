/* apply - from records to machine. The order is make before break:
 *   1. presence, moved addresses and mesh peers that are new (others may speak to us, we reach them)
 *   2. names                                    (new ones are answered, withdrawn ones are gone)
 *   3. roles                                    (interfaces, programs, processes; they report their own truth)
 *   4. presence and moved addresses that are gone
 * Every step is level-triggered and goes on after an error of one object: that object becomes a record error, the rest applies. */
#include "node/node.h"

#include "lib/base/log.h"
#include "lib/sixpn/pb.h"
#include "node/health.h"
#include "node/resolvers.h"
#include "proto/sixpn.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AWAIT_LIMIT_MS 1000
#define NAMES_AGAIN_MS 1000
#define APPLY_AGAIN_MS 5000
#define PEERS_SILENT_MS 300000 /* a controller that was not heard for so long cannot say who has expired: more than two parks */
#define PEERS_BEGIN_MS 30000   /* after our start it has so long to be heard */
#define PEERS_LOOK_MS 60000
#define AWAITS_PER_POLL 64

/* ---- what roles get: the instances of this host ---- */

struct instance_list {
	struct node *node;
	struct role_instance *items;
	size_t n;
};

static const struct record *find_u32(const struct replica *r, uint32_t kind, uint32_t key)
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
	network = find_u32(replica, RECORD_NETWORK, out->record.network);
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

static void complain(struct node *node, const char *what, int e, const struct why *why)
{
	node->apply_errors++;
	log_err("apply", "V %llu: %s: %s", (unsigned long long)node->replica.v, what, e > 0 && why ? why->text : strerror(e < 0 ? -e : EINVAL));
}

/* What only this machine's own record stands for. */
static void complain_of_self(struct node *node, const char *what, int e, const struct why *why)
{
	char text[256];
	uint8_t key[4];

	complain(node, what, e, why);
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

	complain(node, "presence", e, NULL);
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

static void apply_later(struct node *node)
{
	node->apply_again.expired = apply_again_expired;
	if (loop_set_timer_in(node->loop, &node->apply_again, APPLY_AGAIN_MS) < 0)
		log_err("apply", "no memory for a timer: what failed waits for the next change");
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
		complain_of_self(node, "peers", e, NULL);
		apply_later(node);
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

static void let_speak(struct node *node, const struct presence *wanted)
{
	int e = node->kernel->let_speak(node, wanted);

	if (e == 0)
		return;
	complain_of_unheard(node, e);
	apply_later(node);
}

/* What is at home counts as moved no longer, even if nothing else can be done about it. True: it is not as it was. */
static bool note_moved(struct node *node)
{
	struct moved now;
	int e = moved_wanted(&node->replica, &now);
	bool differs;

	if (e < 0) { /* what is there stays */
		complain(node, "moved addresses", e, NULL);
		apply_later(node);
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

/* Who is gone may still be heard: that is not applied. */
static void silence_failed(struct node *node, int e)
{
	complain_of_self(node, "presence", e, NULL);
	apply_later(node);
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
static void names_later(struct node *node)
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
		complain(node, "names", e, NULL);
	for (size_t i = 0; i < change->n_networks && !change->all && !change->fabric; i++) {
		e = names_sync_network(node->names, change->networks[i]);
		if (e < 0)
			complain(node, "names", e, NULL);
	}
	names_later(node);
}

static void names_again_expired(struct loop_timer *timer)
{
	struct node *node = container_of(timer, struct node, names_again);
	int e = names_sync_all(node->names);

	if (e < 0)
		complain(node, "names", e, NULL);
	names_later(node);
	if (!names_are_behind(node->names) && node->sync)
		sync_nudge(node->sync); /* an error less */
}

static void forget_settled(struct node *node, const struct presence *wanted)
{
	size_t kept = 0;

	for (size_t i = 0; i < node->n_settled; i++)
		if (presence_has(wanted, node->settled[i], node->identity.host))
			node->settled[kept++] = node->settled[i];
	node->n_settled = kept;
}

void node_apply(struct node *node, const struct replica_change *change)
{
	struct presence wanted = { 0 };
	bool moved;
	bool presence_known; /* else what is there stays: an empty set would silence every network */
	int e;

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
		complain(node, "presence", e, NULL);
	moved = note_moved(node);
	if (presence_known)
		let_speak(node, &wanted);
	complain_of_moved(node);
	if (change->all || change->fabric || moved || node->unreached)
		reach(node);
	sync_names(node, change);
	e = sync_roles(node);
	if (e < 0)
		complain(node, "roles", e, NULL);
	e = presence_known ? node->kernel->silence(node, &wanted) : 0;
	if (e < 0)
		silence_failed(node, e);
	if (presence_known) {
		forget_settled(node, &wanted);
		presence_deinit(&node->presence);
		node->presence = wanted;
	}
	node->applying = false;
	if (node->reports)
		reports_send(node->reports);
}

/* ---- sync events ---- */

static void on_apply(void *ctx, const struct replica_change *change)
{
	node_apply(ctx, change);
}

static bool is_settled(const struct node *node, uint32_t network)
{
	for (size_t i = 0; i < node->n_settled; i++)
		if (node->settled[i] == network)
			return true;
	return false;
}

static void remember_settled(struct node *node, uint32_t network)
{
	uint32_t *bigger;

	if (is_settled(node, network))
		return;
	bigger = realloc(node->settled, (node->n_settled + 1) * sizeof *bigger);
	if (!bigger)
		return; /* the next start waits once more, that is all */
	node->settled = bigger;
	node->settled[node->n_settled++] = network;
}

/* Takes the first await of the network (0 = any, with `arg`) off the list; NULL if none is left. */
static struct node_await *take_await(struct node *node, uint32_t network, uint64_t v)
{
	for (struct node_await **p = &node->awaits; *p; p = &(*p)->next)
		if ((*p)->network == network && (*p)->v <= v) {
			struct node_await *a = *p;

			*p = a->next;
			loop_cancel_timer(&a->limit);
			return a;
		}
	return NULL;
}

static void on_settled(void *ctx, uint32_t network, uint64_t v)
{
	struct node *node = ctx;
	struct node_await *a;

	remember_settled(node, network);
	while ((a = take_await(node, network, v))) {
		a->done(a->arg, false);
		free(a);
	}
}

static void await_expired(struct loop_timer *timer)
{
	struct node_await *a = container_of(timer, struct node_await, limit);
	struct node *node = a->node;

	for (struct node_await **p = &node->awaits; *p; p = &(*p)->next)
		if (*p == a) {
			*p = a->next;
			break;
		}
	node->presence_timeouts++;
	log_warn("apply", "not every node of network %08x has said in %d ms that it knows this host; starting all the same", a->network,
		 AWAIT_LIMIT_MS);
	a->done(a->arg, true);
	free(a);
}

struct poll_extras {
	struct node_errors_said errors;
	Sixpn__Gateway gateway;
	Sixpn__Await awaits[AWAITS_PER_POLL], *await_list[AWAITS_PER_POLL];
};

/* What is applied and not answered yet must not pass for done. It needs no memory: that is what there is none of. */
void node_say_errors(struct node *node, struct node_errors_said *said, struct Sixpn__PollRequest *poll)
{
	struct node_error behind = { .kind = RECORD_NODE, .key_len = 4, .v = node->replica.v,
				     .text = "names: there is no memory for the new ones, the name server gives older answers" };

	put_u32(behind.key, node->identity.host);
	node_errors_say(&node->errors, names_are_behind(node->names) ? &behind : NULL, said, poll);
}

/* The configuration may have changed since this machine joined. */
static void say_gateway(const struct node *node, Sixpn__Gateway *ret, struct Sixpn__PollRequest *poll)
{
	const char *host = config_str(node->config, "gateway_host");

	sixpn__gateway__init(ret);
	ret->host = pb_bytes(host, strlen(host));
	ret->port = (uint32_t)config_int(node->config, "gateway_port");
	ret->key = pb_bytes(node->identity.gateway_public, sizeof node->identity.gateway_public);
	poll->gateway = ret;
}

static void on_fill_poll(void *ctx, struct Sixpn__PollRequest *poll)
{
	static __thread struct poll_extras x; /* lives until the next call, as sync.h promises */
	struct node *node = ctx;

	node_say_errors(node, &x.errors, poll);
	if (poll->at_once && node->identity.has_gateway_key)
		say_gateway(node, &x.gateway, poll);
	for (struct node_await *a = node->awaits; a && poll->n_await < AWAITS_PER_POLL; a = a->next) {
		Sixpn__Await *out = &x.awaits[poll->n_await];

		sixpn__await__init(out);
		out->network = a->network;
		out->v = a->v;
		x.await_list[poll->n_await++] = out;
	}
	poll->await = x.await_list;
	health_fill_poll(node, &node->said, poll);
}

/* The roles were fixed when this machine joined: what was added to the configuration since gets nothing to do. */
static void compare_roles(const struct node *node)
{
	const struct record *record = find_u32(&node->replica, RECORD_NODE, node->identity.host);
	struct node_record own;

	if (record && node_decode(record, &own, NULL) == 0 && node->role_bits & ~own.roles)
		log_err("sync", "the controller knows this machine without the role %s: leave, then join with a token for all of its roles",
			node->role_bits & ~own.roles & ROLE_GATEWAY ? "gateway" : "host");
}

static void on_synced(void *ctx)
{
	struct node *node = ctx;

	compare_roles(node);

	dns_views_set_synced(node->views, true); /* SERVFAIL stays SERVFAIL, but for another reason */
	log_info("sync", "in step with the controller at V %llu, %zu records", (unsigned long long)node->replica.v, node->replica.records.n);
}

static void on_heard(void *ctx)
{
	struct node *node = ctx;

	node->hears = true;
	node->heard_ms = (int64_t)clock_mono_ms(&node->clock);
	if (node->role_peers.n_over && loop_set_timer_in(node->loop, &node->peers_due, 0) < 0) /* its word counts again */
		log_err("apply", "no memory for a timer: peers that had expired wait for the next change");
	node_publish_heard(node);
}

const struct sync_events node_sync_events = {
	.apply = on_apply,
	.heard = on_heard,
	.settled = on_settled,
	.fill_poll = on_fill_poll,
	.synced = on_synced,
};

/* ---- what roles may call ---- */

static void role_report(void *ctx, const char *instance_id, const struct observed *observed)
{
	struct node *node = ctx;
	const struct record *record = replica_find(&node->replica, RECORD_INSTANCE, instance_id, NAME_INSTANCE_ID_LEN);
	int e;

	if (!reports_set(node->reports, instance_id, observed))
		return;
	log_info("instance", "%s is %s (generation %llu%s%s)", instance_id, instance_state_name(observed->state),
		 (unsigned long long)observed->generation, observed->message[0] ? ", " : "", observed->message);
	if (record) { /* our own name server knows first */
		e = names_sync_network(node->names, record->network);
		if (e < 0)
			complain(node, "names", e, NULL);
		names_later(node);
	}
	if (!node->applying)
		reports_send(node->reports);
}

static void role_record_error(void *ctx, uint32_t kind, const char *instance_id, uint64_t v, const char *text)
{
	struct node *node = ctx;

	node_errors_add(&node->errors, kind, instance_id, strlen(instance_id), v, text);
	if (!node->applying && node->sync)
		sync_nudge(node->sync);
}

static void role_peer_error(void *ctx, uint32_t kind, const uint8_t peer[8], uint64_t v, const char *text)
{
	struct node *node = ctx;
	uint8_t key[RECORD_PEER_KEY_KEY_LEN];

	peer_key_record_key(peer, node->identity.host, key);
	node_errors_add(&node->errors, kind, key, kind == RECORD_PEER_KEY ? sizeof key : 8, v, text);
	if (!node->applying && node->sync)
		sync_nudge(node->sync);
}

static void role_self_error(void *ctx, const char *text)
{
	struct node *node = ctx;
	uint8_t key[4];

	put_u32(key, node->identity.host);
	node->apply_errors++;
	node_errors_add(&node->errors, RECORD_NODE, key, sizeof key, node->replica.v, text);
	apply_later(node);
	if (!node->applying && node->sync)
		sync_nudge(node->sync);
}

static void role_peer_stats(void *ctx, const struct role_peer_stats *stats, size_t n)
{
	struct node *node = ctx;

	for (size_t i = 0; i < n; i++)
		reports_set_peer(node->reports, &stats[i]);
	if (!node->applying)
		reports_send(node->reports);
}

static void role_await_presence(void *ctx, uint32_t network, const char *instance_id, void (*done)(void *arg, bool timed_out), void *arg)
{
	struct node *node = ctx;
	const struct record *record = replica_find(&node->replica, RECORD_INSTANCE, instance_id, NAME_INSTANCE_ID_LEN);
	struct node_await *a;

	if (!record || is_settled(node, network)) {
		done(arg, false);
		return;
	}
	a = calloc(1, sizeof *a);
	if (!a) {
		done(arg, true);
		return;
	}
	*a = (struct node_await){ .next = node->awaits, .node = node, .network = network, .v = record->v, .done = done, .arg = arg };
	a->limit.expired = await_expired;
	node->awaits = a;
	if (loop_set_timer_in(node->loop, &a->limit, AWAIT_LIMIT_MS) < 0)
		await_expired(&a->limit);
	else if (!node->applying && node->sync)
		sync_nudge(node->sync);
}

static void role_forget_await(void *ctx, void *arg)
{
	struct node *node = ctx;

	for (struct node_await **p = &node->awaits; *p;) {
		struct node_await *a = *p;

		if (a->arg != arg) {
			p = &a->next;
			continue;
		}
		*p = a->next;
		loop_cancel_timer(&a->limit);
		free(a);
	}
}

static void role_repaired(void *ctx, enum repair kind, const char *object, int error)
{
	struct node *node = ctx;

	drift_note(node->drift, kind, object, error);
}

void node_forget_awaits(struct node *node)
{
	while (node->awaits)
		role_forget_await(node, node->awaits->arg);
}

const struct role_node_ops node_role_ops = {
	.report = role_report,
	.record_error = role_record_error,
	.peer_error = role_peer_error,
	.self_error = role_self_error,
	.peer_stats = role_peer_stats,
	.await_presence = role_await_presence,
	.forget_await = role_forget_await,
	.repaired = role_repaired,
};
