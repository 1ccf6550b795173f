/* mac1, mac2, cookies and the seal they travel in. */
#include "noise_test.h"

#include "lib/noise/mac.h"

static const uint8_t responder_public[CRYPTO_KEY_LEN] = { 0xce, 0x8d, 0x3a, 0xd1, 0xcc, 0xb6, 0x33, 0xec, 0x7b, 0x70, 0xc1,
							  0x78, 0x14, 0xa5, 0xc7, 0x6e, 0xcd, 0x02, 0x96, 0x85, 0x05, 0x0d,
							  0x34, 0x47, 0x45, 0xba, 0x05, 0x87, 0x0e, 0x58, 0x7d, 0x59 };
static const char message[] = "a message with its mac1 behind it";
static const uint8_t here[] = { 192, 0, 2, 1 }, there[] = { 192, 0, 2, 2 };

/* Enough known randomness for every secret and nonce of a test. */
static uint8_t randomness[512];
static struct known_clock known;

static int fill_randomness(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof randomness; i++)
		randomness[i] = (uint8_t)(i * 7 + i / 256);
	known = (struct known_clock){ .bytes = randomness, .left = sizeof randomness };
	return 0;
}

static struct noise_mac_keys wireguard_keys(void)
{
	struct noise_mac_keys keys;

	noise_mac_keys_init(&keys, NOISE_WIREGUARD_MAC1_LABEL, NOISE_WIREGUARD_COOKIE_LABEL, responder_public);
	return keys;
}

static void xseal_gives_the_vector_of_the_xchacha_draft(void **state)
{
	static const char plain[] = "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen "
				    "would be it.";
	uint8_t key[CRYPTO_KEY_LEN], nonce[24], aad[12], sealed[sizeof plain - 1 + CRYPTO_AEAD_TAG_LEN], opened[sizeof plain];

	(void)state;
	for (size_t i = 0; i < sizeof key; i++)
		key[i] = (uint8_t)(0x80 + i);
	for (size_t i = 0; i < sizeof nonce; i++)
		nonce[i] = (uint8_t)(0x40 + i);
	unhex("50515253c0c1c2c3c4c5c6c7", aad);
	crypto_xseal(key, nonce, aad, sizeof aad, plain, sizeof plain - 1, sealed);
	assert_hex(sealed, sizeof sealed,
		   "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b7"
		   "2e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c97637da9768812f615c68b13b52e"
		   "c0875924c1c7987947deafd8780acf49");
	assert_int_equal(crypto_xopen(key, nonce, aad, sizeof aad, sealed, sizeof sealed, opened), 0);
	assert_memory_equal(opened, plain, sizeof plain - 1);
	assert_int_equal(crypto_xopen(key, nonce, aad, sizeof aad, sealed, CRYPTO_AEAD_TAG_LEN - 1, opened), -EBADMSG);
}

static void mac1_is_good_for_its_message_and_key_only(void **state)
{
	const struct noise_mac_keys keys = wireguard_keys();
	struct noise_mac_keys other;
	uint8_t mac[NOISE_MAC_LEN], other_public[CRYPTO_KEY_LEN] = { 9 };

	(void)state;
	noise_mac1(&keys, message, sizeof message, mac);
	assert_true(noise_mac1_good(&keys, message, sizeof message, mac));
	assert_false(noise_mac1_good(&keys, message, sizeof message - 1, mac));
	noise_mac_keys_init(&other, NOISE_WIREGUARD_MAC1_LABEL, NOISE_WIREGUARD_COOKIE_LABEL, other_public);
	assert_false(noise_mac1_good(&other, message, sizeof message, mac));
	for (size_t i = 0; i < sizeof mac; i++) {
		mac[i] ^= 0x10;
		assert_false(noise_mac1_good(&keys, message, sizeof message, mac));
		mac[i] ^= 0x10;
	}
}

static void labels_keep_the_link_and_wireguard_apart(void **state)
{
	const struct noise_mac_keys wireguard = wireguard_keys();
	struct noise_mac_keys link;
	uint8_t mac[NOISE_MAC_LEN];

	(void)state;
	noise_mac_keys_init(&link, NOISE_LINK_MAC1_LABEL, NOISE_LINK_COOKIE_LABEL, responder_public);
	noise_mac1(&wireguard, message, sizeof message, mac);
	assert_false(noise_mac1_good(&link, message, sizeof message, mac));
	assert_memory_not_equal(link.cookie, wireguard.cookie, sizeof link.cookie);
	assert_memory_not_equal(link.cookie, link.mac1, sizeof link.cookie);
}

static void a_cookie_makes_a_good_mac2_from_its_own_source_only(void **state)
{
	const struct clock clock = known_clock(&known);
	struct noise_cookie_jar jar = { 0 };
	uint8_t cookie[NOISE_COOKIE_LEN], mac[NOISE_MAC_LEN];

	(void)state;
	noise_cookie_make(&jar, &clock, here, sizeof here, cookie);
	noise_mac2(cookie, message, sizeof message, mac);
	assert_true(noise_mac2_good(&jar, &clock, here, sizeof here, message, sizeof message, mac));
	assert_false(noise_mac2_good(&jar, &clock, there, sizeof there, message, sizeof message, mac));
	assert_false(noise_mac2_good(&jar, &clock, here, sizeof here, message, sizeof message - 1, mac));
	mac[15] ^= 1;
	assert_false(noise_mac2_good(&jar, &clock, here, sizeof here, message, sizeof message, mac));
}

static void a_new_jar_takes_no_mac2(void **state)
{
	const struct clock clock = known_clock(&known);
	struct noise_cookie_jar jar = { 0 };
	const uint8_t zero_cookie[NOISE_COOKIE_LEN] = { 0 }, zero_secret[BLAKE2S_LEN] = { 0 };
	uint8_t cookie[NOISE_COOKIE_LEN], mac[NOISE_MAC_LEN];

	(void)state;
	noise_mac2(zero_cookie, message, sizeof message, mac);
	assert_false(noise_mac2_good(&jar, &clock, here, sizeof here, message, sizeof message, mac));
	/* The previous secret is all zero until there is one: it must not count as one that anybody can know. */
	blake2s_keyed(zero_secret, sizeof zero_secret, &(struct crypto_part){ here, sizeof here }, 1, cookie, sizeof cookie);
	noise_mac2(cookie, message, sizeof message, mac);
	assert_false(noise_mac2_good(&jar, &clock, here, sizeof here, message, sizeof message, mac));
}

static void a_cookie_lives_between_one_and_two_lives_of_a_secret(void **state)
{
	static const struct {
		uint64_t made_at, used_at; /* ms after the secret was made; the jar is used in between at every full life */
		bool good;
	} rows[] = {
		{ 0, 0, true },
		{ 0, NOISE_COOKIE_LIFE_MS - 1, true },
		{ 0, NOISE_COOKIE_LIFE_MS, true },
		{ NOISE_COOKIE_LIFE_MS - 1, 2 * NOISE_COOKIE_LIFE_MS - 1, true },
		{ NOISE_COOKIE_LIFE_MS - 1, 2 * NOISE_COOKIE_LIFE_MS, false },
		{ 0, 2 * NOISE_COOKIE_LIFE_MS, false },
		{ 0, 50 * NOISE_COOKIE_LIFE_MS, false },
	};
	const struct clock clock = known_clock(&known);

	(void)state;
	for (int busy = 0; busy < 2; busy++) { /* a jar that rests in between must forget all the same */
		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			struct noise_cookie_jar jar = { 0 };
			uint8_t cookie[NOISE_COOKIE_LEN], mac[NOISE_MAC_LEN];

			known = (struct known_clock){ .now_ms = 1000, .bytes = randomness, .left = sizeof randomness };
			noise_cookie_make(&jar, &clock, here, sizeof here, cookie);
			known.now_ms = 1000 + rows[i].made_at;
			noise_cookie_make(&jar, &clock, here, sizeof here, cookie);
			noise_mac2(cookie, message, sizeof message, mac);
			for (uint64_t t = NOISE_COOKIE_LIFE_MS; busy && t < rows[i].used_at && t <= 3 * NOISE_COOKIE_LIFE_MS;
			     t += NOISE_COOKIE_LIFE_MS) {
				known.now_ms = 1000 + t;
				noise_mac2_good(&jar, &clock, there, sizeof there, message, sizeof message, mac);
			}
			known.now_ms = 1000 + rows[i].used_at;
			assert_int_equal(noise_mac2_good(&jar, &clock, here, sizeof here, message, sizeof message, mac), rows[i].good);
		}
	}
}

static void a_wiped_jar_forgets_its_cookies(void **state)
{
	const struct clock clock = known_clock(&known);
	struct noise_cookie_jar jar = { 0 };
	uint8_t cookie[NOISE_COOKIE_LEN], mac[NOISE_MAC_LEN];

	(void)state;
	noise_cookie_make(&jar, &clock, here, sizeof here, cookie);
	noise_mac2(cookie, message, sizeof message, mac);
	noise_cookie_jar_wipe(&jar);
	assert_false(noise_mac2_good(&jar, &clock, here, sizeof here, message, sizeof message, mac));
}

struct sealed_cookie {
	struct noise_mac_keys keys;
	uint8_t cookie[NOISE_COOKIE_LEN], mac1[NOISE_MAC_LEN], nonce[NOISE_COOKIE_NONCE_LEN], sealed[NOISE_COOKIE_SEALED_LEN];
};

static struct sealed_cookie seal_one(void)
{
	const struct clock clock = known_clock(&known);
	struct noise_cookie_jar jar = { 0 };
	struct sealed_cookie s = { .keys = wireguard_keys() };

	noise_mac1(&s.keys, message, sizeof message, s.mac1);
	noise_cookie_make(&jar, &clock, here, sizeof here, s.cookie);
	noise_cookie_seal(&s.keys, &clock, s.cookie, s.mac1, s.nonce, s.sealed);
	return s;
}

static void a_sealed_cookie_opens_for_the_message_it_answers(void **state)
{
	const struct sealed_cookie s = seal_one();
	uint8_t cookie[NOISE_COOKIE_LEN];

	(void)state;
	assert_int_equal(noise_cookie_open(&s.keys, s.nonce, s.sealed, s.mac1, cookie), 0);
	assert_memory_equal(cookie, s.cookie, sizeof cookie);
}

static void flipping_any_byte_of_a_sealed_cookie_is_refused(void **state)
{
	struct sealed_cookie s = seal_one();
	uint8_t cookie[NOISE_COOKIE_LEN] = { 0xee };
	const struct {
		uint8_t *bytes;
		size_t len;
	} fields[] = { { s.nonce, sizeof s.nonce }, { s.sealed, sizeof s.sealed }, { s.mac1, sizeof s.mac1 }, { s.keys.cookie, 32 } };

	(void)state;
	for (size_t f = 0; f < ARRAY_LEN(fields); f++) {
		for (size_t i = 0; i < fields[f].len; i++) {
			fields[f].bytes[i] ^= 1;
			assert_int_equal(noise_cookie_open(&s.keys, s.nonce, s.sealed, s.mac1, cookie), E_REFUSED);
			fields[f].bytes[i] ^= 1;
		}
	}
	assert_int_equal(cookie[0], 0xee);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(xseal_gives_the_vector_of_the_xchacha_draft),
		cmocka_unit_test(mac1_is_good_for_its_message_and_key_only),
		cmocka_unit_test(labels_keep_the_link_and_wireguard_apart),
		cmocka_unit_test_setup(a_cookie_makes_a_good_mac2_from_its_own_source_only, fill_randomness),
		cmocka_unit_test_setup(a_new_jar_takes_no_mac2, fill_randomness),
		cmocka_unit_test_setup(a_cookie_lives_between_one_and_two_lives_of_a_secret, fill_randomness),
		cmocka_unit_test_setup(a_wiped_jar_forgets_its_cookies, fill_randomness),
		cmocka_unit_test_setup(a_sealed_cookie_opens_for_the_message_it_answers, fill_randomness),
		cmocka_unit_test_setup(flipping_any_byte_of_a_sealed_cookie_is_refused, fill_randomness),
	};

	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
