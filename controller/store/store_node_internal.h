/* store_node_internal - what the files about nodes share. Internal to the store. */
#pragma once
#include "controller/store/store_node.h"
#include "controller/store/store_node_token.h"

int node_get(struct store *store, uint32_t host, struct store_node *ret_node, bool *ret_found) MUST_CHECK;
/* Of the node itself, or for an operator; not revoked. */
int node_find_speaking(struct store *store, struct op *op, uint32_t host, struct store_node *ret_node) MUST_CHECK;
/* One key, one holder: else a handshake that is meant for one would be good at the other. host: the node's own word, 0 = not yet. */
int node_check_gateway_key(struct store *store, const uint8_t key[32], const uint8_t mesh_key[32], const uint8_t link_key[32], uint32_t host,
			   struct why *why) MUST_CHECK;
const uint8_t *node_gateway_key_or_null(const uint8_t key[32]); /* for the column: NULL for zeros */
int node_emit(struct store *store, struct op *op, const struct store_node *node) MUST_CHECK;
#define NODE_ENDPOINT_BYTES 20
/* The packed form of the endpoints column; ret holds RECORD_ENDPOINTS_MAX of them. */
size_t node_pack_endpoints(const struct addr_endpoint *endpoints, size_t n, uint8_t *ret_bytes);

int node_token_get(struct store *store, const uint8_t id[ID_LEN], struct store_node_token *ret_token,
		   uint8_t ret_hash[32], bool *ret_found) MUST_CHECK;
int node_token_emit(struct store *store, struct op *op, const struct store_node_token *token) MUST_CHECK;
void node_token_hash(const uint8_t id[ID_LEN], const char *secret, uint8_t ret_hash[32]);
