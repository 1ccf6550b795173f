/* api_audit - who changed what: lists, the head of the chain, and whether the chain is whole. */
#include "controller/api/api_nouns.h"
#include "controller/api/shape.h"
#include "controller/store/store_audit.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define VERIFY_ROWS 2000u /* per visit of the store thread: others write meanwhile */

static const struct shape_field row_fields[] = {
	{ "n", SHAPE_INT, 0, NULL, "its number in the chain" },
	{ "time", SHAPE_TIME, 0, NULL, NULL },
	{ "v", SHAPE_INT, SHAPE_NULL, NULL, "the version that the change made; null: it changed no record" },
	{ "org", SHAPE_STR, SHAPE_NULL, NULL, "null: of operators only" },
	{ "principal", SHAPE_STR, 0, NULL, "who" },
	{ "token", SHAPE_STR, SHAPE_NULL, NULL, "id of the API token" },
	{ "address", SHAPE_STR, SHAPE_NULL, NULL, "from where; local: through the local socket; null: the controller itself, or not to be told" },
	{ "request", SHAPE_STR, SHAPE_NULL, NULL, "as in Sixpn-Request of the reply" },
	{ "verb", SHAPE_STR, 0, NULL, "create, update, delete, revoke, use, refuse, ..." },
	{ "noun", SHAPE_STR, 0, NULL, "app, instance, token, ..." },
	{ "id", SHAPE_STR, SHAPE_NULL, NULL, NULL },
	{ "name", SHAPE_STR, SHAPE_NULL, NULL, NULL },
	{ "before", SHAPE_ANY, SHAPE_NULL, NULL, "null: it was not there" },
	{ "after", SHAPE_ANY, SHAPE_NULL, NULL, "null: it is gone" },
	{ "hash", SHAPE_STR, 0, NULL, "over the hash of the row before and this row" },
	{ 0 },
};
static const struct shape row_shape = { "AuditRow", false, row_fields };
static const struct shape_field head_fields[] = {
	{ "n", SHAPE_INT, 0, NULL, NULL }, { "head", SHAPE_STR, 0, NULL, "number and hash of the newest row" }, { 0 } };
static const struct shape head_shape = { "AuditHead", false, head_fields };
static const struct shape_field verified_fields[] = {
	{ "whole", SHAPE_BOOL, 0, NULL, NULL },
	{ "rows", SHAPE_INT, 0, NULL, "that were looked at" },
	{ "first", SHAPE_INT, 0, NULL, "number of the oldest row that is kept" },
	{ "head", SHAPE_STR, 0, NULL, NULL },
	{ "known_head", SHAPE_STR, SHAPE_NULL, NULL, "met, or older than what is kept; null: none was given" },
	{ "bad_row", SHAPE_INT, SHAPE_MAYBE, NULL, "the first" },
	{ "finding", SHAPE_STR, SHAPE_MAYBE, NULL, "what is wrong with it" },
	{ 0 },
};
static const struct shape verified_shape = { "AuditVerified", false, verified_fields };

/* ---- lists ---- */

static json_t *value_json(const char *text)
{
	json_t *json = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;

	return json ? json : api_json_str(text ? text : "");
}

static json_t *row_json(const struct audit_row *row)
{
	char hash[AUDIT_HASH_TEXT_SIZE];

	crypto_hex(row->hash, sizeof row->hash, hash);
	return json_pack("{s:I,s:o,s:o,s:o,s:s,s:o,s:o,s:o,s:s,s:s,s:o,s:o,s:o,s:o,s:s}", "n", (json_int_t)row->n, "time", api_json_time(row->at_ms),
			 "v", row->v ? json_integer((json_int_t)row->v) : json_null(), "org", api_json_str(row->org_name), "principal",
			 row->principal, "token", api_json_str(row->token), "address", api_json_str(row->address), "request",
			 api_json_str(row->request_id), "verb", row->verb, "noun", row->noun, "id", api_json_str(row->object), "name",
			 api_json_str(row->name), "before", value_json(row->before), "after", value_json(row->after), "hash", hash);
}

static void add(void *call, const struct audit_row *row)
{
	json_t *json = row_json(row);

	if (json)
		api_add_item(call, json);
}

/* "24h" ago, or a date. */
static int parse_since(const struct api_call *call, uint64_t *ret_ms, struct why *why)
{
	const char *text = api_query(call, "since");
	uint64_t now = clock_real_ms(&api_get_env(call->api)->clock);
	struct tm tm = { 0 };
	const char *end;
	uint32_t ago;

	*ret_ms = 0;
	if (!text)
		return 0;
	end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (end && !*end && timegm(&tm) > 0) {
		*ret_ms = (uint64_t)timegm(&tm) * 1000;
		return 0;
	}
	if (route_parse_duration("since", text, UINT32_MAX, &ago, NULL) == 0) {
		*ret_ms = now > ago ? now - ago : 0;
		return 0;
	}
	return why_set(why, "value_invalid", "since", "since is \"%.40s\": give a time such as 30m, 12h or 7d, or a date such as 2030-01-31T00:00:00Z",
		       text);
}

static int check_list(struct api_call *call, struct why *why)
{
	uint64_t ms;

	return parse_since(call, &ms, why);
}

static int list(struct store *store, struct api_call *call)
{
	struct store_audit_filter filter = { .org = api_query(call, "org") };
	struct store_page page = api_page(call);
	struct store_next next;
	int r = parse_since(call, &filter.since_ms, &call->op.why);

	if (r == 0)
		r = store_audit_list(store, api_who(call), &filter, &page, add, call, &next, &call->op.why);
	if (r == 0)
		api_set_list(call, &next);
	return r;
}

/* ---- the chain ---- */

static json_t *place_json(const struct audit_place *place)
{
	char text[AUDIT_PLACE_TEXT_SIZE];

	return json_string(audit_place_text(place, text));
}

static int head(struct store *store, struct api_call *call)
{
	struct audit_place place;
	int r = store_audit_head(store, api_who(call), &place, &call->op.why);

	if (r == 0)
		call->reply = json_pack("{s:I,s:o}", "n", (json_int_t)place.n, "head", place_json(&place));
	return r;
}

struct verify {
	struct op op;
	struct api_call *call;
	struct audit_place known;
	struct store_audit_check check;
	bool done;
};

json_t *api_audit_check_json(const struct store_audit_check *c)
{
	json_t *json = json_pack("{s:b,s:I,s:I,s:o,s:o}", "whole", !c->bad, "rows", (json_int_t)c->rows, "first", (json_int_t)(c->first.n + 1), "head",
				 place_json(&c->head), "known_head",
				 c->known ? json_string(c->known_met ? "met" : "older than what is kept") : json_null());

	if (c->bad) {
		json_object_set_new(json, "bad_row", json_integer((json_int_t)c->bad_n));
		json_object_set_new(json, "finding", json_string(c->finding));
	}
	return json;
}

static int run_verify(struct store *store, struct op *op)
{
	struct verify *v = container_of(op, struct verify, op);

	return store_audit_check_step(store, &op->principal, &v->check, VERIFY_ROWS, &v->done, &op->why);
}

static void verify_done(struct op *op)
{
	struct verify *v = container_of(op, struct verify, op);
	struct api_call *call = v->call;
	int result = op->result;

	if (result == 0 && !v->done) {
		store_thread_put(api_get_env(call->api)->store, op);
		return;
	}
	call->op.why = op->why;
	if (result == 0)
		call->reply = api_audit_check_json(&v->check);
	op_deinit(op);
	free(v);
	api_end(call, result);
}

static int verify(struct api_call *call, struct why *why)
{
	const char *known = api_query(call, "head");
	struct verify *v = calloc(1, sizeof *v);

	if (!v)
		return why_set(why, "unavailable", "", "no memory");
	v->call = call;
	if (known && audit_place_parse("head", known, &v->known, why)) {
		free(v);
		return E_REFUSED;
	}
	v->check.known = known ? &v->known : NULL;
	op_init(&v->op, run_verify, verify_done, api_who(call), call->request->id);
	v->op.write = false;
	store_thread_put(api_get_env(call->api)->store, &v->op);
	return 0;
}

const struct route api_audit_routes[] = {
	{ "GET", "/v1/audit", ROUTE_TOKEN, .reply = &row_shape, .list = true, .query = "org since", .check = check_list, .run = list,
	  .help = "who changed what, newest first: admins see their organization's rows, operators all" },
	{ "GET", "/v1/audit/head", ROUTE_OPERATOR, .reply = &head_shape, .run = head, .help = "the newest row's number and hash, to be kept elsewhere" },
	{ "GET", "/v1/audit/verify", ROUTE_OPERATOR, .reply = &verified_shape, .query = "head", .start = verify,
	  .help = "walks the whole chain of hashes; with head (of /v1/audit/head) it also finds a tail that was cut off, or written anew" },
	{ 0 },
};
