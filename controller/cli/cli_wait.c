/* cli_wait - see cli_wait.h. The write itself waits a second; what is left is waited for at the address that its reply gives, a
 * second at a time, so that there is something to say meanwhile. */
#include "controller/cli/cli_wait.h"

#include "controller/cli/output.h"
#include "lib/base/clock.h"

#include <stdlib.h>
#include <string.h>

#define WAIT_DEFAULT_MS 10000u
#define WAIT_STEP_MS 1000u
#define WAIT_MAX_MS (24u * 3600000u)

static int wait_time(struct cli *cli, uint64_t *ret_ms)
{
	static const struct {
		const char *unit;
		uint64_t ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "", 1000 }, { "m", 60000 }, { "h", 3600000 } };
	const char *text = cli_value(cli, "wait");
	char *end;
	unsigned long long n;

	*ret_ms = WAIT_DEFAULT_MS;
	if (!text)
		return 0;
	n = strtoull(text, &end, 10);
	for (size_t i = 0; i < ARRAY_LEN(units) && text[0] >= '0' && text[0] <= '9'; i++)
		if (!strcmp(end, units[i].unit) && n <= WAIT_MAX_MS / units[i].ms) {
			*ret_ms = n * units[i].ms;
			return 0;
		}
	return cli_fail(cli, EXIT_USAGE, "flag_value", "for example --wait=30s", "--wait is \"%.30s\", which is no time up to 24h", text);
}

static void add_timeout(struct buf *path, uint64_t left_ms)
{
	char text[32];

	snprintf(text, sizeof text, "%llums", (unsigned long long)(left_ms < WAIT_STEP_MS ? left_ms : WAIT_STEP_MS));
	request_add_query(path, "timeout", text);
}

int cli_wait_ask(struct cli *cli, struct buf *path)
{
	uint64_t ms;
	int r = wait_time(cli, &ms);

	if (r)
		return r;
	request_add_query(path, "wait", "applied");
	add_timeout(path, ms);
	return 0;
}

/* ---- while it waits ---- */

/* Names of an array of strings. */
static void join_names(const json_t *body, const char *field, struct buf *ret_text)
{
	const json_t *list = json_object_get(body, field);
	json_t *name;
	size_t i;

	json_array_foreach(list, i, name) {
		CLEAN_BUF struct buf text = BUF_INIT(1024);
		CLEAN_JSON json_t *one = json_pack("{s:O}", "name", name);

		output_text(one, "name", &text);
		buf_printf(ret_text, "%s%s", i ? ", " : "", buf_str(&text));
	}
}

static long long count(const json_t *body, const char *field)
{
	const json_t *counts = json_object_get(body, "counts");

	return counts ? json_integer_value(json_object_get(counts, field)) : (long long)json_array_size(json_object_get(body, field));
}

/* Says where it is if that is something else than it said last. */
static void tell_progress(struct cli *cli, const json_t *body, struct buf *said)
{
	CLEAN_BUF struct buf late = BUF_INIT(8192), text = BUF_INIT(16384), observed = BUF_INIT(1024);
	long long nodes = json_integer_value(json_object_get(body, "nodes")), n_late = count(body, "laggards");
	bool observes = json_is_string(json_object_get(body, "observed"));

	output_text(body, "observed", &observed);
	join_names(body, "laggards", &late);
	buf_printf(&text, "  V %lld is on %lld of %lld nodes", (long long)json_integer_value(json_object_get(body, "v")),
		   nodes - n_late - count(body, "unknown"), nodes);
	if (n_late)
		buf_printf(&text, ", not yet on %s", buf_str(&late));
	if (observes)
		buf_printf(&text, "; the instance is %s", observed.len ? buf_str(&observed) : "not there yet");
	if (!strcmp(buf_str(&text), buf_str(said)))
		return;
	cli_note(cli, "%s", buf_str(&text));
	buf_clear(said);
	buf_add_str(said, buf_str(&text));
}

static void tell_withdrawn(struct cli *cli, const json_t *body, long long ms)
{
	long long nodes = json_integer_value(json_object_get(body, "nodes"));

	cli_note(cli, "  names withdrawn on %lld of %lld nodes after %lld ms", nodes - count(body, "unknown"), nodes, ms);
}

/* The first time at which names were out of all name servers stays; later waits count from their own start. */
static void merge(struct cli *cli, json_t *body, const json_t *newer, uint64_t offset_ms)
{
	json_t *withdrawn = json_object_get(body, "withdrawn_ms"), *later = json_object_get(newer, "withdrawn_ms");
	long long ms = json_integer_value(withdrawn ? withdrawn : later) + (withdrawn ? 0 : (long long)offset_ms);

	json_object_del(body, "continue");
	json_object_update(body, (json_t *)(uintptr_t)newer);
	if (!withdrawn && !later)
		return;
	json_object_set_new(body, "withdrawn_ms", json_integer(ms));
	if (!withdrawn)
		tell_withdrawn(cli, body, ms);
}

static uint64_t now_ms(void)
{
	struct clock clock = clock_real();

	return clock_mono_ms(&clock);
}

int cli_wait_on(struct cli *cli, struct request_reply *reply, uint64_t sent_ms)
{
	CLEAN_BUF struct buf said = BUF_INIT(16384);
	uint64_t limit, elapsed;
	int r = wait_time(cli, &limit);

	if (json_object_get(reply->body, "withdrawn_ms"))
		tell_withdrawn(cli, reply->body, json_integer_value(json_object_get(reply->body, "withdrawn_ms")));
	while (r == 0 && json_is_false(json_object_get(reply->body, "applied")) && (elapsed = now_ms() - sent_ms) < limit) {
		const char *where = json_string_value(json_object_get(reply->body, "continue"));
		CLEAN_BUF struct buf path = BUF_INIT(8192);
		struct request_reply next;

		if (!where || where[0] != '/') /* behind the address of the controller it would name another: HOST@ELSEWHERE */
			break;
		tell_progress(cli, reply->body, &said);
		buf_add_str(&path, where);
		add_timeout(&path, limit - elapsed);
		if (cli->stop && *cli->stop)
			break;
		if (request_send(cli, "GET", buf_str(&path), NULL, false, &next)) {
			cli_note(cli, "  the write itself stands; how far it has come cannot be seen");
			break; /* what was made is told all the same: whoever hears nothing makes it once more */
		}
		merge(cli, reply->body, next.body, elapsed);
		request_reply_deinit(&next);
	}
	return r;
}

/* ---- the end ---- */

static void tell_records(struct cli *cli, const json_t *body, const char *field, const char *words)
{
	const json_t *list = json_object_get(body, field);
	long long more = count(body, field) - (long long)json_array_size(list);
	json_t *one;
	size_t i;

	json_array_foreach(list, i, one) {
		CLEAN_BUF struct buf node = BUF_INIT(256), record = BUF_INIT(256), text = BUF_INIT(1024);

		output_text(one, "node", &node);
		output_text(one, "record", &record);
		output_text(one, "text", &text);
		fprintf(cli->err, "  %s %s %s%s%s\n", buf_str(&node), words, buf_str(&record), text.len ? ": " : "", buf_str(&text));
	}
	if (more > 0)
		fprintf(cli->err, "  and %lld more\n", more);
}

/* Every node has gone past the change; what some of them could not make true. */
static int tell_exceptions(struct cli *cli, const json_t *body)
{
	if (!count(body, "errors") && !count(body, "held"))
		return EXIT_GOOD;
	tell_records(cli, body, "errors", "could not apply");
	tell_records(cli, body, "held", "holds back the delete of");
	fprintf(cli->err, "  code: partly_applied\n");
	return EXIT_PARTLY;
}

static int tell_late(struct cli *cli, const json_t *body, const char *observed)
{
	CLEAN_BUF struct buf unknown = BUF_INIT(8192), late = BUF_INIT(8192);

	join_names(body, "unknown", &unknown);
	join_names(body, "laggards", &late);
	fprintf(cli->err, "%s (V %lld)%s%s\n",
		json_is_true(json_object_get(body, "applied")) ? "applied on all nodes that answer" : "accepted, but not applied in time",
		(long long)json_integer_value(json_object_get(body, "v")), observed ? "; it is " : "", observed ? observed : "");
	if (late.len)
		fprintf(cli->err, "  behind:  %s\n", buf_str(&late));
	if (unknown.len)
		fprintf(cli->err, "  unknown: %s (does not answer; keeps the old state until it does)\n", buf_str(&unknown));
	tell_records(cli, body, "errors", "could not apply");
	tell_records(cli, body, "held", "holds back the delete of");
	fprintf(cli->err, "  code: not_applied\n");
	return EXIT_NOT_APPLIED;
}

int cli_wait_tell(struct cli *cli, const json_t *body)
{
	const json_t *applied = json_object_get(body, "applied");
	long long nodes = json_integer_value(json_object_get(body, "nodes")), v = json_integer_value(json_object_get(body, "v"));
	CLEAN_BUF struct buf text = BUF_INIT(1024);
	const char *observed = json_is_string(json_object_get(body, "observed")) ? "" : NULL;

	output_text(body, "observed", &text);
	observed = observed ? buf_str(&text) : NULL;
	if (json_is_true(json_object_get(body, "dry_run"))) {
		cli_note(cli, "dry run: it would work; nothing was changed");
		return EXIT_GOOD;
	}
	if (!applied) {
		cli_note(cli, "recorded as V %lld", v);
		return EXIT_GOOD;
	}
	/* Unknown nodes are not waited for, but a script must not believe that all is done: their name servers may still answer. */
	if (!json_is_true(applied) || count(body, "unknown"))
		return tell_late(cli, body, observed);
	if (!nodes)
		cli_note(cli, "recorded as V %lld; no node is there that would have to know", v);
	else
		cli_note(cli, "applied on %lld of %lld nodes (V %lld)%s%s", nodes, nodes, v, observed ? ", it is " : "", observed ? observed : "");
	return tell_exceptions(cli, body);
}
