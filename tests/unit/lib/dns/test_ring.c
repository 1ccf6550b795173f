/* The ring between a worker and the slow thread. */
#include "tests/unit/lib/dns/fixture.h"

#include "lib/dns/ring.h"

static struct dns_ring ring;

static int start(void **state)
{
	(void)state;
	dns_ring_init(&ring, 0x9e3779b1); /* the same each time: no chance meetings */
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

static void one_network_has_a_quarter_at_most(void **state)
{
	unsigned n = 0;

	(void)state;
	while (n < 1000 && put(NET, 1))
		n++;
	assert_int_equal(n, DNS_RING_NETWORK_MAX);
	dns_ring_drop(&ring);
	assert_true(put(NET, 1)); /* one of its own has gone */
	assert_false(put(NET, 1));
}

static void however_many_flood_there_is_room_for_another(void **state)
{
	(void)state;
	for (uint32_t n = 1; n <= 20; n++) {
		start(NULL);
		for (unsigned i = 0; i < 500; i++)
			for (uint32_t k = 0; k < n; k++)
				(void)put(0x20000 + k * 77, 1);
		assert_true(put(0x70000, 2));
		assert_true(put(0x70000, 2));
	}
}

/* Who knows how networks are counted could take one that counts with his victim's, and flood it. */
static void who_shares_a_bucket_in_one_ring_does_not_in_others(void **state)
{
	uint32_t found = 0;
	unsigned met = 0;

	(void)state;
	while (put(NET, 1))
		;
	for (uint32_t k = 1; !found; k++)
		if (!put(NET + k * 65537, 1))
			found = NET + k * 65537;
		else if (k % 32 == 0) { /* make room, but not where it is looked for */
			start(NULL);
			while (put(NET, 1))
				;
		}
	for (uint32_t i = 1; i <= 50; i++) {
		dns_ring_init(&ring, i * 2654435769u);
		while (put(NET, 1))
			;
		met += !put(found, 1);
	}
	assert_in_range(met, 0, 2);
}

static void a_full_ring_takes_no_more(void **state)
{
	unsigned n = 0;

	(void)state;
	for (uint32_t k = 0; k < 2000; k++)
		n += put(0x20000 + k, 1);
	assert_int_equal(n, DNS_RING_ITEMS);
	assert_false(put(0x10000, 1));
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
		T(one_network_has_a_quarter_at_most),
		T(however_many_flood_there_is_room_for_another),
		T(who_shares_a_bucket_in_one_ring_does_not_in_others),
		T(a_full_ring_takes_no_more),
		T(a_query_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
