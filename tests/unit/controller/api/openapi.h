/* openapi - holds a live reply against the API's own description: status, content type, and every field of the body. In the fixture's ask(), so
 * that whatever a test of the API asks is held against it, routes of tomorrow included. Reads as much of JSON Schema as describe.c writes,
 * and fails on what it does not know. */
#pragma once
#include "controller/api/route.h"
#include "tests/unit/controller/client.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct openapi_fault {
	char at[200], text[300];
};

static inline bool openapi_value(const json_t *doc, const json_t *schema, const json_t *value, const char *at, struct openapi_fault *fault);

static inline bool openapi_fail(struct openapi_fault *fault, const char *at, const char *text, const char *name)
{
	snprintf(fault->at, sizeof fault->at, "%s", at);
	snprintf(fault->text, sizeof fault->text, "%s%s%s%s", text, name ? " \"" : "", name ? name : "", name ? "\"" : "");
	return false;
}

static inline bool openapi_is(const char *type, const json_t *value)
{
	return (!strcmp(type, "null") && json_is_null(value)) || (!strcmp(type, "string") && json_is_string(value)) ||
	       (!strcmp(type, "integer") && json_is_integer(value)) || (!strcmp(type, "number") && json_is_number(value)) ||
	       (!strcmp(type, "boolean") && json_is_boolean(value)) || (!strcmp(type, "array") && json_is_array(value)) ||
	       (!strcmp(type, "object") && json_is_object(value));
}

static inline bool openapi_object(const json_t *doc, const json_t *schema, const json_t *value, const char *at, struct openapi_fault *fault)
{
	const json_t *properties = json_object_get(schema, "properties"), *more = json_object_get(schema, "additionalProperties");
	const char *key;
	json_t *one;
	char path[200];
	size_t i;

	json_object_foreach((json_t *)(uintptr_t)value, key, one) {
		const json_t *known = json_object_get(properties, key);

		snprintf(path, sizeof path, "%.150s.%.40s", at, key);
		if (!known && json_is_false(more))
			return openapi_fail(fault, at, "there is a field that the shape does not have:", key);
		if (!known && !json_is_object(more))
			continue;
		if (!openapi_value(doc, known ? known : more, one, path, fault))
			return false;
	}
	json_array_foreach(json_object_get(schema, "required"), i, one)
		if (!json_object_get(value, json_string_value(one)))
			return openapi_fail(fault, at, "the shape says that there is always a field", json_string_value(one));
	return true;
}

static inline bool openapi_any_of(const json_t *doc, const json_t *choices, const json_t *value, const char *at, struct openapi_fault *fault)
{
	json_t *one;
	size_t i;

	json_array_foreach(choices, i, one)
		if (openapi_value(doc, one, value, at, fault))
			return true;
	return false; /* fault: of the last */
}

static inline bool openapi_type(const json_t *type, const json_t *value)
{
	json_t *one;
	size_t i;

	if (json_is_string(type))
		return openapi_is(json_string_value(type), value);
	json_array_foreach(type, i, one)
		if (openapi_is(json_string_value(one), value))
			return true;
	return false;
}

static inline bool openapi_value(const json_t *doc, const json_t *schema, const json_t *value, const char *at, struct openapi_fault *fault)
{
	static const char *const known[] = { "$ref", "anyOf", "type", "format", "description", "properties", "required",
					     "additionalProperties", "items", "const" };
	const json_t *ref = json_object_get(schema, "$ref"), *items = json_object_get(schema, "items"), *type = json_object_get(schema, "type");
	const char *word;
	json_t *one;
	char path[240];
	size_t i;

	json_object_foreach((json_t *)(uintptr_t)schema, word, one) {
		for (i = 0; i < ARRAY_LEN(known) && strcmp(known[i], word) != 0; i++)
			;
		if (i == ARRAY_LEN(known))
			return openapi_fail(fault, at, "this test does not know the schema's word", word);
	}
	if (ref) {
		const char *name = strrchr(json_string_value(ref), '/') + 1;
		const json_t *target = json_object_get(json_object_get(json_object_get(doc, "components"), "schemas"), name);

		return target ? openapi_value(doc, target, value, at, fault) : openapi_fail(fault, at, "there is no schema", name);
	}
	if (json_object_get(schema, "anyOf"))
		return openapi_any_of(doc, json_object_get(schema, "anyOf"), value, at, fault);
	if (json_object_get(schema, "const") && !json_equal(json_object_get(schema, "const"), value))
		return openapi_fail(fault, at, "it is not the value that the schema says", NULL);
	if (type && !openapi_type(type, value))
		return openapi_fail(fault, at, "its type is not", json_is_string(type) ? json_string_value(type) : "one of the shape's");
	if (json_object_get(schema, "format") && (json_string_length(value) < 20 || json_string_value(value)[10] != 'T' ||
						  json_string_value(value)[json_string_length(value) - 1] != 'Z'))
		return openapi_fail(fault, at, "it is no time of RFC 3339 in UTC", NULL);
	if (json_is_object(value) && type)
		return openapi_object(doc, schema, value, at, fault);
	json_array_foreach(value, i, one) {
		snprintf(path, sizeof path, "%.180s[%zu]", at, i);
		if (items && !openapi_value(doc, items, one, path, fault))
			return false;
	}
	return true;
}

/* NULL-ended lines of what is wrong with it; true = nothing. */
static inline bool openapi_reply_fits(const json_t *doc, const struct route *route, const struct client_reply *r, struct openapi_fault *fault)
{
	const json_t *method, *response;
	char name[16], type[120];
	json_t *content;
	const char *key;

	memset(name, 0, sizeof name);
	for (size_t i = 0; i < sizeof name - 1 && route->method[i]; i++)
		name[i] = (char)(route->method[i] | 0x20);
	method = json_object_get(json_object_get(json_object_get(doc, "paths"), route->pattern), name);
	snprintf(name, sizeof name, "%d", r->status);
	response = json_object_get(json_object_get(method, "responses"), name);
	if (!response && r->status >= 400)
		response = json_object_get(json_object_get(method, "responses"), "default");
	if (!response)
		return openapi_fail(fault, name, "the description knows no such status", NULL);
	content = json_object_get(response, "content");
	if (r->status == 304)
		return !content && !r->body[0] ? true : openapi_fail(fault, name, "304 has no body", NULL);
	if (!json_object_size(content))
		return openapi_fail(fault, name, "the table has no .reply: say what its reply looks like (controller/api/shape.h)", NULL);
	key = json_object_iter_key(json_object_iter(content));
	snprintf(type, sizeof type, "\r\nContent-Type: %s\r\n", key);
	if (!strcasestr(r->head, type))
		return openapi_fail(fault, name, "its content type is not", key);
	if (strcmp(key, "application/json") != 0)
		return true;
	if (!r->json)
		return openapi_fail(fault, name, "the body is no JSON", NULL);
	return openapi_value(doc, json_object_get(json_object_get(content, key), "schema"), r->json, "reply", fault);
}

/* Gives the reply back. */
static inline struct client_reply openapi_held(const char *method, const char *target, struct client_reply r)
{
	static json_t *doc; /* of a program that does not change */
	struct openapi_fault fault = { "", "" };
	struct http_target parsed;
	struct route_match match;

	if (!doc)
		doc = route_describe();
	assert_non_null(doc);
	if (r.status <= 0 || http_target_parse(target, &parsed, NULL))
		return r;
	route_find(&parsed, method, &match);
	if (!match.route || (match.route->manner && r.status >= 400)) /* what the door itself says there is in the manner of /v1 */
		return r;
	if (!openapi_reply_fits(doc, match.route, &r, &fault))
		fail_msg("%s %s (%s): the reply is not as /v1/openapi.json says: at %s: %s\n%s", method, match.route->pattern, target, fault.at, fault.text,
			 r.body);
	return r;
}
