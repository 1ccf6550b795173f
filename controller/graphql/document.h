/* document - a GraphQL text as the parser understood it. All of it lives in the arena, and names are texts of their own there. */
#pragma once
#include "controller/graphql/arena.h"

#define DOCUMENT_NESTING_MAX 24 /* braces, brackets: what recursion over the text may cost */

enum value_kind { VALUE_NULL, VALUE_BOOL, VALUE_INT, VALUE_FLOAT, VALUE_STRING, VALUE_ENUM, VALUE_VARIABLE, VALUE_LIST, VALUE_OBJECT };

/* A value; as an argument or a field of an input object it has a name. */
struct value {
	enum value_kind kind;
	bool truth;
	const char *name, *text;
	size_t len;
	struct value *items, *next; /* items of LIST and OBJECT */
	unsigned line, column;
};

enum selection_kind { SELECT_FIELD, SELECT_SPREAD, SELECT_INLINE };

struct selection {
	enum selection_kind kind;
	const char *key, *name; /* of a field: key is its alias or name. Of a spread: name. Of an inline fragment: name is its type or NULL */
	struct value *args, *skip, *include;
	struct selection *sub, *next;
	unsigned line, column;
};

struct fragment {
	const char *name, *type;
	struct selection *sub;
	struct fragment *next;
	int mark; /* of the search for cycles */
	unsigned line, column;
};

struct variable {
	const char *name, *type;
	struct value *fallback; /* NULL = none */
	struct variable *next;
	unsigned line, column;
};

struct operation {
	bool mutation;
	const char *name; /* NULL = none */
	struct variable *variables;
	struct selection *sub;
	struct operation *next;
	unsigned line, column;
};

struct document {
	struct operation *operations;
	struct fragment *fragments;
	unsigned aliases, n_fragments;
};

/* E_REFUSED with why, and where; -ENOMEM: over the limit of the arena. */
int document_parse(struct arena *arena, const char *text, size_t len, struct document *ret, unsigned *ret_line, unsigned *ret_column,
		   struct why *why) MUST_CHECK;
struct fragment *document_fragment(const struct document *document, const char *name);
