/* request - see request.h. libcurl, one handle per run of the program. */
#include "controller/cli/request.h"

#include "controller/cli/context.h"
#include "controller/cli/output.h"
#include "controller/cli/pin.h"
#include "lib/base/crypto.h"

#include <curl/curl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define REPLY_MAX (32u << 20)
#define CONNECT_MS 5000L
#define STREAM_SILENCE_S 45L /* the controller says every 15 s that it is there */
#define TOTAL_MS 150000L /* above the longest wait that the API allows */

struct connection {
	CURL *curl;
	struct context context;
	struct curl_slist *headers;
	time_t date; /* of the last answer; -1 = it said none */
};

void request_add_encoded(struct buf *path, const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || strchr("-._~", *p);

		if (plain)
			buf_add_u8(path, *p);
		else
			buf_printf(path, "%%%02X", *p);
	}
}

void request_add_query(struct buf *path, const char *name, const char *value)
{
	if (!value)
		return;
	buf_printf(path, "%c%s=", strchr(buf_str(path), '?') ? '&' : '?', name);
	request_add_encoded(path, value);
}

static size_t take_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct buf *body = arg;

	buf_add(body, bytes, size * n);
	return buf_failed(body) ? 0 : size * n;
}

static int may_go_on(void *arg, curl_off_t all_down, curl_off_t down, curl_off_t all_up, curl_off_t up)
{
	const struct cli *cli = arg;

	(void)all_down;
	(void)down;
	(void)all_up;
	(void)up;
	return cli->stop && *cli->stop;
}

static int connect_to(struct cli *cli)
{
	struct connection *c = calloc(1, sizeof *c);
	char line[CONTEXT_TOKEN_MAX + 32];
	int r;

	cli->connection = c;
	if (!c)
		return cli_fail(cli, EXIT_REFUSED, "no_memory", NULL, "no memory");
	r = context_find(cli, &c->context);
	if (r)
		return r;
	c->curl = curl_easy_init();
	c->headers = curl_slist_append(NULL, "Accept: application/json");
	if (c->context.token[0]) {
		snprintf(line, sizeof line, "Authorization: Bearer %s", c->context.token);
		c->headers = curl_slist_append(c->headers, line);
		crypto_wipe(line, sizeof line);
	}
	return c->curl && c->headers ? 0 : cli_fail(cli, EXIT_REFUSED, "no_memory", NULL, "no memory");
}

void request_disconnect(struct cli *cli)
{
	struct connection *c = cli->connection;

	if (!c)
		return;
	if (c->curl)
		curl_easy_cleanup(c->curl);
	curl_slist_free_all(c->headers);
	crypto_wipe(&c->context, sizeof c->context);
	free(c);
	cli->connection = NULL;
}

/* Whether the controller may have acted on what it then gave no (understandable) answer to. */
static bool may_have_acted(struct cli *cli, CURLcode code, const struct request_reply *reply)
{
	long sent = 0;

	if (code == CURLE_OK && reply->status >= 200 && reply->status < 300)
		return !json_is_object(reply->body);
	if (code == CURLE_OK)
		return (reply->status >= 500 || reply->status == 408) && !json_object_get(json_object_get(reply->body, "error"), "code");
	curl_easy_getinfo(cli->connection->curl, CURLINFO_REQUEST_SIZE, &sent);
	return sent > 0;
}

void request_set_trust(const struct cli *cli, void *curl, const char *pin, enum request_trust trust)
{
	const char *roots = cli_env(cli, "SSL_CERT_FILE");
	char base64[64], text[80];
	uint8_t bytes[PIN_LEN];

	curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (trust == TRUST_PIN) { /* the key is what is trusted, whatever the certificate says of names and years */
		if (pin_parse(pin, bytes) < 0)
			memset(bytes, 0, sizeof bytes); /* nobody's */
		crypto_base64(bytes, sizeof bytes, base64);
		snprintf(text, sizeof text, "sha256//%s", base64);
		curl_easy_setopt(curl, CURLOPT_PINNEDPUBLICKEY, text);
	}
	if (trust != TRUST_AUTHORITIES) {
		curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
	} else if (roots) {
		curl_easy_setopt(curl, CURLOPT_CAINFO, roots);
	}
}

static void prepare(struct cli *cli, const char *method, const char *path, struct curl_slist *headers)
{
	struct connection *c = cli->connection;
	bool local = !strncmp(c->context.url, "unix:", 5);
	char url[4096];

	snprintf(url, sizeof url, "%s%s", local ? "http://localhost" : c->context.url, path);
	curl_easy_reset(c->curl);
	curl_easy_setopt(c->curl, CURLOPT_URL, url);
	curl_easy_setopt(c->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	if (local)
		curl_easy_setopt(c->curl, CURLOPT_UNIX_SOCKET_PATH, c->context.url + 5);
	/* the token must not wander off to where an environment variable or a reply points */
	curl_easy_setopt(c->curl, CURLOPT_PROXY, "");
	request_set_trust(cli, c->curl, c->context.pin, c->context.pin[0] ? TRUST_PIN : TRUST_AUTHORITIES);
	curl_easy_setopt(c->curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(c->curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(c->curl, CURLOPT_XFERINFOFUNCTION, may_go_on); /* at least once a second */
	curl_easy_setopt(c->curl, CURLOPT_XFERINFODATA, cli);
}

/* headers: of the connection, perhaps with others before them. */
static CURLcode perform(struct cli *cli, const char *method, const char *path, const char *body, struct curl_slist *headers,
			struct buf *ret_body, long *ret_status)
{
	struct connection *c = cli->connection;
	struct curl_header *date;
	CURLcode code;

	prepare(cli, method, path, headers);
	curl_easy_setopt(c->curl, CURLOPT_TIMEOUT_MS, TOTAL_MS);
	curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, ret_body);
	if (body)
		curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, body);
	code = curl_easy_perform(c->curl);
	c->date = curl_easy_header(c->curl, "Date", 0, CURLH_HEADER, -1, &date) == CURLHE_OK ? curl_getdate(date->value, NULL) : -1;
	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, ret_status);
	return code;
}

static int exit_of_status(long status)
{
	switch (status) {
	case 401:
	case 403:
		return EXIT_NOT_ALLOWED;
	case 404:
		return EXIT_NOT_FOUND;
	case 405:
		return EXIT_USAGE;
	case 408:
	case 500:
	case 502:
	case 503:
	case 504:
		return EXIT_UNREACHABLE;
	default:
		return EXIT_REFUSED;
	}
}

/* "   field: name", if the error has it. */
static void tell_part(struct cli *cli, const json_t *error, const char *before, const char *part, const char *after)
{
	CLEAN_BUF struct buf text = BUF_INIT(1u << 16);

	output_text(error, part, &text); /* not as it came: a terminal takes some of it for commands */
	if (text.len)
		fprintf(cli->err, "%s%s%s", before, buf_str(&text), after);
}

static int tell_refusal(struct cli *cli, long status, const json_t *body)
{
	const json_t *error = json_object_get(body, "error");

	if (json_is_string(error)) { /* of routes that answer as others expect it */
		tell_part(cli, body, "error: ", "error", "\n");
		tell_part(cli, body, "  code: ", "code", "\n");
		return exit_of_status(status);
	}
	if (!json_is_string(json_object_get(error, "message")))
		return cli_fail(cli, exit_of_status(status), "unexpected_reply", "is it a sixpn controller that answers there?",
				"the controller answered with HTTP status %ld and no reason", status);
	tell_part(cli, error, "error: ", "message", "\n");
	tell_part(cli, error, "  ", "hint", "\n");
	if (json_is_string(json_object_get(error, "code")))
		tell_part(cli, error, "  code: ", "code", "");
	else
		fputs("  code: unknown", cli->err);
	tell_part(cli, error, "   field: ", "field", "");
	tell_part(cli, error, "   request: ", "request", "");
	fputc('\n', cli->err);
	return exit_of_status(status);
}

int request_tell_unreachable(struct cli *cli, int code, const char *url)
{
	if (code == CURLE_ABORTED_BY_CALLBACK)
		return cli_fail(cli, EXIT_INTERRUPTED, "interrupted", NULL, "interrupted");
	if (code == CURLE_OPERATION_TIMEDOUT)
		return cli_fail(cli, EXIT_UNREACHABLE, "controller_unreachable", "is the address right, and does a firewall drop it?",
				"the controller at %s gave no answer in time", url);
	if (code == CURLE_SSL_PINNEDPUBKEYNOTMATCH)
		return cli_fail(cli, EXIT_NOT_ALLOWED, "pin_mismatch",
				"somebody may be in between. If its key was replaced on purpose: sixpn context create again, with the new --pin",
				"what answers at %s has another key than the one that is pinned: nothing was sent", url);
	if (code == CURLE_PEER_FAILED_VERIFICATION)
		return cli_fail(cli, EXIT_NOT_ALLOWED, "certificate_untrusted",
				"a self-made one is pinned: SIXPN_PIN, or sixpn context create NAME --url URL --pin sha256:... as `sixpn init` printed it",
				"no authority that this machine trusts vouches for %s: nothing was sent", url);
	return cli_fail(cli, EXIT_UNREACHABLE, "controller_unreachable",
			!strncmp(url, "unix:", 5) ? "is sixpn-controller running here? Else set SIXPN_URL and SIXPN_TOKEN_FILE" :
						    "is it running, and is SIXPN_URL (or --url) right?",
			"cannot reach the controller at %s: %s", url, curl_easy_strerror((CURLcode)code));
}

/* ---- who never saw an answer asks again ---- */

#define TRIES_MAX 3
#define KEY_BYTES 16

/* The controller keeps the replies of what goes through its store; the rest would be done twice. */
static bool is_kept(const char *method, const char *path)
{
	size_t len = strcspn(path, "?");

	return strcmp(method, "GET") != 0 && strncmp(path, "/v1/backups", 11) != 0 && strncmp(path, "/graphql", 8) != 0 &&
	       !(len > 13 && !memcmp(path + len - 13, "/release-held", 13));
}

/* The connection broke after the request was sent: it may have been done, and with its key it is not done again. A time-out is none of these:
 * whoever has waited that long is told. */
static bool is_lost(const struct cli *cli, CURLcode code, int tries)
{
	if (cli->stop && *cli->stop)
		return false;
	return code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR || code == CURLE_PARTIAL_FILE ||
	       (code == CURLE_COULDNT_CONNECT && tries > 0); /* it is being restarted */
}

static bool is_in_flight(const struct request_reply *reply)
{
	const char *code = json_string_value(json_object_get(json_object_get(reply->body, "error"), "code"));

	return reply->status == 409 && code && !strcmp(code, "request_in_flight");
}

/* One request, and again with the same key if its answer was lost. */
static CURLcode exchange(struct cli *cli, const char *method, const char *path, const char *body, struct request_reply *ret_reply)
{
	static const int pauses_ms[TRIES_MAX - 1] = { 200, 1000 };
	CLEAN_BUF struct buf in = BUF_INIT(REPLY_MAX);
	char line[32 + 2 * KEY_BYTES + 1] = "Idempotency-Key: ";
	struct curl_slist own = { line, cli->connection->headers };
	uint8_t key[KEY_BYTES];
	bool kept = is_kept(method, path);
	CURLcode code;

	crypto_random(key, sizeof key);
	crypto_hex(key, sizeof key, line + strlen(line));
	for (int tries = 0;; tries++) {
		request_reply_deinit(ret_reply);
		buf_clear(&in);
		code = perform(cli, method, path, body, kept ? &own : cli->connection->headers, &in, &ret_reply->status);
		ret_reply->body = code == CURLE_OK && in.len ? json_loadb((const char *)in.data, in.len, 0, NULL) : NULL;
		if (!kept || tries + 1 == TRIES_MAX || !(is_lost(cli, code, tries) || (code == CURLE_OK && tries && is_in_flight(ret_reply))))
			return code;
		cli->unanswered |= code != CURLE_OK; /* however the next tries end: the one before may have been heard */
		poll(NULL, 0, pauses_ms[tries]); /* ^C ends it */
	}
}

int request_send(struct cli *cli, const char *method, const char *path, json_t *body, bool quiet_404, struct request_reply *ret_reply)
{
	CLEAN_FREE char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	struct request_reply reply = { 0 };
	CURLcode code;
	int r;

	json_decref(body);
	r = cli->connection ? 0 : connect_to(cli);
	if (r)
		return r;
	cli->unanswered = false;
	code = exchange(cli, method, path, text, &reply);
	cli->unanswered = may_have_acted(cli, code, &reply) || (cli->unanswered && code != CURLE_OK);
	if (code != CURLE_OK)
		return request_tell_unreachable(cli, (int)code, cli->connection->context.url);
	if (reply.status >= 200 && reply.status < 300 && json_is_object(reply.body)) {
		*ret_reply = reply;
		return 0;
	}
	if (reply.status >= 200 && reply.status < 300) /* the page of a hotel's network says "200" too, and has done nothing */
		r = cli_fail(cli, EXIT_UNREACHABLE, "unexpected_reply", "is it a sixpn controller that answers there?",
			     "the controller's answer is no JSON object");
	else
		r = reply.status == 404 && quiet_404 ? EXIT_NOT_FOUND : tell_refusal(cli, reply.status, reply.body);
	request_reply_deinit(&reply);
	return r;
}

struct streaming {
	struct cli *cli;
	bool (*take)(void *ctx, const char *bytes, size_t n);
	void *ctx;
	struct buf refusal;
};

static size_t take_stream(char *bytes, size_t size, size_t n, void *arg)
{
	struct streaming *s = arg;
	long status = 0;

	curl_easy_getinfo(s->cli->connection->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200) {
		buf_add(&s->refusal, bytes, size * n);
		return buf_failed(&s->refusal) ? 0 : size * n;
	}
	return s->take(s->ctx, bytes, size * n) ? size * n : 0;
}

static struct curl_slist *stream_headers(const struct connection *c, const char *last_id)
{
	struct curl_slist *headers = curl_slist_append(NULL, "Accept: text/event-stream");
	char line[CONTEXT_TOKEN_MAX + 32];

	if (c->context.token[0]) {
		snprintf(line, sizeof line, "Authorization: Bearer %s", c->context.token);
		headers = curl_slist_append(headers, line);
		crypto_wipe(line, sizeof line);
	}
	snprintf(line, sizeof line, "Last-Event-ID: %.64s", last_id);
	return *last_id ? curl_slist_append(headers, line) : headers;
}

int request_stream(struct cli *cli, const char *path, const char *last_id, bool (*take)(void *ctx, const char *bytes, size_t n), void *ctx)
{
	struct streaming s = { .cli = cli, .take = take, .ctx = ctx, .refusal = BUF_INIT(1u << 16) };
	struct connection *c;
	struct curl_slist *headers;
	CLEAN_JSON json_t *body = NULL;
	long status = 0;
	CURLcode code;
	int r = cli->connection ? 0 : connect_to(cli);

	if (r)
		return r;
	c = cli->connection;
	headers = stream_headers(c, last_id);
	prepare(cli, "GET", path, headers);
	curl_easy_setopt(c->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(c->curl, CURLOPT_LOW_SPEED_TIME, STREAM_SILENCE_S);
	curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, take_stream);
	curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, &s);
	code = curl_easy_perform(c->curl);
	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
	curl_slist_free_all(headers);
	body = s.refusal.len ? json_loadb((const char *)s.refusal.data, s.refusal.len, 0, NULL) : NULL;
	buf_deinit(&s.refusal);
	if (code == CURLE_SSL_PINNEDPUBKEYNOTMATCH || code == CURLE_PEER_FAILED_VERIFICATION)
		return request_tell_unreachable(cli, (int)code, c->context.url);
	if (code == CURLE_OK && status >= 400 && status != 429 && exit_of_status(status) != EXIT_UNREACHABLE)
		return tell_refusal(cli, status, body);
	return code == CURLE_OK && status == 200 ? 0 : EXIT_UNREACHABLE;
}

int64_t request_date(const struct cli *cli)
{
	return cli->connection ? (int64_t)cli->connection->date : -1;
}

void request_reply_deinit(struct request_reply *reply)
{
	json_decref(reply->body);
	reply->body = NULL;
}
