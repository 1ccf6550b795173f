/* cursor - see cursor.h. */
#include "controller/api/cursor.h"

#include "lib/base/crypto.h"

#include <string.h>

void cursor_key(const uint8_t secret[STORE_SECRET_LEN], const struct crypto_part *bound, size_t n_bound, uint8_t ret_key[32])
{
	static const char purpose[] = "sixpn cursor of a list";
	const struct crypto_part use = { purpose, sizeof purpose };
	uint8_t base[CRYPTO_HASH_LEN];

	/* never the store's secret itself: that one proves the log's head to nodes */
	crypto_blake2b(secret, STORE_SECRET_LEN, &use, 1, base);
	crypto_blake2b(base, sizeof base, bound, n_bound, ret_key);
	crypto_wipe(base, sizeof base);
}

static void mac(const uint8_t key[32], const char *inner, size_t n, uint8_t ret[CURSOR_MAC_LEN])
{
	const struct crypto_part part = { inner, n };
	uint8_t hash[CRYPTO_HASH_LEN];

	crypto_blake2b(key, 32, &part, 1, hash);
	memcpy(ret, hash, CURSOR_MAC_LEN);
}

/* Standard base64 <-> the form that needs no escaping in a query (RFC 4648 section 5, without padding). */
static void translate(char *text, const char *from, const char *to)
{
	for (char *p = text; *p; p++)
		for (int i = 0; i < 2; i++)
			if (*p == from[i]) {
				*p = to[i];
				break;
			}
}

void cursor_seal(const uint8_t key[32], const char *inner, char ret_text[CURSOR_TEXT_SIZE])
{
	uint8_t bytes[CURSOR_MAC_LEN + STORE_CURSOR_SIZE];
	size_t n = strnlen(inner, STORE_CURSOR_SIZE - 1);

	mac(key, inner, n, bytes);
	memcpy(bytes + CURSOR_MAC_LEN, inner, n);
	crypto_base64(bytes, CURSOR_MAC_LEN + n, ret_text);
	translate(ret_text, "+/", "-_");
	ret_text[strcspn(ret_text, "=")] = 0;
}

static int refuse(const char *text, struct why *why)
{
	return why_set(why, "cursor_invalid", "after",
		       "query parameter \"after\" is \"%.40s%s\": it must be the \"next\" of this same list, asked by the same token with the same filters",
		       text, strlen(text) > 40 ? "..." : "");
}

int cursor_open(const uint8_t key[32], const char *text, char ret_inner[STORE_CURSOR_SIZE], struct why *why)
{
	uint8_t bytes[CURSOR_MAC_LEN + STORE_CURSOR_SIZE], expected[CURSOR_MAC_LEN];
	char padded[CURSOR_TEXT_SIZE + 4];
	size_t len = strlen(text), n = len / 4 * 3 + (len % 4 ? len % 4 - 1 : 0);

	if (len >= CURSOR_TEXT_SIZE || len % 4 == 1 || n <= CURSOR_MAC_LEN || n >= sizeof bytes || strpbrk(text, "+/="))
		return refuse(text, why);
	memcpy(padded, text, len);
	memcpy(padded + len, "===", (4 - len % 4) % 4);
	padded[(len + 3) / 4 * 4] = 0;
	translate(padded, "-_", "+/");
	if (crypto_unbase64(padded, strlen(padded), bytes, n) < 0)
		return refuse(text, why);
	mac(key, (const char *)bytes + CURSOR_MAC_LEN, n - CURSOR_MAC_LEN, expected);
	if (!crypto_equal(expected, bytes, CURSOR_MAC_LEN))
		return refuse(text, why);
	memcpy(ret_inner, bytes + CURSOR_MAC_LEN, n - CURSOR_MAC_LEN);
	ret_inner[n - CURSOR_MAC_LEN] = 0;
	return 0;
}
