/* cli_node - nodes and the tokens with which machines become nodes. */
#include "controller/cli/commands.h"

#include "lib/base/file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* sixpn-node reads its token from a file. A token that was typed goes there through memory, never through another argv. */
int cli_node_join(struct cli *cli)
{
	const char *token = cli->args[0];
	char *argv[64] = { (char *)(uintptr_t) "sixpn-node", (char *)(uintptr_t) "--join", NULL };
	char path[64];
	size_t n = 3;
	int fd;

	argv[2] = (char *)(uintptr_t)token;
	if (!strncmp(token, "sixpn1.", 7)) {
		fd = memfd_create("join-token", 0);
		if (fd < 0 || file_write_all(fd, token, strlen(token)) < 0)
			return cli_fail(cli, EXIT_REFUSED, "internal", NULL, "cannot keep the token: %s", strerror(errno));
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		argv[2] = path;
	}
	for (char *const *rest = cli->rest; rest && *rest && n + 1 < ARRAY_LEN(argv); rest++)
		argv[n++] = *rest;
	fflush(cli->out);
	execvp(argv[0], argv);
	return cli_fail(cli, EXIT_REFUSED, "program_missing", "install the package sixpn-node, or put sixpn-node on PATH",
			"cannot run sixpn-node: %s", strerror(errno));
}

static int drain(struct cli *cli, const char *action, const char *done_word)
{
	CLEAN_BUF struct buf path = BUF_INIT(8192);
	int r = cli_resolve(cli, cli->command->noun, cli->args[0], &path);

	if (r)
		return r;
	buf_add_str(&path, action);
	return cli_write(cli, "POST", buf_str(&path), NULL, done_word);
}

int cli_node_drain(struct cli *cli)
{
	return drain(cli, "/drain", "gets no new work");
}

int cli_node_undrain(struct cli *cli)
{
	return drain(cli, "/undrain", "gets new work");
}

int cli_node_token_create(struct cli *cli)
{
	json_t *body = json_object();
	int r = cli_body_number(cli, body, "uses", true);

	cli_body_strings(cli, body, (const char *const[]){ "region", "kind", "expires", "name", "source", NULL });
	if (r == 0 && !cli_has(cli, "region"))
		r = cli_fail(cli, EXIT_USAGE, "usage", "sixpn region list shows them", "--region REGION is missing");
	if (r) {
		json_decref(body);
		return r;
	}
	return cli_create_secret(cli, "/v1/node-tokens", body, "a join token");
}
