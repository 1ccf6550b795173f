/* api_wait - how far a change has come: the form of the answer, and the route for whoever wrote without waiting, or whose time was
 * up. */
#include "controller/api/api_nouns.h"
#include "controller/api/shape.h"
#include "controller/store/store_log.h"
#include "controller/store/store_peer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct shape wait_shape = { "Wait", false, NULL };

static json_t *names_json(const char names[][NAME_SIZE], uint32_t n)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < n && i < API_WAIT_NAMES_MAX; i++)
		json_array_append_new(list, json_string(names[i]));
	return list;
}

static json_t *records_json(const struct api_wait_record *records, uint32_t n)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < n && i < API_WAIT_RECORDS_MAX; i++) {
		json_t *one = json_pack("{s:s,s:s}", "node", records[i].node, "record", records[i].error.record);

		if (records[i].error.text[0])
			json_object_set_new(one, "text", json_string(records[i].error.text));
		json_array_append_new(list, one);
	}
	return list;
}

/* Where the rest can be waited for. */
static json_t *continue_json(const struct api_wait *wait)
{
	CLEAN_BUF struct buf path = BUF_INIT(1024);

	buf_printf(&path, "/v1/wait?v=%" PRIu64 "&first_v=%" PRIu64, wait->v, wait->first_v ? wait->first_v : wait->v);
	if (wait->instance[0])
		buf_printf(&path, "&instance=%s", wait->instance);
	if (wait->on[0])
		buf_printf(&path, "&on=%s", wait->on);
	if (wait->peer[0])
		buf_printf(&path, "&peer=%s", wait->peer);
	buf_add_str(&path, wait->strict ? "&strict=1" : "");
	buf_add_str(&path, wait->released ? "&released=1" : "");
	return json_string(buf_str(&path));
}

void api_add_wait_result(json_t *reply, const struct api_wait *wait, const struct api_wait_result *r)
{
	json_object_set_new(reply, "v", json_integer((json_int_t)r->v));
	json_object_set_new(reply, "applied", json_boolean(r->applied));
	json_object_set_new(reply, "nodes", json_integer(r->nodes));
	json_object_set_new(reply, "unknown", names_json(r->unknown, r->n_unknown));
	json_object_set_new(reply, "laggards", names_json(r->laggards, r->n_laggards));
	json_object_set_new(reply, "held", records_json(r->held, r->n_held));
	json_object_set_new(reply, "errors", records_json(r->errors, r->n_errors));
	/* the lists are cut, these are not */
	json_object_set_new(reply, "counts",
			    json_pack("{s:I,s:I,s:I,s:I}", "unknown", (json_int_t)r->n_unknown, "laggards", (json_int_t)r->n_laggards, "held",
				      (json_int_t)r->n_held, "errors", (json_int_t)r->n_errors));
	if (!r->applied)
		json_object_set_new(reply, "continue", continue_json(wait));
	if (r->v_observed)
		json_object_set_new(reply, "v_observed", json_integer((json_int_t)r->v_observed));
	if (r->withdrawn_ms)
		json_object_set_new(reply, "withdrawn_ms", json_integer((json_int_t)r->withdrawn_ms));
	if (r->observed[0])
		json_object_set_new(reply, "observed", json_string(r->observed));
}

static int parse_v(const struct api_call *call, const char *field, uint64_t *ret_v, struct why *why)
{
	const char *text = api_query(call, field);
	const struct api_env *env = api_get_env(call->api);
	uint64_t head = env->ops->current_v(env->ctx);
	char *end = NULL;
	uint64_t v = text && text[0] >= '0' && text[0] <= '9' ? strtoull(text, &end, 10) : 0;

	if (!text) {
		*ret_v = 0;
		return 0;
	}
	if (!end || *end || end - text > 19)
		return why_set(why, "value_invalid", field, "query parameter \"%s\" is \"%.30s\": it must be a version", field, text);
	if (v > head)
		return why_set(why, "out_of_range", field, "%s is %" PRIu64 ", and the last change is %" PRIu64, field, v, head);
	*ret_v = v;
	return 0;
}

static int check(struct api_call *call, struct why *why)
{
	const char *instance = api_query(call, "instance"), *peer = api_query(call, "peer");
	uint8_t id[ID_LEN];

	call->wait.released = api_query_true(call, "released");
	if (parse_v(call, "v", &call->wait.v, why) || parse_v(call, "first_v", &call->wait.first_v, why))
		return E_REFUSED;
	if (peer && id_parse(peer, id) != 0)
		return why_set(why, "id_invalid", "peer", "query parameter \"peer\" is \"%.30s\": it must be the id of a peer", peer);
	return instance ? name_check_instance_id(instance, why) : 0;
}

/* Errors and held deletes have names of records in them: only those of the asker's own changes are told. */
static int check_whose(struct store *store, struct api_call *call)
{
	struct api_wait *wait = &call->wait;
	bool own = false;
	int r = 0;

	if (wait->v)
		r = store_log_is_own(store, api_who(call), wait->first_v ? wait->first_v : wait->v, wait->v, &own);
	wait->foreign = !own && !principal_is_operator(api_who(call));
	wait->released = wait->released && principal_is_operator(api_who(call));
	return r;
}

/* An instance or a peer that is gone, or another's, has nothing more to be waited for: both look the same. */
static int run(struct store *store, struct api_call *call)
{
	const char *id = api_query(call, "instance");
	struct store_instance instance;
	struct store_peer peer;
	int r = id ? store_instance_find(store, api_who(call), id, &instance, &call->op.why) : 0;

	if (id && r == 0)
		api_wait_for_instance(call, &instance);
	if (r >= 0 && api_query(call, "peer")) {
		r = store_peer_find(store, api_who(call), NULL, api_query(call, "peer"), &peer, &call->op.why);
		if (r == 0)
			api_wait_for_peer(call, &peer);
	}
	call->op.why = (struct why){ .text = "" };
	return r < 0 ? r : check_whose(store, call);
}

const struct route api_wait_routes[] = {
	{ "GET", "/v1/wait", ROUTE_TOKEN, .reply = &wait_shape, .waits = true, .query = "v first_v instance peer released", .check = check, .run = run,
	  .help = "how far the change of version v (the last one) has come: answers when it is applied everywhere, or with 202 when the "
		  "time is up; with instance, also until that is as it was wanted; with peer, "
		  "its gateway must have it" },
	{ 0 },
};
