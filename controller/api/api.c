/* api - see api.h. */
#include "controller/api/api.h"
#include "controller/api/api_list.h"
#include "controller/api/api_match.h"
#include "controller/api/api_retry.h"
#include "controller/api/flaps.h"
#include "controller/api/event_stream.h"
#include "controller/graphql/graphql.h"

#include "controller/store/error.h"
#include "controller/store/store_audit.h"
#include "controller/api/http_stats.h"
#include "controller/api/shares.h"
#include "lib/base/log.h"
#include "lib/base/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct api {
	struct api_env env;
	struct auth *auth;
	size_t n_waits;
	struct map retries; /* calls with an Idempotency-Key that are under way, by retry.id */
	struct shares shares;
	struct event_streams streams;
	struct logins logins;
	struct http_stats stats;
};

int api_new(const struct api_env *env, struct api **ret_api)
{
	struct api *api = calloc(1, sizeof *api);
	int r;

	if (!api)
		return -ENOMEM;
	api->env = *env;
	api->logins.clock = env->clock;
	api->stats.tls = env->access ? env->access->tls : NULL;
	r = auth_new(env->loop, &env->clock, env->store, env->requests_per_token, &api->auth);
	if (r < 0) {
		free(api);
		return r;
	}
	event_streams_init(&api->streams, &api->env);
	api->stats.streams = &api->streams.stats;
	*ret_api = api;
	return 0;
}

struct api *api_free(struct api *api)
{
	if (api) {
		event_streams_deinit(&api->streams);
		auth_free(api->auth);
		logins_deinit(&api->logins);
		shares_deinit(&api->shares);
		http_stats_deinit(&api->stats);
		map_deinit(&api->retries);
		free(api);
	}
	return NULL;
}

struct logins *api_logins(struct api *api)
{
	return &api->logins;
}

void api_ask(struct api_call *call, const char *authorization, void (*answered)(struct auth_question *question))
{
	call->question.answered = answered;
	auth_ask(call->api->auth, authorization, call->request->source, &call->question);
}

const struct api_env *api_get_env(const struct api *api)
{
	return &api->env;
}

const struct http_stats *api_http_stats(const struct api *api)
{
	return &api->stats;
}

void api_set_server(struct api *api, const struct http_server *server)
{
	api->stats.server = server;
}

void api_write_uses(struct api *api)
{
	auth_write_uses(api->auth);
}

void api_note_record(struct api *api, const struct record *record)
{
	auth_note_record(api->auth, record);
	event_streams_note_record(&api->streams, record);
}

static uint64_t head(const struct api *api)
{
	return api->env.ops->current_v(api->env.ctx);
}

/* ---- the end of a call ---- */

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

static void note(struct api *api, const struct route *route, const struct http_request *request, unsigned status)
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

static void refuse_like(struct api_call *call, unsigned status, const struct why *why, struct http_reply like)
{
	like.v = head(call->api);
	like.detail = call->detail;
	note(call->api, call->route, call->request, status);
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

static void refuse(struct api_call *call, const struct why *why)
{
	refuse_like(call, (unsigned)error_http_status(why->code), why, (struct http_reply){ 0 });
}

static void refuse_busy(struct api_call *call, const char *what)
{
	struct why why;

	why_set(&why, "unavailable", "", "%s", what);
	refuse_like(call, 503, &why, (struct http_reply){ .retry_after_s = 1 });
}

/* A negative result of the store: what a stranger may know of it. */
static void refuse_error(struct api_call *call, int error)
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
	refuse_like(call, (unsigned)error_status_of(error, &why), &why, (struct http_reply){ 0 });
}

static void succeed(struct api_call *call, unsigned status)
{
	struct http_reply like = { .v = head(call->api), .replayed = call->retry.replayed };
	char tag[MATCH_TAG_SIZE];
	bool same;

	if (call->text_type) {
		note(call->api, call->route, call->request, status);
		http_reply(call->request, &(struct http_reply){ .status = status, .content_type = call->text_type, .v = like.v,
								.policy = call->text_policy, .body = call->text.data,
								.body_len = call->text.len });
		call_free(call);
		return;
	}
	if (!call->reply)
		call->reply = json_object();
	api_match_reply(call, tag, &same);
	like.status = same ? 304 : status;
	like.etag = tag[0] ? tag : NULL;
	like.v = call->op.v > like.v ? call->op.v : like.v;
	note(call->api, call->route, call->request, like.status);
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
		refuse(call, &why);
	else if (result < 0)
		refuse_error(call, result);
	else
		succeed(call, call->route->success ? call->route->success : 200);
}

void api_end_as_stream(struct api_call *call)
{
	note(call->api, call->route, call->request, 200);
	call_free(call);
}

static void put_to_store(struct api_call *call);

/* ---- waiting ---- */

unsigned api_success_status(const struct api_call *call)
{
	if (call->retry.replayed)
		return call->retry.status;
	if (call->status)
		return call->status;
	return call->route->success ? call->route->success : 200;
}

static void end_wait(struct api_call *call, const struct api_wait_result *result)
{
	if (result->lost && call->route->again && !call->retry.replayed && call->tries < API_TRIES_MAX && call->route->again(call)) {
		call->tries++;
		op_deinit(&call->op);
		free(TAKE(call->live));
		put_to_store(call);
		return;
	}
	if (call->route->manner) {
		succeed(call, call->route->manner->waited(call, result));
		return;
	}
	api_add_wait_result(call->reply, &call->wait, result);
	succeed(call, result->applied ? api_success_status(call) : 202);
}

/* The write stands, but nobody knows, or may be told, how far it is. */
static void end_wait_untold(struct api_call *call)
{
	if (call->route->manner) {
		succeed(call, call->route->manner->waited(call, &(struct api_wait_result){ .applied = false }));
		return;
	}
	json_object_set_new(call->reply, "v", json_integer((json_int_t)call->wait.v));
	json_object_set_new(call->reply, "applied", json_false());
	succeed(call, 202);
}

static void answer(struct api_call *call);

/* While it waited its token may have been revoked: what was asked for before is not told after. */
static void judged_again(struct auth_question *question)
{
	struct api_call *call = container_of(question, struct api_call, question);
	struct api_wait_result *result = TAKE(call->waited);
	struct why why;

	if (question->result != AUTH_GOOD && call->route->write) {
		end_wait_untold(call);
	} else if (question->result != AUTH_GOOD) {
		why_set(&why, "unauthorized", "", "the token was changed or revoked while this waited");
		refuse_like(call, 401, &why, (struct http_reply){ .authenticate = true });
	} else if (result) {
		end_wait(call, result);
	} else {
		answer(call);
	}
	free(result);
}

/* result NULL: it watched. */
static void judge_again(struct api_call *call, const struct api_wait_result *result)
{
	call->waited = result ? malloc(sizeof *result) : NULL;
	if (result && !call->waited) {
		if (call->route->write)
			end_wait_untold(call);
		else
			refuse_busy(call, "no memory");
		return;
	}
	if (result)
		*call->waited = *result;
	call->question.answered = judged_again;
	auth_ask_again(call->api->auth, &call->question);
}

static void waited(void *ctx, const struct api_wait_result *result)
{
	struct api_call *call = ctx;

	call->api->n_waits--;
	if (auth_is_stale(call->api->auth, &call->question))
		judge_again(call, result);
	else
		end_wait(call, result);
}

static void start_wait(struct api_call *call)
{
	const struct api_env *env = &call->api->env;
	struct api_wait wait = call->wait;
	int r;

	if (call->op.v) {
		wait.first_v = call->op.first_v;
		wait.v = call->op.v;
	} else if (!wait.v) {
		wait.v = head(call->api);
		wait.foreign = !principal_is_operator(api_who(call)); /* whoever wrote that */
	}
	wait.give_up = call->route->again && !call->retry.replayed && call->tries < API_TRIES_MAX;
	call->wait = wait;
	call->api->n_waits++;
	auth_mark(call->api->auth, &call->question); /* its own write is no reason to doubt it */
	r = env->ops->wait(env->ctx, &wait, waited, call);
	if (r < 0) {
		call->api->n_waits--;
		end_wait_untold(call);
	}
}

static int parse_wait(struct api_call *call, struct why *why)
{
	const char *wait = api_query(call, "wait"), *timeout = api_query(call, "timeout"), *on = api_query(call, "on");

	call->dry_run = api_query_true(call, "dry_run");
	call->wait.timeout_ms = API_WAIT_DEFAULT_MS;
	call->wait.strict = api_query_true(call, "strict");
	/* flyctl's timeout of a stop is none of waiting */
	if (timeout && !(call->route->manner == &flaps_manner && call->route->write && !wait) && route_parse_duration("timeout", timeout, API_WAIT_MAX_MS, &call->wait.timeout_ms, why))
		return E_REFUSED;
	if (on) {
		if (name_check_node(on, why))
			return E_REFUSED;
		snprintf(call->wait.on, sizeof call->wait.on, "%s", on);
	}
	if (call->route->waits)
		wait = "applied";
	if (!wait || !strcmp(wait, "recorded"))
		return 0;
	if (strcmp(wait, "applied") && strcmp(wait, "true"))
		return why_set(why, "value_invalid", "wait", "wait is \"%.30s\": it can be applied or recorded", wait);
	if (!call->api->env.ops->wait)
		return why_set(why, "value_invalid", "wait", "this controller cannot wait for nodes: use wait=recorded");
	call->want_wait = !call->dry_run;
	return 0;
}

/* ---- from memory, now or when there is news ---- */

static void answer(struct api_call *call)
{
	struct why why;

	if (call->route->answer(call, &why))
		refuse(call, &why);
	else
		succeed(call, api_success_status(call));
}

static void watched(void *ctx)
{
	struct api_call *call = ctx;

	call->api->n_waits--;
	if (auth_is_stale(call->api->auth, &call->question))
		judge_again(call, NULL);
	else
		answer(call);
}

static void start_watch(struct api_call *call)
{
	const struct api_env *env = &call->api->env;
	const char *after = api_query(call, "after");
	struct why why;

	if (!*after || strlen(after) > 19 || after[strspn(after, "0123456789")]) {
		why_set(&why, "value_invalid", "after", "query parameter \"after\" is \"%.30s\": it must be the number of a reply before", after);
		refuse(call, &why);
		return;
	}
	if (call->api->n_waits >= API_WAITS_MAX) {
		refuse_busy(call, "too many requests wait");
		return;
	}
	call->api->n_waits++;
	if (!env->ops->watch ||
	    env->ops->watch(env->ctx, call->route->watch_events, strtoull(after, NULL, 10), call->wait.timeout_ms, watched, call) < 0) {
		call->api->n_waits--;
		answer(call);
	}
}

/* ---- the store ---- */

static int run_route(struct store *store, struct api_call *call)
{
	int r = 0;

	if (call->retry.on && !call->tries)
		r = api_retry_find(store, call);
	if (r || call->retry.replayed)
		return r;
	if (!call->tries)
		r = api_match_judge(store, call);
	if (r == 0 && call->route->list)
		r = api_list_open(store, call);
	if (r == 0)
		r = call->route->run(store, call);
	if (r == 0 && call->route->list)
		r = api_list_seal(store, call);
	if (!call->retry.on || r < 0)
		return r;
	return r ? api_retry_forget(store, call, r) : api_retry_keep(store, call);
}

static int run_on_store(struct store *store, struct op *op)
{
	struct api_call *call = container_of(op, struct api_call, op);
	int r;

	json_decref(call->reply); /* a batch may be run a second time */
	json_decref(call->items);
	json_decref(call->detail);
	call->reply = call->items = call->detail = NULL;
	call->dry_run_worked = false;
	call->status = 0;
	r = run_route(store, call);
	if (r == 0 && call->dry_run) { /* refused now, so that its savepoint is rolled back */
		call->dry_run_worked = true;
		return why_set(&op->why, "dry_run", "", "nothing was changed");
	}
	return r;
}

/* 0 stands for a write that changed nothing: then what is there is as new as it gets. */
static uint64_t written_v(const struct api_call *call)
{
	if (call->retry.replayed && call->retry.v)
		return call->retry.v;
	return call->op.v ? call->op.v : head(call->api);
}

static void ran_on_store(struct op *op)
{
	struct api_call *call = container_of(op, struct api_call, op);

	if (call->dry_run_worked) {
		json_object_del(call->reply, "token"); /* of one that was never made */
		json_object_set_new(call->reply, "dry_run", json_true());
		succeed(call, 200);
		return;
	}
	if (op->result == E_REFUSED) {
		struct why why = op->why;

		refuse(call, &why);
		return;
	}
	if (op->result < 0) {
		refuse_error(call, op->result);
		return;
	}
	if (!call->reply)
		call->reply = json_object();
	if (call->route->finish)
		call->route->finish(call);
	if (call->want_wait) {
		start_wait(call);
		return;
	}
	if (call->route->write)
		json_object_set_new(call->reply, "v", json_integer((json_int_t)written_v(call)));
	succeed(call, api_success_status(call));
}

static int take_live(struct api_call *call)
{
	const struct api_env *env = &call->api->env;

	call->live = calloc(API_LIVE_MAX, sizeof *call->live);
	if (!call->live)
		return -ENOMEM;
	call->n_live = env->ops->live_nodes(env->ctx, call->live, API_LIVE_MAX);
	return 0;
}

static void begin_op(struct api_call *call, int (*run)(struct store *store, struct op *op), void (*done)(struct op *op))
{
	op_init(&call->op, run, done, &call->question.principal, call->request->id);
	op_from(&call->op, call->request->local ? NULL : call->request->source, call->question.by_token ? call->question.token_id : NULL);
	call->op.write = call->writes;
	call->op.frees = call->frees;
	store_thread_put(call->api->env.store, &call->op);
}

static void put_to_store(struct api_call *call)
{
	if (!call->tries && store_thread_waiting(call->api->env.store) >= API_STORE_QUEUE_MAX) {
		refuse_busy(call, "too many requests wait for the store");
		return;
	}
	if (call->writes && take_live(call) < 0) {
		refuse_error(call, -ENOMEM);
		return;
	}
	begin_op(call, run_on_store, ran_on_store);
}

/* ---- the door ---- */

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
		succeed(call, 200);
	} else if (call->route->start(call, &why)) {
		refuse(call, &why);
	}
}

/* False: it was refused. */
static bool begin_retry(struct api_call *call)
{
	struct map *retries = &call->api->retries;
	struct why why;

	switch (api_retry_begin(call, &why)) {
	case E_REFUSED:
		refuse(call, &why);
		return false;
	case API_RETRY_NOT:
		return true;
	default:
		break;
	}
	if (map_get(retries, call->retry.id, sizeof call->retry.id)) {
		why_set(&why, "request_in_flight", "Idempotency-Key", "a request with this Idempotency-Key is still being worked on");
		refuse_like(call, 409, &why, (struct http_reply){ .retry_after_s = 1 });
		return false;
	}
	if (map_set(retries, call->retry.id, sizeof call->retry.id, call, NULL) < 0) {
		refuse_busy(call, "no memory");
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
			refuse(call, &why);
		return;
	}
	if (call->route->start) {
		start_long(call);
		return;
	}
	if (call->route->watch && api_query(call, "after")) {
		start_watch(call);
		return;
	}
	if (call->route->answer(call, &why))
		refuse(call, &why);
	else if (call->want_wait)
		start_wait(call);
	else {
		if (call->dry_run)
			json_object_set_new(call->reply, "dry_run", json_true());
		succeed(call, api_success_status(call));
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
		refuse_error(call, op->result < 0 ? op->result : -EINVAL);
	else
		go_on(call);
}

static void authenticated(struct api_call *call)
{
	struct why why;

	if ((call->route->auth == ROUTE_OPERATOR || (call->route->auth == ROUTE_NEAR && !is_near(call->request))) &&
	    !principal_is_operator(&call->question.principal)) {
		why_set(&why, "forbidden", "", "only operators may do this");
		refuse(call, &why);
		return;
	}
	if (route_check_query(call->route, &call->request->target, &why) || api_match_check(call, &why) || parse_body(call, &why) || parse_wait(call, &why) ||
	    (call->route->check && call->route->check(call, &why))) {
		refuse(call, &why);
		return;
	}
	if (call->request->idempotency_key && !begin_retry(call))
		return;
	if (call->writes && !auth_may_write(call->api->auth, &call->question)) {
		why_set(&why, "rate_limited", "", "this organization writes more than %u times a second", call->question.writes_per_s);
		refuse_like(call, 429, &why, (struct http_reply){ .retry_after_s = 1 });
		return;
	}
	if (call->want_wait && call->api->n_waits >= API_WAITS_MAX) {
		refuse_busy(call, "too many requests wait for nodes: nothing was changed");
		return;
	}
	if (call->route->run) {
		put_to_store(call);
	} else if (call->writes && !call->dry_run) {
		begin_op(call, run_note, noted);
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
		refuse_like(call, 429, &why, (struct http_reply){ .retry_after_s = wait_s ? wait_s : 1 });
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
		refuse_like(call, 401, &why, (struct http_reply){ .authenticate = true });
		return;
	case AUTH_TOO_MANY:
		why_set(&why, "rate_limited", "", "too many wrong tokens from this address");
		refuse_like(call, 429, &why, (struct http_reply){ .retry_after_s = 2 });
		return;
	case AUTH_UNAVAILABLE:
		refuse_busy(call, "the token could not be looked up");
		return;
	}
}

static void authenticate(struct api_call *call)
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
		refuse(call, &why);
		return;
	}
	call->question.answered = auth_answered;
	auth_ask(call->api->auth, request->authorization, request->source, &call->question);
}

static void refuse_route(struct api *api, struct http_request *request, const struct route_match *match)
{
	struct http_reply like = { .v = head(api) };
	struct why why;

	if (match->allow[0]) {
		like.allow = match->allow;
		why_set(&why, "method_not_allowed", "", "%s is not possible here; possible is %s", request->method, match->allow);
	} else {
		why_set(&why, "route_not_found", "", "there is nothing at this path");
	}
	note(api, NULL, request, (unsigned)error_http_status(why.code));
	if (!match->allow[0] && (request->flyctl || flaps_is_below_app(&request->target))) {
		http_reply_json(request, 404, like.v, flaps_nothing_there(request->method, &request->target, request->id));
		return;
	}
	http_reply_error(request, (unsigned)error_http_status(why.code), &why, error_find(why.code)->hint, &like);
}

void api_handle(void *ctx, struct http_request *request)
{
	struct api *api = ctx;
	struct route_match match;
	struct api_call *call;
	struct why why;

	route_find(&request->target, request->method, &match);
	if (!match.route) {
		refuse_route(api, request, &match);
		return;
	}
	call = calloc(1, sizeof *call);
	if (!call) {
		why_set(&why, "unavailable", "", "no memory");
		http_reply_error(request, 503, &why, NULL, NULL);
		return;
	}
	call->api = api;
	call->request = request;
	call->route = match.route;
	call->writes = match.route->write;
	call->frees = match.route->frees;
	memcpy(call->params, match.params, sizeof call->params);
	authenticate(call);
}
