/* networks - see networks.h. Who owns a struct dns_network: the owner's thread while it is in `open`, the slow thread from the moment
 * that it is `leaving` and taken out of the line. */
#include "lib/dns/networks.h"

#include "lib/base/log.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#define TAKE_MAX 64 /* a round; the others in the loop have their turn then */
#define AGAIN_MS 1000
#define FILES_SPARED 2048 /* forwarder, TCP, instances, the link, the disk */

size_t dns_networks_limit(size_t files)
{
	size_t spared = files / 2 < FILES_SPARED ? files / 2 : FILES_SPARED, limit = (files - spared) / 2;

	return limit > DNS_NETWORKS_MAX ? DNS_NETWORKS_MAX : limit;
}

/* ---- the line ---- */

static void put_in_line(struct dns_networks *n, struct dns_network *one)
{
	if (one->in_line)
		return;
	one->in_line = true;
	one->next = NULL;
	*n->last = one;
	n->last = &one->next;
}

static void hand_over(struct dns_network *one, bool leaving)
{
	struct dns_networks *n = one->all;

	pthread_mutex_lock(&n->lock);
	one->leaving = leaving;
	put_in_line(n, one);
	pthread_mutex_unlock(&n->lock);
}

static struct dns_network *take_first(struct dns_networks *n, bool *ret_leaving)
{
	struct dns_network *one;

	pthread_mutex_lock(&n->lock);
	one = n->first;
	if (one) {
		n->first = one->next;
		if (!n->first)
			n->last = &n->first;
		one->in_line = false;
		*ret_leaving = one->leaving;
	}
	pthread_mutex_unlock(&n->lock);
	return one;
}

static bool has_line(struct dns_networks *n)
{
	bool has;

	pthread_mutex_lock(&n->lock);
	has = n->first != NULL;
	pthread_mutex_unlock(&n->lock);
	return has;
}

/* ---- the slow thread ---- */

static void end(struct dns_network *one)
{
	loop_remove_io(&one->io);
	dns_tcp_unlisten(&one->tcp);
	dns_udp_close(&one->socket);
	one->served = false;
}

void dns_network_release(struct dns_network *one)
{
	if (--one->n_waiters == 0 && one->socket.fd < 0)
		free(one);
}

static void leave(struct dns_network *one)
{
	end(one);
	if (!one->n_waiters)
		free(one);
}

static void udp_ready(struct loop_io *io, uint32_t revents)
{
	struct dns_network *one = container_of(io, struct dns_network, io);
	struct dns_networks *n = one->all;
	const struct dns_udp_round round = { .socket = &one->socket, .views = n->use.views, .tally = n->use.tally,
					     .listener = DNS_LISTENER_NETWORK, .forward = n->use.forward, .ctx = one };
	int r = dns_udp_answer(&round, n->batch, MSG_DONTWAIT);

	(void)revents;
	if (r < 0 && r != -EAGAIN && r != -EINTR)
		dns_tally_count(n->use.tally, DNS_COUNT_RECEIVE_FAILED);
}

static int serve(struct dns_network *one)
{
	struct dns_networks *n = one->all;
	int r = loop_add_io(n->use.loop, &one->io);

	if (r == 0)
		r = dns_tcp_listen(&one->tcp, n->use.tcp);
	if (r < 0)
		loop_remove_io(&one->io);
	else
		one->served = true;
	return r;
}

/* It waits in its queues; no question is lost but what does not fit there. */
static void serve_later(struct dns_network *one, int error)
{
	struct dns_networks *n = one->all;

	log_limited(LOG_L_ERR, "dns", "network %08x cannot be answered at its ::3 yet: %s; trying again", one->network, strerror(-error));
	pthread_mutex_lock(&n->lock);
	put_in_line(n, one);
	pthread_mutex_unlock(&n->lock);
	(void)loop_set_timer_in(n->use.loop, &n->again, AGAIN_MS); /* if not: with the next change */
}

static void again_expired(struct loop_timer *timer)
{
	struct dns_networks *n = container_of(timer, struct dns_networks, again);

	if (dns_networks_take(n))
		(void)loop_set_timer_in(n->use.loop, &n->again, 0);
}

bool dns_networks_take(struct dns_networks *n)
{
	struct dns_network *one;
	bool leaving;

	for (size_t i = 0; i < TAKE_MAX && (one = take_first(n, &leaving)); i++) {
		int r = leaving || one->served ? 0 : serve(one);

		if (leaving)
			leave(one);
		if (r < 0) {
			serve_later(one, r);
			return false; /* not at once: it would fail again */
		}
	}
	return has_line(n);
}

/* ---- the owner's thread ---- */

static int open_one(struct dns_networks *n, uint32_t network, struct dns_network **ret_one)
{
	struct in6_addr address = addr_network_resolver(network);
	struct dns_network *one;
	int r;

	if (n->n_open >= n->limit)
		return -EMFILE;
	one = calloc(1, sizeof *one);
	if (!one)
		return -ENOMEM;
	*one = (struct dns_network){ .all = n, .network = network };
	r = dns_udp_open(&address, n->port, DNS_UDP_NETWORK, &one->socket, NULL);
	if (r < 0) {
		free(one);
		return r;
	}
	one->io = (struct loop_io){ .fd = one->socket.fd, .events = EPOLLIN, .ready = udp_ready };
	r = dns_tcp_open(&address, n->port, DNS_LISTENER_NETWORK, &one->tcp, NULL);
	if (r < 0) {
		dns_udp_close(&one->socket);
		free(one);
		return r;
	}
	*ret_one = one;
	return 0;
}

/* False: no memory; nothing changes but what is gone. */
static bool make_room(struct dns_networks *n, size_t n_ids)
{
	struct dns_network **bigger = realloc(n->open, (n_ids > n->n_open ? n_ids : n->n_open + 1) * sizeof(struct dns_network *));

	if (bigger)
		n->open = bigger;
	return bigger != NULL;
}

static bool is_wanted(const uint32_t *ids, size_t n_ids, size_t *at, uint32_t network)
{
	while (*at < n_ids && ids[*at] < network)
		++*at;
	return *at < n_ids && ids[*at] == network;
}

static bool drop_unwanted(struct dns_networks *n, const uint32_t *ids, size_t n_ids)
{
	size_t kept = 0, at = 0, before = n->n_open;

	for (size_t i = 0; i < n->n_open; i++)
		if (is_wanted(ids, n_ids, &at, n->open[i]->network))
			n->open[kept++] = n->open[i];
		else
			hand_over(n->open[i], true);
	n->n_open = kept;
	return kept != before;
}

static int by_network(const void *a, const void *b)
{
	uint32_t x = (*(struct dns_network *const *)a)->network, y = (*(struct dns_network *const *)b)->network;

	return (x > y) - (x < y);
}

/* The workers listen at one network's address, if so configured. */
static bool is_elsewhere(const struct dns_networks *n, uint32_t network)
{
	struct in6_addr address = addr_network_resolver(network);

	return !memcmp(&address, &n->elsewhere, sizeof address);
}

bool dns_networks_set(struct dns_networks *n, const uint32_t *ids, size_t n_ids, int *ret_errors)
{
	bool changed = drop_unwanted(n, ids, n_ids), room = make_room(n, n_ids);
	size_t n_old = n->n_open, at = 0;

	for (size_t i = 0; i < n_ids; i++) {
		while (at < n_old && n->open[at]->network < ids[i])
			at++;
		ret_errors[i] = 0;
		if ((at < n_old && n->open[at]->network == ids[i]) || is_elsewhere(n, ids[i]))
			continue;
		ret_errors[i] = room ? open_one(n, ids[i], &n->open[n->n_open]) : -ENOMEM;
		if (ret_errors[i] == 0)
			hand_over(n->open[n->n_open++], false);
	}
	if (n->n_open == n_old)
		return changed;
	qsort(n->open, n->n_open, sizeof(struct dns_network *), by_network);
	return true;
}

int dns_networks_init(struct dns_networks *n, const struct dns_networks_use *use)
{
	struct rlimit files;

	*n = (struct dns_networks){ .use = *use, .again.expired = again_expired };
	n->last = &n->first;
	pthread_mutex_init(&n->lock, NULL);
	n->limit = getrlimit(RLIMIT_NOFILE, &files) < 0 ? 0 : dns_networks_limit(files.rlim_cur);
	n->batch = malloc(sizeof *n->batch);
	if (!n->batch)
		return -ENOMEM;
	dns_udp_batch_init(n->batch);
	return 0;
}

void dns_networks_deinit(struct dns_networks *n)
{
	struct dns_network *one;
	bool leaving;

	if (!n->last)
		return;
	while ((one = take_first(n, &leaving)))
		if (leaving)
			leave(one);
	for (size_t i = 0; i < n->n_open; i++)
		leave(n->open[i]);
	loop_cancel_timer(&n->again);
	pthread_mutex_destroy(&n->lock);
	free(n->open);
	free(n->batch);
	*n = (struct dns_networks){ 0 };
}
