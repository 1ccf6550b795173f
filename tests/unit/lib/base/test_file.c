/* Files: the new content or the old, never something between; modes as asked, whatever the umask. */
#include "lib/base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char dir[64], path[96], tmp[96];

static int set_up(void **state)
{
	(void)state;
	snprintf(dir, sizeof dir, "/tmp/sixpn-file-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof path, "%s/file", dir);
	snprintf(tmp, sizeof tmp, "%s/file.tmp", dir);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	rmdir(tmp);
	unlink(tmp);
	rmdir(path);
	unlink(path);
	return rmdir(dir);
}

static void assert_content(const char *expected)
{
	CLEAN_BUF struct buf b = BUF_INIT(0);

	assert_int_equal(file_read(path, 1000, &b), 0);
	assert_string_equal(buf_str(&b), expected);
}

static unsigned mode_of(const char *name)
{
	struct stat st;

	assert_int_equal(stat(name, &st), 0);
	return st.st_mode & 07777;
}

static void replace_makes_and_replaces(void **state)
{
	(void)state;
	assert_int_equal(file_replace(path, "old", 3, 0600), 0);
	assert_content("old");
	assert_int_equal(file_replace(path, "newer", 5, 0644), 0);
	assert_content("newer");
	assert_int_equal(file_replace(path, "", 0, 0600), 0);
	assert_content("");
	assert_int_equal(access(tmp, F_OK), -1);
}

static void the_umask_does_not_decide_the_mode(void **state)
{
	mode_t old = umask(0);

	(void)state;
	assert_int_equal(file_replace(path, "x", 1, 0600), 0);
	assert_int_equal(mode_of(path), 0600);
	umask(0777);
	assert_int_equal(file_replace(path, "x", 1, 0640), 0);
	umask(old);
	assert_int_equal(mode_of(path), 0640);
}

/* The reader keeps the old file open: it must not see a byte of the new one. */
static void a_reader_of_the_old_file_keeps_it(void **state)
{
	CLEAN_CLOSE int fd = -1;
	char text[8] = "";

	(void)state;
	assert_int_equal(file_replace(path, "old", 3, 0600), 0);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(file_replace(path, "new", 3, 0600), 0);
	assert_int_equal(read(fd, text, sizeof text), 3);
	assert_string_equal(text, "old");
}

static void a_leftover_of_a_crash_is_overwritten(void **state)
{
	(void)state;
	assert_int_equal(file_replace(tmp, "half of a very long conte", 25, 0666), 0);
	assert_int_equal(file_replace(path, "new", 3, 0600), 0);
	assert_content("new");
	assert_int_equal(mode_of(path), 0600);
	assert_int_equal(access(tmp, F_OK), -1);
}

static void a_failed_replace_leaves_the_old(void **state)
{
	(void)state;
	assert_int_equal(file_replace(path, "old", 3, 0600), 0);
	assert_int_equal(mkdir(tmp, 0700), 0); /* stands where the new content would be written */
	assert_int_equal(file_replace(path, "new", 3, 0600), -EISDIR);
	assert_content("old");
}

static void a_symlink_is_not_followed(void **state)
{
	(void)state;
	assert_int_equal(symlink("/dev/null", tmp), 0);
	assert_int_equal(file_replace(path, "new", 3, 0600), -ELOOP);
	assert_int_equal(access(path, F_OK), -1);
}

static void replacing_a_directory_fails_and_cleans_up(void **state)
{
	(void)state;
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(file_replace(path, "new", 3, 0600), -EISDIR);
	assert_int_equal(access(tmp, F_OK), -1);
}

static void names_too_long_are_refused(void **state)
{
	static char name[PATH_MAX + 10];

	(void)state;
	memset(name, 'a', sizeof name - 1);
	assert_int_equal(file_replace(name, "x", 1, 0600), -ENAMETOOLONG);
	assert_int_equal(file_make_dirs(name, 0700), -ENAMETOOLONG);
}

static void create_makes_once(void **state)
{
	(void)state;
	assert_int_equal(file_create(path, "secret", 6, 0600), 0);
	assert_int_equal(mode_of(path), 0600);
	assert_int_equal(file_create(path, "other", 5, 0600), -EEXIST);
	assert_content("secret");
}

static void reading_keeps_to_the_limit(void **state)
{
	static const struct {
		size_t size, limit;
		int result;
	} rows[] = { { 0, 0, 0 }, { 10, 10, 0 }, { 11, 10, -EFBIG }, { 16384, 16384, 0 }, { 40000, 40000, 0 }, { 40001, 40000, -EFBIG } };
	static char content[40001];

	(void)state;
	memset(content, 'c', sizeof content);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEAN_BUF struct buf b = BUF_INIT(0);

		buf_add_str(&b, "before"); /* is appended to, and is not in the limit */
		assert_int_equal(file_replace(path, content, rows[i].size, 0600), 0);
		assert_int_equal(file_read(path, rows[i].limit, &b), rows[i].result);
		assert_int_equal(b.len, 6 + (rows[i].result ? 0 : rows[i].size));
	}
}

static void a_full_buffer_is_an_error_and_gets_nothing(void **state)
{
	CLEAN_BUF struct buf b = BUF_INIT(20000);
	static char content[30000];

	(void)state;
	assert_int_equal(file_replace(path, content, sizeof content, 0600), 0);
	assert_int_equal(file_read(path, 100000, &b), -ENOMEM);
	assert_int_equal(b.len, 0);
}

/* A pipe gives what is there, not what was asked for. */
static void read_all_goes_on_until_it_has_all_or_the_end_comes(void **state)
{
	char bytes[8] = "";
	size_t n = 99;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "abc", 3), 3);
	assert_int_equal(file_read_all(ends[0], bytes, 2, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(write(ends[1], "de", 2), 2);
	close(ends[1]);
	assert_int_equal(file_read_all(ends[0], bytes, sizeof bytes, &n), 0);
	assert_int_equal(n, 3);
	assert_memory_equal(bytes, "cde", 3);
	close(ends[0]);
	assert_int_equal(file_read_all(ends[0], bytes, 1, &n), -EBADF);
}

static void a_missing_file_is_enoent(void **state)
{
	CLEAN_BUF struct buf b = BUF_INIT(0);

	(void)state;
	assert_int_equal(file_read(path, 10, &b), -ENOENT);
	assert_int_equal(file_put(path, "x"), -ENOENT);
	assert_int_equal(file_sync_dir_of("/nonexistent-folder/x"), -ENOENT);
}

static void folders_are_made_on_the_way(void **state)
{
	char deep[200], part[200];

	(void)state;
	snprintf(deep, sizeof deep, "%s/file/b//c/", dir);
	assert_int_equal(file_make_dirs(deep, 0700), 0);
	assert_int_equal(file_make_dirs(deep, 0700), 0);
	snprintf(part, sizeof part, "%s/file/b/c", dir);
	assert_int_equal(rmdir(part), 0);
	snprintf(part, sizeof part, "%s/file/b", dir);
	assert_int_equal(rmdir(part), 0);
}

static void a_file_in_the_way_of_a_folder_is_an_error(void **state)
{
	char below[200];

	(void)state;
	assert_int_equal(file_replace(path, "x", 1, 0600), 0);
	snprintf(below, sizeof below, "%s/below", path);
	assert_int_equal(file_make_dirs(path, 0700), -ENOTDIR);
	assert_int_equal(file_make_dirs(below, 0700), -ENOTDIR);
}

static void put_writes_what_is_there(void **state)
{
	(void)state;
	assert_int_equal(file_replace(path, "", 0, 0600), 0);
	assert_int_equal(file_put(path, "1\n"), 0);
	assert_content("1\n");
}

static void the_limit_of_files_is_all_that_may_be_or_the_usual(void **state)
{
	struct rlimit files;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	files.rlim_cur = 64;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
	file_limit_raise();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	assert_true(files.rlim_cur == files.rlim_max);
	file_limit_usual();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	assert_true(files.rlim_cur == (files.rlim_max < 1024 ? files.rlim_max : 1024));
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_limit_of_files_is_all_that_may_be_or_the_usual),
		WITH_FOLDER(replace_makes_and_replaces),
		WITH_FOLDER(the_umask_does_not_decide_the_mode),
		WITH_FOLDER(a_reader_of_the_old_file_keeps_it),
		WITH_FOLDER(a_leftover_of_a_crash_is_overwritten),
		WITH_FOLDER(a_failed_replace_leaves_the_old),
		WITH_FOLDER(a_symlink_is_not_followed),
		WITH_FOLDER(replacing_a_directory_fails_and_cleans_up),
		WITH_FOLDER(names_too_long_are_refused),
		WITH_FOLDER(create_makes_once),
		WITH_FOLDER(reading_keeps_to_the_limit),
		WITH_FOLDER(a_full_buffer_is_an_error_and_gets_nothing),
		cmocka_unit_test(read_all_goes_on_until_it_has_all_or_the_end_comes),
		WITH_FOLDER(a_missing_file_is_enoent),
		WITH_FOLDER(folders_are_made_on_the_way),
		WITH_FOLDER(a_file_in_the_way_of_a_folder_is_an_error),
		WITH_FOLDER(put_writes_what_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
