/* server - see server.h: makes all sockets, then all threads; undoes in reverse. */
#include "lib/dns/server.h"

#include "lib/base/crypto.h"
#include "lib/dns/slow.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORKERS_MAX 16

struct dns_server {
	struct dns_slow slow;
	size_t n_workers;
	struct dns_worker workers[];
};

static unsigned count_workers(unsigned wanted)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (wanted)
		return wanted > WORKERS_MAX ? WORKERS_MAX : wanted;
	return cores < 1 ? 1 : cores > 4 ? 4 : (unsigned)cores;
}

static int open_worker(struct dns_server *s, struct dns_worker *w, const struct dns_server_options *o, uint16_t port,
		       struct why *why)
{
	uint32_t random;

	w->wake_fd = s->slow.wake.fd;
	w->views = o->views;
	w->ring = aligned_alloc(64, (sizeof *w->ring + 63) & ~(size_t)63);
	if (!w->ring)
		return -ENOMEM;
	crypto_random(&random, sizeof random);
	dns_ring_init(w->ring, random);
	return dns_udp_open(&o->address, port, DNS_UDP_WORKER, &w->socket, why);
}

static int open_all(struct dns_server *s, const struct dns_server_options *o, struct why *why)
{
	struct dns_forward_options forward = o->forward;
	uint16_t port = o->port ? o->port : 53;
	int r = dns_slow_init(&s->slow, o->views);

	if (r < 0)
		return r;
	forward.own = o->address;
	if (forward.upstreams && strcmp(forward.upstreams, "off") != 0)
		r = dns_slow_forward(&s->slow, &forward, why);
	if (r)
		return r;
	s->slow.workers = s->workers;
	s->slow.n_workers = s->n_workers;
	s->slow.tcp.idle_ms = o->tcp_idle_ms ? o->tcp_idle_ms : DNS_TCP_IDLE_MS;
	s->slow.networks.port = port;
	s->slow.networks.elsewhere = o->address;
	r = dns_slow_listen(&s->slow, &o->address, port, why);
	for (size_t i = 0; i < s->n_workers && r == 0; i++)
		r = open_worker(s, &s->workers[i], o, port, why);
	return r;
}

static int start_thread(pthread_t *thread, void *(*run)(void *), void *of, bool *ret_started)
{
	int error = pthread_create(thread, NULL, run, of);

	if (error)
		return -error;
	*ret_started = true;
	return 0;
}

/* Signals are for the thread that has the main loop. */
static int start_threads(struct dns_server *s)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = start_thread(&s->slow.thread, dns_slow_main, &s->slow, &s->slow.started);
	for (size_t i = 0; i < s->n_workers && r == 0; i++)
		r = start_thread(&s->workers[i].thread, dns_worker_main, &s->workers[i], &s->workers[i].started);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

int dns_server_start(const struct dns_server_options *options, struct dns_server **ret_server, struct why *why)
{
	unsigned n = count_workers(options->n_workers);
	struct dns_server *s = calloc(1, sizeof *s + n * sizeof s->workers[0]);
	int r;

	if (!s)
		return -ENOMEM;
	s->n_workers = n;
	s->slow.wake.fd = s->slow.listener.io.fd = -1;
	for (size_t i = 0; i < n; i++)
		s->workers[i].socket.fd = -1;
	if (why)
		*why = (struct why){ 0 };
	r = open_all(s, options, why);
	if (r == 0)
		r = start_threads(s);
	if (r) {
		if (why && !why->text[0])
			why_set(why, "dns_start", "dns", "starting the name server: %s", strerror(-r));
		dns_server_stop(s);
		return r;
	}
	*ret_server = s;
	return 0;
}

struct dns_server *dns_server_stop(struct dns_server *s)
{
	if (!s)
		return NULL;
	for (size_t i = 0; i < s->n_workers; i++)
		atomic_store(&s->workers[i].stop, true);
	for (size_t i = 0; i < s->n_workers; i++)
		if (s->workers[i].started)
			pthread_join(s->workers[i].thread, NULL);
	/* After the workers: it answers on their sockets. */
	atomic_store(&s->slow.stop, true);
	if (s->slow.started) {
		dns_slow_wake(&s->slow);
		pthread_join(s->slow.thread, NULL);
	}
	for (size_t i = 0; i < s->n_workers; i++) {
		dns_udp_close(&s->workers[i].socket);
		free(s->workers[i].ring);
	}
	dns_slow_deinit(&s->slow);
	free(s);
	return NULL;
}

void dns_server_set_networks(struct dns_server *s, const uint32_t *ids, size_t n, int *ret_errors)
{
	if (dns_networks_set(&s->slow.networks, ids, n, ret_errors))
		dns_slow_wake(&s->slow);
}

void dns_server_stats(const struct dns_server *s, struct dns_stats *ret_stats)
{
	*ret_stats = (struct dns_stats){ 0 };
	for (size_t i = 0; i < s->n_workers; i++)
		dns_tally_sum(&s->workers[i].tally, ret_stats);
	dns_tally_sum(&s->slow.tally, ret_stats);
	ret_stats->networks = s->slow.networks.n_open;
	if (s->slow.forward)
		dns_forward_stats(s->slow.forward, &ret_stats->forward);
}

void dns_server_upstreams(const struct dns_server *s, struct dns_upstreams *ret_upstreams)
{
	*ret_upstreams = (struct dns_upstreams){ 0 };
	if (s->slow.forward)
		dns_forward_upstreams(s->slow.forward, ret_upstreams);
}
