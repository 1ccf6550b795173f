/* api_internal - the controller's side of a call on its way, as its parts share it: api.c (the object, and where a request begins),
 * call_door.c (who asks, and whether that may be), call_op.c (on the store's thread), call_wait.c (until nodes have it, or there is news),
 * call_end.c (the reply, after which the call is gone). All of it runs in the loop, but what call_op.c gives the store. */
#pragma once
#include "controller/api/api.h"
#include "controller/api/event_stream.h"
#include "controller/api/http_stats.h"
#include "controller/api/shares.h"
#include "lib/base/map.h"

struct api {
	struct api_env env;
	struct auth *auth;
	size_t n_waits;
	struct map retries; /* calls with an Idempotency-Key that are under way, by retry.id */
	struct shares shares;
	struct event_streams streams;
	struct logins logins;
	struct http_stats stats;
	char *description; /* see api_description */
};

uint64_t api_head(const struct api *api); /* the V that is as new as it gets */

/* ---- call_door.c ---- */

void call_authenticate(struct api_call *call);

/* ---- call_op.c ---- */

void call_put_to_store(struct api_call *call);
/* An op of this call on the store's thread, with its principal and where it comes from. */
void call_begin_op(struct api_call *call, int (*run)(struct store *store, struct op *op), void (*done)(struct op *op));

/* ---- call_wait.c ---- */

int call_parse_wait(struct api_call *call, struct why *why); /* ?wait, ?timeout, ?strict, ?on, ?dry_run */
void call_start_wait(struct api_call *call);
void call_start_watch(struct api_call *call);

/* ---- call_end.c: each frees the call ---- */

void call_refuse(struct api_call *call, const struct why *why);
void call_refuse_like(struct api_call *call, unsigned status, const struct why *why, struct http_reply like);
void call_refuse_busy(struct api_call *call, const char *what); /* 503, to be tried again */
void call_refuse_error(struct api_call *call, int error);       /* a negative result of the store */
void call_succeed(struct api_call *call, unsigned status);
void call_note(struct api *api, const struct route *route, const struct http_request *request, unsigned status); /* for the metrics; frees nothing */
