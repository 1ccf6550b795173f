/* http_internal - an exchange (one request and its reply) and the server, for the files of this room alone. */
#pragma once
#include "controller/http/connections.h"
#include "controller/http/http.h"
#include "controller/http/limiter.h"

#include <microhttpd.h>

struct listener {
	struct http_server *server;
	struct MHD_Daemon *daemon;
	struct loop_io io;
	struct loop_timer kick;
	uint16_t port;
	bool local, tls;
	bool resumed; /* a connection, since the library ran */
};

struct exchange {
	struct http_request request;
	struct http_server *server; /* NULL once that is gone */
	struct listener *listener;  /* as long as mhd */
	struct exchange *next, **link;
	struct http_connection *connection;
	struct MHD_Connection *mhd; /* NULL once libmicrohttpd let go */
	struct MHD_Response *response;
	unsigned status;
	bool target_bad, begun, handed, with_handler, suspended, too_large, queued;
	bool stream_ends; /* because the server does */
	struct http_stream stream; /* read NULL: its reply is none */
	size_t discarded;
	struct why why;
};

struct http_server {
	struct loop *loop;
	struct clock clock;
	struct http_config config;
	void (*handle)(void *ctx, struct http_request *request);
	void *ctx;
	gid_t group;
	struct listener *listeners;
	size_t n_listeners, body_bytes;
	struct http_connections connections;
	struct limiter *limiter;
	struct exchange *exchanges;
	struct loop_after after;
	bool stopping; /* the handler may stand on nothing any more: it gets no new request */
};

void http_exchange_free(struct exchange *x);
void http_exchange_resume(struct exchange *x); /* nothing, if it is not suspended */
/* A refusal by the server itself, for an exchange that the handler never saw or never answered. like: further headers, may be NULL. */
void http_exchange_refuse(struct exchange *x, unsigned status, const struct why *why, const char *hint, const struct http_reply *like);
