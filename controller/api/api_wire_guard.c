/* api_wire_guard - WireGuard peers for programs that hold a delegated token: the two requests of Fly's old interface for them. Such a
 * token touches only the peers that were made with it, and a request is answered once the peer's gateway has it. */
#include "controller/api/api_graphql.h"
#include "controller/api/api_nouns.h"
#include "controller/api/shape.h"

#include <string.h>

#define WAIT_MS 30000u

/* ---- the form of replies ---- */

static json_t *reply_json(const char *us, const char *them, const char *key, const char *error)
{
	return json_pack("{s:s,s:s,s:s,s:s,s:s}", "us", us, "them", them, "key", key, "pubkey", key, "error", error);
}

static const struct shape_field reply_fields[] = {
	{ "us", SHAPE_STR, 0, NULL, "the peer's address" },
	{ "them", SHAPE_STR, 0, NULL, "its gateway's: an IPv4 address or a name; the port is 51820" },
	{ "key", SHAPE_STR, 0, NULL, "the gateway's public key" },
	{ "pubkey", SHAPE_STR, 0, NULL, "the same" },
	{ "error", SHAPE_STR, 0, NULL, "a sentence, or empty" },
	{ "code", SHAPE_STR, SHAPE_MAYBE, NULL, "of the error" },
	{ 0 },
};
static const struct shape reply_shape = { "WireGuardPeerReply", false, reply_fields };

static json_t *refusal(struct api_call *call, const struct why *why, unsigned *status)
{
	json_t *reply = reply_json("", "", "", why->text);

	(void)call;
	(void)status;
	json_object_set_new(reply, "code", json_string(why->code));
	return reply;
}

static unsigned waited(struct api_call *call, const struct api_wait_result *result)
{
	struct why why;
	unsigned status = 503;

	if (result->applied)
		return 200;
	why_set(&why, "not_applied", "", "gateway \"%s\" has not taken it in within %u s: it may come to work later; ask again with PUT",
		call->wait.gateway, WAIT_MS / 1000);
	json_decref(call->reply);
	call->reply = refusal(call, &why, &status);
	return status;
}

static const struct route_manner manner = { refusal, waited };

/* ---- what runs ---- */

static const char *given(const struct api_call *call, const char *field)
{
	const char *text = api_str(call, field);

	return text && *text ? text : NULL;
}

static int check(struct api_call *call, struct why *why)
{
	uint8_t key[CRYPTO_KEY_LEN];

	call->want_wait = !call->dry_run && api_get_env(call->api)->ops->wait;
	call->wait.timeout_ms = WAIT_MS;
	return api_peer_parse_public(call, "pubkey", api_str(call, "pubkey"), key, why);
}

static int answer(struct api_call *call, const struct store_peer *peer)
{
	CLEAN_JSON json_t *json = api_peer_json(peer);
	int r = gql_wireguard_check_fit(peer, &call->op.why);

	if (r == 0)
		call->reply = reply_json(json_string_value(json_object_get(json, "address")), peer->gateway_host,
					 json_string_value(json_object_get(json, "gateway_public_key")), "");
	return r;
}

static int create(struct store *store, struct api_call *call)
{
	struct store_peer_new in = { .org = api_query(call, "org"), .name = api_str(call, "name"), .region = given(call, "region") };
	char warning[STORE_PEER_WARNING_SIZE] = "";
	struct store_peer peer;
	int r = api_peer_parse_public(call, "pubkey", api_str(call, "pubkey"), in.public_key, &call->op.why);

	if (r == 0)
		r = api_peer_make(store, call, &in, &peer, warning);
	return r ? r : answer(call, &peer);
}

/* Another key for the same name and address. Clients send the other fields too, empty. */
static int update(struct store *store, struct api_call *call)
{
	const char *org = api_query(call, "org"), *name = given(call, "name"), *region = given(call, "region");
	uint8_t key[CRYPTO_KEY_LEN];
	struct store_peer peer;
	int r = api_peer_parse_public(call, "pubkey", api_str(call, "pubkey"), key, &call->op.why);

	if (r == 0) /* no change: whether it may be changed by this token */
		r = store_peer_update(store, &call->op, org, call->params[0], &(struct store_peer_update){ .set_expires = false }, &peer);
	if (r)
		return r;
	if ((name && strcmp(name, peer.record.name)) || (region && strcmp(region, peer.region)))
		return why_set(&call->op.why, "field_invalid", name ? "name" : "region", "only the key of a peer can be changed here, not its name or region");
	if (peer.has_preshared_key)
		return why_set(&call->op.why, "preshared_key_missing", "pubkey",
			       "the peer has a preshared key, which would end with its old key: use sixpn peer rekey");
	if (!crypto_equal(key, peer.public_key, sizeof key)) /* the same one: asked again, after a gateway that was slow */
		r = store_peer_rekey(store, &call->op, org, call->params[0], key, NULL, &peer);
	if (r == 0)
		r = answer(call, &peer);
	if (r == 0)
		api_wait_for_peer(call, &peer);
	return r;
}

static const struct route_field create_fields[] = {
	{ "name", FIELD_STR, 1, 255, true, "letters, digits and dashes; unique in the organization, whatever its case" },
	{ "pubkey", FIELD_STR, 1, 255, true, "its WireGuard public key, base64 of 32 bytes" },
	{ "region", FIELD_STR, 0, 3, false, "where its tunnel is to end" },
	{ "group", FIELD_STR, 0, 63, false, "a label for whoever makes them; not kept" },
	{ 0 },
};
static const struct route_field update_fields[] = {
	{ "pubkey", FIELD_STR, 1, 255, true, "its new WireGuard public key; the old one is dead at once" },
	{ "name", FIELD_STR, 0, 255, false, "empty, or as it is" },
	{ "region", FIELD_STR, 0, 3, false, "empty, or as it is" },
	{ "group", FIELD_STR, 0, 63, false, "not kept" },
	{ 0 },
};

const struct route api_wire_guard_routes[] = {
	{ "POST", "/api/v3/wire_guard_peers", ROUTE_TOKEN, .write = true, .query = "org", .reply = &reply_shape, .manner = &manner, .fields = create_fields,
	  .check = check, .run = create, .again = api_peer_make_again, .help = "create a WireGuard peer, as holders of delegated tokens do" },
	{ "PUT", "/api/v3/wire_guard_peers/{peer}", ROUTE_TOKEN, .write = true, .query = "org", .reply = &reply_shape, .manner = &manner, .fields = update_fields,
	  .check = check, .run = update, .help = "give a peer another key" },
	{ 0 },
};
