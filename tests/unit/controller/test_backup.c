/* Backups: what is in one, that a flipped bit anywhere is found, that writers go on while one is made, and the way back. */
#include "tests/unit/controller/store_fixture.h"

#include "controller/backup.h"
#include "controller/link_key.h"
#include "controller/restore.h"
#include "controller/store_thread.h"
#include "lib/base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

static const uint8_t link_key[32] = { 1, 2, 3, 4, 5 };

struct made {
	struct fixture *f;
	struct store_thread *thread;
	struct backups *backups;
	char dir[128];
	int n_done;
	struct backup_result result;
};

static void done(void *ctx, const struct backup_result *result)
{
	struct made *m = ctx;

	m->n_done++;
	m->result = *result;
}

static void committed(void *arg, struct record *record, uint64_t committed_ms)
{
	(void)arg;
	(void)committed_ms;
	free(record);
}

static void begin(struct fixture *f, struct made *m)
{
	struct store_thread_events events = { .committed = committed };
	struct backups_config config = { .clock = clock_virtual(&f->time), .dir = m->dir };

	*m = (struct made){ .f = f };
	snprintf(m->dir, sizeof m->dir, "%s/backups", f->dir);
	memcpy(config.link_key, link_key, 32);
	assert_int_equal(store_thread_start(f->store, NULL, &events, &m->thread), 0);
	config.thread = m->thread;
	assert_int_equal(backups_new(&config, &m->backups), 0);
}

static void end(struct made *m)
{
	backups_stop(m->backups);
	store_thread_stop(m->thread);
	backups_free(m->backups);
}

static void remove_tree(const char *dir)
{
	char command[200];

	snprintf(command, sizeof command, "rm -rf '%s'", dir);
	assert_int_equal(system(command), 0);
}

/* A backup of the store as it is, its path. */
static void make_backup(struct fixture *f, unsigned keep, char *ret_path, size_t size)
{
	struct made m;
	struct why why;

	begin(f, &m);
	assert_int_equal(backups_start(m.backups, keep, done, &m, &why), 0);
	for (int i = 0; i < 100000 && !m.n_done; i++)
		store_thread_pump(m.thread);
	assert_int_equal(m.n_done, 1);
	if (m.result.result)
		fail_msg("backup: %d %s", m.result.result, m.result.why.text);
	if (ret_path)
		snprintf(ret_path, size, "%s/%s", m.dir, m.result.info.name);
	end(&m);
}

static int verify(const char *path, struct backup_header *h, struct store_summary *s, struct why *why)
{
	char scratch[200];

	snprintf(scratch, sizeof scratch, "/tmp/sixpn-scratch-%d", getpid());
	return backup_verify(path, scratch, h, s, why);
}

static unsigned files_in(const char *dir)
{
	unsigned n = 0;
	struct dirent *e;
	DIR *d = opendir(dir);

	assert_non_null(d);
	while ((e = readdir(d)))
		n += e->d_name[0] != '.' || strlen(e->d_name) > 2;
	closedir(d);
	return n;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char dir[64];

	snprintf(dir, sizeof dir, "%s", f->dir);
	fixture_teardown(state);
	remove_tree(dir);
	return 0;
}

/* ---- making one ---- */

static void a_backup_holds_the_store_and_the_link_key_and_is_for_its_owner_alone(void **state)
{
	struct fixture *f = *state;
	struct backup_header h;
	struct store_summary s;
	struct why why = { 0 };
	struct stat st;
	char path[PATH_MAX + 20];
	uint64_t head;

	make_region(f, "ord");
	make_org(f, "acme");
	head = store_head(f->store);
	make_backup(f, 0, path, sizeof path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	if (verify(path, &h, &s, &why))
		fail_msg("%s", why.text);
	assert_memory_equal(h.link_key, link_key, 32);
	assert_int_equal(h.v, head);
	assert_int_equal(s.v, head);
	assert_int_equal(s.orgs, 1);
	assert_int_equal(h.made_ms, T0);
	assert_memory_equal(h.log_id, f->store->identity.log_id, STORE_LOG_ID_LEN);
}

static void nothing_half_made_stays_in_the_folder(void **state)
{
	struct fixture *f = *state;
	char dir[160];

	make_region(f, "ord");
	make_backup(f, 0, NULL, 0);
	snprintf(dir, sizeof dir, "%s/backups", f->dir);
	assert_int_equal(files_in(dir), 1);
}

static int run_create(struct store *store, struct op *op)
{
	struct store_org org;
	static unsigned n;
	char name[NAME_SIZE];

	snprintf(name, sizeof name, "during-%u", n++);
	return store_org_create(store, op, name, &org);
}

static unsigned n_written;

static void written(struct op *op)
{
	assert_int_equal(op->result, 0);
	n_written++;
	op_deinit(op);
}

static void writers_go_on_between_the_steps_and_the_copy_is_whole(void **state)
{
	struct fixture *f = *state;
	struct op writes[400];
	struct backup_header h;
	struct store_summary s;
	struct made m;
	struct why why = { 0 };
	char path[PATH_MAX + 20], name[NAME_SIZE];
	size_t n = 0;
	uint64_t before;

	for (unsigned i = 0; i < 1500; i++) { /* some MiB */
		snprintf(name, sizeof name, "before-%u", i);
		make_org(f, name);
	}
	before = store_head(f->store);
	begin(f, &m);
	n_written = 0;
	assert_int_equal(backups_start(m.backups, 0, done, &m, &why), 0);
	while (!m.n_done) {
		assert_true(n < ARRAY_LEN(writes));
		op_init(&writes[n], run_create, written, &f->root, "r");
		store_thread_put(m.thread, &writes[n++]);
		store_thread_pump(m.thread);
	}
	assert_true(n_written >= 5); /* one in each round: none waited for the whole backup */
	assert_int_equal(m.result.result, 0);
	snprintf(path, sizeof path, "%s/%s", m.dir, m.result.info.name);
	end(&m);
	if (verify(path, &h, &s, &why))
		fail_msg("%s", why.text);
	assert_true(h.v > before); /* what came during the copy is in it too */
	assert_true(h.v <= store_head(f->store));
}

static void one_backup_at_a_time(void **state)
{
	struct fixture *f = *state;
	struct made m;
	struct why why = { 0 };

	begin(f, &m);
	assert_int_equal(backups_start(m.backups, 0, done, &m, &why), 0);
	assert_int_equal(backups_start(m.backups, 0, done, &m, &why), E_REFUSED);
	assert_string_equal(why.code, "backup_running");
	while (!m.n_done)
		store_thread_pump(m.thread);
	assert_int_equal(m.n_done, 1);
	end(&m);
}

static void a_backup_that_is_interrupted_by_the_end_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct made m;
	struct why why = { 0 };

	make_region(f, "ord");
	begin(f, &m);
	assert_int_equal(backups_start(m.backups, 0, done, &m, &why), 0);
	end(&m);
	assert_int_equal(m.n_done, 1);
	assert_int_equal(m.result.result, -ECANCELED);
	assert_int_equal(files_in(m.dir), 0);
}

/* What has its name is good: a store that is wrong gives no backup, whatever its pages say. */
static void a_store_that_is_not_whole_gives_no_backup(void **state)
{
	struct fixture *f = *state;
	struct made m;
	struct why why = { 0 };

	make_region(f, "ord");
	make_org(f, "acme");
	assert_int_equal(driver_exec(f->store->driver, "DELETE FROM log WHERE v = 1"), 0);
	begin(f, &m);
	assert_int_equal(backups_start(m.backups, 0, done, &m, &why), 0);
	while (!m.n_done)
		store_thread_pump(m.thread);
	assert_int_equal(m.result.result, E_REFUSED);
	assert_non_null(strstr(m.result.why.text, "gap"));
	assert_int_equal(files_in(m.dir), 0);
	end(&m);
}

static void the_oldest_go_and_the_new_one_never(void **state)
{
	struct fixture *f = *state;
	struct backup_info *list;
	char dir[160], broken[200], last[PATH_MAX];
	size_t n;

	snprintf(dir, sizeof dir, "%s/backups", f->dir);
	for (unsigned i = 0; i < 5; i++) {
		f->time.now_ms += 60000;
		make_backup(f, 0, NULL, 0);
	}
	snprintf(broken, sizeof broken, "%s/broken.backup", dir);
	assert_int_equal(file_replace(broken, "junk", 4, 0600), 0);
	f->time.real_offset_ms -= 3600000; /* a clock that was set back makes the new one the oldest */
	make_backup(f, 2, last, sizeof last);
	assert_int_equal(backup_dir_list(dir, &list, &n), 0);
	assert_int_equal(n, 4); /* the two newest, the one just made, and the broken one, which people must see */
	assert_int_equal(access(last, F_OK), 0);
	for (size_t i = 0; i < n; i++)
		if (!list[i].good)
			assert_non_null(strstr(list[i].problem, "not a backup"));
	free(list);
}

/* ---- finding damage ---- */

static void a_flipped_bit_anywhere_is_found(void **state)
{
	struct fixture *f = *state;
	CLEAN_BUF struct buf whole = BUF_INIT(0);
	struct backup_header h;
	struct store_summary s;
	struct why why;
	char path[PATH_MAX + 20], other[PATH_MAX + 40];
	unsigned tried = 0;
	uint64_t size;

	make_region(f, "ord");
	make_org(f, "acme");
	make_backup(f, 0, path, sizeof path);
	snprintf(other, sizeof other, "%s.flipped", path);
	assert_int_equal(file_read(path, 64 << 20, &whole), 0);
	for (size_t at = 0; at < whole.len; at += at < 300 || at + 64 > whole.len ? 1 : 401) {
		whole.data[at] ^= (uint8_t)(1 << at % 8);
		assert_int_equal(file_replace(other, whole.data, whole.len, 0600), 0);
		if (at < BACKUP_HEADER_LEN) /* lists read no more than that */
			assert_int_equal(backup_peek(other, &h, &size, &why), E_REFUSED);
		if (verify(other, &h, &s, &why) != E_REFUSED)
			fail_msg("a flipped bit in byte %zu is not found", at);
		assert_true(!strncmp(why.code, "backup_", 7));
		whole.data[at] ^= (uint8_t)(1 << at % 8);
		tried++;
	}
	for (size_t len = 0; len < whole.len; len += whole.len / 50 + 1) {
		assert_int_equal(file_replace(other, whole.data, len, 0600), 0);
		assert_int_equal(verify(other, &h, &s, &why), E_REFUSED);
	}
	assert_true(tried > 600);
}

/* Digests that are right around a store that is wrong: what a controller with a fault in it would make. */
static void assert_store_is_refused(struct fixture *f, const char *sql, const char *finding)
{
	struct store_summary s;
	struct why why = { 0 };

	assert_int_equal(driver_exec(f->store->driver, "BEGIN; PRAGMA defer_foreign_keys = ON"), 0);
	assert_int_equal(driver_exec(f->store->driver, sql), 0);
	if (driver_exec(f->store->driver, "COMMIT"))
		fail_msg("cannot do %s", sql);
	assert_int_equal(store_check(f->path, false, &s, &why), E_REFUSED);
	assert_string_equal(why.code, "store_corrupt");
	if (!strstr(why.text, finding))
		fail_msg("\"%s\" does not speak of \"%s\"", why.text, finding);
}

static void a_store_that_is_whole_passes_also_while_it_is_written(void **state)
{
	struct fixture *f = *state;
	struct store_summary s;
	struct why why = { 0 };

	make_region(f, "ord");
	make_node(f, "ord", 7);
	if (store_check(f->path, false, &s, &why))
		fail_msg("%s", why.text);
	assert_int_equal(s.v, store_head(f->store));
	assert_int_equal(s.nodes, 1);
	make_org(f, "acme");
	if (store_check(f->path, false, &s, &why))
		fail_msg("%s", why.text);
	assert_int_equal(s.orgs, 1);
}

static void a_gap_in_the_log_is_found(void **state)
{
	make_region(*state, "ord");
	make_org(*state, "acme");
	assert_store_is_refused(*state, "DELETE FROM log WHERE v = 2", "gap");
}

static void a_log_that_ends_early_is_found(void **state)
{
	make_region(*state, "ord");
	make_org(*state, "acme");
	assert_store_is_refused(*state, "DELETE FROM log WHERE v = (SELECT max(v) FROM log)", "counter");
}

static void a_record_with_another_body_is_found(void **state)
{
	make_region(*state, "ord");
	assert_store_is_refused(*state, "UPDATE record SET body = X'00'", "not what the log says");
}

static void a_record_that_is_not_the_newest_is_found(void **state)
{
	struct fixture *f = *state;
	struct store_region region;
	struct store_region_new change = { .name = "ord", .city = "Elsewhere" };

	make_region(f, "ord");
	assert_good(f, DO(f, &f->root, store_region_update(store, op, "ord", &change, &region)));
	assert_store_is_refused(f, "UPDATE record SET v = 1, body = (SELECT body FROM log WHERE v = 1)", "not the newest");
}

static void a_record_that_is_missing_is_found(void **state)
{
	make_region(*state, "ord");
	make_org(*state, "acme");
	assert_store_is_refused(*state, "DELETE FROM record WHERE v = 2", "missing");
}

static void a_reference_to_nothing_is_found(void **state)
{
	struct fixture *f = *state;

	make_org(f, "acme");
	make_app(f, "acme", "web");
	assert_int_equal(driver_exec(f->store->driver, "PRAGMA foreign_keys = OFF"), 0);
	assert_store_is_refused(f, "DELETE FROM network", "refers to nothing");
}

/* ---- the way back ---- */

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
	assert_int_equal(file_replace(f->path, db.data, db.len, 0600), 0);
	assert_int_equal(file_replace(wal_path, wal.data, wal.len, 0600), 0);
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
	assert_int_equal(file_replace(path, whole.data, whole.len, 0600), 0);
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
	assert_int_equal(file_replace(ready, "x", 1, 0600), 0);
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
		T(a_backup_holds_the_store_and_the_link_key_and_is_for_its_owner_alone),
		T(nothing_half_made_stays_in_the_folder),
		T(writers_go_on_between_the_steps_and_the_copy_is_whole),
		T(one_backup_at_a_time),
		T(a_backup_that_is_interrupted_by_the_end_leaves_nothing),
		T(a_store_that_is_not_whole_gives_no_backup),
		T(the_oldest_go_and_the_new_one_never),
		T(a_flipped_bit_anywhere_is_found),
		T(a_store_that_is_whole_passes_also_while_it_is_written),
		T(a_gap_in_the_log_is_found),
		T(a_log_that_ends_early_is_found),
		T(a_record_with_another_body_is_found),
		T(a_record_that_is_not_the_newest_is_found),
		T(a_record_that_is_missing_is_found),
		T(a_reference_to_nothing_is_found),
		T(g2_a_restored_store_has_another_log_a_greater_epoch_and_what_was_in_the_backup),
		T(the_wal_of_a_controller_that_was_killed_is_not_read_into_the_restored_store),
		T(the_epoch_of_a_restored_store_lies_above_that_of_a_store_that_was_ahead_of_the_clock),
		T(a_restore_on_a_new_machine_needs_nothing_but_the_file),
		T(a_store_in_use_is_not_replaced),
		T(a_broken_backup_replaces_nothing),
		T(an_interrupted_restore_keeps_controllers_from_starting_until_it_was_done_again),
		T(no_new_store_is_begun_where_one_has_been),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
