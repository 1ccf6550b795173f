/* zone - all names of one network, precompiled and immutable: pure functions from plain structs to answers.
 *
 * Names of app A (all below `internal`): A, global.A, <region>.A, <id>.vm.A, <group>.process.A, top<N>.nearest.of.A (AAAA); A, regions.A, vms.A, all.regions.A,
 * all.vms.A (TXT); _apps, _instances, all._instances, and what freshness.h makes (TXT); reverse names of the network's own addresses (PTR). TTL 5.
 *   Names of an alias B, an app of another network that a peering rule lets this one reach: B, global.B, <region>.B, top<N>.nearest.of.B (AAAA);
 * B, regions.B (TXT). None that tells of single instances, and it is in no list. An app of the network's own with that name hides it.
 *   Names of a peer: <label>._peer (AAAA); _peer lists the labels (TXT). A suspended one: NODATA, and not in the list.
 *   An app without a started instance, `vm.A`, `process.A`, `of.A`, `nearest.of.A` and a known region without an instance: NODATA. Anything else: NXDOMAIN.
 *   Lists are sorted and comma-separated (`_instances`: ';'), broken before a separator when a string would pass 255 bytes, so
 * joining the strings gives the list. A list above DNS_TEXT_PAGE bytes continues at p2.<name>, p3.<name> ...; the first page is
 * then sent with TC, since it is not all.
 *   AAAA answers are samples: DESIGN's rule (nearest region has <= 3: everybody, nearest first, at most 16; else 3 of it in
 * rotation with the asker's own host among them), cut to what fits, never TC. top<N>.nearest.of is no sample: the N nearest (1 to 999), all
 * there are if there are fewer, by TCP where they do not fit; equal ones take turns.
 *
 *   Of an app's reserved addresses: <app>.flycast (AAAA); a name without one is NXDOMAIN.
 *
 * The SOA serial is v: give the version up to which all changes of this network are in it, raised by its own changes alone, or orgs
 * could see each other's activity. */
#pragma once
#include "lib/dns/wire.h"
#include "lib/sixpn/addr.h"
#include "lib/sixpn/name.h"

#define DNS_SAMPLE_NEAR 3
#define DNS_SAMPLE_ALL 16
#define DNS_NEAREST_MAX 999
#define DNS_TEXT_PAGE 60000

struct dns_instance {
	char id[NAME_INSTANCE_ID_SIZE];
	struct in6_addr address;
	char app[NAME_SIZE];
	char region[NAME_REGION_SIZE]; /* of the host it runs on */
	char group[NAME_SIZE];
	uint32_t host; /* where it runs */
	bool answers;  /* started, in DNS */
	bool skip;     /* never appears anywhere */
	bool far;      /* of another network, at the other end of a peering rule: `app` is one of aliases[] */
};

/* A customer's WireGuard peer. */
struct dns_peer {
	char label[NAME_SIZE];   /* no other of the network has it */
	struct in6_addr address; /* the one that stands for its /120 */
	bool answers;            /* not suspended */
};

/* An address that an app has reserved in this network. */
struct dns_flycast {
	char app[NAME_SIZE];
	struct in6_addr address;
};

struct dns_region {
	char name[NAME_REGION_SIZE];
	double km; /* from this node */
};

/* Where the asker's node is. Regions that only instances name count as known and as farthest. */
struct dns_here {
	uint32_t host;
	char region[NAME_REGION_SIZE];
	const struct dns_region *regions;
	size_t n_regions;
};

struct dns_zone_input {
	uint32_t network;
	uint64_t v;
	const char *const *apps; /* all, also those without an instance; in any order */
	size_t n_apps;
	const struct dns_instance *instances; /* all that are not destroyed; in any order */
	size_t n_instances;
	const char *const *aliases; /* apps at the other end of peering rules, by the names that they have here */
	size_t n_aliases;
	const struct dns_peer *peers; /* all that may be seen; in any order */
	size_t n_peers;
	const struct dns_flycast *flycasts; /* all; in any order */
	size_t n_flycasts;
};

struct dns_zone;
/* Copies all it needs. -ENOMEM; -EINVAL if a name is no DNS label or an address is not of this network. */
int dns_zone_build(const struct dns_zone_input *in, const struct dns_here *here, struct dns_zone **ret_zone) MUST_CHECK;
struct dns_zone *dns_zone_free(struct dns_zone *z); /* NULL is fine; returns NULL */
uint32_t dns_zone_network(const struct dns_zone *z);
uint64_t dns_zone_v(const struct dns_zone *z);

/* The trees we are the authority of, by the end of a name. */
enum dns_tree { DNS_TREE_INTERNAL, DNS_TREE_FLYCAST, DNS_TREE_REVERSE, DNS_TREE_OTHER };
#define DNS_TREE_COUNT 4
const char *dns_tree_name(enum dns_tree tree); /* for metrics */
enum dns_tree dns_tree_of(const uint8_t *key, size_t key_len);

/* Answers the question of r->query (class IN, a name in `tree`, which is not OTHER). Never blocks, never allocates. */
void dns_zone_answer(const struct dns_zone *z, enum dns_tree tree, struct dns_reply *r);
