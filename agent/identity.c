/* identity - see identity.h. */
#include "agent/identity.h"

#include "lib/base/file.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

int identity_start_time(pid_t pid, uint64_t *ret_start_time)
{
	CLEAN_BUF struct buf text = BUF_INIT(4096);
	unsigned long long start;
	char path[32];
	const char *p;
	int r;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	r = file_read(path, 4096, &text);
	if (r < 0)
		return r;
	/* field 2 is the name in brackets and may hold anything; 19 spaces after its end comes field 22 */
	p = strrchr(buf_str(&text), ')');
	for (int i = 0; p && i < 20; i++)
		p = strchr(p + 1, ' ');
	if (!p || sscanf(p, " %llu", &start) != 1)
		return -EINVAL;
	*ret_start_time = start;
	return 0;
}

static int path_of(const char *folder, const char *name, char ret_path[PATH_MAX])
{
	return (size_t)snprintf(ret_path, PATH_MAX, "%s/%s", folder, name) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int identity_read(const char *folder, const char *name, int64_t *ret_number)
{
	CLEAN_BUF struct buf text = BUF_INIT(64);
	char path[PATH_MAX], *end;
	int64_t number;
	int r = path_of(folder, name, path);

	if (r == 0)
		r = file_read(path, 32, &text);
	if (r < 0)
		return r;
	errno = 0;
	number = strtoll(buf_str(&text), &end, 10);
	if (errno || end == buf_str(&text) || (*end && *end != '\n'))
		return -EINVAL;
	*ret_number = number;
	return 0;
}

int identity_write(const char *folder, const char *name, int64_t number)
{
	char path[PATH_MAX], text[32];
	int n = snprintf(text, sizeof text, "%lld\n", (long long)number);
	int r = path_of(folder, name, path);

	return r < 0 ? r : file_replace(path, text, (size_t)n, 0644);
}

void identity_remove(const char *folder, const char *name)
{
	char path[PATH_MAX];

	if (path_of(folder, name, path) == 0)
		unlink(path);
}

int identity_open(const char *folder, pid_t *ret_pid, int *ret_pidfd)
{
	CLEAN_CLOSE int fd = -1;
	struct pollfd ended;
	uint64_t start_now;
	int64_t pid, start;

	if (identity_read(folder, "pid", &pid) < 0 || identity_read(folder, "start_time", &start) < 0 || pid <= 0 || pid > INT32_MAX)
		return -ESRCH;
	/* opened first, then compared: from here on the pid cannot come to mean another process unseen */
	fd = pidfd_open((pid_t)pid, 0);
	if (fd < 0)
		return errno == EINVAL ? -ESRCH : -errno;
	if (identity_start_time((pid_t)pid, &start_now) < 0 || start_now != (uint64_t)start)
		return -ESRCH;
	ended = (struct pollfd){ .fd = fd, .events = POLLIN };
	if (poll(&ended, 1, 0) != 0) /* a zombie that nobody has reaped yet */
		return -ESRCH;
	*ret_pid = (pid_t)pid;
	*ret_pidfd = fd;
	fd = -1;
	return 0;
}
