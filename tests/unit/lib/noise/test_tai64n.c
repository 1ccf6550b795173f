/* TAI64N: known stamps, and an order that only rises. */
#include "noise_test.h"

#include "lib/noise/tai64n.h"

static void stamps_are_the_known_ones(void **state)
{
	static const struct {
		uint64_t seconds;
		uint32_t nanoseconds;
		const char *stamp;
	} rows[] = {
		{ 0, 0, "400000000000000a00000000" },
		{ 1, 999999999, "400000000000000b3b9ac9ff" },
		{ 1700000000, 0x12000000, "400000006553f10a12000000" },
	};
	uint8_t stamp[TAI64N_LEN];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		tai64n_from_unix(rows[i].seconds, rows[i].nanoseconds, stamp);
		assert_hex(stamp, sizeof stamp, rows[i].stamp);
		tai64n_from_ns(rows[i].seconds * 1000000000 + rows[i].nanoseconds, stamp);
		assert_hex(stamp, sizeof stamp, rows[i].stamp);
	}
}

static void milliseconds_become_nanoseconds(void **state)
{
	uint8_t ms[TAI64N_LEN], ns[TAI64N_LEN];

	(void)state;
	tai64n_from_ms(1700000000123, ms);
	tai64n_from_unix(1700000000, 123000000, ns);
	assert_memory_equal(ms, ns, sizeof ms);
}

static void order_of_stamps_is_order_in_time(void **state)
{
	static const uint64_t rising[] = { 0, 1, 999, 1000, 1001, 255999, 256000, 1700000000000, 1ull << 60 };
	uint8_t a[TAI64N_LEN], b[TAI64N_LEN];

	(void)state;
	for (size_t i = 1; i < ARRAY_LEN(rising); i++) {
		tai64n_from_ms(rising[i - 1], a);
		tai64n_from_ms(rising[i], b);
		assert_true(tai64n_compare(a, b) < 0);
		assert_true(tai64n_compare(b, a) > 0);
		assert_int_equal(tai64n_compare(a, a), 0);
	}
}

static void next_is_the_clock_when_the_clock_went_on(void **state)
{
	uint8_t last[TAI64N_LEN] = { 0 }, now[TAI64N_LEN];

	(void)state;
	tai64n_from_ms(5000, now);
	tai64n_next(last, 5000, last);
	assert_memory_equal(last, now, sizeof now);
}

static void next_rises_when_the_clock_stands_or_goes_back(void **state)
{
	static const uint64_t clock_ms[] = { 5000, 5000, 4000, 0, 5000 };
	uint8_t last[TAI64N_LEN] = { 0 }, next[TAI64N_LEN];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(clock_ms); i++) {
		tai64n_next(last, clock_ms[i], next);
		assert_true(tai64n_compare(next, last) > 0);
		memcpy(last, next, sizeof last);
	}
}

static void next_carries_into_the_second(void **state)
{
	uint8_t last[TAI64N_LEN];

	(void)state;
	tai64n_from_unix(7, 999999999, last);
	tai64n_next(last, 0, last);
	assert_hex(last, sizeof last, "400000000000001200000000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stamps_are_the_known_ones),
		cmocka_unit_test(milliseconds_become_nanoseconds),
		cmocka_unit_test(order_of_stamps_is_order_in_time),
		cmocka_unit_test(next_is_the_clock_when_the_clock_went_on),
		cmocka_unit_test(next_rises_when_the_clock_stands_or_goes_back),
		cmocka_unit_test(next_carries_into_the_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
