/* Request targets and bodies as strangers send them: first line the method and target, the rest the body. */
#include "controller/api/route.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *body, *target, *method;
	struct http_target parsed;
	struct route_match match;
	uint32_t ms;
	json_t *doc;

	memcpy(text, data, size);
	text[size] = 0;
	body = text;
	target = strsep(&body, "\n");
	method = strsep(&target, " ");
	if (target && http_target_parse(target, &parsed, NULL) == 0) {
		route_find(&parsed, method, &match);
		doc = body ? json_parse(body, strlen(body), NULL) : NULL;
		for (const struct route *r = match.route ? NULL : route_next(NULL); r; r = route_next(r))
			(void)route_check_body(r, doc, NULL);
		if (match.route && (route_check_query(match.route, &parsed, NULL) || route_check_body(match.route, doc, NULL)))
			match.route = NULL;
		json_decref(doc);
	}
	if (target)
		(void)route_parse_duration("timeout", target, 60000, &ms, NULL);
	(void)http_host_accepted(method, NULL, 0);
	free(text);
	return 0;
}
