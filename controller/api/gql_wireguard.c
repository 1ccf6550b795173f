/* gql_wireguard - peers as flyctl makes, lists and removes them. It writes the tunnel's file itself, from the address alone and with
 * port 51820; a gateway that does not fit that is refused, since the file would open nothing. */
#include "controller/api/api_graphql.h"
#include "controller/api/api_nouns.h"
#include "controller/store/store_org.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLYCTL_PORT 51820
#define PEER_IPS_MAX 1000
#define NETWORKS_MAX 32 /* of the addresses in one question */

/* ---- what a peer looks like ---- */

/* An object of this is filled from memory in the loop thread: the same object is in the reply. */
static json_t *status_of_peer(struct gql_call *gql, const struct store_peer *p)
{
	json_t *status = json_pack("{s:o,s:I}", "id", api_json_id(p->record.id), "created_ms", (json_int_t)p->created_ms);

	if (!gql->call->items)
		gql->call->items = json_array();
	json_array_append(gql->call->items, status);
	return status;
}

/* The fields of api_peer_json under the names of Fly's schema. */
static json_t *peer_json(const struct store_peer *p)
{
	CLEAN_JSON json_t *peer = api_peer_json(p);

	return json_pack("{s:O,s:O,s:O,s:O,s:O,s:O,s:O}", "id", json_object_get(peer, "id"), "name", json_object_get(peer, "name"), "pubkey",
			 json_object_get(peer, "public_key"), "region", json_object_get(peer, "region"), "peerip",
			 json_object_get(peer, "address"), "network", json_object_get(peer, "network"), "org", json_object_get(peer, "org"));
}

struct listing {
	json_t *nodes;
};

static void add(void *arg, const struct store_peer *peer)
{
	json_array_append_new(((struct listing *)arg)->nodes, peer_json(peer));
}

static int peers(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	struct gql_call *gql = ctx;
	struct store_peer_filter filter = { .org = gql_str(parent, "id") };
	struct listing l = { json_array() };
	struct store_next next = { "" };
	int r = gql_spend(gql, 0, why);

	(void)args;
	do {
		struct store_next before = next;
		struct store_page page = { .after = before.cursor };

		next = (struct store_next){ "" };
		if (r == 0)
			r = store_peer_list(gql->store, api_who(gql->call), &filter, &page, add, &l, &next, why);
	} while (r == 0 && next.cursor[0] && json_array_size(l.nodes) < GQL_STEPS_MAX);
	if (r == 0)
		r = gql_spend(gql, json_array_size(l.nodes), why);
	if (r)
		json_decref(l.nodes);
	else
		*ret = json_pack("{s:o}", "nodes", l.nodes);
	return r;
}

static int peer(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	struct gql_call *gql = ctx;
	struct store_peer found;
	int r = store_peer_find(gql->store, api_who(gql->call), gql_str(parent, "id"), gql_str(args, "name") ? gql_str(args, "name") : "",
				&found, why);

	if (r == 0)
		*ret = peer_json(&found);
	return r;
}

static int gateway_status(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	struct gql_call *gql = ctx;
	struct store_peer found;
	int r = store_peer_find(gql->store, api_who(gql->call), NULL, gql_str(parent, "id"), &found, why);

	(void)args;
	if (r == 0)
		*ret = status_of_peer(gql, &found);
	return r;
}

/* ---- the gateway's view, in the loop thread ---- */

static json_t *age_json(uint64_t now_ms, uint64_t since_ms)
{
	char text[32] = "";

	if (since_ms)
		snprintf(text, sizeof text, "%" PRIu64 "s", now_ms > since_ms ? (now_ms - since_ms) / 1000 : 0);
	return json_string(text);
}

static json_t *time_json(uint64_t unix_ms)
{
	return unix_ms ? api_json_time(unix_ms) : json_string("");
}

/* Strings, integers and a truth value, as flyctl reads them: nothing here is null. */
static void fill_status(const struct api_env *env, json_t *status)
{
	uint64_t now = clock_real_ms(&env->clock), created = (uint64_t)json_integer_value(json_object_get(status, "created_ms"));
	struct api_peer_state s = { .known = false };
	uint8_t id[ID_LEN];

	if (env->ops->peer_state && id_parse(json_string_value(json_object_get(status, "id")), id) == 0)
		(void)env->ops->peer_state(env->ctx, id, &s);
	json_object_clear(status);
	json_object_set_new(status, "endpoint", json_string(s.endpoint));
	json_object_set_new(status, "lastHandshake", time_json(s.last_handshake_ms));
	json_object_set_new(status, "sinceHandshake", age_json(now, s.last_handshake_ms));
	json_object_set_new(status, "rx", json_integer((json_int_t)s.rx_bytes));
	json_object_set_new(status, "tx", json_integer((json_int_t)s.tx_bytes));
	json_object_set_new(status, "added", time_json(created));
	json_object_set_new(status, "sinceAdded", age_json(now, created));
	json_object_set_new(status, "live", json_boolean(s.online));
	json_object_set_new(status, "wgError",
			    json_string(!s.gateway_live ? "its gateway does not answer" : !s.known ? "its gateway has not said anything of it yet" : ""));
}

void gql_wireguard_finish(struct api_call *call)
{
	json_t *status;
	size_t i;

	json_array_foreach(call->items, i, status)
		fill_status(api_get_env(call->api), status);
}

/* ---- making ---- */

int gql_wireguard_check_fit(const struct store_peer *p, struct why *why)
{
	static const uint8_t none[32];

	if (p->gateway_port && p->gateway_port != FLYCTL_PORT)
		return why_set(why, "gateway_unfit", "region",
			       "gateway \"%s\" listens at port %u, and flyctl writes 51820 into every file: use sixpn peer create", p->gateway_name,
			       p->gateway_port);
	if (!p->gateway_host[0] || strchr(p->gateway_host, ':'))
		return why_set(why, "gateway_unfit", "region",
			       "gateway \"%s\" has no IPv4 address or name, and flyctl writes no other: use sixpn peer create", p->gateway_name);
	if (!memcmp(p->gateway_key, none, sizeof none))
		return why_set(why, "gateway_not_live", "region", "gateway \"%s\" has not told its key yet: try again in a moment", p->gateway_name);
	return 0;
}

static json_t *made_json(const struct store_peer *p, const json_t *input)
{
	CLEAN_JSON json_t *peer = api_peer_json(p);

	return json_pack("{s:O,s:s,s:O,s:O,s:O?}", "peerip", json_object_get(peer, "address"), "endpointip", p->gateway_host, "pubkey",
			 json_object_get(peer, "gateway_public_key"), "network", json_object_get(peer, "network"), "clientMutationId",
			 json_object_get(input, "clientMutationId"));
}

static int add_peer(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	struct gql_call *gql = ctx;
	const json_t *input = json_object_get(args, "input");
	struct store_peer_new in = { .network = gql_str(input, "network"),
				     .name = gql_str(input, "name"), .region = gql_str(input, "region"), .gateway = gql_str(input, "gwname"),
				     .ephemeral = json_is_true(json_object_get(input, "ephemeral")) };
	char warning[STORE_PEER_WARNING_SIZE] = "";
	const char *key = gql_str(input, "pubkey");
	char org_id[ID_TEXT_SIZE];
	struct store_peer made;
	struct store_org org;
	int r;

	(void)parent;
	r = gql_org_find(gql, gql_str(input, "organizationId"), &org, why);
	if (r == 0)
		in.org = id_text(org.id, org_id);
	if (r == 0 && !in.name)
		r = why_set(why, "name_invalid", "name", "a peer needs a name");
	if (r == 0)
		r = api_peer_parse_public(gql->call, "pubkey", key ? key : "", in.public_key, why);
	if (r)
		return r;
	r = api_peer_make(gql->store, gql->call, &in, &made, warning);
	if (r == E_REFUSED) {
		*why = gql->call->op.why;
		return r;
	}
	if (r == 0)
		r = gql_wireguard_check_fit(&made, why);
	if (r == 0)
		*ret = made_json(&made, input);
	return r;
}

static int remove_peer(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	struct gql_call *gql = ctx;
	const json_t *input = json_object_get(args, "input");
	const char *name = gql_str(input, "name");
	char org_id[ID_TEXT_SIZE];
	struct store_peer gone;
	struct store_org org;
	int r = gql_org_find(gql, gql_str(input, "organizationId"), &org, why);

	(void)parent;
	if (r)
		return r;
	r = store_peer_delete(gql->store, &gql->call->op, id_text(org.id, org_id), name ? name : "", &gone);
	if (r == E_REFUSED)
		*why = gql->call->op.why;
	if (r == 0)
		*ret = json_pack("{s:o,s:O?}", "organization", gql_org_json(gql, &org), "clientMutationId",
				 json_object_get(input, "clientMutationId"));
	return r;
}

/* ---- which of these are still there ---- */

struct asked {
	struct in6_addr address;
	bool there;
};

struct question {
	struct asked ips[PEER_IPS_MAX];
	size_t n;
};

static void mark(void *arg, const struct store_peer *p)
{
	struct question *q = arg;
	struct in6_addr a = addr_natural((struct addr_parts){ p->record.network, p->record.home_gateway, p->record.instance,
							      (uint16_t)(p->record.slot << 8 | 2) });

	for (size_t i = 0; i < q->n; i++)
		if (!memcmp(&q->ips[i].address, &a, 15)) /* each has its /120 */
			q->ips[i].there = true;
}

static int look_in(struct gql_call *gql, struct question *q, uint32_t network, struct why *why)
{
	struct store_peer_filter filter = { .network = network };
	struct store_next next = { "" };
	int r;

	do {
		struct store_next before = next;
		struct store_page page = { .after = before.cursor };

		next = (struct store_next){ "" };
		r = store_peer_list(gql->store, api_who(gql->call), &filter, &page, mark, q, &next, why);
	} while (r == 0 && next.cursor[0]);
	return r;
}

/* Each network that the addresses name is looked through once. */
static int look(struct gql_call *gql, struct question *q, struct why *why)
{
	uint32_t networks[NETWORKS_MAX];
	size_t n = 0, k;
	int r = 0;

	for (size_t i = 0; i < q->n && r == 0; i++) {
		const uint8_t *b = q->ips[i].address.s6_addr;
		uint32_t network = (uint32_t)b[2] << 24 | (uint32_t)b[3] << 16 | (uint32_t)b[4] << 8 | b[5];

		if (b[0] != 0xfd || b[1] != 0xaa || !network)
			continue;
		for (k = 0; k < n && networks[k] != network; k++)
			;
		if (k < n)
			continue;
		if (n == NETWORKS_MAX)
			return why_set(why, "out_of_range", "peerIps", "the addresses are of more than %d networks", NETWORKS_MAX);
		networks[n++] = network;
		r = look_in(gql, q, network, why);
	}
	return r;
}

static int validate(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	const json_t *ips = json_object_get(json_object_get(args, "input"), "peerIps");
	CLEAN_FREE struct question *q = calloc(1, sizeof *q);
	json_t *valid, *invalid;
	int r;

	(void)parent;
	if (!q)
		return -ENOMEM;
	if (json_array_size(ips) > PEER_IPS_MAX)
		return why_set(why, "out_of_range", "peerIps", "there are %zu addresses, at most %d are allowed", json_array_size(ips), PEER_IPS_MAX);
	for (q->n = 0; q->n < json_array_size(ips); q->n++)
		if (inet_pton(AF_INET6, json_string_value(json_array_get(ips, q->n)), &q->ips[q->n].address) != 1)
			q->ips[q->n].address = (struct in6_addr){ 0 }; /* no peer's */
	r = look(ctx, q, why);
	if (r)
		return r;
	valid = json_array();
	invalid = json_array();
	for (size_t i = 0; i < q->n; i++)
		json_array_append(q->ips[i].there ? valid : invalid, json_array_get(ips, i));
	*ret = json_pack("{s:o,s:o}", "validPeerIps", valid, "invalidPeerIps", invalid);
	return 0;
}

static const struct gql_input add_args[] = { { "input", "AddWireGuardPeerInput!" }, { 0 } };
static const struct gql_input remove_args[] = { { "input", "RemoveWireGuardPeerInput!" }, { 0 } };
static const struct gql_input validate_args[] = { { "input", "ValidateWireGuardPeersInput!" }, { 0 } };
static const struct gql_input add_input[] = { { "organizationId", "ID!" }, { "name", "String!" },	  { "pubkey", "String!" },
					      { "region", "String" },	   { "network", "String" },	  { "nats", "Boolean" },
					      { "ephemeral", "Boolean" },  { "gwname", "String" },	  { "clientMutationId", "String" },
					      { 0 } };
static const struct gql_input remove_input[] = { { "organizationId", "ID!" }, { "name", "String!" }, { "clientMutationId", "String" }, { 0 } };
static const struct gql_input validate_input[] = { { "peerIps", "[String!]" }, { "clientMutationId", "String" }, { 0 } };
static const struct gql_input name_args[] = { { "name", "String!" }, { 0 } };
static const struct gql_field mutation[] = { { "addWireGuardPeer", "AddWireGuardPeerPayload", add_peer, add_args },
					     { "removeWireGuardPeer", "RemoveWireGuardPeerPayload", remove_peer, remove_args },
					     { "validateWireGuardPeers", "ValidateWireGuardPeersPayload", validate, validate_args },
					     { 0 } };
static const struct gql_field org_fields[] = { { "wireGuardPeers", "WireGuardPeerConnection!", peers, NULL },
					       { "wireGuardPeer", "WireGuardPeer!", peer, name_args },
					       { 0 } };
static const struct gql_field connection[] = { { "nodes", "[WireGuardPeer!]!", NULL, NULL }, { 0 } };
static const struct gql_field peer_fields[] = { { "id", "ID!", NULL, NULL },	    { "name", "String!", NULL, NULL },
						{ "pubkey", "String!", NULL, NULL }, { "region", "String!", NULL, NULL },
						{ "peerip", "String!", NULL, NULL }, { "network", "String", NULL, NULL },
						{ "gatewayStatus", "JSON", gateway_status, NULL }, { 0 } };
static const struct gql_field made[] = { { "peerip", "String!", NULL, NULL },
					 { "endpointip", "String!", NULL, NULL },
					 { "pubkey", "String!", NULL, NULL },
					 { "network", "String", NULL, NULL },
					 { "clientMutationId", "String", NULL, NULL },
					 { 0 } };
static const struct gql_field removed[] = { { "organization", "Organization!", NULL, NULL }, { "clientMutationId", "String", NULL, NULL }, { 0 } };
static const struct gql_field validated[] = { { "validPeerIps", "[String!]!", NULL, NULL },
					      { "invalidPeerIps", "[String!]!", NULL, NULL },
					      { 0 } };

const struct gql_type gql_wireguard_types[] = {
	{ .name = "Mutation", .fields = mutation },
	{ .name = "Organization", .fields = org_fields },
	{ .name = "WireGuardPeerConnection", .fields = connection },
	{ .name = "WireGuardPeer", .fields = peer_fields },
	{ .name = "AddWireGuardPeerPayload", .fields = made },
	{ .name = "RemoveWireGuardPeerPayload", .fields = removed },
	{ .name = "ValidateWireGuardPeersPayload", .fields = validated },
	{ .name = "AddWireGuardPeerInput", .kind = GQL_INPUT, .inputs = add_input },
	{ .name = "RemoveWireGuardPeerInput", .kind = GQL_INPUT, .inputs = remove_input },
	{ .name = "ValidateWireGuardPeersInput", .kind = GQL_INPUT, .inputs = validate_input },
	{ 0 },
};
