/* sysctl against /proc/sys/net of a namespace of the test's own. */
#include "tests/unit/lib/netlink/sandbox.h"

#include "lib/base/file.h"
#include "lib/netlink/sysctl.h"

#define FORWARDING "net/ipv6/conf/all/forwarding"
#define ACCEPT_RA "net/ipv6/conf/lo/accept_ra"
#define LEDGER "/run/sysctl.json"

static void expect(const char *name, const char *value)
{
	char now[SYSCTL_VALUE_MAX];

	assert_int_equal(sysctl_read(name, now, sizeof(now)), 0);
	assert_string_equal(now, value);
}

static void what_was_changed_is_put_back(void **state)
{
	struct sysctl_ledger ledger = { 0 };
	size_t left = 42;

	(void)state;
	assert_int_equal(sysctl_ledger_set(&ledger, FORWARDING, "1"), 0);
	assert_int_equal(sysctl_ledger_set(&ledger, ACCEPT_RA, "2"), 0);
	assert_int_equal(sysctl_ledger_set(&ledger, ACCEPT_RA, "0"), 0); /* twice: the first old value counts */
	assert_int_equal(ledger.n, 2);
	expect(FORWARDING, "1");
	expect(ACCEPT_RA, "0");
	assert_int_equal(sysctl_ledger_restore(&ledger, &left), 0);
	assert_int_equal(left, 0);
	assert_int_equal(ledger.n, 0);
	expect(FORWARDING, "0");
	expect(ACCEPT_RA, "1");
	sysctl_ledger_deinit(&ledger);
}

static void a_setting_that_has_the_value_is_not_noted(void **state)
{
	struct sysctl_ledger ledger = { 0 };

	(void)state;
	assert_int_equal(sysctl_ledger_set(&ledger, FORWARDING, "0"), 0);
	assert_int_equal(ledger.n, 0);
}

static void a_value_that_the_kernel_refuses_is_not_noted(void **state)
{
	struct sysctl_ledger ledger = { 0 };

	(void)state;
	assert_true(sysctl_ledger_set(&ledger, FORWARDING, "often") < 0);
	assert_int_equal(ledger.n, 0);
	expect(FORWARDING, "0");
	sysctl_ledger_deinit(&ledger);
}

static void what_somebody_else_changed_since_is_left(void **state)
{
	struct sysctl_ledger ledger = { 0 };
	size_t left = 0;

	(void)state;
	assert_int_equal(sysctl_ledger_set(&ledger, ACCEPT_RA, "2"), 0);
	assert_int_equal(sysctl_write(ACCEPT_RA, "0"), 0);
	assert_int_equal(sysctl_ledger_restore(&ledger, &left), 0);
	assert_int_equal(left, 1);
	expect(ACCEPT_RA, "0");
	assert_int_equal(sysctl_write(ACCEPT_RA, "1"), 0);
	sysctl_ledger_deinit(&ledger);
}

static void a_ledger_survives_in_its_file(void **state)
{
	struct sysctl_ledger ledger = { 0 }, again = { 0 };

	(void)state;
	assert_int_equal(sysctl_ledger_load(&again, "/run/none.json", NULL), 0);
	assert_int_equal(again.n, 0);
	assert_int_equal(sysctl_ledger_set(&ledger, FORWARDING, "1"), 0);
	assert_int_equal(sysctl_ledger_save(&ledger, LEDGER), 0);
	assert_int_equal(sysctl_ledger_load(&again, LEDGER, NULL), 0);
	assert_int_equal(again.n, 1);
	assert_string_equal(again.changes[0].name, FORWARDING);
	assert_int_equal(sysctl_ledger_restore(&again, NULL), 0);
	expect(FORWARDING, "0");
	sysctl_ledger_deinit(&ledger);
	sysctl_ledger_deinit(&again);
}

static const char *const broken[] = {
	"", "{}", "[1]", "[{\"name\":\"a\"}]", "[{\"name\":\"../x\",\"old\":\"1\",\"new\":\"2\"}]",
	"[{\"name\":\"net/x\",\"old\":1,\"new\":\"2\"}]", "[{\"name\":\"net/x\",\"old\":\"1\",\"new\":\"2\",\"more\":0}]",
};

static void a_broken_ledger_file_is_refused_and_changes_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
		struct sysctl_ledger ledger = { .n = 0 };
		struct why why = { 0 };

		assert_int_equal(file_replace(LEDGER, broken[i], strlen(broken[i]), 0644), 0);
		assert_int_equal(sysctl_ledger_load(&ledger, LEDGER, &why), E_REFUSED);
		assert_true(why.text[0]);
		assert_null(ledger.changes);
	}
}

static void names_that_lead_elsewhere_are_refused(void **state)
{
	static const char *const names[] = { "", "/etc/passwd", "../../etc/passwd", "net/../../etc/passwd", "net//x", "net/", "net/..",
					     "net/./x" };
	char value[8];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_int_equal(sysctl_read(names[i], value, sizeof(value)), -EINVAL);
	assert_int_equal(sysctl_read("net/ipv6/conf/no.such-device/accept_ra", value, sizeof(value)), -ENOENT);
}

static void a_change_is_noted_before_it_is_made(void **state)
{
	struct sysctl_ledger ledger = { 0 };
	size_t left = 42;

	(void)state;
	assert_int_equal(sysctl_ledger_plan(&ledger, ACCEPT_RA, "2"), SYSCTL_DIFFERS);
	assert_int_equal(ledger.n, 1);
	expect(ACCEPT_RA, "1");
	assert_int_equal(sysctl_ledger_restore(&ledger, &left), 0); /* a daemon that ended before it made the change */
	assert_int_equal(left, 1);
	expect(ACCEPT_RA, "1");
	sysctl_ledger_deinit(&ledger);
}

static void a_device_that_forwarded_before_us_forwards_after_us(void **state)
{
	struct sysctl_ledger ledger = { 0 };

	(void)state;
	assert_int_equal(sysctl_write("net/ipv6/conf/lo/forwarding", "1"), 0);
	assert_int_equal(sysctl_ledger_expect(&ledger, "net/ipv6/conf/lo/forwarding", "1", "0"), 0);
	assert_int_equal(sysctl_ledger_set(&ledger, FORWARDING, "1"), 0);
	assert_int_equal(sysctl_ledger_restore(&ledger, NULL), 0);
	expect(FORWARDING, "0");
	expect("net/ipv6/conf/lo/forwarding", "1");
	assert_int_equal(sysctl_write("net/ipv6/conf/lo/forwarding", "0"), 0);
	sysctl_ledger_deinit(&ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_changed_is_put_back),
		cmocka_unit_test(a_setting_that_has_the_value_is_not_noted),
		cmocka_unit_test(a_value_that_the_kernel_refuses_is_not_noted),
		cmocka_unit_test(what_somebody_else_changed_since_is_left),
		cmocka_unit_test(a_ledger_survives_in_its_file),
		cmocka_unit_test(a_broken_ledger_file_is_refused_and_changes_nothing),
		cmocka_unit_test(a_change_is_noted_before_it_is_made),
		cmocka_unit_test(a_device_that_forwarded_before_us_forwards_after_us),
		cmocka_unit_test(names_that_lead_elsewhere_are_refused),
	};

	sandbox_or_skip();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
