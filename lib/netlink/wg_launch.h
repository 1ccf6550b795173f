/* wg_launch - starts the WireGuard program so that it outlives us: forked twice, in a session of its own, standard input
 * /dev/null, standard output and error appended to a file, no other descriptor of ours, no signal blocked, and an environment
 * without what is meant for us alone. It lives in the network namespace of the calling thread. */
#pragma once
#include "lib/base/err.h"

#include <sys/types.h>

/* program: a path, or a name to look for in PATH. log_file NULL = /dev/null. Returns when the program runs; -errno when it could
 * not be executed (-ENOENT: not found). */
int wg_launch(const char *program, const char *ifname, const char *log_file, pid_t *ret_pid);
