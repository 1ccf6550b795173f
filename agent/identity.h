/* identity - which process a number means. A pid alone is reused; (pid, start time) is not, within one boot. The shim leaves both
 * in its instance's folder, and with them the small files by which a later daemon learns what happened meanwhile:
 *
 *   lock        held (flock) by the living shim: there is never a second one
 *   pid, start_time, generation   of the shim, written before it is at its gate
 *   gate        FIFO: one line "open" lets the command run
 *   command     pid of the command: the gate has been opened
 *   exit        exit code of the command (128 + signal number), written last
 *   log, log.1  what the command wrote, each at most 1 MiB
 *   launch      what to run (launch.h)
 *   device      the interface (attach_netns.c)
 */
#pragma once
#include "lib/base/err.h"

#include <sys/types.h>

/* Field 22 of /proc/<pid>/stat. -ESRCH / -ENOENT: no such process. */
int identity_start_time(pid_t pid, uint64_t *ret_start_time) MUST_CHECK;
/* One decimal number in <folder>/<name>. -ENOENT, -EINVAL. */
int identity_read(const char *folder, const char *name, int64_t *ret_number) MUST_CHECK;
int identity_write(const char *folder, const char *name, int64_t number) MUST_CHECK; /* by rename */
void identity_remove(const char *folder, const char *name);
/* The living process that <folder>/pid and start_time name, as a pidfd. -ESRCH: there is none (any more). */
int identity_open(const char *folder, pid_t *ret_pid, int *ret_pidfd) MUST_CHECK;
