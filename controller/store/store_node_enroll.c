/* store_node_enroll - a machine becomes a node, in one transaction: token judged, number drawn, node made, token bound to its key.
 * Idempotent: who lost the reply asks again and gets the same identity, even if the token has expired since. */
#include "controller/store/store_internal.h"
#include "controller/store/store_node_internal.h"
#include "controller/store/store_region.h"
#include "lib/base/crypto.h"

#include <stdio.h>
#include <string.h>

#define REFUSALS_KEPT 100 /* per token: later ones are counted only, or a thief could fill the log */

/* Refused to somebody who knew the secret: counted on the token and kept in the log. */
static int refuse(struct store *store, struct op *op, struct store_node_token *token)
{
	int r = sql_run(store, "UPDATE node_token SET refused = refused + 1 WHERE id = ?1", "d", token->id);

	if (r == 0 && token->refused++ < REFUSALS_KEPT)
		r = node_token_emit(store, op, token);
	else
		op_excuse(op, 1);
	op->keep_refusal = r == 0;
	return r ? r : E_REFUSED;
}

static bool in_prefix(const uint8_t a[16], const uint8_t prefix[16], unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(a, prefix, whole))
		return false;
	return !rest || !((a[whole] ^ prefix[whole]) >> (8 - rest));
}

/* What the token itself says about a key that has not used it before. */
static int judge_token(const struct store_node_token *token, const struct store_enroll *in, uint64_t now, struct why *why)
{
	char id[ID_TEXT_SIZE];

	id_text(token->id, id);
	if (token->revoked_ms)
		return why_set(why, "join_token_revoked", "token", "join token %s was revoked", id);
	if (token->expires_ms && token->expires_ms <= now)
		return why_set(why, "join_token_expired", "token", "join token %s has expired", id);
	if (token->has_key && !crypto_equal(token->key, in->link_key, 32))
		return why_set(why, "join_token_wrong_key", "token", "join token %s is for a machine with another key", id);
	if (token->used >= token->uses)
		return why_set(why, "join_token_used_up", "token", "join token %s was used by another machine already (%u of %u uses)", id,
			       token->used, token->uses);
	if (token->has_source && !in_prefix(in->source, token->source, token->source_bits))
		return why_set(why, "join_token_wrong_source", "token", "join token %s is for machines at other addresses", id);
	if (!in->roles || in->roles & ~token->roles)
		return why_set(why, "join_token_wrong_role", "roles", "join token %s is for %s, not for what was asked", id,
			       token->roles == ROLE_HOST ? "hosts" : token->roles == ROLE_GATEWAY ? "gateways" : "hosts and gateways");
	return 0;
}

/* The machine's own words. */
static int judge_input(const struct store_enroll *in, struct why *why)
{
	int r = 0;

	if (in->name && *in->name)
		r = name_check_node(in->name, why);
	if (r == 0)
		r = name_check_text("version", in->version ? in->version : "", NAME_SIZE - 1, why);
	if (r == 0)
		r = name_check_text("gateway_host", in->gateway_host ? in->gateway_host : "", 255, why);
	if (r != 0)
		return r;
	if (in->n_endpoints > RECORD_ENDPOINTS_MAX)
		return why_set(why, "value_invalid", "endpoints", "%zu endpoints; at most %d are allowed", in->n_endpoints, RECORD_ENDPOINTS_MAX);
	if (crypto_equal(in->link_key, in->mesh_key, 32))
		return why_set(why, "value_invalid", "mesh_key", "link key and mesh key must be two keys");
	return 0;
}

static int judge_keys(struct store *store, const struct store_enroll *in, uint32_t own_host, struct why *why)
{
	int64_t n = 0, revoked = 0;
	int r = sql_get_int(store, &revoked, "SELECT revoked_at FROM node WHERE link_key = ?1 AND host <> ?2", "ku", in->link_key, own_host);

	if (r == 0)
		return revoked ? why_set(why, "node_revoked", "link_key", "the node with this key was deleted; make new keys")
			       : why_set(why, "link_key_in_use", "link_key", "another node has this key already");
	if (r != SQL_E_NONE)
		return r;
	r = sql_get_int(store, &n, "SELECT count(*) FROM node WHERE mesh_key = ?1 AND host <> ?2", "ku", in->mesh_key, own_host);
	if (r == 0 && n)
		return why_set(why, "mesh_key_in_use", "mesh_key", "another node has this mesh key already");
	if (r == 0 && in->has_gateway_key)
		r = node_check_gateway_key(store, in->gateway_key, in->mesh_key, in->link_key, own_host, why);
	return r;
}

/* ---- what a new node gets ---- */

static int draw_host(struct store *store, uint16_t locator, uint64_t now, uint32_t *ret_host, struct why *why)
{
	uint32_t first = (uint32_t)clock_random_below(&store->clock, 65535);

	/* Random first; then, in a crowded region, the next that is free. */
	for (uint32_t i = 0; i < 65535; i++) {
		uint32_t number = i < 64 ? 1 + (uint32_t)clock_random_below(&store->clock, 65535) : 1 + (first + i) % 65535;
		uint32_t host = (uint32_t)locator << 16 | number;
		int r = sql_insert(store, "INSERT INTO host_given (host, given_ms) VALUES (?1, ?2)", "ui", host, (int64_t)now);

		if (r == 0)
			*ret_host = host;
		if (r != DRIVER_E_UNIQUE)
			return r;
	}
	return why_set(why, "region_full", "region", "all 65535 numbers of the region were given");
}

static int name_is_free(struct store *store, const char *name, bool *ret_free)
{
	int64_t n = 0;
	int r = sql_get_int(store, &n, "SELECT count(*) FROM node WHERE lower(name) = lower(?1) AND revoked_at = 0", "t", name);

	*ret_free = r == 0 && n == 0;
	return r;
}

static int choose_name(struct store *store, const struct store_node_token *token, const struct store_enroll *in, char ret_name[NAME_SIZE],
		       struct why *why)
{
	const char *base = token->name[0] ? token->name : in->name && *in->name ? in->name : token->region;
	bool bare = base != token->region, is_free;
	int r;

	for (unsigned n = 1; n < 10000; n++) {
		if (n == 1 && bare)
			snprintf(ret_name, NAME_SIZE, "%s", base);
		else
			snprintf(ret_name, NAME_SIZE, "%.57s-%u", base, n);
		r = name_is_free(store, ret_name, &is_free);
		if (r != 0 || is_free)
			return r;
		if (token->name[0])
			break;
	}
	return why_set(why, "name_taken", "name", "another node is named \"%s\"", base);
}

static int insert_node(struct store *store, const struct store_node *node)
{
	uint8_t ends[RECORD_ENDPOINTS_MAX * NODE_ENDPOINT_BYTES];
	size_t len = node_pack_endpoints(node->endpoints, node->n_endpoints, ends);

	return sql_run(store,
		       "INSERT INTO node (host, name, region, roles, link_key, mesh_key, endpoints, gateway_host, gateway_port, version, "
		       "created_ms, gateway_key) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
		       "uttukkbtutik", node->host, node->name, node->region, node->roles, node->link_key, node->mesh_key, ends, len,
		       node->gateway_host, (uint32_t)node->gateway_port, node->version, (int64_t)node->created_ms,
		       node_gateway_key_or_null(node->gateway_key));
}

static void take_input(const struct store_enroll *in, struct store_node *node)
{
	memcpy(node->mesh_key, in->mesh_key, 32);
	memset(node->gateway_key, 0, sizeof node->gateway_key);
	if (in->has_gateway_key)
		memcpy(node->gateway_key, in->gateway_key, 32);
	memcpy(node->endpoints, in->endpoints, sizeof node->endpoints);
	node->n_endpoints = in->n_endpoints;
	node->gateway_port = in->gateway_port;
	snprintf(node->gateway_host, sizeof node->gateway_host, "%s", in->gateway_host ? in->gateway_host : "");
	snprintf(node->version, sizeof node->version, "%s", in->version ? in->version : "");
}

static int make_node(struct store *store, struct op *op, struct store_node_token *token, const struct store_enroll *in,
		     struct store_node *ret)
{
	struct store_node node = { .roles = in->roles, .created_ms = clock_real_ms(&store->clock) };
	struct principal self = principal_local("enrolment");
	struct store_region region;
	int r = store_region_find(store, &self, token->region, &region, &op->why);

	if (r == 0)
		r = choose_name(store, token, in, node.name, &op->why);
	if (r == 0)
		r = draw_host(store, region.locator, node.created_ms, &node.host, &op->why);
	if (r != 0)
		return r;
	memcpy(node.region, region.name, sizeof node.region);
	memcpy(node.link_key, in->link_key, 32);
	take_input(in, &node);
	r = insert_node(store, &node);
	if (r == 0)
		r = sql_run(store, "INSERT INTO node_token_use (token, link_key, node, used_ms) VALUES (?1, ?2, ?3, ?4)", "dkui", token->id,
			    in->link_key, node.host, (int64_t)node.created_ms);
	if (r == 0)
		r = sql_run(store, "UPDATE node_token SET used = used + 1 WHERE id = ?1", "d", token->id);
	token->used++;
	if (r == 0)
		r = node_token_emit(store, op, token);
	if (r == 0)
		r = node_emit(store, op, &node);
	if (r == 0)
		*ret = node;
	return r;
}

/* ---- the same machine again ---- */

static bool says_the_same(const struct store_node *a, const struct store_node *b)
{
	uint8_t x[RECORD_ENDPOINTS_MAX * NODE_ENDPOINT_BYTES], y[RECORD_ENDPOINTS_MAX * NODE_ENDPOINT_BYTES];
	size_t n = node_pack_endpoints(a->endpoints, a->n_endpoints, x);

	return !memcmp(a->mesh_key, b->mesh_key, 32) && !memcmp(a->gateway_key, b->gateway_key, 32) && n == node_pack_endpoints(b->endpoints, b->n_endpoints, y) && !memcmp(x, y, n) &&
	       !strcmp(a->gateway_host, b->gateway_host) && a->gateway_port == b->gateway_port && !strcmp(a->version, b->version);
}

static int refresh_node(struct store *store, struct op *op, const struct store_enroll *in, struct store_node *node)
{
	uint8_t ends[RECORD_ENDPOINTS_MAX * NODE_ENDPOINT_BYTES];
	struct store_node was = *node;
	size_t len;
	int r;

	take_input(in, node);
	if (says_the_same(&was, node))
		return 0;
	len = node_pack_endpoints(node->endpoints, node->n_endpoints, ends);
	r = sql_run(store,
		    "UPDATE node SET mesh_key = ?2, endpoints = ?3, gateway_host = ?4, gateway_port = ?5, version = ?6, "
		    "gateway_key = ?7 WHERE host = ?1",
		    "ukbtutk", node->host, node->mesh_key, ends, len, node->gateway_host, (uint32_t)node->gateway_port, node->version,
		    node_gateway_key_or_null(node->gateway_key));
	return r ? r : node_emit(store, op, node);
}

static int find_use(struct store *store, const struct store_node_token *token, const struct store_enroll *in, struct store_node *ret_node,
		    bool *ret_found)
{
	int64_t host = 0;
	int r = sql_get_int(store, &host, "SELECT node FROM node_token_use WHERE token = ?1 AND link_key = ?2", "dk", token->id, in->link_key);

	*ret_found = false;
	if (r == SQL_E_NONE)
		return 0;
	return r ? r : node_get(store, (uint32_t)host, ret_node, ret_found);
}

int store_node_enroll(struct store *store, struct op *op, const struct store_enroll *in, struct store_node *ret_node, bool *ret_created)
{
	struct store_node_token token;
	struct store_node node;
	uint8_t right[32], given[32];
	bool known = false, again = false;
	int r = node_token_get(store, in->token_id, &token, right, &known);

	if (r != 0)
		return r;
	node_token_hash(in->token_id, in->secret, given);
	if (!known || !crypto_equal(right, given, sizeof right))
		return why_set(&op->why, "join_token_invalid", "token", "there is no such join token");
	r = judge_input(in, &op->why);
	if (r == 0)
		r = find_use(store, &token, in, &node, &again);
	if (r == 0 && again && node.revoked_ms)
		r = why_set(&op->why, "node_revoked", "link_key", "the node with this key was deleted; make new keys and use a new token");
	if (r == 0 && !again)
		r = judge_token(&token, in, clock_real_ms(&store->clock), &op->why);
	if (r == 0)
		r = judge_keys(store, in, again ? node.host : 0, &op->why);
	if (r == E_REFUSED)
		return refuse(store, op, &token);
	if (r == 0)
		r = again ? refresh_node(store, op, in, &node) : make_node(store, op, &token, in, &node);
	if (r == 0) {
		*ret_node = node;
		*ret_created = !again;
	}
	return r;
}
