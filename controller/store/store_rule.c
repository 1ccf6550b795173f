/* store_rule - see store_rule.h. An end is either one's own (the caller is an admin of its org: everything is checked and told) or another's
 * (nothing is told: it is looked up here without a principal, and what was found stays in the store). */
#include "controller/store/store_app.h"
#include "controller/store/store_finish.h"
#include "controller/store/store_internal.h"
#include "controller/store/store_network.h"
#include "controller/store/store_org.h"
#include "controller/store/store_rule_internal.h"
#include "lib/base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void read_row(struct statement *st, struct store_rule *ret)
{
	size_t n;

	*ret = (struct store_rule){ .state = (enum store_rule_state)driver_int(st, 1),
				    .from_network = (uint32_t)driver_int(st, 3),
				    .to_network = (uint32_t)driver_int(st, 6),
				    .created_ms = (uint64_t)driver_int(st, 14),
				    .agreed_ms = (uint64_t)driver_int(st, 15),
				    .stopped = driver_int(st, 16) };
	sql_bytes(st, 0, ret->id, ID_LEN);
	sql_bytes(st, 2, ret->from_org, ID_LEN);
	sql_bytes(st, 4, ret->from_app, ID_LEN);
	sql_bytes(st, 5, ret->to_org, ID_LEN);
	sql_bytes(st, 7, ret->to_app, ID_LEN);
	sql_text(st, 8, ret->from_org_name, sizeof ret->from_org_name);
	sql_text(st, 9, ret->from_network_name, sizeof ret->from_network_name);
	sql_text(st, 10, ret->from_app_name, sizeof ret->from_app_name);
	sql_text(st, 11, ret->to_org_name, sizeof ret->to_org_name);
	sql_text(st, 12, ret->to_app_name, sizeof ret->to_app_name);
	sql_text(st, 13, ret->alias, sizeof ret->alias);
	ret->has_from = driver_blob(st, 2, &n) != NULL;
	ret->has_to = driver_blob(st, 5, &n) != NULL;
	ret->every_app = !ret->from_app_name[0];
}

int rule_collect(struct statement *st, struct store_rule **ret_rules, size_t *ret_n)
{
	CLEAN_BUF struct buf rows = BUF_INIT(64u << 20);
	int r;

	while (sql_next(st, &r)) {
		struct store_rule *row = buf_reserve(&rows, sizeof *row);

		if (!row)
			return -ENOMEM;
		read_row(st, row);
	}
	if (r != 0)
		return r;
	*ret_n = rows.len / sizeof(struct store_rule);
	*ret_rules = (void *)TAKE(rows.data);
	return 0;
}

const uint8_t *rule_org_of(const struct op *op, const struct store_rule *rule)
{
	bool from = rule->has_from && principal_sees_org(&op->principal, rule->from_org);

	return from || !rule->has_to || (rule->has_from && !principal_sees_org(&op->principal, rule->to_org)) ? rule->from_org : rule->to_org;
}

/* For audit and for those who follow the log: what everybody may know who may know of the rule. */
int rule_emit_peering(struct store *store, struct op *op, const struct store_rule *rule)
{
	CLEAN_BUF struct buf body = BUF_INIT(RECORD_MAX);
	CLEAN_JSON json_t *doc = json_pack("{s:s,s:{s:s,s:s,s:s},s:{s:s,s:s},s:s}", "state", rule->state == RULE_AGREED ? "agreed" : "proposed", "from",
					   "org", rule->from_org_name, "network", rule->from_network_name, "app", rule->from_app_name, "to", "org",
					   rule->to_org_name, "app", rule->to_app_name, "as", rule->alias);
	char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;

	if (!text)
		return -ENOMEM;
	buf_add_str(&body, text);
	free(text);
	return change_put(store, op, change_envelope(RECORD_PEERING, rule->id, ID_LEN), &body, rule_org_of(op, rule), NULL);
}

/* ---- judgements ---- */

bool rule_is_admin(const struct principal *who, bool has, const uint8_t org[ID_LEN])
{
	return has && principal_may(who, org, ACTION_ADMIN);
}

static bool sees(const struct principal *who, const struct store_rule *rule)
{
	return (rule->has_from && principal_sees_org(who, rule->from_org)) || (rule->has_to && principal_sees_org(who, rule->to_org));
}

int rule_check_quota(struct store *store, const uint8_t org[ID_LEN], const char *org_name, struct why *why)
{
	int64_t n = 0;
	int r = sql_get_int(store, &n,
			    "SELECT count(*) FROM rule WHERE (from_org = ?1 AND state IN (1, 3)) OR (to_org = ?1 AND state IN (2, 3))", "d", org);

	if (r == 0 && n >= STORE_RULES_MAX)
		return why_set(why, "quota_exceeded", "rules", "org \"%s\" has %lld of at most %d peering rules; delete some", org_name, (long long)n,
			       STORE_RULES_MAX);
	return r;
}

int rule_check_name(struct store *store, uint32_t network, const char *app_name, struct why *why)
{
	int64_t n = 0;
	int r = sql_get_int(store, &n, "SELECT count(*) FROM rule WHERE from_network = ?1 AND lower(alias) = lower(?2) AND state <> 2", "ut", network,
			    app_name);

	if (r == 0 && n)
		return why_set(why, "name_taken", "name", "\"%.63s\" is what a peering rule calls another network's app in this network", app_name);
	return r;
}

int rule_check_alias_name(const char *alias, struct why *why)
{
	int r = name_check_app(alias, why);

	if (r > 0 && why)
		snprintf(why->field, sizeof why->field, "as");
	return r;
}

int rule_check_alias(struct store *store, const struct store_rule *rule, struct why *why)
{
	int64_t n = 0;
	int r = rule_check_alias_name(rule->alias, why);

	if (r == 0)
		r = sql_get_int(store, &n, "SELECT count(*) FROM app WHERE network = ?1 AND lower(name) = lower(?2)", "ut", rule->from_network,
				rule->alias);
	if (r == 0 && n)
		return why_set(why, "name_taken", "as", "network \"%s\" has an app \"%s\" itself; give another name with \"as\"",
			       rule->from_network_name, rule->alias);
	if (r == 0)
		r = sql_get_int(store, &n,
				"SELECT count(*) FROM rule WHERE from_network = ?1 AND lower(alias) = lower(?2) AND state <> 2 AND id <> ?3 AND "
				"(lower(to_org_name) <> lower(?4) OR lower(to_app_name) <> lower(?5))",
				"utdtt", rule->from_network, rule->alias, rule->id, rule->to_org_name, rule->to_app_name);
	if (r == 0 && n)
		return why_set(why, "name_taken", "as", "another rule of network \"%s\" gives that name, \"%s\", to another app; give one with \"as\"",
			       rule->from_network_name, rule->alias);
	return r;
}

/* ---- the ends ---- */

struct end { /* as the caller names it */
	const char *org, *network, *app;
	bool opens;
	bool own;
	struct store_org found; /* if own */
};

static int copy_name(char ret[NAME_SIZE], const char *name, int (*check)(const char *name, struct why *why), struct why *why)
{
	int r = check(name, why);

	if (r == 0)
		snprintf(ret, NAME_SIZE, "%s", name);
	return r;
}

/* One's own, by the rules of its noun. */
static int find_own(struct store *store, struct op *op, const struct end *end, struct store_network *ret_network, struct store_app *ret_app)
{
	char id[ID_TEXT_SIZE];
	int r;

	*ret_app = (struct store_app){ .network = 0 };
	if (end->app && *end->app) {
		r = store_app_find(store, &op->principal, id_text(end->found.id, id), end->app, ret_app, &op->why);
		if (r == 0 && ret_app->deleting)
			r = why_set(&op->why, "app_deleting", "app", "app \"%s\" is being deleted", ret_app->name);
		if (r == 0)
			r = store_network_find(store, &op->principal, id, ret_app->network_name, ret_network, &op->why);
		if (r == 0 && end->network && *end->network && strcasecmp(end->network, ret_app->network_name))
			r = why_set(&op->why, "field_invalid", "from_network", "app \"%s\" is in network \"%s\", not \"%.63s\"", ret_app->name,
				    ret_app->network_name, end->network);
	} else {
		r = store_network_find(store, &op->principal, id_text(end->found.id, id), end->network, ret_network, &op->why);
	}
	if (r == 0 && !id_equal(ret_network->org, end->found.id))
		r = why_set(&op->why, "network_not_found", "network", "network \"%.63s\" does not exist in org \"%s\"", end->network, end->found.name);
	if (r == 0 && ret_network->deleting)
		r = why_set(&op->why, "network_deleting", "network", "network \"%s\" is being deleted", ret_network->name);
	return r;
}

static int take_own(struct store *store, struct op *op, const struct end *end, struct store_rule *rule)
{
	struct store_network network;
	struct store_app app;
	int r = store_check_may(store, &op->principal, end->found.id, ACTION_ADMIN, "peering rules", &op->why);

	if (r == 0) /* operators too make nothing new for who is suspended */
		r = store_org_check_usable(&end->found, &op->why);
	if (r == 0)
		r = find_own(store, op, end, &network, &app);
	if (r != 0)
		return r;
	*(end->opens ? &rule->has_from : &rule->has_to) = true;
	*(end->opens ? &rule->from_network : &rule->to_network) = network.id;
	memcpy(end->opens ? rule->from_org : rule->to_org, end->found.id, ID_LEN);
	memcpy(end->opens ? rule->from_app : rule->to_app, app.id, ID_LEN);
	memcpy(end->opens ? rule->from_org_name : rule->to_org_name, end->found.name, NAME_SIZE);
	memcpy(end->opens ? rule->from_app_name : rule->to_app_name, app.name, NAME_SIZE);
	if (end->opens)
		memcpy(rule->from_network_name, network.name, NAME_SIZE);
	return 0;
}

/* Another's, if it is there, whole; else nothing of it. Only the names as they were given are ever shown. */
static int take_foreign(struct store *store, struct op *op, const struct end *end, struct store_rule *rule)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	bool by_app = end->app && *end->app;
	int r = copy_name(end->opens ? rule->from_org_name : rule->to_org_name, end->org, name_check_org, &op->why);

	if (r == 0 && by_app)
		r = copy_name(end->opens ? rule->from_app_name : rule->to_app_name, end->app, name_check_app, &op->why);
	if (r == 0 && end->network && *end->network)
		r = copy_name(rule->from_network_name, end->network, name_check_network, &op->why);
	if (r == 0)
		r = sql_query(store, &st,
			      by_app ? "SELECT o.id, a.network, a.id FROM app a JOIN org o ON o.id = a.org JOIN network n ON n.id = a.network WHERE "
				       "lower(o.name) = lower(?1) AND lower(a.name) = lower(?2) AND (?3 = '' OR lower(n.name) = lower(?3)) AND "
				       "o.deleting = 0 AND n.deleting = 0 AND a.deleting = 0" :
				       "SELECT o.id, n.id, NULL FROM network n JOIN org o ON o.id = n.org WHERE lower(o.name) = lower(?1) AND "
				       "lower(n.name) = lower(?3) AND ?2 = '' AND o.deleting = 0 AND n.deleting = 0",
			      "ttt", end->org, by_app ? end->app : "", end->network ? end->network : "");
	if (r != 0 || !sql_next(st, &r))
		return r;
	*(end->opens ? &rule->has_from : &rule->has_to) = true;
	sql_bytes(st, 0, end->opens ? rule->from_org : rule->to_org, ID_LEN);
	*(end->opens ? &rule->from_network : &rule->to_network) = (uint32_t)driver_int(st, 1);
	sql_bytes(st, 2, end->opens ? rule->from_app : rule->to_app, ID_LEN);
	return 0;
}

/* Which of the two are the caller's; E_REFUSED if neither is, with what he may know. */
static int find_own_ends(struct store *store, struct op *op, struct end *from, struct end *to)
{
	const struct principal *who = &op->principal;
	struct why unseen;
	bool from_seen, to_seen;
	int r = store_org_find(store, who, from->org, &from->found, &op->why);

	if (r < 0 || (r && !strcmp(op->why.code, "org_missing")))
		return r;
	from_seen = r == 0;
	unseen = op->why;
	if (from_seen)
		from->org = from->found.name;
	if (!to->org || !*to->org)
		to->org = from->org;
	r = store_org_find(store, who, to->org, &to->found, &op->why);
	if (r < 0)
		return r;
	to_seen = r == 0;
	from->own = from_seen && principal_may(who, from->found.id, ACTION_ADMIN);
	to->own = to_seen && principal_may(who, to->found.id, ACTION_ADMIN);
	if (from->own || to->own)
		return 0;
	if (from_seen || to_seen)
		return store_check_may(store, who, from_seen ? from->found.id : to->found.id, ACTION_ADMIN, "peering rules", &op->why);
	op->why = unseen;
	return E_REFUSED;
}

/* ---- create ---- */

static int insert(struct store *store, struct op *op, const struct store_rule *rule)
{
	const uint8_t *from_app = rule->has_from && !rule->every_app ? rule->from_app : NULL;
	int r = sql_insert(store,
			   "INSERT INTO rule (id, state, from_org, from_network, from_app, to_org, to_network, to_app, from_org_name, "
			   "from_network_name, from_app_name, to_org_name, to_app_name, alias, created_ms, agreed_ms) VALUES (?1, ?2, ?3, "
			   "nullif(?4, 0), ?5, ?6, nullif(?7, 0), ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
			   "dududdudttttttii", rule->id, (uint32_t)rule->state, rule->has_from ? rule->from_org : NULL, rule->from_network,
			   from_app, rule->has_to ? rule->to_org : NULL, rule->to_network, rule->has_to ? rule->to_app : NULL,
			   rule->from_org_name, rule->from_network_name, rule->from_app_name, rule->to_org_name, rule->to_app_name, rule->alias,
			   (int64_t)rule->created_ms, (int64_t)rule->agreed_ms);

	if (r == DRIVER_E_UNIQUE)
		return why_set(&op->why, "rule_exists", "", "there is a rule from there to app \"%s\" already", rule->to_app_name);
	return r;
}

static int take_ends(struct store *store, struct op *op, const struct end *from, const struct end *to, struct store_rule *rule)
{
	int r = from->own ? take_own(store, op, from, rule) : take_foreign(store, op, from, rule);

	if (r == 0)
		r = to->own ? take_own(store, op, to, rule) : take_foreign(store, op, to, rule);
	if (r == 0 && rule->has_from && rule->from_network == rule->to_network)
		r = why_set(&op->why, "field_invalid", "to_app", "both ends are in network \"%s\": nothing separates them", rule->from_network_name);
	rule->every_app = !rule->from_app_name[0];
	rule->state = !to->own ? RULE_PROPOSED_FROM : !from->own ? RULE_PROPOSED_TO : RULE_AGREED;
	return r;
}

static int check_new(const struct store_rule_new *in, struct why *why)
{
	if (!in->to_app || !*in->to_app)
		return why_set(why, "field_missing", "to_app", "say which app is to be reached");
	if ((!in->from_app || !*in->from_app) && (!in->from_network || !*in->from_network))
		return why_set(why, "field_missing", "from_app", "say who may reach it: an app, or a network for every app of it");
	return 0;
}

int store_rule_create(struct store *store, struct op *op, const struct store_rule_new *in, struct store_rule *ret_rule)
{
	struct end from = { .org = in->from_org, .network = in->from_network, .app = in->from_app, .opens = true };
	struct end to = { .org = in->to_org, .app = in->to_app };
	struct store_rule rule = { .created_ms = clock_real_ms(&store->clock) };
	bool named = in->alias && *in->alias;
	int r = check_new(in, &op->why);

	if (r == 0)
		r = find_own_ends(store, op, &from, &to);
	if (r == 0)
		r = take_ends(store, op, &from, &to, &rule);
	if (r == 0 && named && !from.own)
		r = why_set(&op->why, "field_invalid", "as", "the name is chosen by org \"%s\" when it accepts: it stands in its network", rule.from_org_name);
	if (r != 0)
		return r;
	id_make(&store->clock, rule.id);
	if (from.own) {
		snprintf(rule.alias, sizeof rule.alias, "%s", named ? in->alias : rule.to_app_name);
		r = named ? rule_check_alias_name(in->alias, &op->why) : 0; /* before it is cut */
		r = r ? r : rule_check_alias(store, &rule, &op->why);
	}
	if (r == 0)
		r = rule_check_quota(store, from.own ? rule.from_org : rule.to_org, from.own ? rule.from_org_name : rule.to_org_name, &op->why);
	if (r == 0 && rule.state == RULE_AGREED && !id_equal(rule.from_org, rule.to_org))
		r = rule_check_quota(store, rule.to_org, rule.to_org_name, &op->why);
	if (rule.state == RULE_AGREED)
		rule.agreed_ms = rule.created_ms;
	if (r == 0)
		r = insert(store, op, &rule);
	if (r == 0)
		r = rule_emit_peering(store, op, &rule);
	if (r == 0)
		r = rule_emit(store, op, &rule);
	if (r == 0)
		r = rule_sweep(store, op);
	if (r == 0)
		*ret_rule = rule;
	return r;
}

/* ---- look-ups ---- */

int store_rule_find(struct store *store, const struct principal *who, const char *id_given, struct store_rule *ret_rule, struct why *why)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	struct store_rule row;
	uint8_t id[ID_LEN];
	int r = id_parse(id_given, id) == 0 ? sql_query(store, &st, "SELECT " RULE_COLUMNS "WHERE r.id = ?1", "d", id) : 0;

	if (r == 0 && st && sql_next(st, &r)) {
		read_row(st, &row);
		if (sees(who, &row)) {
			*ret_rule = row;
			return 0;
		}
	}
	return r ? r : why_set(why, "rule_not_found", "rule", "peering rule \"%.63s\" does not exist", id_given);
}

int store_rule_list(struct store *store, const struct principal *who, const char *org_ref, const struct store_page *page,
		    void (*each)(void *arg, const struct store_rule *rule), void *arg, struct store_next *ret_next, struct why *why)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	struct page_walk walk;
	struct store_rule row;
	int r;

	page_walk_begin(&walk, page);
	r = page_walk_only_org(&walk, store, who, org_ref, why);
	if (r == 0)
		r = store_page_id(page, walk.after, why);
	if (r == 0)
		r = sql_query(store, &st, "SELECT " RULE_COLUMNS "WHERE r.id > ?1 AND (?2 IS NULL OR r.from_org = ?2 OR r.to_org = ?2) ORDER BY r.id",
			      "dd", walk.after, walk.only);
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
