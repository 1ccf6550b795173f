/* symmetric - see symmetric.h. */
#include "lib/noise/symmetric.h"

#include <string.h>

void noise_nonce(uint64_t counter, uint8_t ret_nonce[12])
{
	memset(ret_nonce, 0, 4);
	for (int i = 0; i < 8; i++)
		ret_nonce[4 + i] = (uint8_t)(counter >> (8 * i));
}

void noise_symmetric_init(struct noise_symmetric *ret, const char *protocol_name)
{
	size_t len = strlen(protocol_name);

	memset(ret, 0, sizeof *ret);
	if (len <= sizeof ret->hash)
		memcpy(ret->hash, protocol_name, len);
	else
		blake2s_hash(&(struct crypto_part){ protocol_name, len }, 1, ret->hash);
	memcpy(ret->chaining_key, ret->hash, sizeof ret->chaining_key);
}

void noise_symmetric_wipe(struct noise_symmetric *s)
{
	crypto_wipe(s, sizeof *s);
}

void noise_symmetric_mix_hash(struct noise_symmetric *s, const void *data, size_t len)
{
	const struct crypto_part parts[] = { { s->hash, sizeof s->hash }, { data, len } };

	blake2s_hash(parts, ARRAY_LEN(parts), s->hash);
}

void noise_symmetric_mix_key(struct noise_symmetric *s, const void *input, size_t len)
{
	blake2s_kdf(s->chaining_key, input, len, s->chaining_key, s->key, NULL);
	s->nonce = 0;
	s->has_key = true;
}

void noise_symmetric_mix_key_and_hash(struct noise_symmetric *s, const void *input, size_t len)
{
	uint8_t for_hash[BLAKE2S_LEN];

	blake2s_kdf(s->chaining_key, input, len, s->chaining_key, for_hash, s->key);
	noise_symmetric_mix_hash(s, for_hash, sizeof for_hash);
	s->nonce = 0;
	s->has_key = true;
	crypto_wipe(for_hash, sizeof for_hash);
}

int noise_symmetric_mix_dh(struct noise_symmetric *s, const uint8_t private_key[CRYPTO_KEY_LEN],
			   const uint8_t public_key[CRYPTO_KEY_LEN])
{
	uint8_t shared[CRYPTO_KEY_LEN];
	int r = crypto_x25519(private_key, public_key, shared);

	if (r != 0)
		return r;
	noise_symmetric_mix_key(s, shared, sizeof shared);
	crypto_wipe(shared, sizeof shared);
	return 0;
}

size_t noise_symmetric_overhead(const struct noise_symmetric *s)
{
	return s->has_key ? CRYPTO_AEAD_TAG_LEN : 0;
}

void noise_symmetric_encrypt_and_hash(struct noise_symmetric *s, const void *plain, size_t len, uint8_t *ret)
{
	uint8_t nonce[12];

	if (s->has_key) {
		noise_nonce(s->nonce++, nonce);
		crypto_seal(s->key, nonce, s->hash, sizeof s->hash, plain, len, ret);
	} else if (len) {
		memmove(ret, plain, len);
	}
	noise_symmetric_mix_hash(s, ret, len + noise_symmetric_overhead(s));
}

int noise_symmetric_decrypt_and_hash(struct noise_symmetric *s, const uint8_t *sealed, size_t len, uint8_t *ret)
{
	uint8_t hash_before[BLAKE2S_LEN], nonce[12];
	int r;

	/* The hash takes the sealed bytes, which opening in place would overwrite; it is the AAD too, so the old one is kept. */
	memcpy(hash_before, s->hash, sizeof hash_before);
	noise_symmetric_mix_hash(s, sealed, len);
	if (!s->has_key) {
		if (len)
			memmove(ret, sealed, len);
		return 0;
	}
	noise_nonce(s->nonce, nonce);
	r = crypto_open(s->key, nonce, hash_before, sizeof hash_before, sealed, len, ret);
	if (r != 0)
		return r;
	s->nonce++;
	return 0;
}

void noise_symmetric_split(const struct noise_symmetric *s, uint8_t ret_first[CRYPTO_KEY_LEN], uint8_t ret_second[CRYPTO_KEY_LEN])
{
	blake2s_kdf(s->chaining_key, NULL, 0, ret_first, ret_second, NULL);
}
