/* Peering rules in the programs: every ordered pair of twelve endpoints in three networks, through every hook that may let them through,
 * with every kind of packet, against a model of one page; and whoever pretends to be one of them. */
#include "tests/bpf/harness.h"

#include "lib/base/buf.h"
#include "lib/bpf/internal.h"

#include <bpf/bpf.h>
#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define SELF 0xa0010001u
#define OTHER 0xa0020002u
#define THIRD 0xa0030003u
#define RED 0x12345678u
#define BLUE 0x22222222u
#define GREEN 0x33333333u

enum { TCP = 6, UDP = 17, FRAGMENT = 44, ESP = 50, ICMP = 58, OPTIONS = 60, SCTP = 132 };
enum { SYN = 0x02, RST = 0x04, ACK = 0x10 };
enum app { NOBODY, RED_WEB, RED_WORKER, BLUE_DB, BLUE_CACHE, GREEN_API, APPS };

struct endpoint {
	enum app app;
	uint32_t network, host, instance;
};

/* One of each app here and one there; a third web, which no map knows. */
static const struct endpoint ends[] = {
	{ RED_WEB, RED, SELF, 0x10001 },      { RED_WEB, RED, OTHER, 0x10002 },	    { RED_WORKER, RED, SELF, 0x10003 },
	{ RED_WORKER, RED, OTHER, 0x10004 },  { BLUE_DB, BLUE, SELF, 0x10005 },	    { BLUE_DB, BLUE, OTHER, 0x10006 },
	{ BLUE_CACHE, BLUE, SELF, 0x10007 },  { BLUE_CACHE, BLUE, OTHER, 0x10008 }, { GREEN_API, GREEN, SELF, 0x10009 },
	{ GREEN_API, GREEN, OTHER, 0x1000a }, { NOBODY, RED, SELF, 0x1000b },	    { NOBODY, RED, OTHER, 0x1000c },
};
#define ENDS (sizeof(ends) / sizeof(*ends))

/* red/web -> blue/db -> green/api, and all of green -> blue/cache. */
static bool may_open(const struct endpoint *from, const struct endpoint *to)
{
	return (from->app == RED_WEB && to->app == BLUE_DB) || (from->app == BLUE_DB && to->app == GREEN_API) ||
	       (from->network == GREEN && to->app == BLUE_CACHE);
}

static const struct bpf_rule_pair pairs[] = {
	{ RED, BLUE, { RED_WEB }, { BLUE_DB } },
	{ BLUE, GREEN, { BLUE_DB }, { GREEN_API } },
	{ GREEN, BLUE, { 0 }, { BLUE_CACHE } },
};

/* What the end that opens may send, and what the other may as an answer. UDP has tests of its own. */
static const struct packet_kind {
	const char *name;
	uint8_t next, first, flags; /* flags: of TCP; first: the type of ICMPv6 */
	bool opens, answers;
} kinds[] = {
	{ "SYN", TCP, 0, SYN, true, false },
	{ "SYN ACK", TCP, 0, SYN | ACK, true, true },
	{ "ACK", TCP, 0, ACK, true, true },
	{ "RST", TCP, 0, RST, true, true },
	{ "RST ACK", TCP, 0, RST | ACK, true, true },
	{ "SYN RST", TCP, 0, SYN | RST, true, false },
	{ "TCP without flags", TCP, 0, 0, true, false },
	{ "FIN alone", TCP, 0, 1, true, false },
	{ "echo request", ICMP, 128, 0, true, false },
	{ "echo reply", ICMP, 129, 0, false, true },
	{ "unreachable", ICMP, 1, 0, true, true },
	{ "too big", ICMP, 2, 0, true, true },
	{ "multicast report", ICMP, 143, 0, false, false },
	{ "name query", ICMP, 139, 0, false, false },
	{ "fragment", FRAGMENT, 0, 0, false, false },
	{ "destination options", OPTIONS, 0, 0, false, false },
	{ "ESP", ESP, 0, 0, false, false },
	{ "SCTP", SCTP, 0, 0, false, false },
};

static struct harness harness;

static void natural(const struct endpoint *e, uint8_t ret_address[16])
{
	memset(ret_address, 0, 16);
	put_u16(ret_address, 0xfdaa);
	put_u32(ret_address + 2, e->network);
	put_u32(ret_address + 6, e->host);
	put_u32(ret_address + 10, e->instance);
	put_u16(ret_address + 14, 2);
}

static void swap_words(uint8_t address[16])
{
	uint32_t first = get_u32(address + 2);

	put_u32(address + 2, get_u32(address + 6));
	put_u32(address + 6, first);
}

static void be_device_of(const struct endpoint *e)
{
	struct sixpn_device d = { .network = e->network, .host = e->host, .instance = e->instance, .gateway = { 0xfe, 0x80, [15] = 1 } };

	natural(e, d.address);
	assert_int_equal(bpf_device_set(harness.dp, HARNESS_IFINDEX, &d), 0);
}

static size_t build(enum sixpn_hook hook, const struct endpoint *from, const struct endpoint *to, uint8_t next, const uint8_t payload[20],
		    uint8_t ret_packet[HARNESS_PACKET_MAX])
{
	unsigned l2_len = harness_l2_len(hook);
	size_t len = harness_packet(l2_len, "::", "::", next, payload, 20, ret_packet);
	uint8_t *ip = ret_packet + l2_len;

	natural(from, ip + 8);
	natural(to, ip + 24);
	if (hook == SIXPN_HOOK_MESH_INGRESS) {
		swap_words(ip + 8);
		swap_words(ip + 24);
	}
	return len;
}

static unsigned send(enum sixpn_hook hook, const struct endpoint *from, const struct endpoint *to, uint8_t next, const uint8_t payload[20])
{
	struct harness_result result = { 0 };
	uint8_t packet[HARNESS_PACKET_MAX];
	size_t len = build(hook, from, to, next, payload, packet);

	if (hook == SIXPN_HOOK_INSTANCE_INGRESS)
		be_device_of(from);
	if (hook == SIXPN_HOOK_INSTANCE_EGRESS)
		be_device_of(to);
	assert_int_equal(harness_run_counted(&harness, hook, harness_l2_len(hook), packet, len, SIXPN_MARK_VALUE, &result), 0);
	assert_int_equal(result.verdict, result.reason ? HARNESS_DROP : HARNESS_PASS);
	return result.reason;
}

static unsigned send_kind(enum sixpn_hook hook, const struct endpoint *from, const struct endpoint *to, const struct packet_kind *kind)
{
	uint8_t payload[20] = { kind->first, 1, 0, 80, [12] = 0x50, [13] = kind->flags };

	return send(hook, from, to, kind->next, payload);
}

static unsigned send_udp(enum sixpn_hook hook, const struct endpoint *from, const struct endpoint *to, uint16_t from_port, uint16_t to_port)
{
	uint8_t payload[20];

	memset(payload, 0, sizeof(payload));
	put_u16(payload, from_port);
	put_u16(payload + 2, to_port);
	return send(hook, from, to, UDP, payload);
}

/* The hooks that a packet between the two passes if it is to arrive; those of the other node are this node's in another test. */
static const enum sixpn_hook hooks[] = { SIXPN_HOOK_INSTANCE_INGRESS, SIXPN_HOOK_INSTANCE_EGRESS, SIXPN_HOOK_MESH_EGRESS, SIXPN_HOOK_MESH_INGRESS };
#define HOOKS (sizeof(hooks) / sizeof(*hooks))

static bool hook_sees(enum sixpn_hook hook, const struct endpoint *from, const struct endpoint *to)
{
	if (hook == SIXPN_HOOK_MESH_EGRESS)
		return from->host == SELF && to->host == OTHER;
	if (hook == SIXPN_HOOK_MESH_INGRESS)
		return from->host == OTHER && to->host == SELF;
	return true;
}

static int set_up(void **state)
{
	int err = harness_open(SELF, &harness);

	(void)state;
	if (err) {
		fprintf(stderr, "the programs cannot be loaded: %s\n", strerror(-err));
		return -1;
	}
	err = bpf_presence_set(harness.dp, RED, OTHER);
	err = err ? err : bpf_presence_set(harness.dp, BLUE, OTHER);
	err = err ? err : bpf_presence_set(harness.dp, GREEN, OTHER);
	for (size_t i = 0; i < ENDS && !err; i++) {
		uint8_t address[16], app[8] = { (uint8_t)ends[i].app };

		natural(&ends[i], address);
		if (ends[i].app != NOBODY)
			err = bpf_rule_member_set(harness.dp, address, app);
	}
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs) && !err; i++)
		err = bpf_rule_pair_set(harness.dp, &pairs[i]);
	return err;
}

static int tear_down(void **state)
{
	(void)state;
	harness_close(&harness);
	return 0;
}

static void exactly_what_the_rules_say_passes_between_every_two_through_every_hook(void **state)
{
	unsigned passed = 0, dropped = 0;

	(void)state;
	for (size_t i = 0; i < ENDS * ENDS * HOOKS * (sizeof(kinds) / sizeof(*kinds)); i++) {
		const struct endpoint *from = &ends[i % ENDS], *to = &ends[i / ENDS % ENDS];
		enum sixpn_hook hook = hooks[i / ENDS / ENDS % HOOKS];
		const struct packet_kind *kind = &kinds[i / ENDS / ENDS / HOOKS];
		bool forth = may_open(from, to), back = may_open(to, from);
		bool expected = from->network == to->network || (forth && kind->opens) || (back && kind->answers);
		unsigned reason;

		if (from == to || !hook_sees(hook, from, to))
			continue;
		reason = send_kind(hook, from, to, kind);
		if (!reason != expected)
			fail_msg("%s from app %d of %08x at %08x to app %d of %08x at %08x on hook %d: %s", kind->name, from->app, from->network,
				 from->host, to->app, to->network, to->host, hook, reason ? bpf_reason_name(reason) : "passes");
		if (!expected && !forth && !back)
			assert_int_equal(reason, hook == SIXPN_HOOK_INSTANCE_EGRESS ? SIXPN_REASON_SOURCE_NETWORK :
										      SIXPN_REASON_DESTINATION_NETWORK);
		else if (!expected)
			assert_true(reason == SIXPN_REASON_RULE_HEADER || reason == SIXPN_REASON_RULE_OPENING);
		passed += expected;
		dropped += !expected;
	}
	print_message("%u passed, %u were dropped\n", passed, dropped);
	assert_true(passed > 1000 && dropped > 1000);
}

static void udp_is_answered_only_where_it_was_asked(void **state)
{
	static const enum sixpn_hook answer_hooks[] = { SIXPN_HOOK_INSTANCE_INGRESS, SIXPN_HOOK_INSTANCE_EGRESS, SIXPN_HOOK_MESH_EGRESS };
	const struct endpoint *web = &ends[1], *db = &ends[4], *worker = &ends[3];

	(void)state;
	for (uint16_t i = 0; i < 3; i++) {
		enum sixpn_hook hook = answer_hooks[i];
		uint16_t port = 1000 + i;

		assert_int_equal(send_udp(hook, db, web, 53, port), SIXPN_REASON_RULE_OPENING);
		assert_int_equal(send_udp(SIXPN_HOOK_MESH_INGRESS, web, db, port, 53), 0);
		assert_int_equal(send_udp(hook, db, web, 53, port), 0);
		assert_int_equal(send_udp(hook, db, web, 54, port), SIXPN_REASON_RULE_OPENING);
		assert_int_equal(send_udp(hook, db, web, 53, port + 100), SIXPN_REASON_RULE_OPENING);
		assert_int_equal(send_udp(hook, db, &ends[0], 53, port), SIXPN_REASON_RULE_OPENING); /* another web never asked */
		assert_true(send_udp(hook, db, worker, 53, port) != 0);
	}
	/* both directions of a ping-pong count as asked only for the end that may open */
	assert_int_equal(send_udp(SIXPN_HOOK_INSTANCE_INGRESS, db, web, 7, 7), SIXPN_REASON_RULE_OPENING);
	assert_int_equal(send_udp(SIXPN_HOOK_INSTANCE_INGRESS, web, db, 8, 7), 0);
	assert_int_equal(send_udp(SIXPN_HOOK_INSTANCE_INGRESS, db, web, 7, 7), SIXPN_REASON_RULE_OPENING);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The note of what `client` sent from its port 3000 to port 53 of `server`. */
static struct sixpn_rule_flow_key note_of(const struct endpoint *client, const struct endpoint *server)
{
	return (struct sixpn_rule_flow_key){ .client = { htobe32(client->network), htobe32(client->host), htobe32(client->instance) },
					     .server = { htobe32(server->network), htobe32(server->host), htobe32(server->instance) },
					     .client_low = htobe16(2), .server_low = htobe16(2), .client_port = htobe16(3000), .server_port = htobe16(53) };
}

static void set_note(const struct sixpn_rule_flow_key *key, uint64_t seen_ns)
{
	struct sixpn_rule_flow flow = { .seen_ns = seen_ns };

	assert_int_equal(bpf_map_update_elem(harness.dp->maps[BPF_MAP_SLOT_RULE_FLOWS], key, &flow, BPF_EXIST), 0);
}

/* A machine that has been up for less than that long could not have heard a question so old: seen_ns is before its start then, as a
 * number too, and counts as old all the same. */
static void a_udp_question_is_answered_for_so_long_and_each_one_anew(void **state)
{
	const struct endpoint *web = &ends[1], *db = &ends[4];
	const struct sixpn_rule_flow_key key = note_of(web, db);
	const uint64_t second = 1000000000u;

	(void)state;
	assert_int_equal(send_udp(SIXPN_HOOK_MESH_INGRESS, web, db, 3000, 53), 0);
	set_note(&key, now_ns() - SIXPN_RULE_FLOW_NS + 60 * second);
	assert_int_equal(send_udp(SIXPN_HOOK_INSTANCE_INGRESS, db, web, 53, 3000), 0);
	set_note(&key, now_ns() - SIXPN_RULE_FLOW_NS);
	assert_int_equal(send_udp(SIXPN_HOOK_INSTANCE_INGRESS, db, web, 53, 3000), SIXPN_REASON_RULE_OPENING);
	assert_int_equal(send_udp(SIXPN_HOOK_INSTANCE_INGRESS, db, web, 53, 3000), SIXPN_REASON_RULE_OPENING); /* answers prolong nothing */
	assert_int_equal(send_udp(SIXPN_HOOK_MESH_INGRESS, web, db, 3000, 53), 0);
	assert_int_equal(send_udp(SIXPN_HOOK_INSTANCE_INGRESS, db, web, 53, 3000), 0);
	/* noted by another processor after this one read its clock */
	set_note(&key, now_ns() + 60 * second);
	assert_int_equal(send_udp(SIXPN_HOOK_INSTANCE_INGRESS, db, web, 53, 3000), 0);
}

static void what_is_refused_is_noted_as_no_question(void **state)
{
	const struct endpoint *worker = &ends[3], *db = &ends[4], *nobody = &ends[11];

	(void)state;
	assert_int_equal(send_udp(SIXPN_HOOK_MESH_INGRESS, worker, db, 2000, 53), SIXPN_REASON_DESTINATION_NETWORK);
	assert_int_equal(send_udp(SIXPN_HOOK_INSTANCE_INGRESS, db, worker, 53, 2000), SIXPN_REASON_DESTINATION_NETWORK);
	assert_int_equal(send_udp(SIXPN_HOOK_MESH_INGRESS, nobody, db, 2001, 53), SIXPN_REASON_DESTINATION_NETWORK);
}

static void what_ends_before_its_ports_or_flags_is_dropped(void **state)
{
	uint8_t packet[HARNESS_PACKET_MAX];
	static const struct {
		uint8_t next;
		size_t len;
	} rows[] = { { TCP, 40 + 13 }, { TCP, 40 }, { UDP, 40 + 3 }, { ICMP, 40 } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		static const uint8_t payload[20] = { 1 };
		struct harness_result result;

		build(SIXPN_HOOK_MESH_INGRESS, &ends[1], &ends[4], rows[i].next, payload, packet);
		assert_int_equal(harness_run_counted(&harness, SIXPN_HOOK_MESH_INGRESS, 0, packet, rows[i].len, SIXPN_MARK_VALUE, &result), 0);
		assert_int_equal(result.reason, SIXPN_REASON_TOO_SHORT);
	}
}

static const struct packet_kind syn = { "SYN", TCP, 0, SYN, true, false };

/* All that a host which was taken over, or a guest who is root, can put into the source. */
static void a_forged_source_cannot_use_a_rule(void **state)
{
	const struct endpoint *web_here = &ends[0], *web = &ends[1], *worker = &ends[3], *db = &ends[4], *db_there = &ends[5];
	struct endpoint forged = *web;

	(void)state;
	assert_int_equal(send_kind(SIXPN_HOOK_MESH_INGRESS, web, db, &syn), 0);
	forged.instance++; /* its host plays an instance that was never placed on it, though its network is present there */
	assert_int_equal(send_kind(SIXPN_HOOK_MESH_INGRESS, &forged, db, &syn), SIXPN_REASON_DESTINATION_NETWORK);
	forged = *web;
	forged.host = THIRD; /* another host plays it from its own prefix */
	assert_int_equal(send_kind(SIXPN_HOOK_MESH_INGRESS, &forged, db, &syn), SIXPN_REASON_DESTINATION_NETWORK);
	forged.network = GREEN; /* or in the name of a network that it has */
	assert_int_equal(send_kind(SIXPN_HOOK_MESH_INGRESS, &forged, db, &syn), SIXPN_REASON_DESTINATION_NETWORK);
	assert_int_equal(send_kind(SIXPN_HOOK_MESH_INGRESS, web_here, db, &syn), SIXPN_REASON_SOURCE_IS_SELF);
	assert_int_equal(send_kind(SIXPN_HOOK_MESH_EGRESS, web, db_there, &syn), SIXPN_REASON_SOURCE_NOT_LOCAL);
	assert_int_equal(send_kind(SIXPN_HOOK_MESH_INGRESS, web, db_there, &syn), SIXPN_REASON_DESTINATION_NOT_LOCAL);
	{ /* a guest behind the worker's device */
		static const uint8_t payload[20] = { 0, 1, 0, 80, [12] = 0x50, [13] = SYN };
		struct harness_result result;
		uint8_t packet[HARNESS_PACKET_MAX];
		size_t len = build(SIXPN_HOOK_INSTANCE_INGRESS, web, db, TCP, payload, packet);

		be_device_of(worker);
		assert_int_equal(harness_run_counted(&harness, SIXPN_HOOK_INSTANCE_INGRESS, 14, packet, len, 0, &result), 0);
		assert_int_equal(result.reason, SIXPN_REASON_SOURCE_FOREIGN);
	}
}

static void a_peer_has_no_part_in_a_rule(void **state)
{
	static const enum sixpn_hook peer_hooks[] = { SIXPN_HOOK_PEER_INGRESS, SIXPN_HOOK_PEER_EGRESS };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(send_kind(peer_hooks[i], &ends[0], &ends[4], &syn), SIXPN_REASON_DESTINATION_NETWORK);
		assert_int_equal(send_kind(peer_hooks[i], &ends[4], &ends[0], &syn), SIXPN_REASON_DESTINATION_NETWORK);
	}
}

static void an_end_that_moved_is_let_in_from_where_it_is(void **state)
{
	struct endpoint moved = { RED_WEB, RED, THIRD, 0x20001 };
	uint8_t address[16], app[8] = { RED_WEB };

	(void)state;
	natural(&moved, address);
	assert_int_equal(bpf_rule_member_set(harness.dp, address, app), 0);
	assert_int_equal(bpf_moved_set(harness.dp, BPF_MOVED_AWAY, address, OTHER), 0);
	assert_int_equal(send_kind(SIXPN_HOOK_MESH_INGRESS, &moved, &ends[4], &syn), 0);
	assert_int_equal(bpf_moved_remove(harness.dp, BPF_MOVED_AWAY, address), 0);
	assert_int_equal(bpf_moved_set(harness.dp, BPF_MOVED_HERE, address, SELF), 0);
	assert_int_equal(send_kind(SIXPN_HOOK_MESH_INGRESS, &moved, &ends[4], &syn), SIXPN_REASON_SOURCE_IS_SELF);
	assert_int_equal(send_kind(SIXPN_HOOK_MESH_EGRESS, &moved, &ends[5], &syn), 0);
	assert_int_equal(bpf_moved_remove(harness.dp, BPF_MOVED_HERE, address), 0);
	assert_int_equal(bpf_rule_member_remove(harness.dp, address), 0);
}

static int keep_pair(void *ctx, const struct bpf_rule_pair *pair)
{
	unsigned *n = ctx;

	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
		*n += !memcmp(pair, &pairs[i], sizeof(*pair));
	return 0;
}

static int keep_member(void *ctx, const uint8_t address[16], const uint8_t app[8])
{
	unsigned *n = ctx;

	for (size_t i = 0; i < ENDS; i++) {
		uint8_t own[16];

		natural(&ends[i], own);
		*n += !memcmp(own, address, 14) && app[0] == ends[i].app;
	}
	return 0;
}

static void an_entry_that_is_missing_lets_nothing_pass(void **state)
{
	static const struct packet_kind ack = { "ACK", TCP, 0, ACK, true, true };
	const struct endpoint *web = &ends[1], *db = &ends[4];
	uint8_t address[16], app[8] = { 0 };
	unsigned n = 0, m = 0;

	(void)state;
	assert_int_equal(bpf_rule_pair_list(harness.dp, keep_pair, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(bpf_rule_member_list(harness.dp, keep_member, &m), 0);
	assert_int_equal(m, 10);
	natural(web, address);
	assert_int_equal(bpf_rule_member_set(harness.dp, address, app), -EINVAL); /* nobody is every app */
	assert_int_equal(bpf_rule_pair_remove(harness.dp, &pairs[0]), 0);
	assert_int_equal(send_kind(SIXPN_HOOK_MESH_INGRESS, web, db, &ack), SIXPN_REASON_DESTINATION_NETWORK);
	assert_int_equal(send_udp(SIXPN_HOOK_INSTANCE_INGRESS, db, web, 53, 1000), SIXPN_REASON_DESTINATION_NETWORK); /* asked before */
	assert_int_equal(bpf_rule_pair_set(harness.dp, &pairs[0]), 0);
	assert_int_equal(send_kind(SIXPN_HOOK_MESH_INGRESS, web, db, &ack), 0);
	assert_int_equal(bpf_rule_member_remove(harness.dp, address), 0);
	assert_int_equal(send_kind(SIXPN_HOOK_MESH_INGRESS, web, db, &ack), SIXPN_REASON_DESTINATION_NETWORK);
	assert_int_equal(send_kind(SIXPN_HOOK_INSTANCE_EGRESS, web, db, &ack), SIXPN_REASON_SOURCE_NETWORK);
	app[0] = RED_WEB;
	assert_int_equal(bpf_rule_member_set(harness.dp, address, app), 0);
	assert_int_equal(send_kind(SIXPN_HOOK_INSTANCE_EGRESS, web, db, &ack), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exactly_what_the_rules_say_passes_between_every_two_through_every_hook),
		cmocka_unit_test(udp_is_answered_only_where_it_was_asked),
		cmocka_unit_test(a_udp_question_is_answered_for_so_long_and_each_one_anew),
		cmocka_unit_test(what_is_refused_is_noted_as_no_question),
		cmocka_unit_test(what_ends_before_its_ports_or_flags_is_dropped),
		cmocka_unit_test(a_forged_source_cannot_use_a_rule),
		cmocka_unit_test(a_peer_has_no_part_in_a_rule),
		cmocka_unit_test(an_end_that_moved_is_let_in_from_where_it_is),
		cmocka_unit_test(an_entry_that_is_missing_lets_nothing_pass),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
