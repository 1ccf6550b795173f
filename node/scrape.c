/* scrape - see scrape.h. A connection reads until its request is complete, writes its reply, and is closed; each has one deadline. */
#include "node/scrape.h"

#include "lib/base/log.h"
#include "lib/base/metric.h"
#include "lib/sixpn/addr.h"
#include "node/scrape_request.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct connection {
	struct scrape *scrape;
	struct loop_io io; /* fd -1 = free */
	struct loop_timer deadline;
	size_t n_in, n_sent;
	bool replying;
	struct buf out;
	char in[SCRAPE_REQUEST_MAX];
};

struct listener {
	struct scrape *scrape;
	struct loop_io io;
};

struct scrape {
	struct loop *loop;
	void (*write)(void *ctx, struct buf *text);
	void *ctx;
	struct listener listeners[SCRAPE_LISTENERS_MAX];
	size_t n_listeners;
	struct connection connections[SCRAPE_CONNECTIONS_MAX];
	struct scrape_stats stats;
};

static void end(struct connection *c)
{
	loop_remove_io(&c->io);
	loop_cancel_timer(&c->deadline);
	close(c->io.fd);
	c->io.fd = -1;
	buf_deinit(&c->out);
	c->scrape->stats.connections--;
}

static void too_late(struct loop_timer *timer)
{
	struct connection *c = container_of(timer, struct connection, deadline);

	c->scrape->stats.late++;
	end(c);
}

static const char *reason(enum scrape_verdict verdict)
{
	switch (verdict) {
	case SCRAPE_GOOD: return "OK";
	case SCRAPE_ELSEWHERE: return "Not Found";
	case SCRAPE_METHOD: return "Method Not Allowed";
	case SCRAPE_TOO_LARGE: return "Request Header Fields Too Large";
	case SCRAPE_BAD:
	case SCRAPE_MORE: break;
	}
	return "Bad Request";
}

static void reply(struct connection *c, enum scrape_verdict verdict)
{
	struct scrape *s = c->scrape;
	CLEAN_BUF struct buf body = BUF_INIT(METRIC_TEXT_MAX);

	c->replying = true;
	if (verdict == SCRAPE_GOOD) {
		s->write(s->ctx, &body);
		s->stats.served++;
	} else {
		buf_printf(&body, "%s: GET /metrics is all there is\n", reason(verdict));
		s->stats.refused++;
	}
	c->out = BUF_INIT(METRIC_TEXT_MAX + 512);
	buf_printf(&c->out, "HTTP/1.0 %d %s\r\nContent-Type: " METRIC_CONTENT_TYPE "\r\nContent-Length: %zu\r\n%sConnection: close\r\n\r\n",
		   verdict, reason(verdict), body.len, verdict == SCRAPE_METHOD ? "Allow: GET\r\n" : "");
	buf_add(&c->out, body.data, body.len);
	if (buf_failed(&body) || buf_failed(&c->out) || loop_set_io(&c->io, EPOLLOUT) < 0)
		end(c);
}

static void read_on(struct connection *c)
{
	ssize_t n = recv(c->io.fd, c->in + c->n_in, sizeof c->in - c->n_in, 0);
	enum scrape_verdict verdict;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		end(c);
		return;
	}
	c->n_in += (size_t)n;
	verdict = scrape_judge(c->in, c->n_in);
	if (verdict != SCRAPE_MORE)
		reply(c, verdict);
}

static void write_on(struct connection *c)
{
	ssize_t n = send(c->io.fd, c->out.data + c->n_sent, c->out.len - c->n_sent, MSG_NOSIGNAL);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		c->n_sent += (size_t)n;
	if (n <= 0 || c->n_sent == c->out.len)
		end(c);
}

static void ready(struct loop_io *io, uint32_t revents)
{
	struct connection *c = container_of(io, struct connection, io);

	if (c->replying)
		write_on(c);
	else if (revents & EPOLLIN)
		read_on(c);
	else
		end(c);
}

static struct connection *free_place(struct scrape *s)
{
	for (size_t i = 0; i < SCRAPE_CONNECTIONS_MAX; i++)
		if (s->connections[i].io.fd < 0)
			return &s->connections[i];
	return NULL;
}

static void client_waits(struct loop_io *io, uint32_t revents)
{
	struct scrape *s = container_of(io, struct listener, io)->scrape;
	struct connection *c = free_place(s);
	int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)revents;
	if (fd < 0)
		return;
	if (!c) {
		s->stats.too_many++;
		close(fd);
		return;
	}
	*c = (struct connection){ .scrape = s, .io = { .fd = fd, .events = EPOLLIN, .ready = ready }, .deadline = { .expired = too_late } };
	s->stats.connections++;
	if (loop_add_io(s->loop, &c->io) < 0 || loop_set_timer_in(s->loop, &c->deadline, SCRAPE_LIFE_MS) < 0)
		end(c);
}

/* ---- listening ---- */

static int open_listener(const struct addr_endpoint *at, int *ret_fd)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(at->port) };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(at->port) };
	bool is_v6 = at->address_len == 16;
	CLEAN_CLOSE int fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;

	memcpy(is_v6 ? (void *)&v6.sin6_addr : (void *)&v4.sin_addr, at->address, at->address_len);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (is_v6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (bind(fd, is_v6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4, is_v6 ? sizeof v6 : sizeof v4) < 0 || listen(fd, 16) < 0)
		return -errno;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

static void add_listener(struct scrape *s, const struct addr_endpoint *at, const char *text)
{
	struct listener *l = &s->listeners[s->n_listeners];
	int fd = -1, e = open_listener(at, &fd);

	if (e == 0) {
		*l = (struct listener){ .scrape = s, .io = { .fd = fd, .events = EPOLLIN, .ready = client_waits } };
		e = loop_add_io(s->loop, &l->io);
	}
	if (e == 0) {
		s->n_listeners++;
		return;
	}
	if (fd >= 0)
		close(fd);
	log_warn("metrics", "cannot listen on %s: %s, ignoring", text, strerror(-e));
}

static int parse_list(const char *text, struct addr_endpoint ret[SCRAPE_LISTENERS_MAX], size_t *ret_n, struct why *why)
{
	char copy[512], *save = NULL;
	struct why inner;
	size_t n = 0;

	snprintf(copy, sizeof copy, "%s", text);
	for (char *one = strtok_r(copy, ", ", &save); one; one = strtok_r(NULL, ", ", &save)) {
		if (n == SCRAPE_LISTENERS_MAX)
			return why_set(why, "out_of_range", "metrics_listen", "metrics_listen has more than %d addresses", SCRAPE_LISTENERS_MAX);
		if (addr_endpoint_parse(one, &ret[n], &inner))
			return why_set(why, "value_invalid", "metrics_listen", "metrics_listen: %s", inner.text);
		n++;
	}
	*ret_n = n;
	return 0;
}

static bool is_loopback(const struct addr_endpoint *e)
{
	static const uint8_t own[16] = { [15] = 1 }, mapped[13] = { [10] = 0xff, [11] = 0xff, [12] = 127 };

	return e->address_len == 4 ? e->address[0] == 127 : !memcmp(e->address, own, 16) || !memcmp(e->address, mapped, sizeof mapped);
}

bool scrape_find_open(const char *listen, struct addr_endpoint *ret_endpoint)
{
	struct addr_endpoint at[SCRAPE_LISTENERS_MAX];
	size_t n = 0;

	if (parse_list(listen, at, &n, NULL))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!is_loopback(&at[i])) {
			*ret_endpoint = at[i];
			return true;
		}
	return false;
}

int scrape_new(struct loop *loop, const char *listen, void (*write)(void *ctx, struct buf *text), void *ctx, struct scrape **ret_scrape,
	       struct why *why)
{
	struct addr_endpoint at[SCRAPE_LISTENERS_MAX];
	char text[ADDR_ENDPOINT_TEXT_LEN];
	struct scrape *s;
	size_t n = 0;

	if (parse_list(listen, at, &n, why))
		return E_REFUSED;
	s = n ? calloc(1, sizeof *s) : NULL;
	if (n && !s)
		return -ENOMEM;
	if (s) {
		s->loop = loop;
		s->write = write;
		s->ctx = ctx;
		for (size_t i = 0; i < SCRAPE_CONNECTIONS_MAX; i++)
			s->connections[i].io.fd = -1;
		for (size_t i = 0; i < n; i++)
			add_listener(s, &at[i], addr_endpoint_text(&at[i], text));
	}
	*ret_scrape = s;
	return 0;
}

struct scrape *scrape_free(struct scrape *s)
{
	if (!s)
		return NULL;
	for (size_t i = 0; i < SCRAPE_CONNECTIONS_MAX; i++)
		if (s->connections[i].io.fd >= 0)
			end(&s->connections[i]);
	for (size_t i = 0; i < s->n_listeners; i++) {
		loop_remove_io(&s->listeners[i].io);
		close(s->listeners[i].io.fd);
	}
	free(s);
	return NULL;
}

const struct scrape_stats *scrape_stats(const struct scrape *scrape)
{
	return &scrape->stats;
}

int scrape_listener_fd(const struct scrape *scrape, size_t n)
{
	return n < scrape->n_listeners ? scrape->listeners[n].io.fd : -1;
}
