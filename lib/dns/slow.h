/* slow - the thread for everything that may take time: TCP, what the workers hand over because it needs the forwarder, and the sockets of
 * every fdaa:<network>::3. */
#pragma once
#include "lib/dns/networks.h"
#include "lib/dns/worker.h"

struct dns_slow {
	struct loop *loop;
	struct loop_io wake; /* an eventfd: a ring has something, or stop */
	struct dns_tcp tcp;
	struct dns_tcp_listener listener; /* at the workers' address */
	struct dns_networks networks;
	struct dns_forward *forward; /* NULL = off */
	struct dns_worker *workers; /* borrowed; their rings are read, their sockets written */
	size_t n_workers;
	const struct dns_views *views;
	struct dns_tally tally;
	pthread_t thread;
	atomic_bool stop;
	bool started;
};

/* Before the workers start, since they need the eventfd. Fill in workers and views before dns_slow_start. */
int dns_slow_init(struct dns_slow *s, const struct dns_views *views) MUST_CHECK;
/* Then the forwarder, if there is to be one. */
int dns_slow_forward(struct dns_slow *s, const struct dns_forward_options *options, struct why *why) MUST_CHECK;
int dns_slow_listen(struct dns_slow *s, const struct in6_addr *address, uint16_t port, struct why *why) MUST_CHECK;
void *dns_slow_main(void *slow);
void dns_slow_wake(struct dns_slow *s);
void dns_slow_deinit(struct dns_slow *s); /* the thread has ended, or never began */
