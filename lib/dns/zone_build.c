/* zone_build - from plain structs to the tables of a zone. One sort by (app, distance, region, own host, id) makes each app one
 * range, each region of it one range inside, so all AAAA names are ranges over one array of ready records. */
#include "lib/dns/zone_build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ZONE_BYTES_MAX (256u << 20)

static double distance(const struct dns_here *here, const char *region)
{
	if (!strcmp(region, here->region))
		return 0;
	for (size_t i = 0; i < here->n_regions; i++)
		if (!strcmp(region, here->regions[i].name))
			return here->regions[i].km;
	return 1e9;
}

static int compare_distance(const struct zone_candidate *x, const struct zone_candidate *y, const char *here)
{
	int r = (x->km > y->km) - (x->km < y->km);

	if (!r && strcmp(x->in->region, y->in->region)) /* two regions in one place: our own first, then by name */
		r = !strcmp(y->in->region, here) - !strcmp(x->in->region, here);
	return r ? r : strcmp(x->in->region, y->in->region);
}

static int compare_candidates(const void *a, const void *b, void *here)
{
	const struct zone_candidate *x = a, *y = b;
	int r = strcmp(x->in->app, y->in->app);

	if (!r)
		r = compare_distance(x, y, here);
	if (!r)
		r = (int)y->own - (int)x->own;
	return r ? r : strcmp(x->in->id, y->in->id);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int zone_compare_regions(const void *a, const void *b)
{
	return strcmp(a, b);
}

static int compare_reverse(const void *a, const void *b)
{
	return memcmp(&((const struct zone_reverse *)a)->address, &((const struct zone_reverse *)b)->address, sizeof(struct in6_addr));
}

static int compare_ids(const void *a, const void *b)
{
	return strcmp(((const struct zone_candidate *)a)->in->id, ((const struct zone_candidate *)b)->in->id);
}

/* -- tables -- */

static int grow_slots(struct dns_zone *z)
{
	size_t n = z->n_slots ? z->n_slots * 2 : 64;
	uint32_t *bigger = calloc(n, sizeof *bigger);

	if (!bigger)
		return -ENOMEM;
	free(z->slots);
	z->slots = bigger;
	z->n_slots = n;
	for (uint32_t i = 0; i < z->n_nodes; i++)
		z->slots[zone_slot(z, z->bytes.data + z->nodes[i].name_at, z->nodes[i].name_len)] = i + 1;
	return 0;
}

static int grow_nodes(struct dns_zone *z)
{
	size_t cap = z->cap_nodes ? z->cap_nodes * 2 : 32;
	struct zone_node *bigger = realloc(z->nodes, cap * sizeof *bigger);

	if (!bigger)
		return -ENOMEM;
	z->nodes = bigger;
	z->cap_nodes = cap;
	return 0;
}

static uint32_t add_bytes(struct dns_zone *z, const void *bytes, size_t n)
{
	uint32_t at = (uint32_t)z->bytes.len;

	buf_add(&z->bytes, bytes, n);
	return at;
}

/* Grows the tables as needed. */
int zone_add_name(struct dns_zone *z, const char *text, struct zone_node **ret_node)
{
	uint8_t key[DNS_NAME_MAX];
	size_t key_len = dns_name_from_text(text, key), slot;

	if (!key_len)
		return -EINVAL;
	if ((z->n_nodes + 1) * 2 > z->n_slots && grow_slots(z) < 0)
		return -ENOMEM;
	slot = zone_slot(z, key, key_len);
	if (!z->slots[slot]) {
		if (z->n_nodes == z->cap_nodes && grow_nodes(z) < 0)
			return -ENOMEM;
		z->nodes[z->n_nodes] = (struct zone_node){ .name_at = add_bytes(z, key, key_len), .name_len = (uint8_t)key_len };
		if (buf_failed(&z->bytes))
			return -ENOMEM;
		z->slots[slot] = (uint32_t)++z->n_nodes;
	}
	*ret_node = &z->nodes[z->slots[slot] - 1];
	return 0;
}

int zone_add_node(struct dns_zone *z, const char *prefix, const char *app, struct zone_node **ret_node)
{
	char text[DNS_NAME_MAX + 1];

	if (snprintf(text, sizeof text, "%s%s%sinternal", prefix, app, *app ? "." : "") >= (int)sizeof text)
		return -EINVAL;
	return zone_add_name(z, text, ret_node);
}

/* -- AAAA -- */

void zone_fill_record(uint8_t record[ZONE_AAAA_LEN], const struct in6_addr *address)
{
	dns_record_head(record, DNS_HEADER_LEN, DNS_TYPE_AAAA, sizeof *address);
	memcpy(record + DNS_RECORD_HEAD_LEN, address, sizeof *address);
}

static bool same_run(const struct zone_candidate *a, const struct zone_candidate *b)
{
	return a->own == b->own && !strcmp(a->in->region, b->in->region);
}

void zone_add_addresses(struct zone_build *b, const struct zone_candidate *c, size_t n)
{
	struct dns_zone *z = b->z;
	const struct zone_candidate *last = NULL;
	size_t run = z->n_addresses;

	for (size_t i = 0; i < n; i++) {
		if (!zone_candidate_answers(&c[i]))
			continue;
		if (!last || !same_run(last, &c[i]))
			run = z->n_addresses;
		zone_fill_record(z->addresses[z->n_addresses++].record, &c[i].in->address);
		z->addresses[run].run_len++;
		last = &c[i];
	}
}

void zone_count_near(const struct zone_candidate *c, size_t n, size_t *ret_near, size_t *ret_own)
{
	const char *region = NULL;

	*ret_near = *ret_own = 0;
	for (size_t i = 0; i < n; i++) {
		if (!zone_candidate_answers(&c[i]))
			continue;
		if (region && strcmp(region, c[i].in->region))
			break;
		region = c[i].in->region;
		++*ret_near;
		*ret_own += c[i].own;
	}
}

int zone_name_addresses(struct zone_build *b, const char *prefix, const char *app, size_t at, size_t n, size_t n_near, size_t n_own)
{
	struct zone_node *node;
	int r = zone_add_node(b->z, prefix, app, &node);

	if (r < 0)
		return r;
	node->address_at = (uint32_t)at;
	node->n_addresses = (uint32_t)n;
	node->n_near = (uint32_t)n_near;
	node->n_own = (uint32_t)n_own;
	node->instances = true;
	return 0;
}

/* <app> and global.<app>: the whole range; <region>.<app>: each region's part of it; <id>.vm.<app>: one. */
static int add_region_names(struct zone_build *b, const char *app, size_t from, size_t to, size_t address_at)
{
	size_t at = address_at;

	for (size_t i = from; i < to;) {
		const char *region = b->all[i].in->region;
		char prefix[NAME_REGION_SIZE + 1];
		size_t n = 0, own = 0;
		int r;

		for (; i < to && !strcmp(b->all[i].in->region, region); i++)
			if (zone_candidate_answers(&b->all[i])) {
				n++;
				own += b->all[i].own;
			}
		if (!n)
			continue;
		snprintf(prefix, sizeof prefix, "%s.", region);
		r = zone_name_addresses(b, prefix, app, at, n, n, own);
		if (r < 0)
			return r;
		at += n;
	}
	return 0;
}

void zone_add_reverse(struct dns_zone *z, const struct in6_addr *address, const struct zone_node *node)
{
	z->reverses[z->n_reverses++] =
		(struct zone_reverse){ .address = *address, .name_at = node->name_at, .name_len = node->name_len };
}

static int add_instance_names(struct zone_build *b, const char *app, size_t from, size_t to, size_t address_at)
{
	struct dns_zone *z = b->z;

	for (size_t i = from; i < to; i++) {
		const struct dns_instance *in = b->all[i].in;
		bool is = zone_candidate_answers(&b->all[i]);
		char prefix[NAME_INSTANCE_ID_SIZE + 4];
		struct zone_node *node;
		int r;

		snprintf(prefix, sizeof prefix, "%s.vm.", in->id);
		r = zone_name_addresses(b, prefix, app, address_at, is, is, 0);
		if (r == 0)
			r = zone_add_node(z, prefix, app, &node);
		if (r < 0)
			return r;
		address_at += is;
		zone_add_reverse(z, &in->address, node);
	}
	return 0;
}

static bool is_own_app(const struct zone_build *b, const char *name)
{
	for (size_t i = 0; i < b->in->n_apps; i++)
		if (!strcmp(b->in->apps[i], name))
			return true;
	return false;
}

static bool is_alias(const struct zone_build *b, const char *name)
{
	return b->n_aliases && bsearch(&name, b->aliases, b->n_aliases, sizeof *b->aliases, compare_names);
}

static void collect_aliases(struct zone_build *b)
{
	for (size_t i = 0; i < b->in->n_aliases; i++)
		if (!is_own_app(b, b->in->aliases[i]))
			b->aliases[b->n_aliases++] = b->in->aliases[i];
	if (b->n_aliases)
		qsort(b->aliases, b->n_aliases, sizeof *b->aliases, compare_names);
}

/* -- one app, and all -- */

/* What an app of ours has and an alias has not: names and lists of single instances. */
static int add_own_app(struct zone_build *b, const char *app, size_t from, size_t to, const struct zone_candidate *by_id, size_t address_at)
{
	struct dns_zone *z = b->z;
	struct zone_node *node;
	int r = add_instance_names(b, app, from, to, address_at);

	if (r == 0)
		r = zone_add_groups(b, app, from, to, address_at);
	if (r == 0)
		r = zone_add_node(z, "vm.", app, &node); /* nothing of its own, but instances are below it */
	if (r == 0)
		r = zone_add_regions_list(b, "all.regions.", app, from, to, true);
	if (r == 0)
		r = zone_add_vms_list(b, "vms.", app, by_id + from, to - from, false);
	return r ? r : zone_add_vms_list(b, "all.vms.", app, by_id + from, to - from, true);
}

static int add_app(struct zone_build *b, const char *app, size_t from, size_t to, const struct zone_candidate *by_id)
{
	struct dns_zone *z = b->z;
	size_t address_at = z->n_addresses, n, n_near, n_own;
	struct zone_node *node;
	int r;

	zone_add_addresses(b, b->all + from, to - from);
	n = z->n_addresses - address_at;
	zone_count_near(b->all + from, to - from, &n_near, &n_own);
	r = add_region_names(b, app, from, to, address_at);
	if (r == 0)
		r = zone_name_addresses(b, "", app, address_at, n, n_near, n_own);
	if (r == 0)
		r = zone_name_addresses(b, "global.", app, address_at, n, n_near, n_own);
	if (r == 0)
		r = zone_add_regions_list(b, "regions.", app, from, to, false);
	if (r == 0)
		r = zone_alias_text(b, "regions.", "", app);
	if (r == 0 && !is_alias(b, app))
		r = add_own_app(b, app, from, to, by_id, address_at);
	if (r == 0)
		r = zone_add_node(z, "", app, &node);
	if (r == 0)
		node->app = true;
	return r;
}

/* What they say is made when it is asked for (freshness.c); that they exist is said here. */
static int add_own_names(struct dns_zone *z)
{
	struct zone_node *node;
	int r = zone_add_node(z, "_sync.", "", &node);

	return r < 0 ? r : zone_add_node(z, "_version.", "", &node);
}

static int add_apps_list(struct zone_build *b)
{
	CLEAN_FREE const char **own = calloc(b->n_apps + 1, sizeof *own);
	size_t n = 0;

	if (!own)
		return -ENOMEM;
	for (size_t i = 0; i < b->n_apps; i++)
		if (!is_alias(b, b->apps[i]))
			own[n++] = b->apps[i];
	return zone_add_words_list(b, "_apps.", own, n);
}

static int add_names(struct zone_build *b)
{
	CLEAN_FREE struct zone_candidate *by_id = calloc(b->n_all + 1, sizeof *by_id);
	size_t at = 0;
	int r = 0;

	if (!by_id)
		return -ENOMEM;
	memcpy(by_id, b->all, b->n_all * sizeof *by_id);
	for (size_t i = 0; i < b->n_apps && r == 0; i++) {
		size_t end = at;

		while (end < b->n_all && !strcmp(b->all[end].in->app, b->apps[i]))
			end++;
		qsort(by_id + at, end - at, sizeof *by_id, compare_ids);
		r = add_app(b, b->apps[i], at, end, by_id);
		at = end;
	}
	if (r == 0)
		r = add_apps_list(b);
	if (r == 0)
		r = zone_add_peers(b);
	if (r == 0)
		r = zone_add_flycasts(b);
	if (r == 0)
		r = add_own_names(b->z);
	if (r == 0)
		r = zone_add_instances_list(b, "_instances.", by_id, false);
	if (r == 0)
		r = zone_add_instances_list(b, "all._instances.", by_id, true);
	return r;
}

/* -- input -- */

static int check_instance(const struct dns_zone_input *in, const struct dns_instance *i)
{
	struct addr_parts parts;

	if (strnlen(i->region, sizeof i->region) != NAME_REGION_SIZE - 1 || strnlen(i->id, sizeof i->id) != NAME_INSTANCE_ID_LEN)
		return -EINVAL;
	if (strchr(i->id, '.') || strchr(i->region, '.') || addr_split(&i->address, &parts) != 0 ||
	    (parts.network == in->network) == i->far)
		return -EINVAL;
	return 0;
}

static int collect_instances(struct zone_build *b)
{
	for (size_t i = 0; i < b->in->n_instances; i++) {
		const struct dns_instance *in = &b->in->instances[i];
		int r = check_instance(b->in, in);

		if (r < 0)
			return r;
		if (!in->skip && in->far == is_alias(b, in->app)) /* not of an alias that is hidden, nor of one that is none */
			b->all[b->n_all++] = (struct zone_candidate){ in, distance(b->here, in->region), in->host == b->here->host };
	}
	qsort_r(b->all, b->n_all, sizeof *b->all, compare_candidates, (void *)(uintptr_t)b->here->region);
	return 0;
}

static int check_app(const char *name)
{
	size_t len = strnlen(name, NAME_SIZE);

	return len == 0 || len >= NAME_SIZE || strchr(name, '.') ? -EINVAL : 0;
}

static int collect_apps(struct zone_build *b)
{
	size_t n = 0, out = 0;

	for (size_t i = 0; i < b->in->n_apps; i++)
		b->apps[n++] = b->in->apps[i];
	for (size_t i = 0; i < b->n_aliases; i++)
		b->apps[n++] = b->aliases[i];
	for (size_t i = 0; i < b->n_all; i++)
		b->apps[n++] = b->all[i].in->app;
	for (size_t i = 0; i < n; i++)
		if (check_app(b->apps[i]) < 0)
			return -EINVAL;
	qsort(b->apps, n, sizeof *b->apps, compare_names);
	for (size_t i = 0; i < n; i++)
		if (!out || strcmp(b->apps[out - 1], b->apps[i]))
			b->apps[out++] = b->apps[i];
	b->n_apps = out;
	return 0;
}

static void add_region(struct dns_zone *z, const char *name)
{
	if (strnlen(name, NAME_REGION_SIZE) == NAME_REGION_SIZE - 1)
		memcpy(z->regions[z->n_regions++], name, NAME_REGION_SIZE);
}

static void collect_regions(struct zone_build *b)
{
	struct dns_zone *z = b->z;
	size_t out = 0;

	for (size_t i = 0; i < b->here->n_regions; i++)
		add_region(z, b->here->regions[i].name);
	add_region(z, b->here->region);
	for (size_t i = 0; i < b->n_all; i++)
		add_region(z, b->all[i].in->region);
	qsort(z->regions, z->n_regions, sizeof *z->regions, zone_compare_regions);
	for (size_t i = 0; i < z->n_regions; i++)
		if (!out || strcmp(z->regions[out - 1], z->regions[i]))
			memmove(z->regions[out++], z->regions[i], NAME_REGION_SIZE);
	z->n_regions = out;
}

static int build_all(struct zone_build *b)
{
	struct dns_zone *z = b->z;
	size_t n = b->in->n_instances, n_names = n + b->in->n_peers + b->in->n_flycasts;
	int r;

	b->all = calloc(n + 1, sizeof *b->all);
	b->apps = calloc(n + b->in->n_apps + b->in->n_aliases + 1, sizeof *b->apps);
	b->aliases = calloc(b->in->n_aliases + 1, sizeof *b->aliases);
	z->addresses = calloc(n_names + n + 1, sizeof *z->addresses); /* of its app, and of its group */
	z->reverses = calloc(n_names + 1, sizeof *z->reverses);
	z->regions = calloc(n + b->here->n_regions + 2, sizeof *z->regions);
	if (!b->all || !b->apps || !b->aliases || !z->addresses || !z->reverses || !z->regions)
		return -ENOMEM;
	collect_aliases(b);
	r = collect_instances(b);
	if (r == 0)
		r = collect_apps(b);
	if (r < 0)
		return r;
	collect_regions(b);
	r = add_names(b);
	if (r < 0)
		return r;
	z->turns = calloc(z->n_nodes, sizeof *z->turns);
	if (!z->turns || buf_failed(&z->bytes))
		return -ENOMEM;
	qsort(z->reverses, z->n_reverses, sizeof *z->reverses, compare_reverse);
	return 0;
}

int dns_zone_build(const struct dns_zone_input *in, const struct dns_here *here, struct dns_zone **ret_zone)
{
	struct zone_build b = { .in = in, .here = here };
	int r;

	b.z = calloc(1, sizeof *b.z);
	if (!b.z)
		return -ENOMEM;
	b.z->network = in->network;
	b.z->v = in->v;
	b.z->bytes = BUF_INIT(ZONE_BYTES_MAX);
	r = build_all(&b);
	free(b.all);
	free(b.apps);
	free(b.aliases);
	if (r < 0) {
		dns_zone_free(b.z);
		return r;
	}
	*ret_zone = b.z;
	return 0;
}
