/* Log lines, read back from a pipe that stands for standard error. */
#include "lib/base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static int real_stderr, pipe_end;
static char text[16384];

static int set_up(void **state)
{
	int ends[2];

	(void)state;
	real_stderr = dup(STDERR_FILENO);
	if (real_stderr < 0 || pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	pipe_end = ends[0];
	if (dup2(ends[1], STDERR_FILENO) < 0)
		return -1;
	close(ends[1]);
	log_set_level(LOG_L_INFO);
	log_set_prefix(NULL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	close(pipe_end);
	log_set_level(LOG_L_INFO);
	log_set_prefix(NULL);
	return 0;
}

/* What was written since the last call. */
static const char *written(void)
{
	ssize_t n = read(pipe_end, text, sizeof text - 1);

	text[n < 0 ? 0 : n] = 0;
	return text;
}

static unsigned lines(const char *p)
{
	unsigned n = 0;

	for (; *p; p++)
		n += *p == '\n';
	return n;
}

static void a_line_has_time_level_area_and_text(void **state)
{
	regex_t form;

	(void)state;
	log_info("mesh", "peer %d added", 7);
	assert_int_equal(regcomp(&form, "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{3}Z info mesh: peer 7 added\n$", REG_EXTENDED), 0);
	assert_int_equal(regexec(&form, written(), 0, NULL, 0), 0);
	regfree(&form);
}

static void the_prefix_stands_before_the_level(void **state)
{
	(void)state;
	log_set_prefix("sixpn-node");
	log_warn("dns", "x");
	assert_non_null(strstr(written(), "Z sixpn-node warning dns: x\n"));
}

static void the_level_decides_what_is_written(void **state)
{
	static const struct {
		enum log_level level;
		unsigned lines;
	} rows[] = { { LOG_L_ERR, 1 }, { LOG_L_WARN, 2 }, { LOG_L_INFO, 3 }, { LOG_L_DEBUG, 4 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		log_set_level(rows[i].level);
		log_err("a", "1");
		log_warn("a", "2");
		log_info("a", "3");
		log_debug("a", "4");
		assert_int_equal(lines(written()), rows[i].lines);
	}
}

static void a_text_from_outside_cannot_forge_a_line(void **state)
{
	(void)state;
	log_info("a", "name %s", "x\n2026-01-01T00:00:00.000Z error a: forged\r\x1b[2J\x7f\t.");
	assert_int_equal(lines(written()), 1);
	for (const char *p = text; p[1]; p++)
		assert_true((unsigned char)*p >= 0x20 && *p != 0x7f);
}

static void a_text_too_long_is_cut_and_still_one_line(void **state)
{
	static char longest[5000];

	(void)state;
	memset(longest, 'x', sizeof longest - 1);
	for (size_t n = 1900; n < 2100; n++) {
		log_info("a", "%.*s", (int)n, longest);
		assert_int_equal(lines(written()), 1);
		assert_true(strlen(text) <= 2047);
	}
	log_info(longest, "x");
	assert_int_equal(lines(written()), 1);
}

static void repeat(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		log_limited(LOG_L_WARN, "door", "refused");
}

static void a_burst_is_told_once_a_second(void **state)
{
	(void)state;
	repeat(1000);
	assert_in_range(lines(written()), 1, 3); /* 3 if the second turned over meanwhile */
}

static void the_lines_left_out_are_counted(void **state)
{
	struct log_limit limit = { 0 };

	(void)state;
	log_limited_line(&limit, LOG_L_WARN, "door", "refused");
	written();
	limit.left_out = 41;
	limit.second = 1; /* another second */
	log_limited_line(&limit, LOG_L_WARN, "door", "refused");
	assert_int_equal(lines(written()), 2);
	assert_non_null(strstr(text, "41 more"));
	assert_int_equal(limit.left_out, 0);
}

static void levels_are_parsed_by_name(void **state)
{
	static const struct {
		const char *name;
		int result;
		enum log_level level;
	} rows[] = { { "error", 0, LOG_L_ERR }, { "warning", 0, LOG_L_WARN }, { "info", 0, LOG_L_INFO }, { "debug", 0, LOG_L_DEBUG },
		     { "warn", E_REFUSED, 0 },	{ "INFO", E_REFUSED, 0 },     { "", E_REFUSED, 0 },	{ "info ", E_REFUSED, 0 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum log_level level = LOG_L_ERR;
		struct why why;

		assert_int_equal(log_level_parse(rows[i].name, &level, &why), rows[i].result);
		if (!rows[i].result)
			assert_int_equal(level, rows[i].level);
		else
			assert_non_null(strstr(why.text, "debug"));
	}
}

#define WITH_PIPE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PIPE(a_line_has_time_level_area_and_text),
		WITH_PIPE(the_prefix_stands_before_the_level),
		WITH_PIPE(the_level_decides_what_is_written),
		WITH_PIPE(a_text_from_outside_cannot_forge_a_line),
		WITH_PIPE(a_text_too_long_is_cut_and_still_one_line),
		WITH_PIPE(a_burst_is_told_once_a_second),
		WITH_PIPE(the_lines_left_out_are_counted),
		cmocka_unit_test(levels_are_parsed_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
