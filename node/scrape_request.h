/* scrape_request - is this a GET of /metrics? All of HTTP that a node understands. */
#pragma once
#include <stddef.h>

#define SCRAPE_REQUEST_MAX 4096

enum scrape_verdict {
	SCRAPE_MORE = 0,         /* not complete yet */
	SCRAPE_GOOD = 200,
	SCRAPE_BAD = 400,        /* no HTTP/1 request */
	SCRAPE_ELSEWHERE = 404,
	SCRAPE_METHOD = 405,
	SCRAPE_TOO_LARGE = 431,  /* SCRAPE_REQUEST_MAX bytes and no end */
};
/* Pure. The bytes that came so far; a body is never read. */
enum scrape_verdict scrape_judge(const char *bytes, size_t n);
