// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* instance_ingress - packets from an instance, on the host's end of its veth or tap. The instance's root can send anything. */
#include "bpf/rule.h"

#define HOOK SIXPN_HOOK_INSTANCE_INGRESS

static __always_inline bool source_is_own(const struct header *h, const struct sixpn_device *own)
{
	return h->src_prefix == FDAA && h->src_network == bpf_htonl(own->network) && h->src_host == bpf_htonl(own->host) &&
	       h->src_instance == bpf_htonl(own->instance);
}

/* Both ends have permanent neighbours. Let in, a guest's solicitations would fill the host's neighbour table, which is one for
 * the whole machine; and its router advertisements and redirects are attacks. */
static __always_inline __u32 judge_discovery(struct __sk_buff *skb, const struct header *h)
{
	__u8 type = 0;

	if (h->next != NEXT_ICMPV6)
		return SIXPN_REASON_NONE;
	if (bpf_skb_load_bytes(skb, config.l2_len + IPV6_HEADER_LEN, &type, sizeof(type)))
		return SIXPN_REASON_TOO_SHORT;
	return type >= ICMPV6_ND_FIRST && type <= ICMPV6_ND_LAST ? SIXPN_REASON_NEIGHBOUR_DISCOVERY : SIXPN_REASON_NONE;
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
	reason = judge_extension(h);
	if (reason)
		return reason;
	reason = judge_discovery(skb, h);
	if (reason)
		return reason;
	if (!source_is_own(h, own))
		return SIXPN_REASON_SOURCE_FOREIGN;
	network_be = bpf_htonl(own->network);
	if (destination_is_resolver(h, 0) || destination_is_resolver(h, network_be))
		return judge_service(skb, h);
	return judge_reach(skb, h);
}

SEC("tc")
int instance_ingress(struct __sk_buff *skb)
{
	struct header h = {};
	__u32 reason = judge(skb, &h);
	int verdict;

	if (reason)
		return drop(skb, HOOK, reason);
	set_mark(skb);
	verdict = pass_in_network(skb, HOOK, h.src_network);
	bpf_tail_call(skb, &policy, HOOK);
	return verdict;
}
