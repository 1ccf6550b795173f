/* change_probe - from an API write to the changed answer at every name server, for bench_change.py:
 *
 *     change_probe CONTROLLER_SOCKET INSTANCE NAME ADDRESS TRIALS FOLDER PID...
 *
 * Each trial turns dns_skip of INSTANCE over by PATCH and asks the name server of every PID's network namespace for the AAAA of NAME, every
 * half millisecond, until ADDRESS has gone from (or come back to) its answer. The clock starts when the PATCH is sent. Before each trial
 * the floor is taken: one fsync of a small append to a file in FOLDER (where the controller's store is) and two round trips over loopback
 * TCP; below that no design gets that writes down before it tells, and asks over a network. Shares no code with what it measures. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SERVERS_MAX 16
#define ASK_EVERY_NS 500000u
#define TRIAL_LIMIT_NS 20000000000u
#define REST_US 20000
#define ECHO_BYTES 200
#define WARM_UP 4

struct server {
	int fd;
	uint64_t asked_ns, changed_ns;
	uint16_t id, first_id; /* of the last question, and of the first of this trial */
};

static struct server servers[SERVERS_MAX];
static size_t n_servers;
static uint8_t question[300], address[16];
static size_t question_len;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- DNS ---- */

static void make_question(const char *name)
{
	static const uint8_t head[12] = { 0, 0, 1, 0, 0, 1 };
	size_t n = sizeof head;

	memcpy(question, head, sizeof head);
	for (const char *p = name; *p && n < 250; p += *p == '.') {
		size_t len = strcspn(p, ".");

		question[n++] = (uint8_t)len;
		memcpy(question + n, p, len);
		n += len;
		p += len;
	}
	memcpy(question + n, "\0\0\x1c\0\1", 5);
	question_len = n + 5;
}

static void add_server(const char *pid, int home)
{
	struct sockaddr_in6 at = { .sin6_family = AF_INET6, .sin6_port = htons(53) };
	char path[64];
	int ns, fd;

	snprintf(path, sizeof path, "/proc/%s/ns/net", pid);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	if (ns < 0 || setns(ns, CLONE_NEWNET) < 0)
		die(path);
	close(ns);
	fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	inet_pton(AF_INET6, "fdaa::3", &at.sin6_addr);
	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at) < 0)
		die("a name server");
	if (setns(home, CLONE_NEWNET) < 0)
		die("setns");
	servers[n_servers++].fd = fd;
}

static void ask(struct server *s, uint64_t now)
{
	s->id++;
	question[0] = (uint8_t)(s->id >> 8);
	question[1] = (uint8_t)s->id;
	s->asked_ns = now;
	if (send(s->fd, question, question_len, 0) < 0 && errno != EAGAIN)
		die("a question");
}

/* Takes what came; true if an answer that is one shows what is wanted. */
static bool shows(struct server *s, bool wanted)
{
	uint8_t answer[2048];
	bool found = false;
	ssize_t n;

	while ((n = recv(s->fd, answer, sizeof answer, 0)) > 0) {
		uint16_t id = (uint16_t)(answer[0] << 8 | answer[1]);
		bool ours = (uint16_t)(id - s->first_id) <= (uint16_t)(s->id - s->first_id); /* and no late one of the trial before */
		bool whole = ours && n > 12 && (answer[2] & 0x80) && !(answer[2] & 2);
		unsigned rcode = answer[3] & 15u;

		if (whole && (rcode == 0 || rcode == 3)) /* SERVFAIL is no answer: the address is not gone */
			found = found || (memmem(answer, (size_t)n, address, sizeof address) != NULL) == wanted;
	}
	return found;
}

/* ---- HTTP ---- */

static int dial(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at) < 0)
		die(path);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static void patch(int fd, const char *instance, bool skip)
{
	char text[400];
	int len = snprintf(text, sizeof text, "{\"dns_skip\":%s}", skip ? "true" : "false"), n;

	n = snprintf(text, sizeof text, "PATCH /v1/instances/%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n{\"dns_skip\":%s}", instance, len,
		     skip ? "true" : "false");
	if (send(fd, text, (size_t)n, MSG_NOSIGNAL) != n)
		die("the PATCH");
}

/* True when the head of a reply of 200 was there (its body is smaller than what one read takes). */
static bool replied(int fd)
{
	char text[8192];
	ssize_t n = recv(fd, text, sizeof text - 1, 0);

	if (n < 0 && errno == EAGAIN)
		return false;
	text[n > 0 ? n : 0] = 0;
	if (n <= 0 || strncmp(text, "HTTP/1.1 200 ", 13)) {
		fprintf(stderr, "the PATCH was refused: %s\n", text);
		exit(1);
	}
	return true;
}

/* ---- the floor ---- */

static int start_echo(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd, on = 1;
	char bytes[ECHO_BYTES];

	if (bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, 1) < 0 || getsockname(listener, (struct sockaddr *)&at, &len) < 0)
		die("echo");
	if (fork() == 0) {
		fd = accept(listener, NULL, NULL);
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		for (;;) {
			ssize_t n = recv(fd, bytes, sizeof bytes, MSG_WAITALL);

			if (n <= 0 || send(fd, bytes, (size_t)n, MSG_NOSIGNAL) < 0)
				_exit(0);
		}
	}
	close(listener);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (connect(fd, (struct sockaddr *)&at, sizeof at) < 0)
		die("echo");
	return fd;
}

static double floor_ms(int file, int echo)
{
	char bytes[ECHO_BYTES] = { 0 };
	uint64_t begun = now_ns();

	if (write(file, bytes, sizeof bytes) != sizeof bytes || fsync(file) < 0)
		die("fsync");
	for (int i = 0; i < 2; i++)
		if (send(echo, bytes, sizeof bytes, 0) < 0 || recv(echo, bytes, sizeof bytes, MSG_WAITALL) < 0)
			die("echo");
	return (double)(now_ns() - begun) / 1e6;
}

/* ---- trials ---- */

static void trial(int http, const char *instance, bool skip, double *ret_each, double *ret_last, double *ret_reply)
{
	uint64_t begun = now_ns(), now = begun, last = begun;
	size_t left = n_servers;
	bool answered = false;

	patch(http, instance, skip);
	for (size_t i = 0; i < n_servers; i++) {
		servers[i].asked_ns = servers[i].changed_ns = 0;
		servers[i].first_id = (uint16_t)(servers[i].id + 1);
	}
	while (left || !answered) {
		struct pollfd fds[SERVERS_MAX + 1];
		struct timespec wait = { .tv_nsec = ASK_EVERY_NS / 2 };

		now = now_ns();
		if (now - begun > TRIAL_LIMIT_NS) {
			fprintf(stderr, "%zu name servers do not show the change\n", left);
			exit(1);
		}
		for (size_t i = 0; i < n_servers; i++) {
			fds[i] = (struct pollfd){ .fd = servers[i].fd, .events = POLLIN };
			if (!servers[i].changed_ns && now - servers[i].asked_ns >= ASK_EVERY_NS)
				ask(&servers[i], now);
		}
		fds[n_servers] = (struct pollfd){ .fd = http, .events = answered ? 0 : POLLIN };
		ppoll(fds, n_servers + 1, &wait, NULL);
		if (!answered && replied(http)) {
			answered = true;
			*ret_reply = (double)(now_ns() - begun) / 1e6;
		}
		for (size_t i = 0; i < n_servers; i++)
			if (shows(&servers[i], !skip) && !servers[i].changed_ns) {
				servers[i].changed_ns = last = now_ns();
				left--;
			}
	}
	for (size_t i = 0; i < n_servers; i++)
		ret_each[i] = (double)(servers[i].changed_ns - begun) / 1e6;
	*ret_last = (double)(last - begun) / 1e6;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double at(double *sorted, size_t n, double part)
{
	size_t i = (size_t)((double)n * part);

	return sorted[i < n ? i : n - 1];
}

static void tell(const char *what, double *values, size_t n, double *base, size_t n_base)
{
	qsort(values, n, sizeof *values, by_size);
	printf("  %-34s p50 %6.2f ms = %4.1f x the floor, p99 %7.2f ms = %4.1f x\n", what, at(values, n, 0.5), at(values, n, 0.5) / at(base, n_base, 0.5),
	       at(values, n, 0.99), at(values, n, 0.99) / at(base, n_base, 0.99));
}

int main(int argc, char **argv)
{
	int trials = argc > 7 ? atoi(argv[5]) : 0, home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), http, echo, file;
	double *each, *last, *base, *reply;
	char path[300];

	if (trials < 1 || inet_pton(AF_INET6, argv[4], address) != 1) {
		fprintf(stderr, "usage: change_probe SOCKET INSTANCE NAME ADDRESS TRIALS FOLDER PID...\n");
		return 2;
	}
	for (int i = 7; i < argc && n_servers < SERVERS_MAX; i++)
		add_server(argv[i], home);
	make_question(argv[3]);
	http = dial(argv[1]);
	echo = start_echo();
	snprintf(path, sizeof path, "%s/floor", argv[6]);
	file = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (file < 0)
		die(path);
	each = calloc((size_t)trials * n_servers, sizeof *each);
	last = calloc((size_t)trials, sizeof *last);
	base = calloc((size_t)trials, sizeof *base);
	reply = calloc((size_t)trials, sizeof *reply);
	for (int i = -WARM_UP; i < trials; i++) {
		double here[SERVERS_MAX], one = 0, said = 0, floor_one = floor_ms(file, echo);

		trial(http, argv[2], i & 1, here, &one, &said);
		usleep(REST_US); /* the acknowledgements of this one are no part of the next */
		if (i < 0)
			continue;
		memcpy(each + (size_t)i * n_servers, here, n_servers * sizeof *each);
		last[i] = one;
		reply[i] = said;
		base[i] = floor_one;
	}
	unlink(path);
	qsort(base, (size_t)trials, sizeof *base, by_size);
	printf("API write (PATCH dns_skip) to the changed answer at %zu name servers, %d trials; the floor is one fsync and two loopback TCP\n"
	       "round trips: p50 %.2f ms, p99 %.2f ms\n", n_servers, trials, at(base, (size_t)trials, 0.5), at(base, (size_t)trials, 0.99));
	tell("of it until the reply (recorded)", reply, (size_t)trials, base, (size_t)trials);
	tell("at each name server", each, (size_t)trials * n_servers, base, (size_t)trials);
	tell("at the last of them", last, (size_t)trials, base, (size_t)trials);
	return 0;
}
