/* store_network - see store_network.h. */
#include "controller/store/store_network.h"

#include "controller/store/store_finish.h"
#include "controller/store/store_internal.h"
#include "lib/base/crypto.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS "n.id, n.org, o.name, n.name, o.suspended, n.deleting, n.created_ms FROM network n JOIN org o ON o.id = n.org "

static void read_row(struct statement *st, struct store_network *ret)
{
	*ret = (struct store_network){ .id = (uint32_t)driver_int(st, 0),
				       .suspended = driver_int(st, 4),
				       .deleting = driver_int(st, 5),
				       .created_ms = (uint64_t)driver_int(st, 6) };
	sql_bytes(st, 1, ret->org, ID_LEN);
	sql_text(st, 2, ret->org_name, sizeof ret->org_name);
	sql_text(st, 3, ret->name, sizeof ret->name);
}

static int emit(struct store *store, struct op *op, const struct store_network *row)
{
	CLEAN_BUF struct buf body = BUF_INIT(RECORD_MAX);
	struct network_record rec = { .id = row->id, .suspended = row->suspended };
	int r;

	memcpy(rec.org, row->org_name, sizeof rec.org);
	memcpy(rec.name, row->name, sizeof rec.name);
	r = network_encode(&rec, &body);
	return r ? r : change_put(store, op, network_envelope(&rec), &body, row->org, NULL);
}

int network_emit_all(struct store *store, struct op *op, const uint8_t org[ID_LEN])
{
	CLEAN_STATEMENT struct statement *st = NULL;
	struct store_network row;
	int r = sql_query(store, &st, "SELECT " COLUMNS "WHERE n.org = ?1 ORDER BY n.id", "d", org);

	while (r == 0 && sql_next(st, &r)) {
		read_row(st, &row);
		r = emit(store, op, &row);
	}
	return r;
}

/* Random, valid, and never given before: `network_given` keeps them all. */
static int draw_id(struct store *store, uint64_t now_ms, uint32_t *ret_id)
{
	for (int tries = 0; tries < 64; tries++) {
		uint32_t id;
		int r;

		clock_random(&store->clock, &id, sizeof id);
		if (!addr_network_valid(id))
			continue;
		r = sql_insert(store, "INSERT INTO network_given (network, given_ms) VALUES (?1, ?2)", "ui", id, (int64_t)now_ms);
		if (r == 0)
			*ret_id = id;
		if (r != DRIVER_E_UNIQUE)
			return r;
	}
	return -EAGAIN; /* 2^31 networks were given, or the randomness is broken */
}

int store_network_create(struct store *store, struct op *op, const char *org_ref, const char *name, struct store_network *ret_network)
{
	struct store_network row = { .created_ms = clock_real_ms(&store->clock) };
	struct store_org org;
	int r = store_org_find(store, &op->principal, org_ref, &org, &op->why);

	if (r == 0)
		r = store_check_may(store, &op->principal, org.id, ACTION_DEPLOY, "networks", &op->why);
	if (r == 0)
		r = name_check_network(name, &op->why);
	if (r == 0)
		r = store_org_check_usable(&org, &op->why);
	if (r == 0)
		r = store_org_check_quota(store, op, &org, QUOTA_NETWORKS);
	if (r == 0)
		r = draw_id(store, row.created_ms, &row.id);
	if (r != 0)
		return r;
	memcpy(row.org, org.id, ID_LEN);
	memcpy(row.org_name, org.name, sizeof row.org_name);
	snprintf(row.name, sizeof row.name, "%s", name);
	r = sql_insert(store, "INSERT INTO network (id, org, name, created_ms) VALUES (?1, ?2, ?3, ?4)", "udti", row.id, row.org, row.name,
		       (int64_t)row.created_ms);
	if (r == DRIVER_E_UNIQUE)
		return why_set(&op->why, "name_taken", "name", "org \"%s\" has a network \"%s\" already", org.name, row.name);
	if (r == 0)
		r = emit(store, op, &row);
	if (r == 0)
		*ret_network = row;
	return r;
}

static int find_by_id(struct store *store, const struct principal *who, uint32_t id, const uint8_t *org, struct store_network *ret,
		      bool *ret_found)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	struct store_network row;
	int r = sql_query(store, &st, "SELECT " COLUMNS "WHERE n.id = ?1", "u", id);

	*ret_found = false;
	if (r == 0 && sql_next(st, &r)) {
		read_row(st, &row);
		*ret_found = principal_sees_org(who, row.org) && (!org || id_equal(org, row.org));
		if (*ret_found)
			*ret = row;
	}
	return r;
}

static int find_by_name(struct store *store, const struct principal *who, const char *name, const uint8_t *org,
			struct store_network *ret, unsigned *ret_n)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	struct store_network row;
	int r = sql_query(store, &st, "SELECT " COLUMNS "WHERE lower(n.name) = lower(?1) AND (?2 IS NULL OR n.org = ?2)", "td", name, org);

	*ret_n = 0;
	while (r == 0 && sql_next(st, &r)) {
		read_row(st, &row);
		if (principal_sees_org(who, row.org) && (*ret_n)++ == 0)
			*ret = row;
	}
	return r;
}

int store_network_find(struct store *store, const struct principal *who, const char *org_ref, const char *ref,
		       struct store_network *ret_network, struct why *why)
{
	struct store_network row;
	struct store_org org;
	const char *name;
	uint8_t word[4];
	bool has_org, found = false;
	unsigned n = 0;
	int r = store_org_split(store, who, org_ref, ref, &name, &has_org, &org, why);

	if (r == 0)
		r = find_by_name(store, who, name, has_org ? org.id : NULL, &row, &n);
	if (r == 0 && n == 0 && crypto_unhex(name, strlen(name), word, sizeof word) == 0)
		r = find_by_id(store, who, get_u32(word), has_org ? org.id : NULL, &row, &found);
	if (r != 0)
		return r;
	if (n > 1)
		return why_set(why, "ambiguous_network", "network", "%u orgs have a network \"%.63s\"; write org/name", n, name);
	if (n == 0 && !found)
		return why_set(why, "network_not_found", "network", "network \"%.63s\" does not exist", name);
	*ret_network = row;
	return 0;
}

int store_network_list(struct store *store, const struct principal *who, const char *org_ref, const struct store_page *page,
		       void (*each)(void *arg, const struct store_network *network), void *arg, struct store_next *ret_next, struct why *why)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	struct page_walk walk;
	struct store_network row;
	int r = page_walk_query_org_name(&walk, store, who, org_ref, page, "SELECT " COLUMNS PAGE_BY_ORG_NAME("n"), &st, why);

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

int store_network_delete(struct store *store, struct op *op, const char *org_ref, const char *ref, struct store_deletion *ret_deletion)
{
	struct store_network row;
	int r = store_network_find(store, &op->principal, org_ref, ref, &row, &op->why);

	if (r == 0)
		r = store_check_may(store, &op->principal, row.org, ACTION_DEPLOY, "networks", &op->why);
	if (r != 0)
		return r;
	if (!strcmp(row.name, "default"))
		return why_set(&op->why, "network_is_default", "network", "the network \"default\" of org \"%s\" goes with its org", row.org_name);
	return finish_delete_network(store, op, row.id, ret_deletion);
}
