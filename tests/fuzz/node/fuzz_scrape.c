/* The request of a scrape: what anybody who reaches the metrics port can send. */
#include "node/scrape_request.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size ? size : 1); /* exactly as long, so that reading past it is seen */
	enum scrape_verdict verdict;

	memcpy(copy, data, size);
	verdict = scrape_judge(copy, size);
	if (verdict == SCRAPE_GOOD && (size < 18 || memcmp(data, "GET /metrics", 12)))
		abort();
	if (verdict == SCRAPE_MORE && size >= SCRAPE_REQUEST_MAX)
		abort();
	free(copy);
	return 0;
}
