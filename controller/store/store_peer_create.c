/* store_peer_create - a new peer: judged, placed from the tables, given a prefix, a label and its key, in one op. Everything that can be
 * refused is refused before anything is written. */
#include "controller/store/peer_key.h"
#include "controller/store/store_finish.h"
#include "controller/store/store_internal.h"
#include "controller/store/store_network.h"
#include "controller/store/store_org.h"
#include "controller/store/store_peer_internal.h"
#include "controller/store/store_region.h"
#include "lib/base/crypto.h"
#include "lib/sixpn/peer_name.h"

#include <stdio.h>
#include <string.h>

#define EXPIRY_MAX_MS (3650ull * 86400000)

struct world { /* what the peer comes into */
	struct store_org org;
	struct store_network network;
};

/* ---- judge ---- */

static int find_world(struct store *store, struct op *op, const struct store_peer_new *in, struct world *ret)
{
	const struct principal *who = &op->principal;
	const char *network = in->network && *in->network ? in->network : "default";
	char org[ID_TEXT_SIZE];
	int r;

	if (strchr(network, '/')) {
		r = store_network_find(store, who, in->org, network, &ret->network, &op->why);
		return r ? r : store_org_find_by_id(store, who, ret->network.org, &ret->org, &op->why);
	}
	r = store_org_find(store, who, in->org, &ret->org, &op->why);
	return r ? r : store_network_find(store, who, id_text(ret->org.id, org), network, &ret->network, &op->why);
}

static int check_world(struct store *store, struct op *op, const struct world *world)
{
	int r = store_check_may(store, &op->principal, world->org.id, ACTION_PEERS, "peers", &op->why);

	if (r == 0)
		r = store_org_check_usable(&world->org, &op->why);
	if (r == 0 && world->network.deleting)
		r = why_set(&op->why, "network_deleting", "network", "network \"%s\" is being deleted", world->network.name);
	return r;
}

static int check_name_free(struct store *store, const struct world *world, const char *name, struct why *why)
{
	int64_t n = 0;
	int r = sql_get_int(store, &n, "SELECT count(*) FROM peer WHERE org = ?1 AND lower(name) = lower(?2)", "dt", world->org.id, name);

	if (r == 0 && n)
		return why_set(why, "name_taken", "name", "org \"%s\" has a peer \"%.63s\" already", world->org.name, name);
	return r;
}

static int check_input(const struct store_peer_new *in, uint64_t now, struct why *why)
{
	int r = peer_name_check(in->name, why);

	if (r == 0 && in->expires_ms && (in->expires_ms <= now || in->expires_ms > now + EXPIRY_MAX_MS))
		r = why_set(why, "value_invalid", "expires", "the expiry is in the past, or more than ten years away");
	return r;
}

/* The peer whose gateway was never told of it. */
static int remove_old(struct store *store, struct op *op, const struct store_peer_new *in, const struct world *world)
{
	struct store_peer old;
	bool found;
	int r = peer_get(store, in->instead_of, &old, &found);

	if (r != 0)
		return r;
	if (!found || !id_equal(old.org, world->org.id))
		return why_set(&op->why, "peer_not_found", "peer", "peer \"%.63s\" was deleted before its gateway knew of it", in->name);
	r = peer_check_may(store, &op->principal, &old, &op->why);
	if (r == 0)
		r = peer_remove(store, op, &old, INTENT_DELETE);
	op->keep_refusal = r == 0; /* if there is no other place it is gone all the same: nobody can use it */
	return r;
}

static int judge(struct store *store, struct op *op, const struct store_peer_new *in, struct world *ret_world)
{
	int r = find_world(store, op, in, ret_world);

	if (r == 0)
		r = check_world(store, op, ret_world);
	if (r == 0)
		r = check_input(in, clock_real_ms(&store->clock), &op->why);
	if (r == 0 && in->instead_of)
		r = remove_old(store, op, in, ret_world);
	if (r == 0)
		r = store_org_check_quota(store, op, &ret_world->org, QUOTA_PEERS);
	if (r == 0)
		r = check_name_free(store, ret_world, in->name, &op->why);
	return r ? r : peer_check_key_free(store, in->public_key, &op->why);
}

/* ---- place ---- */

/* Where the network's instances run, as weights; none: those of its org. */
static int load_weights(struct store *store, const struct world *world, struct buf *ret_weights)
{
	static const char *const queries[] = {
		"SELECT r.latitude_udeg, r.longitude_udeg, count(*) FROM instance i JOIN node h ON h.host = i.host "
		"JOIN region r ON r.name = h.region WHERE i.org = ?1 AND i.network = ?2 AND i.desired <> 3 GROUP BY r.name",
		"SELECT r.latitude_udeg, r.longitude_udeg, count(*) FROM instance i JOIN node h ON h.host = i.host "
		"JOIN region r ON r.name = h.region WHERE i.org = ?1 AND ?2 > 0 AND i.desired <> 3 GROUP BY r.name",
	};
	int r = 0;

	for (size_t q = 0; q < ARRAY_LEN(queries) && r == 0 && !ret_weights->len; q++) {
		CLEAN_STATEMENT struct statement *st = NULL;

		r = sql_query(store, &st, queries[q], "du", world->org.id, world->network.id);
		while (r == 0 && sql_next(st, &r)) {
			struct placement_weight *w = buf_reserve(ret_weights, sizeof *w);

			if (!w)
				return -ENOMEM;
			*w = (struct placement_weight){ (double)driver_int(st, 0) / 1e6, (double)driver_int(st, 1) / 1e6,
							(uint64_t)driver_int(st, 2) };
		}
	}
	return r;
}

static int place_nearest(struct store *store, struct op *op, const struct world *world, const struct placement_node *nodes, size_t n,
			 struct peer_record *rec)
{
	CLEAN_BUF struct buf weights = BUF_INIT(1u << 20);
	const char *region;
	int r = load_weights(store, world, &weights);

	if (r != 0)
		return r;
	region = placement_nearest_to(nodes, n, ROLE_GATEWAY, (const struct placement_weight *)(const void *)weights.data,
				      weights.len / sizeof(struct placement_weight));
	if (!region)
		return why_set(&op->why, "no_gateway", "region", "no region has a live gateway");
	memcpy(rec->requested_region, region, NAME_REGION_SIZE);
	return placement_peer(nodes, n, region, 0, 0, true, rec->id, sizeof rec->id, &rec->gateway, &op->why);
}

static int place(struct store *store, struct op *op, const struct store_peer_new *in, const struct world *world, struct peer_record *rec,
		 char ret_warning[STORE_PEER_WARNING_SIZE])
{
	CLEAN_BUF struct buf nodes = BUF_INIT(16u << 20);
	const struct placement_node *list;
	bool has_region = in->region && *in->region;
	struct store_region region;
	size_t n;
	int r = has_region ? store_region_find(store, &op->principal, in->region, &region, &op->why) : 0;

	if (r == 0)
		r = peer_load_gateways(store, in->live, in->n_live, &nodes);
	if (r != 0)
		return r;
	list = (const struct placement_node *)(const void *)nodes.data;
	n = nodes.len / sizeof *list;
	if (in->gateway && *in->gateway)
		return peer_place_at(store, op, in->gateway, in->region, in->live, in->n_live, &nodes, rec);
	return has_region ? peer_place_in_region(op, &region, in->strict || world->org.strict_region, &nodes, rec, ret_warning)
			  : place_nearest(store, op, world, list, n, rec);
}

/* ---- identity ---- */

static int is_prefix_free(struct store *store, const struct peer_record *rec, bool *ret_free)
{
	int64_t n = 0;
	int r = sql_get_int(store, &n,
			    "SELECT (SELECT count(*) FROM peer WHERE network = ?1 AND home_gateway = ?2 AND instance = ?3 AND slot = ?4) + "
			    "(SELECT count(*) FROM peer_resting WHERE network = ?1 AND home_gateway = ?2 AND instance = ?3 AND slot = ?4)",
			    "uuuu", rec->network, rec->home_gateway, rec->instance, rec->slot);

	*ret_free = r == 0 && n == 0;
	return r;
}

/* Drawn at random among the first 256 prefixes of the gateway in that network (..:0:a:xx02, as people know them), then among twice as
 * many, and so on: a few draws find one that is neither in use nor resting, however many there are. */
static int draw_prefix(struct store *store, struct peer_record *rec)
{
	int r = sql_run(store, "DELETE FROM peer_resting WHERE until_ms <= ?1", "i", (int64_t)clock_real_ms(&store->clock));

	rec->home_gateway = rec->gateway;
	for (uint64_t window = 256; r == 0; window *= 2) {
		uint64_t all = (ADDR_INSTANCE_MIN - ADDR_PEER_INSTANCE_MIN) * 256ull, size = window < all ? window : all;

		for (int tries = 0; r == 0 && tries < 8; tries++) {
			uint64_t at = clock_random_below(&store->clock, size);
			bool is_free;

			rec->instance = ADDR_PEER_INSTANCE_MIN + (uint32_t)(at / 256);
			rec->slot = (uint32_t)(at % 256);
			r = is_prefix_free(store, rec, &is_free);
			if (r == 0 && is_free)
				return 0;
		}
		if (window >= 2 * all)
			return -EAGAIN; /* 16 million of them, or the randomness is broken */
	}
	return r;
}

static int choose_label(struct store *store, struct peer_record *rec)
{
	for (unsigned attempt = 0; attempt <= PEER_LABEL_TRIES; attempt++) {
		int64_t n = 0;
		int r;

		peer_name_label(rec->name, attempt, rec->label);
		r = sql_get_int(store, &n, "SELECT count(*) FROM peer WHERE network = ?1 AND label = ?2", "ut", rec->network, rec->label);
		if (r != 0 || n == 0)
			return r;
	}
	return -EAGAIN;
}

static void prefix_of(const struct peer_record *rec, uint8_t ret_prefix[16])
{
	struct in6_addr a = addr_natural((struct addr_parts){ rec->network, rec->home_gateway, rec->instance, (uint16_t)(rec->slot << 8) });

	memcpy(ret_prefix, &a, 16);
}

static int insert(struct store *store, const struct store_peer *row, const struct store_peer_new *in)
{
	static const uint8_t nobody[ID_LEN];
	const struct peer_record *rec = &row->record;
	uint8_t prefix[16];
	int r;

	prefix_of(rec, prefix);
	r = sql_run(store,
		    "INSERT INTO peer (id, org, network, name, label, home_gateway, gateway, instance, slot, prefix, requested_region, "
		    "ephemeral, suspended, made_by, made_by_text, expires_at, created_ms, v) "
		    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 0, ?13, ?14, ?15, ?16, ?17)",
		    "ddutt" "uuuu" "btu" "dtiii", rec->id, row->org, rec->network, rec->name, rec->label, rec->home_gateway, rec->gateway,
		    rec->instance, rec->slot, prefix, sizeof prefix, rec->requested_region, (uint32_t)rec->ephemeral,
		    id_equal(row->made_by, nobody) ? NULL : row->made_by, row->made_by_text, (int64_t)rec->expires_at_ms,
		    (int64_t)row->created_ms, (int64_t)row->v);
	if (r == 0)
		r = sql_run(store, "INSERT INTO peer_key (peer, public_key, preshared_key) VALUES (?1, ?2, ?3)", "dkk", rec->id, in->public_key,
			    in->has_preshared_key ? in->preshared_key : NULL);
	return r;
}

int store_peer_create(struct store *store, struct op *op, const struct store_peer_new *in, struct store_peer *ret_peer,
		      char ret_warning[STORE_PEER_WARNING_SIZE])
{
	struct store_peer row = { .created_ms = clock_real_ms(&store->clock) };
	struct peer_record *rec = &row.record;
	struct world world;
	bool found;
	int r = judge(store, op, in, &world);

	ret_warning[0] = 0;
	if (r != 0)
		return r;
	id_make(&store->clock, rec->id);
	rec->network = world.network.id;
	rec->ephemeral = in->ephemeral;
	rec->expires_at_ms = in->expires_ms;
	snprintf(rec->name, sizeof rec->name, "%s", in->name);
	memcpy(row.org, world.org.id, ID_LEN);
	memcpy(row.public_key, in->public_key, sizeof row.public_key);
	memcpy(row.made_by, op->principal.id, ID_LEN);
	snprintf(row.made_by_text, sizeof row.made_by_text, "%s", op->principal.text);
	r = place(store, op, in, &world, rec, ret_warning);
	if (r == 0)
		r = choose_label(store, rec);
	if (r == 0)
		r = draw_prefix(store, rec);
	/* The key first: a gateway that sees the peer has it. */
	if (r == 0)
		r = peer_emit_key(store, op, &row, rec->gateway, in->has_preshared_key ? in->preshared_key : NULL);
	if (r == 0)
		r = peer_emit(store, op, &row);
	if (r == 0)
		r = insert(store, &row, in);
	if (r == 0)
		r = peer_get(store, rec->id, ret_peer, &found);
	return r;
}
