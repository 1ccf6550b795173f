/* Programs on real devices, in a network and mount namespace of our own: both kinds of attachment, replacement under a flood,
 * devices that vanish, and the packets that only a device can make. Restarts and upgrades: test_upgrade.c. */
#include "tests/bpf/devices.h"

/* ---- the tests ---- */

static void attach_says_what_is_there_and_detach_takes_it_away(enum bpf_attach_kind kind)
{
	struct bpf_datapath *dp = open_kind(kind);
	uint32_t ifindex = attach_instance(dp);
	struct bpf_attachment a = query(dp, ifindex);

	assert_int_equal(a.kind, kind);
	assert_int_equal(a.set, BPF_DEVICE_INSTANCE);
	assert_true(a.ingress_id && a.egress_id && a.ingress_current && a.egress_current);
	assert_int_equal(is_pinned(ifindex, "ingress"), kind == BPF_KIND_TCX);
	assert_int_equal(bpf_detach(dp, ifindex), 0);
	a = query(dp, ifindex);
	assert_true(!a.ingress_id && !a.egress_id);
	assert_false(is_pinned(ifindex, "ingress"));
	assert_int_equal(bpf_detach(dp, ifindex), 0);
	delete_pair();
	bpf_datapath_close(dp);
}

static void forged_packets_stop_at_the_device(enum bpf_attach_kind kind)
{
	struct bpf_datapath *dp = open_kind(kind);
	uint32_t ifindex = attach_instance(dp);
	int from = raw_socket("guest0"), to = raw_socket("sx0");

	assert_false(arrives(from, to, REMOTE, MINE, 0));
	assert_false(arrives(from, to, MINE, FOREIGN, 0));
	assert_true(arrives(from, to, MINE, REMOTE, PATIENCE_MS));
	assert_int_equal(bpf_device_remove(dp, ifindex), 0);
	assert_false(arrives(from, to, MINE, REMOTE, 0));
	close(from);
	close(to);
	delete_pair();
	bpf_datapath_close(dp);
}

static uint64_t passed(struct bpf_datapath *dp)
{
	struct bpf_counters c;

	assert_int_equal(bpf_counters_read(dp, &c), 0);
	return c.passed[SIXPN_HOOK_INSTANCE_INGRESS].packets;
}

static void replacing_two_hundred_times_under_a_flood_loses_nothing(enum bpf_attach_kind kind)
{
	struct bpf_datapath *dp[2] = { open_kind(kind), open_kind(kind) };
	uint32_t ifindex = attach_instance(dp[0]);
	struct flood f = { .from = raw_socket("guest0"), .to = raw_socket("sx0") };
	uint64_t before = passed(dp[0]);
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, flood, &f), 0);
	for (int i = 1; i <= REPLACEMENTS; i++) {
		assert_int_equal(bpf_attach(dp[i % 2], ifindex, "sx0", BPF_DEVICE_INSTANCE), 0);
		assert_true(query(dp[i % 2], ifindex).ingress_current);
	}
	atomic_store(&f.stop, true);
	pthread_join(thread, NULL);
	printf("             %s: %llu packets during %d replacements, %llu lost\n", bpf_attach_kind_name(kind),
	       (unsigned long long)f.sent, REPLACEMENTS, (unsigned long long)f.lost);
	assert_int_equal(f.lost, 0);
	assert_true(f.sent > REPLACEMENTS);
	assert_int_equal(passed(dp[0]) - before, f.sent); /* each was judged exactly once */
	close(f.from);
	close(f.to);
	delete_pair();
	bpf_datapath_close(dp[0]);
	bpf_datapath_close(dp[1]);
}

static void pins_of_vanished_devices_are_removed(enum bpf_attach_kind kind)
{
	struct bpf_datapath *dp = open_kind(kind);
	uint32_t ifindex = attach_instance(dp);
	struct bpf_attachment a;

	delete_pair();
	assert_int_equal(bpf_attach_query(dp, ifindex, &a), -ENODEV);
	assert_int_equal(bpf_settle(dp), 0);
	assert_false(is_pinned(ifindex, "ingress"));
	assert_false(is_pinned(ifindex, "egress"));
	assert_int_equal(bpf_attach(dp, ifindex, "sx0", BPF_DEVICE_INSTANCE), -ENODEV);
	bpf_datapath_close(dp);
}

static void an_index_that_is_used_again_gets_new_links(enum bpf_attach_kind kind)
{
	struct bpf_datapath *dp = open_kind(kind);
	uint32_t ifindex = attach_instance(dp);
	char command[160];

	delete_pair();
	snprintf(command, sizeof(command), "ip link add sx0 index %u type veth peer name guest0", ifindex);
	run(command);
	assert_int_equal(bpf_attach(dp, ifindex, "sx1", BPF_DEVICE_INSTANCE), -ENODEV);
	assert_int_equal(query(dp, ifindex).ingress_id, 0);
	assert_int_equal(bpf_attach(dp, ifindex, "sx0", BPF_DEVICE_INSTANCE), 0);
	assert_true(query(dp, ifindex).ingress_current);
	delete_pair();
	bpf_datapath_close(dp);
}

static void mesh_programs_want_a_device_without_ethernet(enum bpf_attach_kind kind)
{
	struct bpf_datapath *dp = open_kind(kind);
	uint32_t pair = make_pair(), tun;

	run("ip tuntap add dev mesh0 mode tun");
	tun = if_nametoindex("mesh0");
	assert_int_equal(bpf_attach(dp, pair, "sx0", BPF_DEVICE_MESH), -EPROTOTYPE);
	assert_int_equal(query(dp, pair).ingress_id, 0);
	assert_int_equal(bpf_attach(dp, tun, "mesh0", BPF_DEVICE_INSTANCE), -EPROTOTYPE);
	assert_int_equal(bpf_attach(dp, tun, "mesh0", BPF_DEVICE_MESH), 0);
	assert_int_equal(query(dp, tun).set, BPF_DEVICE_MESH);
	assert_true(query(dp, tun).egress_current);
	run("ip link del mesh0");
	delete_pair();
	bpf_datapath_close(dp);
}

static void an_uplink_gets_the_program_for_its_header(enum bpf_attach_kind kind)
{
	struct bpf_datapath *dp = open_kind(kind);
	uint32_t pair = make_pair(), tun;
	int from = raw_socket("guest0"), to = raw_socket("sx0");

	run("ip tuntap add dev uplink0 mode tun");
	tun = if_nametoindex("uplink0");
	assert_int_equal(bpf_attach(dp, pair, NULL, BPF_DEVICE_UNDERLAY), 0);
	assert_int_equal(bpf_attach(dp, tun, NULL, BPF_DEVICE_UNDERLAY), 0);
	assert_int_equal(query(dp, pair).set, BPF_DEVICE_UNDERLAY);
	assert_int_not_equal(query(dp, pair).ingress_id, query(dp, tun).ingress_id);
	assert_int_equal(query(dp, pair).egress_id, 0);
	assert_false(arrives(from, to, REMOTE, "2001:db8::1", 0));
	assert_true(arrives(from, to, "2001:db8::2", "2001:db8::1", PATIENCE_MS));
	run("ip link del uplink0");
	close(from);
	close(to);
	delete_pair();
	bpf_datapath_close(dp);
}

static int count_attachment(void *ctx, const struct bpf_attachment *a)
{
	*(unsigned *)ctx += a->ingress_current && a->egress_current;
	return 0;
}

static void the_list_names_every_device_of_ours_and_no_other(enum bpf_attach_kind kind)
{
	struct bpf_datapath *dp = open_kind(kind);
	unsigned n = 0;

	attach_instance(dp);
	assert_int_equal(bpf_attach_list(dp, count_attachment, &n), 0);
	assert_int_equal(n, 1);
	delete_pair();
	bpf_datapath_close(dp);
}

static void keep_text(void *ctx, const struct sixpn_event *event)
{
	struct buf *text = ctx;

	buf_clear(text);
	bpf_event_text(event, "sx0", text);
}

static void a_drop_is_told_as_an_event(enum bpf_attach_kind kind)
{
	struct bpf_datapath *dp = open_kind(kind);
	CLEAN_BUF struct buf text = BUF_INIT(4096);
	struct pollfd wait = { .fd = bpf_events_fd(dp), .events = POLLIN };
	int from, to;

	attach_instance(dp);
	from = raw_socket("guest0");
	to = raw_socket("sx0");
	assert_int_equal(bpf_events_take(dp, 1000, keep_text, &text), 0);
	assert_int_equal(poll(&wait, 1, 0), 0);
	assert_false(arrives(from, to, "fdaa:1234:5678:a001:1:abcd:ef02:2", REMOTE, 0));
	assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
	assert_int_equal(bpf_events_take(dp, 1, keep_text, &text), 0);
	assert_string_equal(buf_str(&text), "source_foreign at instance_ingress on sx0: fdaa:1234:5678:a001:1:abcd:ef02:2 > " REMOTE
					    " next 58, 62 bytes, mark 0x0");
	close(from);
	close(to);
	delete_pair();
	bpf_datapath_close(dp);
}

/* The slot for policy: what is put there has the last word about packets that passed, and the empty slot continues. */
static void a_program_in_the_policy_slot_has_the_last_word(enum bpf_attach_kind kind)
{
	const struct bpf_insn say_drop[] = { { .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = HARNESS_DROP }, { .code = BPF_JMP | BPF_EXIT } };
	struct bpf_datapath *dp = open_kind(kind);
	uint32_t hook = SIXPN_HOOK_INSTANCE_INGRESS;
	int program, slots, from, to;
	char path[128];

	attach_instance(dp);
	from = raw_socket("guest0");
	to = raw_socket("sx0");
	program = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "say_drop", "GPL", say_drop, ARRAY_LEN(say_drop), NULL);
	snprintf(path, sizeof(path), "%s/sixpn_v%u_policy", pins, SIXPN_LAYOUT);
	slots = bpf_obj_get(path);
	assert_true(program >= 0 && slots >= 0);
	assert_int_equal(bpf_map_update_elem(slots, &hook, &program, BPF_ANY), 0);
	assert_false(arrives(from, to, MINE, REMOTE, 0));
	assert_int_equal(bpf_map_delete_elem(slots, &hook), 0);
	assert_true(arrives(from, to, MINE, REMOTE, PATIENCE_MS));
	close(program);
	close(slots);
	close(from);
	close(to);
	delete_pair();
	bpf_datapath_close(dp);
}

/* A guest says in the virtio header how much of a big packet is linear. The programs must find the addresses all the same. */
static void a_big_packet_with_a_tiny_linear_part_is_judged(enum bpf_attach_kind kind)
{
	static uint8_t frame[sizeof(struct virtio_net_hdr) + 30000];
	struct virtio_net_hdr header = { .gso_type = VIRTIO_NET_HDR_GSO_NONE, .hdr_len = 14 };
	struct ifreq request = { .ifr_name = "sxtap", .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	struct bpf_datapath *dp = open_kind(kind);
	struct sixpn_device d = mine();
	struct bpf_counters before, after;
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	uint32_t ifindex;
	size_t len;

	assert_int_equal(ioctl(fd, TUNSETIFF, &request), 0);
	run("ip link set sxtap up");
	ifindex = if_nametoindex("sxtap");
	assert_int_equal(bpf_device_set(dp, ifindex, &d), 0);
	assert_int_equal(bpf_attach(dp, ifindex, "sxtap", BPF_DEVICE_INSTANCE), 0);
	assert_int_equal(bpf_counters_read(dp, &before), 0);
	memcpy(frame, &header, sizeof(header));
	for (int i = 0; i < 2; i++) {
		uint8_t packet[HARNESS_PACKET_MAX];

		len = echo_from(MINE, i ? FOREIGN : REMOTE, packet);
		put_u16(packet + 14 + 4, 30000 - 54);
		memcpy(frame + sizeof(header), packet, len);
		assert_int_equal(write(fd, frame, sizeof(frame)), sizeof(frame));
	}
	assert_int_equal(bpf_counters_read(dp, &after), 0);
	assert_int_equal(after.passed[SIXPN_HOOK_INSTANCE_INGRESS].packets - before.passed[SIXPN_HOOK_INSTANCE_INGRESS].packets, 1);
	assert_int_equal(after.dropped[SIXPN_REASON_DESTINATION_NETWORK].packets -
				 before.dropped[SIXPN_REASON_DESTINATION_NETWORK].packets, 1);
	close(fd);
	bpf_datapath_close(dp);
}

static void a_change_of_kind_leaves_one_kind(void **state)
{
	struct bpf_datapath *tcx, *clsact;
	struct bpf_attachment a;
	uint32_t ifindex;

	(void)state;
	if (!have_tcx) {
		printf("             SKIP: this kernel has no TCX (Linux 6.6)\n");
		skip();
	}
	tcx = open_kind(BPF_KIND_TCX);
	clsact = open_kind(BPF_KIND_CLSACT);
	ifindex = attach_instance(tcx);
	assert_int_equal(bpf_attach(clsact, ifindex, NULL, BPF_DEVICE_INSTANCE), 0);
	a = query(clsact, ifindex);
	assert_true(a.kind == BPF_KIND_CLSACT && a.ingress_current && a.egress_current);
	assert_false(is_pinned(ifindex, "ingress"));
	assert_int_equal(bpf_attach(tcx, ifindex, NULL, BPF_DEVICE_INSTANCE), 0);
	a = query(tcx, ifindex);
	assert_true(a.kind == BPF_KIND_TCX && a.ingress_current && a.egress_current);
	assert_int_equal(bpf_detach(tcx, ifindex), 0);
	assert_int_equal(query(tcx, ifindex).ingress_id, 0); /* no filter was left behind it */
	delete_pair();
	bpf_datapath_close(tcx);
	bpf_datapath_close(clsact);
}

static void auto_takes_the_best_kind_of_the_kernel(void **state)
{
	struct bpf_datapath *dp = open_kind(BPF_KIND_AUTO);
	uint32_t ifindex = attach_instance(dp);

	(void)state;
	assert_int_equal(query(dp, ifindex).kind, have_tcx ? BPF_KIND_TCX : BPF_KIND_CLSACT);
	delete_pair();
	bpf_datapath_close(dp);
}

#define PER_KIND(X)                                              \
	X(attach_says_what_is_there_and_detach_takes_it_away)        \
	X(forged_packets_stop_at_the_device)                         \
	X(replacing_two_hundred_times_under_a_flood_loses_nothing)   \
	X(pins_of_vanished_devices_are_removed)                      \
	X(an_index_that_is_used_again_gets_new_links)                \
	X(mesh_programs_want_a_device_without_ethernet)              \
	X(an_uplink_gets_the_program_for_its_header)                 \
	X(the_list_names_every_device_of_ours_and_no_other)          \
	X(a_drop_is_told_as_an_event)                                \
	X(a_program_in_the_policy_slot_has_the_last_word)            \
	X(a_big_packet_with_a_tiny_linear_part_is_judged)

static const struct {
	const char *name;
	void (*test)(enum bpf_attach_kind kind);
} per_kind[] = {
#define PER_KIND_ROW(test) { #test, test },
	PER_KIND(PER_KIND_ROW)
};

int main(void)
{
	static struct CMUnitTest tests[ARRAY_LEN(kinds) * ARRAY_LEN(per_kind) + 2];
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
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_change_of_kind_leaves_one_kind);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(auto_takes_the_best_kind_of_the_kernel);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
