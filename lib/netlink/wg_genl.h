/* wg_genl - WireGuard in the kernel, spoken to over generic netlink (family "wireguard"). The device is of kind "wireguard" and made by
 * rtnl_link_add; the module comes with that request, if the machine has it.
 *
 * A struct wg_genl is bound to the network namespace in which it was opened, and to a device by name: the device may go and come back
 * between calls. Large sets go out as many messages, of which each is applied in order and none undone; a disturbed dump is asked again.
 * REPLACE_PEERS is never sent: on a device at work it ends every session, and holds the lock of all links while it does.
 *
 * Errors, besides the kernel's own: -ENODEV, no device of that name; -EOPNOTSUPP, it is not of that kind; -ENOENT, this kernel has no
 * WireGuard (or nobody made a device yet); -EPERM, no CAP_NET_ADMIN; -ENOBUFS, an answer was lost, so that what was applied is not
 * known: dump and plan again; -EINTR, the peers changed during each of several dumps; -ETIMEDOUT; -EPROTO, the answer is not of the
 * protocol. */
#pragma once
#include "lib/netlink/wg.h"

#include <sys/types.h>

struct wg_genl;

int wg_genl_open(const char *ifname, struct wg_genl **ret_genl); /* in the calling thread's network namespace; -EINVAL: no device name */
struct wg_genl *wg_genl_free(struct wg_genl *genl);               /* NULL is fine; returns NULL */
struct wg wg_genl_backend(struct wg_genl *genl);                  /* borrows genl */

/* What carries the messages. Tests bring a kernel of their own. */
struct wg_genl_transport {
	int (*send)(void *ctx, const void *bytes, size_t len);
	/* One datagram. Longer than size: -EMSGSIZE. */
	ssize_t (*receive)(void *ctx, void *ret_bytes, size_t size);
	void (*close)(void *ctx);
};
int wg_genl_open_with(const char *ifname, const struct wg_genl_transport *transport, void *ctx, uint32_t port_id,
		      struct wg_genl **ret_genl);
