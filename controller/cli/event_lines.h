/* event_lines - server-sent events taken apart as they come, in pieces of any size. Pure. */
#pragma once
#include "lib/base/buf.h"

#define EVENT_LINE_MAX (1u << 20) /* an event that is longer ends it */

struct event_lines {
	struct buf line, data; /* of what is not whole yet */
	char id[64];           /* the last that came: where to go on */
	char event[32];        /* of the event that is coming */
};

void event_lines_init(struct event_lines *lines);
void event_lines_deinit(struct event_lines *lines);
/* Drops what was cut off; the id stays. */
void event_lines_restart(struct event_lines *lines);
/* Calls each for every whole event with data. -EMSGSIZE: it is too long to be one. */
int event_lines_take(struct event_lines *lines, const char *bytes, size_t n, void (*each)(void *ctx, const char *event, const char *data),
		     void *ctx) MUST_CHECK;
