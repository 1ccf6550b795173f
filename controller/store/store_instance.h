/* store_instance - instances: placed once, wanted by the API, seen by their host. A delete is two steps: desired = destroyed; the
 * host's report that it is gone (or the node's deletion, or force) writes the tombstones of instance and workload. */
#pragma once
#include "controller/store/store.h"

#define STORE_SPEC_MAX 61440 /* of the workload table: a whole record stays below 64 KiB */

struct store_instance {
	struct instance_record record;
	uint8_t org[ID_LEN];
	char org_name[NAME_SIZE], app_name[NAME_SIZE], network_name[NAME_SIZE];
	char host_name[NAME_SIZE];
	char region[NAME_REGION_SIZE]; /* of the host it runs on */
	uint8_t address[16];
	uint64_t created_ms, updated_ms;
	uint64_t v;                    /* of its record now */
};

struct store_instance_new {
	const char *org, *app;   /* as in store_app_find; org may be NULL */
	const char *region;      /* region or host must be given */
	const char *host;        /* NULL = placed; else a node's name */
	bool anywhere;           /* without a region: that of the least loaded host */
	const char *group, *name; /* NULL or "" = "app" and none */
	const struct metadata_pair *metadata;
	size_t n_metadata;
	bool dns_skip, cordoned;
	uint32_t desired;        /* DESIRED_STARTED or DESIRED_STOPPED */
	const char *spec;        /* JSON, schema 1; kept as is */
	size_t spec_len;
	const uint32_t *live;    /* host words of the nodes that are live now */
	size_t n_live;
};

enum store_instance_verb { INSTANCE_START, INSTANCE_STOP, INSTANCE_RESTART, INSTANCE_DESTROY };

int store_instance_create(struct store *store, struct op *op, const struct store_instance_new *in,
			  struct store_instance *ret_instance) MUST_CHECK;
/* By id (14 hex digits). */
int store_instance_find(struct store *store, const struct principal *who, const char *id, struct store_instance *ret_instance,
			struct why *why) MUST_CHECK;
struct store_instance_filter {
	const char *org, *app; /* as in store_app_find; NULL = all that are visible */
	const char *region;    /* NULL = all */
	uint32_t host;         /* 0 = all */
	uint32_t network;      /* 0 = all */
	bool by_state;
	uint32_t state;        /* as its host last said, with by_state; 0 = nothing yet */
};
int store_instance_list(struct store *store, const struct principal *who, const struct store_instance_filter *filter,
			const struct store_page *page, void (*each)(void *arg, const struct store_instance *instance), void *arg,
			struct store_next *ret_next, struct why *why) MUST_CHECK;
/* Its workload: for those who may deploy. The text is the caller's (buf). */
int store_instance_get_spec(struct store *store, const struct principal *who, const char *id, struct buf *ret_spec,
			    struct why *why) MUST_CHECK;
/* start and stop of what is so already change nothing (op->v stays 0) but still succeed; restart and destroy raise the generation.
 * force (destroy only) writes the tombstones at once: *ret_gone. */
int store_instance_change(struct store *store, struct op *op, const char *id, enum store_instance_verb verb, bool force,
			  struct store_instance *ret_instance, bool *ret_gone) MUST_CHECK;
/* Metadata is replaced whole. NULL leaves metadata as it is; bools likewise unless their set_ is true. */
struct store_instance_update {
	const struct metadata_pair *metadata;
	size_t n_metadata;
	bool set_dns_skip, dns_skip, set_cordoned, cordoned;
};
int store_instance_update(struct store *store, struct op *op, const char *id, const struct store_instance_update *in,
			  struct store_instance *ret_instance) MUST_CHECK;

/* Another workload: the next generation, which a running instance is restarted into. Metadata is replaced whole. */
struct store_instance_config {
	const char *name;  /* NULL = as it is */
	const char *group; /* NULL = as it is */
	const struct metadata_pair *metadata;
	size_t n_metadata;
	bool dns_skip;
	bool start;        /* also if it is wanted stopped */
	const char *spec;  /* JSON, schema 1 */
	size_t spec_len;
};
int store_instance_configure(struct store *store, struct op *op, const char *id, const struct store_instance_config *in,
			     struct store_instance *ret_instance) MUST_CHECK;

struct store_report {
	char id[NAME_INSTANCE_ID_SIZE];
	struct observed observed;
};
struct store_report_refusal {
	char id[NAME_INSTANCE_ID_SIZE];
	char text[160];
	bool later; /* it may be said again */
};
#define STORE_REPORT_MAX 1000
/* From a node (op->principal is PRINCIPAL_NODE). Foreign or unknown instances are refused one by one ("not here"), older
 * generations ignored, what is known already changes nothing; of what would be news, `max` become records and the rest is refused for
 * later. ret_refused has room for n; *ret_n_made: how many became records. */
int store_instance_report(struct store *store, struct op *op, const struct store_report *reports, size_t n, size_t max,
			  struct store_report_refusal *ret_refused, size_t *ret_n_refused, size_t *ret_n_made) MUST_CHECK;
