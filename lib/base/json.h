/* json - the only way to jansson, plus strict getters: every one names the field and the value in `why` when it refuses.
 * Unknown fields are refused by json_known. Texts are UTF-8 without NUL (jansson checks that) and bounded. */
#pragma once
#include "lib/base/err.h"

#include <jansson.h>

#define JSON_DEPTH_MAX 32

/* One whole document, an object or a list, nested at most JSON_DEPTH_MAX deep; refuses duplicates and trailing bytes. NULL + why. */
json_t *json_parse(const char *text, size_t len, struct why *why);
/* Every key of obj must be in the NULL-ended list. */
int json_known(const json_t *obj, const char *const *names, struct why *why);
/* Absent (or null): *ret untouched, 0. Wrong type, too long, out of range: E_REFUSED. ret of strings is a copy in buf. */
int json_get_str(const json_t *obj, const char *name, char *ret_buf, size_t buf_size, struct why *why);
int json_get_int(const json_t *obj, const char *name, int64_t min, int64_t max, int64_t *ret, struct why *why);
int json_get_num(const json_t *obj, const char *name, double min, double max, double *ret, struct why *why);
int json_get_bool(const json_t *obj, const char *name, bool *ret, struct why *why);
/* The name must be there: E_REFUSED "field_missing" if not. */
int json_need(const json_t *obj, const char *name, struct why *why);

static inline void json_clean(json_t **j)
{
	json_decref(*j);
}
#define CLEAN_JSON __attribute__((cleanup(json_clean)))
