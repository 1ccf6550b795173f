/* What must never be is refused by SQL itself: each row is a statement that goes behind the back of all code. */
#include "tests/unit/controller/store/store_fixture.h"

#define ID8 "X'0101010101010101'"
#define KEY32 "X'0101010101010101010101010101010101010101010101010101010101010101'"
#define KEY32B "X'0202020202020202020202020202020202020202020202020202020202020202'"
#define KEY32C "X'0303030303030303030303030303030303030303030303030303030303030303'"
#define KEY32D "X'0404040404040404040404040404040404040404040404040404040404040404'"
#define ADDRESS "X'FDAA00020000A0000001000100000002'"

/* A world that is right, in the order in which it must be made. 2684354561 = a000:0001, 131072 = 0x00020000. */
static const char *const world[] = {
	"INSERT INTO locator_given VALUES (40960, 1)",
	"INSERT INTO host_given VALUES (2684354561, 1), (2684354562, 1)",
	"INSERT INTO network_given VALUES (131072, 1), (131073, 1)",
	"INSERT INTO region VALUES ('ord', 'Chicago', 0, 0, 40960, 1)",
	"INSERT INTO node (host, name, region, roles, link_key, mesh_key, endpoints, created_ms) VALUES (2684354561, 'ord-1', 'ord', 1, " KEY32 ", " KEY32B ", X'', 1)",
	"INSERT INTO org (id, name, quota_networks, quota_apps, quota_instances, quota_peers, quota_tokens, quota_writes, created_ms) VALUES (" ID8 ", 'acme', 1, 1, 1, 1, 1, 1, 1)",
	"INSERT INTO network (id, org, name, created_ms) VALUES (131072, " ID8 ", 'default', 1)",
	"INSERT INTO app (id, org, network, name, created_ms) VALUES (" ID8 ", " ID8 ", 131072, 'web', 1)",
	"INSERT INTO instance (id, org, app, network, home_host, host, instance, address, desired, generation, created_ms, updated_ms, v) VALUES ('01234567890abc', " ID8 ", " ID8 ", 131072, 2684354561, 2684354561, 65537, " ADDRESS ", 1, 1, 1, 1, 1)",
	"INSERT INTO peer (id, org, network, name, label, home_gateway, gateway, instance, slot, prefix, requested_region, created_ms) VALUES (" ID8 ", " ID8 ", 131072, 'Laptop', 'laptop', 2684354561, 2684354561, 10, 1, X'FDAA00020000A00000010000000A0100', 'ord', 1)",
	"INSERT INTO peer_key VALUES (" ID8 ", " KEY32 ", NULL)",
	"INSERT INTO log VALUES (1, 1, X'01', 0, 0, NULL, 0, 0, X'00', 'test', 'r', 1)",
};

#define INSTANCE "INSERT INTO instance (id, org, app, network, home_host, host, instance, address, desired, generation, created_ms, updated_ms, v) VALUES "
#define NODE "INSERT INTO node (host, name, region, roles, link_key, mesh_key, endpoints, created_ms) VALUES "
#define PEER "INSERT INTO peer (id, org, network, name, label, home_gateway, gateway, instance, slot, prefix, requested_region, created_ms) VALUES "

static const struct {
	const char *what, *sql;
} wrong[] = {
	{ "a second counter row", "INSERT INTO meta VALUES (2, 0, X'00000000000000000000000000000000', 1, " KEY32 ", 1)" },
	{ "a V twice", "INSERT INTO log VALUES (1, 1, X'01', 0, 0, NULL, 0, 0, X'00', 'test', 'r', 1)" },
	{ "a log row without a principal", "INSERT INTO log VALUES (2, 1, X'01', 0, 0, NULL, 0, 0, X'00', '', 'r', 1)" },
	{ "a tombstone with a body", "INSERT INTO log VALUES (2, 1, X'01', 0, 0, NULL, 1, 0, X'00', 'test', 'r', 1)" },
	{ "a locator without the top nibble", "INSERT INTO locator_given VALUES (4096, 1)" },
	{ "a locator twice", "INSERT INTO locator_given VALUES (40960, 1)" },
	{ "a region without a given locator", "INSERT INTO region VALUES ('nrt', 'Tokyo', 0, 0, 40961, 1)" },
	{ "two regions with one locator", "INSERT INTO region VALUES ('nrt', 'Tokyo', 0, 0, 40960, 1)" },
	{ "a reserved region", "UPDATE region SET name = 'vms'" },
	{ "a region in upper case", "UPDATE region SET name = 'ORD'" },
	{ "a region of four letters", "UPDATE region SET name = 'ordx'" },
	{ "a region off the earth", "UPDATE region SET latitude_udeg = 90000001" },
	{ "a host word with number 0", "INSERT INTO host_given VALUES (2684354560, 1)" },
	{ "a host word below A", "INSERT INTO host_given VALUES (65537, 1)" },
	{ "a host word above A", "INSERT INTO host_given VALUES (2952790017, 1)" },
	{ "a host word twice", "INSERT INTO host_given VALUES (2684354561, 1)" },
	{ "a node with a number that was not given", NODE "(2684354563, 'x', 'ord', 1, " KEY32C ", " KEY32D ", X'', 1)" },
	{ "two nodes with one name, whatever its case", NODE "(2684354562, 'ORD-1', 'ord', 1, " KEY32C ", " KEY32D ", X'', 1)" },
	{ "two nodes with one link key", NODE "(2684354562, 'x', 'ord', 1, " KEY32 ", " KEY32D ", X'', 1)" },
	{ "two nodes with one mesh key", NODE "(2684354562, 'x', 'ord', 1, " KEY32C ", " KEY32B ", X'', 1)" },
	{ "one key for link and mesh", NODE "(2684354562, 'x', 'ord', 1, " KEY32C ", " KEY32C ", X'', 1)" },
	{ "a node without a role", NODE "(2684354562, 'x', 'ord', 0, " KEY32C ", " KEY32D ", X'', 1)" },
	{ "a live node without a region", NODE "(2684354562, 'x', NULL, 1, " KEY32C ", " KEY32D ", X'', 1)" },
	{ "the deletion of a region with a node", "DELETE FROM region" },
	{ "a network id below 0x00010000", "INSERT INTO network_given VALUES (65535, 1)" },
	{ "a network id with top nibble A", "INSERT INTO network_given VALUES (2684354560, 1)" },
	{ "a network id with top nibble A, the last", "INSERT INTO network_given VALUES (2952790015, 1)" },
	{ "a network id above 32 bits", "INSERT INTO network_given VALUES (4294967296, 1)" },
	{ "a network id twice", "INSERT INTO network_given VALUES (131072, 1)" },
	{ "a network that was not given", "INSERT INTO network (id, org, name, created_ms) VALUES (131074, " ID8 ", 'x', 1)" },
	{ "two networks of an org with one name", "INSERT INTO network (id, org, name, created_ms) VALUES (131073, " ID8 ", 'DEFAULT', 1)" },
	{ "two orgs with one name, whatever its case", "INSERT INTO org (id, name, quota_networks, quota_apps, quota_instances, quota_peers, quota_tokens, quota_writes, created_ms) VALUES (X'0202020202020202', 'ACME', 1, 1, 1, 1, 1, 1, 1)" },
	{ "two apps of an org with one name, whatever its case", "INSERT INTO app (id, org, network, name, created_ms) VALUES (X'0202020202020202', " ID8 ", 131072, 'WEB', 1)" },
	{ "an app in a network of another org", "INSERT INTO app (id, org, network, name, created_ms) VALUES (X'0202020202020202', X'0202020202020202', 131072, 'x', 1)" },
	{ "an instance field below 0x00010000", INSTANCE "('01234567890abd', " ID8 ", " ID8 ", 131072, 2684354561, 2684354561, 65535, X'FDAA00020000A0000001000100010002', 1, 1, 1, 1, 1)" },
	{ "an instance field twice in a network, on any host", INSTANCE "('01234567890abd', " ID8 ", " ID8 ", 131072, 2684354561, 2684354561, 65537, X'FDAA00020000A0000001000100010002', 1, 1, 1, 1, 1)" },
	{ "an address twice", INSTANCE "('01234567890abd', " ID8 ", " ID8 ", 131072, 2684354561, 2684354561, 65538, " ADDRESS ", 1, 1, 1, 1, 1)" },
	{ "an address outside fdaa::/16", "UPDATE instance SET address = X'FDAB00020000A0000001000100000002'" },
	{ "an address that does not end in ::2", "UPDATE instance SET address = X'FDAA00020000A0000001000100000003'" },
	{ "an instance on a host that is none", "UPDATE instance SET host = 2684354562" },
	{ "a desire that is none", "UPDATE instance SET desired = 4" },
	{ "an instance in another network than its app", "UPDATE instance SET network = 131073" },
	{ "a workload without an instance", "INSERT INTO workload VALUES ('ffffffffffffff', X'00')" },
	{ "two peers with one place", PEER "(X'0202020202020202', " ID8 ", 131072, 'x', 'x', 2684354561, 2684354561, 10, 1, X'FDAA00020000A00000010000000A0200', 'ord', 1)" },
	{ "two peers with one prefix", PEER "(X'0202020202020202', " ID8 ", 131072, 'x', 'x', 2684354561, 2684354561, 10, 2, X'FDAA00020000A00000010000000A0100', 'ord', 1)" },
	{ "two peers of an org with one name", PEER "(X'0202020202020202', " ID8 ", 131072, 'laptop', 'x', 2684354561, 2684354561, 10, 2, X'FDAA00020000A00000010000000A0200', 'ord', 1)" },
	{ "two peers of a network with one label", PEER "(X'0202020202020202', " ID8 ", 131072, 'x', 'laptop', 2684354561, 2684354561, 10, 2, X'FDAA00020000A00000010000000A0200', 'ord', 1)" },
	{ "a peer among the instances", PEER "(X'0202020202020202', " ID8 ", 131072, 'x', 'x', 2684354561, 2684354561, 65536, 2, X'FDAA00020000A00000010000000A0200', 'ord', 1)" },
	{ "a peer among the services", PEER "(X'0202020202020202', " ID8 ", 131072, 'x', 'x', 2684354561, 2684354561, 9, 2, X'FDAA00020000A00000010000000A0200', 'ord', 1)" },
	{ "a peer key twice", "INSERT INTO peer_key SELECT X'0202020202020202', public_key, NULL FROM peer_key" },
	{ "a token of no org", "INSERT INTO token (id, principal, hash, kind, profile, created_ms) VALUES (" ID8 ", " ID8 ", " KEY32 ", 2, 1, 1)" },
	{ "a join token for nobody", "INSERT INTO node_token (id, hash, region, kind, uses, created_ms) VALUES (" ID8 ", " KEY32 ", 'ord', 1, 0, 1)" },
	{ "a join token used more often than allowed", "INSERT INTO node_token (id, hash, region, kind, uses, used, created_ms) VALUES (" ID8 ", " KEY32 ", 'ord', 1, 1, 2, 1)" },
	{ "text where a number belongs", "UPDATE node SET roles = 'host'" },
};

static void a_world_that_is_right_is_accepted(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(world); i++) {
		int r = driver_exec(f->store->driver, world[i]);

		if (r != 0)
			fail_msg("%d: %s", r, world[i]);
	}
}

static void g20_what_must_never_be_is_refused_by_the_database_itself(void **state)
{
	struct fixture *f = *state;

	a_world_that_is_right_is_accepted(state);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		int r = driver_exec(f->store->driver, wrong[i].sql);

		if (r != DRIVER_E_UNIQUE && r != DRIVER_E_CONSTRAINT)
			fail_msg("%s: accepted or misunderstood (%d): %s", wrong[i].what, r, wrong[i].sql);
	}
}

static void a_revoked_node_gives_its_name_back_but_not_its_keys(void **state)
{
	struct fixture *f = *state;
	struct driver *d = f->store->driver;

	a_world_that_is_right_is_accepted(state);
	assert_int_equal(driver_exec(d, "UPDATE node SET revoked_at = 5"), 0);
	assert_int_equal(driver_exec(d, NODE "(2684354562, 'y', 'ord', 1, " KEY32 ", " KEY32D ", X'', 1)"), DRIVER_E_UNIQUE);
	assert_int_equal(driver_exec(d, NODE "(2684354562, 'ord-1', 'ord', 1, " KEY32C ", " KEY32D ", X'', 1)"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_world_that_is_right_is_accepted, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(g20_what_must_never_be_is_refused_by_the_database_itself, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(a_revoked_node_gives_its_name_back_but_not_its_keys, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
