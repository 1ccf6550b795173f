/* Any bytes as message 2 of the link's handshake: never accepted, never reads past the end, always wiped. */
#include "lib/noise/ik.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t private_key[CRYPTO_KEY_LEN] = { [0 ... 31] = 1 };
	static const struct noise_ik wiped;
	static struct noise_ik waiting;
	CLEAN_BUF struct buf out = BUF_INIT(NOISE_MESSAGE_MAX);
	struct noise_ik ik;

	if (waiting.step == NOISE_IK_DEAD) {
		uint8_t responder[CRYPTO_KEY_LEN];
		const struct clock clock = clock_real();

		crypto_x25519_public(private_key, responder);
		noise_ik_init_initiator(&waiting, "sixpn-link-1", 12, private_key, responder);
		if (noise_ik_write_1(&waiting, &clock, "", 0, &out) != 0)
			abort();
		buf_clear(&out);
	}
	memcpy(&ik, &waiting, sizeof ik);
	if (noise_ik_read_2(&ik, data, size, &out) != E_REFUSED || out.len || memcmp(&ik, &wiped, sizeof ik) != 0)
		abort();
	return 0;
}
