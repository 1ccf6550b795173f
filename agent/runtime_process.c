/* runtime_process - instances as processes, each held by a sixpn-shim (shim.h). We keep a pidfd of every shim: it becomes
 * readable when the shim is gone, and it never comes to mean another process. */
#include "agent/runtime.h"

#include "agent/identity.h"
#include "agent/orphans.h"
#include "agent/strays.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/loop.h"
#include "lib/base/map.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOTIFY_FD 3
#define END_MS 1000 /* for a family to end that was told to */

static int process_netns(void *runtime, const char *id, int *ret_fd);

struct runtime_process {
	struct loop *loop;
	struct runtime_listener listener;
	struct map held; /* id -> struct holder */
	char shim_path[PATH_MAX];
};

struct holder {
	struct runtime_process *runtime;
	char id[NAME_INSTANCE_ID_SIZE];
	char folder[PATH_MAX];
	struct loop_io notify, answer, death; /* fd -1 = none */
	pid_t starter;                /* our own child, which ends at once; 0 = reaped */
	pid_t pid;                    /* of the shim, once pidfd (death.fd) is open */
	int netns;                    /* -1 = nobody asked for it yet */
};

static void close_io(struct loop_io *io)
{
	loop_remove_io(io);
	if (io->fd >= 0)
		close(io->fd);
	io->fd = -1;
}

static void reap_starter(struct holder *h)
{
	if (h->starter > 0)
		while (waitpid(h->starter, NULL, 0) < 0 && errno == EINTR)
			;
	h->starter = 0;
}

static void holder_free(struct holder *h)
{
	close_io(&h->notify);
	close_io(&h->answer);
	close_io(&h->death);
	reap_starter(h);
	if (h->netns >= 0)
		close(h->netns);
	map_remove(&h->runtime->held, h->id, strlen(h->id));
	free(h);
}

/* Frees the holder before it tells: the listener may start the instance again. */
static void tell_ended(struct holder *h, int32_t exit_code, const char *text)
{
	struct runtime_listener listener = h->runtime->listener;
	char id[NAME_INSTANCE_ID_SIZE];

	memcpy(id, h->id, sizeof id);
	holder_free(h);
	listener.ended(listener.ctx, id, exit_code, text);
}

/* Why it never ran; "" = it did, or nobody knows. */
static void read_failure(const char *folder, char ret_text[160])
{
	CLEAN_BUF struct buf text = BUF_INIT(1024);
	char path[PATH_MAX];

	ret_text[0] = 0;
	if ((size_t)snprintf(path, sizeof path, "%s/failure", folder) < sizeof path && file_read(path, 1000, &text) == 0)
		snprintf(ret_text, 160, "its command: %.140s", buf_str(&text));
}

static void shim_died(struct loop_io *io, uint32_t revents)
{
	struct holder *h = container_of(io, struct holder, death);
	char failure[160];
	int64_t code;

	(void)revents;
	read_failure(h->folder, failure);
	if (identity_read(h->folder, "exit", &code) == 0) {
		tell_ended(h, (int32_t)code, failure);
		return;
	}
	/* only a SIGKILL ends a shim without its last word; the command went with it, but not what the command had started */
	if (h->netns >= 0 && orphans_kill(h->netns) < 0)
		log_warn("agent", "instance %s was killed, and processes of it do not go", h->id);
	tell_ended(h, 128 + SIGKILL, "");
}

static int watch_death(struct holder *h)
{
	int fd, r = identity_open(h->folder, &h->pid, &fd);

	if (r < 0)
		return r;
	h->death = (struct loop_io){ .fd = fd, .events = EPOLLIN, .ready = shim_died };
	r = loop_add_io(h->runtime->loop, &h->death);
	if (r < 0)
		close_io(&h->death);
	return r;
}

static void notified(struct loop_io *io, uint32_t revents)
{
	struct holder *h = container_of(io, struct holder, notify);
	char text[512], sentence[600];
	ssize_t n = read(io->fd, text, sizeof text - 1);
	int r;

	(void)revents;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	text[n > 0 ? n : 0] = 0;
	text[strcspn(text, "\n")] = 0;
	close_io(&h->notify);
	reap_starter(h);
	if (strcmp(text, "ready")) {
		snprintf(sentence, sizeof sentence, "the shim: %s",
			 !strncmp(text, "error ", 6) ? text + 6 : "it ended before it was at its gate");
		tell_ended(h, 0, sentence);
		return;
	}
	r = watch_death(h);
	if (r < 0) {
		snprintf(sentence, sizeof sentence, "the shim was lost: %s", strerror(-r));
		if (strays_end_of(h->folder) < 0)
			log_warn("agent", "the shim of instance %s, which was lost, does not go", h->id);
		tell_ended(h, 0, sentence);
		return;
	}
	h->runtime->listener.ready(h->runtime->listener.ctx, h->id);
}

static int holder_new(struct runtime_process *rt, const char *folder, const char *id, struct holder **ret_holder)
{
	struct holder *h = calloc(1, sizeof *h);
	int r;

	if (!h)
		return -ENOMEM;
	h->runtime = rt;
	h->notify.fd = h->answer.fd = h->death.fd = h->netns = -1;
	snprintf(h->id, sizeof h->id, "%s", id);
	if ((size_t)snprintf(h->folder, sizeof h->folder, "%s", folder) >= sizeof h->folder)
		r = -ENAMETOOLONG;
	else
		r = map_set_str(&rt->held, h->id, h);
	if (r < 0) {
		free(h);
		return r;
	}
	*ret_holder = h;
	return 0;
}

/* posix_spawn: the daemon has threads, and its memory need not be copied for this. */
static int spawn_shim(struct holder *h, int notify_end)
{
	char *const argv[] = { "sixpn-shim", "--folder", h->folder, "--notify", "3", NULL };
	char *const env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t all, none;
	int r;

	sigfillset(&all);
	sigemptyset(&none);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	posix_spawn_file_actions_adddup2(&actions, notify_end, NOTIFY_FD);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	r = posix_spawn(&h->starter, h->runtime->shim_path, &actions, &attr, argv, env);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	if (r != 0)
		h->starter = 0;
	return -r;
}

static int process_start(void *runtime, const char *folder, const char *id)
{
	struct runtime_process *rt = runtime;
	struct holder *h;
	pid_t pid;
	int ends[2], fd, r;

	if (map_get_str(&rt->held, id))
		return -EALREADY;
	if (identity_open(folder, &pid, &fd) == 0) { /* one that was lost: it must not live beside the new one */
		pidfd_send_signal(fd, SIGKILL, NULL, 0);
		close(fd);
		return -EALREADY;
	}
	r = holder_new(rt, folder, id, &h);
	if (r < 0)
		return r;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
		r = -errno;
		holder_free(h);
		return r;
	}
	h->notify = (struct loop_io){ .fd = ends[0], .events = EPOLLIN, .ready = notified };
	r = loop_add_io(rt->loop, &h->notify);
	if (r == 0)
		r = spawn_shim(h, ends[1]);
	close(ends[1]);
	if (r < 0)
		holder_free(h);
	return r;
}

static struct holder *find(void *runtime, const char *id)
{
	struct runtime_process *rt = runtime;

	return map_get_str(&rt->held, id);
}

static int open_fifo(const struct holder *h, const char *name, int flags)
{
	char path[PATH_MAX];
	int fd;

	if ((size_t)snprintf(path, sizeof path, "%s/%s", h->folder, name) >= sizeof path)
		return -ENAMETOOLONG;
	fd = open(path, flags | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static void answered(struct loop_io *io, uint32_t revents)
{
	struct holder *h = container_of(io, struct holder, answer);
	char text[64];
	ssize_t n = read(io->fd, text, sizeof text);

	(void)revents;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	close_io(io);
	if (n > 0) /* else the shim ended without a word: death says the rest */
		h->runtime->listener.running(h->runtime->listener.ctx, h->id);
}

static int watch_answer(struct holder *h)
{
	int fd = open_fifo(h, "answer", O_RDONLY), r;

	if (fd < 0)
		return fd;
	h->answer = (struct loop_io){ .fd = fd, .events = EPOLLIN, .ready = answered };
	r = loop_add_io(h->runtime->loop, &h->answer);
	if (r < 0)
		close_io(&h->answer);
	return r;
}

static int process_open(void *runtime, const char *id)
{
	struct holder *h = find(runtime, id);
	CLEAN_CLOSE int fd = -1;
	int r;

	if (!h || h->death.fd < 0)
		return -ESRCH;
	r = watch_answer(h);
	if (r < 0)
		return r;
	fd = open_fifo(h, "gate", O_WRONLY);
	return fd < 0 ? fd : file_write_all(fd, "open\n", 5);
}

/* The starter first, so that it has either made the shim or never will; within its exec it has no command line to be found by. */
static int end_unnamed(struct holder *h)
{
	if (h->starter > 0)
		kill(h->starter, SIGKILL);
	reap_starter(h);
	return strays_end_of(h->folder);
}

static int signal_shim(struct holder *h, int number)
{
	pid_t pid;
	int fd, r;

	if (h->death.fd >= 0)
		return pidfd_send_signal(h->death.fd, number, NULL, 0) < 0 ? -errno : 0;
	/* Not at its gate yet. If it has not even written who it is, it must still not outlive its folder: it is looked for. Its end,
	 * like any other before the gate, is the end of the notify pipe. */
	r = identity_open(h->folder, &pid, &fd);
	if (r < 0)
		return end_unnamed(h);
	r = pidfd_send_signal(fd, number, NULL, 0) < 0 ? -errno : 0;
	close(fd);
	return r;
}

static int process_term(void *runtime, const char *id)
{
	struct holder *h = find(runtime, id);

	return h ? signal_shim(h, SIGTERM) : -ESRCH;
}

static int process_kill(void *runtime, const char *id, bool force)
{
	struct holder *h = find(runtime, id);

	if (!h)
		return -ESRCH;
	if (force || h->death.fd < 0)
		return signal_shim(h, SIGKILL); /* and with it, by its parent-death signal, the command */
	return signal_shim(h, SIGUSR1);
}

/* A shim that is stopped or frozen hears nothing but SIGKILL, and what its command had started is found by its namespace then. */
static int process_end(void *runtime, const char *id)
{
	struct holder *h = find(runtime, id);
	struct pollfd end = { .events = POLLIN };
	int fd = -1;

	if (!h || h->death.fd < 0)
		return h ? signal_shim(h, SIGKILL) : -ESRCH;
	end.fd = h->death.fd;
	if (process_netns(runtime, id, &fd) == 0)
		close(fd);
	if (poll(&end, 1, END_MS) > 0)
		return 0;
	signal_shim(h, SIGKILL);
	if (poll(&end, 1, END_MS) <= 0)
		return -EBUSY;
	return h->netns >= 0 ? orphans_kill(h->netns) : 0;
}

static uint64_t age_of(pid_t pid)
{
	uint64_t start, hertz = (uint64_t)sysconf(_SC_CLK_TCK), up_ms;
	struct timespec t;

	if (identity_start_time(pid, &start) < 0 || clock_gettime(CLOCK_BOOTTIME, &t) < 0)
		return 0;
	up_ms = (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
	start = start * 1000 / hertz;
	return up_ms > start ? up_ms - start : 0;
}

/* The answer is listened to before we look whether the command runs, so what is said between the two is heard. */
static enum runtime_state state_of_living(struct holder *h)
{
	int64_t number;

	if (identity_read(h->folder, "command", &number) < 0)
		return RUNTIME_HELD;
	if (watch_answer(h) < 0) /* a shim of before there were answers */
		return RUNTIME_RUNNING;
	if (identity_read(h->folder, "running", &number) < 0)
		return RUNTIME_OPENED;
	close_io(&h->answer);
	return RUNTIME_RUNNING;
}

static int process_adopt(void *runtime, const char *folder, const char *id, struct runtime_status *ret_status)
{
	struct runtime_status status = { .state = RUNTIME_NONE };
	int64_t generation = 0, number;
	struct holder *h;
	int r;

	if (identity_read(folder, "generation", &generation) == 0)
		status.generation = (uint64_t)generation;
	r = holder_new(runtime, folder, id, &h);
	if (r < 0)
		return r;
	r = watch_death(h);
	if (r == 0) {
		status.state = state_of_living(h);
		status.age_ms = age_of(h->pid);
		*ret_status = status;
		return 0;
	}
	holder_free(h);
	if (r != -ESRCH)
		return r;
	read_failure(folder, status.failure);
	if (identity_read(folder, "exit", &number) == 0) {
		status.state = RUNTIME_ENDED;
		status.exit_code = (int32_t)number;
	} else if (identity_read(folder, "command", &number) == 0) {
		status.state = RUNTIME_ENDED; /* killed with its shim, while nobody looked */
		status.exit_code = 128 + SIGKILL;
	}
	*ret_status = status;
	return 0;
}

static int process_sweep(void *runtime, const char *instances)
{
	(void)runtime;
	return strays_end_all(instances);
}

static int process_netns(void *runtime, const char *id, int *ret_fd)
{
	struct holder *h = find(runtime, id);
	struct pollfd alive;
	char path[40];
	int fd;

	if (!h || h->death.fd < 0)
		return -ESRCH;
	snprintf(path, sizeof path, "/proc/%d/ns/net", h->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* still alive after the open, so the number meant our shim when it was opened */
	alive = (struct pollfd){ .fd = h->death.fd, .events = POLLIN };
	if (poll(&alive, 1, 0) != 0 || orphans_is_ours(fd)) { /* an adopted one may not have come to make its own */
		close(fd);
		return -ESRCH;
	}
	if (h->netns < 0)
		h->netns = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	*ret_fd = fd;
	return 0;
}

static void process_release(void *runtime, const char *id)
{
	struct holder *h = find(runtime, id);

	if (h)
		holder_free(h);
}

static void process_listen(void *runtime, const struct runtime_listener *listener)
{
	struct runtime_process *rt = runtime;

	rt->listener = *listener;
}

struct runtime_process *runtime_process_new(struct loop *loop, const char *shim_path)
{
	struct runtime_process *rt = calloc(1, sizeof *rt);

	if (!rt)
		return NULL;
	rt->loop = loop;
	snprintf(rt->shim_path, sizeof rt->shim_path, "%s", shim_path);
	return rt;
}

struct runtime_process *runtime_process_free(struct runtime_process *runtime)
{
	struct holder *h;

	if (!runtime)
		return NULL;
	for (size_t i = 0; (h = map_next(&runtime->held, &i)); )
		holder_free(h);
	map_deinit(&runtime->held);
	free(runtime);
	return NULL;
}

const struct runtime_ops runtime_process_ops = {
	.listen = process_listen,
	.start = process_start,
	.open = process_open,
	.term = process_term,
	.kill = process_kill,
	.end = process_end,
	.sweep = process_sweep,
	.adopt = process_adopt,
	.netns = process_netns,
	.release = process_release,
};
