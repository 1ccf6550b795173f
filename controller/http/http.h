/* http - HTTP/1.1 listeners (TCP and one UNIX socket) in our event loop; the only room that knows libmicrohttpd.
 *
 * The server reads a whole request (method, target, the headers below, body up to a limit) and gives it to one handler in the loop
 * thread. The handler answers with http_reply, at once or any time later, exactly once, also if the client has gone or the server
 * was stopped meanwhile; after that the request must not be touched. What breaks HTTP is refused here and never reaches the handler. */
#pragma once
#include "controller/http/http_target.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/json.h"
#include "lib/base/loop.h"

#include <sys/types.h>

#define HTTP_REQUEST_ID_SIZE 17
#define HTTP_BODY_MAX (1u << 20)

struct http_config {
	const char *const *listen; /* "192.0.2.1:4280", "[::1]:4280"; port 0 = any free one, see http_server_port */
	size_t n_listen;
	const char *const *tls_listen; /* the same, for https; behind those of `listen` in http_server_port's order */
	size_t n_tls_listen;
	struct http_tls *tls;     /* for them; outlives the server */
	const char *socket_path;  /* UNIX socket; NULL = none. Made 0660, replaced if a stale one is there */
	const char *socket_group; /* its group, whose members count as local operators; NULL or unknown = root only */
	const char *const *host_names; /* accepted in Host besides address literals and "localhost" */
	size_t n_host_names;
	/* 0 = the default in brackets */
	unsigned connections;             /* by TCP, all listeners together; less if there are not so many descriptors [10240] */
	unsigned connections_per_address; /* IPv6: per /64 [256] */
	unsigned requests_per_address;    /* a second, five times as many at once; 0 = no limit. Loopback has none */
	bool limit_loopback;              /* ... but here it has */
	unsigned header_ms;               /* from connect to complete headers [10 s] */
	unsigned body_ms;                 /* from headers to complete body [30 s] */
	unsigned idle_ms;                 /* from a reply to the next complete headers [75 s] */
	unsigned stream_ms;               /* for a client to take what a stream has for it [30 s] */
	size_t body_max;                  /* [HTTP_BODY_MAX] */
	size_t bodies_max;                /* of all requests being read together [64 MiB] */
};

struct http_tls;

struct http_request {
	char id[HTTP_REQUEST_ID_SIZE];
	char method[16];
	struct http_target target;
	char *authorization; /* the header's value; NULL if none. Wiped with the request */
	char *host;              /* the header's value, one that was accepted; NULL for local */
	bool tls;                /* came by https */
	char *idempotency_key, *if_match, *if_none_match; /* those headers' values, as they came; NULL if none */
	char *lease_nonce;   /* of the header fly-machine-lease-nonce; NULL if none. Wiped with the request */
	bool flyctl;         /* says that it is flyctl, or that flyctl started it */
	char *last_event_id;  /* header Last-Event-ID; NULL if none */
	bool wants_events;    /* header Accept names text/event-stream */
	struct buf body;
	bool chunked_or_length;  /* a body was announced */
	bool local;              /* came by the UNIX socket */
	bool forwarded;          /* a proxy says that it asks for somebody else */
	bool local_operator;     /* ... from root or a member of the group */
	uid_t uid;               /* of a local one */
	uint8_t source[16];      /* address, IPv4 mapped into IPv6; zero for local */
	uint64_t begun_ms;       /* loop_now_ms at its headers */
	void *user;              /* the handler's */
};

struct http_reply {
	unsigned status;
	const char *content_type; /* NULL = application/json */
	const void *body;         /* copied */
	size_t body_len;
	bool body_stays;          /* longer than the server: it is not copied for each who asks and takes nothing */
	uint64_t v;               /* header Sixpn-Version; 0 = none */
	const char *allow;        /* header Allow, of 405 */
	unsigned retry_after_s;   /* header Retry-After; 0 = none */
	bool authenticate;        /* header WWW-Authenticate: Bearer, of 401 */
	const char *etag;         /* header ETag, with its quotes; NULL = none */
	const char *policy;       /* header Content-Security-Policy, of pages */
	bool replayed;            /* header Idempotent-Replayed: true */
	const json_t *detail;     /* of an error: further members of its object; borrowed, may be NULL */
};

struct http_server;

struct http_counts {
	size_t connections;
	uint64_t refused, evicted, late; /* connections: too many of one address; to make room; too slow */
	uint64_t limited;                /* requests: too many of one address */
};

/* Opens all listeners; E_REFUSED with why if one cannot be had (the address is named), -errno otherwise. The config's strings
 * must outlive the server. */
int http_server_new(struct loop *loop, const struct clock *clock, const struct http_config *config,
		    void (*handle)(void *ctx, struct http_request *request), void *ctx, struct http_server **ret_server,
		    struct why *why) MUST_CHECK;
/* Answers what is parked with 503, closes everything. Requests that were not answered yet stay valid for http_reply. */
struct http_server *http_server_free(struct http_server *server);
uint16_t http_server_port(const struct http_server *server, size_t listener);
size_t http_server_connections(const struct http_server *server); /* by TCP */
struct http_counts http_server_counts(const struct http_server *server);

void http_reply(struct http_request *request, const struct http_reply *reply);
/* A JSON document, which is consumed. */
void http_reply_json(struct http_request *request, unsigned status, uint64_t v, json_t *doc);
/* The same with status and headers of `like`. */
void http_reply_document(struct http_request *request, const struct http_reply *like, json_t *doc);
/* {"error":{"code","message","field","hint","request"}}; hint may be NULL. `reply` may be NULL, else its headers are used. */
void http_reply_error(struct http_request *request, unsigned status, const struct why *why, const char *hint,
		      const struct http_reply *reply);

/* A reply whose body is made bit by bit, for as long as the client stays and takes it. The request stays the stream's until `closed`. */
struct http_stream {
	/* Up to max bytes into buf: how many; 0 = nothing now, http_stream_wake says when to ask again; -1 = that was all. */
	long (*read)(void *ctx, char *buf, size_t max);
	/* Called exactly once, after which the request must not be touched. slow: the client took nothing for stream_ms. */
	void (*closed)(void *ctx, bool slow);
	void *ctx;
};
/* Instead of http_reply: status and headers of `like`. May call closed before it returns. */
void http_reply_stream(struct http_request *request, const struct http_reply *like, const struct http_stream *stream);
void http_stream_wake(struct http_request *request);
