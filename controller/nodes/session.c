/* session - see session.h. */
#include "controller/nodes/session.h"

#include "controller/nodes/poll.h"
#include "controller/nodes/reply.h"
#include "controller/store/store_node.h"
#include "lib/base/log.h"

#include <stdlib.h>
#include <string.h>

#define SEEN_PER_OP 256

/* One start of a node, its endpoints, or where customers find it. */
struct session_op {
	struct op op;
	struct controller *c;
	uint32_t host, session;
	uint8_t boot_id[16];
	uint64_t boot_count;
	char version[32];
	struct addr_endpoint endpoints[RECORD_ENDPOINTS_MAX];
	size_t n_endpoints;
	struct node_gateway gateway;
};

static bool put_session_op(struct controller *c, const struct node_entry *node, struct session_op *s,
			   int (*run)(struct store *, struct op *), void (*done)(struct op *))
{
	struct principal who = principal_node(node->host, node->name);

	s->c = c;
	s->host = node->host;
	op_init(&s->op, run, done, &who, NULL);
	s->op.quiet = true;
	if (controller_put(c, &s->op))
		return true;
	free(s); /* the next session or poll says it again */
	return false;
}

static int run_session(struct store *store, struct op *op)
{
	struct session_op *s = container_of(op, struct session_op, op);

	return store_node_session(store, op, s->host, s->boot_id, s->boot_count, s->version);
}

static void session_done(struct op *op)
{
	struct session_op *s = container_of(op, struct session_op, op);
	struct controller *c = s->c;
	struct node_entry *node = node_table_find(&c->nodes, s->host);

	controller_op_done(c);
	if (op->result == E_REFUSED && node && node->session == s->session && !strcmp(op->why.code, "node_boot_conflict")) {
		log_err("session", "node %s: %s; this session is fenced", node->name, op->why.text);
		node->boot_conflict = true;
		node->cloned_ms = clock_mono_ms(&c->clock);
		if (node->handle) {
			reply_fenced(c, node->handle, op->why.text);
			controller_set_handle(c, node, 0);
		}
	} else if (op->result) {
		log_warn("session", "the start of node %08x is not stored: %s", s->host,
			 op->result > 0 ? op->why.text : strerror(-op->result));
	}
	op_deinit(op);
	free(s);
}

static void note_session(struct controller *c, struct node_entry *node, const struct link_request *request)
{
	struct session_op *s = calloc(1, sizeof *s);

	node->session = request->session;
	node->boot_conflict = false;
	if (!s)
		return;
	s->session = request->session;
	memcpy(s->boot_id, request->boot_id, sizeof s->boot_id);
	s->boot_count = request->boot_count;
	memcpy(s->version, node->version, sizeof s->version);
	(void)put_session_op(c, node, s, run_session, session_done);
}

static int run_endpoints(struct store *store, struct op *op)
{
	struct session_op *s = container_of(op, struct session_op, op);

	return store_node_set_endpoints(store, op, s->host, s->endpoints, s->n_endpoints);
}

static void endpoints_done(struct op *op)
{
	struct session_op *s = container_of(op, struct session_op, op);

	controller_op_done(s->c);
	if (op->result)
		log_warn("session", "the endpoints of node %08x are not stored: %s", s->host,
			 op->result > 0 ? op->why.text : strerror(-op->result));
	op_deinit(op);
	free(s);
}

static bool endpoints_equal(const struct node_entry *node, const struct poll_request *q)
{
	if (node->n_endpoints != q->n_endpoints)
		return false;
	for (size_t i = 0; i < q->n_endpoints; i++) {
		const struct addr_endpoint *a = &node->endpoints[i], *b = &q->endpoints[i];

		if (a->address_len != b->address_len || a->port != b->port || a->lan != b->lan ||
		    memcmp(a->address, b->address, a->address_len))
			return false;
	}
	return true;
}

static void note_endpoints(struct controller *c, struct node_entry *node, const struct poll_request *q)
{
	struct session_op *s;

	if (!q->n_endpoints || endpoints_equal(node, q))
		return;
	if (!allowance_take(&node->may_move, ALLOWANCE_ENDPOINTS, clock_mono_ms(&c->clock), 1)) { /* it says them again with each poll */
		node->may_move.refused++;
		log_limited(LOG_L_WARN, "session", "node %s changes its endpoints too often (%u at once, %u a minute): the old ones stay for now",
			    node->name, ALLOWANCE_ENDPOINTS.at_once, ALLOWANCE_ENDPOINTS.per_minute);
		return;
	}
	s = calloc(1, sizeof *s);
	if (!s)
		return;
	memcpy(node->endpoints, q->endpoints, sizeof node->endpoints);
	memcpy(s->endpoints, q->endpoints, sizeof s->endpoints);
	node->n_endpoints = s->n_endpoints = q->n_endpoints;
	(void)put_session_op(c, node, s, run_endpoints, endpoints_done);
}

static int run_gateway(struct store *store, struct op *op)
{
	struct session_op *s = container_of(op, struct session_op, op);

	return store_node_set_gateway(store, op, s->host, s->gateway.host, s->gateway.port, s->gateway.key);
}

static bool gateways_equal(const struct node_gateway *a, const struct node_gateway *b)
{
	return !strcmp(a->host, b->host) && a->port == b->port && !memcmp(a->key, b->key, sizeof a->key);
}

static void gateway_done(struct op *op)
{
	struct session_op *s = container_of(op, struct session_op, op);
	struct node_entry *node = node_table_find(&s->c->nodes, s->host);

	controller_op_done(s->c);
	if (op->result)
		log_warn("session", "where customers find gateway %08x is not stored: %s", s->host,
			 op->result > 0 ? op->why.text : strerror(-op->result));
	if (node) {
		node->gateway.storing = false;
		/* what was refused once is refused again: it is for people to mend, and the next session says it anew */
		node->gateway.stored = op->result >= 0 && gateways_equal(&node->gateway, &s->gateway);
		if (!op->v)
			allowance_return(&node->may_move, 1);
	}
	op_deinit(op);
	free(s);
}

/* It is said once in a session, so it is kept until it is stored. */
static void note_gateway(struct controller *c, struct node_entry *node, const struct poll_request *q)
{
	struct node_gateway *g = &node->gateway;
	struct session_op *s;

	if (q->has_gateway) {
		struct node_gateway said = { .port = q->gateway_port, .said = true, .storing = g->storing };

		memcpy(said.host, q->gateway_host, sizeof said.host);
		memcpy(said.key, q->gateway_key, sizeof said.key);
		said.stored = g->stored && gateways_equal(g, &said);
		*g = said;
	}
	if (!g->said || g->stored || g->storing)
		return;
	if (!allowance_take(&node->may_move, ALLOWANCE_ENDPOINTS, clock_mono_ms(&c->clock), 1)) {
		node->may_move.refused++;
		log_limited(LOG_L_WARN, "session", "gateway %s changes its name, port or key too often: the old ones stay for now", node->name);
		return;
	}
	s = calloc(1, sizeof *s);
	if (!s)
		return;
	s->gateway = *g;
	g->storing = put_session_op(c, node, s, run_gateway, gateway_done);
}

void session_note_poll(struct controller *c, struct node_entry *node, const struct link_request *request, const struct poll_request *poll)
{
	node->polled_ms = clock_mono_ms(&c->clock);
	node->seen_changed = true;
	if (node->session != request->session)
		note_session(c, node, request);
	note_endpoints(c, node, poll);
	note_gateway(c, node, poll);
}

/* ---- seen ---- */

struct seen_op {
	struct op op;
	struct controller *c;
	size_t n;
	uint32_t hosts[SEEN_PER_OP];
	uint64_t now_ms;
};

static int run_seen(struct store *store, struct op *op)
{
	struct seen_op *s = container_of(op, struct seen_op, op);
	int r = 0;

	for (size_t i = 0; i < s->n && r >= 0; i++)
		r = store_node_seen(store, op, s->hosts[i], s->now_ms); /* refused: deleted meanwhile */
	return r < 0 ? r : 0;
}

static void seen_done(struct op *op)
{
	struct seen_op *s = container_of(op, struct seen_op, op);

	controller_op_done(s->c);
	op_deinit(op);
	free(s);
}

static void put_seen(struct controller *c, struct seen_op *s)
{
	struct principal who = principal_local("controller");

	s->c = c;
	s->now_ms = clock_real_ms(&c->clock);
	op_init(&s->op, run_seen, seen_done, &who, NULL);
	s->op.quiet = true;
	if (!controller_put(c, &s->op))
		free(s);
}

void session_store_seen(struct controller *c)
{
	struct seen_op *s = NULL;
	struct node_entry *node;

	for (size_t i = 0; (node = node_table_next(&c->nodes, &i));) {
		if (!node->seen_changed || node->revoked)
			continue;
		if (!s && !(s = calloc(1, sizeof *s)))
			return;
		node->seen_changed = false;
		s->hosts[s->n++] = node->host;
		if (s->n == SEEN_PER_OP) {
			put_seen(c, s);
			s = NULL;
		}
	}
	if (s)
		put_seen(c, s);
}

/* ---- a store that somebody else took ---- */

struct ours_op {
	struct op op;
	struct controller *c;
};

static int run_ours(struct store *store, struct op *op)
{
	(void)op;
	return store_check_ours(store); /* the store thread tells us if it is not */
}

static void ours_done(struct op *op)
{
	struct ours_op *s = container_of(op, struct ours_op, op);

	controller_op_done(s->c);
	s->c->checking_ours = false;
	op_deinit(op);
	free(s);
}

void session_check_ours(struct controller *c)
{
	struct principal who = principal_local("controller");
	struct ours_op *s;

	if (c->checking_ours || !(s = calloc(1, sizeof *s)))
		return;
	s->c = c;
	op_init(&s->op, run_ours, ours_done, &who, NULL);
	s->op.write = false;
	c->checking_ours = controller_put(c, &s->op);
	if (!c->checking_ours)
		free(s);
}

/* ---- a store that was rolled back ---- */

struct reseed_op {
	struct op op;
	struct controller *c;
	struct store_identity identity;
};

static int run_reseed(struct store *store, struct op *op)
{
	struct reseed_op *s = container_of(op, struct reseed_op, op);

	return store_reseed(store, 0, &s->identity);
}

static void reseed_done(struct op *op)
{
	struct reseed_op *s = container_of(op, struct reseed_op, op);
	struct controller *c = s->c;

	controller_op_done(c);
	c->reseeding = false;
	if (op->result)
		controller_must_stop(c, "the store was rolled back and cannot take a new identity");
	else
		c->identity = s->identity; /* nodes of the old log ask, and are given snapshots */
	op_deinit(op);
	crypto_wipe(&s->identity, sizeof s->identity);
	free(s);
}

void session_roll_back(struct controller *c, struct node_entry *node, uint64_t proven_v)
{
	struct principal who = principal_local("controller");
	struct reseed_op *s = calloc(1, sizeof *s);
	struct node_entry *other;

	c->stats.roll_backs++;
	events_add_node(c, node, "roll_back", "proves that the store is an old copy");
	log_err("session", "node %s proves that this log once reached V %llu, and the store ends at %llu: it is an old copy", node->name,
		(unsigned long long)proven_v, (unsigned long long)controller_head(c));
	if (s) {
		s->c = c;
		op_init(&s->op, run_reseed, reseed_done, &who, NULL);
		s->op.write = false; /* it commits by itself, between the batches */
		c->reseeding = controller_put(c, &s->op);
		if (!c->reseeding)
			free(s);
	}
	for (size_t i = 0; (other = node_table_next(&c->nodes, &i));) {
		snapshot_drop(c, other);
		other->acked = false;
		other->whole_ms = NODE_NEVER; /* of a log that is no more */
		if (other->handle)
			reply_retry_after(c, other, 500, "the controller takes a new identity");
	}
}
