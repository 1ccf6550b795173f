/* cli_peer_prune - peers that were made and never used: what flyctl leaves when the file it wants to write is there, and keys that nobody
 * fetched. And times as words, for what may expire. */
#include "controller/cli/commands.h"

#include "controller/cli/cli_wait.h"
#include "controller/cli/output.h"
#include "lib/base/clock.h"

#include <stdlib.h>
#include <string.h>

int cli_peer_add_time(struct cli *cli, json_t *body, const char *flag, const char *field)
{
	static const struct {
		char unit;
		long long s;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	const char *text = cli_value(cli, flag);
	char *end = NULL;
	long long n;

	if (!text)
		return 0;
	if (!strcmp(text, "never")) {
		if (strcmp(cli->command->verb, "create")) /* nothing said is never there */
			json_object_set_new(body, field, json_integer(0));
		return 0;
	}
	n = text[0] >= '0' && text[0] <= '9' ? strtoll(text, &end, 10) : -1;
	for (size_t i = 0; n >= 0 && n < 1000000000 && i < ARRAY_LEN(units); i++)
		if (*end == units[i].unit && !end[1]) {
			json_object_set_new(body, field, json_integer(n * units[i].s));
			return 0;
		}
	return cli_fail(cli, EXIT_USAGE, "flag_value", "30m, 12h, 7d", "--%s is \"%.30s\", which is no time", flag, text);
}

static int make_body(struct cli *cli, json_t **ret_body)
{
	json_t *body = json_object();
	int r = cli_peer_add_time(cli, body, "older-than", "older_than_s");

	cli_body_strings(cli, body, (const char *const[]){ "org", "network", NULL });
	json_object_set_new(body, "never_used", json_true());
	if (r == 0)
		*ret_body = body;
	else
		json_decref(body);
	return r;
}

static void print_names(const json_t *body, FILE *out, const char *indent)
{
	json_t *name;
	size_t i;

	json_array_foreach(json_object_get(body, "pruned"), i, name) {
		CLEAN_BUF struct buf text = BUF_INIT(4096);
		CLEAN_JSON json_t *one = json_pack("{s:O}", "name", name);

		output_text(one, "name", &text);
		fprintf(out, "%s%s\n", indent, buf_str(&text));
	}
	if (json_is_true(json_object_get(body, "more")))
		fprintf(out, "%s... and more\n", indent);
}

/* Says which ones will go. *ret_none: none. */
static int ask(struct cli *cli, const char *org, json_t *body, bool *ret_none)
{
	struct request_reply reply;
	char what[160];
	int r = request_send(cli, "POST", "/v1/peers/prune?dry_run=1", body, false, &reply);

	if (r)
		return r;
	*ret_none = json_array_size(json_object_get(reply.body, "pruned")) == 0;
	print_names(reply.body, cli->err, "  ");
	request_reply_deinit(&reply);
	if (*ret_none) {
		cli_note(cli, "there is none that was never used and is old enough (--older-than)");
		return 0;
	}
	snprintf(what, sizeof what, "these peers of %.80s, of which no handshake was ever heard", org);
	return cli_confirm(cli, org, what);
}

int cli_peer_prune(struct cli *cli)
{
	const char *org = cli_value(cli, "org");
	struct clock clock = clock_real();
	struct request_reply reply;
	json_t *body = NULL;
	uint64_t sent_ms;
	bool none = false;
	int r;

	if (!cli_has(cli, "never-used"))
		return cli_fail(cli, EXIT_USAGE, "usage", "it takes those that no handshake was ever heard of",
				"--never-used is missing");
	if (!org)
		return cli_fail(cli, EXIT_USAGE, "usage", "sixpn org list shows them", "--org ORG is missing");
	r = make_body(cli, &body);
	if (r == 0 && !cli_has(cli, "yes") && !cli_has(cli, "dry-run"))
		r = ask(cli, org, json_incref(body), &none);
	if (r || none) {
		json_decref(body);
		return r;
	}
	sent_ms = clock_mono_ms(&clock);
	r = cli_write_send(cli, "POST", "/v1/peers/prune", body, &reply);
	if (r)
		return r;
	r = cli_wait_on(cli, &reply, sent_ms);
	if (cli_has(cli, "json"))
		output_json(cli, reply.body);
	else
		print_names(reply.body, cli->out, "");
	fflush(cli->out);
	if (r == 0)
		r = cli_wait_tell(cli, reply.body);
	request_reply_deinit(&reply);
	return r;
}
