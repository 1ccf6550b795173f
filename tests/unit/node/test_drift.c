/* How often the kernel is looked at, on a virtual clock. */
#include "tests/unit/node/made.h"

#include "node/drift.h"
#include "node/node.h"

struct bench {
	struct clock_virtual time;
	struct node node;
	struct drift *drift;
	unsigned own, roles;
	uint64_t takes_ms; /* a look of the role */
};

static void look_own(struct node *node)
{
	container_of(node, struct bench, node)->own++;
}

static void look_role(void *state)
{
	struct bench *b = state;

	b->roles++;
	b->time.now_ms += b->takes_ms;
}

static const struct kernel_ops kernel = { .repair = look_own };
static const struct role_ops role = { .name = "host", .repair = look_role };

static int set_up(void **state)
{
	struct bench *b = calloc(1, sizeof *b);

	*state = b;
	if (!b)
		return -1;
	b->time.now_ms = 1000;
	b->node = (struct node){ .clock = clock_virtual(&b->time), .kernel = &kernel, .roles = { &role }, .role_state = { b }, .n_roles = 1,
				 .applies = 1 };
	return loop_new_on(&b->node.clock, &b->node.loop) < 0 || drift_start(&b->node, 2000, &b->drift) < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	drift_stop(b->drift);
	loop_free(b->node.loop);
	free(b);
	return 0;
}

static void pass(struct bench *b, uint64_t ms)
{
	for (uint64_t end = b->time.now_ms + ms; b->time.now_ms < end; b->time.now_ms += 10)
		assert_true(loop_round(b->node.loop, 0) >= 0);
}

static void the_interval_is_jittered_and_no_longer_than_promised(void **state)
{
	struct bench *b = *state;

	for (unsigned looks = 0; looks < 20; looks++) {
		pass(b, 2520);
		assert_true(b->own > looks);
	}
	assert_int_equal(b->roles, b->own);
}

static void long_looks_of_a_role_put_off_only_its_own(void **state)
{
	struct bench *b = *state;

	b->takes_ms = 500;
	pass(b, 60000);
	assert_true(b->own >= 60000 / 3500);
	assert_true(b->roles >= 4 && b->roles <= 7); /* a twentieth of the time */
}

static void before_the_first_apply_there_is_nothing_to_compare_a_role_with(void **state)
{
	struct bench *b = *state;

	b->node.applies = 0;
	pass(b, 10000);
	assert_int_equal(b->roles, 0);
	assert_true(b->own >= 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_interval_is_jittered_and_no_longer_than_promised, set_up, tear_down),
		cmocka_unit_test_setup_teardown(long_looks_of_a_role_put_off_only_its_own, set_up, tear_down),
		cmocka_unit_test_setup_teardown(before_the_first_apply_there_is_nothing_to_compare_a_role_with, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
