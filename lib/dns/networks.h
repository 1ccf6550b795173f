/* networks - the name server's sockets at fdaa:<network>::3, one for UDP and one for TCP for each network whose peers end here.
 *
 * The owner's thread opens them, so that it knows at once what the kernel says, and hands them to the slow thread, which answers there
 * and closes them. Each network has queues of its own in the kernel and gets 16 answers a turn, so one that floods its own address costs
 * the others their turn's wait and nothing else. */
#pragma once
#include "lib/dns/tcp_listener.h"
#include "lib/dns/udp.h"

#include <pthread.h>

/* Two descriptors each; see dns_networks_limit. */
#define DNS_NETWORKS_MAX 8192
/* How many of them leave enough descriptors for everything else in a process that may have `files`. */
size_t dns_networks_limit(size_t files);

struct dns_networks;

struct dns_network {
	struct dns_networks *all;
	uint32_t network;
	struct dns_udp_socket socket;
	struct loop_io io; /* of socket */
	struct dns_tcp_listener tcp;
	bool served;      /* slow thread: it answers here */
	size_t n_waiters; /* slow thread: queries at the forwarder that are to be answered here */

	struct dns_network *next; /* in line for the slow thread; under the lock, as are the other two */
	bool in_line, leaving;
};

/* What the slow thread lends. */
struct dns_networks_use {
	struct loop *loop;
	struct dns_tcp *tcp;
	const struct dns_views *views;
	struct dns_tally *tally;
	bool (*forward)(void *network, const struct sockaddr_in6 *from, uint32_t mark, const uint8_t *query, size_t len);
};

struct dns_networks {
	uint16_t port;
	struct in6_addr elsewhere; /* the workers' own address: never opened here */
	struct dns_network **open; /* owner's thread: sorted by network */
	size_t n_open, limit;

	pthread_mutex_t lock;
	struct dns_network *first, **last; /* the line */

	struct dns_networks_use use; /* slow thread */
	struct dns_udp_batch *batch;
	struct loop_timer again; /* what epoll did not take is tried again */
};

int dns_networks_init(struct dns_networks *n, const struct dns_networks_use *use) MUST_CHECK;
/* Both threads have ended, or the slow one never began. */
void dns_networks_deinit(struct dns_networks *n);

/* Owner's thread. Opens and closes, until these networks and no others are there; ids rise. ret_errors[i]: 0 or -errno of ids[i]: -EMFILE
 * also when the limit is reached. True: the slow thread has something to take. */
bool dns_networks_set(struct dns_networks *n, const uint32_t *ids, size_t n_ids, int *ret_errors);
/* Slow thread: takes some of what is in line. True: there is more. */
bool dns_networks_take(struct dns_networks *n);
/* Slow thread: one of n_waiters has got its answer. */
void dns_network_release(struct dns_network *one);
