/* spec - see spec.h. */
#include "agent/spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DRAIN_DEFAULT_MS 5000
#define STOP_DEFAULT_MS 10000

static const char *const fields[] = { "schema",	 "command", "env",	"files",    "root",	       "workdir",
				      "user",	 "restart", "drain_ms", "stop_timeout_ms", "runtime", NULL };
static const char *const file_fields[] = { "path", "content", "mode", NULL };

/* What the host itself gives (vars.h): a workload that sets one would lie to its own program. */
static const char *const given_variables[] = { "FLY_APP_NAME",	 "FLY_MACHINE_ID", "FLY_ALLOC_ID",	"FLY_REGION",
					       "FLY_PRIVATE_IP", "FLY_LOCAL_6PN",  "FLY_PROCESS_GROUP", NULL };
static const char *const given_files[] = { "/etc/hosts", "/etc/resolv.conf", "/etc/hostname", NULL };
/* Not files: a bind there would change what the kernel shows, not what the program reads. */
static const char *const kernel_trees[] = { "/proc", "/sys", "/dev", NULL };

static bool listed(const char *const *list, const char *text)
{
	for (; *list; list++)
		if (!strcmp(*list, text))
			return true;
	return false;
}

/* Absolute and already in its shortest form, so that what is compared is what is opened. */
static int check_path(const char *field, const char *path, struct why *why)
{
	size_t len = strlen(path);

	if (path[0] != '/')
		return why_set(why, "path_invalid", field, "%s \"%.60s\" must be an absolute path", field, path);
	if (len >= SPEC_PATH_SIZE)
		return why_set(why, "too_long", field, "%s has %zu bytes, at most %d are allowed", field, len, SPEC_PATH_SIZE - 1);
	if (len > 1 && path[len - 1] == '/')
		return why_set(why, "path_invalid", field, "%s \"%.60s\" must not end with a slash", field, path);
	for (const char *p = path; (p = strchr(p, '/')); ) {
		size_t part = strcspn(++p, "/");

		if ((part == 0 && p[0]) || (part == 1 && p[0] == '.') || (part == 2 && p[0] == '.' && p[1] == '.'))
			return why_set(why, "path_invalid", field, "%s \"%.60s\" must not hold //, /./ or /../", field, path);
	}
	return 0;
}

static int parse_command(struct spec *s, struct why *why)
{
	const json_t *list = json_object_get(s->document, "command");

	if (!list && s->runtime == SPEC_RUNTIME_HOOK)
		return 0;
	if (!json_is_array(list) || json_array_size(list) == 0 || json_array_size(list) > SPEC_COMMAND_MAX)
		return why_set(why, "command_invalid", "command", "command must be a list of 1 to %d strings", SPEC_COMMAND_MAX);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *j = json_array_get(list, i);

		if (!json_is_string(j) || json_string_length(j) > SPEC_TEXT_MAX)
			return why_set(why, "command_invalid", "command", "command[%zu] must be a string of at most %d bytes", i,
				       SPEC_TEXT_MAX);
		s->command[s->n_command++] = json_string_value(j);
	}
	if (!s->command[0][0])
		return why_set(why, "command_invalid", "command", "command[0], the program, is empty");
	return 0;
}

static bool variable_name_good(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= SPEC_NAME_MAX && !(name[0] >= '0' && name[0] <= '9') &&
	       strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == len;
}

static int parse_env(struct spec *s, struct why *why)
{
	json_t *object = json_object_get(s->document, "env"), *j;
	const char *name;

	if (!object)
		return 0;
	if (!json_is_object(object) || json_object_size(object) > SPEC_ENV_MAX)
		return why_set(why, "env_invalid", "env", "env must be an object of at most %d strings", SPEC_ENV_MAX);
	json_object_foreach(object, name, j) {
		if (!variable_name_good(name))
			return why_set(why, "env_invalid", "env",
				       "env name \"%.60s\" must be letters, digits and _, not begin with a digit, at most %d", name,
				       SPEC_NAME_MAX);
		if (listed(given_variables, name))
			return why_set(why, "env_reserved", "env", "env %s is set by the host and cannot be given", name);
		if (!json_is_string(j) || json_string_length(j) > SPEC_TEXT_MAX)
			return why_set(why, "env_invalid", "env", "env %.60s must be a string of at most %d bytes", name,
				       SPEC_TEXT_MAX);
		s->env[s->n_env++] = (struct spec_variable){ .name = name, .value = json_string_value(j) };
	}
	return 0;
}

static int parse_mode(const json_t *object, mode_t *ret_mode, struct why *why)
{
	char text[8] = "0644";
	int r = json_get_str(object, "mode", text, sizeof text, why);

	if (r != 0)
		return r;
	if (strlen(text) < 3 || strlen(text) > 4 || strspn(text, "01234567") != strlen(text) || strtoul(text, NULL, 8) > 0777)
		return why_set(why, "mode_invalid", "files", "mode \"%s\" must be an octal string from \"000\" to \"0777\"", text);
	*ret_mode = (mode_t)strtoul(text, NULL, 8);
	return 0;
}

static int check_file_path(const struct spec *s, const char *path, struct why *why)
{
	int r = check_path("files.path", path, why);

	if (r != 0)
		return r;
	if (!path[1])
		return why_set(why, "path_invalid", "files.path", "files.path \"/\" is not a file");
	if (listed(given_files, path))
		return why_set(why, "path_reserved", "files.path", "%s is written by the host and cannot be given", path);
	for (const char *const *tree = kernel_trees; *tree; tree++)
		if (!strncmp(path, *tree, strlen(*tree)) && (!path[strlen(*tree)] || path[strlen(*tree)] == '/'))
			return why_set(why, "path_reserved", "files.path", "\"%.60s\" lies in %s, which is the kernel's", path, *tree);
	for (size_t i = 0; i < s->n_files; i++)
		if (!strcmp(s->files[i].path, path))
			return why_set(why, "path_twice", "files.path", "\"%.60s\" is given twice", path);
	return 0;
}

static int parse_file(struct spec *s, const json_t *object, struct why *why)
{
	struct spec_file *file = &s->files[s->n_files];
	const json_t *path = json_object_get(object, "path"), *content = json_object_get(object, "content");
	int r = json_known(object, file_fields, why);

	if (r != 0)
		return r;
	if (!json_is_string(path))
		return why_set(why, "field_missing", "files.path", "files[%zu] has no path", s->n_files);
	if (!json_is_string(content) || json_string_length(content) > SPEC_CONTENT_MAX)
		return why_set(why, "content_invalid", "files.content", "files[%zu] must have a content, a string of at most %u bytes",
			       s->n_files, SPEC_CONTENT_MAX);
	r = check_file_path(s, json_string_value(path), why);
	if (r != 0)
		return r;
	r = parse_mode(object, &file->mode, why);
	if (r != 0)
		return r;
	file->path = json_string_value(path);
	file->content = json_string_value(content);
	file->content_len = json_string_length(content);
	s->n_files++;
	return 0;
}

static int parse_files(struct spec *s, struct why *why)
{
	const json_t *list = json_object_get(s->document, "files");

	if (!list)
		return 0;
	if (!json_is_array(list) || json_array_size(list) > SPEC_FILES_MAX)
		return why_set(why, "files_invalid", "files", "files must be a list of at most %d objects", SPEC_FILES_MAX);
	for (size_t i = 0; i < json_array_size(list); i++) {
		int r = parse_file(s, json_array_get(list, i), why);

		if (r != 0)
			return r;
	}
	return 0;
}

static int parse_id(const char **text, char end, uint32_t *ret_id)
{
	char *rest;
	unsigned long id;

	if (**text < '0' || **text > '9')
		return -EINVAL;
	errno = 0;
	id = strtoul(*text, &rest, 10);
	if (errno || id > INT32_MAX || *rest != end)
		return -EINVAL;
	*text = rest + (end ? 1 : 0);
	*ret_id = (uint32_t)id;
	return 0;
}

static int parse_user(struct spec *s, struct why *why)
{
	char text[32] = "";
	const char *p = text;
	uint32_t uid, gid;
	int r = json_get_str(s->document, "user", text, sizeof text, why);

	if (r != 0 || !json_object_get(s->document, "user"))
		return r;
	if (parse_id(&p, ':', &uid) < 0 || parse_id(&p, 0, &gid) < 0)
		return why_set(why, "user_invalid", "user", "user \"%s\" must be two numbers, \"uid:gid\"", text);
	s->has_user = true;
	s->uid = uid;
	s->gid = gid;
	return 0;
}

/* *ret: the place of the text in the list; untouched if the field is absent. */
static int parse_choice(const json_t *document, const char *name, const char *const *choices, unsigned *ret, struct why *why)
{
	char text[32] = "";
	int r = json_get_str(document, name, text, sizeof text, why);

	if (r != 0 || !json_object_get(document, name))
		return r;
	for (unsigned i = 0; choices[i]; i++)
		if (!strcmp(choices[i], text)) {
			*ret = i;
			return 0;
		}
	return why_set(why, "value_unknown", name, "%s \"%s\" is not known here; allowed are %s, %s%s%s", name, text, choices[0],
		       choices[1], choices[2] ? ", " : "", choices[2] ? choices[2] : "");
}

static int parse_places(struct spec *s, struct why *why)
{
	static const char *const names[] = { "root", "workdir" };
	char *const places[] = { s->root, s->workdir };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		int r = json_get_str(s->document, names[i], places[i], SPEC_PATH_SIZE, why);

		if (r == 0 && json_object_get(s->document, names[i]))
			r = check_path(names[i], places[i], why);
		if (r != 0)
			return r;
	}
	if (!strcmp(s->root, "/")) /* the same as none, and files may not be made there either */
		s->root[0] = 0;
	return 0;
}

static int parse_life(struct spec *s, struct why *why)
{
	static const char *const restarts[] = { "always", "on-failure", "never", NULL };
	static const char *const runtimes[] = { "process", "hook", NULL };
	unsigned restart = SPEC_RESTART_ON_FAILURE, runtime = SPEC_RUNTIME_PROCESS;
	int64_t drain = DRAIN_DEFAULT_MS, stop = STOP_DEFAULT_MS;
	int r = parse_choice(s->document, "restart", restarts, &restart, why);

	if (r == 0)
		r = parse_choice(s->document, "runtime", runtimes, &runtime, why);
	if (r == 0)
		r = json_get_int(s->document, "drain_ms", 0, SPEC_TIME_MAX_MS, &drain, why);
	if (r == 0)
		r = json_get_int(s->document, "stop_timeout_ms", 0, SPEC_TIME_MAX_MS, &stop, why);
	if (r != 0)
		return r;
	s->restart = (enum spec_restart)restart;
	s->runtime = (enum spec_runtime)runtime;
	s->drain_ms = (uint32_t)drain;
	s->stop_timeout_ms = (uint32_t)stop;
	return 0;
}

static int check_schema(const json_t *document, struct why *why)
{
	int64_t schema = 0;
	int r = json_known(document, fields, why);

	if (r == 0)
		r = json_need(document, "schema", why);
	if (r == 0)
		r = json_get_int(document, "schema", INT64_MIN, INT64_MAX, &schema, why);
	if (r == 0 && schema != 1)
		r = why_set(why, "schema_unknown", "schema", "schema %lld is not known here, only 1 is", (long long)schema);
	return r;
}

int spec_parse(const char *text, size_t len, struct spec *ret_spec, struct why *why)
{
	static int (*const parts[])(struct spec *, struct why *) = { parse_life,  parse_command, parse_env,
								     parse_files, parse_places,	 parse_user };
	struct spec s = { .n_command = 0 };
	int r;

	if (len > SPEC_SIZE_MAX)
		return why_set(why, "too_long", "spec", "the workload has %zu bytes, at most %u are allowed", len, SPEC_SIZE_MAX);
	s.document = json_parse(text, len, why);
	if (!s.document)
		return E_REFUSED;
	r = check_schema(s.document, why);
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(parts); i++)
		r = parts[i](&s, why);
	if (r != 0) {
		spec_deinit(&s);
		return r;
	}
	*ret_spec = s;
	return 0;
}

void spec_deinit(struct spec *spec)
{
	if (spec->document)
		json_decref(spec->document);
	memset(spec, 0, sizeof *spec);
}
