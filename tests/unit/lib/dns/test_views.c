/* The hash of networks, alone and under readers. */
#include "tests/unit/lib/dns/fixture.h"

#include <pthread.h>
#include <stdatomic.h>

static struct dns_zone *zone_for(uint32_t network, uint64_t v)
{
	struct dns_zone_input in = { .network = network, .v = v };
	struct dns_zone *z;

	assert_int_equal(dns_zone_build(&in, &fixture_here, &z), 0);
	return z;
}

static void a_network_sees_its_own_zone_and_no_other(void **state)
{
	struct dns_views *v;

	(void)state;
	assert_int_equal(dns_views_new(&v), 0);
	assert_null(dns_views_find(v, NET));
	assert_false(dns_views_remove(v, NET));
	assert_int_equal(dns_views_replace(v, zone_for(NET, 1)), 0);
	assert_int_equal(dns_views_replace(v, zone_for(OTHER_NET, 2)), 0);
	assert_int_equal(dns_views_replace(v, zone_for(NET, 3)), 0);
	assert_int_equal(dns_views_count(v), 2);
	assert_int_equal(dns_zone_v(dns_views_find(v, NET)), 3);
	assert_int_equal(dns_zone_v(dns_views_find(v, OTHER_NET)), 2);
	assert_null(dns_views_find(v, NET + 1));
	assert_true(dns_views_remove(v, NET));
	assert_null(dns_views_find(v, NET));
	assert_int_equal(dns_views_count(v), 1);
	assert_false(dns_views_synced(v));
	dns_views_set_synced(v, true);
	assert_true(dns_views_synced(v));
	dns_views_free(v);
}

static void many_networks_come_and_go(void **state)
{
	enum { N = 3000 };
	struct dns_views *v;

	(void)state;
	assert_int_equal(dns_views_new(&v), 0);
	for (uint32_t round = 0; round < 3; round++) {
		for (uint32_t i = 1; i <= N; i++)
			assert_int_equal(dns_views_replace(v, zone_for(0x10000 * i + round, i)), 0);
		assert_int_equal(dns_views_count(v), N);
		for (uint32_t i = 1; i <= N; i++)
			assert_int_equal(dns_zone_v(dns_views_find(v, 0x10000 * i + round)), i);
		for (uint32_t i = 1; i <= N; i++)
			assert_true(dns_views_remove(v, 0x10000 * i + round));
		assert_int_equal(dns_views_count(v), 0);
	}
	dns_views_free(v);
}

struct reader {
	struct dns_views *views;
	atomic_bool stop;
	atomic_ulong n_found, n_missing, n_backwards;
	pthread_t thread;
};

static void *read_all_the_time(void *of)
{
	struct reader *r = of;
	uint64_t last = 0;

	dns_views_reader_start();
	while (!atomic_load(&r->stop)) {
		dns_views_online();
		const struct dns_zone *z = dns_views_find(r->views, NET);

		if (z) {
			atomic_fetch_add(&r->n_found, 1);
			if (dns_zone_v(z) < last)
				atomic_fetch_add(&r->n_backwards, 1);
			last = dns_zone_v(z);
		} else {
			atomic_fetch_add(&r->n_missing, 1);
		}
		dns_views_offline();
	}
	dns_views_reader_stop();
	return NULL;
}

static void a_reader_always_finds_a_whole_zone_while_tables_grow(void **state)
{
	struct reader r = { 0 };

	(void)state;
	assert_int_equal(dns_views_new(&r.views), 0);
	assert_int_equal(dns_views_replace(r.views, zone_for(NET, 1)), 0);
	assert_int_equal(pthread_create(&r.thread, NULL, read_all_the_time, &r), 0);
	while (!atomic_load(&r.n_found))
		sched_yield();
	for (uint32_t i = 2; i < 5000; i++) {
		assert_int_equal(dns_views_replace(r.views, zone_for(NET, i)), 0);
		assert_int_equal(dns_views_replace(r.views, zone_for(0x10000 * i, i)), 0);
		if (i > 50)
			assert_true(dns_views_remove(r.views, 0x10000 * (i - 40)));
	}
	atomic_store(&r.stop, true);
	pthread_join(r.thread, NULL);
	assert_int_equal(r.n_missing, 0);
	assert_int_equal(r.n_backwards, 0);
	dns_views_free(r.views);
}

struct outsider {
	struct dns_views *views;
	uint32_t network;
	atomic_bool stop, seen_anything;
	atomic_ulong n_looks;
	pthread_t thread;
};

static void *look_for_what_is_not_there(void *of)
{
	struct outsider *o = of;

	dns_views_reader_start();
	dns_views_online();
	while (!atomic_load_explicit(&o->stop, memory_order_relaxed)) {
		for (unsigned i = 0; i < 1000; i++)
			if (dns_views_find(o->views, o->network))
				atomic_store(&o->seen_anything, true);
		atomic_fetch_add(&o->n_looks, 1000);
		dns_views_offline();
		dns_views_online();
	}
	dns_views_offline();
	dns_views_reader_stop();
	return NULL;
}

/* Networks come in all the time, many of them at the very place where the look for another one ends. */
static void who_has_no_zone_never_sees_that_of_a_network_just_coming_in(void **state)
{
	struct outsider o = { .network = 0x55555555u };

	(void)state;
	assert_int_equal(dns_views_new(&o.views), 0);
	assert_int_equal(pthread_create(&o.thread, NULL, look_for_what_is_not_there, &o), 0);
	while (!atomic_load(&o.n_looks))
		sched_yield();
	for (uint32_t i = 0; i < 250000; i++) {
		uint32_t network = 0x10000u + i * 7919u;

		if (network == o.network)
			continue;
		assert_int_equal(dns_views_replace(o.views, zone_for(network, i)), 0);
		assert_true(dns_views_remove(o.views, network));
	}
	atomic_store(&o.stop, true);
	pthread_join(o.thread, NULL);
	assert_false(atomic_load(&o.seen_anything));
	dns_views_free(o.views);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_network_sees_its_own_zone_and_no_other),
		cmocka_unit_test(many_networks_come_and_go),
		cmocka_unit_test(a_reader_always_finds_a_whole_zone_while_tables_grow),
		cmocka_unit_test(who_has_no_zone_never_sees_that_of_a_network_just_coming_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
