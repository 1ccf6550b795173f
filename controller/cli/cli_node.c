/* cli_node - nodes and the tokens with which machines become nodes. */
#include "controller/cli/commands.h"

#include "controller/cli/output.h"
#include "controller/cli/request.h"
#include "lib/base/file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* sixpn-node reads its token from a file. A token that was typed goes there through memory, never through another argv. */
int cli_node_join(struct cli *cli)
{
	const char *token = cli->args[0];
	char *argv[64] = { (char *)(uintptr_t) "sixpn-node", (char *)(uintptr_t) "--join", NULL };
	char path[64];
	size_t n = 3;
	int fd;

	argv[2] = (char *)(uintptr_t)token;
	if (!strncmp(token, "sixpn1.", 7)) {
		fd = memfd_create("join-token", 0);
		if (fd < 0 || file_write_all(fd, token, strlen(token)) < 0)
			return cli_fail(cli, EXIT_REFUSED, "internal", NULL, "cannot keep the token: %s", strerror(errno));
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		argv[2] = path;
	}
	for (char *const *rest = cli->rest; rest && *rest && n + 1 < ARRAY_LEN(argv); rest++)
		argv[n++] = *rest;
	fflush(cli->out);
	execvp(argv[0], argv);
	return cli_fail(cli, EXIT_REFUSED, "program_missing", "install the package sixpn-node, or put sixpn-node on PATH",
			"cannot run sixpn-node: %s", strerror(errno));
}

int cli_node_release_held(struct cli *cli)
{
	CLEAN_BUF struct buf path = BUF_INIT(8192);
	char what[160];
	int r = cli_resolve(cli, cli->command->noun, cli->args[0], &path);

	if (r)
		return r;
	snprintf(what, sizeof what, "what node %.80s holds back: sixpn status says how many records those are", cli->args[0]);
	r = cli_confirm(cli, cli->args[0], what);
	if (r)
		return r;
	buf_add_str(&path, "/release-held");
	return cli_write(cli, "POST", buf_str(&path), NULL, "told to let go what it holds back");
}

/* The errors of one node, or of all: a line each. A node tells the first few; the last line says how many more there are. */
int cli_node_errors(struct cli *cli)
{
	static const struct cli_column columns[] = { { "NODE", "node" }, { "RECORD", "record" }, { "ERROR", "text" }, { 0 } };
	CLEAN_JSON json_t *items = json_array();
	struct request_reply reply;
	json_t *node, *error;
	size_t i, j;
	int r = request_send(cli, "GET", "/v1/status", NULL, false, &reply);
	bool found = !cli->args[0];

	if (r)
		return r;
	json_array_foreach(json_object_get(reply.body, "nodes"), i, node) {
		const char *name = json_string_value(json_object_get(node, "name"));
		const json_t *errors = json_object_get(node, "errors");
		json_int_t n = json_integer_value(json_object_get(node, "n_errors"));

		if (!name || (cli->args[0] && strcmp(name, cli->args[0])))
			continue;
		found = true;
		json_array_foreach(errors, j, error) {
			json_object_set_new(error, "node", json_string(name));
			json_array_append(items, error);
		}
		if ((size_t)n > json_array_size(errors))
			json_array_append_new(items, json_pack("{s:s,s:s,s:o}", "node", name, "record", "", "text",
							       json_sprintf("and %lld more", (long long)n - (long long)json_array_size(errors))));
	}
	request_reply_deinit(&reply);
	if (!found)
		return cli_fail(cli, EXIT_NOT_FOUND, "node_not_found", "sixpn node list shows them", "node \"%s\" does not exist", cli->args[0]);
	output_list(cli, items, columns, "record");
	return 0;
}

static int drain(struct cli *cli, const char *action, const char *done_word)
{
	CLEAN_BUF struct buf path = BUF_INIT(8192);
	int r = cli_resolve(cli, cli->command->noun, cli->args[0], &path);

	if (r)
		return r;
	buf_add_str(&path, action);
	return cli_write(cli, "POST", buf_str(&path), NULL, done_word);
}

int cli_node_update(struct cli *cli)
{
	CLEAN_BUF struct buf path = BUF_INIT(8192);
	json_t *body = json_object();
	int r = cli_body_number(cli, body, "max-instances", true);

	if (r == 0)
		r = cli_resolve(cli, cli->command->noun, cli->args[0], &path);
	if (r) {
		json_decref(body);
		return r;
	}
	return cli_write(cli, "PATCH", buf_str(&path), body, "changed");
}

int cli_node_drain(struct cli *cli)
{
	return drain(cli, "/drain", "gets no new work");
}

int cli_node_undrain(struct cli *cli)
{
	return drain(cli, "/undrain", "gets new work");
}

int cli_node_token_create(struct cli *cli)
{
	json_t *body = json_object();
	int r = cli_body_number(cli, body, "uses", true);

	cli_body_strings(cli, body, (const char *const[]){ "region", "kind", "expires", "name", "source", NULL });
	if (r == 0 && !cli_has(cli, "region"))
		r = cli_fail(cli, EXIT_USAGE, "usage", "sixpn region list shows them", "--region REGION is missing");
	if (r) {
		json_decref(body);
		return r;
	}
	return cli_create_secret(cli, "/v1/node-tokens", body, "a join token");
}
