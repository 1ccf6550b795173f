/* The ring between a worker and the slow thread. */
#include "tests/unit/lib/dns/fixture.h"

#include "lib/dns/ring.h"

static struct dns_ring ring;

static int start(void **state)
{
	(void)state;
	memset(&ring, 0, sizeof ring);
	return 0;
}

static bool put(uint32_t network, uint8_t what)
{
	struct sockaddr_in6 from = { .sin6_addr = addr_instance(network, HERE, 0x10000 + what) };

	return dns_ring_put(&ring, &from, what, &what, 1);
}

static void what_goes_in_comes_out_in_order(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 1000; round++) {
		for (uint8_t i = 0; i < 50; i++)
			assert_true(put(NET + i % 7, i));
		for (uint8_t i = 0; i < 50; i++) {
			const struct dns_ring_item *item = dns_ring_first(&ring);

			assert_non_null(item);
			assert_int_equal(item->query[0], i);
			assert_int_equal(item->mark, i);
			dns_ring_drop(&ring);
		}
		assert_null(dns_ring_first(&ring));
	}
}

static void one_network_has_a_quarter_at_most_and_others_the_rest(void **state)
{
	unsigned n = 0, others = 0;

	(void)state;
	while (n < 1000 && put(NET, 1))
		n++;
	assert_int_equal(n, DNS_RING_NETWORK_MAX);
	for (unsigned k = 1; k < 4; k++)
		for (unsigned i = 0; i < DNS_RING_NETWORK_MAX; i++)
			others += put(OTHER_NET + k, 2);
	assert_int_equal(others, 3 * DNS_RING_NETWORK_MAX);
	assert_false(put(0x77777777, 3)); /* now it is full */
	dns_ring_drop(&ring);
	assert_true(put(NET, 1)); /* one of its own has gone */
	assert_false(put(NET, 1));
}

static void a_query_too_long_is_refused(void **state)
{
	static uint8_t query[DNS_RING_QUERY_MAX + 1];
	struct sockaddr_in6 from = { .sin6_addr = addr_instance(NET, HERE, 0x10000) };

	(void)state;
	assert_false(dns_ring_put(&ring, &from, 0, query, sizeof query));
	assert_true(dns_ring_put(&ring, &from, 0, query, sizeof query - 1));
}

#define T(f) cmocka_unit_test_setup(f, start)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_goes_in_comes_out_in_order),
		T(one_network_has_a_quarter_at_most_and_others_the_rest),
		T(a_query_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
