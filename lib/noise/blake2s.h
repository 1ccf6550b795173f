/* blake2s - BLAKE2s (RFC 7693), HMAC over it (RFC 2104, 64-byte block), and the key derivation of the Noise Protocol Framework
 * (rev 34, 4.3), which WireGuard shares. Computed by libcrypto; its algorithm objects are fetched once per process.
 *
 * Nothing here returns an error: the inputs cannot be wrong, and if libcrypto cannot start or has no memory for a hash state the
 * process aborts, because going on without the hash would mean going on without the check that needs it. */
#pragma once
#include "lib/base/crypto.h"

#define BLAKE2S_LEN 32
#define BLAKE2S_BLOCK_LEN 64
#define BLAKE2S_MAC_LEN 16

/* BLAKE2s-256 over the parts one after the other. ret_hash may overlap a part. */
void blake2s_hash(const struct crypto_part *parts, size_t n_parts, uint8_t ret_hash[BLAKE2S_LEN]);

/* Keyed BLAKE2s (not HMAC). key_len is 1 to 32; ret_len is 16 or 32; anything else is a mistake of the caller and aborts. */
void blake2s_keyed(const uint8_t *key, size_t key_len, const struct crypto_part *parts, size_t n_parts, uint8_t *ret_mac,
		   size_t ret_len);

/* HMAC-BLAKE2s-256; a key longer than the block is hashed first. */
void blake2s_hmac(const uint8_t *key, size_t key_len, const struct crypto_part *parts, size_t n_parts, uint8_t ret_mac[BLAKE2S_LEN]);

/* HKDF of Noise: one, two or three outputs. ret_2 and ret_3 may be NULL for fewer (ret_3 only together with ret_2). Outputs may
 * be the same memory as chaining_key or input. */
void blake2s_kdf(const uint8_t chaining_key[BLAKE2S_LEN], const void *input, size_t input_len, uint8_t ret_1[BLAKE2S_LEN],
		 uint8_t ret_2[BLAKE2S_LEN], uint8_t ret_3[BLAKE2S_LEN]);
