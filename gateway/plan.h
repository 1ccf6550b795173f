/* plan - from the peers that records ask for and what the machine has to ordered steps. Pure: no I/O, no clock.
 *
 * The order: ways that are missing are added (a way to a device that knows nobody leads nowhere); then WireGuard is changed (wg_plan.h:
 * entries that nobody asks for go first, then prefixes that move, then what is new); then ways that nobody needs go. So whoever can
 * connect has everything he needs, and who is gone from WireGuard no longer sends when his network's ways go.
 *
 * A key or a prefix has one owner. Where two records claim one, the peer that has it in the device already keeps it, else the older
 * record; the other is refused and everything else goes on. Asked before anything is set: WireGuard itself would move the prefix silently
 * to whoever came last. */
#pragma once
#include "lib/netlink/wg_plan.h"
#include "node/role.h"

enum plan_way_kind {
	PLAN_ROUTE = 1, /* dst into the device, in table 6000 */
	PLAN_RESOLVER,  /* dst is local: fdaa:<network>::3 */
};

struct plan_way {
	enum plan_way_kind kind;
	struct in6_addr dst;
	uint8_t dst_len;
};

struct plan_input {
	uint32_t self;          /* our host word */
	const uint8_t *own_key; /* public key of our device: nobody else's */
	const struct role_peer *peers; /* as in role_desired */
	size_t n_peers;
	const uint32_t *networks;
	size_t n_networks;
	const struct wg_peer_status *there; /* the entries of the device */
	size_t n_there;
	const struct plan_way *ways; /* that are there */
	size_t n_ways;
};

struct plan_refusal {
	const struct role_peer *peer;
	char text[160];
};

struct plan {
	struct plan_way *add;    /* first */
	size_t n_add;
	struct wg_plan wg;       /* then */
	struct plan_way *remove; /* last */
	size_t n_remove;
	struct wg_peer *wanted;  /* what the device has afterwards */
	const struct role_peer **owners; /* of each of them */
	struct wg_prefix *prefixes;
	size_t n_wanted;
	struct plan_refusal *refusals;
	size_t n_refusals;
};

/* 0 or -ENOMEM. A plan made from its own outcome has no steps. It borrows from the input's peers. */
int plan_make(const struct plan_input *in, struct plan *ret_plan) MUST_CHECK;
static inline bool plan_is_empty(const struct plan *plan)
{
	return !plan->n_add && !plan->wg.n && !plan->n_remove;
}
void plan_deinit(struct plan *plan); /* wipes the preshared keys in it */

/* The /120 that a peer owns. */
struct wg_prefix plan_peer_prefix(const struct peer_record *peer);
/* The part of a plan that is about ways alone: of these networks, and of peers from elsewhere that this gateway carries. */
int plan_make_ways(const struct plan_input *in, struct plan *ret_plan) MUST_CHECK;
