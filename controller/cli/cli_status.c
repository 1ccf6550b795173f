/* cli_status - one screen that says how the whole is; exit 0 healthy, 1 degraded, 2 down. */
#include "controller/cli/commands.h"

#include "controller/cli/output.h"
#include "controller/cli/request.h"
#include "controller/cli/watch.h"

#include <string.h>

enum { STATUS_HEALTHY = 0, STATUS_DEGRADED = 1, STATUS_DOWN = 2 };

static const struct cli_column columns[] = {
	{ "NODE", "name" }, { "ROLES", "roles" }, { "REGION", "region" }, { "STATE", "state" }, { "V", "v" }, { "LAG", "lag" },
	{ "APPLIED p99", "applied_p99" }, { "VERSION", "version" }, { "NOTE", "note" }, { 0 },
};

/* Where there is a gateway. */
static const struct cli_column columns_with_peers[] = {
	{ "NODE", "name" }, { "ROLES", "roles" }, { "REGION", "region" }, { "STATE", "state" }, { "V", "v" }, { "LAG", "lag" },
	{ "APPLIED p99", "applied_p99" }, { "PEERS", "peers_text" }, { "VERSION", "version" }, { "NOTE", "note" }, { 0 },
};

/* "12/40 online". True: one of them is a gateway. */
static bool add_peers(const json_t *nodes)
{
	bool any = false;
	json_t *node;
	size_t i;

	json_array_foreach(nodes, i, node) {
		const json_t *peers = json_object_get(node, "peers");
		char text[64] = "";

		if (json_is_object(peers))
			snprintf(text, sizeof text, "%lld/%lld online", (long long)json_integer_value(json_object_get(peers, "online")),
				 (long long)json_integer_value(json_object_get(peers, "total")));
		any = any || text[0];
		json_object_set_new(node, "peers_text", json_string(text));
	}
	return any;
}

static void add_notes(const json_t *nodes)
{
	json_t *node;
	size_t i;

	json_array_foreach(nodes, i, node) {
		long long n = json_integer_value(json_object_get(node, "n_errors"));
		long long held = json_integer_value(json_object_get(node, "n_held"));
		const json_t *p99 = json_object_get(json_object_get(node, "applied"), "p99_ms");
		char note[300] = "", applied[32] = "";

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
		if (p99)
			snprintf(applied, sizeof applied, "%lld ms", (long long)json_integer_value(p99));
		json_object_set_new(node, "note", json_string(note));
		json_object_set_new(node, "applied_p99", json_string(applied));
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

/* "41 d", in the unit in which it has two digits. */
static void print_age(struct cli *cli, long long seconds)
{
	static const struct {
		long long seconds;
		const char *unit;
	} units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" } };

	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (seconds >= 2 * units[i].seconds || units[i].seconds == 1) {
			fprintf(cli->out, "%lld %s", seconds / units[i].seconds, units[i].unit);
			return;
		}
}

static void tell_controller(struct cli *cli, const json_t *body)
{
	const json_t *controller = json_object_get(body, "controller"), *backup = json_object_get(body, "backup");

	fprintf(cli->out, "\ncontroller %s, up ", json_string_value(json_object_get(controller, "version")));
	print_age(cli, (long long)json_integer_value(json_object_get(controller, "up_ms")) / 1000);
	if (json_is_object(backup)) {
		fputs(", last backup ", cli->out);
		print_age(cli, (long long)json_integer_value(json_object_get(backup, "age_ms")) / 1000);
		fputs(" ago\n", cli->out);
	} else {
		fputs(", no backup: sixpn backup create\n", cli->out);
	}
}

static void tell_headline(struct cli *cli, const json_t *body, int status)
{
	static const char *const words[] = { "healthy", "degraded", "down" };
	const json_t *applied = json_object_get(body, "applied");

	fprintf(cli->out, "%s: %lld of %lld nodes hold V %lld", words[status],
		(long long)json_integer_value(json_object_get(body, "nodes_current")),
		(long long)json_integer_value(json_object_get(body, "nodes_total")), (long long)json_integer_value(json_object_get(body, "v")));
	if (json_is_object(applied))
		fprintf(cli->out, ", slowest change in the last hour %lld ms (p50 %lld, p99 %lld)",
			(long long)json_integer_value(json_object_get(applied, "slowest_ms")),
			(long long)json_integer_value(json_object_get(applied, "p50_ms")),
			(long long)json_integer_value(json_object_get(applied, "p99_ms")));
	fputs(json_integer_value(json_object_get(body, "nodes_total")) ? "\n\n" : "; no machine has joined yet: sixpn node token create\n", cli->out);
}

/* It is no fault, but who looks for one should see it first. */
static void tell_suspended(struct cli *cli, const json_t *body)
{
	const json_t *suspended = json_object_get(body, "suspended"), *orgs = json_object_get(suspended, "orgs"), *name;
	size_t i;

	if (!json_array_size(orgs))
		return;
	fputs("suspended, nothing of theirs passes:", cli->out);
	json_array_foreach(orgs, i, name)
		fprintf(cli->out, "%s %s", i ? "," : "", json_string_value(name));
	fprintf(cli->out, " (%lld networks)\n\n", (long long)json_integer_value(json_object_get(suspended, "networks")));
}

static void tell_table(struct cli *cli, const json_t *body, int status)
{
	const json_t *nodes = json_object_get(body, "nodes");
	bool for_people = !cli_has(cli, "tsv") && !cli_has(cli, "q");

	if (for_people) {
		tell_headline(cli, body, status);
		tell_suspended(cli, body);
	}
	add_notes(nodes);
	if (json_array_size(nodes))
		output_list(cli, nodes, add_peers(nodes) ? columns_with_peers : columns, "name");
}

/* ---- watching ---- */

static int show(struct cli *cli, const json_t *body)
{
	const json_t *events = json_object_get(body, "events");
	int status = judge(body);

	if (cli_has(cli, "json")) {
		json_dumpf(body, cli->out, JSON_COMPACT);
		fputc('\n', cli->out);
		return status;
	}
	tell_table(cli, body, status);
	if (!cli_has(cli, "tsv") && !cli_has(cli, "q") && json_array_size(events)) {
		fputc('\n', cli->out);
		events_print(cli, events);
	}
	return status;
}

static int show_lost(struct cli *cli, const char *error)
{
	if (cli_has(cli, "json"))
		fputs("{\"healthy\":false,\"reachable\":false}\n", cli->out);
	else if (!cli_has(cli, "tsv") && !cli_has(cli, "q"))
		fprintf(cli->out, "down: the controller does not answer; what runs goes on\n\n%s", error);
	return STATUS_DOWN;
}

static int watch(struct cli *cli)
{
	static const struct watch status = { .path = "/v1/status", .number = "revision", .show = show, .show_lost = show_lost, .repaint = true };

	return watch_run(cli, &status);
}

int cli_status(struct cli *cli)
{
	struct request_reply reply;
	int r, status;

	if (cli_has(cli, "watch"))
		return watch(cli);
	r = request_send(cli, "GET", "/v1/status", NULL, false, &reply);
	if (r)
		return r == EXIT_UNREACHABLE ? STATUS_DOWN : r;
	status = judge(reply.body);
	if (cli_has(cli, "json")) {
		output_json(cli, reply.body);
	} else {
		tell_table(cli, reply.body, status);
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
