/* sixpn-shim - the program that holds one instance of the `process` runtime: see agent/shim.h for what it does and promises.
 *
 * It is started by the host role of sixpn-node and by nothing else, knows one folder, and owns what is in it besides `launch`,
 * `device`, `restarts` and `files/`. Read next: agent/shim.c (its life), agent/runtime_process.c (the other side). */
#include "agent/shim.h"

#include "lib/base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int usage(void)
{
	fprintf(stderr, "usage: sixpn-shim --folder DIR [--notify FD]\n"
			"Holds one instance for sixpn-node. Not meant to be started by hand.\n");
	return 2;
}

/* Nothing of the daemon's comes along: no descriptor, no working directory, no terminal. */
static void leave_parent(int notify_fd)
{
	int null = open("/dev/null", O_RDWR);

	for (int fd = 0; fd < 3 && null >= 0; fd++)
		dup2(null, fd);
	if (notify_fd > 3)
		close_range(3, (unsigned)notify_fd - 1, 0);
	close_range(notify_fd >= 3 ? (unsigned)notify_fd + 1 : 3, ~0u, 0);
	if (notify_fd >= 0)
		fcntl(notify_fd, F_SETFD, FD_CLOEXEC);
	umask(022);
	file_limit_usual(); /* the daemon had raised it */
	if (chdir("/") < 0)
		_exit(SHIM_EXIT_FAILED);
}

int main(int argc, char **argv)
{
	const char *folder = NULL;
	int notify_fd = -1;
	pid_t pid;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--version")) {
			printf("sixpn-shim %s\n", SIXPN_VERSION);
			return 0;
		}
		if (!strcmp(argv[i], "--folder") && i + 1 < argc)
			folder = argv[++i];
		else if (!strcmp(argv[i], "--notify") && i + 1 < argc)
			notify_fd = atoi(argv[++i]);
		else
			return usage();
	}
	if (!folder || folder[0] != '/' || (notify_fd >= 0 && notify_fd < 3))
		return usage();
	leave_parent(notify_fd);
	pid = fork();
	if (pid < 0)
		return SHIM_EXIT_FAILED;
	if (pid > 0)
		_exit(0);
	setsid();
	return shim_run(folder, notify_fd);
}
