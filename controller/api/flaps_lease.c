/* flaps_lease - leases of machines: whoever holds one shows its nonce in the header fly-machine-lease-nonce with every change. */
#include "controller/api/flaps.h"

#include <stdlib.h>
#include <string.h>

json_t *flaps_lease_json(const struct store_lease *lease, const char *version, bool with_nonce)
{
	json_t *data = json_pack("{s:I,s:s,s:s,s:s}", "expires_at", (json_int_t)(lease->expires_ms / 1000), "owner", lease->owner,
				 "description", lease->description, "version", version);

	if (with_nonce)
		json_object_set_new(data, "nonce", json_string(lease->nonce));
	return json_pack("{s:s,s:o}", "status", "success", "data", data);
}

/* Seconds, in the query or in the body. */
static int parse_ttl(const struct api_call *call, uint32_t *ret_ttl, struct why *why)
{
	const char *text = api_query(call, "ttl");
	int64_t ttl = api_int(call, "ttl", 0);

	if (text && *text) {
		if (strlen(text) > 6 || text[strspn(text, "0123456789")])
			return why_set(why, "value_invalid", "ttl", "query parameter \"ttl\" is \"%.30s\": it must be a number of seconds", text);
		ttl = atoi(text);
	}
	if (ttl < 0 || ttl > LEASE_TTL_MAX_S)
		return why_set(why, "out_of_range", "ttl", "ttl is %lld s, at most %d are allowed", (long long)ttl, LEASE_TTL_MAX_S);
	*ret_ttl = ttl ? (uint32_t)ttl : LEASE_TTL_DEFAULT_S;
	return 0;
}

static int check_acquire(struct api_call *call, struct why *why)
{
	uint32_t ttl;

	return parse_ttl(call, &ttl, why);
}

static int acquire(struct store *store, struct api_call *call)
{
	CLEAN_BUF struct buf texts = BUF_INIT(2 * STORE_SPEC_MAX);
	struct store_machine m;
	struct store_lease lease;
	uint32_t ttl;
	int r = flaps_find(store, call, &texts, &m);

	if (r == 0)
		r = parse_ttl(call, &ttl, &call->op.why);
	if (r == 0)
		r = store_lease_acquire(store, &call->op, &m.instance, call->request->lease_nonce, ttl, api_str(call, "description"), &lease);
	if (r == 0)
		call->reply = flaps_lease_json(&lease, m.version, true);
	return r;
}

/* Not the nonce, but to whoever has it: else every reader could take its holder's place. */
static int show(struct store *store, struct api_call *call)
{
	const char *nonce = call->request->lease_nonce;
	CLEAN_BUF struct buf texts = BUF_INIT(2 * STORE_SPEC_MAX);
	struct store_machine m;
	struct store_lease lease;
	int r = flaps_find(store, call, &texts, &m);

	if (r == 0)
		r = store_lease_find(store, &m.instance, &lease, &call->op.why);
	if (r == 0)
		call->reply = flaps_lease_json(&lease, m.version, nonce && store_lease_check(store, m.instance.record.id, nonce, NULL) == 0);
	return r;
}

static int release(struct store *store, struct api_call *call)
{
	CLEAN_BUF struct buf texts = BUF_INIT(2 * STORE_SPEC_MAX);
	struct store_machine m;
	int r = flaps_find(store, call, &texts, &m);

	if (r == E_REFUSED && !strcmp(call->op.why.code, "instance_not_found")) /* its machine was destroyed under it */
		return why_set(&call->op.why, "lease_not_found", "", "lease not found: there is no machine \"%.40s\" here", call->params[1]);
	if (r == 0)
		r = store_lease_release(store, &call->op, &m.instance, call->request->lease_nonce);
	if (r == 0)
		call->reply = json_pack("{s:b}", "ok", 1);
	return r;
}

static const struct route_field fields[] = {
	{ "ttl", FIELD_INT, 0, LEASE_TTL_MAX_S, false, "seconds; 120 if none are given" },
	{ "description", FIELD_STR, 0, 63, false, "for people" },
	{ 0 },
};

const struct route flaps_lease_routes[] = {
	{ "GET", "/v1/apps/{app}/machines/{instance}/lease", ROUTE_TOKEN, .manner = &flaps_manner, .reply = &flaps_lease_shape,
	  .error = &flaps_error_shape, .run = show, .help = "who holds the lease of a machine" },
	{ "POST", "/v1/apps/{app}/machines/{instance}/lease", ROUTE_TOKEN, .manner = &flaps_manner, .reply = &flaps_lease_shape,
	  .error = &flaps_error_shape, .write = true, .query = "ttl", .fields = fields,
	  .check = check_acquire, .run = acquire, .help = "hold the lease of a machine, or hold it longer: nobody else changes it meanwhile" },
	{ "DELETE", "/v1/apps/{app}/machines/{instance}/lease", ROUTE_TOKEN, .manner = &flaps_manner, .reply = &flaps_ok_shape,
	  .error = &flaps_error_shape, .write = true, .frees = true, .run = release,
	  .help = "end the lease of a machine" },
	{ 0 },
};
