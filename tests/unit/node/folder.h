/* folder - a state folder of a test's own, and its files as bytes: to copy, cut and flip. Made below TMPDIR, removed at the end. */
#pragma once
#include "lib/base/buf.h"
#include "lib/base/file.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct folder {
	char path[PATH_MAX - 64];
};

static inline struct folder folder_new(void)
{
	const char *base = getenv("TMPDIR");
	struct folder f;

	snprintf(f.path, sizeof f.path, "%s/sixpn-node-test-XXXXXX", base ? base : "/tmp");
	assert_non_null(mkdtemp(f.path));
	return f;
}

static inline const char *folder_file(const struct folder *f, const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/%s", f->path, name);
	return path;
}

static inline bool folder_has(const struct folder *f, const char *name)
{
	return access(folder_file(f, name), F_OK) == 0;
}

static inline struct buf folder_read(const struct folder *f, const char *name)
{
	struct buf b = BUF_INIT(0);
	int e = file_read(folder_file(f, name), 64 << 20, &b);

	assert_true(e == 0 || e == -ENOENT);
	return b;
}

static inline void folder_write(const struct folder *f, const char *name, const void *bytes, size_t n)
{
	FILE *out = fopen(folder_file(f, name), "w");

	assert_non_null(out);
	assert_true(!n || fwrite(bytes, 1, n, out) == n);
	fclose(out);
}

static inline void folder_remove(const struct folder *f, const char *name)
{
	unlink(folder_file(f, name));
}

static inline void folder_end(const struct folder *f)
{
	char command[PATH_MAX + 16];

	snprintf(command, sizeof command, "rm -rf '%s'", f->path);
	assert_int_equal(system(command), 0);
}
