/* ids - the random 8-byte ids of orgs, apps, users, tokens and node tokens, and their text: 16 lower-case hex digits. */
#pragma once
#include "lib/base/clock.h"

#define ID_LEN 8
#define ID_TEXT_SIZE 17

void id_make(const struct clock *clock, uint8_t ret_id[ID_LEN]);
const char *id_text(const uint8_t id[ID_LEN], char ret_text[ID_TEXT_SIZE]); /* returns ret_text */
/* E_REFUSED unless text is exactly 16 lower-case hex digits; ret untouched then. */
int id_parse(const char *text, uint8_t ret_id[ID_LEN]) MUST_CHECK;
/* A ULID: 48 bits of Unix ms and 80 random bits in 26 characters of Crockford's base 32. Sorts by time. */
#define ULID_SIZE 27
const char *ulid_make(const struct clock *clock, char ret_text[ULID_SIZE]); /* returns ret_text */
static inline bool id_equal(const uint8_t a[ID_LEN], const uint8_t b[ID_LEN])
{
	return __builtin_memcmp(a, b, ID_LEN) == 0;
}
