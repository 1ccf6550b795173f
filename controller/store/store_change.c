/* store_change - the one way a change gets into the log. In the savepoint of its op: V+1 from the counter row (whose epoch must
 * still be ours), the log row, the row of the audit, the newest version in `record`, and a copy for memory. */
#include "controller/store/store_audit_internal.h"
#include "controller/store/store_internal.h"

#include <stdlib.h>
#include <string.h>

static int keep_copy(struct op *op, const struct record *r)
{
	struct record *copy;

	if (op->n_records >= OP_RECORDS_MAX)
		return -E2BIG;
	if (op->n_records == op->cap_records) {
		size_t cap = op->cap_records ? 2 * op->cap_records : 8;
		struct record **more = realloc(op->records, cap * sizeof *more);

		if (!more)
			return -ENOMEM;
		op->records = more;
		op->cap_records = cap;
	}
	copy = record_copy(r);
	if (!copy)
		return -ENOMEM;
	op->records[op->n_records++] = copy;
	return 0;
}

static int next_v(struct store *store, uint64_t *ret_v)
{
	int64_t v = 0;
	int r = sql_get_int(store, &v, "UPDATE meta SET v = v + 1 WHERE id = 1 AND epoch = ?1 RETURNING v", "i",
			    (int64_t)store->identity.epoch);

	if (r == SQL_E_NONE)
		return -ESTALE; /* somebody else writes this store now */
	if (r == 0)
		*ret_v = (uint64_t)v;
	return r;
}

static int append(struct store *store, struct op *op, struct record *r, const uint8_t *org)
{
	uint64_t now = clock_real_ms(&store->clock);
	int e = next_v(store, &r->v);

	if (e != 0)
		return e;
	e = sql_run(store,
		    "INSERT INTO log (v, kind, key, network, node, org, deleted, intent, body, principal, request_id, committed_ms) "
		    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
		    "iubuuduubtti", (int64_t)r->v, r->kind, r->key, (size_t)r->key_len, r->network, r->node, org, (uint32_t)r->deleted,
		    r->intent, r->deleted ? NULL : r->body, r->body_len, op->principal.text[0] ? op->principal.text : "nobody",
		    op->request_id, (int64_t)now);
	if (e == 0)
		e = audit_change(store, op, r, org); /* while `record` holds what was */
	if (e == 0 && r->deleted)
		e = sql_run(store, "DELETE FROM record WHERE kind = ?1 AND key = ?2", "ub", r->kind, r->key, (size_t)r->key_len);
	else if (e == 0)
		e = sql_run(store,
			    "INSERT INTO record (kind, key, v, network, node, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6) "
			    "ON CONFLICT (kind, key) DO UPDATE SET v = excluded.v, network = excluded.network, node = excluded.node, "
			    "body = excluded.body",
			    "ubiuub", r->kind, r->key, (size_t)r->key_len, (int64_t)r->v, r->network, r->node, r->body, r->body_len);
	if (e == 0)
		e = keep_copy(op, r);
	if (e == 0) {
		op->first_v = op->first_v ? op->first_v : r->v;
		op->v = r->v;
		op->committed_ms = now;
	}
	return e;
}

int change_put(struct store *store, struct op *op, struct record r, const struct buf *body, const uint8_t *org, uint64_t *ret_v)
{
	int e;

	if (buf_failed(body))
		return -ENOMEM;
	if (body->len > RECORD_MAX - 256)
		return why_set(&op->why, "too_large", "", "%s of %zu bytes; at most %d are allowed", record_kind_name(r.kind), body->len,
			       RECORD_MAX - 256);
	r.deleted = false;
	r.intent = INTENT_NONE;
	r.body = body->data ? body->data : (const uint8_t *)"";
	r.body_len = body->len;
	e = append(store, op, &r, org);
	if (e == 0 && ret_v)
		*ret_v = r.v;
	return e;
}

int change_remove(struct store *store, struct op *op, struct record r, uint32_t intent, const uint8_t *org)
{
	if (intent == INTENT_NONE) /* nodes would hold it back if it came with others (G21) */
		return -EINVAL;
	r.deleted = true;
	r.intent = intent;
	r.body = NULL;
	r.body_len = 0;
	return append(store, op, &r, org);
}

struct record change_envelope(uint32_t kind, const void *key, size_t n)
{
	struct record r = { .kind = kind, .key_len = (uint8_t)n };

	memcpy(r.key, key, n);
	return r;
}
