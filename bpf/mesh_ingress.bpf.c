// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* mesh_ingress - packets from other nodes, on the mesh WireGuard before routing: mesh form in, natural form out. WireGuard has
 * proven that the source's first word is the sending host (or an address moved to it), so a host that was taken over can lie
 * about the network alone; the presence map is the list of networks in which the controller placed something on it. An address that
 * lives elsewhere than its word says is let in for itself: it gives its home no right to speak. */
#include "bpf/rule.h"

#define HOOK SIXPN_HOOK_MESH_INGRESS

/* The header as it is after un-swapping. */
static __always_inline void unswap(struct header *h)
{
	__u32 src_host = h->src_network, dst_host = h->dst_network;

	h->src_network = h->src_host;
	h->src_host = src_host;
	h->dst_network = h->dst_host;
	h->dst_host = dst_host;
}

static __always_inline __u32 judge_sender(const struct header *h)
{
	struct sixpn_presence_key key = { .network = bpf_ntohl(h->src_network), .host = bpf_ntohl(h->src_host) };

	/* what lives here does not come from outside: its home owns the prefix around it and could play it */
	if (source_moved(&moved_here, h))
		return SIXPN_REASON_SOURCE_IS_SELF;
	if (source_moved(&moved_away, h)) /* also of our own word; WireGuard has proven that it comes from where it is */
		return SIXPN_REASON_NONE;
	/* across a rule the address itself is a member, which says more than its host's presence */
	if (h->src_network == h->dst_network && !bpf_map_lookup_elem(&presence, &key))
		return SIXPN_REASON_PRESENCE_MISSING;
	return is_self(h->src_host) ? SIXPN_REASON_SOURCE_IS_SELF : SIXPN_REASON_NONE;
}

static __always_inline __u32 judge(struct __sk_buff *skb, struct header *h)
{
	__u32 reason = read_header(skb, h);

	if (reason)
		return reason;
	unswap(h);
	reason = judge_source(h);
	if (reason)
		return reason;
	reason = judge_reach(skb, h);
	if (reason)
		return reason;
	if (!is_self(h->dst_host) && !destination_moved(&moved_here, h))
		return SIXPN_REASON_DESTINATION_NOT_LOCAL;
	reason = judge_sender(h);
	if (reason)
		return reason;
	return write_words(skb, h->src_network, h->src_host, h->dst_network, h->dst_host);
}

SEC("tc")
int mesh_ingress(struct __sk_buff *skb)
{
	struct header h = {};
	__u32 reason = judge(skb, &h);

	if (reason)
		return drop(skb, HOOK, reason);
	set_mark(skb);
	return pass_in_network(skb, HOOK, h.dst_network); /* the one that is here */
}
