/* api_graphql - POST /graphql: an operation runs as one op of the store thread, by resolvers of which each noun has a file (gql_<noun>.c).
 *
 * A mutation has one field and is one transaction: whatever is wrong in its reply undoes it. Every reply has HTTP status 200. */
#pragma once
#include "controller/api/api.h"
#include "controller/graphql/graphql.h"

/* The ctx of every resolver. Runs in the store thread. */
struct gql_call {
	struct store *store;
	struct api_call *call;
	size_t told; /* bytes of what is long: counted by whoever tells it, at most GQL_TOLD_MAX in a reply */
	size_t read; /* rows of lists: see gql_spend */
};
#define GQL_TOLD_MAX (16u << 20)
#define GQL_ROWS_MAX 20000u /* two of the longest lists */

/* The tables of the nouns; Query, Mutation and Organization have fields in several. */
extern const struct gql_type gql_viewer_types[], gql_org_types[], gql_region_types[], gql_wireguard_types[], gql_app_types[],
	gql_machine_types[], gql_token_types[], gql_ip_types[];

extern const struct gql_absent gql_absent[];
extern const struct gql_schema api_graphql_schema;

/* Loop thread: what only memory knows of peers (gatewayStatus) goes into the reply. */
void gql_wireguard_finish(struct api_call *call);

/* Whether the file that flyctl writes of it will open a tunnel: it knows one port, and no IPv6 address. E_REFUSED "gateway_unfit". */
struct store_peer;
int gql_wireguard_check_fit(const struct store_peer *peer, struct why *why) MUST_CHECK;

/* ---- for resolvers ---- */

const char *gql_str(const json_t *object, const char *name); /* NULL if absent, null or "" */
/* Every resolver of a list says before reading that it does (0 rows), and after it how many rows it was: one text can ask for a long list
 * in 2,000 places and for nothing but its length, and everybody's requests wait for the store meanwhile. E_REFUSED "query_too_large". */
int gql_spend(struct gql_call *gql, size_t rows, struct why *why) MUST_CHECK;
struct store_org;
/* By slug or id; "personal" is the caller's own. An error if there is none. */
int gql_org_find(struct gql_call *gql, const char *ref, struct store_org *ret_org, struct why *why) MUST_CHECK;
json_t *gql_org_json(struct gql_call *gql, const struct store_org *org);
struct store_app;
/* By name, "org/name" or id. */
int gql_app_find(struct gql_call *gql, const char *ref, struct store_app *ret_app, struct why *why) MUST_CHECK;
int gql_app_json(struct gql_call *gql, const struct store_app *app, json_t **ret, struct why *why) MUST_CHECK;
/* Of an app or an organization: some of flyctl's readers keep either in an int32, and fail at a greater number. Of the id, and not unique. */
uint32_t gql_number_of(const uint8_t id[ID_LEN]);
