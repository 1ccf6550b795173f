/* api_network - networks over HTTP. */
#include "controller/api/api_nouns.h"
#include "controller/api/shape.h"
#include "controller/store/store_network.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct shape_field network_fields[] = {
	{ "id", SHAPE_STR, 0, NULL, "8 hex digits, as in its addresses" },
	{ "name", SHAPE_STR, 0, NULL, NULL },
	{ "org", SHAPE_STR, 0, NULL, NULL },
	{ "prefix", SHAPE_STR, 0, NULL, "all addresses in it" },
	{ "suspended", SHAPE_BOOL, 0, NULL, "it passes nothing, with its organization" },
	{ "deleting", SHAPE_BOOL, 0, NULL, "it goes when its instances have stopped" },
	{ "created", SHAPE_TIME, 0, NULL, NULL },
	{ 0 },
};
static const struct shape network_shape = { "Network", false, network_fields };

static json_t *network_json(const struct store_network *network)
{
	struct in6_addr prefix = addr_network_prefix(network->id);
	char id[16], text[ADDR_TEXT_LEN + 4];

	snprintf(id, sizeof id, "%08x", network->id);
	addr_text(&prefix, text);
	snprintf(text + strlen(text), 4, "/48");
	return json_pack("{s:s,s:s,s:s,s:s,s:b,s:b,s:o}", "id", id, "name", network->name, "org", network->org_name, "prefix", text,
			 "suspended", network->suspended, "deleting", network->deleting, "created", api_json_time(network->created_ms));
}

static void add(void *call, const struct store_network *network)
{
	api_add_item(call, network_json(network));
}

static int list(struct store *store, struct api_call *call)
{
	struct store_page page = api_page(call);
	struct store_next next;
	int r = store_network_list(store, api_who(call), api_query(call, "org"), &page, add, call, &next, &call->op.why);

	if (r == 0)
		api_set_list(call, &next);
	return r;
}

static int show(struct store *store, struct api_call *call)
{
	struct store_network network;
	int r = store_network_find(store, api_who(call), api_query(call, "org"), call->params[0], &network, &call->op.why);

	if (r == 0)
		call->reply = network_json(&network);
	return r;
}

static int create(struct store *store, struct api_call *call)
{
	struct store_network network;
	int r = store_network_create(store, &call->op, api_str(call, "org"), api_str(call, "name"), &network);

	if (r == 0)
		call->reply = network_json(&network);
	return r;
}

/* ---- PUT ---- */

static int find_named(struct store *store, struct api_call *call, struct store_network *ret_network)
{
	int r = store_network_find(store, api_who(call), call->params[0], call->params[1], ret_network, &call->op.why);

	if (r == 0 && strcasecmp(ret_network->name, call->params[1]) != 0) /* found by its id */
		return why_set(&call->op.why, "network_not_found", "network", "network \"%.63s\" does not exist", call->params[1]);
	return r;
}

static int show_named(struct store *store, struct api_call *call)
{
	struct store_network network;
	int r = find_named(store, call, &network);

	if (r == 0)
		call->reply = network_json(&network);
	return r;
}

static int check_named(struct api_call *call, struct why *why)
{
	return name_check_network(call->params[1], why);
}

static int put(struct store *store, struct api_call *call)
{
	struct store_network network;
	int r = find_named(store, call, &network);

	if (r == 0) {
		r = api_may(call, network.org, ACTION_DEPLOY, "networks");
		if (r == 0 && network.deleting)
			r = why_set(&call->op.why, "network_deleting", "network", "network \"%s\" is being deleted", network.name);
	} else if (r == E_REFUSED && !strcmp(call->op.why.code, "network_not_found")) {
		r = store_network_create(store, &call->op, call->params[0], call->params[1], &network);
		call->status = 201;
	}
	if (r == 0)
		call->reply = network_json(&network);
	return r;
}

static int delete(struct store *store, struct api_call *call)
{
	struct store_deletion deletion;
	int r = store_network_delete(store, &call->op, api_query(call, "org"), call->params[0], &deletion);

	if (r == 0)
		call->reply = api_json_deletion(&deletion);
	return r;
}

static const struct route_field fields[] = {
	{ "org", FIELD_STR, 1, 63, false, "its organization; may be left out if the token sees only one" },
	{ "name", FIELD_STR, 1, 63, true, "a DNS label" },
	{ 0 },
};
static const struct route_field put_fields[] = { { 0 } }; /* a network has nothing but its name */

const struct route api_network_routes[] = {
	{ "GET", "/v1/networks", ROUTE_TOKEN, .reply = &network_shape, .list = true, .query = "org", .run = list,
	  .help = "list networks" },
	{ "POST", "/v1/networks", ROUTE_TOKEN, .object = &network_shape, .reply = &network_shape, .write = true, .success = 201,
	  .fields = fields, .run = create, .help = "create a network" },
	{ "GET", "/v1/networks/{network}", ROUTE_TOKEN, .object = &network_shape, .current = show, .reply = &network_shape,
	  .query = "org", .run = show, .help = "show a network: name, org/name or id" },
	{ "DELETE", "/v1/networks/{network}", ROUTE_TOKEN, .object = &network_shape, .current = show, .reply = &shape_deletion,
	  .write = true, .frees = true, .query = "org", .run = delete, .help = "delete a network with all that is in it" },
	{ "PUT", "/v1/orgs/{org}/networks/{network}", ROUTE_TOKEN, .object = &network_shape, .current = show_named,
	  .reply = &network_shape, .write = true, .fields = put_fields, .check = check_named, .run = put,
	  .help = "create a network, unless it is there" },
	{ 0 },
};
