/* tcp_listener - see tcp_listener.h. */
#include "lib/dns/tcp_listener.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 1024
#define NETWORK_BACKLOG DNS_TCP_NETWORK_MAX /* at one of thousands of addresses: no more than will be accepted */
#define ACCEPTS_PER_ROUND 64 /* one would let who connects in vain, again and again, keep the others in the queue */
#define REST_MS 100

static void rest_over(struct loop_timer *timer)
{
	struct dns_tcp_listener *l = container_of(timer, struct dns_tcp_listener, rest);

	if (loop_set_io(&l->io, EPOLLIN) < 0)
		(void)loop_set_timer_in(l->tcp->loop, &l->rest, REST_MS);
}

/* Without a word: who asks at another network's address learns nothing, and costs nothing more. */
static void drop_foreign(struct dns_tcp *t, int fd)
{
	static const struct dns_outcome foreign = { .note = DNS_NOTE_WRONG_RESOLVER };
	struct linger none = { .l_onoff = 1 };

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none); /* RST */
	dns_tally_dropped(t->tally, &foreign);
	close(fd);
}

/* False: there is nobody to accept now. */
static bool accept_one(struct dns_tcp_listener *l)
{
	struct sockaddr_in6 from = { 0 };
	socklen_t len = sizeof from;
	int fd = accept4(l->io.fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		/* The connection stays in the backlog, and the listener would be ready for ever. */
		if ((errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) &&
		    loop_set_timer_in(l->tcp->loop, &l->rest, REST_MS) == 0)
			(void)loop_set_io(&l->io, 0);
		return false;
	}
	if (dns_resolver_serves(&l->address, &from.sin6_addr))
		dns_tcp_take(l->tcp, l, fd, &from.sin6_addr);
	else
		drop_foreign(l->tcp, fd);
	return true;
}

static void listener_ready(struct loop_io *io, uint32_t revents)
{
	struct dns_tcp_listener *l = container_of(io, struct dns_tcp_listener, io);

	(void)revents;
	for (size_t i = 0; i < ACCEPTS_PER_ROUND && accept_one(l); i++)
		;
}

static int set_options(int fd, enum dns_listener kind)
{
	int on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0)
		return -1;
	if (kind == DNS_LISTENER_RESOLVER)
		return 0;
	/* The port too: a network that comes back at once may meet its old socket, which the slow thread has not closed yet. */
	return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0 ||
			       setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof on) < 0 ?
		       -1 :
		       0;
}

int dns_tcp_open(const struct in6_addr *address, uint16_t port, enum dns_listener kind, struct dns_tcp_listener *ret_listener,
		 struct why *why)
{
	struct sockaddr_in6 local = { .sin6_family = AF_INET6, .sin6_addr = *address, .sin6_port = htons(port) };
	CLEAN_CLOSE int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || set_options(fd, kind) < 0 || bind(fd, (struct sockaddr *)&local, sizeof local) < 0 ||
	    listen(fd, kind == DNS_LISTENER_RESOLVER ? BACKLOG : NETWORK_BACKLOG) < 0) {
		int error = errno;

		why_set(why, "dns_socket", "dns", "listening on TCP port %u for the name server: %s", port, strerror(error));
		return -error;
	}
	*ret_listener = (struct dns_tcp_listener){ .address = *address, .kind = kind };
	ret_listener->io = (struct loop_io){ .fd = fd, .events = EPOLLIN, .ready = listener_ready };
	ret_listener->rest.expired = rest_over;
	fd = -1;
	return 0;
}

int dns_tcp_listen(struct dns_tcp_listener *l, struct dns_tcp *t)
{
	l->tcp = t;
	return loop_add_io(t->loop, &l->io);
}

void dns_tcp_unlisten(struct dns_tcp_listener *l)
{
	if (l->tcp)
		dns_tcp_close(l->tcp, l);
	if (l->io.fd < 0)
		return;
	loop_cancel_timer(&l->rest);
	loop_remove_io(&l->io);
	close(l->io.fd);
	l->io.fd = -1;
}
