/* The kernel's answer about the generation of its ruleset: whatever comes, a number or an error. */
#include "lib/netlink/nft_internal.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *reply = malloc(size ? size : 1); /* of its own size and alignment, so that every byte too far is seen */
	uint32_t generation = 0;

	if (!reply)
		return 0;
	memcpy(reply, data, size);
	if (nft_generation_parse(reply, size, 1, 2, &generation) == 0 && !generation)
		abort();
	free(reply);
	return 0;
}
