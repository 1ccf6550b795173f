/* netns - see netns.h. */
#include "lib/netlink/netns.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

int netns_open_path(const char *path, int *ret_fd)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

int netns_open_self(int *ret_fd)
{
	return netns_open_path("/proc/thread-self/ns/net", ret_fd);
}

int netns_open_pid(pid_t pid, int *ret_fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	return netns_open_path(path, ret_fd);
}

struct errand {
	int netns_fd;
	int (*work)(void *ctx);
	void *ctx;
	int result;
};

static void *run_errand(void *arg)
{
	struct errand *errand = arg;

	errand->result = setns(errand->netns_fd, CLONE_NEWNET) < 0 ? -errno : errand->work(errand->ctx);
	return NULL;
}

int netns_call(int netns_fd, int (*work)(void *ctx), void *ctx)
{
	struct errand errand = { .netns_fd = netns_fd, .work = work, .ctx = ctx };
	pthread_t thread;
	int r = pthread_create(&thread, NULL, run_errand, &errand);

	if (r)
		return -r;
	pthread_join(thread, NULL);
	return errand.result;
}
