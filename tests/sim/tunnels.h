/* tunnels - the device of a simulated gateway: what its WireGuard holds of customers' peers, and the ways beside it. It outlives the daemon
 * and is lost with the machine's power. The role that drives it is the product's (gateway/peers.c). Both ways are judged there and then:
 * nothing gets in that the log never gave to this gateway, and nothing goes unless the log says so (I8, I9). */
#pragma once
/* Two roles have a struct of this name, which otherwise never meet. */
#define plan gateway_plan
#include "gateway/peers.h"
#undef plan
#include "node/role.h"

#define TUNNELS_MAX 128
#define WAYS_MAX 256

struct tunnel { /* an entry of WireGuard */
	uint8_t public_key[32], preshared_key[32]; /* zeros = none */
	struct wg_prefix prefix;
	bool has_prefix; /* it may have lost it to another */
	uint64_t last_handshake_s;
};

struct tunnels {
	struct tunnel list[TUNNELS_MAX];
	size_t n;
	struct plan_way ways[WAYS_MAX];
	size_t n_ways;
};

extern const struct role_ops sim_gateway_role;

struct host;
/* The WireGuard process died, and the daemon has noticed. */
void tunnels_die(struct host *h);
