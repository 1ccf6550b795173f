/* wg_launch - see wg_launch.h. */
#include "lib/netlink/wg_launch.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* What the child needs, made before the fork: afterwards only async-signal-safe calls are allowed, for we have threads. */
struct launch {
	char program[256];
	char *argv[4];
	char **env;
	char log_level[32], foreground[32];
	int null_fd, log_fd;
	int report[2]; /* the middle process writes the pid (> 0); whoever fails, his -errno */
};

static int find_program(const char *name, char *ret_path, size_t size)
{
	const char *path = getenv("PATH");

	if (strchr(name, '/'))
		return (size_t)snprintf(ret_path, size, "%s", name) >= size ? -ENAMETOOLONG : 0;
	for (path = path ? path : "/usr/bin:/bin"; *path;) {
		size_t n = strcspn(path, ":");

		if (n && (size_t)snprintf(ret_path, size, "%.*s/%s", (int)n, path, name) < size && !access(ret_path, X_OK))
			return 0;
		path += n + (path[n] == ':');
	}
	return -ENOENT;
}

static int make_env(struct launch *launch)
{
	size_t n = 0, k = 0;

	while (environ && environ[n])
		n++;
	launch->env = calloc(n + 3, sizeof(*launch->env));
	if (!launch->env)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (strncmp(environ[i], "LOG_LEVEL=", 10) && strncmp(environ[i], "WG_", 3) && strncmp(environ[i], "NOTIFY_SOCKET=", 14))
			launch->env[k++] = environ[i];
	strcpy(launch->log_level, "LOG_LEVEL=error");
	strcpy(launch->foreground, "WG_PROCESS_FOREGROUND=1");
	launch->env[k++] = launch->log_level;
	launch->env[k++] = launch->foreground;
	return 0;
}

static void launch_deinit(struct launch *launch)
{
	free(launch->env);
	cleanup_close(&launch->null_fd);
	cleanup_close(&launch->log_fd);
	cleanup_close(&launch->report[0]);
	cleanup_close(&launch->report[1]);
}

static int launch_init(struct launch *launch, const char *program, const char *ifname, const char *log_file)
{
	int r;

	*launch = (struct launch){ .null_fd = -1, .log_fd = -1, .report = { -1, -1 } };
	r = find_program(program, launch->program, sizeof(launch->program));
	if (r < 0)
		return r;
	launch->argv[0] = launch->program;
	launch->argv[1] = "-f";
	launch->argv[2] = (char *)ifname;
	r = make_env(launch);
	if (r < 0)
		return r;
	launch->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	launch->log_fd = open(log_file ? log_file : "/dev/null", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (launch->null_fd < 0 || launch->log_fd < 0 || pipe2(launch->report, O_CLOEXEC) < 0)
		return -errno;
	return 0;
}

static void report(const struct launch *launch, int number)
{
	/* four bytes into an empty pipe are never split; if the parent is gone nobody needs them */
	ssize_t n = write(launch->report[1], &number, sizeof(number));

	(void)n;
}

static void become_program(const struct launch *launch)
{
	sigset_t none;

	sigemptyset(&none);
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* a folder that can be unmounted, and none of our descriptors: not those that a library forgot to mark, either */
	if (chdir("/") == 0 && dup2(launch->null_fd, 0) == 0 && dup2(launch->log_fd, 1) == 1 && dup2(launch->log_fd, 2) == 2) {
		syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC);
		execve(launch->program, launch->argv, launch->env);
	}
	report(launch, -errno);
	_exit(127);
}

static int read_report(const struct launch *launch, int *ret_number)
{
	ssize_t n;

	do
		n = read(launch->report[0], ret_number, sizeof(*ret_number));
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n == sizeof(*ret_number);
}

/* Twice removed: the last process is nobody's child of ours, so our death and our SIGCHLD are no concern of its. */
static int launch_process(struct launch *launch, pid_t *ret_pid)
{
	pid_t middle = fork(), pid = 0;
	int number, r, status;

	if (middle < 0)
		return -errno;
	if (middle == 0) {
		pid_t last = setsid() < 0 ? -1 : fork();

		if (last == 0)
			become_program(launch);
		report(launch, last < 0 ? -errno : (int)last);
		_exit(0);
	}
	close(launch->report[1]);
	launch->report[1] = -1;
	while (waitpid(middle, &status, 0) < 0 && errno == EINTR)
		;
	/* The pid and perhaps an error, in any order; then the end, when the exec closes the pipe. */
	while ((r = read_report(launch, &number)) > 0) {
		if (number < 0)
			return number;
		pid = number;
	}
	if (r < 0 || pid <= 1)
		return r < 0 ? r : -ECHILD;
	*ret_pid = pid;
	return 0;
}

int wg_launch(const char *program, const char *ifname, const char *log_file, pid_t *ret_pid)
{
	struct launch launch;
	int r = launch_init(&launch, program, ifname, log_file);

	if (r == 0)
		r = launch_process(&launch, ret_pid);
	launch_deinit(&launch);
	return r;
}
