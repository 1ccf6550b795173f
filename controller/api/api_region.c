/* api_region - regions over HTTP. */
#include "controller/api/api_nouns.h"
#include "controller/api/shape.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct shape_field region_fields[] = {
	{ "name", SHAPE_STR, 0, NULL, NULL },
	{ "city", SHAPE_STR, 0, NULL, NULL },
	{ "latitude", SHAPE_NUM, 0, NULL, "degrees north" },
	{ "longitude", SHAPE_NUM, 0, NULL, "degrees east" },
	{ "locator", SHAPE_STR, 0, NULL, "its 16 bits in every address, hex" },
	{ "nodes", SHAPE_INT, SHAPE_MOVES, NULL, NULL },
	{ "gateways", SHAPE_INT, SHAPE_MOVES, NULL, NULL },
	{ "created", SHAPE_TIME, 0, NULL, NULL },
	{ 0 },
};
const struct shape api_region_shape = { "Region", false, region_fields };

static const struct shape_field gone_fields[] = {
	{ "name", SHAPE_STR, 0, NULL, NULL },
	{ "deleted", SHAPE_BOOL, 0, NULL, NULL },
	{ 0 },
};
static const struct shape gone_shape = { "RegionDeleted", false, gone_fields };

json_t *api_region_json(const struct store_region *region)
{
	char locator[8];

	snprintf(locator, sizeof locator, "%04x", region->locator);
	return json_pack("{s:s,s:s,s:f,s:f,s:s,s:i,s:i,s:o}", "name", region->name, "city", region->city, "latitude",
			 region->latitude_udeg / 1e6, "longitude", region->longitude_udeg / 1e6, "locator", locator, "nodes",
			 (int)region->nodes, "gateways", (int)region->gateways, "created", api_json_time(region->created_ms));
}

static void add(void *call, const struct store_region *region)
{
	api_add_item(call, api_region_json(region));
}

static int list(struct store *store, struct api_call *call)
{
	struct store_page page = api_page(call);
	struct store_next next;
	int r = store_region_list(store, api_who(call), &page, add, call, &next, &call->op.why);

	if (r == 0)
		api_set_list(call, &next);
	return r;
}

static int show(struct store *store, struct api_call *call)
{
	struct store_region region;
	int r = store_region_find(store, api_who(call), call->params[0], &region, &call->op.why);

	if (r == 0)
		call->reply = api_region_json(&region);
	return r;
}

static struct store_region_new input(const struct api_call *call)
{
	return (struct store_region_new){ .name = api_str(call, "name"), .city = api_str(call, "city"),
					  .has_place = api_has(call, "latitude"), .latitude = api_num(call, "latitude", 0),
					  .longitude = api_num(call, "longitude", 0), .locator = (uint16_t)api_int(call, "locator", 0) };
}

static int check_place(struct api_call *call, struct why *why)
{
	if (api_has(call, "latitude") != api_has(call, "longitude"))
		return why_set(why, "field_missing", api_has(call, "latitude") ? "longitude" : "latitude",
			       "latitude and longitude go together");
	return 0;
}

static int create(struct store *store, struct api_call *call)
{
	struct store_region_new in = input(call);
	struct store_region region;
	int r = store_region_create(store, &call->op, &in, &region);

	if (r == 0)
		call->reply = api_region_json(&region);
	return r;
}

static int update(struct store *store, struct api_call *call)
{
	struct store_region_new in = input(call);
	struct store_region region;
	int r = store_region_update(store, &call->op, call->params[0], &in, &region);

	if (r == 0)
		call->reply = api_region_json(&region);
	return r;
}

/* ---- PUT ---- */

static int check_put(struct api_call *call, struct why *why)
{
	return name_check_region(call->params[0], why) ? E_REFUSED : check_place(call, why);
}

static bool changes(const struct store_region_new *in, const struct store_region *region)
{
	return (in->city && strcmp(in->city, region->city)) ||
	       (in->has_place && (lround(in->latitude * 1e6) != region->latitude_udeg || lround(in->longitude * 1e6) != region->longitude_udeg));
}

static int put(struct store *store, struct api_call *call)
{
	struct store_region_new in = input(call);
	struct store_region region;
	char is[8], given[8];
	int r = store_region_find(store, api_who(call), call->params[0], &region, &call->op.why);

	in.name = call->params[0];
	if (r == E_REFUSED && !strcmp(call->op.why.code, "region_not_found")) {
		r = store_region_create(store, &call->op, &in, &region);
		call->status = 201;
	} else if (r == 0 && in.locator && in.locator != region.locator) {
		snprintf(is, sizeof is, "%04x", region.locator);
		snprintf(given, sizeof given, "%04x", in.locator);
		r = api_immutable(call, "locator", is, given);
	} else if (r == 0 && changes(&in, &region)) {
		r = store_region_update(store, &call->op, call->params[0], &in, &region);
	}
	if (r == 0)
		call->reply = api_region_json(&region);
	return r;
}

static int delete(struct store *store, struct api_call *call)
{
	int r = store_region_delete(store, &call->op, call->params[0]);

	if (r == 0)
		call->reply = json_pack("{s:s,s:b}", "name", call->params[0], "deleted", 1);
	return r;
}

static const struct route_field create_fields[] = {
	{ "name", FIELD_STR, 1, 3, true, "three letters, for example ord" },
	{ "city", FIELD_STR, 1, 63, false, "for people; from the built-in list if absent" },
	{ "latitude", FIELD_NUM, -90, 90, false, "degrees north; from the built-in list if absent" },
	{ "longitude", FIELD_NUM, -180, 180, false, "degrees east; from the built-in list if absent" },
	{ "locator", FIELD_INT, 0xA000, 0xAFFF, false, "its 16 bits in every address; computed from the place if absent" },
	{ 0 },
};
static const struct route_field put_fields[] = {
	{ "city", FIELD_STR, 1, 63, false, "for people; from the built-in list if absent" },
	{ "latitude", FIELD_NUM, -90, 90, false, "degrees north; from the built-in list if absent" },
	{ "longitude", FIELD_NUM, -180, 180, false, "degrees east; from the built-in list if absent" },
	{ "locator", FIELD_INT, 0xA000, 0xAFFF, false, "its 16 bits in every address, for ever; computed from the place if absent" },
	{ 0 },
};
static const struct route_field update_fields[] = {
	{ "city", FIELD_STR, 1, 63, false, "for people" },
	{ "latitude", FIELD_NUM, -90, 90, false, "degrees north" },
	{ "longitude", FIELD_NUM, -180, 180, false, "degrees east" },
	{ 0 },
};

const struct route api_region_routes[] = {
	{ "GET", "/v1/regions", ROUTE_TOKEN, .reply = &api_region_shape, .list = true, .run = list, .help = "list regions" },
	{ "POST", "/v1/regions", ROUTE_OPERATOR, .object = &api_region_shape, .reply = &api_region_shape, .write = true,
	  .success = 201, .fields = create_fields, .check = check_place, .run = create, .help = "create a region" },
	{ "GET", "/v1/regions/{region}", ROUTE_TOKEN, .object = &api_region_shape, .current = show, .reply = &api_region_shape,
	  .run = show, .help = "show a region" },
	{ "PATCH", "/v1/regions/{region}", ROUTE_OPERATOR, .object = &api_region_shape, .current = show, .reply = &api_region_shape,
	  .write = true, .fields = update_fields, .check = check_place, .run = update,
	  .help = "change the city or place of a region" },
	{ "DELETE", "/v1/regions/{region}", ROUTE_OPERATOR, .object = &api_region_shape, .current = show, .reply = &gone_shape,
	  .write = true, .frees = true, .run = delete, .help = "delete a region that has no nodes" },
	{ "PUT", "/v1/regions/{region}", ROUTE_OPERATOR, .object = &api_region_shape, .current = show, .reply = &api_region_shape,
	  .write = true, .fields = put_fields, .check = check_put, .run = put,
	  .help = "create a region or change it; what is left out stays" },
	{ 0 },
};
