/* loop - see loop.h. Timers live in a binary heap; the wait is bounded by its root. Signals come by one signalfd. */
#include "lib/base/loop.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define ROUND_EVENTS 128

struct loop {
	int epoll_fd, signal_fd;
	struct clock clock;
	uint64_t now_ms;
	struct loop_timer **heap;
	size_t n_timers, cap_timers;
	struct loop_signal *signals;
	struct loop_after *after;
	sigset_t mask;
	struct loop_io signal_io;
	struct epoll_event round[ROUND_EVENTS]; /* what is being delivered; removal nulls its entry */
	int n_round;
	bool stopped, firing; /* firing: timers of this round are being delivered */
	int code;
};

static uint64_t time_now(const struct loop *loop)
{
	return clock_mono_ms(&loop->clock);
}

static void signals_ready(struct loop_io *io, uint32_t revents)
{
	struct loop *loop = container_of(io, struct loop, signal_io);
	struct signalfd_siginfo info;

	(void)revents;
	while (read(io->fd, &info, sizeof info) == sizeof info)
		for (struct loop_signal *s = loop->signals, *next; s; s = next) {
			next = s->next;
			if (s->number == (int)info.ssi_signo)
				s->raised(s, s->number);
		}
}

int loop_new_on(const struct clock *clock, struct loop **ret_loop)
{
	struct loop *loop = calloc(1, sizeof *loop);

	if (!loop)
		return -ENOMEM;
	loop->epoll_fd = loop->signal_fd = -1;
	loop->clock = *clock;
	loop->now_ms = time_now(loop);
	*ret_loop = loop;
	return 0;
}

int loop_new(struct loop **ret_loop)
{
	struct clock clock = clock_real();
	struct loop *loop;
	int r = loop_new_on(&clock, &loop);

	if (r < 0)
		return r;
	sigemptyset(&loop->mask);
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0) {
		r = -errno;
		free(loop);
		return r;
	}
	*ret_loop = loop;
	return 0;
}

struct loop *loop_free(struct loop *loop)
{
	if (!loop)
		return NULL;
	if (loop->signal_fd >= 0)
		close(loop->signal_fd);
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	free(loop->heap);
	free(loop);
	return NULL;
}

int loop_add_io(struct loop *loop, struct loop_io *io)
{
	struct epoll_event ev = { .events = io->events, .data.ptr = io };

	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, io->fd, &ev) < 0)
		return -errno;
	io->loop = loop;
	return 0;
}

int loop_set_io(struct loop_io *io, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = io };

	if (io->events == events)
		return 0;
	if (epoll_ctl(io->loop->epoll_fd, EPOLL_CTL_MOD, io->fd, &ev) < 0)
		return -errno;
	io->events = events;
	return 0;
}

void loop_remove_io(struct loop_io *io)
{
	struct loop *loop = io->loop;

	if (!loop)
		return;
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, io->fd, NULL);
	for (int i = 0; i < loop->n_round; i++)
		if (loop->round[i].data.ptr == io)
			loop->round[i].data.ptr = NULL;
	io->loop = NULL;
}

uint64_t loop_now_ms(const struct loop *loop)
{
	return loop->now_ms;
}

static void heap_put(struct loop *loop, size_t i, struct loop_timer *t)
{
	loop->heap[i] = t;
	t->slot = i + 1;
}

static void heap_settle(struct loop *loop, size_t i)
{
	struct loop_timer *t = loop->heap[i];

	while (i > 0 && loop->heap[(i - 1) / 2]->at_ms > t->at_ms) {
		heap_put(loop, i, loop->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	for (;;) {
		size_t child = 2 * i + 1;

		if (child + 1 < loop->n_timers && loop->heap[child + 1]->at_ms < loop->heap[child]->at_ms)
			child++;
		if (child >= loop->n_timers || loop->heap[child]->at_ms >= t->at_ms)
			break;
		heap_put(loop, i, loop->heap[child]);
		i = child;
	}
	heap_put(loop, i, t);
}

int loop_set_timer(struct loop *loop, struct loop_timer *timer, uint64_t at_ms)
{
	if (loop->firing && at_ms <= loop->now_ms)
		at_ms = loop->now_ms + 1; /* next round: a timer that re-arms itself for "now" must not starve the descriptors */
	timer->at_ms = at_ms;
	timer->loop = loop;
	if (!timer->slot) {
		if (loop->n_timers == loop->cap_timers) {
			size_t cap = loop->cap_timers ? loop->cap_timers * 2 : 16;
			struct loop_timer **bigger = realloc(loop->heap, cap * sizeof *bigger);

			if (!bigger)
				return -ENOMEM;
			loop->heap = bigger;
			loop->cap_timers = cap;
		}
		heap_put(loop, loop->n_timers++, timer);
	}
	heap_settle(loop, timer->slot - 1);
	return 0;
}

int loop_set_timer_in(struct loop *loop, struct loop_timer *timer, uint64_t delay_ms)
{
	return loop_set_timer(loop, timer, time_now(loop) + delay_ms);
}

void loop_cancel_timer(struct loop_timer *timer)
{
	struct loop *loop = timer->loop;
	size_t i = timer->slot - 1;

	if (!timer->slot)
		return;
	timer->slot = 0;
	loop->n_timers--;
	if (i == loop->n_timers)
		return;
	heap_put(loop, i, loop->heap[loop->n_timers]);
	heap_settle(loop, i);
}

int loop_add_signal(struct loop *loop, struct loop_signal *sig)
{
	int fd;

	sigaddset(&loop->mask, sig->number);
	pthread_sigmask(SIG_BLOCK, &loop->mask, NULL);
	fd = signalfd(loop->signal_fd, &loop->mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (loop->signal_fd < 0) {
		loop->signal_fd = fd;
		loop->signal_io = (struct loop_io){ .fd = fd, .events = EPOLLIN, .ready = signals_ready };
		int r = loop_add_io(loop, &loop->signal_io);
		if (r < 0)
			return r;
	}
	sig->next = loop->signals;
	loop->signals = sig;
	return 0;
}

void loop_add_after(struct loop *loop, struct loop_after *after)
{
	after->next = loop->after;
	loop->after = after;
}

void loop_remove_after(struct loop *loop, struct loop_after *after)
{
	for (struct loop_after **link = &loop->after; *link; link = &(*link)->next)
		if (*link == after) {
			*link = after->next;
			return;
		}
}

static void fire_timers(struct loop *loop)
{
	loop->firing = true;
	while (loop->n_timers && loop->heap[0]->at_ms <= loop->now_ms && !loop->stopped) {
		struct loop_timer *t = loop->heap[0];

		loop_cancel_timer(t);
		t->expired(t);
	}
	loop->firing = false;
}

static int wait_ms(const struct loop *loop, int max_wait_ms)
{
	uint64_t now = time_now(loop), left;

	if (!loop->n_timers)
		return max_wait_ms;
	if (loop->heap[0]->at_ms <= now)
		return 0;
	left = loop->heap[0]->at_ms - now;
	if (left > 60000)
		left = 60000;
	return max_wait_ms >= 0 && (uint64_t)max_wait_ms < left ? max_wait_ms : (int)left;
}

uint64_t loop_next_ms(const struct loop *loop)
{
	return loop->n_timers ? loop->heap[0]->at_ms : UINT64_MAX;
}

int loop_round(struct loop *loop, int max_wait_ms)
{
	int n = loop->epoll_fd < 0 ? 0 : epoll_wait(loop->epoll_fd, loop->round, ROUND_EVENTS, wait_ms(loop, max_wait_ms));

	if (n < 0 && errno != EINTR)
		return -errno;
	loop->n_round = n < 0 ? 0 : n;
	loop->now_ms = time_now(loop);
	for (int i = 0; i < loop->n_round && !loop->stopped; i++) {
		struct loop_io *io = loop->round[i].data.ptr;

		if (io)
			io->ready(io, loop->round[i].events);
	}
	loop->n_round = 0;
	fire_timers(loop);
	for (struct loop_after *a = loop->after; a && !loop->stopped; a = a->next)
		a->round(a);
	return 0;
}

int loop_run(struct loop *loop)
{
	loop->stopped = false;
	while (!loop->stopped) {
		int r = loop_round(loop, -1);

		if (r < 0)
			return r;
	}
	return loop->code;
}

void loop_stop(struct loop *loop, int code)
{
	loop->stopped = true;
	loop->code = code;
}
