/* peers - I9: only the gateways that the controller's tables name ever hold a peer's key, and a peer is never without; checked from the
 * archive and from the tables, with SQL and protobuf of our own. */
#pragma once
#include "tests/sim/world.h"

/* After each commit: tables and log say the same of peers and of who holds their keys. */
void check_peers(struct ctl *ctl);
/* Is this entry what the log wants from V on, without a break, at that gateway? */
bool peers_is_wanted(const struct archive *a, uint32_t gateway, uint64_t v, const struct tunnel *t);
/* Has any V of the log given that key to that gateway? */
bool peers_was_given(const struct archive *a, uint32_t gateway, const uint8_t public_key[32]);
/* At rest: the gateway's WireGuard holds what the log says, and nothing else. */
bool peers_at_rest(struct host *h, const struct archive *a, char ret_why[300]);
