/* The Machines view, as flyctl asks it: what it sends, and every field that it reads in reply with the type it reads it into. */
#include "tests/unit/controller/api/flaps_client.h"

#include "controller/store/store_lease.h"

#define MACHINE_TYPES                                                                                                                  \
	"id:s name:s state:s region:s image_ref.registry:s image_ref.repository:s image_ref.tag:s image_ref.digest:s instance_id:s "      \
	"version:s private_ip:s created_at:t updated_at:t config:o config.guest.cpu_kind:s config.guest.cpus:i "                           \
	"config.guest.memory_mb:i config.init:o config.metadata:o config.image:s events:a checks:a host_status:s cordoned:b containers:a"

/* What the last answer says of the machine that a test made. */
struct made {
	char path[96], id[NAME_INSTANCE_ID_SIZE], version[ULID_SIZE];
};

static struct made run_machine(struct api_fixture *f)
{
	struct client_reply r = fly_good(f, "POST", "/v1/apps/web/machines", RUN_BODY);
	struct made m;

	fly_types(r.json, MACHINE_TYPES);
	snprintf(m.id, sizeof m.id, "%s", fly_text(&r, "id"));
	snprintf(m.version, sizeof m.version, "%s", fly_text(&r, "instance_id"));
	snprintf(m.path, sizeof m.path, "/v1/apps/web/machines/%s", m.id);
	client_reply_deinit(&r);
	return m;
}

static const char *below(const struct made *m, const char *rest)
{
	static char path[sizeof m->path + 128];

	snprintf(path, sizeof path, "%s%s", m->path, rest);
	return path;
}

/* The node says what it sees. */
static void report(struct api_fixture *f, const char *id, uint32_t state, uint64_t generation, int exit_code)
{
	struct store_report report = { .observed = { .state = state, .generation = generation, .exit_code = exit_code, .since_ms = T0 } };
	struct store_report_refusal refused;
	struct principal node = principal_node(f->host, "ord-1");
	size_t n_refused, made;

	snprintf(report.id, sizeof report.id, "%s", id);
	assert_good(f->base, DO(f->base, &node, store_instance_report(store, op, &report, 1, 10, &refused, &n_refused, &made)));
	assert_int_equal(n_refused, 0);
}

static void expect_state(struct api_fixture *f, const struct made *m, const char *state)
{
	struct client_reply r = fly_good(f, "GET", m->path, NULL);

	assert_string_equal(fly_text(&r, "state"), state);
	client_reply_deinit(&r);
}

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

/* ---- leases ---- */

static void a_lease_keeps_everybody_else_from_changing_a_machine(void **state)
{
	struct api_fixture *f = *state;
	struct made m = run_machine(f);
	struct client_reply r = fly_good(f, "POST", below(&m, "/lease?ttl=120"), NULL);
	char nonce[LEASE_NONCE_SIZE], own[64];

	fly_types(r.json, "status:s data.nonce:s data.expires_at:i data.owner:s data.version:s");
	assert_string_equal(fly_text(&r, "status"), "success");
	assert_string_equal(fly_text(&r, "data.version"), m.version);
	assert_in_range(json_integer_value(fly_at(r.json, "data.expires_at")), T0 / 1000 + 120, T0 / 1000 + 150);
	snprintf(nonce, sizeof nonce, "%s", fly_text(&r, "data.nonce"));
	client_reply_deinit(&r);

	fly_refused(f, "POST", below(&m, "/lease?ttl=120"), NULL, NULL, 409, "lease_held", "currently held by");
	fly_refused(f, "POST", below(&m, "/stop"), NULL, NULL, 409, "lease_held", "currently held by");
	fly_refused(f, "POST", below(&m, "/stop"), "0000000000000000", NULL, 409, "lease_held", "currently held by");
	fly_refused(f, "POST", below(&m, "/cordon"), "x", NULL, 409, "lease_held", "currently held by");
	fly_refused(f, "POST", below(&m, "/metadata/color"), NULL, "{\"value\":\"x\"}", 409, "lease_held", "currently held by");
	fly_refused(f, "POST", m.path, NULL, "{\"config\":{\"image\":\"x\"}}", 409, "lease_held", "currently held by");
	fly_refused(f, "DELETE", below(&m, "?kill=true"), NULL, NULL, 409, "lease_held", "currently held by");
	fly_refused(f, "DELETE", below(&m, "/lease"), NULL, NULL, 409, "lease_held", "currently held by");
	/* our own view of the same machine keeps it too */
	snprintf(own, sizeof own, "/v1/instances/%s", m.id);
	expect(f, "PATCH", own, f->acme, "{\"cordoned\":true}", 409, "lease_held");
	expect(f, "DELETE", own, f->acme, NULL, 409, "lease_held");

	/* a reader is not told the nonce */
	r = fly_good(f, "GET", below(&m, "/lease"), NULL);
	assert_null(fly_at(r.json, "data.nonce"));
	fly_types(r.json, "data.expires_at:i data.owner:s data.version:s");
	client_reply_deinit(&r);

	r = fly_with(f, "POST", below(&m, "/stop"), f->acme, nonce, "{\"id\":\"x\",\"timeout\":\"0s\"}");
	assert_int_equal(r.status, 200);
	client_reply_deinit(&r);
	r = fly_with(f, "POST", below(&m, "/lease?ttl=300"), f->acme, nonce, NULL); /* longer */
	assert_int_equal(r.status, 200);
	assert_string_equal(fly_text(&r, "data.nonce"), nonce);
	client_reply_deinit(&r);
	r = fly_with(f, "DELETE", below(&m, "/lease?wait=applied"), f->acme, nonce, NULL);
	assert_int_equal(r.status, 200);
	assert_int_equal(f->waits, 1);
	fly_types(r.json, "v:i applied:b nodes:i laggards:a");
	client_reply_deinit(&r);
	fly_refused(f, "DELETE", below(&m, "/lease"), nonce, NULL, 404, "lease_not_found", "lease not found");
	expect(f, "PATCH", own, f->acme, "{\"cordoned\":true}", 200, NULL);
}

static void a_lease_ends_with_its_time_and_with_its_machine(void **state)
{
	struct api_fixture *f = *state;
	struct made m = run_machine(f);
	struct client_reply r = fly_good(f, "POST", below(&m, "/lease"), "{\"ttl\":10,\"description\":\"mine\"}");

	client_reply_deinit(&r);
	fly_refused(f, "POST", below(&m, "/stop"), NULL, NULL, 409, "lease_held", "currently held by");
	f->base->time.now_ms += 11000;
	fly_refused(f, "GET", below(&m, "/lease"), NULL, NULL, 404, "lease_not_found", "lease not found");
	r = fly_good(f, "POST", below(&m, "/stop"), NULL);
	client_reply_deinit(&r);
	r = fly_good(f, "POST", below(&m, "/lease?ttl=120"), NULL); /* another may have it now */
	client_reply_deinit(&r);
	f->base->time.now_ms += 121000;
	r = fly_good(f, "DELETE", below(&m, "?kill=true"), NULL);
	client_reply_deinit(&r);
	fly_refused(f, "POST", below(&m, "/lease"), NULL, NULL, 409, "instance_destroyed", "is being destroyed");
	report(f, m.id, STATE_DESTROYED, 3, 0);
	fly_refused(f, "DELETE", below(&m, "/lease"), NULL, NULL, 404, "lease_not_found", "lease not found");
	fly_refused(f, "POST", below(&m, "/lease?ttl=many"), NULL, NULL, 400, "value_invalid", "many");
	fly_refused(f, "POST", below(&m, "/lease?ttl=999999"), NULL, NULL, 400, "out_of_range", "999999");
}

static void a_machine_may_be_made_with_its_lease(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r = fly_good(f, "POST", "/v1/apps/web/machines", "{\"config\":{\"image\":\"nginx\"},\"lease_ttl\":60}");
	struct made m;
	char nonce[LEASE_NONCE_SIZE];

	snprintf(m.path, sizeof m.path, "/v1/apps/web/machines/%s", fly_text(&r, "id"));
	snprintf(nonce, sizeof nonce, "%s", fly_text(&r, "nonce"));
	client_reply_deinit(&r);
	fly_refused(f, "POST", below(&m, "/stop"), NULL, NULL, 409, "lease_held", "currently held by");
	r = fly_with(f, "POST", below(&m, "/stop"), f->acme, nonce, NULL);
	assert_int_equal(r.status, 200);
	client_reply_deinit(&r);
}

/* ---- metadata ---- */

static void metadata_is_read_and_written_one_key_at_a_time(void **state)
{
	struct api_fixture *f = *state;
	struct made m = run_machine(f);
	struct client_reply r = fly_good(f, "POST", below(&m, "/metadata/shape"), "{\"value\":\"round\"}");

	client_reply_deinit(&r);
	r = fly_good(f, "DELETE", below(&m, "/metadata/color"), NULL);
	client_reply_deinit(&r);
	r = fly_good(f, "GET", below(&m, "/metadata"), NULL);
	assert_string_equal(fly_text(&r, "shape"), "round");
	assert_string_equal(fly_text(&r, "fly_platform_version"), "v2");
	assert_null(fly_at(r.json, "color"));
	client_reply_deinit(&r);
	r = fly_good(f, "GET", m.path, NULL); /* the configuration shows the same */
	assert_string_equal(fly_text(&r, "config.metadata.shape"), "round");
	assert_string_equal(fly_text(&r, "instance_id"), m.version);
	client_reply_deinit(&r);
	fly_refused(f, "DELETE", below(&m, "/metadata/color"), NULL, NULL, 404, "not_found", "color");
	fly_refused(f, "POST", below(&m, "/metadata/a%20b"), NULL, "{\"value\":\"x\"}", 400, "metadata_invalid", "a b");
	fly_refused(f, "POST", below(&m, "/metadata/a"), NULL, "{\"value\":7}", 400, "type_invalid", "value");
	fly_refused(f, "POST", below(&m, "/metadata/a"), NULL, NULL, 400, "field_missing", "value");
	fly_refused(f, "POST", below(&m, "/metadata/a"), NULL, "{\"value\":\"x\",\"other\":1}", 400, "field_unknown", "other");
}

/* ---- addresses ---- */

static void an_address_is_reserved_listed_and_released(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r = fly_good(f, "POST", "/v1/apps/web/ip_assignments",
					 "{\"type\":\"private_v6\",\"region\":\"\",\"org_slug\":\"\",\"network\":\"\",\"service_name\":\"\"}");
	char path[128];

	fly_types(r.json, "ip:s region:s service_name:s shared:b created_at:t egress:b network.name:s network.org_slug:s");
	assert_ptr_equal(strstr(fly_text(&r, "ip"), "fdaa:"), fly_text(&r, "ip"));
	snprintf(path, sizeof path, "/v1/apps/web/ip_assignments/%s", fly_text(&r, "ip"));
	client_reply_deinit(&r);
	r = fly_good(f, "GET", "/v1/apps/web/ip_assignments", NULL);
	fly_types(r.json, "ips:a ips.0.ip:s");
	client_reply_deinit(&r);
	r = fly_with(f, "DELETE", path, f->globex, NULL, NULL);
	assert_int_equal(r.status, 404);
	client_reply_deinit(&r);
	r = fly_good(f, "DELETE", path, NULL);
	client_reply_deinit(&r);
	fly_refused(f, "DELETE", path, NULL, NULL, 404, "ip_not_found", "");
	fly_refused(f, "POST", "/v1/apps/web/ip_assignments", NULL, "{\"type\":\"v4\"}", 422, "not_offered", "no addresses of type \"v4\"");
	fly_refused(f, "POST", "/v1/apps/web/ip_assignments", NULL, "{\"type\":\"private_v6\",\"network\":\"globex/default\"}", 404,
		    "org_not_found", "globex");
}

/* ---- the platform ---- */

static void regions_organizations_and_builds_have_flys_form(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r = fly_good(f, "GET", "/v1/platform/regions", NULL);

	fly_types(r.json, "Nearest:s Regions:a Regions.0.code:s Regions.0.name:s Regions.0.latitude:f Regions.0.longitude:f "
			  "Regions.0.gateway_available:b Regions.0.requires_paid_plan:b Regions.0.deprecated:b Regions.0.capacity:i "
			  "Regions.0.geo_region:s Regions.0.mpg_available:b");
	assert_string_equal(fly_text(&r, "Nearest"), "ord");
	assert_string_equal(fly_text(&r, "Regions.0.geo_region"), "north_america");
	client_reply_deinit(&r);
	r = fly_good(f, "GET", "/api/v1/organizations/acme", NULL);
	fly_types(r.json, "organization.id:s organization.internal_numeric_id:i organization.slug:s organization.raw_slug:s organization.paid_plan:b "
			  "organization.personal:b organization.billing_status:s organization.provisions_beta_extensions:b organization.name:s "
			  "organization.billable:b organization.remote_builder_image:s");
	client_reply_deinit(&r);
	r = fly_good(f, "GET", "/api/v1/organizations", NULL);
	assert_int_equal(json_array_size(fly_at(r.json, "organizations")), 1);
	client_reply_deinit(&r);
	r = fly_good(f, "POST", "/api/v1/builds", "{\"app_name\":\"web\",\"builder_type\":\"\",\"strategies_available\":[\"a\"],\"more\":{}}");
	fly_types(r.json, "id:i status:s wallclock_time_ms:i");
	client_reply_deinit(&r);
	r = fly_good(f, "POST", "/api/v1/builds/finish", "{\"id\":1,\"status\":\"completed\"}");
	client_reply_deinit(&r);
}

static void what_is_not_offered_is_named_in_a_sentence(void **state)
{
	static const char *const paths[][2] = { { "GET", "/v1/apps/web/volumes" }, { "POST", "/v1/apps/web/machines/x/exec" },
						{ "POST", "/v1/apps/web/machines/x/suspend" }, { "GET", "/v1/apps/web/secrets" } };
	struct api_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		fly_refused(f, paths[i][0], paths[i][1], NULL, NULL, 404, "route_not_found", paths[i][1]);
}

/* ---- bad input ---- */

static void configurations_that_cannot_be_are_refused_by_field(void **state)
{
	static const struct {
		const char *config, *code, *words;
		int status;
	} rows[] = {
		{ "7", "type_invalid", "config", 400 },
		{ "{}", "field_missing", "image", 400 },
		{ "{\"image\":7}", "type_invalid", "image", 400 },
		{ "{\"image\":\"a\",\"env\":{\"A\":1}}", "type_invalid", "env", 400 },
		{ "{\"image\":\"a\",\"env\":[]}", "type_invalid", "env", 400 },
		{ "{\"image\":\"a\",\"init\":{\"cmd\":\"x\"}}", "type_invalid", "cmd", 400 },
		{ "{\"image\":\"a\",\"guest\":{\"cpus\":\"1\"}}", "type_invalid", "cpus", 400 },
		{ "{\"image\":\"a\",\"metadata\":{\"a b\":\"c\"}}", "metadata_invalid", "a b", 400 },
		{ "{\"image\":\"a\",\"metadata\":{\"fly_process_group\":\"-\"}}", "name_invalid", "-", 400 },
		{ "{\"image\":\"a\",\"restart\":{\"policy\":\"sometimes\"}}", "value_invalid", "sometimes", 400 },
		{ "{\"image\":\"a\",\"stop_config\":{\"timeout\":\"long\"}}", "field_invalid", "long", 400 },
		{ "{\"image\":\"a\",\"mounts\":[{\"path\":\"/data\"}]}", "not_offered", "no volumes", 422 },
		{ "{\"image\":\"a\",\"containers\":[{},{}]}", "not_offered", "2 containers", 422 },
		{ "{\"image\":\"a\",\"files\":[{\"guest_path\":\"/x\",\"raw_value\":\"*\"}]}", "value_invalid", "/x", 400 },
		{ "{\"image\":\"a\",\"files\":[{\"guest_path\":\"/x\",\"raw_value\":\"YWJjYWJjYWJjYWJjYW=J\"}]}", "value_invalid", "/x", 400 },
		{ "{\"image\":\"a\",\"files\":[{\"guest_path\":\"/x\",\"raw_value\":\"AA==\"}]}", "value_invalid", "/x", 400 },
		{ "{\"image\":\"a\",\"files\":[{\"guest_path\":\"/x\",\"secret_name\":\"S\"}]}", "not_offered", "secrets", 422 },
		{ "{\"image\":\"a\",\"files\":[{\"raw_value\":\"\"}]}", "field_missing", "guest_path", 400 },
	};
	struct api_fixture *f = *state;
	uint64_t before = f->v;
	char body[512];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(body, sizeof body, "{\"config\":%s,\"region\":\"ord\"}", rows[i].config);
		fly_refused(f, "POST", "/v1/apps/web/machines", NULL, body, rows[i].status, rows[i].code, rows[i].words);
	}
	fly_refused(f, "POST", "/v1/apps/web/machines", NULL, "{\"region\":\"ord\"}", 400, "field_missing", "config");
	fly_refused(f, "POST", "/v1/apps/web/machines", NULL, "{\"config\":{\"image\":\"a\"},\"regoin\":\"ord\"}", 400, "field_unknown", "regoin");
	fly_refused(f, "POST", "/v1/apps/web/machines", NULL, "{\"config\":{\"image\":\"a\"},\"region\":\"nrt\"}", 404, "region_not_found", "nrt");
	fly_refused(f, "POST", "/v1/apps/web/machines", NULL, "[]", 400, "json_invalid", "object");
	fly_refused(f, "POST", "/v1/apps/web/machines", NULL, "{", 400, "json_invalid", "");
	assert_int_equal(f->v, before);
}

static void what_is_not_known_in_a_configuration_is_kept_and_shown(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r = fly_good(f, "POST", "/v1/apps/web/machines",
					 "{\"config\":{\"image\":\"a\",\"brand_new\":{\"x\":[1]},\"services\":[],\"auto_destroy\":true,\"files\":"
					 "[{\"guest_path\":\"/etc/motd\",\"raw_value\":\"aGVsbG8\",\"mode\":384}]}}");
	char own[64];

	assert_int_equal(json_integer_value(fly_at(r.json, "config.brand_new.x.0")), 1);
	assert_int_equal(json_array_size(fly_at(r.json, "no_effect")), 2); /* image and brand_new */
	snprintf(own, sizeof own, "/v1/instances/%s/spec", fly_text(&r, "id"));
	client_reply_deinit(&r);
	r = ask(f, "GET", own, f->acme, NULL);
	assert_string_equal(fly_text(&r, "files.0.path"), "/etc/motd");
	assert_string_equal(fly_text(&r, "files.0.content"), "hello");
	assert_string_equal(fly_text(&r, "files.0.mode"), "0600");
	client_reply_deinit(&r);
}

static void a_huge_body_is_413(void **state)
{
	struct api_fixture *f = *state;
	CLEAN_BUF struct buf body = BUF_INIT(4u << 20);
	struct client_reply r;

	buf_add_str(&body, "{\"config\":{\"image\":\"");
	for (int i = 0; i < 70000; i++)
		buf_add_u8(&body, 'a' + i % 26);
	buf_add_str(&body, "\"}}");
	r = fly(f, "POST", "/v1/apps/web/machines", buf_str(&body));
	assert_int_equal(r.status, 400); /* of one field */
	client_reply_deinit(&r);
	buf_clear(&body);
	buf_add_str(&body, "{\"config\":{\"image\":\"a\",\"more\":\"");
	for (int i = 0; i < 70000; i++)
		buf_add_u8(&body, 'a' + i % 26);
	buf_add_str(&body, "\"}}");
	r = fly(f, "POST", "/v1/apps/web/machines", buf_str(&body));
	assert_int_equal(r.status, 413);
	assert_string_equal(fly_text(&r, "code"), "too_large");
	client_reply_deinit(&r);
	buf_clear(&body);
	for (int i = 0; i < (1 << 20) + 10; i++)
		buf_add_u8(&body, ' ');
	r = fly(f, "POST", "/v1/apps/web/machines", buf_str(&body));
	assert_int_equal(r.status, 413);
	assert_true(json_is_string(fly_at(r.json, "error"))); /* also what the door itself says */
	client_reply_deinit(&r);
	r = fly(f, "PUT", "/v1/apps/web/machines", NULL);
	assert_int_equal(r.status, 405);
	assert_true(json_is_string(fly_at(r.json, "error")));
	client_reply_deinit(&r);
}

static void texts_that_are_cut_inside_a_character_are_told_all_the_same(void **state)
{
	struct api_fixture *f = *state;
	char path[400] = "/v1/apps/web/machines/";

	for (int i = 0; i < 40; i++)
		strcat(path, i % 2 ? "%C3%BC" : "x");
	fly_refused(f, "GET", path, NULL, NULL, 404, "instance_not_found", "machine not found");
	strcat(path, "/nothing");
	fly_refused(f, "GET", path, NULL, NULL, 404, "route_not_found", "does not offer");
}

/* ---- who may see what ---- */

static void anothers_machine_is_none_also_below_an_app_of_ones_own(void **state)
{
	struct api_fixture *f = *state;
	struct made m = run_machine(f);
	struct client_reply r = fly_with(f, "POST", "/v1/apps", f->globex, NULL, "{\"name\":\"own\",\"org_slug\":\"globex\"}");
	char path[96];

	assert_int_equal(r.status, 201);
	client_reply_deinit(&r);
	snprintf(path, sizeof path, "/v1/apps/own/machines/%s", m.id);
	r = fly_with(f, "GET", path, f->globex, NULL, NULL);
	assert_int_equal(r.status, 404);
	client_reply_deinit(&r);
	r = fly_with(f, "POST", path, f->globex, NULL, "{\"config\":{\"image\":\"x\"}}");
	assert_int_equal(r.status, 404);
	client_reply_deinit(&r);
	/* nor below another app of the same organization */
	r = fly_good(f, "POST", "/v1/apps", "{\"name\":\"own\",\"org_slug\":\"acme\"}");
	client_reply_deinit(&r);
	fly_refused(f, "GET", path, NULL, NULL, 404, "instance_not_found", "machine not found");
	fly_refused(f, "DELETE", path, NULL, NULL, 404, "instance_not_found", "machine not found");
}

static void a_reading_token_sees_no_environment(void **state)
{
	struct api_fixture *f = *state;
	struct made m = run_machine(f);
	struct client_reply r = fly_with(f, "GET", m.path, f->acme_read, NULL, NULL);

	assert_int_equal(r.status, 200);
	fly_types(r.json, MACHINE_TYPES);
	assert_null(strstr(r.body, "MODE"));
	assert_null(strstr(r.body, "\"cmd\""));
	assert_string_equal(fly_text(&r, "image_ref.tag"), "1.27");
	client_reply_deinit(&r);
	r = fly_with(f, "GET", "/v1/apps/web/machines", f->acme_read, NULL, NULL);
	assert_null(strstr(r.body, "MODE"));
	client_reply_deinit(&r);
	r = fly_with(f, "POST", below(&m, "/lease"), f->acme_read, NULL, NULL);
	assert_int_equal(r.status, 403);
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
		TEST(a_lease_keeps_everybody_else_from_changing_a_machine),
		TEST(a_lease_ends_with_its_time_and_with_its_machine),
		TEST(a_machine_may_be_made_with_its_lease),
		TEST(metadata_is_read_and_written_one_key_at_a_time),
		TEST(an_address_is_reserved_listed_and_released),
		TEST(regions_organizations_and_builds_have_flys_form),
		TEST(what_is_not_offered_is_named_in_a_sentence),
		TEST(configurations_that_cannot_be_are_refused_by_field),
		TEST(what_is_not_known_in_a_configuration_is_kept_and_shown),
		TEST(a_huge_body_is_413),
		TEST(texts_that_are_cut_inside_a_character_are_told_all_the_same),
		TEST(anothers_machine_is_none_also_below_an_app_of_ones_own),
		TEST(a_reading_token_sees_no_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
