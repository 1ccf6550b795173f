/* flaps_ip - the addresses of an app as flyctl's REST asks for them: the same reservations as /v1/ips. There are no public ones. */
#include "controller/api/flaps.h"
#include "controller/store/store_flycast.h"

#include <string.h>

static json_t *ip_json(const struct store_flycast *flycast)
{
	struct in6_addr address = store_flycast_address(flycast);
	char text[ADDR_TEXT_LEN];

	/* the default network has no name there */
	return json_pack("{s:o,s:s,s:s,s:s,s:b,s:o,s:b,s:{s:s,s:s},s:s}", "id", api_json_id(flycast->id), "ip", addr_text(&address, text), "region", "global", "service_name", "", "shared", 0,
			 "created_at", api_json_time(flycast->created_ms), "egress", 0, "network",
			 "name", strcmp(flycast->network_name, "default") ? flycast->network_name : "", "org_slug", flycast->org_name, "note", STORE_FLYCAST_NOTE);
}

static void add(void *call, const struct store_flycast *flycast)
{
	api_add_item(call, ip_json(flycast));
}

/* All of them: an app has at most STORE_FLYCAST_MAX. */
static int list(struct store *store, struct api_call *call)
{
	const struct store_flycast_filter filter = { .app = call->params[0] };
	struct store_page page = { .limit = STORE_PAGE_MAX };
	struct store_next next;
	json_t *ips;
	int r = store_flycast_list(store, api_who(call), &filter, &page, add, call, &next, &call->op.why);

	if (r != 0)
		return r;
	ips = TAKE(call->items);
	call->reply = json_pack("{s:o}", "ips", ips ? ips : json_array());
	return 0;
}

static int judge(const struct api_call *call, struct why *why)
{
	const char *type = api_str(call, "type"), *service = api_str(call, "service_name");

	if (strcmp(type, "private_v6") != 0)
		return why_set(why, "not_offered", "type", "sixpn has no addresses of type \"%.30s\": it has private_v6", type);
	if (service && *service)
		return why_set(why, "not_offered", "service_name", "sixpn has no services that an address could be for");
	return 0;
}

/* org_slug says in which organization the network is; it can only be the app's. */
static int create(struct store *store, struct api_call *call)
{
	const char *slug = api_str(call, "org_slug");
	struct store_flycast flycast;
	struct store_app app;
	int r = store_app_find(store, api_who(call), slug && *slug ? slug : NULL, call->params[0], &app, &call->op.why);

	if (r == 0 && principal_may(api_who(call), app.org, ACTION_DEPLOY)) /* who may not is told that below */
		r = judge(call, &call->op.why);
	if (r == 0)
		r = store_flycast_create(store, &call->op, slug && *slug ? slug : NULL, call->params[0], api_str(call, "network"), &flycast);

	if (r == 0)
		call->reply = ip_json(&flycast);
	return r;
}

static int release(struct store *store, struct api_call *call)
{
	struct store_flycast flycast;
	int r = store_flycast_release(store, &call->op, NULL, call->params[0], call->params[1], &flycast);

	if (r == 0)
		call->reply = json_pack("{s:b}", "ok", 1);
	return r;
}

static const struct route_field fields[] = {
	{ "type", FIELD_STR, 1, 31, true, "private_v6" },
	{ "network", FIELD_STR, 0, 63, false, "in which network of the organization (the app's own)" },
	{ "org_slug", FIELD_STR, 0, 63, false, "the app's organization" },
	{ "region", FIELD_STR, 0, 31, false, "no effect: they are the same everywhere" },
	{ "service_name", FIELD_STR, 0, 63, false, "must be empty" },
	{ 0 },
};

const struct route flaps_ip_routes[] = {
	{ "GET", "/v1/apps/{app}/ip_assignments", ROUTE_TOKEN, .manner = &flaps_manner, .reply = &flaps_ips_shape, .error = &flaps_error_shape,
	  .run = list, .help = "list the private addresses of an app in the form that flyctl reads" },
	{ "POST", "/v1/apps/{app}/ip_assignments", ROUTE_TOKEN, .manner = &flaps_manner, .reply = &flaps_ip_shape, .error = &flaps_error_shape,
	  .write = true, .fields = fields, .run = create,
	  .help = "reserve a private address (flycast) for an app; nothing answers there yet" },
	{ "DELETE", "/v1/apps/{app}/ip_assignments/{ip}", ROUTE_TOKEN, .manner = &flaps_manner, .reply = &flaps_ok_shape,
	  .error = &flaps_error_shape, .write = true, .frees = true, .run = release, .help = "release a private address of an app" },
	{ 0 },
};
