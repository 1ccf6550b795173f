/* wait - see wait.h. */
#include "controller/nodes/wait.h"

#include "lib/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct wait {
	struct wait *next;
	struct api_wait want;
	void (*done)(void *done_ctx, const struct api_wait_result *result);
	void *done_ctx;
	uint64_t started_ms, deadline_ms;
	uint64_t v_observed;   /* of the record that showed what is wanted; 0 = not yet */
	bool ended;            /* it will not come to be what is wanted */
	uint64_t withdrawn_ms; /* since the start, once want.v was applied everywhere */
	char observed[24];
};

/* ---- the instance ---- */

static bool asks_for(const struct wait *w, uint32_t desired)
{
	return w->want.desired == desired || (w->want.also & (1u << desired));
}

static void look_at(struct wait *w, const struct record *record)
{
	struct instance_record i;
	const struct observed *o = &i.observed;

	if (!record || record->deleted) {
		snprintf(w->observed, sizeof w->observed, "%s", instance_state_name(STATE_DESTROYED));
		if (asks_for(w, DESIRED_DESTROYED))
			w->v_observed = record ? record->v : w->want.v;
		return;
	}
	if (instance_decode(record, &i, NULL) != 0)
		return;
	snprintf(w->observed, sizeof w->observed, "%s", o->state ? instance_state_name(o->state) : "");
	if (o->generation < w->want.generation)
		return;
	if ((asks_for(w, DESIRED_STARTED) && o->state == STATE_STARTED) ||
	    (asks_for(w, DESIRED_STOPPED) &&
	     (o->state == STATE_STOPPED || (o->state == STATE_CREATED && i.desired != DESIRED_STARTED))))
		w->v_observed = record->v;
	w->ended = (w->want.ends_stopped && o->state == STATE_STOPPED) || (w->want.ends_failed && o->state == STATE_FAILED);
}

void wait_note_instance(struct controller *c, const struct record *record)
{
	for (struct wait *w = c->waits; w; w = w->next)
		if (w->want.instance[0] && !w->v_observed && record->key_len == strlen(w->want.instance) &&
		    !memcmp(record->key, w->want.instance, record->key_len)) {
			look_at(w, record);
			c->waits_due = true;
		}
}

/* ---- the nodes ---- */

static bool is_gateway(const struct wait *w, const struct node_entry *node)
{
	return w->want.gateway[0] && !strcmp(w->want.gateway, node->name);
}

/* What that node has to have applied. */
static uint64_t v_of(const struct wait *w, const struct node_entry *node, uint64_t v)
{
	return is_gateway(w, node) && w->want.gateway_v > v ? w->want.gateway_v : v;
}

static bool is_meant(const struct wait *w, const struct node_entry *node)
{
	return !node->revoked && (!w->want.on[0] || !strcmp(w->want.on, node->name) || is_gateway(w, node));
}

/* The gateway is gone or unknown, and has not applied what only it can. *ret_at (may be NULL): when it will be, if it stays silent. */
static bool is_lost(const struct controller *c, const struct wait *w, uint64_t *ret_at)
{
	const struct node_entry *node = w->want.gateway[0] ? node_table_find_name(&c->nodes, w->want.gateway) : NULL;

	if (ret_at)
		*ret_at = UINT64_MAX;
	if (!w->want.gateway[0] || (node && node_has_applied(node, v_of(w, node, w->want.v))))
		return false;
	if (node && ret_at)
		*ret_at = controller_unknown_from(c, node);
	return !node || controller_is_unknown(c, node);
}

void wait_record_text(uint32_t kind, const uint8_t *key, size_t key_len, char ret_text[80])
{
	struct record r = { .kind = kind, .key_len = (uint8_t)key_len };
	char text[80];

	memcpy(r.key, key, key_len);
	snprintf(ret_text, 80, "%.16s %.60s", record_kind_name(kind), record_key_text(&r, text, sizeof text));
}

/* Is the record one that the change made, or the instance that is waited for? */
static bool is_about(const struct wait *w, uint32_t kind, const uint8_t *key, size_t key_len, uint64_t v)
{
	bool of_instance = w->want.instance[0] && (kind == RECORD_INSTANCE || kind == RECORD_WORKLOAD) &&
			   key_len == strlen(w->want.instance) && !memcmp(key, w->want.instance, key_len);

	if (w->want.foreign)
		return of_instance;
	return of_instance || w->want.released || (v >= w->want.first_v && v <= w->want.v);
}

static void add_record(struct api_wait_record *list, uint32_t *n, const struct node_entry *node, uint32_t kind, const uint8_t *key,
		       size_t key_len, const char *text)
{
	struct api_wait_record *out = &list[*n < API_WAIT_RECORDS_MAX ? *n : 0];

	if ((*n)++ >= API_WAIT_RECORDS_MAX)
		return;
	memcpy(out->node, node->name, sizeof out->node);
	wait_record_text(kind, key, key_len, out->error.record);
	snprintf(out->error.text, sizeof out->error.text, "%s", text);
}

/* What the node has not made true although it has gone past V. */
static void note_records(const struct wait *w, const struct node_entry *node, struct api_wait_result *result)
{
	for (size_t i = 0; i < node->n_errors_kept; i++) {
		const struct node_error *e = &node->errors[i];

		if (is_about(w, e->kind, e->key, e->key_len, e->v))
			add_record(result->errors, &result->n_errors, node, e->kind, e->key, e->key_len, e->text);
	}
	for (size_t i = 0; i < node->n_held_kept; i++) {
		const struct node_held *h = &node->held[i];

		if (is_about(w, h->kind, h->key, h->key_len, h->v))
			add_record(result->held, &result->n_held, node, h->kind, h->key, h->key_len, "");
	}
}

/* Who has not applied V. */
static void survey(const struct controller *c, const struct wait *w, uint64_t v, struct api_wait_result *result)
{
	struct node_entry *node;

	for (size_t i = 0; (node = node_table_next(&c->nodes, &i));) {
		if (!is_meant(w, node))
			continue;
		result->nodes++;
		note_records(w, node, result);
		if (controller_is_unknown(c, node)) {
			if (result->n_unknown < API_WAIT_NAMES_MAX)
				memcpy(result->unknown[result->n_unknown], node->name, NAME_SIZE);
			result->n_unknown++;
		} else if (!node_has_applied(node, v_of(w, node, v))) {
			if (result->n_laggards < API_WAIT_NAMES_MAX)
				memcpy(result->laggards[result->n_laggards], node->name, NAME_SIZE);
			result->n_laggards++;
		}
	}
	if (w->want.on[0] && !result->nodes) { /* there is no such node: nobody will ever say it */
		memcpy(result->unknown[0], w->want.on, NAME_SIZE);
		result->n_unknown = 1;
	}
}

static bool is_applied(const struct wait *w, const struct api_wait_result *result)
{
	return !result->lost && !result->n_laggards && !(result->n_unknown && (w->want.strict || (w->want.on[0] && !result->nodes)));
}

/* The same without names, and without the unknown if they are not waited for: cheap enough for every acknowledgement. */
static bool all_have(const struct controller *c, const struct wait *w, uint64_t v)
{
	struct node_entry *node;
	size_t n = 0;

	for (size_t i = 0; (node = node_table_next(&c->nodes, &i));) {
		if (!is_meant(w, node))
			continue;
		n++;
		if (!node_has_applied(node, v_of(w, node, v)) && (w->want.strict || is_gateway(w, node) || !controller_is_unknown(c, node)))
			return false;
		if (w->want.released && node->n_held)
			return false;
		if (w->want.strict && controller_is_unknown(c, node))
			return false;
	}
	return n || !w->want.on[0];
}

static bool is_done(struct controller *c, struct wait *w)
{
	bool wants_instance = w->want.instance[0] != 0;

	if ((w->want.give_up && is_lost(c, w, NULL)) || w->ended)
		return true;
	if (!all_have(c, w, w->want.v))
		return false;
	if (wants_instance && w->want.desired != DESIRED_STARTED && !w->withdrawn_ms) {
		w->withdrawn_ms = clock_mono_ms(&c->clock) - w->started_ms;
		if (!w->withdrawn_ms)
			w->withdrawn_ms = 1; /* 0 would say "not known" */
	}
	return !wants_instance || (w->v_observed && all_have(c, w, w->v_observed));
}

/* ---- the end ---- */

static void finish(struct controller *c, struct wait *w)
{
	struct api_wait_result *result = calloc(1, sizeof *result);
	static const struct api_wait_result none;
	bool wants_instance = w->want.instance[0] != 0;
	uint64_t v = w->v_observed > w->want.v ? w->v_observed : w->want.v;

	for (struct wait **p = &c->waits; *p; p = &(*p)->next)
		if (*p == w) {
			*p = w->next;
			break;
		}
	c->stats.waits_now--;
	if (result) {
		result->lost = is_lost(c, w, NULL);
		result->ended = w->ended;
		survey(c, w, v, result);
		result->applied = is_applied(w, result) && (!wants_instance || w->v_observed) && !(w->want.released && result->n_held);
		result->v = w->want.v;
		result->v_observed = w->v_observed;
		result->withdrawn_ms = w->withdrawn_ms;
		memcpy(result->observed, w->observed, sizeof result->observed);
	}
	w->done(w->done_ctx, result ? result : &none);
	free(result);
	free(w);
}

static uint64_t next_look(const struct controller *c, const struct wait *w)
{
	uint64_t lost_at = UINT64_MAX;

	if (w->want.give_up)
		(void)is_lost(c, w, &lost_at);
	return lost_at < w->deadline_ms ? lost_at : w->deadline_ms;
}

int wait_start(struct controller *c, const struct api_wait *want, void (*done)(void *done_ctx, const struct api_wait_result *result),
	       void *done_ctx)
{
	struct wait *w = c->stopping ? NULL : calloc(1, sizeof *w);
	struct memory_record *now;

	if (!w)
		return c->stopping ? -ECANCELED : -ENOMEM;
	*w = (struct wait){ .want = *want, .done = done, .done_ctx = done_ctx, .started_ms = clock_mono_ms(&c->clock) };
	if (!want->first_v || want->first_v > want->v)
		w->want.first_v = want->v;
	w->deadline_ms = w->started_ms + want->timeout_ms;
	if (want->instance[0]) {
		now = memory_find(&c->memory, RECORD_INSTANCE, want->instance, strlen(want->instance));
		look_at(w, now ? &now->record : NULL);
	}
	w->next = c->waits;
	c->waits = w;
	c->stats.waits_now++;
	if (is_done(c, w)) {
		finish(c, w);
		return 0;
	}
	controller_wake(c, next_look(c, w));
	return 0;
}

uint64_t wait_run(struct controller *c)
{
	uint64_t now = clock_mono_ms(&c->clock), next = UINT64_MAX;
	bool look = c->waits_due;
	struct wait *w, *after;

	c->waits_due = false;
	for (w = c->waits; w; w = after) {
		after = w->next;
		if ((look && is_done(c, w)) || now >= w->deadline_ms || (w->want.give_up && is_lost(c, w, NULL)))
			finish(c, w);
		else if (next_look(c, w) < next)
			next = next_look(c, w);
	}
	return next;
}

void wait_end_all(struct controller *c)
{
	while (c->waits)
		finish(c, c->waits);
}
