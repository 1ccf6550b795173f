/* holder - one machine of a test cluster: a network, mount and pid namespace, held by this program as its PID 1.
 *
 *   holder          makes the namespaces, prints "pid N" (as the caller sees it) when they are ready, and waits
 *
 * Inside: mounts are private; /run and /var/lib/sixpn are empty tmpfs, /proc, /sys and /sys/fs/bpf are fresh, `lo` is up; the rest of
 * the file tree is the machine's. Whoever enters (nsenter -t N -n -m -p -u) is in that machine. The death of the outer process, or of
 * whoever started it, kills PID 1, and the kernel then ends everything of that machine. SIGUSR1 lets go of the starter: the
 * machine stays until the outer process is told to end.
 */
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what)
{
	fprintf(stderr, "holder: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static void mount_fresh(const char *type, const char *target, const char *options)
{
	if (mkdir(target, 0755) < 0 && errno != EEXIST)
		die(target);
	if (mount(type, target, type, MS_NOSUID | MS_NODEV, options) < 0)
		die(target);
}

static void loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		die("lo");
	close(fd);
}

/* /var/lib/sixpn is a fresh tmpfs. Where the machine's tree has no such folder none may be made there (nothing stays behind), so a
 * tmpfs over /var/lib stands in, with the folder in it; the packages' own state is not needed inside. */
static void mount_state(void)
{
	struct stat st;

	if (stat("/var/lib/sixpn", &st) < 0)
		mount_fresh("tmpfs", "/var/lib", "mode=0755,size=256m");
	mount_fresh("tmpfs", "/var/lib/sixpn", "mode=0700,size=256m");
}

/* PID 1 of the machine: reaps orphans, ignores everything but death. */
static void be_init(int ready_fd)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		die("PDEATHSIG");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		die("private mounts");
	mount_fresh("proc", "/proc", NULL);
	mount_fresh("sysfs", "/sys", NULL);
	mount_fresh("bpf", "/sys/fs/bpf", "mode=0700");
	mount_fresh("tmpfs", "/run", "mode=0755,size=64m");
	mount_state();
	loopback_up();
	if (write(ready_fd, "r", 1) != 1)
		die("ready");
	close(ready_fd);
	signal(SIGCHLD, SIG_IGN); /* the kernel reaps: a child that comes after the last one went would wake nobody */
	for (;;)
		pause();
}

static volatile sig_atomic_t let_go, told_to_end;

static void on_signal(int number)
{
	if (number == SIGUSR1)
		let_go = 1;
	else
		told_to_end = 1;
}

int main(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	pid_t starter = getppid(), child;
	int ready[2], status;
	char byte;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != starter)
		die("starter");
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	if (pipe(ready) < 0)
		die("pipe");
	if (unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS) < 0)
		die("unshare (needs root)");
	child = fork();
	if (child < 0)
		die("fork");
	if (child == 0) {
		close(ready[0]);
		signal(SIGINT, SIG_IGN);
		be_init(ready[1]);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1) {
		waitpid(child, NULL, 0);
		return 1;
	}
	printf("pid %d\n", (int)child);
	fflush(stdout);
	while (waitpid(child, &status, 0) < 0) {
		if (let_go) {
			prctl(PR_SET_PDEATHSIG, 0);
			let_go = 0;
		}
		if (told_to_end)
			kill(child, SIGKILL);
	}
	return 0;
}
