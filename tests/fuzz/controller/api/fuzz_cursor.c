/* Cursors of lists as strangers send them: the first bytes are the question they are for. Only what was sealed opens, as what it was. */
#include "controller/api/cursor.h"
#include "lib/base/crypto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t secret[STORE_SECRET_LEN] = { 7 };
	size_t n_bound = size < 4 ? size : 4;
	struct crypto_part bound = { data, n_bound };
	char *text = malloc(size - n_bound + 1), inner[STORE_CURSOR_SIZE], back[STORE_CURSOR_SIZE], sealed[CURSOR_TEXT_SIZE];
	uint8_t key[32];

	memcpy(text, data + n_bound, size - n_bound);
	text[size - n_bound] = 0;
	cursor_key(secret, &bound, 1, key);
	if (cursor_open(key, text, inner, NULL) == 0) { /* nobody finds this */
		cursor_seal(key, inner, sealed);
		if (strcmp(sealed, text))
			abort();
	}
	snprintf(inner, sizeof inner, "%s", text);
	cursor_seal(key, inner, sealed);
	if (inner[0] && (cursor_open(key, sealed, back, NULL) || strcmp(inner, back)))
		abort();
	key[0] ^= 1;
	if (inner[0] && cursor_open(key, sealed, back, NULL) == 0)
		abort();
	free(text);
	return 0;
}
