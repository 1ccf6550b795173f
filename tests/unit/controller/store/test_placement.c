/* Placement is pure: rows in, one host out. */
#include "controller/store/placement.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct placement_node node(uint32_t host, const char *region, uint32_t roles, uint64_t load)
{
	struct placement_node n = { .host = host, .roles = roles, .load = load, .live = true };

	snprintf(n.region, sizeof n.region, "%s", region);
	if (!strcmp(region, "ord"))
		n.latitude = 41.98, n.longitude = -87.90;
	else if (!strcmp(region, "nrt"))
		n.latitude = 35.76, n.longitude = 140.39;
	else
		n.latitude = 39.04, n.longitude = -77.49; /* dev */
	return n;
}

static void the_least_loaded_host_of_the_region_is_taken(void **state)
{
	struct placement_node nodes[] = { node(1, "ord", ROLE_HOST, 4), node(2, "ord", ROLE_HOST, 1), node(3, "nrt", ROLE_HOST, 0) };
	uint32_t host;

	(void)state;
	assert_int_equal(placement_instance(nodes, 3, "ord", "x", 1, &host, NULL), 0);
	assert_int_equal(host, 2);
}

static void hosts_that_are_silent_or_drain_or_are_no_hosts_are_passed_over(void **state)
{
	struct placement_node nodes[] = { node(1, "ord", ROLE_HOST, 0), node(2, "ord", ROLE_HOST, 0), node(3, "ord", ROLE_GATEWAY, 0),
					  node(4, "ord", ROLE_HOST, 9) };
	uint32_t host;

	(void)state;
	nodes[0].live = false;
	nodes[1].draining = true;
	assert_int_equal(placement_instance(nodes, 4, "ord", "x", 1, &host, NULL), 0);
	assert_int_equal(host, 4);
}

static void a_region_without_a_host_is_refused_naming_those_that_have_one(void **state)
{
	struct placement_node nodes[] = { node(1, "nrt", ROLE_HOST, 0), node(2, "dev", ROLE_HOST, 0), node(3, "dev", ROLE_HOST, 0) };
	uint32_t host = 7;
	struct why why;

	(void)state;
	assert_int_equal(placement_instance(nodes, 3, "ord", "x", 1, &host, &why), E_REFUSED);
	assert_string_equal(why.code, "no_host_in_region");
	assert_non_null(strstr(why.text, ": dev, nrt"));
	assert_int_equal(host, 7);
	assert_int_equal(placement_instance(nodes, 0, "ord", "x", 1, &host, &why), E_REFUSED);
	assert_string_equal(why.code, "no_host");
}

static void equal_load_spreads_over_the_hosts(void **state)
{
	struct placement_node nodes[] = { node(1, "ord", ROLE_HOST, 0), node(2, "ord", ROLE_HOST, 0), node(3, "ord", ROLE_HOST, 0) };
	unsigned got[4] = { 0 };

	(void)state;
	for (uint32_t id = 0; id < 300; id++) {
		uint32_t host;

		assert_int_equal(placement_instance(nodes, 3, "ord", &id, sizeof id, &host, NULL), 0);
		got[host]++;
	}
	for (int i = 1; i <= 3; i++)
		assert_in_range(got[i], 60, 140);
}

static void the_order_of_candidates_does_not_matter(void **state)
{
	struct placement_node a[] = { node(1, "ord", 3, 0), node(2, "ord", 3, 0), node(3, "nrt", 3, 0), node(4, "dev", 3, 0) };
	struct placement_node b[] = { a[3], a[1], a[2], a[0] };

	(void)state;
	for (uint32_t id = 0; id < 50; id++) {
		uint32_t x, y;

		assert_int_equal(placement_instance(a, 4, "ord", &id, sizeof id, &x, NULL), 0);
		assert_int_equal(placement_instance(b, 4, "ord", &id, sizeof id, &y, NULL), 0);
		assert_int_equal(x, y);
		assert_int_equal(placement_peer(a, 4, "xxx", 36, 139, false, &id, sizeof id, &x, NULL), 0);
		assert_int_equal(placement_peer(b, 4, "xxx", 36, 139, false, &id, sizeof id, &y, NULL), 0);
		assert_int_equal(x, y);
	}
}

static void a_peer_keeps_its_gateway_when_another_one_leaves(void **state)
{
	struct placement_node nodes[] = { node(1, "ord", ROLE_GATEWAY, 0), node(2, "ord", ROLE_GATEWAY, 0), node(3, "ord", ROLE_GATEWAY, 0) };

	(void)state;
	for (uint32_t id = 0; id < 100; id++) {
		uint32_t before, after;

		assert_int_equal(placement_peer(nodes, 3, "ord", 0, 0, false, &id, sizeof id, &before, NULL), 0);
		assert_int_equal(placement_peer(nodes, 2, "ord", 0, 0, false, &id, sizeof id, &after, NULL), 0);
		if (before != 3)
			assert_int_equal(before, after);
	}
}

static void a_region_without_a_gateway_falls_back_to_the_nearest_that_has_one(void **state)
{
	struct placement_node nodes[] = { node(1, "ord", ROLE_GATEWAY, 0), node(2, "nrt", ROLE_GATEWAY, 0), node(3, "dev", ROLE_HOST, 0) };
	uint32_t gateway;

	(void)state;
	assert_int_equal(placement_peer(nodes, 3, "dev", 39.04, -77.49, false, "x", 1, &gateway, NULL), 0);
	assert_int_equal(gateway, 1);
}

static void strict_refuses_the_fallback_and_names_the_regions_that_have_a_gateway(void **state)
{
	struct placement_node nodes[] = { node(1, "ord", ROLE_GATEWAY, 0), node(2, "nrt", ROLE_GATEWAY, 0) };
	uint32_t gateway;
	struct why why;

	(void)state;
	assert_int_equal(placement_peer(nodes, 2, "dev", 39.04, -77.49, true, "x", 1, &gateway, &why), E_REFUSED);
	assert_string_equal(why.code, "no_gateway_in_region");
	assert_non_null(strstr(why.text, ": nrt, ord"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_least_loaded_host_of_the_region_is_taken),
		cmocka_unit_test(hosts_that_are_silent_or_drain_or_are_no_hosts_are_passed_over),
		cmocka_unit_test(a_region_without_a_host_is_refused_naming_those_that_have_one),
		cmocka_unit_test(equal_load_spreads_over_the_hosts),
		cmocka_unit_test(the_order_of_candidates_does_not_matter),
		cmocka_unit_test(a_peer_keeps_its_gateway_when_another_one_leaves),
		cmocka_unit_test(a_region_without_a_gateway_falls_back_to_the_nearest_that_has_one),
		cmocka_unit_test(strict_refuses_the_fallback_and_names_the_regions_that_have_a_gateway),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
