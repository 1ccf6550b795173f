/* flaps_app - what flyctl reads of an app and asks of the paths that both views have: its keys stand beside ours, its list is asked for
 * with org_slug, and its creation names the organization org_slug and makes a network that is not there yet. */
#include "controller/api/api_graphql.h"
#include "controller/api/flaps.h"
#include "controller/store/store_org.h"

#include <string.h>

void flaps_add_app(json_t *reply, const struct principal *who, const struct store_app *app)
{
	CLEAN_JSON json_t *more = json_pack("{s:I,s:s,s:i,s:i,s:{s:s,s:s,s:I},s:s,s:n}", "internal_numeric_id",
					    (json_int_t)gql_number_of(app->id), "status", app->instances ? "deployed" : "pending",
					    "machine_count", (int)app->instances, "volume_count", 0, "organization", "name", app->org_name, "slug",
					    api_org_slug(who, app->org, app->org_name), "internal_numeric_id", (json_int_t)gql_number_of(app->org), "cname_target", "", "app_role");

	json_object_update(reply, more);
}

struct listing {
	struct api_call *call;
	json_t *(*app_json)(const struct api_call *call, const struct store_app *app);
};

static void add(void *arg, const struct store_app *app)
{
	struct listing *l = arg;

	api_add_item(l->call, l->app_json(l->call, app));
}

int flaps_list_apps(struct store *store, struct api_call *call, json_t *(*app_json)(const struct api_call *call, const struct store_app *app))
{
	struct listing l = { call, app_json };
	struct store_next next = { "" };
	json_t *list;
	int r;

	do {
		struct store_next before = next;
		struct store_page page = { .after = before.cursor, .limit = STORE_PAGE_MAX };

		next = (struct store_next){ "" };
		r = store_app_list(store, api_who(call), api_query(call, "org_slug"), &page, add, &l, &next, &call->op.why);
	} while (r == 0 && next.cursor[0] && json_array_size(call->items) < FLAPS_APPS_MAX);
	if (r == 0 && next.cursor[0]) /* a part would look like all of it */
		r = why_set(&call->op.why, "too_large", "org_slug", "organization \"%.63s\" has more than %d apps: list them page by page, with org=",
			    api_query(call, "org_slug"), FLAPS_APPS_MAX);
	if (r != 0)
		return r;
	list = TAKE(call->items);
	if (!list)
		list = json_array();
	call->reply = json_pack("{s:I,s:o}", "total_apps", (json_int_t)json_array_size(list), "apps", list);
	return 0;
}

int flaps_check_create_app(struct api_call *call, struct why *why)
{
	if (api_has(call, "org") && api_has(call, "org_slug"))
		return why_set(why, "field_invalid", "org_slug", "give org or org_slug, not both");
	if (api_has(call, "name") == api_has(call, "app_name"))
		return why_set(why, api_has(call, "name") ? "field_invalid" : "field_missing", "name",
			       "field \"name\" is missing (or \"app_name\", but not both): a DNS label, unique in the organization");
	return 0;
}

/* The first app that names a network makes it: flyctl has no other way to. */
int flaps_create_app(struct store *store, struct api_call *call, struct store_app *ret_app)
{
	const char *slug = api_str(call, "org_slug"), *name = api_str(call, "name"), *network = api_str(call, "network");

	name = name ? name : api_str(call, "app_name");
	return slug ? api_app_make(store, &call->op, slug, network, name, ret_app) :
		      store_app_create(store, &call->op, api_str(call, "org"), network, name, ret_app);
}
