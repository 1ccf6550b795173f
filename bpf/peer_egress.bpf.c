// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* peer_egress - packets to customers' WireGuard peers, on the gateway before cryptokey routing. */
#include "bpf/program.h"

#define HOOK SIXPN_HOOK_PEER_EGRESS

static __always_inline __u32 judge(struct __sk_buff *skb, struct header *h)
{
	__u32 reason = read_header(skb, h);

	if (reason)
		return reason;
	if (!source_is_resolver(h, h->dst_network)) {
		reason = judge_source(h);
		if (reason)
			return reason;
	}
	reason = judge_destination(h, h->src_network);
	if (reason)
		return reason;
	if (!is_network(h->dst_network))
		return SIXPN_REASON_DESTINATION_NETWORK;
	if (!is_self(h->dst_host) && !destination_moved(&moved_here, h))
		return SIXPN_REASON_DESTINATION_NOT_LOCAL;
	return SIXPN_REASON_NONE;
}

SEC("tc")
int peer_egress(struct __sk_buff *skb)
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
