/* Published vectors: RFC 7693 (appendix B and the self-test of appendix E), the BLAKE2 known answers, wireguard-go's KDF test. */
#include "noise_test.h"

#include "lib/noise/blake2s.h"

static void hash_of_abc_is_that_of_rfc_7693(void **state)
{
	const struct crypto_part parts[] = { { "a", 1 }, { "", 0 }, { "bc", 2 } };
	uint8_t hash[BLAKE2S_LEN];

	(void)state;
	blake2s_hash(parts, ARRAY_LEN(parts), hash);
	assert_hex(hash, sizeof hash, "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982");
}

static void hash_of_nothing_is_the_known_one(void **state)
{
	uint8_t hash[BLAKE2S_LEN];

	(void)state;
	blake2s_hash(NULL, 0, hash);
	assert_hex(hash, sizeof hash, "69217a3079908094e11121d042354a7c1f55b6482ca1a51e1b250dfd1ed0eef9");
}

static void hash_may_overwrite_its_input(void **state)
{
	uint8_t bytes[BLAKE2S_LEN] = "abc";

	(void)state;
	blake2s_hash(&(struct crypto_part){ bytes, 3 }, 1, bytes);
	assert_hex(bytes, sizeof bytes, "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982");
}

static void keyed_hashes_are_those_of_the_blake2_known_answers(void **state)
{
	static const struct {
		size_t len;
		const char *hash;
	} rows[] = {
		{ 0, "48a8997da407876b3d79c0d92325ad3b89cbb754d86ab71aee047ad345fd2c49" },
		{ 1, "40d15fee7c328830166ac3f918650f807e7e01e177258cdc0a39b11f598066f1" },
		{ 2, "6bb71300644cd3991b26ccd4d274acd1adeab8b1d7914546c1198bbe9fc9d803" },
		{ 255, "3fb735061abc519dfe979e54c1ee5bfad0a9d858b3315bad34bde999efd724dd" },
	};
	uint8_t key[BLAKE2S_LEN], input[256], mac[BLAKE2S_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof input; i++)
		input[i] = (uint8_t)i;
	memcpy(key, input, sizeof key);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		blake2s_keyed(key, sizeof key, &(struct crypto_part){ input, rows[i].len }, 1, mac, sizeof mac);
		assert_hex(mac, sizeof mac, rows[i].hash);
	}
}

/* The deterministic bytes of RFC 7693 appendix E. */
static void selftest_bytes(uint8_t *ret, size_t len, uint32_t seed)
{
	uint32_t a = 0xdead4bad * seed, b = 1;

	for (size_t i = 0; i < len; i++) {
		uint32_t t = a + b;

		a = b;
		b = t;
		ret[i] = (uint8_t)(t >> 24);
	}
}

/* Appendix E hashes a grid of lengths; this is the part of the grid with 16- and 32-byte outputs, plain through libcrypto's hash
 * and keyed through its MAC, compared with a table made by Python's hashlib. */
static void keyed_and_plain_agree_with_another_implementation_over_lengths(void **state)
{
	static const size_t outputs[] = { 16, 32 }, inputs[] = { 0, 3, 64, 65, 255, 1024 };
	uint8_t input[1024], key[32], out[32], all[ARRAY_LEN(outputs) * ARRAY_LEN(inputs) * 64];
	size_t n = 0;

	(void)state;
	for (size_t o = 0; o < ARRAY_LEN(outputs); o++) {
		for (size_t i = 0; i < ARRAY_LEN(inputs); i++) {
			const struct crypto_part part = { input, inputs[i] };

			selftest_bytes(input, inputs[i], (uint32_t)inputs[i]);
			blake2s_hash(&part, 1, out);
			memcpy(all + n, out, sizeof out);
			n += sizeof out;
			selftest_bytes(key, outputs[o], (uint32_t)outputs[o]);
			blake2s_keyed(key, outputs[o], &part, 1, out, outputs[o]);
			memcpy(all + n, out, outputs[o]);
			n += outputs[o];
		}
	}
	blake2s_hash(&(struct crypto_part){ all, n }, 1, out);
	assert_hex(out, sizeof out, "74face29b757a36d3c06a65639fcae92b4c4c3a351895cd3f31b143be83ee37a");
}

static void hmac_agrees_with_another_implementation(void **state)
{
	static const struct {
		size_t key_len, input_len;
		const char *mac;
	} rows[] = { { 0, 0, "eaf4bb25938f4d20e72656bbbc7a9bf63c0c18537333c35bdb67db1402661acd" },
		     { 32, 32, "cbbaeb3f3018835748eb7a201797a29c114070f0265709977db4d48672430e89" },
		     { 64, 200, "a879a21d5700b4e92aa8d3b140762cd22d07001c97acf8af86df0a9fef9d89f5" },
		     { 65, 1, "ae85dcb6acf971422b6ba37bbe7093d6b573e6d4655d9770c511db0955aaa2d1" },
		     { 200, 200, "d2f7480f55f14ad6032bdb7ec954f63d4143dde94e8f7aea88af6492163313d6" } };
	uint8_t key[200], input[200], mac[BLAKE2S_LEN];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		selftest_bytes(key, rows[i].key_len, 7);
		selftest_bytes(input, rows[i].input_len, 9);
		blake2s_hmac(key, rows[i].key_len, &(struct crypto_part){ input, rows[i].input_len }, 1, mac);
		assert_hex(mac, sizeof mac, rows[i].mac);
	}
}

static void kdf_gives_the_outputs_of_wireguard_go(void **state)
{
	static const struct {
		const char *key, *input, *out[3];
	} rows[] = {
		{ "test-key",
		  "test-input",
		  { "6f0e5ad38daba1bea8a0d213688736f19763239305e0f58aba697f9ffc41c633",
		    "df1194df20802a4fe594cde27e92991c8cae66c366e8106aaa937a55fa371e8a",
		    "fac6e2745a325f5dc5d11a5b165aad08b0ada28e7b4e666b7c077934a4d76c24" } },
		{ "wireguard",
		  "wireguard",
		  { "491d43bbfdaa8750aaf535e334ecbfe5129967cd64635101c566d4caefda96e8",
		    "1e71a379baefd8a79aa4662212fcafe19a23e2b609a3db7d6bcba8f560e3d25f",
		    "31e1ae48bddfbe5de38f295e5452b1909a1b4e38e183926af3780b0c1e1f0160" } },
		{ "",
		  "",
		  { "8387b46bf43eccfcf349552a095d8315c4055beb90208fb1be23b894bc2ed5d0",
		    "58a0e5f6faefccf4807bff1f05fa8a9217945762040bcec2f4b4a62bdfe0e86e",
		    "0ce6ea98ec548f8e281e93e32db65621c45eb18dc6f0a7ad94178610a2f7338e" } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		/* HMAC fills a short key with zeros, so the shorter keys of that test fit a chaining key. */
		uint8_t key[BLAKE2S_LEN] = { 0 }, out[3][BLAKE2S_LEN];

		memcpy(key, rows[i].key, strlen(rows[i].key));
		for (int n = 1; n <= 3; n++) {
			blake2s_kdf(key, rows[i].input, strlen(rows[i].input), out[0], n > 1 ? out[1] : NULL, n > 2 ? out[2] : NULL);
			for (int j = 0; j < n; j++)
				assert_hex(out[j], BLAKE2S_LEN, rows[i].out[j]);
		}
	}
}

static void kdf_may_overwrite_its_key(void **state)
{
	uint8_t key[BLAKE2S_LEN] = "test-key", second[BLAKE2S_LEN];

	(void)state;
	blake2s_kdf(key, "test-input", 10, key, second, NULL);
	assert_hex(key, sizeof key, "6f0e5ad38daba1bea8a0d213688736f19763239305e0f58aba697f9ffc41c633");
	assert_hex(second, sizeof second, "df1194df20802a4fe594cde27e92991c8cae66c366e8106aaa937a55fa371e8a");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hash_of_abc_is_that_of_rfc_7693),
		cmocka_unit_test(hash_of_nothing_is_the_known_one),
		cmocka_unit_test(hash_may_overwrite_its_input),
		cmocka_unit_test(keyed_hashes_are_those_of_the_blake2_known_answers),
		cmocka_unit_test(keyed_and_plain_agree_with_another_implementation_over_lengths),
		cmocka_unit_test(hmac_agrees_with_another_implementation),
		cmocka_unit_test(kdf_gives_the_outputs_of_wireguard_go),
		cmocka_unit_test(kdf_may_overwrite_its_key),
	};

	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
