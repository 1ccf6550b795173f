/* store_token - API tokens `sx1_<id>_<secret>`: id 16 hex digits, secret 64. Stored as a BLAKE2b hash, looked up by id, compared in
 * constant time. */
#pragma once
#include "controller/store/store.h"
#include "lib/base/crypto.h"

#define STORE_TOKENS_OF_PERSON 100 /* that are good */
#define TOKEN_TEXT_SIZE (4 + 16 + 1 + 64 + 1)

struct store_token {
	uint8_t id[ID_LEN];
	enum principal_kind kind; /* OPERATOR, ORG_TOKEN or USER */
	enum principal_profile profile;
	bool own_only;            /* changes only the peers that were made with it */
	uint8_t org[ID_LEN];      /* ORG_TOKEN */
	char org_name[NAME_SIZE];
	uint8_t user[ID_LEN];     /* USER */
	uint8_t hash[CRYPTO_HASH_LEN];
	char name[NAME_SIZE];     /* for people */
	uint64_t created_ms, expires_ms, last_use_ms, revoked_ms; /* 0 = never */
};

struct store_token_new {
	enum principal_kind kind;
	const char *org; /* ORG_TOKEN: as in store_org_find */
	const char *user; /* USER: by e-mail or id; NULL or "" = the caller itself */
	enum principal_profile profile; /* ORG_TOKEN: READ, PEERS, DEPLOY (ADMIN for operators only) */
	bool own_only; /* ORG_TOKEN of profile PEERS */
	const char *name;
	uint64_t expires_ms;
};

/* Text of a header -> id and secret; pure. E_REFUSED for anything that is not exactly of the form. ret_secret: 32 bytes. */
int token_parse(const char *text, size_t text_len, uint8_t ret_id[ID_LEN], uint8_t ret_secret[32]) MUST_CHECK;
void token_hash(const uint8_t id[ID_LEN], const uint8_t secret[32], uint8_t ret_hash[CRYPTO_HASH_LEN]);
/* Constant time. Also false when revoked or expired at now_ms. */
bool token_matches(const struct store_token *token, const uint8_t secret[32], uint64_t now_ms);

/* Operator tokens only by operators, org tokens by operators and admins of the org; a token is never stronger than its maker. */
int store_token_create(struct store *store, struct op *op, const struct store_token_new *in, struct store_token *ret_token,
		       char ret_text[TOKEN_TEXT_SIZE]) MUST_CHECK;
int store_token_find(struct store *store, const struct principal *who, const char *id, struct store_token *ret_token,
		     struct why *why) MUST_CHECK;
/* For the door: who = the controller itself. The token and the principal that it stands for (a user's memberships looked up). */
int store_token_find_by_id(struct store *store, const struct principal *who, const uint8_t id[ID_LEN], struct store_token *ret_token,
			   struct principal *ret_principal, struct why *why) MUST_CHECK;
int store_token_list(struct store *store, const struct principal *who, const char *org_ref, const struct store_page *page,
		     void (*each)(void *arg, const struct store_token *token), void *arg, struct store_next *ret_next,
		     struct why *why) MUST_CHECK;
int store_token_revoke(struct store *store, struct op *op, const char *id, struct store_token *ret_token) MUST_CHECK;
/* Last use; not in the log. */
int store_token_touch(struct store *store, struct op *op, const uint8_t id[ID_LEN], uint64_t last_use_ms) MUST_CHECK;
