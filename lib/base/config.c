/* config - see config.h. */
#include "lib/base/config.h"

#include "lib/base/file.h"

#include <ctype.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_LIMIT (256u << 10)

static const struct config_key *find_key(const struct config *c, const char *key, size_t *ret_i)
{
	for (size_t i = 0; i < c->n_keys; i++)
		if (!strcmp(c->keys[i].key, key)) {
			*ret_i = i;
			return &c->keys[i];
		}
	return NULL;
}

static int parse_number(const struct config_key *k, const char *text, int64_t *ret, struct why *why)
{
	const char *digits = text + (*text == '-');
	long long n;

	if (!*digits || digits[strspn(digits, "0123456789")])
		return why_set(why, "value_invalid", k->key, "%s = \"%.60s\" is not a whole number", k->key, text);
	errno = 0;
	n = strtoll(text, NULL, 10);
	if (errno || n < k->min || n > k->max)
		return why_set(why, "out_of_range", k->key, "%s = %.60s is out of range, allowed is %lld to %lld", k->key, text,
			       (long long)k->min, (long long)k->max);
	*ret = n;
	return 0;
}

static int parse_bool(const struct config_key *k, const char *text, int64_t *ret, struct why *why)
{
	static const char *const yes[] = { "yes", "true", "on", "1" }, *const no[] = { "no", "false", "off", "0" };

	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		if (!strcmp(text, yes[i]))
			*ret = 1;
		else if (!strcmp(text, no[i]))
			*ret = 0;
		else
			continue;
		return 0;
	}
	return why_set(why, "value_invalid", k->key, "%s = \"%.60s\" is not yes or no", k->key, text);
}

static int check_value(const struct config_key *k, const char *text, int64_t *ret_number, struct why *why)
{
	int r = 0;

	switch (k->type) {
	case CONFIG_INT: r = parse_number(k, text, ret_number, why); break;
	case CONFIG_BOOL: r = parse_bool(k, text, ret_number, why); break;
	case CONFIG_STR:
	case CONFIG_SECRET_FILE:
		if (strlen(text) > (size_t)(k->max ? k->max : 255))
			r = why_set(why, "too_long", k->key, "%s has %zu bytes, at most %lld are allowed", k->key, strlen(text),
				    (long long)(k->max ? k->max : 255));
		break;
	}
	return r;
}

/* source is kept with the value; where begins the sentence of a refusal. */
static int set_value(struct config *c, size_t i, const char *text, const char *source, const char *where, struct why *why)
{
	struct config_value new_value = { 0 };
	struct why inner;
	int r = check_value(&c->keys[i], text, &new_value.number, &inner);

	if (r > 0)
		return why_set(why, inner.code, inner.field, "%s: %s", where, inner.text);
	new_value.text = strdup(text);
	new_value.source = strdup(source);
	if (!new_value.text || !new_value.source) {
		free(new_value.text);
		free(new_value.source);
		return -ENOMEM;
	}
	free(c->values[i].text);
	free(c->values[i].source);
	c->values[i] = new_value;
	return 0;
}

int config_init(struct config *c, const struct config_key *keys, size_t n_keys)
{
	*c = (struct config){ .keys = keys, .n_keys = n_keys };
	c->values = calloc(n_keys, sizeof *c->values);
	if (!c->values)
		return -ENOMEM;
	for (size_t i = 0; i < n_keys; i++) {
		int r = set_value(c, i, keys[i].fallback, "default", "default", NULL);

		if (r) {
			config_deinit(c);
			return r < 0 ? r : -EINVAL; /* a default that breaks its own rule is our mistake */
		}
		c->values[i].is_default = true;
	}
	return 0;
}

void config_deinit(struct config *c)
{
	for (size_t i = 0; c->values && i < c->n_keys; i++) {
		free(c->values[i].text);
		free(c->values[i].source);
	}
	free(c->values);
	free(c->file);
	*c = (struct config){ 0 };
}

static size_t distance(const char *a, const char *b)
{
	size_t row[64], la = strlen(a), lb = strlen(b);

	if (la > 60 || lb > 60)
		return 99;
	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t up = row[j], best = diagonal + (a[i - 1] != b[j - 1]);

			if (up + 1 < best)
				best = up + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
			diagonal = up;
		}
	}
	return row[lb];
}

static int unknown_key(const struct config *c, const char *key, const char *where, struct why *why)
{
	const char *nearest = c->keys[0].key;

	for (size_t i = 1; i < c->n_keys; i++)
		if (distance(key, c->keys[i].key) < distance(key, nearest))
			nearest = c->keys[i].key;
	return why_set(why, "key_unknown", key, "%s: setting \"%.60s\" is not known; the nearest is \"%s\"", where, key, nearest);
}

struct ini_pass {
	struct config *c;
	const char *source, *rest; /* rest: what is not read yet */
	unsigned line;
	char where[300]; /* source and line */
	struct why *why;
	int result;
};

/* Gives the parser one line. It would take an indented line for more of the value before, and the end of a long line for a line
 * of its own, both without a word. */
static char *ini_read_line(char *ret_line, int size, void *stream)
{
	struct ini_pass *pass = stream;
	const char *start = pass->rest;
	size_t len = strcspn(start, "\n"), indent = strspn(start, " \t\r\v\f");

	if (pass->result || !*start)
		return NULL;
	pass->rest += len + (start[len] == '\n');
	pass->line++;
	snprintf(pass->where, sizeof pass->where, "%s line %u", pass->source, pass->line);
	if (indent > len)
		indent = len;
	start += indent;
	len -= indent;
	if (*start == '#' || *start == ';')
		len = 0;
	if (len >= (size_t)size - 1) {
		pass->result = why_set(pass->why, "syntax", "", "%s has %zu bytes, at most %d are allowed", pass->where, len, size - 2);
		return NULL;
	}
	memcpy(ret_line, start, len);
	ret_line[len] = 0;
	return ret_line;
}

static int ini_line(void *user, const char *section, const char *name, const char *value)
{
	struct ini_pass *pass = user;
	size_t i;
	const struct config_key *k = find_key(pass->c, name, &i);

	if (pass->result)
		return 1;
	if (!k)
		pass->result = unknown_key(pass->c, name, pass->where, pass->why);
	else if (strcmp(k->section, section))
		pass->result = why_set(pass->why, "key_unknown", name, "%s: \"%s\" belongs to section [%s], not [%.40s]", pass->where, name,
				       k->section, section);
	else
		pass->result = set_value(pass->c, i, value, pass->source, pass->where, pass->why);
	return 1;
}

int config_read_text(struct config *c, const char *text, const char *source, struct why *why)
{
	struct ini_pass pass = { .c = c, .source = source, .rest = text, .why = why };
	int line = ini_parse_stream(ini_read_line, &pass, ini_line, &pass);

	if (pass.result)
		return pass.result;
	if (line > 0)
		return why_set(why, "syntax", "", "%s line %d is neither [section], key = value nor a comment", source, line);
	return line < 0 ? -EINVAL : 0;
}

int config_read_file(struct config *c, const char *path, bool must_exist, struct why *why)
{
	CLEAN_BUF struct buf text = BUF_INIT(FILE_LIMIT + 1);
	char *copy;
	int r = file_read(path, FILE_LIMIT, &text);

	if (r == -ENOENT && !must_exist)
		return 0;
	if (r < 0)
		return why_set(why, "file_unreadable", "", "%s: %s", path, strerror(-r));
	if (text.len && memchr(text.data, 0, text.len))
		return why_set(why, "syntax", "", "%s holds a NUL byte", path);
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	free(c->file);
	c->file = copy;
	return config_read_text(c, buf_str(&text), c->file, why);
}

int config_read_env(struct config *c, char *const *environ_, struct why *why)
{
	for (size_t i = 0; i < c->n_keys; i++) {
		char name[80] = "SIXPN_";
		size_t n = 6;

		for (const char *p = c->keys[i].key; *p && n < sizeof name - 2; p++)
			name[n++] = (char)toupper((unsigned char)*p);
		name[n++] = '=';
		for (char *const *e = environ_; e && *e; e++)
			if (!strncmp(*e, name, n)) {
				int r = set_value(c, i, *e + n, "environment", "environment", why);

				if (r)
					return r;
			}
	}
	return 0;
}

int config_read_args(struct config *c, int *argc, char **argv, struct why *why)
{
	int out = 1;

	for (int i = 1; i < *argc; i++) {
		char key[80];
		const char *value = NULL, *equals;
		size_t at;
		const struct config_key *k;
		int r;

		if (strncmp(argv[i], "--", 2) || !argv[i][2]) {
			argv[out++] = argv[i];
			continue;
		}
		equals = strchr(argv[i], '=');
		snprintf(key, sizeof key, "%.*s", (int)(equals ? equals - argv[i] - 2 : 79), argv[i] + 2);
		for (char *p = key; *p; p++)
			if (*p == '-')
				*p = '_';
		k = find_key(c, key, &at);
		if (!k)
			return unknown_key(c, key, "command line", why);
		if (equals)
			value = equals + 1;
		else if (k->type == CONFIG_BOOL)
			value = "yes";
		else if (i + 1 < *argc)
			value = argv[++i];
		else
			return why_set(why, "value_missing", key, "--%s needs a value", key);
		r = set_value(c, at, value, "command line", "command line", why);
		if (r)
			return r;
	}
	argv[out] = NULL;
	*argc = out;
	return 0;
}

static const struct config_value *value_of(const struct config *c, const char *key)
{
	size_t i;

	if (!find_key(c, key, &i)) {
		fprintf(stderr, "config: no key \"%s\" in the table\n", key);
		abort(); /* a mistake in our own code */
	}
	return &c->values[i];
}

const char *config_str(const struct config *c, const char *key)
{
	return value_of(c, key)->text;
}

int64_t config_int(const struct config *c, const char *key)
{
	return value_of(c, key)->number;
}

bool config_bool(const struct config *c, const char *key)
{
	return value_of(c, key)->number != 0;
}

void config_print(const struct config *c, struct buf *ret_text)
{
	for (size_t i = 0; i < c->n_keys; i++)
		buf_printf(ret_text, "%s.%s = %s    (%s)\n", c->keys[i].section, c->keys[i].key,
			   c->keys[i].type == CONFIG_SECRET_FILE && c->values[i].text[0] ? "<file>" : c->values[i].text,
			   c->values[i].source);
}

void config_help(const struct config *c, struct buf *ret_text)
{
	for (size_t i = 0; i < c->n_keys; i++) {
		buf_printf(ret_text, "  --%-22s %s", c->keys[i].key, c->keys[i].help);
		if (c->keys[i].fallback[0])
			buf_printf(ret_text, " (default %s)", c->keys[i].fallback);
		buf_add_str(ret_text, "\n");
	}
}

void config_sample(const struct config *c, struct buf *ret_text)
{
	const char *section = "";

	for (size_t i = 0; i < c->n_keys; i++) {
		if (strcmp(section, c->keys[i].section)) {
			section = c->keys[i].section;
			buf_printf(ret_text, "[%s]\n", section);
		}
		buf_printf(ret_text, "#%s = %s    ; %s\n", c->keys[i].key, c->keys[i].fallback, c->keys[i].help);
	}
}
