/* api - one HTTP request on its way through the controller: route, principal, checks, store thread, wait, reply.
 *
 *   loop:   http -> route_find -> auth_ask -> table and route->check  (or route->answer from memory, and done)
 *   store:  route->run
 *   loop:   records into memory (main) -> route->finish -> wait=applied parks in api_env.wait -> reply
 */
#pragma once
#include "controller/api/api_env.h"
#include "controller/api/auth.h"
#include "controller/api/logins.h"
#include "controller/http/http.h"
#include "controller/api/route.h"

#define API_LIVE_MAX 8192
#define API_WAITS_MAX 256      /* parked at the same time */
#define API_CALLS_PER_ORG 128  /* under way at the same time: less than each of these two */
#define API_STORE_QUEUE_MAX 2048
#define API_WAIT_MAX_MS 120000u
#define API_WAIT_DEFAULT_MS 10000u
#define API_TRIES_MAX 3 /* gateways that fall silent one after the other under one request */

struct api;

struct api_call {
	struct op op;
	struct auth_question question;
	struct api_wait_result *waited; /* while the token is looked at once more */
	struct api *api;
	struct http_request *request;
	const struct route *route;
	const char *params[ROUTE_PARAMS_MAX];
	json_t *body; /* an object, never NULL once the route's functions run; the store thread's while it runs */
	/* results of the route's functions */
	json_t *reply;
	struct buf text;        /* instead of reply, if text_type is set */
	char *text_policy; /* of a page: Content-Security-Policy; owned */
	const char *text_type;
	const char *text_stays; /* instead of text, if it stays as long as the api */
	unsigned status; /* of a good reply, if it is not the one of the table; 0 = it is */
	json_t *detail; /* of a refusal: further members of the error */
	json_t *items; /* of a list: what the row callback fills */
	char after[STORE_CURSOR_SIZE]; /* of a list: where it goes on, "" = from the start; see cursor.h */
	struct api_wait wait; /* set by check or run: instance, desired, generation if they are to be waited for; v if it wrote nothing */
	/* of Idempotency-Key; see api_retry.h */
	struct api_retry {
		bool on, replayed;
		uint8_t id[32], request[32];
		unsigned status;
		uint64_t v;
	} retry;
	/* private */
	struct gql_request *graphql; /* of /graphql; with the next two set by its check */
	bool writes, frees;          /* as the route's, or as the operation asks */
	bool has_share;
	bool want_wait, dry_run, dry_run_worked;
	uint32_t *live;
	size_t n_live;
	unsigned tries; /* runs before this one that were in vain */
	uint8_t made[ID_LEN]; /* what they made, to be undone */
	char lost[NAME_SIZE]; /* the gateway for which they were in vain */
};

int api_new(const struct api_env *env, struct api **ret_api) MUST_CHECK;
/* The handler for http_server_new, with ctx = the api. */
void api_handle(void *api, struct http_request *request);
/* A committed record: for main's store_thread_events.committed. */
void api_note_record(struct api *api, const struct record *record);
/* When tokens were used last, into the store now and not at the next minute: for tests. */
void api_write_uses(struct api *api);
/* After the store thread was stopped and the HTTP server freed. */
struct api *api_free(struct api *api);
const struct api_env *api_get_env(const struct api *api);
const struct http_stats *api_http_stats(const struct api *api);
void api_set_server(struct api *api, const struct http_server *server); /* for its numbers; NULL when it goes */

/* ---- for the nouns ---- */

struct logins *api_logins(struct api *api);
/* What /v1/openapi.json says. Made once: it takes some milliseconds of the loop, and anybody may ask. NULL: no memory. */
const char *api_description(struct api *api);
/* For a route that is open to all, and judges a token itself: who is that? */
void api_ask(struct api_call *call, const char *authorization, void (*answered)(struct auth_question *question));

/* The end of what route->start began: result as of an op, with call->reply, or the reason in call->op.why. */
void api_end(struct api_call *call, int result);
/* Its request is answered by a stream: the call is gone, and nothing was sent. */
void api_end_as_stream(struct api_call *call);

/* Of a good reply, as things stand. */
unsigned api_success_status(const struct api_call *call);
const struct principal *api_who(const struct api_call *call);
/* Fields of the body; NULL / fallback if absent. */
const char *api_str(const struct api_call *call, const char *name);
int64_t api_int(const struct api_call *call, const char *name, int64_t fallback);
double api_num(const struct api_call *call, const char *name, double fallback);
bool api_bool(const struct api_call *call, const char *name, bool fallback);
bool api_has(const struct api_call *call, const char *name);
const char *api_query(const struct api_call *call, const char *name); /* NULL if absent */
/* The node and the network that a list is narrowed to: names in the query (node_field; "network", of "org") become words; 0 = not asked
 * for. *ret_none: that node is nowhere, so nothing can match; customers see the names of nodes in lists, and learn no more by this. */
int api_query_place(struct store *store, struct api_call *call, const char *node_field, uint32_t *ret_host, uint32_t *ret_network,
		    bool *ret_none);
/* A query parameter that is one of these (NULL-ended) words, or absent. E_REFUSED. */
int api_check_word(const struct api_call *call, const char *name, const char *const *words, struct why *why) MUST_CHECK;
/* For PUT, which finds or makes: E_REFUSED "forbidden" unless the asker may do that in this org (what is as it should be is never looked at by a
 * mutating call of the store). */
int api_may(struct api_call *call, const uint8_t org[ID_LEN], enum principal_action action, const char *noun) MUST_CHECK;
/* E_REFUSED "field_immutable", naming both values. */
int api_immutable(struct api_call *call, const char *field, const char *is, const char *given);
bool api_query_true(const struct api_call *call, const char *name);   /* "1", "true" or "" */
/* The page asked for by after, limit and prefix. */
struct store_page api_page(const struct api_call *call);
/* {"items":[...],"next":...} from call->items, which must have been filled. */
void api_set_list(struct api_call *call, const struct store_next *next);
/* Appends (and takes) one row; call->items is made on first use. */
void api_add_item(struct api_call *call, json_t *item);

/* With wait=applied, also until this instance is as it is wanted. */
struct store_instance;
/* ... also until its gateway has it (the one that it is on its way to, if it moves), be that known or not: else the file that is made of
 * the reply opens no tunnel. */
struct store_peer;
void api_wait_for_peer(struct api_call *call, const struct store_peer *peer);
void api_wait_for_instance(struct api_call *call, const struct store_instance *instance);
void api_add_wait_result(json_t *reply, const struct api_wait *wait, const struct api_wait_result *result);

/* Small JSON helpers: text forms that the API uses everywhere. */
json_t *api_json_time(uint64_t unix_ms); /* RFC 3339, null for 0 */
json_t *api_json_id(const uint8_t id[ID_LEN]);
/* What flyctl calls that org: "personal" for a person's own; else `name` itself. */
const char *api_org_slug(const struct principal *who, const uint8_t org[ID_LEN], const char *name);
json_t *api_json_str(const char *text);  /* null for "" */
json_t *api_json_deletion(const struct store_deletion *deletion);
/* "30m", "7d", or RFC 3339 -> Unix ms; 0 text or "never" = 0. E_REFUSED. */
int api_parse_expiry(const char *field, const char *text, uint64_t now_ms, uint64_t *ret_ms, struct why *why) MUST_CHECK;
