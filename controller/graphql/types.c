/* types - see types.h. */
#include "controller/graphql/types.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- types as texts ---- */

struct span span_of(const char *type)
{
	return (struct span){ type, strlen(type) };
}

bool span_required(struct span t)
{
	return t.n && t.p[t.n - 1] == '!';
}

struct span span_bare(struct span t)
{
	return span_required(t) ? (struct span){ t.p, t.n - 1 } : t;
}

bool span_is_list(struct span t)
{
	return t.n >= 2 && t.p[0] == '[';
}

struct span span_item(struct span t)
{
	return (struct span){ t.p + 1, t.n - 2 };
}

const char *span_name(struct span t, char *buf, size_t size)
{
	t = span_bare(t);
	while (span_is_list(t))
		t = span_bare(span_item(t));
	snprintf(buf, size, "%.*s", (int)t.n, t.p);
	return buf;
}

/* ---- the table ---- */

bool type_is_scalar(const char *name)
{
	static const char *const names[] = { "String", "Int", "Float", "Boolean", "ID", "BigInt", "ISO8601DateTime", "JSON" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

const struct gql_type *type_find(const struct gql_schema *schema, const char *name)
{
	for (const struct gql_type *const *table = schema->tables; *table; table++)
		for (const struct gql_type *t = *table; t->name; t++)
			if (!strcmp(t->name, name))
				return t;
	return NULL;
}

const struct gql_field *type_field(const struct gql_schema *schema, const char *type, const char *name)
{
	for (const struct gql_type *const *table = schema->tables; *table; table++)
		for (const struct gql_type *t = *table; t->name; t++)
			if (t->kind == GQL_OBJECT && !strcmp(t->name, type))
				for (const struct gql_field *f = t->fields; f->name; f++)
					if (!strcmp(f->name, name))
						return f;
	return NULL;
}

const char *type_absent(const struct gql_schema *schema, const char *type, const char *name)
{
	for (const struct gql_absent *a = schema->absent; a && a->type; a++)
		if (!strcmp(a->type, type) && !strcmp(a->field, name))
			return a->sentence;
	return NULL;
}

bool type_has_name(const struct gql_type *type, const char *name)
{
	for (const char *const *n = type->names; n && *n; n++)
		if (!strcmp(*n, name))
			return true;
	return false;
}

/* ---- scalars ---- */

static int misfit(struct why *why, const char *name, struct span type)
{
	return why_set(why, "type_invalid", name, "\"%.60s\" must be of type %.*s", name, (int)(type.n > 80 ? 80 : type.n), type.p);
}

static bool is_int32(const json_t *j)
{
	return json_is_integer(j) && json_integer_value(j) >= INT32_MIN && json_integer_value(j) <= INT32_MAX;
}

bool type_fits(const struct gql_schema *schema, const char *name, const json_t *j)
{
	const struct gql_type *type = type_find(schema, name);

	if (type)
		return type->kind == GQL_ENUM && json_is_string(j) && type_has_name(type, json_string_value(j));
	if (!strcmp(name, "Int"))
		return is_int32(j);
	if (!strcmp(name, "Float"))
		return json_is_number(j);
	if (!strcmp(name, "Boolean"))
		return json_is_boolean(j);
	return !strcmp(name, "JSON") || json_is_string(j); /* String, ID, BigInt, times */
}

/* A scalar or enum that came as JSON. New reference, NULL = it does not fit. */
static json_t *take_scalar(const struct gql_schema *schema, const char *name, const json_t *j)
{
	char text[32];

	if ((!strcmp(name, "ID") || !strcmp(name, "BigInt")) && json_is_integer(j)) {
		snprintf(text, sizeof text, "%lld", (long long)json_integer_value(j));
		return json_string(text);
	}
	return type_fits(schema, name, j) ? json_incref((json_t *)(uintptr_t)j) : NULL;
}

/* ---- values that came as JSON: variables ---- */

static int take_json(const struct gql_schema *schema, const char *name, struct span type, const json_t *j, json_t **ret, struct why *why);

static int take_object(const struct gql_schema *schema, const struct gql_type *type, const char *name, const json_t *j, json_t **ret,
		       struct why *why)
{
	CLEAN_JSON json_t *object = json_object();
	const char *key;
	json_t *value, *taken;

	if (!json_is_object(j))
		return misfit(why, name, span_of(type->name));
	json_object_foreach((json_t *)(uintptr_t)j, key, value) {
		const struct gql_input *i = type->inputs;

		while (i->name && strcmp(i->name, key))
			i++;
		if (!i->name)
			return why_set(why, "field_unknown", key, "\"%.60s\" is not a field of %s", key, type->name);
		if (take_json(schema, key, span_of(i->type), value, &taken, why))
			return E_REFUSED;
		json_object_set_new(object, key, taken);
	}
	for (const struct gql_input *i = type->inputs; i->name; i++)
		if (span_required(span_of(i->type)) && !json_object_get(object, i->name))
			return why_set(why, "field_missing", i->name, "\"%s\" of %s is missing", i->name, type->name);
	*ret = TAKE(object);
	return 0;
}

static int take_list(const struct gql_schema *schema, const char *name, struct span bare, const json_t *j, json_t **ret, struct why *why)
{
	CLEAN_JSON json_t *list = json_array();
	size_t n = json_is_array(j) ? json_array_size(j) : 1;
	json_t *taken;

	for (size_t i = 0; i < n; i++) { /* one value stands for a list of one */
		if (take_json(schema, name, span_item(bare), json_is_array(j) ? json_array_get(j, i) : j, &taken, why))
			return E_REFUSED;
		json_array_append_new(list, taken);
	}
	*ret = TAKE(list);
	return 0;
}

static int take_json(const struct gql_schema *schema, const char *name, struct span type, const json_t *j, json_t **ret, struct why *why)
{
	const struct gql_type *found;
	char text[80];

	if (!j || json_is_null(j)) {
		if (span_required(type))
			return misfit(why, name, type);
		*ret = json_null();
		return 0;
	}
	if (span_is_list(span_bare(type)))
		return take_list(schema, name, span_bare(type), j, ret, why);
	span_name(type, text, sizeof text);
	found = type_find(schema, text);
	if (found && found->kind == GQL_INPUT)
		return take_object(schema, found, name, j, ret, why);
	*ret = take_scalar(schema, text, j);
	return *ret ? 0 : misfit(why, name, type);
}

static int check_declared(const struct gql_schema *schema, const struct variable *v, struct why *why)
{
	char name[80];
	const struct gql_type *type = type_find(schema, span_name(span_of(v->type), name, sizeof name));

	if (type ? type->kind == GQL_ENUM || type->kind == GQL_INPUT : type_is_scalar(name))
		return 0;
	return why_set(why, "type_unknown", v->name, "variable \"$%.60s\" has type %.80s, which is no input type here", v->name, v->type);
}

int type_variables(const struct gql_schema *schema, const struct operation *operation, const json_t *given, json_t **ret,
		   struct why *ret_unknown, struct why *why)
{
	CLEAN_JSON json_t *all = json_object();
	struct type_scope none = { schema, operation, NULL };
	json_t *taken;
	int r = 0;

	for (const struct variable *v = operation->variables; v; v = v->next) {
		const json_t *j = json_object_get(given, v->name);

		taken = NULL;
		if (check_declared(schema, v, why)) {
			if (!ret_unknown->code[0])
				*ret_unknown = *why;
			continue;
		}
		if (v->fallback && !j)
			r = type_value(&none, v->name, span_of(v->type), v->fallback, &taken, why);
		else if (j || span_required(span_of(v->type)))
			r = take_json(schema, v->name, span_of(v->type), j, &taken, why);
		if (r)
			return r;
		if (taken)
			json_object_set_new(all, v->name, taken);
	}
	*ret = TAKE(all);
	return 0;
}

/* ---- values of the text ---- */

/* Whether what is declared as `have` may stand where `want` is wanted: equal but for a "!" too many; with a default, nothing is null. */
static bool may_stand(const char *have_text, bool has_default, struct span want)
{
	struct span have = span_of(have_text);

	if (span_required(want) && !span_required(have) && !has_default)
		return false;
	have = span_bare(have);
	want = span_bare(want);
	if (span_is_list(want) && span_is_list(have)) {
		have = span_item(have);
		want = span_item(want);
		if (span_required(want) && !span_required(have))
			return false;
		have = span_bare(have);
		want = span_bare(want);
	}
	return have.n == want.n && !memcmp(have.p, want.p, have.n);
}

static int variable_value(const struct type_scope *scope, struct span type, const struct value *value, json_t **ret, struct why *why)
{
	const struct variable *v = scope->operation->variables;
	json_t *j = json_object_get(scope->variables, value->text);

	while (v && strcmp(v->name, value->text))
		v = v->next;
	if (!v)
		return why_set(why, "variable_unknown", value->text, "variable \"$%.60s\" is not declared", value->text);
	if (!may_stand(v->type, v->fallback != NULL, type))
		return why_set(why, "type_invalid", v->name, "variable \"$%.60s\" is of type %.80s, but %.*s is wanted there", v->name, v->type,
			       (int)type.n, type.p);
	if (j && json_is_null(j) && span_required(type))
		return misfit(why, v->name, type);
	*ret = json_incref(j);
	return 0;
}

static int literal_list(const struct type_scope *scope, const char *name, struct span bare, const struct value *value, json_t **ret,
			struct why *why)
{
	CLEAN_JSON json_t *list = json_array();
	const struct value *v = value->kind == VALUE_LIST ? value->items : value;
	json_t *taken;
	int r;

	for (; v; v = value->kind == VALUE_LIST ? v->next : NULL) {
		r = type_value(scope, name, span_item(bare), v, &taken, why);
		if (r)
			return r;
		json_array_append_new(list, taken ? taken : json_null());
	}
	*ret = TAKE(list);
	return 0;
}

/* As JSON would hold it; NULL: it does not fit in. */
static json_t *literal_json(const struct value *v)
{
	switch (v->kind) {
	case VALUE_BOOL: return json_boolean(v->truth);
	case VALUE_FLOAT: return json_real(strtod(v->text, NULL));
	case VALUE_STRING: return json_stringn(v->text, v->len);
	case VALUE_INT:
		return v->len > 18 ? NULL : json_integer(strtoll(v->text, NULL, 10));
	default:
		return NULL;
	}
}

static int literal_scalar(const struct type_scope *scope, const char *name, struct span type, const struct value *value, json_t **ret,
			  struct why *why)
{
	CLEAN_JSON json_t *j = NULL;
	const struct gql_type *found;
	char text[80];

	found = type_find(scope->schema, span_name(type, text, sizeof text));
	if (found && found->kind == GQL_INPUT)
		return value->kind == VALUE_OBJECT ? type_args(scope, found->name, found->inputs, value->items, ret, why) :
						     misfit(why, name, type);
	if ((found != NULL) == (value->kind == VALUE_ENUM)) /* a name stands for values of enums, and for nothing else */
		j = found ? json_string(value->text) : literal_json(value);
	*ret = j ? take_scalar(scope->schema, text, j) : NULL;
	return *ret ? 0 : misfit(why, name, type);
}

int type_value(const struct type_scope *scope, const char *name, struct span type, const struct value *value, json_t **ret,
	       struct why *why)
{
	*ret = NULL;
	if (value->kind == VALUE_VARIABLE)
		return variable_value(scope, type, value, ret, why);
	if (value->kind == VALUE_NULL) {
		*ret = json_null();
		return span_required(type) ? misfit(why, name, type) : 0;
	}
	if (span_is_list(span_bare(type)))
		return literal_list(scope, name, span_bare(type), value, ret, why);
	return literal_scalar(scope, name, type, value, ret, why);
}

int type_args(const struct type_scope *scope, const char *of, const struct gql_input *takes, const struct value *given, json_t **ret,
	      struct why *why)
{
	CLEAN_JSON json_t *args = json_object();
	json_t *taken;
	int r;

	for (const struct value *v = given; v; v = v->next) {
		const struct gql_input *i = takes;

		while (i && i->name && strcmp(i->name, v->name))
			i++;
		if (!i || !i->name)
			return why_set(why, "field_unknown", v->name, "\"%.60s\" is not an argument of %.60s", v->name, of);
		r = type_value(scope, v->name, span_of(i->type), v, &taken, why);
		if (r)
			return r;
		if (taken)
			json_object_set_new(args, v->name, taken);
	}
	for (const struct gql_input *i = takes; i && i->name; i++)
		if (span_required(span_of(i->type)) && !json_object_get(args, i->name))
			return why_set(why, "field_missing", i->name, "\"%s\" of %.60s is missing", i->name, of);
	*ret = TAKE(args);
	return 0;
}
