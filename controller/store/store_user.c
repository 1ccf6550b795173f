/* store_user - see store_user.h. In the tables people are `person`, since `user` is a reserved word of other databases. */
#include "controller/store/store_user.h"

#include "controller/store/store_internal.h"
#include "controller/store/store_org.h"
#include "lib/base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS USER_COLUMNS("person") " FROM person "

void user_read_row(struct statement *st, struct store_user *ret)
{
	*ret = (struct store_user){ .created_ms = (uint64_t)driver_int(st, 4) };
	sql_bytes(st, 0, ret->id, ID_LEN);
	sql_text(st, 1, ret->email, sizeof ret->email);
	sql_text(st, 2, ret->name, sizeof ret->name);
	sql_bytes(st, 3, ret->personal_org, ID_LEN);
	sql_text(st, 5, ret->personal_org_name, sizeof ret->personal_org_name);
}

static bool sees(const struct principal *who, const uint8_t id[ID_LEN])
{
	return principal_is_operator(who) || (who->kind == PRINCIPAL_USER && id_equal(who->id, id));
}

/* Not RFC 5321, only what keeps a list of people unambiguous and printable: one "@" with something on both sides, no spaces. */
static int check_email(const char *email, struct why *why)
{
	const char *at = strchr(email, '@');
	int r = name_check_text("email", email, STORE_EMAIL_SIZE - 1, why);

	if (r == 0 && (!at || at == email || !at[1] || strchr(at + 1, '@') || strchr(email, ' ')))
		r = why_set(why, "value_invalid", "email", "\"%.80s\" is not an e-mail address", email);
	return r;
}

static int put_json(struct store *store, struct op *op, struct record r, json_t *doc, const uint8_t *org)
{
	CLEAN_BUF struct buf body = BUF_INIT(RECORD_MAX);
	char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;

	if (!text)
		return -ENOMEM;
	buf_add_str(&body, text);
	free(text);
	return change_put(store, op, r, &body, org, NULL);
}

int store_user_create(struct store *store, struct op *op, const char *email, const char *name, const char *personal_org,
		      struct store_user *ret_user)
{
	struct store_user row = { .created_ms = clock_real_ms(&store->clock) };
	CLEAN_JSON json_t *doc = NULL;
	struct store_org org;
	int r = store_check_operator(&op->principal, "create users", &op->why);

	if (r == 0)
		r = check_email(email, &op->why);
	if (r == 0)
		r = name_check_text("name", name, NAME_SIZE - 1, &op->why);
	if (r == 0 && personal_org)
		r = store_org_find(store, &op->principal, personal_org, &org, &op->why);
	if (r != 0)
		return r;
	id_make(&store->clock, row.id);
	snprintf(row.email, sizeof row.email, "%s", email);
	snprintf(row.name, sizeof row.name, "%s", name);
	if (personal_org) {
		memcpy(row.personal_org, org.id, ID_LEN);
		memcpy(row.personal_org_name, org.name, sizeof row.personal_org_name);
	}
	r = sql_insert(store, "INSERT INTO person (id, email, name, personal_org, created_ms) VALUES (?1, ?2, ?3, ?4, ?5)", "dttdi", row.id,
		       row.email, row.name, personal_org ? row.personal_org : NULL, (int64_t)row.created_ms);
	if (r == DRIVER_E_UNIQUE)
		return why_set(&op->why, "name_taken", "email", "a user with e-mail \"%.80s\" exists already", row.email);
	if (r != 0)
		return r;
	doc = json_pack("{s:s, s:s}", "email", row.email, "name", row.name);
	r = put_json(store, op, change_envelope(RECORD_USER, row.id, ID_LEN), doc, NULL);
	if (r == 0)
		*ret_user = row;
	return r;
}

int store_user_find(struct store *store, const struct principal *who, const char *ref, struct store_user *ret_user, struct why *why)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	struct store_user row;
	uint8_t id[ID_LEN];
	bool is_id = id_parse(ref, id) == 0;
	int r = sql_query(store, &st, "SELECT " COLUMNS "WHERE lower(email) = lower(?1) OR id = ?2", "td", ref, is_id ? id : NULL);

	if (r == 0 && sql_next(st, &r)) {
		user_read_row(st, &row);
		if (sees(who, row.id)) {
			*ret_user = row;
			return 0;
		}
	}
	return r ? r : why_set(why, "user_not_found", "user", "user \"%.80s\" does not exist", ref);
}

int store_user_list(struct store *store, const struct principal *who, const struct store_page *page,
		    void (*each)(void *arg, const struct store_user *user), void *arg, struct store_next *ret_next, struct why *why)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	struct page_walk walk;
	struct store_user row;
	int r;

	page_walk_begin(&walk, page);
	r = store_page_id(page, walk.after, why);
	if (r == 0)
		r = sql_query(store, &st, "SELECT " COLUMNS "WHERE id > ?1 AND substr(lower(email), 1, length(?2)) = ?2 ORDER BY id", "dt",
			      walk.after, store_page_prefix(page));
	while (r == 0 && sql_next(st, &r)) {
		user_read_row(st, &row);
		if (!sees(who, row.id))
			continue;
		if (!page_walk_take(&walk, row.id, NULL))
			break;
		each(arg, &row);
	}
	return page_walk_end(&walk, r, ret_next);
}

int store_user_get_principal(struct store *store, const struct principal *who, const uint8_t id[ID_LEN], struct principal *ret_principal,
			     struct why *why)
{
	static const enum principal_profile profiles[] = { PROFILE_NONE, PROFILE_READ, PROFILE_DEPLOY, PROFILE_ADMIN };
	CLEAN_STATEMENT struct statement *st = NULL;
	struct principal out = { .kind = PRINCIPAL_USER };
	struct store_user user;
	char text[ID_TEXT_SIZE];
	int r = store_user_find(store, who, id_text(id, text), &user, why);

	if (r == 0)
		r = sql_query(store, &st, "SELECT org, role FROM membership WHERE person = ?1 ORDER BY org LIMIT 32", "d", id);
	while (r == 0 && out.n_orgs < PRINCIPAL_ORGS_MAX && sql_next(st, &r)) {
		sql_bytes(st, 0, out.orgs[out.n_orgs].id, ID_LEN);
		out.orgs[out.n_orgs++].profile = profiles[driver_int(st, 1) & 3];
	}
	if (r != 0)
		return r;
	memcpy(out.id, id, ID_LEN);
	memcpy(out.personal_org, user.personal_org, ID_LEN);
	snprintf(out.text, sizeof out.text, "user %s", text);
	*ret_principal = out;
	return 0;
}

/* ---- with an org of its own ---- */

/* A name of what stands before the "@". */
static void label_of(const char *email, char ret[NAME_SIZE])
{
	char local[NAME_SIZE];

	snprintf(local, sizeof local, "%.*s", (int)strcspn(email, "@") < 40 ? (int)strcspn(email, "@") : 40, email);
	store_org_name_of(local, ret);
	if (!ret[0])
		snprintf(ret, NAME_SIZE, "person");
}

static int make_own_org(struct store *store, struct op *op, const char *email, struct store_org *ret_org)
{
	char label[NAME_SIZE], name[NAME_SIZE + 8];
	int r = E_REFUSED;

	label_of(email, label);
	snprintf(name, sizeof name, "%s", label);
	for (int tries = 0; tries < 8; tries++) {
		uint16_t suffix;

		r = store_org_create(store, op, name, ret_org);
		if (r != E_REFUSED || (strcmp(op->why.code, "name_taken") && strcmp(op->why.code, "name_reserved")))
			break;
		clock_random(&store->clock, &suffix, sizeof suffix);
		snprintf(name, sizeof name, "%s-%04x", label, suffix);
	}
	return r;
}

int store_user_create_with_org(struct store *store, struct op *op, const char *email, const char *name, struct store_user *ret_user)
{
	struct store_org org;
	struct store_user user;
	char id[ID_TEXT_SIZE];
	int64_t taken = 0;
	int r = store_check_operator(&op->principal, "create users", &op->why);

	if (r == 0)
		r = check_email(email, &op->why);
	if (r == 0)
		r = sql_get_int(store, &taken, "SELECT count(*) FROM person WHERE lower(email) = lower(?1)", "t", email);
	if (r == 0 && taken)
		r = why_set(&op->why, "name_taken", "email", "a user with e-mail \"%.80s\" exists already", email);
	if (r == 0)
		r = make_own_org(store, op, email, &org);
	if (r == 0)
		r = store_user_create(store, op, email, name, id_text(org.id, id), &user);
	if (r == 0)
		r = membership_put(store, op, org.id, &user, ROLE_MEMBER_ADMIN);
	if (r == 0)
		*ret_user = user;
	return r;
}

/* ---- delete ---- */

static int remove_rows(struct store *store, struct op *op, const uint8_t person[ID_LEN], const char *sql, uint32_t kind)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	CLEAN_BUF struct buf keys = BUF_INIT(1u << 20);
	size_t n = kind == RECORD_MEMBERSHIP ? 2 * ID_LEN : ID_LEN;
	uint8_t key[2 * ID_LEN];
	int r = sql_query(store, &st, sql, "d", person);

	while (r == 0 && sql_next(st, &r)) {
		sql_bytes(st, 0, key, n);
		buf_add(&keys, key, n);
	}
	if (r == 0 && buf_failed(&keys))
		r = -ENOMEM;
	for (size_t at = 0; r == 0 && at < keys.len; at += n)
		r = change_remove(store, op, change_envelope(kind, keys.data + at, n), INTENT_DELETE, kind == RECORD_MEMBERSHIP ? keys.data + at : NULL);
	return r;
}

int store_user_delete(struct store *store, struct op *op, const char *ref, struct store_user *ret_user)
{
	struct store_user user;
	int r = store_user_find(store, &op->principal, ref, &user, &op->why);

	if (r == 0)
		r = store_check_operator(&op->principal, "delete users", &op->why);
	if (r == 0)
		r = remove_rows(store, op, user.id, "SELECT id FROM token WHERE person = ?1 ORDER BY id", RECORD_TOKEN);
	if (r == 0)
		r = remove_rows(store, op, user.id, "SELECT org || person FROM membership WHERE person = ?1 ORDER BY org", RECORD_MEMBERSHIP);
	if (r == 0)
		r = sql_run(store, "DELETE FROM token WHERE person = ?1", "d", user.id);
	if (r == 0)
		r = sql_run(store, "DELETE FROM membership WHERE person = ?1", "d", user.id);
	if (r == 0)
		r = sql_run(store, "DELETE FROM person WHERE id = ?1", "d", user.id); /* the principal goes with it */
	if (r == 0)
		r = change_remove(store, op, change_envelope(RECORD_USER, user.id, ID_LEN), INTENT_DELETE, NULL);
	if (r == 0)
		*ret_user = user;
	return r;
}
