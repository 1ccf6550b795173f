/* kernel - the machine below a simulated node: presence map, mesh peers, customers' tunnels, interfaces and processes. It outlives the daemon and is lost
 * with the machine's power. Every removal is judged there and then (I8): nothing may go unless the log says so. */
#pragma once
#include "agent/agent.h"
#include "node/node.h"
#include "tests/sim/rules.h"
#include "tests/sim/tunnels.h"

#define PROCESSES_MAX 64
#define PAIRS_MAX 256

struct process {
	char id[NAME_INSTANCE_ID_SIZE], folder[200];
	enum runtime_state state;
	uint64_t generation, made_ms;
	int32_t exit_code;
	bool attached, released;
	bool speaks; /* its interface lets it */
	uint32_t network;
	/* what will happen to it */
	enum { PROCESS_STAYS, PROCESS_GETS_READY, PROCESS_RUNS, PROCESS_ENDS } next;
	uint64_t next_ms;
	int32_t next_code;
	bool asked_to_end;
};

struct kernel {
	struct presence_pair pairs[PAIRS_MAX];
	size_t n_pairs;
	uint32_t peers[16];
	size_t n_peers;
	struct tunnels tunnels;
	struct open_rules rules;
	struct process processes[PROCESSES_MAX];
	size_t n_processes;
	struct runtime_listener listener; /* of the daemon; ready NULL: none */
};

extern const struct kernel_ops sim_kernel;
extern const struct role_ops sim_host_role;

void kernel_wipe(struct kernel *k); /* the power went */
/* When the first thing happens to a process. */
uint64_t kernel_next_ms(const struct kernel *k);
struct host;
void kernel_run(struct host *h);
void kernel_check_silence(struct host *h); /* I10 */
const struct process *kernel_process(const struct kernel *k, const char *id);
