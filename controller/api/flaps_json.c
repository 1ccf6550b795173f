/* flaps_json - machines, their states and events in the forms that flyctl reads; see flaps.h. What it takes for granted is always
 * there: config with guest and init, and the platform version without which its lists leave a machine out. */
#include "controller/api/flaps.h"
#include "controller/api/flaps_config.h"

#include <stdio.h>
#include <string.h>

const char *flaps_state(const struct instance_record *rec)
{
	const struct observed *o = &rec->observed;
	bool old = o->generation < rec->generation; /* what was seen is not yet the answer to what is wanted */

	if (rec->desired == DESIRED_DESTROYED)
		return o->state == STATE_DESTROYED ? "destroyed" : "destroying";
	switch (o->state) {
	case STATE_STARTING:
		return "starting";
	case STATE_STARTED:
		return rec->desired == DESIRED_STOPPED ? "stopping" : old ? "restarting" : "started";
	case STATE_DRAINING:
		return rec->desired == DESIRED_STOPPED ? "stopping" : "restarting";
	case STATE_STOPPED:
		if (rec->desired == DESIRED_STOPPED && rec->generation == 1) /* made so, and nobody wished anything since */
			return "created";
		return rec->desired == DESIRED_STARTED && old ? "starting" : "stopped";
	case STATE_FAILED:
	case STATE_DESTROYED: /* without having been told to */
		return rec->desired == DESIRED_STARTED && old ? "starting" : "failed";
	default:
		return "created";
	}
}

/* ---- one machine ---- */

json_t *flaps_metadata_json(const struct instance_record *rec)
{
	json_t *metadata = json_object();

	for (size_t i = 0; i < rec->n_metadata; i++)
		json_object_set_new(metadata, rec->metadata[i].key, json_string(rec->metadata[i].value));
	if (!json_object_get(metadata, "fly_process_group"))
		json_object_set_new(metadata, "fly_process_group", json_string(rec->group));
	json_object_set_new(metadata, "fly_platform_version", json_string("v2"));
	return metadata;
}

static void ensure_object(json_t *in, const char *name, json_t *fallback)
{
	if (json_is_object(json_object_get(in, name)))
		json_decref(fallback);
	else
		json_object_set_new(in, name, fallback);
}

static void ensure_number(json_t *guest, const char *name, json_int_t fallback)
{
	if (!json_is_integer(json_object_get(guest, name)))
		json_object_set_new(guest, name, json_integer(fallback));
}

/* *ret_ignored: new list of what has no effect. */
static json_t *config_json(const struct store_machine *m, json_t **ret_ignored)
{
	json_t *config = m->config ? json_parse(m->config, strlen(m->config), NULL) : flaps_config_of_spec(m->spec, m->spec_len), *guest, *dns;
	const struct instance_record *rec = &m->instance.record;

	if (!config)
		config = json_object();
	*ret_ignored = flaps_config_ignored(config);
	if (!json_is_string(json_object_get(config, "image")))
		json_object_set_new(config, "image", json_string(""));
	json_object_set_new(config, "metadata", flaps_metadata_json(rec));
	ensure_object(config, "init", json_object());
	ensure_object(config, "guest", json_object());
	guest = json_object_get(config, "guest");
	ensure_number(guest, "cpus", 1);
	ensure_number(guest, "memory_mb", 256);
	if (!json_string_length(json_object_get(guest, "cpu_kind")))
		json_object_set_new(guest, "cpu_kind", json_string("shared"));
	dns = json_object_get(config, "dns");
	if (rec->dns_skip != json_is_true(json_object_get(dns, "skip_registration"))) { /* another view changed it */
		ensure_object(config, "dns", json_object());
		json_object_set_new(json_object_get(config, "dns"), "skip_registration", json_boolean(rec->dns_skip));
	}
	return config;
}

static const char *image_of(const json_t *config)
{
	const char *image = json_string_value(json_object_get(config, "image"));

	if (!image || !*image)
		image = json_string_value(json_object_get(json_array_get(json_object_get(config, "containers"), 0), "image"));
	return image ? image : "";
}

static json_t *containers_json(const json_t *config, const char *state)
{
	json_t *list = json_array(), *container;
	size_t i;

	json_array_foreach(json_object_get(config, "containers"), i, container)
		json_array_append_new(list, json_pack("{s:O?,s:s}", "name", json_object_get(container, "name"), "state", state));
	return list;
}

json_t *flaps_machine_json(const struct store_machine *m)
{
	const struct instance_record *rec = &m->instance.record;
	const char *state = flaps_state(rec);
	json_t *ignored, *config = config_json(m, &ignored), *machine;
	struct in6_addr address;
	char text[ADDR_TEXT_LEN];

	memcpy(&address, m->instance.address, sizeof address);
	machine = json_pack("{s:s,s:s,s:s,s:s,s:o,s:s,s:s,s:s,s:o,s:o,s:[],s:[],s:s,s:b,s:s}", "id", rec->id, "name",
			    rec->name[0] ? rec->name : rec->id, "state", state, "region", m->instance.region, "image_ref",
			    flaps_image_ref(image_of(config)), "instance_id", m->version, "version", m->version, "private_ip",
			    addr_text(&address, text), "created_at", api_json_time(m->instance.created_ms), "updated_at",
			    api_json_time(m->instance.updated_ms), "events", "checks", "host_status", "unknown", "cordoned", rec->cordoned,
			    "host", m->instance.host_name);
	json_object_set_new(machine, "containers", containers_json(config, state));
	if (json_array_size(ignored))
		json_object_set(machine, "no_effect", ignored);
	json_decref(ignored);
	json_object_set_new(machine, "config", config);
	return machine;
}

/* ---- what became of it ---- */

static const char *event_type(const struct store_machine_event *e)
{
	const struct instance_record *is = &e->is, *was = &e->was;

	if (e->deleted)
		return "destroy";
	if (!was->id[0])
		return "launch";
	if (is->observed.state != was->observed.state || is->observed.restarts != was->observed.restarts)
		return is->observed.state == STATE_STARTED ? "start" :
		       is->observed.state == STATE_STOPPED || is->observed.state == STATE_FAILED ? "exit" : "update";
	if (is->desired != was->desired)
		return is->desired == DESIRED_STARTED ? "start" : is->desired == DESIRED_STOPPED ? "stop" : "destroy";
	return is->generation != was->generation ? "restart" : "update";
}

json_t *flaps_event_json(const struct store_machine_event *e)
{
	const char *type = event_type(e);
	char id[24];
	json_t *event;

	snprintf(id, sizeof id, "%llu", (unsigned long long)e->v);
	event = json_pack("{s:s,s:s,s:s,s:s,s:I}", "id", id, "type", type, "status", e->deleted ? "destroyed" : flaps_state(&e->is), "source",
			  strncmp(e->principal, "node ", 5) ? "user" : "flyd", "timestamp", (json_int_t)e->at_ms);
	if (!strcmp(type, "exit"))
		json_object_set_new(event, "request",
				    json_pack("{s:{s:i,s:i,s:o,s:b,s:o},s:i}", "exit_event", "exit_code", (int)e->is.observed.exit_code, "guest_exit_code",
					      (int)e->is.observed.exit_code, "exited_at", api_json_time(e->is.observed.since_ms ? e->is.observed.since_ms : e->at_ms), "requested_stop",
					      e->is.desired != DESIRED_STARTED, "message", api_json_str(e->is.observed.message), "restart_count",
					      (int)e->is.observed.restarts));
	return event;
}

/* ---- who is there ---- */

static void note_node(void *by_name, const struct api_node_state *node)
{
	json_object_set_new(by_name, node->name, json_string(node->ready ? "ok" : "unreachable"));
}

static void set_host_status(json_t *machine, const json_t *by_name)
{
	json_t *status = json_object_get(by_name, json_string_value(json_object_get(machine, "host")));

	if (status)
		json_object_set(machine, "host_status", status);
}

void flaps_finish_machines(struct api_call *call)
{
	const struct api_env *env = api_get_env(call->api);
	CLEAN_JSON json_t *by_name = json_object();
	json_t *machine;
	size_t i;

	env->ops->each_node(env->ctx, note_node, by_name);
	if (json_is_array(call->reply))
		json_array_foreach(call->reply, i, machine)
			set_host_status(machine, by_name);
	else
		set_host_status(call->reply, by_name);
}
