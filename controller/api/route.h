/* route - the one table of what the API offers: method, path, who may ask, what the body and the query hold, and what runs. The
 * router, the checks of bodies, the description for programs and the tests that walk every route read this table and nothing else. */
#pragma once
#include "controller/http/http_target.h"
#include "controller/store/store.h"
#include "lib/base/json.h"

#define ROUTE_PARAMS_MAX 4

struct api_call;
struct api_wait_result;
struct shape;

/* How a family of routes answers whose clients expect another form than that of /v1. Loop thread. */
struct route_manner {
	/* The body of a refusal; may change the status. call->reply is what `run` left (to be taken or let be). */
	json_t *(*refusal)(struct api_call *call, const struct why *why, unsigned *status);
	/* The end of waiting: call->reply as it is to be sent; gives the status. */
	unsigned (*waited)(struct api_call *call, const struct api_wait_result *result);
};

enum route_auth {
	ROUTE_OPEN,     /* nobody needs to say who he is */
	ROUTE_LOCAL,    /* the local socket, from root or the admins' group */
	ROUTE_TOKEN,    /* any principal; the store judges what it sees and may */
	ROUTE_NEAR,     /* operators; and from loopback anybody who gives no token and comes through no proxy */
	ROUTE_OPERATOR, /* operators only: others get 403 whether the object is there or not */
};

enum field_type {
	FIELD_TEXT,    /* max bytes of any characters */
	FIELD_STR,     /* min to max bytes (max 0 = 255), no control characters */
	FIELD_INT,     /* min to max */
	FIELD_NUM,     /* min to max */
	FIELD_BOOL,
	FIELD_STRINGS, /* min to max strings of at most ROUTE_TEXT_MAX bytes */
	FIELD_MAP,     /* at most max pairs of strings */
	FIELD_OBJECT,  /* looked into by the route's own check */
	FIELD_LIST,    /* at most max values; looked into by the route's own check */
};
#define ROUTE_TEXT_MAX 8192

struct route_field {
	const char *name;
	enum field_type type;
	int64_t min, max;
	bool required;
	const char *help;
};

struct route {
	const char *method, *pattern; /* "/v1/orgs/{org}" */
	enum route_auth auth;
	bool write; /* takes wait, timeout, strict, on, dry_run */
	bool waits; /* reads, and waits as a write with wait=applied does: takes timeout, strict, on */
	bool list;  /* takes after, limit, prefix */
	bool watch; /* takes after (a revision) and timeout: answered once there is something newer */
	bool watch_events; /* ... an event, not only another state */
	bool streams; /* with Accept: text/event-stream it is answered by server-sent events */
	bool frees; /* allowed on a full disk: a delete, and a backup, which may go to another one */
	bool secret; /* its reply holds what is shown once: it is not kept for Idempotency-Key */
	bool drops;   /* its body, whatever that is, is not looked at here: the route reads it itself, or not at all */
	bool graphql; /* the body decides whether it writes and waits */
	const struct route_manner *manner; /* NULL: as /v1 does */
	const char *act;  /* of a write without `run`, which changes memory or files: what it is for the audit, "verb noun" */
	unsigned success;  /* HTTP status of success, 0 = 200 */
	const char *query; /* further query parameters, separated by spaces */
	bool repeats;      /* "state" may be there several times */
	const struct route_field *fields; /* of the body, ended by a NULL name; NULL = no body */
	const struct shape *reply; /* what a good reply looks like (shape.h); of a list, each of its items */
	const struct shape *other; /* what it may look like instead, to whoever asks in the words of another view */
	bool array;                /* it is a bare list of these */
	const struct shape *error; /* of a route with a manner: what a refusal looks like; NULL: as a good reply */
	const char *text_type;     /* instead: the reply is text of this type */
	const char *help;
	/* Of a route about one object: its shape, and the function that shows it (store thread, sets call->reply): for ETag, If-Match and
	 * If-None-Match. Both NULL: it takes none of them. */
	const struct shape *object;
	int (*current)(struct store *store, struct api_call *call);
	/* Loop thread. Judges what the table cannot say; may be NULL. E_REFUSED with why. */
	int (*check)(struct api_call *call, struct why *why);
	/* Store thread; sets call->reply. As op->run. NULL = answered by `answer` or `start`. */
	int (*run)(struct store *store, struct api_call *call);
	/* Loop thread, from memory; sets call->reply. E_REFUSED with why. */
	int (*answer)(struct api_call *call, struct why *why);
	/* Loop thread. Begins what ends later, with api_end(). E_REFUSED with why: it did not begin. */
	int (*start)(struct api_call *call, struct why *why);
	/* Loop thread, with the result of `run` (after the records are in memory), to add what only memory knows; may be NULL. */
	void (*finish)(struct api_call *call);
	/* Loop thread, when the gateway of call->wait fell silent before it had the change: prepares another `run` (true), or lets it be.
	 * May be NULL. */
	bool (*again)(struct api_call *call);
};

/* All nouns, each a list ended by a NULL method; the list of lists ends with NULL. */
extern const struct route *const route_tables[];
/* Walks all routes: NULL at the end. */
const struct route *route_next(const struct route *at);

struct route_match {
	const struct route *route; /* NULL = none */
	const char *params[ROUTE_PARAMS_MAX]; /* the {…} of the pattern, in order; into target */
	size_t n_params;
	char allow[64]; /* methods of this path, if the path is known */
};
/* route NULL and allow "" = no such path; route NULL and allow set = no such method. */
void route_find(const struct http_target *target, const char *method, struct route_match *ret_match);

/* Body and query against the table. body may be NULL (none was sent). E_REFUSED with why. */
int route_check_body(const struct route *route, const json_t *body, struct why *why) MUST_CHECK;
int route_check_query(const struct route *route, const struct http_target *target, struct why *why) MUST_CHECK;
/* "10s", "500ms", "2m", "30" (seconds) -> ms, at most max_ms. E_REFUSED. */
int route_parse_duration(const char *field, const char *text, uint32_t max_ms, uint32_t *ret_ms, struct why *why) MUST_CHECK;

/* A query parameter that is 1, 0, true, false or nothing (which is true). */
bool route_is_yes_or_no(const char *name);

/* The description of all routes (OpenAPI 3.1; describe.c), new reference; NULL = no memory. */
json_t *route_describe(void);
