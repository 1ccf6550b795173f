/* The way back: a new log with what was in the backup, the old store kept, and nothing replaced by halves. */
#include "tests/unit/controller/store/backup_fixture.h"

#include "controller/store/link_key.h"
#include "controller/store/restore.h"

static struct store_identity close_and_restore(struct fixture *f, const char *backup, struct restore_report *report)
{
	struct clock clock = clock_virtual(&f->time);
	struct store_identity before;
	struct why why = { 0 };

	store_get_identity(f->store, &before);
	f->store = store_close(f->store);
	if (restore_run(backup, f->path, 0, &clock, report, &why))
		fail_msg("restore: %s", why.text);
	return before;
}

static bool has_org(struct fixture *f, const char *name)
{
	struct store_org org;
	struct why why;

	return store_org_find(f->store, &f->root, name, &org, &why) == 0;
}

static void g2_a_restored_store_has_another_log_a_greater_epoch_and_what_was_in_the_backup(void **state)
{
	struct fixture *f = *state;
	struct restore_report report;
	struct store_identity before, after;
	struct store_summary s;
	struct why why = { 0 };
	uint8_t key[32];
	char path[PATH_MAX + 20];
	uint64_t head;

	make_org(f, "before");
	head = store_head(f->store);
	make_backup(f, 0, path, sizeof path);
	make_org(f, "after");
	before = close_and_restore(f, path, &report);
	assert_int_equal(report.summary.v, head);
	assert_int_equal(report.lost, 2);
	store_get_identity(fixture_open(f), &after);
	assert_true(after.epoch > before.epoch);
	assert_memory_not_equal(after.log_id, before.log_id, STORE_LOG_ID_LEN);
	assert_int_equal(store_head(f->store), head);
	assert_true(has_org(f, "before"));
	assert_false(has_org(f, "after"));
	assert_int_equal(link_key_read(f->path, key, &why), 0);
	assert_memory_equal(key, link_key, 32);
	if (store_check(f->path, false, &s, &why))
		fail_msg("%s", why.text);
	/* the old store is whole where it was put */
	snprintf(path, sizeof path, "%s/store.db", report.replaced);
	if (store_check(path, false, &s, &why))
		fail_msg("%s", why.text);
	assert_int_equal(s.v, head + 2);
	assert_int_equal(s.orgs, 2);
}

static void the_wal_of_a_controller_that_was_killed_is_not_read_into_the_restored_store(void **state)
{
	struct fixture *f = *state;
	CLEAN_BUF struct buf db = BUF_INIT(0), wal = BUF_INIT(0);
	struct restore_report report;
	struct store_summary s;
	struct why why = { 0 };
	char path[PATH_MAX + 20], wal_path[160];

	make_org(f, "before");
	make_backup(f, 0, path, sizeof path);
	make_org(f, "after");
	snprintf(wal_path, sizeof wal_path, "%s-wal", f->path);
	assert_int_equal(file_read(f->path, 64 << 20, &db), 0);
	assert_int_equal(file_read(wal_path, 64 << 20, &wal), 0);
	f->store = store_close(f->store);
	fixture_put(f->path, db.data, db.len);
	fixture_put(wal_path, wal.data, wal.len);
	{
		struct clock clock = clock_virtual(&f->time);

		if (restore_run(path, f->path, 0, &clock, &report, &why))
			fail_msg("restore: %s", why.text);
	}
	fixture_open(f);
	assert_true(has_org(f, "before"));
	assert_false(has_org(f, "after"));
	if (store_check(f->path, false, &s, &why))
		fail_msg("%s", why.text);
	snprintf(path, sizeof path, "%s/store.db", report.replaced);
	assert_int_equal(store_check(path, false, &s, &why), 0); /* with its WAL, which is beside it */
	assert_int_equal(s.orgs, 2);
}

static void the_epoch_of_a_restored_store_lies_above_that_of_a_store_that_was_ahead_of_the_clock(void **state)
{
	struct fixture *f = *state;
	struct restore_report report;
	struct store_identity before, after;
	char path[PATH_MAX + 20];

	make_backup(f, 0, path, sizeof path);
	f->store = store_close(f->store);
	f->time.now_ms += 1000000;
	fixture_open(f);
	f->time.now_ms -= 1000000;
	before = close_and_restore(f, path, &report);
	store_get_identity(fixture_open(f), &after);
	assert_true(after.epoch > before.epoch);
}

static void a_restore_on_a_new_machine_needs_nothing_but_the_file(void **state)
{
	struct fixture *f = *state;
	struct clock clock = clock_virtual(&f->time);
	struct restore_report report;
	struct store_summary s;
	struct why why = { 0 };
	char path[PATH_MAX + 20], elsewhere[160];
	uint8_t key[32];

	make_org(f, "acme");
	make_backup(f, 0, path, sizeof path);
	snprintf(elsewhere, sizeof elsewhere, "%s/new/machine/sixpn.db", f->dir);
	assert_int_equal(restore_run(path, elsewhere, 5 * T0, &clock, &report, &why), 0);
	assert_string_equal(report.replaced, "");
	assert_true(report.epoch > 5 * T0);
	assert_int_equal(store_check(elsewhere, false, &s, &why), 0);
	assert_int_equal(s.orgs, 1);
	assert_int_equal(link_key_read(elsewhere, key, &why), 0);
}

static void what_root_restores_belongs_to_whom_the_folder_belongs_to(void **state)
{
	static const char *const files[] = { "store.db", "store.db-lock", "keys", "keys/link.key" };
	struct fixture *f = *state;
	struct restore_report report;
	char path[PATH_MAX + 20], file[PATH_MAX];
	struct stat st;

	if (geteuid() != 0) {
		print_message("SKIP: only root can give files away\n");
		return;
	}
	make_backup(f, 0, path, sizeof path);
	assert_int_equal(chown(f->dir, 12345, 12346), 0);
	close_and_restore(f, path, &report);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		snprintf(file, sizeof file, "%s/%s", f->dir, files[i]);
		assert_int_equal(stat(file, &st), 0);
		assert_int_equal(st.st_uid, 12345);
		assert_int_equal(st.st_gid, 12346);
	}
	assert_int_equal(stat(report.replaced, &st), 0);
	assert_int_equal(st.st_uid, 12345);
}

static void a_store_in_use_is_not_replaced(void **state)
{
	struct fixture *f = *state;
	struct clock clock = clock_virtual(&f->time);
	struct restore_report report;
	struct why why = { 0 };
	char path[PATH_MAX + 20];

	make_backup(f, 0, path, sizeof path);
	assert_int_equal(restore_run(path, f->path, 0, &clock, &report, &why), E_REFUSED);
	assert_string_equal(why.code, "store_in_use");
	make_org(f, "goes-on");
}

static void a_broken_backup_replaces_nothing(void **state)
{
	struct fixture *f = *state;
	struct clock clock = clock_virtual(&f->time);
	CLEAN_BUF struct buf whole = BUF_INIT(0);
	struct restore_report report;
	struct why why = { 0 };
	char path[PATH_MAX + 20];

	make_org(f, "acme");
	make_backup(f, 0, path, sizeof path);
	assert_int_equal(file_read(path, 64 << 20, &whole), 0);
	whole.data[whole.len / 2] ^= 4;
	fixture_put(path, whole.data, whole.len);
	f->store = store_close(f->store);
	assert_int_equal(restore_run(path, f->path, 0, &clock, &report, &why), E_REFUSED);
	assert_string_equal(why.code, "backup_corrupt");
	fixture_open(f);
	assert_true(has_org(f, "acme"));
}

static int try_open(struct fixture *f, struct why *why)
{
	struct store_options options = { .path = f->path, .clock = clock_virtual(&f->time) };
	struct store *store;

	*why = (struct why){ 0 };
	return store_open(&options, &store, why);
}

static void an_interrupted_restore_keeps_controllers_from_starting_until_it_was_done_again(void **state)
{
	struct fixture *f = *state;
	struct restore_report report;
	struct why why;
	char path[PATH_MAX + 20], ready[200];

	make_org(f, "acme");
	make_backup(f, 0, path, sizeof path);
	snprintf(ready, sizeof ready, "%s" STORE_RESTORED_SUFFIX, f->path);
	f->store = store_close(f->store);
	fixture_put(ready, "x", 1);
	assert_int_equal(try_open(f, &why), E_REFUSED);
	assert_string_equal(why.code, "restore_unfinished");
	unlink(ready);
	fixture_open(f);
	close_and_restore(f, path, &report);
	assert_int_equal(access(ready, F_OK), -1);
	fixture_open(f);
}

static void no_new_store_is_begun_where_one_has_been(void **state)
{
	struct fixture *f = *state;
	struct why why;
	char away[160];

	make_org(f, "acme");
	f->store = store_close(f->store);
	snprintf(away, sizeof away, "%s.away", f->path);
	assert_int_equal(rename(f->path, away), 0);
	assert_int_equal(try_open(f, &why), E_REFUSED);
	assert_string_equal(why.code, "store_missing");
	assert_int_equal(rename(away, f->path), 0);
	fixture_open(f);
	assert_true(has_org(f, "acme"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(g2_a_restored_store_has_another_log_a_greater_epoch_and_what_was_in_the_backup),
		T(the_wal_of_a_controller_that_was_killed_is_not_read_into_the_restored_store),
		T(the_epoch_of_a_restored_store_lies_above_that_of_a_store_that_was_ahead_of_the_clock),
		T(a_restore_on_a_new_machine_needs_nothing_but_the_file),
		T(what_root_restores_belongs_to_whom_the_folder_belongs_to),
		T(a_store_in_use_is_not_replaced),
		T(a_broken_backup_replaces_nothing),
		T(an_interrupted_restore_keeps_controllers_from_starting_until_it_was_done_again),
		T(no_new_store_is_begun_where_one_has_been),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
