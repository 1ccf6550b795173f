/* Tokens as flyctl asks for them, and what holders of delegated WireGuard tokens do with theirs. */
#include "tests/unit/controller/api/gql_client.h"

#include "controller/store/store_user.h"

#define KEY_A "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="
#define KEY_B "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08="
#define CREATE                                                                                                                                    \
	"mutation($input: CreateDelegatedWireGuardTokenInput!) { createDelegatedWireGuardToken(input: $input) { token } }"
#define DELETE                                                                                                                                    \
	"mutation($input: DeleteDelegatedWireGuardTokenInput!) { deleteDelegatedWireGuardToken(input: $input) { token } }"
#define LIST "query($slug: String!) { organization(slug: $slug) { delegatedWireGuardTokens { nodes { name } } } }"
#define LIMITED                                                                                                                                   \
	"query ($slug: String!) { orgLimitedAccessTokens: organization(slug: $slug) { limitedAccessTokens { nodes { id name expiresAt revokedAt " \
	"user { email } } } } }"
#define REVOKE "mutation($input:DeleteLimitedAccessTokenInput!) { deleteLimitedAccessToken(input: $input) { token } }"
#define MAKE_LIMITED                                                                                                                              \
	"mutation CreateLimitedAccessToken($name: String!, $organizationId: ID!, $profile: String!, $profileParams: JSON, $expiry: String) "      \
	"{ createLimitedAccessToken(input: {name: $name, organizationId: $organizationId, profile: $profile, profileParams: $profileParams, "     \
	"expiry: $expiry}) { limitedAccessToken { tokenHeader } } }"
#define W1 "query($slug: String!) { organization(slug: $slug) { wireGuardPeers { nodes { id name pubkey region peerip } } } }"
#define W4 "mutation($input: RemoveWireGuardPeerInput!) { removeWireGuardPeer(input: $input) { organization { id } } }"
#define ACME "{\"slug\":\"acme\"}"
#define PEERS "/api/v3/wire_guard_peers"

static void make_delegated(struct api_fixture *f, const char *name, char ret_token[TOKEN_TEXT_SIZE])
{
	char input[256];
	struct client_reply r;

	snprintf(input, sizeof input, "{\"input\":{\"organizationId\":\"%s\",\"name\":\"%s\"}}", f->org_id, name);
	r = gql(f, f->acme, CREATE, input);
	expect_fields(&r, "createDelegatedWireGuardToken", "token", "s");
	snprintf(ret_token, TOKEN_TEXT_SIZE, "%s", text_at(&r, "createDelegatedWireGuardToken.token"));
	client_reply_deinit(&r);
	assert_int_equal(strlen(ret_token), TOKEN_TEXT_SIZE - 1);
}

static size_t count(struct api_fixture *f, const char *token, const char *query, const char *path)
{
	struct client_reply r = gql(f, token, query, ACME);
	size_t n = json_array_size(at(&r, path));

	assert_true(json_is_array(at(&r, path)));
	client_reply_deinit(&r);
	return n;
}

static size_t count_delegated(struct api_fixture *f, const char *token)
{
	return count(f, token, LIST, "organization.delegatedWireGuardTokens.nodes");
}

static void a_delegated_token_is_made_listed_and_ended_by_name_or_by_itself(void **state)
{
	struct api_fixture *f = *state;
	char k8s[TOKEN_TEXT_SIZE], other[TOKEN_TEXT_SIZE], bent[TOKEN_TEXT_SIZE], input[256];
	struct client_reply r;

	make_delegated(f, "k8s", k8s);
	make_delegated(f, "ci", other);
	assert_int_equal(count_delegated(f, f->acme), 2);
	assert_int_equal(count_delegated(f, f->acme_read), 0); /* tokens are the admins' */
	r = gql(f, k8s, LIST, ACME);			       /* and one's own */
	expect_fields(&r, "organization.delegatedWireGuardTokens.nodes.0", "name", "s");
	assert_string_equal(text_at(&r, "organization.delegatedWireGuardTokens.nodes.0.name"), "k8s");
	assert_null(strstr(r.body, k8s + 21));
	client_reply_deinit(&r);
	expect_error(f, f->acme, CREATE, "{\"input\":{\"organizationId\":\"acme\",\"name\":\"k8s\"}}", "UNPROCESSABLE", "name_taken");
	expect_error(f, f->acme, CREATE, "{\"input\":{\"organizationId\":\"acme\",\"name\":\"\"}}", "INVALID", "name_invalid");
	expect_error(f, f->acme_read, CREATE, "{\"input\":{\"organizationId\":\"acme\",\"name\":\"x\"}}", "UNAUTHORIZED", "forbidden");
	expect_error(f, k8s, CREATE, "{\"input\":{\"organizationId\":\"acme\",\"name\":\"x\"}}", "UNAUTHORIZED", "forbidden");
	expect_error(f, f->globex, CREATE, "{\"input\":{\"organizationId\":\"acme\",\"name\":\"x\"}}", "NOT_FOUND", "org_not_found");
	assert_int_equal(count_delegated(f, f->acme), 2);
	/* by name; of another organization, or with none or both, nothing */
	expect_error(f, f->globex, DELETE, "{\"input\":{\"organizationId\":\"globex\",\"name\":\"k8s\"}}", "NOT_FOUND", "token_not_found");
	expect_error(f, f->acme, DELETE, "{\"input\":{\"organizationId\":\"acme\"}}", "INVALID", "value_missing");
	expect_error(f, f->acme, DELETE, "{\"input\":{\"organizationId\":\"acme\",\"name\":\"t\"}}", "NOT_FOUND", "token_not_found");
	r = gql(f, f->acme, DELETE, "{\"input\":{\"organizationId\":\"acme\",\"name\":\"k8s\"}}");
	expect_fields(&r, "deleteDelegatedWireGuardToken", "token", "0");
	client_reply_deinit(&r);
	expect_error(f, k8s, LIST, ACME, "UNAUTHORIZED", "unauthorized"); /* at once */
	/* by itself; with one digit of the secret wrong it is not there */
	strcpy(bent, other);
	bent[TOKEN_TEXT_SIZE - 2] = bent[TOKEN_TEXT_SIZE - 2] == '0' ? '1' : '0';
	snprintf(input, sizeof input, "{\"input\":{\"organizationId\":\"acme\",\"token\":\"%s\"}}", bent);
	expect_error(f, f->acme, DELETE, input, "NOT_FOUND", "token_not_found");
	snprintf(input, sizeof input, "{\"input\":{\"organizationId\":\"acme\",\"token\":\"%s\"}}", f->acme_read); /* is no such token */
	expect_error(f, f->acme, DELETE, input, "NOT_FOUND", "token_not_found");
	snprintf(input, sizeof input, "{\"input\":{\"organizationId\":\"acme\",\"token\":\"%s\"}}", other);
	expect_error(f, f->globex, DELETE, input, "NOT_FOUND", "org_not_found");
	r = gql(f, f->acme, DELETE, input);
	expect_fields(&r, "deleteDelegatedWireGuardToken", "token", "0");
	client_reply_deinit(&r);
	assert_int_equal(count_delegated(f, f->acme), 0);
	make_delegated(f, "k8s", k8s); /* the name is free again */
}

static void tokens_of_an_organization_are_listed_and_revoked(void **state)
{
	struct api_fixture *f = *state;
	char input[128];
	struct client_reply r = gql(f, f->acme, LIMITED, ACME);

	assert_int_equal(json_array_size(at(&r, "orgLimitedAccessTokens.limitedAccessTokens.nodes")), 2);
	expect_fields(&r, "orgLimitedAccessTokens.limitedAccessTokens.nodes.0", "id name expiresAt revokedAt user", "ss000");
	client_reply_deinit(&r);
	r = gql(f, f->acme_read, LIMITED, ACME); /* its own */
	assert_int_equal(json_array_size(at(&r, "orgLimitedAccessTokens.limitedAccessTokens.nodes")), 1);
	snprintf(input, sizeof input, "{\"input\":{\"id\":\"%s\"}}", text_at(&r, "orgLimitedAccessTokens.limitedAccessTokens.nodes.0.id"));
	client_reply_deinit(&r);
	expect_error(f, f->globex, REVOKE, input, "NOT_FOUND", "token_not_found");
	expect_error(f, f->acme, REVOKE, "{\"input\":{\"id\":\"\"}}", "NOT_FOUND", "token_not_found");
	r = gql(f, f->acme, REVOKE, input);
	expect_fields(&r, "deleteLimitedAccessToken", "token", "s");
	client_reply_deinit(&r);
	expect_error(f, f->acme_read, LIMITED, ACME, "UNAUTHORIZED", "unauthorized");
	assert_int_equal(count(f, f->acme, "query($slug:String!){organization(slug:$slug){limitedAccessTokens{nodes{id}}}}",
			       "organization.limitedAccessTokens.nodes"),
			 1);
}

static void what_needs_macaroons_says_so_and_makes_nothing(void **state)
{
	static const char *const profiles[] = { "deploy_organization", "deploy", "identity", "nonsense" };
	struct api_fixture *f = *state;
	uint64_t before = f->v;
	char variables[256];

	for (size_t i = 0; i < ARRAY_LEN(profiles); i++) {
		snprintf(variables, sizeof variables,
			 "{\"name\":\"x\",\"organizationId\":\"%s\",\"profile\":\"%s\",\"profileParams\":{\"app_id\":\"web\"},\"expiry\":\"10m\"}", f->org_id,
			 profiles[i]);
		expect_error(f, f->acme, MAKE_LIMITED, variables, "UNPROCESSABLE", "not_offered");
		expect_error(f, f->globex, MAKE_LIMITED, variables, "NOT_FOUND", "org_not_found");
	}
	assert_int_equal(f->v, before);
}

static void a_person_logs_out_for_good_and_a_programs_token_stays(void **state)
{
	struct api_fixture *f = *state;
	struct store_token_new in = { .kind = PRINCIPAL_USER, .user = "ann@example.net", .name = "t" };
	const char *query = "mutation LogOut { logOut(input: {}) { ok } }";
	char text[TOKEN_TEXT_SIZE];
	struct store_token token;
	struct store_user user;
	struct client_reply r;

	assert_good(f->base, DO(f->base, &f->base->root, store_user_create(store, op, "ann@example.net", "Ann", "acme", &user)));
	assert_good(f->base, DO(f->base, &f->base->root, store_token_create(store, op, &in, &token, text)));
	r = gql(f, text, query, NULL);
	expect_fields(&r, "logOut", "ok", "b");
	assert_true(json_is_true(at(&r, "logOut.ok")));
	client_reply_deinit(&r);
	expect_error(f, text, query, NULL, "UNAUTHORIZED", "unauthorized");
	r = gql(f, f->acme, query, NULL);
	assert_true(json_is_false(at(&r, "logOut.ok")));
	client_reply_deinit(&r);
	r = gql(f, f->acme, LIMITED, ACME); /* works still */
	assert_null(json_object_get(r.json, "errors"));
	client_reply_deinit(&r);
}

/* ---- the two requests of its holder ---- */

/* {"us","them","key","pubkey","error"}, all of them texts, whatever became of it. */
static struct client_reply wire_guard(struct api_fixture *f, const char *method, const char *target, const char *token, const char *body, int status,
				      const char *code)
{
	static const char *const names[] = { "us", "them", "key", "pubkey", "error" };
	struct client_reply r = ask(f, method, target, token, body);

	if (r.status != status || strcmp(client_error_code(&r), code))
		fail_msg("%s %s %s: %d %s", method, target, body, r.status, r.body);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!json_is_string(json_object_get(r.json, names[i])))
			fail_msg("%s is no text: %s", names[i], r.body);
	assert_true((code[0] != 0) == (text_of(&r, "error")[0] != 0)); /* what the client looks at */
	return r;
}

static void refused(struct api_fixture *f, const char *method, const char *target, const char *token, const char *body, int status, const char *code)
{
	struct client_reply r = wire_guard(f, method, target, token, body, status, code);

	client_reply_deinit(&r);
}

static void its_holder_makes_a_peer_and_gives_it_another_key(void **state)
{
	struct api_fixture *f = *state;
	char k8s[TOKEN_TEXT_SIZE], us[64], scheme[TOKEN_TEXT_SIZE + 16];
	struct client_reply r;
	struct in6_addr parsed;

	make_delegated(f, "k8s", k8s);
	r = wire_guard(f, "POST", PEERS, k8s, "{\"name\":\"node-1\",\"group\":\"k8s\",\"pubkey\":\"" KEY_A "\",\"region\":\"ord\"}", 200, "");
	assert_int_equal(inet_pton(AF_INET6, text_of(&r, "us"), &parsed), 1);
	assert_string_equal(text_of(&r, "them"), "gw.example.net"); /* the client writes ":51820" behind it */
	assert_int_equal(strlen(text_of(&r, "key")), 44);
	assert_string_equal(text_of(&r, "pubkey"), text_of(&r, "key"));
	assert_string_not_equal(text_of(&r, "key"), KEY_A); /* the gateway's */
	snprintf(us, sizeof us, "%s", text_of(&r, "us"));
	client_reply_deinit(&r);
	assert_int_equal(f->waits, 1); /* not before its gateway had it */
	assert_string_equal(f->last_wait.gateway, "ord-1");
	/* as the client sends it: the other fields are there, and empty */
	snprintf(scheme, sizeof scheme, "FlyV1 %s", k8s);
	r = wire_guard(f, "PUT", PEERS "/node-1", scheme, "{\"name\":\"\",\"group\":\"\",\"pubkey\":\"" KEY_B "\",\"region\":\"\"}", 200, "");
	assert_string_equal(text_of(&r, "us"), us);
	client_reply_deinit(&r);
	assert_int_equal(f->waits, 2);
	assert_string_equal(f->last_wait.gateway, "ord-1");
	r = gql(f, f->acme, W1, ACME);
	assert_non_null(strstr(r.body, KEY_B));
	assert_null(strstr(r.body, KEY_A));
	client_reply_deinit(&r);
	/* once more the same, after an answer that was lost: waited for, and nothing changes */
	refused(f, "PUT", PEERS "/node-1", k8s, "{\"pubkey\":\"" KEY_B "\"}", 200, "");
	assert_int_equal(f->waits, 3);
	/* it removes what it made, by GraphQL */
	r = gql(f, k8s, W4, "{\"input\":{\"organizationId\":\"acme\",\"name\":\"node-1\"}}");
	assert_null(json_object_get(r.json, "errors"));
	client_reply_deinit(&r);
}

static void a_delegated_token_touches_only_what_was_made_with_it(void **state)
{
	struct api_fixture *f = *state;
	char k8s[TOKEN_TEXT_SIZE], ci[TOKEN_TEXT_SIZE];
	uint64_t before;

	make_delegated(f, "k8s", k8s);
	make_delegated(f, "ci", ci);
	refused(f, "POST", PEERS, k8s, "{\"name\":\"node-1\",\"group\":\"\",\"pubkey\":\"" KEY_A "\",\"region\":\"ord\"}", 200, "");
	before = f->v;
	refused(f, "PUT", PEERS "/node-1", ci, "{\"pubkey\":\"" KEY_B "\"}", 403, "forbidden");
	refused(f, "PUT", PEERS "/node-1", ci, "{\"pubkey\":\"" KEY_A "\"}", 403, "forbidden"); /* which would change nothing */
	refused(f, "PUT", PEERS "/laptop", k8s, "{\"pubkey\":\"" KEY_B "\"}", 403, "forbidden");
	refused(f, "PUT", PEERS "/node-1", f->globex, "{\"pubkey\":\"" KEY_B "\"}", 404, "peer_not_found");
	refused(f, "PUT", PEERS "/node-1", f->acme_read, "{\"pubkey\":\"" KEY_B "\"}", 403, "forbidden");
	expect_error(f, ci, W4, "{\"input\":{\"organizationId\":\"acme\",\"name\":\"node-1\"}}", "UNAUTHORIZED", "forbidden");
	expect(f, "POST", "/v1/apps", k8s, "{\"name\":\"x\"}", 403, "forbidden");
	assert_int_equal(f->v, before);
	/* an admin may */
	refused(f, "PUT", PEERS "/node-1", f->acme, "{\"pubkey\":\"" KEY_B "\"}", 200, "");
}

static void every_refusal_is_json_with_a_sentence(void **state)
{
	struct api_fixture *f = *state;
	char k8s[TOKEN_TEXT_SIZE];
	uint64_t before;
	struct client_reply r;

	make_delegated(f, "k8s", k8s);
	before = f->v;
	refused(f, "POST", PEERS, "fo1_nonsense", "{\"name\":\"a\",\"pubkey\":\"" KEY_A "\"}", 401, "unauthorized");
	refused(f, "POST", PEERS, k8s, "{\"name\":\"a\",\"pubkey\":\"short\"}", 400, "key_invalid");
	refused(f, "POST", PEERS, k8s, "{\"name\":\"a\"}", 400, "field_missing");
	refused(f, "POST", PEERS, k8s, "{\"name\":\"a\",\"pubkey\":5}", 400, "type_invalid");
	refused(f, "POST", PEERS, k8s, "{\"name\":\"-a\",\"pubkey\":\"" KEY_A "\"}", 400, "name_invalid");
	refused(f, "POST", PEERS, k8s, "{\"name\":\"Laptop\",\"pubkey\":\"" KEY_A "\"}", 409, "name_taken");
	refused(f, "POST", PEERS, k8s, "{\"name\":\"a\",\"pubkey\":\"" KEY_A "\",\"region\":\"xyz\"}", 404, "region_not_found");
	refused(f, "POST", PEERS, k8s, "{\"name\":", 400, "json_invalid");
	refused(f, "PUT", PEERS "/nosuch", k8s, "{\"pubkey\":\"" KEY_A "\"}", 404, "peer_not_found");
	refused(f, "PUT", PEERS "/laptop", f->acme, "{\"name\":\"phone\",\"pubkey\":\"" KEY_A "\"}", 400, "field_invalid");
	refused(f, "PUT", PEERS "/laptop", f->acme, "{\"region\":\"nrt\",\"pubkey\":\"" KEY_A "\"}", 400, "field_invalid");
	assert_int_equal(f->v, before);
	assert_int_equal(f->waits, 0);
	/* made, and not applied: the peer is there, and asking again waits again */
	f->wait_result.applied = false;
	refused(f, "POST", PEERS, k8s, "{\"name\":\"node-1\",\"pubkey\":\"" KEY_A "\"}", 503, "not_applied");
	f->wait_result.applied = true;
	refused(f, "PUT", PEERS "/node-1", k8s, "{\"pubkey\":\"" KEY_A "\"}", 200, "");
	/* a gateway that falls silent under it: another one is tried */
	f->silent = 1;
	f->waits = 0;
	r = wire_guard(f, "POST", PEERS, k8s, "{\"name\":\"node-2\",\"pubkey\":\"" KEY_B "\"}", 200, "");
	assert_int_equal(f->waits, 2);
	client_reply_deinit(&r);
	r = gql(f, f->acme, W1, ACME);
	assert_int_equal(json_array_size(at(&r, "organization.wireGuardPeers.nodes")), 3);
	client_reply_deinit(&r);
}

/* The client writes port 51820 and what it is told as "them", unbracketed, into a file: one that opens nothing is not handed out. */
static void a_gateway_that_does_not_fit_the_clients_file_is_refused(void **state)
{
	static const struct {
		const char *set;
		int status;
		const char *code;
	} rows[] = {
		{ "gateway_port = 51999", 409, "gateway_unfit" },
		{ "gateway_port = 51820, gateway_host = '2001:db8::7'", 409, "gateway_unfit" },
		{ "gateway_host = ''", 409, "no_gateway" },
		{ "gateway_host = '192.0.2.7', gateway_key = NULL", 409, "no_gateway" },
		{ "gateway_key = x'0707070707070707070707070707070707070707070707070707070707070707'", 200, "" },
	};
	struct api_fixture *f = *state;
	char k8s[TOKEN_TEXT_SIZE], sql[160];

	make_delegated(f, "k8s", k8s);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(sql, sizeof sql, "UPDATE node SET %s", rows[i].set);
		assert_int_equal(driver_exec(f->base->store->driver, sql), 0);
		refused(f, "POST", PEERS, k8s, "{\"name\":\"node-1\",\"pubkey\":\"" KEY_A "\"}", rows[i].status, rows[i].code);
		refused(f, "PUT", PEERS "/node-1", k8s, "{\"pubkey\":\"" KEY_A "\"}", rows[i].status == 200 ? 200 : 404,
			rows[i].status == 200 ? "" : "peer_not_found"); /* and nothing was left */
	}
}

/* Whatever the manner of the body, the headers are those of every refusal. */
static void a_client_that_asks_too_often_is_told_when_to_come_back(void **state)
{
	struct api_fixture *f = *state;
	char wrong[TOKEN_TEXT_SIZE];
	struct client_reply r;

	strcpy(wrong, f->acme);
	wrong[TOKEN_TEXT_SIZE - 2] ^= 1;
	r = ask(f, "POST", PEERS, wrong, "{\"name\":\"a\",\"pubkey\":\"" KEY_A "\"}");

	assert_int_equal(r.status, 401);
	assert_non_null(strcasestr(r.head, "\r\nWWW-Authenticate: "));
	for (int i = 0; i < 100 && r.status == 401; i++) {
		client_reply_deinit(&r);
		r = ask(f, "POST", PEERS, wrong, "{\"name\":\"a\",\"pubkey\":\"" KEY_A "\"}");
	}
	assert_int_equal(r.status, 429);
	assert_string_equal(client_error_code(&r), "rate_limited");
	assert_non_null(strcasestr(r.head, "\r\nRetry-After: "));
	client_reply_deinit(&r);
	r = gql(f, wrong, "{viewer{__typename}}", NULL);
	assert_non_null(strstr(r.body, "RATE_LIMITED"));
	assert_non_null(strcasestr(r.head, "\r\nRetry-After: "));
	assert_null(strcasestr(r.head, "\r\nWWW-Authenticate: ")); /* with status 200 */
	client_reply_deinit(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_delegated_token_is_made_listed_and_ended_by_name_or_by_itself, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(tokens_of_an_organization_are_listed_and_revoked, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(what_needs_macaroons_says_so_and_makes_nothing, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(a_person_logs_out_for_good_and_a_programs_token_stays, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(its_holder_makes_a_peer_and_gives_it_another_key, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(a_delegated_token_touches_only_what_was_made_with_it, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(a_gateway_that_does_not_fit_the_clients_file_is_refused, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(a_client_that_asks_too_often_is_told_when_to_come_back, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(every_refusal_is_json_with_a_sentence, api_setup, api_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
