/* store_node_token - what a machine needs to join. Only operators see them; the secret is given once, at create. */
#pragma once
#include "controller/store/store.h"

#define STORE_NODE_SECRET_SIZE 33 /* 32 hex digits */
#define STORE_NODE_TOKEN_USES_MAX 1000

struct store_node_token {
	uint8_t id[ID_LEN];
	char name[NAME_SIZE];          /* name the node will get; "" = what it wants */
	char region[NAME_REGION_SIZE];
	uint32_t roles;                /* a node may ask for any of these */
	unsigned uses, used, refused;
	uint64_t created_ms, expires_ms, revoked_ms; /* expires 0 = never */
	bool has_key, has_source;
	uint8_t key[32];               /* the only link key that may use it */
	uint8_t source[16];            /* the only prefix; IPv4 as ::ffff:0:0/96 */
	uint8_t source_bits;
};

struct store_node_token_new {
	const char *region;
	uint32_t roles;
	unsigned uses;          /* 1 .. STORE_NODE_TOKEN_USES_MAX */
	uint64_t expires_ms;    /* Unix time, 0 = never */
	const char *name;       /* NULL or a node name (then uses must be 1) */
	const uint8_t *key;     /* NULL or 32 bytes */
	const uint8_t *source;  /* NULL or 16 bytes */
	uint8_t source_bits;
};

int store_node_token_create(struct store *store, struct op *op, const struct store_node_token_new *in,
			    struct store_node_token *ret_token, char ret_secret[STORE_NODE_SECRET_SIZE]) MUST_CHECK;
int store_node_token_find(struct store *store, const struct principal *who, const char *id, struct store_node_token *ret_token,
			  struct why *why) MUST_CHECK;
int store_node_token_list(struct store *store, const struct principal *who, const struct store_page *page,
			  void (*each)(void *arg, const struct store_node_token *token), void *arg, struct store_next *ret_next,
			  struct why *why) MUST_CHECK;
int store_node_token_revoke(struct store *store, struct op *op, const char *id, struct store_node_token *ret_token) MUST_CHECK;
