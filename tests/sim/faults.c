/* faults - see faults.h. */
#include "tests/sim/faults.h"

#include "tests/sim/model.h"

#include <stdio.h>
#include <string.h>

static struct host *any_host(struct world *w)
{
	return &w->hosts[world_below(w, w->n_hosts)];
}

struct ctl *faults_writer(const struct world *w)
{
	const struct ctl *ctl = w->ctls[CTLS_MAX - 1].starts ? &w->ctls[CTLS_MAX - 1] : &w->ctls[0];

	return (struct ctl *)(uintptr_t)ctl;
}

static void crash_ctl(struct world *w)
{
	struct ctl *ctl = faults_writer(w);
	unsigned n = 1 + (unsigned)world_below(w, 6);

	if (!ctl_is_alive(ctl))
		return;
	if (world_chance(w, 700)) {
		disk_crash_at_sync(ctl->machine.disk, n);
		world_note(w, "fault: %s crashes at sync %u", ctl->machine.name, n);
	} else if (world_chance(w, 500)) {
		ctl_end(ctl, world_chance(w, 500));
	} else {
		ctl_stop(ctl);
	}
}

static void crash_host(struct world *w)
{
	struct host *h = any_host(w);
	unsigned n = 1 + (unsigned)world_below(w, 6);

	if (!host_is_alive(h))
		return;
	if (world_chance(w, 700)) {
		disk_crash_at_sync(h->machine.disk, n);
		world_note(w, "fault: %s crashes at sync %u", h->machine.name, n);
	} else if (world_chance(w, 700)) {
		host_end(h, world_chance(w, 500));
	} else {
		host_stop(h);
	}
}

static void cut_link(struct world *w)
{
	static const unsigned cuts[] = { LINK_CUT_TO_SERVER, LINK_CUT_TO_CLIENT, LINK_CUT_TO_SERVER | LINK_CUT_TO_CLIENT,
					 LINK_CUT_TO_SERVER | LINK_CUT_TO_CLIENT | LINK_CUT_DIAL, LINK_CUT_DIAL, LINK_CUT_NONE, LINK_CUT_NONE };
	struct host *h = any_host(w);
	unsigned cut = cuts[world_below(w, ARRAY_LEN(cuts))];

	link_memory_set_cut(w->net, h->link.client, cut);
	if (world_chance(w, 300))
		link_memory_disconnect(w->net, h->link.client);
	world_note(w, "fault: the link of %s is cut: %u", h->machine.name, cut);
}

static void freeze(struct world *w)
{
	struct host *h = any_host(w);

	if (!host_is_alive(h))
		return;
	h->thaw_ms = w->now_ms + world_below(w, 15000);
	world_note(w, "fault: %s stands still for %llu ms", h->machine.name, (unsigned long long)(h->thaw_ms - w->now_ms));
}

static void break_disk(struct world *w)
{
	struct host *h = any_host(w);
	enum disk_failure failure = world_chance(w, 500) ? DISK_FULL : DISK_BROKEN;
	unsigned n = 1 + (unsigned)world_below(w, 3);

	if (world_chance(w, 300)) {
		disk_fail(faults_writer(w)->machine.disk, failure, n);
		world_note(w, "fault: the disk of %s fails %u times: %d", faults_writer(w)->machine.name, n, failure);
	} else if (world_chance(w, 500)) {
		disk_fail(h->machine.disk, failure, n);
		world_note(w, "fault: the disk of %s fails %u times: %d", h->machine.name, n, failure);
	} else {
		h->slow_disk_ms = world_chance(w, 500) ? world_below(w, 3000) : 0;
		world_note(w, "fault: the disk of %s is slow: %llu ms", h->machine.name, (unsigned long long)h->slow_disk_ms);
	}
}

static void kill_wireguard(struct world *w)
{
	struct host *h = any_host(w);

	if (!host_is_alive(h) || !(h->roles & ROLE_GATEWAY) || h->thaw_ms > w->now_ms)
		return;
	world_note(w, "fault: WireGuard of %s dies", h->machine.name);
	w->actor = h;
	tunnels_die(h);
	w->actor = NULL;
}

static void jump_clock(struct world *w)
{
	struct machine *m = world_chance(w, 300) ? &faults_writer(w)->machine : &any_host(w)->machine;
	int64_t by = world_chance(w, 700) ? (int64_t)world_below(w, 3600000) : -(int64_t)world_below(w, 5000);

	m->skew_ms += by;
	world_note(w, "fault: the clock of %s jumps by %lld ms", m->name, (long long)by);
}

static void tamper(struct world *w)
{
	struct host *h = any_host(w);

	if (host_is_alive(h))
		h->tamper = (enum tampering)(TAMPER_LOSE_RECORD + world_below(w, 3));
}

static void let_lie(struct world *w)
{
	struct host *h = any_host(w);

	if (host_is_alive(h))
		h->lies = true;
}

/* Its disk has forgotten, or lies: what the node was is gone, and what it set up goes on until the controller has spoken. */
static void damage_state(struct world *w)
{
	struct host *h = any_host(w);
	char path[100];

	if (!host_is_alive(h) || !h->node.replica.has_log_id)
		return;
	world_note(w, "fault: the state of %s is damaged", h->machine.name);
	host_end(h, false);
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "%s/replica.%s", config_str(&h->config, "state_dir"), i ? "journal" : "snapshot");
		disk_damage(h->machine.disk, path);
	}
	h->claimed_v = 0;
}

/* The controller's machine is cut off, and its store, as it is now, is started on another: what an impatient operator does. */
static void second_ctl(struct world *w)
{
	struct ctl *first = &w->ctls[0], *second = &w->ctls[CTLS_MAX - 1];

	if (second->starts || !ctl_is_alive(first) || model_waits(w->model))
		return;
	disk_copy(second->machine.disk, first->machine.disk);
	link_memory_set_server_up(w->net, false);
	w->attached = second;
	w->counts.seconds++;
	world_note(w, "fault: %s is cut off, %s starts on a copy of its store", first->machine.name, second->machine.name);
	second->archive = first->archive;
	w->copied_v = first->archive->n;
	ctl_start(second);
}

/* The nodes reach the old one for a while. */
static void back_to_first(struct world *w)
{
	struct ctl *first = &w->ctls[0], *second = &w->ctls[CTLS_MAX - 1];

	if (!second->starts)
		return;
	for (unsigned i = 0; i < w->n_hosts; i++) /* who joins there is a stranger everywhere else */
		if (w->hosts[i].joining && !w->hosts[i].joined)
			return;
	link_memory_set_server_up(w->net, false);
	w->attached = w->attached == second && first->c ? first : second;
	world_note(w, "fault: the nodes reach %s now", w->attached->machine.name);
	if (w->attached->c)
		link_memory_set_server_up(w->net, true);
}

/* A machine is copied with its disk, and both run. */
static void copy_host(struct world *w)
{
	struct host *h = any_host(w);

	if (w->n_hosts == HOSTS_MAX || !host_is_alive(h) || h->copy_of || h->copied || h->corrupted)
		return;
	world_note(w, "fault: %s is copied, and the copy runs too", h->machine.name);
	host_copy(world_add_host(w), h);
}

/* The operator ends the copy and starts the machine itself again, until its count of starts is above. */
static void end_copy(struct host *copy)
{
	struct host *h = copy->copy_of;

	host_end(copy, false);
	copy->start_ms = NEVER;
	copy->deleted = true;
	host_stop(h);
	host_count_starts(h, copy->starts + 2);
}

/* ---- a store that is put back to an older copy ---- */

static unsigned identities(const struct world *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->n_hosts; i++)
		n += w->hosts[i].joined + w->hosts[i].deleted;
	return n;
}

static void save_copy(struct world *w)
{
	struct ctl *ctl = faults_writer(w);

	if (!ctl_is_alive(ctl))
		return;
	disk_copy(w->saved, ctl->machine.disk);
	w->saved_identities = identities(w);
	w->saved_v = ctl->archive->n;
	world_note(w, "a copy of the store is kept, at V %llu", (unsigned long long)w->saved_v);
}

/* Not past a node's joining or deletion: it would be a stranger, or a stranger would be back. */
static void roll_back(struct world *w)
{
	struct ctl *ctl = faults_writer(w);

	if (!w->saved_v || w->saved_identities != identities(w) || w->ctls[CTLS_MAX - 1].starts || !ctl_is_alive(ctl))
		return;
	for (unsigned i = 0; i < w->n_hosts; i++)
		if (w->hosts[i].joining && !w->hosts[i].joined)
			return;
	world_note(w, "fault: the store is put back to V %llu", (unsigned long long)w->saved_v);
	ctl_end(ctl, false);
	disk_copy(ctl->machine.disk, w->saved);
	w->forked = true;
	w->counts.roll_backs++;
	model_forget(w->model);
}

void faults_act(struct world *w)
{
	unsigned n = (unsigned)world_below(w, 100);

	if (n < 18)
		crash_ctl(w);
	else if (n < 42)
		crash_host(w);
	else if (n < 62)
		cut_link(w);
	else if (n < 70)
		freeze(w);
	else if (n < 77)
		break_disk(w);
	else if (n < 79)
		kill_wireguard(w);
	else if (n < 83)
		jump_clock(w);
	else if (n < 86)
		tamper(w);
	else if (n < 88)
		let_lie(w);
	else if (n < 89)
		damage_state(w);
	else if (n < 90)
		copy_host(w);
	else if (n < 92)
		second_ctl(w);
	else if (n < 95)
		back_to_first(w);
	else if (n < 98)
		save_copy(w);
	else
		roll_back(w);
}

void faults_end(struct world *w)
{
	struct ctl *ctl = faults_writer(w);

	for (unsigned i = 0; i < w->n_hosts; i++) {
		struct host *h = &w->hosts[i];

		link_memory_set_cut(w->net, h->link.client, LINK_CUT_NONE);
		link_memory_set_cut(w->net, h->join_link.client, LINK_CUT_NONE);
		disk_fail(h->machine.disk, DISK_FINE, 0);
		disk_crash_at_sync(h->machine.disk, 0);
		h->slow_disk_ms = 0;
		h->tamper = TAMPER_NOT;
		h->lies = false;
	}
	for (size_t i = 0; i < CTLS_MAX; i++) {
		disk_fail(w->ctls[i].machine.disk, DISK_FINE, 0);
		disk_crash_at_sync(w->ctls[i].machine.disk, 0);
	}
	for (unsigned i = 0; i < w->n_hosts; i++)
		if (w->hosts[i].copy_of)
			end_copy(&w->hosts[i]);
	if (w->attached != ctl) {
		link_memory_set_server_up(w->net, false);
		w->attached = ctl;
		if (ctl->c)
			link_memory_set_server_up(w->net, true);
	}
}
