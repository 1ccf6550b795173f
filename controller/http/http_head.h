/* http_head - what the headers of a request say to the server itself, and what is wrong with them. */
#pragma once
#include "controller/http/http.h"

#define HTTP_HEADERS_MAX (12u << 10) /* less than the library could take, so that whoever sends more is told in JSON */

/* The first of each, and how many there were; all borrowed. */
struct http_head {
	size_t bytes;
	unsigned hosts, authorizations, lengths, encodings, forwards, keys, matches;
	const char *host, *authorization, *length, *encoding, *idempotency_key, *if_match, *if_none_match, *lease_nonce, *last_event_id;
	bool flyctl; /* says that it is, or that it was started by it */
	bool wants_events;
	bool malformed;   /* one of them is no header */
	bool old_version; /* HTTP/1.0, set by the caller: has no Transfer-Encoding */
};

void http_head_note(struct http_head *head, const char *name, const char *value); /* value may be NULL */
/* The HTTP status of the refusal, with why; 0: nothing is wrong. */
unsigned http_head_judge(const struct http_head *head, const struct http_config *config, bool local, struct why *why);
