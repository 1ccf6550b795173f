/* flaps_platform - what flyctl asks around machines: the regions of the platform, organizations by REST, and builds, of which there are
 * none here. */
#include "controller/api/api_graphql.h"
#include "controller/api/flaps.h"
#include "controller/store/store_org.h"

#include <string.h>

/* ---- regions ---- */

/* The continents as boxes, good enough to group a list of cities. */
static const char *continent(const struct store_region *r)
{
	double lat = r->latitude_udeg / 1e6, lon = r->longitude_udeg / 1e6;

	if (lon < -30)
		return lat < 13 ? "south_america" : "north_america";
	if (lat < 37 && lat > -36 && lon < 52 && !(lat > 29 && lon > 34) && !(lat > 12 && lon > 43))
		return "africa";
	return lon < 50 && lat >= 34 ? "europe" : "asia_pacific";
}

static void add_region(void *call, const struct store_region *r)
{
	api_add_item(call, json_pack("{s:s,s:s,s:f,s:f,s:b,s:b,s:b,s:I,s:s,s:b}", "code", r->name, "name", r->city[0] ? r->city : r->name, "latitude",
				     r->latitude_udeg / 1e6, "longitude", r->longitude_udeg / 1e6, "gateway_available", r->gateways > 0,
				     "requires_paid_plan", 0, "deprecated", 0, "capacity", (json_int_t)r->nodes, "geo_region", continent(r),
				     "mpg_available", 0));
}

/* Where the asker is, nobody here knows: the first that has a gateway, as GraphQL's nearestRegion says too. */
static const char *nearest(const json_t *regions)
{
	const char *first = "";
	json_t *region;
	size_t i;

	json_array_foreach(regions, i, region) {
		if (json_is_true(json_object_get(region, "gateway_available")))
			return json_string_value(json_object_get(region, "code"));
		if (!*first)
			first = json_string_value(json_object_get(region, "code"));
	}
	return first;
}

static int regions(struct store *store, struct api_call *call)
{
	struct store_next next = { "" };
	json_t *list;
	int r;

	do {
		struct store_next before = next;
		struct store_page page = { .after = before.cursor };

		next = (struct store_next){ "" };
		r = store_region_list(store, api_who(call), &page, add_region, call, &next, &call->op.why);
	} while (r == 0 && next.cursor[0]);
	if (r != 0)
		return r;
	list = TAKE(call->items);
	if (!list)
		list = json_array();
	call->reply = json_pack("{s:s,s:o}", "Nearest", nearest(list), "Regions", list);
	return 0;
}

/* ---- organizations ---- */

static json_t *org_json(const struct api_call *call, const struct store_org *org)
{
	const char *slug = api_org_slug(api_who(call), org->id, org->name);

	return json_pack("{s:o,s:I,s:s,s:s,s:b,s:b,s:s,s:b,s:s,s:b,s:s}", "id", api_json_id(org->id), "internal_numeric_id",
			 (json_int_t)gql_number_of(org->id), "slug", slug, "raw_slug", org->name, "paid_plan", 0, "personal", slug != org->name,
			 "billing_status", "CURRENT", "provisions_beta_extensions", 0, "name", org->name, "billable", 1, "remote_builder_image", "");
}

static void add_org(void *arg, const struct store_org *org)
{
	struct api_call *call = arg;

	api_add_item(call, org_json(call, org));
}

static int orgs(struct store *store, struct api_call *call)
{
	struct store_next next = { "" };
	json_t *list;
	int r;

	do {
		struct store_next before = next;
		struct store_page page = { .after = before.cursor };

		next = (struct store_next){ "" };
		r = store_org_list(store, api_who(call), &page, add_org, call, &next, &call->op.why);
	} while (r == 0 && next.cursor[0]);
	if (r != 0)
		return r;
	list = TAKE(call->items);
	call->reply = json_pack("{s:o}", "organizations", list ? list : json_array());
	return 0;
}

static int org(struct store *store, struct api_call *call)
{
	struct store_org row;
	int r = store_org_find(store, api_who(call), call->params[0], &row, &call->op.why);

	if (r == 0)
		call->reply = json_pack("{s:o}", "organization", org_json(call, &row));
	return r;
}

/* ---- builds ---- */

/* flyctl reports what it is about to build before it asks what an image is, and warns if nobody listens. Nothing is built here, and
 * what it says of that is not kept: the number is good for nothing but to be sent back. */
static int build(struct api_call *call, struct why *why)
{
	const struct api_env *env = api_get_env(call->api);

	(void)why;
	call->reply = json_pack("{s:I,s:s,s:i}", "id", (json_int_t)env->ops->current_v(env->ctx), "status", "nothing_is_built", "wallclock_time_ms", 0);
	return 0;
}

const struct route flaps_platform_routes[] = {
	{ "GET", "/v1/platform/regions", ROUTE_TOKEN, .manner = &flaps_manner, .reply = &flaps_regions_shape,
	  .error = &flaps_error_shape, .run = regions, .help = "list regions in the form that flyctl reads" },
	{ "GET", "/api/v1/organizations", ROUTE_TOKEN, .manner = &flaps_manner, .reply = &flaps_orgs_shape,
	  .error = &flaps_error_shape, .query = "admin", .run = orgs,
	  .help = "list organizations in the form that flyctl reads" },
	{ "GET", "/api/v1/organizations/{org}", ROUTE_TOKEN, .manner = &flaps_manner, .reply = &flaps_org_shape,
	  .error = &flaps_error_shape, .run = org,
	  .help = "show an organization in the form that flyctl reads" },
	{ "POST", "/api/v1/builds", ROUTE_TOKEN, .manner = &flaps_manner, .reply = &flaps_build_shape,
	  .error = &flaps_error_shape, .drops = true, .answer = build,
	  .help = "taken and thrown away: nothing is built here" },
	{ "POST", "/api/v1/builds/finish", ROUTE_TOKEN, .manner = &flaps_manner, .reply = &flaps_build_shape,
	  .error = &flaps_error_shape, .drops = true, .answer = build,
	  .help = "taken and thrown away: nothing is built here" },
	{ 0 },
};
