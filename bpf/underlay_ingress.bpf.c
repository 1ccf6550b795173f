// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* underlay_ingress - packets from outside, on an uplink: nobody out there may inject or answer a 6PN address. Everything that is
 * not IPv6 in fdaa::/16 is none of our business and passes, or the machine would lose its network. */
#include "bpf/program.h"

#define HOOK SIXPN_HOOK_UNDERLAY_INGRESS
#define VLAN_TAG_LEN 4

/* Where the IPv6 header starts; 0 = this is not IPv6 in Ethernet. Tags are looked behind, because a VLAN device on top of the
 * uplink would hand the inner packet to the same machine. */
static __always_inline __u32 find_ipv6(struct __sk_buff *skb)
{
	__u32 offset = ETHERTYPE_OFFSET;
	__u16 ethertype = 0;

#pragma unroll
	for (int tags = 0; tags < 3; tags++) {
		if (bpf_skb_load_bytes(skb, offset, &ethertype, sizeof(ethertype)))
			return 0;
		if (!is_vlan(ethertype))
			break;
		offset += VLAN_TAG_LEN;
	}
	return ethertype == ETHERTYPE_IPV6 ? offset + sizeof(ethertype) : 0;
}

static __always_inline __u32 judge(struct __sk_buff *skb, struct header *h)
{
	__u32 offset = 0;

	if (config.l2_len) {
		offset = find_ipv6(skb);
		if (!offset)
			return SIXPN_REASON_NONE;
	}
	if (bpf_skb_load_bytes(skb, offset, &h->version_class, sizeof(h->version_class)))
		return SIXPN_REASON_TOO_SHORT;
	if (h->version_class >> 4 != 6)
		return SIXPN_REASON_NONE;
	if (bpf_skb_load_bytes(skb, offset, &h->version_class, IPV6_HEADER_LEN))
		return SIXPN_REASON_TOO_SHORT;
	return h->src_prefix == FDAA || h->dst_prefix == FDAA ? SIXPN_REASON_SIXPN_FROM_OUTSIDE : SIXPN_REASON_NONE;
}

SEC("tc")
int underlay_ingress(struct __sk_buff *skb)
{
	struct header h = {};
	__u32 reason = judge(skb, &h);

	if (reason)
		return drop(skb, HOOK, reason);
	return pass(skb, HOOK);
}
