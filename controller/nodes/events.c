/* events - see events.h. */
#include "controller/nodes/controller_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


struct event_watch {
	struct event_watch *next;
	bool events_only;
	uint64_t after, deadline_ms;
	void (*done)(void *ctx);
	void *ctx;
};

void events_init(struct event_log *log, uint64_t now_ms)
{
	log->revision = log->newest = 1000 * now_ms;
}

void events_touch(struct controller *c)
{
	c->event_log.revision++;
	if (c->event_log.watches)
		controller_wake_now(c);
}

static void add(struct controller *c, const char *what, uint64_t v, const char *kind, const char *name, const char *fmt, va_list ap)
{
	struct event_log *log = &c->event_log;
	struct event *e = &log->kept[log->next];

	events_touch(c);
	log->next = (log->next + 1) % EVENTS_KEPT;
	log->n += log->n < EVENTS_KEPT;
	log->newest = log->revision;
	*e = (struct event){ .number = log->revision, .at_ms = clock_real_ms(&c->clock), .v = v, .what = what };
	snprintf(e->subject, sizeof e->subject, "%s%s", kind, name);
	vsnprintf(e->text, sizeof e->text, fmt, ap);
	while (e->text[0] && !name_is_utf8((const uint8_t *)e->text, strlen(e->text))) /* cut inside a character */
		e->text[strlen(e->text) - 1] = 0;
}

void events_add(struct controller *c, const char *what, uint64_t v, const char *subject, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(c, what, v, "", subject, fmt, ap);
	va_end(ap);
}

void events_add_node(struct controller *c, const struct node_entry *node, const char *what, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(c, what, 0, "node ", node->name, fmt, ap);
	va_end(ap);
}

/* ---- records ---- */

/* "acme/web", as far as memory knows them. */
static void app_text(const struct controller *c, const uint8_t id[RECORD_APP_ID_LEN], uint32_t network, char *ret, size_t size)
{
	struct memory_record *app = memory_find(&c->memory, RECORD_APP, id, RECORD_APP_ID_LEN), *net;
	struct network_record n = { 0 };
	struct app_record a = { 0 };
	uint8_t key[4];

	put_u32(key, network);
	net = memory_find(&c->memory, RECORD_NETWORK, key, sizeof key);
	if (net && network_decode(&net->record, &n, NULL) != 0)
		n.org[0] = 0;
	if (app && app_decode(&app->record, &a, NULL) != 0)
		a.name[0] = 0;
	snprintf(ret, size, "%.63s/%.63s", n.org, a.name);
}

static const char *host_name(const struct controller *c, uint32_t host)
{
	const struct node_entry *node = node_table_find(&c->nodes, host);

	return node ? node->name : "?";
}

static void note_change(struct controller *c, const struct record *record, const struct instance_record *was, const struct instance_record *is,
			const char *subject, const char *app)
{
	const struct observed *o = &is->observed;

	if (was->observed.state != o->state && o->state) {
		if (o->state == STATE_STOPPED || o->state == STATE_FAILED)
			events_add(c, "observed", record->v, subject, "of %s is %s on %s, exit code %d%s%s", app, instance_state_name(o->state),
				   host_name(c, is->host), o->exit_code, o->message[0] ? ": " : "", o->message);
		else
			events_add(c, "observed", record->v, subject, "of %s is %s on %s%s%s", app, instance_state_name(o->state),
				   host_name(c, is->host), o->message[0] ? ": " : "", o->message);
	} else if (was->desired != is->desired || was->generation != is->generation) {
		events_add(c, "desired", record->v, subject, "of %s shall be %s", app, desired_name(is->desired));
	} else if (was->dns_skip != is->dns_skip) {
		events_add(c, "changed", record->v, subject, "of %s is %s the app's names", app, is->dns_skip ? "left out of" : "in");
	} else {
		events_add(c, "changed", record->v, subject, "of %s", app);
	}
}

static void note_instance(struct controller *c, const struct record *record, const struct memory_record *old)
{
	struct instance_record is, was = { 0 };
	char subject[64], app[2 * NAME_SIZE];
	bool has_old = old && instance_decode(&old->record, &was, NULL) == 0;

	snprintf(subject, sizeof subject, "instance %.*s", (int)record->key_len, (const char *)record->key);
	if (record->deleted) {
		app_text(c, was.app, was.network, app, sizeof app);
		events_add(c, "deleted", record->v, subject, "of %s", app);
		return;
	}
	if (instance_decode(record, &is, NULL) != 0)
		return;
	app_text(c, is.app, is.network, app, sizeof app);
	if (!has_old)
		events_add(c, "created", record->v, subject, "of %s on %s", app, host_name(c, is.host));
	else
		note_change(c, record, &was, &is, subject, app);
}

static void note_node(struct controller *c, const struct record *record, const struct memory_record *old)
{
	struct node_record is, was = { 0 };
	char subject[80];

	if (node_decode(record->deleted && old ? &old->record : record, &is, NULL) != 0)
		return;
	if (old && node_decode(&old->record, &was, NULL) != 0)
		was = is;
	snprintf(subject, sizeof subject, "node %s", is.name);
	if (record->deleted)
		events_add(c, "deleted", record->v, subject, "its sessions are ended");
	else if (!old)
		events_add(c, "created", record->v, subject, "joined in %s", is.region);
	else if (was.draining != is.draining)
		events_add(c, "changed", record->v, subject, "gets %s work", is.draining ? "no new" : "new");
	else
		events_add(c, "changed", record->v, subject, "%s", "");
}

/* "region ord", "network acme/default", "app acme/web". */
static bool name_of(const struct controller *c, const struct record *record, char *ret, size_t size)
{
	struct region_record region;
	struct network_record network;
	struct flycast_record flycast;
	struct app_record app;
	char text[2 * NAME_SIZE];

	if (record->kind == RECORD_REGION && region_decode(record, &region, NULL) == 0) {
		snprintf(ret, size, "region %s", region.name);
	} else if (record->kind == RECORD_NETWORK && network_decode(record, &network, NULL) == 0) {
		snprintf(ret, size, "network %.50s/%.50s", network.org, network.name);
	} else if (record->kind == RECORD_APP && app_decode(record, &app, NULL) == 0) {
		app_text(c, app.id, app.network, text, sizeof text);
		snprintf(ret, size, "app %.40s/%.60s", text[0] == '/' ? "" : strtok(text, "/"), app.name);
	} else if (record->kind == RECORD_FLYCAST && flycast_decode(record, &flycast, NULL) == 0) {
		snprintf(ret, size, "ip %.63s.flycast", flycast.app);
	} else {
		return false;
	}
	return true;
}

/* What became of a network beside its name. */
static const char *network_text(const struct record *record, const struct memory_record *old)
{
	struct network_record was, is;

	if (!old || record->kind != RECORD_NETWORK || record->deleted || network_decode(record, &is, NULL) != 0 ||
	    network_decode(&old->record, &was, NULL) != 0 || is.suspended == was.suspended)
		return "";
	return is.suspended ? "is suspended: nothing of it passes" : "is resumed";
}

void events_note_record(struct controller *c, const struct record *record, const struct memory_record *old)
{
	const char *what = record->deleted ? "deleted" : old ? "changed" : "created";
	char subject[112], key[80];

	if (record->kind == RECORD_INSTANCE) {
		note_instance(c, record, old);
	} else if (record->kind == RECORD_NODE) {
		note_node(c, record, old);
	} else if (name_of(c, record->deleted && old ? &old->record : record, subject, sizeof subject)) {
		events_add(c, what, record->v, subject, "%s", network_text(record, old));
	} else if (record->kind >= RECORD_ORG) { /* their bodies are the store's business */
		snprintf(subject, sizeof subject, "%s %s", record_kind_name(record->kind), record_key_text(record, key, sizeof key));
		events_add(c, record->deleted ? "deleted" : "written", record->v, subject, "%s", "");
	} else {
		events_touch(c); /* what only its host may see */
	}
}

void events_note_said(struct controller *c, const struct node_entry *node, size_t n_errors, const char *first_error, size_t n_held)
{
	if (n_errors && n_errors != node->n_errors)
		events_add_node(c, node, "rejected", "cannot apply %zu records, one: %s", n_errors, first_error ? first_error : "?");
	else if (!n_errors && node->n_errors)
		events_add_node(c, node, "accepted", "applies all its records again");
	if (n_held != node->n_held)
		events_add_node(c, node, "held", "holds back %zu deletes (before: %zu)", n_held, node->n_held);
}

void events_each(const struct event_log *log, uint64_t after, void (*visit)(void *ctx, const struct event *event), void *ctx)
{
	for (size_t i = 0; i < log->n; i++) {
		const struct event *e = &log->kept[(log->next + EVENTS_KEPT - log->n + i) % EVENTS_KEPT];

		if (e->number > after)
			visit(ctx, e);
	}
}

/* ---- watching ---- */

static bool is_due(const struct event_log *log, const struct event_watch *w)
{
	if (!w->events_only)
		return log->revision != w->after;
	/* a number from the future is of a controller before us, whose clock was ahead: all that we have is news to its owner */
	return (log->n && log->newest > w->after) || w->after > log->revision;
}

int events_watch(struct controller *c, bool events_only, uint64_t after, uint32_t timeout_ms, void (*done)(void *ctx), void *ctx)
{
	struct event_watch *w = c->stopping ? NULL : calloc(1, sizeof *w);

	if (!w)
		return c->stopping ? -ECANCELED : -ENOMEM;
	*w = (struct event_watch){ .events_only = events_only, .after = after, .deadline_ms = clock_mono_ms(&c->clock) + timeout_ms,
				   .done = done, .ctx = ctx };
	if (is_due(&c->event_log, w)) {
		free(w);
		done(ctx);
		return 0;
	}
	w->next = c->event_log.watches;
	c->event_log.watches = w;
	controller_wake(c, w->deadline_ms);
	return 0;
}

static uint64_t run_watches(struct controller *c, bool all)
{
	uint64_t now = clock_mono_ms(&c->clock), next = UINT64_MAX;
	struct event_watch *ended = NULL;

	for (struct event_watch **p = &c->event_log.watches; *p;) {
		struct event_watch *w = *p;

		if (all || now >= w->deadline_ms || is_due(&c->event_log, w)) {
			*p = w->next;
			w->next = ended;
			ended = w;
			continue;
		}
		next = w->deadline_ms < next ? w->deadline_ms : next;
		p = &w->next;
	}
	while (ended) { /* done may watch again */
		struct event_watch *w = ended;

		ended = w->next;
		w->done(w->ctx);
		free(w);
	}
	return next;
}

/* Did it come or go since the last look? The next time at which it could go; UINT64_MAX = it can only come. */
static uint64_t look_at(struct controller *c, struct node_entry *node)
{
	enum node_shown shown = controller_is_ready(c, node)   ? NODE_SHOWN_READY :
				controller_is_unknown(c, node) ? NODE_SHOWN_UNKNOWN :
								 NODE_SHOWN_WAITED_FOR;
	uint64_t parks = controller_patience_ms(c, shown == NODE_SHOWN_WAITED_FOR ? NULL : node);

	if (shown != node->shown) {
		if (shown == NODE_SHOWN_READY)
			events_add_node(c, node, "ready", "polls");
		else if (shown == NODE_SHOWN_UNKNOWN)
			events_add_node(c, node, "unknown", "has not polled for %llu s",
					(unsigned long long)(node->polled_ms == NODE_NEVER ? parks : clock_mono_ms(&c->clock) - node->polled_ms) / 1000);
		node->shown = shown;
	}
	if (shown == NODE_SHOWN_READY)
		return node->polled_ms + parks;
	return shown == NODE_SHOWN_WAITED_FOR ? c->started_mono_ms + parks : UINT64_MAX;
}

uint64_t events_run(struct controller *c)
{
	uint64_t next = UINT64_MAX, at;
	struct node_entry *node;

	for (size_t i = 0; (node = node_table_next(&c->nodes, &i));) {
		if (node->revoked)
			continue;
		at = look_at(c, node);
		next = at < next ? at : next;
	}
	at = run_watches(c, false);
	return at < next ? at : next;
}

void events_end_all(struct controller *c)
{
	run_watches(c, true);
}
