/* store_peer_move - see store_peer_move.h. */
#include "controller/store/store_peer_move.h"

#include "controller/store/store_internal.h"
#include "controller/store/store_node.h"
#include "controller/store/store_peer_internal.h"
#include "controller/store/store_region.h"
#include "lib/base/crypto.h"

#include <string.h>

static bool is_live(const struct store_peer_move *in, uint32_t host)
{
	for (size_t i = 0; i < in->n_live; i++)
		if (in->live[i] == host)
			return true;
	return false;
}

/* Whoever asks for the region where it is does not ask for another gateway of it, unless that is on its way out. */
static bool stays(const struct buf *nodes, const char *region, struct peer_record *rec)
{
	const struct placement_node *list = (const struct placement_node *)(const void *)nodes->data;

	for (size_t i = 0; i < nodes->len / sizeof *list; i++)
		if (list[i].host == rec->gateway && list[i].live && !list[i].draining && !strcmp(list[i].region, region)) {
			memcpy(rec->requested_region, list[i].region, sizeof rec->requested_region);
			return true;
		}
	return false;
}

/* The region that was asked for stands in rec->requested_region afterwards. */
static int find_target(struct store *store, struct op *op, const struct store_peer_move *in, const struct store_peer *row,
		       struct peer_record *rec, char ret_warning[STORE_PEER_WARNING_SIZE])
{
	CLEAN_BUF struct buf nodes = BUF_INIT(16u << 20);
	struct store_region region;
	int64_t strict = 0;
	int r = peer_load_gateways(store, in->live, in->n_live, &nodes);

	if (r == 0 && in->gateway && *in->gateway)
		return peer_place_at(store, op, in->gateway, in->region, in->live, in->n_live, &nodes, rec);
	if (r == 0 && (!in->region || !*in->region))
		return why_set(&op->why, "value_missing", "region", "say where to: a region or a gateway");
	if (r == 0)
		r = store_region_find(store, &op->principal, in->region, &region, &op->why);
	if (r == 0)
		r = sql_get_int(store, &strict, "SELECT strict_region FROM org WHERE id = ?1", "d", row->org);
	if (r == 0 && stays(&nodes, region.name, rec))
		return 0;
	return r ? r : peer_place_in_region(op, &region, in->strict || strict, &nodes, rec, ret_warning);
}

static int read_preshared(struct store *store, const uint8_t id[ID_LEN], uint8_t ret_key[32], bool *ret_has)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	size_t len = 0;
	int r = sql_query(store, &st, "SELECT preshared_key FROM peer_key WHERE peer = ?1", "d", id);

	*ret_has = false;
	if (r == 0 && sql_next(st, &r)) {
		driver_blob(st, 0, &len);
		*ret_has = len == 32;
		sql_bytes(st, 0, ret_key, 32);
	}
	return r;
}

static int give_key(struct store *store, struct op *op, const struct store_peer *row, uint32_t gateway)
{
	uint8_t preshared[32];
	bool has;
	int r = read_preshared(store, row->record.id, preshared, &has);

	if (r == 0)
		r = peer_emit_key(store, op, row, gateway, has ? preshared : NULL);
	crypto_wipe(preshared, sizeof preshared);
	return r;
}

/* Everybody's but that gateway's. */
static int take_keys_but(struct store *store, struct op *op, const struct store_peer *row, uint32_t but_a, uint32_t but_b)
{
	uint32_t holders[PEER_GATEWAYS_MAX];
	struct peer_key_record key = { 0 };
	size_t n;
	int r = peer_key_holders(store, row->record.id, holders, &n);

	memcpy(key.peer, row->record.id, sizeof key.peer);
	for (size_t i = 0; r == 0 && i < n; i++)
		if (holders[i] != but_a && holders[i] != but_b)
			r = change_remove(store, op, peer_key_envelope(&key, row->record.network, holders[i]), INTENT_DRAIN, row->org);
	return r;
}

static int write_row(struct store *store, const struct store_peer *row)
{
	const struct peer_record *rec = &row->record;

	/* one statement: the two columns must never be equal */
	return row->next_gateway ? sql_run(store, "UPDATE peer SET gateway = ?2, next_gateway = ?3, requested_region = ?4, v = ?5 WHERE id = ?1",
					   "duuti", rec->id, rec->gateway, row->next_gateway, rec->requested_region, (int64_t)row->v)
				 : sql_run(store, "UPDATE peer SET gateway = ?2, next_gateway = NULL, requested_region = ?3, v = ?4 WHERE id = ?1",
					   "duti", rec->id, rec->gateway, rec->requested_region, (int64_t)row->v);
}

/* The record moves. The key first, as in store_peer_create; the old gateway's goes last. */
static int finish(struct store *store, struct op *op, struct store_peer *row, uint32_t target)
{
	int r = row->next_gateway == target ? 0 : give_key(store, op, row, target);

	row->record.gateway = target;
	row->next_gateway = 0;
	if (r == 0)
		r = peer_emit(store, op, row);
	if (r == 0)
		r = take_keys_but(store, op, row, target, target);
	return r ? r : write_row(store, row);
}

static int begin(struct store *store, struct op *op, struct store_peer *row, uint32_t target, bool region_changed)
{
	int r = give_key(store, op, row, target);

	row->next_gateway = target;
	if (r == 0)
		r = take_keys_but(store, op, row, row->record.gateway, target); /* it was on its way to a third */
	if (r == 0 && region_changed)
		r = peer_emit(store, op, row);
	return r ? r : write_row(store, row);
}

/* It stays. */
static int call_off(struct store *store, struct op *op, struct store_peer *row, bool region_changed)
{
	int r = take_keys_but(store, op, row, row->record.gateway, row->record.gateway);

	row->next_gateway = 0;
	if (r == 0 && region_changed)
		r = peer_emit(store, op, row);
	return r ? r : write_row(store, row);
}

static int move(struct store *store, struct op *op, const struct store_peer_move *in, struct store_peer *row,
		char ret_warning[STORE_PEER_WARNING_SIZE])
{
	struct peer_record wanted = row->record;
	bool region_changed, was_there;
	int r;

	ret_warning[0] = 0;
	r = find_target(store, op, in, row, &wanted, ret_warning);
	if (r != 0)
		return r;
	region_changed = strcmp(wanted.requested_region, row->record.requested_region) != 0;
	was_there = wanted.gateway == row->record.gateway;
	memcpy(row->record.requested_region, wanted.requested_region, sizeof row->record.requested_region);
	if (was_there)
		return row->next_gateway || region_changed ? call_off(store, op, row, region_changed) : 0;
	if (in->now || !is_live(in, row->record.gateway))
		return finish(store, op, row, wanted.gateway);
	return row->next_gateway == wanted.gateway && !region_changed ? 0 : begin(store, op, row, wanted.gateway, region_changed);
}

int store_peer_move(struct store *store, struct op *op, const char *org_ref, const char *ref, const struct store_peer_move *in,
		    struct store_peer *ret_peer, char ret_warning[STORE_PEER_WARNING_SIZE])
{
	struct store_peer row;
	bool found;
	int r = peer_find_to_change(store, op, org_ref, ref, &row);

	if (r == 0)
		r = move(store, op, in, &row, ret_warning);
	return r ? r : peer_get(store, row.record.id, ret_peer, &found);
}

int store_peer_arrived(struct store *store, struct op *op, const uint8_t peer[ID_LEN])
{
	const struct principal *who = &op->principal;
	struct store_peer row;
	bool found;
	int r = peer_get(store, peer, &row, &found);

	if (r != 0 || !found || who->kind != PRINCIPAL_NODE || !row.next_gateway || who->node != row.next_gateway)
		return r;
	r = finish(store, op, &row, row.next_gateway);
	return r ? r : store_peer_note_used(store, op, (const uint8_t(*)[ID_LEN])row.record.id, 1); /* nobody may say it again */
}

/* ---- all of a node ---- */

static int count_moves(struct store *store, uint32_t host, struct store_peer_moves *ret)
{
	int64_t left = 0, on_their_way = 0;
	int r = sql_get_int(store, &left, "SELECT count(*) FROM peer WHERE gateway = ?1 AND next_gateway IS NULL", "u", host);

	if (r == 0)
		r = sql_get_int(store, &on_their_way, "SELECT count(*) FROM peer WHERE gateway = ?1 AND next_gateway IS NOT NULL", "u", host);
	ret->left = (unsigned)left;
	ret->on_their_way = (unsigned)on_their_way;
	return r;
}

static int read_ids(struct store *store, const char *sql, uint32_t host, struct buf *ret_ids)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	uint8_t id[ID_LEN];
	int r = sql_query(store, &st, sql, "uu", host, (uint32_t)STORE_PEER_MOVES_MAX);

	while (r == 0 && sql_next(st, &r)) {
		sql_bytes(st, 0, id, sizeof id);
		buf_add(ret_ids, id, sizeof id);
	}
	return r ? r : buf_failed(ret_ids) ? -ENOMEM : 0;
}

int store_peer_move_from(struct store *store, struct op *op, const char *node_ref, const struct store_peer_move *in,
			 struct store_peer_moves *ret_moves)
{
	CLEAN_BUF struct buf ids = BUF_INIT(STORE_PEER_MOVES_MAX * ID_LEN);
	char warning[STORE_PEER_WARNING_SIZE];
	struct store_node node;
	int r = store_check_operator(&op->principal, "move the peers of a node", &op->why);

	if (r == 0)
		r = store_node_find(store, &op->principal, node_ref, &node, &op->why);
	if (r == 0)
		r = read_ids(store, "SELECT id FROM peer WHERE gateway = ?1 AND next_gateway IS NULL ORDER BY id LIMIT ?2", node.host, &ids);
	ret_moves->moved = 0;
	for (size_t at = 0; r == 0 && at < ids.len; at += ID_LEN) {
		struct store_peer row;
		bool found;

		r = peer_get(store, ids.data + at, &row, &found);
		if (r == 0 && found)
			r = move(store, op, in, &row, warning);
		if (r == 0 && found && !row.next_gateway && row.record.gateway == node.host)
			return why_set(&op->why, "gateway_same", "region",
				       "the peers of \"%s\" would stay where they are; drain it first, or name another region or gateway",
				       node.name);
		ret_moves->moved += r == 0 && found;
	}
	return r ? r : count_moves(store, node.host, ret_moves);
}

/* One batch; *ret_n says how many it were. */
static int forget_some(struct store *store, struct op *op, uint32_t host, size_t *ret_n)
{
	CLEAN_BUF struct buf ids = BUF_INIT(STORE_PEER_MOVES_MAX * ID_LEN);
	int r = read_ids(store,
			 "SELECT id FROM peer WHERE (gateway = ?1 AND next_gateway IS NOT NULL) OR next_gateway = ?1 ORDER BY id LIMIT ?2", host,
			 &ids);

	*ret_n = ids.len / ID_LEN;
	for (size_t at = 0; r == 0 && at < ids.len; at += ID_LEN) {
		struct store_peer row;
		bool found;

		r = peer_get(store, ids.data + at, &row, &found);
		if (r == 0 && found)
			r = row.record.gateway == host ? finish(store, op, &row, row.next_gateway) : call_off(store, op, &row, false);
	}
	return r;
}

int peer_forget_gateway(struct store *store, struct op *op, uint32_t host)
{
	size_t n = 1;
	int r = 0;

	while (r == 0 && n) /* each batch leaves fewer */
		r = forget_some(store, op, host, &n);
	return r;
}
