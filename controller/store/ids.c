/* ids - see ids.h. */
#include "controller/store/ids.h"

#include "lib/base/crypto.h"

#include <string.h>

void id_make(const struct clock *clock, uint8_t ret_id[ID_LEN])
{
	clock_random(clock, ret_id, ID_LEN);
}

const char *id_text(const uint8_t id[ID_LEN], char ret_text[ID_TEXT_SIZE])
{
	crypto_hex(id, ID_LEN, ret_text);
	return ret_text;
}

int id_parse(const char *text, uint8_t ret_id[ID_LEN])
{
	return crypto_unhex(text, strlen(text), ret_id, ID_LEN) < 0 ? E_REFUSED : 0;
}

const char *ulid_make(const struct clock *clock, char ret_text[ULID_SIZE])
{
	static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	uint64_t ms = clock_real_ms(clock);
	uint8_t bytes[16];

	clock_random(clock, bytes + 6, 10);
	for (int i = 0; i < 6; i++)
		bytes[i] = (uint8_t)(ms >> (40 - 8 * i));
	/* 26 digits hold 130 bits: the first two of these are 0 */
	for (int digit = 0; digit < 26; digit++) {
		unsigned value = 0;

		for (int bit = 5 * digit - 2; bit < 5 * digit + 3; bit++)
			value = value << 1 | (bit < 0 ? 0 : (bytes[bit / 8] >> (7 - bit % 8)) & 1);
		ret_text[digit] = digits[value];
	}
	ret_text[26] = 0;
	return ret_text;
}
