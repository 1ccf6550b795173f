/* cli - see cli.h: from argv to a command with its flags, checked against the table. */
#include "controller/cli/cli.h"

#include "controller/cli/help.h"
#include "controller/cli/request.h"
#include "lib/sixpn/name.h"

#include <stdlib.h>
#include <string.h>

const char *cli_env(const struct cli *cli, const char *name)
{
	size_t len = strlen(name);

	for (char *const *e = cli->env; e && *e; e++)
		if (!strncmp(*e, name, len) && (*e)[len] == '=')
			return (*e)[len + 1] ? *e + len + 1 : NULL;
	return NULL;
}

const char *cli_value_at(const struct cli *cli, const char *flag, size_t n)
{
	for (size_t i = 0; i < cli->n_given; i++)
		if (!strcmp(cli->given[i].flag->name, flag) && n-- == 0)
			return cli->given[i].value;
	return NULL;
}

const char *cli_value(const struct cli *cli, const char *flag)
{
	return cli_value_at(cli, flag, 0);
}

bool cli_has(const struct cli *cli, const char *flag)
{
	for (size_t i = 0; i < cli->n_given; i++)
		if (!strcmp(cli->given[i].flag->name, flag))
			return true;
	return false;
}

int cli_fail(struct cli *cli, int exit_status, const char *code, const char *hint, const char *fmt, ...)
{
	char text[8192];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	name_tame(text); /* much of it quotes what others wrote: a terminal would take some for commands */
	fprintf(cli->err, "error: %s\n", text);
	if (hint)
		fprintf(cli->err, "  %s\n", hint);
	fprintf(cli->err, "  code: %s\n", code);
	return exit_status;
}

void cli_note(struct cli *cli, const char *fmt, ...)
{
	va_list ap;

	if (cli_has(cli, "q"))
		return;
	va_start(ap, fmt);
	vfprintf(cli->err, fmt, ap);
	va_end(ap);
	fputc('\n', cli->err);
}

/* ---- the table ---- */

const struct cli_noun *cli_noun_find(const char *name)
{
	for (const struct cli_noun *const *n = cli_nouns; *n; n++)
		if (!strcmp((*n)->name, name))
			return *n;
	return NULL;
}

const struct cli_command *cli_command_find(const char *noun, const char *verb)
{
	for (const struct cli_command *c = cli_commands; c->verb; c++)
		if (!strcmp(c->verb, verb) && !strcmp(c->noun ? c->noun->name : "", noun))
			return c;
	return NULL;
}

const struct cli_flag *cli_flag_at(const struct cli_command *command, size_t n)
{
	const struct cli_flag *lists[] = { command->flags, command->kind == CLI_WRITE || command->kind == CLI_DESTROY ? cli_flags_write : NULL,
					   command->kind == CLI_DESTROY ? cli_flags_destroy : NULL, cli_flags_all };

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		for (const struct cli_flag *f = lists[i]; f && f->name; f++)
			if (n-- == 0)
				return f;
	return NULL;
}

static const char *real_verb(const char *verb)
{
	static const char *const aliases[][2] = { { "add", "create" }, { "rm", "delete" }, { "remove", "delete" },
						  { "destroy", "delete" }, { "ls", "list" } };

	for (size_t i = 0; i < ARRAY_LEN(aliases); i++)
		if (!strcmp(verb, aliases[i][0]))
			return aliases[i][1];
	return verb;
}

/* Takes noun (of one or two words) and verb; *ret_used = how many words that were. */
static const struct cli_command *find_command(char *const *words, size_t n, size_t *ret_used)
{
	const char *noun = n ? words[0] : "";
	const struct cli_command *c = n ? cli_command_find("", noun) : NULL;
	char two[64];

	*ret_used = 1;
	if (c)
		return c;
	if (!strcmp(noun, "machine"))
		noun = "instance";
	if (n >= 3) {
		snprintf(two, sizeof two, "%s %s", noun, words[1]);
		c = cli_command_find(two, real_verb(words[2]));
		*ret_used = 3;
	}
	if (!c && n >= 2) {
		c = cli_command_find(noun, real_verb(words[1]));
		*ret_used = 2;
	}
	return c;
}

/* ---- flags ---- */

static const struct cli_flag *find_flag(const struct cli_command *command, const char *name, size_t len)
{
	const struct cli_flag *f;

	for (size_t i = 0; (f = cli_flag_at(command, i)); i++)
		if (strlen(f->name) == len && !memcmp(f->name, name, len))
			return f;
	return NULL;
}

static int bad_flag(struct cli *cli, const char *word)
{
	/* not the whole word: what stands behind "=" may be a secret */
	size_t len = strcspn(word, "=");

	if (len == 7 && !strncmp(word, "--token", 7))
		return cli_fail(cli, EXIT_USAGE, "token_in_argv", "use --token-file FILE, SIXPN_TOKEN_FILE or SIXPN_TOKEN",
				"a token on the command line can be read by every user of this machine");
	return cli_fail(cli, EXIT_USAGE, "flag_unknown", "sixpn help tells the flags of each command", "%s %s has no flag %.*s",
			cli->command->noun ? cli->command->noun->name : "sixpn", cli->command->verb, (int)len, word);
}

/* A value may follow after "=" or as the next word; that of --wait only after "=", because it may be left out. */
static int take_flag(struct cli *cli, char *const **at)
{
	const char *word = **at, *name = word + (word[1] == '-' ? 2 : 1), *equals = strchr(name, '=');
	const struct cli_flag *flag = find_flag(cli->command, name, equals ? (size_t)(equals - name) : strlen(name));
	const char *value = equals ? equals + 1 : NULL;
	bool optional = flag && flag->value && flag->value[0] == '[';

	if (!flag || (word[1] != '-') != (strlen(flag->name) == 1))
		return bad_flag(cli, word);
	if (!flag->value && value)
		return cli_fail(cli, EXIT_USAGE, "flag_value", NULL, "--%s takes no value", flag->name);
	if (flag->value && !value && !optional) {
		value = (*at)[1];
		if (!value)
			return cli_fail(cli, EXIT_USAGE, "flag_value", flag->help, "%s wants a value: %s", word, flag->value);
		++*at;
	}
	if (!flag->repeat && cli_has(cli, flag->name))
		return cli_fail(cli, EXIT_USAGE, "flag_twice", NULL, "%s is given twice", word);
	if (cli->n_given == CLI_FLAGS_MAX)
		return cli_fail(cli, EXIT_USAGE, "flag_too_many", NULL, "more than %d flags", CLI_FLAGS_MAX);
	cli->given[cli->n_given++] = (struct cli_given){ flag, value };
	return 0;
}

/* How many arguments the pattern "NAME [TYPE]" allows. */
static void count_args(const char *pattern, size_t *ret_min, size_t *ret_max)
{
	*ret_min = *ret_max = 0;
	for (const char *p = pattern; *p && strncmp(p, "[--", 3); p += strcspn(p, " "), p += strspn(p, " ")) {
		++*ret_max;
		*ret_min += *p != '[';
	}
}

static int wrong_args(struct cli *cli)
{
	const struct cli_command *c = cli->command;

	return cli_fail(cli, EXIT_USAGE, "usage", c->examples ? c->examples : NULL, "usage: sixpn %s%s%s%s%s", c->noun ? c->noun->name : "",
			c->noun ? " " : "", c->verb, c->args[0] ? " " : "", c->args);
}

static int parse(struct cli *cli, char *const *at)
{
	size_t min, max;

	count_args(cli->command->args, &min, &max);
	for (; *at; at++) {
		if (!strcmp(*at, "--")) {
			cli->rest = at + 1;
			break;
		}
		if ((*at)[0] == '-' && (*at)[1]) {
			int r = take_flag(cli, &at);

			if (r)
				return r;
			continue;
		}
		if (cli->n_args == max || cli->n_args == CLI_ARGS_MAX)
			return cli_has(cli, "help") ? 0 : wrong_args(cli);
		cli->args[cli->n_args++] = *at;
	}
	if (cli_has(cli, "help"))
		return 0;
	if (cli->rest && !strstr(cli->command->args, "--"))
		return cli_fail(cli, EXIT_USAGE, "usage", NULL, "nothing may follow \"--\" here");
	return cli->n_args < min ? wrong_args(cli) : 0;
}

static int not_text(struct cli *cli, const char *what)
{
	return cli_fail(cli, EXIT_USAGE, "not_utf8", "is the terminal's character set another one?", "%s is no UTF-8 text", what);
}

static bool is_text(const char *word)
{
	return name_is_utf8(word, strlen(word));
}

/* JSON has no place for other bytes: the field would be left out, and the request would mean something else. Names of files are nobody
 * else's business. */
static int check_texts(struct cli *cli)
{
	for (size_t i = 0; i < cli->n_given; i++) {
		const struct cli_given *g = &cli->given[i];

		if (g->value && !is_text(g->value) && strcmp(g->flag->value, "FILE") && strcmp(g->flag->value, "DIR"))
			return not_text(cli, g->flag->name);
	}
	if (cli->command->kind == CLI_HERE)
		return 0;
	for (size_t i = 0; i < cli->n_args; i++) {
		if (!cli->args[i][0]) /* of a script whose variable is not set; it is the beginning of every name */
			return cli_fail(cli, EXIT_USAGE, "usage", NULL, "a name is empty");
		if (!is_text(cli->args[i]))
			return not_text(cli, "the name");
	}
	for (char *const *rest = cli->rest; rest && *rest; rest++)
		if (!is_text(*rest))
			return not_text(cli, "what follows \"--\"");
	return 0;
}

/* The noun of one or two words that the words begin with; *ret_used = the place behind it. */
static const struct cli_noun *find_noun(int argc, char *const *argv, int *ret_used)
{
	const char *first = !strcmp(argv[1], "machine") ? "instance" : argv[1];
	const struct cli_noun *noun = NULL;
	char two[64];

	*ret_used = 3;
	if (argc >= 3) {
		snprintf(two, sizeof two, "%s %s", first, argv[2]);
		noun = cli_noun_find(two);
	}
	if (noun)
		return noun;
	*ret_used = 2;
	return cli_noun_find(first);
}

static int unknown_command(struct cli *cli, int argc, char *const *argv)
{
	const struct cli_noun *noun;
	int used;
	bool asked;

	if (argc < 2) {
		help_overview(cli, cli->err);
		return EXIT_USAGE;
	}
	noun = find_noun(argc, argv, &used);
	if (!noun)
		return cli_fail(cli, EXIT_USAGE, "command_unknown", "sixpn help lists all commands", "there is no command \"%.40s\"", argv[1]);
	asked = argc > used && (!strcmp(argv[used], "--help") || !strcmp(argv[used], "-h"));
	if (argc > used && !asked)
		cli_fail(cli, EXIT_USAGE, "command_unknown", NULL, "%s has no verb \"%.40s\"", noun->name, argv[used]);
	help_noun(cli, noun, asked ? cli->out : cli->err);
	return asked ? EXIT_GOOD : EXIT_USAGE;
}

int cli_main(struct cli *cli, int argc, char *const *argv)
{
	size_t used;
	int r;

	if (argc >= 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		help_overview(cli, cli->out);
		return EXIT_GOOD;
	}
	cli->command = find_command(argv + 1, argc > 0 ? (size_t)argc - 1 : 0, &used);
	if (!cli->command)
		return unknown_command(cli, argc, argv);
	r = parse(cli, argv + 1 + used);
	if (r == 0 && cli_has(cli, "help"))
		help_command(cli, cli->command, cli->out);
	else if (r == 0)
		r = check_texts(cli);
	if (r == 0 && !cli_has(cli, "help"))
		r = cli->command->run(cli);
	request_disconnect(cli);
	if (fflush(cli->out) != 0 && r == 0)
		r = EXIT_REFUSED; /* a full disk must not look like success */
	return r;
}
