/* The reply of the WireGuard process: whatever comes, what is delivered is in bounds and a good reply has a good errno. */
#include <stdlib.h>

#include "lib/netlink/wg_uapi.h"

static void see(void *ctx, const struct wg_peer_status *status)
{
	(void)ctx;
	for (size_t i = 0; i < status->peer.n_allowed; i++)
		if (status->peer.allowed[i].len > (status->peer.allowed[i].family == AF_INET ? 32 : 128))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wg_device device;
	int answer = -1;

	if (wg_uapi_parse((const char *)data, size, see, NULL, &device, &answer) == 0 && (answer < 0 || answer > 4095))
		abort();
	return 0;
}
