/* cli_region - regions. */
#include "controller/cli/commands.h"

static json_t *place(struct cli *cli, int *ret_status)
{
	json_t *body = json_object();

	*ret_status = cli_body_number(cli, body, "latitude", false);
	if (!*ret_status)
		*ret_status = cli_body_number(cli, body, "longitude", false);
	if (!*ret_status)
		*ret_status = cli_body_number(cli, body, "locator", true);
	cli_body_strings(cli, body, (const char *const[]){ "city", NULL });
	return body;
}

int cli_region_create(struct cli *cli)
{
	int r;
	json_t *body = place(cli, &r);

	json_object_set_new(body, "name", json_string(cli->args[0]));
	if (r) {
		json_decref(body);
		return r;
	}
	return cli_write(cli, "POST", "/v1/regions", body, "created");
}

int cli_region_update(struct cli *cli)
{
	CLEAN_BUF struct buf path = BUF_INIT(8192);
	int r;
	json_t *body = place(cli, &r);

	if (r == 0)
		r = cli_resolve(cli, cli->command->noun, cli->args[0], &path);
	if (r) {
		json_decref(body);
		return r;
	}
	return cli_write(cli, "PATCH", buf_str(&path), body, "changed");
}
