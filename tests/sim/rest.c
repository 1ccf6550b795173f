/* rest - I4: whether everything has come to rest after the last fault. See invariants.h. */
#include "tests/sim/invariants.h"

#include "tests/sim/model.h"
#include "tests/sim/peers.h"

#include <stdio.h>
#include <string.h>

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
	if (!c.r->has_log_id || archive_of(w->archives, c.r->epoch, c.r->log_id) != a)
		return differ(why, "%s does not obey the controller", h->machine.name);
	if (compare(&c))
		return differ(why, "%s at V %llu of %llu: %s: %s", h->machine.name, (unsigned long long)c.r->v, (unsigned long long)a->n,
			      c.invariant, c.found);
	return true;
}

static bool is_suspended(const struct archive *a, uint32_t network)
{
	const struct row *row;
	uint8_t key[4];

	put_u32(key, network);
	row = archive_find(a, a->n, RECORD_NETWORK, key, 4);
	return !row || row->suspended;
}

static bool is_reached(struct world *w, const struct archive *a, const struct row *row, char why[300])
{
	static const uint32_t reached[] = { [DESIRED_STARTED] = STATE_STARTED, [DESIRED_STOPPED] = STATE_STOPPED };
	struct host *h = host_of_word(w, row->places[0]);
	const struct process *p = h ? kernel_process(&h->kernel, (const char[NAME_INSTANCE_ID_SIZE]){ 0 }) : NULL;
	char id[NAME_INSTANCE_ID_SIZE] = "";

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
	if (p && p->state == RUNTIME_RUNNING && p->speaks == is_suspended(a, row->record->network))
		return differ(why, "instance %s on %s: its interface is %s", id, h->machine.name, p->speaks ? "open, and the network suspended" : "silent");
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
		if (!row_is_current(row, a->n) || !row->n_speakers || !s || !s->at_v || !network || network->suspended)
			continue;
		for (unsigned k = 0; k < row->n_speakers; k++) {
			struct presence_pair p = { row->record->network, row->speakers[k] };
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
		if (!is_equal(w, h, a, why) || !has_kernel(h, a, why) || !has_presence(h, a, why) || !peers_at_rest(h, a, why))
			return false;
	}
	for (uint64_t v = 1; v <= a->n; v++) {
		const struct row *row = archive_row(a, v);

		if (row->record->kind == RECORD_INSTANCE && row_is_current(row, a->n) && !is_reached(w, a, row, why))
			return false;
		if (row->record->kind == RECORD_PEER && row_is_current(row, a->n) && row->expires_ms &&
		    row->expires_ms < clock_real_ms(&ctl->machine.clock))
			return differ(why, "peer %s has expired and is there", row->name);
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
