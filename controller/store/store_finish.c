/* store_finish - see store_finish.h. The order of tombstones is always from below: instance, workload, flycast, app, network, tokens, org;
 * so a reader of the log never sees a thing whose parent is gone. */
#include "controller/store/store_finish.h"

#include "controller/store/store_flycast.h"
#include "controller/store/store_internal.h"
#include "controller/store/store_network.h"
#include "controller/store/store_peer_internal.h"
#include "controller/store/store_rule_internal.h"

#include <stdlib.h>
#include <string.h>

#define PEERS_AT_ONCE 20000
#define REST_MS (24u * 3600 * 1000) /* how long an instance field is not given again */

/* ---- what marked things are made of ---- */

/* Why things below are deleted: the highest thing that is marked. */
static int find_intent(struct store *store, const uint8_t app[ID_LEN], uint32_t *ret_intent)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	int r = sql_query(store, &st,
			  "SELECT o.deleting, n.deleting, a.deleting FROM app a JOIN org o ON o.id = a.org JOIN network n ON n.id = a.network "
			  "WHERE a.id = ?1",
			  "d", app);

	*ret_intent = INTENT_DELETE;
	if (r == 0 && sql_next(st, &r))
		*ret_intent = driver_int(st, 0) ? INTENT_ORG : driver_int(st, 1) ? INTENT_NETWORK : driver_int(st, 2) ? INTENT_APP : INTENT_DELETE;
	return r;
}

static int is_true(struct store *store, bool *ret_true, const char *sql, const char *types, const void *id)
{
	int64_t value = 0;
	int r = sql_get_int(store, &value, sql, types, id);

	*ret_true = r == 0 && value;
	return r == SQL_E_NONE ? 0 : r;
}

/* ---- from below: remove what is marked and empty ---- */

static int remove_org_rows(struct store *store, struct op *op, const uint8_t org[ID_LEN], const char *sql, uint32_t kind)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	uint8_t key[2 * ID_LEN];
	int r = sql_query(store, &st, sql, "d", org);

	while (r == 0 && sql_next(st, &r)) {
		size_t n;
		const void *id = driver_blob(st, 0, &n);

		if (!id || n > sizeof key)
			return -EINVAL;
		memcpy(key, id, n);
		r = change_remove(store, op, change_envelope(kind, key, n), INTENT_ORG, org);
	}
	return r;
}

static int finish_org(struct store *store, struct op *op, const uint8_t org[ID_LEN])
{
	bool ready;
	int r = is_true(store, &ready,
			"SELECT deleting AND NOT EXISTS (SELECT 1 FROM network WHERE org = ?1) FROM org WHERE id = ?1", "d", org);

	if (r != 0 || !ready)
		return r;
	r = remove_org_rows(store, op, org, "SELECT id FROM token WHERE org = ?1", RECORD_TOKEN);
	if (r == 0)
		r = remove_org_rows(store, op, org, "SELECT org || person FROM membership WHERE org = ?1", RECORD_MEMBERSHIP);
	if (r == 0)
		r = sql_run(store, "DELETE FROM token WHERE org = ?1", "d", org);
	if (r == 0)
		r = sql_run(store, "DELETE FROM membership WHERE org = ?1", "d", org);
	if (r == 0)
		r = sql_run(store, "DELETE FROM org WHERE id = ?1", "d", org); /* its principals go with it */
	return r ? r : change_remove(store, op, change_envelope(RECORD_ORG, org, ID_LEN), INTENT_DELETE, org);
}

int finish_network(struct store *store, struct op *op, uint32_t network)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	struct network_record rec = { .id = network };
	uint8_t org[ID_LEN];
	bool of_org;
	int r = sql_query(store, &st,
			  "SELECT n.org, o.deleting FROM network n JOIN org o ON o.id = n.org WHERE n.id = ?1 AND n.deleting = 1 "
			  "AND NOT EXISTS (SELECT 1 FROM app WHERE network = ?1) AND NOT EXISTS (SELECT 1 FROM peer WHERE network = ?1)",
			  "u", network);

	if (r != 0 || !sql_next(st, &r))
		return r;
	sql_bytes(st, 0, org, sizeof org);
	of_org = driver_int(st, 1);
	driver_finish(st);
	st = NULL;
	r = sql_run(store, "DELETE FROM network WHERE id = ?1", "u", network);
	if (r == 0)
		r = change_remove(store, op, network_envelope(&rec), of_org ? INTENT_ORG : INTENT_DELETE, org);
	return r ? r : finish_org(store, op, org);
}

static int finish_app(struct store *store, struct op *op, const uint8_t app[ID_LEN])
{
	CLEAN_STATEMENT struct statement *st = NULL;
	struct app_record rec = { 0 };
	uint8_t org[ID_LEN];
	uint32_t intent;
	int r = sql_query(store, &st,
			  "SELECT network, org FROM app WHERE id = ?1 AND deleting = 1 AND NOT EXISTS (SELECT 1 FROM instance WHERE app = ?1)",
			  "d", app);

	if (r != 0 || !sql_next(st, &r))
		return r;
	memcpy(rec.id, app, ID_LEN);
	rec.network = (uint32_t)driver_int(st, 0);
	sql_bytes(st, 1, org, sizeof org);
	driver_finish(st);
	st = NULL;
	r = find_intent(store, app, &intent);
	if (r == 0)
		r = flycast_remove_of_app(store, op, app, intent);
	if (r == 0)
		r = sql_run(store, "DELETE FROM app WHERE id = ?1", "d", app);
	if (r == 0)
		r = change_remove(store, op, app_envelope(&rec), intent == INTENT_APP ? INTENT_DELETE : intent, org);
	return r ? r : finish_network(store, op, rec.network);
}

int finish_instance(struct store *store, struct op *op, const struct store_instance *instance, uint32_t intent)
{
	const struct instance_record *rec = &instance->record;
	int64_t until = (int64_t)clock_real_ms(&store->clock) + REST_MS;
	int r = intent == INTENT_NONE ? find_intent(store, rec->app, &intent) : 0;

	if (r == 0)
		r = sql_run(store,
			    "INSERT INTO instance_resting (network, instance, until_ms) VALUES (?1, ?2, ?3) "
			    "ON CONFLICT (network, instance) DO UPDATE SET until_ms = excluded.until_ms",
			    "uui", rec->network, rec->instance, until);
	if (r == 0)
		r = rule_forget_instance(store, op, instance);
	if (r == 0)
		r = sql_run(store, "DELETE FROM instance WHERE id = ?1", "t", rec->id); /* its workload goes with it */
	if (r == 0)
		r = change_remove(store, op, instance_envelope(rec), intent, instance->org);
	if (r == 0)
		r = change_remove(store, op, workload_envelope(rec->id, rec->network, rec->host), intent, instance->org);
	return r ? r : finish_app(store, op, rec->app);
}

/* ---- from above: mark ---- */

/* All instances that the statement gives are to be destroyed. */
static int want_destroyed(struct store *store, struct op *op, struct statement *st)
{
	CLEAN_FREE char (*ids)[NAME_INSTANCE_ID_SIZE] = NULL;
	size_t n = 0;
	int r = instance_collect(st, &ids, &n);

	for (size_t i = 0; i < n && r == 0; i++) {
		struct store_instance instance;
		bool found;

		r = instance_get(store, ids[i], &instance, &found);
		if (r == 0 && found)
			r = instance_want(store, op, &instance, DESIRED_DESTROYED, false);
	}
	return r;
}

static int want_destroyed_of(struct store *store, struct op *op, const char *sql, const char *types, const void *id)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	int r = sql_query(store, &st, sql, types, id);

	return r ? r : want_destroyed(store, op, st);
}

/* Apps that the statement gives, which must be read whole before they are deleted from under it. */
static int finish_apps_of(struct store *store, struct op *op, const char *sql, uint32_t network)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	CLEAN_BUF struct buf ids = BUF_INIT(64u << 20);
	uint8_t id[ID_LEN];
	int r = sql_query(store, &st, sql, "u", network);

	while (r == 0 && sql_next(st, &r)) {
		sql_bytes(st, 0, id, sizeof id);
		buf_add(&ids, id, sizeof id);
	}
	if (buf_failed(&ids))
		return -ENOMEM;
	driver_finish(st);
	st = NULL;
	for (size_t at = 0; at < ids.len && r == 0; at += ID_LEN)
		r = finish_app(store, op, ids.data + at);
	return r;
}

static void say_left(struct store_deletion *ret, int64_t left, bool exists)
{
	*ret = (struct store_deletion){ .finished = !exists, .instances_left = (unsigned)left };
}

int finish_delete_app(struct store *store, struct op *op, const uint8_t app[ID_LEN], struct store_deletion *ret_deletion)
{
	int64_t left = 0;
	bool exists;
	int r = sql_run(store, "UPDATE app SET deleting = 1 WHERE id = ?1", "d", app);

	if (r == 0)
		r = rule_end_of_app(store, op, app);
	if (r == 0)
		r = want_destroyed_of(store, op, "SELECT id FROM instance WHERE app = ?1 AND desired <> 3 ORDER BY id", "d", app);
	if (r == 0)
		r = finish_app(store, op, app);
	if (r == 0)
		r = sql_get_int(store, &left, "SELECT count(*) FROM instance WHERE app = ?1", "d", app);
	if (r == 0)
		r = is_true(store, &exists, "SELECT 1 FROM app WHERE id = ?1", "d", app);
	if (r == 0)
		say_left(ret_deletion, left, exists);
	return r;
}

/* Those of apps that live in other networks too: their own go with them. */
static int remove_flycasts_of(struct store *store, struct op *op, uint32_t network)
{
	int64_t of_org = 0;
	int r = sql_get_int(store, &of_org, "SELECT o.deleting FROM network n JOIN org o ON o.id = n.org WHERE n.id = ?1", "u", network);

	return r == SQL_E_NONE ? 0 : r ? r : flycast_remove_of_network(store, op, network, of_org ? INTENT_ORG : INTENT_NETWORK);
}

/* Peers have nothing to be drained. More than fit into one change: the rest goes at the next try (store_peer_sweep). */
static int remove_peers_of(struct store *store, struct op *op, uint32_t network)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	int64_t of_org = 0;
	size_t n;
	int r = sql_get_int(store, &of_org, "SELECT o.deleting FROM network n JOIN org o ON o.id = n.org WHERE n.id = ?1", "u", network);

	if (r == SQL_E_NONE)
		return 0;
	if (r == 0)
		r = sql_query(store, &st, "SELECT id FROM peer WHERE network = ?1 ORDER BY id", "u", network);
	return r ? r : peer_remove_all(store, op, st, of_org ? INTENT_ORG : INTENT_NETWORK, PEERS_AT_ONCE, &n);
}

int finish_delete_network(struct store *store, struct op *op, uint32_t network, struct store_deletion *ret_deletion)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	int64_t left = 0, exists = 0;
	int r = sql_run(store, "UPDATE network SET deleting = 1 WHERE id = ?1", "u", network);

	if (r == 0)
		r = rule_end_of_network(store, op, network);
	if (r == 0)
		r = sql_run(store, "UPDATE app SET deleting = 1 WHERE network = ?1", "u", network);
	if (r == 0)
		r = sql_query(store, &st, "SELECT id FROM instance WHERE network = ?1 AND desired <> 3 ORDER BY id", "u", network);
	if (r == 0)
		r = want_destroyed(store, op, st);
	if (r == 0)
		r = finish_apps_of(store, op, "SELECT id FROM app WHERE network = ?1 ORDER BY id", network);
	if (r == 0)
		r = remove_peers_of(store, op, network);
	if (r == 0)
		r = remove_flycasts_of(store, op, network);
	if (r == 0)
		r = finish_network(store, op, network);
	if (r == 0)
		r = sql_get_int(store, &left, "SELECT count(*) FROM instance WHERE network = ?1", "u", network);
	if (r == 0)
		r = sql_get_int(store, &exists, "SELECT count(*) FROM network WHERE id = ?1", "u", network);
	if (r == 0)
		say_left(ret_deletion, left, exists);
	return r;
}

int finish_delete_org(struct store *store, struct op *op, const uint8_t org[ID_LEN], struct store_deletion *ret_deletion)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	uint32_t networks[64];
	size_t n = 0;
	int64_t left = 0;
	bool exists;
	int r;

	/* Networks in rounds, since each may go while the next is looked for. */
	do {
		r = sql_query(store, &st, "SELECT id FROM network WHERE org = ?1 AND deleting = 0 ORDER BY id LIMIT 64", "d", org);
		for (n = 0; r == 0 && n < ARRAY_LEN(networks) && sql_next(st, &r);)
			networks[n++] = (uint32_t)driver_int(st, 0);
		driver_finish(st);
		st = NULL;
		for (size_t i = 0; i < n && r == 0; i++)
			r = finish_delete_network(store, op, networks[i], ret_deletion);
	} while (r == 0 && n == ARRAY_LEN(networks));
	if (r == 0)
		r = finish_org(store, op, org);
	if (r == 0)
		r = sql_get_int(store, &left, "SELECT count(*) FROM instance WHERE org = ?1", "d", org);
	if (r == 0)
		r = is_true(store, &exists, "SELECT 1 FROM org WHERE id = ?1", "d", org);
	if (r == 0)
		say_left(ret_deletion, left, exists);
	return r;
}
