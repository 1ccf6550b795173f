/* event_feed - changes as they are committed, each rendered once for all who follow: a ring of ready texts. Whoever is behind the ring reads
 * the log of the store. Nobody's pace is anybody else's business: a reader holds at most the one event that it is being sent. */
#pragma once
#include "controller/api/api_env.h"
#include "controller/store/principal.h"
#include "controller/store/store_thread.h"

#define EVENT_FEED_RING 2048
#define EVENT_FEED_BYTES (8u << 20) /* of the ring */
#define EVENT_READ_ROWS 100u        /* of the log, per visit of the store thread */
#define EVENT_ID_SIZE 40

/* One event as it is sent; shared, counted. */
struct event_text {
	unsigned refs;
	uint64_t v;   /* 0 = no change of the log: what operators see and nobody can ask for again */
	bool has_org; /* else it is for operators */
	bool admin;   /* for the org's admins only */
	uint8_t org[ID_LEN];
	size_t len;
	char bytes[];
};
struct event_text *event_text_ref(struct event_text *text);
struct event_text *event_text_unref(struct event_text *text); /* NULL is fine; returns NULL */

/* "1042-9f3a5c21": V and the beginning of the log's id, so that after a restore nobody goes on at a V that is another change now. */
struct event_id {
	uint64_t v;
	bool has_log;
	uint8_t log[4];
};
void event_id_text(uint64_t v, const uint8_t log[4], char ret_text[EVENT_ID_SIZE]);
/* That, or V alone. E_REFUSED names the field. */
int event_id_parse(const char *field, const char *text, struct event_id *ret_id, struct why *why) MUST_CHECK;

struct event_feed {
	const struct api_env *env;
	void (*news)(void *ctx); /* something is in the ring, or what was read is not what was hoped for */
	void *ctx;
	struct event_text *ring[EVENT_FEED_RING];
	uint64_t first, next; /* numbers of texts */
	size_t bytes;
	uint64_t v;         /* all changes up to here are in the ring or were */
	uint64_t dropped_v; /* those up to here are not any more */
	uint64_t wanted_v;
	uint8_t log[4];
	uint64_t noted; /* number of the last event without V that was taken */
	bool other_log; /* what was read last is of another log than the ids so far */
	bool on, reading, watching, stopping;
};

/* Somebody follows from v on, in this log; harmless if somebody does already. */
void event_feed_start(struct event_feed *feed, uint64_t v, const uint8_t log[4]);
void event_feed_rest(struct event_feed *feed); /* nobody does */
void event_feed_note(struct event_feed *feed, uint64_t v); /* a change was committed and is in memory */
void event_feed_deinit(struct event_feed *feed);

/* What the store thread makes of the log's rows; of one org or (NULL) of all. */
struct event_page {
	struct event_text *texts[EVENT_READ_ROWS];
	size_t n;
	uint64_t last_v; /* up to where there is nothing more to be had */
	uint8_t log[4];
	bool no_memory;
};
int event_page_read(struct store *store, const uint8_t *org, uint64_t after_v, struct event_page *ret_page) MUST_CHECK;
void event_page_deinit(struct event_page *page);
