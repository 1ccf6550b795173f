/* api_spec - the workload of a new instance (JSON, schema 1), checked in shape here so that a mistake is told to who made it; its
 * host checks all of it again. */
#include "controller/api/api_nouns.h"

#include <stdlib.h>
#include <string.h>

#define SPEC_BYTES_MAX (60u << 10) /* a record is at most 64 KiB */

static const struct route_field spec_fields[] = {
	{ "schema", FIELD_INT, 1, 1, false, "1" },
	{ "command", FIELD_STRINGS, 1, 128, true, "program and arguments" },
	{ "env", FIELD_MAP, 0, 128, false, "environment" },
	{ "files", FIELD_LIST, 0, 16, false, "path, content, mode" },
	{ "root", FIELD_STR, 1, 255, false, "file tree on the host; the machine's own if absent" },
	{ "workdir", FIELD_STR, 1, 255, false, "working directory" },
	{ "user", FIELD_STR, 1, 64, false, "uid:gid" },
	{ "restart", FIELD_STR, 1, 16, false, "always, on-failure or never" },
	{ "drain_ms", FIELD_INT, 0, 600000, false, "time between out of DNS and SIGTERM" },
	{ "stop_timeout_ms", FIELD_INT, 0, 600000, false, "time between SIGTERM and SIGKILL" },
	{ "runtime", FIELD_STR, 1, 16, false, "process or hook" },
	{ 0 },
};
static const struct route_field file_fields[] = {
	{ "path", FIELD_STR, 1, 255, true, "absolute" },
	{ "content", FIELD_OBJECT, 0, 0, true, "text" }, /* judged below: a text with line ends, which FIELD_STR refuses */
	{ "mode", FIELD_STR, 1, 8, false, "octal, for example 0644" },
	{ 0 },
};

static int check_file(const json_t *file, struct why *why)
{
	static const char *const names[] = { "path", "content", "mode", NULL };
	CLEAN_JSON json_t *head = json_copy((json_t *)(uintptr_t)file);
	const struct route as_route = { .method = "", .pattern = "files", .fields = file_fields };
	const json_t *content = json_object_get(file, "content");

	if (json_known(file, names, why))
		return E_REFUSED;
	if (!json_is_string(content) || json_string_length(content) > (32u << 10))
		return why_set(why, "type_invalid", "files", "\"content\" of a file must be a string of at most 32 KiB");
	json_object_set_new(head, "content", json_object());
	return route_check_body(&as_route, head, why);
}

static int check_spec(const json_t *spec, struct why *why)
{
	const struct route as_route = { .method = "", .pattern = "spec", .fields = spec_fields };
	size_t i;
	json_t *file;

	if (route_check_body(&as_route, spec, why))
		return E_REFUSED;
	json_array_foreach(json_object_get(spec, "files"), i, file)
		if (check_file(file, why))
			return E_REFUSED;
	return 0;
}

int api_spec_make(const struct api_call *call, char **ret_spec, struct why *why)
{
	const json_t *given = json_object_get(call->body, "spec");
	CLEAN_JSON json_t *spec = json_is_object(given) ? json_copy((json_t *)(uintptr_t)given) : json_object();
	char *text;

	for (const struct route_field *f = spec_fields; f->name; f++) {
		json_t *value = json_object_get(call->body, f->name);

		if (!value || json_is_null(value))
			continue;
		if (json_is_object(given))
			return why_set(why, "field_invalid", f->name, "give \"%s\" inside \"spec\", or leave out \"spec\"", f->name);
		json_object_set(spec, f->name, value);
	}
	if (!json_object_get(spec, "schema"))
		json_object_set_new(spec, "schema", json_integer(1));
	if (check_spec(spec, why))
		return E_REFUSED;
	text = json_dumps(spec, JSON_COMPACT);
	if (!text)
		return -ENOMEM;
	if (strlen(text) > SPEC_BYTES_MAX) {
		size_t len = strlen(text);

		free(text);
		return why_set(why, "too_large", "spec", "the workload has %zu bytes, at most %u are allowed", len, SPEC_BYTES_MAX);
	}
	*ret_spec = text;
	return 0;
}
