/* store_token - see store_token.h. */
#include "controller/store/store_token.h"

#include "controller/store/store_internal.h"
#include "controller/store/store_org.h"
#include "controller/store/store_finish.h"
#include "controller/store/store_user.h"
#include "lib/base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS                                                                                                                     \
	"t.id, t.kind, t.profile, t.org, coalesce(o.name, ''), t.person, t.hash, t.name, t.created_ms, t.expires_ms, t.last_use_ms, " \
	"t.revoked_ms, t.own_only FROM token t LEFT JOIN org o ON o.id = t.org "

/* Numbers of the kind column. */
enum { KIND_PERSON = 1, KIND_ORG, KIND_OPERATOR };

int token_parse(const char *text, size_t text_len, uint8_t ret_id[ID_LEN], uint8_t ret_secret[32])
{
	uint8_t id[ID_LEN], secret[32];

	if (text_len != TOKEN_TEXT_SIZE - 1 || memcmp(text, "sx1_", 4) || text[20] != '_')
		return E_REFUSED;
	if (crypto_unhex(text + 4, 16, id, sizeof id) < 0 || crypto_unhex(text + 21, 64, secret, sizeof secret) < 0)
		return E_REFUSED;
	memcpy(ret_id, id, sizeof id);
	memcpy(ret_secret, secret, sizeof secret);
	crypto_wipe(secret, sizeof secret);
	return 0;
}

void token_hash(const uint8_t id[ID_LEN], const uint8_t secret[32], uint8_t ret_hash[CRYPTO_HASH_LEN])
{
	struct crypto_part parts[] = { { "token", 5 }, { id, ID_LEN }, { secret, 32 } };

	crypto_blake2b(NULL, 0, parts, ARRAY_LEN(parts), ret_hash);
}

bool token_matches(const struct store_token *token, const uint8_t secret[32], uint64_t now_ms)
{
	uint8_t hash[CRYPTO_HASH_LEN];
	bool equal;

	token_hash(token->id, secret, hash);
	equal = crypto_equal(hash, token->hash, sizeof hash);
	return equal && !token->revoked_ms && (!token->expires_ms || token->expires_ms > now_ms);
}

static void read_row(struct statement *st, struct store_token *ret)
{
	static const enum principal_kind kinds[] = { PRINCIPAL_NONE, PRINCIPAL_USER, PRINCIPAL_ORG_TOKEN, PRINCIPAL_OPERATOR };

	*ret = (struct store_token){ .kind = kinds[driver_int(st, 1) & 3],
				     .profile = (enum principal_profile)driver_int(st, 2),
				     .created_ms = (uint64_t)driver_int(st, 8),
				     .expires_ms = (uint64_t)driver_int(st, 9),
				     .last_use_ms = (uint64_t)driver_int(st, 10),
				     .revoked_ms = (uint64_t)driver_int(st, 11),
				     .own_only = driver_int(st, 12) };
	sql_bytes(st, 0, ret->id, ID_LEN);
	sql_bytes(st, 3, ret->org, ID_LEN);
	sql_text(st, 4, ret->org_name, sizeof ret->org_name);
	sql_bytes(st, 5, ret->user, ID_LEN);
	sql_bytes(st, 6, ret->hash, sizeof ret->hash);
	sql_text(st, 7, ret->name, sizeof ret->name);
}

/* Tokens of an org are seen by its admins, a user's own by the user, operators' by operators. */
static bool sees(const struct principal *who, const struct store_token *token)
{
	switch (token->kind) {
	case PRINCIPAL_ORG_TOKEN:
		return principal_may(who, token->org, ACTION_ADMIN) || (who->kind == PRINCIPAL_ORG_TOKEN && id_equal(who->id, token->id));
	case PRINCIPAL_USER:
		return principal_is_operator(who) || (who->kind == PRINCIPAL_USER && id_equal(who->id, token->user));
	case PRINCIPAL_OPERATOR:
		return principal_is_operator(who);
	case PRINCIPAL_NONE:
	case PRINCIPAL_NODE:
	case PRINCIPAL_LOCAL:
		break;
	}
	return false;
}

static const char *kind_name(enum principal_kind kind)
{
	return kind == PRINCIPAL_USER ? "user" : kind == PRINCIPAL_ORG_TOKEN ? "org" : "operator";
}

static int emit(struct store *store, struct op *op, const struct store_token *token)
{
	CLEAN_BUF struct buf body = BUF_INIT(RECORD_MAX);
	CLEAN_JSON json_t *doc = json_pack("{s:s, s:s, s:s, s:s, s:I, s:b, s:b}", "kind", kind_name(token->kind), "profile",
					   principal_profile_name(token->profile), "org", token->org_name, "name", token->name, "expires_ms",
					   (json_int_t)token->expires_ms, "revoked", token->revoked_ms != 0, "own_only", token->own_only);
	char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;

	if (!text)
		return -ENOMEM;
	buf_add_str(&body, text);
	free(text);
	return change_put(store, op, change_envelope(RECORD_TOKEN, token->id, ID_LEN), &body,
			  token->kind == PRINCIPAL_ORG_TOKEN ? token->org : NULL, NULL);
}

/* ---- create ---- */

static int judge_org(struct store *store, struct op *op, const struct store_token_new *in, struct store_token *row)
{
	struct store_org org;
	int r = store_org_find(store, &op->principal, in->org, &org, &op->why);

	if (r == 0)
		r = store_check_may(store, &op->principal, org.id, ACTION_ADMIN, "tokens", &op->why);
	if (r == 0 && (in->profile < PROFILE_READ || in->profile > PROFILE_ADMIN))
		r = why_set(&op->why, "profile_invalid", "profile", "an org token needs a profile: read, peers or deploy");
	if (r == 0 && in->profile == PROFILE_ADMIN)
		r = store_check_operator(&op->principal, "create tokens of profile admin", &op->why);
	if (r == 0 && in->own_only && in->profile != PROFILE_PEERS)
		r = why_set(&op->why, "profile_invalid", "profile", "own_only is for tokens of profile peers, not \"%s\"",
			    principal_profile_name(in->profile));
	if (r == 0 && org.deleting)
		r = why_set(&op->why, "org_deleting", "org", "org \"%s\" is being deleted", org.name);
	if (r == 0)
		r = store_org_check_quota(store, op, &org, QUOTA_TOKENS);
	if (r != 0)
		return r;
	memcpy(row->org, org.id, ID_LEN);
	memcpy(row->org_name, org.name, sizeof row->org_name);
	return 0;
}

/* Of oneself, or of whom an operator names. */
static int judge_user(struct store *store, struct op *op, const struct store_token_new *in, struct store_token *row)
{
	const struct principal *who = &op->principal;
	char self[ID_TEXT_SIZE] = "";
	struct store_user user;
	int64_t used = 0;
	int r;

	if (who->kind == PRINCIPAL_USER)
		id_text(who->id, self);
	if ((!in->user || !*in->user) && !self[0])
		return why_set(&op->why, "value_missing", "user", "say whose token it is to be");
	r = store_user_find(store, who, in->user && *in->user ? in->user : self, &user, &op->why);
	if (r == 0)
		r = sql_get_int(store, &used, "SELECT count(*) FROM token WHERE person = ?1 AND revoked_ms = 0 AND (expires_ms = 0 OR expires_ms > ?2)", "di",
				user.id, (int64_t)row->created_ms);
	if (r == 0 && used >= STORE_TOKENS_OF_PERSON)
		r = why_set(&op->why, "quota_exceeded", "user", "\"%.80s\" has %lld of at most %d tokens", user.email, (long long)used,
			    STORE_TOKENS_OF_PERSON);
	if (r == 0)
		memcpy(row->user, user.id, ID_LEN);
	return r;
}

static int judge(struct store *store, struct op *op, const struct store_token_new *in, struct store_token *row)
{
	int r = name_check_text("name", in->name ? in->name : "", NAME_SIZE - 1, &op->why);

	if (r != 0)
		return r;
	if (in->expires_ms && (in->expires_ms <= row->created_ms || in->expires_ms > INT64_MAX))
		return why_set(&op->why, "value_invalid", "expires", "the expiry is in the past");
	switch (in->kind) {
	case PRINCIPAL_OPERATOR:
		return store_check_operator(&op->principal, "create operator tokens", &op->why);
	case PRINCIPAL_ORG_TOKEN:
		return judge_org(store, op, in, row);
	case PRINCIPAL_USER:
		return judge_user(store, op, in, row);
	case PRINCIPAL_NONE:
	case PRINCIPAL_NODE:
	case PRINCIPAL_LOCAL:
		break;
	}
	return why_set(&op->why, "value_invalid", "kind", "tokens are for operators, orgs or users");
}

static int insert(struct store *store, const struct store_token *row)
{
	const uint8_t *org = row->kind == PRINCIPAL_ORG_TOKEN ? row->org : NULL, *person = row->kind == PRINCIPAL_USER ? row->user : NULL;
	const uint8_t *principal = person ? person : row->id; /* a person is one principal, whatever tokens it has */
	uint32_t kind = person ? KIND_PERSON : org ? KIND_ORG : KIND_OPERATOR;
	int r = sql_run(store,
			"INSERT INTO principal (id, kind, person, org, created_ms) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (id) DO NOTHING",
			"duddi", principal, kind, person, org, (int64_t)row->created_ms);

	if (r != 0)
		return r;
	return sql_run(store,
		       "INSERT INTO token (id, principal, hash, kind, profile, org, person, name, created_ms, expires_ms, own_only) "
		       "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
		       "ddkuuddtiiu", row->id, principal, row->hash, kind, (uint32_t)row->profile, org, person, row->name,
		       (int64_t)row->created_ms, (int64_t)row->expires_ms, (uint32_t)row->own_only);
}

int store_token_create(struct store *store, struct op *op, const struct store_token_new *in, struct store_token *ret_token,
		       char ret_text[TOKEN_TEXT_SIZE])
{
	struct store_token row = { .kind = in->kind, .created_ms = clock_real_ms(&store->clock), .expires_ms = in->expires_ms };
	char id[ID_TEXT_SIZE], hex[65];
	uint8_t secret[32];
	int r = judge(store, op, in, &row);

	if (r != 0)
		return r;
	row.profile = in->kind == PRINCIPAL_ORG_TOKEN ? in->profile : PROFILE_NONE;
	row.own_only = in->kind == PRINCIPAL_ORG_TOKEN && in->own_only;
	snprintf(row.name, sizeof row.name, "%s", in->name ? in->name : "");
	id_make(&store->clock, row.id);
	clock_random(&store->clock, secret, sizeof secret);
	token_hash(row.id, secret, row.hash);
	r = insert(store, &row);
	if (r == 0)
		r = emit(store, op, &row);
	if (r == 0) {
		crypto_hex(secret, sizeof secret, hex);
		snprintf(ret_text, TOKEN_TEXT_SIZE, "sx1_%s_%s", id_text(row.id, id), hex);
		*ret_token = row;
		crypto_wipe(hex, sizeof hex);
	}
	crypto_wipe(secret, sizeof secret);
	return r;
}

/* ---- look-ups ---- */

static int get(struct store *store, const uint8_t id[ID_LEN], struct store_token *ret, bool *ret_found)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	int r = sql_query(store, &st, "SELECT " COLUMNS "WHERE t.id = ?1", "d", id);

	*ret_found = r == 0 && sql_next(st, &r);
	if (*ret_found)
		read_row(st, ret);
	return r;
}

int store_token_find(struct store *store, const struct principal *who, const char *id, struct store_token *ret_token, struct why *why)
{
	struct store_token row;
	uint8_t bytes[ID_LEN];
	bool found = false;
	int r = id_parse(id, bytes) == 0 ? get(store, bytes, &row, &found) : 0;

	if (r != 0)
		return r;
	if (!found || !sees(who, &row))
		return why_set(why, "token_not_found", "id", "token \"%.40s\" does not exist", id);
	*ret_token = row;
	return 0;
}

int store_token_find_by_id(struct store *store, const struct principal *who, const uint8_t id[ID_LEN], struct store_token *ret_token,
			   struct principal *ret_principal, struct why *why)
{
	struct store_token row;
	struct principal out;
	char text[ID_TEXT_SIZE];
	int r = store_token_find(store, who, id_text(id, text), &row, why);

	if (r != 0)
		return r;
	if (row.kind == PRINCIPAL_USER) {
		r = store_user_get_principal(store, who, row.user, &out, why);
		if (r != 0)
			return r;
	} else {
		out = row.kind == PRINCIPAL_OPERATOR ? principal_operator(row.id) : principal_org_token(row.id, row.org, row.profile);
	}
	out.expires_ms = row.expires_ms;
	out.own_only = row.own_only;
	*ret_token = row;
	*ret_principal = out;
	return 0;
}

int store_token_list(struct store *store, const struct principal *who, const char *org_ref, const struct store_page *page,
		     void (*each)(void *arg, const struct store_token *token), void *arg, struct store_next *ret_next, struct why *why)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	struct page_walk walk;
	struct store_token row;
	int r;

	page_walk_begin(&walk, page);
	if (who->kind == PRINCIPAL_ORG_TOKEN)
		walk.only = principal_only_org(who);
	r = store_page_id(page, walk.after, why);
	if (r == 0)
		r = page_walk_only_org(&walk, store, who, org_ref, why);
	if (r == 0)
		r = sql_query(store, &st,
			      "SELECT " COLUMNS "WHERE t.id > ?1 AND (?2 IS NULL OR t.org = ?2) AND (substr(lower(hex(t.id)), 1, length(?3)) = ?3 "
			      "OR substr(t.name, 1, length(?3)) = ?3) ORDER BY t.id",
			      "ddt", walk.after, walk.only, store_page_prefix(page));
	while (r == 0 && sql_next(st, &r)) {
		read_row(st, &row);
		if (!sees(who, &row))
			continue;
		if (!page_walk_take(&walk, row.id, NULL))
			break;
		each(arg, &row);
	}
	return page_walk_end(&walk, r, ret_next);
}

int store_token_revoke(struct store *store, struct op *op, const char *id, struct store_token *ret_token)
{
	struct store_token row;
	int r = store_token_find(store, &op->principal, id, &row, &op->why);

	if (r == 0 && !row.revoked_ms) {
		row.revoked_ms = clock_real_ms(&store->clock);
		r = sql_run(store, "UPDATE token SET revoked_ms = ?2 WHERE id = ?1", "di", row.id, (int64_t)row.revoked_ms);
		if (r == 0)
			r = emit(store, op, &row);
	}
	if (r == 0)
		*ret_token = row;
	return r;
}

int store_token_touch(struct store *store, struct op *op, const uint8_t id[ID_LEN], uint64_t last_use_ms)
{
	int r = store_check_operator(&op->principal, "touch tokens", &op->why);

	return r ? r : sql_run(store, "UPDATE token SET last_use_ms = ?2 WHERE id = ?1 AND last_use_ms < ?2", "di", id, (int64_t)last_use_ms);
}
