/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* sixpn.h - what the tc programs and user space agree on: hooks, drop reasons, map keys and values, events.
 *
 * Only <linux/types.h>, only fixed-size fields, no hidden padding. Numbers in here (reasons, hooks, layouts) are stable: they
 * are kept in pinned maps and in people's dashboards. Add at the end, never renumber. A changed layout needs a new
 * SIXPN_LAYOUT, which gives the pinned maps new names.
 *
 * Byte order: network, host and instance words are plain numbers in the byte order of the machine; addresses are 16 bytes as
 * on the wire. Address words (see the design, section 3):
 *     natural   fdaa | network 32 | host 32 | instance 32 | 16
 *     mesh      fdaa | host 32 | network 32 | instance 32 | 16
 *
 * The policy, hook by hook (everything not named is dropped and counted):
 *   instance_ingress  from an instance. IPv6 in untagged Ethernet; no hop-by-hop or routing header; no neighbour discovery at all
 *                     (neighbours are permanent on both sides, so nobody has to ask); source inside the /112 of the device;
 *                     destination: a node's host word in the own network or across a rule, or a service. Sets the mark.
 *   instance_egress   to an instance. Destination inside its /112; source: a node's host word in the same network or across a rule,
 *                     fdaa::3, fdaa:<network>::3, or the gateway address with an ICMPv6 error (types 1 to 4).
 *   mesh_egress       natural form in, mesh form out. Needs the mark; same network or across a rule; both host words are nodes'; the source
 *                     host is this node (or the address is in moved_here); the destination host is another (or it is in moved_away).
 *   mesh_ingress      mesh form in, natural form out. Same network or across a rule; the destination host is this node (or moved_here);
 *                     the source is in moved_away, or (network, source host) is in the presence map or the packet goes across a rule, it
 *                     does not claim this node and is not in moved_here. Sets the mark.
 *   peer_ingress      from a customer's peer. No hop-by-hop or routing header; source host is this node (or moved_here);
 *                     destination: a node's host word in the same network, or fdaa:<network>::3 as a service. Sets the mark.
 *   peer_egress       to a peer. Destination host is this node (or moved_here); source: a node's host word in the same network, or
 *                     fdaa:<network>::3. An ICMPv6 error (types 1 to 4, at least 4 bytes of it) from fdaa::3 that has the mark and
 *                     came in by no device, which the kernel of this machine has made, leaves with fdaa:<network>::3 of its
 *                     destination as its source and a checksum to match.
 *   underlay_ingress  drops IPv6 with a source or destination in fdaa::/16, also behind up to two VLAN tags; all else passes.
 * A service is reached by UDP or TCP to a port of SIXPN_SERVICE_PORTS or by ICMPv6 echo request, directly behind the IPv6
 * header: no extension headers, no fragments. By UDP one sender (an instance's /112, a peer's /120) gets so many datagrams a second.
 * Across a rule: source and destination are of two networks, both their /112s are in rule_members, and rule_pairs has (source's network
 * and app -> destination's network and app), which may open, or the reverse, whose answers these are. Only TCP, UDP, ICMPv6 echo and
 * ICMPv6 errors (types 1 to 4), directly behind the IPv6 header. Who may open sends any TCP and UDP, and echo requests; who may answer
 * sends TCP with ACK, or RST without SYN, UDP between addresses and ports of which the other end sent some within SIXPN_RULE_FLOW_NS, and
 * echo replies. Errors go both ways. Peers have no part in rules.
 * "A node's host word" has top nibble 0xA. A network is valid from 0x00010000 on, without top nibble 0xA.
 */
#ifndef SIXPN_BPF_SIXPN_H
#define SIXPN_BPF_SIXPN_H

#include <linux/types.h>

#define SIXPN_LAYOUT 1 /* of all map values and events below; part of the pinned names */

#define SIXPN_NETWORK_MIN 0x00010000u
#define SIXPN_HOST_MIN 0x00010000u     /* below: service words, never swapped, never on the mesh */
#define SIXPN_INSTANCE_MIN 0x00010000u /* below: a WireGuard peer, which owns a /120; above: an instance, which owns a /112 */
#define SIXPN_NODE_NIBBLE 0xau         /* top nibble of every node's host word */

#define SIXPN_MARK_VALUE 0x6bu /* defaults of struct sixpn_config */
#define SIXPN_MARK_MASK 0xffu
#define SIXPN_SAMPLES_PER_SECOND 10u

/* Ports of the local services behind fdaa::3 and fdaa:<network>::3, UDP and TCP alike. */
#define SIXPN_SERVICE_PORTS(X) X(53)

/* number, NAME, program, length of the link-layer header (of the underlay: chosen by device type when it is loaded) */
#define SIXPN_HOOKS(X)                             \
	X(0, INSTANCE_INGRESS, instance_ingress, 14) \
	X(1, INSTANCE_EGRESS, instance_egress, 14)   \
	X(2, MESH_EGRESS, mesh_egress, 0)            \
	X(3, MESH_INGRESS, mesh_ingress, 0)          \
	X(4, PEER_INGRESS, peer_ingress, 0)          \
	X(5, PEER_EGRESS, peer_egress, 0)            \
	X(6, UNDERLAY_INGRESS, underlay_ingress, 14)

enum sixpn_hook {
#define SIXPN_HOOK_ENUM(number, NAME, program, l2_len) SIXPN_HOOK_##NAME = (number),
	SIXPN_HOOKS(SIXPN_HOOK_ENUM)
#undef SIXPN_HOOK_ENUM
	SIXPN_HOOK_COUNT
};
#define SIXPN_HOOK_SLOTS 16 /* entries of the maps indexed by hook */

/* Sets of hooks, for the table of reasons. */
#define SIXPN_ON_INSTANCE_INGRESS (1u << SIXPN_HOOK_INSTANCE_INGRESS)
#define SIXPN_ON_INSTANCE_EGRESS (1u << SIXPN_HOOK_INSTANCE_EGRESS)
#define SIXPN_ON_MESH_EGRESS (1u << SIXPN_HOOK_MESH_EGRESS)
#define SIXPN_ON_MESH_INGRESS (1u << SIXPN_HOOK_MESH_INGRESS)
#define SIXPN_ON_PEER_INGRESS (1u << SIXPN_HOOK_PEER_INGRESS)
#define SIXPN_ON_PEER_EGRESS (1u << SIXPN_HOOK_PEER_EGRESS)
#define SIXPN_ON_UNDERLAY_INGRESS (1u << SIXPN_HOOK_UNDERLAY_INGRESS)
#define SIXPN_ON_INSTANCE (SIXPN_ON_INSTANCE_INGRESS | SIXPN_ON_INSTANCE_EGRESS)
#define SIXPN_ON_MESH (SIXPN_ON_MESH_EGRESS | SIXPN_ON_MESH_INGRESS)
#define SIXPN_ON_PEER (SIXPN_ON_PEER_INGRESS | SIXPN_ON_PEER_EGRESS)
#define SIXPN_ON_CUSTOMER_INGRESS (SIXPN_ON_INSTANCE_INGRESS | SIXPN_ON_PEER_INGRESS)
#define SIXPN_ON_SIXPN (SIXPN_ON_INSTANCE | SIXPN_ON_MESH | SIXPN_ON_PEER)

/* The one table of drop reasons: number (stable), NAME, name (metrics, logs), hooks that may give it, sentence (for people). */
#define SIXPN_REASONS(X)                                                                                                       \
	X(1, DEVICE_UNKNOWN, "device_unknown", SIXPN_ON_INSTANCE,                                                              \
	  "The device has no entry in the device map, so nobody may speak on it.")                                             \
	X(2, DEVICE_LAYOUT, "device_layout", SIXPN_ON_INSTANCE,                                                                \
	  "The device's entry was written in a layout that this program does not know.")                                       \
	X(3, VLAN_TAGGED, "vlan_tagged", SIXPN_ON_INSTANCE, "The frame carries a VLAN tag.")                                   \
	X(4, NOT_IPV6, "not_ipv6", SIXPN_ON_SIXPN, "The ethertype or the version field says that this is not IPv6.")           \
	X(5, TOO_SHORT, "too_short", SIXPN_ON_SIXPN | SIXPN_ON_UNDERLAY_INGRESS,                                               \
	  "The packet ends before the headers that have to be checked.")                                                       \
	X(6, HOP_BY_HOP, "hop_by_hop", SIXPN_ON_CUSTOMER_INGRESS, "The packet has a hop-by-hop options header.")               \
	X(7, ROUTING_HEADER, "routing_header", SIXPN_ON_CUSTOMER_INGRESS, "The packet has a routing header.")                  \
	X(8, NEIGHBOUR_DISCOVERY, "neighbour_discovery", SIXPN_ON_INSTANCE_INGRESS,                                            \
	  "Neighbour and router discovery is not needed (neighbours are permanent) and not let in.")                           \
	X(9, SOURCE_FOREIGN, "source_foreign", SIXPN_ON_INSTANCE_INGRESS,                                                      \
	  "The source is not inside the /112 that belongs to the instance.")                                                   \
	X(10, DESTINATION_OUTSIDE, "destination_outside", SIXPN_ON_CUSTOMER_INGRESS | SIXPN_ON_MESH | SIXPN_ON_PEER_EGRESS,    \
	  "The destination is not an address of fdaa::/16.")                                                                   \
	X(11, DESTINATION_NETWORK, "destination_network", SIXPN_ON_CUSTOMER_INGRESS | SIXPN_ON_MESH | SIXPN_ON_PEER_EGRESS,    \
	  "Source and destination are not in the same network, and no peering rule joins them.")                               \
	X(12, DESTINATION_HOST, "destination_host", SIXPN_ON_CUSTOMER_INGRESS | SIXPN_ON_MESH | SIXPN_ON_PEER_EGRESS,          \
	  "The destination's host word is not a node's, and the address is not a service.")                                    \
	X(13, SERVICE_PORT, "service_port", SIXPN_ON_CUSTOMER_INGRESS,                                                         \
	  "A service address was asked for something that is not a service: another port, protocol or ICMPv6 type.")           \
	X(14, SERVICE_HEADER, "service_header", SIXPN_ON_CUSTOMER_INGRESS,                                                     \
	  "A packet to a service address has an extension header or is a fragment.")                                           \
	X(15, DESTINATION_FOREIGN, "destination_foreign", SIXPN_ON_INSTANCE_EGRESS,                                            \
	  "The destination is not inside the /112 of the instance behind this device.")                                        \
	X(16, SOURCE_NETWORK, "source_network", SIXPN_ON_INSTANCE_EGRESS | SIXPN_ON_MESH | SIXPN_ON_PEER,                      \
	  "The source is in no valid network, or not in the one of the receiver, and no peering rule joins them.")             \
	X(17, SOURCE_HOST, "source_host", SIXPN_ON_INSTANCE_EGRESS | SIXPN_ON_MESH | SIXPN_ON_PEER,                            \
	  "The source's host word is not a node's, and the address is not the resolver.")                                      \
	X(18, GATEWAY_TYPE, "gateway_type", SIXPN_ON_INSTANCE_EGRESS,                                                          \
	  "The source is the gateway address, but the packet is not an ICMPv6 error.")                                         \
	X(19, MARK_MISSING, "mark_missing", SIXPN_ON_MESH_EGRESS,                                                              \
	  "The packet lacks the mark: no program of ours has checked it where it came in.")                                    \
	X(20, SOURCE_NOT_LOCAL, "source_not_local", SIXPN_ON_MESH_EGRESS | SIXPN_ON_PEER_INGRESS,                              \
	  "The source belongs to another node and has not moved here.")                                                        \
	X(21, DESTINATION_GONE, "destination_gone", SIXPN_ON_MESH_EGRESS,                                                      \
	  "The destination belongs to this node, which has no such instance, and has not moved away.")                         \
	X(22, DESTINATION_NOT_LOCAL, "destination_not_local", SIXPN_ON_MESH_INGRESS | SIXPN_ON_PEER_EGRESS,                    \
	  "The destination belongs to another node and has not moved here.")                                                   \
	X(23, PRESENCE_MISSING, "presence_missing", SIXPN_ON_MESH_INGRESS,                                                     \
	  "The sending host has nothing placed in this network, so it may not speak in it.")                                   \
	X(24, SOURCE_IS_SELF, "source_is_self", SIXPN_ON_MESH_INGRESS,                                                         \
	  "A packet from the mesh claims an address that lives on this node: of its own that has not moved away, or one that moved here.")                         \
	X(25, REWRITE_FAILED, "rewrite_failed", SIXPN_ON_MESH | SIXPN_ON_PEER_EGRESS, "The kernel could not rewrite the addresses (memory).")         \
	X(26, SIXPN_FROM_OUTSIDE, "sixpn_from_outside", SIXPN_ON_UNDERLAY_INGRESS,                                             \
	  "A packet with an address of fdaa::/16 came in from the underlay.")                                                  \
	X(27, SERVICE_PACE, "service_pace", SIXPN_ON_CUSTOMER_INGRESS,                                                         \
	  "The sender asks a service by UDP more often than one sender may.")                                                  \
	X(28, RULE_HEADER, "rule_header", SIXPN_ON_INSTANCE | SIXPN_ON_MESH,                                                   \
	  "Across a peering rule only TCP, UDP, ICMPv6 echo and ICMPv6 errors pass, without extension headers.")                \
	X(29, RULE_OPENING, "rule_opening", SIXPN_ON_INSTANCE | SIXPN_ON_MESH,                                                 \
	  "The peering rule lets this end answer, and this is no answer to anything.")

enum sixpn_reason {
	SIXPN_REASON_NONE = 0, /* not dropped by a program of ours */
#define SIXPN_REASON_ENUM(number, NAME, name, hooks, sentence) SIXPN_REASON_##NAME = (number),
	SIXPN_REASONS(SIXPN_REASON_ENUM)
#undef SIXPN_REASON_ENUM
};
#define SIXPN_REASON_SLOTS 64 /* entries of the counters map: room for reasons without a new layout */

/* Constants of one loaded program (its read-only data), set before it is loaded. */
struct sixpn_config {
	__u32 layout; /* SIXPN_LAYOUT */
	__u32 self_host;
	__u32 mark_value;
	__u32 mark_mask; /* the other bits of skb->mark are left as they are */
	__u32 samples_per_second; /* events per second, reason and CPU */
	__u32 l2_len; /* 14 on Ethernet devices, 0 on WireGuard and tun */
	__u32 pace_ns; /* one sender's datagrams to a service, in the long run; 0 = as they come */
	__u32 reserved;
};

/* Map `device`: key = ifindex (u32). One per instance device; written by the daemon before the device goes up. */
struct sixpn_device {
	__u16 layout; /* SIXPN_LAYOUT */
	__u16 flags;  /* none yet, 0 */
	__u32 network;
	__u32 host;     /* the host word of its address (its home host, not always this node) */
	__u32 instance;
	__u8 address[16]; /* ::2 of its /112; the programs compare the first 14 bytes */
	__u8 gateway[16]; /* link-local address of the host's end: fe80::1 */
	__u8 reserved[16];
};

/* Map `presence`: (network, host) pairs that may speak to us over the mesh. The planner also lists the home host of every moved
 * address of the network, because its packets keep the home host's word. */
struct sixpn_presence_key {
	__u32 network;
	__u32 host;
};
struct sixpn_presence {
	__u32 flags; /* none yet, 0 */
	__u32 reserved;
};

/* Maps `moved_here` and `moved_away`: natural addresses whose host word is not where they live. Key: the address with the bits
 * below its own prefix zero (/112 if its instance word is SIXPN_INSTANCE_MIN or more, else the /120 of a peer). */
struct sixpn_moved_key {
	__u8 address[16];
};
struct sixpn_moved {
	__u32 carrier; /* host word of the node that carries it now */
	__u32 reserved;
};

/* Map `counters`: key = reason. Per CPU. */
struct sixpn_counter {
	__u64 packets;
	__u64 bytes;
	__u64 window_ns; /* start of the second in which `sampled` is counted (monotonic) */
	__u32 sampled;
	__u32 reserved;
};

/* Map `passes`: key = hook; map `traffic`: key = sixpn_traffic_key. Per CPU. Packets count the segments of a GSO train. */
struct sixpn_traffic_key {
	__u32 network;
	__u32 hook; /* where to: instance_egress = delivered here, mesh_egress = to another node, peer_egress = to a peer, ... */
};
struct sixpn_traffic {
	__u64 packets;
	__u64 bytes;
};

/* Ring buffer `events`: a sample of the drops. */
#define SIXPN_EVENT_PACKET 64
struct sixpn_event {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u16 layout;  /* SIXPN_LAYOUT */
	__u16 reason;
	__u16 hook;
	__u16 packet_len; /* bytes of `packet` that are filled */
	__u32 ifindex;
	__u32 mark;
	__u32 len; /* of the whole packet */
	__u32 reserved;
	__u8 packet[SIXPN_EVENT_PACKET]; /* from the IPv6 header on */
};

/* Map `askers`: key = the first address of a sender's block. Least recently used ones make room: they have all their burst again. */
#define SIXPN_PACE_BURST 4096 /* datagrams that may come at once */
struct sixpn_asker_key {
	__u8 address[16];
};
struct sixpn_asker {
	__u64 next_ns; /* when the next one would be in time (monotonic) */
};

/* Map `rule_members`: every address that has a part in a peering rule, of either end. Key: its /112, as in moved_here. */
struct sixpn_rule_member {
	__u64 app; /* as on the wire; never SIXPN_RULE_EVERY_APP */
};

/* Map `rule_pairs`: who may open to whom. */
#define SIXPN_RULE_EVERY_APP 0ull /* every member of from_network */
struct sixpn_rule_pair_key {
	__u32 from_network, to_network;
	__u64 from_app, to_app; /* as on the wire */
};
struct sixpn_rule_pair {
	__u32 flags; /* none yet, 0 */
	__u32 reserved;
};

/* Map `rule_flows`: UDP that the end that may open has sent. Words and ports as on the wire. Least recently used ones make room. */
#define SIXPN_RULE_FLOW_NS 180000000000ull /* so long after it answers pass */
struct sixpn_rule_flow_key {
	__u32 client[3], server[3]; /* network, host, instance */
	__u16 client_low, server_low, client_port, server_port;
};
struct sixpn_rule_flow {
	__u64 seen_ns; /* monotonic */
};

/* Program array `policy`: key = hook. An empty slot continues; a program in it gives the verdict of a packet that passed. */

#define SIXPN_SIZE_IS(type, size) _Static_assert(sizeof(type) == (size), #type " has another size")
SIXPN_SIZE_IS(struct sixpn_config, 32);
SIXPN_SIZE_IS(struct sixpn_device, 64);
SIXPN_SIZE_IS(struct sixpn_presence_key, 8);
SIXPN_SIZE_IS(struct sixpn_presence, 8);
SIXPN_SIZE_IS(struct sixpn_moved_key, 16);
SIXPN_SIZE_IS(struct sixpn_moved, 8);
SIXPN_SIZE_IS(struct sixpn_counter, 32);
SIXPN_SIZE_IS(struct sixpn_traffic_key, 8);
SIXPN_SIZE_IS(struct sixpn_traffic, 16);
SIXPN_SIZE_IS(struct sixpn_event, 96);
SIXPN_SIZE_IS(struct sixpn_asker_key, 16);
SIXPN_SIZE_IS(struct sixpn_asker, 8);
SIXPN_SIZE_IS(struct sixpn_rule_member, 8);
SIXPN_SIZE_IS(struct sixpn_rule_pair_key, 24);
SIXPN_SIZE_IS(struct sixpn_rule_pair, 8);
SIXPN_SIZE_IS(struct sixpn_rule_flow_key, 32);
SIXPN_SIZE_IS(struct sixpn_rule_flow, 8);

#endif
