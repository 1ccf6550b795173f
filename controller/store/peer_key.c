/* peer_key - see peer_key.h. */
#include "controller/store/peer_key.h"

#include <string.h>

static bool is_zero(const uint8_t key[CRYPTO_KEY_LEN])
{
	static const uint8_t zero[CRYPTO_KEY_LEN];

	return crypto_equal(key, zero, sizeof zero);
}

/* Below 2^255 - 19, little-endian: every other spelling of the same point would be a second name for one key. */
static bool is_canonical(const uint8_t key[CRYPTO_KEY_LEN])
{
	if (key[31] != 0x7f)
		return key[31] < 0x7f;
	for (size_t i = 30; i > 0; i--)
		if (key[i] != 0xff)
			return true;
	return key[0] < 0xed;
}

/* Every scalar is a multiple of eight after clamping, which sends every point of low order to zero. */
static bool is_low_order(const uint8_t key[CRYPTO_KEY_LEN])
{
	static const uint8_t scalar[CRYPTO_KEY_LEN] = { 8, [31] = 64 };
	uint8_t shared[CRYPTO_KEY_LEN];

	return crypto_x25519(scalar, key, shared) != 0;
}

int peer_key_parse(const char *field, const char *text, uint8_t ret_key[CRYPTO_KEY_LEN], struct why *why)
{
	uint8_t key[CRYPTO_KEY_LEN];
	size_t len = strlen(text);

	if (len != CRYPTO_BASE64_KEY_LEN)
		return why_set(why, "key_invalid", field, "%s \"%.50s\" has %zu characters; a key is 44 of base64, which are 32 bytes", field, text,
			       len);
	if (crypto_unbase64(text, len, key, sizeof key) != 0)
		return why_set(why, "key_invalid", field, "%s \"%.44s\" is not standard base64 of 32 bytes", field, text);
	if (is_zero(key))
		return why_set(why, "key_invalid", field, "%s is all zeros, which is no key", field);
	if (!is_canonical(key))
		return why_set(why, "key_invalid", field, "%s \"%.44s\" is above the largest that there is: no program makes such a key", field, text);
	if (is_low_order(key))
		return why_set(why, "key_invalid", field, "%s \"%.44s\" is a point of low order, with which no secret can be agreed", field, text);
	memcpy(ret_key, key, sizeof key);
	return 0;
}

int peer_key_parse_preshared(const char *field, const char *text, uint8_t ret_key[CRYPTO_KEY_LEN], struct why *why)
{
	uint8_t key[CRYPTO_KEY_LEN];
	size_t len = strlen(text);
	int r = 0;

	if (len != CRYPTO_BASE64_KEY_LEN)
		r = why_set(why, "key_invalid", field, "%s has %zu characters; a key is 44 of base64, which are 32 bytes", field, len);
	else if (crypto_unbase64(text, len, key, sizeof key) != 0)
		r = why_set(why, "key_invalid", field, "%s is not standard base64 of 32 bytes", field);
	else if (is_zero(key))
		r = why_set(why, "key_invalid", field, "%s is all zeros, which is the same as none: leave it out", field);
	else
		memcpy(ret_key, key, sizeof key);
	crypto_wipe(key, sizeof key);
	return r;
}
