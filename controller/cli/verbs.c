/* verbs - what list, show, delete and every write have in common; see cli.h. */
#include "controller/cli/cli.h"

#include "controller/cli/cli_wait.h"
#include "controller/cli/output.h"
#include "lib/base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGES_MAX 1000

static const char *const filters[] = { "org", "app", "region", "host", "network", "gateway", "state", "revoked", "since" };

static bool has_flag(const struct cli_command *command, const char *name)
{
	const struct cli_flag *f;

	for (size_t i = 0; (f = cli_flag_at(command, i)); i++)
		if (!strcmp(f->name, name))
			return true;
	return false;
}

static void add_filters(struct cli *cli, struct buf *path)
{
	for (size_t i = 0; i < ARRAY_LEN(filters); i++)
		if (has_flag(cli->command, filters[i]) && cli_has(cli, filters[i]))
			request_add_query(path, filters[i], cli_value(cli, filters[i]) ? cli_value(cli, filters[i]) : "1");
}

/* All pages of a list, one after the other; a new array in *ret_items. base carries the filters. */
static int fetch_all(struct cli *cli, const char *base, json_t **ret_items)
{
	CLEAN_JSON json_t *items = json_array();
	CLEAN_BUF struct buf after = BUF_INIT(4096);

	for (int page = 0; page < PAGES_MAX; page++) {
		CLEAN_BUF struct buf path = BUF_INIT(8192);
		struct request_reply reply;
		const char *next;
		int r;

		buf_add_str(&path, base);
		if (after.len)
			request_add_query(&path, "after", buf_str(&after));
		r = request_send(cli, "GET", buf_str(&path), NULL, false, &reply);
		if (r)
			return r;
		json_array_extend(items, json_object_get(reply.body, "items"));
		next = json_string_value(json_object_get(reply.body, "next"));
		buf_clear(&after);
		buf_add_str(&after, next ? next : "");
		request_reply_deinit(&reply);
		if (!after.len)
			break;
	}
	if (after.len)
		cli_note(cli, "only the first %zu are shown", json_array_size(items));
	*ret_items = TAKE(items);
	return 0;
}

int cli_list(struct cli *cli)
{
	const struct cli_noun *noun = cli->command->noun;
	CLEAN_BUF struct buf path = BUF_INIT(8192);
	CLEAN_JSON json_t *items = NULL;
	int r;

	buf_add_str(&path, noun->path);
	add_filters(cli, &path);
	r = fetch_all(cli, buf_str(&path), &items);
	if (r == 0)
		output_list(cli, items, noun->columns, noun->key);
	return r;
}

/* ---- names ---- */

static void add_object(struct buf *path, const struct cli_noun *noun, const char *name)
{
	buf_printf(path, "%s/", noun->path);
	request_add_encoded(path, name);
}

/* Names that two organizations may both have: --org says which is meant. */
static const char *org_of(struct cli *cli, const struct cli_noun *noun)
{
	bool scoped = !strcmp(noun->name, "app") || !strcmp(noun->name, "network") || !strcmp(noun->name, "peer") ||
		      !strcmp(noun->name, "org member");

	return scoped && has_flag(cli->command, "org") ? cli_value(cli, "org") : NULL;
}

static bool is_instance_id(const char *ref)
{
	return strlen(ref) == 14 && strspn(ref, "0123456789abcdef") == 14;
}

/* The key of the only item that begins so: by its key first, then by its name. NULL = none or several (*ret_n). */
static const char *only_match(const json_t *items, const char *key, const char *ref, size_t *ret_n)
{
	const char *const fields[] = { key, "name", "id" };
	const char *found = NULL;

	*ret_n = 0;
	for (size_t f = 0; f < ARRAY_LEN(fields) && !*ret_n; f++) {
		json_t *item;
		size_t i;

		json_array_foreach(items, i, item) {
			const char *value = json_string_value(json_object_get(item, fields[f]));
			const char *item_key = json_string_value(json_object_get(item, key));

			if (!value || !item_key || strncmp(value, ref, strlen(ref)))
				continue;
			found = item_key;
			if (!strcmp(value, ref)) {
				*ret_n = 1;
				return found;
			}
			++*ret_n;
		}
	}
	return *ret_n == 1 ? found : NULL;
}

static void add_text(const json_t *object, const char *field, struct buf *ret_text)
{
	CLEAN_BUF struct buf text = BUF_INIT(4096);

	output_text(object, field, &text);
	buf_add_str(ret_text, buf_str(&text));
}

static int tell_no_match(struct cli *cli, const struct cli_noun *noun, const char *ref, const json_t *items, size_t n)
{
	CLEAN_BUF struct buf hint = BUF_INIT(1u << 16);
	char code[64];
	json_t *item;
	size_t i;

	buf_printf(&hint, "%ss: ", noun->name);
	json_array_foreach(items, i, item) {
		if (i == 12) {
			buf_add_str(&hint, ", ...");
			break;
		}
		buf_add_str(&hint, i ? ", " : "");
		add_text(item, noun->key, &hint);
	}
	if (!json_array_size(items))
		buf_add_str(&hint, "none.");
	if (n > 1)
		return cli_fail(cli, EXIT_REFUSED, "ambiguous_name", "give more of it", "%zu %ss begin with \"%s\"", n, noun->name, ref);
	if (cli_command_find(noun->name, "create"))
		buf_printf(&hint, "   Create it:  sixpn %s create%s%s", noun->name, strcmp(noun->key, "name") ? "" : " ",
			   strcmp(noun->key, "name") ? "" : ref);
	snprintf(code, sizeof code, "%s_not_found", noun->name);
	for (char *p = code; *p; p++)
		*p = *p == ' ' ? '_' : *p;
	return cli_fail(cli, EXIT_NOT_FOUND, code, buf_str(&hint), "%s \"%s\" does not exist", noun->name, ref);
}

int cli_resolve(struct cli *cli, const struct cli_noun *noun, const char *ref, struct buf *ret_path)
{
	CLEAN_BUF struct buf path = BUF_INIT(8192);
	const char *org = org_of(cli, noun), *found;
	CLEAN_JSON json_t *items = NULL;
	struct request_reply reply;
	size_t n;
	int r;

	add_object(&path, noun, ref);
	request_add_query(&path, "org", org);
	if (strcmp(noun->name, "instance") || is_instance_id(ref)) {
		r = request_send(cli, "GET", buf_str(&path), NULL, true, &reply);
		if (r == 0) {
			request_reply_deinit(&reply);
			buf_add_str(ret_path, buf_str(&path));
		}
		if (r != EXIT_NOT_FOUND)
			return r;
	}
	buf_clear(&path);
	buf_add_str(&path, noun->path);
	request_add_query(&path, "org", org);
	r = fetch_all(cli, buf_str(&path), &items);
	if (r)
		return r;
	found = only_match(items, noun->key, ref, &n);
	if (!found)
		return tell_no_match(cli, noun, ref, items, n);
	add_object(ret_path, noun, found);
	request_add_query(ret_path, "org", org);
	return 0;
}

int cli_show(struct cli *cli)
{
	const struct cli_noun *noun = cli->command->noun;
	CLEAN_BUF struct buf path = BUF_INIT(8192);
	struct request_reply reply;
	int r = cli_resolve(cli, noun, cli->args[0], &path);

	if (r == 0)
		r = request_send(cli, "GET", buf_str(&path), NULL, false, &reply);
	if (r)
		return r;
	output_object(cli, reply.body, noun->columns, noun->key);
	request_reply_deinit(&reply);
	return 0;
}

/* ---- writes ---- */

static void print_line(struct cli *cli, const json_t *body, const char *done_word)
{
	const struct cli_noun *noun = cli->command->noun;
	const char *p = noun->line;
	char field[64];

	fputs(noun->name, cli->out);
	for (; *p; p += strcspn(p, " "), p += strspn(p, " ")) {
		CLEAN_BUF struct buf text = BUF_INIT(4096);

		snprintf(field, sizeof field, "%.*s", (int)strcspn(p, " "), p);
		output_text(body, field, &text);
		if (text.len)
			fprintf(cli->out, "%s%s", p == noun->line ? " " : "  ", buf_str(&text));
	}
	fprintf(cli->out, "  %s\n", done_word);
}

static void tell_warnings(struct cli *cli, const json_t *body)
{
	json_t *warning;
	size_t i;

	json_array_foreach(json_object_get(body, "warnings"), i, warning) {
		CLEAN_BUF struct buf text = BUF_INIT(4096);
		CLEAN_JSON json_t *one = json_pack("{s:O}", "text", warning);

		output_text(one, "text", &text);
		fprintf(cli->err, "note: %s\n", buf_str(&text));
	}
}

static int outcome(struct cli *cli, const struct request_reply *reply, const char *done_word)
{
	const json_t *finished = json_object_get(reply->body, "finished");

	tell_warnings(cli, reply->body);

	if (cli_has(cli, "json"))
		output_json(cli, reply->body);
	else if (cli_has(cli, "q"))
		output_object(cli, reply->body, cli->command->noun->columns, cli->command->noun->key);
	else if (finished && !json_is_true(finished))
		fprintf(cli->out, "%s %s  being deleted, %lld instances left\n", cli->command->noun->name, cli->args[0],
			(long long)json_integer_value(json_object_get(reply->body, "instances_left")));
	else if (finished)
		fprintf(cli->out, "%s %s  %s\n", cli->command->noun->name, cli->args[0], done_word);
	else
		print_line(cli, reply->body, done_word);
	fflush(cli->out);
	return cli_wait_tell(cli, reply->body);
}

int cli_write_send(struct cli *cli, const char *method, const char *path, json_t *body, struct request_reply *ret_reply)
{
	CLEAN_BUF struct buf whole = BUF_INIT(8192);
	int r = 0;

	buf_add_str(&whole, path);
	if (cli_has(cli, "dry-run"))
		request_add_query(&whole, "dry_run", "1");
	else if (!cli_has(cli, "no-wait"))
		r = cli_wait_ask(cli, &whole);
	if (r) {
		json_decref(body);
		return r;
	}
	return request_send(cli, method, buf_str(&whole), body, false, ret_reply);
}

int cli_write_told(struct cli *cli, struct request_reply *reply, uint64_t sent_ms, const char *done_word)
{
	int r = cli_wait_on(cli, reply, sent_ms);

	return r ? r : outcome(cli, reply, done_word);
}

int cli_write(struct cli *cli, const char *method, const char *path, json_t *body, const char *done_word)
{
	struct clock clock = clock_real();
	uint64_t sent_ms = clock_mono_ms(&clock);
	struct request_reply reply;
	int r = cli_write_send(cli, method, path, body, &reply);

	if (r)
		return r;
	r = cli_write_told(cli, &reply, sent_ms, done_word);
	request_reply_deinit(&reply);
	return r;
}

int cli_confirm(struct cli *cli, const char *name, const char *what)
{
	char line[256];

	if (cli_has(cli, "yes") || cli_has(cli, "dry-run"))
		return 0;
	fprintf(cli->err, "this deletes %s\n", what);
	if (!cli->in_is_terminal)
		return cli_fail(cli, EXIT_USAGE, "not_confirmed", "add --yes", "nobody is here to type the name");
	fprintf(cli->err, "type %s to go on: ", name);
	fflush(cli->err);
	if (!fgets(line, sizeof line, cli->in))
		line[0] = 0;
	line[strcspn(line, "\r\n")] = 0;
	if (strcmp(line, name))
		return cli_fail(cli, EXIT_REFUSED, "not_confirmed", NULL, "nothing was changed");
	return 0;
}

int cli_delete(struct cli *cli)
{
	const struct cli_noun *noun = cli->command->noun;
	CLEAN_BUF struct buf path = BUF_INIT(8192);
	char what[256];
	int r = cli_resolve(cli, noun, cli->args[0], &path);

	if (r)
		return r;
	snprintf(what, sizeof what, "%s %s%s", noun->name, cli->args[0],
		 !strcmp(noun->name, "org")	? " with all its networks, apps, instances and tokens" :
		 !strcmp(noun->name, "network") ? " with all apps and instances in it" :
		 !strcmp(noun->name, "app")	? " with all its instances" :
		 !strcmp(noun->name, "node")	? " for ever: the machine can only come back as a new node" :
						  "");
	r = cli_confirm(cli, cli->args[0], what);
	if (r)
		return r;
	if (cli_has(cli, "force"))
		request_add_query(&path, "force", "1");
	return cli_write(cli, "DELETE", buf_str(&path), NULL, strstr(noun->name, "token") ? "revoked" : "deleted");
}

void cli_body_strings(const struct cli *cli, json_t *body, const char *const *names)
{
	char field[64];

	for (; *names; names++) {
		const char *value = cli_value(cli, *names);

		snprintf(field, sizeof field, "%s", *names);
		for (char *p = field; *p; p++)
			*p = *p == '-' ? '_' : *p;
		if (value)
			json_object_set_new(body, field, json_string(value));
	}
}

int cli_body_number(struct cli *cli, json_t *body, const char *flag, bool integer)
{
	const char *text = cli_value(cli, flag);
	char *end, field[64];

	if (!text)
		return 0;
	snprintf(field, sizeof field, "%s", flag);
	for (char *p = field; *p; p++)
		*p = *p == '-' ? '_' : *p;
	json_object_set_new(body, field, integer ? json_integer(strtoll(text, &end, 0)) : json_real(strtod(text, &end)));
	if (end == text || *end)
		return cli_fail(cli, EXIT_USAGE, "flag_value", NULL, "--%s is \"%.40s\", which is not a number", flag, text);
	return 0;
}
