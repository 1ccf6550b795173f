/* cli_context - controllers that this person uses: address, token and, for a self-made certificate, the key that it must have. */
#include "controller/cli/commands.h"

#include "controller/cli/context.h"
#include "controller/cli/output.h"
#include "controller/cli/request.h"
#include "lib/base/crypto.h"

#include <string.h>

#define PEM_MAX (256u << 10)

static int check_name(struct cli *cli, const char *name)
{
	size_t len = strlen(name);

	if (len && len < sizeof((struct context *)0)->name &&
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == len)
		return 0;
	return cli_fail(cli, EXIT_USAGE, "name_invalid", "use letters, digits, \"-\", \"_\" and \".\"", "\"%.80s\" cannot be the name of a context", name);
}

/* One that is there may have the only copy of a token. */
static int check_new(struct cli *cli, const char *name)
{
	CLEAN_JSON json_t *doc = NULL;
	int r = context_file_read(cli, &doc);

	if (r == 0 && json_object_get(json_object_get(doc, "contexts"), name))
		r = cli_fail(cli, EXIT_REFUSED, "context_exists", "sixpn context delete forgets it with its token; sixpn login gives it another token",
			     "there is a context \"%s\" already", name);
	return r;
}

/* Meets the controller once, before anything is kept: by the pin, by an authority, or, if that was asked for, by what it shows now. */
static int meet(struct cli *cli, struct context *context)
{
	CLEAN_BUF struct buf pem = BUF_INIT(PEM_MAX);
	enum request_trust trust = cli_has(cli, "trust-first-use") ? TRUST_ANYBODY : context->pin[0] ? TRUST_PIN : TRUST_AUTHORITIES;
	uint8_t pin[PIN_LEN];
	int r = request_certificate(cli, context->url, context->pin, trust, &pem);

	if (r || trust != TRUST_ANYBODY)
		return r;
	if (pin_of_pem(buf_str(&pem), pem.len, pin) < 0)
		return cli_fail(cli, EXIT_UNREACHABLE, "unexpected_reply", NULL, "%s shows a certificate that cannot be read", context->url);
	pin_text(pin, context->pin);
	cli_note(cli, "%s has the key %s; compare it with what the controller's log or sixpn init says", context->url, context->pin);
	return 0;
}

static int fill(struct cli *cli, struct context *context)
{
	const char *url = cli_value(cli, "url"), *pin = cli_value(cli, "pin"), *token_file = cli_value(cli, "token-file");
	bool https;
	int r;

	if (!url)
		return cli_fail(cli, EXIT_USAGE, "usage", cli->command->examples, "where is it? give --url");
	r = context_set_url(cli, context, url);
	https = !strncmp(url, "https://", 8);
	if (r == 0 && (pin || cli_has(cli, "trust-first-use")) && !https)
		r = cli_fail(cli, EXIT_USAGE, "usage", NULL, "only https:// has a key that can be pinned");
	if (r == 0 && pin && cli_has(cli, "trust-first-use"))
		r = cli_fail(cli, EXIT_USAGE, "usage", NULL, "--pin and --trust-first-use exclude each other");
	if (r == 0 && pin)
		r = context_set_pin(cli, context, pin, "--pin");
	if (r == 0 && token_file)
		r = context_set_token_file(cli, context, token_file);
	if (r == 0 && https)
		r = meet(cli, context);
	return r;
}

int cli_context_create(struct cli *cli)
{
	struct context context = { 0 };
	struct secret_place place;
	int r = check_name(cli, cli->args[0]);

	if (r == 0)
		r = check_new(cli, cli->args[0]);
	if (r == 0)
		r = fill(cli, &context);
	if (r == 0)
		r = secret_prepare_context(cli, &place);
	if (r == 0) {
		r = secret_write_context(cli, &place, cli->args[0], &context);
		secret_abandon(&place);
		if (r == 0)
			fprintf(cli->out, "context %s  %s  saved, and current\n", cli->args[0], context.url);
		if (r == 0 && !context.token[0])
			cli_note(cli, "it has no token yet: sixpn login");
	}
	crypto_wipe(&context, sizeof context);
	return r;
}

int cli_context_list(struct cli *cli)
{
	CLEAN_JSON json_t *doc = NULL;
	CLEAN_JSON json_t *items = json_array();
	const char *name, *current;
	json_t *one;
	int r = context_file_read(cli, &doc);

	if (r)
		return r;
	current = json_string_value(json_object_get(doc, "current"));
	json_object_foreach(json_object_get(doc, "contexts"), name, one) {
		json_t *row = json_pack("{s:s,s:b,s:b}", "name", name, "current", current && !strcmp(current, name), "token",
					json_is_string(json_object_get(one, "token")));

		json_object_set(row, "url", json_object_get(one, "url"));
		json_object_set(row, "pin", json_object_get(one, "pin"));
		json_array_append_new(items, row);
	}
	output_list(cli, items, cli->command->noun->columns, cli->command->noun->key);
	return 0;
}

/* The contexts of the file in *ret_doc, with one of this name among them. */
static int find(struct cli *cli, const char *name, json_t **ret_doc)
{
	int r = context_file_read(cli, ret_doc);

	if (r == 0 && !json_object_get(json_object_get(*ret_doc, "contexts"), name))
		r = cli_fail(cli, EXIT_NOT_FOUND, "context_not_found", "sixpn context list", "there is no context \"%.80s\"", name);
	return r;
}

int cli_context_use(struct cli *cli)
{
	CLEAN_JSON json_t *doc = NULL;
	int r = find(cli, cli->args[0], &doc);

	if (r)
		return r;
	json_object_set_new(doc, "current", json_string(cli->args[0]));
	r = context_file_write(cli, doc);
	if (r == 0)
		fprintf(cli->out, "context %s  current\n", cli->args[0]);
	return r;
}

int cli_context_delete(struct cli *cli)
{
	CLEAN_JSON json_t *doc = NULL;
	const char *current;
	int r = find(cli, cli->args[0], &doc);

	if (r == 0)
		r = cli_confirm(cli, cli->args[0], "the context with its token; the controller keeps the token");
	if (r || cli_has(cli, "dry-run"))
		return r;
	current = json_string_value(json_object_get(doc, "current"));
	if (current && !strcmp(current, cli->args[0]))
		json_object_del(doc, "current");
	json_object_del(json_object_get(doc, "contexts"), cli->args[0]);
	r = context_file_write(cli, doc);
	if (r == 0)
		fprintf(cli->out, "context %s  deleted\n", cli->args[0]);
	return r;
}
