/* Settings: who wins, what is refused, and that a refusal says where and why. */
#include "lib/base/config.h"

#include "lib/base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static const struct config_key keys[] = {
	{ "api", "listen", CONFIG_STR, "127.0.0.1:4280", 0, 0, "where to serve HTTP" },
	{ "api", "max_clients", CONFIG_INT, "100", -1, 1000, "clients at once" },
	{ "log", "log_level", CONFIG_STR, "info", 0, 8, "how much to say" },
	{ "log", "log_json", CONFIG_BOOL, "no", 0, 0, "JSON lines" },
	{ "keys", "token_file", CONFIG_SECRET_FILE, "", 0, 0, "file with the token" },
};

static int set_up(void **state)
{
	struct config *c = calloc(1, sizeof *c);

	*state = c;
	return c ? config_init(c, keys, ARRAY_LEN(keys)) : -1;
}

static int tear_down(void **state)
{
	config_deinit(*state);
	free(*state);
	return 0;
}

static void without_sources_the_defaults_hold(void **state)
{
	struct config *c = *state;

	assert_string_equal(config_str(c, "listen"), "127.0.0.1:4280");
	assert_int_equal(config_int(c, "max_clients"), 100);
	assert_false(config_bool(c, "log_json"));
	assert_true(c->values[0].is_default);
	assert_string_equal(c->values[0].source, "default");
}

static void a_later_source_wins(void **state)
{
	struct config *c = *state;
	char *env[] = { "HOME=/", "SIXPN_MAX_CLIENTS=3", "SIXPN_LOG_LEVEL=debug", "SIXPN_UNKNOWN=1", NULL };
	char *argv[] = { "program", "--max-clients", "4", NULL };
	int argc = 3;
	struct why why;

	assert_int_equal(config_read_text(c, "[api]\nlisten = a:1\nmax_clients = 2\n[log]\nlog_level = error\n", "x.conf", &why), 0);
	assert_int_equal(config_int(c, "max_clients"), 2);
	assert_int_equal(config_read_env(c, env, &why), 0);
	assert_int_equal(config_int(c, "max_clients"), 3);
	assert_int_equal(config_read_args(c, &argc, argv, &why), 0);
	assert_int_equal(config_int(c, "max_clients"), 4);
	assert_string_equal(config_str(c, "listen"), "a:1");
	assert_string_equal(config_str(c, "log_level"), "debug");
	assert_string_equal(c->values[0].source, "x.conf");
	assert_string_equal(c->values[1].source, "command line");
	assert_string_equal(c->values[2].source, "environment");
	assert_false(c->values[0].is_default);
}

static void good_texts(void **state)
{
	static const struct {
		const char *text;
		const char *key, *value;
	} rows[] = {
		{ "", "listen", "127.0.0.1:4280" },
		{ "# comment\n; comment\n\n[api]\nlisten=x\n", "listen", "x" },
		{ "[api]\r\nlisten = x\r\nmax_clients = 1\r\n", "listen", "x" },
		{ "[api]\nlisten = x ; said why\n", "listen", "x" },
		{ "[api]\nlisten = a;b\n", "listen", "a;b" },
		{ "[api]\nlisten =\n", "listen", "" },
		{ "[api]\nlisten = x", "listen", "x" },
		{ "\xef\xbb\xbf[api]\nlisten = x\n", "listen", "x" },
		{ "[api]\nlisten = a\nlisten = b\n", "listen", "b" },
		{ "[api]\n  listen = a\n  max_clients = 7\n", "listen", "a" },
		{ "[api]\n  listen = a\n  max_clients = 7\n", "max_clients", "7" },
		{ "[api]\n\tlisten = a\n\n  [log]\n\tlog_level = b\n", "log_level", "b" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config c;
		struct why why;

		assert_int_equal(config_init(&c, keys, ARRAY_LEN(keys)), 0);
		assert_int_equal(config_read_text(&c, rows[i].text, "x.conf", &why), 0);
		assert_string_equal(config_str(&c, rows[i].key), rows[i].value);
		config_deinit(&c);
	}
}

static void bad_texts_are_refused_with_line_key_and_value(void **state)
{
	static const struct {
		const char *text, *code, *field;
		const char *says[3];
	} rows[] = {
		{ "[api]\n\nmax_clients = many\n", "value_invalid", "max_clients", { "x.conf line 3", "max_clients", "\"many\"" } },
		{ "[api]\nmax_clients = 1001\n", "out_of_range", "max_clients", { "line 2", "1001", "-1 to 1000" } },
		{ "[api]\nmax_clients = -2\n", "out_of_range", "max_clients", { "line 2", "-2", "-1 to 1000" } },
		{ "[api]\nmax_clients = 99999999999999999999\n", "out_of_range", "max_clients", { "line 2", "99999999999999999999", "" } },
		{ "[api]\nmax_clients = 0x10\n", "value_invalid", "max_clients", { "\"0x10\"", "", "" } },
		{ "[api]\nmax_clients = 1 2\n", "value_invalid", "max_clients", { "\"1 2\"", "", "" } },
		{ "[api]\nmax_clients = +1\n", "value_invalid", "max_clients", { "\"+1\"", "", "" } },
		{ "[api]\nmax_clients =\n", "value_invalid", "max_clients", { "\"\"", "", "" } },
		{ "[api]\nmax_clients = -\n", "value_invalid", "max_clients", { "\"-\"", "", "" } },
		{ "[log]\nlog_json = maybe\n", "value_invalid", "log_json", { "line 2", "\"maybe\"", "yes or no" } },
		{ "[log]\nlog_level = 123456789\n", "too_long", "log_level", { "line 2", "9 bytes", "at most 8" } },
		{ "[log]\nlog_levle = info\n", "key_unknown", "log_levle", { "line 2", "log_levle", "\"log_level\"" } },
		{ "[api]\nlog_level = info\n", "key_unknown", "log_level", { "line 2", "[log]", "[api]" } },
		{ "log_level = info\n", "key_unknown", "log_level", { "line 1", "[log]", "" } },
		{ "[log]\nnonsense\n", "syntax", "", { "line 2", "", "" } },
		{ "[log\n", "syntax", "", { "line 1", "", "" } },
		{ "[api]\nlisten = a\n  more of it\n", "syntax", "", { "line 3", "", "" } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config c;
		struct why why = { .text = "" };

		assert_int_equal(config_init(&c, keys, ARRAY_LEN(keys)), 0);
		assert_int_equal(config_read_text(&c, rows[i].text, "x.conf", &why), E_REFUSED);
		assert_string_equal(why.code, rows[i].code);
		assert_string_equal(why.field, rows[i].field);
		for (size_t j = 0; j < 3; j++)
			assert_non_null(strstr(why.text, rows[i].says[j]));
		config_deinit(&c);
	}
}

static void a_value_is_whole_or_refused(void **state)
{
	struct config *c = *state;
	struct why why;

	for (size_t n = 150; n < 400; n++) {
		char text[500] = "[api]\nlisten = ";
		size_t at = strlen(text);
		int r;

		memset(text + at, 'x', n);
		r = config_read_text(c, text, "x.conf", &why);
		assert_true(r == 0 || r == E_REFUSED);
		if (r == 0)
			assert_int_equal(strlen(config_str(c, "listen")), n);
		else
			assert_non_null(strstr(why.text, "line 2"));
		assert_int_equal(r, n <= 189 ? 0 : E_REFUSED);
	}
}

static void a_long_comment_is_fine(void **state)
{
	char text[1000] = "#";

	memset(text + 1, 'x', 900);
	memcpy(text + 901, "\n[log]\nlog_level = a\n", 22);
	assert_int_equal(config_read_text(*state, text, "x.conf", NULL), 0);
	assert_string_equal(config_str(*state, "log_level"), "a");
}

static void booleans_have_eight_spellings(void **state)
{
	static const struct {
		const char *text;
		bool value;
	} rows[] = { { "yes", true }, { "true", true }, { "on", true }, { "1", true }, { "no", false }, { "false", false }, { "off", false }, { "0", false } };
	struct config *c = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[64];

		snprintf(text, sizeof text, "[log]\nlog_json = %s\n", rows[i].text);
		assert_int_equal(config_read_text(c, text, "x.conf", NULL), 0);
		assert_int_equal(config_bool(c, "log_json"), rows[i].value);
	}
}

static void arguments_that_are_settings_are_taken_out(void **state)
{
	struct config *c = *state;
	char *argv[] = { "program", "run", "--listen=a=b", "-v", "--log-json", "here", "--max_clients", "-1", "--", NULL };
	static const char *const left[] = { "program", "run", "-v", "here", "--" };
	int argc = 9;

	assert_int_equal(config_read_args(c, &argc, argv, NULL), 0);
	assert_int_equal(argc, ARRAY_LEN(left));
	for (int i = 0; i < argc; i++)
		assert_string_equal(argv[i], left[i]);
	assert_null(argv[argc]);
	assert_string_equal(config_str(c, "listen"), "a=b");
	assert_true(config_bool(c, "log_json"));
	assert_int_equal(config_int(c, "max_clients"), -1);
}

static void bad_arguments_are_refused(void **state)
{
	static const struct {
		const char *argument, *code, *says;
	} rows[] = {
		{ "--listne=x", "key_unknown", "\"listen\"" },
		{ "--listen", "value_missing", "--listen" },
		{ "--max-clients=x", "value_invalid", "command line" },
		{ "--log-json=x", "value_invalid", "yes or no" },
		{ "--an-argument-that-is-much-longer-than-any-name-of-a-setting-can-be-and-then-some-more=1", "key_unknown", "not known" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char argument[128];
		char *argv[] = { "program", argument, NULL };
		int argc = 2;
		struct why why;

		snprintf(argument, sizeof argument, "%s", rows[i].argument);
		assert_int_equal(config_read_args(*state, &argc, argv, &why), E_REFUSED);
		assert_string_equal(why.code, rows[i].code);
		assert_non_null(strstr(why.text, rows[i].says));
	}
}

static void a_bad_environment_is_refused(void **state)
{
	char *env[] = { "SIXPN_MAX_CLIENTS=", NULL };
	struct why why;

	assert_int_equal(config_read_env(*state, env, &why), E_REFUSED);
	assert_non_null(strstr(why.text, "environment"));
	assert_int_equal(config_int(*state, "max_clients"), 100);
}

static void write_file(const char *path, const char *text, size_t n)
{
	assert_int_equal(file_replace(path, text, n, 0600), 0);
}

static void files_may_be_missing_but_not_broken(void **state)
{
	char dir[] = "/tmp/sixpn-config-XXXXXX", path[64];
	struct why why;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/a.conf", dir);
	assert_int_equal(config_read_file(*state, path, false, &why), 0);
	assert_int_equal(config_read_file(*state, path, true, &why), E_REFUSED);
	assert_non_null(strstr(why.text, path));
	write_file(path, "[api]\nlisten = x\n\0[log]\n", 24);
	assert_int_equal(config_read_file(*state, path, true, &why), E_REFUSED);
	assert_non_null(strstr(why.text, "NUL"));
	assert_string_equal(config_str(*state, "listen"), "127.0.0.1:4280");
	assert_int_equal(config_read_file(*state, dir, true, &why), E_REFUSED);
	unlink(path);
	rmdir(dir);
}

static void a_second_file_leaves_the_sources_of_the_first(void **state)
{
	char dir[] = "/tmp/sixpn-config-XXXXXX", first[64], second[64];
	CLEAN_BUF struct buf text = BUF_INIT(0);

	assert_non_null(mkdtemp(dir));
	snprintf(first, sizeof first, "%s/first.conf", dir);
	snprintf(second, sizeof second, "%s/second.conf", dir);
	write_file(first, "[api]\nlisten = x\n", 17);
	write_file(second, "[log]\nlog_level = y\n", 20);
	assert_int_equal(config_read_file(*state, first, true, NULL), 0);
	assert_int_equal(config_read_file(*state, second, true, NULL), 0);
	config_print(*state, &text);
	assert_non_null(strstr(buf_str(&text), first));
	assert_non_null(strstr(buf_str(&text), second));
	unlink(first);
	unlink(second);
	rmdir(dir);
}

static void the_sample_file_can_be_read_back(void **state)
{
	CLEAN_BUF struct buf text = BUF_INIT(0), active = BUF_INIT(0);

	config_sample(*state, &text);
	assert_int_equal(config_read_text(*state, buf_str(&text), "sample", NULL), 0);
	for (const char *p = buf_str(&text); *p; p++) /* without the comment signs it says the defaults */
		if (*p != '#')
			buf_add_u8(&active, (uint8_t)*p);
	assert_int_equal(config_read_text(*state, buf_str(&active), "sample", NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		assert_string_equal(config_str(*state, keys[i].key), keys[i].fallback);
}

static void help_and_print_name_every_setting(void **state)
{
	CLEAN_BUF struct buf help = BUF_INIT(0), print = BUF_INIT(0);

	assert_int_equal(config_read_text(*state, "[keys]\ntoken_file = /secret/path\n", "x.conf", NULL), 0);
	config_help(*state, &help);
	config_print(*state, &print);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		assert_non_null(strstr(buf_str(&help), keys[i].key));
		assert_non_null(strstr(buf_str(&print), keys[i].key));
	}
	assert_null(strstr(buf_str(&print), "/secret/path"));
}

static void a_default_that_breaks_its_rule_is_our_mistake(void **state)
{
	static const struct config_key bad[] = { { "a", "b", CONFIG_INT, "5", 0, 4, "" } };
	struct config c;

	(void)state;
	assert_int_equal(config_init(&c, bad, 1), -EINVAL);
}

#define WITH_CONFIG(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_CONFIG(without_sources_the_defaults_hold),
		WITH_CONFIG(a_later_source_wins),
		cmocka_unit_test(good_texts),
		cmocka_unit_test(bad_texts_are_refused_with_line_key_and_value),
		WITH_CONFIG(a_value_is_whole_or_refused),
		WITH_CONFIG(a_long_comment_is_fine),
		WITH_CONFIG(booleans_have_eight_spellings),
		WITH_CONFIG(arguments_that_are_settings_are_taken_out),
		WITH_CONFIG(bad_arguments_are_refused),
		WITH_CONFIG(a_bad_environment_is_refused),
		WITH_CONFIG(files_may_be_missing_but_not_broken),
		WITH_CONFIG(a_second_file_leaves_the_sources_of_the_first),
		WITH_CONFIG(the_sample_file_can_be_read_back),
		WITH_CONFIG(help_and_print_name_every_setting),
		cmocka_unit_test(a_default_that_breaks_its_rule_is_our_mistake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
