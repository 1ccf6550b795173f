/* http - see http.h. One libmicrohttpd daemon per listener, driven by its epoll descriptor and MHD_get_timeout in our loop.
 *
 * An exchange (one request and its reply) is held by libmicrohttpd until its completion callback and by the handler from
 * the moment it is handed over until http_reply; whoever lets go last frees it. While the handler thinks, the connection is
 * suspended; resuming happens in the loop thread alone and is followed by MHD_run in the same
 * round: before the timers, for whoever waits must not wait until nodes are served too, or after them if a timer brought the reply.
 *
 * libmicrohttpd's own time limit restarts with every byte, so a client that sends one byte a second would stay for ever: each
 * connection therefore carries a deadline for what it is doing now, and a sweep shuts down those that are late. */
#include "controller/http/http.h"

#include "controller/http/http_listen.h"
#include "controller/http/http_tls.h"
#include "lib/base/crypto.h"
#include "lib/base/log.h"
#include "lib/sixpn/name.h"

#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* TLS 1.2 and 1.3, and no key exchange without forward secrecy */
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA"
#define POOL_BYTES (16u << 10)
#define WRITE_MS 60000u
#define SILENCE_S 60u
#define SWEEP_MS 500u
#define RUNS_MAX 8 /* of the library in one round of the loop */
#define NO_DEADLINE UINT64_MAX

struct listener {
	struct http_server *server;
	struct MHD_Daemon *daemon;
	struct loop_io io;
	uint16_t port;
	bool local, tls;
};

struct connection {
	struct connection *next, **link;
	struct listener *listener;
	int fd;
	uint64_t deadline_ms;
	bool local_operator;
	uid_t uid;
	uint8_t source[16];
	struct certificate *certificate; /* of https: the one that it began with */
};

struct exchange {
	struct http_request request;
	struct http_server *server; /* NULL once that is gone */
	struct exchange *next, **link;
	struct connection *connection;
	struct MHD_Connection *mhd; /* NULL once libmicrohttpd let go */
	struct MHD_Response *response;
	unsigned status;
	bool target_bad, begun, handed, with_handler, suspended, too_large, queued;
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
	size_t n_listeners, n_connections, body_bytes;
	struct connection *connections;
	struct exchange *exchanges;
	struct loop_timer kick, sweep;
	struct loop_after after;
	bool resumed; /* a connection, since the library ran */
	bool stopping; /* the handler may stand on nothing any more: it gets no new request */
};

/* ---- exchanges ---- */

static void exchange_free(struct exchange *x)
{
	if (x->link) {
		*x->link = x->next;
		if (x->next)
			x->next->link = x->link;
	}
	if (x->server)
		x->server->body_bytes -= x->request.body.len;
	if (x->response)
		MHD_destroy_response(x->response);
	if (x->request.authorization) {
		crypto_wipe(x->request.authorization, strlen(x->request.authorization));
		free(x->request.authorization);
	}
	free(x->request.idempotency_key);
	free(x->request.if_match);
	free(x->request.if_none_match);
	buf_deinit(&x->request.body);
	free(x);
}

/* libmicrohttpd shows the target here before it decodes anything: what its own decoding would lose (%2F, %00) is still there. */
static void *exchange_new(void *cls, const char *uri, struct MHD_Connection *mhd)
{
	struct listener *listener = cls;
	struct http_server *server = listener->server;
	struct exchange *x = calloc(1, sizeof *x);
	uint8_t id[8];

	if (!x)
		return NULL;
	x->server = server;
	x->mhd = mhd;
	x->connection = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
	x->next = server->exchanges;
	x->link = &server->exchanges;
	if (x->next)
		x->next->link = &x->next;
	server->exchanges = x;
	x->request.body = BUF_INIT(server->config.body_max);
	x->target_bad = http_target_parse(uri, &x->request.target, &x->why) != 0;
	clock_random(&server->clock, id, sizeof id);
	crypto_hex(id, sizeof id, x->request.id);
	return x;
}

static void exchange_completed(void *cls, struct MHD_Connection *mhd, void **con_cls, enum MHD_RequestTerminationCode code)
{
	struct listener *listener = cls;
	struct exchange *x = *con_cls;

	(void)mhd;
	(void)code;
	if (!x)
		return;
	*con_cls = NULL;
	if (x->connection)
		x->connection->deadline_ms = loop_now_ms(listener->server->loop) + listener->server->config.idle_ms;
	x->mhd = NULL;
	x->connection = NULL;
	if (!x->with_handler)
		exchange_free(x);
}

/* ---- replies ---- */

static struct MHD_Response *make_response(const struct exchange *x, const struct http_reply *reply)
{
	struct MHD_Response *m =
		MHD_create_response_from_buffer(reply->body_len, (void *)(uintptr_t)reply->body, MHD_RESPMEM_MUST_COPY);
	char number[24];

	if (!m)
		return NULL;
	MHD_add_response_header(m, "Content-Type", reply->content_type ? reply->content_type : "application/json");
	MHD_add_response_header(m, "Cache-Control", "no-store");
	MHD_add_response_header(m, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(m, "Sixpn-Request", x->request.id);
	if (reply->v) {
		snprintf(number, sizeof number, "%llu", (unsigned long long)reply->v);
		MHD_add_response_header(m, "Sixpn-Version", number);
	}
	if (reply->allow)
		MHD_add_response_header(m, "Allow", reply->allow);
	if (reply->etag)
		MHD_add_response_header(m, "ETag", reply->etag);
	if (reply->replayed)
		MHD_add_response_header(m, "Idempotent-Replayed", "true");
	if (reply->authenticate)
		MHD_add_response_header(m, "WWW-Authenticate", "Bearer realm=\"sixpn\"");
	if (reply->retry_after_s) {
		snprintf(number, sizeof number, "%u", reply->retry_after_s);
		MHD_add_response_header(m, "Retry-After", number);
	}
	return m;
}

static void set_response(struct exchange *x, const struct http_reply *reply)
{
	x->response = make_response(x, reply);
	x->status = reply->status;
	if (x->suspended) {
		x->suspended = false;
		MHD_resume_connection(x->mhd);
		/* a resumed connection does not make the epoll descriptor readable */
		x->server->resumed = true;
		loop_set_timer(x->server->loop, &x->server->kick, 0);
	}
}

void http_reply(struct http_request *request, const struct http_reply *reply)
{
	struct exchange *x = container_of(request, struct exchange, request);

	x->with_handler = false;
	if (!x->mhd)
		exchange_free(x);
	else if (!x->response) /* else the server is being stopped and has answered for the handler */
		set_response(x, reply);
}

void http_reply_json(struct http_request *request, unsigned status, uint64_t v, json_t *doc)
{
	http_reply_document(request, &(struct http_reply){ .status = status, .v = v }, doc);
}

void http_reply_document(struct http_request *request, const struct http_reply *like, json_t *doc)
{
	CLEAN_FREE char *text = json_dumps(doc, JSON_COMPACT | JSON_ENCODE_ANY);
	struct http_reply reply = *like;

	json_decref(doc);
	if (!text) {
		struct why why;

		why_set(&why, "internal", "", "the reply could not be made (no memory)");
		http_reply_error(request, 500, &why, NULL, NULL);
		return;
	}
	reply.body = text;
	reply.body_len = strlen(text);
	http_reply(request, &reply);
}

static char *error_text(const struct exchange *x, const struct why *why, const char *hint, const json_t *detail)
{
	CLEAN_JSON json_t *doc = NULL;
	struct why tame = *why;

	/* they may quote what was sent, cut in the middle of a character, and JSON takes no such text */
	name_tame(tame.field);
	name_tame(tame.text);
	doc = json_pack("{s:{s:s,s:s,s:s?,s:s?,s:s}}", "error", "code", tame.code, "message", tame.text, "field",
			tame.field[0] ? tame.field : NULL, "hint", hint && *hint ? hint : NULL, "request", x->request.id);
	if (doc && detail)
		json_object_update(json_object_get(doc, "error"), (json_t *)(uintptr_t)detail);
	return doc ? json_dumps(doc, JSON_COMPACT) : NULL;
}

static struct http_reply error_reply(unsigned status, const char *text, const struct http_reply *like)
{
	struct http_reply reply = like ? *like : (struct http_reply){ 0 };

	reply.status = status;
	reply.body = text ? text : "{\"error\":{\"code\":\"internal\",\"message\":\"no memory\"}}";
	reply.body_len = strlen(reply.body);
	return reply;
}

void http_reply_error(struct http_request *request, unsigned status, const struct why *why, const char *hint,
		      const struct http_reply *like)
{
	CLEAN_FREE char *text = error_text(container_of(request, struct exchange, request), why, hint, like ? like->detail : NULL);
	struct http_reply reply = error_reply(status, text, like);

	http_reply(request, &reply);
}

/* A refusal by the server itself, for an exchange that the handler never saw or never answered. */
static void refuse(struct exchange *x, unsigned status, const struct why *why, const char *hint)
{
	CLEAN_FREE char *text = error_text(x, why, hint, NULL);
	struct http_reply reply = error_reply(status, text, NULL);

	set_response(x, &reply);
}

static void refuse_stopping(struct exchange *x)
{
	struct why why;

	why_set(&why, "stopping", "", "the controller is being stopped");
	refuse(x, 503, &why, "try again in a few seconds");
}

/* ---- reading a request ---- */

struct header_scan {
	unsigned hosts, authorizations, lengths, encodings, forwards, keys, matches;
	const char *host, *authorization, *length, *idempotency_key, *if_match, *if_none_match;
};

static enum MHD_Result scan_header(void *cls, enum MHD_ValueKind kind, const char *key, const char *value)
{
	struct header_scan *scan = cls;

	(void)kind;
	if (!strcasecmp(key, "Host") && scan->hosts++ == 0)
		scan->host = value;
	else if (!strcasecmp(key, "Authorization") && scan->authorizations++ == 0)
		scan->authorization = value;
	else if (!strcasecmp(key, "Content-Length") && scan->lengths++ == 0)
		scan->length = value;
	else if (!strcasecmp(key, "Transfer-Encoding"))
		scan->encodings++;
	else if (!strcasecmp(key, "Idempotency-Key") && scan->keys++ == 0)
		scan->idempotency_key = value;
	else if (!strcasecmp(key, "If-Match") && scan->matches++ == 0)
		scan->if_match = value;
	else if (!strcasecmp(key, "If-None-Match") && scan->matches++ == 0)
		scan->if_none_match = value;
	else if (!strcasecmp(key, "Forwarded") || !strncasecmp(key, "X-Forwarded-", 12) || !strcasecmp(key, "Via"))
		scan->forwards++;
	return MHD_YES;
}

/* What is wrong with the head of the request; 0 = nothing, else the HTTP status with x->why filled. */
static unsigned judge_head(struct exchange *x, const struct header_scan *scan)
{
	const struct http_config *config = &x->server->config;

	if (x->target_bad)
		return 400;
	/* two readings of one message are how requests are smuggled past a proxy (RFC 9112 6.3, 11.2) */
	if (scan->hosts > 1 || scan->authorizations > 1 || scan->lengths > 1 || scan->encodings > 1 ||
	    (scan->lengths && scan->encodings)) {
		why_set(&x->why, "header_invalid", "", "Host, Authorization, Content-Length or Transfer-Encoding is given twice, or both of the last");
		return 400;
	}
	if (scan->keys > 1 || scan->matches > 1) { /* whichever were taken, somebody would have meant the other */
		why_set(&x->why, "header_invalid", "", "Idempotency-Key is given twice, or more than one of If-Match and If-None-Match");
		return 400;
	}
	if (!x->request.local) {
		if (!scan->host || !http_host_accepted(scan->host, config->host_names, config->n_host_names)) {
			why_set(&x->why, "host_unknown", "Host", "this controller does not answer to the host name \"%.80s\"",
				scan->host ? scan->host : "");
			return 421;
		}
	}
	if (scan->length && strtoull(scan->length, NULL, 10) > config->body_max) {
		why_set(&x->why, "body_too_large", "", "the body has %.20s bytes, at most %zu are allowed", scan->length, config->body_max);
		return 413;
	}
	return 0;
}

static bool keep_header(const char *value, char **ret)
{
	*ret = value ? strdup(value) : NULL;
	return *ret || !value;
}

static void begin(struct exchange *x, const char *method)
{
	struct header_scan scan = { 0 };
	struct http_server *server = x->server;
	unsigned status;

	x->begun = true;
	x->connection->deadline_ms = loop_now_ms(server->loop) + server->config.body_ms;
	x->request.begun_ms = loop_now_ms(server->loop);
	x->request.local = x->connection->listener->local;
	x->request.local_operator = x->connection->local_operator;
	x->request.uid = x->connection->uid;
	memcpy(x->request.source, x->connection->source, sizeof x->request.source);
	snprintf(x->request.method, sizeof x->request.method, "%s", method);
	MHD_get_connection_values(x->mhd, MHD_HEADER_KIND, scan_header, &scan);
	x->request.forwarded = scan.forwards != 0;
	x->request.chunked_or_length = scan.encodings || (scan.length && strcmp(scan.length, "0"));
	status = judge_head(x, &scan);
	if (status) {
		refuse(x, status, &x->why,
		       status == 421 ? "use an address, or add the name to host_names of the controller" : NULL);
		return;
	}
	if (scan.authorization)
		x->request.authorization = strdup(scan.authorization);
	if (!keep_header(scan.idempotency_key, &x->request.idempotency_key) || !keep_header(scan.if_match, &x->request.if_match) ||
	    !keep_header(scan.if_none_match, &x->request.if_none_match)) { /* a condition that is lost would be one that holds */
		why_set(&x->why, "unavailable", "", "no memory");
		refuse(x, 503, &x->why, NULL);
	}
}

static enum MHD_Result collect(struct exchange *x, const char *bytes, size_t n)
{
	struct http_server *server = x->server;
	struct buf *body = &x->request.body;

	if (!x->too_large && (body->len + n > server->config.body_max || server->body_bytes + n > server->config.bodies_max)) {
		x->too_large = true;
		x->status = body->len + n > server->config.body_max ? 413 : 503;
	}
	if (x->too_large) { /* a reply can only be given at the end of a body: a little is thrown away, no more */
		x->discarded += n;
		return x->discarded > server->config.body_max ? MHD_NO : MHD_YES;
	}
	buf_add(body, bytes, n);
	if (buf_failed(body))
		return MHD_NO;
	server->body_bytes += n;
	return MHD_YES;
}

static void hand_over(struct exchange *x)
{
	x->connection->deadline_ms = NO_DEADLINE;
	if (x->too_large && x->status == 413) {
		why_set(&x->why, "body_too_large", "", "the body is larger than the %zu bytes that are allowed", x->server->config.body_max);
		refuse(x, 413, &x->why, NULL);
		return;
	}
	if (x->too_large) {
		why_set(&x->why, "busy", "", "too many large requests at the same moment");
		refuse(x, 503, &x->why, "try again in a second");
		return;
	}
	if (x->server->stopping) {
		refuse_stopping(x);
		return;
	}
	x->with_handler = true;
	x->server->handle(x->server->ctx, &x->request);
}

static enum MHD_Result queue(struct exchange *x)
{
	if (!x->response)
		return MHD_NO;
	x->queued = true;
	x->connection->deadline_ms = loop_now_ms(x->server->loop) + WRITE_MS;
	return MHD_queue_response(x->mhd, x->status, x->response);
}

static enum MHD_Result access_handler(void *cls, struct MHD_Connection *mhd, const char *url, const char *method, const char *version,
				      const char *upload, size_t *upload_len, void **con_cls)
{
	struct exchange *x = *con_cls;

	(void)cls;
	(void)mhd;
	(void)url;
	(void)version;
	if (!x || !x->connection || x->queued)
		return MHD_NO;
	if (x->response)
		return queue(x);
	if (!x->begun) {
		begin(x, method);
		return x->response ? queue(x) : MHD_YES;
	}
	if (*upload_len) {
		size_t n = *upload_len;

		*upload_len = 0;
		return collect(x, upload, n);
	}
	if (x->handed)
		return MHD_NO;
	x->handed = true;
	hand_over(x);
	if (x->response)
		return queue(x);
	if (!x->with_handler) /* answered, but there was no memory for the answer */
		return MHD_NO;
	x->suspended = true;
	MHD_suspend_connection(x->mhd);
	return MHD_YES;
}

/* ---- connections ---- */

static void take_source(struct connection *c, const struct sockaddr *address)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (address->sa_family == AF_INET6) {
		memcpy(c->source, &((const struct sockaddr_in6 *)address)->sin6_addr, 16);
	} else if (address->sa_family == AF_INET) {
		memcpy(c->source, mapped, sizeof mapped);
		memcpy(c->source + 12, &((const struct sockaddr_in *)address)->sin_addr, 4);
	}
}

/* Before its first byte is read: the library knows only the certificate of the start. */
static void give_certificate(struct connection *c, struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	struct certificate *certificate = certificate_ref(http_tls_current(c->listener->server->config.tls));

	if (info && info->tls_session &&
	    gnutls_credentials_set(info->tls_session, GNUTLS_CRD_CERTIFICATE, certificate_credentials(certificate)) >= 0) {
		c->certificate = certificate;
		return;
	}
	certificate_unref(certificate);
	shutdown(c->fd, SHUT_RDWR);
}

static void connection_started(struct listener *listener, struct MHD_Connection *mhd, void **socket_context)
{
	struct http_server *server = listener->server;
	struct connection *c = calloc(1, sizeof *c);
	const union MHD_ConnectionInfo *info;

	if (!c)
		return; /* its exchanges find no connection and are refused */
	c->listener = listener;
	c->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	c->deadline_ms = loop_now_ms(server->loop) + server->config.header_ms;
	info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	if (listener->local)
		c->local_operator = http_peer_is_operator(c->fd, server->group, &c->uid);
	else if (info && info->client_addr)
		take_source(c, info->client_addr);
	if (listener->tls)
		give_certificate(c, mhd);
	c->next = server->connections;
	c->link = &server->connections;
	if (c->next)
		c->next->link = &c->next;
	server->connections = c;
	server->n_connections++;
	*socket_context = c;
	if (!server->sweep.slot)
		loop_set_timer_in(server->loop, &server->sweep, SWEEP_MS);
}

static void connection_changed(void *cls, struct MHD_Connection *mhd, void **socket_context, enum MHD_ConnectionNotificationCode code)
{
	struct listener *listener = cls;
	struct connection *c = *socket_context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		connection_started(listener, mhd, socket_context);
		return;
	}
	if (!c)
		return;
	*socket_context = NULL;
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	listener->server->n_connections--;
	certificate_unref(c->certificate);
	free(c);
}

static void sweep(struct loop_timer *timer)
{
	struct http_server *server = container_of(timer, struct http_server, sweep);
	uint64_t now = loop_now_ms(server->loop);

	for (struct connection *c = server->connections; c; c = c->next)
		if (c->deadline_ms <= now) {
			shutdown(c->fd, SHUT_RDWR); /* libmicrohttpd reads the end and closes */
			c->deadline_ms = NO_DEADLINE;
		}
	if (server->connections)
		loop_set_timer_in(server->loop, &server->sweep, SWEEP_MS);
}

/* ---- the loop ---- */

/* The library has more to do at once after most steps of an exchange (a resumed connection is answered by the next MHD_run): asking the loop
 * for that would cost a millisecond each. Who never stops having something to do waits for the next round. */
static void run_daemon(struct MHD_Daemon *daemon)
{
	MHD_UNSIGNED_LONG_LONG wait_ms;

	for (int i = 0; i < RUNS_MAX; i++) {
		MHD_run(daemon);
		if (MHD_get_timeout(daemon, &wait_ms) != MHD_YES || wait_ms > 0)
			return;
	}
}

static void run_all(struct http_server *server)
{
	MHD_UNSIGNED_LONG_LONG wait_ms, shortest = 0;
	bool bounded = false;

	server->resumed = false;
	for (size_t i = 0; i < server->n_listeners; i++)
		run_daemon(server->listeners[i].daemon);
	for (size_t i = 0; i < server->n_listeners; i++)
		if (MHD_get_timeout(server->listeners[i].daemon, &wait_ms) == MHD_YES && (!bounded || wait_ms < shortest)) {
			shortest = wait_ms;
			bounded = true;
		}
	if (bounded)
		loop_set_timer_in(server->loop, &server->kick, shortest);
	else
		loop_cancel_timer(&server->kick);
}

static void kicked(struct loop_timer *timer)
{
	run_all(container_of(timer, struct http_server, kick));
}

static void round_ends(struct loop_after *after)
{
	struct http_server *server = container_of(after, struct http_server, after);

	if (server->resumed)
		run_all(server);
}

static void epoll_ready(struct loop_io *io, uint32_t revents)
{
	(void)revents;
	run_all(container_of(io, struct listener, io)->server);
}

static void log_from_library(void *cls, const char *fmt, va_list ap)
{
	char text[200];

	(void)cls;
	vsnprintf(text, sizeof text, fmt, ap);
	text[strcspn(text, "\r\n")] = 0;
	log_limited(LOG_L_DEBUG, "http", "%s", text);
}

enum kind { LISTEN_PLAIN, LISTEN_TLS, LISTEN_LOCAL };

/* Takes the socket over. */
static int start_listener(struct http_server *server, int fd, uint16_t port, enum kind kind)
{
	const struct certificate *certificate = kind == LISTEN_TLS ? http_tls_current(server->config.tls) : NULL;
	struct listener *l = &server->listeners[server->n_listeners];
	/* these of the start are replaced in each connection, see give_certificate */
	struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, certificate ? (void *)(uintptr_t)certificate_pem(certificate) : NULL },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, certificate ? (void *)(uintptr_t)certificate_key_pem(certificate) : NULL },
		{ MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES },
		{ MHD_OPTION_END, 0, NULL },
	};

	*l = (struct listener){ .server = server, .port = port, .local = kind == LISTEN_LOCAL, .tls = kind == LISTEN_TLS };
	l->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | (certificate ? MHD_USE_TLS : 0), 0, NULL,
				     NULL, access_handler, l,
				     MHD_OPTION_EXTERNAL_LOGGER, log_from_library, NULL,
				     MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, server->config.connections,
				     MHD_OPTION_PER_IP_CONNECTION_LIMIT, server->config.connections_per_address,
				     MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_BYTES,
				     MHD_OPTION_CONNECTION_TIMEOUT, SILENCE_S, MHD_OPTION_STRICT_FOR_CLIENT, 1,
				     MHD_OPTION_NOTIFY_COMPLETED, exchange_completed, l,
				     MHD_OPTION_NOTIFY_CONNECTION, connection_changed, l,
				     MHD_OPTION_URI_LOG_CALLBACK, exchange_new, l,
				     MHD_OPTION_ARRAY, certificate ? tls : &tls[ARRAY_LEN(tls) - 1], MHD_OPTION_END);
	if (!l->daemon) {
		close(fd);
		return -ENOMEM;
	}
	server->n_listeners++;
	l->io = (struct loop_io){ .events = EPOLLIN, .ready = epoll_ready };
	l->io.fd = MHD_get_daemon_info(l->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	return loop_add_io(server->loop, &l->io);
}

static int start_list(struct http_server *server, const char *const *listen, size_t n, enum kind kind, struct why *why)
{
	uint16_t port = 0;
	int fd, r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		r = http_listen_tcp(listen[i], &fd, &port, why);
		if (r == 0)
			r = start_listener(server, fd, port, kind);
	}
	return r;
}

static int start_all(struct http_server *server, struct why *why)
{
	const struct http_config *config = &server->config;
	int fd, r = start_list(server, config->listen, config->n_listen, LISTEN_PLAIN, why);

	if (r == 0)
		r = start_list(server, config->tls_listen, config->n_tls_listen, LISTEN_TLS, why);
	if (r || !config->socket_path)
		return r;
	r = http_listen_unix(config->socket_path, server->group, &fd, why);
	return r ? r : start_listener(server, fd, 0, LISTEN_LOCAL);
}

static void set_defaults(struct http_config *c)
{
	c->connections = c->connections ? c->connections : 512;
	c->connections_per_address = c->connections_per_address ? c->connections_per_address : 128;
	c->header_ms = c->header_ms ? c->header_ms : 10000;
	c->body_ms = c->body_ms ? c->body_ms : 30000;
	c->idle_ms = c->idle_ms ? c->idle_ms : 75000;
	c->body_max = c->body_max ? c->body_max : HTTP_BODY_MAX;
	c->bodies_max = c->bodies_max ? c->bodies_max : 64u << 20;
}

int http_server_new(struct loop *loop, const struct clock *clock, const struct http_config *config,
		    void (*handle)(void *ctx, struct http_request *request), void *ctx, struct http_server **ret_server,
		    struct why *why)
{
	struct http_server *server = calloc(1, sizeof *server);
	int r;

	if (!server)
		return -ENOMEM;
	server->loop = loop;
	server->clock = *clock;
	server->config = *config;
	set_defaults(&server->config);
	server->handle = handle;
	server->ctx = ctx;
	server->group = http_group_find(config->socket_group);
	server->kick.expired = kicked;
	server->after.round = round_ends;
	loop_add_after(loop, &server->after);
	server->sweep.expired = sweep;
	server->listeners = calloc(config->n_listen + config->n_tls_listen + 1, sizeof *server->listeners);
	r = server->listeners ? start_all(server, why) : -ENOMEM;
	if (r) {
		http_server_free(server);
		return r;
	}
	*ret_server = server;
	return 0;
}

struct http_server *http_server_free(struct http_server *server)
{
	if (!server)
		return NULL;
	server->stopping = true;
	for (struct exchange *x = server->exchanges; x; x = x->next)
		if (x->suspended)
			refuse_stopping(x);
	for (size_t i = 0; i < server->n_listeners; i++) {
		loop_remove_io(&server->listeners[i].io);
		MHD_run(server->listeners[i].daemon);
		MHD_stop_daemon(server->listeners[i].daemon);
	}
	loop_remove_after(server->loop, &server->after);
	loop_cancel_timer(&server->kick);
	loop_cancel_timer(&server->sweep);
	while (server->exchanges) { /* those that the handler still holds */
		struct exchange *x = server->exchanges;

		server->exchanges = x->next;
		x->link = NULL;
		x->server = NULL;
	}
	if (server->config.socket_path && server->n_listeners > server->config.n_listen + server->config.n_tls_listen)
		unlink(server->config.socket_path);
	free(server->listeners);
	free(server);
	return NULL;
}

uint16_t http_server_port(const struct http_server *server, size_t listener)
{
	return listener < server->n_listeners ? server->listeners[listener].port : 0;
}

size_t http_server_connections(const struct http_server *server)
{
	return server->n_connections;
}
