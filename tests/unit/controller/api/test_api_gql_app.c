/* Apps and machines as flyctl asks for them: its texts to the letter, and every field that it reads, with the type it reads it into. */
#include "tests/unit/controller/api/flaps_client.h"
#include "tests/unit/controller/api/gql_client.h"

#include "controller/api/api_graphql.h"

#define Q4                                                                                                                                        \
	"query ($appName: String!) { appcompact:app(name: $appName) { id internalNumericId name hostname cnameTarget deployed network status "    \
	"appUrl platformVersion organization { id internalNumericId slug paidPlan } postgresAppRole: role { name } } }"
#define Q5                                                                                                                                        \
	"query ($appName: String!) { appbasic:app(name: $appName) { id name platformVersion organization { id internalNumericId slug rawSlug "    \
	"paidPlan } } }"
#define Q6 "query ($appName: String!) { app(name: $appName) { network } }"
#define Q7                                                                                                                                        \
	"query ($appName: String!) { app(name:$appName){ id internalNumericId name hostname deployed status version appUrl platformVersion "      \
	"currentRelease{evaluationId status inProgress version} config{definition} organization{id slug paidPlan} "                               \
	"services{description protocol internalPort ports{port handlers}} ipAddresses{nodes{id address type createdAt}} sharedIpAddress "         \
	"cnameTarget imageDetails{registry repository tag digest version} machines{nodes{id name config state region createdAt app{name} "        \
	"ips{nodes{family kind ip maskSize}} host{id}}} postgresAppRole: role{name} } }"
#define Q9 "query ($machineId: String!) { gqlmachine:machine(machineId: $machineId) { id name app { name organization { id slug } } } }"
#define Q10                                                                                                                                       \
	"query($appName: String!) { apphostissues:app(name:$appName){ hostIssues{ nodes{ internalId message createdAt updatedAt } } } }"
#define LIST                                                                                                                                      \
	"query($org: ID, $after: String) { apps(type: \"container\", first: 200, after: $after, organizationId: $org) { pageInfo { hasNextPage "  \
	"endCursor } nodes { id name deployed hostname platformVersion network organization { slug name } currentRelease { createdAt status } "   \
	"status } } }"
#define INSTANCES                                                                                                                                 \
	"query AgentGetInstances($appName: String!) {\n\tapp(name: $appName) {\n\t\torganization {\n\t\t\tslug\n\t\t}\n\t\tid\n\t\tname\n"         \
	"\t\tallocations(showCompleted: false) {\n\t\t\tid\n\t\t\tregion\n\t\t\tprivateIP\n\t\t}\n\t\tmachines {\n\t\t\tnodes {\n"                 \
	"\t\t\t\tstate\n\t\t\t\tid\n\t\t\t\tregion\n\t\t\t\tips {\n\t\t\t\t\tnodes {\n\t\t\t\t\t\tkind\n\t\t\t\t\t\tfamily\n\t\t\t\t\t\tip\n"  \
	"\t\t\t\t\t}\n\t\t\t\t}\n\t\t\t}\n\t\t}\n\t}\n}\n"
#define ADD_ONS                                                                                                                                   \
	"query ListOrganizationAddOns($orgSlug: String!, $addOnType: AddOnType!) { organization(slug: $orgSlug) { addOns(type: $addOnType) { "     \
	"nodes { id name addOnPlan { displayName description } privateIp primaryRegion readRegions options metadata } } } }"
#define IMAGE                                                                                                                                     \
	"query ($appName: String!, $imageRef: String!) { app(name: $appName) { id image(ref: $imageRef) { id digest ref compressedSize: "         \
	"compressedSizeFull manifest } } }"
#define LATEST                                                                                                                                    \
	"query($image: String!, $flyVersion: String) { latestImageDetails(image: $image, flyVersion: $flyVersion) { registry repository tag "     \
	"version digest } }"
#define EGRESS "query ($appName: String!) { app(name: $appName) { egressIpAddresses { nodes { id ip version region updatedAt } } } }"
#define CREATE                                                                                                                                    \
	"mutation($input: CreateAppInput!) { createApp(input: $input) { app { id name organization { slug } config { definition } regions { "    \
	"name code } } } }"
#define DELETE "mutation($appId: ID!) { deleteApp(appId: $appId) { organization { id } } }"
#define WEB "{\"appName\":\"web\"}"

static void an_app_is_shown_in_each_of_the_forms_that_flyctl_reads(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r = gql(f, f->acme_read, Q4, WEB);

	expect_fields(&r, "appcompact",
		      "id internalNumericId name hostname cnameTarget deployed network status appUrl platformVersion organization postgresAppRole",
		      "snss0bss0so0");
	expect_fields(&r, "appcompact.organization", "id internalNumericId slug paidPlan", "sssb"); /* there a string, in the app a number */
	assert_in_range(json_integer_value(at(&r, "appcompact.internalNumericId")), 1, INT32_MAX);
	assert_string_equal(text_at(&r, "appcompact.id"), f->app_id);
	assert_string_equal(text_at(&r, "appcompact.name"), "web");
	assert_string_equal(text_at(&r, "appcompact.network"), ""); /* the default one has no name */
	assert_string_equal(text_at(&r, "appcompact.status"), "deployed");
	assert_string_equal(text_at(&r, "appcompact.platformVersion"), "machines");
	client_reply_deinit(&r);
	r = gql(f, f->acme_read, Q5, WEB);
	expect_fields(&r, "appbasic", "id name platformVersion organization", "ssso");
	expect_fields(&r, "appbasic.organization", "id internalNumericId slug rawSlug paidPlan", "ssssb");
	client_reply_deinit(&r);
	r = gql(f, f->acme_read, Q7, WEB);
	expect_fields(&r, "app",
		      "id internalNumericId name hostname deployed status version appUrl platformVersion currentRelease config organization services "
		      "ipAddresses sharedIpAddress cnameTarget imageDetails machines postgresAppRole",
		      "snssbsn0s0oooo000o0");
	client_reply_deinit(&r);
}

static void the_network_is_a_name_unless_it_is_the_default_one(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r;

	expect(f, "POST", "/v1/networks", f->acme, "{\"name\":\"green\"}", 201, NULL);
	expect(f, "POST", "/v1/apps", f->acme, "{\"name\":\"api\",\"network\":\"green\"}", 201, NULL);
	r = gql(f, f->acme_read, Q6, "{\"appName\":\"api\"}");
	expect_fields(&r, "app", "network", "s");
	assert_string_equal(text_at(&r, "app.network"), "green");
	client_reply_deinit(&r);
	r = gql(f, f->acme_read, Q6, WEB);
	assert_string_equal(text_at(&r, "app.network"), "");
	client_reply_deinit(&r);
	/* `proxy -o org` asks this way: an error would be its end */
	r = gql(f, f->acme_read, Q6, "{\"appName\":\"\"}");
	expect_fields(&r, "app", "network", "s");
	assert_string_equal(text_at(&r, "app.network"), "");
	client_reply_deinit(&r);
	expect_error(f, f->acme_read, Q5, "{\"appName\":\"\"}", "NOT_FOUND", "app_not_found"); /* which panics on an app of nothing */
	expect_error(f, f->acme_read, INSTANCES, "{\"appName\":\"\"}", "NOT_FOUND", "app_not_found");
}

static void what_is_not_there_is_said_in_the_words_that_flyctl_knows(void **state)
{
	static const char *const queries[] = { Q4, Q5, Q6, Q7, Q10, INSTANCES };
	struct api_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
		struct client_reply r = gql(f, f->acme, queries[i], "{\"appName\":\"wex\"}");

		assert_non_null(strstr(r.body, "Could not find App"));
		assert_non_null(strstr(r.body, "\"code\":\"NOT_FOUND\""));
		client_reply_deinit(&r);
		r = gql(f, f->globex, queries[i], WEB);
		assert_non_null(strstr(r.body, "Could not find App \\\"web\\\""));
		assert_non_null(strstr(r.body, "\"code\":\"NOT_FOUND\""));
		client_reply_deinit(&r);
	}
	expect_error(f, f->globex, DELETE, "{\"appId\":\"web\"}", "NOT_FOUND", "app_not_found");
	expect_error(f, f->acme_read, DELETE, "{\"appId\":\"web\"}", "UNAUTHORIZED", "forbidden");
	expect_error(f, f->globex, Q9, "{\"machineId\":\"00000000000000\"}", "NOT_FOUND", "instance_not_found");
}

static void machines_have_their_private_address(void **state)
{
	struct api_fixture *f = *state;
	char id[64];
	struct client_reply r = gql(f, f->acme_read, Q7, WEB);
	struct in6_addr parsed;

	assert_int_equal(json_array_size(at(&r, "app.machines.nodes")), 1);
	expect_fields(&r, "app.machines.nodes.0", "id name config state region createdAt app ips host", "ssosssooo");
	expect_fields(&r, "app.machines.nodes.0.ips.nodes.0", "family kind ip maskSize", "sssn");
	expect_fields(&r, "app.machines.nodes.0.host", "id", "s");
	assert_string_equal(text_at(&r, "app.machines.nodes.0.id"), f->instance);
	assert_string_equal(text_at(&r, "app.machines.nodes.0.app.name"), "web");
	client_reply_deinit(&r);
	r = gql(f, f->acme_read, INSTANCES, WEB);
	expect_fields(&r, "app", "organization id name allocations machines", "ossoo");
	assert_int_equal(json_array_size(at(&r, "app.allocations")), 0);
	expect_fields(&r, "app.machines.nodes.0", "state id region ips", "ssso");
	expect_fields(&r, "app.machines.nodes.0.ips.nodes.0", "kind family ip", "sss");
	assert_string_equal(text_at(&r, "app.machines.nodes.0.ips.nodes.0.kind"), "privatenet");
	assert_string_equal(text_at(&r, "app.machines.nodes.0.ips.nodes.0.family"), "v6");
	assert_int_equal(inet_pton(AF_INET6, text_at(&r, "app.machines.nodes.0.ips.nodes.0.ip"), &parsed), 1);
	assert_int_equal(parsed.s6_addr[0] << 8 | parsed.s6_addr[1], 0xfdaa);
	client_reply_deinit(&r);
	snprintf(id, sizeof id, "{\"machineId\":\"%s\"}", f->instance);
	r = gql(f, f->acme_read, Q9, id);
	expect_fields(&r, "gqlmachine", "id name app", "sso");
	expect_fields(&r, "gqlmachine.app", "name organization", "so");
	expect_fields(&r, "gqlmachine.app.organization", "id slug", "ss");
	assert_string_equal(text_at(&r, "gqlmachine.app.organization.slug"), "acme");
	client_reply_deinit(&r);
	expect_error(f, f->globex, Q9, id, "NOT_FOUND", "instance_not_found");
}

static void a_machines_configuration_is_that_of_its_other_view_and_no_secret_of_a_reader(void **state)
{
	struct api_fixture *f = *state;
	const char *query = "query($machineId: String!){machine(machineId: $machineId){config state}}";
	struct client_reply r = fly_good(f, "POST", "/v1/apps/web/machines", RUN_BODY);
	char id[64];

	snprintf(id, sizeof id, "{\"machineId\":\"%s\"}", text_of(&r, "id"));
	client_reply_deinit(&r);
	r = gql(f, f->acme, query, id);
	assert_string_equal(text_at(&r, "machine.config.env.MODE"), "blue");
	assert_string_equal(text_at(&r, "machine.config.metadata.color"), "red");
	assert_true(json_is_object(at(&r, "machine.config.guest")));
	client_reply_deinit(&r);
	r = gql(f, f->acme_read, query, id);
	assert_string_equal(text_at(&r, "machine.config.metadata.color"), "red");
	assert_null(at(&r, "machine.config.env"));
	assert_null(strstr(r.body, "sleep"));
	client_reply_deinit(&r);
	r = gql(f, f->acme_read, Q7, WEB);
	assert_int_equal(json_array_size(at(&r, "app.machines.nodes")), 2);
	assert_null(strstr(r.body, "MODE"));
	client_reply_deinit(&r);
}

/* 17 machines in each of 17 places, of 60 kB each */
static void a_reply_full_of_configurations_is_refused(void **state)
{
	struct api_fixture *f = *state;
	CLEAN_BUF struct buf body = BUF_INIT(1u << 20);
	struct client_reply r;
	char id[64];

	buf_add_str(&body, "{\"region\":\"ord\",\"config\":{\"image\":\"a\",\"long\":\"");
	for (int i = 0; i < 60000; i++)
		buf_add_u8(&body, 'x');
	buf_add_str(&body, "\"}}");
	for (int i = 0; i < 17; i++) {
		r = fly_good(f, "POST", "/v1/apps/web/machines", buf_str(&body));
		snprintf(id, sizeof id, "{\"machineId\":\"%s\"}", text_of(&r, "id"));
		client_reply_deinit(&r);
	}
	r = gql(f, f->acme, "query($machineId: String!){a:machine(machineId:$machineId){config} b:machine(machineId:$machineId){config}}", id);
	assert_int_equal(strlen(text_at(&r, "b.config.long")), 60000);
	client_reply_deinit(&r);
	r = gql(f, f->acme, "{app(name:\"web\"){machines{nodes{app{machines{nodes{config}}}}}}}", NULL);
	assert_non_null(strstr(r.body, "query_too_large"));
	client_reply_deinit(&r);
}

/* 13 machines in each of 1,890 places: little is said of them, but each is read every time. */
static void lists_are_not_read_again_and_again(void **state)
{
	struct api_fixture *f = *state;
	CLEAN_BUF struct buf text = BUF_INIT(64u << 10);
	struct client_reply r;

	for (int i = 0; i < 12; i++) {
		r = fly_good(f, "POST", "/v1/apps/web/machines", "{\"config\":{\"image\":\"a\"},\"region\":\"ord\"}");
		client_reply_deinit(&r);
	}
	buf_add_str(&text, "{");
	for (int i = 0; i < 45; i++)
		buf_printf(&text, "a%d:app(name:\"web\"){...Count} ", i);
	buf_add_str(&text, "} fragment Count on App{");
	for (int i = 0; i < 42; i++)
		buf_printf(&text, "m%d:machines{totalCount} ", i);
	buf_add_str(&text, "}");
	r = gql(f, f->acme, buf_str(&text), NULL);
	assert_non_null(strstr(r.body, "query_too_large"));
	assert_non_null(strstr(r.body, "20000 entries"));
	client_reply_deinit(&r);
}

static void states_are_words_of_flys(void **state)
{
	static const struct {
		enum instance_state observed;
		const char *verb, *expected;
	} rows[] = {
		{ STATE_STARTING, NULL, "starting" }, { STATE_STARTED, NULL, "started" }, { STATE_STARTED, "stop", "stopping" },
		{ STATE_DRAINING, NULL, "stopping" }, { STATE_STOPPED, NULL, "stopped" }, { STATE_STOPPED, "start", "starting" },
		{ STATE_FAILED, NULL, "failed" },
	};
	struct api_fixture *f = *state;
	struct principal node = principal_node(f->host, "ord-1");
	uint64_t generation = 1;
	char path[64];
	struct client_reply r = gql(f, f->acme_read, INSTANCES, WEB);

	assert_string_equal(text_at(&r, "app.machines.nodes.0.state"), "created");
	client_reply_deinit(&r);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct store_report report = { .observed = { .state = rows[i].observed, .generation = generation, .since_ms = T0 + i } };
		struct store_report_refusal refused;
		size_t n_refused, n_made;

		strcpy(report.id, f->instance);
		assert_good(f->base, DO(f->base, &node, store_instance_report(store, op, &report, 1, 1, &refused, &n_refused, &n_made)));
		if (rows[i].verb) {
			snprintf(path, sizeof path, "/v1/instances/%s/%s", f->instance, rows[i].verb);
			r = ask(f, "POST", path, f->acme, "");
			assert_int_equal(r.status, 200);
			generation = (uint64_t)json_integer_value(json_object_get(r.json, "generation"));
			client_reply_deinit(&r);
		}
		r = gql(f, f->acme_read, INSTANCES, WEB);
		assert_string_equal(text_at(&r, "app.machines.nodes.0.state"), rows[i].expected);
		client_reply_deinit(&r);
	}
	snprintf(path, sizeof path, "/v1/instances/%s", f->instance);
	expect(f, "DELETE", path, f->acme, NULL, 200, NULL);
	r = gql(f, f->acme_read, INSTANCES, WEB);
	assert_string_equal(text_at(&r, "app.machines.nodes.0.state"), "destroying");
	client_reply_deinit(&r);
}

static void apps_are_listed_page_after_page_and_a_cursor_is_for_its_list_alone(void **state)
{
	struct api_fixture *f = *state;
	const char *small = "query($org: ID, $after: String){apps(first:1,after:$after,organizationId:$org){pageInfo{hasNextPage endCursor} nodes{name}}}";
	char variables[512], cursor[256];
	struct client_reply r;

	expect(f, "POST", "/v1/apps", f->acme, "{\"name\":\"api\"}", 201, NULL);
	snprintf(variables, sizeof variables, "{\"org\":\"%s\"}", f->org_id);
	r = gql(f, f->acme_read, LIST, variables);
	expect_fields(&r, "apps.pageInfo", "hasNextPage endCursor", "b0");
	assert_int_equal(json_array_size(at(&r, "apps.nodes")), 2);
	expect_fields(&r, "apps.nodes.1",
		      "id name deployed hostname platformVersion network organization currentRelease status", "ssbssso0s");
	expect_fields(&r, "apps.nodes.1.organization", "slug name", "ss");
	assert_string_equal(text_at(&r, "apps.nodes.0.status"), "pending");
	client_reply_deinit(&r);
	r = gql(f, f->acme_read, small, variables);
	assert_true(json_is_true(at(&r, "apps.pageInfo.hasNextPage")));
	assert_string_equal(text_at(&r, "apps.nodes.0.name"), "api");
	snprintf(cursor, sizeof cursor, "%s", text_at(&r, "apps.pageInfo.endCursor"));
	client_reply_deinit(&r);
	snprintf(variables, sizeof variables, "{\"org\":\"%s\",\"after\":\"%s\"}", f->org_id, cursor);
	r = gql(f, f->acme_read, small, variables);
	assert_string_equal(text_at(&r, "apps.nodes.0.name"), "web");
	assert_false(json_is_true(at(&r, "apps.pageInfo.hasNextPage")));
	client_reply_deinit(&r);
	expect_error(f, f->acme, small, variables, "INVALID", "cursor_invalid"); /* another asker */
	snprintf(variables, sizeof variables, "{\"after\":\"%s\"}", cursor);
	expect_error(f, f->acme_read, small, variables, "INVALID", "cursor_invalid"); /* another list */
	expect_error(f, f->acme_read, small, "{\"after\":\"api\"}", "INVALID", "cursor_invalid");
	expect_error(f, f->acme_read, "{apps(first:0){nodes{id}}}", NULL, "INVALID", "out_of_range");
	expect_error(f, f->globex, LIST, "{\"org\":\"acme\"}", "NOT_FOUND", "org_not_found");
	r = gql(f, f->globex, LIST, "{}");
	assert_int_equal(json_array_size(at(&r, "apps.nodes")), 0);
	client_reply_deinit(&r);
	r = gql(f, f->operator_token, LIST, "{\"org\":null}");
	assert_int_equal(json_array_size(at(&r, "apps.nodes")), 2);
	client_reply_deinit(&r);
	r = gql(f, f->acme, "query GetAppsByRole($role:String!,$organizationId:ID!){apps(role:$role,organizationId:$organizationId){nodes{id}}}",
		"{\"role\":\"postgres_cluster\",\"organizationId\":\"acme\"}");
	assert_int_equal(json_array_size(at(&r, "apps.nodes")), 0);
	client_reply_deinit(&r);
}

static void an_app_is_made_with_its_network_and_deleted(void **state)
{
	struct api_fixture *f = *state;
	char input[256], id[64];
	struct client_reply r;

	snprintf(input, sizeof input, "{\"input\":{\"organizationId\":\"%s\",\"name\":\"api\",\"network\":\"green\",\"machines\":true}}", f->org_id);
	r = gql(f, f->acme, CREATE, input);
	expect_fields(&r, "createApp.app", "id name organization config regions", "ssoo0");
	snprintf(id, sizeof id, "{\"appId\":\"%s\"}", text_at(&r, "createApp.app.id"));
	client_reply_deinit(&r);
	r = gql(f, f->acme_read, Q6, "{\"appName\":\"api\"}"); /* the network came with it */
	assert_string_equal(text_at(&r, "app.network"), "green");
	client_reply_deinit(&r);
	expect_error(f, f->acme, CREATE, input, "UNPROCESSABLE", "name_taken");
	expect_error(f, f->acme_read, CREATE, input, "UNAUTHORIZED", "forbidden");
	expect_error(f, f->globex, CREATE, input, "NOT_FOUND", "org_not_found");
	expect_error(f, f->acme, CREATE, "{\"input\":{\"organizationId\":\"acme\",\"name\":\"B_d\",\"network\":\"blue\"}}", "INVALID", "name_invalid");
	expect_error(f, f->acme, CREATE, "{\"input\":{\"organizationId\":\"acme\",\"name\":\"\"}}", "INVALID", "name_invalid");
	expect_error(f, f->acme, CREATE, "{\"input\":{\"organizationId\":\"acme\",\"name\":\"c\",\"network\":\"globex/default\"}}", "NOT_FOUND",
		     "org_not_found");
	expect_error(f, f->acme, CREATE, "{\"input\":{\"organizationId\":\"acme\",\"name\":\"c\",\"network\":\"acme/blue\"}}", "NOT_FOUND",
		     "network_not_found");
	expect(f, "GET", "/v1/networks/blue", f->acme, NULL, 404, NULL); /* of an app that was not made no network stays */
	r = gql(f, f->acme, DELETE, id);
	expect_fields(&r, "deleteApp.organization", "id", "s");
	client_reply_deinit(&r);
	expect_error(f, f->acme, Q4, "{\"appName\":\"api\"}", "NOT_FOUND", "app_not_found");
	r = gql(f, f->acme, "query($appName: String!){appNameAvailable(name: $appName)}", "{\"appName\":\"api\"}");
	assert_true(json_is_true(at(&r, "appNameAvailable")));
	client_reply_deinit(&r);
	r = gql(f, f->acme, "query($appName: String!){appNameAvailable(name: $appName)}", WEB);
	assert_true(json_is_false(at(&r, "appNameAvailable")));
	client_reply_deinit(&r);
}

static void what_commands_read_on_their_way_is_empty_and_no_error(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r = gql(f, f->acme_read, Q10, WEB);

	assert_true(json_is_array(at(&r, "apphostissues.hostIssues.nodes")));
	client_reply_deinit(&r);
	r = gql(f, f->acme_read, EGRESS, WEB);
	assert_true(json_is_array(at(&r, "app.egressIpAddresses.nodes")));
	client_reply_deinit(&r);
	r = gql(f, f->acme_read, ADD_ONS, "{\"orgSlug\":\"acme\",\"addOnType\":\"tigris\"}");
	assert_true(json_is_array(at(&r, "organization.addOns.nodes")));
	client_reply_deinit(&r);
	r = gql(f, f->acme_read, "query($appName:String!){app(name:$appName){currentRelease:currentReleaseUnprocessed{version}}}", WEB);
	assert_true(json_is_null(at(&r, "app.currentRelease")));
	client_reply_deinit(&r);
	r = gql(f, f->acme_read, IMAGE, "{\"appName\":\"web\",\"imageRef\":\"nginx:1.27\"}");
	expect_fields(&r, "app.image", "id digest ref compressedSize manifest", "ssss0"); /* the size is a decimal string */
	assert_string_equal(text_at(&r, "app.image.ref"), "nginx:1.27");
	assert_string_equal(text_at(&r, "app.image.digest"), ""); /* so that the reference is used as it is */
	client_reply_deinit(&r);
	r = gql(f, f->acme_read, LATEST, "{\"image\":\"nginx\",\"flyVersion\":\"\"}");
	assert_non_null(strstr(r.body, "Unknown repository"));
	client_reply_deinit(&r);
}

static void what_is_not_offered_is_named_to_whoever_asks(void **state)
{
	static const struct {
		const char *query, *variables, *word, *path;
	} rows[] = {
		{ "mutation($input: IssueCertificateInput!) { issueCertificate(input: $input) { certificate, key } }",
		  "{\"input\":{\"organizationId\":\"acme\",\"principals\":[\"root\",\"fly\"],\"appNames\":[\"web\"],\"publicKey\":\"ssh-ed25519 AAAA\","
		  "\"validHours\":1}}",
		  "SSH", "[\"issueCertificate\"]" },
		{ "query($slug:String!){organization(slug:$slug){loggedCertificates{nodes{root cert}}}}", "{\"slug\":\"acme\"}", "SSH",
		  "[\"organization\",\"loggedCertificates\"]" },
		{ "query($appName:String!,$limit:Int!){app(name:$appName){releases: releasesUnprocessed(first:$limit){nodes{id version user{id email "
		  "name} createdAt}}}}",
		  "{\"appName\":\"web\",\"limit\":1}", "releases", "[\"app\",\"releases\"]" },
		{ "mutation($input: SetSecretsInput!){setSecrets(input:$input){release{id version user{id} createdAt}}}",
		  "{\"input\":{\"appId\":\"web\",\"secrets\":[{\"key\":\"A\",\"value\":\"b\"}]}}", "secrets", "[\"setSecrets\"]" },
		{ "query($appName:String!){app(name:$appName){certificates{nodes{createdAt hostname clientStatus}}}}", WEB, "certificates",
		  "[\"app\",\"certificates\"]" },
		{ "mutation($input:AttachPostgresClusterInput!){attachPostgresCluster(input:$input){app{name}}}", "{\"input\":{}}", "Postgres",
		  "[\"attachPostgresCluster\"]" },
		{ "query($name:String){addOn(name:$name){id}}", "{\"name\":\"a\"}", "add-ons", "[\"addOn\"]" },
	};
	struct api_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct client_reply r = gql(f, f->acme, rows[i].query, rows[i].variables);
		const json_t *error = json_array_get(json_object_get(r.json, "errors"), 0);
		CLEAN_FREE char *path = json_dumps(json_object_get(error, "path"), JSON_COMPACT);

		if (!path || strcmp(path, rows[i].path) || !strstr(json_string_value(json_object_get(error, "message")), rows[i].word) ||
		    !strstr(r.body, "\"code\":\"UNPROCESSABLE\"") || json_object_get(r.json, "data"))
			fail_msg("%s: %s", rows[i].query, r.body);
		client_reply_deinit(&r);
	}
}

/* The table names types that are there and fields that are not, each once, or it would say of something offered that it is not. */
static void the_table_of_what_is_not_offered_is_true(void **state)
{
	(void)state;
	for (const struct gql_absent *a = gql_absent; a->type; a++) {
		bool type = false;

		for (const struct gql_type *const *table = api_graphql_schema.tables; *table; table++)
			for (const struct gql_type *t = *table; t->name; t++) {
				type |= !strcmp(t->name, a->type);
				for (const struct gql_field *field = strcmp(t->name, a->type) ? NULL : t->fields; field && field->name; field++)
					if (!strcmp(field->name, a->field))
						fail_msg("%s.%s is offered", a->type, a->field);
			}
		if (!type)
			fail_msg("there is no type %s", a->type);
		assert_in_range(strlen(a->sentence), 10, sizeof ((struct why *)NULL)->text - 1); /* or it would be cut */
		for (const struct gql_absent *b = a + 1; b->type; b++)
			if (!strcmp(a->type, b->type) && !strcmp(a->field, b->field))
				fail_msg("%s.%s stands there twice", a->type, a->field);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_app_is_shown_in_each_of_the_forms_that_flyctl_reads, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(the_network_is_a_name_unless_it_is_the_default_one, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(what_is_not_there_is_said_in_the_words_that_flyctl_knows, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(machines_have_their_private_address, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(a_machines_configuration_is_that_of_its_other_view_and_no_secret_of_a_reader, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(a_reply_full_of_configurations_is_refused, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(lists_are_not_read_again_and_again, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(states_are_words_of_flys, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(apps_are_listed_page_after_page_and_a_cursor_is_for_its_list_alone, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(an_app_is_made_with_its_network_and_deleted, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(what_commands_read_on_their_way_is_empty_and_no_error, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(what_is_not_offered_is_named_to_whoever_asks, api_setup, api_teardown),
		cmocka_unit_test(the_table_of_what_is_not_offered_is_true),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
