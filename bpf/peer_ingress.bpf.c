// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* peer_ingress - packets from customers' WireGuard peers, on the gateway. WireGuard has proven the source (/120); the network is
 * inside the address, so a peer that comes or goes changes no map. */
#include "bpf/program.h"

#define HOOK SIXPN_HOOK_PEER_INGRESS

static __always_inline __u32 judge(struct __sk_buff *skb, struct header *h)
{
	__u32 reason = read_header(skb, h);

	if (reason)
		return reason;
	reason = judge_extension(h);
	if (reason)
		return reason;
	reason = judge_source(h);
	if (reason)
		return reason;
	if (!is_self(h->src_host) && !source_moved(&moved_here, h))
		return SIXPN_REASON_SOURCE_NOT_LOCAL;
	if (destination_is_resolver(h, h->src_network))
		return judge_service(skb, h);
	return judge_destination(h, h->src_network);
}

SEC("tc")
int peer_ingress(struct __sk_buff *skb)
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
