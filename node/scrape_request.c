/* scrape_request - see scrape_request.h. */
#include "node/scrape_request.h"

#include <stdbool.h>
#include <string.h>

/* Method, target and version, one space between them, and nothing that is no printable ASCII. */
static enum scrape_verdict judge_line(const char *line, size_t n)
{
	const char *end = line + n, *target = memchr(line, ' ', n), *version;
	size_t path_len;

	for (const char *p = line; p < end; p++)
		if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
			return SCRAPE_BAD;
	version = target ? memchr(target + 1, ' ', (size_t)(end - target - 1)) : NULL;
	if (!version || target == line || end - version != 9 || memcmp(version, " HTTP/1.", 8) || (version[8] != '0' && version[8] != '1'))
		return SCRAPE_BAD;
	if (target - line != 3 || memcmp(line, "GET", 3))
		return SCRAPE_METHOD;
	target++;
	path_len = (size_t)(version - target);
	for (const char *p = target; p < version; p++)
		if (*p == '?') {
			path_len = (size_t)(p - target);
			break;
		}
	return path_len == 8 && !memcmp(target, "/metrics", 8) ? SCRAPE_GOOD : SCRAPE_ELSEWHERE;
}

enum scrape_verdict scrape_judge(const char *bytes, size_t n)
{
	const char *line_end = memmem(bytes, n, "\r\n", 2);

	if (!memmem(bytes, n, "\r\n\r\n", 4))
		return n >= SCRAPE_REQUEST_MAX ? SCRAPE_TOO_LARGE : SCRAPE_MORE;
	return judge_line(bytes, (size_t)(line_end - bytes));
}
