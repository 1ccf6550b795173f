/* shape - see shape.h. */
#include "controller/api/shape.h"

#include <stdio.h>
#include <string.h>

/* ---- shapes that many replies share ---- */

static const struct shape_field record_fields[] = {
	{ "node", SHAPE_STR, 0, NULL, "which node says so" },
	{ "record", SHAPE_STR, 0, NULL, "which record" },
	{ "text", SHAPE_STR, SHAPE_MAYBE, NULL, "why it could not be applied" },
	{ 0 },
};
static const struct shape record_shape = { "NodeRecord", false, record_fields };

static const struct shape_field written_fields[] = {
	{ "v", SHAPE_INT, SHAPE_MAYBE, NULL, "version of the change, or the newest there is if nothing had to change" },
	{ "dry_run", SHAPE_BOOL, SHAPE_MAYBE, NULL, "true: nothing was changed" },
	{ "applied", SHAPE_BOOL, SHAPE_MAYBE, NULL, "with wait=applied: every node asked for has it" },
	{ "nodes", SHAPE_INT, SHAPE_MAYBE, NULL, "with wait=applied: how many nodes that are" },
	{ "unknown", SHAPE_STRINGS, SHAPE_MAYBE, NULL, "nodes that nobody has heard of lately" },
	{ "laggards", SHAPE_STRINGS, SHAPE_MAYBE, NULL, "nodes that do not have it yet" },
	{ "held", SHAPE_LIST, SHAPE_MAYBE, &record_shape, "deletes that nodes hold back" },
	{ "errors", SHAPE_LIST, SHAPE_MAYBE, &record_shape, "records that nodes could not apply" },
	{ "counts", SHAPE_COUNTS, SHAPE_MAYBE, NULL, "how long those lists would be if they were not cut" },
	{ "continue", SHAPE_STR, SHAPE_MAYBE, NULL, "where the rest can be waited for" },
	{ "v_observed", SHAPE_INT, SHAPE_MAYBE, NULL, "version of the host's report" },
	{ "withdrawn_ms", SHAPE_INT, SHAPE_MAYBE, NULL, "after which time it was out of DNS everywhere" },
	{ "observed", SHAPE_STR, SHAPE_MAYBE, NULL, "state that the host reported" },
	{ 0 },
};
const struct shape shape_written = { "Written", false, written_fields };

static const struct shape_field deletion_fields[] = {
	{ "finished", SHAPE_BOOL, 0, NULL, "nothing of it is left" },
	{ "instances_left", SHAPE_INT, 0, NULL, "it goes when these have stopped" },
	{ 0 },
};
const struct shape shape_deletion = { "Deletion", false, deletion_fields };

static const struct shape any_object = { "Object", true, NULL };
static const struct shape_field reason_fields[] = {
	{ "code", SHAPE_STR, 0, NULL, "stable, for programs" },
	{ "message", SHAPE_STR, 0, NULL, "for people" },
	{ "field", SHAPE_STR, SHAPE_NULL, NULL, "of body, query or headers" },
	{ "hint", SHAPE_STR, SHAPE_NULL, NULL, "what helps" },
	{ "request", SHAPE_STR, 0, NULL, "as in the header Sixpn-Request and in the controller's log" },
	{ "given", SHAPE_STR, SHAPE_MAYBE, NULL, "of 412: the version that was asked for" },
	{ "current", SHAPE_STR, SHAPE_MAYBE | SHAPE_NULL, NULL, "of 412: the version that is there; null = none" },
	{ "differs", SHAPE_STRINGS, SHAPE_MAYBE | SHAPE_NULL, NULL, "of 412: fields that are not as in the version given; null = not known" },
	{ "object", SHAPE_OBJECT, SHAPE_MAYBE | SHAPE_NULL, &any_object, "of 412: what is there now" },
	{ 0 },
};
static const struct shape reason_shape = { "Reason", false, reason_fields };
static const struct shape_field error_fields[] = { { "error", SHAPE_OBJECT, 0, &reason_shape, NULL }, { 0 } };
const struct shape shape_error = { "Error", false, error_fields };

/* ---- JSON Schema ---- */

json_t *shape_reference(const struct shape *shape)
{
	return json_pack("{s:o}", "$ref", json_sprintf("#/components/schemas/%s", shape->name));
}

static json_t *value_schema(const struct shape_field *f)
{
	switch (f->type) {
	case SHAPE_STR: return json_pack("{s:s}", "type", "string");
	case SHAPE_INT: return json_pack("{s:s}", "type", "integer");
	case SHAPE_NUM: return json_pack("{s:s}", "type", "number");
	case SHAPE_BOOL: return json_pack("{s:s}", "type", "boolean");
	case SHAPE_TIME: return json_pack("{s:s,s:s}", "type", "string", "format", "date-time");
	case SHAPE_STRINGS: return json_pack("{s:s,s:{s:s}}", "type", "array", "items", "type", "string");
	case SHAPE_MAP: return json_pack("{s:s,s:{s:s}}", "type", "object", "additionalProperties", "type", "string");
	case SHAPE_COUNTS: return json_pack("{s:s,s:{s:s}}", "type", "object", "additionalProperties", "type", "integer");
	case SHAPE_OBJECT: return shape_reference(f->of);
	case SHAPE_LIST: return json_pack("{s:s,s:o}", "type", "array", "items", shape_reference(f->of));
	case SHAPE_ANY: return json_object();
	}
	return NULL;
}

static json_t *field_schema(const struct shape_field *f)
{
	json_t *j = value_schema(f);

	if (f->flags & SHAPE_NULL)
		j = json_pack("{s:[o,{s:s}]}", "anyOf", j, "type", "null");
	if (f->help)
		json_object_set_new(j, "description", json_string(f->help));
	return j;
}

static void add_fields(const struct shape *shape, json_t *properties, json_t *required)
{
	for (const struct shape_field *f = shape->fields; f && f->name; f++) {
		json_t *other = json_object_get(properties, f->name), *own = field_schema(f);

		if (other)
			own = json_pack("{s:[O,o]}", "anyOf", other, own);
		json_object_set_new(properties, f->name, own);
		if (!(f->flags & SHAPE_MAYBE))
			json_array_append_new(required, json_string(f->name));
	}
}

json_t *shape_schema(const struct shape *shape, const struct shape *also)
{
	json_t *properties = json_object(), *required = json_array();

	add_fields(shape, properties, required);
	if (also)
		add_fields(also, properties, required);
	return json_pack("{s:s,s:o,s:o,s:b}", "type", "object", "properties", properties, "required", required, "additionalProperties",
			 (int)shape->open);
}

void shape_collect(const struct shape *shape, json_t *schemas)
{
	if (json_object_get(schemas, shape->name))
		return;
	json_object_set_new(schemas, shape->name, shape_schema(shape, NULL));
	for (const struct shape_field *f = shape->fields; f && f->name; f++)
		if (f->of)
			shape_collect(f->of, schemas);
}
