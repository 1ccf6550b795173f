/* log - see log.h. One write(2) per line, so that lines of several threads and processes never mix. The level and the prefix
 * are the only process-wide state in lib/base: a log that had to be handed to every validator would not be written to. */
#include "lib/base/log.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static enum log_level max_level = LOG_L_INFO;
static const char *prefix;
static pthread_mutex_t limit_lock = PTHREAD_MUTEX_INITIALIZER;

static const char *const level_names[] = { "error", "warning", "info", "debug" };

void log_set_level(enum log_level level)
{
	max_level = level;
}

void log_set_prefix(const char *name)
{
	prefix = name;
}

int log_level_parse(const char *text, enum log_level *ret_level, struct why *why)
{
	for (size_t i = 0; i < ARRAY_LEN(level_names); i++)
		if (!strcmp(text, level_names[i])) {
			*ret_level = (enum log_level)i;
			return 0;
		}
	return why_set(why, "value_invalid", "log_level", "log level \"%.40s\" is not one of error, warning, info, debug", text);
}

static void write_line(enum log_level level, const char *area, const char *fmt, va_list ap)
{
	char line[2048], stamp[32];
	struct timespec now;
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &tm);
	n = (size_t)snprintf(line, sizeof line, "%s.%03ldZ %s%s%s %s: ", stamp, now.tv_nsec / 1000000, prefix ? prefix : "",
			     prefix ? " " : "", level_names[level], area);
	if (n < sizeof line) {
		int m = vsnprintf(line + n, sizeof line - n, fmt, ap);
		if (m > 0)
			n += (size_t)m;
	}
	if (n > sizeof line - 2)
		n = sizeof line - 2;
	for (size_t i = 0; i < n; i++) /* a name from outside must not forge a second line */
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, n) < 0)
		return; /* nobody left to tell */
}

void log_line(enum log_level level, const char *area, const char *fmt, ...)
{
	va_list ap;

	if (level > max_level)
		return;
	va_start(ap, fmt);
	write_line(level, area, fmt, ap);
	va_end(ap);
}

void log_limited_line(struct log_limit *limit, enum log_level level, const char *area, const char *fmt, ...)
{
	struct timespec now;
	unsigned left_out;
	bool show;
	va_list ap;

	if (level > max_level)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	pthread_mutex_lock(&limit_lock);
	show = limit->second != (uint64_t)now.tv_sec + 1;
	left_out = limit->left_out;
	limit->left_out = show ? 0 : left_out + 1;
	if (show)
		limit->second = (uint64_t)now.tv_sec + 1;
	pthread_mutex_unlock(&limit_lock);
	if (!show)
		return;
	if (left_out)
		log_line(level, area, "%u more like the next line were left out", left_out);
	va_start(ap, fmt);
	write_line(level, area, fmt, ap);
	va_end(ap);
}
