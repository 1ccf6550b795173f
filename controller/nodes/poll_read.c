/* poll_read - the door for PollRequests: protobuf in, a plain and bounded struct out. */
#include "controller/nodes/poll.h"

#include "proto/sixpn.pb-c.h"

#include <stdlib.h>
#include <string.h>

static int bad(struct why *why, const char *field, const char *text)
{
	return why_set(why, "poll_invalid", field, "%s %s", field, text);
}

/* Exactly n bytes or none. */
static int read_fixed(const ProtobufCBinaryData *in, const char *field, uint8_t *ret, size_t n, bool *ret_has, struct why *why)
{
	if (in->len && in->len != n)
		return bad(why, field, "has a wrong length");
	if (in->len)
		memcpy(ret, in->data, n);
	*ret_has = in->len != 0;
	return 0;
}

int poll_read_endpoints(Sixpn__Endpoint *const *list, size_t n, struct addr_endpoint ret[RECORD_ENDPOINTS_MAX], size_t *ret_n,
			struct why *why)
{
	if (n > RECORD_ENDPOINTS_MAX)
		return bad(why, "endpoints", "are too many");
	for (size_t i = 0; i < n; i++) {
		const Sixpn__Endpoint *m = list[i];

		if ((m->address.len != 4 && m->address.len != 16) || m->port < 1 || m->port > 65535)
			return bad(why, "endpoints", "hold one that is none");
		ret[i] = (struct addr_endpoint){ .address_len = (uint8_t)m->address.len, .port = (uint16_t)m->port, .lan = m->lan };
		memcpy(ret[i].address, m->address.data, m->address.len);
	}
	*ret_n = n;
	return 0;
}

/* Text of nodes ends in logs and on terminals: control characters go. */
static void tame(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = ' ';
}

static int read_key(const ProtobufCBinaryData *in, const char *field, uint8_t key[RECORD_KEY_MAX], uint8_t *ret_len, struct why *why)
{
	if (in->len > RECORD_KEY_MAX)
		return bad(why, field, "hold a key that is too long");
	*ret_len = (uint8_t)in->len;
	if (in->len)
		memcpy(key, in->data, in->len);
	return 0;
}

static size_t at_most(size_t n, size_t max)
{
	return n < max ? n : max;
}

static int read_errors(const Sixpn__PollRequest *m, struct pb_arena *arena, struct poll_request *ret, struct why *why)
{
	size_t n = at_most(m->n_errors, NODE_RECORDS_MAX);
	struct node_error *errors = n ? pb_alloc(arena, n * sizeof *errors) : NULL;

	if (n && !errors)
		return bad(why, "errors", "take too much memory");
	for (size_t i = 0; i < n; i++) {
		const Sixpn__RecordError *in = m->errors[i];
		struct node_error *out = &errors[i];
		ProtobufCBinaryData text = in->text;

		*out = (struct node_error){ .kind = in->kind, .v = in->v };
		if (read_key(&in->key, "errors", out->key, &out->key_len, why))
			return E_REFUSED;
		if (text.len > sizeof out->text - 1)
			text.len = sizeof out->text - 1;
		while (text.len && !name_is_utf8(text.data, text.len)) /* cut inside a character */
			text.len--;
		if (pb_text(&text, "text", out->text, sizeof out->text, why))
			return E_REFUSED;
		tame(out->text);
	}
	ret->errors = errors;
	ret->n_errors_kept = n;
	ret->n_errors = m->errors_total > m->n_errors ? m->errors_total : m->n_errors;
	return 0;
}

static int read_held(const Sixpn__PollRequest *m, struct pb_arena *arena, struct poll_request *ret, struct why *why)
{
	size_t n = at_most(m->n_held, NODE_RECORDS_MAX);
	struct node_held *held = n ? pb_alloc(arena, n * sizeof *held) : NULL;

	if (n && !held)
		return bad(why, "held", "take too much memory");
	for (size_t i = 0; i < n; i++) {
		held[i] = (struct node_held){ .kind = m->held[i]->kind, .v = m->held[i]->v };
		if (read_key(&m->held[i]->key, "held", held[i].key, &held[i].key_len, why))
			return E_REFUSED;
	}
	ret->held = held;
	ret->n_held_kept = n;
	ret->n_held = m->held_total > m->n_held ? m->held_total : m->n_held;
	return 0;
}

static int read_parts(const Sixpn__PollRequest *m, struct pb_arena *arena, struct poll_request *ret, struct why *why)
{
	struct poll_digest *parts;

	if (!m->n_digest_parts)
		return 0;
	if (m->n_digest_parts > POLL_PARTS_MAX)
		return bad(why, "digest_parts", "are too many");
	parts = pb_alloc(arena, m->n_digest_parts * sizeof *parts);
	if (!parts)
		return bad(why, "digest_parts", "take too much memory");
	for (size_t i = 0; i < m->n_digest_parts; i++) {
		const Sixpn__DigestPart *in = m->digest_parts[i];

		if (in->digest.len != DIGEST_LEN)
			return bad(why, "digest_parts", "hold a digest of a wrong length");
		parts[i].part = (struct snapshot_part){ .network = in->private_ ? 0 : in->network, .is_private = in->private_ };
		parts[i].digest.count = in->count;
		memcpy(parts[i].digest.sum, in->digest.data, DIGEST_LEN);
	}
	ret->parts = parts;
	ret->n_parts = m->n_digest_parts;
	return 0;
}

static int read_gateway(const Sixpn__Gateway *m, struct poll_request *ret, struct why *why)
{
	if (!m)
		return 0;
	if (m->key.len != sizeof ret->gateway_key || !m->port || m->port > 65535)
		return bad(why, "gateway", "has no key of 32 bytes or no port");
	if (pb_text(&m->host, "gateway.host", ret->gateway_host, sizeof ret->gateway_host, why) ||
	    name_check_hostname("gateway.host", ret->gateway_host, why))
		return E_REFUSED;
	ret->has_gateway = true;
	ret->gateway_port = (uint16_t)m->port;
	memcpy(ret->gateway_key, m->key.data, sizeof ret->gateway_key);
	return 0;
}

static int read_metrics(const Sixpn__Endpoint *m, struct poll_request *ret, struct why *why)
{
	if (!m)
		return 0;
	if ((m->address.len != 4 && m->address.len != 16) || !m->port || m->port > 65535)
		return bad(why, "metrics", "has no address of 4 or 16 bytes or no port");
	ret->has_metrics = true;
	ret->metrics = (struct addr_endpoint){ .address_len = (uint8_t)m->address.len, .port = (uint16_t)m->port };
	memcpy(ret->metrics.address, m->address.data, m->address.len);
	return 0;
}

static int read_fields(const Sixpn__PollRequest *m, struct pb_arena *arena, struct poll_request *ret, struct why *why)
{
	bool has_digest;
	int r = read_fixed(&m->log_id, "log_id", ret->log_id, sizeof ret->log_id, &ret->has_log_id, why);

	if (r == 0)
		r = read_fixed(&m->digest, "digest", ret->digest, sizeof ret->digest, &has_digest, why);
	if (r == 0)
		r = read_fixed(&m->snapshot_token, "snapshot_token", ret->token, sizeof ret->token, &ret->has_token, why);
	if (r == 0 && m->head_proof.len > sizeof ret->head_proof)
		r = bad(why, "head_proof", "is too long");
	if (r == 0)
		r = pb_text(&m->version, "version", ret->version, sizeof ret->version, why);
	if (r == 0)
		r = read_errors(m, arena, ret, why);
	if (r == 0)
		r = read_held(m, arena, ret, why);
	if (r == 0)
		r = read_parts(m, arena, ret, why);
	if (r == 0)
		r = poll_read_endpoints(m->endpoints, m->n_endpoints, ret->endpoints, &ret->n_endpoints, why);
	if (r == 0)
		r = read_gateway(m->gateway, ret, why);
	if (r == 0)
		r = read_metrics(m->metrics, ret, why);
	if (r)
		return r;
	tame(ret->version);
	ret->head_proof_len = m->head_proof.len;
	if (m->head_proof.len)
		memcpy(ret->head_proof, m->head_proof.data, m->head_proof.len);
	return 0;
}

int poll_request_read(const void *bytes, size_t len, struct pb_arena *arena, struct poll_request *ret, struct why *why)
{
	Sixpn__PollRequest *m = (Sixpn__PollRequest *)pb_unpack(arena, &sixpn__poll_request__descriptor, bytes, len);
	struct poll_request out = { 0 };
	int r;

	if (!m)
		return why_set(why, "poll_invalid", "", "%zu bytes that are no PollRequest", len);
	out.epoch = m->epoch;
	out.applied_v = m->applied_v;
	out.health = m->health;
	out.features = m->features;
	out.at_once = m->at_once;
	r = read_fields(m, arena, &out, why);
	if (r)
		return r;
	for (size_t i = 0; i < m->n_await && out.n_awaits < NODE_AWAITS_MAX; i++) /* a node asks again for what is left */
		out.awaits[out.n_awaits++] = (struct node_await){ .network = m->await[i]->network, .v = m->await[i]->v };
	*ret = out;
	return 0;
}
