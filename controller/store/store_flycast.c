/* store_flycast - see store_flycast.h. */
#include "controller/store/store_flycast.h"

#include "controller/store/store_app.h"
#include "controller/store/store_finish.h"
#include "controller/store/store_internal.h"
#include "controller/store/store_network.h"
#include "controller/store/store_org.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define REST_MS (24u * 3600 * 1000) /* caches still know who had it */
#define COLUMNS                                                                                                          \
	"f.id, f.org, o.name, f.app, a.name, f.network, n.name, f.number, f.created_ms FROM flycast f "                  \
	"JOIN org o ON o.id = f.org JOIN app a ON a.id = f.app JOIN network n ON n.id = f.network "

static void read_row(struct statement *st, struct store_flycast *ret)
{
	*ret = (struct store_flycast){ .network = (uint32_t)driver_int(st, 5),
				       .number = (uint32_t)driver_int(st, 7),
				       .created_ms = (uint64_t)driver_int(st, 8) };
	sql_bytes(st, 0, ret->id, ID_LEN);
	sql_bytes(st, 1, ret->org, ID_LEN);
	sql_text(st, 2, ret->org_name, sizeof ret->org_name);
	sql_bytes(st, 3, ret->app, ID_LEN);
	sql_text(st, 4, ret->app_name, sizeof ret->app_name);
	sql_text(st, 6, ret->network_name, sizeof ret->network_name);
}

static struct flycast_record record_of(const struct store_flycast *row)
{
	struct flycast_record rec = { .network = row->network, .number = row->number };

	memcpy(rec.id, row->id, sizeof rec.id);
	memcpy(rec.app, row->app_name, sizeof rec.app);
	return rec;
}

static int emit(struct store *store, struct op *op, const struct store_flycast *row)
{
	CLEAN_BUF struct buf body = BUF_INIT(RECORD_MAX);
	struct flycast_record rec = record_of(row);
	int r = flycast_encode(&rec, &body);

	return r ? r : change_put(store, op, flycast_envelope(&rec), &body, row->org, NULL);
}

/* ---- create ---- */

static int find_network(struct store *store, struct op *op, const struct store_app *app, const char *ref, struct store_flycast *row)
{
	struct store_network network;
	char id[ID_TEXT_SIZE];
	int r;

	row->network = app->network;
	memcpy(row->network_name, app->network_name, sizeof row->network_name);
	if (!ref || !*ref)
		return 0;
	r = store_network_find(store, &op->principal, id_text(app->org, id), ref, &network, &op->why);
	if (r == 0 && !id_equal(network.org, app->org)) /* "other/network" */
		r = why_set(&op->why, "network_not_found", "network", "network \"%.63s\" does not exist in org \"%s\"", ref, app->org_name);
	if (r == 0 && network.deleting)
		r = why_set(&op->why, "network_deleting", "network", "network \"%s\" is being deleted", network.name);
	if (r != 0)
		return r;
	row->network = network.id;
	memcpy(row->network_name, network.name, sizeof row->network_name);
	return 0;
}

static int check_app(struct store *store, struct op *op, const struct store_app *app)
{
	struct store_org org;
	int64_t used = 0;
	int r = store_check_may(store, &op->principal, app->org, ACTION_DEPLOY, "addresses of apps", &op->why);

	if (r == 0)
		r = store_org_find_by_id(store, &op->principal, app->org, &org, &op->why);
	if (r == 0)
		r = store_org_check_usable(&org, &op->why);
	if (r == 0 && app->deleting)
		r = why_set(&op->why, "app_deleting", "app", "app \"%s\" is being deleted", app->name);
	if (r == 0)
		r = sql_get_int(store, &used, "SELECT count(*) FROM flycast WHERE app = ?1", "d", app->id);
	if (r == 0 && used >= STORE_FLYCAST_MAX)
		r = why_set(&op->why, "quota_exceeded", "app", "app \"%s\" has %lld of at most %d private addresses", app->name, (long long)used,
			    STORE_FLYCAST_MAX);
	return r;
}

/* The smallest that is neither given nor resting. */
static int find_number(struct store *store, struct op *op, struct store_flycast *row)
{
	int64_t now = (int64_t)clock_real_ms(&store->clock), number = 0;
	int r = sql_run(store, "DELETE FROM flycast_resting WHERE until_ms <= ?1", "i", now);

	if (r == 0)
		r = sql_get_int(store, &number,
				"SELECT min(c) FROM (SELECT 2 AS c UNION SELECT number + 1 FROM flycast WHERE network = ?1 UNION "
				"SELECT number + 1 FROM flycast_resting WHERE network = ?1) AS t WHERE NOT EXISTS (SELECT 1 FROM flycast "
				"WHERE network = ?1 AND number = c) AND NOT EXISTS (SELECT 1 FROM flycast_resting WHERE network = ?1 AND number = c)",
				"u", row->network);
	if (r != 0)
		return r;
	if (number < ADDR_FLYCAST_MIN || number > ADDR_FLYCAST_MAX)
		return why_set(&op->why, "flycast_used_up", "network", "network \"%s\" has no free private address: a released one rests a day",
			       row->network_name);
	row->number = (uint32_t)number;
	return 0;
}

int store_flycast_create(struct store *store, struct op *op, const char *org_ref, const char *app_ref, const char *network_ref,
			 struct store_flycast *ret_flycast)
{
	struct store_flycast row = { .created_ms = clock_real_ms(&store->clock) };
	struct in6_addr address;
	struct store_app app;
	int r = store_app_find(store, &op->principal, org_ref, app_ref, &app, &op->why);

	if (r == 0)
		r = check_app(store, op, &app);
	if (r == 0)
		r = find_network(store, op, &app, network_ref, &row);
	if (r == 0)
		r = find_number(store, op, &row);
	if (r != 0)
		return r;
	id_make(&store->clock, row.id);
	memcpy(row.org, app.org, ID_LEN);
	memcpy(row.org_name, app.org_name, sizeof row.org_name);
	memcpy(row.app, app.id, ID_LEN);
	memcpy(row.app_name, app.name, sizeof row.app_name);
	address = store_flycast_address(&row);
	r = sql_run(store, "INSERT INTO flycast (id, org, app, network, number, address, created_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)", "ddduubi",
		    row.id, row.org, row.app, row.network, row.number, &address, sizeof address, (int64_t)row.created_ms);
	if (r == 0)
		r = emit(store, op, &row);
	if (r == 0)
		*ret_flycast = row;
	return r;
}

/* ---- look-ups ---- */

int store_flycast_find(struct store *store, const struct principal *who, const char *org_ref, const char *app_ref, const char *ref,
		       struct store_flycast *ret_flycast, struct why *why)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	struct store_flycast row;
	struct in6_addr address;
	struct store_app app;
	struct store_org org;
	uint8_t id[ID_LEN];
	bool of_app = app_ref && *app_ref, of_org = org_ref && *org_ref, is_id = id_parse(ref, id) == 0;
	int r = of_app ? store_app_find(store, who, org_ref, app_ref, &app, why) : of_org ? store_org_find(store, who, org_ref, &org, why) : 0;

	if (r != 0)
		return r;
	if (is_id)
		r = sql_query(store, &st, "SELECT " COLUMNS "WHERE f.id = ?1", "d", id);
	else if (inet_pton(AF_INET6, ref, &address) == 1)
		r = sql_query(store, &st, "SELECT " COLUMNS "WHERE f.address = ?1", "b", &address, sizeof address);
	if (st && r == 0 && sql_next(st, &r)) {
		read_row(st, &row);
		if (principal_sees_org(who, row.org) && (!of_app || id_equal(row.app, app.id)) && (!of_org || of_app || id_equal(row.org, org.id))) {
			*ret_flycast = row;
			return 0;
		}
	}
	return r ? r : why_set(why, "ip_not_found", "ip", "address \"%.45s\" is not reserved%s%s", ref, of_app ? " for app " : "", of_app ? app.name : "");
}

int store_flycast_list(struct store *store, const struct principal *who, const struct store_flycast_filter *filter,
		       const struct store_page *page, void (*each)(void *arg, const struct store_flycast *flycast), void *arg,
		       struct store_next *ret_next, struct why *why)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	struct store_network network = { .id = 0 };
	struct store_flycast row;
	struct page_walk walk;
	struct store_app app;
	bool of_app = filter->app && *filter->app, in_network = filter->network && *filter->network;
	int r;

	page_walk_begin(&walk, page);
	walk.only = principal_only_org(who);
	r = store_page_id(page, walk.after, why);
	if (r == 0)
		r = page_walk_only_org(&walk, store, who, filter->org, why);
	if (r == 0 && of_app)
		r = store_app_find(store, who, filter->org, filter->app, &app, why);
	if (r == 0 && in_network)
		r = store_network_find(store, who, filter->org, filter->network, &network, why);
	if (r == 0)
		r = sql_query(store, &st,
			      "SELECT " COLUMNS "WHERE f.id > ?1 AND (?2 IS NULL OR f.org = ?2) AND (?3 IS NULL OR f.app = ?3) AND "
			      "(?4 = 0 OR f.network = ?4) AND substr(lower(hex(f.id)), 1, length(?5)) = ?5 ORDER BY f.id",
			      "dddut", walk.after, walk.only, of_app ? app.id : NULL, network.id, store_page_prefix(page));
	while (r == 0 && sql_next(st, &r)) {
		read_row(st, &row);
		if (!principal_sees_org(who, row.org))
			continue;
		if (!page_walk_take(&walk, row.id, NULL))
			break;
		each(arg, &row);
	}
	return page_walk_end(&walk, r, ret_next);
}

/* ---- release ---- */

static int remove_row(struct store *store, struct op *op, const struct store_flycast *row, uint32_t intent)
{
	struct flycast_record rec = record_of(row);
	int r = sql_run(store,
			"INSERT INTO flycast_resting (network, number, until_ms) VALUES (?1, ?2, ?3) "
			"ON CONFLICT (network, number) DO UPDATE SET until_ms = excluded.until_ms",
			"uui", row->network, row->number, (int64_t)clock_real_ms(&store->clock) + REST_MS);

	if (r == 0)
		r = sql_run(store, "DELETE FROM flycast WHERE id = ?1", "d", row->id);
	return r ? r : change_remove(store, op, flycast_envelope(&rec), intent, row->org);
}

int store_flycast_release(struct store *store, struct op *op, const char *org_ref, const char *app_ref, const char *ref,
			  struct store_flycast *ret_flycast)
{
	struct store_flycast row;
	int r = store_flycast_find(store, &op->principal, org_ref, app_ref, ref, &row, &op->why);

	if (r == 0)
		r = store_check_may(store, &op->principal, row.org, ACTION_DEPLOY, "addresses of apps", &op->why);
	if (r == 0)
		r = remove_row(store, op, &row, INTENT_DELETE);
	if (r == 0)
		*ret_flycast = row;
	return r;
}

/* Each found anew: no statement is open while its rows are deleted. */
static int remove_all(struct store *store, struct op *op, const uint8_t *app, uint32_t network, uint32_t intent)
{
	bool found = true;
	int r = 0;

	while (r == 0 && found) {
		CLEAN_STATEMENT struct statement *st = NULL;
		struct store_flycast row;

		r = sql_query(store, &st, "SELECT " COLUMNS "WHERE (?1 IS NULL OR f.app = ?1) AND (?2 = 0 OR f.network = ?2) ORDER BY f.id LIMIT 1",
			      "du", app, network);
		found = r == 0 && sql_next(st, &r);
		if (found)
			read_row(st, &row);
		driver_finish(st);
		st = NULL;
		if (r == 0 && found)
			r = remove_row(store, op, &row, intent);
	}
	return r;
}

int flycast_remove_of_app(struct store *store, struct op *op, const uint8_t app[ID_LEN], uint32_t intent)
{
	return remove_all(store, op, app, 0, intent);
}

int flycast_remove_of_network(struct store *store, struct op *op, uint32_t network, uint32_t intent)
{
	return remove_all(store, op, NULL, network, intent);
}
