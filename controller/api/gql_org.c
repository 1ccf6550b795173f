/* gql_org - organizations as flyctl sees them. */
#include "controller/api/api_graphql.h"
#include "controller/store/store_org.h"
#include "controller/store/store_user.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int gql_org_find(struct gql_call *gql, const char *ref, struct store_org *ret_org, struct why *why)
{
	if (!ref || !*ref)
		return why_set(why, "org_missing", "organization", "no organization is named");
	return store_org_find(gql->store, api_who(gql->call), ref, ret_org, why);
}

json_t *gql_org_json(struct gql_call *gql, const struct store_org *org)
{
	const struct principal *who = api_who(gql->call);
	const char *slug = api_org_slug(who, org->id, org->name);
	char number[24];

	snprintf(number, sizeof number, "%" PRIu32, gql_number_of(org->id));
	return json_pack("{s:o,s:s,s:s,s:s,s:s,s:s,s:b,s:b,s:s}", "id", api_json_id(org->id), "internalNumericId", number, "slug", slug, "rawSlug",
			 org->name, "name", org->name, "type", slug == org->name ? "SHARED" : "PERSONAL", "paidPlan", 0, "billable", 1,
			 "viewerRole", principal_may(who, org->id, ACTION_ADMIN) ? "admin" : "member");
}

static int organization(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	const char *slug = gql_str(args, "slug");
	struct store_org org;
	int r = gql_org_find(ctx, slug ? slug : gql_str(args, "id"), &org, why);

	(void)parent;
	if (r == 0)
		*ret = gql_org_json(ctx, &org);
	return r;
}

struct listing {
	struct gql_call *gql;
	json_t *nodes;
};

static void add(void *arg, const struct store_org *org)
{
	struct listing *l = arg;

	json_array_append_new(l->nodes, gql_org_json(l->gql, org));
}

static int organizations(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	struct listing l = { ctx, json_array() };
	struct store_next next = { "" };
	int r = gql_spend(ctx, 0, why);

	(void)parent;
	(void)args; /* admin: an operator's token sees all anyway, and no other gets to */
	do {
		struct store_next before = next;
		struct store_page page = { .after = before.cursor };

		next = (struct store_next){ "" };
		if (r == 0)
			r = store_org_list(l.gql->store, api_who(l.gql->call), &page, add, &l, &next, why);
	} while (r == 0 && next.cursor[0] && json_array_size(l.nodes) < GQL_STEPS_MAX);
	if (r == 0)
		r = gql_spend(ctx, json_array_size(l.nodes), why);
	if (r)
		json_decref(l.nodes);
	else
		*ret = json_pack("{s:o}", "nodes", l.nodes);
	return r;
}

/* ---- mutations ---- */

static int create(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	const json_t *input = json_object_get(args, "input");
	const char *name = gql_str(input, "name");
	struct gql_call *gql = ctx;
	char slug[NAME_SIZE];
	struct store_org org;
	json_t *made;
	int r;

	(void)parent;
	store_org_name_of(name ? name : "", slug);
	r = store_org_create(gql->store, &gql->call->op, slug, &org);
	if (r == E_REFUSED)
		*why = gql->call->op.why;
	if (r)
		return r;
	made = gql_org_json(gql, &org);
	json_object_set_new(made, "viewerRole", json_string("admin")); /* the principal was looked up before */
	*ret = json_pack("{s:o,s:o}", "organization", made, "clientMutationId", api_json_str(gql_str(input, "clientMutationId")));
	return 0;
}

static int delete(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	const json_t *input = json_object_get(args, "input");
	struct gql_call *gql = ctx;
	struct store_deletion deletion;
	struct store_org org;
	char id[ID_TEXT_SIZE];
	int r = gql_org_find(gql, gql_str(input, "organizationId"), &org, why);

	(void)parent;
	if (r)
		return r;
	r = store_org_delete(gql->store, &gql->call->op, id_text(org.id, id), &deletion);
	if (r == E_REFUSED)
		*why = gql->call->op.why;
	if (r == 0)
		*ret = json_pack("{s:o,s:s}", "clientMutationId", api_json_str(gql_str(input, "clientMutationId")), "deletedOrganizationId", id);
	return r;
}

/* ---- members ---- */

static void add_member(void *arg, const struct store_user *user, enum store_role role, uint64_t since_ms)
{
	json_array_append_new(arg, json_pack("{s:s,s:{s:o,s:s,s:s,s:b},s:o,s:s}", "cursor", user->email, "node", "id", api_json_id(user->id), "email",
					     user->email, "name", user->name, "enablePaidHobby", 0, "joinedAt", api_json_time(since_ms), "role",
					     role == ROLE_MEMBER_ADMIN ? "ADMIN" : "MEMBER"));
}

static int members(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	struct gql_call *gql = ctx;
	json_t *edges = json_array();
	int r = gql_spend(gql, 0, why);

	(void)args;
	if (r == 0)
		r = store_membership_list(gql->store, api_who(gql->call), gql_str(parent, "id"), add_member, edges, why);
	if (r == 0)
		r = gql_spend(gql, json_array_size(edges), why);
	if (r)
		json_decref(edges);
	else
		*ret = json_pack("{s:o}", "edges", edges);
	return r;
}

static const struct gql_input create_args[] = { { "input", "CreateOrganizationInput!" }, { 0 } };
static const struct gql_input delete_args[] = { { "input", "DeleteOrganizationInput!" }, { 0 } };
static const struct gql_input create_input[] = { { "name", "String!" }, { "clientMutationId", "String" }, { 0 } };
static const struct gql_input delete_input[] = { { "organizationId", "ID!" }, { "clientMutationId", "String" }, { 0 } };
static const struct gql_field mutation[] = { { "createOrganization", "CreateOrganizationPayload", create, create_args },
					     { "deleteOrganization", "DeleteOrganizationPayload", delete, delete_args },
					     { 0 } };
static const struct gql_field created[] = { { "organization", "Organization!", NULL, NULL }, { "clientMutationId", "String", NULL, NULL }, { 0 } };
static const struct gql_field deleted[] = { { "deletedOrganizationId", "ID!", NULL, NULL }, { "clientMutationId", "String", NULL, NULL }, { 0 } };
static const struct gql_input slug_args[] = { { "slug", "String" }, { "id", "ID" }, { 0 } };
static const struct gql_input admin_args[] = { { "admin", "Boolean" }, { 0 } };
static const struct gql_field query[] = { { "organization", "Organization", organization, slug_args },
					  { "organizations", "OrganizationConnection!", organizations, admin_args },
					  { 0 } };
static const struct gql_field connection[] = { { "nodes", "[Organization!]!", NULL, NULL }, { 0 } };
static const struct gql_field org_fields[] = { { "id", "ID!", NULL, NULL },
					       { "internalNumericId", "BigInt!", NULL, NULL },
					       { "slug", "String!", NULL, NULL },
					       { "rawSlug", "String!", NULL, NULL },
					       { "name", "String!", NULL, NULL },
					       { "type", "OrganizationType!", NULL, NULL },
					       { "paidPlan", "Boolean!", NULL, NULL },
					       { "billable", "Boolean!", NULL, NULL },
					       { "viewerRole", "String!", NULL, NULL },
					       { "remoteBuilderImage", "String", NULL, NULL }, /* none are built here */
					       { "remoteBuilderApp", "BuilderApp", NULL, NULL },
					       { "members", "OrganizationMembershipsConnection!", members, NULL },
					       { 0 } };
static const struct gql_field builder[] = { { "name", "String!", NULL, NULL }, { 0 } };
static const struct gql_field memberships[] = { { "edges", "[OrganizationMembershipsEdge!]!", NULL, NULL }, { 0 } };
static const struct gql_field edge[] = { { "cursor", "String!", NULL, NULL },
					 { "node", "User!", NULL, NULL },
					 { "joinedAt", "ISO8601DateTime!", NULL, NULL },
					 { "role", "OrganizationMemberRole!", NULL, NULL },
					 { 0 } };
static const char *const org_kinds[] = { "PERSONAL", "SHARED", NULL };
static const char *const roles[] = { "ADMIN", "MEMBER", NULL };

const struct gql_type gql_org_types[] = {
	{ .name = "Query", .fields = query },
	{ .name = "Mutation", .fields = mutation },
	{ .name = "CreateOrganizationPayload", .fields = created },
	{ .name = "DeleteOrganizationPayload", .fields = deleted },
	{ .name = "CreateOrganizationInput", .kind = GQL_INPUT, .inputs = create_input },
	{ .name = "DeleteOrganizationInput", .kind = GQL_INPUT, .inputs = delete_input },
	{ .name = "Organization", .fields = org_fields },
	{ .name = "OrganizationConnection", .fields = connection },
	{ .name = "BuilderApp", .fields = builder },
	{ .name = "OrganizationMembershipsConnection", .fields = memberships },
	{ .name = "OrganizationMembershipsEdge", .fields = edge },
	{ .name = "OrganizationType", .kind = GQL_ENUM, .names = org_kinds },
	{ .name = "OrganizationMemberRole", .kind = GQL_ENUM, .names = roles },
	{ 0 },
};
