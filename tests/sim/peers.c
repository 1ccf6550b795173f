/* peers - see peers.h. */
#include "tests/sim/peers.h"

#include "controller/store/store_internal.h"

#include <stdio.h>
#include <string.h>

static const struct row *find_key(const struct archive *a, uint64_t v, const uint8_t peer[8], uint32_t gateway)
{
	uint8_t key[12];

	memcpy(key, peer, 8);
	put_u32(key + 8, gateway);
	return archive_find(a, v, RECORD_PEER_KEY, key, sizeof key);
}

static const struct row *find_network(const struct archive *a, uint64_t v, uint32_t network)
{
	uint8_t key[4];

	put_u32(key, network);
	return archive_find(a, v, RECORD_NETWORK, key, 4);
}

bool peers_was_given(const struct archive *a, uint32_t gateway, const uint8_t peer[8], const uint8_t public_key[32])
{
	for (uint64_t v = 1; v <= a->n; v++) {
		const struct row *row = archive_row(a, v);

		if (row->record->kind == RECORD_PEER_KEY && !row->record->deleted && row->record->node == gateway &&
		    !memcmp(row->record->key, peer, 8) && !memcmp(row->public_key, public_key, 32))
			return true;
	}
	return false;
}

bool peers_is_wanted(const struct archive *a, uint32_t gateway, uint64_t v, const struct tunnel *t)
{
	const struct row *peer = archive_find(a, v, RECORD_PEER, t->peer, 8), *key = find_key(a, v, t->peer, gateway);
	const struct row *network = find_network(a, v, t->network);
	struct stays stays;
	const struct stay *stay;

	archive_stays(a, gateway, v, a->n, &stays);
	stay = stays_find(&stays, t->network);
	return peer && key && network && !peer->after && !key->after && !network->after && !peer->suspended && !network->suspended && stay &&
	       stay->always && !memcmp(key->public_key, t->public_key, 32);
}

static const struct tunnel *tunnel_of(const struct host *h, const uint8_t peer[8])
{
	for (size_t i = 0; i < h->kernel.tunnels.n; i++)
		if (!memcmp(h->kernel.tunnels.list[i].peer, peer, 8))
			return &h->kernel.tunnels.list[i];
	return NULL;
}

bool peers_at_rest(struct host *h, const struct archive *a, char ret_why[300])
{
	size_t n = 0;

	for (uint64_t v = 1; v <= a->n && h->roles & ROLE_GATEWAY; v++) {
		const struct row *peer = archive_row(a, v), *key, *network;
		const struct tunnel *t;

		if (peer->record->kind != RECORD_PEER || !row_is_current(peer, a->n))
			continue;
		key = find_key(a, a->n, peer->record->key, h->host);
		network = find_network(a, a->n, peer->record->network);
		if (!key || peer->suspended || !network || network->suspended)
			continue;
		n++;
		t = tunnel_of(h, peer->record->key);
		if (t && !memcmp(t->public_key, key->public_key, 32) && t->network == peer->record->network &&
		    !memcmp(&t->address, &peer->address, 16))
			continue;
		snprintf(ret_why, 300, "%s has %s tunnel of the peer of V %llu", h->machine.name, t ? "another" : "no",
			 (unsigned long long)peer->record->v);
		return false;
	}
	if (n == h->kernel.tunnels.n)
		return true;
	snprintf(ret_why, 300, "%s has %zu tunnels, the log says %zu", h->machine.name, h->kernel.tunnels.n, n);
	return false;
}

/* ---- tables and log ---- */

struct seen {
	unsigned peers, keys;
};

static void fail(struct ctl *ctl, const char *what, const uint8_t id[8])
{
	world_fail(ctl->machine.world, "I9", "%s at V %llu: peer %02x%02x%02x..: %s", ctl->machine.name, (unsigned long long)ctl->archive->n, id[0],
		   id[1], id[2], what);
}

/* One row of the table: the log has the peer, and its key for those gateways. */
static void check_row(struct ctl *ctl, struct statement *st, struct seen *seen)
{
	const struct archive *a = ctl->archive;
	uint32_t gateways[2] = { (uint32_t)driver_int(st, 1), (uint32_t)driver_int(st, 2) };
	const struct row *peer, *key;
	size_t n;
	const uint8_t *id = driver_blob(st, 0, &n), *public_key = driver_blob(st, 3, &n);

	peer = archive_find(a, a->n, RECORD_PEER, id, 8);
	if (!peer)
		fail(ctl, "the log does not have it", id);
	if (peer->places[0] != gateways[0])
		fail(ctl, "the log has another gateway", id);
	seen->peers++;
	for (unsigned i = 0; i < 2 && gateways[i]; i++) {
		key = find_key(a, a->n, id, gateways[i]);
		if (!key)
			fail(ctl, "its gateway does not get its key", id);
		if (key->record->node != gateways[i])
			fail(ctl, "its key is for others than its gateway", id);
		if (memcmp(key->public_key, public_key, 32))
			fail(ctl, "its gateway gets another key", id);
		seen->keys++;
	}
}

static void count_current(struct ctl *ctl, const struct seen *seen)
{
	const struct archive *a = ctl->archive;
	unsigned peers = 0, keys = 0;

	for (uint64_t v = 1; v <= a->n; v++) {
		const struct row *row = archive_row(a, v);

		peers += row->record->kind == RECORD_PEER && row_is_current(row, a->n);
		keys += row->record->kind == RECORD_PEER_KEY && row_is_current(row, a->n);
	}
	if (peers != seen->peers || keys != seen->keys)
		world_fail(ctl->machine.world, "I9", "%s at V %llu: the log has %u peers and %u keys, the tables %u and %u", ctl->machine.name,
			   (unsigned long long)a->n, peers, keys, seen->peers, seen->keys);
}

/* No V between shows a peer without the key of its gateway. */
static void check_each_v(struct ctl *ctl)
{
	struct archive *a = ctl->archive;

	for (uint64_t v = a->peers_checked + 1; v <= a->n; v++) {
		const struct record *r = archive_row(a, v)->record; /* what changed there: a peer, or somebody's key of it */
		const struct row *peer = r->kind == RECORD_PEER || r->kind == RECORD_PEER_KEY ? archive_find(a, v, RECORD_PEER, r->key, 8) : NULL;

		if (peer && !find_key(a, v, r->key, peer->places[0]))
			fail(ctl, "there is a V at which it has no key", r->key);
	}
}

static bool is_news(const struct archive *a)
{
	for (uint64_t v = a->peers_checked + 1; v <= a->n; v++)
		if (archive_row(a, v)->record->kind == RECORD_PEER || archive_row(a, v)->record->kind == RECORD_PEER_KEY)
			return true;
	return false;
}

void check_peers(struct ctl *ctl)
{
	struct archive *a = ctl->archive;
	struct seen seen = { 0 };
	struct statement *st;
	bool row;

	if (!is_news(a) || !ctl_is_alive(ctl) || a->n != store_head(ctl->store)) {
		a->peers_checked = is_news(a) ? a->peers_checked : a->n;
		return;
	}
	if (driver_prepare(ctl->store->driver, "SELECT p.id, p.gateway, coalesce(p.next_gateway, 0), k.public_key FROM peer p LEFT JOIN peer_key k "
			   "ON k.peer = p.id", &st) != 0)
		return;
	while (driver_step(st, &row) == 0 && row)
		check_row(ctl, st, &seen);
	driver_finish(st);
	count_current(ctl, &seen);
	check_each_v(ctl);
	a->peers_checked = a->n;
	ctl->machine.world->counts.peers += seen.peers;
}
