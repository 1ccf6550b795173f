/* sixpn - the command with which people and scripts drive a sixpn controller.
 *
 * It knows nothing but the controller's HTTP API (and, for `sixpn dns query`, a name server): no state of its own besides the
 * contexts in ~/.config/sixpn/config. Every noun, verb and flag is a row in table.c; read cli.h next, then cli.c (from argv to a
 * row), verbs.c (what all nouns share), request.c (HTTP), context.c (where to, and secrets) and output.c. */
#include "controller/cli/cli.h"

#include <signal.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct cli cli = { .out = stdout, .err = stderr, .in = stdin, .env = environ };

	signal(SIGPIPE, SIG_IGN);
	cli.out_is_terminal = isatty(STDOUT_FILENO);
	cli.in_is_terminal = isatty(STDIN_FILENO);
	return cli_main(&cli, argc, argv);
}
