/* udp - see udp.h. 16 messages a round is where the cost of the system call stops mattering (gdnsd found the same). */
#include "lib/dns/udp.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#ifndef SO_RCVMARK
#define SO_RCVMARK 75
#endif

#define WAIT_US 200000                   /* how long a stop may have to wait */
#define RECEIVE_BUFFER (4 << 20)         /* the default holds 250 small datagrams */
#define NETWORK_RECEIVE_BUFFER (64 << 10) /* the kernel doubles it: 150 small datagrams, and a network cannot take more memory */

static int refuse(struct why *why, int error, const char *what)
{
	why_set(why, "dns_socket", "dns", "%s: %s", what, strerror(error));
	return -error;
}

static int set_marks(int fd, struct why *why)
{
	int on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVMARK, &on, sizeof on) == 0)
		return 0;
	if (errno == ENOPROTOOPT)
		return refuse(why, ENOTSUP, "this kernel cannot tell the mark of a packet (SO_RCVMARK); Linux 6.1 or later is needed");
	return refuse(why, errno, "asking for the marks of packets (SO_RCVMARK; needs CAP_NET_ADMIN or CAP_NET_RAW)");
}

static int set_options(int fd, enum dns_udp_kind kind)
{
	struct timeval wait = { .tv_usec = WAIT_US };
	int on = 1, room = kind == DNS_UDP_WORKER ? RECEIVE_BUFFER : NETWORK_RECEIVE_BUFFER;
	/* Workers share what comes. A network that comes back at once may meet its old socket, which the slow thread has not closed yet; the
	 * newest gets what comes. SO_REUSEPORT would do that too, but walks over all sockets of the port with every one that is bound. */
	int share = kind == DNS_UDP_WORKER ? SO_REUSEPORT : SO_REUSEADDR;

	if (setsockopt(fd, SOL_SOCKET, share, &on, sizeof on) < 0 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0)
		return -errno;
	if (kind == DNS_UDP_WORKER && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) < 0)
		return -errno;
	if (kind == DNS_UDP_NETWORK && setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof on) < 0)
		return -errno;
	/* Good to have: a queue of the right size, and the number of what did not fit. */
	if (kind == DNS_UDP_NETWORK || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
	(void)setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on);
	return 0;
}

int dns_udp_open(const struct in6_addr *address, uint16_t port, enum dns_udp_kind kind, struct dns_udp_socket *ret_socket,
		 struct why *why)
{
	CLEAN_CLOSE int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in6 local = { .sin6_family = AF_INET6, .sin6_addr = *address, .sin6_port = htons(port) };
	int r;

	if (fd < 0)
		return refuse(why, errno, "making a UDP socket");
	r = set_marks(fd, why);
	if (r < 0)
		return r;
	r = set_options(fd, kind);
	if (r < 0)
		return refuse(why, -r, "preparing a UDP socket");
	if (bind(fd, (struct sockaddr *)&local, sizeof local) < 0)
		return refuse(why, errno, "binding the UDP socket of the name server");
	*ret_socket = (struct dns_udp_socket){ .fd = fd, .address = *address };
	fd = -1;
	return 0;
}

void dns_udp_close(struct dns_udp_socket *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

static void count_send_error(struct dns_tally *tally, int error)
{
	bool no_route = error == EHOSTUNREACH || error == ENETUNREACH;

	dns_tally_count(tally, no_route ? DNS_COUNT_UNREACHABLE : DNS_COUNT_SEND_FAILED);
}

/* Without a mark there is no control message: setting one, even to 0, is a privilege. */
static void put_mark(struct msghdr *h, uint8_t *control, uint32_t mark)
{
	struct cmsghdr *c;

	h->msg_control = NULL;
	h->msg_controllen = 0;
	if (!mark)
		return;
	h->msg_control = control;
	h->msg_controllen = CMSG_SPACE(sizeof mark);
	c = CMSG_FIRSTHDR(h);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SO_MARK;
	c->cmsg_len = CMSG_LEN(sizeof mark);
	memcpy(CMSG_DATA(c), &mark, sizeof mark);
}

void dns_udp_send(int fd, const struct sockaddr_in6 *to, uint32_t mark, const uint8_t *message, size_t len, struct dns_tally *tally)
{
	struct iovec io = { (void *)(uintptr_t)message, len };
	struct msghdr h = { .msg_name = (void *)(uintptr_t)to, .msg_namelen = sizeof *to, .msg_iov = &io, .msg_iovlen = 1 };
	_Alignas(8) uint8_t control[CMSG_SPACE(sizeof mark)] = { 0 };

	put_mark(&h, control, mark);
	if (sendmsg(fd, &h, MSG_DONTWAIT) < 0)
		count_send_error(tally, errno);
}

void dns_udp_batch_init(struct dns_udp_batch *b)
{
	memset(b, 0, sizeof *b);
	for (size_t i = 0; i < DNS_UDP_BATCH; i++) {
		b->in_io[i] = (struct iovec){ b->query[i], DNS_UDP_QUERY_ROOM };
		b->in[i].msg_hdr = (struct msghdr){ .msg_name = &b->from[i], .msg_iov = &b->in_io[i], .msg_iovlen = 1 };
		b->out[i].msg_hdr = (struct msghdr){ .msg_iov = &b->out_io[i], .msg_iovlen = 1 };
	}
}

static int receive(struct dns_udp_batch *b, int fd, int flags)
{
	for (size_t i = 0; i < DNS_UDP_BATCH; i++) {
		struct msghdr *h = &b->in[i].msg_hdr;

		h->msg_namelen = sizeof b->from[i];
		h->msg_control = b->in_control[i];
		h->msg_controllen = sizeof b->in_control[i];
		h->msg_flags = 0;
	}
	return recvmmsg(fd, b->in, DNS_UDP_BATCH, flags, NULL);
}

/* The mark of the query; takes note of what the kernel had to drop. */
static uint32_t read_control(const struct dns_udp_round *round, struct msghdr *h)
{
	uint32_t mark = 0, overflowed;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_len != CMSG_LEN(sizeof mark))
			continue;
		if (c->cmsg_type == SO_MARK) {
			memcpy(&mark, CMSG_DATA(c), sizeof mark);
		} else if (c->cmsg_type == SO_RXQ_OVFL) {
			memcpy(&overflowed, CMSG_DATA(c), sizeof overflowed);
			dns_tally_raise(&round->tally->counters[DNS_COUNT_OVERFLOWED], overflowed - round->socket->overflowed);
			round->socket->overflowed = overflowed;
		}
	}
	return mark;
}

static void answer_one(const struct dns_udp_round *round, struct dns_udp_batch *b, size_t i)
{
	struct dns_asker asker = { .source = b->from[i].sin6_addr, .local = round->socket->address, .transport = DNS_UDP };

	b->mark[i] = read_control(round, &b->in[i].msg_hdr);
	dns_tally_asked(round->tally, round->listener, DNS_UDP);
	b->len[i] = dns_answer(round->views, &asker, b->query[i], b->in[i].msg_len, b->reply[i], DNS_UDP_MAX, &b->outcome[i]);
	if (b->len[i] && b->from[i].sin6_port)
		return;
	dns_tally_dropped(round->tally, &b->outcome[i]);
	b->len[i] = 0;
}

/* Hands over what is to be forwarded; what is left is put in line to be sent. */
static size_t sort_out(const struct dns_udp_round *round, struct dns_udp_batch *b, size_t n)
{
	size_t n_out = 0;

	for (size_t i = 0; i < n; i++) {
		struct msghdr *h = &b->out[n_out].msg_hdr;

		if (!b->len[i] || (b->outcome[i].note == DNS_NOTE_FORWARD &&
				   round->forward(round->ctx, &b->from[i], b->mark[i], b->query[i], b->in[i].msg_len)))
			continue;
		dns_tally_outcome(round->tally, &b->outcome[i], DNS_UDP);
		b->out_io[n_out] = (struct iovec){ b->reply[i], b->len[i] };
		h->msg_name = &b->from[i];
		h->msg_namelen = sizeof b->from[i];
		put_mark(h, b->out_control[n_out], b->mark[i]);
		n_out++;
	}
	return n_out;
}

static void send_all(const struct dns_udp_round *round, struct dns_udp_batch *b, size_t n)
{
	for (size_t at = 0; at < n;) {
		int sent = sendmmsg(round->socket->fd, b->out + at, (unsigned)(n - at), MSG_DONTWAIT);

		if (sent > 0) {
			at += (size_t)sent;
		} else if (errno != EINTR) {
			/* The error is that of the first; the others may well have a route. */
			count_send_error(round->tally, errno);
			at++;
		}
	}
}

int dns_udp_answer(const struct dns_udp_round *round, struct dns_udp_batch *b, int flags)
{
	int n = receive(b, round->socket->fd, flags);

	if (n < 0)
		return -errno;
	dns_views_online();
	for (size_t i = 0; i < (size_t)n; i++)
		answer_one(round, b, i);
	dns_views_offline();
	send_all(round, b, sort_out(round, b, (size_t)n));
	return n;
}
