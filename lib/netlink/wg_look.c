/* wg_look - see wg_look.h. One thread per look: they are seconds apart. */
#include "lib/netlink/wg_look.h"

#include "lib/base/clock.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct wg_look {
	struct loop *loop;
	wg_look_dump dump;
	void (*done)(void *ctx, struct wg_look_result *result);
	void *ctx;
	struct loop_io ended; /* an eventfd */
	pthread_t thread;
	bool busy;
	atomic_bool cancelled;
	struct wg_look_result result; /* the thread's until `ended`, then the loop's */
};

static void *run(void *arg)
{
	struct wg_look *look = arg;
	struct clock clock = clock_real();
	uint64_t before = clock_mono_ms(&clock), one = 1;

	look->result.error = look->dump(look->ctx, &look->cancelled, &look->result.observed);
	look->result.took_ms = clock_mono_ms(&clock) - before;
	while (write(look->ended.fd, &one, sizeof one) < 0 && errno == EINTR)
		;
	return NULL;
}

static void end(struct wg_look *look)
{
	pthread_join(look->thread, NULL);
	look->busy = false;
}

static void thread_ended(struct loop_io *io, uint32_t revents)
{
	struct wg_look *look = container_of(io, struct wg_look, ended);
	struct wg_look_result result;
	uint64_t count;

	(void)revents;
	if (read(io->fd, &count, sizeof count) < 0 || !look->busy)
		return;
	end(look);
	result = look->result;
	look->result = (struct wg_look_result){ 0 };
	look->done(look->ctx, &result);
	wg_observed_deinit(&result.observed);
}

int wg_look_new(struct loop *loop, wg_look_dump dump, void (*done)(void *ctx, struct wg_look_result *result), void *ctx,
		struct wg_look **ret_look)
{
	struct wg_look *look = calloc(1, sizeof *look);
	int e;

	if (!look)
		return -ENOMEM;
	*look = (struct wg_look){ .loop = loop, .dump = dump, .done = done, .ctx = ctx };
	look->ended = (struct loop_io){ .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .events = EPOLLIN, .ready = thread_ended };
	e = look->ended.fd < 0 ? -errno : loop_add_io(loop, &look->ended);
	if (e < 0) {
		if (look->ended.fd >= 0)
			close(look->ended.fd);
		free(look);
		return e;
	}
	*ret_look = look;
	return 0;
}

struct wg_look *wg_look_free(struct wg_look *look)
{
	if (!look)
		return NULL;
	if (look->busy) {
		atomic_store(&look->cancelled, true);
		end(look);
	}
	loop_remove_io(&look->ended);
	close(look->ended.fd);
	wg_observed_deinit(&look->result.observed);
	free(look);
	return NULL;
}

int wg_look_start(struct wg_look *look)
{
	sigset_t all, before;
	int e;

	if (look->busy)
		return -EBUSY;
	look->result = (struct wg_look_result){ 0 };
	sigfillset(&all); /* signals are the loop's */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	e = pthread_create(&look->thread, NULL, run, look);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	look->busy = e == 0;
	return -e;
}
