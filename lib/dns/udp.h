/* udp - one worker of the name server: a socket, a thread, and the ring to the slow thread. */
#pragma once
#include "lib/dns/ring.h"
#include "lib/dns/tally.h"

#include <pthread.h>

struct dns_worker {
	int fd, wake_fd; /* wake_fd: the slow thread's eventfd, borrowed */
	struct in6_addr address;
	const struct dns_views *views;
	struct dns_ring *ring;
	struct dns_tally tally;
	pthread_t thread;
	atomic_bool stop;
	bool started;
};

/* A bound socket that tells and takes marks; see dns_server_start for the errors. */
int dns_udp_open(const struct in6_addr *address, uint16_t port, int *ret_fd, struct why *why) MUST_CHECK;
void *dns_worker_main(void *worker); /* until `stop` */
/* Sends one message with the mark; failures are counted, nothing more. */
void dns_udp_send(int fd, const struct sockaddr_in6 *to, uint32_t mark, const uint8_t *message, size_t len,
		  struct dns_tally *tally);
