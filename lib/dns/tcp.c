/* tcp - see tcp.h. An accepted socket has the mark of its SYN (net.ipv4.tcp_fwmark_accept), so replies need no more. */
#include "lib/dns/tcp_listener.h"

#include "lib/sixpn/addr.h"

#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* What one connection gets before the others, and the forwarder, have their turn: so many queries, or so much to send. */
#define TURN_QUERIES 16
#define TURN_BYTES 16384

/* A forwarded query. */
struct tcp_waiter {
	struct dns_waiter waiter;
	struct dns_tcp_connection *connection;
	struct tcp_waiter *next, **link;
};

struct dns_tcp_connection {
	struct dns_tcp *tcp;
	const struct dns_tcp_listener *listener;
	struct dns_tcp_connection *next, **link;
	struct loop_io io;
	struct loop_timer idle;
	struct in6_addr source;
	struct dns_stream stream;
	struct tcp_waiter *waiting;
	size_t n_waiting;
	bool stepping, failed; /* stepping: in connection_step, which will send; failed: an answer did not fit, close */
	bool ended; /* it will send no more; what it asked is still answered */
};

static void free_waiter(struct tcp_waiter *w)
{
	*w->link = w->next;
	if (w->next)
		w->next->link = w->link;
	w->connection->n_waiting--;
	free(w);
}

static void connection_close(struct dns_tcp_connection *c)
{
	struct dns_tcp *t = c->tcp;

	while (c->waiting) {
		dns_forward_cancel(t->forward, &c->waiting->waiter);
		free_waiter(c->waiting);
	}
	loop_remove_io(&c->io);
	loop_cancel_timer(&c->idle);
	close(c->io.fd);
	dns_stream_deinit(&c->stream);
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	t->n--;
	atomic_store_explicit(&t->tally->tcp_open, t->n, memory_order_relaxed);
	free(c);
}

static void connection_idle(struct loop_timer *timer)
{
	struct dns_tcp_connection *c = container_of(timer, struct dns_tcp_connection, idle);

	/* Whoever waits for us is not idle; and we answer in time. */
	if (c->n_waiting && loop_set_timer_in(c->tcp->loop, &c->idle, c->tcp->idle_ms) == 0)
		return;
	dns_tally_count(c->tcp->tally, DNS_COUNT_TCP_IDLE);
	connection_close(c);
}

static void connection_step(struct dns_tcp_connection *c);

static void forward_answered(struct dns_waiter *waiter, const uint8_t *message, size_t len, uint16_t rcode)
{
	struct tcp_waiter *w = container_of(waiter, struct tcp_waiter, waiter);
	struct dns_tcp_connection *c = w->connection;
	struct dns_outcome outcome = { .tree = DNS_TREE_OTHER, .rcode = rcode, .note = DNS_NOTE_FORWARD };

	free_waiter(w);
	dns_tally_outcome(c->tcp->tally, &outcome, DNS_TCP);
	c->failed |= dns_stream_reply(&c->stream, message, len) < 0;
	(void)loop_set_timer_in(c->tcp->loop, &c->idle, c->tcp->idle_ms); /* it is armed: moving it needs no memory */
	if (!c->stepping)
		connection_step(c);
}

static void forward_dropped(struct dns_waiter *waiter)
{
	free_waiter(container_of(waiter, struct tcp_waiter, waiter));
}

/* Hands the query to the forwarder; false: it cannot. */
static bool forward_query(struct dns_tcp_connection *c, const uint8_t *query, size_t len, uint16_t keepalive)
{
	struct tcp_waiter *w = c->tcp->forward ? calloc(1, sizeof *w) : NULL;
	struct dns_query q;
	uint16_t rcode;

	if (!w || dns_query_parse(query, len, &q, &rcode) != 0) {
		free(w);
		return false;
	}
	w->connection = c;
	w->waiter.source = c->source;
	w->waiter.size = DNS_MESSAGE_MAX;
	w->waiter.keepalive = keepalive;
	w->waiter.answered = forward_answered;
	w->waiter.dropped = forward_dropped;
	w->next = c->waiting;
	w->link = &c->waiting;
	if (w->next)
		w->next->link = &w->next;
	c->waiting = w;
	c->n_waiting++;
	dns_forward_ask(c->tcp->forward, &w->waiter, &q);
	return true;
}

static int answer_query(struct dns_tcp_connection *c, const uint8_t *query, size_t len)
{
	struct dns_tcp *t = c->tcp;
	struct dns_asker asker = { .source = c->source, .local = c->listener->address, .transport = DNS_TCP,
				   .keepalive = (uint16_t)(t->idle_ms / 100 > UINT16_MAX ? UINT16_MAX : t->idle_ms / 100) };
	struct dns_outcome outcome;
	size_t n;

	dns_tally_asked(t->tally, c->listener->kind, DNS_TCP);
	dns_views_online();
	n = dns_answer(t->views, &asker, query, len, t->message, sizeof t->message, &outcome);
	dns_views_offline();
	if (!n) {
		dns_tally_dropped(t->tally, &outcome);
		return -EBADMSG; /* a reply instead of a query: not somebody to talk to */
	}
	if (outcome.note == DNS_NOTE_FORWARD) {
		if (forward_query(c, query, len, asker.keepalive))
			return c->failed ? -ENOMEM : 0;
		dns_tally_count(t->tally, DNS_COUNT_FORWARD_UNAVAILABLE);
	}
	dns_tally_outcome(t->tally, &outcome, DNS_TCP);
	return dns_stream_reply(&c->stream, t->message, n);
}

static bool may_take_query(const struct dns_tcp_connection *c)
{
	return !dns_stream_full(&c->stream) && c->n_waiting < DNS_TCP_WAITING_MAX;
}

static bool had_its_turn(const struct dns_tcp_connection *c, unsigned n)
{
	size_t unsent;

	(void)dns_stream_unsent(&c->stream, &unsent);
	return n == TURN_QUERIES || unsent >= TURN_BYTES || !may_take_query(c);
}

/* Answers what has arrived whole, as long as the answers are being taken and it is its turn. 1: it stopped before it knew that there
 * is no other query. */
static int answer_queries(struct dns_tcp_connection *c)
{
	for (unsigned n = 0; !had_its_turn(c, n); n++) {
		const uint8_t *query;
		size_t len;
		int r = dns_stream_next(&c->stream, &query, &len);

		if (r == DNS_STREAM_MORE)
			return 0;
		if (r == 0)
			r = answer_query(c, query, len);
		else
			r = -EBADMSG;
		if (r == -EBADMSG)
			dns_tally_count(c->tcp->tally, DNS_COUNT_TCP_BAD);
		if (r < 0)
			return r;
		r = loop_set_timer_in(c->tcp->loop, &c->idle, c->tcp->idle_ms);
		if (r < 0)
			return r;
	}
	return 1;
}

static int send_answers(struct dns_tcp_connection *c)
{
	size_t n;
	const uint8_t *bytes = dns_stream_unsent(&c->stream, &n);

	while (n) {
		ssize_t sent = send(c->io.fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno == EAGAIN)
			return 0;
		if (sent < 0) {
			bool no_route = errno == EHOSTUNREACH || errno == ENETUNREACH;

			dns_tally_count(c->tcp->tally, no_route ? DNS_COUNT_UNREACHABLE : DNS_COUNT_SEND_FAILED);
			return -EPIPE;
		}
		dns_stream_sent(&c->stream, (size_t)sent);
		bytes = dns_stream_unsent(&c->stream, &n);
	}
	return 0;
}

/* 1: there may be another query, and it may be taken. */
static int answer_and_send(struct dns_tcp_connection *c)
{
	int more = c->failed ? -ENOMEM : answer_queries(c);
	int r = more < 0 ? more : send_answers(c);

	return r < 0 ? r : more && may_take_query(c);
}

/* One turn; then wait for what is missing. */
static void connection_step(struct dns_tcp_connection *c)
{
	size_t unsent;
	int r; /* 1 = and another turn */

	c->stepping = true;
	r = answer_and_send(c);
	c->stepping = false;
	(void)dns_stream_unsent(&c->stream, &unsent);
	if (r < 0 || (r == 0 && !unsent && c->ended && !c->n_waiting)) {
		connection_close(c);
		return;
	}
	/* Nothing is read from somebody who does not take his answers. A place to write is there at once: that is the next turn. */
	uint32_t events = (unsent || r ? EPOLLOUT : 0u) | (r || c->ended || !may_take_query(c) ? 0u : EPOLLIN);

	if (events != c->io.events && loop_set_io(&c->io, events) < 0)
		connection_close(c);
}

static void connection_ready(struct loop_io *io, uint32_t revents)
{
	struct dns_tcp_connection *c = container_of(io, struct dns_tcp_connection, io);

	if (revents & EPOLLIN && !c->ended) {
		size_t room;
		uint8_t *at = dns_stream_room(&c->stream, &room);
		ssize_t n = recv(io->fd, at, room, MSG_DONTWAIT);

		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			connection_close(c);
			return;
		}
		if (n > 0)
			dns_stream_received(&c->stream, (size_t)n);
		c->ended = n == 0;
	} else if (revents & (EPOLLERR | EPOLLHUP)) {
		connection_close(c);
		return;
	}
	connection_step(c);
}

static uint32_t network_of(const struct in6_addr *source)
{
	return get_u32(source->s6_addr + 2);
}

/* Below the caps of its own? */
static bool has_share(const struct dns_tcp *t, const struct in6_addr *source)
{
	struct in6_addr sender = addr_sender(source), other;
	size_t n_source = 0, n_network = 0;

	for (const struct dns_tcp_connection *c = t->first; c; c = c->next) {
		other = addr_sender(&c->source);
		n_source += !memcmp(&other, &sender, sizeof sender);
		n_network += network_of(&c->source) == network_of(source);
	}
	return n_network < DNS_TCP_NETWORK_MAX && n_source < DNS_TCP_SOURCE_MAX;
}

/* What the connections of one network take; the oldest, and the oldest that nobody waits at. */
struct share {
	uint32_t network;
	unsigned n;
	struct dns_tcp_connection *oldest, *oldest_quiet;
};

static size_t find_share(struct share *shares, size_t n, uint32_t network)
{
	size_t i = 0;

	while (i < n && shares[i].network != network)
		i++;
	return i;
}

/* All places are taken. Whose connection gives way to one of this network: one of whoever has most, if that is more than the newcomer
 * would have then; NULL = nobody's. A few networks of one customer could keep all others out else. RFC 7766 6.2.3: clients come again. */
static struct dns_tcp_connection *who_gives_way(struct dns_tcp *t, uint32_t network)
{
	struct share shares[DNS_TCP_TOTAL_MAX + 1];
	size_t n = 0, most = 0, own;

	for (struct dns_tcp_connection *c = t->first; c; c = c->next) { /* the newest first */
		size_t i = find_share(shares, n, network_of(&c->source)), unsent;

		if (i == n)
			shares[n++] = (struct share){ .network = network_of(&c->source) };
		shares[i].n++;
		shares[i].oldest = c;
		if (!dns_stream_unsent(&c->stream, &unsent) && !c->n_waiting)
			shares[i].oldest_quiet = c;
		if (shares[i].n > shares[most].n)
			most = i;
	}
	own = find_share(shares, n, network);
	if (!n || shares[most].n <= (own < n ? shares[own].n : 0) + 1)
		return NULL;
	return shares[most].oldest_quiet ? shares[most].oldest_quiet : shares[most].oldest;
}

static bool has_place(struct dns_tcp *t, const struct in6_addr *source)
{
	struct dns_tcp_connection *c;

	if (!has_share(t, source))
		return false;
	if (t->n < DNS_TCP_TOTAL_MAX)
		return true;
	c = who_gives_way(t, network_of(source));
	if (!c)
		return false;
	dns_tally_count(t->tally, DNS_COUNT_TCP_GAVE_WAY);
	connection_close(c);
	return true;
}

/* Takes the descriptor in any case. */
static int connection_add(struct dns_tcp *t, const struct dns_tcp_listener *at, int fd, const struct in6_addr *source)
{
	struct dns_tcp_connection *c = calloc(1, sizeof *c);
	int on = 1, r = -ENOMEM;

	if (!c)
		goto fail;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	c->tcp = t;
	c->listener = at;
	c->source = *source;
	c->io = (struct loop_io){ .fd = fd, .events = EPOLLIN, .ready = connection_ready };
	c->idle.expired = connection_idle;
	dns_stream_init(&c->stream);
	r = loop_set_timer_in(t->loop, &c->idle, t->idle_ms);
	if (r < 0)
		goto fail;
	r = loop_add_io(t->loop, &c->io);
	if (r < 0) {
		loop_cancel_timer(&c->idle);
		goto fail;
	}
	c->next = t->first;
	c->link = &t->first;
	if (c->next)
		c->next->link = &c->next;
	t->first = c;
	atomic_store_explicit(&t->tally->tcp_open, ++t->n, memory_order_relaxed);
	return 0;
fail:
	free(c);
	close(fd);
	return r;
}

void dns_tcp_take(struct dns_tcp *t, const struct dns_tcp_listener *at, int fd, const struct in6_addr *source)
{
	if (!has_place(t, source)) {
		dns_tally_count(t->tally, DNS_COUNT_TCP_REFUSED);
		close(fd);
	} else if (connection_add(t, at, fd, source) < 0) {
		dns_tally_count(t->tally, DNS_COUNT_TCP_REFUSED);
	} else {
		dns_tally_count(t->tally, DNS_COUNT_TCP_ACCEPTED);
	}
}

void dns_tcp_close(struct dns_tcp *t, const struct dns_tcp_listener *of)
{
	for (struct dns_tcp_connection *c = t->first, *next; c; c = next) {
		next = c->next;
		if (!of || c->listener == of)
			connection_close(c);
	}
}
