/* store_instance - rows, look-ups and lists of store_instance.h. Creation and change have files of their own. */
#include "controller/store/store_instance.h"

#include "controller/store/store_app.h"
#include "controller/store/store_finish.h"
#include "controller/store/store_internal.h"
#include "controller/store/store_rule_internal.h"
#include "lib/base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS                                                                                                                   \
	"i.id, i.network, i.app, i.home_host, i.host, i.instance, i.desired, i.generation, i.observed_state, i.observed_generation, " \
	"i.observed_exit_code, i.observed_since_ms, i.observed_restarts, i.observed_message, i.group_name, i.name, i.metadata, "      \
	"i.dns_skip, i.cordoned, i.org, o.name, a.name, n.name, h.name, coalesce(h.region, ''), i.address, i.created_ms, "            \
	"i.updated_ms, i.v FROM instance i JOIN app a ON a.id = i.app JOIN org o ON o.id = i.org JOIN network n ON n.id = i.network " \
	"JOIN node h ON h.host = i.host "

static int read_metadata(const char *text, struct instance_record *rec)
{
	CLEAN_JSON json_t *doc = json_parse(text, strlen(text), NULL);
	const char *key;
	json_t *value;

	if (!doc)
		return -EBADMSG;
	json_object_foreach(doc, key, value) {
		struct metadata_pair *pair = &rec->metadata[rec->n_metadata];

		if (rec->n_metadata == RECORD_METADATA_MAX || !json_is_string(value))
			return -EBADMSG;
		snprintf(pair->key, sizeof pair->key, "%s", key);
		snprintf(pair->value, sizeof pair->value, "%s", json_string_value(value));
		rec->n_metadata++;
	}
	return 0;
}

static void read_observed(struct statement *st, int at, struct observed *ret)
{
	ret->state = (uint32_t)driver_int(st, at);
	ret->generation = (uint64_t)driver_int(st, at + 1);
	ret->exit_code = (int32_t)driver_int(st, at + 2);
	ret->since_ms = (uint64_t)driver_int(st, at + 3);
	ret->restarts = (uint32_t)driver_int(st, at + 4);
	sql_text(st, at + 5, ret->message, sizeof ret->message);
}

static int read_row(struct statement *st, struct store_instance *ret)
{
	struct instance_record *rec = &ret->record;

	memset(ret, 0, sizeof *ret);
	sql_text(st, 0, rec->id, sizeof rec->id);
	rec->network = (uint32_t)driver_int(st, 1);
	sql_bytes(st, 2, rec->app, sizeof rec->app);
	rec->home_host = (uint32_t)driver_int(st, 3);
	rec->host = (uint32_t)driver_int(st, 4);
	rec->instance = (uint32_t)driver_int(st, 5);
	rec->desired = (uint32_t)driver_int(st, 6);
	rec->generation = (uint64_t)driver_int(st, 7);
	read_observed(st, 8, &rec->observed);
	sql_text(st, 14, rec->group, sizeof rec->group);
	sql_text(st, 15, rec->name, sizeof rec->name);
	rec->dns_skip = driver_int(st, 17);
	rec->cordoned = driver_int(st, 18);
	sql_bytes(st, 19, ret->org, ID_LEN);
	sql_text(st, 20, ret->org_name, sizeof ret->org_name);
	sql_text(st, 21, ret->app_name, sizeof ret->app_name);
	sql_text(st, 22, ret->network_name, sizeof ret->network_name);
	sql_text(st, 23, ret->host_name, sizeof ret->host_name);
	sql_text(st, 24, ret->region, sizeof ret->region);
	sql_bytes(st, 25, ret->address, sizeof ret->address);
	ret->created_ms = (uint64_t)driver_int(st, 26);
	ret->updated_ms = (uint64_t)driver_int(st, 27);
	ret->v = (uint64_t)driver_int(st, 28);
	return read_metadata(driver_text(st, 16), rec);
}

int instance_get(struct store *store, const char *id, struct store_instance *ret_instance, bool *ret_found)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	int r = sql_query(store, &st, "SELECT " COLUMNS "WHERE i.id = ?1", "t", id);

	*ret_found = false;
	if (r == 0 && sql_next(st, &r)) {
		r = read_row(st, ret_instance);
		*ret_found = r == 0;
	}
	return r;
}

int instance_collect(struct statement *st, char (**ret_ids)[NAME_INSTANCE_ID_SIZE], size_t *ret_n)
{
	CLEAN_BUF struct buf ids = BUF_INIT(64u << 20);
	int r;

	while (sql_next(st, &r)) {
		char *id = buf_reserve(&ids, NAME_INSTANCE_ID_SIZE);

		if (!id)
			return -ENOMEM;
		sql_text(st, 0, id, NAME_INSTANCE_ID_SIZE);
	}
	if (r != 0)
		return r;
	*ret_n = ids.len / NAME_INSTANCE_ID_SIZE;
	*ret_ids = (void *)TAKE(ids.data);
	return 0;
}

int instance_emit(struct store *store, struct op *op, struct store_instance *instance)
{
	CLEAN_BUF struct buf body = BUF_INIT(RECORD_MAX);
	int r = instance_encode(&instance->record, &body);

	if (r == 0)
		r = change_put(store, op, instance_envelope(&instance->record), &body, instance->org, &instance->v);
	return r ? r : rule_note_instance(store, op, instance);
}

int store_instance_find(struct store *store, const struct principal *who, const char *id, struct store_instance *ret_instance,
			struct why *why)
{
	struct store_instance row;
	bool found = false;
	int r = instance_get(store, id, &row, &found);

	if (r != 0)
		return r;
	if (!found || !(principal_sees_org(who, row.org) || (who->kind == PRINCIPAL_NODE && who->node == row.record.host)))
		return why_set(why, "instance_not_found", "instance", "instance \"%.40s\" does not exist", id);
	*ret_instance = row;
	return 0;
}

/* ---- lists ---- */

struct scope {
	const uint8_t *org, *app; /* NULL = all; point into the two below or into the principal */
	struct store_org org_row;
	struct store_app app_row;
};

static int resolve_scope(struct store *store, const struct principal *who, const struct store_instance_filter *filter, struct scope *ret,
			 struct why *why)
{
	int r = 0;

	ret->app = NULL;
	ret->org = principal_only_org(who);
	if (filter->app && *filter->app) {
		r = store_app_find(store, who, filter->org, filter->app, &ret->app_row, why);
		ret->app = ret->app_row.id;
		ret->org = ret->app_row.org;
	} else if (filter->org && *filter->org) {
		r = store_org_find(store, who, filter->org, &ret->org_row, why);
		ret->org = ret->org_row.id;
	}
	return r;
}

/* One query per index that can serve it; all have the same parameters. */
#define LIST(first)                                                                                                            \
	"SELECT " COLUMNS "WHERE " first " AND i.id > ?1 AND (?2 IS NULL OR i.org = ?2) AND (?3 IS NULL OR i.app = ?3) "    \
	"AND (?4 = 0 OR i.host = ?4) AND (?5 = 0 OR i.network = ?5) AND (?6 = '' OR h.region = ?6) "                         \
	"AND (?8 < 0 OR i.observed_state = ?8) AND (substr(i.id, 1, length(?7)) = ?7 OR substr(i.name, 1, length(?7)) = ?7) ORDER BY i.id"

static const char *list_query(const struct scope *scope, const struct store_instance_filter *filter)
{
	if (scope->app)
		return LIST("i.app = ?3");
	if (filter->host)
		return LIST("i.host = ?4");
	if (scope->org)
		return LIST("i.org = ?2");
	return LIST("i.id >= ''");
}

int store_instance_list(struct store *store, const struct principal *who, const struct store_instance_filter *filter,
			const struct store_page *page, void (*each)(void *arg, const struct store_instance *instance), void *arg,
			struct store_next *ret_next, struct why *why)
{
	static const struct store_instance_filter all = { 0 };
	CLEAN_STATEMENT struct statement *st = NULL;
	unsigned limit = store_page_limit(page), given = 0;
	struct store_next next = { { 0 } }; /* ret_next may be where page->after points */
	char last[NAME_INSTANCE_ID_SIZE] = "";
	struct store_instance row;
	struct scope scope;
	int r;

	if (!filter)
		filter = &all;
	r = resolve_scope(store, who, filter, &scope, why);
	if (r == 0)
		r = sql_query(store, &st, list_query(&scope, filter), "tdduutti", store_page_after(page), scope.org, scope.app, filter->host,
			      filter->network, filter->region ? filter->region : "", store_page_prefix(page),
			      filter->by_state ? (int64_t)filter->state : (int64_t)-1);
	while (r == 0 && sql_next(st, &r)) {
		r = read_row(st, &row);
		if (r != 0 || !principal_sees_org(who, row.org))
			continue;
		if (given == limit) {
			snprintf(next.cursor, sizeof next.cursor, "%s", last);
			break;
		}
		each(arg, &row);
		memcpy(last, row.record.id, sizeof last);
		given++;
	}
	if (r == 0)
		*ret_next = next;
	return r;
}

int store_instance_get_spec(struct store *store, const struct principal *who, const char *id, struct buf *ret_spec, struct why *why)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	struct store_instance row;
	const void *spec;
	size_t n;
	int r = store_instance_find(store, who, id, &row, why);

	if (r == 0 && who->kind != PRINCIPAL_NODE)
		r = store_check_role(who, row.org, ACTION_DEPLOY, "instances, so it may not read their environment either", why);
	if (r == 0)
		r = sql_query(store, &st, "SELECT spec FROM workload WHERE instance = ?1", "t", id);
	if (r == 0 && sql_next(st, &r)) {
		spec = driver_blob(st, 0, &n);
		buf_add(ret_spec, spec, n);
		return buf_failed(ret_spec) ? -ENOMEM : 0;
	}
	return r;
}
