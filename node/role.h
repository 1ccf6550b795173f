/* role - the one header between the node and its roles (agent = host, gateway). A role stands on lib and on this file alone; the
 * node knows roles only through the table in node/roles.c.
 *
 * The node owns all records. After every delta or snapshot it hands each role the complete desired state that concerns it
 * (level, not edge) and expects it to plan: desired + observed -> steps. What a role sees of its instances it reports by
 * role_env.ops->report; the node repeats that to the controller until the record comes back equal.
 */
#pragma once
#include "lib/base/clock.h"
#include "lib/base/config.h"
#include "lib/base/histogram.h"
#include "lib/base/loop.h"
#include "lib/sixpn/record.h"

struct rtnl;
struct bpf_datapath;

/* What a timer finds changed in the kernel by somebody else, and puts right. One line per kind of object; the name is that of metrics, of
 * `sixpn-node status` and of the log. Only what the records or the daemon's own rules ask for is ever put back. */
#define REPAIRS(X)                                                                                          \
	X(REFUSE_ROUTE, "refuse_route")         /* unreachable fdaa::/16 */                                 \
	X(RULE, "rule")                         /* mark -> table 6000, and nothing else leads there */      \
	X(FOREIGN_ROUTE, "foreign_route")       /* in table 6000, and nobody of us put it there */          \
	X(MESH_ROUTE, "mesh_route")                                                                         \
	X(GATE, "gate")                         /* the nftables table */                                    \
	X(FORWARD_RULE, "forward_rule")         /* our accept in somebody's forward chain */                \
	X(SYSCTL, "sysctl")                                                                                 \
	X(RESOLVER_ADDRESS, "resolver_address") /* fdaa::3 on lo */                                         \
	X(UNDERLAY_PROGRAM, "underlay_program")                                                             \
	X(MESH_PROGRAM, "mesh_program")                                                                     \
	X(MAP_PIN, "map_pin")                                                                               \
	X(MAP_ENTRY, "map_entry")               /* in a map that must be empty: policy */                   \
	X(PRESENCE, "presence")                                                                             \
	X(MOVED_ENTRY, "moved_entry")           /* in moved_here, moved_away */                             \
	X(MOVED_ROUTE, "moved_route")           /* to a peer of ours that is carried elsewhere */           \
	X(PEERING_RULE, "peering_rule")       /* in rule_members, rule_pairs */                             \
	X(MESH_DEVICE, "mesh_device")                                                                       \
	X(MESH_PROCESS, "mesh_process")         /* WireGuard did not answer and was started anew */         \
	X(MESH_PEER, "mesh_peer")                                                                           \
	X(PEERS_DEVICE, "peers_device")         /* of customers' WireGuard */                               \
	X(PEERS_PROCESS, "peers_process")                                                                   \
	X(PEERS_PROGRAM, "peers_program")                                                                   \
	X(PEERS_ROUTE, "peers_route")           /* a network's peers -> the device */                       \
	X(PEERS_RESOLVER, "peers_resolver")     /* fdaa:<network>::3 on lo */                               \
	X(PEER, "peer")                         /* a customer's WireGuard entry */                          \
	X(INSTANCE_DEVICE, "instance_device")                                                               \
	X(INSTANCE_ADDRESS, "instance_address") /* at either end */                                         \
	X(INSTANCE_ROUTE, "instance_route")     /* to it, or its own into the 6PN */                        \
	X(INSTANCE_NEIGHBOUR, "instance_neighbour")                                                         \
	X(INSTANCE_ENTRY, "instance_entry")     /* in the device map */                                     \
	X(INSTANCE_PROGRAM, "instance_program")

enum repair {
#define REPAIR_ENUM(NAME, name) REPAIR_##NAME,
	REPAIRS(REPAIR_ENUM)
#undef REPAIR_ENUM
	REPAIR_KINDS
};
const char *repair_name(enum repair kind);

/* Who is told of each object that was not as it must be: error 0 = it is again, else -errno or positive. */
struct repair_sink {
	void (*repaired)(void *ctx, enum repair kind, const char *object, int error);
	void *ctx;
};

/* One instance that lives on this machine (record.host == role_env.host), joined with what else is known of it. */
struct role_instance {
	struct instance_record record;
	uint64_t v;                     /* of the instance record: record errors are reported against it */
	uint64_t workload_v;            /* 0 = its workload is not here (yet) */
	const char *spec;               /* JSON, borrowed for the call, not NUL-terminated */
	size_t spec_len;
	char app[NAME_SIZE], org[NAME_SIZE], network[NAME_SIZE], region[NAME_REGION_SIZE];
	bool suspended;                 /* its network is: keep it, let nothing pass */
};

/* One WireGuard peer of a customer whose tunnel ends on this machine (record.gateway == role_env.host), or that moves and may already, or
 * still, connect here: its key was given to us. */
struct role_peer {
	struct peer_record record;
	uint64_t v, key_v; /* of the two records: errors are reported against them */
	bool has_key;      /* without it nobody can connect: no entry */
	struct peer_key_record key;
	char org[NAME_SIZE], network[NAME_SIZE];
	bool suspended; /* the peer itself or its network is: let nothing pass */
};

struct role_desired {
	const struct role_instance *instances; /* sorted by id */
	size_t n_instances;
	/* Of a gateway: its peers, sorted by id, and the networks in which they may speak, sorted. Equal stamps = the same as before. */
	const struct role_peer *peers;
	size_t n_peers;
	const uint32_t *networks;
	size_t n_networks;
	uint64_t peers_stamp;
	uint64_t v;
	bool synced; /* false: restored from disk, no controller heard since this start; acted upon all the same */
};

/* What a gateway saw of one peer. */
struct role_peer_stats {
	uint8_t peer[8];
	uint64_t last_handshake_ms; /* Unix time; 0 = never */
	uint64_t rx_bytes, tx_bytes; /* since the device took the peer in: they fall when that happens again */
	char endpoint[64];           /* "192.0.2.1:4711", "[2001:db8::1]:4711"; "" = not seen yet */
};

struct role_node_ops {
	/* The truth about an instance of this machine: kept, sent until the record agrees, and applied to our own DNS at once. */
	void (*report)(void *node, const char *instance_id, const struct observed *observed);
	/* A record that could not be applied: kind, key, version, sentence. Cleared by the next sync that does not repeat it. */
	void (*record_error)(void *node, uint32_t kind, const char *instance_id, uint64_t v, const char *text);
	/* The same of a peer; kind is RECORD_PEER or RECORD_PEER_KEY. */
	void (*peer_error)(void *node, uint32_t kind, const uint8_t peer[8], uint64_t v, const char *text);
	/* Something that concerns all of the role: told as an error of this node's own record, and the records are applied again soon. */
	void (*self_error)(void *node, const char *text);
	/* What differs from what was said before, told to the controller in batches. */
	void (*peer_stats)(void *node, const struct role_peer_stats *stats, size_t n);
	/* Calls done(arg, timed_out) once every node has applied the presence of (network, this host), or after 1 s. May call it
	 * before returning. */
	void (*await_presence)(void *node, uint32_t network, const char *instance_id, void (*done)(void *arg, bool timed_out), void *arg);
	void (*forget_await)(void *node, void *arg);
	/* From inside role_ops.repair: an object that was not as it must be. */
	void (*repaired)(void *node, enum repair kind, const char *object, int error);
};

struct role_env {
	struct loop *loop;
	struct clock clock;
	uint32_t host; /* our own host word */
	const char *name, *region;
	const uint8_t *gateway_key; /* private key of the device for customers' peers, 32 bytes; NULL = no gateway */
	bool came_back;             /* it was a node before this start */
	const struct config *config;
	struct rtnl *rtnl;
	struct bpf_datapath *datapath;
	const char *run_dir, *state_dir; /* /run/sixpn, /var/lib/sixpn/node */
	const struct role_node_ops *ops;
	void *node;
};

/* For metrics and status. */
struct role_numbers {
	size_t peers, online, offline, never; /* in the device; by their last handshake, as of the last look */
	uint64_t handshakes;                  /* since our start */
	uint64_t restarts;                    /* of the process behind the device */
	const char *device, *backend;
	uint32_t ifindex;
	uint64_t looks, look_ms;              /* how many, and how long the last one took */
	struct histogram installs;            /* how long each change of the device's peers took */
};

struct role_ops {
	const char *name; /* "host", "gateway" */
	uint32_t bit;     /* ROLE_HOST, ROLE_GATEWAY */
	/* Adopts what an earlier run of the daemon left in place. E_REFUSED with why: the configuration cannot work. */
	int (*start)(const struct role_env *env, void **ret_role, struct why *why);
	void (*sync)(void *role, const struct role_desired *desired);
	/* Called by a timer, not within a sync: compares what the role made in the kernel with what is there, puts right what differs and
	 * tells of each. Cheap when all is well. May be NULL. */
	void (*repair)(void *role);
	void (*numbers)(void *role, struct role_numbers *ret_numbers); /* may be NULL */
	/* Ends the daemon's part only: links, programs, instances stay (a restart drops no packet). */
	void (*stop)(void *role);
	/* Removes everything this role made on the machine: `sixpn node leave`. */
	void (*wipe)(void *role);
	/* At the start of a machine without this role: what an earlier run that had it left there lets customers in, and nobody looks after
	 * it any more. Removes it. May be NULL. */
	void (*forsake)(const struct role_env *env);
};

extern const struct role_ops agent_role;
extern const struct role_ops gateway_role;
