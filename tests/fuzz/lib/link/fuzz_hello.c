/* Any bytes as the payload that came out of a handshake message. */
#include "lib/link/handshake.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct link_hello hello;
	uint64_t features;
	uint32_t session;

	if (link_hello_unpack(data, size, &hello) > E_REFUSED)
		abort();
	if (link_welcome_unpack(data, size, &session, &features) == 0 && session == 0)
		abort();
	return 0;
}
