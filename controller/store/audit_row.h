/* audit_row - one row of the audit and the hash that chains it to the row before. Pure. */
#pragma once
#include "controller/store/ids.h"
#include "lib/base/crypto.h"

#define AUDIT_HASH_LEN CRYPTO_HASH_LEN
#define AUDIT_HASH_TEXT_SIZE (2 * AUDIT_HASH_LEN + 1)

struct audit_row {
	uint64_t n, at_ms;
	uint64_t v; /* 0 = the act is no change of the log */
	bool has_org; /* else it is of operators only */
	uint8_t org[ID_LEN];
	const char *org_name, *principal, *token, *address, *request_id;
	const char *verb, *noun, *object, *name; /* object: its id */
	const char *before, *after; /* JSON without secrets, NULL = it was not there, is gone */
	uint8_t hash[AUDIT_HASH_LEN];
};

/* A place in the chain: the number of a row and its hash; 0 and zeros = before the first. */
struct audit_place {
	uint64_t n;
	uint8_t hash[AUDIT_HASH_LEN];
};
#define AUDIT_PLACE_TEXT_SIZE (20 + 1 + AUDIT_HASH_TEXT_SIZE)

/* Over `before` and every field but hash, each with its length, so that no two rows give the same bytes. */
void audit_row_hash(const uint8_t before[AUDIT_HASH_LEN], const struct audit_row *row, uint8_t ret_hash[AUDIT_HASH_LEN]);
/* "1042:9f0c...", what `sixpn audit head` prints and `sixpn audit verify --head` takes. */
const char *audit_place_text(const struct audit_place *place, char ret_text[AUDIT_PLACE_TEXT_SIZE]);
/* E_REFUSED names the field. */
int audit_place_parse(const char *field, const char *text, struct audit_place *ret_place, struct why *why) MUST_CHECK;
