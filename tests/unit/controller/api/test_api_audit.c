/* The audit through the API: every route that writes, and every GraphQL mutation, leaves rows that say who, what, before, after and V. */
#include "tests/unit/controller/api/gql_client.h"

#include "controller/store/store_audit.h"

/* A request per route that works in the world of the fixture, in this order. %i %a %p %t: instance, app id, peer, token. */
static const struct act {
	const char *method, *pattern, *target, *body;
	const char *verb, *noun; /* of the row that must be there */
	bool no_v;               /* it is no change of the log */
} acts[] = {
	{ "POST", "/v1/regions", "/v1/regions", "{\"name\":\"nrt\"}", "create", "region", false },
	{ "PATCH", "/v1/regions/{region}", "/v1/regions/nrt", "{\"city\":\"Narita\"}", "update", "region", false },
	{ "POST", "/v1/orgs", "/v1/orgs", "{\"name\":\"initech\"}", "create", "org", false },
	{ "PATCH", "/v1/orgs/{org}", "/v1/orgs/initech", "{\"suspended\":true}", "update", "org", false },
	{ "POST", "/v1/networks", "/v1/networks", "{\"org\":\"acme\",\"name\":\"staging\"}", "create", "network", false },
	{ "DELETE", "/v1/networks/{network}", "/v1/networks/acme%2Fstaging", NULL, "delete", "network", false },
	{ "POST", "/v1/apps", "/v1/apps", "{\"org\":\"acme\",\"name\":\"db\"}", "create", "app", false },
	{ "DELETE", "/v1/apps/{app}", "/v1/apps/acme%2Fdb", NULL, "delete", "app", false },
	{ "POST", "/v1/instances", "/v1/instances", "{\"app\":\"acme/web\",\"region\":\"ord\",\"command\":[\"/bin/true\"]}", "create", "instance", false },
	{ "PATCH", "/v1/instances/{instance}", "/v1/instances/%i", "{\"dns_skip\":true}", "update", "instance", false },
	{ "POST", "/v1/instances/{instance}/stop", "/v1/instances/%i/stop", NULL, "update", "instance", false },
	{ "POST", "/v1/instances/{instance}/start", "/v1/instances/%i/start", NULL, "update", "instance", false },
	{ "POST", "/v1/instances/{instance}/restart", "/v1/instances/%i/restart", NULL, "update", "instance", false },
	{ "POST", "/v1/apps/{app}/machines/{instance}/stop", "/v1/apps/web/machines/%i/stop", NULL, "update", "instance", false },
	{ "POST", "/v1/apps/{app}/machines/{instance}/start", "/v1/apps/web/machines/%i/start", NULL, "update", "instance", false },
	{ "POST", "/v1/apps/{app}/machines/{instance}/cordon", "/v1/apps/web/machines/%i/cordon", NULL, "update", "instance", false },
	{ "POST", "/v1/apps/{app}/machines/{instance}/uncordon", "/v1/apps/web/machines/%i/uncordon", NULL, "update", "instance", false },
	{ "POST", "/v1/apps/{app}/machines/{instance}/metadata/{key}", "/v1/apps/web/machines/%i/metadata/role", "{\"value\":\"db\"}", "update", "instance",
	  false },
	{ "PUT", "/v1/regions/{region}", "/v1/regions/fra", "{}", "create", "region", false },
	{ "PUT", "/v1/orgs/{org}", "/v1/orgs/hooli", "{}", "create", "org", false },
	{ "PUT", "/v1/orgs/{org}/networks/{network}", "/v1/orgs/hooli/networks/lab", NULL, "create", "network", false },
	{ "PUT", "/v1/orgs/{org}/apps/{app}", "/v1/orgs/hooli/apps/shop", "{}", "create", "app", false },
	{ "POST", "/v1/ips", "/v1/ips", "{\"app\":\"hooli/shop\"}", "create", "flycast", false },
	{ "POST", "/v1/users", "/v1/users", "{\"email\":\"ann@example.com\"}", "create", "user", false },
	{ "POST", "/v1/members", "/v1/members", "{\"org\":\"hooli\",\"user\":\"ann@example.com\",\"role\":\"read\"}", "create", "membership", false },
	{ "DELETE", "/v1/instances/{instance}", "/v1/instances/%i?force=1", NULL, "delete", "instance", false },
	{ "POST", "/v1/tokens", "/v1/tokens", "{\"org\":\"acme\",\"profile\":\"read\"}", "create", "token", false },
	{ "DELETE", "/v1/tokens/{token}", "/v1/tokens/%t", NULL, "revoke", "token", false },
	{ "POST", "/v1/node-tokens", "/v1/node-tokens", "{\"region\":\"ord\"}", "create", "node_token", false },
	{ "POST", "/v1/peers", "/v1/peers", "{\"org\":\"acme\",\"name\":\"office\",\"public_key\":\"hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=\"}", "create",
	  "peer", false },
	{ "PATCH", "/v1/peers/{peer}", "/v1/peers/%p", "{\"expires_in_s\":86400}", "update", "peer", false },
	{ "POST", "/v1/peers/{peer}/rekey", "/v1/peers/%p/rekey", "{\"public_key\":\"xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=\"}", "update", "peer_key",
	  false },
	{ "DELETE", "/v1/peers/{peer}", "/v1/peers/%p", NULL, "delete", "peer", false },
	{ "POST", "/v1/nodes/{node}/drain", "/v1/nodes/ord-1/drain", NULL, "update", "node", false },
	{ "POST", "/v1/nodes/{node}/undrain", "/v1/nodes/ord-1/undrain", NULL, "update", "node", false },
	{ "POST", "/v1/nodes/{node}/release-held", "/v1/nodes/ord-1/release-held", NULL, "release_held", "node", true },
	{ "DELETE", "/v1/nodes/{node}", "/v1/nodes/ord-1?force=1", NULL, "delete", "node", false },
	{ "DELETE", "/v1/regions/{region}", "/v1/regions/nrt", NULL, "delete", "region", false },
	{ "DELETE", "/v1/orgs/{org}", "/v1/orgs/globex", NULL, "delete", "org", false },
};

static void fill_in(const struct api_fixture *f, const char *target, char *ret, size_t size)
{
	const char *mark = strchr(target, '%');
	const char *what;

	if (!mark || !strchr("iapt", mark[1])) {
		snprintf(ret, size, "%s", target);
		return;
	}
	what = mark[1] == 'i' ? f->instance : mark[1] == 'a' ? f->app_id : mark[1] == 'p' ? f->peer_id : f->acme_token_id;
	snprintf(ret, size, "%.*s%s%s", (int)(mark - target), target, what, mark + 2);
}

static const char *request_of(const struct client_reply *r, char ret[20])
{
	const char *line = strcasestr(r->head, "\r\nSixpn-Request:");

	assert_non_null(line);
	assert_int_equal(sscanf(line + 16, " %16s", ret), 1);
	return ret;
}

/* All rows of that request, and the one with this verb and noun. */
static json_t *rows_of(struct api_fixture *f, const char *request, const char *verb, const char *noun, json_t **ret_one)
{
	struct client_reply r = ask(f, "GET", "/v1/audit?limit=200", f->operator_token, NULL);
	json_t *rows = json_array(), *row;
	size_t i;

	assert_int_equal(r.status, 200);
	*ret_one = NULL;
	json_array_foreach(json_object_get(r.json, "items"), i, row) {
		const char *of = json_string_value(json_object_get(row, "request"));

		if (!of || strcmp(of, request))
			continue;
		json_array_append(rows, row);
		if (!strcmp(json_string_value(json_object_get(row, "verb")), verb) && !strcmp(json_string_value(json_object_get(row, "noun")), noun))
			*ret_one = row;
	}
	client_reply_deinit(&r);
	return rows;
}

static void check_row(struct api_fixture *f, const struct act *act, const json_t *row)
{
	char who[64];
	const char *token = json_string_value(json_object_get(row, "token"));
	bool has_before = !json_is_null(json_object_get(row, "before")), has_after = !json_is_null(json_object_get(row, "after"));

	snprintf(who, sizeof who, "operator %.16s", f->operator_token + 4);
	assert_string_equal(json_string_value(json_object_get(row, "principal")), who);
	assert_non_null(token);
	assert_memory_equal(token, f->operator_token + 4, 16);
	assert_string_equal(json_string_value(json_object_get(row, "address")), "127.0.0.1");
	assert_int_equal(json_is_null(json_object_get(row, "v")), act->no_v);
	if (act->no_v)
		return;
	assert_int_equal(has_before, strcmp(act->verb, "create") != 0);
	assert_int_equal(has_after, strcmp(act->verb, "delete") != 0);
	assert_non_null(json_string_value(json_object_get(row, "id")));
}

static void perform(struct api_fixture *f, const struct act *act)
{
	char target[200], request[20];
	struct client_reply r;
	uint64_t before = f->v;
	json_t *rows, *one;

	f->base->time.now_ms += 1000; /* the org's writes per second are not what is tested here */
	fill_in(f, act->target, target, sizeof target);
	r = ask(f, act->method, target, f->operator_token, act->body);
	if (r.status < 200 || r.status > 299)
		fail_msg("%s %s: %d %s", act->method, target, r.status, r.body ? r.body : "");
	rows = rows_of(f, request_of(&r, request), act->verb, act->noun, &one);
	if (!one)
		fail_msg("%s %s: no row says %s %s", act->method, target, act->verb, act->noun);
	check_row(f, act, one);
	/* one row for each version that it made, no more and no less */
	if (!act->no_v)
		assert_int_equal(json_array_size(rows), f->v - before);
	json_decref(rows);
	client_reply_deinit(&r);
}

static void every_route_that_writes_leaves_its_rows(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r;

	for (size_t i = 0; i < ARRAY_LEN(acts); i++)
		perform(f, &acts[i]);
	r = ask(f, "GET", "/v1/audit/verify", f->operator_token, NULL);
	assert_int_equal(r.status, 200);
	assert_true(json_is_true(json_object_get(r.json, "whole")));
	client_reply_deinit(&r);
}

/* Of the routes that are not in the table above the store itself sees to it (an op without a row is undone); those that do not go
 * through the store must say what they are. */
static void every_write_goes_through_the_store_or_says_what_it_is(void **state)
{
	size_t walked = 0;

	(void)state;
	for (const struct route *route = route_next(NULL); route; route = route_next(route)) {
		bool known = false;

		if (!route->write)
			continue;
		for (size_t i = 0; i < ARRAY_LEN(acts); i++)
			known = known || (!strcmp(acts[i].method, route->method) && !strcmp(acts[i].pattern, route->pattern));
		walked += known;
		if (!known)
			print_message("not walked: %s %s\n", route->method, route->pattern);
		if (!route->run == !route->act)
			fail_msg("%s %s needs either run or act", route->method, route->pattern);
	}
	assert_int_equal(walked, ARRAY_LEN(acts)); /* each of the table is a route */
}

#define ADD "mutation($input: AddWireGuardPeerInput!) { addWireGuardPeer(input: $input) { peerip endpointip pubkey } }"
#define REMOVE "mutation($input: RemoveWireGuardPeerInput!) { removeWireGuardPeer(input: $input) { organization { id } } }"

static void graphql_mutations_leave_their_rows(void **state)
{
	struct api_fixture *f = *state;
	char request[20], variables[300];
	struct client_reply r;
	json_t *rows, *one;

	snprintf(variables, sizeof variables,
		 "{\"input\":{\"organizationId\":\"acme\",\"region\":\"ord\",\"name\":\"gql\",\"pubkey\":\"xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=\",\"network\":\"\"}}");
	r = gql(f, f->acme, ADD, variables);
	rows = rows_of(f, request_of(&r, request), "create", "peer", &one);
	if (!one)
		fail_msg("%s", r.body);
	assert_int_equal(json_array_size(rows), 2); /* the peer and its key */
	assert_memory_equal(json_string_value(json_object_get(one, "principal")), "token ", 6);
	assert_string_equal(json_string_value(json_object_get(one, "name")), "gql");
	assert_string_equal(json_string_value(json_object_get(one, "org")), "acme");
	json_decref(rows);
	client_reply_deinit(&r);
	r = gql(f, f->acme, REMOVE, "{\"input\":{\"organizationId\":\"acme\",\"name\":\"gql\"}}");
	rows = rows_of(f, request_of(&r, request), "delete", "peer", &one);
	if (!one)
		fail_msg("%s", r.body);
	json_decref(rows);
	client_reply_deinit(&r);
}

static uint64_t head_n(struct api_fixture *f)
{
	struct client_reply r = ask(f, "GET", "/v1/audit/head", f->operator_token, NULL);
	uint64_t n = (uint64_t)json_integer_value(json_object_get(r.json, "n"));

	assert_int_equal(r.status, 200);
	client_reply_deinit(&r);
	return n;
}

static void what_was_refused_or_only_tried_leaves_no_row(void **state)
{
	struct api_fixture *f = *state;
	uint64_t n = head_n(f);

	expect(f, "POST", "/v1/apps", f->operator_token, "{\"org\":\"acme\",\"name\":\"web\"}", 409, "name_taken");
	expect(f, "POST", "/v1/apps", f->acme_read, "{\"org\":\"acme\",\"name\":\"db\"}", 403, NULL);
	expect(f, "POST", "/v1/apps?dry_run=1", f->operator_token, "{\"org\":\"acme\",\"name\":\"db\"}", 200, NULL);
	expect(f, "POST", "/v1/nodes/ord-1/release-held?dry_run=1", f->operator_token, NULL, 200, NULL);
	assert_int_equal(head_n(f), n);
}

/* Its reply is kept although there is nothing to tell. */
static void a_write_with_an_idempotency_key_that_changes_nothing_is_no_forgotten_one(void **state)
{
	struct api_fixture *f = *state;

	for (int i = 0; i < 2; i++) {
		char header[64];
		struct client_reply r;

		snprintf(header, sizeof header, "Idempotency-Key: key-%d\r\n", i);
		r = ask_with(f, "POST", "/v1/nodes/ord-1/drain", f->operator_token, header, NULL);
		if (r.status != 200)
			fail_msg("%d %s", r.status, r.body);
		client_reply_deinit(&r);
	}
}

static void an_orgs_admin_reads_its_own_rows_and_a_reader_none(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r = ask(f, "GET", "/v1/audit", f->acme, NULL);
	json_t *row;
	size_t i;

	assert_int_equal(r.status, 200);
	assert_true(json_array_size(json_object_get(r.json, "items")) > 3);
	json_array_foreach(json_object_get(r.json, "items"), i, row)
		assert_string_equal(json_string_value(json_object_get(row, "org")), "acme");
	assert_null(strstr(r.body, "globex"));
	client_reply_deinit(&r);
	expect(f, "GET", "/v1/audit?org=globex", f->acme, NULL, 404, "org_not_found");
	expect(f, "GET", "/v1/audit", f->acme_read, NULL, 403, "forbidden");
	expect(f, "GET", "/v1/audit/head", f->acme, NULL, 403, "forbidden");
	expect(f, "GET", "/v1/audit/verify", f->acme, NULL, 403, "forbidden");
	expect(f, "GET", "/v1/audit?since=soon", f->acme, NULL, 400, "value_invalid");
}

static void verifying_names_the_first_bad_row_and_takes_a_known_head(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r = ask(f, "GET", "/v1/audit/head", f->operator_token, NULL);
	char target[200];

	snprintf(target, sizeof target, "/v1/audit/verify?head=%s", json_string_value(json_object_get(r.json, "head")));
	client_reply_deinit(&r);
	r = ask(f, "GET", target, f->operator_token, NULL);
	assert_true(json_is_true(json_object_get(r.json, "whole")));
	assert_string_equal(text_of(&r, "known_head"), "met");
	client_reply_deinit(&r);
	expect(f, "GET", "/v1/audit/verify?head=7", f->operator_token, NULL, 400, "value_invalid");
	api_stop(f); /* the store thread is not running while we are at the file */
	assert_int_equal(driver_exec(f->base->store->driver, "UPDATE audit SET verb = 'update' WHERE n = 4"), 0);
	api_start(f);
	r = ask(f, "GET", "/v1/audit/verify", f->operator_token, NULL);
	assert_int_equal(r.status, 200);
	assert_true(json_is_false(json_object_get(r.json, "whole")));
	assert_int_equal(json_integer_value(json_object_get(r.json, "bad_row")), 4);
	client_reply_deinit(&r);
}

#define T(name) cmocka_unit_test_setup_teardown(name, api_setup, api_teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(every_route_that_writes_leaves_its_rows),
		T(every_write_goes_through_the_store_or_says_what_it_is),
		T(graphql_mutations_leave_their_rows),
		T(what_was_refused_or_only_tried_leaves_no_row),
		T(a_write_with_an_idempotency_key_that_changes_nothing_is_no_forgotten_one),
		T(an_orgs_admin_reads_its_own_rows_and_a_reader_none),
		T(verifying_names_the_first_bad_row_and_takes_a_known_head),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
