/* api_user - people, and who belongs to which organization, over HTTP. */
#include "controller/api/api_nouns.h"
#include "controller/api/shape.h"
#include "controller/store/store_user.h"

static const struct shape_field user_fields[] = {
	{ "id", SHAPE_STR, 0, NULL, NULL },
	{ "email", SHAPE_STR, 0, NULL, NULL },
	{ "name", SHAPE_STR, SHAPE_NULL, NULL, NULL },
	{ "personal_org", SHAPE_STR, SHAPE_NULL, NULL, "what this person means by \"personal\"" },
	{ "created", SHAPE_TIME, 0, NULL, NULL },
	{ 0 },
};
static const struct shape user_shape = { "User", false, user_fields };
static const struct shape_field member_fields[] = {
	{ "id", SHAPE_STR, 0, NULL, "of the person" },
	{ "email", SHAPE_STR, 0, NULL, NULL },
	{ "name", SHAPE_STR, SHAPE_NULL, NULL, NULL },
	{ "role", SHAPE_STR, 0, NULL, "read, member or admin" },
	{ "since", SHAPE_TIME, 0, NULL, NULL },
	{ 0 },
};
static const struct shape member_shape = { "Member", false, member_fields };

static json_t *user_json(const struct store_user *user)
{
	return json_pack("{s:o,s:s,s:o,s:o,s:o}", "id", api_json_id(user->id), "email", user->email, "name", api_json_str(user->name),
			 "personal_org", api_json_str(user->personal_org_name), "created", api_json_time(user->created_ms));
}

static json_t *member_json(const struct store_user *user, enum store_role role, uint64_t since_ms)
{
	return json_pack("{s:o,s:s,s:o,s:s,s:o}", "id", api_json_id(user->id), "email", user->email, "name", api_json_str(user->name), "role",
			 store_role_name(role), "since", api_json_time(since_ms));
}

/* ---- people ---- */

static void add_user(void *call, const struct store_user *user)
{
	api_add_item(call, user_json(user));
}

static int list(struct store *store, struct api_call *call)
{
	struct store_page page = api_page(call);
	struct store_next next;
	int r = store_user_list(store, api_who(call), &page, add_user, call, &next, &call->op.why);

	if (r == 0)
		api_set_list(call, &next);
	return r;
}

static int show(struct store *store, struct api_call *call)
{
	struct store_user user;
	int r = store_user_find(store, api_who(call), call->params[0], &user, &call->op.why);

	if (r == 0)
		call->reply = user_json(&user);
	return r;
}

static int create(struct store *store, struct api_call *call)
{
	const char *email = api_str(call, "email"), *name = api_str(call, "name"), *org = api_str(call, "personal_org");
	struct store_user user;
	int r = org ? store_user_create(store, &call->op, email, name ? name : "", org, &user) :
		      store_user_create_with_org(store, &call->op, email, name ? name : "", &user);

	if (r == 0)
		call->reply = user_json(&user);
	return r;
}

static int delete(struct store *store, struct api_call *call)
{
	struct store_user user;
	int r = store_user_delete(store, &call->op, call->params[0], &user);

	if (r == 0)
		call->reply = user_json(&user);
	return r;
}

/* ---- members ---- */

static void add_member(void *call, const struct store_user *user, enum store_role role, uint64_t since_ms)
{
	api_add_item(call, member_json(user, role, since_ms));
}

static int list_members(struct store *store, struct api_call *call)
{
	struct store_next none = { .cursor = "" };
	int r = store_membership_list(store, api_who(call), api_query(call, "org"), add_member, call, &call->op.why);

	if (r == 0)
		api_set_list(call, &none);
	return r;
}

static int show_as_is(struct store *store, struct api_call *call, const char *org, const char *ref)
{
	struct store_user user;
	enum store_role role;
	uint64_t since_ms;
	int r = store_membership_find(store, api_who(call), org, ref, &user, &role, &since_ms, &call->op.why);

	if (r == 0)
		call->reply = member_json(&user, role, since_ms);
	return r;
}

static int show_member(struct store *store, struct api_call *call)
{
	return show_as_is(store, call, api_query(call, "org"), call->params[0]);
}

static int check_role(struct api_call *call, struct why *why)
{
	enum store_role role;

	return store_role_parse(api_str(call, "role"), &role, why);
}

static int add(struct store *store, struct api_call *call)
{
	enum store_role role;
	int r = store_role_parse(api_str(call, "role"), &role, &call->op.why);

	if (r == 0)
		r = store_membership_set(store, &call->op, api_str(call, "org"), api_str(call, "user"), role);
	return r ? r : show_as_is(store, call, api_str(call, "org"), api_str(call, "user"));
}

static int update(struct store *store, struct api_call *call)
{
	struct store_user user;
	enum store_role role;
	int r = store_role_parse(api_str(call, "role"), &role, &call->op.why);

	if (r == 0)
		r = store_membership_change(store, &call->op, api_query(call, "org"), call->params[0], role, &user);
	return r ? r : show_as_is(store, call, api_query(call, "org"), call->params[0]);
}

/* What it was; who has left may not look any more. */
static int remove_member(struct store *store, struct api_call *call)
{
	struct store_user user;
	int r = show_as_is(store, call, api_query(call, "org"), call->params[0]);

	return r ? r : store_membership_change(store, &call->op, api_query(call, "org"), call->params[0], (enum store_role)0, &user);
}

static const struct route_field create_fields[] = {
	{ "email", FIELD_STR, 3, 254, true, "by which the person is known" },
	{ "name", FIELD_STR, 1, 63, false, "for people" },
	{ "personal_org", FIELD_STR, 1, 63, false, "an organization that is there already; else one is made, named after the e-mail" },
	{ 0 },
};
static const struct route_field add_fields[] = {
	{ "org", FIELD_STR, 1, 63, false, "the organization; may be left out if the token sees only one" },
	{ "user", FIELD_STR, 3, 254, true, "e-mail or id" },
	{ "role", FIELD_STR, 1, 16, true, "read, member or admin" },
	{ 0 },
};
static const struct route_field update_fields[] = {
	{ "role", FIELD_STR, 1, 16, true, "read, member or admin" },
	{ 0 },
};

const struct route api_user_routes[] = {
	{ "GET", "/v1/users", ROUTE_TOKEN, .reply = &user_shape, .list = true, .run = list, .help = "list people: yourself, or all for an operator" },
	{ "POST", "/v1/users", ROUTE_OPERATOR, .reply = &user_shape, .write = true, .success = 201, .fields = create_fields, .run = create,
	  .help = "add a person, with an organization of its own" },
	{ "GET", "/v1/users/{user}", ROUTE_TOKEN, .reply = &user_shape, .run = show, .help = "show a person: e-mail or id" },
	{ "DELETE", "/v1/users/{user}", ROUTE_OPERATOR, .reply = &user_shape, .write = true, .frees = true, .run = delete,
	  .help = "delete a person with all its tokens and memberships; its organizations stay" },
	{ "GET", "/v1/members", ROUTE_TOKEN, .reply = &member_shape, .list = true, .query = "org", .run = list_members,
	  .help = "list the members of an organization" },
	{ "POST", "/v1/members", ROUTE_TOKEN, .reply = &member_shape, .write = true, .success = 201, .fields = add_fields, .check = check_role, .run = add,
	  .help = "make a person a member of an organization" },
	{ "GET", "/v1/members/{member}", ROUTE_TOKEN, .reply = &member_shape, .query = "org", .run = show_member, .help = "show a member: e-mail or id" },
	{ "PATCH", "/v1/members/{member}", ROUTE_TOKEN, .reply = &member_shape, .write = true, .fields = update_fields, .query = "org",
	  .check = check_role, .run = update, .help = "change a member's role; the last admin stays one" },
	{ "DELETE", "/v1/members/{member}", ROUTE_TOKEN, .reply = &member_shape, .write = true, .frees = true, .query = "org", .run = remove_member,
	  .help = "end a membership, at once for all tokens of the person; everybody may leave" },
	{ 0 },
};
