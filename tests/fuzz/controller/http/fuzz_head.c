/* Headers of any form: what the server itself takes from them. Nothing that is given twice passes, and no foreign host does. */
#include "controller/http/http_head.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "sixpn.example" };
	const struct http_config config = { .host_names = names, .n_host_names = 1, .body_max = 1000 };
	struct http_head head = { 0 };
	struct why why = { 0 };
	char *text = malloc(size + 1), *rest = text, *line;
	unsigned status;

	memcpy(text, data, size);
	text[size] = 0;
	while ((line = strsep(&rest, "\n"))) {
		char *colon = strchr(line, ':');

		if (colon)
			*colon = 0;
		http_head_note(&head, line, colon ? colon + 1 : NULL);
	}
	status = http_head_judge(&head, &config, false, &why);
	if (status == 0 && (head.hosts != 1 || head.lengths > 1 || (head.lengths && head.encodings) || head.bytes > HTTP_HEADERS_MAX))
		abort();
	if (status && !why.text[0])
		abort();
	free(text);
	return 0;
}
