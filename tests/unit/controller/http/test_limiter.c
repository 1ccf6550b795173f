/* Token buckets on a virtual clock, and who counts as one source. */
#include "controller/http/connections.h"
#include "controller/http/limiter.h"

#include "lib/base/crypto.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static const uint8_t *key(unsigned n)
{
	static uint8_t bytes[LIMITER_KEY_LEN];

	memset(bytes, 0, sizeof bytes);
	memcpy(bytes, &n, sizeof n);
	return bytes;
}

static void a_burst_and_then_the_rate(void **state)
{
	struct clock_virtual time = { .now_ms = 1000 };
	struct clock clock = clock_virtual(&time);
	struct limiter *l;

	(void)state;
	assert_int_equal(limiter_new(&clock, 2, 5, &l), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(limiter_take(l, key(1)), 0);
	assert_int_equal(limiter_take(l, key(1)), 1);
	assert_int_equal(limiter_take(l, key(2)), 0); /* another is not concerned */
	time.now_ms += 499;
	assert_int_equal(limiter_take(l, key(1)), 1);
	time.now_ms += 1;
	assert_int_equal(limiter_take(l, key(1)), 0);
	assert_int_equal(limiter_take(l, key(1)), 1);
	time.now_ms += 3600000; /* full again, and no fuller */
	for (int i = 0; i < 5; i++)
		assert_int_equal(limiter_take(l, key(1)), 0);
	assert_int_equal(limiter_take(l, key(1)), 1);
	assert_int_equal(limiter_refusals(l), 4);
	limiter_free(l);
}

static void each_at_its_own_rate_which_may_change(void **state)
{
	struct clock_virtual time = { .now_ms = 1000 };
	struct clock clock = clock_virtual(&time);
	struct limiter *l;

	(void)state;
	assert_int_equal(limiter_new(&clock, 1, 1, &l), 0);
	for (int i = 0; i < 50; i++)
		assert_int_equal(limiter_take_at(l, key(1), 50), 0);
	assert_int_equal(limiter_take_at(l, key(1), 50), 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(limiter_take_at(l, key(2), 3), 0);
	assert_int_equal(limiter_take_at(l, key(2), 3), 1);
	time.now_ms += 100;
	for (int i = 0; i < 5; i++)
		assert_int_equal(limiter_take_at(l, key(1), 50), 0);
	assert_int_equal(limiter_take_at(l, key(1), 50), 1);
	assert_int_equal(limiter_take_at(l, key(1), 2), 1); /* slower: what it took when it was faster does not hold it up for long */
	time.now_ms += 500;
	assert_int_equal(limiter_take_at(l, key(1), 2), 0);
	assert_int_equal(limiter_take_at(l, key(3), 0), 0);
	limiter_free(l);
}

static void looking_takes_nothing(void **state)
{
	struct clock_virtual time = { .now_ms = 1000 };
	struct clock clock = clock_virtual(&time);
	struct limiter *l;

	(void)state;
	assert_int_equal(limiter_new(&clock, 1, 2, &l), 0);
	for (int i = 0; i < 10; i++)
		assert_true(limiter_has(l, key(1)));
	assert_int_equal(limiter_take(l, key(1)), 0);
	assert_true(limiter_has(l, key(1)));
	assert_int_equal(limiter_take(l, key(1)), 0);
	assert_false(limiter_has(l, key(1)));
	assert_true(limiter_has(l, key(2)));
	time.now_ms += 1000;
	assert_true(limiter_has(l, key(1)));
	limiter_free(l);
}

static void without_a_rate_there_is_no_limit(void **state)
{
	struct clock clock = clock_real();
	struct limiter *l;

	(void)state;
	assert_int_equal(limiter_new(&clock, 0, 0, &l), 0);
	for (int i = 0; i < 10000; i++)
		assert_int_equal(limiter_take(l, key(1)), 0);
	limiter_free(l);
}

static void a_crowd_of_new_ones_does_not_refill_the_bucket_of_who_asks_too_much(void **state)
{
	struct clock_virtual time = { .now_ms = 1000 };
	struct clock clock = clock_virtual(&time);
	struct limiter *l;
	int granted = 0;

	(void)state;
	assert_int_equal(limiter_new(&clock, 1, 20, &l), 0);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(limiter_take(l, key(0)), 0);
	for (unsigned i = 1; i <= 100000; i++) { /* ten times as many as there are buckets */
		(void)limiter_take(l, key(i));
		granted += limiter_take(l, key(0)) == 0;
	}
	assert_int_equal(granted, 0);
	limiter_free(l);
}

static void an_ipv6_network_of_64_bits_counts_as_one(void **state)
{
	static const char *const same[] = { "2001:db8:1:2::1", "2001:db8:1:2:ffff::9" };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	uint8_t source[16], groups[2][16], group[16];

	(void)state;
	for (int i = 0; i < 2; i++) {
		inet_pton(AF_INET6, same[i], &v6.sin6_addr);
		assert_true(http_source_of((struct sockaddr *)&v6, source));
		http_source_group(source, groups[i]);
	}
	assert_memory_equal(groups[0], groups[1], 16);
	inet_pton(AF_INET6, "2001:db8:1:3::1", &v6.sin6_addr);
	http_source_of((struct sockaddr *)&v6, source);
	http_source_group(source, group);
	assert_memory_not_equal(groups[0], group, 16);
	for (int i = 0; i < 2; i++) { /* IPv4, also as the kernel shows it at a socket for both */
		inet_pton(AF_INET, i ? "192.0.2.2" : "192.0.2.1", &v4.sin_addr);
		http_source_of((struct sockaddr *)&v4, source);
		http_source_group(source, groups[i]);
	}
	assert_memory_not_equal(groups[0], groups[1], 16);
	inet_pton(AF_INET6, "::ffff:192.0.2.2", &v6.sin6_addr);
	http_source_of((struct sockaddr *)&v6, source);
	http_source_group(source, group);
	assert_memory_equal(groups[1], group, 16);
}

/* A tenth may be in their handshakes: the library spends time on each that stalls. */
static void of_too_many_handshakes_the_oldest_goes(void **state)
{
	static const uint8_t source[16] = { 1 };
	struct http_connections set;
	struct http_connection *c[5];
	struct loop *loop;

	(void)state;
	assert_int_equal(loop_new(&loop), 0);
	http_connections_init(&set, loop, 20, 20);
	for (size_t i = 0; i < 3; i++) {
		c[i] = http_connections_add(&set, -1, source, 1000);
		http_connection_greets(&set, c[i]);
	}
	http_connection_works(&set, c[1], 0); /* it asks something: no handshake any more */
	http_connection_waits(&set, c[1], 1000);
	c[3] = http_connections_add(&set, -1, source, 1000);
	http_connection_greets(&set, c[3]);
	assert_int_equal(set.counts.evicted, 0);
	c[4] = http_connections_add(&set, -1, source, 1000);
	http_connection_greets(&set, c[4]);
	assert_int_equal(set.counts.evicted, 1);
	assert_false(c[0]->waits); /* that one */
	for (size_t i = 1; i < 5; i++)
		assert_true(c[i]->waits);
	for (size_t i = 0; i < 5; i++)
		http_connections_remove(&set, c[i]);
	assert_int_equal(set.n, 0);
	assert_int_equal(set.greeting, 0);
	assert_null(set.oldest);
	assert_null(set.newest);
	http_connections_deinit(&set);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_and_then_the_rate),
		cmocka_unit_test(each_at_its_own_rate_which_may_change),
		cmocka_unit_test(looking_takes_nothing),
		cmocka_unit_test(without_a_rate_there_is_no_limit),
		cmocka_unit_test(a_crowd_of_new_ones_does_not_refill_the_bucket_of_who_asks_too_much),
		cmocka_unit_test(of_too_many_handshakes_the_oldest_goes),
		cmocka_unit_test(an_ipv6_network_of_64_bits_counts_as_one),
	};

	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
