/* plan - see plan.h. Recursion: over fields at most GQL_DEPTH_MAX deep, over fragments as far as they do not come back to themselves
 * (looked at first), over braces as the parser allows. */
#include "controller/graphql/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* All selections of one key in one set. */
struct group {
	const struct selection *first;
	struct node {
		const struct selection *selection;
		struct node *next;
	} *nodes;
	struct group *next;
};

struct planner {
	struct gql_request *request;
	struct type_scope scope;
	unsigned steps;
	const char *path[GQL_DEPTH_MAX + 1];
	unsigned depth;
	unsigned line, column; /* of what is judged now */
	struct why why;
};

json_t *plan_error(const struct gql_schema *schema, const struct why *why, unsigned line, unsigned column, json_t *path)
{
	json_t *error = gql_error(schema, why);

	if (line)
		json_object_set_new(error, "locations", json_pack("[{s:i,s:i}]", "line", (int)line, "column", (int)column));
	if (path)
		json_object_set_new(error, "path", path);
	return error;
}

/* ---- fragments that come back to themselves ---- */

enum { MARK_NONE, MARK_OPEN, MARK_DONE };

static int visit_fragment(struct planner *p, struct fragment *f);

static int visit_selections(struct planner *p, const struct selection *s)
{
	int r = 0;

	for (; s && r == 0; s = s->next) {
		struct fragment *f = s->kind == SELECT_SPREAD ? document_fragment(&p->request->doc, s->name) : NULL;

		p->line = s->line;
		p->column = s->column;
		if (s->kind != SELECT_SPREAD)
			r = visit_selections(p, s->sub);
		else if (!f)
			r = why_set(&p->why, "fragment_unknown", "query", "fragment \"%.60s\" is not in the text", s->name);
		else
			r = visit_fragment(p, f);
	}
	return r;
}

static int visit_fragment(struct planner *p, struct fragment *f)
{
	int r;

	if (f->mark == MARK_DONE)
		return 0;
	if (f->mark == MARK_OPEN)
		return why_set(&p->why, "fragment_cycle", "query", "fragment \"%.60s\" contains itself", f->name);
	f->mark = MARK_OPEN;
	r = visit_selections(p, f->sub);
	f->mark = MARK_DONE;
	return r;
}

static int check_type_name(struct planner *p, const char *name)
{
	const struct gql_type *t = type_find(p->request->schema, name);

	if (!t || (t->kind != GQL_OBJECT && t->kind != GQL_UNION))
		return why_set(&p->why, "type_unknown", "query", "type \"%.60s\" is not known here", name);
	return 0;
}

static int check_fragments(struct planner *p)
{
	int r = 0;

	for (struct fragment *f = p->request->doc.fragments; f && r == 0; f = f->next) {
		r = visit_fragment(p, f);
		if (r == 0) {
			p->line = f->line;
			p->column = f->column;
			r = check_type_name(p, f->type);
		}
	}
	return r ? r : visit_selections(p, p->request->operation->sub);
}

/* ---- collecting ---- */

static int step(struct planner *p)
{
	if (++p->steps > GQL_STEPS_MAX)
		return why_set(&p->why, "query_too_large", "query", "more than %u fields are asked for, fragments expanded", GQL_STEPS_MAX);
	return 0;
}

static int judge_condition(struct planner *p, const struct value *v, bool unless, bool *ret_keep)
{
	json_t *j = NULL;
	int r;

	if (!v)
		return 0;
	r = type_value(&p->scope, "if", (struct span){ "Boolean!", 8 }, v, &j, &p->why);
	if (r == 0 && !j)
		r = why_set(&p->why, "field_missing", "if", "the variable of a directive was not given");
	if (r == 0 && json_is_true(j) == unless)
		*ret_keep = false;
	json_decref(j);
	return r;
}

static bool applies(const struct planner *p, const char *condition, const char *type)
{
	const struct gql_type *t;

	if (!condition || !strcmp(condition, type))
		return true;
	t = type_find(p->request->schema, condition);
	return t && t->kind == GQL_UNION && type_has_name(t, type);
}

static bool same_values(struct planner *p, const struct value *a, const struct value *b);

static bool same_value(struct planner *p, const struct value *a, const struct value *b)
{
	if (step(p) || a->kind != b->kind || (a->name && strcmp(a->name, b->name)))
		return false;
	if (a->kind == VALUE_LIST || a->kind == VALUE_OBJECT)
		return same_values(p, a->items, b->items);
	if (a->kind == VALUE_VARIABLE)
		return !strcmp(a->text, b->text);
	return a->len == b->len && (!a->len || !memcmp(a->text, b->text, a->len));
}

static bool same_values(struct planner *p, const struct value *a, const struct value *b)
{
	if (a == b)
		return true;
	for (; a && b; a = a->next, b = b->next)
		if (!same_value(p, a, b))
			return false;
	return a == b;
}

static int add_to_group(struct planner *p, const struct selection *s, struct group **groups)
{
	struct group **link = groups, *g;
	struct node *node = arena_take(&p->request->arena, sizeof *node);

	while ((g = *link) && strcmp(g->first->key, s->key))
		link = &g->next;
	if (!g) {
		g = *link = arena_take(&p->request->arena, sizeof *g);
		if (g)
			g->first = s;
	} else if (strcmp(g->first->name, s->name) || !same_values(p, g->first->args, s->args)) {
		return p->steps > GQL_STEPS_MAX ? step(p) :
						  why_set(&p->why, "query_invalid", "query",
							  "\"%.60s\" is asked for twice in different ways: give one of them an alias", s->key);
	}
	if (!g || !node)
		return -ENOMEM;
	*node = (struct node){ s, g->nodes }; /* backwards; turned round where it is read */
	g->nodes = node;
	return 0;
}

static int collect(struct planner *p, const struct selection *s, const char *type, struct group **groups)
{
	int r = 0;

	for (; s && r == 0; s = s->next) {
		const struct fragment *f;
		bool keep = true;

		p->line = s->line;
		p->column = s->column;
		r = step(p);
		if (r == 0)
			r = judge_condition(p, s->skip, true, &keep);
		if (r == 0)
			r = judge_condition(p, s->include, false, &keep);
		if (r || (!keep && s->kind != SELECT_FIELD))
			continue;
		if (s->kind == SELECT_FIELD) {
			if (strcmp(s->name, "__typename") && !type_field(p->request->schema, type, s->name))
				keep = true; /* an unknown field is an error also where it is left out */
			if (keep)
				r = add_to_group(p, s, groups);
			continue;
		}
		f = s->kind == SELECT_SPREAD ? document_fragment(&p->request->doc, s->name) : NULL;
		if (s->kind == SELECT_INLINE && s->name)
			r = check_type_name(p, s->name);
		if (r == 0 && applies(p, f ? f->type : s->name, type))
			r = collect(p, f ? f->sub : s->sub, type, groups);
	}
	return r;
}

/* Arguments are copied wherever a fragment brings them: they cost too, by number and by length. */
static int count_values(struct planner *p, const struct value *v)
{
	int r = 0;

	for (; v && r == 0; v = v->next) {
		p->steps += (unsigned)(v->len / 256);
		r = step(p);
		if (r == 0)
			r = count_values(p, v->items);
	}
	return r;
}

/* ---- planning ---- */

static int plan_set(struct planner *p, struct node *nodes, const char *type, struct plan_set **ret);

static struct node *turn(struct node *n)
{
	struct node *turned = NULL;

	while (n) {
		struct node *next = n->next;

		n->next = turned;
		turned = n;
		n = next;
	}
	return turned;
}

static int plan_below(struct planner *p, struct plan_field *f, struct node *nodes)
{
	const struct gql_type *type = type_find(p->request->schema, f->type);
	const char *one[] = { f->type, NULL };
	struct plan_set **link = &f->sets;
	int r = 0;

	if (!type || type->kind == GQL_ENUM) {
		for (struct node *n = nodes; n; n = n->next)
			if (n->selection->sub)
				return why_set(&p->why, "query_invalid", f->key, "\"%.60s\" is a %s: it has no fields", f->key, f->type);
		return 0;
	}
	for (struct node *n = nodes; n; n = n->next)
		if (!n->selection->sub)
			return why_set(&p->why, "query_invalid", f->key, "\"%.60s\" is a %s: say which of its fields", f->key, f->type);
	for (const char *const *name = type->kind == GQL_UNION ? type->names : one; *name && r == 0; name++) {
		r = plan_set(p, nodes, *name, link);
		if (r == 0)
			link = &(*link)->next;
	}
	return r;
}

static int plan_field(struct planner *p, struct group *g, const char *type, struct plan_field **ret)
{
	const struct selection *s = g->first;
	struct plan_field *f = arena_take(&p->request->arena, sizeof *f);
	char name[80];
	int r;

	if (!f)
		return -ENOMEM;
	*f = (struct plan_field){ .key = s->key, .type = "String", .line = s->line, .column = s->column, .next_made = p->request->made };
	p->request->made = f;
	*ret = f;
	p->line = s->line;
	p->column = s->column;
	if (strcmp(s->name, "__typename")) {
		f->field = type_field(p->request->schema, type, s->name);
		if (!f->field && type_absent(p->request->schema, type, s->name))
			return why_set(&p->why, "not_offered", s->name, "%s", type_absent(p->request->schema, type, s->name));
		if (!f->field && (!strcmp(s->name, "__schema") || !strcmp(s->name, "__type")))
			return why_set(&p->why, "field_unknown", s->name, "introspection (\"%s\") is not offered here", s->name);
		if (!f->field)
			return why_set(&p->why, "field_unknown", s->name, "field \"%.60s\" does not exist on type %s", s->name, type);
		span_name(span_of(f->field->type), name, sizeof name);
		f->type = arena_text(&p->request->arena, name, strlen(name));
		if (!f->type)
			return -ENOMEM;
	}
	r = count_values(p, s->args);
	if (r)
		return r;
	r = type_args(&p->scope, s->name, f->field ? f->field->args : NULL, s->args, &f->args, &p->why);
	return r ? r : plan_below(p, f, turn(g->nodes));
}

static int plan_set(struct planner *p, struct node *nodes, const char *type, struct plan_set **ret)
{
	struct plan_set *set = arena_take(&p->request->arena, sizeof *set);
	struct plan_field **link;
	struct group *groups = NULL;
	int r = 0;

	if (!set)
		return -ENOMEM;
	if (p->depth >= GQL_DEPTH_MAX)
		return why_set(&p->why, "query_too_deep", "query", "fields are nested deeper than %d levels", GQL_DEPTH_MAX);
	for (struct node *n = nodes; n && r == 0; n = n->next)
		r = collect(p, n->selection->sub, type, &groups);
	set->type = type;
	link = &set->fields;
	for (struct group *g = groups; g && r == 0; g = g->next) {
		p->path[p->depth++] = g->first->key;
		r = plan_field(p, g, type, link);
		if (r == 0) {
			p->depth--; /* else it stays: the path of the error */
			link = &(*link)->next;
		}
	}
	*ret = set;
	return r;
}

/* One field, so that "nothing was changed" can be said of the whole when it is refused. */
static int check_mutation(struct planner *p)
{
	const struct plan_field *f = p->request->root->fields;
	unsigned n = 0;

	for (; f; f = f->next)
		n += f->field != NULL;
	if (n > 1)
		return why_set(&p->why, "query_invalid", "query", "a mutation has one field here: send the others as requests of their own");
	return 0;
}

static json_t *path_json(const struct planner *p)
{
	json_t *path = p->depth ? json_array() : NULL;

	for (unsigned i = 0; i < p->depth; i++)
		json_array_append_new(path, json_string(p->path[i]));
	return path;
}

int plan_make(struct gql_request *request, json_t **ret_errors)
{
	struct planner p = { .request = request, .scope = { request->schema, request->operation, request->variables } };
	struct selection all = { .sub = request->operation->sub };
	struct node node = { &all, NULL };
	const char *root = request->operation->mutation ? "Mutation" : "Query";
	int r = check_fragments(&p);

	p.line = request->operation->line;
	p.column = request->operation->column;
	if (r == 0 && !type_find(request->schema, root))
		r = why_set(&p.why, "query_invalid", "query", "there is no %s here", root);
	if (r == 0)
		r = plan_set(&p, &node, root, &request->root);
	if (r == 0 && request->operation->mutation)
		r = check_mutation(&p);
	if (r >= 0 && request->unknown.code[0] && (r == 0 || strcmp(p.why.code, "not_offered"))) {
		p.line = p.depth = 0;
		p.why = request->unknown;
		r = E_REFUSED;
	}
	if (r == E_REFUSED)
		*ret_errors = json_pack("[o]", plan_error(request->schema, &p.why, p.line, p.column, path_json(&p)));
	return r;
}
