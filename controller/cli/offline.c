/* offline - see offline.h. */
#include "controller/cli/offline.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define REPLY_MAX (1u << 20)
#define ARGS_MAX 64

/* The one that was installed or built with us, before whatever PATH has. */
static void run_program(char **argv)
{
	static const char *const places[] = { "", "../sbin/" };
	char self[PATH_MAX], path[PATH_MAX + 64];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	char *slash;

	self[n > 0 ? n : 0] = 0;
	slash = strrchr(self, '/');
	for (size_t i = 0; slash && i < ARRAY_LEN(places); i++) {
		snprintf(path, sizeof path, "%.*s/%s%s", (int)(slash - self), self, places[i], argv[0]);
		execv(path, argv);
	}
	execvp(argv[0], argv);
}

static int start(char **argv, int *ret_fd, pid_t *ret_pid)
{
	int ends[2];
	pid_t pid;

	if (pipe(ends) < 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		close(ends[0]);
		close(ends[1]);
		return -EAGAIN;
	}
	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		run_program(argv);
		_exit(127);
	}
	close(ends[1]);
	*ret_fd = ends[0];
	*ret_pid = pid;
	return 0;
}

static void read_reply(int fd, struct buf *ret)
{
	char chunk[4096];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof chunk)) > 0 || (n < 0 && errno == EINTR))
		if (n > 0)
			buf_add(ret, chunk, (size_t)n);
}

static int judge(struct cli *cli, const struct buf *text, int status, json_t **ret_reply)
{
	CLEAN_JSON json_t *reply = text->len ? json_loadb((const char *)text->data, text->len, 0, NULL) : NULL;
	const json_t *error = json_object_get(reply, "error");

	if (error)
		return cli_fail(cli, EXIT_REFUSED, json_string_value(json_object_get(error, "code")) ?: "unknown", NULL, "%s",
				json_string_value(json_object_get(error, "message")) ?: "no reason was given");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return cli_fail(cli, EXIT_REFUSED, "program_missing", "install the package sixpn-controller, or put sixpn-controller on PATH",
				"cannot run sixpn-controller");
	if (!reply || !WIFEXITED(status) || WEXITSTATUS(status))
		return cli_fail(cli, WIFEXITED(status) && WEXITSTATUS(status) == 2 ? EXIT_USAGE : EXIT_REFUSED, "program_failed", NULL,
				"sixpn-controller did not do it");
	*ret_reply = TAKE(reply);
	return 0;
}

int offline_call(struct cli *cli, const char *const *argv, json_t **ret_reply)
{
	char *all[ARGS_MAX] = { (char *)(uintptr_t) "sixpn-controller" };
	CLEAN_BUF struct buf text = BUF_INIT(REPLY_MAX);
	CLEAN_CLOSE int fd = -1;
	size_t n = 1;
	int status = 0;
	pid_t pid = -1;

	for (; *argv && n + 1 < ARGS_MAX; argv++)
		all[n++] = (char *)(uintptr_t)*argv;
	for (char *const *rest = cli->rest; rest && *rest && n + 1 < ARGS_MAX; rest++)
		all[n++] = *rest;
	fflush(cli->out);
	if (start(all, &fd, &pid) < 0)
		return cli_fail(cli, EXIT_REFUSED, "internal", NULL, "cannot start a process: %s", strerror(errno));
	read_reply(fd, &text);
	waitpid(pid, &status, 0);
	return judge(cli, &text, status, ret_reply);
}
