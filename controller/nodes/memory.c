/* memory - see memory.h. */
#include "controller/nodes/memory.h"

#include <stdlib.h>
#include <string.h>

static size_t make_key(uint8_t out[4 + RECORD_KEY_MAX], uint32_t kind, const void *key, size_t key_len)
{
	put_u32(out, kind);
	memcpy(out + 4, key, key_len);
	return 4 + key_len;
}

int memory_record_new(const struct record *record, struct memory_record **ret_entry)
{
	CLEAN_BUF struct buf packed = BUF_INIT(RECORD_MAX + 256);
	struct memory_record *entry;
	int r = record_encode(record, &packed);

	if (r < 0)
		return r;
	entry = calloc(1, sizeof *entry + packed.len);
	if (!entry)
		return -ENOMEM;
	memcpy(entry->packed, packed.data, packed.len);
	entry->packed_len = packed.len;
	/* the same judgement that nodes make, and the body comes out as a view of the packed bytes */
	r = record_decode(entry->packed, entry->packed_len, &entry->record, NULL);
	if (r != 0 || !RECORD_SENDABLE(entry->record.kind)) {
		free(entry);
		return r < 0 ? r : -EBADMSG;
	}
	entry->refs = 1;
	entry->map_key_len = make_key(entry->map_key, record->kind, record->key, record->key_len);
	*ret_entry = entry;
	return 0;
}

struct memory_record *memory_record_ref(struct memory_record *entry)
{
	entry->refs++;
	return entry;
}

struct memory_record *memory_record_unref(struct memory_record *entry)
{
	if (entry && --entry->refs == 0)
		free(entry);
	return NULL;
}

void memory_deinit(struct memory *m)
{
	struct memory_record *entry;
	struct memory_part *part;

	for (size_t i = 0; (entry = map_next(&m->records, &i));)
		memory_record_unref(entry);
	for (size_t i = 0; (part = map_next(&m->parts, &i));)
		free(part);
	map_deinit(&m->records);
	map_deinit(&m->parts);
	*m = (struct memory){ 0 };
}

const struct memory_part *memory_part(const struct memory *m, uint32_t network, uint32_t node)
{
	uint32_t key[2] = { node ? 0 : network, node };

	return map_get(&m->parts, key, sizeof key);
}

static struct memory_part *need_part(struct memory *m, const struct record *r)
{
	uint32_t key[2] = { r->node ? 0 : r->network, r->node };
	struct memory_part *part = map_get(&m->parts, key, sizeof key);

	if (part)
		return part;
	part = calloc(1, sizeof *part);
	if (!part)
		return NULL;
	part->key.network = key[0];
	part->key.node = key[1];
	if (map_set(&m->parts, &part->key, sizeof part->key, part, NULL) < 0) {
		free(part);
		return NULL;
	}
	return part;
}

static void drop_part_if_empty(struct memory *m, struct memory_part *part)
{
	if (part->first)
		return;
	map_remove(&m->parts, &part->key, sizeof part->key);
	free(part);
}

static void link_into(struct memory *m, struct memory_part *part, struct memory_record *entry)
{
	entry->part = part;
	entry->previous = part->last;
	entry->next = NULL;
	*(part->last ? &part->last->next : &part->first) = entry;
	part->last = entry;
	part->packed_len += entry->packed_len;
	m->bytes += entry->packed_len;
	digest_add(&part->digest, &entry->record);
}

static void unlink_from(struct memory *m, struct memory_record *entry)
{
	struct memory_part *part = entry->part;

	*(entry->previous ? &entry->previous->next : &part->first) = entry->next;
	*(entry->next ? &entry->next->previous : &part->last) = entry->previous;
	entry->part = NULL;
	entry->previous = entry->next = NULL;
	part->packed_len -= entry->packed_len;
	m->bytes -= entry->packed_len;
	digest_remove(&part->digest, &entry->record);
	drop_part_if_empty(m, part);
}

int memory_take(struct memory *m, struct memory_record *entry, struct memory_record **ret_old)
{
	struct memory_record *old = map_get(&m->records, entry->map_key, entry->map_key_len);
	struct memory_part *part;

	if (entry->record.deleted) {
		if (old) {
			map_remove(&m->records, old->map_key, old->map_key_len);
			unlink_from(m, old);
		}
		*ret_old = old; /* memory's own reference goes to the caller */
		return 0;
	}
	part = need_part(m, &entry->record);
	if (!part)
		return -ENOMEM;
	if (map_set(&m->records, entry->map_key, entry->map_key_len, entry, NULL) < 0) {
		drop_part_if_empty(m, part);
		return -ENOMEM;
	}
	link_into(m, part, memory_record_ref(entry));
	if (old)
		unlink_from(m, old);
	*ret_old = old;
	return 0;
}

struct memory_record *memory_find(const struct memory *m, uint32_t kind, const void *key, size_t key_len)
{
	uint8_t k[4 + RECORD_KEY_MAX];

	if (key_len > RECORD_KEY_MAX)
		return NULL;
	return map_get(&m->records, k, make_key(k, kind, key, key_len));
}

void memory_each_suspended(const struct memory *m, void (*visit)(void *ctx, const struct network_record *network), void *ctx)
{
	const struct memory_record *entry;
	struct network_record network;

	for (size_t i = 0; (entry = map_next(&m->records, &i));)
		if (entry->record.kind == RECORD_NETWORK && network_decode(&entry->record, &network, NULL) == 0 && network.suspended)
			visit(ctx, &network);
}
