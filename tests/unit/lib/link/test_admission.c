/* Buckets, the reserved share, and load. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "lib/base/buf.h"
#include "lib/base/crypto.h"
#include "lib/link/admission.h"

struct fixture {
	struct clock_virtual v;
	struct clock clock;
	struct link_admission *a;
};

static int open_fixture(void **state)
{
	static struct fixture f;
	struct link_admission_limits limits = { .source_per_second = 2, .source_burst = 4, .total_per_second = 10, .total_burst = 20,
						.reserved_per_second = 10, .reserved_burst = 20, .load_per_second = 5 };

	f.v = (struct clock_virtual){ .now_ms = 5000, .seed = 3 };
	f.clock = clock_virtual(&f.v);
	*state = &f;
	return link_admission_new(&f.clock, &limits, &f.a);
}

static int close_fixture(void **state)
{
	struct fixture *f = *state;

	f->a = link_admission_free(f->a);
	return 0;
}

static struct link_source address(uint32_t net, uint32_t host)
{
	struct link_source s = { .len = 16, .address = { 0x20, 0x01 } };

	put_u32(s.address + 4, net);
	put_u32(s.address + 12, host);
	return s;
}

static unsigned admitted(struct fixture *f, const struct link_source *source, unsigned tries)
{
	unsigned n = 0;

	while (tries--)
		n += link_admission_take(f->a, source) == LINK_ADMIT;
	return n;
}

static void one_source_has_its_burst_and_then_its_rate(void **state)
{
	struct fixture *f = *state;
	struct link_source a = address(1, 1), b = address(2, 1);

	assert_int_equal(admitted(f, &a, 10), 4);
	assert_int_equal(link_admission_take(f->a, &a), LINK_REFUSE_SOURCE);
	assert_int_equal(admitted(f, &b, 10), 4);
	f->v.now_ms += 1000;
	assert_int_equal(admitted(f, &a, 10), 2);
	f->v.now_ms += 3600000;
	assert_int_equal(admitted(f, &a, 10), 4);
}

static void all_of_one_ipv6_64_are_one_source_but_ipv4_addresses_are_each_one(void **state)
{
	struct fixture *f = *state;
	struct link_source a = address(1, 1), b = address(1, 2);
	struct link_source v4 = { .len = 16, .address = { [10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1 } }, w4 = v4;

	w4.address[15] = 2;
	assert_int_equal(admitted(f, &a, 10), 4);
	assert_int_equal(admitted(f, &b, 10), 0);
	assert_int_equal(admitted(f, &v4, 10), 4);
	assert_int_equal(admitted(f, &w4, 10), 4);
}

static void strangers_cannot_use_up_the_share_of_those_who_held_a_session(void **state)
{
	struct fixture *f = *state;
	struct link_source known = address(7, 7), stranger;

	link_admission_held(f->a, &known);
	for (uint32_t i = 100; i < 10000; i++) {
		stranger = address(i, 1);
		link_admission_take(f->a, &stranger);
	}
	stranger = address(50000, 1);
	assert_int_equal(link_admission_take(f->a, &stranger), LINK_REFUSE_TOTAL);
	assert_int_equal(link_admission_take(f->a, &known), LINK_ADMIT);
}

static void an_address_is_known_for_an_hour_after_it_held_a_session(void **state)
{
	struct fixture *f = *state;
	struct link_source known = address(7, 7), neighbour = address(7, 8), none = { .len = 0 };

	assert_false(link_admission_is_known(f->a, &known));
	link_admission_held(f->a, &known);
	link_admission_held(f->a, &none);
	f->v.now_ms += 3599999;
	assert_true(link_admission_is_known(f->a, &known));
	assert_false(link_admission_is_known(f->a, &neighbour));
	assert_false(link_admission_is_known(f->a, &none));
	f->v.now_ms += 1;
	assert_false(link_admission_is_known(f->a, &known));
}

static void load_is_this_second_or_the_one_before(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 5; i++)
		assert_false(link_admission_loaded(f->a));
	assert_true(link_admission_loaded(f->a));
	f->v.now_ms += 1000;
	assert_true(link_admission_loaded(f->a));
	f->v.now_ms += 1000;
	assert_false(link_admission_loaded(f->a));
	f->v.now_ms += 5000;
	assert_false(link_admission_loaded(f->a));
}

static void a_refusal_takes_nothing(void **state)
{
	struct fixture *f = *state;
	struct link_source a = address(1, 1), b = address(2, 1);

	for (uint32_t i = 0; i < 20; i++) {
		struct link_source s = address(100 + i, 1);

		assert_int_equal(link_admission_take(f->a, &s), LINK_ADMIT);
	}
	for (int i = 0; i < 20; i++)
		assert_int_equal(link_admission_take(f->a, &a), LINK_REFUSE_TOTAL);
	f->v.now_ms += 100;
	assert_int_equal(link_admission_take(f->a, &b), LINK_ADMIT);
	f->v.now_ms += 500;
	assert_int_equal(admitted(f, &a, 10), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_source_has_its_burst_and_then_its_rate, open_fixture, close_fixture),
		cmocka_unit_test_setup_teardown(all_of_one_ipv6_64_are_one_source_but_ipv4_addresses_are_each_one, open_fixture, close_fixture),
		cmocka_unit_test_setup_teardown(strangers_cannot_use_up_the_share_of_those_who_held_a_session, open_fixture, close_fixture),
		cmocka_unit_test_setup_teardown(an_address_is_known_for_an_hour_after_it_held_a_session, open_fixture, close_fixture),
		cmocka_unit_test_setup_teardown(load_is_this_second_or_the_one_before, open_fixture, close_fixture),
		cmocka_unit_test_setup_teardown(a_refusal_takes_nothing, open_fixture, close_fixture),
	};

	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
