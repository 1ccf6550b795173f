/* describe - the router table as OpenAPI 3.1 (whose schemas are JSON Schema 2020-12), for programs and for the tests that hold live replies
 * against it. Nothing is written here that the tables do not say; see route.h and shape.h. */
#include "controller/api/route.h"
#include "controller/api/shape.h"

#include <stdio.h>
#include <string.h>

/* ---- what comes in ---- */

static json_t *describe_field(const struct route_field *f)
{
	static const char *const types[] = { [FIELD_TEXT] = "string", [FIELD_STR] = "string", [FIELD_INT] = "integer", [FIELD_NUM] = "number",
					     [FIELD_BOOL] = "boolean", [FIELD_STRINGS] = "array", [FIELD_MAP] = "object",
					     [FIELD_OBJECT] = "object", [FIELD_LIST] = "array" };
	/* null is as good as absent, but for what must be there */
	json_t *type = f->required ? json_string(types[f->type]) : json_pack("[s,s]", types[f->type], "null");
	json_t *j = json_pack("{s:o,s:s}", "type", type, "description", f->help);

	if (f->type == FIELD_STR || f->type == FIELD_TEXT) {
		json_object_set_new(j, "minLength", json_integer(f->min));
		json_object_set_new(j, "maxLength", json_integer(f->max ? f->max : 255));
	}
	if (f->type == FIELD_INT || f->type == FIELD_NUM) {
		json_object_set_new(j, "minimum", json_integer(f->min));
		json_object_set_new(j, "maximum", json_integer(f->max));
	}
	if (f->type == FIELD_STRINGS || f->type == FIELD_LIST) {
		json_object_set_new(j, "minItems", json_integer(f->min));
		json_object_set_new(j, "maxItems", json_integer(f->max));
		json_object_set_new(j, "items", f->type == FIELD_STRINGS ? json_pack("{s:s,s:i}", "type", "string", "maxLength", ROUTE_TEXT_MAX) :
									   json_object());
	}
	if (f->type == FIELD_MAP) {
		json_object_set_new(j, "maxProperties", json_integer(f->max));
		json_object_set_new(j, "additionalProperties", json_pack("{s:s,s:i}", "type", "string", "maxLength", ROUTE_TEXT_MAX));
	}
	return j;
}

static json_t *describe_body(const struct route *r)
{
	json_t *properties = json_object(), *required = json_array(), *schema;
	size_t n_required;

	for (const struct route_field *f = r->fields; f->name; f++) {
		json_object_set_new(properties, f->name, describe_field(f));
		if (f->required)
			json_array_append_new(required, json_string(f->name));
	}
	n_required = json_array_size(required);
	schema = json_pack("{s:s,s:b,s:o,s:o}", "type", "object", "additionalProperties", 0, "properties", properties, "required", required);
	return json_pack("{s:b,s:{s:{s:o}}}", "required", n_required != 0, "content", "application/json", "schema", schema);
}

static json_t *query_schema(const char *name)
{
	if (!strcmp(name, "limit"))
		return json_pack("{s:s,s:i,s:i}", "type", "integer", "minimum", 1, "maximum", STORE_PAGE_MAX);
	if (!strcmp(name, "wait"))
		return json_pack("{s:s,s:[s,s]}", "type", "string", "enum", "applied", "recorded");
	if (route_is_yes_or_no(name))
		return json_pack("{s:s,s:[s,s,s,s,s]}", "type", "string", "enum", "1", "0", "true", "false", "");
	return json_pack("{s:s}", "type", "string");
}

static void describe_words(json_t *parameters, const char *words)
{
	char name[32];

	for (const char *p = words; p && *p; p += strcspn(p, " "), p += strspn(p, " ")) {
		snprintf(name, sizeof name, "%.*s", (int)strcspn(p, " "), p);
		json_array_append_new(parameters, json_pack("{s:s,s:s,s:o}", "name", name, "in", "query", "schema", query_schema(name)));
	}
}

static void describe_header(json_t *parameters, const char *name, const char *help)
{
	json_array_append_new(parameters,
			      json_pack("{s:s,s:s,s:s,s:{s:s}}", "name", name, "in", "header", "description", help, "schema", "type", "string"));
}

static json_t *describe_parameters(const struct route *r)
{
	json_t *parameters = json_array();
	char name[32];

	for (const char *p = strchr(r->pattern, '{'); p; p = strchr(p + 1, '{')) {
		snprintf(name, sizeof name, "%.*s", (int)strcspn(p + 1, "}"), p + 1);
		json_array_append_new(parameters, json_pack("{s:s,s:s,s:b,s:{s:s}}", "name", name, "in", "path", "required", 1, "schema",
							    "type", "string"));
	}
	describe_words(parameters, r->query);
	if (r->write)
		describe_words(parameters, "wait timeout strict on dry_run");
	if (r->waits)
		describe_words(parameters, "timeout strict on");
	if (r->list)
		describe_words(parameters, "after limit prefix");
	if (r->watch)
		describe_words(parameters, "after timeout");
	if (r->write && r->run && !r->graphql)
		describe_header(parameters, "Idempotency-Key", "1 to 255 visible ASCII characters; the same request with the same key is done once in 24 h");
	if (r->write && r->current)
		describe_header(parameters, "If-Match", "ETag of the version that this is about: another one there is refused with 412");
	if (r->write && r->current && !strcmp(r->method, "PUT"))
		describe_header(parameters, "If-None-Match", "* = only if there is none");
	if (!r->write && r->object)
		describe_header(parameters, "If-None-Match", "ETag of the version that you have: 304 if it is still that one");
	return parameters;
}

/* ---- what goes out ---- */

static json_t *described(const char *description, const char *type, json_t *schema)
{
	return json_pack("{s:s,s:{s:{s:o}}}", "description", description, "content", type, "schema", schema);
}

/* NULL: the table does not say, and a test fails. */
static json_t *reply_schema(const struct route *r, json_t *schemas)
{
	char name[64];

	if (!r->reply)
		return NULL;
	shape_collect(r->reply, schemas);
	if (r->array)
		return json_pack("{s:s,s:o}", "type", "array", "items", shape_reference(r->reply));
	if (r->list) {
		json_t *page = json_pack("{s:s,s:{s:{s:s,s:o},s:{s:[s,s]}},s:[s,s],s:b}", "type", "object", "properties", "items", "type", "array",
					 "items", shape_reference(r->reply), "next", "type", "string", "null", "required", "items", "next",
					 "additionalProperties", 0);

		if (!r->other)
			return page;
		shape_collect(r->other, schemas);
		return json_pack("{s:[o,o]}", "anyOf", page, shape_reference(r->other));
	}
	if (!r->write && !r->waits)
		return shape_reference(r->reply);
	shape_collect(&shape_written, schemas);
	snprintf(name, sizeof name, "%sWritten", r->reply->name);
	if (!json_object_get(schemas, name))
		json_object_set_new(schemas, name, shape_schema(r->reply, &shape_written));
	if (r->start) /* of what does not go through the store a dry run knows nothing */
		return json_pack("{s:[{s:o},{s:s,s:{s:{s:b}},s:[s],s:b}]}", "anyOf", "$ref", json_sprintf("#/components/schemas/%s", name), "type",
				 "object", "properties", "dry_run", "const", 1, "required", "dry_run", "additionalProperties", 0);
	return json_pack("{s:o}", "$ref", json_sprintf("#/components/schemas/%s", name));
}

static json_t *describe_responses(const struct route *r, json_t *schemas)
{
	json_t *responses = json_object(), *schema = reply_schema(r, schemas);
	const struct shape *error = r->error ? r->error : r->manner ? r->reply : &shape_error;
	char status[12];

	snprintf(status, sizeof status, "%u", r->success ? r->success : 200);
	if (r->text_type)
		json_object_set_new(responses, status, described("good", r->text_type, json_pack("{s:s}", "type", "string")));
	else if (schema)
		json_object_set_new(responses, status, described("good", "application/json", json_incref(schema)));
	else
		json_object_set_new(responses, status, json_pack("{s:s}", "description", "good"));
	if (schema && r->write && r->success == 201)
		json_object_set_new(responses, "200", described("nothing was made: a dry run, or it was there", "application/json", json_incref(schema)));
	if (schema && !strcmp(r->method, "PUT"))
		json_object_set_new(responses, "201", described("it was made", "application/json", json_incref(schema)));
	if (schema && (r->write || r->waits))
		json_object_set_new(responses, "202", described("done, but not applied everywhere when the time was up", "application/json",
								json_incref(schema)));
	if (!r->write && r->object)
		json_object_set_new(responses, "304", json_pack("{s:s}", "description", "it is as If-None-Match says"));
	if (error) {
		shape_collect(error, schemas);
		json_object_set_new(responses, "default", described("an error", "application/json", shape_reference(error)));
	}
	json_decref(schema);
	return responses;
}

static json_t *describe_route(const struct route *r, json_t *schemas)
{
	json_t *j = json_pack("{s:s,s:o,s:o}", "summary", r->help, "parameters", describe_parameters(r), "responses", describe_responses(r, schemas));

	if (r->fields)
		json_object_set_new(j, "requestBody", describe_body(r));
	else if (r->drops)
		json_object_set_new(j, "requestBody", json_pack("{s:s,s:{s:{}}}", "description", "anything: it is thrown away", "content", "*/*"));
	json_object_set_new(j, "security",
			    r->auth == ROUTE_OPEN ? json_array() :
			    r->auth == ROUTE_NEAR ? json_pack("[{s:[]},{}]", "bearer") /* or nothing, on the controller's own machine */ :
						    json_pack("[{s:[]}]", "bearer"));
	return j;
}

json_t *route_describe(void)
{
	json_t *paths = json_object(), *schemas = json_object();

	for (const struct route *r = route_next(NULL); r; r = route_next(r)) {
		json_t *path = json_object_get(paths, r->pattern);
		char method[16];
		size_t i;

		for (i = 0; r->method[i] && i + 1 < sizeof method; i++)
			method[i] = (char)(r->method[i] | 0x20);
		method[i] = 0;
		if (!path) {
			path = json_object();
			json_object_set_new(paths, r->pattern, path);
		}
		json_object_set_new(path, method, describe_route(r, schemas));
	}
	return json_pack("{s:s,s:{s:s,s:s},s:o,s:{s:o,s:{s:{s:s,s:s}}}}", "openapi", "3.1.0", "info", "title", "sixpn", "version", SIXPN_VERSION,
			 "paths", paths, "components", "schemas", schemas, "securitySchemes", "bearer", "type", "http", "scheme", "bearer");
}
