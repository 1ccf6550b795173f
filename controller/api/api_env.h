/* api_env - what the HTTP API needs to know from the rest of the controller, as a table of functions so that tests can fake it.
 *
 * Everything here is called in the loop thread and answers from memory at once, except `wait`, which calls back later (also in the
 * loop thread, possibly before it returns). Times are Unix ms unless the name says `ago`. */
#pragma once
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/loop.h"
#include "lib/base/recent.h"
#include "lib/sixpn/record.h"

#define API_NODE_ERRORS_MAX 8

struct event;
struct http_stats;

/* One node as the controller sees it now. */
struct api_node_state {
	uint32_t host; /* host word */
	char name[NAME_SIZE], region[NAME_REGION_SIZE];
	uint32_t roles; /* ROLE_HOST | ROLE_GATEWAY */
	bool ready;     /* polled within 3 park times; else its state is unknown */
	bool draining;
	bool cloned;    /* another machine with its identity was fenced in the last minute */
	uint64_t applied_v, lag; /* changes of its scope that it has not applied */
	uint64_t last_poll_ago_ms; /* UINT64_MAX = never */
	char version[32];
	char metrics[ADDR_ENDPOINT_TEXT_LEN]; /* where its own GET /metrics is for others; "" = nowhere, or it did not say */
	size_t n_errors; /* all of them; the first API_NODE_ERRORS_MAX are in errors */
	struct api_node_error {
		char record[80], text[160];
	} errors[API_NODE_ERRORS_MAX];
	size_t n_held; /* deletes that it holds back; the first are in held */
	char held[API_NODE_ERRORS_MAX][80];
	struct recent_summary applied; /* commit to acknowledgement, of the last hour */
	uint64_t peers, peers_online; /* of a gateway: customers' WireGuard peers that it has, as it last said */
};

/* Waits until every node that is not unknown has applied V; with `instance`, also until that instance's observed state has
 * reached what `desired` asks for (DESIRED_*) at `generation` or later, and the V of that report is applied. */
struct api_wait {
	uint64_t first_v, v; /* of the change: errors and held deletes of these are told */
	uint32_t timeout_ms;
	bool strict;                          /* wait for unknown nodes too */
	char on[NAME_SIZE];                   /* only this node; "" = all */
	char instance[NAME_INSTANCE_ID_SIZE]; /* "" = none */
	uint32_t desired;
	uint64_t generation;
	uint32_t also; /* or, just as good, what these ask for: bits 1 << DESIRED_* */
	bool ends_stopped, ends_failed; /* wanted started, it is given up once it is so: its host will not start it again */
	char gateway[NAME_SIZE]; /* this one too, known or unknown: without it the change is worth nothing; "" = none */
	uint64_t gateway_v;      /* which must have applied this much, if that is later than v */
	bool give_up;            /* end as soon as that gateway has fallen silent, not only when the time is up */
	char peer[17];           /* whose gateway that is (id), for whoever goes on waiting; "" = nobody's */
	bool foreign;  /* not all of those versions are the asker's: only what is about the instance is told by name */
	bool released; /* with `on`: until that node holds no delete back any more */
};

#define API_WAIT_NAMES_MAX 64 /* names listed per kind; the counts are always whole */
#define API_WAIT_RECORDS_MAX 32

/* A record that one node could not apply, or whose delete it holds back. */
struct api_wait_record {
	char node[NAME_SIZE];
	struct api_node_error error; /* text "" if it is held */
};

struct api_wait_result {
	bool applied; /* false = the time was up, or: */
	bool lost;    /* the gateway that had to apply it has fallen silent */
	bool ended;   /* the instance is not started, and will not be */
	uint64_t v, v_observed; /* v_observed 0 = no report was waited for or none came */
	uint64_t withdrawn_ms;  /* of stop and delete: after which time the first change was applied everywhere; 0 = not known */
	uint32_t nodes;         /* that were asked for */
	uint32_t n_unknown, n_laggards;
	char unknown[API_WAIT_NAMES_MAX][NAME_SIZE], laggards[API_WAIT_NAMES_MAX][NAME_SIZE];
	uint32_t n_errors, n_held;
	struct api_wait_record errors[API_WAIT_RECORDS_MAX], held[API_WAIT_RECORDS_MAX];
	char observed[24];           /* instance_state_name, "" = not asked */
};

/* What the gateway of a peer last said of it. */
struct api_peer_state {
	bool known; /* else nothing was heard since this controller started, and only gateway_live is set */
	bool gateway_live, online;
	uint64_t last_handshake_ms; /* Unix time; 0 = none since the gateway's device has it */
	uint64_t rx_bytes, tx_bytes; /* as the gateway counts: rx came from the peer */
	uint64_t reported_ms;
	char endpoint[ADDR_ENDPOINT_TEXT_LEN];
};

struct api_env_ops {
	uint64_t (*current_v)(void *ctx);
	void (*each_node)(void *ctx, void (*visit)(void *visit_ctx, const struct api_node_state *node), void *visit_ctx);
	/* Networks that pass nothing because their org is suspended. May be NULL: nothing is known of any. */
	void (*each_suspended)(void *ctx, void (*visit)(void *visit_ctx, const struct network_record *network), void *visit_ctx);
	/* Host words of nodes that may be given new work now; returns how many were written, at most max. */
	size_t (*live_nodes)(void *ctx, uint32_t *ret_hosts, size_t max);
	/* May be NULL: then wait=applied is refused with a clear text. Calls done exactly once; 0 or -errno (then never). */
	int (*wait)(void *ctx, const struct api_wait *wait, void (*done)(void *done_ctx, const struct api_wait_result *result),
		    void *done_ctx);
	/* Rises whenever the status would be told differently. */
	uint64_t (*revision)(void *ctx);
	/* Commit to acknowledgement of all nodes, of the last hour. */
	struct recent_summary (*recent)(void *ctx);
	/* What happened after that number, oldest first; the newest 256 are known. */
	void (*each_event)(void *ctx, uint64_t after, void (*visit)(void *visit_ctx, const struct event *event), void *visit_ctx);
	/* Calls done once: when the revision (events_only: the newest event) is not `after` any more, or the time is up. 0 or -errno
	 * (then never). */
	int (*watch)(void *ctx, bool events_only, uint64_t after, uint32_t timeout_ms, void (*done)(void *done_ctx), void *done_ctx);
	/* What /metrics says, the API's own numbers included. */
	void (*metrics)(void *ctx, const struct http_stats *http, struct buf *text);
	/* Tells the node to let go the deletes that it holds back: how many those are, 0 = none. -ENOENT: no such node;
	 * -EOPNOTSUPP: its version cannot. */
	int (*release_held)(void *ctx, uint32_t host);
	/* False: there is no such peer. May be NULL: nothing is known of any. */
	bool (*peer_state)(void *ctx, const uint8_t id[8], struct api_peer_state *ret);
};

/* How programs get to this API. */
struct http_tls;
struct api_access {
	char url[256]; /* "http://127.0.0.1:4280", also for links */
	const struct http_tls *tls; /* NULL: no https */
	bool self_made;             /* its certificate: clients must pin the key */
};

struct store_thread;
struct backups;

struct api_env {
	const struct api_env_ops *ops;
	void *ctx;
	struct loop *loop;
	struct clock clock;
	struct store_thread *store;
	struct backups *backups;     /* NULL: none are made here */
	const struct api_access *access; /* NULL: not known */
	const char *advertise;       /* "address:port[,address:port]" of the control link, put into join tokens */
	uint8_t link_public_key[32]; /* the controller's Noise key, put into join tokens */
	uint64_t started_ms;         /* Unix ms */
	uint32_t requests_per_token; /* a second, of one that is no operator's; 0 = no limit */
};
