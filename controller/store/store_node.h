/* store_node - our machines. Only operators see them. Host words are random within the region and never given twice; a deleted
 * node stays as a revoked row, so that its keys can never come back. */
#pragma once
#include "controller/store/store.h"

struct store_node {
	uint32_t host; /* locator << 16 | number */
	char name[NAME_SIZE];
	char region[NAME_REGION_SIZE]; /* "" if revoked and the region is gone */
	uint32_t roles;
	uint8_t link_key[32], mesh_key[32];
	uint8_t gateway_key[32]; /* of its device for peers; zeros = none */
	struct addr_endpoint endpoints[RECORD_ENDPOINTS_MAX];
	size_t n_endpoints;
	char gateway_host[256];
	uint16_t gateway_port;
	bool draining;
	char version[NAME_SIZE];
	uint8_t boot_id[16];
	uint64_t boot_count;
	uint64_t created_ms, last_seen_ms, revoked_ms; /* 0 = never */
	unsigned instances;                            /* that run there */
	unsigned max_instances;                        /* it gets no more than so many; 0 = no limit */
};

/* A wish to become a node, already authenticated as the holder of link_key (it came through the session). */
struct store_enroll {
	uint8_t token_id[ID_LEN];
	const char *secret;
	uint8_t link_key[32], mesh_key[32];
	const char *name; /* wanted; made unique by -2, -3 ... ; "" = region and a number */
	uint32_t roles;
	struct addr_endpoint endpoints[RECORD_ENDPOINTS_MAX];
	size_t n_endpoints;
	const char *version;
	const char *gateway_host;
	uint16_t gateway_port;
	bool has_gateway_key; /* gateways: what customers are given as PublicKey */
	uint8_t gateway_key[32];
	uint8_t source[16]; /* where the session comes from; IPv4 as ::ffff:a.b.c.d */
};

/* Idempotent: same token and link key give the same node again (created = false). Refused: "join_token_invalid" (id or secret),
 * "join_token_expired", "join_token_revoked", "join_token_used_up", "join_token_wrong_role", "join_token_wrong_key",
 * "join_token_wrong_source", "node_revoked", "link_key_in_use", "mesh_key_in_use", "gateway_key_in_use". Refusals of a holder of the right secret are
 * counted on the token and kept in the log. */
int store_node_enroll(struct store *store, struct op *op, const struct store_enroll *in, struct store_node *ret_node,
		      bool *ret_created) MUST_CHECK;

/* By name or host word ("a9a8:1" or 8 hex digits). */
int store_node_find(struct store *store, const struct principal *who, const char *ref, struct store_node *ret_node,
		    struct why *why) MUST_CHECK;
/* For the link: not revoked, by link key. */
int store_node_find_by_key(struct store *store, const struct principal *who, const uint8_t link_key[32], struct store_node *ret_node,
			   struct why *why) MUST_CHECK;
struct store_node_filter {
	const char *region; /* NULL = all */
	bool with_revoked;
};
int store_node_list(struct store *store, const struct principal *who, const struct store_node_filter *filter,
		    const struct store_page *page, void (*each)(void *arg, const struct store_node *node), void *arg,
		    struct store_next *ret_next, struct why *why) MUST_CHECK;
/* What is so already changes nothing. Those that are there stay, whatever the number. */
#define STORE_NODE_INSTANCES_MAX 100000
int store_node_set_room(struct store *store, struct op *op, const char *ref, unsigned max_instances, struct store_node *ret_node) MUST_CHECK;
int store_node_drain(struct store *store, struct op *op, const char *ref, bool draining, struct store_node *ret_node) MUST_CHECK;
/* Revokes. E_REFUSED "node_not_empty" while instances that are not being destroyed run there or tunnels of peers end there, unless
 * force; all instances and peers that were there get their tombstones. */
int store_node_delete(struct store *store, struct op *op, const char *ref, bool force, struct store_node *ret_node) MUST_CHECK;

/* What a session tells about itself; not in the log. E_REFUSED "node_boot_conflict" if boot_count is below the stored one. */
int store_node_session(struct store *store, struct op *op, uint32_t host, const uint8_t boot_id[16], uint64_t boot_count,
		       const char *version) MUST_CHECK;
int store_node_seen(struct store *store, struct op *op, uint32_t host, uint64_t last_seen_ms) MUST_CHECK;
/* Becomes a record if they differ. */
int store_node_set_endpoints(struct store *store, struct op *op, uint32_t host, const struct addr_endpoint *endpoints,
			     size_t n_endpoints) MUST_CHECK;
/* Where customers find this gateway. Becomes a record if it differs. E_REFUSED "gateway_key_in_use", "host_invalid". */
int store_node_set_gateway(struct store *store, struct op *op, uint32_t host, const char *gateway_host, uint16_t port,
			   const uint8_t key[32]) MUST_CHECK;
