/* The door for workloads: what is refused and with what code, then what is accepted. */
#include "agent/spec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *json, *code, *field;
} refused[] = {
	{ "", "json_invalid", "" },
	{ "[]", "json_invalid", "" },
	{ "{\"command\":[\"/x\"]}", "field_missing", "schema" },
	{ "{\"schema\":2,\"command\":[\"/x\"]}", "schema_unknown", "schema" },
	{ "{\"schema\":1}", "command_invalid", "command" },
	{ "{\"schema\":1,\"command\":[]}", "command_invalid", "command" },
	{ "{\"schema\":1,\"command\":[\"\"]}", "command_invalid", "command" },
	{ "{\"schema\":1,\"command\":[1]}", "command_invalid", "command" },
	{ "{\"schema\":1,\"command\":\"/x\"}", "command_invalid", "command" },
	{ "{\"schema\":1,\"command\":[\"/x\"],\"comand\":1}", "field_unknown", "comand" },
	{ "{\"schema\":1,\"command\":[\"/x\"],\"command\":[\"/y\"]}", "json_invalid", "" },
	{ "{\"schema\":1,\"command\":[\"/x\"],\"env\":{\"A B\":\"1\"}}", "env_invalid", "env" },
	{ "{\"schema\":1,\"command\":[\"/x\"],\"env\":{\"1A\":\"1\"}}", "env_invalid", "env" },
	{ "{\"schema\":1,\"command\":[\"/x\"],\"env\":{\"A\":1}}", "env_invalid", "env" },
	{ "{\"schema\":1,\"command\":[\"/x\"],\"env\":{\"FLY_LOCAL_6PN\":\"::1\"}}", "env_reserved", "env" },
	{ "{\"schema\":1,\"command\":[\"/x\"],\"env\":{\"A\":\"x\\u0000y\"}}", "json_invalid", "" },
	{ "{\"schema\":1,\"command\":[\"/x\"],\"files\":[{\"path\":\"etc/x\",\"content\":\"\"}]}", "path_invalid", "files.path" },
	{ "{\"schema\":1,\"command\":[\"/x\"],\"files\":[{\"path\":\"/a/../x\",\"content\":\"\"}]}", "path_invalid", "files.path" },
	{ "{\"schema\":1,\"command\":[\"/x\"],\"files\":[{\"path\":\"/a//x\",\"content\":\"\"}]}", "path_invalid", "files.path" },
	{ "{\"schema\":1,\"command\":[\"/x\"],\"files\":[{\"path\":\"/\",\"content\":\"\"}]}", "path_invalid", "files.path" },
	{ "{\"schema\":1,\"command\":[\"/x\"],\"files\":[{\"path\":\"/etc/hosts\",\"content\":\"\"}]}", "path_reserved", "files.path" },
	{ "{\"schema\":1,\"command\":[\"/x\"],\"files\":[{\"path\":\"/proc/x\",\"content\":\"\"}]}", "path_reserved", "files.path" },
	{ "{\"schema\":1,\"command\":[\"/x\"],\"files\":[{\"path\":\"/a\",\"content\":\"\"},{\"path\":\"/a\",\"content\":\"\"}]}", "path_twice", "files.path" },
	{ "{\"schema\":1,\"command\":[\"/x\"],\"files\":[{\"path\":\"/a\"}]}", "content_invalid", "files.content" },
	{ "{\"schema\":1,\"command\":[\"/x\"],\"files\":[{\"path\":\"/a\",\"content\":\"\",\"mode\":\"4755\"}]}", "mode_invalid", "files" },
	{ "{\"schema\":1,\"command\":[\"/x\"],\"files\":[{\"path\":\"/a\",\"content\":\"\",\"owner\":\"x\"}]}", "field_unknown", "owner" },
	{ "{\"schema\":1,\"command\":[\"/x\"],\"root\":\"x\"}", "path_invalid", "root" },
	{ "{\"schema\":1,\"command\":[\"/x\"],\"workdir\":\"/x/\"}", "path_invalid", "workdir" },
	{ "{\"schema\":1,\"command\":[\"/x\"],\"user\":\"root\"}", "user_invalid", "user" },
	{ "{\"schema\":1,\"command\":[\"/x\"],\"user\":\"1:-1\"}", "user_invalid", "user" },
	{ "{\"schema\":1,\"command\":[\"/x\"],\"user\":\"1:4294967296\"}", "user_invalid", "user" },
	{ "{\"schema\":1,\"command\":[\"/x\"],\"restart\":\"sometimes\"}", "value_unknown", "restart" },
	{ "{\"schema\":1,\"command\":[\"/x\"],\"runtime\":\"docker\"}", "value_unknown", "runtime" },
	{ "{\"schema\":1,\"command\":[\"/x\"],\"drain_ms\":-1}", "out_of_range", "drain_ms" },
	{ "{\"schema\":1,\"command\":[\"/x\"],\"stop_timeout_ms\":\"5\"}", "type_invalid", "stop_timeout_ms" },
	{ "{\"schema\":1,\"command\":[\"/x\"]} x", "json_invalid", "" },
};

static void every_wrong_workload_is_refused_with_its_code_and_field(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		struct why why = { .text = "" };
		struct spec spec = { .n_command = 77 };

		if (spec_parse(refused[i].json, strlen(refused[i].json), &spec, &why) != E_REFUSED || strcmp(why.code, refused[i].code) ||
		    strcmp(why.field, refused[i].field) || !why.text[0])
			fail_msg("%s: code %s, field %s: %s", refused[i].json, why.code, why.field, why.text);
		assert_int_equal(spec.n_command, 77); /* untouched */
	}
}

static void a_full_workload_is_read(void **state)
{
	static const char json[] = "{\"schema\":1,\"command\":[\"/bin/x\",\"a b\"],\"env\":{\"K\":\"V\"},"
				   "\"files\":[{\"path\":\"/srv/x\",\"content\":\"hello\",\"mode\":\"0600\"}],\"root\":\"/srv/tree\","
				   "\"workdir\":\"/w\",\"user\":\"1000:100\",\"restart\":\"always\",\"drain_ms\":0,"
				   "\"stop_timeout_ms\":2500,\"runtime\":\"process\"}";
	struct spec s;

	(void)state;
	assert_int_equal(spec_parse(json, strlen(json), &s, NULL), 0);
	assert_int_equal(s.n_command, 2);
	assert_string_equal(s.command[1], "a b");
	assert_int_equal(s.n_env, 1);
	assert_string_equal(s.env[0].value, "V");
	assert_int_equal(s.n_files, 1);
	assert_int_equal(s.files[0].mode, 0600);
	assert_int_equal(s.files[0].content_len, 5);
	assert_string_equal(s.root, "/srv/tree");
	assert_true(s.has_user && s.uid == 1000 && s.gid == 100);
	assert_int_equal(s.restart, SPEC_RESTART_ALWAYS);
	assert_int_equal(s.drain_ms, 0);
	assert_int_equal(s.stop_timeout_ms, 2500);
	spec_deinit(&s);
	spec_deinit(&s);
}

static void what_is_left_out_has_its_default(void **state)
{
	static const char json[] = "{\"schema\":1,\"command\":[\"/bin/x\"]}";
	struct spec s;

	(void)state;
	assert_int_equal(spec_parse(json, strlen(json), &s, NULL), 0);
	assert_int_equal(s.restart, SPEC_RESTART_ON_FAILURE);
	assert_int_equal(s.runtime, SPEC_RUNTIME_PROCESS);
	assert_int_equal(s.drain_ms, 5000);
	assert_int_equal(s.stop_timeout_ms, 10000);
	assert_false(s.has_user);
	assert_string_equal(s.root, "");
	spec_deinit(&s);
}

static void lists_above_their_limit_are_refused(void **state)
{
	char *json = calloc(1, SPEC_SIZE_MAX + 64);
	struct why why = { .text = "" };
	struct spec s;
	size_t n = 0;

	(void)state;
	n += (size_t)sprintf(json + n, "{\"schema\":1,\"command\":[\"/x\"");
	for (int i = 0; i < SPEC_COMMAND_MAX; i++)
		n += (size_t)sprintf(json + n, ",\"a\"");
	n += (size_t)sprintf(json + n, "]}");
	assert_int_equal(spec_parse(json, n, &s, &why), E_REFUSED);
	assert_string_equal(why.code, "command_invalid");
	memset(json, ' ', SPEC_SIZE_MAX + 1);
	assert_int_equal(spec_parse(json, SPEC_SIZE_MAX + 1, &s, &why), E_REFUSED);
	assert_string_equal(why.code, "too_long");
	free(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_wrong_workload_is_refused_with_its_code_and_field),
		cmocka_unit_test(a_full_workload_is_read),
		cmocka_unit_test(what_is_left_out_has_its_default),
		cmocka_unit_test(lists_above_their_limit_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
