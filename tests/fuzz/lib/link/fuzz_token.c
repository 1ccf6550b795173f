/* Any text as a join token: what is taken is written back the same. */
#include "lib/link/token.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[1024], out[LINK_TOKEN_TEXT_MAX + 1];
	struct link_token token;
	struct why why;

	if (size >= sizeof text)
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	if (link_token_parse(text, &token, &why) != 0)
		return 0;
	link_token_format(&token, out);
	if (strcmp(out, text) != 0)
		abort();
	return 0;
}
