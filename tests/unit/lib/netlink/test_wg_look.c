/* A dump in a thread of its own: the loop goes on, gets the answer once, and gives up at once what it does not want any more. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "lib/base/log.h"
#include "lib/netlink/wg_look.h"
#include "lib/netlink/wg_uapi.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct rig {
	struct loop *loop;
	struct wg_look *look;
	atomic_bool may_end; /* the dump waits for it */
	struct loop_timer tick;
	int ticks, answers, error;
	size_t n_peers;
};

static void short_sleep(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
}

static int slow_dump(void *ctx, const atomic_bool *cancelled, struct wg_observed *ret_observed)
{
	struct rig *rig = ctx;
	struct wg_peer_status status = { .peer.public_key = { 7 } };
	struct wg_observed observed = { 0 };
	int e;

	while (!atomic_load(&rig->may_end)) {
		if (atomic_load(cancelled))
			return -ECANCELED;
		short_sleep();
	}
	e = wg_observed_add(&observed, &status);
	if (e == 0)
		*ret_observed = observed;
	return e;
}

static void done(void *ctx, struct wg_look_result *result)
{
	struct rig *rig = ctx;

	rig->answers++;
	rig->error = result->error;
	rig->n_peers = result->observed.n;
	loop_stop(rig->loop, 0);
}

static void ticked(struct loop_timer *timer)
{
	struct rig *rig = container_of(timer, struct rig, tick);

	if (++rig->ticks == 3)
		atomic_store(&rig->may_end, true);
	if (rig->ticks < 3)
		assert_int_equal(loop_set_timer_in(rig->loop, timer, 1), 0);
}

static void the_loop_goes_on_and_gets_the_answer_once(void **state)
{
	struct rig rig = { .tick.expired = ticked };

	(void)state;
	assert_int_equal(loop_new(&rig.loop), 0);
	assert_int_equal(wg_look_new(rig.loop, slow_dump, done, &rig, &rig.look), 0);
	for (int round = 1; round <= 2; round++) {
		atomic_store(&rig.may_end, false);
		rig.ticks = 0;
		assert_int_equal(loop_set_timer_in(rig.loop, &rig.tick, 1), 0);
		assert_int_equal(wg_look_start(rig.look), 0);
		assert_int_equal(wg_look_start(rig.look), -EBUSY);
		assert_int_equal(loop_run(rig.loop), 0);
		assert_int_equal(rig.ticks, 3);
		assert_int_equal(rig.answers, round);
		assert_int_equal(rig.error, 0);
		assert_int_equal(rig.n_peers, 1);
	}
	wg_look_free(rig.look);
	loop_free(rig.loop);
}

static void one_that_is_not_wanted_any_more_is_given_up(void **state)
{
	struct rig rig = { 0 };

	(void)state;
	assert_int_equal(loop_new(&rig.loop), 0);
	assert_int_equal(wg_look_new(rig.loop, slow_dump, done, &rig, &rig.look), 0);
	assert_int_equal(wg_look_start(rig.look), 0);
	wg_look_free(rig.look); /* would wait for ever */
	assert_int_equal(rig.answers, 0);
	loop_free(rig.loop);
}

/* A server that takes the question and says nothing. */
struct mute {
	struct wg_uapi uapi;
	char dir[32];
	int fd;
};

static int ask_mute(void *ctx, const atomic_bool *cancelled, struct wg_observed *ret_observed)
{
	struct wg_uapi uapi = *(struct wg_uapi *)ctx;
	struct wg wg = wg_uapi_backend(&uapi);

	uapi.cancelled = cancelled;
	uapi.silence_ms = uapi.timeout_ms = 600000;
	return wg_observe(&wg, ret_observed);
}

static void never(void *ctx, struct wg_look_result *result)
{
	(void)ctx;
	(void)result;
	fail();
}

static void a_process_that_says_nothing_does_not_hold_the_end_of_the_daemon(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct mute mute = { .dir = "/tmp/look-test-XXXXXX" };
	struct wg_look *look;
	struct loop *loop;

	(void)state;
	assert_non_null(mkdtemp(mute.dir));
	assert_int_equal(wg_uapi_init(&mute.uapi, "wgx", mute.dir), 0);
	strcpy(addr.sun_path, mute.uapi.socket_path);
	mute.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(mute.fd, (void *)&addr, sizeof addr), 0);
	assert_int_equal(listen(mute.fd, 4), 0);
	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(wg_look_new(loop, ask_mute, never, &mute.uapi, &look), 0);
	assert_int_equal(wg_look_start(look), 0);
	short_sleep();
	wg_look_free(look); /* ten minutes, if nobody looked at `cancelled` */
	loop_free(loop);
	close(mute.fd);
	unlink(mute.uapi.socket_path);
	rmdir(mute.dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_loop_goes_on_and_gets_the_answer_once),
		cmocka_unit_test(one_that_is_not_wanted_any_more_is_given_up),
		cmocka_unit_test(a_process_that_says_nothing_does_not_hold_the_end_of_the_daemon),
	};

	log_set_level(LOG_L_ERR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
