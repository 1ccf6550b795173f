/* call_wait - calls that wait: for nodes to apply what was written, or for news of what is in memory. See api_internal.h. */
#include "controller/api/api_internal.h"
#include "controller/api/flaps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
		call_put_to_store(call);
		return;
	}
	if (call->route->manner) {
		call_succeed(call, call->route->manner->waited(call, result));
		return;
	}
	api_add_wait_result(call->reply, &call->wait, result);
	call_succeed(call, result->applied ? api_success_status(call) : 202);
}

/* The write stands, but nobody knows, or may be told, how far it is. */
static void end_wait_untold(struct api_call *call)
{
	if (call->route->manner) {
		call_succeed(call, call->route->manner->waited(call, &(struct api_wait_result){ .applied = false }));
		return;
	}
	json_object_set_new(call->reply, "v", json_integer((json_int_t)call->wait.v));
	json_object_set_new(call->reply, "applied", json_false());
	call_succeed(call, 202);
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
		call_refuse_like(call, 401, &why, (struct http_reply){ .authenticate = true });
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
			call_refuse_busy(call, "no memory");
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

void call_start_wait(struct api_call *call)
{
	const struct api_env *env = &call->api->env;
	struct api_wait wait = call->wait;
	int r;

	if (call->op.v) {
		wait.first_v = call->op.first_v;
		wait.v = call->op.v;
	} else if (!wait.v) {
		wait.v = api_head(call->api);
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

int call_parse_wait(struct api_call *call, struct why *why)
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
		call_refuse(call, &why);
	else
		call_succeed(call, api_success_status(call));
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

void call_start_watch(struct api_call *call)
{
	const struct api_env *env = &call->api->env;
	const char *after = api_query(call, "after");
	struct why why;

	if (!*after || strlen(after) > 19 || after[strspn(after, "0123456789")]) {
		why_set(&why, "value_invalid", "after", "query parameter \"after\" is \"%.30s\": it must be the number of a reply before", after);
		call_refuse(call, &why);
		return;
	}
	if (call->api->n_waits >= API_WAITS_MAX) {
		call_refuse_busy(call, "too many requests wait");
		return;
	}
	call->api->n_waits++;
	if (!env->ops->watch ||
	    env->ops->watch(env->ctx, call->route->watch_events, strtoull(after, NULL, 10), call->wait.timeout_ms, watched, call) < 0) {
		call->api->n_waits--;
		answer(call);
	}
}
