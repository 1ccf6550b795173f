/* The published vectors, and that wrong input is refused. */
#include "lib/base/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static void from_hex(const char *text, void *ret_bytes, size_t n)
{
	assert_int_equal(crypto_unhex(text, strlen(text), ret_bytes, n), 0);
}

static void assert_hex(const void *bytes, size_t n, const char *expected)
{
	char text[1024];

	assert_true(n < 500);
	crypto_hex(bytes, n, text);
	assert_string_equal(text, expected);
}

/* RFC 7748, 5.2 and 6.1 */
static void x25519_vectors(void **state)
{
	static const struct {
		const char *private_key, *public_key, *shared;
	} rows[] = {
		{ "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4", "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
		  "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552" },
		{ "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d", "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
		  "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957" },
		{ "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a", "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
		  "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742" },
		{ "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb", "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
		  "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t private_key[32], public_key[32], shared[32];

		from_hex(rows[i].private_key, private_key, 32);
		from_hex(rows[i].public_key, public_key, 32);
		assert_int_equal(crypto_x25519(private_key, public_key, shared), 0);
		assert_hex(shared, 32, rows[i].shared);
	}
}

static void the_public_key_belongs_to_the_private(void **state)
{
	uint8_t private_key[32], public_key[32];

	(void)state;
	from_hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a", private_key, 32);
	crypto_x25519_public(private_key, public_key);
	assert_hex(public_key, 32, "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
}

static void new_key_pairs_agree_and_are_clamped(void **state)
{
	uint8_t a[32], a_public[32], b[32], b_public[32], ab[32], ba[32];

	(void)state;
	crypto_x25519_keypair(a, a_public);
	crypto_x25519_keypair(b, b_public);
	assert_memory_not_equal(a, b, 32);
	assert_int_equal(a[0] & 7, 0);
	assert_int_equal(a[31] & 0xc0, 0x40);
	assert_int_equal(crypto_x25519(a, b_public, ab), 0);
	assert_int_equal(crypto_x25519(b, a_public, ba), 0);
	assert_memory_equal(ab, ba, 32);
}

static void points_of_low_order_are_refused(void **state)
{
	static const char *const points[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(points); i++) {
		uint8_t private_key[32], public_key[32], point[32], shared[32] = { 7 };

		crypto_x25519_keypair(private_key, public_key);
		from_hex(points[i], point, 32);
		assert_int_equal(crypto_x25519(private_key, point, shared), -EINVAL);
		assert_int_equal(shared[0], 7);
	}
}

static void a_hash_in_pieces_is_the_hash_of_the_whole(void **state)
{
	uint8_t bytes[1000], whole[32], pieces[32];
	struct crypto_hash h;

	(void)state;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 7);
	crypto_blake2b(NULL, 0, &(struct crypto_part){ bytes, sizeof bytes }, 1, whole);
	for (size_t step = 1; step < 400; step += 37) {
		crypto_hash_begin(&h);
		for (size_t at = 0; at < sizeof bytes; at += step)
			crypto_hash_add(&h, bytes + at, at + step > sizeof bytes ? sizeof bytes - at : step);
		crypto_hash_end(&h, pieces);
		assert_memory_equal(whole, pieces, 32);
	}
}

static void blake2b_vectors(void **state)
{
	uint8_t whole[32], parts[32], keyed[32];

	(void)state;
	crypto_blake2b(NULL, 0, NULL, 0, whole);
	assert_hex(whole, 32, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
	crypto_blake2b(NULL, 0, &(struct crypto_part){ "abc", 3 }, 1, whole);
	assert_hex(whole, 32, "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
	crypto_blake2b(NULL, 0, (struct crypto_part[]){ { "a", 1 }, { "", 0 }, { "bc", 2 } }, 3, parts);
	assert_memory_equal(whole, parts, 32);
	crypto_blake2b((const uint8_t *)"key", 3, &(struct crypto_part){ "abc", 3 }, 1, keyed);
	assert_memory_not_equal(whole, keyed, 32);
}

static const char sunscreen[] = "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";

struct aead {
	void (*seal)(const uint8_t *key, const uint8_t *nonce, const void *aad, size_t aad_len, const void *in, size_t len, uint8_t *out);
	int (*open)(const uint8_t *key, const uint8_t *nonce, const void *aad, size_t aad_len, const uint8_t *in, size_t len,
		    uint8_t *out);
	const char *nonce, *starts, *tag;
};
/* RFC 8439, 2.8.2, and draft-irtf-cfrg-xchacha, A.3.1 */
static const struct aead aeads[] = {
	{ crypto_seal, crypto_open, "070000004041424344454647", "d31a8d34648e60db7b86afbc53ef7ec2", "1ae10b594f09e26a7e902ecbd0600691" },
	{ crypto_xseal, crypto_xopen, "404142434445464748494a4b4c4d4e4f5051525354555657", "bd6d179d3e83d43b9576579493c0e939",
	  "c0875924c1c7987947deafd8780acf49" },
};

static void set_up_aead(const struct aead *a, uint8_t key[32], uint8_t nonce[24], uint8_t aad[12])
{
	for (unsigned i = 0; i < 32; i++)
		key[i] = (uint8_t)(0x80 + i);
	from_hex(a->nonce, nonce, strlen(a->nonce) / 2);
	from_hex("50515253c0c1c2c3c4c5c6c7", aad, 12);
}

static void sealing_gives_the_published_bytes_and_opens_again(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(aeads); i++) {
		size_t len = strlen(sunscreen);
		uint8_t key[32], nonce[24], aad[12], sealed[200], opened[200];

		set_up_aead(&aeads[i], key, nonce, aad);
		aeads[i].seal(key, nonce, aad, 12, sunscreen, len, sealed);
		assert_hex(sealed, 16, aeads[i].starts);
		assert_hex(sealed + len, 16, aeads[i].tag);
		assert_int_equal(aeads[i].open(key, nonce, aad, 12, sealed, len + 16, opened), 0);
		assert_memory_equal(opened, sunscreen, len);
		assert_int_equal(aeads[i].open(key, nonce, aad, 12, sealed, len + 16, sealed), 0); /* in place */
		assert_memory_equal(sealed, sunscreen, len);
	}
}

static void any_flipped_bit_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(aeads); i++) {
		uint8_t key[32], nonce[24], aad[12], sealed[36], opened[36];

		set_up_aead(&aeads[i], key, nonce, aad);
		aeads[i].seal(key, nonce, aad, 12, sunscreen, 20, sealed);
		for (size_t bit = 0; bit < 8 * sizeof sealed; bit++) {
			sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_int_equal(aeads[i].open(key, nonce, aad, 12, sealed, sizeof sealed, opened), -EBADMSG);
			sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		assert_int_equal(aeads[i].open(key, nonce, aad, 11, sealed, sizeof sealed, opened), -EBADMSG);
		key[31] ^= 1;
		assert_int_equal(aeads[i].open(key, nonce, aad, 12, sealed, sizeof sealed, opened), -EBADMSG);
	}
}

static void what_is_shorter_than_a_tag_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(aeads); i++) {
		uint8_t key[32], nonce[24], aad[12], sealed[16], opened[16];

		set_up_aead(&aeads[i], key, nonce, aad);
		aeads[i].seal(key, nonce, NULL, 0, NULL, 0, sealed);
		assert_int_equal(aeads[i].open(key, nonce, NULL, 0, sealed, 16, opened), 0);
		for (size_t n = 0; n < 16; n++)
			assert_int_equal(aeads[i].open(key, nonce, NULL, 0, sealed, n, opened), -EBADMSG);
	}
}

static void hex_texts(void **state)
{
	static const struct {
		const char *text;
		size_t n;
		int result;
	} rows[] = { { "00ff10", 3, 0 }, { "", 0, 0 },	       { "00ff1", 3, -EINVAL }, { "00ff100", 3, -EINVAL }, { "00FF10", 3, -EINVAL },
		     { "00fg10", 3, -EINVAL }, { " 0ff10", 3, -EINVAL }, { "0x0010", 3, -EINVAL }, { "00ff10", 2, -EINVAL } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t bytes[3] = { 9, 9, 9 };

		assert_int_equal(crypto_unhex(rows[i].text, strlen(rows[i].text), bytes, rows[i].n), rows[i].result);
		if (rows[i].result)
			assert_memory_equal(bytes, "\x09\x09\x09", 3);
		else if (rows[i].n)
			assert_memory_equal(bytes, "\x00\xff\x10", 3);
	}
}

static void base64_texts(void **state)
{
	static const struct {
		const char *text;
		size_t n;
		int result;
	} rows[] = {
		{ "AP8Q", 3, 0 },	 { "AP8=", 2, 0 },	  { "AA==", 1, 0 },	   { "AP9=", 2, -EINVAL }, /* bits behind the end */
		{ "AP8", 2, -EINVAL },	 { "AP8==", 2, -EINVAL }, { "AP8Q\n", 3, -EINVAL }, { "AP_Q", 3, -EINVAL },
		{ " AP8Q", 3, -EINVAL }, { "AP8Q", 2, -EINVAL },  { "AP8Q", 4, -EINVAL },   { "", 1, -EINVAL },
		{ "A 8Q", 3, -EINVAL },	 { "====", 1, -EINVAL },  { "A===", 1, -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t bytes[4] = { 9, 9, 9, 9 };
		char text[16];

		assert_int_equal(crypto_unbase64(rows[i].text, strlen(rows[i].text), bytes, rows[i].n), rows[i].result);
		if (rows[i].result) {
			assert_memory_equal(bytes, "\x09\x09\x09\x09", 4);
			continue;
		}
		crypto_base64(bytes, rows[i].n, text);
		assert_string_equal(text, rows[i].text);
	}
}

static void a_key_has_44_characters_of_base64(void **state)
{
	uint8_t key[32], back[32];
	char text[CRYPTO_BASE64_KEY_LEN + 1];

	(void)state;
	crypto_random(key, sizeof key);
	crypto_base64(key, sizeof key, text);
	assert_int_equal(strlen(text), CRYPTO_BASE64_KEY_LEN);
	assert_int_equal(crypto_unbase64(text, strlen(text), back, sizeof back), 0);
	assert_true(crypto_equal(key, back, sizeof key));
	back[31] ^= 1;
	assert_false(crypto_equal(key, back, sizeof key));
	crypto_wipe(key, sizeof key);
	for (size_t i = 0; i < sizeof key; i++)
		assert_int_equal(key[i], 0);
}

static int start(void **state)
{
	(void)state;
	crypto_init();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(x25519_vectors),
		cmocka_unit_test(the_public_key_belongs_to_the_private),
		cmocka_unit_test(new_key_pairs_agree_and_are_clamped),
		cmocka_unit_test(points_of_low_order_are_refused),
		cmocka_unit_test(blake2b_vectors),
		cmocka_unit_test(a_hash_in_pieces_is_the_hash_of_the_whole),
		cmocka_unit_test(sealing_gives_the_published_bytes_and_opens_again),
		cmocka_unit_test(any_flipped_bit_is_refused),
		cmocka_unit_test(what_is_shorter_than_a_tag_is_refused),
		cmocka_unit_test(hex_texts),
		cmocka_unit_test(base64_texts),
		cmocka_unit_test(a_key_has_44_characters_of_base64),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
