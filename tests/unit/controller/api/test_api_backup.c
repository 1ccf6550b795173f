/* Backups by the API: made while it answers others, listed, for operators alone; nothing of a key in any reply. */
#include "tests/unit/controller/api/api_fixture.h"

#include "controller/store/backup.h"
#include "lib/base/file.h"

static const uint8_t link_key[32] = { 0xde, 0xad, 0xbe, 0xef, 5, 6, 7, 8, 9 };

struct with_backups {
	struct api_fixture *f;
	struct backups *backups;
	char dir[128];
};

static int setup(void **state)
{
	struct with_backups *w = calloc(1, sizeof *w);
	struct backups_config config = { 0 };
	void *f;

	api_setup(&f);
	w->f = f;
	snprintf(w->dir, sizeof w->dir, "%s/backups", w->f->base->dir);
	config = (struct backups_config){ .clock = clock_virtual(&w->f->base->time), .loop = w->f->loop, .thread = w->f->thread, .dir = w->dir };
	memcpy(config.link_key, link_key, 32);
	assert_int_equal(backups_new(&config, &w->backups), 0);
	w->f->env.backups = w->backups;
	/* the api has a copy of the environment */
	((struct api_env *)(uintptr_t)api_get_env(w->f->api))->backups = w->backups;
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct with_backups *w = *state;
	char command[160];
	void *f = w->f;

	snprintf(command, sizeof command, "rm -rf '%s'", w->dir);
	backups_stop(w->backups);
	backups_free(w->backups);
	assert_int_equal(system(command), 0);
	free(w);
	return api_teardown(&f);
}

static void an_operator_makes_one_and_sees_it_in_the_list(void **state)
{
	struct with_backups *w = *state;
	struct api_fixture *f = w->f;
	struct client_reply r = ask(f, "POST", "/v1/backups", f->operator_token, "{\"keep\":3}");
	struct backup_header h;
	struct store_summary s;
	struct why why = { 0 };
	char path[400], scratch[200];
	const json_t *item;

	assert_int_equal(r.status, 201);
	assert_true(json_is_true(json_object_get(r.json, "verified")));
	assert_int_equal(json_integer_value(json_object_get(r.json, "v")), (json_int_t)f->v);
	snprintf(path, sizeof path, "%s", text_of(&r, "path"));
	client_reply_deinit(&r);
	snprintf(scratch, sizeof scratch, "%s/scratch", w->dir);
	if (backup_verify(path, scratch, &h, &s, &why))
		fail_msg("%s", why.text);
	assert_memory_equal(h.link_key, link_key, 32);
	r = ask(f, "GET", "/v1/backups", f->operator_token, NULL);
	assert_int_equal(r.status, 200);
	item = json_array_get(json_object_get(r.json, "items"), 0);
	assert_int_equal(json_integer_value(json_object_get(item, "v")), (json_int_t)f->v);
	assert_string_equal(json_string_value(json_object_get(item, "path")), path);
	client_reply_deinit(&r);
	r = ask(f, "GET", "/v1/status", f->operator_token, NULL);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(r.json, "backup"), "v")), (json_int_t)f->v);
	client_reply_deinit(&r);
}

static void nobody_else_may(void **state)
{
	struct with_backups *w = *state;
	struct backup_info *list;
	size_t n;

	expect(w->f, "POST", "/v1/backups", w->f->acme, "{}", 403, "forbidden");
	expect(w->f, "GET", "/v1/backups", w->f->acme, NULL, 403, "forbidden");
	expect(w->f, "POST", "/v1/backups", NULL, "{}", 401, "unauthorized");
	expect(w->f, "POST", "/v1/backups", w->f->operator_token, "{\"keep\":-1}", 400, "out_of_range");
	assert_int_equal(backup_dir_list(w->dir, &list, &n), 0);
	assert_int_equal(n, 0);
}

static void a_dry_run_makes_none(void **state)
{
	struct with_backups *w = *state;
	struct backup_info *list;
	size_t n;

	expect(w->f, "POST", "/v1/backups?dry_run=1", w->f->operator_token, "{}", 200, NULL);
	assert_int_equal(backup_dir_list(w->dir, &list, &n), 0);
	assert_int_equal(n, 0);
}

static void a_folder_that_cannot_be_made_is_an_error_and_no_backup(void **state)
{
	struct with_backups *w = *state;

	assert_int_equal(file_create(w->dir, "x", 1, 0600), 0); /* a file is in its place */
	expect(w->f, "POST", "/v1/backups", w->f->operator_token, "{}", 500, "backup_failed");
	unlink(w->dir);
	expect(w->f, "POST", "/v1/backups", w->f->operator_token, "{}", 201, NULL); /* and the next one is made */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_operator_makes_one_and_sees_it_in_the_list, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody_else_may, setup, teardown),
		cmocka_unit_test_setup_teardown(a_dry_run_makes_none, setup, teardown),
		cmocka_unit_test_setup_teardown(a_folder_that_cannot_be_made_is_an_error_and_no_backup, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
