#include "tests/bpf/oracle.h"

#include "lib/base/buf.h"

#include <netinet/in.h>
#include <string.h>

enum {
	ETHERTYPE_IS_IPV6 = 0x86dd,
	PREFIX = 0xfdaa,
	IPV6_LEN = 40,
	RESOLVER_LOW = 3,
	ICMP6_FIRST_DISCOVERY = 133, /* router solicitation */
	ICMP6_LAST_DISCOVERY = 137,  /* redirect */
	ICMP6_ECHO = 128,
};

/* One packet on its way through a hook. */
struct question {
	const struct oracle_state *state;
	const uint8_t *packet; /* the link-layer header first, where there is one */
	size_t len;
	const uint8_t *ip; /* the IPv6 header, once it is known to be whole */
	size_t ip_len;
	uint32_t mark;
	uint64_t reasons;
};

struct words {
	uint16_t prefix;
	uint32_t network, host, instance;
	uint16_t low;
};

static void object(struct question *q, bool wrong, enum sixpn_reason reason)
{
	if (wrong)
		q->reasons |= 1ull << reason;
}

static struct words natural_words(const uint8_t *address)
{
	return (struct words){ get_u16(address), get_u32(address + 2), get_u32(address + 6), get_u32(address + 10),
			       get_u16(address + 14) };
}

static struct words mesh_words(const uint8_t *address)
{
	struct words w = natural_words(address);
	uint32_t network = w.host;

	w.host = w.network;
	w.network = network;
	return w;
}

static void write_natural(const struct words *w, uint8_t *ret_address)
{
	put_u16(ret_address, w->prefix);
	put_u32(ret_address + 2, w->network);
	put_u32(ret_address + 6, w->host);
	put_u32(ret_address + 10, w->instance);
	put_u16(ret_address + 14, w->low);
}

static bool is_node(uint32_t host)
{
	return host >> 28 == SIXPN_NODE_NIBBLE;
}

static bool is_network(uint32_t network)
{
	return network >= SIXPN_NETWORK_MIN && network >> 28 != SIXPN_NODE_NIBBLE;
}

/* fdaa::3 with network 0, fdaa:<network>::3 otherwise; all 128 bits. */
static bool is_resolver_of(const struct words *w, uint32_t network)
{
	return w->prefix == PREFIX && w->network == network && w->host == 0 && w->instance == 0 && w->low == RESOLVER_LOW;
}

static bool in_list(const uint8_t list[][16], size_t n, const struct words *w)
{
	uint8_t address[16];
	size_t compared = w->instance >= SIXPN_INSTANCE_MIN ? 112 / 8 : 120 / 8;

	write_natural(w, address);
	for (size_t i = 0; i < n; i++) {
		if (!memcmp(list[i], address, compared))
			return true;
	}
	return false;
}

static bool moved_here(const struct question *q, const struct words *w)
{
	return in_list(q->state->moved_here, q->state->n_moved_here, w);
}

static bool moved_away(const struct question *q, const struct words *w)
{
	return in_list(q->state->moved_away, q->state->n_moved_away, w);
}

static bool present(const struct question *q, uint32_t network, uint32_t host)
{
	for (size_t i = 0; i < q->state->n_presence; i++) {
		if (q->state->presence[i].network == network && q->state->presence[i].host == host)
			return true;
	}
	return false;
}

/* 802.1Q, 802.1ad, and what switches wrote for a second tag before 802.1ad. */
static bool is_tag(uint16_t ethertype)
{
	return ethertype == 0x8100 || ethertype == 0x88a8 || ethertype == 0x9100;
}

/* Finds the IPv6 header and says whether there is one that can be read on. */
static bool find_ip(struct question *q, unsigned l2_len)
{
	if (l2_len) {
		uint16_t ethertype = get_u16(q->packet + 12);

		if (is_tag(ethertype)) {
			object(q, true, SIXPN_REASON_VLAN_TAGGED);
			return false;
		}
		object(q, ethertype != ETHERTYPE_IS_IPV6, SIXPN_REASON_NOT_IPV6);
	}
	q->ip = q->packet + l2_len;
	q->ip_len = q->len - l2_len;
	object(q, q->ip_len < IPV6_LEN, SIXPN_REASON_TOO_SHORT);
	object(q, q->ip_len > 0 && q->ip[0] >> 4 != 6, SIXPN_REASON_NOT_IPV6);
	return !(q->reasons & (1ull << SIXPN_REASON_NOT_IPV6 | 1ull << SIXPN_REASON_TOO_SHORT));
}

static uint8_t next_header(const struct question *q)
{
	return q->ip[6];
}

/* The first byte behind the IPv6 header; -1 if the packet ends before it. */
static int icmp_type(const struct question *q)
{
	return q->ip_len > IPV6_LEN ? q->ip[IPV6_LEN] : -1;
}

static bool is_service_port(uint16_t port)
{
#define IS_PORT(number) || port == (number)
	return false SIXPN_SERVICE_PORTS(IS_PORT);
#undef IS_PORT
}

static bool is_extension(uint8_t next)
{
	return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_FRAGMENT || next == IPPROTO_DSTOPTS ||
	       next == IPPROTO_ESP || next == IPPROTO_AH || next == 135 /* mobility */ || next == 139 /* HIP */ || next == 140 /* shim6 */;
}

/* UDP or TCP to a service port, or ICMPv6 echo request, directly behind the IPv6 header. */
static void judge_service(struct question *q)
{
	uint8_t next = next_header(q);

	if (next == IPPROTO_UDP || next == IPPROTO_TCP) {
		if (q->ip_len < IPV6_LEN + 4)
			object(q, true, SIXPN_REASON_TOO_SHORT);
		else
			object(q, !is_service_port(get_u16(q->ip + IPV6_LEN + 2)), SIXPN_REASON_SERVICE_PORT);
	} else if (next == IPPROTO_ICMPV6) {
		if (icmp_type(q) < 0)
			object(q, true, SIXPN_REASON_TOO_SHORT);
		else
			object(q, icmp_type(q) != ICMP6_ECHO, SIXPN_REASON_SERVICE_PORT);
	} else {
		object(q, true, is_extension(next) ? SIXPN_REASON_SERVICE_HEADER : SIXPN_REASON_SERVICE_PORT);
	}
}

static bool knows_device(const struct question *q)
{
	return q->state->has_device && q->state->device.layout == SIXPN_LAYOUT;
}

static void judge_device(struct question *q)
{
	object(q, !q->state->has_device, SIXPN_REASON_DEVICE_UNKNOWN);
	object(q, q->state->has_device && q->state->device.layout != SIXPN_LAYOUT, SIXPN_REASON_DEVICE_LAYOUT);
}

static void judge_customer_headers(struct question *q)
{
	object(q, next_header(q) == IPPROTO_HOPOPTS, SIXPN_REASON_HOP_BY_HOP);
	object(q, next_header(q) == IPPROTO_ROUTING, SIXPN_REASON_ROUTING_HEADER);
}

/* The app of a member; 0 = it is none. */
static uint8_t app_of(const struct question *q, const struct words *w)
{
	uint8_t address[16];

	write_natural(w, address);
	for (size_t i = 0; i < q->state->n_members; i++) {
		if (!memcmp(q->state->members[i].address, address, 14))
			return q->state->members[i].app;
	}
	return 0;
}

static bool may_open(const struct question *q, const struct words *from, const struct words *to)
{
	uint8_t from_app = app_of(q, from), to_app = app_of(q, to);

	for (size_t i = 0; i < q->state->n_pairs && from_app && to_app; i++) {
		const struct oracle_pair *p = &q->state->pairs[i];

		if (p->from_network == from->network && p->to_network == to->network && p->to_app == to_app &&
		    (!p->from_app || p->from_app == from_app))
			return true;
	}
	return false;
}

static bool is_joined(const struct question *q, const struct words *source, const struct words *destination)
{
	return source->prefix == PREFIX && destination->prefix == PREFIX && source->network != destination->network &&
	       (may_open(q, source, destination) || may_open(q, destination, source));
}

/* Between two networks that a rule joins at these two addresses. */
static void judge_across(struct question *q, const struct words *source, const struct words *destination)
{
	bool opens = may_open(q, source, destination), answers = may_open(q, destination, source);
	const uint8_t *transport = q->ip + IPV6_LEN;
	size_t left = q->ip_len - IPV6_LEN;
	int type = icmp_type(q);

	switch (next_header(q)) {
	case IPPROTO_TCP: {
		bool ack, rst, syn;

		object(q, left < 14, SIXPN_REASON_TOO_SHORT);
		if (left < 14)
			return;
		ack = transport[13] & 0x10;
		rst = transport[13] & 0x04;
		syn = transport[13] & 0x02;
		object(q, !opens && !ack && !(rst && !syn), SIXPN_REASON_RULE_OPENING);
		return;
	}
	case IPPROTO_UDP:
		object(q, left < 4, SIXPN_REASON_TOO_SHORT);
		object(q, left >= 4 && !opens, SIXPN_REASON_RULE_OPENING);
		return;
	case IPPROTO_ICMPV6:
		object(q, type < 0, SIXPN_REASON_TOO_SHORT);
		if (type >= 0 && !(type >= 1 && type <= 4)) {
			object(q, type != ICMP6_ECHO && type != ICMP6_ECHO + 1, SIXPN_REASON_RULE_HEADER);
			object(q, type == ICMP6_ECHO && !opens, SIXPN_REASON_RULE_OPENING);
			object(q, type == ICMP6_ECHO + 1 && !answers, SIXPN_REASON_RULE_OPENING);
		}
		return;
	default:
		object(q, true, SIXPN_REASON_RULE_HEADER);
	}
}

/* A customer's destination which is not a service: a node's host word in the customer's own network. */
static void judge_customer_destination(struct question *q, const struct words *destination, uint32_t network)
{
	object(q, destination->prefix != PREFIX, SIXPN_REASON_DESTINATION_OUTSIDE);
	if (destination->prefix == PREFIX) {
		object(q, destination->network != network, SIXPN_REASON_DESTINATION_NETWORK);
		object(q, !is_node(destination->host), SIXPN_REASON_DESTINATION_HOST);
	}
}

static void judge_instance_ingress(struct question *q)
{
	struct words source = natural_words(q->ip + 8), destination = natural_words(q->ip + 24);
	uint32_t network = q->state->device.network;

	judge_customer_headers(q);
	if (next_header(q) == IPPROTO_ICMPV6) {
		int type = icmp_type(q);

		object(q, type < 0, SIXPN_REASON_TOO_SHORT);
		object(q, type >= ICMP6_FIRST_DISCOVERY && type <= ICMP6_LAST_DISCOVERY, SIXPN_REASON_NEIGHBOUR_DISCOVERY);
	}
	object(q, memcmp(q->ip + 8, q->state->device.address, 14), SIXPN_REASON_SOURCE_FOREIGN);
	if (is_resolver_of(&destination, 0) || is_resolver_of(&destination, network))
		judge_service(q);
	else if (is_joined(q, &source, &destination))
		judge_across(q, &source, &destination);
	else
		judge_customer_destination(q, &destination, network);
}

static void judge_instance_egress(struct question *q)
{
	const uint8_t *source_bytes = q->ip + 8;
	struct words source = natural_words(source_bytes), destination = natural_words(q->ip + 24);
	uint32_t network = q->state->device.network;

	object(q, memcmp(q->ip + 24, q->state->device.address, 14), SIXPN_REASON_DESTINATION_FOREIGN);
	if (!memcmp(source_bytes, q->state->device.gateway, 16)) {
		bool icmp = next_header(q) == IPPROTO_ICMPV6;

		object(q, icmp && icmp_type(q) < 0, SIXPN_REASON_TOO_SHORT);
		object(q, !icmp || icmp_type(q) < 1 || icmp_type(q) > 4, SIXPN_REASON_GATEWAY_TYPE);
	} else if (is_joined(q, &source, &destination)) {
		judge_across(q, &source, &destination);
	} else if (!is_resolver_of(&source, 0) && !is_resolver_of(&source, network)) {
		object(q, source.prefix != PREFIX || source.network != network, SIXPN_REASON_SOURCE_NETWORK);
		object(q, source.prefix == PREFIX && !is_node(source.host), SIXPN_REASON_SOURCE_HOST);
	}
}

/* Source and destination in one valid network of fdaa::/16. */
static void judge_same_network(struct question *q, const struct words *source, const struct words *destination)
{
	bool both = source->prefix == PREFIX && destination->prefix == PREFIX, same = source->network == destination->network;

	object(q, source->prefix != PREFIX || !is_network(source->network), SIXPN_REASON_SOURCE_NETWORK);
	object(q, destination->prefix != PREFIX, SIXPN_REASON_DESTINATION_OUTSIDE);
	object(q, both && !same, SIXPN_REASON_SOURCE_NETWORK);
	object(q, both && (!same || !is_network(destination->network)), SIXPN_REASON_DESTINATION_NETWORK);
}

/* The same, or two that a rule joins. */
static void judge_networks(struct question *q, const struct words *source, const struct words *destination)
{
	if (is_joined(q, source, destination))
		judge_across(q, source, destination);
	else
		judge_same_network(q, source, destination);
}

static void judge_source_is_node(struct question *q, const struct words *source)
{
	object(q, source->prefix == PREFIX && !is_node(source->host), SIXPN_REASON_SOURCE_HOST);
}

static void judge_destination_is_node(struct question *q, const struct words *destination)
{
	object(q, destination->prefix == PREFIX && !is_node(destination->host), SIXPN_REASON_DESTINATION_HOST);
}

static bool lives_here(const struct question *q, const struct words *w)
{
	return w->host == q->state->self_host || moved_here(q, w);
}

/* Has this node's host word, but has not moved away. */
static bool must_be_here(const struct question *q, const struct words *w)
{
	return w->host == q->state->self_host && !moved_away(q, w);
}

static void judge_mesh_egress(struct question *q)
{
	struct words source = natural_words(q->ip + 8), destination = natural_words(q->ip + 24);

	judge_networks(q, &source, &destination);
	judge_source_is_node(q, &source);
	judge_destination_is_node(q, &destination);
	object(q, source.prefix == PREFIX && !lives_here(q, &source), SIXPN_REASON_SOURCE_NOT_LOCAL);
	object(q, destination.prefix == PREFIX && must_be_here(q, &destination), SIXPN_REASON_DESTINATION_GONE);
}

static void judge_mesh_ingress(struct question *q)
{
	struct words source = mesh_words(q->ip + 8), destination = mesh_words(q->ip + 24);

	judge_networks(q, &source, &destination);
	judge_source_is_node(q, &source);
	judge_destination_is_node(q, &destination);
	object(q, destination.prefix == PREFIX && !lives_here(q, &destination), SIXPN_REASON_DESTINATION_NOT_LOCAL);
	object(q, source.prefix == PREFIX && !is_joined(q, &source, &destination) && !present(q, source.network, source.host) &&
			  !moved_away(q, &source),
	       SIXPN_REASON_PRESENCE_MISSING);
	object(q, source.prefix == PREFIX && (must_be_here(q, &source) || moved_here(q, &source)), SIXPN_REASON_SOURCE_IS_SELF);
}

static void judge_peer_ingress(struct question *q)
{
	struct words source = natural_words(q->ip + 8), destination = natural_words(q->ip + 24);

	judge_customer_headers(q);
	object(q, source.prefix != PREFIX || !is_network(source.network), SIXPN_REASON_SOURCE_NETWORK);
	judge_source_is_node(q, &source);
	object(q, source.prefix == PREFIX && !lives_here(q, &source), SIXPN_REASON_SOURCE_NOT_LOCAL);
	/* Network 0 is no network: fdaa::3 is the instances' resolver, not that of a peer who claims network 0. */
	if (is_network(source.network) && is_resolver_of(&destination, source.network))
		judge_service(q);
	else
		judge_customer_destination(q, &destination, source.network);
}

/* An ICMPv6 error of the machine itself: from fdaa::3, with the mark. (No packet here has come in by a device.) */
static bool is_machines_error(const struct question *q)
{
	struct words source = natural_words(q->ip + 8);

	return is_resolver_of(&source, 0) && (q->mark & q->state->mark_mask) == q->state->mark_value && next_header(q) == IPPROTO_ICMPV6 &&
	       q->ip_len >= IPV6_LEN + 4 && icmp_type(q) >= 1 && icmp_type(q) <= 4;
}

/* It speaks as the resolver of the receiver's network. RFC 1624, equation 3, with the two halves of a word that was zero. */
static void name_network(uint8_t *ip)
{
	uint32_t sum = (uint16_t)~get_u16(ip + IPV6_LEN + 2) + 0xffffu + get_u16(ip + 26) + get_u16(ip + 28);

	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	put_u16(ip + IPV6_LEN + 2, (uint16_t)~sum);
	memcpy(ip + 10, ip + 26, 4);
}

static void judge_peer_egress(struct question *q)
{
	struct words source = natural_words(q->ip + 8), destination = natural_words(q->ip + 24);

	if (is_machines_error(q))
		source.network = destination.network;
	judge_same_network(q, &source, &destination);
	judge_destination_is_node(q, &destination);
	object(q, destination.prefix == PREFIX && !lives_here(q, &destination), SIXPN_REASON_DESTINATION_NOT_LOCAL);
	if (!is_resolver_of(&source, destination.network))
		judge_source_is_node(q, &source);
}

/* All that is not IPv6 passes; IPv6 may stand behind up to two tags. */
static void judge_underlay(struct question *q, unsigned l2_len)
{
	size_t at = l2_len;

	if (l2_len) {
		uint16_t ethertype = get_u16(q->packet + 12);

		for (int tags = 0; tags < 2 && is_tag(ethertype); tags++) {
			if (q->len < at + 4)
				return; /* nothing in it says IPv6 */
			ethertype = get_u16(q->packet + at + 2);
			at += 4;
		}
		if (ethertype != ETHERTYPE_IS_IPV6)
			return;
	}
	if (q->len > at && q->packet[at] >> 4 != 6)
		return; /* no IPv6, as NOT_IPV6 says it: ethertype or version */
	if (q->len < at + IPV6_LEN) {
		object(q, true, SIXPN_REASON_TOO_SHORT);
		return;
	}
	object(q, get_u16(q->packet + at + 8) == PREFIX || get_u16(q->packet + at + 24) == PREFIX, SIXPN_REASON_SIXPN_FROM_OUTSIDE);
}

static void swap_words(uint8_t *address)
{
	struct words w = mesh_words(address);

	write_natural(&w, address);
}

void oracle_judge(const struct oracle_state *state, enum sixpn_hook hook, unsigned l2_len, const uint8_t *packet, size_t len,
		  uint32_t mark, struct oracle_answer *ret_answer)
{
	static void (*const judges[SIXPN_HOOK_COUNT])(struct question *) = {
		[SIXPN_HOOK_INSTANCE_INGRESS] = judge_instance_ingress, [SIXPN_HOOK_INSTANCE_EGRESS] = judge_instance_egress,
		[SIXPN_HOOK_MESH_EGRESS] = judge_mesh_egress,		[SIXPN_HOOK_MESH_INGRESS] = judge_mesh_ingress,
		[SIXPN_HOOK_PEER_INGRESS] = judge_peer_ingress,		[SIXPN_HOOK_PEER_EGRESS] = judge_peer_egress,
	};
	struct question q = { .state = state, .packet = packet, .len = len, .mark = mark };

	if (1u << hook & SIXPN_ON_INSTANCE)
		judge_device(&q);
	if (hook == SIXPN_HOOK_MESH_EGRESS)
		object(&q, (mark & state->mark_mask) != state->mark_value, SIXPN_REASON_MARK_MISSING);
	if (hook == SIXPN_HOOK_UNDERLAY_INGRESS)
		judge_underlay(&q, l2_len);
	else if (find_ip(&q, l2_len) && (!(1u << hook & SIXPN_ON_INSTANCE) || knows_device(&q)))
		judges[hook](&q);

	ret_answer->pass = !q.reasons;
	ret_answer->reasons = q.reasons;
	ret_answer->mark = mark;
	ret_answer->len = len;
	memcpy(ret_answer->packet, packet, len);
	if (q.reasons)
		return;
	if (hook == SIXPN_HOOK_INSTANCE_INGRESS || hook == SIXPN_HOOK_MESH_INGRESS || hook == SIXPN_HOOK_PEER_INGRESS)
		ret_answer->mark = (mark & ~state->mark_mask) | state->mark_value;
	if (hook == SIXPN_HOOK_PEER_EGRESS && is_machines_error(&q))
		name_network(ret_answer->packet + l2_len);
	if (1u << hook & SIXPN_ON_MESH) {
		swap_words(ret_answer->packet + l2_len + 8);
		swap_words(ret_answer->packet + l2_len + 24);
	}
}
