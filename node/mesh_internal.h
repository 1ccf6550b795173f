/* mesh_internal - what mesh.c and mesh_repair.c share. */
#pragma once
#include "lib/netlink/wg_tunnel.h"
#include "node/mesh.h"

#define MESH_HANDSHAKE_FRESH_S 180

struct mesh {
	struct mesh_config config;
	char region[NAME_REGION_SIZE];
	struct wg_tunnel *tunnel;
	struct node_record *nodes; /* the last desired set, to be replayed after a restart; NULL = not known yet */
	size_t n_nodes;
	struct moved moved; /* of the same set */
	struct wg_observed before; /* of the last look, for mesh_keep_roamed */
	bool greet_due;            /* a process was started at our own start: its first peers are greeted */
};
