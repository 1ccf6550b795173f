/* http_head - see http_head.h. */
#include "controller/http/http_head.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* RFC 9110 5.6.2. The library takes any name: "Content-Length " would be a header that it does not know, and a proxy before us does. */
static bool is_token(const char *name)
{
	static const char marks[] = "!#$%&'*+-.^_`|~";
	const char *p = name;

	for (; *p; p++) {
		char low = (char)(*p | 0x20);

		if (!(*p >= '0' && *p <= '9') && !(low >= 'a' && low <= 'z') && !strchr(marks, *p))
			return false;
	}
	return p > name;
}

static bool is_line(const char *value)
{
	for (const char *p = value ? value : ""; *p; p++)
		if (((unsigned char)*p < 0x20 && *p != '\t') || *p == 0x7f)
			return false;
	return true;
}

/* A value that goes on in the next line is added to the name by the library ("Content-Length90"): what it meant would be lost in silence. */
static bool is_folded(const char *name)
{
	static const char *const names[] = { "Content-Length", "Transfer-Encoding", "If-Match", "If-None-Match", "Idempotency-Key" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strncasecmp(name, names[i], strlen(names[i])) && name[strlen(names[i])])
			return true;
	return false;
}

void http_head_note(struct http_head *head, const char *name, const char *value)
{
	head->bytes += strlen(name) + (value ? strlen(value) : 0) + 4;
	head->malformed = head->malformed || !is_token(name) || !is_line(value) || is_folded(name);
	if (!strcasecmp(name, "Host") && head->hosts++ == 0)
		head->host = value;
	else if (!strcasecmp(name, "Authorization") && head->authorizations++ == 0)
		head->authorization = value;
	else if (!strcasecmp(name, "Content-Length") && head->lengths++ == 0)
		head->length = value;
	else if (!strcasecmp(name, "Transfer-Encoding") && head->encodings++ == 0)
		head->encoding = value;
	else if (!strcasecmp(name, "Idempotency-Key") && head->keys++ == 0)
		head->idempotency_key = value;
	else if (!strcasecmp(name, "Last-Event-ID"))
		head->last_event_id = value;
	else if (!strcasecmp(name, "Accept"))
		head->wants_events = head->wants_events || (value && strcasestr(value, "text/event-stream"));
	else if (!strcasecmp(name, "If-Match") && head->matches++ == 0)
		head->if_match = value;
	else if (!strcasecmp(name, "If-None-Match") && head->matches++ == 0)
		head->if_none_match = value;
	else if (!strcasecmp(name, "Forwarded") || !strncasecmp(name, "X-Forwarded-", 12) || !strcasecmp(name, "Via"))
		head->forwards++;
	else if (!strcasecmp(name, "Fly-Machine-Lease-Nonce"))
		head->lease_nonce = value;
	else if (!strncasecmp(name, "Fly-Client-", 11) || (!strcasecmp(name, "User-Agent") && value && !strncmp(value, "fly", 3)))
		head->flyctl = true;
}

unsigned http_head_judge(const struct http_head *head, const struct http_config *config, bool local, struct why *why)
{
	if (head->bytes > HTTP_HEADERS_MAX) {
		why_set(why, "headers_too_large", "", "the headers have %zu bytes, at most %u are allowed", head->bytes, HTTP_HEADERS_MAX);
		return 431;
	}
	/* two readings of one message are how requests are smuggled past a proxy (RFC 9112 6.3, 11.2) */
	if (head->hosts > 1 || head->authorizations > 1 || head->lengths > 1 || head->encodings > 1 ||
	    (head->lengths && head->encodings)) {
		why_set(why, "header_invalid", "", "Host, Authorization, Content-Length or Transfer-Encoding is given twice, or both of the last");
		return 400;
	}
	if (head->malformed) {
		why_set(why, "header_invalid", "", "a header is none: a space before its colon, a control character, or a value that goes on in the next line");
		return 400;
	}
	if (head->encodings && (head->old_version || !head->encoding || strcasecmp(head->encoding, "chunked"))) {
		why_set(why, "header_invalid", "Transfer-Encoding", "Transfer-Encoding can be chunked only, and not in HTTP/1.0");
		return 400;
	}
	if (head->keys > 1 || head->matches > 1) { /* whichever were taken, somebody would have meant the other */
		why_set(why, "header_invalid", "", "Idempotency-Key is given twice, or more than one of If-Match and If-None-Match");
		return 400;
	}
	if (!local) {
		if (!head->host || !http_host_accepted(head->host, config->host_names, config->n_host_names)) {
			why_set(why, "host_unknown", "Host", "this controller does not answer to the host name \"%.80s\"",
				head->host ? head->host : "");
			return 421;
		}
	}
	if (head->length && strtoull(head->length, NULL, 10) > config->body_max) {
		why_set(why, "body_too_large", "", "the body has %.20s bytes, at most %zu are allowed", head->length, config->body_max);
		return 413;
	}
	return 0;
}
