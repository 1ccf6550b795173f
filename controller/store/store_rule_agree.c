/* store_rule_agree - a rule is accepted, and ends: by either side, with its apps and networks. See store_rule.h. */
#include "controller/store/store_internal.h"
#include "controller/store/store_rule_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- accept, end ---- */

/* The names of an end that was only named by the other org, as they are. */
static int take_names(struct store *store, struct store_rule *rule)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	int r = sql_query(store, &st,
			  "SELECT f.name, n.name, coalesce(a.name, ''), t.name, b.name FROM rule r JOIN org f ON f.id = r.from_org JOIN org t ON t.id = "
			  "r.to_org JOIN network n ON n.id = r.from_network LEFT JOIN app a ON a.id = r.from_app JOIN app b ON b.id = r.to_app "
			  "WHERE r.id = ?1",
			  "d", rule->id);

	if (r != 0 || !sql_next(st, &r))
		return r ? r : -EINVAL;
	sql_text(st, 0, rule->from_org_name, sizeof rule->from_org_name);
	sql_text(st, 1, rule->from_network_name, sizeof rule->from_network_name);
	sql_text(st, 2, rule->from_app_name, sizeof rule->from_app_name);
	sql_text(st, 3, rule->to_org_name, sizeof rule->to_org_name);
	sql_text(st, 4, rule->to_app_name, sizeof rule->to_app_name);
	return 0;
}

static int check_accept(struct store *store, struct op *op, const struct store_rule *rule, const char *alias)
{
	bool by_to = rule->state == RULE_PROPOSED_FROM;

	if (rule->state == RULE_AGREED)
		return why_set(&op->why, "rule_agreed", "rule", "this rule is in force already");
	if (!rule_is_admin(&op->principal, by_to ? rule->has_to : rule->has_from, by_to ? rule->to_org : rule->from_org)) {
		if (principal_is_operator(&op->principal))
			return why_set(&op->why, "rule_leads_nowhere", "rule", "what it names as its other end does not exist (any more)");
		return why_set(&op->why, "forbidden", "", "org \"%s\" has to accept, by one of its admins",
			       by_to ? rule->to_org_name : rule->from_org_name);
	}
	if (by_to && alias && *alias)
		return why_set(&op->why, "field_invalid", "as", "the name stands in the network of org \"%s\", which has chosen it",
			       rule->from_org_name);
	return store_check_may(store, &op->principal, by_to ? rule->to_org : rule->from_org, ACTION_ADMIN, "peering rules", &op->why);
}

int store_rule_accept(struct store *store, struct op *op, const char *id, const char *alias, struct store_rule *ret_rule)
{
	struct store_rule rule;
	bool by_from;
	int r = store_rule_find(store, &op->principal, id, &rule, &op->why);

	if (r == 0)
		r = check_accept(store, op, &rule, alias);
	if (r == 0)
		r = take_names(store, &rule);
	if (r != 0)
		return r;
	by_from = rule.state == RULE_PROPOSED_TO;
	if (by_from) {
		r = alias && *alias ? rule_check_alias_name(alias, &op->why) : 0;
		snprintf(rule.alias, sizeof rule.alias, "%s", alias && *alias ? alias : rule.to_app_name);
	}
	if (r == 0)
		r = rule_check_alias(store, &rule, &op->why);
	if (r == 0)
		r = rule_check_quota(store, by_from ? rule.from_org : rule.to_org, by_from ? rule.from_org_name : rule.to_org_name, &op->why);
	rule.state = RULE_AGREED;
	rule.agreed_ms = clock_real_ms(&store->clock);
	if (r == 0)
		r = sql_insert(store,
			       "UPDATE rule SET state = 3, agreed_ms = ?2, alias = ?3, from_org_name = ?4, from_network_name = ?5, from_app_name = ?6, "
			       "to_org_name = ?7, to_app_name = ?8 WHERE id = ?1",
			       "ditttttt", rule.id, (int64_t)rule.agreed_ms, rule.alias, rule.from_org_name, rule.from_network_name,
			       rule.from_app_name, rule.to_org_name, rule.to_app_name);
	if (r == DRIVER_E_UNIQUE)
		return why_set(&op->why, "rule_exists", "", "there is a rule from there to app \"%s\" already", rule.to_app_name);
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

static int end_rule(struct store *store, struct op *op, const struct store_rule *rule, uint32_t intent)
{
	int r = sql_run(store, "DELETE FROM rule WHERE id = ?1", "d", rule->id);

	if (r == 0 && rule->state == RULE_AGREED)
		r = rule_withdraw(store, op, rule, intent);
	return r ? r : change_remove(store, op, change_envelope(RECORD_PEERING, rule->id, ID_LEN), intent, rule_org_of(op, rule));
}

int store_rule_delete(struct store *store, struct op *op, const char *id, struct store_rule *ret_rule)
{
	const struct principal *who = &op->principal;
	struct store_rule rule;
	int r = store_rule_find(store, who, id, &rule, &op->why);

	if (r == 0 && !rule_is_admin(who, rule.has_from, rule.from_org) && !rule_is_admin(who, rule.has_to, rule.to_org))
		r = store_check_role(who, rule.has_from && principal_sees_org(who, rule.from_org) ? rule.from_org : rule.to_org, ACTION_ADMIN,
				     "peering rules", &op->why);
	if (r == 0)
		r = end_rule(store, op, &rule, INTENT_DELETE);
	if (r == 0)
		r = rule_sweep(store, op);
	if (r == 0)
		*ret_rule = rule;
	return r;
}

/* A rule of that end: agreed, or proposed by it. */
static bool is_of(const struct store_rule *rule, bool opens)
{
	return rule->state == RULE_AGREED || (rule->state == RULE_PROPOSED_FROM) == opens;
}

/* What others proposed stays as it was for them, and is bound to nothing. */
static int unbind(struct store *store, const struct store_rule *rule, bool opens)
{
	return sql_run(store,
		       opens ? "UPDATE rule SET from_org = NULL, from_network = NULL, from_app = NULL WHERE id = ?1" :
			       "UPDATE rule SET to_org = NULL, to_network = NULL, to_app = NULL WHERE id = ?1",
		       "d", rule->id);
}

static int end_all(struct store *store, struct op *op, struct statement *st, uint32_t network, const uint8_t *app, uint32_t intent)
{
	CLEAN_FREE struct store_rule *rules = NULL;
	size_t n = 0;
	int r = rule_collect(st, &rules, &n);

	for (size_t i = 0; i < n && r == 0; i++) {
		bool opens = app ? rules[i].has_from && id_equal(rules[i].from_app, app) : rules[i].from_network == network;

		r = is_of(&rules[i], opens) ? end_rule(store, op, &rules[i], intent) : unbind(store, &rules[i], opens);
	}
	return r;
}

int rule_end_of_app(struct store *store, struct op *op, const uint8_t app[ID_LEN])
{
	CLEAN_STATEMENT struct statement *st = NULL;
	int r = sql_query(store, &st, "SELECT " RULE_COLUMNS "WHERE r.from_app = ?1 OR r.to_app = ?1", "d", app);

	return r ? r : end_all(store, op, st, 0, app, INTENT_APP);
}

int rule_end_of_network(struct store *store, struct op *op, uint32_t network)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	int r = sql_query(store, &st, "SELECT " RULE_COLUMNS "WHERE r.from_network = ?1 OR r.to_network = ?1", "u", network);

	return r ? r : end_all(store, op, st, network, NULL, INTENT_NETWORK);
}
