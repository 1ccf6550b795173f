/* controller - see controller.h: start, the one path of a committed record, and the tick. */
#include "controller/nodes/controller_internal.h"

#include "controller/store/backup.h"
#include "controller/nodes/enroll.h"
#include "controller/nodes/load.h"
#include "controller/nodes/poll.h"
#include "controller/nodes/report.h"
#include "controller/nodes/session.h"
#include "controller/nodes/wait.h"
#include "lib/base/log.h"

#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>

#define UNKNOWN_PARKS 3
#define PARK_MIN_MS 20000u
#define PARK_MAX_MS 120000u
#define PARK_PER_NODE_MS 5u /* so that all nodes together poll at most 200 times a second */
#define SNAPSHOTS_PER_CPU 4u

/* ---- small things ---- */

void controller_wake(struct controller *c, uint64_t mono_ms)
{
	if (mono_ms >= c->wake_ms)
		return;
	c->wake_ms = mono_ms;
	c->events.wake_at(c->ctx, mono_ms);
}

void controller_must_stop(struct controller *c, const char *reason)
{
	if (c->told_to_stop)
		return;
	c->told_to_stop = true;
	log_err("controller", "this controller must not write any more: %s", reason);
	c->events.must_stop(c->ctx, reason);
}

bool controller_put(struct controller *c, struct op *op)
{
	if (c->n_ops >= CONTROLLER_OPS_MAX || !c->thread || c->stopping)
		return false;
	c->n_ops++;
	store_thread_put(c->thread, op);
	return true;
}

void controller_op_done(struct controller *c)
{
	c->n_ops--;
}

uint64_t controller_patience_ms(const struct controller *c, const struct node_entry *node)
{
	/* it may still be parked for as long as it was told */
	return UNKNOWN_PARKS * (uint64_t)(node && node->park_ms > c->park_ms ? node->park_ms : c->park_ms);
}

bool controller_is_ready(const struct controller *c, const struct node_entry *node)
{
	return node->polled_ms != NODE_NEVER && clock_mono_ms(&c->clock) - node->polled_ms < controller_patience_ms(c, node);
}

bool controller_is_unknown(const struct controller *c, const struct node_entry *node)
{
	if (controller_is_ready(c, node))
		return false;
	return !node->from_start || clock_mono_ms(&c->clock) - c->started_mono_ms >= controller_patience_ms(c, NULL);
}

uint64_t controller_unknown_from(const struct controller *c, const struct node_entry *node)
{
	uint64_t at = node->polled_ms == NODE_NEVER ? 0 : node->polled_ms + controller_patience_ms(c, node);
	uint64_t grace = node->from_start ? c->started_mono_ms + controller_patience_ms(c, NULL) : 0;

	return at > grace ? at : grace;
}

void controller_set_handle(struct controller *c, struct node_entry *node, uint64_t handle)
{
	if (node->handle)
		map_remove(&c->parked, &node->handle, sizeof node->handle);
	node->handle = handle;
	if (handle && map_set(&c->parked, &node->handle, sizeof node->handle, node, NULL) < 0)
		node->handle = 0; /* its poll is not answered; it asks again */
}

void controller_mark(struct controller *c, struct node_entry *node)
{
	if (node->dirty)
		return;
	node->dirty = true;
	node->next_dirty = c->dirty;
	c->dirty = node;
	controller_wake_now(c);
}

void controller_touch(struct controller *c, struct node_entry *node, uint64_t v)
{
	if (!node->acked || node->revoked)
		return;
	if (!node->n_pending++)
		node->first_pending_v = v;
	controller_mark(c, node);
}

void controller_fit_park(struct controller *c)
{
	const struct node_entry *node;
	uint32_t ms = 0;

	for (size_t i = 0; (node = node_table_next(&c->nodes, &i));)
		ms += node->revoked || ms >= PARK_MAX_MS ? 0 : PARK_PER_NODE_MS;
	ms = ms < PARK_MIN_MS ? PARK_MIN_MS : ms > PARK_MAX_MS ? PARK_MAX_MS : ms;
	c->park_ms = c->config.park_ms ? c->config.park_ms : ms;
	if (c->link)
		link_server_set_park_ms(c->link, c->park_ms);
}

/* ---- a committed record ---- */

static void touch_host(struct controller *c, uint32_t host, uint64_t v)
{
	struct node_entry *node = node_table_find(&c->nodes, host);

	if (node)
		controller_touch(c, node, v);
}

static void touch_all(struct controller *c, uint64_t v)
{
	struct node_entry *node;

	for (size_t i = 0; (node = node_table_next(&c->nodes, &i));)
		controller_touch(c, node, v);
}

static void touch_concerned(struct controller *c, const struct record *r, const struct scope_change *change)
{
	const struct scope_audience *audience;

	if (r->node) {
		touch_host(c, r->node, r->v);
		return;
	}
	if (!r->network) {
		touch_all(c, r->v);
		return;
	}
	audience = scopes_audience(&c->scopes, r->network);
	for (size_t i = 0; audience && i < audience->n; i++)
		touch_host(c, audience->hosts[i], r->v);
	for (size_t i = 0; i < change->n; i++)
		if (!scope_has(scopes_of(&c->scopes, change->hosts[i]), r->network)) /* it left: not in the audience any more */
			touch_host(c, change->hosts[i], r->v);
}

static void end_node(struct controller *c, struct node_entry *node)
{
	node->revoked = true;
	node->acked = false;
	snapshot_drop(c, node);
	controller_set_handle(c, node, 0);
	link_server_end_peer(c->link, node->link_key);
	controller_fit_park(c);
	c->waits_due = c->settle_due = true;
	controller_wake_now(c);
	log_info("controller", "node %s was deleted, its sessions are ended", node->name);
}

static void note_node(struct controller *c, const struct record *r)
{
	struct node_entry *node = r->key_len == 4 ? node_table_find(&c->nodes, get_u32(r->key)) : NULL;
	struct node_record body;

	if (!node)
		return; /* just enrolled: its op brings it */
	if (r->deleted) {
		end_node(c, node);
		return;
	}
	if (node_decode(r, &body, NULL) != 0)
		return;
	memcpy(node->name, body.name, sizeof node->name);
	memcpy(node->region, body.region, sizeof node->region);
	node->roles = body.roles;
	node->draining = body.draining;
	memcpy(node->endpoints, body.endpoints, sizeof node->endpoints);
	node->n_endpoints = body.n_endpoints;
}

/* Memory, scope, ring. -ENOMEM or -EBADMSG: memory no longer says what the store holds. */
static int take_sendable(struct controller *c, const struct record *r, uint64_t committed_ms)
{
	struct memory_record *entry, *old = NULL;
	struct scope_change change = { .n = 0 };
	int e = memory_record_new(r, &entry);

	if (e < 0)
		return e;
	e = memory_take(&c->memory, entry, &old);
	if (e == 0)
		e = scopes_note(&c->scopes, old ? &old->record : NULL, &entry->record, r->v, ring_floor(&c->ring), false, &change);
	if (e == 0 && ring_push(&c->ring, entry, committed_ms, snapshot_oldest_v(c)) < 0)
		log_warn("controller", "no memory for the window of changes: nodes that are behind get snapshots");
	if (e == 0)
		touch_concerned(c, &entry->record, &change);
	if (e == 0)
		events_note_record(c, &entry->record, old);
	memory_record_unref(old);
	memory_record_unref(entry);
	return e;
}

static void committed(void *arg, struct record *record, uint64_t committed_ms)
{
	struct controller *c = arg;
	int e = 0;

	if (record->v != controller_head(c) + 1) {
		c->stats.gaps++;
		log_err("controller", "V %llu was committed after V %llu", (unsigned long long)record->v, (unsigned long long)controller_head(c));
		e = -EPROTO;
	} else if (RECORD_SENDABLE(record->kind)) {
		e = take_sendable(c, record, committed_ms);
	} else if (ring_push(&c->ring, NULL, committed_ms, snapshot_oldest_v(c)) < 0) {
		log_warn("controller", "no memory for the window of changes: nodes that are behind get snapshots");
	}
	if (!RECORD_SENDABLE(record->kind))
		events_note_record(c, record, NULL);
	if (e < 0) { /* nodes must not be told half of the truth: a new start reads it from the store */
		log_err("controller", "V %llu cannot be taken into memory: %s", (unsigned long long)record->v, strerror(-e));
		controller_must_stop(c, "memory and store differ");
	}
	if (record->kind == RECORD_NODE)
		note_node(c, record);
	if (record->kind == RECORD_INSTANCE)
		wait_note_instance(c, record);
	if (record->kind == RECORD_PEER)
		peers_note_record(c, record);
	if (c->waits) { /* nodes that were not touched may be done now */
		c->waits_due = true;
		controller_wake_now(c);
	}
	if (poll_quiet_is_due(c))
		controller_wake_now(c);
	if (c->events.committed)
		c->events.committed(c->ctx, record);
	free(record);
}

static void broken(void *arg, int error)
{
	controller_must_stop(arg, error == -ESTALE  ? "another controller writes this store now" :
				  error == -EIDRM   ? "the file of the store was moved away or replaced while it was in use" :
				  error == -EBADMSG ? "the store is damaged; restore a backup: sixpn backup restore FILE" :
						      "the store can no longer be written");
}

/* ---- the link ---- */

static int who(void *ctx, const uint8_t key[CRYPTO_KEY_LEN], uint32_t *ret_host)
{
	const struct controller *c = ctx;
	const struct node_entry *node = node_table_find_key(&c->nodes, key);

	if (!node)
		return LINK_WHO_UNKNOWN;
	if (node->revoked)
		return LINK_WHO_REVOKED;
	*ret_host = node->host;
	return 0;
}

static void requested(void *ctx, const struct link_request *request)
{
	struct controller *c = ctx;

	switch (request->method) {
	case LINK_ENROLL: enroll_take(c, request); break;
	case LINK_POLL: poll_take(c, request); break;
	case LINK_REPORT: report_take(c, request); break;
	}
}

static void abandoned(void *ctx, uint64_t handle)
{
	struct controller *c = ctx;
	struct node_entry *node = map_get(&c->parked, &handle, sizeof handle);

	if (!node)
		return;
	controller_set_handle(c, node, 0);
	node->n_awaits = 0;
}

static void cloned(void *ctx, const struct link_clone *clone)
{
	struct controller *c = ctx;
	const struct node_entry *node = node_table_find(&c->nodes, clone->host);

	c->stats.clones++;
	if (node)
		events_add_node(c, node, "clone", "a second machine uses its identity and is fenced");
	log_err("controller", "two machines use the identity of node %s: the holder started %llu times, the other %llu; the other is fenced",
		node ? node->name : "?", (unsigned long long)clone->holder_boot_count, (unsigned long long)clone->clone_boot_count);
}

/* ---- life ---- */

static void set_defaults(struct controller_config *config)
{
	config->window_bytes = config->window_bytes ? config->window_bytes : 32u << 20;
	config->window_changes = config->window_changes ? config->window_changes : 65536;
	config->peer_idle_ms = config->peer_idle_ms ? config->peer_idle_ms : PEERS_IDLE_MS;
	config->batch_bytes = config->batch_bytes ? config->batch_bytes : (256u << 10) - 4096; /* leaves room for the rest of a reply */
	config->snapshots_max = config->snapshots_max ? config->snapshots_max : SNAPSHOTS_PER_CPU * (unsigned)get_nprocs();
}

static int start_backups(struct controller *c)
{
	struct backups_config config = { .clock = c->clock, .loop = c->config.loop, .thread = c->thread, .dir = c->config.backup_dir };
	int r;

	if (!config.dir)
		return 0;
	memcpy(config.link_key, c->config.link_key, sizeof config.link_key);
	r = backups_new(&config, &c->backups);
	crypto_wipe(&config, sizeof config);
	return r;
}

static int start(struct controller *c)
{
	static const struct link_server_events link_events = { .who = who, .request = requested, .abandoned = abandoned, .clone = cloned };
	struct store_thread_events thread_events = { .committed = committed, .broken = broken, .arg = c };
	struct link_server_config link = { .features = 1 | 2 | 4 };
	int r = load_memory(c);

	if (r < 0)
		return r;
	r = store_thread_start(c->config.store, c->config.loop, &thread_events, &c->thread);
	if (r < 0)
		return r;
	r = start_backups(c);
	if (r < 0)
		return r;
	memcpy(link.private_key, c->config.link_key, sizeof link.private_key);
	r = link_server_new(&c->clock, c->config.transport, &link, &link_events, c, &c->link);
	crypto_wipe(&link, sizeof link);
	if (r < 0)
		return r;
	controller_fit_park(c);
	c->env = (struct api_env){ .ops = &controller_env_ops, .ctx = c, .loop = c->config.loop, .clock = c->clock, .store = c->thread, .backups = c->backups,
				   .advertise = c->config.advertise, .started_ms = clock_real_ms(&c->clock) };
	memcpy(c->env.link_public_key, link_server_public_key(c->link), sizeof c->env.link_public_key);
	return 0;
}

int controller_new(const struct controller_config *config, const struct controller_events *events, void *ctx,
		   struct controller **ret_controller)
{
	struct controller *c = calloc(1, sizeof *c);
	int r;

	if (!c)
		return -ENOMEM;
	c->config = *config;
	set_defaults(&c->config);
	c->events = *events;
	c->ctx = ctx;
	c->clock = config->clock;
	c->wake_ms = UINT64_MAX;
	c->started_mono_ms = clock_mono_ms(&c->clock);
	events_init(&c->event_log, clock_real_ms(&c->clock));
	c->seen_due_ms = c->started_mono_ms + SESSION_SEEN_MS;
	peers_init(c);
	r = start(c);
	crypto_wipe(c->config.link_key, sizeof c->config.link_key);
	if (r < 0) {
		controller_free(c);
		return r;
	}
	c->ours_due_ms = c->started_mono_ms + SESSION_OURS_MS;
	controller_wake(c, c->ours_due_ms);
	*ret_controller = c;
	return 0;
}

static void answer_dirty(struct controller *c)
{
	while (c->dirty) {
		struct node_entry *node = c->dirty;

		c->dirty = node->next_dirty;
		node->dirty = false;
		poll_answer(c, node);
	}
}

static void answer_awaiting(struct controller *c)
{
	struct node_entry *node;

	if (!c->settle_due)
		return;
	c->settle_due = false;
	for (size_t i = 0; (node = node_table_next(&c->nodes, &i));)
		if (node->n_awaits && node->handle)
			poll_answer(c, node);
}

void controller_tick(struct controller *c)
{
	uint64_t now = clock_mono_ms(&c->clock), next, at;

	c->wake_ms = UINT64_MAX;
	if (c->stopping)
		return;
	answer_dirty(c);
	answer_awaiting(c);
	poll_move_quiet_on(c);
	if (now >= c->seen_due_ms) {
		session_store_seen(c);
		c->seen_due_ms = now + SESSION_SEEN_MS;
	}
	if (now >= c->ours_due_ms) {
		session_check_ours(c);
		c->ours_due_ms = now + SESSION_OURS_MS;
	}
	next = c->seen_due_ms < c->ours_due_ms ? c->seen_due_ms : c->ours_due_ms;
	at = poll_expire(c);
	next = at < next ? at : next;
	at = wait_run(c);
	next = at < next ? at : next;
	at = snapshot_expire(c);
	next = at < next ? at : next;
	at = peers_run(c);
	next = at < next ? at : next;
	at = events_run(c); /* last: it tells what all of the above made of it */
	next = at < next ? at : next;
	controller_wake(c, next);
}

size_t controller_pump(struct controller *c)
{
	return store_thread_pump(c->thread);
}

void controller_stop(struct controller *c)
{
	if (c->stopping)
		return;
	session_store_seen(c);
	c->stopping = true;
	wait_end_all(c);
	events_end_all(c);
	backups_stop(c->backups);
	c->thread = store_thread_stop(c->thread);
	wait_end_all(c);
	events_end_all(c);
}

struct controller *controller_free(struct controller *c)
{
	struct node_entry *node;

	if (!c)
		return NULL;
	controller_stop(c);
	c->backups = backups_free(c->backups);
	for (size_t i = 0; (node = node_table_next(&c->nodes, &i));)
		snapshot_drop(c, node);
	c->link = link_server_free(c->link);
	map_deinit(&c->parked);
	node_table_deinit(&c->nodes);
	peers_deinit(&c->peers);
	ring_deinit(&c->ring);
	memory_deinit(&c->memory);
	scopes_deinit(&c->scopes);
	crypto_wipe(&c->identity, sizeof c->identity);
	free(c);
	return NULL;
}

const struct api_env *controller_env(const struct controller *c)
{
	return &c->env;
}

const struct link_server_stats *controller_link_stats(const struct controller *c)
{
	return link_server_stats(c->link);
}

const struct controller_stats *controller_stats(const struct controller *c)
{
	return &c->stats;
}
