/* peers_internal - what peers.c (bringing it there) and peers_repair.c (keeping it there) share. */
#pragma once
#include "gateway/peers.h"
#include "lib/base/map.h"

#define AREA "gateway"

struct entry {
	uint8_t key[WG_KEY_LEN];
	struct peers_entry of;
};

struct refusal {
	uint8_t id[8];
	uint64_t v;
	char text[160];
};

struct peers {
	struct peers_parts parts;
	struct role_peer *desired; /* of the last sync, deep */
	size_t n_desired;
	uint32_t *networks;
	size_t n_networks;
	uint64_t stamp;
	bool asked; /* there was a sync */
	bool clean; /* and everything of it is done */
	bool behind; /* the last replay was left half-done */
	/* What the device has. Not known before the first look, and after a set that failed half-way. */
	bool known;
	struct wg_peer_status *have;
	struct wg_prefix *have_prefixes;
	size_t n_have;
	struct map entries; /* key -> struct entry */
	struct refusal *refusals;
	size_t n_refusals;
	uint64_t changes;
	struct histogram installs;
};

/* What is wanted, against what the device is remembered to have; ways are the caller's. */
struct plan_input peers_input_of(const struct peers *p);
/* told: the repair that each of them is, REPAIR_KINDS = none. The first error; the rest is done. */
int peers_change_ways(struct peers *p, const struct plan_way *ways, size_t n, int (*how)(void *ctx, const struct plan_way *way),
		      enum repair told);
int peers_change_peers(struct peers *p, const struct plan *plan);
/* The device has what the plan wanted. was_there: it had its peers before us. */
void peers_settle(struct peers *p, const struct plan *plan, bool was_there);
void peers_forget_have(struct peers *p);
