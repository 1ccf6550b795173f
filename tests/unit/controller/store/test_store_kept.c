/* Kept replies in the store: found by their id only, bounded per owner, gone after a day. */
#include "tests/unit/controller/store/store_fixture.h"

#include "controller/store/store_kept.h"

static void put(struct fixture *f, unsigned n, uint8_t owner)
{
	struct store_kept kept = { .status = 201, .reply = (char *)(uintptr_t) "{}", .wait = (char *)(uintptr_t) "{}", .v = 7, .first_v = 6 };
	uint8_t id[32] = { owner }, who[ID_LEN] = { owner };

	memcpy(id + 4, &n, sizeof n);
	assert_int_equal(store_kept_put(f->store, &f->op, id, who, &kept), 0);
}

static bool is_there(struct fixture *f, unsigned n, uint8_t owner)
{
	struct store_kept kept = { .status = 0 };
	uint8_t id[32] = { owner };
	bool found;

	memcpy(id + 4, &n, sizeof n);
	assert_int_equal(store_kept_find(f->store, id, &kept, &found), 0);
	if (found) {
		assert_int_equal(kept.status, 201);
		assert_int_equal(kept.v, 7);
		assert_string_equal(kept.reply, "{}");
	}
	store_kept_deinit(&kept);
	return found;
}

static void an_owner_who_has_too_many_loses_the_oldest_and_others_none(void **state)
{
	struct fixture *f = *state;
	int64_t n;

	fixture_begin(f, &f->root);
	put(f, 0, 2);
	for (unsigned i = 0; i < STORE_KEPT_MAX + 5; i++)
		put(f, i, 1);
	for (unsigned i = 0; i < 5; i++)
		assert_false(is_there(f, i, 1));
	assert_true(is_there(f, 5, 1));
	assert_true(is_there(f, STORE_KEPT_MAX + 4, 1));
	assert_true(is_there(f, 0, 2));
	put(f, 5, 1); /* again: replaced */
	assert_int_equal(sql_get_int(f->store, &n, "SELECT count(*) FROM kept_reply", ""), 0);
	assert_true(n <= STORE_KEPT_MAX + 1);
	fixture_end(f, 0);
}

static void what_has_expired_is_not_found_and_goes_with_the_next_write(void **state)
{
	struct fixture *f = *state;
	int64_t n;

	fixture_begin(f, &f->root);
	for (unsigned i = 0; i < 50; i++)
		put(f, i, 1);
	f->time.now_ms += STORE_KEPT_MS;
	assert_false(is_there(f, 1, 1));
	put(f, 0, 2);
	assert_int_equal(sql_get_int(f->store, &n, "SELECT count(*) FROM kept_reply", ""), 0);
	assert_int_equal(n, 1);
	fixture_end(f, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_owner_who_has_too_many_loses_the_oldest_and_others_none, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(what_has_expired_is_not_found_and_goes_with_the_next_write, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
