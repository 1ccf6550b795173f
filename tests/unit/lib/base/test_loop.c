/* The loop: what callbacks may do to it while it delivers. Pipes stand for descriptors; no test waits for time to pass, except
 * for timers of a few milliseconds. */
#include "lib/base/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <cmocka.h>

#define WATCHES 8

struct watch {
	struct loop_io io;
	struct bench *bench;
	unsigned called;
	struct watch *remove_other; /* removed by this one's callback */
	bool remove_self;
};

struct bench {
	struct loop *loop;
	struct watch watches[WATCHES];
	unsigned fired, order[64];
};

static void watch_ready(struct loop_io *io, uint32_t revents)
{
	struct watch *w = container_of(io, struct watch, io);

	assert_true(revents & EPOLLIN);
	w->called++;
	if (w->remove_other)
		loop_remove_io(&w->remove_other->io);
	if (w->remove_self)
		loop_remove_io(io);
}

static int set_up(void **state)
{
	struct bench *b = calloc(1, sizeof *b);

	*state = b;
	if (!b || loop_new(&b->loop) != 0)
		return -1;
	for (size_t i = 0; i < WATCHES; i++) {
		b->watches[i].bench = b;
		b->watches[i].io = (struct loop_io){ .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .events = EPOLLIN, .ready = watch_ready };
		if (b->watches[i].io.fd < 0)
			return -1;
	}
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	b->loop = loop_free(b->loop);
	for (size_t i = 0; i < WATCHES; i++)
		close(b->watches[i].io.fd);
	free(b);
	return 0;
}

static void make_ready(struct watch *w)
{
	uint64_t one = 1;

	assert_int_equal(write(w->io.fd, &one, sizeof one), sizeof one);
}

static void add_all(struct bench *b)
{
	for (size_t i = 0; i < WATCHES; i++) {
		assert_int_equal(loop_add_io(b->loop, &b->watches[i].io), 0);
		make_ready(&b->watches[i]);
	}
}

static unsigned calls(const struct bench *b)
{
	unsigned n = 0;

	for (size_t i = 0; i < WATCHES; i++)
		n += b->watches[i].called;
	return n;
}

static void readiness_is_delivered_until_it_is_used_up(void **state)
{
	struct bench *b = *state;
	struct watch *w = &b->watches[0];
	uint64_t count;

	assert_int_equal(loop_add_io(b->loop, &w->io), 0);
	assert_int_equal(loop_round(b->loop, 0), 0);
	assert_int_equal(w->called, 0);
	make_ready(w);
	assert_int_equal(loop_round(b->loop, 0), 0);
	assert_int_equal(loop_round(b->loop, 0), 0);
	assert_int_equal(w->called, 2);
	assert_int_equal(read(w->io.fd, &count, sizeof count), sizeof count);
	assert_int_equal(loop_round(b->loop, 0), 0);
	assert_int_equal(w->called, 2);
}

static void a_watch_may_remove_itself(void **state)
{
	struct bench *b = *state;

	add_all(b);
	for (size_t i = 0; i < WATCHES; i++)
		b->watches[i].remove_self = true;
	assert_int_equal(loop_round(b->loop, 0), 0);
	assert_int_equal(loop_round(b->loop, 0), 0);
	assert_int_equal(calls(b), WATCHES);
}

static void a_removed_watch_gets_nothing_of_the_round_it_was_removed_in(void **state)
{
	struct bench *b = *state;

	add_all(b);
	for (size_t i = 0; i < WATCHES; i++) /* pairs that remove each other: one of each is called */
		b->watches[i].remove_other = &b->watches[i ^ 1];
	assert_int_equal(loop_round(b->loop, 0), 0);
	assert_int_equal(calls(b), WATCHES / 2);
	for (size_t i = 0; i < WATCHES; i += 2)
		assert_int_equal(b->watches[i].called + b->watches[i + 1].called, 1);
}

static void removing_what_was_not_added_is_nothing(void **state)
{
	struct bench *b = *state;

	loop_remove_io(&b->watches[0].io);
	assert_int_equal(loop_add_io(b->loop, &b->watches[0].io), 0);
	loop_remove_io(&b->watches[0].io);
	loop_remove_io(&b->watches[0].io);
	assert_int_equal(loop_add_io(b->loop, &b->watches[0].io), 0);
}

static void a_bad_descriptor_is_an_error(void **state)
{
	struct bench *b = *state;
	struct loop_io io = { .fd = -1, .events = EPOLLIN, .ready = watch_ready };

	assert_int_equal(loop_add_io(b->loop, &io), -EBADF);
	assert_int_equal(loop_add_io(b->loop, &b->watches[0].io), 0);
	assert_int_equal(loop_add_io(b->loop, &b->watches[0].io), -EEXIST);
}

static void the_events_of_a_watch_can_be_changed(void **state)
{
	struct bench *b = *state;
	struct watch *w = &b->watches[0];

	assert_int_equal(loop_add_io(b->loop, &w->io), 0);
	make_ready(w);
	assert_int_equal(loop_set_io(&w->io, 0), 0);
	assert_int_equal(loop_round(b->loop, 0), 0);
	assert_int_equal(w->called, 0);
	assert_int_equal(loop_set_io(&w->io, EPOLLIN), 0);
	assert_int_equal(loop_round(b->loop, 0), 0);
	assert_int_equal(w->called, 1);
}

struct alarm {
	struct loop_timer timer;
	struct bench *bench;
	unsigned name;
	struct alarm *cancels, *moves;
	uint64_t again_at; /* 0 = once */
};

static void alarm_expired(struct loop_timer *timer)
{
	struct alarm *a = container_of(timer, struct alarm, timer);
	struct bench *b = a->bench;

	assert_int_equal(timer->slot, 0);
	assert_true(b->fired < ARRAY_LEN(b->order));
	b->order[b->fired++] = a->name;
	if (a->cancels)
		loop_cancel_timer(&a->cancels->timer);
	if (a->moves)
		assert_int_equal(loop_set_timer(b->loop, &a->moves->timer, UINT64_MAX), 0);
	if (a->again_at)
		assert_int_equal(loop_set_timer(b->loop, timer, a->again_at), 0);
}

static void arm(struct bench *b, struct alarm *a, unsigned name, uint64_t at_ms)
{
	*a = (struct alarm){ .timer.expired = alarm_expired, .bench = b, .name = name };
	assert_int_equal(loop_set_timer(b->loop, &a->timer, at_ms), 0);
}

static void timers_fire_in_order_of_time(void **state)
{
	struct bench *b = *state;
	struct alarm alarms[50];
	uint64_t past = loop_now_ms(b->loop) - 1000;

	for (unsigned i = 0; i < 50; i++)
		arm(b, &alarms[i], i * 37 % 50, past + i * 37 % 50);
	assert_int_equal(loop_round(b->loop, 0), 0);
	assert_int_equal(b->fired, 50);
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(b->order[i], i);
	assert_int_equal(loop_round(b->loop, 0), 0);
	assert_int_equal(b->fired, 50);
}

static void a_timer_of_the_future_waits(void **state)
{
	struct bench *b = *state;
	struct alarm a;
	uint64_t start = loop_now_ms(b->loop);

	arm(b, &a, 0, 0);
	assert_int_equal(loop_set_timer_in(b->loop, &a.timer, 5), 0);
	assert_int_equal(loop_round(b->loop, 0), 0);
	assert_int_equal(b->fired, 0);
	while (!b->fired) /* the wait is bounded by the timer alone */
		assert_int_equal(loop_round(b->loop, -1), 0);
	assert_true(loop_now_ms(b->loop) >= start + 5);
}

static void a_moved_timer_fires_once_at_its_new_time(void **state)
{
	struct bench *b = *state;
	struct alarm a, other;
	uint64_t past = loop_now_ms(b->loop) - 1000;

	arm(b, &a, 1, past + 5);
	arm(b, &other, 2, past + 10);
	assert_int_equal(loop_set_timer(b->loop, &a.timer, past + 20), 0);
	assert_int_equal(loop_round(b->loop, 0), 0);
	assert_int_equal(b->fired, 2);
	assert_int_equal(b->order[0], 2);
	assert_int_equal(b->order[1], 1);
}

static void a_callback_may_cancel_or_move_a_timer_that_is_due(void **state)
{
	struct bench *b = *state;
	struct alarm first, cancelled, moved, last;
	uint64_t past = loop_now_ms(b->loop) - 1000;

	arm(b, &first, 1, past);
	arm(b, &cancelled, 2, past + 1);
	arm(b, &moved, 3, past + 2);
	arm(b, &last, 4, past + 3);
	first.cancels = &cancelled;
	first.moves = &moved;
	last.cancels = &last; /* itself, while it fires */
	assert_int_equal(loop_round(b->loop, 0), 0);
	assert_int_equal(b->fired, 2);
	assert_int_equal(b->order[1], 4);
	loop_cancel_timer(&moved.timer);
	loop_cancel_timer(&moved.timer);
}

static void cancelling_any_of_many_keeps_the_order_of_the_others(void **state)
{
	struct bench *b = *state;
	uint64_t past = loop_now_ms(b->loop) - 1000;

	for (unsigned gone = 0; gone < 40; gone++) {
		struct alarm alarms[40];
		unsigned before = 0;

		b->fired = 0;
		for (unsigned i = 0; i < 40; i++)
			arm(b, &alarms[i], i * 7 % 40 + 1, past + i * 7 % 40);
		loop_cancel_timer(&alarms[gone].timer);
		assert_int_equal(loop_round(b->loop, 0), 0);
		assert_int_equal(b->fired, 39);
		for (unsigned i = 0; i < 39; i++) {
			assert_true(b->order[i] > before);
			before = b->order[i];
		}
	}
}

static void a_timer_that_rearms_for_now_does_not_starve_the_descriptors(void **state)
{
	struct bench *b = *state;
	struct alarm a, later;

	arm(b, &a, 1, 1);
	arm(b, &later, 2, 2);
	a.again_at = 1; /* always overdue */
	assert_int_equal(loop_round(b->loop, 0), 0);
	assert_int_equal(b->fired, 2);
	while (b->fired < 4)
		assert_int_equal(loop_round(b->loop, -1), 0);
	assert_int_equal(b->order[3], 1);
	loop_cancel_timer(&a.timer);
}

static void remove_watch_of(struct loop_timer *timer)
{
	struct alarm *a = container_of(timer, struct alarm, timer);

	loop_remove_io(&a->bench->watches[0].io);
}

static void a_timer_may_remove_a_watch(void **state)
{
	struct bench *b = *state;
	struct alarm a;

	add_all(b);
	arm(b, &a, 1, 1);
	a.timer.expired = remove_watch_of;
	assert_int_equal(loop_round(b->loop, 0), 0);
	assert_int_equal(loop_round(b->loop, 0), 0);
	assert_int_equal(b->watches[0].called, 1);
	assert_int_equal(b->watches[1].called, 2);
}

struct hook {
	struct loop_after after;
	unsigned rounds;
	struct loop *stop_at_three;
};

static void hook_round(struct loop_after *after)
{
	struct hook *h = container_of(after, struct hook, after);

	if (++h->rounds == 3 && h->stop_at_three)
		loop_stop(h->stop_at_three, 42);
}

static void work_after_a_round_is_done_every_round_and_run_ends_with_the_code(void **state)
{
	struct bench *b = *state;
	struct hook stopper = { .after.round = hook_round, .stop_at_three = b->loop }, other = { .after.round = hook_round };

	loop_add_after(b->loop, &other.after);
	loop_add_after(b->loop, &stopper.after);
	assert_int_equal(loop_add_io(b->loop, &b->watches[0].io), 0);
	make_ready(&b->watches[0]);
	assert_int_equal(loop_run(b->loop), 42);
	assert_int_equal(stopper.rounds, 3);
	assert_true(other.rounds >= 2);
	assert_int_equal(b->watches[0].called, 3);
	loop_remove_after(b->loop, &stopper.after);
	loop_remove_after(b->loop, &stopper.after); /* not there: nothing */
	assert_int_equal(loop_round(b->loop, 0), 0);
	assert_int_equal(stopper.rounds, 3);
}

static unsigned raised[2];

static void usr1_raised(struct loop_signal *sig, int number)
{
	(void)sig;
	raised[number == SIGUSR2]++;
}

static void signals_are_delivered_in_the_loop(void **state)
{
	struct bench *b = *state;
	struct loop_signal one = { .number = SIGUSR1, .raised = usr1_raised }, two = { .number = SIGUSR2, .raised = usr1_raised };

	assert_int_equal(loop_add_signal(b->loop, &one), 0);
	assert_int_equal(loop_add_signal(b->loop, &two), 0);
	assert_int_equal(raise(SIGUSR2), 0);
	assert_int_equal(loop_round(b->loop, 1000), 0);
	assert_int_equal(raised[0], 0);
	assert_int_equal(raised[1], 1);
	assert_int_equal(raise(SIGUSR1), 0);
	assert_int_equal(loop_round(b->loop, 1000), 0);
	assert_int_equal(raised[0], 1);
}

static void a_loop_on_a_virtual_clock_fires_by_it_and_never_waits(void **state)
{
	struct clock_virtual v = { .now_ms = 1000 };
	struct clock clock = clock_virtual(&v);
	struct alarm d[2] = { { .timer.expired = alarm_expired, .name = 1 }, { .timer.expired = alarm_expired, .name = 2 } };
	struct loop_io io = { .fd = 0, .events = EPOLLIN, .ready = watch_ready };
	struct bench *b = *state;
	struct loop *loop;

	assert_int_equal(loop_new_on(&clock, &loop), 0);
	assert_int_equal(loop_add_io(loop, &io), -EBADF);
	assert_true(loop_next_ms(loop) == UINT64_MAX);
	d[0].bench = d[1].bench = b;
	assert_int_equal(loop_set_timer_in(loop, &d[0].timer, 3600000), 0);
	assert_int_equal(loop_set_timer_in(loop, &d[1].timer, 50), 0);
	assert_true(loop_next_ms(loop) == 1050);
	assert_int_equal(loop_round(loop, -1), 0);
	assert_int_equal(b->fired, 0);
	v.now_ms = 1050;
	assert_int_equal(loop_round(loop, -1), 0);
	assert_int_equal(b->fired, 1);
	assert_true(loop_next_ms(loop) == 3601000);
	v.now_ms = 3601000;
	assert_int_equal(loop_round(loop, -1), 0);
	assert_int_equal(b->fired, 2);
	assert_int_equal(b->order[0], 2);
	loop_free(loop);
}

#define WITH_LOOP(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_LOOP(readiness_is_delivered_until_it_is_used_up),
		WITH_LOOP(a_watch_may_remove_itself),
		WITH_LOOP(a_removed_watch_gets_nothing_of_the_round_it_was_removed_in),
		WITH_LOOP(removing_what_was_not_added_is_nothing),
		WITH_LOOP(a_bad_descriptor_is_an_error),
		WITH_LOOP(the_events_of_a_watch_can_be_changed),
		WITH_LOOP(timers_fire_in_order_of_time),
		WITH_LOOP(a_timer_of_the_future_waits),
		WITH_LOOP(a_moved_timer_fires_once_at_its_new_time),
		WITH_LOOP(a_callback_may_cancel_or_move_a_timer_that_is_due),
		WITH_LOOP(cancelling_any_of_many_keeps_the_order_of_the_others),
		WITH_LOOP(a_timer_that_rearms_for_now_does_not_starve_the_descriptors),
		WITH_LOOP(a_timer_may_remove_a_watch),
		WITH_LOOP(work_after_a_round_is_done_every_round_and_run_ends_with_the_code),
		WITH_LOOP(signals_are_delivered_in_the_loop),
		WITH_LOOP(a_loop_on_a_virtual_clock_fires_by_it_and_never_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
