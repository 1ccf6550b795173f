/* err - see err.h. */
#include "lib/base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int why_set(struct why *why, const char *code, const char *field, const char *fmt, ...)
{
	va_list ap;

	if (!why)
		return E_REFUSED;
	snprintf(why->code, sizeof why->code, "%s", code);
	snprintf(why->field, sizeof why->field, "%s", field ? field : "");
	va_start(ap, fmt);
	vsnprintf(why->text, sizeof why->text, fmt, ap);
	va_end(ap);
	return E_REFUSED;
}

void cleanup_free(void *p)
{
	free(*(void **)p);
}

void cleanup_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
