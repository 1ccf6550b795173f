/* bench_bpf - what each BPF program costs a packet that it lets pass, above an empty program in the same run (BPF_PROG_TEST_RUN; needs
 * root). Two ways to look at it: "hot" is the mean over a million runs on one packet, for programs that leave the packet as it is; "cold"
 * is the median of single runs, each with a system call between, for all: the programs of the mesh rewrite the packet, so that they can be
 * run on it only once. The empty program is measured the same two ways, and taken off. */
#include "tests/bpf/harness.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SELF 0xa0010001u
#define OTHER 0xa0020002u
#define NETWORK 0x12345678u
#define MARK 0x6bu
#define UDP 17

#define HOT_RUNS 1000000
#define COLD_RUNS 40001

#define RULE_FROM "fdaa:1234:5678:a001:1:abcd:ef01:2"
#define RULE_TO "fdaa:2222:2222:a002:2:1111:2222:2"

static const struct row {
	const char *name;
	enum sixpn_hook hook;
	const char *source, *destination;
	bool rewrites;
} rows[] = {
	{ "instance_ingress", SIXPN_HOOK_INSTANCE_INGRESS, "fdaa:1234:5678:a001:1:abcd:ef01:2", "fdaa:1234:5678:a002:2:1111:2222:2", false },
	{ "instance_egress", SIXPN_HOOK_INSTANCE_EGRESS, "fdaa:1234:5678:a002:2:1111:2222:2", "fdaa:1234:5678:a001:1:abcd:ef01:2", false },
	{ "mesh_egress", SIXPN_HOOK_MESH_EGRESS, "fdaa:1234:5678:a001:1:abcd:ef01:2", "fdaa:1234:5678:a002:2:1111:2222:2", true },
	{ "mesh_ingress", SIXPN_HOOK_MESH_INGRESS, "fdaa:a002:2:1234:5678:1111:2222:2", "fdaa:a001:1:1234:5678:abcd:ef01:2", true },
	{ "peer_ingress", SIXPN_HOOK_PEER_INGRESS, "fdaa:1234:5678:a001:1:0:a:102", "fdaa:1234:5678:a002:2:1111:2222:2", false },
	{ "peer_egress", SIXPN_HOOK_PEER_EGRESS, "fdaa:1234:5678:a002:2:1111:2222:2", "fdaa:1234:5678:a001:1:0:a:102", false },
	{ "underlay_ingress", SIXPN_HOOK_UNDERLAY_INGRESS, "2001:db8::1", "2001:db8::2", false },
	/* across a peering rule (UDP, the end that opens): what only such packets cost */
	{ "ingress, rule", SIXPN_HOOK_INSTANCE_INGRESS, RULE_FROM, RULE_TO, false },
	{ "mesh_egress, rule", SIXPN_HOOK_MESH_EGRESS, RULE_FROM, RULE_TO, true },
	{ "mesh_ingress, rule", SIXPN_HOOK_MESH_INGRESS, "fdaa:a002:2:2222:2222:1111:2222:2", "fdaa:a001:1:1234:5678:abcd:ef01:2", true },
};

static void die(const char *what, int err)
{
	fprintf(stderr, "bench_bpf: %s: %s\n", what, strerror(-err));
	exit(1);
}

static int load_empty(void)
{
	const struct bpf_insn insns[] = { { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = HARNESS_PASS },
					  { .code = BPF_JMP | BPF_EXIT } };
	int fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "empty", "GPL", insns, sizeof(insns) / sizeof(insns[0]), NULL);

	if (fd < 0)
		die("an empty program cannot be loaded", fd);
	return fd;
}

/* One BPF_PROG_TEST_RUN; the kernel's own measure of one run in ns. */
static uint32_t run(int program, const void *packet, size_t len, uint32_t repeat)
{
	struct __sk_buff in = { .mark = MARK, .ifindex = HARNESS_IFINDEX };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = (uint32_t)len, .ctx_in = &in, .ctx_size_in = sizeof(in),
		    .repeat = (int)repeat);
	int err = bpf_prog_test_run_opts(program, &opts);

	if (err)
		die("BPF_PROG_TEST_RUN", err);
	if ((int)opts.retval != HARNESS_PASS) {
		fprintf(stderr, "bench_bpf: the packet does not pass (%d)\n", (int)opts.retval);
		exit(1);
	}
	return opts.duration;
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static uint32_t median(uint32_t *values, size_t n)
{
	qsort(values, n, sizeof(*values), by_size);
	return values[n / 2];
}

/* Program and empty program in turn, so that both meet the same noise. */
static void measure_cold(int program, int empty, const void *packet, size_t len, uint32_t *ret_ours, uint32_t *ret_empty)
{
	static uint32_t ours[COLD_RUNS], none[COLD_RUNS];

	for (int i = 0; i < COLD_RUNS; i++) {
		none[i] = run(empty, packet, len, 1);
		ours[i] = run(program, packet, len, 1);
	}
	*ret_ours = median(ours, COLD_RUNS);
	*ret_empty = median(none, COLD_RUNS);
}

static void measure(struct harness *h, const struct row *row, int empty)
{
	int program = bpf_datapath_program(h->dp, row->hook, harness_l2_len(row->hook));
	static const uint8_t payload[64] = { 0x30, 0x39, 0x27, 0x0f };
	uint8_t packet[HARNESS_PACKET_MAX];
	size_t len = harness_packet(harness_l2_len(row->hook), row->source, row->destination, UDP, payload, sizeof(payload), packet);
	uint32_t cold, cold_empty, hot, hot_empty;

	measure_cold(program, empty, packet, len, &cold, &cold_empty);
	printf("  %-18s cold %4u ns, empty %3u: %+5d ns, %4.1f x", row->name, cold, cold_empty, (int)cold - (int)cold_empty,
	       (double)cold / cold_empty);
	if (!row->rewrites) {
		hot_empty = run(empty, packet, len, HOT_RUNS);
		hot = run(program, packet, len, HOT_RUNS);
		printf("    hot %3u ns, empty %2u: %+4d ns", hot, hot_empty, (int)hot - (int)hot_empty);
	}
	putchar('\n');
}

/* Either network may open to the other. */
static void fill_rules(struct harness *h)
{
	static const struct bpf_rule_pair there = { NETWORK, 0x22222222, { 1 }, { 2 } }, back = { 0x22222222, NETWORK, { 2 }, { 1 } };
	static const char *const members[] = { RULE_FROM, RULE_TO };
	int err = bpf_rule_pair_set(h->dp, &there);

	err = err ? err : bpf_rule_pair_set(h->dp, &back);
	for (uint8_t i = 0; i < 2 && !err; i++) {
		uint8_t address[16], app[8] = { (uint8_t)(i + 1) };

		if (inet_pton(AF_INET6, members[i], address) != 1)
			abort();
		err = bpf_rule_member_set(h->dp, address, app);
	}
	if (err)
		die("the maps of rules cannot be filled", err);
}

int main(void)
{
	struct sixpn_device device = { .network = NETWORK, .host = SELF, .instance = 0xabcdef01, .gateway = { 0xfe, 0x80, [15] = 1 } };
	struct harness h;
	int err = harness_open(SELF, &h), empty;

	if (err)
		die("the programs cannot be loaded (root?)", err);
	if (inet_pton(AF_INET6, rows[0].source, device.address) != 1)
		abort();
	err = bpf_device_set(h.dp, HARNESS_IFINDEX, &device);
	if (!err)
		err = bpf_presence_set(h.dp, NETWORK, OTHER);
	if (err)
		die("the maps cannot be filled", err);
	fill_rules(&h);
	empty = load_empty();
	printf("BPF programs, a packet that passes, above an empty program:\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		measure(&h, &rows[i], empty);
	harness_close(&h);
	return 0;
}
