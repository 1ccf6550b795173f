/* flaps_config_shown - what a machine's configuration is shown as; see flaps_config.h. */
#include "controller/api/flaps_config.h"

#include "lib/base/crypto.h"

#include <stdlib.h>
#include <string.h>

static bool is_empty(const json_t *j)
{
	return !j || json_is_null(j) || json_is_false(j) || (json_is_string(j) && !json_string_length(j)) ||
	       (json_is_object(j) && !json_object_size(j)) || (json_is_array(j) && !json_array_size(j));
}

static bool has_effect(const char *name)
{
	static const char *const names[] = { "env", "init", "metadata", "restart", "dns", "files", "stop_config", "containers",
					     "auto_destroy" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

json_t *flaps_config_ignored(const json_t *config)
{
	json_t *ignored = json_array(), *value;
	const char *name;

	json_object_foreach((json_t *)(uintptr_t)config, name, value)
		if (!has_effect(name) && !is_empty(value))
			json_array_append_new(ignored, json_string(name));
	return ignored;
}

static json_t *files_json(const json_t *of_spec)
{
	json_t *files = json_array(), *file;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)of_spec, i, file) {
		const char *content = json_string_value(json_object_get(file, "content")), *mode = json_string_value(json_object_get(file, "mode"));
		size_t n = content ? strlen(content) : 0;
		CLEAN_FREE char *raw = malloc((n + 2) / 3 * 4 + 1);

		if (!raw)
			break;
		crypto_base64(content ? content : "", n, raw);
		json_array_append_new(files, json_pack("{s:O?,s:s,s:i}", "guest_path", json_object_get(file, "path"), "raw_value", raw, "mode",
						       mode ? (int)strtol(mode, NULL, 8) : 0644));
	}
	return files;
}

/* As Go writes times. */
static json_t *stop_json(const json_t *ms)
{
	return json_pack("{s:o}", "timeout", json_sprintf("%lldms", (long long)json_integer_value(ms)));
}

/* What is shown here comes back with an update, for flyctl sends the whole of it again. */
json_t *flaps_config_of_spec(const char *spec, size_t spec_len)
{
	CLEAN_JSON json_t *doc = spec && spec_len ? json_parse(spec, spec_len, NULL) : NULL;
	const char *restart = json_string_value(json_object_get(doc, "restart"));
	json_t *config = json_pack("{s:s,s:{}}", "image", "", "init");

	if (json_object_get(doc, "command"))
		json_object_set(json_object_get(config, "init"), "exec", json_object_get(doc, "command"));
	if (json_object_get(doc, "env"))
		json_object_set(config, "env", json_object_get(doc, "env"));
	if (json_array_size(json_object_get(doc, "files")))
		json_object_set_new(config, "files", files_json(json_object_get(doc, "files")));
	if (json_object_get(doc, "stop_timeout_ms"))
		json_object_set_new(config, "stop_config", stop_json(json_object_get(doc, "stop_timeout_ms")));
	json_object_set_new(config, "restart", json_pack("{s:s}", "policy", !restart ? "on-failure" : strcmp(restart, "never") ? restart : "no"));
	return config;
}

json_t *flaps_image_ref(const char *image)
{
	const char *slash = strchr(image, '/'), *digest = strchr(image, '@'), *end = digest ? digest : image + strlen(image), *colon = end;
	size_t first = slash ? (size_t)(slash - image) : 0;
	/* as container tools have it: a first part with a dot or a port, or "localhost", is a host */
	bool host = slash && slash < end && (memchr(image, '.', first) || memchr(image, ':', first) || !strncmp(image, "localhost/", 10));
	const char *repository = host ? slash + 1 : image;

	while (colon > repository && *colon != ':' && *colon != '/')
		colon--;
	if (*colon != ':' || colon == end)
		colon = end;
	return json_pack("{s:o,s:o,s:o,s:s,s:{}}", "registry", host ? json_stringn(image, first) : json_string(*image ? "registry-1.docker.io" : ""),
			 "repository", json_stringn(repository, (size_t)(colon - repository)), "tag",
			 colon < end ? json_stringn(colon + 1, (size_t)(end - colon - 1)) : json_string(*image && !digest ? "latest" : ""),
			 "digest", digest ? digest + 1 : "", "labels");
}
