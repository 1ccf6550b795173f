/* udp - see udp.h. A round: wait for up to 16 messages, answer them all while online to RCU, send what there is to send. 16 is
 * where the cost of the system call stops mattering (gdnsd found the same). */
#include "lib/dns/udp.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#ifndef SO_RCVMARK
#define SO_RCVMARK 75
#endif

#define BATCH 16
#define QUERY_ROOM 2048            /* what is longer is cut, and then wrong or only carries rubbish behind it */
#define WAIT_US 200000             /* how long a stop may have to wait */
#define RECEIVE_BUFFER (4 << 20)   /* the default holds 250 small datagrams */

struct batch {
	struct mmsghdr in[BATCH], out[BATCH];
	struct iovec in_io[BATCH], out_io[BATCH];
	struct sockaddr_in6 from[BATCH];
	_Alignas(8) uint8_t in_control[BATCH][2 * CMSG_SPACE(sizeof(uint32_t))];
	_Alignas(8) uint8_t out_control[BATCH][CMSG_SPACE(sizeof(uint32_t))];
	uint8_t query[BATCH][QUERY_ROOM];
	uint8_t reply[BATCH][DNS_UDP_MAX];
	uint32_t overflowed; /* the socket's own count so far */
};

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

int dns_udp_open(const struct in6_addr *address, uint16_t port, int *ret_fd, struct why *why)
{
	CLEAN_CLOSE int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in6 local = { .sin6_family = AF_INET6, .sin6_addr = *address, .sin6_port = htons(port) };
	struct timeval wait = { .tv_usec = WAIT_US };
	int on = 1, room = RECEIVE_BUFFER, r;

	if (fd < 0)
		return refuse(why, errno, "making a UDP socket");
	r = set_marks(fd, why);
	if (r < 0)
		return r;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) < 0)
		return refuse(why, errno, "preparing a UDP socket");
	/* Good to have: a bigger queue, and the number of what did not fit. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
	(void)setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&local, sizeof local) < 0)
		return refuse(why, errno, "binding the UDP socket of the name server");
	*ret_fd = fd;
	fd = -1;
	return 0;
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

static void batch_init(struct batch *b)
{
	memset(b, 0, sizeof *b);
	for (size_t i = 0; i < BATCH; i++) {
		b->in_io[i] = (struct iovec){ b->query[i], QUERY_ROOM };
		b->in[i].msg_hdr = (struct msghdr){ .msg_name = &b->from[i], .msg_iov = &b->in_io[i], .msg_iovlen = 1 };
		b->out[i].msg_hdr = (struct msghdr){ .msg_iov = &b->out_io[i], .msg_iovlen = 1 };
	}
}

static int batch_receive(struct batch *b, int fd)
{
	for (size_t i = 0; i < BATCH; i++) {
		struct msghdr *h = &b->in[i].msg_hdr;

		h->msg_namelen = sizeof b->from[i];
		h->msg_control = b->in_control[i];
		h->msg_controllen = sizeof b->in_control[i];
		h->msg_flags = 0;
	}
	return recvmmsg(fd, b->in, BATCH, MSG_WAITFORONE, NULL);
}

/* The mark of the query; takes note of what the kernel had to drop. */
static uint32_t read_control(struct dns_worker *w, struct batch *b, struct msghdr *h)
{
	uint32_t mark = 0, overflowed;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_len != CMSG_LEN(sizeof mark))
			continue;
		if (c->cmsg_type == SO_MARK) {
			memcpy(&mark, CMSG_DATA(c), sizeof mark);
		} else if (c->cmsg_type == SO_RXQ_OVFL) {
			memcpy(&overflowed, CMSG_DATA(c), sizeof overflowed);
			dns_tally_raise(&w->tally.counters[DNS_COUNT_OVERFLOWED], overflowed - b->overflowed);
			b->overflowed = overflowed;
		}
	}
	return mark;
}

static bool hand_over(struct dns_worker *w, const struct sockaddr_in6 *from, uint32_t mark, const uint8_t *query, size_t len)
{
	uint64_t one = 1;

	if (!dns_ring_put(w->ring, from, mark, query, len)) {
		dns_tally_count(&w->tally, DNS_COUNT_RING_FULL);
		return false;
	}
	dns_tally_count(&w->tally, DNS_COUNT_HANDED_OVER);
	/* Fails only when the counter is at its end, and then the reader is awake anyway. */
	(void)!write(w->wake_fd, &one, sizeof one);
	return true;
}

/* Answers message i into out slot n; false if there is nothing to send. */
static bool answer_one(struct dns_worker *w, struct batch *b, size_t i, size_t n)
{
	struct dns_asker asker = { .source = b->from[i].sin6_addr, .local = w->address, .transport = DNS_UDP };
	uint32_t mark = read_control(w, b, &b->in[i].msg_hdr);
	struct dns_outcome outcome;
	size_t len;

	dns_tally_count(&w->tally, DNS_COUNT_RECEIVED);
	len = dns_answer(w->views, &asker, b->query[i], b->in[i].msg_len, b->reply[n], DNS_UDP_MAX, &outcome);
	if (!len || !b->from[i].sin6_port) {
		dns_tally_count(&w->tally, DNS_COUNT_DROPPED);
		return false;
	}
	if (outcome.note == DNS_NOTE_FORWARD && hand_over(w, &b->from[i], mark, b->query[i], b->in[i].msg_len))
		return false;
	dns_tally_outcome(&w->tally, &outcome, DNS_UDP);
	b->out_io[n] = (struct iovec){ b->reply[n], len };
	b->out[n].msg_hdr.msg_name = &b->from[i];
	b->out[n].msg_hdr.msg_namelen = sizeof b->from[i];
	put_mark(&b->out[n].msg_hdr, b->out_control[n], mark);
	return true;
}

static void batch_send(struct dns_worker *w, struct batch *b, size_t n)
{
	for (size_t at = 0; at < n;) {
		int sent = sendmmsg(w->fd, b->out + at, (unsigned)(n - at), MSG_DONTWAIT);

		if (sent > 0) {
			at += (size_t)sent;
		} else if (errno != EINTR) {
			/* The error is that of the first; the others may well have a route. */
			count_send_error(&w->tally, errno);
			at++;
		}
	}
}

void *dns_worker_main(void *worker)
{
	struct dns_worker *w = worker;
	struct batch batch; /* 55 KiB of this thread's stack */

	batch_init(&batch);
	dns_views_reader_start();
	while (!atomic_load_explicit(&w->stop, memory_order_relaxed)) {
		int n = batch_receive(&batch, w->fd);
		size_t n_out = 0;

		if (n < 0) {
			if (errno != EAGAIN && errno != EINTR)
				dns_tally_count(&w->tally, DNS_COUNT_RECEIVE_FAILED);
			continue;
		}
		dns_views_online();
		for (size_t i = 0; i < (size_t)n; i++)
			n_out += answer_one(w, &batch, i, n_out);
		dns_views_offline();
		batch_send(w, &batch, n_out);
	}
	dns_views_reader_stop();
	return NULL;
}
