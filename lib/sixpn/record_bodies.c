/* record_bodies - the body of each kind of record, to and from its plain struct: see record.h. Every decode checks names, ranges
 * and that body and envelope agree, so that what comes out can be used without another look. */
#include "lib/sixpn/record.h"

#include "lib/sixpn/pb.h"
#include "proto/sixpn.pb-c.h"

#include <stdio.h>
#include <string.h>

#define ARENA_LIMIT (256u << 10)

struct body {
	struct pb_arena arena;
	const void *message;
};

static int body_open(struct body *b, const struct record *r, uint32_t kind, const ProtobufCMessageDescriptor *type, struct why *why)
{
	pb_arena_init(&b->arena, ARENA_LIMIT);
	b->message = NULL;
	if (r->kind != kind || r->deleted)
		return why_set(why, "record_invalid", "kind", "a %s%s is not a %s", record_kind_name(r->kind), r->deleted ? " tombstone" : "",
			       record_kind_name(kind));
	b->message = pb_unpack(&b->arena, type, r->body, r->body_len);
	if (!b->message)
		return why_set(why, "record_invalid", "body", "the body is not a %s", record_kind_name(kind));
	return 0;
}

static int body_close(struct body *b, int result)
{
	pb_arena_deinit(&b->arena);
	return result;
}

static int bad(struct why *why, const char *field, const char *what)
{
	return why_set(why, "record_invalid", field, "%s: %s", field, what);
}

static int fixed(const ProtobufCBinaryData *f, const char *name, void *ret, size_t n, struct why *why)
{
	if (f->len != n)
		return why_set(why, "record_invalid", name, "%s has %zu bytes, not %zu", name, f->len, n);
	memcpy(ret, f->data, n);
	return 0;
}

static ProtobufCBinaryData text(const char *s)
{
	return pb_bytes(s, strlen(s));
}

static int same_key(const struct record *r, const void *key, size_t n, struct why *why)
{
	if (r->key_len == n && !memcmp(r->key, key, n))
		return 0;
	return bad(why, "key", "the envelope's key is not the body's");
}

/* ---- region ---- */

int region_encode(const struct region_record *in, struct buf *ret)
{
	Sixpn__Region m = SIXPN__REGION__INIT;

	m.name = text(in->name);
	m.city = text(in->city);
	m.latitude_udeg = in->latitude_udeg;
	m.longitude_udeg = in->longitude_udeg;
	m.locator = in->locator;
	return pb_pack(&m, ret);
}

static int region_read(const struct record *r, const Sixpn__Region *m, struct region_record *out, struct why *why)
{
	int e;

	if ((e = pb_text(&m->name, "name", out->name, sizeof out->name, why)) || (e = name_check_region(out->name, why)) ||
	    (e = pb_text(&m->city, "city", out->city, sizeof out->city, why)) ||
	    (e = name_check_text("city", out->city, sizeof out->city - 1, why)))
		return e;
	if (m->latitude_udeg < -90000000 || m->latitude_udeg > 90000000 || m->longitude_udeg < -180000000 || m->longitude_udeg > 180000000)
		return bad(why, "latitude", "not a place on earth");
	if (m->locator >> 12 != 0xA)
		return bad(why, "locator", "its top nibble is not 0xA");
	out->latitude_udeg = m->latitude_udeg;
	out->longitude_udeg = m->longitude_udeg;
	out->locator = (uint16_t)m->locator;
	return same_key(r, out->name, 3, why);
}

int region_decode(const struct record *r, struct region_record *ret, struct why *why)
{
	struct region_record out = { 0 };
	struct body b;
	int e = body_open(&b, r, RECORD_REGION, &sixpn__region__descriptor, why);

	if (e == 0)
		e = region_read(r, b.message, &out, why);
	if (e == 0)
		*ret = out;
	return body_close(&b, e);
}

/* ---- node ---- */

int node_encode(const struct node_record *in, struct buf *ret)
{
	Sixpn__Node m = SIXPN__NODE__INIT;
	Sixpn__Endpoint ends[RECORD_ENDPOINTS_MAX], *list[RECORD_ENDPOINTS_MAX];

	m.host = in->host;
	m.name = text(in->name);
	m.region = text(in->region);
	m.roles = in->roles;
	m.mesh_key = pb_bytes(in->mesh_key, 32);
	m.draining = in->draining;
	m.gateway_host = text(in->gateway_host);
	m.gateway_port = in->gateway_port;
	if (in->has_gateway_key)
		m.gateway_key = pb_bytes(in->gateway_key, sizeof in->gateway_key);
	for (size_t i = 0; i < in->n_endpoints && i < RECORD_ENDPOINTS_MAX; i++) {
		sixpn__endpoint__init(&ends[i]);
		ends[i].address = pb_bytes(in->endpoints[i].address, in->endpoints[i].address_len);
		ends[i].port = in->endpoints[i].port;
		ends[i].lan = in->endpoints[i].lan;
		list[i] = &ends[i];
		m.n_endpoints = i + 1;
	}
	m.endpoints = list;
	return pb_pack(&m, ret);
}

static int endpoint_read(const Sixpn__Endpoint *m, struct addr_endpoint *out, struct why *why)
{
	if (m->address.len != 4 && m->address.len != 16)
		return bad(why, "endpoints", "an address has neither 4 nor 16 bytes");
	if (!m->port || m->port > 65535)
		return bad(why, "endpoints", "a port is not 1 to 65535");
	*out = (struct addr_endpoint){ .address_len = (uint8_t)m->address.len, .port = (uint16_t)m->port, .lan = m->lan };
	memcpy(out->address, m->address.data, m->address.len);
	return 0;
}

static int node_read(const struct record *r, const Sixpn__Node *m, struct node_record *out, struct why *why)
{
	uint8_t key[4];
	int e;

	if (!addr_host_valid(m->host))
		return bad(why, "host", "the host word cannot be");
	if ((e = pb_text(&m->name, "name", out->name, sizeof out->name, why)) || (e = name_check_node(out->name, why)) ||
	    (e = pb_text(&m->region, "region", out->region, sizeof out->region, why)) || (e = name_check_region(out->region, why)) ||
	    (e = fixed(&m->mesh_key, "mesh_key", out->mesh_key, 32, why)) ||
	    (e = pb_text(&m->gateway_host, "gateway_host", out->gateway_host, sizeof out->gateway_host, why)) ||
	    (m->gateway_key.len && (e = fixed(&m->gateway_key, "gateway_key", out->gateway_key, 32, why))))
		return e;
	if (m->n_endpoints > RECORD_ENDPOINTS_MAX || m->gateway_port > 65535)
		return bad(why, "endpoints", "too many, or a port above 65535");
	for (size_t i = 0; i < m->n_endpoints; i++)
		if ((e = endpoint_read(m->endpoints[i], &out->endpoints[i], why)))
			return e;
	out->n_endpoints = m->n_endpoints;
	out->host = m->host;
	out->roles = m->roles;
	out->draining = m->draining;
	out->gateway_port = (uint16_t)m->gateway_port;
	out->has_gateway_key = m->gateway_key.len;
	put_u32(key, m->host);
	return same_key(r, key, 4, why);
}

int node_decode(const struct record *r, struct node_record *ret, struct why *why)
{
	struct node_record out = { 0 };
	struct body b;
	int e = body_open(&b, r, RECORD_NODE, &sixpn__node__descriptor, why);

	if (e == 0)
		e = node_read(r, b.message, &out, why);
	if (e == 0)
		*ret = out;
	return body_close(&b, e);
}

/* ---- network ---- */

int network_encode(const struct network_record *in, struct buf *ret)
{
	Sixpn__Network m = SIXPN__NETWORK__INIT;

	m.id = in->id;
	m.org = text(in->org);
	m.name = text(in->name);
	m.suspended = in->suspended;
	return pb_pack(&m, ret);
}

int network_decode(const struct record *r, struct network_record *ret, struct why *why)
{
	struct network_record out = { 0 };
	struct body b;
	const Sixpn__Network *m;
	int e = body_open(&b, r, RECORD_NETWORK, &sixpn__network__descriptor, why);

	if (e)
		return body_close(&b, e);
	m = b.message;
	out.id = m->id;
	out.suspended = m->suspended;
	if (m->id != r->network || r->key_len != 4 || get_u32(r->key) != m->id)
		e = bad(why, "id", "the envelope names another network");
	if (!e)
		e = pb_text(&m->org, "org", out.org, sizeof out.org, why);
	if (!e)
		e = name_check_org(out.org, why);
	if (!e)
		e = pb_text(&m->name, "name", out.name, sizeof out.name, why);
	if (!e)
		e = name_check_network(out.name, why);
	if (!e)
		*ret = out;
	return body_close(&b, e);
}

/* ---- app ---- */

int app_encode(const struct app_record *in, struct buf *ret)
{
	Sixpn__App m = SIXPN__APP__INIT;

	m.id = pb_bytes(in->id, sizeof in->id);
	m.network = in->network;
	m.name = text(in->name);
	return pb_pack(&m, ret);
}

int app_decode(const struct record *r, struct app_record *ret, struct why *why)
{
	struct app_record out = { 0 };
	struct body b;
	const Sixpn__App *m;
	int e = body_open(&b, r, RECORD_APP, &sixpn__app__descriptor, why);

	if (e)
		return body_close(&b, e);
	m = b.message;
	out.network = m->network;
	e = fixed(&m->id, "id", out.id, sizeof out.id, why);
	if (!e)
		e = same_key(r, out.id, sizeof out.id, why);
	if (!e && m->network != r->network)
		e = bad(why, "network", "the envelope names another network");
	if (!e)
		e = pb_text(&m->name, "name", out.name, sizeof out.name, why);
	if (!e)
		e = name_check_app(out.name, why);
	if (!e)
		*ret = out;
	return body_close(&b, e);
}

/* ---- instance ---- */

static const char *const desired_names[] = { "?", "started", "stopped", "destroyed" };
static const char *const state_names[] = { "?", "created", "starting", "started", "draining", "stopped", "failed", "destroyed" };

const char *desired_name(uint32_t desired)
{
	return desired_names[desired < ARRAY_LEN(desired_names) ? desired : 0];
}

const char *instance_state_name(uint32_t state)
{
	return state_names[state < ARRAY_LEN(state_names) ? state : 0];
}

bool observed_equal(const struct observed *a, const struct observed *b)
{
	return a->state == b->state && a->generation == b->generation && a->exit_code == b->exit_code && a->since_ms == b->since_ms &&
	       a->restarts == b->restarts && !strcmp(a->message, b->message);
}

bool instance_answers(const struct instance_record *i)
{
	return i->desired == DESIRED_STARTED && i->observed.state == STATE_STARTED && !i->dns_skip;
}

void observed_to_pb(const struct observed *in, struct Sixpn__Observed *ret)
{
	sixpn__observed__init(ret);
	ret->state = in->state;
	ret->generation = in->generation;
	ret->exit_code = in->exit_code;
	ret->since_ms = in->since_ms;
	ret->restarts = in->restarts;
	ret->message = text(in->message);
}

int observed_from_pb(const struct Sixpn__Observed *m, struct observed *ret, struct why *why)
{
	struct observed out = { 0 };
	int e;

	if (m->state >= ARRAY_LEN(state_names))
		return why_set(why, "record_invalid", "observed", "observed state %u is not known", m->state);
	e = pb_text(&m->message, "message", out.message, sizeof out.message, why);
	if (e || (e = name_check_text("message", out.message, sizeof out.message - 1, why)))
		return e;
	out.state = m->state;
	out.generation = m->generation;
	out.exit_code = m->exit_code;
	out.since_ms = m->since_ms;
	out.restarts = m->restarts;
	*ret = out;
	return 0;
}

int instance_encode(const struct instance_record *in, struct buf *ret)
{
	Sixpn__Instance m = SIXPN__INSTANCE__INIT;
	Sixpn__Observed observed;
	Sixpn__Metadata pairs[RECORD_METADATA_MAX], *list[RECORD_METADATA_MAX];

	m.id = text(in->id);
	m.network = in->network;
	m.app = pb_bytes(in->app, sizeof in->app);
	m.home_host = in->home_host;
	m.host = in->host;
	m.instance = in->instance;
	m.desired = in->desired;
	m.generation = in->generation;
	if (in->observed.state) {
		observed_to_pb(&in->observed, &observed);
		m.observed = &observed;
	}
	m.group = text(in->group);
	m.name = text(in->name);
	m.dns_skip = in->dns_skip;
	m.cordoned = in->cordoned;
	for (size_t i = 0; i < in->n_metadata && i < RECORD_METADATA_MAX; i++) {
		sixpn__metadata__init(&pairs[i]);
		pairs[i].key = text(in->metadata[i].key);
		pairs[i].value = text(in->metadata[i].value);
		list[i] = &pairs[i];
		m.n_metadata = i + 1;
	}
	m.metadata = list;
	return pb_pack(&m, ret);
}

static int metadata_read(const Sixpn__Instance *m, struct instance_record *out, struct why *why)
{
	if (m->n_metadata > RECORD_METADATA_MAX)
		return why_set(why, "record_invalid", "metadata", "%zu metadata pairs, at most %d are allowed", m->n_metadata, RECORD_METADATA_MAX);
	for (size_t i = 0; i < m->n_metadata; i++) {
		struct metadata_pair *p = &out->metadata[i];
		int e;

		if ((e = pb_text(&m->metadata[i]->key, "metadata", p->key, sizeof p->key, why)) ||
		    (e = pb_text(&m->metadata[i]->value, "metadata", p->value, sizeof p->value, why)) ||
		    (e = name_check_metadata(p->key, p->value, why)))
			return e;
	}
	out->n_metadata = m->n_metadata;
	return 0;
}

static int instance_read(const struct record *r, const Sixpn__Instance *m, struct instance_record *out, struct why *why)
{
	int e;

	if ((e = pb_text(&m->id, "id", out->id, sizeof out->id, why)) || (e = name_check_instance_id(out->id, why)) ||
	    (e = same_key(r, out->id, NAME_INSTANCE_ID_LEN, why)) || (e = fixed(&m->app, "app", out->app, sizeof out->app, why)) ||
	    (e = pb_text(&m->group, "group", out->group, sizeof out->group, why)) ||
	    (out->group[0] && (e = name_check_group(out->group, why))) || (e = pb_text(&m->name, "name", out->name, sizeof out->name, why)) ||
	    (e = name_check_text("name", out->name, sizeof out->name - 1, why)) || (e = metadata_read(m, out, why)))
		return e;
	if (m->network != r->network)
		return bad(why, "network", "the envelope names another network");
	if (!addr_host_valid(m->home_host) || !addr_host_valid(m->host))
		return bad(why, "host", "a host word cannot be");
	if (!addr_instance_valid(m->instance))
		return bad(why, "instance", "below 0x00010000");
	if (m->desired < DESIRED_STARTED || m->desired > DESIRED_DESTROYED)
		return bad(why, "desired", "not started, stopped or destroyed");
	if (m->observed && (e = observed_from_pb(m->observed, &out->observed, why)))
		return e;
	out->network = m->network;
	out->home_host = m->home_host;
	out->host = m->host;
	out->instance = m->instance;
	out->desired = m->desired;
	out->generation = m->generation;
	out->dns_skip = m->dns_skip;
	out->cordoned = m->cordoned;
	return 0;
}

int instance_decode(const struct record *r, struct instance_record *ret, struct why *why)
{
	struct body b;
	int e = body_open(&b, r, RECORD_INSTANCE, &sixpn__instance__descriptor, why);

	if (e == 0) {
		struct instance_record out = { 0 };

		e = instance_read(r, b.message, &out, why);
		if (e == 0)
			*ret = out;
	}
	return body_close(&b, e);
}

/* ---- workload ---- */

int workload_encode(const struct workload_record *in, struct buf *ret)
{
	Sixpn__Workload m = SIXPN__WORKLOAD__INIT;

	m.instance = text(in->instance);
	m.spec = pb_bytes(in->spec, in->spec_len);
	return pb_pack(&m, ret);
}

int workload_decode(const struct record *r, struct workload_record *ret, struct why *why)
{
	struct workload_record out = { 0 };
	struct body b;
	const Sixpn__Workload *m;
	int e = body_open(&b, r, RECORD_WORKLOAD, &sixpn__workload__descriptor, why);

	if (e)
		return body_close(&b, e);
	m = b.message;
	e = pb_text(&m->instance, "instance", out.instance, sizeof out.instance, why);
	if (!e)
		e = name_check_instance_id(out.instance, why);
	if (!e)
		e = same_key(r, out.instance, NAME_INSTANCE_ID_LEN, why);
	if (!e && m->spec.len) {
		if (!name_is_utf8(m->spec.data, m->spec.len))
			e = bad(why, "spec", "not UTF-8");
		out.spec = memmem(r->body, r->body_len, m->spec.data, m->spec.len); /* the same bytes, but they outlive the arena */
		out.spec_len = m->spec.len;
	}
	if (!e)
		*ret = out;
	return body_close(&b, e);
}

/* ---- peer ---- */

int peer_encode(const struct peer_record *in, struct buf *ret)
{
	Sixpn__Peer m = SIXPN__PEER__INIT;

	m.id = pb_bytes(in->id, sizeof in->id);
	m.network = in->network;
	m.name = text(in->name);
	m.label = text(in->label);
	m.gateway = in->gateway;
	m.home_gateway = in->home_gateway;
	m.instance = in->instance;
	m.slot = in->slot;
	m.requested_region = text(in->requested_region);
	m.ephemeral = in->ephemeral;
	m.expires_at_ms = in->expires_at_ms;
	m.suspended = in->suspended;
	return pb_pack(&m, ret);
}

static int peer_read(const struct record *r, const Sixpn__Peer *m, struct peer_record *out, struct why *why)
{
	int e;

	if ((e = fixed(&m->id, "id", out->id, sizeof out->id, why)) || (e = same_key(r, out->id, sizeof out->id, why)) ||
	    (e = pb_text(&m->name, "name", out->name, sizeof out->name, why)) ||
	    (e = name_check_text("name", out->name, sizeof out->name - 1, why)) ||
	    (e = pb_text(&m->label, "label", out->label, sizeof out->label, why)) || (e = name_check_group(out->label, why)) ||
	    (e = pb_text(&m->requested_region, "requested_region", out->requested_region, sizeof out->requested_region, why)))
		return e;
	if (m->network != r->network)
		return bad(why, "network", "the envelope names another network");
	if (!addr_host_valid(m->gateway) || !addr_host_valid(m->home_gateway))
		return bad(why, "gateway", "a host word cannot be");
	if (m->instance < ADDR_PEER_INSTANCE_MIN || m->instance >= ADDR_INSTANCE_MIN || m->slot > 255)
		return bad(why, "slot", "the address fields cannot be a peer's");
	out->network = m->network;
	out->gateway = m->gateway;
	out->home_gateway = m->home_gateway;
	out->instance = m->instance;
	out->slot = m->slot;
	out->ephemeral = m->ephemeral;
	out->expires_at_ms = m->expires_at_ms;
	out->suspended = m->suspended;
	return 0;
}

int peer_decode(const struct record *r, struct peer_record *ret, struct why *why)
{
	struct peer_record out = { 0 };
	struct body b;
	int e = body_open(&b, r, RECORD_PEER, &sixpn__peer__descriptor, why);

	if (e == 0)
		e = peer_read(r, b.message, &out, why);
	if (e == 0)
		*ret = out;
	return body_close(&b, e);
}

int peer_key_encode(const struct peer_key_record *in, struct buf *ret)
{
	Sixpn__PeerKey m = SIXPN__PEER_KEY__INIT;

	m.peer = pb_bytes(in->peer, sizeof in->peer);
	m.public_key = pb_bytes(in->public_key, 32);
	if (in->has_preshared_key)
		m.preshared_key = pb_bytes(in->preshared_key, 32);
	return pb_pack(&m, ret);
}

int peer_key_decode(const struct record *r, struct peer_key_record *ret, struct why *why)
{
	struct peer_key_record out = { 0 };
	struct body b;
	const Sixpn__PeerKey *m;
	uint8_t key[RECORD_PEER_KEY_KEY_LEN];
	int e = body_open(&b, r, RECORD_PEER_KEY, &sixpn__peer_key__descriptor, why);

	if (e)
		return body_close(&b, e);
	m = b.message;
	e = fixed(&m->peer, "peer", out.peer, sizeof out.peer, why);
	peer_key_record_key(out.peer, r->node, key);
	if (!e)
		e = same_key(r, key, sizeof key, why);
	if (!e)
		e = fixed(&m->public_key, "public_key", out.public_key, 32, why);
	if (!e && m->preshared_key.len) {
		e = fixed(&m->preshared_key, "preshared_key", out.preshared_key, 32, why);
		out.has_preshared_key = true;
	}
	if (!e)
		*ret = out;
	return body_close(&b, e);
}

/* ---- peering rules ---- */

int rule_encode(const struct rule_record *in, struct buf *ret)
{
	Sixpn__Rule m = SIXPN__RULE__INIT;

	m.id = pb_bytes(in->id, sizeof in->id);
	m.network = in->network;
	m.far_network = in->far_network;
	m.outgoing = in->outgoing;
	if (!in->every_app)
		m.app = pb_bytes(in->app, sizeof in->app);
	if (!in->every_far_app)
		m.far_app = pb_bytes(in->far_app, sizeof in->far_app);
	m.alias = text(in->alias);
	return pb_pack(&m, ret);
}

static int app_or_every(const ProtobufCBinaryData *f, const char *name, uint8_t ret[RECORD_APP_ID_LEN], bool *ret_every, struct why *why)
{
	*ret_every = f->len == 0;
	return f->len ? fixed(f, name, ret, RECORD_APP_ID_LEN, why) : 0;
}

static int far_network_check(const struct record *r, uint32_t network, uint32_t far_network, struct why *why)
{
	if (network != r->network)
		return bad(why, "network", "the envelope names another network");
	if (!addr_network_valid(far_network) || far_network == network)
		return bad(why, "far_network", "cannot be the other end");
	return 0;
}

static int rule_read(const struct record *r, const Sixpn__Rule *m, struct rule_record *out, struct why *why)
{
	struct record envelope;
	int e;

	if ((e = fixed(&m->id, "id", out->id, sizeof out->id, why)) || (e = far_network_check(r, m->network, m->far_network, why)) ||
	    (e = app_or_every(&m->app, "app", out->app, &out->every_app, why)) ||
	    (e = app_or_every(&m->far_app, "far_app", out->far_app, &out->every_far_app, why)) ||
	    (e = pb_text(&m->alias, "alias", out->alias, sizeof out->alias, why)) || (out->alias[0] && (e = name_check_app(out->alias, why))))
		return e;
	envelope = rule_envelope(out->id, m->network);
	if ((e = same_key(r, envelope.key, envelope.key_len, why)))
		return e;
	if (m->outgoing ? out->every_far_app : out->every_app)
		return bad(why, "app", "the end that is opened to must be one app");
	if (!m->outgoing && out->alias[0])
		return bad(why, "alias", "only the end that opens has a name for the other");
	out->network = m->network;
	out->far_network = m->far_network;
	out->outgoing = m->outgoing;
	return 0;
}

int rule_decode(const struct record *r, struct rule_record *ret, struct why *why)
{
	struct rule_record out = { 0 };
	struct body b;
	int e = body_open(&b, r, RECORD_RULE, &sixpn__rule__descriptor, why);

	if (e == 0)
		e = rule_read(r, b.message, &out, why);
	if (e == 0)
		*ret = out;
	return body_close(&b, e);
}

int far_instance_encode(const struct far_instance_record *in, struct buf *ret)
{
	Sixpn__FarInstance m = SIXPN__FAR_INSTANCE__INIT;

	m.rule = pb_bytes(in->rule, sizeof in->rule);
	m.instance = text(in->instance);
	m.network = in->network;
	m.far_network = in->far_network;
	m.far_app = pb_bytes(in->far_app, sizeof in->far_app);
	m.home_host = in->home_host;
	m.host = in->host;
	m.field = in->field;
	m.answers = in->answers;
	return pb_pack(&m, ret);
}

static int far_instance_read(const struct record *r, const Sixpn__FarInstance *m, struct far_instance_record *out, struct why *why)
{
	struct record envelope;
	int e;

	if ((e = fixed(&m->rule, "rule", out->rule, sizeof out->rule, why)) ||
	    (e = pb_text(&m->instance, "instance", out->instance, sizeof out->instance, why)) ||
	    (e = name_check_instance_id(out->instance, why)) || (e = far_network_check(r, m->network, m->far_network, why)) ||
	    (e = fixed(&m->far_app, "far_app", out->far_app, sizeof out->far_app, why)))
		return e;
	envelope = far_instance_envelope(out->rule, out->instance, m->network);
	if ((e = same_key(r, envelope.key, envelope.key_len, why)))
		return e;
	if (!addr_host_valid(m->home_host) || !addr_host_valid(m->host))
		return bad(why, "host", "a host word cannot be");
	if (!addr_instance_valid(m->field))
		return bad(why, "field", "below 0x00010000");
	out->network = m->network;
	out->far_network = m->far_network;
	out->home_host = m->home_host;
	out->host = m->host;
	out->field = m->field;
	out->answers = m->answers;
	return 0;
}

int far_instance_decode(const struct record *r, struct far_instance_record *ret, struct why *why)
{
	struct far_instance_record out = { 0 };
	struct body b;
	int e = body_open(&b, r, RECORD_FAR_INSTANCE, &sixpn__far_instance__descriptor, why);

	if (e == 0)
		e = far_instance_read(r, b.message, &out, why);
	if (e == 0)
		*ret = out;
	return body_close(&b, e);
}

/* ---- flycast ---- */

int flycast_encode(const struct flycast_record *in, struct buf *ret)
{
	Sixpn__Flycast m = SIXPN__FLYCAST__INIT;

	m.id = pb_bytes(in->id, sizeof in->id);
	m.network = in->network;
	m.number = in->number;
	m.app = text(in->app);
	return pb_pack(&m, ret);
}

static int flycast_read(const struct record *r, const Sixpn__Flycast *m, struct flycast_record *out, struct why *why)
{
	int e;

	if ((e = fixed(&m->id, "id", out->id, sizeof out->id, why)) || (e = same_key(r, out->id, sizeof out->id, why)) ||
	    (e = pb_text(&m->app, "app", out->app, sizeof out->app, why)) || (e = name_check_app(out->app, why)))
		return e;
	if (m->network != r->network)
		return bad(why, "network", "the envelope names another network");
	if (m->number < ADDR_FLYCAST_MIN || m->number > ADDR_FLYCAST_MAX)
		return bad(why, "number", "no number of a flycast address");
	out->network = m->network;
	out->number = m->number;
	return 0;
}

int flycast_decode(const struct record *r, struct flycast_record *ret, struct why *why)
{
	struct flycast_record out = { .network = 0 };
	struct body b;
	int e = body_open(&b, r, RECORD_FLYCAST, &sixpn__flycast__descriptor, why);

	if (e == 0)
		e = flycast_read(r, b.message, &out, why);
	if (e == 0)
		*ret = out;
	return body_close(&b, e);
}
