/* store_node_gateway - what a gateway says of itself to customers: the name, port and key that go into their files. */
#include "controller/store/store_internal.h"
#include "controller/store/store_node_internal.h"
#include "lib/base/crypto.h"

#include <stdio.h>
#include <string.h>

const uint8_t *node_gateway_key_or_null(const uint8_t key[32])
{
	static const uint8_t none[32];

	return crypto_equal(key, none, sizeof none) ? NULL : key;
}

int node_check_gateway_key(struct store *store, const uint8_t key[32], const uint8_t mesh_key[32], const uint8_t link_key[32], uint32_t host,
			   struct why *why)
{
	int64_t n = 0;
	int r;

	if (!node_gateway_key_or_null(key))
		return why_set(why, "value_invalid", "gateway_key", "a gateway key of zeros is none");
	if (crypto_equal(key, mesh_key, 32) || crypto_equal(key, link_key, 32))
		return why_set(why, "value_invalid", "gateway_key", "the key for peers must be another than link key and mesh key");
	r = sql_get_int(store, &n,
			"SELECT (SELECT count(*) FROM node WHERE (gateway_key = ?1 OR mesh_key = ?1 OR link_key = ?1) AND host <> ?2) + "
			"(SELECT count(*) FROM peer_key WHERE public_key = ?1)",
			"ku", key, host);
	if (r == 0 && n)
		return why_set(why, "gateway_key_in_use", "gateway_key", "another node or a peer has this key already");
	return r;
}

int store_node_set_gateway(struct store *store, struct op *op, uint32_t host, const char *gateway_host, uint16_t port, const uint8_t key[32])
{
	struct store_node node;
	int r = node_find_speaking(store, op, host, &node);

	if (r == 0)
		r = name_check_hostname("gateway_host", gateway_host, &op->why);
	if (r != 0)
		return r;
	if (!(node.roles & ROLE_GATEWAY) || !port)
		return why_set(&op->why, "value_invalid", "gateway", "node \"%s\" is no gateway, or says no port", node.name);
	if (!strcmp(node.gateway_host, gateway_host) && node.gateway_port == port && !memcmp(node.gateway_key, key, 32))
		return 0;
	r = node_check_gateway_key(store, key, node.mesh_key, node.link_key, host, &op->why);
	if (r != 0)
		return r;
	snprintf(node.gateway_host, sizeof node.gateway_host, "%s", gateway_host);
	node.gateway_port = port;
	memcpy(node.gateway_key, key, sizeof node.gateway_key);
	r = sql_run(store, "UPDATE node SET gateway_host = ?2, gateway_port = ?3, gateway_key = ?4 WHERE host = ?1", "utuk", host, gateway_host,
		    (uint32_t)port, key);
	return r ? r : node_emit(store, op, &node);
}
