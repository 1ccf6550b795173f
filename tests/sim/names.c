/* names - what the name server of a simulated node answers, against the log: see invariants.h. */
#include "tests/sim/invariants.h"

#include "lib/dns/answer.h"

#include <stdio.h>
#include <string.h>

struct answers {
	uint16_t rcode;
	struct in6_addr list[32];
	size_t n;
};

static size_t add_name(uint8_t *at, const char *name)
{
	size_t n = 0;

	while (*name) {
		size_t len = strcspn(name, ".");

		at[n++] = (uint8_t)len;
		memcpy(at + n, name, len);
		n += len;
		name += len + (name[len] == '.');
	}
	at[n++] = 0;
	return n;
}

static size_t skip_name(const uint8_t *m, size_t at)
{
	while (m[at] && m[at] < 0xc0)
		at += m[at] + 1u;
	return at + (m[at] ? 2 : 1);
}

static void ask(const struct host *h, uint32_t network, uint32_t instance, const char *name, struct answers *ret)
{
	uint8_t query[300] = { 0x12, 0x34, 1, 0, 0, 1 }, reply[DNS_UDP_MAX];
	struct dns_asker asker = { .source = addr_instance(network, h->host, instance), .local = addr_resolver() };
	struct dns_outcome outcome;
	size_t n = 12 + add_name(query + 12, name), at = 12, left;

	memcpy(query + n, "\0\x1c\0\1", 4); /* AAAA, IN */
	dns_views_online();
	n = dns_answer(h->node.views, &asker, query, n + 4, reply, sizeof reply, &outcome);
	dns_views_offline();
	*ret = (struct answers){ .rcode = n ? reply[3] & 15 : DNS_SERVFAIL };
	if (n < 12)
		return;
	at = skip_name(reply, at) + 4;
	left = get_u16(reply + 6);
	for (; left && ret->n < ARRAY_LEN(ret->list); left--) {
		at = skip_name(reply, at);
		if (get_u16(reply + at) == DNS_TYPE_AAAA)
			memcpy(&ret->list[ret->n++], reply + at + 10, 16);
		at += 10u + get_u16(reply + at + 8);
	}
}

/* Every address that an app's name gives is one of the app's instances, in this network. */
static void check_addresses(const struct host *h, const struct archive *a, const struct row *app, const struct answers *got)
{
	for (size_t i = 0; i < got->n; i++) {
		bool known = false;

		for (uint64_t v = 1; v <= a->n && !known; v++) {
			const struct row *row = archive_row(a, v);
			struct in6_addr address;

			if (row->record->kind != RECORD_INSTANCE || row->record->deleted || memcmp(row->app, app->record->key, 8) ||
			    (row->after && row->after->record->v <= h->node.replica.v && !row_is_current(row, h->node.replica.v)))
				continue;
			address = addr_instance(row->record->network, row->word, row->instance);
			known = !memcmp(&address, &got->list[i], 16);
		}
		if (!known)
			world_fail(h->machine.world, "names", "%s answers %s of network %08x with an address that is none of its instances",
				   h->machine.name, app->name, app->record->network);
	}
}

static void check_app(const struct host *h, const struct archive *a, const struct row *app)
{
	struct answers got;
	char name[100];

	snprintf(name, sizeof name, "%s.internal", app->name);
	ask(h, app->record->network, 0x20000, name, &got);
	if (got.rcode == DNS_NXDOMAIN)
		world_fail(h->machine.world, "names", "%s says NXDOMAIN for %s of network %08x at V %llu", h->machine.name, name,
			   app->record->network, (unsigned long long)h->node.replica.v);
	if (got.rcode != DNS_NOERROR)
		world_fail(h->machine.world, "names", "%s answers %s of network %08x with rcode %u", h->machine.name, name,
			   app->record->network, got.rcode);
	check_addresses(h, a, app, &got);
}

/* An instance of another host that is started must answer; one that is not must not. */
static void check_instance(const struct host *h, const struct archive *a, const struct row *row)
{
	const struct row *app = archive_find(a, h->node.replica.v, RECORD_APP, row->app, 8);
	bool answers = row->desired == DESIRED_STARTED && row->observed == STATE_STARTED && !row->skip;
	struct in6_addr address = addr_instance(row->record->network, row->word, row->instance);
	uint8_t key[4];
	struct answers got;
	char name[160];

	put_u32(key, row->places[0]);
	if (!app || row->places[0] == h->host || !archive_find(a, h->node.replica.v, RECORD_NODE, key, 4))
		return;
	snprintf(name, sizeof name, "%.14s.vm.%s.internal", (const char *)row->record->key, app->name);
	ask(h, row->record->network, 0x20000, name, &got);
	if (answers && (got.rcode != DNS_NOERROR || got.n != 1 || memcmp(&got.list[0], &address, 16)))
		world_fail(h->machine.world, "names", "%s does not answer %s, which is started at V %llu (rcode %u, %zu answers)", h->machine.name,
			   name, (unsigned long long)h->node.replica.v, got.rcode, got.n);
	if (!answers && got.n)
		world_fail(h->machine.world, "names", "%s answers %s, which is %s at V %llu", h->machine.name, name,
			   instance_state_name(row->observed), (unsigned long long)h->node.replica.v);
}

/* A peer answers to its label unless it is suspended; interactive ones have no name. */
static void check_peer(const struct host *h, const struct row *row)
{
	bool answers = !row->suspended && strncmp(row->name, "interactive-", 12) != 0;
	struct answers got;
	char name[100];

	snprintf(name, sizeof name, "%s._peer.internal", row->name);
	ask(h, row->record->network, 0x20000, name, &got);
	if (answers && (got.rcode != DNS_NOERROR || got.n != 1 || memcmp(&got.list[0], &row->address, 16)))
		world_fail(h->machine.world, "names", "%s does not answer %s at V %llu (rcode %u, %zu answers)", h->machine.name, name,
			   (unsigned long long)h->node.replica.v, got.rcode, got.n);
	if (!answers && got.n)
		world_fail(h->machine.world, "names", "%s answers %s at V %llu, which it should not", h->machine.name, name,
			   (unsigned long long)h->node.replica.v);
}

void check_names(struct host *h)
{
	struct world *w = h->machine.world;
	const struct replica *r = &h->node.replica;
	const struct archive *a = r->has_log_id ? archive_of(w->archives, r->epoch, r->log_id) : NULL;
	struct stays stays;

	if (!a || w->forked || h->corrupted || !dns_views_synced(h->node.views) || disk_is_dead(h->machine.disk))
		return;
	archive_stays(a, h->host, r->v, a->n, &stays);
	w->counts.dns++;
	for (uint64_t v = 1; v <= r->v && v <= a->n; v++) {
		const struct row *row = archive_row(a, v);
		const struct stay *s = stays_find(&stays, row->record->network);

		if (!row_is_current(row, r->v) || !s || !s->always || (row->after && row->after->record->v <= a->n))
			continue;
		if (row->record->kind == RECORD_APP)
			check_app(h, a, row);
		else if (row->record->kind == RECORD_INSTANCE)
			check_instance(h, a, row);
		else if (row->record->kind == RECORD_PEER)
			check_peer(h, row);
	}
}
