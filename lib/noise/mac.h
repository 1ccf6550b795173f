/* mac - what a responder checks before it spends a Diffie-Hellman: mac1 (the sender knows our public key) and, under load, mac2
 * (the sender receives at the address it writes from). The construction is WireGuard's (whitepaper 5.3 and 5.4.7); the control
 * link uses it with its own labels, so that a message of one protocol is never good in the other.
 *
 * mac1 = keyed BLAKE2s-128(H(label || responder public), message before mac1)
 * mac2 = keyed BLAKE2s-128(cookie, message before mac2, mac1 included); cookie = keyed BLAKE2s-128(secret, source address bytes)
 * A cookie travels sealed with XChaCha20-Poly1305 under H(label || responder public), AAD = mac1 of the message it answers. */
#pragma once
#include "lib/base/clock.h"
#include "lib/noise/blake2s.h"

#define NOISE_MAC_LEN BLAKE2S_MAC_LEN
#define NOISE_COOKIE_LEN 16
#define NOISE_COOKIE_NONCE_LEN 24
#define NOISE_COOKIE_SEALED_LEN (NOISE_COOKIE_LEN + CRYPTO_AEAD_TAG_LEN)
#define NOISE_COOKIE_LIFE_MS 120000 /* how long a sender uses a cookie; a secret is current this long and good twice as long */

#define NOISE_WIREGUARD_MAC1_LABEL "mac1----"
#define NOISE_WIREGUARD_COOKIE_LABEL "cookie--"
#define NOISE_LINK_MAC1_LABEL "sixpn-link-mac1"
#define NOISE_LINK_COOKIE_LABEL "sixpn-link-cookie"

/* The two keys that follow from a responder's public key; made once per key. Known to all who know the public key. */
struct noise_mac_keys {
	uint8_t mac1[BLAKE2S_LEN];
	uint8_t cookie[BLAKE2S_LEN];
};
void noise_mac_keys_init(struct noise_mac_keys *ret, const char *mac1_label, const char *cookie_label,
			 const uint8_t responder_public[CRYPTO_KEY_LEN]);

void noise_mac1(const struct noise_mac_keys *keys, const void *msg, size_t len, uint8_t ret_mac[NOISE_MAC_LEN]);
/* Constant time, as are all the checks below. */
bool noise_mac1_good(const struct noise_mac_keys *keys, const void *msg, size_t len, const uint8_t mac[NOISE_MAC_LEN]);

void noise_mac2(const uint8_t cookie[NOISE_COOKIE_LEN], const void *msg, size_t len, uint8_t ret_mac[NOISE_MAC_LEN]);

/* The responder's cookie secrets: the current one and the one before. They turn over by the clock's monotonic time whenever the
 * jar is used, so a cookie is good for at least 120 s and less than 240 s. Zero-initialised is ready; no memory but itself. */
struct noise_cookie_jar { /* private */
	uint8_t secret[2][BLAKE2S_LEN]; /* [0] current, [1] previous */
	bool held[2];
	uint64_t made_ms;
};
void noise_cookie_jar_wipe(struct noise_cookie_jar *jar);
/* source: address bytes, with the port if the transport has stable ports (at most 64 bytes). */
void noise_cookie_make(struct noise_cookie_jar *jar, const struct clock *clock, const void *source, size_t source_len,
		       uint8_t ret_cookie[NOISE_COOKIE_LEN]);
/* Was mac2 made with a cookie that this jar gives or gave to that source? */
bool noise_mac2_good(struct noise_cookie_jar *jar, const struct clock *clock, const void *source, size_t source_len, const void *msg,
		     size_t len, const uint8_t mac[NOISE_MAC_LEN]);

/* The two fields of a cookie reply. mac1 is that of the message being answered. */
void noise_cookie_seal(const struct noise_mac_keys *keys, const struct clock *clock, const uint8_t cookie[NOISE_COOKIE_LEN],
		       const uint8_t mac1[NOISE_MAC_LEN], uint8_t ret_nonce[NOISE_COOKIE_NONCE_LEN],
		       uint8_t ret_sealed[NOISE_COOKIE_SEALED_LEN]);
/* E_REFUSED: not sealed by someone who knows the responder's key and saw our message (mac1 = that of our last message). */
int noise_cookie_open(const struct noise_mac_keys *keys, const uint8_t nonce[NOISE_COOKIE_NONCE_LEN],
		      const uint8_t sealed[NOISE_COOKIE_SEALED_LEN], const uint8_t mac1[NOISE_MAC_LEN],
		      uint8_t ret_cookie[NOISE_COOKIE_LEN]) MUST_CHECK;
