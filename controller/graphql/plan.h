/* plan - what is to be resolved: selections with fragments expanded, fields merged, arguments coerced, limits kept. In the arena, but for
 * the arguments. */
#pragma once
#include "controller/graphql/types.h"

struct plan_set;

struct plan_field {
	const char *key;
	const struct gql_field *field; /* NULL = __typename */
	const char *type;              /* name of its type, inside all lists */
	json_t *args;                  /* an object */
	struct plan_set *sets;         /* of an object one, of a union one per member; NULL = a leaf */
	struct plan_field *next;
	struct plan_field *next_made;  /* all of the request, to let go of args */
	unsigned line, column;
};

struct plan_set {
	const char *type;
	struct plan_field *fields;
	struct plan_set *next;
};

struct gql_request {
	const struct gql_schema *schema;
	struct arena arena;
	struct document doc;
	const struct operation *operation;
	json_t *variables;
	struct why unknown; /* of variables: see type_variables */
	struct plan_set *root;
	struct plan_field *made;
};

/* Fills request->root from operation and variables. E_REFUSED: an error is in ret_errors. */
int plan_make(struct gql_request *request, json_t **ret_errors) MUST_CHECK;
/* An error with a place; path is taken and may be NULL. */
json_t *plan_error(const struct gql_schema *schema, const struct why *why, unsigned line, unsigned column, json_t *path);
