/* mac - see mac.h. */
#include "lib/noise/mac.h"

#include <string.h>

static void label_key(const char *label, const uint8_t responder_public[CRYPTO_KEY_LEN], uint8_t ret_key[BLAKE2S_LEN])
{
	const struct crypto_part parts[] = { { label, strlen(label) }, { responder_public, CRYPTO_KEY_LEN } };

	blake2s_hash(parts, ARRAY_LEN(parts), ret_key);
}

void noise_mac_keys_init(struct noise_mac_keys *ret, const char *mac1_label, const char *cookie_label,
			 const uint8_t responder_public[CRYPTO_KEY_LEN])
{
	label_key(mac1_label, responder_public, ret->mac1);
	label_key(cookie_label, responder_public, ret->cookie);
}

static void mac(const uint8_t *key, size_t key_len, const void *msg, size_t len, uint8_t ret_mac[NOISE_MAC_LEN])
{
	blake2s_keyed(key, key_len, &(struct crypto_part){ msg, len }, 1, ret_mac, NOISE_MAC_LEN);
}

void noise_mac1(const struct noise_mac_keys *keys, const void *msg, size_t len, uint8_t ret_mac[NOISE_MAC_LEN])
{
	mac(keys->mac1, sizeof keys->mac1, msg, len, ret_mac);
}

bool noise_mac1_good(const struct noise_mac_keys *keys, const void *msg, size_t len, const uint8_t given[NOISE_MAC_LEN])
{
	uint8_t right[NOISE_MAC_LEN];

	noise_mac1(keys, msg, len, right);
	return crypto_equal(right, given, sizeof right);
}

void noise_mac2(const uint8_t cookie[NOISE_COOKIE_LEN], const void *msg, size_t len, uint8_t ret_mac[NOISE_MAC_LEN])
{
	mac(cookie, NOISE_COOKIE_LEN, msg, len, ret_mac);
}

void noise_cookie_jar_wipe(struct noise_cookie_jar *jar)
{
	crypto_wipe(jar, sizeof *jar);
}

/* Brings the secrets up to date with the clock. A jar that rested for two lives forgets both, so that age alone ends a cookie. */
static void turn_over(struct noise_cookie_jar *jar, const struct clock *clock)
{
	const uint64_t now = clock_mono_ms(clock), age = now - jar->made_ms;

	if (jar->held[0] && age < NOISE_COOKIE_LIFE_MS)
		return;
	jar->held[1] = jar->held[0] && age < 2 * NOISE_COOKIE_LIFE_MS;
	if (jar->held[1])
		memcpy(jar->secret[1], jar->secret[0], sizeof jar->secret[1]);
	else
		crypto_wipe(jar->secret[1], sizeof jar->secret[1]);
	clock_random(clock, jar->secret[0], sizeof jar->secret[0]);
	jar->held[0] = true;
	jar->made_ms = now;
}

static void cookie_of(const uint8_t secret[BLAKE2S_LEN], const void *source, size_t source_len, uint8_t ret_cookie[NOISE_COOKIE_LEN])
{
	mac(secret, BLAKE2S_LEN, source, source_len, ret_cookie);
}

void noise_cookie_make(struct noise_cookie_jar *jar, const struct clock *clock, const void *source, size_t source_len,
		       uint8_t ret_cookie[NOISE_COOKIE_LEN])
{
	turn_over(jar, clock);
	cookie_of(jar->secret[0], source, source_len, ret_cookie);
}

bool noise_mac2_good(struct noise_cookie_jar *jar, const struct clock *clock, const void *source, size_t source_len, const void *msg,
		     size_t len, const uint8_t given[NOISE_MAC_LEN])
{
	uint8_t cookie[NOISE_COOKIE_LEN], right[NOISE_MAC_LEN];
	bool good = false;

	turn_over(jar, clock);
	for (size_t i = 0; i < ARRAY_LEN(jar->held) && !good; i++) {
		if (!jar->held[i])
			continue;
		cookie_of(jar->secret[i], source, source_len, cookie);
		noise_mac2(cookie, msg, len, right);
		good = crypto_equal(right, given, sizeof right);
	}
	crypto_wipe(cookie, sizeof cookie);
	crypto_wipe(right, sizeof right);
	return good;
}

void noise_cookie_seal(const struct noise_mac_keys *keys, const struct clock *clock, const uint8_t cookie[NOISE_COOKIE_LEN],
		       const uint8_t mac1[NOISE_MAC_LEN], uint8_t ret_nonce[NOISE_COOKIE_NONCE_LEN],
		       uint8_t ret_sealed[NOISE_COOKIE_SEALED_LEN])
{
	clock_random(clock, ret_nonce, NOISE_COOKIE_NONCE_LEN);
	crypto_xseal(keys->cookie, ret_nonce, mac1, NOISE_MAC_LEN, cookie, NOISE_COOKIE_LEN, ret_sealed);
}

int noise_cookie_open(const struct noise_mac_keys *keys, const uint8_t nonce[NOISE_COOKIE_NONCE_LEN],
		      const uint8_t sealed[NOISE_COOKIE_SEALED_LEN], const uint8_t mac1[NOISE_MAC_LEN],
		      uint8_t ret_cookie[NOISE_COOKIE_LEN])
{
	uint8_t cookie[NOISE_COOKIE_LEN];

	if (crypto_xopen(keys->cookie, nonce, mac1, NOISE_MAC_LEN, sealed, NOISE_COOKIE_SEALED_LEN, cookie) != 0)
		return E_REFUSED;
	memcpy(ret_cookie, cookie, sizeof cookie);
	crypto_wipe(cookie, sizeof cookie);
	return 0;
}
