// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* instance_egress - packets to an instance, on the host's end of its veth or tap. The second look at what other hooks let
 * through: one program that fails is not yet a leak. */
#include "bpf/rule.h"

#define HOOK SIXPN_HOOK_INSTANCE_EGRESS

static __always_inline bool destination_is_own(const struct header *h, const struct sixpn_device *own)
{
	return h->dst_prefix == FDAA && h->dst_network == bpf_htonl(own->network) && h->dst_host == bpf_htonl(own->host) &&
	       h->dst_instance == bpf_htonl(own->instance);
}

/* The source against a link-local address of the map, as the words that it has there. */
static __always_inline bool source_is_gateway(const struct header *h, const struct sixpn_device *own)
{
	const __u8 *a = own->gateway;
	const __u8 *s = (const __u8 *)&h->src_prefix;
	__u8 differs = 0;

#pragma unroll
	for (int i = 0; i < 16; i++)
		differs |= a[i] ^ s[i];
	return !differs;
}

/* Packet Too Big and the other errors that this host makes itself. */
static __always_inline __u32 judge_gateway(struct __sk_buff *skb, const struct header *h)
{
	__u8 type = 0;

	if (h->next != NEXT_ICMPV6)
		return SIXPN_REASON_GATEWAY_TYPE;
	if (bpf_skb_load_bytes(skb, config.l2_len + IPV6_HEADER_LEN, &type, sizeof(type)))
		return SIXPN_REASON_TOO_SHORT;
	return type >= ICMPV6_ERROR_FIRST && type <= ICMPV6_ERROR_LAST ? SIXPN_REASON_NONE : SIXPN_REASON_GATEWAY_TYPE;
}

static __always_inline __u32 judge(struct __sk_buff *skb, struct header *h)
{
	__u32 ifindex = skb->ifindex, reason, network_be;
	const struct sixpn_device *own = bpf_map_lookup_elem(&device, &ifindex);

	if (!own)
		return SIXPN_REASON_DEVICE_UNKNOWN;
	if (own->layout != SIXPN_LAYOUT)
		return SIXPN_REASON_DEVICE_LAYOUT;
	reason = read_header(skb, h);
	if (reason)
		return reason;
	if (!destination_is_own(h, own))
		return SIXPN_REASON_DESTINATION_FOREIGN;
	network_be = bpf_htonl(own->network);
	if (source_is_resolver(h, 0) || source_is_resolver(h, network_be))
		return SIXPN_REASON_NONE;
	if (source_is_gateway(h, own))
		return judge_gateway(skb, h);
	reason = judge_source(h);
	if (reason)
		return reason;
	return h->src_network == network_be ? SIXPN_REASON_NONE : judge_rule(skb, h, SIXPN_REASON_SOURCE_NETWORK);
}

SEC("tc")
int instance_egress(struct __sk_buff *skb)
{
	struct header h = {};
	__u32 reason = judge(skb, &h);
	int verdict;

	if (reason)
		return drop(skb, HOOK, reason);
	verdict = pass_in_network(skb, HOOK, h.dst_network);
	bpf_tail_call(skb, &policy, HOOK);
	return verdict;
}
