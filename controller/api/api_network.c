/* api_network - networks over HTTP. */
#include "controller/api/api_nouns.h"
#include "controller/store/store_network.h"

#include <stdio.h>
#include <string.h>

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

const struct route api_network_routes[] = {
	{ "GET", "/v1/networks", ROUTE_TOKEN, .list = true, .query = "org", .run = list, .help = "list networks" },
	{ "POST", "/v1/networks", ROUTE_TOKEN, .write = true, .success = 201, .fields = fields, .run = create, .help = "create a network" },
	{ "GET", "/v1/networks/{network}", ROUTE_TOKEN, .query = "org", .run = show, .help = "show a network: name, org/name or id" },
	{ "DELETE", "/v1/networks/{network}", ROUTE_TOKEN, .write = true, .frees = true, .query = "org", .run = delete,
	  .help = "delete a network with all that is in it" },
	{ 0 },
};
