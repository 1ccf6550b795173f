/* gql_viewer - who asks. People are Users; tokens of organizations and operators are what flyctl calls Macaroons. */
#include "controller/api/api_graphql.h"
#include "controller/store/store_user.h"

#include <stdio.h>
#include <string.h>

/* flyctl makes names of peers of it, so it is short and looks like an address. */
static json_t *token_viewer(const struct principal *who)
{
	char email[PRINCIPAL_TEXT_SIZE + 8];

	snprintf(email, sizeof email, "%s@sixpn", who->text);
	for (char *p = email; *p; p++)
		if (*p == ' ')
			*p = '-';
	return json_pack("{s:s,s:s}", "__typename", "Macaroon", "email", email);
}

static int viewer(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	struct gql_call *gql = ctx;
	const struct principal *who = api_who(gql->call);
	struct store_user user;
	char id[ID_TEXT_SIZE];
	int r;

	(void)parent;
	(void)args;
	if (who->kind != PRINCIPAL_USER) {
		*ret = token_viewer(who);
		return 0;
	}
	r = store_user_find(gql->store, who, id_text(who->id, id), &user, why);
	if (r == 0)
		*ret = json_pack("{s:s,s:s,s:s,s:s,s:b}", "__typename", "User", "id", id, "email", user.email, "name", user.name,
				 "enablePaidHobby", 0);
	return r;
}

static const struct gql_field query[] = { { "viewer", "Viewer!", viewer, NULL }, { 0 } };
static const struct gql_field user[] = { { "id", "ID!", NULL, NULL },
					 { "email", "String!", NULL, NULL },
					 { "name", "String", NULL, NULL },
					 { "enablePaidHobby", "Boolean!", NULL, NULL },
					 { 0 } };
static const struct gql_field macaroon[] = { { "email", "String!", NULL, NULL }, { 0 } };
static const char *const viewers[] = { "User", "Macaroon", NULL };

const struct gql_type gql_viewer_types[] = {
	{ .name = "Query", .fields = query },
	{ .name = "Viewer", .kind = GQL_UNION, .names = viewers },
	{ .name = "User", .fields = user },
	{ .name = "Macaroon", .fields = macaroon },
	{ 0 },
};
