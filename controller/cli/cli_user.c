/* cli_user - people, and the members of organizations. */
#include "controller/cli/commands.h"

int cli_user_create(struct cli *cli)
{
	json_t *body = json_pack("{s:s}", "email", cli->args[0]);

	cli_body_strings(cli, body, (const char *const[]){ "name", "personal-org", NULL });
	return cli_write(cli, "POST", "/v1/users", body, "created");
}

int cli_member_add(struct cli *cli)
{
	json_t *body = json_pack("{s:s}", "user", cli->args[0]);

	cli_body_strings(cli, body, (const char *const[]){ "org", "role", NULL });
	if (!cli_has(cli, "role"))
		json_object_set_new(body, "role", json_string("member"));
	return cli_write(cli, "POST", "/v1/members", body, "added");
}

int cli_member_update(struct cli *cli)
{
	CLEAN_BUF struct buf path = BUF_INIT(8192);
	json_t *body = json_object();
	int r = cli_resolve(cli, cli->command->noun, cli->args[0], &path);

	cli_body_strings(cli, body, (const char *const[]){ "role", NULL });
	if (r) {
		json_decref(body);
		return r;
	}
	return cli_write(cli, "PATCH", buf_str(&path), body, "changed");
}
