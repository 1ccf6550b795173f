/* call_op - a call on the store's thread and back. See api_internal.h. */
#include "controller/api/api_internal.h"
#include "controller/api/api_list.h"
#include "controller/api/api_match.h"
#include "controller/api/api_retry.h"

#include <stdlib.h>

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
	return call->op.v ? call->op.v : api_head(call->api);
}

static void ran_on_store(struct op *op)
{
	struct api_call *call = container_of(op, struct api_call, op);

	if (call->dry_run_worked) {
		json_object_del(call->reply, "token"); /* of one that was never made */
		json_object_set_new(call->reply, "dry_run", json_true());
		call_succeed(call, 200);
		return;
	}
	if (op->result == E_REFUSED) {
		struct why why = op->why;

		call_refuse(call, &why);
		return;
	}
	if (op->result < 0) {
		call_refuse_error(call, op->result);
		return;
	}
	if (!call->reply)
		call->reply = json_object();
	if (call->route->finish)
		call->route->finish(call);
	if (call->want_wait) {
		call_start_wait(call);
		return;
	}
	if (call->route->write)
		json_object_set_new(call->reply, "v", json_integer((json_int_t)written_v(call)));
	call_succeed(call, api_success_status(call));
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

void call_begin_op(struct api_call *call, int (*run)(struct store *store, struct op *op), void (*done)(struct op *op))
{
	op_init(&call->op, run, done, &call->question.principal, call->request->id);
	op_from(&call->op, call->request->local ? NULL : call->request->source, call->question.by_token ? call->question.token_id : NULL);
	call->op.write = call->writes;
	call->op.frees = call->frees;
	store_thread_put(call->api->env.store, &call->op);
}

void call_put_to_store(struct api_call *call)
{
	if (!call->tries && store_thread_waiting(call->api->env.store) >= API_STORE_QUEUE_MAX) {
		call_refuse_busy(call, "too many requests wait for the store");
		return;
	}
	if (call->writes && take_live(call) < 0) {
		call_refuse_error(call, -ENOMEM);
		return;
	}
	call_begin_op(call, run_on_store, ran_on_store);
}
