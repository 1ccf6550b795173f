/* Who waits until everybody knows that this host speaks in a network, and when it goes on. */
#include "tests/unit/node/made.h"

#include "node/awaits.h"

struct rig {
	struct node node;
	struct clock_virtual v;
	unsigned done, late;
	char id[NAME_INSTANCE_ID_SIZE];
};

static void on_done(void *arg, bool timed_out)
{
	struct rig *rig = arg;

	rig->done++;
	rig->late += timed_out;
}

static int set_up(void **state)
{
	struct rig *rig = calloc(1, sizeof *rig);
	struct instance_record mine = made_instance_record(MADE_NET, MADE_HOST, 1);

	rig->node.clock = clock_virtual(&rig->v);
	assert_int_equal(loop_new_on(&rig->node.clock, &rig->node.loop), 0);
	replica_init(&rig->node.replica);
	made_take(&rig->node.replica, made_world(), 0);
	memcpy(rig->id, mine.id, sizeof rig->id);
	*state = rig;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *rig = *state;

	node_forget_awaits(&rig->node);
	assert_null(rig->node.awaits);
	free(rig->node.settled);
	replica_deinit(&rig->node.replica);
	rig->node.loop = loop_free(rig->node.loop);
	free(rig);
	return 0;
}

/* The instance's record is of V 10. */
static void it_goes_on_when_its_own_network_has_settled_at_its_record(void **state)
{
	struct rig *rig = *state;

	awaits_add(&rig->node, MADE_NET, rig->id, on_done, rig);
	awaits_settled(&rig->node, MADE_NET2, 20);
	awaits_settled(&rig->node, MADE_NET, 9);
	assert_int_equal(rig->done, 0);
	awaits_settled(&rig->node, MADE_NET, 10);
	assert_int_equal(rig->done, 1);
	assert_int_equal(rig->late, 0);
	assert_null(rig->node.awaits);
}

static void nobody_waits_for_a_network_that_has_settled_until_the_host_leaves_it(void **state)
{
	struct rig *rig = *state;
	struct presence nobody = { 0 };

	awaits_settled(&rig->node, MADE_NET, 10);
	awaits_add(&rig->node, MADE_NET, rig->id, on_done, rig);
	assert_int_equal(rig->done, 1);
	awaits_forget_settled(&rig->node, &nobody);
	awaits_add(&rig->node, MADE_NET, rig->id, on_done, rig);
	assert_int_equal(rig->done, 1);
	assert_non_null(rig->node.awaits);
}

static void who_is_forgotten_is_not_called(void **state)
{
	struct rig *rig = *state;

	awaits_add(&rig->node, MADE_NET, rig->id, on_done, rig);
	awaits_forget(&rig->node, rig);
	awaits_settled(&rig->node, MADE_NET, 10);
	assert_int_equal(rig->done, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_goes_on_when_its_own_network_has_settled_at_its_record, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nobody_waits_for_a_network_that_has_settled_until_the_host_leaves_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_is_forgotten_is_not_called, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
