/* ik - see ik.h. The tokens of the pattern are named at the line that carries each out:
 *     <- s        (known before)
 *     -> e, es, s, ss
 *     <- e, ee, se */
#include "lib/noise/ik.h"

#include <string.h>

#define PROTOCOL "Noise_IK_25519_ChaChaPoly_BLAKE2s"
#define SEALED_STATIC_LEN (CRYPTO_KEY_LEN + CRYPTO_AEAD_TAG_LEN)

void noise_ik_wipe(struct noise_ik *ik)
{
	crypto_wipe(ik, sizeof *ik); /* step becomes NOISE_IK_DEAD */
}

static void start(struct noise_ik *ik, const void *prologue, size_t prologue_len, const uint8_t static_private[CRYPTO_KEY_LEN],
		  const uint8_t *responder_public)
{
	memset(ik, 0, sizeof *ik);
	memcpy(ik->static_private, static_private, CRYPTO_KEY_LEN);
	crypto_x25519_public(static_private, ik->static_public);
	noise_symmetric_init(&ik->symmetric, PROTOCOL);
	noise_symmetric_mix_hash(&ik->symmetric, prologue, prologue_len);
	noise_symmetric_mix_hash(&ik->symmetric, responder_public ? responder_public : ik->static_public, CRYPTO_KEY_LEN); /* <- s */
}

void noise_ik_init_initiator(struct noise_ik *ret, const void *prologue, size_t prologue_len,
			     const uint8_t static_private[CRYPTO_KEY_LEN], const uint8_t responder_public[CRYPTO_KEY_LEN])
{
	start(ret, prologue, prologue_len, static_private, responder_public);
	memcpy(ret->remote_static, responder_public, CRYPTO_KEY_LEN);
	ret->initiator = true;
	ret->step = NOISE_IK_WRITE_1;
}

void noise_ik_init_responder(struct noise_ik *ret, const void *prologue, size_t prologue_len,
			     const uint8_t static_private[CRYPTO_KEY_LEN])
{
	start(ret, prologue, prologue_len, static_private, NULL);
	ret->step = NOISE_IK_READ_1;
}

/* Every call ends here: good goes on to the next step, anything else is the end of this handshake. */
static int finish(struct noise_ik *ik, int result, enum noise_ik_step next)
{
	if (result == 0)
		ik->step = next;
	else
		noise_ik_wipe(ik);
	return result;
}

/* Draws the ephemeral key and writes it at msg (token e). */
static void write_ephemeral(struct noise_ik *ik, const struct clock *clock, uint8_t *msg)
{
	clock_random(clock, ik->ephemeral_private, CRYPTO_KEY_LEN);
	crypto_x25519_public(ik->ephemeral_private, msg);
	noise_symmetric_mix_hash(&ik->symmetric, msg, CRYPTO_KEY_LEN);
}

static int reserve_message(struct buf *ret_msg, size_t overhead, size_t len, uint8_t **ret)
{
	if (len > NOISE_MESSAGE_MAX - overhead)
		return -EMSGSIZE;
	*ret = buf_reserve(ret_msg, overhead + len);
	return *ret ? 0 : -ENOMEM;
}

static int write_1(struct noise_ik *ik, const struct clock *clock, const void *payload, size_t len, uint8_t *msg)
{
	int r;

	write_ephemeral(ik, clock, msg); /* e */
	msg += CRYPTO_KEY_LEN;
	r = noise_symmetric_mix_dh(&ik->symmetric, ik->ephemeral_private, ik->remote_static); /* es */
	if (r != 0)
		return r;
	noise_symmetric_encrypt_and_hash(&ik->symmetric, ik->static_public, CRYPTO_KEY_LEN, msg); /* s */
	msg += SEALED_STATIC_LEN;
	r = noise_symmetric_mix_dh(&ik->symmetric, ik->static_private, ik->remote_static); /* ss */
	if (r != 0)
		return r;
	noise_symmetric_encrypt_and_hash(&ik->symmetric, payload, len, msg);
	return 0;
}

int noise_ik_write_1(struct noise_ik *ik, const struct clock *clock, const void *payload, size_t len, struct buf *ret_msg)
{
	const size_t before = ret_msg->len;
	uint8_t *msg;
	int r;

	if (ik->step != NOISE_IK_WRITE_1)
		return finish(ik, -EPROTO, NOISE_IK_DEAD);
	r = reserve_message(ret_msg, NOISE_IK_OVERHEAD_1, len, &msg);
	if (r == 0) {
		r = write_1(ik, clock, payload, len, msg);
		if (r != 0)
			ret_msg->len = before;
	}
	return finish(ik, r, NOISE_IK_READ_2);
}

static int write_2(struct noise_ik *ik, const struct clock *clock, const void *payload, size_t len, uint8_t *msg)
{
	int r;

	write_ephemeral(ik, clock, msg); /* e */
	msg += CRYPTO_KEY_LEN;
	r = noise_symmetric_mix_dh(&ik->symmetric, ik->ephemeral_private, ik->remote_ephemeral); /* ee */
	if (r != 0)
		return r;
	r = noise_symmetric_mix_dh(&ik->symmetric, ik->ephemeral_private, ik->remote_static); /* se */
	if (r != 0)
		return r;
	noise_symmetric_encrypt_and_hash(&ik->symmetric, payload, len, msg);
	return 0;
}

int noise_ik_write_2(struct noise_ik *ik, const struct clock *clock, const void *payload, size_t len, struct buf *ret_msg)
{
	const size_t before = ret_msg->len;
	uint8_t *msg;
	int r;

	if (ik->step != NOISE_IK_WRITE_2)
		return finish(ik, -EPROTO, NOISE_IK_DEAD);
	r = reserve_message(ret_msg, NOISE_IK_OVERHEAD_2, len, &msg);
	if (r == 0) {
		r = write_2(ik, clock, payload, len, msg);
		if (r != 0)
			ret_msg->len = before;
	}
	return finish(ik, r, NOISE_IK_DONE);
}

/* Any failure of a step on bytes from outside is one answer to the caller: refused. */
static int refused_unless(bool good)
{
	return good ? 0 : E_REFUSED;
}

/* Opens the payload, which is what is left of the message, behind what ret_payload holds. */
static int read_payload(struct noise_ik *ik, const uint8_t *sealed, size_t len, struct buf *ret_payload)
{
	const size_t before = ret_payload->len;
	uint8_t *plain = buf_reserve(ret_payload, len - CRYPTO_AEAD_TAG_LEN);

	if (!plain)
		return -ENOMEM;
	if (noise_symmetric_decrypt_and_hash(&ik->symmetric, sealed, len, plain) == 0)
		return 0;
	crypto_wipe(plain, len - CRYPTO_AEAD_TAG_LEN);
	ret_payload->len = before;
	return E_REFUSED;
}

static int read_1(struct noise_ik *ik, const uint8_t *msg, size_t len, struct buf *ret_payload)
{
	struct noise_symmetric *s = &ik->symmetric;
	int r;

	memcpy(ik->remote_ephemeral, msg, CRYPTO_KEY_LEN);
	noise_symmetric_mix_hash(s, msg, CRYPTO_KEY_LEN); /* e */
	msg += CRYPTO_KEY_LEN;
	r = refused_unless(noise_symmetric_mix_dh(s, ik->static_private, ik->remote_ephemeral) == 0 && /* es */
			   noise_symmetric_decrypt_and_hash(s, msg, SEALED_STATIC_LEN, ik->remote_static) == 0 && /* s */
			   noise_symmetric_mix_dh(s, ik->static_private, ik->remote_static) == 0); /* ss */
	if (r != 0)
		return r;
	return read_payload(ik, msg + SEALED_STATIC_LEN, len - CRYPTO_KEY_LEN - SEALED_STATIC_LEN, ret_payload);
}

int noise_ik_read_1(struct noise_ik *ik, const void *msg, size_t len, struct buf *ret_payload, uint8_t ret_peer_static[CRYPTO_KEY_LEN])
{
	int r;

	if (ik->step != NOISE_IK_READ_1)
		return finish(ik, -EPROTO, NOISE_IK_DEAD);
	r = refused_unless(len >= NOISE_IK_OVERHEAD_1 && len <= NOISE_MESSAGE_MAX);
	if (r == 0)
		r = read_1(ik, msg, len, ret_payload);
	if (r == 0)
		memcpy(ret_peer_static, ik->remote_static, CRYPTO_KEY_LEN);
	return finish(ik, r, NOISE_IK_WRITE_2);
}

static int read_2(struct noise_ik *ik, const uint8_t *msg, size_t len, struct buf *ret_payload)
{
	struct noise_symmetric *s = &ik->symmetric;
	int r;

	memcpy(ik->remote_ephemeral, msg, CRYPTO_KEY_LEN);
	noise_symmetric_mix_hash(s, msg, CRYPTO_KEY_LEN); /* e */
	r = refused_unless(noise_symmetric_mix_dh(s, ik->ephemeral_private, ik->remote_ephemeral) == 0 && /* ee */
			   noise_symmetric_mix_dh(s, ik->static_private, ik->remote_ephemeral) == 0); /* se */
	if (r != 0)
		return r;
	return read_payload(ik, msg + CRYPTO_KEY_LEN, len - CRYPTO_KEY_LEN, ret_payload);
}

int noise_ik_read_2(struct noise_ik *ik, const void *msg, size_t len, struct buf *ret_payload)
{
	int r;

	if (ik->step != NOISE_IK_READ_2)
		return finish(ik, -EPROTO, NOISE_IK_DEAD);
	r = refused_unless(len >= NOISE_IK_OVERHEAD_2 && len <= NOISE_MESSAGE_MAX);
	if (r == 0)
		r = read_2(ik, msg, len, ret_payload);
	return finish(ik, r, NOISE_IK_DONE);
}

int noise_ik_split(struct noise_ik *ik, uint8_t ret_send_key[CRYPTO_KEY_LEN], uint8_t ret_receive_key[CRYPTO_KEY_LEN],
		   uint8_t ret_handshake_hash[BLAKE2S_LEN])
{
	if (ik->step != NOISE_IK_DONE)
		return finish(ik, -EPROTO, NOISE_IK_DEAD);
	if (ik->initiator)
		noise_symmetric_split(&ik->symmetric, ret_send_key, ret_receive_key);
	else
		noise_symmetric_split(&ik->symmetric, ret_receive_key, ret_send_key);
	if (ret_handshake_hash)
		memcpy(ret_handshake_hash, ik->symmetric.hash, BLAKE2S_LEN);
	noise_ik_wipe(ik);
	return 0;
}
