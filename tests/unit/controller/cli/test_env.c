/* `sixpn env`, judged by what a shell that evaluates it hands to a program afterwards. */
#include "tests/unit/controller/cli/cli_fixture.h"

/* Every variable of flyctl whose default is an address in another cloud (contract 1.1). */
static const char *const addresses[] = { "FLY_API_BASE_URL", "FLY_FLAPS_BASE_URL", "FLY_UIEX_BASE_URL", "FLY_METRICS_BASE_URL",
					 "FLY_SYNTHETICS_BASE_URL", "FLY_REGISTRY_HOST", "FLY_TRACE_COLLECTOR_URL",
					 "FLY_STATUSPAGE_UNRESOLVED_INCIDENTS_URL" };
/* With any of these set flyctl would take another token, org, app, region or transport than ours. */
static const char *const foreign[] = { "FLY_ACCESS_TOKEN", "FLY_METRICS_TOKEN", "FLY_WIREGUARD_TOKEN", "FLY_ORGANIZATION", "FLY_APP",
				       "FLY_REGION", "FLYCTL_WG_REGION", "FLY_AGENT_WG_REGION", "WSWG", "CI", "GITHUB_ACTIONS",
				       "CONTINUOUS_INTEGRATION", "BUILD_NUMBER", "RUN_ID" };

/* What `env` prints in a shell that has evaluated f->out `times` times, after `before`. */
static char *shell(struct fixture *f, const char *before, int times)
{
	char path[128], command[8192];
	struct buf text = BUF_INIT(1u << 20);
	char chunk[4096];
	size_t n;
	FILE *p;

	snprintf(path, sizeof path, "%s/lines", f->dir);
	assert_int_equal(file_replace(path, f->out, f->out_len, 0600), 0);
	snprintf(command, sizeof command, "env -i PATH=\"$PATH\" sh -euc '%s; for i in $(seq %d); do eval \"$(cat %s)\"; done; env'", before, times, path);
	p = popen(command, "r");
	assert_non_null(p);
	while ((n = fread(chunk, 1, sizeof chunk, p)) > 0)
		buf_add(&text, chunk, n);
	assert_int_equal(pclose(p), 0);
	n = text.len;
	buf_add_str(&text, "\n");
	assert_true(n > 0);
	char *whole = strdup(buf_str(&text));
	buf_deinit(&text);
	return whole;
}

/* The value of a variable in that; "" = not set. */
static const char *value_in(const char *text, const char *name)
{
	static char value[4096];
	size_t len = strlen(name);

	for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (!strncmp(line, name, len) && line[len] == '=') {
			snprintf(value, sizeof value, "%.*s", (int)strcspn(line + len + 1, "\n"), line + len + 1);
			return value;
		}
	return "";
}

static void flyctl_is_sent_nowhere_else(void **state)
{
	struct fixture *f = *state;
	CLEAN_BUF struct buf before = BUF_INIT(8192);
	char host[64];
	char *env;

	buf_add_str(&before, "export HERE=1");
	for (size_t i = 0; i < ARRAY_LEN(foreign); i++)
		buf_printf(&before, " %s=elsewhere", foreign[i]);
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++)
		buf_printf(&before, " %s=https://api.fly.io", addresses[i]);
	assert_int_equal(run(f, "env --flyctl --org acme"), 0);
	env = shell(f, buf_str(&before), 1);
	for (size_t i = 0; i < 5; i++)
		assert_string_equal(value_in(env, addresses[i]), f->url + strlen("SIXPN_URL="));
	snprintf(host, sizeof host, "127.0.0.1:%u", f->port ? f->port : (unsigned)atoi(strrchr(f->url, ':') + 1));
	assert_string_equal(value_in(env, "FLY_REGISTRY_HOST"), host);
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		has(value_in(env, addresses[i]), "127.0.0.1");
		assert_null(strstr(value_in(env, addresses[i]), "fly.io"));
	}
	for (size_t i = 0; i < ARRAY_LEN(foreign); i++)
		assert_string_equal(value_in(env, foreign[i]), "");
	assert_string_equal(value_in(env, "FLY_API_TOKEN"), "sx1_test");
	assert_string_equal(value_in(env, "FLY_ORG"), "acme");
	assert_string_equal(value_in(env, "FLY_SEND_METRICS"), "0");
	assert_string_equal(value_in(env, "FLY_NO_UPDATE_CHECK"), "1");
	assert_string_equal(value_in(env, "FLY_NO_INCIDENTS_CHECK"), "1");
	assert_string_equal(value_in(env, "FLY_SYNTHETICS_AGENT"), "0");
	assert_string_equal(value_in(env, "NO_PROXY"), "127.0.0.1");
	assert_int_equal(f->n_requests, 0);
	free(env);
}

static void flyctl_has_a_private_folder_of_its_own_per_controller(void **state)
{
	struct fixture *f = *state;
	char first[4096];
	struct stat st;
	char *env;

	assert_int_equal(run(f, "env --flyctl"), 0);
	env = shell(f, ":", 1);
	snprintf(first, sizeof first, "%s", value_in(env, "FLY_CONFIG_DIR"));
	free(env);
	assert_int_equal(stat(first, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	has(first, f->dir);
	assert_int_equal(run(f, "env --flyctl --url http://192.0.2.1:4280"), 0);
	env = shell(f, ":", 1);
	assert_string_not_equal(value_in(env, "FLY_CONFIG_DIR"), first);
	free(env);
	assert_int_equal(chmod(first, 0750), 0);
	assert_int_equal(run(f, "env --flyctl"), 4);
	has(f->err, "code: file_too_open");
	assert_string_equal(f->out, "");
}

static void what_a_shell_would_take_for_its_own_is_only_text(void **state)
{
	struct fixture *f = *state;
	char *env;

	assert_int_equal(run(f, "env --flyctl --org $(touch${IFS}x);'`a`\\"), 0);
	env = shell(f, ":", 1);
	assert_string_equal(value_in(env, "FLY_ORG"), "$(touch${IFS}x);'`a`\\");
	free(env);
}

static void evaluated_twice_it_adds_nothing_and_a_proxy_is_told_to_keep_out(void **state)
{
	struct fixture *f = *state;
	char *env;

	assert_int_equal(run(f, "env --flyctl --url http://[fd00::7]:4280"), 0);
	env = shell(f, "export no_proxy=corp.example", 3);
	assert_string_equal(value_in(env, "NO_PROXY"), "fd00::7,corp.example");
	assert_string_equal(value_in(env, "FLY_REGISTRY_HOST"), "[fd00::7]:4280");
	free(env);
	env = shell(f, "export NO_PROXY=a,b", 3);
	assert_string_equal(value_in(env, "NO_PROXY"), "fd00::7,a,b");
	free(env);
}

static void unset_takes_away_what_was_set(void **state)
{
	struct fixture *f = *state;
	char *both, *env, *text;

	assert_int_equal(run(f, "env --flyctl --org acme"), 0);
	both = strdup(f->out);
	assert_int_equal(run(f, "env --flyctl --unset"), 0);
	text = malloc(strlen(both) + f->out_len + 1);
	strcpy(text, both);
	strcat(text, f->out);
	free(f->out);
	f->out = text;
	f->out_len = strlen(text);
	env = shell(f, ":", 1);
	assert_null(strstr(env, "FLY"));
	free(env);
	free(both);
}

static void a_terminal_is_not_shown_the_token(void **state)
{
	struct fixture *f = *state;
	char path[128], words[200];
	struct stat st;

	assert_int_equal(run_on(f, true, NULL, "env --flyctl --org acme"), 0);
	assert_null(strstr(f->out, "sx1_test"));
	has(f->out, "# FLY_API_TOKEN is not shown on a terminal");
	has(f->err, "eval \"$(sixpn env --flyctl --org acme)\"");
	assert_int_equal(run_on(f, true, NULL, "env"), 0);
	assert_null(strstr(f->out, "sx1_test"));
	snprintf(path, sizeof path, "%s/file", f->dir);
	snprintf(words, sizeof words, "env --flyctl -o %s", path);
	assert_int_equal(run_on(f, true, NULL, words), 0);
	assert_string_equal(f->out, "");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true(st.st_size > 500);
}

static void lines_for_a_shell_are_not_handed_out_as_something_else(void **state)
{
	struct fixture *f = *state;
	static const char *const other[] = { "env --json", "env --flyctl --tsv", "env -q", "env --unset --json" };

	for (size_t i = 0; i < ARRAY_LEN(other); i++) {
		assert_int_equal(run_on(f, false, NULL, other[i]), 2);
		assert_string_equal(f->out, "");
		has(f->err, "lines for a shell");
	}
}

static void a_context_by_the_local_socket_asks_the_controller_for_its_address(void **state)
{
	struct fixture *f = *state;
	char *env;

	/* no socket is there: what was asked cannot be known, and nothing is printed */
	assert_int_equal(run(f, "env --flyctl --url unix:/nonexistent/sock"), 5);
	assert_string_equal(f->out, "");
	f->env[0] = (char *)(uintptr_t) "A=b"; /* no SIXPN_URL: a context of the file */
	f->env[3] = NULL;
	f->env[2] = f->env[1];
	mkdir(f->home + 5, 0700);
	char path[160], text[300];
	snprintf(path, sizeof path, "%s/.config/sixpn", f->dir);
	assert_int_equal(file_make_dirs(path, 0700), 0);
	strcat(path, "/config");
	snprintf(text, sizeof text, "{\"current\":\"my prod\",\"contexts\":{\"my prod\":{\"url\":\"%s\",\"token\":\"sx1_other\"}}}", f->url + 10);
	assert_int_equal(file_create(path, text, strlen(text), 0600), 0);
	assert_int_equal(run(f, "env --flyctl"), 0);
	env = shell(f, ":", 1);
	assert_string_equal(value_in(env, "FLY_API_TOKEN"), "sx1_other");
	has(value_in(env, "FLY_CONFIG_DIR"), "/flyctl/my_prod-");
	free(env);
}

static void what_is_no_token_of_ours_is_not_handed_on(void **state)
{
	struct fixture *f = *state;

	f->env[2] = (char *)(uintptr_t) "SIXPN_TOKEN=fo1_of-another-cloud";
	assert_int_equal(run(f, "env --flyctl"), 2);
	assert_string_equal(f->out, "");
	assert_null(strstr(f->err, "another-cloud"));
	assert_int_equal(run(f, "env --org acme"), 2);
	f->env[2] = f->env[3] = NULL;
	assert_int_equal(run(f, "env --flyctl"), 0);
	has(f->out, "unset FLY_API_TOKEN\n");
	has(f->err, "flyctl auth login");
}

static void without_flyctl_it_is_for_sixpn_and_curl(void **state)
{
	struct fixture *f = *state;
	char *env;

	assert_int_equal(run(f, "env"), 0);
	env = shell(f, ":", 1);
	assert_string_equal(value_in(env, "SIXPN_URL"), f->url + 10);
	assert_string_equal(value_in(env, "SIXPN_TOKEN"), "sx1_test");
	free(env);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(flyctl_is_sent_nowhere_else),
		T(flyctl_has_a_private_folder_of_its_own_per_controller),
		T(what_a_shell_would_take_for_its_own_is_only_text),
		T(evaluated_twice_it_adds_nothing_and_a_proxy_is_told_to_keep_out),
		T(unset_takes_away_what_was_set),
		T(a_terminal_is_not_shown_the_token),
		T(lines_for_a_shell_are_not_handed_out_as_something_else),
		T(a_context_by_the_local_socket_asks_the_controller_for_its_address),
		T(what_is_no_token_of_ours_is_not_handed_on),
		T(without_flyctl_it_is_for_sixpn_and_curl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
