/* worker - one of the threads at fdaa::3: a UDP socket of its own, and the ring to the slow thread. */
#pragma once
#include "lib/dns/ring.h"
#include "lib/dns/udp.h"

#include <pthread.h>

struct dns_worker {
	struct dns_udp_socket socket;
	int wake_fd; /* the slow thread's eventfd, borrowed */
	const struct dns_views *views;
	struct dns_ring *ring;
	struct dns_tally tally;
	pthread_t thread;
	atomic_bool stop;
	bool started;
};

void *dns_worker_main(void *worker); /* until `stop` */
