/* delta - see delta.h. */
#include "controller/nodes/delta.h"

#include <stdlib.h>

struct builder {
	struct controller *c;
	const struct node_entry *node;
	const struct scope *scope;
	struct reply *reply;
	const struct scope_entry **entered; /* since the node's V, by entered_v */
	size_t n_entered, at;
	size_t bytes;
	bool moves;   /* it has a V already: one always goes in, or the node would be told the same for ever */
	bool guesses; /* one of them may have entered earlier than is known */
};

static int by_entered_v(const void *a, const void *b)
{
	const struct scope_entry *x = *(const struct scope_entry *const *)a, *y = *(const struct scope_entry *const *)b;

	return x->entered_v < y->entered_v ? -1 : x->entered_v > y->entered_v;
}

/* What went is told first, in the first batch, whenever it went: none of its records will come, or all of them will when it comes
 * back. Else a batch that ends before its return would leave the node with names and presence of the older stay. */
static int find_scope_changes(struct builder *b)
{
	uint64_t from = b->node->applied_v;
	const struct scope_entry *e;

	if (!b->scope)
		return 0;
	b->entered = calloc(b->scope->entries.n + 1, sizeof *b->entered);
	if (!b->entered)
		return -ENOMEM;
	for (size_t i = 0; (e = map_next(&b->scope->entries, &i));) {
		if (e->count && e->entered_v > from) {
			b->entered[b->n_entered++] = e;
			b->guesses = b->guesses || e->guessed;
		}
		if (e->left_v > from && (!e->count || (e->entered_v > from && !e->guessed))) {
			reply_add_scope(b->reply, e->network, false, e->left_v);
			b->bytes += 16;
		}
	}
	qsort(b->entered, b->n_entered, sizeof *b->entered, by_entered_v);
	return 0;
}

/* Is this version told on its own? Those of a network that came in are not: the network comes whole. */
static bool is_told(const struct builder *b, const struct record *r)
{
	const struct scope_entry *e;

	if (!r->node && !r->network)
		return true;
	if (r->node && r->node != b->node->host)
		return false;
	e = scope_find(b->scope, r->network);
	if (!e)
		return r->node != 0;
	if (e->count)
		return e->entered_v <= b->node->applied_v;
	return r->node && r->v > e->left_v;
}

static size_t network_size(const struct builder *b, uint32_t network)
{
	const struct memory_part *shared = memory_part(&b->c->memory, network, 0);
	const struct memory_part *mine = memory_part(&b->c->memory, 0, b->node->host);
	size_t n = 32 + (shared ? shared->packed_len + 4 * (size_t)shared->digest.count : 0);

	for (const struct memory_record *r = mine ? mine->first : NULL; r; r = r->next)
		if (r->record.network == network)
			n += reply_record_size(r);
	return n;
}

static void add_network(struct builder *b, const struct scope_entry *e)
{
	const struct memory_part *shared = memory_part(&b->c->memory, e->network, 0);
	const struct memory_part *mine = memory_part(&b->c->memory, 0, b->node->host);

	if (e->left_v) /* it may hold an older stay of it, also if an earlier batch has brought it past the V of the leaving */
		reply_add_scope(b->reply, e->network, false, e->left_v > b->node->applied_v ? e->left_v : e->entered_v);
	reply_add_scope(b->reply, e->network, true, e->entered_v);
	for (const struct memory_record *r = shared ? shared->first : NULL; r; r = r->next)
		reply_add_record(b->reply, r);
	for (const struct memory_record *r = mine ? mine->first : NULL; r; r = r->next)
		if (r->record.network == e->network)
			reply_add_record(b->reply, r);
}

/* All that belongs to one V. False: it does not fit any more. */
static bool add_v(struct builder *b, uint64_t v)
{
	const struct ring_entry *entry = ring_at(&b->c->ring, v);
	bool told = entry && entry->record && is_told(b, &entry->record->record);
	size_t size = told ? reply_record_size(entry->record) + 20 : 0, last = b->at;

	while (last < b->n_entered && b->entered[last]->entered_v <= v)
		size += network_size(b, b->entered[last++]->network);
	if (b->moves && b->bytes + size > b->c->config.batch_bytes)
		return false;
	if (told)
		reply_add_record(b->reply, entry->record);
	if (entry && (told || last > b->at))
		reply_add_commit(b->reply, v, entry->committed_ms);
	while (b->at < last)
		add_network(b, b->entered[b->at++]);
	b->bytes += size;
	b->moves = true;
	return true;
}

int delta_build(struct controller *c, const struct node_entry *node, struct reply *ret_reply)
{
	struct builder b = { .c = c, .node = node, .scope = scopes_of(&c->scopes, node->host), .reply = ret_reply };
	uint64_t v = node->first_pending_v;
	int r = find_scope_changes(&b);

	if (r == 0) {
		while (v <= controller_head(c) && add_v(&b, v))
			v++;
		ret_reply->message.from_v = node->applied_v;
		ret_reply->message.to_v = v - 1;
		if (buf_failed(&ret_reply->fields))
			r = DELTA_TOO_LARGE;
		/* a network that came in at an unknown V cannot be left to a later batch: this one may claim a V at which it was there */
		if (b.guesses && v <= controller_head(c))
			r = DELTA_TOO_LARGE;
	}
	free(b.entered);
	return r;
}
