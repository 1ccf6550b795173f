/* cursor - where a list goes on, as strangers hold it: the store's own cursor with a MAC, good for the same question of the same asker only.
 * What it holds is no secret (it comes from a row that the asker has just seen); that it cannot be made or bent by hand is the point. */
#pragma once
#include "controller/store/store.h"

#define CURSOR_MAC_LEN 16
/* base64url of the MAC and the store's cursor */
#define CURSOR_TEXT_SIZE (((CURSOR_MAC_LEN + STORE_CURSOR_SIZE + 2) / 3) * 4 + 1)

/* The key that MACs are made with, for the question of `bound` (asker, route, filters). secret: of the store. */
struct crypto_part;
void cursor_key(const uint8_t secret[STORE_SECRET_LEN], const struct crypto_part *bound, size_t n_bound, uint8_t ret_key[32]);
void cursor_seal(const uint8_t key[32], const char *inner, char ret_text[CURSOR_TEXT_SIZE]);
/* E_REFUSED "cursor_invalid": altered, made by hand, or of another question. Takes any text. */
int cursor_open(const uint8_t key[32], const char *text, char ret_inner[STORE_CURSOR_SIZE], struct why *why) MUST_CHECK;
