/* worker - see worker.h. */
#include "lib/dns/worker.h"

#include <sys/socket.h>
#include <unistd.h>

static bool hand_over(void *ctx, const struct sockaddr_in6 *from, uint32_t mark, const uint8_t *query, size_t len)
{
	struct dns_worker *w = ctx;
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

void *dns_worker_main(void *worker)
{
	struct dns_worker *w = worker;
	struct dns_udp_batch batch; /* on this thread's stack */
	const struct dns_udp_round round = { .socket = &w->socket, .views = w->views, .tally = &w->tally,
					     .listener = DNS_LISTENER_RESOLVER, .forward = hand_over, .ctx = w };

	dns_udp_batch_init(&batch);
	dns_views_reader_start();
	while (!atomic_load_explicit(&w->stop, memory_order_relaxed)) {
		int n = dns_udp_answer(&round, &batch, MSG_WAITFORONE);

		if (n < 0 && n != -EAGAIN && n != -EINTR)
			dns_tally_count(&w->tally, DNS_COUNT_RECEIVE_FAILED);
	}
	dns_views_reader_stop();
	return NULL;
}
