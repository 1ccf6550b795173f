/* store_member - see store_member.h. */
#include "controller/store/store_member.h"

#include "controller/store/store_internal.h"
#include "controller/store/store_org.h"
#include "controller/store/store_user.h"
#include "lib/base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const role_names[] = { "", "read", "member", "admin" };

const char *store_role_name(enum store_role role)
{
	return (unsigned)role < ARRAY_LEN(role_names) ? role_names[role] : "";
}

int store_role_parse(const char *text, enum store_role *ret_role, struct why *why)
{
	for (unsigned i = 1; i < ARRAY_LEN(role_names); i++)
		if (!strcmp(text, role_names[i])) {
			*ret_role = (enum store_role)i;
			return 0;
		}
	return why_set(why, "role_invalid", "role", "role \"%.40s\" is not one of read, member, admin", text);
}

/* ---- changes ---- */

static struct record envelope(const uint8_t org[ID_LEN], const uint8_t user[ID_LEN])
{
	uint8_t key[2 * ID_LEN];

	memcpy(key, org, ID_LEN);
	memcpy(key + ID_LEN, user, ID_LEN);
	return change_envelope(RECORD_MEMBERSHIP, key, sizeof key);
}

static int emit(struct store *store, struct op *op, const uint8_t org[ID_LEN], const struct store_user *user, enum store_role role)
{
	CLEAN_BUF struct buf body = BUF_INIT(RECORD_MAX);
	CLEAN_JSON json_t *doc = json_pack("{s:s, s:s}", "email", user->email, "role", role_names[role]);
	CLEAN_FREE char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;

	if (!text)
		return -ENOMEM;
	buf_add_str(&body, text);
	return change_put(store, op, envelope(org, user->id), &body, org, NULL);
}

int membership_put(struct store *store, struct op *op, const uint8_t org[ID_LEN], const struct store_user *user, enum store_role role)
{
	int r = sql_run(store,
			"INSERT INTO membership (org, person, role, created_ms) VALUES (?1, ?2, ?3, ?4) "
			"ON CONFLICT (org, person) DO UPDATE SET role = excluded.role",
			"ddui", org, user->id, (uint32_t)role, (int64_t)clock_real_ms(&store->clock));

	return r ? r : emit(store, op, org, user, role);
}

/* A person may be named by whoever may make it a member, by exact e-mail: so the answer to a wrong one is the same as to everybody. */
static int find_any(struct store *store, const char *ref, struct store_user *ret, struct why *why)
{
	struct principal self = principal_local("membership");

	return store_user_find(store, &self, ref, ret, why);
}

static int get_role(struct store *store, const uint8_t org[ID_LEN], const uint8_t user[ID_LEN], int64_t *ret_role)
{
	int r = sql_get_int(store, ret_role, "SELECT role FROM membership WHERE org = ?1 AND person = ?2", "dd", org, user);

	if (r == SQL_E_NONE)
		*ret_role = 0;
	return r == SQL_E_NONE ? 0 : r;
}

static int check_room(struct store *store, const struct store_org *org, const struct store_user *user, struct why *why)
{
	int64_t members = 0, orgs = 0;
	int r = sql_get_int(store, &members, "SELECT count(*) FROM membership WHERE org = ?1", "d", org->id);

	if (r == 0)
		r = sql_get_int(store, &orgs, "SELECT count(*) FROM membership WHERE person = ?1", "d", user->id);
	if (r != 0)
		return r;
	if (members >= STORE_MEMBERS_MAX)
		return why_set(why, "quota_exceeded", "user", "org \"%s\" has %lld of at most %d members", org->name, (long long)members,
			       STORE_MEMBERS_MAX);
	if (orgs >= PRINCIPAL_ORGS_MAX)
		return why_set(why, "quota_exceeded", "user", "\"%.80s\" is in %lld of at most %d orgs", user->email, (long long)orgs,
			       PRINCIPAL_ORGS_MAX);
	return 0;
}

static int check_last_admin(struct store *store, const struct op *op, const struct store_org *org, const struct store_user *user,
			    int64_t had, enum store_role role, struct why *why)
{
	int64_t others = 0;
	int r;

	if (had != ROLE_MEMBER_ADMIN || role == ROLE_MEMBER_ADMIN || principal_is_operator(&op->principal))
		return 0;
	r = sql_get_int(store, &others, "SELECT count(*) FROM membership WHERE org = ?1 AND role = 3 AND person <> ?2", "dd", org->id, user->id);
	if (r == 0 && !others)
		r = why_set(why, "last_admin", "user", "\"%.80s\" is the last admin of org \"%s\": make somebody else one first", user->email, org->name);
	return r;
}

static bool is_self(const struct principal *who, const struct store_user *user)
{
	return who->kind == PRINCIPAL_USER && id_equal(who->id, user->id);
}

static int set(struct store *store, struct op *op, const char *org_ref, const char *user_ref, enum store_role role, bool must_be,
	       struct store_user *ret_user)
{
	struct store_user user;
	struct store_org org;
	int64_t had = 0;
	int r = store_org_find(store, &op->principal, org_ref, &org, &op->why), known;

	if (r != 0)
		return r;
	known = find_any(store, user_ref, &user, &op->why);
	if (known < 0)
		return known;
	if (known != 0 || role || !is_self(&op->principal, &user)) { /* who may not change members is told that, whomever he names */
		struct why why = op->why;

		r = store_check_may(store, &op->principal, org.id, ACTION_ADMIN, "members", &op->why);
		if (r != 0)
			return r;
		op->why = why;
	}
	if (known == 0)
		r = get_role(store, org.id, user.id, &had);
	if (r == 0 && must_be && (known != 0 || !had))
		return why_set(&op->why, "member_not_found", "user", "\"%.80s\" is no member of org \"%s\"", user_ref, org.name);
	if (r != 0 || known != 0)
		return r ? r : known;
	if ((unsigned)role >= ARRAY_LEN(role_names))
		return why_set(&op->why, "value_invalid", "role", "role %u is not one of read, member, admin", (unsigned)role);
	r = check_last_admin(store, op, &org, &user, had, role, &op->why);
	if (r == 0 && role && !had && org.deleting)
		r = why_set(&op->why, "org_deleting", "org", "org \"%s\" is being deleted", org.name);
	if (r == 0 && role && !had)
		r = check_room(store, &org, &user, &op->why);
	if (r == 0 && role && had != role)
		r = membership_put(store, op, org.id, &user, role);
	if (r == 0 && !role && had)
		r = sql_run(store, "DELETE FROM membership WHERE org = ?1 AND person = ?2", "dd", org.id, user.id);
	if (r == 0 && !role && had)
		r = change_remove(store, op, envelope(org.id, user.id), INTENT_DELETE, org.id);
	if (r == 0)
		*ret_user = user;
	return r;
}

int store_membership_set(struct store *store, struct op *op, const char *org_ref, const char *user_ref, enum store_role role)
{
	struct store_user user;

	return set(store, op, org_ref, user_ref, role, false, &user);
}

int store_membership_change(struct store *store, struct op *op, const char *org_ref, const char *user_ref, enum store_role role,
			    struct store_user *ret_user)
{
	return set(store, op, org_ref, user_ref, role, true, ret_user);
}

/* ---- look-ups ---- */

/* Whoever holds a token for its own peers is a machine somewhere: people's e-mails are none of its business. */
static int find_org(struct store *store, const struct principal *who, const char *org_ref, struct store_org *ret_org, struct why *why)
{
	int r = store_org_find(store, who, org_ref, ret_org, why);

	if (r == 0 && who->own_only)
		r = why_set(why, "forbidden", "", "%s may touch its own peers alone, and does not see who is a member", who->text);
	return r;
}

int store_membership_list(struct store *store, const struct principal *who, const char *org_ref,
			  void (*each)(void *arg, const struct store_user *user, enum store_role role, uint64_t since_ms), void *arg,
			  struct why *why)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	struct store_user user;
	struct store_org org;
	int r = find_org(store, who, org_ref, &org, why);

	if (r == 0)
		r = sql_query(store, &st, "SELECT " USER_COLUMNS("p") ", m.role, m.created_ms FROM membership m JOIN person p ON p.id = m.person "
			      "WHERE m.org = ?1 ORDER BY lower(p.email) LIMIT 200", "d", org.id);
	while (r == 0 && sql_next(st, &r)) {
		user_read_row(st, &user);
		each(arg, &user, (enum store_role)driver_int(st, USER_COLUMNS_N), (uint64_t)driver_int(st, USER_COLUMNS_N + 1));
	}
	return r;
}

int store_membership_find(struct store *store, const struct principal *who, const char *org_ref, const char *user_ref,
			  struct store_user *ret_user, enum store_role *ret_role, uint64_t *ret_since_ms, struct why *why)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	struct store_org org;
	uint8_t id[ID_LEN];
	bool is_id = id_parse(user_ref, id) == 0;
	int r = find_org(store, who, org_ref, &org, why);

	if (r == 0)
		r = sql_query(store, &st, "SELECT " USER_COLUMNS("p") ", m.role, m.created_ms FROM membership m JOIN person p ON p.id = m.person "
			      "WHERE m.org = ?1 AND (lower(p.email) = lower(?2) OR p.id = ?3)", "dtd", org.id, user_ref, is_id ? id : NULL);
	if (r == 0 && sql_next(st, &r)) {
		user_read_row(st, ret_user);
		*ret_role = (enum store_role)driver_int(st, USER_COLUMNS_N);
		*ret_since_ms = (uint64_t)driver_int(st, USER_COLUMNS_N + 1);
		return 0;
	}
	return r ? r : why_set(why, "member_not_found", "user", "\"%.80s\" is no member of org \"%s\"", user_ref, org.name);
}
