/* execute - a plan to a reply; and what makes a request of a text. See graphql.h. */
#include "controller/graphql/plan.h"
#include "lib/sixpn/name.h"

#include <stdlib.h>
#include <string.h>

#define PATH_MAX_STEPS (2 * GQL_DEPTH_MAX + 4) /* keys and places in lists */

struct step {
	const char *key; /* NULL = the place in a list */
	size_t at;
};

struct run {
	const struct gql_request *request;
	void *ctx;
	json_t *errors;
	struct why first;
	struct step path[PATH_MAX_STEPS];
	unsigned depth, calls, values;
	int failed; /* -errno, or E_REFUSED: a limit, and nothing more is resolved */
};

json_t *gql_error(const struct gql_schema *schema, const struct why *why)
{
	const char *code = schema->code_of ? schema->code_of(why->code) : why->code;
	json_t *extensions = json_pack("{s:s,s:s}", "code", code, "reason", why->code);
	struct why tame = *why;

	/* both may quote what was sent, cut in the middle of a character, and JSON takes no such text */
	name_tame(tame.field);
	name_tame(tame.text);
	if (tame.field[0])
		json_object_set_new(extensions, "field", json_string(tame.field));
	return json_pack("{s:s,s:o}", "message", tame.text, "extensions", extensions);
}

/* ---- running ---- */

static void add_error(struct run *run, const struct plan_field *f, const struct why *why)
{
	json_t *path;

	if (!run->first.code[0])
		run->first = *why;
	if (json_array_size(run->errors) >= GQL_ERRORS_MAX)
		return;
	path = json_array();
	for (unsigned i = 0; i < run->depth; i++)
		json_array_append_new(path, run->path[i].key ? json_string(run->path[i].key) : json_integer((json_int_t)run->path[i].at));
	json_array_append_new(run->errors, plan_error(run->request->schema, why, f->line, f->column, path));
}

static bool over(struct run *run, const struct plan_field *f, unsigned *n, unsigned max, const char *what)
{
	struct why why;

	if (++*n <= max)
		return false;
	why_set(&why, "query_too_large", "query", "the reply would hold more than %u %s: ask for less at a time", max, what);
	add_error(run, f, &why);
	run->failed = E_REFUSED;
	return true;
}

static void push(struct run *run, const char *key, size_t at)
{
	run->path[run->depth++] = (struct step){ key, at };
}

static json_t *run_set(struct run *run, const struct plan_set *set, const json_t *parent);

static json_t *wrong(struct run *run, const struct plan_field *f, const char *what)
{
	struct why why;

	why_set(&why, "internal", f->key, "\"%.60s\" %s", f->key, what);
	add_error(run, f, &why);
	return NULL;
}

static json_t *run_object(struct run *run, const struct plan_field *f, const json_t *value)
{
	const char *name = json_string_value(json_object_get(value, "__typename"));
	const struct plan_set *set = f->sets;

	if (!json_is_object(value))
		return wrong(run, f, "was resolved to something that is no object");
	while (set && set->next && (!name || strcmp(set->type, name)))
		set = set->next;
	return run_set(run, set, value);
}

/* NULL: the value is null and must not be, which is an error that is noted already. Takes no reference of value. */
static json_t *complete(struct run *run, const struct plan_field *f, struct span type, const json_t *value)
{
	struct span bare = span_bare(type);
	json_t *done, *list;

	if (run->failed || over(run, f, &run->values, GQL_VALUES_MAX, "values"))
		return NULL;
	if (!value || json_is_null(value))
		return span_required(type) ? wrong(run, f, "has no value, and must have one") : json_null();
	if (!span_is_list(bare)) {
		if (f->sets)
			done = run_object(run, f, value);
		else if (type_fits(run->request->schema, f->type, value))
			done = json_incref((json_t *)(uintptr_t)value);
		else
			done = wrong(run, f, "was resolved to a value of another type");
		return done || span_required(type) ? done : json_null();
	}
	if (!json_is_array(value))
		return wrong(run, f, "was resolved to something that is no list");
	list = json_array();
	for (size_t i = 0; i < json_array_size(value); i++) {
		push(run, NULL, i);
		done = complete(run, f, span_item(bare), json_array_get(value, i));
		run->depth--;
		if (!done) {
			json_decref(list);
			return span_required(type) ? NULL : json_null();
		}
		json_array_append_new(list, done);
	}
	return list;
}

static json_t *run_field(struct run *run, const struct plan_field *f, const char *type, const json_t *parent)
{
	CLEAN_JSON json_t *value = NULL;
	struct span span;
	struct why why;
	int r = 0;

	if (!f->field)
		return json_string(type);
	span = span_of(f->field->type);
	if (!f->field->resolve)
		return complete(run, f, span, json_object_get(parent, f->field->name));
	if (over(run, f, &run->calls, GQL_CALLS_MAX, "look-ups"))
		return NULL;
	why = (struct why){ .text = "" };
	r = f->field->resolve(run->ctx, parent, f->args, &value, &why);
	if (r == 0)
		return complete(run, f, span, value);
	if (r < 0)
		run->failed = r;
	else
		add_error(run, f, &why);
	return span_required(span) ? NULL : json_null();
}

static json_t *run_set(struct run *run, const struct plan_set *set, const json_t *parent)
{
	json_t *object = json_object(), *value;

	for (const struct plan_field *f = set->fields; f; f = f->next) {
		push(run, f->key, 0);
		value = run->failed ? NULL : run_field(run, f, set->type, parent);
		run->depth--;
		if (!value || run->failed) {
			json_decref(value);
			json_decref(object);
			return NULL;
		}
		json_object_set_new(object, f->key, value);
	}
	return object;
}

int gql_execute(const struct gql_request *request, void *ctx, json_t **ret_data, json_t **ret_errors, struct why *ret_why)
{
	struct run run = { .request = request, .ctx = ctx, .errors = json_array() };
	json_t *data = run_set(&run, request->root, NULL);

	if (run.failed < 0) {
		json_decref(data);
		json_decref(run.errors);
		return run.failed;
	}
	*ret_data = data;
	*ret_why = run.first;
	if (json_array_size(run.errors)) {
		*ret_errors = run.errors;
	} else {
		json_decref(run.errors);
		*ret_errors = NULL;
	}
	return 0;
}

/* ---- a request of a text ---- */

static int choose(struct gql_request *q, const char *name, struct why *why)
{
	const struct operation *o = q->doc.operations;

	if (!name || !*name) {
		if (o->next)
			return why_set(why, "operation_unknown", "operationName", "the text has several operations: say which with \"operationName\"");
	} else {
		while (o && (!o->name || strcmp(o->name, name)))
			o = o->next;
		if (!o)
			return why_set(why, "operation_unknown", "operationName", "operation \"%.60s\" is not in the text", name);
	}
	q->operation = o;
	return 0;
}

static int make(struct gql_request *q, const char *text, size_t len, const char *operation, const json_t *variables, json_t **ret_errors)
{
	unsigned line = 0, column = 0;
	struct why why;
	int r;

	if (len > GQL_TEXT_MAX)
		r = why_set(&why, "query_too_large", "query", "the text has %zu bytes, at most %u are allowed", len, GQL_TEXT_MAX);
	else
		r = document_parse(&q->arena, text, len, &q->doc, &line, &column, &why);
	if (r == 0) {
		line = 0;
		r = choose(q, operation, &why);
	}
	if (r == 0)
		r = type_variables(q->schema, q->operation, variables, &q->variables, &q->unknown, &why);
	if (r == E_REFUSED)
		*ret_errors = json_pack("[o]", plan_error(q->schema, &why, line, column, NULL));
	return r ? r : plan_make(q, ret_errors);
}

int gql_request_new(const struct gql_schema *schema, const char *text, size_t len, const char *operation, const json_t *variables,
		    struct gql_request **ret_request, json_t **ret_errors)
{
	struct gql_request *q = calloc(1, sizeof *q);
	int r;

	if (!q)
		return -ENOMEM;
	q->schema = schema;
	q->arena.limit = GQL_ARENA_MAX;
	r = make(q, text, len, operation, variables, ret_errors);
	if (r)
		gql_request_free(q);
	else
		*ret_request = q;
	return r;
}

struct gql_request *gql_request_free(struct gql_request *q)
{
	if (!q)
		return NULL;
	for (struct plan_field *f = q->made; f; f = f->next_made)
		json_decref(f->args);
	json_decref(q->variables);
	arena_deinit(&q->arena);
	free(q);
	return NULL;
}

const struct gql_field *gql_request_mutation(const struct gql_request *q)
{
	const struct plan_field *f = q->operation->mutation ? q->root->fields : NULL;

	while (f && !f->field)
		f = f->next;
	return f ? f->field : NULL;
}
