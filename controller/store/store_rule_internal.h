/* store_rule_internal - rules for the other files of the store: what nodes must know of them follows every change of their ends. */
#pragma once
#include "controller/store/store_instance.h"
#include "controller/store/store_rule.h"

/* ---- store_rule_records.c: what nodes hold ---- */
/* The records of a rule as they must be now: those of both ends and of the instances there, or none of the first if it is not agreed or
 * an org is suspended. */
int rule_emit(struct store *store, struct op *op, const struct store_rule *rule) MUST_CHECK;
/* All of them gone. More instances than one change holds: the rest lets nothing pass, and goes with later changes (rule_sweep). */
int rule_withdraw(struct store *store, struct op *op, const struct store_rule *rule, uint32_t intent) MUST_CHECK;
int rule_sweep(struct store *store, struct op *op) MUST_CHECK;
/* An instance came or changed; is about to go. */
int rule_note_instance(struct store *store, struct op *op, const struct store_instance *instance) MUST_CHECK;
int rule_forget_instance(struct store *store, struct op *op, const struct store_instance *instance) MUST_CHECK;
/* It was suspended or resumed. */
int rule_note_org(struct store *store, struct op *op, const uint8_t org[ID_LEN]) MUST_CHECK;

/* ---- store_rule_agree.c ---- */
/* An app, or a network, is being deleted: its rules are, and other orgs' proposals to it lead nowhere from now on. */
int rule_end_of_app(struct store *store, struct op *op, const uint8_t app[ID_LEN]) MUST_CHECK;
int rule_end_of_network(struct store *store, struct op *op, uint32_t network) MUST_CHECK;

/* ---- store_rule.c ---- */
/* E_REFUSED "name_taken": that name stands for another network's app there. */
int rule_check_name(struct store *store, uint32_t network, const char *app_name, struct why *why) MUST_CHECK;
/* Neither an app of the network that opens, nor another app of another network. */
int rule_check_alias_name(const char *alias, struct why *why) MUST_CHECK;
int rule_check_alias(struct store *store, const struct store_rule *rule, struct why *why) MUST_CHECK;
int rule_check_quota(struct store *store, const uint8_t org[ID_LEN], const char *org_name, struct why *why) MUST_CHECK;
bool rule_is_admin(const struct principal *who, bool has, const uint8_t org[ID_LEN]);
/* Whose act it is, for audit: of two orgs, the one that the caller belongs to. */
const uint8_t *rule_org_of(const struct op *op, const struct store_rule *rule);
/* The rule as people see it, for audit and for those who follow the log. */
int rule_emit_peering(struct store *store, struct op *op, const struct store_rule *rule) MUST_CHECK;
/* All rows of "SELECT <RULE_COLUMNS> ... " that a query gives, read whole; free(). */
int rule_collect(struct statement *st, struct store_rule **ret_rules, size_t *ret_n) MUST_CHECK;

#define RULE_COLUMNS                                                                                                           \
	"r.id, r.state, r.from_org, r.from_network, r.from_app, r.to_org, r.to_network, r.to_app, r.from_org_name, "           \
	"r.from_network_name, r.from_app_name, r.to_org_name, r.to_app_name, r.alias, r.created_ms, r.agreed_ms, "             \
	"coalesce(f.suspended, 0) OR coalesce(t.suspended, 0) "                                                                \
	"FROM rule r LEFT JOIN org f ON f.id = r.from_org LEFT JOIN org t ON t.id = r.to_org "
