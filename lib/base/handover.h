/* handover - a queue of intrusive items from any thread to one thread, with an eventfd the receiver polls. Items are owned by
 * whoever holds them: putting hands over, taking receives. */
#pragma once
#include "lib/base/err.h"

#include <pthread.h>

struct handover_item {
	struct handover_item *next;
};

struct handover {
	pthread_mutex_t lock;
	struct handover_item *first, **last;
	size_t n;
	int event_fd; /* readable while something may be waiting */
};

int handover_init(struct handover *h);
void handover_deinit(struct handover *h); /* must be empty */
void handover_put(struct handover *h, struct handover_item *item);
/* All that waits, oldest first, as a list; NULL if nothing. Clears the event. */
struct handover_item *handover_take_all(struct handover *h);
/* Blocks until something waits (for threads without a loop). */
struct handover_item *handover_wait_all(struct handover *h);
size_t handover_count(struct handover *h);
