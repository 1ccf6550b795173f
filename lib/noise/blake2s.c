/* blake2s - see blake2s.h. */
#include "lib/noise/blake2s.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Fetching an algorithm walks libcrypto's providers under a lock and costs more than the hash itself. */
static struct {
	pthread_once_t once;
	EVP_MD *hash;
	EVP_MAC *mac;
} algorithms = { .once = PTHREAD_ONCE_INIT };

static _Noreturn void give_up(const char *what)
{
	fprintf(stderr, "blake2s: libcrypto: %s\n", what);
	abort();
}

static void fetch_algorithms(void)
{
	algorithms.hash = EVP_MD_fetch(NULL, "BLAKE2S-256", NULL);
	algorithms.mac = EVP_MAC_fetch(NULL, "BLAKE2SMAC", NULL);
	if (!algorithms.hash || !algorithms.mac)
		give_up("BLAKE2s is not offered");
}

static void require_algorithms(void)
{
	if (pthread_once(&algorithms.once, fetch_algorithms) != 0)
		give_up("cannot be set up");
}

static EVP_MD_CTX *hash_begin(void)
{
	EVP_MD_CTX *ctx;

	require_algorithms();
	ctx = EVP_MD_CTX_new();
	if (!ctx || EVP_DigestInit_ex2(ctx, algorithms.hash, NULL) != 1)
		give_up("cannot begin a hash");
	return ctx;
}

static void hash_add(EVP_MD_CTX *ctx, const struct crypto_part *parts, size_t n_parts)
{
	for (size_t i = 0; i < n_parts; i++)
		if (parts[i].len && EVP_DigestUpdate(ctx, parts[i].data, parts[i].len) != 1)
			give_up("cannot hash");
}

static void hash_end(EVP_MD_CTX *ctx, uint8_t ret_hash[BLAKE2S_LEN])
{
	unsigned int len = 0;

	if (EVP_DigestFinal_ex(ctx, ret_hash, &len) != 1 || len != BLAKE2S_LEN)
		give_up("cannot end a hash");
	EVP_MD_CTX_free(ctx);
}

void blake2s_hash(const struct crypto_part *parts, size_t n_parts, uint8_t ret_hash[BLAKE2S_LEN])
{
	EVP_MD_CTX *ctx = hash_begin();

	hash_add(ctx, parts, n_parts);
	hash_end(ctx, ret_hash);
}

void blake2s_keyed(const uint8_t *key, size_t key_len, const struct crypto_part *parts, size_t n_parts, uint8_t *ret_mac,
		   size_t ret_len)
{
	size_t size = ret_len, got = 0;
	OSSL_PARAM params[] = { OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size), OSSL_PARAM_construct_end() };
	EVP_MAC_CTX *ctx;

	if (key_len < 1 || key_len > BLAKE2S_LEN || (ret_len != BLAKE2S_MAC_LEN && ret_len != BLAKE2S_LEN))
		give_up("keyed hash of a wrong size asked for");
	require_algorithms();
	ctx = EVP_MAC_CTX_new(algorithms.mac);
	if (!ctx || EVP_MAC_init(ctx, key, key_len, params) != 1)
		give_up("cannot begin a keyed hash");
	for (size_t i = 0; i < n_parts; i++)
		if (parts[i].len && EVP_MAC_update(ctx, parts[i].data, parts[i].len) != 1)
			give_up("cannot hash");
	if (EVP_MAC_final(ctx, ret_mac, &got, ret_len) != 1 || got != ret_len)
		give_up("cannot end a keyed hash");
	EVP_MAC_CTX_free(ctx);
}

/* One of HMAC's two passes: H((key ^ pad) || parts). */
static void hmac_pass(const uint8_t key_block[BLAKE2S_BLOCK_LEN], uint8_t pad, const struct crypto_part *parts, size_t n_parts,
		      uint8_t ret_hash[BLAKE2S_LEN])
{
	uint8_t block[BLAKE2S_BLOCK_LEN];
	EVP_MD_CTX *ctx = hash_begin();

	for (size_t i = 0; i < sizeof block; i++)
		block[i] = key_block[i] ^ pad;
	hash_add(ctx, &(struct crypto_part){ block, sizeof block }, 1);
	hash_add(ctx, parts, n_parts);
	hash_end(ctx, ret_hash);
	crypto_wipe(block, sizeof block);
}

void blake2s_hmac(const uint8_t *key, size_t key_len, const struct crypto_part *parts, size_t n_parts, uint8_t ret_mac[BLAKE2S_LEN])
{
	uint8_t key_block[BLAKE2S_BLOCK_LEN] = { 0 };
	uint8_t inner[BLAKE2S_LEN];

	if (key_len > sizeof key_block)
		blake2s_hash(&(struct crypto_part){ key, key_len }, 1, key_block);
	else if (key_len)
		memcpy(key_block, key, key_len);
	hmac_pass(key_block, 0x36, parts, n_parts, inner);
	hmac_pass(key_block, 0x5c, &(struct crypto_part){ inner, sizeof inner }, 1, ret_mac);
	crypto_wipe(key_block, sizeof key_block);
	crypto_wipe(inner, sizeof inner);
}

void blake2s_kdf(const uint8_t chaining_key[BLAKE2S_LEN], const void *input, size_t input_len, uint8_t ret_1[BLAKE2S_LEN],
		 uint8_t ret_2[BLAKE2S_LEN], uint8_t ret_3[BLAKE2S_LEN])
{
	uint8_t secret[BLAKE2S_LEN], last[BLAKE2S_LEN];
	uint8_t *const outputs[] = { ret_1, ret_2, ret_3 };
	uint8_t number = 1;

	blake2s_hmac(chaining_key, BLAKE2S_LEN, &(struct crypto_part){ input, input_len }, 1, secret);
	for (size_t i = 0; i < ARRAY_LEN(outputs) && outputs[i]; i++, number++) {
		const struct crypto_part parts[] = { { last, i ? sizeof last : 0 }, { &number, 1 } };

		blake2s_hmac(secret, sizeof secret, parts, ARRAY_LEN(parts), last);
		memcpy(outputs[i], last, sizeof last);
	}
	crypto_wipe(secret, sizeof secret);
	crypto_wipe(last, sizeof last);
}
