/* call_door - the door: who asks, how often, with what body; and what of it is not the store's. See api_internal.h. */
#include "controller/api/api_internal.h"
#include "controller/api/api_match.h"
#include "controller/api/api_retry.h"
#include "controller/store/store_audit.h"

#include <stdio.h>
#include <string.h>

static int parse_body(struct api_call *call, struct why *why)
{
	const struct buf *body = &call->request->body;

	if (body->len && !call->route->drops) {
		call->body = json_parse((const char *)body->data, body->len, why);
		if (!call->body)
			return E_REFUSED;
	}
	if (route_check_body(call->route, call->body, why))
		return E_REFUSED;
	if (!call->body)
		call->body = json_object();
	return 0;
}

/* From this very machine, and for itself: a proxy on loopback asks for the whole world. */
static bool is_near(const struct http_request *request)
{
	static const uint8_t loopback[16] = { [15] = 1 }, mapped[13] = { [10] = 0xff, [11] = 0xff, [12] = 127 };

	if (request->authorization || request->forwarded)
		return false;
	return request->local || !memcmp(request->source, loopback, 16) || !memcmp(request->source, mapped, 13);
}

static void start_long(struct api_call *call)
{
	struct why why;

	if (call->dry_run) {
		call->reply = json_pack("{s:b}", "dry_run", true);
		call_succeed(call, 200);
	} else if (call->route->start(call, &why)) {
		call_refuse(call, &why);
	}
}

/* False: it was refused. */
static bool begin_retry(struct api_call *call)
{
	struct map *retries = &call->api->retries;
	struct why why;

	switch (api_retry_begin(call, &why)) {
	case E_REFUSED:
		call_refuse(call, &why);
		return false;
	case API_RETRY_NOT:
		return true;
	default:
		break;
	}
	if (map_get(retries, call->retry.id, sizeof call->retry.id)) {
		why_set(&why, "request_in_flight", "Idempotency-Key", "a request with this Idempotency-Key is still being worked on");
		call_refuse_like(call, 409, &why, (struct http_reply){ .retry_after_s = 1 });
		return false;
	}
	if (map_set(retries, call->retry.id, sizeof call->retry.id, call, NULL) < 0) {
		call_refuse_busy(call, "no memory");
		return false;
	}
	call->retry.on = true;
	return true;
}

/* What is not answered by the store. */
static void go_on(struct api_call *call)
{
	struct why why;

	if (call->route->streams && call->request->wants_events) {
		if (event_stream_start(&call->api->streams, call, &why))
			call_refuse(call, &why);
		return;
	}
	if (call->route->start) {
		start_long(call);
		return;
	}
	if (call->route->watch && api_query(call, "after")) {
		call_start_watch(call);
		return;
	}
	if (call->route->answer(call, &why))
		call_refuse(call, &why);
	else if (call->want_wait)
		call_start_wait(call);
	else {
		if (call->dry_run)
			json_object_set_new(call->reply, "dry_run", json_true());
		call_succeed(call, api_success_status(call));
	}
}

/* An act that the store knows nothing of: it is told before it is done, and what cannot be told is not done. */
static int run_note(struct store *store, struct op *op)
{
	const struct api_call *call = container_of(op, struct api_call, op);
	const char *noun = call->route->act ? strchr(call->route->act, ' ') : NULL;
	char verb[32];

	if (!noun)
		return -EINVAL; /* the table has a write that nobody would be told of */
	snprintf(verb, sizeof verb, "%.*s", (int)(noun - call->route->act), call->route->act);
	return store_audit_note(store, op, &(struct store_act){ .verb = verb, .noun = noun + 1, .name = call->params[0] });
}

static void noted(struct op *op)
{
	struct api_call *call = container_of(op, struct api_call, op);

	if (op->result)
		call_refuse_error(call, op->result < 0 ? op->result : -EINVAL);
	else
		go_on(call);
}

static void authenticated(struct api_call *call)
{
	struct why why;

	if ((call->route->auth == ROUTE_OPERATOR || (call->route->auth == ROUTE_NEAR && !is_near(call->request))) &&
	    !principal_is_operator(&call->question.principal)) {
		why_set(&why, "forbidden", "", "only operators may do this");
		call_refuse(call, &why);
		return;
	}
	if (route_check_query(call->route, &call->request->target, &why) || api_match_check(call, &why) || parse_body(call, &why) || call_parse_wait(call, &why) ||
	    (call->route->check && call->route->check(call, &why))) {
		call_refuse(call, &why);
		return;
	}
	if (call->request->idempotency_key && !begin_retry(call))
		return;
	if (call->writes && !auth_may_write(call->api->auth, &call->question)) {
		why_set(&why, "rate_limited", "", "this organization writes more than %u times a second", call->question.writes_per_s);
		call_refuse_like(call, 429, &why, (struct http_reply){ .retry_after_s = 1 });
		return;
	}
	if (call->want_wait && call->api->n_waits >= API_WAITS_MAX) {
		call_refuse_busy(call, "too many requests wait for nodes: nothing was changed");
		return;
	}
	if (call->route->run) {
		call_put_to_store(call);
	} else if (call->writes && !call->dry_run) {
		call_begin_op(call, run_note, noted);
	} else {
		go_on(call);
	}
}

/* One token that asks in a loop, or one organization that lets everything wait, must not be all that others see of this controller. */
static void admit(struct api_call *call)
{
	unsigned wait_s = auth_pace(call->api->auth, &call->question);
	struct why why;

	if (wait_s)
		why_set(&why, "rate_limited", "", "this token asks more than %u times a second", call->api->env.requests_per_token);
	else if (!shares_take(&call->api->shares, &call->question.principal, API_CALLS_PER_ORG))
		why_set(&why, "rate_limited", "", "this organization has %d requests under way", API_CALLS_PER_ORG);
	else
		call->has_share = true;
	call->api->stats.limited_tokens = auth_limited(call->api->auth);
	call->api->stats.limited_shares = call->api->shares.refusals;
	if (call->has_share)
		authenticated(call);
	else
		call_refuse_like(call, 429, &why, (struct http_reply){ .retry_after_s = wait_s ? wait_s : 1 });
}

static void auth_answered(struct auth_question *question)
{
	struct api_call *call = container_of(question, struct api_call, question);
	struct why why;

	switch (question->result) {
	case AUTH_GOOD:
		admit(call);
		return;
	case AUTH_WRONG:
		why_set(&why, "unauthorized", "", "there is no valid token in the header Authorization");
		call_refuse_like(call, 401, &why, (struct http_reply){ .authenticate = true });
		return;
	case AUTH_TOO_MANY:
		why_set(&why, "rate_limited", "", "too many wrong tokens from this address");
		call_refuse_like(call, 429, &why, (struct http_reply){ .retry_after_s = 2 });
		return;
	case AUTH_UNAVAILABLE:
		call_refuse_busy(call, "the token could not be looked up");
		return;
	}
}

void call_authenticate(struct api_call *call)
{
	const struct http_request *request = call->request;
	char text[32];
	struct why why;

	if (call->route->auth == ROUTE_OPEN || (call->route->auth == ROUTE_NEAR && is_near(request))) {
		authenticated(call);
		return;
	}
	if (request->local_operator && (!request->authorization || call->route->auth == ROUTE_LOCAL)) {
		snprintf(text, sizeof text, "local uid %u", (unsigned)request->uid);
		call->question.principal = principal_local(text);
		authenticated(call);
		return;
	}
	if (call->route->auth == ROUTE_LOCAL) {
		why_set(&why, "forbidden", "", "this goes only through the controller's local socket, as root or a member of its group");
		call_refuse(call, &why);
		return;
	}
	call->question.answered = auth_answered;
	auth_ask(call->api->auth, request->authorization, request->source, &call->question);
}
