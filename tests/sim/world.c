/* world - see world.h: the draw of a run, time, and the order in which things happen. */
#include "tests/sim/world.h"

#include "lib/base/log.h"
#include "lib/dns/views.h"
#include "node/settings.h"
#include "tests/sim/faults.h"
#include "tests/sim/invariants.h"
#include "tests/sim/model.h"
#include "tests/sim/net.h"
#include "tests/sim/seams.h"
#include "tests/sim/vfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REAL_MS 1700000000000
#define REST_MS 400000  /* after the last fault all must have come to rest in this time */
#define REST_LOOK_MS 2000

static struct world *running;

struct world *world_running(void)
{
	return running;
}

const char *world_actor_name(const struct world *w)
{
	for (size_t i = 0; i < CTLS_MAX; i++)
		if (w->actor == &w->ctls[i])
			return w->ctls[i].machine.name;
	for (unsigned i = 0; i < w->n_hosts; i++)
		if (w->actor == &w->hosts[i])
			return w->hosts[i].machine.name;
	return "-";
}

/* ---- chance ---- */

static uint64_t splitmix64(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

uint64_t world_draw(struct world *w)
{
	return splitmix64(&w->random);
}

uint64_t world_below(struct world *w, uint64_t bound)
{
	return bound ? world_draw(w) % bound : 0;
}

/* ---- what is told ---- */

void world_note(struct world *w, const char *fmt, ...)
{
	char *line = w->events[w->n_events++ % EVENTS_TOLD_MAX];
	va_list ap;
	int n = snprintf(line, EVENT_SIZE, "%9llu ", (unsigned long long)(w->now_ms - WORLD_START_MS));

	va_start(ap, fmt);
	vsnprintf(line + n, EVENT_SIZE - (size_t)n, fmt, ap);
	va_end(ap);
	for (const char *p = line; *p; p++)
		w->hash = (w->hash ^ (uint8_t)*p) * 0x100000001b3u;
	if (w->trace)
		fprintf(stderr, "%s\n", line);
}

void world_fail(struct world *w, const char *invariant, const char *fmt, ...)
{
	va_list ap;
	int n = snprintf(w->failure, sizeof w->failure, "%s: ", invariant);

	va_start(ap, fmt);
	vsnprintf(w->failure + n, sizeof w->failure - (size_t)n, fmt, ap);
	va_end(ap);
	w->failed = true;
	longjmp(*w->out, 1);
}

/* ---- clocks ---- */

static uint64_t machine_mono(void *ctx)
{
	return ((struct machine *)ctx)->world->now_ms;
}

static uint64_t machine_mono_us(void *ctx)
{
	return machine_mono(ctx) * 1000;
}

static uint64_t machine_real(void *ctx)
{
	const struct machine *m = ctx;

	return m->world->now_ms + REAL_MS + (uint64_t)m->skew_ms;
}

static void machine_random(void *ctx, void *ret, size_t n)
{
	struct machine *m = ctx;

	for (size_t i = 0; i < n; i++)
		((uint8_t *)ret)[i] = (uint8_t)world_draw(m->world);
}

static const struct clock_ops machine_clock = { .mono_ms = machine_mono, .mono_us = machine_mono_us, .real_ms = machine_real,
						.random = machine_random };

static void make_machine(struct world *w, struct machine *m, const char *name)
{
	char path[40];

	m->world = w;
	snprintf(m->name, sizeof m->name, "%s", name);
	snprintf(path, sizeof path, "/sim/%s", name);
	m->disk = disk_new(path, world_draw(w));
	m->clock = (struct clock){ .ops = &machine_clock, .ctx = m };
}

/* ---- time ---- */

static void sooner(uint64_t *next, uint64_t at)
{
	if (at < *next)
		*next = at;
}

static uint64_t host_next_ms(const struct host *h)
{
	uint64_t next = NEVER;

	if (h->up) {
		sooner(&next, loop_next_ms(h->loop));
		sooner(&next, h->pump_ms);
	}
	sooner(&next, kernel_next_ms(&h->kernel));
	if (next < h->thaw_ms)
		next = h->thaw_ms;
	if (h->joining)
		sooner(&next, h->join_ms);
	sooner(&next, h->start_ms);
	return next;
}

static uint64_t world_next_ms(const struct world *w)
{
	uint64_t next = link_memory_next_ms(w->net);

	for (size_t i = 0; i < CTLS_MAX; i++) {
		const struct ctl *ctl = &w->ctls[i];

		if (ctl->c) {
			sooner(&next, ctl->wake_ms);
			sooner(&next, ctl->pump_ms);
		}
		sooner(&next, ctl->start_ms);
	}
	for (unsigned i = 0; i < w->n_hosts; i++)
		sooner(&next, host_next_ms(&w->hosts[i]));
	if (!w->quiet) {
		sooner(&next, w->next_op_ms);
		sooner(&next, w->next_fault_ms);
	}
	return next;
}

static void run_ctl(struct ctl *ctl)
{
	uint64_t now = ctl->machine.world->now_ms;

	if (ctl->start_ms <= now)
		ctl_start(ctl);
	ctl->machine.world->actor = ctl;
	if (ctl->c && ctl->wake_ms <= now) {
		ctl->wake_ms = NEVER;
		controller_tick(ctl->c);
	}
	if (ctl->c && ctl->pump_ms <= now) {
		ctl->pump_ms = NEVER;
		controller_pump(ctl->c);
	}
	ctl->machine.world->actor = NULL;
}

static void run_host(struct host *h)
{
	uint64_t now = h->machine.world->now_ms;

	if (h->start_ms <= now)
		host_start(h);
	h->machine.world->actor = h;
	if (h->thaw_ms <= now && h->up) {
		if (loop_next_ms(h->loop) <= now && loop_round(h->loop, 0) < 0)
			abort();
		if (h->pump_ms <= now) {
			h->pump_ms = NEVER;
			node_pump(&h->node);
		}
	}
	if (h->thaw_ms <= now && kernel_next_ms(&h->kernel) <= now)
		kernel_run(h);
	if (h->joining && h->join_ms <= now) {
		h->join_ms = NEVER;
		link_client_tick(h->joining);
	}
	h->machine.world->actor = NULL;
}

/* The dead are buried once nothing of theirs is on the stack. */
static void bury(struct world *w)
{
	for (size_t i = 0; i < CTLS_MAX; i++) {
		struct ctl *ctl = &w->ctls[i];

		if (ctl->c && disk_is_dead(ctl->machine.disk))
			ctl_end(ctl, world_chance(w, 500));
		else if (ctl->c && ctl->leaving)
			ctl_stop(ctl);
		else if (ctl->c)
			ctl_read_log(ctl);
	}
	for (unsigned i = 0; i < w->n_hosts; i++)
		if (w->hosts[i].up && disk_is_dead(w->hosts[i].machine.disk))
			host_end(&w->hosts[i], world_chance(w, 500));
}

static void check(struct world *w)
{
	for (unsigned i = 0; i < w->n_hosts; i++) {
		struct host *h = &w->hosts[i];
		const struct replica *r = &h->node.replica;

		if (!h->up || (h->checked_v == r->v && h->checked_epoch == r->epoch && h->checked_applies == h->node.applies))
			continue;
		h->checked_v = r->v;
		h->checked_epoch = r->epoch;
		h->checked_applies = h->node.applies;
		check_replica(h, r, "after an apply");
		check_names(h);
		kernel_check_silence(h);
		rules_check(h);
	}
	check_bounds(w);
}

/* One thing that is due. What is due at the same time comes in an order that is drawn. */
static void step(struct world *w)
{
	unsigned n = CTLS_MAX + w->n_hosts + 1, first = (unsigned)world_below(w, n);

	w->steps++;
	for (unsigned k = 0; k < n; k++) {
		unsigned i = (first + k) % n;

		if (i < CTLS_MAX)
			run_ctl(&w->ctls[i]);
		else if (i < CTLS_MAX + w->n_hosts)
			run_host(&w->hosts[i - CTLS_MAX]);
		else
			while (link_memory_step(w->net))
				bury(w);
		bury(w);
	}
	if (!w->quiet && w->next_op_ms <= w->now_ms) {
		w->next_op_ms = w->now_ms + 1 + world_below(w, 2 * (uint64_t)w->rules.op_ms);
		model_act(w);
	}
	if (!w->quiet && w->next_fault_ms <= w->now_ms) {
		w->next_fault_ms = w->now_ms + 1 + world_below(w, 2 * (uint64_t)w->rules.fault_ms);
		faults_act(w);
	}
	bury(w);
	check(w);
}

void world_steps_until(struct world *w, uint64_t ms)
{
	for (;;) {
		uint64_t next = world_next_ms(w);

		if (next > ms)
			break;
		if (next > w->now_ms)
			w->now_ms = next;
		step(w);
	}
	w->now_ms = ms;
}

/* ---- the run ---- */

static uint64_t pick(struct world *w, const uint64_t *list, size_t n)
{
	return list[world_below(w, n)];
}
#define PICK(w, ...) pick(w, (const uint64_t[]){ __VA_ARGS__ }, ARRAY_LEN(((const uint64_t[]){ __VA_ARGS__ })))

static void draw_rules(struct world *w)
{
	struct world_rules *r = &w->rules;
	bool rough = world_chance(w, 700);

	r->n_hosts = 2 + (unsigned)world_below(w, HOSTS_MAX - 2);
	r->workload_ms = PICK(w, 20000, 40000, 60000);
	r->op_ms = (unsigned)PICK(w, 100, 300, 600);
	r->fault_ms = world_chance(w, 850) ? (unsigned)PICK(w, 700, 1500, 4000) : 0;
	r->loss = rough ? (unsigned)PICK(w, 0, 20, 100) : 0;
	r->duplicates = rough ? (unsigned)PICK(w, 0, 50) : 0;
	r->late = rough ? (unsigned)PICK(w, 0, 50) : 0;
	r->exits = (unsigned)PICK(w, 0, 0, 200);
	r->park_ms = (uint32_t)PICK(w, 2000, 5000, 20000);
	r->window_changes = (size_t)PICK(w, 8, 40, 4096, 4096);
	r->batch_bytes = (size_t)PICK(w, 400, 2000, 0, 0);
	r->snapshots_max = (unsigned)PICK(w, 1, 2, 8);
}

struct host *host_of_word(struct world *w, uint32_t word)
{
	for (unsigned i = 0; i < w->n_hosts; i++)
		if (w->hosts[i].joined && w->hosts[i].host == word && !w->hosts[i].copy_of)
			return &w->hosts[i];
	return NULL;
}

/* The first two run instances, the first is a gateway too. */
static uint32_t draw_roles(struct world *w, unsigned number)
{
	if (number < 2)
		return number ? ROLE_HOST : ROLE_HOST | ROLE_GATEWAY;
	return world_chance(w, 400) ? ROLE_HOST : world_chance(w, 600) ? ROLE_HOST | ROLE_GATEWAY : ROLE_GATEWAY;
}

static void make_host(struct world *w, unsigned number)
{
	struct host *h = &w->hosts[number];
	char name[8], text[300];
	struct why why = { .text = "" };

	*h = (struct host){ .number = number, .roles = draw_roles(w, number), .pump_ms = NEVER, .start_ms = NEVER, .join_ms = NEVER, .proven_ms = NEVER };
	snprintf(name, sizeof name, "n%u", number);
	make_machine(w, &h->machine, name);
	net_plug_in(h, &h->link);
	net_plug_in(h, &h->join_link);
	snprintf(text, sizeof text, "[node]\nstate_dir = /sim/%s/state\nrun_dir = /sim/%s/run\n\n[gateway]\ngateway_host = gw-%s.example.net\n", name, name,
		 name);
	if (settings_init(&h->config) < 0 || config_read_text(&h->config, text, "sim", &why) != 0) {
		fprintf(stderr, "%s\n", why.text);
		abort();
	}
	disk_make_folder(h->machine.disk, config_str(&h->config, "state_dir"));
	disk_make_folder(h->machine.disk, config_str(&h->config, "run_dir"));
}

struct host *world_add_host(struct world *w)
{
	make_host(w, w->n_hosts);
	return &w->hosts[w->n_hosts++];
}

struct world *world_new(uint64_t seed, bool trace)
{
	struct world *w = calloc(1, sizeof *w);
	static struct machine of_network;

	if (!w)
		abort();
	w->seed = w->random = seed;
	w->hash = 0xcbf29ce484222325u;
	w->next_op_ms = w->next_fault_ms = NEVER;
	w->now_ms = WORLD_START_MS;
	w->trace = trace;
	running = w;
	seams_seed(seed);
	vfs_seed(seed);
	of_network = (struct machine){ .world = w };
	w->clock = (struct clock){ .ops = &machine_clock, .ctx = &of_network };
	world_draw(w);
	draw_rules(w);
	net_make(w);
	for (unsigned i = 0; i < CTLS_MAX; i++) {
		char name[8];

		snprintf(name, sizeof name, "c%u", i);
		w->ctls[i].pump_ms = w->ctls[i].wake_ms = w->ctls[i].start_ms = NEVER;
		make_machine(w, &w->ctls[i].machine, name);
	}
	w->saved = disk_new("/sim/copy", 1);
	for (unsigned i = 0; i < w->rules.n_hosts; i++)
		make_host(w, i);
	w->n_hosts = w->rules.n_hosts;
	clock_random(&w->clock, w->link_key, sizeof w->link_key);
	w->model = model_new();
	return w;
}

struct world *world_free(struct world *w)
{
	w->quiet = true;
	for (unsigned i = 0; i < w->n_hosts; i++) {
		struct host *h = &w->hosts[i];

		disk_kill(h->machine.disk);
		host_end(h, false);
		h->joining = link_client_free(h->joining);
		config_deinit(&h->config);
	}
	for (size_t i = 0; i < CTLS_MAX; i++) {
		disk_kill(w->ctls[i].machine.disk);
		ctl_end(&w->ctls[i], false);
	}
	link_memory_free(w->net);
	for (unsigned i = 0; i < w->n_hosts; i++)
		disk_free(w->hosts[i].machine.disk);
	for (size_t i = 0; i < CTLS_MAX; i++)
		disk_free(w->ctls[i].machine.disk);
	disk_free(w->saved);
	for (struct archive *a = w->archives, *next; a; a = next) {
		next = a->next;
		archive_free(a);
	}
	model_free(w->model);
	running = NULL;
	free(w);
	return NULL;
}

static void begin(struct world *w)
{
	w->attached = &w->ctls[0];
	ctl_start(&w->ctls[0]);
	if (!w->ctls[0].c)
		world_fail(w, "start", "the first controller does not start");
	model_begin(w);
	for (unsigned i = 0; i < w->n_hosts; i++)
		if (i < 2 || world_chance(w, 600))
			host_join(&w->hosts[i]);
	world_steps_until(w, w->now_ms + 2000);
	w->end_ms = w->now_ms + w->rules.workload_ms;
	w->next_op_ms = w->now_ms;
	w->next_fault_ms = w->rules.fault_ms ? w->now_ms + world_below(w, w->rules.fault_ms) : NEVER;
}

/* What a store that was put back lost in masses is held back by its nodes until somebody says that it is meant: the operator does. */
static void release_held(struct world *w)
{
	const struct ctl *ctl = w->attached;

	for (unsigned i = 0; i < w->n_hosts && ctl && ctl_is_alive(ctl); i++) {
		const struct host *h = &w->hosts[i];
		const struct node_entry *node = h->joined && !h->deleted ? node_table_find(&ctl->c->nodes, h->host) : NULL;

		if (!node || !node->n_held)
			continue;
		w->actor = (void *)(uintptr_t)ctl;
		world_note(w, "%s is told to let go %zu deletes", h->machine.name, node->n_held);
		ctl->c->env.ops->release_held(ctl->c->env.ctx, h->host);
		w->actor = NULL;
	}
}

static void come_to_rest(struct world *w)
{
	uint64_t limit = w->now_ms + REST_MS;
	char why[300] = "";

	w->quiet = true;
	world_note(w, "no more ops and faults");
	faults_end(w);
	do {
		world_steps_until(w, w->now_ms + REST_LOOK_MS);
		release_held(w);
		if (is_at_rest(w, why)) {
			check_rest(w);
			return;
		}
	} while (w->now_ms < limit);
	world_fail(w, "I4", "after %d s without a fault: %s", REST_MS / 1000, why);
}

bool world_run(struct world *w)
{
	jmp_buf out;

	w->out = &out;
	if (setjmp(out) == 0) {
		begin(w);
		world_steps_until(w, w->end_ms);
		come_to_rest(w);
	}
	w->actor = NULL;
	return !w->failed;
}
