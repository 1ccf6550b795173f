/* Keys of peers as people send them: what is taken is one spelling of a key with which a secret can be agreed. */
#include "controller/store/peer_key.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t scalar[CRYPTO_KEY_LEN] = { 8, 1, 2, 3, [31] = 64 };
	uint8_t key[CRYPTO_KEY_LEN], shared[CRYPTO_KEY_LEN];
	char text[256], again[CRYPTO_BASE64_KEY_LEN + 1];
	struct why why;

	if (size >= sizeof text)
		return 0;
	if (size == CRYPTO_KEY_LEN) { /* as if it were well spelled: what the bytes say */
		crypto_base64(data, size, text);
	} else {
		memcpy(text, data, size);
		text[size] = 0;
	}
	if (peer_key_parse("public_key", text, key, &why) == 0) {
		crypto_base64(key, sizeof key, again);
		if (strcmp(again, text) || crypto_x25519(scalar, key, shared) != 0 || key[31] > 0x7f)
			abort();
	} else if (strcmp(why.code, "key_invalid")) {
		abort();
	}
	if (peer_key_parse_preshared("preshared_key", text, key, &why) && strlen(text) > 8 && strstr(why.text, text))
		abort(); /* a secret in a refusal */
	return 0;
}
