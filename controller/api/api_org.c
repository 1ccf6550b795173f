/* api_org - organizations over HTTP. */
#include "controller/api/api_nouns.h"
#include "controller/api/shape.h"
#include "controller/store/store_org.h"

#include <string.h>
#include <strings.h>

static const struct shape_field org_fields[] = {
	{ "id", SHAPE_STR, 0, NULL, NULL },
	{ "name", SHAPE_STR, 0, NULL, NULL },
	{ "strict_region", SHAPE_BOOL, 0, NULL, "peers only where their region has a gateway" },
	{ "suspended", SHAPE_BOOL, 0, NULL, "its networks pass nothing" },
	{ "deleting", SHAPE_BOOL, 0, NULL, "it goes when its instances have stopped" },
	{ "limits", SHAPE_COUNTS, 0, NULL, "how much it may have" },
	{ "created", SHAPE_TIME, 0, NULL, NULL },
	{ "used", SHAPE_COUNTS, SHAPE_MAYBE | SHAPE_MOVES, NULL, "how much it has; only where one is shown" },
	{ 0 },
};
static const struct shape org_shape = { "Org", false, org_fields };

static json_t *org_json(const struct store_org *org)
{
	json_t *limits = json_object();

	for (int i = 0; i < QUOTA_KINDS; i++)
		json_object_set_new(limits, quota_defs[i].name, json_integer(org->quotas.limit[i]));
	return json_pack("{s:o,s:s,s:b,s:b,s:b,s:o,s:o}", "id", api_json_id(org->id), "name", org->name, "strict_region",
			 org->strict_region, "suspended", org->suspended, "deleting", org->deleting, "limits", limits, "created",
			 api_json_time(org->created_ms));
}

static void add(void *call, const struct store_org *org)
{
	api_add_item(call, org_json(org));
}

static int list(struct store *store, struct api_call *call)
{
	struct store_page page = api_page(call);
	struct store_next next;
	int r = store_org_list(store, api_who(call), &page, add, call, &next, &call->op.why);

	if (r == 0)
		api_set_list(call, &next);
	return r;
}

static int show(struct store *store, struct api_call *call)
{
	struct store_org org;
	struct store_org_usage usage;
	json_t *used;
	int r = store_org_find(store, api_who(call), call->params[0], &org, &call->op.why);

	if (r == 0)
		r = store_org_get_usage(store, api_who(call), call->params[0], &usage, &call->op.why);
	if (r)
		return r;
	used = json_object();
	for (int i = 0; i < QUOTA_KINDS; i++)
		if (i != QUOTA_WRITES)
			json_object_set_new(used, quota_defs[i].name, json_integer((json_int_t)usage.used[i]));
	call->reply = org_json(&org);
	json_object_set_new(call->reply, "used", used);
	return 0;
}

static int create(struct store *store, struct api_call *call)
{
	struct store_org org;
	int r = store_org_create(store, &call->op, api_str(call, "name"), &org);

	if (r == 0)
		call->reply = org_json(&org);
	return r;
}

static int parse_change(const struct api_call *call, struct store_org_change *ret, struct why *why)
{
	const char *name;
	json_t *value;
	enum quota_kind kind;

	*ret = (struct store_org_change){ .set_strict_region = api_has(call, "strict_region"),
					  .strict_region = api_bool(call, "strict_region", false),
					  .set_suspended = api_has(call, "suspended"),
					  .suspended = api_bool(call, "suspended", false) };
	json_object_foreach(json_object_get(call->body, "limits"), name, value) {
		if (quota_parse(name, &kind, why))
			return E_REFUSED;
		if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > quota_defs[kind].max)
			return why_set(why, "out_of_range", "limits", "limit \"%s\" must be an integer from 0 to %u", name,
				       quota_defs[kind].max);
		ret->set_quota[kind] = true;
		ret->quota[kind] = (uint32_t)json_integer_value(value);
	}
	return 0;
}

static int check_change(struct api_call *call, struct why *why)
{
	struct store_org_change change;

	return parse_change(call, &change, why);
}

static int update(struct store *store, struct api_call *call)
{
	struct store_org_change change;
	struct store_org org;
	int r = parse_change(call, &change, &call->op.why);

	if (r == 0)
		r = store_org_update(store, &call->op, call->params[0], &change, &org);
	if (r == 0)
		call->reply = org_json(&org);
	return r;
}

/* ---- PUT ---- */

/* Of exactly this name: an id makes no org. */
static int find_named(struct store *store, struct api_call *call, struct store_org *ret_org)
{
	int r = store_org_find(store, api_who(call), call->params[0], ret_org, &call->op.why);

	if (r == 0 && strcasecmp(ret_org->name, call->params[0]) != 0)
		return why_set(&call->op.why, "org_not_found", "org", "org \"%.63s\" does not exist", call->params[0]);
	return r;
}

static int show_named(struct store *store, struct api_call *call)
{
	struct store_org org;
	int r = find_named(store, call, &org);

	if (r == 0)
		call->reply = org_json(&org);
	return r;
}

static int check_put(struct api_call *call, struct why *why)
{
	return name_check_org(call->params[0], why) ? E_REFUSED : check_change(call, why);
}

static bool changes(const struct store_org_change *change, const struct store_org *org)
{
	bool differs = (change->set_strict_region && change->strict_region != org->strict_region) ||
		       (change->set_suspended && change->suspended != org->suspended);

	for (int i = 0; i < QUOTA_KINDS; i++)
		differs = differs || (change->set_quota[i] && change->quota[i] != org->quotas.limit[i]);
	return differs;
}

static int put(struct store *store, struct api_call *call)
{
	struct store_org_change change;
	struct store_org org;
	int r = find_named(store, call, &org);

	if (r == E_REFUSED && !strcmp(call->op.why.code, "org_not_found")) {
		r = store_org_create(store, &call->op, call->params[0], &org);
		call->status = 201;
	} else if (r == 0 && org.deleting) {
		r = why_set(&call->op.why, "org_deleting", "org", "org \"%s\" is being deleted", org.name);
	}
	if (r == 0)
		r = parse_change(call, &change, &call->op.why);
	if (r == 0 && changes(&change, &org))
		r = store_org_update(store, &call->op, call->params[0], &change, &org);
	if (r == 0)
		call->reply = org_json(&org);
	return r;
}

static int delete(struct store *store, struct api_call *call)
{
	struct store_deletion deletion;
	int r = store_org_delete(store, &call->op, call->params[0], &deletion);

	if (r == 0)
		call->reply = api_json_deletion(&deletion);
	return r;
}

static const struct route_field create_fields[] = {
	{ "name", FIELD_STR, 1, 63, true, "a DNS label" },
	{ 0 },
};
static const struct route_field update_fields[] = {
	{ "strict_region", FIELD_BOOL, 0, 0, false, "peers only where their region has a gateway" },
	{ "suspended", FIELD_BOOL, 0, 0, false, "its networks pass nothing while true" },
	{ "limits", FIELD_OBJECT, 0, 0, false, "networks, apps, instances, peers, tokens, writes: the new number" },
	{ 0 },
};

const struct route api_org_routes[] = {
	{ "GET", "/v1/orgs", ROUTE_TOKEN, .reply = &org_shape, .list = true, .run = list, .help = "list organizations" },
	{ "POST", "/v1/orgs", ROUTE_TOKEN, .object = &org_shape, .reply = &org_shape, .write = true, .success = 201,
	  .fields = create_fields, .run = create,
	  .help = "create an organization and its network default; a person who does becomes its admin" },
	{ "GET", "/v1/orgs/{org}", ROUTE_TOKEN, .object = &org_shape, .current = show, .reply = &org_shape, .run = show,
	  .help = "show an organization, its limits and what it uses" },
	{ "PATCH", "/v1/orgs/{org}", ROUTE_OPERATOR, .object = &org_shape, .current = show, .reply = &org_shape, .write = true,
	  .fields = update_fields, .check = check_change, .run = update, .help = "change limits, suspend or resume" },
	{ "DELETE", "/v1/orgs/{org}", ROUTE_TOKEN, .object = &org_shape, .current = show, .reply = &shape_deletion, .write = true,
	  .frees = true, .run = delete, .help = "delete an organization with all that is in it" },
	{ "PUT", "/v1/orgs/{org}", ROUTE_OPERATOR, .object = &org_shape, .current = show_named, .reply = &org_shape, .write = true,
	  .fields = update_fields, .check = check_put, .run = put,
	  .help = "create an organization or change it; what is left out stays" },
	{ 0 },
};
