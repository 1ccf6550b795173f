/* role_peers - see role_peers.h. */
#include "node/role_peers.h"

#include "lib/base/crypto.h"

#include <stdlib.h>
#include <string.h>

struct gather {
	const struct replica *replica;
	uint32_t self;
	uint64_t now_ms, due_ms;
	size_t n_over;
	struct role_peer *items;
	size_t n, cap;
	struct node_errors *errors;
};

static void join_network(const struct replica *replica, struct role_peer *out)
{
	const struct record *record;
	struct network_record network;
	uint8_t key[4];

	put_u32(key, out->record.network);
	record = replica_find(replica, RECORD_NETWORK, key, sizeof key);
	out->suspended = true; /* of an unknown network nothing passes */
	if (!record || network_decode(record, &network, NULL) != 0)
		return;
	memcpy(out->org, network.org, sizeof out->org);
	memcpy(out->network, network.name, sizeof out->network);
	out->suspended = network.suspended || out->record.suspended;
}

static const struct record *find_key(const struct gather *g, const uint8_t peer[8])
{
	uint8_t key[RECORD_PEER_KEY_KEY_LEN];

	peer_key_record_key(peer, g->self, key);
	return replica_find(g->replica, RECORD_PEER_KEY, key, sizeof key);
}

static void join_key(struct gather *g, struct role_peer *out)
{
	const struct record *record = find_key(g, out->record.id);
	struct why why = { 0 };

	if (!record)
		return;
	out->key_v = record->v;
	out->has_key = peer_key_decode(record, &out->key, &why) == 0;
	if (!out->has_key)
		node_errors_add(g->errors, record->kind, record->key, record->key_len, record->v, why.text);
}

/* The controller takes it back when its time is up; we are for the case that it cannot, or cannot tell us. */
static void judge_time(struct gather *g, const struct record *record, struct role_peer *out)
{
	uint64_t until = out->record.expires_at_ms;

	if (!until)
		return;
	if (g->now_ms < until) {
		g->due_ms = until < g->due_ms ? until : g->due_ms;
		return;
	}
	out->suspended = true;
	g->n_over++;
	node_errors_add(g->errors, record->kind, record->key, record->key_len, record->v,
			"it has expired by the clock of this machine, and the controller is silent: it is not let in");
}

static void free_items(struct role_peer *items, size_t cap)
{
	if (items)
		crypto_wipe(items, cap * sizeof *items); /* preshared keys */
	free(items);
}

/* realloc would leave keys behind. */
static int make_room(struct gather *g)
{
	size_t cap = g->cap ? 2 * g->cap : 64;
	struct role_peer *bigger;

	if (g->n < g->cap)
		return 0;
	bigger = calloc(cap, sizeof *bigger);
	if (!bigger)
		return -ENOMEM;
	if (g->n)
		memcpy(bigger, g->items, g->n * sizeof *bigger);
	free_items(g->items, g->cap);
	g->items = bigger;
	g->cap = cap;
	return 0;
}

static int add_peer(void *ctx, const struct record *record)
{
	struct gather *g = ctx;
	struct role_peer *out;
	struct why why = { 0 };

	if (make_room(g) < 0)
		return -ENOMEM;
	out = &g->items[g->n];
	memset(out, 0, sizeof *out);
	if (peer_decode(record, &out->record, &why) != 0) {
		node_errors_add(g->errors, record->kind, record->key, record->key_len, record->v, why.text);
		return 0;
	}
	if (out->record.gateway != g->self && !find_key(g, out->record.id))
		return 0;
	out->v = record->v;
	join_network(g->replica, out);
	join_key(g, out);
	judge_time(g, record, out);
	g->n++;
	return 0;
}

static int by_id(const void *a, const void *b)
{
	const struct role_peer *x = a, *y = b;

	return memcmp(x->record.id, y->record.id, sizeof x->record.id);
}

static int by_word(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static size_t list_networks(const struct role_peer *items, size_t n, uint32_t *ret_networks)
{
	size_t listed = 0, kept = 0;

	for (size_t i = 0; i < n; i++)
		if (!items[i].suspended)
			ret_networks[listed++] = items[i].record.network;
	if (listed)
		qsort(ret_networks, listed, sizeof *ret_networks, by_word);
	for (size_t i = 0; i < listed; i++)
		if (!kept || ret_networks[kept - 1] != ret_networks[i])
			ret_networks[kept++] = ret_networks[i];
	return kept;
}

static int read_again(struct role_peers *peers, const struct replica *replica, uint32_t self, uint64_t now_ms)
{
	struct node_errors errors = { 0 };
	struct gather g = { .replica = replica, .self = self, .now_ms = now_ms, .due_ms = UINT64_MAX, .errors = &errors };
	uint32_t *networks = NULL;
	int e = replica_each(replica, RECORD_PEER, add_peer, &g);

	if (e == 0)
		networks = calloc(g.n + 1, sizeof *networks);
	if (!networks) {
		free_items(g.items, g.cap);
		node_errors_deinit(&errors);
		return -ENOMEM;
	}
	if (g.n)
		qsort(g.items, g.n, sizeof *g.items, by_id);
	free_items(peers->items, peers->n);
	free(peers->networks);
	node_errors_deinit(&peers->errors);
	*peers = (struct role_peers){ .items = g.items, .n = g.n, .networks = networks, .errors = errors, .due_ms = g.due_ms,
				       .n_over = g.n_over, .stamp = peers->stamp + 1 };
	peers->n_networks = list_networks(g.items, g.n, networks);
	return 0;
}

void role_peers_changed(struct role_peers *peers, const struct replica_change *change)
{
	peers->stale = peers->stale || change->all || change->peers;
}

int role_peers_get(struct role_peers *peers, const struct replica *replica, uint32_t self, uint64_t now_ms, struct role_desired *desired)
{
	int e = peers->stale || !peers->stamp ? read_again(peers, replica, self, now_ms) : 0;

	desired->peers = peers->items;
	desired->n_peers = peers->n;
	desired->networks = peers->networks;
	desired->n_networks = peers->n_networks;
	desired->peers_stamp = peers->stamp;
	return e;
}

void role_peers_deinit(struct role_peers *peers)
{
	free_items(peers->items, peers->n);
	free(peers->networks);
	node_errors_deinit(&peers->errors);
	*peers = (struct role_peers){ .stamp = peers->stamp };
}
