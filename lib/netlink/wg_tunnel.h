/* wg_tunnel - one WireGuard device of ours and whatever is behind it, for as long as the daemon runs: made or adopted, guarded before it
 * goes up, brought back when it or its process is gone. The mesh and the device of customers' peers are two of these.
 *
 * Which peers the device has is the caller's: it talks to wg_tunnel_wg() and is called back (replay) when a device came back empty.
 * Device and process outlive the daemon; only wg_tunnel_wipe ends them. Which backend the device has is decided when the tunnel is made
 * (wg_backend.h), said in the log, and stays. In the kernel there is no process that can die. */
#pragma once
#include "lib/base/loop.h"
#include "lib/netlink/wg_backend.h"
#include "lib/netlink/wg_look.h"

struct rtnl;
struct wg_tunnel;

/* What was found changed by somebody else, and put right. */
enum wg_tunnel_repair { WG_TUNNEL_DEVICE, WG_TUNNEL_PROCESS };

struct wg_tunnel_config {
	const char *name;           /* of the device; also in the object of each repair */
	const char *area;           /* of log lines */
	enum wg_backend backend;    /* wanted */
	const uint8_t *private_key; /* 32 bytes, copied */
	uint16_t port;
	uint32_t mtu;
	const char *run_dir;        /* of the pid file */
	const char *log_file;       /* of the process; NULL = none */
	/* The device is there and down, perhaps a new one: its programs. An error leaves it down. */
	int (*guard)(void *ctx, uint32_t ifindex);
	/* It is up: the routes into it. */
	int (*route)(void *ctx, uint32_t ifindex);
	/* It is there again, has key and port, and knows nobody: all peers. -errno, or positive with why: tried again later. */
	int (*replay)(void *ctx, struct why *why);
	/* It was down and is up again: its peers are there, their sessions went. NULL = nothing to do. */
	void (*reopened)(void *ctx);
	void (*repaired)(void *ctx, enum wg_tunnel_repair what, const char *object, int error);
	/* What came of wg_tunnel_look. NULL: it is never called. */
	void (*looked)(void *ctx, const struct wg_look_result *result);
	/* How long what is behind the device may be silent before a call of the loop gives up; 0 = the backend's default. */
	uint32_t patience_ms;
	void *ctx;
};

/* Makes the device (down), or finds it; one of the other backend's is removed first, if it must be. E_REFUSED with why. */
int wg_tunnel_new(struct loop *loop, struct rtnl *rtnl, const struct wg_tunnel_config *config, struct wg_tunnel **ret_tunnel, struct why *why);
/* Guard, process (adopted or started), up, route. *ret_started (may be NULL): what is behind the device is new and knows nobody. Key and
 * port are set by the caller with wg_tunnel_set_device, before its first peer. */
int wg_tunnel_up(struct wg_tunnel *tunnel, bool *ret_started);
/* Ends our part; device and process go on. NULL is fine; returns NULL. */
struct wg_tunnel *wg_tunnel_free(struct wg_tunnel *tunnel);
void wg_tunnel_wipe(struct wg_tunnel *tunnel); /* ends the process and removes the device; wg_tunnel_free is still due */

uint32_t wg_tunnel_ifindex(const struct wg_tunnel *tunnel);
const struct wg *wg_tunnel_wg(const struct wg_tunnel *tunnel); /* for the loop's thread */
const uint8_t *wg_tunnel_public_key(const struct wg_tunnel *tunnel);
int wg_tunnel_set_device(struct wg_tunnel *tunnel); /* touches nothing that is right */
bool wg_tunnel_answers(const struct wg_tunnel *tunnel); /* false: the last look was in vain, or it is not whole yet; who must not wait does not ask */
uint64_t wg_tunnel_restarts(const struct wg_tunnel *tunnel); /* of the process, since our start */

/* ---- repair: on a timer, each difference told ---- */

/* Device: there, MTU, IPv6, up. False: it is on its way back, and so are its peers. */
bool wg_tunnel_repair(struct wg_tunnel *tunnel);
/* What came of the caller's dump: 0 with the device as it was found (key and port are put right), or the error. A process that does not
 * answer for three looks is ended, and comes back as after a death. */
void wg_tunnel_looked(struct wg_tunnel *tunnel, int error, const struct wg_device *device);
/* A dump that nobody waits for (wg_look.h): judged as by wg_tunnel_looked, then given to config.looked. -EBUSY: one is under way. */
int wg_tunnel_look(struct wg_tunnel *tunnel);
