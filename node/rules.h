/* rules - which addresses of other networks may speak with which of ours: the peering rules of the records in scope, kept in the BPF
 * maps. A node knows a rule from either end that it carries; where it carries both, the two records say the same.
 *
 * Members are the instances that have a part: our own of a network with a rule, and those at its other end, of which the controller
 * sends a record each. Pairs are who may open to whom. Either alone lets nothing pass. */
#pragma once
#include "lib/bpf/maps.h"
#include "node/replica.h"
#include "node/role.h"

struct rule_member {
	struct in6_addr prefix; /* /112, the bits behind it zero */
	uint8_t app[RECORD_APP_ID_LEN];
};

struct rules {
	struct bpf_rule_pair *pairs; /* sorted, each once */
	size_t n_pairs;
	struct rule_member *members; /* sorted by prefix, each once */
	size_t n_members;
};

/* The rules of the replica (pure). A suspended network has none, nor has one that is not known. -ENOMEM. */
int rules_wanted(const struct replica *replica, struct rules *ret_rules) MUST_CHECK;
void rules_deinit(struct rules *r);
bool rules_equal(const struct rules *a, const struct rules *b);

/* Adds what is missing in the maps, members first; goes on after an error and returns the first. */
int rules_add(struct bpf_datapath *datapath, const struct rules *wanted);
/* Removes from the maps what is not wanted, pairs first. */
int rules_remove(struct bpf_datapath *datapath, const struct rules *wanted);
/* Outside an apply: the maps as they must be, each difference told. What is too much goes first. */
int rules_repair(struct bpf_datapath *datapath, const struct rules *wanted, const struct repair_sink *sink);
