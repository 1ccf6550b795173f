/* presence - which host may speak in which network, derived from the instance and peer records in scope, and kept in the BPF map.
 * Additions and removals are apart, because additions come first of all (make before break) and removals last. */
#pragma once
#include "lib/bpf/maps.h"
#include "node/replica.h"
#include "node/role.h"

struct presence_pair {
	uint32_t network, host;
};

struct presence {
	struct presence_pair *pairs; /* sorted, no duplicates */
	size_t n;
};

/* The pairs of the replica (pure). A suspended network has none. -ENOMEM. */
int presence_wanted(const struct replica *replica, struct presence *ret_presence) MUST_CHECK;
void presence_deinit(struct presence *p);
/* A network that is not known is suspended. */
bool presence_suspended(const struct replica *replica, uint32_t network);
bool presence_has(const struct presence *p, uint32_t network, uint32_t host);
bool presence_equal(const struct presence *a, const struct presence *b);

/* Adds what is missing in the map. What it does not take is in *ret_refused (which may hold those of before), the rest is added; the
 * first error. */
int presence_add(struct bpf_datapath *datapath, const struct presence *wanted, struct presence *ret_refused, size_t *ret_added);
/* Removes from the map what is not wanted. */
int presence_remove(struct bpf_datapath *datapath, const struct presence *wanted, size_t *ret_removed);
/* Outside an apply: the map as it must be, each difference told. What is too much goes first. What the last apply could not add
 * (`unheard`) is a record error and tried again by applies. */
int presence_repair(struct bpf_datapath *datapath, const struct presence *wanted, const struct presence *unheard,
		    const struct repair_sink *sink);
