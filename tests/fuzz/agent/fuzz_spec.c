/* Any bytes as a workload: parsed or refused with a sentence, and what is accepted keeps its limits. Each input is tried as it is
 * and as tokens (a low byte stands for a piece of a workload), because the JSON parser hides its coverage from the fuzzer. */
#include "agent/spec.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 8192

static const char *const tokens[] = {
	"{", "}", "[", "]", ":", ",", "\"", "1", "-1", "null", "true", "\"schema\":1,", "\"command\":[\"/x\"],", "\"env\":{", "\"files\":[{",
	"\"path\":", "\"content\":", "\"mode\":", "\"0644\"", "\"root\":", "\"workdir\":", "\"user\":", "\"1:2\"", "\"restart\":", "\"never\"",
	"\"drain_ms\":", "\"stop_timeout_ms\":", "\"runtime\":", "\"hook\"", "\"/a/b\"", "\"/etc/hosts\"", "/..", "\"A\":\"b\"", "}],",
	"{\"schema\":1,\"command\":[\"/x\"],", "\"A\"", "600001", "\"schema\":1}",
};

static void try_text(const char *text, size_t len)
{
	struct why why = { .text = "" };
	struct spec spec;

	if (spec_parse(text, len, &spec, &why) != 0) {
		if (!why.text[0])
			abort();
		return;
	}
	if (spec.n_command > SPEC_COMMAND_MAX || spec.n_files > SPEC_FILES_MAX || spec.n_env > SPEC_ENV_MAX ||
	    strlen(spec.root) >= SPEC_PATH_SIZE || spec.drain_ms > SPEC_TIME_MAX_MS)
		abort();
	for (size_t i = 0; i < spec.n_files; i++)
		if (spec.files[i].path[0] != '/' || strstr(spec.files[i].path, "/../") || (spec.files[i].mode & ~0777u))
			abort();
	spec_deinit(&spec);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[TEXT_MAX];
	size_t n = 0;

	try_text((const char *)data, size);
	for (size_t i = 0; i < size; i++) {
		const char *piece = data[i] < ARRAY_LEN(tokens) ? tokens[data[i]] : NULL;
		size_t len = piece ? strlen(piece) : 1;

		if (n + len > sizeof text)
			break;
		memcpy(text + n, piece ? piece : (const char *)&data[i], len);
		n += len;
	}
	try_text(text, n);
	return 0;
}
