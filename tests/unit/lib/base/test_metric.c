/* Metrics: the text that Prometheus reads, histograms, and the last hour. */
#include "lib/base/metric.h"
#include "lib/base/recent.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

static void read_plain(void *ctx, const struct metric *row, struct metric_out *out)
{
	(void)row;
	metric_count(out, *(uint64_t *)ctx, METRIC_NONE);
}

static void read_labelled(void *ctx, const struct metric *row, struct metric_out *out)
{
	(void)ctx;
	(void)row;
	metric_count(out, 1, METRIC_LABELS("a", "b\"c\\d\ne"));
	metric_number(out, 0.25, METRIC_LABELS("a", "é"));
}

static void read_nothing(void *ctx, const struct metric *row, struct metric_out *out)
{
	(void)ctx;
	(void)row;
	(void)out;
}

static void read_histogram(void *ctx, const struct metric *row, struct metric_out *out)
{
	struct histogram h = { 0 };

	(void)ctx;
	(void)row;
	histogram_add(&h, 100);
	histogram_add(&h, 101);
	histogram_add(&h, 11000000);
	metric_histogram(out, &h, METRIC_LABELS("x"));
}

static void a_family_has_its_help_and_type_once_and_label_values_are_escaped(void **state)
{
	static const struct metric table[] = {
		{ "sixpn_a_total", METRIC_COUNTER, "", "Says \\ a\nthing.", read_plain, 0 },
		{ "sixpn_none", METRIC_GAUGE, "", "Not there.", read_nothing, 0 },
		{ "sixpn_b", METRIC_GAUGE, "one two", "Two labels.", read_labelled, 0 },
	};
	CLEAN_BUF struct buf text = BUF_INIT(1 << 16);
	uint64_t n = UINT64_MAX;

	(void)state;
	metric_write(table, ARRAY_LEN(table), &n, &text);
	assert_string_equal(buf_str(&text), "# HELP sixpn_a_total Says \\\\ a\\nthing.\n"
					    "# TYPE sixpn_a_total counter\n"
					    "sixpn_a_total 18446744073709551615\n"
					    "# HELP sixpn_b Two labels.\n"
					    "# TYPE sixpn_b gauge\n"
					    "sixpn_b{one=\"a\",two=\"b\\\"c\\\\d\\ne\"} 1\n"
					    "sixpn_b{one=\"a\",two=\"é\"} 0.25\n");
}

static void a_histogram_is_cumulative_in_seconds_and_ends_with_infinity(void **state)
{
	static const struct metric table[] = { { "sixpn_h_seconds", METRIC_HISTOGRAM, "l", "H.", read_histogram, 0 } };
	CLEAN_BUF struct buf text = BUF_INIT(1 << 16);

	(void)state;
	metric_write(table, 1, NULL, &text);
	assert_non_null(strstr(buf_str(&text), "sixpn_h_seconds_bucket{l=\"x\",le=\"0.0001\"} 1\n"
					       "sixpn_h_seconds_bucket{l=\"x\",le=\"0.00025\"} 2\n"));
	assert_non_null(strstr(buf_str(&text), "sixpn_h_seconds_bucket{l=\"x\",le=\"10\"} 2\n"
					       "sixpn_h_seconds_bucket{l=\"x\",le=\"+Inf\"} 3\n"
					       "sixpn_h_seconds_sum{l=\"x\"} 11.000201\n"
					       "sixpn_h_seconds_count{l=\"x\"} 3\n"));
}

static void an_exposition_that_grows_too_large_is_seen_as_failed(void **state)
{
	static const struct metric table[] = { { "sixpn_h_seconds", METRIC_HISTOGRAM, "l", "H.", read_histogram, 0 } };
	CLEAN_BUF struct buf text = BUF_INIT(100);

	(void)state;
	metric_write(table, 1, NULL, &text);
	assert_true(buf_failed(&text));
}

static void percentiles_of_the_last_hour_are_at_most_a_quarter_too_high_and_never_too_low(void **state)
{
	struct recent r = { 0 };
	const struct recent *list[] = { &r, NULL };
	uint64_t now = 1000ull * RECENT_SLOT_MS;

	(void)state;
	for (uint32_t v = 0; v < 114000; v += 1 + v / 50) {
		struct recent_summary s;

		memset(&r, 0, sizeof r);
		for (int i = 0; i < 60; i++)
			recent_add(&r, now, v);
		recent_add(&r, now, 10 * v + 7); /* so that the slowest does not cap the median */
		s = recent_summarize(list, 2, now);
		assert_int_equal(s.n, 61);
		assert_int_equal(s.max_ms, 10 * v + 7);
		assert_true(s.p50_ms >= v && s.p50_ms <= v + v / 4);
		assert_true(s.p99_ms == 10 * v + 7 || s.p99_ms >= 10 * v + 7 - (10 * v + 7) / 4);
	}
}

static void what_is_older_than_an_hour_is_forgotten(void **state)
{
	struct recent r = { 0 };
	const struct recent *list[] = { &r };
	uint64_t now = 77ull * RECENT_SLOT_MS + 5;

	(void)state;
	recent_add(&r, now, 900);
	recent_add(&r, now + 3 * RECENT_SLOT_MS, 10);
	assert_int_equal(recent_summarize(list, 1, now + 5 * RECENT_SLOT_MS).max_ms, 900);
	assert_int_equal(recent_summarize(list, 1, now + 6 * RECENT_SLOT_MS).max_ms, 10);
	assert_int_equal(recent_summarize(list, 1, now + 9 * RECENT_SLOT_MS).n, 0);
	recent_add(&r, now + 6 * RECENT_SLOT_MS, 20); /* its slot comes round again */
	assert_int_equal(recent_summarize(list, 1, now + 6 * RECENT_SLOT_MS).max_ms, 20);
	assert_int_equal(recent_summarize(list, 1, now + 6 * RECENT_SLOT_MS).n, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_family_has_its_help_and_type_once_and_label_values_are_escaped),
		cmocka_unit_test(a_histogram_is_cumulative_in_seconds_and_ends_with_infinity),
		cmocka_unit_test(an_exposition_that_grows_too_large_is_seen_as_failed),
		cmocka_unit_test(percentiles_of_the_last_hour_are_at_most_a_quarter_too_high_and_never_too_low),
		cmocka_unit_test(what_is_older_than_an_hour_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
