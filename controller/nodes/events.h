/* events - what happened lately, in memory: the newest EVENTS_KEPT things with time and V, for `sixpn events` and below the table of
 * `sixpn status --watch`; and the one number (revision) that rises whenever an answer of GET /v1/status would be another, so that a
 * watcher sleeps until then. The audit is the log in the store; this is for eyes. */
#pragma once
#include "lib/base/err.h"
#include "lib/sixpn/record.h"

#define EVENTS_KEPT 256

struct controller;
struct node_entry;
struct memory_record;

struct event {
	uint64_t number; /* rises; revision at its time */
	uint64_t at_ms;  /* Unix time */
	uint64_t v;      /* of the change; 0 = no change of the log */
	const char *what; /* for programs: "created", "changed", "deleted", "ready", "unknown", ... */
	char subject[112]; /* "instance 4d891ef2a03b58" */
	char text[200];    /* for people; may be "" */
};

struct event_watch;
struct event_log {
	struct event kept[EVENTS_KEPT];
	size_t n, next;
	uint64_t revision, newest; /* newest: number of the last event */
	struct event_watch *watches;
};

/* Unix time in us: numbers go on rising over restarts, so a watcher of the one before is told at once. */
void events_init(struct event_log *log, uint64_t now_ms);
/* Something that the status shows has changed. */
void events_touch(struct controller *c);
void events_add(struct controller *c, const char *what, uint64_t v, const char *subject, const char *fmt, ...) PRINTF_LIKE(5, 6);
/* The same about a node. */
void events_add_node(struct controller *c, const struct node_entry *node, const char *what, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* A record was committed; old = what was current before, NULL if nothing. */
void events_note_record(struct controller *c, const struct record *record, const struct memory_record *old);
/* What a node says of itself is about to be replaced. */
void events_note_said(struct controller *c, const struct node_entry *node, size_t n_errors, const char *first_error, size_t n_held);

/* The events after that number, oldest first. */
void events_each(const struct event_log *log, uint64_t after, void (*visit)(void *ctx, const struct event *event), void *ctx);

/* Calls done once: when the revision (or, events_only, the newest event) is another than `after`, or the time is up, or the controller
 * stops. -ENOMEM, -ECANCELED: never. May call done before it returns. */
int events_watch(struct controller *c, bool events_only, uint64_t after, uint32_t timeout_ms, void (*done)(void *ctx), void *ctx);
/* In every tick: nodes that came or went, watches that are due; the next time to look. */
uint64_t events_run(struct controller *c);
void events_end_all(struct controller *c);
