/* The Machines view, as flyctl asks it: apps, machines and waiting; what it sends, and every field that it reads in reply with the type it
 * reads it into. */
#include "tests/unit/controller/api/flaps_client.h"

/* ---- apps ---- */

static void apps_are_created_shown_listed_and_destroyed_as_flyctl_does(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r = fly_good(f, "POST", "/v1/apps?wait=true", "{\"name\":\"shop\",\"org_slug\":\"acme\",\"network\":\"\",\"app_role_id\":\"\"}");

	assert_string_equal(fly_text(&r, "name"), "shop");
	client_reply_deinit(&r);
	assert_int_equal(f->waits, 1); /* it is there for all when it is said to be */

	r = fly_good(f, "GET", "/v1/apps/shop", NULL);
	fly_types(r.json, "id:s name:s internal_numeric_id:i network:s status:s machine_count:i volume_count:i organization.name:s "
			  "organization.slug:s organization.internal_numeric_id:i cname_target:s");
	assert_string_equal(fly_text(&r, "network"), "default");
	assert_string_equal(fly_text(&r, "status"), "pending");
	assert_string_equal(fly_text(&r, "organization.slug"), "acme");
	/* both are read into an int32 */
	assert_in_range(json_integer_value(fly_at(r.json, "internal_numeric_id")), 1, INT32_MAX);
	assert_in_range(json_integer_value(fly_at(r.json, "organization.internal_numeric_id")), 1, INT32_MAX);
	client_reply_deinit(&r);

	r = fly_good(f, "GET", "/v1/apps?org_slug=acme&app_role=", NULL);
	assert_int_equal(json_integer_value(fly_at(r.json, "total_apps")), 2);
	assert_int_equal(json_array_size(fly_at(r.json, "apps")), 2);
	fly_types(r.json, "apps.0.id:s apps.0.name:s apps.1.organization.slug:s apps.1.machine_count:i");
	assert_int_equal(json_integer_value(fly_at(r.json, "apps.1.machine_count")), 1);
	client_reply_deinit(&r);

	r = fly_good(f, "DELETE", "/v1/apps/shop", NULL);
	client_reply_deinit(&r);
	fly_refused(f, "GET", "/v1/apps/shop", NULL, NULL, 404, "app_not_found", "does not exist");
}

static void the_public_spelling_makes_an_app_too_and_a_named_network_with_it(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r = fly_good(f, "POST", "/v1/apps", "{\"app_name\":\"db\",\"org_slug\":\"acme\",\"network\":\"staging\"}");

	assert_string_equal(fly_text(&r, "name"), "db");
	assert_string_equal(fly_text(&r, "network"), "staging");
	client_reply_deinit(&r);
	/* who does not speak of org_slug makes no network by a spelling mistake */
	expect(f, "POST", "/v1/apps", f->acme, "{\"name\":\"dc\",\"org\":\"acme\",\"network\":\"stagin\"}", 404, "network_not_found");
	fly_refused(f, "POST", "/v1/apps", NULL, "{\"name\":\"x\",\"app_name\":\"y\",\"org_slug\":\"acme\"}", 400, "field_invalid", "name");
	fly_refused(f, "POST", "/v1/apps", NULL, "{\"org_slug\":\"acme\"}", 400, "field_missing", "name");
	fly_refused(f, "POST", "/v1/apps", NULL, "{\"name\":\"x\",\"org_slug\":\"globex\"}", 404, "org_not_found", "globex");
}

static void a_name_that_is_taken_is_said_in_flyctls_words(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r = fly(f, "POST", "/v1/apps?wait=true", "{\"name\":\"web\",\"org_slug\":\"acme\",\"network\":\"\",\"app_role_id\":\"\"}");

	assert_int_equal(r.status, 422);
	assert_string_equal(fly_text(&r, "status"), "name_taken");
	assert_non_null(strstr(fly_text(&r, "error"), "Name has already been taken"));
	client_reply_deinit(&r);
	/* and in our own to everybody else */
	expect(f, "POST", "/v1/apps", f->acme, "{\"name\":\"web\",\"org\":\"acme\"}", 409, "name_taken");
}

/* ---- machines ---- */

static void a_machine_is_run_and_has_every_field_that_flyctl_reads(void **state)
{
	struct api_fixture *f = *state;
	struct made m = run_machine(f);
	struct client_reply r = fly_good(f, "GET", m.path, NULL), list;

	fly_types(r.json, MACHINE_TYPES);
	assert_int_equal(strlen(m.id), 14);
	assert_int_equal(strspn(m.id, "0123456789abcdef"), 14);
	assert_int_equal(strlen(m.version), 26);
	assert_string_equal(fly_text(&r, "name"), "blue");
	assert_string_equal(fly_text(&r, "state"), "created");
	assert_string_equal(fly_text(&r, "host_status"), "ok");
	assert_string_equal(fly_text(&r, "image_ref.registry"), "registry-1.docker.io");
	assert_string_equal(fly_text(&r, "image_ref.repository"), "library/nginx");
	assert_string_equal(fly_text(&r, "image_ref.tag"), "1.27");
	assert_string_equal(fly_text(&r, "image_ref.digest"), "sha256:0123");
	assert_string_equal(fly_text(&r, "config.metadata.fly_platform_version"), "v2");
	assert_string_equal(fly_text(&r, "config.metadata.color"), "red");
	assert_string_equal(fly_text(&r, "config.env.MODE"), "blue");
	assert_string_equal(fly_text(&r, "config.init.cmd.0"), "sleep");
	assert_non_null(strstr(fly_text(&r, "private_ip"), "fdaa:"));
	assert_string_equal(fly_text(&r, "events.0.type"), "launch");
	fly_types(r.json, "events.0.status:s events.0.source:s events.0.timestamp:i");
	/* what is taken and does nothing is said */
	assert_string_equal(fly_text(&r, "no_effect.0"), "guest");

	list = fly_good(f, "GET", "/v1/apps/web/machines", NULL);
	assert_true(json_is_array(list.json));
	assert_int_equal(json_array_size(list.json), 2); /* the world's own, too */
	for (size_t i = 0; i < 2; i++)
		fly_types(json_array_get(list.json, i), MACHINE_TYPES);
	client_reply_deinit(&list);
	list = fly_good(f, "GET", "/v1/apps/web/machines?state=started", NULL);
	assert_int_equal(json_array_size(list.json), 0);
	client_reply_deinit(&list);
	client_reply_deinit(&r);

	/* one truth: it is an instance like any other, and runs what was asked for */
	{
		char own[64];

		snprintf(own, sizeof own, "/v1/instances/%s/spec", m.id);
		r = ask(f, "GET", own, f->acme, NULL);
		assert_int_equal(r.status, 200);
		assert_string_equal(fly_text(&r, "command.0"), "sleep");
		assert_string_equal(fly_text(&r, "command.1"), "1000");
		assert_string_equal(fly_text(&r, "env.MODE"), "blue");
		assert_string_equal(fly_text(&r, "restart"), "on-failure");
		client_reply_deinit(&r);
	}
}

static void a_machine_is_run_with_a_container_and_without_a_command(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r = fly_good(f, "POST", "/v1/apps/web/machines",
					 "{\"config\":{\"containers\":[{\"name\":\"app\",\"image\":\"nginx\"}]},\"region\":\"\",\"skip_secrets\":false,"
					 "\"min_secrets_version\":null}");
	char own[64];

	fly_types(r.json, MACHINE_TYPES " containers.0.name:s containers.0.state:s");
	assert_string_equal(fly_text(&r, "image_ref.tag"), "latest");
	assert_string_equal(fly_text(&r, "image_ref.repository"), "nginx");
	assert_string_equal(fly_text(&r, "region"), "ord"); /* found for it */
	snprintf(own, sizeof own, "/v1/instances/%s/spec", fly_text(&r, "id"));
	client_reply_deinit(&r);
	r = ask(f, "GET", own, f->acme, NULL);
	assert_string_equal(fly_text(&r, "command.1"), "infinity"); /* it holds its address and its names */
	assert_string_equal(fly_text(&r, "env.FLY_IMAGE_REF"), "nginx");
	client_reply_deinit(&r);
}

static void a_machine_that_is_only_created_is_not_started(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r = fly_good(f, "POST", "/v1/apps/web/machines", "{\"config\":{\"image\":\"nginx\"},\"region\":\"ord\",\"skip_launch\":true}");
	struct made m;

	snprintf(m.path, sizeof m.path, "/v1/apps/web/machines/%s", fly_text(&r, "id"));
	assert_string_equal(fly_text(&r, "state"), "created");
	client_reply_deinit(&r);
	r = fly_good(f, "POST", below(&m, "/start"), NULL);
	fly_types(r.json, "previous_state:s status:s message:s");
	assert_string_equal(fly_text(&r, "previous_state"), "created");
	client_reply_deinit(&r);
}

/* What a configuration says is read and written again by flyctl: "90s" comes as "1m30s". */
static void times_of_stopping_are_taken_as_go_writes_them(void **state)
{
	static const struct {
		const char *text;
		int ms;
	} times[] = { { "0s", 0 }, { "300ms", 300 }, { "2.5s", 2500 }, { "1m30s", 90000 }, { "10m0s", 600000 }, { "1ms500\u00b5s", 1 }, { "7", 7000 } };
	static const char *const wrong[] = { "", "s", "5x", "0x5s", "1e2s", "-5s", "1.5.5s", "1m 5s", "inf", "nan" };
	struct api_fixture *f = *state;
	char body[160], own[64];
	struct client_reply r;

	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		snprintf(body, sizeof body, "{\"config\":{\"image\":\"a\",\"stop_config\":{\"timeout\":\"%s\"}},\"skip_secrets\":false}", times[i].text);
		r = fly_good(f, "POST", "/v1/apps/web/machines", body);
		snprintf(own, sizeof own, "/v1/instances/%s/spec", fly_text(&r, "id"));
		client_reply_deinit(&r);
		r = ask(f, "GET", own, f->acme, NULL);
		assert_int_equal(json_integer_value(fly_at(r.json, "stop_timeout_ms")), times[i].ms);
		client_reply_deinit(&r);
	}
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		snprintf(body, sizeof body, "{\"config\":{\"image\":\"a\",\"stop_config\":{\"timeout\":\"%s\"}}}", wrong[i]);
		fly_refused(f, "POST", "/v1/apps/web/machines", NULL, body, 400, "field_invalid", "stop_config.timeout");
	}
	fly_refused(f, "POST", "/v1/apps/web/machines", NULL, "{\"config\":{\"image\":\"a\",\"stop_config\":{\"timeout\":\"10m0.001s\"}}}", 400,
		    "out_of_range", "600 s");
}

static void states_have_flys_names(void **state)
{
	struct api_fixture *f = *state;
	struct made m = run_machine(f);
	struct client_reply r;

	report(f, m.id, STATE_STARTING, 1, 0);
	expect_state(f, &m, "starting");
	report(f, m.id, STATE_STARTED, 1, 0);
	expect_state(f, &m, "started");
	r = fly_good(f, "POST", below(&m, "/restart?force_stop=false&timeout=1m30s&signal=SIGINT"), NULL);
	client_reply_deinit(&r);
	expect_state(f, &m, "restarting");
	report(f, m.id, STATE_STARTED, 2, 0);
	expect_state(f, &m, "started");
	r = fly_good(f, "POST", below(&m, "/stop"), "{\"id\":\"x\",\"signal\":\"SIGINT\",\"timeout\":\"0s\"}");
	client_reply_deinit(&r);
	expect_state(f, &m, "stopping");
	report(f, m.id, STATE_STOPPED, 3, 0);
	expect_state(f, &m, "stopped");
	r = fly_good(f, "POST", below(&m, "/start"), NULL);
	assert_string_equal(fly_text(&r, "previous_state"), "stopped");
	client_reply_deinit(&r);
	report(f, m.id, STATE_FAILED, 4, 7);
	expect_state(f, &m, "failed");
	r = fly_good(f, "GET", below(&m, "/events?limit=3"), NULL);
	assert_int_equal(json_array_size(r.json), 3);
	assert_string_equal(fly_text(&r, "0.type"), "exit");
	assert_string_equal(fly_text(&r, "0.source"), "flyd");
	assert_int_equal(json_integer_value(fly_at(r.json, "0.request.exit_event.exit_code")), 7);
	fly_types(r.json, "0.request.exit_event.exited_at:t 0.request.exit_event.requested_stop:b 0.request.restart_count:i");
	assert_string_equal(fly_text(&r, "1.type"), "start");
	assert_string_equal(fly_text(&r, "1.source"), "user");
	client_reply_deinit(&r);
	r = fly_good(f, "DELETE", below(&m, "?kill=true"), NULL);
	client_reply_deinit(&r);
	expect_state(f, &m, "destroying");
	fly_refused(f, "POST", below(&m, "/start"), NULL, NULL, 409, "instance_destroyed", "is being destroyed");
	report(f, m.id, STATE_DESTROYED, 5, 0);
	fly_refused(f, "GET", m.path, NULL, NULL, 404, "instance_not_found", "machine not found");
}

static void a_machine_that_is_to_destroy_itself_does_so_when_it_has_ended_for_good(void **state)
{
	static const struct {
		const char *policy;
		uint32_t seen;
		int exit_code;
		const char *then;
	} rows[] = { { "no", STATE_STOPPED, 0, "destroying" },	       { "no", STATE_FAILED, 3, "destroying" },
		     { "no", STATE_FAILED, 0, "failed" },	       { "on-failure", STATE_FAILED, 3, "failed" },
		     { "on-failure", STATE_STOPPED, 0, "destroying" }, { "no", STATE_STARTED, 0, "started" } };
	struct api_fixture *f = *state;
	struct client_reply r;
	struct made m;
	char body[160];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(body, sizeof body, "{\"config\":{\"image\":\"a\",\"auto_destroy\":true,\"restart\":{\"policy\":\"%s\"}}}", rows[i].policy);
		r = fly_good(f, "POST", "/v1/apps/web/machines", body);
		snprintf(m.path, sizeof m.path, "/v1/apps/web/machines/%s", fly_text(&r, "id"));
		snprintf(m.id, sizeof m.id, "%s", fly_text(&r, "id"));
		client_reply_deinit(&r);
		report(f, m.id, rows[i].seen, 1, rows[i].exit_code);
		expect_state(f, &m, rows[i].then);
	}
	/* it was not started yet */
	r = fly_good(f, "POST", "/v1/apps/web/machines", "{\"config\":{\"image\":\"a\",\"auto_destroy\":true},\"skip_launch\":true}");
	snprintf(m.path, sizeof m.path, "/v1/apps/web/machines/%s", fly_text(&r, "id"));
	snprintf(m.id, sizeof m.id, "%s", fly_text(&r, "id"));
	client_reply_deinit(&r);
	report(f, m.id, STATE_STOPPED, 1, 0);
	expect_state(f, &m, "created");
	r = fly_good(f, "POST", below(&m, "/start"), NULL);
	client_reply_deinit(&r);
	report(f, m.id, STATE_STARTED, 2, 0);
	r = fly_good(f, "POST", below(&m, "/stop"), NULL);
	client_reply_deinit(&r);
	report(f, m.id, STATE_STOPPED, 3, 0);
	expect_state(f, &m, "destroying");
	/* others stay */
	m = run_machine(f);
	report(f, m.id, STATE_STOPPED, 1, 0);
	expect_state(f, &m, "stopped");
}

static void an_update_makes_another_version_and_keeps_the_machine(void **state)
{
	struct api_fixture *f = *state;
	struct made m = run_machine(f);
	struct client_reply r;

	r = fly_good(f, "POST", m.path,
		     "{\"id\":\"x\",\"config\":{\"image\":\"redis:7\",\"init\":{\"exec\":[\"/bin/cat\"]},\"metadata\":{\"color\":\"green\"},\"dns\":"
		     "{\"skip_registration\":true}},\"region\":\"ord\",\"skip_secrets\":false,\"min_secrets_version\":null}");
	fly_types(r.json, MACHINE_TYPES);
	assert_string_equal(fly_text(&r, "id"), m.id);
	assert_string_not_equal(fly_text(&r, "instance_id"), m.version);
	assert_string_equal(fly_text(&r, "name"), "blue");
	assert_string_equal(fly_text(&r, "image_ref.repository"), "redis");
	assert_string_equal(fly_text(&r, "config.metadata.color"), "green");
	assert_null(fly_at(r.json, "config.metadata.fly_flyctl_version"));
	client_reply_deinit(&r);
	{
		char own[64];

		snprintf(own, sizeof own, "/v1/instances/%s", m.id);
		r = ask(f, "GET", own, f->acme, NULL);
		assert_int_equal(json_integer_value(fly_at(r.json, "generation")), 2);
		assert_true(json_is_true(fly_at(r.json, "dns_skip")));
		client_reply_deinit(&r);
		snprintf(own, sizeof own, "/v1/instances/%s/spec", m.id);
		r = ask(f, "GET", own, f->acme, NULL);
		assert_string_equal(fly_text(&r, "command.0"), "/bin/cat");
		client_reply_deinit(&r);
	}
	/* start and stop make no new version */
	r = fly_good(f, "GET", m.path, NULL);
	snprintf(m.version, sizeof m.version, "%s", fly_text(&r, "instance_id"));
	client_reply_deinit(&r);
	r = fly_good(f, "POST", below(&m, "/stop"), NULL);
	client_reply_deinit(&r);
	r = fly_good(f, "GET", m.path, NULL);
	assert_string_equal(fly_text(&r, "instance_id"), m.version);
	client_reply_deinit(&r);
	fly_refused(f, "POST", m.path, NULL, "{\"config\":{\"image\":\"x\"},\"region\":\"nrt\"}", 422, "not_offered", "moves no machines");
	fly_refused(f, "POST", m.path, NULL, "{\"config\":{\"image\":\"x\"},\"current_version\":\"01ARZ3NDEKTSV4RRFFQ69G5FAV\"}", 412,
		    "version_conflict", "is at version");
	/* an update that is not to launch leaves it stopped */
	r = fly_good(f, "POST", m.path, "{\"config\":{\"image\":\"redis:7\"},\"skip_launch\":true}");
	client_reply_deinit(&r);
	report(f, m.id, STATE_STOPPED, 4, 0);
	expect_state(f, &m, "stopped");
}

static void what_runs_is_destroyed_only_by_force(void **state)
{
	struct api_fixture *f = *state;
	struct made m = run_machine(f);
	struct client_reply r;

	fly_refused(f, "DELETE", below(&m, "?kill=false"), NULL, NULL, 412, "machine_running", "stop it first");
	fly_refused(f, "DELETE", m.path, NULL, NULL, 412, "machine_running", "stop it first");
	fly_refused(f, "DELETE", below(&m, "?kill=maybe"), NULL, NULL, 400, "value_invalid", "kill");
	r = fly_good(f, "POST", below(&m, "/stop"), NULL);
	client_reply_deinit(&r);
	r = fly_good(f, "DELETE", below(&m, "?kill=false"), NULL);
	client_reply_deinit(&r);
	expect_state(f, &m, "destroying");
}

static void cordon_changes_the_instance_and_nothing_else(void **state)
{
	struct api_fixture *f = *state;
	struct made m = run_machine(f);
	struct client_reply r;

	for (int i = 0; i < 2; i++) {
		r = fly_good(f, "POST", below(&m, "/cordon"), NULL);
		client_reply_deinit(&r);
	}
	r = fly_good(f, "GET", m.path, NULL);
	assert_true(json_is_true(fly_at(r.json, "cordoned")));
	assert_string_equal(fly_text(&r, "instance_id"), m.version);
	client_reply_deinit(&r);
	r = fly_good(f, "POST", below(&m, "/uncordon"), NULL);
	client_reply_deinit(&r);
	r = fly_good(f, "GET", m.path, NULL);
	assert_false(json_is_true(fly_at(r.json, "cordoned")));
	client_reply_deinit(&r);
}

/* ---- waiting ---- */

static void wait_says_ok_and_waits_for_what_was_asked(void **state)
{
	struct api_fixture *f = *state;
	struct made m = run_machine(f);
	char rest[128];
	struct client_reply r;

	snprintf(rest, sizeof rest, "/wait?instance_id=%s&timeout=60&state=started", m.version);
	r = fly_good(f, "GET", below(&m, rest), NULL);
	assert_true(json_is_true(fly_at(r.json, "ok")));
	client_reply_deinit(&r);
	assert_string_equal(f->last_wait.instance, m.id);
	assert_int_equal(f->last_wait.desired, DESIRED_STARTED);
	assert_int_equal(f->last_wait.generation, 1);
	assert_int_equal(f->last_wait.timeout_ms, 60000);
	assert_false(f->last_wait.foreign); /* for the machine's own V, whatever others wrote since */
	assert_true(f->last_wait.ends_stopped && !f->last_wait.ends_failed); /* its policy starts it again after a failure */
	r = fly_good(f, "GET", below(&m, "/wait?state=stopped"), NULL);
	client_reply_deinit(&r);
	assert_int_equal(f->last_wait.desired, DESIRED_STOPPED);
	assert_false(f->last_wait.ends_stopped);

	snprintf(rest, sizeof rest, "/wait?state=stopped&state=destroyed&timeout=60&version=%s&from_event_id=17", m.version);
	r = fly_good(f, "GET", below(&m, rest), NULL);
	client_reply_deinit(&r);
	assert_int_equal(f->last_wait.also, 1u << DESIRED_STOPPED | 1u << DESIRED_DESTROYED);
	fly_refused(f, "GET", below(&m, "/wait?state=stopped&state=green"), NULL, NULL, 400, "value_invalid", "green");
	fly_refused(f, "GET", "/v1/apps/web/machines?state=a&state=b", NULL, NULL, 400, "query_invalid", "twice");

	f->wait_result = (struct api_wait_result){ .applied = false, .observed = "starting" };
	fly_refused(f, "GET", below(&m, "/wait?state=started&timeout=1"), NULL, NULL, 408, "deadline_exceeded", "currently starting");
	f->wait_result = (struct api_wait_result){ .ended = true, .observed = "stopped" };
	fly_refused(f, "GET", below(&m, "/wait?state=started"), NULL, NULL, 412, "machine_ended", "machine failed to reach desired state");
}

static void wait_refuses_what_it_cannot_wait_for(void **state)
{
	struct api_fixture *f = *state;
	struct made m = run_machine(f);

	fly_refused(f, "GET", below(&m, "/wait?state=green"), NULL, NULL, 400, "value_invalid", "green");
	fly_refused(f, "GET", below(&m, "/wait?state=suspended"), NULL, NULL, 422, "not_offered", "suspends no machines");
	fly_refused(f, "GET", below(&m, "/wait?timeout=soon"), NULL, NULL, 400, "field_invalid", "soon");
	fly_refused(f, "GET", below(&m, "/wait?timeout=86400"), NULL, NULL, 400, "out_of_range", "86400");
	fly_refused(f, "GET", below(&m, "/wait?instance_id=01ARZ3NDEKTSV4RRFFQ69G5FAV"), NULL, NULL, 400, "value_invalid", "was replaced");
	assert_int_equal(f->waits, 0);
}

static void who_waits_for_the_end_of_what_is_gone_has_it(void **state)
{
	struct api_fixture *f = *state;
	struct made m = run_machine(f);
	struct client_reply r = fly_good(f, "DELETE", below(&m, "?kill=true"), NULL);

	client_reply_deinit(&r);
	report(f, m.id, STATE_DESTROYED, 2, 0);
	r = fly_good(f, "GET", below(&m, "/wait?state=destroyed"), NULL);
	client_reply_deinit(&r);
	assert_int_equal(f->waits, 0);
	fly_refused(f, "GET", below(&m, "/wait?state=started"), NULL, NULL, 404, "instance_not_found", "machine not found");
	fly_refused(f, "GET", "/v1/apps/web/machines/00000000000000/wait?state=destroyed", NULL, NULL, 404, "instance_not_found", "machine not found");
	r = fly_with(f, "GET", below(&m, "/wait?state=destroyed"), f->globex, NULL, NULL);
	assert_int_equal(r.status, 404);
	client_reply_deinit(&r);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, api_setup, api_teardown)
	const struct CMUnitTest tests[] = {
		TEST(apps_are_created_shown_listed_and_destroyed_as_flyctl_does),
		TEST(the_public_spelling_makes_an_app_too_and_a_named_network_with_it),
		TEST(a_name_that_is_taken_is_said_in_flyctls_words),
		TEST(a_machine_is_run_and_has_every_field_that_flyctl_reads),
		TEST(a_machine_is_run_with_a_container_and_without_a_command),
		TEST(a_machine_that_is_only_created_is_not_started),
		TEST(times_of_stopping_are_taken_as_go_writes_them),
		TEST(states_have_flys_names),
		TEST(a_machine_that_is_to_destroy_itself_does_so_when_it_has_ended_for_good),
		TEST(an_update_makes_another_version_and_keeps_the_machine),
		TEST(what_runs_is_destroyed_only_by_force),
		TEST(cordon_changes_the_instance_and_nothing_else),
		TEST(wait_says_ok_and_waits_for_what_was_asked),
		TEST(wait_refuses_what_it_cannot_wait_for),
		TEST(who_waits_for_the_end_of_what_is_gone_has_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
