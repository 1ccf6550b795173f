/* cli_completion - completion for bash, all of it from the table; names come from the controller. */
#include "controller/cli/commands.h"

#include "controller/cli/request.h"

#include <string.h>

static const char script[] =
	"_sixpn() {\n"
	"\tlocal IFS=$'\\n'\n"
	"\tCOMPREPLY=($(sixpn completion --complete -- \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null))\n"
	"}\n"
	"complete -F _sixpn sixpn\n";

static void offer(struct cli *cli, const char *candidate, const char *prefix)
{
	if (!strncmp(candidate, prefix, strlen(prefix)))
		fprintf(cli->out, "%s\n", candidate);
}

static void offer_names(struct cli *cli, const struct cli_noun *noun, const char *prefix)
{
	CLEAN_BUF struct buf path = BUF_INIT(4096);
	struct request_reply reply;
	json_t *item;
	size_t i;

	if (!noun || !noun->path)
		return;
	buf_add_str(&path, noun->path);
	if (*prefix)
		request_add_query(&path, "prefix", prefix);
	if (request_send(cli, "GET", buf_str(&path), NULL, true, &reply))
		return;
	json_array_foreach(json_object_get(reply.body, "items"), i, item) {
		const char *key = json_string_value(json_object_get(item, noun->key));

		if (key)
			offer(cli, key, prefix);
	}
	request_reply_deinit(&reply);
}

/* Words of a noun, or verbs after a noun: what may come next after `before`. */
static void offer_words(struct cli *cli, const char *before, const char *prefix)
{
	size_t len = strlen(before);

	for (const struct cli_noun *const *n = cli_nouns; *n; n++) {
		const char *rest = (*n)->name;

		if (len && (strncmp(rest, before, len) || rest[len] != ' '))
			continue;
		rest += len ? len + 1 : 0;
		if (!strchr(rest, ' '))
			offer(cli, rest, prefix);
	}
	for (const struct cli_command *c = cli_commands; c->verb; c++)
		if (!strcmp(c->noun ? c->noun->name : "", before))
			offer(cli, c->verb, prefix);
}

static const struct cli_flag *flag_of(const struct cli_command *command, const char *word)
{
	const struct cli_flag *f;

	if (strncmp(word, "--", 2))
		return NULL;
	for (size_t i = 0; (f = cli_flag_at(command, i)); i++)
		if (!strcmp(f->name, word + 2))
			return f;
	return NULL;
}

static void offer_for_command(struct cli *cli, const struct cli_command *command, const char *last, const char *prefix)
{
	const struct cli_flag *flag = flag_of(command, last), *f;
	char text[64];

	if (flag && flag->value && flag->value[0] != '[') {
		offer_names(cli, cli_noun_find(!strcmp(flag->name, "host") || !strcmp(flag->name, "gateway") ? "node" : flag->name), prefix);
		return;
	}
	for (size_t i = 0; prefix[0] == '-' && (f = cli_flag_at(command, i)); i++) {
		snprintf(text, sizeof text, "%s%s", strlen(f->name) == 1 ? "-" : "--", f->name);
		offer(cli, text, prefix);
	}
	if (prefix[0] != '-' && command->noun && !strcmp(command->noun->name, "doctor"))
		offer_names(cli, cli_noun_find(command->verb), prefix); /* doctor peer NAME */
	else if (prefix[0] != '-' && !strcmp(command->args, "NAME") && strcmp(command->verb, "create"))
		offer_names(cli, command->noun, prefix);
}

int cli_completion(struct cli *cli)
{
	const struct cli_command *command = NULL;
	char before[128] = "";
	size_t n = 0;

	if (!cli_has(cli, "complete")) {
		fputs(script, cli->out);
		return EXIT_GOOD;
	}
	while (cli->rest && cli->rest[n])
		n++;
	for (size_t i = 0; i + 1 < n && !command; i++) {
		command = cli_command_find(before, cli->rest[i]);
		snprintf(before + strlen(before), sizeof before - strlen(before), "%s%s", i ? " " : "", cli->rest[i]);
	}
	if (command)
		offer_for_command(cli, command, n >= 2 ? cli->rest[n - 2] : "", cli->rest[n - 1]);
	else if (n)
		offer_words(cli, before, cli->rest[n - 1]);
	return EXIT_GOOD;
}
