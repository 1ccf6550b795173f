/* placement - see placement.h. Rendezvous hashing: every candidate gets a weight from (id, host), the highest wins; when a node
 * leaves, only what was on it moves. */
#include "controller/store/placement.h"

#include "lib/base/crypto.h"
#include "lib/sixpn/locator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t weight(const void *id, size_t id_len, uint32_t host)
{
	uint8_t word[4], hash[CRYPTO_HASH_LEN];
	struct crypto_part parts[] = { { id, id_len }, { word, sizeof word } };

	put_u32(word, host);
	crypto_blake2b(NULL, 0, parts, ARRAY_LEN(parts), hash);
	return get_u64(hash);
}

static bool usable(const struct placement_node *n, uint32_t role)
{
	return (n->roles & role) && n->live && !n->draining && !(n->full && role == ROLE_HOST);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* "dev, nrt, ord": regions with a usable node of that role, sorted, each once; "" if none. At most 64 are named. */
static void regions_with(const struct placement_node *nodes, size_t n, uint32_t role, char *ret_text, size_t size)
{
	char names[64][NAME_REGION_SIZE];
	size_t n_names = 0, at = 0;

	ret_text[0] = 0;
	for (size_t i = 0; i < n && n_names < ARRAY_LEN(names); i++) {
		size_t k = 0;

		if (!usable(&nodes[i], role))
			continue;
		while (k < n_names && strcmp(names[k], nodes[i].region))
			k++;
		if (k == n_names)
			memcpy(names[n_names++], nodes[i].region, NAME_REGION_SIZE);
	}
	qsort(names, n_names, sizeof names[0], compare_names);
	for (size_t i = 0; i < n_names && at + 8 < size; i++)
		at += (size_t)snprintf(ret_text + at, size - at, "%s%s", i ? ", " : "", names[i]);
}

int placement_instance(const struct placement_node *nodes, size_t n, const char *region, const void *id, size_t id_len,
		       uint32_t *ret_host, struct why *why)
{
	const struct placement_node *best = NULL;
	uint64_t best_weight = 0;
	char others[320];

	for (size_t i = 0; i < n; i++) {
		uint64_t w;

		if (!usable(&nodes[i], ROLE_HOST) || strcmp(nodes[i].region, region))
			continue;
		w = weight(id, id_len, nodes[i].host);
		if (!best || nodes[i].load < best->load || (nodes[i].load == best->load && w > best_weight)) {
			best = &nodes[i];
			best_weight = w;
		}
	}
	if (best) {
		*ret_host = best->host;
		return 0;
	}
	regions_with(nodes, n, ROLE_HOST, others, sizeof others);
	if (!others[0])
		return why_set(why, "no_host", "region", "region \"%s\" has no live host with room, nor has any other", region);
	return why_set(why, "no_host_in_region", "region", "region \"%s\" has no live host with room; regions that have one: %s", region, others);
}

static const struct placement_node *heaviest_gateway(const struct placement_node *nodes, size_t n, const char *region, const void *id,
						     size_t id_len)
{
	const struct placement_node *best = NULL;
	uint64_t best_weight = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t w;

		if (!usable(&nodes[i], ROLE_GATEWAY) || strcmp(nodes[i].region, region))
			continue;
		w = weight(id, id_len, nodes[i].host);
		if (!best || w > best_weight) {
			best = &nodes[i];
			best_weight = w;
		}
	}
	return best;
}

static const char *nearest_region(const struct placement_node *nodes, size_t n, double latitude, double longitude)
{
	const char *best = NULL;
	double best_km = 0;

	for (size_t i = 0; i < n; i++) {
		double km;

		if (!usable(&nodes[i], ROLE_GATEWAY))
			continue;
		km = locator_distance_km(latitude, longitude, nodes[i].latitude, nodes[i].longitude);
		/* two regions at one place: the name decides, so that the order of candidates never does */
		if (!best || km < best_km || (km <= best_km && strcmp(nodes[i].region, best) < 0)) {
			best = nodes[i].region;
			best_km = km;
		}
	}
	return best;
}

int placement_peer(const struct placement_node *nodes, size_t n, const char *region, double latitude, double longitude, bool strict,
		   const void *id, size_t id_len, uint32_t *ret_gateway, struct why *why)
{
	const struct placement_node *best = heaviest_gateway(nodes, n, region, id, id_len);
	const char *other;
	char others[320];

	if (!best && !strict && (other = nearest_region(nodes, n, latitude, longitude)))
		best = heaviest_gateway(nodes, n, other, id, id_len);
	if (best) {
		*ret_gateway = best->host;
		return 0;
	}
	regions_with(nodes, n, ROLE_GATEWAY, others, sizeof others);
	if (!others[0])
		return why_set(why, "no_gateway", "region", "region \"%s\" has no live gateway, nor has any other", region);
	return why_set(why, "no_gateway_in_region", "region", "region \"%s\" has no live gateway; regions that have one: %s", region, others);
}

static double way_to_all(const struct placement_node *node, const struct placement_weight *where, size_t n_where)
{
	double km = 0;

	for (size_t i = 0; i < n_where; i++)
		km += (double)where[i].n * locator_distance_km(node->latitude, node->longitude, where[i].latitude, where[i].longitude);
	return km;
}

const char *placement_nearest_to(const struct placement_node *nodes, size_t n, uint32_t role, const struct placement_weight *where,
				 size_t n_where)
{
	const char *best = NULL;
	double best_km = 0;

	for (size_t i = 0; i < n; i++) {
		double km;

		if (!usable(&nodes[i], role) || (best && !strcmp(best, nodes[i].region)))
			continue;
		km = way_to_all(&nodes[i], where, n_where);
		if (!best || km < best_km || (km <= best_km && strcmp(nodes[i].region, best) < 0)) {
			best = nodes[i].region;
			best_km = km;
		}
	}
	return best;
}
