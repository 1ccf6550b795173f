/* GraphQL text as strangers send it: first line the JSON of the variables, the rest the text. Whatever it is, the engine answers with a
 * plan that runs or with one error, and runs the same way twice. */
#include "tests/unit/controller/graphql/gql_fixture.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static json_t *run(const struct gql_request *q)
{
	json_t *body = NULL, *errors = NULL;
	struct why why;

	if (gql_execute(q, NULL, &body, &errors, &why) < 0)
		return NULL;
	return json_pack("{s:o?,s:o?}", "data", body, "errors", errors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *line = memchr(data, '\n', size), *text = line ? line + 1 : data;
	CLEAN_JSON json_t *variables = line ? json_parse((const char *)data, (size_t)(line - data), NULL) : NULL;
	struct gql_request *q = NULL;
	json_t *errors = NULL;
	int r = gql_request_new(&fx_schema, (const char *)text, size - (size_t)(text - data), NULL, variables, &q, &errors);

	if (r == E_REFUSED && json_array_size(errors) != 1)
		abort();
	if (r == 0) {
		CLEAN_JSON json_t *once = run(q), *twice = run(q);

		if (once && !json_equal(once, twice))
			abort();
	}
	json_decref(errors);
	gql_request_free(q);
	return 0;
}
