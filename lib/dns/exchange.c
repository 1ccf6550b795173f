/* exchange - see exchange.h. Sockets are plain: they carry no mark of ours, so an upstream is reached as anything on this machine
 * reaches it, and never through the 6PN. */
#include "lib/dns/exchange.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define RECEIVES_PER_ROUND 32

static void close_socket(struct dns_exchange *x)
{
	if (x->io.fd < 0)
		return;
	loop_remove_io(&x->io);
	close(x->io.fd);
	x->io.fd = -1;
	dns_forward_set(x->env->tally, DNS_FORWARD_NOW_SOCKETS, --x->env->n_open);
}

void dns_exchange_stop(struct dns_exchange *x)
{
	if (!x->env)
		return;
	close_socket(x);
	free(x->in);
	x->in = NULL;
	x->env = NULL;
}

static void end(struct dns_exchange *x, enum dns_exchange_end how, const struct dns_reply_in *in)
{
	uint8_t *bytes = TAKE(x->in); /* `in` may point into it */

	dns_exchange_stop(x);
	x->ended(x, how, in);
	free(bytes);
}

/* ---- sending ---- */

/* Not blocking, connected or on the way to it, in the loop. */
static int open_socket(struct dns_exchange *x, int type, void (*ready)(struct loop_io *io, uint32_t revents))
{
	struct dns_exchange_env *env = x->env;
	uint32_t events = type == SOCK_STREAM ? EPOLLOUT : EPOLLIN;
	CLEAN_CLOSE int fd = -1;
	int r;

	if (env->n_open >= env->max_open)
		return -EMFILE;
	fd = socket(x->to.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || (connect(fd, (const struct sockaddr *)&x->to, x->to_len) < 0 && errno != EINPROGRESS))
		return -errno;
	x->io = (struct loop_io){ .fd = fd, .events = events, .ready = ready };
	r = loop_add_io(env->loop, &x->io);
	if (r < 0) {
		x->io.fd = -1;
		return r;
	}
	fd = -1;
	dns_forward_set(env->tally, DNS_FORWARD_NOW_SOCKETS, ++env->n_open);
	return 0;
}

/* A new id and new letters for each socket: what a forger saw or guessed is worth nothing on the next. */
static void draw(struct dns_exchange *x)
{
	uint8_t bits[DNS_NAME_MAX / 8 + 1];

	clock_random(&x->env->clock, &x->sent.id, sizeof x->sent.id);
	if (x->env->mix_case) {
		clock_random(&x->env->clock, bits, sizeof bits);
		dns_sent_mix_case(&x->sent, bits);
	}
	x->out_len = 2 + dns_sent_encode(&x->sent, x->out + 2);
	put_u16(x->out, (uint16_t)(x->out_len - 2));
	x->out_sent = 0;
}

static void tcp_ready(struct loop_io *io, uint32_t revents);
static void udp_ready(struct loop_io *io, uint32_t revents);

static int begin_udp(struct dns_exchange *x)
{
	int r;

	x->tcp = false;
	x->sent.any_case = false;
	draw(x);
	r = open_socket(x, SOCK_DGRAM, udp_ready);
	if (r < 0)
		return r;
	dns_forward_count(x->env->tally, DNS_FORWARD_SENT_UDP);
	/* A full queue is like a lost packet. */
	if (send(x->io.fd, x->out + 2, x->out_len - 2, MSG_NOSIGNAL) < 0 && errno != EAGAIN && errno != ENOBUFS)
		return -errno;
	return 0;
}

static int begin_tcp(struct dns_exchange *x)
{
	int r;

	close_socket(x);
	x->tcp = x->sent.any_case = true;
	x->in_len = 0;
	x->in_want = 2;
	draw(x);
	r = open_socket(x, SOCK_STREAM, tcp_ready);
	if (r == 0)
		dns_forward_count(x->env->tally, DNS_FORWARD_SENT_TCP);
	return r;
}

int dns_exchange_start(struct dns_exchange *x, struct dns_exchange_env *env, const struct sockaddr_storage *to, socklen_t to_len,
		       const struct dns_sent *sent, bool tcp)
{
	int r;

	x->env = env;
	x->io.fd = -1;
	x->sent = *sent;
	x->to = *to;
	x->to_len = to_len;
	x->folded = false;
	x->in = NULL;
	x->strays = 0;
	x->started_ms = loop_now_ms(env->loop);
	r = tcp ? begin_tcp(x) : begin_udp(x);
	if (r < 0)
		dns_exchange_stop(x);
	return r;
}

/* ---- receiving ---- */

static void go_to_tcp(struct dns_exchange *x, enum dns_forward_counter why)
{
	dns_forward_count(x->env->tally, why);
	if (begin_tcp(x) < 0)
		end(x, DNS_EXCHANGE_UNREACHABLE, NULL);
}

static void count_drop(struct dns_exchange *x, enum dns_verdict verdict)
{
	enum { FIRST = DNS_FORWARD_DROPPED_WRONG_ID, LAST = DNS_FORWARD_DROPPED_UNSOUND };

	_Static_assert(LAST - FIRST == DNS_VERDICT_UNSOUND - DNS_VERDICT_WRONG_ID, "the same order");
	dns_forward_count(x->env->tally, (enum dns_forward_counter)(FIRST + (verdict - DNS_VERDICT_WRONG_ID)));
}

/* One datagram. True if the exchange has ended or gone to TCP. */
static bool take_datagram(struct dns_exchange *x, size_t len)
{
	struct dns_exchange_env *env = x->env;
	bool oversize = len > DNS_UDP_MAX;
	enum dns_verdict verdict;

	/* More than we said we take: it came in fragments, and all of those but the first are easy to forge. As if it said TC. */
	if (oversize)
		env->bytes[2] |= DNS_FLAG_TRUNCATED >> 8;
	verdict = dns_reply_in_judge(&x->sent, env->bytes, oversize ? DNS_UDP_MAX : len, &env->in);
	if (dns_verdict_drops(verdict)) {
		count_drop(x, verdict);
		if (verdict == DNS_VERDICT_WRONG_CASE) {
			/* Either this upstream does not keep letters, or somebody guesses well. TCP is right for both. */
			x->folded = true;
			go_to_tcp(x, DNS_FORWARD_FOLDED);
			return true;
		}
		if (++x->strays < DNS_EXCHANGE_STRAYS_MAX)
			return false;
		go_to_tcp(x, DNS_FORWARD_FLOODED);
	} else if (verdict == DNS_VERDICT_TRUNCATED) {
		go_to_tcp(x, oversize ? DNS_FORWARD_OVERSIZE : DNS_FORWARD_TRUNCATED);
	} else {
		end(x, verdict == DNS_VERDICT_GOOD ? DNS_EXCHANGE_ANSWERED :
			verdict == DNS_VERDICT_NO_EDNS ? DNS_EXCHANGE_NO_EDNS : DNS_EXCHANGE_FAILED,
		    verdict == DNS_VERDICT_GOOD ? &env->in : NULL);
	}
	return true;
}

static void udp_ready(struct loop_io *io, uint32_t revents)
{
	struct dns_exchange *x = container_of(io, struct dns_exchange, io);

	(void)revents;
	for (size_t i = 0; i < RECEIVES_PER_ROUND; i++) {
		ssize_t n = recv(io->fd, x->env->bytes, sizeof x->env->bytes, MSG_DONTWAIT | MSG_TRUNC);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			end(x, DNS_EXCHANGE_UNREACHABLE, NULL);
			return;
		}
		if (take_datagram(x, (size_t)n))
			return;
	}
}

/* True when all is sent. */
static bool send_rest(struct dns_exchange *x)
{
	ssize_t n = send(x->io.fd, x->out + x->out_sent, x->out_len - x->out_sent, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			end(x, DNS_EXCHANGE_UNREACHABLE, NULL);
		return false;
	}
	x->out_sent += (size_t)n;
	return x->out_sent == x->out_len;
}

static void take_message(struct dns_exchange *x)
{
	struct dns_exchange_env *env = x->env;
	enum dns_verdict verdict = dns_reply_in_judge(&x->sent, x->in, x->in_len, &env->in);

	if (dns_verdict_drops(verdict))
		count_drop(x, verdict);
	if (verdict == DNS_VERDICT_GOOD)
		end(x, DNS_EXCHANGE_ANSWERED, &env->in);
	else if (verdict == DNS_VERDICT_NO_EDNS)
		end(x, DNS_EXCHANGE_NO_EDNS, NULL);
	else
		end(x, verdict == DNS_VERDICT_FAILED ? DNS_EXCHANGE_FAILED : DNS_EXCHANGE_BAD_STREAM, NULL);
}

/* What has arrived of the length, then of the message. */
static void receive_rest(struct dns_exchange *x)
{
	uint8_t *into = x->in ? x->in : x->length;
	ssize_t n = recv(x->io.fd, into + x->in_len, x->in_want - x->in_len, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		end(x, DNS_EXCHANGE_BAD_STREAM, NULL);
		return;
	}
	x->in_len += (size_t)n;
	if (x->in_len < x->in_want)
		return;
	if (x->in) {
		take_message(x);
		return;
	}
	x->in_want = get_u16(x->length);
	x->in_len = 0;
	x->in = x->in_want < DNS_HEADER_LEN ? NULL : malloc(x->in_want);
	if (!x->in)
		end(x, DNS_EXCHANGE_BAD_STREAM, NULL);
}

static void tcp_ready(struct loop_io *io, uint32_t revents)
{
	struct dns_exchange *x = container_of(io, struct dns_exchange, io);

	if (x->out_sent < x->out_len) {
		if (revents & (EPOLLERR | EPOLLHUP)) {
			end(x, DNS_EXCHANGE_UNREACHABLE, NULL);
			return;
		}
		if (send_rest(x) && loop_set_io(io, EPOLLIN) < 0)
			end(x, DNS_EXCHANGE_UNREACHABLE, NULL);
		return;
	}
	receive_rest(x);
}
