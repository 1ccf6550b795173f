/* gql_ip - addresses of apps as flyctl sees them. sixpn has no public ones. */
#include "controller/api/api_graphql.h"
#include "controller/store/store_app.h"

#include <string.h>

static int addresses(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	(void)ctx;
	(void)parent;
	(void)args;
	(void)why;
	*ret = json_pack("{s:[]}", "nodes");
	return 0;
}

static int refuse_public(const char *type, struct why *why)
{
	return why_set(why, "not_offered", "type",
		       "sixpn has no public addresses, and so none of type \"%.20s\": only private ones, with fly ips allocate-v6 --private", type);
}

static int allocate(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	const json_t *input = json_object_get(args, "input");
	const char *type = gql_str(input, "type"), *ref = gql_str(input, "appId");
	struct store_app app;
	int r = gql_app_find(ctx, ref ? ref : "", &app, why);

	(void)parent;
	(void)ret;
	if (r)
		return r;
	if (!type || strcmp(type, "private_v6"))
		return refuse_public(type ? type : "", why);
	return why_set(why, "not_offered", "type", "sixpn does not reserve private addresses of apps yet: use the name %s.internal", app.name);
}

static int release(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	const json_t *input = json_object_get(args, "input");
	const char *ref = gql_str(input, "appId"), *ip = gql_str(input, "ip");
	struct store_app app;
	int r = gql_app_find(ctx, ref ? ref : "", &app, why);

	(void)parent;
	(void)ret;
	return r ? r : why_set(why, "not_found", "ip", "app \"%s\" has no address \"%.60s\"", app.name, ip ? ip : "");
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
