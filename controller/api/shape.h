/* shape - what a reply looks like: one table per noun, beside the function that makes the JSON. The description for programs, the entity tags
 * and the tests that hold every live reply against its table read it. */
#pragma once
#include "lib/base/json.h"

enum shape_type {
	SHAPE_STR,
	SHAPE_INT,
	SHAPE_NUM,
	SHAPE_BOOL,
	SHAPE_TIME,    /* RFC 3339 */
	SHAPE_STRINGS, /* a list of strings */
	SHAPE_MAP,     /* an object of strings */
	SHAPE_COUNTS,  /* an object of integers */
	SHAPE_OBJECT,  /* of `of` */
	SHAPE_LIST,    /* of objects of `of` */
	SHAPE_ANY,     /* anything at all */
};
enum shape_flags {
	SHAPE_NULL = 1,  /* may be null */
	SHAPE_MAYBE = 2, /* may be absent */
	/* Changes without anybody changing the object (what a host reports, counts of what is in it): not part of the version that If-Match
	 * means, or every report of a host would break every edit. */
	SHAPE_MOVES = 4,
};

struct shape;
struct shape_field {
	const char *name;
	enum shape_type type;
	unsigned flags;
	const struct shape *of; /* of SHAPE_OBJECT and SHAPE_LIST */
	const char *help;       /* may be NULL where the name says it */
};
struct shape {
	const char *name; /* in the description: "App" */
	bool open;        /* may hold more than its table says */
	const struct shape_field *fields; /* ended by a NULL name; may be NULL if it is open */
};

/* JSON Schema (2020-12), new references; NULL = no memory. `also`: further fields of the same object, may be NULL; where both have a name, the
 * value may be of either type. */
json_t *shape_schema(const struct shape *shape, const struct shape *also);
/* Puts the shapes that it refers to, and itself, into an object of schemas by name. */
void shape_collect(const struct shape *shape, json_t *schemas);
json_t *shape_reference(const struct shape *shape);

/* The object of every list route, and what a write adds to its reply, waited for or not. */
extern const struct shape shape_written, shape_deletion, shape_error;
