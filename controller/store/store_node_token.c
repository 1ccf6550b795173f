/* store_node_token - see store_node_token.h. */
#include "controller/store/store_node_token.h"

#include "controller/store/store_internal.h"
#include "controller/store/store_node_internal.h"
#include "controller/store/store_region.h"
#include "lib/base/crypto.h"
#include "lib/base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS                                                                                                                   \
	"id, name, region, kind, uses, used, refused, created_ms, expires_ms, revoked_ms, link_key, source, source_bits, hash FROM " \
	"node_token "

static void read_row(struct statement *st, struct store_node_token *ret)
{
	*ret = (struct store_node_token){ .roles = (uint32_t)driver_int(st, 3),
					  .uses = (unsigned)driver_int(st, 4),
					  .used = (unsigned)driver_int(st, 5),
					  .refused = (unsigned)driver_int(st, 6),
					  .created_ms = (uint64_t)driver_int(st, 7),
					  .expires_ms = (uint64_t)driver_int(st, 8),
					  .revoked_ms = (uint64_t)driver_int(st, 9),
					  .has_key = !driver_is_null(st, 10),
					  .has_source = !driver_is_null(st, 11),
					  .source_bits = (uint8_t)driver_int(st, 12) };
	sql_bytes(st, 0, ret->id, ID_LEN);
	sql_text(st, 1, ret->name, sizeof ret->name);
	sql_text(st, 2, ret->region, sizeof ret->region);
	sql_bytes(st, 10, ret->key, sizeof ret->key);
	sql_bytes(st, 11, ret->source, sizeof ret->source);
}

void node_token_hash(const uint8_t id[ID_LEN], const char *secret, uint8_t ret_hash[32])
{
	struct crypto_part parts[] = { { "node token", 10 }, { id, ID_LEN }, { secret, strlen(secret) } };

	crypto_blake2b(NULL, 0, parts, ARRAY_LEN(parts), ret_hash);
}

int node_token_get(struct store *store, const uint8_t id[ID_LEN], struct store_node_token *ret_token, uint8_t ret_hash[32], bool *ret_found)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	int r = sql_query(store, &st, "SELECT " COLUMNS "WHERE id = ?1", "d", id);

	*ret_found = r == 0 && sql_next(st, &r);
	if (*ret_found) {
		read_row(st, ret_token);
		sql_bytes(st, 13, ret_hash, 32);
	}
	return r;
}

int node_token_emit(struct store *store, struct op *op, const struct store_node_token *token)
{
	CLEAN_BUF struct buf body = BUF_INIT(RECORD_MAX);
	CLEAN_JSON json_t *doc = json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:I, s:b}", "name", token->name, "region", token->region, "roles",
					   (int)token->roles, "uses", (int)token->uses, "used", (int)token->used, "refused",
					   (int)token->refused, "expires_ms", (json_int_t)token->expires_ms, "revoked", token->revoked_ms != 0);
	char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;

	if (!text)
		return -ENOMEM;
	buf_add_str(&body, text);
	free(text);
	return change_put(store, op, change_envelope(RECORD_NODE_TOKEN, token->id, ID_LEN), &body, NULL, NULL);
}

static int check_new(const struct store_node_token_new *in, uint64_t now, struct why *why)
{
	if (!in->roles || in->roles & ~(uint32_t)(ROLE_HOST | ROLE_GATEWAY))
		return why_set(why, "value_invalid", "roles", "roles %u are not host, gateway or both", in->roles);
	if (in->uses < 1 || in->uses > STORE_NODE_TOKEN_USES_MAX)
		return why_set(why, "value_invalid", "uses", "uses %u is not 1 to %d", in->uses, STORE_NODE_TOKEN_USES_MAX);
	if (in->expires_ms && (in->expires_ms <= now || in->expires_ms > INT64_MAX))
		return why_set(why, "value_invalid", "expires", "the expiry is in the past");
	if (in->source_bits > 128 || (!in->source && in->source_bits))
		return why_set(why, "value_invalid", "source", "a source prefix of %u bits cannot be", in->source_bits);
	if (!in->name || !*in->name)
		return 0;
	if (in->uses != 1)
		return why_set(why, "value_invalid", "uses", "a token with a name is for one node: uses must be 1, not %u", in->uses);
	return name_check_node(in->name, why);
}

int store_node_token_create(struct store *store, struct op *op, const struct store_node_token_new *in, struct store_node_token *ret_token,
			    char ret_secret[STORE_NODE_SECRET_SIZE])
{
	struct store_node_token row = { .created_ms = clock_real_ms(&store->clock) };
	char secret[STORE_NODE_SECRET_SIZE];
	struct store_region region;
	uint8_t bytes[16], hash[32];
	int r = store_check_operator(&op->principal, "create join tokens", &op->why);

	if (r == 0)
		r = check_new(in, row.created_ms, &op->why);
	if (r == 0)
		r = store_region_find(store, &op->principal, in->region, &region, &op->why);
	if (r != 0)
		return r;
	id_make(&store->clock, row.id);
	clock_random(&store->clock, bytes, sizeof bytes);
	crypto_hex(bytes, sizeof bytes, secret);
	node_token_hash(row.id, secret, hash);
	memcpy(row.region, region.name, sizeof row.region);
	snprintf(row.name, sizeof row.name, "%s", in->name ? in->name : "");
	row.roles = in->roles;
	row.uses = in->uses;
	row.expires_ms = in->expires_ms;
	if ((row.has_key = in->key))
		memcpy(row.key, in->key, sizeof row.key);
	if ((row.has_source = in->source))
		memcpy(row.source, in->source, sizeof row.source);
	row.source_bits = in->source_bits;
	r = sql_run(store,
		    "INSERT INTO node_token (id, hash, name, region, kind, uses, link_key, source, source_bits, created_ms, expires_ms) "
		    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
		    "dkttuukbuii", row.id, hash, row.name, row.region, row.roles, row.uses, in->key, in->source, (size_t)16,
		    (uint32_t)row.source_bits, (int64_t)row.created_ms, (int64_t)row.expires_ms);
	if (r == 0)
		r = node_token_emit(store, op, &row);
	if (r == 0) {
		*ret_token = row;
		memcpy(ret_secret, secret, sizeof secret);
	}
	crypto_wipe(secret, sizeof secret);
	crypto_wipe(bytes, sizeof bytes);
	return r;
}

int store_node_token_find(struct store *store, const struct principal *who, const char *id, struct store_node_token *ret_token,
			  struct why *why)
{
	struct store_node_token row;
	uint8_t bytes[ID_LEN], hash[32];
	bool found = false;
	int r = 0;

	if (principal_is_operator(who) && id_parse(id, bytes) == 0)
		r = node_token_get(store, bytes, &row, hash, &found);
	if (r != 0)
		return r;
	if (!found)
		return why_set(why, "node_token_not_found", "id", "join token \"%.40s\" does not exist", id);
	*ret_token = row;
	return 0;
}

int store_node_token_list(struct store *store, const struct principal *who, const struct store_page *page,
			  void (*each)(void *arg, const struct store_node_token *token), void *arg, struct store_next *ret_next,
			  struct why *why)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	unsigned limit = store_page_limit(page), given = 0;
	struct store_next next = { { 0 } }; /* ret_next may be where page->after points */
	struct store_node_token row = { 0 };
	uint8_t after[ID_LEN];
	int r = store_page_id(page, after, why);

	if (r == 0 && principal_is_operator(who))
		r = sql_query(store, &st, "SELECT " COLUMNS "WHERE id > ?1 AND substr(lower(hex(id)), 1, length(?2)) = ?2 ORDER BY id", "dt", after,
		      store_page_prefix(page));
	while (r == 0 && st && sql_next(st, &r)) {
		if (given == limit) {
			id_text(row.id, next.cursor);
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

int store_node_token_revoke(struct store *store, struct op *op, const char *id, struct store_node_token *ret_token)
{
	struct store_node_token row;
	int r = store_node_token_find(store, &op->principal, id, &row, &op->why);

	if (r == 0 && !row.revoked_ms) {
		row.revoked_ms = clock_real_ms(&store->clock);
		r = sql_run(store, "UPDATE node_token SET revoked_ms = ?2 WHERE id = ?1", "di", row.id, (int64_t)row.revoked_ms);
		if (r == 0)
			r = node_token_emit(store, op, &row);
	}
	if (r == 0)
		*ret_token = row;
	return r;
}
