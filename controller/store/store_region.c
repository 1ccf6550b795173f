/* store_region - see store_region.h. */
#include "controller/store/store_region.h"

#include "controller/store/store_internal.h"
#include "lib/sixpn/locator.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define COLUMNS                                                                                       \
	"r.name, r.city, r.latitude_udeg, r.longitude_udeg, r.locator, r.created_ms, "                \
	"(SELECT count(*) FROM node n WHERE n.region = r.name AND n.revoked_at = 0), "                \
	"(SELECT count(*) FROM node n WHERE n.region = r.name AND n.revoked_at = 0 AND n.roles & 2 AND n.draining = 0 AND " \
	"n.gateway_key IS NOT NULL) FROM region r "

static void read_row(struct statement *st, struct store_region *ret)
{
	*ret = (struct store_region){ .latitude_udeg = (int32_t)driver_int(st, 2),
				      .longitude_udeg = (int32_t)driver_int(st, 3),
				      .locator = (uint16_t)driver_int(st, 4),
				      .created_ms = (uint64_t)driver_int(st, 5),
				      .nodes = (unsigned)driver_int(st, 6),
				      .gateways = (unsigned)driver_int(st, 7) };
	sql_text(st, 0, ret->name, sizeof ret->name);
	sql_text(st, 1, ret->city, sizeof ret->city);
}

static int emit(struct store *store, struct op *op, const struct store_region *row)
{
	CLEAN_BUF struct buf body = BUF_INIT(RECORD_MAX);
	struct region_record rec = { .latitude_udeg = row->latitude_udeg, .longitude_udeg = row->longitude_udeg, .locator = row->locator };
	int r;

	memcpy(rec.name, row->name, sizeof rec.name);
	memcpy(rec.city, row->city, sizeof rec.city);
	r = region_encode(&rec, &body);
	return r ? r : change_put(store, op, region_envelope(&rec), &body, NULL, NULL);
}

/* The place: what was given, else what is known of the name; what is there already stays. */
static int fill_place(const struct store_region_new *in, struct store_region *row, struct why *why)
{
	const struct locator_place *known = locator_place_find(in->name);
	bool has_place = in->has_place || row->city[0];
	double latitude = in->latitude, longitude = in->longitude;
	int r;

	if ((!in->city && !row->city[0] && !known) || (!has_place && !known))
		return why_set(why, "place_unknown", "region", "region \"%s\" is not in the built-in list: give city, latitude and longitude",
			       in->name);
	if (in->city || !row->city[0]) {
		const char *city = in->city ? in->city : known->city;

		r = name_check_text("city", city, sizeof row->city - 1, why);
		if (r != 0)
			return r;
		snprintf(row->city, sizeof row->city, "%s", city);
	}
	if (!in->has_place && has_place)
		return 0;
	if (!in->has_place) {
		latitude = known->latitude;
		longitude = known->longitude;
	}
	if (!(latitude >= -90 && latitude <= 90 && longitude >= -180 && longitude <= 180)) /* also NaN */
		return why_set(why, "value_invalid", "latitude", "%g, %g is not a place: latitude -90 to 90, longitude -180 to 180", latitude,
			       longitude);
	row->latitude_udeg = (int32_t)lround(latitude * 1e6);
	row->longitude_udeg = (int32_t)lround(longitude * 1e6);
	return 0;
}

static int choose_locator(struct store *store, const struct store_region_new *in, const struct store_region *row, uint16_t *ret_locator,
			  struct why *why)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	uint16_t wanted = in->locator ? in->locator : locator_encode(row->latitude_udeg / 1e6, row->longitude_udeg / 1e6);
	uint8_t taken[512] = { 0 };
	int r;

	if (wanted >> 12 != 0xA)
		return why_set(why, "value_invalid", "locator", "locator %04x is not in a000 to afff", wanted);
	r = sql_query(store, &st, "SELECT locator FROM locator_given", "");
	if (r != 0)
		return r;
	while (sql_next(st, &r)) {
		unsigned code = (unsigned)driver_int(st, 0) & 0xfff;

		taken[code / 8] |= (uint8_t)(1 << code % 8);
	}
	if (r != 0)
		return r;
	if (in->locator && taken[(wanted & 0xfff) / 8] >> (wanted % 8) & 1)
		return why_set(why, "locator_taken", "locator", "locator %04x was given before; they are never given twice", wanted);
	if (locator_nearest_free(wanted, taken, ret_locator) != 0)
		return why_set(why, "locators_used_up", "locator", "all 4096 locators have been given");
	return 0;
}

int store_region_create(struct store *store, struct op *op, const struct store_region_new *in, struct store_region *ret_region)
{
	struct store_region row = { .created_ms = clock_real_ms(&store->clock) };
	int r = store_check_operator(&op->principal, "create regions", &op->why);

	if (r == 0)
		r = name_check_region(in->name, &op->why);
	if (r != 0)
		return r;
	snprintf(row.name, sizeof row.name, "%s", in->name);
	r = fill_place(in, &row, &op->why);
	if (r == 0)
		r = choose_locator(store, in, &row, &row.locator, &op->why);
	if (r == 0)
		r = sql_run(store, "INSERT INTO locator_given (locator, given_ms) VALUES (?1, ?2)", "ui", (uint32_t)row.locator,
			    (int64_t)row.created_ms);
	if (r != 0)
		return r;
	r = sql_insert(store,
		       "INSERT INTO region (name, city, latitude_udeg, longitude_udeg, locator, created_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
		       "ttiiui", row.name, row.city, (int64_t)row.latitude_udeg, (int64_t)row.longitude_udeg, (uint32_t)row.locator,
		       (int64_t)row.created_ms);
	if (r == DRIVER_E_UNIQUE)
		return why_set(&op->why, "name_taken", "name", "region \"%s\" exists already", row.name);
	if (r == 0)
		r = emit(store, op, &row);
	if (r == 0)
		*ret_region = row;
	return r;
}

int store_region_update(struct store *store, struct op *op, const char *name, const struct store_region_new *in,
			struct store_region *ret_region)
{
	struct store_region_new change = *in;
	struct store_region row;
	int r = store_check_operator(&op->principal, "change regions", &op->why);

	if (r == 0)
		r = store_region_find(store, &op->principal, name, &row, &op->why);
	if (r != 0)
		return r;
	change.name = name;
	r = fill_place(&change, &row, &op->why);
	if (r == 0)
		r = sql_run(store, "UPDATE region SET city = ?2, latitude_udeg = ?3, longitude_udeg = ?4 WHERE name = ?1", "ttii", row.name,
			    row.city, (int64_t)row.latitude_udeg, (int64_t)row.longitude_udeg);
	if (r == 0)
		r = emit(store, op, &row);
	if (r == 0)
		*ret_region = row;
	return r;
}

/* Join tokens of the region go with it. */
static int remove_tokens(struct store *store, struct op *op, const char *region)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	uint8_t id[ID_LEN];
	int r = sql_query(store, &st, "SELECT id FROM node_token WHERE region = ?1", "t", region);

	if (r != 0)
		return r;
	while (sql_next(st, &r)) {
		sql_bytes(st, 0, id, sizeof id);
		r = change_remove(store, op, change_envelope(RECORD_NODE_TOKEN, id, sizeof id), INTENT_DELETE, NULL);
		if (r != 0)
			return r;
	}
	return r;
}

int store_region_delete(struct store *store, struct op *op, const char *name)
{
	struct region_record rec = { 0 };
	struct store_region row;
	int r = store_check_operator(&op->principal, "delete regions", &op->why);

	if (r == 0)
		r = store_region_find(store, &op->principal, name, &row, &op->why);
	if (r != 0)
		return r;
	if (row.nodes)
		return why_set(&op->why, "region_in_use", "region", "region \"%s\" still has %u node%s", row.name, row.nodes,
			       row.nodes == 1 ? "" : "s");
	memcpy(rec.name, row.name, sizeof rec.name);
	r = remove_tokens(store, op, row.name);
	if (r == 0)
		r = sql_run(store, "UPDATE node SET region = NULL WHERE region = ?1", "t", row.name); /* revoked ones */
	if (r == 0)
		r = sql_run(store, "DELETE FROM region WHERE name = ?1", "t", row.name);
	return r ? r : change_remove(store, op, region_envelope(&rec), INTENT_DELETE, NULL);
}

/* "dev, nrt, ord", for the sentence that says what there is instead; at most 12 are named. */
static int name_some(struct store *store, char *ret_text, size_t size)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	size_t at = 0;
	int r = sql_query(store, &st, "SELECT name FROM region ORDER BY name LIMIT 12", "");

	ret_text[0] = 0;
	while (r == 0 && sql_next(st, &r) && at + 8 < size)
		at += (size_t)snprintf(ret_text + at, size - at, "%s%s", at ? ", " : "", driver_text(st, 0));
	return r;
}

int store_region_find(struct store *store, const struct principal *who, const char *name, struct store_region *ret_region,
		      struct why *why)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	char some[80];
	int r = 0;

	if (who->kind != PRINCIPAL_NONE)
		r = sql_query(store, &st, "SELECT " COLUMNS "WHERE r.name = ?1", "t", name);
	if (r != 0)
		return r;
	if (st && sql_next(st, &r)) {
		read_row(st, ret_region);
		return 0;
	}
	if (r == 0 && st)
		r = name_some(store, some, sizeof some);
	if (r != 0)
		return r;
	return why_set(why, "region_not_found", "region", "region \"%.40s\" does not exist%s%s", name, st && some[0] ? "; regions: " : "",
		       st ? some : "");
}

int store_region_list(struct store *store, const struct principal *who, const struct store_page *page,
		      void (*each)(void *arg, const struct store_region *region), void *arg, struct store_next *ret_next, struct why *why)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	unsigned limit = store_page_limit(page), given = 0;
	struct store_next next = { { 0 } }; /* ret_next may be where page->after points */
	struct store_region row = { 0 };
	int r;

	(void)why;
	if (who->kind == PRINCIPAL_NONE) {
		*ret_next = next;
		return 0;
	}
	r = sql_query(store, &st, "SELECT " COLUMNS "WHERE r.name > ?1 AND substr(r.name, 1, length(?2)) = ?2 ORDER BY r.name", "tt",
		      store_page_after(page), store_page_prefix(page));
	while (r == 0 && sql_next(st, &r)) {
		if (given == limit) {
			snprintf(next.cursor, sizeof next.cursor, "%s", row.name);
			break;
		}
		read_row(st, &row);
		each(arg, &row);
		given++;
	}
	if (r == 0)
		*ret_next = next;
	return r;
}
