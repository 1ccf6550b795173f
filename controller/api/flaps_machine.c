/* flaps_machine - machines of an app, as flyctl asks for them: list, show, create, update, and what the other files need to find one. */
#include "controller/api/flaps.h"
#include "controller/api/flaps_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS_SHOWN 20

int flaps_find(struct store *store, struct api_call *call, struct buf *texts, struct store_machine *ret)
{
	return store_machine_find(store, api_who(call), call->params[0], call->params[1], texts, ret, &call->op.why);
}

int flaps_find_to_change(struct store *store, struct api_call *call, struct buf *texts, struct store_machine *ret)
{
	int r = flaps_find(store, call, texts, ret);

	if (r == 0 && !ret->may_see)
		r = why_set(&call->op.why, "forbidden", "", "%s may not change machines of organization \"%s\"", api_who(call)->text,
			    ret->instance.org_name);
	return r ? r : store_lease_check(store, ret->instance.record.id, call->request->lease_nonce, &call->op.why);
}

static void add_event(void *events, const struct store_machine_event *event)
{
	json_array_append_new(events, flaps_event_json(event));
}

int flaps_reply_machine(struct store *store, struct api_call *call, const char *id)
{
	CLEAN_BUF struct buf texts = BUF_INIT(2 * STORE_SPEC_MAX);
	struct store_machine m;
	int r = store_machine_find(store, api_who(call), call->params[0], id, &texts, &m, &call->op.why);

	if (r != 0)
		return r;
	call->reply = flaps_machine_json(&m);
	return store_machine_events(store, &m.instance, EVENTS_SHOWN, add_event, json_object_get(call->reply, "events"));
}

/* ---- reading ---- */

static bool wanted(const struct api_call *call, const struct store_machine *m)
{
	const char *state = api_query(call, "state");

	return !state || !*state || !strcmp(state, flaps_state(&m->instance.record));
}

static void add(void *arg, const struct store_machine *m)
{
	struct api_call *call = arg;

	if (wanted(call, m))
		api_add_item(call, flaps_machine_json(m));
}

/* A list of all, without pages: so it is asked for. Events are in the answer for one machine only. */
static int list(struct store *store, struct api_call *call)
{
	int r = store_machine_list(store, api_who(call), call->params[0], api_query(call, "region"), add, call, &call->op.why);

	if (r == 0) {
		call->reply = TAKE(call->items);
		if (!call->reply)
			call->reply = json_array();
	}
	return r;
}

static int show(struct store *store, struct api_call *call)
{
	return flaps_reply_machine(store, call, call->params[1]);
}

static int check_events(struct api_call *call, struct why *why)
{
	const char *limit = api_query(call, "limit");

	if (limit && (strlen(limit) > 3 || atoi(limit) > 200))
		return why_set(why, "out_of_range", "limit", "query parameter \"limit\" is \"%.30s\", at most 200 are allowed", limit);
	return 0;
}

static int events(struct store *store, struct api_call *call)
{
	CLEAN_BUF struct buf texts = BUF_INIT(2 * STORE_SPEC_MAX);
	const char *limit = api_query(call, "limit");
	struct store_machine m;
	int r = flaps_find(store, call, &texts, &m);

	if (r != 0)
		return r;
	call->reply = json_array();
	return store_machine_events(store, &m.instance, limit ? (unsigned)atoi(limit) : EVENTS_SHOWN, add_event, call->reply);
}

/* ---- making and changing ---- */

static const char *name_of(const struct api_call *call)
{
	const char *name = api_str(call, "name");

	return name && *name ? name : NULL;
}

/* "" and "any" leave the choice to us. */
static const char *region_of(const struct api_call *call)
{
	const char *region = api_str(call, "region");

	return region && *region && strcmp(region, "any") != 0 ? region : NULL;
}

static int check_config(struct api_call *call, struct why *why)
{
	struct flaps_config config;
	int r = flaps_config_parse(json_object_get(call->body, "config"), &config, why);

	flaps_config_deinit(&config);
	return r < 0 ? why_set(why, "unavailable", "", "no memory") : r;
}

static int lease_it(struct store *store, struct api_call *call, const struct store_instance *instance)
{
	int64_t ttl = api_int(call, "lease_ttl", 0);
	struct store_lease lease;
	int r;

	if (!ttl)
		return 0;
	r = store_lease_acquire(store, &call->op, instance, call->request->lease_nonce, (uint32_t)ttl, NULL, &lease);
	if (r == 0)
		json_object_set_new(call->reply, "nonce", json_string(lease.nonce));
	return r;
}

static int finish_write(struct store *store, struct api_call *call, const struct store_instance *instance, const struct flaps_config *config)
{
	int r = store_machine_keep_config(store, instance->record.id, config->text);

	if (r == 0)
		r = flaps_reply_machine(store, call, instance->record.id);
	if (r == 0)
		r = lease_it(store, call, instance);
	if (r == 0)
		api_wait_for_instance(call, instance);
	return r;
}

static int create_of(struct store *store, struct api_call *call, const struct flaps_config *config)
{
	struct store_instance_new in = { .app = call->params[0], .region = region_of(call), .anywhere = true, .group = config->group,
					 .name = name_of(call), .metadata = config->metadata, .n_metadata = config->n_metadata,
					 .dns_skip = config->dns_skip, .cordoned = api_bool(call, "skip_service_registration", false),
					 .desired = api_bool(call, "skip_launch", false) ? DESIRED_STOPPED : DESIRED_STARTED,
					 .spec = config->spec, .spec_len = strlen(config->spec), .live = call->live, .n_live = call->n_live };
	struct store_instance instance;
	int r = store_instance_create(store, &call->op, &in, &instance);

	return r ? r : finish_write(store, call, &instance, config);
}

static int create(struct store *store, struct api_call *call)
{
	struct flaps_config config;
	int r = flaps_config_parse(json_object_get(call->body, "config"), &config, &call->op.why);

	if (r == 0)
		r = create_of(store, call, &config);
	flaps_config_deinit(&config);
	return r;
}

static int keep_rest(struct store *store, struct api_call *call, const char *id, struct flaps_config *config)
{
	CLEAN_BUF struct buf spec = BUF_INIT(2 * STORE_SPEC_MAX);
	int r = store_instance_get_spec(store, api_who(call), id, &spec, &call->op.why);

	return r ? r : flaps_config_keep_rest(config, (const char *)spec.data, spec.len, &call->op.why);
}

static int update_to(struct store *store, struct api_call *call, struct flaps_config *config)
{
	struct store_instance_config in = { .name = name_of(call), .group = config->group[0] ? config->group : NULL,
					    .metadata = config->metadata, .n_metadata = config->n_metadata, .dns_skip = config->dns_skip,
					    .start = !api_bool(call, "skip_launch", false) };
	const char *region = region_of(call), *current = api_str(call, "current_version");
	CLEAN_BUF struct buf texts = BUF_INIT(2 * STORE_SPEC_MAX);
	struct store_instance instance;
	struct store_machine m;
	int r = flaps_find_to_change(store, call, &texts, &m);

	if (r == 0 && region && strcmp(region, m.instance.region))
		r = why_set(&call->op.why, "not_offered", "region", "machine %s is in region \"%s\", and sixpn moves no machines between regions",
			    m.instance.record.id, m.instance.region);
	if (r == 0 && current && *current && strcmp(current, m.version))
		r = why_set(&call->op.why, "version_conflict", "current_version", "machine %s is at version %s, not \"%.40s\"",
			    m.instance.record.id, m.version, current);
	if (r == 0)
		r = keep_rest(store, call, m.instance.record.id, config);
	in.spec = config->spec;
	in.spec_len = strlen(config->spec);
	if (r == 0)
		r = store_instance_configure(store, &call->op, m.instance.record.id, &in, &instance);
	return r ? r : finish_write(store, call, &instance, config);
}

static int update(struct store *store, struct api_call *call)
{
	struct flaps_config config;
	int r = flaps_config_parse(json_object_get(call->body, "config"), &config, &call->op.why);

	if (r == 0)
		r = update_to(store, call, &config);
	flaps_config_deinit(&config);
	return r;
}

static const struct route_field fields[] = {
	{ "config", FIELD_OBJECT, 0, 0, true, "what it is made of; what is not known here is kept and has no effect" },
	{ "region", FIELD_STR, 0, 3, false, "where; else that of the least loaded host" },
	{ "name", FIELD_STR, 0, 63, false, "for people" },
	{ "skip_launch", FIELD_BOOL, 0, 0, false, "make it, but do not start it" },
	{ "skip_service_registration", FIELD_BOOL, 0, 0, false, "keep it out of services" },
	{ "lease_ttl", FIELD_INT, 0, LEASE_TTL_MAX_S, false, "seconds of a lease whose nonce is in the reply" },
	{ "current_version", FIELD_STR, 0, 63, false, "of an update: refused if it has another" },
	{ "skip_secrets", FIELD_BOOL, 0, 0, false, "no effect: there are no secrets" },
	{ "min_secrets_version", FIELD_INT, 0, INT64_MAX, false, "no effect: there are no secrets" },
	{ "lsvd", FIELD_BOOL, 0, 0, false, "no effect: there are no volumes" },
	{ "id", FIELD_STR, 0, 63, false, "no effect: the path says which" },
	{ "orgSlug", FIELD_STR, 0, 63, false, "no effect: the app says which" },
	{ 0 },
};

const struct route flaps_machine_routes[] = {
	{ "GET", "/v1/apps/{app}/machines", ROUTE_TOKEN, .manner = &flaps_manner, .reply = &flaps_machine_shape, .array = true,
	  .error = &flaps_error_shape, .query = "state region include_deleted summary", .run = list,
	  .finish = flaps_finish_machines, .help = "list machines: the instances of an app, in the form that flyctl reads" },
	{ "POST", "/v1/apps/{app}/machines", ROUTE_TOKEN, .manner = &flaps_manner, .reply = &flaps_machine_shape,
	  .error = &flaps_error_shape, .write = true, .fields = fields, .check = check_config, .run = create,
	  .finish = flaps_finish_machines, .help = "create a machine" },
	{ "GET", "/v1/apps/{app}/machines/{instance}", ROUTE_TOKEN, .manner = &flaps_manner, .reply = &flaps_machine_shape,
	  .error = &flaps_error_shape, .run = show, .finish = flaps_finish_machines,
	  .help = "show a machine" },
	{ "POST", "/v1/apps/{app}/machines/{instance}", ROUTE_TOKEN, .manner = &flaps_manner, .reply = &flaps_machine_shape,
	  .error = &flaps_error_shape, .write = true, .fields = fields, .check = check_config,
	  .run = update, .finish = flaps_finish_machines, .help = "give a machine another configuration" },
	{ "GET", "/v1/apps/{app}/machines/{instance}/events", ROUTE_TOKEN, .manner = &flaps_manner, .reply = &flaps_event_shape, .array = true,
	  .error = &flaps_error_shape, .query = "limit", .check = check_events,
	  .run = events, .help = "what became of a machine, newest first" },
	{ 0 },
};
