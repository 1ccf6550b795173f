/* http_blast - requests of HTTP/1.1 over open connections, each as soon as the reply to the last is there, for bench_api.py:
 *
 *     http_blast ADDRESS PORT CONNECTIONS SECONDS REQUESTS [WATCHERS WATCH_REQUEST [ACKS_WATCH_REQUEST FOLDER]]
 *
 * REQUESTS holds whole requests, one after the other, each after a line "BYTES TAG"; they are sent in turn and from the start again. Prints
 * requests per second, p50 and p99 in microseconds and how many replies were no success.
 *
 * With WATCHERS, so many processes send WATCH_REQUEST and read what streams back, as nodes would follow etcd. With ACKS_WATCH_REQUEST and
 * FOLDER they do what ?wait=applied promises: each writes the values that it saw into a file of its own in FOLDER, one fdatasync for all
 * that came together, and acknowledges each with a put; the writer watches those, and a request is done when its reply and every node's
 * acknowledgement of its TAG are there. Shares no code with what it measures. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 256
#define WATCHERS_MAX 8
#define TAG_MAX 32
#define BUFFER (256 * 1024)

struct request {
	const char *bytes;
	size_t len;
	char tag[TAG_MAX];
};

enum role { LOAD, WATCH };

struct end {
	enum role role;
	int fd;
	char *in;
	size_t in_len;
	const char *out;
	size_t out_len, sent;
	uint64_t started_ns;
	const struct request *request; /* LOAD: the one under way */
	bool replied;		       /* LOAD: to it */
	unsigned acks;		       /* LOAD: of it */
};

static struct sockaddr_in to = { .sin_family = AF_INET };
static struct request *requests;
static size_t n_requests, next_request, n_loads, n_watchers;
static struct end loads[CONNECTIONS_MAX], acks_watch;
static pid_t watchers[WATCHERS_MAX];
static uint32_t *samples_us;
static size_t n_samples, samples_room, n_failed;
static int epoll_fd;
static bool ending, acknowledging;

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

static char *read_file(const char *path, size_t *len)
{
	FILE *file = fopen(path, "rb");
	char *text = NULL;

	if (!file || fseek(file, 0, SEEK_END) < 0)
		die(path);
	*len = (size_t)ftell(file);
	rewind(file);
	text = malloc(*len + 1);
	if (!text || fread(text, 1, *len, file) != *len)
		die(path);
	text[*len] = 0;
	fclose(file);
	return text;
}

static void read_requests(const char *path)
{
	size_t len;
	char *text = read_file(path, &len);

	for (char *p = text; p < text + len;) {
		struct request r = { 0 };
		int head = 0;

		requests = realloc(requests, (n_requests + 1) * sizeof(*requests));
		if (!requests || sscanf(p, "%zu %31s\n%n", &r.len, r.tag, &head) != 2 || !head || p + head + r.len > text + len) {
			fprintf(stderr, "%s: no request at byte %td\n", path, p - text);
			exit(1);
		}
		r.bytes = p + head;
		p += (size_t)head + r.len;
		requests[n_requests++] = r;
	}
}

static void open_end(struct end *e, enum role role)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = e };
	int one = 1;

	e->role = role;
	e->in = malloc(BUFFER);
	e->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (!e->in || e->fd < 0 || connect(e->fd, (void *)&to, sizeof to) < 0)
		die("connect");
	setsockopt(e->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	fcntl(e->fd, F_SETFL, O_NONBLOCK);
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, e->fd, &event) < 0)
		die("epoll_ctl");
}

static void push(struct end *e)
{
	while (e->sent < e->out_len) {
		ssize_t n = send(e->fd, e->out + e->sent, e->out_len - e->sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN) {
			struct epoll_event event = { .events = EPOLLIN | EPOLLOUT, .data.ptr = e };

			epoll_ctl(epoll_fd, EPOLL_CTL_MOD, e->fd, &event);
			return;
		}
		if (n < 0)
			die("send");
		e->sent += (size_t)n;
	}
}

static void ask(struct end *e, const char *bytes, size_t len)
{
	e->out = bytes;
	e->out_len = len;
	e->sent = 0;
	e->started_ns = now_ns();
	push(e);
}

static void ask_next(struct end *e)
{
	e->request = &requests[next_request++ % n_requests];
	e->replied = false;
	e->acks = 0;
	ask(e, e->request->bytes, e->request->len);
}

static void finish_request(struct end *e)
{
	if (!e->replied || (acknowledging && e->acks < n_watchers))
		return;
	if (n_samples == samples_room) {
		samples_room = samples_room ? samples_room * 2 : 65536;
		samples_us = realloc(samples_us, samples_room * sizeof(*samples_us));
		if (!samples_us)
			die("realloc");
	}
	samples_us[n_samples++] = (uint32_t)((now_ns() - e->started_ns) / 1000);
	e->request = NULL;
	if (!ending)
		ask_next(e);
}

/* ---- replies ---- */

/* The bytes of a whole chunked body from p, 0 when its end is not there yet. */
static size_t chunked_len(const char *p, const char *end)
{
	const char *start = p;

	for (;;) {
		const char *line = memmem(p, (size_t)(end - p), "\r\n", 2);
		size_t size;

		if (!line)
			return 0;
		size = strtoul(p, NULL, 16);
		if ((size_t)(end - line) < 2 + size + 2)
			return 0;
		p = line + 2 + size + 2;
		if (!size)
			return (size_t)(p - start);
	}
}

/* The bytes of the reply at the start of the buffer, 0 when it is not all there; *status is its code. */
static size_t reply_len(const struct end *e, int *status)
{
	const char *end = e->in + e->in_len, *body = memmem(e->in, e->in_len, "\r\n\r\n", 4);
	size_t len = 0;

	if (!body)
		return 0;
	body += 4;
	*status = atoi(e->in + strlen("HTTP/1.1 "));
	for (const char *p = memmem(e->in, e->in_len, "\r\n", 2); p + 2 < body - 2; p = memmem(p + 2, (size_t)(end - p - 2), "\r\n", 2)) {
		if (!strncasecmp(p + 2, "content-length:", 15))
			len = strtoul(p + 17, NULL, 10);
		if (!strncasecmp(p + 2, "transfer-encoding: chunked", 26)) {
			len = chunked_len(body, end);
			return len ? (size_t)(body - e->in) + len : 0;
		}
	}
	return (size_t)(end - body) >= len ? (size_t)(body - e->in) + len : 0;
}

/* Calls each(tag) for the values in what streamed in, and keeps what may be the beginning of another. */
static void look_for_tags(char *in, size_t *len, void (*each)(const char *tag, size_t tag_len))
{
	static const char mark[] = "\"value\":\"";
	char *p = in, *found;

	while ((found = memmem(p, *len - (size_t)(p - in), mark, sizeof mark - 1))) {
		char *tag = found + sizeof mark - 1, *quote = memchr(tag, '"', *len - (size_t)(tag - in));

		if (!quote)
			break;
		each(tag, (size_t)(quote - tag));
		p = quote;
	}
	if (found)
		p = found;
	else if (*len > sizeof mark && in + *len - sizeof mark > p)
		p = in + *len - sizeof mark;
	*len -= (size_t)(p - in);
	memmove(in, p, *len);
}

static void acknowledged(const char *tag, size_t len)
{
	for (size_t i = 0; i < n_loads; i++) {
		const struct request *r = loads[i].request;

		if (r && strlen(r->tag) == len && !memcmp(r->tag, tag, len)) {
			loads[i].acks++;
			finish_request(&loads[i]);
		}
	}
}

static void took(struct end *e)
{
	int status = 0;
	size_t len;

	if (e->role == WATCH) {
		look_for_tags(e->in, &e->in_len, acknowledged);
		return;
	}
	len = reply_len(e, &status);
	if (!len)
		return;
	e->in_len -= len;
	memmove(e->in, e->in + len, e->in_len);
	n_failed += status < 200 || status > 299 || status == 202; /* 202: not applied in time */
	e->replied = true;
	finish_request(e);
}

static void pull(struct end *e)
{
	ssize_t n = recv(e->fd, e->in + e->in_len, BUFFER - e->in_len, 0);

	if (n == 0 || (n < 0 && errno != EAGAIN) || e->in_len == BUFFER) {
		fprintf(stderr, "a connection ended: %s\n", n < 0 ? strerror(errno) : "by the server");
		exit(1);
	}
	if (n > 0) {
		e->in_len += (size_t)n;
		took(e);
	}
}

/* ---- the run ---- */

/* What did not fit into the socket at once. */
static void go_on(struct end *e)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = e };

	epoll_ctl(epoll_fd, EPOLL_CTL_MOD, e->fd, &event);
	push(e);
}

static void turn_until(uint64_t until_ns)
{
	struct epoll_event events[64];

	while (now_ns() < until_ns) {
		int n = epoll_wait(epoll_fd, events, 64, 10);

		for (int i = 0; i < n; i++) {
			if (events[i].events & EPOLLOUT)
				go_on(events[i].data.ptr);
			if (events[i].events & ~(uint32_t)EPOLLOUT)
				pull(events[i].data.ptr);
		}
	}
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* ---- a watcher: a process of its own ---- */

static char seen[1024][TAG_MAX];
static size_t n_seen;

static void note_seen(const char *tag, size_t len)
{
	if (n_seen < sizeof seen / sizeof *seen && len < TAG_MAX) {
		memcpy(seen[n_seen], tag, len);
		seen[n_seen++][len] = 0;
	}
}

static int open_blocking(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0 || connect(fd, (void *)&to, sizeof to) < 0)
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return fd;
}

static void put_ack(int fd, const char *key, const char *tag)
{
	char body[128], text[512], replies[4096];
	int n = snprintf(body, sizeof body, "{\"key\":\"%s\",\"value\":\"%s\"}", key, tag);

	while (recv(fd, replies, sizeof replies, MSG_DONTWAIT) > 0)
		; /* to those before */
	n = snprintf(text, sizeof text, "POST /v3/kv/put HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", n, body);
	if (send(fd, text, (size_t)n, MSG_NOSIGNAL) != n)
		die("send");
}

static void acknowledge_all(int journal, const int *fds, const char *key)
{
	static size_t next;

	for (size_t i = 0; i < n_seen; i++)
		if (write(journal, seen[i], TAG_MAX) != TAG_MAX)
			die("write");
	if (n_seen && fdatasync(journal) < 0)
		die("fdatasync");
	for (size_t i = 0; i < n_seen; i++)
		put_ack(fds[next++ % n_loads], key, seen[i]);
	n_seen = 0;
}

/* keys "ack/0" and so on, in base64 */
static void watch(size_t number, const char *request, size_t request_len, const char *folder)
{
	static const char *const keys[] = { "YWNrLzA=", "YWNrLzE=", "YWNrLzI=", "YWNrLzM=", "YWNrLzQ=", "YWNrLzU=", "YWNrLzY=", "YWNrLzc=" };
	static char in[BUFFER];
	int fd = open_blocking(), fds[CONNECTIONS_MAX], journal = -1;
	char path[300];
	size_t len = 0;
	ssize_t n;

	snprintf(path, sizeof path, "%s/watcher-%zu", folder ? folder : "", number);
	if (folder && (journal = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600)) < 0)
		die(path);
	for (size_t i = 0; folder && i < n_loads; i++)
		fds[i] = open_blocking();
	if (send(fd, request, request_len, MSG_NOSIGNAL) != (ssize_t)request_len)
		die("send");
	while ((n = recv(fd, in + len, sizeof in - len, 0)) > 0) {
		len = folder ? len + (size_t)n : 0;
		if (!folder)
			continue;
		look_for_tags(in, &len, note_seen);
		acknowledge_all(journal, fds, keys[number]);
	}
	_exit(1);
}

static void start_watchers(const char *request_path, const char *acks_path, const char *folder)
{
	size_t len;
	const char *text = read_file(request_path, &len);

	for (size_t i = 0; i < n_watchers; i++) {
		watchers[i] = fork();
		if (watchers[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			watch(i, text, len, folder);
		}
		if (watchers[i] < 0)
			die("fork");
	}
	if (acks_path) {
		text = read_file(acks_path, &len);
		open_end(&acks_watch, WATCH);
		ask(&acks_watch, text, len);
	}
	turn_until(now_ns() + 500000000u); /* until all of them watch */
}

static void end_watchers(void)
{
	for (size_t i = 0; i < n_watchers; i++) {
		kill(watchers[i], SIGKILL);
		waitpid(watchers[i], NULL, 0);
	}
}

int main(int argc, char **argv)
{
	uint64_t started;
	double seconds;

	if (argc != 6 && argc != 8 && argc != 10) {
		fprintf(stderr, "usage: http_blast ADDRESS PORT CONNECTIONS SECONDS REQUESTS [WATCHERS WATCH_REQUEST [ACKS_WATCH_REQUEST FOLDER]]\n");
		return 2;
	}
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	to.sin_port = htons((uint16_t)atoi(argv[2]));
	n_loads = (size_t)atoi(argv[3]);
	acknowledging = argc == 10;
	n_watchers = argc > 6 ? (size_t)atoi(argv[6]) : 0;
	if (inet_pton(AF_INET, argv[1], &to.sin_addr) != 1 || n_loads < 1 || n_loads > CONNECTIONS_MAX || n_watchers > WATCHERS_MAX) {
		fprintf(stderr, "an IPv4 address, 1 to %d connections, up to %d watchers\n", CONNECTIONS_MAX, WATCHERS_MAX);
		return 2;
	}
	read_requests(argv[5]);
	if (n_watchers)
		start_watchers(argv[7], acknowledging ? argv[8] : NULL, acknowledging ? argv[9] : NULL);
	started = now_ns();
	for (size_t i = 0; i < n_loads; i++)
		open_end(&loads[i], LOAD);
	for (size_t i = 0; i < n_loads; i++)
		ask_next(&loads[i]);
	turn_until(started + (uint64_t)(atof(argv[4]) * 1e9));
	seconds = (double)(now_ns() - started) / 1e9;
	ending = true;
	end_watchers();
	qsort(samples_us, n_samples, sizeof *samples_us, by_size);
	if (!n_samples) {
		fprintf(stderr, "not one reply\n");
		return 1;
	}
	printf("%.0f %u %u %zu\n", (double)n_samples / seconds, samples_us[n_samples / 2], samples_us[n_samples * 99 / 100], n_failed);
	return 0;
}
