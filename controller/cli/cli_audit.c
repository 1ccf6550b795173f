/* cli_audit - who changed what; and whether anybody has been at the rows that say so. */
#include "controller/cli/commands.h"

#include "controller/cli/offline.h"
#include "controller/cli/output.h"
#include "controller/cli/request.h"

#include <string.h>

static const struct cli_column found[] = { { "STORE", "file" }, { "ROWS", "rows" }, { "FIRST", "first" }, { "HEAD", "head" },
					   { "KNOWN HEAD", "known_head" }, { 0 } };

int cli_audit_head(struct cli *cli)
{
	struct request_reply reply;
	int r = request_send(cli, "GET", "/v1/audit/head", NULL, false, &reply);

	if (r)
		return r;
	if (cli_has(cli, "json"))
		output_json(cli, reply.body);
	else
		fprintf(cli->out, "%s\n", json_string_value(json_object_get(reply.body, "head")));
	cli_note(cli, "keep it on another machine: sixpn audit verify --head finds whatever was done to the rows up to it");
	request_reply_deinit(&reply);
	return 0;
}

static int tell(struct cli *cli, const json_t *reply)
{
	if (cli_has(cli, "json"))
		output_json(cli, reply);
	else
		output_object(cli, reply, found, "file");
	if (json_is_true(json_object_get(reply, "whole"))) {
		cli_note(cli, "the chain is whole%s", json_is_null(json_object_get(reply, "known_head")) ?
							      "; that no tail was cut off or written anew is known only with --head" :
							      "");
		return 0;
	}
	return cli_fail(cli, EXIT_REFUSED, "audit_damaged", "compare it with backups: sixpn audit verify FILE", "row %lld: %s",
			(long long)json_integer_value(json_object_get(reply, "bad_row")),
			json_string_value(json_object_get(reply, "finding")) ?: "something is wrong");
}

static int verify_online(struct cli *cli)
{
	CLEAN_BUF struct buf path = BUF_INIT(4096);
	struct request_reply reply;
	int r;

	buf_add_str(&path, "/v1/audit/verify");
	request_add_query(&path, "head", cli_value(cli, "head"));
	r = request_send(cli, "GET", buf_str(&path), NULL, false, &reply);
	if (r)
		return r;
	r = tell(cli, reply.body);
	request_reply_deinit(&reply);
	return r;
}

int cli_audit_verify(struct cli *cli)
{
	CLEAN_JSON json_t *reply = NULL;
	int r;

	if (!cli->args[0])
		return verify_online(cli);
	r = offline_call(cli, (const char *const[]){ "verify-audit", cli->args[0], cli_value(cli, "head"), NULL }, &reply);
	return r ? r : tell(cli, reply);
}
