/* gql_client - GraphQL as flyctl sends it to the API of api_fixture.h, and what it reads of the replies, with the types it reads it into. */
#pragma once
#include "tests/unit/controller/api/api_fixture.h"

/* The reply; variables is JSON or NULL, as flyctl's null. */
static inline struct client_reply gql(struct api_fixture *f, const char *token, const char *query, const char *variables)
{
	CLEAN_JSON json_t *body = json_pack("{s:s,s:o}", "query", query, "variables", variables ? json_loads(variables, 0, NULL) : json_null());
	CLEAN_FREE char *text = json_dumps(body, 0);
	struct client_reply r = ask(f, "POST", "/graphql", token, text);

	assert_int_equal(r.status, 200);
	assert_non_null(r.json);
	return r;
}

/* What stands at a path such as "organizations.nodes.0.id" of data. */
static inline json_t *at(const struct client_reply *r, const char *path)
{
	json_t *j = json_object_get(r->json, "data");
	char part[64];

	for (const char *p = path; *p; p += strcspn(p, "."), p += *p == '.') {
		snprintf(part, sizeof part, "%.*s", (int)strcspn(p, "."), p);
		j = json_is_array(j) ? json_array_get(j, strtoul(part, NULL, 10)) : json_object_get(j, part);
	}
	return j;
}

static inline const char *text_at(const struct client_reply *r, const char *path)
{
	if (!json_is_string(at(r, path)))
		fail_msg("%s is no string in %s", path, r->body);
	return json_string_value(at(r, path));
}

/* Without errors; and only the fields of that object, in that order, and of these types: s string, b bool, n number, 0 null, o other. */
static inline void expect_fields(const struct client_reply *r, const char *path, const char *names, const char *types)
{
	const char *key, *p = names;
	json_t *value;

	if (json_object_get(r->json, "errors"))
		fail_msg("%s", r->body);
	json_object_foreach(at(r, path), key, value) {
		size_t n = strcspn(p, " ");
		char is = json_is_string(value) ? 's' : json_is_boolean(value) ? 'b' : json_is_number(value) ? 'n' : json_is_null(value) ? '0' : 'o';

		if (strlen(key) != n || strncmp(key, p, n) != 0 || is != *types)
			fail_msg("%s: \"%s\" is %c, expected %.*s %c: %s", path, key, is, (int)n, p, *types, r->body);
		p += n + (p[n] == ' ');
		types++;
	}
	if (*p)
		fail_msg("%s has no %s: %s", path, p, r->body);
}

/* One error with that code of ours, that of flyctl's, and no data. */
static inline void expect_error(struct api_fixture *f, const char *token, const char *query, const char *variables, const char *code, const char *reason)
{
	struct client_reply r = gql(f, token, query, variables);
	const json_t *error = json_array_get(json_object_get(r.json, "errors"), 0), *extensions = json_object_get(error, "extensions");

	if (!error || strcmp(json_string_value(json_object_get(extensions, "code")), code) ||
	    strcmp(json_string_value(json_object_get(extensions, "reason")), reason) || !json_string_length(json_object_get(error, "message")))
		fail_msg("%s %s: expected %s %s, got %s", query, variables ? variables : "", code, reason, r.body);
	client_reply_deinit(&r);
}
