/* Who may have how much waiting. */
#include "tests/unit/lib/dns/fixture.h"

#include "lib/dns/shares.h"

static struct dns_shares shares;

static int start(void **state)
{
	(void)state;
	memset(&shares, 0, sizeof shares);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	dns_shares_deinit(&shares);
	return 0;
}

static enum dns_share add(uint32_t network, uint32_t instance)
{
	struct in6_addr source = addr_instance(network, HERE, instance);

	return dns_shares_add_waiter(&shares, &source, network);
}

static void drop(uint32_t network, uint32_t instance)
{
	struct in6_addr source = addr_instance(network, HERE, instance);

	dns_shares_remove_waiter(&shares, &source, network);
}

static void a_source_and_a_network_have_limits_of_their_own(void **state)
{
	(void)state;
	for (unsigned i = 0; i < DNS_SHARE_SOURCE_MAX; i++)
		assert_int_equal(add(NET, 1), DNS_SHARE_OK);
	assert_int_equal(add(NET, 1), DNS_SHARE_OVER_SOURCE);
	for (unsigned i = DNS_SHARE_SOURCE_MAX; i < DNS_SHARE_NETWORK_MAX; i++)
		assert_int_equal(add(NET, 10 + i), DNS_SHARE_OK);
	assert_int_equal(add(NET, 5), DNS_SHARE_OVER_NETWORK);
	assert_int_equal(add(OTHER_NET, 1), DNS_SHARE_OK);
	drop(NET, 1);
	assert_int_equal(add(NET, 1), DNS_SHARE_OK);
}

static void another_address_of_the_same_sender_is_no_other_source(void **state)
{
	struct in6_addr source = addr_instance(NET, HERE, 0x77777);

	(void)state;
	for (unsigned i = 0; i < DNS_SHARE_SOURCE_MAX + 8; i++) {
		put_u16(source.s6_addr + 14, (uint16_t)(i * 999));
		assert_int_equal(dns_shares_add_waiter(&shares, &source, NET), i < DNS_SHARE_SOURCE_MAX ? DNS_SHARE_OK : DNS_SHARE_OVER_SOURCE);
	}
	for (unsigned i = 0; i < DNS_SHARE_SOURCE_MAX; i++) {
		put_u16(source.s6_addr + 14, (uint16_t)i);
		dns_shares_remove_waiter(&shares, &source, NET);
	}
	assert_int_equal(shares.sources.n, 0);
}

static void however_many_networks_flood_there_is_room_for_another(void **state)
{
	(void)state;
	for (uint32_t n = 1; n <= 100; n += 9) {
		start(NULL);
		for (unsigned i = 0; i < 300; i++)
			for (uint32_t k = 0; k < n; k++)
				(void)add(0x20000 + k, i);
		for (unsigned i = 0; i < 10; i++)
			assert_int_equal(add(0x70000, 1), DNS_SHARE_OK);
		assert_true(shares.n_waiters <= DNS_SHARE_WAITERS_MAX);
		dns_shares_deinit(&shares);
	}
}

static void the_network_with_most_questions_gives_way_to_one_with_fewer(void **state)
{
	uint32_t jostle, n = DNS_SHARE_QUESTIONS_MAX / DNS_SHARE_NETWORK_QUESTIONS_MAX;

	(void)state;
	for (uint32_t k = 0; k < n; k++) {
		assert_int_equal(add(0x20000 + k, 1), DNS_SHARE_OK);
		for (unsigned i = 0; i < DNS_SHARE_NETWORK_QUESTIONS_MAX; i++)
			assert_int_equal(dns_shares_add_question(&shares, 0x20000 + k, &jostle), DNS_SHARE_OK);
		assert_int_equal(dns_shares_add_question(&shares, 0x20000 + k, &jostle), DNS_SHARE_OVER_NETWORK);
		assert_int_equal(jostle, 0);
	}
	dns_shares_remove_question(&shares, 0x20001); /* now others have one more than this */
	assert_int_equal(add(0x70000, 1), DNS_SHARE_OK);
	assert_int_equal(dns_shares_add_question(&shares, 0x70000, &jostle), DNS_SHARE_OK);
	assert_int_equal(dns_shares_add_question(&shares, 0x70000, &jostle), DNS_SHARE_OVER_TOTAL);
	assert_true(jostle >= 0x20000 && jostle < 0x20000 + n && jostle != 0x20001);
	assert_int_equal(dns_shares_add_question(&shares, 0x20001, &jostle), DNS_SHARE_OVER_TOTAL);
	assert_int_equal(jostle, 0); /* one that is as busy as the busiest gets nothing from it */
}

static void what_is_not_used_is_forgotten(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		uint32_t jostle;

		assert_int_equal(add(0x20000 + i, i), DNS_SHARE_OK);
		assert_int_equal(dns_shares_add_question(&shares, 0x20000 + i, &jostle), i < DNS_SHARE_QUESTIONS_MAX ? 0 : DNS_SHARE_OVER_TOTAL);
	}
	for (unsigned i = 0; i < 1000; i++) {
		drop(0x20000 + i, i);
		if (i < DNS_SHARE_QUESTIONS_MAX)
			dns_shares_remove_question(&shares, 0x20000 + i);
	}
	assert_int_equal(shares.networks.n, 0);
	assert_int_equal(shares.sources.n, 0);
	assert_int_equal(shares.n_waiters, 0);
	assert_int_equal(shares.n_questions, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_source_and_a_network_have_limits_of_their_own),
		T(another_address_of_the_same_sender_is_no_other_source),
		T(however_many_networks_flood_there_is_room_for_another),
		T(the_network_with_most_questions_gives_way_to_one_with_fewer),
		T(what_is_not_used_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
