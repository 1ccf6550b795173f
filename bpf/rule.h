/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* rule.h - packets between two networks: what the hooks of instances and of the mesh ask where they would drop for another network. See
 * bpf/sixpn.h for the policy. Its maps are in program.h, for every program has all maps. */
#ifndef SIXPN_BPF_RULE_H
#define SIXPN_BPF_RULE_H

#include "bpf/program.h"

enum { TCP_FLAGS_OFFSET = 13, TCP_SYN = 0x02, TCP_RST = 0x04, TCP_ACK = 0x10 };
enum { ICMPV6_ECHO_REPLY = 129 };

/* Any pair of networks and apps, or every app of the network that opens. */
static __always_inline bool may_open(__u32 from_network, __u64 from_app, __u32 to_network, __u64 to_app)
{
	struct sixpn_rule_pair_key key = { .from_network = bpf_ntohl(from_network), .to_network = bpf_ntohl(to_network),
					   .from_app = from_app, .to_app = to_app };

	if (bpf_map_lookup_elem(&rule_pairs, &key))
		return true;
	key.from_app = SIXPN_RULE_EVERY_APP;
	return bpf_map_lookup_elem(&rule_pairs, &key) != NULL;
}

/* An answer has ACK; a RST to what had none has not. A SYN with ACK opens nothing where nobody sent a SYN. */
static __always_inline __u32 judge_rule_tcp(struct __sk_buff *skb, bool opens)
{
	__u8 flags = 0;

	if (bpf_skb_load_bytes(skb, config.l2_len + IPV6_HEADER_LEN + TCP_FLAGS_OFFSET, &flags, sizeof(flags)))
		return SIXPN_REASON_TOO_SHORT;
	if (opens || flags & TCP_ACK || (flags & (TCP_RST | TCP_SYN)) == TCP_RST)
		return SIXPN_REASON_NONE;
	return SIXPN_REASON_RULE_OPENING;
}

/* What the end that opens sends is noted, once a second at most; the other end's answers are looked for. */
static __always_inline __u32 judge_rule_udp(struct __sk_buff *skb, const struct header *h, bool opens, bool answers)
{
	__u64 now = bpf_ktime_get_ns();
	struct sixpn_rule_flow fresh = { .seen_ns = now };
	struct sixpn_rule_flow_key there = { .client = { h->src_network, h->src_host, h->src_instance },
					     .server = { h->dst_network, h->dst_host, h->dst_instance },
					     .client_low = h->src_low, .server_low = h->dst_low };
	struct sixpn_rule_flow_key back = { .client = { h->dst_network, h->dst_host, h->dst_instance },
					    .server = { h->src_network, h->src_host, h->src_instance },
					    .client_low = h->dst_low, .server_low = h->src_low };
	const struct sixpn_rule_flow *flow;
	__u16 ports[2] = { 0, 0 };

	if (bpf_skb_load_bytes(skb, config.l2_len + IPV6_HEADER_LEN, ports, sizeof(ports)))
		return SIXPN_REASON_TOO_SHORT;
	there.client_port = back.server_port = ports[0];
	there.server_port = back.client_port = ports[1];
	if (opens) {
		flow = bpf_map_lookup_elem(&rule_flows, &there);
		if (!flow || now > flow->seen_ns + NANOSECONDS_PER_SECOND)
			bpf_map_update_elem(&rule_flows, &there, &fresh, BPF_ANY);
		return SIXPN_REASON_NONE;
	}
	flow = answers ? bpf_map_lookup_elem(&rule_flows, &back) : NULL;
	/* another processor may have noted it after we read the clock */
	return flow && now < flow->seen_ns + SIXPN_RULE_FLOW_NS ? SIXPN_REASON_NONE : SIXPN_REASON_RULE_OPENING;
}

static __always_inline __u32 judge_rule_icmp(struct __sk_buff *skb, bool opens, bool answers)
{
	__u8 type = 0;

	if (bpf_skb_load_bytes(skb, config.l2_len + IPV6_HEADER_LEN, &type, sizeof(type)))
		return SIXPN_REASON_TOO_SHORT;
	if (type >= ICMPV6_ERROR_FIRST && type <= ICMPV6_ERROR_LAST)
		return SIXPN_REASON_NONE;
	if (type != ICMPV6_ECHO_REQUEST && type != ICMPV6_ECHO_REPLY)
		return SIXPN_REASON_RULE_HEADER;
	return (type == ICMPV6_ECHO_REQUEST ? opens : answers) ? SIXPN_REASON_NONE : SIXPN_REASON_RULE_OPENING;
}

/* Source and destination are of two networks: only what a rule says passes, and `denied` is why all else does not. Both ends must be
 * members with all their words, so that nobody speaks for a place where the controller has put nothing. */
static __always_inline __u32 judge_rule(struct __sk_buff *skb, const struct header *h, __u32 denied)
{
	struct block source = block_of(h->src_network, h->src_host, h->src_instance, h->src_low);
	struct block destination = block_of(h->dst_network, h->dst_host, h->dst_instance, h->dst_low);
	const struct sixpn_rule_member *from = bpf_map_lookup_elem(&rule_members, &source.prefix);
	const struct sixpn_rule_member *to = bpf_map_lookup_elem(&rule_members, &destination.prefix);
	bool opens, answers;

	if (!from || !to || h->src_prefix != FDAA || h->dst_prefix != FDAA)
		return denied;
	opens = may_open(h->src_network, from->app, h->dst_network, to->app);
	answers = may_open(h->dst_network, to->app, h->src_network, from->app);
	if (!opens && !answers)
		return denied;
	switch (h->next) {
	case NEXT_TCP:
		return judge_rule_tcp(skb, opens);
	case NEXT_UDP:
		return judge_rule_udp(skb, h, opens, answers);
	case NEXT_ICMPV6:
		return judge_rule_icmp(skb, opens, answers);
	default:
		return SIXPN_REASON_RULE_HEADER;
	}
}

/* judge_destination() for those who may have a part in rules. */
static __always_inline __u32 judge_reach(struct __sk_buff *skb, const struct header *h)
{
	__u32 reason = judge_destination(h, h->src_network);

	return reason == SIXPN_REASON_DESTINATION_NETWORK ? judge_rule(skb, h, reason) : reason;
}

#endif
