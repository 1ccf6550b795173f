/* Addresses of apps as flyctl asks for them: its texts to the letter, and every field that it reads. */
#include "tests/unit/controller/api/gql_client.h"

#define ALLOCATE \
	"mutation($input: AllocateIPAddressInput!) { allocateIpAddress(input: $input) { ipAddress { id address type region createdAt } } }"
#define LIST                                                                                                                          \
	"query($appName: String!) { app(name: $appName) { ipAddresses { nodes { id address type region createdAt network { name "     \
	"organization { slug } } serviceName } } sharedIpAddress } }"
#define RELEASE "mutation($input: ReleaseIPAddressInput!) { releaseIpAddress(input: $input) { clientMutationId } }"
#define WEB "{\"appName\":\"web\"}"

static void release(struct api_fixture *f, const char *address)
{
	char variables[160];
	struct client_reply r;

	snprintf(variables, sizeof variables, "{\"input\":{\"appId\":\"web\",\"ipAddressId\":null,\"ip\":\"%s\"}}", address);
	r = gql(f, f->acme, RELEASE, variables);
	expect_fields(&r, "releaseIpAddress", "clientMutationId", "0");
	client_reply_deinit(&r);
}

static void a_private_address_is_allocated_listed_and_released(void **state)
{
	struct api_fixture *f = *state;
	char address[ADDR_TEXT_LEN];
	struct in6_addr parsed;
	struct client_reply r = gql(f, f->acme, ALLOCATE, "{\"input\":{\"appId\":\"web\",\"type\":\"private_v6\",\"region\":\"\"}}");

	expect_fields(&r, "allocateIpAddress", "ipAddress", "o");
	expect_fields(&r, "allocateIpAddress.ipAddress", "id address type region createdAt", "sssss");
	assert_string_equal(text_at(&r, "allocateIpAddress.ipAddress.type"), "private_v6");
	snprintf(address, sizeof address, "%s", text_at(&r, "allocateIpAddress.ipAddress.address"));
	assert_int_equal(inet_pton(AF_INET6, address, &parsed), 1);
	assert_int_equal(strncmp(address, "fdaa:", 5), 0); /* by which flyctl knows flycast */
	assert_non_null(strstr(address, ":0:1::"));
	client_reply_deinit(&r);
	r = gql(f, f->acme_read, LIST, WEB);
	expect_fields(&r, "app", "ipAddresses sharedIpAddress", "o0");
	assert_int_equal(json_array_size(at(&r, "app.ipAddresses.nodes")), 2); /* and that of the fixture */
	for (int i = 0; i < 2; i++) {
		char path[64];

		snprintf(path, sizeof path, "app.ipAddresses.nodes.%d", i);
		expect_fields(&r, path, "id address type region createdAt network serviceName", "ssssso0");
		snprintf(path, sizeof path, "app.ipAddresses.nodes.%d.network", i);
		expect_fields(&r, path, "name organization", "so");
	}
	assert_string_equal(text_at(&r, "app.ipAddresses.nodes.0.network.organization.slug"), "acme");
	client_reply_deinit(&r);
	release(f, address);
	r = gql(f, f->acme_read, LIST, WEB);
	assert_int_equal(json_array_size(at(&r, "app.ipAddresses.nodes")), 1);
	client_reply_deinit(&r);
}

static void a_network_of_the_same_organization_may_be_named(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r;
	char variables[200];

	expect(f, "POST", "/v1/networks", f->acme, "{\"name\":\"green\"}", 201, NULL);
	snprintf(variables, sizeof variables,
		 "{\"input\":{\"appId\":\"web\",\"type\":\"private_v6\",\"region\":\"\",\"organizationId\":\"%s\",\"network\":\"green\"}}", f->org_id);
	r = gql(f, f->acme, ALLOCATE, variables);
	expect_fields(&r, "allocateIpAddress.ipAddress", "id address type region createdAt", "sssss");
	client_reply_deinit(&r);
}

static void what_cannot_be_allocated_or_released_is_one_error_that_names_it(void **state)
{
	static const struct {
		const char *mutation, *input, *code, *reason;
		int who; /* 0 acme, 1 its reader, 2 globex, 3 operator */
	} rows[] = {
		{ ALLOCATE, "\"appId\":\"web\",\"type\":\"v4\",\"region\":\"\"", "UNPROCESSABLE", "not_offered", 0 },
		{ ALLOCATE, "\"appId\":\"web\",\"type\":\"private_v6\",\"region\":\"ord\"", "INVALID", "value_invalid", 0 },
		{ ALLOCATE, "\"appId\":\"web\",\"type\":\"private_v6\",\"region\":\"\",\"serviceName\":\"s\"", "UNPROCESSABLE", "not_offered", 0 },
		{ ALLOCATE, "\"appId\":\"web\",\"type\":\"private_v6\",\"region\":\"\",\"network\":\"nosuch\"", "NOT_FOUND", "network_not_found", 0 },
		{ ALLOCATE, "\"appId\":\"web\",\"type\":\"private_v6\",\"region\":\"\",\"organizationId\":\"globex\"", "NOT_FOUND", "org_not_found", 0 },
		{ ALLOCATE, "\"appId\":\"web\",\"type\":\"private_v6\",\"region\":\"\",\"organizationId\":\"globex\"", "INVALID", "value_invalid", 3 },
		{ ALLOCATE, "\"appId\":\"wex\",\"type\":\"private_v6\",\"region\":\"\"", "NOT_FOUND", "app_not_found", 0 },
		{ ALLOCATE, "\"appId\":\"web\",\"type\":\"private_v6\",\"region\":\"\"", "NOT_FOUND", "app_not_found", 2 },
		{ ALLOCATE, "\"appId\":\"web\",\"type\":\"private_v6\",\"region\":\"\"", "UNAUTHORIZED", "forbidden", 1 },
		{ RELEASE, "\"appId\":\"web\",\"ip\":\"fdaa::1\"", "NOT_FOUND", "ip_not_found", 0 },
		{ RELEASE, "\"appId\":\"web\",\"ip\":\"192.0.2.1\"", "NOT_FOUND", "ip_not_found", 0 },
		{ RELEASE, "\"appId\":\"web\"", "INVALID", "value_missing", 0 },
	};
	struct api_fixture *f = *state;
	const char *const tokens[] = { f->acme, f->acme_read, f->globex, f->operator_token };
	char variables[200];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(variables, sizeof variables, "{\"input\":{%s}}", rows[i].input);
		expect_error(f, tokens[rows[i].who], rows[i].mutation, variables, rows[i].code, rows[i].reason);
	}
	/* what is there, and another's: as what is not */
	snprintf(variables, sizeof variables, "{\"input\":{\"ip\":\"%s\"}}", f->ip);
	expect_error(f, f->globex, RELEASE, variables, "NOT_FOUND", "ip_not_found");
	expect_error(f, f->acme_read, RELEASE, variables, "UNAUTHORIZED", "forbidden");
}

#define T(name) cmocka_unit_test_setup_teardown(name, api_setup, api_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_private_address_is_allocated_listed_and_released),
		T(a_network_of_the_same_organization_may_be_named),
		T(what_cannot_be_allocated_or_released_is_one_error_that_names_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
