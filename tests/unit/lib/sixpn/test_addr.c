/* Addresses: the two forms, the words, endpoints. */
#include "lib/sixpn/addr.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static void the_words_of_an_address_stand_where_the_design_says(void **state)
{
	struct in6_addr a = addr_instance(0x00180042, 0xa9a80001, 0x7d31f066);
	char text[ADDR_TEXT_LEN];

	(void)state;
	assert_string_equal(addr_text(&a, text), "fdaa:18:42:a9a8:1:7d31:f066:2");
}

static void splitting_gives_back_what_was_put_in(void **state)
{
	struct addr_parts in = { 0x00010000, 0xa0010001, 0x0a, 0x0202 }, out;
	struct in6_addr a = addr_natural(in);

	(void)state;
	assert_int_equal(addr_split(&a, &out), 0);
	assert_true(out.network == in.network && out.host == in.host && out.instance == in.instance && out.low == in.low);
}

static void an_address_outside_fdaa_is_refused(void **state)
{
	struct in6_addr a;
	struct addr_parts parts;

	(void)state;
	inet_pton(AF_INET6, "fdab::3", &a);
	assert_int_equal(addr_split(&a, &parts), E_REFUSED);
}

static void swapping_twice_is_nothing_and_changes_no_checksum(void **state)
{
	struct in6_addr a = addr_instance(0x12345678, 0xa9a80001, 0x7d31f066), m = addr_swap(&a), back = addr_swap(&m);
	uint32_t sum_a = 0, sum_m = 0;
	char text[ADDR_TEXT_LEN];

	(void)state;
	for (int i = 0; i < 16; i += 2) {
		sum_a += (uint32_t)(a.s6_addr[i] << 8 | a.s6_addr[i + 1]);
		sum_m += (uint32_t)(m.s6_addr[i] << 8 | m.s6_addr[i + 1]);
	}
	assert_string_equal(addr_text(&m, text), "fdaa:a9a8:1:1234:5678:7d31:f066:2");
	assert_int_equal(sum_a, sum_m);
	assert_memory_equal(&a, &back, sizeof a);
}

static void services_networks_and_hosts_can_never_meet(void **state)
{
	(void)state;
	assert_false(addr_network_valid(0xffff));
	assert_true(addr_network_valid(0x10000));
	assert_false(addr_network_valid(0xa0000000));
	assert_false(addr_network_valid(0xafffffff));
	assert_true(addr_network_valid(0xb0000000));
	assert_false(addr_host_valid(0x00000001));
	assert_false(addr_host_valid(0xa9a80000)); /* node number 0 */
	assert_true(addr_host_valid(0xa9a80001));
	assert_false(addr_instance_valid(0xffff));
	assert_true(addr_instance_valid(0x10000));
}

static void prefixes_and_resolvers(void **state)
{
	struct in6_addr a;
	char text[ADDR_TEXT_LEN];

	(void)state;
	a = addr_resolver();
	assert_string_equal(addr_text(&a, text), "fdaa::3");
	a = addr_network_resolver(0x00180042);
	assert_string_equal(addr_text(&a, text), "fdaa:18:42::3");
	a = addr_mesh_host_prefix(0xa9a80001);
	assert_string_equal(addr_text(&a, text), "fdaa:a9a8:1::");
	a = addr_network_host_prefix(0x00180042, 0xa9a80001);
	assert_string_equal(addr_text(&a, text), "fdaa:18:42:a9a8:1::");
}

static void endpoints_in_both_families(void **state)
{
	static const struct {
		const char *in, *out; /* out NULL = refused */
	} rows[] = {
		{ "192.0.2.1:51821", "192.0.2.1:51821" },
		{ "[2001:db8::1]:51821", "[2001:db8::1]:51821" },
		{ "[2001:DB8:0:0::1]:1", "[2001:db8::1]:1" },
		{ "192.0.2.1", NULL },
		{ "192.0.2.1:", NULL },
		{ "192.0.2.1:0", NULL },
		{ "192.0.2.1:65536", NULL },
		{ "192.0.2.1:+1", NULL },
		{ "2001:db8::1:51821", NULL },
		{ "[2001:db8::1:51821", NULL },
		{ "[]:1", NULL },
		{ "host:1", NULL },
		{ ":1", NULL },
		{ "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct addr_endpoint e;
		struct why why = { 0 };
		char text[ADDR_ENDPOINT_TEXT_LEN];
		int r = addr_endpoint_parse(rows[i].in, &e, &why);

		assert_int_equal(r, rows[i].out ? 0 : E_REFUSED);
		if (rows[i].out)
			assert_string_equal(addr_endpoint_text(&e, text), rows[i].out);
		else
			assert_non_null(strstr(why.text, "ADDRESS:PORT"));
	}
}

static void a_sender_is_one_whichever_of_its_addresses_it_takes(void **state)
{
	static const struct {
		const char *address, *sender;
	} rows[] = {
		{ "fdaa:1:2:a111:1:7:7777:2", "fdaa:1:2:a111:1:7:7777:0" }, /* an instance: /112 */
		{ "fdaa:1:2:a111:1:7:7777:ffff", "fdaa:1:2:a111:1:7:7777:0" },
		{ "fdaa:1:2:a111:1:7:7778:2", "fdaa:1:2:a111:1:7:7778:0" },
		{ "fdaa:1:2:a111:1:0:a:102", "fdaa:1:2:a111:1:0:a:100" }, /* a peer: /120 */
		{ "fdaa:1:2:a111:1:0:a:1ff", "fdaa:1:2:a111:1:0:a:100" },
		{ "fdaa:1:2:a111:1:0:a:202", "fdaa:1:2:a111:1:0:a:200" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct in6_addr a, wanted;

		assert_int_equal(inet_pton(AF_INET6, rows[i].address, &a), 1);
		assert_int_equal(inet_pton(AF_INET6, rows[i].sender, &wanted), 1);
		a = addr_sender(&a);
		assert_memory_equal(&a, &wanted, sizeof a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_words_of_an_address_stand_where_the_design_says),
		cmocka_unit_test(splitting_gives_back_what_was_put_in),
		cmocka_unit_test(an_address_outside_fdaa_is_refused),
		cmocka_unit_test(swapping_twice_is_nothing_and_changes_no_checksum),
		cmocka_unit_test(a_sender_is_one_whichever_of_its_addresses_it_takes),
		cmocka_unit_test(services_networks_and_hosts_can_never_meet),
		cmocka_unit_test(prefixes_and_resolvers),
		cmocka_unit_test(endpoints_in_both_families),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
