/* invariants - see invariants.h. */
#include "tests/sim/invariants.h"

#include "node/statefile.h"
#include "tests/sim/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OVERTAKEN_MS 10000 /* a poll may be that late */

static const char *what(const struct row *row)
{
	static char text[100];
	char key[80];

	snprintf(text, sizeof text, "%s %s", record_kind_name(row->record->kind), record_key_text(row->record, key, sizeof key));
	return text;
}

/* ---- I1 and I3 ---- */

static int differs(struct comparison *c, const char *invariant, const char *text, const struct row *row)
{
	c->invariant = invariant;
	snprintf(c->found, sizeof c->found, "%s: %s of V %llu", text, what(row), (unsigned long long)row->record->v);
	return 1;
}

static bool is_visible(const struct comparison *c, const struct record *r)
{
	const struct stay *s = stays_find(&c->stays, r->network);

	return RECORD_SENDABLE(r->kind) && (r->node ? r->node == c->host->host : !r->network || (s && s->at_v));
}

static bool may_be_visible(const struct comparison *c, const struct record *r)
{
	const struct stay *s = stays_find(&c->stays, r->network);

	return RECORD_SENDABLE(r->kind) && (r->node ? r->node == c->host->host : !r->network || (s && (s->at_v || s->ever)));
}

static bool same_body(const struct record *a, const struct record *b)
{
	return a->body_len == b->body_len && !memcmp(a->body, b->body, a->body_len);
}

/* What must be there. A batch of changes may bring a record that is newer than its V, and takes a network that left at its first. */
static int look_for(struct comparison *c, const struct row *row)
{
	const struct record *want = row->record, *have = replica_find(c->r, want->kind, want->key, want->key_len);
	const struct stay *s = stays_find(&c->stays, want->network);
	bool later = row->after && row->after->record->v <= c->until;

	if (!have && later)
		return 0;
	if (!have && want->network && s && !s->always)
		return 0;
	if (!have)
		return differs(c, "I1", "missing", row);
	if (have->v != want->v && !(later && have->v > want->v))
		return differs(c, "I1", "another version is there", row);
	if (have->v == want->v && !same_body(have, want))
		return differs(c, "I1", "other bytes", row);
	return 0;
}

/* What may be there. */
static int judge(void *ctx, const struct record *have)
{
	struct comparison *c = ctx;
	const struct row *row = archive_row(c->a, have->v);
	struct row unknown = { .record = (struct record *)(uintptr_t)have };

	if (!row || have->v > c->until || row->record->kind != have->kind || row->record->key_len != have->key_len ||
	    memcmp(row->record->key, have->key, have->key_len) || row->record->deleted || !same_body(row->record, have))
		return differs(c, "I1", "a record that the log does not have", &unknown);
	if (!may_be_visible(c, have))
		return differs(c, "I3", "a record that is not its own", row);
	if (have->v <= c->v && !row_is_current(row, c->v))
		return differs(c, "I1", "an old version", row);
	return 0;
}

int compare(struct comparison *c)
{
	int e = 0;

	archive_stays(c->a, c->host->host, c->v, c->until, &c->stays);
	for (uint64_t v = 1; v <= c->a->n && v <= c->v && e == 0; v++) {
		const struct row *row = archive_row(c->a, v);

		if (row_is_current(row, c->v) && is_visible(c, row->record))
			e = look_for(c, row);
	}
	return e ? e : replica_each(c->r, 0, judge, c);
}

void check_replica(struct host *h, const struct replica *r, const char *when)
{
	struct world *w = h->machine.world;
	struct comparison c = { .host = h, .r = r, .v = r->v };

	w->counts.checks++;
	if (!r->has_log_id || w->forked)
		return;
	c.a = archive_of(w->archives, r->epoch, r->log_id);
	if (!c.a)
		world_fail(w, "I5", "%s obeys a log that no controller ever wrote", h->machine.name);
	c.until = c.a->n;
	if (compare(&c) == 0) {
		h->corrupted = false;
		return;
	}
	if (!h->corrupted || !strcmp(c.invariant, "I3"))
		world_fail(w, c.invariant, "%s at V %llu of %llu, %s: %s", h->machine.name, (unsigned long long)r->v, (unsigned long long)c.a->n,
			   when, c.found);
}

/* ---- I7 ---- */

/* What the machine would find if it lost power now, and nothing unsynced had reached its disk. */
static void check_durable(struct host *h, uint64_t v)
{
	struct world *w = h->machine.world;
	struct disk *d = disk_clone(h->machine.disk, "/sim/x");
	struct statefile_found found = { 0 };
	struct replica r;
	struct why why = { .text = "" };
	int e;

	disk_cut(d, true);
	disk_revive(d);
	replica_init(&r);
	w->actor = NULL;
	e = statefile_load("/sim/x/state", &r, &found, &why);
	w->counts.durable++;
	if (e)
		world_fail(w, "I7", "%s has said that V %llu is applied, and could not read its state after a crash: %d %s", h->machine.name,
			   (unsigned long long)v, e, why.text);
	if (r.v < h->node.replica.v && r.v < v) {
		struct comparison c = { .host = h, .r = &r, .a = archive_of(w->archives, r.epoch, r.log_id), .v = v };

		c.until = c.a ? c.a->n : 0;
		if (!c.a || compare(&c))
			world_fail(w, "I7", "%s has said that V %llu is applied, and would be at V %llu after a crash: %s", h->machine.name,
				   (unsigned long long)v, (unsigned long long)r.v, c.a ? c.found : "no log");
	}
	replica_deinit(&r);
	disk_free(d);
}

static bool is_named(const char (*list)[NAME_SIZE], uint32_t n, const char *name)
{
	for (uint32_t i = 0; i < n && i < API_WAIT_NAMES_MAX; i++)
		if (!strcmp(list[i], name))
			return true;
	return false;
}

void check_wait(struct world *w, uint64_t v, const struct api_wait_result *result)
{
	if (result->v_observed > v)
		v = result->v_observed;
	for (unsigned i = 0; i < w->n_hosts && !w->forked; i++) {
		struct host *h = &w->hosts[i];
		struct comparison c = { .host = h, .r = &h->node.replica };

		/* one that is down now has been there: what it has is on its disk, and is looked at when it starts */
		if (!h->joined || h->deleted || h->corrupted || h->copied || h->copy_of || !host_is_alive(h) || is_named(result->unknown, result->n_unknown, h->name))
			continue;
		if (!c.r->has_log_id && !h->claimed_v) /* its disk was damaged: what it has applied once is gone */
			continue;
		c.a = archive_of(w->archives, c.r->epoch, c.r->log_id);
		c.v = c.r->v > v ? c.r->v : v;
		c.until = c.a ? c.a->n : 0;
		if (!c.a || compare(&c))
			world_fail(w, "I7", "V %llu is said to be applied everywhere, and %s, at V %llu, does not have it: %s", (unsigned long long)v,
				   h->machine.name, (unsigned long long)c.r->v, c.a ? c.found : "no log");
		check_names(h);
		if (world_chance(w, 300))
			check_durable(h, v);
	}
}

/* ---- I6 ---- */

static void check_ctl(struct world *w, struct ctl *ctl)
{
	const struct controller *c = ctl->c;
	const struct link_server_stats *link = controller_link_stats(c);

	if (c->ring.n > 2 * w->rules.window_changes + 2)
		world_fail(w, "I6", "the ring holds %zu changes, %zu are allowed", c->ring.n, w->rules.window_changes);
	if (c->stats.snapshots_now > w->rules.snapshots_max)
		world_fail(w, "I6", "%llu snapshots run, %u are allowed", (unsigned long long)c->stats.snapshots_now, w->rules.snapshots_max);
	if (link->sessions > 4 * (size_t)w->n_hosts + 8 || link->provisional > 64 || link->calls > 2 * link->sessions + 64)
		world_fail(w, "I6", "%zu sessions, %zu provisional, %zu calls for %u nodes", link->sessions, link->provisional, link->calls,
			   w->n_hosts);
	if (c->parked.n > c->nodes.by_host.n)
		world_fail(w, "I6", "%zu parked polls of %zu nodes", c->parked.n, c->nodes.by_host.n);
}

/* I5: a controller that was asked by a node of a later epoch, which the node proves, writes no more. */
static void check_fenced(struct world *w, const struct ctl *ctl)
{
	const struct controller *c = ctl->c;

	for (unsigned i = 0; i < w->n_hosts; i++) {
		const struct host *h = &w->hosts[i];
		const struct node_entry *node = h->up && h->heard && !h->copied && !h->copy_of ? node_table_find(&c->nodes, h->host) : NULL;

		if (!node || node->polled_ms == NODE_NEVER || h->obeyed_epoch <= c->identity.epoch || ctl->leaving || c->told_to_stop ||
		    h->proven_ms == NEVER || h->proven_epoch != h->obeyed_epoch)
			continue;
		if (node->polled_ms > h->obeyed_ms + OVERTAKEN_MS && node->polled_ms > h->proven_ms + OVERTAKEN_MS)
			world_fail(w, "I5", "%s goes on with epoch %llu though %s has asked it with epoch %llu", ctl->machine.name,
				   (unsigned long long)c->identity.epoch, h->machine.name, (unsigned long long)h->obeyed_epoch);
	}
}

/* I5: and only what a node has proven ends it. */
void check_must_stop(const struct ctl *ctl, const char *reason)
{
	const struct world *w = ctl->machine.world;
	const struct store_identity *ours = &ctl->c->identity;

	if (!strstr(reason, "obeys another controller"))
		return;
	for (unsigned i = 0; i < w->n_hosts; i++) {
		const struct host *h = &w->hosts[i];

		if (h->proven_epoch > ours->epoch || (h->proven_epoch == ours->epoch && memcmp(h->proven_log, ours->log_id, 16)))
			return;
	}
	world_fail(ctl->machine.world, "I5", "%s ends on a word that nobody can prove: %s", ctl->machine.name, reason);
}

void check_bounds(struct world *w)
{
	for (size_t i = 0; i < CTLS_MAX; i++)
		if (w->ctls[i].c) {
			check_ctl(w, &w->ctls[i]);
			check_fenced(w, &w->ctls[i]);
		}
}

/* ---- acknowledged writes ---- */

void check_acknowledged(struct ctl *ctl, const struct archive *before)
{
	struct world *w = ctl->machine.world;
	uint64_t v = model_acknowledged_v(w->model);

	if (w->forked)
		return;
	if (ctl->archive->n < v)
		world_fail(w, "ack", "V %llu was acknowledged, and %s starts at V %llu", (unsigned long long)v, ctl->machine.name,
			   (unsigned long long)ctl->archive->n);
	for (; v; v--)
		if (!archive_same_row(before, ctl->archive, v))
			world_fail(w, "ack", "V %llu is another one after the start of %s", (unsigned long long)v, ctl->machine.name);
}
