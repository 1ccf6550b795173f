/* lexer - see lexer.h. */
#include "controller/graphql/lexer.h"

#include <string.h>

void lexer_init(struct lexer *lexer, struct arena *arena, const char *text, size_t len)
{
	*lexer = (struct lexer){ .arena = arena, .p = text, .end = text + len, .line_start = text, .line = 1 };
	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
		lexer->p += 3;
}

static void skip_ignored(struct lexer *l)
{
	for (; l->p < l->end; l->p++) {
		if (*l->p == '\n') {
			l->line++;
			l->line_start = l->p + 1;
		} else if (*l->p == '#') {
			while (l->p + 1 < l->end && l->p[1] != '\n')
				l->p++;
		} else if (*l->p != ' ' && *l->p != '\t' && *l->p != ',' && *l->p != '\r') {
			return;
		}
	}
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static char at(const struct lexer *l, size_t i)
{
	return (size_t)(l->end - l->p) > i ? l->p[i] : 0;
}

static int bad(struct why *why, const struct token *t, const char *what)
{
	return why_set(why, "query_invalid", "query", "line %u column %u: %s", t->line, t->column, what);
}

static size_t digits(const struct lexer *l, size_t i)
{
	while (is_digit(at(l, i)))
		i++;
	return i;
}

static int number(struct lexer *l, struct token *t, struct why *why)
{
	size_t begin = at(l, 0) == '-', i = digits(l, begin), from;

	if (i == begin || (at(l, begin) == '0' && i > begin + 1))
		return bad(why, t, "this is no number");
	t->kind = TOKEN_INT;
	if (at(l, i) == '.') {
		t->kind = TOKEN_FLOAT;
		from = i + 1;
		i = digits(l, from);
		if (i == from)
			return bad(why, t, "this is no number");
	}
	if (at(l, i) == 'e' || at(l, i) == 'E') {
		t->kind = TOKEN_FLOAT;
		from = i + 1 + (at(l, i + 1) == '-' || at(l, i + 1) == '+');
		i = digits(l, from);
		if (i == from)
			return bad(why, t, "this is no number");
	}
	if (is_letter(at(l, i)) || at(l, i) == '.' || i > 40)
		return bad(why, t, "this is no number");
	t->len = i;
	l->p += i;
	return 0;
}

static int hex4(const char *p, unsigned *ret)
{
	unsigned v = 0;

	for (int i = 0; i < 4; i++) {
		const char *digit = p[i] ? strchr("0123456789abcdef", p[i] | 0x20) : NULL;

		if (!digit)
			return E_REFUSED;
		v = v << 4 | (unsigned)(digit - "0123456789abcdef");
	}
	*ret = v;
	return 0;
}

static char *put_utf8(char *out, unsigned c)
{
	if (c < 0x80) {
		*out++ = (char)c;
	} else if (c < 0x800) {
		*out++ = (char)(0xc0 | c >> 6);
		*out++ = (char)(0x80 | (c & 0x3f));
	} else {
		*out++ = (char)(0xe0 | c >> 12);
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
		*out++ = (char)(0x80 | (c & 0x3f));
	}
	return out;
}

/* One escape; p is behind the backslash. NULL: there is no such. Surrogates and NUL are not taken. */
static const char *escape(const char *p, const char *end, char **out)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *simple = p < end && *p ? strchr(from, *p) : NULL;
	unsigned c;

	if (simple) {
		*(*out)++ = to[simple - from];
		return p + 1;
	}
	if (end - p < 5 || *p != 'u' || hex4(p + 1, &c) || !c || (c >= 0xd800 && c < 0xe000))
		return NULL;
	*out = put_utf8(*out, c);
	return p + 5;
}

static int string(struct lexer *l, struct token *t, struct why *why)
{
	const char *p = l->p + 1, *close = p;
	char *out;

	if (at(l, 1) == '"' && at(l, 2) == '"')
		return bad(why, t, "block strings (\"\"\") are not supported here: write the text as \"...\"");
	while (close < l->end && *close != '"' && *close != '\n')
		close += *close == '\\' && close + 1 < l->end ? 2 : 1;
	if (close >= l->end || *close != '"')
		return bad(why, t, "this string does not end on its line");
	t->kind = TOKEN_STRING;
	out = arena_take(l->arena, (size_t)(close - p) + 1); /* no escape grows */
	if (!out)
		return -ENOMEM;
	t->text = out;
	while (p < close) {
		if (*p != '\\')
			*out++ = *p++;
		else if (!(p = escape(p + 1, close, &out)))
			return bad(why, t, "there is an escape in this string that is not known");
	}
	t->len = (size_t)(out - t->text);
	l->p = close + 1;
	return 0;
}

int lexer_next(struct lexer *l, struct token *t, struct why *why)
{
	skip_ignored(l);
	*t = (struct token){ .text = l->p, .line = l->line, .column = (unsigned)(l->p - l->line_start) + 1 };
	if (l->p >= l->end)
		return 0;
	if (is_letter(*l->p)) {
		t->kind = TOKEN_NAME;
		while (is_letter(at(l, t->len)) || is_digit(at(l, t->len)))
			t->len++;
		l->p += t->len;
		return t->len > 255 ? bad(why, t, "a name is longer than 255 characters") : 0;
	}
	if (*l->p == '-' || is_digit(*l->p))
		return number(l, t, why);
	if (*l->p == '"')
		return string(l, t, why);
	if (*l->p == '.' && at(l, 1) == '.' && at(l, 2) == '.') {
		t->kind = TOKEN_SPREAD;
		l->p += 3;
		return 0;
	}
	if (!*l->p || !strchr("!$&()=:@[]{}|", *l->p))
		return bad(why, t, "there is a character here that means nothing in GraphQL");
	t->kind = TOKEN_PUNCT;
	t->punct = *l->p++;
	return 0;
}
