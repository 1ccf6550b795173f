/* A million mutated packets per program against the oracle, after every single-bit flip of the first 54 bytes of every template.
 *
 *     SIXPN_SEED=7          other packets and other maps (default 1)
 *     SIXPN_PACKETS=10000   mutated packets per program (default 1000000)
 *     SIXPN_CASE=mesh_egress:12345   that one case alone; a failure prints the line that does it
 *
 * Cases of a program are numbered: first the flips, then the mutated packets. Each follows from (seed, program, number) alone. The
 * reasons are compared in batches: every packet dropped must have raised one counter, of a reason that is true of it. */
#include "lib/base/buf.h"
#include "lib/bpf/internal.h"
#include "tests/bpf/harness.h"
#include "tests/bpf/mutate.h"

#include <bpf/bpf.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum {
	FLIP_BITS = 54 * 8,
	FLIP_WORLDS = 2, /* every template on a full one and on a random one */
	PACKETS_PER_WORLD = 1024,
	PACKETS_PER_BATCH = 512,
	LEAST_PASS_PERCENT = 5,
	COUNT_DEFAULT = 1000000,
};
enum { PART_SELF = 1, PART_FLIP_WORLD, PART_FLIP, PART_WORLD, PART_PACKET };

struct subject {
	const char *name;
	enum sixpn_hook hook;
	unsigned l2_len;
};
static const struct subject subjects[] = {
	{ "instance_ingress", SIXPN_HOOK_INSTANCE_INGRESS, 14 }, { "instance_egress", SIXPN_HOOK_INSTANCE_EGRESS, 14 },
	{ "mesh_egress", SIXPN_HOOK_MESH_EGRESS, 0 },		 { "mesh_ingress", SIXPN_HOOK_MESH_INGRESS, 0 },
	{ "peer_ingress", SIXPN_HOOK_PEER_INGRESS, 0 },		 { "peer_egress", SIXPN_HOOK_PEER_EGRESS, 0 },
	{ "underlay_ingress", SIXPN_HOOK_UNDERLAY_INGRESS, 14 }, { "underlay_ingress_ip", SIXPN_HOOK_UNDERLAY_INGRESS, 0 },
};

/* What the cases of one batch must have done to the counters. */
struct batch {
	uint64_t first, n, passed, dropped;
	uint64_t may[SIXPN_REASON_SLOTS];  /* packets of which this reason is true */
	uint64_t must[SIXPN_REASON_SLOTS]; /* packets of which it is the only one */
};

struct run {
	const struct subject *subject;
	uint64_t seed;
	struct harness harness;
	uint32_t self_host;
	bool has_world;
	uint64_t world_number;
	struct mutate_world world;
	struct mutate_packet packet;
	struct oracle_answer answer;
	struct harness_result result;
	struct bpf_counters counters;
	struct batch batch;
	uint64_t packets, passed, mutated, mutated_passed, failures;
};

static uint64_t number_from_env(const char *name, uint64_t fallback)
{
	const char *text = getenv(name);
	char *end;
	uint64_t value;

	if (!text || !*text)
		return fallback;
	value = strtoull(text, &end, 0);
	if (*end)
		fail_msg("%s is \"%s\", which is not a number", name, text);
	return value;
}

static uint64_t flip_cases(void)
{
	return (uint64_t)FLIP_WORLDS * mutate_templates() * FLIP_BITS;
}

static uint64_t part_of(const struct run *run, unsigned part)
{
	return (uint64_t)(run->subject - subjects) << 8 | part;
}

static void fill_maps(struct run *run, bool in)
{
	struct bpf_datapath *dp = run->harness.dp;
	const struct oracle_state *s = &run->world.state;

	if (s->has_device)
		assert_int_equal(in ? bpf_device_set(dp, HARNESS_IFINDEX, &s->device) : bpf_device_remove(dp, HARNESS_IFINDEX), 0);
	for (size_t i = 0; i < s->n_presence; i++) {
		uint32_t network = s->presence[i].network, host = s->presence[i].host;

		assert_int_equal(in ? bpf_presence_set(dp, network, host) : bpf_presence_remove(dp, network, host), 0);
	}
	for (size_t i = 0; i < s->n_moved_here; i++) {
		const uint8_t *address = s->moved_here[i];

		assert_int_equal(in ? bpf_moved_set(dp, BPF_MOVED_HERE, address, s->self_host)
				    : bpf_moved_remove(dp, BPF_MOVED_HERE, address), 0);
	}
	for (size_t i = 0; i < s->n_moved_away; i++) {
		const uint8_t *address = s->moved_away[i];

		assert_int_equal(in ? bpf_moved_set(dp, BPF_MOVED_AWAY, address, run->world.hosts[1])
				    : bpf_moved_remove(dp, BPF_MOVED_AWAY, address), 0);
	}
	for (size_t i = 0; i < s->n_members; i++) {
		const uint8_t *address = s->members[i].address, app[8] = { s->members[i].app };

		assert_int_equal(in ? bpf_rule_member_set(dp, address, app) : bpf_rule_member_remove(dp, address), 0);
	}
	for (size_t i = 0; i < s->n_pairs; i++) {
		const struct bpf_rule_pair pair = { s->pairs[i].from_network, s->pairs[i].to_network, { s->pairs[i].from_app },
						    { s->pairs[i].to_app } };

		assert_int_equal(in ? bpf_rule_pair_set(dp, &pair) : bpf_rule_pair_remove(dp, &pair), 0);
	}
}

/* UDP between two networks that passed: the program may have noted it. (To look into the map costs more than a packet does.) */
static bool may_be_noted(const struct run *run)
{
	const uint8_t *ip = run->packet.bytes + run->subject->l2_len;
	size_t network = run->subject->hook == SIXPN_HOOK_MESH_INGRESS ? 6 : 2;

	return run->answer.pass && (1u << run->subject->hook & (SIXPN_ON_INSTANCE | SIXPN_ON_MESH)) && ip[6] == IPPROTO_UDP &&
	       memcmp(ip + 8 + network, ip + 24 + network, 4);
}

/* The oracle remembers no packet. */
static void forget_flows(struct run *run)
{
	int fd = run->harness.dp->maps[BPF_MAP_SLOT_RULE_FLOWS];
	struct sixpn_rule_flow_key key;

	while (!bpf_map_get_next_key(fd, NULL, &key))
		assert_int_equal(bpf_map_delete_elem(fd, &key), 0);
}

static void enter_world(struct run *run, unsigned part, uint64_t number, bool full)
{
	uint64_t id = number << 8 | part;
	struct mutate_random r = mutate_random_for(run->seed, part_of(run, part), number);

	if (run->has_world && run->world_number == id)
		return;
	if (run->has_world)
		fill_maps(run, false);
	mutate_world(&r, run->self_host, full, &run->world);
	fill_maps(run, true);
	run->has_world = true;
	run->world_number = id;
}

/* Makes the world and the packet of a case. */
static void make_case(struct run *run, uint64_t number)
{
	struct mutate_random r;

	if (number < flip_cases()) {
		uint64_t bit = number % FLIP_BITS, row = number / FLIP_BITS % mutate_templates();
		uint64_t world = number / FLIP_BITS / mutate_templates();

		enter_world(run, PART_FLIP_WORLD, world, world == 0);
		r = mutate_random_for(run->seed, part_of(run, PART_FLIP), number / FLIP_BITS);
		mutate_template(&r, &run->world, (unsigned)row, run->subject->l2_len, &run->packet);
		run->packet.bytes[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
		mutate_make_acceptable(&run->packet);
		return;
	}
	number -= flip_cases();
	enter_world(run, PART_WORLD, number / PACKETS_PER_WORLD, false);
	r = mutate_random_for(run->seed, part_of(run, PART_PACKET), number);
	mutate_any(&r, &run->world, run->subject->hook, run->subject->l2_len, &run->packet);
}

static void print_hex(const char *what, const uint8_t *bytes, size_t n)
{
	printf("  %-10s ", what);
	for (size_t i = 0; i < n; i++)
		printf("%02x", bytes[i]);
	printf("\n");
}

static void print_world(const struct run *run)
{
	const struct oracle_state *s = &run->world.state;

	printf("  %-10s self %08x\n", "node", s->self_host);
	if (s->has_device)
		print_hex("device", s->device.address, 16);
	for (size_t i = 0; i < s->n_presence; i++)
		printf("  %-10s network %08x host %08x\n", "presence", s->presence[i].network, s->presence[i].host);
	for (size_t i = 0; i < s->n_moved_here; i++)
		print_hex("moved here", s->moved_here[i], 16);
	for (size_t i = 0; i < s->n_moved_away; i++)
		print_hex("moved away", s->moved_away[i], 16);
	for (size_t i = 0; i < s->n_members; i++) {
		printf("  app %u", s->members[i].app);
		print_hex("member", s->members[i].address, 16);
	}
	for (size_t i = 0; i < s->n_pairs; i++)
		printf("  %-10s %08x app %u to %08x app %u\n", "may open", s->pairs[i].from_network, s->pairs[i].from_app, s->pairs[i].to_network,
		       s->pairs[i].to_app);
}

static void print_reasons(uint64_t reasons)
{
	for (unsigned i = 1; i < SIXPN_REASON_SLOTS; i++) {
		if (reasons >> i & 1)
			printf(" %s", bpf_reason_name(i) ? bpf_reason_name(i) : "?");
	}
	printf("\n");
}

static void report(struct run *run, uint64_t number, const char *what)
{
	if (run->failures++)
		return;
	printf("%s, case %llu: %s\n", run->subject->name, (unsigned long long)number, what);
	print_hex("packet", run->packet.bytes, run->packet.len);
	printf("  %-10s %08x, length %zu, seed %llu\n", "mark", run->packet.mark, run->packet.len, (unsigned long long)run->seed);
	printf("  %-10s %s, mark %08x, reasons:", "oracle", run->answer.pass ? "pass" : "drop", run->answer.mark);
	print_reasons(run->answer.reasons);
	if (run->answer.pass)
		print_hex("oracle out", run->answer.packet, run->answer.len);
	printf("  %-10s %s (%d), mark %08x, reason:", "program",
	       run->result.verdict == HARNESS_PASS ? "pass" : run->result.verdict == HARNESS_DROP ? "drop" : "unknown verdict",
	       run->result.verdict, run->result.mark);
	print_reasons(run->result.reason ? 1ull << run->result.reason : 0);
	print_hex("out", run->result.packet, run->result.len);
	print_world(run);
	printf("  again: SIXPN_SEED=%llu SIXPN_CASE=%s:%llu make test-bpf T=mutations\n", (unsigned long long)run->seed,
	       run->subject->name, (unsigned long long)number);
}

/* What is wrong with the program's answer; NULL if nothing. */
static const char *compare(const struct run *run, bool counted)
{
	const struct oracle_answer *a = &run->answer;
	const struct harness_result *r = &run->result;

	if (r->verdict != (a->pass ? HARNESS_PASS : HARNESS_DROP))
		return "another verdict";
	if (r->mark != a->mark)
		return "another mark";
	if (r->len != a->len || memcmp(r->packet, a->packet, a->len))
		return "another packet";
	if (counted && a->pass && r->reason)
		return "a packet that passed was counted as dropped";
	if (counted && !a->pass && !(a->reasons >> r->reason & 1))
		return r->reason ? "the reason counted is not true of the packet" : "a drop without a reason";
	return NULL;
}

/* counted = the reason is looked at packet by packet, which is slow. */
static void run_case(struct run *run, uint64_t number, bool counted)
{
	const struct subject *s = run->subject;
	const char *wrong;
	int err;

	make_case(run, number);
	oracle_judge(&run->world.state, s->hook, s->l2_len, run->packet.bytes, run->packet.len, run->packet.mark, &run->answer);
	err = (counted ? harness_run_counted : harness_run)(&run->harness, s->hook, s->l2_len, run->packet.bytes, run->packet.len,
							     run->packet.mark, &run->result);
	if (may_be_noted(run))
		forget_flows(run);
	wrong = err == -EPROTO ? "several reasons counted" : err ? "the kernel refused the packet" : compare(run, counted);
	if (wrong)
		report(run, number, wrong);
}

static void open_batch(struct run *run, uint64_t first)
{
	memset(&run->batch, 0, sizeof(run->batch));
	run->batch.first = first;
	assert_int_equal(bpf_counters_read(run->harness.dp, &run->counters), 0);
}

static void note_case(struct run *run)
{
	struct batch *b = &run->batch;
	uint64_t reasons = run->answer.reasons;

	b->n++;
	run->packets++;
	b->passed += run->answer.pass;
	run->passed += run->answer.pass;
	b->dropped += !run->answer.pass;
	for (uint64_t left = reasons; left; left &= left - 1)
		b->may[__builtin_ctzll(left)]++;
	if (reasons && !(reasons & (reasons - 1)))
		b->must[__builtin_ctzll(reasons)]++;
}

static bool batch_is_right(const struct run *run, const struct bpf_counters *now)
{
	const struct batch *b = &run->batch;
	uint64_t dropped = 0;

	for (unsigned i = 0; i < SIXPN_REASON_SLOTS; i++) {
		uint64_t n = now->dropped[i].packets - run->counters.dropped[i].packets;

		dropped += n;
		if (n > b->may[i] || n < b->must[i])
			return false;
	}
	for (unsigned i = 0; i < SIXPN_HOOK_COUNT; i++) {
		uint64_t n = now->passed[i].packets - run->counters.passed[i].packets;

		if (n != (i == (unsigned)run->subject->hook ? b->passed : 0))
			return false;
	}
	return dropped == b->dropped;
}

static void close_batch(struct run *run)
{
	struct bpf_counters now;
	uint64_t first = run->batch.first, end = first + run->batch.n, failures = run->failures;

	assert_int_equal(bpf_counters_read(run->harness.dp, &now), 0);
	if (failures || batch_is_right(run, &now))
		return;
	for (uint64_t number = first; number < end && run->failures == failures; number++)
		run_case(run, number, true);
	if (run->failures == failures) {
		printf("%s: the counters are wrong after the cases %llu to %llu, but not after any one of them\n", run->subject->name,
		       (unsigned long long)first, (unsigned long long)end - 1);
		run->failures++;
	}
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void run_all(struct run *run, uint64_t count)
{
	uint64_t flips = flip_cases(), total = flips + count, start = now_ns();

	for (uint64_t number = 0; number < total; number++) {
		if (number % PACKETS_PER_BATCH == 0)
			open_batch(run, number);
		run_case(run, number, false);
		note_case(run);
		if (number >= flips) {
			run->mutated++;
			run->mutated_passed += run->answer.pass;
		}
		if (number % PACKETS_PER_BATCH == PACKETS_PER_BATCH - 1 || number == total - 1)
			close_batch(run);
	}
	printf("%-20s %8llu packets, %llu of them bit flips; %8llu pass, %8llu drop; %llu ns each; %llu wrong\n", run->subject->name,
	       (unsigned long long)run->packets, (unsigned long long)flips, (unsigned long long)run->passed,
	       (unsigned long long)(run->packets - run->passed), (unsigned long long)((now_ns() - start) / (total ? total : 1)),
	       (unsigned long long)run->failures);
}

/* The number behind "<name>:" in SIXPN_CASE. False: another program is meant. */
static bool chosen_case(const struct subject *subject, uint64_t *ret_number)
{
	const char *text = getenv("SIXPN_CASE");
	size_t n = strlen(subject->name);

	if (strncmp(text, subject->name, n) || text[n] != ':')
		return false;
	*ret_number = strtoull(text + n + 1, NULL, 0);
	return true;
}

static void the_program_and_the_oracle_agree(void **state)
{
	struct run *run = calloc(1, sizeof(*run));
	uint64_t count = number_from_env("SIXPN_PACKETS", COUNT_DEFAULT), number = 0;
	struct mutate_random r;
	uint64_t failures, mutated, passed;

	assert_non_null(run);
	run->subject = *state;
	run->seed = number_from_env("SIXPN_SEED", 1);
	if (getenv("SIXPN_CASE") && !chosen_case(run->subject, &number)) {
		free(run);
		printf("             SKIP: SIXPN_CASE chose a packet of another program\n");
		skip();
	}
	r = mutate_random_for(run->seed, part_of(run, PART_SELF), 0);
	run->self_host = SIXPN_NODE_NIBBLE << 28 | (uint32_t)(mutate_random(&r) >> 36);
	assert_int_equal(harness_open(run->self_host, &run->harness), 0);
	if (getenv("SIXPN_CASE"))
		run_case(run, number, true);
	else
		run_all(run, count);
	harness_close(&run->harness);
	failures = run->failures;
	mutated = run->mutated;
	passed = run->mutated_passed;
	free(run);
	assert_int_equal(failures, 0);
	if (mutated >= 1000) /* a test of drops alone would not notice a program that drops all */
		assert_true(passed * 100 >= mutated * LEAST_PASS_PERCENT);
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(subjects)];

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < ARRAY_LEN(subjects); i++)
		tests[i] = (struct CMUnitTest){ subjects[i].name, the_program_and_the_oracle_agree, NULL, NULL,
						(void *)(uintptr_t)&subjects[i] };
	return cmocka_run_group_tests_name("mutated packets against the oracle", tests, NULL, NULL);
}
