/* reasons - see reasons.h. */
#include "controller/nodes/reasons.h"

#include "controller/nodes/poll.h"
#include "controller/nodes/reply.h"
#include "controller/store/store_log.h"
#include "lib/base/log.h"

#include <stdlib.h>
#include <string.h>

#define ROWS_MAX 20000     /* what more was deleted is held back by the node, and an operator is asked */
#define BUSY_RETRY_MS 1000
#define CHANGES_MAX 200000 /* nor is the log read further back */

struct reasons_op {
	struct op op;
	struct controller *c;
	uint32_t host;
	uint64_t since_v, read_v;
	struct record *rows;
	size_t n, cap;
	int error;
};

struct reasons *reasons_free(struct reasons *reasons)
{
	if (!reasons)
		return NULL;
	for (size_t i = 0; i < reasons->n; i++)
		memory_record_unref(reasons->tombstones[i]);
	free(reasons->tombstones);
	free(reasons->left);
	free(reasons);
	return NULL;
}

/* ---- on the store thread ---- */

static void keep_row(void *arg, const struct record *tombstone)
{
	struct reasons_op *o = arg;

	if (o->n == o->cap) {
		size_t cap = o->cap ? 2 * o->cap : 64;
		struct record *bigger = realloc(o->rows, cap * sizeof *bigger);

		if (!bigger) {
			o->error = -ENOMEM;
			return;
		}
		o->rows = bigger;
		o->cap = cap;
	}
	o->rows[o->n++] = *tombstone;
}

static int run(struct store *store, struct op *op)
{
	struct reasons_op *o = container_of(op, struct reasons_op, op);
	uint64_t head = store_head(store), since = head > CHANGES_MAX && o->since_v < head - CHANGES_MAX ? head - CHANGES_MAX : o->since_v;
	int r;

	o->n = 0;
	o->error = 0;
	o->read_v = head;
	r = store_log_read_deletes(store, &op->principal, since, o->host, ROWS_MAX, keep_row, o);
	return r ? r : o->error;
}

/* ---- on the loop ---- */

static int add_left(struct reasons *r, const struct record *row)
{
	for (size_t i = 0; i < r->n_left; i++)
		if (r->left[i].network == row->network) {
			r->left[i].v = row->v > r->left[i].v ? row->v : r->left[i].v;
			return 0;
		}
	if (r->n_left == r->cap_left) {
		size_t cap = r->cap_left ? 2 * r->cap_left : 8;
		struct reasons_left *bigger = realloc(r->left, cap * sizeof *bigger);

		if (!bigger)
			return -ENOMEM;
		r->left = bigger;
		r->cap_left = cap;
	}
	r->left[r->n_left++] = (struct reasons_left){ row->network, row->v };
	return 0;
}

static int add_tombstone(struct reasons *r, const struct record *row)
{
	if (r->n == r->cap) {
		size_t cap = r->cap ? 2 * r->cap : 64;
		struct memory_record **bigger = realloc(r->tombstones, cap * sizeof *bigger);

		if (!bigger)
			return -ENOMEM;
		r->tombstones = bigger;
		r->cap = cap;
	}
	if (memory_record_new(row, &r->tombstones[r->n]) < 0)
		return -ENOMEM;
	r->n++;
	return 0;
}

/* Only what the node may see now is named. A network that is not on it any more is told as having left, and only if something of the
 * node's own was deleted there: so it had that network. */
static int add_reason(struct controller *c, uint32_t host, const struct record *tombstone, struct reasons *reasons)
{
	if (tombstone->node && tombstone->node != host)
		return 0;
	if (!tombstone->network || scope_has(scopes_of(&c->scopes, host), tombstone->network))
		return add_tombstone(reasons, tombstone);
	return tombstone->node ? add_left(reasons, tombstone) : 0;
}

static int sift(struct controller *c, const struct reasons_op *o, struct reasons *ret)
{
	int r = 0;

	ret->read_v = o->read_v;
	for (size_t i = 0; r == 0 && i < o->n; i++)
		r = add_reason(c, o->host, &o->rows[i], ret);
	return r;
}

/* What was deleted since they were read. */
static void bring_up_to_date(struct controller *c, uint32_t host, struct reasons *reasons)
{
	int r = 0;

	for (uint64_t v = reasons->read_v + 1; r == 0 && v <= controller_head(c); v++) {
		const struct ring_entry *e = ring_at(&c->ring, v);

		if (e && e->record && e->record->record.deleted && e->record->record.intent != INTENT_NONE)
			r = add_reason(c, host, &e->record->record, reasons);
	}
	reasons->read_v = controller_head(c);
	if (r < 0)
		log_warn("snapshot", "not all reasons can be told: %s", strerror(-r));
}

static void done(struct op *op)
{
	struct reasons_op *o = container_of(op, struct reasons_op, op);
	struct controller *c = o->c;
	struct node_entry *node = node_table_find(&c->nodes, o->host);
	struct reasons *reasons = calloc(1, sizeof *reasons);
	int r = op->result ? op->result : reasons ? sift(c, o, reasons) : -ENOMEM;

	controller_op_done(c);
	c->reasons_now--;
	if (r)
		log_warn("snapshot", "why records of node %08x are gone cannot be told: %s", o->host, r < 0 ? strerror(-r) : op->why.text);
	if (r)
		reasons = reasons_free(reasons);
	if (node) {
		node->reading_reasons = false;
		reasons_free(node->reasons);
		node->reasons = TAKE(reasons);
		node->has_reasons = true; /* also if there are none: what is known is all that there is */
		if (node->handle && !c->stopping)
			controller_mark(c, node);
	}
	reasons_free(reasons);
	op_deinit(op);
	free(o->rows);
	free(o);
}

static bool start_reading(struct controller *c, struct node_entry *node, uint64_t since_v)
{
	struct principal who = principal_local("controller");
	struct reasons_op *o = calloc(1, sizeof *o);

	if (!o)
		return false;
	*o = (struct reasons_op){ .c = c, .host = node->host, .since_v = since_v };
	op_init(&o->op, run, done, &who, NULL);
	o->op.write = false;
	if (!controller_put(c, &o->op)) {
		op_deinit(&o->op);
		free(o);
		return false;
	}
	node->reading_reasons = true;
	c->reasons_now++;
	return true;
}

bool reasons_take(struct controller *c, struct node_entry *node, uint64_t since_v, struct reasons **ret_reasons)
{
	*ret_reasons = NULL;
	if (node->has_reasons) {
		*ret_reasons = TAKE(node->reasons);
		node->has_reasons = false;
		if (*ret_reasons)
			bring_up_to_date(c, node->host, *ret_reasons);
		return true;
	}
	if (!node->reading_reasons && !start_reading(c, node, since_v)) /* a snapshot without them would have the node hold back what was meant */
		reply_retry_after(c, node, BUSY_RETRY_MS, "the store is busy");
	return false;
}
