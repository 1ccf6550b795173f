/* api_node_token - join tokens over HTTP. The text of one is given once, when it is made. */
#include "controller/api/api_nouns.h"
#include "controller/api/shape.h"
#include "lib/link/token.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_FIELDS                                                                        \
	{ "id", SHAPE_STR, 0, NULL, NULL }, { "name", SHAPE_STR, SHAPE_NULL, NULL, "of the node" }, \
	{ "region", SHAPE_STR, 0, NULL, NULL }, { "roles", SHAPE_STRINGS, 0, NULL, NULL },        \
	{ "uses", SHAPE_INT, 0, NULL, "how many nodes may join with it" },                        \
	{ "used", SHAPE_INT, SHAPE_MOVES, NULL, "how many have" },                                \
	{ "refused", SHAPE_INT, SHAPE_MOVES, NULL, "how often it was refused" },                  \
	{ "created", SHAPE_TIME, 0, NULL, NULL }, { "expires", SHAPE_TIME, SHAPE_NULL, NULL, NULL }, \
	{ "revoked", SHAPE_TIME, SHAPE_NULL, NULL, NULL }

static const struct shape_field token_fields[] = { TOKEN_FIELDS, { 0 } };
static const struct shape token_shape = { "NodeToken", false, token_fields };
static const struct shape_field token_made_fields[] = {
	TOKEN_FIELDS,
	{ "token", SHAPE_STR, SHAPE_MAYBE, NULL, "its text, shown only here; a dry run makes none" },
	{ 0 },
};
static const struct shape token_made_shape = { "NodeTokenMade", false, token_made_fields };

static json_t *token_json(const struct store_node_token *token)
{
	return json_pack("{s:o,s:o,s:s,s:o,s:i,s:i,s:i,s:o,s:o,s:o}", "id", api_json_id(token->id), "name", api_json_str(token->name),
			 "region", token->region, "roles", api_roles_json(token->roles), "uses", (int)token->uses, "used",
			 (int)token->used, "refused", (int)token->refused, "created", api_json_time(token->created_ms), "expires",
			 api_json_time(token->expires_ms), "revoked", api_json_time(token->revoked_ms));
}

/* "192.0.2.0/24" or "2001:db8::/32"; IPv4 as ::ffff:0:0/96. */
static int parse_prefix(const char *text, uint8_t ret_address[16], uint8_t *ret_bits, struct why *why)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	char address[ADDR_TEXT_LEN];
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	char *end = NULL;
	unsigned long bits, width;

	memcpy(ret_address, mapped, sizeof mapped);
	snprintf(address, sizeof address, "%.*s", (int)(len < sizeof address ? len : 0), text);
	if (inet_pton(AF_INET, address, ret_address + 12) == 1)
		width = 32;
	else if (inet_pton(AF_INET6, address, ret_address) == 1)
		width = 128;
	else
		return why_set(why, "address_invalid", "source", "\"%.60s\" is not a prefix such as 192.0.2.0/24 or 2001:db8::/32", text);
	bits = slash && slash[1] >= '0' && slash[1] <= '9' ? strtoul(slash + 1, &end, 10) : width;
	if (bits > width || (slash && (!end || *end)))
		return why_set(why, "address_invalid", "source", "\"%.60s\": the length of the prefix must be 0 to %lu", text, width);
	*ret_bits = (uint8_t)(bits + 128 - width);
	return 0;
}

struct input {
	struct store_node_token_new token;
	uint8_t source[16];
};

static int parse(const struct api_call *call, struct input *ret, struct why *why)
{
	const struct api_env *env = api_get_env(call->api);
	const char *roles = api_str(call, "kind"), *source = api_str(call, "source");

	*ret = (struct input){ .token = { .region = api_str(call, "region"), .uses = (unsigned)api_int(call, "uses", 1),
					  .name = api_str(call, "name"), .roles = ROLE_HOST } };
	if (roles && api_parse_roles("kind", roles, &ret->token.roles, why))
		return E_REFUSED;
	if (api_parse_expiry("expires", api_has(call, "expires") ? api_str(call, "expires") : "1d", clock_real_ms(&env->clock),
			     &ret->token.expires_ms, why))
		return E_REFUSED;
	if (source) {
		if (parse_prefix(source, ret->source, &ret->token.source_bits, why))
			return E_REFUSED;
		ret->token.source = ret->source;
	}
	return 0;
}

static int check(struct api_call *call, struct why *why)
{
	struct input in;

	return parse(call, &in, why);
}

static int create(struct store *store, struct api_call *call)
{
	const struct api_env *env = api_get_env(call->api);
	char secret[STORE_NODE_SECRET_SIZE], text[LINK_TOKEN_TEXT_MAX + 1];
	struct link_token whole = { 0 };
	struct store_node_token token;
	struct input in;
	int r = parse(call, &in, &call->op.why);

	if (r)
		return r;
	in.token.source = in.token.source ? in.source : NULL;
	r = store_node_token_create(store, &call->op, &in.token, &token, secret);
	if (r)
		return r;
	memcpy(whole.id, token.id, sizeof whole.id);
	r = crypto_unhex(secret, strlen(secret), whole.secret, sizeof whole.secret);
	memcpy(whole.controller_key, env->link_public_key, sizeof whole.controller_key);
	snprintf(whole.address, sizeof whole.address, "%s", env->advertise ? env->advertise : "");
	if (r == 0) {
		link_token_format(&whole, text);
		call->reply = token_json(&token);
		json_object_set_new(call->reply, "token", json_string(text));
	}
	crypto_wipe(&whole, sizeof whole);
	crypto_wipe(secret, sizeof secret);
	crypto_wipe(text, sizeof text);
	return r;
}

static void add(void *call, const struct store_node_token *token)
{
	api_add_item(call, token_json(token));
}

static int list(struct store *store, struct api_call *call)
{
	struct store_page page = api_page(call);
	struct store_next next;
	int r = store_node_token_list(store, api_who(call), &page, add, call, &next, &call->op.why);

	if (r == 0)
		api_set_list(call, &next);
	return r;
}

static int show(struct store *store, struct api_call *call)
{
	struct store_node_token token;
	int r = store_node_token_find(store, api_who(call), call->params[0], &token, &call->op.why);

	if (r == 0)
		call->reply = token_json(&token);
	return r;
}

static int revoke(struct store *store, struct api_call *call)
{
	struct store_node_token token;
	int r = store_node_token_revoke(store, &call->op, call->params[0], &token);

	if (r == 0)
		call->reply = token_json(&token);
	return r;
}

static const struct route_field fields[] = {
	{ "region", FIELD_STR, 1, 3, true, "region of the nodes that will join with it" },
	{ "kind", FIELD_STR, 1, 32, false, "roles a node may ask for: host (default), gateway, or host,gateway" },
	{ "uses", FIELD_INT, 1, STORE_NODE_TOKEN_USES_MAX, false, "how many nodes may join with it (1)" },
	{ "expires", FIELD_STR, 1, 32, false, "30m, 12h, 7d (1d), never, or a date" },
	{ "name", FIELD_STR, 1, 63, false, "name of the node; only with uses = 1" },
	{ "source", FIELD_STR, 1, 64, false, "the only address prefix it may come from" },
	{ 0 },
};

const struct route api_node_token_routes[] = {
	{ "GET", "/v1/node-tokens", ROUTE_OPERATOR, .reply = &token_shape, .list = true, .run = list, .help = "list join tokens" },
	{ "POST", "/v1/node-tokens", ROUTE_OPERATOR, .reply = &token_made_shape, .write = true, .secret = true, .success = 201,
	  .fields = fields, .check = check, .run = create, .help = "create a join token; its text is given only here" },
	{ "GET", "/v1/node-tokens/{token}", ROUTE_OPERATOR, .object = &token_shape, .current = show, .reply = &token_shape,
	  .run = show, .help = "show a join token" },
	{ "DELETE", "/v1/node-tokens/{token}", ROUTE_OPERATOR, .object = &token_shape, .current = show, .reply = &token_shape,
	  .write = true, .frees = true, .run = revoke, .help = "revoke a join token" },
	{ 0 },
};
