/* nng_close - see nng_close.h. The closing thread owns what it shares with the waiting one if that one has gone. */
#include "lib/link/nng_close.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct closing {
	nng_socket socket;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool closed, abandoned;
};

static void *close_main(void *arg)
{
	struct closing *c = arg;
	bool abandoned;

	nng_close(c->socket);
	pthread_mutex_lock(&c->lock);
	c->closed = true;
	abandoned = c->abandoned;
	pthread_cond_signal(&c->changed);
	pthread_mutex_unlock(&c->lock);
	if (abandoned)
		free(c);
	return NULL;
}

bool link_nng_close(nng_socket socket)
{
	struct closing *c = calloc(1, sizeof *c);
	struct timespec end;
	pthread_t thread;
	bool closed;

	if (!c)
		return false;
	c->socket = socket;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->changed, NULL);
	if (pthread_create(&thread, NULL, close_main, c) != 0) {
		free(c);
		return false;
	}
	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += LINK_NNG_CLOSE_MS / 1000;
	pthread_mutex_lock(&c->lock);
	while (!c->closed && pthread_cond_timedwait(&c->changed, &c->lock, &end) == 0)
		;
	closed = c->closed;
	c->abandoned = !closed;
	pthread_mutex_unlock(&c->lock);
	if (!closed) {
		pthread_detach(thread);
		return false;
	}
	pthread_join(thread, NULL);
	free(c);
	return true;
}
