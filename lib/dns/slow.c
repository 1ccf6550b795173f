/* slow - see slow.h. */
#include "lib/dns/slow.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* How many handed-over queries before TCP gets its turn again. */
#define ROUND_MAX 64

/* A query that came by UDP and waits for the forwarder. */
struct udp_waiter {
	struct dns_waiter waiter;
	struct dns_slow *slow;
	const struct dns_udp_socket *socket; /* a worker's, which outlives it; or that of the network */
	struct dns_network *network;         /* NULL = a worker's */
	struct sockaddr_in6 from;
	uint32_t mark;
};

static void udp_done(struct udp_waiter *w)
{
	if (w->network)
		dns_network_release(w->network);
	free(w);
}

/* On the socket that was asked, with the asker's mark: that is the only way into its 6PN. */
static void udp_answered(struct dns_waiter *waiter, const uint8_t *message, size_t len, uint16_t rcode)
{
	struct udp_waiter *w = container_of(waiter, struct udp_waiter, waiter);
	struct dns_outcome outcome = { .tree = DNS_TREE_OTHER, .rcode = rcode, .note = DNS_NOTE_FORWARD };

	if (w->socket->fd >= 0) { /* else the network has left meanwhile */
		dns_tally_outcome(&w->slow->tally, &outcome, DNS_UDP);
		dns_udp_send(w->socket->fd, &w->from, w->mark, message, len, &w->slow->tally);
	}
	udp_done(w);
}

static void udp_dropped(struct dns_waiter *waiter)
{
	udp_done(container_of(waiter, struct udp_waiter, waiter));
}

/* False: it cannot be forwarded. */
static bool forward(struct dns_slow *s, const struct dns_udp_socket *socket, struct dns_network *network,
		    const struct sockaddr_in6 *from, uint32_t mark, const uint8_t *query, size_t len)
{
	struct udp_waiter *w = s->forward ? calloc(1, sizeof *w) : NULL;
	struct dns_query q;
	uint16_t rcode;

	if (!w || dns_query_parse(query, len, &q, &rcode) != 0) {
		free(w);
		return false;
	}
	*w = (struct udp_waiter){ .slow = s, .socket = socket, .network = network, .from = *from, .mark = mark };
	if (network)
		network->n_waiters++;
	w->waiter.source = from->sin6_addr;
	w->waiter.port = from->sin6_port;
	w->waiter.size = dns_query_udp_limit(&q);
	w->waiter.answered = udp_answered;
	w->waiter.dropped = udp_dropped;
	dns_forward_ask(s->forward, &w->waiter, &q);
	return true;
}

/* What was asked at the ::3 of a network. */
static bool forward_of_network(void *network, const struct sockaddr_in6 *from, uint32_t mark, const uint8_t *query, size_t len)
{
	struct dns_network *one = network;
	struct dns_slow *s = container_of(one->all, struct dns_slow, networks);

	if (forward(s, &one->socket, one, from, mark, query, len))
		return true;
	dns_tally_count(&s->tally, DNS_COUNT_FORWARD_UNAVAILABLE);
	return false;
}

/* There is no forwarder to give it to: the answer is SERVFAIL. */
static void refuse_item(struct dns_slow *s, const struct dns_worker *w, const struct dns_ring_item *item)
{
	struct dns_asker asker = { .source = item->from.sin6_addr, .local = w->socket.address, .transport = DNS_UDP };
	uint8_t message[DNS_UDP_MAX];
	struct dns_outcome outcome;
	size_t len;

	dns_views_online();
	len = dns_answer(s->views, &asker, item->query, item->len, message, sizeof message, &outcome);
	dns_views_offline();
	if (!len)
		return;
	dns_tally_count(&s->tally, DNS_COUNT_FORWARD_UNAVAILABLE);
	dns_tally_outcome(&s->tally, &outcome, DNS_UDP);
	dns_udp_send(w->socket.fd, &item->from, item->mark, message, len, &s->tally);
}

/* True if there may be more. */
static bool drain_ring(struct dns_slow *s, struct dns_worker *w)
{
	for (size_t i = 0; i < ROUND_MAX; i++) {
		const struct dns_ring_item *item = dns_ring_first(w->ring);

		if (!item)
			return false;
		if (!forward(s, &w->socket, NULL, &item->from, item->mark, item->query, item->len))
			refuse_item(s, w, item);
		dns_ring_drop(w->ring);
	}
	return true;
}

static void wake_ready(struct loop_io *io, uint32_t revents)
{
	struct dns_slow *s = container_of(io, struct dns_slow, wake);
	uint64_t n;
	bool more = false;

	(void)revents;
	(void)!read(io->fd, &n, sizeof n); /* before looking, so that nothing put after the look is missed */
	if (atomic_load_explicit(&s->stop, memory_order_acquire)) {
		loop_stop(s->loop, 0);
		return;
	}
	for (size_t i = 0; i < s->n_workers; i++)
		more |= drain_ring(s, &s->workers[i]);
	more |= dns_networks_take(&s->networks);
	if (more)
		dns_slow_wake(s);
}

void dns_slow_wake(struct dns_slow *s)
{
	uint64_t one = 1;

	(void)!write(s->wake.fd, &one, sizeof one);
}

static int init_networks(struct dns_slow *s)
{
	const struct dns_networks_use use = { .loop = s->loop, .tcp = &s->tcp, .views = s->views, .tally = &s->tally,
					      .forward = forward_of_network };

	return dns_networks_init(&s->networks, &use);
}

int dns_slow_init(struct dns_slow *s, const struct dns_views *views)
{
	int r;

	s->wake = (struct loop_io){ .fd = -1, .events = EPOLLIN, .ready = wake_ready };
	s->listener.io.fd = -1;
	s->views = views;
	r = loop_new(&s->loop);
	if (r < 0)
		return r;
	s->wake.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->wake.fd < 0)
		return -errno;
	r = loop_add_io(s->loop, &s->wake);
	s->tcp.loop = s->loop;
	s->tcp.views = views;
	s->tcp.tally = &s->tally;
	if (r == 0)
		r = init_networks(s);
	return r;
}

int dns_slow_forward(struct dns_slow *s, const struct dns_forward_options *options, struct why *why)
{
	int r = dns_forward_new(s->loop, options, &s->forward, why);

	s->tcp.forward = s->forward;
	return r;
}

int dns_slow_listen(struct dns_slow *s, const struct in6_addr *address, uint16_t port, struct why *why)
{
	int r = dns_tcp_open(address, port, DNS_LISTENER_RESOLVER, &s->listener, why);

	return r < 0 ? r : dns_tcp_listen(&s->listener, &s->tcp);
}

void *dns_slow_main(void *slow)
{
	struct dns_slow *s = slow;

	dns_views_reader_start();
	(void)loop_run(s->loop);
	dns_tcp_close(&s->tcp, NULL);
	s->forward = dns_forward_free(s->forward); /* while the sockets are there: who waits is told */
	dns_views_reader_stop();
	return NULL;
}

void dns_slow_deinit(struct dns_slow *s)
{
	if (s->loop) {
		dns_tcp_unlisten(&s->listener);
		dns_tcp_close(&s->tcp, NULL);
		s->forward = dns_forward_free(s->forward);
		dns_networks_deinit(&s->networks);
		if (s->wake.fd >= 0)
			loop_remove_io(&s->wake);
	}
	if (s->wake.fd >= 0)
		close(s->wake.fd);
	s->wake.fd = -1;
	s->loop = loop_free(s->loop);
}
