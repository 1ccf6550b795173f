/* flaps_action - what is done to a machine: start, stop, restart, cordon, delete; and waiting until it is as it was wanted. */
#include "controller/api/flaps.h"
#include "controller/api/flaps_config.h"

#include <stdio.h>
#include <string.h>

static int change(struct store *store, struct api_call *call, enum store_instance_verb verb, struct store_machine *ret)
{
	CLEAN_BUF struct buf texts = BUF_INIT(2 * STORE_SPEC_MAX);
	struct store_instance instance;
	bool gone;
	int r = flaps_find_to_change(store, call, &texts, ret);

	if (r == 0)
		r = store_instance_change(store, &call->op, ret->instance.record.id, verb, false, &instance, &gone);
	if (r == 0)
		api_wait_for_instance(call, &instance);
	return r;
}

static int start(struct store *store, struct api_call *call)
{
	struct store_machine before;
	int r = change(store, call, INSTANCE_START, &before);

	if (r == 0)
		call->reply = json_pack("{s:b,s:s,s:s,s:s}", "ok", 1, "previous_state", flaps_state(&before.instance.record), "status", "ok",
					"message", "");
	return r;
}

static int simple(struct store *store, struct api_call *call, enum store_instance_verb verb)
{
	struct store_machine before;
	int r = change(store, call, verb, &before);

	if (r == 0)
		call->reply = json_pack("{s:b}", "ok", 1);
	return r;
}

static int stop(struct store *store, struct api_call *call)
{
	return simple(store, call, INSTANCE_STOP);
}

static int restart(struct store *store, struct api_call *call)
{
	return simple(store, call, INSTANCE_RESTART);
}

/* As Fly's: what runs is destroyed only by whoever says so. Its end is as gentle as any. */
static int delete(struct store *store, struct api_call *call)
{
	CLEAN_BUF struct buf texts = BUF_INIT(2 * STORE_SPEC_MAX);
	struct store_machine m;
	int r = flaps_find_to_change(store, call, &texts, &m);

	if (r == 0 && m.instance.record.desired == DESIRED_STARTED && !api_query_true(call, "kill") && !api_query_true(call, "force"))
		r = why_set(&call->op.why, "machine_running", "", "machine %s is %s: stop it first, or destroy it with --force (kill=true)",
			    m.instance.record.id, flaps_state(&m.instance.record));
	return r ? r : simple(store, call, INSTANCE_DESTROY);
}

static int set_cordoned(struct store *store, struct api_call *call, bool cordoned)
{
	struct store_instance_update in = { .set_cordoned = true, .cordoned = cordoned };
	CLEAN_BUF struct buf texts = BUF_INIT(2 * STORE_SPEC_MAX);
	struct store_instance instance;
	struct store_machine m;
	int r = flaps_find_to_change(store, call, &texts, &m);

	if (r == 0 && m.instance.record.cordoned != cordoned)
		r = store_instance_update(store, &call->op, m.instance.record.id, &in, &instance);
	if (r == 0)
		call->reply = json_pack("{s:b}", "ok", 1);
	return r;
}

static int cordon(struct store *store, struct api_call *call)
{
	return set_cordoned(store, call, true);
}

static int uncordon(struct store *store, struct api_call *call)
{
	return set_cordoned(store, call, false);
}

/* ---- waiting ---- */

const char *flaps_wanted_state(const struct api_call *call)
{
	const char *state = api_query(call, "state");

	return state && *state ? state : "started";
}

static int add_state(struct api_call *call, const char *state, struct why *why)
{
	static const char *const states[] = { "started", "stopped", "destroyed" };
	static const uint32_t desired[] = { DESIRED_STARTED, DESIRED_STOPPED, DESIRED_DESTROYED };

	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		if (!strcmp(state, states[i])) {
			call->wait.desired = desired[i];
			call->wait.also |= 1u << desired[i];
			return 0;
		}
	if (!strcmp(state, "suspended"))
		return why_set(why, "not_offered", "state", "sixpn suspends no machines: wait for started, stopped or destroyed");
	return why_set(why, "value_invalid", "state", "state is \"%.30s\": it can be started, stopped or destroyed", state);
}

/* state may be given several times: whichever comes. */
static int check_wait(struct api_call *call, struct why *why)
{
	const struct http_target *target = &call->request->target;

	for (size_t i = 0; i < target->n_query; i++)
		if (!strcmp(target->query[i].name, "state") && target->query[i].value[0] && add_state(call, target->query[i].value, why))
			return E_REFUSED;
	return call->wait.desired ? 0 : add_state(call, "started", why);
}

/* What is gone was there once: whoever waits for its end has it. */
static int wait_for_gone(struct store *store, struct api_call *call)
{
	struct why why = call->op.why;
	struct store_app app;
	bool was = false;
	int r = store_app_find(store, api_who(call), NULL, call->params[0], &app, &call->op.why);

	if (r == 0)
		r = store_machine_was(store, api_who(call), call->params[1], &was);
	if (r != 0)
		return r;
	if (!was) {
		call->op.why = why;
		return E_REFUSED;
	}
	call->want_wait = false;
	call->reply = json_pack("{s:b}", "ok", 1);
	return 0;
}

static bool runs_once(const struct store_machine *m)
{
	CLEAN_JSON json_t *config = m->config ? json_parse(m->config, strlen(m->config), NULL) : flaps_config_of_spec(m->spec, m->spec_len);
	const char *policy = json_string_value(json_object_get(json_object_get(config, "restart"), "policy"));

	return policy && (!strcmp(policy, "no") || !strcmp(policy, "never"));
}

static int wait(struct store *store, struct api_call *call)
{
	CLEAN_BUF struct buf texts = BUF_INIT(2 * STORE_SPEC_MAX);
	const char *version = api_query(call, "version") ? api_query(call, "version") : api_query(call, "instance_id");
	uint32_t desired = call->wait.desired, also = call->wait.also;
	struct store_machine m;
	int r = flaps_find(store, call, &texts, &m);

	if (r == E_REFUSED && !strcmp(call->op.why.code, "instance_not_found") && (also & (1u << DESIRED_DESTROYED)))
		return wait_for_gone(store, call);
	if (r == 0 && version && *version && strcmp(version, m.version) != 0)
		r = why_set(&call->op.why, "value_invalid", "instance_id", "machine %s is at version %s, not \"%.40s\": that one was replaced",
			    m.instance.record.id, m.version, version);
	if (r != 0)
		return r;
	api_wait_for_instance(call, &m.instance);
	call->wait.desired = desired;
	call->wait.v = m.instance.v;
	call->wait.ends_stopped = also == 1u << DESIRED_STARTED && m.instance.record.desired == DESIRED_STARTED;
	call->wait.ends_failed = call->wait.ends_stopped && runs_once(&m);
	return 0;
}

/* flyctl sends its own idea of how to stop; the machine's configuration says it here. */
static const struct route_field stop_fields[] = {
	{ "id", FIELD_STR, 0, 63, false, "no effect: the path says which" },
	{ "signal", FIELD_STR, 0, 31, false, "no effect: SIGTERM, then SIGKILL" },
	{ "timeout", FIELD_TEXT, 0, 31, false, "no effect: stop_config.timeout of its configuration" },
	{ 0 },
};

const struct route flaps_action_routes[] = {
	{ "POST", "/v1/apps/{app}/machines/{instance}/start", ROUTE_TOKEN, .manner = &flaps_manner, .reply = &flaps_ok_shape,
	  .error = &flaps_error_shape, .write = true, .run = start, .help = "start a machine" },
	{ "POST", "/v1/apps/{app}/machines/{instance}/stop", ROUTE_TOKEN, .manner = &flaps_manner, .reply = &flaps_ok_shape,
	  .error = &flaps_error_shape, .write = true, .fields = stop_fields, .run = stop,
	  .help = "stop a machine" },
	{ "POST", "/v1/apps/{app}/machines/{instance}/restart", ROUTE_TOKEN, .manner = &flaps_manner, .reply = &flaps_ok_shape,
	  .error = &flaps_error_shape, .write = true, .query = "force_stop signal",
	  .fields = stop_fields, .run = restart, .help = "restart a machine" },
	{ "POST", "/v1/apps/{app}/machines/{instance}/cordon", ROUTE_TOKEN, .manner = &flaps_manner, .reply = &flaps_ok_shape,
	  .error = &flaps_error_shape, .write = true, .run = cordon,
	  .help = "keep a machine out of services; its names stay" },
	{ "POST", "/v1/apps/{app}/machines/{instance}/uncordon", ROUTE_TOKEN, .manner = &flaps_manner, .reply = &flaps_ok_shape,
	  .error = &flaps_error_shape, .write = true, .run = uncordon,
	  .help = "the contrary of cordon" },
	{ "DELETE", "/v1/apps/{app}/machines/{instance}", ROUTE_TOKEN, .manner = &flaps_manner, .reply = &flaps_ok_shape,
	  .error = &flaps_error_shape, .write = true, .frees = true, .query = "kill force",
	  .run = delete, .help = "destroy a machine: out of its names, drained, stopped, gone; kill or force for one that is not stopped" },
	{ "GET", "/v1/apps/{app}/machines/{instance}/wait", ROUTE_TOKEN, .manner = &flaps_manner, .reply = &flaps_ok_shape,
	  .error = &flaps_error_shape, .waits = true, .repeats = true, .query = "state version instance_id from_event_id",
	  .check = check_wait, .run = wait,
	  .help = "answers when the machine is started, stopped or destroyed and every node knows it; 408 when the time is up, 412 when it "
		  "has ended and will not be started again" },
	{ 0 },
};
