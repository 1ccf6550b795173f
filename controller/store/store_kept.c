/* store_kept - see store_kept.h. */
#include "controller/store/store_kept.h"

#include "controller/store/store_internal.h"

#include <stdlib.h>
#include <string.h>

#define SWEEP_MAX 200 /* expired ones that one write removes: it makes one, so they never pile up */

void store_kept_deinit(struct store_kept *kept)
{
	free(TAKE(kept->reply));
	free(TAKE(kept->wait));
}

int store_kept_find(struct store *store, const uint8_t id[32], struct store_kept *ret_kept, bool *ret_found)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	struct store_kept kept = { .status = 0 };
	int r = sql_query(store, &st,
			  "SELECT request, status, reply, wait, about, first_v, v FROM kept_reply WHERE id = ?1 AND expires_ms > ?2", "ki", id,
			  (int64_t)clock_real_ms(&store->clock));

	*ret_found = false;
	if (r != 0 || !sql_next(st, &r))
		return r;
	sql_bytes(st, 0, kept.request, sizeof kept.request);
	kept.status = (unsigned)driver_int(st, 1);
	kept.reply = strdup(driver_text(st, 2));
	kept.wait = strdup(driver_text(st, 3));
	sql_text(st, 4, kept.about, sizeof kept.about);
	kept.first_v = (uint64_t)driver_int(st, 5);
	kept.v = (uint64_t)driver_int(st, 6);
	if (!kept.wait || !kept.reply) {
		store_kept_deinit(&kept);
		return -ENOMEM;
	}
	*ret_kept = kept;
	*ret_found = true;
	return 0;
}

static int make_room(struct store *store, const uint8_t owner[ID_LEN], int64_t now, int64_t *ret_seq)
{
	int r = sql_run(store,
			"DELETE FROM kept_reply WHERE id IN (SELECT id FROM kept_reply WHERE expires_ms <= ?1 ORDER BY expires_ms LIMIT ?2)", "iu",
			now, (uint32_t)SWEEP_MAX);

	if (r == 0)
		r = sql_get_int(store, ret_seq, "SELECT coalesce(max(seq), 0) + 1 FROM kept_reply WHERE owner = ?1", "d", owner);
	/* numbers only rise, so this is the oldest, found without counting */
	return r ? r : sql_run(store, "DELETE FROM kept_reply WHERE owner = ?1 AND seq <= ?2", "di", owner, *ret_seq - STORE_KEPT_MAX);
}

int store_kept_newest(struct store *store, uint64_t *ret_v)
{
	int64_t v = 0;
	int r = sql_get_int(store, &v, "SELECT v FROM meta WHERE id = 1", "");

	*ret_v = (uint64_t)v;
	return r == SQL_E_NONE ? -EBADMSG : r;
}

int store_kept_remove(struct store *store, const uint8_t id[32])
{
	return sql_run(store, "DELETE FROM kept_reply WHERE id = ?1", "k", id);
}

int store_kept_put(struct store *store, struct op *op, const uint8_t id[32], const uint8_t owner[ID_LEN], const struct store_kept *kept)
{
	int64_t changed = driver_changed_ever(store->driver);
	int64_t now = (int64_t)clock_real_ms(&store->clock), seq = 0;
	int r = store_kept_remove(store, id);

	if (r == 0)
		r = make_room(store, owner, now, &seq);
	if (r == 0)
		r = sql_run(store,
			    "INSERT INTO kept_reply (owner, seq, id, request, status, reply, wait, about, first_v, v, expires_ms) "
			    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
			    "dikkutttiii", owner, seq, id, kept->request, (uint32_t)kept->status, kept->reply, kept->wait, kept->about,
			    (int64_t)kept->first_v, (int64_t)kept->v, now + (int64_t)STORE_KEPT_MS);
	op_excuse(op, driver_changed_ever(store->driver) - changed);
	return r;
}
