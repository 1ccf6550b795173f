/* mesh - one WireGuard device to all other nodes: one AllowedIPs per node, its /48 in mesh form, whatever runs there, and one more per
 * address that moved to it (moved.h). */
#pragma once
#include "lib/base/loop.h"
#include "lib/netlink/rtnl.h"
#include "lib/netlink/wg.h"
#include "lib/netlink/wg_backend.h"
#include "node/moved.h"
#include "node/replica.h"
#include "node/role.h"

#define MESH_DEVICE "sixpn-mesh"

struct mesh;

struct mesh_config {
	uint32_t host;               /* own host word */
	const char *region;          /* LAN endpoints are used within it */
	const uint8_t *private_key;  /* 32 bytes, copied */
	uint16_t port;
	enum wg_backend backend;     /* wanted */
	const char *run_dir;         /* of the pid file */
	const char *log_file;        /* of wireguard-go; NULL = none */
	bool came_back; /* it was a node before: others may still hold sessions with a process that is no more */
	/* The device is there and down, perhaps a new one: its programs. An error leaves it down. */
	int (*guard)(void *ctx, uint32_t ifindex);
	/* It is up: the routes into it. */
	int (*route)(void *ctx, uint32_t ifindex);
	struct repair_sink sink; /* what had to be put right */
	void *ctx;
};

/* Makes the device (down). */
int mesh_new(struct loop *loop, struct rtnl *rtnl, const struct mesh_config *config, struct mesh **ret_mesh, struct why *why);
/* Guard, process (adopted or started), up, route. The same again whenever the device or the process is gone. */
int mesh_up(struct mesh *mesh);
/* Ends our part; device and process go on. */
struct mesh *mesh_free(struct mesh *mesh);
void mesh_wipe(struct mesh *mesh); /* ends the process and removes the device */
uint32_t mesh_ifindex(const struct mesh *mesh);

/* The peers that these nodes make (pure): all but ourselves; one without an endpoint that we may dial has to speak first. In our own
 * region an endpoint of the LAN is taken if there is one, elsewhere never. What moved to a node that is not there goes nowhere but home.
 * ret_peers holds n_nodes, ret_prefixes n_nodes + moved->n. */
size_t mesh_plan(uint32_t self, const char *region, const struct node_record *nodes, size_t n_nodes, const struct moved *moved,
		 struct wg_peer *ret_peers, struct wg_prefix *ret_prefixes);
/* Brings WireGuard to the node records of the replica and to what moved. -errno; E_REFUSED with why: the records contradict each other. */
int mesh_sync(struct mesh *mesh, const struct replica *replica, const struct moved *moved, struct why *why);

struct mesh_status {
	size_t peers, peers_up; /* up = a handshake in the last 180 s */
	uint64_t restarts;      /* of the process, since our start */
	const char *backend;
};
void mesh_status(struct mesh *mesh, struct mesh_status *ret_status);

/* ---- mesh_repair.c ---- */

/* Outside an apply: device, key, port, peers and AllowedIPs as they must be, each difference told to the sink. A device that is gone is
 * made anew and a process that does not answer for three rounds is ended; both come up by the steps of mesh_up. */
void mesh_repair(struct mesh *mesh);
/* A peer that moved speaks from where it is now, and its endpoint is no drift: such a desired endpoint is replaced by the observed one
 * (pure; -ENOMEM). Moved: the handshake is fresh, and the endpoint did not change since `before` (NULL = not known) without a packet of
 * its. `may` (NULL = always) has the last word. */
struct wg_observed;
int mesh_keep_roamed(struct wg_peer *desired, size_t n, const struct wg_observed *before, const struct wg_observed *now, uint64_t now_s,
		     bool (*may)(void *ctx, const struct wg_peer *desired), void *ctx);
