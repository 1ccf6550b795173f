/* api_status - how the whole is doing, from memory alone: it answers while the store is busy. */
#include "controller/api/api_nouns.h"
#include "controller/api/event_stream.h"
#include "controller/api/shape.h"
#include "controller/store/backup.h"
#include "controller/nodes/events.h"

#include "lib/base/metric.h"

#include <stdlib.h>
#include <string.h>

#define STATUS_EVENTS 10

static const struct shape_field recent_fields[] = {
	{ "changes", SHAPE_INT, 0, NULL, NULL },
	{ "p50_ms", SHAPE_INT, 0, NULL, NULL },
	{ "p99_ms", SHAPE_INT, 0, NULL, NULL },
	{ "slowest_ms", SHAPE_INT, 0, NULL, NULL },
	{ 0 },
};
static const struct shape recent_shape = { "Recent", false, recent_fields };
static const struct shape_field problem_fields[] = {
	{ "record", SHAPE_STR, 0, NULL, NULL },
	{ "text", SHAPE_STR, 0, NULL, NULL },
	{ 0 },
};
static const struct shape problem_shape = { "NodeProblem", false, problem_fields };
static const struct shape_field node_peers_fields[] = {
	{ "total", SHAPE_INT, 0, NULL, NULL },
	{ "online", SHAPE_INT, 0, NULL, NULL },
	{ 0 },
};
static const struct shape node_peers_shape = { "NodePeers", false, node_peers_fields };
static const struct shape_field node_status_fields[] = {
	{ "name", SHAPE_STR, 0, NULL, NULL },
	{ "roles", SHAPE_STRINGS, 0, NULL, NULL },
	{ "region", SHAPE_STR, 0, NULL, NULL },
	{ "state", SHAPE_STR, 0, NULL, "ready, drain or unknown" },
	{ "v", SHAPE_INT, 0, NULL, "which it has applied" },
	{ "lag", SHAPE_INT, 0, NULL, "changes that it has not applied" },
	{ "last_poll_ms", SHAPE_INT, SHAPE_NULL, NULL, NULL },
	{ "version", SHAPE_STR, SHAPE_NULL, NULL, NULL },
	{ "n_errors", SHAPE_INT, 0, NULL, NULL },
	{ "errors", SHAPE_LIST, 0, &problem_shape, NULL },
	{ "n_held", SHAPE_INT, 0, NULL, "deletes that it holds back" },
	{ "held", SHAPE_STRINGS, 0, NULL, NULL },
	{ "cloned", SHAPE_BOOL, 0, NULL, NULL },
	{ "applied", SHAPE_OBJECT, SHAPE_NULL, &recent_shape, "times from commit to acknowledgement, of the last hour" },
	{ "peers", SHAPE_OBJECT, SHAPE_NULL, &node_peers_shape, "of a gateway" },
	{ 0 },
};
static const struct shape node_status_shape = { "NodeStatus", false, node_status_fields };
static const struct shape_field controller_fields[] = {
	{ "version", SHAPE_STR, 0, NULL, NULL },
	{ "up_ms", SHAPE_INT, 0, NULL, NULL },
	{ 0 },
};
static const struct shape controller_shape = { "Controller", false, controller_fields };
static const struct shape_field backup_fields[] = {
	{ "made", SHAPE_TIME, SHAPE_NULL, NULL, NULL },
	{ "v", SHAPE_INT, 0, NULL, NULL },
	{ "age_ms", SHAPE_INT, 0, NULL, NULL },
	{ 0 },
};
static const struct shape last_backup_shape = { "LastBackup", false, backup_fields };
static const struct shape_field event_fields[] = {
	{ "number", SHAPE_INT, 0, NULL, NULL },
	{ "time", SHAPE_TIME, SHAPE_NULL, NULL, NULL },
	{ "v", SHAPE_INT, SHAPE_NULL, NULL, NULL },
	{ "what", SHAPE_STR, 0, NULL, NULL },
	{ "subject", SHAPE_STR, 0, NULL, NULL },
	{ "text", SHAPE_STR, 0, NULL, NULL },
	{ 0 },
};
static const struct shape event_shape = { "Event", false, event_fields };
static const struct shape_field events_fields[] = {
	{ "items", SHAPE_LIST, 0, &event_shape, NULL },
	{ "newest", SHAPE_INT, 0, NULL, "what to ask after next" },
	{ 0 },
};
static const struct shape events_shape = { "Events", false, events_fields };
static const struct shape_field suspended_fields[] = {
	{ "orgs", SHAPE_STRINGS, 0, NULL, NULL },
	{ "networks", SHAPE_INT, 0, NULL, NULL },
	{ 0 },
};
static const struct shape suspended_shape = { "Suspended", false, suspended_fields };
static const struct shape_field status_fields[] = {
	{ "healthy", SHAPE_BOOL, 0, NULL, "every node has everything" },
	{ "v", SHAPE_INT, 0, NULL, NULL },
	{ "nodes_total", SHAPE_INT, 0, NULL, NULL },
	{ "nodes_current", SHAPE_INT, 0, NULL, NULL },
	{ "nodes", SHAPE_LIST, 0, &node_status_shape, NULL },
	{ "controller", SHAPE_OBJECT, 0, &controller_shape, NULL },
	{ "backup", SHAPE_OBJECT, SHAPE_NULL, &last_backup_shape, "the newest" },
	{ "suspended", SHAPE_OBJECT, 0, &suspended_shape, "organizations whose networks pass nothing" },
	{ "applied", SHAPE_OBJECT, SHAPE_MAYBE | SHAPE_NULL, &recent_shape, "times from commit to acknowledgement, of the last hour" },
	{ "events", SHAPE_LIST, SHAPE_MAYBE, &event_shape, "the last ten" },
	{ "revision", SHAPE_INT, SHAPE_MAYBE, NULL, "what to ask after next" },
	{ 0 },
};
static const struct shape status_shape = { "Status", false, status_fields };
static const struct shape_field version_fields[] = {
	{ "version", SHAPE_STR, 0, NULL, NULL },
	{ "api", SHAPE_STR, 0, NULL, NULL },
	{ 0 },
};
static const struct shape version_shape = { "Version", false, version_fields };
static const struct shape_field health_fields[] = { { "status", SHAPE_STR, 0, NULL, "ok" }, { 0 } };
static const struct shape health_shape = { "Health", false, health_fields };
static const struct shape_field whoami_org_fields[] = {
	{ "id", SHAPE_STR, 0, NULL, NULL },
	{ "profile", SHAPE_STR, 0, NULL, NULL },
	{ 0 },
};
static const struct shape whoami_org_shape = { "WhoamiOrg", false, whoami_org_fields };
static const struct shape_field whoami_fields[] = {
	{ "principal", SHAPE_STR, 0, NULL, NULL },
	{ "operator", SHAPE_BOOL, 0, NULL, NULL },
	{ "orgs", SHAPE_LIST, 0, &whoami_org_shape, NULL },
	{ 0 },
};
static const struct shape whoami_shape = { "Whoami", false, whoami_fields };
static const struct shape_field description_fields[] = {
	{ "openapi", SHAPE_STR, 0, NULL, NULL },
	{ "info", SHAPE_MAP, 0, NULL, NULL },
	{ "paths", SHAPE_ANY, 0, NULL, NULL },
	{ "components", SHAPE_ANY, 0, NULL, NULL },
	{ 0 },
};
static const struct shape description_shape = { "Description", false, description_fields };

struct survey {
	json_t *nodes;
	unsigned total, current;
	uint64_t v;
};

static json_t *errors_json(const struct api_node_state *node)
{
	json_t *list = json_array();

	for (size_t i = 0; i < node->n_errors && i < API_NODE_ERRORS_MAX; i++)
		json_array_append_new(list, json_pack("{s:s,s:s}", "record", node->errors[i].record, "text", node->errors[i].text));
	return list;
}

static json_t *held_json(const struct api_node_state *node)
{
	json_t *list = json_array();

	for (size_t i = 0; i < node->n_held && i < API_NODE_ERRORS_MAX && node->held[i][0]; i++)
		json_array_append_new(list, json_string(node->held[i]));
	return list;
}

/* Times from commit to acknowledgement in the last hour; null = there was no change. */
static json_t *recent_json(const struct recent_summary *r)
{
	return r->n ? json_pack("{s:I,s:i,s:i,s:i}", "changes", (json_int_t)r->n, "p50_ms", (int)r->p50_ms, "p99_ms", (int)r->p99_ms, "slowest_ms",
				(int)r->max_ms) :
		      json_null();
}

/* null = it is no gateway */
static json_t *peers_json(const struct api_node_state *node)
{
	return node->roles & ROLE_GATEWAY ? json_pack("{s:I,s:I}", "total", (json_int_t)node->peers, "online", (json_int_t)node->peers_online) :
					    json_null();
}

static void add_node(void *ctx, const struct api_node_state *node)
{
	struct survey *survey = ctx;
	const char *state = !node->ready ? "unknown" : node->draining ? "drain" : "ready";

	survey->total++;
	if (node->ready && node->lag == 0 && node->n_errors == 0 && node->n_held == 0 && !node->cloned)
		survey->current++;
	json_array_append_new(survey->nodes,
			      json_pack("{s:s,s:o,s:s,s:s,s:I,s:I,s:o,s:o,s:I,s:o,s:I,s:o,s:b,s:o,s:o}", "name", node->name, "roles", api_roles_json(node->roles),
					"region", node->region, "state", state, "v", (json_int_t)node->applied_v, "lag",
					(json_int_t)node->lag, "last_poll_ms",
					node->last_poll_ago_ms == UINT64_MAX ? json_null() : json_integer((json_int_t)node->last_poll_ago_ms),
					"version", api_json_str(node->version), "n_errors", (json_int_t)node->n_errors, "errors",
					errors_json(node), "n_held", (json_int_t)node->n_held, "held", held_json(node), "cloned", node->cloned, "applied",
					recent_json(&node->applied), "peers", peers_json(node)));
}

static void add_event(void *ctx, const struct event *event)
{
	json_array_append_new(ctx, json_pack("{s:I,s:o,s:o,s:s,s:s,s:s}", "number", (json_int_t)event->number, "time", api_json_time(event->at_ms),
					     "v", event->v ? json_integer((json_int_t)event->v) : json_null(), "what", event->what, "subject",
					     event->subject, "text", event->text));
}

static void add_news(const struct api_env *env, json_t *reply)
{
	json_t *events = json_array();
	struct recent_summary recent;

	if (!env->ops->revision)
		return (void)json_decref(events);
	recent = env->ops->recent(env->ctx);
	env->ops->each_event(env->ctx, 0, add_event, events);
	while (json_array_size(events) > STATUS_EVENTS)
		json_array_remove(events, 0);
	json_object_set_new(reply, "applied", recent_json(&recent));
	json_object_set_new(reply, "events", events);
	json_object_set_new(reply, "revision", json_integer((json_int_t)env->ops->revision(env->ctx)));
}

#define STATUS_SUSPENDED 64

/* Each org once, whatever networks it has; the list is cut, the number is not. */
struct suspended {
	json_t *orgs;
	size_t networks;
};

static void add_suspended(void *ctx, const struct network_record *network)
{
	struct suspended *s = ctx;
	const json_t *name;
	size_t i;

	s->networks++;
	json_array_foreach(s->orgs, i, name)
		if (!strcmp(json_string_value(name), network->org))
			return;
	if (json_array_size(s->orgs) < STATUS_SUSPENDED)
		json_array_append_new(s->orgs, json_string(network->org));
}

static json_t *suspended_json(const struct api_env *env)
{
	struct suspended s = { .orgs = json_array() };

	if (env->ops->each_suspended)
		env->ops->each_suspended(env->ctx, add_suspended, &s);
	return json_pack("{s:o,s:I}", "orgs", s.orgs, "networks", (json_int_t)s.networks);
}

static int status(struct api_call *call, struct why *why)
{
	const struct api_env *env = api_get_env(call->api);
	struct survey survey = { .nodes = json_array() };
	uint64_t now = clock_real_ms(&env->clock), made_ms = 0, made_v = 0;

	(void)why;
	if (env->backups)
		backups_latest(env->backups, &made_ms, &made_v);
	survey.v = env->ops->current_v(env->ctx);
	env->ops->each_node(env->ctx, add_node, &survey);
	call->reply = json_pack("{s:b,s:I,s:i,s:i,s:o,s:{s:s,s:I}}", "healthy", survey.current == survey.total, "v", (json_int_t)survey.v,
				"nodes_total", (int)survey.total, "nodes_current", (int)survey.current, "nodes", survey.nodes, "controller",
				"version", SIXPN_VERSION, "up_ms", (json_int_t)(now > env->started_ms ? now - env->started_ms : 0));
	json_object_set_new(call->reply, "backup",
			    made_ms ? json_pack("{s:o,s:I,s:I}", "made", api_json_time(made_ms), "v", (json_int_t)made_v, "age_ms",
						(json_int_t)(now > made_ms ? now - made_ms : 0)) :
				      json_null());
	json_object_set_new(call->reply, "suspended", suspended_json(env));
	add_news(env, call->reply);
	return 0;
}

/* All that are known after the number `after`; `newest` is what to ask after next. */
static int events(struct api_call *call, struct why *why)
{
	const struct api_env *env = api_get_env(call->api);
	const char *after = api_query(call, "after");
	uint64_t newest = after ? strtoull(after, NULL, 10) : 0;
	json_t *items, *last;

	if (!env->ops->each_event)
		return why_set(why, "unavailable", "", "this controller keeps no events");
	if (env->ops->revision && newest > env->ops->revision(env->ctx))
		newest = 0; /* of a controller before us, whose clock was ahead */
	items = json_array();
	env->ops->each_event(env->ctx, newest, add_event, items);
	last = json_array_get(items, json_array_size(items) - 1);
	if (last)
		newest = (uint64_t)json_integer_value(json_object_get(last, "number"));
	call->reply = json_pack("{s:o,s:I}", "items", items, "newest", (json_int_t)newest);
	return 0;
}

static int check_events(struct api_call *call, struct why *why)
{
	static const char *const streams_only[] = { "since", "org" };

	if (call->request->wants_events)
		return event_stream_check(call, why);
	if (!principal_is_operator(api_who(call)))
		return why_set(why, "forbidden", "", "only operators may do this; customers follow with Accept: text/event-stream");
	for (size_t i = 0; i < ARRAY_LEN(streams_only); i++)
		if (api_query(call, streams_only[i]))
			return why_set(why, "field_unknown", streams_only[i], "query parameter \"%s\" is for Accept: text/event-stream",
				       streams_only[i]);
	return 0;
}

static int version(struct api_call *call, struct why *why)
{
	(void)why;
	call->reply = json_pack("{s:s,s:s}", "version", SIXPN_VERSION, "api", "v1");
	return 0;
}

static int healthz(struct api_call *call, struct why *why)
{
	(void)why;
	call->reply = json_pack("{s:s}", "status", "ok");
	return 0;
}

static int describe(struct api_call *call, struct why *why)
{
	const char *text = api_description(call->api);

	if (!text)
		return why_set(why, "internal", "", "no memory");
	call->text_stays = text;
	call->text_type = "application/json";
	return 0;
}

static int whoami(struct api_call *call, struct why *why)
{
	const struct principal *who = api_who(call);
	json_t *orgs = json_array();

	(void)why;
	for (size_t i = 0; i < who->n_orgs; i++)
		json_array_append_new(orgs, json_pack("{s:o,s:s}", "id", api_json_id(who->orgs[i].id), "profile",
						      principal_profile_name(who->orgs[i].profile)));
	call->reply = json_pack("{s:s,s:b,s:o}", "principal", who->text, "operator", principal_is_operator(who), "orgs", orgs);
	return 0;
}

static int metrics(struct api_call *call, struct why *why)
{
	const struct api_env *env = api_get_env(call->api);

	if (!env->ops->metrics)
		return why_set(why, "unavailable", "", "this controller exports no metrics");
	call->text = BUF_INIT(METRIC_TEXT_MAX);
	call->text_type = METRIC_CONTENT_TYPE;
	env->ops->metrics(env->ctx, api_http_stats(call->api), &call->text);
	if (!buf_failed(&call->text))
		return 0;
	call->text_type = NULL;
	return why_set(why, "unavailable", "", "the metrics are larger than %u bytes, or there is no memory", METRIC_TEXT_MAX);
}

const struct route api_status_routes[] = {
	{ "GET", "/v1/events", ROUTE_TOKEN, .reply = &events_shape, .watch = true, .watch_events = true, .streams = true,
	  .query = "since org", .check = check_events, .answer = events,
	  .help = "what happened lately, for operators: changes, nodes that came or went, what they could not apply. With Accept: "
		  "text/event-stream, for everybody: every change as it is committed, from Last-Event-ID or since on" },
	{ "GET", "/v1/status", ROUTE_OPERATOR, .reply = &status_shape, .watch = true, .answer = status,
	  .help = "every node: what it holds and how far behind it is" },
	{ "GET", "/metrics", ROUTE_NEAR, .text_type = METRIC_CONTENT_TYPE, .answer = metrics,
	  .help = "Prometheus text format: the controller and every node" },
	{ "GET", "/v1/whoami", ROUTE_TOKEN, .reply = &whoami_shape, .answer = whoami, .help = "what the token stands for" },
	{ "GET", "/v1/version", ROUTE_OPEN, .reply = &version_shape, .answer = version, .help = "version of the controller" },
	{ "GET", "/v1/healthz", ROUTE_OPEN, .reply = &health_shape, .answer = healthz, .help = "is the controller there" },
	{ "GET", "/v1/openapi.json", ROUTE_OPEN, .reply = &description_shape, .answer = describe, .help = "this description" },
	{ 0 },
};
