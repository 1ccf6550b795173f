/* event_stream - see event_stream.h. A stream is behind (it reads the log in pages) or live (it reads the ring). It keeps no queue: only a
 * place, the event that is being sent, and while it is behind one page. */
#include "controller/api/event_stream.h"

#include "controller/api/api.h"
#include "controller/store/store_log.h"
#include "controller/store/store_org.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct event_stream {
	struct event_stream *next, **link;
	struct event_streams *all;
	struct api_call *call; /* until it has begun */
	struct http_request *request; /* once it has */
	struct op op;
	struct principal who;
	bool by_token;
	uint8_t token[ID_LEN];
	bool only; /* changes of this org alone */
	uint8_t org[ID_LEN];
	struct event_id from;
	bool has_from, gone;
	uint64_t head; /* when it began */
	/* where it is */
	uint64_t v;   /* all up to here was given, or is not for it */
	uint64_t seq; /* live: number of the next text of the ring */
	bool live, reading, waits_to_read, read_failed;
	struct event_page page;
	size_t page_at;
	/* what is being sent */
	struct event_text *text;
	char line[128];
	size_t line_len, at;
	/* its end */
	bool ends, closed;
	uint64_t beat_ms;
};

/* ---- who may see what ---- */

static bool may_see(const struct event_stream *s, const struct event_text *text)
{
	if (s->only && (!text->has_org || !id_equal(s->org, text->org)))
		return false;
	if (principal_is_operator(&s->who))
		return true;
	return text->has_org && principal_may(&s->who, text->org, text->admin ? ACTION_ADMIN : ACTION_READ);
}

static bool is_touched(const struct event_stream *s, const struct record *record)
{
	switch (record->kind) {
	case RECORD_TOKEN:
		return s->by_token && record->key_len == ID_LEN && id_equal(s->token, record->key);
	case RECORD_USER:
	case RECORD_MEMBERSHIP:
		return s->who.kind == PRINCIPAL_USER;
	case RECORD_ORG:
		return !principal_is_operator(&s->who) && record->key_len == ID_LEN && principal_sees_org(&s->who, record->key);
	default:
		return false;
	}
}

static bool has_expired(const struct event_stream *s)
{
	return s->who.expires_ms && clock_real_ms(&s->all->env->clock) >= s->who.expires_ms;
}

/* ---- what comes next ---- */

static void read_page(struct event_stream *s);

static void begin_line(struct event_stream *s, const char *before)
{
	char id[EVENT_ID_SIZE];

	event_id_text(s->v, s->all->feed.log, id);
	s->line_len = (size_t)snprintf(s->line, sizeof s->line, "%sid: %s\n\n", before, id);
	s->at = 0;
}

/* True: there is something to send. */
static bool next_of_page(struct event_stream *s)
{
	while (s->page_at < s->page.n) {
		struct event_text *text = s->page.texts[s->page_at++];

		if (text->v <= s->v)
			continue;
		s->v = text->v;
		if (may_see(s, text)) {
			s->text = event_text_ref(text);
			return true;
		}
	}
	if (s->page.last_v > s->v)
		s->v = s->page.last_v;
	event_page_deinit(&s->page);
	s->page_at = 0;
	return false;
}

static bool next_of_ring(struct event_stream *s)
{
	struct event_feed *feed = &s->all->feed;

	while (s->seq < feed->next) {
		struct event_text *text = feed->ring[s->seq++ % EVENT_FEED_RING];

		if (text->v && text->v <= s->v)
			continue;
		if (text->v)
			s->v = text->v;
		if (may_see(s, text)) {
			s->text = event_text_ref(text);
			return true;
		}
	}
	return false;
}

static bool find_next(struct event_stream *s)
{
	struct event_feed *feed = &s->all->feed;

	if (s->reading) /* the page is the store thread's */
		return false;
	if (next_of_page(s))
		return true;
	if (s->live && s->seq < feed->first) /* it was too slow for the ring */
		s->live = false;
	if (!s->live && s->v >= feed->dropped_v) {
		s->live = true;
		s->seq = feed->first;
	}
	if (s->live)
		return next_of_ring(s);
	read_page(s);
	return false;
}

static bool has_something(struct event_stream *s)
{
	return s->line_len || s->text || find_next(s);
}

static void wake(struct event_stream *s)
{
	if (s->request && !s->closed && (s->ends || has_something(s)))
		http_stream_wake(s->request);
}

static void end(struct event_stream *s, uint64_t *reason)
{
	if (s->ends)
		return;
	s->ends = true;
	++*reason;
	wake(s);
}

/* ---- reading the log ---- */

static int run_page(struct store *store, struct op *op)
{
	struct event_stream *s = container_of(op, struct event_stream, op);

	return event_page_read(store, s->only ? s->org : principal_only_org(&s->who), s->v, &s->page);
}

static void drop(struct event_stream *s)
{
	struct event_streams *all = s->all;

	if (s->link) {
		*s->link = s->next;
		if (s->next)
			s->next->link = s->link;
		s->link = NULL;
		shares_give(&all->shares, &s->who);
		all->n--;
		all->stats.now = all->n;
		if (!all->n) {
			event_feed_rest(&all->feed);
			loop_cancel_timer(&all->beat);
		}
	}
	if (s->reading)
		return; /* the op is with the store thread */
	event_text_unref(s->text);
	event_page_deinit(&s->page);
	free(s);
}

static void page_read(struct op *op)
{
	struct event_stream *s = container_of(op, struct event_stream, op), *other;
	struct event_streams *all = s->all;
	bool good = op->result == 0;

	s->reading = false;
	all->n_reading--;
	op_deinit(op);
	if (s->closed) {
		drop(s);
	} else {
		s->page_at = 0;
		s->read_failed = !good; /* tried again with the next beat */
		wake(s);
	}
	for (other = all->all; other && all->n_reading < EVENT_READS_MAX; other = other->next)
		if (other->waits_to_read && !other->ends)
			wake(other);
}

static void read_page(struct event_stream *s)
{
	struct principal self = principal_local("events");

	s->waits_to_read = s->all->n_reading >= EVENT_READS_MAX;
	if (s->waits_to_read || s->read_failed || s->ends)
		return;
	s->reading = true;
	s->all->n_reading++;
	op_init(&s->op, run_page, page_read, &self, NULL);
	s->op.write = false;
	store_thread_put(s->all->env->store, &s->op);
}

/* ---- sending ---- */

static size_t copy_some(const char *bytes, size_t len, size_t *at, char *buf, size_t max)
{
	size_t n = len - *at < max ? len - *at : max;

	memcpy(buf, bytes + *at, n);
	*at += n;
	return n;
}

static long give(void *ctx, char *buf, size_t max)
{
	struct event_stream *s = ctx;
	size_t n = 0;

	if (!s->ends && has_expired(s))
		end(s, &s->all->stats.ended_expired);
	if (s->ends)
		return -1;
	while (n < max && has_something(s)) {
		if (s->text) { /* first: a line that came up meanwhile names a place behind it */
			n += copy_some(s->text->bytes, s->text->len, &s->at, buf + n, max - n);
			if (s->at == s->text->len) {
				s->text = event_text_unref(s->text);
				s->at = 0;
				s->all->stats.sent++;
			}
		} else {
			n += copy_some(s->line, s->line_len, &s->at, buf + n, max - n);
			if (s->at == s->line_len)
				s->at = s->line_len = 0;
		}
	}
	return (long)n;
}

static void closed(void *ctx, bool slow)
{
	struct event_stream *s = ctx;

	s->closed = true;
	s->request = NULL;
	if (!s->ends)
		++*(slow ? &s->all->stats.ended_slow : &s->all->stats.ended_client);
	drop(s);
}

/* ---- the beginning ---- */

static int parse_from(const struct api_call *call, struct event_id *ret_id, bool *ret_has, struct why *why)
{
	const char *since = api_query(call, "since"), *last = call->request->last_event_id;

	*ret_has = true;
	if (last && *last) /* a client that comes back says where it is, whatever its first question was */
		return event_id_parse("Last-Event-ID", last, ret_id, why);
	if (since)
		return event_id_parse("since", since, ret_id, why);
	*ret_has = false;
	return 0;
}

int event_stream_check(const struct api_call *call, struct why *why)
{
	struct event_id id;
	bool has;

	return parse_from(call, &id, &has, why);
}

static int run_begin(struct store *store, struct op *op)
{
	struct event_stream *s = container_of(op, struct event_stream, op);
	const char *org_ref = api_query(s->call, "org");
	uint64_t head = store_head(store);
	struct store_identity identity;
	struct store_org org;
	int r = org_ref ? store_org_find(store, &s->who, org_ref, &org, &op->why) : 0;

	if (r)
		return r;
	s->only = org_ref;
	if (org_ref)
		memcpy(s->org, org.id, ID_LEN);
	store_get_identity(store, &identity);
	memcpy(s->page.log, identity.log_id, sizeof s->page.log);
	s->gone = s->has_from && (s->from.v > head || head - s->from.v > EVENT_WINDOW ||
				  (s->from.has_log && memcmp(s->from.log, identity.log_id, sizeof s->from.log) != 0));
	crypto_wipe(&identity, sizeof identity);
	s->head = head;
	s->v = s->has_from ? s->from.v : head;
	return s->gone ? why_set(&op->why, "events_gone", "Last-Event-ID",
				 "one cannot go on from there: it is more than %u versions ago, or of a log that is no more", EVENT_WINDOW) :
			 0;
}

static void begun(struct op *op)
{
	struct event_stream *s = container_of(op, struct event_stream, op);
	static const struct http_reply head = { .status = 200, .content_type = "text/event-stream" };
	struct http_stream stream = { give, closed, s };
	struct api_call *call = TAKE(s->call);
	struct http_request *request = call->request;
	int result = op->result;

	if (result == 0 && s->ends)
		result = why_set(&op->why, "unauthorized", "", "the token was changed or revoked this very moment");
	s->reading = false;
	if (result) {
		call->op.why = op->why;
		op_deinit(op);
		drop(s);
		api_end(call, result);
		return;
	}
	op_deinit(op);
	event_feed_start(&s->all->feed, s->head, s->page.log);
	begin_line(s, "retry: 1000\n");
	s->beat_ms = loop_now_ms(s->all->env->loop) + EVENT_BEAT_MS;
	s->all->stats.opened++;
	s->request = request;
	api_end_as_stream(call);
	http_reply_stream(request, &head, &stream);
}

int event_stream_start(struct event_streams *all, struct api_call *call, struct why *why)
{
	struct event_stream *s = all->n < EVENT_STREAMS_MAX ? calloc(1, sizeof *s) : NULL;

	if (!s)
		return why_set(why, "unavailable", "", "too many follow the events already");
	if (parse_from(call, &s->from, &s->has_from, why)) {
		free(s);
		return E_REFUSED;
	}
	if (!shares_take(&all->shares, api_who(call), EVENT_STREAMS_PER_ORG)) {
		free(s);
		return why_set(why, "rate_limited", "", "this organization follows the events %d times already", EVENT_STREAMS_PER_ORG);
	}
	s->all = all;
	s->call = call;
	s->who = *api_who(call);
	s->by_token = call->question.by_token;
	memcpy(s->token, call->question.token_id, ID_LEN);
	s->next = all->all;
	s->link = &all->all;
	if (s->next)
		s->next->link = &s->next;
	all->all = s;
	all->stats.now = ++all->n;
	if (!all->beat.slot)
		loop_set_timer_in(all->env->loop, &all->beat, 1000);
	s->reading = true;
	op_init(&s->op, run_begin, begun, &s->who, call->request->id);
	s->op.write = false;
	store_thread_put(all->env->store, &s->op);
	return 0;
}

/* ---- all of them ---- */

static void wake_all(void *ctx)
{
	struct event_streams *all = ctx;

	for (struct event_stream *s = all->all; s; s = s->next) {
		if (all->feed.other_log && s->request) /* its ids are of a log that is no more: it is told when it comes back */
			end(s, &all->stats.ended_stopped);
		wake(s);
	}
	all->feed.other_log = false;
}

void event_streams_note_record(struct event_streams *all, const struct record *record)
{
	for (struct event_stream *s = all->all; s; s = s->next)
		if (is_touched(s, record))
			end(s, &all->stats.ended_revoked);
	event_feed_note(&all->feed, record->v);
}

/* Shows a client that is there that we are, and us that a client is gone; and its place moves on also if nothing is for it. */
static void beat(struct loop_timer *timer)
{
	struct event_streams *all = container_of(timer, struct event_streams, beat);
	uint64_t now = loop_now_ms(all->env->loop);

	for (struct event_stream *s = all->all; s; s = s->next) {
		if (s->request && has_expired(s))
			end(s, &all->stats.ended_expired);
		if (!s->request || s->ends || now < s->beat_ms)
			continue;
		s->beat_ms = now + EVENT_BEAT_MS;
		s->read_failed = false;
		if (!has_something(s))
			begin_line(s, ": still here\n");
		wake(s);
	}
	loop_set_timer_in(all->env->loop, timer, 1000);
}

void event_streams_init(struct event_streams *all, const struct api_env *env)
{
	*all = (struct event_streams){ .env = env, .feed = { .env = env, .news = wake_all, .ctx = all }, .beat = { .expired = beat } };
}

void event_streams_deinit(struct event_streams *all)
{
	all->feed.stopping = true;
	if (all->env->loop)
		loop_cancel_timer(&all->beat);
	event_feed_deinit(&all->feed);
	shares_deinit(&all->shares);
}
