/* Any bytes as message 1 of the link's handshake: never accepted, never reads past the end, always wiped. */
#include "lib/noise/ik.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t private_key[CRYPTO_KEY_LEN] = { [0 ... 31] = 2 };
	static const struct noise_ik wiped;
	CLEAN_BUF struct buf payload = BUF_INIT(NOISE_MESSAGE_MAX);
	uint8_t peer[CRYPTO_KEY_LEN];
	struct noise_ik ik;

	noise_ik_init_responder(&ik, "sixpn-link-1", 12, private_key);
	if (noise_ik_read_1(&ik, data, size, &payload, peer) != E_REFUSED || payload.len || memcmp(&ik, &wiped, sizeof ik) != 0)
		abort();
	return 0;
}
