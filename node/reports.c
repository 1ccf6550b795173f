/* reports - see reports.h. */
#include "node/reports.h"

#include "node/peer_reports.h"

#include "lib/base/log.h"
#include "lib/sixpn/pb.h"
#include "proto/sixpn.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_PER_REPORT 128
#define RETRY_MS 1000
#define PAUSE_MAX_MS 60000

struct entry {
	char id[NAME_INSTANCE_ID_SIZE];
	struct observed truth;
	uint64_t quiet_until_v; /* this truth was answered: it is said again only if it differs still at that V ... */
	uint64_t quiet_epoch;   /* ... or when a controller of another epoch is obeyed, which may never have heard it */
	bool in_flight;
};

struct reports {
	struct loop *loop;
	const struct clock *clock;
	struct link_client *link;
	struct replica *replica;
	struct map entries;
	struct peer_reports *peers;
	bool flying;
	bool paused; /* the controller wants to hear no more of instances until the timer ends */
	struct loop_timer again;
};

static void again_expired(struct loop_timer *timer)
{
	struct reports *r = container_of(timer, struct reports, again);

	r->paused = false;
	reports_send(r);
}

int reports_new(struct loop *loop, const struct clock *clock, struct link_client *link, struct replica *replica, struct reports **ret_reports)
{
	struct reports *r = calloc(1, sizeof *r);
	int e;

	if (!r)
		return -ENOMEM;
	*r = (struct reports){ .loop = loop, .clock = clock, .link = link, .replica = replica, .again.expired = again_expired };
	e = peer_reports_new(replica, &r->peers);
	if (e < 0)
		free(r);
	else
		*ret_reports = r;
	return e;
}

struct reports *reports_free(struct reports *r)
{
	struct entry *e;

	if (!r)
		return NULL;
	for (size_t i = 0; (e = map_next(&r->entries, &i));)
		free(e);
	map_deinit(&r->entries);
	peer_reports_free(r->peers);
	loop_cancel_timer(&r->again);
	free(r);
	return NULL;
}

bool reports_set(struct reports *r, const char *instance_id, const struct observed *truth)
{
	struct entry *e = map_get_str(&r->entries, instance_id);

	if (e && observed_equal(&e->truth, truth))
		return false;
	if (!e) {
		e = calloc(1, sizeof *e);
		if (!e)
			return false;
		snprintf(e->id, sizeof e->id, "%s", instance_id);
		if (map_set_str(&r->entries, e->id, e) < 0) {
			free(e);
			return false;
		}
	}
	e->truth = *truth;
	e->quiet_until_v = 0;
	e->in_flight = false; /* what flies is older now */
	return true;
}

const struct observed *reports_get(const struct reports *r, const char *instance_id)
{
	struct entry *e = map_get_str(&r->entries, instance_id);

	return e ? &e->truth : NULL;
}

void reports_set_peer(struct reports *r, const struct role_peer_stats *stats)
{
	peer_reports_set(r->peers, stats);
}

static bool differs(struct reports *r, const struct entry *e, bool *ret_gone)
{
	const struct record *record = replica_find(r->replica, RECORD_INSTANCE, e->id, NAME_INSTANCE_ID_LEN);
	struct instance_record i;

	*ret_gone = !record;
	if (!record || instance_decode(record, &i, NULL) != 0)
		return false;
	return e->truth.generation >= i.observed.generation && !observed_equal(&e->truth, &i.observed);
}

/* Entries of instances that have no record any more are dropped on the way. */
static size_t collect(struct reports *r, struct entry **out, size_t max)
{
	struct entry *e;
	size_t n = 0;

	for (size_t i = 0; n < max && (e = map_next(&r->entries, &i));) {
		bool gone;

		if (!differs(r, e, &gone)) {
			if (gone) {
				map_remove(&r->entries, e->id, NAME_INSTANCE_ID_LEN);
				free(e);
			}
			continue;
		}
		if (e->quiet_until_v > r->replica->v && e->quiet_epoch == r->replica->epoch)
			continue;
		out[n++] = e;
	}
	return n;
}

size_t reports_waiting(const struct reports *r)
{
	size_t n = 0;
	struct entry *e;

	for (size_t i = 0; (e = map_next(&r->entries, &i));) {
		bool gone;

		n += differs((struct reports *)(uintptr_t)r, e, &gone);
	}
	return n;
}

static void pause_for(struct reports *r, const Sixpn__ReportRefusal *m)
{
	uint32_t ms = m->retry_after_ms < PAUSE_MAX_MS ? m->retry_after_ms : PAUSE_MAX_MS;

	if (r->paused)
		return;
	log_limited(LOG_L_WARN, "report", "the controller hears our reports in %u ms again: %.*s", ms, (int)(m->text.len > 160 ? 160 : m->text.len),
		    (const char *)m->text.data);
	r->paused = loop_set_timer_in(r->loop, &r->again, ms) == 0;
}

/* Each truth that flew became a record at a V up to m->v, or the controller had nothing to change (it knows more than we), or it was
 * refused. Whichever: said again only when our records have moved there, or at all. */
static void take_answer(struct reports *r, const Sixpn__ReportReply *m)
{
	uint64_t next_v = r->replica->v + 1;
	struct entry *e;

	for (size_t i = 0; (e = map_next(&r->entries, &i));)
		if (e->in_flight) {
			e->quiet_until_v = m->v > next_v ? m->v : next_v;
			e->quiet_epoch = r->replica->epoch;
			e->in_flight = false;
		}
	for (size_t i = 0; i < m->n_refused; i++) {
		e = m->refused[i]->instance.len == NAME_INSTANCE_ID_LEN ? map_get(&r->entries, m->refused[i]->instance.data, NAME_INSTANCE_ID_LEN) :
									  NULL;
		if (e && m->refused[i]->retry_after_ms) {
			e->quiet_until_v = 0;
			pause_for(r, m->refused[i]);
		} else if (e && e->truth.state != STATE_DESTROYED) /* else it was heard before, and the answer was late */
			log_warn("report", "the controller refused the report of %s: %.*s", e->id,
				 (int)(m->refused[i]->text.len > 160 ? 160 : m->refused[i]->text.len), (const char *)m->refused[i]->text.data);
	}
}

static void report_done(void *ctx, enum link_result result, const uint8_t *payload, size_t len)
{
	struct reports *r = ctx;
	struct pb_arena arena;
	Sixpn__ReportReply *m;
	struct entry *e;

	if (result == LINK_STOPPED)
		return;
	r->flying = false;
	peer_reports_landed(r->peers, result == LINK_OK);
	pb_arena_init(&arena, 256 << 10);
	m = result == LINK_OK ? (Sixpn__ReportReply *)pb_unpack(&arena, &sixpn__report_reply__descriptor, payload, len) : NULL;
	if (m)
		take_answer(r, m);
	pb_arena_deinit(&arena);
	if (m) {
		reports_send(r);
		return;
	}
	for (size_t i = 0; (e = map_next(&r->entries, &i));)
		e->in_flight = false;
	if (loop_set_timer_in(r->loop, &r->again, RETRY_MS / 2 + clock_random_below(r->clock, RETRY_MS)) < 0)
		log_err("report", "no memory for a timer");
}

void reports_send(struct reports *r)
{
	CLEAN_BUF struct buf bytes = BUF_INIT(LINK_REQUEST_MAX + 1);
	struct entry *due[ENTRIES_PER_REPORT];
	Sixpn__ReportRequest m = SIXPN__REPORT_REQUEST__INIT;
	Sixpn__InstanceReport reports[ENTRIES_PER_REPORT], *list[ENTRIES_PER_REPORT];
	Sixpn__Observed observed[ENTRIES_PER_REPORT];
	size_t n;
	int e;

	if (r->flying)
		return;
	n = r->paused ? 0 : collect(r, due, ENTRIES_PER_REPORT);
	if (n + peer_reports_fill(r->peers, &m) == 0)
		return;
	for (size_t i = 0; i < n; i++) {
		sixpn__instance_report__init(&reports[i]);
		observed_to_pb(&due[i]->truth, &observed[i]);
		reports[i].instance = pb_bytes(due[i]->id, NAME_INSTANCE_ID_LEN);
		reports[i].observed = &observed[i];
		list[i] = &reports[i];
		due[i]->in_flight = true;
	}
	m.instances = list;
	m.n_instances = n;
	e = pb_pack(&m, &bytes);
	if (e == 0)
		e = link_client_call(r->link, LINK_REPORT, bytes.data, bytes.len, report_done, r);
	r->flying = e == 0;
	if (e < 0)
		peer_reports_landed(r->peers, false);
	if (e < 0 && loop_set_timer_in(r->loop, &r->again, RETRY_MS) < 0)
		log_err("report", "no memory for a timer");
}
