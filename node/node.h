/* node - the daemon as one object: what it owns, started and stopped in mirror order. node.c puts it together, apply.c brings the
 * machine to the records, status.c tells about it. */
#pragma once
#include "lib/base/loop.h"
#include "lib/bpf/datapath.h"
#include "lib/dns/server.h"
#include "lib/link/nng_client.h"
#include "node/drift.h"
#include "node/errors.h"
#include "node/ground.h"
#include "node/identity.h"
#include "node/journal.h"
#include "node/mesh.h"
#include "node/moved.h"
#include "node/names.h"
#include "node/presence.h"
#include "node/replica.h"
#include "node/reports.h"
#include "node/role.h"
#include "node/role_peers.h"
#include "node/rules.h"
#include "node/sync.h"

#define NODE_ROLES_MAX 2

struct health_said;
struct scrape;
struct status;

/* A role waits until everybody has applied that this host speaks in a network. */
struct node_await {
	struct node_await *next;
	struct node *node;
	uint32_t network;
	uint64_t v;
	void (*done)(void *arg, bool timed_out);
	void *arg;
	struct loop_timer limit;
};

/* What a node does to its machine by itself; the rest goes through roles (attach_ops, runtime_ops). A table, so that the order of
 * an apply can be judged without a kernel, and whole nodes run in the simulator. The first three are called once, in this order. */
struct kernel_ops {
	int (*lay)(struct node *node, struct why *why);          /* what refuses: routes, rules, gate; programs are loaded */
	int (*connect_mesh)(struct node *node, struct why *why); /* the mesh device: guarded first, then up */
	int (*serve)(struct node *node, struct why *why);        /* names may be asked for */
	/* The name server at the ::3 of these networks and no others, as dns_server_set_networks. NULL = none. */
	void (*listen)(struct node *node, const uint32_t *networks, size_t n, int *ret_errors);
	int (*let_speak)(struct node *node, const struct presence *wanted); /* adds presence that is new; unheard: what could not be added */
	int (*reach)(struct node *node, struct why *why);                   /* mesh peers of the node records; E_REFUSED with why */
	int (*silence)(struct node *node, const struct presence *wanted);   /* removes presence that is not wanted */
	void (*repair)(struct node *node); /* on a timer: what others changed, as it must be (drift.h); NULL = never */
	/* Peering rules (node->rules), adding and removing; NULL = there are none (what runs without packets). */
	int (*open_rules)(struct node *node);
	int (*close_rules)(struct node *node);
	int (*settle)(struct node *node); /* every device has its programs: what an earlier version left may go */
};

/* What a node is put together from. */
struct node_parts {
	struct clock clock;
	const struct kernel_ops *kernel;
	struct link_client_transport *transport; /* NULL: nng, in the node's loop */
	const struct role_ops *const *roles;
	size_t n_roles;
	bool pumped; /* no thread, no socket: node_pump() does what waits for the disk (the simulator) */
};

struct node {
	struct loop *loop;
	struct clock clock;
	struct config *config;
	struct identity identity;
	uint32_t role_bits;
	bool pumped;

	struct rtnl *rtnl;
	struct ground ground;
	struct bpf_datapath *datapath;
	struct mesh *mesh;
	const struct kernel_ops *kernel;
	struct drift *drift;
	struct presence presence; /* of the last apply */
	bool presence_stands;     /* the map held it then: it needs no look while it stays the same. What others change, repair puts back */
	struct moved moved;       /* of the last apply */
	bool moved_due;           /* it changed, and ways of before may still be there */
	struct rules rules;       /* of the last apply */
	bool rules_due;           /* the maps may hold others */
	bool mesh_guard_due;      /* the programs of an earlier version stay on the mesh until the first apply has filled our maps */

	struct replica replica;
	struct journal *journal;
	struct link_nng_client *transport;
	struct link_client *link;
	struct loop_timer link_tick;
	struct sync *sync;
	struct reports *reports;

	struct dns_views *views;
	struct names *names;
	struct loop_timer names_again; /* zones that could not be built are tried again */
	int64_t heard_ms; /* when a reply was last applied, monotonic; DNS_NEVER_HEARD; before our start: by the state file */
	bool hears;       /* and the connection has not been lost since */
	struct dns_server *dns;
	size_t n_unserved; /* networks whose peers end here and find nobody at their ::3 */

	struct role_env env;
	const struct role_ops *roles[NODE_ROLES_MAX];
	void *role_state[NODE_ROLES_MAX];
	size_t n_roles;
	struct role_peers role_peers; /* of a gateway */

	struct node_await *awaits;
	uint32_t *settled; /* networks in which everybody knows that we speak */
	size_t n_settled;
	struct node_errors errors;
	struct presence unheard; /* pairs that the last let_speak could not add */
	bool unreached; /* the mesh is not as the records want it */
	struct loop_timer peers_due;   /* a peer of this gateway expires */
	struct loop_timer apply_again; /* what the kernel refused may be possible later */
	int64_t begun_ms; /* of this start, monotonic */
	uint64_t started_ms, presence_timeouts, apply_errors, applies;
	bool applying;
	struct status *status;
	struct health_said *said;
	struct scrape *scrape;
};

/* Brings the machine up fail-closed and starts talking; E_REFUSED with why. On failure everything that was begun is let go.
 * `parts` NULL: the real ones. `leave`: only to find what is there, for node_wipe: no record is applied, nobody is talked to. */
int node_start(struct node *node, const struct node_parts *parts, struct loop *loop, struct config *config,
	       const struct identity *identity, uint32_t role_bits, bool leave, struct why *why) MUST_CHECK;
/* Of a pumped node: writes what waits for the disk; returns how many jobs that were. */
size_t node_pump(struct node *node);
/* Ends the daemon's part. Links, routes, programs, wireguard-go and instances stay: a restart drops no packet. */
void node_stop(struct node *node);
/* Takes everything away that this node made on the machine (sixpn node leave). The node must have been started. */
void node_wipe(struct node *node);

void node_publish_heard(struct node *node); /* for _sync.internal */

/* Of the first role that has any (the gateway). False: none has. */
bool node_role_numbers(const struct node *node, struct role_numbers *ret_numbers);

/* ---- apply.c, sync_events.c, role_calls.c, awaits.c ---- */
void node_apply(struct node *node, const struct replica_change *change);
/* The errors that a poll says: of records, and that the names are behind them. */
void node_say_errors(struct node *node, struct node_errors_said *said, struct Sixpn__PollRequest *poll);
extern const struct sync_events node_sync_events;
extern const struct role_node_ops node_role_ops;
void node_forget_awaits(struct node *node);
/* ---- status.c ---- */
int status_start(struct node *node, struct status **ret_status);
struct status *status_stop(struct status *status);
