/* A disk that gives back something else than was written: never a silent wrong answer. Every page of a store, and every frame of a
 * WAL, with a bit flipped; whatever opens must give exactly the truth. */
#include "tests/unit/controller/store/store_fixture.h"

#include "controller/store/store_check.h"
#include "controller/store/store_driver_sqlite.h"
#include "controller/store/store_migration.h"
#include "controller/store/store_page_sums.h"
#include "lib/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>

#define PAGE 4096
#define FRAME (PAGE + 24)

/* Everything that any statement could answer, in one digest; false: a read failed. */
static bool dump(sqlite3 *db, uint8_t ret_hash[32])
{
	sqlite3_stmt *tables = NULL, *rows = NULL;
	struct crypto_hash h;
	bool good = sqlite3_prepare_v2(db, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name", -1, &tables, NULL) == SQLITE_OK;
	int code = SQLITE_DONE;

	crypto_hash_begin(&h);
	while (good && (code = sqlite3_step(tables)) == SQLITE_ROW) {
		char sql[128];

		snprintf(sql, sizeof sql, "SELECT * FROM %s%s", sqlite3_column_text(tables, 0),
			 strcmp((const char *)sqlite3_column_text(tables, 0), "meta") ? "" : " WHERE id = 1");
		good = sqlite3_prepare_v2(db, sql, -1, &rows, NULL) == SQLITE_OK;
		while (good && (code = sqlite3_step(rows)) == SQLITE_ROW)
			for (int i = 0; i < sqlite3_column_count(rows); i++) {
				const void *bytes = sqlite3_column_blob(rows, i);

				if (!strcmp(sqlite3_column_name(rows, i), "epoch"))
					continue; /* each start takes a new one */
				if (bytes)
					crypto_hash_add(&h, bytes, (size_t)sqlite3_column_bytes(rows, i));
				crypto_hash_add(&h, "|", 1);
			}
		good = good && code == SQLITE_DONE;
		sqlite3_finalize(rows);
		rows = NULL;
	}
	good = good && code == SQLITE_DONE;
	sqlite3_finalize(tables);
	crypto_hash_end(&h, ret_hash);
	return good;
}

static void fill(struct fixture *f)
{
	char name[NAME_SIZE], spec[20000];
	uint32_t host;

	make_region(f, "ord");
	host = make_node(f, "ord", 7).host;
	for (unsigned i = 0; i < 12; i++) {
		snprintf(name, sizeof name, "org-%u", i);
		make_org(f, name);
	}
	make_app(f, "org-0", "web");
	memset(spec, 'x', sizeof spec); /* long ones have pages of their own */
	memcpy(spec, "{\"a\":\"", 6);
	memcpy(spec + sizeof spec - 2, "\"}", 2);
	for (unsigned i = 0; i < 4; i++) {
		struct store_instance_new in = { .app = "org-0/web", .region = "ord", .desired = DESIRED_STARTED, .spec = spec,
						 .spec_len = sizeof spec, .live = &host, .n_live = 1 };
		struct store_instance instance;

		assert_good(f, DO(f, &f->root, store_instance_create(store, op, &in, &instance)));
	}
}

static int try_open(struct fixture *f, struct store **ret_store, struct why *why)
{
	struct store_options options = { .path = f->path, .clock = clock_virtual(&f->time) };

	*why = (struct why){ 0 };
	return store_open(&options, ret_store, why);
}

struct tally {
	unsigned refused, right;
};

/* Opens what is at the path: refused with words, or the truth. */
static void judge(struct fixture *f, const uint8_t truth[32], struct tally *t, const char *what, size_t at)
{
	struct store *store = NULL;
	uint8_t hash[32];
	struct why why;
	int r = try_open(f, &store, &why);

	if (r != 0) {
		if (r != E_REFUSED)
			fail_msg("%s %zu: %d instead of words", what, at, r);
		if (strcmp(why.code, "store_corrupt") && strcmp(why.code, "store_foreign"))
			fail_msg("%s %zu: %s: %s", what, at, why.code, why.text);
		assert_non_null(strstr(why.text, "damaged"));
		t->refused++;
		return;
	}
	if (!dump(store->driver->db, hash))
		t->refused++; /* found at the read */
	else if (memcmp(hash, truth, 32))
		fail_msg("%s %zu: a wrong answer without a word", what, at);
	else
		t->right++;
	store_close(store);
}

static void remove_beside(const struct fixture *f, const char *suffix)
{
	char path[160];

	snprintf(path, sizeof path, "%s%s", f->path, suffix);
	unlink(path);
}

static void a_flipped_bit_in_any_page_is_refused_or_changes_no_answer(void **state)
{
	struct fixture *f = *state;
	CLEAN_BUF struct buf whole = BUF_INIT(0);
	struct tally t = { 0 };
	uint8_t truth[32];
	size_t pages;

	fill(f);
	assert_true(dump(f->store->driver->db, truth));
	f->store = store_close(f->store);
	assert_int_equal(file_read(f->path, 64 << 20, &whole), 0);
	pages = whole.len / PAGE;
	assert_true(pages > 60);
	for (size_t page = 0; page < pages; page++)
		for (unsigned i = 0; i < 3; i++) {
			struct clock clock = clock_virtual(&f->time);
			size_t at = page * PAGE + (page == 0 && i == 0 ? 20 : clock_random_below(&clock, PAGE));
			uint8_t bit = (uint8_t)(1 << clock_random_below(&clock, 8));

			whole.data[at] ^= bit;
			remove_beside(f, "-wal");
			fixture_put(f->path, whole.data, whole.len);
			judge(f, truth, &t, "byte", at);
			whole.data[at] ^= bit;
		}
	print_message("%zu pages, 3 bits each: %u refused, %u right\n", pages, t.refused, t.right);
	assert_true(t.refused > 3 * pages * 9 / 10); /* what is free is not looked at */
	remove_beside(f, "-wal");
	fixture_put(f->path, whole.data, whole.len);
	judge(f, truth, &t, "whole", 0);
	assert_true(t.right > 0);
}

static void a_page_in_the_place_of_another_is_refused(void **state)
{
	struct fixture *f = *state;
	CLEAN_BUF struct buf whole = BUF_INIT(0);
	struct tally t = { 0 };
	uint8_t truth[32], one[PAGE];
	size_t pages;

	fill(f);
	assert_true(dump(f->store->driver->db, truth));
	f->store = store_close(f->store);
	assert_int_equal(file_read(f->path, 64 << 20, &whole), 0);
	pages = whole.len / PAGE;
	for (size_t page = 1; page + 1 < pages; page += 3) {
		memcpy(one, whole.data + page * PAGE, PAGE);
		memcpy(whole.data + page * PAGE, whole.data + (page + 1) * PAGE, PAGE);
		remove_beside(f, "-wal");
		fixture_put(f->path, whole.data, whole.len);
		judge(f, truth, &t, "page", page);
		memcpy(whole.data + page * PAGE, one, PAGE);
	}
	assert_true(t.refused > pages / 4);
}

static void a_page_of_zeros_is_refused_or_changes_no_answer(void **state)
{
	struct fixture *f = *state;
	CLEAN_BUF struct buf whole = BUF_INIT(0);
	struct tally t = { 0 };
	uint8_t truth[32], one[PAGE];
	size_t pages;

	fill(f);
	assert_true(dump(f->store->driver->db, truth));
	f->store = store_close(f->store);
	assert_int_equal(file_read(f->path, 64 << 20, &whole), 0);
	pages = whole.len / PAGE;
	for (size_t page = 0; page < pages; page++) {
		memcpy(one, whole.data + page * PAGE, PAGE);
		memset(whole.data + page * PAGE, 0, PAGE);
		remove_beside(f, "-wal");
		fixture_put(f->path, whole.data, whole.len);
		judge(f, truth, &t, "page", page);
		memcpy(whole.data + page * PAGE, one, PAGE);
	}
	assert_true(t.refused > pages * 9 / 10);
}

static void count_log(void *arg, const struct store_log_row *row)
{
	(void)row;
	++*(unsigned *)arg;
}

static int run_log(struct store *store, struct op *op)
{
	uint64_t after = 0, last = 0;
	unsigned n = 0;
	int r;

	do {
		after = last;
		r = store_log_read_since(store, &op->principal, after, 0, count_log, &n, &last);
	} while (r == 0 && last != after);
	return r;
}

static void damage_at_run_time_is_an_error_and_nothing_is_written_any_more(void **state)
{
	struct fixture *f = *state;
	struct op op;
	uint8_t byte;
	int fd;

	fill(f);
	assert_int_equal(driver_exec(f->store->driver, "PRAGMA wal_checkpoint(TRUNCATE)"), 0);
	fd = open(f->path, O_RDWR);
	for (off_t at = PAGE + 700; pread(fd, &byte, 1, at) == 1; at += PAGE) {
		byte ^= 1;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	sqlite3_db_release_memory(f->store->driver->db); /* as if other pages had pushed them out */
	op_init(&op, run_log, NULL, &f->root, "r");
	op.write = false;
	assert_int_equal(store_run_now(f->store, &op), -EBADMSG);
	op_deinit(&op);
	assert_int_equal(f->store->broken, -EBADMSG);
	assert_int_equal(store_check_ours(f->store), -EBADMSG);
	close(fd);
}

/* ---- the WAL ---- */

/* The store's files as kill -9 leaves them. */
static void copy_alive(struct fixture *f, struct buf *db, struct buf *wal)
{
	char path[160];

	assert_int_equal(file_read(f->path, 64 << 20, db), 0);
	snprintf(path, sizeof path, "%s-wal", f->path);
	assert_int_equal(file_read(path, 64 << 20, wal), 0);
}

static void put_back(struct fixture *f, const struct buf *db, const struct buf *wal)
{
	char path[160];

	remove_beside(f, "-shm");
	fixture_put(f->path, db->data, db->len);
	snprintf(path, sizeof path, "%s-wal", f->path);
	fixture_put(path, wal->data, wal->len);
}

/* Where the last transaction begins: the frame behind the last commit but one. */
static size_t last_transaction(const struct buf *wal)
{
	size_t n = (wal->len - 32) / FRAME, last = 0, before = 0;

	for (size_t i = 0; i < n; i++)
		if (get_u32(wal->data + 32 + i * FRAME + 4)) {
			before = last;
			last = i + 1;
		}
	assert_true(before > 0);
	return before;
}

static void a_flipped_bit_in_the_wal_is_refused_unless_a_torn_write_would_look_the_same(void **state)
{
	struct fixture *f = *state;
	CLEAN_BUF struct buf db = BUF_INIT(0), wal = BUF_INIT(0);
	struct tally t = { 0 };
	uint8_t truth[32];
	size_t n, tail;

	fill(f);
	assert_true(dump(f->store->driver->db, truth));
	copy_alive(f, &db, &wal);
	f->store = store_close(f->store);
	n = (wal.len - 32) / FRAME;
	tail = last_transaction(&wal);
	/* the commit frame before the last transaction: if its own mark of a commit goes, what follows looks like a part of it */
	for (size_t i = 0; i + 1 < tail; i += 1 + i % 3) {
		struct clock clock = clock_virtual(&f->time);
		size_t at = 32 + i * FRAME + clock_random_below(&clock, FRAME);

		wal.data[at] ^= 4;
		put_back(f, &db, &wal);
		judge(f, truth, &t, "WAL byte", at);
		wal.data[at] ^= 4;
	}
	for (size_t at = 0; at < 32; at++) {
		wal.data[at] ^= 4;
		put_back(f, &db, &wal);
		judge(f, truth, &t, "WAL header", at);
		wal.data[at] ^= 4;
	}
	print_message("%zu frames, %zu before the last transaction: %u refused, %u right\n", n, tail, t.refused, t.right);
	assert_true(t.refused > 40);
	put_back(f, &db, &wal);
	judge(f, truth, &t, "whole", 0);
	assert_true(t.right > 0);
}

static void a_wal_that_is_cut_off_in_its_last_transaction_is_a_torn_write(void **state)
{
	struct fixture *f = *state;
	CLEAN_BUF struct buf db = BUF_INIT(0), wal = BUF_INIT(0);
	size_t tail, len;
	uint64_t head;

	fill(f);
	head = store_head(f->store);
	copy_alive(f, &db, &wal);
	f->store = store_close(f->store);
	tail = 32 + last_transaction(&wal) * FRAME;
	len = wal.len;
	for (size_t cut = tail; cut < len; cut += (len - tail) / 7 + 1) {
		wal.len = cut;
		put_back(f, &db, &wal);
		fixture_open(f);
		assert_true(store_head(f->store) < head && store_head(f->store) > 0);
		f->store = store_close(f->store);
		/* and one whose last frames hold what was there before */
		wal.len = len;
		put_back(f, &db, &wal);
		{
			CLEAN_BUF struct buf torn = BUF_INIT(0);

			buf_add(&torn, wal.data, len);
			memset(torn.data + cut, 0xa5, len - cut);
			put_back(f, &db, &torn);
		}
		fixture_open(f);
		assert_true(store_head(f->store) < head);
		f->store = store_close(f->store);
	}
}

static void a_header_torn_after_everything_was_checkpointed_loses_nothing(void **state)
{
	struct fixture *f = *state;
	CLEAN_BUF struct buf db = BUF_INIT(0), wal = BUF_INIT(0);
	struct tally t = { 0 };
	uint8_t truth[32];

	fill(f);
	assert_true(dump(f->store->driver->db, truth));
	assert_int_equal(driver_exec(f->store->driver, "PRAGMA wal_checkpoint(FULL)"), 0);
	copy_alive(f, &db, &wal);
	f->store = store_close(f->store);
	memset(wal.data + 12, 0x5a, 9);
	put_back(f, &db, &wal);
	judge(f, truth, &t, "header", 12);
	assert_int_equal(t.right, 1);
}

static void a_first_page_torn_by_a_checkpoint_comes_from_the_wal(void **state)
{
	struct fixture *f = *state;
	CLEAN_BUF struct buf db = BUF_INIT(0), wal = BUF_INIT(0);
	struct tally t = { 0 };
	uint8_t truth[32];
	bool has_first = false;

	fill(f);
	assert_true(dump(f->store->driver->db, truth));
	copy_alive(f, &db, &wal);
	f->store = store_close(f->store);
	for (size_t i = 0; i < (wal.len - 32) / FRAME; i++)
		has_first = has_first || get_u32(wal.data + 32 + i * FRAME) == 1;
	assert_true(has_first && db.len >= PAGE);
	memset(db.data + PAGE / 2, 0x5a, PAGE / 2);
	put_back(f, &db, &wal);
	judge(f, truth, &t, "first page", 0);
	assert_int_equal(t.right, 1);
}

/* ---- stores from before there were digests ---- */

static void run_sql(sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
}

/* CREATE TABLE x ... -> CREATE TABLE old.x ...; rows too. */
static void copy_object(sqlite3 *db, const char *type, const char *name, const char *create)
{
	const char *at = strstr(create, name);
	CLEAN_BUF struct buf sql = BUF_INIT(1 << 20);

	assert_non_null(at);
	buf_add(&sql, create, (size_t)(at - create));
	buf_printf(&sql, "old.%s", at);
	run_sql(db, buf_str(&sql));
	buf_clear(&sql);
	buf_printf(&sql, "INSERT INTO old.%s SELECT * FROM main.%s", name, name);
	if (!strcmp(type, "table"))
		run_sql(db, buf_str(&sql));
}

/* The store as a program without digests would have written it. */
static void make_plain(struct fixture *f)
{
	CLEAN_BUF struct buf sql = BUF_INIT(4096);
	sqlite3_stmt *st = NULL;
	char old[160];
	sqlite3 *db;

	snprintf(old, sizeof old, "%s.old", f->path);
	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	buf_printf(&sql, "ATTACH '%s' AS old; PRAGMA old.application_id = %d; PRAGMA old.user_version = %zu", old, 0x73783670,
		   store_n_migrations);
	run_sql(db, buf_str(&sql));
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT type, name, sql FROM main.sqlite_master WHERE sql IS NOT NULL ORDER BY type = 'index'", -1,
					    &st, NULL),
			 SQLITE_OK);
	while (sqlite3_step(st) == SQLITE_ROW)
		copy_object(db, (const char *)sqlite3_column_text(st, 0), (const char *)sqlite3_column_text(st, 1),
			    (const char *)sqlite3_column_text(st, 2));
	sqlite3_finalize(st);
	run_sql(db, "PRAGMA old.journal_mode = WAL");
	sqlite3_close(db);
	assert_int_equal(rename(old, f->path), 0);
}

static void a_store_without_digests_gets_them_when_it_is_opened(void **state)
{
	struct fixture *f = *state;
	CLEAN_BUF struct buf whole = BUF_INIT(0);
	struct tally t = { 0 };
	struct store_summary s;
	uint8_t truth[32];
	struct why why = { 0 };

	fill(f);
	assert_true(dump(f->store->driver->db, truth));
	f->store = store_close(f->store);
	make_plain(f);
	assert_int_equal(file_read(f->path, 64 << 20, &whole), 0);
	assert_int_equal(whole.data[20], 0);
	if (store_check(f->path, false, &s, &why)) /* old ones can be read */
		fail_msg("%s", why.text);
	judge(f, truth, &t, "old", 0);
	assert_int_equal(t.right, 1);
	buf_clear(&whole);
	assert_int_equal(file_read(f->path, 64 << 20, &whole), 0);
	assert_int_equal(whole.data[20], PAGE_SUM_LEN);
	whole.data[5 * PAGE + 2000] ^= 1;
	fixture_put(f->path, whole.data, whole.len);
	judge(f, truth, &t, "flipped", 0);
	assert_int_equal(t.refused, 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_flipped_bit_in_any_page_is_refused_or_changes_no_answer),
		T(a_page_in_the_place_of_another_is_refused),
		T(a_page_of_zeros_is_refused_or_changes_no_answer),
		T(damage_at_run_time_is_an_error_and_nothing_is_written_any_more),
		T(a_flipped_bit_in_the_wal_is_refused_unless_a_torn_write_would_look_the_same),
		T(a_wal_that_is_cut_off_in_its_last_transaction_is_a_torn_write),
		T(a_header_torn_after_everything_was_checkpointed_loses_nothing),
		T(a_first_page_torn_by_a_checkpoint_comes_from_the_wal),
		T(a_store_without_digests_gets_them_when_it_is_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
