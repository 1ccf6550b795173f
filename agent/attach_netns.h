/* attach_netns - what attach_netns.c (makes) and attach_check.c (compares) share: what a pair is. */
#pragma once
#include "agent/attach.h"
#include "lib/bpf/maps.h"
#include "lib/netlink/rtnl.h"

#define ATTACH_INNER_NAME "6pn0"

extern const uint8_t attach_outer_mac[6], attach_inner_mac[6];
extern const struct in6_addr attach_outer_ll, attach_inner_ll;

struct sixpn_device attach_entry(const struct attach_spec *spec);
struct rtnl_route attach_outer_route(const struct attach_spec *spec, uint32_t ifindex);
struct rtnl_route attach_inner_route(const struct attach_spec *spec, uint32_t ifindex);
bool attach_is_name(const char *name);
/* The file `device` of a folder. *ret_ifindex 0: the device was about to be made. -ENOENT. */
int attach_note_read(const char *folder, char ret_name[ATTACH_NAME_SIZE], uint32_t *ret_ifindex);

/* With its entry, programs and pins; in an order in which it never speaks unfiltered. */
int attach_remove_device(struct attach_netns *env, uint32_t ifindex);

int attach_netns_check(void *ctx, const struct attach_spec *specs, size_t n, const struct attach_sink *sink);
int attach_netns_sweep(void *ctx, const char *const *keep_folders, size_t n);
