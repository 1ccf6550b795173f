/* peer_name - see peer_name.h. Pure. */
#include "lib/sixpn/peer_name.h"

#include "lib/base/crypto.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define SHOWN_MAX 40

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* How many bytes of it an error shows, cut between characters. */
static size_t shown(const char *name)
{
	size_t n = strnlen(name, SHOWN_MAX);

	while (n && ((unsigned char)name[n] & 0xc0) == 0x80)
		n--;
	return n;
}

int peer_name_check(const char *name, struct why *why)
{
	size_t n = strlen(name);

	if (!n)
		return why_set(why, "name_invalid", "name", "peer name is empty; use letters, digits and \"-\"");
	if (n > PEER_NAME_MAX)
		return why_set(why, "name_invalid", "name", "peer name \"%.20s...\" has %zu characters, at most %d are allowed", name, n,
			       PEER_NAME_MAX);
	for (size_t i = 0; i < n; i++) {
		char c = name[i];

		if (is_letter(c) || is_digit(c) || (c == '-' && i && i + 1 < n))
			continue;
		return why_set(why, "name_invalid", "name",
			       "peer name \"%.*s%s\": character \"%.*s\" at position %zu is not allowed there; use letters, digits and, in between, \"-\"",
			       (int)shown(name), name, name[shown(name)] ? "..." : "", isprint((unsigned char)c) ? 1 : 0, name + i, i + 1);
	}
	return 0;
}

static void lower(const char *name, char ret[PEER_NAME_SIZE])
{
	size_t n = strnlen(name, PEER_NAME_MAX);

	for (size_t i = 0; i < n; i++)
		ret[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] - 'A' + 'a') : name[i];
	ret[n] = 0;
}

void peer_name_label(const char *name, unsigned attempt, char ret_label[NAME_SIZE])
{
	char text[PEER_NAME_SIZE], hex[2 * CRYPTO_HASH_LEN + 1];
	uint8_t hash[CRYPTO_HASH_LEN];
	size_t tail = 6 + 2 * (size_t)(attempt < PEER_LABEL_TRIES ? attempt : PEER_LABEL_TRIES), len;
	bool starts_right;

	lower(name, text);
	len = strlen(text);
	starts_right = is_letter(text[0]);
	if (attempt == 0 && starts_right && len <= NAME_LABEL_MAX) {
		memcpy(ret_label, text, len + 1);
		return;
	}
	crypto_blake2b(NULL, 0, &(struct crypto_part){ text, len }, 1, hash);
	crypto_hex(hash, sizeof hash, hex);
	len = (size_t)snprintf(ret_label, NAME_SIZE - 1 - tail, "%s%s", starts_right ? "" : "p-", text);
	if (len > NAME_SIZE - 2 - tail)
		len = NAME_SIZE - 2 - tail;
	while (len && ret_label[len - 1] == '-')
		len--;
	snprintf(ret_label + len, NAME_SIZE - len, "-%.*s", (int)tail, hex);
}
