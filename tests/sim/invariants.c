/* invariants - see invariants.h. */
#include "tests/sim/invariants.h"

#include "lib/dns/answer.h"
#include "node/statefile.h"
#include "tests/sim/model.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OVERTAKEN_MS 10000 /* a poll may be that late */

static const struct archive *archive_of(const struct world *w, const struct replica *r)
{
	for (const struct archive *a = w->archives; a; a = a->next)
		if (a->epoch == r->epoch && !memcmp(a->log_id, r->log_id, 16))
			return a;
	return NULL;
}

static const char *what(const struct row *row)
{
	static char text[100];
	char key[80];

	snprintf(text, sizeof text, "%s %s", record_kind_name(row->record->kind), record_key_text(row->record, key, sizeof key));
	return text;
}

/* ---- I1 and I3 ---- */

/* One comparison of a copy with the log at V. `until`: how far the controller may have been when it sent. */
struct comparison {
	const struct host *host;
	const struct archive *a;
	const struct replica *r;
	struct stays stays;
	uint64_t v, until;
	char found[300];
	const char *invariant;
};

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

static int compare(struct comparison *c)
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
	c.a = archive_of(w, r);
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

/* ---- names ---- */

struct answers {
	uint16_t rcode;
	struct in6_addr list[32];
	size_t n;
};

static size_t add_name(uint8_t *at, const char *name)
{
	size_t n = 0;

	while (*name) {
		size_t len = strcspn(name, ".");

		at[n++] = (uint8_t)len;
		memcpy(at + n, name, len);
		n += len;
		name += len + (name[len] == '.');
	}
	at[n++] = 0;
	return n;
}

static size_t skip_name(const uint8_t *m, size_t at)
{
	while (m[at] && m[at] < 0xc0)
		at += m[at] + 1u;
	return at + (m[at] ? 2 : 1);
}

static void ask(const struct host *h, uint32_t network, uint32_t instance, const char *name, struct answers *ret)
{
	uint8_t query[300] = { 0x12, 0x34, 1, 0, 0, 1 }, reply[DNS_UDP_MAX];
	struct dns_asker asker = { .source = addr_instance(network, h->host, instance), .local = addr_resolver() };
	struct dns_outcome outcome;
	size_t n = 12 + add_name(query + 12, name), at = 12, left;

	memcpy(query + n, "\0\x1c\0\1", 4); /* AAAA, IN */
	dns_views_online();
	n = dns_answer(h->node.views, &asker, query, n + 4, reply, sizeof reply, &outcome);
	dns_views_offline();
	*ret = (struct answers){ .rcode = n ? reply[3] & 15 : DNS_SERVFAIL };
	if (n < 12)
		return;
	at = skip_name(reply, at) + 4;
	left = get_u16(reply + 6);
	for (; left && ret->n < ARRAY_LEN(ret->list); left--) {
		at = skip_name(reply, at);
		if (get_u16(reply + at) == DNS_TYPE_AAAA)
			memcpy(&ret->list[ret->n++], reply + at + 10, 16);
		at += 10u + get_u16(reply + at + 8);
	}
}

/* Every address that an app's name gives is one of the app's instances, in this network. */
static void check_addresses(const struct host *h, const struct archive *a, const struct row *app, const struct answers *got)
{
	for (size_t i = 0; i < got->n; i++) {
		bool known = false;

		for (uint64_t v = 1; v <= a->n && !known; v++) {
			const struct row *row = archive_row(a, v);
			struct in6_addr address;

			if (row->record->kind != RECORD_INSTANCE || row->record->deleted || memcmp(row->app, app->record->key, 8) ||
			    (row->after && row->after->record->v <= h->node.replica.v && !row_is_current(row, h->node.replica.v)))
				continue;
			address = addr_instance(row->record->network, row->word, row->instance);
			known = !memcmp(&address, &got->list[i], 16);
		}
		if (!known)
			world_fail(h->machine.world, "names", "%s answers %s of network %08x with an address that is none of its instances",
				   h->machine.name, app->name, app->record->network);
	}
}

static void check_app(const struct host *h, const struct archive *a, const struct row *app)
{
	struct answers got;
	char name[100];

	snprintf(name, sizeof name, "%s.internal", app->name);
	ask(h, app->record->network, 0x20000, name, &got);
	if (got.rcode == DNS_NXDOMAIN)
		world_fail(h->machine.world, "names", "%s says NXDOMAIN for %s of network %08x at V %llu", h->machine.name, name,
			   app->record->network, (unsigned long long)h->node.replica.v);
	if (got.rcode != DNS_NOERROR)
		world_fail(h->machine.world, "names", "%s answers %s of network %08x with rcode %u", h->machine.name, name,
			   app->record->network, got.rcode);
	check_addresses(h, a, app, &got);
}

/* An instance of another host that is started must answer; one that is not must not. */
static void check_instance(const struct host *h, const struct archive *a, const struct row *row)
{
	const struct row *app = archive_find(a, h->node.replica.v, RECORD_APP, row->app, 8);
	bool answers = row->desired == DESIRED_STARTED && row->observed == STATE_STARTED && !row->skip;
	struct in6_addr address = addr_instance(row->record->network, row->word, row->instance);
	uint8_t key[4];
	struct answers got;
	char name[160];

	put_u32(key, row->places[0]);
	if (!app || row->places[0] == h->host || !archive_find(a, h->node.replica.v, RECORD_NODE, key, 4))
		return;
	snprintf(name, sizeof name, "%.14s.vm.%s.internal", (const char *)row->record->key, app->name);
	ask(h, row->record->network, 0x20000, name, &got);
	if (answers && (got.rcode != DNS_NOERROR || got.n != 1 || memcmp(&got.list[0], &address, 16)))
		world_fail(h->machine.world, "names", "%s does not answer %s, which is started at V %llu (rcode %u, %zu answers)", h->machine.name,
			   name, (unsigned long long)h->node.replica.v, got.rcode, got.n);
	if (!answers && got.n)
		world_fail(h->machine.world, "names", "%s answers %s, which is %s at V %llu", h->machine.name, name,
			   instance_state_name(row->observed), (unsigned long long)h->node.replica.v);
}

void check_names(struct host *h)
{
	struct world *w = h->machine.world;
	const struct replica *r = &h->node.replica;
	const struct archive *a = r->has_log_id ? archive_of(w, r) : NULL;
	struct stays stays;

	if (!a || w->forked || h->corrupted || !dns_views_synced(h->node.views) || disk_is_dead(h->machine.disk))
		return;
	archive_stays(a, h->host, r->v, a->n, &stays);
	w->counts.dns++;
	for (uint64_t v = 1; v <= r->v && v <= a->n; v++) {
		const struct row *row = archive_row(a, v);
		const struct stay *s = stays_find(&stays, row->record->network);

		if (!row_is_current(row, r->v) || !s || !s->always || (row->after && row->after->record->v <= a->n))
			continue;
		if (row->record->kind == RECORD_APP)
			check_app(h, a, row);
		else if (row->record->kind == RECORD_INSTANCE)
			check_instance(h, a, row);
	}
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
		struct comparison c = { .host = h, .r = &r, .a = archive_of(w, &r), .v = v };

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
		c.a = archive_of(w, c.r);
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

/* I5: a controller that was asked by a node of a later epoch writes no more. */
static void check_fenced(struct world *w, const struct ctl *ctl)
{
	const struct controller *c = ctl->c;

	for (unsigned i = 0; i < w->n_hosts; i++) {
		const struct host *h = &w->hosts[i];
		const struct node_entry *node = h->up && h->heard && !h->copied && !h->copy_of ? node_table_find(&c->nodes, h->host) : NULL;

		if (!node || node->polled_ms == NODE_NEVER || h->obeyed_epoch <= c->identity.epoch || ctl->leaving || c->told_to_stop)
			continue;
		if (node->polled_ms > h->obeyed_ms + OVERTAKEN_MS)
			world_fail(w, "I5", "%s goes on with epoch %llu though %s has asked it with epoch %llu", ctl->machine.name,
				   (unsigned long long)c->identity.epoch, h->machine.name, (unsigned long long)h->obeyed_epoch);
	}
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

/* ---- I4 ---- */

static bool differ(char ret[300], const char *fmt, ...) PRINTF_LIKE(2, 3);
static bool differ(char ret[300], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(ret, 300, fmt, ap);
	va_end(ap);
	return false;
}

static bool is_equal(struct world *w, struct host *h, const struct archive *a, char why[300])
{
	struct comparison c = { .host = h, .a = a, .r = &h->node.replica, .v = a->n, .until = a->n };

	if (!h->up)
		return differ(why, "%s is down", h->machine.name);
	if (!c.r->has_log_id || archive_of(w, c.r) != a)
		return differ(why, "%s does not obey the controller", h->machine.name);
	if (compare(&c))
		return differ(why, "%s at V %llu of %llu: %s: %s", h->machine.name, (unsigned long long)c.r->v, (unsigned long long)a->n,
			      c.invariant, c.found);
	return true;
}

static bool is_reached(struct world *w, const struct archive *a, const struct row *row, char why[300])
{
	static const uint32_t reached[] = { [DESIRED_STARTED] = STATE_STARTED, [DESIRED_STOPPED] = STATE_STOPPED };
	struct host *h = host_of_word(w, row->places[0]);
	const struct process *p = h ? kernel_process(&h->kernel, (const char[NAME_INSTANCE_ID_SIZE]){ 0 }) : NULL;
	char id[NAME_INSTANCE_ID_SIZE] = "";

	(void)a;
	memcpy(id, row->record->key, NAME_INSTANCE_ID_LEN);
	if (!h || h->deleted)
		return true;
	p = kernel_process(&h->kernel, id);
	if (row->desired == DESIRED_DESTROYED)
		return differ(why, "instance %s should be gone from %s", id, h->machine.name);
	if (row->observed != reached[row->desired] && !(row->desired == DESIRED_STOPPED && row->observed == STATE_CREATED))
		return differ(why, "instance %s on %s is wanted %s and seen %s", id, h->machine.name, desired_name(row->desired),
			      instance_state_name(row->observed));
	if ((row->desired == DESIRED_STARTED) != (p && p->state == RUNTIME_RUNNING))
		return differ(why, "instance %s on %s is wanted %s and its process is %d", id, h->machine.name, desired_name(row->desired),
			      p ? (int)p->state : -1);
	if (p && p->state == RUNTIME_RUNNING && (p->generation != row->generation || !p->attached || p->network != row->record->network))
		return differ(why, "instance %s on %s runs generation %llu of %llu, attached %d", id, h->machine.name,
			      (unsigned long long)p->generation, (unsigned long long)row->generation, p->attached);
	return true;
}

/* The kernel has what the log says, no more and no less. */
static bool has_kernel(struct host *h, const struct archive *a, char why[300])
{
	size_t peers = 0, running = 0;

	for (uint64_t v = 1; v <= a->n; v++) {
		const struct row *row = archive_row(a, v);

		if (!row_is_current(row, a->n))
			continue;
		peers += row->record->kind == RECORD_NODE && row->word != h->host;
		running += row->record->kind == RECORD_INSTANCE && row->places[0] == h->host && row->desired == DESIRED_STARTED;
	}
	if (peers != h->kernel.n_peers)
		return differ(why, "%s has %zu mesh peers, the log says %zu", h->machine.name, h->kernel.n_peers, peers);
	for (size_t i = 0; i < h->kernel.n_processes; i++)
		running -= h->kernel.processes[i].state == RUNTIME_RUNNING;
	return running ? differ(why, "%s runs %zd instances more or less than the log says", h->machine.name, -(ssize_t)running) : true;
}

/* Presence: all pairs of its networks that are not suspended. */
static bool has_presence(struct host *h, const struct archive *a, char why[300])
{
	struct presence_pair want[PAIRS_MAX];
	struct stays stays;
	size_t n = 0;

	archive_stays(a, h->host, a->n, a->n, &stays);
	for (uint64_t v = 1; v <= a->n; v++) {
		const struct row *row = archive_row(a, v), *network;
		const struct stay *s = stays_find(&stays, row->record->network);
		uint8_t key[4];

		put_u32(key, row->record->network);
		network = archive_find(a, a->n, RECORD_NETWORK, key, 4);
		if (!row_is_current(row, a->n) || !row->n_places || !s || !s->at_v || !network || network->suspended)
			continue;
		for (unsigned k = 0; k < row->n_places; k++) {
			struct presence_pair p = { row->record->network, row->places[k] };
			size_t at = 0;

			while (at < n && memcmp(&want[at], &p, sizeof p))
				at++;
			want[at] = p;
			n = at == n ? n + 1 : n;
		}
	}
	for (size_t i = 0; i < n; i++) {
		size_t at = 0;

		while (at < h->kernel.n_pairs && memcmp(&h->kernel.pairs[at], &want[i], sizeof *want))
			at++;
		if (at == h->kernel.n_pairs)
			return differ(why, "%s lacks presence (%08x, %08x)", h->machine.name, want[i].network, want[i].host);
	}
	return n == h->kernel.n_pairs ? true : differ(why, "%s has %zu presence pairs, the log says %zu", h->machine.name, h->kernel.n_pairs, n);
}

bool is_at_rest(struct world *w, char why[300])
{
	struct ctl *ctl = w->attached;
	const struct archive *a;

	if (!ctl || !ctl_is_alive(ctl))
		return differ(why, "no controller runs");
	if (model_waits(w->model))
		return differ(why, "an operation or a wait has not come back");
	a = ctl->archive;
	for (unsigned i = 0; i < w->n_hosts; i++) {
		struct host *h = &w->hosts[i];

		if (!h->joined || h->deleted)
			continue;
		if (!is_equal(w, h, a, why) || !has_kernel(h, a, why) || !has_presence(h, a, why))
			return false;
	}
	for (uint64_t v = 1; v <= a->n; v++) {
		const struct row *row = archive_row(a, v);

		if (row->record->kind == RECORD_INSTANCE && row_is_current(row, a->n) && !is_reached(w, a, row, why))
			return false;
	}
	return true;
}

void check_rest(struct world *w)
{
	w->forked = false;
	for (unsigned i = 0; i < w->n_hosts; i++) {
		struct host *h = &w->hosts[i];

		if (!h->up || h->deleted)
			continue;
		check_replica(h, &h->node.replica, "at rest");
		check_names(h);
	}
	model_check(w, w->attached->archive);
}
