/* Backups: what is in one, that a flipped bit anywhere is found, and that writers go on while one is made. */
#include "tests/unit/controller/store/backup_fixture.h"

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
	fixture_put(broken, "junk", 4);
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
	for (size_t at = 0; at < whole.len; at += at < 300 || at + 64 > whole.len ? 1 : 1201) {
		whole.data[at] ^= (uint8_t)(1 << at % 8);
		fixture_put(other, whole.data, whole.len);
		if (at < BACKUP_HEADER_LEN) /* lists read no more than that */
			assert_int_equal(backup_peek(other, &h, &size, &why), E_REFUSED);
		if (verify(other, &h, &s, &why) != E_REFUSED)
			fail_msg("a flipped bit in byte %zu is not found", at);
		assert_true(!strncmp(why.code, "backup_", 7));
		whole.data[at] ^= (uint8_t)(1 << at % 8);
		tried++;
	}
	for (size_t len = 0; len < whole.len; len += whole.len / 50 + 1) {
		fixture_put(other, whole.data, len);
		assert_int_equal(verify(other, &h, &s, &why), E_REFUSED);
	}
	assert_true(tried > 500);
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

static void an_instance_without_its_record_is_found(void **state)
{
	struct fixture *f = *state;
	uint32_t host;

	make_region(f, "ord");
	host = make_node(f, "ord", 7).host;
	make_org(f, "acme");
	make_app(f, "acme", "web");
	make_instance(f, "acme/web", "ord", &host, 1);
	assert_store_is_refused(f, "UPDATE instance SET v = v + 1000", "has no record");
}

static void a_reference_to_nothing_is_found(void **state)
{
	struct fixture *f = *state;

	make_org(f, "acme");
	make_app(f, "acme", "web");
	assert_int_equal(driver_exec(f->store->driver, "PRAGMA foreign_keys = OFF"), 0);
	assert_store_is_refused(f, "DELETE FROM network", "refers to nothing");
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
		T(an_instance_without_its_record_is_found),
		T(a_reference_to_nothing_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
