/* cli_instance - instances: what runs, described by flags or by a file. */
#include "controller/cli/commands.h"

#include "lib/base/file.h"

#include <stdlib.h>
#include <string.h>

#define SPEC_FILE_MAX (60u << 10)

/* NAME=VALUE of a repeated flag into an object of strings. */
static int pairs(struct cli *cli, const char *flag, json_t *body, const char *field)
{
	json_t *object = json_object();
	const char *pair;
	int r = 0;

	for (size_t i = 0; r == 0 && (pair = cli_value_at(cli, flag, i)); i++) {
		const char *equals = strchr(pair, '=');
		char name[256];

		if (!equals || equals == pair || (size_t)(equals - pair) >= sizeof name) {
			r = cli_fail(cli, EXIT_USAGE, "flag_value", NULL, "--%s is \"%.*s\", not NAME=VALUE", flag,
				     (int)(equals ? equals - pair : (long)strnlen(pair, 40)), pair);
			break;
		}
		snprintf(name, sizeof name, "%.*s", (int)(equals - pair), pair);
		if (json_object_set_new(object, name, json_string(equals + 1)) < 0)
			r = cli_fail(cli, EXIT_USAGE, "flag_value", NULL, "--%s %s is not UTF-8", flag, name);
	}
	if (json_object_size(object))
		json_object_set(body, field, object);
	json_decref(object);
	return r;
}

static int read_local(struct cli *cli, const char *path, struct buf *ret_text)
{
	int r = file_read(path, SPEC_FILE_MAX, ret_text);

	if (r < 0)
		return cli_fail(cli, EXIT_USAGE, "file_unreadable", r == -EFBIG ? "files of an instance are small: configuration, not programs" : NULL,
				"cannot read %s: %s", path, strerror(-r));
	return 0;
}

/* --file PATH=LOCALFILE[:MODE is not needed: 0644] */
static int files(struct cli *cli, json_t *spec)
{
	json_t *list = json_array();
	const char *pair;
	int r = 0;

	for (size_t i = 0; r == 0 && (pair = cli_value_at(cli, "file", i)); i++) {
		CLEAN_BUF struct buf text = BUF_INIT(SPEC_FILE_MAX + 1);
		const char *equals = strchr(pair, '=');
		json_t *content;

		if (!equals || pair[0] != '/' || !equals[1]) {
			r = cli_fail(cli, EXIT_USAGE, "flag_value", "for example --file /etc/app.conf=./app.conf", "--file is \"%.80s\", not /PATH=LOCALFILE", pair);
			break;
		}
		r = read_local(cli, equals + 1, &text);
		content = r ? NULL : json_stringn(buf_str(&text), text.len);
		if (r == 0 && !content)
			r = cli_fail(cli, EXIT_USAGE, "file_not_text", NULL, "%s is not UTF-8 text", equals + 1);
		else if (r == 0)
			json_array_append_new(list, json_pack("{s:o,s:o}", "path", json_stringn(pair, (size_t)(equals - pair)), "content", content));
	}
	if (json_array_size(list))
		json_object_set(spec, "files", list);
	json_decref(list);
	return r;
}

static int spec_from_file(struct cli *cli, json_t **ret_spec)
{
	CLEAN_BUF struct buf text = BUF_INIT(SPEC_FILE_MAX + 1);
	struct why why;
	int r = read_local(cli, cli_value(cli, "spec"), &text);

	if (r)
		return r;
	*ret_spec = json_parse(buf_str(&text), text.len, &why);
	if (!json_is_object(*ret_spec)) {
		json_decref(*ret_spec);
		*ret_spec = NULL;
		return cli_fail(cli, EXIT_USAGE, "json_invalid", NULL, "%s holds no JSON object", cli_value(cli, "spec"));
	}
	return 0;
}

/* The file first, then what the command line says about the same. */
static int make_spec(struct cli *cli, json_t *body)
{
	json_t *spec = NULL, *command = json_array();
	int r = cli_has(cli, "spec") ? spec_from_file(cli, &spec) : 0;

	if (!spec)
		spec = json_object();
	for (char *const *word = cli->rest; word && *word; word++)
		json_array_append_new(command, json_string(*word));
	if (json_array_size(command))
		json_object_set(spec, "command", command);
	json_decref(command);
	cli_body_strings(cli, spec, (const char *const[]){ "root", "workdir", "user", "restart", NULL });
	if (r == 0)
		r = pairs(cli, "env", spec, "env");
	if (r == 0)
		r = files(cli, spec);
	if (r == 0 && !json_object_get(spec, "command"))
		r = cli_fail(cli, EXIT_USAGE, "usage", "for example: sixpn instance create --app web --region ord -- /usr/bin/python3 -m http.server",
			     "there is no command: give it after \"--\", or in --spec FILE");
	json_object_set_new(body, "spec", spec);
	return r;
}

int cli_instance_create(struct cli *cli)
{
	json_t *body = json_object();
	int r = 0;

	if (!cli_has(cli, "app"))
		r = cli_fail(cli, EXIT_USAGE, "usage", "sixpn app list shows them", "--app APP is missing");
	else if (!cli_has(cli, "region") && !cli_has(cli, "host"))
		r = cli_fail(cli, EXIT_USAGE, "usage", "sixpn region list shows them", "--region REGION (or --host NODE) is missing");
	cli_body_strings(cli, body, (const char *const[]){ "org", "app", "region", "host", "group", "name", NULL });
	if (cli_has(cli, "dns-skip"))
		json_object_set_new(body, "dns_skip", json_true());
	if (cli_has(cli, "stopped"))
		json_object_set_new(body, "desired", json_string("stopped"));
	if (r == 0)
		r = pairs(cli, "metadata", body, "metadata");
	if (r == 0)
		r = make_spec(cli, body);
	if (r) {
		json_decref(body);
		return r;
	}
	return cli_write(cli, "POST", "/v1/instances", body, "created");
}

static int act(struct cli *cli, const char *method, const char *action, json_t *body, const char *done_word)
{
	CLEAN_BUF struct buf path = BUF_INIT(8192);
	int r = cli_resolve(cli, cli->command->noun, cli->args[0], &path);

	if (r) {
		json_decref(body);
		return r;
	}
	buf_add_str(&path, action);
	return cli_write(cli, method, buf_str(&path), body, done_word);
}

int cli_instance_start(struct cli *cli)
{
	return act(cli, "POST", "/start", NULL, "to be started");
}

int cli_instance_stop(struct cli *cli)
{
	return act(cli, "POST", "/stop", NULL, "to be stopped");
}

int cli_instance_restart(struct cli *cli)
{
	return act(cli, "POST", "/restart", NULL, "to be restarted");
}

int cli_instance_update(struct cli *cli)
{
	static const char *const bools[][2] = { { "dns-skip", "dns_skip" }, { "cordoned", "cordoned" } };
	json_t *body = json_object();
	int r = pairs(cli, "metadata", body, "metadata");

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(bools); i++) {
		const char *value = cli_value(cli, bools[i][0]);

		if (value && strcmp(value, "yes") && strcmp(value, "no"))
			r = cli_fail(cli, EXIT_USAGE, "flag_value", NULL, "--%s is \"%.20s\": it can be yes or no", bools[i][0], value);
		else if (value)
			json_object_set_new(body, bools[i][1], json_boolean(!strcmp(value, "yes")));
	}
	if (r) {
		json_decref(body);
		return r;
	}
	return act(cli, "PATCH", "", body, "changed");
}
