/* cli_org - organizations. */
#include "controller/cli/commands.h"

#include <stdlib.h>
#include <string.h>

int cli_org_create(struct cli *cli)
{
	return cli_write(cli, "POST", "/v1/orgs", json_pack("{s:s}", "name", cli->args[0]), "created");
}

static int patch(struct cli *cli, json_t *body, const char *done_word)
{
	CLEAN_BUF struct buf path = BUF_INIT(8192);
	int r = cli_resolve(cli, cli->command->noun, cli->args[0], &path);

	if (r) {
		json_decref(body);
		return r;
	}
	return cli_write(cli, "PATCH", buf_str(&path), body, done_word);
}

int cli_org_suspend(struct cli *cli)
{
	return patch(cli, json_pack("{s:b}", "suspended", 1), "suspended");
}

int cli_org_resume(struct cli *cli)
{
	return patch(cli, json_pack("{s:b}", "suspended", 0), "resumed");
}

int cli_org_update(struct cli *cli)
{
	json_t *body = json_object(), *limits = json_object();
	const char *pair;
	int r = 0;

	for (size_t i = 0; r == 0 && (pair = cli_value_at(cli, "limit", i)); i++) {
		const char *equals = strchr(pair, '=');
		char name[64], *end = NULL;
		long long n = equals ? strtoll(equals + 1, &end, 10) : 0;

		if (!equals || equals == pair || !equals[1] || *end)
			r = cli_fail(cli, EXIT_USAGE, "flag_value", "for example --limit instances=500", "--limit is \"%.60s\", not KIND=NUMBER", pair);
		snprintf(name, sizeof name, "%.*s", equals ? (int)(equals - pair) : 0, pair);
		json_object_set_new(limits, name, json_integer(n));
	}
	if (json_object_size(limits))
		json_object_set(body, "limits", limits);
	json_decref(limits);
	if (cli_has(cli, "strict-region") || cli_has(cli, "no-strict-region"))
		json_object_set_new(body, "strict_region", json_boolean(cli_has(cli, "strict-region")));
	if (r) {
		json_decref(body);
		return r;
	}
	return patch(cli, body, "changed");
}
