/* If-Match and If-None-Match as strangers send them, against an object of the first line. A tag that we made always means its object. */
#include "controller/api/api_match.h"
#include "controller/api/shape.h"

#include <stdlib.h>
#include <string.h>

static const struct shape_field fields[] = {
	{ "a", SHAPE_STR, 0, NULL, NULL }, { "b", SHAPE_ANY, SHAPE_MAYBE, NULL, NULL }, { "c", SHAPE_INT, SHAPE_MOVES, NULL, NULL }, { 0 }
};
static const struct shape shape = { "Fuzzed", false, fields };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *header = text, *line, tag[MATCH_TAG_SIZE];
	bool matches = false;
	json_t *object, *differs;

	memcpy(text, data, size);
	text[size] = 0;
	line = strsep(&header, "\n");
	object = json_loads(line, 0, NULL);
	if (!json_is_object(object)) {
		json_decref(object);
		object = json_object();
	}
	match_tag(&shape, object, tag);
	if (header) {
		(void)match_header("If-Match", header, tag, true, &matches, NULL);
		(void)match_header("If-Match", header, tag, false, &matches, NULL);
		differs = match_differs(&shape, object, header);
		json_decref(differs);
	}
	if (match_header("If-Match", tag, tag, true, &matches, NULL) || !matches)
		abort();
	json_object_set_new(object, "c", json_integer(7)); /* which moves by itself */
	match_tag(&shape, object, tag);
	if (match_header("If-Match", tag, tag, false, &matches, NULL) || !matches)
		abort();
	json_decref(object);
	free(text);
	return 0;
}
