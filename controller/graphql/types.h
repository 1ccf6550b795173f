/* types - the type table: looking up, and bringing values into the form of a type. A type is a text such as "[ID!]!", read in place. */
#pragma once
#include "controller/graphql/document.h"
#include "controller/graphql/graphql.h"

/* A type while it is taken apart. */
struct span {
	const char *p;
	size_t n;
};

struct span span_of(const char *type);
bool span_required(struct span type);    /* ends in "!" */
struct span span_bare(struct span type); /* without that "!" */
bool span_is_list(struct span bare);
struct span span_item(struct span bare); /* of a list */
/* The name inside all lists, as a text in buf. */
const char *span_name(struct span type, char *buf, size_t size);

bool type_is_scalar(const char *name);
const struct gql_type *type_find(const struct gql_schema *schema, const char *name);
const struct gql_field *type_field(const struct gql_schema *schema, const char *type, const char *name);
bool type_has_name(const struct gql_type *type, const char *name); /* an enum's value, a union's member */

/* Why that field is not there, NULL = nothing is known of it. */
const char *type_absent(const struct gql_schema *schema, const char *type, const char *name);

/* Values of variables, as declared: an object. E_REFUSED with why. A variable whose type nobody knows gets no value and is put into
 * ret_unknown (the first; code "" = none): whoever uses it may be told something better. */
int type_variables(const struct gql_schema *schema, const struct operation *operation, const json_t *given, json_t **ret,
		   struct why *ret_unknown, struct why *why) MUST_CHECK;
struct type_scope {
	const struct gql_schema *schema;
	const struct operation *operation;
	const json_t *variables; /* of type_variables */
};
/* A value of the text. *ret NULL: it is a variable that was not given. */
int type_value(const struct type_scope *scope, const char *name, struct span type, const struct value *value, json_t **ret,
	       struct why *why) MUST_CHECK;
/* The arguments of a field (or the fields of an input object) against what it takes: an object. */
int type_args(const struct type_scope *scope, const char *of, const struct gql_input *takes, const struct value *given, json_t **ret,
	      struct why *why) MUST_CHECK;
/* Whether a resolver's value may stand for this scalar or enum in a reply. */
bool type_fits(const struct gql_schema *schema, const char *name, const json_t *value);
