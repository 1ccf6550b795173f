/* enroll - see enroll.h. */
#include "controller/nodes/enroll.h"

#include "controller/nodes/poll.h"
#include "lib/base/log.h"
#include "lib/sixpn/pb.h"
#include "proto/sixpn.pb-c.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_LIMIT (256u << 10)

struct enroll_op {
	struct op op;
	struct controller *c;
	uint64_t handle;
	struct enroll_request request;
	struct store_node node;
	bool created;
};

static int read_message(const Sixpn__EnrollRequest *m, struct enroll_request *ret, struct why *why)
{
	struct store_enroll *in = &ret->in;

	if (m->token_id.len != ID_LEN)
		return why_set(why, "join_token_invalid", "token_id", "a token id of %zu bytes", m->token_id.len);
	if (m->mesh_key.len != sizeof in->mesh_key)
		return why_set(why, "value_invalid", "mesh_key", "a mesh key of %zu bytes; it must have 32", m->mesh_key.len);
	if (m->gateway_key.len && m->gateway_key.len != sizeof in->gateway_key)
		return why_set(why, "value_invalid", "gateway_key", "a gateway key of %zu bytes; it must have 32", m->gateway_key.len);
	if (!m->roles || m->roles & ~(uint32_t)(ROLE_HOST | ROLE_GATEWAY))
		return why_set(why, "value_invalid", "roles", "roles %u; they can be host and gateway", m->roles);
	if (m->gateway_port > 65535)
		return why_set(why, "value_invalid", "gateway_port", "port %u", m->gateway_port);
	if (pb_text(&m->token_secret, "token_secret", ret->secret, sizeof ret->secret, NULL))
		return why_set(why, "join_token_invalid", "token_secret", "the join token's secret is not in the right form");
	if (pb_text(&m->name, "name", ret->name, sizeof ret->name, why) || pb_text(&m->version, "version", ret->version, sizeof ret->version, why) ||
	    pb_text(&m->gateway_host, "gateway_host", ret->gateway_host, sizeof ret->gateway_host, why) ||
	    name_check_text("version", ret->version, sizeof ret->version, why) ||
	    (ret->name[0] && name_check_node(ret->name, why)))
		return E_REFUSED;
	if (m->roles & ROLE_GATEWAY && (!m->gateway_key.len || !ret->gateway_host[0] || !m->gateway_port))
		return why_set(why, "value_missing", "gateway_host", "a gateway has to say its host name, port and key");
	if (ret->gateway_host[0] && name_check_hostname("gateway_host", ret->gateway_host, why))
		return E_REFUSED;
	if (poll_read_endpoints(m->endpoints, m->n_endpoints, in->endpoints, &in->n_endpoints, why))
		return E_REFUSED;
	memcpy(in->token_id, m->token_id.data, ID_LEN);
	memcpy(in->mesh_key, m->mesh_key.data, sizeof in->mesh_key);
	in->has_gateway_key = m->gateway_key.len;
	if (in->has_gateway_key)
		memcpy(in->gateway_key, m->gateway_key.data, sizeof in->gateway_key);
	in->roles = m->roles;
	in->gateway_port = (uint16_t)m->gateway_port;
	in->secret = ret->secret;
	in->name = ret->name;
	in->version = ret->version;
	in->gateway_host = ret->gateway_host;
	return 0;
}

int enroll_read(const void *bytes, size_t len, struct enroll_request *ret, struct why *why)
{
	struct pb_arena arena;
	Sixpn__EnrollRequest *m;
	int r;

	*ret = (struct enroll_request){ 0 };
	pb_arena_init(&arena, ARENA_LIMIT);
	m = (Sixpn__EnrollRequest *)pb_unpack(&arena, &sixpn__enroll_request__descriptor, bytes, len);
	r = m ? read_message(m, ret, why) : why_set(why, "value_invalid", "", "%zu bytes that are no EnrollRequest", len);
	if (m && m->token_secret.len)
		crypto_wipe(m->token_secret.data, m->token_secret.len);
	pb_arena_deinit(&arena);
	return r;
}

static void send_reply(struct controller *c, uint64_t handle, Sixpn__EnrollReply *m)
{
	CLEAN_BUF struct buf bytes = BUF_INIT(4096);
	int r;

	m->epoch = c->identity.epoch;
	m->log_id = pb_bytes(c->identity.log_id, STORE_LOG_ID_LEN);
	r = pb_pack(m, &bytes);
	if (r == 0)
		r = link_server_reply(c->link, handle, bytes.data, bytes.len);
	if (r < 0 && r != -ENOENT)
		log_limited(LOG_L_WARN, "enroll", "a reply is lost: %s", strerror(-r));
}

static void refuse(struct controller *c, uint64_t handle, const struct why *why)
{
	Sixpn__EnrollReply m = SIXPN__ENROLL_REPLY__INIT;

	m.error_code = pb_bytes(why->code, strlen(why->code));
	m.error = pb_bytes(why->text, strlen(why->text));
	log_limited(LOG_L_WARN, "enroll", "a machine was refused: %s", why->text);
	send_reply(c, handle, &m);
}

static void refuse_unavailable(struct controller *c, uint64_t handle)
{
	struct why why;

	why_set(&why, "unavailable", "", "the controller cannot take new machines now; try again");
	refuse(c, handle, &why);
}

static void accept_node(struct enroll_op *o)
{
	Sixpn__EnrollReply m = SIXPN__ENROLL_REPLY__INIT;
	struct node_entry *entry;

	if (node_table_put(&o->c->nodes, &o->node, &entry) < 0) {
		refuse_unavailable(o->c, o->handle); /* it asks again and gets the same identity */
		return;
	}
	controller_fit_park(o->c);
	if (o->created)
		log_info("enroll", "node %s, host word %08x, region %s has joined", o->node.name, o->node.host, o->node.region);
	m.ok = true;
	m.host = o->node.host;
	m.name = pb_bytes(o->node.name, strlen(o->node.name));
	m.region = pb_bytes(o->node.region, strlen(o->node.region));
	send_reply(o->c, o->handle, &m);
}

static void op_free(struct enroll_op *o)
{
	op_deinit(&o->op);
	crypto_wipe(&o->request, sizeof o->request);
	free(o);
}

static int run(struct store *store, struct op *op)
{
	struct enroll_op *o = container_of(op, struct enroll_op, op);

	return store_node_enroll(store, op, &o->request.in, &o->node, &o->created);
}

static void done(struct op *op)
{
	struct enroll_op *o = container_of(op, struct enroll_op, op);

	controller_op_done(o->c);
	if (op->result == 0) {
		accept_node(o);
	} else if (op->result == E_REFUSED) {
		refuse(o->c, o->handle, &op->why);
	} else {
		log_err("enroll", "a machine could not be stored: %s", strerror(-op->result));
		refuse_unavailable(o->c, o->handle);
	}
	op_free(o);
}

void enroll_take(struct controller *c, const struct link_request *request)
{
	struct principal who = principal_local("joining machine");
	struct enroll_op *o = calloc(1, sizeof *o);
	struct node_entry *known;
	struct why why = { 0 };

	if (!o) {
		refuse_unavailable(c, request->handle);
		return;
	}
	o->c = c;
	o->handle = request->handle;
	op_init(&o->op, run, done, &who, NULL);
	if (enroll_read(request->payload, request->len, &o->request, &why)) {
		c->stats.bad_requests++;
		refuse(c, request->handle, &why);
		op_free(o);
		return;
	}
	memcpy(o->request.in.link_key, request->peer_key, sizeof o->request.in.link_key);
	known = node_table_find_key(&c->nodes, request->peer_key);
	if (known && !known->revoked && !allowance_take(&known->may_move, ALLOWANCE_ENDPOINTS, clock_mono_ms(&c->clock), 1)) {
		known->may_move.refused++;
		why_set(&why, "too_often", "", "node %s joins again too often; try again in %u seconds", known->name,
			60 / ALLOWANCE_ENDPOINTS.per_minute);
		refuse(c, request->handle, &why);
		op_free(o);
		return;
	}
	if (request->source.len == sizeof o->request.in.source)
		memcpy(o->request.in.source, request->source.address, sizeof o->request.in.source);
	op_from(&o->op, o->request.in.source, NULL);
	if (c->told_to_stop || !controller_put(c, &o->op)) {
		refuse_unavailable(c, request->handle);
		op_free(o);
	}
}
