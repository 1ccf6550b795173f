/* The door for JSON: what is parsed is an object or a list, and the getters keep to their bounds. */
#include "lib/base/json.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "a", "b", NULL };
	struct why why = { .text = "" };
	CLEAN_JSON json_t *doc = json_parse((const char *)data, size, &why);
	int64_t integer = 0;
	double number = 0;
	bool boolean;
	char text[8] = "";

	if (!doc)
		return *why.text ? 0 : (abort(), 0);
	if (!json_is_object(doc) && !json_is_array(doc))
		abort();
	if (json_known(doc, names, &why) | json_need(doc, "a", &why))
		return 0;
	if (json_get_str(doc, "a", text, sizeof text, &why) | json_get_int(doc, "a", -9, 9, &integer, &why) |
	    json_get_num(doc, "b", -9, 9, &number, &why) | json_get_bool(doc, "b", &boolean, &why))
		return strlen(text) < sizeof text && integer >= -9 && integer <= 9 && number >= -9 && number <= 9 ? 0 : (abort(), 0);
	return 0;
}
