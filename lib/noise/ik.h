/* ik - Noise_IK_25519_ChaChaPoly_BLAKE2s (Noise rev 34), the handshake of the control link, without I/O.
 *
 *   initiator: init_initiator, write_1, read_2, split        responder: init_responder, read_1, write_2, split
 *
 * Message 1 is e(32) || sealed static(48) || sealed payload(n + 16); message 2 is e(32) || sealed payload(n + 16). Message 1 can
 * be replayed by whoever recorded it: the responder must not act on its payload beyond what a replay may do (our link carries a
 * rising TAI64N there). Fresh randomness for the ephemeral key is drawn from the clock in write_1 and write_2; a test passes a
 * clock with known bytes.
 *
 * Fails closed: after any result but 0 the state is wiped and every later call returns -EPROTO, as does a call out of order.
 * The struct holds no pointers. Whoever must outlive a forged message 2 copies it by assignment, reads with the copy, and on
 * success replaces the original; every copy is wiped with noise_ik_wipe (which may be called twice, and on a zeroed struct). */
#pragma once
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/noise/symmetric.h"

#define NOISE_IK_OVERHEAD_1 96 /* bytes of message 1 beyond its payload */
#define NOISE_IK_OVERHEAD_2 48
#define NOISE_MESSAGE_MAX 65535

enum noise_ik_step {
	NOISE_IK_DEAD, /* zero: a zeroed struct can do nothing */
	NOISE_IK_WRITE_1,
	NOISE_IK_READ_1,
	NOISE_IK_WRITE_2,
	NOISE_IK_READ_2,
	NOISE_IK_DONE,
};

struct noise_ik { /* private */
	struct noise_symmetric symmetric;
	uint8_t static_private[CRYPTO_KEY_LEN], static_public[CRYPTO_KEY_LEN];
	uint8_t ephemeral_private[CRYPTO_KEY_LEN];
	uint8_t remote_static[CRYPTO_KEY_LEN], remote_ephemeral[CRYPTO_KEY_LEN];
	enum noise_ik_step step;
	bool initiator;
};

void noise_ik_init_initiator(struct noise_ik *ret, const void *prologue, size_t prologue_len,
			     const uint8_t static_private[CRYPTO_KEY_LEN], const uint8_t responder_public[CRYPTO_KEY_LEN]);
void noise_ik_init_responder(struct noise_ik *ret, const void *prologue, size_t prologue_len,
			     const uint8_t static_private[CRYPTO_KEY_LEN]);
void noise_ik_wipe(struct noise_ik *ik);

/* Append a message to ret_msg (what is in it before stays and is not part of the message). -EINVAL: the responder's key is a
 * low-order point; -EMSGSIZE: longer than NOISE_MESSAGE_MAX; -ENOMEM: ret_msg is full or memory is. */
int noise_ik_write_1(struct noise_ik *ik, const struct clock *clock, const void *payload, size_t len, struct buf *ret_msg) MUST_CHECK;
int noise_ik_write_2(struct noise_ik *ik, const struct clock *clock, const void *payload, size_t len, struct buf *ret_msg) MUST_CHECK;

/* Open a message; msg is exactly one message. The payload is appended to ret_payload. E_REFUSED: wrong length, low-order point,
 * or not authentic. On success of read_1 the peer has proved that it holds the private half of ret_peer_static or recorded a
 * message of one who does; who may speak is the caller's decision, and dropping the state is how it says no. */
int noise_ik_read_1(struct noise_ik *ik, const void *msg, size_t len, struct buf *ret_payload,
		    uint8_t ret_peer_static[CRYPTO_KEY_LEN]) MUST_CHECK;
int noise_ik_read_2(struct noise_ik *ik, const void *msg, size_t len, struct buf *ret_payload) MUST_CHECK;

/* After both messages: the transport keys as seen from this side and the handshake hash (channel binding; may be NULL). Wipes the
 * state. Transport messages use noise_nonce(counter) with a counter that never repeats under one key. */
int noise_ik_split(struct noise_ik *ik, uint8_t ret_send_key[CRYPTO_KEY_LEN], uint8_t ret_receive_key[CRYPTO_KEY_LEN],
		   uint8_t ret_handshake_hash[BLAKE2S_LEN]) MUST_CHECK;
