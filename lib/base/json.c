/* json - see json.h. */
#include "lib/base/json.h"

#include <string.h>

/* Counts brackets outside strings, before anything recurses over them. */
static bool too_deep(const char *text, size_t len)
{
	size_t depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		if (in_string && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			in_string = !in_string;
		else if (!in_string && (text[i] == '[' || text[i] == '{') && ++depth > JSON_DEPTH_MAX)
			return true;
		else if (!in_string && (text[i] == ']' || text[i] == '}') && depth)
			depth--;
	}
	return false;
}

json_t *json_parse(const char *text, size_t len, struct why *why)
{
	json_error_t error;
	json_t *doc;

	if (too_deep(text, len)) {
		why_set(why, "json_invalid", "", "the body is nested too deep, at most %d levels are allowed", JSON_DEPTH_MAX);
		return NULL;
	}
	doc = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (!doc)
		why_set(why, "json_invalid", "", "the body is not JSON: line %d column %d: %s", error.line, error.column, error.text);
	return doc;
}

int json_known(const json_t *obj, const char *const *names, struct why *why)
{
	const char *key;
	json_t *value;

	if (!json_is_object(obj))
		return why_set(why, "json_invalid", "", "the body must be a JSON object");
	json_object_foreach((json_t *)(uintptr_t)obj, key, value) {
		const char *const *n = names;

		while (*n && strcmp(*n, key))
			n++;
		if (!*n)
			return why_set(why, "field_unknown", key, "field \"%.60s\" is not known here", key);
	}
	return 0;
}

static const char *type_name(const json_t *j)
{
	switch (json_typeof(j)) {
	case JSON_OBJECT: return "an object";
	case JSON_ARRAY: return "a list";
	case JSON_STRING: return "a string";
	case JSON_INTEGER: return "an integer";
	case JSON_REAL: return "a number";
	case JSON_TRUE:
	case JSON_FALSE: return "true or false";
	case JSON_NULL: return "null";
	}
	return "?";
}

static const json_t *present(const json_t *obj, const char *name)
{
	const json_t *j = json_object_get(obj, name);

	return j && !json_is_null(j) ? j : NULL;
}

static int wrong_type(const json_t *j, const char *name, const char *wanted, struct why *why)
{
	return why_set(why, "type_invalid", name, "field \"%s\" must be %s, not %s", name, wanted, type_name(j));
}

int json_get_str(const json_t *obj, const char *name, char *ret_buf, size_t buf_size, struct why *why)
{
	const json_t *j = present(obj, name);

	if (!j)
		return 0;
	if (!json_is_string(j))
		return wrong_type(j, name, "a string", why);
	if (json_string_length(j) >= buf_size)
		return why_set(why, "too_long", name, "field \"%s\" has %zu bytes, at most %zu are allowed", name, json_string_length(j),
			       buf_size - 1);
	memcpy(ret_buf, json_string_value(j), json_string_length(j) + 1);
	return 0;
}

int json_get_int(const json_t *obj, const char *name, int64_t min, int64_t max, int64_t *ret, struct why *why)
{
	const json_t *j = present(obj, name);

	if (!j)
		return 0;
	if (!json_is_integer(j))
		return wrong_type(j, name, "an integer", why);
	if (json_integer_value(j) < min || json_integer_value(j) > max)
		return why_set(why, "out_of_range", name, "field \"%s\" is %lld, allowed is %lld to %lld", name,
			       (long long)json_integer_value(j), (long long)min, (long long)max);
	*ret = json_integer_value(j);
	return 0;
}

int json_get_num(const json_t *obj, const char *name, double min, double max, double *ret, struct why *why)
{
	const json_t *j = present(obj, name);

	if (!j)
		return 0;
	if (!json_is_number(j))
		return wrong_type(j, name, "a number", why);
	if (!(json_number_value(j) >= min && json_number_value(j) <= max))
		return why_set(why, "out_of_range", name, "field \"%s\" is %g, allowed is %g to %g", name, json_number_value(j), min, max);
	*ret = json_number_value(j);
	return 0;
}

int json_get_bool(const json_t *obj, const char *name, bool *ret, struct why *why)
{
	const json_t *j = present(obj, name);

	if (!j)
		return 0;
	if (!json_is_boolean(j))
		return wrong_type(j, name, "true or false", why);
	*ret = json_is_true(j);
	return 0;
}

int json_need(const json_t *obj, const char *name, struct why *why)
{
	if (present(obj, name))
		return 0;
	return why_set(why, "field_missing", name, "field \"%s\" is missing", name);
}
