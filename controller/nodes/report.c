/* report - see report.h. */
#include "controller/nodes/report.h"

#include "controller/nodes/allowance.h"
#include "lib/base/log.h"
#include "lib/sixpn/pb.h"
#include "proto/sixpn.pb-c.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_LIMIT (2u << 20)
#define LATER_MS 1000 /* then at least one a second more is taken; the longer, the more were refused */
#define LATER_MAX_MS 10000

struct report_op {
	struct op op;
	struct controller *c;
	uint64_t handle;
	struct report_read in;
	struct store_report_refusal *refused;
	uint8_t (*used)[ID_LEN]; /* peers that were used for the first time */
	size_t n_refused, n_used;
	uint32_t host;
	size_t may, made; /* records: what was taken of the node's allowance, and what came of it */
};

static int read_instance(const Sixpn__InstanceReport *in, struct store_report *ret, struct why *why)
{
	if (pb_text(&in->instance, "instance", ret->id, sizeof ret->id, why) || name_check_instance_id(ret->id, why))
		return E_REFUSED;
	if (!in->observed)
		return why_set(why, "report_invalid", "observed", "a report of instance %s without what was observed", ret->id);
	return observed_from_pb(in->observed, &ret->observed, why);
}

static int read_peer(const Sixpn__PeerStats *in, struct peer_seen *ret, struct why *why)
{
	struct addr_endpoint endpoint;

	*ret = (struct peer_seen){ .last_handshake_ms = in->last_handshake_ms, .rx_bytes = in->rx_bytes, .tx_bytes = in->tx_bytes };
	if (in->peer.len != sizeof ret->id)
		return why_set(why, "report_invalid", "peer", "a report of a peer with an id of %zu bytes", in->peer.len);
	memcpy(ret->id, in->peer.data, sizeof ret->id);
	if (pb_text(&in->endpoint, "endpoint", ret->endpoint, sizeof ret->endpoint, why))
		return E_REFUSED;
	return ret->endpoint[0] && addr_endpoint_parse(ret->endpoint, &endpoint, why) ? E_REFUSED : 0;
}

static int check_counts(const Sixpn__ReportRequest *m, struct why *why)
{
	if (m->n_instances > STORE_REPORT_MAX)
		return why_set(why, "report_invalid", "instances", "%zu reports at once, at most %d are allowed", m->n_instances,
			       STORE_REPORT_MAX);
	if (m->n_peer_stats > PEERS_REPORT_MAX)
		return why_set(why, "report_invalid", "peer_stats", "%zu peers at once, at most %d are allowed", m->n_peer_stats,
			       PEERS_REPORT_MAX);
	return 0;
}

static int read_all(const Sixpn__ReportRequest *m, struct report_read *out, struct why *why)
{
	int r = 0;

	out->reports = calloc(m->n_instances + 1, sizeof *out->reports);
	out->seen = calloc(m->n_peer_stats + 1, sizeof *out->seen);
	if (!out->reports || !out->seen)
		return -ENOMEM;
	for (size_t i = 0; r >= 0 && i < m->n_instances; i++) {
		r = read_instance(m->instances[i], &out->reports[out->n], why);
		out->n += r == 0;
		out->n_bad += r > 0;
	}
	for (size_t i = 0; r >= 0 && i < m->n_peer_stats; i++) {
		r = read_peer(m->peer_stats[i], &out->seen[out->n_seen], why);
		out->n_seen += r == 0;
		out->n_bad += r > 0;
	}
	return r < 0 ? r : 0;
}

int report_read(const void *bytes, size_t len, struct report_read *ret, struct why *why)
{
	struct report_read out = { 0 };
	struct pb_arena arena;
	Sixpn__ReportRequest *m;
	int r;

	pb_arena_init(&arena, ARENA_LIMIT);
	m = (Sixpn__ReportRequest *)pb_unpack(&arena, &sixpn__report_request__descriptor, bytes, len);
	if (!m)
		r = why_set(why, "report_invalid", "", "%zu bytes that are no ReportRequest", len);
	else
		r = check_counts(m, why);
	if (r == 0)
		r = read_all(m, &out, why);
	if (r == 0)
		*ret = out;
	else
		report_deinit(&out);
	pb_arena_deinit(&arena);
	return r;
}

void report_deinit(struct report_read *r)
{
	free(r->reports);
	free(r->seen);
	*r = (struct report_read){ 0 };
}

static uint32_t later_ms(const struct store_report_refusal *refused, size_t n)
{
	uint64_t ms = 0;

	for (size_t i = 0; i < n; i++)
		ms += refused[i].later ? UINT64_C(60000) / ALLOWANCE_REPORTS.per_minute : 0;
	return (uint32_t)(ms < LATER_MS ? LATER_MS : ms > LATER_MAX_MS ? LATER_MAX_MS : ms);
}

static void send_reply(struct controller *c, uint64_t handle, uint64_t v, const struct store_report_refusal *refused, size_t n)
{
	CLEAN_FREE Sixpn__ReportRefusal *items = calloc(n + 1, sizeof *items);
	CLEAN_FREE Sixpn__ReportRefusal **list = calloc(n + 1, sizeof *list);
	CLEAN_BUF struct buf bytes = BUF_INIT(LINK_REPLY_MAX);
	Sixpn__ReportReply m = SIXPN__REPORT_REPLY__INIT;
	int r;

	if (!items || !list)
		return;
	for (size_t i = 0; i < n; i++) {
		sixpn__report_refusal__init(&items[i]);
		items[i].instance = pb_bytes(refused[i].id, strlen(refused[i].id));
		items[i].text = pb_bytes(refused[i].text, strlen(refused[i].text));
		items[i].retry_after_ms = refused[i].later ? later_ms(refused, n) : 0;
		list[i] = &items[i];
	}
	m.v = v;
	m.refused = list;
	m.n_refused = n;
	r = pb_pack(&m, &bytes);
	if (r == 0)
		r = link_server_reply(c->link, handle, bytes.data, bytes.len);
	if (r < 0 && r != -ENOENT)
		log_limited(LOG_L_WARN, "report", "a reply is lost: %s", strerror(-r));
}

static void op_free(struct report_op *o)
{
	op_deinit(&o->op);
	report_deinit(&o->in);
	free(o->used);
	free(o->refused);
	free(o);
}

static int run(struct store *store, struct op *op)
{
	struct report_op *o = container_of(op, struct report_op, op);
	int r;

	o->n_refused = o->made = 0;
	r = store_peer_note_used(store, op, (const uint8_t(*)[ID_LEN])o->used, o->n_used);
	return r ? r : store_instance_report(store, op, o->in.reports, o->in.n, o->may, o->refused, &o->n_refused, &o->made);
}

/* What was not used is the node's again; who wanted more is named. */
static void settle(const struct report_op *o)
{
	struct node_entry *node = node_table_find(&o->c->nodes, o->host);
	size_t later = 0;

	for (size_t i = 0; o->op.result == 0 && i < o->n_refused; i++)
		later += o->refused[i].later;
	if (!node)
		return;
	allowance_return(&node->may_report, o->may - (o->op.result == 0 ? o->made : 0));
	node->may_report.refused += later;
	if (later)
		log_limited(LOG_L_WARN, "report", "node %s changes its instances too often (%u at once, %u a minute): %zu reports are heard later",
			    node->name, ALLOWANCE_REPORTS.at_once, ALLOWANCE_REPORTS.per_minute, later);
}

static void done(struct op *op)
{
	struct report_op *o = container_of(op, struct report_op, op);

	controller_op_done(o->c);
	settle(o);
	if (op->result == 0) {
		peers_used_stored(o->c, o->host, (const uint8_t(*)[ID_LEN])o->used, o->n_used);
		send_reply(o->c, o->handle, op->v, o->refused, o->n_refused);
	} else {
		log_limited(LOG_L_WARN, "report", "reports of %s are not stored: %s", op->principal.text,
			    op->result > 0 ? op->why.text : strerror(-op->result));
	}
	op_free(o);
}

/* What was seen of peers goes into memory; only a first handshake, or what is about instances, goes to the store. */
static void put(struct controller *c, struct node_entry *node, struct report_op *o)
{
	struct principal who = principal_node(node->host, node->name);

	peers_take(c, node, o->in.seen, o->in.n_seen, o->used, &o->n_used);
	if (!o->in.n && !o->n_used) {
		send_reply(c, o->handle, 0, NULL, 0);
		op_free(o);
		return;
	}
	op_init(&o->op, run, done, &who, NULL);
	o->op.frees = true;
	o->op.quiet = true;
	o->may = (size_t)allowance_take(&node->may_report, ALLOWANCE_REPORTS, clock_mono_ms(&c->clock), o->in.n);
	if (!controller_put(c, &o->op)) {
		allowance_return(&node->may_report, o->may);
		op_free(o);
	}
}

void report_take(struct controller *c, const struct link_request *request)
{
	struct node_entry *node = node_table_find(&c->nodes, request->host);
	struct report_op *o;
	struct why why = { .text = "" };
	int r;

	if (!node || node->revoked || request->clone || (node->boot_conflict && node->session == request->session))
		return; /* its poll says why */
	o = calloc(1, sizeof *o);
	if (!o)
		return;
	*o = (struct report_op){ .c = c, .handle = request->handle, .host = node->host };
	r = report_read(request->payload, request->len, &o->in, &why);
	if (r > 0 || o->in.n_bad) {
		c->stats.bad_requests++;
		log_limited(LOG_L_WARN, "report", "node %s: %s", node->name, why.text);
	}
	if (r == 0) {
		o->refused = calloc(o->in.n + 1, sizeof *o->refused);
		o->used = calloc(o->in.n_seen + 1, sizeof *o->used);
	}
	if (r == 0 && o->refused && o->used)
		put(c, node, o);
	else
		op_free(o);
}
