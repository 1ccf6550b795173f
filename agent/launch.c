/* launch - see launch.h. */
#include "agent/launch.h"

#include "lib/base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_LIMIT (SPEC_TEXT_MAX + 4096) /* of one argument or value after substitution */
#define FILE_LIMIT (4u << 20)
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct given {
	const char *name, *value;
};

static void give(const struct launch_facts *facts, char ret_address[ADDR_TEXT_LEN], struct given ret_given[LAUNCH_GIVEN])
{
	const char *address = addr_text(&facts->address, ret_address);
	const struct given all[LAUNCH_GIVEN] = {
		{ "FLY_APP_NAME", facts->app },	    { "FLY_MACHINE_ID", facts->id }, { "FLY_ALLOC_ID", facts->id },
		{ "FLY_REGION", facts->region },    { "FLY_PRIVATE_IP", address },   { "FLY_LOCAL_6PN", address },
		{ "FLY_PROCESS_GROUP", facts->group[0] ? facts->group : "app" },
	};

	memcpy(ret_given, all, sizeof all);
}

/* The variable whose ${NAME} stands at text; *ret_len = the length of that form. */
static const struct given *match(const struct given *given, const char *text, size_t *ret_len)
{
	if (text[0] != '$' || text[1] != '{')
		return NULL;
	for (size_t i = 0; i < LAUNCH_GIVEN; i++) {
		size_t len = strlen(given[i].name);

		if (!strncmp(text + 2, given[i].name, len) && text[2 + len] == '}') {
			*ret_len = len + 3;
			return &given[i];
		}
	}
	return NULL;
}

static void substitute(const struct given *given, const char *text, struct buf *ret_text)
{
	const struct given *g;
	size_t len;

	while (*text) {
		if (text[0] == '$' && match(given, text + 1, &len)) {
			buf_add(ret_text, text + 1, len);
			text += len + 1;
		} else if ((g = match(given, text, &len))) {
			buf_add_str(ret_text, g->value);
			text += len;
		} else {
			buf_add(ret_text, text++, 1);
		}
	}
}

static int put_text(char **list, size_t *n, struct buf *text, const char *what, struct why *why)
{
	if (buf_failed(text))
		return why_set(why, "too_long", what, "%s %zu has more than %d bytes after substitution", what, *n, TEXT_LIMIT);
	list[*n] = strdup(buf_str(text));
	if (!list[*n])
		return -ENOMEM;
	(*n)++;
	return 0;
}

static int make_command(const struct spec *spec, const struct given *given, struct launch *l, struct why *why)
{
	l->command = calloc(spec->n_command + 1, sizeof *l->command);
	if (!l->command)
		return -ENOMEM;
	for (size_t i = 0; i < spec->n_command; i++) {
		CLEAN_BUF struct buf text = BUF_INIT(TEXT_LIMIT);
		int r;

		substitute(given, spec->command[i], &text);
		r = put_text(l->command, &l->n_command, &text, "command", why);
		if (r != 0)
			return r;
	}
	return 0;
}

static int make_env(const struct spec *spec, const struct given *given, struct launch *l, struct why *why)
{
	bool has_path = false;
	int r = 0;

	l->env = calloc(LAUNCH_GIVEN + spec->n_env + 2, sizeof *l->env);
	if (!l->env)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < LAUNCH_GIVEN; i++) {
		CLEAN_BUF struct buf text = BUF_INIT(TEXT_LIMIT);

		buf_printf(&text, "%s=%s", given[i].name, given[i].value);
		r = put_text(l->env, &l->n_env, &text, "env", why);
	}
	for (size_t i = 0; r == 0 && i < spec->n_env; i++) {
		CLEAN_BUF struct buf text = BUF_INIT(TEXT_LIMIT);

		buf_printf(&text, "%s=", spec->env[i].name);
		substitute(given, spec->env[i].value, &text);
		r = put_text(l->env, &l->n_env, &text, "env", why);
		has_path |= !strcmp(spec->env[i].name, "PATH");
	}
	if (r == 0 && !has_path) {
		CLEAN_BUF struct buf text = BUF_INIT(TEXT_LIMIT);

		buf_add_str(&text, "PATH=" DEFAULT_PATH);
		r = put_text(l->env, &l->n_env, &text, "env", why);
	}
	return r;
}

int launch_make(const struct spec *spec, const struct launch_facts *facts, struct launch *ret_launch, struct why *why)
{
	struct launch l = { .generation = facts->generation, .has_user = spec->has_user, .uid = spec->uid, .gid = spec->gid };
	struct given given[LAUNCH_GIVEN];
	char address[ADDR_TEXT_LEN];
	int r;

	snprintf(l.id, sizeof l.id, "%s", facts->id);
	memcpy(l.root, spec->root, sizeof l.root);
	memcpy(l.workdir, spec->workdir, sizeof l.workdir);
	give(facts, address, given);
	r = make_command(spec, given, &l, why);
	if (r == 0)
		r = make_env(spec, given, &l, why);
	if (r != 0) {
		launch_deinit(&l);
		return r;
	}
	*ret_launch = l;
	return 0;
}

int launch_add_bind(struct launch *launch, const char *source, const char *target, enum launch_bind_kind kind)
{
	struct launch_bind b = { .kind = kind };

	if (launch->n_binds == LAUNCH_BINDS_MAX)
		return -E2BIG;
	b.source = strdup(source);
	b.target = strdup(target);
	if (!b.source || !b.target) {
		free(b.source);
		free(b.target);
		return -ENOMEM;
	}
	launch->binds[launch->n_binds++] = b;
	return 0;
}

static void free_list(char **list)
{
	for (size_t i = 0; list && list[i]; i++)
		free(list[i]);
	free(list);
}

void launch_deinit(struct launch *launch)
{
	free_list(launch->command);
	free_list(launch->env);
	for (size_t i = 0; i < launch->n_binds; i++) {
		free(launch->binds[i].source);
		free(launch->binds[i].target);
	}
	memset(launch, 0, sizeof *launch);
}

static json_t *list_json(char *const *list)
{
	json_t *array = json_array();

	for (size_t i = 0; list[i]; i++)
		json_array_append_new(array, json_string(list[i]));
	return array;
}

int launch_write(const struct launch *launch, const char *path)
{
	CLEAN_JSON json_t *doc = json_pack("{s:s s:I s:o s:o s:s s:s s:b s:I s:I}", "id", launch->id, "generation",
					   (json_int_t)launch->generation, "command", list_json(launch->command), "env",
					   list_json(launch->env), "root", launch->root, "workdir", launch->workdir, "has_user",
					   launch->has_user, "uid", (json_int_t)launch->uid, "gid", (json_int_t)launch->gid);
	CLEAN_FREE char *text = NULL;
	json_t *binds = json_array();

	for (size_t i = 0; i < launch->n_binds; i++)
		json_array_append_new(binds, json_pack("{s:s s:s s:i}", "source", launch->binds[i].source, "target",
						       launch->binds[i].target, "kind", (int)launch->binds[i].kind));
	if (!doc || json_object_set_new(doc, "binds", binds) != 0)
		return -ENOMEM;
	text = json_dumps(doc, JSON_COMPACT);
	if (!text || json_array_size(json_object_get(doc, "command")) != launch->n_command ||
	    json_array_size(json_object_get(doc, "env")) != launch->n_env ||
	    json_array_size(json_object_get(doc, "binds")) != launch->n_binds)
		return -ENOMEM;
	return file_replace(path, text, strlen(text), 0600);
}

static int read_list(const json_t *doc, const char *name, char ***ret_list, size_t *ret_n, struct why *why)
{
	const json_t *array = json_object_get(doc, name);

	*ret_list = calloc(json_array_size(array) + 1, sizeof **ret_list);
	if (!*ret_list)
		return -ENOMEM;
	for (size_t i = 0; i < json_array_size(array); i++) {
		const char *text = json_string_value(json_array_get(array, i));

		if (!text)
			return why_set(why, "launch_invalid", name, "%s[%zu] is not a string", name, i);
		(*ret_list)[i] = strdup(text);
		if (!(*ret_list)[i])
			return -ENOMEM;
		*ret_n = i + 1;
	}
	return 0;
}

static int read_binds(const json_t *doc, struct launch *l, struct why *why)
{
	const json_t *array = json_object_get(doc, "binds");

	for (size_t i = 0; i < json_array_size(array); i++) {
		const json_t *j = json_array_get(array, i);
		const char *source = json_string_value(json_object_get(j, "source"));
		const char *target = json_string_value(json_object_get(j, "target"));
		int64_t kind = LAUNCH_BIND_WEAK;
		int r = json_get_int(j, "kind", LAUNCH_BIND_WEAK, LAUNCH_BIND_ABSENT, &kind, why);

		if (r == 0 && (!source || !target))
			r = why_set(why, "launch_invalid", "binds", "binds[%zu] has no source or target", i);
		if (r == 0)
			r = launch_add_bind(l, source, target, (enum launch_bind_kind)kind);
		if (r != 0)
			return r;
	}
	return 0;
}

static int read_fields(const json_t *doc, struct launch *l, struct why *why)
{
	int64_t generation = 0, uid = 0, gid = 0;
	int r = json_get_str(doc, "id", l->id, sizeof l->id, why);

	if (r == 0)
		r = json_get_int(doc, "generation", 0, INT64_MAX, &generation, why);
	if (r == 0)
		r = json_get_str(doc, "root", l->root, sizeof l->root, why);
	if (r == 0)
		r = json_get_str(doc, "workdir", l->workdir, sizeof l->workdir, why);
	if (r == 0)
		r = json_get_bool(doc, "has_user", &l->has_user, why);
	if (r == 0)
		r = json_get_int(doc, "uid", 0, INT32_MAX, &uid, why);
	if (r == 0)
		r = json_get_int(doc, "gid", 0, INT32_MAX, &gid, why);
	if (r == 0)
		r = read_list(doc, "command", &l->command, &l->n_command, why);
	if (r == 0)
		r = read_list(doc, "env", &l->env, &l->n_env, why);
	if (r == 0)
		r = read_binds(doc, l, why);
	if (r == 0 && l->n_command == 0)
		r = why_set(why, "launch_invalid", "command", "there is no command");
	l->generation = (uint64_t)generation;
	l->uid = (uid_t)uid;
	l->gid = (gid_t)gid;
	return r;
}

int launch_read(const char *path, struct launch *ret_launch, struct why *why)
{
	CLEAN_BUF struct buf text = BUF_INIT(FILE_LIMIT);
	CLEAN_JSON json_t *doc = NULL;
	struct launch l = { .generation = 0 };
	int r = file_read(path, FILE_LIMIT, &text);

	if (r < 0)
		return r;
	doc = json_parse(buf_str(&text), text.len, why);
	if (!doc)
		return E_REFUSED;
	r = read_fields(doc, &l, why);
	if (r != 0) {
		launch_deinit(&l);
		return r;
	}
	*ret_launch = l;
	return 0;
}
