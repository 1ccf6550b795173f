/* world - a whole cluster in one process, one thread and virtual time: controllers with their real stores, machines with whole
 * nodes, the link between them, simulated disks and kernels, a workload and faults. Everything that happens is drawn from one seed,
 * so a run can be repeated exactly. docs/hacking/simulator.md says how to read what it prints. */
#pragma once
/* Two structs have the same name on both sides, which otherwise never meet. */
#define node_await controller_node_await
#define node_error controller_node_error
#include "controller/nodes/controller_internal.h"
#undef node_await
#undef node_error
#include "lib/link/client.h"
#include "lib/link/memory.h"
#include "node/node.h"
#include "tests/sim/archive.h"
#include "tests/sim/disk.h"
#include "tests/sim/kernel.h"

#include <setjmp.h>

#define HOSTS_MAX 6 /* one of them is for a copy of another */
#define CTLS_MAX 2
#define NEVER UINT64_MAX
#define WORLD_START_MS 1000000
#define EVENT_SIZE 160
#define EVENTS_TOLD_MAX 60

struct world;
struct model;

struct machine {
	struct world *world;
	char name[8];
	struct disk *disk;
	struct clock clock;
	int64_t skew_ms; /* of its real time */
};

/* A controller: its process is `c`, NULL while it is down. */
struct ctl {
	struct machine machine;
	struct link_server_transport transport; /* what the controller gets; in front of the network's */
	struct store *store;
	struct controller *c;
	uint64_t wake_ms, pump_ms, start_ms;
	struct archive *archive; /* of its log as it is now */
	bool leaving;            /* it has said that it must stop */
	char reason[200];
	unsigned starts;
};

/* One end of the network at a machine: in front of the network's, so that it is known whose code runs. */
struct plug {
	struct link_client_transport transport; /* what the daemon gets */
	struct link_client_transport *real;
	struct host *host;
	unsigned client; /* of the network */
};

/* A machine with a node's daemon: `up` while that runs. */
struct host {
	struct machine machine;
	unsigned number;
	uint32_t roles;
	struct config config;
	struct kernel kernel;
	struct node node;
	struct loop *loop;
	struct plug link, join_link;
	bool up, joined, deleted;
	uint64_t pump_ms, start_ms, thaw_ms; /* thaw: stopped (SIGSTOP) until then */
	uint64_t slow_disk_ms;
	/* joining */
	struct link_client *joining;
	uint64_t join_ms;
	uint32_t host;
	char name[NAME_SIZE];
	/* what it has claimed and obeyed, for I2 and I5 */
	uint8_t claimed_log[16];
	uint64_t claimed_v, obeyed_epoch;
	uint8_t obeyed_log[16];
	uint64_t reached_v, obeyed_ms; /* the highest V of that log; since when that epoch is obeyed */
	uint64_t proven_v, proven_epoch; /* what it has claimed with a proof that holds */
	uint8_t proven_log[16];
	uint64_t proven_ms;            /* since when all its claims are proven; NEVER */
	bool lies;                     /* its next poll names a later controller that there never was */
	bool heard;                    /* since its start */
	uint64_t checked_v, checked_epoch, checked_applies;
	enum tampering {
		TAMPER_NOT,
		TAMPER_LOSE_RECORD, /* the last record of a delta does not get into the copy, as if memory were bad */
		TAMPER_SKIP,        /* a delta begins one change later, as if its maker had forgotten one: must be refused */
		TAMPER_OLD_EPOCH,   /* a reply is of a controller that is not obeyed any more: must be refused */
	} tamper; /* with its next reply */
	bool corrupted; /* its copy was damaged on purpose: I1 waits for the heal */
	unsigned starts;
	struct host *copy_of; /* a copy of that machine, with its identity and state; both run */
	struct host *copied;  /* there is one: who of the two is heard is not told by its own doing */
};

struct world_rules { /* drawn from the seed */
	unsigned n_hosts;
	uint64_t workload_ms; /* how long things happen */
	unsigned op_ms;       /* about one op in so many */
	unsigned fault_ms;    /* about one fault in so many; 0 = none */
	unsigned loss, duplicates, late; /* per mille of frames */
	unsigned exits;       /* per mille: a process ends by itself */
	uint32_t park_ms;
	size_t window_changes, batch_bytes;
	unsigned snapshots_max;
};

struct world {
	uint64_t seed, random, now_ms;
	struct world_rules rules;
	struct link_memory *net;
	struct link_server_transport *real_server;
	struct clock clock;
	struct ctl ctls[CTLS_MAX];
	struct ctl *attached; /* the one that the nodes reach; NULL = none */
	struct host hosts[HOSTS_MAX];
	unsigned n_hosts;
	struct archive *archives; /* of all logs there ever were */
	struct model *model;
	uint64_t next_op_ms, next_fault_ms, end_ms;
	bool quiet;       /* no workload, no faults any more */
	bool nodes_deleted;
	uint8_t secret[STORE_SECRET_LEN]; /* of the store and of all its copies: for the oracle's own proofs */
	bool forked;      /* a store was rolled back: histories differ until all is healed */
	struct disk *saved; /* an older copy of the store */
	uint64_t saved_v, copied_v; /* of that; when the second controller began */
	unsigned saved_identities;
	void *actor;      /* whose code runs now: a ctl or a host */
	uint8_t link_key[32];
	char token_secret[64];
	uint8_t token_id[8];
	/* trace */
	bool trace;
	uint64_t hash, steps;
	char events[EVENTS_TOLD_MAX][EVENT_SIZE];
	uint64_t n_events;
	/* the first violation ends the run */
	bool failed;
	char failure[400];
	jmp_buf *out;
	struct world_counts {
		uint64_t ops, acked, refused, unknown, waits, applied, late_waits, crashes, cuts, roll_backs, seconds, clones, checks,
			dns, snapshots, heals, deltas, corrupted, refused_replies, durable, proofs, lies, peers;
	} counts;
};

struct world *world_new(uint64_t seed, bool trace);
struct world *world_free(struct world *w);
/* Runs to the end. True: no invariant was violated. */
bool world_run(struct world *w);

/* ---- for the other files ---- */
uint64_t world_draw(struct world *w);
uint64_t world_below(struct world *w, uint64_t bound);
static inline bool world_chance(struct world *w, unsigned per_mille)
{
	return world_below(w, 1000) < per_mille;
}
/* The world whose code runs, for functions that the linker puts in front of the product; NULL = none. */
struct world *world_running(void);
const char *world_actor_name(const struct world *w);
void world_note(struct world *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A violation. Does not return. */
void world_fail(struct world *w, const char *invariant, const char *fmt, ...) PRINTF_LIKE(3, 4) __attribute__((noreturn));
void world_steps_until(struct world *w, uint64_t ms);

bool ctl_is_alive(const struct ctl *ctl);
void ctl_start(struct ctl *ctl);
void ctl_end(struct ctl *ctl, bool power_cut);   /* crash */
void ctl_stop(struct ctl *ctl);                  /* in good order */
void ctl_read_log(struct ctl *ctl);
bool host_is_alive(const struct host *h);
void host_start(struct host *h);
void host_end(struct host *h, bool power_cut);
void host_stop(struct host *h);
void host_join(struct host *h);
/* The machine `to`, which is new, becomes a copy of `from`. */
void host_copy(struct host *to, struct host *from);
/* So many starts that came to nothing: they only count. */
void host_count_starts(struct host *h, unsigned n);
struct host *world_add_host(struct world *w);
struct host *host_of_word(struct world *w, uint32_t host);
