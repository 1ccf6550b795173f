/* sync - see sync.h. */
#include "node/sync.h"

#include "lib/base/log.h"
#include "lib/sixpn/pb.h"
#include "node/statefile.h"
#include "proto/sixpn.pb-c.h"

#include <stdlib.h>
#include <string.h>

#define RETRY_MS 1000
#define FENCED_RETRY_MS 5000
#define RETRY_AFTER_MAX_MS 60000
#define REFUSALS_DOUBLED 6 /* the wait after refused replies doubles so often: to about a minute */
#define PARTS_MAX 512 /* digest parts per poll; more networks than that are healed by a whole snapshot */
#define HELD_MAX 64   /* held deletes named in a poll; their number is said beside it */

struct sync {
	struct loop *loop;
	const struct clock *clock;
	struct link_client *link;
	struct replica *replica;
	struct journal *journal;
	const struct sync_events *events;
	void *ctx;
	struct loop_timer again;
	unsigned refusals;  /* since the last reply that could be taken */
	bool polling;       /* a Poll is outstanding */
	bool settling;      /* a reply was taken, its journal entry is not durable yet */
	bool synced;
	bool want_digests;
	bool in_step;       /* a reply was applied, and no call has failed since */
	bool from_scratch;  /* what we were sent made no sense: say that we have nothing, the next reply is a snapshot */
	uint64_t features;  /* of the controller, as its last reply said */
	uint8_t snapshot_token[128];
	size_t snapshot_token_len;
	struct sync_stats stats;
};

_Static_assert(SYNC_FEATURES ==
		       (SIXPN__FEATURE__FEATURE_AWAIT | SIXPN__FEATURE__FEATURE_HELD_DELETES | SIXPN__FEATURE__FEATURE_DIGEST_PARTS),
	       "the bits of proto Feature");

static void send_poll(struct sync *s);

static void again_expired(struct loop_timer *timer)
{
	send_poll(container_of(timer, struct sync, again));
}

static void poll_in(struct sync *s, uint64_t delay_ms)
{
	if (loop_set_timer_in(s->loop, &s->again, delay_ms) < 0)
		log_err("sync", "no memory for a timer");
}

static void poll_later(struct sync *s, uint64_t delay_ms)
{
	poll_in(s, delay_ms / 2 + clock_random_below(s->clock, delay_ms / 2 + 1));
}

int sync_new(struct loop *loop, const struct clock *clock, struct link_client *link, struct replica *replica, struct journal *journal,
	     const struct sync_events *events, void *ctx, struct sync **ret_sync)
{
	struct sync *s = calloc(1, sizeof *s);

	if (!s)
		return -ENOMEM;
	*s = (struct sync){ .loop = loop, .clock = clock, .link = link, .replica = replica, .journal = journal, .events = events, .ctx = ctx };
	s->again.expired = again_expired;
	*ret_sync = s;
	return 0;
}

struct sync *sync_free(struct sync *sync)
{
	if (sync)
		loop_cancel_timer(&sync->again);
	free(sync);
	return NULL;
}

void sync_start(struct sync *sync)
{
	send_poll(sync);
}

/* In all other states a poll follows anyway, and not before its time: the controller may have asked for patience. */
void sync_nudge(struct sync *sync)
{
	if (sync->polling && !sync->snapshot_token_len)
		send_poll(sync);
}

const struct sync_stats *sync_stats(const struct sync *sync)
{
	return &sync->stats;
}

bool sync_is_synced(const struct sync *sync)
{
	return sync->synced;
}

/* ---- taking a reply ---- */

static void finish_reply(struct sync *s)
{
	s->settling = false;
	send_poll(s);
}

static void fold_done(void *arg, int result);

static void append_done(void *arg, int result)
{
	struct sync *s = arg;

	if (result == 0) {
		finish_reply(s);
		return;
	}
	/* The journal may be torn: the ack waits until a fresh snapshot file is whole. What is applied stays applied. */
	log_err("sync", "the journal cannot be written: %s; writing a new state file", strerror(-result));
	if (journal_fold(s->journal, s->replica, fold_done, s) < 0)
		poll_later(s, RETRY_MS);
}

static void fold_done(void *arg, int result)
{
	struct sync *s = arg;

	if (result == 0) {
		finish_reply(s);
		return;
	}
	log_err("sync", "the state file cannot be written: %s; trying again, nothing is acknowledged meanwhile", strerror(-result));
	s->settling = true;
	poll_later(s, RETRY_MS); /* again_expired sees `settling` and folds once more */
}

static void make_durable(struct sync *s, const Sixpn__PollReply *m, const uint8_t *bytes, size_t n, uint64_t from_v)
{
	int e;

	s->settling = true;
	if (m->kind == SIXPN__POLL_KIND__POLL_SNAPSHOT || journal_wants_fold(s->journal))
		e = journal_fold(s->journal, s->replica, fold_done, s);
	else
		e = journal_append(s->journal, bytes, n, from_v, m->to_v, append_done, s);
	if (e < 0)
		append_done(s, e);
}

static void note_lag(struct sync *s, const Sixpn__PollReply *m)
{
	uint64_t newest = 0, now = clock_real_ms(s->clock);

	for (size_t i = 0; i < m->n_commits; i++) {
		uint64_t at = m->commits[i]->unix_ms;

		histogram_add(&s->stats.applied, now > at ? 1000 * (now - at) : 0);
		newest = at > newest ? at : newest;
	}
	if (newest)
		s->stats.last_applied_lag_ms = now > newest ? now - newest : 0;
}

static void keep_bytes(const ProtobufCBinaryData *field, uint8_t *at, size_t *len, size_t size)
{
	*len = field->len <= size ? field->len : 0;
	if (*len)
		memcpy(at, field->data, *len);
}

/* Nothing has changed. A gap is closed by asking again, and so is the silence of whom we do not obey; all else by a whole snapshot. */
static void refuse(struct sync *s, const Sixpn__PollReply *m, int e, const struct why *why)
{
	s->stats.refused++;
	s->snapshot_token_len = 0;
	s->from_scratch = e != REPLICA_NOT_OURS && e != REPLICA_GAP;
	if (e == REPLICA_NOT_OURS)
		log_err("sync", "a controller with epoch %llu spoke, ours is %llu: not obeyed", (unsigned long long)m->epoch,
			(unsigned long long)s->replica->epoch);
	else if (e == REPLICA_GAP)
		log_warn("sync", "a change starts at %llu, we are at %llu: asking again", (unsigned long long)m->from_v,
			 (unsigned long long)s->replica->v);
	else if (e == REPLICA_WRONG_DIGEST || e == E_REFUSED)
		log_err("sync", "a reply was refused: %s", e == E_REFUSED ? why->text : "count or digest of the snapshot is wrong");
	else
		log_err("sync", "a reply could not be taken: %s", strerror(-e));
	poll_later(s, RETRY_MS << (s->refusals < REFUSALS_DOUBLED ? s->refusals++ : REFUSALS_DOUBLED));
}

/* Brings the machine to the records. The first time also without a change: the roles wait to hear that the state is not an old one. */
static void apply(struct sync *s, const Sixpn__PollReply *m, const struct replica_change *change)
{
	bool first = !s->synced;

	s->synced = true;
	if (first || change->all || change->fabric || change->n_networks)
		s->events->apply(s->ctx, change);
	if (first)
		s->events->synced(s->ctx);
	note_lag(s, m);
}

static void take_records(struct sync *s, const Sixpn__PollReply *m, const uint8_t *bytes, size_t n)
{
	struct replica_change change = { 0 };
	struct why why = { 0 };
	uint64_t from_v = s->replica->v, from_epoch = s->replica->epoch;
	size_t held = s->replica->n_held;
	bool snapshot = m->kind == SIXPN__POLL_KIND__POLL_SNAPSHOT, keep;
	int e = replica_take(s->replica, m, &change, &why);

	if (e) {
		refuse(s, m, e, &why);
		replica_change_deinit(&change);
		return;
	}
	if (snapshot && !m->end) { /* the next part at once; nothing is applied before END */
		keep_bytes(&m->snapshot_token, s->snapshot_token, &s->snapshot_token_len, sizeof s->snapshot_token);
		replica_change_deinit(&change);
		send_poll(s);
		return;
	}
	s->from_scratch = false;
	s->refusals = 0;
	s->snapshot_token_len = 0;
	if (snapshot)
		log_info("sync", "%s at V %llu: %zu records", m->n_heal ? "parts healed" : "snapshot", (unsigned long long)s->replica->v,
			 s->replica->records.n);
	if (change.n_held)
		log_err("sync", "V %llu deletes %zu records at once and nobody says why: they stay as they are until they are explained or "
			"released (sixpn node release-held)", (unsigned long long)s->replica->v, change.n_held);
	s->stats.deletes_held += change.n_held;
	s->stats.heals += snapshot && m->n_heal;
	s->stats.snapshots += snapshot && !m->n_heal;
	s->stats.deltas += m->kind == SIXPN__POLL_KIND__POLL_DELTA;
	s->stats.bookmarks += m->kind == SIXPN__POLL_KIND__POLL_NOTHING;
	keep = snapshot || from_v != s->replica->v || from_epoch != s->replica->epoch || m->n_records || m->n_scope || held != s->replica->n_held;
	if (keep) /* the file thread writes while we apply; its answer comes by the loop, so the ack is for both */
		make_durable(s, m, bytes, n, from_v);
	apply(s, m, &change);
	s->in_step = true;
	s->events->heard(s->ctx);
	replica_change_deinit(&change);
	if (!keep)
		finish_reply(s);
}

/* What a reply says beside its records; only of a controller that we obey. */
static void take_extras(struct sync *s, const Sixpn__PollReply *m)
{
	s->stats.last_reply_ms = clock_mono_ms(s->clock);
	if (m->park_ms >= 1000 && m->park_ms <= 300000) {
		link_client_set_park_ms(s->link, m->park_ms);
		s->stats.park_ms = m->park_ms;
	}
	s->features = m->features;
	s->want_digests = m->want_digests;
	s->stats.digests_asked += m->want_digests;
	for (size_t i = 0; i < m->n_settled; i++)
		s->events->settled(s->ctx, m->settled[i]->network, m->settled[i]->v);
}

static void take_reply(struct sync *s, const Sixpn__PollReply *m, const uint8_t *bytes, size_t n)
{
	if (replica_obeys(s->replica, m->epoch, m->log_id.data, m->log_id.len))
		take_extras(s, m);
	switch (m->kind) {
	case SIXPN__POLL_KIND__POLL_SNAPSHOT:
	case SIXPN__POLL_KIND__POLL_DELTA:
	case SIXPN__POLL_KIND__POLL_NOTHING: take_records(s, m, bytes, n); break;
	case SIXPN__POLL_KIND__POLL_RETRY_AFTER:
		s->stats.retries++;
		poll_in(s, m->retry_after_ms > RETRY_AFTER_MAX_MS ? RETRY_AFTER_MAX_MS : m->retry_after_ms ? m->retry_after_ms : RETRY_MS);
		break;
	case SIXPN__POLL_KIND__POLL_FENCED:
		s->stats.fenced++;
		log_limited(LOG_L_ERR, "sync", "fenced by a controller of epoch %llu: %.*s; what runs goes on", (unsigned long long)m->epoch,
			    (int)(m->reason.len > 200 ? 200 : m->reason.len), (const char *)m->reason.data);
		poll_later(s, FENCED_RETRY_MS);
		break;
	default:
		s->stats.refused++;
		log_limited(LOG_L_ERR, "sync", "a reply of unknown kind %d", (int)m->kind);
		poll_later(s, RETRY_MS);
	}
}

static void poll_done(void *ctx, enum link_result result, const uint8_t *payload, size_t len)
{
	struct sync *s = ctx;
	struct pb_arena arena;
	Sixpn__PollReply *m;

	if (result == LINK_REPLACED || result == LINK_STOPPED)
		return;
	s->polling = false;
	if (result != LINK_OK) {
		s->in_step = false;
		poll_later(s, RETRY_MS);
		return;
	}
	pb_arena_init(&arena, STATEFILE_ARENA_MAX);
	m = (Sixpn__PollReply *)pb_unpack(&arena, &sixpn__poll_reply__descriptor, payload, len);
	if (m) {
		take_reply(s, m, payload, len);
	} else {
		s->stats.refused++;
		log_limited(LOG_L_ERR, "sync", "a reply of %zu bytes is no PollReply", len);
		poll_later(s, RETRY_MS);
	}
	pb_arena_deinit(&arena);
}

/* ---- sending a poll ---- */

struct part_list {
	Sixpn__DigestPart parts[PARTS_MAX], *list[PARTS_MAX];
	size_t n;
};

static int add_part(void *ctx, const struct replica_part *part)
{
	struct part_list *l = ctx;
	Sixpn__DigestPart *p = &l->parts[l->n];

	if (l->n == PARTS_MAX)
		return 1;
	sixpn__digest_part__init(p);
	p->network = part->network;
	p->private_ = part->is_private;
	p->digest = pb_bytes(part->digest.sum, DIGEST_LEN);
	p->count = (uint32_t)part->digest.count;
	l->list[l->n++] = p;
	return 0;
}

struct held_list {
	Sixpn__HeldDelete deletes[HELD_MAX], *list[HELD_MAX];
	size_t n;
};

static int add_held(void *ctx, const struct record *record, uint64_t held_v)
{
	struct held_list *l = ctx;
	Sixpn__HeldDelete *h = &l->deletes[l->n];

	if (l->n == HELD_MAX)
		return 1;
	sixpn__held_delete__init(h);
	h->kind = record->kind;
	h->key = pb_bytes(record->key, record->key_len);
	h->v = held_v;
	l->list[l->n++] = h;
	return 0;
}

/* The larger lists of a poll; they live until it is packed. */
struct lists {
	struct part_list parts;
	struct held_list held;
};

static struct lists *say_lists(struct sync *s, Sixpn__PollRequest *m)
{
	bool held = s->replica->n_held && (s->features & SIXPN__FEATURE__FEATURE_HELD_DELETES);
	struct lists *l = s->want_digests || held ? calloc(1, sizeof *l) : NULL;

	if (l && s->want_digests) {
		replica_each_part(s->replica, add_part, &l->parts);
		m->digest_parts = l->parts.list;
		m->n_digest_parts = l->parts.n;
	}
	if (l && held) {
		replica_each_held(s->replica, add_held, &l->held);
		m->held = l->held.list;
		m->n_held = l->held.n;
		m->held_total = (uint32_t)s->replica->n_held;
	}
	return l;
}

static void say_where_we_are(struct sync *s, Sixpn__PollRequest *m, struct digest *digest)
{
	if (s->replica->has_log_id && !s->from_scratch) {
		m->epoch = s->replica->epoch;
		m->log_id = pb_bytes(s->replica->log_id, sizeof s->replica->log_id);
		m->applied_v = s->replica->v;
		m->scope_version = s->replica->scope_version;
		m->digest = pb_bytes(digest->sum, DIGEST_LEN);
		m->head_proof = pb_bytes(s->replica->head_proof, s->replica->head_proof_len);
	}
	m->snapshot_token = pb_bytes(s->snapshot_token, s->snapshot_token_len);
	m->version = pb_bytes(SIXPN_VERSION, strlen(SIXPN_VERSION));
	m->features = SYNC_FEATURES;
}

static void send_poll(struct sync *s)
{
	CLEAN_BUF struct buf bytes = BUF_INIT(LINK_REQUEST_MAX + 1);
	CLEAN_FREE struct lists *lists = NULL;
	Sixpn__PollRequest m = SIXPN__POLL_REQUEST__INIT;
	struct digest digest = replica_digest(s->replica);
	int e;

	if (s->settling) { /* a timer: the state file could not be written last time */
		if (journal_fold(s->journal, s->replica, fold_done, s) < 0)
			poll_later(s, RETRY_MS);
		return;
	}
	loop_cancel_timer(&s->again);
	say_where_we_are(s, &m, &digest);
	m.at_once = !s->in_step;
	lists = say_lists(s, &m);
	s->events->fill_poll(s->ctx, &m);
	e = pb_pack(&m, &bytes);
	if (e == 0)
		e = link_client_call(s->link, LINK_POLL, bytes.data, bytes.len, poll_done, s);
	s->stats.polls++;
	s->polling = e == 0;
	if (e < 0) {
		log_warn("sync", "a poll could not be sent: %s, trying again", strerror(-e));
		poll_later(s, RETRY_MS);
	}
}
