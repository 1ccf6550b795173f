/* handover - see handover.h. */
#include "lib/base/handover.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

int handover_init(struct handover *h)
{
	*h = (struct handover){ .lock = PTHREAD_MUTEX_INITIALIZER };
	h->last = &h->first;
	h->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return h->event_fd < 0 ? -errno : 0;
}

void handover_deinit(struct handover *h)
{
	if (h->event_fd >= 0)
		close(h->event_fd);
	h->event_fd = -1;
}

void handover_put(struct handover *h, struct handover_item *item)
{
	uint64_t one = 1;
	bool was_empty;

	item->next = NULL;
	pthread_mutex_lock(&h->lock);
	was_empty = !h->first;
	*h->last = item;
	h->last = &item->next;
	h->n++;
	pthread_mutex_unlock(&h->lock);
	if (was_empty && write(h->event_fd, &one, sizeof one) < 0)
		return; /* EAGAIN: the counter is at its top, so it is readable anyway */
}

struct handover_item *handover_take_all(struct handover *h)
{
	struct handover_item *all;
	uint64_t count;

	if (read(h->event_fd, &count, sizeof count) < 0 && errno != EAGAIN)
		return NULL;
	pthread_mutex_lock(&h->lock);
	all = h->first;
	h->first = NULL;
	h->last = &h->first;
	h->n = 0;
	pthread_mutex_unlock(&h->lock);
	return all;
}

struct handover_item *handover_wait_all(struct handover *h)
{
	struct pollfd p = { .fd = h->event_fd, .events = POLLIN };

	struct handover_item *all;

	/* The event of an item may come after the item was taken: then it wakes for nothing. */
	while (!(all = handover_take_all(h)))
		poll(&p, 1, -1);
	return all;
}

size_t handover_count(struct handover *h)
{
	size_t n;

	pthread_mutex_lock(&h->lock);
	n = h->n;
	pthread_mutex_unlock(&h->lock);
	return n;
}
