/* cli_app - networks and apps. */
#include "controller/cli/commands.h"

#include <string.h>

/* "org/name" is accepted where a new thing is named, too. */
static json_t *named(struct cli *cli)
{
	const char *slash = strchr(cli->args[0], '/');
	json_t *body = json_object();

	cli_body_strings(cli, body, (const char *const[]){ "org", "network", NULL });
	if (slash && !cli_has(cli, "org"))
		json_object_set_new(body, "org", json_stringn(cli->args[0], (size_t)(slash - cli->args[0])));
	json_object_set_new(body, "name", json_string(slash && !cli_has(cli, "org") ? slash + 1 : cli->args[0]));
	return body;
}

int cli_network_create(struct cli *cli)
{
	return cli_write(cli, "POST", "/v1/networks", named(cli), "created");
}

int cli_app_create(struct cli *cli)
{
	return cli_write(cli, "POST", "/v1/apps", named(cli), "created");
}
