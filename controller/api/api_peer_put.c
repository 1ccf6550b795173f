/* api_peer_put - PUT of a WireGuard peer: made, or found as it is wanted. What a customer's file holds (network, keys, where the tunnel ends) is
 * not changed by it: an edit of a document must not silently end a tunnel, so those differences are refused and name the call that does it. */
#include "controller/api/api_nouns.h"
#include "controller/api/shape.h"
#include "controller/store/peer_key.h"
#include "controller/store/store_network.h"
#include "lib/sixpn/peer_name.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define EXPIRY_MAX_MS (3650ull * 86400000)

static int find_named(struct store *store, struct api_call *call, struct store_peer *ret_peer)
{
	int r = store_peer_find(store, api_who(call), call->params[0], call->params[1], ret_peer, &call->op.why);

	if (r == 0 && strcasecmp(ret_peer->record.name, call->params[1]) != 0) /* found by its id */
		return why_set(&call->op.why, "peer_not_found", "peer", "peer \"%.63s\" does not exist", call->params[1]);
	return r;
}

static int show_named(struct store *store, struct api_call *call)
{
	struct store_peer peer;
	int r = find_named(store, call, &peer);

	if (r == 0)
		call->reply = api_peer_json(&peer);
	return r;
}

/* A date as this API writes it, with or without milliseconds, or "never": not a time from now, which would be another with each PUT. */
static int parse_expires(const char *text, uint64_t now_ms, uint64_t *ret_ms, struct why *why)
{
	struct tm tm = { 0 };
	const char *end = text && strcmp(text, "never") != 0 ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
	uint64_t ms = 0;
	time_t at;

	*ret_ms = 0;
	if (!text || !strcmp(text, "never"))
		return 0;
	if (end && *end == '.')
		for (int digits = 0; *++end >= '0' && *end <= '9'; digits++)
			ms = digits < 3 ? ms * 10 + (uint64_t)(*end - '0') : ms;
	at = timegm(&tm);
	if (!end || strcmp(end, "Z") != 0 || at <= 0 || (uint64_t)at * 1000 > now_ms + EXPIRY_MAX_MS)
		return why_set(why, "value_invalid", "expires_at",
			       "\"expires_at\" is \"%.40s\": give \"never\" or a date such as 2030-01-31T00:00:00Z, at most ten years from now", text);
	*ret_ms = (uint64_t)at * 1000 + ms;
	return 0;
}

struct wish {
	struct store_peer_new in;
	uint64_t expires_ms;
};

static int parse(const struct api_call *call, struct wish *ret, struct why *why)
{
	const char *preshared = api_str(call, "preshared_key");
	int r;

	*ret = (struct wish){ .in = { .org = call->params[0], .network = api_str(call, "network"), .name = call->params[1],
				      .region = api_str(call, "region"), .gateway = api_str(call, "gateway"),
				      .strict = api_bool(call, "strict", false), .ephemeral = api_bool(call, "ephemeral", false),
				      .has_preshared_key = preshared != NULL } };
	r = parse_expires(api_str(call, "expires_at"), clock_real_ms(&api_get_env(call->api)->clock), &ret->expires_ms, why);
	if (r == 0)
		r = api_peer_parse_public(call, "public_key", api_str(call, "public_key"), ret->in.public_key, why);
	if (r == 0 && preshared)
		r = peer_key_parse_preshared("preshared_key", preshared, ret->in.preshared_key, why);
	ret->in.expires_ms = ret->expires_ms;
	return r;
}

static int check(struct api_call *call, struct why *why)
{
	struct wish wish;
	int r = peer_name_check(call->params[1], why);

	if (r == 0)
		r = parse(call, &wish, why);
	crypto_wipe(&wish, sizeof wish);
	return r;
}

static int judge_keys(struct store *store, struct api_call *call, const struct wish *wish, const struct store_peer *peer)
{
	char is[CRYPTO_BASE64_KEY_LEN + 1];
	bool same = true;
	int r = 0;

	if (!crypto_equal(wish->in.public_key, peer->public_key, CRYPTO_KEY_LEN)) {
		crypto_base64(peer->public_key, CRYPTO_KEY_LEN, is);
		return why_set(&call->op.why, "field_immutable", "public_key",
			       "the public key of peer \"%.60s\" is %s, not %.44s: POST /v1/peers/{peer}/rekey gives it another", peer->record.name, is,
			       api_str(call, "public_key"));
	}
	if (json_object_get(call->body, "preshared_key")) /* null, too, is a wish */
		r = store_peer_same_preshared(store, peer->record.id, wish->in.has_preshared_key ? wish->in.preshared_key : NULL, &same);
	if (r == 0 && !same)
		r = why_set(&call->op.why, "field_immutable", "preshared_key",
			    "the preshared key of peer \"%.60s\" is another: POST /v1/peers/{peer}/rekey changes it", peer->record.name);
	return r;
}

static int judge_place(struct store *store, struct api_call *call, const struct store_peer *peer)
{
	const char *network = api_str(call, "network"), *region = api_str(call, "region"), *gateway = api_str(call, "gateway");
	const char *ends_at = peer->next_gateway ? peer->next_name : peer->gateway_name;
	struct store_network in;
	int r = network ? store_network_find(store, api_who(call), call->params[0], network, &in, &call->op.why) : 0;

	if (r == 0 && network && in.id != peer->record.network)
		return api_immutable(call, "network", peer->network_name, in.name);
	if (r == 0 && region && strcmp(region, peer->record.requested_region) != 0)
		return why_set(&call->op.why, "field_immutable", "region", "peer \"%.60s\" was to end in region \"%s\", not \"%.3s\": POST /v1/peers/{peer}/move "
			       "lets it move", peer->record.name, peer->record.requested_region, region);
	if (r == 0 && gateway && strcasecmp(gateway, ends_at) != 0)
		return why_set(&call->op.why, "field_immutable", "gateway", "peer \"%.60s\" ends at gateway \"%s\", not \"%.63s\": POST /v1/peers/{peer}/move "
			       "lets it move", peer->record.name, ends_at, gateway);
	return r;
}

static int change(struct store *store, struct api_call *call, const struct wish *wish, struct store_peer *peer)
{
	struct store_peer_update update = { .set_expires = api_has(call, "expires_at"), .expires_ms = wish->expires_ms,
					    .set_ephemeral = api_has(call, "ephemeral"), .ephemeral = wish->in.ephemeral,
					    .set_suspended = api_has(call, "suspended"), .suspended = api_bool(call, "suspended", false) };
	char id[ID_TEXT_SIZE];
	int r;

	if (update.set_expires && update.expires_ms == peer->record.expires_at_ms)
		update.set_expires = false; /* also one that is over any moment */
	r = store_peer_update(store, &call->op, call->params[0], id_text(peer->record.id, id), &update, peer);
	if (r == 0)
		api_wait_for_peer(call, peer);
	return r;
}

static int make(struct store *store, struct api_call *call, struct wish *wish, struct store_peer *ret_peer,
		char ret_warning[STORE_PEER_WARNING_SIZE])
{
	struct store_peer_update update = { .set_suspended = true, .suspended = true };
	char id[ID_TEXT_SIZE];
	int r = api_peer_make(store, call, &wish->in, ret_peer, ret_warning);

	call->status = 201;
	if (r == 0 && api_bool(call, "suspended", false)) {
		r = store_peer_update(store, &call->op, call->params[0], id_text(ret_peer->record.id, id), &update, ret_peer);
		if (r == 0)
			api_wait_for_peer(call, ret_peer);
	}
	return r;
}

static int put(struct store *store, struct api_call *call)
{
	char warning[STORE_PEER_WARNING_SIZE] = "";
	struct store_peer peer;
	struct wish wish;
	int r = parse(call, &wish, &call->op.why);

	if (r == 0 && !call->tries) /* what an earlier try of this request made is to be replaced, not found */
		r = find_named(store, call, &peer);
	if (r == 0 && !call->tries) {
		r = judge_keys(store, call, &wish, &peer);
		if (r == 0)
			r = judge_place(store, call, &peer);
		if (r == 0)
			r = change(store, call, &wish, &peer);
	} else if (r == 0 || (r == E_REFUSED && !strcmp(call->op.why.code, "peer_not_found"))) {
		r = make(store, call, &wish, &peer, warning);
	}
	crypto_wipe(&wish, sizeof wish);
	if (r == 0) {
		call->reply = api_peer_json(&peer);
		json_object_set_new(call->reply, "warnings", api_peer_warnings(call, &peer, warning));
	}
	return r;
}

/* Only what this request made is made again elsewhere. */
static bool put_again(struct api_call *call)
{
	return call->status == 201 && api_peer_make_again(call);
}

static const struct route_field fields[] = {
	{ "public_key", FIELD_STR, 1, 255, true, "its WireGuard public key, base64 of 32 bytes" },
	{ "network", FIELD_STR, 1, 130, false, "name, org/name or id (default)" },
	{ "region", FIELD_STR, 1, 3, false, "where its tunnel is to end; without it, nearest to the network's instances" },
	{ "gateway", FIELD_STR, 1, 63, false, "instead: this gateway" },
	{ "preshared_key", FIELD_STR, 1, 255, false, "a WireGuard preshared key, base64 of 32 bytes" },
	{ "strict", FIELD_BOOL, 0, 0, false, "when it is made: an error instead of another region" },
	{ "ephemeral", FIELD_BOOL, 0, 0, false, "deleted once it was not used for a day" },
	{ "suspended", FIELD_BOOL, 0, 0, false, "its gateway lets nothing of it through" },
	{ "expires_at", FIELD_STR, 1, 40, false, "a date, or never: deleted then" },
	{ 0 },
};

const struct route api_peer_put_routes[] = {
	{ "PUT", "/v1/orgs/{org}/peers/{peer}", ROUTE_TOKEN, .object = &api_peer_shape, .current = show_named, .reply = &api_peer_made_shape,
	  .write = true, .fields = fields, .check = check, .run = put, .again = put_again,
	  .help = "create a WireGuard peer, or change expiry, ephemeral and suspended of the one that is there; what is left out stays" },
	{ 0 },
};
