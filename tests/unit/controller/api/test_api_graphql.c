/* What flyctl sends, to the letter, and every field that it reads in reply with the type it reads it into. */
#include "tests/unit/controller/api/gql_client.h"

#include "controller/api/api_graphql.h"
#include "controller/store/store_user.h"

#define KEY_A "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="
#define Q1 "query($admin: Boolean!) { organizations(admin: $admin) { nodes { id slug rawSlug name type paidPlan billable viewerRole internalNumericId } } }"
#define Q2 "query($slug: String!) { organization(slug: $slug) { id internalNumericId slug rawSlug name type billable } }"
#define Q3                                                                                                                                        \
	"query($slug: String!) { organizationdetails: organization(slug: $slug) { id slug rawSlug name type viewerRole internalNumericId "        \
	"remoteBuilderImage remoteBuilderApp { name } members { edges { cursor node { id name email } joinedAt role } } } }"
#define Q8 "query { viewer { ... on User { id email enablePaidHobby } ... on Macaroon { email } } }"
#define W1 "query($slug: String!) { organization(slug: $slug) { wireGuardPeers { nodes { id name pubkey region peerip } } } }"
#define W2 "query { nearestRegion(wireguardGateway: true) { code name gatewayAvailable deprecated } }"
#define W3 "mutation($input: AddWireGuardPeerInput!) { addWireGuardPeer(input: $input) { peerip endpointip pubkey } }"
#define W4 "mutation($input: RemoveWireGuardPeerInput!) { removeWireGuardPeer(input: $input) { organization { id } } }"
#define W5 "mutation($input: ValidateWireGuardPeersInput!) { validateWireGuardPeers(input: $input) { invalidPeerIps } }"
#define STATUS "query($slug:String!,$name:String!){organization(slug:$slug){wireGuardPeer(name:$name){id name pubkey region peerip gatewayStatus}}}"
#define PLATFORM "{ platform { requestRegion regions { name code latitude longitude gatewayAvailable requiresPaidPlan deprecated } } }"

static void organizations_are_listed_and_shown(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r = gql(f, f->acme, Q1, "{\"admin\":false}");

	expect_fields(&r, "organizations.nodes.0", "id slug rawSlug name type paidPlan billable viewerRole internalNumericId", "sssssbbss");
	assert_int_equal(json_array_size(at(&r, "organizations.nodes")), 1); /* and globex is not in it */
	assert_string_equal(text_at(&r, "organizations.nodes.0.slug"), "acme");
	assert_string_equal(text_at(&r, "organizations.nodes.0.type"), "SHARED");
	assert_string_equal(text_at(&r, "organizations.nodes.0.viewerRole"), "admin");
	assert_string_equal(text_at(&r, "organizations.nodes.0.id"), f->org_id);
	assert_true(strtoull(text_at(&r, "organizations.nodes.0.internalNumericId"), NULL, 10) > 0);
	client_reply_deinit(&r);
	r = gql(f, f->acme_read, Q2, "{\"slug\":\"acme\"}");
	expect_fields(&r, "organization", "id internalNumericId slug rawSlug name type billable", "ssssssb");
	client_reply_deinit(&r);
	r = gql(f, f->acme_read, Q3, "{\"slug\":\"acme\"}");
	expect_fields(&r, "organizationdetails",
		      "id slug rawSlug name type viewerRole internalNumericId remoteBuilderImage remoteBuilderApp members", "sssssss00o");
	assert_string_equal(text_at(&r, "organizationdetails.viewerRole"), "member");
	assert_true(json_is_array(at(&r, "organizationdetails.members.edges")));
	client_reply_deinit(&r);
	r = gql(f, f->operator_token, Q1, "{\"admin\":false}");
	assert_int_equal(json_array_size(at(&r, "organizations.nodes")), 2);
	client_reply_deinit(&r);
}

static void what_is_missing_or_anothers_is_an_error_and_never_only_null(void **state)
{
	struct api_fixture *f = *state;
	char input[128];

	expect_error(f, f->acme, Q2, "{\"slug\":\"nosuch\"}", "NOT_FOUND", "org_not_found");
	expect_error(f, f->acme, Q2, "{\"slug\":\"globex\"}", "NOT_FOUND", "org_not_found");
	expect_error(f, f->globex, W1, "{\"slug\":\"acme\"}", "NOT_FOUND", "org_not_found");
	expect_error(f, f->acme, Q2, "{\"slug\":\"personal\"}", "NOT_FOUND", "org_not_found");
	expect_error(f, f->acme, STATUS, "{\"slug\":\"acme\",\"name\":\"nosuch\"}", "NOT_FOUND", "peer_not_found");
	expect_error(f, f->globex, STATUS, "{\"slug\":\"globex\",\"name\":\"acme/laptop\"}", "NOT_FOUND", "org_not_found");
	snprintf(input, sizeof input, "{\"input\":{\"organizationId\":\"%s\",\"name\":\"laptop\"}}", f->org_id);
	expect_error(f, f->globex, W4, input, "NOT_FOUND", "org_not_found");
	expect_error(f, f->acme_read, W4, input, "UNAUTHORIZED", "forbidden");
	expect_error(f, f->acme, W4, "{\"input\":{\"organizationId\":\"acme\",\"name\":\"nosuch\"}}", "NOT_FOUND", "peer_not_found");
}

static void who_asks_is_a_person_or_a_token(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r = gql(f, f->acme, Q8, NULL);

	expect_fields(&r, "viewer", "email", "s");
	assert_non_null(strchr(text_at(&r, "viewer.email"), '@'));
	client_reply_deinit(&r);
}

static void a_person_is_a_user_a_member_and_may_have_a_personal_organization(void **state)
{
	struct api_fixture *f = *state;
	struct store_user user;
	struct store_token token;
	struct store_token_new in = { .kind = PRINCIPAL_USER, .user = "ann@example.net", .name = "t" };
	char text[TOKEN_TEXT_SIZE];
	struct client_reply r;

	assert_good(f->base, DO(f->base, &f->base->root, store_user_create(store, op, "ann@example.net", "Ann", "acme", &user)));
	assert_good(f->base, DO(f->base, &f->base->root, store_membership_set(store, op, "acme", "ann@example.net", ROLE_MEMBER_ADMIN)));
	assert_good(f->base, DO(f->base, &f->base->root, store_token_create(store, op, &in, &token, text)));
	r = gql(f, text, Q8, NULL);
	expect_fields(&r, "viewer", "id email enablePaidHobby", "ssb");
	assert_string_equal(text_at(&r, "viewer.email"), "ann@example.net");
	client_reply_deinit(&r);
	r = gql(f, text, Q2, "{\"slug\":\"personal\"}");
	expect_fields(&r, "organization", "id internalNumericId slug rawSlug name type billable", "ssssssb");
	assert_string_equal(text_at(&r, "organization.rawSlug"), "acme");
	assert_string_equal(text_at(&r, "organization.type"), "PERSONAL");
	client_reply_deinit(&r);
	r = gql(f, text, Q3, "{\"slug\":\"acme\"}");
	expect_fields(&r, "organizationdetails.members.edges.0", "cursor node joinedAt role", "soss");
	expect_fields(&r, "organizationdetails.members.edges.0.node", "id name email", "sss");
	assert_string_equal(text_at(&r, "organizationdetails.members.edges.0.role"), "ADMIN");
	client_reply_deinit(&r);
}

static void regions_are_told(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r = gql(f, f->acme, W2, NULL);

	expect_fields(&r, "nearestRegion", "code name gatewayAvailable deprecated", "ssbb");
	assert_string_equal(text_at(&r, "nearestRegion.code"), "ord");
	assert_true(json_is_true(at(&r, "nearestRegion.gatewayAvailable")));
	client_reply_deinit(&r);
	r = gql(f, f->acme, PLATFORM, NULL);
	expect_fields(&r, "platform.regions.0", "name code latitude longitude gatewayAvailable requiresPaidPlan deprecated", "ssnnbbb");
	client_reply_deinit(&r);
}

static struct client_reply add_peer(struct api_fixture *f, const char *token, const char *name, const char *more)
{
	char input[512];

	snprintf(input, sizeof input, "{\"input\":{\"organizationId\":\"%s\",\"name\":\"%s\",\"pubkey\":\"" KEY_A "\",\"nats\":false%s}}", f->org_id,
		 name, more);
	return gql(f, token, W3, input);
}

static void a_peer_is_made_listed_validated_and_removed(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r = add_peer(f, f->acme, "static-Box-ann-example-net-01JABCDEFGHJKMNPQRSTVWXYZ0", ",\"region\":\"ord\"");
	char ip[64], input[256];
	struct in6_addr parsed;

	expect_fields(&r, "addWireGuardPeer", "peerip endpointip pubkey", "sss");
	assert_int_equal(inet_pton(AF_INET6, text_at(&r, "addWireGuardPeer.peerip"), &parsed), 1);
	assert_int_equal(parsed.s6_addr[0] << 8 | parsed.s6_addr[1], 0xfdaa);
	assert_string_equal(text_at(&r, "addWireGuardPeer.endpointip"), "gw.example.net"); /* the client writes ":51820" behind it */
	assert_int_equal(strlen(text_at(&r, "addWireGuardPeer.pubkey")), 44);
	snprintf(ip, sizeof ip, "%s", text_at(&r, "addWireGuardPeer.peerip"));
	client_reply_deinit(&r);
	assert_int_equal(f->waits, 1); /* not before its gateway had it */
	assert_string_equal(f->last_wait.gateway, "ord-1");
	r = gql(f, f->acme_read, W1, "{\"slug\":\"acme\"}");
	assert_int_equal(json_array_size(at(&r, "organization.wireGuardPeers.nodes")), 2);
	expect_fields(&r, "organization.wireGuardPeers.nodes.0", "id name pubkey region peerip", "sssss");
	client_reply_deinit(&r);
	snprintf(input, sizeof input, "{\"input\":{\"peerIps\":[\"%s\",\"fdaa:0:1:a7b::2\",\"nonsense\"]}}", ip);
	r = gql(f, f->acme_read, W5, input);
	assert_int_equal(json_array_size(at(&r, "validateWireGuardPeers.invalidPeerIps")), 2);
	assert_string_equal(text_at(&r, "validateWireGuardPeers.invalidPeerIps.1"), "nonsense");
	client_reply_deinit(&r);
	r = gql(f, f->globex, W5, input); /* another's is not there */
	assert_int_equal(json_array_size(at(&r, "validateWireGuardPeers.invalidPeerIps")), 3);
	client_reply_deinit(&r);
	for (int nil = 0; nil < 2; nil++) { /* a slice that Go never made is null */
		r = gql(f, f->acme, W5, nil ? "{\"input\":{\"peerIps\":null}}" : "{\"input\":{\"peerIps\":[]}}");
		assert_int_equal(json_array_size(at(&r, "validateWireGuardPeers.invalidPeerIps")), 0);
		assert_true(json_is_array(at(&r, "validateWireGuardPeers.invalidPeerIps")));
		client_reply_deinit(&r);
	}
	snprintf(input, sizeof input, "{\"input\":{\"organizationId\":\"%s\",\"name\":\"static-Box-ann-example-net-01JABCDEFGHJKMNPQRSTVWXYZ0\"}}",
		 f->org_id);
	r = gql(f, f->acme, W4, input);
	expect_fields(&r, "removeWireGuardPeer.organization", "id", "s");
	client_reply_deinit(&r);
	snprintf(input, sizeof input, "{\"input\":{\"peerIps\":[\"%s\"]}}", ip);
	r = gql(f, f->acme, W5, input);
	assert_string_equal(text_at(&r, "validateWireGuardPeers.invalidPeerIps.0"), ip);
	client_reply_deinit(&r);
}

static void what_cannot_be_made_says_why_and_leaves_nothing(void **state)
{
	static const struct {
		const char *name, *more, *code, *reason;
	} rows[] = {
		{ "laptop", "", "UNPROCESSABLE", "name_taken" },
		{ "Laptop", "", "UNPROCESSABLE", "name_taken" },
		{ "a\\\\b", "", "INVALID", "name_invalid" },
		{ "-a", "", "INVALID", "name_invalid" },
		{ "", "", "INVALID", "name_invalid" },
		{ "box", ",\"region\":\"xyz\"", "NOT_FOUND", "region_not_found" },
		{ "box", ",\"network\":\"nosuch\"", "NOT_FOUND", "network_not_found" },
		{ "box", ",\"gwname\":\"nosuch\"", "NOT_FOUND", "gateway_not_found" },
		{ "box", ",\"size\":1", "INVALID", "field_unknown" },
	};
	struct api_fixture *f = *state;
	struct client_reply r;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		r = add_peer(f, f->acme, rows[i].name, rows[i].more);
		if (!strstr(r.body, rows[i].code) || !strstr(r.body, rows[i].reason))
			fail_msg("%s%s: %s", rows[i].name, rows[i].more, r.body);
		client_reply_deinit(&r);
	}
	r = gql(f, f->acme, "mutation{addWireGuardPeer(input:{organizationId:\"acme\",name:\"box\",pubkey:\"short\"}){peerip}}", NULL);
	assert_non_null(strstr(r.body, "key_invalid"));
	client_reply_deinit(&r);
	/* what follows in the same mutation and fails undoes it */
	r = gql(f, f->acme,
		"mutation{removeWireGuardPeer(input:{organizationId:\"acme\",name:\"laptop\"}){organization{wireGuardPeer(name:\"laptop\"){id}}}}", NULL);
	assert_true(json_is_null(json_object_get(r.json, "data")));
	assert_non_null(strstr(r.body, "peer_not_found"));
	client_reply_deinit(&r);
	r = gql(f, f->acme, W1, "{\"slug\":\"acme\"}");
	assert_int_equal(json_array_size(at(&r, "organization.wireGuardPeers.nodes")), 1);
	client_reply_deinit(&r);
	assert_int_equal(f->waits, 0);
}

static void a_gateway_that_does_not_take_it_in_is_an_error(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r;

	f->wait_result.applied = false;
	r = add_peer(f, f->acme, "box", "");
	assert_non_null(strstr(r.body, "not_applied"));
	assert_true(json_is_null(json_object_get(r.json, "data")));
	client_reply_deinit(&r);
	f->wait_result.applied = true;
	f->silent = 1;
	r = add_peer(f, f->acme, "box2", "");
	assert_non_null(strstr(r.body, "key_taken")); /* the one before stands, as its error said */
	client_reply_deinit(&r);
	r = gql(f, f->acme, W4, "{\"input\":{\"organizationId\":\"acme\",\"name\":\"box\"}}");
	client_reply_deinit(&r);
	r = add_peer(f, f->acme, "box2", "");
	expect_fields(&r, "addWireGuardPeer", "peerip endpointip pubkey", "sss");
	assert_int_equal(f->waits, 3); /* one gateway fell silent under it, the next took it in */
	client_reply_deinit(&r);
}

static void the_gateways_view_has_the_types_that_old_clients_read(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r;

	f->peer_state = (struct api_peer_state){ .known = true, .gateway_live = true, .online = true, .last_handshake_ms = T0, .rx_bytes = 5,
						 .tx_bytes = 7, .reported_ms = T0, .endpoint = "192.0.2.7:1234" };
	r = gql(f, f->acme_read, STATUS, "{\"slug\":\"acme\",\"name\":\"laptop\"}");
	expect_fields(&r, "organization.wireGuardPeer", "id name pubkey region peerip gatewayStatus", "ssssso");
	expect_fields(&r, "organization.wireGuardPeer.gatewayStatus", "endpoint lastHandshake sinceHandshake rx tx added sinceAdded live wgError",
		      "sssnnssbs");
	assert_string_equal(text_at(&r, "organization.wireGuardPeer.gatewayStatus.endpoint"), "192.0.2.7:1234");
	assert_int_equal(json_integer_value(at(&r, "organization.wireGuardPeer.gatewayStatus.tx")), 7);
	assert_true(json_is_true(at(&r, "organization.wireGuardPeer.gatewayStatus.live")));
	client_reply_deinit(&r);
	f->peer_state = (struct api_peer_state){ .known = false };
	r = gql(f, f->acme_read, STATUS, "{\"slug\":\"acme\",\"name\":\"laptop\"}");
	expect_fields(&r, "organization.wireGuardPeer.gatewayStatus", "endpoint lastHandshake sinceHandshake rx tx added sinceAdded live wgError",
		      "sssnnssbs");
	client_reply_deinit(&r);
}

static void wrong_tokens_and_bodies_are_answered_with_200_too(void **state)
{
	static const struct {
		const char *body, *reason;
	} rows[] = {
		{ "{\"query\":\"{nothing}\"}", "field_unknown" },	  { "{\"query\":\"{\"}", "query_invalid" },
		{ "{\"query\":5}", "type_invalid" },			  { "{}", "field_missing" },
		{ "[]", "json_invalid" },				  { "{\"query\":", "json_invalid" },
		{ "{\"query\":\"{viewer{__typename}}\",\"x\":1}", "field_unknown" },
		{ "{\"query\":\"{viewer{__typename}}\",\"variables\":[]}", "type_invalid" },
		{ "{\"query\":\"query A{viewer{__typename}}\",\"operationName\":\"B\"}", "operation_unknown" },
	};
	struct api_fixture *f = *state;
	struct client_reply r;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		r = ask(f, "POST", "/graphql", f->acme, rows[i].body);
		if (r.status != 200 || !strstr(r.body, rows[i].reason))
			fail_msg("%s: %d %s", rows[i].body, r.status, r.body);
		client_reply_deinit(&r);
	}
	expect_error(f, NULL, Q8, NULL, "UNAUTHORIZED", "unauthorized");
	expect_error(f, "fo1_nonsense", Q8, NULL, "UNAUTHORIZED", "unauthorized");
}

/* The fixture sends "Bearer " before what it is given. */
static void a_list_of_tokens_and_the_other_scheme_are_understood(void **state)
{
	static const char *const forms[] = { "%s", "FlyV1 %s", "fm2_lJPE,%s", "fo1_x, %s", "%s,fm2_x", "flyv1 Bearer fo1_x,%s,fm2_y" };
	struct api_fixture *f = *state;
	char header[256];

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		struct client_reply r;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(header, sizeof header, forms[i], f->acme);
#pragma GCC diagnostic pop
		r = gql(f, header, Q8, NULL);
		expect_fields(&r, "viewer", "email", "s");
		client_reply_deinit(&r);
	}
}

/* ---- a walk over every field of the table, with another organization's token ---- */

static const struct gql_type *type_named(const char *name)
{
	for (const struct gql_type *const *table = api_graphql_schema.tables; *table; table++)
		for (const struct gql_type *t = *table; t->name; t++)
			if (!strcmp(t->name, name))
				return t;
	return NULL;
}

static const char *bare(const char *type, char buf[80])
{
	const char *from = type + (type[0] == '[');

	snprintf(buf, 80, "%.*s", (int)strcspn(from, "!]"), from);
	return buf;
}

/* What the walk names: all of acme's, or of nobody's. Texts of one kind are equally long. */
struct names {
	const char *org, *app, *machine, *token;
};

/* A value of that input, as text. */
static void put_value(struct buf *out, const struct gql_field *field, const struct gql_input *in, const struct names *names)
{
	char name[80];
	const struct gql_type *t = type_named(bare(in->type, name));
	bool first = true;

	if (in->type[0] == '[')
		buf_add_str(out, "[]");
	else if (t && t->kind == GQL_ENUM)
		buf_add_str(out, t->names[0]);
	else if (t) {
		buf_add_str(out, "{");
		for (const struct gql_input *i = t->inputs; i->name; i++)
			if (strchr(i->type, '!') || strstr(i->name, "rg") || !strcmp(i->name, "appId") || !strcmp(i->name, "id")) {
				buf_printf(out, "%s%s:", first ? "" : ",", i->name);
				put_value(out, field, i, names);
				first = false;
			}
		buf_add_str(out, "}");
	} else if (!strcmp(name, "Int") || !strcmp(name, "Float"))
		buf_add_str(out, "1");
	else if (!strcmp(name, "Boolean"))
		buf_add_str(out, "false");
	else if (!strcmp(in->name, "slug") || strstr(in->name, "rg"))
		buf_printf(out, "\"%s\"", names->org);
	else if (!strcmp(in->name, "appId") || (!strcmp(in->name, "name") && !strcmp(field->name, "app")))
		buf_printf(out, "\"%s\"", names->app);
	else if (!strcmp(in->name, "machineId"))
		buf_printf(out, "\"%s\"", names->machine);
	else if (!strcmp(in->name, "id") && strstr(field->name, "Token"))
		buf_printf(out, "\"%s\"", names->token);
	else if (!strcmp(in->name, "after") || !strcmp(in->name, "role"))
		buf_add_str(out, "\"\"");
	else
		buf_printf(out, "\"%s\"", !strcmp(in->name, "pubkey") ? KEY_A : "laptop");
}

static bool put_field(struct buf *out, const struct gql_field *field, const struct names *names, int depth);

/* All fields of a type that can be had, some levels deep. */
static void put_selection(struct buf *out, const char *type, const struct names *names, int depth)
{
	char name[80];
	const struct gql_type *t = type_named(bare(type, name));

	if (!t || t->kind == GQL_ENUM)
		return;
	buf_add_str(out, "{__typename");
	for (const struct gql_type *const *table = api_graphql_schema.tables; depth && *table; table++)
		for (const struct gql_type *part = *table; part->name; part++)
			if (part->kind == GQL_OBJECT && !strcmp(part->name, name))
				for (const struct gql_field *f = part->fields; f->name; f++) {
					buf_add_str(out, " ");
					put_field(out, f, names, depth - 1);
				}
	buf_add_str(out, "}");
}

static bool holds(const char *text, const struct names *names)
{
	return strstr(text, names->org) || strstr(text, names->app) || strstr(text, names->machine) || strstr(text, names->token);
}

/* True: something of the names is among its arguments. */
static bool put_field(struct buf *out, const struct gql_field *field, const struct names *names, int depth)
{
	size_t from = out->len;
	bool named;

	buf_add_str(out, field->name);
	for (const struct gql_input *i = field->args; i && i->name; i++) {
		buf_printf(out, "%s%s:", i == field->args ? "(" : ",", i->name);
		put_value(out, field, i, names);
	}
	buf_add_str(out, field->args ? ")" : "");
	named = holds(buf_str(out) + from, names);
	put_selection(out, field->type, names, depth);
	return named;
}

static void mask(char *body, const char *name)
{
	for (char *p = body; (p = strstr(p, name));)
		memset(p, '*', strlen(name));
}

/* The reply to one root field, with the names that were asked for made one. */
static char *walk_one(struct api_fixture *f, const char *token, const char *root, const struct gql_field *field, const struct names *names,
		      bool *ret_named)
{
	CLEAN_BUF struct buf out = BUF_INIT(1u << 20);
	struct client_reply r;
	char *body;

	f->base->time.now_ms += 1000; /* the org's writes per second are not what is tested here */
	buf_printf(&out, "%s{", strcmp(root, "Mutation") ? "query" : "mutation");
	*ret_named = put_field(&out, field, names, 4);
	buf_add_str(&out, "}");
	r = gql(f, token, buf_str(&out), NULL);
	if (strstr(r.body, "\"reason\":\"query_") || strstr(r.body, "\"reason\":\"field_") || strstr(r.body, "\"reason\":\"type_") ||
	    strstr(r.body, "\"reason\":\"internal"))
		fail_msg("the walk itself is wrong: %.900s: %s", r.body, buf_str(&out));
	body = strdup(r.body);
	mask(body, names->org);
	mask(body, names->app);
	mask(body, names->machine);
	mask(body, names->token);
	client_reply_deinit(&r);
	return body;
}

static void walk(struct api_fixture *f, const struct names *acmes, const struct names *nobodys, unsigned *ret_n, unsigned *ret_n_named)
{
	static const char *const roots[] = { "Query", "Mutation" };

	for (size_t i = 0; i < ARRAY_LEN(roots); i++)
		for (const struct gql_type *const *table = api_graphql_schema.tables; *table; table++)
			for (const struct gql_type *t = *table; t->name; t++)
				for (const struct gql_field *field = strcmp(t->name, roots[i]) ? NULL : t->fields; field && field->name; field++) {
					bool named;
					CLEAN_FREE char *there = walk_one(f, f->globex, roots[i], field, acmes, &named);
					CLEAN_FREE char *nowhere = walk_one(f, f->globex, roots[i], field, nobodys, &named);

					if (named && strcmp(there, nowhere))
						fail_msg("%s tells them apart:\n%s\n%s", field->name, there, nowhere);
					if (strstr(there, "acme") || strstr(there, f->peer_id) || strstr(there, f->app_id) || strstr(there, f->instance))
						fail_msg("%s tells of acme: %s", field->name, there);
					++*ret_n;
					*ret_n_named += named;
				}
}

static void no_field_tells_a_stranger_what_is_there(void **state)
{
	struct api_fixture *f = *state;
	const struct names ids = { f->org_id, f->app_id, f->instance, f->acme_token_id },
			   no_ids = { "00000000000000aa", "00000000000000ab", "000000000000ac", "00000000000000ad" };
	const struct names words = { "acme", "web", f->instance, f->acme_token_id }, no_words = { "nome", "wex", "000000000000ac", "00000000000000ad" };
	const struct names longer = { "acme", "acme/web", f->instance, f->acme_token_id }, no_longer = { "nome", "nome/web", "000000000000ac", "00000000000000ad" };
	uint64_t before = f->v;
	unsigned n = 0, n_named = 0;

	walk(f, &ids, &no_ids, &n, &n_named);
	walk(f, &words, &no_words, &n, &n_named);
	walk(f, &longer, &no_longer, &n, &n_named);
	assert_true(n >= 42 && n_named >= 24);
	assert_int_equal(f->v, before); /* and nothing was made under its name either */
	/* and its own sees all of it by the same walk, or the walk would prove nothing */
	for (const struct gql_type *const *table = api_graphql_schema.tables; *table; table++)
		for (const struct gql_field *field = strcmp((*table)->name, "Query") ? NULL : (*table)->fields; field && field->name; field++) {
			bool named;
			CLEAN_FREE char *own = walk_one(f, f->acme_read, "Query", field, &words, &named);
			const char *expected = !strcmp(field->name, "organization") ? f->peer_id : !strcmp(field->name, "app") ? f->app_id :
					       !strcmp(field->name, "machine") ? f->app_id : !strcmp(field->name, "apps") ? f->app_id : "";

			if (!strstr(own, expected))
				fail_msg("%s does not show %s: %s", field->name, expected, own);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(organizations_are_listed_and_shown, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(what_is_missing_or_anothers_is_an_error_and_never_only_null, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(who_asks_is_a_person_or_a_token, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(a_person_is_a_user_a_member_and_may_have_a_personal_organization, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(regions_are_told, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(a_peer_is_made_listed_validated_and_removed, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(what_cannot_be_made_says_why_and_leaves_nothing, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(a_gateway_that_does_not_take_it_in_is_an_error, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(the_gateways_view_has_the_types_that_old_clients_read, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(wrong_tokens_and_bodies_are_answered_with_200_too, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(no_field_tells_a_stranger_what_is_there, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(a_list_of_tokens_and_the_other_scheme_are_understood, api_setup, api_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
