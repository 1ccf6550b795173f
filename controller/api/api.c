/* api - see api.h, and api_internal.h for the parts. */
#include "controller/api/api_internal.h"
#include "controller/api/flaps.h"
#include "controller/store/error.h"

#include <stdlib.h>
#include <string.h>

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
		free(api->description);
		free(api);
	}
	return NULL;
}

const char *api_description(struct api *api)
{
	CLEAN_JSON json_t *doc = api->description ? NULL : route_describe();

	if (doc)
		api->description = json_dumps(doc, JSON_COMPACT);
	return api->description;
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

uint64_t api_head(const struct api *api)
{
	return api->env.ops->current_v(api->env.ctx);
}

static void refuse_route(struct api *api, struct http_request *request, const struct route_match *match)
{
	struct http_reply like = { .v = api_head(api) };
	struct why why;

	if (match->allow[0]) {
		like.allow = match->allow;
		why_set(&why, "method_not_allowed", "", "%s is not possible here; possible is %s", request->method, match->allow);
	} else {
		why_set(&why, "route_not_found", "", "there is nothing at this path");
	}
	call_note(api, NULL, request, (unsigned)error_http_status(why.code));
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
	call_authenticate(call);
}
