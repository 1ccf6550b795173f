/* store_app - see store_app.h. */
#include "controller/store/store_app.h"

#include "controller/store/store_finish.h"
#include "controller/store/store_internal.h"
#include "controller/store/store_network.h"
#include "controller/store/store_rule_internal.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS                                                                                        \
	"a.id, a.org, o.name, a.network, n.name, a.name, a.deleting, a.created_ms, "                   \
	"(SELECT count(*) FROM instance i WHERE i.app = a.id) FROM app a JOIN org o ON o.id = a.org " \
	"JOIN network n ON n.id = a.network "

static void read_row(struct statement *st, struct store_app *ret)
{
	*ret = (struct store_app){ .network = (uint32_t)driver_int(st, 3),
				   .deleting = driver_int(st, 6),
				   .created_ms = (uint64_t)driver_int(st, 7),
				   .instances = (unsigned)driver_int(st, 8) };
	sql_bytes(st, 0, ret->id, ID_LEN);
	sql_bytes(st, 1, ret->org, ID_LEN);
	sql_text(st, 2, ret->org_name, sizeof ret->org_name);
	sql_text(st, 4, ret->network_name, sizeof ret->network_name);
	sql_text(st, 5, ret->name, sizeof ret->name);
}

static int emit(struct store *store, struct op *op, const struct store_app *row)
{
	CLEAN_BUF struct buf body = BUF_INIT(RECORD_MAX);
	struct app_record rec = { .network = row->network };
	int r;

	memcpy(rec.id, row->id, ID_LEN);
	memcpy(rec.name, row->name, sizeof rec.name);
	r = app_encode(&rec, &body);
	return r ? r : change_put(store, op, app_envelope(&rec), &body, row->org, NULL);
}

static int check_create(struct store *store, struct op *op, const struct store_org *org, const char *network, const char *name,
			struct store_network *ret_network)
{
	char id[ID_TEXT_SIZE];
	int r = store_check_may(store, &op->principal, org->id, ACTION_DEPLOY, "apps", &op->why);

	if (r == 0)
		r = name_check_app(name, &op->why);
	if (r == 0)
		r = store_org_check_usable(org, &op->why);
	if (r == 0)
		r = store_network_find(store, &op->principal, id_text(org->id, id), network && *network ? network : "default", ret_network,
				       &op->why);
	if (r == 0 && !id_equal(ret_network->org, org->id)) /* "other/network" as the name of a network of this org */
		r = why_set(&op->why, "network_not_found", "network", "network \"%.63s\" does not exist in org \"%s\"", network, org->name);
	if (r == 0 && ret_network->deleting)
		r = why_set(&op->why, "network_deleting", "network", "network \"%s\" is being deleted", ret_network->name);
	if (r == 0)
		r = rule_check_name(store, ret_network->id, name, &op->why);
	return r ? r : store_org_check_quota(store, op, org, QUOTA_APPS);
}

int store_app_create(struct store *store, struct op *op, const char *org_ref, const char *network_ref, const char *name,
		     struct store_app *ret_app)
{
	struct store_app row = { .created_ms = clock_real_ms(&store->clock) };
	struct store_network network;
	struct store_org org;
	int r = store_org_find(store, &op->principal, org_ref, &org, &op->why);

	if (r == 0)
		r = check_create(store, op, &org, network_ref, name, &network);
	if (r != 0)
		return r;
	id_make(&store->clock, row.id);
	row.network = network.id;
	memcpy(row.org, org.id, ID_LEN);
	memcpy(row.org_name, org.name, sizeof row.org_name);
	memcpy(row.network_name, network.name, sizeof row.network_name);
	snprintf(row.name, sizeof row.name, "%s", name);
	r = sql_insert(store, "INSERT INTO app (id, org, network, name, created_ms) VALUES (?1, ?2, ?3, ?4, ?5)", "dduti", row.id, row.org,
		       row.network, row.name, (int64_t)row.created_ms);
	if (r == DRIVER_E_UNIQUE)
		return why_set(&op->why, "name_taken", "name", "org \"%s\" has an app \"%s\" already", org.name, row.name);
	if (r == 0)
		r = emit(store, op, &row);
	if (r == 0)
		*ret_app = row;
	return r;
}

/* Up to three org names for the sentence about an ambiguous one. */
struct found {
	struct store_app first;
	unsigned n;
	char orgs[200];
};

static void note_found(struct found *found, const struct store_app *row)
{
	size_t at = strlen(found->orgs);

	if (found->n++ == 0)
		found->first = *row;
	if (found->n <= 3)
		snprintf(found->orgs + at, sizeof found->orgs - at, "%s%s", at ? ", " : "", row->org_name);
}

static int search(struct store *store, const struct principal *who, const char *name, const uint8_t *org, struct found *ret)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	struct store_app row;
	uint8_t id[ID_LEN];
	int r;

	*ret = (struct found){ 0 };
	r = sql_query(store, &st, "SELECT " COLUMNS "WHERE lower(a.name) = lower(?1) AND (?2 IS NULL OR a.org = ?2) ORDER BY o.name", "td", name,
		      org);
	while (r == 0 && sql_next(st, &r)) {
		read_row(st, &row);
		if (principal_sees_org(who, row.org))
			note_found(ret, &row);
	}
	if (r != 0 || ret->n || id_parse(name, id) != 0)
		return r;
	driver_finish(st);
	st = NULL;
	r = sql_query(store, &st, "SELECT " COLUMNS "WHERE a.id = ?1 AND (?2 IS NULL OR a.org = ?2)", "dd", id, org);
	if (r == 0 && sql_next(st, &r)) {
		read_row(st, &row);
		if (principal_sees_org(who, row.org))
			note_found(ret, &row);
	}
	return r;
}

int store_app_find(struct store *store, const struct principal *who, const char *org_ref, const char *ref, struct store_app *ret_app,
		   struct why *why)
{
	struct found found;
	struct store_org org;
	const char *name;
	bool has_org;
	int r = store_org_split(store, who, org_ref, ref, &name, &has_org, &org, why);

	if (r == 0)
		r = search(store, who, name, has_org ? org.id : NULL, &found);
	if (r != 0)
		return r;
	if (found.n > 1)
		return why_set(why, "ambiguous_app", "app", "%u orgs have an app \"%.63s\" (%s%s); write org/name", found.n, name, found.orgs,
			       found.n > 3 ? ", ..." : "");
	if (found.n == 0)
		return why_set(why, "app_not_found", "app", "app \"%.63s\" does not exist", name);
	*ret_app = found.first;
	return 0;
}

#define LIST                                                                                                                     \
	"SELECT " COLUMNS "WHERE (a.org, lower(a.name)) > (?1, ?2) AND (?3 IS NULL OR a.org = ?3) AND "                            \
	"substr(lower(a.name), 1, length(?4)) = lower(?4) AND (?5 = 0 OR a.network = ?5) AND (?6 < 0 OR a.deleting = ?6) AND "     \
	"(?7 = '' OR EXISTS (SELECT 1 FROM instance i JOIN node h ON h.host = i.host WHERE i.app = a.id AND h.region = ?7)) "      \
	"ORDER BY a.org, lower(a.name)"

int store_app_list_where(struct store *store, const struct principal *who, const struct store_app_filter *filter,
			 const struct store_page *page, void (*each)(void *arg, const struct store_app *app), void *arg,
			 struct store_next *ret_next, struct why *why)
{
	static const struct store_app_filter all = { 0 };
	CLEAN_STATEMENT struct statement *st = NULL;
	struct page_walk walk;
	struct store_app row;
	int r;

	if (!filter)
		filter = &all;
	page_walk_begin(&walk, page);
	walk.only = principal_only_org(who);
	r = store_page_org_name(page, walk.after, walk.after_name, why);
	if (r == 0)
		r = page_walk_only_org(&walk, store, who, filter->org, why);
	if (r == 0)
		r = sql_query(store, &st, LIST, "dtdtuit", walk.after, walk.after_name, walk.only, store_page_prefix(page), filter->network,
			      filter->by_deleting ? (int64_t)filter->deleting : (int64_t)-1, filter->region ? filter->region : "");
	while (r == 0 && sql_next(st, &r)) {
		read_row(st, &row);
		if (!principal_sees_org(who, row.org))
			continue;
		if (!page_walk_take(&walk, row.org, row.name))
			break;
		each(arg, &row);
	}
	return page_walk_end(&walk, r, ret_next);
}

int store_app_list(struct store *store, const struct principal *who, const char *org_ref, const struct store_page *page,
		   void (*each)(void *arg, const struct store_app *app), void *arg, struct store_next *ret_next, struct why *why)
{
	const struct store_app_filter filter = { .org = org_ref };

	return store_app_list_where(store, who, &filter, page, each, arg, ret_next, why);
}

int store_app_delete(struct store *store, struct op *op, const char *org_ref, const char *ref, struct store_deletion *ret_deletion)
{
	struct store_app row;
	int r = store_app_find(store, &op->principal, org_ref, ref, &row, &op->why);

	if (r == 0)
		r = store_check_may(store, &op->principal, row.org, ACTION_DEPLOY, "apps", &op->why);
	return r ? r : finish_delete_app(store, op, row.id, ret_deletion);
}
