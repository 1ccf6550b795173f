/* The symmetric state by itself; the handshakes built on it have the published vectors. */
#include "noise_test.h"

#include "lib/noise/symmetric.h"

static void a_nonce_is_four_zeros_and_the_counter_little_endian(void **state)
{
	uint8_t nonce[12];

	(void)state;
	noise_nonce(0x0102030405060708, nonce);
	assert_hex(nonce, sizeof nonce, "000000000807060504030201");
}

static void a_short_name_is_the_hash_and_a_long_one_is_hashed(void **state)
{
	struct noise_symmetric s;

	(void)state;
	noise_symmetric_init(&s, "Noise_short");
	assert_hex(s.hash, sizeof s.hash, "4e6f6973655f73686f7274000000000000000000000000000000000000000000");
	assert_memory_equal(s.hash, s.chaining_key, sizeof s.hash);
	noise_symmetric_init(&s, "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s");
	assert_hex(s.chaining_key, sizeof s.chaining_key, "60e26daef327efc02ec335e2a025d2d016eb4206f87277f52d38d1988b78cd36");
	noise_symmetric_mix_hash(&s, "WireGuard v1 zx2c4 Jason@zx2c4.com", 34);
	assert_hex(s.hash, sizeof s.hash, "2211b361081ac566691243db458ad5322d9c6c662293e8b70ee19c65ba079ef3");
}

static void without_a_key_nothing_is_added_and_all_is_hashed(void **state)
{
	struct noise_symmetric a, b;
	uint8_t sent[4], got[4];

	(void)state;
	noise_symmetric_init(&a, "Noise_short");
	b = a;
	assert_int_equal(noise_symmetric_overhead(&a), 0);
	noise_symmetric_encrypt_and_hash(&a, "text", 4, sent);
	assert_memory_equal(sent, "text", 4);
	assert_int_equal(noise_symmetric_decrypt_and_hash(&b, sent, 4, got), 0);
	assert_memory_equal(got, "text", 4);
	assert_memory_equal(a.hash, b.hash, sizeof a.hash);
}

static void with_a_key_both_sides_stay_in_step(void **state)
{
	struct noise_symmetric a, b;
	uint8_t sealed[3][4 + CRYPTO_AEAD_TAG_LEN], keys[2][2][CRYPTO_KEY_LEN];

	(void)state;
	noise_symmetric_init(&a, "Noise_short");
	noise_symmetric_mix_key_and_hash(&a, "a preshared key of thirty-two by", 32);
	b = a;
	assert_int_equal(noise_symmetric_overhead(&a), CRYPTO_AEAD_TAG_LEN);
	for (int i = 0; i < 3; i++) {
		noise_symmetric_encrypt_and_hash(&a, "text", 4, sealed[i]);
		assert_int_equal(noise_symmetric_decrypt_and_hash(&b, sealed[i], sizeof sealed[i], sealed[i]), 0); /* in place */
		assert_memory_equal(sealed[i], "text", 4);
	}
	assert_memory_equal(&a, &b, sizeof a);
	assert_int_equal(a.nonce, 3);
	noise_symmetric_split(&a, keys[0][0], keys[0][1]);
	noise_symmetric_split(&b, keys[1][0], keys[1][1]);
	assert_memory_equal(keys[0], keys[1], sizeof keys[0]);
	assert_memory_not_equal(keys[0][0], keys[0][1], CRYPTO_KEY_LEN);
}

static void a_seal_is_bound_to_all_that_was_said_before(void **state)
{
	struct noise_symmetric a, b;
	uint8_t sealed[4 + CRYPTO_AEAD_TAG_LEN], got[4];

	(void)state;
	noise_symmetric_init(&a, "Noise_short");
	noise_symmetric_mix_key(&a, "key", 3);
	b = a;
	noise_symmetric_mix_hash(&b, "something else", 14);
	noise_symmetric_encrypt_and_hash(&a, "text", 4, sealed);
	assert_int_equal(noise_symmetric_decrypt_and_hash(&b, sealed, sizeof sealed, got), -EBADMSG);
}

static void what_is_shorter_than_a_tag_is_refused(void **state)
{
	struct noise_symmetric s;
	uint8_t bytes[CRYPTO_AEAD_TAG_LEN] = { 0 };

	(void)state;
	noise_symmetric_init(&s, "Noise_short");
	noise_symmetric_mix_key(&s, "key", 3);
	for (size_t len = 0; len < sizeof bytes; len++) {
		struct noise_symmetric copy = s;

		assert_int_equal(noise_symmetric_decrypt_and_hash(&copy, bytes, len, bytes), -EBADMSG);
	}
}

static void a_low_order_point_changes_nothing(void **state)
{
	struct noise_symmetric s, before;
	uint8_t private_key[CRYPTO_KEY_LEN], public_key[CRYPTO_KEY_LEN], low[CRYPTO_KEY_LEN];

	(void)state;
	crypto_x25519_keypair(private_key, public_key);
	noise_symmetric_init(&s, "Noise_short");
	memcpy(&before, &s, sizeof s);
	for (size_t i = 0; i < LOW_ORDER_POINTS; i++) {
		unhex(low_order_points[i], low);
		assert_int_equal(noise_symmetric_mix_dh(&s, private_key, low), -EINVAL);
		assert_memory_equal(&s, &before, sizeof s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_nonce_is_four_zeros_and_the_counter_little_endian),
		cmocka_unit_test(a_short_name_is_the_hash_and_a_long_one_is_hashed),
		cmocka_unit_test(without_a_key_nothing_is_added_and_all_is_hashed),
		cmocka_unit_test(with_a_key_both_sides_stay_in_step),
		cmocka_unit_test(a_seal_is_bound_to_all_that_was_said_before),
		cmocka_unit_test(what_is_shorter_than_a_tag_is_refused),
		cmocka_unit_test(a_low_order_point_changes_nothing),
	};

	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
