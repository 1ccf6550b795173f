/* load - see load.h. Runs before the store thread is started, so it may use the store itself. */
#include "controller/nodes/load.h"

#include "controller/store/store_log.h"
#include "lib/base/log.h"

#include <string.h>

#define WINDOW_AT_START 20000 /* changes read back; more would make the start slow */

struct loading {
	struct controller *c;
	int error;
};

static void take_current(void *arg, const struct record *record)
{
	struct loading *l = arg;
	struct controller *c = l->c;
	struct memory_record *entry, *old = NULL;
	struct scope_change change;

	if (l->error)
		return;
	l->error = memory_record_new(record, &entry);
	if (l->error)
		return;
	l->error = memory_take(&c->memory, entry, &old);
	/* in order of V: the oldest record of a network on a node says since when at least it is there without a break */
	if (!l->error)
		l->error = scopes_note(&c->scopes, NULL, record, record->v, 0, true, &change);
	if (!l->error && record->kind == RECORD_PEER)
		peers_note_record(c, record);
	memory_record_unref(old);
	memory_record_unref(entry);
}

/* The version as memory has it, or one of its own for what is no longer current; referenced. */
static int version_of(struct controller *c, const struct record *r, struct memory_record **ret_entry)
{
	struct memory_record *current = memory_find(&c->memory, r->kind, r->key, r->key_len);

	if (!current || current->record.v != r->v)
		return memory_record_new(r, ret_entry);
	*ret_entry = memory_record_ref(current);
	return 0;
}

static void take_row(void *arg, const struct store_log_row *row)
{
	struct loading *l = arg;
	struct controller *c = l->c;
	const struct record *r = &row->record;
	struct memory_record *entry = NULL;

	if (l->error)
		return;
	if (r->v != c->ring.head + 1) {
		log_err("controller", "the log of the store has a gap after V %llu", (unsigned long long)c->ring.head);
		l->error = -EBADMSG;
		return;
	}
	if (RECORD_SENDABLE(r->kind)) {
		l->error = version_of(c, r, &entry);
		if (!l->error)
			l->error = scopes_note_past(&c->scopes, r, store_head(c->config.store));
	}
	if (!l->error)
		l->error = ring_push(&c->ring, entry, row->committed_ms, UINT64_MAX);
	memory_record_unref(entry);
}

static int load_ring(struct controller *c)
{
	struct principal who = principal_local("controller");
	struct loading l = { .c = c };
	uint64_t head = store_head(c->config.store), window = WINDOW_AT_START;
	int r = 0;

	if (window > c->config.window_changes)
		window = c->config.window_changes;
	ring_init(&c->ring, head > window ? head - window : 0, c->config.window_bytes, c->config.window_changes);
	while (r == 0 && l.error == 0 && c->ring.head < head) {
		uint64_t last, before = c->ring.head;

		r = store_log_read_since(c->config.store, &who, before, STORE_PAGE_MAX, take_row, &l, &last);
		if (r == 0 && l.error == 0 && c->ring.head == before)
			r = -EBADMSG;
	}
	return r ? r : l.error;
}

static void take_node(void *arg, const struct store_node *row)
{
	struct loading *l = arg;
	struct node_entry *node;

	if (l->error)
		return;
	l->error = node_table_put(&l->c->nodes, row, &node);
	if (!l->error)
		node->from_start = true;
}

static int load_nodes(struct controller *c)
{
	struct principal who = principal_local("controller");
	struct store_node_filter filter = { .with_revoked = true };
	struct loading l = { .c = c };
	struct store_next next = { .cursor = "" };
	struct why why = { 0 };
	int r;

	do {
		struct store_next at = next;
		struct store_page page = { .after = at.cursor };

		r = store_node_list(c->config.store, &who, &filter, &page, take_node, &l, &next, &why);
	} while (r == 0 && l.error == 0 && next.cursor[0]);
	if (r > 0) {
		log_err("controller", "the nodes cannot be read: %s", why.text);
		r = -EIO;
	}
	return r ? r : l.error;
}

int load_memory(struct controller *c)
{
	struct principal who = principal_local("controller");
	struct loading l = { .c = c };
	int r = store_log_read_current(c->config.store, &who, take_current, &l);

	store_get_identity(c->config.store, &c->identity);
	if (r == 0)
		r = l.error;
	if (r == 0)
		r = load_ring(c);
	if (r == 0)
		r = load_nodes(c);
	c->start_v = c->ring.head;
	if (r == 0)
		log_info("controller", "V %llu: %zu records, %zu nodes, %zu changes in the window", (unsigned long long)c->ring.head,
			 c->memory.records.n, c->nodes.by_host.n, c->ring.n);
	return r > 0 ? -EIO : r;
}
