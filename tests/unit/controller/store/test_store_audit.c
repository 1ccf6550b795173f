/* The audit: every write has its row, the chain finds what was done to it, and no secret is in it. */
#include "tests/unit/controller/store/backup_fixture.h"

#include "controller/store/store_audit.h"

#define SECRET "s3cr3t-of-a-workload"

/* ---- reading ---- */

struct seen {
	unsigned n;
	uint64_t last;
	char verb[8][24], noun[8][24], object[8][40], name[8][64], org[8][64], principal[8][96], token[8][20], address[8][48], request[8][40];
	char before[8][600], after[8][600];
	uint64_t v[8];
	char everything[1 << 16]; /* all that can be read, for a look at secrets */
};

static void see(void *arg, const struct audit_row *row)
{
	struct seen *s = arg;
	size_t i = s->n++, len = strlen(s->everything);

	assert_true(s->last == 0 || row->n < s->last); /* newest first */
	s->last = row->n;
	snprintf(s->everything + len, sizeof s->everything - len, "%s %s %s %s %s %s\n", row->principal, row->token, row->object, row->name,
		 row->before ? row->before : "", row->after ? row->after : "");
	if (i >= 8)
		return;
	snprintf(s->verb[i], 24, "%s", row->verb);
	snprintf(s->noun[i], 24, "%s", row->noun);
	snprintf(s->object[i], 40, "%s", row->object);
	snprintf(s->name[i], 64, "%s", row->name);
	snprintf(s->org[i], 64, "%s", row->org_name);
	snprintf(s->principal[i], 96, "%s", row->principal);
	snprintf(s->token[i], 20, "%s", row->token);
	snprintf(s->address[i], 48, "%s", row->address);
	snprintf(s->request[i], 40, "%s", row->request_id);
	snprintf(s->before[i], 600, "%s", row->before ? row->before : "-");
	snprintf(s->after[i], 600, "%s", row->after ? row->after : "-");
	s->v[i] = row->v;
}

static struct seen *list(struct fixture *f, const struct principal *who, const char *org)
{
	struct store_audit_filter filter = { .org = org };
	struct seen *s = calloc(1, sizeof *s);
	struct store_page page = { .limit = 3 };
	struct store_next next;

	do {
		assert_good(f, store_audit_list(f->store, who, &filter, &page, see, s, &next, &f->op.why));
		page.after = next.cursor;
	} while (next.cursor[0]);
	return s;
}

static struct store_audit_check check(struct fixture *f, const struct audit_place *known)
{
	struct store_audit_check c = { .known = known };
	struct why why = { 0 };
	bool done = false;

	while (!done)
		assert_int_equal(store_audit_check_step(f->store, &f->root, &c, 3, &done, &why), 0);
	return c;
}

static void assert_whole(struct fixture *f)
{
	struct store_audit_check c = check(f, NULL);

	if (c.bad)
		fail_msg("row %llu: %s", (unsigned long long)c.bad_n, c.finding);
}

/* A little of everything that customers have. */
static void make_world(struct fixture *f)
{
	struct store_token_new in = { .kind = PRINCIPAL_ORG_TOKEN, .org = "acme", .profile = PROFILE_DEPLOY, .name = "ci" };
	struct store_peer_new peer;
	char text[TOKEN_TEXT_SIZE], warning[STORE_PEER_WARNING_SIZE];
	struct store_instance_new instance;
	struct store_instance made;
	struct store_token token;
	struct store_node node;
	struct store_peer p;

	make_region(f, "ord");
	node = make_gateway(f, "ord", 7);
	make_org(f, "acme");
	make_app(f, "acme", "web");
	assert_good(f, DO(f, &f->root, store_token_create(store, op, &in, &token, text)));
	instance = (struct store_instance_new){ .app = "web", .region = "ord", .desired = DESIRED_STARTED, .live = &node.host, .n_live = 1,
						.spec = "{\"env\":{\"KEY\":\"" SECRET "\"}}",
						.spec_len = strlen("{\"env\":{\"KEY\":\"" SECRET "\"}}") };
	assert_good(f, DO(f, &f->root, store_instance_create(store, op, &instance, &made)));
	peer = peer_in("acme", "laptop", NULL, 1, &node.host, 1);
	peer.has_preshared_key = true;
	memset(peer.preshared_key, 0x5a, 32);
	assert_good(f, DO(f, &f->root, store_peer_create(store, op, &peer, &p, warning)));
}

/* ---- what rows say ---- */

static void a_row_says_who_what_before_after_and_version(void **state)
{
	static const uint8_t from[16] = { [10] = 0xff, 0xff, 192, 0, 2, 9 }, token[ID_LEN] = { 0xaa, 1, 2, 3, 4, 5, 6, 7 };
	struct fixture *f = *state;
	struct principal who = principal_operator(token);
	struct seen *s;
	struct store_deletion deletion;
	struct store_app app;

	make_org(f, "acme");
	assert_good(f, DO(f, &who, (op_from(op, from, token), store_app_create(store, op, "acme", NULL, "web", &app))));
	assert_good(f, DO(f, &who, store_app_delete(store, op, "acme", "web", &deletion)));
	s = list(f, &f->root, NULL);
	assert_int_equal(s->n, 4); /* org, network, app, and gone again */
	assert_string_equal(s->verb[1], "create");
	assert_string_equal(s->noun[1], "app");
	assert_string_equal(s->name[1], "web");
	assert_string_equal(s->org[1], "acme");
	assert_string_equal(s->principal[1], "operator aa01020304050607");
	assert_string_equal(s->token[1], "aa01020304050607");
	assert_string_equal(s->address[1], "192.0.2.9");
	assert_string_equal(s->request[1], "req-1");
	assert_string_equal(s->before[1], "-");
	assert_non_null(strstr(s->after[1], "\"name\":\"web\""));
	assert_int_equal(s->v[1], 3);
	assert_string_equal(s->verb[0], "delete");
	assert_string_equal(s->name[0], "web");
	assert_non_null(strstr(s->before[0], "\"name\":\"web\""));
	assert_string_equal(s->after[0], "-");
	assert_string_equal(s->object[0], s->object[1]);
	assert_int_equal(s->v[0], store_head(f->store));
	free(s);
}

static void every_change_has_exactly_one_row(void **state)
{
	struct fixture *f = *state;
	int64_t without = -1, twice = -1;

	make_world(f);
	assert_int_equal(sql_get_int(f->store, &without, "SELECT count(*) FROM log WHERE v NOT IN (SELECT v FROM audit)", ""), 0);
	assert_int_equal(sql_get_int(f->store, &twice, "SELECT count(*) - count(DISTINCT v) FROM audit", ""), 0);
	assert_int_equal(without, 0);
	assert_int_equal(twice, 0);
	assert_whole(f);
}

static void no_secret_is_in_any_row(void **state)
{
	struct fixture *f = *state;
	uint8_t preshared[32];
	char psk[CRYPTO_BASE64_KEY_LEN + 1], hex[65];
	struct seen *s;

	make_world(f);
	memset(preshared, 0x5a, sizeof preshared);
	crypto_base64(preshared, 32, psk);
	crypto_hex(preshared, 32, hex);
	s = list(f, &f->root, NULL);
	assert_non_null(strstr(s->everything, "\"spec\":{\"bytes\":"));
	assert_non_null(strstr(s->everything, "\"has_preshared_key\":true"));
	assert_null(strstr(s->everything, SECRET));
	assert_null(strstr(s->everything, psk));
	assert_null(strstr(s->everything, hex));
	assert_null(strstr(s->everything, "sx1_"));
	free(s);
}

static void a_revoked_token_and_a_refused_machine_are_told_with_the_reason(void **state)
{
	struct fixture *f = *state;
	char secret[STORE_NODE_SECRET_SIZE], text[TOKEN_TEXT_SIZE], id[ID_TEXT_SIZE];
	struct store_token_new new = { .kind = PRINCIPAL_OPERATOR };
	struct store_node_token token;
	struct store_token made;
	struct store_enroll in;
	struct store_node node;
	struct seen *s;
	bool created;

	make_region(f, "ord");
	token = make_node_token(f, "ord", 1, secret);
	in = enroll_with(&token, secret, 7);
	assert_good(f, DO(f, &f->root, store_node_enroll(store, op, &in, &node, &created)));
	in = enroll_with(&token, secret, 8);
	assert_refused(f, DO(f, &f->root, store_node_enroll(store, op, &in, &node, &created)), "join_token_used_up");
	assert_good(f, DO(f, &f->root, store_token_create(store, op, &new, &made, text)));
	assert_good(f, DO(f, &f->root, store_token_revoke(store, op, id_text(made.id, id), &made)));
	s = list(f, &f->root, NULL);
	assert_string_equal(s->verb[0], "revoke");
	assert_string_equal(s->noun[0], "token");
	assert_string_equal(s->verb[1], "create");
	assert_string_equal(s->verb[2], "refuse");
	assert_non_null(strstr(s->after[2], "join_token_used_up"));
	assert_string_equal(s->verb[3], "create"); /* the node */
	assert_string_equal(s->verb[4], "use");
	free(s);
}

static int run_forgetful(struct store *store, struct op *op)
{
	(void)op;
	return driver_exec(store->driver, "UPDATE org SET suspended = 1");
}

static int run_noted(struct store *store, struct op *op)
{
	int r = run_forgetful(store, op);

	return r ? r : store_audit_note(store, op, &(struct store_act){ "suspend", "org", "", "all", NULL, NULL });
}

static void a_write_that_the_audit_does_not_tell_is_undone(void **state)
{
	struct fixture *f = *state;
	int64_t suspended = -1;
	struct op op;

	make_org(f, "acme");
	op_init(&op, run_forgetful, NULL, &f->root, NULL);
	assert_int_equal(store_run_now(f->store, &op), -EINVAL);
	assert_int_equal(sql_get_int(f->store, &suspended, "SELECT suspended FROM org", ""), 0);
	assert_int_equal(suspended, 0);
	op.quiet = true;
	assert_int_equal(store_run_now(f->store, &op), 0);
	op_deinit(&op);
	op_init(&op, run_noted, NULL, &f->root, NULL);
	assert_int_equal(store_run_now(f->store, &op), 0);
	op_deinit(&op);
	assert_whole(f);
}

static void an_orgs_admins_see_its_rows_and_no_others(void **state)
{
	struct fixture *f = *state;
	static const uint8_t id[ID_LEN] = { 1 };
	struct store_audit_filter filter = { .org = NULL }, theirs = { .org = "globex" };
	struct principal admin, reader;
	struct store_next next;
	struct seen *s;

	make_world(f);
	make_org(f, "globex");
	{
		struct store_org org;

		assert_int_equal(store_org_find(f->store, &f->root, "acme", &org, NULL), 0);
		admin = principal_org_token(id, org.id, PROFILE_ADMIN);
		reader = principal_org_token(id, org.id, PROFILE_DEPLOY);
	}
	s = list(f, &admin, NULL);
	assert_true(s->n > 4);
	assert_null(strstr(s->everything, "globex"));
	assert_null(strstr(s->everything, "mesh_key"));
	for (unsigned i = 0; i < s->n && i < 8; i++) {
		assert_string_equal(s->org[i], "acme");
		assert_string_equal(s->address[i], ""); /* made by operators: where those sit is not told */
	}
	free(s);
	s = calloc(1, sizeof *s);
	assert_int_equal(store_audit_list(f->store, &admin, &theirs, NULL, see, s, &next, &f->op.why), E_REFUSED);
	assert_string_equal(f->op.why.code, "org_not_found");
	assert_int_equal(store_audit_list(f->store, &reader, &filter, NULL, see, s, &next, &f->op.why), E_REFUSED);
	assert_string_equal(f->op.why.code, "forbidden");
	filter.org = "acme";
	assert_int_equal(store_audit_list(f->store, &reader, &filter, NULL, see, s, &next, &f->op.why), E_REFUSED);
	assert_string_equal(f->op.why.code, "forbidden");
	assert_int_equal(s->n, 0);
	free(s);
}

/* Of several organizations one is admin of some. */
static void a_person_sees_rows_of_those_organizations_alone_of_which_he_is_admin(void **state)
{
	struct fixture *f = *state;
	struct principal person = { .kind = PRINCIPAL_USER, .id = { 7 }, .n_orgs = 2, .text = "user ann" };
	struct store_audit_filter filter = { .org = NULL };
	struct store_org acme, globex;
	struct store_next next;
	struct seen *s;
	struct op op;

	acme = make_org(f, "acme");
	globex = make_org(f, "globex");
	make_org(f, "initech");
	memcpy(person.orgs[0].id, acme.id, ID_LEN);
	person.orgs[0].profile = PROFILE_ADMIN;
	memcpy(person.orgs[1].id, globex.id, ID_LEN);
	person.orgs[1].profile = PROFILE_READ;
	s = list(f, &person, NULL);
	assert_int_equal(s->n, 2); /* acme and its network */
	assert_string_equal(s->org[0], "acme");
	assert_string_equal(s->org[1], "acme");
	free(s);
	/* and nobody keeps the store by it: a page that finds nothing ends, and the next goes on */
	assert_int_equal(driver_exec(f->store->driver, "PRAGMA synchronous = OFF"), 0);
	op_init(&op, run_noted, NULL, &f->root, NULL);
	for (int i = 0; i < 2500; i++)
		assert_int_equal(store_run_now(f->store, &op), 0);
	op_deinit(&op);
	s = calloc(1, sizeof *s);
	assert_good(f, store_audit_list(f->store, &person, &filter, NULL, see, s, &next, &f->op.why));
	assert_int_equal(s->n, 0);
	assert_true(next.cursor[0] != 0);
	free(s);
	s = list(f, &person, NULL);
	assert_int_equal(s->n, 2);
	free(s);
}

/* ---- the chain ---- */

static void spoil(struct fixture *f, const char *sql)
{
	if (driver_exec(f->store->driver, sql) != 0)
		fail_msg("%s", sql);
}

/* Runs the SQL in a transaction that is thrown away; the first bad row, 0 = nothing was found. */
static uint64_t bad_after(struct fixture *f, const char *sql, const struct audit_place *known)
{
	struct store_audit_check c;

	spoil(f, "BEGIN");
	spoil(f, sql);
	c = check(f, known);
	spoil(f, "ROLLBACK");
	return c.bad ? c.bad_n : 0;
}

/* Does it find anything to change? */
static bool changes(struct fixture *f, const char *sql)
{
	int64_t n;

	spoil(f, "BEGIN");
	spoil(f, sql);
	n = driver_changed(f->store->driver);
	spoil(f, "ROLLBACK");
	return n != 0;
}

static void a_changed_byte_of_any_field_of_any_row_is_found(void **state)
{
	static const char *const columns[] = { "at_ms", "v",	"org",	"org_name", "principal", "token",  "address", "request_id",
					       "verb",	"noun", "object", "name",     "before",	 "after",  "hash" };
	struct fixture *f = *state;
	struct audit_place head;
	char sql[400];

	make_world(f);
	assert_int_equal(store_audit_head(f->store, &f->root, &head, NULL), 0);
	assert_true(head.n >= 12);
	for (uint64_t n = 1; n <= head.n; n++)
		for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
			const char *c = columns[i];
			bool number = i < 2, blob = !strcmp(c, "org") || !strcmp(c, "hash");

			if (number)
				snprintf(sql, sizeof sql, "UPDATE audit SET %s = %s + 1 WHERE n = %d", c, c, (int)n);
			else if (blob)
				snprintf(sql, sizeof sql, "UPDATE audit SET %s = randomblob(%d) WHERE n = %d", c, strcmp(c, "org") ? 32 : 8, (int)n);
			else
				snprintf(sql, sizeof sql, "UPDATE audit SET %s = coalesce(%s, '') || 'x' WHERE n = %d", c, c, (int)n);
			if (bad_after(f, sql, NULL) != n)
				fail_msg("not found: %s", sql);
			if (number || blob)
				continue;
			/* one bit of one letter, and what C would not see: a NUL and more behind it */
			snprintf(sql, sizeof sql,
				 "UPDATE audit SET %s = char(unicode(substr(%s, 1, 1)) + 1) || substr(%s, 2) WHERE n = %d AND length(%s) > 0", c, c, c,
				 (int)n, c);
			if (bad_after(f, sql, NULL) != n && changes(f, sql))
				fail_msg("not found: %s", sql);
			snprintf(sql, sizeof sql, "UPDATE audit SET %s = coalesce(%s, '') || char(0) || 'x' WHERE n = %d", c, c, (int)n);
			if (bad_after(f, sql, NULL) != n)
				fail_msg("not found: %s", sql);
		}
	assert_whole(f);
}

static void removed_inserted_and_swapped_rows_are_found_and_the_first_is_named(void **state)
{
	struct fixture *f = *state;
	struct audit_place head;
	char sql[600];

	make_world(f);
	assert_int_equal(store_audit_head(f->store, &f->root, &head, NULL), 0);
	for (uint64_t n = 1; n <= head.n; n++) {
		snprintf(sql, sizeof sql, "DELETE FROM audit WHERE n = %d", (int)n);
		assert_int_equal(bad_after(f, sql, NULL), n);
		snprintf(sql, sizeof sql, "DELETE FROM audit WHERE n >= %d", (int)n); /* a tail cut off */
		assert_int_equal(bad_after(f, sql, NULL), n);
		snprintf(sql, sizeof sql, "DELETE FROM audit WHERE n = %d; UPDATE audit SET n = n - 1 WHERE n > %d", (int)n, (int)n);
		assert_int_equal(bad_after(f, sql, NULL), n);
		snprintf(sql, sizeof sql,
			 "UPDATE audit SET n = -n WHERE n >= %d; UPDATE audit SET n = 1 - n WHERE n < 0; INSERT INTO audit SELECT %d, at_ms, v, org, "
			 "org_name, principal, token, address, request_id, verb, noun, object, name, before, after, hash FROM audit WHERE n = %d",
			 (int)n, (int)n, (int)n + 1);
		spoil(f, "PRAGMA ignore_check_constraints = ON");
		/* a copy of row n in front of itself: the first n is the right one, what follows is not */
		assert_int_equal(bad_after(f, sql, NULL), n + 1);
		spoil(f, "PRAGMA ignore_check_constraints = OFF");
	}
	for (uint64_t n = 1; n < head.n; n++) {
		snprintf(sql, sizeof sql, "UPDATE audit SET n = 1000000 WHERE n = %d; UPDATE audit SET n = %d WHERE n = %d; UPDATE audit SET n = %d WHERE n = 1000000",
			 (int)n, (int)n, (int)n + 1, (int)n + 1);
		assert_int_equal(bad_after(f, sql, NULL), n);
	}
	assert_whole(f);
}

/* Whoever can write the file can write the chain anew, too: only a head that is kept elsewhere tells. */
static void a_chain_that_was_cut_and_mended_is_found_by_a_known_head(void **state)
{
	struct fixture *f = *state;
	struct audit_place early, head;
	struct store_audit_check c;

	make_org(f, "acme");
	assert_int_equal(store_audit_head(f->store, &f->root, &early, NULL), 0);
	make_app(f, "acme", "web");
	make_app(f, "acme", "db");
	assert_int_equal(store_audit_head(f->store, &f->root, &head, NULL), 0);
	assert_int_equal(head.n, 4);
	c = check(f, &early);
	assert_false(c.bad);
	c = check(f, &head);
	assert_false(c.bad);
	/* mended: both ends agree with what is left */
	assert_int_equal(bad_after(f, "DELETE FROM audit WHERE n > 3; UPDATE audit_chain SET head_n = 3, head_hash = (SELECT hash FROM audit WHERE n = 3)", NULL), 0);
	assert_int_equal(bad_after(f, "DELETE FROM audit WHERE n > 3; UPDATE audit_chain SET head_n = 3, head_hash = (SELECT hash FROM audit WHERE n = 3)", &head), 4);
	head.hash[7] ^= 1; /* another chain's */
	c = check(f, &head);
	assert_true(c.bad);
	assert_int_equal(c.bad_n, 4);
}

static void a_front_cut_off_by_hand_is_found(void **state)
{
	struct fixture *f = *state;

	make_world(f);
	assert_int_equal(bad_after(f, "UPDATE audit_chain SET base_n = 5, base_hash = (SELECT hash FROM audit WHERE n = 5); DELETE FROM audit WHERE n <= 5", NULL), 6);
}

static void a_row_that_tells_another_change_than_the_log_is_found(void **state)
{
	struct fixture *f = *state;

	make_world(f);
	assert_int_equal(bad_after(f, "UPDATE log SET principal = 'somebody else' WHERE v = 3", NULL), 3);
	assert_int_equal(bad_after(f, "UPDATE log SET request_id = 'another' WHERE v = 4", NULL), 4);
}

static void the_oldest_rows_are_let_go_and_the_chain_stays_verifiable(void **state)
{
	struct fixture *f = *state;
	struct audit_place old, head;
	struct store_audit_check c;
	struct op op;

	f->store->audit_max = 1000;
	make_org(f, "acme");
	assert_int_equal(store_audit_head(f->store, &f->root, &old, NULL), 0);
	op_init(&op, run_noted, NULL, &f->root, NULL);
	assert_int_equal(driver_exec(f->store->driver, "PRAGMA synchronous = OFF"), 0);
	for (unsigned i = 0; i < 2 * STORE_AUDIT_STEP + 1000; i++)
		assert_int_equal(store_run_now(f->store, &op), 0);
	op_deinit(&op);
	c = check(f, NULL);
	assert_false(c.bad);
	assert_true(c.first.n >= STORE_AUDIT_STEP);
	assert_true(c.rows <= 1000 + STORE_AUDIT_STEP + 1);
	assert_int_equal(store_audit_head(f->store, &f->root, &head, NULL), 0);
	assert_int_equal(c.first.n + c.rows, head.n);
	c = check(f, &old); /* too old to be compared, and that is no lie */
	assert_false(c.bad);
	assert_false(c.known_met);
}

/* ---- files ---- */

static void a_file_is_verified_while_a_controller_writes_it_and_a_damaged_one_is_not(void **state)
{
	struct fixture *f = *state;
	struct store_audit_check c = { .known = NULL };
	struct why why;

	make_world(f);
	assert_int_equal(store_audit_check_file(f->path, false, &c, &why), 0);
	assert_false(c.bad);
	assert_true(c.rows >= 12);
	spoil(f, "UPDATE audit SET principal = 'somebody else' WHERE n = 9");
	c = (struct store_audit_check){ .known = NULL };
	assert_int_equal(store_audit_check_file(f->path, false, &c, &why), 0);
	assert_true(c.bad);
	assert_int_equal(c.bad_n, 9);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_row_says_who_what_before_after_and_version),
		T(every_change_has_exactly_one_row),
		T(no_secret_is_in_any_row),
		T(a_revoked_token_and_a_refused_machine_are_told_with_the_reason),
		T(a_write_that_the_audit_does_not_tell_is_undone),
		T(an_orgs_admins_see_its_rows_and_no_others),
		T(a_person_sees_rows_of_those_organizations_alone_of_which_he_is_admin),
		T(a_changed_byte_of_any_field_of_any_row_is_found),
		T(removed_inserted_and_swapped_rows_are_found_and_the_first_is_named),
		T(a_chain_that_was_cut_and_mended_is_found_by_a_known_head),
		T(a_front_cut_off_by_hand_is_found),
		T(a_row_that_tells_another_change_than_the_log_is_found),
		T(the_oldest_rows_are_let_go_and_the_chain_stays_verifiable),
		T(a_file_is_verified_while_a_controller_writes_it_and_a_damaged_one_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
