/* store_peer - rows, look-ups, lists and changes of store_peer.h. Creation has a file of its own. */
#include "controller/store/store_finish.h"
#include "controller/store/store_internal.h"
#include "controller/store/store_org.h"
#include "controller/store/store_peer_internal.h"
#include "lib/base/crypto.h"

#include <stdio.h>
#include <string.h>

#define REST_MS (24u * 3600 * 1000) /* how long a prefix is not given again */

#define COLUMNS                                                                                                                \
	"p.id, p.network, p.name, p.label, p.gateway, p.home_gateway, p.instance, p.slot, p.requested_region, p.ephemeral, "   \
	"p.suspended, p.expires_at, p.org, o.name, n.name, g.name, coalesce(g.region, ''), f.gateway_host, f.gateway_port, "   \
	"f.gateway_key, k.public_key, k.preshared_key IS NOT NULL, p.made_by, p.made_by_text, p.created_ms, p.used_ms, p.v, "  \
	"coalesce(p.next_gateway, 0), f.name "                                                                                 \
	"FROM peer p JOIN peer_key k ON k.peer = p.id JOIN org o ON o.id = p.org JOIN network n ON n.id = p.network "          \
	"JOIN node g ON g.host = p.gateway JOIN node f ON f.host = coalesce(p.next_gateway, p.gateway) "

static void read_row(struct statement *st, struct store_peer *ret)
{
	struct peer_record *rec = &ret->record;

	memset(ret, 0, sizeof *ret);
	sql_bytes(st, 0, rec->id, sizeof rec->id);
	rec->network = (uint32_t)driver_int(st, 1);
	sql_text(st, 2, rec->name, sizeof rec->name);
	sql_text(st, 3, rec->label, sizeof rec->label);
	rec->gateway = (uint32_t)driver_int(st, 4);
	rec->home_gateway = (uint32_t)driver_int(st, 5);
	rec->instance = (uint32_t)driver_int(st, 6);
	rec->slot = (uint32_t)driver_int(st, 7);
	sql_text(st, 8, rec->requested_region, sizeof rec->requested_region);
	rec->ephemeral = driver_int(st, 9);
	rec->suspended = driver_int(st, 10);
	rec->expires_at_ms = (uint64_t)driver_int(st, 11);
	sql_bytes(st, 12, ret->org, ID_LEN);
	sql_text(st, 13, ret->org_name, sizeof ret->org_name);
	sql_text(st, 14, ret->network_name, sizeof ret->network_name);
	sql_text(st, 15, ret->gateway_name, sizeof ret->gateway_name);
	sql_text(st, 16, ret->region, sizeof ret->region);
	sql_text(st, 17, ret->gateway_host, sizeof ret->gateway_host);
	ret->gateway_port = (uint16_t)driver_int(st, 18);
	sql_bytes(st, 19, ret->gateway_key, sizeof ret->gateway_key);
	sql_bytes(st, 20, ret->public_key, sizeof ret->public_key);
	ret->has_preshared_key = driver_int(st, 21);
	sql_bytes(st, 22, ret->made_by, ID_LEN);
	sql_text(st, 23, ret->made_by_text, sizeof ret->made_by_text);
	ret->created_ms = (uint64_t)driver_int(st, 24);
	ret->used_ms = (uint64_t)driver_int(st, 25);
	ret->v = (uint64_t)driver_int(st, 26);
	ret->next_gateway = (uint32_t)driver_int(st, 27);
	if (ret->next_gateway)
		sql_text(st, 28, ret->next_name, sizeof ret->next_name);
}

int peer_get(struct store *store, const uint8_t id[ID_LEN], struct store_peer *ret_peer, bool *ret_found)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	int r = sql_query(store, &st, "SELECT " COLUMNS "WHERE p.id = ?1", "d", id);

	*ret_found = r == 0 && sql_next(st, &r);
	if (*ret_found)
		read_row(st, ret_peer);
	return r;
}

int peer_emit(struct store *store, struct op *op, struct store_peer *peer)
{
	CLEAN_BUF struct buf body = BUF_INIT(RECORD_MAX);
	int r = peer_encode(&peer->record, &body);

	return r ? r : change_put(store, op, peer_envelope(&peer->record), &body, peer->org, &peer->v);
}

int peer_key_holders(struct store *store, const uint8_t id[ID_LEN], uint32_t ret_gateways[PEER_GATEWAYS_MAX], size_t *ret_n)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	uint8_t first[RECORD_PEER_KEY_KEY_LEN], last[RECORD_PEER_KEY_KEY_LEN];
	int r;

	peer_key_record_key(id, 0, first);
	peer_key_record_key(id, UINT32_MAX, last);
	*ret_n = 0;
	r = sql_query(store, &st, "SELECT node FROM record WHERE kind = ?1 AND key BETWEEN ?2 AND ?3", "ubb", (uint32_t)RECORD_PEER_KEY, first,
		      sizeof first, last, sizeof last);
	while (r == 0 && *ret_n < PEER_GATEWAYS_MAX && sql_next(st, &r))
		ret_gateways[(*ret_n)++] = (uint32_t)driver_int(st, 0);
	return r;
}

int peer_emit_key(struct store *store, struct op *op, const struct store_peer *peer, uint32_t gateway, const uint8_t *preshared_key)
{
	CLEAN_BUF struct buf body = BUF_INIT(RECORD_MAX);
	struct peer_key_record rec = { .has_preshared_key = preshared_key != NULL };
	int r;

	memcpy(rec.peer, peer->record.id, sizeof rec.peer);
	memcpy(rec.public_key, peer->public_key, sizeof rec.public_key);
	if (preshared_key)
		memcpy(rec.preshared_key, preshared_key, sizeof rec.preshared_key);
	r = peer_key_encode(&rec, &body);
	if (r == 0)
		r = change_put(store, op, peer_key_envelope(&rec, peer->record.network, gateway), &body, peer->org, NULL);
	if (body.data)
		crypto_wipe(body.data, body.len);
	crypto_wipe(&rec, sizeof rec);
	return r;
}

/* ---- look-ups ---- */

static int find_by_name(struct store *store, const struct principal *who, const char *name, const uint8_t *org, struct store_peer *ret,
			unsigned *ret_n)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	struct store_peer row;
	/* two queries, so that each has an index: everybody's laptop is called so */
	int r = sql_query(store, &st,
			  org ? "SELECT " COLUMNS "WHERE p.org = ?2 AND lower(p.name) = lower(?1)" :
				"SELECT " COLUMNS "WHERE lower(p.name) = lower(?1) AND ?2 IS NULL",
			  "td", name, org);

	*ret_n = 0;
	while (r == 0 && sql_next(st, &r)) {
		read_row(st, &row);
		if (principal_sees_org(who, row.org) && (*ret_n)++ == 0)
			*ret = row;
	}
	return r;
}

int store_peer_find(struct store *store, const struct principal *who, const char *org_ref, const char *ref, struct store_peer *ret_peer,
		    struct why *why)
{
	struct store_peer row;
	struct store_org org;
	const char *name;
	uint8_t id[ID_LEN];
	bool has_org, found = false;
	unsigned n = 0;
	int r = store_org_split(store, who, org_ref, ref, &name, &has_org, &org, why);

	if (r == 0 && !has_org && principal_only_org(who)) {
		memcpy(org.id, principal_only_org(who), ID_LEN);
		has_org = true;
	}
	/* The id first: nobody can choose one, so nobody can put a name of his in front of another's peer. */
	if (r == 0 && id_parse(name, id) == 0)
		r = peer_get(store, id, &row, &found);
	if (r == 0 && found)
		found = principal_sees_org(who, row.org) && (!has_org || id_equal(org.id, row.org));
	if (r == 0 && !found)
		r = find_by_name(store, who, name, has_org ? org.id : NULL, &row, &n);
	if (r != 0)
		return r;
	if (n > 1)
		return why_set(why, "ambiguous_peer", "peer", "%u orgs have a peer \"%.63s\"; write org/name", n, name);
	if (n == 0 && !found)
		return why_set(why, "peer_not_found", "peer", "peer \"%.63s\" does not exist", name);
	*ret_peer = row;
	return 0;
}

/* One query per index that can serve it; all have the same parameters. */
#define LIST(first)                                                                                                                 \
	"SELECT " COLUMNS "WHERE " first " AND p.id > ?1 AND (?2 IS NULL OR p.org = ?2) AND (?3 = 0 OR p.network = ?3) AND "        \
	"(?4 = 0 OR p.gateway = ?4) AND (?5 = '' OR g.region = ?5) AND substr(lower(p.name), 1, length(?6)) = lower(?6) ORDER BY p.id"

static const char *list_query(const uint8_t *org, const struct store_peer_filter *filter)
{
	if (org)
		return LIST("p.org = ?2");
	if (filter->gateway)
		return LIST("p.gateway = ?4");
	return LIST("p.id >= X''");
}

int store_peer_list(struct store *store, const struct principal *who, const struct store_peer_filter *filter,
		    const struct store_page *page, void (*each)(void *arg, const struct store_peer *peer), void *arg,
		    struct store_next *ret_next, struct why *why)
{
	static const struct store_peer_filter all = { 0 };
	CLEAN_STATEMENT struct statement *st = NULL;
	struct page_walk walk;
	struct store_peer row;
	int r;

	if (!filter)
		filter = &all;
	page_walk_begin(&walk, page);
	walk.only = principal_only_org(who);
	r = store_page_id(page, walk.after, why);
	if (r == 0)
		r = page_walk_only_org(&walk, store, who, filter->org, why);
	if (r == 0)
		r = sql_query(store, &st, list_query(walk.only, filter), "dduutt", walk.after, walk.only, filter->network, filter->gateway,
			      filter->region ? filter->region : "", store_page_prefix(page));
	while (r == 0 && sql_next(st, &r)) {
		read_row(st, &row);
		if (!principal_sees_org(who, row.org))
			continue;
		if (!page_walk_take(&walk, row.record.id, NULL))
			break;
		each(arg, &row);
	}
	return page_walk_end(&walk, r, ret_next);
}

/* ---- changes ---- */

int peer_check_may(struct store *store, const struct principal *who, const struct store_peer *peer, struct why *why)
{
	int r = store_check_may(store, who, peer->org, ACTION_PEERS, "peers", why);

	if (r == 0 && who->own_only && !id_equal(who->id, peer->made_by))
		return why_set(why, "forbidden", "", "%s may change only the peers that were made with it", who->text);
	return r;
}

int peer_find_to_change(struct store *store, struct op *op, const char *org_ref, const char *ref, struct store_peer *ret_peer)
{
	int r = store_peer_find(store, &op->principal, org_ref, ref, ret_peer, &op->why);

	return r ? r : peer_check_may(store, &op->principal, ret_peer, &op->why);
}

int store_peer_update(struct store *store, struct op *op, const char *org_ref, const char *ref, const struct store_peer_update *in,
		      struct store_peer *ret_peer)
{
	struct store_peer row, was;
	struct peer_record *rec = &row.record;
	int r = peer_find_to_change(store, op, org_ref, ref, &row);

	if (r != 0)
		return r;
	if (in->set_expires && in->expires_ms && in->expires_ms <= clock_real_ms(&store->clock))
		return why_set(&op->why, "value_invalid", "expires", "the expiry is in the past; to end a peer now, delete it");
	was = row;
	if (in->set_expires)
		rec->expires_at_ms = in->expires_ms;
	if (in->set_ephemeral)
		rec->ephemeral = in->ephemeral;
	if (in->set_suspended)
		rec->suspended = in->suspended;
	if (rec->expires_at_ms != was.record.expires_at_ms || rec->ephemeral != was.record.ephemeral ||
	    rec->suspended != was.record.suspended) {
		r = peer_emit(store, op, &row);
		if (r == 0)
			r = sql_run(store, "UPDATE peer SET expires_at = ?2, ephemeral = ?3, suspended = ?4, v = ?5 WHERE id = ?1", "diuui",
				    rec->id, (int64_t)rec->expires_at_ms, (uint32_t)rec->ephemeral, (uint32_t)rec->suspended, (int64_t)row.v);
	}
	if (r == 0)
		*ret_peer = row;
	return r;
}

int store_peer_same_preshared(struct store *store, const uint8_t id[ID_LEN], const uint8_t *preshared_key, bool *ret_same)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	const void *key;
	size_t n;
	int r = sql_query(store, &st, "SELECT preshared_key FROM peer_key WHERE peer = ?1", "d", id);

	*ret_same = false;
	if (r == 0 && sql_next(st, &r)) {
		key = driver_blob(st, 0, &n);
		*ret_same = preshared_key ? n == CRYPTO_KEY_LEN && crypto_equal(key, preshared_key, CRYPTO_KEY_LEN) : n == 0;
	}
	return r;
}

int store_peer_rekey(struct store *store, struct op *op, const char *org_ref, const char *ref, const uint8_t public_key[32],
		     const uint8_t *preshared_key, struct store_peer *ret_peer)
{
	uint32_t gateways[PEER_GATEWAYS_MAX];
	struct store_peer row;
	size_t n = 0;
	int r = peer_find_to_change(store, op, org_ref, ref, &row);

	if (r == 0)
		r = peer_check_key_free(store, public_key, &op->why); /* its own too: that would be no new key */
	if (r != 0)
		return r;
	memcpy(row.public_key, public_key, 32);
	row.has_preshared_key = preshared_key != NULL;
	r = sql_run(store, "UPDATE peer_key SET public_key = ?2, preshared_key = ?3 WHERE peer = ?1", "dkk", row.record.id, public_key,
		    preshared_key);
	if (r == 0)
		r = peer_key_holders(store, row.record.id, gateways, &n);
	for (size_t i = 0; i < n && r == 0; i++)
		r = peer_emit_key(store, op, &row, gateways[i], preshared_key);
	if (r == 0)
		*ret_peer = row;
	return r;
}

int peer_check_key_free(struct store *store, const uint8_t public_key[32], struct why *why)
{
	int64_t n = 0;
	int r = sql_get_int(store, &n,
			    "SELECT (SELECT count(*) FROM peer_key WHERE public_key = ?1) + "
			    "(SELECT count(*) FROM node WHERE mesh_key = ?1 OR link_key = ?1 OR gateway_key = ?1)",
			    "k", public_key);

	if (r == 0 && n) /* whose it is may be nobody's business here */
		return why_set(why, "key_taken", "public_key", "this public key is in use already; each peer needs a key pair of its own");
	return r;
}

int peer_remove(struct store *store, struct op *op, const struct store_peer *peer, uint32_t intent)
{
	const struct peer_record *rec = &peer->record;
	uint32_t gateways[PEER_GATEWAYS_MAX];
	struct peer_key_record key = { 0 };
	size_t n = 0;
	int r = sql_run(store,
			"INSERT INTO peer_resting (network, home_gateway, instance, slot, until_ms) VALUES (?1, ?2, ?3, ?4, ?5) "
			"ON CONFLICT (network, home_gateway, instance, slot) DO UPDATE SET until_ms = excluded.until_ms",
			"uuuui", rec->network, rec->home_gateway, rec->instance, rec->slot, (int64_t)clock_real_ms(&store->clock) + REST_MS);

	if (r == 0)
		r = sql_run(store, "DELETE FROM peer WHERE id = ?1", "d", rec->id); /* its key goes with it */
	if (r == 0)
		r = change_remove(store, op, peer_envelope(rec), intent, peer->org);
	memcpy(key.peer, rec->id, sizeof key.peer);
	if (r == 0)
		r = peer_key_holders(store, rec->id, gateways, &n);
	for (size_t i = 0; i < n && r == 0; i++)
		r = change_remove(store, op, peer_key_envelope(&key, rec->network, gateways[i]), intent, peer->org);
	return r;
}

int peer_remove_all(struct store *store, struct op *op, struct statement *st, uint32_t intent, size_t max, size_t *ret_n)
{
	CLEAN_BUF struct buf ids = BUF_INIT(4u << 20);
	struct store_peer row;
	uint8_t id[ID_LEN];
	bool found;
	int r = 0;

	*ret_n = 0;
	while (ids.len < max * ID_LEN && sql_next(st, &r)) { /* read whole before they are deleted from under it */
		sql_bytes(st, 0, id, sizeof id);
		buf_add(&ids, id, sizeof id);
	}
	if (buf_failed(&ids))
		return -ENOMEM;
	for (size_t at = 0; at < ids.len && r == 0; at += ID_LEN) {
		r = peer_get(store, ids.data + at, &row, &found);
		if (r == 0 && found) {
			r = peer_remove(store, op, &row, intent);
			++*ret_n;
		}
	}
	return r;
}

int store_peer_delete(struct store *store, struct op *op, const char *org_ref, const char *ref, struct store_peer *ret_peer)
{
	struct store_peer row;
	int r = peer_find_to_change(store, op, org_ref, ref, &row);

	if (r == 0)
		r = peer_remove(store, op, &row, INTENT_DELETE);
	if (r == 0)
		r = finish_network(store, op, row.record.network);
	if (r == 0)
		*ret_peer = row;
	return r;
}
