/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* program.h - what the programs share among themselves and user space never sees: the maps, the one way to read a header, the
 * questions asked about an address, and the one way to pass and to drop.
 *
 * Each program is one judge() that returns a reason (0 = may pass) and an entry point that acts on it. All of a packet that is
 * looked at comes through bpf_skb_load_bytes: a guest controls how much of a big packet is linear, so "not directly readable"
 * must never decide anything. No loops over extension headers, no calls between BPF functions (old verifiers refuse those
 * together with tail calls). Loads from Linux 6.1 on.
 */
#ifndef SIXPN_BPF_PROGRAM_H
#define SIXPN_BPF_PROGRAM_H

#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>
#include <stddef.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/sixpn.h"

#define FDAA bpf_htons(0xfdaa)
#define ETHERTYPE_OFFSET 12
#define ETHERTYPE_IPV6 bpf_htons(0x86dd)
#define IPV6_HEADER_LEN 40
#define IPV6_SOURCE_WORDS 10 /* offsets of the network word in the header; the host word follows */
#define IPV6_DESTINATION_WORDS 26
#define ICMPV6_CHECKSUM_OFFSET 2
#define NANOSECONDS_PER_SECOND 1000000000ull

/* Next header numbers (IANA). */
enum { NEXT_HOP_BY_HOP = 0, NEXT_TCP = 6, NEXT_UDP = 17, NEXT_ROUTING = 43, NEXT_FRAGMENT = 44, NEXT_ESP = 50, NEXT_AH = 51,
       NEXT_ICMPV6 = 58, NEXT_OPTIONS = 60, NEXT_MOBILITY = 135, NEXT_HIP = 139, NEXT_SHIM6 = 140 };
enum { ICMPV6_ERROR_FIRST = 1, ICMPV6_ERROR_LAST = 4, ICMPV6_ECHO_REQUEST = 128, ICMPV6_ND_FIRST = 133, ICMPV6_ND_LAST = 137 };

/* Not TC_ACT_OK: "no opinion" lets the next TCX program or filter of somebody else have its say. */
#define VERDICT_PASS TC_ACT_UNSPEC
#define VERDICT_DROP TC_ACT_SHOT

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile struct sixpn_config config;

/* ifindex -> struct sixpn_device; written by the daemon */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct sixpn_device);
} device SEC(".maps");

/* (network, host) -> may speak; written by the daemon */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1048576);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sixpn_presence_key);
	__type(value, struct sixpn_presence);
} presence SEC(".maps");

/* address prefix -> carrier, of foreign host words that live here; written by the daemon */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sixpn_moved_key);
	__type(value, struct sixpn_moved);
} moved_here SEC(".maps");

/* address prefix -> carrier, of those that live neither at their home nor here; written by the daemon */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sixpn_moved_key);
	__type(value, struct sixpn_moved);
} moved_away SEC(".maps");

/* reason -> drops; written by the programs */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SIXPN_REASON_SLOTS);
	__type(key, __u32);
	__type(value, struct sixpn_counter);
} counters SEC(".maps");

/* hook -> what passed; written by the programs */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SIXPN_HOOK_SLOTS);
	__type(key, __u32);
	__type(value, struct sixpn_traffic);
} passes SEC(".maps");

/* (network, hook) -> what passed; written by the programs, rows of vanished networks removed by the daemon */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sixpn_traffic_key);
	__type(value, struct sixpn_traffic);
} traffic SEC(".maps");

/* sender -> when it may ask a service again; written by the programs. Only who has been judged gets a row, so nobody can push others out
 * with addresses that are not his */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, struct sixpn_asker_key);
	__type(value, struct sixpn_asker);
} askers SEC(".maps");

/* address block -> app, of both ends of peering rules; written by the daemon */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 262144);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sixpn_moved_key);
	__type(value, struct sixpn_rule_member);
} rule_members SEC(".maps");

/* (network, app) to (network, app) -> may open; written by the daemon */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sixpn_rule_pair_key);
	__type(value, struct sixpn_rule_pair);
} rule_pairs SEC(".maps");

/* UDP across a rule -> when it was last sent; written by the programs, of judged packets alone */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, struct sixpn_rule_flow_key);
	__type(value, struct sixpn_rule_flow);
} rule_flows SEC(".maps");

/* samples of drops; read by the daemon */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 262144);
} events SEC(".maps");

/* hook -> program with the last word about a packet that passed; empty slots continue */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, SIXPN_HOOK_SLOTS);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} policy SEC(".maps");

/* The IPv6 header with the words of its addresses, as on the wire. The two bytes in front put every word at a multiple of four,
 * which the verifier demands of the stack. */
struct header {
	__u16 in_front;
	__u8 version_class;
	__u8 class_flow;
	__u16 flow;
	__u16 payload_len;
	__u8 next;
	__u8 hop_limit;
	__u16 src_prefix;
	__u32 src_network, src_host, src_instance;
	__u16 src_low;
	__u16 dst_prefix;
	__u32 dst_network, dst_host, dst_instance;
	__u16 dst_low;
};
_Static_assert(offsetof(struct header, dst_low) == 2 + IPV6_HEADER_LEN - 2, "the header is not laid out as on the wire");

static __always_inline bool is_vlan(__u16 ethertype)
{
	return ethertype == bpf_htons(0x8100) || ethertype == bpf_htons(0x88a8) || ethertype == bpf_htons(0x9100);
}

/* Fills *h. Both the ethertype and the version must say IPv6: a guest can set them apart. */
static __always_inline __u32 read_header(struct __sk_buff *skb, struct header *h)
{
	__u16 ethertype = 0;

	if (config.l2_len) {
		if (skb->vlan_present)
			return SIXPN_REASON_VLAN_TAGGED;
		if (bpf_skb_load_bytes(skb, ETHERTYPE_OFFSET, &ethertype, sizeof(ethertype)))
			return SIXPN_REASON_TOO_SHORT;
		if (is_vlan(ethertype))
			return SIXPN_REASON_VLAN_TAGGED;
		if (ethertype != ETHERTYPE_IPV6)
			return SIXPN_REASON_NOT_IPV6;
	}
	if (bpf_skb_load_bytes(skb, config.l2_len, &h->version_class, IPV6_HEADER_LEN))
		return SIXPN_REASON_TOO_SHORT;
	if (h->version_class >> 4 != 6)
		return SIXPN_REASON_NOT_IPV6;
	return SIXPN_REASON_NONE;
}

static __always_inline bool is_network(__u32 network_be)
{
	__u32 network = bpf_ntohl(network_be);

	return network >= SIXPN_NETWORK_MIN && network >> 28 != SIXPN_NODE_NIBBLE;
}

static __always_inline bool is_node(__u32 host_be)
{
	return bpf_ntohl(host_be) >> 28 == SIXPN_NODE_NIBBLE;
}

static __always_inline bool is_self(__u32 host_be)
{
	return host_be == bpf_htonl(config.self_host);
}

/* All 128 bits: fdaa:<network>::3, or fdaa::3 with network_be = 0. */
static __always_inline bool is_resolver(__u16 prefix, __u32 network, __u32 host, __u32 instance, __u16 low, __u32 network_be)
{
	return prefix == FDAA && network == network_be && host == 0 && instance == 0 && low == bpf_htons(3);
}

static __always_inline bool source_is_resolver(const struct header *h, __u32 network_be)
{
	return is_resolver(h->src_prefix, h->src_network, h->src_host, h->src_instance, h->src_low, network_be);
}

static __always_inline bool destination_is_resolver(const struct header *h, __u32 network_be)
{
	return is_resolver(h->dst_prefix, h->dst_network, h->dst_host, h->dst_instance, h->dst_low, network_be);
}

/* The source is some node's instance or peer, in some network. */
static __always_inline __u32 judge_source(const struct header *h)
{
	if (h->src_prefix != FDAA || !is_network(h->src_network))
		return SIXPN_REASON_SOURCE_NETWORK;
	if (!is_node(h->src_host))
		return SIXPN_REASON_SOURCE_HOST;
	return SIXPN_REASON_NONE;
}

/* The destination is some node's instance or peer, in this network. A destination in mesh form can not get through: its second
 * word is a node's, which no network id is. */
static __always_inline __u32 judge_destination(const struct header *h, __u32 network_be)
{
	if (h->dst_prefix != FDAA)
		return SIXPN_REASON_DESTINATION_OUTSIDE;
	if (h->dst_network != network_be)
		return SIXPN_REASON_DESTINATION_NETWORK;
	if (!is_node(h->dst_host))
		return SIXPN_REASON_DESTINATION_HOST;
	return SIXPN_REASON_NONE;
}

/* Customers may send neither: source routing and router alerts are for attacks only. */
static __always_inline __u32 judge_extension(const struct header *h)
{
	if (h->next == NEXT_HOP_BY_HOP)
		return SIXPN_REASON_HOP_BY_HOP;
	if (h->next == NEXT_ROUTING)
		return SIXPN_REASON_ROUTING_HEADER;
	return SIXPN_REASON_NONE;
}

/* An address with the bits below its block zero: /112 of an instance, /120 of a peer. The key of maps begins with the prefix; the two
 * bytes in front are as in struct header. */
struct block {
	__u16 in_front;
	__u16 prefix;
	__u32 network, host, instance;
	__u16 low, behind;
};

static __always_inline struct block block_of(__u32 network, __u32 host, __u32 instance, __u16 low)
{
	struct block b = { .prefix = FDAA, .network = network, .host = host, .instance = instance };

	if (bpf_ntohl(instance) < SIXPN_INSTANCE_MIN)
		b.low = low & bpf_htons(0xff00);
	return b;
}

/* Not faster than one sender may ask, but for a burst (the "generic cell rate algorithm" of ITU-T I.371). The row is not locked: of two
 * packets of one sender on two processors one may go uncounted, which is his luck and nobody's harm. */
static __always_inline __u32 judge_pace(struct __sk_buff *skb, const struct header *h)
{
	struct block sender = block_of(h->src_network, h->src_host, h->src_instance, h->src_low);
	__u64 now = bpf_ktime_get_ns(), cost = (__u64)config.pace_ns * (skb->gso_segs ? skb->gso_segs : 1), start;
	struct sixpn_asker first = { .next_ns = now + cost };
	struct sixpn_asker *asker;

	if (!config.pace_ns)
		return SIXPN_REASON_NONE;
	asker = bpf_map_lookup_elem(&askers, &sender.prefix);
	if (!asker) {
		bpf_map_update_elem(&askers, &sender.prefix, &first, BPF_ANY);
		return SIXPN_REASON_NONE;
	}
	start = asker->next_ns < now ? now : asker->next_ns;
	if (start - now >= (__u64)config.pace_ns * SIXPN_PACE_BURST)
		return SIXPN_REASON_SERVICE_PACE;
	asker->next_ns = start + cost;
	return SIXPN_REASON_NONE;
}

/* What a customer may ask of a service address; see SIXPN_SERVICE_PORTS. */
static __always_inline __u32 judge_service(struct __sk_buff *skb, const struct header *h)
{
	__u8 type = 0;
	__u16 ports[2] = { 0, 0 };

	switch (h->next) {
	case NEXT_TCP:
	case NEXT_UDP:
		if (bpf_skb_load_bytes(skb, config.l2_len + IPV6_HEADER_LEN, ports, sizeof(ports)))
			return SIXPN_REASON_TOO_SHORT;
#define SERVICE_PORT_ALLOWED(port) \
	if (ports[1] == bpf_htons(port)) \
		return h->next == NEXT_UDP ? judge_pace(skb, h) : SIXPN_REASON_NONE;
		SIXPN_SERVICE_PORTS(SERVICE_PORT_ALLOWED)
#undef SERVICE_PORT_ALLOWED
		return SIXPN_REASON_SERVICE_PORT;
	case NEXT_ICMPV6:
		if (bpf_skb_load_bytes(skb, config.l2_len + IPV6_HEADER_LEN, &type, sizeof(type)))
			return SIXPN_REASON_TOO_SHORT;
		return type == ICMPV6_ECHO_REQUEST ? SIXPN_REASON_NONE : SIXPN_REASON_SERVICE_PORT;
	case NEXT_HOP_BY_HOP:
	case NEXT_ROUTING:
	case NEXT_FRAGMENT:
	case NEXT_ESP:
	case NEXT_AH:
	case NEXT_OPTIONS:
	case NEXT_MOBILITY:
	case NEXT_HIP:
	case NEXT_SHIM6:
		return SIXPN_REASON_SERVICE_HEADER;
	default:
		return SIXPN_REASON_SERVICE_PORT;
	}
}

/* Is the natural address in moved_here or moved_away? */
static __always_inline bool is_moved(void *map, __u32 network, __u32 host, __u32 instance, __u16 low)
{
	struct block b = block_of(network, host, instance, low);

	return bpf_map_lookup_elem(map, &b.prefix) != NULL;
}

static __always_inline bool source_moved(void *map, const struct header *h)
{
	return is_moved(map, h->src_network, h->src_host, h->src_instance, h->src_low);
}

static __always_inline bool destination_moved(void *map, const struct header *h)
{
	return is_moved(map, h->dst_network, h->dst_host, h->dst_instance, h->dst_low);
}

/* Writes `first, second` as the two words of the source and the destination. 16-bit words only change places, so no checksum
 * does (RFC 1071), and a CHECKSUM_COMPLETE sum of the packet stays right too. */
static __always_inline __u32 write_words(struct __sk_buff *skb, __u32 src_first, __u32 src_second, __u32 dst_first, __u32 dst_second)
{
	__u32 source[2] = { src_first, src_second };
	__u32 destination[2] = { dst_first, dst_second };

	if (bpf_skb_store_bytes(skb, config.l2_len + IPV6_SOURCE_WORDS, source, sizeof(source), 0) ||
	    bpf_skb_store_bytes(skb, config.l2_len + IPV6_DESTINATION_WORDS, destination, sizeof(destination), 0))
		return SIXPN_REASON_REWRITE_FAILED;
	return SIXPN_REASON_NONE;
}

/* Always the whole 32-bit field: clang narrows a write of one byte of it, which the verifier refuses. */
static __always_inline void set_mark(struct __sk_buff *skb)
{
	__u32 mark = skb->mark;

	mark = (mark & ~config.mark_mask) | config.mark_value;
	*(volatile __u32 *)&skb->mark = mark;
}

static __always_inline bool has_mark(struct __sk_buff *skb)
{
	return (skb->mark & config.mark_mask) == config.mark_value;
}

static __always_inline void add_traffic(struct sixpn_traffic *t, struct __sk_buff *skb)
{
	t->packets += skb->gso_segs ? skb->gso_segs : 1;
	t->bytes += skb->wire_len;
}

static __always_inline int pass(struct __sk_buff *skb, __u32 hook)
{
	struct sixpn_traffic *t = bpf_map_lookup_elem(&passes, &hook);

	if (t)
		add_traffic(t, skb);
	return VERDICT_PASS;
}

/* pass() for packets of a network. A full map costs the row of that network, never the packet. */
static __always_inline int pass_in_network(struct __sk_buff *skb, __u32 hook, __u32 network_be)
{
	struct sixpn_traffic_key key = { .network = bpf_ntohl(network_be), .hook = hook };
	struct sixpn_traffic none = { 0, 0 };
	struct sixpn_traffic *t = bpf_map_lookup_elem(&traffic, &key);

	if (!t) {
		bpf_map_update_elem(&traffic, &key, &none, BPF_NOEXIST);
		t = bpf_map_lookup_elem(&traffic, &key);
	}
	if (t)
		add_traffic(t, skb);
	return pass(skb, hook);
}

/* A copy of the first bytes for the daemon, at most samples_per_second, so that a flood can neither blind nor slow it. */
static __always_inline void sample(struct __sk_buff *skb, __u32 hook, __u32 reason, struct sixpn_counter *counter)
{
	__u64 now = bpf_ktime_get_ns();
	struct sixpn_event *event;
	__u32 len = skb->len;

	if (now - counter->window_ns >= NANOSECONDS_PER_SECOND) {
		counter->window_ns = now;
		counter->sampled = 0;
	}
	if (counter->sampled >= config.samples_per_second)
		return;
	counter->sampled++;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event)
		return;
	__builtin_memset(event, 0, sizeof(*event));
	event->time_ns = now;
	event->layout = SIXPN_LAYOUT;
	event->reason = reason;
	event->hook = hook;
	event->ifindex = skb->ifindex;
	event->mark = skb->mark;
	event->len = len;
	if (len > config.l2_len) {
		len -= config.l2_len;
		if (len > SIXPN_EVENT_PACKET)
			len = SIXPN_EVENT_PACKET;
		/* The compiler may prove more than the verifier can follow. */
		asm volatile("" : "+r"(len));
		if (len > 0 && len <= SIXPN_EVENT_PACKET && !bpf_skb_load_bytes(skb, config.l2_len, event->packet, len))
			event->packet_len = len;
	}
	bpf_ringbuf_submit(event, 0);
}

static __always_inline int drop(struct __sk_buff *skb, __u32 hook, __u32 reason)
{
	struct sixpn_counter *counter = bpf_map_lookup_elem(&counters, &reason);

	if (counter) {
		counter->packets += skb->gso_segs ? skb->gso_segs : 1;
		counter->bytes += skb->wire_len;
		sample(skb, hook, reason, counter);
	}
	return VERDICT_DROP;
}

#endif
