/* rtnl_parse - from the kernel's messages to our structs: the one place where netlink attributes are read. Every length is
 * checked; -EPROTO for a message that is not what its type says. `message` must lie whole in memory (mnl_nlmsg_ok). */
#pragma once
#include "lib/netlink/rtnl.h"

struct nlmsghdr;

/* NLMSG_ERROR or NLMSG_DONE: the kernel's verdict (0 or -errno) and its sentence ("" if none). */
int rtnl_parse_verdict(const struct nlmsghdr *message, int *ret_error, char *ret_text, size_t text_size);
int rtnl_parse_link(const struct nlmsghdr *message, struct rtnl_link *ret_link);
int rtnl_parse_addr(const struct nlmsghdr *message, struct rtnl_addr *ret_addr);
/* Calls `each` once per next hop; its value, if not 0, ends that and is returned. Not IPv6: nothing is delivered. */
int rtnl_parse_route(const struct nlmsghdr *message, int (*each)(void *ctx, const struct rtnl_route *route), void *ctx);
int rtnl_parse_rule(const struct nlmsghdr *message, struct rtnl_rule *ret_rule);
int rtnl_parse_neigh(const struct nlmsghdr *message, struct rtnl_neigh *ret_neigh);
