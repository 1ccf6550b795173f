/* store_peer_internal - what the files about peers, and those that delete what peers are in, share. Internal to the store. */
#pragma once
#include "controller/store/placement.h"
#include "controller/store/store_peer.h"
#include "controller/store/store_region.h"
#include "lib/base/buf.h"

struct statement;

int peer_get(struct store *store, const uint8_t id[ID_LEN], struct store_peer *ret_peer, bool *ret_found) MUST_CHECK;
/* The record alone, and its v into the row; and the record of its key for one gateway. */
int peer_emit(struct store *store, struct op *op, struct store_peer *peer) MUST_CHECK;
int peer_emit_key(struct store *store, struct op *op, const struct store_peer *peer, uint32_t gateway,
		  const uint8_t *preshared_key) MUST_CHECK;
/* Which gateways hold the key now: its own, and while it moves the one that it is on its way to. */
#define PEER_GATEWAYS_MAX 4
int peer_key_holders(struct store *store, const uint8_t id[ID_LEN], uint32_t ret_gateways[PEER_GATEWAYS_MAX], size_t *ret_n) MUST_CHECK;
/* E_REFUSED unless op's principal may change that peer. */
int peer_check_may(struct store *store, const struct principal *who, const struct store_peer *peer, struct why *why) MUST_CHECK;
int peer_find_to_change(struct store *store, struct op *op, const char *org_ref, const char *ref, struct store_peer *ret_peer) MUST_CHECK;
/* E_REFUSED "key_taken" if a peer of anybody, a gateway, a host or a node's link has that key. */
int peer_check_key_free(struct store *store, const uint8_t public_key[32], struct why *why) MUST_CHECK;
/* Tombstones of peer and key, and its prefix rests. */
int peer_remove(struct store *store, struct op *op, const struct store_peer *peer, uint32_t intent) MUST_CHECK;
/* A gateway goes: what is on its way from there has moved, what is on its way to there stays where it is. */
int peer_forget_gateway(struct store *store, struct op *op, uint32_t host) MUST_CHECK;
/* At most `max` of the peers whose ids the statement gives in its first column. */
int peer_remove_all(struct store *store, struct op *op, struct statement *st, uint32_t intent, size_t max, size_t *ret_n) MUST_CHECK;

/* All gateways as candidates for a peer: live only if they also have a key and a host name to give out. struct placement_node each. */
int peer_load_gateways(struct store *store, const uint32_t *live, size_t n_live, struct buf *ret_nodes) MUST_CHECK;
/* The gateway of that name, if it may be given peers now; region NULL = any. */
int peer_check_gateway(struct store *store, const char *name, const char *region, const uint32_t *live, size_t n_live,
		       uint32_t *ret_gateway, struct why *why) MUST_CHECK;
/* Fills in gateway and requested_region of the record: that gateway, or the region's (else, with a warning, the nearest one's). nodes: of
 * peer_load_gateways. */
int peer_place_at(struct store *store, struct op *op, const char *name, const char *region, const uint32_t *live, size_t n_live,
		  const struct buf *nodes, struct peer_record *rec) MUST_CHECK;
int peer_place_in_region(struct op *op, const struct store_region *region, bool strict, const struct buf *nodes, struct peer_record *rec,
			 char ret_warning[STORE_PEER_WARNING_SIZE]) MUST_CHECK;
