/* What a node is told of a peering rule: of its own network all, of the other what the rule needs and nothing else (G3). Every record that
 * comes is judged by the world: one of a network that is not allowed fails the test. */
#include "tests/unit/controller/nodes/world.h"

#include "controller/store/store_rule.h"

/* acme/web on a, globex/web on b, and another app of globex there. */
struct two_ends {
	struct world *w;
	uint32_t acme, globex;
	struct test_node *a, *b;
};

static struct two_ends two_ends(void)
{
	struct two_ends t;
	struct store_app app;
	struct world *w = two_orgs(NULL, &t.acme, &t.globex);

	t.w = w;
	t.a = add_running(t.w, "ord");
	t.b = add_running(t.w, "nrt");
	allow(t.a, t.acme);
	allow(t.b, t.globex);
	DO(w, store_app_create(store, op, "globex", NULL, "secret", &app));
	make_instance(t.w, "acme", "web", t.a);
	make_instance(t.w, "globex", "web", t.b);
	make_instance(t.w, "globex", "secret", t.b);
	world_run(t.w, 10);
	return t;
}

static struct store_rule make_rule(struct two_ends *t)
{
	struct store_rule_new in = { .from_org = "acme", .from_app = "web", .to_org = "globex", .to_app = "web", .alias = "far" };
	struct world *w = t->w;
	struct store_rule rule;

	DO(w, store_rule_create(store, op, &in, &rule));
	world_run(t->w, 10);
	return rule;
}

static void g3_each_end_of_a_rule_is_told_what_the_rule_needs_of_the_other(void **state)
{
	struct two_ends t = two_ends();

	(void)state;
	make_rule(&t);
	assert_int_equal(count_kept(t.a, RECORD_RULE, t.acme), 1);
	assert_int_equal(count_kept(t.a, RECORD_FAR_INSTANCE, t.acme), 1); /* globex's web, and not its other app */
	assert_int_equal(count_kept(t.b, RECORD_RULE, t.globex), 1);
	assert_int_equal(count_kept(t.b, RECORD_FAR_INSTANCE, t.globex), 1);
	assert_int_equal(count_kept(t.a, 0, t.globex), 0);
	assert_int_equal(count_kept(t.b, 0, t.acme), 0);
	assert_in_step(t.a);
	assert_in_step(t.b);
	world_free(t.w);
}

static void g5_a_rule_that_ended_is_taken_back_also_from_a_node_that_was_away(void **state)
{
	struct two_ends t = two_ends();
	struct store_rule rule = make_rule(&t), gone;
	struct world *w = t.w;
	char id[ID_TEXT_SIZE];

	(void)state;
	stop_node(t.b);
	DO(w, store_rule_delete(store, op, id_text(rule.id, id), &gone));
	world_run(t.w, 10);
	assert_int_equal(count_kept(t.a, RECORD_RULE, 0) + count_kept(t.a, RECORD_FAR_INSTANCE, 0), 0);
	assert_int_equal(count_kept(t.b, RECORD_RULE, 0), 1);
	start_node(t.b);
	world_run(t.w, 1000);
	assert_int_equal(count_kept(t.b, RECORD_RULE, 0) + count_kept(t.b, RECORD_FAR_INSTANCE, 0), 0);
	assert_in_step(t.b);
	world_free(t.w);
}

static void g3_a_node_that_has_nothing_of_either_network_hears_nothing(void **state)
{
	struct two_ends t = two_ends();
	struct test_node *c = add_running(t.w, "ord");

	(void)state;
	make_rule(&t);
	make_instance(t.w, "globex", "web", t.b);
	world_run(t.w, 10);
	assert_int_equal(count_kept(t.a, RECORD_FAR_INSTANCE, t.acme), 2);
	assert_int_equal(count_kept(c, RECORD_RULE, 0) + count_kept(c, RECORD_FAR_INSTANCE, 0), 0);
	assert_in_step(c);
	world_free(t.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(g3_each_end_of_a_rule_is_told_what_the_rule_needs_of_the_other),
		cmocka_unit_test(g5_a_rule_that_ended_is_taken_back_also_from_a_node_that_was_away),
		cmocka_unit_test(g3_a_node_that_has_nothing_of_either_network_hears_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
