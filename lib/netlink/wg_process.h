/* wg_process - the life of wireguard-go: a persistent tun device that outlives it, and the process, which outlives us.
 *
 * The device is made first (IFF_TUN with packet information, one queue, persistent): its index, addresses, routes and programs
 * stay when the process dies; only the sessions go, and the configuration has to be given again. The process is started twice
 * removed and in a session of its own; its pid and start time are in <run_dir>/wg-<name>.pid, by which a later daemon finds and
 * adopts it. The pidfd becomes readable when it dies: watch it in the loop, then start again, set_device, reconcile and wg_greet. */
#pragma once
#include "lib/base/err.h"

#include <net/if.h>
#include <sys/types.h>

struct wg_process_config {
	const char *name;       /* of the device */
	const char *run_dir;    /* must exist */
	const char *program;    /* NULL = "wireguard-go", looked for in PATH */
	const char *log_file;   /* its standard output (where its log goes) and error, appended; NULL = /dev/null */
	const char *socket_dir; /* where it makes <name>.sock; NULL = WG_UAPI_DIR */
};

struct wg_process {
	pid_t pid;
	uint64_t start_time; /* of /proc/<pid>/stat: with the pid, the identity of a process */
	int pidfd;           /* -1 = none; readable = it has ended */
};
#define WG_PROCESS_NONE ((struct wg_process){ .pidfd = -1 })

enum { WG_PROCESS_E_ABSENT = 1 };

/* The device, made if it is not there. -EEXIST: the name belongs to something that is not such a device. */
int wg_process_device(const char *name, uint32_t *ret_ifindex);
/* Makes sure of the device, starts the process and waits until it serves its socket (at most 5 s; typically 0.1 s).
 * -EADDRINUSE: somebody already serves that socket. -ENOENT: no such program. -ECHILD: it ended at once (see the log file). */
int wg_process_start(const struct wg_process_config *config, struct wg_process *ret_process);
/* Finds the one that an earlier daemon started. WG_PROCESS_E_ABSENT: none is alive. */
int wg_process_adopt(const struct wg_process_config *config, struct wg_process *ret_process);
/* adopt, else whoever serves the socket for this device though no file names it (a daemon was killed between starting and noting it).
 * WG_PROCESS_E_ABSENT. */
int wg_process_find(const struct wg_process_config *config, struct wg_process *ret_process);
/* Finds, else starts. *ret_started tells which. */
int wg_process_ensure(const struct wg_process_config *config, struct wg_process *ret_process, bool *ret_started);
bool wg_process_alive(const struct wg_process *process);
/* Ends it (SIGTERM, after 2 s SIGKILL) and removes the pid file; the device stays. */
int wg_process_stop(const struct wg_process_config *config, struct wg_process *process);
/* Lets go of it without ending it. */
void wg_process_release(struct wg_process *process);
/* Removes the persistent device. */
int wg_process_device_remove(const char *name);
