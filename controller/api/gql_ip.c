/* gql_ip - addresses of apps as flyctl sees them: reserved private ones, where nothing answers yet. sixpn has no public ones. */
#include "controller/api/api_graphql.h"
#include "controller/store/store_app.h"
#include "controller/store/store_flycast.h"
#include "controller/store/store_org.h"

#include <string.h>

static json_t *ip_json(struct gql_call *gql, const struct store_flycast *f)
{
	struct in6_addr address = store_flycast_address(f);
	char text[ADDR_TEXT_LEN];
	struct store_org org;
	json_t *found = store_org_find_by_id(gql->store, api_who(gql->call), f->org, &org, NULL) == 0 ? gql_org_json(gql, &org) : json_null();

	return json_pack("{s:o,s:s,s:s,s:s,s:o,s:{s:s,s:o},s:n}", "id", api_json_id(f->id), "address", addr_text(&address, text), "type",
			 "private_v6", "region", "global", "createdAt", api_json_time(f->created_ms), "network", "name", f->network_name,
			 "organization", found, "serviceName");
}

struct listing {
	struct gql_call *gql;
	json_t *nodes;
};

static void add_address(void *arg, const struct store_flycast *flycast)
{
	struct listing *l = arg;

	json_array_append_new(l->nodes, ip_json(l->gql, flycast));
}

/* An app has no more than fit on a page. */
static int addresses(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	const struct store_flycast_filter filter = { .app = gql_str(parent, "id") };
	struct listing l = { ctx, json_array() };
	struct store_page page = { .limit = STORE_FLYCAST_MAX };
	struct store_next next;
	int r = store_flycast_list(l.gql->store, api_who(l.gql->call), &filter, &page, add_address, &l, &next, why);

	(void)args;
	if (r)
		json_decref(l.nodes);
	else
		*ret = json_pack("{s:o}", "nodes", l.nodes);
	return r;
}

static int refuse_public(const char *type, struct why *why)
{
	return why_set(why, "not_offered", "type",
		       "sixpn has no public addresses, and so none of type \"%.20s\": only private ones, with fly ips allocate-v6 --private", type);
}

/* A private address is of no region, no service and no organization but the app's. */
static int check_allocate(struct gql_call *gql, const json_t *input, const struct store_app *app, struct why *why)
{
	const char *type = gql_str(input, "type"), *region = gql_str(input, "region"), *service = gql_str(input, "serviceName");
	struct store_org org;
	int r;

	if (!type || strcmp(type, "private_v6"))
		return refuse_public(type ? type : "", why);
	if (region && strcmp(region, "global"))
		return why_set(why, "value_invalid", "region", "a private address is of no region, and \"%.20s\" is one: leave it out", region);
	if (service)
		return why_set(why, "not_offered", "serviceName", "sixpn has no service names, as \"%.40s\" is one", service);
	if (!gql_str(input, "organizationId"))
		return 0;
	r = gql_org_find(gql, gql_str(input, "organizationId"), &org, why);
	if (r == 0 && !id_equal(org.id, app->org))
		r = why_set(why, "value_invalid", "organizationId", "app \"%s\" is of org \"%s\", and its addresses are in that one's networks, not in \"%s\"'s",
			    app->name, app->org_name, org.name);
	return r;
}

static int allocate(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	const json_t *input = json_object_get(args, "input");
	struct gql_call *gql = ctx;
	const char *ref = gql_str(input, "appId");
	struct store_flycast flycast;
	char org[ID_TEXT_SIZE], id[ID_TEXT_SIZE];
	struct store_app app;
	json_t *of = NULL;
	int r = gql_app_find(gql, ref ? ref : "", &app, why);

	(void)parent;
	if (r == 0)
		r = check_allocate(gql, input, &app, why);
	if (r)
		return r;
	r = store_flycast_create(gql->store, &gql->call->op, id_text(app.org, org), id_text(app.id, id), gql_str(input, "network"), &flycast);
	if (r == E_REFUSED)
		*why = gql->call->op.why;
	if (r == 0)
		r = gql_app_json(gql, &app, &of, why);
	if (r == 0)
		*ret = json_pack("{s:o,s:o,s:o}", "app", of, "ipAddress", ip_json(gql, &flycast), "clientMutationId",
				 api_json_str(gql_str(input, "clientMutationId")));
	return r;
}

static int release(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	const json_t *input = json_object_get(args, "input");
	struct gql_call *gql = ctx;
	const char *ref = gql_str(input, "appId"), *ip = gql_str(input, "ip"), *ip_id = gql_str(input, "ipAddressId");
	struct store_flycast flycast;
	struct store_app app;
	json_t *of = NULL;
	char id[ID_TEXT_SIZE];
	int r = ref ? gql_app_find(gql, ref, &app, why) : 0;

	(void)parent;
	if (r)
		return r;
	if (!ip && !ip_id)
		return why_set(why, "value_missing", "ip", "say which address is to be released");
	r = store_flycast_release(gql->store, &gql->call->op, NULL, ref ? id_text(app.id, id) : NULL, ip ? ip : ip_id, &flycast);
	if (r == E_REFUSED)
		*why = gql->call->op.why;
	if (r == 0 && !ref)
		r = gql_app_find(gql, id_text(flycast.app, id), &app, why);
	if (r == 0)
		r = gql_app_json(gql, &app, &of, why);
	if (r == 0)
		*ret = json_pack("{s:o,s:o}", "app", of, "clientMutationId", api_json_str(gql_str(input, "clientMutationId")));
	return r;
}

static const struct gql_input allocate_args[] = { { "input", "AllocateIPAddressInput!" }, { 0 } };
static const struct gql_input release_args[] = { { "input", "ReleaseIPAddressInput!" }, { 0 } };
static const struct gql_input allocate_input[] = { { "appId", "ID!" },		  { "type", "IPAddressType!" }, { "region", "String" },
						   { "organizationId", "ID" },	  { "network", "ID" },		{ "serviceName", "String" },
						   { "clientMutationId", "String" }, { 0 } };
static const struct gql_input release_input[] = { { "appId", "ID" }, { "ipAddressId", "ID" }, { "ip", "String" },
						  { "clientMutationId", "String" }, { 0 } };
static const struct gql_field mutation[] = { { "allocateIpAddress", "AllocateIPAddressPayload", allocate, allocate_args },
					     { "releaseIpAddress", "ReleaseIPAddressPayload", release, release_args },
					     { 0 } };
static const struct gql_field app_fields[] = { { "ipAddresses", "IPAddressConnection!", addresses, NULL },
					       { "sharedIpAddress", "String", NULL, NULL },
					       { 0 } };
static const struct gql_field connection[] = { { "nodes", "[IPAddress!]!", NULL, NULL }, { 0 } };
static const struct gql_field ip_fields[] = { { "id", "ID!", NULL, NULL },
					      { "address", "String!", NULL, NULL },
					      { "type", "IPAddressType!", NULL, NULL },
					      { "region", "String!", NULL, NULL },
					      { "createdAt", "ISO8601DateTime!", NULL, NULL },
					      { "network", "Network", NULL, NULL },
					      { "serviceName", "String", NULL, NULL },
					      { 0 } };
static const struct gql_field network[] = { { "name", "String!", NULL, NULL }, { "organization", "Organization", NULL, NULL }, { 0 } };
static const struct gql_field allocated[] = { { "app", "App!", NULL, NULL },
					      { "ipAddress", "IPAddress", NULL, NULL },
					      { "clientMutationId", "String", NULL, NULL },
					      { 0 } };
static const struct gql_field released[] = { { "app", "App!", NULL, NULL }, { "clientMutationId", "String", NULL, NULL }, { 0 } };
static const char *const kinds[] = { "v4", "v6", "shared_v4", "private_v6", NULL };

const struct gql_type gql_ip_types[] = {
	{ .name = "Mutation", .fields = mutation },
	{ .name = "App", .fields = app_fields },
	{ .name = "IPAddressConnection", .fields = connection },
	{ .name = "IPAddress", .fields = ip_fields },
	{ .name = "Network", .fields = network },
	{ .name = "AllocateIPAddressPayload", .fields = allocated },
	{ .name = "ReleaseIPAddressPayload", .fields = released },
	{ .name = "AllocateIPAddressInput", .kind = GQL_INPUT, .inputs = allocate_input },
	{ .name = "ReleaseIPAddressInput", .kind = GQL_INPUT, .inputs = release_input },
	{ .name = "IPAddressType", .kind = GQL_ENUM, .names = kinds },
	{ 0 },
};
