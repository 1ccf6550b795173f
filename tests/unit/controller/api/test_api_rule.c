/* Peering rules over HTTP: two customers who do not see each other agree on one, and what each is told meanwhile. */
#include "tests/unit/controller/api/api_fixture.h"

#define T(name) cmocka_unit_test_setup_teardown(name, api_setup, api_teardown)

static struct client_reply ask_later(struct api_fixture *f, const char *method, const char *target, const char *token, const char *body)
{
	f->base->time.now_ms += 1000; /* the org's writes per second are not what is tested here */
	return ask(f, method, target, token, body);
}

#define expect(...) (f->base->time.now_ms += 1000, expect(__VA_ARGS__))

static void make_db(struct api_fixture *f)
{
	expect(f, "POST", "/v1/apps", f->globex, "{\"name\":\"db\"}", 201, NULL);
}

static void two_customers_agree_on_a_rule(void **state)
{
	struct api_fixture *f = *state;
	char path[64], accept_path[80];
	struct client_reply r;

	make_db(f);
	r = ask_later(f, "POST", "/v1/rules", f->acme, "{\"from_app\":\"web\",\"to_org\":\"globex\",\"to_app\":\"db\"}");
	assert_int_equal(r.status, 201);
	assert_string_equal(text_of(&r, "state"), "proposed");
	assert_string_equal(text_of(&r, "proposed_by"), "acme");
	assert_string_equal(text_of(&r, "from_network"), "default");
	assert_string_equal(text_of(&r, "as"), "db");
	snprintf(path, sizeof path, "/v1/rules/%s", text_of(&r, "id"));
	snprintf(accept_path, sizeof accept_path, "%s/accept", path);
	client_reply_deinit(&r);
	expect(f, "POST", accept_path, f->acme, "{}", 403, "forbidden");
	expect(f, "POST", accept_path, f->acme_read, "{}", 403, "forbidden");
	r = ask_later(f, "POST", accept_path, f->globex, "{}");
	assert_int_equal(r.status, 200);
	assert_string_equal(text_of(&r, "state"), "agreed");
	assert_string_equal(text_of(&r, "proposed_by"), "");
	client_reply_deinit(&r);
	expect(f, "POST", accept_path, f->globex, "{}", 409, "rule_agreed");
	expect(f, "DELETE", path, f->acme_read, NULL, 403, "forbidden");
	expect(f, "DELETE", path, f->acme, NULL, 200, NULL);
	expect(f, "GET", path, f->globex, NULL, 404, "rule_not_found");
}

/* The bytes are the same but for the names that were given, the id and the time. */
static void a_proposal_tells_nothing_of_the_other_organization(void **state)
{
	static const char *const others[][2] = { { "globex", "db" }, { "globex", "dc" }, { "nosuch", "dd" } };
	static const char *const fields[] = { "state", "proposed_by", "from_org", "from_network", "from_app", "agreed" };
	struct api_fixture *f = *state;
	struct client_reply first = { 0 };

	make_db(f);
	for (size_t i = 0; i < 3; i++) {
		char body[128], path[64];
		struct client_reply r;

		snprintf(body, sizeof body, "{\"from_app\":\"web\",\"to_org\":\"%s\",\"to_app\":\"%s\"}", others[i][0], others[i][1]);
		r = ask_later(f, "POST", "/v1/rules?wait=applied", f->acme, body);
		assert_int_equal(r.status, 201);
		assert_string_equal(text_of(&r, "to_org"), others[i][0]);
		assert_string_equal(text_of(&r, "to_app"), others[i][1]);
		snprintf(path, sizeof path, "/v1/rules/%s/accept", text_of(&r, "id"));
		expect(f, "POST", path, f->acme, "{}", 403, "forbidden");
		if (i == 0) {
			first = r;
			continue;
		}
		assert_int_equal(json_object_size(r.json), json_object_size(first.json));
		for (size_t k = 0; k < ARRAY_LEN(fields); k++)
			assert_string_equal(text_of(&r, fields[k]), text_of(&first, fields[k]));
		client_reply_deinit(&r);
	}
	client_reply_deinit(&first);
	expect(f, "POST", "/v1/rules", f->globex, "{\"from_org\":\"acme\",\"from_app\":\"web\",\"to_org\":\"nosuch\",\"to_app\":\"x\"}", 404,
	       "org_not_found"); /* neither is its own */
	expect(f, "POST", "/v1/rules", f->globex, "{\"from_org\":\"nosuch\",\"from_app\":\"web\",\"to_org\":\"acme\",\"to_app\":\"x\"}", 404,
	       "org_not_found");
}

static void what_is_wrong_is_named_and_makes_nothing(void **state)
{
	static const struct {
		const char *body;
		int status;
		const char *code;
	} rows[] = {
		{ "{\"to_app\":\"db\"}", 400, "field_missing" },
		{ "{\"from_app\":\"web\"}", 400, "field_missing" },
		{ "{\"from_app\":\"wex\",\"to_org\":\"globex\",\"to_app\":\"db\"}", 404, "app_not_found" },
		{ "{\"from_network\":\"staging\",\"to_org\":\"globex\",\"to_app\":\"db\"}", 404, "network_not_found" },
		{ "{\"from_app\":\"web\",\"from_network\":\"staging\",\"to_org\":\"globex\",\"to_app\":\"db\"}", 400, "field_invalid" },
		{ "{\"from_app\":\"web\",\"to_org\":\"globex\",\"to_app\":\"DB\"}", 400, "name_invalid" },
		{ "{\"from_app\":\"web\",\"to_org\":\"glo bex\",\"to_app\":\"db\"}", 400, "name_invalid" },
		{ "{\"from_app\":\"web\",\"to_org\":\"globex\",\"to_app\":\"db\",\"as\":\"web\"}", 409, "name_taken" },
		{ "{\"from_app\":\"web\",\"to_org\":\"globex\",\"to_app\":\"db\",\"as\":\"a.b\"}", 400, "name_invalid" },
		{ "{\"from_app\":\"web\",\"to_app\":\"web\"}", 400, "field_invalid" },
		{ "{\"from_app\":\"web\",\"to_org\":\"globex\",\"to_app\":\"db\",\"ports\":[80]}", 400, "field_unknown" },
	};
	struct api_fixture *f = *state;
	struct client_reply r;
	uint64_t before;

	make_db(f);
	before = f->v;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		expect(f, "POST", "/v1/rules", f->acme, rows[i].body, rows[i].status, rows[i].code);
	r = ask_later(f, "POST", "/v1/rules", f->acme, "{\"from_app\":\"web\",\"to_org\":\"globex\",\"to_app\":\"db\",\"as\":\"a.b\"}");
	assert_string_equal(json_string_value(json_object_get(json_object_get(r.json, "error"), "field")), "as");
	client_reply_deinit(&r);
	expect(f, "POST", "/v1/rules", f->acme_read, "{\"from_app\":\"web\",\"to_org\":\"globex\",\"to_app\":\"db\"}", 403, "forbidden");
	assert_int_equal(f->v, before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(two_customers_agree_on_a_rule),
		T(a_proposal_tells_nothing_of_the_other_organization),
		T(what_is_wrong_is_named_and_makes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
