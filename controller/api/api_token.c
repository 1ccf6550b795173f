/* api_token - API tokens over HTTP. The text of one is given once, when it is made. */
#include "controller/api/api_nouns.h"
#include "controller/api/shape.h"

#include <string.h>

/* What the making of one adds. */
#define TOKEN_FIELDS                                                                          \
	{ "id", SHAPE_STR, 0, NULL, NULL }, { "kind", SHAPE_STR, 0, NULL, "operator, user or org" },  \
	{ "org", SHAPE_STR, SHAPE_NULL, NULL, NULL }, { "user", SHAPE_STR, SHAPE_NULL, NULL, "id of the person whose it is" }, { "profile", SHAPE_STR, SHAPE_NULL, NULL, NULL }, \
	{ "name", SHAPE_STR, SHAPE_NULL, NULL, "for people" }, { "created", SHAPE_TIME, 0, NULL, NULL }, \
	{ "expires", SHAPE_TIME, SHAPE_NULL, NULL, NULL },                                         \
	{ "last_use", SHAPE_TIME, SHAPE_NULL | SHAPE_MOVES, NULL, "to within a minute" },     \
	{ "revoked", SHAPE_TIME, SHAPE_NULL, NULL, NULL },                                         \
	{ "own_only", SHAPE_BOOL, 0, NULL, "it changes only the peers that were made with it" }

static const struct shape_field token_fields[] = { TOKEN_FIELDS, { 0 } };
static const struct shape token_shape = { "Token", false, token_fields };
static const struct shape_field token_made_fields[] = {
	TOKEN_FIELDS,
	{ "token", SHAPE_STR, SHAPE_MAYBE, NULL, "its text, shown only here; a dry run makes none" },
	{ 0 },
};
static const struct shape token_made_shape = { "TokenMade", false, token_made_fields };

json_t *api_token_json(const struct store_token *token)
{
	const char *kind = token->kind == PRINCIPAL_OPERATOR ? "operator" : token->kind == PRINCIPAL_USER ? "user" : "org";

	return json_pack("{s:o,s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:b}", "id", api_json_id(token->id), "kind", kind, "org",
			 api_json_str(token->org_name), "user",
			 token->kind == PRINCIPAL_USER ? api_json_id(token->user) : json_null(), "profile", api_json_str(principal_profile_name(token->profile)), "name",
			 api_json_str(token->name), "created", api_json_time(token->created_ms), "expires", api_json_time(token->expires_ms),
			 "last_use", api_json_time(token->last_use_ms), "revoked", api_json_time(token->revoked_ms),
			 "own_only", token->own_only);
}

static int parse(const struct api_call *call, struct store_token_new *ret, struct why *why)
{
	const struct api_env *env = api_get_env(call->api);
	const char *kind = api_str(call, "kind"), *profile = api_str(call, "profile");

	*ret = (struct store_token_new){ .kind = PRINCIPAL_ORG_TOKEN, .org = api_str(call, "org"), .name = api_str(call, "name"),
					 .own_only = api_bool(call, "own_only", false), .profile = PROFILE_DEPLOY };
	if (kind && !strcmp(kind, "operator"))
		ret->kind = PRINCIPAL_OPERATOR;
	else if (kind && !strcmp(kind, "user"))
		ret->kind = PRINCIPAL_USER;
	else if (kind && strcmp(kind, "org"))
		return why_set(why, "value_invalid", "kind", "kind is \"%.30s\": it can be org, user or operator", kind);
	ret->user = api_str(call, "user");
	if (ret->user && ret->kind != PRINCIPAL_USER)
		return why_set(why, "field_invalid", "user", "user is for tokens of kind user");
	if (ret->kind != PRINCIPAL_ORG_TOKEN && (ret->org || profile))
		return why_set(why, "field_invalid", ret->org ? "org" : "profile", "a token of kind %s has neither org nor profile", kind);
	if (ret->kind != PRINCIPAL_ORG_TOKEN && ret->own_only)
		return why_set(why, "field_invalid", "own_only", "own_only is for tokens of profile peers");
	if (ret->kind != PRINCIPAL_ORG_TOKEN)
		ret->profile = PROFILE_NONE;
	if (profile && principal_profile_parse(profile, &ret->profile, why))
		return E_REFUSED;
	return api_parse_expiry("expires", api_str(call, "expires"), clock_real_ms(&env->clock), &ret->expires_ms, why);
}

static int check(struct api_call *call, struct why *why)
{
	struct store_token_new in;

	return parse(call, &in, why);
}

static int create(struct store *store, struct api_call *call)
{
	char text[TOKEN_TEXT_SIZE];
	struct store_token token;
	struct store_token_new in;
	int r = parse(call, &in, &call->op.why);

	if (r)
		return r;
	r = store_token_create(store, &call->op, &in, &token, text);
	if (r == 0) {
		call->reply = api_token_json(&token);
		json_object_set_new(call->reply, "token", json_string(text));
		crypto_wipe(text, sizeof text);
	}
	return r;
}

static void add(void *call, const struct store_token *token)
{
	api_add_item(call, api_token_json(token));
}

static int list(struct store *store, struct api_call *call)
{
	struct store_page page = api_page(call);
	struct store_next next;
	int r = store_token_list(store, api_who(call), api_query(call, "org"), &page, add, call, &next, &call->op.why);

	if (r == 0)
		api_set_list(call, &next);
	return r;
}

static int show(struct store *store, struct api_call *call)
{
	struct store_token token;
	int r = store_token_find(store, api_who(call), call->params[0], &token, &call->op.why);

	if (r == 0)
		call->reply = api_token_json(&token);
	return r;
}

static int revoke(struct store *store, struct api_call *call)
{
	struct store_token token;
	int r = store_token_revoke(store, &call->op, call->params[0], &token);

	if (r == 0)
		call->reply = api_token_json(&token);
	return r;
}

static const struct route_field fields[] = {
	{ "org", FIELD_STR, 1, 63, false, "its organization; may be left out if the token sees only one" },
	{ "kind", FIELD_STR, 1, 16, false, "org (default), user or operator" },
	{ "user", FIELD_STR, 3, 254, false, "kind user: whose, by e-mail or id (your own)" },
	{ "profile", FIELD_STR, 1, 16, false, "read, peers, deploy (default) or admin" },
	{ "own_only", FIELD_BOOL, 0, 0, false, "profile peers: it changes only the peers that were made with it" },
	{ "name", FIELD_STR, 1, 63, false, "for people" },
	{ "expires", FIELD_STR, 1, 32, false, "30m, 12h, 7d, never (default), or a date" },
	{ 0 },
};

const struct route api_token_routes[] = {
	{ "GET", "/v1/tokens", ROUTE_TOKEN, .reply = &token_shape, .list = true, .query = "org", .run = list,
	  .help = "list API tokens" },
	{ "POST", "/v1/tokens", ROUTE_TOKEN, .reply = &token_made_shape, .write = true, .secret = true, .success = 201,
	  .fields = fields, .check = check, .run = create, .help = "create an API token; its text is given only here" },
	{ "GET", "/v1/tokens/{token}", ROUTE_TOKEN, .object = &token_shape, .current = show, .reply = &token_shape, .run = show,
	  .help = "show an API token" },
	{ "DELETE", "/v1/tokens/{token}", ROUTE_TOKEN, .object = &token_shape, .current = show, .reply = &token_shape,
	  .write = true, .frees = true, .run = revoke, .help = "revoke an API token" },
	{ 0 },
};
