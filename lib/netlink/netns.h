/* netns - work inside another network namespace without moving the calling thread there.
 *
 * A socket belongs for life to the namespace its thread was in when it was made, and /proc/sys/net shows the namespace of the
 * reader; so what is needed of another namespace is done by a short-lived thread that enters it, does one thing and ends. */
#pragma once
#include "lib/base/err.h"

#include <sys/types.h>

int netns_open_self(int *ret_fd);             /* the calling thread's own; close() it */
int netns_open_pid(pid_t pid, int *ret_fd);   /* -ESRCH / -ENOENT: no such process */
int netns_open_path(const char *path, int *ret_fd);
/* Runs work(ctx) in a thread that has entered netns_fd and returns what it returned; -errno if the thread could not get there.
 * The caller waits: work must be short. */
int netns_call(int netns_fd, int (*work)(void *ctx), void *ctx);
/* One thread enters the namespaces one after the other and runs work(ctx, i) in each; one that cannot be entered gets
 * failed(ctx, i, -errno) instead. -errno only if there is no thread. */
int netns_visit(const int *netns_fds, size_t n, void (*work)(void *ctx, size_t i), void (*failed)(void *ctx, size_t i, int error), void *ctx);
