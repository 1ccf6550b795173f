/* api_app - apps over HTTP. */
#include "controller/api/api_nouns.h"
#include "controller/api/flaps.h"
#include "controller/api/shape.h"
#include "controller/store/store_app.h"
#include "controller/store/store_network.h"

#include <string.h>
#include <strings.h>

static const struct shape_field app_fields[] = {
	{ "id", SHAPE_STR, 0, NULL, NULL },
	{ "name", SHAPE_STR, 0, NULL, NULL },
	{ "org", SHAPE_STR, 0, NULL, NULL },
	{ "network", SHAPE_STR, 0, NULL, "where it lives, for ever" },
	{ "instances", SHAPE_INT, SHAPE_MOVES, NULL, "how many it has" },
	{ "deleting", SHAPE_BOOL, 0, NULL, "it goes when its instances have stopped" },
	{ "created", SHAPE_TIME, 0, NULL, NULL },
	FLAPS_APP_FIELDS,
	{ 0 },
};
static const struct shape app_shape = { "App", false, app_fields };

static json_t *app_json(const struct api_call *call, const struct store_app *app)
{
	json_t *j = json_pack("{s:o,s:s,s:s,s:s,s:i,s:b,s:o}", "id", api_json_id(app->id), "name", app->name, "org", app->org_name, "network",
			 app->network_name, "instances", (int)app->instances, "deleting", app->deleting, "created",
			 api_json_time(app->created_ms));

	flaps_add_app(j, api_who(call), app);
	return j;
}

static void add(void *call, const struct store_app *app)
{
	api_add_item(call, app_json(call, app));
}

static int check_list(struct api_call *call, struct why *why)
{
	static const char *const states[] = { "active", "deleting", NULL };

	return api_check_word(call, "state", states, why);
}

static int list(struct store *store, struct api_call *call)
{
	const char *state = api_query(call, "state"), *network = api_query(call, "network");
	struct store_app_filter filter = { .org = api_query(call, "org"), .region = api_query(call, "region"), .by_deleting = state != NULL,
					   .deleting = state && !strcmp(state, "deleting") };
	struct store_page page = api_page(call);
	struct store_network in_network;
	struct store_next next;
	int r;

	if (api_query(call, "org_slug"))
		return flaps_list_apps(store, call, app_json);
	r = network ? store_network_find(store, api_who(call), filter.org, network, &in_network, &call->op.why) : 0;

	if (r == 0) {
		filter.network = network ? in_network.id : 0;
		r = store_app_list_where(store, api_who(call), &filter, &page, add, call, &next, &call->op.why);
	}
	if (r == 0)
		api_set_list(call, &next);
	return r;
}

static int show(struct store *store, struct api_call *call)
{
	struct store_app app;
	int r = store_app_find(store, api_who(call), api_query(call, "org"), call->params[0], &app, &call->op.why);

	if (r == 0)
		call->reply = app_json(call, &app);
	return r;
}

static int create(struct store *store, struct api_call *call)
{
	struct store_app app;
	int r = flaps_create_app(store, call, &app);

	if (r == 0)
		call->reply = app_json(call, &app);
	return r;
}

int api_app_make(struct store *store, struct op *op, const char *org, const char *network, const char *name, struct store_app *ret_app)
{
	struct store_network made;
	int r = store_app_create(store, op, org, network, name, ret_app);

	if (r != E_REFUSED || strcmp(op->why.code, "network_not_found") || !network || strchr(network, '/'))
		return r;
	r = store_network_create(store, op, org, network, &made);
	return r ? r : store_app_create(store, op, org, network, name, ret_app);
}

/* ---- PUT ---- */

/* The app of exactly this name: what store_app_find takes for an id is none here. */
static int find_named(struct store *store, struct api_call *call, struct store_app *ret_app)
{
	int r = store_app_find(store, api_who(call), call->params[0], call->params[1], ret_app, &call->op.why);

	if (r == 0 && strcasecmp(ret_app->name, call->params[1]) != 0)
		return why_set(&call->op.why, "app_not_found", "app", "app \"%.63s\" does not exist", call->params[1]);
	return r;
}

static int show_named(struct store *store, struct api_call *call)
{
	struct store_app app;
	int r = find_named(store, call, &app);

	if (r == 0)
		call->reply = app_json(call, &app);
	return r;
}

static int check_named(struct api_call *call, struct why *why)
{
	return name_check_app(call->params[1], why);
}

/* It is there: is it as it is wanted? */
static int judge_put(struct store *store, struct api_call *call, const struct store_app *app)
{
	const char *network = api_str(call, "network");
	struct store_network in;
	int r = api_may(call, app->org, ACTION_DEPLOY, "apps");

	if (r == 0 && app->deleting)
		r = why_set(&call->op.why, "app_deleting", "app", "app \"%s\" is being deleted", app->name);
	if (r == 0 && network)
		r = store_network_find(store, api_who(call), call->params[0], network, &in, &call->op.why);
	if (r == 0 && network && in.id != app->network)
		r = api_immutable(call, "network", app->network_name, in.name);
	return r;
}

static int put(struct store *store, struct api_call *call)
{
	struct store_app app;
	int r = find_named(store, call, &app);

	if (r == 0) {
		r = judge_put(store, call, &app);
	} else if (r == E_REFUSED && !strcmp(call->op.why.code, "app_not_found")) {
		r = store_app_create(store, &call->op, call->params[0], api_str(call, "network"), call->params[1], &app);
		call->status = 201;
	}
	if (r == 0)
		call->reply = app_json(call, &app);
	return r;
}

static int delete(struct store *store, struct api_call *call)
{
	struct store_deletion deletion;
	int r = store_app_delete(store, &call->op, api_query(call, "org"), call->params[0], &deletion);

	if (r == 0)
		call->reply = api_json_deletion(&deletion);
	return r;
}

static const struct route_field fields[] = {
	{ "org", FIELD_STR, 1, 63, false, "its organization; may be left out if the token sees only one" },
	{ "network", FIELD_STR, 0, 63, false, "the network it lives in for ever (default)" },
	{ "name", FIELD_STR, 1, 63, false, "a DNS label, unique in the organization" },
	{ "app_name", FIELD_STR, 1, 63, false, "the same as name" },
	{ "org_slug", FIELD_STR, 1, 63, false, "the same as org; a network that is not there yet is made then" },
	{ "app_role_id", FIELD_STR, 0, 63, false, "no effect: apps have no roles" },
	{ "enable_subdomains", FIELD_BOOL, 0, 0, false, "no effect" },
	{ 0 },
};
static const struct route_field put_fields[] = {
	{ "network", FIELD_STR, 1, 63, false, "the network it lives in for ever (default)" },
	{ 0 },
};

const struct route api_app_routes[] = {
	{ "GET", "/v1/apps", ROUTE_TOKEN, .reply = &app_shape, .other = &flaps_apps_shape, .list = true,
	  .query = "org network region state org_slug app_role", .check = check_list, .run = list, .help = "list apps" },
	{ "POST", "/v1/apps", ROUTE_TOKEN, .object = &app_shape, .reply = &app_shape, .write = true, .success = 201,
	  .fields = fields, .check = flaps_check_create_app, .run = create, .help = "create an app" },
	{ "GET", "/v1/apps/{app}", ROUTE_TOKEN, .object = &app_shape, .current = show, .reply = &app_shape, .query = "org",
	  .run = show, .help = "show an app: name, org/name or id" },
	{ "DELETE", "/v1/apps/{app}", ROUTE_TOKEN, .object = &app_shape, .current = show, .reply = &shape_deletion, .write = true,
	  .frees = true, .query = "org", .run = delete, .help = "delete an app with all its instances" },
	{ "PUT", "/v1/orgs/{org}/apps/{app}", ROUTE_TOKEN, .object = &app_shape, .current = show_named, .reply = &app_shape,
	  .write = true, .fields = put_fields, .check = check_named, .run = put, .help = "create an app, unless it is there" },
	{ 0 },
};
