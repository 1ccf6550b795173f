/* strays - see strays.h. A pidfd is opened first and the process looked at then, so what is signalled is what was looked at. */
#include "agent/strays.h"

#include "agent/identity.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/sixpn/name.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ROUNDS_MAX 16 /* a fork between look and kill (a shim leaving its starter) is found by the next */
#define END_MS 1000   /* for a family to end, before the shim is killed and the command with it */

/* RESOLVE_IN_ROOT: an absolute link on the way (/var/run) must not lead from its tree back into ours. */
static bool sees(pid_t pid, const char *path)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	CLEAN_CLOSE int root = -1, there = -1;
	struct stat process, theirs, ours;
	char proc[40];

	snprintf(proc, sizeof proc, "/proc/%d", pid);
	if (stat(proc, &process) < 0 || process.st_uid != geteuid())
		return false;
	snprintf(proc, sizeof proc, "/proc/%d/root", pid);
	root = open(proc, O_PATH | O_DIRECTORY | O_CLOEXEC);
	there = root < 0 ? -1 : (int)syscall(SYS_openat2, root, path, &how, sizeof how);
	return there >= 0 && fstat(there, &theirs) == 0 && stat(path, &ours) == 0 && theirs.st_dev == ours.st_dev &&
	       theirs.st_ino == ours.st_ino;
}

/* Is it `sixpn-shim --folder <instances>/<id> ...`? */
static bool shim_of(pid_t pid, const char *instances, char ret_folder[PATH_MAX])
{
	static const char start[] = "sixpn-shim\0--folder"; /* and its own end */
	CLEAN_BUF struct buf text = BUF_INIT(2 * PATH_MAX);
	char path[40];
	const char *folder;
	size_t n = strlen(instances);

	snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
	if (file_read(path, 2 * PATH_MAX - 1, &text) < 0 || text.len <= sizeof start || memcmp(text.data, start, sizeof start) != 0)
		return false;
	folder = buf_str(&text) + sizeof start;
	if (strncmp(folder, instances, n) != 0 || folder[n] != '/' || name_check_instance_id(folder + n + 1, NULL) != 0)
		return false;
	return (size_t)snprintf(ret_folder, PATH_MAX, "%s", folder) < PATH_MAX && sees(pid, instances);
}

static bool is_named(pid_t pid, const char *folder)
{
	pid_t named;
	int fd;

	if (identity_open(folder, &named, &fd) < 0)
		return false;
	close(fd);
	return named == pid;
}

static bool has_children(pid_t pid)
{
	CLEAN_BUF struct buf text = BUF_INIT(1u << 20);
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
	return file_read(path, 1u << 20, &text) < 0 || text.len > 0;
}

/* One that holds nothing yet is killed: it leaves no `exit`, so nobody takes this for an end of its command. */
static void end_one(pid_t pid, int pidfd)
{
	struct pollfd end = { .fd = pidfd, .events = POLLIN };

	if (has_children(pid) && pidfd_send_signal(pidfd, SIGUSR1, NULL, 0) == 0 && poll(&end, 1, END_MS) > 0)
		return;
	pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
	poll(&end, 1, END_MS);
}

/* only NULL = all but the named ones */
static unsigned end_round(DIR *proc, const char *instances, const char *only)
{
	struct dirent *entry;
	unsigned found = 0;

	rewinddir(proc);
	while ((entry = readdir(proc))) {
		pid_t pid = (pid_t)atoi(entry->d_name);
		CLEAN_CLOSE int fd = pid > 1 ? pidfd_open(pid, 0) : -1;
		char folder[PATH_MAX];

		if (fd < 0 || !shim_of(pid, instances, folder) || (only ? strcmp(folder, only) != 0 : is_named(pid, folder)))
			continue;
		found++;
		if (!only)
			log_warn("agent", "the shim with pid %d of %s, which nobody holds, is ended", pid, folder);
		end_one(pid, fd);
	}
	return found;
}

static int end_rounds(const char *instances, const char *only)
{
	DIR *proc = opendir("/proc");
	unsigned left = 1;

	if (!proc)
		return -errno;
	for (int round = 0; left && round < ROUNDS_MAX; round++)
		left = end_round(proc, instances, only);
	closedir(proc);
	return left ? -EBUSY : 0;
}

int strays_end_all(const char *instances)
{
	return end_rounds(instances, NULL);
}

int strays_end_of(const char *folder)
{
	char instances[PATH_MAX];

	if ((size_t)snprintf(instances, sizeof instances, "%s", folder) >= sizeof instances || !strrchr(instances, '/'))
		return -ENAMETOOLONG;
	*strrchr(instances, '/') = 0;
	return end_rounds(instances, folder);
}
