/* ETag, If-Match and If-None-Match: nobody overwrites what he has not seen. */
#include "tests/unit/controller/api/api_fixture.h"

#include "controller/api/api_match.h"
#include "controller/api/shape.h"

static void tag_of(const struct client_reply *r, char ret[MATCH_TAG_SIZE])
{
	const char *at = strcasestr(r->head, "\r\nETag: ");

	if (!at)
		fail_msg("there is no ETag: %s%s", r->head, r->body);
	snprintf(ret, MATCH_TAG_SIZE, "%.*s", (int)strcspn(at + 8, "\r"), at + 8);
}

static void get_tag(struct api_fixture *f, const char *target, const char *token, char ret[MATCH_TAG_SIZE])
{
	struct client_reply r = ask(f, "GET", target, token, NULL);

	assert_int_equal(r.status, 200);
	tag_of(&r, ret);
	client_reply_deinit(&r);
}

static struct client_reply ask_if(struct api_fixture *f, const char *method, const char *target, const char *token, const char *header,
				  const char *tag, const char *body)
{
	char line[MATCH_TAG_SIZE + 600];

	snprintf(line, sizeof line, "%s: %s\r\n", header, tag);
	return ask_with(f, method, target, token, line, body);
}

static void expect_if(struct api_fixture *f, const char *method, const char *target, const char *token, const char *header, const char *tag,
		      const char *body, int status)
{
	struct client_reply r = ask_if(f, method, target, token, header, tag, body);

	if (r.status != status)
		fail_msg("%s %s with %s %s: %d %s", method, target, header, tag, r.status, r.body);
	client_reply_deinit(&r);
}

static void what_somebody_else_changed_is_not_overwritten(void **state)
{
	struct api_fixture *f = *state;
	char seen[MATCH_TAG_SIZE], now[MATCH_TAG_SIZE];
	struct client_reply r;
	const json_t *error, *differs;

	get_tag(f, "/v1/orgs/acme", f->operator_token, seen);
	expect(f, "PATCH", "/v1/orgs/acme", f->operator_token, "{\"suspended\":true,\"limits\":{\"apps\":7}}", 200, NULL);
	get_tag(f, "/v1/orgs/acme", f->operator_token, now);
	assert_string_not_equal(seen, now);
	r = ask_if(f, "PATCH", "/v1/orgs/acme", f->operator_token, "If-Match", seen, "{\"strict_region\":true}");
	assert_int_equal(r.status, 412);
	error = json_object_get(r.json, "error");
	assert_string_equal(client_error_code(&r), "precondition_failed");
	assert_string_equal(json_string_value(json_object_get(error, "given")), seen);
	assert_string_equal(json_string_value(json_object_get(error, "current")), now);
	differs = json_object_get(error, "differs");
	assert_int_equal(json_array_size(differs), 2);
	assert_string_equal(json_string_value(json_array_get(differs, 0)), "suspended");
	assert_string_equal(json_string_value(json_array_get(differs, 1)), "limits");
	assert_true(json_is_true(json_object_get(json_object_get(error, "object"), "suspended")));
	client_reply_deinit(&r);
	r = ask(f, "GET", "/v1/orgs/acme", f->operator_token, NULL);
	assert_true(json_is_false(json_object_get(r.json, "strict_region")));
	client_reply_deinit(&r);

	r = ask_if(f, "PATCH", "/v1/orgs/acme", f->operator_token, "If-Match", now, "{\"suspended\":false}");
	assert_int_equal(r.status, 200);
	tag_of(&r, now); /* the next edit goes on from the reply, without another look */
	client_reply_deinit(&r);
	expect_if(f, "PATCH", "/v1/orgs/acme", f->operator_token, "If-Match", now, "{\"strict_region\":true}", 200);
}

/* Every route that takes If-Match refuses a version that is not there, before it does anything. */
static void every_write_on_an_object_takes_if_match(void **state)
{
	struct api_fixture *f = *state;
	uint64_t before = f->v;
	size_t walked = 0;

	for (const struct route *r = route_next(NULL); r; r = route_next(r)) {
		static const char *const names[][2] = { { "{org}", "acme" }, { "{network}", "acme%2Fdefault" }, { "{app}", "acme%2Fweb" },
							{ "{peer}", "acme%2Flaptop" }, { "{region}", "ord" }, { "{node}", "ord-1" } };
		const char *open = strchr(r->pattern, '{');
		char target[256] = "", *text;
		json_t *body;

		assert_true((r->current != NULL) <= (r->object != NULL));
		if (!r->write || !r->current)
			continue;
		for (size_t i = 0; i < ARRAY_LEN(names) && open; i++)
			if (!strncmp(open, names[i][0], strlen(names[i][0])))
				snprintf(target, sizeof target, "%.*s%s%s", (int)(open - r->pattern), r->pattern, names[i][1],
					 open + strlen(names[i][0]));
		if (open && !strncmp(open, "{instance}", 10))
			snprintf(target, sizeof target, "%.*s%s%s", (int)(open - r->pattern), r->pattern, f->instance, open + 10);
		if (open && !strncmp(open, "{token}", 7) && strstr(r->pattern, "/tokens"))
			snprintf(target, sizeof target, "%.*s%s%s", (int)(open - r->pattern), r->pattern, f->acme_token_id, open + 7);
		if (!target[0] || strchr(target, '{'))
			continue;
		body = json_object();
		for (const struct route_field *field = r->fields; field && field->name; field++)
			if (field->required)
				json_object_set_new(body, field->name,
						    field->type == FIELD_INT ? json_integer(field->min) :
						    strcmp(field->name, "public_key") ? json_string("fresh") :
											json_string("hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="));
		text = json_dumps(body, 0);
		f->base->time.now_ms += 1000;
		expect_if(f, r->method, target, f->operator_token, "If-Match", "\"no.such.version\"", r->fields ? text : NULL, 412);
		json_decref(body);
		free(text);
		walked++;
	}
	assert_true(walked >= 12);
	assert_int_equal(f->v, before);
}

static void what_moves_by_itself_breaks_no_edit(void **state)
{
	struct api_fixture *f = *state;
	char target[64], seen[MATCH_TAG_SIZE], now[MATCH_TAG_SIZE];
	struct store_report report = { .observed = { .state = STATE_STARTED, .generation = 1, .since_ms = T0 } };
	struct principal node = principal_node(f->host, "ord-1");
	struct store_report_refusal refused[1];
	size_t n_refused, n_made;

	snprintf(target, sizeof target, "/v1/instances/%s", f->instance);
	get_tag(f, target, f->acme, seen);
	api_stop(f);
	strcpy(report.id, f->instance);
	assert_good(f->base, DO(f->base, &node, store_instance_report(store, op, &report, 1, 1, refused, &n_refused, &n_made)));
	assert_int_equal(n_made, 1);
	api_start(f);
	get_tag(f, target, f->acme, now);
	assert_string_not_equal(seen, now);                                              /* who reads is told */
	expect_if(f, "GET", target, f->acme, "If-None-Match", seen, NULL, 200);
	expect_if(f, "PATCH", target, f->acme, "If-Match", seen, "{\"dns_skip\":true}", 200); /* and who writes is not hindered */
	expect_if(f, "PATCH", target, f->acme, "If-Match", seen, "{\"dns_skip\":false}", 412);
}

static void who_has_it_already_gets_no_body(void **state)
{
	struct api_fixture *f = *state;
	char tag[MATCH_TAG_SIZE], list[2 * MATCH_TAG_SIZE];
	struct client_reply r;

	get_tag(f, "/v1/apps/web", f->acme, tag);
	r = ask_if(f, "GET", "/v1/apps/web", f->acme, "If-None-Match", tag, NULL);
	assert_int_equal(r.status, 304);
	assert_string_equal(r.body, "");
	assert_non_null(strcasestr(r.head, "\r\nETag: "));
	client_reply_deinit(&r);
	snprintf(list, sizeof list, "\"x\" , W/%s", tag);
	expect_if(f, "GET", "/v1/apps/web", f->acme, "If-None-Match", list, NULL, 304);
	expect_if(f, "GET", "/v1/apps/web", f->acme, "If-None-Match", "*", NULL, 304);
	expect_if(f, "GET", "/v1/apps/web", f->acme, "If-None-Match", "\"x\"", NULL, 200);
	expect_if(f, "GET", "/v1/apps/web", f->acme, "If-None-Match", "nonsense", NULL, 200);
	make_instance(f->base, "acme/web", "ord", &f->host, 1); /* one more instance: the count in it changes */
	expect_if(f, "GET", "/v1/apps/web", f->acme, "If-None-Match", tag, NULL, 200);
}

static void conditions_that_are_none_are_refused(void **state)
{
	static const char *const wrong[] = { "nonsense", "\"a", "a\"", "\"a\" \"b\"", "", ",", "W/", "W/x", "\"a\", b" };
	struct api_fixture *f = *state;
	char tag[MATCH_TAG_SIZE];
	uint64_t before = f->v;

	get_tag(f, "/v1/apps/web", f->acme, tag);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		expect_if(f, "DELETE", "/v1/apps/web", f->acme, "If-Match", wrong[i], NULL, 400);
	expect_if(f, "POST", "/v1/apps", f->acme, "If-Match", tag, "{\"name\":\"shop\"}", 400);
	expect_if(f, "GET", "/v1/apps/web", f->acme, "If-Match", tag, NULL, 400);
	expect_if(f, "DELETE", "/v1/apps/web", f->acme, "If-None-Match", tag, NULL, 400);
	assert_int_equal(f->v, before);
	expect_if(f, "DELETE", "/v1/apps/nosuch", f->acme, "If-Match", "*", NULL, 404);
	expect_if(f, "DELETE", "/v1/apps/web", f->acme, "If-Match", "*", NULL, 200);
}

/* Another's object is none: nor is its version told. */
static void a_condition_says_nothing_of_anothers_object(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply there = ask_if(f, "DELETE", "/v1/apps/acme%2Fweb", f->globex, "If-Match", "\"x\"", NULL);
	struct client_reply nowhere = ask_if(f, "DELETE", "/v1/apps/acme%2Fwex", f->globex, "If-Match", "\"x\"", NULL);

	assert_int_equal(there.status, 404);
	assert_int_equal(nowhere.status, 404);
	assert_null(json_object_get(json_object_get(there.json, "error"), "current"));
	client_reply_deinit(&there);
	client_reply_deinit(&nowhere);
}

static void the_same_object_has_the_same_tag_after_a_restart(void **state)
{
	struct api_fixture *f = *state;
	char before[MATCH_TAG_SIZE], after[MATCH_TAG_SIZE];

	get_tag(f, "/v1/peers/laptop", f->acme, before);
	api_restart(f);
	get_tag(f, "/v1/peers/laptop", f->acme, after);
	assert_string_equal(before, after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, api_setup, api_teardown)
		T(what_somebody_else_changed_is_not_overwritten),
		T(every_write_on_an_object_takes_if_match),
		T(what_moves_by_itself_breaks_no_edit),
		T(who_has_it_already_gets_no_body),
		T(conditions_that_are_none_are_refused),
		T(a_condition_says_nothing_of_anothers_object),
		T(the_same_object_has_the_same_tag_after_a_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
