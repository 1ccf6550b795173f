/* event_stream - GET /v1/events as server-sent events: who follows, what he may see, and where he is. Ends at once when that may have
 * changed (token, membership, organization): the client comes back with its last id and is judged anew. */
#pragma once
#include "controller/api/event_feed.h"
#include "controller/api/shares.h"

#define EVENT_STREAMS_MAX 4096
#define EVENT_STREAMS_PER_ORG 128 /* what a person in several has, too */
#define EVENT_READS_MAX 16      /* who are behind and read the log at the same time */
#define EVENT_WINDOW 100000u    /* versions behind the newest from which one may go on */
#define EVENT_BEAT_MS 15000u

struct api_call;
struct event_stream;

struct event_stream_stats {
	uint64_t now, opened, sent; /* sent: events */
	uint64_t ended_client, ended_slow, ended_revoked, ended_expired, ended_stopped;
};

struct event_streams {
	const struct api_env *env;
	struct event_feed feed;
	struct event_stream *all;
	struct shares shares;
	size_t n, n_reading;
	struct loop_timer beat;
	struct event_stream_stats stats;
};

void event_streams_init(struct event_streams *streams, const struct api_env *env);
void event_streams_deinit(struct event_streams *streams); /* none is left: the HTTP server is gone */
/* Syntax of id and query; E_REFUSED. */
int event_stream_check(const struct api_call *call, struct why *why) MUST_CHECK;
/* Takes the call over. E_REFUSED: it did not begin. */
int event_stream_start(struct event_streams *streams, struct api_call *call, struct why *why) MUST_CHECK;
/* A committed record, which is in memory. */
void event_streams_note_record(struct event_streams *streams, const struct record *record);
