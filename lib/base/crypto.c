/* crypto - see crypto.h. */
#include "lib/base/crypto.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void crypto_init(void)
{
	if (sodium_init() < 0) {
		fputs("crypto: libsodium cannot start (no entropy?)\n", stderr);
		abort();
	}
}

void crypto_random(void *ret_bytes, size_t n)
{
	randombytes_buf(ret_bytes, n);
}

void crypto_wipe(void *p, size_t n)
{
	sodium_memzero(p, n);
}

bool crypto_equal(const void *a, const void *b, size_t n)
{
	return sodium_memcmp(a, b, n) == 0;
}

void crypto_x25519_public(const uint8_t private_key[CRYPTO_KEY_LEN], uint8_t ret_public[CRYPTO_KEY_LEN])
{
	crypto_scalarmult_base(ret_public, private_key);
}

void crypto_x25519_keypair(uint8_t ret_private[CRYPTO_KEY_LEN], uint8_t ret_public[CRYPTO_KEY_LEN])
{
	randombytes_buf(ret_private, CRYPTO_KEY_LEN);
	ret_private[0] &= 248; /* clamped at rest too, as WireGuard does, so that files compare equal with `wg show` */
	ret_private[31] = (uint8_t)((ret_private[31] & 127) | 64);
	crypto_x25519_public(ret_private, ret_public);
}

int crypto_x25519(const uint8_t private_key[CRYPTO_KEY_LEN], const uint8_t public_key[CRYPTO_KEY_LEN],
		  uint8_t ret_shared[CRYPTO_KEY_LEN])
{
	uint8_t shared[CRYPTO_KEY_LEN];

	if (crypto_scalarmult(shared, private_key, public_key) != 0)
		return -EINVAL;
	memcpy(ret_shared, shared, sizeof shared);
	sodium_memzero(shared, sizeof shared);
	return 0;
}

void crypto_blake2b(const uint8_t *key, size_t key_len, const struct crypto_part *parts, size_t n_parts,
		    uint8_t ret_hash[CRYPTO_HASH_LEN])
{
	crypto_generichash_state st;

	crypto_generichash_init(&st, key, key_len, CRYPTO_HASH_LEN);
	for (size_t i = 0; i < n_parts; i++)
		crypto_generichash_update(&st, parts[i].data, parts[i].len);
	crypto_generichash_final(&st, ret_hash, CRYPTO_HASH_LEN);
}

static crypto_generichash_state *state_of(struct crypto_hash *h)
{
	_Static_assert(sizeof h->state >= sizeof(crypto_generichash_state), "the state of the library must fit");
	return (crypto_generichash_state *)(void *)h->state;
}

void crypto_sha256(const void *bytes, size_t n, uint8_t ret_hash[32])
{
	crypto_hash_sha256(ret_hash, bytes, n);
}

void crypto_hash_begin(struct crypto_hash *h)
{
	crypto_generichash_init(state_of(h), NULL, 0, CRYPTO_HASH_LEN);
}

void crypto_hash_add(struct crypto_hash *h, const void *bytes, size_t n)
{
	crypto_generichash_update(state_of(h), bytes, n);
}

void crypto_hash_end(struct crypto_hash *h, uint8_t ret_hash[CRYPTO_HASH_LEN])
{
	crypto_generichash_final(state_of(h), ret_hash, CRYPTO_HASH_LEN);
}

void crypto_seal(const uint8_t key[CRYPTO_KEY_LEN], const uint8_t nonce[12], const void *aad, size_t aad_len, const void *in,
		 size_t len, uint8_t *out)
{
	crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, in, len, aad, aad_len, NULL, nonce, key);
}

int crypto_open(const uint8_t key[CRYPTO_KEY_LEN], const uint8_t nonce[12], const void *aad, size_t aad_len, const uint8_t *in,
		size_t len, uint8_t *out)
{
	if (len < CRYPTO_AEAD_TAG_LEN)
		return -EBADMSG;
	if (crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, in, len, aad, aad_len, nonce, key) != 0)
		return -EBADMSG;
	return 0;
}

void crypto_xseal(const uint8_t key[CRYPTO_KEY_LEN], const uint8_t nonce[24], const void *aad, size_t aad_len, const void *in,
		  size_t len, uint8_t *out)
{
	crypto_aead_xchacha20poly1305_ietf_encrypt(out, NULL, in, len, aad, aad_len, NULL, nonce, key);
}

int crypto_xopen(const uint8_t key[CRYPTO_KEY_LEN], const uint8_t nonce[24], const void *aad, size_t aad_len, const uint8_t *in,
		 size_t len, uint8_t *out)
{
	if (len < CRYPTO_AEAD_TAG_LEN)
		return -EBADMSG;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, in, len, aad, aad_len, nonce, key) != 0)
		return -EBADMSG;
	return 0;
}

void crypto_hex(const void *bytes, size_t n, char *ret_text)
{
	sodium_bin2hex(ret_text, 2 * n + 1, bytes, n);
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

int crypto_unhex(const char *text, size_t text_len, void *ret_bytes, size_t n)
{
	uint8_t *out = ret_bytes;

	if (text_len != 2 * n)
		return -EINVAL;
	for (size_t i = 0; i < text_len; i++)
		if (hex_value(text[i]) < 0)
			return -EINVAL;
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)(hex_value(text[2 * i]) << 4 | hex_value(text[2 * i + 1]));
	return 0;
}

void crypto_base64(const void *bytes, size_t n, char *ret_text)
{
	sodium_bin2base64(ret_text, sodium_base64_encoded_len(n, sodium_base64_VARIANT_ORIGINAL), bytes, n,
			  sodium_base64_VARIANT_ORIGINAL);
}

int crypto_unbase64(const char *text, size_t text_len, void *ret_bytes, size_t n)
{
	uint8_t *raw = malloc(n + 3);
	size_t got = 0;
	const char *end;
	int r = -EINVAL;

	if (!raw)
		return -ENOMEM;
	if (text_len == sodium_base64_encoded_len(n, sodium_base64_VARIANT_ORIGINAL) - 1 &&
	    sodium_base642bin(raw, n + 3, text, text_len, NULL, &got, &end, sodium_base64_VARIANT_ORIGINAL) == 0 && got == n &&
	    end == text + text_len) {
		memcpy(ret_bytes, raw, n);
		r = 0;
	}
	sodium_memzero(raw, n + 3);
	free(raw);
	return r;
}
