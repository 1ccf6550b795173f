/* The command against a faked controller: what is sent, what is printed, which exit status. */
#include "tests/unit/controller/cli/cli_fixture.h"

#define APPS "{\"items\":[{\"name\":\"web\",\"org\":\"acme\",\"network\":\"default\",\"instances\":2},{\"name\":\"shop\",\"org\":\"acme\"}],\"next\":null}"

static void a_list_is_a_table_json_tsv_or_names(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 4; i++)
		answer(f, 200, APPS);
	assert_int_equal(run(f, "app list --org acme"), 0);
	has(f->out, "NAME  ORG ");
	has(f->out, "web   acme  default  2");
	has(request(f, 0), "GET /v1/apps?org=acme HTTP/1.1");
	has(request(f, 0), "Authorization: Bearer sx1_test");
	assert_int_equal(run(f, "app ls -q"), 0);
	assert_string_equal(f->out, "web\nshop\n");
	assert_int_equal(run(f, "app list --tsv"), 0);
	has(f->out, "web\tacme\tdefault\t2\t\n");
	assert_int_equal(run(f, "app list --json"), 0);
	has(f->out, "\"items\": [");
	assert_string_equal(f->err, "");
}

static void a_long_list_is_fetched_page_by_page(void **state)
{
	struct fixture *f = *state;

	answer(f, 200, "{\"items\":[{\"name\":\"a\"}],\"next\":\"a b\"}");
	answer(f, 200, "{\"items\":[{\"name\":\"b\"}],\"next\":null}");
	assert_int_equal(run(f, "org list -q"), 0);
	assert_string_equal(f->out, "a\nb\n");
	has(request(f, 1), "after=a%20b");
}

static void a_write_waits_until_applied_and_says_where_it_is(void **state)
{
	struct fixture *f = *state;

	answer(f, 201, "{\"name\":\"acme\",\"v\":7,\"applied\":true,\"nodes\":4,\"unknown\":[],\"laggards\":[],\"errors\":[]}");
	assert_int_equal(run(f, "org create acme"), 0);
	assert_string_equal(f->out, "org acme  created\n");
	has(f->err, "applied on 4 of 4 nodes (V 7)");
	has(request(f, 0), "POST /v1/orgs?wait=applied&timeout=1000ms ");
	has(request(f, 0), "{\"name\":\"acme\"}");
	answer(f, 201, "{\"name\":\"acme\",\"v\":8}");
	assert_int_equal(run(f, "org add acme --no-wait"), 0);
	has(f->err, "recorded as V 8");
	has(request(f, 1), "POST /v1/orgs HTTP");
	answer(f, 200, "{\"name\":\"acme\",\"dry_run\":true}");
	assert_int_equal(run(f, "org create acme --dry-run"), 0);
	has(request(f, 2), "POST /v1/orgs?dry_run=1 ");
}

static void what_is_not_applied_everywhere_exits_6_and_names_the_nodes(void **state)
{
	struct fixture *f = *state;

	answer(f, 202, "{\"name\":\"acme\",\"v\":7,\"applied\":false,\"nodes\":4,\"unknown\":[],\"laggards\":[\"nrt-1\"],\"errors\":[]}");
	assert_int_equal(run(f, "org create acme --wait=500ms"), 6);
	has(f->err, "nrt-1");
	has(request(f, 0), "timeout=500ms");
	answer(f, 200, "{\"name\":\"acme\",\"v\":7,\"applied\":true,\"nodes\":4,\"unknown\":[\"dev-2\"],\"laggards\":[],\"errors\":[]}");
	assert_int_equal(run(f, "org create acme"), 6);
	has(f->err, "dev-2");
}

#define LATE "\"v\":7,\"applied\":false,\"nodes\":4,\"unknown\":[],\"held\":[],\"errors\":[],\"continue\":\"/v1/wait?v=7&first_v=6\","
#define GOOD "\"v\":7,\"applied\":true,\"nodes\":4,\"unknown\":[],\"laggards\":[],\"held\":[],\"errors\":[]"

static void g16_while_a_write_waits_it_says_where_it_is(void **state)
{
	struct fixture *f = *state;

	answer(f, 202, "{\"name\":\"acme\"," LATE "\"laggards\":[\"nrt-1\",\"dev-1\"]}");
	answer(f, 202, "{" LATE "\"laggards\":[\"nrt-1\"]}");
	answer(f, 202, "{" LATE "\"laggards\":[\"nrt-1\"]}");
	answer(f, 200, "{" GOOD "}");
	assert_int_equal(run(f, "org create acme --wait=30s"), 0);
	assert_string_equal(f->out, "org acme  created\n");
	assert_string_equal(f->err, "  V 7 is on 2 of 4 nodes, not yet on nrt-1, dev-1\n"
				    "  V 7 is on 3 of 4 nodes, not yet on nrt-1\n"
				    "applied on 4 of 4 nodes (V 7)\n");
	has(request(f, 1), "GET /v1/wait?v=7&first_v=6&timeout=1000ms ");
}

static void g16_a_controller_that_goes_during_the_wait_takes_nothing_of_the_reply_with_it(void **state)
{
	struct fixture *f = *state;

	answer(f, 202, "{\"name\":\"acme\"," LATE "\"laggards\":[\"nrt-1\"]}");
	answer(f, 503, "{\"error\":{\"code\":\"stopping\",\"message\":\"it ends\"}}");
	assert_int_equal(run(f, "org create acme"), 6); /* recorded, and not 5: the write was not refused */
	assert_string_equal(f->out, "org acme  created\n");
	has(f->err, "it ends");
	has(f->err, "the write itself stands");
	has(f->err, "behind:  nrt-1");
	assert_int_equal(f->n_requests, 2);
}

static void g16_a_stop_says_when_names_were_withdrawn_and_what_the_instance_is(void **state)
{
	struct fixture *f = *state;

	answer(f, 200, "{\"id\":\"4d891ef2a03b58\"}"); /* the name is looked up first */
	answer(f, 202, "{\"id\":\"4d891ef2a03b58\"," LATE "\"laggards\":[],\"withdrawn_ms\":31,\"observed\":\"draining\"}");
	answer(f, 200, "{" GOOD ",\"observed\":\"stopped\",\"withdrawn_ms\":1}");
	assert_int_equal(run(f, "instance stop 4d891ef2a03b58 --json"), 0);
	has(f->err, "names withdrawn on 4 of 4 nodes after 31 ms");
	has(f->err, "the instance is draining");
	has(f->err, "it is stopped");
	has(f->out, "\"withdrawn_ms\": 31");
	has(f->out, "\"applied\": true");
	assert_null(strstr(f->out, "continue"));
}

static void what_a_node_could_not_apply_or_holds_back_exits_7_with_its_key(void **state)
{
	struct fixture *f = *state;

	answer(f, 201, "{\"name\":\"acme\",\"v\":7,\"applied\":true,\"nodes\":4,\"unknown\":[],\"laggards\":[],"
		       "\"held\":[{\"node\":\"dev-1\",\"record\":\"app 12\"}],"
		       "\"errors\":[{\"node\":\"nrt-1\",\"record\":\"network 000a\",\"text\":\"the map is full\"}],"
		       "\"counts\":{\"unknown\":0,\"laggards\":0,\"held\":3,\"errors\":1}}");
	assert_int_equal(run(f, "org create acme"), 7);
	has(f->err, "nrt-1 could not apply network 000a: the map is full");
	has(f->err, "dev-1 holds back the delete of app 12");
	has(f->err, "and 2 more");
	assert_int_equal(run(f, "org create acme --wait=soon"), 2);
	assert_int_equal(f->n_requests, 1);
}

static void an_error_has_three_lines_and_its_exit_status(void **state)
{
	static const struct {
		int http, status;
	} rows[] = { { 400, 1 }, { 409, 1 }, { 401, 4 }, { 403, 4 }, { 404, 3 }, { 503, 5 }, { 507, 1 } };
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		answer(f, rows[i].http, "{\"error\":{\"code\":\"name_taken\",\"message\":\"it is taken\",\"field\":\"name\",\"hint\":\"choose another\",\"request\":\"ab12\"}}");
		assert_int_equal(run(f, "org create acme"), rows[i].status);
		assert_string_equal(f->err, "error: it is taken\n  choose another\n  code: name_taken   field: name   request: ab12\n");
		assert_string_equal(f->out, "");
	}
}

static void a_prefix_that_means_one_thing_is_enough_and_two_are_told(void **state)
{
	static const char instances[] = "{\"items\":[{\"id\":\"4d891ef2a03b58\",\"name\":null},{\"id\":\"4e000000000000\",\"name\":\"blue\"}],\"next\":null}";
	struct fixture *f = *state;

	answer(f, 200, instances);
	answer(f, 200, "{\"id\":\"4d891ef2a03b58\",\"desired\":\"stopped\",\"v\":3}");
	assert_int_equal(run(f, "machine stop 4d --no-wait"), 0);
	has(request(f, 1), "POST /v1/instances/4d891ef2a03b58/stop HTTP");
	answer(f, 200, instances);
	assert_int_equal(run(f, "instance stop 4"), 1);
	has(f->err, "2 instances begin with \"4\"");
	answer(f, 200, instances);
	assert_int_equal(run(f, "instance stop zz"), 3);
	has(f->err, "instances: 4d891ef2a03b58, 4e000000000000");
	has(f->err, "code: instance_not_found");
}

static void members_people_and_private_addresses_are_named_in_requests(void **state)
{
	static const char ann[] = "{\"id\":\"00000000000000aa\",\"email\":\"ann@example.net\",\"role\":\"read\",\"v\":3}";
	struct fixture *f = *state;

	answer(f, 201, ann);
	assert_int_equal(run(f, "org member add ann@example.net --org acme --no-wait"), 0);
	has(request(f, 0), "POST /v1/members HTTP");
	has(request(f, 0), "{\"user\":\"ann@example.net\",\"org\":\"acme\",\"role\":\"member\"}");
	answer(f, 200, ann);
	answer(f, 200, ann);
	assert_int_equal(run(f, "org member update ann@example.net --org acme --role read --no-wait"), 0);
	has(request(f, 2), "PATCH /v1/members/ann%40example.net?org=acme HTTP");
	has(f->out, "org member ann@example.net  read  changed\n");
	answer(f, 200, ann);
	answer(f, 200, ann);
	assert_int_equal(run(f, "org member remove ann@example.net --org acme --yes --no-wait"), 0);
	has(request(f, 4), "DELETE /v1/members/ann%40example.net?org=acme HTTP");
	answer(f, 201, "{\"email\":\"ann@example.net\",\"personal_org\":\"ann\",\"v\":4}");
	assert_int_equal(run(f, "user create ann@example.net --name Ann --no-wait"), 0);
	has(request(f, 5), "{\"email\":\"ann@example.net\",\"name\":\"Ann\"}");
	has(f->out, "user ann@example.net  ann  created\n");
	answer(f, 201, "{\"address\":\"fdaa:1:2:0:1::2\",\"name\":\"web.flycast\",\"v\":5}");
	assert_int_equal(run(f, "ip create --app acme/web --network staging --no-wait"), 0);
	has(request(f, 6), "{\"app\":\"acme/web\",\"network\":\"staging\"}");
	has(f->err, "nothing answers there yet");
}

static void destroying_wants_yes_or_the_typed_name(void **state)
{
	struct fixture *f = *state;

	answer(f, 200, "{\"name\":\"acme\"}");
	assert_int_equal(run(f, "org delete acme"), 2);
	has(f->err, "add --yes");
	answer(f, 200, "{\"name\":\"acme\"}");
	assert_int_equal(run_on(f, true, "y\n", "org delete acme"), 1);
	assert_int_equal(f->n_requests, 2); /* looked up, never deleted */
	answer(f, 200, "{\"name\":\"acme\"}");
	answer(f, 200, "{\"finished\":false,\"instances_left\":3,\"v\":9}");
	assert_int_equal(run_on(f, true, "acme\n", "org rm acme --no-wait"), 0);
	has(f->err, "with all its networks");
	has(f->out, "3 instances left");
	has(request(f, 3), "DELETE /v1/orgs/acme HTTP");
}

static void a_secret_goes_to_a_terminal_or_a_private_new_file(void **state)
{
	struct fixture *f = *state;
	char words[160], path[96];
	struct stat st;

	assert_int_equal(run(f, "token create --org acme"), 1);
	has(f->err, "code: secret_to_readable_file");
	assert_int_equal(f->n_requests, 0); /* nothing was made */
	answer(f, 201, "{\"id\":\"aa\",\"token\":\"sx1_secret\"}");
	assert_int_equal(run_on(f, true, NULL, "token create --org acme --profile peers --own-only"), 0);
	assert_string_equal(f->out, "sx1_secret\n");
	has(request(f, 0), "\"own_only\":true");
	snprintf(path, sizeof path, "%s/t", f->dir);
	snprintf(words, sizeof words, "token create --org acme -o %s", path);
	answer(f, 201, "{\"id\":\"aa\",\"token\":\"sx1_secret\"}");
	assert_int_equal(run(f, words), 0);
	assert_string_equal(f->out, "");
	assert_null(strstr(f->err, "sx1_secret"));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(run(f, words), 1); /* never over a file that is there */
	has(f->err, "code: file_exists");
	assert_int_equal(f->n_requests, 2);
	unlink(path);
	answer(f, 403, "{\"error\":{\"code\":\"forbidden\",\"message\":\"no\"}}");
	assert_int_equal(run(f, words), 4);
	assert_int_equal(stat(path, &st), -1); /* nothing half made is left */
}

static void init_saves_a_private_context_that_is_used_from_then_on(void **state)
{
	struct fixture *f = *state;
	char path[128], words[128];
	struct stat st;

	assert_int_equal(run(f, "init"), 5); /* only the local socket of this machine, whatever SIXPN_URL says */
	assert_int_equal(f->n_requests, 0);
	snprintf(words, sizeof words, "init --region ord --url %s", f->url + strlen("SIXPN_URL="));
	answer(f, 201, "{\"id\":\"aa\",\"token\":\"sx1_first\",\"controller_key\":\"00\",\"region\":{\"name\":\"ord\",\"city\":\"Chicago\",\"latitude\":41.98,\"longitude\":-87.9}}");
	assert_int_equal(run(f, words), 0);
	has(f->out, "you are         operator");
	has(f->out, "Chicago, 41.98 N 87.90 W");
	assert_null(strstr(f->out, "sx1_"));
	snprintf(path, sizeof path, "%s/.config/sixpn/config", f->dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(chmod(path, 0644), 0);
	f->env[0] = f->home;
	f->env[1] = NULL;
	assert_int_equal(run(f, "org list"), 4);
	has(f->err, "code: file_too_open");
}

static void an_instance_is_made_from_flags_files_and_the_command(void **state)
{
	struct fixture *f = *state;
	char words[300], path[96];

	snprintf(path, sizeof path, "%s/conf", f->dir);
	assert_int_equal(file_create(path, "a\nb\n", 4, 0644), 0);
	answer(f, 201, "{\"id\":\"4d891ef2a03b58\",\"host\":\"nrt-1\",\"address\":\"fdaa::1\",\"v\":5}");
	snprintf(words, sizeof words, "instance create --org acme --app web --region nrt --env A=b=c --env D= --metadata k=v --file /etc/x=%s --no-wait -- /bin/web --port 80", path);
	assert_int_equal(run(f, words), 0);
	assert_string_equal(f->out, "instance 4d891ef2a03b58  nrt-1  fdaa::1  created\n");
	has(request(f, 0), "\"command\":[\"/bin/web\",\"--port\",\"80\"]");
	has(request(f, 0), "\"env\":{\"A\":\"b=c\",\"D\":\"\"}");
	has(request(f, 0), "{\"path\":\"/etc/x\",\"content\":\"a\\nb\\n\"}");
	has(request(f, 0), "\"metadata\":{\"k\":\"v\"}");
	assert_int_equal(run(f, "instance create --app web --region nrt"), 2);
	assert_int_equal(run(f, "instance create --app web -- /bin/x"), 2);
}

static void help_of_a_noun_of_two_words_is_its_own(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(run(f, "org member --help"), 0);
	has(f->out, "sixpn org member create");
	assert_null(strstr(f->out, "sixpn org create"));
	assert_int_equal(run(f, "org --help"), 0);
	has(f->out, "sixpn org create");
	assert_int_equal(run(f, "node token frob"), 2);
	has(f->err, "node token has no verb \"frob\"");
}

static void wrong_words_are_usage_errors_and_a_token_in_argv_is_refused(void **state)
{
	static const char *const rows[] = { "nothing", "app", "app fly", "app create", "app create a b", "app list --colour", "app list --org",
					    "app list --json=1", "app list --org a --org b", "app list -- x", "app list --token sx1_x",
					    "app list --token=sx1_x", "app list -json", "app list --url ftp://x" };
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (run(f, rows[i]) != 2)
			fail_msg("sixpn %s: %s", rows[i], f->err);
		assert_null(strstr(f->err, "sx1_x"));
		assert_string_equal(f->out, "");
	}
	assert_int_equal(f->n_requests, 0);
}

static void status_exits_0_1_or_2(void **state)
{
	struct fixture *f = *state;

	answer(f, 200, "{\"healthy\":true,\"v\":4,\"applied\":{\"slowest_ms\":212,\"p50_ms\":31,\"p99_ms\":96},\"nodes_total\":1,\"nodes_current\":1,\"nodes\":[{\"name\":\"ord-1\",\"state\":\"ready\",\"roles\":[\"host\",\"gateway\"],\"v\":4,\"lag\":0,\"n_errors\":0,\"peers\":{\"total\":40,\"online\":12}}],\"controller\":{\"version\":\"1\",\"up_ms\":5}}");
	assert_int_equal(run(f, "status"), 0);
	has(f->out, "healthy: 1 of 1 nodes hold V 4, slowest change in the last hour 212 ms (p50 31, p99 96)\n");
	has(f->out, "ord-1  host,gateway");
	has(f->out, "PEERS");
	has(f->out, "12/40 online");
	answer(f, 200, "{\"healthy\":false,\"v\":4,\"nodes_total\":2,\"nodes_current\":1,\"nodes\":[{\"name\":\"a\",\"state\":\"ready\"},{\"name\":\"b\",\"state\":\"unknown\"}]}");
	assert_int_equal(run(f, "status --json"), 1);
	answer(f, 200, "{\"healthy\":false,\"v\":4,\"nodes_total\":1,\"nodes_current\":0,\"nodes\":[{\"name\":\"b\",\"state\":\"unknown\"}]}");
	assert_int_equal(run(f, "status"), 2);
	assert_null(strstr(f->out, "PEERS")); /* there is no gateway */
	assert_null(strstr(f->out, "suspended"));
	answer(f, 200, "{\"healthy\":true,\"v\":4,\"nodes_total\":0,\"nodes_current\":0,\"nodes\":[],\"suspended\":{\"orgs\":[\"acme\",\"globex\"],\"networks\":3}}");
	assert_int_equal(run(f, "status"), 0);
	has(f->out, "suspended, nothing of theirs passes: acme, globex (3 networks)\n");
	f->env[0] = (char *)(uintptr_t) "SIXPN_SOCKET=/nonexistent/sock";
	assert_int_equal(run(f, "status"), 2);
	assert_int_equal(run(f, "org list"), 5);
	has(f->err, "code: controller_unreachable");
}

#define WATCHED(revision, lag) \
	"{\"healthy\":true,\"v\":4,\"nodes_total\":1,\"nodes_current\":1,\"revision\":" revision ",\"nodes\":[{\"name\":\"ord-1\",\"state\":\"ready\"," \
	"\"v\":4,\"lag\":" lag "}],\"events\":[{\"time\":\"2026-01-02T03:04:05Z\",\"v\":4,\"what\":\"created\",\"subject\":\"app acme/web\",\"text\":\"\"}]}"

static void status_watch_asks_after_what_it_has_and_prints_nothing_twice(void **state)
{
	struct fixture *f = *state;
	const char *first;

	answer(f, 200, WATCHED("7", "0"));
	answer(f, 200, WATCHED("8", "0")); /* another revision that looks the same */
	answer(f, 200, WATCHED("9", "3"));
	answer(f, INTERRUPTS, "{}");
	assert_int_equal(run(f, "status --watch"), 0);
	has(request(f, 0), "GET /v1/status HTTP");
	has(request(f, 1), "GET /v1/status?after=7&timeout=30s HTTP");
	has(request(f, 3), "after=9&");
	has(f->out, "03:04:05  V 4       created   app acme/web\n");
	first = strstr(f->out, "healthy:");
	assert_ptr_equal(first, f->out);
	assert_non_null(first = strstr(first + 1, "healthy:"));
	assert_null(strstr(first + 1, "healthy:"));
}

#define STREAMED(v, name) \
	"id: " v "-aabbccdd\nevent: change\ndata: {\"v\":" v ",\"time\":\"2026-01-02T03:04:05Z\",\"what\":\"written\",\"kind\":\"app\",\"id\":\"00\",\"name\":\"" name "\"," \
	"\"org\":\"acme\",\"by\":\"token 99ab\",\"object\":{}}\n\n"

static void events_follow_goes_on_where_it_was_and_says_once_that_nobody_answers(void **state)
{
	struct fixture *f = *state;

	answer(f, 200, "retry: 1000\nid: 6-aabbccdd\n\n" STREAMED("7", "web") ": still here\n\nevent: change\ndata: {\"v\":8,\"cut");
	answer(f, HANGS_UP, "");
	answer(f, HANGS_UP, "");
	answer(f, 200, STREAMED("9", "db"));
	answer(f, INTERRUPTS, "");
	assert_int_equal(run(f, "events --follow --org acme"), 0);
	has(request(f, 0), "GET /v1/events?org=acme HTTP");
	has(request(f, 0), "Accept: text/event-stream");
	assert_null(strstr(request(f, 0), "Last-Event-ID"));
	for (size_t i = 1; i < 4; i++)
		has(request(f, i), "Last-Event-ID: 7-aabbccdd\r\n");
	has(request(f, 4), "Last-Event-ID: 9-aabbccdd\r\n");
	has(f->out, "03:04:05  V 7       written   app web of acme, by token 99ab\n");
	has(f->out, "app db");
	assert_null(strstr(f->out, "cut"));
	has(f->err, "trying again");
}

static void events_follow_ends_where_it_cannot_go_on(void **state)
{
	struct fixture *f = *state;

	answer(f, 410, "{\"error\":{\"code\":\"events_gone\",\"message\":\"one cannot go on from there\",\"hint\":\"read the lists again\"}}");
	assert_int_equal(run(f, "events --follow --since 3"), 1);
	has(request(f, 0), "GET /v1/events?since=3 ");
	has(f->err, "code: events_gone");
}

static void what_goes_with_follow_is_not_passed_over_without_it(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(run(f, "events --since 3"), 2);
	has(f->err, "--org and --since go with --follow");
	assert_int_equal(run(f, "events --org acme --json"), 2);
	assert_int_equal(f->n_requests, 0);
}

static void errors_of_a_node_are_listed_with_how_many_more_there_are(void **state)
{
	static const char nodes[] = "{\"nodes\":[{\"name\":\"a\",\"n_errors\":3,\"errors\":[{\"record\":\"instance 4d89\",\"text\":\"no such user\"}]},"
				    "{\"name\":\"b\",\"n_errors\":0,\"errors\":[]}]}";
	struct fixture *f = *state;

	answer(f, 200, nodes);
	assert_int_equal(run(f, "node errors"), 0);
	has(f->out, "a     instance 4d89  no such user");
	has(f->out, "and 2 more");
	answer(f, 200, nodes);
	assert_int_equal(run(f, "node errors b --json"), 0);
	has(f->out, "\"items\": []");
	answer(f, 200, nodes);
	assert_int_equal(run(f, "node errors c"), 3);
}

static void completion_offers_words_flags_and_names_from_the_controller(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(run(f, "completion"), 0);
	has(f->out, "complete -F _sixpn sixpn");
	assert_int_equal(run(f, "completion --complete -- ins"), 0);
	assert_string_equal(f->out, "instance\n");
	assert_int_equal(run(f, "completion --complete -- node token re"), 0);
	assert_string_equal(f->out, "revoke\n");
	assert_int_equal(run(f, "completion --complete -- app create --net"), 0);
	assert_string_equal(f->out, "--network\n");
	answer(f, 200, APPS);
	assert_int_equal(run(f, "completion --complete -- app delete s"), 0);
	assert_string_equal(f->out, "shop\n");
	answer(f, 200, "{\"items\":[{\"name\":\"acme\"}],\"next\":null}");
	assert_int_equal(run(f, "completion --complete -- app list --org a"), 0);
	assert_string_equal(f->out, "acme\n");
}

static void help_is_there_for_everything_and_asks_nobody(void **state)
{
	struct fixture *f = *state;

	for (const struct cli_command *c = cli_commands; c->verb; c++) {
		char words[128];

		snprintf(words, sizeof words, "%s%s%s --help", c->noun ? c->noun->name : "", c->noun ? " " : "", c->verb);
		assert_int_equal(run(f, words), 0);
		has(f->out, "EXAMPLES");
		snprintf(words, sizeof words, "help %s%s%s", c->noun ? c->noun->name : "", c->noun ? " " : "", c->verb);
		assert_int_equal(run(f, words), 0);
		has(f->out, "EXAMPLES");
	}
	assert_int_equal(f->n_requests, 0);
}

static void what_a_tenant_wrote_cannot_command_the_terminal(void **state)
{
	struct fixture *f = *state;

	answer(f, 200, "{\"items\":[{\"name\":\"a\\u001b[31mb\\nc\"}],\"next\":null}");
	assert_int_equal(run(f, "org list -q"), 0);
	assert_string_equal(f->out, "a?[31mb?c\n");
}

static void key_of(struct fixture *f, size_t n, char ret[33])
{
	const char *at = strcasestr(request(f, n), "\r\nIdempotency-Key: ");

	if (!at)
		fail_msg("there is no key: %s", request(f, n));
	snprintf(ret, 33, "%.32s", at + 19);
}

static void a_write_whose_answer_was_lost_is_sent_again_with_the_same_key(void **state)
{
	struct fixture *f = *state;
	char first[33], second[33], other[33];

	answer(f, HANGS_UP, "");
	answer(f, 409, "{\"error\":{\"code\":\"request_in_flight\",\"message\":\"m\"}}"); /* the first is not done yet */
	answer(f, 201, "{\"id\":\"a\",\"name\":\"shop\",\"v\":7}");
	assert_int_equal(run(f, "app create --org acme shop --no-wait"), 0);
	assert_int_equal(f->n_requests, 3);
	key_of(f, 0, first);
	key_of(f, 2, second);
	assert_string_equal(first, second);
	answer(f, 201, "{\"id\":\"b\",\"name\":\"shop2\",\"v\":8}");
	assert_int_equal(run(f, "app create --org acme shop2 --no-wait"), 0);
	key_of(f, 3, other);
	assert_string_not_equal(first, other);
	/* what is not kept would be done twice, and what is only looked at needs no key */
	answer(f, HANGS_UP, "");
	assert_int_equal(run(f, "backup create"), 5);
	assert_int_equal(f->n_requests, 5);
	assert_null(strcasestr(request(f, 4), "Idempotency-Key"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(a_list_is_a_table_json_tsv_or_names),
		T(a_long_list_is_fetched_page_by_page),
		T(a_write_whose_answer_was_lost_is_sent_again_with_the_same_key),
		T(a_write_waits_until_applied_and_says_where_it_is),
		T(what_is_not_applied_everywhere_exits_6_and_names_the_nodes),
		T(g16_while_a_write_waits_it_says_where_it_is),
		T(g16_a_controller_that_goes_during_the_wait_takes_nothing_of_the_reply_with_it),
		T(g16_a_stop_says_when_names_were_withdrawn_and_what_the_instance_is),
		T(what_a_node_could_not_apply_or_holds_back_exits_7_with_its_key),
		T(an_error_has_three_lines_and_its_exit_status),
		T(a_prefix_that_means_one_thing_is_enough_and_two_are_told),
		T(members_people_and_private_addresses_are_named_in_requests),
		T(destroying_wants_yes_or_the_typed_name),
		T(a_secret_goes_to_a_terminal_or_a_private_new_file),
		T(init_saves_a_private_context_that_is_used_from_then_on),
		T(an_instance_is_made_from_flags_files_and_the_command),
		T(help_of_a_noun_of_two_words_is_its_own),
		T(wrong_words_are_usage_errors_and_a_token_in_argv_is_refused),
		T(status_exits_0_1_or_2),
		T(status_watch_asks_after_what_it_has_and_prints_nothing_twice),
		T(events_follow_goes_on_where_it_was_and_says_once_that_nobody_answers),
		T(events_follow_ends_where_it_cannot_go_on),
		T(what_goes_with_follow_is_not_passed_over_without_it),
		T(errors_of_a_node_are_listed_with_how_many_more_there_are),
		T(completion_offers_words_flags_and_names_from_the_controller),
		T(help_is_there_for_everything_and_asks_nobody),
		T(what_a_tenant_wrote_cannot_command_the_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
