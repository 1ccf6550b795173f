/* Peering rules in the store: who may make and accept them, what nodes get of them and when it is taken back, and that a proposal tells
 * nobody what exists. */
#include "tests/unit/controller/store/store_fixture.h"

#include "controller/store/store_audit.h"
#include "controller/store/store_check.h"
#include "controller/store/store_rule.h"

struct world {
	struct store_node host;
	struct store_org acme, globex;
	struct principal ann, bob, reader; /* admins of acme and globex; who only reads acme */
	struct store_instance web, db;
	uint32_t live[1];
};

static struct principal admin_of(const struct store_org *org, enum principal_profile profile)
{
	static uint8_t n;
	uint8_t id[ID_LEN] = { 0xaa, ++n };

	return principal_org_token(id, org->id, profile);
}

static struct world make_world(struct fixture *f)
{
	struct world w;

	make_region(f, "ord");
	w.host = make_node(f, "ord", 1);
	w.live[0] = w.host.host;
	w.acme = make_org(f, "acme");
	w.globex = make_org(f, "globex");
	make_app(f, "acme", "web");
	make_app(f, "acme", "worker");
	make_app(f, "globex", "db");
	w.ann = admin_of(&w.acme, PROFILE_ADMIN);
	w.bob = admin_of(&w.globex, PROFILE_ADMIN);
	w.reader = admin_of(&w.acme, PROFILE_DEPLOY);
	w.web = make_instance(f, "web", "ord", w.live, 1);
	w.db = make_instance(f, "db", "ord", w.live, 1);
	return w;
}

static int64_t count(struct fixture *f, const char *sql)
{
	int64_t value = -1;

	assert_int_equal(sql_get_int(f->store, &value, sql, ""), 0);
	return value;
}

#define RULES count(f, "SELECT count(*) FROM record WHERE kind = 9")
#define FAR count(f, "SELECT count(*) FROM record WHERE kind = 10")

static int propose(struct fixture *f, const struct principal *who, const char *from_org, const char *from_app, const char *to_org,
		   const char *to_app, struct store_rule *ret)
{
	struct store_rule_new in = { .from_org = from_org, .from_app = from_app, .to_org = to_org, .to_app = to_app };

	return DO(f, who, store_rule_create(store, op, &in, ret));
}

static int agree(struct fixture *f, const struct principal *who, const struct store_rule *rule, const char *alias, struct store_rule *ret)
{
	char id[ID_TEXT_SIZE];

	return DO(f, who, store_rule_accept(store, op, id_text(rule->id, id), alias, ret));
}

static int end(struct fixture *f, const struct principal *who, const struct store_rule *rule)
{
	struct store_rule gone;
	char id[ID_TEXT_SIZE];

	return DO(f, who, store_rule_delete(store, op, id_text(rule->id, id), &gone));
}

static struct store_rule agreed(struct fixture *f, const struct world *w)
{
	struct store_rule rule;

	assert_good(f, propose(f, &w->ann, "acme", "web", "globex", "db", &rule));
	assert_good(f, agree(f, &w->bob, &rule, NULL, &rule));
	return rule;
}

static int find(struct fixture *f, const struct principal *who, const uint8_t rule[ID_LEN], struct store_rule *ret)
{
	char id[ID_TEXT_SIZE];
	struct why why;

	return store_rule_find(f->store, who, id_text(rule, id), ret, &why);
}

/* The record of that kind in that network; fails if there is not exactly one. */
static struct record *the_record(struct fixture *f, uint32_t kind, uint32_t network)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	struct record r = { .kind = kind, .network = network, .v = 1 };
	struct record *copy = NULL;
	size_t n;
	int e = sql_query(f->store, &st, "SELECT key, body FROM record WHERE kind = ?1 AND network = ?2", "uu", kind, network);

	assert_int_equal(e, 0);
	while (sql_next(st, &e)) {
		const void *key = driver_blob(st, 0, &n);

		assert_null(copy);
		r.key_len = (uint8_t)n;
		memcpy(r.key, key, n);
		r.body = driver_blob(st, 1, &r.body_len);
		copy = record_copy(&r);
	}
	assert_non_null(copy);
	return copy;
}

static void a_rule_between_two_orgs_is_in_force_when_both_agree(void **state)
{
	struct fixture *f = *state;
	struct world w = make_world(f);
	struct rule_record out;
	struct far_instance_record far;
	struct store_rule rule, seen;
	struct record *r;

	assert_good(f, propose(f, &w.ann, "acme", "web", "globex", "db", &rule));
	assert_int_equal(rule.state, RULE_PROPOSED_FROM);
	assert_int_equal(RULES + FAR, 0);
	assert_refused(f, agree(f, &w.ann, &rule, NULL, &seen), "forbidden"); /* who proposed does not agree for the other */
	assert_int_equal(find(f, &w.bob, rule.id, &seen), 0);
	assert_string_equal(seen.from_app_name, "web");
	assert_good(f, agree(f, &w.bob, &rule, NULL, &rule));
	assert_int_equal(rule.state, RULE_AGREED);
	assert_refused(f, agree(f, &w.bob, &rule, NULL, &seen), "rule_agreed");
	assert_int_equal(RULES, 2);
	assert_int_equal(FAR, 2);
	r = the_record(f, RECORD_RULE, w.web.record.network);
	assert_int_equal(rule_decode(r, &out, NULL), 0);
	assert_true(out.outgoing);
	assert_string_equal(out.alias, "db");
	assert_memory_equal(out.app, w.web.record.app, 8);
	assert_memory_equal(out.far_app, w.db.record.app, 8);
	free(r);
	r = the_record(f, RECORD_RULE, w.db.record.network);
	assert_int_equal(rule_decode(r, &out, NULL), 0);
	assert_false(out.outgoing);
	assert_string_equal(out.alias, "");
	free(r);
	r = the_record(f, RECORD_FAR_INSTANCE, w.web.record.network);
	assert_int_equal(far_instance_decode(r, &far, NULL), 0);
	assert_string_equal(far.instance, w.db.record.id);
	assert_int_equal(far.far_network, w.db.record.network);
	free(r);
}

static void either_side_ends_it_and_nothing_is_left(void **state)
{
	struct fixture *f = *state;
	struct world w = make_world(f);
	struct store_rule rule = agreed(f, &w), seen;

	assert_refused(f, end(f, &w.reader, &rule), "forbidden");
	assert_good(f, end(f, &w.bob, &rule));
	assert_int_equal(RULES + FAR + count(f, "SELECT count(*) FROM record WHERE kind = 23"), 0);
	assert_int_equal(find(f, &w.ann, rule.id, &seen), E_REFUSED);
	rule = agreed(f, &w);
	assert_good(f, end(f, &w.ann, &rule));
	assert_int_equal(RULES + FAR, 0);
	assert_good(f, propose(f, &w.ann, "acme", "web", "globex", "db", &rule)); /* declined */
	assert_good(f, end(f, &w.bob, &rule));
	assert_int_equal(find(f, &w.ann, rule.id, &seen), E_REFUSED);
}

/* All that the proposer is told, and may try. */
static void a_proposal_is_the_same_whether_the_other_end_exists_or_not(void **state)
{
	struct fixture *f = *state;
	struct world w = make_world(f);
	static const char *const others[][2] = { { "globex", "db" }, { "globex", "nothing" }, { "nobody", "data" }, { "GLOBEX", "db" } };
	struct store_rule rule[4], seen;

	for (size_t i = 0; i < 3; i++) {
		assert_good(f, propose(f, &w.ann, "acme", "web", others[i][0], others[i][1], &rule[i]));
		assert_int_equal(f->op.n_records, 1);
		assert_int_equal(rule[i].state, RULE_PROPOSED_FROM);
		assert_string_equal(rule[i].to_org_name, others[i][0]);
		assert_string_equal(rule[i].to_app_name, others[i][1]);
		assert_refused(f, agree(f, &w.ann, &rule[i], NULL, &seen), "forbidden");
		assert_int_equal(find(f, &w.ann, rule[i].id, &seen), 0);
	}
	assert_refused(f, propose(f, &w.ann, "acme", "web", others[3][0], others[3][1], &rule[3]), "name_invalid"); /* as of any name */
	assert_int_equal(find(f, &w.bob, rule[0].id, &seen), 0);
	assert_int_equal(find(f, &w.bob, rule[1].id, &seen), E_REFUSED); /* what it names is not there */
	assert_int_equal(find(f, &w.bob, rule[2].id, &seen), E_REFUSED);
	make_app(f, "globex", "nothing"); /* who takes the name later inherits nothing */
	assert_int_equal(find(f, &w.bob, rule[1].id, &seen), E_REFUSED);
	assert_refused(f, agree(f, &w.bob, &rule[1], NULL, &seen), "rule_not_found");
	assert_refused(f, agree(f, &f->root, &rule[1], NULL, &seen), "rule_leads_nowhere");
	for (size_t i = 0; i < 3; i++)
		assert_good(f, end(f, &w.ann, &rule[i]));
}

static void a_strangers_orgs_are_not_to_be_found(void **state)
{
	struct fixture *f = *state;
	struct world w = make_world(f);
	struct store_org eve_org = make_org(f, "eve");
	struct principal eve = admin_of(&eve_org, PROFILE_ADMIN);
	struct store_rule rule, seen;

	assert_refused(f, propose(f, &eve, "acme", "web", "globex", "db", &rule), "org_not_found");
	assert_refused(f, propose(f, &eve, "nobody", "web", "nowhere", "db", &rule), "org_not_found");
	assert_refused(f, propose(f, &w.reader, "acme", "web", "globex", "db", &rule), "forbidden");
	rule = agreed(f, &w);
	assert_int_equal(find(f, &eve, rule.id, &seen), E_REFUSED);
	assert_refused(f, end(f, &eve, &rule), "rule_not_found");
	assert_refused(f, agree(f, &eve, &rule, NULL, &seen), "rule_not_found");
}

static void who_is_opened_to_may_propose_and_the_other_chooses_the_name(void **state)
{
	struct fixture *f = *state;
	struct world w = make_world(f);
	struct store_rule_new in = { .from_org = "acme", .from_network = "default", .to_org = "globex", .to_app = "db", .alias = "stolen" };
	struct store_rule rule, seen;

	assert_refused(f, DO(f, &w.bob, store_rule_create(store, op, &in, &rule)), "field_invalid");
	in.alias = NULL;
	assert_good(f, DO(f, &w.bob, store_rule_create(store, op, &in, &rule)));
	assert_int_equal(rule.state, RULE_PROPOSED_TO);
	assert_refused(f, agree(f, &w.bob, &rule, NULL, &seen), "forbidden");
	assert_refused(f, agree(f, &w.ann, &rule, "web", &seen), "name_taken"); /* an app of the network itself */
	assert_refused(f, agree(f, &w.ann, &rule, "Data", &seen), "name_invalid");
	assert_good(f, agree(f, &w.ann, &rule, "data", &rule));
	assert_string_equal(rule.alias, "data");
	assert_true(rule.every_app);
	make_instance(f, "worker", "ord", w.live, 1);
	assert_int_equal(FAR, 3); /* every app of the network */
}

static void a_name_stands_for_one_app(void **state)
{
	struct fixture *f = *state;
	struct world w = make_world(f);
	struct store_rule rule = agreed(f, &w), second, refused;
	struct store_app app;

	assert_refused(f, DO(f, &w.ann, store_app_create(store, op, "acme", NULL, "db", &app)), "name_taken");
	assert_refused(f, propose(f, &w.ann, "acme", "worker", "nobody", "db", &second), "name_taken");
	assert_good(f, propose(f, &w.ann, "acme", "worker", "globex", "db", &second)); /* the same app from another of ours */
	assert_refused(f, propose(f, &w.ann, "acme", "web", "nobody", "worker", &refused), "name_taken");
	assert_good(f, end(f, &w.ann, &rule));
	/* what is only proposed keeps its name too: whoever accepts would be told of ours else */
	assert_refused(f, DO(f, &w.ann, store_app_create(store, op, "acme", NULL, "db", &app)), "name_taken");
	assert_good(f, end(f, &w.ann, &second));
	assert_good(f, DO(f, &w.ann, store_app_create(store, op, "acme", NULL, "db", &app)));
}

static void in_one_org_a_rule_is_made_at_once(void **state)
{
	struct fixture *f = *state;
	struct world w = make_world(f);
	struct store_network network;
	struct store_app app;
	struct store_rule rule;

	assert_good(f, DO(f, &w.ann, store_network_create(store, op, "acme", "staging", &network)));
	assert_good(f, DO(f, &w.ann, store_app_create(store, op, "acme", "staging", "stage", &app)));
	assert_good(f, propose(f, &w.ann, NULL, "web", NULL, "stage", &rule));
	assert_int_equal(rule.state, RULE_AGREED);
	assert_int_equal(RULES, 2);
	assert_refused(f, propose(f, &w.ann, NULL, "web", NULL, "stage", &rule), "rule_exists");
	assert_refused(f, propose(f, &w.ann, NULL, "web", NULL, "worker", &rule), "field_invalid"); /* nothing separates them */
	assert_refused(f, propose(f, &w.ann, NULL, "nothing", NULL, "stage", &rule), "app_not_found");
	assert_refused(f, propose(f, &w.ann, NULL, NULL, NULL, "stage", &rule), "field_missing");
	assert_refused(f, propose(f, &w.ann, NULL, "web", NULL, NULL, &rule), "field_missing");
}

static void report_started(struct fixture *f, const struct world *w, const struct store_instance *i)
{
	struct principal self = principal_node(w->host.host, w->host.name);
	struct store_report r = { .observed = { .state = STATE_STARTED, .generation = 1, .since_ms = T0 } };
	struct store_report_refusal refused[1];
	size_t n = 0, made;

	snprintf(r.id, sizeof r.id, "%s", i->record.id);
	assert_good(f, DO(f, &self, store_instance_report(store, op, &r, 1, 1, refused, &n, &made)));
	assert_int_equal(n, 0);
}

static void what_the_other_end_knows_follows_the_instance(void **state)
{
	struct fixture *f = *state;
	struct world w = make_world(f);
	struct far_instance_record far;
	struct store_instance more, changed;
	struct record *r;
	bool gone;

	agreed(f, &w);
	report_started(f, &w, &w.web); /* where a source is does not depend on its state */
	assert_int_equal(f->op.n_records, 1);
	report_started(f, &w, &w.db);
	assert_int_equal(f->op.n_records, 2);
	r = the_record(f, RECORD_FAR_INSTANCE, w.web.record.network);
	assert_int_equal(far_instance_decode(r, &far, NULL), 0);
	assert_true(far.answers);
	free(r);
	more = make_instance(f, "db", "ord", w.live, 1);
	assert_int_equal(FAR, 3);
	make_instance(f, "worker", "ord", w.live, 1); /* has no part in it */
	assert_int_equal(FAR, 3);
	assert_good(f, DO(f, &f->root, store_instance_change(store, op, more.record.id, INSTANCE_DESTROY, true, &changed, &gone)));
	assert_int_equal(FAR, 2);
}

static void a_rule_ends_with_its_apps_and_networks(void **state)
{
	struct fixture *f = *state;
	struct world w = make_world(f);
	struct store_rule rule = agreed(f, &w), proposal, late, seen;
	struct store_deletion deletion;
	struct store_instance changed;
	bool gone;

	assert_good(f, propose(f, &w.ann, "acme", "worker", "globex", "db", &proposal));
	assert_good(f, DO(f, &w.bob, store_app_delete(store, op, "globex", "db", &deletion)));
	assert_false(deletion.finished); /* its instance drains: the rule is gone already */
	assert_int_equal(RULES + FAR, 0);
	assert_int_equal(find(f, &w.ann, rule.id, &seen), E_REFUSED);
	assert_int_equal(find(f, &w.ann, proposal.id, &seen), 0); /* or its end would tell that the app is gone */
	assert_int_equal(find(f, &w.bob, proposal.id, &seen), E_REFUSED);
	assert_good(f, propose(f, &w.ann, "acme", "web", "globex", "db", &late)); /* to what is going: bound to nothing, and says so to nobody */
	assert_int_equal(find(f, &w.bob, late.id, &seen), E_REFUSED);
	assert_good(f, DO(f, &f->root, store_instance_change(store, op, w.db.record.id, INSTANCE_DESTROY, true, &changed, &gone)));
	assert_int_equal(count(f, "SELECT count(*) FROM app WHERE name = 'db'"), 0);
	assert_good(f, DO(f, &f->root, store_org_delete(store, op, "acme", &deletion)));
	assert_int_equal(find(f, &f->root, proposal.id, &seen), E_REFUSED);
	assert_int_equal(count(f, "SELECT count(*) FROM rule"), 0);
}

static void a_suspended_org_stops_its_rules_and_resume_restores_them(void **state)
{
	struct fixture *f = *state;
	struct world w = make_world(f);
	struct store_org_change change = { .set_suspended = true, .suspended = true };
	struct store_rule rule = agreed(f, &w), seen;
	struct store_org org;

	assert_good(f, DO(f, &f->root, store_org_update(store, op, "globex", &change, &org)));
	assert_int_equal(RULES, 0);
	assert_int_equal(find(f, &w.ann, rule.id, &seen), 0);
	assert_true(seen.stopped);
	make_instance(f, "web", "ord", w.live, 1); /* the one that is not suspended goes on */
	assert_refused(f, propose(f, &w.bob, "acme", "worker", "globex", "db", &seen), "org_suspended");
	assert_refused(f, propose(f, &f->root, "acme", "worker", "globex", "db", &seen), "org_suspended");
	assert_good(f, propose(f, &w.ann, "acme", "worker", "globex", "db", &seen)); /* it is not told of the other */
	assert_false(seen.stopped);
	assert_refused(f, agree(f, &w.bob, &seen, NULL, &seen), "org_suspended");
	assert_good(f, end(f, &w.bob, &seen)); /* to take away is what it may */
	change.suspended = false;
	assert_good(f, DO(f, &f->root, store_org_update(store, op, "globex", &change, &org)));
	assert_int_equal(RULES, 2);
	assert_int_equal(FAR, 3);
}

static void an_org_has_so_many_rules(void **state)
{
	struct fixture *f = *state;
	struct world w = make_world(f);
	struct store_rule rule;
	char name[16];

	for (int i = 0; i < STORE_RULES_MAX; i++) {
		snprintf(name, sizeof name, "far-%d", i);
		assert_good(f, propose(f, &w.ann, "acme", "web", "globex", name, &rule));
	}
	assert_refused(f, propose(f, &w.ann, "acme", "web", "globex", "db", &rule), "quota_exceeded");
	assert_good(f, propose(f, &w.bob, "acme", "web", "globex", "db", &rule)); /* others' proposals use up nothing */
	assert_refused(f, agree(f, &w.ann, &rule, NULL, &rule), "quota_exceeded");
}

static void count_one(void *arg, const struct store_rule *rule)
{
	unsigned *n = arg;

	(void)rule;
	++*n;
}

static void a_list_shows_what_its_reader_may_see(void **state)
{
	struct fixture *f = *state;
	struct world w = make_world(f);
	struct store_org eve_org = make_org(f, "eve");
	struct principal eve = admin_of(&eve_org, PROFILE_ADMIN), *who[] = { &w.ann, &w.bob, &eve };
	static const unsigned expected[] = { 2, 1, 0 };
	struct store_page page = { 0 };
	struct store_next next;
	struct store_rule rule;
	struct why why;

	agreed(f, &w);
	assert_good(f, propose(f, &w.ann, "acme", "worker", "globex", "nothing", &rule));
	for (size_t i = 0; i < 3; i++) {
		unsigned n = 0;

		assert_int_equal(store_rule_list(f->store, who[i], NULL, &page, count_one, &n, &next, &why), 0);
		assert_int_equal(n, expected[i]);
		assert_string_equal(next.cursor, "");
	}
}

struct seen_rows {
	unsigned own, other, foreign;
	const struct principal *reader;
};

static void note_row(void *arg, const struct audit_row *row)
{
	struct seen_rows *s = arg;

	if (strcmp(row->noun, "rule") && strcmp(row->noun, "peering"))
		return;
	if (!strcmp(row->principal, s->reader->text))
		s->own++;
	else if (!strcmp(row->principal, "the other organization") && !row->token[0] && !row->address[0])
		s->other++;
	else
		s->foreign++;
}

/* What an admin finds of rules in the audit: "own+other", and never who acts for the other. */
static const char *audit_of(struct fixture *f, const struct principal *reader)
{
	static char text[32];
	struct seen_rows s = { .reader = reader };
	struct store_audit_filter filter = { .org = NULL };
	struct store_next next;
	struct why why;

	assert_int_equal(store_audit_list(f->store, reader, &filter, NULL, note_row, &s, &next, &why), 0);
	assert_int_equal(s.foreign, 0);
	snprintf(text, sizeof text, "%u+%u", s.own, s.other);
	return text;
}

static void each_org_audits_the_rule_and_neither_learns_who_acts_for_the_other(void **state)
{
	struct fixture *f = *state;
	struct world w = make_world(f);
	struct store_rule rule = agreed(f, &w);

	assert_string_equal(audit_of(f, &w.ann), "1+1"); /* she proposed; her end of the rule came with the other's yes */
	assert_string_equal(audit_of(f, &w.bob), "2+0");
	assert_good(f, end(f, &w.bob, &rule));
	assert_string_equal(audit_of(f, &w.ann), "1+2");
	assert_string_equal(audit_of(f, &w.bob), "4+0");
	assert_good(f, propose(f, &w.bob, "acme", "web", "globex", "db", &rule));
	assert_string_equal(audit_of(f, &w.ann), "1+2"); /* a proposal is the proposer's alone */
}

/* Whatever a test did, tables and records speak of the same rules. */
static int check_and_teardown(void **state)
{
	struct fixture *f = *state;
	struct store_summary summary;
	struct why why = { 0 };

	if (store_check(f->path, false, &summary, &why) != 0)
		print_error("%s\n", why.text);
	assert_string_equal(why.text, "");
	return fixture_teardown(state);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, check_and_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_rule_between_two_orgs_is_in_force_when_both_agree),
		T(either_side_ends_it_and_nothing_is_left),
		T(a_proposal_is_the_same_whether_the_other_end_exists_or_not),
		T(a_strangers_orgs_are_not_to_be_found),
		T(who_is_opened_to_may_propose_and_the_other_chooses_the_name),
		T(a_name_stands_for_one_app),
		T(in_one_org_a_rule_is_made_at_once),
		T(what_the_other_end_knows_follows_the_instance),
		T(a_rule_ends_with_its_apps_and_networks),
		T(a_suspended_org_stops_its_rules_and_resume_restores_them),
		T(an_org_has_so_many_rules),
		T(a_list_shows_what_its_reader_may_see),
		T(each_org_audits_the_rule_and_neither_learns_who_acts_for_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
