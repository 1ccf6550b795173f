/* Private addresses of apps: who gets which, in which network, and when one is given again. */
#include "tests/unit/controller/store/store_fixture.h"

#include "controller/store/store_check.h"
#include "controller/store/store_flycast.h"

#define DAY_MS (24u * 3600 * 1000)

static struct principal token_of(const struct store_org *org, enum principal_profile profile)
{
	return principal_org_token((const uint8_t *)"tttttttt", org->id, profile);
}

static struct store_flycast reserve(struct fixture *f, const char *org, const char *app, const char *network)
{
	struct store_flycast out;

	assert_good(f, DO(f, &f->root, store_flycast_create(store, op, org, app, network, &out)));
	return out;
}

static void release(struct fixture *f, const struct store_flycast *flycast)
{
	struct store_flycast out;
	char id[ID_TEXT_SIZE];

	assert_good(f, DO(f, &f->root, store_flycast_release(store, op, NULL, NULL, id_text(flycast->id, id), &out)));
	assert_memory_equal(&out, flycast, sizeof out);
}

static int64_t count(struct fixture *f, const char *sql)
{
	int64_t n = 0;

	assert_int_equal(sql_get_int(f->store, &n, sql, ""), 0);
	return n;
}

static void an_address_is_a_small_number_that_nobody_else_of_the_network_has(void **state)
{
	struct fixture *f = *state;
	struct flycast_record rec;
	struct store_flycast web, api, other;
	struct in6_addr address;
	char text[ADDR_TEXT_LEN], want[64];

	make_org(f, "acme");
	make_org(f, "globex");
	make_app(f, "acme", "web");
	make_app(f, "acme", "api");
	make_app(f, "globex", "web");
	web = reserve(f, "acme", "web", NULL);
	assert_int_equal(f->op.n_records, 1);
	assert_int_equal(flycast_decode(f->op.records[0], &rec, NULL), 0);
	assert_string_equal(rec.app, "web");
	assert_int_equal(rec.number, 2);
	api = reserve(f, "acme", "acme/api", "default");
	other = reserve(f, "globex", "web", NULL);
	assert_int_equal(web.number, 2);
	assert_int_equal(api.number, 3);
	assert_int_equal(other.number, 2); /* each network counts for itself */
	assert_int_equal(reserve(f, "acme", "web", NULL).number, 4);
	address = store_flycast_address(&web);
	snprintf(want, sizeof want, "fdaa:%x:%x:0:1::2", web.network >> 16, web.network & 0xffff);
	assert_string_equal(addr_text(&address, text), want);
}

static void a_released_one_rests_for_a_day(void **state)
{
	struct fixture *f = *state;
	struct store_flycast first, second;

	make_org(f, "acme");
	make_app(f, "acme", "web");
	first = reserve(f, "acme", "web", NULL);
	second = reserve(f, "acme", "web", NULL);
	release(f, &first);
	assert_true(f->op.records[0]->deleted && f->op.records[0]->kind == RECORD_FLYCAST && f->op.records[0]->intent == INTENT_DELETE);
	assert_int_equal(reserve(f, "acme", "web", NULL).number, 4);
	f->time.now_ms += DAY_MS - 1;
	assert_int_equal(reserve(f, "acme", "web", NULL).number, 5);
	f->time.now_ms += 1;
	assert_int_equal(reserve(f, "acme", "web", NULL).number, 2);
	assert_int_equal(count(f, "SELECT count(*) FROM flycast_resting"), 0);
	release(f, &second);
	assert_int_equal(reserve(f, "acme", "web", NULL).number, 6);
}

static void another_network_of_the_org_will_do_and_no_other_orgs(void **state)
{
	struct fixture *f = *state;
	struct store_org acme = make_org(f, "acme"), globex = make_org(f, "globex");
	struct principal deploy = token_of(&acme, PROFILE_DEPLOY), peers = token_of(&acme, PROFILE_PEERS), foreign = token_of(&globex, PROFILE_ADMIN);
	struct store_network staging, theirs;
	struct store_flycast out;
	char hex[16];

	make_app(f, "acme", "web");
	assert_good(f, DO(f, &f->root, store_network_create(store, op, "acme", "staging", &staging)));
	assert_good(f, DO(f, &f->root, store_network_create(store, op, "globex", "theirs", &theirs)));
	out = reserve(f, "acme", "web", "staging");
	assert_int_equal(out.network, staging.id);
	assert_int_equal(f->op.records[0]->network, staging.id); /* who sees it: nodes of that network */
	assert_refused(f, DO(f, &f->root, store_flycast_create(store, op, "acme", "web", "globex/theirs", &out)), "field_invalid");
	snprintf(hex, sizeof hex, "%08x", theirs.id);
	assert_refused(f, DO(f, &f->root, store_flycast_create(store, op, "acme", "web", hex, &out)), "network_not_found");
	assert_refused(f, DO(f, &deploy, store_flycast_create(store, op, NULL, "web", "theirs", &out)), "network_not_found");
	assert_refused(f, DO(f, &f->root, store_flycast_create(store, op, "acme", "nosuch", NULL, &out)), "app_not_found");
	assert_refused(f, DO(f, &foreign, store_flycast_create(store, op, "acme", "web", NULL, &out)), "org_not_found");
	assert_refused(f, DO(f, &foreign, store_flycast_create(store, op, NULL, "web", NULL, &out)), "app_not_found");
	assert_refused(f, DO(f, &peers, store_flycast_create(store, op, NULL, "web", NULL, &out)), "forbidden");
	assert_good(f, DO(f, &deploy, store_flycast_create(store, op, NULL, "web", NULL, &out)));
}

struct listed {
	unsigned n;
	uint32_t last;
};

static void note(void *arg, const struct store_flycast *flycast)
{
	struct listed *l = arg;

	l->n++;
	l->last = flycast->number;
}

static unsigned list(struct fixture *f, const struct principal *who, const char *org, const char *app, const char *network)
{
	const struct store_flycast_filter filter = { .org = org, .app = app, .network = network };
	struct listed l = { 0 };
	struct store_next next;
	struct why why;

	assert_int_equal(store_flycast_list(f->store, who, &filter, NULL, note, &l, &next, &why), 0);
	return l.n;
}

static void it_is_found_by_address_and_id_and_by_nobody_of_another_org(void **state)
{
	struct fixture *f = *state;
	struct store_org acme = make_org(f, "acme"), globex = make_org(f, "globex");
	struct principal reader = token_of(&acme, PROFILE_READ), foreign = token_of(&globex, PROFILE_ADMIN);
	struct store_network staging;
	struct store_flycast web, out;
	struct in6_addr address;
	char id[ID_TEXT_SIZE], text[ADDR_TEXT_LEN];
	struct why why;

	make_app(f, "acme", "web");
	make_app(f, "acme", "api");
	make_app(f, "globex", "web");
	assert_good(f, DO(f, &f->root, store_network_create(store, op, "acme", "staging", &staging)));
	web = reserve(f, "acme", "web", NULL);
	reserve(f, "acme", "web", "staging");
	reserve(f, "acme", "api", NULL);
	reserve(f, "globex", "web", NULL);
	address = store_flycast_address(&web);
	addr_text(&address, text);
	id_text(web.id, id);
	assert_int_equal(store_flycast_find(f->store, &reader, NULL, NULL, text, &out, &why), 0);
	assert_memory_equal(&out, &web, sizeof out);
	assert_int_equal(store_flycast_find(f->store, &reader, "acme", "web", id, &out, &why), 0);
	assert_int_equal(store_flycast_find(f->store, &reader, "acme", "api", text, &out, &why), E_REFUSED);
	assert_string_equal(why.code, "ip_not_found");
	assert_int_equal(store_flycast_find(f->store, &f->root, "globex", NULL, text, &out, &why), E_REFUSED);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(store_flycast_find(f->store, &foreign, NULL, NULL, i ? id : text, &out, &why), E_REFUSED);
		assert_string_equal(why.code, "ip_not_found");
	}
	assert_int_equal(store_flycast_find(f->store, &f->root, NULL, NULL, "no address", &out, &why), E_REFUSED);
	assert_refused(f, DO(f, &foreign, store_flycast_release(store, op, NULL, NULL, text, &out)), "ip_not_found");
	assert_refused(f, DO(f, &reader, store_flycast_release(store, op, NULL, NULL, text, &out)), "forbidden");
	assert_int_equal(list(f, &f->root, NULL, NULL, NULL), 4);
	assert_int_equal(list(f, &reader, NULL, NULL, NULL), 3);
	assert_int_equal(list(f, &reader, NULL, "web", NULL), 2);
	assert_int_equal(list(f, &reader, NULL, "web", "staging"), 1);
	assert_int_equal(list(f, &foreign, NULL, NULL, NULL), 1);
	assert_int_equal(list(f, &f->root, "acme", NULL, "default"), 2);
}

static void an_app_has_at_most_so_many(void **state)
{
	struct fixture *f = *state;
	struct store_flycast out;

	make_org(f, "acme");
	make_app(f, "acme", "web");
	for (int i = 0; i < STORE_FLYCAST_MAX; i++)
		reserve(f, "acme", "web", NULL);
	assert_refused(f, DO(f, &f->root, store_flycast_create(store, op, "acme", "web", NULL, &out)), "quota_exceeded");
	assert_non_null(strstr(f->op.why.text, "16 of at most 16"));
}

static void a_network_whose_numbers_are_all_given_says_so(void **state)
{
	struct fixture *f = *state;
	struct store_flycast out;
	struct store_app app;

	make_org(f, "acme");
	app = make_app(f, "acme", "web");
	DO(f, &f->root,
	   sql_run(store,
		   "INSERT INTO flycast_resting (network, number, until_ms) WITH RECURSIVE c(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM c WHERE n < 65535) "
		   "SELECT ?1, n, 9000000000000 FROM c",
		   "u", app.network));
	assert_refused(f, DO(f, &f->root, store_flycast_create(store, op, "acme", "web", NULL, &out)), "flycast_used_up");
}

static void they_go_with_their_app_and_with_their_network(void **state)
{
	struct fixture *f = *state;
	struct store_deletion gone;
	struct store_network staging;
	struct store_summary summary;
	struct why why;

	make_org(f, "acme");
	make_app(f, "acme", "web");
	make_app(f, "acme", "api");
	assert_good(f, DO(f, &f->root, store_network_create(store, op, "acme", "staging", &staging)));
	reserve(f, "acme", "web", NULL);
	reserve(f, "acme", "api", NULL);
	reserve(f, "acme", "api", "staging");
	assert_int_equal(store_check(f->path, false, &summary, &why), 0); /* of an app of another network */
	assert_good(f, DO(f, &f->root, store_app_delete(store, op, "acme", "web", &gone)));
	assert_true(gone.finished);
	assert_int_equal(f->op.n_records, 2);
	assert_int_equal(f->op.records[0]->kind, RECORD_FLYCAST); /* before its app */
	assert_int_equal(f->op.records[1]->kind, RECORD_APP);
	assert_int_equal(count(f, "SELECT count(*) FROM flycast"), 2);
	assert_good(f, DO(f, &f->root, store_network_delete(store, op, "acme", "staging", &gone)));
	assert_true(gone.finished);
	assert_int_equal(count(f, "SELECT count(*) FROM flycast"), 1);
	assert_good(f, DO(f, &f->root, store_org_delete(store, op, "acme", &gone)));
	assert_true(gone.finished);
	assert_int_equal(count(f, "SELECT count(*) FROM flycast"), 0);
	assert_int_equal(count(f, "SELECT count(*) FROM record WHERE kind = 11"), 0);
	assert_int_equal(store_check(f->path, false, &summary, &why), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_address_is_a_small_number_that_nobody_else_of_the_network_has),
		T(a_released_one_rests_for_a_day),
		T(another_network_of_the_org_will_do_and_no_other_orgs),
		T(it_is_found_by_address_and_id_and_by_nobody_of_another_org),
		T(an_app_has_at_most_so_many),
		T(a_network_whose_numbers_are_all_given_says_so),
		T(they_go_with_their_app_and_with_their_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
