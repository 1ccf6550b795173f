#include "lib/bpf/datapath.h"

#include "lib/bpf/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void kinds_are_read_by_name(void **state)
{
	enum bpf_attach_kind kind = BPF_KIND_AUTO;

	(void)state;
	assert_int_equal(bpf_attach_kind_parse("clsact", &kind, NULL), 0);
	assert_int_equal(kind, BPF_KIND_CLSACT);
	assert_int_equal(bpf_attach_kind_parse("tcx", &kind, NULL), 0);
	assert_int_equal(kind, BPF_KIND_TCX);
	assert_int_equal(bpf_attach_kind_parse("auto", &kind, NULL), 0);
	assert_int_equal(kind, BPF_KIND_AUTO);
	assert_string_equal(bpf_attach_kind_name(BPF_KIND_CLSACT), "clsact");
}

static void an_unknown_kind_is_refused_with_its_value(void **state)
{
	enum bpf_attach_kind kind = BPF_KIND_TCX;
	struct why why;

	(void)state;
	assert_int_equal(bpf_attach_kind_parse("xdp", &kind, &why), E_REFUSED);
	assert_int_equal(kind, BPF_KIND_TCX);
	assert_string_equal(why.field, "bpf.attach");
	assert_non_null(strstr(why.text, "\"xdp\""));
}

static void names_of_pinned_maps_are_taken_apart(void **state)
{
	enum bpf_map_slot slot = BPF_MAP_SLOTS;
	unsigned version = 0;

	(void)state;
	assert_true(bpf_map_name_parse("sixpn_v12_moved_here", &version, &slot));
	assert_int_equal(version, 12);
	assert_int_equal(slot, BPF_MAP_SLOT_MOVED_HERE);
}

static void other_names_are_no_maps_of_ours(void **state)
{
	static const char *const names[] = { "", "sixpn", "sixpn_v1_", "sixpn_v_device", "sixpn_v1_devices", "sixpn_v1_devic",
					     "sixpn_vx_device", "link_1_ingress", "sixpn_v1_device.old" };
	enum bpf_map_slot slot;
	unsigned version;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_false(bpf_map_name_parse(names[i], &version, &slot));
}

static void names_of_pinned_links_are_taken_apart(void **state)
{
	uint32_t ifindex = 0;
	bool ingress = false;

	(void)state;
	assert_true(bpf_link_name_parse("link_4294967295_ingress", &ifindex, &ingress));
	assert_int_equal(ifindex, 4294967295u);
	assert_true(ingress);
	assert_true(bpf_link_name_parse("link_7_egress", &ifindex, &ingress));
	assert_int_equal(ifindex, 7);
	assert_false(ingress);
}

static void other_names_are_no_links_of_ours(void **state)
{
	static const char *const names[] = { "", "link_", "link_1", "link_1_", "link_1_in", "link_x_ingress", "link_1_ingress2",
					     "link_1_ingresss", "sixpn_v1_device" };
	uint32_t ifindex;
	bool ingress;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_false(bpf_link_name_parse(names[i], &ifindex, &ingress));
}

static void a_configuration_without_sense_is_refused(void **state)
{
	static const struct bpf_config configs[] = {
		{ .self_host = 0 },                                                     /* no host word */
		{ .self_host = 0x12345678 },                                            /* not a node's */
		{ .self_host = 0xa0010001, .mark_value = 0x16b, .mark_mask = 0xff },    /* outside the mask */
		{ .self_host = 0xa0010001, .mark_value = 0, .mark_mask = 0xff },        /* everybody's mark */
		{ .self_host = 0xa0010001, .attach = (enum bpf_attach_kind)99 },
	};
	struct bpf_datapath *dp = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(configs); i++)
		assert_int_equal(bpf_datapath_open(NULL, &configs[i], &dp), -EINVAL);
	assert_null(dp);
	assert_null(bpf_datapath_close(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds_are_read_by_name),
		cmocka_unit_test(an_unknown_kind_is_refused_with_its_value),
		cmocka_unit_test(names_of_pinned_maps_are_taken_apart),
		cmocka_unit_test(other_names_are_no_maps_of_ours),
		cmocka_unit_test(names_of_pinned_links_are_taken_apart),
		cmocka_unit_test(other_names_are_no_links_of_ours),
		cmocka_unit_test(a_configuration_without_sense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
