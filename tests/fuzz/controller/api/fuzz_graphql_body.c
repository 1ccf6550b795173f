/* Bodies of POST /graphql as strangers send them, up to the point where resolvers would run, against the real table of types. */
#include "controller/api/api_graphql.h"
#include "controller/api/api_nouns.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* what begins like no JSON is a text by itself, so that chance gets that far */
	CLEAN_JSON json_t *body = size && *data == '!' ? json_pack("{s:o}", "query", json_stringn((const char *)data + 1, size - 1) ?: json_null()) :
							 json_parse((const char *)data, size, NULL);
	const json_t *query = json_object_get(body, "query");
	struct gql_request *request = NULL;
	json_t *errors = NULL;
	int r;

	if (!body || route_check_body(api_graphql_routes, body, NULL))
		return 0;
	r = gql_request_new(&api_graphql_schema, json_string_value(query), json_string_length(query),
			    json_string_value(json_object_get(body, "operationName")), json_object_get(body, "variables"), &request, &errors);
	if (r == E_REFUSED && json_array_size(errors) != 1)
		abort();
	json_decref(errors);
	gql_request_free(request);
	return 0;
}
