/* store_org - see store_org.h. */
#include "controller/store/store_org.h"

#include "controller/store/store_finish.h"
#include "controller/store/store_internal.h"
#include "controller/store/store_network.h"
#include "controller/store/store_user.h"
#include "controller/store/store_rule_internal.h"
#include "lib/base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define COLUMNS                                                                                                            \
	"id, name, strict_region, suspended, deleting, created_ms, quota_networks, quota_apps, quota_instances, quota_peers, " \
	"quota_tokens, quota_writes FROM org "

static void read_row(struct statement *st, struct store_org *ret)
{
	*ret = (struct store_org){ .strict_region = driver_int(st, 2),
				   .suspended = driver_int(st, 3),
				   .deleting = driver_int(st, 4),
				   .created_ms = (uint64_t)driver_int(st, 5) };
	sql_bytes(st, 0, ret->id, ID_LEN);
	sql_text(st, 1, ret->name, sizeof ret->name);
	for (int i = 0; i < QUOTA_KINDS; i++)
		ret->quotas.limit[i] = (uint32_t)driver_int(st, 6 + i);
}

static int emit(struct store *store, struct op *op, const struct store_org *org)
{
	CLEAN_BUF struct buf body = BUF_INIT(RECORD_MAX);
	CLEAN_JSON json_t *doc = json_pack("{s:s, s:b, s:b, s:b, s:{}}", "name", org->name, "strict_region", org->strict_region, "suspended",
					   org->suspended, "deleting", org->deleting, "limits");
	char *text;

	for (int i = 0; doc && i < QUOTA_KINDS; i++)
		if (json_object_set_new(json_object_get(doc, "limits"), quota_defs[i].name, json_integer(org->quotas.limit[i])) != 0)
			return -ENOMEM;
	text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
	if (!text)
		return -ENOMEM;
	buf_add_str(&body, text);
	free(text);
	return change_put(store, op, change_envelope(RECORD_ORG, org->id, ID_LEN), &body, org->id, NULL);
}

void store_org_name_of(const char *text, char ret_name[NAME_SIZE])
{
	size_t n = 0;

	for (const char *p = text; *p && n < NAME_SIZE - 1; p++) {
		char c = *p >= 'A' && *p <= 'Z' ? (char)(*p | 0x20) : *p;
		bool letter = c >= 'a' && c <= 'z', plain = letter || (c >= '0' && c <= '9');

		if (letter || (n && plain))
			ret_name[n++] = c;
		else if (n && ret_name[n - 1] != '-')
			ret_name[n++] = '-';
	}
	while (n && ret_name[n - 1] == '-')
		n--;
	ret_name[n] = 0;
}

/* Operators; and persons, so many. The door of a person who makes an org is the e-mail that the operator gave it. */
static int check_create(struct store *store, struct op *op, const char *name)
{
	const struct principal *who = &op->principal;
	int64_t has = 0;
	int r;

	if (who->kind != PRINCIPAL_USER)
		r = store_check_operator(who, "create orgs", &op->why);
	else
		r = sql_get_int(store, &has, "SELECT count(*) FROM membership WHERE person = ?1 AND role = 3", "d", who->id);
	if (r == 0 && (has >= STORE_ORGS_OF_PERSON || who->n_orgs >= PRINCIPAL_ORGS_MAX))
		r = why_set(&op->why, "quota_exceeded", "name", "you are admin of %lld of at most %d orgs", (long long)has, STORE_ORGS_OF_PERSON);
	if (r == 0)
		r = name_check_org(name, &op->why);
	if (r == 0 && !strcasecmp(name, STORE_ORG_PERSONAL)) /* everybody's own */
		r = why_set(&op->why, "name_reserved", "name", "\"%s\" stands for everybody's own org", name);
	return r;
}

/* Who has made it is its admin, in this op already. */
static int admit_maker(struct store *store, struct op *op, const struct store_org *org)
{
	struct principal *who = &op->principal;
	struct principal self = principal_local("membership");
	struct store_user user;
	char id[ID_TEXT_SIZE];
	int r;

	if (who->kind != PRINCIPAL_USER)
		return 0;
	memcpy(who->orgs[who->n_orgs].id, org->id, ID_LEN);
	who->orgs[who->n_orgs++].profile = PROFILE_ADMIN;
	r = store_user_find(store, &self, id_text(who->id, id), &user, &op->why);
	return r ? r : membership_put(store, op, org->id, &user, ROLE_MEMBER_ADMIN);
}

int store_org_create(struct store *store, struct op *op, const char *name, struct store_org *ret_org)
{
	struct store_org org = { .quotas = quotas_default(), .created_ms = clock_real_ms(&store->clock) };
	struct store_network network;
	char id[ID_TEXT_SIZE];
	int r = check_create(store, op, name);

	if (r != 0)
		return r;
	snprintf(org.name, sizeof org.name, "%s", name);
	id_make(&store->clock, org.id);
	r = sql_insert(store,
		       "INSERT INTO org (id, name, created_ms, quota_networks, quota_apps, quota_instances, quota_peers, quota_tokens, "
		       "quota_writes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
		       "dtiuuuuuu", org.id, org.name, (int64_t)org.created_ms, org.quotas.limit[0], org.quotas.limit[1], org.quotas.limit[2],
		       org.quotas.limit[3], org.quotas.limit[4], org.quotas.limit[5]);
	if (r == DRIVER_E_UNIQUE)
		return why_set(&op->why, "name_taken", "name", "org \"%s\" exists already", org.name);
	if (r == 0)
		r = emit(store, op, &org);
	if (r == 0)
		r = admit_maker(store, op, &org);
	if (r == 0)
		r = store_network_create(store, op, id_text(org.id, id), "default", &network);
	if (r == 0)
		*ret_org = org;
	return r;
}

static int not_found(const char *ref, struct why *why)
{
	return why_set(why, "org_not_found", "org", "org \"%.63s\" does not exist", ref);
}

int store_org_find_by_id(struct store *store, const struct principal *who, const uint8_t id[ID_LEN], struct store_org *ret_org,
			 struct why *why)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	char text[ID_TEXT_SIZE];
	int r = 0;

	if (principal_sees_org(who, id))
		r = sql_query(store, &st, "SELECT " COLUMNS "WHERE id = ?1", "d", id);
	if (st && r == 0 && sql_next(st, &r)) {
		read_row(st, ret_org);
		return 0;
	}
	return r ? r : not_found(id_text(id, text), why);
}

int store_org_find(struct store *store, const struct principal *who, const char *ref, struct store_org *ret_org, struct why *why)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	struct store_org org;
	uint8_t id[ID_LEN];
	int r;

	if (!ref || !*ref) {
		if (principal_only_org(who))
			return store_org_find_by_id(store, who, principal_only_org(who), ret_org, why);
		return why_set(why, "org_missing", "org", "say which org is meant");
	}
	if (!strcasecmp(ref, STORE_ORG_PERSONAL) && principal_personal_org(who))
		return store_org_find_by_id(store, who, principal_personal_org(who), ret_org, why);
	r = sql_query(store, &st, "SELECT " COLUMNS "WHERE lower(name) = lower(?1)", "t", ref);
	if (r == 0 && sql_next(st, &r)) {
		read_row(st, &org);
		if (principal_sees_org(who, org.id)) {
			*ret_org = org;
			return 0;
		}
	}
	if (r != 0)
		return r;
	if (id_parse(ref, id) == 0)
		return store_org_find_by_id(store, who, id, ret_org, why);
	return not_found(ref, why);
}

int store_org_split(struct store *store, const struct principal *who, const char *org_ref, const char *ref, const char **ret_name,
		    bool *ret_has_org, struct store_org *ret_org, struct why *why)
{
	const char *slash = strchr(ref, '/');
	bool has_ref = org_ref && *org_ref;
	char org_name[NAME_SIZE];
	struct store_org given;
	int r = has_ref ? store_org_find(store, who, org_ref, &given, why) : 0;

	*ret_name = slash ? slash + 1 : ref;
	*ret_has_org = slash || has_ref;
	if (r != 0)
		return r;
	if (!slash) {
		if (has_ref)
			*ret_org = given;
		return 0;
	}
	if ((size_t)(slash - ref) < sizeof org_name) { /* else longer than any org's name: not found */
		snprintf(org_name, sizeof org_name, "%.*s", (int)(slash - ref), ref);
		ref = org_name;
	}
	r = store_org_find(store, who, ref, ret_org, why);
	if (r == 0 && has_ref && memcmp(given.id, ret_org->id, ID_LEN))
		return why_set(why, "field_invalid", "org", "\"%.63s/%.63s\" is not in org \"%.63s\"; leave one of the two out",
			       ret_org->name, *ret_name, given.name);
	return r;
}

int store_org_list(struct store *store, const struct principal *who, const struct store_page *page,
		   void (*each)(void *arg, const struct store_org *org), void *arg, struct store_next *ret_next, struct why *why)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	struct page_walk walk;
	struct store_org row;
	int r;

	(void)why;
	page_walk_begin(&walk, page);
	r = sql_query(store, &st,
		      "SELECT " COLUMNS "WHERE lower(name) > ?1 AND substr(lower(name), 1, length(?2)) = ?2 ORDER BY lower(name)", "tt",
		      store_page_after(page), store_page_prefix(page));
	while (r == 0 && sql_next(st, &r)) {
		read_row(st, &row);
		if (!principal_sees_org(who, row.id))
			continue;
		if (!page_walk_take(&walk, NULL, row.name))
			break;
		each(arg, &row);
	}
	return page_walk_end(&walk, r, ret_next);
}

static int count_usage(struct store *store, const uint8_t org[ID_LEN], struct store_org_usage *ret)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	int r = sql_query(store, &st,
			  "SELECT (SELECT count(*) FROM network WHERE org = ?1), (SELECT count(*) FROM app WHERE org = ?1), "
			  "(SELECT count(*) FROM instance WHERE org = ?1), (SELECT count(*) FROM peer WHERE org = ?1), "
			  "(SELECT count(*) FROM token WHERE org = ?1 AND revoked_ms = 0)",
			  "d", org);

	*ret = (struct store_org_usage){ 0 };
	if (r == 0 && sql_next(st, &r))
		for (int i = 0; i < QUOTA_WRITES; i++)
			ret->used[i] = (uint64_t)driver_int(st, i);
	return r;
}

int store_org_get_usage(struct store *store, const struct principal *who, const char *ref, struct store_org_usage *ret_usage,
			struct why *why)
{
	struct store_org org;
	int r = store_org_find(store, who, ref, &org, why);

	return r ? r : count_usage(store, org.id, ret_usage);
}

/* Of that kind alone: counting all of them would cost every new peer as much as its org has instances. */
int store_org_check_quota(struct store *store, struct op *op, const struct store_org *org, enum quota_kind kind)
{
	static const char *const queries[] = {
		[QUOTA_NETWORKS] = "SELECT count(*) FROM network WHERE org = ?1",
		[QUOTA_APPS] = "SELECT count(*) FROM app WHERE org = ?1",
		[QUOTA_INSTANCES] = "SELECT count(*) FROM instance WHERE org = ?1",
		[QUOTA_PEERS] = "SELECT count(*) FROM peer WHERE org = ?1",
		[QUOTA_TOKENS] = "SELECT count(*) FROM token WHERE org = ?1 AND revoked_ms = 0",
	};
	int64_t used = 0;
	int r = (size_t)kind < ARRAY_LEN(queries) ? sql_get_int(store, &used, queries[kind], "d", org->id) : -EINVAL;

	return r ? r : quota_check(&org->quotas, kind, (uint64_t)used, org->name, &op->why);
}

int store_org_check_usable(const struct store_org *org, struct why *why)
{
	if (org->deleting)
		return why_set(why, "org_deleting", "org", "org \"%s\" is being deleted", org->name);
	if (org->suspended)
		return why_set(why, "org_suspended", "org", STORE_SUSPENDED, org->name);
	return 0;
}

static int apply_change(const struct store_org_change *change, struct store_org *org, struct why *why)
{
	if (change->set_strict_region)
		org->strict_region = change->strict_region;
	if (change->set_suspended)
		org->suspended = change->suspended;
	for (int i = 0; i < QUOTA_KINDS; i++) {
		if (!change->set_quota[i])
			continue;
		if (change->quota[i] > quota_defs[i].max)
			return why_set(why, "value_invalid", quota_defs[i].name, "limit %s=%u is above %u", quota_defs[i].name, change->quota[i],
				       quota_defs[i].max);
		org->quotas.limit[i] = change->quota[i];
	}
	return 0;
}

int store_org_update(struct store *store, struct op *op, const char *ref, const struct store_org_change *change, struct store_org *ret_org)
{
	struct store_org org;
	bool was_suspended;
	int r = store_org_find(store, &op->principal, ref, &org, &op->why);

	if (r == 0)
		r = store_check_operator(&op->principal, "change orgs", &op->why);
	if (r != 0)
		return r;
	was_suspended = org.suspended;
	r = apply_change(change, &org, &op->why);
	if (r == 0)
		r = sql_run(store,
			    "UPDATE org SET strict_region = ?2, suspended = ?3, quota_networks = ?4, quota_apps = ?5, quota_instances = ?6, "
			    "quota_peers = ?7, quota_tokens = ?8, quota_writes = ?9 WHERE id = ?1",
			    "duuuuuuuu", org.id, (uint32_t)org.strict_region, (uint32_t)org.suspended, org.quotas.limit[0], org.quotas.limit[1],
			    org.quotas.limit[2], org.quotas.limit[3], org.quotas.limit[4], org.quotas.limit[5]);
	if (r == 0)
		r = emit(store, op, &org);
	if (r == 0 && org.suspended != was_suspended)
		r = network_emit_all(store, op, org.id);
	if (r == 0 && org.suspended != was_suspended)
		r = rule_note_org(store, op, org.id);
	if (r == 0)
		*ret_org = org;
	return r;
}

/* A person without one could no longer say "personal". */
static int check_not_personal(struct store *store, struct op *op, const struct store_org *org)
{
	int64_t n = 0;
	int r = principal_is_operator(&op->principal) ? 0 : sql_get_int(store, &n, "SELECT count(*) FROM person WHERE personal_org = ?1", "d", org->id);

	return r || !n ? r : why_set(&op->why, "org_is_personal", "org", "org \"%s\" is somebody's own: it goes with the person", org->name);
}

int store_org_delete(struct store *store, struct op *op, const char *ref, struct store_deletion *ret_deletion)
{
	struct store_org org;
	int r = store_org_find(store, &op->principal, ref, &org, &op->why);

	if (r == 0)
		r = store_check_may(store, &op->principal, org.id, ACTION_ADMIN, "the org", &op->why);
	if (r == 0)
		r = check_not_personal(store, op, &org);
	if (r != 0)
		return r;
	if (!org.deleting) {
		org.deleting = true;
		r = sql_run(store, "UPDATE org SET deleting = 1 WHERE id = ?1", "d", org.id);
		if (r == 0)
			r = emit(store, op, &org);
	}
	return r ? r : finish_delete_org(store, op, org.id, ret_deletion);
}
