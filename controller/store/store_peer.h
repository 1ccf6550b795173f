/* store_peer - WireGuard peers: a name, a /120 of its own for ever, a gateway, and a key that only that gateway is told. Peer and key are
 * written in one transaction; whoever sees a peer finds its key, and nobody finds half of one.
 *
 * A name is unique in its org whatever its case; its DNS label is unique in its network (lib/sixpn/peer_name.h). A token that is
 * own_only sees the peers of its org, and changes only those that were made with it. */
#pragma once
#include "controller/store/store.h"

#define STORE_PEER_WARNING_SIZE 320
#define STORE_PEER_SWEEP_MAX 200  /* peers that one op deletes of itself */
#define STORE_PEER_PRUNE_MAX 1000 /* and at the wish of somebody */

struct store_peer {
	struct peer_record record;
	uint8_t org[ID_LEN];
	char org_name[NAME_SIZE], network_name[NAME_SIZE];
	char gateway_name[NAME_SIZE], region[NAME_REGION_SIZE]; /* where its tunnel ends */
	uint32_t next_gateway;        /* it is on its way there (store_peer_move.h); 0 = it is not */
	char next_name[NAME_SIZE];
	/* What its file should name: of the next gateway if it is on its way. */
	char gateway_host[256];
	uint16_t gateway_port;
	uint8_t gateway_key[32]; /* zeros = not known */
	uint8_t public_key[32];
	bool has_preshared_key;
	uint8_t made_by[ID_LEN]; /* zeros = the controller's own socket */
	char made_by_text[PRINCIPAL_TEXT_SIZE];
	uint64_t created_ms, used_ms; /* used_ms: of the first handshake that was heard of; 0 = none */
	uint64_t v;                   /* of its record now */
};

struct store_peer_new {
	const char *org;     /* as in store_org_find */
	const char *network; /* NULL = "default" */
	const char *name;
	const char *region;  /* NULL = nearest to where the network's instances run */
	const char *gateway; /* NULL = placed; else a node's name */
	uint8_t public_key[32], preshared_key[32];
	bool has_preshared_key;
	bool strict, ephemeral;
	uint64_t expires_ms; /* Unix time; 0 = never */
	const uint32_t *live; /* host words of the nodes that are live now */
	size_t n_live;
	/* Instead of this peer of the same org, whose gateway fell silent before it knew of it: the old one goes in the same transaction,
	 * and also if there is no place for the new one (op->keep_refusal). NULL = none. */
	const uint8_t *instead_of;
};

/* warning: "" or what was given instead of what was asked. E_REFUSED: name_invalid, name_taken, key_taken, quota_exceeded,
 * no_gateway, no_gateway_in_region, gateway_not_found, gateway_not_live, gateway_wrong_region ... */
int store_peer_create(struct store *store, struct op *op, const struct store_peer_new *in, struct store_peer *ret_peer,
		      char ret_warning[STORE_PEER_WARNING_SIZE]) MUST_CHECK;

/* By name, org/name or id. */
int store_peer_find(struct store *store, const struct principal *who, const char *org_ref, const char *ref, struct store_peer *ret_peer,
		    struct why *why) MUST_CHECK;
struct store_peer_filter {
	const char *org;    /* NULL = all that are visible */
	const char *region; /* of the gateway; NULL = all */
	uint32_t network;   /* 0 = all */
	uint32_t gateway;   /* 0 = all */
};
int store_peer_list(struct store *store, const struct principal *who, const struct store_peer_filter *filter,
		    const struct store_page *page, void (*each)(void *arg, const struct store_peer *peer), void *arg,
		    struct store_next *ret_next, struct why *why) MUST_CHECK;

struct store_peer_update {
	bool set_expires, set_ephemeral, ephemeral, set_suspended, suspended;
	uint64_t expires_ms; /* 0 = never */
};
/* What is so already changes nothing (op->v stays 0). */
int store_peer_update(struct store *store, struct op *op, const char *org_ref, const char *ref, const struct store_peer_update *in,
		      struct store_peer *ret_peer) MUST_CHECK;
/* Keeps name, address and gateway. preshared_key NULL: it has none from now on. */
int store_peer_rekey(struct store *store, struct op *op, const char *org_ref, const char *ref, const uint8_t public_key[32],
		     const uint8_t *preshared_key, struct store_peer *ret_peer) MUST_CHECK;
/* Is this its preshared key (NULL: has it none)? In constant time. */
int store_peer_same_preshared(struct store *store, const uint8_t id[ID_LEN], const uint8_t *preshared_key, bool *ret_same) MUST_CHECK;
int store_peer_delete(struct store *store, struct op *op, const char *org_ref, const char *ref, struct store_peer *ret_peer) MUST_CHECK;

/* Those that were never used, of one org, at most STORE_PEER_PRUNE_MAX; each is told. *ret_more: there are others. */
struct store_peer_prune {
	const char *org;        /* as in store_org_find */
	uint32_t network;       /* 0 = all */
	uint64_t older_than_ms; /* made so long ago at least: who has just made one has not come to use it */
};
int store_peer_prune(struct store *store, struct op *op, const struct store_peer_prune *in,
		     void (*each)(void *arg, const struct store_peer *peer), void *arg, bool *ret_more) MUST_CHECK;

/* By the controller itself: those whose time is up; of `idle` those that are ephemeral and were made idle_ms ago or before; and those of
 * networks that are being deleted. At most STORE_PEER_SWEEP_MAX of each. */
struct store_peer_swept {
	size_t deleted;
	uint64_t next_expiry_ms; /* Unix time; UINT64_MAX = none expires */
	bool more;               /* a network that is being deleted has peers left */
};
int store_peer_sweep(struct store *store, struct op *op, const uint8_t (*idle)[ID_LEN], size_t n_idle, uint64_t idle_ms,
		     struct store_peer_swept *ret_swept) MUST_CHECK;
/* Their gateway (op->principal) has seen a handshake of them. Once in a peer's life, and no record of it. */
int store_peer_note_used(struct store *store, struct op *op, const uint8_t (*ids)[ID_LEN], size_t n) MUST_CHECK;
