/* tunnels - the gateway's role of a simulated node: what its WireGuard holds of customers' peers. It outlives the daemon and is lost with
 * the machine's power. Both ways are judged there and then: nothing gets in that the log never gave to this gateway, and nothing goes
 * unless the log says so (I8, I9). */
#pragma once
#include "node/role.h"

#define TUNNELS_MAX 128

struct tunnel { /* an entry of WireGuard */
	uint8_t peer[8], public_key[32];
	struct in6_addr address;
	uint32_t network;
};

struct tunnels {
	struct tunnel list[TUNNELS_MAX];
	size_t n;
};

extern const struct role_ops sim_gateway_role;
