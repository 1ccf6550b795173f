/* store_log - see store_log.h. */
#include "controller/store/store_log.h"

#include "controller/store/store_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS "v, kind, key, network, node, org, deleted, intent, body, principal, request_id, committed_ms FROM log "

#define OF_COLUMNS                                                                                                             \
	"l.v, l.kind, l.key, l.network, l.node, l.org, l.deleted, l.intent, l.body, l.principal, l.request_id, l.committed_ms, "   \
	"coalesce(o.name, '') FROM log l LEFT JOIN org o ON o.id = l.org "

static void read_row(struct statement *st, struct store_log_row *ret)
{
	struct record *rec = &ret->record;
	const void *bytes;
	size_t n;

	*ret = (struct store_log_row){ .record = { .v = (uint64_t)driver_int(st, 0),
						   .kind = (uint32_t)driver_int(st, 1),
						   .network = (uint32_t)driver_int(st, 3),
						   .node = (uint32_t)driver_int(st, 4),
						   .deleted = driver_int(st, 6),
						   .intent = (uint32_t)driver_int(st, 7) },
				       .has_org = !driver_is_null(st, 5),
				       .committed_ms = (uint64_t)driver_int(st, 11) };
	bytes = driver_blob(st, 2, &n);
	rec->key_len = (uint8_t)(n < sizeof rec->key ? n : sizeof rec->key);
	if (bytes)
		memcpy(rec->key, bytes, rec->key_len);
	sql_bytes(st, 5, ret->org, ID_LEN);
	rec->body = driver_blob(st, 8, &n);
	rec->body_len = rec->body ? n : 0;
	ret->principal = driver_text(st, 9);
	ret->request_id = driver_text(st, 10);
}

int store_log_read_since(struct store *store, const struct principal *who, uint64_t after_v, unsigned limit,
			 void (*each)(void *arg, const struct store_log_row *row), void *arg, uint64_t *ret_last_v)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	struct store_log_row row;
	uint64_t last = after_v;
	int r;

	if (!principal_is_operator(who))
		return -EPERM;
	if (!limit || limit > STORE_PAGE_MAX)
		limit = STORE_PAGE_MAX;
	r = sql_query(store, &st, "SELECT " COLUMNS "WHERE v > ?1 ORDER BY v LIMIT ?2", "iu", (int64_t)after_v, limit);
	while (r == 0 && sql_next(st, &r)) {
		read_row(st, &row);
		each(arg, &row);
		last = row.record.v;
	}
	if (r == 0)
		*ret_last_v = last;
	return r;
}

int store_log_read_of(struct store *store, const struct principal *who, const uint8_t *org, uint64_t after_v, unsigned limit,
		      void (*each)(void *arg, const struct store_log_row *row, const char *org_name), void *arg, uint64_t *ret_last_v)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	struct store_log_row row;
	uint64_t last = after_v;
	unsigned n = 0;
	int r;

	if (!principal_is_operator(who))
		return -EPERM;
	if (org)
		r = sql_query(store, &st, "SELECT " OF_COLUMNS "WHERE l.v > ?1 AND l.org = ?3 ORDER BY l.v LIMIT ?2", "iud", (int64_t)after_v, limit, org);
	else
		r = sql_query(store, &st, "SELECT " OF_COLUMNS "WHERE l.v > ?1 ORDER BY l.v LIMIT ?2", "iu", (int64_t)after_v, limit);
	for (; r == 0 && sql_next(st, &r); n++) {
		read_row(st, &row);
		each(arg, &row, driver_text(st, 12));
		last = row.record.v;
	}
	if (r == 0)
		*ret_last_v = n < limit && store->head > last ? store->head : last;
	return r;
}

int store_log_read_current(struct store *store, const struct principal *who, void (*each)(void *arg, const struct record *record), void *arg)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	int r;

	if (!principal_is_operator(who))
		return -EPERM;
	r = sql_query(store, &st, "SELECT v, kind, key, network, node, body FROM record WHERE kind BETWEEN ?1 AND ?2 ORDER BY v", "uu",
		      (uint32_t)RECORD_REGION, (uint32_t)RECORD_SENDABLE_LAST);
	while (r == 0 && sql_next(st, &r)) {
		struct record rec = { .v = (uint64_t)driver_int(st, 0),
				      .kind = (uint32_t)driver_int(st, 1),
				      .network = (uint32_t)driver_int(st, 3),
				      .node = (uint32_t)driver_int(st, 4) };
		size_t n;
		const void *key = driver_blob(st, 2, &n);

		rec.key_len = (uint8_t)(n < sizeof rec.key ? n : sizeof rec.key);
		if (key)
			memcpy(rec.key, key, rec.key_len);
		rec.body = driver_blob(st, 5, &rec.body_len);
		each(arg, &rec);
	}
	return r;
}

int store_log_read_deletes(struct store *store, const struct principal *who, uint64_t after_v, uint32_t host, unsigned limit,
			   void (*each)(void *arg, const struct record *tombstone), void *arg)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	struct store_log_row row;
	int r;

	if (!principal_is_operator(who))
		return -EPERM;
	r = sql_query(store, &st,
		      "SELECT " COLUMNS "WHERE v > ?1 AND deleted = 1 AND intent <> 0 AND kind BETWEEN ?2 AND ?3 AND (node = 0 OR node = ?4) "
		      "ORDER BY v DESC LIMIT ?5",
		      "iuuuu", (int64_t)after_v, (uint32_t)RECORD_REGION, (uint32_t)RECORD_SENDABLE_LAST, host, limit);
	while (r == 0 && sql_next(st, &r)) {
		read_row(st, &row);
		row.record.body = NULL;
		row.record.body_len = 0;
		each(arg, &row.record);
	}
	return r;
}

int store_log_is_own(struct store *store, const struct principal *who, uint64_t first_v, uint64_t v, bool *ret_own)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	uint8_t org[ID_LEN];
	uint64_t n = 0;
	int r = 0;

	*ret_own = principal_is_operator(who);
	if (*ret_own || !first_v || first_v > v || v - first_v >= STORE_LOG_OWN_MAX)
		return 0;
	r = sql_query(store, &st, "SELECT org FROM log WHERE v BETWEEN ?1 AND ?2", "ii", (int64_t)first_v, (int64_t)v);
	while (r == 0 && sql_next(st, &r)) {
		if (driver_is_null(st, 0))
			return 0;
		sql_bytes(st, 0, org, ID_LEN);
		if (!principal_sees_org(who, org))
			return 0;
		n++;
	}
	*ret_own = r == 0 && n == v - first_v + 1;
	return r;
}
