/* Ids of events and heads of the audit as clients send them: what is taken comes out again as it went in. */
#include "controller/api/event_feed.h"
#include "controller/store/audit_row.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[256], again[EVENT_ID_SIZE], head[AUDIT_PLACE_TEXT_SIZE];
	struct audit_place place, other;
	struct event_id id, same;
	struct why why;

	snprintf(text, sizeof text, "%.*s", (int)(size < 255 ? size : 255), (const char *)data);
	if (event_id_parse("id", text, &id, &why) == 0 && id.has_log) {
		event_id_text(id.v, id.log, again);
		if (event_id_parse("id", again, &same, &why) || same.v != id.v || memcmp(same.log, id.log, sizeof id.log) != 0)
			abort();
	}
	if (audit_place_parse("head", text, &place, &why) == 0) {
		audit_place_text(&place, head);
		if (audit_place_parse("head", head, &other, &why) || other.n != place.n || memcmp(other.hash, place.hash, sizeof place.hash) != 0)
			abort();
	}
	return 0;
}
