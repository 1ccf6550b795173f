// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* peer_egress - packets to customers' WireGuard peers, on the gateway before cryptokey routing. Errors that the gateway's kernel makes
 * about a peer's packet (Packet Too Big, Time Exceeded) leave as fdaa:<network>::3: the kernel speaks from fdaa::3, the only address of
 * ours that it has, which no peer's AllowedIPs let in. */
#include "bpf/program.h"

#define HOOK SIXPN_HOOK_PEER_EGRESS

/* Made here and now by the kernel about a packet that was judged: it came in by no device, and has the mark of what it is about
 * (fwmark_reflect), which neither a socket nor anything from outside has. */
static __always_inline bool is_own_error(struct __sk_buff *skb, const struct header *h)
{
	__u8 icmp[4] = { 0 }; /* type, code, checksum */

	if (!source_is_resolver(h, 0) || h->next != NEXT_ICMPV6 || skb->ingress_ifindex || !has_mark(skb))
		return false;
	if (bpf_skb_load_bytes(skb, config.l2_len + IPV6_HEADER_LEN, icmp, sizeof(icmp)))
		return false;
	return icmp[0] >= ICMPV6_ERROR_FIRST && icmp[0] <= ICMPV6_ERROR_LAST;
}

/* The network word was 0 and is the network of the receiver now; the checksum covers it. */
static __always_inline __u32 write_network(struct __sk_buff *skb, __u32 network_be)
{
	if (bpf_l4_csum_replace(skb, config.l2_len + IPV6_HEADER_LEN + ICMPV6_CHECKSUM_OFFSET, 0, network_be,
				BPF_F_PSEUDO_HDR | sizeof(network_be)) ||
	    bpf_skb_store_bytes(skb, config.l2_len + IPV6_SOURCE_WORDS, &network_be, sizeof(network_be), 0))
		return SIXPN_REASON_REWRITE_FAILED;
	return SIXPN_REASON_NONE;
}

static __always_inline __u32 judge(struct __sk_buff *skb, struct header *h)
{
	__u32 reason = read_header(skb, h);
	bool own_error;

	if (reason)
		return reason;
	own_error = is_own_error(skb, h);
	if (own_error)
		h->src_network = h->dst_network;
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
	return own_error ? write_network(skb, h->dst_network) : SIXPN_REASON_NONE;
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
