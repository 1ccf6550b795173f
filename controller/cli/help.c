/* help - see help.h. */
#include "controller/cli/help.h"

#include <string.h>

static void print_verbs(const struct cli_noun *noun, FILE *out)
{
	for (const struct cli_command *c = cli_commands; c->verb; c++)
		if (c->noun == noun)
			fprintf(out, " %s", c->verb);
	fputc('\n', out);
}

void help_overview(struct cli *cli, FILE *out)
{
	(void)cli;
	fputs("sixpn NOUN VERB [NAME] [--flags]\n\n", out);
	for (const struct cli_command *c = cli_commands; c->verb; c++)
		if (!c->noun)
			fprintf(out, "  %-12s %s\n", c->verb, c->help);
	fputc('\n', out);
	for (const struct cli_noun *const *n = cli_nouns; *n; n++) {
		fprintf(out, "  %-12s", (*n)->name);
		print_verbs(*n, out);
	}
	fputs("\n  sixpn help NOUN [VERB]     flags and examples\n"
	      "  where the controller is:   --url and --token-file, SIXPN_URL and SIXPN_TOKEN[_FILE], the current context of\n"
	      "                             ~/.config/sixpn/config, else the local socket (root or group sixpn-admin)\n"
	      "  exit status: 0 good, 1 refused, 2 usage, 3 not found, 4 not allowed, 5 controller unreachable,\n"
	      "               6 accepted but not applied in time, 7 partly done\n",
	      out);
}

void help_noun(struct cli *cli, const struct cli_noun *noun, FILE *out)
{
	(void)cli;
	fprintf(out, "sixpn %s: %s\n\n", noun->name, noun->help);
	for (const struct cli_command *c = cli_commands; c->verb; c++)
		if (c->noun == noun)
			fprintf(out, "  sixpn %s %-8s %-24s %s\n", noun->name, c->verb, c->args, c->help);
	for (const struct cli_noun *const *n = cli_nouns; *n; n++)
		if (!strncmp((*n)->name, noun->name, strlen(noun->name)) && (*n)->name[strlen(noun->name)] == ' ') {
			fputc('\n', out);
			help_noun(cli, *n, out);
		}
}

void help_command(struct cli *cli, const struct cli_command *command, FILE *out)
{
	const struct cli_flag *f;

	(void)cli;
	fprintf(out, "sixpn %s%s%s %s\n  %s\n\nflags\n", command->noun ? command->noun->name : "", command->noun ? " " : "", command->verb,
		command->args, command->help);
	for (size_t i = 0; (f = cli_flag_at(command, i)); i++) {
		char text[64];

		snprintf(text, sizeof text, "%s%s%s%s", strlen(f->name) == 1 ? "-" : "--", f->name,
			 !f->value ? "" : f->value[0] == '[' ? "" : " ", f->value ? f->value : "");
		fprintf(out, "  %-24s %s%s\n", text, f->help, f->repeat ? " (may be repeated)" : "");
	}
	if (command->examples)
		fprintf(out, "\nEXAMPLES\n  %s\n", command->examples);
}

int help_run(struct cli *cli)
{
	const struct cli_command *command = NULL;
	const struct cli_noun *noun = NULL;
	char words[128] = "";

	if (!cli->n_args) {
		help_overview(cli, cli->out);
		return EXIT_GOOD;
	}
	/* the last word is a verb, or all words are a noun */
	for (size_t i = 0; i < cli->n_args; i++) {
		if (i + 1 == cli->n_args)
			command = cli_command_find(words, cli->args[i]);
		snprintf(words + strlen(words), sizeof words - strlen(words), "%s%s", i ? " " : "", cli->args[i]);
	}
	if (!command)
		noun = cli_noun_find(!strcmp(words, "machine") ? "instance" : words);
	if (command)
		help_command(cli, command, cli->out);
	else if (noun)
		help_noun(cli, noun, cli->out);
	else
		return cli_fail(cli, EXIT_USAGE, "command_unknown", "sixpn help lists all commands", "there is no help about \"%.60s\"", words);
	return EXIT_GOOD;
}
