/* store_rule_records - what nodes hold of peering rules: one record of the rule in each of its networks, and in each one record for every
 * instance at the other end. So a node that has one of the networks in scope learns of the other what the rule needs, and nothing else.
 *
 * The records of instances follow the instances; that of the rule decides alone whether it is in force. */
#include "controller/store/store_finish.h"
#include "controller/store/store_internal.h"
#include "controller/store/store_rule_internal.h"

#include <stdlib.h>
#include <string.h>

#define FAR_AT_ONCE 20000 /* of one change: an op holds 100,000 records */

/* As it is, unless it is so already: hosts report what changes nothing for the other end. */
static int put_if_new(struct store *store, struct op *op, struct record envelope, const struct buf *body, const uint8_t *org)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	int r = sql_query(store, &st, "SELECT body FROM record WHERE kind = ?1 AND key = ?2", "ub", envelope.kind, envelope.key,
			  (size_t)envelope.key_len);

	if (r == 0 && sql_next(st, &r)) {
		size_t n;
		const void *now = driver_blob(st, 0, &n);

		if (now && n == body->len && !memcmp(now, body->data, n))
			return 0;
	}
	return r ? r : change_put(store, op, envelope, body, org, NULL);
}

static int remove_if_there(struct store *store, struct op *op, struct record envelope, uint32_t intent, const uint8_t *org)
{
	int64_t n = 0;
	int r = sql_get_int(store, &n, "SELECT count(*) FROM record WHERE kind = ?1 AND key = ?2", "ub", envelope.kind, envelope.key,
			    (size_t)envelope.key_len);

	return r || !n ? r : change_remove(store, op, envelope, intent, org);
}

/* ---- of the rule ---- */

static int put_end(struct store *store, struct op *op, const struct store_rule *rule, bool outgoing)
{
	CLEAN_BUF struct buf body = BUF_INIT(RECORD_MAX);
	struct rule_record rec = { .network = outgoing ? rule->from_network : rule->to_network,
				   .far_network = outgoing ? rule->to_network : rule->from_network,
				   .outgoing = outgoing };
	int r;

	memcpy(rec.id, rule->id, sizeof rec.id);
	rec.every_app = outgoing && rule->every_app;
	rec.every_far_app = !outgoing && rule->every_app;
	memcpy(rec.app, outgoing ? rule->from_app : rule->to_app, sizeof rec.app);
	memcpy(rec.far_app, outgoing ? rule->to_app : rule->from_app, sizeof rec.far_app);
	if (outgoing)
		memcpy(rec.alias, rule->alias, sizeof rec.alias);
	r = rule_encode(&rec, &body);
	return r ? r : put_if_new(store, op, rule_envelope(rule->id, rec.network), &body, outgoing ? rule->from_org : rule->to_org);
}

static int remove_ends(struct store *store, struct op *op, const struct store_rule *rule, uint32_t intent)
{
	int r = remove_if_there(store, op, rule_envelope(rule->id, rule->from_network), intent, rule->from_org);

	return r ? r : remove_if_there(store, op, rule_envelope(rule->id, rule->to_network), intent, rule->to_org);
}

/* ---- of an instance ---- */

/* What the other end must know. Of who opens it is only where he is; the names are those of who is opened to. */
static int put_far(struct store *store, struct op *op, const struct store_rule *rule, const struct store_instance *instance, bool is_source)
{
	CLEAN_BUF struct buf body = BUF_INIT(RECORD_MAX);
	const struct instance_record *i = &instance->record;
	struct far_instance_record rec = { .network = is_source ? rule->to_network : rule->from_network,
					   .far_network = i->network,
					   .home_host = i->home_host,
					   .host = i->host,
					   .field = i->instance,
					   .answers = !is_source && instance_answers(i) };
	int r;

	memcpy(rec.rule, rule->id, sizeof rec.rule);
	memcpy(rec.instance, i->id, sizeof rec.instance);
	memcpy(rec.far_app, i->app, sizeof rec.far_app);
	r = far_instance_encode(&rec, &body);
	return r ? r : put_if_new(store, op, far_instance_envelope(rule->id, i->id, rec.network), &body, is_source ? rule->to_org : rule->from_org);
}

static bool is_source_of(const struct store_rule *rule, const struct store_instance *instance)
{
	return instance->record.network == rule->from_network;
}

/* Agreed rules that the instance has a part in. */
static int rules_of(struct store *store, const struct store_instance *instance, struct store_rule **ret_rules, size_t *ret_n)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	int r = sql_query(store, &st,
			  "SELECT " RULE_COLUMNS "WHERE r.state = 3 AND (r.to_app = ?1 OR r.from_app = ?1 OR "
			  "(r.from_network = ?2 AND r.from_app IS NULL))",
			  "du", instance->record.app, instance->record.network);

	return r ? r : rule_collect(st, ret_rules, ret_n);
}

int rule_note_instance(struct store *store, struct op *op, const struct store_instance *instance)
{
	CLEAN_FREE struct store_rule *rules = NULL;
	size_t n = 0;
	int r = rules_of(store, instance, &rules, &n);

	for (size_t i = 0; i < n && r == 0; i++)
		r = put_far(store, op, &rules[i], instance, is_source_of(&rules[i], instance));
	return r;
}

int rule_forget_instance(struct store *store, struct op *op, const struct store_instance *instance)
{
	CLEAN_FREE struct store_rule *rules = NULL;
	size_t n = 0;
	int r = rules_of(store, instance, &rules, &n);

	for (size_t i = 0; i < n && r == 0; i++) {
		bool is_source = is_source_of(&rules[i], instance);

		r = remove_if_there(store, op,
				    far_instance_envelope(rules[i].id, instance->record.id, is_source ? rules[i].to_network : rules[i].from_network),
				    INTENT_DELETE, is_source ? rules[i].to_org : rules[i].from_org);
	}
	return r;
}

/* ---- all of it ---- */

static int put_all_far(struct store *store, struct op *op, const struct store_rule *rule, const char *sql, const char *types, const void *id,
		       uint32_t network, bool is_source)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	CLEAN_FREE char (*ids)[NAME_INSTANCE_ID_SIZE] = NULL;
	size_t n = 0;
	int r = id ? sql_query(store, &st, sql, types, id) : sql_query(store, &st, sql, types, network);

	if (r == 0)
		r = instance_collect(st, &ids, &n);
	for (size_t i = 0; i < n && r == 0; i++) {
		struct store_instance instance;
		bool found;

		r = instance_get(store, ids[i], &instance, &found);
		if (r == 0 && found)
			r = put_far(store, op, rule, &instance, is_source);
	}
	return r;
}

#define OF_APP "SELECT id FROM instance WHERE app = ?1 ORDER BY id"
#define OF_NETWORK "SELECT id FROM instance WHERE network = ?1 ORDER BY id"

int rule_emit(struct store *store, struct op *op, const struct store_rule *rule)
{
	int r;

	if (rule->state != RULE_AGREED)
		return 0;
	r = put_all_far(store, op, rule, OF_APP, "d", rule->to_app, 0, false);
	if (r == 0 && rule->every_app)
		r = put_all_far(store, op, rule, OF_NETWORK, "u", NULL, rule->from_network, true);
	else if (r == 0)
		r = put_all_far(store, op, rule, OF_APP, "d", rule->from_app, 0, true);
	if (r != 0)
		return r;
	if (rule->stopped)
		return remove_ends(store, op, rule, INTENT_DELETE);
	r = put_end(store, op, rule, false);
	return r ? r : put_end(store, op, rule, true);
}

/* The records of far instances that a query gives: key, network. rule NULL = of rules that are gone. */
static int remove_far(struct store *store, struct op *op, struct statement *st, uint32_t intent, const struct store_rule *rule)
{
	CLEAN_BUF struct buf found = BUF_INIT(4u << 20);
	int r = 0;

	while (sql_next(st, &r)) { /* read whole before they are deleted from under it */
		struct record *at = buf_reserve(&found, sizeof *at);
		size_t n;
		const void *key = driver_blob(st, 0, &n);

		if (!at)
			return -ENOMEM;
		*at = (struct record){ .kind = RECORD_FAR_INSTANCE, .key_len = RECORD_FAR_INSTANCE_KEY_LEN, .network = (uint32_t)driver_int(st, 1) };
		if (!key || n != RECORD_FAR_INSTANCE_KEY_LEN)
			return -EINVAL;
		memcpy(at->key, key, n);
	}
	for (size_t i = 0; i < found.len / sizeof(struct record) && r == 0; i++) {
		const struct record *at = (const struct record *)(const void *)found.data + i;

		r = change_remove(store, op, *at, intent, !rule ? NULL : at->network == rule->from_network ? rule->from_org : rule->to_org);
	}
	return r;
}

int rule_withdraw(struct store *store, struct op *op, const struct store_rule *rule, uint32_t intent)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	struct record first = far_instance_envelope(rule->id, "00000000000000", 0), last = far_instance_envelope(rule->id, "ffffffffffffff", 0);
	int r = remove_ends(store, op, rule, intent);

	if (r == 0)
		r = sql_query(store, &st, "SELECT key, network FROM record WHERE kind = ?1 AND key BETWEEN ?2 AND ?3 ORDER BY key LIMIT ?4", "ubbu",
			      (uint32_t)RECORD_FAR_INSTANCE, first.key, (size_t)first.key_len, last.key, (size_t)last.key_len,
			      (uint32_t)FAR_AT_ONCE);
	return r ? r : remove_far(store, op, st, intent, rule);
}

int rule_sweep(struct store *store, struct op *op)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	int r = sql_query(store, &st,
			  "SELECT key, network FROM record WHERE kind = ?1 AND NOT EXISTS (SELECT 1 FROM rule WHERE id = substr(key, 1, 8)) LIMIT 200",
			  "u", (uint32_t)RECORD_FAR_INSTANCE);

	return r ? r : remove_far(store, op, st, INTENT_DELETE, NULL);
}

int rule_note_org(struct store *store, struct op *op, const uint8_t org[ID_LEN])
{
	CLEAN_STATEMENT struct statement *st = NULL;
	CLEAN_FREE struct store_rule *rules = NULL;
	size_t n = 0;
	int r = sql_query(store, &st, "SELECT " RULE_COLUMNS "WHERE r.state = 3 AND (r.from_org = ?1 OR r.to_org = ?1)", "d", org);

	if (r == 0)
		r = rule_collect(st, &rules, &n);
	for (size_t i = 0; i < n && r == 0; i++) {
		if (rules[i].stopped) {
			r = remove_ends(store, op, &rules[i], INTENT_ORG);
			continue;
		}
		r = put_end(store, op, &rules[i], false);
		if (r == 0)
			r = put_end(store, op, &rules[i], true);
	}
	return r;
}
