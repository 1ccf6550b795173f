/* api_ip - private addresses that apps reserve, over HTTP. Each says that nothing answers there yet. */
#include "controller/api/api_nouns.h"
#include "controller/store/store_flycast.h"
#include "controller/api/shape.h"

#include <stdio.h>

static const struct shape_field ip_fields[] = {
	{ "id", SHAPE_STR, 0, NULL, NULL },
	{ "address", SHAPE_STR, 0, NULL, "fdaa:<network>:0:1::N" },
	{ "type", SHAPE_STR, 0, NULL, "private_v6" },
	{ "name", SHAPE_STR, 0, NULL, "in the DNS of its network: <app>.flycast" },
	{ "app", SHAPE_STR, 0, NULL, NULL },
	{ "org", SHAPE_STR, 0, NULL, NULL },
	{ "network", SHAPE_STR, 0, NULL, "in which it is; the app may live in another of the organization" },
	{ "created", SHAPE_TIME, 0, NULL, NULL },
	{ "note", SHAPE_STR, 0, NULL, "that nothing answers there yet" },
	{ 0 },
};
static const struct shape ip_shape = { "Ip", false, ip_fields };

static json_t *api_ip_json(const struct store_flycast *flycast)
{
	struct in6_addr address = store_flycast_address(flycast);
	char text[ADDR_TEXT_LEN], name[NAME_SIZE + 16];

	snprintf(name, sizeof name, "%s.flycast", flycast->app_name);
	return json_pack("{s:o,s:s,s:s,s:s,s:s,s:s,s:s,s:o,s:s}", "id", api_json_id(flycast->id), "address", addr_text(&address, text), "type",
			 "private_v6", "name", name, "app", flycast->app_name, "org", flycast->org_name, "network", flycast->network_name,
			 "created", api_json_time(flycast->created_ms), "note", STORE_FLYCAST_NOTE);
}

static void add(void *call, const struct store_flycast *flycast)
{
	api_add_item(call, api_ip_json(flycast));
}

static int list(struct store *store, struct api_call *call)
{
	const struct store_flycast_filter filter = { .org = api_query(call, "org"), .app = api_query(call, "app"),
						     .network = api_query(call, "network") };
	struct store_page page = api_page(call);
	struct store_next next;
	int r = store_flycast_list(store, api_who(call), &filter, &page, add, call, &next, &call->op.why);

	if (r == 0)
		api_set_list(call, &next);
	return r;
}

static int create(struct store *store, struct api_call *call)
{
	struct store_flycast flycast;
	int r = store_flycast_create(store, &call->op, api_str(call, "org"), api_str(call, "app"), api_str(call, "network"), &flycast);

	if (r == 0)
		call->reply = api_ip_json(&flycast);
	return r;
}

static int show(struct store *store, struct api_call *call)
{
	struct store_flycast flycast;
	int r = store_flycast_find(store, api_who(call), api_query(call, "org"), api_query(call, "app"), call->params[0], &flycast, &call->op.why);

	if (r == 0)
		call->reply = api_ip_json(&flycast);
	return r;
}

static int release(struct store *store, struct api_call *call)
{
	struct store_flycast flycast;
	int r = store_flycast_release(store, &call->op, api_query(call, "org"), api_query(call, "app"), call->params[0], &flycast);

	if (r == 0)
		call->reply = api_ip_json(&flycast);
	return r;
}

static const struct route_field fields[] = {
	{ "org", FIELD_STR, 1, 63, false, "the app's organization; may be left out if the token sees only one" },
	{ "app", FIELD_STR, 1, 127, true, "for which app: name, org/name or id" },
	{ "network", FIELD_STR, 1, 63, false, "in which network of the organization (the app's own)" },
	{ 0 },
};

const struct route api_ip_routes[] = {
	{ "GET", "/v1/ips", ROUTE_TOKEN, .reply = &ip_shape, .list = true, .query = "org app network", .run = list, .help = "list the private addresses of apps" },
	{ "POST", "/v1/ips", ROUTE_TOKEN, .reply = &ip_shape, .write = true, .success = 201, .fields = fields, .run = create,
	  .help = "reserve a private address (flycast) for an app: a name <app>.flycast; nothing answers there yet" },
	{ "GET", "/v1/ips/{ip}", ROUTE_TOKEN, .reply = &ip_shape, .query = "org app", .run = show, .help = "show a private address" },
	{ "DELETE", "/v1/ips/{ip}", ROUTE_TOKEN, .reply = &ip_shape, .write = true, .frees = true, .query = "org app", .run = release,
	  .help = "release a private address; it is given to nobody for a day" },
	{ 0 },
};
