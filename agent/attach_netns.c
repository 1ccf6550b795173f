/* attach_netns - a veth pair between this machine and the instance's network namespace.
 *
 *   host end      sx<8 hex>   fe80::1/64; programs and device-map entry before it is up; route <address>/112 via fe80::2 in table 6000
 *   instance end  6pn0        <address>/128, fe80::2/64; route fdaa::/16 via fe80::1
 *
 * Both ends have fixed MACs and permanent neighbours, so no neighbour discovery takes place at all (the programs drop it), and
 * nothing of the instance can fill the machine's neighbour table. The /112 is never on-link for the same reason. The instance's
 * other interfaces and routes are its own business.
 *
 * The folder's file `device` holds "<name> <ifindex>": written before the device is made (index 0), so that no crash leaves a
 * device that nobody knows. */
#include "agent/attach_netns.h"

#include "lib/base/buf.h"
#include "lib/base/crypto.h"
#include "lib/base/file.h"
#include "lib/bpf/attach.h"
#include "lib/bpf/maps.h"
#include "lib/netlink/netns.h"
#include "lib/netlink/rtnl.h"
#include "lib/netlink/sysctl.h"

#include <limits.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const uint8_t attach_outer_mac[6] = { 0x02, 0x53, 0x58, 0, 0, 1 };
const uint8_t attach_inner_mac[6] = { 0x02, 0x53, 0x58, 0, 0, 2 };
const struct in6_addr attach_outer_ll = { .s6_addr = { 0xfe, 0x80, [15] = 1 } };
const struct in6_addr attach_inner_ll = { .s6_addr = { 0xfe, 0x80, [15] = 2 } };

/* One attachment under way. */
struct work {
	struct attach_netns *env;
	const struct attach_spec *spec;
	struct in6_addr address;
	struct rtnl *inner; /* rtnetlink inside the instance's namespace */
	char name[ATTACH_NAME_SIZE];
	uint32_t ifindex, inner_ifindex;
	const char *doing; /* for the sentence when it fails */
};

void attach_name(const char *id, unsigned n, char ret_name[ATTACH_NAME_SIZE])
{
	const struct crypto_part part = { .data = id, .len = strlen(id) };
	uint8_t hash[CRYPTO_HASH_LEN];
	char hex[9];

	crypto_blake2b(NULL, 0, &part, 1, hash);
	crypto_hex(hash + 4 * (n % ATTACH_NAME_TRIES), 4, hex);
	snprintf(ret_name, ATTACH_NAME_SIZE, "sx%s", hex);
}

bool attach_is_name(const char *name)
{
	return strlen(name) == 10 && !strncmp(name, "sx", 2) && strspn(name + 2, "0123456789abcdef") == 8;
}

/* ---- the file `device` ---- */

static int note_path(const char *folder, char ret_path[PATH_MAX])
{
	return (size_t)snprintf(ret_path, PATH_MAX, "%s/device", folder) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int attach_note_read(const char *folder, char ret_name[ATTACH_NAME_SIZE], uint32_t *ret_ifindex)
{
	CLEAN_BUF struct buf text = BUF_INIT(128);
	char path[PATH_MAX], name[ATTACH_NAME_SIZE];
	unsigned ifindex;
	int r = note_path(folder, path);

	if (r == 0)
		r = file_read(path, 64, &text);
	if (r < 0)
		return r;
	if (sscanf(buf_str(&text), "%15s %u", name, &ifindex) != 2 || !attach_is_name(name))
		return -ENOENT;
	memcpy(ret_name, name, sizeof name);
	*ret_ifindex = ifindex;
	return 0;
}

static int note_write(const char *folder, const char *name, uint32_t ifindex)
{
	char path[PATH_MAX], text[64];
	int n = snprintf(text, sizeof text, "%s %u\n", name, ifindex);
	int r = note_path(folder, path);

	return r < 0 ? r : file_replace(path, text, (size_t)n, 0644);
}

static void note_remove(const char *folder)
{
	char path[PATH_MAX];

	if (note_path(folder, path) == 0)
		unlink(path);
}

/* ---- the device ---- */

int attach_remove_device(struct attach_netns *env, uint32_t ifindex)
{
	struct rtnl_link link;
	int r = rtnl_link_by_index(env->rtnl, ifindex, &link), first;

	/* silent first, then unfiltered: there is no moment in which it speaks without programs */
	first = r == 0 ? rtnl_link_set_up(env->rtnl, ifindex, false) : 0;
	if (first == -ENODEV)
		first = 0;
	r = bpf_device_remove(env->datapath, ifindex);
	first = first ? first : r;
	r = rtnl_link_del(env->rtnl, ifindex);
	first = first ? first : r;
	r = bpf_detach(env->datapath, ifindex); /* of a device that is gone: its pins */
	return first ? first : r;
}

static bool entry_is_foreign(const struct work *w, uint32_t ifindex)
{
	struct sixpn_device entry;

	return bpf_device_get(w->env->datapath, ifindex, &entry) == 0 &&
	       (entry.network != w->spec->network || entry.instance != w->spec->instance);
}

/* The pair that an earlier call made, if it is whole and ours: 0, else -ENODEV. A half that is left is removed. */
static int find_pair(struct work *w)
{
	struct rtnl_link outer, inner;
	uint32_t ifindex;
	int r = attach_note_read(w->spec->folder, w->name, &ifindex);

	if (r < 0)
		return -ENODEV;
	r = rtnl_link_by_name(w->env->rtnl, w->name, &outer);
	if (r == -ENODEV && ifindex && rtnl_link_by_index(w->env->rtnl, ifindex, &outer) == -ENODEV) {
		r = attach_remove_device(w->env, ifindex); /* gone from within: its entry and pins are still here */
		return r < 0 ? r : -ENODEV;
	}
	if (r < 0)
		return r;
	if (strcmp(outer.kind, "veth"))
		return -ENODEV;
	r = rtnl_link_by_name(w->inner, ATTACH_INNER_NAME, &inner);
	if (r == 0 && inner.peer_ifindex == outer.ifindex && outer.peer_ifindex == inner.ifindex) {
		w->ifindex = outer.ifindex;
		w->inner_ifindex = inner.ifindex;
		return 0;
	}
	/* Not the other end of ours: if its entry is another instance's it is that one's, else a half of ours. What the entry of a
	 * whole pair says is not asked, for it may have been tampered with. */
	if (entry_is_foreign(w, outer.ifindex))
		return -ENODEV;
	r = attach_remove_device(w->env, outer.ifindex);
	return r < 0 ? r : -ENODEV;
}

static int choose_name(struct work *w)
{
	struct rtnl_link link;

	for (unsigned n = 0; n < ATTACH_NAME_TRIES; n++) {
		int r;

		attach_name(w->spec->id, n, w->name);
		r = rtnl_link_by_name(w->env->rtnl, w->name, &link);
		if (r == -ENODEV)
			return 0;
		if (r < 0)
			return r;
	}
	return -EEXIST;
}

/* Both ends are made here and one is moved: made in two namespaces at once they may get the same index, and the kernel takes a
 * veth with its own index at the other end for a device whose link changes are not urgent (up to a second until it sends). */
static int make_pair(struct work *w)
{
	struct rtnl_veth veth = { .peer_netns_fd = -1, .mtu = ADDR_MTU };
	char peer_name[ATTACH_NAME_SIZE];
	struct rtnl_link outer, inner;
	int r = choose_name(w);

	if (r == 0)
		r = note_write(w->spec->folder, w->name, 0);
	snprintf(peer_name, sizeof peer_name, "%.10sp", w->name);
	veth.name = w->name;
	veth.peer_name = peer_name;
	if (r == 0)
		r = rtnl_veth_add(w->env->rtnl, &veth);
	if (r == 0)
		r = rtnl_link_by_name(w->env->rtnl, w->name, &outer);
	if (r < 0)
		return r;
	w->ifindex = outer.ifindex;
	r = rtnl_link_by_name(w->env->rtnl, peer_name, &inner);
	if (r == 0)
		r = rtnl_link_move(w->env->rtnl, inner.ifindex, w->spec->netns_fd, ATTACH_INNER_NAME);
	if (r == 0)
		r = rtnl_link_by_name(w->inner, ATTACH_INNER_NAME, &inner);
	if (r < 0)
		return r;
	w->inner_ifindex = inner.ifindex;
	return note_write(w->spec->folder, w->name, w->ifindex);
}

/* ---- what both ends need ---- */

static int set_sysctl(const char *device, const char *key, const char *value)
{
	char name[SYSCTL_NAME_MAX], now[SYSCTL_VALUE_MAX];

	snprintf(name, sizeof name, "net/ipv6/conf/%s/%s", device, key);
	if (sysctl_read(name, now, sizeof now) == 0 && !strcmp(now, value))
		return 0;
	return sysctl_write(name, value);
}

static int quieten(const char *device)
{
	static const char *const settings[][2] = {
		{ "disable_ipv6", "0" }, { "accept_ra", "0" }, { "accept_redirects", "0" }, { "accept_dad", "0" }
	};

	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		int r = set_sysctl(device, settings[i][0], settings[i][1]);

		if (r < 0)
			return r;
	}
	return 0;
}

static int quieten_inner(void *ctx)
{
	(void)ctx;
	return quieten(ATTACH_INNER_NAME);
}

static int dress(struct rtnl *rtnl, uint32_t ifindex, const uint8_t mac[6])
{
	struct rtnl_link link;
	int r = rtnl_link_by_index(rtnl, ifindex, &link);

	if (r == 0)
		r = rtnl_link_set_addrgenmode_none(rtnl, ifindex);
	if (r == 0 && (!link.has_mac || memcmp(link.mac, mac, 6)))
		r = rtnl_link_set_mac(rtnl, ifindex, mac);
	if (r == 0 && link.mtu != ADDR_MTU)
		r = rtnl_link_set_mtu(rtnl, ifindex, ADDR_MTU);
	return r;
}

static int set_up(struct rtnl *rtnl, uint32_t ifindex)
{
	struct rtnl_link link;
	int r = rtnl_link_by_index(rtnl, ifindex, &link);

	return r == 0 && !(link.flags & IFF_UP) ? rtnl_link_set_up(rtnl, ifindex, true) : r;
}

/* ---- the steps ---- */

static int step_outer(struct work *w)
{
	int r = dress(w->env->rtnl, w->ifindex, attach_outer_mac);

	return r < 0 ? r : quieten(w->name);
}

struct sixpn_device attach_entry(const struct attach_spec *spec)
{
	struct sixpn_device entry = { .network = spec->network, .host = spec->home_host, .instance = spec->instance };
	struct in6_addr address = addr_instance(spec->network, spec->home_host, spec->instance);

	memcpy(entry.address, &address, sizeof entry.address);
	memcpy(entry.gateway, &attach_outer_ll, sizeof entry.gateway);
	return entry;
}

/* Entry and programs while the device is still down. No entry = nothing passes: that is how a suspended network stands still. */
static int step_filter(struct work *w)
{
	struct sixpn_device entry = attach_entry(w->spec);
	int r;

	if (w->spec->suspended)
		r = bpf_device_remove(w->env->datapath, w->ifindex);
	else
		r = bpf_device_set(w->env->datapath, w->ifindex, &entry);
	return r < 0 ? r : bpf_attach(w->env->datapath, w->ifindex, w->name, BPF_DEVICE_INSTANCE);
}

struct rtnl_route attach_inner_route(const struct attach_spec *spec, uint32_t ifindex)
{
	return (struct rtnl_route){ .dst = addr_all_prefix(),
				    .dst_len = 16,
				    .type = RTN_UNICAST,
				    .has_via = true,
				    .via = attach_outer_ll,
				    .has_source = true,
				    .source = addr_instance(spec->network, spec->home_host, spec->instance),
				    .oif = ifindex,
				    .table = RT_TABLE_MAIN };
}

struct rtnl_route attach_outer_route(const struct attach_spec *spec, uint32_t ifindex)
{
	struct rtnl_route route = { .dst = addr_instance(spec->network, spec->home_host, spec->instance),
				    .dst_len = 112,
				    .type = RTN_UNICAST,
				    .has_via = true,
				    .via = attach_inner_ll,
				    .oif = ifindex,
				    .table = ADDR_TABLE };

	route.dst.s6_addr[14] = route.dst.s6_addr[15] = 0;
	return route;
}

static int step_inner(struct work *w)
{
	struct rtnl_route route = attach_inner_route(w->spec, w->inner_ifindex);
	struct rtnl_link lo;
	int r = rtnl_link_by_name(w->inner, "lo", &lo);

	if (r == 0)
		r = set_up(w->inner, lo.ifindex);
	if (r == 0)
		r = dress(w->inner, w->inner_ifindex, attach_inner_mac);
	if (r == 0)
		r = netns_call(w->spec->netns_fd, quieten_inner, NULL);
	if (r == 0)
		r = set_up(w->inner, w->inner_ifindex);
	if (r == 0)
		r = rtnl_addr_replace(w->inner, w->inner_ifindex, &attach_inner_ll, 64);
	if (r == 0)
		r = rtnl_addr_replace(w->inner, w->inner_ifindex, &w->address, 128);
	if (r == 0)
		r = rtnl_neigh_add(w->inner, w->inner_ifindex, &attach_outer_ll, attach_outer_mac);
	return r == 0 ? rtnl_route_replace(w->inner, &route) : r;
}

static int step_route(struct work *w)
{
	struct rtnl_route route = attach_outer_route(w->spec, w->ifindex);
	int r = set_up(w->env->rtnl, w->ifindex);

	if (r == 0)
		r = rtnl_addr_replace(w->env->rtnl, w->ifindex, &attach_outer_ll, 64);
	if (r == 0)
		r = rtnl_neigh_add(w->env->rtnl, w->ifindex, &attach_inner_ll, attach_inner_mac);
	return r == 0 ? rtnl_route_replace(w->env->rtnl, &route) : r;
}

static int address_settled(struct rtnl *rtnl, uint32_t ifindex, const struct in6_addr *address)
{
	struct rtnl_addr addr;
	int r = rtnl_addr_get(rtnl, ifindex, address, &addr);

	if (r == 0 && (addr.ifindex != ifindex || addr.flags & IFA_F_TENTATIVE))
		r = -EINPROGRESS;
	return r;
}

/* The kernel ends what was asked of it a little later, in work queues: an address is tentative until then, even without duplicate
 * address detection, and a device sends only when the link watch has seen its carrier. */
static int end_settled(struct rtnl *rtnl, uint32_t ifindex, const struct in6_addr *link_local)
{
	struct rtnl_link link;
	int r = rtnl_link_by_index(rtnl, ifindex, &link);

	if (r == 0 && !(link.flags & IFF_RUNNING))
		r = -EINPROGRESS;
	return r == 0 ? address_settled(rtnl, ifindex, link_local) : r;
}

/* By name, not by list: a command that is root in its namespace can make lists as long as it likes, and this is asked again and again. */
static int step_settle(struct work *w)
{
	struct rtnl_route local = { .type = RTN_UNSPEC };
	int r = end_settled(w->inner, w->inner_ifindex, &attach_inner_ll);

	if (r == 0)
		r = address_settled(w->inner, w->inner_ifindex, &w->address);
	if (r == 0)
		r = end_settled(w->env->rtnl, w->ifindex, &attach_outer_ll);
	if (r < 0)
		return r;
	/* the address stops being tentative an instant before the kernel takes packets for it */
	r = rtnl_route_get(w->inner, &w->address, &local);
	return r == -ENETUNREACH || (r == 0 && local.type != RTN_LOCAL) ? -EINPROGRESS : r;
}

static int build(struct work *w)
{
	static const struct {
		int (*step)(struct work *w);
		const char *doing;
	} steps[] = {
		{ step_outer, "preparing the device" },
		{ step_filter, "attaching the programs" },
		{ step_inner, "setting up the instance's end" },
		{ step_route, "the route to it" },
		{ step_settle, "its link" },
	};

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		int r = steps[i].step(w);

		if (r < 0) {
			w->doing = steps[i].doing;
			return r;
		}
	}
	return 0;
}

static int attach(void *ctx, const struct attach_spec *spec, struct why *why)
{
	struct attach_netns *env = ctx;
	struct work w = { .env = env,
			  .spec = spec,
			  .address = addr_instance(spec->network, spec->home_host, spec->instance),
			  .doing = "making the device" };
	bool made = false;
	int r;

	if (spec->kind != ATTACH_NETNS)
		return why_set(why, "attach_kind", "", "an interface of kind \"%s\" is not to be had on this host",
			       spec->kind == ATTACH_TAP ? "tap" : "existing");
	r = rtnl_open_in(spec->netns_fd, &w.inner);
	if (r < 0)
		return why_set(why, "attach", "", "entering the instance's namespace: %s", strerror(-r));
	r = find_pair(&w);
	if (r == -ENODEV) {
		made = true;
		r = make_pair(&w);
	}
	if (r == 0)
		r = build(&w);
	if (r == -EINPROGRESS) {
		rtnl_free(w.inner);
		return ATTACH_E_PENDING;
	}
	if (r < 0)
		why_set(why, "attach", "", "%s: %s%s%s", w.doing, strerror(-r), rtnl_why(env->rtnl)->text[0] ? ": " : "",
			rtnl_why(env->rtnl)->text);
	/* what stood before this call still has its programs: better a device that lacks a route than none */
	if (r < 0 && made) {
		if (w.ifindex)
			attach_remove_device(env, w.ifindex);
		note_remove(spec->folder);
	}
	rtnl_free(w.inner);
	return r < 0 ? E_REFUSED : 0;
}

/* Without its entry the programs drop all; an entry of somebody else's under that number is left alone. */
static int silence(void *ctx, const struct attach_spec *spec)
{
	struct attach_netns *env = ctx;
	char name[ATTACH_NAME_SIZE];
	struct sixpn_device entry;
	uint32_t ifindex;
	int r = attach_note_read(spec->folder, name, &ifindex);

	if (r == 0)
		r = bpf_device_get(env->datapath, ifindex, &entry);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (entry.network != spec->network || entry.host != spec->home_host || entry.instance != spec->instance)
		return 0;
	return bpf_device_remove(env->datapath, ifindex);
}

static int detach(void *ctx, const char *folder)
{
	struct attach_netns *env = ctx;
	char name[ATTACH_NAME_SIZE];
	struct rtnl_link link;
	uint32_t ifindex;
	int r = attach_note_read(folder, name, &ifindex);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = rtnl_link_by_name(env->rtnl, name, &link);
	if (r == 0)
		ifindex = link.ifindex;
	else if (r == -ENODEV && ifindex && rtnl_link_by_index(env->rtnl, ifindex, &link) == 0)
		ifindex = 0; /* the number means another device by now */
	else if (r != -ENODEV)
		return r;
	r = ifindex ? attach_remove_device(env, ifindex) : 0;
	if (r == 0)
		note_remove(folder);
	return r;
}

const struct attach_ops attach_netns_ops = { .attach = attach, .detach = detach, .check = attach_netns_check, .silence = silence,
					     .sweep = attach_netns_sweep };
