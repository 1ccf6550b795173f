/* api_init - first start: the first operator token, once, through the local socket only. */
#include "controller/api/api_nouns.h"
#include "controller/api/shape.h"

#include <string.h>

static const struct shape_field init_shape_fields[] = {
	{ "id", SHAPE_STR, 0, NULL, NULL },
	{ "kind", SHAPE_STR, 0, NULL, "operator" },
	{ "org", SHAPE_STR, SHAPE_NULL, NULL, NULL },
	{ "user", SHAPE_STR, SHAPE_NULL, NULL, NULL },
	{ "profile", SHAPE_STR, SHAPE_NULL, NULL, NULL },
	{ "name", SHAPE_STR, SHAPE_NULL, NULL, NULL },
	{ "created", SHAPE_TIME, 0, NULL, NULL },
	{ "expires", SHAPE_TIME, SHAPE_NULL, NULL, NULL },
	{ "last_use", SHAPE_TIME, SHAPE_NULL, NULL, NULL },
	{ "revoked", SHAPE_TIME, SHAPE_NULL, NULL, NULL },
	{ "own_only", SHAPE_BOOL, 0, NULL, NULL },
	{ "token", SHAPE_STR, SHAPE_MAYBE, NULL, "its text, shown only here" },
	{ "controller_key", SHAPE_STR, 0, NULL, "of the control link, hex" },
	{ "link", SHAPE_STR, 0, NULL, "where nodes find the controller" },
	{ "region", SHAPE_OBJECT, SHAPE_MAYBE, &api_region_shape, "if one was asked for" },
	{ "access", SHAPE_OBJECT, SHAPE_MAYBE, &api_access_shape, "how others get here" },
	{ 0 },
};
static const struct shape init_shape = { "Init", false, init_shape_fields };

static void look_for_operator(void *arg, const struct store_token *token)
{
	if (token->kind == PRINCIPAL_OPERATOR && !token->revoked_ms)
		*(bool *)arg = true;
}

static int has_operator(struct store *store, const struct principal *who, bool *ret_found, struct why *why)
{
	struct store_page page = { 0 };
	struct store_next next, before = { 0 };
	int r;

	*ret_found = false;
	do {
		page.after = before.cursor;
		r = store_token_list(store, who, NULL, &page, look_for_operator, ret_found, &next, why);
		before = next;
	} while (r == 0 && !*ret_found && next.cursor[0]);
	return r;
}

static int init(struct store *store, struct api_call *call)
{
	const struct api_env *env = api_get_env(call->api);
	const char *region_name = api_str(call, "region");
	struct store_token_new in = { .kind = PRINCIPAL_OPERATOR, .name = api_has(call, "name") ? api_str(call, "name") : "first operator" };
	struct store_token token;
	char text[TOKEN_TEXT_SIZE], key[2 * CRYPTO_KEY_LEN + 1];
	bool found;
	int r = has_operator(store, api_who(call), &found, &call->op.why);

	if (r)
		return r;
	if (found)
		return why_set(&call->op.why, "already_initialized", "",
			       "this controller has been set up already: an operator token exists and is never shown again");
	r = store_token_create(store, &call->op, &in, &token, text);
	if (r)
		return r;
	call->reply = api_token_json(&token);
	json_object_set_new(call->reply, "token", json_string(text));
	crypto_wipe(text, sizeof text);
	crypto_hex(env->link_public_key, sizeof env->link_public_key, key);
	json_object_set_new(call->reply, "controller_key", json_string(key));
	json_object_set_new(call->reply, "link", json_string(env->advertise ? env->advertise : ""));
	if (region_name) {
		struct store_region_new region_in = { .name = region_name };
		struct store_region region;

		r = store_region_create(store, &call->op, &region_in, &region);
		if (r == 0)
			json_object_set_new(call->reply, "region", api_region_json(&region));
	}
	return r;
}

static void add_access(struct api_call *call)
{
	json_t *access = api_access_json(api_get_env(call->api));

	if (access)
		json_object_set_new(call->reply, "access", access);
}

static const struct route_field fields[] = {
	{ "region", FIELD_STR, 1, 3, false, "also make this region, from the built-in list" },
	{ "name", FIELD_STR, 1, 63, false, "name of the token, for people" },
	{ 0 },
};

const struct route api_init_routes[] = {
	{ "POST", "/v1/init", ROUTE_LOCAL, .reply = &init_shape, .write = true, .secret = true, .success = 201, .fields = fields, .run = init,
	  .finish = add_access,
	  .help = "make the first operator token, once" },
	{ 0 },
};
