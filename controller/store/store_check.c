/* store_check - see store_check.h. */
#include "controller/store/store_check.h"

#include "controller/store/store_audit_internal.h"
#include "controller/store/store_internal.h"
#include "controller/store/store_migration.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

/* What a right store gives 0 for; one read transaction around all of them. */
static const struct {
	const char *sql, *finding;
	int since; /* schema: an older store, as a backup is one, has no such table */
} rules[] = {
	{ "SELECT count(*) <> coalesce(max(v), 0) OR coalesce(min(v), 1) <> 1 FROM log", "its log has a gap", 0 },
	{ "SELECT coalesce((SELECT max(v) FROM log), 0) <> (SELECT v FROM meta)", "its log does not end at its counter", 0 },
	/* each current record is a row of the log, byte by byte ... */
	{ "SELECT count(*) FROM record r LEFT JOIN log l ON l.v = r.v WHERE l.v IS NULL OR l.deleted <> 0 OR l.kind <> r.kind "
	  "OR l.key <> r.key OR l.network <> r.network OR l.node <> r.node OR l.body IS NOT r.body",
	  "a record is not what the log says", 0 },
	/* ... the newest of its key, and none is missing */
	{ "SELECT (SELECT count(*) FROM (SELECT max(v) AS v FROM log GROUP BY kind, key) m JOIN log l ON l.v = m.v WHERE l.deleted = 0) "
	  "<> (SELECT count(*) FROM record)",
	  "records are missing, or deleted ones are there", 0 },
	{ "SELECT count(*) FROM (SELECT v FROM record EXCEPT SELECT max(v) FROM log GROUP BY kind, key)", "a record is not the newest of the log", 0 },
	/* the tables and the records speak of the same things */
	{ "SELECT count(*) FROM instance i WHERE NOT EXISTS (SELECT 1 FROM record r WHERE r.v = i.v)", "an instance has no record", 0 },
	{ "SELECT (SELECT count(*) FROM flycast) <> (SELECT count(*) FROM record WHERE kind = 11) OR EXISTS (SELECT 1 FROM flycast f "
	  "WHERE NOT EXISTS (SELECT 1 FROM record r WHERE r.kind = 11 AND r.key = f.id))", "addresses and their records differ", 7 },
	{ "SELECT count(*) FROM peer p WHERE NOT EXISTS (SELECT 1 FROM record r WHERE r.kind = 7 AND r.key = p.id)", "a peer has no record", 0 },
	{ "SELECT count(*) FROM record r WHERE r.kind = 9 AND NOT EXISTS (SELECT 1 FROM rule x WHERE x.id = substr(r.key, 1, 8) AND x.state = 3 "
	  "AND r.network IN (x.from_network, x.to_network))",
	  "a peering rule is in force that nobody agreed to", 6 },
	{ "SELECT count(*) FROM rule x JOIN org f ON f.id = x.from_org JOIN org t ON t.id = x.to_org WHERE x.state = 3 AND f.suspended = 0 AND "
	  "t.suspended = 0 AND (SELECT count(*) FROM record r WHERE r.kind = 9 AND substr(r.key, 1, 8) = x.id) <> 2",
	  "a peering rule has no records", 6 },
	{ "SELECT count(*) FROM rule x JOIN instance i ON (i.app = x.to_app OR i.app = x.from_app OR (x.from_app IS NULL AND i.network = "
	  "x.from_network)) WHERE x.state = 3 AND NOT EXISTS (SELECT 1 FROM record r WHERE r.kind = 10 AND r.key = CAST(x.id || i.id AS BLOB))",
	  "an instance of a peering rule has no record at the other end", 6 },
	{ "SELECT count(*) FROM peer p WHERE NOT EXISTS (SELECT 1 FROM peer_key k WHERE k.peer = p.id)", "a peer has no key", 0 },
	{ "SELECT count(*) FROM record r WHERE r.kind IN (7, 8) AND NOT EXISTS (SELECT 1 FROM peer p WHERE p.id = substr(r.key, 1, 8))",
	  "there is a record of a peer that is not there", 0 },
};

static int apply_rule(struct store *store, size_t i, struct why *why)
{
	int64_t wrong = 0;
	int r = sql_get_int(store, &wrong, rules[i].sql, "");

	if (r == 0 && wrong)
		return why_set(why, "store_corrupt", "", "%s is damaged: %s; restore a backup: sixpn backup restore FILE", store->path,
			       rules[i].finding);
	return r;
}

static int check_audit(struct store *store, struct why *why)
{
	struct store_audit_check check = { .known = NULL };
	bool there;
	int r = audit_check_whole(store, &check, &there);

	if (r == 0 && check.bad)
		return why_set(why, "store_corrupt", "", "%s is damaged: its audit is not whole: %.150s; restore a backup: sixpn backup restore FILE",
			       store->path, check.finding);
	return r;
}

static int count_rows(struct store *store, const char *sql, uint64_t *ret)
{
	int64_t n = 0;
	int r = sql_get_int(store, &n, sql, "");

	if (r == 0)
		*ret = (uint64_t)n;
	return r;
}

static int summarize(struct store *store, struct store_summary *ret_summary, struct why *why)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	struct store_summary s = { .schema = 0 };
	int r = driver_get_version(store->driver, &s.schema);

	if (r == 0 && s.schema == 0)
		return why_set(why, "store_foreign", "", "%s holds no schema: it was never opened by a controller", store->path);
	if (r == 0 && (s.schema < 0 || (size_t)s.schema > store_n_migrations))
		return why_set(why, "store_newer", "", "%s has schema %d, this program knows up to %zu; use a newer one", store->path, s.schema,
			       store_n_migrations);
	if (r == 0)
		r = sql_query(store, &st, "SELECT v, log_id, epoch, created_ms, (SELECT max(committed_ms) FROM log) FROM meta WHERE id = 1", "");
	if (r == 0 && !sql_next(st, &r) && r == 0)
		return why_set(why, "store_corrupt", "", "%s is damaged: it has no counter", store->path);
	if (r != 0)
		return r;
	s.v = (uint64_t)driver_int(st, 0);
	sql_bytes(st, 1, s.log_id, STORE_LOG_ID_LEN);
	s.epoch = (uint64_t)driver_int(st, 2);
	s.created_ms = (uint64_t)driver_int(st, 3);
	s.newest_ms = (uint64_t)driver_int(st, 4);
	r = count_rows(store, "SELECT count(*) FROM record", &s.records);
	if (r == 0)
		r = count_rows(store, "SELECT count(*) FROM org", &s.orgs);
	if (r == 0)
		r = count_rows(store, "SELECT count(*) FROM node WHERE revoked_at = 0", &s.nodes);
	if (r == 0)
		r = count_rows(store, "SELECT count(*) FROM instance", &s.instances);
	if (r == 0)
		*ret_summary = s;
	return r;
}

static bool has_wal(const char *path)
{
	char wal[PATH_MAX];
	struct stat st;

	snprintf(wal, sizeof wal, "%s-wal", path);
	return stat(wal, &st) == 0 && st.st_size > 0;
}

static int look(const char *path, bool still, bool deep, struct store_summary *ret_summary, struct why *why)
{
	char name[512];
	struct store store = { .path = name };
	int r = driver_open_reader(path, still, &store.driver, why);

	snprintf(name, sizeof name, "%s", path);
	if (r < 0 && !still && !has_wal(path)) /* a disk that cannot be written: nobody writes there either */
		r = driver_open_reader(path, true, &store.driver, why);
	if (r == 0)
		r = driver_exec(store.driver, "BEGIN"); /* one state for all of it, whoever writes meanwhile */
	if (r == 0)
		r = summarize(&store, ret_summary, why);
	if (r == 0 && deep)
		r = driver_check_all(store.driver, why);
	for (size_t i = 0; r == 0 && deep && i < ARRAY_LEN(rules); i++)
		r = rules[i].since <= ret_summary->schema ? apply_rule(&store, i, why) : 0;
	if (r == 0 && deep)
		r = check_audit(&store, why);
	driver_close(store.driver);
	if (r == -EBADMSG)
		return why_set(why, "store_corrupt", "", "%s is damaged: a page cannot be read; restore a backup: sixpn backup restore FILE", path);
	return r > E_REFUSED ? -EIO : r;
}

int store_check(const char *path, bool still, struct store_summary *ret_summary, struct why *why)
{
	return look(path, still, true, ret_summary, why);
}

int store_summarize(const char *path, bool still, struct store_summary *ret_summary, struct why *why)
{
	return look(path, still, false, ret_summary, why);
}
