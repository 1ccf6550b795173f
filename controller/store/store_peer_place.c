/* store_peer_place - where the tunnel of a peer ends: candidates from the tables, liveness from the op, the choice by placement.h. */
#include "controller/store/store_internal.h"
#include "controller/store/store_node_internal.h"
#include "controller/store/store_peer_internal.h"
#include "lib/base/crypto.h"

#include <stdio.h>
#include <string.h>

static bool is_live(const uint32_t *live, size_t n_live, uint32_t host)
{
	for (size_t i = 0; i < n_live; i++)
		if (live[i] == host)
			return true;
	return false;
}

int peer_load_gateways(struct store *store, const uint32_t *live, size_t n_live, struct buf *ret_nodes)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	int r = sql_query(store, &st,
			  "SELECT n.host, n.name, n.region, r.latitude_udeg, r.longitude_udeg, n.roles, n.draining, "
			  "n.gateway_key IS NOT NULL AND n.gateway_host <> '' "
			  "FROM node n JOIN region r ON r.name = n.region WHERE n.revoked_at = 0 AND n.roles & 2 ORDER BY n.host",
			  "");

	while (r == 0 && sql_next(st, &r)) {
		struct placement_node *node = buf_reserve(ret_nodes, sizeof *node);

		if (!node)
			return -ENOMEM;
		*node = (struct placement_node){ .host = (uint32_t)driver_int(st, 0),
						 .latitude = (double)driver_int(st, 3) / 1e6,
						 .longitude = (double)driver_int(st, 4) / 1e6,
						 .roles = (uint32_t)driver_int(st, 5),
						 .draining = driver_int(st, 6) };
		sql_text(st, 1, node->name, sizeof node->name);
		sql_text(st, 2, node->region, sizeof node->region);
		node->live = driver_int(st, 7) && is_live(live, n_live, node->host);
	}
	return r;
}

static int find_node(struct store *store, const char *name, struct store_node *ret, bool *ret_found)
{
	int64_t host = 0;
	int r = sql_get_int(store, &host, "SELECT host FROM node WHERE lower(name) = lower(?1) AND revoked_at = 0", "t", name);

	*ret_found = false;
	if (r == SQL_E_NONE)
		return 0;
	return r ? r : node_get(store, (uint32_t)host, ret, ret_found);
}

int peer_check_gateway(struct store *store, const char *name, const char *region, const uint32_t *live, size_t n_live,
		       uint32_t *ret_gateway, struct why *why)
{
	static const uint8_t no_key[32];
	struct store_node node;
	bool found;
	int r = find_node(store, name, &node, &found);

	if (r != 0)
		return r;
	if (!found || !(node.roles & ROLE_GATEWAY)) /* customers are not told which hosts there are */
		return why_set(why, "gateway_not_found", "gateway", "gateway \"%.63s\" does not exist", name);
	if (region && *region && strcmp(region, node.region))
		return why_set(why, "gateway_wrong_region", "gateway", "gateway \"%s\" is in region \"%s\", not \"%.3s\"", node.name, node.region,
			       region);
	if (node.draining)
		return why_set(why, "gateway_not_live", "gateway", "gateway \"%s\" is being drained", node.name);
	if (!is_live(live, n_live, node.host))
		return why_set(why, "gateway_not_live", "gateway", "gateway \"%s\" has not been heard of lately", node.name);
	if (!node.gateway_host[0] || crypto_equal(node.gateway_key, no_key, sizeof no_key))
		return why_set(why, "gateway_not_live", "gateway", "gateway \"%s\" has not said yet by which name and key it is reached", node.name);
	*ret_gateway = node.host;
	return 0;
}

static const char *region_of(const struct placement_node *nodes, size_t n, uint32_t host)
{
	static const char none[NAME_REGION_SIZE];

	for (size_t i = 0; i < n; i++)
		if (nodes[i].host == host)
			return nodes[i].region;
	return none;
}

int peer_place_at(struct store *store, struct op *op, const char *name, const char *region, const uint32_t *live, size_t n_live,
		  const struct buf *nodes, struct peer_record *rec)
{
	const struct placement_node *list = (const struct placement_node *)(const void *)nodes->data;
	int r = peer_check_gateway(store, name, region, live, n_live, &rec->gateway, &op->why);

	if (r == 0)
		memcpy(rec->requested_region, region_of(list, nodes->len / sizeof *list, rec->gateway), NAME_REGION_SIZE);
	return r;
}

int peer_place_in_region(struct op *op, const struct store_region *region, bool strict, const struct buf *nodes, struct peer_record *rec,
			 char ret_warning[STORE_PEER_WARNING_SIZE])
{
	const struct placement_node *list = (const struct placement_node *)(const void *)nodes->data;
	size_t n = nodes->len / sizeof *list;
	const char *given;
	int r = placement_peer(list, n, region->name, region->latitude_udeg / 1e6, region->longitude_udeg / 1e6, strict, rec->id,
			       sizeof rec->id, &rec->gateway, &op->why);

	if (r != 0)
		return r;
	memcpy(rec->requested_region, region->name, sizeof rec->requested_region);
	given = region_of(list, n, rec->gateway);
	if (strcmp(given, region->name))
		snprintf(ret_warning, STORE_PEER_WARNING_SIZE,
			 "region \"%s\" has no live gateway; the nearest region that has one is \"%s\", so the peer ends there", region->name,
			 given);
	return 0;
}
