/* scope - see scope.h. */
#include "controller/nodes/scope.h"

#include <stdlib.h>
#include <string.h>

struct places { /* where a record makes its network present */
	uint32_t hosts[2];
	size_t n;
};

static void find_places(const struct record *r, struct places *ret)
{
	struct instance_record instance;
	struct peer_record peer;

	ret->n = 0;
	if (!r || r->deleted)
		return;
	if (r->kind == RECORD_INSTANCE && instance_decode(r, &instance, NULL) == 0) {
		ret->hosts[ret->n++] = instance.host;
		if (instance.home_host != instance.host)
			ret->hosts[ret->n++] = instance.home_host;
	} else if (r->kind == RECORD_PEER && peer_decode(r, &peer, NULL) == 0) {
		ret->hosts[ret->n++] = peer.gateway;
	} else if (r->kind == RECORD_PEER_KEY) {
		ret->hosts[ret->n++] = r->node; /* also of the gateway that a peer is on its way to */
	}
}

static void scope_free(struct scope *scope)
{
	struct scope_entry *e;

	for (size_t i = 0; (e = map_next(&scope->entries, &i));)
		free(e);
	map_deinit(&scope->entries);
	free(scope);
}

void scopes_deinit(struct scopes *s)
{
	struct scope_audience *audience;
	struct scope *scope;

	for (size_t i = 0; (scope = map_next(&s->nodes, &i));)
		scope_free(scope);
	for (size_t i = 0; (audience = map_next(&s->networks, &i));) {
		free(audience->hosts);
		free(audience);
	}
	map_deinit(&s->nodes);
	map_deinit(&s->networks);
}

static struct scope *need_scope(struct scopes *s, uint32_t host)
{
	struct scope *scope = map_get(&s->nodes, &host, sizeof host);

	if (scope)
		return scope;
	scope = calloc(1, sizeof *scope);
	if (!scope)
		return NULL;
	scope->host = host;
	if (map_set(&s->nodes, &scope->host, sizeof scope->host, scope, NULL) < 0) {
		free(scope);
		return NULL;
	}
	return scope;
}

static struct scope_entry *need_entry(struct scope *scope, uint32_t network)
{
	struct scope_entry *e = map_get(&scope->entries, &network, sizeof network);

	if (e)
		return e;
	e = calloc(1, sizeof *e);
	if (!e)
		return NULL;
	e->network = network;
	if (map_set(&scope->entries, &e->network, sizeof e->network, e, NULL) < 0) {
		free(e);
		return NULL;
	}
	return e;
}

static void forget_old(struct scope *scope, uint64_t floor)
{
	struct scope_entry *e;

	for (size_t i = 0; (e = map_next(&scope->entries, &i));)
		if (!e->count && e->left_v <= floor) {
			map_remove(&scope->entries, &e->network, sizeof e->network);
			free(e);
		}
}

static int audience_add(struct scopes *s, uint32_t network, uint32_t host)
{
	struct scope_audience *a = map_get(&s->networks, &network, sizeof network);

	if (!a) {
		a = calloc(1, sizeof *a);
		if (!a)
			return -ENOMEM;
		a->network = network;
		if (map_set(&s->networks, &a->network, sizeof a->network, a, NULL) < 0) {
			free(a);
			return -ENOMEM;
		}
	}
	if (a->n == a->cap) {
		size_t cap = a->cap ? 2 * a->cap : 4;
		uint32_t *hosts = realloc(a->hosts, cap * sizeof *hosts);

		if (!hosts)
			return -ENOMEM;
		a->hosts = hosts;
		a->cap = cap;
	}
	a->hosts[a->n++] = host;
	return 0;
}

static void audience_remove(struct scopes *s, uint32_t network, uint32_t host)
{
	struct scope_audience *a = map_get(&s->networks, &network, sizeof network);

	for (size_t i = 0; a && i < a->n; i++)
		if (a->hosts[i] == host) {
			a->hosts[i] = a->hosts[--a->n];
			break;
		}
	if (a && !a->n) {
		map_remove(&s->networks, &a->network, sizeof a->network);
		free(a->hosts);
		free(a);
	}
}

static int enter(struct scopes *s, uint32_t host, uint32_t network, uint64_t v, bool loading, struct scope_change *change)
{
	struct scope *scope = need_scope(s, host);
	struct scope_entry *e = scope ? need_entry(scope, network) : NULL;
	int r;

	if (!e)
		return -ENOMEM;
	if (e->count == 0) {
		r = audience_add(s, network, host);
		if (r < 0)
			return r;
		e->entered_v = v;
		e->guessed = loading;
		if (loading)
			e->left_v = v; /* who knows what was there before: a cursor below v drops it first */
		if (v > scope->version)
			scope->version = v;
		change->hosts[change->n++] = host;
	}
	e->count++;
	return 0;
}

static void leave(struct scopes *s, uint32_t host, uint32_t network, uint64_t v, uint64_t floor, struct scope_change *change)
{
	struct scope *scope = map_get(&s->nodes, &host, sizeof host);
	struct scope_entry *e = scope ? map_get(&scope->entries, &network, sizeof network) : NULL;

	if (!e || !e->count || --e->count)
		return;
	e->left_v = v;
	scope->version = v;
	audience_remove(s, network, host);
	change->hosts[change->n++] = host;
	forget_old(scope, floor);
}

int scopes_note(struct scopes *s, const struct record *before, const struct record *after, uint64_t v, uint64_t floor, bool loading,
		struct scope_change *ret_change)
{
	struct places was, is;
	int r;

	ret_change->n = 0;
	find_places(before, &was);
	find_places(after, &is);
	/* first what is new: an update in place must not look like leaving and coming back */
	for (size_t i = 0; i < is.n; i++) {
		r = enter(s, is.hosts[i], after->network, v, loading, ret_change);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < was.n; i++)
		leave(s, was.hosts[i], before->network, v, floor, ret_change);
	return 0;
}

static int note_left(struct scopes *s, uint32_t host, uint32_t network, uint64_t v)
{
	struct scope *scope = need_scope(s, host);
	struct scope_entry *e = scope ? need_entry(scope, network) : NULL;

	if (!e)
		return -ENOMEM;
	if (!e->count) {
		e->left_v = v;
		if (v > scope->version)
			scope->version = v;
	}
	return 0;
}

int scopes_note_past(struct scopes *s, const struct record *row, uint64_t v)
{
	struct places was;
	int r = 0;

	find_places(row, &was);
	for (size_t i = 0; i < was.n && r == 0; i++)
		r = note_left(s, was.hosts[i], row->network, v);
	if (r == 0 && row->node && row->network) /* also a tombstone: it names its node */
		r = note_left(s, row->node, row->network, v);
	return r;
}

const struct scope *scopes_of(const struct scopes *s, uint32_t host)
{
	return map_get(&s->nodes, &host, sizeof host);
}

const struct scope_audience *scopes_audience(const struct scopes *s, uint32_t network)
{
	return map_get(&s->networks, &network, sizeof network);
}

const struct scope_entry *scope_find(const struct scope *scope, uint32_t network)
{
	return scope ? map_get(&scope->entries, &network, sizeof network) : NULL;
}

bool scope_touched_by(const struct scope *scope, uint32_t host, const struct record *record)
{
	const struct scope_entry *e;

	if (record->node)
		return record->node == host;
	if (!record->network)
		return true;
	e = scope_find(scope, record->network);
	return e && (e->count || e->left_v >= record->v);
}
