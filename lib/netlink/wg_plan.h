/* wg_plan - from the desired peers and the observed ones to ordered steps. Pure: no I/O, no clock.
 *
 * Order: (1) peers that nobody asks for are removed; (2) prefixes that peers lose are taken from them; (3) everything else is added or
 * updated. So a prefix (or a re-keyed node's prefix) has left its old owner before the new one gets it, in any permutation, and no peer is
 * ever without the prefixes that it keeps. A plan made from its own outcome is empty.
 *
 * WireGuard can only replace all prefixes of a peer (clear, then add: packets in between have no way), or give one to somebody else. So
 * what is to be taken is given to a peer that can never exist (its key is of low order: no handshake is made with it), which is removed in
 * the next step.
 *
 * A desired endpoint that differs from the observed one is set (a desired peer without endpoint leaves the observed one alone).
 * E_REFUSED with why, and no plan, when the desired set holds one key twice, one prefix at two peers, or more than
 * WG_ALLOWED_MAX prefixes at one. */
#pragma once
#include "lib/netlink/wg.h"

struct wg_plan {
	struct wg_step *steps;  /* their peers are copies in the plan: it stands alone */
	size_t n;
	struct wg_peer *peers; /* owned, as is the array of prefixes they use */
	struct wg_prefix *prefixes;
};

int wg_plan_make(const struct wg_peer *desired, size_t n_desired, const struct wg_peer_status *observed, size_t n_observed,
		 struct wg_plan *ret_plan, struct why *why);
void wg_plan_deinit(struct wg_plan *plan);
/* Is it the peer that only takes prefixes away? */
bool wg_plan_is_nobody(const struct wg_peer *peer);
/* "fdaa:1::/48 and 2 more prefixes at a peer that may not have it": what it takes, for people. */
const char *wg_plan_nobody_text(const struct wg_peer *nobody, char *ret_text, size_t size);
