/* help - texts made from the table of commands. */
#pragma once
#include "controller/cli/cli.h"

void help_overview(struct cli *cli, FILE *out);
void help_noun(struct cli *cli, const struct cli_noun *noun, FILE *out);
void help_command(struct cli *cli, const struct cli_command *command, FILE *out);
int help_run(struct cli *cli);
