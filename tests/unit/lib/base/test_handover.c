/* The hand-over queue: nothing lost, nothing twice, order kept, the receiver woken. */
#include "lib/base/handover.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <poll.h>
#include <stdlib.h>
#include <cmocka.h>

struct letter {
	struct handover_item item;
	unsigned sender, number;
};

static bool is_readable(const struct handover *h)
{
	struct pollfd p = { .fd = h->event_fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void what_is_put_is_taken_in_order(void **state)
{
	struct handover h;
	struct letter letters[3];
	struct handover_item *item;

	(void)state;
	assert_int_equal(handover_init(&h), 0);
	assert_false(is_readable(&h));
	for (unsigned i = 0; i < 3; i++)
		handover_put(&h, &letters[i].item);
	assert_true(is_readable(&h));
	assert_int_equal(handover_count(&h), 3);
	item = handover_take_all(&h);
	for (unsigned i = 0; i < 3; i++, item = item->next)
		assert_ptr_equal(item, &letters[i].item);
	assert_null(item);
	handover_deinit(&h);
}

static void taking_clears_the_event(void **state)
{
	struct handover h;
	struct letter letter;

	(void)state;
	assert_int_equal(handover_init(&h), 0);
	assert_null(handover_take_all(&h));
	for (unsigned i = 0; i < 3; i++) {
		handover_put(&h, &letter.item);
		assert_ptr_equal(handover_take_all(&h), &letter.item);
		assert_false(is_readable(&h));
		assert_int_equal(handover_count(&h), 0);
		assert_null(handover_take_all(&h));
	}
	handover_deinit(&h);
}

static void an_item_can_be_put_again_after_it_was_taken(void **state)
{
	struct handover a, b;
	struct letter letter;

	(void)state;
	assert_int_equal(handover_init(&a), 0);
	assert_int_equal(handover_init(&b), 0);
	for (unsigned i = 0; i < 100; i++) {
		handover_put(&a, &letter.item);
		handover_put(&b, handover_take_all(&a));
		assert_ptr_equal(handover_take_all(&b), &letter.item);
	}
	handover_deinit(&a);
	handover_deinit(&b);
}

enum { SENDERS = 4, LETTERS = 20000 };

struct sender {
	pthread_t thread;
	struct handover *to;
	unsigned number;
	struct letter *letters;
};

static void *send_all(void *arg)
{
	struct sender *s = arg;

	for (unsigned i = 0; i < LETTERS; i++) {
		s->letters[i] = (struct letter){ .sender = s->number, .number = i };
		handover_put(s->to, &s->letters[i].item);
	}
	return NULL;
}

/* Every wait must give something, and each sender's letters come in order. */
static void nothing_is_lost_between_threads(void **state)
{
	struct handover h;
	struct sender senders[SENDERS];
	unsigned next[SENDERS] = { 0 };
	size_t got = 0;

	(void)state;
	assert_int_equal(handover_init(&h), 0);
	for (unsigned i = 0; i < SENDERS; i++) {
		senders[i] = (struct sender){ .to = &h, .number = i, .letters = calloc(LETTERS, sizeof(struct letter)) };
		assert_non_null(senders[i].letters);
		assert_int_equal(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
	}
	while (got < SENDERS * LETTERS) {
		struct handover_item *item = handover_wait_all(&h);

		assert_non_null(item);
		for (; item; item = item->next, got++) {
			struct letter *l = container_of(item, struct letter, item);

			assert_int_equal(l->number, next[l->sender]++);
		}
	}
	for (unsigned i = 0; i < SENDERS; i++) {
		pthread_join(senders[i].thread, NULL);
		free(senders[i].letters);
	}
	assert_int_equal(handover_count(&h), 0);
	handover_deinit(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_put_is_taken_in_order),
		cmocka_unit_test(taking_clears_the_event),
		cmocka_unit_test(an_item_can_be_put_again_after_it_was_taken),
		cmocka_unit_test(nothing_is_lost_between_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
