/* PUT: an object is found as it is wanted, or made so; asked twice it is asked once. */
#include "tests/unit/controller/api/api_fixture.h"

#define KEY_A "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="
#define KEY_B "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08="
#define PSK_A "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
#define PSK_B "BQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="

static void every_noun_is_made_once_and_then_found(void **state)
{
	static const struct {
		const char *target, *body, *show;
	} rows[] = {
		{ "/v1/regions/nrt", "{\"city\":\"Tokyo\",\"latitude\":35.76,\"longitude\":140.39}", "/v1/regions/nrt" },
		{ "/v1/regions/fra", NULL, "/v1/regions/fra" },
		{ "/v1/orgs/initech", "{\"strict_region\":true,\"limits\":{\"apps\":3}}", "/v1/orgs/initech" },
		{ "/v1/orgs/acme/networks/blue", NULL, "/v1/networks/acme%2Fblue" },
		{ "/v1/orgs/acme/apps/shop", "{\"network\":\"blue\"}", "/v1/apps/acme%2Fshop" },
		{ "/v1/orgs/acme/apps/store", "{}", "/v1/apps/acme%2Fstore" },
		{ "/v1/orgs/acme/peers/phone",
		  "{\"public_key\":\"" KEY_A "\",\"preshared_key\":\"" PSK_A "\",\"region\":\"ord\",\"network\":\"blue\",\"expires_at\":\"2030-01-31T00:00:00Z\"}",
		  "/v1/peers/acme%2Fphone" },
	};
	struct api_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct client_reply first = ask(f, "PUT", rows[i].target, f->operator_token, rows[i].body), again;
		uint64_t v = f->v;

		if (first.status != 201)
			fail_msg("%s: %d %s", rows[i].target, first.status, first.body);
		again = ask(f, "PUT", rows[i].target, f->operator_token, rows[i].body);
		if (again.status != 200 || f->v != v)
			fail_msg("%s again: %d %s (v %llu, %llu)", rows[i].target, again.status, again.body, (unsigned long long)v,
				 (unsigned long long)f->v);
		json_object_del(first.json, "v");
		json_object_del(again.json, "v");
		json_object_del(first.json, "warnings");
		json_object_del(again.json, "warnings");
		assert_true(json_equal(first.json, again.json));
		client_reply_deinit(&first);
		client_reply_deinit(&again);
		expect(f, "GET", rows[i].show, f->operator_token, NULL, 200, NULL);
	}
}

static void what_can_change_changes_and_what_is_left_out_stays(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r;

	expect(f, "PUT", "/v1/orgs/acme", f->operator_token, "{\"limits\":{\"apps\":7}}", 200, NULL);
	r = ask(f, "PUT", "/v1/orgs/acme", f->operator_token, "{\"strict_region\":true}");
	assert_int_equal(r.status, 200);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(r.json, "limits"), "apps")), 7);
	assert_true(json_is_true(json_object_get(r.json, "strict_region")));
	client_reply_deinit(&r);
	r = ask(f, "PUT", "/v1/regions/ord", f->operator_token, "{\"city\":\"Chicago O'Hare\"}");
	assert_int_equal(r.status, 200);
	assert_string_equal(text_of(&r, "city"), "Chicago O'Hare");
	client_reply_deinit(&r);
	expect(f, "PUT", "/v1/orgs/acme/peers/phone", f->acme, "{\"public_key\":\"" KEY_A "\",\"suspended\":true}", 201, NULL);
	r = ask(f, "PUT", "/v1/orgs/acme/peers/phone", f->acme, "{\"public_key\":\"" KEY_A "\",\"ephemeral\":true,\"expires_at\":\"2030-01-31T00:00:00.250Z\"}");
	assert_int_equal(r.status, 200);
	assert_true(json_is_true(json_object_get(r.json, "suspended")));
	assert_true(json_is_true(json_object_get(r.json, "ephemeral")));
	assert_string_equal(text_of(&r, "expires_at"), "2030-01-31T00:00:00.250Z"); /* what it shows can be given back */
	client_reply_deinit(&r);
	r = ask(f, "PUT", "/v1/orgs/acme/peers/phone", f->acme, "{\"public_key\":\"" KEY_A "\",\"expires_at\":\"never\"}");
	assert_true(json_is_null(json_object_get(r.json, "expires_at")));
	client_reply_deinit(&r);
}

static void what_cannot_change_is_named(void **state)
{
	static const struct {
		const char *target, *body, *field;
	} rows[] = {
		{ "/v1/orgs/acme/apps/web", "{\"network\":\"blue\"}", "network" },
		{ "/v1/regions/ord", "{\"locator\":40960}", "locator" },
		{ "/v1/orgs/acme/peers/phone", "{\"public_key\":\"" KEY_B "\"}", "public_key" },
		{ "/v1/orgs/acme/peers/phone", "{\"public_key\":\"" KEY_A "\",\"network\":\"blue\"}", "network" },
		{ "/v1/orgs/acme/peers/phone", "{\"public_key\":\"" KEY_A "\",\"region\":\"nrt\"}", "region" },
		{ "/v1/orgs/acme/peers/phone", "{\"public_key\":\"" KEY_A "\",\"gateway\":\"nrt-1\"}", "gateway" },
		{ "/v1/orgs/acme/peers/phone", "{\"public_key\":\"" KEY_A "\",\"preshared_key\":\"" PSK_B "\"}", "preshared_key" },
		{ "/v1/orgs/acme/peers/phone", "{\"public_key\":\"" KEY_A "\",\"preshared_key\":null}", "preshared_key" },
		{ "/v1/orgs/acme/peers/laptop", "{\"public_key\":\"" KEY_B "\"}", "public_key" },
	};
	struct api_fixture *f = *state;
	uint64_t v;

	make_region(f->base, "nrt");
	expect(f, "PUT", "/v1/orgs/acme/networks/blue", f->acme, NULL, 201, NULL);
	expect(f, "PUT", "/v1/orgs/acme/peers/phone", f->acme, "{\"public_key\":\"" KEY_A "\",\"preshared_key\":\"" PSK_A "\"}", 201, NULL);
	v = f->v;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct client_reply r;

		f->base->time.now_ms += 1000;
		r = ask(f, "PUT", rows[i].target, f->operator_token, rows[i].body);
		if (r.status != 409 || strcmp(client_error_code(&r), "field_immutable"))
			fail_msg("%s %s: %d %s", rows[i].target, rows[i].body, r.status, r.body);
		assert_string_equal(json_string_value(json_object_get(json_object_get(r.json, "error"), "field")), rows[i].field);
		assert_null(strstr(r.body, PSK_A)); /* nor is a secret told */
		client_reply_deinit(&r);
	}
	assert_int_equal(f->v, v);
	/* the key of one peer is no other's */
	expect(f, "PUT", "/v1/orgs/acme/peers/other", f->acme, "{\"public_key\":\"" KEY_A "\"}", 409, "key_taken");
}

static void names_and_fields_are_checked(void **state)
{
	struct api_fixture *f = *state;
	char target[128];
	uint64_t v = f->v;

	expect(f, "PUT", "/v1/orgs/acme/apps/shop", f->acme, "{\"colour\":1}", 400, "field_unknown");
	expect(f, "PUT", "/v1/orgs/acme/apps/shop", f->acme, "{\"name\":\"shop\"}", 400, "field_unknown");
	expect(f, "PUT", "/v1/orgs/acme/apps/vms", f->acme, NULL, 400, NULL);
	expect(f, "PUT", "/v1/orgs/acme/apps/globex%2Fx", f->operator_token, NULL, 400, "name_invalid");
	expect(f, "PUT", "/v1/orgs/acme/networks/x", f->acme, "{\"prefix\":\"fdaa::/48\"}", 400, "field_unknown");
	expect(f, "PUT", "/v1/orgs/acme/peers/phone", f->acme, "{}", 400, "field_missing");
	expect(f, "PUT", "/v1/orgs/acme/peers/phone", f->acme, "{\"public_key\":\"" KEY_A "\",\"expires_at\":\"7d\"}", 400, "value_invalid");
	expect(f, "PUT", "/v1/orgs/acme/peers/phone", f->acme, "{\"public_key\":\"" KEY_A "\",\"expires_at\":\"2030-01-31T00:00:00.1xZ\"}", 400, "value_invalid");
	expect(f, "PUT", "/v1/regions/nrtx", f->operator_token, NULL, 400, NULL);
	expect(f, "PUT", "/v1/orgs/acme/apps/shop", f->acme, "{\"network\":\"nosuch\"}", 404, "network_not_found");
	assert_int_equal(f->v, v);
	/* an id is a name like another where something is made: it does not find what has it as id */
	snprintf(target, sizeof target, "/v1/orgs/acme/apps/%s", f->app_id);
	if (f->app_id[0] >= 'a') /* a label begins with a letter */
		expect(f, "PUT", target, f->acme, NULL, 201, NULL);
}

static void who_may_not_make_may_not_put(void **state)
{
	static const char *const targets[] = { "/v1/orgs/acme/apps/web", "/v1/orgs/acme/networks/default", "/v1/orgs/acme/apps/new" };
	struct api_fixture *f = *state;
	uint64_t v = f->v;

	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		expect(f, "PUT", targets[i], f->acme_read, NULL, 403, "forbidden"); /* also where nothing would change */
		expect(f, "PUT", targets[i], f->globex, NULL, 404, "org_not_found");
	}
	expect(f, "PUT", "/v1/orgs/acme/peers/laptop", f->acme_read, "{\"public_key\":\"" KEY_A "\"}", 409, NULL);
	expect(f, "PUT", "/v1/orgs/acme", f->acme, NULL, 403, "forbidden");
	expect(f, "PUT", "/v1/regions/ord", f->acme, NULL, 403, "forbidden");
	assert_int_equal(f->v, v);
}

static void only_if_there_is_none_and_only_if_it_is_still_that_one(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r = ask_with(f, "PUT", "/v1/orgs/acme/apps/shop", f->acme, "If-None-Match: *\r\n", NULL);

	assert_int_equal(r.status, 201);
	client_reply_deinit(&r);
	r = ask_with(f, "PUT", "/v1/orgs/acme/apps/shop", f->acme, "If-None-Match: *\r\n", NULL);
	assert_int_equal(r.status, 412);
	assert_string_equal(json_string_value(json_object_get(json_object_get(json_object_get(r.json, "error"), "object"), "name")), "shop");
	client_reply_deinit(&r);
	r = ask_with(f, "PUT", "/v1/orgs/acme/apps/gone", f->acme, "If-Match: *\r\n", NULL);
	assert_int_equal(r.status, 412);
	assert_true(json_is_null(json_object_get(json_object_get(r.json, "error"), "current")));
	client_reply_deinit(&r);
	expect(f, "GET", "/v1/apps/gone", f->acme, NULL, 404, NULL);
}

/* The gateway that was waited for fell silent: made again elsewhere, under the same name and key. */
static void a_peer_is_made_again_where_its_gateway_fell_silent(void **state)
{
	struct api_fixture *f = *state;

	f->silent = 1;
	expect(f, "PUT", "/v1/orgs/acme/peers/phone?wait=applied", f->acme, "{\"public_key\":\"" KEY_A "\"}", 201, NULL);
	assert_int_equal(f->waits, 2);
	f->silent = 1; /* what was found is not */
	expect(f, "PUT", "/v1/orgs/acme/peers/phone?wait=applied", f->acme, "{\"public_key\":\"" KEY_A "\"}", 202, NULL);
	assert_int_equal(f->waits, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, api_setup, api_teardown)
		T(every_noun_is_made_once_and_then_found),
		T(what_can_change_changes_and_what_is_left_out_stays),
		T(what_cannot_change_is_named),
		T(names_and_fields_are_checked),
		T(who_may_not_make_may_not_put),
		T(only_if_there_is_none_and_only_if_it_is_still_that_one),
		T(a_peer_is_made_again_where_its_gateway_fell_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
