/* shim - see shim.h. One thread, one poll over five descriptors: signals, the gate, what became of the exec, the command's output,
 * the table of mounts, and nothing else. Every step that can fail before the gate is told to whoever started us; after it only the
 * log and the files speak. */
#include "agent/shim.h"

#include "agent/identity.h"
#include "lib/base/file.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define GATE_LOOK_MS 5000 /* at the gate: how often we look whether it still has a name */

struct shim {
	const char *folder;
	struct launch launch;
	struct shim_log log;
	struct shim_mounts mounts;
	struct shim_cgroup cgroup;
	int lock_fd, signal_fd, gate_fd, answer_fd, outcome_fd, output_fd, mounts_fd;
	pid_t command; /* 0 = not started */
	bool ended;
	int exit_code;
};

static int refuse(struct why *why, const char *what, int error)
{
	return why_set(why, "shim_failed", "", "%s: %s", what, strerror(error < 0 ? -error : error));
}

static int path_in(const struct shim *s, const char *name, char ret_path[600])
{
	return (size_t)snprintf(ret_path, 600, "%s/%s", s->folder, name) < 600 ? 0 : -ENAMETOOLONG;
}

/* ---- before the gate ---- */

static int take_lock(struct shim *s, struct why *why)
{
	char path[600];
	int r = path_in(s, "lock", path);

	if (r < 0)
		return refuse(why, "lock", r);
	s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock_fd < 0)
		return refuse(why, path, errno);
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return why_set(why, "shim_twice", "", "another shim holds this instance");
	return 0;
}

static int write_identity(const struct shim *s)
{
	static const char *const stale[] = { "pid", "command", "running", "failure", "exit" };
	uint64_t start;
	int r = identity_start_time(getpid(), &start);

	for (size_t i = 0; i < ARRAY_LEN(stale); i++)
		identity_remove(s->folder, stale[i]);
	if (r == 0)
		r = identity_write(s->folder, "generation", (int64_t)s->launch.generation);
	if (r == 0)
		r = identity_write(s->folder, "start_time", (int64_t)start);
	if (r == 0)
		r = identity_write(s->folder, "pid", getpid()); /* last: with it the rest counts */
	return r;
}

static int make_fifo(const struct shim *s, const char *name, int *ret_fd)
{
	char path[600];
	int r = path_in(s, name, path);

	if (r < 0)
		return r;
	unlink(path);
	if (mkfifo(path, 0600) < 0)
		return -errno;
	/* Both ways: the end of the other side (a daemon that dies here) is not the end of the file for us, and what was said waits
	 * for the next daemon. */
	*ret_fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	return *ret_fd < 0 ? -errno : 0;
}

static int catch_signals(struct shim *s)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	if (sigprocmask(SIG_SETMASK, &set, NULL) < 0)
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signal_fd < 0 ? -errno : 0;
}

static int make_namespaces(struct shim *s, struct why *why)
{
	int r;

	if (unshare(CLONE_NEWNET | CLONE_NEWUTS) < 0)
		return refuse(why, "no network namespace", errno);
	if (sethostname(s->launch.id, strlen(s->launch.id)) < 0)
		return refuse(why, "host name", errno);
	r = shim_mounts_private();
	if (r < 0)
		return refuse(why, "no mount namespace", r);
	s->mounts = (struct shim_mounts){ .launch = &s->launch, .folder = s->folder };
	r = shim_mounts_apply(&s->mounts, &s->log, why);
	if (r < 0)
		return refuse(why, "mounts", r);
	if (r > 0)
		return r;
	s->mounts_fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	return s->mounts_fd < 0 ? refuse(why, "mountinfo", errno) : 0;
}

static int prepare(struct shim *s, struct why *why)
{
	char path[600];
	int r = take_lock(s, why);

	if (r != 0)
		return r;
	r = shim_log_open(&s->log, s->folder);
	if (r == 0)
		r = path_in(s, "launch", path);
	if (r == 0)
		r = launch_read(path, &s->launch, why);
	if (r > 0)
		return r;
	if (r == 0)
		r = write_identity(s);
	if (r == 0)
		r = catch_signals(s);
	if (r == 0)
		r = make_fifo(s, "answer", &s->answer_fd);
	if (r == 0)
		r = make_fifo(s, "gate", &s->gate_fd);
	if (r == 0 && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		r = -errno;
	if (r < 0)
		return refuse(why, "preparing", r);
	shim_cgroup_enter(&s->cgroup, s->launch.id);
	return make_namespaces(s, why);
}

/* ---- the command ---- */

static void child_says(int outcome, const char *what, const char *object)
{
	dprintf(outcome, "%s %s: %s\n", what, object, strerror(errno));
}

static bool become(const struct shim *s, int outcome)
{
	const struct launch *l = &s->launch;

	if (l->root[0] && chroot(l->root) < 0) {
		child_says(outcome, "root", l->root);
		return false;
	}
	if (chdir(l->workdir[0] ? l->workdir : "/") < 0) {
		child_says(outcome, "workdir", l->workdir);
		return false;
	}
	if (l->has_user && (setgroups(0, NULL) < 0 || setgid(l->gid) < 0 || setuid(l->uid) < 0)) {
		child_says(outcome, "user of", l->id);
		return false;
	}
	return true;
}

/* go: readable when the file `command` is written; from then on every daemon sees that the gate was opened. outcome: closed by a
 * successful exec, else it gets one line. */
static void __attribute__((noreturn)) run_command(const struct shim *s, int output, int go, int outcome, pid_t shim)
{
	sigset_t none;
	char byte;
	int error;

	if (read(go, &byte, 1) != 1)
		_exit(SHIM_EXIT_FAILED);
	sigemptyset(&none);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	dup2(output, 1);
	dup2(output, 2);
	if (!become(s, outcome))
		_exit(SHIM_EXIT_UNRUNNABLE);
	/* after the change of user, which clears it: whoever kills the shim kills the command too */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != shim)
		_exit(SHIM_EXIT_FAILED);
	environ = s->launch.env; /* execvp looks for the program in this PATH */
	execvp(s->launch.command[0], s->launch.command);
	error = errno;
	child_says(outcome, "cannot run", s->launch.command[0]);
	_exit(error == ENOENT ? SHIM_EXIT_NOT_FOUND : SHIM_EXIT_UNRUNNABLE);
}

static int start_command(struct shim *s)
{
	CLEAN_CLOSE int output = -1, go = -1, start = -1, outcome = -1;
	pid_t shim = getpid(), pid;
	int ends[2], r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	s->output_fd = ends[0];
	output = ends[1];
	if (fcntl(s->output_fd, F_SETFL, O_NONBLOCK) < 0 || pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	go = ends[0];
	start = ends[1];
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	s->outcome_fd = ends[0];
	outcome = ends[1];
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		close(start);
		run_command(s, output, go, outcome, shim);
	}
	s->command = pid;
	r = identity_write(s->folder, "command", pid);
	return r < 0 ? r : file_write_all(start, "", 1);
}

/* ---- its family ---- */

/* Our children: the command, and every orphan below it that came to us. */
static void kill_children(void)
{
	CLEAN_BUF struct buf text = BUF_INIT(1u << 20);
	char path[64];
	char *p, *end;

	snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
	if (file_read(path, 1u << 20, &text) < 0)
		return;
	for (p = (char *)(uintptr_t)buf_str(&text); ; p = end) {
		long pid = strtol(p, &end, 10);

		if (end == p)
			return;
		kill((pid_t)pid, SIGKILL);
	}
}

static void note_end(struct shim *s, pid_t pid, int status)
{
	if (pid != s->command)
		return;
	s->ended = true;
	s->exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void reap(struct shim *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		note_end(s, pid, status);
}

/* Each one that dies hands its children to us, so kill and wait in turns until there is none. */
static void end_family(struct shim *s)
{
	int status;
	pid_t pid;

	do {
		kill_children();
		pid = waitpid(-1, &status, 0);
		if (pid > 0)
			note_end(s, pid, status);
	} while (pid > 0 || (pid < 0 && errno == EINTR));
}

/* ---- the life ---- */

static void copy_output(struct shim *s)
{
	char bytes[16384];
	ssize_t n;

	if (s->output_fd < 0)
		return;
	while ((n = read(s->output_fd, bytes, sizeof bytes)) > 0)
		shim_log_write(&s->log, bytes, (size_t)n);
	if (n == 0) { /* all of the family closed it */
		close(s->output_fd);
		s->output_fd = -1;
	}
}

static void take_signals(struct shim *s)
{
	struct signalfd_siginfo info;

	while (read(s->signal_fd, &info, sizeof info) == sizeof info) {
		if (info.ssi_signo == SIGCHLD) {
			reap(s);
		} else if (info.ssi_signo == SIGUSR1 && s->command) {
			end_family(s);
		} else if (s->command && !s->ended) {
			kill(s->command, (int)info.ssi_signo);
		} else if (!s->command) { /* at the gate: nothing has run */
			s->ended = true;
			s->exit_code = 128 + (info.ssi_signo == SIGUSR1 ? SIGKILL : (int)info.ssi_signo);
		}
	}
}

/* It never ran: the reason goes where the daemon of that moment, or a later one, reads it. */
static void note_failure(struct shim *s, const char *text)
{
	char path[600];

	shim_log_say(&s->log, "%s", text);
	if (path_in(s, "failure", path) < 0 || file_replace(path, text, strlen(text), 0644) < 0)
		shim_log_say(&s->log, "the reason cannot be written");
	if (s->outcome_fd >= 0)
		close(s->outcome_fd);
	s->outcome_fd = -1;
}

static void take_gate(struct shim *s)
{
	char text[200];
	ssize_t n = read(s->gate_fd, text, sizeof text - 1);
	int r;

	if (n <= 0 || s->command)
		return;
	text[n] = 0;
	if (strncmp(text, "open", 4))
		return;
	r = start_command(s);
	if (r < 0) {
		snprintf(text, sizeof text, "cannot start the command: %s", strerror(-r));
		end_family(s);
		note_failure(s, text);
		s->ended = true;
		s->exit_code = SHIM_EXIT_FAILED;
	}
}

/* What became of the exec: the end of the pipe without a word is success. */
static void take_outcome(struct shim *s)
{
	char text[512];
	ssize_t n;

	if (s->outcome_fd < 0)
		return;
	n = read(s->outcome_fd, text, sizeof text - 1);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		text[n] = 0;
		text[strcspn(text, "\n")] = 0;
		note_failure(s, text);
		return;
	}
	close(s->outcome_fd);
	s->outcome_fd = -1;
	if (identity_write(s->folder, "running", s->command) < 0)
		shim_log_say(&s->log, "it cannot be written down that the command runs"); /* but told */
	if (file_write_all(s->answer_fd, "running\n", 8) < 0)
		shim_log_say(&s->log, "it cannot be told that the command runs");
}

static void take_mounts(struct shim *s)
{
	struct shim_log silent = { .fd = -1 }; /* what cannot be bound was said once */
	struct why why = { .text = "" };

	if (shim_mounts_apply(&s->mounts, &silent, &why) != 0)
		shim_log_say(&s->log, "%s", why.text);
}

static bool is_lost(const struct shim *s)
{
	struct stat lock;

	return fstat(s->lock_fd, &lock) < 0 || lock.st_nlink == 0;
}

/* Its folder was removed, and the gate with it: nobody can open it or find us any more. */
static void leave_lost_gate(struct shim *s)
{
	if (!s->command && is_lost(s)) {
		s->ended = true;
		s->exit_code = SHIM_EXIT_FAILED;
	}
}

static void live(struct shim *s)
{
	for (leave_lost_gate(s); !s->ended; leave_lost_gate(s)) {
		struct pollfd fds[] = {
			{ .fd = s->signal_fd, .events = POLLIN },
			{ .fd = s->command ? -1 : s->gate_fd, .events = POLLIN },
			{ .fd = s->output_fd, .events = POLLIN },
			{ .fd = s->mounts_fd, .events = POLLPRI }, /* the kernel's word for "the table has changed" */
			{ .fd = s->outcome_fd, .events = POLLIN },
		};

		if (poll(fds, ARRAY_LEN(fds), s->command ? -1 : GATE_LOOK_MS) < 0 && errno != EINTR)
			break;
		if (fds[2].revents)
			copy_output(s);
		if (fds[1].revents)
			take_gate(s);
		if (fds[3].revents)
			take_mounts(s);
		if (fds[4].revents)
			take_outcome(s);
		if (fds[0].revents)
			take_signals(s);
	}
}

static void tell(int notify_fd, const char *text)
{
	if (notify_fd >= 0) {
		signal(SIGPIPE, SIG_IGN);
		dprintf(notify_fd, "%s\n", text);
		close(notify_fd);
	}
}

int shim_run(const char *folder, int notify_fd)
{
	struct shim s = { .folder = folder,
			  .log.fd = -1,
			  .lock_fd = -1,
			  .signal_fd = -1,
			  .gate_fd = -1,
			  .answer_fd = -1,
			  .outcome_fd = -1,
			  .output_fd = -1,
			  .mounts_fd = -1 };
	struct why why = { .text = "" };
	char text[sizeof why.text + 16];

	if (prepare(&s, &why) != 0) {
		shim_log_say(&s.log, "%s", why.text);
		snprintf(text, sizeof text, "error %s", why.text);
		shim_cgroup_leave(&s.cgroup);
		tell(notify_fd, text);
		return SHIM_EXIT_FAILED;
	}
	tell(notify_fd, "ready");
	live(&s);
	end_family(&s);
	take_outcome(&s);
	copy_output(&s);
	shim_cgroup_leave(&s.cgroup);
	if (!is_lost(&s) && identity_write(folder, "exit", s.exit_code) < 0)
		shim_log_say(&s.log, "the exit code %d cannot be written", s.exit_code);
	launch_deinit(&s.launch);
	shim_log_close(&s.log);
	return s.exit_code;
}
