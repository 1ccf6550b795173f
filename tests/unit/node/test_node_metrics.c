/* What a node says in numbers: its own page, and the poll that carries them to the controller. */
#include "tests/unit/node/made.h"

#include "node/health.h"
#include "node/metrics.h"
#include "tests/lib/page.h"

static void the_reference_page_says_what_the_table_says(void **state)
{
	CLEAN_BUF struct buf text = BUF_INIT(1 << 20);

	(void)state;
	node_metrics_document(&text);
	assert_page_holds("docs/reference/metrics.md", &text, "make metrics-doc");
}

static void every_row_has_the_labels_that_the_controller_expects(void **state)
{
	(void)state;
#define CHECK(number, NAME, metric, type, labels, help) assert_in_range(health_n_labels(HEALTH_##NAME), 0, HEALTH_LABELS_MAX);
	HEALTH_FAMILIES(CHECK)
#undef CHECK
	assert_int_equal(health_n_labels(HEALTH_DNS_ANSWERS), 3);
	assert_int_equal(health_n_labels(HEALTH_DROPS), 1);
	assert_int_equal(health_n_labels(HEALTH_UNMARKED), 0);
	assert_int_equal(health_n_labels(0), -1);
	assert_int_equal(health_n_labels(9999), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_reference_page_says_what_the_table_says),
		cmocka_unit_test(every_row_has_the_labels_that_the_controller_expects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
