/* symmetric - SymmetricState with its CipherState (Noise rev 34, 5.1 and 5.2) for ChaChaPoly and BLAKE2s: what every handshake
 * pattern in this room stands on. Plain memory without pointers; wipe it when done. */
#pragma once
#include "lib/noise/blake2s.h"

struct noise_symmetric {
	uint8_t chaining_key[BLAKE2S_LEN];
	uint8_t hash[BLAKE2S_LEN];
	uint8_t key[CRYPTO_KEY_LEN];
	uint64_t nonce;
	bool has_key;
};

/* The nonce of a Noise ChaChaPoly message: four zero bytes, then the counter little-endian. For transport messages too. */
void noise_nonce(uint64_t counter, uint8_t ret_nonce[12]);

void noise_symmetric_init(struct noise_symmetric *ret, const char *protocol_name);
void noise_symmetric_wipe(struct noise_symmetric *s);
void noise_symmetric_mix_hash(struct noise_symmetric *s, const void *data, size_t len);
void noise_symmetric_mix_key(struct noise_symmetric *s, const void *input, size_t len);
/* For psk tokens. */
void noise_symmetric_mix_key_and_hash(struct noise_symmetric *s, const void *input, size_t len);
/* The X25519 of the two, mixed in. -EINVAL if it is all zero (low-order point); the state is then unchanged. */
int noise_symmetric_mix_dh(struct noise_symmetric *s, const uint8_t private_key[CRYPTO_KEY_LEN],
			   const uint8_t public_key[CRYPTO_KEY_LEN]) MUST_CHECK;

/* How many bytes encrypting adds now: 16 with a key, 0 before the first mix_key. */
size_t noise_symmetric_overhead(const struct noise_symmetric *s);
/* ret holds len + overhead bytes. */
void noise_symmetric_encrypt_and_hash(struct noise_symmetric *s, const void *plain, size_t len, uint8_t *ret);
/* ret holds len - overhead bytes. -EBADMSG if too short or not authentic; ret and the state are then not to be used. */
int noise_symmetric_decrypt_and_hash(struct noise_symmetric *s, const uint8_t *sealed, size_t len, uint8_t *ret) MUST_CHECK;

/* Transport keys: the first is initiator to responder, the second the other way. */
void noise_symmetric_split(const struct noise_symmetric *s, uint8_t ret_first[CRYPTO_KEY_LEN], uint8_t ret_second[CRYPTO_KEY_LEN]);
