/* cli_events - what happened lately, a line each. */
#include "controller/cli/commands.h"

#include "controller/cli/output.h"
#include "controller/cli/watch.h"

#include <string.h>

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

static int show_lost(struct cli *cli, const char *error)
{
	(void)error;
	cli_note(cli, "the controller does not answer, trying again");
	return EXIT_UNREACHABLE;
}

int cli_events(struct cli *cli)
{
	static const struct watch follow = { .path = "/v1/events", .number = "newest", .show = show, .show_lost = show_lost };
	struct request_reply reply;
	int r;

	if (cli_has(cli, "follow"))
		return watch_run(cli, &follow);
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
