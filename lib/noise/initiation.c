/* initiation - see initiation.h. Little-endian, unlike most else here, because WireGuard's messages are. */
#include "lib/noise/initiation.h"

#include <string.h>

#define PROTOCOL "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s"
#define IDENTIFIER "WireGuard v1 zx2c4 Jason@zx2c4.com"

enum {
	AT_TYPE = 0, /* 1, then three zero bytes */
	AT_SENDER = 4,
	AT_EPHEMERAL = 8,
	AT_STATIC = AT_EPHEMERAL + CRYPTO_KEY_LEN,
	SEALED_STATIC_LEN = CRYPTO_KEY_LEN + CRYPTO_AEAD_TAG_LEN,
	AT_TIMESTAMP = AT_STATIC + SEALED_STATIC_LEN,
	SEALED_TIMESTAMP_LEN = TAI64N_LEN + CRYPTO_AEAD_TAG_LEN,
	AT_MAC1 = AT_TIMESTAMP + SEALED_TIMESTAMP_LEN,
	AT_MAC2 = AT_MAC1 + NOISE_MAC_LEN,
};
_Static_assert(AT_MAC2 + NOISE_MAC_LEN == NOISE_INITIATION_LEN, "the parts add up to the message");

void noise_initiation_opener_init(struct noise_initiation_opener *ret, const uint8_t private_key[CRYPTO_KEY_LEN])
{
	memcpy(ret->private_key, private_key, CRYPTO_KEY_LEN);
	crypto_x25519_public(private_key, ret->public_key);
	noise_mac_keys_init(&ret->mac, NOISE_WIREGUARD_MAC1_LABEL, NOISE_WIREGUARD_COOKIE_LABEL, ret->public_key);
	noise_symmetric_init(&ret->start, PROTOCOL);
	noise_symmetric_mix_hash(&ret->start, IDENTIFIER, strlen(IDENTIFIER));
	noise_symmetric_mix_hash(&ret->start, ret->public_key, CRYPTO_KEY_LEN);
}

void noise_initiation_opener_wipe(struct noise_initiation_opener *opener)
{
	crypto_wipe(opener, sizeof *opener);
}

bool noise_initiation_plausible(const struct noise_initiation_opener *opener, const void *msg, size_t len)
{
	static const uint8_t type[4] = { 1, 0, 0, 0 };
	const uint8_t *p = msg;

	return len == NOISE_INITIATION_LEN && memcmp(p + AT_TYPE, type, sizeof type) == 0 &&
	       noise_mac1_good(&opener->mac, p, AT_MAC1, p + AT_MAC1);
}

/* Both seals, in the order in which one proves more than the other. */
static bool open_seals(struct noise_symmetric *s, const uint8_t private_key[CRYPTO_KEY_LEN], const uint8_t *msg,
		       struct noise_initiation *ret)
{
	noise_symmetric_mix_hash(s, msg + AT_EPHEMERAL, CRYPTO_KEY_LEN);
	noise_symmetric_mix_key(s, msg + AT_EPHEMERAL, CRYPTO_KEY_LEN); /* patterns with a psk mix the public e into the key too */
	return noise_symmetric_mix_dh(s, private_key, msg + AT_EPHEMERAL) == 0 &&
	       noise_symmetric_decrypt_and_hash(s, msg + AT_STATIC, SEALED_STATIC_LEN, ret->peer_public) == 0 &&
	       noise_symmetric_mix_dh(s, private_key, ret->peer_public) == 0 &&
	       noise_symmetric_decrypt_and_hash(s, msg + AT_TIMESTAMP, SEALED_TIMESTAMP_LEN, ret->timestamp) == 0;
}

int noise_initiation_open(const struct noise_initiation_opener *opener, const void *msg, size_t len, struct noise_initiation *ret)
{
	struct noise_symmetric s = opener->start;
	struct noise_initiation found = { 0 };
	const uint8_t *p = msg;
	int r = E_REFUSED;

	if (noise_initiation_plausible(opener, msg, len) && open_seals(&s, opener->private_key, p, &found)) {
		found.sender_index = (uint32_t)p[AT_SENDER] | (uint32_t)p[AT_SENDER + 1] << 8 | (uint32_t)p[AT_SENDER + 2] << 16 |
				     (uint32_t)p[AT_SENDER + 3] << 24;
		*ret = found;
		r = 0;
	}
	noise_symmetric_wipe(&s);
	crypto_wipe(&found, sizeof found);
	return r;
}
