/* mesh - one WireGuard device to all other nodes: one AllowedIPs per node, its /48 in mesh form, whatever runs there. */
#pragma once
#include "lib/base/loop.h"
#include "lib/netlink/rtnl.h"
#include "lib/netlink/wg.h"
#include "node/replica.h"

#define MESH_DEVICE "sixpn-mesh"

struct mesh;

struct mesh_config {
	uint32_t host;               /* own host word */
	const char *region;          /* LAN endpoints are used within it */
	const uint8_t *private_key;  /* 32 bytes, copied */
	uint16_t port;
	const char *run_dir;         /* of the pid file */
	const char *log_file;        /* of wireguard-go; NULL = none */
};

/* Makes the device (down), adopts or starts the process behind it. The caller attaches programs and then calls mesh_up. */
int mesh_new(struct loop *loop, struct rtnl *rtnl, const struct mesh_config *config, struct mesh **ret_mesh, struct why *why);
int mesh_up(struct mesh *mesh);
/* Ends our part; device and process go on. */
struct mesh *mesh_free(struct mesh *mesh);
void mesh_wipe(struct mesh *mesh); /* ends the process and removes the device */
uint32_t mesh_ifindex(const struct mesh *mesh);

/* The peers that these nodes make (pure): all but ourselves; one without an endpoint that we may dial has to speak first. In our own
 * region an endpoint of the LAN is taken if there is one, elsewhere never. ret_peers and ret_prefixes hold n_nodes. */
size_t mesh_plan(uint32_t self, const char *region, const struct node_record *nodes, size_t n_nodes, struct wg_peer *ret_peers,
		 struct wg_prefix *ret_prefixes);
/* Brings WireGuard to the node records of the replica. -errno; E_REFUSED with why: the records contradict each other. */
int mesh_sync(struct mesh *mesh, const struct replica *replica, struct why *why);

struct mesh_status {
	size_t peers, peers_up; /* up = a handshake in the last 180 s */
	uint64_t restarts;      /* of the process, since our start */
	const char *backend;
};
void mesh_status(struct mesh *mesh, struct mesh_status *ret_status);
