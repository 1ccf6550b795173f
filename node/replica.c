/* replica - see replica.h. */
#include "node/replica.h"

#include "proto/sixpn.pb-c.h"

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

static void free_content(struct replica *r)
{
	struct replica_record *rec;
	struct replica_part *part;

	for (size_t i = 0; (rec = map_next(&r->records, &i));) {
		free(rec->record);
		free(rec);
	}
	for (size_t i = 0; (part = map_next(&r->parts, &i));)
		free(part);
	map_deinit(&r->records);
	map_deinit(&r->parts);
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
	free_content(r);
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

static int note(struct replica_change *c, const struct record *rec)
{
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

/* Out of digests and counts, and freed; the map has let go of it already. */
static void retire(struct replica *r, struct replica_record *rec)
{
	struct replica_part *part = part_of(r, rec->record);

	if (part) {
		digest_remove(&part->digest, rec->record);
		drop_part_if_empty(r, part);
	}
	r->bytes -= rec->record->body_len;
	r->n_by_kind[rec->record->kind]--;
	free(rec->record);
	free(rec);
}

static void forget(struct replica *r, struct replica_record *rec)
{
	map_remove(&r->records, rec->map_key, rec->map_key_len);
	retire(r, rec);
}

int replica_insert(struct replica *r, const struct record *record)
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
	return 0;
no_memory:
	if (rec)
		free(rec->record);
	free(rec);
	return -ENOMEM;
}

static int take_record(struct replica *r, const struct record *rec, struct replica_change *c)
{
	struct replica_record *mine = find(r, rec->kind, rec->key, rec->key_len);
	int e;

	if (mine && mine->record->v >= rec->v) {
		c->n_ignored++;
		return 0;
	}
	e = note(c, rec);
	if (e < 0)
		return e;
	if (rec->deleted) {
		if (mine)
			forget(r, mine);
		c->n_deletes += mine != NULL;
		return 0;
	}
	c->n_upserts++;
	return replica_insert(r, rec);
}

/* A network left our scope: every record of it goes, private ones too. */
static int drop_network(struct replica *r, uint32_t network, struct replica_change *c)
{
	struct replica_record *rec;

	for (size_t i = 0; (rec = map_next(&r->records, &i));)
		if (rec->record->network == network) {
			c->n_deletes++;
			forget(r, rec);
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

/* All records of the reply, checked, before any is applied: one bad envelope refuses the reply, not half of it. In the order of V.
 * `into` is where they will go. */
static int check_records(const struct replica *into, const Sixpn__PollReply *m, struct record **ret_records, struct why *why)
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

static int check_scope(const Sixpn__PollReply *m, struct why *why)
{
	for (size_t i = 0; i < m->n_scope; i++)
		if (!addr_network_valid(m->scope[i]->network)) /* 0 would be the fabric, which nobody leaves */
			return why_set(why, "reply_invalid", "scope", "a change of scope of network %08x, which cannot be", m->scope[i]->network);
	return 0;
}

static void adopt_identity(struct replica *r, const Sixpn__PollReply *m)
{
	r->epoch = m->epoch;
	memcpy(r->log_id, m->log_id.data, sizeof r->log_id);
	r->has_log_id = true;
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
	e = check_scope(m, why);
	if (e == 0)
		e = check_records(r, m, &list, why);
	if (e)
		return e;
	for (size_t i = 0; e == 0 && i < m->n_scope; i++)
		if (!m->scope[i]->entered)
			e = drop_network(r, m->scope[i]->network, c);
	for (size_t i = 0; e == 0 && i < m->n_records; i++)
		e = take_record(r, &list[i], c);
	free(list);
	if (e)
		return e;
	for (size_t i = 0; i < m->n_commits; i++)
		if (m->commits[i]->unix_ms > r->last_commit_ms)
			r->last_commit_ms = m->commits[i]->unix_ms;
	r->v = m->to_v;
	r->scope_version = m->scope_version;
	adopt_identity(r, m);
	replica_drop_staging(r); /* it was pinned at a V that is past now */
	return 0;
}

static bool heals(const Sixpn__PollReply *m, const struct record *rec)
{
	for (size_t i = 0; i < m->n_heal; i++) {
		if (m->heal[i]->private_ && rec->node)
			return true;
		if (!m->heal[i]->private_ && !rec->node && m->heal[i]->network == rec->network)
			return true;
	}
	return false;
}

static void swap_all(struct replica *r, struct replica *s)
{
	free_content(r);
	r->records = s->records;
	r->parts = s->parts;
	r->fabric = s->fabric;
	r->mine = s->mine;
	memcpy(r->n_by_kind, s->n_by_kind, sizeof r->n_by_kind);
	r->bytes = s->bytes;
	s->records = s->parts = (struct map){ 0 };
}

static int swap_parts(struct replica *r, const struct replica *s, const Sixpn__PollReply *m)
{
	struct replica_record *rec;
	int e = 0;

	for (size_t i = 0; (rec = map_next(&r->records, &i));)
		if (heals(m, rec->record))
			forget(r, rec);
	for (size_t i = 0; e == 0 && (rec = map_next(&s->records, &i));)
		e = replica_insert(r, rec->record);
	return e;
}

/* END of a snapshot: what was staged takes the place of everything, or of the parts that are healed. Healed parts may be of a later V
 * than the rest; our V stays then, and the delta that follows finds them as it would have made them. */
static int swap_in(struct replica *r, const Sixpn__PollReply *m, struct replica_change *c)
{
	struct replica *s = r->staging;
	struct digest sum = replica_digest(s);
	int e = 0;

	if (sum.count != m->count || m->digest.len != DIGEST_LEN || memcmp(sum.sum, m->digest.data, DIGEST_LEN) || s->v > m->to_v)
		return REPLICA_WRONG_DIGEST;
	if (r->staging_heals) {
		if (!r->has_log_id || memcmp(m->log_id.data, r->log_id, sizeof r->log_id) || m->to_v < r->v)
			return REPLICA_GAP;
		e = swap_parts(r, s, m);
	} else {
		swap_all(r, s);
		r->v = m->to_v;
		r->scope_version = m->scope_version;
	}
	if (e < 0)
		return e;
	replica_drop_staging(r);
	adopt_identity(r, m);
	c->all = c->fabric = true;
	return 0;
}

/* Part 1 begins the staging, the others must be of the same snapshot. */
static int stage_part(struct replica *r, const Sixpn__PollReply *m, struct why *why)
{
	struct replica *s;

	if (!m->parts || m->part < 1 || m->part > m->parts || m->end != (m->part == m->parts))
		return why_set(why, "reply_invalid", "part", "snapshot part %u of %u%s", m->part, m->parts, m->end ? ", the last" : "");
	if (m->part == 1) {
		replica_drop_staging(r);
		r->staging = calloc(1, sizeof *r->staging);
		if (!r->staging)
			return -ENOMEM;
		replica_init(r->staging);
		adopt_identity(r->staging, m);
		r->staged_parts = m->parts;
		r->staging_heals = m->n_heal > 0;
	}
	s = r->staging;
	if (!s || m->part != r->staged_part + 1)
		return why_set(why, "reply_invalid", "part", "snapshot part %u came after part %u", m->part, r->staged_part);
	if (m->parts != r->staged_parts || r->staging_heals != (m->n_heal > 0) || m->epoch != s->epoch ||
	    memcmp(m->log_id.data, s->log_id, sizeof s->log_id))
		return why_set(why, "reply_invalid", "part", "snapshot part %u is of another snapshot", m->part);
	r->staged_part = m->part;
	return 0;
}

static int take_snapshot(struct replica *r, const Sixpn__PollReply *m, struct replica_change *c, struct why *why)
{
	struct record *list;
	int e = stage_part(r, m, why);

	if (e == 0)
		e = check_records(r->staging, m, &list, why);
	if (e)
		return e;
	for (size_t i = 0; e == 0 && i < m->n_records; i++) {
		if (list[i].deleted)
			e = why_set(why, "reply_invalid", "records", "a tombstone in a snapshot");
		else if (r->staging_heals && !heals(m, &list[i]))
			e = why_set(why, "reply_invalid", "records", "a record outside the parts that are healed");
		else
			e = replica_insert(r->staging, &list[i]);
		if (r->staging->v < list[i].v)
			r->staging->v = list[i].v;
	}
	c->n_upserts += m->n_records;
	free(list);
	if (e == 0 && m->end)
		e = swap_in(r, m, c);
	return e;
}

int replica_take(struct replica *r, const Sixpn__PollReply *reply, struct replica_change *ret_change, struct why *why)
{
	struct replica_change own = { 0 }, *c = ret_change ? ret_change : &own;
	int e;

	if (!replica_obeys(r, reply->epoch, reply->log_id.data, reply->log_id.len))
		return REPLICA_NOT_OURS;
	switch (reply->kind) {
	case SIXPN__POLL_KIND__POLL_SNAPSHOT: e = take_snapshot(r, reply, c, why); break;
	case SIXPN__POLL_KIND__POLL_DELTA:
	case SIXPN__POLL_KIND__POLL_NOTHING: e = take_delta(r, reply, c, why); break;
	default: e = why_set(why, "reply_invalid", "kind", "poll reply of kind %d", (int)reply->kind); break;
	}
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
