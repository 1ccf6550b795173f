/* wg_backend - what carries a WireGuard device of ours: the kernel, or wireguard-go on a tun. Decided once per device and start of the
 * daemon, from what the operator wants, what the kernel can do and what is there already. */
#pragma once
#include "lib/base/err.h"

struct rtnl;
struct wg_process_config;

enum wg_backend {
	WG_BACKEND_AUTO, /* as a wish only */
	WG_BACKEND_KERNEL,
	WG_BACKEND_USERSPACE,
};

/* "auto", "kernel", "userspace"; E_REFUSED with why if it is none of them. */
int wg_backend_parse(const char *text, enum wg_backend *ret_backend, struct why *why);
const char *wg_backend_name(enum wg_backend backend);

/* Does this kernel make devices of kind "wireguard"? Tries it with one named "sxprobe", in rtnl's namespace. The kernel itself loads its
 * module for that, if the machine has one. */
int wg_backend_probe(struct rtnl *rtnl, bool *ret_has);

enum wg_device_kind { WG_DEVICE_NONE, WG_DEVICE_KERNEL, WG_DEVICE_TUN, WG_DEVICE_OTHER };

struct wg_backend_found {
	bool kernel_has;
	enum wg_device_kind device; /* what has the device's name */
	bool served;                /* a tun: wireguard-go is alive behind it */
};

struct wg_backend_choice {
	enum wg_backend backend;
	bool replace; /* what is there goes first, and its sessions with it */
	bool kept;    /* the other one would have been chosen, had nothing been there */
};

/* Pure. auto never ends sessions: a device that is at work stays what it is, also when the kernel has learnt WireGuard meanwhile. A word
 * of the operator's (kernel, userspace) is carried out. E_REFUSED with why. */
int wg_backend_decide(enum wg_backend wanted, const struct wg_backend_found *found, const char *device_name,
		      struct wg_backend_choice *ret_choice, struct why *why);

/* Looks, decides, says in the log what came of it, and removes what must go: the device of the other backend with the process behind it.
 * config names the device, and the process that may serve it. -errno, or E_REFUSED with why. */
int wg_backend_settle(struct rtnl *rtnl, enum wg_backend wanted, const char *area, const struct wg_process_config *config,
		      enum wg_backend *ret_backend, struct why *why);

/* Removes the kernel's device, its peers first. With them it would take the kernel a grace period each, one after the other: minutes for
 * thousands, in which the caller waits. */
int wg_backend_remove_kernel(const char *device_name);

/* The device and the process behind it, whichever backend it has. 0: there is none; -EEXIST: somebody else's device has the name. */
int wg_backend_remove(struct rtnl *rtnl, const struct wg_process_config *config);
