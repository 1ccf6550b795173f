/* Any bytes as a workload: parsed or refused with a sentence, and what is accepted keeps its limits. */
#include "agent/spec.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct why why = { .text = "" };
	struct spec spec;

	if (spec_parse((const char *)data, size, &spec, &why) != 0) {
		if (!why.text[0])
			abort();
		return 0;
	}
	if (spec.n_command > SPEC_COMMAND_MAX || spec.n_files > SPEC_FILES_MAX || strlen(spec.root) >= SPEC_PATH_SIZE)
		abort();
	spec_deinit(&spec);
	return 0;
}
