/* peer_reports - see peer_reports.h. */
#include "node/peer_reports.h"

#include "lib/base/log.h"
#include "lib/sixpn/pb.h"
#include "proto/sixpn.pb-c.h"

#include <stdlib.h>
#include <string.h>

struct entry {
	struct role_peer_stats stats;
	struct entry *next; /* in the queue of those that are due */
	bool is_due;
};

struct peer_reports {
	const struct replica *replica;
	struct map entries;
	struct entry *first, **last;
	size_t n_due;
	uint64_t epoch; /* of the controller that has heard it */
	uint8_t flying[PEER_REPORTS_MAX][8];
	size_t n_flying;
	Sixpn__PeerStats items[PEER_REPORTS_MAX], *list[PEER_REPORTS_MAX];
	struct role_peer_stats said[PEER_REPORTS_MAX]; /* what the items point into */
};

int peer_reports_new(const struct replica *replica, struct peer_reports **ret)
{
	struct peer_reports *p = calloc(1, sizeof *p);

	if (!p)
		return -ENOMEM;
	p->replica = replica;
	p->last = &p->first;
	*ret = p;
	return 0;
}

struct peer_reports *peer_reports_free(struct peer_reports *p)
{
	struct entry *e;

	if (!p)
		return NULL;
	for (size_t i = 0; (e = map_next(&p->entries, &i));)
		free(e);
	map_deinit(&p->entries);
	free(p);
	return NULL;
}

static void make_due(struct peer_reports *p, struct entry *e)
{
	if (e->is_due)
		return;
	e->is_due = true;
	e->next = NULL;
	*p->last = e;
	p->last = &e->next;
	p->n_due++;
}

static struct entry *take_due(struct peer_reports *p)
{
	struct entry *e = p->first;

	if (!e)
		return NULL;
	p->first = e->next;
	if (!p->first)
		p->last = &p->first;
	p->n_due--;
	e->is_due = false;
	return e;
}

static void forget(struct peer_reports *p, struct entry *e)
{
	map_remove(&p->entries, e->stats.peer, sizeof e->stats.peer);
	free(e);
}

static bool is_ours(const struct peer_reports *p, const struct entry *e)
{
	return replica_find(p->replica, RECORD_PEER, e->stats.peer, sizeof e->stats.peer) != NULL;
}

/* Peers that are deleted while they have nothing to say leave an entry behind. */
static void sweep(struct peer_reports *p)
{
	struct entry *e;

	if (p->entries.n <= 2 * p->replica->n_by_kind[RECORD_PEER] + 64)
		return;
	for (size_t i = 0; (e = map_next(&p->entries, &i));)
		if (!e->is_due && !is_ours(p, e))
			forget(p, e);
}

void peer_reports_set(struct peer_reports *p, const struct role_peer_stats *stats)
{
	struct entry *e = map_get(&p->entries, stats->peer, sizeof stats->peer);

	if (!e) {
		sweep(p);
		e = calloc(1, sizeof *e);
		if (!e)
			return;
		e->stats = *stats;
		if (map_set(&p->entries, e->stats.peer, sizeof e->stats.peer, e, NULL) < 0) {
			free(e);
			return;
		}
	}
	e->stats = *stats;
	make_due(p, e);
}

static void put(struct peer_reports *p, size_t at, const struct entry *e)
{
	struct role_peer_stats *said = &p->said[at];
	Sixpn__PeerStats *out = &p->items[at];

	*said = e->stats;
	memcpy(p->flying[at], said->peer, sizeof said->peer);
	sixpn__peer_stats__init(out);
	out->peer = pb_bytes(said->peer, sizeof said->peer);
	out->last_handshake_ms = said->last_handshake_ms;
	out->rx_bytes = said->rx_bytes;
	out->tx_bytes = said->tx_bytes;
	out->endpoint = pb_bytes(said->endpoint, strlen(said->endpoint));
	p->list[at] = out;
}

/* A controller of another epoch may never have heard it. */
static void start_over(struct peer_reports *p)
{
	struct entry *e;

	p->epoch = p->replica->epoch;
	for (size_t i = 0; (e = map_next(&p->entries, &i));)
		make_due(p, e);
}

size_t peer_reports_fill(struct peer_reports *p, struct Sixpn__ReportRequest *report)
{
	struct entry *e;
	size_t n = 0;

	if (p->epoch != p->replica->epoch)
		start_over(p);
	while (n < PEER_REPORTS_MAX && (e = take_due(p))) {
		if (is_ours(p, e))
			put(p, n++, e);
		else
			forget(p, e);
	}
	p->n_flying = n;
	report->n_peer_stats = n;
	report->peer_stats = p->list;
	return n;
}

void peer_reports_landed(struct peer_reports *p, bool arrived)
{
	for (size_t i = 0; i < p->n_flying && !arrived; i++) {
		struct entry *e = map_get(&p->entries, p->flying[i], sizeof p->flying[i]);

		if (e)
			make_due(p, e);
	}
	p->n_flying = 0;
}

size_t peer_reports_waiting(const struct peer_reports *p)
{
	return p->n_due;
}
