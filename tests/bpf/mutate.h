/* mutate - what the programs and the oracle are asked about: nodes with random maps, packets that make sense on them, and the ways
 * to spoil a packet. Everything follows from the state of one generator, so a case can be made again from its number. */
#pragma once
#include "tests/bpf/oracle.h"

#define MUTATE_NETWORKS 3
#define MUTATE_HOSTS 4     /* the first is this node */
#define MUTATE_INSTANCES 4 /* instance words of instances; as many of peers */

struct mutate_random {
	uint64_t state;
};
uint64_t mutate_random(struct mutate_random *r); /* splitmix64 */
/* A generator for one purpose; parts tell purposes apart. */
struct mutate_random mutate_random_for(uint64_t seed, uint64_t part, uint64_t number);

/* One node: the words that appear in its maps and packets, and what the maps hold. */
struct mutate_world {
	uint32_t networks[MUTATE_NETWORKS], hosts[MUTATE_HOSTS], instances[MUTATE_INSTANCES], peers[MUTATE_INSTANCES];
	struct oracle_state state;
};

/* full: every map entry that could be there is there, so that every template finds what it needs. */
void mutate_world(struct mutate_random *r, uint32_t self_host, bool full, struct mutate_world *ret_world);

struct mutate_packet {
	uint32_t mark;
	size_t len;
	uint8_t bytes[ORACLE_PACKET_MAX];
};

unsigned mutate_templates(void);
const char *mutate_template_name(unsigned row);
/* A packet of the template, whole, with the right mark. */
void mutate_template(struct mutate_random *r, const struct mutate_world *world, unsigned row, unsigned l2_len,
		     struct mutate_packet *ret_packet);
/* A template, more often than not one of this hook, with 0 to 6 mutations. */
void mutate_any(struct mutate_random *r, const struct mutate_world *world, enum sixpn_hook hook, unsigned l2_len,
		struct mutate_packet *ret_packet);
/* Lengthens what BPF_PROG_TEST_RUN would refuse. */
void mutate_make_acceptable(struct mutate_packet *packet);
