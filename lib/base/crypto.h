/* crypto - the only way to libsodium. Keys are 32 bytes; all encodings are lower-case hex or standard base64.
 * BLAKE2s (Noise, WireGuard) is not in libsodium and lives in lib/noise. */
#pragma once
#include "lib/base/err.h"

#define CRYPTO_KEY_LEN 32
#define CRYPTO_HASH_LEN 32
#define CRYPTO_AEAD_TAG_LEN 16
#define CRYPTO_BASE64_KEY_LEN 44 /* 32 bytes in base64, without the NUL */

/* Call once before anything else; aborts if the library cannot start (no entropy). */
void crypto_init(void);
void crypto_random(void *ret_bytes, size_t n);
void crypto_wipe(void *p, size_t n);
/* Constant time. */
bool crypto_equal(const void *a, const void *b, size_t n);

/* X25519 (RFC 7748). crypto_x25519 returns -EINVAL if the result is all zero (a low-order point). */
void crypto_x25519_keypair(uint8_t ret_private[CRYPTO_KEY_LEN], uint8_t ret_public[CRYPTO_KEY_LEN]);
void crypto_x25519_public(const uint8_t private_key[CRYPTO_KEY_LEN], uint8_t ret_public[CRYPTO_KEY_LEN]);
int crypto_x25519(const uint8_t private_key[CRYPTO_KEY_LEN], const uint8_t public_key[CRYPTO_KEY_LEN],
		  uint8_t ret_shared[CRYPTO_KEY_LEN]) MUST_CHECK;

/* BLAKE2b-256 (RFC 7693) over the parts, one after the other; key may be NULL. Parts are not length-prefixed: callers whose
 * parts vary in length put the lengths in. */
struct crypto_part {
	const void *data;
	size_t len;
};
void crypto_blake2b(const uint8_t *key, size_t key_len, const struct crypto_part *parts, size_t n_parts,
		    uint8_t ret_hash[CRYPTO_HASH_LEN]);

/* SHA-256 (FIPS 180-4): only where others have chosen it, as PKCE (RFC 7636). */
void crypto_sha256(const void *bytes, size_t n, uint8_t ret_hash[32]);

/* BLAKE2b without a key, for what does not fit into memory: begin, add as often as needed, end. */
struct crypto_hash {
	_Alignas(64) uint8_t state[384];
};
void crypto_hash_begin(struct crypto_hash *h);
void crypto_hash_add(struct crypto_hash *h, const void *bytes, size_t n);
void crypto_hash_end(struct crypto_hash *h, uint8_t ret_hash[CRYPTO_HASH_LEN]);

/* ChaCha20-Poly1305 with a 12-byte nonce (RFC 8439). out holds len + 16 bytes when sealing; len (with the tag) - 16 when
 * opening. crypto_open returns -EBADMSG if the tag is wrong. in == out is allowed. */
void crypto_seal(const uint8_t key[CRYPTO_KEY_LEN], const uint8_t nonce[12], const void *aad, size_t aad_len, const void *in,
		 size_t len, uint8_t *out);
int crypto_open(const uint8_t key[CRYPTO_KEY_LEN], const uint8_t nonce[12], const void *aad, size_t aad_len, const uint8_t *in,
		size_t len, uint8_t *out) MUST_CHECK;

/* The same with a 24-byte nonce (XChaCha20-Poly1305, draft-irtf-cfrg-xchacha), which may be drawn at random. */
void crypto_xseal(const uint8_t key[CRYPTO_KEY_LEN], const uint8_t nonce[24], const void *aad, size_t aad_len, const void *in,
		  size_t len, uint8_t *out);
int crypto_xopen(const uint8_t key[CRYPTO_KEY_LEN], const uint8_t nonce[24], const void *aad, size_t aad_len, const uint8_t *in,
		 size_t len, uint8_t *out) MUST_CHECK;

/* Text forms. ret must hold 2 * n + 1 bytes for hex, 4 * ceil(n / 3) + 1 for base64. */
void crypto_hex(const void *bytes, size_t n, char *ret_text);
int crypto_unhex(const char *text, size_t text_len, void *ret_bytes, size_t n) MUST_CHECK; /* exactly n bytes, else -EINVAL */
void crypto_base64(const void *bytes, size_t n, char *ret_text);
/* Exactly n bytes of canonical standard base64, else -EINVAL. */
int crypto_unbase64(const char *text, size_t text_len, void *ret_bytes, size_t n) MUST_CHECK;
