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

struct tour {
	const int *netns_fds;
	size_t n;
	void (*work)(void *ctx, size_t i);
	void (*failed)(void *ctx, size_t i, int error);
	void *ctx;
};

static void *run_tour(void *arg)
{
	struct tour *tour = arg;

	for (size_t i = 0; i < tour->n; i++) {
		if (setns(tour->netns_fds[i], CLONE_NEWNET) < 0)
			tour->failed(tour->ctx, i, -errno);
		else
			tour->work(tour->ctx, i);
	}
	return NULL;
}

int netns_visit(const int *netns_fds, size_t n, void (*work)(void *ctx, size_t i), void (*failed)(void *ctx, size_t i, int error), void *ctx)
{
	struct tour tour = { .netns_fds = netns_fds, .n = n, .work = work, .failed = failed, .ctx = ctx };
	pthread_t thread;
	int r = n ? pthread_create(&thread, NULL, run_tour, &tour) : 0;

	if (n && r == 0)
		pthread_join(thread, NULL);
	return -r;
}
