/* cli_token - API tokens, and how the one reply that holds a secret is kept. */
#include "controller/cli/commands.h"

#include "controller/cli/context.h"
#include "controller/cli/output.h"
#include "controller/cli/request.h"

#include <string.h>

int cli_create_secret(struct cli *cli, const char *path, json_t *body, const char *what)
{
	CLEAN_BUF struct buf whole = BUF_INIT(8192);
	struct request_reply reply;
	struct secret_place place;
	const char *secret;
	int r = secret_prepare(cli, what, &place);

	if (r) {
		json_decref(body);
		return r;
	}
	buf_add_str(&whole, path);
	if (cli_has(cli, "dry-run"))
		request_add_query(&whole, "dry_run", "1");
	r = request_send(cli, "POST", buf_str(&whole), body, false, &reply);
	if (r == 0) {
		secret = json_string_value(json_object_get(reply.body, "token"));
		if (!secret) {
			cli_note(cli, "dry run: it would work; nothing was changed");
		} else if (cli_has(cli, "json") && place.fd < 0) {
			output_json(cli, reply.body);
		} else {
			r = secret_write(cli, &place, secret);
			if (r == 0)
				cli_note(cli, "%s %s, given only this once%s%s", cli->command->noun->name,
					 json_string_value(json_object_get(reply.body, "id")), cli_has(cli, "o") ? ", in " : "",
					 cli_has(cli, "o") ? cli_value(cli, "o") : "");
		}
		request_reply_deinit(&reply);
	}
	secret_abandon(&place);
	return r;
}

int cli_token_create(struct cli *cli)
{
	json_t *body = json_object();

	cli_body_strings(cli, body, (const char *const[]){ "org", "kind", "user", "profile", "name", "expires", NULL });
	if (cli_has(cli, "own-only"))
		json_object_set_new(body, "own_only", json_true());
	return cli_create_secret(cli, "/v1/tokens", body, "a token");
}
