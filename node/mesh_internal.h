/* mesh_internal - what mesh.c and mesh_repair.c share. */
#pragma once
#include "lib/netlink/wg_process.h"
#include "lib/netlink/wg_uapi.h"
#include "node/mesh.h"

#define MESH_RESTART_MS 100
#define MESH_HANDSHAKE_FRESH_S 180

struct mesh {
	struct loop *loop;
	struct rtnl *rtnl;
	struct mesh_config config;
	char region[NAME_REGION_SIZE], run_dir[96], log_file[200];
	uint8_t private_key[WG_KEY_LEN], public_key[WG_KEY_LEN];
	struct wg_process_config process_config;
	struct wg_process process;
	struct loop_io death;
	struct loop_timer restart;
	struct wg_uapi uapi;
	struct wg wg;
	uint32_t ifindex;
	uint64_t restarts;
	struct node_record *nodes; /* the last desired set, to be replayed after a restart; NULL = not known yet */
	size_t n_nodes;
	struct wg_observed before; /* of the last look, for mesh_keep_roamed */
	bool greet_due;            /* a process was started at our own start: its first peers are greeted */
	unsigned unanswered;       /* looks in a row that the process did not answer */
};

/* A machine whose IPv6 is off by default gives the device none, and without it there is no way into the mesh. Ours alone is switched on;
 * the setting goes with the device. */
int mesh_need_ipv6(bool *ret_was_off);
