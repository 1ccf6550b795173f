/* event_feed - see event_feed.h. */
#include "controller/api/event_feed.h"

#include "controller/api/api.h"
#include "controller/nodes/events.h"
#include "controller/store/audit_json.h"
#include "controller/store/store_log.h"
#include "lib/base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WATCH_MS 60000u

struct event_text *event_text_ref(struct event_text *text)
{
	text->refs++;
	return text;
}

struct event_text *event_text_unref(struct event_text *text)
{
	if (text && --text->refs == 0)
		free(text);
	return NULL;
}

/* ---- ids ---- */

void event_id_text(uint64_t v, const uint8_t log[4], char ret_text[EVENT_ID_SIZE])
{
	snprintf(ret_text, EVENT_ID_SIZE, "%" PRIu64 "-%02x%02x%02x%02x", v, log[0], log[1], log[2], log[3]);
}

int event_id_parse(const char *field, const char *text, struct event_id *ret_id, struct why *why)
{
	size_t digits = strspn(text, "0123456789");
	const char *log = text + digits;
	struct event_id id = { .has_log = *log == '-' };

	if (digits < 1 || digits > 18 || (*log && (*log != '-' || crypto_unhex(log + 1, strlen(log + 1), id.log, sizeof id.log) < 0)))
		return why_set(why, "value_invalid", field, "%s is \"%.40s\": it must be the id of an event, or a version", field, text);
	id.v = strtoull(text, NULL, 10);
	*ret_id = id;
	return 0;
}

/* ---- texts ---- */

static struct event_text *make_text(const char *head, json_t *data)
{
	CLEAN_FREE char *json = json_dumps(data, JSON_COMPACT);
	size_t len = json ? strlen(head) + strlen(json) + 8 : 0;
	struct event_text *text = json ? calloc(1, sizeof *text + len + 1) : NULL;

	if (!text)
		return NULL;
	text->refs = 1;
	text->len = (size_t)snprintf(text->bytes, len + 1, "%sdata: %s\n\n", head, json); /* JSON has no line ends: one line it is */
	return text;
}

/* Keys and what is behind tokens and memberships are for admins. */
static bool is_for_admins(uint32_t kind)
{
	return kind == RECORD_TOKEN || kind == RECORD_MEMBERSHIP || kind == RECORD_USER || kind == RECORD_WORKLOAD || kind == RECORD_PEER_KEY;
}

static json_t *key_json(const struct record *r)
{
	char text[2 * RECORD_KEY_MAX + 1];

	if (r->kind == RECORD_REGION || r->kind == RECORD_INSTANCE || r->kind == RECORD_WORKLOAD)
		return json_stringn((const char *)r->key, r->key_len);
	crypto_hex(r->key, r->key_len, text);
	return json_string(text);
}

struct reading {
	struct event_page *page;
	uint8_t secret[STORE_SECRET_LEN];
};

static void take_row(void *arg, const struct store_log_row *row, const char *org_name)
{
	struct reading *reading = arg;
	struct event_page *page = reading->page;
	const struct record *r = &row->record;
	json_t *object = r->deleted ? json_null() : audit_json_of(r, reading->secret);
	CLEAN_JSON json_t *data = NULL;
	char id[EVENT_ID_SIZE], head[EVENT_ID_SIZE + 40];
	struct event_text *text;

	data = json_pack("{s:I,s:o,s:s,s:s,s:o,s:o,s:o,s:s,s:o,s:o}", "v", (json_int_t)r->v, "time", api_json_time(row->committed_ms), "what",
			 r->deleted ? "deleted" : "written", "kind", record_kind_name(r->kind), "id", key_json(r), "name",
			 api_json_str(object ? audit_json_name(object) : ""), "org", api_json_str(org_name), "by", row->principal, "request",
			 api_json_str(row->request_id), "object", object);
	event_id_text(r->v, page->log, id);
	snprintf(head, sizeof head, "id: %s\nevent: change\n", id);
	text = data ? make_text(head, data) : NULL;
	if (!text) {
		page->no_memory = true;
		return;
	}
	text->v = r->v;
	text->admin = is_for_admins(r->kind);
	text->has_org = row->has_org;
	memcpy(text->org, row->org, ID_LEN);
	page->texts[page->n++] = text;
}

int event_page_read(struct store *store, const uint8_t *org, uint64_t after_v, struct event_page *ret_page)
{
	struct principal self = principal_local("events");
	struct reading reading = { .page = ret_page };
	struct store_identity identity;
	int r;

	event_page_deinit(ret_page); /* a batch may be run a second time */
	store_get_identity(store, &identity);
	memcpy(reading.secret, identity.secret, sizeof reading.secret);
	memcpy(ret_page->log, identity.log_id, sizeof ret_page->log);
	r = store_log_read_of(store, &self, org, after_v, EVENT_READ_ROWS, take_row, &reading, &ret_page->last_v);
	crypto_wipe(&identity, sizeof identity);
	crypto_wipe(&reading, sizeof reading);
	return r ? r : ret_page->no_memory ? -ENOMEM : 0;
}

void event_page_deinit(struct event_page *page)
{
	for (size_t i = 0; i < page->n; i++)
		event_text_unref(page->texts[i]);
	*page = (struct event_page){ .n = 0 };
}

/* ---- the ring ---- */

static void drop_oldest(struct event_feed *feed)
{
	struct event_text **at = &feed->ring[feed->first++ % EVENT_FEED_RING];

	feed->bytes -= (*at)->len;
	if ((*at)->v > feed->dropped_v)
		feed->dropped_v = (*at)->v;
	*at = event_text_unref(*at);
}

/* Takes the text over. */
static void push(struct event_feed *feed, struct event_text *text)
{
	while (feed->first < feed->next && (feed->next - feed->first == EVENT_FEED_RING || feed->bytes + text->len > EVENT_FEED_BYTES))
		drop_oldest(feed);
	feed->ring[feed->next++ % EVENT_FEED_RING] = text;
	feed->bytes += text->len;
}

static void drop_all(struct event_feed *feed)
{
	while (feed->first < feed->next)
		drop_oldest(feed);
}

/* ---- changes ---- */

struct feed_op {
	struct op op;
	struct event_feed *feed;
	uint64_t after;
	struct event_page page;
};

static void read_on(struct event_feed *feed);

static int run(struct store *store, struct op *op)
{
	struct feed_op *o = container_of(op, struct feed_op, op);

	return event_page_read(store, NULL, o->after, &o->page);
}

static void done(struct op *op)
{
	struct feed_op *o = container_of(op, struct feed_op, op);
	struct event_feed *feed = o->feed;
	bool good = op->result == 0;

	feed->reading = false;
	for (size_t i = 0; i < o->page.n && feed->on && good; i++)
		if (o->page.texts[i]->v > feed->v) {
			feed->v = o->page.texts[i]->v;
			push(feed, event_text_ref(o->page.texts[i]));
		}
	if (good && memcmp(feed->log, o->page.log, sizeof feed->log) != 0) {
		memcpy(feed->log, o->page.log, sizeof feed->log);
		feed->other_log = true;
	}
	event_page_deinit(&o->page);
	op_deinit(op);
	free(o);
	if (!good) { /* nobody is told less for it: who comes too late for the ring reads the log himself */
		drop_all(feed);
		feed->dropped_v = feed->v = feed->wanted_v;
	}
	if (feed->on) {
		feed->news(feed->ctx);
		read_on(feed);
	}
}

static void read_on(struct event_feed *feed)
{
	struct principal self = principal_local("events");
	struct feed_op *o;

	if (feed->reading || !feed->on || feed->stopping || feed->wanted_v <= feed->v)
		return;
	o = calloc(1, sizeof *o);
	if (!o)
		return; /* the next change tries it again */
	o->feed = feed;
	o->after = feed->v;
	op_init(&o->op, run, done, &self, NULL);
	o->op.write = false;
	feed->reading = true;
	store_thread_put(feed->env->store, &o->op);
}

void event_feed_note(struct event_feed *feed, uint64_t v)
{
	if (v > feed->wanted_v)
		feed->wanted_v = v;
	read_on(feed);
}

/* ---- what is no change ---- */

static void take_note(void *ctx, const struct event *event)
{
	struct event_feed *feed = ctx;
	CLEAN_JSON json_t *data = NULL;
	struct event_text *text;

	feed->noted = event->number;
	if (event->v)
		return;
	data = json_pack("{s:n,s:o,s:s,s:s,s:s}", "v", "time", api_json_time(event->at_ms), "what", event->what, "subject", event->subject, "text",
			 event->text);
	text = data ? make_text("event: note\n", data) : NULL;
	if (text)
		push(feed, text);
}

static void watch_on(struct event_feed *feed);

static void watched(void *ctx)
{
	struct event_feed *feed = ctx;

	feed->watching = false;
	if (!feed->on || feed->stopping)
		return;
	feed->env->ops->each_event(feed->env->ctx, feed->noted, take_note, feed);
	feed->news(feed->ctx);
	watch_on(feed);
}

/* A controller that stops answers at once and takes no more. */
static void watch_on(struct event_feed *feed)
{
	const struct api_env_ops *ops = feed->env->ops;

	if (feed->watching || !ops->watch || !ops->each_event)
		return;
	feed->watching = true;
	if (ops->watch(feed->env->ctx, true, feed->noted, WATCH_MS, watched, feed) < 0)
		feed->watching = false;
}

void event_feed_start(struct event_feed *feed, uint64_t v, const uint8_t log[4])
{
	const struct api_env_ops *ops = feed->env->ops;

	if (feed->on)
		return;
	drop_all(feed);
	feed->on = true;
	feed->v = feed->dropped_v = v > feed->v ? v : feed->v;
	memcpy(feed->log, log, sizeof feed->log);
	if (ops->revision)
		feed->noted = ops->revision(feed->env->ctx);
	watch_on(feed);
	read_on(feed);
}

void event_feed_rest(struct event_feed *feed)
{
	feed->on = false;
	drop_all(feed);
}

void event_feed_deinit(struct event_feed *feed)
{
	event_feed_rest(feed);
}
