/* work - what model.c, which remembers, and workload.c, which asks, share. */
#pragma once
#include "controller/store/store_instance.h"
#include "tests/sim/model.h"

#define THINGS_MAX 24
#define INSTANCES_MAX 200

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

struct model {
	struct thing orgs[THINGS_MAX], networks[THINGS_MAX], apps[THINGS_MAX];
	unsigned n_orgs, n_networks, n_apps;
	struct instance_memory instances[INSTANCES_MAX];
	unsigned n_instances;
	uint64_t acknowledged_v;
	unsigned at_work, waiting;
};

enum work_kind {
	WORK_REGION, WORK_TOKEN, WORK_ORG, WORK_NETWORK, WORK_APP, WORK_CREATE, WORK_CHANGE, WORK_SKIP, WORK_SUSPEND, WORK_DELETE_APP,
	WORK_DELETE_NETWORK, WORK_DELETE_ORG, WORK_DRAIN, WORK_DELETE_NODE,
};

struct work {
	struct op op;
	struct world *w;
	struct ctl *ctl;
	enum work_kind kind;
	char org[24], network[24], app[24], node[NAME_SIZE], region[8], id[NAME_INSTANCE_ID_SIZE];
	unsigned which; /* in the model's table */
	enum store_instance_verb verb;
	uint32_t desired;
	bool flag, wait;
	uint32_t live[HOSTS_MAX];
	size_t n_live;
	/* results */
	struct store_instance instance;
	bool gone;
};

/* What an answer means. */
void model_acknowledged(struct model *m, const struct work *k);
void model_not_known(struct model *m, const struct work *k);
void model_refused(struct world *w, const struct work *k);
void model_wait(struct work *k);
