/* poll - see poll.h. The order of judgement: who speaks; is one of us outdated (epoch, log); a snapshot that is under way; where the
 * node is in the log; whether its copy is right; and then news, or parking. */
#include "controller/nodes/poll.h"

#include "controller/nodes/delta.h"
#include "controller/nodes/session.h"
#include "controller/nodes/settle.h"
#include "lib/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BAD_POLL_RETRY_MS 5000
#define EXPIRED_RETRY_MS 1000
#define WHOLE_AGAIN_MS 60000 /* who was given all, and says in the same session that it has nothing, waits so long */
#define PARTS_OF_NODE_MAX 512 /* a node with more parts than it lists gets everything */

/* ---- acknowledgement ---- */

static void count_pending(struct controller *c, struct node_entry *node)
{
	const struct scope *scope = scopes_of(&c->scopes, node->host);

	node->first_pending_v = NODE_NEVER;
	node->n_pending = 0;
	for (uint64_t v = node->applied_v + 1; v <= controller_head(c); v++) {
		const struct ring_entry *e = ring_at(&c->ring, v);

		if (!e || !e->record || !scope_touched_by(scope, node->host, &e->record->record))
			continue;
		if (!node->n_pending++)
			node->first_pending_v = v;
	}
}

static void acknowledge(struct controller *c, struct node_entry *node, const struct poll_request *q)
{
	bool moved = !node->acked || node->applied_v != q->applied_v;

	if (moved && node->acked)
		convergence_note(c, node, node->applied_v, q->applied_v);
	node->acked = true;
	node->applied_v = q->applied_v;
	if (moved) {
		count_pending(c, node);
		events_touch(c);
	}
	c->waits_due = c->settle_due = true; /* even if it did not move, it is no longer unknown */
	controller_wake_now(c);
}

static void not_acknowledged(struct node_entry *node)
{
	node->acked = false;
	node->first_pending_v = NODE_NEVER;
	node->n_pending = 0;
}

/* Replaces a list that a poll brought; how many are kept (none without memory). */
static size_t keep_list(void **list, const void *items, size_t n, size_t size)
{
	free(*list);
	*list = n ? malloc(n * size) : NULL;
	if (!*list)
		return 0;
	memcpy(*list, items, n * size);
	return n;
}

static void keep_said(struct node_entry *node, const struct poll_request *q)
{
	memcpy(node->version, q->version, sizeof node->version);
	if (q->at_once) { /* only then it is said, or is not there */
		node->has_metrics = q->has_metrics;
		node->metrics = q->metrics;
	}
	node->features = q->features;
	node->n_errors = q->n_errors;
	node->n_errors_kept = keep_list((void **)&node->errors, q->errors, q->n_errors_kept, sizeof *q->errors);
	if (q->n_held != node->n_held)
		log_limited(LOG_L_WARN, "poll", "node %s holds back %zu deletes that nobody explained (before: %zu)", node->name, q->n_held,
			    node->n_held);
	node->n_held = q->n_held;
	node->n_held_kept = keep_list((void **)&node->held, q->held, q->n_held_kept, sizeof *q->held);
	if (!node->n_held)
		node->releases = 0;
	memcpy(node->awaits, q->awaits, sizeof node->awaits);
	node->n_awaits = q->n_awaits;
	if (q->health)
		health_take(&node->health, q->health);
}

/* ---- drift ---- */

struct digest poll_scope_digest(const struct controller *c, uint32_t host)
{
	const struct scope *scope = scopes_of(&c->scopes, host);
	const struct memory_part *part = memory_part(&c->memory, 0, 0);
	const struct scope_entry *e;
	struct digest sum = { 0 };

	if (part)
		digest_join(&sum, &part->digest);
	for (size_t i = 0; scope && (e = map_next(&scope->entries, &i));)
		if (e->count && (part = memory_part(&c->memory, e->network, 0)))
			digest_join(&sum, &part->digest);
	part = memory_part(&c->memory, 0, host);
	if (part)
		digest_join(&sum, &part->digest);
	return sum;
}

static const struct digest *digest_of(const struct controller *c, uint32_t host, const struct snapshot_part *p)
{
	static const struct digest none = { 0 };
	const struct memory_part *part = NULL;

	if (p->is_private)
		part = memory_part(&c->memory, 0, host);
	else if (!p->network || scope_has(scopes_of(&c->scopes, host), p->network))
		part = memory_part(&c->memory, p->network, 0);
	return part ? &part->digest : &none;
}

static bool is_listed(const struct poll_request *q, const struct snapshot_part *p)
{
	for (size_t i = 0; i < q->n_parts; i++)
		if (q->parts[i].part.network == p->network && q->parts[i].part.is_private == p->is_private)
			return true;
	return false;
}

/* The parts that differ: of those that the node lists, and of those that it should have and does not list. */
static size_t find_unequal(const struct controller *c, uint32_t host, const struct poll_request *q, struct snapshot_part *out)
{
	const struct scope *scope = scopes_of(&c->scopes, host);
	const struct scope_entry *e;
	struct snapshot_part own[2] = { { 0, false }, { 0, true } };
	size_t n = 0;

	for (size_t i = 0; i < q->n_parts; i++)
		if (!digest_equal(&q->parts[i].digest, digest_of(c, host, &q->parts[i].part)))
			out[n++] = q->parts[i].part;
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (!is_listed(q, &own[i]) && digest_of(c, host, &own[i])->count)
			out[n++] = own[i];
	for (size_t i = 0; scope && (e = map_next(&scope->entries, &i));) {
		struct snapshot_part p = { .network = e->network };

		if (e->count && !is_listed(q, &p) && digest_of(c, host, &p)->count)
			out[n++] = p;
	}
	return n;
}

static bool heal(struct controller *c, struct node_entry *node, const struct poll_request *q)
{
	const struct scope *scope = scopes_of(&c->scopes, node->host);
	CLEAN_FREE struct snapshot_part *parts = calloc(q->n_parts + 3 + (scope ? scope->entries.n : 0), sizeof *parts);
	size_t n = parts ? find_unequal(c, node->host, q, parts) : 0;

	if (!n)
		return false;
	if (q->n_parts >= PARTS_OF_NODE_MAX)
		n = 0; /* it may hold more than it says */
	log_warn("poll", "node %s: %zu parts of its copy differ at V %llu, healing", node->name, n, (unsigned long long)node->applied_v);
	node->healed_ms = clock_mono_ms(&c->clock);
	snapshot_start(c, node, parts, n);
	return true;
}

/* Where nothing of its scope has changed since its V, the copies must be equal, whatever others have written meanwhile. True: the poll was
 * answered. */
static bool check_digest(struct controller *c, struct node_entry *node, const struct poll_request *q)
{
	struct digest own = poll_scope_digest(c, node->host);
	uint64_t now = clock_mono_ms(&c->clock);

	if (node->n_pending || !memcmp(own.sum, q->digest, DIGEST_LEN))
		return false;
	if (node->healed_ms != NODE_NEVER && now < node->healed_ms + POLL_DRIFT_MS)
		return false;
	if (q->n_parts)
		return heal(c, node, q);
	if (node->asked_ms != NODE_NEVER && now < node->asked_ms + POLL_DRIFT_MS)
		return false;
	node->asked_ms = now;
	c->stats.drifts++;
	node->drifts++;
	events_add_node(c, node, "drift", "holds something else than we do at V %llu", (unsigned long long)node->applied_v);
	log_warn("poll", "node %s holds something else at V %llu than we do: asking for the digests of its parts", node->name,
		 (unsigned long long)node->applied_v);
	reply_nothing(c, node, true);
	return true;
}

/* ---- answering ---- */

static void send_delta(struct controller *c, struct node_entry *node)
{
	struct reply r;
	int e;

	reply_init(&r, SIXPN__POLL_KIND__POLL_DELTA);
	e = delta_build(c, node, &r);
	if (e == 0)
		e = reply_send(c, node, &r);
	reply_deinit(&r);
	if (e == 0) {
		c->stats.deltas++;
		return;
	}
	not_acknowledged(node);
	snapshot_start(c, node, NULL, 0);
}

/* What has no place in the window any more can only be had whole. */
static bool is_lost(const struct controller *c, const struct node_entry *node)
{
	return node->first_pending_v != NODE_NEVER && node->first_pending_v <= ring_floor(&c->ring);
}

void poll_answer(struct controller *c, struct node_entry *node)
{
	struct settle_result settled;

	if (!node->handle)
		return;
	if (!node->acked || is_lost(c, node)) {
		not_acknowledged(node);
		snapshot_start(c, node, NULL, 0);
		return;
	}
	if (node->n_pending) {
		send_delta(c, node);
		return;
	}
	settle_collect(c, node, &settled);
	if (settled.n || (node->releases && node->n_held))
		reply_nothing(c, node, false);
}

uint64_t poll_expire(struct controller *c)
{
	uint64_t now = clock_mono_ms(&c->clock), next = UINT64_MAX;
	struct node_entry *node;

	for (size_t i = 0; (node = node_table_next(&c->nodes, &i));) {
		if (!node->handle)
			continue;
		if (now >= node->park_until_ms && node->acked)
			reply_nothing(c, node, false);
		else if (now >= node->park_until_ms) /* what it lacks is still being looked for */
			reply_retry_after(c, node, EXPIRED_RETRY_MS, "your snapshot is not ready");
		else if (node->park_until_ms < next)
			next = node->park_until_ms;
	}
	return next;
}

bool poll_quiet_is_due(const struct controller *c)
{
	return ring_is_nearly_full(&c->ring) && controller_head(c) - c->moved_on_v > c->ring.n / 8;
}

void poll_move_quiet_on(struct controller *c)
{
	struct node_entry *node;

	if (!poll_quiet_is_due(c))
		return;
	c->moved_on_v = controller_head(c);
	for (size_t i = 0; (node = node_table_next(&c->nodes, &i));)
		if (node->handle && node->acked && !node->n_pending && node->applied_v < ring_floor(&c->ring) + c->ring.n / 2)
			reply_nothing(c, node, false);
}

/* ---- fencing ---- */

static bool is_our_log(const struct controller *c, const struct poll_request *q)
{
	return !memcmp(q->log_id, c->identity.log_id, STORE_LOG_ID_LEN);
}

/* It says that it obeys somebody who began after us, or when we did. */
static bool names_another(const struct controller *c, const struct poll_request *q)
{
	return q->has_log_id && (q->epoch > c->identity.epoch || (q->epoch == c->identity.epoch && !is_our_log(c, q)));
}

static bool is_proven(const struct controller *c, const struct poll_request *q)
{
	return store_head_proof_valid(&c->identity, q->log_id, q->epoch, q->applied_v, q->head_proof, q->head_proof_len);
}

/* Somebody else was obeyed after us. Only who holds our secret can have made the proof: a later controller on our store, or on a copy
 * of it. Without one it may be true, and it may be a node that was taken over and wants us to end. */
static bool fence(struct controller *c, struct node_entry *node, const struct poll_request *q)
{
	char reason[200];

	if (!names_another(c, q))
		return false;
	if (!is_proven(c, q)) {
		node->unproven++;
		log_limited(LOG_L_ERR, "poll", "node %s says that it obeys another controller (epoch %llu, ours is %llu) and cannot prove it: "
			    "not believed", node->name, (unsigned long long)q->epoch, (unsigned long long)c->identity.epoch);
		return false;
	}
	snprintf(reason, sizeof reason, "node %s obeys another controller (epoch %llu, ours is %llu)", node->name,
		 (unsigned long long)q->epoch, (unsigned long long)c->identity.epoch);
	reply_fenced(c, node->handle, reason);
	controller_set_handle(c, node, 0);
	controller_must_stop(c, reason);
	return true;
}

/* ---- a poll ---- */

/* It polls without asking for a part: what was sent is taken, or is not wanted any more. */
static void note_taken(struct controller *c, struct node_entry *node, const struct poll_request *q)
{
	if (!q->has_log_id || !is_our_log(c, q) || !snapshot_is_taken(node, q->applied_v)) {
		snapshot_drop(c, node);
		return;
	}
	if (!snapshot_is_heal(node)) {
		node->whole_ms = clock_mono_ms(&c->clock);
		node->whole_session = node->session;
		node->whole_v = q->applied_v;
	}
	snapshot_pin(c, node);
}

/* Reasons that were read are those since its cursor. */
static void note_cursor(struct controller *c, struct node_entry *node, const struct poll_request *q)
{
	uint64_t v = q->has_log_id && is_our_log(c, q) ? q->applied_v : 0;

	if (v < node->cursor_v)
		node->has_reasons = false;
	node->cursor_v = v;
}

/* It holds what our log says at no V that we know: more than there is, or, from before we began, more than there was then. The second
 * is what is left to see of a store that was an old copy once it has been written again. */
static bool is_beyond_us(const struct controller *c, const struct poll_request *q)
{
	return q->applied_v > controller_head(c) || (q->epoch < c->identity.epoch && q->applied_v > c->start_v);
}

/* The node holds nothing of ours from which it could go on. v: what it says that it holds, 0 = nothing. One that was just given
 * everything, and does not even say so, may have lost it, or wants to keep us busy. */
static void give_whole(struct controller *c, struct node_entry *node, uint64_t v)
{
	uint64_t now = clock_mono_ms(&c->clock);

	not_acknowledged(node);
	if (node->whole_session == node->session && node->whole_ms != NODE_NEVER && now < node->whole_ms + WHOLE_AGAIN_MS && v < node->whole_v)
		reply_retry_after(c, node, (uint32_t)(node->whole_ms + WHOLE_AGAIN_MS - now), "you were given everything a moment ago");
	else
		snapshot_start(c, node, NULL, 0);
}

static void judge(struct controller *c, struct node_entry *node, const struct poll_request *q)
{
	if (fence(c, node, q))
		return;
	if (q->has_token && snapshot_is_asked(node, q->token)) {
		snapshot_next(c, node, q->token);
		return;
	}
	note_taken(c, node, q);
	note_cursor(c, node, q);
	if (!q->has_log_id || !is_our_log(c, q) || names_another(c, q)) {
		give_whole(c, node, 0);
		return;
	}
	if (is_beyond_us(c, q)) {
		if (is_proven(c, q)) {
			not_acknowledged(node);
			session_roll_back(c, node, q->applied_v);
		} else {
			give_whole(c, node, 0);
		}
		return;
	}
	if (q->applied_v < ring_floor(&c->ring) && !(node->acked && node->applied_v == q->applied_v && !is_lost(c, node))) {
		give_whole(c, node, q->applied_v);
		return;
	}
	acknowledge(c, node, q);
	snapshot_follow(c, node);
	if (!check_digest(c, node, q))
		poll_answer(c, node);
	if (node->handle && node->acked && !node->n_pending && q->at_once)
		reply_nothing(c, node, false);
}

static void take(struct controller *c, struct node_entry *node, const struct link_request *request)
{
	struct poll_request q;
	struct pb_arena arena;
	struct why why;
	int r;

	controller_set_handle(c, node, request->handle);
	node->park_ms = c->park_ms;
	node->park_until_ms = clock_mono_ms(&c->clock) + c->park_ms;
	controller_wake(c, node->park_until_ms);
	pb_arena_init(&arena, POLL_ARENA_LIMIT);
	r = poll_request_read(request->payload, request->len, &arena, &q, &why);
	if (r) {
		c->stats.bad_requests++;
		log_limited(LOG_L_WARN, "poll", "node %s: %s", node->name, why.text);
		reply_retry_after(c, node, BAD_POLL_RETRY_MS, why.text);
	} else {
		if (!controller_is_ready(c, node))
			node->back_ms = clock_real_ms(&c->clock);
		events_note_said(c, node, q.n_errors, q.n_errors_kept ? q.errors[0].text : NULL, q.n_held);
		keep_said(node, &q);
		session_note_poll(c, node, request, &q);
		if (c->reseeding)
			reply_retry_after(c, node, 500, "the controller takes a new identity");
		else
			judge(c, node, &q);
	}
	pb_arena_deinit(&arena);
}

void poll_take(struct controller *c, const struct link_request *request)
{
	struct node_entry *node = node_table_find(&c->nodes, request->host);

	c->stats.polls++;
	if (!node || node->revoked) {
		reply_fenced(c, request->handle, "this node was deleted");
		return;
	}
	if (request->clone) {
		node->cloned_ms = clock_mono_ms(&c->clock);
		reply_fenced(c, request->handle, "another machine holds this identity and polls; this one is a copy");
		return;
	}
	if (c->told_to_stop) {
		reply_fenced(c, request->handle, "this controller has ended its work");
		return;
	}
	if (node->boot_conflict && node->session == request->session) {
		node->cloned_ms = clock_mono_ms(&c->clock);
		reply_fenced(c, request->handle, "a later start of this node is known; this machine runs from an old copy of its state");
		return;
	}
	take(c, node, request);
}
