/* names - see names.h. */
#include "node/names.h"

#include "lib/base/log.h"
#include "lib/sixpn/locator.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct shown {
	uint32_t network;
	uint64_t v; /* every change of the network up to here is in the zone, or will be once it can be built */
};

struct names {
	uint32_t host;
	char region[NAME_REGION_SIZE];
	const struct replica *replica;
	const struct reports *reports;
	struct dns_views *views;
	struct dns_region *regions;
	size_t n_regions;
	struct shown *shown; /* networks that have a zone now, or should */
	size_t n_shown;
	bool behind;
};

int names_new(uint32_t host, const char *region, const struct replica *replica, const struct reports *reports, struct dns_views *views,
	      struct names **ret_names)
{
	struct names *names = calloc(1, sizeof *names);

	if (!names)
		return -ENOMEM;
	*names = (struct names){ .host = host, .replica = replica, .reports = reports, .views = views };
	memcpy(names->region, region, strnlen(region, NAME_REGION_SIZE - 1));
	*ret_names = names;
	return 0;
}

struct names *names_free(struct names *names)
{
	if (!names)
		return NULL;
	free(names->regions);
	free(names->shown);
	free(names);
	return NULL;
}

/* ---- what zones are made of ---- */

/* Records of apps, instances, peers and peering rules; when they are of all networks, by network. Borrowed from the replica, which does not change
 * meanwhile. */
struct found {
	const struct record **items;
	size_t n;
	uint32_t network; /* 0 = all: then they are found by one walk, not by one for each network */
};

static int add_found(void *ctx, const struct record *record)
{
	struct found *f = ctx;
	bool named = record->kind == RECORD_APP || record->kind == RECORD_INSTANCE || record->kind == RECORD_PEER || record->kind == RECORD_FLYCAST ||
		     record->kind == RECORD_RULE || record->kind == RECORD_FAR_INSTANCE;

	if (named && !record->node && (!f->network || record->network == f->network))
		f->items[f->n++] = record;
	return 0;
}

static int by_network(const void *a, const void *b)
{
	uint32_t x = (*(const struct record *const *)a)->network, y = (*(const struct record *const *)b)->network;

	return (x > y) - (x < y);
}

static int find_records(const struct replica *replica, uint32_t network, struct found *ret)
{
	size_t most = replica->n_by_kind[RECORD_APP] + replica->n_by_kind[RECORD_INSTANCE] + replica->n_by_kind[RECORD_PEER] +
		      replica->n_by_kind[RECORD_FLYCAST] + replica->n_by_kind[RECORD_RULE] + replica->n_by_kind[RECORD_FAR_INSTANCE];

	*ret = (struct found){ .items = calloc(most + 1, sizeof(struct record *)), .network = network };
	if (!ret->items)
		return -ENOMEM;
	replica_each(replica, 0, add_found, ret);
	if (!network && ret->n)
		qsort(ret->items, ret->n, sizeof(struct record *), by_network);
	return 0;
}

/* Those of one network. */
static struct found part_of(const struct found *all, uint32_t network)
{
	struct found part = { .items = all->items, .network = network };
	size_t low = 0, high = all->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (all->items[middle]->network < network)
			low = middle + 1;
		else
			high = middle;
	}
	part.items += low;
	while (low + part.n < all->n && part.items[part.n]->network == network)
		part.n++;
	return part;
}

/* ---- one network's input ---- */

struct gather {
	struct names *names;
	uint32_t network;
	const char **apps;
	struct app_record *app_records;
	size_t n_apps;
	struct dns_instance *instances;
	size_t n_instances;
	struct dns_peer *peers;
	size_t n_peers;
	struct rule_record *rules; /* that have a name here */
	const char **aliases;
	size_t n_rules;
	struct dns_flycast *flycasts;
	size_t n_flycasts;
	uint64_t v;
};

static void add_app(struct gather *g, const struct record *record)
{
	if (app_decode(record, &g->app_records[g->n_apps], NULL) == 0) {
		g->apps[g->n_apps] = g->app_records[g->n_apps].name;
		g->n_apps++;
	}
}

static const char *app_name(const struct gather *g, const uint8_t id[RECORD_APP_ID_LEN])
{
	for (size_t i = 0; i < g->n_apps; i++)
		if (!memcmp(g->app_records[i].id, id, RECORD_APP_ID_LEN))
			return g->app_records[i].name;
	return NULL;
}

static void region_of_host(const struct names *names, uint32_t host, char ret[NAME_REGION_SIZE])
{
	uint8_t key[4];
	const struct record *record;
	struct node_record node;

	put_u32(key, host);
	record = replica_find(names->replica, RECORD_NODE, key, sizeof key);
	ret[0] = 0;
	if (record && node_decode(record, &node, NULL) == 0)
		memcpy(ret, node.region, NAME_REGION_SIZE);
}

static void add_instance(struct gather *g, const struct record *record)
{
	struct dns_instance *out = &g->instances[g->n_instances];
	struct instance_record i;
	const struct observed *truth;
	const char *app;

	if (instance_decode(record, &i, NULL) != 0)
		return;
	truth = i.host == g->names->host ? reports_get(g->names->reports, i.id) : NULL;
	if (truth && truth->generation >= i.observed.generation)
		i.observed = *truth;
	app = app_name(g, i.app);
	if (!app || i.network != g->network || i.desired == DESIRED_DESTROYED)
		return;
	*out = (struct dns_instance){ .address = instance_address(&i), .host = i.host, .answers = instance_answers(&i), .skip = i.dns_skip };
	memcpy(out->id, i.id, sizeof out->id);
	memcpy(out->app, app, sizeof out->app);
	memcpy(out->group, i.group, sizeof out->group);
	region_of_host(g->names, i.host, out->region);
	if (out->region[0]) /* a host whose node record is gone: nothing may be sent there */
		g->n_instances++;
}

/* Peers that a tool makes for one command and forgets: flyctl expects to see them nowhere. */
static bool is_interactive(const struct peer_record *p)
{
	static const char prefix[] = "interactive-";

	return !strncasecmp(p->name, prefix, sizeof prefix - 1) || !strncmp(p->label, prefix, sizeof prefix - 1);
}

/* The clock is not asked: a peer that has expired has its name until the controller takes the record back, or two nodes could differ. */
static void add_peer(struct gather *g, const struct record *record)
{
	struct dns_peer *out = &g->peers[g->n_peers];
	struct peer_record p;

	if (peer_decode(record, &p, NULL) != 0 || is_interactive(&p))
		return;
	*out = (struct dns_peer){ .address = peer_address(&p), .answers = !p.suspended };
	memcpy(out->label, p.label, sizeof out->label);
	g->n_peers++;
}

/* An app of another network that this one may reach, by the name that the rule gives it here. */
static void add_rule(struct gather *g, const struct record *record)
{
	struct rule_record *out = &g->rules[g->n_rules];

	/* several apps of ours may reach one app there: one rule stands for the name */
	for (size_t i = 0; i < g->n_rules; i++)
		if (rule_decode(record, out, NULL) == 0 && !strcmp(g->rules[i].alias, out->alias))
			return;
	if (rule_decode(record, out, NULL) == 0 && out->outgoing && out->alias[0]) {
		g->aliases[g->n_rules] = out->alias;
		g->n_rules++;
	}
}

static void add_far_instance(struct gather *g, const struct record *record)
{
	struct dns_instance *out = &g->instances[g->n_instances];
	struct far_instance_record i;
	size_t at = 0;

	if (far_instance_decode(record, &i, NULL) != 0)
		return;
	while (at < g->n_rules && memcmp(g->rules[at].id, i.rule, sizeof i.rule))
		at++;
	if (at == g->n_rules || g->rules[at].far_network != i.far_network)
		return;
	*out = (struct dns_instance){ .address = far_instance_address(&i), .host = i.host, .answers = i.answers, .far = true };
	memcpy(out->id, i.instance, sizeof out->id);
	memcpy(out->app, g->rules[at].alias, sizeof out->app);
	region_of_host(g->names, i.host, out->region);
	if (out->region[0])
		g->n_instances++;
}

static void add_flycast(struct gather *g, const struct record *record)
{
	struct dns_flycast *out = &g->flycasts[g->n_flycasts];
	struct flycast_record f;

	if (flycast_decode(record, &f, NULL) != 0)
		return;
	out->address = addr_flycast(f.network, f.number);
	memcpy(out->app, f.app, sizeof out->app);
	g->n_flycasts++;
}

/* The entry of a network, new if need be; NULL = no memory. */
static struct shown *show(struct names *names, uint32_t network)
{
	size_t at = 0;
	struct shown *bigger;

	while (at < names->n_shown && names->shown[at].network != network)
		at++;
	if (at < names->n_shown)
		return &names->shown[at];
	bigger = realloc(names->shown, (names->n_shown + 1) * sizeof *bigger);
	if (!bigger)
		return NULL;
	names->shown = bigger;
	names->shown[names->n_shown] = (struct shown){ .network = network, .v = names->replica->v };
	return &names->shown[names->n_shown++];
}

static void hide(struct names *names, uint32_t network)
{
	dns_views_remove(names->views, network);
	for (size_t i = 0; i < names->n_shown; i++)
		if (names->shown[i].network == network)
			names->shown[i] = names->shown[--names->n_shown];
}

static void add_each(struct gather *g, const struct found *f, uint32_t kind, void (*add)(struct gather *g, const struct record *record))
{
	for (size_t i = 0; i < f->n; i++)
		if (f->items[i]->kind == kind)
			add(g, f->items[i]);
}

static int build(struct gather *g, const struct found *f, struct dns_zone **ret_zone)
{
	struct names *names = g->names;
	struct dns_here here = { .host = names->host, .regions = names->regions, .n_regions = names->n_regions };
	struct dns_zone_input in;

	memcpy(here.region, names->region, sizeof here.region);
	add_each(g, f, RECORD_APP, add_app); /* instances are named after them */
	add_each(g, f, RECORD_INSTANCE, add_instance);
	add_each(g, f, RECORD_PEER, add_peer);
	add_each(g, f, RECORD_RULE, add_rule); /* far instances are named after them */
	add_each(g, f, RECORD_FAR_INSTANCE, add_far_instance);
	add_each(g, f, RECORD_FLYCAST, add_flycast);
	in = (struct dns_zone_input){ .network = g->network,
				      .v = g->v,
				      .apps = g->apps,
				      .n_apps = g->n_apps,
				      .instances = g->instances,
				      .n_instances = g->n_instances,
				      .aliases = g->aliases,
				      .n_aliases = g->n_rules,
				      .peers = g->peers,
				      .n_peers = g->n_peers,
				      .flycasts = g->flycasts,
				      .n_flycasts = g->n_flycasts };
	return dns_zone_build(&in, &here, ret_zone);
}

static size_t count(const struct found *f, uint32_t kind)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++)
		n += f->items[i]->kind == kind;
	return n;
}

static int show_zone(struct gather *g, const struct found *f)
{
	struct names *names = g->names;
	struct dns_zone *zone = NULL;
	int e = -ENOMEM;

	g->apps = calloc(count(f, RECORD_APP) + 1, sizeof *g->apps);
	g->app_records = calloc(count(f, RECORD_APP) + 1, sizeof *g->app_records);
	g->instances = calloc(count(f, RECORD_INSTANCE) + count(f, RECORD_FAR_INSTANCE) + 1, sizeof *g->instances);
	g->peers = calloc(count(f, RECORD_PEER) + 1, sizeof *g->peers);
	g->rules = calloc(count(f, RECORD_RULE) + 1, sizeof *g->rules);
	g->aliases = calloc(count(f, RECORD_RULE) + 1, sizeof *g->aliases);
	g->flycasts = calloc(count(f, RECORD_FLYCAST) + 1, sizeof *g->flycasts);
	if (g->apps && g->app_records && g->instances && g->peers && g->rules && g->aliases && g->flycasts)
		e = build(g, f, &zone);
	if (e == 0)
		e = dns_views_replace(names->views, zone);
	if (e)
		dns_zone_free(zone);
	free(g->apps);
	free(g->app_records);
	free(g->instances);
	free(g->peers);
	free(g->rules);
	free(g->aliases);
	free(g->flycasts);
	return e;
}

static bool in_scope(const struct names *names, uint32_t network)
{
	uint8_t key[4];

	put_u32(key, network);
	return replica_find(names->replica, RECORD_NETWORK, key, sizeof key) != NULL;
}

/* `f`: the records of this network. */
static int sync_one(struct names *names, uint32_t network, const struct found *f)
{
	struct gather g = { .names = names, .network = network };
	struct shown *shown = show(names, network);
	int e = -ENOMEM;

	if (shown) {
		g.v = shown->v;
		e = show_zone(&g, f);
	}
	names->behind |= e != 0;
	return e;
}

void names_changed(struct names *names, uint32_t network)
{
	for (size_t i = 0; i < names->n_shown; i++)
		if (names->shown[i].network == network)
			names->shown[i].v = names->replica->v;
}

int names_sync_network(struct names *names, uint32_t network)
{
	struct found found;
	int e;

	names_changed(names, network);
	if (names->replica->torn) /* the old zone serves until the snapshot that mends it */
		return 0;
	if (!in_scope(names, network)) {
		hide(names, network);
		return 0;
	}
	e = find_records(names->replica, network, &found);
	if (e == 0)
		e = sync_one(names, network, &found);
	free(found.items);
	names->behind |= e != 0;
	return e;
}

bool names_are_behind(const struct names *names)
{
	return names->behind;
}

/* ---- distances ---- */

struct measuring {
	struct names *names;
	struct region_record here;
	bool known;
};

static int add_region(void *ctx, const struct record *record)
{
	struct measuring *m = ctx;
	struct dns_region *out = &m->names->regions[m->names->n_regions];
	struct region_record there;

	if (region_decode(record, &there, NULL) != 0)
		return 0;
	memcpy(out->name, there.name, sizeof out->name);
	out->km = m->known ? locator_distance_km(m->here.latitude_udeg / 1e6, m->here.longitude_udeg / 1e6, there.latitude_udeg / 1e6,
						 there.longitude_udeg / 1e6) :
			     0;
	m->names->n_regions++;
	return 0;
}

static int measure(struct names *names)
{
	const struct record *own = replica_find(names->replica, RECORD_REGION, names->region, 3);
	struct dns_region *bigger = realloc(names->regions, (names->replica->n_by_kind[RECORD_REGION] + 1) * sizeof *bigger);
	struct measuring m = { .names = names };

	if (!bigger)
		return -ENOMEM;
	names->regions = bigger;
	names->n_regions = 0;
	m.known = own && region_decode(own, &m.here, NULL) == 0;
	return replica_each(names->replica, RECORD_REGION, add_region, &m);
}

struct network_list {
	uint32_t *ids;
	size_t n;
};

static int add_network(void *ctx, const struct record *record)
{
	struct network_list *list = ctx;

	list->ids[list->n++] = record->network;
	return 0;
}

int names_sync_all(struct names *names)
{
	struct network_list list = { .ids = calloc(names->replica->n_by_kind[RECORD_NETWORK] + 1, sizeof *list.ids) };
	struct found all = { 0 };
	int e = list.ids ? measure(names) : -ENOMEM;

	if (e == 0)
		e = find_records(names->replica, 0, &all);
	names->behind = e != 0;
	for (size_t i = names->n_shown; i-- > 0 && !names->replica->torn;)
		if (!in_scope(names, names->shown[i].network))
			hide(names, names->shown[i].network);
	if (e == 0 && !names->replica->torn)
		replica_each(names->replica, RECORD_NETWORK, add_network, &list);
	for (size_t i = 0; i < list.n; i++) { /* one that fails keeps its old zone and is no reason to leave the others */
		struct found part = part_of(&all, list.ids[i]);
		int one = sync_one(names, list.ids[i], &part);

		e = e ? e : one;
	}
	free(all.items);
	free(list.ids);
	return e;
}

int names_sync_everything(struct names *names)
{
	for (size_t i = 0; i < names->n_shown; i++)
		names->shown[i].v = names->replica->v;
	return names_sync_all(names);
}
