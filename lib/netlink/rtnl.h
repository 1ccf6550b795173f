/* rtnl - rtnetlink: links, IPv6 addresses, routes, rules and neighbours of one network namespace, one request at a time.
 *
 * A struct rtnl is bound to the namespace in which it was opened. Every request carries its own sequence number and asks for an
 * acknowledgement; a reply with another number is dropped. It is for one thread. Calls block until the kernel has answered,
 * which for these requests means microseconds.
 *
 * Errors are the kernel's own -errno. When the kernel gave a sentence with it (NETLINK_EXT_ACK), rtnl_why() holds it until the
 * next call. Changes are idempotent: adding what is there already in the same shape, and deleting what is not there, return 0.
 * -EEXIST means: something else is in that place.
 *
 * Interface names, MACs and in6_addr are in the usual byte order; table, mark and priority are host order. */
#pragma once
#include "lib/base/err.h"

#include <net/if.h>
#include <netinet/in.h>
#include <stdint.h>

struct rtnl;

int rtnl_open(struct rtnl **ret_rtnl); /* in the calling thread's network namespace */
int rtnl_open_in(int netns_fd, struct rtnl **ret_rtnl);
struct rtnl *rtnl_free(struct rtnl *rtnl); /* NULL is fine; returns NULL */
/* The kernel's sentence about the last call that failed; text "" if it gave none. Code "netlink". Never NULL. */
const struct why *rtnl_why(const struct rtnl *rtnl);

/* ---- links ---- */

struct rtnl_link {
	uint32_t ifindex;
	char name[IFNAMSIZ];
	char kind[16];        /* "veth", "tun", ...; "" for loopback and hardware */
	uint32_t mtu;
	uint32_t flags;       /* IFF_UP, ... */
	bool has_mac;
	uint8_t mac[6];
	uint32_t peer_ifindex; /* IFLA_LINK: for veth the other end, in its own namespace; 0 = none */
	int32_t link_netnsid;  /* namespace id of the other end as seen from here; -1 = here, or none */
};

struct rtnl_veth {
	const char *name, *peer_name;
	int peer_netns_fd; /* -1 = this namespace */
	pid_t peer_pid;    /* used when peer_netns_fd is -1 and this is > 0 */
	uint32_t mtu;      /* of both ends; 0 = the kernel's default */
};

/* 0 also if a veth of that name is there already (its other end is not examined). */
int rtnl_veth_add(struct rtnl *rtnl, const struct rtnl_veth *veth);
/* Any device that needs no more than a kind: "dummy". mtu 0 = the kernel's default. */
int rtnl_link_add(struct rtnl *rtnl, const char *name, const char *kind, uint32_t mtu);
int rtnl_link_del(struct rtnl *rtnl, uint32_t ifindex);
int rtnl_link_set_up(struct rtnl *rtnl, uint32_t ifindex, bool up);
int rtnl_link_set_mtu(struct rtnl *rtnl, uint32_t ifindex, uint32_t mtu);
int rtnl_link_set_mac(struct rtnl *rtnl, uint32_t ifindex, const uint8_t mac[6]);
/* No link-local address of the kernel's making. Only after creation: at creation it is refused with EAFNOSUPPORT. */
int rtnl_link_set_addrgenmode_none(struct rtnl *rtnl, uint32_t ifindex);
int rtnl_link_rename(struct rtnl *rtnl, uint32_t ifindex, const char *name); /* -EBUSY while the device is up (older kernels) */
/* new_name NULL = keeps its name. The index may change on the way. */
int rtnl_link_move(struct rtnl *rtnl, uint32_t ifindex, int netns_fd, const char *new_name);
int rtnl_link_by_name(struct rtnl *rtnl, const char *name, struct rtnl_link *ret_link); /* -ENODEV: none */
int rtnl_link_by_index(struct rtnl *rtnl, uint32_t ifindex, struct rtnl_link *ret_link); /* -ENODEV: none */
/* The list functions call `each` per object, when the whole list has arrived; a value other than 0 ends the deliveries and is
 * returned. `each` may make other calls. -EINTR: the kernel's table changed underneath on each of several tries. */
int rtnl_link_list(struct rtnl *rtnl, int (*each)(void *ctx, const struct rtnl_link *link), void *ctx);

/* ---- IPv6 addresses, always without duplicate address detection ---- */

struct rtnl_addr {
	uint32_t ifindex;
	struct in6_addr addr;
	uint8_t prefix_len;
	uint8_t scope;  /* RT_SCOPE_* */
	uint32_t flags; /* IFA_F_* */
};

int rtnl_addr_add(struct rtnl *rtnl, uint32_t ifindex, const struct in6_addr *addr, uint8_t prefix_len);
/* The same; one with another prefix length, which the kernel takes for the same address, has to go first. */
int rtnl_addr_replace(struct rtnl *rtnl, uint32_t ifindex, const struct in6_addr *addr, uint8_t prefix_len);
int rtnl_addr_del(struct rtnl *rtnl, uint32_t ifindex, const struct in6_addr *addr, uint8_t prefix_len);
/* One address, without a list of all: whoever owns the namespace can make lists long. -EADDRNOTAVAIL: none. */
int rtnl_addr_get(struct rtnl *rtnl, uint32_t ifindex, const struct in6_addr *addr, struct rtnl_addr *ret_addr);
/* ifindex 0 = of all links */
int rtnl_addr_list(struct rtnl *rtnl, uint32_t ifindex, int (*each)(void *ctx, const struct rtnl_addr *addr), void *ctx);

/* ---- IPv6 routes ---- */

enum { RTNL_PROTO_SIXPN = 107 }; /* protocol number of routes and rules that we made */

struct rtnl_route {
	struct in6_addr dst;
	uint8_t dst_len;
	uint8_t type;     /* RTN_UNICAST, RTN_UNREACHABLE, RTN_LOCAL, RTN_BLACKHOLE */
	uint8_t protocol; /* RTPROT_*; 0 when adding = RTNL_PROTO_SIXPN, when deleting = any */
	bool has_via, has_source;
	struct in6_addr via;
	struct in6_addr source; /* preferred source address */
	uint32_t oif;           /* 0 = none */
	uint32_t table;         /* RT_TABLE_MAIN, 6000, ...; never 0 when adding */
	uint32_t metric;        /* 0 = the kernel's default (1024) */
};

/* Adds; 0 if the very same route (destination, metric, type, via, oif, source) is there, -EEXIST if another one is. */
int rtnl_route_add(struct rtnl *rtnl, const struct rtnl_route *route);
/* Adds, or takes the place of the route with the same destination and metric, without a moment with neither. */
int rtnl_route_replace(struct rtnl *rtnl, const struct rtnl_route *route);
/* Deletes the first route that matches; fields that are 0 match anything. */
int rtnl_route_del(struct rtnl *rtnl, const struct rtnl_route *route);
/* A route with several next hops is delivered once per next hop. */
int rtnl_route_list(struct rtnl *rtnl, uint32_t table, int (*each)(void *ctx, const struct rtnl_route *route), void *ctx);
/* Only those of this protocol (0 = any) through this device (0 = any): the kernel leaves out the others. */
int rtnl_route_list_of(struct rtnl *rtnl, uint32_t table, uint8_t protocol, uint32_t oif,
		       int (*each)(void *ctx, const struct rtnl_route *route), void *ctx);
/* The route that a packet to dst takes, as it stands in its table; without a list of all. -ENETUNREACH: none. */
int rtnl_route_get(struct rtnl *rtnl, const struct in6_addr *dst, struct rtnl_route *ret_route);
/* As rtnl_route_add compares: fields of `wanted` that are 0 match anything. */
bool rtnl_route_same(const struct rtnl_route *wanted, const struct rtnl_route *there);
/* Whether the very route is there. Cheap even in a big table if few routes have its type and device. -ENOMEM: too many have. */
int rtnl_route_there(struct rtnl *rtnl, const struct rtnl_route *route, bool *ret_there);
/* The links that have a default route learned from a router advertisement, each once. -ENOSPC if there are more than cap. */
int rtnl_ra_default_links(struct rtnl *rtnl, uint32_t *ret_ifindex, size_t cap, size_t *ret_n);

/* ---- IPv6 policy rules: (packet mark & mask) == mark -> table ---- */

struct rtnl_rule {
	uint32_t mark, mask; /* 0, 0 = every packet */
	uint32_t table;
	uint32_t priority;
	uint8_t protocol;     /* as in struct rtnl_route */
	bool other_selectors; /* lists only: it asks for more than the mark, or does something else than look up a table */
};

int rtnl_rule_add(struct rtnl *rtnl, const struct rtnl_rule *rule);
int rtnl_rule_del(struct rtnl *rtnl, const struct rtnl_rule *rule);
int rtnl_rule_list(struct rtnl *rtnl, int (*each)(void *ctx, const struct rtnl_rule *rule), void *ctx);

/* ---- IPv6 neighbours ---- */

struct rtnl_neigh {
	uint32_t ifindex;
	struct in6_addr addr;
	uint16_t state; /* NUD_* */
	bool has_mac;
	uint8_t mac[6];
};

/* A permanent entry; takes the place of whatever the kernel knows of that address. */
int rtnl_neigh_add(struct rtnl *rtnl, uint32_t ifindex, const struct in6_addr *addr, const uint8_t mac[6]);
int rtnl_neigh_del(struct rtnl *rtnl, uint32_t ifindex, const struct in6_addr *addr);
int rtnl_neigh_get(struct rtnl *rtnl, uint32_t ifindex, const struct in6_addr *addr, struct rtnl_neigh *ret_neigh); /* -ENOENT: none */
int rtnl_neigh_list(struct rtnl *rtnl, uint32_t ifindex, int (*each)(void *ctx, const struct rtnl_neigh *neigh), void *ctx);
