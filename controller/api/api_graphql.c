/* api_graphql - see api_graphql.h. */
#include "controller/api/api_graphql.h"

#include "controller/api/api_nouns.h"
#include "controller/api/shape.h"
#include "controller/store/error.h"

#include <stdio.h>
#include <string.h>

#define GRAPHQL_WAIT_MS 30000u

static const struct gql_type *const tables[] = { gql_viewer_types, gql_org_types, gql_region_types, gql_wireguard_types,
						gql_app_types, gql_machine_types, gql_token_types, gql_ip_types, NULL };

/* flyctl and other clients know these words; ours stands in extensions.reason. */
static const char *code_of(const char *code)
{
	switch (error_http_status(code)) {
	case 401:
	case 403: return "UNAUTHORIZED";
	case 404: return "NOT_FOUND";
	case 409:
	case 422: return "UNPROCESSABLE";
	case 429: return "RATE_LIMITED";
	case 400:
	case 413: return "INVALID";
	default: return "SERVER_ERROR";
	}
}

const struct gql_schema api_graphql_schema = { tables, code_of, gql_absent };

/* What mutations need beside their resolver. */
static const struct mutation {
	const char *name;
	bool reads; /* changes nothing */
	bool waits; /* until a gateway has it */
	bool frees; /* a delete: allowed on a full disk */
} mutations[] = {
	{ "addWireGuardPeer", .waits = true },
	{ "deleteApp", .frees = true },
	{ "releaseIpAddress", .frees = true },
	{ "deleteOrganization", .frees = true },
	{ "createLimitedAccessToken", .reads = true },
	{ "deleteLimitedAccessToken", .frees = true },
	{ "deleteDelegatedWireGuardToken", .frees = true },
	{ "logOut", .frees = true },
	{ "removeWireGuardPeer", .frees = true },
	{ "validateWireGuardPeers", .reads = true },
};

/* ---- replies ---- */

static json_t *refusal(struct api_call *call, const struct why *why, unsigned *status)
{
	*status = 200; /* flyctl shows no message with another */
	if (json_object_get(call->reply, "errors")) /* with places, where one is known */
		return TAKE(call->reply);
	return json_pack("{s:[o]}", "errors", gql_error(&api_graphql_schema, why));
}

/* A reply that claims more than is so becomes an error. */
static unsigned waited(struct api_call *call, const struct api_wait_result *result)
{
	struct why why;

	if (result->applied)
		return 200;
	why_set(&why, "not_applied", "",
		"the peer was made, but its gateway \"%s\" has not taken it in within %u s: it may come to work later; remove it to try again",
		call->wait.gateway, GRAPHQL_WAIT_MS / 1000);
	json_decref(call->reply);
	call->reply = json_pack("{s:n,s:[o]}", "data", "errors", gql_error(&api_graphql_schema, &why));
	return 200;
}

static const struct route_manner manner = { refusal, waited };

/* ---- the route ---- */

static void prepare(struct api_call *call)
{
	const struct gql_field *field = gql_request_mutation(call->graphql);
	const struct mutation *m = NULL;

	if (!field)
		return;
	for (size_t i = 0; i < ARRAY_LEN(mutations); i++)
		if (!strcmp(mutations[i].name, field->name))
			m = &mutations[i];
	call->writes = !m || !m->reads;
	call->frees = m && m->frees;
	call->want_wait = m && m->waits && api_get_env(call->api)->ops->wait;
	call->wait.timeout_ms = GRAPHQL_WAIT_MS;
}

static int check(struct api_call *call, struct why *why)
{
	const json_t *query = json_object_get(call->body, "query");
	json_t *errors = NULL;
	int r = gql_request_new(&api_graphql_schema, json_string_value(query), json_string_length(query), api_str(call, "operationName"),
				json_object_get(call->body, "variables"), &call->graphql, &errors);

	if (r == 0) {
		prepare(call);
		return 0;
	}
	if (errors)
		call->reply = json_pack("{s:o}", "errors", errors);
	return r == E_REFUSED ? why_set(why, "query_invalid", "query", "the query was refused") :
				why_set(why, "query_too_large", "query", "the query needs more memory than a request may take");
}

static int run(struct store *store, struct api_call *call)
{
	struct gql_call gql = { .store = store, .call = call };
	json_t *data = NULL, *errors = NULL;
	struct why why;
	int r;

	if (call->tries) /* the gateway that was waited for has gone; the next says which */
		call->wait.gateway[0] = 0;
	r = gql_execute(call->graphql, &gql, &data, &errors, &why);
	if (r)
		return r;
	if (errors && call->writes) {
		json_decref(data);
		call->reply = json_pack("{s:n,s:o}", "data", "errors", errors);
		call->op.why = why;
		return E_REFUSED;
	}
	call->reply = json_pack("{s:o}", "data", data ? data : json_null());
	if (errors)
		json_object_set_new(call->reply, "errors", errors);
	return 0;
}

/* ---- for resolvers ---- */

const char *gql_str(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text && *text ? text : NULL;
}

int gql_spend(struct gql_call *gql, size_t rows, struct why *why)
{
	gql->read += rows;
	return gql->read <= GQL_ROWS_MAX ? 0 : why_set(why, "query_too_large", "query",
						       "the lists that are asked for have more than %u entries together, as often as each is asked for: "
						       "ask for less at a time", GQL_ROWS_MAX);
}

uint32_t gql_number_of(const uint8_t id[ID_LEN])
{
	uint64_t n = 0;

	for (int i = 0; i < 7; i++)
		n = n << 8 | id[i];
	return n >> 3 & INT32_MAX;
}

static const struct shape error_shape = { "GraphqlError", true, NULL };
static const struct shape_field reply_fields[] = {
	{ "data", SHAPE_ANY, SHAPE_MAYBE, NULL, "as the query asks" },
	{ "errors", SHAPE_LIST, SHAPE_MAYBE, &error_shape, "with message, path and extensions.code" },
	{ 0 },
};
static const struct shape reply_shape = { "GraphqlReply", false, reply_fields };

static const struct route_field fields[] = {
	{ "query", FIELD_TEXT, 0, GQL_TEXT_MAX, true, "GraphQL: one query or mutation, or several and operationName" },
	{ "variables", FIELD_OBJECT, 0, 0, false, "of the operation" },
	{ "operationName", FIELD_STR, 0, 255, false, "which of several operations" },
	{ "extensions", FIELD_OBJECT, 0, 0, false, "not used" },
	{ 0 },
};

const struct route api_graphql_routes[] = {
	{ "POST", "/graphql", ROUTE_TOKEN, .reply = &reply_shape, .graphql = true, .manner = &manner, .fields = fields, .check = check, .run = run, .finish = gql_wireguard_finish,
	  .again = api_peer_make_again, .help = "what flyctl asks: GraphQL; errors too come with status 200" },
	{ 0 },
};
