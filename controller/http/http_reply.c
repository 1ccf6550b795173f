/* http_reply - the end of an exchange: from what a handler answers to what libmicrohttpd sends. See http.h and http.c. */
#include "controller/http/http_internal.h"

#include "lib/base/crypto.h"
#include "lib/sixpn/name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STREAM_BLOCK 4096u

void http_exchange_free(struct exchange *x)
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
	if (x->request.lease_nonce)
		crypto_wipe(x->request.lease_nonce, strlen(x->request.lease_nonce));
	free(x->request.lease_nonce);
	free(x->request.last_event_id);
	free(x->request.host);
	free(x->request.idempotency_key);
	free(x->request.if_match);
	free(x->request.if_none_match);
	buf_deinit(&x->request.body);
	free(x);
}

/* libmicrohttpd asks again as soon as it has sent what it was given: until then, and no longer, the client has to take something. */
static ssize_t read_stream(void *cls, uint64_t pos, char *buf, size_t max)
{
	struct exchange *x = cls;
	long n = x->stream_ends ? -1 : x->stream.read(x->stream.ctx, buf, max);

	(void)pos;
	if (n < 0)
		return MHD_CONTENT_READER_END_OF_STREAM;
	http_connection_works(&x->server->connections, x->connection, n ? x->server->config.stream_ms : 0);
	if (n == 0) {
		x->suspended = true;
		MHD_suspend_connection(x->mhd);
	}
	return n;
}

static struct MHD_Response *make_response(struct exchange *x, const struct http_reply *reply)
{
	struct MHD_Response *m =
		x->stream.read ? MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_stream, x, NULL) :
				 MHD_create_response_from_buffer(reply->body_len, (void *)(uintptr_t)reply->body,
							 reply->body_stays ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_COPY);
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
	if (reply->policy) {
		MHD_add_response_header(m, "Content-Security-Policy", reply->policy);
		MHD_add_response_header(m, "Referrer-Policy", "no-referrer");
		MHD_add_response_header(m, "X-Frame-Options", "DENY");
	}
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

void http_exchange_resume(struct exchange *x)
{
	if (!x->suspended)
		return;
	x->suspended = false;
	MHD_resume_connection(x->mhd);
	/* a resumed connection does not make the epoll descriptor readable */
	x->listener->resumed = true;
	loop_set_timer(x->server->loop, &x->listener->kick, 0);
}

static void set_response(struct exchange *x, const struct http_reply *reply)
{
	x->response = make_response(x, reply);
	x->status = reply->status;
	http_exchange_resume(x);
}

void http_reply(struct http_request *request, const struct http_reply *reply)
{
	struct exchange *x = container_of(request, struct exchange, request);

	x->with_handler = false;
	if (!x->mhd)
		http_exchange_free(x);
	else if (!x->response) /* else the server is being stopped and has answered for the handler */
		set_response(x, reply);
}

void http_reply_stream(struct http_request *request, const struct http_reply *like, const struct http_stream *stream)
{
	struct exchange *x = container_of(request, struct exchange, request);

	x->with_handler = false;
	if (!x->mhd || x->response) { /* nobody is there to read it */
		stream->closed(stream->ctx, false);
		if (!x->mhd)
			http_exchange_free(x);
		return;
	}
	x->stream = *stream;
	set_response(x, like);
}

void http_stream_wake(struct http_request *request)
{
	http_exchange_resume(container_of(request, struct exchange, request));
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
	if (x->request.flyctl) /* which reads a sentence there */
		doc = json_pack("{s:s,s:s,s:s,s:s,s:s?,s:s}", "error", tame.text, "status", "unknown", "code", tame.code, "field", tame.field, "hint",
				hint && *hint ? hint : NULL, "request", x->request.id);
	else
		doc = json_pack("{s:{s:s,s:s,s:s?,s:s?,s:s}}", "error", "code", tame.code, "message", tame.text, "field",
			tame.field[0] ? tame.field : NULL, "hint", hint && *hint ? hint : NULL, "request", x->request.id);
	if (doc && detail && !x->request.flyctl)
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

void http_exchange_refuse(struct exchange *x, unsigned status, const struct why *why, const char *hint, const struct http_reply *like)
{
	CLEAN_FREE char *text = error_text(x, why, hint, NULL);
	struct http_reply reply = error_reply(status, text, like);

	set_response(x, &reply);
}
