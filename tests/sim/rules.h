/* rules - peering rules in the simulator: asked for, ended, and what a node may have open at a V (I11). */
#pragma once
#include "node/node.h"

#define RULE_PAIRS_MAX 64
#define RULE_MEMBERS_MAX 512

/* What the maps of a simulated machine hold. */
struct open_rules {
	struct bpf_rule_pair pairs[RULE_PAIRS_MAX];
	size_t n_pairs;
	struct in6_addr members[RULE_MEMBERS_MAX];
	size_t n_members;
};

int sim_open_rules(struct node *node);
int sim_close_rules(struct node *node);

struct host;
/* I11: once a node has applied V, exactly the pairs of the rules that the log has at V are open, and only instances are members. */
void rules_check(struct host *h);

struct world;
void model_act_on_rules(struct world *w);
