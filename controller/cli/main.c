/* sixpn - the command with which people and scripts drive a sixpn controller.
 *
 * It knows nothing but the controller's HTTP API (and, for `sixpn dns query`, a name server): no state of its own besides the
 * contexts in ~/.config/sixpn/config. Every noun, verb and flag is a row in table.c; read cli.h next, then cli.c (from argv to a
 * row), verbs.c (what all nouns share), request.c (HTTP), context.c (where to, and secrets) and output.c. */
#include "controller/cli/cli.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

/* A file that is made for a key must not become standard output because that is closed: all that is printed would go into it. */
static void fill_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	struct cli cli = { .out = stdout, .err = stderr, .in = stdin, .env = environ };

	fill_standard_descriptors();
	signal(SIGPIPE, SIG_IGN);
	cli.out_is_terminal = isatty(STDOUT_FILENO);
	cli.in_is_terminal = isatty(STDIN_FILENO);
	return cli_main(&cli, argc, argv);
}
