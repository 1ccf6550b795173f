// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* mesh_egress - packets to other nodes, on the mesh WireGuard before cryptokey routing: natural form in, mesh form out. */
#include "bpf/rule.h"

#define HOOK SIXPN_HOOK_MESH_EGRESS

static __always_inline __u32 judge(struct __sk_buff *skb, struct header *h)
{
	__u32 reason;

	if (!has_mark(skb))
		return SIXPN_REASON_MARK_MISSING;
	reason = read_header(skb, h);
	if (reason)
		return reason;
	reason = judge_source(h);
	if (reason)
		return reason;
	reason = judge_reach(skb, h);
	if (reason)
		return reason;
	if (!is_self(h->src_host) && !source_moved(&moved_here, h))
		return SIXPN_REASON_SOURCE_NOT_LOCAL;
	/* No route of an instance took it, so there is no such instance; it must not circle. */
	if (is_self(h->dst_host) && !destination_moved(&moved_away, h))
		return SIXPN_REASON_DESTINATION_GONE;
	return write_words(skb, h->src_host, h->src_network, h->dst_host, h->dst_network);
}

SEC("tc")
int mesh_egress(struct __sk_buff *skb)
{
	struct header h = {};
	__u32 reason = judge(skb, &h);

	if (reason)
		return drop(skb, HOOK, reason);
	return pass_in_network(skb, HOOK, h.src_network);
}
