/* http_target - the request target of HTTP (RFC 9112 section 3.2.1, origin-form) taken apart: path segments and query pairs,
 * percent-decoded after they were split, so that an encoded slash stays inside its segment. */
#pragma once
#include "lib/base/err.h"

#define HTTP_TARGET_MAX 2048
#define HTTP_SEGMENTS_MAX 12
#define HTTP_QUERY_MAX 16

struct http_target {
	char *segments[HTTP_SEGMENTS_MAX]; /* into text */
	size_t n_segments;
	struct http_query {
		char *name, *value;
	} query[HTTP_QUERY_MAX];
	size_t n_query;
	char text[HTTP_TARGET_MAX + 1];
};

/* E_REFUSED: too long, not origin-form, an empty segment, bad percent code, a control character, NUL or not UTF-8, a query name
 * given twice (but "state"). "/" has no segments. *ret is undefined after a refusal. */
int http_target_parse(const char *text, struct http_target *ret, struct why *why) MUST_CHECK;
const char *http_target_query(const struct http_target *t, const char *name); /* NULL if it is not there */

/* A Host header (RFC 9110 7.2) is accepted if it names an address literal, "localhost" or one of the given names (any port,
 * case does not matter). Guards browsers inside against names that an attacker points at us. */
bool http_host_accepted(const char *host, const char *const *names, size_t n_names);
