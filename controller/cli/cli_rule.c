/* cli_rule - peering rules between networks. */
#include "controller/cli/commands.h"

#include <string.h>

/* "org/name" or "name" as two fields of the body. */
static void put_end(json_t *body, const char *text, const char *org_field, const char *field)
{
	const char *slash = text ? strchr(text, '/') : NULL;

	if (slash)
		json_object_set_new(body, org_field, json_stringn(text, (size_t)(slash - text)));
	if (text)
		json_object_set_new(body, field, json_string(slash ? slash + 1 : text));
}

int cli_rule_create(struct cli *cli)
{
	const char *app = cli_value(cli, "from"), *network = cli_value(cli, "from-network"), *to = cli_value(cli, "to");
	json_t *body;

	if (!to || !app == !network)
		return cli_fail(cli, EXIT_USAGE, "flag_missing", "sixpn rule create --from acme/web --to globex/db",
				"say who may reach (--from APP, or --from-network NETWORK for every app of it) and what (--to APP)");
	body = json_object();
	put_end(body, app, "from_org", "from_app");
	put_end(body, network, "from_org", "from_network");
	put_end(body, to, "to_org", "to_app");
	if (cli_has(cli, "as"))
		json_object_set_new(body, "as", json_string(cli_value(cli, "as")));
	return cli_write(cli, "POST", "/v1/rules", body, "made");
}

int cli_rule_accept(struct cli *cli)
{
	CLEAN_BUF struct buf path = BUF_INIT(8192);
	int r = cli_resolve(cli, cli->command->noun, cli->args[0], &path);
	json_t *body;

	if (r)
		return r;
	buf_add_str(&path, "/accept");
	body = json_object();
	if (cli_has(cli, "as"))
		json_object_set_new(body, "as", json_string(cli_value(cli, "as")));
	return cli_write(cli, "POST", buf_str(&path), body, "accepted");
}
