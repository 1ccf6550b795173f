/* graphql - a small GraphQL executor: text -> document (lexer, parser) -> plan (types, limits) -> reply (execute).
 *
 * The whole request is judged before any resolver runs: fields, arguments, variables, fragments and limits. What is left for run time is
 * what only resolvers can refuse. Not offered, each with an error that says so: subscriptions, block strings, introspection (__schema,
 * __type), directives other than @skip and @include. */
#pragma once
#include "lib/base/json.h"

#define GQL_TEXT_MAX (64u << 10)
#define GQL_DEPTH_MAX 12
#define GQL_ALIASES_MAX 100
#define GQL_FRAGMENTS_MAX 100
#define GQL_STEPS_MAX 10000u   /* fields after fragments are expanded */
#define GQL_CALLS_MAX 2000u    /* of resolvers, at run time: a list calls those of its items again and again */
#define GQL_VALUES_MAX 100000u /* in a reply */
#define GQL_ERRORS_MAX 20
#define GQL_ARENA_MAX (4u << 20)

/* One value of one object. parent: the object that an outer resolver returned (NULL at the root); args: an object with what was given,
 * coerced. 0 with a new reference (json_null() = null), E_REFUSED with why = an error of this field, or -errno = the whole request. */
typedef int gql_resolve(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why);

struct gql_input {
	const char *name, *type; /* "String!", "[ID!]" */
};

struct gql_field {
	const char *name, *type;
	gql_resolve *resolve;         /* NULL: the parent's value of that name */
	const struct gql_input *args; /* ended by a NULL name; NULL = none */
};

enum gql_kind { GQL_OBJECT, GQL_UNION, GQL_ENUM, GQL_INPUT };

struct gql_type {
	const char *name;
	enum gql_kind kind;
	const struct gql_field *fields; /* of an object */
	const struct gql_input *inputs; /* of an input object */
	const char *const *names;       /* values of an enum, members of a union; ended by NULL. A member's object carries "__typename" */
};

/* What clients ask for and is not offered, with the sentence that says so: else they would only hear of an unknown field. Judged by name
 * alone, before arguments and what is below. */
struct gql_absent {
	const char *type, *field, *sentence;
};

/* Every noun brings a table; a type may stand in several, and has the fields of all. "Query" and "Mutation" are the roots. */
struct gql_schema {
	const struct gql_type *const *tables; /* each ended by a NULL name; the list by NULL */
	/* extensions.code for the code of a refusal; NULL = that itself */
	const char *(*code_of)(const char *code);
	const struct gql_absent *absent; /* ended by a NULL type; may be NULL. Refused as "not_offered" */
};

struct gql_request;

/* Judges the text: E_REFUSED with a list of errors, or -errno. operation and variables may be NULL. */
int gql_request_new(const struct gql_schema *schema, const char *text, size_t len, const char *operation, const json_t *variables,
		    struct gql_request **ret_request, json_t **ret_errors) MUST_CHECK;
struct gql_request *gql_request_free(struct gql_request *request);
/* The one field of a mutation, NULL for a query. */
const struct gql_field *gql_request_mutation(const struct gql_request *request);

/* May be run again. ret_errors: NULL if there were none; ret_data NULL then means null. ret_why: the first refusal. */
int gql_execute(const struct gql_request *request, void *ctx, json_t **ret_data, json_t **ret_errors, struct why *ret_why) MUST_CHECK;

/* One entry of "errors" without a place. */
json_t *gql_error(const struct gql_schema *schema, const struct why *why);
