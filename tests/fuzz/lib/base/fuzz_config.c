/* The door for settings: the text of a file, then the same bytes as one argument. A value taken keeps to its rule. */
#include "lib/base/config.h"

#include <stdlib.h>
#include <string.h>

static const struct config_key keys[] = {
	{ "api", "listen", CONFIG_STR, "x", 0, 0, "" },
	{ "api", "max", CONFIG_INT, "1", -5, 1000, "" },
	{ "log", "json", CONFIG_BOOL, "no", 0, 0, "" },
	{ "log", "file", CONFIG_SECRET_FILE, "", 0, 10, "" },
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *argv[] = { "program", text, NULL };
	int argc = 2;
	struct config c;
	struct why why = { .text = "" };

	if (!text || config_init(&c, keys, ARRAY_LEN(keys)) != 0)
		abort();
	memcpy(text, data, size);
	text[size] = 0;
	if (config_read_text(&c, text, "fuzz", &why) && !*why.text)
		abort();
	config_read_args(&c, &argc, argv, &why);
	if (config_int(&c, "max") < -5 || config_int(&c, "max") > 1000 || strlen(config_str(&c, "listen")) > 255 ||
	    strlen(config_str(&c, "file")) > 10)
		abort();
	config_deinit(&c);
	free(text);
	return 0;
}
