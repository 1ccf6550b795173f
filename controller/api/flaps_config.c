/* flaps_config - see flaps_config.h. */
#include "controller/api/flaps_config.h"
#include "controller/api/route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMAND_MAX 128
#define FILES_MAX 16
#define FILE_BYTES_MAX (32u << 10)
#define STOP_TIMEOUT_MAX_MS 600000u

static const struct route_field config_fields[] = {
	{ "image", FIELD_STR, 0, 1024, false, "a label" },
	{ "env", FIELD_MAP, 0, 128, false, "environment" },
	{ "init", FIELD_OBJECT, 0, 0, false, "exec, entrypoint, cmd" },
	{ "guest", FIELD_OBJECT, 0, 0, false, "kept" },
	{ "metadata", FIELD_MAP, 0, RECORD_METADATA_MAX, false, "pairs of text" },
	{ "restart", FIELD_OBJECT, 0, 0, false, "policy" },
	{ "dns", FIELD_OBJECT, 0, 0, false, "skip_registration" },
	{ "files", FIELD_LIST, 0, FILES_MAX, false, "guest_path, raw_value, mode" },
	{ "stop_config", FIELD_OBJECT, 0, 0, false, "timeout" },
	{ "containers", FIELD_LIST, 0, 16, false, "one" },
	{ "mounts", FIELD_LIST, 0, 16, false, "none" },
	{ "services", FIELD_LIST, 0, 64, false, "kept" },
	{ "checks", FIELD_OBJECT, 0, 0, false, "kept" },
	{ "standbys", FIELD_LIST, 0, 64, false, "kept" },
	{ "processes", FIELD_LIST, 0, 16, false, "kept" },
	{ "statics", FIELD_LIST, 0, 64, false, "kept" },
	{ "schedule", FIELD_STR, 0, 63, false, "kept" },
	{ "auto_destroy", FIELD_BOOL, 0, 0, false, "destroyed once it has ended for good" },
	{ "rootfs", FIELD_OBJECT, 0, 0, false, "kept" },
	{ 0 },
};
static const struct route_field init_fields[] = {
	{ "exec", FIELD_STRINGS, 0, COMMAND_MAX, false, "program and arguments" },
	{ "entrypoint", FIELD_STRINGS, 0, COMMAND_MAX, false, "program" },
	{ "cmd", FIELD_STRINGS, 0, COMMAND_MAX, false, "arguments" },
	{ "tty", FIELD_BOOL, 0, 0, false, "kept" },
	{ 0 },
};
static const struct route_field container_fields[] = {
	{ "name", FIELD_STR, 0, 63, false, "for people" },
	{ "image", FIELD_STR, 0, 1024, false, "a label" },
	{ "exec", FIELD_STRINGS, 0, COMMAND_MAX, false, "program and arguments" },
	{ "entrypoint", FIELD_STRINGS, 0, COMMAND_MAX, false, "program" },
	{ "cmd", FIELD_STRINGS, 0, COMMAND_MAX, false, "arguments" },
	{ "env", FIELD_MAP, 0, 128, false, "environment" },
	{ "files", FIELD_LIST, 0, FILES_MAX, false, "guest_path, raw_value, mode" },
	{ 0 },
};
static const struct route_field file_fields[] = {
	{ "guest_path", FIELD_STR, 1, 255, true, "absolute" },
	{ "raw_value", FIELD_TEXT, 0, 2 * FILE_BYTES_MAX, false, "base64" },
	{ "secret_name", FIELD_STR, 0, 255, false, "not offered" },
	{ "mode", FIELD_INT, 0, 0777, false, "permissions" },
	{ 0 },
};
static const struct route_field guest_fields[] = {
	{ "cpu_kind", FIELD_STR, 0, 63, false, "kept" },
	{ "cpus", FIELD_INT, 0, 1024, false, "kept" },
	{ "memory_mb", FIELD_INT, 0, 1 << 24, false, "kept" },
	{ 0 },
};
static const struct route_field restart_fields[] = {
	{ "policy", FIELD_STR, 0, 63, false, "no, on-failure or always" },
	{ "max_retries", FIELD_INT, 0, INT32_MAX, false, "kept" },
	{ 0 },
};
static const struct route_field dns_fields[] = {
	{ "skip_registration", FIELD_BOOL, 0, 0, false, "keep it out of the app's names" },
	{ 0 },
};

/* The fields that are in the table, against it; the others may be anything. */
static int check_known(const char *what, const json_t *object, const struct route_field *fields, struct why *why)
{
	const struct route as_route = { .method = "", .pattern = what, .fields = fields };
	CLEAN_JSON json_t *known = json_object();

	if (!json_is_object(object))
		return why_set(why, "type_invalid", what, "\"%s\" must be an object", what);
	for (const struct route_field *f = fields; f->name; f++) {
		json_t *value = json_object_get(object, f->name);

		if (value)
			json_object_set(known, f->name, value);
	}
	return route_check_body(&as_route, known, why);
}

static const json_t *part(const json_t *object, const char *name)
{
	const json_t *j = json_object_get(object, name);

	return j && !json_is_null(j) ? j : NULL;
}

static int check_part(const json_t *config, const char *name, const struct route_field *fields, struct why *why)
{
	const json_t *j = part(config, name);

	return j ? check_known(name, j, fields, why) : 0;
}

/* ---- what runs ---- */

static const json_t *only_container(const json_t *config)
{
	return json_array_get(part(config, "containers"), 0);
}

static const char *image_of(const json_t *config)
{
	const char *image = json_string_value(part(config, "image"));

	if (!image || !*image)
		image = json_string_value(part(only_container(config), "image"));
	return image ? image : "";
}

static void extend(json_t *command, const json_t *list)
{
	size_t i;
	json_t *word;

	json_array_foreach((json_t *)(uintptr_t)list, i, word)
		json_array_append(command, word);
}

/* Empty if nothing says what to run. */
static json_t *command_of(const json_t *from)
{
	json_t *command = json_array();

	extend(command, part(from, "exec"));
	if (json_array_size(command))
		return command;
	extend(command, part(from, "entrypoint"));
	extend(command, part(from, "cmd"));
	return command;
}

static json_t *make_command(const json_t *config)
{
	json_t *command = command_of(part(config, "init"));

	if (!json_array_size(command)) {
		json_decref(command);
		command = command_of(only_container(config));
	}
	if (!json_array_size(command)) {
		json_decref(command);
		command = json_pack("[s,s]", "/bin/sleep", "infinity");
	}
	return command;
}

/* fly deploy and its like put some of them into every machine. A host sets them itself, to what is so, and runs nothing that would be told
 * otherwise. */
static json_t *make_env(const json_t *config)
{
	static const char *const of_host[] = { "FLY_APP_NAME",	 "FLY_MACHINE_ID", "FLY_ALLOC_ID",	"FLY_REGION",
					       "FLY_PRIVATE_IP", "FLY_LOCAL_6PN",  "FLY_PROCESS_GROUP" };
	const json_t *of_container = part(only_container(config), "env"), *of_machine = part(config, "env");
	const char *image = image_of(config);
	json_t *env = json_object();

	if (*image)
		json_object_set_new(env, "FLY_IMAGE_REF", json_string(image));
	if (of_machine)
		json_object_update(env, (json_t *)(uintptr_t)of_machine);
	if (of_container)
		json_object_update(env, (json_t *)(uintptr_t)of_container);
	for (size_t i = 0; i < ARRAY_LEN(of_host); i++)
		json_object_del(env, of_host[i]);
	return env;
}

static int set_restart(const json_t *config, json_t *spec, struct why *why)
{
	static const char *const names[][2] = { { "no", "never" }, { "never", "never" }, { "on-failure", "on-failure" },
						{ "on-fail", "on-failure" }, { "always", "always" } };
	const char *policy = json_string_value(part(part(config, "restart"), "policy"));

	for (size_t i = 0; policy && *policy && i < ARRAY_LEN(names); i++)
		if (!strcmp(names[i][0], policy)) {
			json_object_set_new(spec, "restart", json_string(names[i][1]));
			return 0;
		}
	if (policy && *policy)
		return why_set(why, "value_invalid", "restart", "restart.policy is \"%.30s\": it can be no, on-failure or always", policy);
	return 0;
}

/* How many ms the unit of n bytes is; 0 = it is none. */
static double unit_ms(const char *unit, size_t n)
{
	static const struct {
		const char *name;
		double ms;
	} units[] = { { "ns", 1e-6 }, { "us", 1e-3 }, { "\u00b5s", 1e-3 }, { "ms", 1 }, { "s", 1e3 }, { "m", 6e4 }, { "h", 3.6e6 } };

	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (strlen(units[i].name) == n && !memcmp(units[i].name, unit, n))
			return units[i].ms;
	return n || *unit ? 0 : 1e3; /* a number alone is of seconds */
}

/* As Go writes times: "5s", "1m30s", "10m0s", "2.5s", "0s". */
static int parse_go_time(const char *text, uint32_t *ret_ms, struct why *why)
{
	const char *p = text;
	double ms = 0;

	do {
		size_t digits = strspn(p, "0123456789"), n = digits;
		double number = strtod(p, NULL), unit;

		if (p[n] == '.')
			n += 1 + strspn(p + n + 1, "0123456789");
		p += n;
		n = strcspn(p, "0123456789.");
		unit = unit_ms(p, n);
		if (!digits || unit <= 0)
			return why_set(why, "field_invalid", "stop_config",
				       "stop_config.timeout is \"%.30s\", which is not a time such as 500ms, 10s or 1m30s", text);
		ms += number * unit;
		p += n;
	} while (*p);
	if (ms > STOP_TIMEOUT_MAX_MS)
		return why_set(why, "out_of_range", "stop_config", "stop_config.timeout is \"%.30s\", at most %u s are allowed", text,
			       STOP_TIMEOUT_MAX_MS / 1000);
	*ret_ms = (uint32_t)ms;
	return 0;
}

/* A text, or nanoseconds as Go's numbers of time are. */
static int set_stop_timeout(const json_t *config, json_t *spec, struct why *why)
{
	const json_t *timeout = part(part(config, "stop_config"), "timeout");
	uint32_t ms = 0;

	if (json_is_integer(timeout)) {
		json_int_t ns = json_integer_value(timeout);

		if (ns < 0 || ns > STOP_TIMEOUT_MAX_MS * (json_int_t)1000000)
			return why_set(why, "out_of_range", "stop_config", "stop_config.timeout is %lld ns, at most %u s are allowed", (long long)ns,
				       STOP_TIMEOUT_MAX_MS / 1000);
		ms = (uint32_t)(ns / 1000000);
	} else if (json_is_string(timeout)) {
		if (parse_go_time(json_string_value(timeout), &ms, why))
			return E_REFUSED;
	} else if (timeout) {
		return why_set(why, "type_invalid", "stop_config", "stop_config.timeout must be a time such as \"5s\"");
	} else {
		return 0;
	}
	json_object_set_new(spec, "stop_timeout_ms", json_integer(ms));
	return 0;
}

/* ---- files ---- */

static int base64_digit(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Bytes that are a text, NUL-ended; NULL = they are not, or it is no base64. */
static char *unbase64_text(const char *in)
{
	size_t len = strlen(in), n = 0;
	char *out = malloc(len / 4 * 3 + 4); /* what is not padded counts too */
	unsigned bits = 0, value = 0;

	while (len && in[len - 1] == '=')
		len--;
	for (size_t i = 0; out && i < len; i++) {
		int digit = base64_digit(in[i]);

		if (digit < 0)
			goto bad;
		value = value << 6 | (unsigned)digit;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			out[n] = (char)(value >> bits);
			value &= (1u << bits) - 1;
			if (!out[n++])
				goto bad;
		}
	}
	if (!out || value || bits >= 6 || !name_is_utf8((const uint8_t *)out, n))
		goto bad;
	out[n] = 0;
	return out;
bad:
	free(out);
	return NULL;
}

static int add_file(json_t *list, const json_t *file, struct why *why)
{
	const char *path, *raw = json_string_value(part(file, "raw_value")), *secret = json_string_value(part(file, "secret_name"));
	CLEAN_FREE char *content = NULL;
	char mode[8] = "0644";

	if (check_known("files", file, file_fields, why))
		return E_REFUSED;
	path = json_string_value(part(file, "guest_path"));
	if (secret && *secret)
		return why_set(why, "not_offered", "files", "file %.100s is to be made of a secret, and sixpn keeps no secrets of apps", path);
	content = unbase64_text(raw ? raw : "");
	if (!content)
		return why_set(why, "value_invalid", "files", "raw_value of file %.100s is not base64 of a text", path);
	if (strlen(content) > FILE_BYTES_MAX)
		return why_set(why, "too_long", "files", "file %.100s has %zu bytes, at most %u are allowed", path, strlen(content), FILE_BYTES_MAX);
	if (part(file, "mode"))
		snprintf(mode, sizeof mode, "%04o", (unsigned)json_integer_value(part(file, "mode")) & 0777);
	json_array_append_new(list, json_pack("{s:s,s:s,s:s}", "path", path, "content", content, "mode", mode));
	return 0;
}

static int set_files(const json_t *config, json_t *spec, struct why *why)
{
	const json_t *lists[] = { part(config, "files"), part(only_container(config), "files") };
	json_t *files = json_array(), *file;
	size_t at;
	int r = 0;

	json_object_set_new(spec, "files", files);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		json_array_foreach((json_t *)(uintptr_t)lists[i], at, file)
			r = r ? r : add_file(files, file, why);
	if (r == 0 && json_array_size(files) > FILES_MAX)
		r = why_set(why, "out_of_range", "files", "%zu files; at most %d are allowed", json_array_size(files), FILES_MAX);
	if (r == 0 && !json_array_size(files))
		json_object_del(spec, "files");
	return r;
}

/* ---- the whole ---- */

static int check(const json_t *config, struct why *why)
{
	const json_t *containers;

	if (!json_is_object(config))
		return why_set(why, "field_missing", "config", "field \"config\" is missing: what the machine is made of");
	if (check_known("config", config, config_fields, why) || check_part(config, "init", init_fields, why) ||
	    check_part(config, "guest", guest_fields, why) || check_part(config, "restart", restart_fields, why) ||
	    check_part(config, "dns", dns_fields, why))
		return E_REFUSED;
	containers = part(config, "containers");
	if (json_array_size(containers) > 1)
		return why_set(why, "not_offered", "containers", "config has %zu containers, and sixpn runs one in a machine",
			       json_array_size(containers));
	if (json_array_size(containers) && check_known("containers", json_array_get(containers, 0), container_fields, why))
		return E_REFUSED;
	if (json_array_size(part(config, "mounts")))
		return why_set(why, "not_offered", "mounts", "config has mounts, and sixpn has no volumes");
	if (!*image_of(config) && !json_array_size(part(part(config, "init"), "exec")) && !json_array_size(containers))
		return why_set(why, "field_missing", "image", "field \"image\" of config is missing");
	return 0;
}

static int take_metadata(const json_t *config, struct flaps_config *ret, struct why *why)
{
	const char *key, *group;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)part(config, "metadata"), key, value) {
		struct metadata_pair *pair = &ret->metadata[ret->n_metadata];

		if (name_check_metadata(key, json_string_value(value), why))
			return E_REFUSED;
		snprintf(pair->key, sizeof pair->key, "%s", key);
		snprintf(pair->value, sizeof pair->value, "%s", json_string_value(value));
		ret->n_metadata++;
	}
	group = json_string_value(json_object_get(part(config, "metadata"), "fly_process_group"));
	if (!group || !*group)
		return 0;
	snprintf(ret->group, sizeof ret->group, "%s", group);
	return name_check_group(group, why);
}

static int take_spec(const json_t *config, struct flaps_config *ret, struct why *why)
{
	CLEAN_JSON json_t *spec = json_pack("{s:i,s:o,s:o}", "schema", 1, "command", make_command(config), "env", make_env(config));

	if (!spec)
		return -ENOMEM;
	if (set_restart(config, spec, why) || set_stop_timeout(config, spec, why) || set_files(config, spec, why))
		return E_REFUSED;
	if (json_array_size(json_object_get(spec, "command")) > COMMAND_MAX || json_object_size(json_object_get(spec, "env")) > 128)
		return why_set(why, "out_of_range", "config", "a machine has at most %d words of command and 128 variables", COMMAND_MAX);
	ret->spec = json_dumps(spec, JSON_COMPACT);
	return ret->spec ? 0 : -ENOMEM;
}

int flaps_config_parse(const json_t *config, struct flaps_config *ret, struct why *why)
{
	struct flaps_config c = { .dns_skip = false };
	int r = check(config, why);

	if (r == 0)
		r = take_metadata(config, &c, why);
	if (r == 0)
		r = take_spec(config, &c, why);
	if (r == 0) {
		c.dns_skip = json_is_true(part(part(config, "dns"), "skip_registration"));
		c.text = json_dumps(config, JSON_COMPACT);
		r = c.text ? 0 : -ENOMEM;
	}
	if (r == 0 && (strlen(c.text) > FLAPS_CONFIG_MAX || strlen(c.spec) > FLAPS_CONFIG_MAX))
		r = why_set(why, "too_large", "config", "config has %zu bytes, at most %d are allowed", strlen(c.text), FLAPS_CONFIG_MAX);
	if (r != 0)
		flaps_config_deinit(&c);
	*ret = c;
	return r;
}

int flaps_config_keep_rest(struct flaps_config *c, const char *old_spec, size_t old_len, struct why *why)
{
	static const char *const unsaid[] = { "root", "workdir", "user", "drain_ms", "runtime" };
	CLEAN_JSON json_t *old = old_len ? json_parse(old_spec, old_len, NULL) : NULL, *spec = json_parse(c->spec, strlen(c->spec), NULL);
	char *text;

	for (size_t i = 0; i < ARRAY_LEN(unsaid); i++)
		if (json_object_get(old, unsaid[i]))
			json_object_set(spec, unsaid[i], json_object_get(old, unsaid[i]));
	text = spec ? json_dumps(spec, JSON_COMPACT) : NULL;
	if (!text)
		return -ENOMEM;
	free(c->spec);
	c->spec = text;
	return strlen(text) <= FLAPS_CONFIG_MAX ? 0 :
						  why_set(why, "too_large", "config", "the machine would have %zu bytes, at most %d are allowed", strlen(text),
							  FLAPS_CONFIG_MAX);
}

void flaps_config_deinit(struct flaps_config *c)
{
	free(c->text);
	free(c->spec);
	memset(c, 0, sizeof *c);
}
