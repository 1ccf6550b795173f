/* work - what model.c, which remembers, and workload.c, which asks, share. */
#pragma once
#include "controller/store/store_instance.h"
#include "controller/store/store_peer.h"
#include "tests/sim/model.h"

#define THINGS_MAX 24
#define INSTANCES_MAX 200
#define PEERS_MAX 100
#define RULES_KEPT 16

enum certainty { NOT_THERE, THERE, UNSURE };

struct thing { /* an org, a network or an app */
	char name[24];
	enum certainty is;
	bool going; /* its deletion was asked for */
	unsigned of; /* the org (of a network, of an app) */
};

struct instance_memory {
	char id[NAME_INSTANCE_ID_SIZE];
	uint32_t desired;
	uint64_t generation;
	enum certainty is;
	unsigned app;
};

struct peer_memory {
	char name[24];
	uint8_t id[8], key[32];
	enum certainty is;
	bool going, expires, key_known;
	unsigned of; /* the org */
};

struct model {
	struct thing orgs[THINGS_MAX], networks[THINGS_MAX], apps[THINGS_MAX];
	unsigned n_orgs, n_networks, n_apps;
	struct instance_memory instances[INSTANCES_MAX];
	unsigned n_instances;
	struct peer_memory peers[PEERS_MAX];
	unsigned n_peers;
	char rules[RULES_KEPT][ID_TEXT_SIZE]; /* ids of some; they may have ended with their apps */
	unsigned n_rules;
	uint64_t acknowledged_v;
	unsigned at_work, waiting;
};

enum work_kind {
	WORK_REGION, WORK_TOKEN, WORK_ORG, WORK_NETWORK, WORK_APP, WORK_CREATE, WORK_CHANGE, WORK_SKIP, WORK_SUSPEND, WORK_DELETE_APP,
	WORK_DELETE_NETWORK, WORK_DELETE_ORG, WORK_DRAIN, WORK_DELETE_NODE, WORK_PEER, WORK_REKEY, WORK_PEER_SUSPEND, WORK_MOVE, WORK_DELETE_PEER,
	WORK_RULE, WORK_DELETE_RULE,
};

struct work {
	struct op op;
	struct world *w;
	struct ctl *ctl;
	enum work_kind kind;
	char org[24], network[24], app[24], node[NAME_SIZE], region[8], id[NAME_INSTANCE_ID_SIZE], peer[24];
	char to_org[24], to_app[24], alias[24], rule[ID_TEXT_SIZE];
	uint8_t key[32];
	uint64_t lives_ms;
	unsigned which; /* in the model's table */
	enum store_instance_verb verb;
	uint32_t desired;
	bool flag, wait;
	uint32_t live[HOSTS_MAX];
	size_t n_live;
	/* results */
	struct store_instance instance;
	struct store_peer found;
	bool gone;
};

/* What an answer means. */
void model_acknowledged(struct model *m, const struct work *k);
void model_not_known(struct model *m, const struct work *k);
void model_refused(struct world *w, const struct work *k);
void model_wait(struct work *k);

/* workload.c for workload_peers.c. */
struct work *work_new(struct world *w, enum work_kind kind);
void work_ask(struct work *k);
/* Any that was asked for; UINT_MAX = none. */
unsigned model_any(struct world *w, const struct thing *list, unsigned n, bool also_going);

/* The same for peering rules (rules.c). */
int work_run_rule(struct store *store, struct work *k);
void model_acknowledged_rule(struct model *m, const struct work *k);

/* The same for peers. */
bool work_is_of_peer(enum work_kind kind);
int work_run_peer(struct store *store, struct work *k);
void model_act_on_peers(struct world *w);
void model_acknowledged_peer(struct model *m, const struct work *k);
void model_refused_peer(struct world *w, const struct work *k);
void model_check_peers(struct world *w, const struct archive *a);
