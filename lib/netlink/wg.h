/* wg - WireGuard behind one interface: the device's key and port, its peers, and what it says of them.
 *
 * Keys are 32 raw bytes. The desired set (what records ask for) and the active set (what the device has) are kept apart: the
 * caller owns the desired set, dump shows the active one, wg_plan.h turns the two into steps, apply carries the steps out.
 * Nothing here ever replaces the whole set of a live device. */
#pragma once
#include "lib/base/err.h"

#include <netinet/in.h>
#include <sys/socket.h>

#define WG_KEY_LEN 32
#define WG_ALLOWED_MAX 65536 /* prefixes per peer: a node carries its own /48 and every address that moved to it */

struct wg_prefix {
	uint8_t family; /* AF_INET or AF_INET6 */
	uint8_t len;
	uint8_t addr[16]; /* 4 bytes and zeros for AF_INET; bits behind len are zero */
};

struct wg_peer {
	uint8_t public_key[WG_KEY_LEN];
	bool has_preshared;
	uint8_t preshared_key[WG_KEY_LEN]; /* secret: whoever keeps a struct wipes it */
	struct sockaddr_storage endpoint; /* ss_family 0 = none known: the peer speaks first */
	uint16_t keepalive_s;             /* 0 = off */
	const struct wg_prefix *allowed;  /* borrowed */
	size_t n_allowed;
};

struct wg_peer_status {
	struct wg_peer peer;
	uint64_t last_handshake_s; /* Unix time; 0 = never */
	uint64_t rx_bytes, tx_bytes;
};

struct wg_device {
	bool has_key;
	uint8_t public_key[WG_KEY_LEN]; /* of the device, if has_key */
	uint16_t listen_port;
};

enum wg_step_kind {
	WG_STEP_REMOVE, /* peer->public_key only */
	WG_STEP_UPDATE, /* of a peer that is there */
	WG_STEP_ADD,    /* with everything */
};

struct wg_step {
	enum wg_step_kind kind;
	const struct wg_peer *peer; /* allowed: what to add, or with replace_allowed all it shall have */
	bool set_endpoint, set_keepalive, replace_allowed;
	bool set_preshared; /* has_preshared false: it is taken away */
};

struct wg_ops {
	const char *name; /* "userspace": for the log */
	/* Sets what differs, touches nothing else. */
	int (*set_device)(void *ctx, const uint8_t private_key[WG_KEY_LEN], uint16_t listen_port);
	/* In order; not atomic: after an error dump and plan again. */
	int (*apply)(void *ctx, const struct wg_step *steps, size_t n);
	/* ret_device may be NULL. What `each` is given is valid during the call only. each may be NULL. */
	int (*dump)(void *ctx, void (*each)(void *each_ctx, const struct wg_peer_status *status), void *each_ctx,
		    struct wg_device *ret_device);
};

struct wg {
	const struct wg_ops *ops;
	void *ctx;
};

static inline int wg_set_device(const struct wg *wg, const uint8_t private_key[WG_KEY_LEN], uint16_t listen_port)
{
	return wg->ops->set_device(wg->ctx, private_key, listen_port);
}
static inline int wg_apply(const struct wg *wg, const struct wg_step *steps, size_t n)
{
	return wg->ops->apply(wg->ctx, steps, n);
}
static inline int wg_dump(const struct wg *wg, void (*each)(void *each_ctx, const struct wg_peer_status *status), void *each_ctx,
			  struct wg_device *ret_device)
{
	return wg->ops->dump(wg->ctx, each, each_ctx, ret_device);
}

/* A dump kept: deep copies. Preshared keys are in it, and are wiped with it. */
struct wg_observed {
	struct wg_peer_status *peers;
	size_t n, cap;
	struct wg_device device;
};
int wg_observe(const struct wg *wg, struct wg_observed *ret_observed);
int wg_observed_add(struct wg_observed *observed, const struct wg_peer_status *status); /* takes the (allocated) prefixes over */
void wg_observed_deinit(struct wg_observed *observed);

/* dump, plan, apply: brings the active set to the desired one. *ret_steps (may be NULL) = how many steps it took, 0 = nothing to
 * do. E_REFUSED + why: the desired set contradicts itself (wg_plan.h) and nothing was changed. */
int wg_reconcile(const struct wg *wg, const struct wg_peer *desired, size_t n, size_t *ret_steps, struct why *why);

/* Makes the device open a session with every peer of known endpoint and without keepalive (one with keepalive is greeted when it
 * is added). Needed after the WireGuard process died and got its configuration again: the others still send with the old
 * session, and would only notice after 15 s.
 *
 * Not for a cluster's first start, and the reason to give keepalive to one of two ends at most: when both open at the same
 * instant, wireguard-go 0.0.20220316 can end with sessions that do not fit each other (about 1 in 15 tried), again for 15 s.
 * Sessions opened by traffic have one beginner. */
int wg_greet(const struct wg *wg, const struct wg_peer *desired, size_t n);

/* An IPv6 prefix with the bits behind len cleared. */
struct wg_prefix wg_prefix_in6(const struct in6_addr *addr, uint8_t len);
bool wg_prefix_equal(const struct wg_prefix *a, const struct wg_prefix *b);
/* Same family, address, port (and scope); IPv4 in its mapped IPv6 form equals IPv4. */
bool wg_endpoint_equal(const struct sockaddr_storage *a, const struct sockaddr_storage *b);
