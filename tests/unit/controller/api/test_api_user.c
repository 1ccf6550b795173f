/* People: their organizations, their roles in others, and their tokens, which act with the role of this very moment. */
#include "tests/unit/controller/api/gql_client.h"

#define Q1 "query($admin: Boolean!) { organizations(admin: $admin) { nodes { id slug rawSlug name type paidPlan billable viewerRole internalNumericId } } }"
#define Q2 "query($slug: String!) { organization(slug: $slug) { id internalNumericId slug rawSlug name type billable } }"
#define Q3                                                                                                                                        \
	"query($slug: String!) { organizationdetails: organization(slug: $slug) { id slug rawSlug name type viewerRole internalNumericId "        \
	"remoteBuilderImage remoteBuilderApp { name } members { edges { cursor node { id name email } joinedAt role } } } }"
#define Q8 "query { viewer { ... on User { id email enablePaidHobby } ... on Macaroon { email } } }"
#define CREATE "mutation($input: CreateOrganizationInput!){ createOrganization(input:$input){ organization{ id name slug type viewerRole } } }"
#define DELETE "mutation($input: DeleteOrganizationInput!) { deleteOrganization(input:$input){ clientMutationId deletedOrganizationId } }"

/* A person and a token of it. */
static void make_person(struct api_fixture *f, const char *email, char ret_token[TOKEN_TEXT_SIZE], char ret_id[ID_TEXT_SIZE])
{
	char body[200];
	struct client_reply r;

	snprintf(body, sizeof body, "{\"email\":\"%s\",\"name\":\"Ann\"}", email);
	expect(f, "POST", "/v1/users", f->operator_token, body, 201, NULL);
	snprintf(body, sizeof body, "{\"kind\":\"user\",\"user\":\"%s\"}", email);
	r = ask(f, "POST", "/v1/tokens", f->operator_token, body);
	assert_int_equal(r.status, 201);
	snprintf(ret_token, TOKEN_TEXT_SIZE, "%s", json_string_value(json_object_get(r.json, "token")));
	if (ret_id)
		snprintf(ret_id, ID_TEXT_SIZE, "%s", json_string_value(json_object_get(r.json, "id")));
	client_reply_deinit(&r);
}

static void a_person_has_an_organization_of_its_own_which_is_called_personal(void **state)
{
	struct api_fixture *f = *state;
	char ann[TOKEN_TEXT_SIZE], other[TOKEN_TEXT_SIZE];
	struct client_reply r;

	make_person(f, "7Ann.B@example.net", ann, NULL);
	make_person(f, "ann-b@example.org", other, NULL); /* the same label: another name */
	r = ask(f, "GET", "/v1/users", ann, NULL);
	assert_int_equal(json_array_size(json_object_get(r.json, "items")), 1); /* herself */
	assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(r.json, "items"), 0), "personal_org")), "ann-b");
	client_reply_deinit(&r);
	r = gql(f, ann, Q8, NULL);
	expect_fields(&r, "viewer", "id email enablePaidHobby", "ssb");
	assert_string_equal(text_at(&r, "viewer.email"), "7Ann.B@example.net");
	client_reply_deinit(&r);
	r = gql(f, ann, Q1, "{\"admin\":false}");
	assert_int_equal(json_array_size(at(&r, "organizations.nodes")), 1);
	expect_fields(&r, "organizations.nodes.0", "id slug rawSlug name type paidPlan billable viewerRole internalNumericId", "sssssbbss");
	assert_string_equal(text_at(&r, "organizations.nodes.0.type"), "PERSONAL");
	assert_string_equal(text_at(&r, "organizations.nodes.0.viewerRole"), "admin");
	client_reply_deinit(&r);
	r = gql(f, ann, Q2, "{\"slug\":\"personal\"}");
	expect_fields(&r, "organization", "id internalNumericId slug rawSlug name type billable", "ssssssb");
	assert_string_equal(text_at(&r, "organization.rawSlug"), "ann-b");
	client_reply_deinit(&r);
	r = gql(f, ann, Q3, "{\"slug\":\"personal\"}");
	expect_fields(&r, "organizationdetails.members.edges.0", "cursor node joinedAt role", "soss");
	expect_fields(&r, "organizationdetails.members.edges.0.node", "id name email", "sss");
	assert_string_equal(text_at(&r, "organizationdetails.members.edges.0.role"), "ADMIN");
	client_reply_deinit(&r);
	/* and in the Machines view: the slug of an app's organization is one of those above */
	r = ask(f, "POST", "/v1/apps", ann, "{\"name\":\"mine\",\"org_slug\":\"personal\",\"network\":\"\",\"app_role_id\":\"\"}");
	assert_int_equal(r.status, 201);
	assert_string_equal(json_string_value(json_object_get(json_object_get(r.json, "organization"), "slug")), "personal");
	assert_string_equal(json_string_value(json_object_get(r.json, "org")), "ann-b");
	client_reply_deinit(&r);
	r = ask(f, "GET", "/v1/apps/mine", f->operator_token, NULL);
	assert_string_equal(json_string_value(json_object_get(json_object_get(r.json, "organization"), "slug")), "ann-b");
	client_reply_deinit(&r);
	expect_error(f, ann, DELETE, "{\"input\":{\"organizationId\":\"personal\"}}", "UNPROCESSABLE", "org_is_personal");
	expect(f, "DELETE", "/v1/orgs/ann-b", ann, NULL, 409, "org_is_personal");
	expect(f, "GET", "/v1/orgs/ann-b", other, NULL, 404, "org_not_found");
	expect(f, "POST", "/v1/orgs", f->operator_token, "{\"name\":\"personal\"}", 400, "name_reserved");
}

static void people_make_organizations_and_delete_them(void **state)
{
	struct api_fixture *f = *state;
	char ann[TOKEN_TEXT_SIZE], variables[100], id[ID_TEXT_SIZE];
	struct client_reply r;

	make_person(f, "ann@example.net", ann, NULL);
	r = gql(f, ann, CREATE, "{\"input\":{\"name\":\"My Company, Inc.\"}}");
	expect_fields(&r, "createOrganization.organization", "id name slug type viewerRole", "sssss");
	assert_string_equal(text_at(&r, "createOrganization.organization.slug"), "my-company-inc");
	assert_string_equal(text_at(&r, "createOrganization.organization.type"), "SHARED");
	assert_string_equal(text_at(&r, "createOrganization.organization.viewerRole"), "admin");
	snprintf(id, sizeof id, "%s", text_at(&r, "createOrganization.organization.id"));
	client_reply_deinit(&r);
	expect_error(f, ann, CREATE, "{\"input\":{\"name\":\"my-company-inc\"}}", "UNPROCESSABLE", "name_taken");
	expect_error(f, ann, CREATE, "{\"input\":{\"name\":\"...\"}}", "INVALID", "name_invalid");
	expect_error(f, ann, CREATE, "{\"input\":{\"name\":\"Personal\"}}", "INVALID", "name_reserved");
	expect_error(f, f->acme, CREATE, "{\"input\":{\"name\":\"another\"}}", "UNAUTHORIZED", "forbidden");
	expect(f, "POST", "/v1/apps", ann, "{\"org\":\"my-company-inc\",\"name\":\"web\"}", 201, NULL);
	snprintf(variables, sizeof variables, "{\"input\":{\"organizationId\":\"%s\"}}", id);
	expect_error(f, f->globex, DELETE, variables, "NOT_FOUND", "org_not_found");
	r = gql(f, ann, DELETE, variables);
	expect_fields(&r, "deleteOrganization", "clientMutationId deletedOrganizationId", "0s");
	assert_string_equal(text_at(&r, "deleteOrganization.deletedOrganizationId"), id);
	client_reply_deinit(&r);
	expect(f, "GET", "/v1/orgs/my-company-inc", ann, NULL, 404, "org_not_found");
	for (int i = 0; i < STORE_ORGS_OF_PERSON - 1; i++) { /* her own is one */
		snprintf(variables, sizeof variables, "{\"name\":\"org%d\"}", i);
		expect(f, "POST", "/v1/orgs", ann, variables, 201, NULL);
	}
	expect(f, "POST", "/v1/orgs", ann, "{\"name\":\"onemore\"}", 409, "quota_exceeded");
}

static void a_role_holds_from_the_next_request_on(void **state)
{
	struct api_fixture *f = *state;
	char ann[TOKEN_TEXT_SIZE], bob[TOKEN_TEXT_SIZE];
	struct client_reply r;

	make_person(f, "ann@example.net", ann, NULL);
	make_person(f, "bob@example.net", bob, NULL);
	expect(f, "GET", "/v1/orgs/acme", ann, NULL, 404, "org_not_found");
	expect(f, "POST", "/v1/members", f->acme, "{\"user\":\"ann@example.net\",\"role\":\"read\"}", 201, NULL);
	expect(f, "GET", "/v1/orgs/acme", ann, NULL, 200, NULL);
	expect(f, "POST", "/v1/apps", ann, "{\"org\":\"acme\",\"name\":\"one\"}", 403, "forbidden");
	expect(f, "PATCH", "/v1/members/ann@example.net", f->acme, "{\"role\":\"member\"}", 200, NULL);
	expect(f, "POST", "/v1/apps", ann, "{\"org\":\"acme\",\"name\":\"one\"}", 201, NULL);
	expect(f, "POST", "/v1/members", ann, "{\"org\":\"acme\",\"user\":\"bob@example.net\",\"role\":\"admin\"}", 403, "forbidden");
	expect(f, "PATCH", "/v1/members/ann@example.net", f->acme, "{\"role\":\"admin\"}", 200, NULL);
	expect(f, "POST", "/v1/members", ann, "{\"org\":\"acme\",\"user\":\"bob@example.net\",\"role\":\"member\"}", 201, NULL);
	r = ask(f, "GET", "/v1/members?org=acme", bob, NULL);
	assert_int_equal(json_array_size(json_object_get(r.json, "items")), 3); /* zoe is of the fixture */
	client_reply_deinit(&r);
	/* the last admin stays one, whoever of the org asks */
	expect(f, "PATCH", "/v1/members/ann@example.net?org=acme", ann, "{\"role\":\"member\"}", 409, "last_admin");
	expect(f, "DELETE", "/v1/members/ann@example.net?org=acme", ann, NULL, 409, "last_admin");
	expect(f, "DELETE", "/v1/members/ann@example.net", f->acme, NULL, 409, "last_admin");
	expect(f, "PATCH", "/v1/members/bob@example.net?org=acme", ann, "{\"role\":\"admin\"}", 200, NULL);
	expect(f, "DELETE", "/v1/members/ann@example.net?org=acme", bob, NULL, 200, NULL);
	expect(f, "GET", "/v1/orgs/acme", ann, NULL, 404, "org_not_found");
	expect(f, "GET", "/v1/members?org=acme", ann, NULL, 404, "org_not_found");
	/* everybody may leave, without being an admin */
	expect(f, "POST", "/v1/members", f->acme, "{\"user\":\"ann@example.net\",\"role\":\"read\"}", 201, NULL);
	expect(f, "DELETE", "/v1/members/zoe@example.net?org=acme", ann, NULL, 403, "forbidden");
	expect(f, "DELETE", "/v1/members/ann@example.net?org=acme", ann, NULL, 200, NULL);
	expect(f, "GET", "/v1/orgs/acme", ann, NULL, 404, "org_not_found");
}

static void a_person_in_several_organizations_has_a_pace_too(void **state)
{
	struct api_fixture *f = *state;
	char zoe[TOKEN_TEXT_SIZE], body[64];
	struct client_reply r = ask(f, "POST", "/v1/tokens", f->operator_token, "{\"kind\":\"user\",\"user\":\"zoe@example.net\"}");
	bool limited = false;

	snprintf(zoe, sizeof zoe, "%s", json_string_value(json_object_get(r.json, "token")));
	client_reply_deinit(&r);
	expect(f, "POST", "/v1/members", f->operator_token, "{\"org\":\"globex\",\"user\":\"zoe@example.net\",\"role\":\"member\"}", 201, NULL);
	for (int i = 0; i < 60 && !limited; i++) {
		snprintf(body, sizeof body, "{\"org\":\"acme\",\"name\":\"app%d\"}", i);
		r = ask(f, "POST", "/v1/apps", zoe, body);
		limited = r.status == 429;
		client_reply_deinit(&r);
	}
	assert_true(limited);
	f->base->time.now_ms += 1000;
	expect(f, "POST", "/v1/apps", zoe, "{\"org\":\"acme\",\"name\":\"later\"}", 201, NULL);
}

static void wrong_members_are_refused_by_what_is_wrong(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r;

	expect(f, "POST", "/v1/members", f->acme, "{\"user\":\"zoe@example.net\",\"role\":\"owner\"}", 400, "role_invalid");
	expect(f, "POST", "/v1/members", f->acme, "{\"user\":\"zoe@example.net\"}", 400, "field_missing");
	expect(f, "POST", "/v1/members", f->acme, "{\"user\":7,\"role\":\"read\"}", 400, "type_invalid");
	expect(f, "POST", "/v1/members", f->acme, "{\"user\":\"nobody@example.net\",\"role\":\"read\"}", 404, "user_not_found");
	expect(f, "POST", "/v1/members", f->acme, "{\"org\":\"globex\",\"user\":\"zoe@example.net\",\"role\":\"read\"}", 404, "org_not_found");
	expect(f, "POST", "/v1/members", f->acme_read, "{\"user\":\"zoe@example.net\",\"role\":\"admin\"}", 403, "forbidden");
	expect(f, "POST", "/v1/members", f->acme_read, "{\"user\":\"nobody@example.net\",\"role\":\"admin\"}", 403, "forbidden"); /* no oracle */
	expect(f, "PATCH", "/v1/members/nobody@example.net", f->acme, "{\"role\":\"admin\"}", 404, "member_not_found");
	expect(f, "DELETE", "/v1/members/nobody@example.net", f->acme, NULL, 404, "member_not_found");
	expect(f, "GET", "/v1/members/zoe@example.net", f->acme_read, NULL, 200, NULL);
	expect(f, "POST", "/v1/users", f->acme, "{\"email\":\"x@example.net\"}", 403, "forbidden");
	expect(f, "POST", "/v1/users", f->operator_token, "{\"email\":\"no address\"}", 400, "value_invalid");
	r = ask(f, "POST", "/v1/users", f->operator_token, "{\"email\":\"x\"}");
	assert_int_equal(r.status, 400);
	assert_non_null(strstr(json_string_value(json_object_get(json_object_get(r.json, "error"), "message")), "has 1 bytes, at least 3"));
	client_reply_deinit(&r);
	expect(f, "POST", "/v1/users", f->operator_token, "{\"email\":\"ZOE@example.net\"}", 409, "name_taken");
	expect(f, "POST", "/v1/users", f->operator_token, "{\"email\":\"x@example.net\",\"personal_org\":\"nosuch\"}", 404, "org_not_found");
	expect(f, "POST", "/v1/tokens", f->operator_token, "{\"kind\":\"user\"}", 400, "value_missing");
	expect(f, "POST", "/v1/tokens", f->operator_token, "{\"kind\":\"user\",\"user\":\"nobody@example.net\"}", 404, "user_not_found");
	expect(f, "POST", "/v1/tokens", f->operator_token, "{\"kind\":\"user\",\"user\":\"zoe@example.net\",\"profile\":\"read\"}", 400, "field_invalid");
	expect(f, "POST", "/v1/tokens", f->acme, "{\"user\":\"zoe@example.net\"}", 400, "field_invalid");
	expect(f, "POST", "/v1/tokens", f->acme, "{\"kind\":\"user\",\"user\":\"zoe@example.net\"}", 404, "user_not_found");
}

static void a_persons_tokens_are_its_own_business_and_go_with_it(void **state)
{
	struct api_fixture *f = *state;
	char ann[TOKEN_TEXT_SIZE], bob[TOKEN_TEXT_SIZE], second[TOKEN_TEXT_SIZE], id[ID_TEXT_SIZE], target[80];
	struct client_reply r;

	make_person(f, "ann@example.net", ann, id);
	make_person(f, "bob@example.net", bob, NULL);
	r = ask(f, "POST", "/v1/tokens", ann, "{\"kind\":\"user\",\"expires\":\"1h\"}"); /* her own */
	assert_int_equal(r.status, 201);
	snprintf(second, sizeof second, "%s", json_string_value(json_object_get(r.json, "token")));
	client_reply_deinit(&r);
	expect(f, "POST", "/v1/tokens", bob, "{\"kind\":\"user\",\"user\":\"ann@example.net\"}", 404, "user_not_found");
	r = ask(f, "GET", "/v1/tokens", ann, NULL);
	assert_int_equal(json_array_size(json_object_get(r.json, "items")), 2);
	client_reply_deinit(&r);
	snprintf(target, sizeof target, "/v1/tokens/%s", id);
	expect(f, "DELETE", target, bob, NULL, 404, "token_not_found");
	expect(f, "DELETE", target, second, NULL, 200, NULL);
	expect(f, "GET", "/v1/whoami", ann, NULL, 401, "unauthorized");
	expect(f, "GET", "/v1/whoami", second, NULL, 200, NULL);
	f->base->time.now_ms += 3600 * 1000;
	expect(f, "GET", "/v1/whoami", second, NULL, 401, "unauthorized"); /* its hour is over, however warm the cache */
	expect(f, "GET", "/v1/whoami", bob, NULL, 200, NULL);
	expect(f, "DELETE", "/v1/users/bob@example.net", f->operator_token, NULL, 200, NULL);
	expect(f, "GET", "/v1/whoami", bob, NULL, 401, "unauthorized");
	expect(f, "GET", "/v1/orgs/bob", f->operator_token, NULL, 200, NULL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, api_setup, api_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_person_has_an_organization_of_its_own_which_is_called_personal),
		T(people_make_organizations_and_delete_them),
		T(a_role_holds_from_the_next_request_on),
		T(a_person_in_several_organizations_has_a_pace_too),
		T(wrong_members_are_refused_by_what_is_wrong),
		T(a_persons_tokens_are_its_own_business_and_go_with_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
