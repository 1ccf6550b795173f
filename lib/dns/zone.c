/* zone - looking up and answering. A name costs one hash look-up; only `<region>.<app>` without an instance and reverse names
 * need more. See zone.h for the names, zone_build.c for how the tables come about. */
#include "lib/dns/zone_table.h"

#include <stdlib.h>
#include <string.h>

struct tree {
	const char *name;
	const char *apex;
	uint8_t apex_len;
};

#define APEX_INTERNAL "\10internal"
static const struct tree trees[] = {
	[DNS_TREE_INTERNAL] = { "internal", APEX_INTERNAL, 10 },
	[DNS_TREE_FLYCAST] = { "flycast", "\7flycast", 9 },
	[DNS_TREE_REVERSE] = { "reverse", "\1a\1a\1d\1f\3ip6\4arpa", 18 },
	[DNS_TREE_OTHER] = { "other", "", 1 },
};

const char *dns_tree_name(enum dns_tree tree)
{
	return trees[tree].name;
}

enum dns_tree dns_tree_of(const uint8_t *key, size_t key_len)
{
	/* Label by label: the same octets inside a label are not the suffix. */
	for (size_t at = 0; at < key_len && key[at]; at += 1u + key[at])
		for (enum dns_tree t = DNS_TREE_INTERNAL; t < DNS_TREE_OTHER; t++)
			if (key_len - at == trees[t].apex_len && !memcmp(key + at, trees[t].apex, trees[t].apex_len))
				return t;
	return DNS_TREE_OTHER;
}

uint32_t dns_zone_network(const struct dns_zone *z)
{
	return z->network;
}

uint64_t dns_zone_v(const struct dns_zone *z)
{
	return z->v;
}

struct dns_zone *dns_zone_free(struct dns_zone *z)
{
	if (!z)
		return NULL;
	buf_deinit(&z->bytes);
	free(z->nodes);
	free(z->turns);
	free(z->slots);
	free(z->addresses);
	free(z->reverses);
	free(z->regions);
	free(z);
	return NULL;
}

/* FNV-1a, seeded by the network and mixed at the end: linear probing wants its low bits good. */
static uint64_t key_hash(uint32_t seed, const uint8_t *key, size_t key_len)
{
	uint64_t h = 0xcbf29ce484222325u ^ seed;

	for (size_t i = 0; i < key_len; i++)
		h = (h ^ key[i]) * 0x100000001b3u;
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdu;
	return h ^ h >> 33;
}

size_t zone_slot(const struct dns_zone *z, const uint8_t *key, size_t key_len)
{
	size_t at = key_hash(z->network, key, key_len) & (z->n_slots - 1);

	while (z->slots[at]) {
		const struct zone_node *n = &z->nodes[z->slots[at] - 1];

		if (n->name_len == key_len && !memcmp(z->bytes.data + n->name_at, key, key_len))
			break;
		at = (at + 1) & (z->n_slots - 1);
	}
	return at;
}

static const struct zone_node *find_node(const struct dns_zone *z, const uint8_t *key, size_t key_len)
{
	uint32_t index = z->slots[zone_slot(z, key, key_len)];

	return index ? &z->nodes[index - 1] : NULL;
}

static int compare_region(const void *a, const void *b)
{
	return memcmp(a, b, NAME_REGION_SIZE - 1);
}

bool zone_region_known(const struct dns_zone *z, const uint8_t *name3)
{
	return z->n_regions && bsearch(name3, z->regions, z->n_regions, sizeof *z->regions, compare_region);
}

/* `<three letters>.<app>`: a region that the app is not in, or none that we know. */
static bool is_below_app_like_region(const struct dns_zone *z, const uint8_t *key, size_t key_len)
{
	if (key_len < NAME_REGION_SIZE || key[0] != NAME_REGION_SIZE - 1)
		return false;
	const struct zone_node *parent = find_node(z, key + NAME_REGION_SIZE, key_len - NAME_REGION_SIZE);

	return parent && parent->app;
}

#define SOA_NAMES APEX_INTERNAL "\0\12hostmaster" APEX_INTERNAL "\0"
#define SOA_NAMES_LEN (10 + 11 + 10)
#define SOA_LEN (SOA_NAMES_LEN + 20)

static void soa_rdata(const struct dns_zone *z, uint8_t rdata[SOA_LEN])
{
	uint8_t *p = rdata + SOA_NAMES_LEN;

	memcpy(rdata, SOA_NAMES, SOA_NAMES_LEN);
	put_u32(p, (uint32_t)z->v);
	put_u32(p + 4, DNS_TTL);      /* refresh, retry, expire: nobody transfers this zone */
	put_u32(p + 8, DNS_TTL);
	put_u32(p + 12, 86400);
	put_u32(p + 16, DNS_TTL);     /* minimum: how long a negative answer may be kept (RFC 2308) */
}

/* Negative answers always carry the SOA: without it some stubs keep them for minutes, and glibc calls the server lame. */
static void negative(const struct dns_zone *z, enum dns_tree tree, uint16_t rcode, struct dns_reply *r)
{
	uint8_t *p = dns_reply_authority(r, DNS_RECORD_HEAD_LEN + SOA_LEN);

	r->rcode = rcode;
	if (!p)
		return;
	dns_record_head(p, (uint16_t)(DNS_HEADER_LEN + r->query->name_len - trees[tree].apex_len), DNS_TYPE_SOA, SOA_LEN);
	soa_rdata(z, p + DNS_RECORD_HEAD_LEN);
}

static const struct dns_hint hint_ipv6 = { DNS_HINT_OTHER, "6PN is IPv6-only: ask for AAAA" },
			     hint_idle = { DNS_HINT_OTHER, "the name exists, but nothing of it is running now" },
			     hint_reserved = { DNS_HINT_OTHER, "reserved: nothing answers at this address yet" },
			     hint_no_region = { DNS_HINT_OTHER, "there is no such region" };

/* The name is there, what was asked for is not. */
static void no_data(const struct dns_zone *z, enum dns_tree tree, bool instances, struct dns_reply *r)
{
	if (instances && r->query->type == DNS_TYPE_A)
		r->hint = &hint_ipv6;
	else if (instances && r->query->type == DNS_TYPE_AAAA)
		r->hint = &hint_idle;
	negative(z, tree, DNS_NOERROR, r);
}

/* The app below which the name is `prefix`; NULL: it is something else. */
static const struct zone_node *find_app_below(const struct dns_zone *z, const char *prefix, size_t prefix_len, const uint8_t *key,
					      size_t key_len)
{
	const struct zone_node *app;

	if (key_len <= prefix_len || memcmp(key, prefix, prefix_len))
		return NULL;
	app = find_node(z, key + prefix_len, key_len - prefix_len);
	return app && app->app ? app : NULL;
}

#define OF_APP "\2of"
#define NEAREST_OF_APP "\7nearest" OF_APP
#define PROCESS_APP "\7process"
#define BELOW(prefix) prefix, sizeof(prefix) - 1

/* Names that have others below them, but nothing of their own (RFC 8020). */
static bool is_between(const struct dns_zone *z, const uint8_t *key, size_t key_len)
{
	return find_app_below(z, BELOW(OF_APP), key, key_len) || find_app_below(z, BELOW(NEAREST_OF_APP), key, key_len) ||
	       find_app_below(z, BELOW(PROCESS_APP), key, key_len);
}

/* The N of a label `top<N>`, written as one writes numbers; 0 = it is none. */
static unsigned top_of_label(const uint8_t *label)
{
	unsigned n = 0;

	if (label[0] < 4 || label[0] > 6 || memcmp(label + 1, "top", 3) || label[4] == '0')
		return 0;
	for (size_t i = 4; i <= label[0]; i++) {
		if (label[i] < '0' || label[i] > '9')
			return 0;
		n = n * 10 + (label[i] - '0');
	}
	return n;
}

/* A name that no table has. */
static void answer_nameless(const struct dns_zone *z, enum dns_tree tree, struct dns_reply *r)
{
	const uint8_t *key = r->query->key;
	size_t key_len = r->query->name_len;
	bool region_like = tree == DNS_TREE_INTERNAL && is_below_app_like_region(z, key, key_len);

	if (region_like && zone_region_known(z, key + 1)) {
		no_data(z, tree, true, r);
		return;
	}
	if (tree == DNS_TREE_INTERNAL && is_between(z, key, key_len)) {
		no_data(z, tree, false, r);
		return;
	}
	if (region_like)
		r->hint = &hint_no_region;
	negative(z, tree, DNS_NXDOMAIN, r);
}

/* RFC 8482: somebody who asks for everything gets one small record. */
static void put_any(struct dns_reply *r)
{
	dns_reply_record(r, DNS_TYPE_HINFO, DNS_TTL, "\7RFC8482", 9);
}

static void answer_apex(const struct dns_zone *z, enum dns_tree tree, struct dns_reply *r)
{
	uint8_t soa[SOA_LEN];
	struct in6_addr resolver = addr_resolver();
	uint16_t type = r->query->type;

	if (type == DNS_TYPE_SOA) {
		soa_rdata(z, soa);
		dns_reply_record(r, type, DNS_TTL, soa, sizeof soa);
	} else if (type == DNS_TYPE_NS) {
		/* The apex is its own server's name: any other label could be the name of an app. */
		dns_reply_record(r, type, DNS_TTL, APEX_INTERNAL, 10);
	} else if (type == DNS_TYPE_AAAA && tree == DNS_TREE_INTERNAL) {
		dns_reply_record(r, type, DNS_TTL, &resolver, sizeof resolver);
	} else if (type == DNS_TYPE_ANY) {
		put_any(r);
	} else {
		negative(z, tree, DNS_NOERROR, r);
	}
}

static void put_turned(struct dns_reply *r, const struct zone_address *run, size_t run_len, size_t n, uint32_t turn)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t *p = dns_reply_answer(r, ZONE_AAAA_LEN, 1);

		if (p)
			memcpy(p, run[(turn + i) % run_len].record, ZONE_AAAA_LEN);
	}
}

/* Three of the nearest region. The own host's are first in it; one of them is always there, more if there is little else. */
static void put_near(struct dns_reply *r, const struct zone_node *n, const struct zone_address *a, uint32_t turn)
{
	size_t n_others = n->n_near - n->n_own, own = 0;

	if (n->n_own)
		own = n_others >= DNS_SAMPLE_NEAR - 1 ? 1 : DNS_SAMPLE_NEAR - n_others;
	if (own)
		put_turned(r, a, n->n_own, own, turn);
	if (n_others)
		put_turned(r, a + n->n_own, n_others, DNS_SAMPLE_NEAR - own, turn);
}

/* The first so many, at most as many as there are; of equal ones others each time. */
static void put_first(struct dns_reply *r, const struct zone_node *n, const struct zone_address *a, size_t left, uint32_t turn)
{
	for (size_t at = 0; left;) {
		size_t run = n->n_addresses == 1 ? 1 : a[at].run_len, take = run > left ? left : run;

		put_turned(r, a + at, run, take, turn);
		at += run;
		left -= take;
	}
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* A sample is a whole answer by definition, so one that is cut needs no TC: old musl could not ask again by TCP. */
static void put_everywhere(struct dns_reply *r, const struct zone_node *n, const struct zone_address *a, uint32_t turn)
{
	size_t room = dns_reply_left(r) / ZONE_AAAA_LEN;

	put_first(r, n, a, least(room, least(DNS_SAMPLE_ALL, n->n_addresses)), turn);
}

static uint32_t next_turn(const struct dns_zone *z, const struct zone_node *n)
{
	return n->n_addresses > 1 ? atomic_fetch_add_explicit(&z->turns[n - z->nodes], 1, memory_order_relaxed) : 0;
}

/* Of an app, the nearest: exactly so many, or all. */
static void answer_nearest(const struct dns_zone *z, const struct zone_node *app, unsigned n, struct dns_reply *r)
{
	if (r->query->type == DNS_TYPE_AAAA && app->n_addresses)
		put_first(r, app, z->addresses + app->address_at, least(n, app->n_addresses), next_turn(z, app));
	else if (r->query->type == DNS_TYPE_ANY)
		put_any(r);
	else
		no_data(z, DNS_TREE_INTERNAL, true, r);
}

/* top<N>.nearest.of.<app>: there are too many N for a table. */
static const struct zone_node *find_nearest(const struct dns_zone *z, const uint8_t *key, size_t key_len, unsigned *ret_n)
{
	size_t label = 1u + key[0];

	*ret_n = top_of_label(key);
	return *ret_n ? find_app_below(z, BELOW(NEAREST_OF_APP), key + label, key_len - label) : NULL;
}

static void answer_node(const struct dns_zone *z, enum dns_tree tree, const struct zone_node *n, struct dns_reply *r)
{
	uint16_t type = r->query->type;

	if (type == DNS_TYPE_AAAA && n->n_addresses) {
		const struct zone_address *a = z->addresses + n->address_at;
		uint32_t turn = next_turn(z, n);

		if (n->n_near > DNS_SAMPLE_NEAR)
			put_near(r, n, a, turn);
		else
			put_everywhere(r, n, a, turn);
	} else if (type == DNS_TYPE_TXT && n->text_len) {
		dns_reply_record(r, type, DNS_TTL, z->bytes.data + n->text_at, n->text_len);
		r->partial = n->more;
	} else if (type == DNS_TYPE_ANY) {
		put_any(r);
	} else {
		no_data(z, tree, n->instances, r);
	}
}

/* The nibble labels before the apex as the front of an address. -1 if they are none; else how many bits are known. */
static int reverse_prefix(const uint8_t *key, size_t key_len, struct in6_addr *ret_prefix)
{
	size_t n = (key_len - trees[DNS_TREE_REVERSE].apex_len) / 2;
	struct in6_addr prefix = addr_all_prefix();

	if ((key_len - trees[DNS_TREE_REVERSE].apex_len) % 2 || n > 28)
		return -1;
	for (size_t i = 0; i < n; i++) {
		uint8_t c = key[2 * i + 1], nibble;
		size_t at = 4 + (n - 1 - i); /* the last label is the first nibble after fdaa */

		if (key[2 * i] != 1 || !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return -1;
		nibble = (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
		prefix.s6_addr[at / 2] = (uint8_t)(prefix.s6_addr[at / 2] | nibble << (at % 2 ? 0 : 4));
	}
	*ret_prefix = prefix;
	return 16 + 4 * (int)n;
}

static bool same_prefix(const struct in6_addr *a, const struct in6_addr *b, unsigned bits)
{
	return !memcmp(a, b, bits / 8) && (bits % 8 == 0 || (a->s6_addr[bits / 8] ^ b->s6_addr[bits / 8]) >> 4 == 0);
}

/* The first address not below the prefix, if it is inside it. */
static const struct zone_reverse *find_reverse(const struct dns_zone *z, const struct in6_addr *prefix, unsigned bits)
{
	size_t low = 0, high = z->n_reverses;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(&z->reverses[middle].address, prefix, sizeof *prefix) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == z->n_reverses || !same_prefix(&z->reverses[low].address, prefix, bits))
		return NULL;
	return &z->reverses[low];
}

static void answer_reverse(const struct dns_zone *z, struct dns_reply *r)
{
	struct in6_addr prefix;
	int bits = reverse_prefix(r->query->key, r->query->name_len, &prefix);
	const struct zone_reverse *found = bits < 0 ? NULL : find_reverse(z, &prefix, (unsigned)bits);

	if (!found)
		negative(z, DNS_TREE_REVERSE, DNS_NXDOMAIN, r);
	else if (bits == 128 && r->query->type == DNS_TYPE_PTR)
		dns_reply_record(r, DNS_TYPE_PTR, DNS_TTL, z->bytes.data + found->name_at, found->name_len);
	else if (bits == 128 && r->query->type == DNS_TYPE_ANY)
		put_any(r);
	else
		negative(z, DNS_TREE_REVERSE, DNS_NOERROR, r);
}

void dns_zone_answer(const struct dns_zone *z, enum dns_tree tree, struct dns_reply *r)
{
	const uint8_t *key = r->query->key;
	size_t key_len = r->query->name_len;
	const struct zone_node *n;
	unsigned top;

	r->authoritative = true;
	if (key_len == trees[tree].apex_len) {
		answer_apex(z, tree, r);
	} else if (tree == DNS_TREE_REVERSE) {
		answer_reverse(z, r);
	} else if ((n = find_node(z, key, key_len))) {
		if (tree == DNS_TREE_FLYCAST && r->query->type == DNS_TYPE_AAAA)
			r->hint = &hint_reserved;
		answer_node(z, tree, n, r);
	} else if (tree == DNS_TREE_INTERNAL && (n = find_nearest(z, key, key_len, &top))) {
		answer_nearest(z, n, top, r);
	} else {
		answer_nameless(z, tree, r);
	}
}
