/* ways - what the machine needs beside WireGuard so that packets of a network reach its peers and its resolver: one route into the device
 * in table 6000 and one local address, fdaa:<network>::3, per network. */
#pragma once
#include "gateway/plan.h"

struct rtnl;

/* The effects, so that the order of a change can be judged without a kernel. */
struct ways_ops {
	int (*add)(void *ctx, const struct plan_way *way); /* takes the place of whatever is there */
	int (*remove)(void *ctx, const struct plan_way *way);
	/* All that are there: ours, and others into our device. Free *ret_ways. */
	int (*list)(void *ctx, struct plan_way **ret_ways, size_t *ret_n);
};

struct ways {
	struct rtnl *rtnl;
	uint32_t device; /* ifindex; changes when the device is made anew; 0 = there is none */
	uint32_t loopback;
};
extern const struct ways_ops ways_ops; /* ctx = struct ways */
int ways_remove_all(struct ways *w, size_t *ret_n);

#define WAY_TEXT_LEN 64
const char *way_text(const struct plan_way *way, char ret_text[WAY_TEXT_LEN]); /* "fdaa:1:2:a123:7::/80" */
