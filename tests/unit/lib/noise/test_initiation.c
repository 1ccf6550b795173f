/* WireGuard's handshake initiation. The vector was accepted by wireguard-go 20220316, which answered it. */
#include "noise_test.h"

#include "lib/noise/initiation.h"

static const char vector[] = "01000000443322115dfedd3b6bd47f6fa28ee15d969d5bb0ea53774d488bdaf9df1c6e0124b3ef220a26599fb2188bb723276fc173af67616c81"
			     "7fc32fd04d686d87ec152fac10eed2bda3bb3b6f1eded6977684082284d817fb46b3a99b6be3af273ed6e40273051a7ac46499931955dd6029"
			     "feb2dedf5ff255cae19609bd4a0896f61000000000000000000000000000000000";
static const uint8_t initiator_private[CRYPTO_KEY_LEN] = { [0 ... 31] = 1 };
static const uint8_t responder_private[CRYPTO_KEY_LEN] = { [0 ... 31] = 2 };
static const uint8_t ephemeral_private[CRYPTO_KEY_LEN] = { [0 ... 31] = 3 };

static struct noise_initiation_opener opener;
static uint8_t message[NOISE_INITIATION_LEN + 1];

static int set_up(void **state)
{
	(void)state;
	noise_initiation_opener_init(&opener, responder_private);
	assert_int_equal(unhex(vector, message), NOISE_INITIATION_LEN);
	return 0;
}

/* What an initiator sends; any key may be wrong, the seals and mac1 around it are right. */
struct forgery {
	const uint8_t *static_public;
	const uint8_t *ss; /* the shared secret used for the timestamp */
	const uint8_t *ephemeral_private;
	const uint8_t *ephemeral_public; /* NULL = that of ephemeral_private */
};

static void add_mac1(uint8_t *msg)
{
	noise_mac1(&opener.mac, msg, 116, msg + 116);
}

static struct noise_symmetric build(const struct forgery *f, uint8_t *ret_msg, uint8_t ret_keys[2][CRYPTO_KEY_LEN])
{
	struct noise_symmetric s = opener.start;
	uint8_t timestamp[TAI64N_LEN], es[CRYPTO_KEY_LEN] = { 0 };

	memset(ret_msg, 0, NOISE_INITIATION_LEN);
	ret_msg[0] = 1;
	memcpy(ret_msg + 4, "\x44\x33\x22\x11", 4);
	if (f->ephemeral_public) {
		memcpy(ret_msg + 8, f->ephemeral_public, CRYPTO_KEY_LEN);
	} else {
		crypto_x25519_public(f->ephemeral_private, ret_msg + 8);
		assert_int_equal(crypto_x25519(f->ephemeral_private, opener.public_key, es), 0);
	}
	noise_symmetric_mix_hash(&s, ret_msg + 8, CRYPTO_KEY_LEN);
	noise_symmetric_mix_key(&s, ret_msg + 8, CRYPTO_KEY_LEN);
	noise_symmetric_mix_key(&s, es, sizeof es);
	memcpy(ret_keys[0], s.key, CRYPTO_KEY_LEN);
	noise_symmetric_encrypt_and_hash(&s, f->static_public, CRYPTO_KEY_LEN, ret_msg + 40);
	noise_symmetric_mix_key(&s, f->ss, CRYPTO_KEY_LEN);
	memcpy(ret_keys[1], s.key, CRYPTO_KEY_LEN);
	tai64n_from_unix(1700000000, 0x12000000, timestamp);
	noise_symmetric_encrypt_and_hash(&s, timestamp, sizeof timestamp, ret_msg + 88);
	add_mac1(ret_msg);
	return s;
}

static void assert_refused(const void *msg, size_t len)
{
	struct noise_initiation found, untouched;

	memset(&found, 0xee, sizeof found);
	memset(&untouched, 0xee, sizeof untouched);
	assert_int_equal(noise_initiation_open(&opener, msg, len, &found), E_REFUSED);
	assert_memory_equal(&found, &untouched, sizeof found);
}

static void the_vector_opens(void **state)
{
	struct noise_initiation found;

	(void)state;
	assert_true(noise_initiation_plausible(&opener, message, NOISE_INITIATION_LEN));
	assert_int_equal(noise_initiation_open(&opener, message, NOISE_INITIATION_LEN, &found), 0);
	assert_hex(found.peer_public, sizeof found.peer_public, "a4e09292b651c278b9772c569f5fa9bb13d906b46ab68c9df9dc2b4409f8a209");
	assert_hex(found.timestamp, sizeof found.timestamp, "400000006553f10a12000000");
	assert_int_equal(found.sender_index, 0x11223344);
}

static void an_initiator_on_the_same_state_makes_the_vector_and_its_chaining_key_and_hash(void **state)
{
	uint8_t public_key[CRYPTO_KEY_LEN], ss[CRYPTO_KEY_LEN], msg[NOISE_INITIATION_LEN], keys[2][CRYPTO_KEY_LEN];
	struct noise_symmetric s;

	(void)state;
	crypto_x25519_public(initiator_private, public_key);
	assert_int_equal(crypto_x25519(initiator_private, opener.public_key, ss), 0);
	s = build(&(struct forgery){ .static_public = public_key, .ss = ss, .ephemeral_private = ephemeral_private }, msg, keys);
	assert_hex(msg, sizeof msg, vector);
	assert_hex(keys[0], CRYPTO_KEY_LEN, "ccb521ed0369ab01a50b94554bcd9bfbe81cf4851df2caeb3776b4b6882f84ad");
	assert_hex(keys[1], CRYPTO_KEY_LEN, "8c2e061899942b4083496ce0bb8e1b4cbf5308f05aafda8e55c26a20d7c1774a");
	assert_hex(s.chaining_key, BLAKE2S_LEN, "4696b0ed00cff9c62cf447eb5f9c899d508e66b889a8cef23c4ae5c60f902b5e");
	assert_hex(s.hash, BLAKE2S_LEN, "09cb7ae27712b6ee0f8157048029954faaafadab67f8f06d8320cfe35ca5d0cd");
}

static void flipping_any_byte_but_those_of_mac2_is_refused(void **state)
{
	struct noise_initiation found;

	(void)state;
	for (size_t i = 0; i < NOISE_INITIATION_LEN; i++) {
		message[i] ^= 1;
		if (i < 132)
			assert_refused(message, NOISE_INITIATION_LEN);
		else
			assert_int_equal(noise_initiation_open(&opener, message, NOISE_INITIATION_LEN, &found), 0);
		message[i] ^= 1;
	}
}

/* An attacker who knows our public key can always make mac1 right, so the seals must hold without it. */
static void flipping_any_sealed_or_ephemeral_byte_is_refused_under_a_right_mac1(void **state)
{
	(void)state;
	for (size_t i = 8; i < 116; i++) {
		message[i] ^= 1;
		add_mac1(message);
		assert_true(noise_initiation_plausible(&opener, message, NOISE_INITIATION_LEN));
		assert_refused(message, NOISE_INITIATION_LEN);
		message[i] ^= 1;
	}
}

static void type_and_zero_bytes_are_checked_under_a_right_mac1(void **state)
{
	(void)state;
	for (size_t i = 0; i < 4; i++) {
		message[i] ^= 4;
		add_mac1(message);
		assert_false(noise_initiation_plausible(&opener, message, NOISE_INITIATION_LEN));
		assert_refused(message, NOISE_INITIATION_LEN);
		message[i] ^= 4;
	}
}

static void any_other_length_is_refused(void **state)
{
	(void)state;
	for (size_t len = 0; len <= sizeof message; len++)
		if (len != NOISE_INITIATION_LEN)
			assert_refused(message, len);
}

static void the_name_of_a_victim_without_its_private_key_is_refused(void **state)
{
	uint8_t victim[CRYPTO_KEY_LEN], ss[CRYPTO_KEY_LEN], msg[NOISE_INITIATION_LEN], keys[2][CRYPTO_KEY_LEN];

	(void)state;
	crypto_x25519_public(initiator_private, victim);
	assert_int_equal(crypto_x25519(ephemeral_private, opener.public_key, ss), 0); /* the forger's own secret instead */
	build(&(struct forgery){ .static_public = victim, .ss = ss, .ephemeral_private = ephemeral_private }, msg, keys);
	assert_true(noise_initiation_plausible(&opener, msg, sizeof msg));
	assert_refused(msg, sizeof msg);
}

static void low_order_ephemeral_keys_are_refused(void **state)
{
	uint8_t public_key[CRYPTO_KEY_LEN], low[CRYPTO_KEY_LEN], ss[CRYPTO_KEY_LEN], msg[NOISE_INITIATION_LEN], keys[2][CRYPTO_KEY_LEN];

	(void)state;
	crypto_x25519_public(initiator_private, public_key);
	assert_int_equal(crypto_x25519(initiator_private, opener.public_key, ss), 0);
	for (size_t i = 0; i < LOW_ORDER_POINTS; i++) {
		unhex(low_order_points[i], low);
		build(&(struct forgery){ .static_public = public_key, .ss = ss, .ephemeral_public = low }, msg, keys);
		assert_refused(msg, sizeof msg);
	}
}

static void low_order_static_keys_are_refused(void **state)
{
	const uint8_t zero[CRYPTO_KEY_LEN] = { 0 };
	uint8_t low[CRYPTO_KEY_LEN], msg[NOISE_INITIATION_LEN], keys[2][CRYPTO_KEY_LEN];

	(void)state;
	for (size_t i = 0; i < LOW_ORDER_POINTS; i++) {
		unhex(low_order_points[i], low);
		build(&(struct forgery){ .static_public = low, .ss = zero, .ephemeral_private = ephemeral_private }, msg, keys);
		assert_refused(msg, sizeof msg);
	}
}

static void an_initiation_for_another_responder_is_refused(void **state)
{
	(void)state;
	noise_initiation_opener_init(&opener, ephemeral_private);
	assert_refused(message, NOISE_INITIATION_LEN);
	add_mac1(message);
	assert_refused(message, NOISE_INITIATION_LEN);
}

#define READY(f) cmocka_unit_test_setup(f, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		READY(the_vector_opens),
		READY(an_initiator_on_the_same_state_makes_the_vector_and_its_chaining_key_and_hash),
		READY(flipping_any_byte_but_those_of_mac2_is_refused),
		READY(flipping_any_sealed_or_ephemeral_byte_is_refused_under_a_right_mac1),
		READY(type_and_zero_bytes_are_checked_under_a_right_mac1),
		READY(any_other_length_is_refused),
		READY(the_name_of_a_victim_without_its_private_key_is_refused),
		READY(low_order_ephemeral_keys_are_refused),
		READY(low_order_static_keys_are_refused),
		READY(an_initiation_for_another_responder_is_refused),
	};

	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
