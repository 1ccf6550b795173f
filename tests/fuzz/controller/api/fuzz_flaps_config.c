/* Configurations of machines as strangers send them. What is taken comes back as it was, and has a workload that runs something. */
#include "controller/api/flaps_config.h"

#include <stdlib.h>
#include <string.h>

/* What begins with ! is the value of one field of a configuration that is good otherwise, so that chance gets that far. */
static json_t *parse(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "image", "env", "init", "guest", "metadata", "restart", "dns", "files", "stop_config", "containers",
					     "mounts", "services", "checks", "other" };
	static const char *const parts[] = { "exec", "cmd", "policy", "timeout", "skip_registration", "guest_path", "raw_value", "env", "cpus" };
	json_t *value, *config;

	if (size < 3 || data[0] != '!')
		return json_parse((const char *)data, size, NULL);
	value = json_parse((const char *)data + 3, size - 3, NULL);
	if (!value && !memchr(data + 3, 0, size - 3)) /* which no text of JSON holds */
		value = json_stringn((const char *)data + 3, size - 3);
	if (!value)
		return NULL;
	if (data[2] & 1)
		value = json_pack("{s:s,s:o}", "guest_path", "/x", parts[(data[2] >> 2) % ARRAY_LEN(parts)], value);
	if (data[2] & 2)
		value = json_pack("[o]", value);
	config = json_pack("{s:s}", "image", "a");
	json_object_set_new(config, names[data[1] % ARRAY_LEN(names)], value);
	return config;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEAN_JSON json_t *config = parse(data, size), *again = NULL, *spec = NULL, *back = NULL, *ignored = NULL, *image = NULL;
	struct flaps_config c;
	struct why why = { .text = "" };
	int r;

	if (!config)
		return 0;
	r = flaps_config_parse(config, &c, &why);
	if (r) {
		if (r != E_REFUSED || !why.text[0] || !why.code[0] || c.text || c.spec)
			abort();
		return 0;
	}
	again = json_parse(c.text, strlen(c.text), NULL);
	spec = json_parse(c.spec, strlen(c.spec), NULL);
	if (!json_equal(again, config) || !json_array_size(json_object_get(spec, "command")) || c.n_metadata > RECORD_METADATA_MAX)
		abort();
	back = flaps_config_of_spec(c.spec, strlen(c.spec));
	ignored = flaps_config_ignored(config);
	image = json_is_string(json_object_get(config, "image")) ? flaps_image_ref(json_string_value(json_object_get(config, "image"))) : json_null();
	if (!json_is_object(back) || !json_is_array(ignored) || !image)
		abort();
	flaps_config_deinit(&c);
	return 0;
}
