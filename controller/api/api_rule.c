/* api_rule - peering rules between networks over HTTP. What is shown of the other org is what the caller was told by it, or has said himself. */
#include "controller/api/api_nouns.h"
#include "controller/api/shape.h"
#include "controller/store/store_rule.h"

static const struct shape_field rule_fields[] = {
	{ "id", SHAPE_STR, 0, NULL, NULL },
	{ "state", SHAPE_STR, 0, NULL, "proposed, or agreed: in force" },
	{ "proposed_by", SHAPE_STR, SHAPE_NULL, NULL, "of a proposal: the organization that waits for the other" },
	{ "from_org", SHAPE_STR, 0, NULL, NULL },
	{ "from_network", SHAPE_STR, SHAPE_NULL, NULL, "null: not named in the proposal" },
	{ "from_app", SHAPE_STR, SHAPE_NULL, NULL, "who may open; null: every app of from_network" },
	{ "to_org", SHAPE_STR, 0, NULL, NULL },
	{ "to_app", SHAPE_STR, 0, NULL, "what it reaches" },
	{ "as", SHAPE_STR, SHAPE_NULL, NULL, "the name of to_app in the DNS of from_network: NAME.internal" },
	{ "stopped", SHAPE_BOOL, 0, NULL, "agreed, but nothing passes: an organization of it is suspended" },
	{ "created", SHAPE_TIME, 0, NULL, NULL },
	{ "agreed", SHAPE_TIME, SHAPE_NULL, NULL, NULL },
	{ 0 },
};
static const struct shape rule_shape = { "Rule", false, rule_fields };

static const char *or_null(const char *text)
{
	return text[0] ? text : NULL;
}

static json_t *rule_json(const struct store_rule *rule)
{
	bool agreed = rule->state == RULE_AGREED;
	const char *waits = rule->state == RULE_PROPOSED_TO ? rule->to_org_name : rule->from_org_name;

	return json_pack("{s:o,s:s,s:s?,s:s,s:s?,s:s?,s:s,s:s,s:s?,s:b,s:o,s:o}", "id", api_json_id(rule->id), "state", agreed ? "agreed" : "proposed",
			 "proposed_by", agreed ? NULL : waits, "from_org", rule->from_org_name, "from_network", or_null(rule->from_network_name),
			 "from_app", or_null(rule->from_app_name), "to_org", rule->to_org_name, "to_app", rule->to_app_name, "as",
			 or_null(rule->alias), "stopped", agreed && rule->stopped, "created", api_json_time(rule->created_ms), "agreed",
			 agreed ? api_json_time(rule->agreed_ms) : json_null());
}

static void add(void *call, const struct store_rule *rule)
{
	api_add_item(call, rule_json(rule));
}

static int list(struct store *store, struct api_call *call)
{
	struct store_page page = api_page(call);
	struct store_next next;
	int r = store_rule_list(store, api_who(call), api_query(call, "org"), &page, add, call, &next, &call->op.why);

	if (r == 0)
		api_set_list(call, &next);
	return r;
}

static int reply(struct api_call *call, int result, const struct store_rule *rule)
{
	if (result == 0)
		call->reply = rule_json(rule);
	return result;
}

static int show(struct store *store, struct api_call *call)
{
	struct store_rule rule;
	int r = store_rule_find(store, api_who(call), call->params[0], &rule, &call->op.why);

	return reply(call, r, &rule);
}

static int create(struct store *store, struct api_call *call)
{
	struct store_rule_new in = { .from_org = api_str(call, "from_org"), .from_network = api_str(call, "from_network"),
				     .from_app = api_str(call, "from_app"), .to_org = api_str(call, "to_org"), .to_app = api_str(call, "to_app"),
				     .alias = api_str(call, "as") };
	struct store_rule rule;
	int r = store_rule_create(store, &call->op, &in, &rule);

	return reply(call, r, &rule);
}

static int accept_rule(struct store *store, struct api_call *call)
{
	struct store_rule rule;
	int r = store_rule_accept(store, &call->op, call->params[0], api_str(call, "as"), &rule);

	return reply(call, r, &rule);
}

static int delete(struct store *store, struct api_call *call)
{
	struct store_rule rule;
	int r = store_rule_delete(store, &call->op, call->params[0], &rule);

	return reply(call, r, &rule);
}

static const struct route_field fields[] = {
	{ "from_org", FIELD_STR, 1, 63, false, "the organization of who may open; may be left out if the token sees only one" },
	{ "from_network", FIELD_STR, 1, 63, false, "instead of from_app: every app of this network, also those that come" },
	{ "from_app", FIELD_STR, 1, 63, false, "the app that may open" },
	{ "to_org", FIELD_STR, 1, 63, false, "the organization of what is reached (from_org)" },
	{ "to_app", FIELD_STR, 1, 63, true, "the app that is reached; it can only answer" },
	{ "as", FIELD_STR, 1, 63, false, "its name in the DNS of the network that opens (the name of to_app)" },
	{ 0 },
};
static const struct route_field accept_fields[] = {
	{ "as", FIELD_STR, 1, 63, false, "by the organization that opens: the name of to_app in its network (the name of to_app)" },
	{ 0 },
};

const struct route api_rule_routes[] = {
	{ "GET", "/v1/rules", ROUTE_TOKEN, .list = true, .query = "org", .reply = &rule_shape, .run = list,
	  .help = "list peering rules: in force, proposed by and to one's organizations" },
	{ "POST", "/v1/rules", ROUTE_TOKEN, .write = true, .success = 201, .fields = fields, .reply = &rule_shape, .run = create,
	  .help = "let an app or a network reach an app of another network; between two organizations a proposal, until the other accepts" },
	{ "GET", "/v1/rules/{rule}", ROUTE_TOKEN, .reply = &rule_shape, .run = show, .help = "show a peering rule" },
	{ "POST", "/v1/rules/{rule}/accept", ROUTE_TOKEN, .write = true, .fields = accept_fields, .reply = &rule_shape, .run = accept_rule,
	  .help = "agree to what the other organization proposed: it is in force" },
	{ "DELETE", "/v1/rules/{rule}", ROUTE_TOKEN, .write = true, .frees = true, .reply = &rule_shape, .run = delete,
	  .help = "end a rule, or decline or withdraw a proposal: by either organization" },
	{ 0 },
};
