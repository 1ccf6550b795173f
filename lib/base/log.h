/* log - one line per event on standard error: `level area: text`. Text names the object; secrets never go in.
 *
 * Levels: err = an operator must act; warn = survived ("..., ignoring"); info = a state changed; debug.
 * log_limited() is for what strangers can trigger: at most one line a second per site, with the count of what was left out.
 */
#pragma once
#include "lib/base/err.h"

enum log_level { LOG_L_ERR, LOG_L_WARN, LOG_L_INFO, LOG_L_DEBUG };

void log_set_level(enum log_level level);
/* "error|warning|info|debug" -> level; E_REFUSED if it is none of them. */
int log_level_parse(const char *text, enum log_level *ret_level, struct why *why);
/* Puts `name` (the program, or in simulations the node) before each line; kept by reference. */
void log_set_prefix(const char *name);
void log_line(enum log_level level, const char *area, const char *fmt, ...) PRINTF_LIKE(3, 4);

struct log_limit {
	uint64_t second;
	unsigned left_out;
};
void log_limited_line(struct log_limit *limit, enum log_level level, const char *area, const char *fmt, ...) PRINTF_LIKE(4, 5);

#define log_err(area, ...) log_line(LOG_L_ERR, area, __VA_ARGS__)
#define log_warn(area, ...) log_line(LOG_L_WARN, area, __VA_ARGS__)
#define log_info(area, ...) log_line(LOG_L_INFO, area, __VA_ARGS__)
#define log_debug(area, ...) log_line(LOG_L_DEBUG, area, __VA_ARGS__)
#define log_limited(level, area, ...)                                          \
	do {                                                                   \
		static struct log_limit limit_;                                \
		log_limited_line(&limit_, level, area, __VA_ARGS__);           \
	} while (0)
