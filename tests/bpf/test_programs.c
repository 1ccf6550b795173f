/* Every check of every program: packet in, verdict, packet out, mark out, reason. A row that drops also says that packet and mark
 * are left as they were; a row that passes says exactly how they changed. */
#include "tests/bpf/harness.h"

#include "lib/base/buf.h"
#include "lib/bpf/events.h"
#include "lib/bpf/internal.h"

#include <bpf/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* This node is a001:1, another a002:2, a third a003:3; our network 1234:5678, another one 2222:2222. */
#define SELF 0xa0010001u
#define OTHER 0xa0020002u
#define THIRD 0xa0030003u
#define NETWORK 0x12345678u
#define FOREIGN 0x22222222u

#define MINE "fdaa:1234:5678:a001:1:abcd:ef01:2" /* the instance behind the device */
#define MINE_OTHER_LOW "fdaa:1234:5678:a001:1:abcd:ef01:beef"
#define SIBLING "fdaa:1234:5678:a001:1:abcd:ef02:2"
#define REMOTE "fdaa:1234:5678:a002:2:1111:2222:2"
#define REMOTE_MESH "fdaa:a002:2:1234:5678:1111:2222:2"
#define MINE_MESH "fdaa:a001:1:1234:5678:abcd:ef01:2"
#define FOREIGN_HERE "fdaa:2222:2222:a001:1:abcd:ef01:2"
#define FOREIGN_THERE "fdaa:2222:2222:a002:2:1111:2222:2"
#define FOREIGN_THERE_MESH "fdaa:a002:2:2222:2222:1111:2222:2"
#define FOREIGN_HERE_MESH "fdaa:a001:1:2222:2222:abcd:ef01:2"
#define MOVED_HERE "fdaa:1234:5678:a003:3:7777:8888:2"
#define MOVED_HERE_MESH "fdaa:a003:3:1234:5678:7777:8888:2"
#define MOVED_AWAY "fdaa:1234:5678:a001:1:5555:6666:2"
#define MOVED_BETWEEN "fdaa:1234:5678:a004:4:5555:7777:2"
#define MOVED_AWAY_MESH "fdaa:a001:1:1234:5678:5555:6666:2"
#define PEER "fdaa:1234:5678:a001:1:0:a:102"
#define PEER_NETWORK_ADDRESS "fdaa:1234:5678:a001:1:0:a:100"
#define PEER_THERE "fdaa:1234:5678:a003:3:0:a:102"
#define PEER_MOVED_HERE "fdaa:1234:5678:a003:3:0:b:302"
#define PEER_NOT_MOVED "fdaa:1234:5678:a003:3:0:b:402"
#define RESOLVER "fdaa::3"
#define NET_RESOLVER "fdaa:1234:5678::3"
#define FOREIGN_RESOLVER "fdaa:2222:2222::3"
#define FLYCAST "fdaa:1234:5678:0:1::9"
#define GATEWAY "fe80::1"

#define MARK 0x6bu
#define OTHER_BITS 0xabcdef00u

enum { HBH = 0, TCP = 6, UDP = 17, IN6 = 41, ROUTING = 43, FRAGMENT = 44, ESP = 50, AH = 51, ICMP = 58, OPTIONS = 60 };

struct row {
	const char *sentence;
	enum sixpn_hook hook;
	const char *source, *destination;
	uint8_t next;
	uint8_t payload[8];
	uint32_t mark;
	unsigned reason; /* 0 = passes */
	const char *source_out, *destination_out; /* NULL = as it was */
	uint32_t mark_out;                        /* of rows that pass; 0 = as it was */
	/* what is wrong with the frame */
	uint16_t ethertype;
	uint8_t version;   /* first byte of the IPv6 header */
	uint8_t vlan_tags; /* on underlay_ingress */
	uint8_t len;       /* cut to so many bytes */
	bool no_payload;
	bool bare; /* underlay_ingress without an Ethernet header */
	bool came_in;          /* by a device, so that it is forwarded */
	uint16_t checksum_out; /* of ICMPv6; 0 = as it was */
};

#define DNS .next = UDP, .payload = { 0x30, 0x39, 0, 53 }
#define ECHO .next = ICMP, .payload = { 128, 0 }
#define ERROR(TYPE) .next = ICMP, .payload = { (TYPE), 0, 0x11, 0x11 }
#define IN(HOOK) .hook = SIXPN_HOOK_##HOOK
#define DROP(REASON) .reason = SIXPN_REASON_##REASON
#define FROM(a) .source = (a)
#define TO(a) .destination = (a)

static const struct row rows[] = {
	/* ---- instance_ingress ---- */
	{ "an instance reaches its network on another node", IN(INSTANCE_INGRESS), FROM(MINE), TO(REMOTE), ECHO, .mark_out = MARK },
	{ "an instance reaches its neighbour on the same node", IN(INSTANCE_INGRESS), FROM(MINE), TO(SIBLING), DNS, .mark_out = MARK },
	{ "an instance may send from all of its own /112", IN(INSTANCE_INGRESS), FROM(MINE_OTHER_LOW), TO(REMOTE), DNS, .mark_out = MARK },
	{ "the mark leaves the other bits alone", IN(INSTANCE_INGRESS), FROM(MINE), TO(REMOTE), DNS, .mark = OTHER_BITS | 0x94,
	  .mark_out = OTHER_BITS | MARK },
	{ "an instance reaches a peer of its network", IN(INSTANCE_INGRESS), FROM(MINE), TO(PEER), DNS, .mark_out = MARK },
	{ "a fragment passes inside the network", IN(INSTANCE_INGRESS), FROM(MINE), TO(REMOTE), .next = FRAGMENT, .mark_out = MARK },
	{ "destination options pass inside the network", IN(INSTANCE_INGRESS), FROM(MINE), TO(REMOTE), .next = OPTIONS, .mark_out = MARK },
	{ "ESP passes inside the network", IN(INSTANCE_INGRESS), FROM(MINE), TO(REMOTE), .next = ESP, .mark_out = MARK },
	{ "AH passes inside the network", IN(INSTANCE_INGRESS), FROM(MINE), TO(REMOTE), .next = AH, .mark_out = MARK },
	{ "IPv6 in IPv6 passes inside the network: the outer addresses are what is judged", IN(INSTANCE_INGRESS), FROM(MINE), TO(REMOTE),
	  .next = IN6, .mark_out = MARK },
	{ "an ICMPv6 error passes inside the network", IN(INSTANCE_INGRESS), FROM(MINE), TO(REMOTE), .next = ICMP, .payload = { 2 },
	  .mark_out = MARK },
	{ "an instance asks fdaa::3 by UDP", IN(INSTANCE_INGRESS), FROM(MINE), TO(RESOLVER), DNS, .mark_out = MARK },
	{ "an instance asks fdaa::3 by TCP", IN(INSTANCE_INGRESS), FROM(MINE), TO(RESOLVER), .next = TCP, .payload = { 0x30, 0x39, 0, 53 },
	  .mark_out = MARK },
	{ "an instance pings fdaa::3", IN(INSTANCE_INGRESS), FROM(MINE), TO(RESOLVER), ECHO, .mark_out = MARK },
	{ "an instance asks ::3 of its own network", IN(INSTANCE_INGRESS), FROM(MINE), TO(NET_RESOLVER), DNS, .mark_out = MARK },
	{ "an instance cannot ask ::3 of another network", IN(INSTANCE_INGRESS), FROM(MINE), TO(FOREIGN_RESOLVER), DNS,
	  DROP(DESTINATION_NETWORK) },
	{ "an address next to fdaa::3 is no service (low word)", IN(INSTANCE_INGRESS), FROM(MINE), TO("fdaa::4"), DNS,
	  DROP(DESTINATION_NETWORK) },
	{ "an address next to fdaa::3 is no service (instance word)", IN(INSTANCE_INGRESS), FROM(MINE), TO("fdaa::1:3"), DNS,
	  DROP(DESTINATION_NETWORK) },
	{ "an address next to the network's ::3 is no service", IN(INSTANCE_INGRESS), FROM(MINE), TO("fdaa:1234:5678::1:3"), DNS,
	  DROP(DESTINATION_HOST) },
	{ "flycast is no service yet", IN(INSTANCE_INGRESS), FROM(MINE), TO(FLYCAST), DNS, DROP(DESTINATION_HOST) },
	{ "another UDP port of fdaa::3 is closed", IN(INSTANCE_INGRESS), FROM(MINE), TO(RESOLVER), .next = UDP,
	  .payload = { 0, 53, 0, 54 }, DROP(SERVICE_PORT) },
	{ "the source port does not open fdaa::3", IN(INSTANCE_INGRESS), FROM(MINE), TO(RESOLVER), .next = TCP,
	  .payload = { 0, 53, 16, 192 }, DROP(SERVICE_PORT) },
	{ "an echo reply to fdaa::3 is dropped", IN(INSTANCE_INGRESS), FROM(MINE), TO(RESOLVER), .next = ICMP, .payload = { 129 },
	  DROP(SERVICE_PORT) },
	{ "another protocol to fdaa::3 is dropped", IN(INSTANCE_INGRESS), FROM(MINE), TO(RESOLVER), .next = 132, DROP(SERVICE_PORT) },
	{ "a fragment to fdaa::3 is dropped", IN(INSTANCE_INGRESS), FROM(MINE), TO(RESOLVER), .next = FRAGMENT, DROP(SERVICE_HEADER) },
	{ "destination options to fdaa::3 are dropped", IN(INSTANCE_INGRESS), FROM(MINE), TO(RESOLVER), .next = OPTIONS,
	  DROP(SERVICE_HEADER) },
	{ "UDP to fdaa::3 without ports is dropped", IN(INSTANCE_INGRESS), FROM(MINE), TO(RESOLVER), DNS, .len = 14 + 42, DROP(TOO_SHORT) },
	{ "ICMPv6 without a type is dropped", IN(INSTANCE_INGRESS), FROM(MINE), TO(REMOTE), .next = ICMP, .no_payload = true,
	  DROP(TOO_SHORT) },
	{ "another network is out of reach", IN(INSTANCE_INGRESS), FROM(MINE), TO(FOREIGN_THERE), DNS, DROP(DESTINATION_NETWORK) },
	{ "another network on the same node is out of reach", IN(INSTANCE_INGRESS), FROM(MINE), TO(FOREIGN_HERE), DNS,
	  DROP(DESTINATION_NETWORK) },
	{ "mesh form of an address of the own network is no destination", IN(INSTANCE_INGRESS), FROM(MINE), TO(REMOTE_MESH), DNS,
	  DROP(DESTINATION_NETWORK) },
	{ "mesh form of a foreign address is no destination", IN(INSTANCE_INGRESS), FROM(MINE), TO(FOREIGN_THERE_MESH), DNS,
	  DROP(DESTINATION_NETWORK) },
	{ "a host word without the node's nibble is no destination", IN(INSTANCE_INGRESS), FROM(MINE),
	  TO("fdaa:1234:5678:b002:2:1111:2222:2"), DNS, DROP(DESTINATION_HOST) },
	{ "a service word is no node", IN(INSTANCE_INGRESS), FROM(MINE), TO("fdaa:1234:5678:0:2:1111:2222:2"), DNS, DROP(DESTINATION_HOST) },
	{ "the internet is not reached through the 6PN device", IN(INSTANCE_INGRESS), FROM(MINE), TO("2001:db8::1"), DNS,
	  DROP(DESTINATION_OUTSIDE) },
	{ "another ULA prefix is outside", IN(INSTANCE_INGRESS), FROM(MINE), TO("fdab:1234:5678:a002:2:1111:2222:2"), DNS,
	  DROP(DESTINATION_OUTSIDE) },
	{ "multicast is outside", IN(INSTANCE_INGRESS), FROM(MINE), TO("ff02::1"), DNS, DROP(DESTINATION_OUTSIDE) },
	{ "the gateway's own address is outside", IN(INSTANCE_INGRESS), FROM(MINE), TO(GATEWAY), ECHO, DROP(DESTINATION_OUTSIDE) },
	{ "loopback is outside", IN(INSTANCE_INGRESS), FROM(MINE), TO("::1"), DNS, DROP(DESTINATION_OUTSIDE) },
	{ "an IPv4-mapped address is outside", IN(INSTANCE_INGRESS), FROM(MINE), TO("::ffff:10.0.0.1"), DNS, DROP(DESTINATION_OUTSIDE) },
	{ "the unspecified address is outside", IN(INSTANCE_INGRESS), FROM(MINE), TO("::"), DNS, DROP(DESTINATION_OUTSIDE) },
	{ "a neighbour's source is forged", IN(INSTANCE_INGRESS), FROM(SIBLING), TO(REMOTE), DNS, DROP(SOURCE_FOREIGN) },
	{ "a source on another node is forged", IN(INSTANCE_INGRESS), FROM(REMOTE), TO(SIBLING), DNS, DROP(SOURCE_FOREIGN) },
	{ "the own instance word behind another host's is forged", IN(INSTANCE_INGRESS), FROM("fdaa:1234:5678:a002:2:abcd:ef01:2"),
	  TO(SIBLING), DNS, DROP(SOURCE_FOREIGN) },
	{ "the own words behind another prefix are forged", IN(INSTANCE_INGRESS), FROM("fdab:1234:5678:a001:1:abcd:ef01:2"), TO(REMOTE), DNS,
	  DROP(SOURCE_FOREIGN) },
	{ "a source in another network is forged", IN(INSTANCE_INGRESS), FROM(FOREIGN_HERE), TO(FOREIGN_THERE), DNS, DROP(SOURCE_FOREIGN) },
	{ "a source in mesh form is forged", IN(INSTANCE_INGRESS), FROM(MINE_MESH), TO(REMOTE), DNS, DROP(SOURCE_FOREIGN) },
	{ "fdaa::3 as source is forged", IN(INSTANCE_INGRESS), FROM(RESOLVER), TO(SIBLING), DNS, DROP(SOURCE_FOREIGN) },
	{ "a link-local source is foreign", IN(INSTANCE_INGRESS), FROM("fe80::2"), TO(REMOTE), DNS, DROP(SOURCE_FOREIGN) },
	{ "the unspecified source is foreign", IN(INSTANCE_INGRESS), FROM("::"), TO(REMOTE), DNS, DROP(SOURCE_FOREIGN) },
	{ "a public source is foreign", IN(INSTANCE_INGRESS), FROM("2001:db8::1"), TO(REMOTE), DNS, DROP(SOURCE_FOREIGN) },
	{ "a neighbour solicitation is not let in, whatever its source", IN(INSTANCE_INGRESS), FROM(MINE), TO("ff02::1:ff00:1"), .next = ICMP,
	  .payload = { 135 }, DROP(NEIGHBOUR_DISCOVERY) },
	{ "a neighbour advertisement is not let in", IN(INSTANCE_INGRESS), FROM(MINE), TO(GATEWAY), .next = ICMP, .payload = { 136 },
	  DROP(NEIGHBOUR_DISCOVERY) },
	{ "a router solicitation is not let in", IN(INSTANCE_INGRESS), FROM("fe80::2"), TO("ff02::2"), .next = ICMP, .payload = { 133 },
	  DROP(NEIGHBOUR_DISCOVERY) },
	{ "a router advertisement does not reach the own network", IN(INSTANCE_INGRESS), FROM(MINE), TO(REMOTE), .next = ICMP,
	  .payload = { 134 }, DROP(NEIGHBOUR_DISCOVERY) },
	{ "a redirect does not reach the own network", IN(INSTANCE_INGRESS), FROM(MINE), TO(REMOTE), .next = ICMP, .payload = { 137 },
	  DROP(NEIGHBOUR_DISCOVERY) },
	{ "ICMPv6 type 132 is not discovery", IN(INSTANCE_INGRESS), FROM(MINE), TO(REMOTE), .next = ICMP, .payload = { 132 },
	  .mark_out = MARK },
	{ "ICMPv6 type 138 is not discovery", IN(INSTANCE_INGRESS), FROM(MINE), TO(REMOTE), .next = ICMP, .payload = { 138 },
	  .mark_out = MARK },
	{ "a routing header is dropped", IN(INSTANCE_INGRESS), FROM(MINE), TO(REMOTE), .next = ROUTING, DROP(ROUTING_HEADER) },
	{ "hop-by-hop options are dropped", IN(INSTANCE_INGRESS), FROM(MINE), TO(REMOTE), .next = HBH, DROP(HOP_BY_HOP) },
	{ "a routing header to fdaa::3 is dropped", IN(INSTANCE_INGRESS), FROM(MINE), TO(RESOLVER), .next = ROUTING, DROP(ROUTING_HEADER) },
	{ "ARP is dropped", IN(INSTANCE_INGRESS), FROM(MINE), TO(REMOTE), DNS, .ethertype = 0x0806, DROP(NOT_IPV6) },
	{ "IPv4 is dropped", IN(INSTANCE_INGRESS), FROM(MINE), TO(REMOTE), DNS, .ethertype = 0x0800, .version = 0x45, DROP(NOT_IPV6) },
	{ "an IPv4 ethertype before an IPv6 header is dropped", IN(INSTANCE_INGRESS), FROM(MINE), TO(REMOTE), DNS, .ethertype = 0x0800,
	  DROP(NOT_IPV6) },
	{ "an IPv6 ethertype before another version is dropped", IN(INSTANCE_INGRESS), FROM(MINE), TO(REMOTE), DNS, .version = 0x45,
	  DROP(NOT_IPV6) },
	{ "a VLAN tag is dropped", IN(INSTANCE_INGRESS), FROM(MINE), TO(REMOTE), DNS, .ethertype = 0x8100, DROP(VLAN_TAGGED) },
	{ "a provider VLAN tag is dropped", IN(INSTANCE_INGRESS), FROM(MINE), TO(REMOTE), DNS, .ethertype = 0x88a8, DROP(VLAN_TAGGED) },
	{ "a bare Ethernet header is dropped", IN(INSTANCE_INGRESS), FROM(MINE), TO(REMOTE), DNS, .ethertype = 0x1234, .len = 14,
	  DROP(NOT_IPV6) },

	/* ---- instance_egress ---- */
	{ "an instance gets packets of its network", IN(INSTANCE_EGRESS), FROM(REMOTE), TO(MINE), DNS },
	{ "an instance gets packets for all of its /112", IN(INSTANCE_EGRESS), FROM(REMOTE), TO(MINE_OTHER_LOW), DNS },
	{ "an instance gets packets of a peer", IN(INSTANCE_EGRESS), FROM(PEER_THERE), TO(MINE), DNS },
	{ "an instance gets answers of fdaa::3", IN(INSTANCE_EGRESS), FROM(RESOLVER), TO(MINE), DNS },
	{ "an instance gets answers of its network's ::3", IN(INSTANCE_EGRESS), FROM(NET_RESOLVER), TO(MINE), DNS },
	{ "an instance gets Packet Too Big from the gateway address", IN(INSTANCE_EGRESS), FROM(GATEWAY), TO(MINE), .next = ICMP,
	  .payload = { 2 } },
	{ "an instance gets Destination Unreachable from the gateway address", IN(INSTANCE_EGRESS), FROM(GATEWAY), TO(MINE), .next = ICMP,
	  .payload = { 1 } },
	{ "an instance gets Parameter Problem from the gateway address", IN(INSTANCE_EGRESS), FROM(GATEWAY), TO(MINE), .next = ICMP,
	  .payload = { 4 } },
	{ "echo from the gateway address is dropped", IN(INSTANCE_EGRESS), FROM(GATEWAY), TO(MINE), ECHO, DROP(GATEWAY_TYPE) },
	{ "ICMPv6 type 0 from the gateway address is dropped", IN(INSTANCE_EGRESS), FROM(GATEWAY), TO(MINE), .next = ICMP,
	  .payload = { 0 }, DROP(GATEWAY_TYPE) },
	{ "ICMPv6 type 5 from the gateway address is dropped", IN(INSTANCE_EGRESS), FROM(GATEWAY), TO(MINE), .next = ICMP,
	  .payload = { 5 }, DROP(GATEWAY_TYPE) },
	{ "a router advertisement from the gateway address is dropped", IN(INSTANCE_EGRESS), FROM(GATEWAY), TO(MINE), .next = ICMP,
	  .payload = { 134 }, DROP(GATEWAY_TYPE) },
	{ "UDP from the gateway address is dropped", IN(INSTANCE_EGRESS), FROM(GATEWAY), TO(MINE), DNS, DROP(GATEWAY_TYPE) },
	{ "an error of the gateway without a type is dropped", IN(INSTANCE_EGRESS), FROM(GATEWAY), TO(MINE), .next = ICMP,
	  .no_payload = true, DROP(TOO_SHORT) },
	{ "another link-local source is dropped", IN(INSTANCE_EGRESS), FROM("fe80::2"), TO(MINE), .next = ICMP, .payload = { 2 },
	  DROP(SOURCE_NETWORK) },
	{ "a source of another network does not get in", IN(INSTANCE_EGRESS), FROM(FOREIGN_THERE), TO(MINE), DNS, DROP(SOURCE_NETWORK) },
	{ "::3 of another network does not get in", IN(INSTANCE_EGRESS), FROM(FOREIGN_RESOLVER), TO(MINE), DNS, DROP(SOURCE_HOST) },
	{ "a source in mesh form does not get in", IN(INSTANCE_EGRESS), FROM(REMOTE_MESH), TO(MINE), DNS, DROP(SOURCE_NETWORK) },
	{ "another service word does not get in", IN(INSTANCE_EGRESS), FROM(FLYCAST), TO(MINE), DNS, DROP(SOURCE_HOST) },
	{ "a source next to fdaa::3 does not get in", IN(INSTANCE_EGRESS), FROM("fdaa::4"), TO(MINE), DNS, DROP(SOURCE_NETWORK) },
	{ "a public source does not get in", IN(INSTANCE_EGRESS), FROM("2001:db8::1"), TO(MINE), DNS, DROP(SOURCE_NETWORK) },
	{ "a packet for the neighbour is dropped", IN(INSTANCE_EGRESS), FROM(REMOTE), TO(SIBLING), DNS, DROP(DESTINATION_FOREIGN) },
	{ "a packet for the own instance word behind another host's is dropped", IN(INSTANCE_EGRESS), FROM(REMOTE),
	  TO("fdaa:1234:5678:a002:2:abcd:ef01:2"), DNS, DROP(DESTINATION_FOREIGN) },
	{ "a packet for the own words behind another prefix is dropped", IN(INSTANCE_EGRESS), FROM(REMOTE),
	  TO("fdab:1234:5678:a001:1:abcd:ef01:2"), DNS, DROP(DESTINATION_FOREIGN) },
	{ "a packet for another network is dropped", IN(INSTANCE_EGRESS), FROM(FOREIGN_THERE), TO(FOREIGN_HERE), DNS,
	  DROP(DESTINATION_FOREIGN) },
	{ "multicast is not delivered", IN(INSTANCE_EGRESS), FROM(GATEWAY), TO("ff02::1"), .next = ICMP, .payload = { 134 },
	  DROP(DESTINATION_FOREIGN) },
	{ "IPv4 is not delivered", IN(INSTANCE_EGRESS), FROM(REMOTE), TO(MINE), DNS, .ethertype = 0x0800, .version = 0x45, DROP(NOT_IPV6) },
	{ "a VLAN tag is not delivered", IN(INSTANCE_EGRESS), FROM(REMOTE), TO(MINE), DNS, .ethertype = 0x8100, DROP(VLAN_TAGGED) },

	/* ---- mesh_egress ---- */
	{ "both addresses are swapped on the way out", IN(MESH_EGRESS), FROM(MINE), TO(REMOTE), DNS, .mark = MARK,
	  .source_out = MINE_MESH, .destination_out = REMOTE_MESH },
	{ "other bits of the mark do not matter", IN(MESH_EGRESS), FROM(MINE), TO(REMOTE), DNS, .mark = OTHER_BITS | MARK,
	  .source_out = MINE_MESH, .destination_out = REMOTE_MESH },
	{ "an address that moved here may send", IN(MESH_EGRESS), FROM(MOVED_HERE), TO(REMOTE), DNS, .mark = MARK,
	  .source_out = MOVED_HERE_MESH, .destination_out = REMOTE_MESH },
	{ "an address that moved away may be sent to", IN(MESH_EGRESS), FROM(MINE), TO(MOVED_AWAY), DNS, .mark = MARK,
	  .source_out = MINE_MESH, .destination_out = MOVED_AWAY_MESH },
	{ "a peer that moved here may send from all of its /120", IN(MESH_EGRESS), FROM("fdaa:1234:5678:a003:3:0:b:3ff"), TO(REMOTE), DNS,
	  .mark = MARK, .source_out = "fdaa:a003:3:1234:5678:0:b:3ff", .destination_out = REMOTE_MESH },
	{ "the next peer of the same /112 has not moved with it", IN(MESH_EGRESS), FROM(PEER_NOT_MOVED), TO(REMOTE), DNS, .mark = MARK,
	  DROP(SOURCE_NOT_LOCAL) },
	{ "a packet without the mark stays here", IN(MESH_EGRESS), FROM(MINE), TO(REMOTE), DNS, DROP(MARK_MISSING) },
	{ "a packet with another mark stays here", IN(MESH_EGRESS), FROM(MINE), TO(REMOTE), DNS, .mark = 0x6a, DROP(MARK_MISSING) },
	{ "a mark in other bits is no mark", IN(MESH_EGRESS), FROM(MINE), TO(REMOTE), DNS, .mark = 0x6b00, DROP(MARK_MISSING) },
	{ "a packet to another network stays here", IN(MESH_EGRESS), FROM(MINE), TO(FOREIGN_THERE), DNS, .mark = MARK,
	  DROP(DESTINATION_NETWORK) },
	{ "another node's source stays here", IN(MESH_EGRESS), FROM(REMOTE), TO(PEER_THERE), DNS, .mark = MARK, DROP(SOURCE_NOT_LOCAL) },
	{ "a packet to a missing instance of this node does not circle", IN(MESH_EGRESS), FROM(MINE), TO(SIBLING), DNS, .mark = MARK,
	  DROP(DESTINATION_GONE) },
	{ "fdaa::3 does not send over the mesh", IN(MESH_EGRESS), FROM(RESOLVER), TO(REMOTE), DNS, .mark = MARK, DROP(SOURCE_NETWORK) },
	{ "a service word does not send over the mesh", IN(MESH_EGRESS), FROM(NET_RESOLVER), TO(REMOTE), DNS, .mark = MARK,
	  DROP(SOURCE_HOST) },
	{ "a service word is not sent to over the mesh", IN(MESH_EGRESS), FROM(MINE), TO(NET_RESOLVER), DNS, .mark = MARK,
	  DROP(DESTINATION_HOST) },
	{ "flycast is not sent to over the mesh", IN(MESH_EGRESS), FROM(MINE), TO(FLYCAST), DNS, .mark = MARK, DROP(DESTINATION_HOST) },
	{ "mesh form is not swapped back by mistake", IN(MESH_EGRESS), FROM(MINE_MESH), TO(REMOTE_MESH), DNS, .mark = MARK,
	  DROP(SOURCE_NETWORK) },
	{ "a network word that is a node's is no network", IN(MESH_EGRESS), FROM("fdaa:a00f:f:a001:1:abcd:ef01:2"),
	  TO("fdaa:a00f:f:a002:2:1111:2222:2"), DNS, .mark = MARK, DROP(SOURCE_NETWORK) },
	{ "a network word below the first is no network", IN(MESH_EGRESS), FROM("fdaa:0:ffff:a001:1:abcd:ef01:2"),
	  TO("fdaa:0:ffff:a002:2:1111:2222:2"), DNS, .mark = MARK, DROP(SOURCE_NETWORK) },
	{ "a link-local source stays here", IN(MESH_EGRESS), FROM(GATEWAY), TO(REMOTE), .next = ICMP, .payload = { 1 }, .mark = MARK,
	  DROP(SOURCE_NETWORK) },
	{ "multicast stays here", IN(MESH_EGRESS), FROM(MINE), TO("ff02::1"), DNS, .mark = MARK, DROP(DESTINATION_OUTSIDE) },
	{ "IPv4 stays here", IN(MESH_EGRESS), FROM(MINE), TO(REMOTE), DNS, .version = 0x45, .mark = MARK, DROP(NOT_IPV6) },
	{ "a header cut short stays here", IN(MESH_EGRESS), FROM(MINE), TO(REMOTE), DNS, .len = 39, .mark = MARK, DROP(TOO_SHORT) },
	{ "twenty bytes stay here", IN(MESH_EGRESS), FROM(MINE), TO(REMOTE), DNS, .len = 20, .mark = MARK, DROP(TOO_SHORT) },

	/* ---- mesh_ingress ---- */
	{ "both addresses are swapped back on the way in", IN(MESH_INGRESS), FROM(REMOTE_MESH), TO(MINE_MESH), DNS, .source_out = REMOTE,
	  .destination_out = MINE, .mark_out = MARK },
	{ "the mark is set beside other bits", IN(MESH_INGRESS), FROM(REMOTE_MESH), TO(MINE_MESH), DNS, .source_out = REMOTE,
	  .destination_out = MINE, .mark = OTHER_BITS, .mark_out = OTHER_BITS | MARK },
	{ "a packet for an address that moved here comes in", IN(MESH_INGRESS), FROM(REMOTE_MESH), TO(MOVED_HERE_MESH), DNS,
	  .source_out = REMOTE, .destination_out = MOVED_HERE, .mark_out = MARK },
	{ "an address that moved away comes in", IN(MESH_INGRESS), FROM(MOVED_AWAY_MESH), TO(MINE_MESH), DNS, .source_out = MOVED_AWAY,
	  .destination_out = MINE, .mark_out = MARK },
	{ "an address that moved between two others comes in", IN(MESH_INGRESS), FROM("fdaa:a004:4:1234:5678:5555:7777:2"), TO(MINE_MESH), DNS,
	  .source_out = MOVED_BETWEEN, .destination_out = MINE, .mark_out = MARK },
	{ "its home may not speak for that", IN(MESH_INGRESS), FROM("fdaa:a004:4:1234:5678:5555:7778:2"), TO(MINE_MESH), DNS,
	  DROP(PRESENCE_MISSING) },
	{ "a fragment comes in", IN(MESH_INGRESS), FROM(REMOTE_MESH), TO(MINE_MESH), .next = FRAGMENT, .source_out = REMOTE,
	  .destination_out = MINE, .mark_out = MARK },
	{ "a host speaks in no network where nothing of it was placed", IN(MESH_INGRESS), FROM(FOREIGN_THERE_MESH), TO(FOREIGN_HERE_MESH),
	  DNS, DROP(PRESENCE_MISSING) },
	{ "presence is per host", IN(MESH_INGRESS), FROM("fdaa:a004:4:1234:5678:1111:2222:2"), TO(MINE_MESH), DNS, DROP(PRESENCE_MISSING) },
	{ "a packet from one network into another is dropped", IN(MESH_INGRESS), FROM(REMOTE_MESH), TO(FOREIGN_HERE_MESH), DNS,
	  DROP(DESTINATION_NETWORK) },
	{ "a packet for another node is not carried on", IN(MESH_INGRESS), FROM(REMOTE_MESH), TO("fdaa:a003:3:1234:5678:1111:2222:2"), DNS,
	  DROP(DESTINATION_NOT_LOCAL) },
	{ "nobody on the mesh speaks for this node", IN(MESH_INGRESS), FROM("fdaa:a001:1:1234:5678:abcd:ef02:2"), TO(MINE_MESH), DNS,
	  DROP(SOURCE_IS_SELF) },
	{ "an address that moved here is not played by its home", IN(MESH_INGRESS), FROM(MOVED_HERE_MESH), TO(MINE_MESH), DNS,
	  DROP(SOURCE_IS_SELF) },
	{ "a peer that moved here is not played by its home", IN(MESH_INGRESS), FROM("fdaa:a003:3:1234:5678:0:b:302"), TO(MINE_MESH), DNS,
	  DROP(SOURCE_IS_SELF) },
	{ "the next peer of the same home speaks from there", IN(MESH_INGRESS), FROM("fdaa:a003:3:1234:5678:0:b:402"), TO(MINE_MESH), DNS,
	  .source_out = PEER_NOT_MOVED, .destination_out = MINE, .mark_out = MARK },
	{ "natural form does not come in", IN(MESH_INGRESS), FROM(REMOTE), TO(MINE), DNS, DROP(SOURCE_NETWORK) },
	{ "a network word that is a node's does not come in", IN(MESH_INGRESS), FROM("fdaa:a002:2:a00f:f:1111:2222:2"),
	  TO("fdaa:a001:1:a00f:f:abcd:ef01:2"), DNS, DROP(SOURCE_NETWORK) },
	{ "network 0 does not come in", IN(MESH_INGRESS), FROM("fdaa:a002:2:0:0:1111:2222:2"), TO("fdaa:a001:1:0:0:abcd:ef01:2"), DNS,
	  DROP(SOURCE_NETWORK) },
	{ "fdaa::3 does not come in", IN(MESH_INGRESS), FROM(RESOLVER), TO(MINE_MESH), DNS, DROP(SOURCE_NETWORK) },
	{ "a service word does not come in", IN(MESH_INGRESS), FROM("fdaa:0:0:1234:5678::3"), TO(MINE_MESH), DNS, DROP(SOURCE_HOST) },
	{ "fdaa::3 is not reached over the mesh", IN(MESH_INGRESS), FROM(REMOTE_MESH), TO(RESOLVER), DNS, DROP(DESTINATION_NETWORK) },
	{ "a service word is not reached over the mesh", IN(MESH_INGRESS), FROM(REMOTE_MESH), TO("fdaa:0:0:1234:5678::3"), DNS,
	  DROP(DESTINATION_HOST) },
	{ "a public destination is not reached over the mesh", IN(MESH_INGRESS), FROM(REMOTE_MESH), TO("2001:db8::1"), DNS,
	  DROP(DESTINATION_OUTSIDE) },
	{ "a public source does not come in over the mesh", IN(MESH_INGRESS), FROM("2001:db8::1"), TO(MINE_MESH), DNS, DROP(SOURCE_NETWORK) },
	{ "IPv4 does not come in over the mesh", IN(MESH_INGRESS), FROM(REMOTE_MESH), TO(MINE_MESH), DNS, .version = 0x45, DROP(NOT_IPV6) },
	{ "a header cut short does not come in over the mesh", IN(MESH_INGRESS), FROM(REMOTE_MESH), TO(MINE_MESH), DNS, .len = 39,
	  DROP(TOO_SHORT) },

	/* ---- peer_ingress ---- */
	{ "a peer reaches its network", IN(PEER_INGRESS), FROM(PEER), TO(REMOTE), DNS, .mark_out = MARK },
	{ "a peer may send from the first address of its /120", IN(PEER_INGRESS), FROM(PEER_NETWORK_ADDRESS), TO(MINE), DNS, .mark_out = MARK },
	{ "a peer that moved here may send", IN(PEER_INGRESS), FROM(PEER_MOVED_HERE), TO(REMOTE), DNS, .mark_out = MARK },
	{ "the mark of a peer's packet leaves other bits alone", IN(PEER_INGRESS), FROM(PEER), TO(REMOTE), DNS, .mark = OTHER_BITS,
	  .mark_out = OTHER_BITS | MARK },
	{ "a peer asks ::3 of its network", IN(PEER_INGRESS), FROM(PEER), TO(NET_RESOLVER), DNS, .mark_out = MARK },
	{ "a peer pings ::3 of its network", IN(PEER_INGRESS), FROM(PEER), TO(NET_RESOLVER), ECHO, .mark_out = MARK },
	{ "a peer's fragment passes inside the network", IN(PEER_INGRESS), FROM(PEER), TO(REMOTE), .next = FRAGMENT, .mark_out = MARK },
	{ "a peer cannot ask ::3 of another network", IN(PEER_INGRESS), FROM(PEER), TO(FOREIGN_RESOLVER), DNS, DROP(DESTINATION_NETWORK) },
	{ "fdaa::3 is for instances", IN(PEER_INGRESS), FROM(PEER), TO(RESOLVER), DNS, DROP(DESTINATION_NETWORK) },
	{ "another port of ::3 is closed to a peer", IN(PEER_INGRESS), FROM(PEER), TO(NET_RESOLVER), .next = TCP, .payload = { 0, 53, 0, 22 },
	  DROP(SERVICE_PORT) },
	{ "a peer's fragment to ::3 is dropped", IN(PEER_INGRESS), FROM(PEER), TO(NET_RESOLVER), .next = FRAGMENT, DROP(SERVICE_HEADER) },
	{ "a peer cannot reach another network", IN(PEER_INGRESS), FROM(PEER), TO(FOREIGN_THERE), DNS, DROP(DESTINATION_NETWORK) },
	{ "a peer cannot use mesh form", IN(PEER_INGRESS), FROM(PEER), TO(REMOTE_MESH), DNS, DROP(DESTINATION_NETWORK) },
	{ "a peer cannot reach flycast yet", IN(PEER_INGRESS), FROM(PEER), TO(FLYCAST), DNS, DROP(DESTINATION_HOST) },
	{ "a peer cannot reach the internet", IN(PEER_INGRESS), FROM(PEER), TO("2001:db8::1"), DNS, DROP(DESTINATION_OUTSIDE) },
	{ "a peer of another gateway is not at this one", IN(PEER_INGRESS), FROM(PEER_THERE), TO(REMOTE), DNS, DROP(SOURCE_NOT_LOCAL) },
	{ "a peer with a source in mesh form is dropped", IN(PEER_INGRESS), FROM("fdaa:a001:1:1234:5678:0:a:102"), TO(REMOTE), DNS,
	  DROP(SOURCE_NETWORK) },
	{ "a peer with a service word as source is dropped", IN(PEER_INGRESS), FROM(NET_RESOLVER), TO(REMOTE), DNS, DROP(SOURCE_HOST) },
	{ "a peer with a public source is dropped", IN(PEER_INGRESS), FROM("2001:db8::1"), TO(REMOTE), DNS, DROP(SOURCE_NETWORK) },
	{ "a peer's routing header is dropped", IN(PEER_INGRESS), FROM(PEER), TO(REMOTE), .next = ROUTING, DROP(ROUTING_HEADER) },
	{ "a peer's hop-by-hop options are dropped", IN(PEER_INGRESS), FROM(PEER), TO(REMOTE), .next = HBH, DROP(HOP_BY_HOP) },
	{ "a peer's IPv4 is dropped", IN(PEER_INGRESS), FROM(PEER), TO(REMOTE), DNS, .version = 0x45, DROP(NOT_IPV6) },
	{ "a peer's cut header is dropped", IN(PEER_INGRESS), FROM(PEER), TO(REMOTE), DNS, .len = 39, DROP(TOO_SHORT) },
	{ "a peer's UDP to ::3 without ports is dropped", IN(PEER_INGRESS), FROM(PEER), TO(NET_RESOLVER), DNS, .len = 42, DROP(TOO_SHORT) },

	/* ---- peer_egress ---- */
	{ "a peer gets packets of its network", IN(PEER_EGRESS), FROM(REMOTE), TO(PEER), DNS },
	{ "a peer gets answers of its network's ::3", IN(PEER_EGRESS), FROM(NET_RESOLVER), TO(PEER), DNS },
	{ "a peer that moved here gets packets", IN(PEER_EGRESS), FROM(REMOTE), TO(PEER_MOVED_HERE), DNS },
	{ "a peer gets nothing of another network", IN(PEER_EGRESS), FROM(FOREIGN_THERE), TO(PEER), DNS, DROP(DESTINATION_NETWORK) },
	{ "a peer gets nothing of another network's ::3", IN(PEER_EGRESS), FROM(FOREIGN_RESOLVER), TO(PEER), DNS, DROP(SOURCE_HOST) },
	{ "a peer gets nothing of fdaa::3", IN(PEER_EGRESS), FROM(RESOLVER), TO(PEER), DNS, DROP(SOURCE_NETWORK) },
	{ "a peer gets nothing in mesh form", IN(PEER_EGRESS), FROM(REMOTE_MESH), TO(PEER), DNS, DROP(SOURCE_NETWORK) },
	{ "a peer gets nothing from outside", IN(PEER_EGRESS), FROM("2001:db8::1"), TO(PEER), DNS, DROP(SOURCE_NETWORK) },
	{ "a peer of another gateway is not served here", IN(PEER_EGRESS), FROM(REMOTE), TO(PEER_THERE), DNS, DROP(DESTINATION_NOT_LOCAL) },
	{ "a service word is no peer", IN(PEER_EGRESS), FROM(REMOTE), TO(NET_RESOLVER), DNS, DROP(DESTINATION_HOST) },
	{ "nothing in no network goes to a peer", IN(PEER_EGRESS), FROM("fdaa:0:9::3"), TO("fdaa:0:9:a001:1:0:a:102"), DNS,
	  DROP(DESTINATION_NETWORK) },
	{ "Packet Too Big of this machine goes to a peer from its network's ::3", IN(PEER_EGRESS), FROM(RESOLVER), TO(PEER), ERROR(2),
	  .mark = MARK, .source_out = NET_RESOLVER, .destination_out = PEER, .checksum_out = 0xa864 },
	{ "so does Destination Unreachable, to a peer that moved here", IN(PEER_EGRESS), FROM(RESOLVER), TO(PEER_MOVED_HERE), ERROR(1),
	  .mark = OTHER_BITS | MARK, .source_out = NET_RESOLVER, .destination_out = PEER_MOVED_HERE, .checksum_out = 0xa864 },
	{ "so does Parameter Problem", IN(PEER_EGRESS), FROM(RESOLVER), TO(PEER), ERROR(4), .mark = MARK, .source_out = NET_RESOLVER,
	  .destination_out = PEER, .checksum_out = 0xa864 },
	{ "an error from fdaa::3 without the mark does not", IN(PEER_EGRESS), FROM(RESOLVER), TO(PEER), ERROR(2), .mark = OTHER_BITS,
	  DROP(SOURCE_NETWORK) },
	{ "nor one that came in from elsewhere", IN(PEER_EGRESS), FROM(RESOLVER), TO(PEER), ERROR(2), .mark = MARK, .came_in = true,
	  DROP(SOURCE_NETWORK) },
	{ "nor what is no error", IN(PEER_EGRESS), FROM(RESOLVER), TO(PEER), ERROR(5), .mark = MARK, DROP(SOURCE_NETWORK) },
	{ "nor type 0", IN(PEER_EGRESS), FROM(RESOLVER), TO(PEER), ERROR(0), .mark = MARK, DROP(SOURCE_NETWORK) },
	{ "nor an echo reply", IN(PEER_EGRESS), FROM(RESOLVER), TO(PEER), ERROR(129), .mark = MARK, DROP(SOURCE_NETWORK) },
	{ "nor another protocol with such a first byte", IN(PEER_EGRESS), FROM(RESOLVER), TO(PEER), .next = UDP, .payload = { 2 },
	  .mark = MARK, DROP(SOURCE_NETWORK) },
	{ "nor an error that ends before its checksum", IN(PEER_EGRESS), FROM(RESOLVER), TO(PEER), ERROR(2), .mark = MARK, .len = 43,
	  DROP(SOURCE_NETWORK) },
	{ "nor one from an address next to fdaa::3", IN(PEER_EGRESS), FROM("fdaa::4"), TO(PEER), ERROR(2), .mark = MARK,
	  DROP(SOURCE_NETWORK) },
	{ "nor one from another network's ::3", IN(PEER_EGRESS), FROM(FOREIGN_RESOLVER), TO(PEER), ERROR(2), .mark = MARK,
	  DROP(SOURCE_HOST) },
	{ "nor one from another network", IN(PEER_EGRESS), FROM(FOREIGN_THERE), TO(PEER), ERROR(2), .mark = MARK,
	  DROP(DESTINATION_NETWORK) },
	{ "an error of this machine to a peer of another gateway is dropped", IN(PEER_EGRESS), FROM(RESOLVER), TO(PEER_THERE), ERROR(2),
	  .mark = MARK, DROP(DESTINATION_NOT_LOCAL) },
	{ "an error of this machine to an address in no network is dropped", IN(PEER_EGRESS), FROM(RESOLVER), TO("fdaa:0:9:a001:1:0:a:102"),
	  ERROR(2), .mark = MARK, DROP(DESTINATION_NETWORK) },
	{ "an error of this machine to a service word is dropped", IN(PEER_EGRESS), FROM(RESOLVER), TO(NET_RESOLVER), ERROR(2), .mark = MARK,
	  DROP(DESTINATION_HOST) },
	{ "an error of this machine to the outside is dropped", IN(PEER_EGRESS), FROM(RESOLVER), TO("2001:db8::1"), ERROR(2), .mark = MARK,
	  DROP(DESTINATION_OUTSIDE) },
	{ "an error that came in goes to an instance no more than before", IN(MESH_EGRESS), FROM(RESOLVER), TO(REMOTE), ERROR(2),
	  .mark = MARK, DROP(SOURCE_NETWORK) },
	{ "multicast does not go to a peer", IN(PEER_EGRESS), FROM(REMOTE), TO("ff02::1"), DNS, DROP(DESTINATION_OUTSIDE) },
	{ "IPv4 does not go to a peer", IN(PEER_EGRESS), FROM(REMOTE), TO(PEER), DNS, .version = 0x45, DROP(NOT_IPV6) },
	{ "a cut header does not go to a peer", IN(PEER_EGRESS), FROM(REMOTE), TO(PEER), DNS, .len = 39, DROP(TOO_SHORT) },

	/* ---- underlay_ingress ---- */
	{ "ordinary IPv6 comes in", IN(UNDERLAY_INGRESS), FROM("2001:db8::1"), TO("2001:db8::2"), DNS },
	{ "link-local IPv6 comes in", IN(UNDERLAY_INGRESS), FROM("fe80::9"), TO("ff02::1"), .next = ICMP, .payload = { 134 } },
	{ "IPv4 comes in", IN(UNDERLAY_INGRESS), FROM("2001:db8::1"), TO("2001:db8::2"), DNS, .ethertype = 0x0800, .version = 0x45 },
	{ "ARP comes in", IN(UNDERLAY_INGRESS), FROM("2001:db8::1"), TO("2001:db8::2"), DNS, .ethertype = 0x0806 },
	{ "another ULA prefix comes in", IN(UNDERLAY_INGRESS), FROM("fdab::1"), TO("fdab::2"), DNS },
	{ "tagged ordinary IPv6 comes in", IN(UNDERLAY_INGRESS), FROM("2001:db8::1"), TO("2001:db8::2"), DNS, .vlan_tags = 1 },
	{ "a 6PN source from outside is dropped", IN(UNDERLAY_INGRESS), FROM(REMOTE), TO("2001:db8::2"), DNS, DROP(SIXPN_FROM_OUTSIDE) },
	{ "a 6PN destination from outside is dropped", IN(UNDERLAY_INGRESS), FROM("2001:db8::1"), TO(MINE), DNS, DROP(SIXPN_FROM_OUTSIDE) },
	{ "fdaa::3 from outside is dropped", IN(UNDERLAY_INGRESS), FROM("fe80::9"), TO(RESOLVER), DNS, DROP(SIXPN_FROM_OUTSIDE) },
	{ "mesh form from outside is dropped", IN(UNDERLAY_INGRESS), FROM(REMOTE_MESH), TO(MINE_MESH), DNS, DROP(SIXPN_FROM_OUTSIDE) },
	{ "6PN behind a VLAN tag is dropped", IN(UNDERLAY_INGRESS), FROM(REMOTE), TO(MINE), DNS, .vlan_tags = 1, DROP(SIXPN_FROM_OUTSIDE) },
	{ "6PN behind two VLAN tags is dropped", IN(UNDERLAY_INGRESS), FROM(REMOTE), TO(MINE), DNS, .vlan_tags = 2, DROP(SIXPN_FROM_OUTSIDE) },
	{ "ordinary IPv6 comes in without Ethernet", IN(UNDERLAY_INGRESS), FROM("2001:db8::1"), TO("2001:db8::2"), DNS, .bare = true },
	{ "short IPv4 comes in without Ethernet", IN(UNDERLAY_INGRESS), FROM(REMOTE), TO(MINE), DNS, .bare = true, .version = 0x45, .len = 28 },
	{ "6PN without Ethernet is dropped", IN(UNDERLAY_INGRESS), FROM(REMOTE), TO(MINE), DNS, .bare = true, DROP(SIXPN_FROM_OUTSIDE) },
	{ "a cut header without Ethernet is dropped", IN(UNDERLAY_INGRESS), FROM(REMOTE), TO(MINE), DNS, .bare = true, .len = 39,
	  DROP(TOO_SHORT) },
};

static struct harness harness;

static unsigned row_l2_len(const struct row *row)
{
	return row->bare ? 0 : harness_l2_len(row->hook);
}

static size_t build(const struct row *row, uint8_t packet[HARNESS_PACKET_MAX])
{
	unsigned l2_len = row_l2_len(row);
	size_t len = harness_packet(l2_len, row->source, row->destination, row->next, row->payload,
				    row->no_payload ? 0 : sizeof(row->payload), packet);

	if (row->version)
		packet[l2_len] = row->version;
	if (row->ethertype)
		put_u16(packet + 12, row->ethertype);
	for (unsigned i = 0; i < row->vlan_tags; i++) {
		memmove(packet + 16, packet + 12, len - 12);
		put_u16(packet + 12, 0x8100);
		put_u16(packet + 14, 7);
		len += 4;
	}
	return row->len ? row->len : len;
}

/* What must come out: the same packet, with the addresses that the row names. */
static void expect_packet(const struct row *row, const uint8_t *packet, size_t len, const struct harness_result *result)
{
	uint8_t expected[HARNESS_PACKET_MAX], addresses[HARNESS_PACKET_MAX];
	unsigned l2_len = row_l2_len(row);

	memcpy(expected, packet, len);
	if (row->source_out) {
		harness_packet(l2_len, row->source_out, row->destination_out, 0, NULL, 0, addresses);
		memcpy(expected + l2_len + 8, addresses + l2_len + 8, 32);
	}
	if (row->checksum_out)
		put_u16(expected + l2_len + 42, row->checksum_out);
	assert_int_equal(result->len, len);
	assert_memory_equal(result->packet, expected, len);
}

static void run_row(void **state)
{
	const struct row *row = *state;
	uint8_t packet[HARNESS_PACKET_MAX];
	size_t len = build(row, packet);
	struct harness_result result = { 0 };

	harness.came_in_by = row->came_in ? HARNESS_IFINDEX : 0;
	assert_int_equal(harness_run_counted(&harness, row->hook, row_l2_len(row), packet, len, row->mark, &result), 0);
	harness.came_in_by = 0;
	if (result.reason != row->reason)
		fail_msg("counted %s", result.reason ? bpf_reason_name(result.reason) : "nothing");
	assert_int_equal(result.verdict, row->reason ? HARNESS_DROP : HARNESS_PASS);
	assert_int_equal(result.mark, row->reason || !row->mark_out ? row->mark : row->mark_out);
	expect_packet(row, packet, len, &result);
	if (row->reason)
		assert_true(bpf_reason_hooks(row->reason) & 1u << row->hook);
}

static struct sixpn_device mine(void)
{
	struct sixpn_device d = { .network = NETWORK, .host = SELF, .instance = 0xabcdef01 };
	static const uint8_t gateway[16] = { 0xfe, 0x80, [15] = 1 };

	d.address[0] = 0xfd;
	d.address[1] = 0xaa;
	put_u32(d.address + 2, d.network);
	put_u32(d.address + 6, d.host);
	put_u32(d.address + 10, d.instance);
	d.address[15] = 2;
	memcpy(d.gateway, gateway, sizeof(gateway));
	return d;
}

static void address_of(const char *text, uint8_t ret_address[16])
{
	uint8_t packet[HARNESS_PACKET_MAX];

	harness_packet(0, text, "::", 0, NULL, 0, packet);
	memcpy(ret_address, packet + 8, 16);
}

static int set_up(void **state)
{
	struct sixpn_device d = mine();
	uint8_t address[16];
	int err = harness_open(SELF, &harness);

	(void)state;
	if (err) {
		fprintf(stderr, "the programs cannot be loaded: %s\n", strerror(-err));
		return -1;
	}
	err = bpf_device_set(harness.dp, HARNESS_IFINDEX, &d);
	err = err ? err : bpf_presence_set(harness.dp, NETWORK, OTHER);
	err = err ? err : bpf_presence_set(harness.dp, NETWORK, SELF); /* as the planner does while something of ours lives elsewhere */
	err = err ? err : bpf_presence_set(harness.dp, NETWORK, THIRD); /* another, and the home of what moved here */
	err = err ? err : bpf_presence_set(harness.dp, FOREIGN, THIRD);
	address_of(MOVED_HERE, address);
	err = err ? err : bpf_moved_set(harness.dp, BPF_MOVED_HERE, address, SELF);
	address_of(PEER_MOVED_HERE, address);
	err = err ? err : bpf_moved_set(harness.dp, BPF_MOVED_HERE, address, SELF);
	address_of(MOVED_AWAY, address);
	err = err ? err : bpf_moved_set(harness.dp, BPF_MOVED_AWAY, address, OTHER);
	address_of(MOVED_BETWEEN, address);
	return err ? err : bpf_moved_set(harness.dp, BPF_MOVED_AWAY, address, OTHER);
}

static int tear_down(void **state)
{
	(void)state;
	harness_close(&harness);
	return 0;
}

static void run_packet(enum sixpn_hook hook, const char *source, const char *destination, struct harness_result *ret_result)
{
	static const uint8_t echo[8] = { 128 };
	uint8_t packet[HARNESS_PACKET_MAX];
	size_t len = harness_packet(harness_l2_len(hook), source, destination, ICMP, echo, sizeof(echo), packet);

	assert_int_equal(harness_run_counted(&harness, hook, harness_l2_len(hook), packet, len, 0, ret_result), 0);
}

static void a_device_without_an_entry_passes_nothing(void **state)
{
	struct sixpn_device d = mine();
	struct harness_result result;

	(void)state;
	assert_int_equal(bpf_device_remove(harness.dp, HARNESS_IFINDEX), 0);
	run_packet(SIXPN_HOOK_INSTANCE_INGRESS, MINE, REMOTE, &result);
	assert_int_equal(result.reason, SIXPN_REASON_DEVICE_UNKNOWN);
	assert_int_equal(result.verdict, HARNESS_DROP);
	run_packet(SIXPN_HOOK_INSTANCE_EGRESS, REMOTE, MINE, &result);
	assert_int_equal(result.reason, SIXPN_REASON_DEVICE_UNKNOWN);
	assert_int_equal(bpf_device_set(harness.dp, HARNESS_IFINDEX, &d), 0);
	run_packet(SIXPN_HOOK_INSTANCE_INGRESS, MINE, REMOTE, &result);
	assert_int_equal(result.verdict, HARNESS_PASS);
}

static void an_entry_of_an_unknown_layout_passes_nothing(void **state)
{
	struct sixpn_device d = mine(), other = mine();
	uint32_t ifindex = HARNESS_IFINDEX;
	struct harness_result result;

	(void)state;
	other.layout = SIXPN_LAYOUT + 1;
	assert_int_equal(bpf_map_update_elem(harness.dp->maps[BPF_MAP_SLOT_DEVICE], &ifindex, &other, BPF_ANY), 0);
	run_packet(SIXPN_HOOK_INSTANCE_INGRESS, MINE, REMOTE, &result);
	assert_int_equal(result.reason, SIXPN_REASON_DEVICE_LAYOUT);
	run_packet(SIXPN_HOOK_INSTANCE_EGRESS, REMOTE, MINE, &result);
	assert_int_equal(result.reason, SIXPN_REASON_DEVICE_LAYOUT);
	assert_int_equal(bpf_device_set(harness.dp, HARNESS_IFINDEX, &d), 0);
}

static void presence_that_is_taken_away_silences_the_host(void **state)
{
	struct harness_result result;

	(void)state;
	assert_int_equal(bpf_presence_remove(harness.dp, NETWORK, OTHER), 0);
	run_packet(SIXPN_HOOK_MESH_INGRESS, REMOTE_MESH, MINE_MESH, &result);
	assert_int_equal(result.reason, SIXPN_REASON_PRESENCE_MISSING);
	assert_int_equal(bpf_presence_set(harness.dp, NETWORK, OTHER), 0);
	run_packet(SIXPN_HOOK_MESH_INGRESS, REMOTE_MESH, MINE_MESH, &result);
	assert_int_equal(result.verdict, HARNESS_PASS);
}

static void an_address_that_moved_back_is_foreign_again(void **state)
{
	struct harness_result result;
	uint8_t address[16];

	(void)state;
	address_of(MOVED_HERE, address);
	assert_int_equal(bpf_moved_remove(harness.dp, BPF_MOVED_HERE, address), 0);
	run_packet(SIXPN_HOOK_MESH_INGRESS, REMOTE_MESH, MOVED_HERE_MESH, &result);
	assert_int_equal(result.reason, SIXPN_REASON_DESTINATION_NOT_LOCAL);
	assert_int_equal(bpf_moved_set(harness.dp, BPF_MOVED_HERE, address, SELF), 0);
	run_packet(SIXPN_HOOK_MESH_INGRESS, REMOTE_MESH, MOVED_HERE_MESH, &result);
	assert_int_equal(result.verdict, HARNESS_PASS);
}

static void a_device_entry_that_contradicts_itself_is_refused(void **state)
{
	struct sixpn_device d = mine();

	(void)state;
	d.network = FOREIGN;
	assert_int_equal(bpf_device_set(harness.dp, HARNESS_IFINDEX, &d), -EINVAL);
}

struct traffic_sum {
	uint64_t packets, bytes;
};

static int add_traffic(void *ctx, uint32_t network, enum sixpn_hook hook, struct bpf_count count)
{
	struct traffic_sum *sum = ctx;

	if (network == NETWORK && hook == SIXPN_HOOK_INSTANCE_EGRESS) {
		sum->packets += count.packets;
		sum->bytes += count.bytes;
	}
	return 0;
}

static void what_passes_is_counted_by_hook_and_by_network(void **state)
{
	struct bpf_counters before, after;
	struct traffic_sum first = { 0 }, second = { 0 };
	struct harness_result result;

	(void)state;
	assert_int_equal(bpf_counters_read(harness.dp, &before), 0);
	assert_int_equal(bpf_traffic_list(harness.dp, add_traffic, &first), 0);
	run_packet(SIXPN_HOOK_INSTANCE_EGRESS, REMOTE, MINE, &result);
	assert_int_equal(bpf_counters_read(harness.dp, &after), 0);
	assert_int_equal(bpf_traffic_list(harness.dp, add_traffic, &second), 0);
	assert_int_equal(after.passed[SIXPN_HOOK_INSTANCE_EGRESS].packets - before.passed[SIXPN_HOOK_INSTANCE_EGRESS].packets, 1);
	assert_int_equal(second.packets - first.packets, 1);
	assert_int_equal(second.bytes - first.bytes, 14 + 40 + 8);
	assert_int_equal(bpf_traffic_remove(harness.dp, NETWORK), 0);
	first = (struct traffic_sum){ 0 };
	assert_int_equal(bpf_traffic_list(harness.dp, add_traffic, &first), 0);
	assert_int_equal(first.packets, 0);
}

static void count_event(void *ctx, const struct sixpn_event *event)
{
	(void)event;
	++*(unsigned *)ctx;
}

static void a_flood_of_drops_is_counted_in_full_and_told_in_samples(void **state)
{
	const unsigned drops = 20000, allowed = SIXPN_SAMPLES_PER_SECOND * (unsigned)sysconf(_SC_NPROCESSORS_CONF);
	struct bpf_counters before, after;
	struct harness_result result;
	uint8_t packet[HARNESS_PACKET_MAX];
	size_t len = harness_packet(HARNESS_ETHERNET_LEN, MINE, FOREIGN_THERE, UDP, NULL, 0, packet);
	struct timespec start, end;
	unsigned events = 0;

	(void)state;
	assert_int_equal(bpf_events_take(harness.dp, UINT32_MAX, count_event, &events), 0);
	events = 0;
	assert_int_equal(bpf_counters_read(harness.dp, &before), 0);
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (unsigned i = 0; i < drops; i++)
		assert_int_equal(harness_run(&harness, SIXPN_HOOK_INSTANCE_INGRESS, HARNESS_ETHERNET_LEN, packet, len, 0, &result), 0);
	clock_gettime(CLOCK_MONOTONIC, &end);
	assert_int_equal(bpf_counters_read(harness.dp, &after), 0);
	assert_int_equal(after.dropped[SIXPN_REASON_DESTINATION_NETWORK].packets -
				 before.dropped[SIXPN_REASON_DESTINATION_NETWORK].packets, drops);
	assert_int_equal(bpf_events_take(harness.dp, UINT32_MAX, count_event, &events), 0);
	assert_true(events <= allowed * (unsigned)(end.tv_sec - start.tv_sec + 2));
	assert_true(events < drops);
}

/* ---- who asks too often: programs of their own, with a pace of one question a second, so that no time that passes here matters ---- */

static struct harness paced;

static void open_paced(void)
{
	struct bpf_config config = { .self_host = SELF, .questions_per_second = 1 };
	struct sixpn_device d = mine();

	assert_int_equal(bpf_datapath_open(NULL, &config, &paced.dp), 0);
	assert_int_equal(bpf_device_set(paced.dp, HARNESS_IFINDEX, &d), 0);
}

/* The reason, of one packet to port 53 (or an echo request). */
static unsigned ask(enum sixpn_hook hook, const char *source, const char *destination, uint8_t next)
{
	static const uint8_t dns[8] = { 0x30, 0x39, 0, 53 }, echo[8] = { 128 };
	unsigned l2_len = harness_l2_len(hook);
	struct harness_result result;
	uint8_t packet[HARNESS_PACKET_MAX];
	size_t len = harness_packet(l2_len, source, destination, next, next == ICMP ? echo : dns, 8, packet);

	assert_int_equal(harness_run_counted(&paced, hook, l2_len, packet, len, 0, &result), 0);
	return result.reason;
}

/* How many questions pass before the first is dropped. */
static unsigned ask_until_dropped(enum sixpn_hook hook, const char *source, const char *destination)
{
	unsigned n = 0, reason = 0;

	while (n < 3 * SIXPN_PACE_BURST && !(reason = ask(hook, source, destination, UDP)))
		n++;
	assert_int_equal(reason, SIXPN_REASON_SERVICE_PACE);
	return n;
}

/* A second may just be over, which is good for one question; two in a row are not. */
static void assert_paced(enum sixpn_hook hook, const char *source, const char *destination)
{
	if (ask(hook, source, destination, UDP) != SIXPN_REASON_SERVICE_PACE)
		assert_int_equal(ask(hook, source, destination, UDP), SIXPN_REASON_SERVICE_PACE);
}

static void who_asks_a_service_too_often_is_dropped_and_nobody_else(void **state)
{
	(void)state;
	open_paced();
	assert_in_range(ask_until_dropped(SIXPN_HOOK_INSTANCE_INGRESS, MINE, RESOLVER), SIXPN_PACE_BURST, SIXPN_PACE_BURST + 300);
	/* nor from another address of his, nor at the other address of the service */
	assert_paced(SIXPN_HOOK_INSTANCE_INGRESS, MINE_OTHER_LOW, RESOLVER);
	assert_paced(SIXPN_HOOK_INSTANCE_INGRESS, MINE, NET_RESOLVER);
	/* by TCP the name server has its own limits; ping and all other traffic is not asked for */
	assert_int_equal(ask(SIXPN_HOOK_INSTANCE_INGRESS, MINE, RESOLVER, TCP), 0);
	assert_int_equal(ask(SIXPN_HOOK_INSTANCE_INGRESS, MINE, RESOLVER, ICMP), 0);
	assert_int_equal(ask(SIXPN_HOOK_INSTANCE_INGRESS, MINE, REMOTE, UDP), 0);
	/* a peer has a /120, its neighbour in the same /112 another */
	assert_in_range(ask_until_dropped(SIXPN_HOOK_PEER_INGRESS, PEER, NET_RESOLVER), SIXPN_PACE_BURST, SIXPN_PACE_BURST + 300);
	assert_paced(SIXPN_HOOK_PEER_INGRESS, PEER_NETWORK_ADDRESS, NET_RESOLVER);
	assert_int_equal(ask(SIXPN_HOOK_PEER_INGRESS, "fdaa:1234:5678:a001:1:0:a:202", NET_RESOLVER, UDP), 0);
	harness_close(&paced);
}

/* UDP_SEGMENT: a guest hands over many questions as one packet. */
static void a_packet_that_stands_for_many_counts_as_many(void **state)
{
	(void)state;
	open_paced();
	paced.segments = 64;
	assert_in_range(ask_until_dropped(SIXPN_HOOK_INSTANCE_INGRESS, MINE, RESOLVER), SIXPN_PACE_BURST / 64, SIXPN_PACE_BURST / 64 + 5);
	assert_in_range(ask_until_dropped(SIXPN_HOOK_PEER_INGRESS, PEER, NET_RESOLVER), SIXPN_PACE_BURST / 64, SIXPN_PACE_BURST / 64 + 5);
	paced.segments = 0;
	harness_close(&paced);
}

static void who_has_waited_may_ask_again(void **state)
{
	struct sixpn_asker_key key;
	struct sixpn_asker asker;

	(void)state;
	open_paced();
	ask_until_dropped(SIXPN_HOOK_INSTANCE_INGRESS, MINE, RESOLVER);
	assert_int_equal(bpf_map_get_next_key(paced.dp->maps[BPF_MAP_SLOT_ASKERS], NULL, &key), 0);
	assert_int_equal(bpf_map_lookup_elem(paced.dp->maps[BPF_MAP_SLOT_ASKERS], &key, &asker), 0);
	assert_int_equal(key.address[15], 0); /* the first of its /112 */
	asker.next_ns -= 1000000000ull * 1000; /* as if 1,000 seconds had gone by */
	assert_int_equal(bpf_map_update_elem(paced.dp->maps[BPF_MAP_SLOT_ASKERS], &key, &asker, BPF_ANY), 0);
	assert_in_range(ask_until_dropped(SIXPN_HOOK_INSTANCE_INGRESS, MINE, RESOLVER), 1000, 1300);
	asker.next_ns = 0; /* for ever: the burst is no greater for that */
	assert_int_equal(bpf_map_update_elem(paced.dp->maps[BPF_MAP_SLOT_ASKERS], &key, &asker, BPF_ANY), 0);
	assert_in_range(ask_until_dropped(SIXPN_HOOK_INSTANCE_INGRESS, MINE, RESOLVER), SIXPN_PACE_BURST, SIXPN_PACE_BURST + 300);
	harness_close(&paced);
}

#define MORE_TESTS 10

int main(void)
{
	static struct CMUnitTest tests[ARRAY_LEN(rows) + MORE_TESTS];
	static const struct CMUnitTest more[MORE_TESTS] = {
		cmocka_unit_test(a_device_without_an_entry_passes_nothing),
		cmocka_unit_test(an_entry_of_an_unknown_layout_passes_nothing),
		cmocka_unit_test(presence_that_is_taken_away_silences_the_host),
		cmocka_unit_test(an_address_that_moved_back_is_foreign_again),
		cmocka_unit_test(a_device_entry_that_contradicts_itself_is_refused),
		cmocka_unit_test(what_passes_is_counted_by_hook_and_by_network),
		cmocka_unit_test(a_flood_of_drops_is_counted_in_full_and_told_in_samples),
		cmocka_unit_test(who_asks_a_service_too_often_is_dropped_and_nobody_else),
		cmocka_unit_test(a_packet_that_stands_for_many_counts_as_many),
		cmocka_unit_test(who_has_waited_may_ask_again),
	};

	if (geteuid() != 0) {
		printf("skipped: loading BPF programs needs root\n");
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		tests[i] = (struct CMUnitTest){ .name = rows[i].sentence, .test_func = run_row, .initial_state = (void *)&rows[i] };
	memcpy(tests + ARRAY_LEN(rows), more, sizeof(more));
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
