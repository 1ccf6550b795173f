/* shim - the small process that holds one instance: its network, mount and host-name namespaces, its gate, its command.
 *
 * sixpn-shim --folder DIR [--notify FD]: leaves its parent (double fork, setsid), takes DIR/lock, makes the namespaces, binds the
 * generated files, writes its identity (identity.h) and says "ready" on FD; a failure is one line "error ..." there. It then waits
 * for "open" on the FIFO DIR/gate, starts the command of DIR/launch as its child, copies what that writes to DIR/log, adopts and
 * reaps every orphan, and when the command ends, ends what is left of its family, writes DIR/exit and exits with its code.
 *
 * DIR/command is there from when the gate was opened. Once the kernel has taken the command for a program, DIR/running is, and then
 * the line "running" waits in the FIFO DIR/answer for whatever daemon there is by then; a command that is none leaves the reason in
 * DIR/failure before DIR/exit.
 *
 *   SIGTERM, SIGINT   passed on to the command; at the gate: exit
 *   SIGUSR1           SIGKILL for the command and all its descendants
 *
 * At the gate it ends when its folder is removed, for then nobody could open it. It depends on no daemon and speaks to none: daemons
 * come and go while it stays. */
#pragma once
#include "agent/launch.h"

#define SHIM_EXIT_FAILED 125   /* of the shim itself: it could not hold the instance */
#define SHIM_EXIT_UNRUNNABLE 126
#define SHIM_EXIT_NOT_FOUND 127

/* The whole life, after the double fork; returns the exit code. notify_fd -1 = nobody listens. */
int shim_run(const char *folder, int notify_fd);

/* shim_log: what the command writes, with a bound. */
#define SHIM_LOG_MAX (1u << 20)
struct shim_log {
	char path[512], old_path[520];
	int fd;
	size_t size;
};
int shim_log_open(struct shim_log *log, const char *folder) MUST_CHECK; /* appends to what is there */
void shim_log_write(struct shim_log *log, const void *bytes, size_t n);
void shim_log_say(struct shim_log *log, const char *fmt, ...) PRINTF_LIKE(2, 3); /* a line of the shim's own */
void shim_log_close(struct shim_log *log);

/* shim_mounts: in a mount namespace of our own. */
struct shim_mounts {
	const struct launch *launch;
	const char *folder;
	char layers[LAUNCH_BINDS_MAX][SPEC_PATH_SIZE]; /* folders that have a private layer by now */
	unsigned n_layers;
	bool chosen, wanted[LAUNCH_BINDS_MAX]; /* decided once, at the first call */
};
int shim_mounts_private(void) MUST_CHECK;
/* Binds what is not bound (again): a file that the machine replaced by rename has lost its bind. WEAK and ABSENT binds that
 * cannot be made are said in the log; E_REFUSED with why for STRICT ones. */
int shim_mounts_apply(struct shim_mounts *mounts, struct shim_log *log, struct why *why) MUST_CHECK;

/* shim_cgroup: an own cgroup where the one we live in was delegated to the daemon (systemd: Delegate=yes). */
struct shim_cgroup {
	char parent[512], path[600]; /* path "" = none */
};
void shim_cgroup_enter(struct shim_cgroup *cgroup, const char *id);
void shim_cgroup_leave(struct shim_cgroup *cgroup);
