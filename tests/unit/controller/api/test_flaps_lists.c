/* The lists of the Machines view, which have no pages: all, or a refusal. */
#include "tests/unit/controller/api/flaps_client.h"

#include "controller/api/flaps.h"
#include "controller/store/store_internal.h"
#include "controller/store/store_machine.h"

/* Copies of web that nothing else knows of, numbered up to last. */
static int copy_app(struct store *store, unsigned first, unsigned last)
{
	return sql_run(store,
		       "INSERT INTO app (id, org, network, name, created_ms) WITH RECURSIVE n(i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2) "
		       "SELECT CAST(printf('%08d', i) AS BLOB), app.org, network, 'copy-' || i, app.created_ms FROM n, app JOIN org ON org.id = app.org "
		       "WHERE app.name = 'web' AND org.name = 'acme'",
		       "uu", first, last);
}

static void more_apps_than_one_list_holds_are_not_cut_off(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r;

	assert_good(f->base, DO(f->base, &f->base->root, copy_app(store, 1, FLAPS_APPS_MAX - 1)));
	r = fly_good(f, "GET", "/v1/apps?org_slug=acme", NULL);
	assert_int_equal(json_integer_value(fly_at(r.json, "total_apps")), FLAPS_APPS_MAX);
	client_reply_deinit(&r);
	assert_good(f->base, DO(f->base, &f->base->root, copy_app(store, FLAPS_APPS_MAX, FLAPS_APPS_MAX)));
	fly_refused(f, "GET", "/v1/apps?org_slug=acme", NULL, NULL, 413, "too_large", "more than 2000 apps");
}

/* Copies of a machine that nothing else knows of. */
static int copy(struct store *store, const char *of, unsigned from, unsigned to)
{
	uint8_t address[16] = { 0xfd, 0xaa, [15] = 2 };
	char id[16];
	int r = 0;

	for (unsigned i = from; i < to && r == 0; i++) {
		snprintf(id, sizeof id, "%014x", i);
		address[12] = (uint8_t)(i >> 8);
		address[13] = (uint8_t)i;
		r = sql_run(store,
			    "INSERT INTO instance (id, org, app, network, home_host, host, instance, address, desired, generation, created_ms, updated_ms, v) "
			    "SELECT ?2, org, app, network, home_host, host, ?3, ?4, desired, generation, created_ms, updated_ms, v FROM instance WHERE id = ?1",
			    "ttub", of, id, 0x7f000000u + i, address, sizeof address);
	}
	return r;
}

static void a_list_is_never_a_part_that_looks_like_all(void **state)
{
	struct api_fixture *f = *state;
	struct made m = run_machine(f);
	CLEAN_BUF struct buf big = BUF_INIT(64u << 10);
	struct client_reply r;

	assert_good(f->base, DO(f->base, &f->base->root, copy(store, m.id, 0, STORE_MACHINES_MAX - 2))); /* and the world's own */
	r = fly_good(f, "GET", "/v1/apps/web/machines?state=stopped", NULL);
	client_reply_deinit(&r);
	assert_good(f->base, DO(f->base, &f->base->root, copy(store, m.id, STORE_MACHINES_MAX - 2, STORE_MACHINES_MAX - 1)));
	fly_refused(f, "GET", "/v1/apps/web/machines?state=stopped", NULL, NULL, 413, "too_large", "more than 10000 machines");

	buf_add_str(&big, "{\"image\":\"a\",\"long\":\"");
	while (big.len < 61000)
		buf_add_u8(&big, 'x');
	buf_add_str(&big, "\"}");
	assert_good(f->base, DO(f->base, &f->base->root, sql_run(store, "DELETE FROM instance WHERE id BETWEEN '00000000000258' AND '0000000000ffff'", "")));
	assert_good(f->base, DO(f->base, &f->base->root,
				sql_run(store, "INSERT OR REPLACE INTO machine (instance, config) SELECT id, ?1 FROM instance", "t", buf_str(&big))));
	fly_refused(f, "GET", "/v1/apps/web/machines?state=stopped", NULL, NULL, 413, "too_large", "configurations of these machines");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(more_apps_than_one_list_holds_are_not_cut_off, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(a_list_is_never_a_part_that_looks_like_all, api_setup, api_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
