/* Any bytes as a WireGuard initiation; mac1 is put right in half of the runs, so that the seals are reached. */
#include "lib/noise/initiation.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t private_key[CRYPTO_KEY_LEN] = { [0 ... 31] = 2 };
	static struct noise_initiation_opener opener;
	uint8_t msg[NOISE_INITIATION_LEN];
	struct noise_initiation found;

	if (!opener.public_key[0])
		noise_initiation_opener_init(&opener, private_key);
	(void)!noise_initiation_open(&opener, data, size, &found);
	if (size < sizeof msg)
		return 0;
	memcpy(msg, data, sizeof msg);
	msg[0] = 1;
	memset(msg + 1, 0, 3);
	noise_mac1(&opener.mac, msg, 116, msg + 116);
	if (noise_initiation_open(&opener, msg, sizeof msg, &found) == 0 && memcmp(found.peer_public, "\xa4\xe0\x92\x92", 4) != 0)
		abort(); /* only the vector of the unit test, if the fuzzer ever finds it, may open */
	return 0;
}
