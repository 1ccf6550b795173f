/* replica_snapshot - snapshots: staged part by part, swapped in whole at their END. See replica.h. */
#include "node/replica_internal.h"

#include <stdlib.h>
#include <string.h>

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

/* ---- what a snapshot explains ---- */

struct excuse {
	uint8_t key[4 + RECORD_KEY_MAX]; /* of a record as in its map, or a network alone */
	uint64_t v;
};

static int add_excuse(struct replica *s, const uint8_t *key, size_t len, uint64_t v)
{
	struct excuse *e = calloc(1, sizeof *e);
	void *old = NULL;

	if (!e)
		return -ENOMEM;
	memcpy(e->key, key, len);
	e->v = v;
	if (map_set(&s->excused, e->key, len, e, &old) < 0) {
		free(e);
		return -ENOMEM;
	}
	free(old);
	return 0;
}

static int excuse_record(struct replica *s, const struct record *tombstone)
{
	uint8_t key[4 + RECORD_KEY_MAX];

	put_u32(key, tombstone->kind);
	memcpy(key + 4, tombstone->key, tombstone->key_len);
	return add_excuse(s, key, 4u + tombstone->key_len, tombstone->v);
}

static int excuse_networks(struct replica *s, const Sixpn__PollReply *m)
{
	uint8_t key[4];
	int e = 0;

	for (size_t i = 0; e == 0 && i < m->n_scope; i++)
		if (!m->scope[i]->entered) {
			put_u32(key, m->scope[i]->network);
			e = add_excuse(s, key, sizeof key, m->scope[i]->v);
		}
	return e;
}

static bool is_excused(const struct replica *s, const struct replica_record *rec)
{
	const struct excuse *e = map_get(&s->excused, rec->map_key, rec->map_key_len);
	uint8_t network[4];

	if (e && e->v > rec->record->v)
		return true;
	put_u32(network, rec->record->network);
	e = map_get(&s->excused, network, sizeof network);
	return e && e->v > rec->record->v;
}

/* ---- the end of a snapshot ---- */

/* What is ours, and neither in the snapshot nor explained by it. */
static bool would_vanish(const struct replica *r, const Sixpn__PollReply *m, const struct replica_record *rec)
{
	return (!r->staging_heals || heals(m, rec->record)) && !replica_get(r->staging, rec->record) && !is_excused(r->staging, rec);
}

/* Moves into the staging what the breaker does not let go. */
static int keep_held(struct replica *r, const Sixpn__PollReply *m, struct replica_change *c)
{
	struct breaker breaker = { .deletes = 0 };
	/* what comes after the cursor is news to it: of a heal, that is our own V */
	uint64_t v = r->staging_heals ? r->v : m->to_v;
	struct replica_record *rec;
	int e = 0;

	for (size_t i = 0; e == 0 && (rec = map_next(&r->records, &i));) {
		if (rec->held_v)
			continue;
		e = breaker_count(&breaker, rec->record);
		if (e == 0 && would_vanish(r, m, rec))
			e = breaker_delete(&breaker, rec->record);
	}
	for (size_t i = 0; e == 0 && (rec = map_next(&r->records, &i));)
		if (would_vanish(r, m, rec) && (rec->held_v || breaker_holds(&breaker, rec->record))) {
			c->n_held += !rec->held_v;
			e = replica_insert(r->staging, rec->record, v ? v : 1);
		}
	breaker_deinit(&breaker);
	return e;
}

static void swap_all(struct replica *r, struct replica *s)
{
	replica_free_content(r);
	r->records = s->records;
	r->parts = s->parts;
	r->fabric = s->fabric;
	r->mine = s->mine;
	memcpy(r->n_by_kind, s->n_by_kind, sizeof r->n_by_kind);
	r->bytes = s->bytes;
	r->n_held = s->n_held;
	s->records = s->parts = (struct map){ 0 };
}

static int swap_parts(struct replica *r, const struct replica *s, const Sixpn__PollReply *m)
{
	struct replica_record *rec;
	int e = 0;

	for (size_t i = 0; (rec = map_next(&r->records, &i));)
		if (heals(m, rec->record))
			replica_forget(r, rec);
	for (size_t i = 0; e == 0 && (rec = map_next(&s->records, &i));)
		e = replica_insert(r, rec->record, rec->held_v);
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
	}
	e = keep_held(r, m, c);
	if (e < 0)
		return e;
	if (r->staging_heals) {
		e = swap_parts(r, s, m);
	} else {
		swap_all(r, s);
		r->torn = false;
		r->v = m->to_v;
		r->scope_version = m->scope_version;
	}
	if (e < 0)
		return e;
	replica_drop_staging(r);
	replica_adopt_identity(r, m);
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
		replica_adopt_identity(r->staging, m);
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

static int stage_record(struct replica *r, const Sixpn__PollReply *m, const struct record *rec, struct replica_change *c, struct why *why)
{
	struct replica *s = r->staging;

	if (s->v < rec->v)
		s->v = rec->v;
	if (rec->deleted && (rec->intent == INTENT_NONE || r->staging_heals))
		return why_set(why, "reply_invalid", "records", "a tombstone in a snapshot that explains nothing");
	if (rec->deleted)
		return excuse_record(s, rec);
	if (r->staging_heals && !heals(m, rec))
		return why_set(why, "reply_invalid", "records", "a record outside the parts that are healed");
	c->n_upserts++;
	return replica_insert(s, rec, 0);
}

int replica_take_snapshot(struct replica *r, const Sixpn__PollReply *m, struct replica_change *c, struct why *why)
{
	struct record *list;
	int e = stage_part(r, m, why);

	if (e == 0)
		e = replica_check_scope(m, why);
	if (e == 0)
		e = excuse_networks(r->staging, m);
	if (e == 0)
		e = replica_check_records(r->staging, m, &list, why);
	if (e)
		return e;
	for (size_t i = 0; e == 0 && i < m->n_records; i++)
		e = stage_record(r, m, &list[i], c, why);
	free(list);
	if (e == 0 && m->end)
		e = swap_in(r, m, c);
	return e;
}
