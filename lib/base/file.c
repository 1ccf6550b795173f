/* file - see file.h. */
#include "lib/base/file.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIMIT_USUAL 1024 /* descriptors */

static int read_to_end(int fd, size_t limit, struct buf *ret_content)
{
	size_t before = ret_content->len;
	char chunk[16384];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof chunk)) != 0) {
		if (n < 0) {
			if (errno == EINTR)
				continue;
			ret_content->len = before;
			return -errno;
		}
		if (ret_content->len - before + (size_t)n > limit) {
			ret_content->len = before;
			return -EFBIG;
		}
		buf_add(ret_content, chunk, (size_t)n);
	}
	if (buf_failed(ret_content)) {
		ret_content->len = before;
		return -ENOMEM;
	}
	return 0;
}

int file_read(const char *path, size_t limit, struct buf *ret_content)
{
	CLEAN_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : read_to_end(fd, limit, ret_content);
}

int file_read_regular(const char *path, size_t limit, struct buf *ret_content)
{
	CLEAN_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) ? read_to_end(fd, limit, ret_content) : -EINVAL;
}

int file_read_all(int fd, void *bytes, size_t n, size_t *ret_n)
{
	size_t got = 0;

	while (got < n) {
		ssize_t r = read(fd, (uint8_t *)bytes + got, n - got);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (r == 0)
			break;
		got += (size_t)r;
	}
	*ret_n = got;
	return 0;
}

int file_write_all(int fd, const void *bytes, size_t n)
{
	const char *p = bytes;

	while (n) {
		ssize_t w = write(fd, p, n);

		if (w < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

int file_sync_dir_of(const char *path)
{
	char dir[PATH_MAX];
	const char *slash = strrchr(path, '/');

	if (!slash)
		snprintf(dir, sizeof dir, ".");
	else if (slash == path)
		snprintf(dir, sizeof dir, "/");
	else
		snprintf(dir, sizeof dir, "%.*s", (int)(slash - path), path);
	CLEAN_CLOSE int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return fsync(fd) < 0 ? -errno : 0;
}

static int write_new(const char *path, int flags, const void *bytes, size_t n, unsigned mode)
{
	CLEAN_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, mode);
	int r;

	if (fd < 0)
		return -errno;
	r = fchmod(fd, mode) < 0 ? -errno : 0; /* the umask does not decide what a secret's mode is */
	if (r == 0)
		r = file_write_all(fd, bytes, n);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r < 0)
		unlink(path);
	return r;
}

int file_replace(const char *path, const void *bytes, size_t n, unsigned mode)
{
	char tmp[PATH_MAX];
	int r;

	if ((size_t)snprintf(tmp, sizeof tmp, "%s.tmp", path) >= sizeof tmp)
		return -ENAMETOOLONG;
	r = write_new(tmp, O_TRUNC, bytes, n, mode);
	if (r < 0)
		return r;
	if (rename(tmp, path) < 0) {
		r = -errno;
		unlink(tmp);
		return r;
	}
	return file_sync_dir_of(path);
}

int file_create(const char *path, const void *bytes, size_t n, unsigned mode)
{
	int r = write_new(path, O_EXCL, bytes, n, mode);

	return r < 0 ? r : file_sync_dir_of(path);
}

int file_make_dirs(const char *path, unsigned mode)
{
	char part[PATH_MAX];
	size_t n = strlen(path);
	struct stat st;

	if (n >= sizeof part)
		return -ENAMETOOLONG;
	for (size_t i = 1; i <= n; i++) {
		if (path[i] != '/' && path[i] != 0)
			continue;
		memcpy(part, path, i);
		part[i] = 0;
		if (mkdir(part, mode) < 0 && errno != EEXIST)
			return -errno;
	}
	if (stat(path, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int file_put(const char *path, const char *text)
{
	CLEAN_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static void limit(rlim_t most)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return;
	files.rlim_cur = files.rlim_max < most ? files.rlim_max : most;
	setrlimit(RLIMIT_NOFILE, &files); /* within the hard limit: everybody may */
}

void file_limit_raise(void)
{
	limit(RLIM_INFINITY);
}

void file_limit_usual(void)
{
	limit(LIMIT_USUAL);
}
