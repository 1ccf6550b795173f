/* Server-sent events from whoever answers, in pieces cut anywhere: the same events come out however they were cut. */
#include "controller/cli/event_lines.h"

#include <stdlib.h>
#include <string.h>

struct seen {
	unsigned long hash, n;
};

static void add(struct seen *s, const char *text)
{
	for (; *text; text++)
		s->hash = s->hash * 31 + (unsigned char)*text;
	s->hash = s->hash * 31 + 7;
}

static void see(void *ctx, const char *event, const char *data)
{
	struct seen *s = ctx;

	if (strlen(event) >= 32 || !*data)
		abort();
	add(s, event);
	add(s, data);
	s->n++;
}

static int take(const char *bytes, size_t n, size_t piece, struct seen *ret)
{
	struct event_lines lines;
	int r = 0;

	event_lines_init(&lines);
	for (size_t at = 0; at < n && r == 0; at += piece)
		r = event_lines_take(&lines, bytes + at, n - at < piece ? n - at : piece, see, ret);
	add(ret, lines.id);
	event_lines_deinit(&lines);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen whole = { 0 }, cut = { 0 };
	size_t piece = size ? 1 + data[0] % 13 : 1;
	int a = take((const char *)data, size, size ? size : 1, &whole), b = take((const char *)data, size, piece, &cut);

	if (a != b || (a == 0 && (whole.hash != cut.hash || whole.n != cut.n)))
		abort();
	return 0;
}
