/* The API end to end: principals, checks of bodies, nouns, waiting, and first start. */
#include "tests/unit/controller/api/api_fixture.h"

#include "controller/store/error.h"

static void without_a_valid_token_every_answer_is_the_same(void **state)
{
	struct api_fixture *f = *state;
	char wrong_secret[TOKEN_TEXT_SIZE], unknown[TOKEN_TEXT_SIZE];
	const char *const tokens[] = { NULL, "", "x", "fm1_abc", wrong_secret, unknown };
	char *first = NULL;

	strcpy(wrong_secret, f->acme);
	wrong_secret[TOKEN_TEXT_SIZE - 2] ^= 1;
	strcpy(unknown, f->acme);
	unknown[5] = unknown[5] == '0' ? '1' : '0';
	for (size_t i = 0; i < ARRAY_LEN(tokens); i++) {
		struct client_reply r = ask(f, "GET", "/v1/orgs", tokens[i], NULL);

		assert_int_equal(r.status, 401);
		assert_non_null(strstr(r.head, "WWW-Authenticate: Bearer"));
		json_object_del(json_object_get(r.json, "error"), "request");
		char *text = json_dumps(r.json, JSON_SORT_KEYS);
		if (first)
			assert_string_equal(text, first);
		else
			first = strdup(text);
		free(text);
		client_reply_deinit(&r);
	}
	free(first);
}

static void who_keeps_failing_has_to_wait_but_good_tokens_of_the_same_address_go_on(void **state)
{
	struct api_fixture *f = *state;
	char wrong[TOKEN_TEXT_SIZE];

	expect(f, "GET", "/v1/orgs", f->acme, NULL, 200, NULL);
	expect(f, "GET", "/v1/orgs", f->operator_token, NULL, 200, NULL);
	strcpy(wrong, f->acme);
	wrong[TOKEN_TEXT_SIZE - 2] ^= 1;
	for (int i = 0; i < AUTH_FAILURES_BURST; i++)
		expect(f, "GET", "/v1/orgs", wrong, NULL, 401, "unauthorized");
	expect(f, "GET", "/v1/orgs", wrong, NULL, 429, "rate_limited");
	expect(f, "GET", "/v1/orgs", f->acme, NULL, 200, NULL);
	f->base->time.now_ms += AUTH_CACHE_MS; /* those that the cache has forgotten, too */
	for (int i = 0; i < AUTH_FAILURES_BURST; i++)
		expect(f, "GET", "/v1/orgs", wrong, NULL, 401, "unauthorized");
	expect(f, "PATCH", "/v1/orgs/globex", f->operator_token, "{\"strict_region\":true}", 200, NULL);
	expect(f, "GET", "/v1/orgs", f->acme, NULL, 200, NULL);
	expect(f, "GET", "/v1/orgs", wrong, NULL, 429, "rate_limited");
	f->base->time.now_ms += 3000;
	expect(f, "GET", "/v1/orgs", wrong, NULL, 401, "unauthorized");
}

static void a_revoked_token_is_dead_with_the_reply(void **state)
{
	struct api_fixture *f = *state;
	char target[64];

	expect(f, "GET", "/v1/orgs", f->acme, NULL, 200, NULL); /* now it is in the cache */
	snprintf(target, sizeof target, "/v1/tokens/%s", f->acme_token_id);
	expect(f, "DELETE", target, f->operator_token, NULL, 200, NULL);
	expect(f, "GET", "/v1/orgs", f->acme, NULL, 401, "unauthorized");
}

static void paths_and_methods_that_are_not_there_are_told(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r = ask(f, "PUT", "/v1/regions", f->operator_token, "{}");

	assert_int_equal(r.status, 405);
	assert_non_null(strstr(r.head, "Allow: GET, POST\r\n"));
	assert_string_equal(client_error_code(&r), "method_not_allowed");
	client_reply_deinit(&r);
	expect(f, "GET", "/v1/nothing", f->operator_token, NULL, 404, "route_not_found");
	expect(f, "GET", "/", NULL, NULL, 404, "route_not_found");
	expect(f, "FOO", "/v1/regions", f->operator_token, NULL, 405, NULL);
}

static void bodies_are_checked_against_the_table(void **state)
{
	static const struct {
		const char *method, *target, *body;
		int status;
		const char *code;
	} rows[] = {
		{ "POST", "/v1/orgs", "{\"name\":\"x\",\"colour\":1}", 400, "field_unknown" },
		{ "POST", "/v1/orgs", "{\"name\":\"x\",\"a" "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9" /* its quote is cut within a letter */
		  "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
		  "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\":1}", 400, "field_unknown" },
		{ "POST", "/v1/orgs", "{}", 400, "field_missing" },
		{ "POST", "/v1/orgs", NULL, 400, "field_missing" },
		{ "POST", "/v1/orgs", "{\"name\":null}", 400, "field_missing" },
		{ "POST", "/v1/orgs", "{\"name\":5}", 400, "type_invalid" },
		{ "POST", "/v1/orgs", "{\"name\":\"x\",\"name\":\"y\"}", 400, "json_invalid" },
		{ "POST", "/v1/orgs", "[1]", 400, "json_invalid" },
		{ "POST", "/v1/orgs", "\"x\"", 400, "json_invalid" },
		{ "POST", "/v1/orgs", "{\"name\":\"x\"} trailing", 400, "json_invalid" },
		{ "POST", "/v1/orgs", "{\"name\":\"a\\u0000b\"}", 400, "json_invalid" },
		{ "POST", "/v1/orgs", "{\"name\":\"My_Org\"}", 400, "name_invalid" },
		{ "POST", "/v1/orgs", "{\"name\":\"acme\"}", 409, "name_taken" },
		{ "POST", "/v1/orgs?colour=red", "{\"name\":\"x\"}", 400, "field_unknown" },
		{ "POST", "/v1/orgs?dry_run=yes", "{\"name\":\"x\"}", 400, "value_invalid" },
		{ "POST", "/v1/orgs?strict=2", "{\"name\":\"x\"}", 400, "value_invalid" },
		{ "DELETE", "/v1/instances/00000000000000?force=on", NULL, 400, "value_invalid" },
		{ "GET", "/v1/orgs?limit=ten", NULL, 400, "value_invalid" },
		{ "GET", "/v1/orgs?limit=-1", NULL, 400, "value_invalid" },
		{ "GET", "/v1/orgs?limit=0", NULL, 400, "value_invalid" },
		{ "POST", "/v1/orgs?wait=soon", "{\"name\":\"x\"}", 400, "value_invalid" },
		{ "POST", "/v1/orgs?wait=applied&timeout=1y", "{\"name\":\"x\"}", 400, "field_invalid" },
		{ "POST", "/v1/orgs?wait=applied&timeout=3h", "{\"name\":\"x\"}", 400, "out_of_range" },
		{ "GET", "/v1/orgs", "{\"a\":1}", 400, "body_unexpected" },
		{ "POST", "/v1/regions", "{\"name\":\"xyz\",\"latitude\":91,\"longitude\":0}", 400, "out_of_range" },
		{ "POST", "/v1/regions", "{\"name\":\"xyz\",\"latitude\":9}", 400, "field_missing" },
		{ "POST", "/v1/regions", "{\"name\":\"xyz\"}", 400, "place_unknown" },
		{ "POST", "/v1/regions", "{\"name\":\"all\"}", 400, NULL },
		{ "POST", "/v1/node-tokens", "{\"region\":\"ord\",\"uses\":0}", 400, "out_of_range" },
		{ "POST", "/v1/node-tokens", "{\"region\":\"ord\",\"kind\":\"router\"}", 400, "value_invalid" },
		{ "POST", "/v1/node-tokens", "{\"region\":\"ord\",\"source\":\"10.0.0.0/33\"}", 400, "address_invalid" },
		{ "POST", "/v1/node-tokens", "{\"region\":\"ord\",\"expires\":\"yesterday\"}", 400, "value_invalid" },
		{ "POST", "/v1/instances", "{\"app\":\"acme/web\",\"region\":\"ord\"}", 400, "field_missing" },
		{ "POST", "/v1/instances", "{\"app\":\"acme/web\",\"command\":[\"/bin/x\"]}", 400, "field_missing" },
		{ "POST", "/v1/instances", "{\"app\":\"acme/web\",\"region\":\"ord\",\"command\":[]}", 400, "out_of_range" },
		{ "POST", "/v1/instances", "{\"app\":\"acme/web\",\"region\":\"ord\",\"command\":\"x\"}", 400, "type_invalid" },
		{ "POST", "/v1/instances", "{\"app\":\"acme/web\",\"region\":\"ord\",\"command\":[\"x\"],\"env\":{\"A\":1}}", 400, "type_invalid" },
		{ "POST", "/v1/instances", "{\"app\":\"acme/web\",\"region\":\"ord\",\"command\":[\"x\"],\"spec\":{\"command\":[\"x\"]}}", 400, "field_invalid" },
		{ "POST", "/v1/instances", "{\"app\":\"acme/web\",\"region\":\"ord\",\"spec\":{\"schema\":2,\"command\":[\"x\"]}}", 400, "out_of_range" },
		{ "POST", "/v1/instances", "{\"app\":\"acme/web\",\"region\":\"ord\",\"spec\":{\"command\":[\"x\"],\"cpu\":1}}", 400, "field_unknown" },
		{ "POST", "/v1/instances", "{\"app\":\"acme/web\",\"region\":\"ord\",\"command\":[\"x\"],\"files\":[{\"path\":\"/x\"}]}", 400, "type_invalid" },
		{ "POST", "/v1/instances", "{\"app\":\"acme/web\",\"region\":\"nrt\",\"command\":[\"x\"]}", 404, "region_not_found" },
		{ "PATCH", "/v1/orgs/acme", "{\"limits\":{\"cars\":1}}", 400, "quota_unknown" },
		{ "PATCH", "/v1/orgs/acme", "{\"limits\":{\"apps\":-1}}", 400, "out_of_range" },
		{ "POST", "/v1/ips", "{}", 400, "field_missing" },
		{ "POST", "/v1/ips", "{\"app\":7}", 400, "type_invalid" },
		{ "POST", "/v1/ips", "{\"app\":\"acme/web\",\"region\":\"ord\"}", 400, "field_unknown" },
		{ "POST", "/v1/ips", "{\"app\":\"acme/nosuch\"}", 404, "app_not_found" },
		{ "POST", "/v1/ips", "{\"app\":\"acme/web\",\"network\":\"nosuch\"}", 404, "network_not_found" },
		{ "POST", "/v1/ips", "{\"app\":\"acme/web\",\"network\":\"globex/default\"}", 400, "field_invalid" },
		{ "GET", "/v1/ips?app=nosuch", NULL, 404, "app_not_found" },
		{ "GET", "/v1/ips/fdaa::zz", NULL, 404, "ip_not_found" },
		{ "DELETE", "/v1/ips/%00", NULL, 400, "path_invalid" },
		{ "GET", "/v1/apps/web", NULL, 200, NULL },
	};
	struct api_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].code)
			assert_string_equal(error_find(rows[i].code)->code, rows[i].code);
		expect(f, rows[i].method, rows[i].target, f->operator_token, rows[i].body, rows[i].status, rows[i].code);
	}
}

/* Whoever sees one is told that nothing answers there. */
static void a_private_address_is_reserved_listed_and_released(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r = ask(f, "POST", "/v1/ips", f->acme, "{\"app\":\"web\"}"), list;
	char target[160], address[ADDR_TEXT_LEN];

	assert_int_equal(r.status, 201);
	assert_string_equal(json_string_value(json_object_get(r.json, "name")), "web.flycast");
	assert_string_equal(json_string_value(json_object_get(r.json, "type")), "private_v6");
	assert_string_equal(json_string_value(json_object_get(r.json, "network")), "default");
	assert_non_null(strstr(json_string_value(json_object_get(r.json, "note")), "nothing answers there yet"));
	snprintf(address, sizeof address, "%s", json_string_value(json_object_get(r.json, "address")));
	assert_non_null(strstr(address, ":0:1::3")); /* the fixture has the first */
	list = ask(f, "GET", "/v1/ips?app=web", f->acme, NULL);
	assert_int_equal(json_array_size(json_object_get(list.json, "items")), 2);
	client_reply_deinit(&list);
	list = ask(f, "GET", "/v1/ips", f->globex, NULL);
	assert_int_equal(json_array_size(json_object_get(list.json, "items")), 0);
	client_reply_deinit(&list);
	snprintf(target, sizeof target, "/v1/ips/%s?app=web", address);
	expect(f, "GET", target, f->acme, NULL, 200, NULL);
	expect(f, "DELETE", target, f->globex, NULL, 404, "app_not_found");
	expect(f, "DELETE", target, f->acme, NULL, 200, NULL);
	expect(f, "GET", target, f->acme, NULL, 404, "ip_not_found");
	client_reply_deinit(&r);
}

static void an_instance_lives_through_its_verbs(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r = ask(f, "POST", "/v1/instances", f->acme,
				    "{\"app\":\"web\",\"region\":\"ord\",\"command\":[\"/bin/web\",\"-p\",\"80\"],\"env\":{\"A\":\"b\"},"
				    "\"metadata\":{\"tier\":\"one\"},\"files\":[{\"path\":\"/etc/x\",\"content\":\"a\\nb\"}]}");
	char id[NAME_INSTANCE_ID_SIZE], target[64];

	assert_int_equal(r.status, 201);
	assert_int_equal(strlen(text_of(&r, "id")), 14);
	assert_int_equal(strncmp(text_of(&r, "address"), "fdaa:", 5), 0);
	assert_string_equal(text_of(&r, "desired"), "started");
	assert_string_equal(text_of(&r, "region"), "ord");
	assert_true(json_integer_value(json_object_get(r.json, "v")) > 0);
	assert_non_null(strstr(r.head, "Sixpn-Version: "));
	strcpy(id, text_of(&r, "id"));
	client_reply_deinit(&r);

	snprintf(target, sizeof target, "/v1/instances/%s/spec", id);
	r = ask(f, "GET", target, f->acme, NULL);
	assert_int_equal(r.status, 200);
	assert_int_equal(json_integer_value(json_object_get(r.json, "schema")), 1);
	assert_int_equal(json_array_size(json_object_get(r.json, "command")), 3);
	client_reply_deinit(&r);
	expect(f, "GET", target, f->acme_read, NULL, 403, "forbidden"); /* environments hold secrets */

	snprintf(target, sizeof target, "/v1/instances/%s/stop", id);
	r = ask(f, "POST", target, f->acme, NULL);
	assert_int_equal(r.status, 200);
	assert_string_equal(text_of(&r, "desired"), "stopped");
	client_reply_deinit(&r);
	snprintf(target, sizeof target, "/v1/instances/%s", id);
	expect(f, "PATCH", target, f->acme_read, "{\"dns_skip\":true}", 403, "forbidden");
	r = ask(f, "PATCH", target, f->acme, "{\"dns_skip\":true}");
	assert_int_equal(r.status, 200);
	assert_true(json_is_true(json_object_get(r.json, "dns_skip")));
	assert_string_equal(json_string_value(json_object_get(json_object_get(r.json, "metadata"), "tier")), "one");
	client_reply_deinit(&r);
	expect(f, "DELETE", target, f->acme, NULL, 200, NULL);
	r = ask(f, "GET", target, f->acme, NULL);
	assert_string_equal(text_of(&r, "desired"), "destroyed");
	client_reply_deinit(&r);
	r = ask(f, "GET", "/v1/instances?app=web&host=ord-1&region=ord", f->acme, NULL);
	assert_int_equal(json_array_size(json_object_get(r.json, "items")), 2);
	assert_true(json_is_null(json_object_get(r.json, "next")));
	client_reply_deinit(&r);
	r = ask(f, "GET", "/v1/instances?host=nowhere", f->acme, NULL);
	assert_int_equal(json_array_size(json_object_get(r.json, "items")), 0);
	client_reply_deinit(&r);
}

static void pin(struct api_fixture *f, const char *token, const char *where, int status, const char *code)
{
	char body[200];

	snprintf(body, sizeof body, "{\"app\":\"acme/web\",%s,\"command\":[\"/bin/true\"]}", where);
	expect(f, "POST", "/v1/instances", token, body, status, code);
}

static void an_operator_pins_an_instance_to_a_host_that_has_room(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r;

	make_region(f->base, "nrt");
	pin(f, f->operator_token, "\"host\":\"ord-9\"", 404, "node_not_found");
	pin(f, f->operator_token, "\"host\":\"ord-1\",\"region\":\"nrt\"", 409, "host_wrong_region");
	r = ask(f, "POST", "/v1/instances", f->operator_token,
		"{\"app\":\"acme/web\",\"host\":\"ord-1\",\"region\":\"ord\",\"command\":[\"/bin/true\"]}");
	assert_int_equal(r.status, 201);
	assert_string_equal(text_of(&r, "host"), "ord-1");
	client_reply_deinit(&r);
	/* it has two now */
	expect(f, "PATCH", "/v1/nodes/ord-1", f->operator_token, "{\"max_instances\":2}", 200, NULL);
	pin(f, f->operator_token, "\"host\":\"ord-1\"", 409, "host_full");
	pin(f, f->operator_token, "\"region\":\"ord\"", 409, "no_host"); /* nor is it found by its region */
	expect(f, "PATCH", "/v1/nodes/ord-1", f->operator_token, "{\"max_instances\":1}", 200, NULL); /* those that are there stay */
	pin(f, f->operator_token, "\"host\":\"ord-1\"", 409, "host_full");
	expect(f, "PATCH", "/v1/nodes/ord-1", f->operator_token, "{\"max_instances\":3}", 200, NULL);
	pin(f, f->operator_token, "\"host\":\"ord-1\"", 201, NULL);
	expect(f, "PATCH", "/v1/nodes/ord-1", f->operator_token, "{\"max_instances\":0}", 200, NULL);
	expect(f, "POST", "/v1/nodes/ord-1/drain", f->operator_token, NULL, 200, NULL);
	pin(f, f->operator_token, "\"host\":\"ord-1\"", 409, "host_draining");
	expect(f, "POST", "/v1/nodes/ord-1/undrain", f->operator_token, NULL, 200, NULL);
	f->none_lives = true;
	pin(f, f->operator_token, "\"host\":\"ord-1\"", 409, "host_not_live");
	f->none_lives = false;
	expect(f, "PATCH", "/v1/nodes/ord-1", f->acme, "{\"max_instances\":1}", 403, "forbidden");
	/* a customer's neighbours are not for him to choose, whether the host is there or not */
	pin(f, f->acme, "\"host\":\"ord-1\"", 403, "forbidden");
	pin(f, f->acme, "\"host\":\"ord-9\"", 403, "forbidden");
}

static void wait_applied_tells_where_a_change_is(void **state)
{
	struct api_fixture *f = *state;
	char target[96];
	struct client_reply r;

	f->wait_result = (struct api_wait_result){ .applied = true, .nodes = 3, .v_observed = 99, .observed = "stopped" };
	snprintf(target, sizeof target, "/v1/instances/%s/stop?wait=applied&timeout=2s&on=ord-1", f->instance);
	r = ask(f, "POST", target, f->acme, NULL);
	assert_int_equal(r.status, 200);
	assert_true(json_is_true(json_object_get(r.json, "applied")));
	assert_int_equal(json_integer_value(json_object_get(r.json, "v")), (json_int_t)f->v);
	assert_int_equal(json_integer_value(json_object_get(r.json, "v_observed")), 99);
	assert_string_equal(f->last_wait.instance, f->instance);
	assert_int_equal(f->last_wait.desired, DESIRED_STOPPED);
	assert_int_equal(f->last_wait.timeout_ms, 2000);
	assert_string_equal(f->last_wait.on, "ord-1");
	client_reply_deinit(&r);

	f->wait_result = (struct api_wait_result){ .nodes = 3, .n_laggards = 1, .laggards = { "ord-1" }, .n_unknown = 1, .unknown = { "nrt-1" } };
	r = ask(f, "POST", "/v1/orgs?wait=applied", f->operator_token, "{\"name\":\"initech\"}");
	assert_int_equal(r.status, 202);
	assert_true(json_is_false(json_object_get(r.json, "applied")));
	assert_string_equal(json_string_value(json_array_get(json_object_get(r.json, "laggards"), 0)), "ord-1");
	assert_string_equal(json_string_value(json_array_get(json_object_get(r.json, "unknown"), 0)), "nrt-1");
	client_reply_deinit(&r);
	expect(f, "GET", "/v1/orgs/initech", f->operator_token, NULL, 200, NULL); /* the write stands */
}

#define KEY_A "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="
#define KEY_B "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08="

/* One good call of each writing route, in an order in which all are good. $ is the id of what was made just before, @ the instance. */
static const struct {
	const char *method, *pattern, *target, *body;
} writes[] = {
	{ "POST", "/v1/rules/{rule}/accept", "/v1/rules/$/accept", "{}" }, /* of what acme proposed before */
	{ "DELETE", "/v1/rules/{rule}", "/v1/rules/$", NULL },
	{ "POST", "/v1/rules", "/v1/rules", "{\"from_org\":\"globex\",\"from_network\":\"default\",\"to_org\":\"acme\",\"to_app\":\"web\"}" },
	{ "POST", "/v1/regions", "/v1/regions", "{\"name\":\"nrt\"}" },
	{ "PATCH", "/v1/regions/{region}", "/v1/regions/nrt", "{\"city\":\"Tokyo\"}" },
	{ "DELETE", "/v1/regions/{region}", "/v1/regions/nrt", NULL },
	{ "POST", "/v1/orgs", "/v1/orgs", "{\"name\":\"initech\"}" },
	{ "PATCH", "/v1/orgs/{org}", "/v1/orgs/initech", "{\"suspended\":true}" },
	{ "DELETE", "/v1/orgs/{org}", "/v1/orgs/initech", NULL },
	{ "PUT", "/v1/regions/{region}", "/v1/regions/fra", "{}" },
	{ "PUT", "/v1/orgs/{org}", "/v1/orgs/hooli", "{\"strict_region\":true}" },
	{ "PUT", "/v1/orgs/{org}/networks/{network}", "/v1/orgs/acme/networks/blue", NULL },
	{ "PUT", "/v1/orgs/{org}/apps/{app}", "/v1/orgs/acme/apps/kept", "{\"network\":\"blue\"}" },
	{ "PUT", "/v1/orgs/{org}/peers/{peer}", "/v1/orgs/acme/peers/tablet", "{\"public_key\":\"" KEY_B "\"}" },
	{ "DELETE", "/v1/peers/{peer}", "/v1/peers/tablet?org=acme", NULL },
	{ "POST", "/v1/networks", "/v1/networks", "{\"org\":\"acme\",\"name\":\"staging\"}" },
	{ "DELETE", "/v1/networks/{network}", "/v1/networks/staging?org=acme", NULL },
	{ "POST", "/v1/apps", "/v1/apps", "{\"org\":\"acme\",\"name\":\"shop\"}" },
	{ "POST", "/v1/users", "/v1/users", "{\"email\":\"ann@example.net\"}" },
	{ "POST", "/v1/members", "/v1/members", "{\"org\":\"acme\",\"user\":\"ann@example.net\",\"role\":\"read\"}" },
	{ "PATCH", "/v1/members/{member}", "/v1/members/ann%40example.net?org=acme", "{\"role\":\"admin\"}" },
	{ "DELETE", "/v1/members/{member}", "/v1/members/ann%40example.net?org=acme", NULL },
	{ "DELETE", "/v1/users/{user}", "/v1/users/ann%40example.net", NULL },
	{ "POST", "/v1/ips", "/v1/ips", "{\"app\":\"acme/shop\"}" },
	{ "DELETE", "/v1/ips/{ip}", "/v1/ips/$", NULL },
	{ "DELETE", "/v1/apps/{app}", "/v1/apps/shop?org=acme", NULL },
	{ "POST", "/v1/apps/{app}/machines", "/v1/apps/web/machines", "{\"config\":{\"image\":\"nginx\"}}" },
	{ "DELETE", "/v1/apps/{app}/machines/{instance}", "/v1/apps/web/machines/$?kill=true", NULL },
	{ "POST", "/v1/apps/{app}/ip_assignments", "/v1/apps/web/ip_assignments", "{\"type\":\"private_v6\"}" },
	{ "DELETE", "/v1/apps/{app}/ip_assignments/{ip}", "/v1/apps/web/ip_assignments/$", NULL },
	{ "POST", "/v1/apps/{app}/machines/{instance}", "/v1/apps/web/machines/@", "{\"config\":{\"image\":\"nginx\"}}" },
	{ "POST", "/v1/apps/{app}/machines/{instance}/stop", "/v1/apps/web/machines/@/stop", NULL },
	{ "POST", "/v1/apps/{app}/machines/{instance}/start", "/v1/apps/web/machines/@/start", NULL },
	{ "POST", "/v1/apps/{app}/machines/{instance}/restart", "/v1/apps/web/machines/@/restart", NULL },
	{ "POST", "/v1/apps/{app}/machines/{instance}/cordon", "/v1/apps/web/machines/@/cordon", NULL },
	{ "POST", "/v1/apps/{app}/machines/{instance}/uncordon", "/v1/apps/web/machines/@/uncordon", NULL },
	{ "POST", "/v1/apps/{app}/machines/{instance}/metadata/{key}", "/v1/apps/web/machines/@/metadata/color", "{\"value\":\"red\"}" },
	{ "DELETE", "/v1/apps/{app}/machines/{instance}/metadata/{key}", "/v1/apps/web/machines/@/metadata/color", NULL },
	{ "POST", "/v1/tokens", "/v1/tokens", "{\"org\":\"acme\"}" },
	{ "DELETE", "/v1/tokens/{token}", "/v1/tokens/$", NULL },
	{ "POST", "/v1/node-tokens", "/v1/node-tokens", "{\"region\":\"ord\"}" },
	{ "DELETE", "/v1/node-tokens/{token}", "/v1/node-tokens/$", NULL },
	{ "POST", "/v1/instances", "/v1/instances", "{\"app\":\"acme/web\",\"region\":\"ord\",\"command\":[\"/bin/true\"]}" },
	{ "PATCH", "/v1/instances/{instance}", "/v1/instances/@", "{\"dns_skip\":true}" },
	{ "POST", "/v1/instances/{instance}/stop", "/v1/instances/@/stop", NULL },
	{ "POST", "/v1/instances/{instance}/start", "/v1/instances/@/start", NULL },
	{ "POST", "/v1/instances/{instance}/restart", "/v1/instances/@/restart", NULL },
	{ "POST", "/v1/apps/{app}/machines/{instance}/lease", "/v1/apps/web/machines/@/lease?ttl=0", NULL },
	{ "DELETE", "/v1/instances/{instance}", "/v1/instances/@", NULL },
	{ "POST", "/v1/peers", "/v1/peers", "{\"org\":\"acme\",\"name\":\"phone\",\"public_key\":\"" KEY_A "\"}" },
	{ "PATCH", "/v1/peers/{peer}", "/v1/peers/acme%2Fphone", "{\"expires_in_s\":60}" },
	{ "POST", "/v1/peers/{peer}/rekey", "/v1/peers/phone/rekey?org=acme", "{\"public_key\":\"" KEY_B "\"}" },
	{ "POST", "/v1/peers/{peer}/move", "/v1/peers/phone/move?org=acme", "{\"region\":\"ord\"}" },
	{ "POST", "/v1/peers/prune", "/v1/peers/prune", "{\"org\":\"acme\"}" },
	{ "DELETE", "/v1/peers/{peer}", "/v1/peers/phone?org=acme", NULL },
	{ "DELETE", "/v1/peers/{peer}", "/v1/peers/laptop?org=acme", NULL },
	{ "POST", "/v1/nodes/{node}/move-peers", "/v1/nodes/ord-1/move-peers", "{\"region\":\"ord\"}" },
	{ "PATCH", "/v1/nodes/{node}", "/v1/nodes/ord-1", "{\"max_instances\":9}" },
	{ "POST", "/v1/nodes/{node}/drain", "/v1/nodes/ord-1/drain", NULL },
	{ "POST", "/v1/nodes/{node}/undrain", "/v1/nodes/ord-1/undrain", NULL },
	{ "POST", "/v1/nodes/{node}/release-held", "/v1/nodes/ord-1/release-held", NULL },
	{ "DELETE", "/v1/nodes/{node}", "/v1/nodes/ord-1?force=1", NULL },
};

static bool is_in_writes(const struct route *route)
{
	if (!strcmp(route->method, "DELETE") && strstr(route->pattern, "/lease"))
		return true; /* needs the nonce of its creation: test_flaps_more */
	for (size_t i = 0; i < ARRAY_LEN(writes); i++)
		if (!strcmp(writes[i].method, route->method) && !strcmp(writes[i].pattern, route->pattern))
			return true;
	return false;
}

static void g16_every_write_can_wait_and_says_where_it_is(void **state)
{
	static const char *const fields[] = { "v", "applied", "nodes", "unknown", "laggards", "held", "errors", "counts" };
	struct api_fixture *f = *state;
	char id[64] = "";
	struct client_reply proposal;

	expect(f, "POST", "/v1/apps", f->globex, "{\"name\":\"db\"}", 201, NULL);
	proposal = ask(f, "POST", "/v1/rules", f->acme, "{\"from_app\":\"web\",\"to_org\":\"globex\",\"to_app\":\"db\"}");
	snprintf(id, sizeof id, "%s", text_of(&proposal, "id"));
	client_reply_deinit(&proposal);
	/* start: changes no record; manner: waits, but says it in its own way */
	for (const struct route *route = route_next(NULL); route; route = route_next(route))
		if (route->write && !route->start && !route->manner && route->auth != ROUTE_LOCAL && !is_in_writes(route))
			fail_msg("%s %s is not in the table of this test", route->method, route->pattern);
	for (size_t i = 0; i < ARRAY_LEN(writes); i++) {
		const char *t = writes[i].target, *mark = strpbrk(t, "$@");
		char target[256], header[64];
		struct client_reply r;

		snprintf(target, sizeof target, "%.*s%s%s%swait=applied&timeout=3s&strict=1&on=ord-1", (int)(mark ? mark - t : (long)strlen(t)), t,
			 !mark ? "" : *mark == '@' ? f->instance : id, mark ? mark + 1 : "", strchr(t, '?') ? "&" : "?");
		f->waits = 0;
		r = ask(f, writes[i].method, target, f->operator_token, writes[i].body);
		if (r.status != 200 && r.status != 201)
			fail_msg("%s %s: %d %s", writes[i].method, target, r.status, r.body ? r.body : "");
		if (f->waits != 1)
			fail_msg("%s %s does not wait", writes[i].method, target);
		assert_int_equal(f->last_wait.timeout_ms, 3000);
		assert_true(f->last_wait.strict);
		assert_string_equal(f->last_wait.on, "ord-1");
		assert_int_equal(f->last_wait.v, f->v);
		for (size_t k = 0; k < ARRAY_LEN(fields); k++)
			if (!json_object_get(r.json, fields[k]))
				fail_msg("%s %s says no %s", writes[i].method, target, fields[k]);
		snprintf(header, sizeof header, "Sixpn-Version: %llu", (unsigned long long)f->v);
		assert_non_null(strcasestr(r.head, header));
		snprintf(id, sizeof id, "%s", text_of(&r, "id"));
		client_reply_deinit(&r);
	}
}

static void g16_who_did_not_wait_can_ask_later(void **state)
{
	struct api_fixture *f = *state;
	char target[128];
	struct client_reply r;

	f->wait_result = (struct api_wait_result){ .applied = true, .nodes = 1, .observed = "stopped" };
	snprintf(target, sizeof target, "/v1/wait?v=%llu&first_v=2&timeout=1s&instance=%s", (unsigned long long)f->v, f->instance);
	r = ask(f, "GET", target, f->acme, NULL);
	assert_int_equal(r.status, 200);
	assert_int_equal(f->last_wait.v, f->v);
	assert_int_equal(f->last_wait.first_v, 2);
	assert_string_equal(f->last_wait.instance, f->instance);
	client_reply_deinit(&r);
	r = ask(f, "GET", target, f->globex, NULL); /* another's instance is none */
	assert_int_equal(r.status, 200);
	assert_string_equal(f->last_wait.instance, "");
	client_reply_deinit(&r);
	snprintf(target, sizeof target, "/v1/wait?v=%llu", (unsigned long long)f->v + 1);
	expect(f, "GET", target, f->acme, NULL, 400, "out_of_range");
	expect(f, "GET", "/v1/wait?v=x", f->acme, NULL, 400, "value_invalid");
	expect(f, "GET", "/v1/wait?instance=x", f->acme, NULL, 400, NULL);
	f->wait_result.applied = false;
	expect(f, "GET", "/v1/wait", f->acme, NULL, 202, NULL);
	assert_int_equal(f->last_wait.v, f->v);
	snprintf(target, sizeof target, "/v1/instances/%s/stop?wait=applied&strict=1&on=ord-1", f->instance);
	r = ask(f, "POST", target, f->acme, NULL); /* what its time was too short for goes on where it says */
	assert_int_equal(r.status, 202);
	snprintf(target, sizeof target, "%s&timeout=5s", text_of(&r, "continue"));
	client_reply_deinit(&r);
	expect(f, "GET", target, f->acme, NULL, 202, NULL);
	assert_string_equal(f->last_wait.instance, f->instance);
	assert_int_equal(f->last_wait.desired, DESIRED_STOPPED);
	assert_int_equal(f->last_wait.timeout_ms, 5000);
	assert_string_equal(f->last_wait.on, "ord-1");
	assert_true(f->last_wait.strict);
}

static void g16_errors_and_held_deletes_are_lists(void **state)
{
	struct api_fixture *f = *state;
	struct api_wait_result *w = &f->wait_result;
	struct client_reply r;
	json_t *one;

	*w = (struct api_wait_result){ .applied = true, .nodes = 2, .n_errors = 2, .n_held = API_WAIT_RECORDS_MAX + 5 };
	for (size_t i = 0; i < 2; i++)
		w->errors[i] = (struct api_wait_record){ .node = "ord-1", .error = { .record = "network 1", .text = "full" } };
	for (size_t i = 0; i < API_WAIT_RECORDS_MAX; i++)
		w->held[i] = (struct api_wait_record){ .node = "nrt-1", .error = { .record = "app 2" } };
	r = ask(f, "POST", "/v1/orgs?wait=applied", f->operator_token, "{\"name\":\"initech\"}");
	one = json_array_get(json_object_get(r.json, "errors"), 1);
	assert_string_equal(json_string_value(json_object_get(one, "node")), "ord-1");
	assert_string_equal(json_string_value(json_object_get(one, "record")), "network 1");
	assert_string_equal(json_string_value(json_object_get(one, "text")), "full");
	assert_int_equal(json_array_size(json_object_get(r.json, "held")), API_WAIT_RECORDS_MAX);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(r.json, "counts"), "held")), API_WAIT_RECORDS_MAX + 5);
	client_reply_deinit(&r);
}

static void g21_a_release_is_for_operators_and_names_what_it_released(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r;

	expect(f, "POST", "/v1/nodes/ord-1/release-held", f->acme, NULL, 403, "forbidden");
	expect(f, "POST", "/v1/nodes/nrt-9/release-held", f->operator_token, NULL, 404, "node_not_found");
	expect(f, "POST", "/v1/nodes/ord-1/release-held?dry_run=1", f->operator_token, NULL, 200, NULL);
	assert_int_equal(f->releases, 0);
	f->held = 60;
	r = ask(f, "POST", "/v1/nodes/ord-1/release-held?wait=applied", f->operator_token, NULL);
	assert_int_equal(r.status, 200);
	assert_int_equal(json_integer_value(json_object_get(r.json, "released")), 60);
	assert_true(f->last_wait.released);
	assert_string_equal(f->last_wait.on, "ord-1");
	client_reply_deinit(&r);
	f->held = -EOPNOTSUPP;
	expect(f, "POST", "/v1/nodes/ord-1/release-held", f->operator_token, NULL, 409, "node_too_old");
}

/* Keys and texts of records are told to who may see those records. */
static void a_wait_names_no_records_of_changes_that_are_not_the_askers(void **state)
{
	struct api_fixture *f = *state;
	char own[128], target[128];
	struct client_reply r;
	uint64_t v;

	f->wait_result = (struct api_wait_result){ .applied = true, .nodes = 1 };
	r = ask(f, "POST", "/v1/apps?wait=applied", f->acme, "{\"name\":\"whose\"}");
	assert_int_equal(r.status, 201);
	assert_false(f->last_wait.foreign);
	v = f->last_wait.v;
	snprintf(own, sizeof own, "/v1/wait?v=%llu&first_v=%llu", (unsigned long long)v, (unsigned long long)f->last_wait.first_v);
	client_reply_deinit(&r);
	for (int as_operator = 0; as_operator < 2; as_operator++) {
		const char *token = as_operator ? f->operator_token : f->acme;

		r = ask(f, "GET", own, token, NULL);
		assert_false(f->last_wait.foreign);
		client_reply_deinit(&r);
		snprintf(target, sizeof target, "/v1/wait?v=%llu&first_v=1&released=1", (unsigned long long)v);
		r = ask(f, "GET", target, token, NULL);
		assert_int_equal(f->last_wait.foreign, !as_operator);
		assert_int_equal(f->last_wait.released, as_operator);
		client_reply_deinit(&r);
		r = ask(f, "GET", "/v1/wait", token, NULL);
		assert_int_equal(f->last_wait.foreign, !as_operator);
		client_reply_deinit(&r);
	}
	r = ask(f, "GET", own, f->globex, NULL);
	assert_true(f->last_wait.foreign);
	client_reply_deinit(&r);
}

static void a_refused_write_does_not_wait_and_a_dry_run_changes_nothing(void **state)
{
	struct api_fixture *f = *state;
	uint64_t v = f->v;
	struct client_reply r;

	expect(f, "POST", "/v1/orgs?wait=applied", f->operator_token, "{\"name\":\"acme\"}", 409, "name_taken");
	assert_int_equal(f->waits, 0);
	r = ask(f, "POST", "/v1/tokens?dry_run=1", f->operator_token, "{\"org\":\"acme\"}");
	assert_int_equal(r.status, 200);
	assert_true(json_is_true(json_object_get(r.json, "dry_run")));
	assert_null(json_object_get(r.json, "token"));
	client_reply_deinit(&r);
	expect(f, "POST", "/v1/apps?dry_run=1&wait=applied", f->acme, "{\"name\":\"shop\"}", 200, NULL);
	expect(f, "GET", "/v1/apps/shop", f->acme, NULL, 404, "app_not_found");
	assert_int_equal(f->waits, 0);
	assert_int_equal(f->v, v);
}

static void secrets_of_join_tokens_come_once_and_whole(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r = ask(f, "POST", "/v1/node-tokens", f->operator_token, "{\"region\":\"ord\",\"uses\":4,\"kind\":\"host,gateway\"}");
	const char *text = text_of(&r, "token");

	assert_int_equal(r.status, 201);
	assert_int_equal(strncmp(text, "sixpn1.", 7), 0);
	assert_non_null(strstr(text, "@192.0.2.10:4281"));
	assert_non_null(strstr(text, ".010203"));
	client_reply_deinit(&r);
	r = ask(f, "GET", "/v1/node-tokens", f->operator_token, NULL);
	assert_int_equal(r.status, 200);
	assert_null(strstr(r.body, "sixpn1."));
	assert_null(strstr(r.body, "secret"));
	client_reply_deinit(&r);
}

static void tokens_come_once_and_are_never_stronger_than_their_maker(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r = ask(f, "POST", "/v1/tokens", f->operator_token, "{\"org\":\"acme\",\"profile\":\"deploy\",\"expires\":\"1h\"}");
	char token[TOKEN_TEXT_SIZE];

	assert_int_equal(r.status, 201);
	snprintf(token, sizeof token, "%s", text_of(&r, "token"));
	client_reply_deinit(&r);
	expect(f, "POST", "/v1/apps", token, "{\"name\":\"shop\"}", 201, NULL);
	expect(f, "POST", "/v1/tokens", token, "{\"profile\":\"admin\"}", 403, "forbidden");
	expect(f, "POST", "/v1/tokens", f->acme, "{\"kind\":\"operator\"}", 403, "forbidden");
	r = ask(f, "GET", "/v1/tokens", f->acme, NULL);
	assert_null(strstr(r.body, "sx1_"));
	client_reply_deinit(&r);
	f->base->time.now_ms += 3600001;
	expect(f, "GET", "/v1/apps", token, NULL, 401, "unauthorized");
}

static void first_start_makes_one_operator_once_and_only_locally(void **state)
{
	struct api_fixture *f = *state;
	char token[TOKEN_TEXT_SIZE];
	struct client_reply r;

	expect(f, "POST", "/v1/init", NULL, "{}", 403, "forbidden");
	r = ask_locally(f, "POST", "/v1/init?wait=applied", "{\"region\":\"ord\"}");
	assert_int_equal(r.status, 201);
	assert_int_equal(f->waits, 1);
	snprintf(token, sizeof token, "%s", text_of(&r, "token"));
	assert_string_equal(json_string_value(json_object_get(json_object_get(r.json, "region"), "name")), "ord");
	client_reply_deinit(&r);
	expect(f, "GET", "/v1/regions/ord", token, NULL, 200, NULL);
	r = ask_locally(f, "POST", "/v1/init", "{}");
	assert_int_equal(r.status, 409);
	assert_string_equal(client_error_code(&r), "already_initialized");
	client_reply_deinit(&r);
	r = client_ask(f->loop, 0, f->socket, "POST", "/v1/init", token, "{}"); /* a saved context is no hindrance */
	assert_int_equal(r.status, 409);
	client_reply_deinit(&r);
	r = ask_locally(f, "GET", "/v1/status", NULL);
	assert_int_equal(r.status, 200);
	client_reply_deinit(&r);
}

static void status_and_nodes_show_what_memory_knows(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r = ask(f, "GET", "/v1/status", f->operator_token, NULL);

	assert_int_equal(r.status, 200);
	assert_true(json_is_true(json_object_get(r.json, "healthy")));
	assert_int_equal(json_integer_value(json_object_get(r.json, "v")), (json_int_t)f->v);
	client_reply_deinit(&r);
	r = ask(f, "GET", "/v1/nodes", f->operator_token, NULL);
	assert_int_equal(json_array_size(json_object_get(r.json, "items")), 1);
	client_reply_deinit(&r);
	expect(f, "GET", "/v1/status", f->acme, NULL, 403, "forbidden");
	expect(f, "GET", "/v1/healthz", NULL, NULL, 200, NULL);
	expect(f, "GET", "/v1/version", NULL, NULL, 200, NULL);
	expect(f, "GET", "/v1/whoami", f->acme, NULL, 200, NULL);
}

static void an_org_that_writes_too_fast_is_told_to_wait(void **state)
{
	struct api_fixture *f = *state;
	int refused = 0;

	expect(f, "PATCH", "/v1/orgs/acme", f->operator_token, "{\"limits\":{\"writes\":3}}", 200, NULL);
	for (int i = 0; i < 6; i++) {
		struct client_reply r = ask(f, "POST", "/v1/apps", f->acme, "{\"name\":\"web\"}");

		refused += r.status == 429;
		client_reply_deinit(&r);
	}
	assert_int_equal(refused, 3);
	expect(f, "GET", "/v1/apps", f->acme, NULL, 200, NULL);
}

static void fake_metrics(void *ctx, const struct http_stats *http, struct buf *text)
{
	(void)ctx;
	assert_non_null(http);
	buf_add_str(text, "sixpn_x 1\n");
}

static int ask_raw(struct api_fixture *f, const char *headers)
{
	struct client_reply r;
	int fd = client_connect(f->port), status;
	char text[300];

	snprintf(text, sizeof text, "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n%s\r\n", headers);
	client_send(fd, text, strlen(text));
	r = client_receive(f->loop, fd);
	status = r.status;
	if (status == 200) {
		assert_string_equal(r.body, "sixpn_x 1\n");
		assert_non_null(strstr(r.head, "text/plain; version=0.0.4"));
	} else {
		assert_null(strstr(r.body, "sixpn_x"));
	}
	client_reply_deinit(&r);
	close(fd);
	return status;
}

static void metrics_are_for_operators_and_for_this_machine_itself(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r;

	f->ops.metrics = fake_metrics;
	expect(f, "GET", "/metrics", f->acme, NULL, 403, "forbidden");
	expect(f, "GET", "/metrics", "sx1_0000000000000000_wrong", NULL, 401, "unauthorized");
	assert_int_equal(ask_raw(f, "X-Forwarded-For: 192.0.2.1\r\n"), 401); /* a proxy on loopback asks for the whole world */
	assert_int_equal(ask_raw(f, "Forwarded: for=192.0.2.1\r\n"), 401);
	assert_int_equal(ask_raw(f, "Via: 1.1 proxy\r\n"), 401);
	assert_int_equal(ask_raw(f, ""), 200);
	r = ask(f, "GET", "/metrics", f->operator_token, NULL);
	assert_int_equal(r.status, 200);
	client_reply_deinit(&r);
	r = ask_locally(f, "GET", "/metrics", NULL);
	assert_int_equal(r.status, 200);
	client_reply_deinit(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, api_setup, api_teardown)
		T(without_a_valid_token_every_answer_is_the_same),
		T(who_keeps_failing_has_to_wait_but_good_tokens_of_the_same_address_go_on),
		T(a_revoked_token_is_dead_with_the_reply),
		T(metrics_are_for_operators_and_for_this_machine_itself),
		T(paths_and_methods_that_are_not_there_are_told),
		T(bodies_are_checked_against_the_table),
		T(a_private_address_is_reserved_listed_and_released),
		T(an_instance_lives_through_its_verbs),
		T(an_operator_pins_an_instance_to_a_host_that_has_room),
		T(wait_applied_tells_where_a_change_is),
		T(g16_every_write_can_wait_and_says_where_it_is),
		T(g16_who_did_not_wait_can_ask_later),
		T(a_wait_names_no_records_of_changes_that_are_not_the_askers),
		T(g16_errors_and_held_deletes_are_lists),
		T(g21_a_release_is_for_operators_and_names_what_it_released),
		T(a_refused_write_does_not_wait_and_a_dry_run_changes_nothing),
		T(secrets_of_join_tokens_come_once_and_whole),
		T(tokens_come_once_and_are_never_stronger_than_their_maker),
		cmocka_unit_test_setup_teardown(first_start_makes_one_operator_once_and_only_locally, api_setup_empty, api_teardown),
		T(status_and_nodes_show_what_memory_knows),
		T(an_org_that_writes_too_fast_is_told_to_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
