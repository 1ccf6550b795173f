/* audit_json - see audit_json.h. Each kind that nodes get is written out field by field: a field that is added to it is not in the audit
 * before somebody has thought about it here, and a whole new kind is a digest until then. */
#include "controller/store/audit_json.h"

#include <stdlib.h>
#include <string.h>

#define DIGEST_BYTES 8

static json_t *hex_json(const void *bytes, size_t n)
{
	char text[2 * CRYPTO_KEY_LEN + 1];

	crypto_hex(bytes, n, text);
	return json_string(text);
}

static json_t *digest_json(const void *bytes, size_t n, const uint8_t secret[CRYPTO_KEY_LEN])
{
	struct crypto_part parts[] = { { "audit", 5 }, { bytes, n } };
	uint8_t hash[CRYPTO_HASH_LEN];

	crypto_blake2b(secret, CRYPTO_KEY_LEN, parts, ARRAY_LEN(parts), hash);
	return json_pack("{s:I,s:o}", "bytes", (json_int_t)n, "digest", hex_json(hash, DIGEST_BYTES));
}

static json_t *host_json(uint32_t host)
{
	uint8_t bytes[4];

	put_u32(bytes, host);
	return hex_json(bytes, sizeof bytes);
}

static json_t *key_json(const uint8_t key[CRYPTO_KEY_LEN])
{
	char text[CRYPTO_BASE64_KEY_LEN + 1];

	crypto_base64(key, CRYPTO_KEY_LEN, text);
	return json_string(text);
}

static json_t *address_json(struct in6_addr address)
{
	char text[ADDR_TEXT_LEN];

	return json_string(addr_text(&address, text));
}

static json_t *of_region(const struct record *r)
{
	struct region_record in;

	if (region_decode(r, &in, NULL) != 0)
		return NULL;
	return json_pack("{s:s,s:s,s:i,s:i,s:i}", "name", in.name, "city", in.city, "latitude_udeg", (int)in.latitude_udeg, "longitude_udeg",
			 (int)in.longitude_udeg, "locator", (int)in.locator);
}

static json_t *of_node(const struct record *r)
{
	struct node_record in;
	json_t *j, *ends = json_array();
	char text[ADDR_ENDPOINT_TEXT_LEN];

	if (node_decode(r, &in, NULL) != 0) {
		json_decref(ends);
		return NULL;
	}
	for (size_t i = 0; i < in.n_endpoints; i++)
		json_array_append_new(ends, json_string(addr_endpoint_text(&in.endpoints[i], text)));
	j = json_pack("{s:s,s:o,s:s,s:i,s:b,s:o,s:o}", "name", in.name, "host", host_json(in.host), "region", in.region, "roles", (int)in.roles,
		      "draining", in.draining, "mesh_key", key_json(in.mesh_key), "endpoints", ends);
	if (in.gateway_host[0])
		json_object_set_new(j, "gateway", json_pack("{s:s,s:i}", "host", in.gateway_host, "port", (int)in.gateway_port));
	if (in.has_gateway_key)
		json_object_set_new(j, "gateway_key", key_json(in.gateway_key));
	return j;
}

static json_t *of_network(const struct record *r)
{
	struct network_record in;

	if (network_decode(r, &in, NULL) != 0)
		return NULL;
	return json_pack("{s:s,s:s,s:o,s:b}", "name", in.name, "org", in.org, "id", host_json(in.id), "suspended", in.suspended);
}

static json_t *of_flycast(const struct record *r)
{
	struct flycast_record in;
	struct in6_addr address;
	char text[ADDR_TEXT_LEN];

	if (flycast_decode(r, &in, NULL) != 0)
		return NULL;
	address = addr_flycast(in.network, in.number);
	return json_pack("{s:s,s:s}", "address", addr_text(&address, text), "app", in.app);
}

static json_t *of_app(const struct record *r)
{
	struct app_record in;

	if (app_decode(r, &in, NULL) != 0)
		return NULL;
	return json_pack("{s:s,s:o,s:o}", "name", in.name, "id", hex_json(in.id, sizeof in.id), "network", host_json(in.network));
}

static json_t *of_instance(const struct record *r)
{
	struct instance_record in;
	json_t *metadata = json_object();

	if (instance_decode(r, &in, NULL) != 0) {
		json_decref(metadata);
		return NULL;
	}
	for (size_t i = 0; i < in.n_metadata; i++)
		json_object_set_new(metadata, in.metadata[i].key, json_string(in.metadata[i].value));
	return json_pack("{s:s,s:o,s:o,s:o,s:o,s:s,s:I,s:s,s:s,s:o,s:b,s:b}", "name", in.name, "app", hex_json(in.app, sizeof in.app), "network",
			 host_json(in.network), "host", host_json(in.host), "address", address_json(instance_address(&in)), "desired",
			 desired_name(in.desired), "generation", (json_int_t)in.generation, "observed", instance_state_name(in.observed.state),
			 "group", in.group, "metadata", metadata, "dns_skip", in.dns_skip, "cordoned", in.cordoned);
}

static json_t *of_workload(const struct record *r, const uint8_t secret[CRYPTO_KEY_LEN])
{
	struct workload_record in;

	if (workload_decode(r, &in, NULL) != 0)
		return NULL;
	return json_pack("{s:s,s:o}", "instance", in.instance, "spec", digest_json(in.spec, in.spec_len, secret));
}

static json_t *of_peer(const struct record *r)
{
	struct peer_record in;

	if (peer_decode(r, &in, NULL) != 0)
		return NULL;
	return json_pack("{s:s,s:s,s:o,s:o,s:o,s:s,s:b,s:b,s:I}", "name", in.name, "label", in.label, "network", host_json(in.network), "gateway",
			 host_json(in.gateway), "address", address_json(peer_address(&in)), "requested_region", in.requested_region, "ephemeral",
			 in.ephemeral, "suspended", in.suspended, "expires_ms", (json_int_t)in.expires_at_ms);
}

static json_t *of_peer_key(const struct record *r)
{
	struct peer_key_record in;
	json_t *j;

	if (peer_key_decode(r, &in, NULL) != 0)
		return NULL;
	j = json_pack("{s:o,s:o,s:b}", "peer", hex_json(in.peer, sizeof in.peer), "public_key", key_json(in.public_key), "has_preshared_key",
		      in.has_preshared_key);
	crypto_wipe(&in, sizeof in);
	return j;
}

/* Of one end: the other is named by the rule itself (peering), which has a row too. */
static json_t *of_rule(const struct record *r)
{
	struct rule_record in;

	if (rule_decode(r, &in, NULL) != 0)
		return NULL;
	return json_pack("{s:o,s:o,s:b,s:o,s:s}", "rule", hex_json(in.id, sizeof in.id), "network", host_json(in.network), "opens", in.outgoing, "app",
			 in.every_app ? json_null() : hex_json(in.app, sizeof in.app), "as", in.alias);
}

/* The kinds that stay in the controller have JSON for a body, made without secrets: the text of a token and its hash are in no record. */
static json_t *of_json(const struct record *r)
{
	return json_loadb((const char *)r->body, r->body_len, 0, NULL);
}

json_t *audit_json_of(const struct record *r, const uint8_t secret[CRYPTO_KEY_LEN])
{
	json_t *j = NULL;

	switch (r->kind) {
	case RECORD_REGION: j = of_region(r); break;
	case RECORD_NODE: j = of_node(r); break;
	case RECORD_NETWORK: j = of_network(r); break;
	case RECORD_APP: j = of_app(r); break;
	case RECORD_INSTANCE: j = of_instance(r); break;
	case RECORD_WORKLOAD: j = of_workload(r, secret); break;
	case RECORD_PEER: j = of_peer(r); break;
	case RECORD_FLYCAST: j = of_flycast(r); break;
	case RECORD_PEER_KEY: j = of_peer_key(r); break;
	case RECORD_RULE: j = of_rule(r); break;
	default: j = r->kind >= RECORD_ORG ? of_json(r) : NULL; break;
	}
	return j ? j : digest_json(r->body, r->body_len, secret);
}

const char *audit_json_name(const json_t *json)
{
	const char *name = json_string_value(json_object_get(json, "name"));

	if (!name || !*name)
		name = json_string_value(json_object_get(json, "email"));
	return name ? name : "";
}

char *audit_json_text(const json_t *json, const uint8_t secret[CRYPTO_KEY_LEN])
{
	char *text = json_dumps(json, JSON_COMPACT);
	CLEAN_JSON json_t *digest = NULL;

	if (!text || strlen(text) <= AUDIT_JSON_MAX)
		return text;
	digest = digest_json(text, strlen(text), secret);
	free(text);
	return digest ? json_dumps(digest, JSON_COMPACT) : NULL;
}
