/* GET /v1/prometheus/targets: exactly the form that http_sd_configs of Prometheus takes (a list of objects with targets, a list of
 * "host:port" without scheme or path, and labels, an object of strings), and nothing in it that cannot be scraped. */
#include "tests/unit/controller/api/api_fixture.h"

static void each_three(void *ctx, void (*visit)(void *visit_ctx, const struct api_node_state *node), void *visit_ctx)
{
	struct api_node_state open = { .name = "ord-1", .region = "ord", .roles = ROLE_HOST, .version = "0.1", .metrics = "192.0.2.7:4282" };
	struct api_node_state six = { .name = "nrt-1", .region = "nrt", .roles = ROLE_HOST | ROLE_GATEWAY, .version = "0.2",
				      .metrics = "[2001:db8::7]:9100" };
	struct api_node_state own = { .name = "fra-1", .region = "fra", .roles = ROLE_GATEWAY }; /* listens on loopback: for nobody else */

	(void)ctx;
	visit(visit_ctx, &open);
	visit(visit_ctx, &six);
	visit(visit_ctx, &own);
}

static bool is_label(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");

	return *name && !name[n] && !(*name >= '0' && *name <= '9');
}

/* "host:port", "[::1]:port" */
static bool is_target(const char *text)
{
	const char *colon = text ? strrchr(text, ':') : NULL;
	long port = colon ? strtol(colon + 1, NULL, 10) : 0;

	return colon && colon > text && port > 0 && port < 65536 && !strchr(text, '/') && !strchr(text, ' ') &&
	       (memchr(text, ':', (size_t)(colon - text)) == NULL || (*text == '[' && colon[-1] == ']'));
}

static void it_is_as_prometheus_wants_it(void **state)
{
	struct api_fixture *f = *state;
	struct api_access access = { .url = "https://[2001:db8::1]:4280" };
	json_t *group, *target, *label;
	struct client_reply r;
	const char *name;
	size_t i, k;

	f->access = &access;
	api_stop(f);
	api_start(f);
	f->ops.each_node = each_three;
	r = ask(f, "GET", "/v1/prometheus/targets", f->operator_token, NULL);
	assert_int_equal(r.status, 200);
	assert_true(json_is_array(r.json));
	assert_int_equal(json_array_size(r.json), 3);
	json_array_foreach(r.json, i, group) {
		assert_int_equal(json_object_size(group), 2);
		assert_true(json_array_size(json_object_get(group, "targets")) > 0);
		json_array_foreach(json_object_get(group, "targets"), k, target)
			if (!is_target(json_string_value(target)))
				fail_msg("no target: %s", json_string_value(target));
		json_object_foreach(json_object_get(group, "labels"), name, label) {
			assert_true(is_label(name));
			assert_true(json_is_string(label));
		}
	}
	assert_non_null(strstr(r.body, "{\"targets\":[\"[2001:db8::1]:4280\"],\"labels\":{\"job\":\"sixpn-controller\""));
	assert_non_null(strstr(r.body, "\"__scheme__\":\"https\""));
	assert_non_null(strstr(r.body, "{\"targets\":[\"192.0.2.7:4282\"],\"labels\":{\"job\":\"sixpn-node\",\"node\":\"ord-1\",\"region\":\"ord\",\"roles\":\"host\","
				       "\"version\":\"0.1\"}}"));
	assert_non_null(strstr(r.body, "\"node\":\"nrt-1\",\"region\":\"nrt\",\"roles\":\"host,gateway\""));
	assert_null(strstr(r.body, "fra-1"));
	client_reply_deinit(&r);
}

static void customers_learn_no_address_of_a_machine_by_it(void **state)
{
	struct api_fixture *f = *state;

	expect(f, "GET", "/v1/prometheus/targets", f->acme, NULL, 403, "forbidden");
	expect(f, "GET", "/v1/prometheus/targets", NULL, NULL, 200, NULL); /* from this very machine, as /metrics */
}

#define T(name) cmocka_unit_test_setup_teardown(name, api_setup, api_teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(it_is_as_prometheus_wants_it),
		T(customers_learn_no_address_of_a_machine_by_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
