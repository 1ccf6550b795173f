/* Orgs, networks, apps, users, tokens, quotas, the audit list; and the walk of a foreign principal over every look-up. */
#include "tests/unit/controller/store/store_fixture.h"

#include "controller/store/store_audit.h"

#include "controller/store/error.h"

static struct principal token_of(const struct store_org *org, enum principal_profile profile)
{
	static const uint8_t id[ID_LEN] = { 9 };

	return principal_org_token(id, org->id, profile);
}

static int64_t number(struct fixture *f, const char *sql)
{
	int64_t value = -1;

	assert_int_equal(sql_get_int(f->store, &value, sql, ""), 0);
	return value;
}

/* ---- names ---- */

static void an_org_comes_with_its_default_network(void **state)
{
	struct fixture *f = *state;
	struct store_network network;
	struct network_record rec;

	make_org(f, "acme");
	assert_int_equal(f->op.n_records, 2);
	assert_int_equal(network_decode(f->op.records[1], &rec, NULL), 0);
	assert_string_equal(rec.org, "acme");
	assert_string_equal(rec.name, "default");
	assert_int_equal(store_network_find(f->store, &f->root, "acme", "default", &network, NULL), 0);
	assert_int_equal(network.id, rec.id);
	assert_true(addr_network_valid(network.id));
}

static void names_are_unique_where_they_must_be_and_free_where_not(void **state)
{
	struct fixture *f = *state;
	struct store_org org;
	struct store_app app;
	struct store_network network;

	make_org(f, "acme");
	make_org(f, "globex");
	assert_refused(f, DO(f, &f->root, store_org_create(store, op, "acme", &org)), "name_taken");
	assert_refused(f, DO(f, &f->root, store_org_create(store, op, "Acme", &org)), "name_invalid");
	make_app(f, "acme", "web");
	assert_refused(f, DO(f, &f->root, store_app_create(store, op, "acme", NULL, "web", &app)), "name_taken");
	make_app(f, "globex", "web");
	assert_refused(f, DO(f, &f->root, store_app_create(store, op, "acme", NULL, "vms", &app)), "name_reserved");
	assert_refused(f, DO(f, &f->root, store_network_create(store, op, "acme", "default", &network)), "name_taken");
	assert_refused(f, DO(f, &f->root, store_app_create(store, op, "acme", "other", "api", &app)), "network_not_found");
	assert_refused(f, DO(f, &f->root, store_app_create(store, op, "acme", "globex/default", "api", &app)), "field_invalid");
}

static void a_name_in_two_orgs_is_ambiguous_to_whom_sees_both(void **state)
{
	struct fixture *f = *state;
	struct store_org acme = make_org(f, "acme");
	struct principal tenant = token_of(&acme, PROFILE_READ);
	struct store_app app;
	struct why why;

	make_org(f, "globex");
	make_app(f, "acme", "web");
	make_app(f, "globex", "web");
	assert_int_equal(store_app_find(f->store, &f->root, NULL, "web", &app, &why), E_REFUSED);
	assert_string_equal(why.code, "ambiguous_app");
	assert_non_null(strstr(why.text, "acme, globex"));
	assert_int_equal(store_app_find(f->store, &f->root, NULL, "globex/web", &app, &why), 0);
	assert_string_equal(app.org_name, "globex");
	assert_int_equal(store_app_find(f->store, &f->root, "acme", "web", &app, &why), 0);
	assert_string_equal(app.org_name, "acme");
	assert_int_equal(store_app_find(f->store, &tenant, NULL, "web", &app, &why), 0);
	assert_string_equal(app.org_name, "acme");
}

static void an_org_that_contradicts_the_one_in_the_name_is_refused(void **state)
{
	struct fixture *f = *state;
	struct store_network network;
	struct store_app app;
	struct why why;

	make_org(f, "acme");
	make_org(f, "globex");
	make_app(f, "acme", "web");
	assert_int_equal(store_app_find(f->store, &f->root, "acme", "acme/web", &app, &why), 0);
	assert_int_equal(store_app_find(f->store, &f->root, "globex", "acme/web", &app, &why), E_REFUSED);
	assert_string_equal(why.field, "org");
	assert_non_null(strstr(why.text, "\"acme/web\" is not in org \"globex\""));
	assert_int_equal(store_app_find(f->store, &f->root, "nosuch", "acme/web", &app, &why), E_REFUSED);
	assert_string_equal(why.code, "org_not_found");
	assert_int_equal(store_network_find(f->store, &f->root, "globex", "acme/default", &network, &why), E_REFUSED);
	assert_string_equal(why.code, "field_invalid");
}

static void an_app_is_found_by_its_id_too(void **state)
{
	struct fixture *f = *state;
	struct store_app made, found;
	char id[ID_TEXT_SIZE];

	make_org(f, "acme");
	made = make_app(f, "acme", "web");
	assert_int_equal(store_app_find(f->store, &f->root, NULL, id_text(made.id, id), &found, NULL), 0);
	assert_string_equal(found.name, "web");
}

static void an_org_name_that_is_too_long_is_not_cut_to_one_that_is_there(void **state)
{
	struct fixture *f = *state;
	char name[NAME_SIZE], ref[128];
	struct store_app app;
	struct why why;

	memset(name, 'a', sizeof name - 1);
	name[sizeof name - 1] = 0;
	make_org(f, name);
	make_app(f, name, "web");
	snprintf(ref, sizeof ref, "%sa/web", name);
	assert_int_equal(store_app_find(f->store, &f->root, NULL, ref, &app, &why), E_REFUSED);
	assert_string_equal(why.code, "org_not_found");
}

/* ---- quotas and suspension ---- */

static void quotas_name_themselves_and_their_value(void **state)
{
	struct fixture *f = *state;
	struct store_org_change change = { .set_quota = { [QUOTA_APPS] = true, [QUOTA_TOKENS] = true, [QUOTA_INSTANCES] = true },
					   .quota = { [QUOTA_APPS] = 2, [QUOTA_TOKENS] = 0, [QUOTA_INSTANCES] = 1 } };
	struct store_token_new token = { .kind = PRINCIPAL_ORG_TOKEN, .org = "acme", .profile = PROFILE_READ };
	struct store_instance_new in = { .app = "one", .region = "ord", .desired = DESIRED_STARTED, .n_live = 1 };
	char text[TOKEN_TEXT_SIZE];
	struct store_network network;
	struct store_instance instance;
	struct store_token row;
	struct store_org org;
	struct store_app app;
	uint32_t live;

	make_org(f, "acme");
	make_region(f, "ord");
	live = make_node(f, "ord", 1).host;
	in.live = &live;
	assert_good(f, DO(f, &f->root, store_org_update(store, op, "acme", &change, &org)));
	make_app(f, "acme", "one");
	make_app(f, "acme", "two");
	assert_refused(f, DO(f, &f->root, store_app_create(store, op, "acme", NULL, "three", &app)), "quota_exceeded");
	assert_string_equal(f->op.why.field, "apps");
	assert_non_null(strstr(f->op.why.text, "2"));
	assert_refused(f, DO(f, &f->root, store_token_create(store, op, &token, &row, text)), "quota_exceeded");
	assert_good(f, DO(f, &f->root, store_instance_create(store, op, &in, &instance)));
	assert_refused(f, DO(f, &f->root, store_instance_create(store, op, &in, &instance)), "quota_exceeded");
	for (int i = 1; i < 10; i++) {
		char name[16];

		snprintf(name, sizeof name, "net%d", i);
		assert_good(f, DO(f, &f->root, store_network_create(store, op, "acme", name, &network)));
	}
	assert_refused(f, DO(f, &f->root, store_network_create(store, op, "acme", "net10", &network)), "quota_exceeded");
	assert_int_equal(error_http_status(f->op.why.code), 409);
}

static void a_limit_above_its_bound_is_refused(void **state)
{
	struct fixture *f = *state;
	struct store_org_change change = { .set_quota = { [QUOTA_APPS] = true }, .quota = { [QUOTA_APPS] = 1u << 30 } };
	struct store_org org;

	make_org(f, "acme");
	assert_refused(f, DO(f, &f->root, store_org_update(store, op, "acme", &change, &org)), "value_invalid");
}

static void suspending_an_org_changes_all_its_networks(void **state)
{
	struct fixture *f = *state;
	struct store_org_change change = { .set_suspended = true, .suspended = true };
	struct store_network network;
	struct network_record rec;
	struct store_org org;
	struct store_app app;

	make_org(f, "acme");
	assert_good(f, DO(f, &f->root, store_network_create(store, op, "acme", "second", &network)));
	assert_good(f, DO(f, &f->root, store_org_update(store, op, "acme", &change, &org)));
	assert_int_equal(f->op.n_records, 3);
	for (int i = 1; i < 3; i++) {
		assert_int_equal(network_decode(f->op.records[i], &rec, NULL), 0);
		assert_true(rec.suspended);
	}
	assert_refused(f, DO(f, &f->root, store_app_create(store, op, "acme", NULL, "web", &app)), "org_suspended");
}

static void suspend(struct fixture *f, bool suspended)
{
	struct store_org_change change = { .set_suspended = true, .suspended = suspended };
	struct store_org org;

	assert_good(f, DO(f, &f->root, store_org_update(store, op, "acme", &change, &org)));
	assert_true(org.suspended == suspended);
}

/* Every kind of write that the org's own tokens have; each is refused with the same sentence. */
static void of_a_suspended_org_only_operators_change_anything(void **state)
{
	struct fixture *f = *state;
	struct store_org org = make_org(f, "acme"), other = make_org(f, "globex");
	struct principal admin = token_of(&org, PROFILE_ADMIN), foreign = token_of(&other, PROFILE_ADMIN);
	struct store_token_new in = { .kind = PRINCIPAL_ORG_TOKEN, .org = "acme", .profile = PROFILE_READ };
	struct store_deletion gone;
	struct store_network network;
	struct store_token token;
	struct store_app app;
	struct store_user user;
	char text[TOKEN_TEXT_SIZE];

	make_app(f, "acme", "web");
	assert_good(f, DO(f, &f->root, store_user_create(store, op, "a@example.net", "A", NULL, &user)));
	assert_good(f, DO(f, &f->root, store_token_create(store, op, &in, &token, text)));
	suspend(f, true);
	assert_refused(f, DO(f, &admin, store_app_create(store, op, "acme", NULL, "api", &app)), "org_suspended");
	assert_refused(f, DO(f, &admin, store_app_delete(store, op, "acme", "web", &gone)), "org_suspended");
	assert_refused(f, DO(f, &admin, store_network_create(store, op, "acme", "second", &network)), "org_suspended");
	assert_refused(f, DO(f, &admin, store_token_create(store, op, &in, &token, text)), "org_suspended");
	assert_refused(f, DO(f, &admin, store_membership_set(store, op, "acme", "a@example.net", ROLE_MEMBER)), "org_suspended");
	assert_refused(f, DO(f, &admin, store_org_delete(store, op, "acme", &gone)), "org_suspended");
	assert_non_null(strstr(f->op.why.text, "org \"acme\" is suspended"));
	assert_int_equal(error_http_status(f->op.why.code), 403);
	/* who may nothing there learns nothing of it; reading goes on, and a token that leaked can be ended */
	assert_refused(f, DO(f, &foreign, store_app_create(store, op, "acme", NULL, "api", &app)), "org_not_found");
	assert_int_equal(store_app_find(f->store, &admin, "acme", "web", &app, NULL), 0);
	assert_good(f, DO(f, &admin, store_token_revoke(store, op, id_text(token.id, (char[ID_TEXT_SIZE]){ 0 }), &token)));
	suspend(f, false);
	assert_good(f, DO(f, &admin, store_app_create(store, op, "acme", NULL, "api", &app)));
	suspend(f, true);
	assert_good(f, DO(f, &f->root, store_app_delete(store, op, "acme", "web", &gone)));
}

static void members_of_an_org_and_orgs_of_a_person_are_bounded(void **state)
{
	struct fixture *f = *state;
	struct store_user user;
	struct store_org org;
	char name[40];

	org = make_org(f, "acme");
	assert_good(f, DO(f, &f->root, store_user_create(store, op, "p0@example.net", "", NULL, &user)));
	assert_good(f, DO(f, &f->root, store_membership_set(store, op, "acme", "p0@example.net", ROLE_MEMBER_READ)));
	/* the others at once: one by one takes seconds */
	assert_good(f, DO(f, &f->root,
			  sql_run(store,
				  "INSERT INTO person (id, email, created_ms) WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 199) "
				  "SELECT CAST(printf('%08d', n) AS BLOB), 'p' || n || '@example.net', 0 FROM c",
				  "")));
	assert_good(f, DO(f, &f->root,
			  sql_run(store, "INSERT INTO membership (org, person, role, created_ms) SELECT ?1, id, 1, 0 FROM person WHERE email <> 'p0@example.net'",
				  "d", org.id)));
	snprintf(name, sizeof name, "p%d@example.net", STORE_MEMBERS_MAX);
	assert_good(f, DO(f, &f->root, store_user_create(store, op, name, "", NULL, &user)));
	assert_refused(f, DO(f, &f->root, store_membership_set(store, op, "acme", name, ROLE_MEMBER_READ)), "quota_exceeded");
	assert_good(f, DO(f, &f->root, store_membership_set(store, op, "acme", "p0@example.net", ROLE_MEMBER_ADMIN))); /* is one already */
	for (int i = 0; i < PRINCIPAL_ORGS_MAX; i++) {
		char of[16];

		snprintf(of, sizeof of, "org%d", i);
		make_org(f, of);
		assert_good(f, DO(f, &f->root, store_membership_set(store, op, of, name, ROLE_MEMBER)));
	}
	make_org(f, "onemore");
	assert_refused(f, DO(f, &f->root, store_membership_set(store, op, "onemore", name, ROLE_MEMBER)), "quota_exceeded");
	assert_good(f, DO(f, &f->root, store_membership_set(store, op, "org0", name, (enum store_role)0)));
	assert_good(f, DO(f, &f->root, store_membership_set(store, op, "onemore", name, ROLE_MEMBER)));
	/* operators may leave an org without an admin; nothing changes twice */
	assert_good(f, DO(f, &f->root, store_membership_set(store, op, "acme", "p0@example.net", (enum store_role)0)));
	assert_int_equal(f->op.n_records, 1);
	assert_good(f, DO(f, &f->root, store_membership_set(store, op, "acme", "p0@example.net", (enum store_role)0)));
	assert_int_equal(f->op.n_records, 0);
}

static void what_people_type_becomes_a_name(void **state)
{
	static const char *const rows[][2] = { { "My Org", "my-org" }, { "ACME, Inc.", "acme-inc" }, { "7Lives", "lives" }, { "--x--", "x" },
					       { "...", "" }, { "", "" }, { "\xc3\xbc" "ber", "ber" }, { "a  b", "a-b" } };
	char name[NAME_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		store_org_name_of(rows[i][0], name);
		assert_string_equal(name, rows[i][1]);
	}
}

static void the_default_network_goes_only_with_its_org(void **state)
{
	struct fixture *f = *state;
	struct store_deletion left;
	struct store_network network;

	make_org(f, "acme");
	assert_refused(f, DO(f, &f->root, store_network_delete(store, op, "acme", "default", &left)), "network_is_default");
	assert_good(f, DO(f, &f->root, store_network_create(store, op, "acme", "second", &network)));
	assert_good(f, DO(f, &f->root, store_network_delete(store, op, "acme", "second", &left)));
	assert_true(left.finished);
	assert_int_equal(number(f, "SELECT count(*) FROM network_given"), 2); /* its id is never given again */
	assert_good(f, DO(f, &f->root, store_org_delete(store, op, "acme", &left)));
	assert_true(left.finished);
}

/* ---- tokens and users ---- */

static void a_token_is_looked_up_by_id_and_matches_its_secret_alone(void **state)
{
	struct fixture *f = *state;
	struct store_token_new in = { .kind = PRINCIPAL_ORG_TOKEN, .org = "acme", .profile = PROFILE_DEPLOY, .name = "ci", .expires_ms = T0 + 10 };
	struct store_token made, found;
	struct principal who;
	uint8_t id[ID_LEN], secret[32];
	char text[TOKEN_TEXT_SIZE], hex[ID_TEXT_SIZE];
	struct store_org org = make_org(f, "acme");

	assert_good(f, DO(f, &f->root, store_token_create(store, op, &in, &made, text)));
	assert_int_equal(strlen(text), TOKEN_TEXT_SIZE - 1);
	assert_int_equal(token_parse(text, strlen(text), id, secret), 0);
	assert_int_equal(store_token_find_by_id(f->store, &f->root, id, &found, &who, NULL), 0);
	assert_true(token_matches(&found, secret, T0));
	assert_false(token_matches(&found, secret, T0 + 10));
	assert_int_equal(who.kind, PRINCIPAL_ORG_TOKEN);
	assert_true(principal_may(&who, org.id, ACTION_DEPLOY));
	assert_false(principal_may(&who, org.id, ACTION_ADMIN));
	secret[31] ^= 1;
	assert_false(token_matches(&found, secret, T0));
	secret[31] ^= 1;
	assert_good(f, DO(f, &f->root, store_token_revoke(store, op, id_text(id, hex), &found)));
	assert_false(token_matches(&found, secret, T0));
	assert_int_equal(number(f, "SELECT count(*) FROM log WHERE instr(CAST(body AS TEXT), 'sx1_')"), 0);
}

static void a_token_text_that_is_not_exactly_right_is_refused(void **state)
{
	char good[TOKEN_TEXT_SIZE] = "sx1_0123456789abcdef_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	uint8_t id[ID_LEN], secret[32];

	(void)state;
	assert_int_equal(token_parse(good, strlen(good), id, secret), 0);
	for (size_t i = 0; i < strlen(good); i++) {
		char bad[TOKEN_TEXT_SIZE];

		memcpy(bad, good, sizeof bad);
		bad[i] = 'G';
		assert_int_equal(token_parse(bad, strlen(bad), id, secret), E_REFUSED);
		assert_int_equal(token_parse(good, i, id, secret), E_REFUSED);
	}
}

static void a_token_is_never_stronger_than_its_maker(void **state)
{
	struct fixture *f = *state;
	struct store_org acme = make_org(f, "acme");
	struct principal deploy = token_of(&acme, PROFILE_DEPLOY), admin = token_of(&acme, PROFILE_ADMIN);
	struct store_token_new in = { .kind = PRINCIPAL_OPERATOR };
	char text[TOKEN_TEXT_SIZE];
	struct store_token row;

	make_org(f, "globex");
	assert_refused(f, DO(f, &admin, store_token_create(store, op, &in, &row, text)), "forbidden");
	in = (struct store_token_new){ .kind = PRINCIPAL_ORG_TOKEN, .profile = PROFILE_READ };
	assert_refused(f, DO(f, &deploy, store_token_create(store, op, &in, &row, text)), "forbidden");
	assert_good(f, DO(f, &admin, store_token_create(store, op, &in, &row, text)));
	in.profile = PROFILE_ADMIN;
	assert_refused(f, DO(f, &admin, store_token_create(store, op, &in, &row, text)), "forbidden");
	in.org = "globex";
	assert_refused(f, DO(f, &admin, store_token_create(store, op, &in, &row, text)), "org_not_found");
}

static void a_user_has_what_its_memberships_give(void **state)
{
	struct fixture *f = *state;
	struct store_org acme = make_org(f, "acme"), globex = make_org(f, "globex");
	struct store_token_new in = { .kind = PRINCIPAL_USER, .user = "ann@example.org" };
	struct store_user ann, other;
	struct store_token token;
	struct principal who;
	char text[TOKEN_TEXT_SIZE];

	assert_refused(f, DO(f, &f->root, store_user_create(store, op, "ann", "Ann", NULL, &ann)), "value_invalid");
	assert_good(f, DO(f, &f->root, store_user_create(store, op, "ann@example.org", "Ann", "acme", &ann)));
	assert_refused(f, DO(f, &f->root, store_user_create(store, op, "ANN@example.org", "Ann", NULL, &other)), "name_taken");
	assert_good(f, DO(f, &f->root, store_membership_set(store, op, "acme", "ann@example.org", ROLE_MEMBER_ADMIN)));
	assert_good(f, DO(f, &f->root, store_membership_set(store, op, "globex", "ann@example.org", ROLE_MEMBER_READ)));
	assert_good(f, DO(f, &f->root, store_token_create(store, op, &in, &token, text)));
	assert_int_equal(store_token_find_by_id(f->store, &f->root, token.id, &token, &who, NULL), 0);
	assert_int_equal(who.kind, PRINCIPAL_USER);
	assert_true(principal_may(&who, acme.id, ACTION_ADMIN));
	assert_true(principal_may(&who, globex.id, ACTION_READ));
	assert_false(principal_may(&who, globex.id, ACTION_PEERS));
	assert_good(f, DO(f, &f->root, store_membership_set(store, op, "globex", "ann@example.org", (enum store_role)0)));
	assert_true(f->op.records[0]->deleted);
	assert_int_equal(store_user_get_principal(f->store, &f->root, ann.id, &who, NULL), 0);
	assert_false(principal_sees_org(&who, globex.id));
	assert_int_equal(store_user_find(f->store, &who, "ann@example.org", &other, NULL), 0);
	assert_good(f, DO(f, &f->root, store_user_create(store, op, "bob@example.org", "Bob", NULL, &other)));
	assert_int_equal(store_user_find(f->store, &who, "bob@example.org", &other, NULL), E_REFUSED);
}

/* ---- foreign principals ---- */

struct target {
	char org[NAME_SIZE], org_id[ID_TEXT_SIZE], app[NAME_SIZE], app_id[ID_TEXT_SIZE], network_id[9], instance[NAME_INSTANCE_ID_SIZE];
	char token[ID_TEXT_SIZE], node[NAME_SIZE], node_token[ID_TEXT_SIZE], user[STORE_EMAIL_SIZE];
};

/* Every look-up by everything that names an object; the answer must be the same for what is and what is not. */
static int look_up(struct fixture *f, const struct principal *who, const struct target *t, unsigned which, struct why *why)
{
	CLEAN_BUF struct buf spec = BUF_INIT(0);
	struct store_org org;
	struct store_org_usage usage;
	struct store_network network;
	struct store_app app;
	struct store_instance instance;
	struct store_token token;
	struct store_node node;
	struct store_node_token node_token;
	struct store_user user;
	char ref[160];

	snprintf(ref, sizeof ref, "%s/%s", t->org, t->app);
	switch (which) {
	case 0: return store_org_find(f->store, who, t->org, &org, why);
	case 1: return store_org_find(f->store, who, t->org_id, &org, why);
	case 2: return store_org_get_usage(f->store, who, t->org, &usage, why);
	case 3: return store_network_find(f->store, who, t->org, "default", &network, why);
	case 4: return store_network_find(f->store, who, NULL, t->network_id, &network, why);
	case 5: return store_app_find(f->store, who, NULL, t->app, &app, why);
	case 6: return store_app_find(f->store, who, NULL, t->app_id, &app, why);
	case 7: return store_app_find(f->store, who, NULL, ref, &app, why);
	case 8: return store_instance_find(f->store, who, t->instance, &instance, why);
	case 9: return store_instance_get_spec(f->store, who, t->instance, &spec, why);
	case 10: return store_token_find(f->store, who, t->token, &token, why);
	case 11: return store_node_find(f->store, who, t->node, &node, why);
	case 12: return store_node_token_find(f->store, who, t->node_token, &node_token, why);
	case 13: return store_user_find(f->store, who, t->user, &user, why);
	}
	return -1;
}
#define LOOK_UPS 14

/* Every change of such an object; refused as not found, and nothing is written. */
static int mutate(struct fixture *f, const struct principal *who, const struct target *t, unsigned which)
{
	struct store_org_change change = { .set_suspended = true, .suspended = true };
	struct store_instance_update update = { .set_cordoned = true };
	struct store_instance_new in = { .app = t->app_id, .region = "ord", .desired = DESIRED_STARTED };
	struct store_token_new new_token = { .kind = PRINCIPAL_ORG_TOKEN, .org = t->org, .profile = PROFILE_READ };
	struct store_deletion left;
	struct store_org org;
	struct store_network network;
	struct store_app app;
	struct store_instance instance;
	struct store_token token;
	struct store_node node;
	struct store_node_token node_token;
	char text[TOKEN_TEXT_SIZE];
	bool gone;

	switch (which) {
	case 0: return DO(f, who, store_org_update(store, op, t->org, &change, &org));
	case 1: return DO(f, who, store_org_delete(store, op, t->org, &left));
	case 2: return DO(f, who, store_network_create(store, op, t->org, "x", &network));
	case 3: return DO(f, who, store_network_delete(store, op, t->org, "default", &left));
	case 4: return DO(f, who, store_app_create(store, op, t->org, NULL, "x", &app));
	case 5: return DO(f, who, store_app_delete(store, op, NULL, t->app_id, &left));
	case 6: return DO(f, who, store_instance_create(store, op, &in, &instance));
	case 7: return DO(f, who, store_instance_change(store, op, t->instance, INSTANCE_DESTROY, true, &instance, &gone));
	case 8: return DO(f, who, store_instance_update(store, op, t->instance, &update, &instance));
	case 9: return DO(f, who, store_token_create(store, op, &new_token, &token, text));
	case 10: return DO(f, who, store_token_revoke(store, op, t->token, &token));
	case 11: return DO(f, who, store_node_drain(store, op, t->node, true, &node));
	case 12: return DO(f, who, store_node_delete(store, op, t->node, true, &node));
	case 13: return DO(f, who, store_node_token_revoke(store, op, t->node_token, &node_token));
	case 14: return DO(f, who, store_membership_set(store, op, t->org, t->user, ROLE_MEMBER_ADMIN));
	}
	return -1;
}
#define MUTATIONS 15

static struct target make_target(struct fixture *f)
{
	struct store_token_new in = { .kind = PRINCIPAL_ORG_TOKEN, .org = "globex", .profile = PROFILE_READ };
	struct store_org org = make_org(f, "globex");
	struct store_app app = make_app(f, "globex", "secret");
	char text[TOKEN_TEXT_SIZE], secret[STORE_NODE_SECRET_SIZE];
	struct store_node_token join;
	struct store_instance instance;
	struct store_token token;
	struct store_user user;
	struct store_node node;
	struct target t = { .org = "globex", .app = "secret", .user = "ann@example.org" };

	make_region(f, "ord");
	node = make_node(f, "ord", 1);
	instance = make_instance(f, "secret", "ord", &node.host, 1);
	join = make_node_token(f, "ord", 1, secret);
	assert_good(f, DO(f, &f->root, store_token_create(store, op, &in, &token, text)));
	assert_good(f, DO(f, &f->root, store_user_create(store, op, t.user, "Ann", NULL, &user)));
	id_text(org.id, t.org_id);
	id_text(app.id, t.app_id);
	id_text(token.id, t.token);
	id_text(join.id, t.node_token);
	snprintf(t.network_id, sizeof t.network_id, "%08x", app.network);
	strcpy(t.instance, instance.record.id);
	strcpy(t.node, node.name);
	return t;
}

/* The same sentence with the names of what was asked for put aside. */
static void assert_same_answer(const struct why *a, const struct why *b)
{
	assert_string_equal(a->code, b->code);
	assert_string_equal(a->field, b->field);
	assert_int_equal(strlen(a->text), strlen(b->text));
}

static void what_a_foreign_principal_asks_for_looks_as_if_it_were_not_there(void **state)
{
	struct fixture *f = *state;
	struct target real = make_target(f);
	/* as long as the real ones, and not there */
	static const struct target absent = { "glebox", "ffffffffffffffff", "sacred", "eeeeeeeeeeeeeeee", "00123456", "eeeeeeeeeeeeee",
					      "dddddddddddddddd", "ord-7", "cccccccccccccccc", "ann@example.net" };
	struct store_org acme = make_org(f, "acme");
	struct principal foreign[] = { token_of(&acme, PROFILE_ADMIN), { .kind = PRINCIPAL_NONE, .text = "nobody" },
				       principal_node(0xa0000001, "x"), { .kind = PRINCIPAL_USER, .text = "user" } };
	uint64_t head = store_head(f->store);

	for (size_t p = 0; p < ARRAY_LEN(foreign); p++) {
		for (unsigned i = 0; i < LOOK_UPS; i++) {
			struct why there = { 0 }, not_there = { 0 };

			assert_int_equal(look_up(f, &f->root, &real, i, &there), 0); /* the control */
			assert_int_equal(look_up(f, &foreign[p], &real, i, &there), E_REFUSED);
			assert_int_equal(look_up(f, &foreign[p], &absent, i, &not_there), E_REFUSED);
			assert_same_answer(&there, &not_there);
		}
		for (unsigned i = 0; i < MUTATIONS; i++) {
			struct why there;

			assert_int_equal(mutate(f, &foreign[p], &real, i), E_REFUSED);
			there = f->op.why;
			assert_int_equal(mutate(f, &foreign[p], &absent, i), E_REFUSED);
			assert_same_answer(&there, &f->op.why);
			assert_int_equal(error_http_status(there.code), 404);
		}
	}
	assert_int_equal(store_head(f->store), head);
}

static void count_org(void *arg, const struct store_org *row) { (void)row; ++*(int *)arg; }
static void count_network(void *arg, const struct store_network *row) { (void)row; ++*(int *)arg; }
static void count_app(void *arg, const struct store_app *row) { (void)row; ++*(int *)arg; }
static void count_instance(void *arg, const struct store_instance *row) { (void)row; ++*(int *)arg; }
static void count_token(void *arg, const struct store_token *row) { (void)row; ++*(int *)arg; }
static void count_node(void *arg, const struct store_node *row) { (void)row; ++*(int *)arg; }
static void count_node_token(void *arg, const struct store_node_token *row) { (void)row; ++*(int *)arg; }
static void count_user(void *arg, const struct store_user *row) { (void)row; ++*(int *)arg; }
static void count_audit(void *arg, const struct audit_row *row) { (void)row; ++*(int *)arg; }

static void lists_hold_only_what_the_principal_sees(void **state)
{
	struct fixture *f = *state;
	struct store_org acme = make_org(f, "acme");
	struct principal tenant = token_of(&acme, PROFILE_ADMIN);
	struct store_next next;
	int n[9] = { 0 };

	make_target(f);
	assert_int_equal(store_org_list(f->store, &tenant, NULL, count_org, &n[0], &next, NULL), 0);
	assert_int_equal(store_network_list(f->store, &tenant, NULL, NULL, count_network, &n[1], &next, NULL), 0);
	assert_int_equal(store_app_list(f->store, &tenant, NULL, NULL, count_app, &n[2], &next, NULL), 0);
	assert_int_equal(store_instance_list(f->store, &tenant, NULL, NULL, count_instance, &n[3], &next, NULL), 0);
	assert_int_equal(store_token_list(f->store, &tenant, NULL, NULL, count_token, &n[4], &next, NULL), 0);
	assert_int_equal(store_node_list(f->store, &tenant, NULL, NULL, count_node, &n[5], &next, NULL), 0);
	assert_int_equal(store_node_token_list(f->store, &tenant, NULL, count_node_token, &n[6], &next, NULL), 0);
	assert_int_equal(store_user_list(f->store, &tenant, NULL, count_user, &n[7], &next, NULL), 0);
	assert_int_equal(store_audit_list(f->store, &tenant, &(struct store_audit_filter){ 0 }, NULL, count_audit, &n[8], &next, NULL), 0);
	assert_int_equal(n[0], 1);
	assert_int_equal(n[1], 1);
	for (int i = 2; i < 8; i++)
		assert_int_equal(n[i], 0);
	assert_int_equal(n[8], 2); /* acme and its network */
}

static void a_reader_may_look_but_not_touch(void **state)
{
	struct fixture *f = *state;
	struct target t = make_target(f);
	CLEAN_BUF struct buf spec = BUF_INIT(0);
	struct store_org org;
	struct principal reader;
	struct why why;

	assert_int_equal(store_org_find(f->store, &f->root, "globex", &org, NULL), 0);
	reader = token_of(&org, PROFILE_READ);
	for (unsigned i = 0; i < LOOK_UPS; i++)
		if (i < 9)
			assert_int_equal(look_up(f, &reader, &t, i, &why), 0);
	assert_int_equal(store_instance_get_spec(f->store, &reader, t.instance, &spec, &why), E_REFUSED); /* its environment is secret */
	assert_string_equal(why.code, "forbidden");
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(mutate(f, &reader, &t, i), E_REFUSED);
		assert_string_equal(f->op.why.code, "forbidden");
	}
}

/* ---- lists and audit ---- */

struct names {
	char text[512];
	unsigned n;
};

static void add_app(void *arg, const struct store_app *app)
{
	struct names *names = arg;

	strcat(strcat(names->text, app->name), " ");
	names->n++;
}

static void lists_are_sorted_paged_and_filtered_by_prefix(void **state)
{
	struct fixture *f = *state;
	static const char *const apps[] = { "echo", "alpha", "delta", "bravo", "charlie", "alpine" };
	struct store_page page = { .limit = 2 };
	struct names names = { "", 0 };
	struct store_next next;

	make_org(f, "acme");
	for (size_t i = 0; i < ARRAY_LEN(apps); i++)
		make_app(f, "acme", apps[i]);
	do {
		assert_int_equal(store_app_list(f->store, &f->root, NULL, &page, add_app, &names, &next, NULL), 0);
		page.after = next.cursor;
	} while (next.cursor[0]);
	assert_string_equal(names.text, "alpha alpine bravo charlie delta echo ");
	names = (struct names){ "", 0 };
	page = (struct store_page){ .prefix = "al" };
	assert_int_equal(store_app_list(f->store, &f->root, NULL, &page, add_app, &names, &next, NULL), 0);
	assert_string_equal(names.text, "alpha alpine ");
	page = (struct store_page){ .after = "not/mine" };
	assert_int_equal(store_app_list(f->store, &f->root, NULL, &page, add_app, &names, &next, &f->op.why), E_REFUSED);
	assert_string_equal(f->op.why.code, "cursor_invalid");
}

static void a_list_of_one_org_holds_nothing_of_another(void **state)
{
	struct fixture *f = *state;
	struct store_token_new in = { .kind = PRINCIPAL_ORG_TOKEN, .profile = PROFILE_READ };
	static const char *const orgs[] = { "acme", "globex" };
	char text[TOKEN_TEXT_SIZE];
	struct store_token token;
	struct store_next next;
	int n[3] = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(orgs); i++) {
		make_org(f, orgs[i]);
		make_app(f, orgs[i], "web");
		in.org = orgs[i];
		assert_good(f, DO(f, &f->root, store_token_create(store, op, &in, &token, text)));
	}
	assert_int_equal(store_network_list(f->store, &f->root, "acme", NULL, count_network, &n[0], &next, NULL), 0);
	assert_int_equal(store_app_list(f->store, &f->root, "acme", NULL, count_app, &n[1], &next, NULL), 0);
	assert_int_equal(store_token_list(f->store, &f->root, "acme", NULL, count_token, &n[2], &next, NULL), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(n[i], 1);
	assert_int_equal(store_app_list(f->store, &f->root, "nobody", NULL, count_app, &n[1], &next, &f->op.why), E_REFUSED);
	assert_string_equal(f->op.why.code, "org_not_found");
}

static void every_code_of_the_table_is_there_once(void **state)
{
	size_t n;
	const struct error_code *table = error_table(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		assert_in_range(table[i].http_status, 400, 599);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(table[i].code, table[k].code);
	}
	assert_string_equal(error_find("never heard of")->code, "internal");
	assert_int_equal(error_status_of(-ENOSPC, NULL), 507);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_org_comes_with_its_default_network),
		T(names_are_unique_where_they_must_be_and_free_where_not),
		T(a_name_in_two_orgs_is_ambiguous_to_whom_sees_both),
		T(an_org_that_contradicts_the_one_in_the_name_is_refused),
		T(an_app_is_found_by_its_id_too),
		T(an_org_name_that_is_too_long_is_not_cut_to_one_that_is_there),
		T(quotas_name_themselves_and_their_value),
		T(a_limit_above_its_bound_is_refused),
		T(suspending_an_org_changes_all_its_networks),
		T(of_a_suspended_org_only_operators_change_anything),
		T(members_of_an_org_and_orgs_of_a_person_are_bounded),
		T(what_people_type_becomes_a_name),
		T(the_default_network_goes_only_with_its_org),
		T(a_token_is_looked_up_by_id_and_matches_its_secret_alone),
		cmocka_unit_test(a_token_text_that_is_not_exactly_right_is_refused),
		T(a_token_is_never_stronger_than_its_maker),
		T(a_user_has_what_its_memberships_give),
		T(what_a_foreign_principal_asks_for_looks_as_if_it_were_not_there),
		T(lists_hold_only_what_the_principal_sees),
		T(a_reader_may_look_but_not_touch),
		T(lists_are_sorted_paged_and_filtered_by_prefix),
		T(a_list_of_one_org_holds_nothing_of_another),
		cmocka_unit_test(every_code_of_the_table_is_there_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
