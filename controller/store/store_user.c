/* store_user - see store_user.h. In the tables people are `person`, since `user` is a reserved word of other databases. */
#include "controller/store/store_user.h"

#include "controller/store/store_internal.h"
#include "controller/store/store_org.h"
#include "lib/base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS "id, email, name, personal_org, created_ms FROM person "

static void read_row(struct statement *st, struct store_user *ret)
{
	*ret = (struct store_user){ .created_ms = (uint64_t)driver_int(st, 4) };
	sql_bytes(st, 0, ret->id, ID_LEN);
	sql_text(st, 1, ret->email, sizeof ret->email);
	sql_text(st, 2, ret->name, sizeof ret->name);
	sql_bytes(st, 3, ret->personal_org, ID_LEN);
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
	if (personal_org)
		memcpy(row.personal_org, org.id, ID_LEN);
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
		read_row(st, &row);
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
		read_row(st, &row);
		if (!sees(who, row.id))
			continue;
		if (!page_walk_take(&walk, row.id, NULL))
			break;
		each(arg, &row);
	}
	return page_walk_end(&walk, r, ret_next);
}

/* An admin of an org may name people it does not otherwise see, by their exact e-mail: so the answer to a wrong one is the same
 * as to everybody. */
static int find_any(struct store *store, const char *ref, struct store_user *ret, struct why *why)
{
	struct principal self = principal_local("membership");

	return store_user_find(store, &self, ref, ret, why);
}

int store_membership_set(struct store *store, struct op *op, const char *org_ref, const char *user_ref, enum store_role role)
{
	static const char *const names[] = { "", "read", "member", "admin" };
	CLEAN_JSON json_t *doc = NULL;
	struct store_user user;
	struct store_org org;
	uint8_t key[2 * ID_LEN];
	int64_t had = 0;
	int r = store_org_find(store, &op->principal, org_ref, &org, &op->why);

	if (r == 0)
		r = store_check_may(store, &op->principal, org.id, ACTION_ADMIN, "members", &op->why);
	if (r == 0)
		r = find_any(store, user_ref, &user, &op->why);
	if (r == 0 && (unsigned)role >= ARRAY_LEN(names))
		r = why_set(&op->why, "value_invalid", "role", "role %u is not one of read, member, admin", (unsigned)role);
	if (r == 0)
		r = sql_get_int(store, &had, "SELECT count(*) FROM membership WHERE org = ?1 AND person = ?2", "dd", org.id, user.id);
	if (r != 0)
		return r;
	memcpy(key, org.id, ID_LEN);
	memcpy(key + ID_LEN, user.id, ID_LEN);
	if (!role) {
		if (!had)
			return 0;
		r = sql_run(store, "DELETE FROM membership WHERE org = ?1 AND person = ?2", "dd", org.id, user.id);
		return r ? r : change_remove(store, op, change_envelope(RECORD_MEMBERSHIP, key, sizeof key), INTENT_DELETE, org.id);
	}
	r = sql_run(store,
		    "INSERT INTO membership (org, person, role, created_ms) VALUES (?1, ?2, ?3, ?4) "
		    "ON CONFLICT (org, person) DO UPDATE SET role = excluded.role",
		    "ddui", org.id, user.id, (uint32_t)role, (int64_t)clock_real_ms(&store->clock));
	doc = json_pack("{s:s, s:s}", "email", user.email, "role", names[role]);
	return r ? r : put_json(store, op, change_envelope(RECORD_MEMBERSHIP, key, sizeof key), doc, org.id);
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
	snprintf(out.text, sizeof out.text, "user %s", text);
	*ret_principal = out;
	return 0;
}

int store_membership_list(struct store *store, const struct principal *who, const char *org_ref,
			  void (*each)(void *arg, const struct store_user *user, enum store_role role, uint64_t since_ms), void *arg,
			  struct why *why)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	struct store_user user;
	struct store_org org;
	int r = store_org_find(store, who, org_ref, &org, why);

	if (r == 0)
		r = sql_query(store, &st,
			      "SELECT p.id, p.email, p.name, p.personal_org, p.created_ms, m.role, m.created_ms FROM membership m "
			      "JOIN person p ON p.id = m.person WHERE m.org = ?1 ORDER BY lower(p.email) LIMIT 200", "d", org.id);
	while (r == 0 && sql_next(st, &r)) {
		read_row(st, &user);
		each(arg, &user, (enum store_role)driver_int(st, 5), (uint64_t)driver_int(st, 6));
	}
	return r;
}
