/* What outlives a daemon, and what takes its place: restarts, upgrades and downgrades of the layout under a flood, pins and programs
 * that somebody takes away. */
#include "tests/bpf/devices.h"

static void a_restart_adopts_maps_and_replaces_programs(enum bpf_attach_kind kind)
{
	struct bpf_datapath *dp = open_kind(kind);
	uint32_t ifindex = attach_instance(dp), old_id = query(dp, ifindex).ingress_id;
	int from = raw_socket("guest0"), to = raw_socket("sx0");
	struct sixpn_device d = { 0 };

	assert_int_equal(bpf_presence_set(dp, NETWORK, 0xa0020002), 0);
	bpf_datapath_close(dp);
	assert_true(arrives(from, to, MINE, REMOTE, PATIENCE_MS)); /* nobody is there, all goes on */
	assert_false(arrives(from, to, REMOTE, MINE, 0));

	dp = open_kind(kind);
	assert_false(bpf_datapath_map_is_new(dp, "device"));
	assert_int_equal(bpf_device_get(dp, ifindex, &d), 0);
	assert_int_equal(d.network, NETWORK);
	assert_int_equal(query(dp, ifindex).ingress_id, old_id);
	assert_false(query(dp, ifindex).ingress_current);
	assert_int_equal(bpf_attach_all_again(dp), 0);
	assert_true(query(dp, ifindex).ingress_current && query(dp, ifindex).egress_current);
	assert_int_not_equal(query(dp, ifindex).ingress_id, old_id);
	assert_int_equal(bpf_settle(dp), 0);
	assert_true(arrives(from, to, MINE, REMOTE, PATIENCE_MS));
	close(from);
	close(to);
	delete_pair();
	bpf_datapath_close(dp);
}

static void pin_path(unsigned layout, const char *map, char ret_path[128])
{
	snprintf(ret_path, 128, "%s/sixpn_v%u_%s", pins, layout, map);
}

static bool pin_is_there(unsigned layout, const char *map)
{
	char path[128];

	pin_path(layout, map, path);
	return access(path, F_OK) == 0;
}

static void a_map_of_another_shape_is_left_to_the_old_programs(enum bpf_attach_kind kind)
{
	uint32_t key = 7, value = 9;
	char path[128];
	int fd = bpf_map_create(BPF_MAP_TYPE_HASH, "device", sizeof(key), sizeof(value), 8, NULL);
	struct bpf_datapath *dp;
	uint32_t ifindex;

	pin_path(SIXPN_LAYOUT, "device", path);
	unlink(path);
	assert_int_equal(file_make_dirs(pins, 0700), 0);
	assert_int_equal(bpf_obj_pin(fd, path), 0);
	close(fd);
	dp = open_kind(kind);
	assert_true(bpf_datapath_map_is_new(dp, "device"));
	assert_true(pin_is_there(SIXPN_LAYOUT, "device"));
	ifindex = attach_instance(dp);
	assert_int_equal(bpf_settle(dp), 0);
	bpf_datapath_close(dp);

	dp = open_kind(kind); /* the pin leads to the new one */
	assert_false(bpf_datapath_map_is_new(dp, "device"));
	assert_int_equal(bpf_device_get(dp, ifindex, &(struct sixpn_device){ 0 }), 0);
	delete_pair();
	bpf_datapath_close(dp);
}

/* As if what is pinned had been made by a daemon of that layout. */
static void make_layout(unsigned layout)
{
	static const char *const maps[] = { "device", "presence", "moved_here", "moved_away", "counters",
					    "passes", "traffic",  "events",	"policy" };
	char from[128], to[128];

	for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
		pin_path(SIXPN_LAYOUT, maps[i], from);
		pin_path(layout, maps[i], to);
		assert_int_equal(rename(from, to), 0);
	}
}

/* The steps of a daemon that finds another layout. The flood never stops, and what is forged arrives at no moment. */
static void change_layout(enum bpf_attach_kind kind, unsigned layout)
{
	struct bpf_datapath *old = open_kind(kind), *dp;
	uint32_t ifindex = attach_instance(old), old_id = query(old, ifindex).ingress_id;
	struct flood f = { .from = raw_socket("guest0"), .to = raw_socket("sx0") };
	struct sixpn_device d = mine();
	pthread_t thread;

	make_layout(layout);
	assert_int_equal(pthread_create(&thread, NULL, flood, &f), 0);
	bpf_datapath_close(old);
	dp = open_kind(kind);
	assert_true(bpf_datapath_map_is_new(dp, "device"));
	assert_int_equal(bpf_pins_found(dp).newest, layout);
	assert_int_equal(bpf_device_get(dp, ifindex, &(struct sixpn_device){ 0 }), -ENOENT);
	assert_int_equal(query(dp, ifindex).ingress_id, old_id);
	assert_true(pin_is_there(layout, "device")); /* the old daemon could still come back */
	assert_int_equal(bpf_device_set(dp, ifindex, &d), 0);
	assert_int_equal(bpf_attach(dp, ifindex, "sx0", BPF_DEVICE_INSTANCE), 0);
	assert_int_equal(bpf_settle(dp), 0);
	atomic_store(&f.stop, true);
	pthread_join(thread, NULL);
	printf("             %s, layout %u to %u: %llu packets, %llu lost\n", bpf_attach_kind_name(kind), layout, SIXPN_LAYOUT,
	       (unsigned long long)f.sent, (unsigned long long)f.lost);
	assert_int_equal(f.lost, 0);
	assert_true(f.sent > 0);
	assert_true(query(dp, ifindex).ingress_current && query(dp, ifindex).egress_current);
	assert_false(pin_is_there(layout, "device"));
	assert_true(pin_is_there(SIXPN_LAYOUT, "device"));
	assert_false(arrives(f.from, f.to, REMOTE, MINE, 0));
	assert_int_equal(bpf_pins_found(dp).newest, layout); /* as it was found */
	close(f.from);
	close(f.to);
	delete_pair();
	bpf_datapath_close(dp);
}

static void an_upgrade_under_a_flood_loses_nothing(enum bpf_attach_kind kind)
{
	change_layout(kind, SIXPN_LAYOUT - 1);
}

static void a_newer_layout_is_not_read_and_gives_way_without_a_gap(enum bpf_attach_kind kind)
{
	change_layout(kind, SIXPN_LAYOUT + 5);
}

static void count_pin(void *ctx, const char *file_name, int err)
{
	assert_int_equal(err, 0);
	assert_non_null(strstr(file_name, "device"));
	++*(unsigned *)ctx;
}

static void a_map_pin_that_is_gone_or_led_astray_comes_back(enum bpf_attach_kind kind)
{
	struct bpf_datapath *dp = open_kind(kind);
	uint32_t ifindex = attach_instance(dp);
	unsigned told = 0;
	char path[128];
	int fd = bpf_map_create(BPF_MAP_TYPE_HASH, "device", 4, sizeof(struct sixpn_device), 8, NULL);

	pin_path(SIXPN_LAYOUT, "device", path);
	assert_int_equal(bpf_pins_repair(dp, count_pin, &told), 0);
	assert_int_equal(told, 0);
	unlink(path);
	assert_int_equal(bpf_pins_repair(dp, count_pin, &told), 0);
	assert_int_equal(told, 1);
	unlink(path);
	assert_int_equal(bpf_obj_pin(fd, path), 0);
	assert_int_equal(bpf_pins_repair(dp, count_pin, &told), 0);
	assert_int_equal(told, 2);
	assert_int_equal(bpf_pins_repair(dp, count_pin, &told), 0);
	assert_int_equal(told, 2);
	close(fd);
	bpf_datapath_close(dp);
	dp = open_kind(kind);
	assert_int_equal(bpf_device_get(dp, ifindex, &(struct sixpn_device){ 0 }), 0);
	delete_pair();
	bpf_datapath_close(dp);
}

static unsigned missing(struct bpf_datapath *dp, uint32_t ifindex)
{
	unsigned bits = 99;

	assert_int_equal(bpf_attach_missing(dp, ifindex, BPF_DEVICE_INSTANCE, &bits), 0);
	return bits;
}

static void what_is_taken_off_a_device_is_missed_and_put_back(enum bpf_attach_kind kind)
{
	struct bpf_datapath *dp = open_kind(kind), *other;
	uint32_t ifindex = attach_instance(dp);
	char command[256];

	assert_int_equal(missing(dp, ifindex), 0);
	if (kind == BPF_KIND_TCX)
		snprintf(command, sizeof(command), "rm %s/link_%u_egress", pins, ifindex);
	else
		snprintf(command, sizeof(command), "tc filter del dev sx0 egress");
	run(command);
	assert_int_equal(missing(dp, ifindex), BPF_MISSING_EGRESS);
	assert_int_equal(bpf_attach(dp, ifindex, "sx0", BPF_DEVICE_INSTANCE), 0);
	assert_int_equal(missing(dp, ifindex), 0);
	if (kind == BPF_KIND_TCX)
		snprintf(command, sizeof(command), "bpftool link detach pinned %s/link_%u_ingress", pins, ifindex);
	else
		snprintf(command, sizeof(command), "tc qdisc del dev sx0 clsact");
	run(command);
	assert_int_equal(missing(dp, ifindex), kind == BPF_KIND_TCX ? BPF_MISSING_INGRESS : BPF_MISSING_INGRESS | BPF_MISSING_EGRESS);
	assert_int_equal(bpf_attach(dp, ifindex, "sx0", BPF_DEVICE_INSTANCE), 0);
	assert_int_equal(missing(dp, ifindex), 0);
	other = open_kind(kind); /* a second daemon's are not ours */
	assert_int_equal(bpf_attach(other, ifindex, "sx0", BPF_DEVICE_INSTANCE), 0);
	assert_int_equal(missing(dp, ifindex), BPF_MISSING_INGRESS | BPF_MISSING_EGRESS);
	delete_pair();
	assert_int_equal(missing(dp, ifindex), BPF_MISSING_INGRESS | BPF_MISSING_EGRESS);
	bpf_datapath_close(other);
	bpf_datapath_close(dp);
}

#define PER_KIND(X)                                           \
	X(a_restart_adopts_maps_and_replaces_programs)            \
	X(a_map_of_another_shape_is_left_to_the_old_programs)     \
	X(an_upgrade_under_a_flood_loses_nothing)                 \
	X(a_newer_layout_is_not_read_and_gives_way_without_a_gap) \
	X(a_map_pin_that_is_gone_or_led_astray_comes_back)        \
	X(what_is_taken_off_a_device_is_missed_and_put_back)

static const struct {
	const char *name;
	void (*test)(enum bpf_attach_kind kind);
} per_kind[] = {
#define PER_KIND_ROW(test) { #test, test },
	PER_KIND(PER_KIND_ROW)
};

int main(void)
{
	static struct CMUnitTest tests[ARRAY_LEN(kinds) * ARRAY_LEN(per_kind)];
	static struct per_kind states[ARRAY_LEN(kinds) * ARRAY_LEN(per_kind)];
	size_t n = 0;

	if (geteuid() != 0) {
		printf("skipped: attaching BPF programs needs root\n");
		return 0;
	}
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		for (size_t i = 0; i < ARRAY_LEN(per_kind); i++, n++) {
			states[n] = (struct per_kind){ .test = per_kind[i].test, .kind = kinds[k] };
			tests[n] = (struct CMUnitTest){ .name = per_kind[i].name, .test_func = run_kind, .initial_state = &states[n] };
		}
	}
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
