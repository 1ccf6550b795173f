/* event_lines - see event_lines.h. The form is that of WHATWG HTML, section 9.2.6; our controller ends lines with LF alone. */
#include "controller/cli/event_lines.h"

#include <stdio.h>
#include <string.h>

void event_lines_init(struct event_lines *lines)
{
	*lines = (struct event_lines){ .line = BUF_INIT(EVENT_LINE_MAX), .data = BUF_INIT(EVENT_LINE_MAX) };
}

void event_lines_deinit(struct event_lines *lines)
{
	buf_deinit(&lines->line);
	buf_deinit(&lines->data);
}

void event_lines_restart(struct event_lines *lines)
{
	buf_clear(&lines->line);
	buf_clear(&lines->data);
	lines->event[0] = 0;
}

static void take_line(struct event_lines *lines, const char *line, void (*each)(void *ctx, const char *event, const char *data), void *ctx)
{
	const char *colon = strchr(line, ':'), *value = colon ? colon + 1 + (colon[1] == ' ') : "";
	size_t n = colon ? (size_t)(colon - line) : strlen(line);

	if (!*line) {
		if (lines->data.len)
			each(ctx, lines->event[0] ? lines->event : "message", buf_str(&lines->data));
		buf_clear(&lines->data);
		lines->event[0] = 0;
	} else if (n == 2 && !memcmp(line, "id", 2)) {
		snprintf(lines->id, sizeof lines->id, "%s", strlen(value) < sizeof lines->id ? value : "");
	} else if (n == 5 && !memcmp(line, "event", 5)) {
		snprintf(lines->event, sizeof lines->event, "%s", value);
	} else if (n == 4 && !memcmp(line, "data", 4)) {
		buf_add_str(&lines->data, lines->data.len ? "\n" : "");
		buf_add_str(&lines->data, value);
	}
}

int event_lines_take(struct event_lines *lines, const char *bytes, size_t n, void (*each)(void *ctx, const char *event, const char *data),
		     void *ctx)
{
	for (size_t i = 0; i < n; i++) {
		if (bytes[i] == '\n') {
			take_line(lines, lines->line.len ? buf_str(&lines->line) : "", each, ctx);
			buf_clear(&lines->line);
		} else if (bytes[i] && bytes[i] != '\r') {
			buf_add_u8(&lines->line, (uint8_t)bytes[i]);
		}
		if (buf_failed(&lines->line) || buf_failed(&lines->data))
			return -EMSGSIZE;
	}
	return 0;
}
