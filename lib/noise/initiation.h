/* initiation - opens a WireGuard handshake initiation (Noise_IKpsk2, 148 bytes) with the responder's private key, to learn who
 * knocks before that peer is installed anywhere. Nothing is answered and no session comes of it: the datagram goes on unchanged to
 * WireGuard itself. The preshared key is not needed, it enters only in the response.
 *
 * Success means the timestamp was opened, which takes the private half of the peer key: a message that names a victim's public
 * key but was not made by its owner is refused, and the name never comes out. A replay opens too; the caller compares the
 * timestamp with the last one of that key. */
#pragma once
#include "lib/noise/mac.h"
#include "lib/noise/symmetric.h"
#include "lib/noise/tai64n.h"

#define NOISE_INITIATION_LEN 148

/* Made once per responder key: the hash of the constant part and the mac keys. Holds the private key; wipe it. */
struct noise_initiation_opener {
	uint8_t private_key[CRYPTO_KEY_LEN];
	uint8_t public_key[CRYPTO_KEY_LEN];
	struct noise_mac_keys mac;
	struct noise_symmetric start;
};

struct noise_initiation {
	uint8_t peer_public[CRYPTO_KEY_LEN];
	uint8_t timestamp[TAI64N_LEN];
	uint32_t sender_index;
};

void noise_initiation_opener_init(struct noise_initiation_opener *ret, const uint8_t private_key[CRYPTO_KEY_LEN]);
void noise_initiation_opener_wipe(struct noise_initiation_opener *opener);

/* The cheap gate, no Diffie-Hellman: length, type, zero bytes, mac1. Call it before the per-source bucket is charged. */
bool noise_initiation_plausible(const struct noise_initiation_opener *opener, const void *msg, size_t len);

/* All of it, the cheap gate included. E_REFUSED: not an initiation for this key by the owner of the key it names. */
int noise_initiation_open(const struct noise_initiation_opener *opener, const void *msg, size_t len,
			  struct noise_initiation *ret) MUST_CHECK;
