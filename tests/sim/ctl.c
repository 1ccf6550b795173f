/* ctl - a simulated controller: the real store on a simulated disk, the real core, started, crashed and stopped. */
#include "tests/sim/world.h"

#include "controller/store/store_internal.h"
#include "tests/sim/invariants.h"
#include "tests/sim/peers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AGAIN_MS 3000

bool ctl_is_alive(const struct ctl *ctl)
{
	return ctl->c && !disk_is_dead(ctl->machine.disk);
}

static void wake_at(void *ctx, uint64_t mono_ms)
{
	struct ctl *ctl = ctx;

	ctl->wake_ms = mono_ms;
}

static void must_stop(void *ctx, const char *reason)
{
	struct ctl *ctl = ctx;

	check_must_stop(ctl, reason);
	ctl->leaving = true;
	snprintf(ctl->reason, sizeof ctl->reason, "%s", reason);
	world_note(ctl->machine.world, "%s must stop: %s", ctl->machine.name, reason);
}

/* ---- the log, with our own SQL ---- */

static void new_archive(struct ctl *ctl);

/* Between batches no transaction is open, so what is read here is committed. */
void ctl_read_log(struct ctl *ctl)
{
	struct archive *a = ctl->archive;
	struct statement *st;
	bool row;

	if (a && ctl_is_alive(ctl) && memcmp(a->log_id, ctl->c->identity.log_id, 16)) { /* it found that its store was rolled back */
		world_note(ctl->machine.world, "%s begins a new log at V %llu", ctl->machine.name, (unsigned long long)store_head(ctl->store));
		new_archive(ctl);
		return;
	}
	if (!a || !ctl_is_alive(ctl) || store_head(ctl->store) == a->n)
		return;
	if (driver_prepare(ctl->store->driver, "SELECT v, kind, key, network, node, deleted, body FROM log WHERE v > ?1 ORDER BY v", &st) != 0)
		return;
	driver_bind_int(st, 1, (int64_t)a->n);
	while (driver_step(st, &row) == 0 && row) {
		struct record r = { .v = (uint64_t)driver_int(st, 0), .kind = (uint32_t)driver_int(st, 1), .network = (uint32_t)driver_int(st, 3),
				    .node = (uint32_t)driver_int(st, 4), .deleted = driver_int(st, 5) != 0 };
		size_t n;
		const void *key = driver_blob(st, 2, &n);

		memcpy(r.key, key, n);
		r.key_len = (uint8_t)n;
		r.body = driver_blob(st, 6, &r.body_len);
		if (r.v != a->n + 1)
			world_fail(ctl->machine.world, "G1", "the log has a gap: V %llu follows %llu", (unsigned long long)r.v,
				   (unsigned long long)a->n);
		archive_add(a, &r);
	}
	driver_finish(st);
	check_peers(ctl);
	/* reports of nodes were written to a store that had been copied to another: two histories of one log */
	if (ctl == &ctl->machine.world->ctls[0] && ctl->machine.world->ctls[1].starts && a->n > ctl->machine.world->copied_v)
		ctl->machine.world->forked = true;
}

static void new_archive(struct ctl *ctl)
{
	struct world *w = ctl->machine.world;
	const struct archive *before = ctl->archive;

	ctl->archive = archive_new(ctl->c->identity.log_id, ctl->c->identity.epoch);
	ctl->archive->next = w->archives;
	w->archives = ctl->archive;
	ctl_read_log(ctl);
	if (before)
		check_acknowledged(ctl, before);
}

/* ---- life ---- */

/* One whose store was copied to another stays down once it is: two that both write the same log are beyond what epochs can heal. */
static void again(struct ctl *ctl)
{
	struct world *w = ctl->machine.world;

	if (ctl != &w->ctls[CTLS_MAX - 1] && w->ctls[CTLS_MAX - 1].starts)
		return;
	ctl->start_ms = w->now_ms + 10 + world_below(w, AGAIN_MS);
}

/* A start that failed: because the machine died under it, or because the disk did what it was told to do. */
static void start_failed(struct ctl *ctl, int e, const struct why *why)
{
	struct world *w = ctl->machine.world;

	world_note(w, "%s does not start: %d %s", ctl->machine.name, e, why->text);
	ctl->store = store_close(ctl->store);
	if (e > 0 && !disk_is_dead(ctl->machine.disk))
		world_fail(w, "start", "%s refuses its own store: %s", ctl->machine.name, why->text);
	if (disk_is_dead(ctl->machine.disk) && world_chance(w, 500))
		disk_cut(ctl->machine.disk, false);
	disk_revive(ctl->machine.disk);
	again(ctl);
}

void ctl_start(struct ctl *ctl)
{
	static const struct controller_events events = { .wake_at = wake_at, .must_stop = must_stop };
	struct world *w = ctl->machine.world;
	char path[64];
	struct store_options options = { .path = path, .clock = ctl->machine.clock };
	struct controller_config config = { .clock = ctl->machine.clock, .transport = &ctl->transport, .advertise = "controller:4281",
					    .park_ms = w->rules.park_ms, .window_changes = w->rules.window_changes,
					    .batch_bytes = w->rules.batch_bytes, .snapshots_max = w->rules.snapshots_max };
	struct why why = { .text = "" };
	int e;

	ctl->start_ms = NEVER;
	if (ctl->c)
		return;
	ctl->leaving = false;
	ctl->wake_ms = ctl->pump_ms = NEVER;
	snprintf(path, sizeof path, "%s/store.db", disk_root(ctl->machine.disk));
	w->actor = ctl;
	e = store_open(&options, &ctl->store, &why);
	if (e == 0) {
		config.store = ctl->store;
		memcpy(config.link_key, w->link_key, sizeof config.link_key);
		e = controller_new(&config, &events, ctl, &ctl->c);
	}
	w->actor = NULL;
	if (e != 0) {
		start_failed(ctl, e, &why);
		return;
	}
	ctl->starts++;
	memcpy(w->secret, ctl->c->identity.secret, sizeof w->secret);
	new_archive(ctl);
	world_note(w, "%s starts at V %llu, epoch +%llu", ctl->machine.name, (unsigned long long)store_head(ctl->store),
		   (unsigned long long)(ctl->c->identity.epoch % 100000000));
	if (w->attached == ctl)
		link_memory_set_server_up(w->net, true);
}

static void end_process(struct ctl *ctl)
{
	struct world *w = ctl->machine.world;

	if (w->attached == ctl)
		link_memory_set_server_up(w->net, false);
	w->actor = ctl;
	ctl->c = controller_free(ctl->c);
	ctl->store = store_close(ctl->store);
	w->actor = NULL;
	ctl->wake_ms = ctl->pump_ms = NEVER;
}

void ctl_end(struct ctl *ctl, bool power_cut)
{
	struct world *w = ctl->machine.world;

	w->counts.crashes++;
	w->counts.cuts += power_cut;
	disk_kill(ctl->machine.disk);
	if (ctl->c)
		end_process(ctl);
	if (power_cut)
		disk_cut(ctl->machine.disk, world_chance(w, 300));
	disk_revive(ctl->machine.disk);
	world_note(w, "%s %s", ctl->machine.name, power_cut ? "lost power" : "was killed");
	again(ctl);
}

void ctl_stop(struct ctl *ctl)
{
	struct world *w = ctl->machine.world;

	ctl_read_log(ctl);
	if (ctl->c)
		end_process(ctl);
	world_note(w, "%s stopped", ctl->machine.name);
	if (disk_is_dead(ctl->machine.disk)) /* it died while it stopped */
		disk_cut(ctl->machine.disk, false);
	disk_revive(ctl->machine.disk);
	again(ctl);
}
