/* stats - what a look at the device says of each peer: kept with it, counted, and told to the controller where it differs from what was
 * said before. A new handshake or endpoint is told at once; bytes alone after STATS_BYTES_MS, so that thousands of busy peers cost a few
 * reports a minute. Never in the log. */
#pragma once
#include "gateway/peers.h"

#define STATS_ONLINE_S 180      /* a handshake that old has no session any more */
#define STATS_BYTES_MS 30000

struct stats {
	size_t online, offline, never; /* of the last look */
	uint64_t handshakes;           /* seen since our start */
};

/* Calls tell (many times, for at most STATS_TELL_MAX at once) with what is to be told. */
#define STATS_TELL_MAX 256
void stats_take(struct stats *s, struct peers *peers, const struct wg_observed *observed, const struct clock *clock,
		void (*tell)(void *ctx, const struct role_peer_stats *told, size_t n), void *ctx);
