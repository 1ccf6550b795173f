/* watch - commands that go on until ^C: they ask the controller for what is newer than they know, and repaint or print a block. */
#pragma once
#include "controller/cli/request.h"

struct watch {
	const char *path;   /* "/v1/status" */
	const char *number; /* field of the reply that is asked after next: "revision" */
	/* Prints a reply to cli->out; returns what the command shall exit with if it ended now. */
	int (*show)(struct cli *cli, const json_t *body);
	/* Controller unreachable: the same; `error` = what was told, three lines. */
	int (*show_lost)(struct cli *cli, const char *error);
	bool repaint; /* on a terminal: clear it each time; else blocks that repeat are printed once */
};

/* Runs until SIGINT or SIGTERM, then restores the terminal. The exit status of the last `show`, or of an error that will not go away
 * by itself (not allowed, no such controller's version). */
int watch_run(struct cli *cli, const struct watch *watch);
