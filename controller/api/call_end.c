/* call_end - the end of a call: its reply, in the form of whoever asks, and its count. See api_internal.h. */
#include "controller/api/api_internal.h"
#include "controller/api/api_match.h"
#include "controller/api/flaps.h"
#include "controller/graphql/graphql.h"
#include "controller/store/error.h"
#include "lib/base/log.h"

#include <stdlib.h>
#include <string.h>

static void call_free(struct api_call *call)
{
	if (call->retry.on)
		map_remove(&call->api->retries, call->retry.id, sizeof call->retry.id);
	if (call->has_share)
		shares_give(&call->api->shares, &call->question.principal);
	op_deinit(&call->op);
	gql_request_free(call->graphql);
	json_decref(call->body);
	json_decref(call->reply);
	json_decref(call->items);
	json_decref(call->detail);
	buf_deinit(&call->text);
	free(call->live);
	free(call->text_policy);
	free(call);
}

void call_note(struct api *api, const struct route *route, const struct http_request *request, unsigned status)
{
	uint64_t now = api->env.loop ? loop_now_ms(api->env.loop) : 0;

	http_stats_note(&api->stats, route, status, now > request->begun_ms ? 1000 * (now - request->begun_ms) : 0);
}

/* flyctl is answered in its own form also where both views have one path. */
static const struct route_manner *manner_of(const struct api_call *call)
{
	if (call->route->manner || !call->request->flyctl)
		return call->route->manner;
	return &flaps_manner;
}

void call_refuse_like(struct api_call *call, unsigned status, const struct why *why, struct http_reply like)
{
	like.v = api_head(call->api);
	like.detail = call->detail;
	call_note(call->api, call->route, call->request, status);
	if (manner_of(call)) {
		json_t *body = manner_of(call)->refusal(call, why, &status);

		like.status = status;
		like.authenticate = like.authenticate && status == 401;
		http_reply_document(call->request, &like, body);
		call_free(call);
		return;
	}
	http_reply_error(call->request, status, why, error_find(why->code)->hint, &like);
	call_free(call);
}

void call_refuse(struct api_call *call, const struct why *why)
{
	call_refuse_like(call, (unsigned)error_http_status(why->code), why, (struct http_reply){ 0 });
}

void call_refuse_busy(struct api_call *call, const char *what)
{
	struct why why;

	why_set(&why, "unavailable", "", "%s", what);
	call_refuse_like(call, 503, &why, (struct http_reply){ .retry_after_s = 1 });
}

/* A negative result of the store: what a stranger may know of it. */
void call_refuse_error(struct api_call *call, int error)
{
	struct why why;

	switch (error) {
	case -ENOSPC:
		why_set(&why, "disk_full", "", "the controller's disk is full: nothing was changed");
		break;
	case -ESTALE:
		why_set(&why, "fenced", "", "another controller writes this store now: nothing was changed");
		break;
	case -EIDRM:
	case -EBADMSG:
	case -EROFS:
	case -EIO:
		log_err("api", "%s %s (request %s): %s", call->route->method, call->route->pattern, call->request->id, strerror(-error));
		why_set(&why, "store_broken", "", "the controller's store can no longer be used: nothing was changed");
		break;
	case -ECANCELED:
		why_set(&why, "unavailable", "", "the controller is being stopped: nothing was changed");
		break;
	default:
		log_err("api", "%s %s (request %s): %s", call->route->method, call->route->pattern, call->request->id, strerror(-error));
		why_set(&why, "internal", "", "something failed inside the controller: nothing was changed");
	}
	call_refuse_like(call, (unsigned)error_status_of(error, &why), &why, (struct http_reply){ 0 });
}

void call_succeed(struct api_call *call, unsigned status)
{
	struct http_reply like = { .v = api_head(call->api), .replayed = call->retry.replayed };
	char tag[MATCH_TAG_SIZE];
	bool same;

	if (call->text_type) {
		call_note(call->api, call->route, call->request, status);
		http_reply(call->request, &(struct http_reply){ .status = status, .content_type = call->text_type, .v = like.v,
								.policy = call->text_policy, .body_stays = call->text_stays,
								.body = call->text_stays ? call->text_stays : (const char *)call->text.data,
								.body_len = call->text_stays ? strlen(call->text_stays) : call->text.len });
		call_free(call);
		return;
	}
	if (!call->reply)
		call->reply = json_object();
	api_match_reply(call, tag, &same);
	like.status = same ? 304 : status;
	like.etag = tag[0] ? tag : NULL;
	like.v = call->op.v > like.v ? call->op.v : like.v;
	call_note(call->api, call->route, call->request, like.status);
	if (same)
		http_reply(call->request, &like);
	else
		http_reply_document(call->request, &like, TAKE(call->reply));
	call_free(call);
}

void api_end(struct api_call *call, int result)
{
	struct why why = call->op.why;

	if (result == E_REFUSED)
		call_refuse(call, &why);
	else if (result < 0)
		call_refuse_error(call, result);
	else
		call_succeed(call, call->route->success ? call->route->success : 200);
}

void api_end_as_stream(struct api_call *call)
{
	call_note(call->api, call->route, call->request, 200);
	call_free(call);
}
