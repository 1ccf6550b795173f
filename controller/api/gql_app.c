/* gql_app - apps as flyctl sees them: looked up, listed, made and deleted. What sixpn keeps nothing of (releases, services, images) is
 * null or empty where flyctl reads it on the way to something else; where a command shows it, gql_absent.c says that it is not offered. */
#include "controller/api/api_graphql.h"
#include "controller/api/api_nouns.h"
#include "controller/api/cursor.h"
#include "controller/store/store_app.h"
#include "controller/store/store_org.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_NETWORK "default"

/* flyctl knows a missing app by these words; and whatever the reason is that a stranger sees none, they are the same. */
static int not_found(const char *name, struct why *why)
{
	return why_set(why, "app_not_found", "app", "Could not find App \"%.63s\"", name);
}

int gql_app_find(struct gql_call *gql, const char *ref, struct store_app *ret_app, struct why *why)
{
	int r = store_app_find(gql->store, api_who(gql->call), NULL, ref, ret_app, why);

	return r == E_REFUSED && strcmp(why->code, "ambiguous_app") ? not_found(ref, why) : r;
}

/* ---- what an app looks like ---- */

/* Apps of one org come one after the other in lists: it is looked up once. */
struct maker {
	struct gql_call *gql;
	json_t *org;
	uint8_t org_id[ID_LEN];
	bool suspended;
	json_t *nodes; /* of a list */
	int failed;
	struct why *why;
};

static int take_org(struct maker *m, const uint8_t id[ID_LEN])
{
	struct store_org org;
	int r;

	if (m->org && id_equal(m->org_id, id))
		return 0;
	r = store_org_find_by_id(m->gql->store, api_who(m->gql->call), id, &org, m->why);
	if (r)
		return r;
	json_decref(m->org);
	m->org = gql_org_json(m->gql, &org);
	m->suspended = org.suspended;
	memcpy(m->org_id, id, ID_LEN);
	return 0;
}

static json_t *app_json(struct maker *m, const struct store_app *app)
{
	const char *status = m->suspended ? "suspended" : app->instances ? "deployed" : "pending";
	char hostname[NAME_SIZE + 16];

	snprintf(hostname, sizeof hostname, "%s.internal", app->name);
	return json_pack("{s:o,s:I,s:s,s:s,s:b,s:s,s:s,s:s,s:i,s:s,s:{s:{}},s:[],s:O}", "id", api_json_id(app->id), "internalNumericId",
			 (json_int_t)gql_number_of(app->id), "name", app->name, "hostname", hostname, "deployed",
			 app->instances > 0, "status", status, "state", m->suspended ? "SUSPENDED" : app->instances ? "DEPLOYED" : "PENDING",
			 "network", strcmp(app->network_name, DEFAULT_NETWORK) ? app->network_name : "", "version", 0, "platformVersion",
			 "machines", "config", "definition", "services", "organization", m->org);
}

int gql_app_json(struct gql_call *gql, const struct store_app *app, json_t **ret, struct why *why)
{
	struct maker m = { .gql = gql, .why = why };
	int r = take_org(&m, app->org);

	if (r == 0)
		*ret = app_json(&m, app);
	json_decref(m.org);
	return r;
}

/* ---- queries ---- */

/* `proxy -o org` asks for the network of the app that it was given none of: that has the default one, and nothing else. */
static int app(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	const char *name = gql_str(args, "name");
	struct store_app found;
	int r;

	(void)parent;
	if (!name) {
		*ret = json_pack("{s:s}", "network", "");
		return 0;
	}
	r = gql_app_find(ctx, name, &found, why);
	return r ? r : gql_app_json(ctx, &found, ret, why);
}

/* Every question for more than the network of that one asks for its id too. Only this field has a resolver: the others stand in lists
 * of many machines, and resolvers are counted. */
static int id(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	(void)ctx;
	(void)args;
	*ret = json_incref(json_object_get(parent, "id"));
	return *ret ? 0 : why_set(why, "app_not_found", "app", "Could not find App \"\": give its name, for example with -a");
}

static int name_available(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	const char *name = gql_str(args, "name");
	struct store_app found;
	int r = name_check_app(name ? name : "", NULL) ? 0 : gql_app_find(ctx, name, &found, why);

	(void)parent;
	if (r < 0)
		return r;
	*ret = json_boolean(r == E_REFUSED && !strcmp(why->code, "app_not_found"));
	return 0;
}

static void add(void *arg, const struct store_app *app)
{
	struct maker *m = arg;

	if (m->failed)
		return;
	m->failed = take_org(m, app->org);
	if (m->failed == 0)
		json_array_append_new(m->nodes, app_json(m, app));
}

/* As in api_list.c: a cursor is good for the asker and the organization that it was given for. */
static void make_key(struct gql_call *gql, const char *org, uint8_t ret_key[32])
{
	const struct principal *who = api_who(gql->call);
	struct crypto_part bound[] = { { "graphql apps", 12 }, { &who->kind, sizeof who->kind }, { who->id, ID_LEN }, { org ? org : "", org ? strlen(org) : 0 } };
	struct store_identity identity;

	store_get_identity(gql->store, &identity);
	cursor_key(identity.secret, bound, ARRAY_LEN(bound), ret_key);
	crypto_wipe(&identity, sizeof identity);
}

static int list_page(struct gql_call *gql, const char *org, const char *after, unsigned limit, json_t **ret, struct why *why)
{
	struct maker m = { .gql = gql, .why = why, .nodes = json_array() };
	char inner[STORE_CURSOR_SIZE] = "", text[CURSOR_TEXT_SIZE] = "";
	struct store_page page = { .after = inner, .limit = limit };
	struct store_next next = { "" };
	uint8_t key[32];
	int r;

	make_key(gql, org, key);
	r = after ? cursor_open(key, after, inner, why) : 0;
	if (r == 0)
		r = gql_spend(gql, 0, why);
	if (r == 0)
		r = store_app_list(gql->store, api_who(gql->call), org, &page, add, &m, &next, why);
	if (r == 0)
		r = m.failed;
	if (r == 0)
		r = gql_spend(gql, json_array_size(m.nodes), why);
	json_decref(m.org);
	if (r) {
		json_decref(m.nodes);
		return r;
	}
	if (next.cursor[0])
		cursor_seal(key, next.cursor, text);
	*ret = json_pack("{s:{s:b,s:o},s:o}", "pageInfo", "hasNextPage", text[0] != 0, "endCursor", api_json_str(text), "nodes", m.nodes);
	return 0;
}

/* flyctl asks for 200 after 200. Apps have no roles here: who asks for those of one gets none. */
static int apps(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	struct gql_call *gql = ctx;
	const char *ref = gql_str(args, "organizationId");
	const json_t *first = json_object_get(args, "first");
	unsigned limit = STORE_PAGE_MAX;
	char org_id[ID_TEXT_SIZE];
	struct store_org org;
	int r = ref ? gql_org_find(gql, ref, &org, why) : 0;

	(void)parent;
	if (r == 0 && json_is_integer(first) && json_integer_value(first) < 1)
		r = why_set(why, "out_of_range", "first", "\"first\" must be 1 at least");
	if (r)
		return r;
	if (json_is_integer(first) && json_integer_value(first) < STORE_PAGE_MAX)
		limit = (unsigned)json_integer_value(first);
	if (!gql_str(args, "role"))
		return list_page(gql, ref ? id_text(org.id, org_id) : NULL, gql_str(args, "after"), limit, ret, why);
	*ret = json_pack("{s:{s:b,s:n},s:[]}", "pageInfo", "hasNextPage", 0, "endCursor", "nodes");
	return 0;
}

/* Lists of what sixpn has none of. */
static int nothing(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	(void)ctx;
	(void)parent;
	(void)args;
	(void)why;
	*ret = json_pack("{s:[]}", "nodes");
	return 0;
}

static int no_allocations(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	(void)ctx;
	(void)parent;
	(void)args;
	(void)why;
	*ret = json_array(); /* all are machines */
	return 0;
}

/* There is no registry here: what was named stays what it is called. */
static int image(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	const char *ref = gql_str(args, "ref");

	(void)ctx;
	(void)parent;
	if (!ref || strlen(ref) > 255)
		return why_set(why, "value_invalid", "ref", "an image has a name of 1 to 255 bytes");
	*ret = json_pack("{s:s,s:s,s:s,s:s,s:s}", "id", ref, "ref", ref, "digest", "", "compressedSizeFull", "0", "compressedSize", "0");
	return 0;
}

/* flyctl takes an error with these two words for "nothing to compare with", and any other for the end. */
static int latest_image(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	const char *name = gql_str(args, "image");

	(void)ctx;
	(void)parent;
	(void)ret;
	return why_set(why, "not_offered", "image", "Unknown repository \"%.120s\": sixpn keeps no images", name ? name : "");
}

/* ---- mutations ---- */

static int create(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	struct gql_call *gql = ctx;
	const json_t *input = json_object_get(args, "input");
	const char *name = gql_str(input, "name");
	char org_id[ID_TEXT_SIZE];
	struct store_app made;
	struct store_org org;
	json_t *app = NULL;
	int r = gql_org_find(gql, gql_str(input, "organizationId"), &org, why);

	(void)parent;
	if (r)
		return r;
	r = api_app_make(gql->store, &gql->call->op, id_text(org.id, org_id), gql_str(input, "network"), name ? name : "", &made);
	if (r == E_REFUSED)
		*why = gql->call->op.why;
	if (r == 0)
		r = gql_app_json(gql, &made, &app, why);
	if (r == 0)
		*ret = json_pack("{s:o,s:O?}", "app", app, "clientMutationId", json_object_get(input, "clientMutationId"));
	return r;
}

static int delete(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	struct gql_call *gql = ctx;
	const char *ref = gql_str(args, "appId");
	struct store_deletion deletion;
	char org_id[ID_TEXT_SIZE];
	struct store_app found;
	struct store_org org;
	int r = gql_app_find(gql, ref ? ref : "", &found, why);

	(void)parent;
	if (r == 0)
		r = store_org_find_by_id(gql->store, api_who(gql->call), found.org, &org, why);
	if (r)
		return r;
	r = store_app_delete(gql->store, &gql->call->op, id_text(found.org, org_id), found.name, &deletion);
	if (r == E_REFUSED)
		*why = gql->call->op.why;
	if (r == 0)
		*ret = json_pack("{s:o}", "organization", gql_org_json(gql, &org));
	return r;
}

static const struct gql_input name_args[] = { { "name", "String" }, { 0 } };
static const struct gql_input must_name_args[] = { { "name", "String!" }, { 0 } };
static const struct gql_input list_args[] = { { "type", "String" }, { "first", "Int" }, { "after", "String" }, { "organizationId", "ID" },
					      { "role", "String" }, { 0 } };
static const struct gql_input image_args[] = { { "ref", "String!" }, { 0 } };
static const struct gql_input latest_args[] = { { "image", "String!" }, { "flyVersion", "String" }, { 0 } };
static const struct gql_input completed_args[] = { { "showCompleted", "Boolean" }, { 0 } };
static const struct gql_input add_on_args[] = { { "type", "AddOnType" }, { 0 } };
static const struct gql_input create_args[] = { { "input", "CreateAppInput!" }, { 0 } };
static const struct gql_input delete_args[] = { { "appId", "ID!" }, { 0 } };
static const struct gql_input create_input[] = { { "organizationId", "ID!" },	  { "name", "String" },	    { "network", "String" },
						 { "preferredRegion", "String" }, { "runtime", "String" }, { "appRoleId", "ID" },
						 { "machines", "Boolean" },	  { "enableSubdomains", "Boolean" },
						 { "clientMutationId", "String" }, { 0 } };
static const struct gql_field query[] = { { "app", "App", app, name_args },
					  { "apps", "AppConnection!", apps, list_args },
					  { "appNameAvailable", "Boolean!", name_available, must_name_args },
					  { "latestImageDetails", "ImageVersion", latest_image, latest_args },
					  { 0 } };
static const struct gql_field mutation[] = { { "createApp", "CreateAppPayload", create, create_args },
					     { "deleteApp", "DeleteAppPayload", delete, delete_args },
					     { 0 } };
static const struct gql_field app_fields[] = { { "id", "ID!", id, NULL },
					       { "internalNumericId", "Int!", NULL, NULL },
					       { "name", "String", NULL, NULL },
					       { "hostname", "String", NULL, NULL },
					       { "cnameTarget", "String", NULL, NULL }, /* of public names */
					       { "deployed", "Boolean!", NULL, NULL },
					       { "network", "String", NULL, NULL },
					       { "status", "String!", NULL, NULL },
					       { "state", "AppState!", NULL, NULL },
					       { "version", "Int!", NULL, NULL },
					       { "appUrl", "String", NULL, NULL },
					       { "platformVersion", "PlatformVersion", NULL, NULL },
					       { "currentRelease", "Release", NULL, NULL },
					       { "currentReleaseUnprocessed", "Release", NULL, NULL },
					       { "config", "AppConfig!", NULL, NULL },
					       { "organization", "Organization", NULL, NULL },
					       { "services", "[Service!]!", NULL, NULL },
					       { "imageDetails", "ImageVersion", NULL, NULL },
					       { "image", "Image", image, image_args },
					       { "role", "AppRole", NULL, NULL },
					       { "regions", "[Region!]", NULL, NULL },
					       { "limitedAccessTokens", "LimitedAccessTokenConnection!", nothing, NULL }, /* those of the org do it */
					       { "hostIssues", "HostIssueConnection!", nothing, NULL },
					       { "egressIpAddresses", "EgressIPAddressConnection!", nothing, NULL },
					       { "allocations", "[Allocation!]!", no_allocations, completed_args },
					       { 0 } };
static const struct gql_field org_fields[] = { { "addOns", "AddOnConnection!", nothing, add_on_args }, { 0 } };
static const struct gql_field connection[] = { { "pageInfo", "PageInfo!", NULL, NULL }, { "nodes", "[App!]!", NULL, NULL }, { 0 } };
static const struct gql_field page_info[] = { { "hasNextPage", "Boolean!", NULL, NULL }, { "endCursor", "String", NULL, NULL }, { 0 } };
static const struct gql_field config[] = { { "definition", "JSON!", NULL, NULL }, { 0 } };
static const struct gql_field release[] = { { "id", "ID!", NULL, NULL },	    { "version", "Int!", NULL, NULL },
					    { "status", "String!", NULL, NULL },    { "inProgress", "Boolean!", NULL, NULL },
					    { "stable", "Boolean!", NULL, NULL },   { "evaluationId", "String", NULL, NULL },
					    { "reason", "String!", NULL, NULL },    { "description", "String!", NULL, NULL },
					    { "imageRef", "String", NULL, NULL },   { "user", "User", NULL, NULL },
					    { "createdAt", "ISO8601DateTime!", NULL, NULL }, { 0 } };
static const struct gql_field service[] = { { "description", "String!", NULL, NULL },
					    { "protocol", "String!", NULL, NULL },
					    { "internalPort", "Int!", NULL, NULL },
					    { "ports", "[ServicePort!]!", NULL, NULL },
					    { 0 } };
static const struct gql_field port[] = { { "port", "Int!", NULL, NULL }, { "handlers", "[String!]!", NULL, NULL }, { 0 } };
static const struct gql_field image_version[] = { { "registry", "String!", NULL, NULL }, { "repository", "String!", NULL, NULL },
						  { "tag", "String!", NULL, NULL },	 { "digest", "String!", NULL, NULL },
						  { "version", "String", NULL, NULL },	 { 0 } };
static const struct gql_field image_fields[] = { { "id", "ID!", NULL, NULL },
						 { "ref", "String!", NULL, NULL },
						 { "digest", "String!", NULL, NULL },
						 { "compressedSize", "String!", NULL, NULL },
						 { "compressedSizeFull", "BigInt!", NULL, NULL },
						 { "manifest", "JSON", NULL, NULL },
						 { 0 } };
static const struct gql_field role[] = { { "name", "String!", NULL, NULL }, { 0 } };
static const struct gql_field host_issue[] = { { "internalId", "String!", NULL, NULL },
					       { "message", "String!", NULL, NULL },
					       { "createdAt", "ISO8601DateTime!", NULL, NULL },
					       { "updatedAt", "ISO8601DateTime!", NULL, NULL },
					       { 0 } };
static const struct gql_field egress[] = { { "id", "ID!", NULL, NULL },	       { "ip", "String!", NULL, NULL },
					   { "version", "Int!", NULL, NULL }, { "region", "String", NULL, NULL },
					   { "updatedAt", "ISO8601DateTime!", NULL, NULL }, { 0 } };
static const struct gql_field allocation[] = { { "id", "ID!", NULL, NULL },
					       { "region", "String!", NULL, NULL },
					       { "privateIP", "String", NULL, NULL },
					       { 0 } };
static const struct gql_field add_on_plan[] = { { "id", "ID!", NULL, NULL },
						{ "name", "String!", NULL, NULL },
						{ "displayName", "String", NULL, NULL },
						{ "description", "String", NULL, NULL },
						{ 0 } };
static const struct gql_field add_on[] = { { "id", "ID!", NULL, NULL },		    { "name", "String", NULL, NULL },
					   { "addOnPlan", "AddOnPlan", NULL, NULL },	    { "privateIp", "String", NULL, NULL },
					   { "primaryRegion", "String", NULL, NULL },	    { "readRegions", "[String!]", NULL, NULL },
					   { "options", "JSON", NULL, NULL },		    { "metadata", "JSON", NULL, NULL }, { 0 } };
static const struct gql_field host_issues[] = { { "nodes", "[HostIssue!]!", NULL, NULL }, { 0 } };
static const struct gql_field egresses[] = { { "nodes", "[EgressIPAddress!]!", NULL, NULL }, { 0 } };
static const struct gql_field add_ons[] = { { "nodes", "[AddOn!]!", NULL, NULL }, { 0 } };
static const struct gql_field created[] = { { "app", "App!", NULL, NULL }, { "clientMutationId", "String", NULL, NULL }, { 0 } };
static const struct gql_field deleted[] = { { "organization", "Organization!", NULL, NULL }, { 0 } };
static const char *const states[] = { "PENDING", "DEPLOYED", "SUSPENDED", NULL };
static const char *const platforms[] = { "machines", "detached", "nomad", NULL };
static const char *const add_on_types[] = { "tigris", "upstash_redis", "redis", "upstash_kafka", "upstash_vector", "kubernetes", "sentry",
					    "supabase", "enveloop", "arcjet", "wafris", "fly_mysql", NULL };

const struct gql_type gql_app_types[] = {
	{ .name = "Query", .fields = query },
	{ .name = "Mutation", .fields = mutation },
	{ .name = "App", .fields = app_fields },
	{ .name = "Organization", .fields = org_fields },
	{ .name = "AppConnection", .fields = connection },
	{ .name = "PageInfo", .fields = page_info },
	{ .name = "AppConfig", .fields = config },
	{ .name = "Release", .fields = release },
	{ .name = "Service", .fields = service },
	{ .name = "ServicePort", .fields = port },
	{ .name = "ImageVersion", .fields = image_version },
	{ .name = "Image", .fields = image_fields },
	{ .name = "AppRole", .fields = role },
	{ .name = "HostIssueConnection", .fields = host_issues },
	{ .name = "HostIssue", .fields = host_issue },
	{ .name = "EgressIPAddressConnection", .fields = egresses },
	{ .name = "EgressIPAddress", .fields = egress },
	{ .name = "Allocation", .fields = allocation },
	{ .name = "AddOnConnection", .fields = add_ons },
	{ .name = "AddOn", .fields = add_on },
	{ .name = "AddOnPlan", .fields = add_on_plan },
	{ .name = "CreateAppPayload", .fields = created },
	{ .name = "DeleteAppPayload", .fields = deleted },
	{ .name = "CreateAppInput", .kind = GQL_INPUT, .inputs = create_input },
	{ .name = "AppState", .kind = GQL_ENUM, .names = states },
	{ .name = "PlatformVersion", .kind = GQL_ENUM, .names = platforms },
	{ .name = "AddOnType", .kind = GQL_ENUM, .names = add_on_types },
	{ 0 },
};
