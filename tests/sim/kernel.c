/* kernel - see kernel.h. */
#include "tests/sim/kernel.h"

#include "agent/launch.h"
#include "tests/sim/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int sim_fd(void);

static struct host *host_of(struct node *node)
{
	return container_of(node, struct host, node);
}

static struct world *world_of(const struct host *h)
{
	return h->machine.world;
}

/* ---- judging removals (I8) ---- */

/* The log that the daemon obeys now, and where it is in it. NULL: it obeys none yet, or it is not known (a rolled-back store). */
static const struct archive *log_of(const struct host *h)
{
	const struct replica *r = &h->node.replica;

	return r->has_log_id ? archive_of(world_of(h)->archives, r->epoch, r->log_id) : NULL;
}

static bool is_judged(const struct host *h)
{
	return !world_of(h)->forked && !h->corrupted && !disk_is_dead(h->machine.disk);
}

/* Does any record that is current from V on without a break make the host present in the network? */
static bool pair_is_wanted(const struct host *h, const struct archive *a, const struct presence_pair *p)
{
	uint64_t v = h->node.replica.v;
	uint8_t key[4];
	const struct row *network;
	struct stays stays;
	const struct stay *stay;

	put_u32(key, p->network);
	network = archive_find(a, v, RECORD_NETWORK, key, 4);
	archive_speaks(a, p->host, v, a->n, &stays);
	stay = stays_find(&stays, p->network);
	/* a network that came in is told as it is, which may be newer than V */
	if (!network || network->suspended || network->after || !stay || !stay->always)
		return false;
	archive_stays(a, h->host, v, a->n, &stays); /* and may this node know? */
	stay = stays_find(&stays, p->network);
	return stay && stay->always;
}

static int sim_let_speak(struct node *node, const struct presence *wanted)
{
	struct host *h = host_of(node);
	struct kernel *k = &h->kernel;

	if (disk_is_dead(h->machine.disk))
		return 0;
	for (size_t i = 0; i < wanted->n; i++) {
		size_t at = 0;

		while (at < k->n_pairs && memcmp(&k->pairs[at], &wanted->pairs[i], sizeof *k->pairs))
			at++;
		if (at == PAIRS_MAX)
			return -ENOSPC;
		k->pairs[at] = wanted->pairs[i];
		k->n_pairs = at == k->n_pairs ? at + 1 : k->n_pairs;
	}
	return 0;
}

static int sim_silence(struct node *node, const struct presence *wanted)
{
	struct host *h = host_of(node);
	struct kernel *k = &h->kernel;
	const struct archive *a = log_of(h);
	size_t kept = 0;

	if (disk_is_dead(h->machine.disk))
		return 0;
	for (size_t i = 0; i < k->n_pairs; i++) {
		struct presence_pair p = k->pairs[i];

		if (presence_has(wanted, p.network, p.host)) {
			k->pairs[kept++] = p;
			continue;
		}
		if (is_judged(h) && (!a || pair_is_wanted(h, a, &p)))
			world_fail(world_of(h), "I8", "%s took presence (%08x, %08x) away at V %llu though the log has it", h->machine.name,
				   p.network, p.host, (unsigned long long)node->replica.v);
	}
	k->n_pairs = kept;
	return 0;
}

struct peer_list {
	uint32_t self, peers[16];
	size_t n;
};

static int add_peer(void *ctx, const struct record *record)
{
	struct peer_list *list = ctx;
	uint32_t host = get_u32(record->key);

	if (host != list->self && list->n < ARRAY_LEN(list->peers))
		list->peers[list->n++] = host;
	return 0;
}

static bool has(const uint32_t *list, size_t n, uint32_t word)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == word)
			return true;
	return false;
}

static int sim_reach(struct node *node, struct why *why)
{
	struct host *h = host_of(node);
	struct kernel *k = &h->kernel;
	struct peer_list list = { .self = node->identity.host };
	const struct archive *a = log_of(h);

	(void)why;
	if (disk_is_dead(h->machine.disk))
		return 0;
	replica_each(&node->replica, RECORD_NODE, add_peer, &list);
	for (size_t i = 0; i < k->n_peers; i++) {
		uint8_t key[4];

		put_u32(key, k->peers[i]);
		if (!has(list.peers, list.n, k->peers[i]) && is_judged(h) && (!a || archive_find(a, node->replica.v, RECORD_NODE, key, 4)))
			world_fail(world_of(h), "I8", "%s took the mesh peer %08x away at V %llu though the log has it", h->machine.name,
				   k->peers[i], (unsigned long long)node->replica.v);
	}
	memcpy(k->peers, list.peers, sizeof k->peers);
	k->n_peers = list.n;
	return 0;
}

static int nothing(struct node *node, struct why *why)
{
	(void)node;
	(void)why;
	return 0;
}

/* The first question may come while this runs: what was on disk has its names by then. */
static int serve(struct node *node, struct why *why)
{
	if (dns_views_count(node->views) == node->replica.n_by_kind[RECORD_NETWORK])
		return 0;
	return why_set(why, "names", "", "the name server would start before its names are there");
}

static int settle(struct node *node)
{
	(void)node;
	return 0;
}

const struct kernel_ops sim_kernel = {
	.lay = nothing,
	.connect_mesh = nothing,
	.serve = serve,
	.let_speak = sim_let_speak,
	.reach = sim_reach,
	.silence = sim_silence,
	.open_rules = sim_open_rules,
	.close_rules = sim_close_rules,
	.settle = settle,
};

/* ---- processes ---- */

static bool lives(const struct process *p)
{
	return p && (p->state == RUNTIME_HELD || p->state == RUNTIME_OPENED || p->state == RUNTIME_RUNNING);
}

static struct process *find(struct kernel *k, const char *id)
{
	for (size_t i = 0; i < k->n_processes; i++)
		if (!strcmp(k->processes[i].id, id))
			return &k->processes[i];
	return NULL;
}

const struct process *kernel_process(const struct kernel *k, const char *id)
{
	for (size_t i = 0; i < k->n_processes; i++)
		if (!strcmp(k->processes[i].id, id))
			return &k->processes[i];
	return NULL;
}

static void sim_listen(void *ctx, const struct runtime_listener *listener)
{
	struct host *h = ctx;

	h->kernel.listener = *listener;
}

static void will(struct host *h, struct process *p, int next, uint64_t within_ms, int32_t exit_code)
{
	p->next = next;
	p->next_ms = world_of(h)->now_ms + 1 + world_below(world_of(h), within_ms);
	p->next_code = exit_code;
}

static int sim_start(void *ctx, const char *folder, const char *id)
{
	struct host *h = ctx;
	struct kernel *k = &h->kernel;
	struct process *p = find(k, id);
	struct launch launch;
	char path[300];

	if (disk_is_dead(h->machine.disk))
		return -EIO;
	if (lives(p))
		return -EALREADY;
	snprintf(path, sizeof path, "%s/launch", folder);
	if (launch_read(path, &launch, NULL) != 0)
		return -EIO;
	if (!p) {
		if (k->n_processes == PROCESSES_MAX)
			return -EAGAIN;
		p = &k->processes[k->n_processes++];
		*p = (struct process){ .attached = false }; /* one that is gone may have been there */
	}
	*p = (struct process){ .state = RUNTIME_HELD, .generation = launch.generation, .made_ms = world_of(h)->now_ms, .attached = p->attached,
			       .speaks = p->speaks, .network = p->network };
	snprintf(p->id, sizeof p->id, "%s", id);
	snprintf(p->folder, sizeof p->folder, "%s", folder);
	will(h, p, PROCESS_GETS_READY, 20, 0);
	launch_deinit(&launch);
	return 0;
}

static int sim_open(void *ctx, const char *id)
{
	struct host *h = ctx;
	struct process *p = find(&h->kernel, id);

	if (disk_is_dead(h->machine.disk))
		return -EIO;
	if (!p || p->state != RUNTIME_HELD)
		return -ESRCH;
	p->state = RUNTIME_OPENED;
	will(h, p, PROCESS_RUNS, 10, 0);
	return 0;
}

static void starts_to_run(struct host *h, struct process *p)
{
	struct world *w = world_of(h);

	p->state = RUNTIME_RUNNING;
	p->next = PROCESS_STAYS;
	if (!w->quiet && world_chance(w, w->rules.exits))
		will(h, p, PROCESS_ENDS, 20000, (int32_t)world_below(w, 3));
	world_note(w, "%s runs %s generation %llu", h->machine.name, p->id, (unsigned long long)p->generation);
}

/* I8: a running process may be asked to end only if the log wants that. */
static void judge_end(struct host *h, const struct process *p)
{
	const struct archive *a = log_of(h);
	const struct row *row;
	const struct replica *r = &h->node.replica;
	struct stays stays;
	const struct stay *stay = NULL;
	/* a start from an older state undoes nothing that a newer one brought */
	uint64_t v = !memcmp(h->obeyed_log, r->log_id, 16) && h->reached_v > r->v ? h->reached_v : r->v;

	if (!is_judged(h) || p->state != RUNTIME_RUNNING)
		return;
	row = a ? archive_find(a, v, RECORD_INSTANCE, p->id, strlen(p->id)) : NULL;
	if (row) { /* a network that leaves is told first, before the V of its leaving */
		archive_stays(a, h->host, v, a->n, &stays);
		stay = stays_find(&stays, row->record->network);
	}
	if (!a || (row && stay && stay->always && row->desired == DESIRED_STARTED && row->places[0] == h->host && row->generation <= p->generation))
		world_fail(world_of(h), "I8", "%s ends %s (generation %llu) at V %llu though the log wants it started", h->machine.name, p->id,
			   (unsigned long long)p->generation, (unsigned long long)h->node.replica.v);
}

static int sim_term(void *ctx, const char *id)
{
	struct host *h = ctx;
	struct process *p = find(&h->kernel, id);

	if (disk_is_dead(h->machine.disk) || !lives(p))
		return -ESRCH;
	judge_end(h, p);
	p->asked_to_end = true;
	will(h, p, PROCESS_ENDS, world_chance(world_of(h), 100) ? 100000 : 50, 0);
	return 0;
}

static int sim_kill(void *ctx, const char *id, bool force)
{
	struct host *h = ctx;
	struct process *p = find(&h->kernel, id);

	(void)force;
	if (disk_is_dead(h->machine.disk) || !lives(p))
		return -ESRCH;
	if (!p->asked_to_end)
		judge_end(h, p);
	p->asked_to_end = true;
	will(h, p, PROCESS_ENDS, 3, 137);
	return 0;
}

static int sim_sweep(void *ctx, const char *instances)
{
	(void)ctx;
	(void)instances;
	return 0;
}

static int sim_adopt(void *ctx, const char *folder, const char *id, struct runtime_status *ret_status)
{
	struct host *h = ctx;
	struct process *p = find(&h->kernel, id);

	(void)folder;
	*ret_status = (struct runtime_status){ .state = RUNTIME_NONE };
	if (p)
		*ret_status = (struct runtime_status){ .state = p->state, .generation = p->generation, .exit_code = p->exit_code,
						       .age_ms = world_of(h)->now_ms - p->made_ms };
	if (p && p->next == PROCESS_GETS_READY) /* it is at its gate: adopt() says so */
		p->next = PROCESS_STAYS;
	return 0;
}

static int sim_netns(void *ctx, const char *id, int *ret_fd)
{
	struct host *h = ctx;
	struct process *p = find(&h->kernel, id);

	if (!lives(p))
		return -ESRCH;
	*ret_fd = sim_fd();
	return 0;
}

static void sim_release(void *ctx, const char *id)
{
	struct host *h = ctx;
	struct process *p = find(&h->kernel, id);

	if (disk_is_dead(h->machine.disk) || !p || p->state != RUNTIME_ENDED || p->attached)
		return;
	*p = h->kernel.processes[--h->kernel.n_processes];
}

static const struct runtime_ops sim_runtime = { .listen = sim_listen, .start = sim_start, .open = sim_open, .term = sim_term, .kill = sim_kill,
						.sweep = sim_sweep, .adopt = sim_adopt, .netns = sim_netns, .release = sim_release };

/* ---- interfaces ---- */

static int sim_attach(void *ctx, const struct attach_spec *spec, struct why *why)
{
	struct host *h = ctx;
	struct process *p = find(&h->kernel, spec->id);

	if (disk_is_dead(h->machine.disk) || !p)
		return why_set(why, "attach", "", "no such process");
	p->speaks = !spec->suspended;
	if (world_chance(world_of(h), 100))
		return ATTACH_E_PENDING;
	p->attached = true;
	p->network = spec->network;
	return 0;
}

static int sim_detach(void *ctx, const char *folder)
{
	struct host *h = ctx;
	struct process *p = find(&h->kernel, strrchr(folder, '/') + 1);

	if (disk_is_dead(h->machine.disk) || !p || !p->attached)
		return 0;
	if (p->state == RUNTIME_RUNNING)
		judge_end(h, p);
	p->attached = p->speaks = false;
	return 0;
}

static int sim_silence_device(void *ctx, const struct attach_spec *spec)
{
	struct host *h = ctx;
	struct process *p = find(&h->kernel, spec->id);

	if (disk_is_dead(h->machine.disk))
		return -EIO;
	if (p)
		p->speaks = false;
	return 0;
}

void kernel_check_silence(struct host *h)
{
	const struct archive *a = log_of(h);
	uint64_t v = h->node.replica.v;

	for (size_t i = 0; a && is_judged(h) && i < h->kernel.n_processes; i++) {
		const struct process *p = &h->kernel.processes[i];
		const struct row *network, *row = archive_find(a, v, RECORD_INSTANCE, p->id, strlen(p->id));
		uint8_t key[4];

		if (!row || row->after || row->places[0] != h->host) /* what has vanished goes by other rules (I4, I8) */
			continue;
		put_u32(key, p->network);
		network = archive_find(a, v, RECORD_NETWORK, key, 4);
		/* a network that came in is told as it is, which may be newer than V */
		if (lives(p) && p->speaks && network && network->suspended && !network->after)
			world_fail(world_of(h), "I10", "%s has applied V %llu, and %s of a suspended network speaks", h->machine.name,
				   (unsigned long long)v, p->id);
	}
}

static int sim_sweep_devices(void *ctx, const char *const *keep_folders, size_t n)
{
	(void)ctx;
	(void)keep_folders;
	(void)n;
	return 0;
}

/* Nobody but the daemon touches interfaces here. */
static int sim_check(void *ctx, const struct attach_spec *specs, size_t n, const struct attach_sink *sink)
{
	(void)ctx;
	(void)specs;
	(void)n;
	(void)sink;
	return 0;
}

static const struct attach_ops sim_attachment = { .attach = sim_attach, .detach = sim_detach, .check = sim_check, .silence = sim_silence_device,
						    .sweep = sim_sweep_devices };

/* ---- the role ---- */

static int role_start(const struct role_env *env, void **ret_role, struct why *why)
{
	struct host *h = host_of(env->node);
	struct agent_parts parts = { .attach = &sim_attachment, .attach_ctx = h, .runtime = &sim_runtime, .runtime_ctx = h };

	(void)why;
	return agent_new(env, &parts, (struct agent **)ret_role);
}

static void role_sync(void *role, const struct role_desired *desired)
{
	agent_sync(role, desired);
}

static void role_stop(void *role)
{
	agent_free(role);
}

static void role_wipe(void *role)
{
	agent_wipe(role);
}

const struct role_ops sim_host_role = { .name = "host", .bit = ROLE_HOST, .start = role_start, .sync = role_sync, .stop = role_stop,
					.wipe = role_wipe };

/* ---- time ---- */

void kernel_wipe(struct kernel *k)
{
	k->n_pairs = k->n_peers = k->n_processes = k->tunnels.n = k->tunnels.n_ways = k->rules.n_pairs = k->rules.n_members = 0;
}

uint64_t kernel_next_ms(const struct kernel *k)
{
	uint64_t next = NEVER;

	for (size_t i = 0; i < k->n_processes; i++)
		if (k->processes[i].next != PROCESS_STAYS && k->processes[i].next_ms < next)
			next = k->processes[i].next_ms;
	return next;
}

void kernel_run(struct host *h)
{
	struct kernel *k = &h->kernel;
	bool heard = h->up && !disk_is_dead(h->machine.disk);

	for (size_t i = 0; i < k->n_processes; i++) {
		struct process *p = &k->processes[i];
		char id[NAME_INSTANCE_ID_SIZE];

		if (p->next == PROCESS_STAYS || p->next_ms > world_of(h)->now_ms)
			continue;
		memcpy(id, p->id, sizeof id);
		if (p->next == PROCESS_GETS_READY) {
			p->next = PROCESS_STAYS;
			if (heard)
				k->listener.ready(k->listener.ctx, id);
			return;
		}
		if (p->next == PROCESS_RUNS) {
			starts_to_run(h, p);
			if (heard)
				k->listener.running(k->listener.ctx, id);
			return;
		}
		p->state = RUNTIME_ENDED;
		p->exit_code = p->next_code;
		p->next = PROCESS_STAYS;
		world_note(world_of(h), "%s %s ended with %d", h->machine.name, id, p->exit_code);
		if (heard)
			k->listener.ended(k->listener.ctx, id, p->exit_code, "");
		return;
	}
}
