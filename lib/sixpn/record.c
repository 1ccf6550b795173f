/* record - the envelope: see record.h. Bodies are in record_bodies.c. */
#include "lib/sixpn/record.h"

#include "lib/base/crypto.h"
#include "lib/sixpn/pb.h"
#include "proto/sixpn.pb-c.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One row per kind: what its envelope must look like. */
static const struct kind_rule {
	const char *name;
	uint8_t key_min, key_max;
	bool in_network, private_to_node;
} rules[RECORD_KIND_MAX] = {
	[RECORD_REGION] = { "region", 3, 3, false, false },
	[RECORD_NODE] = { "node", 4, 4, false, false },
	[RECORD_NETWORK] = { "network", 4, 4, true, false },
	[RECORD_APP] = { "app", 8, 8, true, false },
	[RECORD_INSTANCE] = { "instance", 14, 14, true, false },
	[RECORD_WORKLOAD] = { "workload", 14, 14, true, true },
	[RECORD_PEER] = { "peer", 8, 8, true, false },
	[RECORD_PEER_KEY] = { "peer_key", RECORD_PEER_KEY_KEY_LEN, RECORD_PEER_KEY_KEY_LEN, true, true },
	[RECORD_RULE] = { "rule", RECORD_RULE_KEY_LEN, RECORD_RULE_KEY_LEN, true, false },
	[RECORD_FAR_INSTANCE] = { "far_instance", RECORD_FAR_INSTANCE_KEY_LEN, RECORD_FAR_INSTANCE_KEY_LEN, true, false },
	[RECORD_FLYCAST] = { "flycast", 8, 8, true, false },
	[RECORD_ORG] = { "org", 1, 32, false, false },
	[RECORD_USER] = { "user", 1, 32, false, false },
	[RECORD_MEMBERSHIP] = { "membership", 1, 32, false, false },
	[RECORD_TOKEN] = { "token", 1, 32, false, false },
	[RECORD_NODE_TOKEN] = { "node_token", 1, 32, false, false },
	[RECORD_PEERING] = { "peering", 1, 32, false, false },
};

static const struct kind_rule *rule_of(uint32_t kind)
{
	return kind < RECORD_KIND_MAX && rules[kind].name ? &rules[kind] : NULL;
}

const char *record_kind_name(uint32_t kind)
{
	const struct kind_rule *rule = rule_of(kind);

	return rule ? rule->name : "unknown";
}

const char *record_key_text(const struct record *r, char *ret_text, size_t size)
{
	bool text = r->key_len > 0;

	for (size_t i = 0; i < r->key_len; i++)
		text = text && isgraph(r->key[i]);
	if (text && (size_t)r->key_len < size)
		snprintf(ret_text, size, "%.*s", (int)r->key_len, (const char *)r->key);
	else if (size > 2u * r->key_len)
		crypto_hex(r->key, r->key_len, ret_text);
	else
		snprintf(ret_text, size, "?");
	return ret_text;
}

struct record *record_copy(const struct record *r)
{
	struct record *copy = malloc(sizeof *copy + r->body_len);

	if (!copy)
		return NULL;
	*copy = *r;
	copy->body = (uint8_t *)(copy + 1);
	if (r->body_len)
		memcpy(copy + 1, r->body, r->body_len);
	return copy;
}

int record_check(const struct record *r, struct why *why)
{
	const struct kind_rule *rule = rule_of(r->kind);

	if (!r->kind || r->kind >= RECORD_KIND_MAX)
		return why_set(why, "record_invalid", "kind", "record kind %u cannot be", r->kind);
	if (!r->key_len || r->key_len > RECORD_KEY_MAX)
		return why_set(why, "record_invalid", "key", "record key of %u bytes; 1 to %d are allowed", r->key_len, RECORD_KEY_MAX);
	if (!r->v)
		return why_set(why, "record_invalid", "v", "record without a version");
	if (r->body_len > RECORD_MAX - 256)
		return why_set(why, "record_invalid", "body", "record body of %zu bytes; at most %d are allowed", r->body_len, RECORD_MAX - 256);
	if (r->deleted && r->body_len)
		return why_set(why, "record_invalid", "body", "a tombstone has no body");
	if (r->network && !addr_network_valid(r->network))
		return why_set(why, "record_invalid", "network", "network id %08x cannot be", r->network);
	if (r->node && !addr_host_valid(r->node))
		return why_set(why, "record_invalid", "node", "host word %08x cannot be", r->node);
	if (!rule) /* a kind of a newer controller: kept and counted by the caller, judged no further */
		return 0;
	if (r->key_len < rule->key_min || r->key_len > rule->key_max)
		return why_set(why, "record_invalid", "key", "%s key of %u bytes", rule->name, r->key_len);
	if (rule->in_network != (r->network != 0))
		return why_set(why, "record_invalid", "network", "%s record %s a network", rule->name, rule->in_network ? "without" : "with");
	if (rule->private_to_node != (r->node != 0))
		return why_set(why, "record_invalid", "node", "%s record %s a node", rule->name, rule->private_to_node ? "without" : "with");
	return 0;
}

int record_encode(const struct record *r, struct buf *ret_bytes)
{
	Sixpn__Record m = SIXPN__RECORD__INIT;

	m.kind = r->kind;
	m.key = pb_bytes(r->key, r->key_len);
	m.network = r->network;
	m.node = r->node;
	m.v = r->v;
	m.deleted = r->deleted;
	m.intent = r->intent;
	m.body = pb_bytes(r->body, r->body_len);
	return pb_pack(&m, ret_bytes);
}

int record_decode(const void *bytes, size_t n, struct record *ret, struct why *why)
{
	struct pb_arena arena;
	struct record out = { 0 };
	Sixpn__Record *m;
	uint8_t *body_at;
	int r;

	if (n > RECORD_MAX)
		return why_set(why, "record_invalid", "", "record of %zu bytes; at most %d are allowed", n, RECORD_MAX);
	pb_arena_init(&arena, 2 * RECORD_MAX);
	m = (Sixpn__Record *)pb_unpack(&arena, &sixpn__record__descriptor, bytes, n);
	if (!m) {
		pb_arena_deinit(&arena);
		return why_set(why, "record_invalid", "", "the bytes are not a record");
	}
	r = record_from_pb(m, &out, why);
	if (r == 0 && m->body.len) {
		/* borrow from the input: the body is the last field our encoder writes; others may order fields as they like */
		body_at = memmem(bytes, n, m->body.data, m->body.len);
		if (body_at) {
			out.body = body_at;
			out.body_len = m->body.len;
		} else {
			r = why_set(why, "record_invalid", "body", "the body is not contiguous");
		}
	}
	if (r == 0)
		*ret = out;
	pb_arena_deinit(&arena);
	return r;
}

int record_from_pb(const Sixpn__Record *m, struct record *ret, struct why *why)
{
	struct record out = { .kind = m->kind,
			      .network = m->network,
			      .node = m->node,
			      .v = m->v,
			      .deleted = m->deleted,
			      .intent = m->intent,
			      .body = m->body.data,
			      .body_len = m->body.len };
	int r;

	if (m->key.len > RECORD_KEY_MAX)
		return why_set(why, "record_invalid", "key", "record key of %zu bytes", m->key.len);
	out.key_len = (uint8_t)m->key.len;
	if (m->key.len)
		memcpy(out.key, m->key.data, m->key.len);
	r = record_check(&out, why);
	if (r == 0)
		*ret = out;
	return r;
}

void record_to_pb(const struct record *r, Sixpn__Record *ret)
{
	sixpn__record__init(ret);
	ret->kind = r->kind;
	ret->key = pb_bytes(r->key, r->key_len);
	ret->network = r->network;
	ret->node = r->node;
	ret->v = r->v;
	ret->deleted = r->deleted;
	ret->intent = r->intent;
	ret->body = pb_bytes(r->body, r->body_len);
}

static struct record envelope(uint32_t kind, const void *key, size_t key_len, uint32_t network, uint32_t node)
{
	struct record r = { .kind = kind, .key_len = (uint8_t)key_len, .network = network, .node = node };

	memcpy(r.key, key, key_len);
	return r;
}

struct record region_envelope(const struct region_record *in)
{
	return envelope(RECORD_REGION, in->name, 3, 0, 0);
}

struct record node_envelope(const struct node_record *in)
{
	uint8_t key[4];

	put_u32(key, in->host);
	return envelope(RECORD_NODE, key, 4, 0, 0);
}

struct record network_envelope(const struct network_record *in)
{
	uint8_t key[4];

	put_u32(key, in->id);
	return envelope(RECORD_NETWORK, key, 4, in->id, 0);
}

struct record app_envelope(const struct app_record *in)
{
	return envelope(RECORD_APP, in->id, sizeof in->id, in->network, 0);
}

struct record instance_envelope(const struct instance_record *in)
{
	return envelope(RECORD_INSTANCE, in->id, NAME_INSTANCE_ID_LEN, in->network, 0);
}

struct record workload_envelope(const char *instance_id, uint32_t network, uint32_t host)
{
	return envelope(RECORD_WORKLOAD, instance_id, NAME_INSTANCE_ID_LEN, network, host);
}

struct record peer_envelope(const struct peer_record *in)
{
	return envelope(RECORD_PEER, in->id, sizeof in->id, in->network, 0);
}

void peer_key_record_key(const uint8_t peer[8], uint32_t gateway, uint8_t ret_key[RECORD_PEER_KEY_KEY_LEN])
{
	memcpy(ret_key, peer, 8);
	put_u32(ret_key + 8, gateway);
}

struct record peer_key_envelope(const struct peer_key_record *in, uint32_t network, uint32_t gateway)
{
	uint8_t key[RECORD_PEER_KEY_KEY_LEN];

	peer_key_record_key(in->peer, gateway, key);
	return envelope(RECORD_PEER_KEY, key, sizeof key, network, gateway);
}

struct record flycast_envelope(const struct flycast_record *in)
{
	return envelope(RECORD_FLYCAST, in->id, sizeof in->id, in->network, 0);
}

struct record rule_envelope(const uint8_t rule[RECORD_RULE_ID_LEN], uint32_t network)
{
	uint8_t key[RECORD_RULE_KEY_LEN];

	memcpy(key, rule, RECORD_RULE_ID_LEN);
	put_u32(key + RECORD_RULE_ID_LEN, network);
	return envelope(RECORD_RULE, key, sizeof key, network, 0);
}

struct record far_instance_envelope(const uint8_t rule[RECORD_RULE_ID_LEN], const char *instance_id, uint32_t network)
{
	uint8_t key[RECORD_FAR_INSTANCE_KEY_LEN];

	memcpy(key, rule, RECORD_RULE_ID_LEN);
	memcpy(key + RECORD_RULE_ID_LEN, instance_id, NAME_INSTANCE_ID_LEN);
	return envelope(RECORD_FAR_INSTANCE, key, sizeof key, network, 0);
}
