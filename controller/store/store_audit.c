/* store_audit - see store_audit.h: rows are made here, and the oldest let go. */
#include "controller/store/store_audit.h"

#include "controller/store/audit_json.h"
#include "controller/store/store_audit_internal.h"
#include "controller/store/store_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the chain ---- */

int audit_chain_get(struct store *store, struct audit_place *ret_base, struct audit_place *ret_head)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	int r = sql_query(store, &st, "SELECT base_n, base_hash, head_n, head_hash FROM audit_chain WHERE id = 1", "");

	*ret_base = *ret_head = (struct audit_place){ .n = 0 };
	if (r != 0 || !sql_next(st, &r))
		return r; /* no row yet: the chain begins */
	ret_base->n = (uint64_t)driver_int(st, 0);
	sql_bytes(st, 1, ret_base->hash, sizeof ret_base->hash);
	ret_head->n = (uint64_t)driver_int(st, 2);
	sql_bytes(st, 3, ret_head->hash, sizeof ret_head->hash);
	return 0;
}

static int set_chain(struct store *store, const struct audit_place *base, const struct audit_place *head)
{
	return sql_run(store,
		       "INSERT INTO audit_chain (id, base_n, base_hash, head_n, head_hash) VALUES (1, ?1, ?2, ?3, ?4) "
		       "ON CONFLICT (id) DO UPDATE SET base_n = excluded.base_n, base_hash = excluded.base_hash, head_n = excluded.head_n, "
		       "head_hash = excluded.head_hash",
		       "ikik", (int64_t)base->n, base->hash, (int64_t)head->n, head->hash);
}

/* Fills in n and hash. */
static int add_row(struct store *store, const struct audit_place *base, struct audit_place *head, struct audit_row *row)
{
	int r;

	row->n = head->n + 1;
	audit_row_hash(head->hash, row, row->hash);
	r = sql_run(store,
		    "INSERT INTO audit (n, at_ms, v, org, org_name, principal, token, address, request_id, verb, noun, object, name, before, "
		    "after, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
		    "iiidttttttttttt" "k", (int64_t)row->n, (int64_t)row->at_ms, (int64_t)row->v, row->has_org ? row->org : NULL, row->org_name,
		    row->principal, row->token, row->address, row->request_id, row->verb, row->noun, row->object, row->name, row->before,
		    row->after, row->hash);
	if (r != 0)
		return r;
	head->n = row->n;
	memcpy(head->hash, row->hash, sizeof head->hash);
	return set_chain(store, base, head);
}

/* The oldest go, and a row at the other end says which: who cuts off more than that has to forge that row, too. */
static int let_go(struct store *store, struct audit_place *base, struct audit_place *head, uint64_t now_ms)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	struct audit_place next = { .n = base->n + STORE_AUDIT_STEP };
	char text[AUDIT_PLACE_TEXT_SIZE], after[AUDIT_PLACE_TEXT_SIZE + 16];
	struct audit_row row = { .at_ms = now_ms, .org_name = "", .principal = "local controller", .token = "", .address = "",
				 .request_id = "", .verb = "let_go", .noun = "audit", .object = "", .name = "", .after = after };
	int r = sql_query(store, &st, "SELECT hash FROM audit WHERE n = ?1", "i", (int64_t)next.n);

	if (r == 0 && !sql_next(st, &r))
		return r ? r : -EBADMSG; /* the chain says that it is there */
	if (r != 0)
		return r;
	sql_bytes(st, 0, next.hash, sizeof next.hash);
	driver_finish(st);
	st = NULL;
	r = sql_run(store, "DELETE FROM audit WHERE n <= ?1", "i", (int64_t)next.n);
	if (r != 0)
		return r;
	*base = next;
	snprintf(after, sizeof after, "{\"up_to\":\"%s\"}", audit_place_text(&next, text));
	return add_row(store, base, head, &row);
}

static int append(struct store *store, struct op *op, struct audit_row *row)
{
	struct audit_place base, head;
	int r = audit_chain_get(store, &base, &head);

	row->at_ms = clock_real_ms(&store->clock);
	row->principal = op->principal.text[0] ? op->principal.text : "nobody";
	row->token = op->token;
	row->address = op->address;
	row->request_id = op->request_id;
	if (r == 0)
		r = add_row(store, &base, &head, row);
	if (r == 0 && head.n - base.n > store->audit_max + STORE_AUDIT_STEP)
		r = let_go(store, &base, &head, row->at_ms);
	op->audited += r == 0;
	return r;
}

/* ---- what a change was ---- */

static const char *object_text(const struct record *r, char *ret, size_t size)
{
	bool text = r->kind == RECORD_REGION || r->kind == RECORD_INSTANCE || r->kind == RECORD_WORKLOAD;

	if (text && r->key_len < size)
		snprintf(ret, size, "%.*s", (int)r->key_len, (const char *)r->key);
	else
		crypto_hex(r->key, r->key_len, ret);
	return ret;
}

static int count_of(const json_t *json, const char *name)
{
	return (int)json_integer_value(json_object_get(json, name));
}

static const char *verb_of(const struct record *r, const json_t *before, const json_t *after)
{
	if (r->deleted)
		return "delete";
	if (!before)
		return "create";
	if (r->kind != RECORD_TOKEN && r->kind != RECORD_NODE_TOKEN)
		return "update";
	if (json_is_true(json_object_get(after, "revoked")) && !json_is_true(json_object_get(before, "revoked")))
		return "revoke";
	if (count_of(after, "refused") > count_of(before, "refused"))
		return "refuse";
	return count_of(after, "used") > count_of(before, "used") ? "use" : "update";
}

static int read_before(struct store *store, const struct record *r, json_t **ret_json)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	struct record old = *r;
	int e = sql_query(store, &st, "SELECT network, node, v, body FROM record WHERE kind = ?1 AND key = ?2", "ub", r->kind, r->key,
			  (size_t)r->key_len);

	*ret_json = NULL;
	if (e != 0 || !sql_next(st, &e))
		return e;
	old.deleted = false;
	old.intent = INTENT_NONE;
	old.network = (uint32_t)driver_int(st, 0);
	old.node = (uint32_t)driver_int(st, 1);
	old.v = (uint64_t)driver_int(st, 2);
	old.body = driver_blob(st, 3, &old.body_len);
	*ret_json = audit_json_of(&old, store->identity.secret);
	return *ret_json ? 0 : -ENOMEM;
}

/* As it is called now; an org that is being deleted is named by what it was. */
static int org_name(struct store *store, const uint8_t *org, const struct record *r, const json_t *before, char ret[NAME_SIZE])
{
	CLEAN_STATEMENT struct statement *st = NULL;
	int e;

	ret[0] = 0;
	if (!org)
		return 0;
	if (r && r->kind == RECORD_ORG && r->deleted) {
		snprintf(ret, NAME_SIZE, "%s", audit_json_name(before));
		return 0;
	}
	e = sql_query(store, &st, "SELECT name FROM org WHERE id = ?1", "d", org);
	if (e == 0 && sql_next(st, &e))
		sql_text(st, 0, ret, NAME_SIZE);
	return e;
}

/* Why somebody was turned away stands nowhere else. */
static void add_reason(const struct op *op, json_t *after)
{
	struct why why = op->why;

	name_tame(why.text);
	json_object_set_new(after, "reason", json_pack("{s:s,s:s}", "code", why.code, "text", why.text));
}

/* A peering rule has two orgs, and what one does to it is in the audit of the other too: that it was done, not by whom and from where. The row
 * says so with its name, and is shown so (store_audit_list); the row of the org that did it has the same request. */
static bool is_of_the_other(const struct op *op, const struct record *r, const uint8_t *org)
{
	enum principal_kind kind = op->principal.kind;

	return (r->kind == RECORD_RULE || r->kind == RECORD_PEERING) && org && (kind == PRINCIPAL_USER || kind == PRINCIPAL_ORG_TOKEN) &&
	       !principal_sees_org(&op->principal, org);
}

int audit_change(struct store *store, struct op *op, const struct record *r, const uint8_t *org)
{
	CLEAN_JSON json_t *before = NULL, *after = NULL;
	CLEAN_FREE char *before_text = NULL, *after_text = NULL;
	char object[2 * RECORD_KEY_MAX + 1], of[NAME_SIZE];
	struct audit_row row = { .v = r->v, .has_org = org, .org_name = of, .noun = record_kind_name(r->kind), .object = object };
	int e;

	if (op->quiet && !r->deleted && (r->kind == RECORD_INSTANCE || r->kind == RECORD_PEER))
		return 0; /* what a node sees is no act of anybody */
	if (r->kind == RECORD_FAR_INSTANCE)
		return 0; /* follows from a rule and an instance, which have rows */
	e = read_before(store, r, &before);
	if (e == 0 && !r->deleted)
		e = (after = audit_json_of(r, store->identity.secret)) ? 0 : -ENOMEM;
	if (e == 0)
		e = org_name(store, org, r, before, of);
	if (e != 0)
		return e;
	row.verb = verb_of(r, before, after);
	if (!strcmp(row.verb, "refuse"))
		add_reason(op, after);
	row.name = audit_json_name(after ? after : before);
	if (org)
		memcpy(row.org, org, sizeof row.org);
	before_text = before ? audit_json_text(before, store->identity.secret) : NULL;
	after_text = after ? audit_json_text(after, store->identity.secret) : NULL;
	if ((before && !before_text) || (after && !after_text))
		return -ENOMEM;
	row.before = before_text;
	row.after = after_text;
	object_text(r, object, sizeof object);
	if (is_of_the_other(op, r, org))
		row.name = AUDIT_OF_THE_OTHER;
	return append(store, op, &row);
}

int store_audit_note(struct store *store, struct op *op, const struct store_act *act)
{
	char of[NAME_SIZE];
	struct audit_row row = { .has_org = act->org, .org_name = of, .verb = act->verb, .noun = act->noun,
				 .object = act->object ? act->object : "", .name = act->name ? act->name : "", .after = act->after };
	int r = org_name(store, act->org, NULL, NULL, of);

	if (act->org)
		memcpy(row.org, act->org, sizeof row.org);
	return r ? r : append(store, op, &row);
}
