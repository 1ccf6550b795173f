/* gql_region - regions as flyctl sees them. Whether a region's gateway lives is decided when a peer is placed, and not here. */
#include "controller/api/api_graphql.h"
#include "controller/store/store_region.h"

#include <string.h>

static void add(void *arg, const struct store_region *region)
{
	json_array_append_new(arg, json_pack("{s:s,s:s,s:f,s:f,s:b,s:b,s:b}", "code", region->name, "name",
					     region->city[0] ? region->city : region->name, "latitude", region->latitude_udeg / 1e6, "longitude",
					     region->longitude_udeg / 1e6, "gatewayAvailable", region->gateways > 0, "requiresPaidPlan", 0,
					     "deprecated", 0));
}

/* All of them, by name. */
static int load(struct gql_call *gql, json_t **ret, struct why *why)
{
	json_t *regions = json_array();
	struct store_next next = { "" };
	int r = gql_spend(gql, 0, why);

	do {
		struct store_next before = next;
		struct store_page page = { .after = before.cursor };

		next = (struct store_next){ "" };
		if (r == 0)
			r = store_region_list(gql->store, api_who(gql->call), &page, add, regions, &next, why);
	} while (r == 0 && next.cursor[0]);
	if (r == 0)
		r = gql_spend(gql, json_array_size(regions), why);
	if (r)
		json_decref(regions);
	else
		*ret = regions;
	return r;
}

/* Where the asker is, nobody here knows: the first that will do. */
static json_t *choose(const json_t *regions, bool gateway)
{
	json_t *region;
	size_t i;

	json_array_foreach(regions, i, region)
		if (!gateway || json_is_true(json_object_get(region, "gatewayAvailable")))
			return region;
	return NULL;
}

static int nearest(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	CLEAN_JSON json_t *regions = NULL;
	bool gateway = json_is_true(json_object_get(args, "wireguardGateway"));
	int r = load(ctx, &regions, why);

	(void)parent;
	if (r)
		return r;
	*ret = json_incref(choose(regions, gateway));
	return *ret ? 0 : why_set(why, gateway ? "no_gateway" : "region_not_found", "", gateway ? "no region has a gateway" : "there is no region");
}

static int platform(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	json_t *regions = NULL, *first;
	int r = load(ctx, &regions, why);

	(void)parent;
	(void)args;
	if (r)
		return r;
	first = choose(regions, false);
	*ret = json_pack("{s:O?,s:o}", "requestRegion", json_object_get(first, "code"), "regions", regions);
	return 0;
}

static const struct gql_input nearest_args[] = { { "wireguardGateway", "Boolean" }, { 0 } };
static const struct gql_field query[] = { { "nearestRegion", "Region", nearest, nearest_args },
					  { "platform", "PlatformInformation!", platform, NULL },
					  { 0 } };
static const struct gql_field region_fields[] = { { "code", "String!", NULL, NULL },
						  { "name", "String!", NULL, NULL },
						  { "latitude", "Float!", NULL, NULL },
						  { "longitude", "Float!", NULL, NULL },
						  { "gatewayAvailable", "Boolean!", NULL, NULL },
						  { "requiresPaidPlan", "Boolean!", NULL, NULL },
						  { "deprecated", "Boolean!", NULL, NULL },
						  { 0 } };
static const struct gql_field platform_fields[] = { { "requestRegion", "String", NULL, NULL }, { "regions", "[Region!]!", NULL, NULL }, { 0 } };

const struct gql_type gql_region_types[] = {
	{ .name = "Query", .fields = query },
	{ .name = "Region", .fields = region_fields },
	{ .name = "PlatformInformation", .fields = platform_fields },
	{ 0 },
};
