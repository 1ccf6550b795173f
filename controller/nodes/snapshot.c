/* snapshot - see snapshot.h. */
#include "controller/nodes/snapshot.h"

#include "controller/nodes/reasons.h"
#include "controller/nodes/reply.h"
#include "lib/base/log.h"
#include "lib/sixpn/pb.h"

#include <stdlib.h>
#include <string.h>

#define IDLE_MS 30000
#define TOKEN_PART_AT (SNAPSHOT_TOKEN_LEN - 4) /* a token ends in the number of the part that it came with */
#define RETRY_MIN_MS 200
#define RETRY_SPAN_MS 801

struct snapshot {
	struct snapshot *next;
	struct node_entry *node;
	uint8_t token[TOKEN_PART_AT];
	uint64_t v, used_ms;
	struct snapshot_part *heal;
	size_t n_heal;
	struct memory_record **records; /* referenced */
	size_t n, cap, at;
	size_t part_at;       /* where the last part begins: its reply may be lost */
	uint32_t part, parts; /* part: the last one sent */
	bool pinned;          /* taken: only its V counts, for the ring */
	struct reasons *reasons; /* its tombstones are among the records; told with the first part */
	struct digest digest;
};

static void snapshot_free(struct snapshot *s)
{
	for (size_t i = 0; i < s->n; i++)
		memory_record_unref(s->records[i]);
	free(s->records);
	free(s->heal);
	reasons_free(s->reasons);
	free(s);
}

void snapshot_drop(struct controller *c, struct node_entry *node)
{
	struct snapshot *s = node->snapshot;

	if (!s)
		return;
	for (struct snapshot **p = &c->snapshots; *p; p = &(*p)->next)
		if (*p == s) {
			*p = s->next;
			break;
		}
	node->snapshot = NULL;
	c->stats.snapshots_now -= !s->pinned;
	snapshot_free(s);
}

bool snapshot_is_taken(const struct node_entry *node, uint64_t applied_v)
{
	const struct snapshot *s = node->snapshot;

	return s && s->part == s->parts && (s->n_heal || applied_v >= s->v);
}

void snapshot_pin(struct controller *c, struct node_entry *node)
{
	struct snapshot *s = node->snapshot;

	if (s->pinned)
		return;
	for (size_t i = 0; i < s->n; i++)
		memory_record_unref(s->records[i]);
	s->n = 0;
	s->pinned = true;
	c->stats.snapshots_now--;
}

void snapshot_follow(struct controller *c, struct node_entry *node)
{
	struct snapshot *s = node->snapshot;

	if (!s)
		return;
	if (!node->n_pending) {
		snapshot_drop(c, node);
		return;
	}
	s->v = node->applied_v;
	s->used_ms = clock_mono_ms(&c->clock);
}

uint64_t snapshot_expire(struct controller *c)
{
	uint64_t now = clock_mono_ms(&c->clock), next = UINT64_MAX;
	struct snapshot *s, *after;

	for (s = c->snapshots; s; s = after) {
		after = s->next;
		if (now >= s->used_ms + IDLE_MS)
			snapshot_drop(c, s->node);
		else if (s->used_ms + IDLE_MS < next)
			next = s->used_ms + IDLE_MS;
	}
	return next;
}

uint64_t snapshot_oldest_v(const struct controller *c)
{
	uint64_t oldest = UINT64_MAX;

	for (const struct snapshot *s = c->snapshots; s; s = s->next)
		if (s->v < oldest)
			oldest = s->v;
	return oldest;
}

bool snapshot_is_asked(const struct node_entry *node, const uint8_t token[SNAPSHOT_TOKEN_LEN])
{
	const struct snapshot *s = node->snapshot;
	uint32_t has = get_u32(token + TOKEN_PART_AT);

	return s && !s->pinned && crypto_equal(s->token, token, sizeof s->token) &&
	       ((has == s->part && has < s->parts) || has + 1 == s->part);
}

bool snapshot_is_heal(const struct node_entry *node)
{
	return node->snapshot && node->snapshot->n_heal;
}

/* ---- what is in it ---- */

static int add_part(struct snapshot *s, const struct memory_part *part)
{
	if (!part)
		return 0;
	if (s->n + part->digest.count > s->cap) {
		size_t cap = 2 * (s->n + part->digest.count);
		struct memory_record **records = realloc(s->records, cap * sizeof *records);

		if (!records)
			return -ENOMEM;
		s->records = records;
		s->cap = cap;
	}
	for (struct memory_record *r = part->first; r; r = r->next)
		s->records[s->n++] = memory_record_ref(r);
	digest_join(&s->digest, &part->digest);
	return 0;
}

static int add_scope(struct controller *c, struct snapshot *s, uint32_t host)
{
	const struct scope *scope = scopes_of(&c->scopes, host);
	const struct scope_entry *e;
	int r = add_part(s, memory_part(&c->memory, 0, 0));

	for (size_t i = 0; r == 0 && scope && (e = map_next(&scope->entries, &i));)
		if (e->count)
			r = add_part(s, memory_part(&c->memory, e->network, 0));
	return r < 0 ? r : add_part(s, memory_part(&c->memory, 0, host));
}

/* A part that the node may not see heals to nothing. */
static int add_heal(struct controller *c, struct snapshot *s, uint32_t host)
{
	const struct scope *scope = scopes_of(&c->scopes, host);
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->n_heal; i++) {
		const struct snapshot_part *p = &s->heal[i];

		if (p->is_private)
			r = add_part(s, memory_part(&c->memory, 0, host));
		else if (!p->network || scope_has(scope, p->network))
			r = add_part(s, memory_part(&c->memory, p->network, 0));
	}
	return r;
}

/* Tombstones are no part of the digest: they explain what is not there. */
static int add_reasons(struct snapshot *s)
{
	size_t n = s->reasons ? s->reasons->n : 0;
	struct memory_record **records = n ? realloc(s->records, (s->n + n) * sizeof *records) : s->records;

	if (n && !records)
		return -ENOMEM;
	s->records = records;
	for (size_t i = 0; i < n; i++)
		s->records[s->n++] = memory_record_ref(s->reasons->tombstones[i]);
	return 0;
}

/* The end of the part that begins at `at`. */
static size_t part_end(const struct controller *c, const struct snapshot *s, size_t at)
{
	size_t bytes = 0, end = at;

	while (end < s->n && (end == at || bytes + reply_record_size(s->records[end]) <= c->config.batch_bytes))
		bytes += reply_record_size(s->records[end++]);
	return end;
}

static int fill(struct controller *c, struct snapshot *s, uint32_t host, const struct snapshot_part *heal, size_t n_heal)
{
	int r;

	if (n_heal) {
		s->heal = malloc(n_heal * sizeof *heal);
		if (!s->heal)
			return -ENOMEM;
		memcpy(s->heal, heal, n_heal * sizeof *heal);
		s->n_heal = n_heal;
	}
	r = n_heal ? add_heal(c, s, host) : add_scope(c, s, host);
	if (r == 0)
		r = add_reasons(s);
	if (r < 0)
		return r;
	s->parts = 1;
	for (size_t end = part_end(c, s, 0); end < s->n; end = part_end(c, s, end))
		s->parts++;
	return 0;
}

/* ---- sending ---- */

static void send_part(struct controller *c, struct node_entry *node)
{
	struct snapshot *s = node->snapshot;
	uint8_t token[SNAPSHOT_TOKEN_LEN];
	CLEAN_FREE Sixpn__DigestPart *heal = calloc(s->n_heal + 1, sizeof *heal);
	CLEAN_FREE Sixpn__DigestPart **list = calloc(s->n_heal + 1, sizeof *list);
	size_t end = part_end(c, s, s->at);
	struct reply r;

	if (!heal || !list) {
		reply_retry_after(c, node, RETRY_MIN_MS, "no memory");
		return;
	}
	reply_init(&r, SIXPN__POLL_KIND__POLL_SNAPSHOT);
	for (size_t i = 0; i < s->n_heal; i++) {
		sixpn__digest_part__init(&heal[i]);
		heal[i].network = s->heal[i].network;
		heal[i].private_ = s->heal[i].is_private;
		list[i] = &heal[i];
	}
	r.message.heal = list;
	r.message.n_heal = s->n_heal;
	r.message.to_v = s->v;
	r.message.part = ++s->part;
	r.message.parts = s->parts;
	r.message.end = s->part == s->parts;
	if (r.message.end) {
		r.message.count = s->digest.count;
		r.message.digest = pb_bytes(s->digest.sum, DIGEST_LEN);
	} else {
		memcpy(token, s->token, sizeof s->token);
		put_u32(token + TOKEN_PART_AT, s->part);
		r.message.snapshot_token = pb_bytes(token, sizeof token);
	}
	for (size_t i = 0; s->part == 1 && s->reasons && i < s->reasons->n_left; i++)
		reply_add_scope(&r, s->reasons->left[i].network, false, s->reasons->left[i].v);
	for (s->part_at = s->at; s->at < end; s->at++)
		reply_add_record(&r, s->records[s->at]);
	s->used_ms = clock_mono_ms(&c->clock);
	controller_wake(c, s->used_ms + IDLE_MS);
	if (reply_send(c, node, &r) < 0)
		log_err("snapshot", "part %u of %u for %s is too large", s->part, s->parts, node->name);
	reply_deinit(&r);
}

void snapshot_next(struct controller *c, struct node_entry *node, const uint8_t token[SNAPSHOT_TOKEN_LEN])
{
	struct snapshot *s = node->snapshot;

	if (get_u32(token + TOKEN_PART_AT) != s->part) { /* what was sent last did not arrive */
		s->part--;
		s->at = s->part_at;
	}
	send_part(c, node);
}

/* It holds our log at a V that we know, and can make something of reasons. */
static bool is_to_be_told_why(const struct controller *c, const struct node_entry *node)
{
	return node->cursor_v && node->cursor_v <= controller_head(c) && (node->features & SIXPN__FEATURE__FEATURE_HELD_DELETES);
}

void snapshot_start(struct controller *c, struct node_entry *node, const struct snapshot_part *heal, size_t n_heal)
{
	struct reasons *reasons = NULL;
	struct snapshot *s;

	snapshot_drop(c, node);
	if (c->stats.snapshots_now + c->reasons_now >= c->config.snapshots_max && !node->reading_reasons) {
		reply_retry_after(c, node, RETRY_MIN_MS + (uint32_t)clock_random_below(&c->clock, RETRY_SPAN_MS), "other nodes take snapshots now");
		return;
	}
	if (!n_heal && is_to_be_told_why(c, node) && !reasons_take(c, node, node->cursor_v, &reasons))
		return;
	s = calloc(1, sizeof *s);
	if (s)
		s->reasons = TAKE(reasons);
	reasons_free(reasons);
	if (!s || fill(c, s, node->host, heal, n_heal) < 0) {
		if (s)
			snapshot_free(s);
		reply_retry_after(c, node, 1000, "no memory");
		return;
	}
	clock_random(&c->clock, s->token, sizeof s->token);
	s->v = controller_head(c);
	s->node = node;
	s->next = c->snapshots;
	c->snapshots = s;
	node->snapshot = s;
	c->stats.snapshots_now++;
	*(n_heal ? &c->stats.heals : &c->stats.snapshots) += 1;
	events_add_node(c, node, "snapshot", n_heal ? "gets the parts that differ anew" : "gets everything anew");
	send_part(c, node);
}
