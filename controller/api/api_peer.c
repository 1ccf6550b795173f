/* api_peer - WireGuard peers over HTTP. Private keys never come here; preshared keys come in and never go out. */
#include "controller/api/api_nouns.h"
#include "controller/api/shape.h"
#include "controller/store/peer_key.h"
#include "controller/store/store_network.h"
#include "controller/store/store_peer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PRUNE_DEFAULT_S 86400
#define EXPIRY_MAX_S (3650ll * 86400)

/* ---- what a peer looks like ---- */

#define PEER_FIELDS                                                                                                                \
	{ "id", SHAPE_STR, 0, NULL, NULL }, { "name", SHAPE_STR, 0, NULL, NULL },                                                   \
	{ "label", SHAPE_STR, 0, NULL, "its name in DNS" }, { "org", SHAPE_STR, 0, NULL, NULL },                                    \
	{ "network", SHAPE_STR, 0, NULL, NULL }, { "region", SHAPE_STR, 0, NULL, "where its tunnel ends" },                         \
	{ "requested_region", SHAPE_STR, 0, NULL, "where it was to end" }, { "gateway", SHAPE_STR, 0, NULL, NULL },                 \
	{ "moving_to", SHAPE_STR, SHAPE_NULL, NULL, "gateway that it is on its way to" },                                           \
	{ "prefix", SHAPE_STR, 0, NULL, "its own /120, for ever" }, { "address", SHAPE_STR, 0, NULL, "its own in that" },           \
	{ "allowed_ips", SHAPE_STRINGS, 0, NULL, "for its file" }, { "dns", SHAPE_STR, 0, NULL, "for its file" },                   \
	{ "endpoint", SHAPE_STR, SHAPE_NULL, NULL, "for its file" }, { "gateway_public_key", SHAPE_STR, SHAPE_NULL, NULL, "for its file" }, \
	{ "public_key", SHAPE_STR, SHAPE_NULL, NULL, NULL }, { "preshared", SHAPE_BOOL, 0, NULL, "it has a preshared key too" },    \
	{ "ephemeral", SHAPE_BOOL, 0, NULL, NULL }, { "suspended", SHAPE_BOOL, 0, NULL, NULL },                                     \
	{ "expires_at", SHAPE_TIME, SHAPE_NULL, NULL, NULL }, { "created_at", SHAPE_TIME, 0, NULL, NULL },                          \
	{ "first_used_at", SHAPE_TIME, SHAPE_NULL | SHAPE_MOVES, NULL, NULL },                                                      \
	{ "made_by", SHAPE_STR, SHAPE_NULL, NULL, NULL },                                                                           \
	{ "record_v", SHAPE_INT, SHAPE_MOVES, NULL, "version of its record" }

static const struct shape_field peer_fields[] = { PEER_FIELDS, { 0 } };
const struct shape api_peer_shape = { "Peer", false, peer_fields };
static const struct shape_field peer_made_fields[] = {
	PEER_FIELDS,
	{ "warnings", SHAPE_STRINGS, 0, NULL, "what was given instead of what was asked" },
	{ 0 },
};
const struct shape api_peer_made_shape = { "PeerMade", false, peer_made_fields };
static const struct shape_field peer_listed_fields[] = {
	PEER_FIELDS,
	{ "state", SHAPE_STR, 0, NULL, "online, offline, never or unknown" },
	{ "last_handshake_at", SHAPE_TIME, SHAPE_NULL, NULL, NULL },
	{ 0 },
};
static const struct shape peer_listed_shape = { "PeerListed", false, peer_listed_fields };
static const struct shape_field status_fields[] = {
	{ "peer", SHAPE_STR, 0, NULL, NULL },
	{ "id", SHAPE_STR, 0, NULL, NULL },
	{ "org", SHAPE_STR, 0, NULL, NULL },
	{ "gateway", SHAPE_STR, 0, NULL, NULL },
	{ "region", SHAPE_STR, 0, NULL, NULL },
	{ "transport", SHAPE_STR, 0, NULL, "udp" },
	{ "first_used_at", SHAPE_TIME, SHAPE_NULL, NULL, NULL },
	{ "state", SHAPE_STR, 0, NULL, "online, offline, never or unknown" },
	{ "endpoint", SHAPE_STR, SHAPE_NULL, NULL, "from where its packets come" },
	{ "last_handshake_at", SHAPE_TIME, SHAPE_NULL, NULL, NULL },
	{ "handshake_age_s", SHAPE_INT, SHAPE_NULL, NULL, NULL },
	{ "rx_bytes", SHAPE_INT, SHAPE_NULL, NULL, "from the peer" },
	{ "tx_bytes", SHAPE_INT, SHAPE_NULL, NULL, "to the peer" },
	{ "gateway_live", SHAPE_BOOL, 0, NULL, NULL },
	{ "reported_at", SHAPE_TIME, SHAPE_NULL, NULL, NULL },
	{ "state_age_ms", SHAPE_INT, SHAPE_NULL, NULL, NULL },
	{ 0 },
};
static const struct shape status_shape = { "PeerStatus", false, status_fields };
static const struct shape_field pruned_fields[] = {
	{ "pruned", SHAPE_STRINGS, 0, NULL, "their names" },
	{ "count", SHAPE_INT, 0, NULL, NULL },
	{ "more", SHAPE_BOOL, 0, NULL, "there are others: again" },
	{ 0 },
};
static const struct shape pruned_shape = { "Pruned", false, pruned_fields };

static json_t *key_json(const uint8_t key[CRYPTO_KEY_LEN])
{
	static const uint8_t none[CRYPTO_KEY_LEN];
	char text[CRYPTO_BASE64_KEY_LEN + 1];

	if (crypto_equal(key, none, sizeof none))
		return json_null();
	crypto_base64(key, CRYPTO_KEY_LEN, text);
	return json_string(text);
}

static json_t *endpoint_json(const struct store_peer *p)
{
	char text[280];

	if (!p->gateway_host[0])
		return json_null();
	snprintf(text, sizeof text, strchr(p->gateway_host, ':') ? "[%s]:%u" : "%s:%u", p->gateway_host,
		 p->gateway_port ? p->gateway_port : 51820u);
	return json_string(text);
}

static json_t *address_json(const struct store_peer *p, unsigned low, const char *mask)
{
	struct in6_addr a = addr_natural((struct addr_parts){ p->record.network, p->record.home_gateway, p->record.instance,
							      (uint16_t)(p->record.slot << 8 | low) });
	char text[ADDR_TEXT_LEN + 8];

	addr_text(&a, text);
	strcat(text, mask);
	return json_string(text);
}

/* What goes into the customer's file beside his key and address. */
static void add_tunnel(json_t *reply, const struct store_peer *p)
{
	struct in6_addr network = addr_network_prefix(p->record.network), dns = addr_network_resolver(p->record.network);
	char text[ADDR_TEXT_LEN + 8];

	addr_text(&network, text);
	strcat(text, "/48");
	json_object_set_new(reply, "allowed_ips", json_pack("[s]", text));
	json_object_set_new(reply, "dns", json_string(addr_text(&dns, text)));
	json_object_set_new(reply, "endpoint", endpoint_json(p));
	json_object_set_new(reply, "gateway_public_key", key_json(p->gateway_key));
}

json_t *api_peer_json(const struct store_peer *p)
{
	json_t *reply = json_pack("{s:o,s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "id", api_json_id(p->record.id), "name", p->record.name, "label",
				  p->record.label, "org", p->org_name, "network", p->network_name, "region", p->region, "requested_region",
				  p->record.requested_region, "gateway", p->gateway_name);

	json_object_set_new(reply, "moving_to", p->next_gateway ? json_string(p->next_name) : json_null());
	json_object_set_new(reply, "prefix", address_json(p, 0, "/120"));
	json_object_set_new(reply, "address", address_json(p, 2, ""));
	add_tunnel(reply, p);
	json_object_set_new(reply, "public_key", key_json(p->public_key));
	json_object_set_new(reply, "preshared", json_boolean(p->has_preshared_key));
	json_object_set_new(reply, "ephemeral", json_boolean(p->record.ephemeral));
	json_object_set_new(reply, "suspended", json_boolean(p->record.suspended));
	json_object_set_new(reply, "expires_at", api_json_time(p->record.expires_at_ms));
	json_object_set_new(reply, "created_at", api_json_time(p->created_ms));
	json_object_set_new(reply, "first_used_at", api_json_time(p->used_ms));
	json_object_set_new(reply, "made_by", api_json_str(p->made_by_text));
	json_object_set_new(reply, "record_v", json_integer((json_int_t)p->v));
	return reply;
}

/* ---- reading ---- */

static void add(void *call, const struct store_peer *peer)
{
	api_add_item(call, api_peer_json(peer));
}

static int list(struct store *store, struct api_call *call)
{
	struct store_page page = api_page(call);
	struct store_peer_filter filter = { .org = api_query(call, "org"), .region = api_query(call, "region") };
	struct store_next next = { 0 };
	bool none;
	int r = api_query_place(store, call, "gateway", &filter.gateway, &filter.network, &none);

	if (r == 0 && !none)
		r = store_peer_list(store, api_who(call), &filter, &page, add, call, &next, &call->op.why);
	if (r == 0)
		api_set_list(call, &next);
	return r;
}

static int show(struct store *store, struct api_call *call)
{
	struct store_peer peer;
	int r = store_peer_find(store, api_who(call), api_query(call, "org"), call->params[0], &peer, &call->op.why);

	if (r == 0)
		call->reply = api_peer_json(&peer);
	return r;
}

static int status(struct store *store, struct api_call *call)
{
	struct store_peer p;
	int r = store_peer_find(store, api_who(call), api_query(call, "org"), call->params[0], &p, &call->op.why);

	if (r == 0)
		call->reply = json_pack("{s:s,s:o,s:s,s:s,s:s,s:s,s:o}", "peer", p.record.name, "id", api_json_id(p.record.id), "org",
					p.org_name, "gateway", p.gateway_name, "region", p.region, "transport", "udp", "first_used_at",
					api_json_time(p.used_ms));
	return r;
}

/* ---- what its gateway sees, from memory ---- */

static struct api_peer_state state_of(const struct api_call *call, const json_t *peer)
{
	const struct api_env *env = api_get_env(call->api);
	struct api_peer_state state = { .known = false };
	uint8_t id[ID_LEN];

	if (env->ops->peer_state && id_parse(json_string_value(json_object_get(peer, "id")), id) == 0)
		(void)env->ops->peer_state(env->ctx, id, &state);
	return state;
}

/* After a start of the controller nothing is known until the gateway says it again: that is not "never". */
static const char *state_name(const struct api_peer_state *s, const json_t *peer)
{
	if (!s->known)
		return "unknown";
	if (s->online)
		return "online";
	return s->last_handshake_ms || !json_is_null(json_object_get(peer, "first_used_at")) ? "offline" : "never";
}

static json_t *age_json(uint64_t now, uint64_t since, uint64_t unit)
{
	return since ? json_integer((json_int_t)((now > since ? now - since : 0) / unit)) : json_null();
}

/* What only memory knows cannot narrow the store's page: a page may hold fewer than its limit, or none, and still have a next one. */
static void keep_state(json_t *items, const char *state)
{
	for (size_t i = json_array_size(items); state && i-- > 0;)
		if (strcmp(state, json_string_value(json_object_get(json_array_get(items, i), "state"))))
			json_array_remove(items, i);
}

static int check_list(struct api_call *call, struct why *why)
{
	static const char *const states[] = { "online", "offline", "never", "unknown", NULL };

	return api_check_word(call, "state", states, why);
}

static void finish_list(struct api_call *call)
{
	json_t *peer;
	size_t i;

	json_array_foreach(json_object_get(call->reply, "items"), i, peer) {
		struct api_peer_state s = state_of(call, peer);

		json_object_set_new(peer, "state", json_string(state_name(&s, peer)));
		json_object_set_new(peer, "last_handshake_at", api_json_time(s.last_handshake_ms));
	}
	keep_state(json_object_get(call->reply, "items"), api_query(call, "state"));
}

static void finish_status(struct api_call *call)
{
	struct api_peer_state s = state_of(call, call->reply);
	uint64_t now = clock_real_ms(&api_get_env(call->api)->clock);
	json_t *r = call->reply;

	json_object_set_new(r, "state", json_string(state_name(&s, r)));
	json_object_set_new(r, "endpoint", api_json_str(s.endpoint));
	json_object_set_new(r, "last_handshake_at", api_json_time(s.last_handshake_ms));
	json_object_set_new(r, "handshake_age_s", age_json(now, s.last_handshake_ms, 1000));
	json_object_set_new(r, "rx_bytes", s.known ? json_integer((json_int_t)s.rx_bytes) : json_null());
	json_object_set_new(r, "tx_bytes", s.known ? json_integer((json_int_t)s.tx_bytes) : json_null());
	json_object_set_new(r, "gateway_live", json_boolean(s.gateway_live));
	json_object_set_new(r, "reported_at", api_json_time(s.reported_ms));
	json_object_set_new(r, "state_age_ms", age_json(now, s.reported_ms, 1));
}

/* ---- writing ---- */

int api_peer_parse_public(const struct api_call *call, const char *field, const char *text, uint8_t ret_key[CRYPTO_KEY_LEN],
			  struct why *why)
{
	if (peer_key_parse(field, text, ret_key, why))
		return E_REFUSED;
	if (crypto_equal(ret_key, api_get_env(call->api)->link_public_key, CRYPTO_KEY_LEN))
		return why_set(why, "key_taken", field, "this public key is in use already; each peer needs a key pair of its own");
	return 0;
}

static int parse_keys(const struct api_call *call, uint8_t ret_public[CRYPTO_KEY_LEN], uint8_t ret_preshared[CRYPTO_KEY_LEN],
		      bool *ret_has_preshared, struct why *why)
{
	const char *preshared = api_str(call, "preshared_key");

	*ret_has_preshared = preshared != NULL;
	if (api_peer_parse_public(call, "public_key", api_str(call, "public_key"), ret_public, why))
		return E_REFUSED;
	return preshared && peer_key_parse_preshared("preshared_key", preshared, ret_preshared, why) ? E_REFUSED : 0;
}

static int check_keys(struct api_call *call, struct why *why)
{
	uint8_t public_key[CRYPTO_KEY_LEN], preshared[CRYPTO_KEY_LEN];
	bool has;
	int r = parse_keys(call, public_key, preshared, &has, why);

	crypto_wipe(preshared, sizeof preshared);
	return r;
}

static uint64_t expiry(const struct api_call *call)
{
	int64_t s = api_int(call, "expires_in_s", 0);

	return s ? clock_real_ms(&api_get_env(call->api)->clock) + (uint64_t)s * 1000 : 0;
}

void api_wait_for_peer(struct api_call *call, const struct store_peer *peer)
{
	memcpy(call->wait.gateway, peer->next_gateway ? peer->next_name : peer->gateway_name, sizeof call->wait.gateway);
	call->wait.gateway_v = peer->v;
	id_text(peer->record.id, call->wait.peer);
	memcpy(call->made, peer->record.id, sizeof call->made);
}

/* The gateway fell silent between placement and acknowledgement: nobody has seen the reply yet, so the peer is made again, elsewhere. */
bool api_peer_make_again(struct api_call *call)
{
	memcpy(call->lost, call->wait.gateway, sizeof call->lost);
	return true;
}

/* The refusal of a second try says that the first left nothing behind. */
static void explain(const struct api_call *call, struct why *why)
{
	char text[sizeof why->text];

	snprintf(text, sizeof text, "%s", why->text);
	snprintf(why->text, sizeof why->text, "gateway \"%s\" fell silent before it knew of the peer, which was taken back: %.200s", call->lost,
		 text);
}

json_t *api_peer_warnings(const struct api_call *call, const struct store_peer *peer, const char *warning)
{
	char text[240];
	json_t *list = json_array();

	if (warning[0])
		json_array_append_new(list, json_string(warning));
	if (call->tries) {
		snprintf(text, sizeof text, "gateway \"%s\" fell silent before it knew of the peer, so it ends at \"%s\" instead", call->lost,
			 peer->gateway_name);
		json_array_append_new(list, json_string(text));
	}
	return list;
}

int api_peer_make(struct store *store, struct api_call *call, struct store_peer_new *in, struct store_peer *ret_peer,
		  char ret_warning[STORE_PEER_WARNING_SIZE])
{
	int r;

	in->live = call->live;
	in->n_live = call->n_live;
	in->instead_of = call->tries ? call->made : NULL;
	r = store_peer_create(store, &call->op, in, ret_peer, ret_warning);
	if (r == 0)
		api_wait_for_peer(call, ret_peer);
	else if (r == E_REFUSED && call->op.keep_refusal)
		explain(call, &call->op.why);
	return r;
}

static int create(struct store *store, struct api_call *call)
{
	struct store_peer_new in = { .org = api_str(call, "org"), .network = api_str(call, "network"), .name = api_str(call, "name"),
				     .region = api_str(call, "region"), .gateway = api_str(call, "gateway"),
				     .strict = api_bool(call, "strict", false), .ephemeral = api_bool(call, "ephemeral", false),
				     .expires_ms = expiry(call) };
	char warning[STORE_PEER_WARNING_SIZE] = "";
	struct store_peer peer;
	int r = parse_keys(call, in.public_key, in.preshared_key, &in.has_preshared_key, &call->op.why);

	if (r == 0)
		r = api_peer_make(store, call, &in, &peer, warning);
	crypto_wipe(in.preshared_key, sizeof in.preshared_key);
	if (r == 0) {
		call->reply = api_peer_json(&peer);
		json_object_set_new(call->reply, "warnings", api_peer_warnings(call, &peer, warning));
	}
	return r;
}

static int update(struct store *store, struct api_call *call)
{
	struct store_peer_update in = { .set_expires = api_has(call, "expires_in_s"), .expires_ms = expiry(call),
					.set_ephemeral = api_has(call, "ephemeral"), .ephemeral = api_bool(call, "ephemeral", false),
					.set_suspended = api_has(call, "suspended"), .suspended = api_bool(call, "suspended", false) };
	struct store_peer peer;
	int r = store_peer_update(store, &call->op, api_query(call, "org"), call->params[0], &in, &peer);

	if (r == 0)
		call->reply = api_peer_json(&peer);
	return r;
}

/* Who is asked for two secrets is not left with one because a field was forgotten: "none" has to be said. */
static int check_preshared_said(struct store *store, struct api_call *call)
{
	struct store_peer peer;
	int r;

	if (json_object_get(call->body, "preshared_key")) /* null too */
		return 0;
	r = store_peer_find(store, api_who(call), api_query(call, "org"), call->params[0], &peer, &call->op.why);
	if (r || !peer.has_preshared_key)
		return r;
	return why_set(&call->op.why, "preshared_key_missing", "preshared_key",
		       "the peer has a preshared key, which ends with its old key: give another, or null for none");
}

static int rekey(struct store *store, struct api_call *call)
{
	uint8_t public_key[CRYPTO_KEY_LEN], preshared[CRYPTO_KEY_LEN];
	struct store_peer peer;
	bool has;
	int r = parse_keys(call, public_key, preshared, &has, &call->op.why);

	if (r == 0)
		r = check_preshared_said(store, call);
	if (r == 0)
		r = store_peer_rekey(store, &call->op, api_query(call, "org"), call->params[0], public_key, has ? preshared : NULL, &peer);
	crypto_wipe(preshared, sizeof preshared);
	if (r == 0) {
		call->reply = api_peer_json(&peer);
		api_wait_for_peer(call, &peer);
	}
	return r;
}

static int delete(struct store *store, struct api_call *call)
{
	struct store_peer peer;
	int r = store_peer_delete(store, &call->op, api_query(call, "org"), call->params[0], &peer);

	if (r == 0)
		call->reply = api_peer_json(&peer);
	return r;
}

struct pruned {
	json_t *names;
	unsigned n;
};

static void add_pruned(void *arg, const struct store_peer *peer)
{
	struct pruned *p = arg;

	json_array_append_new(p->names, json_string(peer->record.name));
	p->n++;
}

static int prune(struct store *store, struct api_call *call)
{
	struct store_peer_prune in = { .org = api_str(call, "org"),
				       .older_than_ms = (uint64_t)api_int(call, "older_than_s", PRUNE_DEFAULT_S) * 1000 };
	const char *network = api_str(call, "network");
	struct pruned pruned = { .n = 0 };
	struct store_network row;
	bool more = false;
	int r = network ? store_network_find(store, api_who(call), in.org, network, &row, &call->op.why) : 0;

	if (r)
		return r;
	in.network = network ? row.id : 0;
	pruned.names = json_array();
	r = store_peer_prune(store, &call->op, &in, add_pruned, &pruned, &more);
	if (r == 0)
		call->reply = json_pack("{s:O,s:i,s:b}", "pruned", pruned.names, "count", (int)pruned.n, "more", more);
	json_decref(pruned.names);
	return r;
}

static int check_prune(struct api_call *call, struct why *why)
{
	if (!api_bool(call, "never_used", true))
		return why_set(why, "value_invalid", "never_used", "never_used is false: only peers that were never used can be pruned");
	return 0;
}

static const struct route_field prune_fields[] = {
	{ "org", FIELD_STR, 1, 63, false, "of this organization; may be left out if the token sees only one" },
	{ "network", FIELD_STR, 1, 130, false, "only in this network" },
	{ "never_used", FIELD_BOOL, 0, 0, false, "those without a handshake in their life: the only ones there are to prune (true)" },
	{ "older_than_s", FIELD_INT, 0, EXPIRY_MAX_S, false, "and made so many seconds ago at least (86400)" },
	{ 0 },
};
static const struct route_field create_fields[] = {
	{ "org", FIELD_STR, 1, 63, false, "its organization; may be left out if the token sees only one" },
	{ "name", FIELD_STR, 1, 255, true, "letters, digits and dashes; unique in the organization, whatever its case" },
	{ "network", FIELD_STR, 1, 130, false, "name, org/name or id (default)" },
	{ "region", FIELD_STR, 1, 3, false, "where its tunnel is to end; without it, nearest to the network's instances" },
	{ "gateway", FIELD_STR, 1, 63, false, "instead: this gateway" },
	{ "public_key", FIELD_STR, 1, 255, true, "its WireGuard public key, base64 of 32 bytes" },
	{ "preshared_key", FIELD_STR, 1, 255, false, "a WireGuard preshared key, base64 of 32 bytes" },
	{ "strict", FIELD_BOOL, 0, 0, false, "an error instead of another region" },
	{ "ephemeral", FIELD_BOOL, 0, 0, false, "deleted once it was not used for a day" },
	{ "expires_in_s", FIELD_INT, 1, EXPIRY_MAX_S, false, "deleted after so many seconds" },
	{ 0 },
};
static const struct route_field update_fields[] = {
	{ "expires_in_s", FIELD_INT, 0, EXPIRY_MAX_S, false, "deleted so many seconds from now; 0 = never" },
	{ "ephemeral", FIELD_BOOL, 0, 0, false, "deleted once it was not used for a day" },
	{ "suspended", FIELD_BOOL, 0, 0, false, "its gateway lets nothing of it through" },
	{ 0 },
};
static const struct route_field rekey_fields[] = {
	{ "public_key", FIELD_STR, 1, 255, true, "its new WireGuard public key; the old one is dead at once" },
	{ "preshared_key", FIELD_STR, 1, 255, false, "its new preshared key, or null for none; must be said if it has one" },
	{ 0 },
};

const struct route api_peer_routes[] = {
	{ "GET", "/v1/peers", ROUTE_TOKEN, .reply = &peer_listed_shape, .list = true, .query = "org network region gateway state",
	  .check = check_list, .run = list, .finish = finish_list, .help = "list WireGuard peers" },
	{ "POST", "/v1/peers", ROUTE_TOKEN, .reply = &api_peer_made_shape, .write = true, .success = 201, .fields = create_fields,
	  .check = check_keys, .run = create, .again = api_peer_make_again, .help = "create a WireGuard peer" },
	{ "GET", "/v1/peers/{peer}", ROUTE_TOKEN, .object = &api_peer_shape, .current = show, .reply = &api_peer_shape,
	  .query = "org", .run = show, .help = "show a peer: name, org/name or id" },
	{ "GET", "/v1/peers/{peer}/status", ROUTE_TOKEN, .reply = &status_shape, .query = "org", .run = status,
	  .finish = finish_status, .help = "what its gateway sees of it: handshake, endpoint, bytes" },
	{ "PATCH", "/v1/peers/{peer}", ROUTE_TOKEN, .object = &api_peer_shape, .current = show, .reply = &api_peer_shape,
	  .write = true, .query = "org", .fields = update_fields, .run = update, .help = "change expiry, ephemeral or suspended" },
	{ "POST", "/v1/peers/{peer}/rekey", ROUTE_TOKEN, .object = &api_peer_shape, .current = show, .reply = &api_peer_shape,
	  .write = true, .query = "org", .fields = rekey_fields, .check = check_keys, .run = rekey,
	  .help = "give a peer another key; name and address stay" },
	{ "POST", "/v1/peers/prune", ROUTE_TOKEN, .reply = &pruned_shape, .write = true, .frees = true, .fields = prune_fields,
	  .check = check_prune, .run = prune,
	  .help = "delete the peers of an organization that were never used; with dry_run it only names them" },
	{ "DELETE", "/v1/peers/{peer}", ROUTE_TOKEN, .object = &api_peer_shape, .current = show, .reply = &api_peer_shape,
	  .write = true, .frees = true, .query = "org", .run = delete, .help = "delete a peer" },
	{ 0 },
};
