/* http_head - see http_head.h. */
#include "controller/http/http_head.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void http_head_note(struct http_head *head, const char *name, const char *value)
{
	head->bytes += strlen(name) + (value ? strlen(value) : 0) + 4;
	if (!strcasecmp(name, "Host") && head->hosts++ == 0)
		head->host = value;
	else if (!strcasecmp(name, "Authorization") && head->authorizations++ == 0)
		head->authorization = value;
	else if (!strcasecmp(name, "Content-Length") && head->lengths++ == 0)
		head->length = value;
	else if (!strcasecmp(name, "Transfer-Encoding"))
		head->encodings++;
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
