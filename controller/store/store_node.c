/* store_node - look-ups, drain, delete and what sessions tell; see store_node.h. Enrolment is in store_node_enroll.c. */
#include "controller/store/store_node.h"

#include "controller/store/store_finish.h"
#include "controller/store/store_internal.h"
#include "controller/store/store_node_internal.h"
#include "controller/store/store_peer_internal.h"
#include "lib/base/crypto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS                                                                                                                  \
	"n.host, n.name, coalesce(n.region, ''), n.roles, n.link_key, n.mesh_key, n.endpoints, n.gateway_host, n.gateway_port, " \
	"n.draining, n.version, n.boot_id, n.boot_count, n.created_ms, n.last_seen_ms, n.revoked_at, "                           \
	"(SELECT count(*) FROM instance i WHERE i.host = n.host), n.gateway_key, n.max_instances FROM node n "

size_t node_pack_endpoints(const struct addr_endpoint *endpoints, size_t n, uint8_t *ret_bytes)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t *at = ret_bytes + i * NODE_ENDPOINT_BYTES;

		at[0] = endpoints[i].address_len;
		memcpy(at + 1, endpoints[i].address, 16);
		put_u16(at + 17, endpoints[i].port);
		at[19] = endpoints[i].lan;
	}
	return n * NODE_ENDPOINT_BYTES;
}

static void read_endpoints(struct statement *st, int column, struct store_node *ret)
{
	size_t len;
	const uint8_t *bytes = driver_blob(st, column, &len);

	for (size_t at = 0; bytes && at + NODE_ENDPOINT_BYTES <= len && ret->n_endpoints < RECORD_ENDPOINTS_MAX; at += NODE_ENDPOINT_BYTES) {
		struct addr_endpoint *e = &ret->endpoints[ret->n_endpoints++];

		e->address_len = bytes[at];
		memcpy(e->address, bytes + at + 1, 16);
		e->port = get_u16(bytes + at + 17);
		e->lan = bytes[at + 19];
	}
}

static void read_row(struct statement *st, struct store_node *ret)
{
	*ret = (struct store_node){ .host = (uint32_t)driver_int(st, 0),
				    .roles = (uint32_t)driver_int(st, 3),
				    .gateway_port = (uint16_t)driver_int(st, 8),
				    .draining = driver_int(st, 9),
				    .boot_count = (uint64_t)driver_int(st, 12),
				    .created_ms = (uint64_t)driver_int(st, 13),
				    .last_seen_ms = (uint64_t)driver_int(st, 14),
				    .revoked_ms = (uint64_t)driver_int(st, 15),
				    .instances = (unsigned)driver_int(st, 16),
				    .max_instances = (unsigned)driver_int(st, 18) };
	sql_text(st, 1, ret->name, sizeof ret->name);
	sql_text(st, 2, ret->region, sizeof ret->region);
	sql_bytes(st, 4, ret->link_key, 32);
	sql_bytes(st, 5, ret->mesh_key, 32);
	read_endpoints(st, 6, ret);
	sql_text(st, 7, ret->gateway_host, sizeof ret->gateway_host);
	sql_text(st, 10, ret->version, sizeof ret->version);
	sql_bytes(st, 11, ret->boot_id, sizeof ret->boot_id);
	sql_bytes(st, 17, ret->gateway_key, sizeof ret->gateway_key);
}

static struct node_record to_record(const struct store_node *node)
{
	static const uint8_t no_key[32];
	struct node_record rec = { .host = node->host,
				   .roles = node->roles,
				   .n_endpoints = node->n_endpoints,
				   .draining = node->draining,
				   .gateway_port = node->gateway_port };

	memcpy(rec.name, node->name, sizeof rec.name);
	memcpy(rec.region, node->region, sizeof rec.region);
	memcpy(rec.mesh_key, node->mesh_key, sizeof rec.mesh_key);
	memcpy(rec.endpoints, node->endpoints, sizeof rec.endpoints);
	memcpy(rec.gateway_host, node->gateway_host, sizeof rec.gateway_host);
	rec.has_gateway_key = !crypto_equal(node->gateway_key, no_key, sizeof no_key);
	memcpy(rec.gateway_key, node->gateway_key, sizeof rec.gateway_key);
	return rec;
}

int node_emit(struct store *store, struct op *op, const struct store_node *node)
{
	CLEAN_BUF struct buf body = BUF_INIT(RECORD_MAX);
	struct node_record rec = to_record(node);
	int r = node_encode(&rec, &body);

	return r ? r : change_put(store, op, node_envelope(&rec), &body, NULL, NULL);
}

int node_get(struct store *store, uint32_t host, struct store_node *ret_node, bool *ret_found)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	int r = sql_query(store, &st, "SELECT " COLUMNS "WHERE n.host = ?1", "u", host);

	*ret_found = r == 0 && sql_next(st, &r);
	if (*ret_found)
		read_row(st, ret_node);
	return r;
}

static int not_found(const char *ref, struct why *why)
{
	return why_set(why, "node_not_found", "node", "node \"%.63s\" does not exist", ref);
}

/* "a9a8:1", "a9a8:0001" or "a9a80001". */
static int parse_host(const char *ref, uint32_t *ret_host)
{
	unsigned locator, number;
	uint8_t word[4];
	int end = 0;

	if (crypto_unhex(ref, strlen(ref), word, sizeof word) == 0) {
		*ret_host = get_u32(word);
		return 0;
	}
	if (sscanf(ref, "%4x:%4x%n", &locator, &number, &end) != 2 || ref[end])
		return E_REFUSED;
	*ret_host = locator << 16 | number;
	return 0;
}

int store_node_find(struct store *store, const struct principal *who, const char *ref, struct store_node *ret_node, struct why *why)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	uint32_t host;
	bool found;
	int r;

	if (!principal_is_operator(who))
		return not_found(ref, why);
	r = sql_query(store, &st, "SELECT " COLUMNS "WHERE lower(n.name) = lower(?1) AND n.revoked_at = 0", "t", ref);
	if (r == 0 && sql_next(st, &r)) {
		read_row(st, ret_node);
		return 0;
	}
	if (r != 0 || parse_host(ref, &host) != 0)
		return r ? r : not_found(ref, why);
	r = node_get(store, host, ret_node, &found);
	return r || found ? r : not_found(ref, why);
}

int store_node_find_by_key(struct store *store, const struct principal *who, const uint8_t link_key[32], struct store_node *ret_node,
			   struct why *why)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	int r = 0;

	if (principal_is_operator(who))
		r = sql_query(store, &st, "SELECT " COLUMNS "WHERE n.link_key = ?1 AND n.revoked_at = 0", "k", link_key);
	if (st && r == 0 && sql_next(st, &r)) {
		read_row(st, ret_node);
		return 0;
	}
	return r ? r : why_set(why, "node_not_found", "node", "no node has that key");
}

int store_node_list(struct store *store, const struct principal *who, const struct store_node_filter *filter,
		    const struct store_page *page, void (*each)(void *arg, const struct store_node *node), void *arg,
		    struct store_next *ret_next, struct why *why)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	unsigned limit = store_page_limit(page), given = 0;
	struct store_next next = { { 0 } }; /* ret_next may be where page->after points */
	const char *region = filter && filter->region ? filter->region : "";
	struct store_node row = { 0 };
	uint32_t after = 0;
	int r;

	if (!principal_is_operator(who)) {
		*ret_next = next;
		return 0;
	}
	if (*store_page_after(page) && parse_host(store_page_after(page), &after) != 0)
		return why_set(why, "cursor_invalid", "cursor", "cursor \"%.80s\" did not come from this list", page->after);
	r = sql_query(store, &st,
		      "SELECT " COLUMNS "WHERE n.host > ?1 AND (?2 = '' OR n.region = ?2) AND (?3 = 1 OR n.revoked_at = 0) AND "
		      "substr(n.name, 1, length(?4)) = ?4 ORDER BY n.host",
		      "utut", after, region, (uint32_t)(filter && filter->with_revoked), store_page_prefix(page));
	while (r == 0 && sql_next(st, &r)) {
		if (given == limit) {
			snprintf(next.cursor, sizeof next.cursor, "%08x", row.host);
			break;
		}
		read_row(st, &row);
		each(arg, &row);
		given++;
	}
	if (r == 0)
		*ret_next = next;
	return r;
}

/* ---- changes by operators ---- */

static int find_to_change(struct store *store, struct op *op, const char *ref, struct store_node *ret)
{
	int r = store_node_find(store, &op->principal, ref, ret, &op->why);

	if (r == 0 && ret->revoked_ms)
		r = not_found(ref, &op->why);
	return r;
}

int store_node_set_room(struct store *store, struct op *op, const char *ref, unsigned max_instances, struct store_node *ret_node)
{
	struct store_node node;
	int r = find_to_change(store, op, ref, &node);

	if (r == 0 && node.max_instances != max_instances) {
		node.max_instances = max_instances;
		r = sql_run(store, "UPDATE node SET max_instances = ?2 WHERE host = ?1", "uu", node.host, (uint32_t)max_instances);
		if (r == 0)
			r = node_emit(store, op, &node); /* nodes see nothing new in it; it is in the log, and in the audit */
	}
	if (r == 0)
		*ret_node = node;
	return r;
}

int store_node_drain(struct store *store, struct op *op, const char *ref, bool draining, struct store_node *ret_node)
{
	struct store_node node;
	int r = find_to_change(store, op, ref, &node);

	if (r == 0 && node.draining != draining) {
		node.draining = draining;
		r = sql_run(store, "UPDATE node SET draining = ?2 WHERE host = ?1", "uu", node.host, (uint32_t)draining);
		if (r == 0)
			r = node_emit(store, op, &node);
	}
	if (r == 0)
		*ret_node = node;
	return r;
}

static int remove_instances(struct store *store, struct op *op, uint32_t host)
{
	CLEAN_FREE char (*ids)[NAME_INSTANCE_ID_SIZE] = NULL;
	CLEAN_STATEMENT struct statement *st = NULL;
	size_t n = 0;
	int r = sql_query(store, &st, "SELECT id FROM instance WHERE host = ?1 ORDER BY id", "u", host);

	if (r == 0)
		r = instance_collect(st, &ids, &n);
	for (size_t i = 0; i < n && r == 0; i++) {
		struct store_instance instance;
		bool found;

		r = instance_get(store, ids[i], &instance, &found);
		if (r == 0 && found)
			r = finish_instance(store, op, &instance, INTENT_NODE);
	}
	return r;
}

/* Refused while tunnels end there; some of them by name. */
static int check_no_peers(struct store *store, const struct store_node *node, struct why *why)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	char names[160] = "";
	size_t at = 0;
	int64_t n = 0;
	int r = sql_get_int(store, &n, "SELECT count(*) FROM peer WHERE gateway = ?1", "u", node->host);

	if (r == 0 && n)
		r = sql_query(store, &st, "SELECT o.name, p.name FROM peer p JOIN org o ON o.id = p.org WHERE p.gateway = ?1 ORDER BY 1, 2 LIMIT 4",
			      "u", node->host);
	while (r == 0 && st && sql_next(st, &r) && at < sizeof names)
		at += (size_t)snprintf(names + at, sizeof names - at, "%s%.30s/%.40s", at ? ", " : "", driver_text(st, 0), driver_text(st, 1));
	if (r != 0 || !n)
		return r;
	return why_set(why, "node_not_empty", "node", "the tunnels of %lld peer%s end at node \"%s\": %s%s", (long long)n, n == 1 ? "" : "s",
		       node->name, names, n > 4 ? ", ..." : "");
}

static int remove_peers(struct store *store, struct op *op, uint32_t host)
{
	size_t n = 1;
	int r = 0;

	while (r == 0 && n) { /* bounded by what one op may change (OP_RECORDS_MAX) */
		CLEAN_STATEMENT struct statement *st = NULL;

		r = sql_query(store, &st, "SELECT id FROM peer WHERE gateway = ?1 ORDER BY id", "u", host);
		if (r == 0)
			r = peer_remove_all(store, op, st, INTENT_NODE, 1000, &n);
	}
	return r;
}

int store_node_delete(struct store *store, struct op *op, const char *ref, bool force, struct store_node *ret_node)
{
	struct node_record rec;
	struct store_node node;
	int64_t wanted = 0;
	int r = find_to_change(store, op, ref, &node);

	if (r == 0)
		r = sql_get_int(store, &wanted, "SELECT count(*) FROM instance WHERE host = ?1 AND desired <> 3", "u", node.host);
	if (r != 0)
		return r;
	if (wanted && !force)
		return why_set(&op->why, "node_not_empty", "node", "%lld instance%s still run on node \"%s\"", (long long)wanted,
			       wanted == 1 ? "" : "s", node.name);
	if (!force)
		r = check_no_peers(store, &node, &op->why);
	if (r == 0)
		r = remove_instances(store, op, node.host);
	if (r == 0)
		r = peer_forget_gateway(store, op, node.host);
	if (r == 0)
		r = remove_peers(store, op, node.host);
	node.revoked_ms = clock_real_ms(&store->clock);
	node.instances = 0;
	if (r == 0)
		r = sql_run(store, "UPDATE node SET revoked_at = ?2 WHERE host = ?1", "ui", node.host, (int64_t)node.revoked_ms);
	rec = to_record(&node);
	if (r == 0)
		r = change_remove(store, op, node_envelope(&rec), INTENT_NODE, NULL);
	if (r == 0)
		*ret_node = node;
	return r;
}

/* ---- what nodes tell about themselves ---- */

int node_find_speaking(struct store *store, struct op *op, uint32_t host, struct store_node *ret)
{
	const struct principal *who = &op->principal;
	bool found = false;
	int r = 0;

	if (principal_is_operator(who) || (who->kind == PRINCIPAL_NODE && who->node == host))
		r = node_get(store, host, ret, &found);
	if (r == 0 && (!found || ret->revoked_ms))
		return why_set(&op->why, "node_not_found", "node", "node %08x does not exist", host);
	return r;
}

int store_node_session(struct store *store, struct op *op, uint32_t host, const uint8_t boot_id[16], uint64_t boot_count,
		       const char *version)
{
	struct store_node node;
	int r = node_find_speaking(store, op, host, &node);

	if (r == 0)
		r = name_check_text("version", version, sizeof node.version - 1, &op->why);
	if (r != 0)
		return r;
	if (boot_count < node.boot_count || boot_count > INT64_MAX)
		return why_set(&op->why, "node_boot_conflict", "boot_count", "node \"%s\" says it started %llu times, but %llu are known", node.name,
			       (unsigned long long)boot_count, (unsigned long long)node.boot_count);
	return sql_run(store, "UPDATE node SET boot_id = ?2, boot_count = ?3, version = ?4, last_seen_ms = ?5 WHERE host = ?1", "ubiti", host,
		       boot_id, (size_t)16, (int64_t)boot_count, version, (int64_t)clock_real_ms(&store->clock));
}

int store_node_seen(struct store *store, struct op *op, uint32_t host, uint64_t last_seen_ms)
{
	struct store_node node;
	int r = node_find_speaking(store, op, host, &node);

	return r ? r : sql_run(store, "UPDATE node SET last_seen_ms = ?2 WHERE host = ?1", "ui", host, (int64_t)last_seen_ms);
}

int store_node_set_endpoints(struct store *store, struct op *op, uint32_t host, const struct addr_endpoint *endpoints, size_t n_endpoints)
{
	uint8_t now[RECORD_ENDPOINTS_MAX * NODE_ENDPOINT_BYTES], was[RECORD_ENDPOINTS_MAX * NODE_ENDPOINT_BYTES];
	struct store_node node;
	size_t len;
	int r = node_find_speaking(store, op, host, &node);

	if (r != 0)
		return r;
	if (n_endpoints > RECORD_ENDPOINTS_MAX)
		return why_set(&op->why, "value_invalid", "endpoints", "%zu endpoints; at most %d are allowed", n_endpoints, RECORD_ENDPOINTS_MAX);
	len = node_pack_endpoints(endpoints, n_endpoints, now);
	if (len == node_pack_endpoints(node.endpoints, node.n_endpoints, was) && !memcmp(now, was, len))
		return 0;
	if (n_endpoints)
		memcpy(node.endpoints, endpoints, n_endpoints * sizeof *endpoints);
	node.n_endpoints = n_endpoints;
	r = sql_run(store, "UPDATE node SET endpoints = ?2 WHERE host = ?1", "ub", host, now, len);
	return r ? r : node_emit(store, op, &node);
}
