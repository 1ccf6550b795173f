/* reply - see reply.h. */
#include "controller/nodes/reply.h"

#include "controller/nodes/settle.h"
#include "lib/base/log.h"
#include "lib/sixpn/pb.h"

#include <string.h>

void reply_init(struct reply *r, Sixpn__PollKind kind)
{
	sixpn__poll_reply__init(&r->message);
	r->message.kind = kind;
	r->fields = BUF_INIT(LINK_REPLY_MAX);
}

void reply_deinit(struct reply *r)
{
	buf_deinit(&r->fields);
}

/* Tag and length of a length-delimited field (protobuf encoding, wire type 2); numbers are below 16. */
static void add_head(struct reply *r, unsigned number, size_t len)
{
	buf_add_u8(&r->fields, (uint8_t)(number << 3 | 2));
	for (; len >= 0x80; len >>= 7)
		buf_add_u8(&r->fields, (uint8_t)(len | 0x80));
	buf_add_u8(&r->fields, (uint8_t)len);
}

static void add_message(struct reply *r, unsigned number, const ProtobufCMessage *m)
{
	add_head(r, number, protobuf_c_message_get_packed_size(m));
	if (pb_pack(m, &r->fields) < 0)
		r->fields.failed = true;
}

void reply_add_record(struct reply *r, const struct memory_record *entry)
{
	add_head(r, 7, entry->packed_len);
	buf_add(&r->fields, entry->packed, entry->packed_len);
}

void reply_add_commit(struct reply *r, uint64_t v, uint64_t unix_ms)
{
	Sixpn__Commit m = SIXPN__COMMIT__INIT;

	m.v = v;
	m.unix_ms = unix_ms;
	add_message(r, 8, &m.base);
}

void reply_add_scope(struct reply *r, uint32_t network, bool entered, uint64_t v)
{
	Sixpn__ScopeChange m = SIXPN__SCOPE_CHANGE__INIT;

	m.network = network;
	m.entered = entered;
	m.v = v;
	add_message(r, 9, &m.base);
}

static int send_packed(struct controller *c, uint64_t handle, struct reply *r, uint64_t proof_v)
{
	CLEAN_BUF struct buf bytes = BUF_INIT(2 * LINK_REPLY_MAX);
	Sixpn__PollReply *m = &r->message;
	uint8_t proof[32];

	store_head_proof(&c->identity, proof_v, proof);
	m->epoch = c->identity.epoch;
	m->log_id = pb_bytes(c->identity.log_id, STORE_LOG_ID_LEN);
	m->head_proof = pb_bytes(proof, sizeof proof);
	m->park_ms = c->park_ms;
	m->features = SIXPN__FEATURE__FEATURE_AWAIT | SIXPN__FEATURE__FEATURE_HELD_DELETES | SIXPN__FEATURE__FEATURE_DIGEST_PARTS;
	if (r->fields.failed || pb_pack(m, &bytes) < 0)
		return -EMSGSIZE;
	buf_add(&bytes, r->fields.data, r->fields.len);
	if (buf_failed(&bytes) || bytes.len > LINK_REPLY_MAX)
		return -EMSGSIZE;
	return link_server_reply(c->link, handle, bytes.data, bytes.len);
}

int reply_send(struct controller *c, struct node_entry *node, struct reply *r)
{
	Sixpn__Await settled[NODE_AWAITS_MAX], *list[NODE_AWAITS_MAX];
	struct settle_result result;
	const struct scope *scope = scopes_of(&c->scopes, node->host);
	uint64_t head = controller_head(c), proof_v = r->message.to_v;
	int e;

	settle_collect(c, node, &result);
	for (size_t i = 0; i < result.n; i++) {
		sixpn__await__init(&settled[i]);
		settled[i].network = result.list[i].network;
		settled[i].v = result.list[i].v;
		list[i] = &settled[i];
	}
	r->message.settled = list;
	r->message.n_settled = result.n;
	r->message.scope_version = scope ? scope->version : 0;
	if (r->message.kind == SIXPN__POLL_KIND__POLL_RETRY_AFTER)
		proof_v = node->acked ? node->applied_v : head;
	e = send_packed(c, node->handle, r, proof_v);
	if (e == -EMSGSIZE)
		return e;
	if (e < 0 && e != -ENOENT) /* it asks again by its own clock */
		log_limited(LOG_L_WARN, "poll", "a reply to %s is lost: %s", node->name, strerror(-e));
	controller_set_handle(c, node, 0);
	node->n_awaits = 0; /* the next poll names them again */
	return 0;
}

static void send_small(struct controller *c, struct node_entry *node, struct reply *r)
{
	if (reply_send(c, node, r) < 0)
		log_err("poll", "a small reply to %s is too large", node->name);
	reply_deinit(r);
}

void reply_nothing(struct controller *c, struct node_entry *node, bool want_digests)
{
	struct reply r;

	reply_init(&r, SIXPN__POLL_KIND__POLL_NOTHING);
	r.message.from_v = node->applied_v;
	/* a bookmark must not pass over what the node has yet to be told */
	r.message.to_v = node->first_pending_v == NODE_NEVER ? controller_head(c) : node->first_pending_v - 1;
	r.message.want_digests = want_digests;
	if (node->releases && node->n_held) {
		r.message.release_held = true;
		node->releases--;
	}
	c->stats.bookmarks++;
	send_small(c, node, &r);
}

void reply_retry_after(struct controller *c, struct node_entry *node, uint32_t ms, const char *reason)
{
	struct reply r;

	reply_init(&r, SIXPN__POLL_KIND__POLL_RETRY_AFTER);
	r.message.retry_after_ms = ms;
	r.message.reason = pb_bytes(reason, strlen(reason));
	c->stats.retries++;
	send_small(c, node, &r);
}

void reply_fenced(struct controller *c, uint64_t handle, const char *reason)
{
	struct reply r;
	int e;

	reply_init(&r, SIXPN__POLL_KIND__POLL_FENCED);
	r.message.reason = pb_bytes(reason, strlen(reason));
	c->stats.fenced++;
	e = send_packed(c, handle, &r, controller_head(c));
	if (e < 0 && e != -ENOENT)
		log_limited(LOG_L_WARN, "poll", "a reply is lost: %s", strerror(-e));
	reply_deinit(&r);
}
