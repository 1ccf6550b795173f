/* parser - see document.h. Recursive descent over one token of look-ahead; nesting is bounded, so the stack is. */
#include "controller/graphql/document.h"
#include "controller/graphql/graphql.h"
#include "controller/graphql/lexer.h"

#include <stdio.h>
#include <string.h>

#define NAMES_MAX 200 /* of one list that must not name anything twice */

struct parser {
	struct lexer lexer;
	struct arena *arena;
	struct token t; /* the next one */
	struct document *doc;
	struct why *why;
	unsigned nesting;
};

static int advance(struct parser *p)
{
	return lexer_next(&p->lexer, &p->t, p->why);
}

static bool is(const struct parser *p, char punct)
{
	return p->t.kind == TOKEN_PUNCT && p->t.punct == punct;
}

static bool is_word(const struct parser *p, const char *word)
{
	return p->t.kind == TOKEN_NAME && p->t.len == strlen(word) && !memcmp(p->t.text, word, p->t.len);
}

static int expected(struct parser *p, const char *what)
{
	if (p->t.kind == TOKEN_END)
		return why_set(p->why, "query_invalid", "query", "line %u column %u: the text ends where %s should come", p->t.line,
			       p->t.column, what);
	return why_set(p->why, "query_invalid", "query", "line %u column %u: \"%.*s\" stands where %s should come", p->t.line, p->t.column,
		       p->t.kind == TOKEN_PUNCT ? 1 : p->t.kind == TOKEN_SPREAD ? 3 : (int)(p->t.len > 40 ? 40 : p->t.len), p->t.text, what);
}

static int take(struct parser *p, char punct)
{
	char what[] = { '"', punct, '"', 0 };

	return is(p, punct) ? advance(p) : expected(p, what);
}

static int take_name(struct parser *p, const char **ret, const char *what)
{
	if (p->t.kind != TOKEN_NAME)
		return expected(p, what);
	*ret = arena_text(p->arena, p->t.text, p->t.len);
	return *ret ? advance(p) : -ENOMEM;
}

static int enter(struct parser *p)
{
	if (++p->nesting > DOCUMENT_NESTING_MAX)
		return why_set(p->why, "query_too_deep", "query", "line %u column %u: nested deeper than %d levels", p->t.line, p->t.column,
			       DOCUMENT_NESTING_MAX);
	return 0;
}

static int too_many(struct parser *p)
{
	return why_set(p->why, "query_too_large", "query", "line %u column %u: more than %d names in one list", p->t.line, p->t.column, NAMES_MAX);
}

/* ---- values ---- */

static int parse_value(struct parser *p, bool constant, struct value *v);

static int parse_named_value(struct parser *p, bool constant, struct value **ret)
{
	struct value *v = arena_take(p->arena, sizeof *v);
	const char *name;
	int r;

	if (!v)
		return -ENOMEM;
	r = take_name(p, &name, "a name");
	if (r == 0)
		r = take(p, ':');
	if (r == 0)
		r = parse_value(p, constant, v);
	v->name = name;
	*ret = v;
	return r;
}

static int parse_items(struct parser *p, bool constant, char close, struct value **link)
{
	struct value *first = NULL, **head = link;
	unsigned n = 0;
	int r = enter(p);

	if (r == 0)
		r = advance(p);
	while (r == 0 && !is(p, close)) {
		if (close == ']') {
			first = arena_take(p->arena, sizeof *first);
			r = first ? parse_value(p, constant, first) : -ENOMEM;
		} else {
			if (++n > NAMES_MAX)
				return too_many(p);
			r = parse_named_value(p, constant, &first);
			for (struct value *o = *head; r == 0 && o; o = o->next)
				if (!strcmp(o->name, first->name))
					return why_set(p->why, "query_invalid", "query", "line %u column %u: \"%.60s\" is given twice", first->line,
						       first->column, first->name);
		}
		if (r == 0) {
			*link = first;
			link = &first->next;
		}
	}
	p->nesting--;
	return r ? r : advance(p);
}

static int parse_scalar(struct parser *p, struct value *v)
{
	switch (p->t.kind) {
	case TOKEN_INT: v->kind = VALUE_INT; break;
	case TOKEN_FLOAT: v->kind = VALUE_FLOAT; break;
	case TOKEN_STRING: v->kind = VALUE_STRING; break;
	case TOKEN_NAME:
		v->truth = is_word(p, "true");
		v->kind = v->truth || is_word(p, "false") ? VALUE_BOOL : is_word(p, "null") ? VALUE_NULL : VALUE_ENUM;
		break;
	default:
		return expected(p, "a value");
	}
	v->len = p->t.len;
	v->text = arena_text(p->arena, p->t.text, p->t.len);
	return v->text ? advance(p) : -ENOMEM;
}

static int parse_value(struct parser *p, bool constant, struct value *v)
{
	int r;

	v->line = p->t.line;
	v->column = p->t.column;
	if (is(p, '$')) {
		if (constant)
			return expected(p, "a constant");
		v->kind = VALUE_VARIABLE;
		r = advance(p);
		return r ? r : take_name(p, &v->text, "the name of a variable");
	}
	if (is(p, '[') || is(p, '{')) {
		v->kind = is(p, '[') ? VALUE_LIST : VALUE_OBJECT;
		return parse_items(p, constant, is(p, '[') ? ']' : '}', &v->items);
	}
	return parse_scalar(p, v);
}

static int parse_args(struct parser *p, struct value **ret)
{
	return is(p, '(') ? parse_items(p, false, ')', ret) : 0;
}

/* ---- selections ---- */

static int parse_directives(struct parser *p, struct value **ret_skip, struct value **ret_include)
{
	struct value *args = NULL, **where;
	const char *name;
	int r = 0;

	while (r == 0 && is(p, '@')) {
		r = advance(p);
		if (r == 0)
			r = take_name(p, &name, "the name of a directive");
		if (r)
			return r;
		where = !ret_skip ? NULL : !strcmp(name, "skip") ? ret_skip : !strcmp(name, "include") ? ret_include : NULL;
		if (!where || *where)
			return why_set(p->why, "query_invalid", "query", "directive \"@%.60s\" cannot stand here: known are @skip and @include, each once",
				       name);
		args = NULL;
		r = parse_args(p, &args);
		if (r == 0 && (!args || args->next || strcmp(args->name, "if")))
			return why_set(p->why, "query_invalid", "query", "directive \"@%s\" takes one argument, \"if\"", name);
		*where = args;
	}
	return r;
}

static int parse_selections(struct parser *p, struct selection **ret);

static int parse_field(struct parser *p, struct selection *s)
{
	int r = take_name(p, &s->name, "a field");

	s->kind = SELECT_FIELD;
	s->key = s->name;
	if (r == 0 && is(p, ':')) {
		if (++p->doc->aliases > GQL_ALIASES_MAX)
			return why_set(p->why, "query_too_large", "query", "there are more than %d aliases", GQL_ALIASES_MAX);
		r = advance(p);
		if (r == 0)
			r = take_name(p, &s->name, "a field");
	}
	if (r == 0)
		r = parse_args(p, &s->args);
	if (r == 0)
		r = parse_directives(p, &s->skip, &s->include);
	if (r == 0 && is(p, '{'))
		r = parse_selections(p, &s->sub);
	return r;
}

static int parse_spread(struct parser *p, struct selection *s)
{
	int r = advance(p);

	if (r)
		return r;
	s->kind = SELECT_INLINE;
	if (p->t.kind == TOKEN_NAME && !is_word(p, "on")) {
		s->kind = SELECT_SPREAD;
		r = take_name(p, &s->name, "a fragment");
		return r ? r : parse_directives(p, &s->skip, &s->include);
	}
	if (is_word(p, "on")) {
		r = advance(p);
		if (r == 0)
			r = take_name(p, &s->name, "the name of a type");
	}
	if (r == 0)
		r = parse_directives(p, &s->skip, &s->include);
	return r ? r : parse_selections(p, &s->sub);
}

static int parse_selections(struct parser *p, struct selection **link)
{
	int r = enter(p);

	if (r == 0)
		r = take(p, '{');
	if (r == 0 && is(p, '}'))
		return expected(p, "a field");
	while (r == 0 && !is(p, '}')) {
		struct selection *s = arena_take(p->arena, sizeof *s);

		if (!s)
			return -ENOMEM;
		s->line = p->t.line;
		s->column = p->t.column;
		r = p->t.kind == TOKEN_SPREAD ? parse_spread(p, s) : parse_field(p, s);
		*link = s;
		link = &s->next;
	}
	p->nesting--;
	return r ? r : advance(p);
}

/* ---- definitions ---- */

#define TYPE_TEXT_MAX 300

/* "[Name!]!", in one piece. */
static int parse_type(struct parser *p, const char **ret)
{
	char text[TYPE_TEXT_MAX] = "";
	bool list = is(p, '[');
	const char *name = "";
	int r = list ? advance(p) : 0;

	if (r == 0)
		r = take_name(p, &name, "a type (lists of lists are not known here)");
	if (r)
		return r;
	snprintf(text, sizeof text, "%s%s", list ? "[" : "", name);
	for (int i = 0; i < 2 && r == 0; i++) {
		if (is(p, '!')) {
			strcat(text, "!");
			r = advance(p);
		}
		if (!list || i)
			break;
		if (r == 0)
			r = take(p, ']');
		strcat(text, "]");
	}
	*ret = arena_text(p->arena, text, strlen(text));
	return r ? r : *ret ? 0 : -ENOMEM;
}

static int parse_variable(struct parser *p, struct variable *v)
{
	int r;

	v->line = p->t.line;
	v->column = p->t.column;
	r = take(p, '$');
	if (r == 0)
		r = take_name(p, &v->name, "the name of a variable");
	if (r == 0)
		r = take(p, ':');
	if (r == 0)
		r = parse_type(p, &v->type);
	if (r == 0 && is(p, '=')) {
		v->fallback = arena_take(p->arena, sizeof *v->fallback);
		r = v->fallback ? advance(p) : -ENOMEM;
		if (r == 0)
			r = parse_value(p, true, v->fallback);
	}
	return r ? r : parse_directives(p, NULL, NULL);
}

static int parse_variables(struct parser *p, struct variable **head)
{
	struct variable **link = head;
	unsigned n = 0;
	int r = advance(p);

	if (r == 0 && is(p, ')'))
		return expected(p, "a variable");
	while (r == 0 && !is(p, ')')) {
		struct variable *v = arena_take(p->arena, sizeof *v);

		if (!v)
			return -ENOMEM;
		if (++n > NAMES_MAX)
			return too_many(p);
		r = parse_variable(p, v);
		for (struct variable *o = *head; r == 0 && o; o = o->next)
			if (!strcmp(o->name, v->name))
				return why_set(p->why, "query_invalid", "query", "variable \"$%.60s\" is declared twice", v->name);
		*link = v;
		link = &v->next;
	}
	return r ? r : advance(p);
}

static int parse_operation(struct parser *p, struct operation *o)
{
	int r = 0;

	o->line = p->t.line;
	o->column = p->t.column;
	if (!is(p, '{')) {
		if (is_word(p, "subscription"))
			return why_set(p->why, "query_invalid", "query", "subscriptions are not offered here");
		o->mutation = is_word(p, "mutation");
		if (!o->mutation && !is_word(p, "query"))
			return expected(p, "\"query\", \"mutation\" or \"fragment\"");
		r = advance(p);
		if (r == 0 && p->t.kind == TOKEN_NAME)
			r = take_name(p, &o->name, "a name");
		if (r == 0 && is(p, '('))
			r = parse_variables(p, &o->variables);
		if (r == 0)
			r = parse_directives(p, NULL, NULL);
	}
	return r ? r : parse_selections(p, &o->sub);
}

static int parse_fragment(struct parser *p, struct fragment *f)
{
	int r;

	f->line = p->t.line;
	f->column = p->t.column;
	if (++p->doc->n_fragments > GQL_FRAGMENTS_MAX)
		return why_set(p->why, "query_too_large", "query", "there are more than %d fragments", GQL_FRAGMENTS_MAX);
	r = advance(p);
	if (r == 0 && is_word(p, "on"))
		return expected(p, "the name of a fragment");
	if (r == 0)
		r = take_name(p, &f->name, "the name of a fragment");
	if (r == 0 && document_fragment(p->doc, f->name))
		return why_set(p->why, "query_invalid", "query", "fragment \"%.60s\" is there twice", f->name);
	if (r == 0)
		r = is_word(p, "on") ? advance(p) : expected(p, "\"on\"");
	if (r == 0)
		r = take_name(p, &f->type, "the name of a type");
	if (r == 0)
		r = parse_directives(p, NULL, NULL);
	return r ? r : parse_selections(p, &f->sub);
}

struct fragment *document_fragment(const struct document *document, const char *name)
{
	for (struct fragment *f = document->fragments; f; f = f->next)
		if (!strcmp(f->name, name))
			return f;
	return NULL;
}

static int parse_definition(struct parser *p)
{
	if (is_word(p, "fragment")) {
		struct fragment *f = arena_take(p->arena, sizeof *f);
		int r = f ? parse_fragment(p, f) : -ENOMEM;

		if (r == 0) {
			f->next = p->doc->fragments;
			p->doc->fragments = f;
		}
		return r;
	} else {
		struct operation *o = arena_take(p->arena, sizeof *o);
		int r = o ? parse_operation(p, o) : -ENOMEM;

		if (r == 0) {
			o->next = p->doc->operations;
			p->doc->operations = o;
		}
		return r;
	}
}

int document_parse(struct arena *arena, const char *text, size_t len, struct document *ret, unsigned *ret_line, unsigned *ret_column,
		   struct why *why)
{
	struct parser p = { .arena = arena, .doc = ret, .why = why };
	int r;

	*ret = (struct document){ 0 };
	lexer_init(&p.lexer, arena, text, len);
	r = advance(&p);
	while (r == 0 && p.t.kind != TOKEN_END)
		r = parse_definition(&p);
	if (r == 0 && !ret->operations)
		r = why_set(why, "query_invalid", "query", "there is no operation in the text");
	*ret_line = p.t.line;
	*ret_column = p.t.column;
	return r;
}
