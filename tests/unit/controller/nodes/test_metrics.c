/* What the controller exports: a page that a strict reader accepts, numbers that are true, and of nodes only what makes sense. */
#include "tests/unit/controller/nodes/world.h"

#include "controller/nodes/metrics.h"
#include "tests/lib/page.h"

static struct world *one_org(uint32_t *ret_network)
{
	struct world *w = world_new(NULL);

	make_region(w, "ord");
	*ret_network = make_org(w, "acme", "web");
	return w;
}

static void scrape(struct world *w, struct buf *text)
{
	buf_clear(text);
	controller_metrics(w->c, NULL, text);
	assert_false(buf_failed(text));
}

static void assert_line(struct buf *text, const char *line)
{
	const char *at = strstr(buf_str(text), line);

	if (!at || (at != buf_str(text) && at[-1] != '\n') || at[strlen(line)] != '\n')
		fail_msg("there is no line \"%s\" in\n%s", line, buf_str(text));
}

static void a_strict_reader_accepts_the_page(void **state)
{
	CLEAN_BUF struct buf text = BUF_INIT(METRIC_TEXT_MAX);
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord"), *b = add_running(w, "ord");
	FILE *reader;

	(void)state;
	allow(a, acme);
	allow(b, acme);
	make_instance(w, "acme", "web", a);
	world_run(w, 1000);
	scrape(w, &text);
	reader = popen("python3 tests/lib/exposition.py", "w");
	assert_non_null(reader);
	fwrite(text.data, 1, text.len, reader);
	assert_int_equal(pclose(reader), 0);
	world_free(w);
}

static void the_numbers_of_the_log_the_link_and_the_store_are_there(void **state)
{
	CLEAN_BUF struct buf text = BUF_INIT(METRIC_TEXT_MAX);
	char line[100];
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord");

	(void)state;
	world_run(w, 1000);
	scrape(w, &text);
	snprintf(line, sizeof line, "sixpn_log_version %llu", (unsigned long long)controller_head(w->c));
	assert_line(&text, line);
	assert_line(&text, "sixpn_link_polls_parked 1");
	assert_line(&text, "sixpn_link_sessions 2"); /* to join, and to poll */
	assert_line(&text, "sixpn_link_snapshots_total 1");
	assert_line(&text, "sixpn_link_handshakes_total{result=\"ok\"} 2");
	assert_line(&text, "sixpn_link_handshakes_total{result=\"stale_hello\"} 0");
	assert_null(strstr(buf_str(&text), "sixpn_link_drops_total{reason=\"stale_hello\"}")); /* nothing is counted twice */
	assert_non_null(strstr(buf_str(&text), "sixpn_link_drops_total{reason="));
	assert_line(&text, "sixpn_store_disk_full 0");
	snprintf(line, sizeof line, "sixpn_node_lag_versions{node=\"%s\"} 0", a->name);
	assert_line(&text, line);
	assert_null(strstr(buf_str(&text), "sixpn_store_size_bytes 0\n"));
	assert_null(strstr(buf_str(&text), "sixpn_store_commit_seconds_count 0\n"));
	world_free(w);
}

static void lag_is_counted_in_changes_and_in_seconds_since_the_first_one(void **state)
{
	CLEAN_BUF struct buf text = BUF_INIT(METRIC_TEXT_MAX);
	char line[100];
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord");

	(void)state;
	allow(a, acme);
	a->hold = true; /* takes what comes, acknowledges nothing */
	make_region(w, "nrt");
	world_run(w, 2500);
	make_region(w, "dev");
	world_run(w, 1500);
	scrape(w, &text);
	snprintf(line, sizeof line, "sixpn_node_lag_versions{node=\"%s\"} 2", a->name);
	assert_line(&text, line);
	snprintf(line, sizeof line, "sixpn_node_lag_seconds{node=\"%s\"} 4", a->name);
	assert_line(&text, line);
	world_free(w);
}

static double lag_of(struct world *w, const struct test_node *n, const char *what)
{
	CLEAN_BUF struct buf text = BUF_INIT(METRIC_TEXT_MAX);
	char line[100];
	const char *at;

	scrape(w, &text);
	snprintf(line, sizeof line, "\nsixpn_node_lag_%s{node=\"%s\"} ", what, n->name);
	at = strstr(buf_str(&text), line);
	assert_non_null(at);
	return strtod(at + strlen(line), NULL);
}

/* An alert asks for both numbers, and these are the nodes that it is for. */
static void who_is_furthest_behind_never_has_a_lag_of_no_seconds(void **state)
{
	static const struct controller_config small = { .window_changes = 8 };
	struct world *w = world_new(&small);
	struct test_node *a;

	(void)state;
	make_region(w, "ord");
	a = add_running(w, "ord");
	a->hold = true; /* and the window goes on without it */
	for (int i = 0; i < 40; i++) {
		char org[16];

		snprintf(org, sizeof org, "org-%d", i);
		make_org(w, org, "web");
		world_run(w, 500);
		if (i == 5)
			make_region(w, "nrt");
	}
	assert_true(lag_of(w, a, "versions") >= 1);
	assert_true(lag_of(w, a, "seconds") >= 1);
	world_end(w);
	world_start(w); /* nobody has said yet what it holds */
	stop_node(a);
	make_org(w, "late", "web");
	w->v.now_ms += 3000;
	assert_true(lag_of(w, a, "versions") >= 80);
	assert_true(lag_of(w, a, "seconds") >= 3);
	world_free(w);
}

static void commit_to_applied_is_measured_until_the_acknowledgement(void **state)
{
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord"), *b = add_running(w, "ord");
	struct recent_summary all, of_b;

	(void)state;
	allow(a, acme);
	allow(b, acme);
	make_region(w, "nrt"); /* at once, but for the link */
	world_run(w, 1000);
	b->hold = true;
	make_region(w, "dev");
	world_run(w, 700);
	b->hold = false;
	send_poll(b);
	world_run(w, 1000);
	all = convergence_recent(w->c, NULL);
	of_b = convergence_recent(w->c, node_table_find(&w->c->nodes, b->host));
	assert_int_equal(of_b.n, 2);
	assert_in_range(of_b.max_ms, 700, 750);
	assert_int_equal(all.max_ms, of_b.max_ms);
	assert_int_equal(all.n, 4 + 1); /* and that b joined, which a was told */
	assert_true(all.p50_ms < 100);
	make_instance(w, "acme", "web", a); /* is not b's business, and is no change that it applied */
	world_run(w, 2 * PARK_MS);
	assert_int_equal(node_table_find(&w->c->nodes, b->host)->applied_v, controller_head(w->c));
	assert_int_equal(convergence_recent(w->c, node_table_find(&w->c->nodes, b->host)).n, 2);
	world_free(w);
}

static void a_node_that_was_away_makes_no_change_slow(void **state)
{
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord");

	(void)state;
	world_run(w, 1000);
	stop_node(a);
	world_run(w, 1000);
	make_region(w, "nrt");
	world_run(w, 4 * PARK_MS);
	start_node(a);
	world_run(w, 1000);
	assert_in_step(a);
	assert_int_equal(convergence_recent(w->c, NULL).n, 0);
	world_free(w);
}

static void who_is_silent_is_not_ready_and_who_is_deleted_is_in_no_line(void **state)
{
	CLEAN_BUF struct buf text = BUF_INIT(METRIC_TEXT_MAX);
	char line[100];
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_running(w, "ord"), *b = add_running(w, "ord");
	struct store_node out;

	(void)state;
	stop_node(a);
	world_run(w, 4 * PARK_MS);
	scrape(w, &text);
	snprintf(line, sizeof line, "sixpn_node_ready{node=\"%s\"} 0", a->name);
	assert_line(&text, line);
	snprintf(line, sizeof line, "sixpn_node_ready{node=\"%s\"} 1", b->name);
	assert_line(&text, line);
	DO(w, store_node_delete(store, op, a->name, false, &out));
	world_run(w, 100);
	scrape(w, &text);
	snprintf(line, sizeof line, "node=\"%s\"", a->name);
	assert_null(strstr(buf_str(&text), line));
	snprintf(line, sizeof line, "node=\"%s\"", b->name);
	assert_non_null(strstr(buf_str(&text), line));
	world_free(w);
}

/* ---- what nodes say of themselves ---- */

static Sixpn__HealthValue *value(uint32_t what, uint64_t n, size_t n_labels, const char *first, const char *second, const char *third)
{
	Sixpn__HealthValue *v = calloc(1, sizeof *v);
	const char *labels[] = { first, second, third };

	sixpn__health_value__init(v);
	v->what = what;
	v->n = n;
	v->n_labels = n_labels;
	v->labels = calloc(3, sizeof *v->labels);
	for (size_t i = 0; i < n_labels; i++)
		v->labels[i] = (ProtobufCBinaryData){ strlen(labels[i]), (uint8_t *)(uintptr_t)labels[i] };
	return v;
}

static void see_node(void *ctx, const struct api_node_state *node)
{
	*(struct api_node_state *)ctx = *node;
}

static void the_status_of_a_gateway_says_how_many_of_its_peers_are_there(void **state)
{
	Sixpn__HealthValue *values[] = { value(HEALTH_GATEWAY_PEERS, 12, 1, "online", NULL, NULL),
					 value(HEALTH_GATEWAY_PEERS, 3, 1, "offline", NULL, NULL),
					 value(HEALTH_GATEWAY_PEERS, 25, 1, "never", NULL, NULL) };
	Sixpn__Health health = SIXPN__HEALTH__INIT;
	static struct api_node_state seen;
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_node(w, "ord");

	(void)state;
	health.values = values;
	health.n_values = ARRAY_LEN(values);
	a->health = &health;
	start_node(a);
	world_run(w, 1000);
	controller_env(w->c)->ops->each_node(w->c, see_node, &seen);
	assert_int_equal(seen.peers, 40);
	assert_int_equal(seen.peers_online, 12);
	world_free(w);
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		free(values[i]->labels);
		free(values[i]);
	}
}

static void what_a_node_says_is_exported_with_its_name_and_nonsense_is_left_out(void **state)
{
	static const char long_label[] = "123456789012345678901234567890123456789012345678901234567";
	Sixpn__HealthValue *values[] = { value(HEALTH_DNS_ANSWERS, 7, 3, "internal", "SERVFAIL", "udp"),
					 value(HEALTH_UNMARKED, 3, 0, NULL, NULL, NULL),
					 /* nonsense from here on */
					 value(HEALTH_UNMARKED, 4, 0, NULL, NULL, NULL), value(HEALTH_DROPS, 1, 1, "a\"b", NULL, NULL),
					 value(HEALTH_DROPS, 1, 1, "", NULL, NULL), value(HEALTH_DROPS, 1, 0, NULL, NULL, NULL),
					 value(HEALTH_DROPS, 1, 1, "a\n", NULL, NULL), value(99999, 1, 0, NULL, NULL, NULL),
					 value(HEALTH_DROPS, 1, 1, long_label, NULL, NULL), value(HEALTH_DROPS, 1, 2, "a", "b", NULL) };
	Sixpn__Health health = SIXPN__HEALTH__INIT;
	CLEAN_BUF struct buf text = BUF_INIT(METRIC_TEXT_MAX);
	char line[160];
	uint32_t acme;
	struct world *w = one_org(&acme);
	struct test_node *a = add_node(w, "ord");

	(void)state;
	health.values = values;
	health.n_values = ARRAY_LEN(values);
	a->health = &health;
	start_node(a);
	scrape(w, &text);
	snprintf(line, sizeof line, "sixpn_dns_answers_total{node=\"%s\",zone=\"internal\",rcode=\"SERVFAIL\",transport=\"udp\"} 7", a->name);
	assert_line(&text, line);
	assert_non_null(strstr(buf_str(&text), "sixpn_unmarked_drops_total{"));
	assert_null(strstr(buf_str(&text), "sixpn_bpf_drops_total"));
	assert_in_step(a); /* it is served all the same */
	snprintf(line, sizeof line, "sixpn_node_health_left_out_total{node=\"%s\"} ", a->name);
	assert_int_equal(strtoul(strstr(buf_str(&text), line) + strlen(line), NULL, 10) % 8, 0);
	assert_true(node_table_find(&w->c->nodes, a->host)->health.left_out >= 8);
	world_free(w);
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		free(values[i]->labels);
		free(values[i]);
	}
}

static void the_reference_page_says_what_the_table_says(void **state)
{
	CLEAN_BUF struct buf text = BUF_INIT(1 << 20);

	(void)state;
	controller_metrics_document(&text);
	assert_page_holds("docs/reference/metrics.md", &text, "make metrics-doc");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_strict_reader_accepts_the_page),
		cmocka_unit_test(the_numbers_of_the_log_the_link_and_the_store_are_there),
		cmocka_unit_test(lag_is_counted_in_changes_and_in_seconds_since_the_first_one),
		cmocka_unit_test(who_is_furthest_behind_never_has_a_lag_of_no_seconds),
		cmocka_unit_test(commit_to_applied_is_measured_until_the_acknowledgement),
		cmocka_unit_test(a_node_that_was_away_makes_no_change_slow),
		cmocka_unit_test(who_is_silent_is_not_ready_and_who_is_deleted_is_in_no_line),
		cmocka_unit_test(what_a_node_says_is_exported_with_its_name_and_nonsense_is_left_out),
		cmocka_unit_test(the_status_of_a_gateway_says_how_many_of_its_peers_are_there),
		cmocka_unit_test(the_reference_page_says_what_the_table_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
