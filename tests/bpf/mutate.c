#include "tests/bpf/mutate.h"

#include "lib/base/buf.h"

#include <netinet/in.h>
#include <string.h>

uint64_t mutate_random(struct mutate_random *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

struct mutate_random mutate_random_for(uint64_t seed, uint64_t part, uint64_t number)
{
	struct mutate_random r = { seed };

	r.state = mutate_random(&r) ^ part;
	r.state = mutate_random(&r) ^ number;
	return r;
}

static uint32_t below(struct mutate_random *r, uint32_t bound)
{
	return (uint32_t)((mutate_random(r) >> 32) * bound >> 32);
}

static bool chance(struct mutate_random *r, unsigned percent)
{
	return below(r, 100) < percent;
}

#define PICK(r, array) ((array)[below(r, ARRAY_LEN(array))])

/* Words at the borders of what the policy calls a host, a network or an instance. */
static const uint32_t border_words[] = { 0,	     1,		 2,	     3,		 0xffff,     0x10000,	 0x10001,    0x9fffffff,
					 0xa0000000, 0xafffffff, 0xb0000000, 0xffffffff, 0x0000fdaa, 0xfdaa0000, 0x00030000, 0x80000000 };
static const uint16_t border_ports[] = { 53, 52, 54, 0, 0x3500, 80, 443, 0xffff, 853, 5353 };
static const uint8_t border_types[] = { 0, 1, 2, 3, 4, 5, 127, 128, 129, 130, 132, 133, 134, 135, 136, 137, 138, 255 };
static const uint8_t border_nexts[] = { IPPROTO_HOPOPTS, IPPROTO_ICMP,	 IPPROTO_IPIP,	 IPPROTO_TCP, IPPROTO_UDP,     IPPROTO_IPV6,
					IPPROTO_ROUTING, IPPROTO_FRAGMENT, IPPROTO_ESP,	  IPPROTO_AH,  IPPROTO_ICMPV6,	IPPROTO_NONE,
					IPPROTO_DSTOPTS, IPPROTO_SCTP,	 IPPROTO_UDPLITE, 135,	       139,		140,
					255 };
static const uint16_t border_ethertypes[] = { 0x86dd, 0x0800, 0x0806, 0x8100, 0x88a8, 0x9100, 0x9200, 0xdd86, 0x86dc, 0x8847, 0x8864, 0 };

static const uint32_t bad_networks[] = { 0xa1234567, 0xffff, 0xa0000000 }, bad_hosts[] = { 1, 0xb0000000, 0x9fffffff };

struct place {
	uint32_t network, host, instance;
	uint16_t low;
};

static void write_place(const struct place *at, uint8_t *ret_address)
{
	put_u16(ret_address, 0xfdaa);
	put_u32(ret_address + 2, at->network);
	put_u32(ret_address + 6, at->host);
	put_u32(ret_address + 10, at->instance);
	put_u16(ret_address + 14, at->low);
}

static void fill_words(struct mutate_random *r, uint32_t self_host, struct mutate_world *w)
{
	for (size_t i = 0; i < MUTATE_NETWORKS; i++) {
		do
			w->networks[i] = chance(r, 20) ? PICK(r, border_words) : (uint32_t)mutate_random(r);
		while (w->networks[i] < SIXPN_NETWORK_MIN || w->networks[i] >> 28 == SIXPN_NODE_NIBBLE);
	}
	w->hosts[0] = self_host;
	for (size_t i = 1; i < MUTATE_HOSTS; i++)
		w->hosts[i] = chance(r, 30) ? self_host ^ 1u << below(r, 28) : SIXPN_NODE_NIBBLE << 28 | below(r, 1u << 28);
	for (size_t i = 0; i < MUTATE_INSTANCES; i++) {
		do
			w->instances[i] = chance(r, 20) ? PICK(r, border_words) : (uint32_t)mutate_random(r);
		while (w->instances[i] < SIXPN_INSTANCE_MIN);
		w->peers[i] = chance(r, 20) ? below(r, SIXPN_INSTANCE_MIN) : 0x0a + below(r, 20);
		if (chance(r, 15)) { /* the last peer, the first instance */
			w->peers[i] = SIXPN_INSTANCE_MIN - 1;
			w->instances[i] = SIXPN_INSTANCE_MIN;
		}
	}
}

static void fill_device(struct mutate_random *r, bool full, struct mutate_world *w)
{
	struct place own = { w->networks[0], w->hosts[chance(r, 70) ? 0 : 1], w->instances[0], 2 };
	struct sixpn_device *d = &w->state.device;

	w->state.has_device = full || chance(r, 93);
	if (!w->state.has_device)
		return;
	d->layout = SIXPN_LAYOUT;
	d->network = own.network;
	d->host = own.host;
	d->instance = own.instance;
	write_place(&own, d->address);
	d->gateway[0] = 0xfe;
	d->gateway[1] = 0x80;
	d->gateway[15] = 1;
}

/* Instances and peers of the hosts [first_host, last_host], in turn. */
static size_t fill_moved(struct mutate_random *r, bool full, const struct mutate_world *w, size_t first_host, size_t last_host,
			 uint8_t ret_list[][16])
{
	size_t n = 0;

	for (size_t host = first_host; host <= last_host; host++) {
		for (size_t i = 0; i < 2 * MUTATE_INSTANCES; i++) {
			struct place at = { w->networks[i == 3 ? 1 : 0], w->hosts[host],
					    i < MUTATE_INSTANCES ? w->instances[i] : w->peers[i - MUTATE_INSTANCES],
					    (uint16_t)(below(r, 3) << 8 | 2) };

			if (full || chance(r, 40))
				write_place(&at, ret_list[n++]);
		}
	}
	return n;
}

/* Instances of all networks and hosts are members of one of two apps; some apps of some networks may open to some of others. */
static void fill_rules(struct mutate_random *r, bool full, struct mutate_world *w)
{
	struct oracle_state *s = &w->state;
	unsigned known = chance(r, 30) ? 0 : 80;

	for (size_t i = 0; i < MUTATE_NETWORKS * MUTATE_HOSTS * MUTATE_INSTANCES; i++) {
		struct place at = { w->networks[i % MUTATE_NETWORKS], w->hosts[i / MUTATE_NETWORKS % MUTATE_HOSTS],
				    w->instances[i / MUTATE_NETWORKS / MUTATE_HOSTS], 2 };

		if (!full && !chance(r, known))
			continue;
		write_place(&at, s->members[s->n_members].address);
		s->members[s->n_members++].app = (uint8_t)(1 + at.instance % 2);
	}
	for (size_t i = 0; i < MUTATE_NETWORKS * MUTATE_NETWORKS * 6; i++) {
		size_t from = i % MUTATE_NETWORKS, to = i / MUTATE_NETWORKS % MUTATE_NETWORKS, apps = i / MUTATE_NETWORKS / MUTATE_NETWORKS;

		if (w->networks[from] != w->networks[to] && chance(r, full ? 60 : 25))
			s->pairs[s->n_pairs++] = (struct oracle_pair){ w->networks[from], w->networks[to], (uint8_t)(apps % 3),
								       (uint8_t)(1 + apps / 3) };
	}
}

void mutate_world(struct mutate_random *r, uint32_t self_host, bool full, struct mutate_world *ret_world)
{
	unsigned known = full ? 100 : 50 + below(r, 51);

	memset(ret_world, 0, sizeof(*ret_world));
	ret_world->state.self_host = self_host;
	ret_world->state.mark_value = SIXPN_MARK_VALUE;
	ret_world->state.mark_mask = SIXPN_MARK_MASK;
	fill_words(r, self_host, ret_world);
	fill_device(r, full, ret_world);
	for (size_t network = 0; network < MUTATE_NETWORKS; network++) {
		for (size_t host = 0; host < MUTATE_HOSTS; host++) {
			if (chance(r, known))
				ret_world->state.presence[ret_world->state.n_presence++] =
					(struct sixpn_presence_key){ ret_world->networks[network], ret_world->hosts[host] };
		}
	}
	/* What no planner would write, so that the words are judged even where a map would let them pass. */
	for (size_t i = 0; i < ARRAY_LEN(bad_networks) && chance(r, 50); i++) {
		ret_world->state.presence[ret_world->state.n_presence++] =
			(struct sixpn_presence_key){ bad_networks[i], ret_world->hosts[below(r, MUTATE_HOSTS)] };
		ret_world->state.presence[ret_world->state.n_presence++] =
			(struct sixpn_presence_key){ ret_world->networks[0], bad_hosts[i] };
	}
	/* Foreign hosts' addresses come here, this node's go away; at times one of the other kind, which the policy allows too. */
	ret_world->state.n_moved_here = fill_moved(r, full, ret_world, chance(r, 10) ? 0 : 1, 2, ret_world->state.moved_here);
	ret_world->state.n_moved_away = fill_moved(r, full, ret_world, 0, chance(r, 10) ? 1 : 0, ret_world->state.moved_away);
	fill_rules(r, full, ret_world);
}

enum who {
	OWN, OWN_LOW, LOCAL, LOCAL_PEER, REMOTE, REMOTE_PEER, HERE, AWAY, FOREIGN, FOREIGN_LOCAL, RESOLVER, NET_RESOLVER,
	FOREIGN_RESOLVER, FLYCAST, BAD_NETWORK, BAD_HOST, GATEWAY, OUTSIDE, MULTICAST, LINK_LOCAL, OTHER_ULA, WHO_COUNT
};

enum payload {
	UDP_SERVICE, UDP, TCP_SERVICE, TCP, ECHO, ECHO_REPLY, ICMP_ERROR, DISCOVERY, ICMP_OTHER, FRAGMENT, FRAGMENT_FIRST, OPTIONS,
	HOP_BY_HOP, ROUTING, AUTHENTICATION, ESP, NOTHING, TUNNEL
};

enum link { PLAIN, VLAN, VLAN_SERVICE, TWO_TAGS, THREE_TAGS, IPV4, ARP };

struct template {
	const char *name;
	uint32_t hooks; /* where it is at home */
	enum who source, destination;
	enum payload payload;
	enum link link;
	bool mesh; /* mesh form */
};

#define INGRESS SIXPN_ON_INSTANCE_INGRESS
#define EGRESS SIXPN_ON_INSTANCE_EGRESS
#define M_OUT SIXPN_ON_MESH_EGRESS
#define M_IN SIXPN_ON_MESH_INGRESS
#define P_IN SIXPN_ON_PEER_INGRESS
#define P_OUT SIXPN_ON_PEER_EGRESS
#define UNDERLAY SIXPN_ON_UNDERLAY_INGRESS

static const struct template templates[] = {
	{ "instance to remote, UDP", INGRESS, OWN, REMOTE, UDP, PLAIN, false },
	{ "instance to remote, TCP", INGRESS, OWN, REMOTE, TCP, PLAIN, false },
	{ "instance to remote, echo", INGRESS, OWN, REMOTE, ECHO, PLAIN, false },
	{ "instance to remote, fragment", INGRESS, OWN, REMOTE, FRAGMENT, PLAIN, false },
	{ "instance to remote, options", INGRESS, OWN, REMOTE, OPTIONS, PLAIN, false },
	{ "instance to remote, ICMPv6 of many types", INGRESS, OWN, REMOTE, ICMP_OTHER, PLAIN, false },
	{ "instance to remote, hop-by-hop", INGRESS, OWN, REMOTE, HOP_BY_HOP, PLAIN, false },
	{ "instance to remote, routing header", INGRESS, OWN, REMOTE, ROUTING, PLAIN, false },
	{ "instance to remote, no next header", INGRESS, OWN, REMOTE, NOTHING, PLAIN, false },
	{ "instance, other low bits", INGRESS, OWN_LOW, REMOTE_PEER, TCP, PLAIN, false },
	{ "instance to neighbour", INGRESS, OWN, LOCAL, TCP, PLAIN, false },
	{ "instance to moved away", INGRESS, OWN, AWAY, UDP, PLAIN, false },
	{ "instance to moved here", INGRESS, OWN, HERE, UDP, PLAIN, false },
	{ "instance asks resolver, UDP", INGRESS, OWN, RESOLVER, UDP_SERVICE, PLAIN, false },
	{ "instance asks resolver, TCP", INGRESS, OWN, RESOLVER, TCP_SERVICE, PLAIN, false },
	{ "instance pings resolver", INGRESS, OWN, RESOLVER, ECHO, PLAIN, false },
	{ "instance at another port", INGRESS, OWN, RESOLVER, TCP, PLAIN, false },
	{ "instance asks resolver, other ICMPv6", INGRESS, OWN, RESOLVER, ICMP_OTHER, PLAIN, false },
	{ "instance asks resolver in fragments", INGRESS, OWN, RESOLVER, FRAGMENT_FIRST, PLAIN, false },
	{ "instance asks resolver behind options", INGRESS, OWN, NET_RESOLVER, OPTIONS, PLAIN, false },
	{ "instance asks the network's resolver", INGRESS, OWN, NET_RESOLVER, UDP_SERVICE, PLAIN, false },
	{ "instance asks a foreign resolver", INGRESS, OWN, FOREIGN_RESOLVER, UDP_SERVICE, PLAIN, false },
	{ "instance to flycast", INGRESS, OWN, FLYCAST, TCP_SERVICE, PLAIN, false },
	{ "instance to foreign network", INGRESS, OWN, FOREIGN, UDP, PLAIN, false },
	{ "instance across networks, TCP", INGRESS, OWN, FOREIGN, TCP, PLAIN, false },
	{ "instance across networks on this node, echo", INGRESS, OWN, FOREIGN_LOCAL, ECHO, PLAIN, false },
	{ "instance across networks, echo reply", INGRESS, OWN, FOREIGN, ECHO_REPLY, PLAIN, false },
	{ "instance across networks, error", INGRESS, OWN, FOREIGN, ICMP_ERROR, PLAIN, false },
	{ "instance across networks, ICMPv6 of many types", INGRESS, OWN, FOREIGN, ICMP_OTHER, PLAIN, false },
	{ "instance across networks, fragment", INGRESS, OWN, FOREIGN, FRAGMENT, PLAIN, false },
	{ "instance to the internet", INGRESS, OWN, OUTSIDE, UDP, PLAIN, false },
	{ "instance with a forged source", INGRESS, LOCAL, REMOTE, UDP, PLAIN, false },
	{ "solicitation to all", INGRESS, OWN, MULTICAST, DISCOVERY, PLAIN, false },
	{ "solicitation to the gateway", INGRESS, LINK_LOCAL, GATEWAY, DISCOVERY, PLAIN, false },
	{ "discovery to remote", INGRESS, OWN, REMOTE, DISCOVERY, PLAIN, false },
	{ "instance behind a tag", INGRESS | EGRESS, OWN, REMOTE, UDP, VLAN, false },
	{ "instance, ARP", INGRESS | EGRESS, OWN, REMOTE, UDP, ARP, false },

	{ "to instance, UDP", EGRESS, REMOTE, OWN, UDP, PLAIN, false },
	{ "to instance, other low bits, TCP", EGRESS, REMOTE_PEER, OWN_LOW, TCP, PLAIN, false },
	{ "to instance, fragment", EGRESS, LOCAL, OWN, FRAGMENT, PLAIN, false },
	{ "to instance, hop-by-hop", EGRESS, HERE, OWN, HOP_BY_HOP, PLAIN, false },
	{ "to instance, discovery", EGRESS, AWAY, OWN, DISCOVERY, PLAIN, false },
	{ "resolver to instance", EGRESS, RESOLVER, OWN, UDP, PLAIN, false },
	{ "the network's resolver to instance", EGRESS, NET_RESOLVER, OWN, ECHO_REPLY, PLAIN, false },
	{ "a foreign resolver to instance", EGRESS, FOREIGN_RESOLVER, OWN, UDP, PLAIN, false },
	{ "gateway's error", EGRESS, GATEWAY, OWN, ICMP_ERROR, PLAIN, false },
	{ "gateway's other ICMPv6", EGRESS, GATEWAY, OWN, ICMP_OTHER, PLAIN, false },
	{ "gateway's discovery", EGRESS, GATEWAY, OWN, DISCOVERY, PLAIN, false },
	{ "gateway's UDP", EGRESS, GATEWAY, OWN, UDP, PLAIN, false },
	{ "foreign network to instance", EGRESS, FOREIGN, OWN, UDP, PLAIN, false },
	{ "across networks to instance, TCP", EGRESS, FOREIGN, OWN, TCP, PLAIN, false },
	{ "across networks on this node to instance, echo reply", EGRESS, FOREIGN_LOCAL, OWN, ECHO_REPLY, PLAIN, false },
	{ "across networks to instance, options", EGRESS, FOREIGN, OWN, OPTIONS, PLAIN, false },
	{ "flycast to instance", EGRESS, FLYCAST, OWN, TCP, PLAIN, false },
	{ "to another instance", EGRESS, REMOTE, LOCAL, TCP, PLAIN, false },

	{ "out to the mesh", M_OUT, LOCAL, REMOTE, TCP, PLAIN, false },
	{ "peer out to the mesh", M_OUT, LOCAL_PEER, REMOTE, UDP, PLAIN, false },
	{ "out to a remote peer", M_OUT, OWN, REMOTE_PEER, ECHO, PLAIN, false },
	{ "moved here, out to the mesh", M_OUT, HERE, REMOTE, TCP, PLAIN, false },
	{ "out to moved away", M_OUT, LOCAL, AWAY, FRAGMENT, PLAIN, false },
	{ "moved here, out to moved away", M_OUT, HERE, AWAY, UDP, PLAIN, false },
	{ "out to this node", M_OUT, LOCAL, LOCAL_PEER, UDP, PLAIN, false },
	{ "foreign network out", M_OUT, FOREIGN_LOCAL, FOREIGN, UDP, PLAIN, false },
	{ "out across networks", M_OUT, LOCAL, FOREIGN, UDP, PLAIN, false },
	{ "out across networks, TCP", M_OUT, LOCAL, FOREIGN, TCP, PLAIN, false },
	{ "out across networks, ICMPv6 of many types", M_OUT, FOREIGN_LOCAL, REMOTE, ICMP_OTHER, PLAIN, false },
	{ "moved here, out across networks", M_OUT, HERE, FOREIGN, TCP, PLAIN, false },
	{ "resolver out to the mesh", M_OUT, RESOLVER, REMOTE, UDP, PLAIN, false },
	{ "bad network out to the mesh", M_OUT, BAD_NETWORK, BAD_NETWORK, UDP, PLAIN, false },
	{ "mesh form out to the mesh", M_OUT, LOCAL, REMOTE, TCP, PLAIN, true },

	{ "in from the mesh", M_IN, REMOTE, LOCAL, TCP, PLAIN, true },
	{ "in from a remote peer", M_IN, REMOTE_PEER, LOCAL_PEER, UDP, PLAIN, true },
	{ "in from the mesh to moved here", M_IN, REMOTE, HERE, UDP, PLAIN, true },
	{ "moved away, in from the mesh", M_IN, AWAY, LOCAL, ECHO, PLAIN, true },
	{ "moved away, in to moved here", M_IN, AWAY, HERE, HOP_BY_HOP, PLAIN, true },
	{ "moved here, in from the mesh", M_IN, HERE, LOCAL, TCP, PLAIN, true },
	{ "this node's own, in from the mesh", M_IN, LOCAL, LOCAL_PEER, UDP, PLAIN, true },
	{ "foreign network in", M_IN, FOREIGN, FOREIGN_LOCAL, UDP, PLAIN, true },
	{ "in across networks", M_IN, FOREIGN, LOCAL, UDP, PLAIN, true },
	{ "in across networks, TCP", M_IN, FOREIGN, LOCAL, TCP, PLAIN, true },
	{ "in across networks, echo", M_IN, REMOTE, FOREIGN_LOCAL, ECHO, PLAIN, true },
	{ "moved away, in across networks", M_IN, AWAY, FOREIGN_LOCAL, TCP, PLAIN, true },
	{ "in to the resolver", M_IN, REMOTE, NET_RESOLVER, UDP_SERVICE, PLAIN, true },
	{ "bad network in from the mesh", M_IN, BAD_NETWORK, BAD_NETWORK, UDP, PLAIN, true },
	{ "bad host in from the mesh", M_IN, BAD_HOST, LOCAL, UDP, PLAIN, true },
	{ "bad network in to this node", M_IN, BAD_NETWORK, LOCAL, UDP, PLAIN, true },
	{ "natural form in from the mesh", M_IN, REMOTE, LOCAL, TCP, PLAIN, false },

	{ "peer to remote", P_IN, LOCAL_PEER, REMOTE, TCP, PLAIN, false },
	{ "peer to moved here", P_IN, LOCAL_PEER, HERE, FRAGMENT, PLAIN, false },
	{ "peer asks its resolver, UDP", P_IN, LOCAL_PEER, NET_RESOLVER, UDP_SERVICE, PLAIN, false },
	{ "peer asks its resolver, TCP", P_IN, LOCAL_PEER, NET_RESOLVER, TCP_SERVICE, PLAIN, false },
	{ "peer pings its resolver", P_IN, LOCAL_PEER, NET_RESOLVER, ECHO, PLAIN, false },
	{ "peer asks its resolver behind options", P_IN, LOCAL_PEER, NET_RESOLVER, OPTIONS, PLAIN, false },
	{ "peer at another port", P_IN, LOCAL_PEER, NET_RESOLVER, UDP, PLAIN, false },
	{ "peer asks fdaa::3", P_IN, LOCAL_PEER, RESOLVER, UDP_SERVICE, PLAIN, false },
	{ "peer asks a foreign resolver", P_IN, LOCAL_PEER, FOREIGN_RESOLVER, UDP_SERVICE, PLAIN, false },
	{ "moved peer to remote", P_IN, HERE, REMOTE, ICMP_OTHER, PLAIN, false },
	{ "peer with hop-by-hop", P_IN, LOCAL_PEER, REMOTE, HOP_BY_HOP, PLAIN, false },
	{ "peer with routing header", P_IN, LOCAL_PEER, REMOTE, ROUTING, PLAIN, false },
	{ "peer of another node", P_IN, REMOTE_PEER, LOCAL, UDP, PLAIN, false },
	{ "an instance's address at a peer's device, across networks", P_IN, LOCAL, FOREIGN, TCP, PLAIN, false },
	{ "peer to foreign network", P_IN, LOCAL_PEER, FOREIGN, UDP, PLAIN, false },
	{ "bad network's peer", P_IN, BAD_NETWORK, BAD_NETWORK, UDP, PLAIN, false },

	{ "remote to peer", P_OUT, REMOTE, LOCAL_PEER, TCP, PLAIN, false },
	{ "peer to peer", P_OUT, REMOTE_PEER, LOCAL_PEER, ECHO, PLAIN, false },
	{ "its resolver to peer", P_OUT, NET_RESOLVER, LOCAL_PEER, UDP, PLAIN, false },
	{ "remote to moved peer", P_OUT, REMOTE, HERE, HOP_BY_HOP, PLAIN, false },
	{ "fdaa::3 to peer", P_OUT, RESOLVER, LOCAL_PEER, UDP, PLAIN, false },
	{ "foreign network to peer", P_OUT, FOREIGN, LOCAL_PEER, UDP, PLAIN, false },
	{ "to a peer of another node", P_OUT, LOCAL, REMOTE_PEER, UDP, PLAIN, false },
	{ "gateway's error to peer", P_OUT, GATEWAY, LOCAL_PEER, ICMP_ERROR, PLAIN, false },
	{ "fdaa::3's error to peer", P_OUT, RESOLVER, LOCAL_PEER, ICMP_ERROR, PLAIN, false },
	{ "fdaa::3's error to moved peer", P_OUT, RESOLVER, HERE, ICMP_ERROR, PLAIN, false },
	{ "fdaa::3's other ICMPv6 to peer", P_OUT, RESOLVER, LOCAL_PEER, ICMP_OTHER, PLAIN, false },
	{ "fdaa::3's error to a peer of another node", P_OUT, RESOLVER, REMOTE_PEER, ICMP_ERROR, PLAIN, false },

	{ "ordinary IPv6", UNDERLAY, OUTSIDE, OUTSIDE, UDP, PLAIN, false },
	{ "ordinary IPv6, tagged", UNDERLAY, OUTSIDE, LINK_LOCAL, TCP, VLAN, false },
	{ "ordinary IPv6, two tags", UNDERLAY, OUTSIDE, OTHER_ULA, ESP, TWO_TAGS, false },
	{ "neighbour discovery", UNDERLAY, LINK_LOCAL, MULTICAST, DISCOVERY, PLAIN, false },
	{ "6PN in a tunnel", UNDERLAY, OUTSIDE, OUTSIDE, TUNNEL, PLAIN, false },
	{ "6PN source", UNDERLAY, REMOTE, OUTSIDE, UDP, PLAIN, false },
	{ "6PN destination", UNDERLAY, OTHER_ULA, LOCAL, UDP, PLAIN, false },
	{ "6PN resolver", UNDERLAY, OUTSIDE, RESOLVER, UDP_SERVICE, PLAIN, false },
	{ "6PN in mesh form", UNDERLAY, REMOTE, LOCAL, AUTHENTICATION, PLAIN, true },
	{ "6PN behind a tag", UNDERLAY, REMOTE, LOCAL, UDP, VLAN, false },
	{ "6PN behind a service tag", UNDERLAY, OUTSIDE, LOCAL, UDP, VLAN_SERVICE, false },
	{ "6PN behind two tags", UNDERLAY, REMOTE, OUTSIDE, UDP, TWO_TAGS, false },
	{ "6PN behind three tags", UNDERLAY, REMOTE, LOCAL, UDP, THREE_TAGS, false },
	{ "IPv4", UNDERLAY, OUTSIDE, OUTSIDE, UDP, IPV4, false },
	{ "ARP", UNDERLAY, REMOTE, LOCAL, UDP, ARP, false },
};

unsigned mutate_templates(void)
{
	return ARRAY_LEN(templates);
}

const char *mutate_template_name(unsigned row)
{
	return templates[row].name;
}

static void write_literal(enum who who, uint8_t *ret_address)
{
	static const uint8_t starts[WHO_COUNT][2] = { [GATEWAY] = { 0xfe, 0x80 },    [OUTSIDE] = { 0x20, 0x01 },
						      [MULTICAST] = { 0xff, 0x02 },  [LINK_LOCAL] = { 0xfe, 0x80 },
						      [OTHER_ULA] = { 0xfd, 0xab } };

	memset(ret_address, 0, 16);
	memcpy(ret_address, starts[who], 2);
	ret_address[15] = who == LINK_LOCAL ? 2 : 1;
}

/* One of the list, with other bits below its prefix. */
static bool write_moved(struct mutate_random *r, const uint8_t list[][16], size_t n, uint8_t *ret_address)
{
	if (!n)
		return false;
	memcpy(ret_address, list[below(r, (uint32_t)n)], 16);
	ret_address[15] = (uint8_t)mutate_random(r);
	if (get_u32(ret_address + 10) >= SIXPN_INSTANCE_MIN)
		ret_address[14] = (uint8_t)mutate_random(r);
	return true;
}

static void write_who(struct mutate_random *r, const struct mutate_world *w, enum who who, uint8_t *ret_address)
{
	uint32_t net = w->networks[0], self = w->hosts[0], other = w->hosts[1 + below(r, MUTATE_HOSTS - 1)];
	uint32_t instance = PICK(r, w->instances), peer = PICK(r, w->peers);
	uint16_t slot = (uint16_t)(below(r, 3) << 8 | 2);
	const struct place places[WHO_COUNT] = {
		[OWN] = { net, self, w->instances[0], 2 },
		[OWN_LOW] = { net, self, w->instances[0], (uint16_t)mutate_random(r) },
		[LOCAL] = { net, self, instance, 2 },
		[LOCAL_PEER] = { net, self, peer, slot },
		[REMOTE] = { net, other, instance, 2 },
		[REMOTE_PEER] = { net, other, peer, slot },
		[HERE] = { net, other, instance, 2 },
		[AWAY] = { net, self, instance, 2 },
		[FOREIGN] = { w->networks[1], other, instance, 2 },
		[FOREIGN_LOCAL] = { w->networks[1], self, instance, 2 },
		[RESOLVER] = { 0, 0, 0, 3 },
		[NET_RESOLVER] = { net, 0, 0, 3 },
		[FOREIGN_RESOLVER] = { w->networks[2], 0, 0, 3 },
		[FLYCAST] = { net, 1, instance, 2 },
		[BAD_NETWORK] = { PICK(r, bad_networks), chance(r, 50) ? self : other, instance, 2 },
		[BAD_HOST] = { net, PICK(r, bad_hosts), instance, 2 },
	};

	if (who == HERE && write_moved(r, w->state.moved_here, w->state.n_moved_here, ret_address))
		return;
	if (who == AWAY && write_moved(r, w->state.moved_away, w->state.n_moved_away, ret_address))
		return;
	if (who >= GATEWAY) {
		write_literal(who, ret_address);
		return;
	}
	write_place(&places[who], ret_address);
	if ((who == OWN || who == OWN_LOW) && w->state.has_device)
		memcpy(ret_address, w->state.device.address, 14);
}

/* One network on both sides, where the template's words came from a list that has several, and the bad ones differ. */
static void align_networks(const struct template *t, uint8_t *source, uint8_t *destination)
{
	bool from_list = t->source == HERE || t->source == AWAY || t->destination == HERE || t->destination == AWAY;

	if (t->source == BAD_NETWORK || (from_list && t->destination != OWN))
		memcpy(destination + 2, source + 2, 4);
}

static size_t write_transport(struct mutate_random *r, enum payload payload, uint8_t *ret)
{
	memset(ret, 0, 20);
	put_u16(ret, (uint16_t)(1024 + below(r, 60000)));
	put_u16(ret + 2, payload == UDP_SERVICE || payload == TCP_SERVICE ? 53 : PICK(r, border_ports));
	if (payload == TCP || payload == TCP_SERVICE)
		ret[12] = 0x50;
	else
		put_u16(ret + 4, 20);
	return 20;
}

static size_t write_icmp(uint8_t type, uint8_t *ret)
{
	memset(ret, 0, 16);
	ret[0] = type;
	return 16;
}

/* An extension header of 8 bytes with UDP behind it. */
static size_t write_extension(struct mutate_random *r, enum payload payload, uint8_t *ret)
{
	memset(ret, 0, 8);
	ret[0] = IPPROTO_UDP;
	if (payload == FRAGMENT)
		put_u16(ret + 2, (uint16_t)(below(r, 100) << 3));
	else if (payload == FRAGMENT_FIRST)
		ret[3] = 1;
	return 8 + write_transport(r, UDP_SERVICE, ret + 8);
}

static size_t write_payload(struct mutate_random *r, const struct mutate_world *w, enum payload payload, uint8_t *ret)
{
	switch (payload) {
	case UDP_SERVICE:
	case UDP:
	case TCP_SERVICE:
	case TCP:
		return write_transport(r, payload, ret);
	case ECHO:
		return write_icmp(128, ret);
	case ECHO_REPLY:
		return write_icmp(129, ret);
	case ICMP_ERROR:
		return write_icmp((uint8_t)(1 + below(r, 4)), ret);
	case DISCOVERY:
		return write_icmp((uint8_t)(133 + below(r, 5)), ret);
	case ICMP_OTHER:
		return write_icmp(PICK(r, border_types), ret);
	case TUNNEL:
		memset(ret, 0, 40);
		ret[0] = 0x60;
		ret[6] = IPPROTO_NONE;
		write_who(r, w, REMOTE, ret + 8);
		write_who(r, w, LOCAL, ret + 24);
		return 40;
	default:
		return write_extension(r, payload, ret);
	}
}

static uint8_t next_of(enum payload payload)
{
	static const uint8_t nexts[] = {
		[UDP_SERVICE] = IPPROTO_UDP,	[UDP] = IPPROTO_UDP,		     [TCP_SERVICE] = IPPROTO_TCP,
		[TCP] = IPPROTO_TCP,		[ECHO] = IPPROTO_ICMPV6,	     [ECHO_REPLY] = IPPROTO_ICMPV6,
		[ICMP_ERROR] = IPPROTO_ICMPV6,	[DISCOVERY] = IPPROTO_ICMPV6,	     [ICMP_OTHER] = IPPROTO_ICMPV6,
		[FRAGMENT] = IPPROTO_FRAGMENT,	[FRAGMENT_FIRST] = IPPROTO_FRAGMENT, [OPTIONS] = IPPROTO_DSTOPTS,
		[HOP_BY_HOP] = IPPROTO_HOPOPTS, [ROUTING] = IPPROTO_ROUTING,	     [AUTHENTICATION] = IPPROTO_AH,
		[ESP] = IPPROTO_ESP,		[NOTHING] = IPPROTO_NONE,	     [TUNNEL] = IPPROTO_IPV6,
	};

	return nexts[payload];
}

/* Ethernet with its tags; returns the length. */
static size_t write_link(enum link link, uint8_t *ret)
{
	static const uint8_t addresses[12] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2 };
	static const unsigned tags[] = { [VLAN] = 1, [VLAN_SERVICE] = 1, [TWO_TAGS] = 2, [THREE_TAGS] = 3, [ARP] = 0 };
	size_t at = sizeof(addresses);

	memcpy(ret, addresses, at);
	for (unsigned i = 0; i < tags[link]; i++) {
		bool service = link == VLAN_SERVICE || (link >= TWO_TAGS && i == 0);

		put_u16(ret + at, service ? 0x88a8 : 0x8100);
		put_u16(ret + at + 2, (uint16_t)(100 + i));
		at += 4;
	}
	put_u16(ret + at, link == ARP ? 0x0806 : link == IPV4 ? 0x0800 : 0x86dd);
	return at + 2;
}

static void swap_words(uint8_t *address)
{
	uint32_t first = get_u32(address + 2);

	put_u32(address + 2, get_u32(address + 6));
	put_u32(address + 6, first);
}

void mutate_template(struct mutate_random *r, const struct mutate_world *world, unsigned row, unsigned l2_len,
		     struct mutate_packet *ret_packet)
{
	const struct template *t = &templates[row];
	size_t at = l2_len ? write_link(t->link, ret_packet->bytes) : 0;
	uint8_t *ip = ret_packet->bytes + at;
	size_t payload_len;

	memset(ip, 0, 128); /* as far as a mutation may reach without saying what it writes */
	payload_len = write_payload(r, world, t->payload, ip + 40);
	ip[0] = t->link == IPV4 ? 0x45 : 0x60;
	put_u16(ip + 4, (uint16_t)payload_len);
	ip[6] = next_of(t->payload);
	ip[7] = 64;
	write_who(r, world, t->source, ip + 8);
	write_who(r, world, t->destination, ip + 24);
	align_networks(t, ip + 8, ip + 24);
	if (t->mesh) {
		swap_words(ip + 8);
		swap_words(ip + 24);
	}
	ret_packet->len = at + 40 + payload_len;
	ret_packet->mark = world->state.mark_value;
}

static uint32_t pick_word(struct mutate_random *r, const struct mutate_world *w)
{
	switch (below(r, 6)) {
	case 0:
		return PICK(r, border_words);
	case 1:
		return PICK(r, w->networks);
	case 2:
		return PICK(r, w->hosts);
	case 3:
		return chance(r, 50) ? PICK(r, w->instances) : PICK(r, w->peers);
	case 4:
		return w->hosts[0] ^ 1u << below(r, 32);
	default:
		return (uint32_t)mutate_random(r);
	}
}

static void spoil_address(struct mutate_random *r, const struct mutate_world *w, uint8_t *ip)
{
	uint8_t *address = ip + 8 + 16 * below(r, 2), keep[16];

	switch (below(r, 6)) {
	case 0:
		swap_words(address);
		break;
	case 1:
		memcpy(keep, ip + 8, 16);
		memcpy(ip + 8, ip + 24, 16);
		memcpy(ip + 24, keep, 16);
		break;
	case 2:
		put_u32(address + 2 + 4 * below(r, 3), pick_word(r, w));
		break;
	case 3:
		put_u16(address + 14, (uint16_t)(chance(r, 50) ? below(r, 5) : mutate_random(r)));
		break;
	case 4:
		memcpy(ip + 24 + 2 + 4 * below(r, 2), ip + 8 + 2 + 4 * below(r, 2), 4);
		break;
	default:
		write_who(r, w, (enum who)below(r, WHO_COUNT), address);
		break;
	}
}

static void spoil_link(struct mutate_random *r, struct mutate_packet *p)
{
	if (chance(r, 50)) {
		put_u16(p->bytes + 12, PICK(r, border_ethertypes));
		return;
	}
	memmove(p->bytes + 16, p->bytes + 12, p->len - 12);
	put_u16(p->bytes + 12, chance(r, 50) ? 0x8100 : 0x88a8);
	p->len += 4;
}

static void spoil_mark(struct mutate_random *r, const struct mutate_world *w, struct mutate_packet *p)
{
	switch (below(r, 4)) {
	case 0:
		p->mark = 0;
		break;
	case 1:
		p->mark = (uint32_t)mutate_random(r);
		break;
	case 2:
		p->mark ^= 1u << below(r, 32);
		break;
	default:
		p->mark = ((uint32_t)mutate_random(r) & ~w->state.mark_mask) | w->state.mark_value;
		break;
	}
}

static void spoil_length(struct mutate_random *r, struct mutate_packet *p)
{
	size_t more = below(r, 200);

	if (chance(r, 60)) { /* around the ends of headers, mostly */
		p->len = chance(r, 60) ? 36 + below(r, 44) : 14 + below(r, (uint32_t)p->len - 13);
		return;
	}
	for (size_t i = 0; i < more; i++)
		p->bytes[p->len++] = (uint8_t)mutate_random(r);
}

static void spoil(struct mutate_random *r, const struct mutate_world *w, unsigned l2_len, struct mutate_packet *p)
{
	uint8_t *ip = p->bytes + l2_len;

	switch (below(r, 12)) {
	case 0:
	case 1:
		p->bytes[below(r, (uint32_t)l2_len + 44)] ^= (uint8_t)(1u << below(r, 8));
		break;
	case 2:
	case 3:
	case 4:
		spoil_address(r, w, ip);
		break;
	case 5:
		ip[6] = PICK(r, border_nexts);
		break;
	case 6:
		ip[40] = PICK(r, border_types);
		break;
	case 7:
		put_u16(ip + 42, PICK(r, border_ports));
		break;
	case 8:
		spoil_length(r, p);
		break;
	case 9:
		if (l2_len)
			spoil_link(r, p);
		else
			ip[0] = (uint8_t)mutate_random(r);
		break;
	case 10:
		spoil_mark(r, w, p);
		break;
	default:
		p->bytes[below(r, (uint32_t)l2_len + 60)] = (uint8_t)mutate_random(r);
		break;
	}
}

void mutate_make_acceptable(struct mutate_packet *packet)
{
	uint16_t ethertype = get_u16(packet->bytes + 12);
	size_t least = 14u + (ethertype == 0x86dd ? 40 : ethertype == 0x0800 ? 20 : 0);

	if (packet->len < least)
		packet->len = least;
}

void mutate_any(struct mutate_random *r, const struct mutate_world *world, enum sixpn_hook hook, unsigned l2_len,
		struct mutate_packet *ret_packet)
{
	static const uint8_t counts[] = { 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 3, 3, 4, 6 };
	bool at_home = chance(r, 75);
	unsigned row;

	do
		row = below(r, ARRAY_LEN(templates));
	while (at_home && !(templates[row].hooks & 1u << hook));
	mutate_template(r, world, row, l2_len, ret_packet);
	for (unsigned i = PICK(r, counts); i > 0; i--)
		spoil(r, world, l2_len, ret_packet);
	mutate_make_acceptable(ret_packet);
}
