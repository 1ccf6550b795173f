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

/* The first V that gave that key to that gateway, and does still at V `at` (0 = ever). */
static const struct row *find_given(const struct archive *a, uint64_t at, uint32_t gateway, const uint8_t public_key[32])
{
	for (uint64_t v = 1; v <= a->n; v++) {
		const struct row *row = archive_row(a, v);

		if (row->record->kind == RECORD_PEER_KEY && !row->record->deleted && row->record->node == gateway &&
		    !memcmp(row->public_key, public_key, 32) && (!at || row_is_current(row, at)))
			return row;
	}
	return NULL;
}

bool peers_was_given(const struct archive *a, uint32_t gateway, const uint8_t public_key[32])
{
	return find_given(a, 0, gateway, public_key) != NULL;
}

bool peers_is_wanted(const struct archive *a, uint32_t gateway, uint64_t v, const struct tunnel *t)
{
	const struct row *key = find_given(a, v, gateway, t->public_key), *peer, *network;
	struct stays stays;
	const struct stay *stay;

	peer = key ? archive_find(a, v, RECORD_PEER, key->record->key, 8) : NULL;
	network = peer ? find_network(a, v, peer->record->network) : NULL;
	if (!network || peer->after || key->after || network->after || peer->suspended || network->suspended)
		return false;
	archive_stays(a, gateway, v, a->n, &stays);
	stay = stays_find(&stays, peer->record->network);
	return stay && stay->always;
}

static const struct tunnel *tunnel_of(const struct host *h, const uint8_t public_key[32])
{
	for (size_t i = 0; i < h->kernel.tunnels.n; i++)
		if (!memcmp(h->kernel.tunnels.list[i].public_key, public_key, 32))
			return &h->kernel.tunnels.list[i];
	return NULL;
}

/* The /120 around the address, and the preshared key. */
static bool is_right(const struct tunnel *t, const struct row *peer, const struct row *key)
{
	uint8_t prefix[16];

	memcpy(prefix, &peer->address, sizeof prefix);
	prefix[15] = 0;
	return t->has_prefix && t->prefix.family == AF_INET6 && t->prefix.len == 120 && !memcmp(t->prefix.addr, prefix, 16) &&
	       !memcmp(t->preshared_key, key->preshared_key, 32);
}

static bool has_resolver(const struct tunnels *t, uint32_t network)
{
	uint8_t address[16] = { 0xfd, 0xaa, [15] = 3 };

	put_u32(address + 2, network);
	for (size_t i = 0; i < t->n_ways; i++)
		if (t->ways[i].kind == PLAN_RESOLVER && !memcmp(&t->ways[i].dst, address, sizeof address))
			return true;
	return false;
}

static size_t count_resolvers(const struct tunnels *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n_ways; i++)
		n += t->ways[i].kind == PLAN_RESOLVER;
	return n;
}

bool peers_at_rest(struct host *h, const struct archive *a, char ret_why[300])
{
	const struct tunnels *all = &h->kernel.tunnels;
	uint32_t networks[128];
	size_t n = 0, n_networks = 0;

	for (uint64_t v = 1; v <= a->n && h->roles & ROLE_GATEWAY; v++) {
		const struct row *peer = archive_row(a, v), *key, *network;
		const struct tunnel *t;
		size_t at = 0;

		if (peer->record->kind != RECORD_PEER || !row_is_current(peer, a->n))
			continue;
		key = find_key(a, a->n, peer->record->key, h->host);
		network = find_network(a, a->n, peer->record->network);
		if (!key || peer->suspended || !network || network->suspended)
			continue;
		n++;
		while (at < n_networks && networks[at] != peer->record->network)
			at++;
		if (at == n_networks)
			networks[n_networks++] = peer->record->network;
		t = tunnel_of(h, key->public_key);
		if (t && is_right(t, peer, key) && has_resolver(all, peer->record->network))
			continue;
		snprintf(ret_why, 300, "%s has %s tunnel of the peer of V %llu, or no resolver", h->machine.name, t ? "another" : "no",
			 (unsigned long long)peer->record->v);
		return false;
	}
	if (n == all->n && n_networks == count_resolvers(all))
		return true;
	snprintf(ret_why, 300, "%s has %zu tunnels and %zu resolvers, the log says %zu and %zu", h->machine.name, all->n, count_resolvers(all), n,
		 n_networks);
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
