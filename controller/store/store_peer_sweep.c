/* store_peer_sweep - peers that are deleted without anybody naming them: expired, ephemeral and unused, left over from a network that is
 * being deleted, never used. In bounded batches, so that nobody waits long behind one. */
#include "controller/store/store_finish.h"
#include "controller/store/store_internal.h"
#include "controller/store/store_org.h"
#include "controller/store/store_peer_internal.h"

#include <string.h>

/* ---- what nobody asks for ---- */

static int sweep_expired(struct store *store, struct op *op, int64_t now, size_t *n)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	int r = sql_query(store, &st, "SELECT id FROM peer WHERE expires_at > 0 AND expires_at <= ?1 ORDER BY expires_at, id LIMIT 200", "i", now);

	return r ? r : peer_remove_all(store, op, st, INTENT_EXPIRED, STORE_PEER_SWEEP_MAX, n);
}

/* One that its gateway does not let in cannot be used, so that it is not used says nothing. */
static int is_let_in(struct store *store, const struct store_peer *row, bool *ret)
{
	int64_t suspended = 1;
	int r = sql_get_int(store, &suspended, "SELECT suspended FROM org WHERE id = ?1", "d", row->org);

	*ret = r == 0 && !suspended && !row->record.suspended;
	return r;
}

static int sweep_idle(struct store *store, struct op *op, const uint8_t (*idle)[ID_LEN], size_t n_idle, uint64_t made_before, size_t *n)
{
	int r = 0;

	*n = 0;
	for (size_t i = 0; i < n_idle && r == 0; i++) {
		struct store_peer row;
		bool found, let_in = false;

		r = peer_get(store, idle[i], &row, &found);
		if (r == 0 && found && row.record.ephemeral && row.created_ms <= made_before)
			r = is_let_in(store, &row, &let_in);
		if (r == 0 && let_in) {
			r = peer_remove(store, op, &row, INTENT_EXPIRED);
			++*n;
		}
	}
	return r;
}

static int sweep_marked(struct store *store, struct op *op, size_t *n)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	int64_t network = 0;
	int r = sql_get_int(store, &network, "SELECT n.id FROM network n WHERE n.deleting = 1 AND EXISTS (SELECT 1 FROM peer WHERE network = n.id) LIMIT 1",
			    "");

	*n = 0;
	if (r == SQL_E_NONE)
		return 0;
	if (r == 0)
		r = sql_query(store, &st, "SELECT id FROM peer WHERE network = ?1 ORDER BY id LIMIT 200", "u", (uint32_t)network);
	if (r == 0)
		r = peer_remove_all(store, op, st, INTENT_NETWORK, STORE_PEER_SWEEP_MAX, n);
	return r ? r : finish_network(store, op, (uint32_t)network);
}

static int find_next_expiry(struct store *store, uint64_t *ret_ms)
{
	int64_t next = 0;
	int r = sql_get_int(store, &next, "SELECT expires_at FROM peer WHERE expires_at > 0 ORDER BY expires_at LIMIT 1", "");

	*ret_ms = r == 0 ? (uint64_t)next : UINT64_MAX;
	return r == SQL_E_NONE ? 0 : r;
}

int store_peer_sweep(struct store *store, struct op *op, const uint8_t (*idle)[ID_LEN], size_t n_idle, uint64_t idle_ms,
		     struct store_peer_swept *ret_swept)
{
	uint64_t now = clock_real_ms(&store->clock);
	size_t expired = 0, unused = 0, marked = 0;
	int r = store_check_operator(&op->principal, "sweep peers", &op->why);

	if (r == 0)
		r = sweep_expired(store, op, (int64_t)now, &expired);
	if (r == 0)
		r = sweep_idle(store, op, idle, n_idle, now - idle_ms, &unused);
	if (r == 0)
		r = sweep_marked(store, op, &marked);
	if (r == 0)
		r = find_next_expiry(store, &ret_swept->next_expiry_ms);
	ret_swept->deleted = expired + unused + marked;
	ret_swept->more = marked > 0;
	return r;
}

int store_peer_note_used(struct store *store, struct op *op, const uint8_t (*ids)[ID_LEN], size_t n)
{
	int64_t now = (int64_t)clock_real_ms(&store->clock);
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = sql_run(store, "UPDATE peer SET used_ms = ?2 WHERE id = ?1 AND used_ms = 0 AND gateway = ?3", "diu", ids[i], now,
			    op->principal.node);
	return r;
}

/* ---- pruning ---- */

int store_peer_prune(struct store *store, struct op *op, const struct store_peer_prune *in,
		     void (*each)(void *arg, const struct store_peer *peer), void *arg, bool *ret_more)
{
	const struct principal *who = &op->principal;
	CLEAN_BUF struct buf ids = BUF_INIT(1u << 20);
	CLEAN_STATEMENT struct statement *st = NULL;
	struct store_org org;
	uint8_t id[ID_LEN];
	int r = store_org_find(store, who, in->org, &org, &op->why);

	if (r == 0)
		r = store_check_may(store, who, org.id, ACTION_PEERS, "peers", &op->why);
	if (r == 0)
		r = sql_query(store, &st,
			      "SELECT id FROM peer WHERE org = ?1 AND used_ms = 0 AND created_ms <= ?2 AND (?3 = 0 OR network = ?3) AND "
			      "(?4 IS NULL OR made_by = ?4) ORDER BY id LIMIT 1001",
			      "diud", org.id, (int64_t)(clock_real_ms(&store->clock) - in->older_than_ms), in->network,
			      who->own_only ? who->id : NULL);
	while (r == 0 && sql_next(st, &r)) { /* read whole before they are deleted from under it */
		sql_bytes(st, 0, id, sizeof id);
		buf_add(&ids, id, sizeof id);
	}
	if (r == 0 && buf_failed(&ids))
		r = -ENOMEM;
	*ret_more = ids.len > STORE_PEER_PRUNE_MAX * ID_LEN;
	for (size_t at = 0; r == 0 && at < ids.len && at < STORE_PEER_PRUNE_MAX * ID_LEN; at += ID_LEN) {
		struct store_peer row;
		bool found;

		r = peer_get(store, ids.data + at, &row, &found);
		if (r != 0 || !found)
			continue;
		r = peer_remove(store, op, &row, INTENT_DELETE);
		if (r == 0)
			each(arg, &row);
	}
	return r;
}
