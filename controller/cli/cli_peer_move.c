/* cli_peer_move - all peers of a gateway to others. The controller moves a hundred at a time. */
#include "controller/cli/commands.h"

#include "controller/cli/cli_wait.h"
#include "controller/cli/output.h"
#include "lib/base/clock.h"

int cli_peer_add_target(struct cli *cli, json_t *body)
{
	static const char *const flags[] = { "strict", "now" };

	if (!cli_has(cli, "region") && !cli_has(cli, "gateway"))
		return cli_fail(cli, EXIT_USAGE, "usage", "sixpn region list shows them",
				"--region REGION (or --gateway NODE) is missing");
	cli_body_strings(cli, body, (const char *const[]){ "region", "gateway", NULL });
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (cli_has(cli, flags[i]))
			json_object_set_new(body, flags[i], json_true());
	return 0;
}

static json_int_t count(const json_t *body, const char *field)
{
	return json_integer_value(json_object_get(body, field));
}

static int move_some(struct cli *cli, const char *path, json_t *body, json_int_t *total, struct request_reply *ret_reply)
{
	struct clock clock = clock_real();
	uint64_t sent_ms = clock_mono_ms(&clock);
	int r = cli_write_send(cli, "POST", path, json_incref(body), ret_reply);

	if (r)
		return r;
	*total += count(ret_reply->body, "moved");
	cli_note(cli, "  %lld told to move, %lld to go", (long long)*total, (long long)count(ret_reply->body, "left"));
	r = cli_wait_on(cli, ret_reply, sent_ms);
	if (r)
		request_reply_deinit(ret_reply);
	return r;
}

/* Whoever takes the machine away next must not believe that nobody is there. */
static int tell_left(struct cli *cli, json_int_t left)
{
	return cli_fail(cli, EXIT_PARTLY, "peers_stay",
			"nowhere to go there: choose another --region or --gateway; to empty this one, sixpn node drain it first",
			"%lld peers stay at %s", (long long)left, cli->args[0]);
}

int cli_node_move_peers(struct cli *cli)
{
	CLEAN_BUF struct buf path = BUF_INIT(8192);
	CLEAN_JSON json_t *body = json_object();
	struct request_reply reply = { 0 };
	json_int_t total = 0;
	int r = cli_peer_add_target(cli, body);
	bool more;

	if (r == 0)
		r = cli_resolve(cli, cli->command->noun, cli->args[0], &path);
	if (r)
		return r;
	buf_add_str(&path, "/move-peers");
	do {
		request_reply_deinit(&reply);
		r = move_some(cli, buf_str(&path), body, &total, &reply);
		if (r)
			return r;
		more = count(reply.body, "left") && count(reply.body, "moved") && !cli_has(cli, "dry-run");
	} while (more);
	if (cli_has(cli, "json"))
		output_json(cli, reply.body);
	else
		fprintf(cli->out, "node %s  %lld peers told to move, %lld on their way, %lld stay\n", cli->args[0],
			(long long)total, (long long)count(reply.body, "on_their_way"), (long long)count(reply.body, "left"));
	fflush(cli->out);
	r = cli_wait_tell(cli, reply.body);
	if (r == 0 && count(reply.body, "left") && !cli_has(cli, "dry-run"))
		r = tell_left(cli, count(reply.body, "left"));
	request_reply_deinit(&reply);
	return r;
}
