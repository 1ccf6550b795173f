/* watch - see watch.h. What is shown is first written to memory: a screen is replaced line by line, so that it does not flicker, and a
 * block that says the same as the last one is not printed again. */
#include "controller/cli/watch.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define NEWS_TIMEOUT "30s"  /* how long the controller keeps a question */
#define PAUSE_MS 250        /* between two looks, however much happens */
#define RETRY_MS 1000       /* while the controller is away */

static volatile sig_atomic_t stopped; /* a signal can say it nowhere else */

static void stop(int number)
{
	(void)number;
	stopped = 1;
}

struct screen {
	bool is_terminal; /* and may be painted on */
	struct sigaction old_int, old_term;
	char *last;
};

static void begin(struct cli *cli, const struct watch *watch, struct screen *screen)
{
	struct sigaction action = { .sa_handler = stop };

	*screen = (struct screen){ .is_terminal = watch->repaint && cli->out_is_terminal && !cli_has(cli, "json") };
	stopped = 0;
	cli->stop = &stopped;
	sigaction(SIGINT, &action, &screen->old_int);
	sigaction(SIGTERM, &action, &screen->old_term);
	if (screen->is_terminal)
		fputs("\033[?1049h\033[?25l", cli->out); /* another screen, no cursor */
}

static void end(struct cli *cli, struct screen *screen)
{
	if (screen->is_terminal)
		fputs("\033[?25h\033[?1049l", cli->out);
	fflush(cli->out);
	sigaction(SIGINT, &screen->old_int, NULL);
	sigaction(SIGTERM, &screen->old_term, NULL);
	cli->stop = NULL;
	free(screen->last);
}

static void pause_ms(unsigned ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	if (!stopped)
		nanosleep(&t, NULL); /* ends with the signal */
}

static unsigned lines_of_terminal(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 1 ? size.ws_row : 1000;
}

static void paint(struct cli *cli, const char *text)
{
	unsigned left = lines_of_terminal() - 1;

	fputs("\033[H", cli->out);
	for (const char *line = text; *line && left--; line += strcspn(line, "\n"), line += *line == '\n')
		fprintf(cli->out, "%.*s\033[K\n", (int)strcspn(line, "\n"), line);
	fputs("\033[J", cli->out);
}

static void put(struct cli *cli, const struct watch *watch, struct screen *screen, char *text)
{
	if (screen->is_terminal)
		paint(cli, text);
	else if (!watch->repaint || !screen->last || strcmp(screen->last, text))
		fprintf(cli->out, "%s%s", watch->repaint && screen->last && !cli_has(cli, "json") ? "\n" : "", text);
	fflush(cli->out);
	free(screen->last);
	screen->last = text;
}

/* Runs `show` with cli->out in memory, and brings what it wrote to where it belongs. */
static int show(struct cli *cli, const struct watch *watch, struct screen *screen, const json_t *body, const char *error)
{
	FILE *real = cli->out;
	char *text = NULL;
	size_t n = 0;
	int status;

	cli->out = open_memstream(&text, &n);
	if (!cli->out) {
		cli->out = real;
		return EXIT_REFUSED;
	}
	status = body ? watch->show(cli, body) : watch->show_lost(cli, error);
	fclose(cli->out);
	cli->out = real;
	put(cli, watch, screen, text);
	return status;
}

/* One question; what went wrong is not printed but returned as text. */
static int ask(struct cli *cli, const struct watch *watch, const char *number, struct request_reply *ret_reply, char **ret_error)
{
	CLEAN_BUF struct buf path = BUF_INIT(4096);
	FILE *real = cli->err;
	size_t n = 0;
	int r;

	buf_add_str(&path, watch->path);
	if (number[0]) {
		request_add_query(&path, "after", number);
		request_add_query(&path, "timeout", NEWS_TIMEOUT);
	}
	cli->err = open_memstream(ret_error, &n);
	if (!cli->err) {
		cli->err = real;
		return EXIT_REFUSED;
	}
	r = request_send(cli, "GET", buf_str(&path), NULL, false, ret_reply);
	fclose(cli->err);
	cli->err = real;
	return r;
}

int watch_run(struct cli *cli, const struct watch *watch)
{
	char number[24] = "";
	bool lost = false;
	struct screen screen;
	int status = EXIT_GOOD;

	begin(cli, watch, &screen);
	while (!stopped) {
		CLEAN_FREE char *error = NULL;
		struct request_reply reply;
		int r = ask(cli, watch, number, &reply, &error);

		if (stopped && r)
			break;
		if (r && r != EXIT_UNREACHABLE) {
			end(cli, &screen);
			fputs(error ? error : "", cli->err);
			return r;
		}
		if (r) {
			if (!lost || watch->repaint) /* once is enough where nothing takes its place */
				status = show(cli, watch, &screen, NULL, error);
			lost = true;
			if (watch->repaint) /* shown anew in any case; a list goes on where it was */
				number[0] = 0;
			pause_ms(RETRY_MS);
			continue;
		}
		lost = false;
		status = show(cli, watch, &screen, reply.body, NULL);
		snprintf(number, sizeof number, "%lld", (long long)json_integer_value(json_object_get(reply.body, watch->number)));
		request_reply_deinit(&reply);
		pause_ms(PAUSE_MS);
	}
	end(cli, &screen);
	return status;
}
