/* error - the one table of refusal codes: the code that programs test, its HTTP status, the exit status of the CLI, and what to
 * do next. Codes are stable for ever; a sentence with the value comes from the `struct why` of whoever refused. */
#pragma once
#include "lib/base/err.h"

/* Exit statuses of `sixpn`: 0 good, 1 refused, 2 usage, 3 not found, 4 not allowed, 5 unreachable, 6 not applied in time, 7 partly. */
struct error_code {
	const char *code;
	int http_status;
	int exit_status;
	const char *hint; /* "" = the sentence says it all */
};

/* Never NULL: an unknown code is given the entry "internal" (500). */
const struct error_code *error_find(const char *code);
int error_http_status(const char *code);
/* Status of a finished op: 200 for 0, the table's for E_REFUSED, 507 for -ENOSPC, 503 for -ESTALE and -ECANCELED, 500 else. */
int error_status_of(int result, const struct why *why);
const struct error_code *error_table(size_t *ret_count);
