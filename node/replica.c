/* replica - see replica.h. */
#include "node/replica_internal.h"

#include <stdlib.h>
#include <string.h>

static size_t make_key(uint8_t out[4 + RECORD_KEY_MAX], uint32_t kind, const void *key, size_t key_len)
{
	put_u32(out, kind);
	memcpy(out + 4, key, key_len);
	return 4 + key_len;
}

void replica_init(struct replica *r)
{
	*r = (struct replica){ 0 };
	r->mine.is_private = true;
}

void replica_free_content(struct replica *r)
{
	struct replica_record *rec;
	struct replica_part *part;
	void *excuse;

	for (size_t i = 0; (rec = map_next(&r->records, &i));) {
		free(rec->record);
		free(rec);
	}
	for (size_t i = 0; (part = map_next(&r->parts, &i));)
		free(part);
	for (size_t i = 0; (excuse = map_next(&r->excused, &i));)
		free(excuse);
	map_deinit(&r->records);
	map_deinit(&r->parts);
	map_deinit(&r->excused);
}

void replica_drop_staging(struct replica *r)
{
	if (!r->staging)
		return;
	replica_deinit(r->staging);
	free(r->staging);
	r->staging = NULL;
	r->staged_part = r->staged_parts = 0;
	r->staging_heals = false;
}

void replica_deinit(struct replica *r)
{
	replica_drop_staging(r);
	replica_free_content(r);
	replica_init(r);
}

void replica_change_deinit(struct replica_change *c)
{
	free(c->networks);
	*c = (struct replica_change){ 0 };
}

static int note_network(struct replica_change *c, uint32_t network)
{
	size_t at = 0;

	while (at < c->n_networks && c->networks[at] < network)
		at++;
	if (at < c->n_networks && c->networks[at] == network)
		return 0;
	if (c->n_networks == c->cap_networks) {
		size_t cap = c->cap_networks ? 2 * c->cap_networks : 8;
		uint32_t *bigger = realloc(c->networks, cap * sizeof *bigger);

		if (!bigger)
			return -ENOMEM;
		c->networks = bigger;
		c->cap_networks = cap;
	}
	memmove(c->networks + at + 1, c->networks + at, (c->n_networks - at) * sizeof *c->networks);
	c->networks[at] = network;
	c->n_networks++;
	return 0;
}

int replica_note(struct replica_change *c, const struct record *rec)
{
	c->peers |= rec->kind == RECORD_PEER || rec->kind == RECORD_PEER_KEY || rec->kind == RECORD_NETWORK;
	if (!rec->network) {
		c->fabric = true;
		return 0;
	}
	return note_network(c, rec->network);
}

/* The part a record belongs to; made if missing. NULL = no memory. */
static struct replica_part *part_of(struct replica *r, const struct record *rec)
{
	struct replica_part *part;

	if (rec->node)
		return &r->mine;
	if (!rec->network)
		return &r->fabric;
	part = map_get(&r->parts, &rec->network, sizeof rec->network);
	if (part)
		return part;
	part = calloc(1, sizeof *part);
	if (!part)
		return NULL;
	part->network = rec->network;
	if (map_set(&r->parts, &part->network, sizeof part->network, part, NULL) < 0) {
		free(part);
		return NULL;
	}
	return part;
}

static void drop_part_if_empty(struct replica *r, struct replica_part *part)
{
	if (part == &r->fabric || part == &r->mine || part->digest.count)
		return;
	map_remove(&r->parts, &part->network, sizeof part->network);
	free(part);
}

static struct replica_record *find(const struct replica *r, uint32_t kind, const void *key, size_t key_len)
{
	uint8_t k[4 + RECORD_KEY_MAX];

	if (key_len > RECORD_KEY_MAX)
		return NULL;
	return map_get(&r->records, k, make_key(k, kind, key, key_len));
}

const struct record *replica_find(const struct replica *r, uint32_t kind, const void *key, size_t key_len)
{
	struct replica_record *rec = find(r, kind, key, key_len);

	return rec ? rec->record : NULL;
}

struct replica_record *replica_get(const struct replica *r, const struct record *rec)
{
	return find(r, rec->kind, rec->key, rec->key_len);
}

/* Out of its part's digest. */
static void discount(struct replica *r, const struct record *rec)
{
	struct replica_part *part = part_of(r, rec);

	if (!part)
		return;
	digest_remove(&part->digest, rec);
	drop_part_if_empty(r, part);
}

/* Out of digests and counts, and freed; the map has let go of it already. */
static void retire(struct replica *r, struct replica_record *rec)
{
	if (rec->held_v)
		r->n_held--;
	else
		discount(r, rec->record);
	r->bytes -= rec->record->body_len;
	r->n_by_kind[rec->record->kind]--;
	free(rec->record);
	free(rec);
}

void replica_forget(struct replica *r, struct replica_record *rec)
{
	map_remove(&r->records, rec->map_key, rec->map_key_len);
	retire(r, rec);
}

void replica_hold(struct replica *r, struct replica_record *rec, uint64_t v)
{
	if (!rec->held_v) {
		discount(r, rec->record);
		r->n_held++;
	}
	rec->held_v = v;
}

int replica_insert(struct replica *r, const struct record *record, uint64_t held_v)
{
	struct replica_record *rec = calloc(1, sizeof *rec);
	struct replica_part *part;
	void *old = NULL;

	if (!rec || !(rec->record = record_copy(record)) || !(part = part_of(r, record)))
		goto no_memory;
	rec->map_key_len = make_key(rec->map_key, record->kind, record->key, record->key_len);
	if (map_set(&r->records, rec->map_key, rec->map_key_len, rec, &old) < 0) {
		drop_part_if_empty(r, part);
		goto no_memory;
	}
	digest_add(&part->digest, rec->record); /* before the old one goes, so that its part is not dropped as empty */
	r->bytes += record->body_len;
	r->n_by_kind[record->kind]++;
	if (old)
		retire(r, old);
	if (held_v)
		replica_hold(r, rec, held_v);
	return 0;
no_memory:
	if (rec)
		free(rec->record);
	free(rec);
	return -ENOMEM;
}

/* A tombstone of something that is there. */
static int take_delete(struct replica *r, const struct record *rec, struct replica_record *mine, const struct breaker *breaker,
		       struct replica_change *c)
{
	int e;

	if (rec->intent == INTENT_NONE && (mine->held_v || breaker_holds(breaker, mine->record))) {
		c->n_held += !mine->held_v;
		replica_hold(r, mine, rec->v);
		return 0;
	}
	e = replica_note(c, mine->record);
	if (e < 0)
		return e;
	replica_forget(r, mine);
	c->n_deletes++;
	return 0;
}

static bool is_news(const struct replica_record *mine, const struct record *rec)
{
	return !mine || (mine->held_v ? mine->held_v : mine->record->v) < rec->v;
}

static int take_record(struct replica *r, const struct record *rec, const struct breaker *breaker, struct replica_change *c)
{
	struct replica_record *mine = replica_get(r, rec);
	int e;

	if (!is_news(mine, rec)) {
		c->n_ignored++;
		return 0;
	}
	if (rec->deleted && mine)
		return take_delete(r, rec, mine, breaker, c);
	e = replica_note(c, rec);
	if (e < 0 || rec->deleted)
		return e;
	c->n_upserts++;
	return replica_insert(r, rec, 0);
}

/* What the delta would delete unexplained, against what is there. */
static int count_deletes(const struct replica *r, const struct record *list, size_t n, struct breaker *ret_breaker)
{
	struct replica_record *rec;
	int e = 0;

	for (size_t i = 0; e == 0 && i < n; i++)
		if (list[i].deleted && list[i].intent == INTENT_NONE && (rec = replica_get(r, &list[i])) && !rec->held_v &&
		    is_news(rec, &list[i]))
			e = breaker_delete(ret_breaker, rec->record);
	if (ret_breaker->deletes <= BREAKER_RECORDS) /* the walk is for the case that never comes */
		return e;
	for (size_t i = 0; e == 0 && (rec = map_next(&r->records, &i));)
		if (!rec->held_v)
			e = breaker_count(ret_breaker, rec->record);
	return e;
}

/* A network left our scope: every record of it goes, private ones too. */
static int drop_network(struct replica *r, uint32_t network, struct replica_change *c)
{
	struct replica_record *rec;

	for (size_t i = 0; (rec = map_next(&r->records, &i));)
		if (rec->record->network == network) {
			c->n_deletes++;
			c->peers = true;
			replica_forget(r, rec);
		}
	return note_network(c, network);
}

bool replica_obeys(const struct replica *r, uint64_t epoch, const uint8_t *log_id, size_t log_id_len)
{
	if (log_id_len != sizeof r->log_id)
		return false;
	if (!r->has_log_id || epoch > r->epoch)
		return true;
	return epoch == r->epoch && !memcmp(log_id, r->log_id, sizeof r->log_id);
}

static int by_v(const void *a, const void *b)
{
	const struct record *x = a, *y = b;

	return x->v < y->v ? -1 : x->v > y->v;
}

static int check_record(const Sixpn__Record *m, struct record *ret, struct why *why)
{
	int e = record_from_pb(m, ret, why);

	if (e == 0 && ret->kind >= RECORD_ORG)
		e = why_set(why, "record_invalid", "kind", "a %s record (kind %u) is none of a node's business", record_kind_name(ret->kind), ret->kind);
	return e;
}

int replica_check_records(const struct replica *into, const Sixpn__PollReply *m, struct record **ret_records, struct why *why)
{
	struct record *list = calloc(m->n_records ? m->n_records : 1, sizeof *list);
	size_t bytes = into->bytes + into->records.n * REPLICA_RECORD_COST;
	int e = 0;

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; e == 0 && i < m->n_records; i++) {
		e = check_record(m->records[i], &list[i], why);
		bytes += list[i].body_len + REPLICA_RECORD_COST;
		if (e == 0 && bytes > REPLICA_BYTES_MAX)
			e = why_set(why, "scope_too_large", "records", "the records of this node would be more than %u MiB", REPLICA_BYTES_MAX >> 20);
	}
	if (e) {
		free(list);
		return e;
	}
	qsort(list, m->n_records, sizeof *list, by_v);
	*ret_records = list;
	return 0;
}

int replica_check_scope(const Sixpn__PollReply *m, struct why *why)
{
	for (size_t i = 0; i < m->n_scope; i++)
		if (!addr_network_valid(m->scope[i]->network)) /* 0 would be the fabric, which nobody leaves */
			return why_set(why, "reply_invalid", "scope", "a change of scope of network %08x, which cannot be", m->scope[i]->network);
	return 0;
}

void replica_adopt_identity(struct replica *r, const Sixpn__PollReply *m)
{
	r->epoch = m->epoch;
	memcpy(r->log_id, m->log_id.data, sizeof r->log_id);
	r->has_log_id = true;
}

/* The operator means it: what was held back goes. */
static int release_held(struct replica *r, struct replica_change *c)
{
	struct replica_record *rec;
	int e = 0;

	for (size_t i = 0; e == 0 && r->n_held && (rec = map_next(&r->records, &i));)
		if (rec->held_v) {
			e = replica_note(c, rec->record);
			c->n_deletes++;
			replica_forget(r, rec);
		}
	return e;
}

static int apply_delta(struct replica *r, const Sixpn__PollReply *m, const struct record *list, struct replica_change *c)
{
	struct breaker breaker = { .deletes = 0 };
	int e = m->release_held ? release_held(r, c) : 0;

	for (size_t i = 0; e == 0 && i < m->n_scope; i++)
		if (!m->scope[i]->entered)
			e = drop_network(r, m->scope[i]->network, c);
	if (e == 0)
		e = count_deletes(r, list, m->n_records, &breaker);
	for (size_t i = 0; e == 0 && i < m->n_records; i++)
		e = take_record(r, &list[i], &breaker, c);
	breaker_deinit(&breaker);
	return e;
}

static int take_delta(struct replica *r, const Sixpn__PollReply *m, struct replica_change *c, struct why *why)
{
	struct record *list;
	int e;

	if (!r->has_log_id || memcmp(m->log_id.data, r->log_id, sizeof r->log_id) || m->from_v != r->v)
		return REPLICA_GAP;
	if (m->to_v < m->from_v)
		return why_set(why, "reply_invalid", "to_v", "a delta that goes back, from %llu to %llu", (unsigned long long)m->from_v,
			       (unsigned long long)m->to_v);
	e = replica_check_scope(m, why);
	if (e == 0)
		e = replica_check_records(r, m, &list, why);
	if (e)
		return e;
	e = apply_delta(r, m, list, c);
	free(list);
	if (e)
		return e;
	for (size_t i = 0; i < m->n_commits; i++)
		if (m->commits[i]->unix_ms > r->last_commit_ms)
			r->last_commit_ms = m->commits[i]->unix_ms;
	r->v = m->to_v;
	r->scope_version = m->scope_version;
	replica_adopt_identity(r, m);
	replica_drop_staging(r); /* it was pinned at a V that is past now */
	return 0;
}

/* A heal may be of a later V than ours: its proof is of that V, and ours stays what it was while the epoch does. */
static void keep_proof(struct replica *r, const Sixpn__PollReply *m, uint64_t epoch_before)
{
	bool fits = m->to_v == r->v && m->head_proof.len <= sizeof r->head_proof;

	if (m->to_v != r->v && r->epoch == epoch_before)
		return;
	r->head_proof_len = fits ? m->head_proof.len : 0;
	if (r->head_proof_len)
		memcpy(r->head_proof, m->head_proof.data, r->head_proof_len);
}

int replica_take(struct replica *r, const Sixpn__PollReply *reply, struct replica_change *ret_change, struct why *why)
{
	struct replica_change own = { 0 }, *c = ret_change ? ret_change : &own;
	uint64_t epoch_before = r->epoch;
	int e;

	if (!replica_obeys(r, reply->epoch, reply->log_id.data, reply->log_id.len))
		return REPLICA_NOT_OURS;
	switch (reply->kind) {
	case SIXPN__POLL_KIND__POLL_SNAPSHOT: e = replica_take_snapshot(r, reply, c, why); break;
	case SIXPN__POLL_KIND__POLL_DELTA:
	case SIXPN__POLL_KIND__POLL_NOTHING: e = take_delta(r, reply, c, why); break;
	default: e = why_set(why, "reply_invalid", "kind", "poll reply of kind %d", (int)reply->kind); break;
	}
	if (e == 0 && (reply->end || reply->kind != SIXPN__POLL_KIND__POLL_SNAPSHOT))
		keep_proof(r, reply, epoch_before);
	if (e == -ENOMEM && (reply->end || reply->kind != SIXPN__POLL_KIND__POLL_SNAPSHOT))
		r->torn = true;
	if (e)
		replica_drop_staging(r);
	if (!ret_change)
		replica_change_deinit(&own);
	return e;
}

struct digest replica_digest(const struct replica *r)
{
	struct digest sum = { 0 };
	const struct replica_part *part;

	digest_join(&sum, &r->fabric.digest);
	digest_join(&sum, &r->mine.digest);
	for (size_t i = 0; (part = map_next(&r->parts, &i));)
		digest_join(&sum, &part->digest);
	return sum;
}

int replica_each(const struct replica *r, uint32_t kind, int (*each)(void *ctx, const struct record *record), void *ctx)
{
	const struct replica_record *rec;

	for (size_t i = 0; (rec = map_next(&r->records, &i));)
		if (!kind || rec->record->kind == kind) {
			int e = each(ctx, rec->record);

			if (e)
				return e;
		}
	return 0;
}

int replica_each_part(const struct replica *r, int (*each)(void *ctx, const struct replica_part *part), void *ctx)
{
	const struct replica_part *part;
	int e = each(ctx, &r->fabric);

	if (!e)
		e = each(ctx, &r->mine);
	for (size_t i = 0; !e && (part = map_next(&r->parts, &i));)
		e = each(ctx, part);
	return e;
}

int replica_each_held(const struct replica *r, int (*each)(void *ctx, const struct record *record, uint64_t held_v), void *ctx)
{
	const struct replica_record *rec;
	int e = 0;

	for (size_t i = 0; !e && r->n_held && (rec = map_next(&r->records, &i));)
		if (rec->held_v)
			e = each(ctx, rec->record, rec->held_v);
	return e;
}

size_t replica_unknown_kinds(const struct replica *r)
{
	size_t n = 0;

	for (uint32_t kind = 1; kind < RECORD_KIND_MAX; kind++)
		n += RECORD_SENDABLE(kind) ? 0 : r->n_by_kind[kind];
	return n;
}
