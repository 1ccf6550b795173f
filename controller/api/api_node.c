/* api_node - nodes over HTTP: what the store knows of a machine, and what memory knows of how it is now. */
#include "controller/api/api_nouns.h"
#include "controller/api/shape.h"
#include "controller/store/store_node.h"
#include "lib/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct shape_field gateway_fields[] = {
	{ "host", SHAPE_STR, 0, NULL, "name or address for customers' files" },
	{ "port", SHAPE_INT, 0, NULL, NULL },
	{ "public_key", SHAPE_STR, 0, NULL, NULL },
	{ 0 },
};
static const struct shape gateway_shape = { "Gateway", false, gateway_fields };
static const struct shape_field node_fields[] = {
	{ "name", SHAPE_STR, 0, NULL, NULL },
	{ "host", SHAPE_STR, 0, NULL, "its 32 bits in addresses, hex" },
	{ "region", SHAPE_STR, SHAPE_NULL, NULL, NULL },
	{ "roles", SHAPE_STRINGS, 0, NULL, "host, gateway" },
	{ "mesh_key", SHAPE_STR, 0, NULL, NULL },
	{ "endpoints", SHAPE_STRINGS, 0, NULL, NULL },
	{ "draining", SHAPE_BOOL, 0, NULL, "it gets no new work" },
	{ "instances", SHAPE_INT, SHAPE_MOVES, NULL, NULL },
	{ "max_instances", SHAPE_INT, 0, NULL, "it gets no more than so many; 0 = no limit" },
	{ "version", SHAPE_STR, SHAPE_NULL | SHAPE_MOVES, NULL, NULL },
	{ "created", SHAPE_TIME, 0, NULL, NULL },
	{ "last_seen", SHAPE_TIME, SHAPE_NULL | SHAPE_MOVES, NULL, NULL },
	{ "revoked", SHAPE_BOOL, 0, NULL, NULL },
	{ "gateway", SHAPE_OBJECT, SHAPE_NULL, &gateway_shape, "of a gateway" },
	{ "state", SHAPE_STR, SHAPE_MAYBE | SHAPE_MOVES, NULL, "ready, drain or unknown" },
	{ "applied_v", SHAPE_INT, SHAPE_MAYBE | SHAPE_MOVES, NULL, NULL },
	{ "lag", SHAPE_INT, SHAPE_MAYBE | SHAPE_MOVES, NULL, "changes that it has not applied" },
	{ "cloned", SHAPE_BOOL, SHAPE_MAYBE | SHAPE_MOVES, NULL, "another machine had its identity a minute ago" },
	{ 0 },
};
static const struct shape node_shape = { "Node", false, node_fields };
static const struct shape_field released_fields[] = {
	{ "name", SHAPE_STR, 0, NULL, NULL },
	{ "released", SHAPE_INT, 0, NULL, "how many deletes it held back" },
	{ 0 },
};
static const struct shape released_shape = { "Released", false, released_fields };

int api_parse_roles(const char *field, const char *text, uint32_t *ret_roles, struct why *why)
{
	uint32_t roles = 0;

	for (const char *p = text; *p; p += strspn(p, ", ")) {
		size_t len = strcspn(p, ", ");

		if (len == 4 && !memcmp(p, "host", 4))
			roles |= ROLE_HOST;
		else if (len == 7 && !memcmp(p, "gateway", 7))
			roles |= ROLE_GATEWAY;
		else
			return why_set(why, "value_invalid", field, "\"%.40s\" is no list of roles: host, gateway, or host,gateway", text);
		p += len;
	}
	if (!roles)
		return why_set(why, "value_invalid", field, "at least one role is needed: host, gateway, or host,gateway");
	*ret_roles = roles;
	return 0;
}

json_t *api_roles_json(uint32_t roles)
{
	json_t *list = json_array();

	if (roles & ROLE_HOST)
		json_array_append_new(list, json_string("host"));
	if (roles & ROLE_GATEWAY)
		json_array_append_new(list, json_string("gateway"));
	return list;
}

/* Where customers find it; null for hosts. */
static json_t *gateway_json(const struct store_node *node)
{
	static const uint8_t no_key[CRYPTO_KEY_LEN];
	char key[CRYPTO_BASE64_KEY_LEN + 1];

	if (!(node->roles & ROLE_GATEWAY) || crypto_equal(node->gateway_key, no_key, sizeof no_key))
		return json_null();
	crypto_base64(node->gateway_key, sizeof node->gateway_key, key);
	return json_pack("{s:s,s:i,s:s}", "host", node->gateway_host, "port", (int)node->gateway_port, "public_key", key);
}

static json_t *node_json(const struct store_node *node)
{
	json_t *endpoints = json_array();
	char host[16], mesh_key[CRYPTO_BASE64_KEY_LEN + 1], text[ADDR_ENDPOINT_TEXT_LEN];

	for (size_t i = 0; i < node->n_endpoints; i++)
		json_array_append_new(endpoints, json_string(addr_endpoint_text(&node->endpoints[i], text)));
	snprintf(host, sizeof host, "%08x", node->host);
	crypto_base64(node->mesh_key, sizeof node->mesh_key, mesh_key);
	return json_pack("{s:s,s:s,s:o,s:o,s:s,s:o,s:b,s:i,s:o,s:o,s:o,s:b,s:o,s:i}", "name", node->name, "host", host, "region",
			 api_json_str(node->region), "roles", api_roles_json(node->roles), "mesh_key", mesh_key, "endpoints", endpoints,
			 "draining", node->draining, "instances", (int)node->instances, "version", api_json_str(node->version), "created",
			 api_json_time(node->created_ms), "last_seen", api_json_time(node->last_seen_ms), "revoked", node->revoked_ms != 0,
			 "gateway", gateway_json(node), "max_instances", (int)node->max_instances);
}

/* Memory's part, after the store has answered. */
struct mixing {
	json_t *nodes; /* an array */
};

static void mix(void *ctx, const struct api_node_state *state)
{
	struct mixing *mixing = ctx;
	size_t i;
	json_t *node;

	json_array_foreach(mixing->nodes, i, node) {
		const char *name = json_string_value(json_object_get(node, "name"));

		if (!name || strcmp(name, state->name) || json_is_true(json_object_get(node, "revoked")))
			continue;
		json_object_set_new(node, "state", json_string(!state->ready ? "unknown" : state->draining ? "drain" : "ready"));
		json_object_set_new(node, "applied_v", json_integer((json_int_t)state->applied_v));
		json_object_set_new(node, "lag", json_integer((json_int_t)state->lag));
		json_object_set_new(node, "cloned", json_boolean(state->cloned));
	}
}

static void finish_list(struct api_call *call)
{
	const struct api_env *env = api_get_env(call->api);
	struct mixing mixing = { json_object_get(call->reply, "items") };

	env->ops->each_node(env->ctx, mix, &mixing);
}

static void finish_one(struct api_call *call)
{
	const struct api_env *env = api_get_env(call->api);
	CLEAN_JSON json_t *array = json_array();
	struct mixing mixing = { array };

	json_array_append(array, call->reply);
	env->ops->each_node(env->ctx, mix, &mixing);
}

static void add(void *call, const struct store_node *node)
{
	api_add_item(call, node_json(node));
}

static int list(struct store *store, struct api_call *call)
{
	struct store_page page = api_page(call);
	struct store_node_filter filter = { .region = api_query(call, "region"), .with_revoked = api_query_true(call, "revoked") };
	struct store_next next;
	int r = store_node_list(store, api_who(call), &filter, &page, add, call, &next, &call->op.why);

	if (r == 0)
		api_set_list(call, &next);
	return r;
}

static int set_reply(struct api_call *call, int r, const struct store_node *node)
{
	if (r == 0)
		call->reply = node_json(node);
	return r;
}

static int show(struct store *store, struct api_call *call)
{
	struct store_node node;

	return set_reply(call, store_node_find(store, api_who(call), call->params[0], &node, &call->op.why), &node);
}

static int update(struct store *store, struct api_call *call)
{
	struct store_node node;

	return set_reply(call, store_node_set_room(store, &call->op, call->params[0], (unsigned)api_int(call, "max_instances", 0), &node), &node);
}

static int drain(struct store *store, struct api_call *call)
{
	struct store_node node;

	return set_reply(call, store_node_drain(store, &call->op, call->params[0], true, &node), &node);
}

static int undrain(struct store *store, struct api_call *call)
{
	struct store_node node;

	return set_reply(call, store_node_drain(store, &call->op, call->params[0], false, &node), &node);
}

static int delete(struct store *store, struct api_call *call)
{
	struct store_node node;
	bool force = api_query_true(call, "force");

	return set_reply(call, store_node_delete(store, &call->op, call->params[0], force, &node), &node);
}

struct search {
	const char *name;
	struct api_node_state found;
	bool is_found;
};

static void match(void *ctx, const struct api_node_state *state)
{
	struct search *search = ctx;

	if (strcmp(state->name, search->name))
		return;
	search->found = *state;
	search->is_found = true;
}

/* From memory: what a node holds back is nobody's but its own, so there is nothing to record. */
static int release_held(struct api_call *call, struct why *why)
{
	const struct api_env *env = api_get_env(call->api);
	struct search search = { .name = call->params[0] };
	int n = 0;

	if (name_check_node(search.name, why))
		return E_REFUSED;
	env->ops->each_node(env->ctx, match, &search);
	if (!search.is_found)
		return why_set(why, "node_not_found", "node", "node \"%s\" does not exist", search.name);
	if (!call->dry_run)
		n = env->ops->release_held(env->ctx, search.found.host);
	if (n == -EOPNOTSUPP)
		return why_set(why, "node_too_old", "node", "the version of node \"%s\" (%s) knows no held deletes", search.name,
			       search.found.version);
	if (n < 0)
		return why_set(why, "node_not_found", "node", "node \"%s\" does not exist", search.name);
	if (n)
		log_warn("api", "%s releases %d held deletes of node %s (request %s)", api_who(call)->text, n, search.name, call->request->id);
	snprintf(call->wait.on, sizeof call->wait.on, "%s", search.name);
	call->wait.released = true;
	call->reply = json_pack("{s:s,s:I}", "name", search.name, "released", (json_int_t)(call->dry_run ? search.found.n_held : (size_t)n));
	return 0;
}

static const struct route_field update_fields[] = {
	{ "max_instances", FIELD_INT, 0, STORE_NODE_INSTANCES_MAX, true, "it gets no more than so many; 0 = no limit. Those that are there stay" },
	{ 0 },
};

const struct route api_node_routes[] = {
	{ "GET", "/v1/nodes", ROUTE_OPERATOR, .reply = &node_shape, .list = true, .query = "region revoked", .run = list,
	  .finish = finish_list, .help = "list nodes" },
	{ "GET", "/v1/nodes/{node}", ROUTE_OPERATOR, .object = &node_shape, .current = show, .reply = &node_shape, .run = show,
	  .finish = finish_one, .help = "show a node" },
	{ "PATCH", "/v1/nodes/{node}", ROUTE_OPERATOR, .object = &node_shape, .current = show, .reply = &node_shape, .write = true,
	  .fields = update_fields, .run = update, .finish = finish_one, .help = "change how many instances a node may have" },
	{ "POST", "/v1/nodes/{node}/drain", ROUTE_OPERATOR, .object = &node_shape, .current = show, .reply = &node_shape,
	  .write = true, .run = drain, .finish = finish_one, .help = "give a node no new work" },
	{ "POST", "/v1/nodes/{node}/undrain", ROUTE_OPERATOR, .object = &node_shape, .current = show, .reply = &node_shape,
	  .write = true, .run = undrain, .finish = finish_one, .help = "give a node new work again" },
	{ "POST", "/v1/nodes/{node}/release-held", ROUTE_OPERATOR, .reply = &released_shape, .write = true,
	  .act = "release_held node", .answer = release_held, .help = "let a node make the deletes that it holds back" },
	{ "DELETE", "/v1/nodes/{node}", ROUTE_OPERATOR, .object = &node_shape, .current = show, .reply = &node_shape, .write = true,
	  .frees = true, .query = "force", .run = delete, .help = "revoke a node for ever" },
	{ 0 },
};
