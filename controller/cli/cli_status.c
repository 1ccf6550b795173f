/* cli_status - one screen that says how the whole is; exit 0 healthy, 1 degraded, 2 down. */
#include "controller/cli/commands.h"

#include "controller/cli/output.h"
#include "controller/cli/request.h"

#include <string.h>

enum { STATUS_HEALTHY = 0, STATUS_DEGRADED = 1, STATUS_DOWN = 2 };

static const struct cli_column columns[] = {
	{ "NODE", "name" }, { "ROLES", "roles" }, { "REGION", "region" }, { "STATE", "state" }, { "V", "v" }, { "LAG", "lag" },
	{ "POLL ms", "last_poll_ms" }, { "VERSION", "version" }, { "NOTE", "note" }, { 0 },
};

static void add_notes(const json_t *nodes)
{
	json_t *node;
	size_t i;

	json_array_foreach(nodes, i, node) {
		long long n = json_integer_value(json_object_get(node, "n_errors"));
		long long held = json_integer_value(json_object_get(node, "n_held"));
		char note[300] = "";

		if (json_is_true(json_object_get(node, "cloned"))) {
			snprintf(note, sizeof note, "TWO MACHINES use its identity, one is fenced: end one, join it anew");
		} else if (held) {
			snprintf(note, sizeof note, "holds back %lld deletes: sixpn node release-held", held);
		} else if (n) {
			CLEAN_BUF struct buf text = BUF_INIT(4096);

			output_text(json_array_get(json_object_get(node, "errors"), 0), "text", &text);
			snprintf(note, sizeof note, "%lld errors: %s", n, buf_str(&text));
		} else if (!strcmp(json_string_value(json_object_get(node, "state")) ?: "", "unknown")) {
			snprintf(note, sizeof note, "does not poll");
		}
		json_object_set_new(node, "note", json_string(note));
	}
}

static int judge(const json_t *body)
{
	long long total = json_integer_value(json_object_get(body, "nodes_total"));
	bool any_ready = false;
	json_t *node;
	size_t i;

	json_array_foreach(json_object_get(body, "nodes"), i, node)
		any_ready |= !strcmp(json_string_value(json_object_get(node, "state")) ?: "", "ready");
	if (json_is_true(json_object_get(body, "healthy")))
		return STATUS_HEALTHY;
	return total && !any_ready ? STATUS_DOWN : STATUS_DEGRADED;
}

static void tell_controller(struct cli *cli, const json_t *body)
{
	const json_t *controller = json_object_get(body, "controller"), *backup = json_object_get(body, "backup");
	long long minutes = json_integer_value(json_object_get(backup, "age_ms")) / 60000;

	fprintf(cli->out, "\ncontroller %s, up %lld s, ", json_string_value(json_object_get(controller, "version")),
		(long long)json_integer_value(json_object_get(controller, "up_ms")) / 1000);
	if (json_is_object(backup))
		fprintf(cli->out, "last backup %lld %s ago\n", minutes < 120 ? minutes : minutes / 60, minutes < 120 ? "min" : "h");
	else
		fprintf(cli->out, "no backup: sixpn backup create\n");
}

int cli_status(struct cli *cli)
{
	static const char *const words[] = { "healthy", "degraded", "down" };
	struct request_reply reply;
	const json_t *nodes;
	int r = request_send(cli, "GET", "/v1/status", NULL, false, &reply), status;

	if (r)
		return r == EXIT_UNREACHABLE ? STATUS_DOWN : r;
	nodes = json_object_get(reply.body, "nodes");
	status = judge(reply.body);
	if (cli_has(cli, "json")) {
		output_json(cli, reply.body);
	} else {
		if (!cli_has(cli, "tsv") && !cli_has(cli, "q"))
			fprintf(cli->out, "%s: %lld of %lld nodes hold V %lld%s\n%s", words[status],
				(long long)json_integer_value(json_object_get(reply.body, "nodes_current")),
				(long long)json_integer_value(json_object_get(reply.body, "nodes_total")),
				(long long)json_integer_value(json_object_get(reply.body, "v")),
				json_array_size(nodes) ? "" : "; no machine has joined yet: sixpn node token create",
				json_array_size(nodes) ? "\n" : "");
		add_notes(nodes);
		if (json_array_size(nodes))
			output_list(cli, nodes, columns, "name");
		if (!cli_has(cli, "tsv") && !cli_has(cli, "q"))
			tell_controller(cli, reply.body);
	}
	request_reply_deinit(&reply);
	return status;
}

int cli_whoami(struct cli *cli)
{
	static const struct cli_column who[] = { { "PRINCIPAL", "principal" }, { "OPERATOR", "operator" }, { 0 } };
	struct request_reply reply;
	int r = request_send(cli, "GET", "/v1/whoami", NULL, false, &reply);

	if (r)
		return r;
	output_object(cli, reply.body, who, "principal");
	request_reply_deinit(&reply);
	return 0;
}

int cli_version(struct cli *cli)
{
	if (cli_has(cli, "json"))
		fprintf(cli->out, "{\"version\":\"%s\"}\n", SIXPN_VERSION);
	else
		fprintf(cli->out, "%s%s\n", cli_has(cli, "q") ? "" : "sixpn ", SIXPN_VERSION);
	return 0;
}
