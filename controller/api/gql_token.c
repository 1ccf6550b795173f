/* gql_token - tokens as flyctl sees them: those of an organization are listed and revoked, delegated WireGuard tokens are made as well
 * (profile peers, own_only: such a one touches only the peers that were made with it). What flyctl would narrow down itself, with the
 * means of macaroons, is not offered. */
#include "controller/api/api_graphql.h"
#include "controller/api/api_nouns.h"
#include "controller/store/store_org.h"

#include <stdio.h>
#include <string.h>

/* ---- the tokens of an organization ---- */

struct listing {
	void (*add)(struct listing *l, const struct store_token *token);
	json_t *nodes;
	size_t rows; /* read: with the revoked ones */
	/* of a search: */
	const char *name;
	const uint8_t *but; /* not this one */
	struct store_token found;
	unsigned n;
};

static void take(void *arg, const struct store_token *token)
{
	struct listing *l = arg;

	l->rows++;
	if (!token->revoked_ms)
		l->add(l, token);
}

static int each_of_org(struct gql_call *gql, const char *org, struct listing *l, struct why *why)
{
	struct store_next next = { "" };
	int r = gql_spend(gql, 0, why);

	do {
		struct store_next before = next;
		struct store_page page = { .after = before.cursor };

		next = (struct store_next){ "" };
		if (r == 0)
			r = store_token_list(gql->store, api_who(gql->call), org, &page, take, l, &next, why);
	} while (r == 0 && next.cursor[0] && json_array_size(l->nodes) < GQL_STEPS_MAX);
	return r ? r : gql_spend(gql, l->rows, why);
}

static int list_nodes(struct gql_call *gql, const json_t *org, void (*add)(struct listing *l, const struct store_token *token), json_t **ret,
		      struct why *why)
{
	struct listing l = { .add = add, .nodes = json_array() };
	int r = each_of_org(gql, gql_str(org, "id"), &l, why);

	if (r)
		json_decref(l.nodes);
	else
		*ret = json_pack("{s:o}", "nodes", l.nodes);
	return r;
}

static void add_limited(struct listing *l, const struct store_token *token)
{
	json_array_append_new(l->nodes, json_pack("{s:o,s:s,s:o}", "id", api_json_id(token->id), "name", token->name, "expiresAt",
						  api_json_time(token->expires_ms)));
}

/* Older flyctl asks for them along with every organization: who may not see them sees none, and no error. */
static int limited(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	(void)args;
	return list_nodes(ctx, parent, add_limited, ret, why);
}

static int delete_limited(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	struct gql_call *gql = ctx;
	const char *id = gql_str(json_object_get(args, "input"), "id");
	struct store_token gone;
	int r = store_token_revoke(gql->store, &gql->call->op, id ? id : "", &gone);

	(void)parent;
	if (r == E_REFUSED)
		*why = gql->call->op.why;
	if (r == 0)
		*ret = json_pack("{s:o}", "token", api_json_id(gone.id));
	return r;
}

static int create_limited(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	const json_t *input = json_object_get(args, "input");
	const char *profile = gql_str(input, "profile");
	struct store_org org;
	int r = gql_org_find(ctx, gql_str(input, "organizationId"), &org, why);

	(void)parent;
	(void)ret;
	if (r)
		return r;
	if (profile && !strcmp(profile, "identity"))
		return why_set(why, "not_offered", "profile", "sixpn has no identity tokens: set FLY_SEND_METRICS=0, and flyctl asks for none");
	if (profile && !strcmp(profile, "deploy"))
		return why_set(why, "not_offered", "profile",
			       "sixpn has no tokens for one app alone: sixpn token create --org %s --profile deploy makes one for all of them",
			       org.name);
	return why_set(why, "not_offered", "profile",
		       "sixpn's tokens are no macaroons, which flyctl would narrow down itself: make one with sixpn token create --org %s "
		       "--profile peers (or read, deploy)",
		       org.name);
}

/* ---- delegated WireGuard tokens ---- */

static void add_delegated(struct listing *l, const struct store_token *token)
{
	if (token->own_only)
		json_array_append_new(l->nodes, json_pack("{s:s}", "name", token->name));
}

static int delegated(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	(void)args;
	return list_nodes(ctx, parent, add_delegated, ret, why);
}

static void search(struct listing *l, const struct store_token *token)
{
	if (token->own_only && !strcmp(token->name, l->name) && !(l->but && id_equal(token->id, l->but))) {
		l->found = *token;
		l->n++;
	}
}

static int create_delegated(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	struct gql_call *gql = ctx;
	const json_t *input = json_object_get(args, "input");
	struct store_token_new in = { .kind = PRINCIPAL_ORG_TOKEN, .profile = PROFILE_PEERS, .own_only = true, .name = gql_str(input, "name") };
	struct listing others = { .add = search, .name = in.name };
	char org_id[ID_TEXT_SIZE], text[TOKEN_TEXT_SIZE];
	struct store_token made;
	struct store_org org;
	int r = gql_org_find(gql, gql_str(input, "organizationId"), &org, why);

	(void)parent;
	if (r == 0 && !in.name)
		r = why_set(why, "name_invalid", "name", "a token needs a name");
	if (r)
		return r;
	in.org = id_text(org.id, org_id);
	r = store_token_create(gql->store, &gql->call->op, &in, &made, text);
	if (r == E_REFUSED)
		*why = gql->call->op.why;
	others.but = made.id;
	if (r == 0)
		r = each_of_org(gql, org_id, &others, why);
	if (r == 0 && others.n) /* it is deleted by its name */
		r = why_set(why, "name_taken", "name", "org \"%s\" has a delegated token \"%s\" already", org.name, made.name);
	if (r == 0)
		*ret = json_pack("{s:s,s:O?}", "token", text, "clientMutationId", json_object_get(input, "clientMutationId"));
	crypto_wipe(text, sizeof text);
	return r;
}

static int no_such(const char *name, struct why *why)
{
	return why_set(why, "token_not_found", "name", "there is no delegated token \"%.63s\"", name);
}

static int find_by_name(struct gql_call *gql, const uint8_t org[ID_LEN], const char *name, struct store_token *ret, struct why *why)
{
	struct listing l = { .add = search, .name = name };
	char org_id[ID_TEXT_SIZE];
	int r = each_of_org(gql, id_text(org, org_id), &l, why);

	if (r == 0 && !l.n)
		r = no_such(name, why);
	if (r == 0 && l.n > 1) /* made by sixpn token create, which does not look at names */
		r = why_set(why, "ambiguous_name", "name", "%u tokens are called \"%.63s\": sixpn token revoke takes an id", l.n, name);
	if (r == 0)
		*ret = l.found;
	return r;
}

/* By its whole text: who has that may end it. What is not right about it makes no difference in the answer. */
static int find_by_text(struct gql_call *gql, const uint8_t org[ID_LEN], const char *text, struct store_token *ret, struct why *why)
{
	uint8_t id[ID_LEN], secret[32], hash[CRYPTO_HASH_LEN];
	char id_hex[ID_TEXT_SIZE];
	int r;

	if (token_parse(text, strlen(text), id, secret))
		return no_such("sx1_...", why);
	r = store_token_find(gql->store, api_who(gql->call), id_text(id, id_hex), ret, why);
	token_hash(id, secret, hash);
	crypto_wipe(secret, sizeof secret);
	if (r == E_REFUSED ||
	    (r == 0 && (!crypto_equal(hash, ret->hash, sizeof hash) || !ret->own_only || ret->revoked_ms || !id_equal(ret->org, org))))
		r = no_such("sx1_...", why);
	return r;
}

static int delete_delegated(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	struct gql_call *gql = ctx;
	const json_t *input = json_object_get(args, "input");
	const char *name = gql_str(input, "name"), *text = gql_str(input, "token");
	struct store_token found;
	struct store_org org;
	char id[ID_TEXT_SIZE];
	int r = gql_org_find(gql, gql_str(input, "organizationId"), &org, why);

	(void)parent;
	if (r == 0 && !name == !text)
		r = why_set(why, "value_missing", "name", "say which token: by \"name\" or by \"token\"");
	if (r == 0)
		r = name ? find_by_name(gql, org.id, name, &found, why) : find_by_text(gql, org.id, text, &found, why);
	if (r)
		return r;
	r = store_token_revoke(gql->store, &gql->call->op, id_text(found.id, id), &found);
	if (r == E_REFUSED)
		*why = gql->call->op.why;
	if (r == 0)
		*ret = json_pack("{s:n,s:O?}", "token", "clientMutationId", json_object_get(input, "clientMutationId"));
	return r;
}

/* ---- auth logout ---- */

/* A person's token ends with its session. What an organization or an operator was given for programs does not end because one of those
 * that use it forgets it. */
static int log_out(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	struct gql_call *gql = ctx;
	bool person = api_who(gql->call)->kind == PRINCIPAL_USER;
	struct store_token gone;
	char id[ID_TEXT_SIZE];
	int r = person ? store_token_revoke(gql->store, &gql->call->op, id_text(gql->call->question.token_id, id), &gone) : 0;

	(void)parent;
	if (r == E_REFUSED)
		*why = gql->call->op.why;
	if (r == 0)
		*ret = json_pack("{s:b,s:O?}", "ok", person, "clientMutationId",
				 json_object_get(json_object_get(args, "input"), "clientMutationId"));
	return r;
}

static const struct gql_input create_limited_args[] = { { "input", "CreateLimitedAccessTokenInput!" }, { 0 } };
static const struct gql_input delete_limited_args[] = { { "input", "DeleteLimitedAccessTokenInput!" }, { 0 } };
static const struct gql_input create_delegated_args[] = { { "input", "CreateDelegatedWireGuardTokenInput!" }, { 0 } };
static const struct gql_input delete_delegated_args[] = { { "input", "DeleteDelegatedWireGuardTokenInput!" }, { 0 } };
static const struct gql_input log_out_args[] = { { "input", "LogOutInput!" }, { 0 } };
static const struct gql_input create_limited_input[] = { { "name", "String!" },	   { "organizationId", "ID!" },
							 { "profile", "String!" }, { "profileParams", "JSON" },
							 { "expiry", "String" },   { "optInThirdParties", "[String!]" },
							 { "clientMutationId", "String" }, { 0 } };
static const struct gql_input delete_limited_input[] = { { "id", "ID" }, { "token", "String" }, { "clientMutationId", "String" }, { 0 } };
static const struct gql_input create_delegated_input[] = { { "organizationId", "ID!" },
							   { "name", "String" },
							   { "clientMutationId", "String" },
							   { 0 } };
static const struct gql_input delete_delegated_input[] = { { "organizationId", "ID!" }, { "name", "String" }, { "token", "String" },
							   { "clientMutationId", "String" }, { 0 } };
static const struct gql_input log_out_input[] = { { "clientMutationId", "String" }, { 0 } };
static const struct gql_field mutation[] = {
	{ "createLimitedAccessToken", "CreateLimitedAccessTokenPayload", create_limited, create_limited_args },
	{ "deleteLimitedAccessToken", "DeleteLimitedAccessTokenPayload", delete_limited, delete_limited_args },
	{ "createDelegatedWireGuardToken", "CreateDelegatedWireGuardTokenPayload", create_delegated, create_delegated_args },
	{ "deleteDelegatedWireGuardToken", "DeleteDelegatedWireGuardTokenPayload", delete_delegated, delete_delegated_args },
	{ "logOut", "LogOutPayload", log_out, log_out_args },
	{ 0 }
};
static const struct gql_field org_fields[] = { { "limitedAccessTokens", "LimitedAccessTokenConnection!", limited, NULL },
					       { "delegatedWireGuardTokens", "DelegatedWireGuardTokenConnection!", delegated, NULL },
					       { 0 } };
static const struct gql_field limiteds[] = { { "nodes", "[LimitedAccessToken!]!", NULL, NULL }, { 0 } };
static const struct gql_field limited_fields[] = { { "id", "ID!", NULL, NULL },
						   { "name", "String!", NULL, NULL },
						   { "token", "String", NULL, NULL }, /* never told again */
						   { "tokenHeader", "String", NULL, NULL },
						   { "expiresAt", "ISO8601DateTime", NULL, NULL },
						   { "revokedAt", "ISO8601DateTime", NULL, NULL },
						   { "user", "User", NULL, NULL },
						   { 0 } };
static const struct gql_field delegateds[] = { { "nodes", "[DelegatedWireGuardToken!]!", NULL, NULL }, { 0 } };
static const struct gql_field delegated_fields[] = { { "name", "String!", NULL, NULL }, { 0 } };
static const struct gql_field limited_made[] = { { "limitedAccessToken", "LimitedAccessToken!", NULL, NULL },
						 { "clientMutationId", "String", NULL, NULL },
						 { 0 } };
static const struct gql_field limited_gone[] = { { "token", "String", NULL, NULL }, { "clientMutationId", "String", NULL, NULL }, { 0 } };
static const struct gql_field delegated_made[] = { { "token", "String!", NULL, NULL }, { "clientMutationId", "String", NULL, NULL }, { 0 } };
static const struct gql_field delegated_gone[] = { { "token", "String", NULL, NULL }, { "clientMutationId", "String", NULL, NULL }, { 0 } };
static const struct gql_field logged_out[] = { { "ok", "Boolean!", NULL, NULL }, { "clientMutationId", "String", NULL, NULL }, { 0 } };

const struct gql_type gql_token_types[] = {
	{ .name = "Mutation", .fields = mutation },
	{ .name = "Organization", .fields = org_fields },
	{ .name = "LimitedAccessTokenConnection", .fields = limiteds },
	{ .name = "LimitedAccessToken", .fields = limited_fields },
	{ .name = "DelegatedWireGuardTokenConnection", .fields = delegateds },
	{ .name = "DelegatedWireGuardToken", .fields = delegated_fields },
	{ .name = "CreateLimitedAccessTokenPayload", .fields = limited_made },
	{ .name = "DeleteLimitedAccessTokenPayload", .fields = limited_gone },
	{ .name = "CreateDelegatedWireGuardTokenPayload", .fields = delegated_made },
	{ .name = "DeleteDelegatedWireGuardTokenPayload", .fields = delegated_gone },
	{ .name = "LogOutPayload", .fields = logged_out },
	{ .name = "CreateLimitedAccessTokenInput", .kind = GQL_INPUT, .inputs = create_limited_input },
	{ .name = "DeleteLimitedAccessTokenInput", .kind = GQL_INPUT, .inputs = delete_limited_input },
	{ .name = "CreateDelegatedWireGuardTokenInput", .kind = GQL_INPUT, .inputs = create_delegated_input },
	{ .name = "DeleteDelegatedWireGuardTokenInput", .kind = GQL_INPUT, .inputs = delete_delegated_input },
	{ .name = "LogOutInput", .kind = GQL_INPUT, .inputs = log_out_input },
	{ 0 },
};
