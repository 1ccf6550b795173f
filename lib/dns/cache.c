/* cache - see cache.h. (network, name) -> a list of entries, one per kind of question; each network has a list of its entries in
 * the order of their last use. */
#include "lib/dns/cache.h"

#include "lib/base/map.h"

#include <stdlib.h>
#include <string.h>

struct names_of; /* a network */

struct entry {
	struct entry *next;             /* of the same name */
	struct entry *newer, *older;    /* of the same network, by last use */
	struct cached_name *name;
	uint16_t type, class;
	bool dnssec_ok, checking_disabled;
	uint64_t came_ms, expires_ms, rests_until_ms;
	struct dns_stored *stored; /* NULL: only a failure is known */
	size_t bytes;
};

struct cached_name {
	struct names_of *network;
	struct entry *entries;
	size_t key_len;
	uint8_t key[4 + DNS_NAME_MAX]; /* cut to key_len */
};

struct names_of {
	uint32_t network;
	size_t bytes;
	struct entry *newest, *oldest;
};

struct dns_cache {
	struct map names, networks;
	size_t limit, bytes, n;
	uint64_t evicted;
};

int dns_cache_new(size_t limit_bytes, struct dns_cache **ret_cache)
{
	struct dns_cache *c = calloc(1, sizeof *c);

	if (!c)
		return -ENOMEM;
	c->limit = limit_bytes;
	*ret_cache = c;
	return 0;
}

/* ---- order of use ---- */

static void unlink_use(struct entry *e)
{
	struct names_of *n = e->name->network;

	*(e->newer ? &e->newer->older : &n->newest) = e->older;
	*(e->older ? &e->older->newer : &n->oldest) = e->newer;
	e->newer = e->older = NULL;
}

static void link_newest(struct entry *e)
{
	struct names_of *n = e->name->network;

	e->older = n->newest;
	*(n->newest ? &n->newest->newer : &n->oldest) = e;
	n->newest = e;
}

/* ---- removal: an entry, with it its name if that was the last, with it the network ---- */

static size_t name_bytes(const struct cached_name *name)
{
	return offsetof(struct cached_name, key) + name->key_len + 2 * sizeof(struct map_slot);
}

static void account(struct dns_cache *c, struct names_of *n, size_t plus, size_t minus)
{
	n->bytes += plus - minus;
	c->bytes += plus - minus;
}

static void drop_network_if_empty(struct dns_cache *c, struct names_of *n)
{
	if (n->newest)
		return;
	map_remove(&c->networks, &n->network, sizeof n->network);
	free(n);
}

static void drop_name_if_empty(struct dns_cache *c, struct cached_name *name)
{
	if (name->entries)
		return;
	account(c, name->network, 0, name_bytes(name));
	map_remove(&c->names, name->key, name->key_len);
	free(name);
}

static void remove_entry(struct dns_cache *c, struct entry *e)
{
	struct cached_name *name = e->name;
	struct names_of *n = name->network;
	struct entry **at = &name->entries;

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	unlink_use(e);
	account(c, n, 0, e->bytes);
	c->n--;
	free(e->stored);
	free(e);
	drop_name_if_empty(c, name);
	drop_network_if_empty(c, n);
}

void dns_cache_clear(struct dns_cache *c)
{
	struct names_of *n;

	for (size_t i = 0; (n = map_next(&c->networks, &i));) {
		size_t left = c->networks.n;

		while (c->networks.n == left) /* the network goes with its last entry */
			remove_entry(c, n->oldest);
	}
}

struct dns_cache *dns_cache_free(struct dns_cache *c)
{
	if (!c)
		return NULL;
	dns_cache_clear(c);
	map_deinit(&c->names);
	map_deinit(&c->networks);
	free(c);
	return NULL;
}

/* ---- finding ---- */

static size_t make_key(const struct dns_cache_key *key, uint8_t out[4 + DNS_NAME_MAX])
{
	put_u32(out, key->network);
	memcpy(out + 4, key->name, key->name_len);
	return 4 + key->name_len;
}

static struct entry *find_entry(const struct dns_cache *c, const struct dns_cache_key *key)
{
	uint8_t bytes[4 + DNS_NAME_MAX];
	const struct cached_name *name = map_get(&c->names, bytes, make_key(key, bytes));

	for (struct entry *e = name ? name->entries : NULL; e; e = e->next)
		if (e->type == key->type && e->class == key->class && e->dnssec_ok == key->dnssec_ok &&
		    e->checking_disabled == key->checking_disabled)
			return e;
	return NULL;
}

/* How long an entry may be of use. */
static bool is_over(const struct entry *e, uint64_t now_ms)
{
	uint64_t end = e->expires_ms;

	if (e->stored && e->stored->positive)
		end += DNS_CACHE_STALE_MS;
	return now_ms >= end && now_ms >= e->rests_until_ms;
}

struct dns_cache_found dns_cache_find(struct dns_cache *c, const struct dns_cache_key *key, uint64_t now_ms)
{
	struct dns_cache_found found = { .kind = DNS_CACHED_NOT };
	struct entry *e = find_entry(c, key);

	if (!e)
		return found;
	if (is_over(e, now_ms)) {
		remove_entry(c, e);
		return found;
	}
	unlink_use(e);
	link_newest(e);
	found.age_s = (uint32_t)((now_ms - e->came_ms) / 1000);
	if (e->stored && now_ms < e->expires_ms) {
		found.kind = DNS_CACHED_FRESH;
		found.stored = e->stored;
		return found;
	}
	if (e->stored && e->stored->positive)
		found.stored = e->stored;
	found.kind = now_ms < e->rests_until_ms ? DNS_CACHED_RESTING : DNS_CACHED_STALE;
	return found;
}

/* ---- putting ---- */

static struct names_of *need_network(struct dns_cache *c, uint32_t network)
{
	struct names_of *n = map_get(&c->networks, &network, sizeof network);

	if (n)
		return n;
	n = calloc(1, sizeof *n);
	if (!n)
		return NULL;
	n->network = network;
	if (map_set(&c->networks, &n->network, sizeof n->network, n, NULL) == 0)
		return n;
	free(n);
	return NULL;
}

static struct cached_name *need_name(struct dns_cache *c, struct names_of *n, const struct dns_cache_key *key)
{
	uint8_t bytes[4 + DNS_NAME_MAX];
	size_t len = make_key(key, bytes);
	struct cached_name *name = map_get(&c->names, bytes, len);

	if (name)
		return name;
	name = malloc(offsetof(struct cached_name, key) + len);
	if (!name)
		return NULL;
	name->network = n;
	name->entries = NULL;
	name->key_len = len;
	memcpy(name->key, bytes, len);
	if (map_set(&c->names, name->key, len, name, NULL) < 0) {
		free(name);
		return NULL;
	}
	account(c, n, name_bytes(name), 0);
	return name;
}

/* NULL: no memory, nothing is left of it. */
static struct entry *need_entry(struct dns_cache *c, const struct dns_cache_key *key)
{
	struct entry *e = find_entry(c, key);
	struct names_of *n;
	struct cached_name *name;

	if (e)
		return e;
	n = need_network(c, key->network);
	if (!n)
		return NULL;
	name = need_name(c, n, key);
	e = name ? calloc(1, sizeof *e) : NULL;
	if (!e) {
		if (name)
			drop_name_if_empty(c, name);
		drop_network_if_empty(c, n);
		return NULL;
	}
	e->name = name;
	e->type = key->type;
	e->class = key->class;
	e->dnssec_ok = key->dnssec_ok;
	e->checking_disabled = key->checking_disabled;
	e->bytes = sizeof *e;
	e->next = name->entries;
	name->entries = e;
	link_newest(e);
	account(c, n, e->bytes, 0);
	c->n++;
	return e;
}

static void keep_to_limit(struct dns_cache *c)
{
	while (c->bytes > c->limit && c->n) {
		struct names_of *n, *most = NULL;

		for (size_t i = 0; (n = map_next(&c->networks, &i));)
			if (!most || n->bytes > most->bytes)
				most = n;
		remove_entry(c, most->oldest);
		c->evicted++;
	}
}

/* The name exists: what said that it does not is wrong now. */
static void end_nxdomain(struct dns_cache *c, const struct dns_cache_key *key)
{
	uint8_t bytes[4 + DNS_NAME_MAX];
	struct cached_name *name = map_get(&c->names, bytes, make_key(key, bytes));

	for (struct entry *e = name ? name->entries : NULL, *next; e; e = next) {
		next = e->next;
		if (e->stored && e->stored->rcode == DNS_NXDOMAIN)
			remove_entry(c, e);
	}
}

void dns_cache_put(struct dns_cache *c, const struct dns_cache_key *key, struct dns_stored *stored, uint64_t now_ms)
{
	struct entry *e = find_entry(c, key);
	size_t bytes = dns_stored_bytes(stored);

	if (e)
		remove_entry(c, e);
	if (stored->rcode != DNS_NXDOMAIN)
		end_nxdomain(c, key);
	e = stored->lifetime && bytes <= DNS_CACHE_ENTRY_MAX ? need_entry(c, key) : NULL;
	if (!e) {
		free(stored);
		return;
	}
	e->stored = stored;
	e->came_ms = now_ms;
	e->expires_ms = now_ms + stored->lifetime * 1000ull;
	e->bytes += bytes;
	account(c, e->name->network, bytes, 0);
	keep_to_limit(c);
}

void dns_cache_put_failure(struct dns_cache *c, const struct dns_cache_key *key, uint64_t now_ms)
{
	struct entry *e = need_entry(c, key);

	if (!e)
		return;
	if (!e->stored)
		e->came_ms = now_ms;
	e->rests_until_ms = now_ms + DNS_CACHE_FAILURE_MS;
	keep_to_limit(c);
}

size_t dns_cache_count(const struct dns_cache *c)
{
	return c->n;
}

size_t dns_cache_bytes(const struct dns_cache *c)
{
	return c->bytes;
}

uint64_t dns_cache_evicted(const struct dns_cache *c)
{
	return c->evicted;
}
