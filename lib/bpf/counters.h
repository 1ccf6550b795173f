/* counters - drops by reason, passes by hook, bytes by network and direction: sums over all CPUs since the maps were made. */
#pragma once
#include "lib/bpf/datapath.h"

struct bpf_count {
	uint64_t packets, bytes;
};
struct bpf_counters {
	struct bpf_count dropped[SIXPN_REASON_SLOTS]; /* by enum sixpn_reason */
	struct bpf_count passed[SIXPN_HOOK_COUNT];    /* by enum sixpn_hook */
};

int bpf_counters_read(struct bpf_datapath *dp, struct bpf_counters *ret_counters) MUST_CHECK;

/* Bytes by (network, where to): one call per network and hook that had packets. A callback result other than 0 ends the walk. */
int bpf_traffic_list(struct bpf_datapath *dp, int (*each)(void *ctx, uint32_t network, enum sixpn_hook hook, struct bpf_count count),
		     void *ctx);
/* Forgets a network that left this node. */
int bpf_traffic_remove(struct bpf_datapath *dp, uint32_t network);

/* The table of reasons. NULL for a number that is none. */
const char *bpf_reason_name(unsigned reason);     /* "source_foreign" */
const char *bpf_reason_sentence(unsigned reason); /* for people */
uint32_t bpf_reason_hooks(unsigned reason);       /* bit set of 1 << enum sixpn_hook; 0 if none */
const char *bpf_hook_name(unsigned hook);         /* "instance_ingress" */
