/* zone_build - what the builder of a zone and the writer of its lists share. */
#pragma once
#include "lib/dns/zone_table.h"

struct zone_candidate {
	const struct dns_instance *in;
	double km;
	bool own;
};

struct zone_build {
	struct dns_zone *z;
	const struct dns_zone_input *in;
	const struct dns_here *here;
	struct zone_candidate *all; /* sorted; without those that skip DNS */
	size_t n_all;
	const char **apps; /* sorted, no name twice: the network's own and aliases */
	size_t n_apps;
	const char **aliases; /* sorted; those that are not hidden */
	size_t n_aliases;
};

static inline bool zone_candidate_answers(const struct zone_candidate *c)
{
	return c->in->answers;
}
int zone_compare_regions(const void *a, const void *b); /* for qsort over char[NAME_REGION_SIZE] */

/* The node of "<prefix><app>.internal" (or "<prefix>internal" without an app), new or as it was. It may move with the next one. */
int zone_add_node(struct dns_zone *z, const char *prefix, const char *app, struct zone_node **ret_node);
/* The same of any whole name. */
int zone_add_name(struct dns_zone *z, const char *text, struct zone_node **ret_node);

/* The answering ones of c[0, n) become records in the same order: regions one after the other, the nearest first, and in each the own
 * host's first. */
void zone_add_addresses(struct zone_build *b, const struct zone_candidate *c, size_t n);
/* How many of c[0, n), in that order, answer in the first region that has one; and how many of those are on the own host. */
void zone_count_near(const struct zone_candidate *c, size_t n, size_t *ret_near, size_t *ret_own);

/* <group>.process.<app> of all[from, to), which share it; their addresses are the zone's last, from address_at on. */
int zone_add_groups(struct zone_build *b, const char *app, size_t from, size_t to, size_t address_at);

/* The name's addresses: n of the zone's, beginning with `at`. */
int zone_name_addresses(struct zone_build *b, const char *prefix, const char *app, size_t at, size_t n, size_t n_near, size_t n_own);
void zone_fill_record(uint8_t record[ZONE_AAAA_LEN], const struct in6_addr *address);
/* The address backwards; the node is that of its name. There is room for one per instance and peer. */
void zone_add_reverse(struct dns_zone *z, const struct in6_addr *address, const struct zone_node *node);

/* <app>.flycast; -EINVAL as below. */
int zone_add_flycasts(struct zone_build *b);
/* <label>._peer and _peer; -EINVAL: a label that is none, or an address of another network. */
int zone_add_peers(struct zone_build *b);

/* Lists of all[from, to), which share an app; `all`: also of those that do not answer. */
int zone_add_regions_list(struct zone_build *b, const char *prefix, const char *app, size_t from, size_t to, bool all);
/* Gives the second name the list that the first has. */
int zone_alias_text(struct zone_build *b, const char *from_prefix, const char *to_prefix, const char *app);
/* by_id: sorted by id (in the last: by app, then id). */
int zone_add_vms_list(struct zone_build *b, const char *prefix, const char *app, const struct zone_candidate *by_id, size_t n,
		      bool all);
/* A list of all words, sorted already. */
int zone_add_words_list(struct zone_build *b, const char *prefix, const char *const *words, size_t n);
int zone_add_instances_list(struct zone_build *b, const char *prefix, const struct zone_candidate *by_id, bool all);
