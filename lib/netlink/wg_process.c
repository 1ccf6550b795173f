/* wg_process - see wg_process.h. */
#include "lib/netlink/wg_process.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/netlink/rtnl.h"
#include "lib/netlink/wg_launch.h"
#include "lib/netlink/wg_uapi.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define READY_MS 5000
#define LATE_MS 1000 /* for one that somebody else started a moment ago */
#define TERM_MS 2000
#define KILL_MS 5000

/* ---- the device ---- */

/* Opening the name with TUNSETIFF makes the device, or attaches to the one that is there. While the process serves it the
 * kernel answers EBUSY: then it is there, and of the right kind if rtnetlink says so. */
static int make_device(const char *name)
{
	struct ifreq request = { .ifr_flags = IFF_TUN };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC), r = 0;

	if (fd < 0)
		return -errno;
	strcpy(request.ifr_name, name);
	if (ioctl(fd, TUNSETIFF, &request) < 0)
		r = errno == EBUSY ? 0 : errno == EINVAL ? -EEXIST : -errno;
	else if (ioctl(fd, TUNSETPERSIST, 1) < 0)
		r = -errno;
	close(fd);
	return r;
}

static bool is_device_name(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n < IFNAMSIZ && !strpbrk(name, "/%");
}

int wg_process_device(const char *name, uint32_t *ret_ifindex)
{
	struct rtnl_link link;
	struct rtnl *rtnl;
	int r;

	if (!is_device_name(name))
		return -EINVAL;
	r = rtnl_open(&rtnl);
	if (r < 0)
		return r;
	r = rtnl_link_by_name(rtnl, name, &link);
	if (r == -ENODEV || (r == 0 && !strcmp(link.kind, "tun"))) {
		r = make_device(name);
		if (r == 0)
			r = rtnl_link_by_name(rtnl, name, &link);
	}
	rtnl_free(rtnl);
	if (r < 0)
		return r;
	if (strcmp(link.kind, "tun"))
		return -EEXIST;
	*ret_ifindex = link.ifindex;
	return 0;
}

int wg_process_device_remove(const char *name)
{
	struct rtnl_link link;
	struct rtnl *rtnl;
	int r = rtnl_open(&rtnl);

	if (r < 0)
		return r;
	r = rtnl_link_by_name(rtnl, name, &link);
	if (r == 0)
		r = rtnl_link_del(rtnl, link.ifindex);
	rtnl_free(rtnl);
	return r == -ENODEV ? 0 : r;
}

/* ---- who is it ---- */

/* State and start time from /proc/<pid>/stat; the name in it is in brackets and may hold anything, brackets too. */
static int read_start_time(pid_t pid, uint64_t *ret_start_time)
{
	CLEAN_BUF struct buf text = BUF_INIT(4096);
	unsigned long long start;
	const char *rest;
	char path[64], state;
	int r;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	r = file_read(path, 4000, &text);
	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;
	rest = strrchr(buf_str(&text), ')');
	/* after the name: state, then 18 fields, then the start time in ticks since boot */
	if (!rest || sscanf(rest + 1,
			    " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu", &state,
			    &start) != 2)
		return -EPROTO;
	if (state == 'Z' || state == 'X')
		return -ESRCH;
	*ret_start_time = start;
	return 0;
}

static int open_pidfd(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : fd;
}

/* The pidfd is opened before the start time is read: if the time fits, the pidfd is of the same process. */
static int identify(pid_t pid, struct wg_process *ret_process)
{
	struct wg_process process = { .pid = pid, .pidfd = open_pidfd(pid) };
	int r;

	if (process.pidfd < 0)
		return process.pidfd;
	r = read_start_time(pid, &process.start_time);
	if (r < 0) {
		close(process.pidfd);
		return r;
	}
	*ret_process = process;
	return 0;
}

static int pid_path(const struct wg_process_config *config, char *ret_path, size_t size)
{
	int n = snprintf(ret_path, size, "%s/wg-%s.pid", config->run_dir, config->name);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

static int write_pid(const struct wg_process_config *config, const struct wg_process *process)
{
	char path[256], text[64];
	int n, r = pid_path(config, path, sizeof(path));

	if (r < 0)
		return r;
	n = snprintf(text, sizeof(text), "%d %llu\n", (int)process->pid, (unsigned long long)process->start_time);
	return file_replace(path, text, (size_t)n, 0644);
}

int wg_process_adopt(const struct wg_process_config *config, struct wg_process *ret_process)
{
	CLEAN_BUF struct buf text = BUF_INIT(256);
	unsigned long long start_time;
	struct wg_process process;
	char path[256];
	int pid, r;

	r = pid_path(config, path, sizeof(path));
	if (r < 0)
		return r;
	r = file_read(path, 64, &text);
	if (r == -ENOENT)
		return WG_PROCESS_E_ABSENT;
	if (r < 0 && r != -EFBIG)
		return r;
	/* A file that makes no sense names nobody; the next start replaces it. */
	if (r == -EFBIG || sscanf(buf_str(&text), "%9d %20llu", &pid, &start_time) != 2 || pid <= 1)
		return WG_PROCESS_E_ABSENT;
	r = identify(pid, &process);
	if (r == -ESRCH || r == -EINVAL)
		return WG_PROCESS_E_ABSENT;
	if (r < 0)
		return r;
	if (process.start_time != start_time) {
		close(process.pidfd);
		return WG_PROCESS_E_ABSENT;
	}
	*ret_process = process;
	return 0;
}

bool wg_process_alive(const struct wg_process *process)
{
	struct pollfd pollfd = { .fd = process->pidfd, .events = POLLIN };

	return process->pidfd >= 0 && poll(&pollfd, 1, 0) == 0;
}

/* ---- starting ---- */

static int try_socket(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), r = 0;

	if (fd < 0)
		return -errno;
	strcpy(addr.sun_path, path); /* of struct wg_uapi: the same size */
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		r = -errno;
	close(fd);
	return r;
}

/* A socket file that nobody serves is what a killed process left; one that is served belongs to somebody else. */
static int clear_socket(const char *path)
{
	int r = try_socket(path);

	if (r == 0 || r == -EAGAIN)
		return -EADDRINUSE;
	if (r == -ECONNREFUSED && unlink(path) < 0 && errno != ENOENT)
		return -errno;
	return r == -ECONNREFUSED || r == -ENOENT ? 0 : r;
}

/* Wakes up when something is made in the folder, and when the process ends. Between bind and listen the socket is there and
 * refuses; nothing tells of listen, so then it looks again every 5 ms. */
static int wait_until_served(const struct wg_process *process, const char *path, int notify_fd, unsigned limit_ms)
{
	struct clock clock = clock_real();
	uint64_t until = clock_mono_ms(&clock) + limit_ms;

	for (;;) {
		struct pollfd pollfds[2] = { { .fd = process->pidfd, .events = POLLIN }, { .fd = notify_fd, .events = POLLIN } };
		uint64_t now = clock_mono_ms(&clock);
		char events[4096];
		int r = try_socket(path);

		if (r == 0 || r == -EAGAIN)
			return 0;
		if (r != -ENOENT && r != -ECONNREFUSED)
			return r;
		if (now >= until)
			return -ETIMEDOUT;
		r = poll(pollfds, 2, r == -ECONNREFUSED ? 5 : (int)(until - now));
		if (r < 0 && errno != EINTR)
			return -errno;
		if (r > 0 && pollfds[0].revents)
			return -ECHILD;
		if (r > 0 && pollfds[1].revents && read(notify_fd, events, sizeof(events)) < 0 && errno != EAGAIN)
			return -errno;
	}
}

static int launch_and_wait(const struct wg_process_config *config, const char *socket_path, int notify_fd,
			   struct wg_process *ret_process)
{
	struct wg_process process;
	pid_t pid = 0;
	int r = wg_launch(config->program ? config->program : "wireguard-go", config->name, config->log_file, &pid);

	if (r < 0)
		return r;
	r = identify(pid, &process);
	if (r < 0)
		return r == -ESRCH ? -ECHILD : r;
	r = write_pid(config, &process);
	if (r == 0)
		r = wait_until_served(&process, socket_path, notify_fd, READY_MS);
	if (r == 0)
		*ret_process = process;
	else
		wg_process_stop(config, &process);
	return r;
}

int wg_process_start(const struct wg_process_config *config, struct wg_process *ret_process)
{
	const char *dir = config->socket_dir ? config->socket_dir : WG_UAPI_DIR;
	CLEAN_CLOSE int notify_fd = -1;
	struct wg_uapi uapi;
	uint32_t ifindex;
	int r;

	r = wg_process_device(config->name, &ifindex);
	if (r == 0)
		r = wg_uapi_init(&uapi, config->name, dir);
	if (r == 0)
		r = file_make_dirs(dir, 0755);
	if (r == 0)
		r = clear_socket(uapi.socket_path);
	if (r < 0)
		return r;
	notify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (notify_fd < 0 || inotify_add_watch(notify_fd, dir, IN_CREATE | IN_MOVED_TO) < 0)
		return -errno;
	return launch_and_wait(config, uapi.socket_path, notify_fd, ret_process);
}

/* ---- one that nobody noted ---- */

/* Does it run for this device? Its last argument is the device's name. */
static bool serves_device(pid_t pid, const char *name)
{
	CLEAN_BUF struct buf text = BUF_INIT(8192);
	size_t n = strlen(name) + 1;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	return file_read(path, 4096, &text) == 0 && text.len > n && !memcmp(text.data + text.len - n, name, n) &&
	       text.data[text.len - n - 1] == '\0';
}

/* Whoever listens at the socket, if it is one of ours: a daemon that was killed between starting it and noting it left it. */
static int adopt_server(const struct wg_process_config *config, const char *socket_path, struct wg_process *ret_process)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	CLEAN_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct wg_process process;
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int r;

	if (fd < 0)
		return -errno;
	strcpy(addr.sun_path, socket_path); /* of struct wg_uapi: the same size */
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return errno == ENOENT || errno == ECONNREFUSED ? WG_PROCESS_E_ABSENT : -errno;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return -errno;
	if (peer.pid <= 1 || peer.uid != geteuid() || !serves_device(peer.pid, config->name))
		return WG_PROCESS_E_ABSENT;
	r = identify(peer.pid, &process);
	if (r < 0)
		return r == -ESRCH ? WG_PROCESS_E_ABSENT : r;
	r = write_pid(config, &process);
	if (r < 0) {
		close(process.pidfd);
		return r;
	}
	*ret_process = process;
	return 0;
}

/* It may be one that has not come to its socket yet, and that took the device from the one we started. */
static int adopt_late_server(const struct wg_process_config *config, const char *dir, const char *socket_path,
			     struct wg_process *ret_process)
{
	const struct wg_process nobody = WG_PROCESS_NONE;
	CLEAN_CLOSE int notify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	if (notify_fd < 0 || inotify_add_watch(notify_fd, dir, IN_CREATE | IN_MOVED_TO) < 0)
		return -errno;
	if (wait_until_served(&nobody, socket_path, notify_fd, LATE_MS) < 0)
		return WG_PROCESS_E_ABSENT;
	return adopt_server(config, socket_path, ret_process);
}

int wg_process_find(const struct wg_process_config *config, struct wg_process *ret_process)
{
	struct wg_uapi uapi;
	int r = wg_uapi_init(&uapi, config->name, config->socket_dir);

	if (r == 0)
		r = wg_process_adopt(config, ret_process);
	return r == WG_PROCESS_E_ABSENT ? adopt_server(config, uapi.socket_path, ret_process) : r;
}

static int find_or_start(const struct wg_process_config *config, struct wg_process *ret_process, bool *ret_started)
{
	const char *dir = config->socket_dir ? config->socket_dir : WG_UAPI_DIR;
	struct wg_uapi uapi;
	int r = wg_process_find(config, ret_process), first;

	*ret_started = false;
	if (r != WG_PROCESS_E_ABSENT)
		return r;
	r = wg_uapi_init(&uapi, config->name, dir);
	if (r < 0)
		return r;
	first = wg_process_start(config, ret_process);
	*ret_started = first == 0;
	if (first != -ECHILD && first != -EADDRINUSE)
		return first;
	r = adopt_late_server(config, dir, uapi.socket_path, ret_process);
	return r == WG_PROCESS_E_ABSENT ? first : r;
}

/* A process that was killed serves its socket until the kernel has taken it apart, and nothing tells when that is. */
int wg_process_ensure(const struct wg_process_config *config, struct wg_process *ret_process, bool *ret_started)
{
	struct clock clock = clock_real();
	uint64_t until = clock_mono_ms(&clock) + LATE_MS;
	int r = find_or_start(config, ret_process, ret_started);

	while ((r == -EADDRINUSE || r == -EAGAIN) && clock_mono_ms(&clock) < until) { /* -EAGAIN: and its backlog is full */
		poll(NULL, 0, 10);
		r = find_or_start(config, ret_process, ret_started);
	}
	return r == -EAGAIN ? -EADDRINUSE : r;
}

/* ---- ending ---- */

/* 0 when it has ended within the time. */
static int wait_for_end(int pidfd, int limit_ms)
{
	struct clock clock = clock_real();
	uint64_t until = clock_mono_ms(&clock) + (uint64_t)limit_ms;

	for (;;) {
		struct pollfd pollfd = { .fd = pidfd, .events = POLLIN };
		uint64_t now = clock_mono_ms(&clock);
		int r = poll(&pollfd, 1, now < until ? (int)(until - now) : 0);

		if (r > 0)
			return 0;
		if (r == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

static int send_signal(int pidfd, int number)
{
	return syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0) < 0 && errno != ESRCH ? -errno : 0;
}

int wg_process_stop(const struct wg_process_config *config, struct wg_process *process)
{
	char path[256];
	int r;

	if (process->pidfd < 0)
		return 0;
	r = send_signal(process->pidfd, SIGTERM);
	if (r == 0)
		r = wait_for_end(process->pidfd, TERM_MS);
	if (r == -ETIMEDOUT) {
		r = send_signal(process->pidfd, SIGKILL);
		if (r == 0)
			r = wait_for_end(process->pidfd, KILL_MS);
	}
	if (r < 0)
		return r;
	wg_process_release(process);
	r = pid_path(config, path, sizeof(path));
	if (r == 0 && unlink(path) < 0 && errno != ENOENT)
		r = -errno;
	return r;
}

void wg_process_release(struct wg_process *process)
{
	if (process->pidfd >= 0)
		close(process->pidfd);
	*process = WG_PROCESS_NONE;
}
