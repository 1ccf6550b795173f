/* loop - one thread, one level-triggered epoll, timers and signals. Watch objects are embedded in their owners; a callback gets
 * the owner back with container_of. A callback may remove any watch, its own or another's, at any time: events of a round that
 * were fetched but not yet delivered are dropped with it. */
#pragma once
#include "lib/base/clock.h"

struct loop;

struct loop_io {
	int fd;
	uint32_t events; /* EPOLLIN | EPOLLOUT ... */
	void (*ready)(struct loop_io *io, uint32_t revents);
	struct loop *loop; /* set by loop_add_io */
};

struct loop_timer {
	void (*expired)(struct loop_timer *timer);
	uint64_t at_ms; /* monotonic (CLOCK_BOOTTIME), see loop_now_ms */
	struct loop *loop;
	size_t slot; /* place in the heap + 1; 0 = not armed */
};

struct loop_signal {
	int number;
	void (*raised)(struct loop_signal *sig, int number);
	struct loop_signal *next;
};

int loop_new(struct loop **ret_loop);
/* Only timers, on that clock (of which the loop keeps a copy), for simulators: a round never waits, and there are no descriptors and
 * no signals (-EBADF). The owner moves the clock to loop_next_ms() and runs a round. */
int loop_new_on(const struct clock *clock, struct loop **ret_loop);
struct loop *loop_free(struct loop *loop); /* NULL is fine; returns NULL */

int loop_add_io(struct loop *loop, struct loop_io *io); /* -errno of epoll_ctl */
int loop_set_io(struct loop_io *io, uint32_t events);
void loop_remove_io(struct loop_io *io); /* before the fd is closed; not added = no-op */

uint64_t loop_now_ms(const struct loop *loop); /* taken once per round */
int loop_set_timer(struct loop *loop, struct loop_timer *timer, uint64_t at_ms); /* arms or moves; -ENOMEM */
int loop_set_timer_in(struct loop *loop, struct loop_timer *timer, uint64_t delay_ms);
void loop_cancel_timer(struct loop_timer *timer);
uint64_t loop_next_ms(const struct loop *loop); /* when the first timer is due; UINT64_MAX = none */

/* Blocks the signal for the process's threads that are started later and delivers it in the loop. */
int loop_add_signal(struct loop *loop, struct loop_signal *sig);

/* Called at the end of every round, before the next wait; for work that must follow any event (MHD_run). */
struct loop_after {
	void (*round)(struct loop_after *after);
	struct loop_after *next;
};
void loop_add_after(struct loop *loop, struct loop_after *after);
void loop_remove_after(struct loop *loop, struct loop_after *after); /* not from within one */

int loop_round(struct loop *loop, int max_wait_ms); /* one wait and its deliveries; -1 = as long as the timers allow */
int loop_run(struct loop *loop);                    /* until loop_stop; returns its code */
void loop_stop(struct loop *loop, int code);
