/* route - see route.h. */
#include "controller/api/route.h"

#include "lib/sixpn/name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct route *route_next(const struct route *at)
{
	const struct route *const *table = route_tables;

	if (!at)
		return *table;
	if (at[1].method)
		return at + 1;
	for (; *table; table++) /* which table did it end? */
		for (const struct route *r = *table; r->method; r++)
			if (r == at)
				return table[1];
	return NULL;
}

/* ---- finding ---- */

static bool pattern_matches(const char *pattern, const struct http_target *target, struct route_match *match)
{
	const char *p = pattern;

	match->n_params = 0;
	for (size_t i = 0; i < target->n_segments; i++) {
		size_t len;

		if (*p++ != '/')
			return false;
		len = strcspn(p, "/");
		if (*p == '{')
			match->params[match->n_params++] = target->segments[i];
		else if (strlen(target->segments[i]) != len || memcmp(target->segments[i], p, len))
			return false;
		p += len;
	}
	return *p == 0;
}

void route_find(const struct http_target *target, const char *method, struct route_match *ret_match)
{
	struct route_match match = { 0 };

	*ret_match = match;
	for (const struct route *r = route_next(NULL); r; r = route_next(r)) {
		size_t len = strlen(ret_match->allow);

		if (!pattern_matches(r->pattern, target, &match))
			continue;
		if (!strcmp(r->method, method)) {
			match.route = r;
			*ret_match = match;
			return;
		}
		snprintf(ret_match->allow + len, sizeof ret_match->allow - len, "%s%s", len ? ", " : "", r->method);
	}
}

/* ---- checking ---- */

static const char *type_text(enum field_type type)
{
	switch (type) {
	case FIELD_TEXT:
	case FIELD_STR: return "a string";
	case FIELD_INT: return "an integer";
	case FIELD_NUM: return "a number";
	case FIELD_BOOL: return "true or false";
	case FIELD_STRINGS: return "a list of strings";
	case FIELD_MAP: return "an object of strings";
	case FIELD_OBJECT: return "an object";
	case FIELD_LIST: return "a list";
	}
	return "?";
}

static int wrong_type(const struct route_field *f, struct why *why)
{
	return why_set(why, "type_invalid", f->name, "field \"%s\" must be %s", f->name, type_text(f->type));
}

static int check_str(const struct route_field *f, const json_t *j, struct why *why)
{
	size_t len = json_string_length(j), max = f->max ? (size_t)f->max : 255;

	if (!json_is_string(j))
		return wrong_type(f, why);
	if (len > max)
		return why_set(why, "too_long", f->name, "field \"%s\" has %zu bytes, at most %zu are allowed", f->name, len, max);
	if (!len && f->min > 0)
		return why_set(why, "field_invalid", f->name, "field \"%s\" must not be empty", f->name);
	if (len < (size_t)f->min)
		return why_set(why, "field_invalid", f->name, "field \"%s\" has %zu bytes, at least %lld are needed", f->name, len, (long long)f->min);
	return name_check_text(f->name, json_string_value(j), max, why);
}

static int check_number(const struct route_field *f, const json_t *j, struct why *why)
{
	double value = json_number_value(j);

	if (f->type == FIELD_INT ? !json_is_integer(j) : !json_is_number(j))
		return wrong_type(f, why);
	if (!(value >= (double)f->min && value <= (double)f->max))
		return why_set(why, "out_of_range", f->name, "field \"%s\" is %.15g, allowed is %lld to %lld", f->name, value,
			       (long long)f->min, (long long)f->max);
	return 0;
}

static int check_strings(const struct route_field *f, const json_t *j, struct why *why)
{
	size_t i;
	json_t *item;

	if (!json_is_array(j))
		return wrong_type(f, why);
	if (json_array_size(j) < (size_t)f->min || json_array_size(j) > (size_t)f->max)
		return why_set(why, "out_of_range", f->name, "field \"%s\" has %zu items, allowed is %lld to %lld", f->name,
			       json_array_size(j), (long long)f->min, (long long)f->max);
	json_array_foreach(j, i, item) {
		if (f->type == FIELD_LIST)
			continue;
		if (!json_is_string(item))
			return wrong_type(f, why);
		if (json_string_length(item) > ROUTE_TEXT_MAX)
			return why_set(why, "too_long", f->name, "item %zu of \"%s\" is longer than %d bytes", i, f->name, ROUTE_TEXT_MAX);
	}
	return 0;
}

static int check_map(const struct route_field *f, const json_t *j, struct why *why)
{
	const char *key;
	json_t *value;

	if (!json_is_object(j))
		return wrong_type(f, why);
	if (f->type == FIELD_OBJECT)
		return 0;
	if (json_object_size(j) > (size_t)f->max)
		return why_set(why, "out_of_range", f->name, "field \"%s\" has %zu entries, at most %lld are allowed", f->name,
			       json_object_size(j), (long long)f->max);
	json_object_foreach((json_t *)(uintptr_t)j, key, value)
		if (!json_is_string(value) || json_string_length(value) > ROUTE_TEXT_MAX)
			return why_set(why, "type_invalid", f->name, "\"%.60s\" in field \"%s\" must be a string of at most %d bytes", key,
				       f->name, ROUTE_TEXT_MAX);
	return 0;
}

static int check_field(const struct route_field *f, const json_t *j, struct why *why)
{
	switch (f->type) {
	case FIELD_TEXT:
		if (!json_is_string(j))
			return wrong_type(f, why);
		return json_string_length(j) <= (size_t)f->max ? 0 :
							       why_set(why, "too_long", f->name, "field \"%s\" has %zu bytes, at most %lld are allowed",
								       f->name, json_string_length(j), (long long)f->max);
	case FIELD_STR:
		return check_str(f, j, why);
	case FIELD_INT:
	case FIELD_NUM:
		return check_number(f, j, why);
	case FIELD_BOOL:
		return json_is_boolean(j) ? 0 : wrong_type(f, why);
	case FIELD_STRINGS:
	case FIELD_LIST:
		return check_strings(f, j, why);
	case FIELD_MAP:
	case FIELD_OBJECT:
		return check_map(f, j, why);
	}
	return wrong_type(f, why);
}

static const struct route_field *field_find(const struct route_field *fields, const char *name)
{
	for (; fields && fields->name; fields++)
		if (!strcmp(fields->name, name))
			return fields;
	return NULL;
}

int route_check_body(const struct route *route, const json_t *body, struct why *why)
{
	const char *key;
	json_t *value;

	if (body && !route->fields)
		return why_set(why, "body_unexpected", "", "%s %s takes no body", route->method, route->pattern);
	if (body && !json_is_object(body))
		return why_set(why, "json_invalid", "", "the body must be a JSON object");
	json_object_foreach((json_t *)(uintptr_t)body, key, value) {
		const struct route_field *f = field_find(route->fields, key);

		if (!f)
			return why_set(why, "field_unknown", key, "field \"%.60s\" is not known here", key);
		if (!json_is_null(value) && check_field(f, value, why))
			return E_REFUSED;
	}
	for (const struct route_field *f = route->fields; f && f->name; f++) {
		const json_t *j = json_object_get(body, f->name);

		if (f->required && (!j || json_is_null(j)))
			return why_set(why, "field_missing", f->name, "field \"%s\" is missing: %s", f->name, f->help);
	}
	return 0;
}

static bool in_words(const char *words, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = words; p && *p && len; p += strcspn(p, " "), p += strspn(p, " "))
		if (strcspn(p, " ") == len && !memcmp(p, word, len))
			return true;
	return false;
}

bool route_is_yes_or_no(const char *name)
{
	return in_words("strict dry_run force revoked released kill force_stop", name);
}

/* A value that is not understood must not pass for "no": who writes dry_run=yes does not want the write. */
static int check_query_value(const char *name, const char *value, struct why *why)
{
	if (route_is_yes_or_no(name) && *value && !in_words("1 0 true false", value))
		return why_set(why, "value_invalid", name, "query parameter \"%s\" is \"%.30s\": it can be true or false", name, value);
	if (!strcmp(name, "limit") && (!*value || value[strspn(value, "0123456789")] || !value[strspn(value, "0")]))
		return why_set(why, "value_invalid", name, "query parameter \"limit\" is \"%.30s\": it must be a number above 0", value);
	if (!strcmp(name, "limit") && strtoull(value, NULL, 10) > STORE_PAGE_MAX)
		return why_set(why, "out_of_range", name, "query parameter \"limit\" is \"%.30s\": a page has at most %d; the rest comes with \"next\"",
			       value, STORE_PAGE_MAX);
	return 0;
}

int route_check_query(const struct route *route, const struct http_target *target, struct why *why)
{
	for (size_t i = 0; i < target->n_query; i++) {
		const char *name = target->query[i].name;

		if (!in_words(route->query, name) && !(route->write && in_words("wait timeout strict on dry_run", name)) &&
		    !(route->waits && in_words("timeout strict on", name)) &&
		    !(route->list && in_words("after limit prefix", name)) && !(route->watch && in_words("after timeout", name)))
			return why_set(why, "field_unknown", name, "query parameter \"%.60s\" is not known here", name);
		if (!route->repeats && http_target_query(target, name) != target->query[i].value)
			return why_set(why, "query_invalid", name, "query parameter \"%.60s\" is given twice", name);
		if (check_query_value(name, target->query[i].value, why))
			return E_REFUSED;
	}
	return 0;
}

int route_parse_duration(const char *field, const char *text, uint32_t max_ms, uint32_t *ret_ms, struct why *why)
{
	static const struct {
		const char *unit;
		uint32_t ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 } };
	char *end;
	unsigned long long n = strtoull(text, &end, 10);

	for (size_t i = 0; i < ARRAY_LEN(units) && text[0] >= '0' && text[0] <= '9'; i++)
		if (!strcmp(end, units[i].unit)) {
			if (n > max_ms / units[i].ms)
				return why_set(why, "out_of_range", field, "\"%s\" is \"%.30s\", at most %u ms are allowed", field, text,
					       max_ms);
			*ret_ms = (uint32_t)n * units[i].ms;
			return 0;
		}
	return why_set(why, "field_invalid", field, "\"%s\" is \"%.30s\", which is not a time such as 500ms, 10s or 2m", field, text);
}
