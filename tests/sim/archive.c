/* archive - see archive.h. */
#include "tests/sim/archive.h"

#include "proto/sixpn.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct archive *archive_of(const struct archive *list, uint64_t epoch, const void *log_id)
{
	while (list && (list->epoch != epoch || memcmp(list->log_id, log_id, 16)))
		list = list->next;
	return list;
}

struct archive *archive_new(const uint8_t log_id[16], uint64_t epoch)
{
	struct archive *a = calloc(1, sizeof *a);

	if (!a)
		abort();
	memcpy(a->log_id, log_id, 16);
	a->epoch = epoch;
	return a;
}

struct archive *archive_free(struct archive *a)
{
	for (uint64_t i = 0; a && i < a->n; i++) {
		free(a->rows[i]->record);
		free(a->rows[i]);
	}
	if (a)
		free(a->rows);
	free(a);
	return NULL;
}

static bool same_key(const struct record *a, const struct record *b)
{
	return a->kind == b->kind && a->key_len == b->key_len && !memcmp(a->key, b->key, a->key_len);
}

static void read_instance(struct row *row)
{
	Sixpn__Instance *m = sixpn__instance__unpack(NULL, row->record->body_len, row->record->body);

	if (!m)
		abort();
	row->places[row->n_places++] = m->host;
	if (m->home_host != m->host)
		row->places[row->n_places++] = m->home_host;
	row->speakers[row->n_speakers++] = m->host;
	row->desired = m->desired;
	row->generation = m->generation;
	row->observed = m->observed ? m->observed->state : 0;
	row->instance = m->instance;
	row->word = m->home_host;
	row->skip = m->dns_skip;
	if (m->app.len == sizeof row->app)
		memcpy(row->app, m->app.data, sizeof row->app);
	sixpn__instance__free_unpacked(m, NULL);
}

static void read_peer(struct row *row, const Sixpn__Peer *m)
{
	uint8_t *at = row->address.s6_addr;

	row->places[row->n_places++] = m->gateway;
	row->suspended = m->suspended;
	row->expires_ms = m->expires_at_ms;
	snprintf(row->name, sizeof row->name, "%.*s", (int)m->label.len, (const char *)m->label.data);
	at[0] = 0xfd;
	at[1] = 0xaa;
	put_u32(at + 2, m->network);
	put_u32(at + 6, m->home_gateway);
	put_u32(at + 10, m->instance);
	at[14] = (uint8_t)m->slot;
	at[15] = 2;
	if (m->suspended)
		return;
	row->speakers[row->n_speakers++] = m->gateway;
}

static void read_key(struct row *row)
{
	Sixpn__PeerKey *m = sixpn__peer_key__unpack(NULL, row->record->body_len, row->record->body);

	if (!m || m->public_key.len != sizeof row->public_key)
		abort();
	memcpy(row->public_key, m->public_key.data, sizeof row->public_key);
	if (m->preshared_key.len == sizeof row->preshared_key)
		memcpy(row->preshared_key, m->preshared_key.data, sizeof row->preshared_key);
	row->places[row->n_places++] = row->record->node;
	sixpn__peer_key__free_unpacked(m, NULL);
}

static void read_body(struct row *row)
{
	const struct record *r = row->record;

	if (r->deleted)
		return;
	if (r->kind == RECORD_INSTANCE) {
		read_instance(row);
	} else if (r->kind == RECORD_PEER) {
		Sixpn__Peer *m = sixpn__peer__unpack(NULL, r->body_len, r->body);

		if (!m)
			abort();
		read_peer(row, m);
		sixpn__peer__free_unpacked(m, NULL);
	} else if (r->kind == RECORD_PEER_KEY) {
		read_key(row);
	} else if (r->kind == RECORD_APP) {
		Sixpn__App *m = sixpn__app__unpack(NULL, r->body_len, r->body);

		if (!m)
			abort();
		snprintf(row->name, sizeof row->name, "%.*s", (int)m->name.len, (const char *)m->name.data);
		sixpn__app__free_unpacked(m, NULL);
	} else if (r->kind == RECORD_NETWORK) {
		Sixpn__Network *m = sixpn__network__unpack(NULL, r->body_len, r->body);

		if (!m)
			abort();
		row->suspended = m->suspended;
		sixpn__network__free_unpacked(m, NULL);
	} else if (r->kind == RECORD_NODE) {
		Sixpn__Node *m = sixpn__node__unpack(NULL, r->body_len, r->body);

		if (!m)
			abort();
		row->word = m->host;
		sixpn__node__free_unpacked(m, NULL);
	}
}

void archive_add(struct archive *a, const struct record *record)
{
	struct row *row = calloc(1, sizeof *row);

	if (!row || record->v != a->n + 1)
		abort();
	row->record = record_copy(record);
	read_body(row);
	for (uint64_t i = a->n; i-- > 0;)
		if (same_key(a->rows[i]->record, record)) {
			row->before = a->rows[i];
			a->rows[i]->after = row;
			break;
		}
	if (a->n == a->cap) {
		a->cap = a->cap ? 2 * a->cap : 64;
		a->rows = realloc(a->rows, a->cap * sizeof(struct row *));
		if (!a->rows)
			abort();
	}
	a->rows[a->n++] = row;
}

bool archive_same_row(const struct archive *a, const struct archive *b, uint64_t v)
{
	const struct row *x = archive_row(a, v), *y = archive_row(b, v);

	return x && y && same_key(x->record, y->record) && x->record->deleted == y->record->deleted &&
	       x->record->body_len == y->record->body_len && !memcmp(x->record->body, y->record->body, x->record->body_len);
}

const struct row *archive_find(const struct archive *a, uint64_t v, uint32_t kind, const void *key, size_t key_len)
{
	for (uint64_t i = v < a->n ? v : a->n; i-- > 0;) {
		const struct record *r = a->rows[i]->record;

		if (r->kind == kind && r->key_len == key_len && !memcmp(r->key, key, key_len))
			return r->deleted ? NULL : a->rows[i];
	}
	return NULL;
}

static struct stay *stay_of(struct stays *s, uint32_t network)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->list[i].network == network)
			return &s->list[i];
	if (s->n == ARRAY_LEN(s->list))
		abort();
	s->list[s->n] = (struct stay){ .network = network };
	return &s->list[s->n++];
}

const struct stay *stays_find(const struct stays *s, uint32_t network)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->list[i].network == network)
			return &s->list[i];
	return NULL;
}

static void count(struct stays *s, const struct row *row, uint32_t host, bool speaks, int by)
{
	const uint32_t *list = !row ? NULL : speaks ? row->speakers : row->places;

	for (unsigned i = 0; row && i < (speaks ? row->n_speakers : row->n_places); i++)
		if (list[i] == host)
			stay_of(s, row->record->network)->count += by;
}

static void find_stays(const struct archive *a, uint32_t host, bool speaks, uint64_t v, uint64_t until, struct stays *ret)
{
	ret->n = 0;
	for (uint64_t i = 0; i < a->n && i < until; i++) {
		const struct row *row = a->rows[i];
		bool past = i + 1 > v;

		if (i == v)
			for (size_t k = 0; k < ret->n; k++)
				ret->list[k].at_v = ret->list[k].ever = ret->list[k].always = ret->list[k].count > 0;
		count(ret, row, host, speaks, 1);
		count(ret, row->before, host, speaks, -1);
		for (size_t k = 0; past && k < ret->n; k++) {
			ret->list[k].ever |= ret->list[k].count > 0;
			ret->list[k].always &= ret->list[k].count > 0;
		}
	}
	if (until <= v)
		for (size_t k = 0; k < ret->n; k++)
			ret->list[k].at_v = ret->list[k].ever = ret->list[k].always = ret->list[k].count > 0;
}

void archive_stays(const struct archive *a, uint32_t host, uint64_t v, uint64_t until, struct stays *ret)
{
	find_stays(a, host, false, v, until, ret);
}

void archive_speaks(const struct archive *a, uint32_t host, uint64_t v, uint64_t until, struct stays *ret)
{
	find_stays(a, host, true, v, until, ret);
}
