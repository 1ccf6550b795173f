/* Opening: identity, epochs, schema versions, damage, the ballast. */
#include "tests/unit/controller/store/store_fixture.h"

#include "controller/store/store_migration.h"

#include "lib/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>

static int try_open(struct fixture *f, struct store **ret_store, struct why *why)
{
	struct store_options options = { .path = f->path, .clock = clock_virtual(&f->time), .ballast_bytes = 65536 };

	*why = (struct why){ 0 };
	return store_open(&options, ret_store, why);
}

static void the_file_is_for_its_owner_alone(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	char path[160];

	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	make_region(f, "ord");
	snprintf(path, sizeof path, "%s-wal", f->path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void the_epoch_rises_at_every_start_and_the_log_id_stays(void **state)
{
	struct fixture *f = *state;
	struct store_identity first, second, third;

	store_get_identity(f->store, &first);
	assert_true(first.epoch >= T0);
	f->store = store_close(f->store);
	store_get_identity(fixture_open(f), &second);
	assert_int_equal(second.epoch, first.epoch + 1); /* the clock did not move */
	assert_memory_equal(first.log_id, second.log_id, STORE_LOG_ID_LEN);
	assert_memory_equal(first.secret, second.secret, STORE_SECRET_LEN);
	f->store = store_close(f->store);
	f->time.now_ms += 5000;
	store_get_identity(fixture_open(f), &third);
	assert_int_equal(third.epoch, T0 + 5000);
	f->store = store_close(f->store);
	f->time.real_offset_ms -= 100000; /* a clock set back never lowers it */
	store_get_identity(fixture_open(f), &second);
	assert_int_equal(second.epoch, third.epoch + 1);
}

static void a_second_controller_is_refused(void **state)
{
	struct fixture *f = *state;
	struct store *other;
	struct why why;

	assert_int_equal(try_open(f, &other, &why), E_REFUSED);
	assert_string_equal(why.code, "store_in_use");
}

static void a_newer_schema_is_refused_with_a_reason_and_left_alone(void **state)
{
	struct fixture *f = *state;
	struct store *store;
	struct why why;
	int version = 0;

	assert_int_equal(driver_set_version(f->store->driver, 99), 0);
	f->store = store_close(f->store);
	assert_int_equal(try_open(f, &store, &why), E_REFUSED);
	assert_string_equal(why.code, "store_newer");
	assert_non_null(strstr(why.text, "99"));
	{
		struct driver *driver;

		assert_int_equal(driver_open(f->path, &driver, &why), 0);
		assert_int_equal(driver_get_version(driver, &version), 0);
		driver_close(driver);
	}
	assert_int_equal(version, 99);
}

/* Version 0.1 as it was first written: what is in it stays, and what came later can be done with it. */
static void a_store_of_the_first_schema_is_brought_up_with_all_that_is_in_it(void **state)
{
	static const char *const rows[] = {
		"INSERT INTO meta VALUES (1, 0, X'01010101010101010101010101010101', 1, "
		"X'0101010101010101010101010101010101010101010101010101010101010101', 1)",
		"INSERT INTO locator_given VALUES (40960, 1)",
		"INSERT INTO host_given VALUES (2684354561, 1)",
		"INSERT INTO region VALUES ('ord', 'Chicago', 0, 0, 40960, 1)",
		"INSERT INTO node (host, name, region, roles, link_key, mesh_key, endpoints, created_ms) VALUES (2684354561, 'ord-1', 'ord', 3, "
		"X'0101010101010101010101010101010101010101010101010101010101010101', "
		"X'0202020202020202020202020202020202020202020202020202020202020202', X'', 1)",
	};
	struct fixture *f = *state;
	struct principal gateway = principal_node(2684354561, "ord-1");
	uint8_t key[32] = { 9 };
	struct driver *driver;
	struct store_peer peer;
	struct why why;
	int version = 0;

	f->store = store_close(f->store);
	for (const char *suffix = "-wal"; suffix; suffix = !strcmp(suffix, "-wal") ? "-shm" : !strcmp(suffix, "-shm") ? "" : NULL) {
		char path[160];

		snprintf(path, sizeof path, "%s%s", f->path, suffix);
		unlink(path);
	}
	assert_int_equal(driver_open(f->path, &driver, &why), 0);
	assert_int_equal(driver_migrate(driver, store_migrations[0].sql, &why), 0);
	assert_int_equal(driver_set_version(driver, 1), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(driver_exec(driver, rows[i]), 0);
	driver_close(driver);

	fixture_open(f);
	assert_int_equal(driver_get_version(f->store->driver, &version), 0);
	assert_int_equal(version, store_n_migrations);
	assert_good(f, DO(f, &gateway, store_node_set_gateway(store, op, 2684354561, "gw.example.net", 51820, key)));
	make_org(f, "acme");
	peer = make_peer(f, "acme", "laptop", 1, (uint32_t[]){ 2684354561 }, 1);
	assert_string_equal(peer.gateway_name, "ord-1");
}

static void a_file_of_somebody_else_is_refused(void **state)
{
	struct fixture *f = *state;
	struct store *store;
	struct why why;
	FILE *file;
	char wal[160];

	f->store = store_close(f->store);
	snprintf(wal, sizeof wal, "%s-wal", f->path);
	unlink(wal);
	file = fopen(f->path, "w");
	for (int i = 0; i < 1000; i++)
		fputs("this is my diary\n", file);
	fclose(file);
	assert_int_equal(try_open(f, &store, &why), E_REFUSED);
	assert_string_equal(why.code, "store_foreign");
}

/* Writes 0xff over the middle of one page. */
static void damage(const char *path, off_t page)
{
	uint8_t bytes[2048];
	int fd = open(path, O_WRONLY);

	memset(bytes, 0xff, sizeof bytes);
	assert_int_equal(pwrite(fd, bytes, sizeof bytes, page * 4096), sizeof bytes);
	close(fd);
}

static void a_damaged_page_is_refused_whichever_it_is(void **state)
{
	struct fixture *f = *state;
	CLEAN_BUF struct buf whole = BUF_INIT(0);
	unsigned refused = 0, pages;
	char wal[160];

	make_region(f, "ord");
	make_org(f, "acme");
	f->store = store_close(f->store); /* the WAL is folded in */
	snprintf(wal, sizeof wal, "%s-wal", f->path);
	assert_int_equal(file_read(f->path, 1 << 24, &whole), 0);
	pages = (unsigned)(whole.len / 4096);
	assert_true(pages > 10);
	for (unsigned i = 1; i < pages; i++) {
		struct store *store = NULL;
		struct why why;

		unlink(wal);
		assert_int_equal(file_replace(f->path, whole.data, whole.len, 0600), 0);
		damage(f->path, i);
		if (try_open(f, &store, &why) == E_REFUSED) {
			assert_string_equal(why.code, "store_corrupt");
			refused++;
		}
		store_close(store);
	}
	assert_true(refused >= pages - 2); /* a page that is free or all padding may pass */
}

static void a_log_that_does_not_end_at_the_counter_is_refused(void **state)
{
	struct fixture *f = *state;
	struct store *store;
	struct why why;

	make_region(f, "ord");
	assert_int_equal(driver_exec(f->store->driver, "UPDATE meta SET v = v + 1"), 0);
	f->store = store_close(f->store);
	assert_int_equal(try_open(f, &store, &why), E_REFUSED);
	assert_string_equal(why.code, "store_corrupt");
}

static void a_head_proof_holds_for_its_v_its_epoch_and_its_log_alone(void **state)
{
	struct fixture *f = *state;
	struct store_identity identity, other;
	uint8_t proof[32];

	store_get_identity(f->store, &identity);
	store_head_proof(&identity, 7, proof);
	assert_true(store_head_proof_valid(&identity, identity.log_id, identity.epoch, 7, proof, sizeof proof));
	assert_false(store_head_proof_valid(&identity, identity.log_id, identity.epoch, 8, proof, sizeof proof));
	assert_false(store_head_proof_valid(&identity, identity.log_id, identity.epoch, 7, proof, 31));
	assert_false(store_head_proof_valid(&identity, identity.log_id, identity.epoch - 1, 7, proof, sizeof proof));
	other = identity;
	other.log_id[0] ^= 1;
	assert_false(store_head_proof_valid(&other, other.log_id, identity.epoch, 7, proof, sizeof proof));
	other = identity;
	other.secret[0] ^= 1;
	assert_false(store_head_proof_valid(&other, other.log_id, identity.epoch, 7, proof, sizeof proof));
}

static void a_reseed_gives_a_new_log_and_a_greater_epoch_for_ever(void **state)
{
	struct fixture *f = *state;
	struct store_identity before, after, later;

	store_get_identity(f->store, &before);
	log_set_level(LOG_L_ERR);
	assert_int_equal(store_reseed(f->store, before.epoch + 1000, &after), 0);
	assert_int_equal(after.epoch, before.epoch + 1000);
	assert_memory_not_equal(before.log_id, after.log_id, STORE_LOG_ID_LEN);
	make_region(f, "ord"); /* writes go on under the new epoch */
	f->store = store_close(f->store);
	store_get_identity(fixture_open(f), &later);
	assert_memory_equal(later.log_id, after.log_id, STORE_LOG_ID_LEN);
	assert_true(later.epoch > after.epoch);
}

static void what_was_written_is_there_after_a_restart(void **state)
{
	struct fixture *f = *state;
	struct store_region region;
	uint64_t head;
	struct why why;

	make_region(f, "ord");
	head = store_head(f->store);
	f->store = store_close(f->store);
	fixture_open(f);
	assert_int_equal(store_head(f->store), head);
	assert_int_equal(store_region_find(f->store, &f->root, "ord", &region, &why), 0);
	assert_string_equal(region.city, "Chicago");
}

static void the_ballast_is_there_from_the_start(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	char path[160];

	snprintf(path, sizeof path, "%s-ballast", f->path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 65536);
	assert_int_equal(st.st_mode & 0777, 0600);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_file_is_for_its_owner_alone),
		T(the_epoch_rises_at_every_start_and_the_log_id_stays),
		T(a_second_controller_is_refused),
		T(a_newer_schema_is_refused_with_a_reason_and_left_alone),
		T(a_store_of_the_first_schema_is_brought_up_with_all_that_is_in_it),
		T(a_file_of_somebody_else_is_refused),
		T(a_damaged_page_is_refused_whichever_it_is),
		T(a_log_that_does_not_end_at_the_counter_is_refused),
		T(a_head_proof_holds_for_its_v_its_epoch_and_its_log_alone),
		T(a_reseed_gives_a_new_log_and_a_greater_epoch_for_ever),
		T(what_was_written_is_there_after_a_restart),
		T(the_ballast_is_there_from_the_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
