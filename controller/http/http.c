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

#include "controller/http/http_head.h"
#include "controller/http/http_internal.h"
#include "controller/http/http_listen.h"
#include "controller/http/http_tls.h"
#include "lib/base/crypto.h"
#include "lib/base/log.h"
#include "lib/sixpn/name.h"

#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* TLS 1.2 and 1.3, and no key exchange without forward secrecy */
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA"
#define POOL_BYTES (24u << 10)
#define WRITE_MS 60000u
#define SILENCE_S 60u
#define TLS_PAUSE_MS 5u
#define RUNS_MAX 8 /* of the library in one round of the loop */
#define LOCAL_CONNECTIONS 512u
#define SPARE_CONNECTIONS 64u /* those that were shut down and are not closed yet */
#define OTHER_FILES 1024u     /* descriptors that are not for connections */

/* ---- exchanges ---- */

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
	x->listener = listener;
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
	bool slow;

	(void)mhd;
	(void)code;
	if (!x)
		return;
	*con_cls = NULL;
	slow = x->connection && x->connection->late;
	if (x->connection)
		http_connection_waits(&listener->server->connections, x->connection, listener->server->config.idle_ms);
	x->mhd = NULL;
	x->connection = NULL;
	x->suspended = false;
	if (x->stream.read)
		x->stream.closed(x->stream.ctx, slow);
	if (!x->with_handler)
		http_exchange_free(x);
}

/* ---- reading a request ---- */

static void refuse_stopping(struct exchange *x)
{
	struct why why;

	why_set(&why, "stopping", "", "the controller is being stopped");
	http_exchange_refuse(x, 503, &why, "try again in a few seconds", NULL);
}

static enum MHD_Result note_header(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
	(void)kind;
	http_head_note(cls, name, value);
	return MHD_YES;
}

static unsigned judge_head(struct exchange *x, const struct http_head *head)
{
	if (x->target_bad)
		return !strcmp(x->why.code, "target_too_long") ? 414 : 400;
	return http_head_judge(head, &x->server->config, x->request.local, &x->why);
}

static bool keep_header(const char *value, char **ret)
{
	*ret = value ? strdup(value) : NULL;
	return *ret || !value;
}

/* An address that asks too often is told so before its body is read. Behind a proxy on this machine there are many: no limit there. */
static unsigned judge_pace(struct exchange *x)
{
	static const uint8_t loopback[16] = { [15] = 1 }, mapped[13] = { [10] = 0xff, [11] = 0xff, [12] = 127 };
	const uint8_t *source = x->request.source;
	bool near = !memcmp(source, loopback, sizeof loopback) || !memcmp(source, mapped, sizeof mapped);
	uint8_t group[LIMITER_KEY_LEN];

	if (x->request.local || (near && !x->server->config.limit_loopback))
		return 0;
	http_source_group(source, group);
	return limiter_take(x->server->limiter, group);
}

static void refuse_pace(struct exchange *x, unsigned wait_s)
{
	why_set(&x->why, "rate_limited", "", "this address asks more than %u times a second", x->server->config.requests_per_address);
	http_exchange_refuse(x, 429, &x->why, "wait as long as Retry-After says", &(struct http_reply){ .retry_after_s = wait_s });
}

static void begin(struct exchange *x, const char *method, const char *version)
{
	struct http_head head = { .old_version = !strcmp(version, "HTTP/1.0") };
	struct http_server *server = x->server;
	unsigned status, wait_s;

	x->begun = true;
	http_connection_reads(&server->connections, x->connection, server->config.body_ms);
	x->request.begun_ms = loop_now_ms(server->loop);
	x->request.local = x->connection->local;
	x->request.tls = x->connection->certificate != NULL;
	x->request.local_operator = x->connection->local_operator;
	x->request.uid = x->connection->uid;
	memcpy(x->request.source, x->connection->source, sizeof x->request.source);
	snprintf(x->request.method, sizeof x->request.method, "%s", method);
	MHD_get_connection_values(x->mhd, MHD_HEADER_KIND, note_header, &head);
	x->request.forwarded = head.forwards != 0;
	x->request.flyctl = head.flyctl;
	x->request.wants_events = head.wants_events;
	x->request.chunked_or_length = head.encodings || (head.length && strcmp(head.length, "0"));
	status = judge_head(x, &head);
	if (status) {
		http_exchange_refuse(x, status, &x->why,
				     status == 421 ? "use an address, or add the name to host_names of the controller" : NULL, NULL);
		return;
	}
	wait_s = judge_pace(x);
	if (wait_s) {
		refuse_pace(x, wait_s);
		return;
	}
	if (head.authorization)
		x->request.authorization = strdup(head.authorization);
	if (!keep_header(x->request.local ? NULL : head.host, &x->request.host) || !keep_header(head.last_event_id, &x->request.last_event_id) ||
	    !keep_header(head.idempotency_key, &x->request.idempotency_key) || !keep_header(head.if_match, &x->request.if_match) ||
	    !keep_header(head.if_none_match, &x->request.if_none_match) ||
	    !keep_header(head.lease_nonce, &x->request.lease_nonce)) { /* a condition that is lost would be one that holds */
		why_set(&x->why, "unavailable", "", "no memory");
		http_exchange_refuse(x, 503, &x->why, NULL, NULL);
	}
}

/* It is told at the end of its body; what came of that is dropped now. */
static void give_up(struct exchange *x, unsigned status)
{
	x->too_large = true;
	x->status = status;
	x->server->body_bytes -= x->request.body.len;
	buf_deinit(&x->request.body);
}

/* Whoever sends nothing but the beginnings of large bodies must not keep the small ones of others out: the largest that is not complete goes. */
static void make_room(struct http_server *server, size_t n)
{
	while (server->body_bytes + n > server->config.bodies_max) {
		struct exchange *largest = NULL;

		for (struct exchange *i = server->exchanges; i; i = i->next)
			if (!i->handed && i->request.body.len > (largest ? largest->request.body.len : 0))
				largest = i;
		if (!largest)
			return;
		give_up(largest, 503);
	}
}

static enum MHD_Result collect(struct exchange *x, const char *bytes, size_t n)
{
	struct http_server *server = x->server;
	struct buf *body = &x->request.body;

	if (!x->too_large && body->len + n > server->config.body_max)
		give_up(x, 413);
	if (!x->too_large)
		make_room(server, n);
	if (!x->too_large && server->body_bytes + n > server->config.bodies_max)
		give_up(x, 503);
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
	http_connection_works(&x->server->connections, x->connection, 0);
	if (x->too_large && x->status == 413) {
		why_set(&x->why, "body_too_large", "", "the body is larger than the %zu bytes that are allowed", x->server->config.body_max);
		http_exchange_refuse(x, 413, &x->why, NULL, NULL);
		return;
	}
	if (x->too_large) {
		why_set(&x->why, "busy", "", "too many large requests at the same moment");
		http_exchange_refuse(x, 503, &x->why, "try again in a second", NULL);
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
	http_connection_works(&x->server->connections, x->connection, WRITE_MS);
	return MHD_queue_response(x->mhd, x->status, x->response);
}

static enum MHD_Result access_handler(void *cls, struct MHD_Connection *mhd, const char *url, const char *method, const char *version,
				      const char *upload, size_t *upload_len, void **con_cls)
{
	struct exchange *x = *con_cls;

	(void)cls;
	(void)mhd;
	(void)url;
	if (!x || !x->connection || x->queued)
		return MHD_NO;
	if (x->response)
		return queue(x);
	if (!x->begun) {
		begin(x, method, version);
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

static enum MHD_Result may_come(void *cls, const struct sockaddr *address, socklen_t len)
{
	struct listener *listener = cls;
	uint8_t source[16];

	(void)len;
	return !http_source_of(address, source) || http_connections_may_come(&listener->server->connections, source) ? MHD_YES : MHD_NO;
}

/* Before its first byte is read: the library knows only the certificate of the start. */
static void give_certificate(struct http_connection *c, const struct listener *listener, struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	struct certificate *certificate = certificate_ref(http_tls_current(listener->server->config.tls));

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
	int fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	struct http_connection *c;
	uint8_t source[16];

	(void)http_source_of(info && !listener->local ? info->client_addr : NULL, source);
	c = http_connections_add(&server->connections, fd, listener->local ? NULL : source, server->config.header_ms);
	if (!c)
		return; /* its exchanges find no connection and are refused */
	if (listener->local)
		c->local_operator = http_peer_is_operator(fd, server->group, &c->uid);
	if (listener->tls) {
		http_connection_greets(&server->connections, c);
		give_certificate(c, listener, mhd);
	}
	*socket_context = c;
}

static void connection_changed(void *cls, struct MHD_Connection *mhd, void **socket_context, enum MHD_ConnectionNotificationCode code)
{
	struct listener *listener = cls;
	struct http_connection *c = *socket_context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		connection_started(listener, mhd, socket_context);
		return;
	}
	if (!c)
		return;
	*socket_context = NULL;
	http_connections_remove(&listener->server->connections, c);
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

/* In a TLS handshake the library asks again and again for what has not come yet, and always wants to be run at once: left to itself, each
 * handshake that stalls would take its share of the processor. With a pause, and a longer one the longer it took, they get a tenth at most. */
static void run(struct listener *l)
{
	struct http_server *server = l->server;
	uint64_t began_us = l->tls ? clock_mono_us(&server->clock) : 0;
	MHD_UNSIGNED_LONG_LONG wait_ms;

	l->resumed = false;
	run_daemon(l->daemon);
	if (MHD_get_timeout(l->daemon, &wait_ms) != MHD_YES) {
		loop_cancel_timer(&l->kick);
		return;
	}
	if (l->tls && wait_ms == 0)
		wait_ms = TLS_PAUSE_MS + 9 * (clock_mono_us(&server->clock) - began_us) / 1000;
	loop_set_timer_in(server->loop, &l->kick, wait_ms);
}

static void kicked(struct loop_timer *timer)
{
	run(container_of(timer, struct listener, kick));
}

static void round_ends(struct loop_after *after)
{
	struct http_server *server = container_of(after, struct http_server, after);

	for (size_t i = 0; i < server->n_listeners; i++)
		if (server->listeners[i].resumed)
			run(&server->listeners[i]);
}

static void epoll_ready(struct loop_io *io, uint32_t revents)
{
	(void)revents;
	run(container_of(io, struct listener, io));
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
	l->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | (certificate ? MHD_USE_TLS : 0), 0,
				     may_come, l, access_handler, l,
				     MHD_OPTION_EXTERNAL_LOGGER, log_from_library, NULL,
				     MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
				     l->local ? LOCAL_CONNECTIONS : server->config.connections + SPARE_CONNECTIONS,
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
	l->kick = (struct loop_timer){ .expired = kicked };
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
	c->connections = c->connections ? c->connections : 10240;
	c->connections_per_address = c->connections_per_address ? c->connections_per_address : 256;
	c->header_ms = c->header_ms ? c->header_ms : 10000;
	c->body_ms = c->body_ms ? c->body_ms : 30000;
	c->idle_ms = c->idle_ms ? c->idle_ms : 75000;
	c->stream_ms = c->stream_ms ? c->stream_ms : 30000;
	c->body_max = c->body_max ? c->body_max : HTTP_BODY_MAX;
	c->bodies_max = c->bodies_max ? c->bodies_max : 64u << 20;
}

/* More connections than there are descriptors would end in accept() failing for everybody. */
static void fit_to_files(struct http_config *c)
{
	struct rlimit limit;
	unsigned max;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= c->connections + SPARE_CONNECTIONS + OTHER_FILES)
		return;
	max = limit.rlim_cur > 2 * OTHER_FILES ? (unsigned)limit.rlim_cur - SPARE_CONNECTIONS - OTHER_FILES : (unsigned)limit.rlim_cur / 2;
	if (max >= c->connections)
		return;
	log_warn("http", "at most %u connections instead of %u: this process may have %llu open files (LimitNOFILE)", max, c->connections,
		 (unsigned long long)limit.rlim_cur);
	c->connections = max;
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
	fit_to_files(&server->config);
	http_connections_init(&server->connections, loop, server->config.connections, server->config.connections_per_address);
	server->handle = handle;
	server->ctx = ctx;
	server->group = http_group_find(config->socket_group);
	server->after.round = round_ends;
	loop_add_after(loop, &server->after);
	server->listeners = calloc(config->n_listen + config->n_tls_listen + 1, sizeof *server->listeners);
	r = server->listeners ? limiter_new(clock, server->config.requests_per_address, 5 * server->config.requests_per_address, &server->limiter) : -ENOMEM;
	if (r == 0)
		r = start_all(server, why);
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
		if (x->stream.read) {
			x->stream_ends = true;
			http_exchange_resume(x);
		} else if (x->suspended) {
			refuse_stopping(x);
		}
	for (size_t i = 0; i < server->n_listeners; i++) {
		loop_remove_io(&server->listeners[i].io);
		loop_cancel_timer(&server->listeners[i].kick);
		for (int n = 0; n < RUNS_MAX; n++) /* the last words of streams and of what was parked */
			MHD_run(server->listeners[i].daemon);
		MHD_stop_daemon(server->listeners[i].daemon);
	}
	loop_remove_after(server->loop, &server->after);
	http_connections_deinit(&server->connections);
	limiter_free(server->limiter);
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
	return server->connections.n;
}

struct http_counts http_server_counts(const struct http_server *server)
{
	return (struct http_counts){ .connections = server->connections.n, .refused = server->connections.counts.refused,
				     .evicted = server->connections.counts.evicted, .late = server->connections.counts.late,
				     .limited = limiter_refusals(server->limiter) };
}
