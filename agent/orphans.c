/* orphans - see orphans.h. */
#include "agent/orphans.h"

#include "lib/base/err.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define ROUNDS_MAX 16 /* a fork between look and kill is found by the next */

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

bool orphans_is_ours(int netns_fd)
{
	struct stat theirs, own;

	return fstat(netns_fd, &theirs) < 0 || stat("/proc/self/ns/net", &own) < 0 || same_file(&theirs, &own);
}

/* Zombies have no namespace any more, so they do not count. */
static unsigned kill_round(DIR *proc, const struct stat *netns)
{
	struct dirent *entry;
	unsigned found = 0;

	rewinddir(proc);
	while ((entry = readdir(proc))) {
		int pid = atoi(entry->d_name);
		char path[32];
		struct stat st;

		snprintf(path, sizeof path, "/proc/%d/ns/net", pid);
		if (pid <= 1 || stat(path, &st) < 0 || !same_file(&st, netns))
			continue;
		found++;
		kill(pid, SIGKILL);
	}
	return found;
}

int orphans_kill(int netns_fd)
{
	struct stat netns;
	unsigned left = 1;
	DIR *proc;

	if (orphans_is_ours(netns_fd) || fstat(netns_fd, &netns) < 0)
		return -EINVAL;
	proc = opendir("/proc");
	if (!proc)
		return -errno;
	for (int round = 0; left && round < ROUNDS_MAX; round++)
		left = kill_round(proc, &netns);
	closedir(proc);
	return left ? -EBUSY : 0;
}
