/* cli_events - what happened lately, a line each. */
#include "controller/cli/commands.h"

#include "controller/cli/event_lines.h"
#include "controller/cli/interrupt.h"
#include "controller/cli/output.h"
#include "controller/cli/request.h"

#include <string.h>
#include <time.h>

/* "2026-11-25T14:02:11Z" -> "14:02:11" on a screen; programs get all of it. */
static const char *clock_of(const char *time)
{
	const char *t = strchr(time, 'T');

	return t && strlen(t) >= 9 ? t + 1 : time;
}

void events_print(struct cli *cli, const json_t *events)
{
	static const char *const fields[] = { "time", "v", "what", "subject", "text" };
	json_t *event;
	size_t i;

	json_array_foreach(events, i, event) {
		struct buf text[ARRAY_LEN(fields)];

		for (size_t f = 0; f < ARRAY_LEN(fields); f++) {
			text[f] = BUF_INIT(4096);
			output_text(event, fields[f], &text[f]);
		}
		if (cli_has(cli, "json")) {
			json_dumpf(event, cli->out, JSON_COMPACT);
			fputc('\n', cli->out);
		} else if (cli_has(cli, "q")) {
			fprintf(cli->out, "%s\n", buf_str(&text[3]));
		} else if (cli_has(cli, "tsv")) {
			fprintf(cli->out, "%s\t%s\t%s\t%s\t%s\n", buf_str(&text[0]), buf_str(&text[1]), buf_str(&text[2]), buf_str(&text[3]),
				buf_str(&text[4]));
		} else {
			fprintf(cli->out, "%.8s  %s%-7s %-9s %s%s%s\n", clock_of(buf_str(&text[0])), text[1].len ? "V " : "  ", buf_str(&text[1]),
				buf_str(&text[2]), buf_str(&text[3]), text[4].len ? " " : "", buf_str(&text[4]));
		}
		for (size_t f = 0; f < ARRAY_LEN(fields); f++)
			buf_deinit(&text[f]);
	}
}

static int show(struct cli *cli, const json_t *body)
{
	events_print(cli, json_object_get(body, "items"));
	return EXIT_GOOD;
}

/* ---- what happens next ---- */

struct follow {
	struct cli *cli;
	struct event_lines lines;
	bool heard; /* since the last try */
};

/* As events_print wants it: who did it stands for the text. */
static json_t *line_of(const json_t *data)
{
	const char *kind = json_string_value(json_object_get(data, "kind")), *name = json_string_value(json_object_get(data, "name"));
	const char *id = json_string_value(json_object_get(data, "id")), *org = json_string_value(json_object_get(data, "org"));
	json_t *line = json_copy((json_t *)(uintptr_t)data);

	if (!kind) /* a note: it has a subject and a text */
		return line;
	json_object_set_new(line, "subject", json_sprintf("%s %s", kind, name ? name : id ? id : "?"));
	json_object_set_new(line, "text", json_sprintf("%s%s%sby %s", org ? "of " : "", org ? org : "", org ? ", " : "",
						       json_string_value(json_object_get(data, "by")) ?: "?"));
	return line;
}

static void show_event(void *ctx, const char *event, const char *text)
{
	struct follow *f = ctx;
	CLEAN_JSON json_t *data = json_loads(text, 0, NULL), *list = NULL;

	(void)event;
	if (!json_is_object(data))
		return;
	list = cli_has(f->cli, "json") ? json_pack("[O]", data) : json_pack("[o]", line_of(data));
	events_print(f->cli, list);
	fflush(f->cli->out);
}

static bool take_bytes(void *ctx, const char *bytes, size_t n)
{
	struct follow *f = ctx;

	f->heard = true;
	return event_lines_take(&f->lines, bytes, n, show_event, f) == 0;
}

static void rest_a_second(const struct cli *cli)
{
	struct timespec tenth = { .tv_nsec = 100000000 };

	for (int i = 0; i < 10 && !*cli->stop; i++)
		nanosleep(&tenth, NULL);
}

static int follow(struct cli *cli)
{
	CLEAN_BUF struct buf path = BUF_INIT(4096);
	struct follow f = { .cli = cli };
	struct interrupt interrupt;
	bool told = false;
	int r = 0;

	buf_add_str(&path, "/v1/events");
	request_add_query(&path, "org", cli_value(cli, "org"));
	request_add_query(&path, "since", cli_value(cli, "since"));
	event_lines_init(&f.lines);
	interrupt_begin(&interrupt);
	cli->stop = interrupt_flag();
	while (!interrupt_came()) {
		f.heard = false;
		r = request_stream(cli, buf_str(&path), f.lines.id, take_bytes, &f);
		event_lines_restart(&f.lines);
		if (interrupt_came() || (r && r != EXIT_UNREACHABLE))
			break;
		told = told && !f.heard;
		if (!told)
			cli_note(cli, "the controller has ended it or does not answer, trying again");
		told = true;
		rest_a_second(cli);
	}
	r = interrupt_came() ? EXIT_GOOD : r;
	interrupt_end(&interrupt);
	cli->stop = NULL;
	event_lines_deinit(&f.lines);
	return r;
}

int cli_events(struct cli *cli)
{
	struct request_reply reply;
	int r;

	if (cli_has(cli, "follow"))
		return follow(cli);
	if (cli_has(cli, "org") || cli_has(cli, "since"))
		return cli_fail(cli, EXIT_USAGE, "usage", "sixpn events --follow --since 1042", "--org and --since go with --follow");
	r = request_send(cli, "GET", "/v1/events", NULL, false, &reply);
	if (r)
		return r;
	if (cli_has(cli, "json"))
		output_json(cli, reply.body);
	else
		show(cli, reply.body);
	request_reply_deinit(&reply);
	return EXIT_GOOD;
}
