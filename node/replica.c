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

static void forget(struct replica *r, struct replica_record *rec)
{
	struct replica_part *part = part_of(r, rec->record);

	if (part) {
		digest_remove(&part->digest, rec->record);
		drop_part_if_empty(r, part);
	}
	r->bytes -= rec->record->body_len;
	r->n_by_kind[rec->record->kind]--;
	map_remove(&r->records, rec->map_key, rec->map_key_len);
	free(rec->record);
	free(rec);
}

int replica_insert(struct replica *r, const struct record *record)
{
	struct replica_record *old = find(r, record->kind, record->key, record->key_len);
	struct replica_record *rec = calloc(1, sizeof *rec);
	struct replica_part *part;

	if (!rec || !(rec->record = record_copy(record)) || !(part = part_of(r, record)))
		goto no_memory;
	rec->map_key_len = make_key(rec->map_key, record->kind, record->key, record->key_len);
	digest_add(&part->digest, rec->record); /* before the old one goes, so that its part is not dropped as empty */
	if (old)
		forget(r, old);
	if (map_set(&r->records, rec->map_key, rec->map_key_len, rec, NULL) < 0)
		goto no_memory;
	r->bytes += record->body_len;
	r->n_by_kind[record->kind]++;
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

/* All records of the reply, checked, before any is applied: one bad envelope refuses the reply, not half of it. */
static int check_records(const Sixpn__PollReply *m, struct record **ret_records, struct why *why)
{
	struct record *list = calloc(m->n_records ? m->n_records : 1, sizeof *list);
	int e;

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < m->n_records; i++) {
		e = record_from_pb(m->records[i], &list[i], why);
		if (e == 0 && !RECORD_SENDABLE(list[i].kind) && list[i].kind >= RECORD_ORG && list[i].kind <= RECORD_NODE_TOKEN)
			e = why_set(why, "record_invalid", "kind", "a %s record is none of a node's business", record_kind_name(list[i].kind));
		if (e) {
			free(list);
			return e;
		}
	}
	*ret_records = list;
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
	e = check_records(m, &list, why);
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

/* END of a snapshot: what was staged takes the place of everything, or of the parts that are healed. */
static int swap_in(struct replica *r, const Sixpn__PollReply *m, struct replica_change *c)
{
	struct replica *s = r->staging;
	struct replica_record *rec;
	struct digest sum = replica_digest(s);
	struct replica fresh;
	int e = 0;

	if (sum.count != m->count || m->digest.len != DIGEST_LEN || memcmp(sum.sum, m->digest.data, DIGEST_LEN))
		return REPLICA_WRONG_DIGEST;
	for (size_t i = 0; m->n_heal && (rec = map_next(&r->records, &i));)
		if (heals(m, rec->record))
			forget(r, rec);
	for (size_t i = 0; m->n_heal && e == 0 && (rec = map_next(&s->records, &i));)
		e = replica_insert(r, rec->record);
	if (e < 0)
		return e;
	if (!m->n_heal) {
		fresh = *s;
		free_content(r);
		r->records = fresh.records;
		r->parts = fresh.parts;
		r->fabric = fresh.fabric;
		r->mine = fresh.mine;
		memcpy(r->n_by_kind, fresh.n_by_kind, sizeof r->n_by_kind);
		r->bytes = fresh.bytes;
		s->records = s->parts = (struct map){ 0 };
	}
	replica_drop_staging(r);
	r->v = m->to_v;
	r->scope_version = m->scope_version;
	adopt_identity(r, m);
	c->all = c->fabric = true;
	return 0;
}

static int take_snapshot(struct replica *r, const Sixpn__PollReply *m, struct replica_change *c, struct why *why)
{
	struct record *list;
	int e;

	if (!m->parts || m->part < 1 || m->part > m->parts)
		return why_set(why, "reply_invalid", "part", "snapshot part %u of %u", m->part, m->parts);
	if (m->part == 1) {
		replica_drop_staging(r);
		r->staging = calloc(1, sizeof *r->staging);
		if (!r->staging)
			return -ENOMEM;
		replica_init(r->staging);
	}
	if (!r->staging || m->part != r->staged_part + 1)
		return why_set(why, "reply_invalid", "part", "snapshot part %u came after part %u", m->part, r->staged_part);
	r->staged_part = m->part;
	r->staged_parts = m->parts;
	e = check_records(m, &list, why);
	if (e)
		return e;
	for (size_t i = 0; e == 0 && i < m->n_records; i++)
		e = list[i].deleted ? why_set(why, "reply_invalid", "records", "a tombstone in a snapshot") : replica_insert(r->staging, &list[i]);
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
