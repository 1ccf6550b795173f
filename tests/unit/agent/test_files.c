/* What the instance finds, byte for byte; what is launched; both through their files and back. */
#include "agent/files.h"
#include "lib/base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct launch_facts facts(void)
{
	return (struct launch_facts){ .id = "e784079b449483",
				      .app = "my-frontend",
				      .region = "nrt",
				      .group = "",
				      .address = addr_instance(0x002a0001, 0xa9a80001, 0x51c290ab),
				      .generation = 3 };
}

static void expect_file(const char *folder, const char *name, const char *text)
{
	struct buf content = BUF_INIT(65536);
	char path[300];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	assert_int_equal(file_read(path, 65536, &content), 0);
	assert_string_equal(buf_str(&content), text);
	buf_deinit(&content);
}

static const char json[] = "{\"schema\":1,\"command\":[\"/bin/x\",\"--bind=[${FLY_LOCAL_6PN}]:80\",\"$HOME ${HOME} $${FLY_REGION} ${FLY_REGION}\"],"
			   "\"env\":{\"WHERE\":\"${FLY_APP_NAME}-${FLY_REGION}\"},"
			   "\"files\":[{\"path\":\"/srv/x\",\"content\":\"one\",\"mode\":\"0640\"}]}";

static struct spec parsed(const char *text)
{
	struct spec s;

	assert_int_equal(spec_parse(text, strlen(text), &s, NULL), 0);
	return s;
}

static int with_folder(void **state)
{
	char *folder = strdup("/tmp/sixpn-files-XXXXXX");

	*state = folder;
	return mkdtemp(folder) ? 0 : -1;
}

static int without_folder(void **state)
{
	int r = files_remove(*state);

	free(*state);
	return r;
}

static void variables_of_the_host_are_replaced_and_nothing_else(void **state)
{
	const struct launch_facts f = facts();
	struct spec spec = parsed(json);
	struct launch l;

	(void)state;
	assert_int_equal(launch_make(&spec, &f, &l, NULL), 0);
	assert_string_equal(l.command[1], "--bind=[fdaa:2a:1:a9a8:1:51c2:90ab:2]:80");
	assert_string_equal(l.command[2], "$HOME ${HOME} ${FLY_REGION} nrt");
	assert_null(l.command[3]);
	launch_deinit(&l);
	spec_deinit(&spec);
}

static void the_environment_is_the_hosts_then_the_workloads_then_a_path(void **state)
{
	static const char *const expected[] = { "FLY_APP_NAME=my-frontend",
						"FLY_MACHINE_ID=e784079b449483",
						"FLY_ALLOC_ID=e784079b449483",
						"FLY_REGION=nrt",
						"FLY_PRIVATE_IP=fdaa:2a:1:a9a8:1:51c2:90ab:2",
						"FLY_LOCAL_6PN=fdaa:2a:1:a9a8:1:51c2:90ab:2",
						"FLY_PROCESS_GROUP=app",
						"WHERE=my-frontend-nrt",
						"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" };
	const struct launch_facts f = facts();
	struct spec spec = parsed(json);
	struct launch l;

	(void)state;
	assert_int_equal(launch_make(&spec, &f, &l, NULL), 0);
	assert_int_equal(l.n_env, ARRAY_LEN(expected));
	for (size_t i = 0; i < ARRAY_LEN(expected); i++)
		assert_string_equal(l.env[i], expected[i]);
	launch_deinit(&l);
	spec_deinit(&spec);
}

static void a_text_that_grows_too_long_is_refused(void **state)
{
	const struct launch_facts f = facts();
	struct buf text = BUF_INIT(0);
	struct why why = { .text = "" };
	struct spec spec;
	struct launch l;

	(void)state;
	buf_add_str(&text, "{\"schema\":1,\"command\":[\"/x\",\"");
	for (int i = 0; i < SPEC_TEXT_MAX / 16; i++)
		buf_add_str(&text, "${FLY_LOCAL_6PN}");
	buf_add_str(&text, "\"]}");
	spec = parsed(buf_str(&text));
	assert_int_equal(launch_make(&spec, &f, &l, &why), E_REFUSED);
	assert_string_equal(why.code, "too_long");
	spec_deinit(&spec);
	buf_deinit(&text);
}

static void the_generated_files_are_these(void **state)
{
	const struct launch_facts f = facts();
	struct spec spec = parsed(json);
	struct launch l;
	struct stat st;
	char path[300];

	assert_int_equal(launch_make(&spec, &f, &l, NULL), 0);
	assert_int_equal(files_write(*state, &f, &spec, &l), 0);
	expect_file(*state, "files/hosts",
		    "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
		    "fdaa:2a:1:a9a8:1:51c2:90ab:2\tfly-local-6pn\nfdaa:2a:1:a9a8:1:51c2:90ab:2\te784079b449483\n");
	expect_file(*state, "files/resolv.conf", "nameserver fdaa::3\noptions edns0 timeout:1 attempts:3\n");
	expect_file(*state, "files/hostname", "e784079b449483\n");
	expect_file(*state, "files/own-0", "one");
	snprintf(path, sizeof path, "%s/files/own-0", (char *)*state);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(l.n_binds, 5);
	assert_string_equal(l.binds[4].target, "/srv/x");
	assert_int_equal(l.binds[4].kind, LAUNCH_BIND_STRICT);
	launch_deinit(&l);
	spec_deinit(&spec);
}

static void a_changed_file_is_written_in_place(void **state)
{
	static const char shorter[] = "{\"schema\":1,\"command\":[\"/x\"],\"files\":[{\"path\":\"/srv/x\",\"content\":\"2\"}]}";
	const struct launch_facts f = facts();
	struct spec first = parsed(json), second = parsed(shorter);
	struct launch a, b;
	struct stat before, after;
	char path[300];

	snprintf(path, sizeof path, "%s/files/own-0", (char *)*state);
	assert_int_equal(launch_make(&first, &f, &a, NULL), 0);
	assert_int_equal(launch_make(&second, &f, &b, NULL), 0);
	assert_int_equal(files_write(*state, &f, &first, &a), 0);
	assert_int_equal(stat(path, &before), 0);
	assert_int_equal(files_write(*state, &f, &second, &b), 0);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino); /* a bind of it shows the change */
	expect_file(*state, "files/own-0", "2");
	launch_deinit(&a);
	launch_deinit(&b);
	spec_deinit(&first);
	spec_deinit(&second);
}

static void what_is_written_to_launch_is_read_back(void **state)
{
	static const char full[] = "{\"schema\":1,\"command\":[\"/x\",\"\\u00e9 \\\" \\n\"],\"root\":\"/srv\",\"workdir\":\"/w\",\"user\":\"5:6\"}";
	const struct launch_facts f = facts();
	struct spec spec = parsed(full);
	struct launch a, b;
	char path[300];

	snprintf(path, sizeof path, "%s/launch", (char *)*state);
	assert_int_equal(launch_make(&spec, &f, &a, NULL), 0);
	assert_int_equal(launch_add_bind(&a, "/from", "/to", LAUNCH_BIND_ABSENT), 0);
	assert_int_equal(launch_write(&a, path), 0);
	assert_int_equal(launch_read(path, &b, NULL), 0);
	assert_string_equal(b.id, a.id);
	assert_int_equal(b.generation, 3);
	assert_int_equal(b.n_command, 2);
	assert_string_equal(b.command[1], a.command[1]);
	assert_int_equal(b.n_env, a.n_env);
	assert_string_equal(b.root, "/srv");
	assert_string_equal(b.workdir, "/w");
	assert_true(b.has_user && b.uid == 5 && b.gid == 6);
	assert_int_equal(b.n_binds, 1);
	assert_string_equal(b.binds[0].target, "/to");
	assert_int_equal(b.binds[0].kind, LAUNCH_BIND_ABSENT);
	launch_deinit(&a);
	launch_deinit(&b);
	spec_deinit(&spec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(variables_of_the_host_are_replaced_and_nothing_else),
		cmocka_unit_test(the_environment_is_the_hosts_then_the_workloads_then_a_path),
		cmocka_unit_test(a_text_that_grows_too_long_is_refused),
		cmocka_unit_test_setup_teardown(the_generated_files_are_these, with_folder, without_folder),
		cmocka_unit_test_setup_teardown(a_changed_file_is_written_in_place, with_folder, without_folder),
		cmocka_unit_test_setup_teardown(what_is_written_to_launch_is_read_back, with_folder, without_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
