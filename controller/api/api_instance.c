/* api_instance - instances over HTTP. */
#include "controller/api/api_nouns.h"
#include "controller/api/shape.h"
#include "controller/store/store_lease.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct shape_field observed_fields[] = {
	{ "state", SHAPE_STR, 0, NULL, "none, created, starting, started, draining, stopped, failed or destroyed" },
	{ "generation", SHAPE_INT, 0, NULL, "which it reports on" },
	{ "exit_code", SHAPE_INT, 0, NULL, NULL },
	{ "since", SHAPE_TIME, SHAPE_NULL, NULL, NULL },
	{ "restarts", SHAPE_INT, 0, NULL, NULL },
	{ "message", SHAPE_STR, SHAPE_NULL, NULL, NULL },
	{ 0 },
};
static const struct shape observed_shape = { "Observed", false, observed_fields };

static const struct shape_field instance_fields[] = {
	{ "id", SHAPE_STR, 0, NULL, "14 hex digits" },
	{ "name", SHAPE_STR, SHAPE_NULL, NULL, "for people" },
	{ "app", SHAPE_STR, 0, NULL, NULL },
	{ "org", SHAPE_STR, 0, NULL, NULL },
	{ "network", SHAPE_STR, 0, NULL, NULL },
	{ "group", SHAPE_STR, SHAPE_NULL, NULL, "process group" },
	{ "address", SHAPE_STR, 0, NULL, "its own, for ever" },
	{ "region", SHAPE_STR, SHAPE_NULL, NULL, "where it runs" },
	{ "host", SHAPE_STR, 0, NULL, "on which node" },
	{ "desired", SHAPE_STR, 0, NULL, "started, stopped or destroyed" },
	{ "observed", SHAPE_OBJECT, SHAPE_MOVES, &observed_shape, "what its host last said" },
	{ "generation", SHAPE_INT, 0, NULL, "rises with each restart" },
	{ "metadata", SHAPE_MAP, 0, NULL, NULL },
	{ "dns_skip", SHAPE_BOOL, 0, NULL, "kept out of the app's names" },
	{ "cordoned", SHAPE_BOOL, 0, NULL, "kept out of services" },
	{ "created", SHAPE_TIME, 0, NULL, NULL },
	{ "updated", SHAPE_TIME, SHAPE_MOVES, NULL, NULL },
	{ "record_v", SHAPE_INT, SHAPE_MOVES, NULL, "version of its record, reports of its host included" },
	{ "gone", SHAPE_BOOL, SHAPE_MAYBE, NULL, "a forced delete has not waited for its host" },
	{ 0 },
};
static const struct shape instance_shape = { "Instance", false, instance_fields };

static const struct shape_field spec_shape_fields[] = {
	{ "schema", SHAPE_INT, SHAPE_MAYBE, NULL, "1" },
	{ "command", SHAPE_STRINGS, SHAPE_MAYBE, NULL, NULL },
	{ 0 },
};
static const struct shape spec_shape = { "Workload", true, spec_shape_fields }; /* as it was given, and checked then */

static json_t *observed_json(const struct observed *o)
{
	return json_pack("{s:s,s:I,s:i,s:o,s:i,s:o}", "state", o->state ? instance_state_name(o->state) : "none", "generation",
			 (json_int_t)o->generation, "exit_code", (int)o->exit_code, "since", api_json_time(o->since_ms), "restarts",
			 (int)o->restarts, "message", api_json_str(o->message));
}

static json_t *instance_json(const struct store_instance *i)
{
	json_t *metadata = json_object();
	struct in6_addr address;
	char text[ADDR_TEXT_LEN];

	for (size_t m = 0; m < i->record.n_metadata; m++)
		json_object_set_new(metadata, i->record.metadata[m].key, json_string(i->record.metadata[m].value));
	memcpy(&address, i->address, sizeof address);
	return json_pack("{s:s,s:o,s:s,s:s,s:s,s:o,s:s,s:s,s:s,s:s,s:o,s:I,s:o,s:b,s:b,s:o,s:o,s:I}", "id", i->record.id, "name",
			 api_json_str(i->record.name), "app", i->app_name, "org", i->org_name, "network", i->network_name, "group",
			 api_json_str(i->record.group), "address", addr_text(&address, text), "region", i->region, "host", i->host_name,
			 "desired", desired_name(i->record.desired), "observed", observed_json(&i->record.observed), "generation",
			 (json_int_t)i->record.generation, "metadata", metadata, "dns_skip", i->record.dns_skip, "cordoned",
			 i->record.cordoned, "created", api_json_time(i->created_ms), "updated", api_json_time(i->updated_ms), "record_v",
			 (json_int_t)i->v);
}

static void add(void *call, const struct store_instance *instance)
{
	api_add_item(call, instance_json(instance));
}

/* As its host last said; "none" = nothing yet. */
static int parse_state(const struct api_call *call, struct store_instance_filter *filter, struct why *why)
{
	const char *state = api_query(call, "state");

	filter->by_state = state != NULL;
	if (!state || !strcmp(state, "none"))
		return 0;
	for (uint32_t i = STATE_CREATED; i <= STATE_DESTROYED; i++)
		if (!strcmp(state, instance_state_name(i))) {
			filter->state = i;
			return 0;
		}
	return why_set(why, "value_invalid", "state",
		       "query parameter \"state\" is \"%.30s\": it can be none, created, starting, started, draining, stopped, failed or destroyed",
		       state);
}

static int check_list(struct api_call *call, struct why *why)
{
	struct store_instance_filter filter;

	return parse_state(call, &filter, why);
}

static int list(struct store *store, struct api_call *call)
{
	struct store_page page = api_page(call);
	struct store_instance_filter filter = { .org = api_query(call, "org"), .app = api_query(call, "app"),
						.region = api_query(call, "region") };
	struct store_next next = { 0 };
	bool none = false;
	int r = parse_state(call, &filter, &call->op.why);

	if (r == 0)
		r = api_query_place(store, call, "host", &filter.host, &filter.network, &none);

	if (r == 0 && !none)
		r = store_instance_list(store, api_who(call), &filter, &page, add, call, &next, &call->op.why);
	if (r == 0)
		api_set_list(call, &next);
	return r;
}

static int show(struct store *store, struct api_call *call)
{
	struct store_instance instance;
	int r = store_instance_find(store, api_who(call), call->params[0], &instance, &call->op.why);

	if (r == 0)
		call->reply = instance_json(&instance);
	return r;
}

static int show_spec(struct store *store, struct api_call *call)
{
	CLEAN_BUF struct buf spec = BUF_INIT(RECORD_MAX);
	int r = store_instance_get_spec(store, api_who(call), call->params[0], &spec, &call->op.why);

	if (r)
		return r;
	call->reply = json_parse((const char *)spec.data, spec.len, &call->op.why);
	return call->reply ? 0 : -EBADMSG;
}

void api_wait_for_instance(struct api_call *call, const struct store_instance *instance)
{
	snprintf(call->wait.instance, sizeof call->wait.instance, "%s", instance->record.id);
	call->wait.desired = instance->record.desired;
	call->wait.generation = instance->record.generation;
}

static int parse_metadata(const struct api_call *call, struct metadata_pair *ret_pairs, size_t *ret_n, struct why *why)
{
	const char *key;
	json_t *value;

	*ret_n = 0;
	json_object_foreach(json_object_get(call->body, "metadata"), key, value) {
		if (name_check_metadata(key, json_string_value(value), why))
			return E_REFUSED;
		snprintf(ret_pairs[*ret_n].key, sizeof ret_pairs->key, "%s", key);
		snprintf(ret_pairs[*ret_n].value, sizeof ret_pairs->value, "%s", json_string_value(value));
		++*ret_n;
	}
	return 0;
}

static int parse_desired(const struct api_call *call, uint32_t *ret_desired, struct why *why)
{
	const char *desired = api_str(call, "desired");

	if (desired && strcmp(desired, "started") && strcmp(desired, "stopped"))
		return why_set(why, "value_invalid", "desired", "desired is \"%.30s\": it can be started or stopped", desired);
	*ret_desired = desired && !strcmp(desired, "stopped") ? DESIRED_STOPPED : DESIRED_STARTED;
	return 0;
}

static int check_create(struct api_call *call, struct why *why)
{
	struct metadata_pair metadata[RECORD_METADATA_MAX];
	CLEAN_FREE char *spec = NULL;
	uint32_t desired;
	size_t n;

	if (!api_has(call, "region") && !api_has(call, "host"))
		return why_set(why, "field_missing", "region", "give a region (or a host)");
	if (parse_desired(call, &desired, why) || parse_metadata(call, metadata, &n, why))
		return E_REFUSED;
	return api_spec_make(call, &spec, why) ? E_REFUSED : 0;
}

static int create(struct store *store, struct api_call *call)
{
	struct metadata_pair metadata[RECORD_METADATA_MAX];
	struct store_instance_new in = { .org = api_str(call, "org"), .app = api_str(call, "app"), .region = api_str(call, "region"),
					 .host = api_str(call, "host"), .group = api_str(call, "group"), .name = api_str(call, "name"),
					 .metadata = metadata, .dns_skip = api_bool(call, "dns_skip", false),
					 .cordoned = api_bool(call, "cordoned", false), .live = call->live, .n_live = call->n_live };
	struct store_instance instance;
	CLEAN_FREE char *spec = NULL;
	int r = api_spec_make(call, &spec, &call->op.why);

	if (r)
		return r;
	if (parse_desired(call, &in.desired, &call->op.why) || parse_metadata(call, metadata, &in.n_metadata, &call->op.why))
		return E_REFUSED;
	in.spec = spec;
	in.spec_len = strlen(spec);
	r = store_instance_create(store, &call->op, &in, &instance);
	if (r == 0) {
		call->reply = instance_json(&instance);
		api_wait_for_instance(call, &instance);
	}
	return r;
}

/* Who holds a lease of it (see flaps_lease) alone changes it; operators go past that. */
static int check_lease(struct store *store, struct api_call *call)
{
	struct store_instance instance;
	int r;

	if (principal_is_operator(api_who(call)))
		return 0;
	r = store_instance_find(store, api_who(call), call->params[0], &instance, &call->op.why);
	if (r == 0 && !principal_may(api_who(call), instance.org, ACTION_DEPLOY))
		return 0; /* that is said below */
	return r ? r : store_lease_check(store, instance.record.id, call->request->lease_nonce, &call->op.why);
}

static int check_update(struct api_call *call, struct why *why)
{
	struct metadata_pair metadata[RECORD_METADATA_MAX];
	size_t n;

	return parse_metadata(call, metadata, &n, why);
}

static int update(struct store *store, struct api_call *call)
{
	struct metadata_pair metadata[RECORD_METADATA_MAX];
	struct store_instance_update in = { .metadata = api_has(call, "metadata") ? metadata : NULL,
					    .set_dns_skip = api_has(call, "dns_skip"), .dns_skip = api_bool(call, "dns_skip", false),
					    .set_cordoned = api_has(call, "cordoned"), .cordoned = api_bool(call, "cordoned", false) };
	struct store_instance instance;
	int r;

	if (parse_metadata(call, metadata, &in.n_metadata, &call->op.why))
		return E_REFUSED;
	r = check_lease(store, call);
	if (r == 0)
		r = store_instance_update(store, &call->op, call->params[0], &in, &instance);
	if (r == 0)
		call->reply = instance_json(&instance);
	return r;
}

static int change(struct store *store, struct api_call *call, enum store_instance_verb verb)
{
	bool force = verb == INSTANCE_DESTROY && api_query_true(call, "force"), gone = false;
	struct store_instance instance;
	int r = check_lease(store, call);

	if (r == 0)
		r = store_instance_change(store, &call->op, call->params[0], verb, force, &instance, &gone);
	if (r)
		return r;
	call->reply = instance_json(&instance);
	if (gone)
		json_object_set_new(call->reply, "gone", json_true());
	else
		api_wait_for_instance(call, &instance);
	return 0;
}

static int start(struct store *store, struct api_call *call)
{
	return change(store, call, INSTANCE_START);
}

static int stop(struct store *store, struct api_call *call)
{
	return change(store, call, INSTANCE_STOP);
}

static int restart(struct store *store, struct api_call *call)
{
	return change(store, call, INSTANCE_RESTART);
}

static int delete(struct store *store, struct api_call *call)
{
	return change(store, call, INSTANCE_DESTROY);
}

static const struct route_field create_fields[] = {
	{ "org", FIELD_STR, 1, 63, false, "its organization; may be left out if the token sees only one" },
	{ "app", FIELD_STR, 1, 130, true, "its app: name, org/name or id" },
	{ "region", FIELD_STR, 1, 3, false, "where; the least loaded live host is taken" },
	{ "host", FIELD_STR, 1, 63, false, "instead: this node; operators only" },
	{ "name", FIELD_STR, 1, 63, false, "for people" },
	{ "group", FIELD_STR, 1, 63, false, "process group (app)" },
	{ "metadata", FIELD_MAP, 0, RECORD_METADATA_MAX, false, "pairs of text" },
	{ "dns_skip", FIELD_BOOL, 0, 0, false, "keep it out of the app's names" },
	{ "cordoned", FIELD_BOOL, 0, 0, false, "keep it out of services" },
	{ "desired", FIELD_STR, 1, 16, false, "started (default) or stopped" },
	{ "spec", FIELD_OBJECT, 0, 0, false, "the workload, schema 1; or give its fields here:" },
	{ "command", FIELD_STRINGS, 1, 128, false, "program and arguments" },
	{ "env", FIELD_MAP, 0, 128, false, "environment" },
	{ "files", FIELD_LIST, 0, 16, false, "objects with path, content, mode" },
	{ "root", FIELD_STR, 1, 255, false, "file tree on the host" },
	{ "workdir", FIELD_STR, 1, 255, false, "working directory" },
	{ "user", FIELD_STR, 1, 64, false, "uid:gid" },
	{ "restart", FIELD_STR, 1, 16, false, "always, on-failure or never" },
	{ "drain_ms", FIELD_INT, 0, 600000, false, "time between out of DNS and SIGTERM" },
	{ "stop_timeout_ms", FIELD_INT, 0, 600000, false, "time between SIGTERM and SIGKILL" },
	{ "runtime", FIELD_STR, 1, 16, false, "process or hook" },
	{ 0 },
};
static const struct route_field update_fields[] = {
	{ "dns_skip", FIELD_BOOL, 0, 0, false, "keep it out of the app's names" },
	{ "cordoned", FIELD_BOOL, 0, 0, false, "keep it out of services" },
	{ "metadata", FIELD_MAP, 0, RECORD_METADATA_MAX, false, "replaces all of it" },
	{ 0 },
};

const struct route api_instance_routes[] = {
	{ "GET", "/v1/instances", ROUTE_TOKEN, .reply = &instance_shape, .list = true, .query = "org app region host network state",
	  .check = check_list, .run = list, .help = "list instances" },
	{ "POST", "/v1/instances", ROUTE_TOKEN, .object = &instance_shape, .reply = &instance_shape, .write = true, .success = 201,
	  .fields = create_fields, .check = check_create, .run = create, .help = "create an instance" },
	{ "GET", "/v1/instances/{instance}", ROUTE_TOKEN, .object = &instance_shape, .current = show, .reply = &instance_shape,
	  .run = show, .help = "show an instance" },
	{ "GET", "/v1/instances/{instance}/spec", ROUTE_TOKEN, .reply = &spec_shape, .run = show_spec,
	  .help = "show its workload" },
	{ "PATCH", "/v1/instances/{instance}", ROUTE_TOKEN, .object = &instance_shape, .current = show, .reply = &instance_shape,
	  .write = true, .fields = update_fields, .check = check_update, .run = update,
	  .help = "change dns_skip, cordoned or metadata" },
	{ "POST", "/v1/instances/{instance}/start", ROUTE_TOKEN, .object = &instance_shape, .current = show,
	  .reply = &instance_shape, .write = true, .run = start, .help = "start an instance" },
	{ "POST", "/v1/instances/{instance}/stop", ROUTE_TOKEN, .object = &instance_shape, .current = show,
	  .reply = &instance_shape, .write = true, .run = stop, .help = "stop an instance" },
	{ "POST", "/v1/instances/{instance}/restart", ROUTE_TOKEN, .object = &instance_shape, .current = show,
	  .reply = &instance_shape, .write = true, .run = restart, .help = "restart an instance" },
	{ "DELETE", "/v1/instances/{instance}", ROUTE_TOKEN, .object = &instance_shape, .current = show, .reply = &instance_shape,
	  .write = true, .frees = true, .query = "force", .run = delete,
	  .help = "delete an instance; force does not wait for its host" },
	{ 0 },
};
