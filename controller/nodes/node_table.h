/* node_table - every machine of ours as the loop knows it: who it is (from the store), and what it last said (from its polls). */
#pragma once
#include "controller/api/api_env.h"
#include "controller/nodes/allowance.h"
#include "controller/nodes/convergence.h"
#include "controller/nodes/health.h"
#include "controller/store/store_node.h"
#include "lib/base/crypto.h"
#include "lib/base/map.h"

#define NODE_AWAITS_MAX 64
#define NODE_NEVER UINT64_MAX

struct node_await {
	uint32_t network;
	uint64_t v;
};

struct node_error {
	uint32_t kind;
	uint8_t key[RECORD_KEY_MAX];
	uint8_t key_len;
	uint64_t v;
	char text[160];
};

struct node_held { /* a delete that the node holds back */
	uint32_t kind;
	uint8_t key[RECORD_KEY_MAX];
	uint8_t key_len;
	uint64_t v;
};
#define NODE_RECORDS_MAX 64 /* of errors and of held deletes, kept per node; the counts are whole */
#define NODE_RELEASES_MAX 3 /* a release is told again if the node still holds, but not for ever */

/* As the status last told it. */
enum node_shown { NODE_SHOWN_WAITED_FOR, NODE_SHOWN_READY, NODE_SHOWN_UNKNOWN };

struct snapshot;

struct node_entry {
	/* who it is */
	uint32_t host;
	char name[NAME_SIZE], region[NAME_REGION_SIZE];
	uint32_t roles;
	uint8_t link_key[32];
	bool draining, revoked;
	bool from_start; /* known since the controller started: it gets time to come back */
	struct addr_endpoint endpoints[RECORD_ENDPOINTS_MAX];
	size_t n_endpoints;

	struct node_gateway { /* where customers find it, as it last said */
		char host[254];
		uint16_t port;
		uint8_t key[32];
		bool said, stored, storing;
	} gateway;

	/* its session */
	uint32_t session;
	uint64_t cloned_ms; /* monotonic, when another machine with its identity was fenced last; NODE_NEVER */
	bool boot_conflict; /* the store knows a later boot of this identity: this session is a copy */
	char version[32];
	bool has_metrics;
	struct addr_endpoint metrics; /* where others scrape it; an address of zeros is any of its own */
	uint64_t polled_ms; /* monotonic, of the last poll; NODE_NEVER */
	bool seen_changed;  /* polled since that was last stored */

	/* what it has applied */
	bool acked;               /* it holds our log at applied_v; else it needs a snapshot */
	uint64_t applied_v;
	uint64_t first_pending_v; /* the first change of its scope above applied_v; NODE_NEVER = none */
	uint64_t n_pending;
	struct node_error *errors; /* the first n_errors_kept */
	size_t n_errors, n_errors_kept;
	struct node_held *held; /* the first n_held_kept */
	size_t n_held, n_held_kept;
	uint64_t features; /* that its last poll announced */
	unsigned releases; /* its held deletes are to go: how often that may still be told */

	/* its parked poll */
	uint64_t handle; /* 0 = none */
	uint64_t park_until_ms;
	uint32_t park_ms; /* that its last poll was told */
	struct node_await awaits[NODE_AWAITS_MAX];
	size_t n_awaits;
	bool dirty;
	struct node_entry *next_dirty;

	struct snapshot *snapshot; /* being pulled */
	struct reasons *reasons;   /* for the next one, if has_reasons; NULL = none */
	bool has_reasons, reading_reasons;
	uint64_t cursor_v;         /* our log at which it said to be, when it last polled; 0 = not our log, or nothing */
	uint64_t healed_ms, asked_ms; /* monotonic, the last heal, and the last time its digests were asked for; NODE_NEVER */
	uint64_t whole_ms;            /* when it last said that it has taken a whole snapshot; NODE_NEVER */
	uint64_t whole_v;             /* and what it held then */
	uint32_t whole_session;

	struct allowance may_report, may_move; /* records: of its instances, and of its endpoints and keys */

	/* what can be seen of it */
	enum node_shown shown;
	uint64_t back_ms; /* Unix time of its first poll after it was away, or ever */
	uint64_t drifts;  /* its copy differed at equal V */
	uint64_t unproven; /* polls that named a later controller without proof */
	struct convergence convergence;
	struct health health;
};

struct node_table {
	struct map by_host, by_key;
};

void node_table_deinit(struct node_table *t);
/* Adds or brings up to date. -ENOMEM. */
int node_table_put(struct node_table *t, const struct store_node *node, struct node_entry **ret_entry) MUST_CHECK;
struct node_entry *node_table_find(const struct node_table *t, uint32_t host);
struct node_entry *node_table_find_key(const struct node_table *t, const uint8_t link_key[32]);
struct node_entry *node_table_find_name(const struct node_table *t, const char *name);
/* for (size_t i = 0; (node = node_table_next(t, &i)); ) - revoked ones too */
static inline struct node_entry *node_table_next(const struct node_table *t, size_t *at)
{
	return map_next(&t->by_host, at);
}
