/* wg_backend: the decision by a table of all that can be found, and the probe where the machine allows it. */
#include "tests/unit/lib/netlink/sandbox.h"

#include "lib/netlink/rtnl.h"
#include "lib/netlink/wg_backend.h"

#define A WG_BACKEND_AUTO
#define K WG_BACKEND_KERNEL
#define U WG_BACKEND_USERSPACE
#define NO (-1)

static const struct {
	enum wg_backend wanted;
	bool kernel_has;
	enum wg_device_kind device;
	bool served;
	int backend; /* NO = refused */
	bool replace, kept;
} rows[] = {
	/* nothing there: the best that there is, or what was asked for */
	{ A, true, WG_DEVICE_NONE, false, K, false, false },
	{ A, false, WG_DEVICE_NONE, false, U, false, false },
	{ K, true, WG_DEVICE_NONE, false, K, false, false },
	{ K, false, WG_DEVICE_NONE, false, NO, false, false },
	{ U, true, WG_DEVICE_NONE, false, U, false, false },
	{ U, false, WG_DEVICE_NONE, false, U, false, false },
	/* at work: auto ends no session */
	{ A, true, WG_DEVICE_TUN, true, U, false, true },
	{ A, false, WG_DEVICE_TUN, true, U, false, false },
	{ A, true, WG_DEVICE_KERNEL, false, K, false, false },
	/* a tun with nobody behind it has no sessions */
	{ A, true, WG_DEVICE_TUN, false, K, true, false },
	{ A, false, WG_DEVICE_TUN, false, U, false, false },
	/* a word is carried out */
	{ K, true, WG_DEVICE_TUN, true, K, true, false },
	{ K, false, WG_DEVICE_TUN, true, NO, false, false },
	{ K, true, WG_DEVICE_KERNEL, false, K, false, false },
	{ U, true, WG_DEVICE_KERNEL, false, U, true, false },
	{ U, false, WG_DEVICE_TUN, true, U, false, false },
	/* somebody else's device is nobody's to replace */
	{ A, true, WG_DEVICE_OTHER, false, NO, false, false },
	{ U, true, WG_DEVICE_OTHER, false, NO, false, false },
	{ K, true, WG_DEVICE_OTHER, false, NO, false, false },
};

static void a_device_gets_the_backend_that_ends_no_session_unless_it_was_asked_for(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct wg_backend_found found = { rows[i].kernel_has, rows[i].device, rows[i].served };
		struct wg_backend_choice choice = { 0 };
		struct why why = { 0 };
		int e = wg_backend_decide(rows[i].wanted, &found, "sixpn-mesh", &choice, &why);

		if (rows[i].backend == NO) {
			assert_int_equal(e, E_REFUSED);
			assert_true(why.text[0]);
			continue;
		}
		assert_int_equal(e, 0);
		if ((int)choice.backend != rows[i].backend || choice.replace != rows[i].replace || choice.kept != rows[i].kept)
			fail_msg("row %zu: %s, replace %d, kept %d", i, wg_backend_name(choice.backend), choice.replace, choice.kept);
	}
}

static void the_setting_has_three_words(void **state)
{
	static const char *const bad[] = { "", "Kernel", "kernel ", "go", "wireguard-go" };
	enum wg_backend backend = WG_BACKEND_AUTO;
	struct why why;

	(void)state;
	for (enum wg_backend b = WG_BACKEND_AUTO; b <= WG_BACKEND_USERSPACE; b++) {
		assert_int_equal(wg_backend_parse(wg_backend_name(b), &backend, NULL), 0);
		assert_int_equal(backend, b);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(wg_backend_parse(bad[i], &backend, &why), E_REFUSED);
		assert_string_equal(why.field, "backend");
	}
}

static void the_probe_leaves_nothing_behind(void **state)
{
	struct rtnl_link link;
	struct rtnl *rtnl;
	bool first, second;

	(void)state;
	if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0) {
		printf("SKIP: needs root for a network namespace of its own\n");
		skip();
	}
	assert_int_equal(rtnl_open(&rtnl), 0);
	assert_int_equal(wg_backend_probe(rtnl, &first), 0);
	assert_int_equal(rtnl_link_by_name(rtnl, "sxprobe", &link), -ENODEV);
	assert_int_equal(wg_backend_probe(rtnl, &second), 0);
	assert_int_equal(first, second);
	printf("this kernel has %s\n", first ? "WireGuard" : "no WireGuard");
	rtnl_free(rtnl);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_device_gets_the_backend_that_ends_no_session_unless_it_was_asked_for),
		cmocka_unit_test(the_setting_has_three_words),
		cmocka_unit_test(the_probe_leaves_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
