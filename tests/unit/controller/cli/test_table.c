/* The rules of the command line (docs/reference/cli.md), enforced over the table of commands. */
#include "controller/cli/commands.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool in_list(const char *const *list, const char *word)
{
	for (; *list; list++)
		if (!strcmp(*list, word))
			return true;
	return false;
}

static void verbs_come_from_one_list(void **state)
{
	static const char *const common[] = { "create", "list", "show", "update", "delete", NULL };
	static const char *const extra[] = { "node join", "node errors", "node release-held", "node drain", "node undrain", "node move-peers", "node token revoke", "org suspend", "org resume", "rule accept",
					     "instance start", "instance stop", "instance restart", "peer status", "peer rekey", "peer move", "peer config", "peer prune", "token revoke", "backup verify", "backup restore", "store check", "audit head", "audit verify",
					     "dns query", "doctor peer", "context use", NULL };

	(void)state;
	for (const struct cli_command *c = cli_commands; c->verb; c++) {
		char whole[64];

		snprintf(whole, sizeof whole, "%s %s", c->noun ? c->noun->name : "", c->verb);
		if (c->noun && !in_list(common, c->verb) && !in_list(extra, whole))
			fail_msg("%s: a verb outside the list", whole);
	}
}

static void every_command_has_help_an_example_that_begins_with_it_and_a_handler(void **state)
{
	(void)state;
	for (const struct cli_command *c = cli_commands; c->verb; c++) {
		char begin[64];

		snprintf(begin, sizeof begin, "sixpn %s%s%s", c->noun ? c->noun->name : "", c->noun ? " " : "", c->verb);
		assert_non_null(c->run);
		assert_non_null(c->help);
		assert_non_null(c->args);
		if (!c->examples || (!strstr(c->examples, begin)))
			fail_msg("%s: no example", begin);
	}
}

static void every_command_takes_json_tsv_and_q_and_writes_take_wait_and_dry_run(void **state)
{
	static const char *const all[] = { "json", "tsv", "q", "url", "token-file", "help", NULL };
	static const char *const writes[] = { "wait", "no-wait", "dry-run", NULL };

	(void)state;
	for (const struct cli_command *c = cli_commands; c->verb; c++)
		for (int list = 0; list < 3; list++) {
			static const char *const destroys[] = { "yes", NULL };
			const char *const *names = list == 0 ? all : list == 1 ? writes : destroys;

			if ((list == 1 && c->kind != CLI_WRITE && c->kind != CLI_DESTROY) || (list == 2 && c->kind != CLI_DESTROY))
				continue;
			for (; *names; names++) {
				const struct cli_flag *f;
				bool found = false;

				for (size_t i = 0; (f = cli_flag_at(c, i)); i++)
					found |= !strcmp(f->name, *names);
				if (!found)
					fail_msg("%s has no --%s", c->verb, *names);
			}
		}
}

static void what_takes_something_away_asks_first(void **state)
{
	static const char *const words[] = { "delete", "revoke", "release-held", "prune", NULL };

	(void)state;
	for (const struct cli_command *c = cli_commands; c->verb; c++)
		assert_int_equal(in_list(words, c->verb), c->kind == CLI_DESTROY);
}

static void flags_are_lower_case_words_given_once_per_command_and_explained(void **state)
{
	(void)state;
	for (const struct cli_command *c = cli_commands; c->verb; c++) {
		const struct cli_flag *f, *g;

		for (size_t i = 0; (f = cli_flag_at(c, i)); i++) {
			assert_non_null(f->help);
			assert_int_equal(strspn(f->name, "abcdefghijklmnopqrstuvwxyz-"), strlen(f->name));
			assert_string_not_equal(f->name, "token"); /* never in argv */
			for (size_t j = i + 1; (g = cli_flag_at(c, j)); j++)
				assert_string_not_equal(f->name, g->name);
		}
	}
}

static void nouns_and_verbs_are_there_once(void **state)
{
	(void)state;
	for (const struct cli_command *c = cli_commands; c->verb; c++)
		assert_ptr_equal(cli_command_find(c->noun ? c->noun->name : "", c->verb), c);
	for (const struct cli_noun *const *n = cli_nouns; *n; n++) {
		bool used = false;

		assert_ptr_equal(cli_noun_find((*n)->name), *n);
		for (const struct cli_command *c = cli_commands; c->verb; c++)
			used |= c->noun == *n;
		assert_true(used);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verbs_come_from_one_list),
		cmocka_unit_test(every_command_has_help_an_example_that_begins_with_it_and_a_handler),
		cmocka_unit_test(every_command_takes_json_tsv_and_q_and_writes_take_wait_and_dry_run),
		cmocka_unit_test(what_takes_something_away_asks_first),
		cmocka_unit_test(flags_are_lower_case_words_given_once_per_command_and_explained),
		cmocka_unit_test(nouns_and_verbs_are_there_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
